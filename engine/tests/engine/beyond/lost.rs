//! A failover loses the end of a history, and a database knows the orders.

use super::*;

/// An order as a database has it, with its refunds in their order.
struct Row {
    id: String,
    user: usize,
    lines: Vec<(usize, u64)>,
    reference: Option<String>,
    sold_at_ms: u64,
    refunds: Vec<RefundRow>,
}

struct RefundRow {
    reference: String,
    line: (usize, u64),
    restores: bool,
    no_restock: bool,
}

/// All orders of a sale, and their refunds.
fn rows(world: &World) -> Vec<Row> {
    let sold = |(id, known): (&String, &Reservation)| {
        let slot = world.sale.find(HASHER.key(id.as_bytes()))?;
        let refund = |refund: RefundView<'_>| RefundRow {
            reference: String::from_utf8(refund.reference.expect("a REF").to_vec()).expect("text"),
            line: (refund.lines[0].item as usize, refund.lines[0].qty),
            restores: refund.restore_limit,
            no_restock: refund.no_restock == Some(true),
        };
        (known.state == State::Sold).then(|| Row {
            id: id.clone(),
            user: known.user.expect("a user"),
            lines: known.lines.clone(),
            reference: known.reference.clone(),
            sold_at_ms: known.sold_at_ms,
            refunds: world.sale.refunds(slot).map(refund).collect(),
        })
    };
    world.book.ids.iter().filter_map(sold).collect()
}

/// A copy that has the beginning of the history, and knows every item.
fn promoted(world: &World, events: usize) -> Sale {
    let mut sale = World::new().sale;
    for bytes in &world.events[..events] {
        let event = decode_event(bytes, HASHER).expect("an event");
        assert_eq!(sale.check(&event), Ok(()));
        sale.apply(&event);
    }
    let skus = SKUS[..world.book.items.len()].iter();
    let truck = Restock {
        ask: RestockAsk::Items(skus.map(|sku| (sku.as_bytes(), 0)).collect()),
        new: true,
        reference: None,
    };
    if let Ok(event) = sale.plan_restock(world.now_ms, &truck, &BOUNDS) {
        sale.apply(&event);
    }
    sale
}

/// Sends what a database knows to a sale; returns how much of it was news.
fn reconcile(sale: &mut Sale, rows: &[Row], now_ms: u64) -> usize {
    let mut news = 0;
    let mut carry = |sale: &mut Sale, pending: Pending<'_>| {
        news += 1;
        let at = EntryId {
            ms: now_ms,
            seq: 1_000_000 + news as u64,
        };
        let event = pending.entered(at);
        assert_eq!(sale.check(&event), Ok(()));
        sale.apply(&event);
        assert_eq!(sale.audit(), Vec::<String>::new());
    };
    for row in rows {
        let ask = Import {
            user: HASHER.key(USERS[row.user].as_bytes()),
            ask: World::ask(&row.lines),
            id: HASHER.key(row.id.as_bytes()),
            sold_at_ms: row.sold_at_ms,
            reference: row.reference.as_deref().map(str::as_bytes),
            payload: None,
        };
        match sale.plan_import(now_ms, &ask, &BOUNDS) {
            Ok(pending) => carry(sale, pending),
            Err(Answer::Sold { .. } | Answer::Refunded { .. }) => {}
            Err(answer) => panic!("{}: {answer:?}", row.id),
        }
    }
    for (row, refund) in rows
        .iter()
        .flat_map(|row| row.refunds.iter().map(move |r| (row, r)))
    {
        let ask = RefundAsk {
            id: HASHER.key(row.id.as_bytes()),
            user: None,
            ask: Some(World::ask(&[refund.line])),
            reference: Some(refund.reference.as_bytes()),
            no_restock: refund.no_restock,
            restore_limit: refund.restores,
        };
        match sale.plan_refund(now_ms, &ask) {
            Ok(pending) => carry(sale, pending),
            Err(Answer::Refunded { .. }) => {}
            Err(answer) => panic!("{}: {answer:?}", row.id),
        }
    }
    news
}

/// Wherever the history breaks off, the orders of the database are those of the sale afterwards,
/// with their refunds; what it does not have is owed; and a second run finds nothing to do.
#[test]
fn the_orders_of_a_lost_end_are_recorded_and_nothing_is_hidden() {
    for seed in 0..40 {
        println!("seed {seed}");
        let (mut dice, mut world) = (Dice(seed), World::new());
        for _ in 0..120 {
            world.sweep();
            world.step(&mut dice);
        }
        let rows = rows(&world);
        for _ in 0..6 {
            let events = dice.index(world.events.len() + 1);
            let mut sale = promoted(&world, events);
            reconcile(&mut sale, &rows, world.now_ms);
            for row in &rows {
                let key = HASHER.key(row.id.as_bytes());
                let there = |sale: &Sale| {
                    let view = sale.view(sale.find(key)?)?;
                    let mut units: Vec<(Line, u64)> = (view.lines.iter().enumerate())
                        .map(|(at, line)| (*line, view.refunded.get(at).copied().unwrap_or(0)))
                        .collect();
                    units.sort_unstable();
                    Some((view.state, units, view.sold_at_ms))
                };
                assert_eq!(there(&sale), there(&world.sale), "{} at {events}", row.id);
            }
            assert_eq!(sale.audit_whole().into_lines(), Vec::<String>::new());
            assert_eq!(reconcile(&mut sale, &rows, world.now_ms), 0, "a second run");
        }
    }
}
