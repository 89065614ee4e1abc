//! One row, one rule, one bound at a time.

use super::*;

const NOW_MS: u64 = START_MS;

/// A sale with 2 units of `a` and 5 of `b`, of these options.
fn sale_with(changes: Changes) -> Sale {
    let ask = CreateAsk {
        sale_id: SHARE_ID,
        share_id: SHARE_ID,
        orders: b"orders",
        items: vec![(b"a", 2), (b"b", 5)],
        changes,
        hold_ms_default: 1_000,
        keep_ms_default: 1_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &BOUNDS).expect("a sale");
    Sale::create(&created, HASHER).expect("a sale")
}

fn sale() -> Sale {
    sale_with(Changes::default())
}

fn part() -> Sale {
    sale_with(Changes {
        group: Some(Some("shoes".into())),
        waiting_max: Some(10),
        ..Changes::default()
    })
}

fn carry(sale: &mut Sale, event: Event<'_>) {
    assert_eq!(sale.check(&event), Ok(()), "{event:?}");
    sale.apply(&event);
    assert_eq!(sale.audit_whole().into_lines(), Vec::<String>::new());
    assert_eq!(
        digested(&loaded(&saved(sale)).expect("a snapshot")),
        digested(sale)
    );
}

fn reserve_of<'a>(id: &'a str, user: &'a str, sku: &'a str, qty: u64) -> Reserve<'a> {
    Reserve {
        user: HASHER.key(user.as_bytes()),
        ask: Ask::Items([(sku.as_bytes(), qty)].into_iter().collect()),
        id: HASHER.key(id.as_bytes()),
        hold_ms: None,
        replaces: None,
        waits: false,
        pass: Pass::Missing,
    }
}

fn reserve(sale: &mut Sale, id: &str, sku: &str, qty: u64) {
    let event = sale.plan_reserve(NOW_MS, &reserve_of(id, id, sku, qty), &BOUNDS);
    carry(sale, event.expect("a reservation"));
}

fn refusal(sale: &Sale, sku: &str, qty: u64) -> Answer {
    let ask = reserve_of("new", "new", sku, qty);
    sale.plan_reserve(NOW_MS, &ask, &BOUNDS)
        .expect_err("a refusal")
}

fn import_of<'a>(id: &'a str, user: &'a str, sku: &'a str, qty: u64) -> Import<'a> {
    Import {
        user: HASHER.key(user.as_bytes()),
        ask: Ask::Items([(sku.as_bytes(), qty)].into_iter().collect()),
        id: HASHER.key(id.as_bytes()),
        sold_at_ms: NOW_MS - 86_400_000,
        reference: None,
        payload: None,
    }
}

fn import(sale: &mut Sale, at_ms: u64, ask: &Import<'_>) {
    let pending = sale.plan_import(at_ms, ask, &BOUNDS).expect("an order");
    carry(sale, pending.entered(EntryId { ms: at_ms, seq: 1 }));
}

fn counts(sale: &Sale, item: ItemIndex) -> (u64, u64, u64, u64) {
    let view = sale.item(item);
    (view.available, view.reserved, view.sold, view.owed)
}

#[test]
fn nothing_stops_an_order_that_was_sold() {
    let passkey = PassKeys::new(&[b"0123456789abcdef"]);
    let mut sale = sale_with(Changes {
        user_limit: Some(1),
        order_limit: Some(1),
        sale_limit: Some(1),
        item_limit: Some(1),
        end_at_ms: Some(NOW_MS + 2),
        pace: Some(Some(PaceRate { n: 1, ms: 60_000 })),
        passkeys: passkey,
        ..Changes::default()
    });
    let event = sale.plan_pause(NOW_MS).expect("a pause");
    carry(&mut sale, event);
    import(&mut sale, NOW_MS, &import_of("paused", "ann", "a", 9));
    import(&mut sale, NOW_MS + 3, &import_of("ended", "ann", "a", 1));
    let event = sale.plan_close(NOW_MS + 3).expect("the end");
    carry(&mut sale, event);
    import(&mut sale, NOW_MS + 3, &import_of("closed", "ann", "b", 1));
    let reason = "the id is unknown";
    sale.apply(&Event {
        at_ms: NOW_MS + 3,
        change: Change::Marked { reason },
    });
    import(&mut sale, NOW_MS + 4, &import_of("diverged", "ann", "b", 1));
    assert_eq!(
        (counts(&sale, 0), counts(&sale, 1)),
        ((0, 0, 10, 8), (3, 0, 2, 0))
    );
    let ann = sale.user(b"ann");
    assert_eq!((ann.sold, ann.counted, ann.remaining), (12, 12, Some(0)));
}

