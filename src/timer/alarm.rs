//! The one timer of the server: when it goes off next.
//!
//! The server keys module timers by the wall clock, so a step back of the clock parks them:
//! they go off too late. [`tick`] runs on the server's cron event, a few times a second, and
//! restarts a parked timer. The server runs all due timers before it goes on, so a timer
//! that started another one for "now" would stop it for ever; the shortest wait is a
//! millisecond.
//!
//! Edge: decides when the timer goes off. What it does then is set when the module is loaded
//! and is in `sweep.rs`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::clock;
use crate::datatype::SaleKey;
use crate::ffi::{self, Ctx, OnTimer, Timer};
use crate::hints;
use crate::info;
use crate::place::Place;

/// Wait after a sweep that had to stop because nothing may be written, in milliseconds.
const RETRY_MS: u64 = 20;
/// A timer that is later than this counts as parked, in milliseconds.
const PARKED_MS: u64 = 250;
/// Longest wait of one timer, in milliseconds. When a timer is started while another one
/// goes off, the server computes its wait in an `int`, of microseconds on Redis 7.0: more
/// than 35 minutes can overflow into the past, and the server never sleeps again.
const WAIT_MS_MAX: u64 = 600_000;
/// Stands for the moment of the running timer when none runs.
const DISARMED: u64 = u64::MAX;

/// When the running timer goes off, in Unix milliseconds, or [`DISARMED`].
static ARMED_FOR_MS: AtomicU64 = AtomicU64::new(DISARMED);
/// The clock at the last tick of the server's cron, in Unix milliseconds.
static TICKED_AT_MS: AtomicU64 = AtomicU64::new(0);
static TIMER: Mutex<Option<Timer>> = Mutex::new(None);
/// What is done when the timer goes off.
static SWEEP: OnceLock<fn(Ctx<'_>)> = OnceLock::new();

/// Sets what is done whenever the timer goes off. Called once, when the module is loaded.
pub fn set_sweep(sweep: fn(Ctx<'_>)) {
    SWEEP.get_or_init(|| sweep);
}

/// Makes sure that the timer goes off in time for a sale that changed.
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

/// Reports whether this server decides about expiry: it is a primary, and not loading.
fn may_sweep(ctx: Ctx<'_>) -> bool {
    let flags = ctx.flags();
    flags.is_primary() && !flags.is_loading()
}

/// Returns how long to wait for a moment, in milliseconds. A timer that goes off early finds
/// nothing due and is started again.
fn wait_ms(due_ms: u64, now_ms: u64) -> u64 {
    due_ms.saturating_sub(now_ms).clamp(1, WAIT_MS_MAX)
}

/// Starts the timer for a moment; it replaces the running one.
fn arm(ctx: Ctx<'_>, due_ms: u64, now_ms: u64) {
    disarm(ctx);
    let after_ms = wait_ms(due_ms, now_ms);
    let timer = ffi::start_timer::<Alarm>(ctx, after_ms);
    *TIMER.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
    ARMED_FOR_MS.store(now_ms.saturating_add(after_ms), Ordering::Relaxed);
    // Not `due_ms`: after a sweep that was not allowed to write, the timer is started for a
    // later moment than the deadline.
    info::note_due(hints::first_due_ms());
}

/// Stops the timer, if one runs.
pub fn disarm(ctx: Ctx<'_>) {
    if let Some(timer) = TIMER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        ffi::stop_timer(ctx, timer);
    }
    ARMED_FOR_MS.store(DISARMED, Ordering::Relaxed);
    info::note_due(None);
}

/// Starts the timer for the next hint if this server decides about expiry and there is a
/// hint; else stops the timer.
pub fn rearm(ctx: Ctx<'_>) {
    match hints::first_due_ms() {
        Some(due_ms) if may_sweep(ctx) => arm(ctx, due_ms, clock::now_ms()),
        _ => disarm(ctx),
    }
}

/// Restarts the timer if a step of the clock parked it, or if it would go off too late for a
/// hint that was set since.
pub fn tick(ctx: Ctx<'_>) {
    let now_ms = clock::now_ms();
    let ticked_at_ms = TICKED_AT_MS.swap(now_ms, Ordering::Relaxed);
    let Some(due_ms) = hints::first_due_ms() else {
        return;
    };
    let armed_for_ms = ARMED_FOR_MS.load(Ordering::Relaxed);
    let stepped_back = now_ms < ticked_at_ms;
    if stepped_back {
        // What was to be done at once is due in the future now: entries that wait. Deadlines
        // that are not due yet are noted again.
        hints::pull(now_ms);
    }
    let is_parked = now_ms > armed_for_ms.saturating_add(PARKED_MS) || stepped_back;
    let is_too_late = armed_for_ms > due_ms && armed_for_ms > now_ms.saturating_add(PARKED_MS);
    if is_parked || is_too_late {
        rearm(ctx);
    }
}

/// What the server calls when the timer goes off.
struct Alarm;

impl OnTimer for Alarm {
    fn went_off(ctx: Ctx<'_>) {
        // A timer that went off is gone, and must not be stopped.
        *TIMER.lock().unwrap_or_else(PoisonError::into_inner) = None;
        ARMED_FOR_MS.store(DISARMED, Ordering::Relaxed);
        if !may_sweep(ctx) {
            info::note_due(None);
            return;
        }
        if ctx.must_not_write() {
            let now_ms = clock::now_ms();
            arm(ctx, now_ms.saturating_add(RETRY_MS), now_ms);
            return;
        }
        // Keeps `note` from starting a timer for each sale of the sweep: one is started at
        // the end.
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
