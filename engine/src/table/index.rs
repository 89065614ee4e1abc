//! A hash index from names to slots that grows in small steps.
//!
//! Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979) over segments of
//! at most 1,152 entries: a table that doubles as a whole stops the server for seconds
//! at ten million entries, here no insertion pays for more than one segment. A segment is one
//! to eight chunks of 1 KiB. It grows by a chunk or two at a time, and is split in two when it has
//! as many entries as it may have, which is another number for each segment: hashes fill all
//! of them evenly, so with one number most would be split at the same time, dozens by one
//! batch. Chunks that a split leaves over are the next ones that segments grow by. So nothing
//! is freed until the index is. Pieces of every size, which growing tables leave behind,
//! would be given back to the system page by page, and the server waits for that now and
//! then. Only the first segment begins with less than a chunk, one to eight buckets, as there
//! may be small sales by the ten thousand.
//!
//! A chunk is buckets of 64 bytes, a cache line, so that a look-up costs one: ten
//! slots, sixteen bits of each one's hash, and how many entries went on to a later
//! bucket because this one was full (as in Facebook's F14). Those sixteen bits are what
//! an entry is moved by, so that growing reads no name: fetching a thousand of them from
//! all over memory is what made it slow. Each split uses one of them up; after four a
//! split takes fresh ones, and reads the names that one time.
//!
//! Edge: keeps slot numbers only; hashes and comparisons come from the caller.

pub use crate::table::segment::Rows;
use crate::table::segment::{Chunk, Chunks, ENTRIES_MAX, Segment};
use crate::table::slab::SlotNumber;

const DIRECTORY_LEN_MAX: usize = 1 << 22;

/// Returns the entries that the segment of this number has when it is split: from half the
/// most to the most. Any segments that were made one after the other are split at numbers that
/// are spread evenly, as the step is near the golden ratio of the range.
fn split_at(number: usize) -> u32 {
    const RANGE: usize = ENTRIES_MAX / 2;
    (ENTRIES_MAX - number.wrapping_mul(223) % RANGE) as u32
}

/// Where a look-up would look first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likely {
    At(SlotNumber),
    /// Nowhere: after so many [`Index::insertions`] there is nothing to find.
    Absent {
        insertions: u32,
    },
}

/// Slots by hash.
pub struct Index {
    /// Numbers of segments.
    directory: Vec<u32>,
    /// None is ever taken out. Boxed, so that few bytes move when the list grows.
    #[allow(clippy::vec_box)]
    segments: Vec<Box<Segment>>,
    /// The bits of a hash that are its place in the directory.
    mask: usize,
    len: usize,
    /// Chunks that splits left over, for the segments that grow next.
    spare: Chunks,
    /// Heap bytes of all segments.
    segment_bytes: usize,
}

impl Index {
    pub fn new() -> Index {
        Index {
            directory: vec![0],
            segments: vec![Box::new(Segment::new(0, 0, Chunks::new(), split_at(0)))],
            mask: 0,
            len: 0,
            spare: Chunks::new(),
            segment_bytes: 0,
        }
    }

    #[inline]
    fn number_of(&self, hash: u64) -> usize {
        self.directory[hash as usize & self.mask] as usize
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> &Segment {
        &self.segments[self.number_of(hash)]
    }

    /// The slot with this hash that `is_it` recognises. O(1).
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl FnMut(SlotNumber) -> bool) -> Option<SlotNumber> {
        let segment = self.segment_of(hash);
        let (_, _, slot) = segment.find(segment.tag(hash), is_it)?;
        Some(slot)
    }

    /// Fetches what a look-up of this hash will look at first: a caller with several
    /// look-ups ahead waits for memory once, not once for each.
    #[inline]
    pub fn touch(&self, hash: u64) {
        let segment = self.segment_of(hash);
        segment.touch(segment.tag(hash));
    }

    /// The slot such a look-up would try first: nearly always the one it finds. It would try
    /// none where there is nothing of this hash.
    #[inline(always)]
    pub fn likely(&self, hash: u64) -> Likely {
        let segment = self.segment_of(hash);
        match segment.first_of(segment.tag(hash)) {
            Some(slot) => Likely::At(slot),
            None => Likely::Absent {
                insertions: segment.insertions(),
            },
        }
    }

    /// A number that is another one after each insertion that may have been of this hash;
    /// never 0.
    #[inline]
    pub fn insertions(&self, hash: u64) -> u32 {
        self.segment_of(hash).insertions()
    }

    /// Adds a slot that is not there yet. O(1), but for the growth of one segment.
    #[inline(always)]
    pub fn insert(&mut self, hash: u64, slot: SlotNumber, rows: impl Rows) {
        let mut at = self.number_of(hash);
        while self.segments[at].is_full() {
            self.make_room(at, hash, &rows);
            at = self.number_of(hash);
        }
        let segment = &mut self.segments[at];
        segment.insert(segment.tag(hash), slot);
        self.len += 1;
    }

