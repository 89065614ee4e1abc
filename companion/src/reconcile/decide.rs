//! What to do about an order, a refund and an entry, by what SQL, the sale and its stream say.
//!
//! Edge: no I/O and nothing but the standard library, so that the engine's simulation runs this
//! very file. Reading the three books is the business of the files beside it.
//!
//! # Rules
//!
//! 1. SQL is the truth of what was sold: an order that the sale has not sold is lost, whatever
//!    else the sale knows of its id.
//! 2. Nothing is taken from anybody: what the sale sold under another ref, to another user or
//!    as other units is left to people.
//! 3. A refund is repeated in full or not at all. Refunds go in the order of their moments; the
//!    one without a ref goes last, because it takes all the rest.
//! 4. The stream behind T0 is the worker's, and so is an entry that the group has yet to get or
//!    has yet to acknowledge.

use std::collections::{BTreeMap, BTreeSet};

/// Units of an order: by SKU how many, and the names of those that have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units(BTreeMap<Vec<u8>, Line>);

/// The units of one SKU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub qty: u64,
    pub names: BTreeSet<Vec<u8>>,
}

impl Units {
    /// Adds units of a SKU.
    pub fn add(&mut self, sku: &[u8], qty: u64) {
        let line = self.0.entry(sku.to_vec()).or_default();
        line.qty = line.qty.saturating_add(qty);
    }

    /// Names one of the units of a SKU.
    pub fn name(&mut self, sku: &[u8], name: &[u8]) {
        let line = self.0.entry(sku.to_vec()).or_default();
        line.names.insert(name.to_vec());
    }

    /// Reports whether nothing is known of any SKU.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the lines by SKU.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &Line)> {
        self.0.iter().map(|(sku, line)| (sku.as_slice(), line))
    }

    /// Reports whether both are as many units of each SKU.
    pub fn are_as_many(&self, other: &Self) -> bool {
        let qty = |units: &Self| -> Vec<(Vec<u8>, u64)> {
            let lines = units.0.iter().filter(|(_, line)| line.qty > 0);
            lines.map(|(sku, line)| (sku.clone(), line.qty)).collect()
        };
        qty(self) == qty(other)
    }

    /// Reports whether each name of `other` is among these. A SKU without names here has none to
    /// compare.
    fn has_the_names_of(&self, other: &Self) -> bool {
        other.0.iter().all(|(sku, line)| match self.0.get(sku) {
            Some(ours) => ours.names.is_empty() || line.names.is_subset(&ours.names),
            None => line.names.is_empty(),
        })
    }

    /// Takes units away; reports `false`, and takes none, if there are fewer.
    fn take(&mut self, other: &Self) -> bool {
        let left = |sku: &Vec<u8>| self.0.get(sku).map_or(0, |line| line.qty);
        if other.0.iter().any(|(sku, line)| left(sku) < line.qty) {
            return false;
        }
        for (sku, line) in &other.0 {
            if let Some(ours) = self.0.get_mut(sku) {
                ours.qty -= line.qty;
            }
        }
        true
    }
}

/// An order as SQL has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    pub id: Vec<u8>,
    pub user: Vec<u8>,
    /// Empty for none.
    pub reference: Vec<u8>,
    pub units: Units,
    pub at_ms: i64,
}

/// A refund as SQL has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRow {
    pub id: Vec<u8>,
    /// Empty for none.
    pub reference: Vec<u8>,
    pub units: Units,
    pub restorelimit: bool,
    pub norestock: bool,
    pub at_ms: i64,
}

/// What the sale says of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Open, waiting, expired or released.
    Unsold,
    Sold,
    /// Wholly refunded.
    Refunded,
}

/// An id as GET shows it.
#[derive(Clone, Debug)]
pub struct Known {
    pub state: State,
    /// `None` for an id that was released before it was seen.
    pub user: Option<Vec<u8>>,
    /// `None` where only a digest is left. Names are those it has now.
    pub units: Option<Units>,
    /// Empty for none.
    pub reference: Vec<u8>,
    pub refunds: Vec<KnownRefund>,
}

/// A refund as GET shows it.
#[derive(Clone, Debug)]
pub struct KnownRefund {
    pub reference: Vec<u8>,
    pub units: Units,
}

/// What an order of SQL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// To be imported.
    Lost,
    /// For people: money to give back.
    PaidTwice,
    /// For people; says why.
    Conflict(&'static str),
}

