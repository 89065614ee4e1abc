//! What happened to a sale: the only thing that changes one.
//!
//! A plan makes an event, `apply` carries it out, and the encoded event is what
//! replicas and the AOF receive. Everything the outcome depends on is inside:
//! moments, deadlines, ids, stream IDs, and choices that depended on configuration.
//! What a change is to keyspace events, counters and the key is in `facts.rs`, its bytes in
//! `codec.rs`, what it does in `apply.rs`; the events of a batch travel in one `container.rs`.
//! `queue.rs` queues the entries that a change has in the order stream, as a `record.rs` each;
//! `told.rs` says where they were written.

mod alterations;
pub mod apply;
mod apply_line;
mod apply_refund;
mod apply_share;
mod apply_units;
pub mod check;
mod check_line;
mod check_share;
mod check_units;
pub mod codec;
pub mod container;
mod create;
pub mod facts;
mod forgets_codec;
pub(crate) mod line_codec;
mod moves;
mod options_codec;
mod order_codec;
pub(crate) mod parts;
mod queue;
pub mod record;
mod restock_codec;
pub(crate) mod share_codec;
pub mod told;
pub(crate) mod units_codec;

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::sale::book::named::UnitList;
use crate::sale::book::options::Options;
use crate::sale::book::waiting::draw::Seed;
use crate::sale::event::told::Told;
use crate::sale::state::{MarkId, shorten_reason};
use crate::sale::units::{EntryId, ItemIndex, Lines};
use crate::table::name::{Key, Spelling};

