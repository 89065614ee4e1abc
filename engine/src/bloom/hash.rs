//! The hash of items: part of the format.
//!
//! XXH3 with 64 bits and no seed (Yann Collet's xxHash 0.8, whose values are promised to
//! stay). Dumps, replicas and RDB files hold bits that were set by it, so it can never
//! change; the vectors below say so.
//!
//! Edge: hashes. Which bits come of it, `filter.rs` knows.

use xxhash_rust::xxh3::xxh3_64;

/// The hash of an item of any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemHash(pub u64);

impl ItemHash {
    pub fn of(item: &[u8]) -> ItemHash {
        ItemHash(xxh3_64(item))
    }

    /// Returns another hash of the same item, which says nothing about the first: the finalizer of
    /// SplitMix64 (David Stafford's thirteenth mix), which maps no two hashes to one.
    pub fn again(self) -> ItemHash {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ItemHash(hash ^ (hash >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_published_xxh3() {
        // From the reference implementation, for every path by length: 0, 1 to 3, 4 to 8,
        // 9 to 16, 17 to 128, 129 to 240 and more.
        let long: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        for (item, hash) in [
            (&b""[..], 0x2d06_8005_38d3_94c2),
            (b"a", 0xe6c6_32b6_1e96_4e1f),
            (b"abc", 0x78af_5f94_892f_3950),
            (b"user:1", 0x3b57_7afd_7fed_9501),
            (b"user:1000000", 0x9b0d_96d9_1449_f8a0),
            (&long[..100], 0x004e_4f92_1a64_bd1c),
            (&long[..200], 0xf42a_8864_feaf_0703),
            (&long, 0xd33d_d80b_46f6_0e50),
        ] {
            assert_eq!(ItemHash::of(item).0, hash, "{} bytes", item.len());
        }
    }

    #[test]
    fn second_hashes_are_those_of_splitmix64() {
        // The first outputs of the published generator, seeded with 1234567: it mixes
        // multiples of the golden ratio.
        let mut state = 1_234_567_u64;
        for expected in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ] {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            assert_eq!(ItemHash(state).again().0, expected);
        }
    }
}
