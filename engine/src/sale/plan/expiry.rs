//! Decides which overdue reservations go back, and whether that could change an answer.
//!
//! Edge: the primary asks, between commands and before a decision that needs the
//! units. A replica never does; it is told.

use crate::sale::ask::answer::Answer;
use crate::sale::book::named::UnitNumber;
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::event::{Change, Event};
use crate::sale::state::Sale;
use crate::sale::units::INTEGER_MAX;
use crate::table::name::Key;
use crate::table::slab::NONE;

/// Of a user with more open reservations than this none is looked at: one of them may be
/// overdue.
pub(super) const CHAIN_LOOKS_MAX: u32 = 1_000;

/// So many lines of a reservation count as one reservation towards `sweep-max`.
pub(super) const LINES_PER_COUNT: usize = 16;
/// The same of its units with names.
pub(super) const UNITS_PER_COUNT: usize = 16;

/// Counts the reservations, from the first on, that a sweep may take before its budget is
/// used up, and takes their cost out of it. The last one may cost more than there is left:
/// a cart above the whole budget has to go back, too. O(answer).
fn count_within<'s>(
    budget: &mut u32,
    units_of: impl Fn(Reservation<'s>) -> usize,
    records: impl Iterator<Item = (Slot, Reservation<'s>)>,
) -> u32 {
    let mut count = 0;
    for (_, record) in records {
        if *budget == 0 {
            break;
        }
        let lines = record.lines_len().div_ceil(LINES_PER_COUNT);
        let named = units_of(record).div_ceil(UNITS_PER_COUNT);
        let cost = lines.max(named).max(1);
        *budget = budget.saturating_sub(u32::try_from(cost).unwrap_or(u32::MAX));
        count += 1;
    }
    count
}

/// The records of a queue up to a moment; none without one.
fn until<'s>(
    queue: impl Iterator<Item = (Slot, Reservation<'s>)>,
    until_ms: Option<u64>,
) -> impl Iterator<Item = (Slot, Reservation<'s>)> {
    queue.take_while(move |(_, record)| Some(record.queued_at_ms()) <= until_ms)
}

impl Sale {
    /// The event by which this id expires now, if it is open past its deadline, or loses
    /// its grace, if that is over: a decision about it need not wait for the sweep, and
    /// what was answered as final stays so. After the one the other may be due.
    #[inline]
    pub fn plan_expire<'a>(&self, now_ms: u64, id: Key<'a>) -> Option<Event<'a>> {
        if self.has_overdue(now_ms) || self.has_lapsed(now_ms) {
            self.plan_expire_of(now_ms, id)
        } else {
            None
        }
    }

    fn plan_expire_of<'a>(&self, now_ms: u64, id: Key<'a>) -> Option<Event<'a>> {
        let record = self.record(self.find(id)?)?;
        let change = if Sale::is_overdue(record, now_ms) {
            Change::Expired { id }
        } else if self.is_past_grace(record, now_ms) {
            Change::Lapsed { id }
        } else {
            return None;
        };
        Some(Event {
            at_ms: now_ms,
            change,
        })
    }

    /// The event that returns overdue reservations, ends the grace of those it is over
    /// for, and forgets ids remembered long enough, all together within `budget`; `None`
    /// when there is none.
    pub fn plan_sweep(&self, now_ms: u64, mut budget: u32) -> Option<Event<'static>> {
        self.plan_sweep_within(now_ms, &mut budget)
    }

    /// The same, and takes what it costs out of a budget that several sales share.
    pub fn plan_sweep_within(&self, now_ms: u64, budget: &mut u32) -> Option<Event<'static>> {
        let overdue = until(self.reservations.iter_open(), Some(now_ms));
        let expired = count_within(budget, |record| self.named_units_in(record), overdue);
        let until_ms = now_ms.checked_sub(self.options.grace_ms);
        let late = until(self.reservations.iter_late(), until_ms);
        let lapsed = count_within(budget, |_| 0, late);
        let until_ms = now_ms.checked_sub(self.options.remembers_ms());
        let ended = until(self.reservations.iter_ended(), until_ms);
        let forgotten = count_within(budget, |_| 0, ended);
        if expired + lapsed + forgotten == 0 {
            return None;
        }
        Some(Event {
            at_ms: now_ms,
            change: Change::Swept {
                expired,
                lapsed,
                forgotten,
            },
        })
    }

    /// Units with names that an open reservation has to give back.
    #[inline]
    fn named_units_in(&self, record: Reservation<'_>) -> usize {
        let Some(named) = &self.named else { return 0 };
        let lines = record.lines();
        let lines = lines.iter().filter(|line| named.is_open_item(line.item));
        let units = lines.fold(0_u64, |sum, line| sum.saturating_add(line.qty));
        usize::try_from(units).unwrap_or(usize::MAX)
    }

    /// Is any open reservation past its deadline? O(1).
    #[inline]
    pub fn has_overdue(&self, now_ms: u64) -> bool {
        self.reservations.deadlines().first_ms() <= now_ms
    }

    /// Is any grace over that the sweep has not ended? O(1).
    #[inline]
    fn has_lapsed(&self, now_ms: u64) -> bool {
        let first_ms = self.reservations.late().first_ms();
        first_ms.saturating_add(self.options.grace_ms) <= now_ms
    }

    /// Is the grace of this one over, and not ended yet?
    pub(crate) fn is_past_grace(&self, record: Reservation<'_>, now_ms: u64) -> bool {
        let until_ms = record.expires_at_ms().saturating_add(self.options.grace_ms);
        record.status() == Status::InGrace && until_ms <= now_ms
    }

    /// Could returning overdue reservations lift this refusal of RESERVE or BUY?
    ///
    /// Units in stock and under SALELIMIT come from anybody's, a user's own limits only
    /// from that user's.
    pub fn overdue_could_lift(&self, now_ms: u64, answer: &Answer, user: Key<'_>) -> bool {
        self.overdue_could_lift_within(now_ms, answer, user, &mut { CHAIN_LOOKS_MAX })
    }

    /// As [`Sale::overdue_could_lift`], and takes what it looks at out of a budget that
    /// several decisions share: "yes" where that is not enough.
    pub(super) fn overdue_could_lift_within(
        &self,
        now_ms: u64,
        answer: &Answer,
        user: Key<'_>,
        looks_left: &mut u32,
    ) -> bool {
        if !self.has_overdue(now_ms) {
            return false;
        }
        match answer {
            Answer::AllReserved { .. } => true,
            Answer::NotFree {
                retry_in_ms: Some(_),
                unit,
            } => self.is_held_by_overdue(*unit, now_ms),
            Answer::UserLimit { .. } => self.user_has_overdue(now_ms, user, looks_left, |_| true),
            Answer::ItemLimit { item, .. } => {
                let counts = |record: Reservation<'_>| record.has_item(*item);
                self.user_has_overdue(now_ms, user, looks_left, counts)
            }
            _ => false,
        }
    }

    /// Is the unit in a reservation past its deadline?
    #[cold]
    fn is_held_by_overdue(&self, unit: UnitNumber, now_ms: u64) -> bool {
        let named = self.named.as_ref();
        let holder = named.and_then(|named| self.record(named.holder(unit)));
        holder.is_some_and(|record| Sale::is_overdue(record, now_ms))
    }

    /// May an overdue reservation of this user count here? Asked while some reservation of
    /// the sale is overdue, so that a "yes" without a look, for a user with very many, costs
    /// a sweep or a retry, and a final refusal is always true.
    fn user_has_overdue(
        &self,
        now_ms: u64,
        user: Key<'_>,
        looks_left: &mut u32,
        counts: impl Fn(Reservation<'_>) -> bool,
    ) -> bool {
        let chain = self.users.chain(self.users.find(user).unwrap_or(NONE));
        if chain.open > CHAIN_LOOKS_MAX.min(*looks_left) {
            return true;
        }
        *looks_left -= chain.open;
        self.reservations
            .iter_chain(chain)
            .any(|(_, record)| Sale::is_overdue(record, now_ms) && counts(record))
    }

    /// For how much longer a checkout of this expired reservation may still succeed, 0 when
    /// none may.
    pub(crate) fn grace_left_ms(&self, record: Reservation<'_>, now_ms: u64) -> u64 {
        if !self.is_in_grace(record, now_ms) {
            return 0;
        }
        let until_ms = record.expires_at_ms().saturating_add(self.options.grace_ms);
        until_ms.saturating_sub(now_ms).min(INTEGER_MAX)
    }

    /// Could returning overdue reservations let this expired one be checked out within
    /// its grace?
    pub fn overdue_could_grant_grace(&self, now_ms: u64, id: Key<'_>) -> bool {
        self.has_overdue(now_ms)
            && self
                .find(id)
                .and_then(|slot| self.record(slot))
                .is_some_and(|record| self.is_in_grace(record, now_ms))
    }

    /// Past its deadline so recently that a checkout may still succeed? Never where GRACE
    /// was 0 when it expired, or is now.
    pub(crate) fn is_in_grace(&self, record: Reservation<'_>, now_ms: u64) -> bool {
        matches!(record.status(), Status::Open | Status::InGrace)
            && self.options.grace_ms > 0
            && now_ms < record.expires_at_ms().saturating_add(self.options.grace_ms)
    }
}
