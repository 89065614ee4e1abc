//! A hash index from names to slots that grows in small steps.
//!
//! Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979): a directory
//! of small tables; a full one is split in two, and no call ever pays for more than
//! that split. A table that doubles as a whole stops the server for seconds at ten
//! million entries.
//! Edge: keeps slot numbers only; hashes and comparisons come from the caller.

use hashbrown::HashTable;

use super::slab::SlotNumber;

/// Entries of a segment when it is split: 7/8 of 1,024 buckets.
const SEGMENT_ENTRIES_MAX: usize = 896;
/// hashbrown takes the bucket from the low bits of a hash and its tag from the top
/// seven; the directory takes bits between them, or tags would tell nothing.
const DIRECTORY_SHIFT: u32 = 20;
const DIRECTORY_DEPTH_MAX: u32 = 22;

struct Segment {
    /// How many directory bits all entries of this segment share.
    depth: u32,
    slots: HashTable<SlotNumber>,
}

/// Slots by hash.
pub struct Index {
    directory: Vec<u32>,
    segments: Vec<Segment>,
    depth: u32,
    len: usize,
}

impl Index {
    pub fn new() -> Index {
        Index {
            directory: vec![0],
            segments: vec![Segment {
                depth: 0,
                slots: HashTable::new(),
            }],
            depth: 0,
            len: 0,
        }
    }

    fn segment_of(&self, hash: u64) -> usize {
        let bits = (hash >> DIRECTORY_SHIFT) as usize & ((1 << self.depth) - 1);
        self.directory[bits] as usize
    }

    /// The slot with this hash that `is_it` recognises. O(1).
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(SlotNumber) -> bool) -> Option<SlotNumber> {
        let segment = &self.segments[self.segment_of(hash)];
        segment.slots.find(hash, |&slot| is_it(slot)).copied()
    }

    /// Adds a slot that is not there yet. O(1), but for one split of a small table.
    pub fn insert(&mut self, hash: u64, slot: SlotNumber, hash_of: impl Fn(SlotNumber) -> u64) {
        let mut at = self.segment_of(hash);
        while self.segments[at].slots.len() >= SEGMENT_ENTRIES_MAX && self.may_split(at) {
            self.split(at, hash, &hash_of);
            at = self.segment_of(hash);
        }
        self.segments[at]
            .slots
            .insert_unique(hash, slot, |&slot| hash_of(slot));
        self.len += 1;
    }

    /// Takes out the slot with this hash that `is_it` recognises. O(1).
    pub fn remove(&mut self, hash: u64, mut is_it: impl FnMut(SlotNumber) -> bool) {
        let at = self.segment_of(hash);
        if let Ok(entry) = self.segments[at]
            .slots
            .find_entry(hash, |&slot| is_it(slot))
        {
            entry.remove();
            self.len -= 1;
        }
    }

    /// Names chosen to collide must not blow up the directory: it stays within a
    /// small multiple of what evenly spread entries need, and a segment that cannot
    /// be split grows by itself.
    fn may_split(&self, at: usize) -> bool {
        let fair = 8 * (self.len / SEGMENT_ENTRIES_MAX + 1);
        self.segments[at].depth < self.depth
            || (self.depth < DIRECTORY_DEPTH_MAX && self.directory.len() <= fair)
    }

    /// Splits the segment `at`, which `hash` belongs to, by its next directory bit.
    fn split(&mut self, at: usize, hash: u64, hash_of: &impl Fn(SlotNumber) -> u64) {
        let depth = self.segments[at].depth;
        if depth == self.depth {
            self.directory.extend_from_within(..);
            self.depth += 1;
        }
        let bit = 1_usize << depth;
        let full = std::mem::replace(
            &mut self.segments[at],
            Segment {
                depth: depth + 1,
                slots: HashTable::with_capacity(SEGMENT_ENTRIES_MAX),
            },
        );
        let mut upper = Segment {
            depth: depth + 1,
            slots: HashTable::with_capacity(SEGMENT_ENTRIES_MAX),
        };
        for slot in full.slots {
            let hash = hash_of(slot);
            let goes_up = (hash >> DIRECTORY_SHIFT) as usize & bit != 0;
            let half = if goes_up {
                &mut upper
            } else {
                &mut self.segments[at]
            };
            half.slots.insert_unique(hash, slot, |&slot| hash_of(slot));
        }
        let new = self.segments.len() as u32;
        self.segments.push(upper);
        let shared = (hash >> DIRECTORY_SHIFT) as usize & (bit - 1);
        for segment in self
            .directory
            .iter_mut()
            .skip(shared | bit)
            .step_by(2 * bit)
        {
            *segment = new;
        }
    }

    /// Heap bytes of all segments and the directory.
    pub fn heap_bytes(&self) -> usize {
        let segments: usize = self
            .segments
            .iter()
            .map(|s| s.slots.allocation_size())
            .sum();
        segments
            + self.segments.capacity() * size_of::<Segment>()
            + self.directory.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplicative mixing, enough to spread bits for a test.
    fn mixed(slot: SlotNumber) -> u64 {
        let x = (u64::from(slot) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    #[test]
    fn finds_what_was_inserted_through_many_splits() {
        let mut index = Index::new();
        for slot in 0..100_000 {
            index.insert(mixed(slot), slot, mixed);
        }
        assert!(index.segments.len() > 100);
        assert!(
            index
                .segments
                .iter()
                .all(|s| s.slots.len() <= SEGMENT_ENTRIES_MAX)
        );
        for slot in (0..100_000).step_by(3) {
            index.remove(mixed(slot), |other| other == slot);
        }
        for slot in 0..100_000 {
            let found = index.find(mixed(slot), |other| other == slot);
            assert_eq!(found.is_some(), slot % 3 != 0, "slot {slot}");
        }
    }

    #[test]
    fn colliding_hashes_do_not_blow_up_the_directory() {
        let mut index = Index::new();
        let same = |_| 0xABCD_EF01_2345_6789;
        for slot in 0..5_000 {
            index.insert(same(slot), slot, same);
        }
        assert!(index.directory.len() <= 128, "{}", index.directory.len());
        assert_eq!(index.find(same(0), |other| other == 4_321), Some(4_321));
    }
}