    /// Takes out the slot with this hash that `is_it` recognises. O(1).
    pub fn remove(&mut self, hash: u64, is_it: impl FnMut(SlotNumber) -> bool) {
        let at = self.number_of(hash);
        let segment = &mut self.segments[at];
        if segment.remove(segment.tag(hash), is_it) {
            self.len -= 1;
        }
    }

    #[cold]
    fn make_room(&mut self, at: usize, hash: u64, rows: &impl Rows) {
        if self.segments[at].is_to_split() && self.may_split(at) {
            self.split(at, hash, rows);
        } else {
            self.segment_bytes -= self.segments[at].heap_bytes();
            if !self.segments[at].grow_few() {
                let more = self.segments[at].chunks_to_grow();
                let chunks = (0..more).map(|_| self.take_chunk()).collect();
                self.segments[at].grow(chunks);
            }
            self.segment_bytes += self.segments[at].heap_bytes();
        }
    }

    /// An empty chunk: one that a split left over, or a new one.
    fn take_chunk(&mut self) -> Box<Chunk> {
        let spare = self.spare.pop();
        spare.unwrap_or_else(|| Box::new(Chunk::EMPTY))
    }

    /// Names chosen to collide must not blow up the directory: it stays within a
    /// small multiple of what evenly spread entries need, and a segment that cannot
    /// be split grows by itself.
    fn may_split(&self, at: usize) -> bool {
        let fair = 8 * (self.len / (ENTRIES_MAX) + 1);
        let len = self.directory.len();
        self.segments[at].combinations() < len || (len < DIRECTORY_LEN_MAX && len <= fair)
    }

    /// Splits the segment `at`, which `hash` belongs to, by its next directory bit.
    fn split(&mut self, at: usize, hash: u64, rows: &impl Rows) {
        if self.segments[at].combinations() == self.directory.len() {
            self.directory.extend_from_within(..);
            self.mask = self.directory.len() - 1;
        }
        let each = self.segments[at].chunks_for_half();
        let chunks = (0..each).map(|_| self.take_chunk()).collect();
        let bit = self.segments[at].depth;
        self.segment_bytes -= self.segments[at].heap_bytes();
        let new = self.segments.len();
        let (upper, left_over) = self.segments[at].split(chunks, split_at(new), rows);
        self.spare.extend(left_over);
        self.segment_bytes += self.segments[at].heap_bytes() + upper.heap_bytes();
        self.segments.push(Box::new(upper));
        self.direct_to(new as u32, hash, bit);
    }

    /// Directs hashes with this bit set, and the bits below it in common with `hash`, to
    /// the segment `new`.
    fn direct_to(&mut self, new: u32, hash: u64, bit: u8) {
        let bit = 1_usize << bit;
        let shared = hash as usize & (bit - 1);
        let directed = self.directory.iter_mut().skip(shared | bit);
        for segment in directed.step_by(2 * bit) {
            *segment = new;
        }
    }

