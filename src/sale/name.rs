//! Names - users, ids, REFs - as the tables keep and compare them.
//!
//! Edge: bytes only; nothing here knows what a name is for. A ULID in its canonical
//! 26-character spelling is kept as 16 bytes, short names inline, and only long ones
//! cost an allocation.

use ulid::{ULID_LEN, Ulid};

/// Longest name kept without an allocation, in bytes.
const INLINE_BYTES_MAX: usize = 22;

/// A name as it is looked up: worked out once, then hashed and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// The name is the canonical spelling of this ULID.
    Ulid([u8; 16]),
    Bytes(&'a [u8]),
}

impl<'a> Key<'a> {
    /// Looks at the spelling of a name.
    ///
    /// Only a spelling that is given back unchanged counts as a ULID: lower case, or
    /// a first character that overflows, stays plain bytes.
    pub fn of(name: &'a [u8]) -> Key<'a> {
        if name.len() != ULID_LEN {
            return Key::Bytes(name);
        }
        let Ok(text) = std::str::from_utf8(name) else {
            return Key::Bytes(name);
        };
        match Ulid::from_string(text) {
            Ok(ulid) if ulid.array_to_str(&mut [0; ULID_LEN]).as_bytes() == name => {
                Key::Ulid(ulid.to_bytes())
            }
            _ => Key::Bytes(name),
        }
    }

    /// The name as the client spelled it; `buffer` is used when it is packed.
    pub fn bytes(self, buffer: &'a mut NameBuffer) -> &'a [u8] {
        match self {
            Key::Ulid(bytes) => Ulid::from_bytes(bytes).array_to_str(buffer).as_bytes(),
            Key::Bytes(bytes) => bytes,
        }
    }

    /// The bytes that stand for this name in a hash.
    pub fn hashed_bytes(&self) -> &[u8] {
        match self {
            Key::Ulid(bytes) => bytes,
            Key::Bytes(bytes) => bytes,
        }
    }
}

/// A name kept in a table, 24 bytes and usually nothing more.
#[derive(Clone, Debug)]
pub enum Name {
    Ulid([u8; 16]),
    Inline {
        len: u8,
        bytes: [u8; INLINE_BYTES_MAX],
    },
    Long(Box<[u8]>),
}

/// Room to spell out any packed name.
pub type NameBuffer = [u8; ULID_LEN];

impl Name {
    pub fn new(key: Key<'_>) -> Name {
        match key {
            Key::Ulid(bytes) => Name::Ulid(bytes),
            Key::Bytes(name) if name.len() <= INLINE_BYTES_MAX => {
                let mut bytes = [0; INLINE_BYTES_MAX];
                bytes[..name.len()].copy_from_slice(name);
                Name::Inline {
                    len: name.len() as u8,
                    bytes,
                }
            }
            Key::Bytes(name) => Name::Long(name.into()),
        }
    }

    pub fn key(&self) -> Key<'_> {
        match self {
            Name::Ulid(bytes) => Key::Ulid(*bytes),
            Name::Inline { len, bytes } => Key::Bytes(&bytes[..usize::from(*len)]),
            Name::Long(bytes) => Key::Bytes(bytes),
        }
    }

    /// The name as the client spelled it; `buffer` is used when it is packed.
    pub fn bytes<'a>(&'a self, buffer: &'a mut NameBuffer) -> &'a [u8] {
        self.key().bytes(buffer)
    }

    /// Is this the name `bytes`?
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.key() == Key::of(bytes)
    }

    /// Heap bytes beside the value itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Name::Long(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(name: &[u8]) -> Name {
        let kept = Name::new(Key::of(name));
        assert_eq!(kept.bytes(&mut [0; ULID_LEN]), name);
        assert!(kept.is(name));
        kept
    }

    #[test]
    fn gives_every_spelling_back_unchanged() {
        for length in 1..=128 {
            round_trip(&vec![0xff; length]);
            round_trip(&vec![b'0'; length]);
        }
        assert!(matches!(
            round_trip(b"01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            Name::Ulid(_)
        ));
        for odd in [
            &b"01arz3ndektsv4rrffq69g5fav"[..],
            b"81ARZ3NDEKTSV4RRFFQ69G5FAV",
            b"01ARZ3NDEKTSV4RRFFQ69G5FIL",
            b"ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        ] {
            assert!(matches!(round_trip(odd), Name::Long(_)));
        }
    }

    #[test]
    fn different_spellings_are_different_names() {
        let upper = Name::new(Key::of(b"01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        assert!(!upper.is(b"01arz3ndektsv4rrffq69g5fav"));
        assert!(!upper.is(b"01ARZ3NDEKTSV4RRFFQ69G5FAW"));
    }

    #[test]
    fn stays_small() {
        assert_eq!(std::mem::size_of::<Name>(), 24);
    }
}
