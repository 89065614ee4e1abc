//! How long to wait before the next try.

use std::hash::{BuildHasher, RandomState};
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
        // The keys of a hasher are random: no crate is needed for a jitter.
        let random = RandomState::new().hash_one(self.tries);
        Duration::from_millis(full / 2 + random % (full / 2 + 1))
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

#[cfg(test)]
mod tests {
    use super::*;

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
