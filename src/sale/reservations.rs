//! The reservations of a sale in every state, by id, by slot and by deadline.
//!
//! # Invariants
//!
//! 1. Each open reservation stands exactly once among the deadlines, at its
//!    `expires_at_ms`; each ended one (released or expired) exactly once among the
//!    remembered, at its `ended_at_ms`; a sold one in neither.
//! 2. Each open reservation stands exactly once in its user's chain.
//!
//! Edge: keeps and links records; units and users' sums are moved by `apply.rs`.

use super::cart::Cart;
use super::deadlines::Deadlines;
use super::hash::Hasher;
use super::index::Index;
use super::name::{Key, Name};
use super::slab::{NONE, Slab, SlotNumber};
use super::units::{EntryId, Lines};
use super::users::{UserSlot, Users};

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

impl OrderRecord {
    fn heap_bytes(&self) -> usize {
        let names = self.refunds.iter().map(|refund| &refund.reference);
        let carts: usize = self
            .refunds
            .iter()
            .map(|refund| refund.cart.heap_bytes())
            .sum();
        size_of::<OrderRecord>()
            + self.refunded.capacity() * size_of::<u64>()
            + self.refunds.capacity() * size_of::<RefundRecord>()
            + names
                .chain([&self.reference])
                .flatten()
                .map(Name::heap_bytes)
                .sum::<usize>()
            + carts
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

    fn heap_bytes(&self) -> usize {
        self.id.heap_bytes()
            + self.cart.heap_bytes()
            + self.order.as_ref().map_or(0, |order| order.heap_bytes())
    }
}

/// All reservations whose id is known.
pub struct Reservations {
    records: Slab<Reservation>,
    by_id: Index,
    deadlines: Deadlines,
    remembered: Deadlines,
    /// The turn of the next reservation.
    next_turn: u32,
    hasher: Hasher,
    /// Heap bytes the records point to.
    record_bytes: usize,
}

impl Reservations {
    pub fn new(hasher: Hasher) -> Reservations {
        Reservations {
            records: Slab::new(),
            by_id: Index::new(),
            deadlines: Deadlines::new(),
            remembered: Deadlines::new(),
            next_turn: 0,
            hasher,
            record_bytes: 0,
        }
    }

    /// Known ids.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// One past the highest slot in use.
    pub fn slots(&self) -> usize {
        self.records.slots()
    }

    /// Open reservations by deadline.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Released and expired reservations by the moment they ended.
    pub fn remembered(&self) -> &Deadlines {
        &self.remembered
    }

    pub fn find(&self, id: &[u8]) -> Option<Slot> {
        self.find_key(Key::of(id))
    }

    pub fn find_key(&self, key: Key<'_>) -> Option<Slot> {
        let hash = self.hasher.hash(key.hashed_bytes());
        self.by_id
            .find(hash, |slot| self.records[slot].id.key() == key)
    }

    pub fn get(&self, slot: Slot) -> Option<&Reservation> {
        self.records.get(slot)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Reservation)> {
        self.records.iter()
    }

    /// Open reservations, earliest deadline first.
    pub fn iter_open(&self) -> impl Iterator<Item = (Slot, &Reservation)> {
        self.deadlines.iter(&self.records)
    }

    /// Released and expired reservations, the one to be forgotten next first.
    pub fn iter_ended(&self) -> impl Iterator<Item = (Slot, &Reservation)> {
        self.remembered.iter(&self.records)
    }

    /// Counts up to `most` open reservations past their deadline. O(answer).
    pub fn count_expired(&self, now_ms: u64, most: usize) -> usize {
        self.deadlines.count_due(&self.records, now_ms, most)
    }

    /// Counts up to `most` reservations that ended at or before `until_ms`. O(answer).
    pub fn count_forgotten(&self, until_ms: u64, most: usize) -> usize {
        self.remembered.count_due(&self.records, until_ms, most)
    }

    /// Keeps a record and files it where its status says.
    pub fn insert(&mut self, record: Reservation, users: &mut Users) -> Slot {
        self.record_bytes += record.heap_bytes();
        let slot = self.records.insert(record);
        let (records, hasher) = (&self.records, &self.hasher);
        let hash_of = |slot: Slot| hasher.hash(records[slot].id.key().hashed_bytes());
        self.by_id.insert(hash_of(slot), slot, hash_of);
        self.file(slot, users);
        slot
    }

    /// Forgets a record. Its user may go with it.
    pub fn remove(&mut self, slot: Slot, users: &mut Users) {
        self.unfile(slot, users);
        let Some(record) = self.records.get(slot) else {
            return;
        };
        self.record_bytes -= record.heap_bytes();
        let hash = self.hasher.hash(record.id.key().hashed_bytes());
        self.by_id.remove(hash, |other| other == slot);
        if let Some(record) = self.records.remove(slot) {
            users.release(record.user);
        }
    }

