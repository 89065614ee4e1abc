//! The one way a rate limit changes: carried out, sent on and signalled in one function.
//!
//! What is sent on is the event, `FLASHSALE.RATEAPPLY key event`. A call sent on would be
//! decided again, by another clock, and a refused one would be sent for nothing.
//!
//! Limits have no keyspace events: one for each call would cost more than the call.

use std::ffi::CStr;

use crate::change::replay;
use crate::datatype::{self, LimitKey, limit_key};
use crate::error::Error;
use crate::ffi::{Ctx, Text};
use crate::info;
use crate::names;
use crate::scratch;
use crate::scripts;
use flashsale_engine::rate::{Event, Table, decode_event, encode_event};

/// The command that carries events.
const APPLY: &CStr = c"FLASHSALE.RATEAPPLY";

/// Carries out an event that was just planned for this limit, and sends it on.
#[inline]
pub fn commit(ctx: Ctx<'_>, key: &mut LimitKey<'_>, event: &Event<'_>) {
    scripts::note_change(ctx);
    scratch::with(|bytes| {
        encode_event(event, bytes);
        ctx.replicate(APPLY, key.name(), None, bytes);
    });
    carry_out(ctx, key, event);
}

/// Makes a limit from a `Created` event, and sends it on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_creation(ctx: Ctx<'_>, name: Text<'_>, event: &Event<'_>) -> Result<(), Error> {
    let table = Table::create(event, names::hasher());
    let table = table.ok_or_else(|| Error::new("key: not a new limit"))?;
    let mut key = limit_key::create(ctx, name, table)?;
    commit(ctx, &mut key, event);
    Ok(())
}

#[inline]
fn carry_out(ctx: Ctx<'_>, key: &mut LimitKey<'_>, event: &Event<'_>) {
    key.apply(event);
    // Each copy works it out for itself. A TTL set by hand does not stay: the copies would
    // keep the key for different times.
    let expires_at_ms = key.table().expires_at_ms();
    if key.expiry() != Some(expires_at_ms) {
        key.set_expiry(Some(expires_at_ms));
    }
    ctx.signal_modified(key.name());
}

/// Carries out an event that was decided elsewhere. It is passed on as it came once it is
/// known to fit.
///
/// # Errors
///
/// It cannot be read, or does not fit what is found here.
pub fn replay(ctx: Ctx<'_>, name: Text<'_>, bytes: &[u8]) -> Result<(), Error> {
    replay_event(ctx, name, bytes)?;
    info::EVENTS_REPLAYED.add(1);
    Ok(())
}

fn replay_event(ctx: Ctx<'_>, name: Text<'_>, bytes: &[u8]) -> Result<(), Error> {
    let misfit = |reason: String| Error::new(reason);
    let event = decode_event(bytes, names::hasher()).map_err(|error| misfit(error.to_string()))?;
    let check = |table: &Table| {
        table
            .check(&event)
            .map_err(|error| misfit(error.to_string()))
    };
    if let Some(table) = Table::create(&event, names::hasher()) {
        check(&table)?;
        return replay_creation(ctx, name, table, &event);
    }
    let mut key = limit_key::open_write(ctx, name)?.ok_or_else(|| Error::new("no such limit"))?;
    check(key.table())?;
    ctx.replicate_verbatim();
    carry_out(ctx, &mut key, &event);
    Ok(())
}

/// Makes a new limit under a name. The replica follows its primary even when something else
/// is there.
fn replay_creation(
    ctx: Ctx<'_>,
    name: Text<'_>,
    table: Table,
    event: &Event<'_>,
) -> Result<(), Error> {
    let was_free = datatype::is_free(ctx, name);
    let mut key = limit_key::create(ctx, name, table)?;
    replay::pass_on_creation(ctx, name, was_free);
    carry_out(ctx, &mut key, event);
    if was_free {
        Ok(())
    } else {
        Err(Error::new("the key of a new limit was taken"))
    }
}
