//! Waiting for a condition, with a deadline. The only place that sleeps.

use std::time::{Duration, Instant};

/// How long a condition may take before the test fails. Generous: it costs only
/// a failing test anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `holds` does.
///
/// # Panics
///
/// When it still does not after the deadline; the message names `what`.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Waits until `find` finds something, and returns it.
///
/// # Panics
///
/// When there is still nothing after the deadline; the message names `what`.
#[track_caller]
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
