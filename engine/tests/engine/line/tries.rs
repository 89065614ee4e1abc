//! How often somebody may try: a slow cell rate beside the engine's, in wide integers.

use std::collections::BTreeMap;

use super::decide::Decided;
use super::model::Model;
use super::said::{Ask, Said};
use super::words::{Parts, of, said_of};
use super::world::World;
use crate::commands::play::Fault;

/// Nanoseconds of a millisecond.
const MS: i128 = 1_000_000;

/// Who has tried, by one rate: `n` in `ms`, and when each has its whole burst again.
#[derive(Clone, Debug, Default)]
pub struct Tries {
    pub rate: Option<(u64, u64)>,
    full_at: BTreeMap<String, i128>,
    /// When somebody last tried with success, in milliseconds.
    last: i128,
}

impl Tries {
    pub fn of(rate: Option<(u64, u64)>) -> Tries {
        Tries {
            rate,
            ..Tries::default()
        }
    }

    /// The moment in nanoseconds: a small step back stands still, of a large one all that is
    /// known takes part.
    fn now(&mut self, now_ms: u64) -> i128 {
        let now = i128::from(now_ms);
        if self.last - now > 1_000 {
            let by = self.last - now;
            self.full_at.values_mut().for_each(|at| *at -= by * MS);
            self.last = now;
        }
        now.max(self.last) * MS
    }

    /// Milliseconds until `who` may try, and when they would have their whole burst again.
    fn ask(&mut self, now_ms: u64, who: &str) -> (u64, i128) {
        let Some((n, ms)) = self.rate else {
            return (0, 0);
        };
        let now = self.now(now_ms);
        let interval = (i128::from(ms) * MS + i128::from(n) - 1) / i128::from(n);
        let full_at = self.full_at.get(who).copied().unwrap_or(now).max(now);
        let late = full_at + interval - (now + interval * i128::from(n));
        let wait = u64::try_from((late.max(0) + MS - 1) / MS).expect("a wait");
        (wait, full_at + interval)
    }

    fn charge(&mut self, now_ms: u64, who: &str, full_at: i128) {
        if self.rate.is_some() {
            self.last = self.last.max(i128::from(now_ms));
            self.full_at.insert(who.to_owned(), full_at);
        }
    }
}

impl Model {
    /// Row 7, of a request that gets so far: counts the attempt, or says how long it is too early.
    fn attempt(&mut self, now: u64, ask: &Ask) -> Option<Said> {
        let source = ask.source.as_deref();
        let (user_wait, user_full) = self.by_user.ask(now, &ask.user);
        let (from_wait, from_full) = source.map_or((0, 0), |from| self.by_source.ask(now, from));
        if user_wait.max(from_wait) > 0 {
            self.row(if ask.waits { "7 wait" } else { "7" });
            let by = if user_wait >= from_wait {
                "user"
            } else {
                "from"
            };
            self.row(if by == "user" { "7 user" } else { "7 from" });
            return Some(Said::TooOften(user_wait.max(from_wait), by));
        }
        self.by_user.charge(now, &ask.user, user_full);
        if let Some(source) = source {
            self.by_source.charge(now, source, from_full);
        }
        None
    }

    /// Nobody knows who has tried.
    pub fn forget_tries(&mut self) {
        self.by_user = Tries::of(self.by_user.rate);
        self.by_source = Tries::of(self.by_source.rate);
    }
}

impl World {
    /// What the module does before a plan, of a sale that limits attempts.
    pub fn throttle(&mut self, now: u64, ask: &Ask) -> Result<Option<(Said, Said)>, Fault> {
        if !self.sale.limits_attempts() {
            return Ok(None);
        }
        let parts = Parts::of(ask);
        let request = parts.request(&self.sale, ask);
        let is_attempt = self.sale.is_attempt(now, &request);
        // What the first rows answer, no rate does.
        let decided = self.model.clone().decide(now, ask);
        let is_first = matches!(
            &decided,
            Decided::Says(
                Said::Reserved(_)
                    | Said::Sold
                    | Said::Refunded
                    | Said::Released
                    | Said::Expired
                    | Said::Waiting
                    | Said::StillWaiting
                    | Said::Mismatch
                    | Said::NoReservation
                    | Said::NoSku
                    | Said::Ended(_)
                    | Said::NotStarted(_)
                    | Said::Paused(_)
            )
        ) || self.model.place(&ask.id).is_some();
        if is_attempt == is_first {
            return Err(format!("an attempt: {is_attempt}, but {decided:?}"));
        }
        if !is_attempt {
            return Ok(None);
        }
        let source = ask.source.as_deref().map(of);
        let source = source.as_deref().map(|source| self.sale.key(source));
        let who = (request.user, source);
        let answer = self.sale.throttle(&mut self.attempts, now, who, 1_000);
        let said = answer.map(|answer| said_of(&self.sale, &answer));
        let expected = self.model.attempt(now, ask);
        match (said, expected) {
            (None, None) => Ok(None),
            (Some(said), Some(expected)) => Ok(Some((said, expected))),
            (said, expected) => Err(format!("row 7: {said:?}, expected {expected:?}")),
        }
    }
}
