//! One reservation, as the tables keep it.
//!
//! Edge: a record and small questions about it; where it stands among others is
//! `reservations.rs`, what happens to it `apply.rs`.

use super::cart::Cart;
use super::name::Name;
use super::slab::{NONE, SlotNumber};
use super::units::{EntryId, Lines};
use super::users::UserSlot;

/// The number of a reservation in its sale, stable while its id is known.
pub type Slot = SlotNumber;

/// Where a record stands in a doubly linked list.
#[derive(Clone, Copy)]
pub struct Links {
    pub previous: Slot,
    pub next: Slot,
}

impl Links {
    pub const NOWHERE: Links = Links {
        previous: NONE,
        next: NONE,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Open,
    /// An order, also one that is wholly refunded.
    Sold,
    Released,
    Expired,
}

/// A reservation, from its making until its id is forgotten.
pub struct Reservation {
    pub id: Name,
    /// [`NONE`] for an id that was released before it was seen, by nobody in particular.
    pub user: UserSlot,
    pub status: Status,
    /// Empty for an id that was released before it was seen.
    pub cart: Cart,
    pub order: Option<Box<OrderRecord>>,
    /// 0 for an id that was released before it was seen.
    pub reserved_at_ms: u64,
    /// 0 when there never was a deadline.
    pub expires_at_ms: u64,
    /// When it was released, or its deadline when it expired; else 0.
    pub ended_at_ms: u64,
    /// Counts the reservations of the sale, so that a load can tell which of two is
    /// older; goes round.
    pub(super) turn: u32,
    pub(super) in_queue: Links,
    pub(super) in_chain: Links,
}

/// What a checkout adds.
#[derive(Clone, Debug)]
pub struct OrderRecord {
    pub sold_at_ms: u64,
    pub entry: EntryId,
    pub reference: Option<Name>,
    /// Units refunded, by line of the cart; empty as long as there is no refund.
    pub refunded: Vec<u64>,
    pub refunds: Vec<RefundRecord>,
}

/// One refund of an order.
#[derive(Clone, Debug)]
pub struct RefundRecord {
    pub reference: Option<Name>,
    pub cart: Cart,
    pub entry: EntryId,
    /// The units no longer count against the user's limits.
    pub restores_limit: bool,
}

impl RefundRecord {
    pub(super) fn heap_bytes(&self) -> usize {
        self.reference.as_ref().map_or(0, Name::heap_bytes) + self.cart.heap_bytes()
    }
}

impl OrderRecord {
    /// Heap bytes of the two lists, without what the refunds point to.
    pub(super) fn lists_bytes(&self) -> usize {
        self.refunded.capacity() * size_of::<u64>()
            + self.refunds.capacity() * size_of::<RefundRecord>()
    }

    fn heap_bytes(&self) -> usize {
        let refunds: usize = self.refunds.iter().map(RefundRecord::heap_bytes).sum();
        size_of::<OrderRecord>()
            + self.reference.as_ref().map_or(0, Name::heap_bytes)
            + self.lists_bytes()
            + refunds
    }
}

impl Reservation {
    /// Units not refunded, by line of the cart.
    pub fn left(&self) -> Lines {
        let mut lines = self.cart.lines();
        if let Some(order) = &self.order {
            for (line, refunded) in lines.iter_mut().zip(&order.refunded) {
                line.qty = line.qty.saturating_sub(*refunded);
            }
        }
        lines
    }

    /// An order with nothing left to refund.
    pub fn is_refunded(&self) -> bool {
        self.status == Status::Sold
            && self
                .order
                .as_ref()
                .is_some_and(|order| !order.refunds.is_empty())
            && self.left().iter().all(|line| line.qty == 0)
    }

    /// Released before it was seen.
    pub fn is_unseen(&self) -> bool {
        self.cart.is_empty()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.id.heap_bytes()
            + self.cart.heap_bytes()
            + self.order.as_ref().map_or(0, |order| order.heap_bytes())
    }
}
