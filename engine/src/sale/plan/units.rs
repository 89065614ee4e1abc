//! Decides about units with names: which ones a request means, whether they are free, and which
//! ones whoever asks by number gets.
//!
//! Edge: reads the state. The rule of the choice is `choose.rs`; the rows of RESERVE's table are
//! `reserve.rs`, which asks here where a sale has units with names.

use std::collections::HashSet;

use smallvec::SmallVec;

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Ask, Bounds, Reserve};
use crate::sale::book::named::{NamedUnits, ORDER_UNITS_MAX, UnitList, UnitNumber};
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::plan::choose::Choice;
use crate::sale::plan::reserve::{Replaced, Unknown, merge_lines};
use crate::sale::plan::wanted::WantedUnits;
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line, Lines};
use crate::table::slab::NONE;

/// Names that are compared one by one; more are put in a set.
const FEW: usize = 16;

/// Is a name there twice? O(names).
pub(super) fn names_twice(names: &[&[u8]]) -> Option<usize> {
    if names.len() <= FEW {
        let before = |at: usize| names.get(..at).unwrap_or_default();
        let is_again = |(at, name): (usize, &&[u8])| before(at).contains(name).then_some(at);
        return names.iter().enumerate().find_map(is_again);
    }
    let mut seen = HashSet::with_capacity(names.len());
    names.iter().position(|name| !seen.insert(*name))
}

impl Sale {
    /// Row 1, as far as it is about names.
    #[cold]
    pub(super) fn check_names(&self, ask: &Reserve<'_>) -> Result<(), Answer> {
        if ask.waits {
            return Err(Answer::Invalid(
                "UNITS: not with WAIT, which waits for units by number",
            ));
        }
        match names_twice(ask.units) {
            Some(_) => Err(Answer::Invalid("UNITS: the same unit twice")),
            None => Ok(()),
        }
    }

    /// Row 3: what is asked for by number and by name. A sealed unit has no name yet, but for
    /// those who record what happened elsewhere. O(lines log lines + names).
    pub(crate) fn wanted_units(
        &self,
        ask: &Ask<'_>,
        names: &[&[u8]],
        may_be_sealed: bool,
    ) -> Result<WantedUnits, Answer> {
        let lines = self
            .lines_of(ask)
            .map_err(|Unknown(ask)| Answer::NoSku { ask })?;
        let mut wanted = WantedUnits {
            by_number: lines.len(),
            lines,
            asked: UnitList::new(),
        };
        let unknown = |position| Answer::NoUnit { ask: position };
        let mut by_name = Lines::new();
        for (position, name) in names.iter().enumerate() {
            let named = self.named.as_ref().ok_or(unknown(position))?;
            let unit = named.find_bytes(name).ok_or(unknown(position))?;
            let item = named.item_of(unit).ok_or(unknown(position))?;
            if !may_be_sealed && named.is_sealed_item(item) {
                return Err(unknown(position));
            }
            wanted.asked.push(unit);
            by_name.push(Line { item, qty: 1 });
        }
        if by_name.len() > 1 {
            merge_lines(&mut by_name);
        }
        let numbered = Items::of(&wanted.lines);
        if by_name.iter().any(|line| numbered.has(line.item)) {
            return Err(Answer::Invalid(
                "UNITS: a SKU is asked for by number and by name",
            ));
        }
        wanted.lines.extend(by_name);
        Ok(wanted)
    }

    /// Row 2 for a request that names units: are these the quantities of this reservation, and
    /// of what was named all that it has now?
    #[cold]
    pub(super) fn is_same_by_name(
        &self,
        record: Reservation<'_>,
        slot: Slot,
        ask: &Ask<'_>,
        names: &[&[u8]],
        may_be_sealed: bool,
    ) -> bool {
        let Ok(mut wanted) = self.wanted_units(ask, names, may_be_sealed) else {
            return false;
        };
        if !record.has_units(&wanted.lines) {
            return false;
        }
        let Some(named) = self.named.as_ref() else {
            return false;
        };
        wanted.asked.sort_unstable();
        self.are_asked(named.held_by(slot), &wanted)
    }

