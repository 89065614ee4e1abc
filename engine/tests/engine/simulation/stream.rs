//! The order stream of a server, and how many entries a sale with `EVENTS all` must have had.
//!
//! A copy appends what the events that it carries out say: the entries that waited, at the IDs
//! they were given, then its own. A crash loses what the AOF does not say, entries as events.
//! So on every history each entry is there once, waits, or is among those that were lost.
//! Edge: which records wait is the engine's own; how many there must be, the ledger says.

use std::collections::BTreeSet;

use super::ledger::{Ledger, must, spelled};
use super::record::Fate;
use crate::commands::play::Fault;
use flashsale_engine::sale::{Change, EntryId, Event, Events, News, Options, Sale};

/// An entry: where it stands, its `seq` if it has one, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: EntryId,
    seq: Option<u64>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An order or a refund.
    Own,
    /// So many entries were dropped before it.
    Lost(u64),
    Other,
}

/// The entries of one server's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    entries: Vec<Entry>,
    /// It followed a primary that had missed something else than this copy, or missed an event
    /// itself: nobody can say which entries it should have, nor at which IDs.
    is_doubtful: bool,
}

impl Stream {
    pub fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Has it the same entries as another one, as far as can be said?
    pub fn is_like(&self, other: &Stream) -> bool {
        self.is_doubtful || other.is_doubtful || self == other
    }

    /// Appends what an event says that is about to be carried out.
    pub fn follow(&mut self, sale: &Sale, event: &Event<'_>) -> Result<(), Fault> {
        let outbox = sale.outbox().into_iter();
        let records = outbox.flat_map(|outbox| outbox.read());
        for (record, at) in records.zip(event.change.told().ids()) {
            let record = record.map_err(|error| error.to_string())?;
            let kind = match record.news {
                News::Lost { qty } => Kind::Lost(qty),
                _ => Kind::Other,
            };
            let seq = Some(record.seq);
            self.append(Entry { at, seq, kind })?;
        }
        match event.entry() {
            Some(at) => self.append(Entry {
                at,
                seq: sale.next_seq(event.at_ms),
                kind: Kind::Own,
            }),
            None => Ok(()),
        }
    }

    fn append(&mut self, entry: Entry) -> Result<(), Fault> {
        let ascends = self.entries.last().is_none_or(|last| last.at < entry.at);
        must(ascends || self.is_doubtful, "the IDs of the stream ascend")?;
        self.entries.push(entry);
        Ok(())
    }

    /// Each entry that the ledger knows of is here once, waits, or is among the lost; and what
    /// was lost is told.
    pub fn judge(&self, sale: &Sale, books: &Ledger) -> Result<(), Fault> {
        if self.is_doubtful {
            return Ok(());
        }
        let mut seqs = BTreeSet::new();
        let (mut others, mut told_lost) = (0, 0);
        for entry in &self.entries {
            let is_new = entry.seq.is_none_or(|seq| seqs.insert(seq));
            must(is_new, "no entry is written twice")?;
            match entry.kind {
                Kind::Own => {}
                Kind::Other => others += 1,
                Kind::Lost(qty) => told_lost += qty,
            }
        }
        let Some(outbox) = sale.outbox() else {
            return must(
                books.entries_queued == 0,
                "a sale without an outbox has none",
            );
        };
        let hole = outbox.hole().map_or(0, |hole| hole.qty);
        let waiting = outbox.waiting() as u64 - u64::from(hole > 0);
        let lost = outbox.counts().lost;
        must(
            told_lost + hole == lost,
            "what was lost is told, or will be",
        )?;
        must(
            others + waiting + lost == books.entries_queued,
            "each entry is written once, waits or is lost",
        )?;
        let mut records = outbox.read().skip(usize::from(hole > 0));
        must(
            records.all(|record| record.is_ok_and(|record| seqs.insert(record.seq))),
            "what waits was not written",
        )
    }
}

/// Does a change have entries? The one that ends them has.
pub fn tells(options: &Options, change: &Change<'_>) -> bool {
    let will = matches!(change, Change::Altered(options) if options.events == Events::All);
    will || options.events == Events::All
}

/// How many entries a change is about to have, but for those of items.
pub fn entries_of(books: &Ledger, change: &Change<'_>) -> u64 {
    match change {
        Change::Reserved { replaces, .. } => 1 + u64::from(replaces.is_some()),
        Change::Released { id } => {
            let record = books.record(&spelled(id.spelling()));
            let is_final = record.is_none_or(|record| record.fate == Fate::Expired);
            u64::from(!is_final)
        }
        Change::Swept { expired, .. } => u64::from(*expired),
        Change::Extended { .. }
        | Change::Expired { .. }
        | Change::Restocked { .. }
        | Change::Altered(_)
        | Change::Paused
        | Change::Resumed { .. }
        | Change::Closed
        | Change::Bound { .. } => 1,
        _ => 0,
    }
}

/// What buyers see of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    InStock,
    AllReserved,
    SoldOut,
}

/// What buyers see of every item.
pub fn shelves(books: &Ledger) -> Vec<Shelf> {
    let shelf = |(available, reserved): (u64, u64)| match (available, reserved) {
        (1.., _) => Shelf::InStock,
        (0, 1..) => Shelf::AllReserved,
        (0, 0) => Shelf::SoldOut,
    };
    let items = books.items.iter();
    let stocks = items.map(|item| (item.available().unwrap_or(0), item.reachable()));
    stocks.map(shelf).collect()
}

/// How many items another thing is seen of. A new item was sold out before.
pub fn crossed(before: &[Shelf], after: &[Shelf]) -> u64 {
    let before = before.iter().chain(std::iter::repeat(&Shelf::SoldOut));
    after
        .iter()
        .zip(before)
        .filter(|(new, old)| new != old)
        .count() as u64
}
