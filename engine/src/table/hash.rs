//! The keyed hash of names.
//!
//! Names are chosen by strangers, and names that collide make every call about them
//! slow. So they are hashed by SipHash-1-3 under a key that nobody outside the process
//! knows: a seed is not enough, where some other constant of the hash is public.
//!
//! Edge: the key comes in as data, and nothing that is stored, replicated or compared
//! between servers depends on it. Two copies of a sale rarely have the same one.

use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

use crate::table::name::{Key, Spelling};

/// Hashes names, always the same way within one process.
#[derive(Clone, Copy)]
pub struct Hasher {
    key: [u64; 2],
    /// What pairs of numbers are multiplied by: the key, mixed. As uniform as that is, and
    /// of use also where a test's key is a small number.
    factor: [u64; 2],
}

/// Mixes the bits of a number, one to one: the finalizer of SplitMix64 (Steele, Lea and
/// Flood, 2014).
const fn mixed(number: u64) -> u64 {
    let number = number ^ 0x9E37_79B9_7F4A_7C15;
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Kinds of names of sixteen bytes or less, beside the lengths of those that are hashed as
/// they are spelled.
const ULID: u64 = 32;
const UUID: u64 = 33;

/// A name of sixteen bytes or less as two words: with its length, no two names have the
/// same ones. `None` for longer names.
#[inline]
fn short_words(name: &[u8]) -> Option<[u64; 2]> {
    // Ends that overlap instead of a copy of this length.
    if let (Some(&first), Some(&last)) = (name.first_chunk(), name.last_chunk()) {
        let words = [u64::from_le_bytes(first), u64::from_le_bytes(last)];
        return (name.len() <= 16).then_some(words);
    }
    if let (Some(&first), Some(&last)) = (name.first_chunk(), name.last_chunk()) {
        let words = [u32::from_le_bytes(first), u32::from_le_bytes(last)];
        return Some(words.map(u64::from));
    }
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |word, &byte| word << 8 | u64::from(byte))
    };
    Some([word(name), 0])
}

/// The state of SipHash (Aumasson and Bernstein, 2012).
struct State([u64; 4]);

impl State {
    #[inline]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32).wrapping_add(d);
        c = c.wrapping_add(b);
        d = d.rotate_left(21) ^ a;
        b = b.rotate_left(17) ^ c;
        self.0 = [a, b, c.rotate_left(32), d];
    }
}

impl Hasher {
    pub const fn new(key: [u64; 2]) -> Hasher {
        let [first, second] = key;
        Hasher {
            key,
            factor: [mixed(first), mixed(second)],
        }
    }

    /// Looks at the spelling of a name and hashes it: once for all look-ups of a command.
    #[inline]
    pub fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        self.key_of(Spelling::of(name))
    }

    /// The same for a name whose spelling is known.
    #[inline]
    pub fn key_of<'a>(&self, spelling: Spelling<'a>) -> Key<'a> {
        Key::new(spelling, self.hash(spelling))
    }

    pub fn hash(&self, name: Spelling<'_>) -> u64 {
        let (words, kind) = match name {
            Spelling::Ulid(packed) => (packed.words(), ULID),
            Spelling::Uuid(packed) => (packed.words(), UUID),
            Spelling::Bytes(bytes) => match short_words(bytes) {
                Some(words) => (words, bytes.len() as u64),
                None => return self.hash_bytes(bytes),
            },
        };
        self.hash_words(words, kind)
    }

    pub fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        self.build_hasher().hash(bytes)
    }

    /// SipHash-1-3 of sixteen bytes, with a number in the place of their length.
    #[inline]
    fn hash_words(&self, [first, second]: [u64; 2], kind: u64) -> u64 {
        let [low, high] = self.key;
        let mut state = State([
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ]);
        for word in [first, second, kind << 56] {
            state.0[3] ^= word;
            state.round();
            state.0[0] ^= word;
        }
        state.0[2] ^= 0xff;
        state.round();
        state.round();
        state.round();
        let [a, b, c, d] = state.0;
        a ^ b ^ c ^ d
    }

    /// The hash of two numbers that the sale gave out itself: multiply-shift by a secret
    /// (Dietzfelbinger, 1996), where any two pairs collide as rarely as two random numbers.
    /// A stranger can choose among the pairs there are, but not the numbers.
    pub fn hash_pair(&self, first: u32, second: u32) -> u64 {
        let pair = u64::from(first) << 32 | u64::from(second);
        let [low, high] = self.factor.map(u128::from);
        ((high << 64 | low).wrapping_mul(u128::from(pair)) >> 64) as u64
    }
}

/// For the standard library's tables, which draw a key of their own else.
impl BuildHasher for Hasher {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        let [first, second] = self.key;
        SipHasher13::new_with_keys(first, second)
    }
}

/// What the unit tests hash with.
#[cfg(test)]
pub const HASHER: Hasher = Hasher::new([1, 2]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_the_key_and_on_nothing_else() {
        let names: [&[u8]; 3] = [
            b"alice",
            b"01ARZ3NDEKTSV4RRFFQ69G5FAV",
            b"f47ac10b-58cc-4372-a567-0e02b2c3d479",
        ];
        for name in names {
            let hash = |key| Hasher::new(key).key(name).hash();
            assert_eq!(hash([1, 2]), hash([1, 2]));
            assert_ne!(hash([1, 2]), hash([1, 3]));
            assert_ne!(hash([1, 2]), hash([2, 2]));
        }
    }

    #[test]
    fn is_siphash_1_3() {
        // The first vector of the reference implementation.
        let key = 0x0706_0504_0302_0100_u64;
        let hasher = Hasher::new([key, key + 0x0808_0808_0808_0808]);
        assert_eq!(hasher.hash_bytes(b""), 0xabac_0158_050f_c4dc);
        let name = *b"sixteen letters.";
        assert_eq!(hasher.hash(Spelling::of(&name)), hasher.hash_bytes(&name));
    }

    #[test]
    fn short_names_have_words_of_their_own() {
        let mut seen = std::collections::BTreeMap::new();
        for length in 0..=16 {
            for at in 0..length {
                for letter in [0, 1, b'x'] {
                    let mut name = vec![b'x'; length];
                    name[at] = letter;
                    let words = short_words(&name).expect("a short name");
                    let same = seen.entry((length, words)).or_insert(name.clone());
                    assert_eq!(*same, name);
                }
            }
        }
        assert_eq!(short_words(&[b'x'; 17]), None);
    }
}
