//! A segment of the index: chunks of buckets that share some bits of their hashes.
//!
//! Edge: tags and slots; which hashes a segment is for is `index.rs`.

use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use crate::table::bucket::{Bucket, DIRECTORY_BITS, WIDTH};
use crate::table::slab::SlotNumber;
use crate::table::work::step;

/// Buckets of a chunk: 1 KiB, a size that the server's allocator has.
const CHUNK_BUCKETS: usize = 16;
/// Chunks of a segment when it is split.
pub const CHUNKS_MAX: usize = 8;
/// Entries that a segment has room for when it is split.
pub const ENTRIES_MAX: usize = CHUNKS_MAX * CHUNK_BUCKETS * WIDTH;
/// Entries of a chunk, on average, when its segment is full: nine tenths, so that few
/// entries go past their bucket.
const CHUNK_ENTRIES: usize = CHUNK_BUCKETS * WIDTH * 9 / 10;
/// Splits that move entries by the bits kept of their hashes.
pub const SPLITS_PER_REFRESH: u8 = DIRECTORY_BITS;

/// Buckets that are allocated together.
pub struct Chunk([Bucket; CHUNK_BUCKETS]);

impl Chunk {
    pub const EMPTY: Chunk = Chunk([Bucket::EMPTY; CHUNK_BUCKETS]);

    #[cfg(test)]
    pub fn buckets(&self) -> &[Bucket] {
        &self.0
    }

    /// Gives each entry to `take`. In loops, as an iterator over both takes half as long
    /// again.
    #[inline(always)]
    fn each_entry(&self, mut take: impl FnMut(u16, SlotNumber)) {
        for bucket in &self.0 {
            for place in 0..bucket.len() {
                step();
                let (tag, slot) = bucket.entry(place);
                take(tag, slot);
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
pub type Chunks = SmallVec<[Box<Chunk>; CHUNKS_MAX]>;

pub struct Segment {
    /// More than [`CHUNKS_MAX`] where it cannot be split.
    pub chunks: Chunks,
    len: u32,
    /// How many directory bits all entries of this segment share.
    pub depth: u8,
    /// The bit of the hash a tag begins with.
    pub base: u8,
}

impl Segment {
    /// A segment that is full: the first entry brings the first chunk.
    pub fn new(depth: u8, base: u8) -> Segment {
        Segment {
            chunks: Chunks::new(),
            len: 0,
            depth,
            base,
        }
    }

    #[inline]
    pub fn tag(&self, hash: u64) -> u16 {
        (hash >> self.base) as u16
    }

    /// How many combinations there are of the bits that all entries share.
    pub fn combinations(&self) -> usize {
        1 << self.depth
    }

    #[inline]
    pub fn home(&self, tag: u16) -> usize {
        home(self.chunks.len(), tag)
    }

    #[inline]
    fn buckets(&self) -> usize {
        self.chunks.len() * CHUNK_BUCKETS
    }

    /// Fetches the bucket that a look-up of this tag begins with.
    #[inline]
    pub fn touch(&self, tag: u16) {
        let home = self.home(tag);
        if let Some(chunk) = self.chunks.get(home / CHUNK_BUCKETS) {
            prefetch_index(chunk.0, home % CHUNK_BUCKETS);
        }
    }

    /// A bucket; `None` where there is none yet.
    #[inline]
    pub fn bucket(&self, at: usize) -> Option<&Bucket> {
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
    pub fn is_full(&self) -> bool {
        self.len as usize >= self.chunks.len() * CHUNK_ENTRIES
    }

    /// The bucket and the place in it of the entry that `is_it` recognises, and its slot.
    #[inline]
    pub fn find(
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
                let slot = bucket.slot(place);
                if is_it(slot) {
                    return Some((at, place, slot));
                }
            }
            if !bucket.has_passed(tag) {
                return None;
            }
            at = self.next(at);
            if at == home {
                return None;
            }
        }
    }

    /// The slot of the first entry with this tag.
    pub fn first_of(&self, tag: u16) -> Option<SlotNumber> {
        let (_, _, slot) = self.find(tag, |_| true)?;
        Some(slot)
    }

    /// Adds an entry; there is room for it.
    #[inline]
    pub fn insert(&mut self, tag: u16, slot: SlotNumber) {
        insert(&mut self.chunks, tag, slot);
        self.len += 1;
    }

    pub fn remove(&mut self, tag: u16, is_it: impl FnMut(SlotNumber) -> bool) -> bool {
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
        while self.bucket_mut(gap).passed() > 0
            && let Some((at, place)) = self.find_astray(gap)
        {
            let bucket = self.bucket_mut(at);
            let (tag, slot) = bucket.entry(place);
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
    /// to the first each is emptied into those that have been. What had gone past the last
    /// bucket of a chunk may get home to one that has not been: it is moved again with that.
    pub fn grow(&mut self, chunk: Box<Chunk>) {
        let mut astray = Astray::new();
        self.chunks.push(chunk);
        let chunks = &mut self.chunks[..];
        for from in (0..chunks.len() - 1).rev() {
            let old = std::mem::replace(&mut *chunks[from], Chunk::EMPTY);
            old.each_entry(|tag, slot| {
                let home = home(chunks.len(), tag);
                if !bucket_of(chunks, home).push(tag, slot) {
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
    pub fn split(
        &mut self,
        chunks: Chunks,
        hash_of: impl Fn(SlotNumber) -> u64,
    ) -> (Segment, Chunks) {
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

    pub fn heap_bytes(&self) -> usize {
        let list = if self.chunks.spilled() {
            self.chunks.capacity() * size_of::<Box<Chunk>>()
        } else {
            0
        };
        self.chunks.len() * size_of::<Chunk>() + list
    }
}
