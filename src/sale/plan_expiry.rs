//! Decides which overdue reservations go back, and whether that could change an answer.
//!
//! Edge: the primary asks, between commands and before a decision that needs the
//! units. A replica never does; it is told.

use super::answer::Answer;
use super::event::{Change, Event};
use super::name::Key;
use super::reservation::{Reservation, Status};
use super::slab::NONE;
use super::state::Sale;

/// How many open reservations of one user are looked at for an overdue one.
const CHAIN_LOOKS_MAX: usize = 1_000;

impl Sale {
    /// The event by which this id, if it is open past its deadline, expires now, so
    /// that a decision about it need not wait for the sweep.
    pub fn plan_expire<'a>(&self, now_ms: u64, id: Key<'a>) -> Option<Event<'a>> {
        if !self.has_overdue(now_ms) {
            return None;
        }
        let record = self.record(self.find(id)?)?;
        Sale::is_overdue(record, now_ms).then_some(Event {
            at_ms: now_ms,
            change: Change::Expired { id },
        })
    }

    /// The event that returns overdue reservations, ends the grace of those it is over
    /// for, and forgets ids remembered long enough, at most `budget` of all together;
    /// `None` when there is none.
    pub fn plan_sweep(&self, now_ms: u64, budget: u32) -> Option<Event<'static>> {
        let expired = self.reservations.count_expired(now_ms, budget as usize);
        let left = budget as usize - expired;
        let lapsed = now_ms
            .checked_sub(self.options.grace_ms)
            .map_or(0, |until_ms| self.reservations.count_lapsed(until_ms, left));
        let left = left - lapsed;
        let forgotten = now_ms
            .checked_sub(self.options.remembers_ms())
            .map_or(0, |until_ms| {
                self.reservations.count_forgotten(until_ms, left)
            });
        if expired + lapsed + forgotten == 0 {
            return None;
        }
        let change = Change::Swept {
            expired: expired as u32,
            lapsed: lapsed as u32,
            forgotten: forgotten as u32,
        };
        Some(Event {
            at_ms: now_ms,
            change,
        })
    }

    /// Is any open reservation past its deadline? O(1).
    pub fn has_overdue(&self, now_ms: u64) -> bool {
        self.reservations
            .deadlines()
            .first_ms()
            .is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Could returning overdue reservations lift this refusal of RESERVE or BUY?
    ///
    /// Units in stock and under SALELIMIT come from anybody's, a user's own limits only
    /// from that user's.
    pub fn overdue_could_lift(&self, now_ms: u64, answer: &Answer, user: Key<'_>) -> bool {
        if !self.has_overdue(now_ms) {
            return false;
        }
        match answer {
            Answer::AllReserved { .. } => true,
            Answer::UserLimit { .. } => self.user_has_overdue(now_ms, user, |_| true),
            Answer::ItemLimit { item, .. } => self.user_has_overdue(now_ms, user, |record| {
                record.lines().iter().any(|line| line.item == *item)
            }),
            _ => false,
        }
    }

    fn user_has_overdue(
        &self,
        now_ms: u64,
        user: Key<'_>,
        counts: impl Fn(Reservation<'_>) -> bool,
    ) -> bool {
        let user = self.users.find(user).unwrap_or(NONE);
        self.reservations
            .iter_chain(self.users.chain(user))
            .take(CHAIN_LOOKS_MAX)
            .any(|(_, record)| Sale::is_overdue(record, now_ms) && counts(record))
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

    /// Expired so recently that a checkout may still succeed? Never where GRACE was 0 when
    /// the deadline passed, or is now.
    pub(super) fn is_in_grace(&self, record: Reservation<'_>, now_ms: u64) -> bool {
        record.status() == Status::InGrace
            && self.options.grace_ms > 0
            && now_ms < record.expires_at_ms().saturating_add(self.options.grace_ms)
    }
}
