//! Returns reservations when their deadline has passed: one timer for the server, on
//! the primary alone, with a budget.
//!
//! Module timers are keyed by the wall clock, so a step back of the clock parks them;
//! the server's own cron event, a few times a second, looks whether the timer is still
//! worth its name. A due timer that starts another one for "now" would never let the
//! server go on, so the shortest wait is a millisecond.
//!
//! Edge: decides when to look, and where (see `datatype/hints.rs`). What is overdue,
//! the sale decides.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::config;
use crate::damage;
use crate::datatype::{self, SaleKey};
use crate::expiry_index::{Hint, Place};
use crate::ffi::{self, Ctx, Hooks, LoadBeside, Text, TextBuf, Timer};
use crate::info;
use crate::news::News;
use crate::replication;
use crate::sale::Change;
use crate::scripts;
use crate::slots;

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

/// A sale changed: makes sure the timer looks at it in time.
pub fn note(ctx: Ctx<'_>, key: &mut SaleKey<'_>) {
    let name = key.name();
    let place = || Place::new(ctx.database(), name.bytes());
    if let Some(due_ms) = datatype::note(key, place)
        && due_ms < ARMED_FOR_MS.load(Ordering::Relaxed)
        && may_sweep(ctx)
    {
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
    let timer = ffi::start_timer::<Expiry>(ctx, after_ms);
    *TIMER.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
    ARMED_FOR_MS.store(now_ms.saturating_add(after_ms), Ordering::Relaxed);
    // Not `due_ms`: a timer that may not write yet is started for later than that.
    info::note_due(datatype::first_due_ms());
}

fn disarm(ctx: Ctx<'_>) {
    if let Some(timer) = TIMER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        ffi::stop_timer(ctx, timer);
    }
    ARMED_FOR_MS.store(NEVER, Ordering::Relaxed);
    info::note_due(None);
}

/// Starts the timer for the next hint, if there is one and this is a primary.
fn rearm(ctx: Ctx<'_>) {
    match datatype::first_due_ms() {
        Some(due_ms) if may_sweep(ctx) => arm(ctx, due_ms, clock::now_ms()),
        _ => disarm(ctx),
    }
}

/// Follows hints until nothing is due or the budget is used up.
fn sweep(ctx: Ctx<'_>) {
    let now_ms = clock::now_ms();
    let mut budget = config::sweep_max();
    while budget > 0
        && let Some(hint) = datatype::pop_due(now_ms)
    {
        let before = budget;
        follow(ctx, hint, now_ms, &mut budget);
        // A look at a sale with nothing to do costs something, too.
        budget = budget.min(before.saturating_sub(1));
    }
}

/// Looks at the sale a hint is about, within the budget.
fn follow(ctx: Ctx<'_>, hint: Hint, now_ms: u64, budget: &mut u32) {
    let name = TextBuf::new(&hint.place.key);
    if !ctx.select(hint.place.database) {
        return;
    }
    if !slots::is_ours(ctx, &hint.place.key) {
        // Redis 8.4 takes away what it gave away without a word about each key.
        if datatype::is_there(ctx, name.as_text()) {
            datatype::hold(hint);
        }
        return;
    }
    let mut news = News::about(ctx, name.as_text());
    let Ok(mut key) = datatype::open_write(ctx, name.as_text()) else {
        return;
    };
    // Whichever sale is here now: what is overdue in it goes back, or its own moment is
    // written down.
    key.forget_hint();
    let at_ms = key.sale().time(now_ms).now_ms;
    let Some(event) = key.sale().plan_sweep_within(at_ms, budget) else {
        note(ctx, &mut key);
        return;
    };
    if matches!(event.change, Change::Swept { expired, .. } if expired > 0) {
        info::note_sweep(now_ms.saturating_sub(hint.due_ms));
    }
    replication::commit(ctx, &mut key, &event, &mut news);
}

/// Everything the server tells the module by itself.
pub struct Expiry;

impl Hooks for Expiry {
    fn timer_fired(ctx: Ctx<'_>) {
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
        sweep(ctx);
        rearm(ctx);
        info::note_timer(since.elapsed());
    }

    fn ticked(ctx: Ctx<'_>) {
        let now_ms = clock::now_ms();
        let ticked_at_ms = TICKED_AT_MS.swap(now_ms, Ordering::Relaxed);
        // Not every server says when a slot becomes its own.
        datatype::release();
        let Some(due_ms) = datatype::first_due_ms() else {
            return;
        };
        let armed_for_ms = ARMED_FOR_MS.load(Ordering::Relaxed);
        let is_parked = now_ms > armed_for_ms.saturating_add(PARKED_MS) || now_ms < ticked_at_ms;
        let is_too_late = armed_for_ms > due_ms && armed_for_ms > now_ms.saturating_add(PARKED_MS);
        if is_parked || is_too_late {
            rearm(ctx);
        }
    }

    fn role_changed(ctx: Ctx<'_>, is_primary: bool) {
        slots::note_change();
        scripts::look(ctx);
        if is_primary { rearm(ctx) } else { disarm(ctx) }
    }

    fn loaded(ctx: Ctx<'_>) {
        slots::note_change();
        datatype::settle_partly_loaded(ctx, |key| slots::is_importing(ctx, key));
        damage::note_end();
        rearm(ctx);
    }

    fn loads_beside(step: LoadBeside) {
        datatype::load_beside(step);
    }

    fn settings_changed(ctx: Ctx<'_>) {
        scripts::look(ctx);
    }

    fn slots_moved(ctx: Ctx<'_>) {
        slots::note_change();
        if datatype::release() {
            rearm(ctx);
        }
    }

    fn flushed(database: Option<i32>) {
        datatype::clear(database);
    }

    fn swapped(one: i32, other: i32) {
        datatype::swap(one, other);
    }

    fn arrived(ctx: Ctx<'_>, name: Text<'_>) {
        if let Ok(mut key) = datatype::open_read(ctx, name) {
            key.forget_hint();
            note(ctx, &mut key);
        }
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
