//! What a ledger keeps about one item, one id and one user.
//!
//! Edge: values and small questions about them.

use std::collections::BTreeMap;

use super::ledger::spelled;
use flashsale_engine::sale::{self, EntryId};

/// Units by item, each item once, in the order first asked for.
pub type Units = Vec<(usize, u64)>;

pub fn units_in_all(units: &Units) -> u64 {
    units.iter().map(|(_, qty)| qty).sum()
}

/// Units ordered by item.
pub fn sorted(units: &Units) -> Units {
    let mut units = units.clone();
    units.sort_unstable();
    units
}

/// One item: `total` is what was put in and taken out, the rest what events and the
/// order stream say.
pub struct Item {
    pub sku: Vec<u8>,
    /// Below 0 when what it did not have was refunded.
    pub total: i64,
    /// Sold, and never had.
    pub owed: u64,
    pub reserved: u64,
    /// Orders less refunds, by the entries of the stream.
    pub sold: u64,
    /// `Some(sealed)` since its units have names.
    pub named: Option<bool>,
    /// Of a sealed item: the latest deadline of those that had expired while it was counted.
    pub counted_until_ms: Option<u64>,
}

impl Item {
    pub fn new(sku: &[u8], total: u64) -> Item {
        Item {
            sku: sku.to_vec(),
            total: total.cast_signed(),
            owed: 0,
            reserved: 0,
            sold: 0,
            named: None,
            counted_until_ms: None,
        }
    }

    /// What is neither reserved nor sold; `None` when more is than there ever was.
    pub fn available(&self) -> Option<u64> {
        let has = self.total + self.owed.cast_signed();
        u64::try_from(has - self.reserved.cast_signed() - self.sold.cast_signed()).ok()
    }

    /// Reserved units that can come back to a buyer: what is owed is paid first.
    pub fn reachable(&self) -> u64 {
        self.reserved.saturating_sub(self.owed)
    }

    /// Units that came back pay what is owed.
    pub fn pay(&mut self) -> Option<u64> {
        let pays = self.available()?.min(self.owed);
        self.owed -= pays;
        Some(pays)
    }
}

/// A name that was ever the id of a reservation.
#[derive(Default)]
pub struct Id {
    /// Lives begun; another one begins only after the one before was forgotten.
    pub life: u32,
    pub was_sold: bool,
    /// `None` once it is forgotten.
    pub record: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Open,
    Sold,
    Released {
        at_ms: u64,
    },
    /// Past its deadline; until the end of its grace it may still become an order.
    Late,
    /// Expired for good.
    Expired,
}

#[derive(Debug)]
pub struct Record {
    pub user: Option<Vec<u8>>,
    pub units: Units,
    /// Units with names that it has now, or had while it is late, in the order of its lines.
    pub has: Vec<u32>,
    pub fate: Fate,
    pub reserved_at_ms: u64,
    pub expires_at_ms: u64,
    /// Counts reservations, to tell which is older.
    pub made: u64,
    pub queued_at: (u64, u64),
    pub order: Option<Order>,
    /// By an IMPORT.
    pub was_imported: bool,
}

#[derive(Debug)]
pub struct Order {
    pub sold_at_ms: u64,
    pub entry: EntryId,
    pub reference: Option<Vec<u8>>,
    pub refunds: Vec<Refund>,
}

#[derive(Debug)]
pub struct Refund {
    pub reference: Option<Vec<u8>>,
    pub units: Units,
    /// Units with names that it took back.
    pub seats: Vec<u32>,
    /// As they were asked for.
    pub no_restock: Option<bool>,
    pub restores_limit: bool,
    pub entry: EntryId,
}

#[derive(Default)]
pub struct User {
    pub reserved: u64,
    pub sold: u64,
    pub counted: u64,
    pub of_item: BTreeMap<usize, u64>,
}

impl Order {
    pub fn new(sold_at_ms: u64, order: &sale::Order<'_>) -> Order {
        Order {
            sold_at_ms,
            entry: order.entry,
            reference: order.reference.map(spelled),
            refunds: Vec::new(),
        }
    }
}

impl Record {
    pub fn new(user: Option<Vec<u8>>, units: Units, reserved_at_ms: u64) -> Record {
        Record {
            user,
            units,
            has: Vec::new(),
            fate: Fate::Open,
            reserved_at_ms,
            expires_at_ms: 0,
            made: 0,
            queued_at: (0, 0),
            order: None,
            was_imported: false,
        }
    }

    /// Units with names that it has now.
    pub fn has_now(&self) -> &[u32] {
        match self.fate {
            Fate::Open | Fate::Sold => &self.has,
            _ => &[],
        }
    }

    /// Released before it was seen.
    pub fn is_unseen(&self) -> bool {
        self.units.is_empty()
    }

    /// Can it never become an order?
    pub fn is_final(&self) -> bool {
        matches!(self.fate, Fate::Released { .. } | Fate::Expired)
    }

    /// Of a large cart that can never become an order the sale keeps no lines.
    pub fn is_shortened(&self) -> bool {
        self.is_final() && self.units.len() > 8
    }

    /// An order with nothing left of it.
    pub fn is_refunded(&self) -> bool {
        self.fate == Fate::Sold && self.units.iter().all(|(item, _)| left_of(self, *item) == 0)
    }

    pub fn belongs_to(&self, user: Option<&[u8]>) -> bool {
        match (&self.user, user) {
            (Some(owner), Some(user)) => owner == user,
            _ => true,
        }
    }
}

/// Units of an item that were refunded.
pub fn refunded_of(record: &Record, item: usize) -> u64 {
    let refunds = record.order.iter().flat_map(|order| &order.refunds);
    let lines = refunds.flat_map(|refund| &refund.units);
    lines.filter(|line| line.0 == item).map(|line| line.1).sum()
}

/// Units of an item that are sold and not refunded.
pub fn left_of(record: &Record, item: usize) -> u64 {
    let sold = record.units.iter().find(|line| line.0 == item);
    sold.map_or(0, |line| line.1.saturating_sub(refunded_of(record, item)))
}