    /// Changes a record and files it anew where its status then says.
    pub fn update(&mut self, slot: Slot, users: &mut Users, change: impl FnOnce(&mut Reservation)) {
        self.unfile(slot, users);
        if let Some(record) = self.records.get_mut(slot) {
            self.record_bytes -= record.heap_bytes();
            change(record);
            self.record_bytes += record.heap_bytes();
        }
        self.file(slot, users);
    }

    /// Moves the deadline of an open reservation; its place in the chain stays.
    pub fn extend(&mut self, slot: Slot, expires_at_ms: u64) {
        let before = self.records[slot].expires_at_ms;
        self.deadlines.remove(&mut self.records, before, slot);
        self.records[slot].expires_at_ms = expires_at_ms;
        self.deadlines.push(&mut self.records, expires_at_ms, slot);
    }

    fn file(&mut self, slot: Slot, users: &mut Users) {
        let Some(record) = self.records.get(slot) else {
            return;
        };
        match record.status {
            Status::Open => {
                let (user, expires_at_ms) = (record.user, record.expires_at_ms);
                self.deadlines.push(&mut self.records, expires_at_ms, slot);
                self.chain(slot, user, users);
            }
            Status::Released | Status::Expired => {
                let ended_at_ms = record.ended_at_ms;
                self.remembered.push(&mut self.records, ended_at_ms, slot);
            }
            Status::Sold => {}
        }
    }

    fn unfile(&mut self, slot: Slot, users: &mut Users) {
        let Some(record) = self.records.get(slot) else {
            return;
        };
        match record.status {
            Status::Open => {
                let (user, expires_at_ms) = (record.user, record.expires_at_ms);
                self.deadlines
                    .remove(&mut self.records, expires_at_ms, slot);
                self.unchain(slot, user, users);
            }
            Status::Released | Status::Expired => {
                let ended_at_ms = record.ended_at_ms;
                self.remembered.remove(&mut self.records, ended_at_ms, slot);
            }
            Status::Sold => {}
        }
    }

    fn chain(&mut self, slot: Slot, user: UserSlot, users: &mut Users) {
        let Some(user) = users.get_mut(user) else {
            return;
        };
        let newest = user.newest;
        self.records[slot].in_chain = Links {
            previous: newest,
            next: NONE,
        };
        match self.records.get_mut(newest) {
            Some(record) => record.in_chain.next = slot,
            None => user.oldest = slot,
        }
        user.newest = slot;
        user.open += 1;
    }

    fn unchain(&mut self, slot: Slot, user: UserSlot, users: &mut Users) {
        let Some(user) = users.get_mut(user) else {
            return;
        };
        let Links { previous, next } = self.records[slot].in_chain;
        self.records[slot].in_chain = Links::NOWHERE;
        match self.records.get_mut(previous) {
            Some(record) => record.in_chain.next = next,
            None => user.oldest = next,
        }
        match self.records.get_mut(next) {
            Some(record) => record.in_chain.previous = previous,
            None => user.newest = previous,
        }
        user.open -= 1;
    }

    /// A user's open reservations, oldest first.
    pub fn iter_chain(&self, oldest: Slot) -> impl Iterator<Item = (Slot, &Reservation)> {
        let mut slot = oldest;
        std::iter::from_fn(move || {
            let record = self.records.get(slot)?;
            let this = slot;
            slot = record.in_chain.next;
            Some((this, record))
        })
    }

    /// The turn of a reservation that is being made.
    pub fn take_turn(&mut self) -> u32 {
        let turn = self.next_turn;
        self.next_turn = turn.wrapping_add(1);
        turn
    }

    /// How many reservations were made from this one on, itself included. The same on
    /// every copy of the sale, which the turn itself is not.
    pub fn age(&self, record: &Reservation) -> u32 {
        self.next_turn.wrapping_sub(record.turn)
    }

    /// Puts every user's chain in the order the reservations were made, after a load
    /// that filed them by deadline. O(n log n) at worst, O(n) when HOLD is one for all.
    pub fn sort_chains(&mut self, users: &mut Users) {
        let mut open: Vec<(u32, Slot)> = self
            .iter_open()
            .map(|(slot, record)| (u32::MAX - self.age(record), slot))
            .collect();
        if open.is_sorted() {
            return;
        }
        open.sort_unstable();
        for (_, slot) in open {
            let user = self.records[slot].user;
            self.unchain(slot, user, users);
            self.chain(slot, user, users);
        }
    }

    /// Heap bytes of everything.
    pub fn heap_bytes(&self) -> usize {
        self.records.heap_bytes()
            + self.by_id.heap_bytes()
            + self.deadlines.heap_bytes()
            + self.remembered.heap_bytes()
            + self.record_bytes
    }
}
