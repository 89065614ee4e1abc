//! Events of lines, and a sale in which people wait: one of everything that lines have.
//!
//! Edge: as `samples.rs`.

use super::samples::{HASHER, NOW_MS, ULID, options, step, unentered};
use flashsale_engine::sale::*;

const BOUNDS: Bounds = Bounds {
    reservations_max: 1_000,
    items_max: 100,
};

/// START of [`waiting_sale`], and the one that comes after it.
const START_MS: u64 = NOW_MS + 1_000;
const NEXT_START_MS: u64 = NOW_MS + 120_000;
/// The seed that draws its line of eight.
const SEED: Seed = [9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn granted(places: u64, runs: &[u32], forgotten: u32) -> Change<'static> {
    Change::Granted(Granted {
        item: 0,
        places,
        runs: runs.iter().copied().collect(),
        expires_at_ms: NOW_MS + 60_000,
        forgotten,
    })
}

/// One event of every kind that lines have, each optional part both there and not.
pub fn line_events() -> Vec<(&'static str, Change<'static>)> {
    let id = HASHER.key(ULID);
    let pace = Some(PaceRate { n: 200, ms: 60_000 });
    let with_line = Options {
        waiting_max: 1_000_000,
        patience_ms: 0,
        pace,
        ..options()
    };
    let with_pace = Options {
        pace,
        events: Events::All,
        ..Options::new(1, 3_600_000)
    };
    let joined = |user: &'static [u8], item, qty| Change::Joined {
        id,
        user: HASHER.key(user),
        item,
        qty,
    };
    let left = |remembers| Change::Left { id, remembers };
    let created = Created {
        sale_id: 7,
        share_id: 7,
        orders: b"orders",
        options: with_line,
        items: vec![(b"a", 1)],
    };
    vec![
        ("created-with-a-line", Change::Created(Box::new(created))),
        ("altered-to-a-pace", Change::Altered(Box::new(with_pace))),
        ("joined", joined(b"alice", 0, 1)),
        ("joined-for-many", joined(&[b'u'; 255], 70_000, INTEGER_MAX)),
        ("left", left(Some(Forgets::Nothing))),
        ("left-forgotten", left(None)),
        ("left-at-the-bound", left(Some(Forgets::OldestPastGrace))),
        ("drawn", Change::Drawn { seed: SEED }),
        ("granted", granted(1, &[1], 0)),
        ("granted-and-passed-over", granted(7, &[2, 1, 3], 4)),
        ("passed-over", granted(300, &[0, 251], 0)),
        ("granted-to-nobody", granted(1_000, &[], 0)),
        ("dissolved", Change::Dissolved { items: vec![0] }),
        (
            "dissolved-lines",
            Change::Dissolved {
                items: vec![0, 7, 251],
            },
        ),
    ]
}

/// Reports whether a change is one that only lines have.
pub fn is_of_lines(change: &Change<'_>) -> bool {
    matches!(
        change,
        Change::Joined { .. }
            | Change::Left { .. }
            | Change::Drawn { .. }
            | Change::Granted(_)
            | Change::Dissolved { .. }
    )
}

/// A request of somebody who waits, or does not mind to.
pub fn wait<'a>(user: &'a str, id: &'a str, sku: &'static str, qty: u64) -> Reserve<'a> {
    Reserve {
        user: HASHER.key(user.as_bytes()),
        ask: Ask::Items([(sku.as_bytes(), qty)].into_iter().collect()),
        id: HASHER.key(id.as_bytes()),
        hold_ms: None,
        replaces: None,
        waits: true,
        pass: Pass::Missing,
    }
}

fn join(sale: &mut Sale, at_ms: u64, ask: &Reserve<'_>) {
    step(sale, |sale| sale.plan_reserve(at_ms, ask, &BOUNDS));
}

