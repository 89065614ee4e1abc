//! Does a replayed event fit the units with names of the sale it came to?
//!
//! As `check.rs`: reads, and reports what does not fit. The choice is the outcome, so nothing is
//! chosen here again: units have to be free, of the line's item, and as many as its quantity.

use crate::sale::book::named::{NamedUnits, UnitNumber};
use crate::sale::book::reservation::Reservation;
use crate::sale::event::apply_line::split_units;
use crate::sale::event::check::Divergence;
use crate::sale::event::{NamedRestock, Refund, StockDelta};
use crate::sale::state::Sale;
use crate::sale::units::{Line, has_twice};
use crate::table::name::Key;
use crate::table::slab::NONE;

fn is_so(fits: bool, else_: Divergence) -> Result<(), Divergence> {
    if fits { Ok(()) } else { Err(else_) }
}

impl Sale {
    /// Are these the units of a new reservation, each free or in the one it replaces?
    pub(super) fn check_units(
        &self,
        lines: &[Line],
        units: &[UnitNumber],
        replaces: Option<Key<'_>>,
    ) -> Result<(), Divergence> {
        let Some(named) = &self.named else {
            return is_so(units.is_empty(), Divergence::OtherUnits);
        };
        is_so(named.fits(lines, units), Divergence::OtherUnits)?;
        let old = replaces.and_then(|old| self.find(old)).unwrap_or(NONE);
        let is_to_be_had =
            |&unit: &UnitNumber| named.is_free(unit) || (old != NONE && named.holder(unit) == old);
        is_so(units.iter().all(is_to_be_had), Divergence::UnitTaken)
    }

    /// Are these sealed units of lines that are sold, and not given out?
    pub(super) fn check_sealed(
        &self,
        lines: &[Line],
        sealed: &[UnitNumber],
    ) -> Result<(), Divergence> {
        let Some(named) = &self.named else {
            return is_so(sealed.is_empty(), Divergence::OtherUnits);
        };
        let fits = named.fits_items(lines, sealed, |item| named.is_sealed_item(item));
        is_so(fits, Divergence::OtherUnits)?;
        let are_free = sealed.iter().all(|&unit| named.is_free(unit));
        is_so(are_free, Divergence::UnitTaken)
    }

    /// Are the units free that an expired reservation had?
    pub(super) fn check_late(
        &self,
        id: Key<'_>,
        record: Reservation<'_>,
    ) -> Result<(), Divergence> {
        let Some((named, slot)) = self.named.as_ref().zip(self.find(id)) else {
            return Ok(());
        };
        let late = named.late_of(slot);
        let fits = named.fits_late(&record.lines(), record.expires_at_ms(), late);
        is_so(fits, Divergence::OtherUnits)?;
        let are_free = late.iter().all(|&unit| named.is_free(unit));
        is_so(are_free, Divergence::UnitTaken)
    }

    /// Are these the units of a refund, all in its order?
    pub(super) fn check_refund_units(&self, refund: &Refund<'_>) -> Result<(), Divergence> {
        let Some(named) = &self.named else {
            return is_so(refund.units.is_empty(), Divergence::OtherUnits);
        };
        let is_named = |item| named.item(item).is_some();
        let fits = named.fits_items(&refund.lines, &refund.units, is_named);
        is_so(fits, Divergence::OtherUnits)?;
        let slot = self.find(refund.id).unwrap_or(NONE);
        let has = |&unit: &UnitNumber| slot != NONE && named.holder(unit) == slot;
        is_so(refund.units.iter().all(has), Divergence::UnitTaken)
    }

    /// Are these the units of people of a line who get as many, one after the other?
    pub(super) fn check_granted_units(
        &self,
        people: impl Iterator<Item = Line>,
        units: &[UnitNumber],
    ) -> Result<(), Divergence> {
        let Some(named) = &self.named else {
            return is_so(units.is_empty(), Divergence::OtherUnits);
        };
        let mut rest = units;
        for line in people.filter(|line| named.is_open_item(line.item)) {
            let own;
            (own, rest) = split_units(rest, line.qty);
            is_so(named.fits(&[line], own), Divergence::OtherUnits)?;
        }
        let is_once = rest.is_empty() && !has_twice(units.iter());
        is_so(is_once, Divergence::OtherUnits)?;
        let are_free = units.iter().all(|&unit| named.is_free(unit));
        is_so(are_free, Divergence::UnitTaken)
    }

    /// Do the names of a restock fit; and has one without names no item whose units have some?
    pub(super) fn check_named(
        &self,
        deltas: &[StockDelta<'_>],
        restock: Option<&NamedRestock<'_>>,
    ) -> Result<(), Divergence> {
        let Some(restock) = restock else {
            let named = self.named.as_ref();
            let mut skus = deltas.iter();
            let is_named = |item| named.is_some_and(|named| named.item(item).is_some());
            let any = skus.any(|by| self.items.find(&by.sku).is_some_and(is_named));
            return is_so(!any, Divergence::WrongNames);
        };
        let [StockDelta { sku, delta }] = deltas else {
            return Err(Divergence::WrongNames);
        };
        let sign = if restock.withdraw { -1 } else { 1 };
        let is_sum = i64::try_from(restock.names.len()).is_ok_and(|len| sign * len == *delta);
        is_so(is_sum, Divergence::WrongNames)?;
        is_so(!has_twice(restock.names.iter()), Divergence::WrongNames)?;
        let item = self.items.find(sku);
        let named = self.named.as_deref();
        let kept = item.and_then(|item| named?.item(item));
        let fits = match (item, kept) {
            (None, _) => !restock.withdraw,
            (Some(item), None) => {
                let is_empty = self.items.stock(item).units() == 0 && self.items.owed(item) == 0;
                !restock.withdraw && is_empty
            }
            (Some(_), Some(kept)) => kept.sealed == restock.sealed || restock.withdraw,
        };
        is_so(fits, Divergence::WrongNames)?;
        let fits =
            |unit| named.is_some_and(|named| named.may_restock(unit, item, restock.withdraw));
        let is_new_or_fits = |name: &&[u8]| {
            let unit = named.and_then(|named| named.find_bytes(name));
            unit.map_or(!restock.withdraw, fits)
        };
        let all = restock.names.iter().all(is_new_or_fits);
        is_so(all, Divergence::WrongNames)?;
        let known = named.map_or(0, NamedUnits::len);
        let has_numbers = known + restock.names.len() < NamedUnits::LEN_MAX;
        is_so(has_numbers, Divergence::TooManyUnits)
    }
}
