//! A hash index from names to slots that grows in small steps.
//!
//! Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979) over segments of
//! at most 1,152 entries: a table that doubles as a whole stops the server for seconds
//! at ten million entries, here no call pays for more than one segment. A segment is one
//! to eight chunks of 1 KiB. It grows by a chunk at a time, and is split in two when it is
//! full; chunks that are left over then are the next ones that segments grow by. So nothing
//! is freed until the index is. Pieces of every size that growing tables leave behind would be given back to
//! the system page by page, and the server waits for that now and then.
//!
//! A chunk is buckets of 64 bytes, a cache line, so that a look-up costs one: ten
//! slots, sixteen bits of each one's hash, and how many entries went on to a later
//! bucket because this one was full (as in Facebook's F14). Those sixteen bits are what
//! an entry is moved by, so that growing reads no name: fetching a thousand of them from
//! all over memory is what made it slow. Each split uses one of them up; after four a
//! split takes fresh ones, and reads the names that one time.
//!
//! Edge: keeps slot numbers only; hashes and comparisons come from the caller.

use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use crate::table::slab::{NONE, SlotNumber};
use crate::table::work::step;

/// Entries of a bucket.
const WIDTH: usize = 10;
/// Buckets of a chunk: 1 KiB, a size that the server's allocator has.
const CHUNK_BUCKETS: usize = 16;
/// Chunks of a segment when it is split.
const CHUNKS_MAX: usize = 8;
/// Entries of a chunk, on average, when its segment is full: nine tenths, so that few
/// entries go past their bucket.
const CHUNK_ENTRIES: usize = CHUNK_BUCKETS * WIDTH * 9 / 10;
/// Splits that move entries by the bits kept of their hashes.
const SPLITS_PER_REFRESH: u8 = 4;
const DIRECTORY_LEN_MAX: usize = 1 << 22;

/// A cache line, where the allocator aligns large pieces to one.
#[derive(Clone, Copy)]
struct Bucket {
    /// The first `len` are entries, here and in `slots`.
    tags: [u16; WIDTH],
    slots: [SlotNumber; WIDTH],
    len: u8,
    /// One bit for some of the bits of each tag that went past since none was astray: a
    /// look-up of any other tag ends here.
    passed_tags: u8,
    /// Entries that went past this bucket, because it was full when they came; it is full
    /// as long as there are any. Where so many hashes collide that the number does not fit,
    /// it stays at its maximum and never comes down.
    passed: u16,
}

const _: () = assert!(size_of::<Bucket>() == 64);

const EMPTY: Bucket = Bucket {
    tags: [0; WIDTH],
    slots: [NONE; WIDTH],
    len: 0,
    passed_tags: 0,
    passed: 0,
};

/// The bit of a tag among those that went past a bucket. Of those of its bits that say
/// little about its bucket, and of which directory bits are not made either.
#[inline]
fn passed_bit(tag: u16) -> u8 {
    1 << (tag >> SPLITS_PER_REFRESH & 7)
}

/// A one in each of the four tags of a number.
const LANES: u64 = 0x0001_0001_0001_0001;

/// Places in a bucket, one bit each.
struct Places {
    /// Of tag `n` of the four at `m`, bit `16 * n + m`.
    bits: u64,
    /// Only places below it are taken.
    len: usize,
}

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits != 0 {
            let bit = self.bits.trailing_zeros() as usize;
            self.bits &= self.bits - 1;
            let place = bit / 16 + bit % 16 * 4;
            if place < self.len {
                return Some(place);
            }
        }
        None
    }
}

