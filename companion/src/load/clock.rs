//! The time of a run: microseconds since its start, and the server's clock beside it.

use std::time::{Duration, Instant};

/// From the end of the preparations to the first moment of the run.
pub const LEAD_MS: u64 = 300;

/// A clock that several threads can read.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    /// The server's Unix time at the start, in milliseconds.
    server_ms: u64,
}

impl Clock {
    /// Begins at 0 after `lead_ms`; the server's clock stands at `server_ms` now.
    pub fn start_in(lead_ms: u64, server_ms: u64) -> Self {
        Self {
            started: Instant::now() + Duration::from_millis(lead_ms),
            server_ms: server_ms + lead_ms,
        }
    }

    /// Returns the microseconds since the start, and 0 before it.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns when the server's clock shows `ms`; 0 for a moment before the start.
    pub fn us_of(&self, ms: u64) -> u64 {
        ms.saturating_sub(self.server_ms).saturating_mul(1_000)
    }

    /// Returns what the server's clock shows at `us`.
    pub fn ms_of(&self, us: u64) -> u64 {
        self.server_ms + us / 1_000
    }
}
