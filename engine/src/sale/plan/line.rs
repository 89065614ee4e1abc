//! Decides who joins a line, what whoever waits is told, and what stands in the way of others.
//!
//! Edge: reads the state and returns an event or an answer. Who gets units at their turn is
//! `grant.rs`.

use crate::sale::Plan;
use crate::sale::ask::answer::{Answer, ThrottledBy};
use crate::sale::ask::request::{Ask, Bounds, Reserve};
use crate::sale::book::waiting::{PAGES_MAX, Place, PlaceSlot, Waiting};
use crate::sale::event::{Change, Event};
use crate::sale::plan::reserve::{Replaced, Unknown};
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line};
use crate::table::name::{Key, Spelling};

/// Lines that are asked what they speak for; were there more, they would speak for all.
const LINES_ASKED_MAX: usize = 1_000;

impl Sale {
    /// The place of an id, if it waits.
    #[inline]
    pub fn find_place(&self, id: Key<'_>) -> Option<PlaceSlot> {
        self.waiting.as_ref()?.find(id)
    }

    /// What a known place is, for a client that asks for it: `None` for an id that does not
    /// wait, or is another user's.
    pub(super) fn place_of(&self, id: Key<'_>, user: Option<Spelling<'_>>) -> Option<Place<'_>> {
        let waiting = self.waiting.as_ref()?;
        let place = waiting.get(waiting.find(id)?)?;
        user.is_none_or(|user| user == place.user).then_some(place)
    }

    /// What a command says about an id that no reservation has: it waits, or it is not known.
    pub(super) fn unknown(&self, id: Key<'_>, user: Option<Spelling<'_>>) -> Answer {
        match self.place_of(id, user) {
            Some(_) => Answer::StillWaiting,
            None => Answer::NoReservation,
        }
    }

    /// Row 2 for an id that waits; `None` for one that does not.
    #[inline(never)] // Most sales have no line.
    pub(super) fn replay_place(&self, now_ms: u64, ask: &Reserve<'_>) -> Option<Answer> {
        let place = self.place_of(ask.id, None)?;
        if place.user != ask.user.spelling() || !self.asks_for(place, &ask.ask) {
            return Some(Answer::Mismatch);
        }
        let over = self.over_for(now_ms, place.item, place.qty);
        Some(over.unwrap_or(Answer::Waiting { place: place.slot }))
    }

    pub(super) fn asks_for(&self, place: Place<'_>, ask: &Ask<'_>) -> bool {
        match ask {
            Ask::Qty(qty) => *qty == place.qty && self.bare_items().any(|item| item == place.item),
            Ask::Items(_) => {
                let (item, qty) = (place.item, place.qty);
                self.lines_of(ask)
                    .is_ok_and(|lines| lines[..] == [Line { item, qty }])
            }
        }
    }

    /// Rows 4, 11 and 12 for so many units: what ends all waiting for them.
    pub(super) fn over_for(&self, now_ms: u64, item: ItemIndex, qty: u64) -> Option<Answer> {
        if let Some(at_ms) = self.ended_at_ms(now_ms) {
            return Some(Answer::Ended { at_ms });
        }
        let remaining = self.unsold_remaining();
        if qty > remaining {
            return Some(Answer::SaleLimit { remaining });
        }
        let available = self.items.stock(item).available;
        (self.left_of(item) < qty && self.is_all_there_is(item))
            .then_some(Answer::SoldOut { available, item })
    }

    /// Units under SALELIMIT that are not sold.
    pub(super) fn unsold_remaining(&self) -> u64 {
        let limit = self.options.sale_limit.unwrap_or(u64::MAX);
        limit.saturating_sub(self.items.totals().sold)
    }

    /// RESERVE ... WAIT with an id that nothing has. O(1).
    #[inline(never)] // Others do not pay for it.
    pub(super) fn plan_wait<'a>(
        &self,
        now_ms: u64,
        ask: &Reserve<'a>,
        bounds: &Bounds,
    ) -> Plan<'a> {
        let lines = self
            .lines_of(&ask.ask)
            .map_err(|Unknown(ask)| Answer::NoSku { ask })?;
        let mut joins = false;
        match self.admit_window(now_ms) {
            Err(Answer::Paused { .. } | Answer::NotStarted { .. }) => joins = true,
            other => other?,
        }
        if let Some(at_ms) = self.refuses_since_ms()
            && self.sells_nowhere()
        {
            return Err(Answer::Paused { at_ms });
        }
        match self.admit_units(now_ms, ask.user, &lines, bounds, None) {
            // Joining would be too early while units may come back at once.
            Err(refusal @ Answer::AllReserved { .. }) if self.has_overdue(now_ms) => {
                return Err(refusal);
            }
            Err(Answer::AllReserved { .. } | Answer::Throttled { .. }) => {}
            Err(refusal) => return Err(refusal),
            Ok(user) if !joins => return self.plan_units(now_ms, ask, user, lines, bounds, None),
            Ok(_) => {}
        }
        let &[Line { item, qty }] = &lines[..] else {
            return Err(Answer::Invalid("WAIT: takes one SKU"));
        };
        self.plan_join(now_ms, ask, item, qty)
    }

    /// This copy is marked or broken: nobody knows what it would grant.
    pub(super) fn sells_nowhere(&self) -> bool {
        self.mark.is_some() || self.broken.is_some()
    }

    /// Rows 15 to 17.
    fn plan_join<'a>(&self, now_ms: u64, ask: &Reserve<'a>, item: ItemIndex, qty: u64) -> Plan<'a> {
        self.admit_pass(now_ms, ask)?;
        let (mut places, mut has_number) = (0, true);
        if let Some(waiting) = &self.waiting {
            if let Some(place) = waiting.find_of_user(ask.user) {
                return Err(Answer::Placed { place });
            }
            places = waiting.len().saturating_add(waiting.dead());
            // Copies have as many again: they free what ended in their own time.
            has_number = waiting.has_number(item, PAGES_MAX / 2);
        }
        let most = self.options.waiting_max;
        if places >= most || !has_number {
            return Err(Answer::LineFull { most });
        }
        let change = Change::Joined {
            id: ask.id,
            user: ask.user,
            item,
            qty,
        };
        Ok(Event {
            at_ms: now_ms,
            change,
        })
    }

    /// RELEASE of an id that waits; `None` for one that does not. Leaving never fails: where
    /// there is no room for the id, it is not remembered.
    pub(super) fn plan_leave<'a>(
        &self,
        now_ms: u64,
        id: Key<'a>,
        user: Option<Spelling<'_>>,
        bounds: &Bounds,
    ) -> Option<Plan<'a>> {
        self.find_place(id)?;
        if self.place_of(id, user).is_none() {
            return Some(Err(Answer::NoReservation));
        }
        let remembers = self.room(now_ms, bounds).ok();
        Some(Ok(Event {
            at_ms: now_ms,
            change: Change::Left { id, remembers },
        }))
    }

    /// Do people wait for the item of this line of a cart? A REPLACE that asks for no more of
    /// it than there was takes nothing from them.
    #[inline(never)] // Most sales have no line.
    pub(super) fn is_waited_for(&self, line: &Line, replaced: Option<&Replaced>) -> bool {
        let had = replaced.map_or(0, |replaced| replaced.qty_of(line.item));
        let waiting = self.waiting.as_ref();
        line.qty > had && waiting.is_some_and(|waiting| waiting.line(line.item).is_some())
    }

    /// Row 14. What replaces a reservation begins none.
    #[inline(never)] // Most sales have no PACE.
    pub(super) fn admit_pace(
        &self,
        now_ms: u64,
        bounds: &Bounds,
        replaced: Option<&Replaced>,
    ) -> Result<(), Answer> {
        match self.options.pace {
            Some(rate) if replaced.is_none() => {
                let wait_ms = self.pace.wait_ms(now_ms, rate);
                // Lines that have their units go first.
                if wait_ms > 0 || self.has_due_grant(now_ms, false, Some(bounds)) {
                    return Err(Answer::Throttled {
                        retry_in_ms: wait_ms.max(1),
                        by: ThrottledBy::Sale,
                    });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Row 13, as far as lines of other items stand in the way of SALELIMIT.
    #[inline(never)] // Most sales have no line.
    pub(super) fn admit_past_lines(
        &self,
        now_ms: u64,
        units: u64,
        bounds: Option<&Bounds>,
        replaced: Option<&Replaced>,
    ) -> Result<(), Answer> {
        let Some(waiting) = self.waiting.as_ref().filter(|waiting| !waiting.is_empty()) else {
            return Ok(());
        };
        let Some(limit) = self.options.sale_limit else {
            return Ok(());
        };
        let freed = replaced.map_or(0, Replaced::units);
        if replaced.is_some() && units <= freed {
            return Ok(());
        }
        let totals = self.items.totals();
        let taken = totals
            .sold
            .saturating_add(totals.reserved.saturating_sub(freed));
        let left = limit.saturating_sub(taken).saturating_sub(units);
        if self.spoken_for(waiting, left) > left {
            return Err(self.all_reserved(now_ms, bounds, None));
        }
        Ok(())
    }

    /// Units that lines are about to take: of each the smaller of those waited for and those
    /// available. Counts up to more than `enough`.
    fn spoken_for(&self, waiting: &Waiting, enough: u64) -> u64 {
        let mut sum = 0_u64;
        for (looked, line) in waiting.stocked_lines().enumerate() {
            if looked == LINES_ASKED_MAX {
                return u64::MAX;
            }
            let available = self.items.stock(line.item()).available;
            let units = u64::try_from(line.units()).unwrap_or(u64::MAX);
            sum = sum.saturating_add(units.min(available));
            if sum > enough {
                break;
            }
        }
        sum
    }

    /// Of the rows that a line or PACE makes: when to ask again, at the earliest. The next
    /// deadline is so far away, if there is one.
    pub(super) fn retry_beside_lines_ms(
        &self,
        now_ms: u64,
        bounds: Option<&Bounds>,
        deadline_in_ms: Option<u64>,
    ) -> u64 {
        let wait_ms = self.pace_wait_ms(now_ms);
        if self.has_due_grant(now_ms, wait_ms > 0, bounds) {
            let waiting = self.waiting.as_ref();
            return 1 + waiting.map_or(0, |waiting| waiting.len()) / 1_000;
        }
        let paced_ms = Some(wait_ms).filter(|&wait_ms| wait_ms > 0);
        let next_ms = deadline_in_ms.into_iter().chain(paced_ms).min();
        next_ms.unwrap_or(1)
    }
}