/// One change of a sale. Names are looked-up keys, borrowed from the request or
/// from the bytes the event was decoded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The moment of decision, in Unix milliseconds; becomes the sale's last change.
    pub at_ms: u64,
    pub change: Change<'a>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    Created(Box<Created<'a>>),
    Reserved {
        id: Key<'a>,
        user: Key<'a>,
        lines: Lines,
        /// Units with names, in the order of the lines, ascending within a line.
        units: UnitList,
        expires_at_ms: u64,
        forgets: Forgets,
        /// REPLACE: this open reservation gives its units and the moment of its making,
        /// and is remembered as released.
        replaces: Option<Key<'a>>,
    },
    /// An open reservation, or one within its grace, became an order.
    Sold {
        id: Key<'a>,
        order: Order<'a>,
        /// Sealed units given out, in the order of the lines, ascending within a line.
        sealed: UnitList,
    },
    /// Reserved and sold in one step.
    Bought {
        id: Key<'a>,
        user: Key<'a>,
        lines: Lines,
        /// As of `Reserved`.
        units: UnitList,
        order: Order<'a>,
        /// As of `Sold`.
        sealed: UnitList,
        forgets: Forgets,
    },
    /// An open or expired reservation was given back.
    Released {
        id: Key<'a>,
    },
    /// An id never seen was released: it is remembered, without items.
    ReleasedUnseen {
        id: Key<'a>,
        user: Option<Key<'a>>,
        forgets: Forgets,
    },
    /// The deadlines of the earliest `expired` open reservations passed, then the grace
    /// of the earliest `lapsed` expired ones, and the earliest `forgotten` remembered ids
    /// are known no longer. Counts are enough: each queue has one order, kept by every
    /// copy of the sale.
    Swept {
        expired: u32,
        lapsed: u32,
        forgotten: u32,
    },
    /// The deadline of this one passed, ahead of its turn in a sweep.
    Expired {
        id: Key<'a>,
    },
    /// The grace of this one is over, ahead of its turn in a sweep.
    Lapsed {
        id: Key<'a>,
    },
    Extended {
        id: Key<'a>,
        expires_at_ms: u64,
    },
    Refunded(Refund<'a>),
    /// An order that the sale did not know was sold elsewhere, or before a failover.
    Imported(Box<Imported<'a>>),
    /// Units were set aside for another sale.
    Given(Box<Given>),
    /// Units that another sale gave are on sale here.
    Taken(Box<Taken<'a>>),
    Restocked {
        /// Each SKU once, in the order first asked.
        deltas: Vec<StockDelta<'a>>,
        reference: Option<Spelling<'a>>,
        /// Of a restock by name, which has one delta.
        named: Option<Box<NamedRestock<'a>>>,
    },
    /// All options, as they are from now on.
    Altered(Box<Options>),
    Paused,
    Resumed {
        /// A person lifted this mark of a diverged copy. What a sound primary resumes
        /// lifts none, and another copy's mark of something else stays.
        lifts: Option<MarkId>,
    },
    Closed,
    /// This copy missed a change of its primary, and does not sell should it become one.
    /// Not a change of the sale: its time does not move.
    Marked {
        /// What did not fit, in words.
        reason: &'a str,
    },
    /// Orders go to this stream from now on.
    Bound {
        orders: &'a [u8],
    },
    /// Somebody waits for units from now on, at the end of the line of an item.
    Joined {
        id: Key<'a>,
        user: Key<'a>,
        item: ItemIndex,
        /// Units, at least 1.
        qty: u64,
    },
    /// Somebody who waited has left.
    Left {
        id: Key<'a>,
        /// The id is known as released from now on, with what makes room for it; `None` where
        /// there is no room for another.
        remembers: Option<Forgets>,
    },
    /// Every line of people that had no order has one now.
    Drawn {
        seed: Seed,
    },
    /// The next places of a line were settled.
    Granted(Granted),
    /// These lines ended: what was waited for cannot come.
    Dissolved {
        /// Ascending, at least one.
        items: Vec<ItemIndex>,
    },
    /// The oldest entries of the outbox were written to the order stream. Not a change of the
    /// sale: its time does not move.
    Told(Told<'a>),
    /// The oldest entries of the outbox will not be written: it held more than its bound,
    /// which is configuration, so that a replica could not work this out. Not a change of the sale either.
    Dropped {
        /// Entries, at least 1; the report of earlier ones counts as one.
        count: u64,
    },
}

/// Which remembered id makes room for a new one. The bound is configuration, so a
/// replica could not work this out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    Nothing,
    /// The oldest one, also within its grace: what events of version 1 mean.
    Oldest,
    /// The oldest one that can no longer be checked out.
    OldestPastGrace,
}

/// A new sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created<'a> {
    /// A ULID.
    pub sale_id: u128,
    /// The ULID that names the sale to GIVE and TAKE: the same, unless that was given.
    pub share_id: u128,
    /// Name of the order stream.
    pub orders: &'a [u8],
    pub options: Options,
    /// SKU and stock, in the order given.
    pub items: Vec<(&'a [u8], u64)>,
}

/// What a checkout adds to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    pub reference: Option<Spelling<'a>>,
    /// JSON for the stream entry; the sale itself does not keep it.
    pub payload: Option<&'a [u8]>,
    /// Where the entry stands in the stream; zero while it is [`Pending`].
    pub entry: EntryId,
    /// What waited in the outbox, and was written to the stream before it.
    pub told: Told<'a>,
}

/// Units taken back from an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund<'a> {
    pub id: Key<'a>,
    pub lines: Lines,
    /// Units with names, in the order of the lines, ascending within a line.
    pub units: UnitList,
    pub reference: Option<Spelling<'a>>,
    /// The units are on sale again, but for sealed ones, which never are.
    pub restocks: bool,
    /// NORESTOCK was asked for. After END units do not go on sale again either, though
    /// nobody asked for it; `None` when events of version 1 do not say which it was.
    pub no_restock: Option<bool>,
    /// The units no longer count against the user's limits.
    pub restores_limit: bool,
    pub entry: EntryId,
    /// What waited in the outbox, and was written to the stream before it.
    pub told: Told<'a>,
}

/// An order as it was, wherever it was sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported<'a> {
    pub id: Key<'a>,
    pub user: Key<'a>,
    pub lines: Lines,
    /// When it was sold, in Unix milliseconds.
    pub sold_at_ms: u64,
    pub order: Order<'a>,
    /// Units with names that it has not had so far, in the order of the lines.
    pub units: UnitList,
    /// The same of sealed items.
    pub sealed: UnitList,
    /// What makes room for an id that is not known.
    pub forgets: Forgets,
}

/// Units of an item that go to another sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    pub item: ItemIndex,
    /// The share id of the sale they are for.
    pub to: u128,
    /// Units it was given in all, these included.
    pub total: u64,
    /// Units of this event; 0: the total is written once more, so that it is known to be.
    pub units: u64,
    /// Those of them that are not there.
    pub owes: u64,
}

/// Units of an item that come from another sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// An item of this name is made where there is none. Owned when no name was given.
    pub sku: Cow<'a, [u8]>,
    /// The share id of the sale that gave them.
    pub from: u128,
    /// Units taken from it in all, these included.
    pub total: u64,
    /// Units of this event.
    pub units: u64,
}

