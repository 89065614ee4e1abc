//! What each event does to those who wait, and what PACE makes of it.
//!
//! As `apply.rs`: nothing is decided here, and nothing can fail.

use crate::sale::book::items::StockChanges;
use crate::sale::book::reservation::{NewReservation, Slot, Status};
use crate::sale::book::waiting::draw::Seed;
use crate::sale::book::waiting::{LineCounts, Moves, PlaceSlot, Waiting};
use crate::sale::event::apply::{Applied, new_reservation};
use crate::sale::event::{Change, Event, Forgets, Granted};
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, one_line};
use crate::table::name::Key;
use crate::table::slab::NONE;

/// Dead places whose memory is freed with each event.
const FREED_PER_EVENT: usize = 64;

impl Sale {
    /// Notes whether the sale has a line, or PACE.
    pub(crate) fn note_queue(&mut self) {
        self.has_queue = self.waiting.is_some() || self.options.pace.is_some();
    }

    /// Carries out what any change is to lines and to PACE.
    #[inline(never)] // Most sales have neither.
    pub(super) fn apply_to_queue(&mut self, event: &Event<'_>, crossed: &StockChanges) {
        if let Some(waiting) = &mut self.waiting {
            waiting.note_stock(crossed);
            waiting.free(FREED_PER_EVENT);
        }
        if let Change::Reserved { replaces: None, .. } | Change::Bought { .. } = &event.change {
            self.begin_one(event.at_ms);
        }
    }

    /// A reservation began: the next one is later.
    fn begin_one(&mut self, at_ms: u64) {
        if let Some(rate) = self.options.pace {
            self.pace = self.pace.begun(at_ms, rate);
        }
    }

    pub(super) fn apply_joined(&mut self, event: &Event<'_>) -> Option<Slot> {
        let Change::Joined {
            id,
            user,
            item,
            qty,
        } = event.change
        else {
            return None;
        };
        let stock = self.items.reachable(item);
        let is_drawn = self.options.has_started(event.at_ms);
        let hasher = self.hasher;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::new(Waiting::new(hasher)));
        waiting.join(id, user, (item, qty), is_drawn, stock);
        self.note_queue();
        None
    }

    pub(super) fn apply_left(
        &mut self,
        id: Key<'_>,
        remembers: Option<Forgets>,
        at_ms: u64,
    ) -> Option<Slot> {
        let mut waiting = self.waiting.take()?;
        let slot = waiting.find(id);
        let mut known = None;
        if let Some(place) = slot.and_then(|slot| waiting.get(slot)) {
            if let Some(forgets) = remembers {
                self.make_room(forgets);
                let lines = one_line(place.item, place.qty);
                let user = self.users.retain(self.hasher.key_of(place.user));
                let new = NewReservation {
                    status: Status::Released,
                    expires_at_ms: at_ms,
                    ended_at_ms: at_ms,
                    ..new_reservation(id, user, &lines, at_ms)
                };
                known = Some(self.reservations.insert(&new, None, &mut self.users));
            }
            let slot = place.slot;
            waiting.leave(slot, at_ms);
        }
        self.waiting = Some(waiting);
        known
    }

    pub(super) fn apply_drawn(&mut self, seed: Seed, at_ms: u64) {
        if let Some(waiting) = &mut self.waiting {
            waiting.draw(seed, at_ms);
        }
    }

    pub(super) fn apply_dissolved(&mut self, items: &[ItemIndex]) {
        if let Some(waiting) = &mut self.waiting {
            items.iter().for_each(|&item| waiting.dissolve(item));
        }
    }

    pub(super) fn apply_granted(&mut self, granted: &Granted, at_ms: u64, told: &mut Applied) {
        let Some(mut waiting) = self.waiting.take() else {
            return;
        };
        let mut forgotten = granted.forgotten;
        for (slot, gets_units) in who_of(&waiting, granted) {
            if gets_units {
                if forgotten > 0 {
                    forgotten -= 1;
                    self.make_room(Forgets::OldestPastGrace);
                }
                self.grant(&waiting, slot, granted.expires_at_ms, at_ms, told);
            }
            waiting.take_out(slot);
        }
        let (granted_now, passed_over) = granted.counts();
        let by = LineCounts {
            granted: granted_now,
            passed_over,
        };
        waiting.settle(granted.item, granted.places, by, at_ms);
        self.waiting = Some(waiting);
    }

    /// Makes a place a reservation; the place itself goes afterwards.
    fn grant(
        &mut self,
        waiting: &Waiting,
        slot: PlaceSlot,
        expires_at_ms: u64,
        at_ms: u64,
        told: &mut Applied,
    ) {
        let Some(place) = waiting.get(slot) else {
            return;
        };
        let [id, user] = [place.id, place.user].map(|name| self.hasher.key_of(name));
        let lines = one_line(place.item, place.qty);
        let mut new = new_reservation(id, NONE, &lines, at_ms);
        new.expires_at_ms = expires_at_ms;
        self.reserve(user, &lines, new, told);
        self.begin_one(at_ms);
    }

    /// Returns what the changes since the last call did to places, for whoever keeps something
    /// beside them. Not a change of the sale.
    pub fn take_moves(&mut self) -> Moves {
        let waiting = self.waiting.as_mut();
        waiting.map_or_else(Moves::default, |waiting| waiting.take_moves())
    }

    /// Takes what is left of lines that ended, if nobody waits any more: freeing it all may
    /// take long, and another thread has the time. Not a change of the sale.
    pub fn take_dead(&mut self) -> Option<Box<Waiting>> {
        let waiting = self.waiting.as_mut()?;
        if !waiting.is_empty() || waiting.dead() <= FREED_PER_EVENT as u64 {
            return None;
        }
        let successor = Box::new(waiting.successor());
        Some(std::mem::replace(waiting, successor))
    }

    /// Frees the memory of about so many places of lines that ended. Not a change of the
    /// sale. Returns how many are left.
    pub fn free_dead(&mut self, most: usize) -> u64 {
        self.waiting.as_mut().map_or(0, |waiting| {
            waiting.free(most);
            waiting.dead()
        })
    }
}

/// The people at the places an event settles, each with whether it gives them units.
pub(super) fn who_of<'g>(
    waiting: &Waiting,
    granted: &'g Granted,
) -> impl Iterator<Item = (PlaceSlot, bool)> + use<'g> {
    fates_of(people_of(waiting, granted), granted)
}

/// The people at these places.
pub(super) fn people_of(waiting: &Waiting, granted: &Granted) -> Vec<PlaceSlot> {
    let Some(line) = waiting.line(granted.item) else {
        return Vec::new();
    };
    let places = line.head()..line.head().saturating_add(granted.places).min(line.next());
    waiting.at_places(line, places).flatten().collect()
}

/// What becomes of these people: whether each gets units.
pub(super) fn fates_of(
    people: Vec<PlaceSlot>,
    granted: &Granted,
) -> impl Iterator<Item = (PlaceSlot, bool)> + use<'_> {
    let fates = granted.runs.iter().enumerate();
    let fates = fates.flat_map(|(run, &len)| (0..len).map(move |_| run % 2 == 0));
    people.into_iter().zip(fates)
}
