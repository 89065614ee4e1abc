//! How the parts of events and headers become bytes. All numbers have their full width,
//! little endian. Held by golden files in `tests/`.
//!
//! | Value | Bytes |
//! |---|---|
//! | shape, version 1 | `probes` 1, `blocks` 8, `capacity` 8; it has one place |
//! | shape, version 2 | `probes` 1, `places` 1, `blocks` 8, `capacity` 8 |
//! | settings | `error_rate` 8 (an IEEE double), `expansion` 4 |
//! | run | its number of items 4, then 8 for the hash of each |
//! | added | a run; then, to the end, a shape and a run for each new link |
//!
//! Events (`event_codec.rs`) and headers (`header.rs`) begin with a version, and are
//! written in the lowest that has words for them: what uses nothing new, an older module
//! reads as well.
//!
//! Edge: knows no key and no command. A decoder trusts nothing: what it allocates is a
//! small multiple of the bytes that are there, a value has one spelling, and a filter that
//! no primary can have made is an error.

use super::params::{EXPANSION_MAX, ErrorRate, Settings, Shape};
use crate::wire::{CodecError, Reader, Writer};

/// The version in which shapes have one place and do not say so.
pub(super) const ONE_PLACE: u8 = 1;
/// The version in which shapes say how many places they have.
pub(super) const PLACES: u8 = 2;

/// The lowest version in which these shapes can be written.
pub(super) fn version_for(mut shapes: impl Iterator<Item = Shape>) -> u8 {
    if shapes.all(|shape| shape.places == 1) {
        ONE_PLACE
    } else {
        PLACES
    }
}

/// Appends a shape, in the words of a version.
pub(super) fn put_shape(out: &mut Writer<'_>, version: u8, shape: Shape) {
    out.tag(shape.probes);
    if version >= PLACES {
        out.tag(shape.places);
    }
    out.full_u64(shape.blocks);
    out.full_u64(shape.capacity);
}

/// Reads a shape, in the words of a version.
pub(super) fn take_shape(from: &mut Reader<'_>, version: u8) -> Result<Shape, CodecError> {
    let probes = from.tag()?;
    let places = match version {
        ONE_PLACE => 1,
        _ => from.tag()?,
    };
    let shape = Shape {
        probes,
        places,
        blocks: from.full_u64()?,
        capacity: from.full_u64()?,
    };
    if shape.is_sound() {
        Ok(shape)
    } else {
        Err(CodecError::Invalid("the size of a link"))
    }
}

/// Appends what a filter was asked to be.
pub(super) fn put_settings(out: &mut Writer<'_>, settings: Settings) {
    out.full_u64(settings.error_rate.to_bits());
    out.full_u32(settings.expansion);
}

/// Reads what a filter was asked to be.
pub(super) fn take_settings(from: &mut Reader<'_>) -> Result<Settings, CodecError> {
    let rate = ErrorRate::from_bits(from.full_u64()?);
    let expansion = from.full_u32()?;
    match rate {
        Some(error_rate) if expansion <= EXPANSION_MAX => Ok(Settings {
            error_rate,
            expansion,
        }),
        _ => Err(CodecError::Invalid("the settings")),
    }
}
