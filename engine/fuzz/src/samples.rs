//! Events and sales to start from: one of every kind, with every optional part both
//! there and not.
//!
//! Edge: valid things only; `mutate.rs` makes the others.

use super::samples_line::line_events;
use super::samples_pass::pass_events;
use super::samples_share::share_events;
use flashsale_engine::sale::*;

pub const ULID: &[u8] = b"01ARZ3NDEKTSV4RRFFQ69G5FAV";
pub const NOW_MS: u64 = 1_765_000_000_000;

/// What the sales here hash their names with.
pub const HASHER: Hasher = Hasher::new([1, 2]);

pub fn line(item: u32, qty: u64) -> Line {
    Line { item, qty }
}

fn order<'a>(reference: Option<&'a [u8]>, payload: Option<&'a [u8]>) -> Order<'a> {
    let entry = EntryId {
        ms: NOW_MS + 5,
        seq: 3,
    };
    Order {
        reference: reference.map(Spelling::of),
        payload,
        entry,
        told: Told::default(),
    }
}

pub(super) fn options() -> Options {
    Options {
        user_limit: Some(4),
        item_limit: Some(300),
        order_limit: None,
        sale_limit: Some(INTEGER_MAX),
        hold_ms_max: Some(600_000),
        grace_ms: 5_000,
        start_at_ms: Some(NOW_MS - 1),
        end_at_ms: Some(NOW_MS + 3_600_000),
        ..Options::new(300_000, 3_600_000)
    }
}

/// One event of every kind, each optional part both there and not.
pub fn events() -> Vec<(&'static str, Change<'static>)> {
    let id = HASHER.key(ULID);
    let user = HASHER.key(b"alice");
    let mut events = vec![
        (
            "created",
            Change::Created(Box::new(Created {
                sale_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
                share_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
                orders: b"{s}orders",
                options: options(),
                items: vec![
                    (b"red", 10),
                    ("größe".as_bytes(), 0),
                    (b"default", INTEGER_MAX - 10),
                ],
            })),
        ),
        (
            "reserved",
            Change::Reserved {
                id,
                user,
                lines: Lines::from_slice(&[line(0, 1)]),
                expires_at_ms: NOW_MS + 300_000,
                forgets: Forgets::Nothing,
                replaces: None,
            },
        ),
        (
            "reserved-cart",
            Change::Reserved {
                id: HASHER.key(b"\x00\xff id\n"),
                user: HASHER.key(&[b'u'; 255]),
                lines: Lines::from_slice(&[line(2, 250), line(0, 251), line(70_000, INTEGER_MAX)]),
                expires_at_ms: INTEGER_MAX,
                forgets: Forgets::OldestPastGrace,
                replaces: None,
            },
        ),
        (
            "reserved-in-place-of-another",
            Change::Reserved {
                id,
                user,
                lines: Lines::from_slice(&[line(0, 2)]),
                expires_at_ms: NOW_MS + 1_000,
                forgets: Forgets::Nothing,
                replaces: Some(HASHER.key(b"her last cart")),
            },
        ),
        (
            "sold",
            Change::Sold {
                id,
                order: order(None, None),
            },
        ),
        (
            "sold-with-payload",
            Change::Sold {
                id,
                order: order(Some(b"charge-7"), Some(b"{\"gift\":true}")),
            },
        ),
        (
            "bought",
            Change::Bought {
                id,
                user,
                lines: Lines::from_slice(&[line(1, 2)]),
                order: order(Some(ULID), None),
                forgets: Forgets::Nothing,
            },
        ),
        ("released", Change::Released { id }),
        (
            "released-unseen",
            Change::ReleasedUnseen {
                id,
                user: None,
                forgets: Forgets::Nothing,
            },
        ),
        (
            "released-unseen-user",
            Change::ReleasedUnseen {
                id,
                user: Some(user),
                forgets: Forgets::OldestPastGrace,
            },
        ),
        (
            "swept",
            Change::Swept {
                expired: 1_000,
                lapsed: 0,
                forgotten: 7,
            },
        ),
        (
            "swept-with-grace",
            Change::Swept {
                expired: 1,
                lapsed: 300,
                forgotten: 0,
            },
        ),
        ("expired", Change::Expired { id }),
        ("lapsed", Change::Lapsed { id }),
        (
            "extended",
            Change::Extended {
                id,
                expires_at_ms: NOW_MS + 1,
            },
        ),
        (
            "refunded",
            Change::Refunded(Refund {
                id,
                lines: Lines::from_slice(&[line(1, 2), line(0, 1)]),
                reference: Some(Spelling::of(b"refund-1")),
                restocks: true,
                restores_limit: false,
                no_restock: Some(false),
                entry: EntryId { ms: NOW_MS, seq: 0 },
                told: Told::default(),
            }),
        ),
        (
            "refunded-without-restock",
            Change::Refunded(Refund {
                id,
                lines: Lines::from_slice(&[line(1, 2)]),
                reference: None,
                restocks: false,
                restores_limit: true,
                no_restock: Some(true),
                entry: EntryId { ms: NOW_MS, seq: 0 },
                told: Told::default(),
            }),
        ),
        (
            "restocked",
            Change::Restocked {
                deltas: vec![
                    StockDelta {
                        sku: b"red"[..].into(),
                        delta: -3,
                    },
                    StockDelta {
                        sku: ULID.into(),
                        delta: INTEGER_MAX as i64,
                    },
                ],
                reference: Some(Spelling::of(b"truck 4")),
            },
        ),
        (
            "altered",
            Change::Altered(Box::new(Options::new(1, 3_600_000))),
        ),
        ("paused", Change::Paused),
        ("resumed", Change::Resumed { lifts: None }),
        (
            "resumed-marked",
            Change::Resumed {
                lifts: Some(MarkId {
                    at_ms: NOW_MS - 1,
                    misses: 2,
                }),
            },
        ),
        (
            "marked",
            Change::Marked {
                reason: "the id is unknown",
            },
        ),
        ("closed", Change::Closed),
        ("bound", Change::Bound { orders: b"other" }),
    ];
    events.extend(told_events());
    events.extend(line_events());
    events.extend(pass_events());
    events.extend(share_events());
    events
}