#[test]
fn an_order_is_of_the_moment_it_was_sold() {
    let mut sale = sale();
    let ask = import_of("lost", "ann", "a", 1);
    let pending = sale.plan_import(NOW_MS, &ask, &BOUNDS).expect("an order");
    assert_eq!(pending.at_ms(), NOW_MS);
    import(&mut sale, NOW_MS, &ask);
    let view = sale
        .find(HASHER.key(b"lost"))
        .and_then(|slot| sale.view(slot));
    assert_eq!(
        view.and_then(|view| view.sold_at_ms),
        Some(NOW_MS - 86_400_000)
    );
    assert_eq!(sale.last_change_at_ms(), NOW_MS);
}

#[test]
fn an_open_reservation_is_checked_out_overdue_or_not() {
    for at_ms in [NOW_MS, NOW_MS + 5_000] {
        let mut sale = sale();
        reserve(&mut sale, "ann", "a", 2);
        import(&mut sale, at_ms, &import_of("ann", "ann", "a", 2));
        assert_eq!(counts(&sale, 0), (0, 0, 2, 0));
    }
}

#[test]
fn whoever_waits_leaves_the_line() {
    let mut sale = part();
    reserve(&mut sale, "ann", "a", 2);
    let wait = Reserve {
        waits: true,
        ..reserve_of("bob", "bob", "a", 1)
    };
    let event = sale.plan_reserve(NOW_MS, &wait, &BOUNDS);
    carry(&mut sale, event.expect("a place"));
    let other = import_of("bob", "bob", "a", 2);
    let told = sale.plan_import(NOW_MS, &other, &BOUNDS);
    assert_eq!(told.err(), Some(Answer::Mismatch));
    import(&mut sale, NOW_MS, &import_of("bob", "bob", "a", 1));
    assert_eq!((sale.waiting_len(), counts(&sale, 0)), (0, (0, 2, 1, 1)));
}

#[test]
fn an_id_released_before_it_was_seen_is_sold_to_its_user() {
    let mut sale = sale();
    let (id, user) = (HASHER.key(b"x"), HASHER.key(b"ann"));
    let event = sale.plan_release(NOW_MS, id, Some(user), &BOUNDS);
    carry(&mut sale, event.expect("a release"));
    let told = sale.plan_import(NOW_MS, &import_of("x", "bob", "a", 1), &BOUNDS);
    assert_eq!(told.err(), Some(Answer::Mismatch));
    import(&mut sale, NOW_MS, &import_of("x", "ann", "a", 1));
    assert_eq!(counts(&sale, 0), (1, 0, 1, 0));
}

#[test]
fn a_large_cart_of_which_a_digest_is_kept_is_sold_whole() {
    let mut sale = sale();
    let skus: Vec<String> = (0..9).map(|n| format!("m{n}")).collect();
    let deltas = skus.iter().map(|sku| (sku.as_bytes(), 3)).collect();
    let truck = Restock {
        ask: RestockAsk::Items(deltas),
        new: true,
        reference: None,
    };
    let bounds = Bounds {
        items_max: 20,
        ..BOUNDS
    };
    let event = sale.plan_restock(NOW_MS, &truck, &bounds);
    carry(&mut sale, event.expect("a restock"));
    let lines: AskLines<'_> = skus.iter().map(|sku| (sku.as_bytes(), 2)).collect();
    let ask = Reserve {
        ask: Ask::Items(lines.clone()),
        ..reserve_of("ann", "ann", "a", 1)
    };
    let event = sale.plan_reserve(NOW_MS, &ask, &BOUNDS);
    carry(&mut sale, event.expect("a reservation"));
    let event = sale.plan_release(NOW_MS, HASHER.key(b"ann"), None, &BOUNDS);
    carry(&mut sale, event.expect("a release"));
    let order = Import {
        ask: Ask::Items(lines),
        ..import_of("ann", "ann", "a", 1)
    };
    import(&mut sale, NOW_MS, &order);
    assert_eq!(counts(&sale, 10), (1, 0, 2, 0));
}

