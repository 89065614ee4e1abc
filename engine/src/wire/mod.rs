//! How values become bytes: the primitives under events and snapshots.
//!
//! The byte format, held by golden files in `tests/`:
//!
//! | Value | Bytes |
//! |---|---|
//! | `u64` | below 251 one byte; else 251, 252 or 253 and two, four or eight bytes, little endian |
//! | `i64` | zigzag, then as `u64` |
//! | `u128` | sixteen bytes, big endian |
//! | flag, tag | one byte |
//! | bytes | their number as `u64`, then they |
//! | name | one byte of length (1 to 254, 0 for 255) and its bytes; a canonical ULID is 255 and 16 bytes, big endian |
//! | optional value | 0, or 1 and the value |
//! | list | its length as `u64`, then its elements |
//! | options | their number as `u64`; of each its tag, one byte, the length of its value as `u64`, the value |
//!
//! Options are how a format grows: they follow an event or an element of a snapshot whose
//! own tag has [`WITH_OPTIONS`] added, so what few have costs the others no byte. The tag
//! of an option is never reused; each stands at most once, in ascending order. A reader
//! that does not know a tag knows that the data is of a newer version, and never skips
//! it: a copy that left out what it does not understand would be another sale.
//!
//! Edge: knows no event and no sale. A decoder trusts nothing: lengths are held against
//! the bytes that are there before anything is allocated for them, and a value has one
//! spelling: a number in more bytes than it needs is damage.

use std::fmt;

use crate::sale::units::{Line, Lines, NAME_BYTES_MAX};
use crate::table::hash::Hasher;
use crate::table::name::{Key, NameBuffer, Packed, Spelling};

/// Say how many bytes a number takes that is not one byte by itself.
const TWO_BYTES: u8 = 251;
const FOUR_BYTES: u8 = 252;
const EIGHT_BYTES: u8 = 253;
/// Added to the tag of an event or element that options follow.
pub const WITH_OPTIONS: u8 = 128;
/// Marks a packed ULID where a name's length would stand.
const ULID_MARK: u8 = 255;
/// Stands for the one length that [`ULID_MARK`] takes away.
const LENGTH_255: u8 = 0;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// They end too early; more may be to come.
    Truncated,
    /// They may be right, but a newer version wrote them; the text says what is unknown.
    Newer(&'static str),
    /// They never were right; the text says where.
    Invalid(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the data ends too early"),
            CodecError::Newer(what) => write!(f, "the data is of a newer version: {what}"),
            CodecError::Invalid(what) => write!(f, "the data is damaged: {what}"),
        }
    }
}

/// Appends values to a buffer.
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    pub fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    pub fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub fn number(&mut self, number: u64) {
        match number {
            0..=250 => self.tag(number as u8),
            251..=0xffff => self.marked(TWO_BYTES, (number as u16).to_le_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(FOUR_BYTES, (number as u32).to_le_bytes()),
            _ => self.marked(EIGHT_BYTES, number.to_le_bytes()),
        }
    }

    fn marked<const N: usize>(&mut self, mark: u8, bytes: [u8; N]) {
        self.tag(mark);
        self.0.extend_from_slice(&bytes);
    }

    /// Zigzag: 0, -1, 1, -2, ...
    pub fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63).cast_unsigned());
    }

    /// Sixteen bytes, big endian.
    pub fn wide(&mut self, number: u128) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A user, id or REF.
    pub fn name<'n>(&mut self, name: impl Into<Spelling<'n>>) {
        let name = name.into();
        match name {
            Spelling::Ulid(packed) => {
                self.tag(ULID_MARK);
                self.0.extend_from_slice(&packed.bytes());
            }
            Spelling::Uuid(_) | Spelling::Bytes(_) => {
                let mut buffer = NameBuffer::default();
                let name = name.bytes(&mut buffer);
                self.tag(match name.len() {
                    255 => LENGTH_255,
                    length => length as u8,
                });
                self.0.extend_from_slice(name);
            }
        }
    }

    pub fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    /// A tag that options may follow.
    pub fn tag_with_options(&mut self, tag: u8, has_options: bool) {
        self.tag(if has_options { tag | WITH_OPTIONS } else { tag });
    }

    /// The one option of what has one.
    pub fn one_option(&mut self, tag: u8, put: impl FnOnce(&mut Writer<'_>)) {
        let mut value = Vec::new();
        put(&mut Writer(&mut value));
        self.number(1);
        self.tag(tag);
        self.bytes(&value);
    }

    pub fn list<T>(
        &mut self,
        values: impl ExactSizeIterator<Item = T>,
        mut put: impl FnMut(&mut Self, T),
    ) {
        self.number(values.len() as u64);
        for value in values {
            put(self, value);
        }
    }

    pub fn lines(&mut self, lines: &[Line]) {
        self.list(lines.iter(), |out, line| {
            out.number(u64::from(line.item));
            out.number(line.qty);
        });
    }
}

/// Takes values from the front of a slice.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    hasher: Hasher,
}

impl<'a> Reader<'a> {
    /// `hasher` hashes the names that will be looked up.
    pub fn new(bytes: &'a [u8], hasher: Hasher) -> Reader<'a> {
        Reader { bytes, hasher }
    }

    /// Bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or(CodecError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (&taken, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or(CodecError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn tag(&mut self) -> Result<u8, CodecError> {
        let (&tag, rest) = self.bytes.split_first().ok_or(CodecError::Truncated)?;
        self.bytes = rest;
        Ok(tag)
    }

