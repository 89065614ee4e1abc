//! How events become bytes. Held by golden files in `tests/`.
//!
//! | Event | Bytes: version 1, kind 1, then |
//! |---|---|
//! | created (1) | settings, shape, added |
//! | added, no new link (2) | 8 for each hash, to the end: 10 bytes for one item |
//! | added, and new links (3) | added |
//! | cleared (4) | nothing |
//! | merged (5) | 1 if it makes the filter, else 0; `items` 8 |
//! | begun (6) | a header, see `header.rs` |
//! | loaded (7) | `position` 8, then the bits, whole words, to the end |
//!
//! Version 2 has the kinds 5 to 7, and shapes that say how many places they have. Events
//! have no options: what they have to say more takes another version, which an older
//! module reports as newer, not as damage.

use std::borrow::Cow;

use super::codec::{
    ONE_PLACE, PLACES, put_settings, put_shape, take_settings, take_shape, version_for,
};
use super::event::{Added, Event, Growth, Run};
use super::hash::ItemHash;
use super::header::{decode_header, encode_header};
use super::words::WORD_BYTES;
use crate::wire::{CodecError, Reader, Writer};

/// The latest version of events this server reads, and writes where it has to.
const EVENT_VERSION: u8 = PLACES;

const CREATED: u8 = 1;
const ADDED: u8 = 2;
const GROWN: u8 = 3;
const CLEARED: u8 = 4;
const MERGED: u8 = 5;
const BEGUN: u8 = 6;
const LOADED: u8 = 7;

/// The lowest version that has words for an event.
fn version_of(event: &Event<'_>) -> u8 {
    let shapes = |added: &Added| version_for(added.then.iter().map(|growth| growth.shape));
    match event {
        Event::Created { first, added, .. } => version_for([*first].into_iter()).max(shapes(added)),
        Event::Added(added) if added.then.is_empty() => ONE_PLACE,
        Event::Added(added) => shapes(added),
        Event::Cleared => ONE_PLACE,
        Event::Merged { .. } | Event::Begun(_) | Event::Loaded { .. } => EVENT_VERSION,
    }
}

/// Appends the bytes of one event.
pub fn encode_event(event: &Event<'_>, out: &mut Vec<u8>) {
    let version = version_of(event);
    let out = &mut Writer(out);
    out.tag(version);
    out.tag(kind(event));
    match event {
        Event::Created {
            settings,
            first,
            added,
        } => {
            put_settings(out, *settings);
            put_shape(out, version, *first);
            put_added(out, version, added);
        }
        Event::Added(added) if added.then.is_empty() => put_hashes(out, &added.first),
        Event::Added(added) => put_added(out, version, added),
        Event::Cleared => {}
        Event::Merged { is_new, items } => {
            out.flag(*is_new);
            out.full_u64(*items);
        }
        Event::Begun(header) => out.raw(&encode_header(header)),
        Event::Loaded { position, bits } => {
            out.full_u64(*position);
            out.raw(bits);
        }
    }
}

fn put_hashes(out: &mut Writer<'_>, run: &Run) {
    run.hashes.iter().for_each(|hash| out.full_u64(hash.0));
}

fn put_run(out: &mut Writer<'_>, run: &Run) {
    // An argument of a command, let alone a request of them, has far fewer than 2^32.
    out.full_u32(run.hashes.len() as u32);
    put_hashes(out, run);
}

fn put_added(out: &mut Writer<'_>, version: u8, added: &Added) {
    put_run(out, &added.first);
    for Growth { shape, run } in &added.then {
        put_shape(out, version, *shape);
        put_run(out, run);
    }
}

fn take_hashes(from: &mut Reader<'_>, len: usize) -> Result<Run, CodecError> {
    let bytes = len.checked_mul(size_of::<u64>());
    let taken = from.take(bytes.ok_or(CodecError::Truncated)?)?;
    let mut run = Run::default();
    run.hashes.reserve_exact(len);
    let (hashes, _) = taken.as_chunks();
    let hashes = hashes.iter().map(|&hash| u64::from_le_bytes(hash));
    run.hashes.extend(hashes.map(ItemHash));
    Ok(run)
}

