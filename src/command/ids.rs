//! Ids made by the server: ULIDs with 80 fresh random bits each.
//!
//! Never the "monotonic" kind, which counts up within a millisecond: whoever got one
//! id could guess its neighbours, and an id is all it takes to check out.

use ulid::{ULID_LEN, Ulid};

use crate::names;
use flashsale_engine::sale::Key;

/// A new id.
pub fn fresh(now_ms: u64) -> Ulid {
    Ulid::from_parts(now_ms, rand::random())
}

/// Makes a new id for a request that came without one, and returns it as it is spelled out in
/// `buffer`, with its key.
pub fn spelled(now_ms: u64, buffer: &mut [u8; ULID_LEN]) -> (&[u8], Key<'static>) {
    let id = fresh(now_ms);
    let key = names::key_of_ulid(id.0);
    (id.array_to_str(buffer).as_bytes(), key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_the_moment_and_nothing_else() {
        let (one, other) = (fresh(1_700_000_000_000), fresh(1_700_000_000_000));
        assert_eq!(one.timestamp_ms(), other.timestamp_ms());
        assert!(one.random().abs_diff(other.random()) > u128::from(u32::MAX));
    }
}