    pub fn flag(&mut self) -> Result<bool, CodecError> {
        match self.tag()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Invalid("a flag")),
        }
    }

    pub fn number(&mut self) -> Result<u64, CodecError> {
        let (number, least) = match self.tag()? {
            number @ 0..TWO_BYTES => return Ok(number.into()),
            TWO_BYTES => (u16::from_le_bytes(self.array()?).into(), 251),
            FOUR_BYTES => (u32::from_le_bytes(self.array()?).into(), 0x1_0000),
            EIGHT_BYTES => (u64::from_le_bytes(self.array()?), 0x1_0000_0000),
            _ => return Err(CodecError::Invalid("a number")),
        };
        if number < least {
            return Err(CodecError::Invalid("a number"));
        }
        Ok(number)
    }

    /// Zigzag: 0, -1, 1, -2, ...
    pub fn signed(&mut self) -> Result<i64, CodecError> {
        let number = self.number()?;
        let magnitude = (number >> 1).cast_signed();
        Ok(if number & 1 == 0 {
            magnitude
        } else {
            !magnitude
        })
    }

    pub fn wide(&mut self) -> Result<u128, CodecError> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    pub fn small(&mut self) -> Result<u32, CodecError> {
        u32::try_from(self.number()?).map_err(|_| CodecError::Invalid("a number too large"))
    }

    /// At most `most` bytes.
    pub fn bytes(&mut self, most: usize) -> Result<&'a [u8], CodecError> {
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if len > most {
            return Err(CodecError::Invalid("a length"));
        }
        self.take(len)
    }

    /// A name that is looked up: a user or an id.
    pub fn name(&mut self) -> Result<Key<'a>, CodecError> {
        let spelling = self.spelling()?;
        Ok(self.hasher.key_of(spelling))
    }

    /// A name that is only compared: a REF.
    pub fn spelling(&mut self) -> Result<Spelling<'a>, CodecError> {
        match self.tag()? {
            ULID_MARK => Ok(Spelling::Ulid(Packed::new(self.array()?))),
            length => {
                let length = match length {
                    LENGTH_255 => NAME_BYTES_MAX,
                    length => usize::from(length),
                };
                match Spelling::of(self.take(length)?) {
                    Spelling::Ulid(_) => Err(CodecError::Invalid("a ULID that is not packed")),
                    name => Ok(name),
                }
            }
        }
    }

    /// Reads the next option: its tag, and its value by itself.
    fn tagged(&mut self) -> Result<(u8, Reader<'a>), CodecError> {
        let tag = self.tag()?;
        let value = self.bytes(usize::MAX)?;
        Ok((
            tag,
            Reader {
                bytes: value,
                ..*self
            },
        ))
    }

    /// A tag, and whether options follow what it stands for.
    pub fn tag_with_options(&mut self) -> Result<(u8, bool), CodecError> {
        let tag = self.tag()?;
        Ok((tag & !WITH_OPTIONS, tag & WITH_OPTIONS != 0))
    }

    /// Reads options. `take` reads the value of a tag it knows and returns false for any
    /// other.
    ///
    /// # Errors
    ///
    /// [`CodecError::Newer`] for an unknown tag; damage where there are none, tags do not
    /// ascend, a value does not fill its length, or is damaged itself.
    pub fn options(
        &mut self,
        mut take: impl FnMut(u8, &mut Reader<'a>) -> Result<bool, CodecError>,
    ) -> Result<(), CodecError> {
        let (count, mut last) = (self.number()?, 0);
        if count == 0 {
            return Err(CodecError::Invalid("the number of options"));
        }
        for _ in 0..count {
            let (tag, mut value) = self.tagged()?;
            if tag <= last {
                return Err(CodecError::Invalid("the order of options"));
            }
            last = tag;
            let known = take(tag, &mut value).map_err(|error| match error {
                // The option has its length: more will not come.
                CodecError::Truncated => CodecError::Invalid("an option"),
                error => error,
            })?;
            if !known {
                return Err(CodecError::Newer("an option"));
            }
            if !value.rest().is_empty() {
                return Err(CodecError::Invalid("an option"));
            }
        }
        Ok(())
    }

    pub fn option<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        if self.flag()? {
            take(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A list whose elements take at least `least` bytes each.
    pub fn list<T, L: Extend<T> + Default>(
        &mut self,
        least: usize,
        mut take: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<L, CodecError> {
        let len = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if len > self.bytes.len() / least {
            return Err(CodecError::Truncated);
        }
        let mut list = L::default();
        for _ in 0..len {
            list.extend([take(self)?]);
        }
        Ok(list)
    }

    /// Lines of a cart: each of at least one unit, no item twice, none missing.
    pub fn lines(&mut self) -> Result<Lines, CodecError> {
        let lines: Lines = self.list(2, |from| {
            Ok(Line {
                item: from.small()?,
                qty: from.number()?,
            })
        })?;
        let mut items: smallvec::SmallVec<[u32; 8]> = lines.iter().map(|line| line.item).collect();
        items.sort_unstable();
        if lines.is_empty()
            || items.windows(2).any(|pair| pair[0] == pair[1])
            || lines
                .iter()
                .any(|line| !(1..=crate::sale::units::INTEGER_MAX).contains(&line.qty))
        {
            return Err(CodecError::Invalid("the lines of a cart"));
        }
        Ok(lines)
    }
}
