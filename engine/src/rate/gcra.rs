//! The arithmetic of a rate: may a call pass, how many more may, and when it is worth trying
//! again.
//!
//! One cell rate (GCRA, ITU-T I.371): all that is known of a subject is its *TAT*, the
//! theoretical arrival time, at which it will have its whole burst again. A call that passes
//! moves it on by one interval. Any T admits at most burst + rate x T calls, without the edge
//! at which a fixed window admits twice its limit.
//!
//! Edge: nanoseconds in, nanoseconds out, in integers. Whose TAT it is, and since when
//! nanoseconds are counted, is `table.rs`.
//!
//! # Invariants
//!
//! 1. After a call that passed, the TAT is at most the capacity after the moment.
//! 2. A call that does not pass changes nothing.
//! 3. No sum is above [`ELAPSED_NS_MAX`] and three times [`CAPACITY_NS_MAX`], which a `u64`
//!    has room for.

/// Longest period of a rate, and longest time in which a whole burst comes back.
pub const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;
/// Nanoseconds of a millisecond.
const MS_NS: u64 = 1_000_000;
/// Latest moment, counted from a table's base: after 570 years.
pub const ELAPSED_NS_MAX: u64 = (1 << 54) * 1000;
/// Most nanoseconds in which a whole burst comes back: a year, and what rounding up an
/// interval of one nanosecond or more adds.
pub const CAPACITY_NS_MAX: u64 = 2 * YEAR_MS * MS_NS;

/// What a rate must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateError {
    /// No call at all, or one in less than a nanosecond.
    Count,
    /// No time at all, or more than a year.
    Period,
    /// No call at all, or a burst that takes more than a year to come back.
    Burst,
}

/// How often calls may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Time in which one call comes back.
    interval_ns: u64,
    /// Calls that may pass at once.
    burst: u64,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// May it pass?
    pub is_allowed: bool,
    /// Calls that may pass at once after this one.
    pub remaining: u64,
    /// Time until this call would pass; 0 when it does.
    pub retry_ns: u64,
    /// Time until the whole burst is back: the TAT after this call, counted from the moment.
    pub reset_ns: u64,
}

impl Rate {
    /// A rate of `count` calls in `ms`, of which `burst` may pass at once; `count` of them
    /// where no burst is given.
    ///
    /// # Errors
    ///
    /// In this order: the period, the count, the burst.
    pub fn new(count: u64, ms: u64, burst: Option<u64>) -> Result<Rate, RateError> {
        if !(1..=YEAR_MS).contains(&ms) {
            return Err(RateError::Period);
        }
        let period_ns = ms * MS_NS;
        if !(1..=period_ns).contains(&count) {
            return Err(RateError::Count);
        }
        let burst = burst.unwrap_or(count);
        let refill = u128::from(burst) * u128::from(ms);
        if burst == 0 || refill > u128::from(count) * u128::from(YEAR_MS) {
            return Err(RateError::Burst);
        }
        Ok(Rate {
            interval_ns: period_ns.div_ceil(count),
            burst,
        })
    }

    /// Calls that may pass at once.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// Time in which a whole burst comes back.
    #[inline]
    fn capacity_ns(&self) -> u64 {
        self.burst * self.interval_ns
    }

    /// Decides about a call that counts for `cost`, at most the burst, of a subject with this
    /// TAT; one that is not known has the TAT 0. Cost 0 asks whether cost 1 would pass, and
    /// what is left is then what there is now.
    #[inline]
    pub fn decide(&self, now_ns: u64, tat_ns: u64, cost: u64) -> Decision {
        debug_assert!(cost <= self.burst && now_ns <= ELAPSED_NS_MAX);
        let capacity_ns = self.capacity_ns();
        // A slower rate that was asked for before must not hold a subject up for longer than
        // this one can: all that is kept is the TAT.
        let busy_ns = tat_ns.saturating_sub(now_ns).min(capacity_ns);
        let needed_ns = busy_ns + cost.max(1) * self.interval_ns;
        let is_allowed = needed_ns <= capacity_ns;
        let reset_ns = if is_allowed && cost > 0 {
            needed_ns
        } else {
            busy_ns
        };
        Decision {
            is_allowed,
            remaining: (capacity_ns - reset_ns) / self.interval_ns,
            retry_ns: needed_ns.saturating_sub(capacity_ns),
            reset_ns,
        }
    }
}

impl Decision {
    /// Milliseconds until this call would pass, rounded up: whoever waits so long is not sent
    /// away again.
    pub fn retry_ms(&self) -> u64 {
        self.retry_ns.div_ceil(MS_NS)
    }

    /// Milliseconds until the whole burst is back: rounded to the microsecond, since an
    /// interval of a third of a second is rounded up, and then up.
    pub fn reset_ms(&self) -> u64 {
        let reset_us = (self.reset_ns + 500) / 1000;
        reset_us.div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_rates_that_cannot_be_kept() {
        let rate = Rate::new;
        assert_eq!(rate(1, 0, None), Err(RateError::Period));
        assert_eq!(rate(1, YEAR_MS + 1, None), Err(RateError::Period));
        assert_eq!(rate(0, 1, None), Err(RateError::Count));
        assert_eq!(rate(1_000_001, 1, None), Err(RateError::Count));
        assert_eq!(rate(1, 1, Some(0)), Err(RateError::Burst));
        assert_eq!(rate(1, YEAR_MS, Some(2)), Err(RateError::Burst));
        assert_eq!(rate(1, 1, Some(YEAR_MS + 1)), Err(RateError::Burst));
        for (count, ms, burst) in [
            (1, YEAR_MS, None),
            (7, YEAR_MS, None),
            (1_000_000, 1, None),
            (1, 1, Some(YEAR_MS)),
            (YEAR_MS * MS_NS, YEAR_MS, None),
            (YEAR_MS * MS_NS - 1, YEAR_MS, None),
        ] {
            let rate = rate(count, ms, burst).expect("a rate");
            assert!(rate.capacity_ns() <= CAPACITY_NS_MAX);
        }
    }

    #[test]
    fn the_last_moment_there_is_takes_the_largest_burst() {
        let rate = Rate::new(YEAR_MS * MS_NS - 1, YEAR_MS, None).expect("a rate");
        let now = ELAPSED_NS_MAX;
        let first = rate.decide(now, 0, rate.burst());
        assert!(first.is_allowed);
        let then = rate.decide(now, now + first.reset_ns, rate.burst());
        assert_eq!((then.is_allowed, then.remaining), (false, 0));
        assert_eq!(then.retry_ns, first.reset_ns);
    }

    #[test]
    fn a_rate_is_the_next_lower_one_of_whole_nanoseconds() {
        // A sixth of a millisecond is 166,667 ns, rounded up: one call each us for a second.
        let rate = Rate::new(6000, 1000, Some(1)).expect("a rate");
        let mut tat = 0;
        let mut allowed = 0;
        for now in (0..1_000_000_000).step_by(1000) {
            let decision = rate.decide(now, tat, 1);
            if decision.is_allowed {
                (tat, allowed) = (now + decision.reset_ns, allowed + 1);
            }
        }
        assert_eq!(allowed, 5989);
    }
}
