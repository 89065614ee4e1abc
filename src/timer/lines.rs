//! What the lines of a sale have to do between commands: the draw at START, lines that end, and
//! who gets units at their turn.
//!
//! Edge: the order of these and the budget. What is decided is in the engine, `plan/grant.rs`.

use crate::change::commit;
use crate::config;
use crate::datatype::SaleKey;
use crate::ffi::Ctx;
use crate::news::News;

/// Dead places whose memory is freed in one go.
const FREED: usize = 1_000;
/// How soon the timer looks again at lines in which people wait, in milliseconds: whether whoever is at
/// the head waits for more than can come, which nothing tells it.
const LOOK_MS: u64 = 100;

/// Does what is due in the lines of a sale, within the budget.
pub fn follow<'c>(
    ctx: Ctx<'c>,
    key: &mut SaleKey<'c>,
    at_ms: u64,
    now_ms: u64,
    budget: &mut u32,
    news: &mut News<'c>,
) {
    let was_due = key
        .sale()
        .lines_due_ms()
        .is_some_and(|due_ms| due_ms <= at_ms);
    let mut has_moved = false;
    if let Some(event) = key.sale().plan_draw(at_ms, rand::random) {
        commit::commit(ctx, key, &event, news);
        has_moved = true;
    }
    if let Some(event) = key.sale().plan_dissolve(at_ms, budget) {
        commit::commit(ctx, key, &event, news);
        has_moved = true;
    }
    key.free_ended(FREED);
    let bounds = config::bounds();
    while *budget > 0
        && let Some(event) = key.plan_grant(at_ms, budget, &bounds)
    {
        commit::commit(ctx, key, &event, news);
        has_moved = true;
    }
    // What is due and cannot be done, for want of room, is tried again a little later; what
    // comes due meanwhile is not to wait for that.
    let is_stuck = was_due && !has_moved && *budget > 0;
    let not_before_ms = now_ms + if is_stuck { LOOK_MS } else { 1 };
    let has_more = key.sale().waiting_len() > 0 || key.sale().has_dead();
    let by_ms = has_more.then_some(now_ms + LOOK_MS);
    key.look_at_lines(not_before_ms, by_ms);
}
