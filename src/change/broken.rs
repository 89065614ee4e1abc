//! A sale that broke an invariant is broken off, and the server lives.
//!
//! What a broken sale is, the engine's `sale/broken.rs` says. It is found out after a change,
//! when the counts cannot be right, or by a panic, where a link between tables leads nowhere;
//! `ffi::caught` keeps a panic from ending the server.
//!
//! Edge: nothing is written to the AOF or sent to replicas. They have the same history, and
//! the sale is sound where it can be had from it.

use crate::datatype::{self, SaleKey};
use crate::error::echo;
use crate::ffi::{Ctx, Text};
use crate::place::Place;
use crate::rehearsal::{self, Point};

/// Breaks off a sale that has just changed and cannot add up.
#[inline]
pub fn look(ctx: Ctx<'_>, key: &mut SaleKey<'_>) {
    if let Some(fault) = key.sale().fault() {
        break_off(ctx, key, fault);
    }
    if rehearsal::is_at(Point::Fault, key.name().bytes()) {
        break_off(ctx, key, "rehearsed");
    }
}

/// Breaks off the sale of a name after a panic, if there is one; returns whether there is.
#[cold]
pub fn note_panic(ctx: Ctx<'_>, name: Text<'_>, reason: &str) -> bool {
    // Not to write: the key may be a reader's, or the server's clients paused.
    let Ok(mut key) = datatype::open_read(ctx, name) else {
        return false;
    };
    break_off(ctx, &mut key, reason);
    true
}

/// Breaks off a sale.
#[cold]
pub fn break_off(ctx: Ctx<'_>, key: &mut SaleKey<'_>, reason: &str) {
    let name = echo(key.name().bytes());
    let database = ctx.database();
    ctx.warn(&format!(
        "the sale '{name}' in database {database} is broken and takes no change any more: {reason}"
    ));
    let place = Place::new(database, key.name().bytes());
    key.break_off(reason, place);
}
