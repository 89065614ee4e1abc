//! What a refund does to its order.
//!
//! As `apply.rs`: nothing is decided here, and nothing can fail. What it does to the units is
//! `apply_units.rs`.

use crate::sale::book::cart::Cart;
use crate::sale::book::items::StockChanges;
use crate::sale::book::refunds::RefundRecord;
use crate::sale::book::reservation::Slot;
use crate::sale::event::Refund;
use crate::sale::state::Sale;
use crate::table::name::Name;

impl Sale {
    /// Takes units of an order back, and notes that on it.
    pub(super) fn refund(&mut self, refund: &Refund<'_>, seen: &mut StockChanges) -> Option<Slot> {
        let slot = self.reservations.find(refund.id)?;
        let user = self.reservations.get(slot)?.user();
        let restocked = refund.restocks || self.settles(refund);
        self.take_back(slot, user, refund, seen);
        self.note_refund(slot, refund, restocked);
        Some(slot)
    }

    /// Adds a refund to the record of its order; the units are moved elsewhere.
    pub(crate) fn note_refund(&mut self, slot: Slot, refund: &Refund<'_>, restocked: bool) {
        let mut taken = refund.lines.clone();
        taken.sort_unstable();
        let record = RefundRecord {
            units: refund.units.as_slice().into(),
            reference: refund.reference.map(Name::new),
            cart: Cart::new(&refund.lines),
            entry: refund.entry,
            restores_limit: refund.restores_limit,
            no_restock: refund.no_restock,
            restocked,
        };
        self.reservations.add_refund(slot, &taken, record);
    }
}
