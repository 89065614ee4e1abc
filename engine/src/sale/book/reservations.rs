//! The reservations of a sale in every state, by id, by slot and by deadline.
//!
//! # Invariants
//!
//! 1. Each open reservation stands exactly once among the deadlines, at its
//!    `expires_at_ms`; each expired one within its grace exactly once among the late, at
//!    the same moment; each one that can never become an order (released, or expired for
//!    good) exactly once among the ended, at its `ended_at_ms`; a sold one in none.
//! 2. Each open reservation stands exactly once in its user's chain: the user knows the
//!    newest, each one the one before it. Of a user with more than [`CHAIN_SHORT_MAX`]
//!    each also knows the one behind it, and the newest the oldest; with fewer that is
//!    not worth fetching another record for each new one.
//!
//! Edge: keeps and links records; units and users' sums are moved by `apply.rs`.

use smallvec::SmallVec;

use crate::sale::book::deadlines::Deadlines;
use crate::sale::book::refunds::RefundRecord;
use crate::sale::book::reservation::{
    Aside, Links, NewReservation, OrderRecord, Packed, Reservation, Slot, Status,
};
use crate::sale::book::users::{Chain, UserSlot, Users};
use crate::sale::units::Line;
use crate::table::hash::Hasher;
use crate::table::index::{Index, Likely, Rows};
use crate::table::name::Key;
use crate::table::slab::Slab;

/// Longest chain whose end is found by walking it.
pub(super) const CHAIN_SHORT_MAX: u32 = 8;

/// All reservations whose id is known.
pub struct Reservations {
    pub(super) records: Slab<Packed>,
    aside: Aside,
    by_id: Index,
    deadlines: Deadlines,
    late: Deadlines,
    ended: Deadlines,
    hasher: Hasher,
}

/// The ids of all reservations, as the index hashes them again.
struct Ids<'a> {
    records: &'a Slab<Packed>,
    aside: &'a Aside,
    hasher: Hasher,
}

impl Rows for Ids<'_> {
    fn hash(&self, slot: Slot) -> u64 {
        let reservation = Reservation::new(slot, &self.records[slot], self.aside);
        self.hasher.hash(reservation.id())
    }

    fn touch(&self, slot: Slot) {
        self.records.touch(slot);
    }
}

impl Reservations {
    pub fn new(hasher: Hasher) -> Reservations {
        Reservations {
            records: Slab::new(),
            aside: Aside::new(),
            by_id: Index::new(),
            deadlines: Deadlines::new(),
            late: Deadlines::new(),
            ended: Deadlines::new(),
            hasher,
        }
    }

    /// Known ids.
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// One past the highest slot in use.
    pub fn slots(&self) -> usize {
        self.records.slots()
    }

    /// Open reservations by deadline.
    #[inline]
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Expired reservations within their grace, by deadline.
    #[inline]
    pub fn late(&self) -> &Deadlines {
        &self.late
    }

    /// Reservations that can never become an order, by the moment they ended.
    #[inline]
    pub fn ended(&self) -> &Deadlines {
        &self.ended
    }

    /// Released and expired reservations.
    pub fn remembered_len(&self) -> usize {
        self.late.len() + self.ended.len()
    }

    /// The released or expired reservation that ended first. O(log n).
    pub fn first_ended_of_all(&self) -> Option<Slot> {
        // In one millisecond the released one was mostly there before the sweep.
        if self.ended.first_ms() <= self.late.first_ms() {
            self.ended.first()
        } else {
            self.late.first()
        }
    }

    /// The oldest reservation that can never become an order. Where there is none, the
    /// oldest of those within their grace: its grace may be over before the sweep comes by.
    /// O(log n).
    pub fn first_past_grace(&self) -> Option<Slot> {
        self.ended.first().or_else(|| self.late.first())
    }

    // Compiled into each caller, as a call would copy the key.
    #[inline(always)]
    pub fn find(&self, id: Key<'_>) -> Option<Slot> {
        let likely = id.likely();
        if self.is_at(likely, &id) {
            return Some(likely);
        }
        if id.is_absent(self.by_id.insertions(id.hash())) {
            debug_assert_eq!(self.search(&id), None);
            return None;
        }
        self.search(&id)
    }

    /// Is the reservation of this id at this slot?
    #[inline(always)]
    fn is_at(&self, slot: Slot, id: &Key<'_>) -> bool {
        let record = self.records.get(slot);
        record.is_some_and(|record| self.aside.is_id(record, id.spelling()))
    }

    #[inline(never)]
    fn search(&self, id: &Key<'_>) -> Option<Slot> {
        debug_assert_eq!(id.hash(), self.hasher.hash(id.spelling()));
        self.by_id.find(id.hash(), |slot| self.is_at(slot, id))
    }

    /// Fetches what [`Reservations::find`] will look at first; see [`Index::touch`].
    #[inline]
    pub fn touch(&self, id: Key<'_>) {
        self.by_id.touch(id.hash());
    }

