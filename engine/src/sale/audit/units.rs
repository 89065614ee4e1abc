//! Recounts the units with names: invariants 10 and 11 of the sale.
//!
//! No name is in the words: those of sealed units are for whoever bought them.

use crate::sale::audit::{Differences, shown};
use crate::sale::book::named::{NamedUnits, UnitList, UnitNumber};
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::book::rows::Row;
use crate::sale::state::Sale;
use crate::sale::units::Lines;
use crate::table::slab::NONE;

impl Sale {
    /// Looks whether each unit is free, withdrawn, or in exactly one reservation or order, each
    /// of which has as many as its lines say; and whether items count as many.
    pub(super) fn audit_units(&self, differences: &mut Differences) {
        let Some(named) = &self.named else { return };
        let (mut held, mut late) = (0_usize, 0);
        for (slot, record) in self.reservations.iter() {
            held += self.audit_held(named, slot, record, differences);
            late += usize::from(!named.late_of(slot).is_empty());
        }
        if late != named.late_len() {
            differences.add(|| "units are kept for reservations that are not late".into());
        }
        let (mut free, mut withdrawn) = (0, 0);
        for row in named.rows().iter() {
            if !named.rows().is_row_sound(row) {
                differences.add(|| format!("the row at the unit {} is miscounted", row.first()));
            }
            for unit in row.units() {
                self.audit_unit(named, unit, differences);
                free += usize::from(named.is_free(unit));
                withdrawn += usize::from(named.is_withdrawn(unit));
            }
        }
        if free + withdrawn + held != named.len() {
            differences.add(|| {
                let all = named.len();
                format!("of {all} units {free} are free, {withdrawn} withdrawn, {held} in hands")
            });
        }
        self.audit_unit_items(named, differences);
    }

    /// Returns how many units a reservation has.
    fn audit_held(
        &self,
        named: &NamedUnits,
        slot: Slot,
        record: Reservation<'_>,
        differences: &mut Differences,
    ) -> usize {
        let held: UnitList = named.held_by(slot).collect();
        let (late, status) = (named.late_of(slot), record.status());
        let fits = match status {
            Status::Open => named.fits(&record.lines(), &held),
            Status::Sold => {
                let left: Lines = record
                    .left()
                    .into_iter()
                    .filter(|line| line.qty > 0)
                    .collect();
                named.fits_items(&left, &held, |item| named.item(item).is_some())
            }
            Status::InGrace | Status::Released | Status::Expired => held.is_empty(),
        };
        let are_its_own = held.iter().all(|&unit| named.holder(unit) == slot);
        let late_fits =
            late.is_empty() || (status == Status::InGrace && named.fitted(&record.lines(), late));
        if !fits || !are_its_own || !late_fits {
            let id = shown(record.id());
            differences.add(|| format!("the units of the reservation {id} are not its lines'"));
        }
        held.len()
    }

    fn audit_unit(&self, named: &NamedUnits, unit: UnitNumber, differences: &mut Differences) {
        let is_held = named.holder(unit) != NONE;
        let is_in_use = self.record(named.holder(unit)).is_some();
        let states = [named.is_free(unit), named.is_withdrawn(unit), is_held];
        if states.into_iter().filter(|is_so| *is_so).count() != 1 || is_held != is_in_use {
            differences.add(|| format!("the unit {unit} is not in exactly one state"));
        }
    }

    fn audit_unit_items(&self, named: &NamedUnits, differences: &mut Differences) {
        for (number, item) in named.rows().iter_items() {
            let stock = self.items.stock(number);
            let not_given_out = if item.sealed {
                stock.available.saturating_add(stock.reserved)
            } else {
                stock.available
            };
            let rows = item.rows().iter().filter_map(|&row| named.rows().row(row));
            let units = rows.flat_map(Row::units);
            let free = units.filter(|&unit| named.is_free(unit)).count() as u64;
            let sku = || self.items.sku(number).escape_ascii();
            differences.compare(|| format!("free units of '{}'", sku()), item.free, free);
            let of_stock = || format!("free units of '{}' by its stock", sku());
            differences.compare(of_stock, not_given_out, free);
            if !named.rows().is_item_sound(item) {
                differences.add(|| format!("the rows of '{}' are miscounted", sku()));
            }
        }
    }

    /// Looks whether each unit is found by its name.
    pub(super) fn audit_unit_names(&self, differences: &mut Differences) {
        let Some(named) = &self.named else { return };
        for unit in named.rows().iter().flat_map(Row::units) {
            let name = named.name(unit);
            if name.and_then(|name| named.find(self.key_of(name))) != Some(unit) {
                differences.add(|| format!("the unit {unit} is not found by its name"));
            }
        }
    }
}
