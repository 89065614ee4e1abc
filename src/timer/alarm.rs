//! The one timer of the server: when it goes off next.
//!
//! Module timers are keyed by the wall clock, so a step back of the clock parks them;
//! the server's own cron event, a few times a second, looks whether the timer is still
//! worth its name. A due timer that starts another one for "now" would never let the
//! server go on, so the shortest wait is a millisecond.
//!
//! Edge: knows when to look, not what is done then: `sweep.rs` is handed in at load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::hints;
use crate::clock;
use crate::datatype::SaleKey;
use crate::ffi::{self, Alarm, Ctx, Timer};
use crate::info;
use crate::place::Place;

/// Wait after a sweep that had to stop because nothing may be written, in milliseconds.
const RETRY_MS: u64 = 20;
/// A timer this much too late is believed to be parked, in milliseconds.
const PARKED_MS: u64 = 250;
/// Longest wait of one timer, in milliseconds. A timer that is started while another
/// one goes off is waited for in an `int`, of microseconds on Redis 7.0: a wait of more
/// than 35 minutes can come out as one in the past, and the server never sleeps again.
const WAIT_MS_MAX: u64 = 600_000;
/// No timer runs.
const NEVER: u64 = u64::MAX;

/// When the running timer goes off, in Unix milliseconds; [`NEVER`] when none runs.
static ARMED_FOR_MS: AtomicU64 = AtomicU64::new(NEVER);
/// The clock at the last tick of the server's cron, in Unix milliseconds.
static TICKED_AT_MS: AtomicU64 = AtomicU64::new(0);
static TIMER: Mutex<Option<Timer>> = Mutex::new(None);
/// What is done when the timer goes off.
static SWEEP: OnceLock<fn(Ctx<'_>)> = OnceLock::new();

/// Takes what is to be done when the timer goes off, once.
pub fn wake(sweep: fn(Ctx<'_>)) {
    SWEEP.get_or_init(|| sweep);
}

/// Makes sure the timer looks at a sale that changed in time.
#[inline(always)]
pub fn note(ctx: Ctx<'_>, key: &mut SaleKey<'_>) {
    let name = key.name();
    if let Some(due_ms) = key.note(|| Place::new(ctx.database(), name.bytes())) {
        look_sooner(ctx, due_ms);
    }
}

/// Starts the timer for a moment, if it would go off later.
#[cold]
fn look_sooner(ctx: Ctx<'_>, due_ms: u64) {
    if due_ms < ARMED_FOR_MS.load(Ordering::Relaxed) && may_sweep(ctx) {
        arm(ctx, due_ms, clock::now_ms());
    }
}

/// Is expiry this server's to decide?
fn may_sweep(ctx: Ctx<'_>) -> bool {
    let flags = ctx.flags();
    flags.is_primary() && !flags.is_loading()
}

/// How long to wait for a moment. Waking up early finds nothing due and waits again.
fn wait_ms(due_ms: u64, now_ms: u64) -> u64 {
    due_ms.saturating_sub(now_ms).clamp(1, WAIT_MS_MAX)
}

/// Starts the timer for a moment, in the place of the running one.
fn arm(ctx: Ctx<'_>, due_ms: u64, now_ms: u64) {
    disarm(ctx);
    let after_ms = wait_ms(due_ms, now_ms);
    let timer = ffi::start_timer::<Sweep>(ctx, after_ms);
    *TIMER.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
    ARMED_FOR_MS.store(now_ms.saturating_add(after_ms), Ordering::Relaxed);
    // Not `due_ms`: a timer that may not write yet is started for later than that.
    info::note_due(hints::first_due_ms());
}

/// Stops the timer: this server decides about no deadline any more.
pub fn disarm(ctx: Ctx<'_>) {
    if let Some(timer) = TIMER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        ffi::stop_timer(ctx, timer);
    }
    ARMED_FOR_MS.store(NEVER, Ordering::Relaxed);
    info::note_due(None);
}

/// Starts the timer for the next hint, if there is one and this is a primary.
pub fn rearm(ctx: Ctx<'_>) {
    match hints::first_due_ms() {
        Some(due_ms) if may_sweep(ctx) => arm(ctx, due_ms, clock::now_ms()),
        _ => disarm(ctx),
    }
}

/// Looks whether the timer was parked by a step of the clock, or is too late for what was
/// written down since.
pub fn tick(ctx: Ctx<'_>) {
    let now_ms = clock::now_ms();
    let ticked_at_ms = TICKED_AT_MS.swap(now_ms, Ordering::Relaxed);
    let Some(due_ms) = hints::first_due_ms() else {
        return;
    };
    let armed_for_ms = ARMED_FOR_MS.load(Ordering::Relaxed);
    let is_parked = now_ms > armed_for_ms.saturating_add(PARKED_MS) || now_ms < ticked_at_ms;
    let is_too_late = armed_for_ms > due_ms && armed_for_ms > now_ms.saturating_add(PARKED_MS);
    if is_parked || is_too_late {
        rearm(ctx);
    }
}

/// What the server calls when the timer goes off.
struct Sweep;

impl Alarm for Sweep {
    fn went_off(ctx: Ctx<'_>) {
        // It is gone, and must not be stopped.
        *TIMER.lock().unwrap_or_else(PoisonError::into_inner) = None;
        ARMED_FOR_MS.store(NEVER, Ordering::Relaxed);
        if !may_sweep(ctx) {
            info::note_due(None);
            return;
        }
        if ctx.must_not_write() {
            let now_ms = clock::now_ms();
            arm(ctx, now_ms.saturating_add(RETRY_MS), now_ms);
            return;
        }
        // No timer for each sale on the way: one is started at the end.
        ARMED_FOR_MS.store(0, Ordering::Relaxed);
        let since = clock::stopwatch();
        if let Some(sweep) = SWEEP.get() {
            sweep(ctx);
        }
        rearm(ctx);
        info::note_timer(since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_at_least_a_millisecond_and_never_longer_than_a_timer_can() {
        for (due_ms, now_ms, wait) in [
            (5, 9, 1),
            (9, 9, 1),
            (1_009, 9, 1_000),
            (u64::MAX, 0, 600_000),
        ] {
            assert_eq!(wait_ms(due_ms, now_ms), wait);
        }
        // Microseconds of it fit the server's `int`.
        assert!(i32::try_from(WAIT_MS_MAX * 1_000).is_ok());
    }
}
