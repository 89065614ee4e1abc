//! What the directed tests tell their stories with: a small sale, and requests in short.

use super::driver::Fault;
use super::world::{After, World};
use crate::commands::requests::{Ask, Deltas, Named, Op, Setup, Step};

/// A moment to count from.
pub const T: u64 = 1_700_000_000_000;

pub fn sale(items: &[(&str, u64)], options: &[Named]) -> World {
    small_sale(items, options, 4_000_000)
}

/// A sale that knows so many ids at most.
pub fn small_sale(items: &[(&str, u64)], options: &[Named], reservations_max: usize) -> World {
    let setup = setup(items, options, reservations_max);
    World::create(&setup).expect("both agree").expect("a sale")
}

pub fn setup(items: &[(&str, u64)], options: &[Named], reservations_max: usize) -> Setup {
    Setup {
        clock_ms: T,
        orders: "orders".into(),
        items: items.iter().map(|(sku, n)| (sku.to_string(), *n)).collect(),
        options: options.to_vec(),
        hold_ms_default: 100,
        keep_ms_default: 1_000,
        sweep_max: 1_000,
        reservations_max,
        items_max: 10_000,
    }
}

/// Tells a story: at so many milliseconds, this is asked and that is answered.
pub fn tell(world: &mut World, story: &[(u64, Op, &str)]) {
    for (at, (ms, op, expected)) in story.iter().enumerate() {
        let step = Step {
            clock_ms: T + ms,
            op: op.clone(),
        };
        let given: Result<String, Fault> = world.step(&step, After::Reload);
        match given {
            Ok(given) => assert_eq!(
                given.replace(&T.to_string()[..7], ""),
                *expected,
                "line {at}: {op:?}"
            ),
            Err(fault) => panic!("line {at}: {op:?}: {fault}"),
        }
    }
}

pub fn reserve(user: &str, qty: u64, id: &str) -> Op {
    Op::Reserve {
        user: user.into(),
        ask: Ask::Qty(qty),
        id: id.into(),
        hold: None,
        replaces: None,
    }
}

pub fn reserve_for(user: &str, qty: u64, id: &str, hold: u64) -> Op {
    Op::Reserve {
        user: user.into(),
        ask: Ask::Qty(qty),
        id: id.into(),
        hold: Some(hold),
        replaces: None,
    }
}

pub fn cart(user: &str, lines: &[(&str, u64)], id: &str) -> Op {
    Op::Reserve {
        user: user.into(),
        ask: items(lines),
        id: id.into(),
        hold: None,
        replaces: None,
    }
}

pub fn items(lines: &[(&str, u64)]) -> Ask {
    Ask::Items(
        lines
            .iter()
            .map(|(sku, qty)| (sku.to_string(), *qty))
            .collect(),
    )
}

pub fn buy(user: &str, qty: u64, id: &str, reference: Option<&str>) -> Op {
    Op::Buy {
        user: user.into(),
        ask: Ask::Qty(qty),
        id: id.into(),
        reference: reference.map(str::to_string),
    }
}

pub fn checkout(id: &str, reference: Option<&str>) -> Op {
    Op::Checkout {
        id: id.into(),
        user: None,
        reference: reference.map(str::to_string),
    }
}

pub fn release(id: &str, user: Option<&str>) -> Op {
    Op::Release {
        id: id.into(),
        user: user.map(str::to_string),
    }
}

pub fn extend(id: &str, ms: u64) -> Op {
    Op::Extend {
        id: id.into(),
        ms,
        user: None,
    }
}

pub fn refund(id: &str, ask: Option<Ask>, reference: Option<&str>) -> Op {
    Op::Refund {
        id: id.into(),
        ask,
        reference: reference.map(str::to_string),
        user: None,
        no_restock: false,
        restore_limit: false,
    }
}

pub fn restock(delta: i64, reference: Option<&str>) -> Op {
    Op::Restock {
        deltas: Deltas::Bare(delta),
        new: false,
        reference: reference.map(str::to_string),
    }
}

pub fn replace(user: &str, qty: u64, id: &str, old: &str) -> Op {
    Op::Reserve {
        user: user.into(),
        ask: Ask::Qty(qty),
        id: id.into(),
        hold: None,
        replaces: Some(old.into()),
    }
}
