//! One filter: blocks of bits, and how many items were added.
//!
//! The upper half of a hash's product with the number of blocks says which block; the
//! bits within come from two or three multiplications of the hash, nine bits a probe.
//! Where an item has two places, a second hash says which of the other blocks, and which
//! bits there. Blocks and bits together are the format: they can never change.
//!
//! Edge: decides nothing about growth; that is `plan.rs`.
//!
//! # Invariants
//!
//! 1. All bits of an item are in one block, or in as many as the shape has places, and
//!    blocks start at a multiple of 64 bytes.
//! 2. A bit is never cleared but by replacing the filter.

use super::hash::ItemHash;
use super::params::{BLOCK_BITS, Shape};

/// Words of a block.
pub(super) const BLOCK_WORDS: usize = (BLOCK_BITS / 64) as usize;
/// Words that are allocated so that blocks can begin at one of their multiples.
pub(super) const SPARE_WORDS: usize = BLOCK_WORDS - 1;
/// Bytes of a block.
const BLOCK_BYTES: u64 = BLOCK_BITS / 8;
/// Bits of a hash one probe takes: a place in a block.
const PROBE_BITS: u32 = BLOCK_BITS.trailing_zeros();
/// Probes a 64-bit word yields.
const PROBES_OF_A_WORD: u32 = 64 / PROBE_BITS;
/// An odd number with a random look; its multiples spread a hash upwards (the golden
/// ratio, as Knuth's multiplicative hashing has it).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bits of one block that an item sets.
type Mask = [u64; BLOCK_WORDS];

/// Memory for filters that are to be made together, taken to find out whether there is as
/// much, and given back when the trial is dropped: zeroed memory, of which filters are made,
/// cannot be refused. Filters that are tried one by one may each fit, and not all of them.
#[derive(Default)]
pub struct MemoryTrial {
    pub(super) taken: Vec<Vec<u64>>,
}

impl MemoryTrial {
    /// Takes the memory of one more filter; false when there is none left.
    pub fn take(&mut self, shape: Shape) -> bool {
        let mut words = Vec::new();
        let fits = words.try_reserve_exact(allocated_words(shape)).is_ok();
        if fits {
            self.taken.push(words);
        }
        fits
    }