impl Bucket {
    /// Finds the places of entries that may have this tag: all that do, and rarely one
    /// that does not.
    #[inline]
    fn places(&self, tag: u16) -> Places {
        // Four tags at a time. The lowest of four that are zero when the wanted one is taken
        // out is found for certain; the borrow it leaves may be taken for another above it.
        let [a, b, c, d, e, f, g, h, i, j] = self.tags.map(u64::from);
        let fours = [
            a | b << 16 | c << 32 | d << 48,
            e | f << 16 | g << 32 | h << 48,
            i | j << 16,
        ];
        let wanted = u64::from(tag) * LANES;
        let [first, second, third] = fours.map(|tags| {
            let rest = tags ^ wanted;
            (rest.wrapping_sub(LANES) & !rest & (LANES << 15)) >> 15
        });
        // The last has two tags alone.
        Places {
            bits: first | second << 1 | (third & 0xffff_ffff) << 2,
            len: usize::from(self.len),
        }
    }

    /// Adds an entry; false when the bucket is full.
    #[inline]
    fn push(&mut self, tag: u16, slot: SlotNumber) -> bool {
        let at = usize::from(self.len);
        if at >= WIDTH {
            return false;
        }
        self.tags[at] = tag;
        self.slots[at] = slot;
        self.len += 1;
        true
    }

    fn remove(&mut self, place: usize) {
        let last = usize::from(self.len) - 1;
        self.tags[place] = self.tags[last];
        self.slots[place] = self.slots[last];
        self.len -= 1;
    }

    fn pass(&mut self, tag: u16) {
        self.passed = self.passed.saturating_add(1);
        self.passed_tags |= passed_bit(tag);
    }

    fn unpass(&mut self) {
        if self.passed < u16::MAX {
            self.passed -= 1;
        }
        if self.passed == 0 {
            self.passed_tags = 0;
        }
    }

    #[inline]
    fn entries(&self) -> impl Iterator<Item = (u16, SlotNumber)> {
        let entries = self.tags.iter().copied().zip(self.slots.iter().copied());
        entries.take(usize::from(self.len))
    }
}

/// Buckets that are allocated together.
struct Chunk([Bucket; CHUNK_BUCKETS]);

impl Chunk {
    const EMPTY: Chunk = Chunk([EMPTY; CHUNK_BUCKETS]);

    /// Gives each entry to `take`. In loops, as an iterator over both takes half as long
    /// again.
    #[inline(always)]
    fn each_entry(&self, mut take: impl FnMut(u16, SlotNumber)) {
        for bucket in &self.0 {
            let len = usize::from(bucket.len).min(WIDTH);
            for at in 0..len {
                take(bucket.tags[at], bucket.slots[at]);
            }
        }
    }
}

#[inline]
fn bucket_of(chunks: &mut [Box<Chunk>], at: usize) -> &mut Bucket {
    &mut chunks[at / CHUNK_BUCKETS].0[at % CHUNK_BUCKETS]
}

/// The bucket an entry belongs in. By the high bits of the tag: the low ones are the
/// first to become directory bits, which all entries share.
#[inline]
fn home(chunks: usize, tag: u16) -> usize {
    const TAGS_PER_BUCKET_OF_ONE: u32 = (1 << 16) / CHUNK_BUCKETS as u32;
    (u32::from(tag) * chunks as u32 / TAGS_PER_BUCKET_OF_ONE) as usize
}

/// Adds an entry to chunks that have room for it.
#[inline]
fn insert(chunks: &mut [Box<Chunk>], tag: u16, slot: SlotNumber) {
    let mut at = home(chunks.len(), tag);
    loop {
        step();
        let bucket = bucket_of(chunks, at);
        if bucket.push(tag, slot) {
            return;
        }
        bucket.pass(tag);
        at += 1;
        if at == chunks.len() * CHUNK_BUCKETS {
            at = 0;
        }
    }
}

/// Entries that are to go where there is room when all others are at home. On the stack,
/// but for those of a segment that takes fresh bits for its tags.
type Astray = SmallVec<[(u16, SlotNumber); 128]>;

/// Chunks in their order.
type Chunks = SmallVec<[Box<Chunk>; CHUNKS_MAX]>;

struct Segment {
    /// More than [`CHUNKS_MAX`] where it cannot be split.
    chunks: Chunks,
    len: u32,
    /// How many directory bits all entries of this segment share.
    depth: u8,
    /// The bit of the hash a tag begins with.
    base: u8,
}