    /// Row 8: a reservation has so many units with names at most.
    #[inline(never)]
    pub(super) fn admit_named_order(&self, lines: &[Line]) -> Result<(), Answer> {
        let Some(named) = &self.named else {
            return Ok(());
        };
        let units = lines.iter().filter(|line| named.item(line.item).is_some());
        let units = units.fold(0_u64, |sum, line| sum.saturating_add(line.qty));
        if units > ORDER_UNITS_MAX {
            return Err(Answer::OrderLimit {
                limit: ORDER_UNITS_MAX,
            });
        }
        Ok(())
    }

    /// Row 12: the first of these units that is sold or withdrawn.
    pub(crate) fn refuse_gone(&self, units: &[UnitNumber]) -> Result<(), Answer> {
        let Some(named) = &self.named else {
            return Ok(());
        };
        let is_gone = |unit: &&UnitNumber| {
            let holder = self.record(named.holder(**unit));
            let is_sold = holder.is_some_and(|record| record.status() == Status::Sold);
            is_sold || named.is_withdrawn(**unit)
        };
        match units.iter().find(is_gone) {
            Some(&unit) => Err(Answer::NotFree {
                retry_in_ms: None,
                unit,
            }),
            None => Ok(()),
        }
    }

    /// Row 13: the first of these units whose SKU has a line, or that another reservation has.
    pub(crate) fn refuse_reserved(
        &self,
        now_ms: u64,
        wanted: &WantedUnits,
        bounds: Option<&Bounds>,
        replaced: Option<&Replaced>,
    ) -> Result<(), Answer> {
        let Some(named) = &self.named else {
            return Ok(());
        };
        for &unit in &wanted.asked {
            let item = named.item_of(unit);
            if self.has_queue
                && let Some(line) = wanted.by_name().iter().find(|line| Some(line.item) == item)
                && self.is_waited_for(line, replaced)
            {
                return Err(self.all_reserved(now_ms, bounds, item));
            }
            self.refuse_taken(now_ms, unit, replaced.map_or(NONE, Replaced::slot))?;
        }
        Ok(())
    }

    /// Row 13 for one unit that is neither sold nor withdrawn: has another reservation than
    /// `own` it?
    pub(super) fn refuse_taken(
        &self,
        now_ms: u64,
        unit: UnitNumber,
        own: Slot,
    ) -> Result<(), Answer> {
        let Some(named) = &self.named else {
            return Ok(());
        };
        let holder = named.holder(unit);
        if named.is_free(unit) || (own != NONE && own == holder) {
            return Ok(());
        }
        let record = self.record(holder);
        let until_ms = record.map_or(0, Reservation::expires_at_ms);
        Err(Answer::NotFree {
            retry_in_ms: Some(until_ms.saturating_sub(now_ms).max(1)),
            unit,
        })
    }

    /// The units of a new reservation, in the order of its lines: those named, and of items asked
    /// for by number those the server chooses.
    ///
    /// # Errors
    ///
    /// Fewer are free than the stock says, which no input leads to.
    #[inline(never)]
    pub(super) fn units_for(
        &self,
        lines: &[Line],
        wanted: Option<&WantedUnits>,
        replaced: Option<&Replaced>,
    ) -> Result<UnitList, Answer> {
        let mut units = UnitList::new();
        let Some(named) = &self.named else {
            return Ok(units);
        };
        let asked = wanted.map_or(&[][..], |wanted| &wanted.asked);
        let asked = by_item(named, asked.iter().copied());
        let had = replaced.map(Replaced::slot).into_iter();
        let had = by_item(named, had.flat_map(|slot| named.held_by(slot)));
        for line in lines.iter().filter(|line| named.is_open_item(line.item)) {
            let of_line = units_of_item(&asked, line.item);
            if of_line.is_empty() {
                let had = units_of_item(&had, line.item);
                let chosen = choose(named, line, &had).ok_or(Answer::RETRY_NOW)?;
                units.extend_from_slice(&chosen);
            } else {
                units.extend_from_slice(&of_line);
            }
        }
        Ok(units)
    }

    /// The oldest sealed units of these lines, in the order of the lines: those that a buyer gets.
    ///
    /// # Errors
    ///
    /// Fewer are left than the stock says, which no input leads to.
    #[inline(never)]
    pub(super) fn sealed_for(&self, lines: &[Line]) -> Result<UnitList, Answer> {
        let mut units = UnitList::new();
        let Some(named) = &self.named else {
            return Ok(units);
        };
        for line in lines.iter().filter(|line| named.is_sealed_item(line.item)) {
            let qty = usize::try_from(line.qty).unwrap_or(usize::MAX);
            let choice = Choice::new(named, line.item);
            if !choice.is_some_and(|choice| choice.first_free(qty, &mut units)) {
                return Err(Answer::RETRY_NOW);
            }
        }
        Ok(units)
    }

