//! Items that were counted before their units had names: what is left of that time.

use super::directed::{buy, cart, row, told};
use super::said::{Op, Step};
use super::world::{BEGIN_MS, BOUNDS, World, ask_of};
use crate::commands::copies::{elements, reloaded};
use flashsale_engine::sale::{Answer, Checkout, EntryId, Import, RefundAsk, RestockUnits};

fn later(later_ms: u64, op: Op) -> Step {
    Step {
        later_ms,
        turn: 9,
        op,
    }
}

fn take_away() -> Op {
    Op::Restock {
        sku: "pit".into(),
        delta: -1,
    }
}

#[test]
fn what_expired_before_its_item_had_names_is_expired_for_good() {
    for sealed in [false, true] {
        let mut world = World::new();
        told(&mut world, cart(1, &[("pit", 1)], &[]));
        for step in [later(105, Op::Sweep), later(1, take_away())] {
            world.step(&step).expect("both agree");
        }
        told(&mut world, row("pit", &["P1", "P2"], sealed));
        // One that was made since has its grace.
        told(&mut world, cart(2, &[("pit", 1)], &[]));
        let checkout = |id| Op::Checkout {
            id,
            reference: None,
        };
        assert_eq!(told(&mut world, checkout(1)), "EXPIRED 0");
        for copy in [&world.primary, &world.second] {
            let reloaded = reloaded(copy).expect("a sale");
            let checkout = Checkout {
                id: reloaded.key(b"id-1"),
                user: None,
                reference: None,
                payload: None,
            };
            let refused = reloaded.plan_checkout(world.model.now, &checkout).err();
            let expired = Answer::Expired {
                expires_at_ms: BEGIN_MS + 101,
                grace_left_ms: Some(0),
            };
            assert_eq!(refused, Some(expired));
        }
        let mut other = cart(3, &[("ga", 1)], &[]);
        if let Op::Reserve { replaces, .. } = &mut other {
            *replaces = Some(1);
        }
        assert_eq!(told(&mut world, other), "EXPIRED 0");
        let sweep = later(110, Op::Sweep);
        world.step(&sweep).expect("both agree");
        assert_eq!(told(&mut world, checkout(2)), "SOLD P1");
    }
}

/// A copy of both sales is sound, and the same.
fn assert_loads(world: &World) {
    for copy in [&world.primary, &world.second] {
        let again = reloaded(copy).expect("what was saved is loaded");
        assert!(elements(&again) == elements(copy), "another sale");
        assert!(again.audit_whole().is_empty());
    }
}

#[test]
fn a_refund_of_units_that_were_counted_is_loaded_beside_those_that_had_names() {
    for sealed in [false, true] {
        let mut world = World::new();
        told(&mut world, row("stalls", &["A1", "A2"], false));
        let bought = told(&mut world, buy(1, &[("stalls", 1), ("pit", 1)]));
        assert_eq!(bought, "SOLD A1");
        let refund = Op::Refund {
            id: 1,
            items: vec![],
            names: vec![],
            reference: None,
            no_restock: false,
        };
        assert_eq!(told(&mut world, refund), "REFUNDED");
        told(&mut world, take_away());
        let named = told(&mut world, row("pit", &["P1", "P2"], sealed));
        assert_eq!(named, "RESTOCKED");
        assert_loads(&world);
    }
}

#[test]
fn what_is_late_since_an_item_was_counted_is_loaded_with_the_units_it_had_of_others() {
    for sealed in [false, true] {
        let mut world = World::new();
        told(&mut world, row("stalls", &["A1", "A2"], false));
        for (id, items) in [
            (1, [("stalls", 1), ("pit", 1)]),
            (2, [("pit", 1), ("stalls", 1)]),
        ] {
            told(&mut world, cart(id, &items, &[]));
            world.step(&later(110, Op::Sweep)).expect("both agree");
        }
        told(&mut world, take_away());
        told(&mut world, row("pit", &["P1", "P2"], sealed));
        assert_loads(&world);
        for id in [1, 2] {
            let checkout = Op::Checkout {
                id,
                reference: None,
            };
            assert_eq!(told(&mut world, checkout), "EXPIRED 0");
        }
    }
}

#[test]
fn an_item_that_owes_gets_no_names_though_it_has_no_units() {
    let mut world = World::new();
    let hasher = world.primary.hasher();
    let lost = [("pit".to_owned(), 3)];
    let import = Import {
        user: hasher.key(b"ann"),
        ask: ask_of(&lost),
        units: &[],
        id: hasher.key(b"lost"),
        sold_at_ms: BEGIN_MS,
        reference: None,
        payload: None,
    };
    let back = RefundAsk {
        id: hasher.key(b"lost"),
        user: None,
        ask: None,
        units: &[],
        reference: None,
        no_restock: true,
        restore_limit: false,
    };
    let entry = |ms| EntryId { ms, seq: 0 };
    let sold = world.primary.plan_import(BEGIN_MS, &import, &BOUNDS);
    let sold = sold.expect("an order").entered(entry(1));
    world.commit(&sold).expect("it fits");
    let refunded = world.primary.plan_refund(BEGIN_MS, &back);
    let refunded = refunded.expect("a refund").entered(entry(2));
    world.commit(&refunded).expect("it fits");
    let pit = world.primary.items().nth(1).expect("an item");
    let stock = (pit.available, pit.reserved, pit.sold, pit.owed);
    assert_eq!(stock, (0, 0, 0, 2));
    for sealed in [false, true] {
        let row = RestockUnits {
            sku: b"pit",
            names: &[b"P1", b"P2", b"P3"],
            sealed,
            new: false,
            withdraw: false,
            reference: None,
        };
        let refused = world.primary.plan_restock_units(BEGIN_MS, &row, &BOUNDS);
        assert!(matches!(refused, Err(Answer::Invalid(_))), "{refused:?}");
    }
}
