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

    #[inline]
    pub fn hash(&self, name: Spelling<'_>) -> u64 {
        match name {
            Spelling::Ulid(packed) | Spelling::Uuid(packed) => self.hash_words(packed.words()),
            Spelling::Bytes(bytes) => self.hash_bytes(bytes),
        }
    }

    pub fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        self.build_hasher().hash(bytes)
    }

    #[inline]
    fn hash_words(&self, [high, low]: [u64; 2]) -> u64 {
        let number = u128::from(high) << 64 | u128::from(low);
        self.hash_bytes(&number.to_le_bytes())
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
    }
}
