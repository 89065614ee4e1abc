//! Expires reservations whose deadline has passed, and writes the entries that wait: on the
//! primary alone, with one budget each for all sales.
//!
//! Edge: decides which sales to look at (see `hints/`). A sale decides what is overdue in it,
//! `tell.rs` whether its stream takes entries now.

use std::cell::OnceCell;

use super::{alarm, lines, tell};
use crate::change::{broken, commit};
use crate::clock;
use crate::config;
use crate::datatype;
use crate::ffi::{Ctx, TextBuf, caught};
use crate::hints::{self, Hint};
use crate::info;
use crate::news::News;
use crate::rehearsal::{self, Point};
use crate::slots;
use flashsale_engine::sale::Change;

/// So many times `sweep-max` are the most entries of one go.
const BURST: u64 = 4;

/// What is left for the sales of one go.
struct Budget {
    /// Of reservations to return.
    sweep: u32,
    /// Of entries to write.
    tell: u64,
}

/// Follows hints until nothing is due or a budget is used up.
pub fn sweep(ctx: Ctx<'_>) {
    let now_ms = clock::now_ms();
    let sweep = config::sweep_max();
    // As many entries as were queued since, or a pipelined load would outrun the timer. But a
    // script can queue a hundred thousand at once, which would hold up the server.
    let least = u64::from(sweep);
    let tell = info::take_queued().clamp(least, least.saturating_mul(BURST));
    let mut budget = Budget { sweep, tell };
    while budget.sweep > 0
        && budget.tell > 0
        && let Some(hint) = hints::pop_due(now_ms)
    {
        let before = budget.sweep;
        let place = hint.place.clone();
        if let Err(reason) = caught(|| follow(ctx, hint, now_ms, &mut budget)) {
            broken::note_panic(ctx, TextBuf::new(&place.key).as_text(), &reason);
        }
        // Looking at a sale with nothing to do takes time as well.
        budget.sweep = budget.sweep.min(before.saturating_sub(1));
    }
}

/// Expires what is overdue in the sale at the place of a hint, and writes the entries that wait
/// in it, within the budget.
fn follow(ctx: Ctx<'_>, hint: Hint, now_ms: u64, budget: &mut Budget) {
    let name = TextBuf::new(&hint.place.key);
    if !ctx.select(hint.place.database) {
        return;
    }
    if !slots::is_ours(ctx, &hint.place.key) {
        // Redis 8.4 removes the keys of a slot that it gave away, and reports none of them.
        if datatype::is_there(ctx, name.as_text()) {
            hints::hold(hint);
        }
        return;
    }
    let orders = OnceCell::new();
    let mut news = News::about(ctx, name.as_text());
    let Ok(mut key) = datatype::open_write(ctx, name.as_text()) else {
        return;
    };
    // The sale here now may be another one than when the hint was set. In either case, what
    // is overdue in it expires, or its own next moment becomes the hint.
    rehearsal::panic_at(Point::Sweep, key.name().bytes());
    key.forget_hint();
    // Not again in this go, whatever is queued.
    key.look_again_at(now_ms.saturating_add(1));
    let at_ms = key.sale().time(now_ms).now_ms;
    if let Some(event) = key.sale().plan_sweep_within(at_ms, &mut budget.sweep) {
        if matches!(event.change, Change::Swept { expired, .. } if expired > 0) {
            // Not the hint's moment, which may be that of an entry.
            let due_ms = key.sale().next_due_ms().unwrap_or(now_ms);
            info::note_sweep(now_ms.saturating_sub(due_ms));
        }
        commit::commit(ctx, &mut key, &event, &mut news);
    }
    if key.sale().has_line() {
        lines::follow(ctx, &mut key, at_ms, now_ms, &mut budget.sweep, &mut news);
    }
    if key.has_waiting() {
        let orders = orders.get_or_init(|| TextBuf::new(key.sale().orders()));
        let again_ms = tell::tell(ctx, &mut key, orders.as_text(), &mut budget.tell, &mut news);
        key.look_again_at(now_ms.saturating_add(again_ms));
    }
    alarm::note(ctx, &mut key);
}
