//! Stories of the contract, one each.

use super::said::{Op, Step};
use super::world::{BEGIN_MS, BOUNDS, World, name_of, names_of};
use flashsale_engine::sale::{Answer, Ask, Change, Changes, Import, News, Pass, Reserve, Sale};

pub fn told(world: &mut World, op: Op) -> String {
    let step = Step {
        later_ms: 1,
        turn: 0,
        op,
    };
    let before = world.model.clone();
    world.step(&step).expect("both agree");
    let mut model = before;
    model.now += 1;
    model.answer(&step.op)
}

pub fn row(sku: &str, names: &[&str], sealed: bool) -> Op {
    Op::RestockUnits {
        sku: sku.into(),
        names: names.iter().map(|name| (*name).to_string()).collect(),
        sealed,
        new: true,
        withdraw: false,
        reference: None,
    }
}

fn withdraw(sku: &str, names: &[&str]) -> Op {
    match row(sku, names, false) {
        Op::RestockUnits { sku, names, .. } => Op::RestockUnits {
            sku,
            names,
            sealed: false,
            new: false,
            withdraw: true,
            reference: None,
        },
        other => other,
    }
}

pub fn cart(id: u32, items: &[(&str, u64)], names: &[&str]) -> Op {
    Op::Reserve {
        id,
        user: 1,
        items: items
            .iter()
            .map(|(sku, qty)| ((*sku).to_string(), *qty))
            .collect(),
        names: names.iter().map(|name| (*name).to_string()).collect(),
        replaces: None,
        buys: false,
    }
}

pub fn buy(id: u32, items: &[(&str, u64)]) -> Op {
    let mut buy = cart(id, items, &[]);
    if let Op::Reserve { buys, .. } = &mut buy {
        *buys = true;
    }
    buy
}

const CODES: [&str; 4] = ["K1", "K2", "K3", "K4"];

#[test]
fn the_code_in_the_lost_reply_is_the_code_of_the_retry() {
    let mut world = World::new();
    told(&mut world, row("code", &CODES, true));
    assert_eq!(told(&mut world, buy(1, &[("code", 1)])), "SOLD K1");
    assert_eq!(told(&mut world, buy(2, &[("code", 2)])), "SOLD K2,K3");
    assert_eq!(told(&mut world, buy(1, &[("code", 1)])), "SOLD K1");
    let checkout = Op::Checkout {
        id: 2,
        reference: None,
    };
    assert_eq!(told(&mut world, checkout), "SOLD K2,K3");
}

#[test]
fn a_code_is_named_by_its_checkout_and_one_that_was_seen_never_sells_again() {
    let mut world = World::new();
    told(&mut world, row("code", &CODES, true));
    assert_eq!(told(&mut world, cart(1, &[("code", 2)], &[])), "RESERVED ");
    assert_eq!(told(&mut world, cart(3, &[], &["K1"])), "NOUNIT 0");
    assert_eq!(told(&mut world, Op::Release { id: 1 }), "RELEASED");
    assert_eq!(
        told(&mut world, buy(2, &[("code", 1), ("ga", 1)])),
        "SOLD K1"
    );
    let refund = Op::Refund {
        id: 2,
        items: vec![],
        names: vec![],
        reference: None,
        no_restock: false,
    };
    assert_eq!(told(&mut world, refund), "REFUNDED");
    assert_eq!(told(&mut world, row("code", &["K1"], true)), "KNOWN 0");
    // One that was withdrawn and never sold comes back, and is the oldest again.
    assert_eq!(told(&mut world, withdraw("code", &["K2"])), "RESTOCKED");
    assert_eq!(told(&mut world, buy(3, &[("code", 1)])), "SOLD K3");
    assert_eq!(told(&mut world, row("code", &["K2"], true)), "RESTOCKED");
    assert_eq!(told(&mut world, buy(4, &[("code", 1)])), "SOLD K2");
}

#[test]
fn seats_kept_back_return_as_neighbours_in_their_own_row() {
    let mut world = World::new();
    let seats = ["A1", "A2", "A3", "A4"];
    told(&mut world, row("stalls", &seats, false));
    told(&mut world, withdraw("stalls", &seats));
    told(&mut world, row("stalls", &["B1", "B2"], false));
    assert_eq!(
        told(&mut world, cart(1, &[("stalls", 2)], &[])),
        "RESERVED B1,B2"
    );
    told(&mut world, row("stalls", &["A3", "A2"], false));
    assert_eq!(
        told(&mut world, cart(2, &[("stalls", 2)], &[])),
        "RESERVED A2,A3"
    );
}