impl Segment {
    /// A segment that is full: the first entry brings the first chunk.
    fn new(depth: u8, base: u8) -> Segment {
        Segment {
            chunks: Chunks::new(),
            len: 0,
            depth,
            base,
        }
    }

    #[inline]
    fn tag(&self, hash: u64) -> u16 {
        (hash >> self.base) as u16
    }

    /// How many combinations there are of the bits that all entries share.
    fn combinations(&self) -> usize {
        1 << self.depth
    }

    #[inline]
    fn home(&self, tag: u16) -> usize {
        home(self.chunks.len(), tag)
    }

    #[inline]
    fn buckets(&self) -> usize {
        self.chunks.len() * CHUNK_BUCKETS
    }

    /// A bucket; `None` where there is none yet.
    #[inline]
    fn bucket(&self, at: usize) -> Option<&Bucket> {
        let chunk = self.chunks.get(at / CHUNK_BUCKETS)?;
        Some(&chunk.0[at % CHUNK_BUCKETS])
    }

    fn bucket_mut(&mut self, at: usize) -> &mut Bucket {
        bucket_of(&mut self.chunks, at)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.buckets() { 0 } else { at + 1 }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.len as usize >= self.chunks.len() * CHUNK_ENTRIES
    }

    /// The bucket and the place in it of the entry that `is_it` recognises, and its slot.
    #[inline]
    fn find(
        &self,
        tag: u16,
        mut is_it: impl FnMut(SlotNumber) -> bool,
    ) -> Option<(usize, usize, SlotNumber)> {
        let home = self.home(tag);
        let mut at = home;
        loop {
            step();
            let bucket = self.bucket(at)?;
            for place in bucket.places(tag) {
                let slot = bucket.slots[place];
                if is_it(slot) {
                    return Some((at, place, slot));
                }
            }
            if bucket.passed_tags & passed_bit(tag) == 0 {
                return None;
            }
            at = self.next(at);
            if at == home {
                return None;
            }
        }
    }

    /// The slot of the first entry with this tag.
    fn first_of(&self, tag: u16) -> Option<SlotNumber> {
        let (_, _, slot) = self.find(tag, |_| true)?;
        Some(slot)
    }

    /// Adds an entry; there is room for it.
    #[inline]
    fn insert(&mut self, tag: u16, slot: SlotNumber) {
        insert(&mut self.chunks, tag, slot);
        self.len += 1;
    }

    fn remove(&mut self, tag: u16, is_it: impl FnMut(SlotNumber) -> bool) -> bool {
        let Some((at, place, _)) = self.find(tag, is_it) else {
            return false;
        };
        self.bucket_mut(at).remove(place);
        self.unpass(self.home(tag), at);
        self.len -= 1;
        self.fill(at);
        true
    }

    /// An entry went past the buckets before `to`, from `from` on, and does so no more.
    fn unpass(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at != to {
            step();
            self.bucket_mut(at).unpass();
            at = self.next(at);
        }
    }

    /// Brings an entry back that went past a bucket which has room again, and so on with
    /// the room it leaves. Entries that stayed astray would be more with every one taken
    /// out and put in, until a look-up came by most of the segment.
    fn fill(&mut self, mut gap: usize) {
        while self.bucket_mut(gap).passed > 0
            && let Some((at, place)) = self.find_astray(gap)
        {
            let bucket = self.bucket_mut(at);
            let (tag, slot) = (bucket.tags[place], bucket.slots[place]);
            bucket.remove(place);
            self.bucket_mut(gap).push(tag, slot);
            self.unpass(gap, at);
            gap = at;
        }
    }

    /// The bucket and the place in it of the nearest entry that went past this bucket.
    fn find_astray(&self, past: usize) -> Option<(usize, usize)> {
        let buckets = self.buckets();
        let (mut at, mut away) = (self.next(past), 1);
        while at != past {
            step();
            let went_past =
                |(tag, _): (u16, SlotNumber)| (at + buckets - self.home(tag)) % buckets >= away;
            if let Some(place) = self.bucket(at)?.entries().position(went_past) {
                return Some((at, place));
            }
            (at, away) = (self.next(at), away + 1);
        }
        None
    }

