//! Bytes to values, with distrust.

use super::error::CodecError;
use super::{EIGHT_BYTES, FOUR_BYTES, LENGTH_255, TWO_BYTES, ULID_MARK, WITH_OPTIONS};
use crate::table::hash::Hasher;
use crate::table::name::{Key, NAME_BYTES_MAX, Packed, Spelling};

/// Takes values from the front of a slice.
#[derive(Clone, Copy)]
pub struct Reader<'a, H = ()> {
    bytes: &'a [u8],
    hasher: H,
}

/// A reader of bytes with names that will be looked up.
pub type NameReader<'a> = Reader<'a, Hasher>;

impl<'a> NameReader<'a> {
    /// Reads a name that is looked up: a user or an id.
    pub fn name(&mut self) -> Result<Key<'a>, CodecError> {
        let spelling = self.spelling()?;
        Ok(self.hasher.key_of(spelling))
    }
}

impl<'a, H: Copy> Reader<'a, H> {
    /// `hasher` hashes the names that will be looked up, where there are any.
    pub fn new(bytes: &'a [u8], hasher: H) -> Reader<'a, H> {
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

    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
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

    /// A number of full width: four bytes, little endian.
    pub fn full_u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A number of full width: eight bytes, little endian.
    pub fn full_u64(&mut self) -> Result<u64, CodecError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// All that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Is this all? Else an error that says what there is more of.
    pub fn end(&self, or: &'static str) -> Result<(), CodecError> {
        match self.bytes {
            [] => Ok(()),
            _ => Err(CodecError::Invalid(or)),
        }
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
    fn tagged(&mut self) -> Result<(u8, Reader<'a, H>), CodecError> {
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
        mut take: impl FnMut(u8, &mut Reader<'a, H>) -> Result<bool, CodecError>,
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
}
