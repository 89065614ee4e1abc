//! Does a replayed event between sales fit the sale it came to?
//!
//! As `check.rs`: reads, and reports what does not fit.

use crate::sale::book::reservation::Status;
use crate::sale::book::shares::Way;
use crate::sale::event::check::Divergence;
use crate::sale::event::{Change, Event, Given, Imported, Taken};
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex, Line};

impl Sale {
    /// Whether what happens between sales can be carried out.
    pub(super) fn check_of_shares(&self, event: &Event<'_>) -> Result<(), Divergence> {
        match &event.change {
            Change::Imported(imported) => self.check_imported(imported),
            Change::Given(given) => self.check_given(given),
            Change::Taken(taken) => self.check_taken(taken),
            _ => Ok(()),
        }
    }

    fn check_imported(&self, imported: &Imported<'_>) -> Result<(), Divergence> {
        let lines = &imported.lines;
        if lines
            .iter()
            .any(|line| line.item as usize >= self.items.len())
        {
            return Err(Divergence::ItemUnknown);
        }
        let Some(slot) = self.reservations.find(imported.id) else {
            self.check_room(imported.forgets)?;
            return self.check_owing(lines);
        };
        let record = self.reservations.get(slot).ok_or(Divergence::IdUnknown)?;
        let is_same = || {
            self.belongs_to(record, imported.user.spelling()) && record.lines() == imported.lines
        };
        match record.status() {
            Status::Sold => Err(Divergence::WrongState),
            Status::Open if is_same() => Ok(()),
            Status::Open => Err(Divergence::WrongState),
            Status::InGrace | Status::Expired | Status::Released => self.check_owing(lines),
        }
    }

    /// Can so many units be owed, as far as they are not available?
    fn check_owing(&self, lines: &[Line]) -> Result<(), Divergence> {
        match self.may_owe(lines) {
            true => Ok(()),
            false => Err(Divergence::TooManyUnits),
        }
    }

    /// Is there a number for all units of the sale when these are sold, whether it has them or
    /// not?
    pub(crate) fn may_owe(&self, lines: &[Line]) -> bool {
        let missing = lines.iter().fold(0_u64, |sum, line| {
            let available = self.items.stock(line.item).available;
            sum.saturating_add(line.qty.saturating_sub(available))
        });
        let has_number = |units: u64| units.saturating_add(missing) <= INTEGER_MAX;
        has_number(self.units()) && has_number(self.items.owed_in_all())
    }

    fn check_given(&self, given: &Given) -> Result<(), Divergence> {
        if given.item as usize >= self.items.len() {
            return Err(Divergence::ItemUnknown);
        }
        self.check_total(Way::Given, given.item, given.to, (given.total, given.units))?;
        let available = self.items.stock(given.item).available;
        let missing = given.units.saturating_sub(available);
        if missing != given.owes {
            return Err(Divergence::TooFewUnits);
        }
        if self.items.owed_in_all().saturating_add(missing) > INTEGER_MAX {
            return Err(Divergence::TooManyUnits);
        }
        Ok(())
    }

    fn check_taken(&self, taken: &Taken<'_>) -> Result<(), Divergence> {
        let item = self.items.find(&taken.sku);
        let number = item.unwrap_or(self.items.len() as ItemIndex);
        self.check_total(Way::Taken, number, taken.from, (taken.total, taken.units))?;
        if !self.has_number_for(item, taken.units) {
            return Err(Divergence::TooManyUnits);
        }
        Ok(())
    }

    /// Is there a number for all units of the sale when these are added to an item?
    pub(crate) fn has_number_for(&self, item: Option<ItemIndex>, units: u64) -> bool {
        let pays = item.map_or(0, |item| self.items.owed(item));
        let more = units.saturating_sub(pays);
        self.units().saturating_add(more) <= INTEGER_MAX
    }

    /// Is there a number for what an item got by CREATE and RESTOCK in all?
    pub(crate) fn has_base_for(&self, item: Option<ItemIndex>, delta: i64) -> bool {
        let base = item.map_or(0, |item| self.items.base(item));
        base.checked_add(delta).is_some()
    }

    /// Does a total grow from what it is, and can it?
    fn check_total(
        &self,
        way: Way,
        item: ItemIndex,
        peer: u128,
        (total, units): (u64, u64),
    ) -> Result<(), Divergence> {
        if peer == self.share_id() {
            return Err(Divergence::WrongState);
        }
        if self.shared(way, item, peer).checked_add(units) != Some(total) {
            return Err(Divergence::WrongTotal);
        }
        if self.may_share(way, item, peer, units) {
            Ok(())
        } else {
            Err(Divergence::TooManyUnits)
        }
    }
}