/// What was told at these IDs. The few that tests need are kept for good.
pub fn told(ids: &[EntryId]) -> Told<'static> {
    let writer = Box::leak(Box::<ToldWriter>::default());
    ids.iter().for_each(|&id| writer.push(id));
    writer.finish()
}

/// The events of a sale with `EVENTS all`.
fn told_events() -> Vec<(&'static str, Change<'static>)> {
    let (id, user) = (HASHER.key(ULID), HASHER.key(b"alice"));
    let at = |ms, seq| EntryId { ms, seq };
    let with_events = |options| Options {
        events: Events::All,
        ..options
    };
    let order = Order {
        told: told(&[at(NOW_MS, 0), at(NOW_MS, 1), at(NOW_MS + 5, 2)]),
        ..order(Some(b"charge-7"), None)
    };
    let refund = |no_restock: bool, told| Refund {
        id,
        lines: Lines::from_slice(&[line(1, 2)]),
        reference: None,
        restocks: !no_restock,
        restores_limit: true,
        no_restock: Some(no_restock),
        entry: at(NOW_MS, 7),
        told,
    };
    let one = told(&[at(NOW_MS, 6)]);
    vec![
        (
            "created-with-events",
            Change::Created(Box::new(Created {
                sale_id: 7,
                share_id: 7,
                orders: b"orders",
                options: with_events(options()),
                items: vec![(b"a", 1)],
            })),
        ),
        (
            "altered-to-events",
            Change::Altered(Box::new(with_events(Options::new(1, 3_600_000)))),
        ),
        ("sold-behind-others", Change::Sold { id, order }),
        (
            "bought-behind-another",
            Change::Bought {
                id,
                user,
                lines: Lines::from_slice(&[line(1, 2)]),
                order: Order { told: one, ..order },
                forgets: Forgets::Nothing,
            },
        ),
        (
            "refunded-behind-another",
            Change::Refunded(refund(false, one)),
        ),
        (
            "refunded-without-restock-behind-another",
            Change::Refunded(refund(true, one)),
        ),
        (
            "told",
            Change::Told(told(&[at(7, 0), at(7, 1), at(9, 300)])),
        ),
        ("dropped", Change::Dropped { count: 300 }),
    ]
}

