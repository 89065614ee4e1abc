//! One batch: entries into tables and hooks, in one transaction.
//!
//! Nothing is acknowledged here. A batch that is stored twice changes nothing the second
//! time, which is what makes at-least-once delivery into an effect of exactly once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::dead::{self, Letter, Reason};
use super::entry::{self, EVENTS, Entry, LOST, Raw};
use super::hook::{Hooks, PAID_TWICE};
use super::{row, units};
use crate::log;
use crate::sql::{
    Database, EVENTS as EVENTS_TABLE, Key, Kind, ORDERS, REFUNDS, RESERVATIONS, Table, Value,
};

/// What a worker does with entries.
pub struct Rules {
    pub hooks: Hooks,
    pub with_journal: bool,
    pub with_reservations: bool,
}

/// What became of a batch.
#[derive(Default, Debug)]
pub struct Outcome {
    /// New rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    pub duplicates: u64,
    /// New dead letters, as lines for the log.
    pub dead: Vec<String>,
    pub unknown: u64,
    /// Entries that never reached the stream.
    pub lost: u64,
}

/// A transaction that is being filled.
struct Filling<'a, 'b> {
    database: &'a mut Database,
    rules: &'a Rules,
    stream: &'a [u8],
    /// Marks the rows of this transaction in MySQL.
    delivery: i64,
    outcome: Outcome,
    letters: Vec<Letter<'b>>,
    /// By the place of an entry in the batch: is it new?
    is_new: Vec<bool>,
}

/// Stores entries in one transaction, and commits it.
///
/// # Errors
///
/// The database refuses; nothing is stored then, as far as anybody can know.
pub async fn store(
    database: &mut Database,
    rules: &Rules,
    stream: &[u8],
    entries: &[Raw],
) -> Result<Outcome, sqlx::Error> {
    let mut filling = Filling::begin(database, rules, stream, entries.len()).await?;
    filling.fill(entries).await?;
    filling.insert_letters().await?;
    filling.database.run("COMMIT").await?;
    Ok(filling.outcome)
}

/// Stores the entry of a dead letter, and removes the letter in the same transaction.
/// Returns, in words, why it is dead still.
///
/// # Errors
///
/// The database refuses; the transaction is open still.
pub async fn store_dead(
    database: &mut Database,
    rules: &Rules,
    stream: &[u8],
    entry: &[Raw],
    number: i64,
) -> Result<Result<(), String>, sqlx::Error> {
    let mut filling = Filling::begin(database, rules, stream, entry.len()).await?;
    filling.fill(entry).await?;
    if let Some(letter) = filling.letters.first() {
        let why = format!("{}: {}", letter.reason.word(), letter.detail);
        filling.database.run("ROLLBACK").await?;
        return Ok(Err(why));
    }
    dead::remove(filling.database, number).await?;
    filling.database.run("COMMIT").await?;
    Ok(Ok(()))
}

/// Stores one entry as a dead letter for a reason that the database gave.
///
/// # Errors
///
/// The database refuses that as well.
pub async fn bury(
    database: &mut Database,
    rules: &Rules,
    stream: &[u8],
    raw: &Raw,
    detail: String,
) -> Result<Outcome, sqlx::Error> {
    let letter = Letter::of(raw, Reason::Failed, detail, &rules.hooks);
    let mut outcome = Outcome::default();
    database.begin().await?;
    if dead::insert(database, stream, &letter, new_delivery()).await? {
        outcome.dead.push(letter.describe());
    }
    database.run("COMMIT").await?;
    Ok(outcome)
}

impl<'a, 'b> Filling<'a, 'b> {
    async fn begin(
        database: &'a mut Database,
        rules: &'a Rules,
        stream: &'a [u8],
        entries: usize,
    ) -> Result<Self, sqlx::Error> {
        database.begin().await?;
        Ok(Self {
            database,
            rules,
            stream,
            delivery: new_delivery(),
            outcome: Outcome::default(),
            letters: Vec::new(),
            is_new: vec![false; entries],
        })
    }

