//! Reads the sale back, all of it, and compares it with the book.
//!
//! Edge: reads only. Each check counts what it compared and keeps the first
//! differences in words.

use std::collections::HashSet;

use redis::{Connection, Value, cmd};

use crate::SALE;
use crate::book::Book;
use crate::compare_stream::compare_stream;
use crate::comparison::Comparison;
use crate::drive::{Drive, payment_of};
use crate::print::{Check, commas};
use crate::reply::{Outcome, field, number_of, text_of};
use crate::steps::Order;

/// Compares everything.
pub fn compare_all(connection: &mut Connection, book: &Book, drive: &Drive) -> Outcome<Vec<Check>> {
    let answers: u64 = drive.answers.values().sum();
    let figures = format!(
        "{} requests, {} differ",
        commas(answers),
        drive.differences.len()
    );
    Ok(vec![
        Check {
            passed: drive.differences.is_empty(),
            name: "every answer",
            figures,
        },
        compare_stock(connection, book)?,
        compare_info(connection, book)?,
        compare_users(connection, book)?,
        compare_reservations(connection, book, drive)?,
        compare_scan(connection, book)?,
        compare_stream(connection, book, drive)?,
    ])
}

fn compare_stock(connection: &mut Connection, book: &Book) -> Outcome<Check> {
    let mut comparison = Comparison::new("stock of each SKU", "SKUs");
    let rows: Vec<Value> = cmd("FLASHSALE.STOCK").arg(SALE).query(connection)?;
    for (at, sku) in book.skus.iter().enumerate() {
        let item = &book.items[sku];
        let expected = format!("[{sku}, {}, 0, {}]", item.available, item.sold);
        let given = rows.get(at).map(text_of).unwrap_or_default();
        comparison.compare(sku, &given, &expected);
    }
    comparison.require(
        "rows",
        &rows.len().to_string(),
        &book.skus.len().to_string(),
    );
    Ok(comparison.into_check())
}

fn compare_info(connection: &mut Connection, book: &Book) -> Outcome<Check> {
    let mut comparison = Comparison::new("totals of INFO", "fields");
    let info: Value = cmd("FLASHSALE.INFO").arg(SALE).query(connection)?;
    let available: u64 = book.items.values().map(|item| item.available).sum();
    let sold: u64 = book.items.values().map(|item| item.sold).sum();
    let refunded: u64 = book.orders.iter().flat_map(|order| &order.refunded).sum();
    let users = book
        .orders
        .iter()
        .map(|order| &order.user)
        .collect::<HashSet<_>>()
        .len();
    for (name, expected) in [
        ("items", book.items.len() as u64),
        ("total", available + sold),
        ("available", available),
        ("reserved", 0),
        ("sold", sold),
        ("refunded", refunded),
        ("users", users as u64),
        ("reservations_open", 0),
        ("userlimit", book.user_limit),
    ] {
        let given = field(&info, name).map(text_of).unwrap_or_default();
        comparison.compare(name, &given, &expected.to_string());
    }
    Ok(comparison.into_check())
}

fn compare_users(connection: &mut Connection, book: &Book) -> Outcome<Check> {
    let mut comparison = Comparison::new("each user", "users");
    for (name, user) in &book.users {
        let map: Value = cmd("FLASHSALE.USER")
            .arg(SALE)
            .arg(name)
            .query(connection)?;
        let given = [
            "reserved",
            "sold",
            "counted",
            "user_remaining",
            "open",
            "reservations",
        ]
        .map(|part| field(&map, part).map(text_of).unwrap_or_default());
        let remaining = book.user_limit - user.counted;
        let expected = format!("0 {} {} {remaining} 0 []", user.sold, user.counted);
        comparison.compare(name, &given.join(" "), &expected);
    }
    Ok(comparison.into_check())
}

fn compare_reservations(connection: &mut Connection, book: &Book, drive: &Drive) -> Outcome<Check> {
    let mut comparison = Comparison::new("each order by GET", "orders");
    for order in &book.orders {
        let map: Value = cmd("FLASHSALE.GET")
            .arg(SALE)
            .arg(&order.id)
            .query(connection)?;
        let part = |name: &str| field(&map, name).map(text_of).unwrap_or_default();
        let given = format!(
            "{} {} {} {} {}, refunded {:?}",
            part("state"),
            part("user"),
            part("items"),
            part("order_id"),
            part("ref"),
            refunded_units(&map, order),
        );
        let state = if order.is_wholly_refunded() {
            "refunded"
        } else {
            "sold"
        };
        let items: Vec<String> = order
            .items
            .iter()
            .map(|(sku, units)| format!("[{sku}, {units}]"))
            .collect();
        let expected = format!(
            "{state} {} [{}] {} {}, refunded {:?}",
            order.user,
            items.join(", "),
            drive.entry_of(&order.id),
            payment_of(order),
            order.refunded,
        );
        comparison.compare(&order.id, &given, &expected);
    }
    Ok(comparison.into_check())
}

/// Units refunded, beside the order's items; a SKU that is not there counts 0.
fn refunded_units(map: &Value, order: &Order) -> Vec<u64> {
    let Some(Value::Array(rows)) = field(map, "refunded") else {
        return vec![0; order.items.len()];
    };
    let units_of = |sku: &str| {
        rows.iter().find_map(|row| match row {
            Value::Array(pair) if pair.first().is_some_and(|name| text_of(name) == sku) => {
                pair.get(1).and_then(number_of)
            }
            _ => None,
        })
    };
    order
        .items
        .iter()
        .map(|(sku, _)| units_of(sku).unwrap_or(0) as u64)
        .collect()
}

fn compare_scan(connection: &mut Connection, book: &Book) -> Outcome<Check> {
    let mut comparison = Comparison::new("ids found by SCAN", "ids");
    let mut ids = HashSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let request = cmd("FLASHSALE.SCAN")
            .arg(SALE)
            .arg(&cursor)
            .arg("COUNT")
            .arg(100)
            .to_owned();
        let (next, page): (String, Vec<String>) = request.query(connection)?;
        ids.extend(page);
        if next == "0" {
            break;
        }
        cursor = next;
    }
    for order in &book.orders {
        comparison.compare(
            &order.id,
            if ids.remove(&order.id) {
                "there"
            } else {
                "missing"
            },
            "there",
        );
    }
    for id in ids {
        comparison.require(&id, "there", "missing");
    }
    Ok(comparison.into_check())
}