/// The bytes of a change that was decided at [`NOW_MS`].
pub fn encoded(change: &Change<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_event(
        &Event {
            at_ms: NOW_MS,
            change: change.clone(),
        },
        &mut bytes,
    );
    bytes
}

/// The bytes of a batch of changes that were decided at [`NOW_MS`].
pub fn batch(changes: impl IntoIterator<Item = Change<'static>>) -> Vec<u8> {
    let mut container = ContainerWriter::new(Vec::new(), NOW_MS);
    for change in changes {
        container.push(&Event {
            at_ms: NOW_MS,
            change,
        });
    }
    container.finish().to_vec()
}

/// Reports whether this change can stand in a batch.
pub fn is_of_batch(change: &Change<'_>) -> bool {
    matches!(
        change,
        Change::Reserved { .. }
            | Change::Sold { .. }
            | Change::Bought { .. }
            | Change::Released { .. }
            | Change::ReleasedUnseen { .. }
            | Change::Swept { .. }
            | Change::Expired { .. }
            | Change::Lapsed { .. }
            | Change::Left { .. }
            | Change::Drawn { .. }
            | Change::Granted(_)
            | Change::Marked { .. }
            | Change::Told(_)
            | Change::Dropped { .. }
    )
}

const BOUNDS: Bounds = Bounds {
    reservations_max: 1_000,
    items_max: 100,
};

/// The SKUs of a cart of which only a digest is kept once it is final.
const MANY: [&str; 9] = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"];

/// A sale in which every kind of record stands.
pub fn busy_sale() -> Sale {
    let mut sale = sale_of_version_2();
    let many = |n| RestockAsk::Items(MANY.iter().map(|sku| (sku.as_bytes(), n)).collect());
    let truck = Restock {
        ask: many(10),
        new: true,
        reference: Some(b"a large truck"),
    };
    let cart = |id: &'static [u8], replaces: Option<&'static [u8]>| Reserve {
        user: HASHER.key(b"eve"),
        ask: Ask::Items(MANY.iter().map(|sku| (sku.as_bytes(), 1)).collect()),
        id: HASHER.key(id),
        hold_ms: None,
        replaces: replaces.map(|old| HASHER.key(old)),
        waits: false,
        pass: Pass::Missing,
    };
    let late_ms = NOW_MS + 60_000;
    step(&mut sale, |sale| sale.plan_resume(late_ms));
    step(&mut sale, |sale| {
        sale.plan_restock(late_ms, &truck, &BOUNDS)
    });
    step(&mut sale, |sale| {
        sale.plan_reserve(late_ms, &cart(b"large", None), &BOUNDS)
    });
    let other = cart(b"larger", Some(b"large"));
    step(&mut sale, |sale| {
        sale.plan_reserve(late_ms + 1, &other, &BOUNDS)
    });
    step(&mut sale, |sale| {
        sale.plan_sweep(late_ms + 1_000, 100)
            .ok_or(Answer::Unchanged)
    });
    step(&mut sale, |sale| sale.plan_pause(late_ms + 1_000));
    let reason = "the id is unknown";
    step(&mut sale, |_| {
        Ok(Event {
            at_ms: late_ms + 1_000,
            change: Change::Marked { reason },
        })
    });
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}