#[test]
fn an_expired_reservation_is_sold_only_with_the_very_same_seats() {
    for taken in [false, true] {
        let mut world = World::new();
        told(&mut world, row("stalls", &["A1", "A2", "A3"], false));
        told(&mut world, cart(1, &[("stalls", 1)], &[]));
        let step = Step {
            later_ms: 110,
            turn: 0,
            op: Op::Sweep,
        };
        world.step(&step).expect("both agree");
        let names = if taken { ["A1"] } else { ["A2"] };
        told(&mut world, cart(2, &[], &names));
        let checkout = Op::Checkout {
            id: 1,
            reference: None,
        };
        // A BUY that names another one would be sold what it did not ask for.
        let other = match cart(1, &[], &["A3"]) {
            Op::Reserve {
                id, user, names, ..
            } => Op::Reserve {
                id,
                user,
                items: vec![],
                names,
                replaces: None,
                buys: true,
            },
            other => other,
        };
        assert_eq!(told(&mut world, other), "MISMATCH");
        let expected = if taken { "EXPIRED 37" } else { "SOLD A1" };
        assert_eq!(told(&mut world, checkout), expected);
    }
}

#[test]
fn a_retry_that_names_other_seats_is_another_request_while_these_are_ones_own() {
    let mut world = World::new();
    told(&mut world, row("stalls", &["A1", "A2", "A3"], false));
    told(&mut world, row("code", &CODES, true));
    assert_eq!(told(&mut world, cart(1, &[], &["A1"])), "RESERVED A1");
    assert_eq!(told(&mut world, cart(1, &[], &["A1"])), "RESERVED A1");
    assert_eq!(told(&mut world, cart(1, &[], &["A2"])), "MISMATCH");
    assert_eq!(told(&mut world, cart(1, &[], &["A9"])), "MISMATCH");
    assert_eq!(
        told(&mut world, cart(1, &[("stalls", 1)], &[])),
        "RESERVED A1"
    );
    assert_eq!(told(&mut world, Op::Release { id: 1 }), "RELEASED");
    assert_eq!(told(&mut world, cart(1, &[], &["A2"])), "RELEASED");
    // Or a buyer could try codes out.
    assert_eq!(told(&mut world, buy(2, &[("code", 1)])), "SOLD K1");
    assert_eq!(told(&mut world, cart(2, &[], &["K1"])), "MISMATCH");
}

#[test]
fn a_replacement_keeps_the_first_seats_or_chooses_as_if_they_were_free() {
    let mut world = World::new();
    told(
        &mut world,
        row("stalls", &["A1", "A2", "A3", "A4", "A5"], false),
    );
    told(&mut world, cart(1, &[], &["A2", "A3"]));
    let replace = |id, qty, old| match cart(id, &[("stalls", qty)], &[]) {
        Op::Reserve {
            id, user, items, ..
        } => Op::Reserve {
            id,
            user,
            items,
            names: vec![],
            replaces: Some(old),
            buys: false,
        },
        other => other,
    };
    assert_eq!(told(&mut world, replace(2, 1, 1)), "RESERVED A2");
    assert_eq!(told(&mut world, replace(3, 3, 2)), "RESERVED A1,A2,A3");
}

/// Entries that wait: the word, and the names.
fn entries(sale: &Sale) -> Vec<(String, String)> {
    let records = sale.outbox().expect("an outbox").read();
    let shown = records.filter_map(|record| {
        let record = record.expect("a record");
        let News::Reservation { units, .. } = &record.news else {
            return None;
        };
        let names: Vec<String> = units.iter().map(|&unit| name_of(sale, unit)).collect();
        Some((record.news.word().to_string(), names.join(",")))
    });
    shown.collect()
}

#[test]
fn entries_name_units_that_come_and_go_and_never_codes() {
    let mut world = World::new();
    told(&mut world, row("stalls", &["A1", "A2", "A3"], false));
    told(&mut world, row("code", &CODES, true));
    told(&mut world, cart(1, &[("code", 1), ("stalls", 2)], &[]));
    told(&mut world, Op::Release { id: 1 });
    told(&mut world, cart(2, &[("stalls", 1)], &[]));
    let later = Step {
        later_ms: 110,
        turn: 0,
        op: Op::Sweep,
    };
    world.step(&later).expect("both agree");
    told(&mut world, Op::Release { id: 2 });
    let expected = [
        ("reserved", "A1,A2"),
        ("released", "A1,A2"),
        ("reserved", "A1"),
        ("expired", "A1"),
        ("released", ""),
    ];
    let expected = expected.map(|(word, names)| (word.to_string(), names.to_string()));
    assert_eq!(entries(&world.primary), expected);
    assert_eq!(entries(&world.second), expected);
}

