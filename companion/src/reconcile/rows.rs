//! Orders and refunds as SQL has them, by primary key and in pages.

use super::decide::{OrderRow, RefundRow};
use super::known::units_of_items;
use crate::sql::{Database, Dialect, Key, Kind, ORDERS, REFUNDS, Table, Value};

/// An order with what IMPORT needs beside what is compared.
#[derive(Clone, Debug)]
pub struct Order {
    pub row: OrderRow,
    pub payload: Option<String>,
    /// Its `items` are no list of units.
    pub is_unreadable: bool,
}

/// Which orders are read.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub sale_id: String,
    /// A condition of the operator's.
    pub narrowed: Option<String>,
    pub with_payload: bool,
}

const ORDER_KINDS: [Kind; 6] = [
    Kind::Bytes,
    Kind::Bytes,
    Kind::Bytes,
    Kind::Text,
    Kind::Int,
    Kind::Text,
];

const REFUND_KINDS: [Kind; 6] = [
    Kind::Bytes,
    Kind::Bytes,
    Kind::Text,
    Kind::Int,
    Kind::Int,
    Kind::Int,
];

const REFUND_COLUMNS: &str = "r.id, r.ref, r.items, r.restorelimit, r.norestock, r.at_ms";

/// Writes the place of the `at`th value of a statement.
fn place(dialect: Dialect, at: usize) -> String {
    match dialect {
        Dialect::Postgres => format!("${at}"),
        Dialect::Sqlite | Dialect::Mysql => "?".into(),
    }
}

/// Returns the statement that reads a page of orders.
pub fn orders_sql(dialect: Dialect, wanted: &Wanted, count: usize) -> String {
    let payload = if wanted.with_payload {
        "payload"
    } else {
        "NULL"
    };
    let narrowed = wanted.narrowed.as_ref();
    let narrowed = narrowed.map_or_else(String::new, |text| format!(" AND ({text}\n)"));
    format!(
        "SELECT id, ref, user_id, items, at_ms, {payload} FROM flashsale_orders WHERE sale_id = {} AND id > {}{narrowed} ORDER BY id LIMIT {count}",
        place(dialect, 1),
        place(dialect, 2),
    )
}

/// Returns the next orders behind an id.
pub async fn orders(
    database: &mut Database,
    wanted: &Wanted,
    after: &[u8],
    count: usize,
) -> Result<Vec<Order>, sqlx::Error> {
    let sql = orders_sql(database.dialect(), wanted, count);
    let values = [wanted.sale_id.as_str().into(), after.into()];
    let rows = database
        .query_and_keep(&sql, &values, &ORDER_KINDS, true)
        .await?;
    Ok(rows.into_iter().map(order_of).collect())
}

fn order_of(mut values: Key) -> Order {
    let payload = match values.pop() {
        Some(Value::Text(payload)) => payload,
        _ => None,
    };
    let units = units_of_items(values[3].text());
    Order {
        is_unreadable: units.is_none(),
        row: OrderRow {
            id: values[0].bytes().to_vec(),
            reference: values[1].bytes().to_vec(),
            user: values[2].bytes().to_vec(),
            units: units.unwrap_or_default(),
            at_ms: values[4].int(),
        },
        payload,
    }
}

/// Returns the refunds of all orders from one id to another.
pub async fn refunds(
    database: &mut Database,
    sale_id: &str,
    first: &[u8],
    last: &[u8],
) -> Result<Vec<RefundRow>, sqlx::Error> {
    let dialect = database.dialect();
    let sql = format!(
        "SELECT {REFUND_COLUMNS} FROM flashsale_refunds r WHERE r.sale_id = {} AND r.id >= {} AND r.id <= {}",
        place(dialect, 1),
        place(dialect, 2),
        place(dialect, 3),
    );
    let values = [sale_id.into(), first.into(), last.into()];
    let rows = database
        .query_and_keep(&sql, &values, &REFUND_KINDS, true)
        .await?;
    Ok(rows.iter().map(refund_of).collect())
}

/// Returns all refunds whose order is no row.
pub async fn refunds_alone(
    database: &mut Database,
    sale_id: &str,
) -> Result<Vec<RefundRow>, sqlx::Error> {
    let sql = format!(
        "SELECT {REFUND_COLUMNS} FROM flashsale_refunds r LEFT JOIN flashsale_orders o ON o.sale_id = r.sale_id AND o.id = r.id WHERE r.sale_id = {} AND o.id IS NULL ORDER BY r.id",
        place(database.dialect(), 1),
    );
    let rows = database
        .query(&sql, &[sale_id.into()], &REFUND_KINDS)
        .await?;
    Ok(rows.iter().map(refund_of).collect())
}

fn refund_of(values: &Key) -> RefundRow {
    RefundRow {
        id: values[0].bytes().to_vec(),
        reference: values[1].bytes().to_vec(),
        // Units that cannot be read are equal to none.
        units: units_of_items(values[2].text()).unwrap_or_default(),
        restorelimit: values[3].int() == 1,
        norestock: values[4].int() == 1,
        at_ms: values[5].int(),
    }
}

/// The table that an event is stored in.
pub fn table_of(event: &str) -> &'static Table {
    match event {
        "order" => &ORDERS,
        _ => &REFUNDS,
    }
}

/// What SQL knows of the sale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acquaintance {
    /// There are orders of it.
    Known,
    /// There are orders of a sale of that name, and none of this one.
    Namesake,
    Stranger,
}

/// Looks for orders of a sale, and of others of its name.
pub async fn acquaintance(
    database: &mut Database,
    sale_id: &str,
    sale: &[u8],
) -> Result<Acquaintance, sqlx::Error> {
    let dialect = database.dialect();
    let any = |column: &str| {
        let value = place(dialect, 1);
        format!("SELECT 1 FROM flashsale_orders WHERE {column} = {value} LIMIT 1")
    };
    let rows = database
        .query(&any("sale_id"), &[sale_id.into()], &[])
        .await?;
    if !rows.is_empty() {
        return Ok(Acquaintance::Known);
    }
    let rows = database.query(&any("sale"), &[sale.into()], &[]).await?;
    Ok(match rows.is_empty() {
        true => Acquaintance::Stranger,
        false => Acquaintance::Namesake,
    })
}
