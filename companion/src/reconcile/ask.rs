//! The commands that change the sale, and what their answers mean.

use redis::{Cmd, Value};

use super::decide::{OrderRow, RefundRow, Units};
use super::rows::Order;
use crate::link::{bytes, explain, string};

/// What became of an order that was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Imported {
    /// It is sold: by this IMPORT, or by somebody else meanwhile, under the same ref.
    Sold,
    /// Somebody else sold it meanwhile, under this ref.
    PaidTwice(Vec<u8>),
    /// For people; says why.
    Conflict(String),
    /// An error, such as an item that the sale does not have.
    Refused(String),
}

/// Adds the units of an order or a refund: those with names by name.
fn add_units(command: &mut Cmd, units: &Units) {
    let is_counted = |line: &super::decide::Line| line.qty > 0 && line.names.is_empty();
    let counted = units.lines().filter(|(_, line)| is_counted(line));
    let counted: Vec<_> = counted.collect();
    let names: Vec<_> = units.lines().flat_map(|(_, line)| &line.names).collect();
    if !counted.is_empty() {
        command.arg("ITEMS").arg(counted.len());
        for (sku, line) in counted {
            command.arg(sku).arg(line.qty);
        }
    }
    if !names.is_empty() {
        command.arg("UNITS").arg(names.len());
        for name in names {
            command.arg(name);
        }
    }
}

/// Adds the units of a refund. It takes ITEMS or UNITS and not both: one that has named and
/// counted units took all that was left of the named ones, so numbers say which.
fn add_refunded(command: &mut Cmd, units: &Units) {
    let has_names = |line: &super::decide::Line| !line.names.is_empty();
    let lines: Vec<_> = units.lines().collect();
    if lines.iter().all(|(_, line)| has_names(line))
        || !lines.iter().any(|(_, line)| has_names(line))
    {
        return add_units(command, units);
    }
    command.arg("ITEMS").arg(lines.len());
    for (sku, line) in lines {
        command.arg(sku).arg(line.qty);
    }
}

/// Asks to take over an order.
pub fn import(sale: &str, orders: &[u8], order: &Order) -> Cmd {
    let OrderRow {
        id,
        user,
        reference,
        units,
        at_ms,
    } = &order.row;
    let mut command = redis::cmd("FLASHSALE.IMPORT");
    command.arg(sale).arg(orders).arg(user);
    add_units(&mut command, units);
    command.arg("ID").arg(id).arg("AT").arg(*at_ms);
    if !reference.is_empty() {
        command.arg("REF").arg(reference);
    }
    if let Some(payload) = &order.payload {
        command.arg("PAYLOAD").arg(payload);
    }
    command
}

/// Returns the words of an answer; `None` for an error, with its text.
fn words(answer: &Value) -> Result<Vec<&Value>, String> {
    match answer {
        Value::Array(words) => Ok(words.iter().collect()),
        Value::ServerError(error) => Err(explain(&error.clone().into())),
        _ => Err("an answer of another shape".into()),
    }
}

/// Reads the answer to IMPORT.
pub fn imported(answer: &Value) -> Imported {
    let words = match words(answer) {
        Ok(words) => words,
        Err(text) => return Imported::Refused(text),
    };
    let status = words.first().map(|word| string(word)).unwrap_or_default();
    match status.as_str() {
        // Wholly refunded, by the same buyer and of the same units: it was sold before.
        "SOLD" | "REFUNDED" => Imported::Sold,
        "ALREADYSOLD" => {
            Imported::PaidTwice(words.get(2).map(|word| bytes(word)).unwrap_or_default())
        }
        "MISMATCH" => Imported::Conflict("the sale has another user or other units".into()),
        "NOTFREE" => {
            let unit = words.last().map(|word| string(word)).unwrap_or_default();
            Imported::Conflict(format!("another order or reservation has the unit {unit}"))
        }
        other => Imported::Refused(format!("IMPORT is answered {other}")),
    }
}

/// Asks to repeat a refund.
pub fn refund(sale: &str, orders: &[u8], row: &RefundRow) -> Cmd {
    let mut command = redis::cmd("FLASHSALE.REFUND");
    command.arg(sale).arg(orders).arg(&row.id);
    // Without a ref it takes all that is left, which was compared.
    if !row.reference.is_empty() {
        add_refunded(&mut command, &row.units);
        command.arg("REF").arg(&row.reference);
    }
    if row.norestock {
        command.arg("NORESTOCK");
    }
    if row.restorelimit {
        command.arg("RESTORELIMIT");
    }
    command
}

