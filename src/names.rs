//! The key under which this process hashes names.
//!
//! It is drawn at random when the module is loaded and never leaves the process: nobody
//! who chooses names can choose ones that collide.

use std::sync::LazyLock;

use flashsale_engine::sale::{Hasher, Key, Spelling};

static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::new(rand::random()));

/// Draws the key now, not in the first command.
pub fn draw_key() {
    LazyLock::force(&HASHER);
}

/// What every sale of this process hashes its names with.
pub fn hasher() -> Hasher {
    *HASHER
}

/// A name that will be looked up.
#[inline]
pub fn key(name: &[u8]) -> Key<'_> {
    HASHER.key(name)
}

/// The same for the canonical spelling of a ULID.
pub fn key_of_ulid(ulid: u128) -> Key<'static> {
    HASHER.key_of(Spelling::of_ulid(ulid))
}
