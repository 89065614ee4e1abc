//! Names - users, ids, REFs - as they are looked up, kept and compared.
//!
//! Edge: bytes only; nothing here knows what a name is for. A ULID or a UUID in its
//! canonical spelling is kept as 16 bytes, short names inline, and only long ones cost
//! an allocation.

use std::fmt;
use std::num::NonZeroU8;

use ulid::{ULID_LEN, Ulid};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::table::slab::{NONE, Slab, SlotNumber};

/// Longest user, id or REF, in bytes: what payment providers and OIDC reserve for theirs.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest name kept in a table without an allocation, in bytes.
const INLINE_BYTES_MAX: usize = 16;

/// Not a letter of a ULID: a bit above the thirty of six letters, and below what five
/// more letters move out of sight.
const NO_LETTER: u64 = 1 << 32;

/// The value of each letter of a canonical ULID, or [`NO_LETTER`]. As wide as what the
/// values are put together in.
const ULID_VALUES: [u64; 256] = {
    let mut values = [NO_LETTER; 256];
    let letters = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut value = 0;
    while value < letters.len() {
        values[letters[value] as usize] = value as u64;
        value += 1;
    }
    values
};

/// A name as it is compared and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling<'a> {
    /// The name is the canonical spelling of this ULID.
    Ulid(Packed),
    /// The name is the canonical spelling of this UUID: lower case, with hyphens.
    Uuid(Packed),
    Bytes(&'a [u8]),
}

/// A name as it is looked up: its spelling, the hash it is found by, and where it may be. A
/// [`Hasher`](super::hash::Hasher) makes one, once in a command, and finds nothing for a key
/// of another's making.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    spelling: Spelling<'a>,
    hash: u64,
    /// Where a look-up looks first, [`NONE`] for nowhere. Only a hint: the name there is
    /// compared, and where it is another one the look-up goes by the hash.
    likely: SlotNumber,
    /// When that was seen to be right; 0 where it was not. For nowhere, after so many
    /// insertions of hashes like this, see
    /// [`Index::insertions`](super::index::Index::insertions). For a slot, after so many
    /// removals from its table.
    seen_after: u32,
}

/// The sixteen bytes of a packed name, as two numbers. An array of bytes behind the tag
/// of a [`Spelling`] is copied in pieces that overlap, and a processor that reads such a copy
/// back waits for it to reach its cache - and so for every fetch from memory before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed([u64; 2]);

impl Packed {
    #[inline]
    pub fn new(bytes: [u8; 16]) -> Packed {
        Packed::of_number(u128::from_be_bytes(bytes))
    }

    #[inline]
    fn of_number(number: u128) -> Packed {
        Packed([(number >> 64) as u64, number as u64])
    }

    #[inline]
    fn number(self) -> u128 {
        let [high, low] = self.0;
        u128::from(high) << 64 | u128::from(low)
    }

    /// As they are written, the first one first.
    #[inline]
    pub fn bytes(self) -> [u8; 16] {
        self.number().to_be_bytes()
    }

    /// The two halves.
    #[inline]
    pub fn words(self) -> [u64; 2] {
        self.0
    }
}

impl<'a> Key<'a> {
    #[inline]
    pub(crate) fn new(spelling: Spelling<'a>, hash: u64) -> Key<'a> {
        Key {
            spelling,
            hash,
            likely: NONE,
            seen_after: 0,
        }
    }

    /// Notes that the name is to be looked for at this slot first.
    #[inline]
    pub(crate) fn note_likely(&mut self, slot: SlotNumber) {
        self.likely = slot;
        self.seen_after = 0;
    }

    /// Notes that the name is at this slot, after so many removals from its table.
    #[inline]
    pub(crate) fn note_found(&mut self, slot: SlotNumber, removals: u32) {
        self.likely = slot;
        self.seen_after = removals;
    }

    /// Is the name known to be at the slot where it is looked for first, after so many
    /// removals? Of a slot with something in it.
    #[inline]
    pub(crate) fn is_found(self, removals: u32) -> bool {
        self.seen_after == removals
    }

    /// Where to look first.
    #[inline]
    pub(crate) fn likely(self) -> SlotNumber {
        self.likely
    }

    /// Notes that the name is not in its table, after so many insertions.
    #[inline]
    pub(crate) fn note_absent(&mut self, insertions: u32) {
        self.likely = NONE;
        self.seen_after = insertions;
    }

    /// Is the name known not to be in its table, after so many insertions?
    #[inline]
    pub(crate) fn is_absent(self, insertions: u32) -> bool {
        self.likely == NONE && self.seen_after == insertions
    }

    #[inline]
    pub fn spelling(self) -> Spelling<'a> {
        self.spelling
    }