    /// Makes room by one more chunk. Every home moves up or stays, so from the last chunk
    /// to the first each is emptied into those that have been.
    fn grow(&mut self, chunk: Box<Chunk>) {
        let mut astray = Astray::new();
        self.chunks.push(chunk);
        let chunks = &mut self.chunks[..];
        for from in (0..chunks.len() - 1).rev() {
            let old = std::mem::replace(&mut *chunks[from], Chunk::EMPTY);
            old.each_entry(|tag, slot| {
                let home = home(chunks.len(), tag);
                if home / CHUNK_BUCKETS < from || !bucket_of(chunks, home).push(tag, slot) {
                    astray.push((tag, slot));
                }
            });
        }
        for (tag, slot) in astray {
            insert(chunks, tag, slot);
        }
    }

    /// Moves what has the next directory bit set into a new segment of these chunks, and the
    /// rest into as many of its own: from the first chunk to the last each is emptied into
    /// those that have been. Returns the new segment and the chunks left over.
    fn split(&mut self, chunks: Chunks, hash_of: impl Fn(SlotNumber) -> u64) -> (Segment, Chunks) {
        let (bit, used) = (self.depth, self.depth - self.base);
        let is_fresh = used == SPLITS_PER_REFRESH;
        self.depth += 1;
        if is_fresh {
            self.base = self.depth;
        }
        self.len = 0;
        let (each, base) = (chunks.len(), self.base);
        let mut upper = Segment {
            chunks,
            ..Segment::new(self.depth, base)
        };
        let mut astray = [Astray::new(), Astray::new()];
        for from in 0..self.chunks.len() {
            let old = std::mem::replace(&mut *self.chunks[from], Chunk::EMPTY);
            old.each_entry(|tag, slot| {
                let (tag, goes_up) = if is_fresh {
                    let hash = hash_of(slot);
                    ((hash >> base) as u16, hash >> bit & 1 == 1)
                } else {
                    (tag, tag >> used & 1 == 1)
                };
                let home = home(each, tag);
                let to = if goes_up { &mut upper } else { &mut *self };
                let is_emptied = goes_up || home / CHUNK_BUCKETS <= from;
                if is_emptied && to.bucket_mut(home).push(tag, slot) {
                    to.len += 1;
                } else {
                    astray[usize::from(goes_up)].push((tag, slot));
                }
            });
        }
        let left_over = self.chunks.drain(each..).collect();
        let [of_lower, of_upper] = astray;
        self.take_in(of_lower);
        upper.take_in(of_upper);
        (upper, left_over)
    }

    /// Adds entries, which may be more than there is room for.
    fn take_in(&mut self, entries: Astray) {
        for (tag, slot) in entries {
            if self.is_full() {
                self.grow(Box::new(Chunk::EMPTY));
            }
            self.insert(tag, slot);
        }
    }

    fn heap_bytes(&self) -> usize {
        let list = if self.chunks.spilled() {
            self.chunks.capacity() * size_of::<Box<Chunk>>()
        } else {
            0
        };
        self.chunks.len() * size_of::<Chunk>() + list
    }
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
    insertions: u32,
    /// Chunks that splits left over, for the segments that grow next.
    spare: Chunks,
    /// Heap bytes of all segments.
    segment_bytes: usize,
}