    /// As [`Sale::grace_left_ms`], and 0 for a reservation that expired while an item of it was
    /// counted whose units have names now: none of them is its own.
    pub(super) fn grace_left_of(&self, slot: Slot, record: Reservation<'_>, now_ms: u64) -> u64 {
        match &self.named {
            Some(named)
                if record.status() == Status::InGrace
                    && !named.fits_late(
                        &record.lines(),
                        record.expires_at_ms(),
                        named.late_of(slot),
                    ) =>
            {
                0
            }
            _ => self.grace_left_ms(record, now_ms),
        }
    }

    /// Does a BUY that names units name all that this expired reservation had of their items? Within
    /// its grace it would be sold those, and nobody is sold what was not asked for.
    #[inline]
    pub(super) fn names_late_units(&self, slot: Slot, ask: &Reserve<'_>) -> bool {
        ask.units.is_empty() || self.are_late_units_asked(slot, ask)
    }

    #[cold]
    fn are_late_units_asked(&self, slot: Slot, ask: &Reserve<'_>) -> bool {
        let late = self
            .named
            .as_ref()
            .map_or(&[][..], |named| named.late_of(slot));
        if late.is_empty() {
            return true;
        }
        let Ok(mut wanted) = self.wanted_units(&ask.ask, ask.units, false) else {
            return false;
        };
        wanted.asked.sort_unstable();
        self.are_asked(late.iter().copied(), &wanted)
    }

    /// Are these units of items that are asked for by number, or among those named? The latter are
    /// sorted.
    fn are_asked(&self, mut units: impl Iterator<Item = UnitNumber>, wanted: &WantedUnits) -> bool {
        let Some(named) = &self.named else {
            return false;
        };
        let numbered = Items::of(wanted.numbered());
        units.all(|unit| {
            let item = named.item_of(unit);
            item.is_some_and(|item| numbered.has(item)) || wanted.asked.binary_search(&unit).is_ok()
        })
    }

    /// Are all units free that this expired reservation had? Sealed ones only count.
    #[inline(never)]
    pub(super) fn has_late_units(&self, slot: Slot, record: Reservation<'_>) -> bool {
        let Some(named) = &self.named else {
            return true;
        };
        let late = named.late_of(slot);
        late.iter().all(|&unit| named.is_free(unit))
            && named.fits_late(&record.lines(), record.expires_at_ms(), late)
    }
}

/// Items of lines, to be looked for.
struct Items(Vec<ItemIndex>);

impl Items {
    fn of(lines: &[Line]) -> Items {
        let mut items: Vec<ItemIndex> = lines.iter().map(|line| line.item).collect();
        items.sort_unstable();
        Items(items)
    }

    fn has(&self, item: ItemIndex) -> bool {
        self.0.binary_search(&item).is_ok()
    }
}

/// Units with their items, ordered by both.
type ByItem = SmallVec<[(ItemIndex, UnitNumber); 4]>;

fn by_item(named: &NamedUnits, units: impl Iterator<Item = UnitNumber>) -> ByItem {
    let mut pairs: ByItem = units
        .filter_map(|unit| Some((named.item_of(unit)?, unit)))
        .collect();
    pairs.sort_unstable();
    pairs
}

fn units_of_item(pairs: &[(ItemIndex, UnitNumber)], item: ItemIndex) -> UnitList {
    let start = pairs.partition_point(|&(other, _)| other < item);
    let pairs = pairs.iter().skip(start);
    let pairs = pairs.take_while(|&&(other, _)| other == item);
    pairs.map(|&(_, unit)| unit).collect()
}

/// The units that the server chooses for a line. What a replaced reservation `had` of the item
/// stays, the first ones, where it is enough; else it counts as free.
fn choose(named: &NamedUnits, line: &Line, had: &[UnitNumber]) -> Option<UnitList> {
    let qty = usize::try_from(line.qty).ok()?;
    if let Some(kept) = had.get(..qty) {
        return Some(UnitList::from_slice(kept));
    }
    let mut choice = Choice::new(named, line.item)?;
    if !had.is_empty() {
        choice.set(had, true);
    }
    choice.choose(line.qty)
}
