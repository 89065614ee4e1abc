//! Entries as rows of the tables.

use std::collections::HashMap;

use super::entry::{self, Entry};
use crate::sql::{EVENTS, Key, Kind, ORDERS, REFUNDS, Table, Value};

/// Returns the row of an entry, in the order of its table's columns.
pub fn of(entry: &Entry<'_>, entry_id: &str, stream: &[u8]) -> Vec<Value> {
    let sale = Value::from(entry::field(entry.fields, "sale").unwrap_or_default());
    let group = entry::field(entry.fields, "group");
    match entry.event {
        "order" => vec![
            entry.sale_id.into(),
            entry.id.into(),
            entry.reference.into(),
            entry.user.into(),
            entry.qty.into(),
            entry.items.into(),
            Value::Text(entry.text("payload").map(str::to_owned)),
            entry.at_ms.into(),
            entry_id.into(),
            sale,
            Value::Bytes(group.map(<[u8]>::to_vec)),
            stream.into(),
            entry.number("imported").unwrap_or(0).into(),
        ],
        "refund" => vec![
            entry.sale_id.into(),
            entry.id.into(),
            entry.reference.into(),
            entry.user.into(),
            entry.qty.into(),
            entry.items.into(),
            entry.number("restocked").unwrap_or(0).into(),
            Value::Int(entry.number("restorelimit")),
            Value::Int(entry.number("norestock")),
            entry.at_ms.into(),
            entry_id.into(),
            sale,
            stream.into(),
        ],
        event => {
            let user = entry::field(entry.fields, "user");
            vec![
                entry.sale_id.into(),
                event.into(),
                entry.id.into(),
                entry.seq.unwrap_or(0).into(),
                Value::Bytes(user.map(<[u8]>::to_vec)),
                Value::Text(entry.text("items").map(str::to_owned)),
                Value::Text(Some(entry::to_json(entry.fields))),
                entry.at_ms.into(),
                stream.into(),
                entry_id.into(),
            ]
        }
    }
}

/// Returns the columns by which a row that was there is compared: user, items, and for an
/// order the ref. Entries of equal `seq` need no comparison.
pub fn compared(table: &Table) -> &'static [(&'static str, Kind)] {
    if table.name == ORDERS.name {
        &[
            ("user_id", Kind::Bytes),
            ("items", Kind::Text),
            ("ref", Kind::Bytes),
        ]
    } else if table.name == REFUNDS.name {
        &[("user_id", Kind::Bytes), ("items", Kind::Text)]
    } else {
        debug_assert_eq!(table.name, EVENTS.name);
        &[]
    }
}

/// Returns the values of `compared` of an entry.
pub fn comparable(entry: &Entry<'_>) -> Vec<Value> {
    vec![
        entry.user.into(),
        entry.items.into(),
        entry.reference.into(),
    ]
}

/// Returns the state of a reservation after an event, `None` for an event of something else.
/// A refund changes nothing: how much is left of an order, its refunds say.
pub fn state_after(event: &str) -> Option<&'static str> {
    match event {
        "reserved" | "granted" | "extended" => Some("reserved"),
        "released" => Some("released"),
        "expired" => Some("expired"),
        "order" => Some("sold"),
        _ => None,
    }
}

/// Folds entries to one row a reservation, the one of the newest `seq`: PostgreSQL refuses to
/// update one row twice in a statement.
pub fn newest_reservations<'a>(entries: impl Iterator<Item = &'a Entry<'a>>) -> Vec<Vec<Value>> {
    let mut newest: HashMap<Key, (i64, Vec<Value>)> = HashMap::new();
    for entry in entries {
        // An order has a `seq` where the sale has EVENTS all.
        let (Some(state), Some(seq)) = (state_after(entry.event), entry.seq) else {
            continue;
        };
        let key: Key = vec![entry.sale_id.into(), entry.id.into()];
        if newest.get(&key).is_some_and(|(there, _)| *there >= seq) {
            continue;
        }
        // What is sold has no deadline any more: the moment of the sale stands for it.
        let expires_at_ms = entry.number("expires_at_ms").unwrap_or(entry.at_ms);
        let row = vec![
            entry.sale_id.into(),
            entry.id.into(),
            entry.user.into(),
            state.into(),
            entry.items.into(),
            expires_at_ms.into(),
            seq.into(),
        ];
        newest.insert(key, (seq, row));
    }
    newest.into_values().map(|(_, row)| row).collect()
}
