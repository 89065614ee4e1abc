//! What lines are as bytes, and bad ones.

use super::*;
use flashsale_fuzz::corpus::elements;
use flashsale_fuzz::mutate::spelled;
use flashsale_fuzz::samples_line::{wait, waiting_sale};

const BOUNDS: Bounds = Bounds {
    reservations_max: 1_000,
    items_max: 100,
};

/// Tags of elements.
const HEADER: u8 = 1;
const OPEN: u8 = 3;
const LINE: u8 = 12;
const PLACE: u8 = 13;

/// A line as an element of a snapshot.
#[derive(Clone)]
struct LineElement {
    item: u64,
    next: u64,
    head: u64,
    people: u64,
    /// How many were drawn, once they were.
    drawn: Option<u64>,
}

/// The line of `a` in [`waiting_sale`], as it is.
const OF_A: LineElement = LineElement {
    item: 0,
    next: 10,
    head: 5,
    people: 3,
    drawn: Some(8),
};
/// The line that was not drawn yet.
const OF_B: LineElement = LineElement {
    item: 1,
    next: 3,
    head: 0,
    people: 3,
    drawn: None,
};

impl LineElement {
    fn bytes(&self) -> Vec<u8> {
        let numbers = [self.item, self.next, self.head, self.people];
        let mut bytes = vec![LINE];
        bytes.extend(numbers.into_iter().flat_map(spelled));
        match self.drawn {
            None => bytes.push(0),
            Some(drawn) => {
                bytes.push(1);
                bytes.extend(spelled(drawn));
                bytes.extend([9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
            }
        }
        bytes
    }
}

fn place(number: u64, id: &str, user: &str, qty: u64) -> Vec<u8> {
    let name = |name: &str| [&[name.len() as u8], name.as_bytes()].concat();
    [
        &[PLACE][..],
        &spelled(number),
        &name(id),
        &name(user),
        &spelled(qty),
    ]
    .concat()
}

/// The sale whose elements these are, if there is one.
fn with(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Result<Sale, CodecError> {
    let mut pieces = elements(&waiting_sale());
    change(&mut pieces);
    loaded(&[pieces.concat()])
}

#[track_caller]
fn assert_refused(what: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    assert!(with(change).is_err(), "taken: {what}");
}

/// Another line in the place of one that is there, with the people who are in it.
fn exchange(pieces: &mut [Vec<u8>], old: &LineElement, new: &LineElement) {
    let at = pieces.iter().position(|piece| *piece == old.bytes());
    pieces[at.expect("the line")] = new.bytes();
}

/// Where the places of the nth line begin.
fn places_of(pieces: &[Vec<u8>], line: usize) -> usize {
    let lines = pieces.iter().enumerate();
    let mut lines = lines.filter(|(_, piece)| piece[0] == LINE);
    lines.nth(line).expect("a line").0 + 1
}

fn assert_lives(sale: Sale, what: &str) {
    assert_eq!(sale.audit(), Vec::<String>::new(), "{what}");
    let copy = loaded(&saved(&sale)).expect(what);
    assert_eq!(digested(&copy), digested(&sale), "{what}");
    settle_all(copy, what);
    live_out(sale, what);
}

/// A copy as another server would load it.
fn copy_of(sale: &Sale) -> Sale {
    loaded(&saved(sale)).expect("what was saved")
}

/// Lets all lines be drawn, granted and ended, until nothing is left to do.
fn settle_all(mut sale: Sale, what: &str) {
    let mut now_ms = NOW_MS + 200_000;
    for round in 0..200 {
        now_ms += 1_000;
        let budget = &mut 1_000;
        let planned = [
            sale.plan_draw(now_ms, || [7; 16]),
            sale.plan_sweep_within(now_ms, budget),
            sale.plan_dissolve(now_ms, budget),
            sale.plan_grant(now_ms, &mut 0, budget, &BOUNDS, &|_| round % 3 > 0),
        ];
        // One at a time: the next is planned of what it leaves.
        let Some(event) = planned.into_iter().flatten().next() else {
            continue;
        };
        sale.check(&event).expect(what);
        sale.apply(&event);
        assert_eq!(sale.audit(), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn the_bytes_of_lines_are_those_of_the_golden_file() {
    let sale = waiting_sale();
    let chunks = saved(&sale);
    assert_golden("snapshot_line.txt", &format!("{}\n", hex(&chunks[0])));
    let again = loaded(&chunks).unwrap();
    assert_eq!(digested(&again), digested(&sale));
    assert_eq!(again.lines_due_ms(), sale.lines_due_ms());
    assert_eq!(again.last_draw(), sale.last_draw());
    assert_eq!(again.line_counts(), sale.line_counts());
    assert_lives(again, "as it was");
}

#[test]
fn flipped_and_cut_lines_are_errors_or_consistent_sales() {
    damage(&waiting_sale(), 0, assert_lives);
}

#[test]
fn flipped_events_leave_lines_that_are_consistent() {
    let sale = waiting_sale();
    let of_place = |places, runs: &[u32]| {
        Change::Granted(Granted {
            item: 0,
            places,
            runs: runs.iter().copied().collect(),
            expires_at_ms: NOW_MS + 600_000,
            forgotten: 0,
        })
    };
    let id = HASHER.key(b"kit-1");
    let changes = [
        of_place(4, &[0, 2]),
        of_place(2, &[0, 1]),
        Change::Left {
            id,
            remembers: Some(Forgets::OldestPastGrace),
        },
        Change::Left {
            id: HASHER.key(b"mia-1"),
            remembers: None,
        },
        Change::Drawn { seed: [1; 16] },
        Change::Dissolved {
            items: vec![0, 1, 3],
        },
        Change::Joined {
            id: HASHER.key(b"new"),
            user: HASHER.key(b"new"),
            item: 3,
            qty: 1 << 33,
        },
        // What ended has given somebody room.
        Change::Released {
            id: HASHER.key(b"liv-1"),
        },
    ];
    for change in changes {
        let bytes = encoded(&change);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(event) = decode_event(&flipped, HASHER) else {
                continue;
            };
            let mut copy = copy_of(&sale);
            if copy.check(&event).is_ok() {
                copy.apply(&event);
                assert_lives(copy, &format!("bit {bit} of {change:?}: {event:?}"));
            }
        }
    }
}

#[test]
fn lines_that_no_sale_has_are_an_error() {
    let of = |change: &dyn Fn(&mut LineElement)| {
        let mut line = OF_A.clone();
        change(&mut line);
        move |pieces: &mut Vec<Vec<u8>>| exchange(pieces, &OF_A, &line)
    };
    assert!(
        with(of(&|_| ())).is_ok(),
        "what the forgeries are made from"
    );
    assert_refused("one before its head", of(&|line| line.head = 6));
    assert_refused("a head behind all", of(&|line| line.head = 10));
    assert_refused("a head beyond all", of(&|line| line.head = 11));
    assert_refused("more drawn than joined", of(&|line| line.drawn = Some(11)));
    assert_refused("no draw, with holes", of(&|line| line.drawn = None));
    assert_refused("more people than came", of(&|line| line.people = 4));
    assert_refused("fewer people than came", of(&|line| line.people = 2));
    assert_refused("more people than numbers", of(&|line| line.people = 6));
    assert_refused("nobody", of(&|line| line.people = 0));
    assert_refused("no number given", of(&|line| line.next = 0));
    assert_refused("a number that was not given", of(&|line| line.next = 9));
    assert_refused("no such item", of(&|line| line.item = 4));
    assert_refused("an item of another line", of(&|line| line.item = 1));
    for next in [(1 << 38) + 1, INTEGER_MAX, INTEGER_MAX + 1, u64::MAX] {
        assert_refused("more numbers than there are", of(&|line| line.next = next));
    }
    let of_b = |change: &dyn Fn(&mut LineElement)| {
        let mut line = OF_B.clone();
        change(&mut line);
        move |pieces: &mut Vec<Vec<u8>>| exchange(pieces, &OF_B, &line)
    };
    assert!(with(of_b(&|_| ())).is_ok());
    assert_refused("settled before the draw", of_b(&|line| line.head = 1));
    assert_refused("holes before the draw", of_b(&|line| line.next = 4));
    assert_refused("a line twice", |pieces| {
        let at = places_of(pieces, 0) - 1;
        let line: Vec<_> = pieces[at..at + 4].to_vec();
        pieces.splice(at..at, line);
    });
    assert_refused("an option", |pieces| {
        let at = places_of(pieces, 0) - 1;
        pieces[at][0] |= 128;
        pieces[at].extend([1, 1, 0]);
    });
}

#[test]
fn places_that_no_line_has_are_an_error() {
    // In the place of the first of the line of `a`: numbers 4, 7 and 9.
    let first = |element: Vec<u8>| {
        move |pieces: &mut Vec<Vec<u8>>| {
            let at = places_of(pieces, 0);
            pieces[at] = element;
        }
    };
    let sale = with(first(place(4, "new-1", "new", 1))).expect("what the forgeries are made from");
    assert_lives(sale, "another place");
    for (what, element) in [
        ("an id of another line", place(4, "oda-1", "new", 1)),
        ("an id of the same line", place(4, "kit-1", "new", 1)),
        ("an id that is reserved", place(4, "liv-1", "new", 1)),
        ("an id that was released", place(4, "jan-1", "new", 1)),
        ("an id that was sold", place(4, "sid-1", "new", 1)),
        ("a user of another line", place(4, "new-1", "oda", 1)),
        ("a user of the same line", place(4, "new-1", "kit", 1)),
        ("a number twice", place(7, "new-1", "new", 1)),
        ("numbers in another order", place(8, "new-1", "new", 1)),
        ("a number not given", place(10, "new-1", "new", 1)),
        ("a number of nobody's", place(u64::MAX, "new-1", "new", 1)),
        ("one who was settled", place(0, "new-1", "new", 1)),
        ("no units", place(4, "new-1", "new", 0)),
        (
            "units of no sale",
            place(4, "new-1", "new", INTEGER_MAX + 1),
        ),
        ("no name", place(4, "", "new", 1)),
    ] {
        assert_refused(what, first(element));
    }
    assert_refused("a place without a line", |pieces| {
        let at = places_of(pieces, 0);
        pieces.swap(at - 1, at);
    });
    assert_refused("a place too many", |pieces| {
        let at = places_of(pieces, 0);
        pieces.insert(at + 3, place(9, "new-1", "new", 1));
    });
    assert_refused("a place too few", |pieces| {
        drop(pieces.remove(places_of(pieces, 0)));
    });
    assert_refused("an id that is reserved afterwards", |pieces| {
        let at = places_of(pieces, 0);
        pieces[at] = place(4, "liv-1", "new", 1);
        let open = pieces
            .iter()
            .position(|piece| piece[0] == OPEN && piece.windows(5).any(|five| five == b"liv-1"));
        let open = pieces.remove(open.expect("the reservation"));
        let last = pieces.len() - 1;
        pieces.insert(last, open);
    });
    assert_refused("a line of a sale that has none", |pieces| {
        let header = elements(&busy_sale()).remove(0);
        assert_eq!(header[0] & 127, HEADER);
        pieces[0] = header;
    });
}

/// Whoever asks for more than there is, or can ever be, is no damage: a restock may have
/// taken it, and they are passed over.
#[test]
fn units_beyond_the_stock_are_waited_for_until_the_turn_comes() {
    for qty in [7, 1 << 32, INTEGER_MAX] {
        let sale = with(|pieces| {
            for at in 0..3 {
                let at = places_of(pieces, 0) + at;
                let number = pieces[at][1].into();
                let name = format!("new-{number}");
                pieces[at] = place(number, &name, &name, qty);
            }
        });
        assert_lives(sale.expect("a sale"), &format!("{qty} units"));
    }
}

#[test]
fn a_past_that_no_sale_had_is_an_error() {
    // Three were granted units and two passed over, and a draw was made then.
    let past = [&[3, 2, 1][..], &spelled(NOW_MS + 1_000)].concat();
    let with_byte = |at: usize, byte: u8| {
        let past = past.clone();
        move |pieces: &mut Vec<Vec<u8>>| {
            let found = pieces[0].windows(past.len()).position(|part| part == past);
            pieces[0][found.expect("the past") + at] = byte;
        }
    };
    // Behind the seed comes a list of one line: its item, and how many were drawn.
    let item = past.len() + 16 + 1;
    assert!(with(with_byte(item, 3)).is_ok(), "a draw of another item");
    assert_refused("a draw of no item", with_byte(item, 4));
    assert_refused("a draw of nobody", with_byte(item + 1, 0));
    assert_refused("a draw of less than it says", with_byte(item - 1, 2));
    let twice = |items: [u8; 2]| {
        let past = past.clone();
        move |pieces: &mut Vec<Vec<u8>>| {
            let found = pieces[0].windows(past.len()).position(|part| part == past);
            let list = found.expect("the past") + item - 1;
            pieces[0].splice(list.., [2, items[0], 8, items[1], 8]);
            // Behind its length stand the options and the moment of PACE.
            let length = found.expect("the past") - 19;
            assert_eq!(pieces[0][length], 49);
            pieces[0][length] += 2;
        }
    };
    assert!(with(twice([0, 1])).is_ok(), "a draw of two items");
    assert_refused("a draw of an item twice", twice([1, 1]));
    assert_refused("a draw in another order", twice([1, 0]));
}

/// What is not asked for is not written: an event has one spelling.
#[test]
fn options_of_lines_that_say_nothing_are_an_error() {
    let plain = encoded(&Change::Altered(Box::new(Options::new(1, 3_600_000))));
    let with = |options: &[u8]| {
        let mut bytes = plain.clone();
        bytes[1] |= 128;
        bytes.extend([1, 2, options.len() as u8]);
        bytes.extend(options);
        decode_event(&bytes, HASHER).map(|_| ())
    };
    // WAITING, PATIENCE and PACE.
    let default_patience = spelled(60_000);
    let of = |waiting: u64| [&spelled(waiting)[..], &default_patience, &[0]].concat();
    assert!(with(&of(1)).is_ok());
    assert!(with(&of(0)).is_err());
    assert!(with(&of(100_000_001)).is_err());
}

#[test]
fn a_line_whose_numbers_are_used_up_takes_nobody() {
    let last = (1 << 38) - 1;
    let line = LineElement {
        next: last,
        head: 9,
        people: 1,
        ..OF_A.clone()
    };
    let mut sale = with(|pieces| {
        exchange(pieces, &OF_A, &line);
        let at = places_of(pieces, 0);
        pieces.drain(at..at + 2);
    })
    .expect("a line of high numbers");
    let at_ms = NOW_MS + 50_000;
    let ask = wait("zoe", "zoe-1", "a", 1);
    let event = sale.plan_reserve(at_ms, &ask, &BOUNDS).expect("a place");
    sale.check(&event).unwrap();
    sale.apply(&event);
    let ask = wait("yan", "yan-1", "a", 1);
    let refused = sale.plan_reserve(at_ms, &ask, &BOUNDS);
    assert!(
        matches!(refused, Err(Answer::LineFull { .. })),
        "{refused:?}"
    );
    let joined = Change::Joined {
        id: HASHER.key(b"yan-1"),
        user: HASHER.key(b"yan"),
        item: 0,
        qty: 1,
    };
    let change = joined;
    let fits = sale.check(&Event { at_ms, change });
    assert_eq!(fits, Err(Divergence::WrongState));
    // Everybody is found, whatever the number.
    let (mut found, mut cursor) = (Vec::new(), Some(PlaceCursor::START));
    while let Some(from) = cursor {
        cursor = sale.scan_places(from, 1, &mut |place| found.push(place.number));
    }
    assert!(found.contains(&last) && found.contains(&9), "{found:?}");
    let sale = copy_of(&sale);
    let place = sale.place_of_user(b"zoe").expect("a place");
    assert_eq!(sale.ahead_of(place), Some(last - 9));
    assert_eq!(sale.audit(), Vec::<String>::new());
}

#[test]
fn a_grant_counts_the_people_it_meets() {
    let sale = waiting_sale();
    let at_ms = NOW_MS + 200_000;
    let fits = |places, runs: &[u32], expires_at_ms| {
        sale.check(&Event {
            at_ms,
            change: Change::Granted(Granted {
                item: 0,
                places,
                runs: runs.iter().copied().collect(),
                expires_at_ms,
                forgotten: 0,
            }),
        })
    };
    // At places 5 to 9 stand one, nobody, one, nobody, and one.
    let later = at_ms + 1;
    for (places, people) in [1, 1, 2, 2, 3].into_iter().enumerate() {
        let places = places as u64 + 1;
        assert_eq!(fits(places, &[0, people], later), Ok(()));
        let other = Err(Divergence::TooFewPlaces);
        assert_eq!(fits(places, &[0, people + 1], later), other);
        assert_eq!(fits(places, &[0, people - 1], later), other);
    }
    let none = Err(Divergence::WrongState);
    assert_eq!(fits(6, &[0, 3], later), none);
    assert_eq!(fits(1, &[0, 1], at_ms - 1), none);
    assert_eq!(fits(1, &[1], later), Err(Divergence::TooFewUnits));
    let in_1970 = Event {
        at_ms: 0,
        change: Change::Granted(Granted {
            item: 0,
            places: 1,
            runs: [0, 1].into_iter().collect(),
            expires_at_ms: 0,
            forgotten: 0,
        }),
    };
    assert_eq!(sale.check(&in_1970), Err(Divergence::DeadlineBack));
    let of_b = Change::Granted(Granted {
        item: 1,
        places: 1,
        runs: [1].into_iter().collect(),
        expires_at_ms: later,
        forgotten: 0,
    });
    let before_the_draw = sale.check(&Event {
        at_ms,
        change: of_b,
    });
    assert_eq!(before_the_draw, none);
}

/// A sale in which so many waited for what is sold out, and what is left of them when the
/// line ended.
fn ended_line(people: u64) -> Sale {
    let ask = CreateAsk {
        sale_id: 1,
        share_id: 1,
        orders: b"orders",
        items: vec![(b"a", 1)],
        changes: Changes {
            waiting_max: Some(10_000),
            ..Changes::default()
        },
        hold_ms_default: 60_000,
        keep_ms_default: 3_600_000,
    };
    let event = Sale::plan_create(NOW_MS, &ask, &BOUNDS).unwrap();
    let mut sale = Sale::create(&event, HASHER).unwrap();
    let mut run = |event: Event<'_>| {
        sale.check(&event).unwrap();
        sale.apply(&event);
    };
    let of = |change| Event {
        at_ms: NOW_MS,
        change,
    };
    let names: Vec<String> = (0..people).map(|n| n.to_string()).collect();
    run(of(Change::Reserved {
        id: HASHER.key(b"one"),
        user: HASHER.key(b"one"),
        lines: Lines::from_slice(&[line(0, 1)]),
        expires_at_ms: NOW_MS + 60_000,
        forgets: Forgets::Nothing,
        replaces: None,
    }));
    for name in &names {
        let key = HASHER.key(name.as_bytes());
        run(of(Change::Joined {
            id: key,
            user: key,
            item: 0,
            qty: 1,
        }));
    }
    run(of(Change::Dissolved { items: vec![0] }));
    sale
}

#[test]
fn whoever_waited_in_a_line_that_ended_is_in_no_snapshot_and_no_digest() {
    let sale = ended_line(1_000);
    assert!(sale.has_dead());
    let copy = copy_of(&sale);
    assert!(!copy.has_dead());
    assert_eq!(digested(&copy), digested(&sale));
    // A copy that has freed everything is no other sale, nor one where fewer waited.
    let mut freed = ended_line(1_000);
    while freed.free_dead(64) > 0 {}
    assert_eq!(digested(&freed), digested(&sale));
    assert_eq!(digested(&ended_line(3)), digested(&sale));
    assert_eq!(sale.audit(), Vec::<String>::new());
    for n in [0, 63, 64, 999] {
        let name = format!("{n}");
        assert_eq!(sale.find_place(HASHER.key(name.as_bytes())), None);
    }
}