/// A sale with two lines of which one was drawn, and some have gone from its front and from
/// its middle; one that waits for the next START; and people who came after the draw, some
/// of whom ask for more than a record has room for.
pub fn waiting_sale() -> Sale {
    let pace = Some(PaceRate { n: 7, ms: 100 });
    let ask = CreateAsk {
        sale_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
        share_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
        orders: b"orders",
        items: vec![(b"a", 10), (b"b", 3), (b"gone", 1), (b"many", 1 << 40)],
        changes: Changes {
            user_limit: Some(1 << 41),
            item_limit: Some(1 << 41),
            grace_ms: Some(1_000),
            start_at_ms: Some(START_MS),
            waiting_max: Some(40),
            patience_ms: Some(2_000),
            pace: Some(pace),
            events: Some(Events::All),
            ..Changes::default()
        },
        hold_ms_default: 60_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &BOUNDS).expect("a sale");
    let mut sale = Sale::create(&created, HASHER).expect("a sale");
    let before = [
        ("ann", "ann-1", 2),
        ("bob", "bob-1", 1),
        ("cyd", "01ARZ3NDEKTSV4RRFFQ69G5FAW", 1),
        ("dan", "dan-1", 3),
        ("eve", "7c9e6679-7425-40de-944b-e07fc1f90ae7", 1),
        ("fay", "fay-1", 9),
        ("gus", "gus-1", 4),
        (
            "hal",
            "an id that is as long as a name that stands alone",
            1,
        ),
        ("ida", "ida-1", 5),
    ];
    for (user, id, qty) in before {
        join(&mut sale, NOW_MS + 1, &wait(user, id, "a", qty));
    }
    // The last one takes her number.
    leave(&mut sale, NOW_MS + 2, "bob-1");
    // Whoever wants nine can have them no more.
    let less = Restock {
        ask: RestockAsk::Items(vec![(b"a", -4)]),
        new: false,
        reference: None,
    };
    step(&mut sale, |sale| {
        sale.plan_restock(NOW_MS + 3, &less, &BOUNDS)
    });
    step(&mut sale, |sale| {
        let drawn = sale.plan_draw(START_MS, || SEED);
        drawn.ok_or(Answer::Unchanged)
    });
    begin(&mut sale);
    let restart = Changes {
        start_at_ms: Some(NEXT_START_MS),
        ..Changes::default()
    };
    let at_ms = START_MS + 10_000;
    step(&mut sale, |sale| sale.plan_alter(at_ms, &restart));
    for (user, id) in [("mia", "mia-1"), ("nia", "nia-1"), ("oda", "oda-1")] {
        join(&mut sale, at_ms, &wait(user, id, "b", 1));
    }
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}

fn leave(sale: &mut Sale, at_ms: u64, id: &str) {
    let id = HASHER.key(id.as_bytes());
    step(sale, |sale| sale.plan_release(at_ms, id, None, &BOUNDS));
}

/// What happens after START: grants, one who is absent, some who come late or leave.
fn begin(sale: &mut Sale) {
    let of_absent = sale.find_place(HASHER.key(b"gus-1"));
    let go = |sale: &mut Sale, at_ms, mut budget: u32| {
        let is_present = |place| Some(place) != of_absent;
        step(sale, |sale| {
            let granted = sale.plan_grant(at_ms, &mut 0, &mut budget, &BOUNDS, &is_present);
            granted.ok_or(Answer::Unchanged)
        });
    };
    go(sale, START_MS + 1, 100);
    for (user, id, sku, qty) in [
        ("jan", "jan-1", "a", 1),
        ("kit", "kit-1", "a", 1),
        ("liv", "liv-1", "many", 1 << 39),
        ("pia", "pia-1", "many", 1 << 40),
        ("rob", "rob-1", "many", u64::from(u32::MAX)),
        ("sid", "sid-1", "gone", 1),
        ("tim", "tim-1", "gone", 1),
    ] {
        join(sale, START_MS + 3_000, &wait(user, id, sku, qty));
    }
    for id in ["jan-1", "ida-1"] {
        leave(sale, START_MS + 4_000, id);
    }
    let pay = Checkout {
        id: HASHER.key(b"sid-1"),
        user: None,
        reference: None,
        payload: None,
    };
    step(sale, |sale| {
        let sold = sale.plan_checkout(START_MS + 5_000, &pay);
        sold.map(unentered)
    });
    step(sale, |sale| {
        let ended = sale.plan_dissolve(START_MS + 5_001, &mut 9);
        ended.ok_or(Answer::Unchanged)
    });
}