    #[inline]
    pub(crate) fn hash(self) -> u64 {
        self.hash
    }

    /// The name as the client spelled it; `buffer` is used when it is packed.
    pub fn bytes(self, buffer: &'a mut NameBuffer) -> &'a [u8] {
        self.spelling.bytes(buffer)
    }
}

/// Keys are equal when they spell one name, whoever hashed it.
impl PartialEq for Key<'_> {
    fn eq(&self, other: &Key<'_>) -> bool {
        self.spelling == other.spelling
    }
}

impl Eq for Key<'_> {}

/// Shows the name alone: hashes are nobody's business.
impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spelling.fmt(f)
    }
}

impl<'a> From<Key<'a>> for Spelling<'a> {
    fn from(key: Key<'a>) -> Spelling<'a> {
        key.spelling
    }
}

impl<'a> Spelling<'a> {
    /// Looks at the spelling of a name.
    ///
    /// Only a spelling that is given back unchanged is packed: a ULID in lower case or
    /// with a first character that overflows, a UUID in upper case, stay plain bytes.
    #[inline]
    pub fn of(name: &'a [u8]) -> Spelling<'a> {
        let packed = if let Ok(letters) = name.try_into() {
            Spelling::read_ulid(letters)
        } else if name.len() == Hyphenated::LENGTH {
            Spelling::read_uuid(name)
        } else {
            None
        };
        packed.unwrap_or(Spelling::Bytes(name))
    }

    /// The canonical spelling of a ULID.
    pub fn of_ulid(ulid: u128) -> Spelling<'static> {
        Spelling::Ulid(Packed::of_number(ulid))
    }

    /// Reads the 26 letters itself: the crate takes other spellings too, so that its
    /// answer had to be spelled again and compared, which took longer than all the rest
    /// of a refusal.
    fn read_ulid(letters: &[u8; ULID_LEN]) -> Option<Spelling<'static>> {
        let put_together = |number: u64, letter: &u8| number << 5 | ULID_VALUES[*letter as usize];
        let [a, b, c, d, e] = [0..2, 2..8, 8..14, 14..20, 20..ULID_LEN]
            .map(|part| letters[part].iter().fold(0, put_together));
        // 26 letters have two bits more than a ULID.
        let fits = letters[0] <= b'7';
        let (middle, low) = (b << 30 | c, d << 30 | e);
        let words = [a << 56 | middle >> 4, middle << 60 | low];
        (fits && a | b | c | d | e < NO_LETTER).then_some(Spelling::Ulid(Packed(words)))
    }

    fn read_uuid(name: &[u8]) -> Option<Spelling<'static>> {
        let uuid = Uuid::try_parse_ascii(name).ok()?;
        let mut buffer = [0; Hyphenated::LENGTH];
        let is_canonical = uuid.hyphenated().encode_lower(&mut buffer).as_bytes() == name;
        is_canonical.then(|| Spelling::Uuid(Packed::new(uuid.into_bytes())))
    }

    /// The name as the client spelled it; `buffer` is used when it is packed.
    pub fn bytes(self, buffer: &'a mut NameBuffer) -> &'a [u8] {
        match self {
            Spelling::Ulid(packed) => {
                let spelled = buffer.0.first_chunk_mut::<ULID_LEN>();
                spelled.map_or(&[], |to| Ulid(packed.number()).array_to_str(to).as_bytes())
            }
            Spelling::Uuid(packed) => {
                let uuid = Hyphenated::from_uuid(Uuid::from_u128(packed.number()));
                uuid.encode_lower(&mut buffer.0).as_bytes()
            }
            Spelling::Bytes(bytes) => bytes,
        }
    }
}

/// Room to spell out any packed name.
pub struct NameBuffer([u8; Hyphenated::LENGTH]);

impl Default for NameBuffer {
    fn default() -> NameBuffer {
        NameBuffer([0; Hyphenated::LENGTH])
    }
}