    /// Reads an entry; what cannot be stored becomes a dead letter, what need not is counted.
    fn parse(&mut self, raw: &'b Raw) -> Option<Entry<'b>> {
        let hooks = &self.rules.hooks;
        let Some(fields) = &raw.fields else {
            let detail = "the stream was trimmed while this entry was pending".to_owned();
            self.letters
                .push(Letter::of(raw, Reason::Trimmed, detail, hooks));
            return None;
        };
        let event = match entry::event_of(fields) {
            Ok(event) => event,
            Err(detail) => {
                self.letters
                    .push(Letter::of(raw, Reason::Unreadable, detail, hooks));
                return None;
            }
        };
        let is_known = EVENTS.contains(&event) || event == LOST;
        if !is_known {
            self.outcome.unknown += 1;
        }
        if event == LOST {
            let qty = entry::field(fields, "qty").and_then(|qty| std::str::from_utf8(qty).ok());
            self.outcome.lost += qty.and_then(|qty| qty.parse().ok()).unwrap_or(1);
        }
        let is_wanted = matches!(event, "order" | "refund")
            || self.rules.with_journal
            || hooks.of(event).is_some()
            || (self.rules.with_reservations && row::state_after(event).is_some());
        if !is_wanted {
            return None;
        }
        match Entry::parse(fields) {
            Ok(entry) => match hooks.field_that_is_no_text(event, &entry) {
                None => Some(entry),
                Some(name) => {
                    let detail = format!("its {name} is no UTF-8, and its hook takes text");
                    self.letters
                        .push(Letter::of(raw, Reason::NotText, detail, hooks));
                    None
                }
            },
            // Of a newer module: no reason to call somebody.
            Err(_) if !is_known => None,
            Err(detail) => {
                self.letters
                    .push(Letter::of(raw, Reason::Unreadable, detail, hooks));
                None
            }
        }
    }

    /// Fills the tables and runs the hooks; what is dead is among the letters then.
    async fn fill(&mut self, raw: &'b [Raw]) -> Result<(), sqlx::Error> {
        let entries: Vec<Option<Entry<'b>>> = raw.iter().map(|raw| self.parse(raw)).collect();
        let entries = entries.as_slice();
        self.fill_table(&ORDERS, raw, entries, |event| event == "order")
            .await?;
        self.fill_table(&REFUNDS, raw, entries, |event| event == "refund")
            .await?;
        let rules = self.rules;
        let is_kept = |event: &str| {
            !matches!(event, "order" | "refund")
                && (rules.with_journal || rules.hooks.of(event).is_some())
        };
        self.fill_table(&EVENTS_TABLE, raw, entries, is_kept)
            .await?;
        if rules.with_reservations {
            let rows = row::newest_reservations(entries.iter().flatten());
            self.database
                .upsert_newest(&RESERVATIONS, &rows, self.delivery)
                .await?;
        }
        for (entry, is_new) in entries.iter().zip(&self.is_new) {
            if let (Some(entry), true) = (entry, is_new) {
                rules.hooks.run(entry.event, entry, self.database).await?;
            }
        }
        Ok(())
    }

    /// Inserts the entries of a table, and compares those that were there.
    async fn fill_table(
        &mut self,
        table: &'static Table,
        raw: &'b [Raw],
        entries: &[Option<Entry<'b>>],
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<(), sqlx::Error> {
        // After a failover one batch may hold two entries of one key: the first is the row.
        let mut first: HashMap<Key, usize> = HashMap::new();
        let mut ours: Vec<(usize, Key)> = Vec::new();
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let Some(entry) = entry.as_ref().filter(|entry| is_ours(entry.event)) else {
                continue;
            };
            let key = entry.key();
            if !first.contains_key(&key) {
                first.insert(key.clone(), at);
                rows.push(row::of(entry, &raw[at].id, self.stream));
            }
            ours.push((at, key));
        }
        let new = self.database.insert(table, &rows, self.delivery).await?;
        if !new.is_empty() {
            *self.outcome.rows.entry(table.name).or_default() += new.len() as u64;
        }
        let old: HashSet<Key> = first
            .keys()
            .filter(|key| !new.contains(*key))
            .cloned()
            .collect();
        let old: Vec<Key> = old.into_iter().collect();
        let columns = row::compared(table);
        let found = if columns.is_empty() {
            HashMap::new()
        } else {
            self.database.find(table, &old, columns).await?
        };
        for (at, key) in ours {
            let Some(entry) = &entries[at] else { continue };
            if first.get(&key) == Some(&at) && new.contains(&key) {
                self.is_new[at] = true;
                continue;
            }
            let there = match found.get(&key) {
                Some(row) => Some(row.clone()),
                None => first
                    .get(&key)
                    .and_then(|at| entries[*at].as_ref())
                    .map(row::comparable),
            };
            self.compare(&raw[at], entry, there.as_deref(), columns);
        }
        Ok(())
    }

    /// Decides what an entry is whose row was there already.
    fn compare(
        &mut self,
        raw: &'b Raw,
        entry: &Entry<'b>,
        there: Option<&[Value]>,
        columns: &[(&'static str, Kind)],
    ) {
        let Some([user, items, rest @ ..]) = there.filter(|_| !columns.is_empty()) else {
            self.outcome.duplicates += 1;
            return;
        };
        let hooks = &self.rules.hooks;
        if user.bytes() != entry.user || !units::are_same(items.text(), entry.items) {
            let user = String::from_utf8_lossy(user.bytes()).into_owned();
            let detail = format!(
                "the row that is there has user {user} and items {}",
                items.text()
            );
            self.letters
                .push(Letter::of(raw, Reason::Conflict, detail, hooks));
        } else if rest
            .first()
            .is_some_and(|reference| reference.bytes() != entry.reference)
        {
            let reference = String::from_utf8_lossy(rest[0].bytes()).into_owned();
            let detail = format!("the order that is there was paid by {reference:?}");
            self.letters
                .push(Letter::of(raw, Reason::PaidTwice, detail, hooks));
        } else {
            self.outcome.duplicates += 1;
        }
    }

    async fn insert_letters(&mut self) -> Result<(), sqlx::Error> {
        for letter in std::mem::take(&mut self.letters) {
            // A number of its own: two letters of one key may be in one batch.
            if !dead::insert(self.database, self.stream, &letter, new_delivery()).await? {
                self.outcome.duplicates += 1;
                continue;
            }
            self.outcome.dead.push(letter.describe());
            if letter.reason == Reason::PaidTwice {
                let fields = letter.raw.fields.as_ref();
                if let Some(Ok(entry)) = fields.map(Entry::parse) {
                    self.rules
                        .hooks
                        .run(PAID_TWICE, &entry, self.database)
                        .await?;
                }
            }
        }
        Ok(())
    }
}

/// Draws a number for a transaction. The keys of a hasher are random.
fn new_delivery() -> i64 {
    (RandomState::new().hash_one(0) >> 1) as i64
}

impl Outcome {
    /// Reports what somebody should know.
    pub fn log(&self, stream: &str) {
        for letter in &self.dead {
            log::warn(format!("{stream}: dead letter: {letter}"));
        }
        if self.lost > 0 {
            log::warn(format!(
                "{stream}: {} events were dropped before they reached the stream, none of them an order: compare your open intents with FLASHSALE.GET",
                self.lost
            ));
        }
    }
}
