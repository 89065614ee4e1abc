//! Decides which units with names a REFUND takes back.
//!
//! Edge: as `refund.rs`, which asks here in a sale that has such units.

use crate::sale::ask::answer::{Answer, Which};
use crate::sale::ask::request::RefundAsk;
use crate::sale::book::named::{UnitList, UnitNumber};
use crate::sale::book::reservation::{Reservation, Slot};
use crate::sale::event::check::qty_of;
use crate::sale::plan::refund::Wanted;
use crate::sale::plan::reserve::merge_lines;
use crate::sale::plan::units::names_twice;
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line, Lines};

impl Sale {
    /// Looks the units up that a REFUND names, with their quantities per SKU.
    #[cold]
    pub(super) fn wanted_by_name(&self, ask: &RefundAsk<'_>) -> Result<Wanted, Answer> {
        if ask.ask.is_some() {
            return Err(Answer::Invalid("UNITS: not with QTY or ITEMS"));
        }
        if names_twice(ask.units).is_some() {
            return Err(Answer::Invalid("UNITS: the same unit twice"));
        }
        let named = self.named.as_deref();
        let find = |name: &&[u8]| named.and_then(|named| named.find_bytes(name));
        let units: Vec<Option<UnitNumber>> = ask.units.iter().map(find).collect();
        let items = units.iter().flatten();
        let items = items.filter_map(|&unit| named.and_then(|named| named.item_of(unit)));
        let mut lines: Lines = items.map(|item| Line { item, qty: 1 }).collect();
        merge_lines(&mut lines);
        Ok(Wanted::Named { lines, units })
    }

    /// Refuses by the first unit that is unknown, or not in the order (any more). Nothing tells a
    /// code from a guess.
    pub(super) fn refuse_units_of_others(
        &self,
        slot: Slot,
        units: &[Option<UnitNumber>],
    ) -> Result<(), Answer> {
        for (position, unit) in units.iter().enumerate() {
            let unknown = Answer::NoUnit { ask: position };
            let named = self.named.as_deref().ok_or(unknown)?;
            let unit = unit.ok_or(unknown)?;
            if named.holder(unit) == slot {
                continue;
            }
            let item = named.item_of(unit);
            return Err(match item.is_some_and(|item| named.is_sealed_item(item)) {
                true => unknown,
                false => Answer::NotSold {
                    left: 0,
                    which: Which::Unit(unit),
                },
            });
        }
        Ok(())
    }

    /// Refuses quantities of units with names, unless they are all that is left.
    pub(super) fn refuse_some_of_named(
        &self,
        record: Reservation<'_>,
        lines: &[Line],
    ) -> Result<(), Answer> {
        let Some(named) = &self.named else {
            return Ok(());
        };
        let mut left = record.left();
        left.sort_unstable();
        let is_part = |line: &&Line| {
            let is_named = named.item(line.item).is_some();
            is_named && qty_of(&left, line.item) != line.qty
        };
        match lines.iter().find(is_part) {
            Some(_) => Err(Answer::Invalid(
                "QTY, ITEMS: the units have names, say which by UNITS",
            )),
            None => Ok(()),
        }
    }

    /// All units with names that an order has of these lines, in their order.
    pub(super) fn named_units_left(&self, slot: Slot, lines: &[Line]) -> UnitList {
        let Some(named) = &self.named else {
            return UnitList::new();
        };
        self.in_order_of(lines, named.held_by(slot).collect())
    }

    /// Puts those units that are of these lines in their order, ascending within each.
    pub(super) fn in_order_of(&self, lines: &[Line], units: UnitList) -> UnitList {
        let Some(named) = &self.named else {
            return units;
        };
        let places = lines.iter().enumerate();
        let mut places: Vec<(ItemIndex, usize)> = places
            .filter(|(_, line)| named.item(line.item).is_some())
            .map(|(place, line)| (line.item, place))
            .collect();
        places.sort_unstable();
        let place_of = |unit: UnitNumber| {
            let item = named.item_of(unit)?;
            let at = places.binary_search_by_key(&item, |&(item, _)| item).ok()?;
            Some((places.get(at)?.1, unit))
        };
        let mut placed: Vec<(usize, UnitNumber)> = units.into_iter().filter_map(place_of).collect();
        placed.sort_unstable();
        placed.into_iter().map(|(_, unit)| unit).collect()
    }
}
