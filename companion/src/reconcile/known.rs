//! What GET and the column `items` say, as data for `decide`.

use std::borrow::Cow;

use redis::Value;
use serde::Deserialize;

use crate::link::{bytes, field, integer, pairs, string};

use super::decide::{Known, KnownRefund, State, Units};

/// An id as GET shows it, with what it takes to make rows of it.
#[derive(Debug)]
pub struct Shown {
    pub known: Known,
    /// The entry of its order; empty if it was never sold.
    pub order_entry: String,
    pub sold_at_ms: i64,
    /// In the order of `known.refunds`.
    pub refunds: Vec<ShownRefund>,
}

/// What GET shows of a refund beside its ref and its units.
#[derive(Clone, Debug)]
pub struct ShownRefund {
    pub entry: String,
    pub restocked: bool,
    pub restorelimit: bool,
    pub norestock: bool,
}

/// Reads a reply of GET; `None` of an unknown id.
///
/// # Errors
///
/// It is none, or of a module without `refunds`: in words.
pub fn shown(reply: &Value) -> Result<Option<Shown>, String> {
    if *reply == Value::Nil {
        return Ok(None);
    }
    let facts = pairs(reply);
    let state = match field(&facts, "state").map(string).as_deref() {
        Some("sold") => State::Sold,
        Some("refunded") => State::Refunded,
        Some(_) => State::Unsold,
        None => return Err("GET answers without a state".into()),
    };
    let Some(Value::Array(listed)) = field(&facts, "refunds") else {
        return Err("GET shows no refunds: the module is too old, 0.2.0 or later is needed".into());
    };
    let mut refunds = Vec::new();
    let mut known_refunds = Vec::new();
    for one in listed {
        let (known, shown) = refund(one).ok_or("GET shows a refund of another shape")?;
        known_refunds.push(known);
        refunds.push(shown);
    }
    let some = |name: &str| field(&facts, name).filter(|value| **value != Value::Nil);
    let mut units = some("items").and_then(units_of_reply);
    if let (Some(units), Some(Value::Array(names))) = (&mut units, some("units")) {
        for name in names {
            if let Value::Array(pair) = name
                && let [sku, name] = pair.as_slice()
            {
                units.name(&bytes(sku), &bytes(name));
            }
        }
    }
    Ok(Some(Shown {
        known: Known {
            state,
            user: some("user").map(bytes),
            units,
            reference: some("ref").map(bytes).unwrap_or_default(),
            refunds: known_refunds,
        },
        order_entry: some("order_id").map(string).unwrap_or_default(),
        sold_at_ms: integer(&facts, "sold_at_ms").unwrap_or(0),
        refunds,
    }))
}

/// Reads `[entry_id, ref, [[sku, qty], ...], restocked, restorelimit, norestock]`.
fn refund(value: &Value) -> Option<(KnownRefund, ShownRefund)> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [
        entry,
        reference,
        units,
        restocked,
        restorelimit,
        norestock,
        ..,
    ] = parts.as_slice()
    else {
        return None;
    };
    let is_set = |value: &Value| *value == Value::Int(1);
    let known = KnownRefund {
        reference: bytes(reference),
        units: units_of_reply(units)?,
    };
    let shown = ShownRefund {
        entry: string(entry),
        restocked: is_set(restocked),
        restorelimit: is_set(restorelimit),
        norestock: is_set(norestock),
    };
    Some((known, shown))
}

/// Reads `[[sku, qty], ...]`.
fn units_of_reply(value: &Value) -> Option<Units> {
    let Value::Array(lines) = value else {
        return None;
    };
    let mut units = Units::default();
    for line in lines {
        let Value::Array(pair) = line else {
            return None;
        };
        let [sku, Value::Int(qty), ..] = pair.as_slice() else {
            return None;
        };
        units.add(&bytes(sku), qty.unsigned_abs());
    }
    Some(units)
}

/// A line of `items`.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    sku: Cow<'a, str>,
    qty: u64,
    #[serde(borrow, default)]
    units: Vec<Cow<'a, str>>,
}

/// Reads the column `items`; `None` for what is no such list.
pub fn units_of_items(items: &str) -> Option<Units> {
    let lines: Vec<Line<'_>> = serde_json::from_str(items).ok()?;
    let mut units = Units::default();
    for line in lines {
        units.add(line.sku.as_bytes(), line.qty);
        for name in line.units {
            units.name(line.sku.as_bytes(), name.as_bytes());
        }
    }
    Some(units)
}

/// Writes units as the module writes `items`.
pub fn items_of(units: &Units) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = |(sku, line): (&[u8], &super::decide::Line)| {
        let mut object = serde_json::json!({ "sku": text(sku), "qty": line.qty });
        if !line.names.is_empty() {
            object["units"] = line.names.iter().map(|name| text(name)).collect();
        }
        object
    };
    let lines: Vec<serde_json::Value> = units.lines().map(line).collect();
    serde_json::Value::from(lines).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn line(sku: &str, second: Value) -> Value {
        Value::Array(vec![text(sku), second])
    }

    #[test]
    fn reads_an_order_with_a_refund() {
        let refund = Value::Array(vec![
            text("9-0"),
            text("back"),
            Value::Array(vec![line("red", Value::Int(1))]),
            Value::Int(0),
            Value::Int(1),
            Value::Int(1),
        ]);
        let reply = Value::Array(vec![
            text("state"),
            text("sold"),
            text("user"),
            text("ann"),
            text("items"),
            Value::Array(vec![line("red", Value::Int(2))]),
            text("order_id"),
            text("8-0"),
            text("sold_at_ms"),
            Value::Int(8),
            text("ref"),
            Value::Nil,
            text("units"),
            Value::Array(vec![line("red", text("A-1"))]),
            text("refunds"),
            Value::Array(vec![refund]),
        ]);
        let shown = shown(&reply).expect("a reply").expect("an id");
        assert_eq!(shown.known.state, State::Sold);
        assert_eq!(
            items_of(shown.known.units.as_ref().expect("units")),
            r#"[{"sku":"red","qty":2,"units":["A-1"]}]"#
        );
        assert_eq!(shown.known.reference, b"");
        assert_eq!(shown.known.refunds[0].reference, b"back");
        let refund = &shown.refunds[0];
        assert_eq!(
            (refund.restocked, refund.restorelimit, refund.norestock),
            (false, true, true)
        );
        assert_eq!(shown.order_entry, "8-0");
    }

    #[test]
    fn a_module_without_refunds_is_too_old() {
        let reply = Value::Array(vec![text("state"), text("sold")]);
        assert!(super::shown(&reply).expect_err("too old").contains("0.2.0"));
        assert!(super::shown(&Value::Nil).expect("a reply").is_none());
    }

    #[test]
    fn reads_what_it_has_written() {
        for items in [
            "[]",
            r#"[{"sku":"a","qty":2}]"#,
            r#"[{"sku":"a \"b\"","qty":2,"units":["A-1","A-2"]},{"sku":"b","qty":1}]"#,
        ] {
            let units = units_of_items(items).expect("a list");
            assert_eq!(items_of(&units), items);
        }
        // Other fields of a line are of a newer module.
        let refund = r#"[{"sku":"a","qty":2,"units":["A-1","A-2"],"restocked":0}]"#;
        assert!(units_of_items(refund).is_some());
        assert_eq!(units_of_items("no list"), None);
        assert_eq!(units_of_items(r#"[{"sku":"a"}]"#), None);
    }
}
