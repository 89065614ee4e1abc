//! The server's clock. The only place that reads one.
//!
//! Edge: a sale's own time is a function of the clock and its last change, and is
//! worked out in `sale/state.rs`.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use crate::ffi;

/// The start of something whose length is measured.
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// Milliseconds of a clock that no one sets, since it was first asked.
pub fn steady_ms() -> u64 {
    static SINCE: OnceLock<Instant> = OnceLock::new();
    let since = SINCE.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix milliseconds; 0 for a clock before 1970.
pub fn now_ms() -> u64 {
    u64::try_from(ffi::clock_ms()).unwrap_or(0)
}

/// Unix microseconds; 0 for a clock before 1970. The system is asked: Redis 7.0 tells a module
/// milliseconds alone, and by those a rate above 1000 calls a second is not kept.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}
