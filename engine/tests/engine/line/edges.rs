//! What seeded requests seldom meet: forged bytes, many lines, places that nobody is left in.

use super::world::COPY;
use super::{BEGIN_MS, OWN};
use flashsale_engine::sale::{
    Answer, Ask, Bounds, Change, Changes, CodecError, CreateAsk, Event, Granted, Loader, PaceRate,
    Pass, Reserve, Sale, decode_event, digest, encode_event,
};

const BOUNDS: Bounds = Bounds {
    reservations_max: 1_000_000,
    items_max: 200_000,
};

/// A sale of these items with a line, and what else is asked for.
fn sale(items: &[(&[u8], u64)], changes: Changes) -> Sale {
    let ask = CreateAsk {
        sale_id: 1,
        share_id: 1,
        orders: b"orders",
        items: items.to_vec(),
        changes: Changes {
            waiting_max: Some(1_000_000),
            ..changes
        },
        hold_ms_default: 60_000,
        keep_ms_default: 1_000,
    };
    let event = Sale::plan_create(BEGIN_MS, &ask, &BOUNDS).expect("a sale");
    Sale::create(&event, OWN).expect("a sale")
}

fn pace(n: u64, ms: u64) -> Changes {
    Changes {
        pace: Some(Some(PaceRate { n, ms })),
        ..Changes::default()
    }
}

/// RESERVE under an id that is also the user.
fn reserve(
    sale: &mut Sale,
    now_ms: u64,
    id: &str,
    of: (&[u8], u64),
    waits: bool,
) -> Option<Answer> {
    let ask = Reserve {
        user: OWN.key(id.as_bytes()),
        ask: Ask::Items([of].into_iter().collect()),
        id: OWN.key(id.as_bytes()),
        hold_ms: None,
        replaces: None,
        waits,
        pass: Pass::Missing,
    };
    match sale.plan_reserve(now_ms, &ask, &BOUNDS) {
        Ok(event) => {
            sale.apply(&event);
            None
        }
        Err(answer) => Some(answer),
    }
}

fn release(sale: &mut Sale, now_ms: u64, id: &str) {
    let id = OWN.key(id.as_bytes());
    let event = sale
        .plan_release(now_ms, id, None, &BOUNDS)
        .expect("a release");
    sale.apply(&event);
}

fn grant(sale: &mut Sale, now_ms: u64, mut budget: u32) -> bool {
    let event = sale.plan_grant(now_ms, &mut 0, &mut budget, &BOUNDS, &|_| true);
    let is_one = event.is_some();
    event.iter().for_each(|event| {
        sale.apply(event);
    });
    is_one
}

/// The elements of a snapshot.
fn elements(sale: &Sale) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    digest(sale, &mut |element| elements.push(element.to_vec()));
    // The order of the queues.
    elements.pop();
    elements
}

fn load(elements: &[Vec<u8>]) -> Result<Sale, CodecError> {
    let mut loader = Loader::new(OWN);
    loader.push(&elements.concat())?;
    loader.finish()
}

