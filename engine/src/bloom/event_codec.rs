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

use super::codec::{CodecError, ONE_PLACE, PLACES, Reader, Writer, version_for};
use super::event::{Added, Event};
use super::header::{decode_header, encode_header};
use super::words::WORD_BYTES;

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
    let mut out = Writer { out, version };
    out.byte(version);
    out.byte(kind(event));
    match event {
        Event::Created {
            settings,
            first,
            added,
        } => {
            out.settings(*settings);
            out.shape(*first);
            out.added(added);
        }
        Event::Added(added) if added.then.is_empty() => out.hashes(&added.first),
        Event::Added(added) => out.added(added),
        Event::Cleared => {}
        Event::Merged { is_new, items } => {
            out.byte(u8::from(*is_new));
            out.u64(*items);
        }
        Event::Begun(header) => out.bytes(&encode_header(header)),
        Event::Loaded { position, bits } => {
            out.u64(*position);
            out.bytes(bits);
        }
    }
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
    let mut from = Reader::new(bytes);
    let version = from.byte()?;
    match version {
        ONE_PLACE..=EVENT_VERSION => from.version = version,
        0 => return Err(CodecError::Invalid("the version of an event")),
        _ => return Err(CodecError::Newer("an event of a filter")),
    }
    let kind = from.byte()?;
    let event = match (kind, version) {
        (CREATED..=CLEARED, _) => decode_adding(kind, &mut from)?,
        (MERGED..=LOADED, EVENT_VERSION) => decode_copying(kind, &mut from)?,
        _ => return Err(CodecError::Invalid("an unknown kind of event")),
    };
    if version_of(&event) != version {
        return Err(CodecError::Invalid("a version the event does not need"));
    }
    Ok(event)
}

fn decode_adding(kind: u8, from: &mut Reader<'_>) -> Result<Event<'static>, CodecError> {
    match kind {
        CREATED => {
            let settings = from.settings()?;
            let first = from.shape()?;
            let added = from.added()?;
            Ok(Event::Created {
                settings,
                first,
                added,
            })
        }
        ADDED => {
            let first = from.hashes(from.bytes.len().div_ceil(size_of::<u64>()))?;
            if first.hashes.is_empty() {
                return Err(CodecError::Invalid("nothing added"));
            }
            let then = Vec::new();
            Ok(Event::Added(Added { first, then }))
        }
        GROWN => match from.added()? {
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
            let (is_new, items) = (from.flag()?, from.u64()?);
            from.end("more bytes than the event has")?;
            Ok(Event::Merged { is_new, items })
        }
        BEGUN => match decode_header(from.rest())? {
            header if header.received.is_some() => Err(CodecError::Invalid("bits before any came")),
            header => Ok(Event::Begun(header)),
        },
        _ => {
            let position = from.u64()?;
            let bits = from.rest();
            if bits.is_empty() || !(bits.len() as u64).is_multiple_of(WORD_BYTES) {
                return Err(CodecError::Invalid("bits that are no words"));
            }
            let bits = Cow::Borrowed(bits);
            Ok(Event::Loaded { position, bits })
        }
    }
}
