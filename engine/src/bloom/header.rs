//! A filter without its bits, and how that becomes bytes: what snapshots and dumps begin
//! with. Held by golden files in `tests/`.
//!
//! | Value | Bytes |
//! |---|---|
//! | header | `flsb`, version 1, settings, number of links 4, for each a shape and `items` 8; in version 2, options to the end |
//! | option | tag 1, length 4, so many bytes; in the order of their tags, each once |
//! | - received (1) | 8: so many bytes of the bits have come, and more are to come |
//!
//! Version 1 is written where each shape has one place and there is no option. An option
//! of an unknown tag is a newer module's, and the header is not read: what it stands for
//! may change what the bits mean.

use super::codec::{
    ONE_PLACE, PLACES, put_settings, put_shape, take_settings, take_shape, version_for,
};
use super::filter::Filter;
use super::params::{LINKS_MAX, Settings, Shape};
use crate::wire::{CodecError, Reader, Writer};

/// What a header begins with.
const MAGIC: [u8; 4] = *b"flsb";
/// The latest version of headers this server reads, and writes where it has to.
const HEADER_VERSION: u8 = PLACES;
/// The option that says how many bytes of bits there are.
const RECEIVED: u8 = 1;

/// A filter without its bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub settings: Settings,
    /// Each with its items; at least one.
    pub links: Vec<(Shape, u64)>,
    /// Bytes of bits that have come, where not all have.
    pub received: Option<u64>,
}

impl Header {
    /// Bytes of the bits of all links.
    pub fn bits_len(&self) -> u64 {
        let links = self.links.iter();
        links.map(|&(shape, _)| Filter::bytes_of(shape)).sum()
    }
}

/// The lowest version that has words for a header.
fn version_of(header: &Header) -> u8 {
    match header.received {
        Some(_) => HEADER_VERSION,
        None => version_for(header.links.iter().map(|&(shape, _)| shape)),
    }
}

/// The bytes of a header.
pub(super) fn encode_header(header: &Header) -> Vec<u8> {
    let version = version_of(header);
    let mut bytes = Vec::new();
    let out = &mut Writer(&mut bytes);
    out.raw(&MAGIC);
    out.tag(version);
    put_settings(out, header.settings);
    out.full_u32(header.links.len() as u32);
    for &(shape, items) in &header.links {
        put_shape(out, version, shape);
        out.full_u64(items);
    }
    if let Some(received) = header.received {
        out.tag(RECEIVED);
        out.full_u32(size_of::<u64>() as u32);
        out.full_u64(received);
    }
    bytes
}

/// Reads the bytes of a header, all of them.
///
/// # Errors
///
/// When the bytes are of another format or a newer version, damaged, too few or too many.
pub(super) fn decode_header(bytes: &[u8]) -> Result<Header, CodecError> {
    let mut from = Reader::new(bytes, ());
    let (magic, version) = (from.array()?, from.tag()?);
    if magic != MAGIC {
        return Err(CodecError::Invalid("not a filter of this module"));
    }
    match version {
        ONE_PLACE..=HEADER_VERSION => {}
        0 => return Err(CodecError::Invalid("the version of a filter")),
        _ => return Err(CodecError::Newer("a filter")),
    }
    let mut header = take_links(&mut from, version)?;
    if version > ONE_PLACE {
        take_options(&mut from, &mut header)?;
    }
    from.end("more bytes than the header has")?;
    if version_of(&header) != version {
        return Err(CodecError::Invalid("a version the filter does not need"));
    }
    Ok(header)
}

fn take_links(from: &mut Reader<'_>, version: u8) -> Result<Header, CodecError> {
    let settings = take_settings(from)?;
    let len = from.full_u32()?;
    let is_one = len == 1;
    if !(is_one || settings.expansion > 0 && (1..=LINKS_MAX as u32).contains(&len)) {
        return Err(CodecError::Invalid("the number of links"));
    }
    let mut links = Vec::new();
    for _ in 0..len {
        let shape = take_shape(from, version)?;
        let items = from.full_u64()?;
        if items > shape.capacity {
            return Err(CodecError::Invalid("the items of a link"));
        }
        links.push((shape, items));
    }
    Ok(Header {
        settings,
        links,
        received: None,
    })
}

fn take_options(from: &mut Reader<'_>, header: &mut Header) -> Result<(), CodecError> {
    while !from.rest().is_empty() {
        let (tag, len) = (from.tag()?, from.full_u32()?);
        if tag != RECEIVED {
            return Err(CodecError::Newer("an option of a filter"));
        }
        if header.received.is_some() || len as usize != size_of::<u64>() {
            return Err(CodecError::Invalid("an option"));
        }
        let received = from.full_u64()?;
        let is_part = received < header.bits_len() && received.is_multiple_of(8);
        if !is_part {
            return Err(CodecError::Invalid("the bits received"));
        }
        header.received = Some(received);
    }
    Ok(())
}
