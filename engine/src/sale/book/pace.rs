//! PACE: when the next reservation of a sale may begin.
//!
//! A cell rate (GCRA): the state is one moment, counted in parts of a millisecond, so that `n`
//! in `ms` is kept exactly. It follows from the moments of reservations alone, so no event
//! carries it.
//!
//! Edge: a moment and its arithmetic. What begins a reservation is `apply.rs`.

/// How far behind a sale may catch up, in milliseconds: units that nobody took in time may
/// begin together.
const BURST_MS: u64 = 100;

/// `PACE n ms`: so many reservations begin in so many milliseconds, evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceRate {
    /// Reservations, at least 1.
    pub n: u64,
    /// Milliseconds, at least 1.
    pub ms: u64,
}

impl PaceRate {
    /// Most reservations.
    pub const N_MAX: u64 = 1_000_000;
    /// Longest period: a day.
    pub const MS_MAX: u64 = 86_400_000;
}

/// The moment from which the next reservation may begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Unix milliseconds.
    pub ms: u64,
    /// Parts of a millisecond, of which there are `n`.
    pub part: u64,
}

impl Pace {
    /// The moment after one more interval.
    fn plus_one(self, rate: PaceRate) -> Pace {
        let part = self.part + rate.ms % rate.n;
        Pace {
            ms: self.ms.saturating_add(rate.ms / rate.n + part / rate.n),
            part: part % rate.n,
        }
    }

    /// The moment as it counts now: further ahead than an interval it is that of another
    /// clock.
    fn at(self, now_ms: u64, rate: PaceRate) -> Pace {
        let now = Pace {
            ms: now_ms,
            part: 0,
        };
        let furthest = now.plus_one(rate);
        if (self.ms, self.part) > (furthest.ms, furthest.part) {
            return now;
        }
        self
    }

    /// Returns for how many milliseconds no reservation may begin; 0 when one may.
    pub fn wait_ms(self, now_ms: u64, rate: PaceRate) -> u64 {
        let next = self.at(now_ms, rate);
        let whole = next.ms.saturating_add(u64::from(next.part > 0));
        whole.saturating_sub(now_ms)
    }

    /// The moment after a reservation began now.
    #[must_use]
    pub fn begun(self, now_ms: u64, rate: PaceRate) -> Pace {
        let next = self.at(now_ms, rate);
        let earliest = Pace {
            ms: now_ms.saturating_sub(BURST_MS),
            part: 0,
        };
        if next.ms < earliest.ms {
            return earliest.plus_one(rate);
        }
        next.plus_one(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins whatever may begin at each of these moments, and counts.
    fn begin(rate: PaceRate, moments: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut pace = Pace::default();
        let mut begun = Vec::new();
        for now_ms in moments {
            while pace.wait_ms(now_ms, rate) == 0 {
                pace = pace.begun(now_ms, rate);
                begun.push(now_ms);
            }
        }
        begun
    }

    #[test]
    fn no_period_has_more_than_its_share_and_a_burst() {
        for (n, ms) in [(1, 1_000), (3, 1_000), (7, 10), (200, 60_000), (20, 1)] {
            let rate = PaceRate { n, ms };
            let begun = begin(rate, 1_000_000..1_000_000 + 3 * ms.max(200));
            let most = n * (ms + BURST_MS) / ms + 1;
            for (at, &first) in begun.iter().enumerate() {
                let within = begun[at..].iter().take_while(|&&at_ms| at_ms < first + ms);
                assert!(
                    within.count() as u64 <= most,
                    "{n} in {ms} ms, from {first}"
                );
            }
            // Nothing is lost to rounding either.
            let fair = 3 * ms.max(200) * n / ms;
            assert!(
                begun.len() as u64 >= fair,
                "{n} in {ms} ms: {}",
                begun.len()
            );
        }
    }

    #[test]
    fn a_moment_of_another_clock_counts_as_now() {
        let rate = PaceRate { n: 1, ms: 1_000 };
        let pace = Pace::default().begun(5_000_000, rate);
        assert_eq!(pace.wait_ms(5_000_000, rate), 900);
        // The clock is a minute back.
        assert_eq!(pace.wait_ms(4_940_000, rate), 0);
        assert_eq!(pace.begun(4_940_000, rate).wait_ms(4_940_000, rate), 1_000);
    }
}