    /// Takes the memory of several more; false when there is too little for all of them.
    pub fn take_all(&mut self, mut shapes: impl Iterator<Item = Shape>) -> bool {
        shapes.all(|shape| self.take(shape))
    }
}

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
    /// Reports whether there is memory for a filter of this shape; see `MemoryTrial`.
    pub fn fits_memory(shape: Shape) -> bool {
        MemoryTrial::default().take(shape)
    }

    /// An empty filter, for which there has to be memory.
    pub fn new(shape: Shape) -> Filter {
        let words = vec![0_u64; allocated_words(shape)];
        let start = start_of(&words);
        Filter {
            shape,
            items: 0,
            words,
            start,
        }
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

    /// A filter of the words of its blocks, which have been loaded; with room for the
    /// few that align them, or they are moved. `None` when their number is another.
    pub fn from_words(shape: Shape, items: u64, mut words: Vec<u64>) -> Option<Filter> {
        let used = words.len();
        if used != used_words(shape) {
            return None;
        }
        words.resize(allocated_words(shape), 0);
        let start = start_of(&words);
        words.copy_within(..used, start);
        Some(Filter {
            shape,
            items,
            words,
            start,
        })
    }

    /// Has it as many items as its rate allows?
    pub fn is_full(&self) -> bool {
        self.items >= self.shape.capacity
    }

    /// The first word of an item's first block.
    fn place(&self, hash: ItemHash) -> usize {
        self.start_of_block(share_of(hash, self.shape.blocks))
    }

    /// The first word of an item's second block, and the hash its bits there come of.
    /// It is another block than the first where there is another: two places in one
    /// would err together.
    fn second_place(&self, hash: ItemHash) -> (usize, ItemHash) {
        let blocks = self.shape.blocks;
        let again = hash.again();
        let step = 1 + share_of(again, blocks.saturating_sub(1));
        let block = share_of(hash, blocks) + step;
        let block = block.checked_sub(blocks).unwrap_or(block);
        (self.start_of_block(block), again)
    }

    fn start_of_block(&self, block: u64) -> usize {
        self.start + block as usize * BLOCK_WORDS
    }

    /// Has every item a second block?
    pub fn has_two_places(&self) -> bool {
        self.shape.places > 1
    }

    /// Reads a word of each item's first block, which brings the blocks into the cache.
    pub fn touch_each(&self, hashes: &[ItemHash]) {
        let touched = hashes.iter().map(|&hash| self.words[self.place(hash)]);
        std::hint::black_box(touched.fold(0, |all, word| all ^ word));
    }

    /// Does the same for the second blocks, of those items whose first ones, which have
    /// been touched, have all of their bits: few but the members.
    pub fn touch_second_of_each(&self, hashes: &[ItemHash]) {
        let likely = hashes
            .iter()
            .filter(|&&hash| self.has_bits(self.place(hash), hash));
        let touched = likely.map(|&hash| self.words[self.second_place(hash).0]);
        std::hint::black_box(touched.fold(0, |all, word| all ^ word));
    }

    /// May this item have been added? False is certain. One cache miss; two for a member
    /// of a filter whose items have two places.
    #[inline(always)]
    pub fn contains(&self, hash: ItemHash) -> bool {
        self.has_bits(self.place(hash), hash) && self.has_second_bits(hash)
    }

    fn has_second_bits(&self, hash: ItemHash) -> bool {
        if !self.has_two_places() {
            return true;
        }
        let (at, again) = self.second_place(hash);
        self.has_bits(at, again)
    }

    /// Are all bits of a hash set in the block at `at`?
    #[inline(always)]
    fn has_bits(&self, at: usize, hash: ItemHash) -> bool {
        let mask = mask(hash, self.shape.probes);
        let missing = self.words[at..at + BLOCK_WORDS].iter().zip(&mask);
        missing.fold(0, |any, (word, bits)| any | (bits & !word)) == 0
    }

    /// Sets an item's bits and counts it.
    pub fn insert(&mut self, hash: ItemHash) {
        self.set_bits(self.place(hash), hash);
        if self.has_two_places() {
            let (at, again) = self.second_place(hash);
            self.set_bits(at, again);
        }
        self.items = self.items.saturating_add(1);
    }

    /// Sets all bits of a hash in the block at `at`.
    fn set_bits(&mut self, at: usize, hash: ItemHash) {
        let mask = mask(hash, self.shape.probes);
        for (word, bits) in self.words[at..at + BLOCK_WORDS].iter_mut().zip(&mask) {
            *word |= bits;
        }
    }

    /// The bits. As bytes, a word is eight of them, little endian.
    pub fn words(&self) -> &[u64] {
        &self.words[self.start..self.start + used_words(self.shape)]
    }

    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words[self.start..self.start + used_words(self.shape)]
    }

    /// How many bytes the bits are.
    pub fn bytes_len(&self) -> u64 {
        Filter::bytes_of(self.shape)
    }

    /// How many bytes the bits of a filter of this shape are.
    pub fn bytes_of(shape: Shape) -> u64 {
        shape.blocks * BLOCK_BYTES
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

/// Words of the blocks of a shape.
pub(super) fn used_words(shape: Shape) -> usize {
    shape.blocks as usize * BLOCK_WORDS
}

/// The same with those that align them.
pub(super) fn allocated_words(shape: Shape) -> usize {
    used_words(shape) + SPARE_WORDS
}

// The sizes of filters are computed in words of memory.
const _: () = assert!(usize::BITS == 64);

/// The first word that a cache line begins with.
fn start_of(words: &[u64]) -> usize {
    let misaligned = (words.as_ptr() as usize / size_of::<u64>()) % BLOCK_WORDS;
    (BLOCK_WORDS - misaligned) % BLOCK_WORDS
}

/// A number below `parts` from the upper bits of a hash; 0 where there are none.
fn share_of(hash: ItemHash, parts: u64) -> u64 {
    ((u128::from(hash.0) * u128::from(parts)) >> 64) as u64
}

/// The bits of a hash within a block.
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
        Shape {
            probes,
            places: 1,
            blocks,
            capacity: 100,
        }
    }

    fn shape_of_two_places(probes: u8, blocks: u64) -> Shape {
        Shape {
            places: 2,
            ..shape(probes, blocks)
        }
    }

    #[test]
    fn what_was_inserted_is_contained_and_an_empty_filter_contains_nothing() {
        let shapes = (1..=21).flat_map(|probes| {
            [1, 2, 7].map(|blocks| [shape(probes, blocks), shape_of_two_places(probes, blocks)])
        });
        for shape in shapes.flatten() {
            let mut filter = Filter::new(shape);
            let hashes: Vec<ItemHash> = (0..50_u32)
                .map(|item| ItemHash::of(&item.to_le_bytes()))
                .collect();
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
            assert!(
                touched
                    .iter()
                    .all(|at| at / BLOCK_WORDS == touched[0] / BLOCK_WORDS)
            );
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
    fn two_places_are_two_blocks_and_each_pair_of_blocks_is_used() {
        let blocks = 8;
        let mut seen = vec![0_u32; blocks * blocks];
        for item in 0..20_000_u32 {
            let mut filter = Filter::new(shape_of_two_places(9, blocks as u64));
            filter.insert(ItemHash::of(&item.to_le_bytes()));
            let all = filter.words().chunks(BLOCK_WORDS);
            let used = all
                .enumerate()
                .filter(|(_, block)| block.iter().any(|&word| word != 0));
            let used: Vec<usize> = used.map(|(index, _)| index).collect();
            let [one, other] = used[..] else {
                panic!("{} blocks", used.len())
            };
            seen[one * blocks + other] += 1;
        }
        // 20,000 items over 28 pairs: 714 each, give or take 6 deviations.
        let pairs = (0..blocks).flat_map(|one| (one + 1..blocks).map(move |other| (one, other)));
        assert!(
            pairs
                .clone()
                .all(|(one, other)| (554..874).contains(&seen[one * blocks + other]))
        );
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
    fn words_that_were_loaded_are_aligned_too() {
        let mut filter = Filter::new(shape(5, 9));
        (0..40_u8).for_each(|item| filter.insert(ItemHash::of(&[item])));
        for spare in [0, 3, 7, 100] {
            let mut words = Vec::with_capacity(filter.words().len() + spare);
            words.extend_from_slice(filter.words());
            let copy = Filter::from_words(filter.shape(), 40, words).expect("a filter");
            assert_eq!(copy.words(), filter.words());
            assert_eq!(copy.words().as_ptr() as usize % 64, 0);
        }
        assert!(Filter::from_words(filter.shape(), 40, vec![0; 71]).is_none());
    }

    #[test]
    fn memory_that_is_not_there_is_refused() {
        assert!(Filter::fits_memory(shape(3, 1_000)));
        // More than a process can address.
        assert!(!Filter::fits_memory(shape(3, 1 << 50)));
    }

    #[test]
    fn a_trial_keeps_what_it_took_until_it_is_dropped() {
        let (small, impossible) = (shape(3, 1_000), shape(3, 1 << 50));
        let mut trial = MemoryTrial::default();
        assert!(trial.take(small) && trial.take(small));
        assert!(!trial.take_all([small, impossible, small].into_iter()));
        let taken = trial.taken.iter().map(Vec::capacity);
        assert_eq!(taken.collect::<Vec<_>>(), [allocated_words(small); 3]);
    }

    #[test]
    fn places_of_an_item_are_the_formats() {
        // Held for ever, like the bits.
        let blocks = |item: &[u8], blocks| {
            let filter = Filter::new(shape_of_two_places(1, blocks));
            let hash = ItemHash::of(item);
            let block = |at: usize| (at - filter.start) / BLOCK_WORDS;
            (
                block(filter.place(hash)),
                block(filter.second_place(hash).0),
            )
        };
        assert_eq!(blocks(b"user:1", 1_000), (231, 577));
        assert_eq!(blocks(b"user:1", 2), (0, 1));
        assert_eq!(blocks(b"user:1", 1), (0, 0));
        assert_eq!(blocks(b"", 1_000_000), (175_880, 447_973));
    }

    #[test]
    fn bits_of_an_item_are_the_formats() {
        // Held for ever: dumps and replicas have bits at these places.
        let bits = |item: &[u8], probes| -> Vec<usize> {
            let mask = mask(ItemHash::of(item), probes);
            (0..512)
                .filter(|bit| mask[bit / 64] >> (bit % 64) & 1 == 1)
                .collect()
        };
        assert_eq!(bits(b"user:1", 7), [126, 138, 237, 248, 322, 331, 473]);
        assert_eq!(bits(b"", 3), [104, 138, 240]);
        assert_eq!(
            bits(b"user:1000000", 21),
            [
                16, 144, 147, 175, 177, 191, 192, 198, 214, 216, 237, 263, 274, 349, 407, 415, 441,
                443, 444, 464, 509
            ]
        );
    }
}