/// The same with `EVENTS all`, and entries of every kind that wait.
pub fn telling_sale() -> Sale {
    let mut sale = busy_sale();
    let at_ms = NOW_MS + 62_000;
    let events = Changes {
        events: Some(Events::All),
        ..Changes::default()
    };
    step(&mut sale, |sale| sale.plan_alter(at_ms, &events));
    step(&mut sale, |sale| sale.plan_resume(at_ms));
    let cart =
        |id: &'static [u8], sku: &'static str, qty, replaces: Option<&'static [u8]>| Reserve {
            user: HASHER.key(b"fay"),
            ask: Ask::Items([(sku.as_bytes(), qty)].into_iter().collect()),
            id: HASHER.key(id),
            hold_ms: Some(500),
            replaces: replaces.map(|old| HASHER.key(old)),
            waits: false,
            pass: Pass::Missing,
        };
    let reserve = |sale: &mut Sale, at_ms, ask: &Reserve<'static>| {
        step(sale, |sale| sale.plan_reserve(at_ms, ask, &BOUNDS));
    };
    reserve(&mut sale, at_ms, &cart(b"fay-1", "new", 7, None));
    reserve(&mut sale, at_ms, &cart(b"fay-2", "b", 1, None));
    reserve(
        &mut sale,
        at_ms + 1,
        &cart(b"fay-3", "b", 2, Some(b"fay-2")),
    );
    let sweep = |sale: &Sale, at_ms| sale.plan_sweep(at_ms, 100).ok_or(Answer::Unchanged);
    step(&mut sale, |sale| sweep(sale, at_ms + 500));
    reserve(&mut sale, at_ms + 501, &cart(b"fay-4", "b", 1, None));
    step(&mut sale, |sale| {
        sale.plan_extend(at_ms + 502, HASHER.key(b"fay-4"), 900, None)
    });
    step(&mut sale, |sale| {
        sale.plan_release(at_ms + 503, HASHER.key(b"fay-4"), None, &BOUNDS)
    });
    let truck = Restock {
        ask: RestockAsk::Items(vec![(b"newer", 7), (b"a", -2)]),
        new: true,
        reference: Some(b"another truck"),
    };
    step(&mut sale, |sale| {
        sale.plan_restock(at_ms + 504, &truck, &BOUNDS)
    });
    step(&mut sale, |sale| sale.plan_pause(at_ms + 505));
    step(&mut sale, |sale| sale.plan_bind(at_ms + 506, b"other"));
    step(&mut sale, |sale| sale.plan_close(at_ms + 507));
    step(&mut sale, |sale| {
        sale.plan_drop(at_ms + 507, 17).ok_or(Answer::Unchanged)
    });
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}

pub(super) fn step<'a>(sale: &mut Sale, plan: impl FnOnce(&Sale) -> Plan<'a>) {
    let event = plan(sale).unwrap();
    sale.check(&event).unwrap();
    sale.apply(&event);
}

