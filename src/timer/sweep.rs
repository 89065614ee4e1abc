//! Returns reservations when their deadline has passed: on the primary alone, with a
//! budget for all sales together.
//!
//! Edge: decides where to look (see `hints.rs`). What is overdue, the sale decides.

use super::{alarm, hints};
use crate::change::{broken, commit};
use crate::clock;
use crate::config;
use crate::datatype;
use crate::ffi::{Ctx, TextBuf, caught};
use crate::info;
use crate::news::News;
use crate::rehearsal::{self, Point};
use crate::slots;
use crate::timer::index::Hint;
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
            hints::hold(hint);
        }
        return;
    }
    let mut news = News::about(ctx, name.as_text());
    let Ok(mut key) = datatype::open_write(ctx, name.as_text()) else {
        return;
    };
    // Whichever sale is here now: what is overdue in it goes back, or its own moment is
    // written down.
    rehearsal::panic_at(Point::Sweep, key.name());
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
