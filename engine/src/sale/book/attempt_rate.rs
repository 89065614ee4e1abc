//! USERRATE and FROMRATE: how often a user, or a source, may try.
//!
//! Edge: values only. Who has tried how often is `attempts.rs`.

use crate::rate::{Rate, RateError};

/// So many attempts in so many milliseconds in the long run, and as many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptRate {
    pub n: u64,
    pub ms: u64,
}

impl AttemptRate {
    /// Returns what attempts are decided by.
    ///
    /// # Errors
    ///
    /// As [`Rate::new`].
    pub fn rate(self) -> Result<Rate, RateError> {
        Rate::new(self.n, self.ms, None)
    }
}
