//! Decides what happens to those who wait: the draw, who gets units at their turn and who is
//! passed over, and which lines end.
//!
//! Edge: the primary asks, between commands, for one line at a time and within a budget. Who
//! was heard from comes in as a question; the seed of a draw as 16 random bytes.

use smallvec::SmallVec;

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::Bounds;
use crate::sale::book::pace::Pace;
use crate::sale::book::users::UserSlot;
use crate::sale::book::waiting::draw::Seed;
use crate::sale::book::waiting::line::WaitingLine;
use crate::sale::book::waiting::{Place, PlaceSlot, Waiting};
use crate::sale::event::{Change, Event, Granted};
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex, Line};
use crate::table::slab::NONE;

/// Lines that are asked whether a grant is due in them; with more, it is taken that one is.
const LINES_ASKED_MAX: usize = 100;

/// What becomes of whoever has the turn.
enum Fate {
    Granted,
    PassedOver,
    /// Not yet: the line stops here.
    Waits,
}

/// The grants of one event so far: what the state will be once they are carried out.
struct Tally {
    item: ItemIndex,
    granted: u64,
    units: u64,
    places: u64,
    /// Places up to the last person; those behind it were of nobody.
    runs: SmallVec<[u32; 2]>,
    forgotten: u32,
    pace: Pace,
}

impl Tally {
    /// Counts one more person with this fate.
    fn add(&mut self, gets_units: bool) {
        if self.runs.is_empty() && !gets_units {
            self.runs.push(0);
        }
        let is_run_of_grants = self.runs.len() % 2 == 1;
        match self.runs.last_mut() {
            Some(run) if is_run_of_grants == gets_units => *run += 1,
            _ => self.runs.push(1),
        }
    }
}

