//! How events and the header of a filter become bytes. All numbers have their full
//! width, little endian. Held by golden files in `tests/`.
//!
//! | Value | Bytes |
//! |---|---|
//! | shape | `probes` 1, `blocks` 8, `capacity` 8 |
//! | settings | `error_rate` 8 (an IEEE double), `expansion` 4 |
//! | run | its number of items 4, then 8 for the hash of each |
//! | added | a run; then, to the end, a shape and a run for each new link |
//! | event | version 1, kind 1, then |
//! | - created (1) | settings, shape, added |
//! | - added, no new link (2) | 8 for each hash, to the end: 10 bytes for one item |
//! | - added, and new links (3) | added |
//! | - cleared (4) | nothing |
//! | header | `flsb`, version 1, settings, number of links 4, for each a shape and `items` 8 |
//!
//! After a header come the bits, link by link; see `dump.rs` and `snapshot.rs`.
//!
//! Edge: bincode is named in this file only. A decoder trusts nothing: what it allocates
//! is a small multiple of the bytes that are there, a value has one spelling, and a
//! filter that no primary can have made is an error.

use std::fmt;

use bincode::config::{Configuration, Fixint, LittleEndian};

use super::chain::{Bloom, EXPANSION_MAX, LINKS_MAX};
use super::event::{Added, Event, Growth, Run, Settings};
use super::filter::Filter;
use super::hash::ItemHash;
use super::params::{ErrorRate, Shape};

const CONFIG: Configuration<LittleEndian, Fixint> =
    bincode::config::standard().with_fixed_int_encoding();
/// The version of events this server writes, and the only one it reads.
const EVENT_VERSION: u8 = 1;
/// What a header begins with.
const MAGIC: [u8; 4] = *b"flsb";
/// The version of headers this server writes, and the only one it reads.
const HEADER_VERSION: u8 = 1;

const CREATED: u8 = 1;
const ADDED: u8 = 2;
const GROWN: u8 = 3;
const CLEARED: u8 = 4;

/// A shape, as bincode has tuples: one field after the other.
type ShapeFields = (u8, u64, u64);
type SettingsFields = (u64, u32);

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// They end too early.
    Truncated,
    /// They never were right; the text says where.
    Invalid(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the data ends too early"),
            CodecError::Invalid(what) => write!(f, "the data is damaged: {what}"),
        }
    }
}

/// A filter without its bits.
pub(super) struct Header {
    pub settings: Settings,
    /// Each with its items; at least one.
    pub links: Vec<(Shape, u64)>,
}

fn put(out: &mut Vec<u8>, value: impl bincode::Encode) {
    // Writing numbers to memory has nothing that could fail.
    let written = bincode::encode_into_std_write(value, out, CONFIG);
    debug_assert!(written.is_ok());
}

fn put_shape(out: &mut Vec<u8>, shape: Shape) {
    let fields: ShapeFields = (shape.probes, shape.blocks, shape.capacity);
    put(out, fields);
}

fn put_settings(out: &mut Vec<u8>, settings: Settings) {
    let fields: SettingsFields = (settings.error_rate.to_bits(), settings.expansion);
    put(out, fields);
}

fn put_hashes(out: &mut Vec<u8>, run: &Run) {
    run.hashes.iter().for_each(|hash| put(out, hash.0));
}

fn put_run(out: &mut Vec<u8>, run: &Run) {
    // An argument of a command, let alone a request of them, has far fewer than 2^32.
    put(out, run.hashes.len() as u32);
    put_hashes(out, run);
}

fn put_added(out: &mut Vec<u8>, added: &Added) {
    put_run(out, &added.first);
    for Growth { shape, run } in &added.then {
        put_shape(out, *shape);
        put_run(out, run);
    }
}

/// Appends the bytes of one event.
pub fn encode_event(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Created {
            settings,
            first,
            added,
        } => {
            put(out, (EVENT_VERSION, CREATED));
            put_settings(out, *settings);
            put_shape(out, *first);
            put_added(out, added);
        }
        Event::Added(added) if added.then.is_empty() => {
            put(out, (EVENT_VERSION, ADDED));
            put_hashes(out, &added.first);
        }
        Event::Added(added) => {
            put(out, (EVENT_VERSION, GROWN));
            put_added(out, added);
        }
        Event::Cleared => put(out, (EVENT_VERSION, CLEARED)),
    }
}

/// Reads the bytes of one event, all of them.
///
/// # Errors
///
/// When the bytes are of another version, damaged, too few or too many.
pub fn decode_event(bytes: &[u8]) -> Result<Event, CodecError> {
    let mut from = Reader { bytes };
    let (version, kind): (u8, u8) = from.take()?;
    if version != EVENT_VERSION {
        return Err(CodecError::Invalid("an event of another version"));
    }
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
        CLEARED if from.bytes.is_empty() => Ok(Event::Cleared),
        CLEARED => Err(CodecError::Invalid("more bytes than the event has")),
        _ => Err(CodecError::Invalid("an unknown kind of event")),
    }
}