    /// Heap bytes of all segments and the directory.
    pub fn heap_bytes(&self) -> usize {
        self.segment_bytes
            + self.spare.len() * size_of::<Chunk>()
            + self.segments.len() * size_of::<Segment>()
            + self.segments.capacity() * size_of::<Box<Segment>>()
            + self.directory.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::bucket::{Bucket, WIDTH};
    use crate::table::segment::{CHUNKS_MAX, SPLITS_PER_REFRESH};
    use crate::table::work::steps_of;

    /// Multiplicative mixing, enough to spread bits for a test.
    fn mixed(slot: SlotNumber) -> u64 {
        let x = (u64::from(slot) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    fn buckets_of(segment: &Segment) -> impl Iterator<Item = &Bucket> {
        segment.chunks.iter().flat_map(|chunk| chunk.buckets())
    }

    fn found(index: &Index, slot: SlotNumber) -> bool {
        index.find(mixed(slot), |other| other == slot).is_some()
    }

    #[test]
    fn what_is_likely_is_nearly_always_what_is_found() {
        let mut index = Index::new();
        for slot in 0..20_000 {
            index.insert(mixed(slot), slot, mixed);
        }
        let right = |slot: &u32| index.likely(mixed(*slot)) == Likely::At(*slot);
        let rights = (0..20_000).filter(right).count();
        assert!(rights > 18_000, "{rights}");
        let strangers = 20_000..40_000;
        let named = strangers.filter(|&slot| matches!(index.likely(mixed(slot)), Likely::At(_)));
        assert!(named.count() < 1_000);
    }

    #[test]
    fn finds_what_was_inserted_through_many_splits() {
        let mut index = Index::new();
        for slot in 0..200_000 {
            index.insert(mixed(slot), slot, mixed);
            assert!(found(&index, slot / 2) && !found(&index, slot + 1));
        }
        assert!(index.segments.iter().any(|s| s.base > SPLITS_PER_REFRESH));
        assert!(index.segments.iter().all(|s| s.chunks.len() <= CHUNKS_MAX));
        for slot in (0..200_000).step_by(3) {
            index.remove(mixed(slot), |other| other == slot);
        }
        for slot in 0..200_000 {
            assert_eq!(found(&index, slot), slot % 3 != 0, "slot {slot}");
        }
        for slot in 0..200_000 {
            index.remove(mixed(slot), |other| other == slot);
        }
        assert_eq!(index.len, 0);
        let mut buckets = index.segments.iter().flat_map(|s| buckets_of(s));
        assert!(buckets.all(|bucket| bucket.passed() == 0));
    }

    #[test]
    fn a_small_index_has_a_few_buckets() {
        let mut index = Index::new();
        let mut sizes = Vec::new();
        for slot in 0..100 {
            index.insert(mixed(slot), slot, mixed);
            assert!((0..=slot).all(|slot| found(&index, slot)) && !found(&index, slot + 1));
            if sizes.last() != Some(&index.segment_bytes) {
                sizes.push(index.segment_bytes);
            }
        }
        assert_eq!(sizes, [64, 128, 256, 512, 1024]);
        for slot in 0..100 {
            index.remove(mixed(slot), |other| other == slot);
            assert!((0..100).all(|other| found(&index, other) == (other > slot)));
        }
    }

    #[test]
    fn counts_the_insertions_that_may_be_of_a_hash() {
        let mut index = Index::new();
        let mut others_counted = 0;
        for slot in 0..20_000 {
            let (this, other) = (mixed(slot), mixed(slot + 1));
            let before = [this, other].map(|hash| index.insertions(hash));
            index.insert(this, slot, mixed);
            assert_ne!(index.insertions(this), before[0]);
            others_counted += u32::from(index.insertions(other) != before[1]);
        }
        // All of them while there is one segment, few when there are many.
        assert!((1_152..5_000).contains(&others_counted), "{others_counted}");
    }

    #[test]
    fn takes_eight_bytes_an_entry_at_any_size() {
        let mut index = Index::new();
        for slot in 0..400_000 {
            index.insert(mixed(slot), slot, mixed);
            let len = slot as usize + 1;
            if len > 10_000 && len.is_multiple_of(1_000) {
                let bytes = index.heap_bytes() as f64 / len as f64;
                assert!(bytes < 9.5, "{bytes} at {len}");
            }
        }
        let bytes: usize = index.segments.iter().map(|s| s.heap_bytes()).sum();
        assert_eq!(bytes, index.segment_bytes);
    }

    /// A batch pays for a thousand insertions at once.
    #[test]
    fn segments_are_not_all_split_at_the_same_time() {
        let mut index = Index::new();
        // Mixed once more, as evenly spread hashes fill segments more evenly than random ones.
        let mixed = |slot| mixed(mixed(slot) as SlotNumber);
        let of_batch = |batch: u32| {
            let slots = batch * 1_000..(batch + 1) * 1_000;
            steps_of(|| slots.for_each(|slot| index.insert(mixed(slot), slot, mixed)))
        };
        let most = (0..1_000).map(of_batch).max();
        // With one number of entries for all segments it is 170,000.
        assert!(most < Some(40_000), "{most:?}");
    }

    #[test]
    fn a_look_up_takes_a_step_or_two_at_any_size() {
        let mut index = Index::new();
        for slot in 0..50_000 {
            index.insert(mixed(slot), slot, mixed);
        }
        let steps = steps_of(|| assert!((0..50_000).all(|slot| found(&index, slot))));
        // One of them is the segment.
        assert!(steps < 50_000 * 5 / 2, "{steps}");
    }

    #[test]
    fn look_ups_stay_short_when_entries_come_and_go() {
        let mut index = Index::new();
        for slot in 0..30_000 {
            index.insert(mixed(slot), slot, mixed);
            if let Some(old) = slot.checked_sub(1_000) {
                index.remove(mixed(old), |other| other == old);
            }
        }
        for segment in &index.segments {
            let is_full = |bucket: &Bucket| bucket.len() == WIDTH;
            let mut buckets = buckets_of(segment);
            assert!(buckets.all(|bucket| bucket.passed() == 0 || is_full(bucket)));
        }
        let steps = steps_of(|| assert!((0..29_000).all(|slot| !found(&index, slot))));
        assert!(steps < 29_000 * 5, "{steps}");
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
        index.remove(same(0), |other| other == 4_321);
        assert_eq!(index.find(same(0), |other| other == 4_321), None);
    }
}