#[test]
fn an_order_of_too_many_units_or_ids_is_an_error() {
    let mut sale = sale();
    let ask = import_of("x", "ann", "a", INTEGER_MAX);
    let told = sale.plan_import(NOW_MS, &ask, &BOUNDS).err();
    assert!(matches!(told, Some(Answer::Invalid(text)) if text.starts_with("qty: the sum")));
    let none = Bounds {
        reservations_max: 0,
        ..BOUNDS
    };
    let told = |sale: &Sale, sku| {
        let ask = import_of("x", "ann", sku, 1);
        sale.plan_import(NOW_MS, &ask, &none).err()
    };
    assert_eq!(told(&sale, "a"), Some(Answer::Full));
    assert_eq!(told(&sale, "no"), Some(Answer::NoSku { ask: Some(0) }));
    // A known id needs no room.
    reserve(&mut sale, "x", "a", 1);
    let ask = import_of("x", "x", "a", 1);
    assert!(sale.plan_import(NOW_MS, &ask, &none).is_ok());
}

/// Row 12 goes by what can reach a buyer, and so do the keyspace events.
#[test]
fn what_is_owed_is_sold_out_while_units_are_reserved() {
    let mut sale = sale();
    reserve(&mut sale, "ann", "a", 1);
    import(&mut sale, NOW_MS, &import_of("lost", "bob", "a", 3));
    assert_eq!(counts(&sale, 0), (0, 1, 3, 2));
    let (available, item) = (0, 0);
    assert_eq!(refusal(&sale, "a", 1), Answer::SoldOut { available, item });
    let truck = Restock {
        ask: RestockAsk::Items(vec![(b"a", 2)]),
        new: false,
        reference: None,
    };
    let event = sale
        .plan_restock(NOW_MS, &truck, &BOUNDS)
        .expect("a restock");
    let applied = sale.apply(&event);
    assert_eq!(applied.stock[..], [(0, StockChange::AllReserved)]);
    assert!(matches!(refusal(&sale, "a", 1), Answer::AllReserved { .. }));
    let event = sale.plan_sweep(NOW_MS + 1_000, 10).expect("a sweep");
    let applied = sale.apply(&event);
    assert_eq!(applied.stock[..], [(0, StockChange::BackInStock)]);
    assert_eq!(counts(&sale, 0), (1, 0, 3, 0));
}

#[test]
fn expiry_pays_before_anything_is_on_sale() {
    let mut sale = sale();
    reserve(&mut sale, "ann", "a", 2);
    import(&mut sale, NOW_MS, &import_of("lost", "bob", "a", 1));
    let event = sale.plan_sweep(NOW_MS + 1_000, 10).expect("a sweep");
    carry(&mut sale, event);
    assert_eq!(counts(&sale, 0), (1, 0, 1, 0));
}

/// A cart that shrinks takes nothing from anybody: what it gives back pays.
#[test]
fn a_cart_can_shrink_while_units_are_owed() {
    let mut sale = sale();
    reserve(&mut sale, "ann", "a", 2);
    import(&mut sale, NOW_MS, &import_of("lost", "bob", "a", 5));
    let replace = |id, qty| Reserve {
        replaces: Some(HASHER.key(b"ann")),
        ..reserve_of(id, "ann", "a", qty)
    };
    let grown = sale.plan_reserve(NOW_MS, &replace("more", 3), &BOUNDS);
    assert!(matches!(grown, Err(Answer::SoldOut { .. })));
    let event = sale.plan_reserve(NOW_MS, &replace("less", 1), &BOUNDS);
    carry(&mut sale, event.expect("a smaller cart"));
    assert_eq!(counts(&sale, 0), (0, 1, 5, 4));
}

fn give_of(to: u128, total: u64) -> Give<'static> {
    Give {
        from: SHARE_ID,
        to,
        total,
        sku: Some(b"b"),
        most: false,
        owes: false,
        confirms: false,
    }
}

