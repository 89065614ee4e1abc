//! What the sale has sold and refunded and SQL lacks, though the stream has no entry of it any
//! more: it was trimmed too early. Such rows are made from GET; their payload is lost.

use std::collections::BTreeSet;

use redis::{Cmd, Value};

use super::Sale;
use super::decide::{self, EntryVerdict, Units, entry_id};
use super::insert::{Candidate, insert, lacking};
use super::known::{Shown, items_of, shown};
use super::orders::Unwritten;
use super::report::{Kind, Report};
use super::world::{PIPELINE, Server, Sql, refused};
use crate::failure::Failure;
use crate::link::{Fields, Raw, bytes, entries, range_command, string};
use crate::sql::{Key, ORDERS, Value as SqlValue};

/// Looks through all orders of the sale, and through the refunds that were found unwritten.
///
/// # Errors
///
/// The server or the database cannot be asked.
pub async fn compare(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    unwritten: Vec<Unwritten>,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mut scanned = 0;
    for state in ["sold", "refunded"] {
        let mut next = scan(sale, server, state, "0").await?;
        loop {
            let (cursor, ids) = next;
            scanned += ids.len() as u64;
            if cursor == "0" {
                let strangers = without_order(sale, sql, ids).await?;
                settle(sale, server, sql, &strangers, report).await?;
                break;
            }
            let scanning = scan(sale, server, state, &cursor);
            let (scanned_next, strangers) = tokio::join!(scanning, without_order(sale, sql, ids));
            next = scanned_next?;
            settle(sale, server, sql, &strangers?, report).await?;
            sale.progress.tell("sold orders looked at", scanned);
        }
    }
    let ids: BTreeSet<Vec<u8>> = unwritten.into_iter().map(|(id, _)| id).collect();
    settle(
        sale,
        server,
        sql,
        &ids.into_iter().collect::<Vec<_>>(),
        report,
    )
    .await
}

async fn scan(
    sale: &Sale<'_>,
    server: &mut Server,
    state: &str,
    cursor: &str,
) -> Result<(String, Vec<Vec<u8>>), Failure> {
    let mut command = redis::cmd("FLASHSALE.SCAN");
    command.arg(&sale.key).arg(cursor);
    command
        .arg("COUNT")
        .arg(4 * PIPELINE)
        .arg("STATE")
        .arg(state);
    let other_shape = || Failure::CannotGoOn("SCAN is answered in another shape".into());
    match server.ask(command).await? {
        Value::Array(parts) => match parts.as_slice() {
            [cursor, Value::Array(ids)] => Ok((string(cursor), ids.iter().map(bytes).collect())),
            _ => Err(other_shape()),
        },
        _ => Err(other_shape()),
    }
}

/// Returns the ids of which SQL has no order.
async fn without_order(
    sale: &Sale<'_>,
    sql: &mut Sql,
    ids: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let key = |id: &Vec<u8>| -> Key {
        vec![
            sale.wanted.sale_id.as_str().into(),
            SqlValue::from(id.as_slice()),
        ]
    };
    let keys: Vec<Key> = ids.iter().map(key).collect();
    let found = sql
        .run(async |database| database.find(&ORDERS, &keys, &[]).await)
        .await
        .map_err(|error| refused(&error))?;
    let is_without = |(id, key): (Vec<u8>, &Key)| (!found.contains_key(key)).then_some(id);
    Ok(ids.into_iter().zip(&keys).filter_map(is_without).collect())
}