/// The sale that the files of version 2 and 1 hold.
pub fn sale_of_version_2() -> Sale {
    let bounds = BOUNDS;
    let ask = CreateAsk {
        sale_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
        share_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
        orders: b"orders",
        items: vec![(b"a", 1_000), (b"b", 1_000), (b"default", 0)],
        changes: Changes {
            user_limit: Some(90),
            item_limit: Some(50),
            grace_ms: Some(1_000),
            ..Changes::default()
        },
        hold_ms_default: 60_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &bounds).unwrap();
    let mut sale = Sale::create(&created, HASHER).unwrap();
    let mut seq = 0;
    let mut run = |plan: &dyn Fn(&Sale) -> Plan<'static>| {
        let mut event = plan(&sale).unwrap();
        seq += 1;
        set_entry(&mut event, EntryId { ms: NOW_MS, seq });
        sale.check(&event).unwrap();
        sale.apply(&event);
    };
    let cart = |id: &'static str, user: &'static str, at_ms: u64, lines: &'static [(&str, u64)]| {
        let lines = lines
            .iter()
            .map(|&(sku, qty)| (sku.as_bytes(), qty))
            .collect();
        let ask = Reserve {
            user: HASHER.key(user.as_bytes()),
            ask: Ask::Items(lines),
            id: HASHER.key(id.as_bytes()),
            hold_ms: None,
            replaces: None,
            waits: false,
            pass: Pass::Missing,
        };
        move |sale: &Sale| sale.plan_reserve(at_ms, &ask, &bounds)
    };
    let pay = |id: &'static str, reference: Option<&'static str>| {
        let reference = reference.map(str::as_bytes);
        let ask = Checkout {
            id: HASHER.key(id.as_bytes()),
            user: None,
            reference,
            payload: None,
        };
        move |sale: &Sale| sale.plan_checkout(NOW_MS + 3, &ask).map(unentered)
    };
    let refund = |id: &'static str, reference: Option<&'static str>, qty: Option<u64>| {
        let ask = RefundAsk {
            id: HASHER.key(id.as_bytes()),
            user: None,
            ask: qty.map(|qty| Ask::Items([(&b"a"[..], qty)].into_iter().collect())),
            reference: reference.map(str::as_bytes),
            no_restock: qty.is_some(),
            restore_limit: qty.is_some(),
        };
        move |sale: &Sale| sale.plan_refund(NOW_MS + 4, &ask).map(unentered)
    };
    run(&cart("open-1", "ann", NOW_MS, &[("a", 1)]));
    run(&cart("open-2", "ann", NOW_MS + 1, &[("b", 2), ("a", 3)]));
    run(&cart(
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "bob",
        NOW_MS + 1,
        &[("a", 1)],
    ));
    run(&cart("sold", "bob", NOW_MS + 1, &[("a", 5), ("b", 1)]));
    run(&pay("sold", None));
    run(&cart("partly", "bob", NOW_MS + 1, &[("a", 5)]));
    run(&pay("partly", Some("charge")));
    run(&refund("partly", Some("r1"), Some(2)));
    run(&cart("wholly", "cyd", NOW_MS + 1, &[("a", 4)]));
    run(&pay("wholly", None));
    run(&refund("wholly", None, None));
    run(&cart("released", "cyd", NOW_MS + 1, &[("a", 1)]));
    run(&|sale| sale.plan_release(NOW_MS + 5, HASHER.key(b"released"), None, &bounds));
    run(&|sale| sale.plan_release(NOW_MS + 5, HASHER.key(b"unseen"), None, &bounds));
    run(&|sale| {
        sale.plan_release(
            NOW_MS + 5,
            HASHER.key(b"unseen-dan"),
            Some(HASHER.key(b"dan")),
            &bounds,
        )
    });
    run(&|sale| {
        let ask = Restock {
            ask: RestockAsk::Items(vec![(b"new", 7), (b"a", -2)]),
            new: true,
            reference: Some(b"truck"),
        };
        sale.plan_restock(NOW_MS + 6, &ask, &bounds)
    });
    run(&|sale| sale.plan_sweep(NOW_MS + 60_000, 1).ok_or(Answer::Unchanged));
    run(&|sale| sale.plan_pause(NOW_MS + 60_000));
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}

/// The chunks of a snapshot.
pub fn saved(sale: &Sale) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    save(sale, &mut |chunk| chunks.push(chunk.to_vec()));
    chunks
}

/// The sale of a snapshot.
pub fn loaded(chunks: &[Vec<u8>]) -> Result<Sale, CodecError> {
    let mut loader = Loader::new(HASHER);
    for chunk in chunks {
        loader.push(chunk)?;
    }
    loader.finish()
}

/// What two copies of a sale have in common.
pub fn digested(sale: &Sale) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    digest(sale, &mut |element| elements.push(element.to_vec()));
    elements.sort();
    elements
}

/// The event of an order whose entry is appended later, by [`set_entry`]: tests carry all
/// events out the same way.
pub fn unentered(pending: Pending<'_>) -> Event<'_> {
    pending.entered(EntryId::default())
}

/// Notes what was written before the entry of an event, if it is one that has any.
pub fn set_told<'a>(event: &mut Event<'a>, told: Told<'a>) {
    match &mut event.change {
        Change::Sold { order, .. } | Change::Bought { order, .. } => order.told = told,
        Change::Refunded(refund) => refund.told = told,
        Change::Imported(imported) => imported.order.told = told,
        _ => {}
    }
}

/// Gives an event its entry, if it is one that has any.
pub fn set_entry(event: &mut Event<'_>, at: EntryId) {
    match &mut event.change {
        Change::Sold { order, .. } | Change::Bought { order, .. } => order.entry = at,
        Change::Refunded(refund) => refund.entry = at,
        Change::Imported(imported) => imported.order.entry = at,
        _ => {}
    }
}