#[test]
fn give_and_take_know_whom_they_are_for() {
    let mut sale = sale();
    let text = |plan: Plan<'_>| match plan {
        Err(Answer::Invalid(text)) => text.split_once(':').expect("a word").0.to_owned(),
        other => panic!("{other:?}"),
    };
    let give = |from, to| Give {
        from,
        ..give_of(to, 1)
    };
    let take = |from, to| Take {
        from,
        to,
        total: 1,
        sku: Some(b"b"),
    };
    assert_eq!(
        text(sale.plan_give(NOW_MS, &give(PEER, OTHER_PEER))),
        "from"
    );
    assert_eq!(
        text(sale.plan_give(NOW_MS, &give(SHARE_ID, SHARE_ID))),
        "to"
    );
    assert_eq!(
        text(sale.plan_take(NOW_MS, &take(PEER, OTHER_PEER), &BOUNDS)),
        "to"
    );
    assert_eq!(
        text(sale.plan_take(NOW_MS, &take(SHARE_ID, SHARE_ID), &BOUNDS)),
        "to"
    );
    // So many sales, and no more; a total of one that is known goes on growing.
    for peer in 0..PEERS_MAX as u128 {
        let event = sale.plan_take(NOW_MS, &take(peer, SHARE_ID), &BOUNDS);
        sale.apply(&event.expect("units"));
    }
    let peer = PEERS_MAX as u128;
    assert_eq!(
        text(sale.plan_take(NOW_MS, &take(peer, SHARE_ID), &BOUNDS)),
        "share id"
    );
    assert_eq!(text(sale.plan_give(NOW_MS, &give_of(peer, 1))), "share id");
    assert!(sale.plan_give(NOW_MS, &give_of(7, 1)).is_ok());
    let event = sale.plan_give(
        NOW_MS,
        &Give {
            total: 0,
            confirms: true,
            ..give_of(peer, 0)
        },
    );
    assert!(event.is_ok());
}

/// Break: TAKE that adds.
#[test]
fn totals_may_come_twice_late_and_out_of_order() {
    let mut sale = sale();
    for (total, available) in [(3, 8), (3, 8), (5, 10), (4, 10), (5, 10)] {
        let ask = Take {
            from: PEER,
            to: SHARE_ID,
            total,
            sku: Some(b"b"),
        };
        if let Ok(event) = sale.plan_take(NOW_MS, &ask, &BOUNDS) {
            carry(&mut sale, event);
        }
        assert_eq!(sale.item(1).available, available);
    }
    for (total, available) in [(2, 8), (1, 8), (2, 8), (6, 4)] {
        if let Ok(event) = sale.plan_give(NOW_MS, &give_of(PEER, total)) {
            carry(&mut sale, event);
        }
        assert_eq!(sale.item(1).available, available);
    }
    assert_eq!((sale.item(1).total, sale.share(1).base), (4, 5));
}

#[test]
fn a_diverged_copy_gives_nothing_more() {
    let mut sale = sale();
    let event = sale.plan_give(NOW_MS, &give_of(PEER, 1)).expect("units");
    carry(&mut sale, event);
    let reason = "the id is unknown";
    sale.apply(&Event {
        at_ms: NOW_MS,
        change: Change::Marked { reason },
    });
    let told = sale.plan_give(NOW_MS, &give_of(PEER, 2));
    assert_eq!(told, Err(Answer::Paused { at_ms: NOW_MS }));
    let told = sale.plan_give(NOW_MS, &give_of(PEER, 1));
    assert_eq!(told, Err(Answer::Given { total: 1, item: 1 }));
}

#[test]
fn a_sale_knows_an_item_it_has_none_of() {
    let mut sale = sale();
    let none = |new| Restock {
        ask: RestockAsk::Items(vec![(b"c", 0)]),
        new,
        reference: None,
    };
    let told = sale.plan_restock(NOW_MS, &none(false), &BOUNDS);
    assert!(matches!(told, Err(Answer::NoSku { .. })));
    let event = sale
        .plan_restock(NOW_MS, &none(true), &BOUNDS)
        .expect("an item");
    carry(&mut sale, event);
    assert_eq!(counts(&sale, 2), (0, 0, 0, 0));
    let told = sale.plan_restock(NOW_MS, &none(true), &BOUNDS);
    assert_eq!(told, Err(Answer::Restocked));
    let take = Take {
        from: PEER,
        to: SHARE_ID,
        total: 0,
        sku: Some(b"d"),
    };
    let event = sale.plan_take(NOW_MS, &take, &BOUNDS).expect("an item");
    carry(&mut sale, event);
    assert_eq!(counts(&sale, 3), (0, 0, 0, 0));
}