#[test]
fn whoever_stands_behind_a_line_and_pace_asks_again_when_pace_allows_it() {
    let mut sale = sale(&[(b"tee", 5)], pace(1, 10_000));
    reserve(&mut sale, BEGIN_MS, "ann", (b"tee", 1), false);
    // No deadline is left.
    release(&mut sale, BEGIN_MS, "ann");
    assert_eq!(
        reserve(&mut sale, BEGIN_MS + 1, "bob", (b"tee", 1), true),
        None
    );
    let answer = reserve(&mut sale, BEGIN_MS + 1, "cid", (b"tee", 1), false);
    let Some(Answer::AllReserved { retry_in_ms, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert!((9_000..=10_000).contains(&retry_in_ms), "{retry_in_ms} ms");
}

#[test]
fn lines_whose_fronts_want_more_than_there_is_stop_nobody_elsewhere() {
    let names: Vec<String> = (0..60).map(|number| format!("tee-{number}")).collect();
    let items: Vec<(&[u8], u64)> = names.iter().map(|name| (name.as_bytes(), 2)).collect();
    let mut sale = sale(&items, pace(1_000_000, 1));
    for name in &names[..50] {
        let of = |qty| (name.as_bytes(), qty);
        reserve(&mut sale, BEGIN_MS, &format!("has-{name}"), of(1), false);
        reserve(&mut sale, BEGIN_MS, &format!("waits-{name}"), of(2), true);
    }
    assert!(!grant(&mut sale, BEGIN_MS + 5, 1_000));
    assert_eq!(sale.lines_due_ms(), None);
    let of = (names[55].as_bytes(), 1);
    assert_eq!(reserve(&mut sale, BEGIN_MS + 5, "ann", of, false), None);
}

#[test]
fn the_time_to_wait_counts_places_that_were_left_as_it_counts_those_ahead() {
    let mut sale = sale(&[(b"tee", 1_000)], Changes::default());
    reserve(&mut sale, BEGIN_MS, "all", (b"tee", 1_000), false);
    for number in 0..800 {
        reserve(
            &mut sale,
            BEGIN_MS,
            &format!("p{number}"),
            (b"tee", 1),
            true,
        );
    }
    for number in (0..800).filter(|number| number % 8 != 7) {
        release(&mut sale, BEGIN_MS, &format!("p{number}"));
    }
    release(&mut sale, BEGIN_MS, "all");
    for second in 0..50 {
        grant(&mut sale, BEGIN_MS + second * 1_000, 3);
    }
    let place = sale.find_place(OWN.key(b"p799")).expect("a place");
    let terms = sale.wait_terms(place, BEGIN_MS + 50_000).expect("terms");
    // Half of the places went in 50 s; so does the other half.
    assert_eq!(sale.line_counts().granted, 50);
    assert!(
        terms
            .eta_ms
            .is_some_and(|ms| (40_000..=60_000).contains(&ms)),
        "{terms:?}"
    );
}

#[test]
fn a_line_that_has_just_begun_to_move_is_judged_by_how_long_it_has() {
    let mut sale = sale(&[(b"tee", 1_000)], Changes::default());
    reserve(&mut sale, BEGIN_MS, "all", (b"tee", 1_000), false);
    for number in 0..600 {
        let id = format!("p{number}");
        reserve(&mut sale, BEGIN_MS, &id, (b"tee", 1), true);
    }
    release(&mut sale, BEGIN_MS, "all");
    // Ten a second.
    for second in 0..20 {
        grant(&mut sale, BEGIN_MS + second * 1_000, 11);
    }
    let place = sale.find_place(OWN.key(b"p599")).expect("a place");
    let terms = sale.wait_terms(place, BEGIN_MS + 20_000).expect("terms");
    assert!(
        terms
            .eta_ms
            .is_some_and(|ms| (35_000..=45_000).contains(&ms)),
        "{terms:?}"
    );
}

#[test]
fn a_grant_of_more_places_than_a_go_settles_is_refused_unread() {
    let granted = |places: u64| Event {
        at_ms: BEGIN_MS,
        change: Change::Granted(Granted {
            item: 0,
            places,
            runs: [0, places as u32 - 1].into_iter().collect(),
            expires_at_ms: BEGIN_MS + 60_000,
            forgotten: 0,
        }),
    };
    for (places, is_one) in [
        (Granted::PLACES_MAX, true),
        (Granted::PLACES_MAX + 1, false),
    ] {
        let mut bytes = Vec::new();
        encode_event(&granted(places), &mut bytes);
        let read = decode_event(&bytes, COPY);
        assert_eq!(read.is_ok(), is_one, "{places} places");
    }
}

#[test]
fn a_snapshot_in_which_an_id_waits_and_is_reserved_is_refused() {
    let mut sale = sale(&[(b"tee", 1)], Changes::default());
    reserve(&mut sale, BEGIN_MS, "AA", (b"tee", 1), false);
    reserve(&mut sale, BEGIN_MS, "BB", (b"tee", 1), true);
    let elements = elements(&sale);
    load(&elements).expect("as it was");
    // The reservation takes the id of the place, and stands behind it.
    let at = |name: &[u8]| {
        let is_it = |element: &Vec<u8>| element.windows(2).any(|two| two == name);
        elements.iter().position(is_it).expect("an element")
    };
    let (reserved, placed) = (at(b"AA"), at(b"BB"));
    assert!(reserved < placed);
    let mut forged = elements.clone();
    let mut moved = forged.remove(reserved);
    let id = moved
        .windows(2)
        .position(|two| two == b"AA")
        .expect("an id");
    moved[id..id + 2].copy_from_slice(b"BB");
    forged.insert(placed, moved);
    assert!(matches!(
        load(&forged),
        Err(CodecError::Invalid("a reservation"))
    ));
}

#[test]
fn whoever_is_next_stands_at_the_head_after_many_were_granted_at_once() {
    let mut sale = sale(&[(b"tee", 100)], Changes::default());
    reserve(&mut sale, BEGIN_MS, "all", (b"tee", 100), false);
    for number in 0..60 {
        let name = format!("p{number}");
        reserve(&mut sale, BEGIN_MS, &name, (b"tee", 1), true);
    }
    release(&mut sale, BEGIN_MS, "all");
    // A step for the line, and one for each of forty.
    assert!(grant(&mut sale, BEGIN_MS, 41));
    assert_eq!(sale.line_counts().granted, 40);
    let ahead = |name: &[u8]| sale.ahead_of(sale.place_of_user(name).expect("a place"));
    assert_eq!((ahead(b"p40"), ahead(b"p59")), (Some(0), Some(19)));
}

/// Whoever is at their limit at their turn is not passed over while units of theirs may be on
/// their way back: nobody has swept yet.
#[test]
fn a_turn_at_a_limit_waits_for_the_sweep() {
    let changes = Changes {
        user_limit: Some(1),
        ..Changes::default()
    };
    let mut sale = sale(&[(b"tee", 1), (b"mug", 1)], changes);
    reserve(&mut sale, BEGIN_MS + 1, "zoe", (b"tee", 1), false);
    // Ann's own is overdue when the unit comes back; she waits under another id.
    let ask = Reserve {
        user: OWN.key(b"ann"),
        ask: Ask::Items([(&b"tee"[..], 1)].into_iter().collect()),
        id: OWN.key(b"ann waits"),
        hold_ms: None,
        replaces: None,
        waits: true,
        pass: Pass::Missing,
    };
    let event = sale
        .plan_reserve(BEGIN_MS + 1, &ask, &BOUNDS)
        .expect("a place");
    sale.apply(&event);
    reserve(&mut sale, BEGIN_MS, "ann", (b"mug", 1), false);
    release(&mut sale, BEGIN_MS + 2, "zoe");
    let now_ms = BEGIN_MS + 60_000;
    let place = sale.find_place(ask.id).expect("a place");
    let poll = |sale: &Sale| sale.plan_grant_to(now_ms, place, &BOUNDS, &|_| true);
    assert!(sale.has_overdue(now_ms) && poll(&sale).is_none());
    let swept = sale.plan_sweep(now_ms, 9).expect("a sweep");
    sale.apply(&swept);
    let granted = poll(&sale).expect("her turn");
    sale.apply(&granted);
    assert_eq!(sale.line_counts().granted, 1);
}

/// A copy that loaded a line knows what its front asks for: whoever has the first number need not
/// be in front.
#[test]
fn a_loaded_line_is_due_when_the_line_that_was_saved_is() {
    for seed in 0..32 {
        let changes = Changes {
            start_at_ms: Some(BEGIN_MS + 1_000),
            ..Changes::default()
        };
        let mut sale = sale(&[(b"tee", 4)], changes);
        for (number, qty) in [1, 4, 2, 3].into_iter().enumerate() {
            reserve(
                &mut sale,
                BEGIN_MS,
                &format!("p{number}"),
                (b"tee", qty),
                true,
            );
        }
        let now_ms = BEGIN_MS + 1_000;
        let drawn = sale.plan_draw(now_ms, || [seed; 16]).expect("a draw");
        sale.apply(&drawn);
        grant(&mut sale, now_ms, 2);
        let copy = load(&elements(&sale)).expect("as it was");
        assert_eq!(copy.lines_due_ms(), sale.lines_due_ms(), "seed {seed}");
        let next = |sale: &Sale| sale.plan_grant(now_ms, &mut 0, &mut 9, &BOUNDS, &|_| true);
        assert_eq!(next(&copy), next(&sale), "seed {seed}");
    }
}
