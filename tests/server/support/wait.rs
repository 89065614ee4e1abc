//! Waiting for a condition, with a deadline. The only place that sleeps.

use std::time::{Duration, Instant};

/// How long a condition may take before the test fails. Generous: it costs only
/// a failing test anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `holds` does.
///
/// # Panics
///
/// When it still does not after the deadline; the message names `what`.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Waits until `holds` does; false when it still does not after the deadline.
pub fn is_soon(mut holds: impl FnMut() -> bool) -> bool {
    find_soon(|| holds().then_some(())).is_some()
}

/// Waits until `find` finds something, and returns it.
///
/// # Panics
///
/// When there is still nothing after the deadline; the message names `what`.
#[track_caller]
pub fn wait_for<T>(what: &str, find: impl FnMut() -> Option<T>) -> T {
    match find_soon(find) {
        Some(found) => found,
        None => panic!("waited {PATIENCE:?} in vain until {what}"),
    }
}

fn find_soon<T>(mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = find();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The clock of this machine, in Unix milliseconds.
pub fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock after 1970").as_millis() as u64
}
