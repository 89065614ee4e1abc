//! Forged bytes of events and snapshots with units: an error or a sound sale, never a panic.

use super::said::{Op, Step};
use super::world::{BEGIN_MS, World};
use crate::commands::copies::{loaded, saved};
use flashsale_engine::sale::{
    Change, Divergence, EntryId, Event, Forgets, Line, Lines, Order, Refund, Spelling, Told,
    UnitList, decode_event, encode_event,
};

/// Seats 0 to 4, codes 5 to 8; seats 0 and 1 are reserved, 4 is withdrawn, code 5 is sold.
fn seated() -> World {
    let mut world = World::new();
    let row = |sku: &str, names: &[&str], sealed, withdraw: bool| Op::RestockUnits {
        sku: sku.into(),
        names: names.iter().map(|name| (*name).to_string()).collect(),
        sealed,
        new: !withdraw,
        withdraw,
        reference: Some(names.len() as u32),
    };
    let cart = |id, sku: &str, qty, buys| Op::Reserve {
        id,
        user: 1,
        items: vec![(sku.into(), qty)],
        names: vec![],
        replaces: None,
        buys,
    };
    for op in [
        row("stalls", &["A1", "A2", "A3", "A4", "A5"], false, false),
        row("code", &["K1", "K2", "K3", "K4"], true, false),
        cart(1, "stalls", 2, false),
        row("stalls", &["A5"], false, true),
        cart(2, "code", 1, true),
    ] {
        let step = Step {
            later_ms: 1,
            turn: 9,
            op,
        };
        world.step(&step).expect("both agree");
    }
    world
}

const STALLS: u32 = 2;
const CODE: u32 = 3;

fn lines(item: u32, qty: u64) -> Lines {
    [Line { item, qty }].into_iter().collect()
}

fn units(numbers: &[u32]) -> UnitList {
    UnitList::from_slice(numbers)
}

fn order() -> Order<'static> {
    Order {
        reference: None,
        payload: None,
        entry: EntryId { ms: 99, seq: 0 },
        told: Told::default(),
    }
}

#[test]
fn units_that_are_not_free_or_not_of_the_line_are_a_divergence() {
    let world = seated();
    let sale = &world.primary;
    let hasher = sale.hasher();
    let reserved = |item, numbers: &[u32], replaces: Option<&'static [u8]>| Change::Reserved {
        id: hasher.key(b"new"),
        user: hasher.key(b"eve"),
        lines: lines(item, 2),
        units: units(numbers),
        expires_at_ms: BEGIN_MS + 103,
        forgets: Forgets::Nothing,
        replaces: replaces.map(|id| hasher.key(id)),
    };
    let bought = |item, numbers: &[u32], sealed: &[u32]| Change::Bought {
        id: hasher.key(b"new"),
        user: hasher.key(b"eve"),
        lines: lines(item, 2),
        units: units(numbers),
        order: order(),
        sealed: units(sealed),
        forgets: Forgets::Nothing,
    };
    let sold = |sealed: &[u32]| Change::Sold {
        id: hasher.key(b"id-1"),
        order: order(),
        sealed: units(sealed),
    };
    let refunded = |item, qty, numbers: &[u32]| {
        Change::Refunded(Refund {
            id: hasher.key(b"id-2"),
            lines: lines(item, qty),
            units: units(numbers),
            reference: Some(Spelling::of(b"r")),
            restocks: false,
            no_restock: Some(true),
            restores_limit: false,
            entry: EntryId { ms: 99, seq: 0 },
            told: Told::default(),
        })
    };
    let taken = Err(Divergence::UnitTaken);
    let others = Err(Divergence::OtherUnits);
    for (change, expected) in [
        (reserved(STALLS, &[2, 3], None), Ok(())),
        (reserved(STALLS, &[0, 2], None), taken),
        (reserved(STALLS, &[0, 2], Some(b"id-1")), Ok(())),
        (reserved(STALLS, &[2, 4], None), taken),
        (reserved(STALLS, &[2, 2], None), others),
        (reserved(STALLS, &[3, 2], None), others),
        (reserved(STALLS, &[2], None), others),
        (reserved(STALLS, &[2, 3, 6], None), others),
        (reserved(STALLS, &[], None), others),
        (reserved(STALLS, &[6, 7], None), others),
        (reserved(STALLS, &[2, 1_000], None), others),
        (reserved(CODE, &[], None), Ok(())),
        (reserved(CODE, &[6, 7], None), others),
        (reserved(0, &[], None), Ok(())),
        (reserved(0, &[2, 3], None), others),
        (bought(STALLS, &[2, 3], &[]), Ok(())),
        (bought(STALLS, &[1, 3], &[]), taken),
        (bought(CODE, &[], &[6, 7]), Ok(())),
        (bought(CODE, &[], &[5, 6]), taken),
        (bought(CODE, &[], &[]), others),
        (bought(CODE, &[6, 7], &[]), others),
        (sold(&[]), Ok(())),
        (sold(&[6]), others),
        (refunded(CODE, 1, &[5]), Ok(())),
        (refunded(CODE, 1, &[6]), taken),
        (refunded(CODE, 1, &[]), others),
        (refunded(CODE, 1, &[5, 6]), others),
    ] {
        let event = Event {
            at_ms: BEGIN_MS + 50,
            change,
        };
        assert_eq!(sale.check(&event), expected, "{event:?}");
    }
}

#[test]
fn flipped_events_are_errors_or_fit_and_leave_a_sound_sale() {
    let world = seated();
    let hasher = world.primary.hasher();
    let change = Change::Reserved {
        id: hasher.key(b"new"),
        user: hasher.key(b"eve"),
        lines: [
            Line {
                item: STALLS,
                qty: 2,
            },
            Line { item: CODE, qty: 1 },
        ]
        .into_iter()
        .collect(),
        units: units(&[2, 3]),
        expires_at_ms: BEGIN_MS + 200,
        forgets: Forgets::Nothing,
        replaces: None,
    };
    let chunks = saved(&world.primary);
    let mut bytes = Vec::new();
    encode_event(
        &Event {
            at_ms: BEGIN_MS + 50,
            change,
        },
        &mut bytes,
    );
    let mut fits = 0;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut sale = loaded(&chunks).expect("a sale");
        let hasher = sale.hasher();
        let Ok(event) = decode_event(&flipped, hasher) else {
            continue;
        };
        if sale.check(&event).is_ok() {
            sale.apply(&event);
            assert_eq!(sale.audit(), Vec::<String>::new(), "{event:?}");
            fits += 1;
        }
    }
    assert!(fits > 0);
}

#[test]
fn flipped_and_cut_snapshots_are_errors_or_sound_sales() {
    let world = seated();
    let [chunk] = &saved(&world.primary)[..] else {
        panic!("one chunk")
    };
    for len in 0..chunk.len() {
        assert!(loaded(&[chunk[..len].to_vec()]).is_err());
    }
    for bit in 0..chunk.len() * 8 {
        let mut flipped = chunk.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(sale) = loaded(&[flipped]) {
            assert!(sale.audit_whole().is_empty());
        }
    }
}