impl Index {
    pub fn new() -> Index {
        Index {
            directory: vec![0],
            segments: vec![Box::new(Segment::new(0, 0))],
            mask: 0,
            len: 0,
            insertions: 1,
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
        let home = segment.home(segment.tag(hash));
        if let Some(chunk) = segment.chunks.get(home / CHUNK_BUCKETS) {
            prefetch_index(chunk.0, home % CHUNK_BUCKETS);
        }
    }

    /// The slot such a look-up would try first: nearly always the one it finds. `None` when
    /// it would try none, as there is nothing of this hash.
    pub fn likely(&self, hash: u64) -> Option<SlotNumber> {
        let segment = self.segment_of(hash);
        let tag = segment.tag(hash);
        let bucket = segment.bucket(segment.home(tag))?;
        match bucket.places(tag).next() {
            Some(place) => bucket.slots.get(place).copied(),
            None if bucket.passed_tags & passed_bit(tag) == 0 => None,
            None => segment.first_of(tag),
        }
    }

    /// A number that is another one after each insertion; never 0.
    #[inline]
    pub fn insertions(&self) -> u32 {
        self.insertions
    }

    /// Adds a slot that is not there yet. O(1), but for the growth of one segment.
    #[inline(always)]
    pub fn insert(&mut self, hash: u64, slot: SlotNumber, hash_of: impl Fn(SlotNumber) -> u64) {
        let mut at = self.number_of(hash);
        while self.segments[at].is_full() {
            self.make_room(at, hash, &hash_of);
            at = self.number_of(hash);
        }
        let segment = &mut self.segments[at];
        segment.insert(segment.tag(hash), slot);
        self.len += 1;
        self.insertions = self.insertions.wrapping_add(1).max(1);
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
    fn make_room(&mut self, at: usize, hash: u64, hash_of: &impl Fn(SlotNumber) -> u64) {
        if self.segments[at].chunks.len() >= CHUNKS_MAX && self.may_split(at) {
            self.split(at, hash, hash_of);
        } else {
            self.segment_bytes -= self.segments[at].heap_bytes();
            let chunk = self.take_chunk();
            self.segments[at].grow(chunk);
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
        let fair = 8 * (self.len / (CHUNKS_MAX * CHUNK_BUCKETS * WIDTH) + 1);
        let len = self.directory.len();
        self.segments[at].combinations() < len || (len < DIRECTORY_LEN_MAX && len <= fair)
    }

    /// Splits the segment `at`, which `hash` belongs to, by its next directory bit.
    fn split(&mut self, at: usize, hash: u64, hash_of: &impl Fn(SlotNumber) -> u64) {
        if self.segments[at].combinations() == self.directory.len() {
            self.directory.extend_from_within(..);
            self.mask = self.directory.len() - 1;
        }
        // Half the entries fill four fifths of so many; more do not come often.
        let each = self.segments[at].chunks.len() * 5 / 8;
        let chunks = (0..each).map(|_| self.take_chunk()).collect();
        let bit = self.segments[at].depth;
        self.segment_bytes -= self.segments[at].heap_bytes();
        let (upper, left_over) = self.segments[at].split(chunks, hash_of);
        self.spare.extend(left_over);
        self.segment_bytes += self.segments[at].heap_bytes() + upper.heap_bytes();
        let new = self.segments.len() as u32;
        self.segments.push(Box::new(upper));
        self.direct_to(new, hash, bit);
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
    use crate::table::work::steps_of;

    /// Multiplicative mixing, enough to spread bits for a test.
    fn mixed(slot: SlotNumber) -> u64 {
        let x = (u64::from(slot) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }

    fn buckets_of(segment: &Segment) -> impl Iterator<Item = &Bucket> {
        segment.chunks.iter().flat_map(|chunk| &chunk.0)
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
        let right = |slot: &u32| index.likely(mixed(*slot)) == Some(*slot);
        let rights = (0..20_000).filter(right).count();
        assert!(rights > 18_000, "{rights}");
        let strangers = 20_000..40_000;
        let named = strangers.filter(|&slot| index.likely(mixed(slot)).is_some());
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
        assert!(buckets.all(|bucket| bucket.passed == 0));
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
            let is_full = |bucket: &Bucket| usize::from(bucket.len) == WIDTH;
            let mut buckets = buckets_of(segment);
            assert!(buckets.all(|bucket| bucket.passed == 0 || is_full(bucket)));
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