/// A name kept by itself: a REF.
#[derive(Clone, Debug)]
pub struct Name(Box<[u8]>);

impl Name {
    pub fn new(spelling: Spelling<'_>) -> Name {
        Name(spelling.bytes(&mut NameBuffer::default()).into())
    }

    pub fn spelling(&self) -> Spelling<'_> {
        Spelling::of(&self.0)
    }

    /// The name as the client spelled it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Heap bytes beside the value itself.
    pub fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

/// What the bytes of a [`PackedName`] are, where they are not the name itself.
const ULID: u8 = 254;
const UUID: u8 = 253;
const LONG: u8 = 252;

/// A name kept in a table: 17 bytes, and usually nothing more.
#[derive(Clone, Copy)]
pub struct PackedName {
    /// One more than the length of the name, or what the bytes are instead. Never 0, so
    /// that a free place of a slab costs no byte of its own.
    kind: NonZeroU8,
    bytes: [u8; 16],
}

/// The names of a table: packed ones are read, long ones are kept.
pub struct Names {
    long: Slab<Box<[u8]>>,
    long_bytes: usize,
}

impl Names {
    pub fn new() -> Names {
        Names {
            long: Slab::new(),
            long_bytes: 0,
        }
    }

    /// Keeps a name until it is removed.
    #[inline(always)]
    pub fn pack(&mut self, spelling: Spelling<'_>) -> PackedName {
        let (kind, bytes) = match spelling {
            Spelling::Ulid(packed) => (ULID, packed.bytes()),
            Spelling::Uuid(packed) => (UUID, packed.bytes()),
            Spelling::Bytes(name) => match short(name) {
                Some(bytes) => (name.len() as u8 + 1, bytes),
                None => {
                    self.long_bytes += name.len();
                    let slot = self.long.insert(name.into());
                    (LONG, u128::from(slot).to_le_bytes())
                }
            },
        };
        let kind = NonZeroU8::new(kind).unwrap_or(NonZeroU8::MIN);
        PackedName { kind, bytes }
    }

    #[inline]
    pub fn spelling<'a>(&'a self, name: &'a PackedName) -> Spelling<'a> {
        match name.kind.get() {
            ULID => Spelling::Ulid(Packed::new(name.bytes)),
            UUID => Spelling::Uuid(Packed::new(name.bytes)),
            LONG => Spelling::Bytes(self.long.get(name.slot()).map_or(&[], |long| long)),
            more => {
                let len = usize::from(more - 1);
                Spelling::Bytes(name.bytes.get(..len).unwrap_or_default())
            }
        }
    }

    /// Is this kept name the one that is looked up?
    #[inline(always)]
    pub fn is(&self, name: &PackedName, spelling: Spelling<'_>) -> bool {
        match (name.kind.get(), spelling) {
            (ULID, Spelling::Ulid(packed)) | (UUID, Spelling::Uuid(packed)) => {
                name.bytes == packed.bytes()
            }
            (LONG, Spelling::Bytes(bytes)) => self
                .long
                .get(name.slot())
                .is_some_and(|long| **long == *bytes),
            // Of a packed name the kind is above that of every short one.
            (kind, Spelling::Bytes(bytes)) => {
                usize::from(kind - 1) == bytes.len() && begins_with(&name.bytes, bytes)
            }
            _ => false,
        }
    }

    /// A name is kept no longer.
    pub fn remove(&mut self, name: PackedName) {
        if name.kind.get() == LONG
            && let Some(long) = self.long.remove(name.slot())
        {
            self.long_bytes -= long.len();
        }
    }

    /// Heap bytes of the long names.
    pub fn heap_bytes(&self) -> usize {
        self.long.heap_bytes() + self.long_bytes
    }
}

impl PackedName {
    /// Where a long name is kept.
    fn slot(&self) -> SlotNumber {
        u128::from_le_bytes(self.bytes) as SlotNumber
    }
}

/// Reports whether these bytes begin with a name: without a call for the names that are as
/// long as most are.
#[inline(always)]
fn begins_with(kept: &[u8; INLINE_BYTES_MAX], name: &[u8]) -> bool {
    // Both ends, which overlap.
    if let (Some(&first), Some(&last)) = (name.first_chunk(), name.last_chunk::<8>()) {
        let kept_last = kept.get(..name.len()).and_then(<[u8]>::last_chunk::<8>);
        return kept.first_chunk::<8>() == Some(&first) && kept_last == Some(&last);
    }
    kept.starts_with(name)
}

