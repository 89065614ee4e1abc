//! Does a replayed event of a line fit the sale it came to?
//!
//! As `check.rs`: reads, and reports what does not fit.

use crate::sale::book::waiting::PAGES_MAX;
use crate::sale::event::apply_line::{fates_of, people_of};
use crate::sale::event::check::Divergence;
use crate::sale::event::{Change, Event, Forgets, Granted};
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line};
use crate::table::name::Key;

impl Sale {
    /// Whether what happens to lines can be carried out.
    pub(super) fn check_of_lines(&self, event: &Event<'_>) -> Result<(), Divergence> {
        match &event.change {
            Change::Joined { id, user, item, .. } => self.check_joined(*id, *user, *item),
            Change::Left { id, remembers } => {
                let needs_room = remembers.is_some_and(|room| room != Forgets::Nothing);
                self.check_left(*id, needs_room)
            }
            Change::Drawn { .. } => self.check_drawn(),
            Change::Granted(granted) => self.check_granted(event, granted),
            Change::Dissolved { items } => self.check_dissolved(items),
            _ => Ok(()),
        }
    }

    fn check_joined(&self, id: Key<'_>, user: Key<'_>, item: ItemIndex) -> Result<(), Divergence> {
        if item as usize >= self.items.len() {
            return Err(Divergence::ItemUnknown);
        }
        if self.reservations.find(id).is_some() {
            return Err(Divergence::IdKnown);
        }
        match &self.waiting {
            Some(waiting) if waiting.find(id).is_some() => Err(Divergence::IdKnown),
            Some(waiting) if waiting.find_of_user(user).is_some() => Err(Divergence::UserWaits),
            Some(waiting) if !waiting.has_number(item, PAGES_MAX) => Err(Divergence::WrongState),
            _ => Ok(()),
        }
    }

    fn check_left(&self, id: Key<'_>, needs_room: bool) -> Result<(), Divergence> {
        if needs_room && self.reservations.remembered_len() == 0 {
            return Err(Divergence::TooFewReservations);
        }
        let place = self.waiting.as_ref().and_then(|waiting| waiting.find(id));
        place.map(|_| ()).ok_or(Divergence::IdUnknown)
    }

    fn check_drawn(&self) -> Result<(), Divergence> {
        match &self.waiting {
            Some(waiting) if waiting.undrawn() > 0 => Ok(()),
            _ => Err(Divergence::WrongState),
        }
    }

    fn check_dissolved(&self, items: &[ItemIndex]) -> Result<(), Divergence> {
        let is_there = |&item: &ItemIndex| {
            let waiting = self.waiting.as_ref();
            waiting.is_some_and(|waiting| waiting.line(item).is_some())
        };
        if items.iter().all(is_there) {
            Ok(())
        } else {
            Err(Divergence::WrongState)
        }
    }

    /// Are there so many people at these places, and units for those who get some?
    fn check_granted(&self, event: &Event<'_>, granted: &Granted) -> Result<(), Divergence> {
        let waiting = self.waiting.as_ref().ok_or(Divergence::WrongState)?;
        let line = waiting.line(granted.item).ok_or(Divergence::WrongState)?;
        let left = line.next().saturating_sub(line.head());
        if !line.is_drawn() || granted.places > left || granted.expires_at_ms < event.at_ms {
            return Err(Divergence::WrongState);
        }
        if granted.expires_at_ms == 0 {
            return Err(Divergence::DeadlineBack);
        }
        let people = people_of(waiting, granted);
        let (made, passed) = granted.counts();
        if people.len() as u64 != made + passed {
            return Err(Divergence::TooFewPlaces);
        }
        let units = fates_of(people, granted)
            .filter(|(_, gets_units)| *gets_units)
            .filter_map(|(slot, _)| waiting.get(slot))
            .fold(0_u64, |sum, place| sum.saturating_add(place.qty));
        if units > self.items.stock(granted.item).available {
            return Err(Divergence::TooFewUnits);
        }
        let people = people_of(waiting, granted);
        let made = fates_of(people, granted).filter(|(_, gets_units)| *gets_units);
        let lines = made.filter_map(|(slot, _)| {
            let place = waiting.get(slot)?;
            let (item, qty) = (place.item, place.qty);
            Some(Line { item, qty })
        });
        self.check_granted_units(lines, &granted.units)?;
        if granted.forgotten as usize > self.reservations.remembered_len() {
            return Err(Divergence::TooFewReservations);
        }
        Ok(())
    }
}