#[test]
fn whoever_waits_in_line_gets_units_that_are_chosen_at_the_grant() {
    let mut world = World::new();
    told(
        &mut world,
        row("stalls", &["A1", "A2", "A3", "A4", "A5"], false),
    );
    told(&mut world, cart(1, &[("stalls", 5)], &[]));
    let mut now = BEGIN_MS + 10;
    let changes = Changes {
        waiting_max: Some(10),
        patience_ms: Some(0),
        ..Changes::default()
    };
    let event = world.primary.plan_alter(now, &changes).expect("a change");
    world.commit(&event).expect("it fits");
    let hasher = world.primary.hasher();
    for (id, qty) in [("w1", 2), ("w2", 2)] {
        let ask = Reserve {
            user: hasher.key(id.as_bytes()),
            ask: Ask::Items([(&b"stalls"[..], qty)].into_iter().collect()),
            units: &[],
            id: hasher.key(id.as_bytes()),
            hold_ms: None,
            replaces: None,
            waits: true,
            pass: Pass::Vouched,
        };
        let named = Reserve {
            units: &[b"A1"],
            ..ask.clone()
        };
        let refused = world.primary.plan_reserve(now, &named, &BOUNDS);
        assert!(matches!(refused, Err(Answer::Invalid(_))));
        let event = world
            .primary
            .plan_reserve(now, &ask, &BOUNDS)
            .expect("a place");
        assert!(matches!(event.change, Change::Joined { .. }));
        world.commit(&event).expect("it fits");
    }
    // A line of the SKU goes first, also for a named unit that is free.
    now += 200;
    while let Some(event) = world.primary.plan_sweep(now, 100) {
        world.commit(&event).expect("it fits");
    }
    let by_name = Reserve {
        user: hasher.key(b"eve"),
        ask: Ask::Items([].into_iter().collect()),
        units: &[b"A3"],
        id: hasher.key(b"by name"),
        hold_ms: None,
        replaces: None,
        waits: false,
        pass: Pass::Vouched,
    };
    let answer = world.primary.plan_reserve(now, &by_name, &BOUNDS);
    assert!(
        matches!(answer, Err(Answer::AllReserved { .. })),
        "{answer:?}"
    );
    let (mut from, mut budget) = (0, 100);
    while let Some(event) = world
        .primary
        .plan_grant(now, &mut from, &mut budget, &BOUNDS, &|_| true)
    {
        world.commit(&event).expect("it fits");
    }
    for sale in [&world.primary, &world.second] {
        let names = ["w1", "w2"].map(|id| {
            let slot = sale.find(sale.key(id.as_bytes())).expect("a reservation");
            names_of(sale, slot)
        });
        assert_eq!(names, ["A1,A2", "A3,A4"]);
        assert_eq!(sale.audit(), Vec::<String>::new());
    }
}

#[test]
fn what_was_sold_elsewhere_takes_exactly_its_units_or_says_which_is_not_free() {
    let mut world = World::new();
    told(&mut world, row("stalls", &["A1", "A2", "A3"], false));
    told(&mut world, row("code", &CODES, true));
    told(&mut world, cart(1, &[], &["A2"]));
    told(&mut world, buy(2, &[("code", 1)]));
    let now = BEGIN_MS + 10;
    let hasher = world.primary.hasher();
    let take = |ga: u64, names: &[&[u8]]| {
        let import = Import {
            user: hasher.key(b"ann"),
            ask: Ask::Items([(&b"ga"[..], ga)].into_iter().collect()),
            units: names,
            id: hasher.key(b"elsewhere"),
            sold_at_ms: now - 5,
            reference: None,
            payload: None,
        };
        let pending = world.primary.plan_import(now, &import, &BOUNDS)?;
        match pending.change() {
            Change::Imported(imported) => Ok((
                imported.lines.clone(),
                imported.units.clone(),
                imported.sealed.clone(),
            )),
            other => panic!("{other:?}"),
        }
    };
    let (lines, units, sealed) = take(2, &[b"K3", b"A3", b"A1", b"K2"]).expect("free units");
    let lines = lines.iter().map(|line| (line.item, line.qty));
    assert_eq!(lines.collect::<Vec<_>>(), [(0, 2), (3, 2), (2, 2)]);
    assert_eq!((&units[..], &sealed[..]), (&[0, 2][..], &[4, 5][..]));
    let reserved = Answer::NotFree {
        retry_in_ms: Some(93),
        unit: 1,
    };
    assert_eq!(take(1, &[b"A1", b"A2"]).err(), Some(reserved));
    let sold = Answer::NotFree {
        retry_in_ms: None,
        unit: 3,
    };
    assert_eq!(take(1, &[b"A2", b"K1"]).err(), Some(sold));
    assert_eq!(
        take(1, &[b"A1", b"?"]).err(),
        Some(Answer::NoUnit { ask: 1 })
    );
}

#[test]
fn a_sale_of_80_000_seats_takes_45_bytes_a_seat() {
    let mut world = World::new();
    let before = world.primary.memory_bytes();
    for n in 0..1_000 {
        let names: Vec<String> = (0..80).map(|seat| format!("R{n}-{seat}")).collect();
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let ask = flashsale_engine::sale::RestockUnits {
            sku: b"stalls",
            names: &names,
            sealed: false,
            new: true,
            withdraw: false,
            reference: None,
        };
        let event = world.primary.plan_restock_units(BEGIN_MS, &ask, &BOUNDS);
        let event = event.expect("a row");
        world.primary.apply(&event);
    }
    // What waits in the outbox is written and gone soon.
    let event = world.primary.plan_drop(BEGIN_MS, 1).expect("entries");
    world.primary.apply(&event);
    let bytes = world.primary.memory_bytes() - before;
    assert!(bytes <= 45 * 80_000, "{bytes}");
    assert!(world.primary.free_effort() >= 80_000);
}