fn take_run(from: &mut Reader<'_>) -> Result<Run, CodecError> {
    let len = from.full_u32()?;
    take_hashes(from, len as usize)
}

fn take_added(from: &mut Reader<'_>, version: u8) -> Result<Added, CodecError> {
    let first = take_run(from)?;
    let mut then = Vec::new();
    while !from.rest().is_empty() {
        let shape = take_shape(from, version)?;
        let run = take_run(from)?;
        if run.hashes.is_empty() {
            return Err(CodecError::Invalid("a new link without an item"));
        }
        then.push(Growth { shape, run });
    }
    Ok(Added { first, then })
}

fn kind(event: &Event<'_>) -> u8 {
    match event {
        Event::Created { .. } => CREATED,
        Event::Added(added) if added.then.is_empty() => ADDED,
        Event::Added(_) => GROWN,
        Event::Cleared => CLEARED,
        Event::Merged { .. } => MERGED,
        Event::Begun(_) => BEGUN,
        Event::Loaded { .. } => LOADED,
    }
}

/// Reads the bytes of one event, all of them.
///
/// # Errors
///
/// When the bytes are of a newer version, damaged, too few or too many.
pub fn decode_event(bytes: &[u8]) -> Result<Event<'_>, CodecError> {
    let mut from = Reader::new(bytes, ());
    let version = from.tag()?;
    match version {
        ONE_PLACE..=EVENT_VERSION => {}
        0 => return Err(CodecError::Invalid("the version of an event")),
        _ => return Err(CodecError::Newer("an event of a filter")),
    }
    let kind = from.tag()?;
    let event = match (kind, version) {
        (CREATED..=CLEARED, _) => decode_adding(kind, version, &mut from)?,
        (MERGED..=LOADED, EVENT_VERSION) => decode_copying(kind, &mut from)?,
        _ => return Err(CodecError::Invalid("an unknown kind of event")),
    };
    if version_of(&event) != version {
        return Err(CodecError::Invalid("a version the event does not need"));
    }
    Ok(event)
}

fn decode_adding(
    kind: u8,
    version: u8,
    from: &mut Reader<'_>,
) -> Result<Event<'static>, CodecError> {
    match kind {
        CREATED => {
            let settings = take_settings(from)?;
            let first = take_shape(from, version)?;
            let added = take_added(from, version)?;
            Ok(Event::Created {
                settings,
                first,
                added,
            })
        }
        ADDED => {
            let first = take_hashes(from, from.rest().len().div_ceil(size_of::<u64>()))?;
            if first.hashes.is_empty() {
                return Err(CodecError::Invalid("nothing added"));
            }
            let then = Vec::new();
            Ok(Event::Added(Added { first, then }))
        }
        GROWN => match take_added(from, version)? {
            added if added.then.is_empty() => Err(CodecError::Invalid("no new link")),
            added => Ok(Event::Added(added)),
        },
        _ => {
            from.end("more bytes than the event has")?;
            Ok(Event::Cleared)
        }
    }
}

fn decode_copying<'a>(kind: u8, from: &mut Reader<'a>) -> Result<Event<'a>, CodecError> {
    match kind {
        MERGED => {
            let (is_new, items) = (from.flag()?, from.full_u64()?);
            from.end("more bytes than the event has")?;
            Ok(Event::Merged { is_new, items })
        }
        BEGUN => match decode_header(from.take_rest())? {
            header if header.received.is_some() => Err(CodecError::Invalid("bits before any came")),
            header => Ok(Event::Begun(header)),
        },
        _ => {
            let position = from.full_u64()?;
            let bits = from.take_rest();
            if bits.is_empty() || !(bits.len() as u64).is_multiple_of(WORD_BYTES) {
                return Err(CodecError::Invalid("bits that are no words"));
            }
            let bits = Cow::Borrowed(bits);
            Ok(Event::Loaded { position, bits })
        }
    }
}
