//! What the lines of a sale have to do between commands: the draw at START, lines that end, and
//! who gets units at their turn.
//!
//! Edge: the order of these and the budget. What is decided is in the engine, `plan/grant.rs`.

use crate::change::commit;
use crate::clock;
use crate::config;
use crate::datatype::SaleKey;
use crate::ffi::Ctx;
use crate::news::News;

/// Dead places whose memory is freed in one go.
const FREED: usize = 1_000;
/// People whose turn one event settles: between two events the clock is read.
const SETTLED: u32 = 50;
/// How long people are settled in one go, in microseconds: with places in a drawn order each of
/// them waits for memory.
const SETTLE_US: u128 = 500;
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
    if key.sale().is_part() {
        key.tick_rest();
    }
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
    // Last, as it takes what is left of the budget.
    has_moved |= grant(ctx, key, at_ms, budget, news);
    // What is due and cannot be done, for want of room, is tried again a little later; what
    // comes due meanwhile is not to wait for that.
    let is_stuck = was_due && !has_moved;
    let not_before_ms = now_ms + if is_stuck { LOOK_MS } else { 1 };
    let has_more = key.sale().waiting_len() > 0 || key.sale().has_dead();
    let by_ms = has_more.then_some(now_ms + LOOK_MS);
    key.look_at_lines(not_before_ms, by_ms);
}

/// Settles those whose turn it is, and reports whether there was one, or there was no time to
/// look at all lines.
fn grant<'c>(
    ctx: Ctx<'c>,
    key: &mut SaleKey<'c>,
    at_ms: u64,
    budget: &mut u32,
    news: &mut News<'c>,
) -> bool {
    let (bounds, started) = (config::bounds(), clock::stopwatch());
    let mut has_moved = false;
    while *budget > 0 && started.elapsed().as_micros() < SETTLE_US {
        let most = SETTLED.min(*budget);
        let mut left = most;
        let event = key.plan_grant(at_ms, &mut left, &bounds);
        *budget -= most - left;
        match event {
            Some(event) => {
                commit::commit(ctx, key, &event, news);
                has_moved = true;
            }
            None if left > 0 => return has_moved,
            None => {}
        }
    }
    true
}