/// Compares an order of SQL with what the sale says of its id.
pub fn order(row: &OrderRow, known: Option<&Known>) -> Verdict {
    let Some(known) = known else {
        return Verdict::Lost;
    };
    if known.user.as_ref().is_some_and(|user| *user != row.user) {
        return Verdict::Conflict("the sale has it for another user");
    }
    if let Some(units) = &known.units
        && !units.is_empty()
        && !row.units.are_as_many(units)
    {
        return Verdict::Conflict("the sale has other units");
    }
    let names = known.units.as_ref();
    if names.is_some_and(|names| !row.units.has_the_names_of(names)) {
        return Verdict::Conflict("the sale has units of other names");
    }
    match known.state {
        State::Unsold => Verdict::Lost,
        State::Sold | State::Refunded if known.reference == row.reference => Verdict::Fine,
        State::Sold | State::Refunded => Verdict::PaidTwice,
    }
}

/// What a refund of SQL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundVerdict {
    Fine,
    /// To be repeated.
    Missing,
    /// For people; says why.
    Conflict(&'static str),
}

/// Puts refunds of one order into the order in which they have to be repeated.
pub fn sort_refunds(rows: &mut [RefundRow]) {
    rows.sort_by(|one, other| {
        let place = |row: &RefundRow| (row.reference.is_empty(), row.at_ms);
        let by_ref = || one.reference.cmp(&other.reference);
        place(one).cmp(&place(other)).then_with(by_ref)
    });
}

/// Compares the refunds of one order, sorted, with those the sale knows. `units` is what was
/// sold. Whoever repeats the missing ones does so in this order.
pub fn refunds(units: &Units, rows: &[RefundRow], known: &[KnownRefund]) -> Vec<RefundVerdict> {
    let mut left = units.clone();
    for refund in known {
        // The sale gives back no more than it has sold.
        left.take(&refund.units);
    }
    let mut verdicts = Vec::with_capacity(rows.len());
    for row in rows {
        let there = known.iter().find(|one| one.reference == row.reference);
        verdicts.push(match there {
            Some(one) if one.units.are_as_many(&row.units) => RefundVerdict::Fine,
            Some(_) => RefundVerdict::Conflict("the sale has refunded other units under this ref"),
            None if row.reference.is_empty() && !left.are_as_many(&row.units) => {
                RefundVerdict::Conflict("it takes all the rest, and that is other units now")
            }
            None if left.take(&row.units) => RefundVerdict::Missing,
            None => RefundVerdict::Conflict("less than that is left of the order"),
        });
    }
    verdicts
}

/// The ID of a stream entry.
pub type EntryId = (u64, u64);

/// Reads an ID as a server writes it.
pub fn entry_id(text: &str) -> Option<EntryId> {
    let (ms, seq) = text.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}

/// How far the consumer group of the worker is. It has to be read before SQL is asked: what was
/// acknowledged by then is a row by then.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last entry it was given; `None` if there is no group.
    pub last_delivered: Option<EntryId>,
    /// What it has not acknowledged.
    pub pending: BTreeSet<EntryId>,
}

/// What an entry of the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryVerdict {
    /// SQL has it.
    Fine,
    /// The worker will store it.
    Backlog,
    /// Nobody will store it any more: to be inserted.
    Insert,
    /// It came after the comparison began.
    Later,
}

/// Says what becomes of an `order` or `refund` entry.
pub fn entry(id: EntryId, t0: EntryId, is_in_sql: bool, group: &Group) -> EntryVerdict {
    let is_given = group.last_delivered.is_some_and(|last| id <= last);
    if id > t0 {
        EntryVerdict::Later
    } else if is_in_sql {
        EntryVerdict::Fine
    } else if !is_given || group.pending.contains(&id) {
        EntryVerdict::Backlog
    } else {
        EntryVerdict::Insert
    }
}

/// Says what becomes of an order or a refund that the sale has and SQL has not, by the entry that
/// the sale gave it: one that is still in the stream is judged as an entry.
pub fn without_row(id: EntryId, t0: EntryId, is_in_stream: bool) -> EntryVerdict {
    if id > t0 {
        EntryVerdict::Later
    } else if is_in_stream {
        EntryVerdict::Backlog
    } else {
        EntryVerdict::Insert
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
