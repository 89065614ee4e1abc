//! What orders from elsewhere do, and units that go to other sales or come from them.
//!
//! As `apply.rs`: nothing is decided here, and nothing can fail.

use crate::sale::book::items::{Move, Stock, StockChanges};
use crate::sale::book::reservation::{NewReservation, OrderRecord, Slot, Status};
use crate::sale::book::shares::{Shares, Way};
use crate::sale::event::apply::{new_reservation, signed};
use crate::sale::event::{Given, Imported, Refund, Taken};
use crate::sale::state::Sale;
use crate::sale::units::Line;
use crate::table::name::Key;
use crate::table::slab::NONE;

impl Sale {
    /// An open reservation becomes the order. Whatever else was known of the id gives way to
    /// it, and its units come from what is available, or are owed.
    #[inline(never)] // Rare.
    pub(super) fn apply_imported(
        &mut self,
        imported: &Imported<'_>,
        at_ms: u64,
        seen: &mut StockChanges,
    ) -> Option<Slot> {
        let Imported {
            id,
            user,
            lines,
            sold_at_ms,
            order,
            forgets,
        } = imported;
        let order = OrderRecord::new(*sold_at_ms, order.entry, order.reference);
        let known = self.reservations.find(*id);
        let mut new = NewReservation {
            status: Status::Sold,
            ..new_reservation(*id, NONE, lines, *sold_at_ms)
        };
        if let Some(slot) = known {
            let record = self.reservations.get(slot)?;
            if record.status() == Status::Open {
                self.move_units(record.user(), lines, (0, -1, 1), 0, seen);
                self.reservations.sell(slot, &mut self.users, order);
                return Some(slot);
            }
            if !record.is_unseen() {
                new.reserved_at_ms = record.reserved_at_ms();
                new.expires_at_ms = record.expires_at_ms();
            }
            // It takes the slot again, so that a SCAN passes over nobody.
            self.reservations.remove(slot, &mut self.users);
        } else {
            self.leave_line(*id, at_ms);
            self.make_room(*forgets);
        }
        new.user = self.users.retain(*user);
        for line in lines {
            self.items.take(line.item, line.qty, true, seen);
        }
        self.account(new.user, lines, (0, 1), 1);
        Some(self.reservations.insert(&new, Some(order), &mut self.users))
    }

    /// Whoever waits under this id does so no longer.
    fn leave_line(&mut self, id: Key<'_>, at_ms: u64) {
        if let Some(waiting) = &mut self.waiting
            && let Some(place) = waiting.find(id)
        {
            waiting.leave(place, at_ms);
        }
    }

    #[inline(never)] // Rare.
    pub(super) fn apply_given(&mut self, given: &Given, seen: &mut StockChanges) {
        self.items.take(given.item, given.units, false, seen);
        let (item, to, total) = (given.item, given.to, given.total);
        self.shares_mut().set(Way::Given, item, to, total);
    }

    #[inline(never)] // Rare.
    pub(super) fn apply_taken(&mut self, taken: &Taken<'_>, seen: &mut StockChanges) {
        let item = self.items.find(&taken.sku);
        let item = item.unwrap_or_else(|| self.items.add(&taken.sku, Stock::default(), 0));
        let by = Move {
            available: signed(taken.units),
            ..Move::default()
        };
        self.items.shift(item, by, seen);
        let (from, total) = (taken.from, taken.total);
        self.shares_mut().set(Way::Taken, item, from, total);
    }

    pub(crate) fn shares_mut(&mut self) -> &mut Shares {
        let share_id = self.sale_id;
        self.shares
            .get_or_insert_with(|| Box::new(Shares::new(share_id)))
    }

    /// Do units of this refund, which was not carried out yet, pay what the sale owes, though none goes on sale again?
    pub fn settles(&self, refund: &Refund<'_>) -> bool {
        let owes = |line: &Line| self.items.owed(line.item) > 0;
        self.items.owes() && refund.no_restock == Some(false) && refund.lines.iter().any(owes)
    }

    /// Units of a refund that do not go on sale again. Unless NORESTOCK was asked for, they
    /// settle what the item owes; the rest leaves it.
    #[inline(never)] // Rare.
    pub(super) fn take_back(&mut self, refund: &Refund<'_>, seen: &mut StockChanges) {
        for line in &refund.lines {
            let leaves = if refund.no_restock == Some(false) {
                self.items.settle(line.item, line.qty, seen)
            } else {
                let by = Move {
                    sold: -signed(line.qty),
                    ..Move::default()
                };
                self.items.shift(line.item, by, seen);
                line.qty
            };
            self.items.shift_base(line.item, -signed(leaves));
        }
    }
}