impl Sale {
    /// The event that draws the order of all lines without one, once START is over; `None`
    /// while nothing is to be drawn. O(lines).
    pub fn plan_draw(&self, now_ms: u64, seed: impl FnOnce() -> Seed) -> Option<Event<'static>> {
        self.has_due_draw(now_ms).then(|| Event {
            at_ms: now_ms,
            change: Change::Drawn { seed: seed() },
        })
    }

    /// Are there people without an order, and START is over? O(1).
    #[inline]
    pub fn has_due_draw(&self, now_ms: u64) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.undrawn() > 0) && self.options.has_started(now_ms)
    }

    /// The event that ends lines whose people wait for what cannot come, at most so many;
    /// `None` when there is none. O(lines ended).
    pub fn plan_dissolve(&self, now_ms: u64, budget: &mut u32) -> Option<Event<'static>> {
        let waiting = self
            .waiting
            .as_ref()
            .filter(|waiting| !waiting.is_empty())?;
        let most = *budget as usize;
        let items: Vec<ItemIndex> = if self.all_is_over(now_ms) {
            waiting.lines().map(WaitingLine::item).take(most).collect()
        } else {
            let items = waiting.sold_out_lines();
            let is_final = |&item: &ItemIndex| self.is_all_there_is(item);
            items.filter(is_final).take(most).collect()
        };
        if items.is_empty() {
            return None;
        }
        *budget -= items.len() as u32;
        Some(Event {
            at_ms: now_ms,
            change: Change::Dissolved { items },
        })
    }

    /// The sale ended, or all that may be sold is: nobody who waits can get a unit.
    fn all_is_over(&self, now_ms: u64) -> bool {
        self.ended_at_ms(now_ms).is_some() || self.unsold_remaining() == 0
    }

    /// The event that settles the next places of one line, within the budget: the first line
    /// from the item `from` on in which a grant is due. `None` when none is, or the budget is
    /// used up. Notes in `from` where to go on, so that each line has its turn.
    pub fn plan_grant(
        &self,
        now_ms: u64,
        from: &mut ItemIndex,
        budget: &mut u32,
        bounds: &Bounds,
        is_present: &dyn Fn(PlaceSlot) -> bool,
    ) -> Option<Event<'static>> {
        let waiting = self
            .waiting
            .as_ref()
            .filter(|waiting| !waiting.is_empty())?;
        if !self.may_grant(now_ms) {
            return None;
        }
        for line in waiting.lines_from(*from) {
            if *budget == 0 {
                return None;
            }
            *budget -= 1;
            *from = line.item() + 1;
            if self.is_due(now_ms, waiting, line)
                && let Some(event) =
                    self.grants_of(now_ms, waiting, line, budget, bounds, is_present)
            {
                return Some(event);
            }
        }
        None
    }

    /// The step of a poll from the head of a line: as [`Sale::plan_grant`], for that line and
    /// one person.
    pub fn plan_grant_to(
        &self,
        now_ms: u64,
        place: PlaceSlot,
        bounds: &Bounds,
        is_present: &dyn Fn(PlaceSlot) -> bool,
    ) -> Option<Event<'static>> {
        let waiting = self.waiting.as_ref()?;
        let place = waiting.get(place)?;
        let line = waiting.line(place.item)?;
        let is_first = line.ahead(place.number) == Some(0);
        if !is_first || !self.may_grant(now_ms) || !self.is_due(now_ms, waiting, line) {
            return None;
        }
        self.grants_of(now_ms, waiting, line, &mut 1, bounds, is_present)
    }

    fn grants_of(
        &self,
        now_ms: u64,
        waiting: &Waiting,
        line: &WaitingLine,
        budget: &mut u32,
        bounds: &Bounds,
        is_present: &dyn Fn(PlaceSlot) -> bool,
    ) -> Option<Event<'static>> {
        let mut tally = Tally {
            item: line.item(),
            granted: 0,
            units: 0,
            places: 0,
            runs: SmallVec::new(),
            forgotten: 0,
            pace: self.pace,
        };
        let mut places = waiting.at_places(line, line.head()..line.next());
        while *budget > 0
            && let Some(place) = places.next()
        {
            *budget -= 1;
            if let Some(slot) = place {
                let person = waiting.get(slot)?;
                match self.fate_of(now_ms, person, &tally, bounds, is_present) {
                    Fate::Waits => break,
                    Fate::PassedOver => tally.add(false),
                    Fate::Granted => self.note_grant(now_ms, person.qty, &mut tally, bounds),
                }
            }
            tally.places += 1;
        }
        if tally.places == 0 {
            return None;
        }
        let expires_at_ms = now_ms.saturating_add(self.options.hold_ms).min(INTEGER_MAX);
        let granted = Granted {
            item: tally.item,
            places: tally.places,
            runs: tally.runs,
            expires_at_ms,
            forgotten: tally.forgotten,
        };
        Some(Event {
            at_ms: now_ms,
            change: Change::Granted(granted),
        })
    }

    fn note_grant(&self, now_ms: u64, qty: u64, tally: &mut Tally, bounds: &Bounds) {
        if self.is_full(tally.granted, tally.forgotten, bounds) {
            tally.forgotten += 1;
        }
        tally.granted += 1;
        tally.units = tally.units.saturating_add(qty);
        if let Some(rate) = self.options.pace {
            tally.pace = tally.pace.begun(now_ms, rate);
        }
        tally.add(true);
    }

    /// What whoever has the turn gets, after the grants so far.
    fn fate_of(
        &self,
        now_ms: u64,
        place: Place<'_>,
        tally: &Tally,
        bounds: &Bounds,
        is_present: &dyn Fn(PlaceSlot) -> bool,
    ) -> Fate {
        let Place { item, qty, .. } = place;
        if self.over_for(now_ms, item, qty).is_some() {
            return Fate::PassedOver;
        }
        let paced = self.options.pace;
        let is_too_soon = paced.is_some_and(|rate| tally.pace.wait_ms(now_ms, rate) > 0);
        if !self.has_units_for(item, qty, tally.units) || is_too_soon {
            return Fate::Waits;
        }
        if self.options.patience_ms > 0 && !is_present(place.slot) {
            return Fate::PassedOver;
        }
        let user = self.hasher.key_of(place.user);
        let slot = self.users.find(user).unwrap_or(NONE);
        match self.admit_waiting(slot, item, qty) {
            // Units of theirs may be on their way back. The timer sweeps before it grants, so that
            // nobody waits here for long, and nobody's reservations have to be looked at.
            Err(Answer::UserLimit { .. } | Answer::ItemLimit { .. })
                if self.has_overdue(now_ms) =>
            {
                Fate::Waits
            }
            Err(_) => Fate::PassedOver,
            Ok(()) if !self.has_room(tally.granted, tally.forgotten, bounds) => Fate::Waits,
            Ok(()) => Fate::Granted,
        }
    }

    /// Rows 8 to 10 for whoever has the turn.
    fn admit_waiting(&self, user: UserSlot, item: ItemIndex, qty: u64) -> Result<(), Answer> {
        if let Some(limit) = self.options.order_limit
            && qty > limit
        {
            return Err(Answer::OrderLimit { limit });
        }
        let counted = self.users.sums(user).counted;
        self.admit_user(user, counted, &[Line { item, qty }], qty, None)
    }

    /// Are so many units of an item available and under SALELIMIT, when `given` of them have
    /// gone to others? What other lines speak for does not count, or two lines would wait for
    /// each other for ever.
    fn has_units_for(&self, item: ItemIndex, qty: u64, given: u64) -> bool {
        let available = self.items.stock(item).available;
        let totals = self.items.totals();
        let taken = totals.sold.saturating_add(totals.reserved);
        let limit = self.options.sale_limit.unwrap_or(u64::MAX);
        let left = limit.saturating_sub(taken).min(available);
        given.saturating_add(qty) <= left
    }

    /// Are as many ids known as may be, after so many grants?
    fn is_full(&self, granted: u64, forgotten: u32, bounds: &Bounds) -> bool {
        let known = self.reservations.len() as u64 - u64::from(forgotten);
        known + granted >= bounds.reservations_max as u64
    }

    /// Is there room for one more, or an id to be forgotten that can never become an order?
    /// Those whose grace may be over are left to the sweep.
    fn has_room(&self, granted: u64, forgotten: u32, bounds: &Bounds) -> bool {
        !self.is_full(granted, forgotten, bounds)
            || self.reservations.ended().len() > forgotten as usize
    }

    /// May anybody get units now?
    fn may_grant(&self, now_ms: u64) -> bool {
        self.options.has_started(now_ms)
            && self.refuses_since_ms().is_none()
            && self.ended_at_ms(now_ms).is_none()
    }

    /// Is there something to do at the head of a line? O(1).
    fn is_due(&self, now_ms: u64, waiting: &Waiting, line: &WaitingLine) -> bool {
        if !line.is_drawn() {
            return false;
        }
        // Nobody is at the head: it is to be moved on.
        let Some(qty) = waiting.front_qty(line) else {
            return true;
        };
        let item = line.item();
        self.over_for(now_ms, item, qty).is_some()
            || (self.has_units_for(item, qty, 0) && self.pace_wait_ms(now_ms) == 0)
    }

    pub(super) fn pace_wait_ms(&self, now_ms: u64) -> u64 {
        let pace = self.options.pace;
        pace.map_or(0, |rate| self.pace.wait_ms(now_ms, rate))
    }

    /// Could somebody who waits get units now, or is somebody to be passed over? Where PACE
    /// makes it too soon, or no more reservations may be known, nobody gets any. O(1).
    pub(super) fn has_due_grant(
        &self,
        now_ms: u64,
        is_too_soon: bool,
        bounds: Option<&Bounds>,
    ) -> bool {
        let Some(waiting) = self.waiting.as_ref().filter(|waiting| !waiting.is_empty()) else {
            return false;
        };
        if !self.may_grant(now_ms) {
            return false;
        }
        let has_room = bounds.is_none_or(|bounds| self.has_room(0, 0, bounds));
        for (looked, line) in waiting.stocked_lines().enumerate() {
            let (item, front) = (line.item(), waiting.front_qty(line));
            // Whoever waits for more than can come has to be passed over first.
            let is_served = |qty| {
                (!is_too_soon && has_room && self.has_units_for(item, qty, 0))
                    || self.over_for(now_ms, item, qty).is_some()
            };
            let is_due = line.is_drawn() && front.is_none_or(is_served);
            if is_due || looked == LINES_ASKED_MAX {
                return true;
            }
        }
        false
    }

    /// When the lines next have something to do, in Unix milliseconds; `None` while nobody
    /// waits for anything that could come by itself. A moment in the past is "now". O(1).
    pub fn lines_due_ms(&self) -> Option<u64> {
        let waiting = self
            .waiting
            .as_ref()
            .filter(|waiting| !waiting.is_empty())?;
        let now_ms = self.last_change_at_ms;
        let options = &self.options;
        if self.unsold_remaining() == 0 || self.has_final_line() {
            return Some(now_ms);
        }
        let ends_at_ms = [options.end_at_ms, self.closed_at_ms];
        let ends_at_ms = ends_at_ms.into_iter().flatten().min();
        let start_at_ms = options.start_at_ms.unwrap_or(0);
        let granted_at_ms = if waiting.undrawn() > 0 {
            Some(start_at_ms)
        } else {
            let is_due = self.refuses_since_ms().is_none() && self.has_due_grant_from_start();
            is_due.then(|| start_at_ms.max(now_ms + self.pace_wait_ms(now_ms)))
        };
        granted_at_ms.into_iter().chain(ends_at_ms).min()
    }

    /// As [`Sale::has_due_grant`], but for PACE and as if START were over.
    fn has_due_grant_from_start(&self) -> bool {
        let start_at_ms = self.options.start_at_ms.unwrap_or(0);
        self.has_due_grant(start_at_ms.max(self.last_change_at_ms), false, None)
    }
}
