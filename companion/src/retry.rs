//! How long to wait before the next try.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::time::Duration;

const SHORTEST_MS: u64 = 50;
const LONGEST_MS: u64 = 5_000;

/// Doubles from 50 ms to 5 s. Each wait is a random part of that, at least a half, so that
/// several workers do not come back at once.
#[derive(Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Returns the next wait.
    pub fn next(&mut self) -> Duration {
        let full = (SHORTEST_MS << self.tries.min(10)).min(LONGEST_MS);
        self.tries = self.tries.saturating_add(1);
        Duration::from_millis(random_in(full / 2..full + 1))
    }

    /// Begins again at 50 ms.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// Reports whether this is the first wait since the start or a success: the one to log.
    pub fn is_first(&self) -> bool {
        self.tries <= 1
    }
}

/// Draws a number, to spread out what would happen at once. It is no secret.
pub fn random_in(range: Range<u64>) -> u64 {
    // The keys of a hasher are random: no crate is needed for that.
    let random = RandomState::new().hash_one(0);
    range.start + random % (range.end - range.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_back_do_so_at_different_times() {
        let drawn: Vec<u64> = (0..50).map(|_| random_in(2_000..5_000)).collect();
        assert!(drawn.iter().all(|one| (2_000..5_000).contains(one)));
        assert!(drawn.iter().any(|one| *one != drawn[0]));
    }

    #[test]
    fn waits_grow_and_stay_within_their_bounds() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            let wait = backoff.next();
            assert!(wait >= Duration::from_millis(25) && wait <= Duration::from_secs(5));
        }
        assert!(backoff.next() >= Duration::from_millis(2_500));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(50));
    }
}
