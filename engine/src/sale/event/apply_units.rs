//! What each event does to units with names.
//!
//! As `apply.rs`: nothing is decided here, and nothing can fail. Sales without such units pay a
//! look at one pointer.

use crate::sale::book::items::StockChanges;
use crate::sale::book::named::{NamedUnits, UnitList, UnitNumber};
use crate::sale::book::reservation::{Slot, Status};
use crate::sale::book::users::UserSlot;
use crate::sale::event::{NamedRestock, Refund};
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line, units_of};
use crate::table::name::Key;

impl Sale {
    /// Gives free units to a new reservation.
    #[inline(never)]
    pub(super) fn hold_units(&mut self, slot: Slot, units: &[UnitNumber]) {
        if let Some(named) = &mut self.named {
            named.hold(slot, units);
        }
    }

    /// Gives free and sealed units to a new order.
    #[inline(never)]
    pub(super) fn hold_bought(
        &mut self,
        slot: Slot,
        lines: &[Line],
        units: &[UnitNumber],
        sealed: &[UnitNumber],
    ) {
        if let Some(named) = &mut self.named {
            let all = named.merged(lines, units, sealed);
            named.hold(slot, &all);
        }
    }

    /// Gives sealed units to a reservation that becomes an order, and one within its grace what
    /// it had.
    #[inline(never)]
    pub(super) fn hold_sold(&mut self, slot: Slot, lines: &[Line], sealed: &[UnitNumber]) {
        let Some(named) = &mut self.named else { return };
        let late = named.take_late(slot);
        if !late.is_empty() {
            named.hold(slot, &late);
        }
        if !sealed.is_empty() {
            let held: UnitList = named.held_by(slot).collect();
            let all = named.merged(lines, &held, sealed);
            named.give_out(slot, sealed, &all);
        }
    }

    /// Makes the units of a reservation free that takes a status, or is forgotten. Which ones it
    /// had is kept for as long as it is within its grace.
    #[inline(never)]
    pub(super) fn free_units(&mut self, slot: Slot, status: Status) {
        let Some(named) = &mut self.named else { return };
        named.take_late(slot);
        let units = named.release(slot);
        if status == Status::InGrace {
            named.keep_late(slot, &units);
        }
    }

    /// Takes units of an order back: those of sealed items are never on sale again.
    pub(super) fn take_back(
        &mut self,
        slot: Slot,
        user: UserSlot,
        refund: &Refund<'_>,
        seen: &mut StockChanges,
    ) {
        let counts = -i64::from(refund.restores_limit);
        for line in &refund.lines {
            let is_sealed = self
                .named
                .as_ref()
                .is_some_and(|named| named.is_sealed_item(line.item));
            let one = std::slice::from_ref(line);
            if refund.restocks && !is_sealed {
                self.move_units(user, one, (1, 0, -1), counts, seen);
            } else {
                self.take_line_back(line, refund.no_restock, seen);
                self.account(user, one, (0, -1), counts);
            }
        }
        self.refunded = self.refunded.saturating_add(units_of(&refund.lines));
        let Some(named) = &mut self.named else { return };
        if refund.units.is_empty() {
            return;
        }
        let mut gone = refund.units.clone();
        gone.sort_unstable();
        let held = named.held_by(slot);
        let left: UnitList = held
            .filter(|unit| gone.binary_search(unit).is_err())
            .collect();
        named.take_back(&refund.units, refund.restocks);
        named.chain(slot, &left);
    }

    /// Adds units to an item, brings them back on sale, or takes them off it.
    #[inline(never)]
    pub(super) fn restock_units(&mut self, item: ItemIndex, restock: &NamedRestock<'_>) {
        let hasher = self.hasher;
        let last_late_ms = self.reservations.late().last_ms();
        let named = self
            .named
            .get_or_insert_with(|| Box::new(NamedUnits::new(hasher)));
        if restock.sealed
            && named.item(item).is_none()
            && let Some(until_ms) = last_late_ms
        {
            // It had no units, so that none of its reservations is open: what expires later was
            // made later, and has a later deadline.
            named.note_counted(item, until_ms);
        }
        let (mut known, mut new) = (UnitList::new(), Vec::<Key<'_>>::new());
        for name in &restock.names {
            let key = hasher.key(name);
            match named.find(key) {
                Some(unit) => known.push(unit),
                None => new.push(key),
            }
        }
        if restock.withdraw {
            named.withdraw(&known);
            return;
        }
        named.offer(&known);
        let count = new.len() as UnitNumber;
        if let Some(first) = named.add(item, restock.sealed, new.into_iter()) {
            let units: UnitList = (first..first + count).collect();
            named.offer(&units);
        }
    }
}