/// A name in 16 bytes, if it fits.
fn short(name: &[u8]) -> Option<[u8; INLINE_BYTES_MAX]> {
    let mut bytes = [0; INLINE_BYTES_MAX];
    bytes.get_mut(..name.len())?.copy_from_slice(name);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps a name, gives it back unchanged, and says what it cost beside the table.
    fn round_trip(name: &[u8]) -> usize {
        let mut names = Names::new();
        let kept = names.pack(Spelling::of(name));
        let spelling = names.spelling(&kept);
        assert_eq!(spelling.bytes(&mut NameBuffer::default()), name);
        assert!(names.is(&kept, Spelling::of(name)));
        let cost = names.heap_bytes();
        assert_eq!(Name::new(Spelling::of(name)).bytes(), name);
        assert_eq!(Name::new(Spelling::of(name)).spelling(), Spelling::of(name));
        names.remove(kept);
        assert_eq!((names.long.len(), names.long_bytes), (0, 0));
        cost
    }

    #[test]
    fn gives_every_spelling_back_unchanged() {
        for length in 1..=128 {
            for byte in [0xff, b'0', b'-'] {
                let cost = round_trip(&vec![byte; length]);
                let is_ulid = length == ULID_LEN && byte == b'0';
                assert_eq!(cost == 0, length <= 16 || is_ulid, "{length} of {byte}");
            }
        }
        for packed in [
            &b"01ARZ3NDEKTSV4RRFFQ69G5FAV"[..],
            b"f47ac10b-58cc-4372-a567-0e02b2c3d479",
            b"00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(round_trip(packed), 0);
        }
        for odd in [
            &b"01arz3ndektsv4rrffq69g5fav"[..],
            b"81ARZ3NDEKTSV4RRFFQ69G5FAV",
            b"01ARZ3NDEKTSV4RRFFQ69G5FIL",
            b"ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
            b"F47AC10B-58CC-4372-A567-0E02B2C3D479",
            b"f47ac10b-58cc-4372-a567-0e02b2c3d47g",
            b"f47ac10b058cc04372-a567-0e02b2c3d479",
            b"f47ac10b58cc4372a5670e02b2c3d479",
        ] {
            assert!(round_trip(odd) > 0);
        }
    }

    #[test]
    fn reads_ulids_as_the_crate_does_where_they_are_canonical() {
        let mut spelled = *b"01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for at in [0, 1, 13, 25] {
            for letter in 0..=255 {
                spelled[at] = letter;
                let parsed = std::str::from_utf8(&spelled)
                    .ok()
                    .and_then(|text| Ulid::from_string(text).ok())
                    .filter(|ulid| ulid.array_to_str(&mut [0; ULID_LEN]).as_bytes() == spelled);
                let expected = parsed.map_or(Spelling::Bytes(&spelled), |ulid| {
                    Spelling::Ulid(Packed::new(ulid.to_bytes()))
                });
                assert_eq!(Spelling::of(&spelled), expected);
            }
            spelled[at] = b'7';
        }
    }

    #[test]
    fn different_spellings_are_different_names() {
        let mut names = Names::new();
        let upper = names.pack(Spelling::of(b"01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        assert!(!names.is(&upper, Spelling::of(b"01arz3ndektsv4rrffq69g5fav")));
        assert!(!names.is(&upper, Spelling::of(b"01ARZ3NDEKTSV4RRFFQ69G5FAW")));
        // The same 16 bytes, as a ULID and as a UUID.
        let sixteen = Packed::new([7; 16]);
        let (ulid, uuid) = (Spelling::Ulid(sixteen), Spelling::Uuid(sixteen));
        let packed = names.pack(ulid);
        assert!(names.is(&packed, ulid) && !names.is(&packed, uuid));
        let zeros = names.pack(Spelling::of(b"a"));
        assert!(!names.is(&zeros, Spelling::of(b"a\0")));
    }

    #[test]
    fn stays_small() {
        assert_eq!(size_of::<PackedName>(), 17);
        assert_eq!(size_of::<Option<PackedName>>(), 17);
    }
}