#[test]
fn a_part_says_sold_out_only_of_what_it_was_told() {
    let mut sale = part();
    let all_reserved = |retry_in_ms, item| Answer::AllReserved {
        retry_in_ms,
        item: Some(item),
    };
    sale.tick_rest(1_000, 200);
    assert_eq!(refusal(&sale, "a", 3), all_reserved(2_000, 0));
    sale.note_rest([&b"a"[..], b"no such"].into_iter(), 1_000, 500);
    sale.tick_rest(1_499, 200);
    let (available, item) = (2, 0);
    assert_eq!(refusal(&sale, "a", 3), Answer::SoldOut { available, item });
    assert_eq!(refusal(&sale, "b", 6), all_reserved(200, 1));
    // Of a cart, what is final is said first.
    let both = Reserve {
        ask: Ask::Items([(&b"b"[..], 6), (b"a", 3)].into_iter().collect()),
        ..reserve_of("new", "new", "a", 1)
    };
    let told = sale.plan_reserve(NOW_MS, &both, &BOUNDS).err();
    assert_eq!(told, Some(Answer::SoldOut { available, item }));
    sale.tick_rest(1_500, 200);
    assert_eq!(refusal(&sale, "a", 3), all_reserved(2_000, 0));
    // The next deadline may be sooner.
    let hold = Reserve {
        hold_ms: Some(70),
        ..reserve_of("ann", "ann", "b", 1)
    };
    let event = sale.plan_reserve(NOW_MS, &hold, &BOUNDS);
    sale.apply(&event.expect("a reservation"));
    assert_eq!(refusal(&sale, "a", 3), all_reserved(70, 0));
    // The brake: a part that answers for itself again.
    let changes = Changes {
        group: Some(None),
        ..Changes::default()
    };
    let event = sale.plan_alter(NOW_MS, &changes).expect("a change");
    carry(&mut sale, event);
    assert_eq!(refusal(&sale, "a", 3), Answer::SoldOut { available, item });
}

/// A line of a part waits for what other parts may have; it ends when none has any.
#[test]
fn a_line_of_a_part_ends_when_no_part_has_any() {
    let mut sale = part();
    import(&mut sale, NOW_MS, &import_of("lost", "bob", "a", 2));
    sale.tick_rest(0, 200);
    let wait = Reserve {
        waits: true,
        ..reserve_of("ann", "ann", "a", 1)
    };
    let event = sale.plan_reserve(NOW_MS, &wait, &BOUNDS);
    carry(&mut sale, event.expect("a place"));
    assert_eq!(sale.share(0).waiting, 1);
    let told = sale.plan_reserve(NOW_MS, &wait, &BOUNDS);
    assert!(matches!(told, Err(Answer::Waiting { .. })));
    assert_eq!(
        (sale.plan_dissolve(NOW_MS, &mut 5), sale.lines_due_ms()),
        (None, None)
    );
    sale.note_rest([&b"a"[..]].into_iter(), 0, 500);
    let told = sale.plan_reserve(NOW_MS, &wait, &BOUNDS);
    assert!(matches!(told, Err(Answer::SoldOut { .. })));
    assert_eq!(sale.lines_due_ms(), Some(NOW_MS));
    let event = sale
        .plan_dissolve(NOW_MS, &mut 5)
        .expect("the end of a line");
    carry(&mut sale, event);
    assert_eq!(sale.waiting_len(), 0);
}

/// What is said to one server is no part of the sale: neither saved nor told apart.
#[test]
fn what_a_part_was_told_is_not_a_part_of_it() {
    let (mut told, untold) = (part(), part());
    told.note_rest([&b"a"[..]].into_iter(), 0, 60_000);
    told.note_refused(
        &Ask::Qty(3),
        &Answer::SoldOut {
            available: 0,
            item: 1,
        },
    );
    assert_eq!(told.share(1).asked, 3);
    assert_eq!(digested(&told), digested(&untold));
    assert_eq!(saved(&told), saved(&untold));
    let mut again = loaded(&saved(&told)).expect("a snapshot");
    again.tick_rest(0, 200);
    assert!(matches!(
        refusal(&again, "a", 3),
        Answer::AllReserved {
            retry_in_ms: 2_000,
            ..
        }
    ));
    assert_eq!(again.share(1).asked, 0);
}
