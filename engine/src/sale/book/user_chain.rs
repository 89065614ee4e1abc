//! The links of the open reservations of one user: invariant 2 of `reservations.rs`.
//!
//! Edge: `own` of the records; which of them are open, and where else they stand, is not known
//! here.

use crate::sale::book::reservation::{Links, Reservation, Slot};
use crate::sale::book::reservations::{CHAIN_SHORT_MAX, Reservations};
use crate::sale::book::users::{Chain, UserSlot, Users};
use crate::table::slab::NONE;

impl Reservations {
    /// Adds a reservation as its user's newest.
    fn chain(&mut self, slot: Slot, user: UserSlot, users: &mut Users) {
        let before = users.push_newest(user, slot);
        self.records[slot].own = self.chain_behind(before, slot);
        if before.open == CHAIN_SHORT_MAX {
            self.link_forward(slot);
        }
    }

    /// The links of a reservation that becomes the newest of a chain. Where that is no
    /// longer short by it, its links forward have yet to be made.
    #[inline(always)]
    pub(super) fn chain_behind(&mut self, before: Chain, slot: Slot) -> Links {
        let mut next = NONE;
        if before.open > CHAIN_SHORT_MAX
            && let Some(record) = self.records.get_mut(before.newest)
        {
            next = std::mem::replace(&mut record.own.next, slot);
        }
        Links {
            previous: before.newest,
            next,
        }
    }

    /// Links each of a chain to the one behind it, and the newest to the oldest.
    pub(super) fn link_forward(&mut self, newest: Slot) {
        let (mut next, mut at) = (NONE, newest);
        while let Some(record) = self.records.get_mut(at) {
            record.own.next = next;
            next = at;
            at = record.own.previous;
        }
        self.records[newest].own.next = next;
    }

    /// Takes a reservation out of its user's chain.
    pub(super) fn unchain(&mut self, slot: Slot, user: UserSlot, users: &mut Users) {
        let Chain { newest, open } = users.chain(user);
        let Links { previous, next } = self.records[slot].own;
        let mut left = newest;
        if newest == slot {
            left = previous;
        } else {
            let behind = if open > CHAIN_SHORT_MAX {
                next
            } else {
                self.behind(slot, newest)
            };
            if let Some(record) = self.records.get_mut(behind) {
                record.own.previous = previous;
            }
        }
        if open > CHAIN_SHORT_MAX {
            // The one before it, or else the newest, which knows the oldest.
            let before = if previous == NONE { left } else { previous };
            if let Some(record) = self.records.get_mut(before) {
                record.own.next = next;
            }
        }
        users.leave_chain(user, left);
    }

    /// The one behind a reservation in a short chain.
    fn behind(&self, slot: Slot, newest: Slot) -> Slot {
        let mut at = newest;
        while let Some(record) = self.records.get(at) {
            if record.own.previous == slot {
                break;
            }
            at = record.own.previous;
        }
        at
    }

    /// The one before an open reservation in its user's chain.
    pub fn before(&self, slot: Slot) -> Option<Reservation<'_>> {
        self.get(self.records.get(slot)?.own.previous)
    }

    /// Makes these open reservations their users' newest, one after the other.
    pub fn chain_anew(&mut self, slots: impl Iterator<Item = Slot>, users: &mut Users) {
        for slot in slots {
            let user = self.records[slot].user;
            self.unchain(slot, user, users);
            self.chain(slot, user, users);
        }
    }
}
