//! What a sale answers when nothing is to change: a replay of what already
//! happened, a refusal, or an error.
//!
//! An answer borrows nothing and allocates nothing: items are indices, reservations
//! are slots; `command/reply.rs` turns it into words, with the id from the request.

use crate::sale::book::reservation::Slot;
use crate::sale::book::waiting::PlaceSlot;
use crate::sale::units::{EntryId, ItemIndex};

/// The SKU a `NotSold` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// None: the reservation was never sold.
    Nothing,
    Item(ItemIndex),
    /// Not an item of the sale; the position in the request.
    Asked(usize),
}

/// Which limit makes a request wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottledBy {
    /// PACE: reservations begin no faster.
    Sale,
    /// USERRATE: this user has tried too often.
    User,
    /// FROMRATE: this source has.
    Source,
}

impl ThrottledBy {
    /// Returns the word of the reply.
    pub fn word(self) -> &'static str {
        match self {
            ThrottledBy::Sale => "sale",
            ThrottledBy::User => "user",
            ThrottledBy::Source => "from",
        }
    }
}

/// Every answer of the contract's tables, one variant a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    // Replays: the state a reservation is in.
    /// Open; deadline and remainders are read from the slot, brought up to date.
    Reserved {
        slot: Slot,
    },
    Sold {
        order: EntryId,
    },
    /// Sold under another REF, which is read from the slot.
    AlreadySold {
        slot: Slot,
    },
    Refunded {
        entry: EntryId,
    },
    Released,
    Expired {
        expires_at_ms: u64,
        /// For so long a later CHECKOUT can still succeed, 0 when none can; `None` where
        /// no CHECKOUT was asked for.
        grace_left_ms: Option<u64>,
    },
    /// RESTOCK with a REF it already had.
    Restocked,
    /// PAUSE, RESUME, CLOSE, BIND or ALTER of what already is so.
    Unchanged,

    // Refusals.
    Mismatch,
    NoReservation,
    Ended {
        at_ms: u64,
    },
    NotStarted {
        starts_in_ms: u64,
    },
    Paused {
        at_ms: u64,
    },
    OrderLimit {
        limit: u64,
    },
    UserLimit {
        remaining: u64,
    },
    ItemLimit {
        remaining: u64,
        item: ItemIndex,
    },
    SaleLimit {
        remaining: u64,
    },
    SoldOut {
        available: u64,
        item: ItemIndex,
    },
    AllReserved {
        retry_in_ms: u64,
        item: Option<ItemIndex>,
    },
    NotSold {
        left: u64,
        which: Which,
    },
    TooFew {
        available: u64,
        item: ItemIndex,
    },

    // Of other sales: replays.
    /// GIVE of a total that is not above this one.
    Given {
        total: u64,
        item: ItemIndex,
    },
    /// TAKE of a total that is not above this one.
    Taken {
        total: u64,
        item: ItemIndex,
    },

    // Of lines and PACE.
    /// The id waits; what there is to say is read from its place.
    Waiting {
        place: PlaceSlot,
    },
    /// The id waits: there is nothing to check out, extend or replace yet.
    StillWaiting,
    /// The user waits already, under another id.
    Placed {
        place: PlaceSlot,
    },
    LineFull {
        /// WAITING.
        most: u64,
    },
    /// Too early.
    Throttled {
        retry_in_ms: u64,
        by: ThrottledBy,
    },

    /// No pass that the sale's secrets made for this id and user, or one that is over.
    NoPass,

    // Errors.
    /// No such item; `ask` is its position in the request, `None` when a bare
    /// quantity does not say which of several items is meant.
    NoSku {
        ask: Option<usize>,
    },
    /// The sale holds as many reservations as configuration allows.
    Full,
    /// The request makes no sense for this sale; the text names the argument.
    Invalid(&'static str),
}

impl Answer {
    /// What a refusal becomes while reservations that could lift it are overdue.
    pub const RETRY_NOW: Answer = Answer::AllReserved {
        retry_in_ms: 1,
        item: None,
    };
}
