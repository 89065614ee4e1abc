//! Events between sales, and a sale that has been through all of them.
//!
//! Edge: as `samples.rs`.

use super::samples::{HASHER, NOW_MS, ULID, line, options, set_entry, step, told, unentered};
use flashsale_engine::sale::*;

/// The share ids of two other sales.
pub const PEER: u128 = 0x1111_2222_3333_4444_5555_6666_7777_8888;
pub const OTHER_PEER: u128 = 0x9999_0000_9999_0000_9999_0000_9999_0000;
/// That of the sale here.
pub const SHARE_ID: u128 = 0x0123_4567_89AB_CDEF_0011_2233_4455_6699;
const SALE_ID: u128 = 0x0123_4567_89AB_CDEF_0011_2233_4455_6677;

fn of_group(options: Options) -> Options {
    Options {
        group: Some("größe".into()),
        ..options
    }
}

fn imported(forgets: Forgets, order: Order<'static>) -> Change<'static> {
    Change::Imported(Box::new(Imported {
        id: HASHER.key(ULID),
        user: HASHER.key(b"alice"),
        lines: Lines::from_slice(&[line(1, 2), line(0, 300)]),
        sold_at_ms: NOW_MS - 86_400_000,
        order,
        forgets,
    }))
}

/// Events of share ids, GROUP, orders from elsewhere, and units that move.
pub fn share_events() -> Vec<(&'static str, Change<'static>)> {
    let created = |share_id, options| {
        Change::Created(Box::new(Created {
            sale_id: SALE_ID,
            share_id,
            orders: b"orders",
            options,
            items: vec![(b"a", 1)],
        }))
    };
    let with_events = Options {
        events: Events::All,
        ..options()
    };
    let entry = |seq| EntryId { ms: NOW_MS, seq };
    let order = Order {
        reference: None,
        payload: None,
        entry: entry(1),
        told: Told::default(),
    };
    let paid = Order {
        reference: Some(Spelling::of(b"charge-7")),
        payload: Some(b"{\"gift\":true}"),
        ..order
    };
    let behind = Order {
        told: told(&[entry(0)]),
        ..order
    };
    let gives = |given| Change::Given(Box::new(given));
    let takes = |taken| Change::Taken(Box::new(taken));
    let given = Given {
        item: 0,
        to: PEER,
        total: 300,
        units: 7,
        owes: 0,
    };
    let taken = Taken {
        sku: b"red"[..].into(),
        from: PEER,
        total: INTEGER_MAX,
        units: INTEGER_MAX,
    };
    let nothing = Taken {
        sku: "größe".as_bytes().into(),
        total: 0,
        units: 0,
        ..taken.clone()
    };
    vec![
        ("created-with-a-share-id", created(SHARE_ID, options())),
        ("created-in-a-group", created(SALE_ID, of_group(options()))),
        (
            "created-with-all-of-it",
            created(SHARE_ID, of_group(with_events)),
        ),
        (
            "altered-in-a-group",
            Change::Altered(Box::new(of_group(Options::new(1, 3_600_000)))),
        ),
        ("imported", imported(Forgets::Nothing, order)),
        (
            "imported-with-payload",
            imported(Forgets::OldestPastGrace, paid),
        ),
        (
            "imported-behind-another",
            imported(Forgets::Nothing, behind),
        ),
        ("given", gives(given)),
        (
            "given-and-owed",
            gives(Given {
                item: 70_000,
                total: INTEGER_MAX,
                units: 300,
                owes: 299,
                ..given
            }),
        ),
        ("given-once-more", gives(Given { units: 0, ..given })),
        ("taken", takes(taken)),
        ("taken-nothing-of-a-new-item", takes(nothing)),
    ]
}

/// A part of a split sale that gave, took, and owes.
pub fn part_sale() -> Sale {
    let bounds = Bounds {
        reservations_max: 1_000,
        items_max: 100,
    };
    let ask = CreateAsk {
        sale_id: SALE_ID,
        share_id: SHARE_ID,
        orders: b"orders",
        items: vec![(b"a", 10), (b"b", 5)],
        changes: Changes {
            user_limit: Some(2),
            group: Some(Some("größe".into())),
            ..Changes::default()
        },
        hold_ms_default: 60_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &bounds).unwrap();
    let mut sale = Sale::create(&created, HASHER).unwrap();
    let mut seq = 0;
    let mut order = |sale: &mut Sale, pending: &dyn Fn(&Sale) -> OrderPlan<'static>| {
        seq += 1;
        step(sale, |sale| {
            let mut event = unentered(pending(sale)?);
            set_entry(&mut event, EntryId { ms: NOW_MS, seq });
            Ok(event)
        });
    };
    let import = |id: &'static [u8], sku: &'static str, qty| Import {
        user: HASHER.key(b"ann"),
        ask: Ask::Items([(sku.as_bytes(), qty)].into_iter().collect()),
        id: HASHER.key(id),
        sold_at_ms: NOW_MS - 7,
        reference: Some(b"charge"),
        payload: None,
    };
    order(&mut sale, &|sale| {
        sale.plan_import(NOW_MS, &import(b"lost", "a", 7), &bounds)
    });
    order(&mut sale, &|sale| {
        sale.plan_import(NOW_MS, &import(b"beyond", "b", 9), &bounds)
    });
    let give = |to, total, sku: &'static str, owes| Give {
        from: SHARE_ID,
        to,
        total,
        sku: Some(sku.as_bytes()),
        most: false,
        owes,
        confirms: false,
    };
    step(&mut sale, |sale| {
        sale.plan_give(NOW_MS + 1, &give(PEER, 2, "a", false))
    });
    step(&mut sale, |sale| {
        sale.plan_give(NOW_MS + 1, &give(OTHER_PEER, 3, "b", true))
    });
    let take = |from, total, sku: &'static str| Take {
        from,
        to: SHARE_ID,
        total,
        sku: Some(sku.as_bytes()),
    };
    for take in [
        take(PEER, 4, "a"),
        take(PEER, 2, "b"),
        take(OTHER_PEER, 0, "new"),
    ] {
        step(&mut sale, |sale| sale.plan_take(NOW_MS + 2, &take, &bounds));
    }
    // After END, what nobody asked to keep off sale pays.
    let ended = Changes {
        end_at_ms: Some(NOW_MS + 3),
        ..Changes::default()
    };
    step(&mut sale, |sale| sale.plan_alter(NOW_MS + 3, &ended));
    let refund = |id: &'static [u8], sku: &'static str, qty, no_restock| RefundAsk {
        id: HASHER.key(id),
        user: None,
        ask: Some(Ask::Items([(sku.as_bytes(), qty)].into_iter().collect())),
        reference: Some(b"back"),
        no_restock,
        restore_limit: false,
    };
    for ask in [
        refund(b"beyond", "b", 1, false),
        refund(b"lost", "a", 1, false),
    ] {
        order(&mut sale, &|sale| sale.plan_refund(NOW_MS + 4, &ask));
    }
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}
