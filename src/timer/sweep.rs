//! Expires reservations whose deadline has passed: on the primary alone, with one budget for
//! all sales.
//!
//! Edge: decides which sales to look at (see `hints/`). A sale decides what is overdue in it.

use super::alarm;
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

/// Follows hints until nothing is due or the budget is used up.
pub fn sweep(ctx: Ctx<'_>) {
    let now_ms = clock::now_ms();
    let mut budget = config::sweep_max();
    while budget > 0
        && let Some(hint) = hints::pop_due(now_ms)
    {
        let before = budget;
        let place = hint.place.clone();
        if let Err(reason) = caught(|| follow(ctx, hint, now_ms, &mut budget)) {
            broken::note_panic(ctx, TextBuf::new(&place.key).as_text(), &reason);
        }
        // Looking at a sale with nothing to do takes time as well.
        budget = budget.min(before.saturating_sub(1));
    }
}

/// Expires what is overdue in the sale at the place of a hint, within the budget.
fn follow(ctx: Ctx<'_>, hint: Hint, now_ms: u64, budget: &mut u32) {
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
    let mut news = News::about(ctx, name.as_text());
    let Ok(mut key) = datatype::open_write(ctx, name.as_text()) else {
        return;
    };
    // The sale here now may be another one than when the hint was set. In either case, what
    // is overdue in it expires, or its own next moment becomes the hint.
    rehearsal::panic_at(Point::Sweep, key.name().bytes());
    key.forget_hint();
    let at_ms = key.sale().time(now_ms).now_ms;
    let Some(event) = key.sale().plan_sweep_within(at_ms, budget) else {
        alarm::note(ctx, &mut key);
        return;
    };
    if matches!(event.change, Change::Swept { expired, .. } if expired > 0) {
        info::note_sweep(now_ms.saturating_sub(hint.due_ms));
    }
    commit::commit(ctx, &mut key, &event, &mut news);
}
