//! The one way a filter changes: carried out, sent on and signalled in one function.
//!
//! Adding, clearing and creating are sent on as events, `FLASHSALE.BF.APPLY key event`:
//! sizes resolved, items as hashes, only the new ones. A request sent on would be decided
//! again, by another configuration. A merge and a loaded piece depend on nothing but
//! their arguments, and are sent on as they came, under their full names: they would be
//! as large as events.
//!
//! Filters have no keyspace events: no client of one expects any, and an event for each
//! item would cost more than the item.

use std::ffi::CStr;

use crate::bloom::{Bloom, Event, decode_event, encode_event};
use crate::datatype::{BloomKey, bloom_key};
use crate::error::Error;
use crate::ffi::{Call, Ctx, Text};
use crate::info;
use crate::replication;
use crate::scratch;

/// The command that carries events.
const APPLY: &CStr = c"FLASHSALE.BF.APPLY";
const MERGE: &CStr = c"FLASHSALE.BF.MERGE";
const LOADCHUNK: &CStr = c"FLASHSALE.BF.LOADCHUNK";

/// Carries out an event that was just planned for this filter, and sends it on.
pub fn commit(ctx: Ctx<'_>, key: &mut BloomKey<'_>, event: &Event) {
    key.apply(event);
    send(ctx, key.name(), event);
    ctx.signal_modified(key.name());
}

/// Makes a filter from a `Created` event and the empty filter of it, and sends it on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_creation(
    ctx: Ctx<'_>,
    name: Text<'_>,
    mut bloom: Bloom,
    event: &Event,
) -> Result<(), Error> {
    bloom.apply(event);
    bloom_key::create(ctx, name, bloom)?;
    send(ctx, name, event);
    ctx.signal_modified(name);
    Ok(())
}

/// Merges filters into one, as it was planned, and sends the call on.
pub fn commit_merge(call: &Call<'_>, key: &mut BloomKey<'_>, sources: &[&Bloom]) {
    for source in sources {
        key.merge(source);
    }
    send_call(call, MERGE);
    call.ctx().signal_modified(key.name());
}

/// Makes a filter of others, merged, and sends the call on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_merge_anew(
    call: &Call<'_>,
    name: Text<'_>,
    mut bloom: Bloom,
    sources: &[&Bloom],
) -> Result<(), Error> {
    for source in sources {
        bloom.merge(source);
    }
    bloom_key::create(call.ctx(), name, bloom)?;
    send_call(call, MERGE);
    call.ctx().signal_modified(name);
    Ok(())
}

/// Sets the bits of a piece of a dump, and sends the call on if any was new.
pub fn commit_piece(call: &Call<'_>, key: &mut BloomKey<'_>, place: (usize, u64), piece: &[u8]) {
    if key.fill(place, piece) {
        send_call(call, LOADCHUNK);
        call.ctx().signal_modified(key.name());
    }
}

/// Makes a filter from the header of a dump, and sends the call on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_header(call: &Call<'_>, name: Text<'_>, bloom: Bloom) -> Result<(), Error> {
    bloom_key::create(call.ctx(), name, bloom)?;
    send_call(call, LOADCHUNK);
    call.ctx().signal_modified(name);
    Ok(())
}

fn send(ctx: Ctx<'_>, key: Text<'_>, event: &Event) {
    scratch::with(|bytes| {
        encode_event(event, bytes);
        ctx.replicate(APPLY, key, None, bytes);
    });
}

/// Sends a call on, whichever of its names it came under.
fn send_call(call: &Call<'_>, command: &CStr) {
    if is_replay(call.ctx()) {
        call.ctx().replicate_verbatim();
    } else {
        call.ctx().replicate_words(command, call.arguments());
    }
}

/// Does this call come from the primary, or from the AOF?
pub fn is_replay(ctx: Ctx<'_>) -> bool {
    let flags = ctx.flags();
    flags.is_replicated() || flags.is_loading()
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
    let event = decode_event(bytes).map_err(|error| Error::new(error.to_string()))?;
    let key = bloom_key::open_write(ctx, name);
    if let Some(created) = Bloom::create(&event) {
        let mut bloom = created.map_err(|divergence| Error::new(divergence.to_string()))?;
        bloom
            .check(&event)
            .map_err(|divergence| Error::new(divergence.to_string()))?;
        bloom.apply(&event);
        let was_free = matches!(key, Ok(None));
        drop(key);
        // The replica follows the primary even when something else is there.
        bloom_key::create(ctx, name, bloom)?;
        replication::pass_on_creation(ctx, name, was_free);
        ctx.signal_modified(name);
        return if was_free {
            Ok(())
        } else {
            Err(Error::new("the key of a new filter was taken"))
        };
    }
    let mut key = key.and_then(bloom_key::found)?;
    key.bloom()
        .check(&event)
        .map_err(|divergence| Error::new(divergence.to_string()))?;
    ctx.replicate_verbatim();
    key.apply(&event);
    ctx.signal_modified(name);
    Ok(())
}

/// What becomes of an error of a call that is sent on as it came: a client is told; one
/// of the primary or of the AOF is left out, as an event is that does not fit.
///
/// # Errors
///
/// The one it was given, for a client.
pub fn settle(call: &Call<'_>, result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if is_replay(call.ctx()) => replication::follow(call, || Err(error)),
        result => result,
    }
}