/// The bytes of a filter's header.
pub(super) fn encode_header(bloom: &Bloom) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, (MAGIC, HEADER_VERSION));
    put_settings(&mut out, bloom.settings());
    put(&mut out, bloom.links().len() as u32);
    for link in bloom.links() {
        put_shape(&mut out, link.shape());
        put(&mut out, link.items());
    }
    out
}

/// Reads the bytes of a header, all of them.
///
/// # Errors
///
/// When the bytes are of another format or version, damaged, too few or too many.
pub(super) fn decode_header(bytes: &[u8]) -> Result<Header, CodecError> {
    let mut from = Reader { bytes };
    let (magic, version): ([u8; 4], u8) = from.take()?;
    if magic != MAGIC {
        return Err(CodecError::Invalid("not a filter of this module"));
    }
    if version != HEADER_VERSION {
        return Err(CodecError::Invalid("a filter of another version"));
    }
    let settings = from.settings()?;
    let len: u32 = from.take()?;
    let is_one = len == 1;
    if !(is_one || settings.expansion > 0 && (1..=LINKS_MAX as u32).contains(&len)) {
        return Err(CodecError::Invalid("the number of links"));
    }
    let mut links = Vec::new();
    for _ in 0..len {
        let shape = from.shape()?;
        let items: u64 = from.take()?;
        if items > shape.capacity {
            return Err(CodecError::Invalid("the items of a link"));
        }
        links.push((shape, items));
    }
    if !from.bytes.is_empty() {
        return Err(CodecError::Invalid("more bytes than the header has"));
    }
    Ok(Header { settings, links })
}

impl Header {
    /// The filter with none of its bits. `None` when there is no memory for it.
    pub(super) fn to_empty(&self) -> Option<Bloom> {
        let shapes = || self.links.iter().map(|&(shape, _)| shape);
        if !shapes().all(Filter::fits_memory) {
            return None;
        }
        // One by one they fit; do all of them?
        let total: u64 = shapes().map(|shape| shape.blocks).sum();
        let all = Shape {
            probes: 1,
            blocks: total,
            capacity: 1,
        };
        Filter::fits_memory(all).then(|| {
            let links = self.links.iter().map(|&(shape, items)| {
                let mut link = Filter::new(shape);
                link.set_items(items);
                link
            });
            Bloom {
                settings: self.settings,
                links: links.collect(),
            }
        })
    }
}

/// Takes values from the front of a slice.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<T: bincode::Decode<()>>(&mut self) -> Result<T, CodecError> {
        // Numbers of full width: the only error is that they end too early.
        let (value, read) =
            bincode::decode_from_slice(self.bytes, CONFIG).map_err(|_| CodecError::Truncated)?;
        self.bytes = self.bytes.get(read..).unwrap_or_default();
        Ok(value)
    }

    fn shape(&mut self) -> Result<Shape, CodecError> {
        let (probes, blocks, capacity): ShapeFields = self.take()?;
        let shape = Shape {
            probes,
            blocks,
            capacity,
        };
        if shape.is_sound() {
            Ok(shape)
        } else {
            Err(CodecError::Invalid("the size of a link"))
        }
    }

    fn settings(&mut self) -> Result<Settings, CodecError> {
        let (rate, expansion): SettingsFields = self.take()?;
        match ErrorRate::from_bits(rate) {
            Some(error_rate) if expansion <= EXPANSION_MAX => Ok(Settings {
                error_rate,
                expansion,
            }),
            _ => Err(CodecError::Invalid("the settings")),
        }
    }

    fn hashes(&mut self, len: usize) -> Result<Run, CodecError> {
        let bytes = len.checked_mul(size_of::<u64>());
        let Some((taken, rest)) = bytes.and_then(|bytes| self.bytes.split_at_checked(bytes)) else {
            return Err(CodecError::Truncated);
        };
        self.bytes = rest;
        let mut from = Reader { bytes: taken };
        let mut run = Run::default();
        run.hashes.reserve_exact(len);
        for _ in 0..len {
            run.hashes.push(ItemHash(from.take()?));
        }
        Ok(run)
    }

    fn run(&mut self) -> Result<Run, CodecError> {
        let len: u32 = self.take()?;
        self.hashes(len as usize)
    }

    fn added(&mut self) -> Result<Added, CodecError> {
        let first = self.run()?;
        let mut then = Vec::new();
        while !self.bytes.is_empty() {
            let shape = self.shape()?;
            let run = self.run()?;
            if run.hashes.is_empty() {
                return Err(CodecError::Invalid("a new link without an item"));
            }
            then.push(Growth { shape, run });
        }
        Ok(Added { first, then })
    }
}
