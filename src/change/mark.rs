//! A sale that does not sell any more, until a person has looked: this copy missed a change
//! of its primary, or what it keeps does not add up.

use super::send::send;
use crate::clock;
use crate::datatype::{self, SaleKey};
use crate::error::echo;
use crate::ffi::{Ctx, Text};
use crate::timer::alarm;
use flashsale_engine::sale::{Change, Event};

/// Marks the sale of a name, if there is one.
pub fn mark_named(ctx: Ctx<'_>, name: Option<Text<'_>>, reason: &str) {
    if let Some(name) = name
        && let Ok(mut key) = datatype::open_write(ctx, name)
    {
        mark(ctx, &mut key, reason);
    }
}

/// Notes in a sale, and in this server's own AOF, why it does not sell. The first reason is
/// the one that stays; each miss is counted in the mark, so that a RESUME elsewhere does not
/// lift it.
pub fn mark(ctx: Ctx<'_>, key: &mut SaleKey<'_>, reason: &str) {
    let event = Event {
        at_ms: clock::now_ms(),
        change: Change::marked(reason),
    };
    key.apply(&event);
    // From a replica it reaches the AOF alone: copies of this copy get the primary's own
    // stream, and judge for themselves. From a primary it reaches the replicas, too: what
    // does not add up here does not there.
    send(ctx, key.name(), None, &event);
    ctx.signal_modified(key.name());
    // It is the place of a marked sale now, for DOCTOR.
    alarm::note(ctx, key);
}

/// Marks a sale that has just changed and does not add up.
#[inline]
pub fn mark_fault(ctx: Ctx<'_>, key: &mut SaleKey<'_>) {
    if let Some(fault) = key.sale().fault()
        && key.sale().mark().is_none()
    {
        warn_and_mark(ctx, key, fault);
    }
}

#[cold]
fn warn_and_mark(ctx: Ctx<'_>, key: &mut SaleKey<'_>, fault: &str) {
    let name = echo(key.name().bytes());
    ctx.warn(&format!(
        "the sale '{name}' does not sell any more: {fault}"
    ));
    mark(ctx, key, fault);
}
