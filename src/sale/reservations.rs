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

use super::deadlines::Deadlines;
use super::hash::Hasher;
use super::index::Index;
use super::name::Key;
use super::reservation::{Links, RefundRecord, Reservation, Slot, Status};
use super::slab::{NONE, Slab};
use super::units::Line;
use super::users::{UserSlot, Users};

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

    /// Adds a refund of `taken` units, ordered by item, to an order, which stays where it
    /// is. Its cost does not grow with the refunds there are.
    pub fn add_refund(&mut self, slot: Slot, taken: &[Line], refund: RefundRecord) {
        let Some(record) = self.records.get_mut(slot) else {
            return;
        };
        let lines = record.cart.lines();
        let Some(order) = record.order.as_mut() else {
            return;
        };
        self.record_bytes -= order.lists_bytes();
        order.refunded.resize(lines.len(), 0);
        for (line, refunded) in lines.iter().zip(&mut order.refunded) {
            if let Ok(at) = taken.binary_search_by_key(&line.item, |taken| taken.item) {
                *refunded = refunded.saturating_add(taken[at].qty);
            }
        }
        self.record_bytes += refund.heap_bytes();
        order.refunds.push(refund);
        self.record_bytes += order.lists_bytes();
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