    /// Fetches the record that [`Reservations::find`] will look at, its bucket having
    /// been, and notes its slot in the key, or that there is none.
    #[inline]
    pub fn touch_likely(&self, id: &mut Key<'_>) {
        match self.by_id.likely(id.hash()) {
            Likely::At(slot) => {
                self.records.touch(slot);
                id.note_likely(slot);
            }
            Likely::Absent { insertions } => id.note_absent(insertions),
        }
    }

    /// Fetches the records before and behind this one in its queue, which are changed
    /// when it is taken out.
    pub fn touch_neighbours(&self, slot: Slot) {
        if let Some(record) = self.records.get(slot) {
            let Links { previous, next } = record.in_queue;
            self.records.touch(previous);
            self.records.touch(next);
        }
    }

    #[inline]
    pub fn get(&self, slot: Slot) -> Option<Reservation<'_>> {
        let record = self.records.get(slot)?;
        Some(Reservation::new(slot, record, &self.aside))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Slot, Reservation<'_>)> {
        self.records
            .iter()
            .map(|(slot, record)| (slot, Reservation::new(slot, record, &self.aside)))
    }

    /// Open reservations, earliest deadline first.
    pub fn iter_open(&self) -> impl Iterator<Item = (Slot, Reservation<'_>)> {
        self.look_at(self.deadlines.iter(&self.records))
    }

    /// Expired reservations within their grace, earliest deadline first.
    pub fn iter_late(&self) -> impl Iterator<Item = (Slot, Reservation<'_>)> {
        self.look_at(self.late.iter(&self.records))
    }

    /// Reservations that can never become an order, earliest ended first.
    pub fn iter_ended(&self) -> impl Iterator<Item = (Slot, Reservation<'_>)> {
        self.look_at(self.ended.iter(&self.records))
    }

    /// A user's open reservations, oldest first.
    pub fn iter_chain(&self, chain: Chain) -> impl Iterator<Item = (Slot, Reservation<'_>)> {
        let Chain { newest, open } = chain;
        let mut short: SmallVec<[Slot; CHAIN_SHORT_MAX as usize]> = SmallVec::new();
        let mut long = None;
        if open > CHAIN_SHORT_MAX {
            long = self.records.get(newest).map(|newest| newest.own.next);
        } else {
            // One more than there should be is enough to tell that a chain is damaged.
            let mut at = newest;
            while let Some(record) = self.records.get(at)
                && short.len() <= open as usize
            {
                short.push(at);
                at = record.own.previous;
            }
        }
        self.look_at(std::iter::from_fn(move || {
            if let Some(slot) = short.pop() {
                return Some(slot);
            }
            let this = long?;
            long = self.records.get(this).map(|record| record.own.next);
            if this == newest {
                long = None;
            }
            Some(this)
        }))
    }

    fn look_at(
        &self,
        slots: impl Iterator<Item = Slot>,
    ) -> impl Iterator<Item = (Slot, Reservation<'_>)> {
        slots.filter_map(|slot| Some((slot, self.get(slot)?)))
    }

    /// Counts up to `most` open reservations past their deadline. O(answer).
    pub fn count_expired(&self, now_ms: u64, most: usize) -> usize {
        self.deadlines.count_due(&self.records, now_ms, most)
    }

    /// Counts up to `most` late reservations with a deadline at or before `until_ms`.
    /// O(answer).
    pub fn count_late(&self, until_ms: u64, most: usize) -> usize {
        self.late.count_due(&self.records, until_ms, most)
    }

    /// Counts up to `most` reservations that ended for good at or before `until_ms`.
    /// O(answer).
    pub fn count_ended(&self, until_ms: u64, most: usize) -> usize {
        self.ended.count_due(&self.records, until_ms, most)
    }

    /// Keeps a reservation and files it where its status says. Where that is known, little
    /// is left of it, so it is compiled into each caller.
    #[inline(always)]
    pub fn insert(
        &mut self,
        new: &NewReservation<'_>,
        order: Option<OrderRecord>,
        users: &mut Users,
    ) -> Slot {
        let is_open = new.status == Status::Open;
        let before = is_open.then(|| users.push_newest(new.user, self.next_slot()));
        self.insert_behind(new, order, before)
    }

    /// The same where the chain before an open reservation is known: its user has it as the
    /// newest already.
    #[inline(always)]
    pub fn insert_behind(
        &mut self,
        new: &NewReservation<'_>,
        order: Option<OrderRecord>,
        before: Option<Chain>,
    ) -> Slot {
        let (hash, status) = (new.id.hash(), new.status);
        let at_ms = new.queued_at_ms();
        let slot = self.next_slot();
        let in_queue = match self.queue_of(status) {
            Some((queue, records)) => queue.append(records, at_ms, slot),
            None => Links::NOWHERE,
        };
        let mut record = self.aside.pack(slot, new, order, in_queue);
        if let Some(before) = before {
            record.own = self.chain_behind(before, slot);
        }
        let kept_at = self.records.insert(record);
        debug_assert_eq!(kept_at, slot);
        let ids = Ids {
            records: &self.records,
            aside: &self.aside,
            hasher: self.hasher,
        };
        self.by_id.insert(hash, slot, ids);
        if before.is_some_and(|before| before.open == CHAIN_SHORT_MAX) {
            self.link_forward(slot);
        }
        slot
    }

    /// Forgets a reservation. Its user may go with it.
    pub fn remove(&mut self, slot: Slot, users: &mut Users) {
        self.unfile(slot, users);
        let Some(reservation) = self.get(slot) else {
            return;
        };
        let hash = self.hasher.hash(reservation.id());
        self.by_id.remove(hash, |other| other == slot);
        if let Some(record) = self.records.remove(slot) {
            users.release(record.user);
            self.aside.remove(slot, record);
        }
    }

    /// Makes a reservation an order.
    #[inline(always)]
    pub fn sell(&mut self, slot: Slot, users: &mut Users, order: OrderRecord) {
        self.set_state(slot, users, Status::Sold, 0, Some(order));
    }

    /// Gives a reservation a status that is no order: `Released`, at a moment, or `InGrace`
    /// or `Expired`, which go by its deadline and not by `at_ms`.
    pub fn end(&mut self, slot: Slot, users: &mut Users, status: Status, at_ms: u64) {
        self.set_state(slot, users, status, at_ms, None);
    }

    #[inline(always)]
    fn set_state(
        &mut self,
        slot: Slot,
        users: &mut Users,
        status: Status,
        ended_at_ms: u64,
        order: Option<OrderRecord>,
    ) {
        self.unfile(slot, users);
        if let Some(record) = self.records.get_mut(slot) {
            self.aside.set_state(record, status, ended_at_ms, order);
        }
        let at_ms = self.get(slot).map_or(0, Reservation::queued_at_ms);
        if let Some((queue, records)) = self.queue_of(status) {
            queue.push(records, at_ms, slot);
        }
    }

    /// Adds a refund of `taken` units, ordered by item, to an order, which stays where it
    /// is.
    pub fn add_refund(&mut self, slot: Slot, taken: &[Line], refund: RefundRecord) {
        let Some(lines) = self.get(slot).map(Reservation::lines) else {
            return;
        };
        let hasher = self.hasher;
        self.aside.change_order(&self.records[slot], |order| {
            order.refunds_mut().add(&lines, taken, refund, hasher);
        });
    }

    /// Moves the deadline of an open reservation; its place in the chain stays.
    pub fn extend(&mut self, slot: Slot, expires_at_ms: u64) {
        let Some(before) = self.get(slot).map(Reservation::expires_at_ms) else {
            return;
        };
        self.deadlines.remove(&mut self.records, before, slot);
        self.aside
            .set_deadline(slot, &mut self.records[slot], expires_at_ms);
        self.deadlines.push(&mut self.records, expires_at_ms, slot);
    }

    /// The queue of a status, beside the records it runs through; an order has none.
    #[inline(always)]
    fn queue_of(&mut self, status: Status) -> Option<(&mut Deadlines, &mut Slab<Packed>)> {
        let queue = match status {
            Status::Open => &mut self.deadlines,
            Status::InGrace => &mut self.late,
            Status::Released | Status::Expired => &mut self.ended,
            Status::Sold => return None,
        };
        Some((queue, &mut self.records))
    }

    #[inline(always)]
    fn unfile(&mut self, slot: Slot, users: &mut Users) {
        let Some(reservation) = self.get(slot) else {
            return;
        };
        let (status, user) = (reservation.status(), reservation.user());
        let at_ms = reservation.queued_at_ms();
        if let Some((queue, records)) = self.queue_of(status) {
            queue.remove(records, at_ms, slot);
        }
        if status == Status::Open {
            self.unchain(slot, user, users);
        }
    }

    /// Whose reservation is it, if it is open?
    pub fn user_of_open(&self, slot: Slot) -> Option<UserSlot> {
        let record = self.get(slot)?;
        (record.status() == Status::Open).then(|| record.user())
    }

    /// The slot of the next reservation.
    pub fn next_slot(&self) -> Slot {
        self.records.next_slot()
    }

    /// Heap bytes of everything.
    pub fn heap_bytes(&self) -> usize {
        self.records.heap_bytes()
            + self.aside.heap_bytes()
            + self.by_id.heap_bytes()
            + self.deadlines.heap_bytes()
            + self.late.heap_bytes()
            + self.ended.heap_bytes()
    }
}

#[cfg(test)]
impl Reservations {
    /// Damages the index: a reservation cannot be found by its id any more.
    pub fn lose_id(&mut self, slot: Slot) {
        if let Some(hash) = self.get(slot).map(|record| self.hasher.hash(record.id())) {
            self.by_id.remove(hash, |other| other == slot);
        }
    }

    /// Damages the queue: an open reservation will never expire.
    pub fn lose_deadline(&mut self, slot: Slot) {
        let at_ms = self.get(slot).map_or(0, Reservation::expires_at_ms);
        self.deadlines.remove(&mut self.records, at_ms, slot);
    }

    /// Damages the queue: an open reservation stands among the ended.
    pub fn misplace(&mut self, slot: Slot) {
        self.lose_deadline(slot);
        self.ended.push(&mut self.records, 0, slot);
    }
}