/// Inserts what SQL lacks of these orders and their refunds, and the stream has no more.
async fn settle(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    ids: &[Vec<u8>],
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    for some in ids.chunks(PIPELINE) {
        let get = |id: &Vec<u8>| {
            let mut command = redis::cmd("FLASHSALE.GET");
            command.arg(&sale.key).arg(id);
            command
        };
        let gets: Vec<Cmd> = some.iter().map(get).collect();
        let answers = server.ask_all(&gets).await?;
        let mut candidates = Vec::new();
        for (id, answer) in some.iter().zip(&answers) {
            if let Some(shown) = shown(answer).map_err(Failure::CannotGoOn)? {
                candidates.extend(rows_of(sale, id, &shown));
            }
        }
        let gone = gone(sale, server, lacking(sql, candidates).await?).await?;
        // Once more: what the worker stored and somebody trimmed meanwhile is a row by now.
        let gone = lacking(sql, gone).await?;
        insert(sale, sql, gone, Kind::Trimmed, report).await?;
    }
    Ok(())
}

/// Returns those whose entry, of T0 or before, is not in the stream.
async fn gone(
    sale: &Sale<'_>,
    server: &mut Server,
    candidates: Vec<Candidate>,
) -> Result<Vec<Candidate>, Failure> {
    let look = |one: &Candidate| range_command(&sale.orders, &one.raw.id, &one.raw.id, 1);
    let looks: Vec<Cmd> = candidates.iter().map(look).collect();
    let answers = server.ask_all(&looks).await?;
    let is_gone = |(one, answer): &(Candidate, Value)| {
        let found = entries(answer.clone()).into_iter();
        let mut found = found.filter_map(|raw| Candidate::of(raw, &sale.wanted.sale_id));
        let is_there = found.any(|entry| entry.event == one.event && entry.key == one.key);
        let id = entry_id(&one.raw.id);
        id.is_some_and(|id| decide::without_row(id, sale.t0, is_there) == EntryVerdict::Insert)
    };
    let pairs = candidates.into_iter().zip(answers).filter(is_gone);
    Ok(pairs.map(|(one, _)| one).collect())
}

/// Returns how many units there are in all.
fn qty_of(units: &Units) -> u64 {
    units.lines().map(|(_, line)| line.qty).sum()
}

/// Makes the entries of an order and its refunds, as the module wrote them but for the payload.
fn rows_of(sale: &Sale<'_>, id: &[u8], shown: &Shown) -> Vec<Candidate> {
    let (Some(user), Some(units)) = (&shown.known.user, &shown.known.units) else {
        return Vec::new();
    };
    let base = |event: &str, units: &Units, reference: &[u8], at_ms: i64| -> Fields {
        let text = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
        let mut fields = vec![
            text("event", event.as_bytes()),
            text("sale", sale.key.as_bytes()),
            text("sale_id", sale.wanted.sale_id.as_bytes()),
            text("id", id),
            text("user", user),
            text("qty", qty_of(units).to_string().as_bytes()),
            text("items", items_of(units).as_bytes()),
            text("at_ms", at_ms.to_string().as_bytes()),
            text("ref", reference),
        ];
        if let Some(group) = &sale.group_name {
            fields.push(text("group", group.as_bytes()));
        }
        fields
    };
    let order = (
        shown.order_entry.clone(),
        base("order", units, &shown.known.reference, shown.sold_at_ms),
    );
    let mut made = vec![order];
    for (known, refund) in shown.known.refunds.iter().zip(&shown.refunds) {
        // The sale keeps no moment of a refund but that of its entry.
        let at_ms = crate::link::entry_ms(&refund.entry).unwrap_or(shown.sold_at_ms);
        let mut fields = base("refund", &known.units, &known.reference, at_ms);
        for (name, is_set) in [
            ("restocked", refund.restocked),
            ("restorelimit", refund.restorelimit),
            ("norestock", refund.norestock),
        ] {
            let value = if is_set { "1" } else { "0" };
            fields.push((name.into(), value.into()));
        }
        made.push((refund.entry.clone(), fields));
    }
    let candidate = |(entry, fields): (String, Fields)| {
        let raw = Raw {
            id: entry,
            fields: Some(fields),
        };
        Candidate::of(raw, &sale.wanted.sale_id)
    };
    made.into_iter().filter_map(candidate).collect()
}
