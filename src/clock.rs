//! The server's clock. The only place that reads one.
//!
//! Edge: a sale's own time is a function of the clock and its last change, and is
//! worked out in `sale/state.rs`.

use std::time::Instant;

use crate::ffi;

/// The start of something whose length is measured.
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Unix milliseconds; 0 for a clock before 1970.
pub fn now_ms() -> u64 {
    u64::try_from(ffi::clock_ms()).unwrap_or(0)
}