/// What became of the next places of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub item: ItemIndex,
    /// How many places, also those where nobody was any more; at least 1.
    pub places: u64,
    /// Of the people at these places, by turn: so many became reservations, so many were
    /// passed over, and so on in turn. Empty where nobody was.
    pub runs: SmallVec<[u32; 2]>,
    /// Units with names, of one reservation after the other, ascending within each.
    pub units: UnitList,
    /// Of each new reservation.
    pub expires_at_ms: u64,
    /// So many of the new ids take the room of the oldest remembered ones that can no longer
    /// be checked out.
    pub forgotten: u32,
}

impl Granted {
    /// Most places of one event: as many as `sweep-max` may be.
    pub const PLACES_MAX: u64 = 100_000;

    /// Returns how many became reservations, and how many were passed over.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |from: usize| {
            let runs = self.runs.iter().skip(from).step_by(2);
            runs.map(|&run| u64::from(run)).sum()
        };
        (sum(0), sum(1))
    }
}

/// What a restock by name does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedRestock<'a> {
    /// Units that are new, or come back on sale, or are withdrawn: those alone that change.
    pub names: Vec<&'a [u8]>,
    pub sealed: bool,
    pub withdraw: bool,
    /// Of the whole call, where it has a REF.
    pub digest: Option<u128>,
}

/// A change of one item's stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockDelta<'a> {
    /// Owned when a bare delta meant an item by its place.
    pub sku: Cow<'a, [u8]>,
    /// Units added, or taken away when negative.
    pub delta: i64,
}

impl<'a> Change<'a> {
    /// A mark with as much of the reason as it keeps.
    pub fn marked(reason: &'a str) -> Change<'a> {
        let reason = shorten_reason(reason);
        Change::Marked { reason }
    }

    /// Returns the entries of the outbox that were written to the stream with this change.
    #[inline]
    pub fn told(&self) -> Told<'a> {
        match self {
            Change::Sold { order, .. } | Change::Bought { order, .. } => order.told,
            Change::Refunded(refund) => refund.told,
            Change::Imported(imported) => imported.order.told,
            Change::Told(told) => *told,
            _ => Told::default(),
        }
    }
}

impl Event<'_> {
    /// Where the entry of this event stands in the order stream, if it has one.
    pub fn entry(&self) -> Option<EntryId> {
        match &self.change {
            Change::Sold { order, .. } | Change::Bought { order, .. } => Some(order.entry),
            Change::Refunded(refund) => Some(refund.entry),
            Change::Imported(imported) => Some(imported.order.entry),
            _ => None,
        }
    }
}

/// A sale or a refund that was decided, and whose entry is not in the order stream yet. It
/// becomes an event, which can be carried out, when the entry has been appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending<'a>(Event<'a>);

impl<'a> Pending<'a> {
    pub(crate) fn new(at_ms: u64, change: Change<'a>) -> Pending<'a> {
        Pending(Event { at_ms, change })
    }

    /// The moment of decision, in Unix milliseconds.
    pub fn at_ms(&self) -> u64 {
        self.0.at_ms
    }

    /// What is to change; its entry is zero.
    pub fn change(&self) -> &Change<'a> {
        &self.0.change
    }

    /// The event, with the place where its entry was appended.
    pub fn entered(self, entry: EntryId) -> Event<'a> {
        let Pending(mut event) = self;
        match &mut event.change {
            Change::Sold { order, .. } | Change::Bought { order, .. } => order.entry = entry,
            Change::Refunded(refund) => refund.entry = entry,
            Change::Imported(imported) => imported.order.entry = entry,
            _ => {}
        }
        event
    }

    /// Notes what was written to the stream before its own entry.
    pub fn telling(mut self, told: Told<'a>) -> Pending<'a> {
        match &mut self.0.change {
            Change::Sold { order, .. } | Change::Bought { order, .. } => order.told = told,
            Change::Refunded(refund) => refund.told = told,
            Change::Imported(imported) => imported.order.told = told,
            _ => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::units::MARK_BYTES_MAX;

    #[test]
    fn a_mark_keeps_as_much_of_its_reason_as_fits() {
        assert_eq!(Change::marked("why"), Change::Marked { reason: "why" });
        // 199 bytes, then a letter of two.
        let long = format!("{}\u{e9}...", "x".repeat(MARK_BYTES_MAX - 1));
        let kept = "x".repeat(MARK_BYTES_MAX - 1);
        assert_eq!(Change::marked(&long), Change::Marked { reason: &kept });
    }
}
