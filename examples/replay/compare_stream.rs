//! Reads the order stream and compares it with the book, entry by entry.
//!
//! Edge: reads only; the sale itself is in `compare.rs`.

use redis::streams::{StreamId, StreamRangeReply};
use redis::{Connection, cmd};
use serde_json::json;

use crate::book::Book;
use crate::comparison::Comparison;
use crate::drive::{Drive, payload_of, payment_of};
use crate::print::Check;
use crate::reply::{Outcome, text_of};
use crate::steps::{Expected, Order, Refund, Step};
use crate::{ORDERS, SALE};

/// Every order and refund has one entry, in the order of the file, and there is no other.
pub fn compare_stream(connection: &mut Connection, book: &Book, drive: &Drive) -> Outcome<Check> {
    let mut comparison = Comparison::new("order stream", "entries");
    let page: StreamRangeReply = cmd("XRANGE")
        .arg(ORDERS)
        .arg("-")
        .arg("+")
        .query(connection)?;
    let mut entries = page.ids.iter();
    for step in &book.steps {
        let (of, expected) = match step {
            Step::Order { order, .. } => {
                let order = &book.orders[*order];
                (order.id.clone(), order_entry(order, drive))
            }
            Step::Refund(refund) if matches!(refund.expected, Expected::Refunded { .. }) => {
                (refund.reference.clone(), refund_entry(refund, drive))
            }
            _ => continue,
        };
        let given = entries
            .next()
            .map(entry_line)
            .unwrap_or_else(|| "no entry".into());
        comparison.compare(&of, &given, &expected);
    }
    comparison.require("entries beyond", &entries.len().to_string(), "0");
    Ok(comparison.into_check())
}

/// An entry on one line: everything but the moment and the id of the sale.
fn entry_line(entry: &StreamId) -> String {
    let names = [
        "event",
        "sale",
        "id",
        "user",
        "qty",
        "items",
        "ref",
        "payload",
        "restocked",
    ];
    let texts = names.map(|name| entry.map.get(name).map(text_of).unwrap_or_default());
    format!("{} {}", entry.id, texts.join(" "))
}

fn order_entry(order: &Order, drive: &Drive) -> String {
    let units: u64 = order.items.iter().map(|(_, units)| units).sum();
    format!(
        "{} order {SALE} {} {} {units} {} {} {} ",
        drive.entry_of(&order.id),
        order.id,
        order.user,
        items_json(&order.items),
        payment_of(order),
        payload_of(order),
    )
}

fn refund_entry(refund: &Refund, drive: &Drive) -> String {
    format!(
        "{} refund {SALE} {} {} {} {} {}  1",
        drive.entry_of(&refund.reference),
        refund.id,
        refund.user,
        refund.units,
        items_json(&[(refund.sku.clone(), refund.units)]),
        refund.reference,
    )
}

/// The `items` field, written down as the reference says: no spaces, `sku` first.
fn items_json(items: &[(String, u64)]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|(sku, units)| format!("{{\"sku\":{},\"qty\":{units}}}", json!(sku)))
        .collect();
    format!("[{}]", items.join(","))
}
