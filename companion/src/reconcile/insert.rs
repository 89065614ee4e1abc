//! Entries into SQL as the worker would, hooks included.

use std::collections::{HashMap, HashSet};

use super::Sale;
use super::report::{Fate, Kind, Report};
use super::rows::table_of;
use super::world::{PIPELINE, Sql, refused};
use crate::failure::Failure;
use crate::link::Raw;
use crate::sql::{Key, describe};
use crate::worker::batch;
use crate::worker::entry::Entry;

/// An `order` or a `refund` that SQL may lack.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub raw: Raw,
    pub event: &'static str,
    pub key: Key,
    pub id: Vec<u8>,
    pub reference: Vec<u8>,
}

impl Candidate {
    /// Reads an entry; `None` unless it is an order or a refund of this sale that can be read:
    /// all else is the worker's.
    pub fn of(raw: Raw, sale_id: &str) -> Option<Self> {
        let fields = raw.fields.as_ref()?;
        let entry = Entry::parse(fields).ok()?;
        let event = match entry.event {
            "order" => "order",
            "refund" => "refund",
            _ => return None,
        };
        if entry.sale_id != sale_id {
            return None;
        }
        let (key, id) = (entry.key(), entry.id.to_vec());
        let reference = entry.reference.to_vec();
        Some(Self {
            event,
            key,
            id,
            reference,
            raw,
        })
    }
}

/// Returns those that SQL lacks.
///
/// # Errors
///
/// The database refuses to say.
pub async fn lacking(sql: &mut Sql, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Failure> {
    let mut there: HashSet<(&'static str, Key)> = HashSet::new();
    for event in ["order", "refund"] {
        let ours = candidates.iter().filter(|one| one.event == event);
        let keys: Vec<Key> = ours.map(|one| one.key.clone()).collect();
        let found = sql
            .run(async |database| database.find(table_of(event), &keys, &[]).await)
            .await
            .map_err(|error| refused(&error))?;
        there.extend(found.into_keys().map(|key| (event, key)));
    }
    let is_lacking = |one: &Candidate| !there.contains(&(one.event, one.key.clone()));
    Ok(candidates.into_iter().filter(is_lacking).collect())
}

/// Inserts entries, each with its hook, and reports what became of them.
///
/// # Errors
///
/// The database is broken.
pub async fn insert(
    sale: &Sale<'_>,
    sql: &mut Sql,
    candidates: Vec<Candidate>,
    kind: Kind,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    if !sale.is_applied {
        for one in &candidates {
            report.add(kind, &one.id, &one.reference, Fate::Due, one.event);
        }
        return Ok(());
    }
    let mut refusals: HashMap<(&'static str, Key), String> = HashMap::new();
    for some in candidates.chunks(PIPELINE) {
        let raw: Vec<Raw> = some.iter().map(|one| one.raw.clone()).collect();
        if store(sale, sql, &raw).await.is_ok() {
            continue;
        }
        // One of them is refused: alone, the others are not.
        for (one, raw) in some.iter().zip(&raw) {
            if let Err(error) = store(sale, sql, std::slice::from_ref(raw)).await {
                refusals.insert((one.event, one.key.clone()), describe(&error));
            }
        }
    }
    let remain = lacking(sql, candidates.clone()).await?;
    let remain: HashSet<(&'static str, Key)> =
        remain.into_iter().map(|one| (one.event, one.key)).collect();
    for one in candidates {
        let place = (one.event, one.key.clone());
        let (fate, detail) = match remain.contains(&place) {
            false => (Fate::Done, one.event.to_owned()),
            true => {
                let why = refusals.remove(&place);
                let why = why.unwrap_or_else(|| "see the dead letters".into());
                (Fate::Left, format!("{}: {why}", one.event))
            }
        };
        report.add(kind, &one.id, &one.reference, fate, &detail);
    }
    Ok(())
}

async fn store(sale: &Sale<'_>, sql: &mut Sql, raw: &[Raw]) -> Result<(), sqlx::Error> {
    let act = async |database: &mut crate::sql::Database| {
        batch::store(database, sale.rules, &sale.orders, raw).await
    };
    sql.run(act).await?.log(&sale.key);
    Ok(())
}