/// Reads the answer to REFUND: in words why it is not done.
///
/// # Errors
///
/// It is not done.
pub fn refunded(answer: &Value) -> Result<(), String> {
    let words = words(answer)?;
    match words.first().map(|word| string(word)).as_deref() {
        Some("REFUNDED") => Ok(()),
        Some("MISMATCH") => Err("the sale has refunded other units under this ref".into()),
        Some("NOTSOLD") => Err("less than that is left of the order".into()),
        Some(other) => Err(format!("REFUND is answered {other}")),
        None => Err("REFUND is answered with nothing".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(command: &Cmd) -> String {
        let words = command.args_iter().map(|word| match word {
            redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => "?".into(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn order(items: &str) -> Order {
        Order {
            row: OrderRow {
                id: b"ann-1".to_vec(),
                user: b"ann".to_vec(),
                reference: b"charge-1".to_vec(),
                units: super::super::known::units_of_items(items).expect("a list"),
                at_ms: 1_795_203_093_164,
            },
            payload: Some("{}".into()),
            is_unreadable: false,
        }
    }

    #[test]
    fn imports_as_it_was_sold() {
        let two = order(r#"[{"sku":"a","qty":2},{"sku":"b","qty":1}]"#);
        assert_eq!(
            line(&import("tea", b"tea:orders", &two)),
            "FLASHSALE.IMPORT tea tea:orders ann ITEMS 2 a 2 b 1 ID ann-1 AT 1795203093164 REF charge-1 PAYLOAD {}"
        );
        let mut named = order(r#"[{"sku":"a","qty":2},{"sku":"s","qty":2,"units":["A-1","A-2"]}]"#);
        (named.row.reference, named.payload) = (Vec::new(), None);
        assert_eq!(
            line(&import("tea", b"tea:orders", &named)),
            "FLASHSALE.IMPORT tea tea:orders ann ITEMS 1 a 2 UNITS 2 A-1 A-2 ID ann-1 AT 1795203093164"
        );
    }

    #[test]
    fn refunds_as_it_was_asked() {
        let mut row = RefundRow {
            id: b"ann-1".to_vec(),
            reference: b"back".to_vec(),
            units: order(r#"[{"sku":"s","qty":1,"units":["A-1"]}]"#).row.units,
            restorelimit: true,
            norestock: true,
            at_ms: 0,
        };
        assert_eq!(
            line(&refund("tea", b"tea:orders", &row)),
            "FLASHSALE.REFUND tea tea:orders ann-1 UNITS 1 A-1 REF back NORESTOCK RESTORELIMIT"
        );
        let mixed = r#"[{"sku":"a","qty":2},{"sku":"s","qty":1,"units":["A-1"]}]"#;
        let mixed = RefundRow {
            units: order(mixed).row.units,
            restorelimit: false,
            norestock: false,
            ..row.clone()
        };
        assert_eq!(
            line(&refund("tea", b"tea:orders", &mixed)),
            "FLASHSALE.REFUND tea tea:orders ann-1 ITEMS 2 a 2 s 1 REF back"
        );
        row.reference = Vec::new();
        (row.restorelimit, row.norestock) = (false, false);
        assert_eq!(
            line(&refund("tea", b"tea:orders", &row)),
            "FLASHSALE.REFUND tea tea:orders ann-1"
        );
    }

    #[test]
    fn reads_each_answer() {
        let answer = |words: &[&str]| {
            let word = |word: &&str| Value::BulkString((*word).into());
            imported(&Value::Array(words.iter().map(word).collect()))
        };
        assert_eq!(answer(&["SOLD", "ann-1", "7-0"]), Imported::Sold);
        assert_eq!(answer(&["REFUNDED", "ann-1", "8-0"]), Imported::Sold);
        let twice = answer(&["ALREADYSOLD", "ann-1", "charge-2"]);
        assert_eq!(twice, Imported::PaidTwice(b"charge-2".to_vec()));
        assert!(matches!(
            answer(&["MISMATCH", "ann-1"]),
            Imported::Conflict(_)
        ));
        let taken = answer(&["NOTFREE", "-1", "s", "A-1"]);
        assert!(matches!(taken, Imported::Conflict(why) if why.contains("A-1")));
        assert!(matches!(answer(&["OTHER"]), Imported::Refused(_)));
        assert!(matches!(imported(&Value::Nil), Imported::Refused(_)));
    }
}
