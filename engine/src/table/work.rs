//! A count of the work that tables do, so that tests can tell a dear call from a cheap
//! one without a clock.
//!
//! A step is a bucket or a record looked at, or an entry moved: what may have to be
//! fetched from memory. Edge: counted in tests; elsewhere nothing is left of it.

#[cfg(any(test, feature = "count-steps"))]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts a step.
#[inline(always)]
pub fn step() {
    #[cfg(any(test, feature = "count-steps"))]
    STEPS.set(STEPS.get() + 1);
}

/// How many steps `act` takes.
#[cfg(any(test, feature = "count-steps"))]
pub fn steps_of(act: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    act();
    STEPS.get() - before
}
