//! Events of units with names, and a sale that has some.
//!
//! Edge: as `samples.rs`.

use super::samples::{HASHER, NOW_MS, ULID, line, step, unentered};
use flashsale_engine::sale::*;

const BOUNDS: Bounds = Bounds {
    units_max: 1_000,
    reservations_max: 1_000,
    items_max: 100,
};

fn units(numbers: &[UnitNumber]) -> UnitList {
    UnitList::from_slice(numbers)
}

fn order(told: Told<'static>) -> Order<'static> {
    Order {
        reference: Some(Spelling::of(b"pay-9")),
        payload: None,
        entry: EntryId {
            ms: NOW_MS + 5,
            seq: 3,
        },
        told,
    }
}

fn restocked(
    names: &[&'static [u8]],
    sealed: bool,
    withdraw: bool,
    has_ref: bool,
) -> Change<'static> {
    let len = names.len() as i64;
    Change::Restocked {
        deltas: vec![StockDelta {
            sku: b"stalls"[..].into(),
            delta: if withdraw { -len } else { len },
        }],
        reference: has_ref.then(|| Spelling::of(b"row 7")),
        named: Some(Box::new(NamedRestock {
            names: names.to_vec(),
            sealed,
            withdraw,
            digest: has_ref.then_some(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF),
        })),
    }
}

/// Events with units of each kind that can have some.
pub fn unit_events() -> Vec<(&'static str, Change<'static>)> {
    let (id, user) = (HASHER.key(ULID), HASHER.key(b"alice"));
    let reserved = |numbers: &[UnitNumber], replaces| Change::Reserved {
        id,
        user,
        lines: [line(0, 1), line(2, numbers.len() as u64)]
            .into_iter()
            .collect(),
        units: units(numbers),
        expires_at_ms: NOW_MS + 300_000,
        forgets: Forgets::Nothing,
        replaces,
    };
    let refund = Refund {
        id,
        lines: [line(2, 2)].into_iter().collect(),
        units: units(&[9, 70_000]),
        reference: Some(Spelling::of(b"back")),
        restocks: false,
        no_restock: Some(true),
        restores_limit: false,
        entry: EntryId {
            ms: NOW_MS + 9,
            seq: 0,
        },
        told: Told::default(),
    };
    let bought = Change::Bought {
        id,
        user,
        lines: [line(2, 2), line(3, 1)].into_iter().collect(),
        units: units(&[4, 3]),
        order: order(Told::default()),
        sealed: units(&[80_000]),
        forgets: Forgets::Nothing,
    };
    let sold = Change::Sold {
        id,
        order: order(Told::default()),
        sealed: units(&[80_001, 80_003]),
    };
    let granted = Change::Granted(Granted {
        item: 2,
        places: 3,
        runs: [2, 1].into_iter().collect(),
        units: units(&[5, 6, 11, 12]),
        expires_at_ms: NOW_MS + 500,
        forgotten: 0,
    });
    vec![
        ("reserved-seats", reserved(&[12, 13, 14, 200, 7], None)),
        (
            "reserved-seats-in-place-of-another",
            reserved(&[300_000], Some(HASHER.key(b"old"))),
        ),
        ("bought-a-seat-and-a-code", bought),
        ("sold-codes", sold),
        ("refunded-seats", Change::Refunded(refund)),
        ("granted-seats", granted),
        (
            "restocked-a-row",
            restocked(
                &[b"A-1", b"A-2", ULID, "größe".as_bytes()],
                false,
                false,
                false,
            ),
        ),
        ("restocked-codes", restocked(&[b"KEY-1"], true, false, true)),
        (
            "withdrew-seats",
            restocked(&[b"A-1", b"A-2"], false, true, true),
        ),
        ("withdrew-nothing", restocked(&[], false, true, false)),
    ]
}

/// Is this one of the events with units?
pub fn is_of_units(change: &Change<'_>) -> bool {
    match change {
        Change::Reserved { units, .. } => !units.is_empty(),
        Change::Bought { units, sealed, .. } => !units.is_empty() || !sealed.is_empty(),
        Change::Sold { sealed, .. } => !sealed.is_empty(),
        Change::Refunded(refund) => !refund.units.is_empty(),
        Change::Granted(granted) => !granted.units.is_empty(),
        Change::Restocked { named, .. } => named.is_some(),
        _ => false,
    }
}

/// A sale with an item that was counted when a reservation of it expired, and has codes since.
pub fn sale_with_codes_since() -> Sale {
    let ask = CreateAsk {
        sale_id: 9,
        share_id: 9,
        orders: b"orders",
        items: vec![(b"pit", 1), (b"ga", 5)],
        changes: Changes {
            grace_ms: Some(5_000),
            ..Changes::default()
        },
        hold_ms_default: 60_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &BOUNDS).expect("a sale");
    let mut sale = Sale::create(&created, HASHER).expect("a sale");
    let late = Reserve {
        user: HASHER.key(b"ann"),
        ask: Ask::Items([(&b"pit"[..], 1)].into_iter().collect()),
        units: &[],
        id: HASHER.key(b"late"),
        hold_ms: Some(10),
        replaces: None,
        waits: false,
        pass: Pass::Missing,
    };
    let at_ms = NOW_MS + 10;
    step(&mut sale, |sale| sale.plan_reserve(NOW_MS, &late, &BOUNDS));
    step(&mut sale, |sale| {
        sale.plan_sweep(at_ms, 9).ok_or(Answer::Unchanged)
    });
    let take_away = Restock {
        ask: RestockAsk::Items(vec![(b"pit", -1)]),
        new: false,
        reference: None,
    };
    step(&mut sale, |sale| {
        sale.plan_restock(at_ms, &take_away, &BOUNDS)
    });
    let codes = RestockUnits {
        sku: b"pit",
        names: &[b"K-1", b"K-2"],
        sealed: true,
        new: false,
        withdraw: false,
        reference: None,
    };
    step(&mut sale, |sale| {
        sale.plan_restock_units(at_ms, &codes, &BOUNDS)
    });
    sale
}

/// A row: its SKU, its names, and whether it is sealed.
type SampleRow = (&'static [u8], &'static [&'static [u8]], bool);

/// A sale with rows of seats and codes, counted items beside them, a line, and `EVENTS all`:
/// units are free, reserved, sold, withdrawn, refunded and late.
pub fn seated_sale() -> Sale {
    let ask = CreateAsk {
        sale_id: 9,
        share_id: 9,
        orders: b"orders",
        items: vec![(b"ga", 100), (b"stalls", 0), (b"code", 0)],
        changes: Changes {
            grace_ms: Some(5_000),
            events: Some(Events::All),
            waiting_max: Some(20),
            patience_ms: Some(0),
            ..Changes::default()
        },
        hold_ms_default: 60_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &BOUNDS).expect("a sale");
    let mut sale = Sale::create(&created, HASHER).expect("a sale");
    let rows: [SampleRow; 4] = [
        (
            b"stalls",
            &[b"A-1", b"A-2", b"A-3", b"A-4", b"A-5", b"A-6"],
            false,
        ),
        (
            b"stalls",
            &[b"B-1", b"B-2", b"B-3", b"a seat of more than sixteen bytes"],
            false,
        ),
        (b"code", &[b"K-1", b"K-2", b"K-3", ULID, b"K-5"], true),
        (b"box", &[b"box 1"], false),
    ];
    for (sku, names, sealed) in rows {
        let row = RestockUnits {
            sku,
            names,
            sealed,
            new: true,
            withdraw: false,
            reference: Some(sku).filter(|_| sealed),
        };
        step(&mut sale, |sale| {
            sale.plan_restock_units(NOW_MS, &row, &BOUNDS)
        });
    }
    let cart = |id: &'static [u8],
                qty: &[(&'static [u8], u64)],
                names: &'static [&'static [u8]]| Reserve {
        user: HASHER.key(b"ann"),
        ask: Ask::Items(qty.iter().copied().collect()),
        units: names,
        id: HASHER.key(id),
        hold_ms: None,
        replaces: None,
        waits: false,
        pass: Pass::Missing,
    };
    let pay = |id: &'static [u8]| Checkout {
        id: HASHER.key(id),
        user: None,
        reference: None,
        payload: None,
    };
    let reserve = |sale: &mut Sale, at_ms, ask: &Reserve<'static>| {
        step(sale, |sale| sale.plan_reserve(at_ms, ask, &BOUNDS));
    };
    let short = Reserve {
        hold_ms: Some(10),
        ..cart(b"late", &[(b"stalls", 2)], &[])
    };
    reserve(&mut sale, NOW_MS, &short);
    step(&mut sale, |sale| {
        sale.plan_sweep(NOW_MS + 10, 9).ok_or(Answer::Unchanged)
    });
    let at_ms = NOW_MS + 11;
    reserve(
        &mut sale,
        at_ms,
        &cart(b"open", &[(b"ga", 2), (b"code", 1)], &[b"A-4", b"A-3"]),
    );
    reserve(
        &mut sale,
        at_ms,
        &cart(b"sold", &[(b"code", 2), (b"stalls", 2)], &[b"box 1"]),
    );
    step(&mut sale, |sale| {
        sale.plan_checkout(at_ms, &pay(b"sold")).map(unentered)
    });
    let back = RefundAsk {
        id: HASHER.key(b"sold"),
        user: None,
        ask: None,
        units: &[b"box 1", b"K-2"],
        reference: Some(b"back"),
        no_restock: false,
        restore_limit: false,
    };
    step(&mut sale, |sale| {
        sale.plan_refund(at_ms, &back).map(unentered)
    });
    for (sku, name) in [(&b"stalls"[..], &[&b"B-2"[..]]), (b"code", &[b"K-5"])] {
        let off = RestockUnits {
            sku,
            names: name,
            sealed: false,
            new: false,
            withdraw: true,
            reference: None,
        };
        step(&mut sale, |sale| {
            sale.plan_restock_units(at_ms, &off, &BOUNDS)
        });
    }
    let wait = Reserve {
        user: HASHER.key(b"bob"),
        waits: true,
        ..cart(b"waits", &[(b"stalls", 7)], &[])
    };
    step(&mut sale, |sale| sale.plan_reserve(at_ms, &wait, &BOUNDS));
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}
