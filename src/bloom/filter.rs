//! One filter: blocks of bits, and how many items were added.
//!
//! The upper half of a hash's product with the number of blocks says which block; the
//! bits within come from two or three multiplications of the hash, nine bits a probe.
//! Block and bits together are the format: they can never change.
//!
//! Edge: decides nothing about growth; that is `chain.rs`.
//!
//! # Invariants
//!
//! 1. All bits of an item are in one block, and blocks start at a multiple of 64 bytes.
//! 2. A bit is never cleared but by replacing the filter.

use super::hash::ItemHash;
use super::params::{BLOCK_BITS, Shape};

/// Words of a block.
const BLOCK_WORDS: usize = (BLOCK_BITS / 64) as usize;
/// Bits of a hash one probe takes: a place in a block.
const PROBE_BITS: u32 = BLOCK_BITS.trailing_zeros();
/// Probes a 64-bit word yields.
const PROBES_OF_A_WORD: u32 = 64 / PROBE_BITS;
/// An odd number with a random look; its multiples spread a hash upwards (the golden
/// ratio, as Knuth's multiplicative hashing has it).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bits of one block that an item sets.
type Mask = [u64; BLOCK_WORDS];

/// A Bloom filter of fixed size.
pub struct Filter {
    shape: Shape,
    items: u64,
    /// The blocks, after as many unused words as it takes to align them: the allocator
    /// of the server promises no more than 16 bytes.
    words: Vec<u64>,
    start: usize,
}

