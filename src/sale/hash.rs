//! The seeded hash of names.
//!
//! Edge: nothing that is stored, replicated or compared between servers depends on
//! it. The seed comes from the random half of the sale's id, so that names which
//! collide in one sale cannot be worked out for the next.

use std::hash::{BuildHasher, Hasher as _};

use foldhash::quality::FixedState;

use super::name::Key;

/// Hashes names, always the same way within one sale.
#[derive(Clone)]
pub struct Hasher(FixedState);

impl Hasher {
    pub fn new(seed: u64) -> Hasher {
        Hasher(FixedState::with_seed(seed))
    }

    pub fn hash(&self, name: Key<'_>) -> u64 {
        match name {
            Key::Ulid(packed) | Key::Uuid(packed) => {
                let mut state = self.0.build_hasher();
                let [high, low] = packed.words();
                state.write_u64(high);
                state.write_u64(low);
                state.finish()
            }
            Key::Bytes(bytes) => self.hash_bytes(bytes),
        }
    }

    pub fn hash_bytes(&self, bytes: &[u8]) -> u64 {
        let mut state = self.0.build_hasher();
        state.write(bytes);
        state.finish()
    }

    /// The hash of two small numbers.
    pub fn hash_pair(&self, first: u32, second: u32) -> u64 {
        let mut state = self.0.build_hasher();
        state.write_u64(u64::from(first) << 32 | u64::from(second));
        state.finish()
    }
}
