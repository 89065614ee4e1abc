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

use std::fmt;

use super::chain::EXPANSION_MAX;
use super::event::{Added, Growth, Run, Settings};
use super::hash::ItemHash;
use super::params::{ErrorRate, Shape};

/// The version in which shapes have one place and do not say so.
pub(super) const ONE_PLACE: u8 = 1;
/// The version in which shapes say how many places they have.
pub(super) const PLACES: u8 = 2;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// They end too early.
    Truncated,
    /// They never were right; the text says where.
    Invalid(&'static str),
    /// A later version of this module wrote them; the text says what they are.
    Newer(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the data ends too early"),
            CodecError::Invalid(what) => write!(f, "the data is damaged: {what}"),
            CodecError::Newer(what) => write!(f, "the data is of a newer version: {what}"),
        }
    }
}

/// The lowest version in which these shapes can be written.
pub(super) fn version_for(mut shapes: impl Iterator<Item = Shape>) -> u8 {
    if shapes.all(|shape| shape.places == 1) {
        ONE_PLACE
    } else {
        PLACES
    }
}

/// Appends values to a buffer, in the words of a version.
pub(super) struct Writer<'a> {
    pub out: &'a mut Vec<u8>,
    pub version: u8,
}

impl Writer<'_> {
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    pub fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn shape(&mut self, shape: Shape) {
        self.byte(shape.probes);
        if self.version >= PLACES {
            self.byte(shape.places);
        }
        self.u64(shape.blocks);
        self.u64(shape.capacity);
    }

    pub fn settings(&mut self, settings: Settings) {
        self.u64(settings.error_rate.to_bits());
        self.u32(settings.expansion);
    }

    pub fn hashes(&mut self, run: &Run) {
        run.hashes.iter().for_each(|hash| self.u64(hash.0));
    }

    fn run(&mut self, run: &Run) {
        // An argument of a command, let alone a request of them, has far fewer than 2^32.
        self.u32(run.hashes.len() as u32);
        self.hashes(run);
    }

    pub fn added(&mut self, added: &Added) {
        self.run(&added.first);
        for Growth { shape, run } in &added.then {
            self.shape(*shape);
            self.run(run);
        }
    }
}

/// Takes values from the front of a slice, in the words of a version.
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub version: u8,
}

impl<'a> Reader<'a> {
    /// Reads what has not said its version yet.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader {
            bytes,
            version: ONE_PLACE,
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (&taken, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or(CodecError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, CodecError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub fn flag(&mut self) -> Result<bool, CodecError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Invalid("a flag")),
        }
    }

    pub fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Is this all?
    pub fn end(&self, or: &'static str) -> Result<(), CodecError> {
        match self.bytes {
            [] => Ok(()),
            _ => Err(CodecError::Invalid(or)),
        }
    }

    pub fn shape(&mut self) -> Result<Shape, CodecError> {
        let probes = self.byte()?;
        let places = match self.version {
            ONE_PLACE => 1,
            _ => self.byte()?,
        };
        let shape = Shape {
            probes,
            places,
            blocks: self.u64()?,
            capacity: self.u64()?,
        };
        if shape.is_sound() {
            Ok(shape)
        } else {
            Err(CodecError::Invalid("the size of a link"))
        }
    }

    pub fn settings(&mut self) -> Result<Settings, CodecError> {
        let rate = ErrorRate::from_bits(self.u64()?);
        let expansion = self.u32()?;
        match rate {
            Some(error_rate) if expansion <= EXPANSION_MAX => Ok(Settings {
                error_rate,
                expansion,
            }),
            _ => Err(CodecError::Invalid("the settings")),
        }
    }

    pub fn hashes(&mut self, len: usize) -> Result<Run, CodecError> {
        let bytes = len.checked_mul(size_of::<u64>());
        let Some((taken, rest)) = bytes.and_then(|bytes| self.bytes.split_at_checked(bytes)) else {
            return Err(CodecError::Truncated);
        };
        self.bytes = rest;
        let mut from = Reader::new(taken);
        let mut run = Run::default();
        run.hashes.reserve_exact(len);
        for _ in 0..len {
            run.hashes.push(ItemHash(from.u64()?));
        }
        Ok(run)
    }

    fn run(&mut self) -> Result<Run, CodecError> {
        let len = self.u32()?;
        self.hashes(len as usize)
    }

    pub fn added(&mut self) -> Result<Added, CodecError> {
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