impl Filter {
    /// An empty filter.
    pub fn new(shape: Shape) -> Filter {
        let used = shape.blocks as usize * BLOCK_WORDS;
        let words = vec![0_u64; used + BLOCK_WORDS - 1];
        let start = start_of(&words);
        Filter { shape, items: 0, words, start }
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Items added so far.
    pub fn items(&self) -> u64 {
        self.items
    }

    pub fn set_items(&mut self, items: u64) {
        self.items = items;
    }

    /// A filter of words that were saved: `shape.blocks` times [`BLOCK_WORDS`] of them,
    /// with room for alignment. `None` when their number is another.
    pub fn from_words(shape: Shape, items: u64, mut words: Vec<u64>) -> Option<Filter> {
        let used = usize::try_from(shape.blocks).ok()?.checked_mul(BLOCK_WORDS)?;
        if words.len() != used {
            return None;
        }
        words.resize(used + BLOCK_WORDS - 1, 0);
        let start = start_of(&words);
        words.copy_within(..used, start);
        Some(Filter { shape, items, words, start })
    }

    /// Has it as many items as its rate allows?
    pub fn is_full(&self) -> bool {
        self.items >= self.shape.capacity
    }

    fn place(&self, hash: ItemHash) -> usize {
        let block = (u128::from(hash.0) * u128::from(self.shape.blocks)) >> 64;
        self.start + block as usize * BLOCK_WORDS
    }

    fn block(&self, hash: ItemHash) -> &[u64] {
        let at = self.place(hash);
        &self.words[at..at + BLOCK_WORDS]
    }

    /// The first word of an item's block. Reading it brings the block into the cache.
    pub fn touch(&self, hash: ItemHash) -> u64 {
        self.words[self.place(hash)]
    }

    /// May this item have been added? False is certain. One cache miss.
    pub fn contains(&self, hash: ItemHash) -> bool {
        let mask = mask(hash, self.shape.probes);
        let missing = self.block(hash).iter().zip(&mask);
        missing.fold(0, |any, (word, bits)| any | (bits & !word)) == 0
    }

    /// Sets an item's bits and counts it.
    pub fn insert(&mut self, hash: ItemHash) {
        let mask = mask(hash, self.shape.probes);
        let at = self.place(hash);
        for (word, bits) in self.words[at..at + BLOCK_WORDS].iter_mut().zip(&mask) {
            *word |= bits;
        }
        self.items = self.items.saturating_add(1);
    }

    /// The bits, eight bytes a word, little endian.
    pub fn words(&self) -> &[u64] {
        &self.words[self.start..self.start + self.shape.blocks as usize * BLOCK_WORDS]
    }

    pub fn words_mut(&mut self) -> &mut [u64] {
        let used = self.shape.blocks as usize * BLOCK_WORDS;
        &mut self.words[self.start..self.start + used]
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

impl Clone for Filter {
    /// A copy has its own alignment.
    fn clone(&self) -> Filter {
        let mut copy = Filter::new(self.shape);
        copy.items = self.items;
        copy.words_mut().copy_from_slice(self.words());
        copy
    }
}

/// The first word that a cache line begins with.
fn start_of(words: &[u64]) -> usize {
    let misaligned = (words.as_ptr() as usize / size_of::<u64>()) % BLOCK_WORDS;
    (BLOCK_WORDS - misaligned) % BLOCK_WORDS
}

/// The bits of an item within its block.
fn mask(hash: ItemHash, probes: u8) -> Mask {
    let mut mask = [0; BLOCK_WORDS];
    let mut left = u32::from(probes);
    let mut spread = hash.0;
    while left > 0 {
        spread = spread.wrapping_mul(SPREAD);
        // From the top: the lower a bit of a product, the fewer bits of the hash are in it.
        let mut bits = spread;
        for _ in 0..left.min(PROBES_OF_A_WORD) {
            bits = bits.rotate_left(PROBE_BITS);
            let bit = bits as usize % BLOCK_BITS as usize;
            mask[bit / 64] |= 1 << (bit % 64);
        }
        left = left.saturating_sub(PROBES_OF_A_WORD);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(probes: u8, blocks: u64) -> Shape {
        Shape { probes, blocks, capacity: 100 }
    }

    #[test]
    fn what_was_inserted_is_contained_and_an_empty_filter_contains_nothing() {
        for probes in 1..=21 {
            let mut filter = Filter::new(shape(probes, 7));
            let hashes: Vec<ItemHash> =
                (0..50_u32).map(|item| ItemHash::of(&item.to_le_bytes())).collect();
            assert!(!hashes.iter().any(|&hash| filter.contains(hash)));
            hashes.iter().for_each(|&hash| filter.insert(hash));
            assert!(hashes.iter().all(|&hash| filter.contains(hash)));
            assert_eq!(filter.items(), 50);
            assert!(hashes.iter().all(|&hash| filter.clone().contains(hash)));
        }
    }

    #[test]
    fn every_block_and_every_bit_of_one_is_used_and_evenly() {
        let mut seen = vec![0_u32; 8 * 512];
        for item in 0..40_000_u32 {
            let mut filter = Filter::new(shape(7, 8));
            filter.insert(ItemHash::of(&item.to_le_bytes()));
            let words = filter.words();
            let touched: Vec<usize> = (0..words.len()).filter(|&at| words[at] != 0).collect();
            assert!(touched.iter().all(|at| at / BLOCK_WORDS == touched[0] / BLOCK_WORDS));
            for at in touched {
                for bit in (0..64).filter(|bit| words[at] >> bit & 1 == 1) {
                    seen[at * 64 + bit] += 1;
                }
            }
        }
        // 40,000 items times 7 probes over 4,096 bits: 68 each, give or take 6 deviations.
        assert!(seen.iter().all(|&times| (18..118).contains(&times)));
    }

    #[test]
    fn blocks_start_at_cache_lines() {
        for blocks in 1..200 {
            let filter = Filter::new(shape(3, blocks));
            assert_eq!(filter.words().as_ptr() as usize % 64, 0);
            assert_eq!(filter.words().len(), blocks as usize * 8);
        }
    }

    #[test]
    fn bits_of_an_item_are_the_formats() {
        // Held for ever: dumps and replicas have bits at these places.
        let bits = |item: &[u8], probes| -> Vec<usize> {
            let mask = mask(ItemHash::of(item), probes);
            (0..512).filter(|bit| mask[bit / 64] >> (bit % 64) & 1 == 1).collect()
        };
        assert_eq!(bits(b"user:1", 7), [126, 138, 237, 248, 322, 331, 473]);
        assert_eq!(bits(b"", 3), [104, 138, 240]);
        assert_eq!(bits(b"user:1000000", 21), [16, 144, 147, 175, 177, 191, 192, 198, 214, 216, 237, 263, 274, 349, 407, 415, 441, 443, 444, 464, 509]);
    }
}
