//! A segment of the index: chunks of buckets that share some bits of their hashes. The one of
//! a small index has a few buckets instead.
//!
//! Edge: tags and slots; which hashes a segment is for is `index.rs`.

use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use crate::table::bucket::{Bucket, DIRECTORY_BITS, WIDTH};
use crate::table::slab::SlotNumber;
use crate::table::work::step;

/// Buckets of a chunk: 1 KiB, a size that the server's allocator has.
const CHUNK_BUCKETS: usize = 16;
/// Most chunks of a segment when it is split.
pub const CHUNKS_MAX: usize = 8;
/// Entries of a bucket, on average, when its segment is full: nine tenths, so that few
/// entries go past their bucket.
const BUCKET_ENTRIES: u32 = WIDTH as u32 * 9 / 10;
/// Entries of a chunk in a segment that is full.
const CHUNK_ENTRIES: usize = CHUNK_BUCKETS * BUCKET_ENTRIES as usize;
/// Most entries of a segment when it is split.
pub const ENTRIES_MAX: usize = CHUNKS_MAX * CHUNK_ENTRIES;
/// Splits that move entries by the bits kept of their hashes.
pub const SPLITS_PER_REFRESH: u8 = DIRECTORY_BITS;

/// The rows whose slots an index keeps, for when it needs their hashes again.
pub trait Rows {
    fn hash(&self, slot: SlotNumber) -> u64;

    /// Fetches what [`Rows::hash`] will read: many rows are hashed one after the other, and
    /// each would wait for memory by itself.
    fn touch(&self, slot: SlotNumber);
}

/// Rows that are mostly in the processor's cache.
impl<F: Fn(SlotNumber) -> u64> Rows for F {
    fn hash(&self, slot: SlotNumber) -> u64 {
        self(slot)
    }

    fn touch(&self, _: SlotNumber) {}
}

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

/// The bucket of so many that an entry belongs in. By the high bits of the tag: the low ones
/// are the first to become directory bits, which all entries share.
#[inline]
fn home(buckets: u32, tag: u16) -> usize {
    ((u64::from(tag) * u64::from(buckets)) >> u16::BITS) as usize
}

/// How many entries these chunks have.
fn entries_of(chunks: &[Box<Chunk>]) -> u32 {
    let buckets = chunks.iter().flat_map(|chunk| &chunk.0);
    buckets.map(|bucket| bucket.len() as u32).sum()
}

/// Entries that are to go where there is room when all others are at home. On the stack,
/// but for those of a segment that takes fresh bits for its tags.
type Astray = SmallVec<[(u16, SlotNumber); 128]>;

/// Chunks in their order.
pub type Chunks = SmallVec<[Box<Chunk>; CHUNKS_MAX]>;

pub struct Segment {
    /// More than [`CHUNKS_MAX`] where it cannot be split.
    pub chunks: Chunks,
    /// The buckets before there is a chunk: half of one at most.
    few: Box<[Bucket]>,
    len: u32,
    /// How many buckets there are.
    buckets: u32,
    /// With so many entries it is full.
    full_at: u32,
    /// With so many entries it is to be split.
    split_at: u32,
    /// See [`Segment::insertions`].
    insertions: u32,
    /// How many directory bits all entries of this segment share.
    pub depth: u8,
    /// The bit of the hash a tag begins with.
    pub base: u8,
}

impl Segment {
    /// A segment of these chunks, which are empty, to be split at so many entries. Without a
    /// chunk it is full: the first entry brings the first bucket.
    pub fn new(depth: u8, base: u8, chunks: Chunks, split_at: u32) -> Segment {
        let mut segment = Segment {
            few: Box::default(),
            len: 0,
            buckets: 0,
            full_at: 0,
            split_at,
            insertions: 1,
            chunks,
            depth,
            base,
        };
        segment.count_buckets(segment.chunks.len() * CHUNK_BUCKETS);
        segment
    }

    /// Notes how many buckets there are, and with how many entries they are full.
    fn count_buckets(&mut self, buckets: usize) {
        self.buckets = buckets as u32;
        self.full_at = self.buckets * BUCKET_ENTRIES;
        // One that is past it already cannot be split.
        if self.len < self.split_at {
            self.full_at = self.full_at.min(self.split_at);
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
    fn home(&self, tag: u16) -> usize {
        home(self.buckets, tag)
    }

    #[inline]
    fn buckets(&self) -> usize {
        self.buckets as usize
    }

    /// A number that is another one after each insertion; never 0.
    #[inline]
    pub fn insertions(&self) -> u32 {
        self.insertions
    }

    /// Fetches the bucket that a look-up of this tag begins with.
    #[inline]
    pub fn touch(&self, tag: u16) {
        let home = self.home(tag);
        if let Some(chunk) = self.chunks.get(home / CHUNK_BUCKETS) {
            prefetch_index(&chunk.0[..], home % CHUNK_BUCKETS);
        }
    }

    /// A bucket; `None` where there is none yet.
    #[inline]
    fn bucket(&self, at: usize) -> Option<&Bucket> {
        match self.chunks.get(at / CHUNK_BUCKETS) {
            Some(chunk) => Some(&chunk.0[at % CHUNK_BUCKETS]),
            None => self.few.get(at),
        }
    }

    #[inline]
    fn bucket_mut(&mut self, at: usize) -> &mut Bucket {
        match self.chunks.get_mut(at / CHUNK_BUCKETS) {
            Some(chunk) => &mut chunk.0[at % CHUNK_BUCKETS],
            None => &mut self.few[at],
        }
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.buckets() { 0 } else { at + 1 }
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.len >= self.full_at
    }

    /// Has it as many entries as it may have without a split?
    pub fn is_to_split(&self) -> bool {
        self.len >= self.split_at
    }

    /// Returns how many chunks half of the entries need: a few more than half must fit in.
    pub fn chunks_for_half(&self) -> usize {
        (self.len as usize * 9 / 16).div_ceil(CHUNK_ENTRIES)
    }

    /// The bucket and the place in it of the entry that `is_it` recognises, and its slot.
    #[inline]
    pub fn find(
        &self,
        tag: u16,
        is_it: impl FnMut(SlotNumber) -> bool,
    ) -> Option<(usize, usize, SlotNumber)> {
        self.find_from(self.home(tag), tag, is_it)
    }

    /// Finds the entry as [`Segment::find`] does, but begins at a bucket behind the home of the
    /// tag.
    #[inline]
    fn find_from(
        &self,
        mut at: usize,
        tag: u16,
        mut is_it: impl FnMut(SlotNumber) -> bool,
    ) -> Option<(usize, usize, SlotNumber)> {
        let home = self.home(tag);
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
    #[inline(always)]
    pub fn first_of(&self, tag: u16) -> Option<SlotNumber> {
        let home = self.home(tag);
        let bucket = self.bucket(home)?;
        match bucket.places(tag).next() {
            Some(place) => Some(bucket.slot(place)),
            None if !bucket.has_passed(tag) => None,
            None => self.first_behind(home, tag),
        }
    }

    /// The slot of the first entry with this tag that went past its home.
    fn first_behind(&self, home: usize, tag: u16) -> Option<SlotNumber> {
        let (_, _, slot) = self.find_from(self.next(home), tag, |_| true)?;
        Some(slot)
    }

    /// Adds an entry; there is room for it.
    #[inline]
    pub fn insert(&mut self, tag: u16, slot: SlotNumber) {
        self.put(tag, slot);
        self.len += 1;
        self.insertions = self.insertions.wrapping_add(1).max(1);
    }

    /// Puts an entry where there is room for it.
    #[inline(always)]
    fn put(&mut self, tag: u16, slot: SlotNumber) {
        let mut at = self.home(tag);
        loop {
            step();
            let bucket = self.bucket_mut(at);
            if bucket.push(tag, slot) {
                return;
            }
            bucket.pass(tag);
            at = self.next(at);
        }
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

    /// Makes room without a chunk; false where one is to be added.
    pub fn grow_few(&mut self) -> bool {
        let buckets = (self.buckets() * 2).max(1);
        if buckets < CHUNK_BUCKETS {
            self.count_buckets(buckets);
            self.put_few(vec![Bucket::EMPTY; buckets].into());
        }
        buckets < CHUNK_BUCKETS
    }

    /// Replaces the few buckets by these, and puts what they had where it belongs now.
    fn put_few(&mut self, few: Box<[Bucket]>) {
        for bucket in &std::mem::replace(&mut self.few, few) {
            for (tag, slot) in bucket.entries() {
                self.put(tag, slot);
            }
        }
    }

    /// Returns how many chunks are to be added to a segment that is full: two from five on,
    /// as each growth moves all entries, but none that it does not need until it is split.
    pub fn chunks_to_grow(&self) -> usize {
        let chunks = self.chunks.len();
        let last = (self.split_at as usize).div_ceil(CHUNK_ENTRIES);
        let more = if chunks < 5 { 1 } else { 2 };
        more.min(last.saturating_sub(chunks)).max(1)
    }

    /// Makes room by these chunks, which are empty. Every home moves up or stays, so from the
    /// last old chunk to the first each is emptied into those that have been. What had gone
    /// past the last bucket of a chunk may get home to one that has not been: it is moved
    /// again with that.
    pub fn grow(&mut self, more: Chunks) {
        let own = self.chunks.len();
        let mut astray = Astray::new();
        self.chunks.extend(more);
        self.count_buckets(self.chunks.len() * CHUNK_BUCKETS);
        let (buckets, chunks) = (self.buckets, &mut self.chunks[..]);
        for from in (0..own).rev() {
            let old = std::mem::replace(&mut *chunks[from], Chunk::EMPTY);
            old.each_entry(|tag, slot| {
                if !bucket_of(chunks, home(buckets, tag)).push(tag, slot) {
                    astray.push((tag, slot));
                }
            });
        }
        for (tag, slot) in astray {
            self.put(tag, slot);
        }
        self.put_few(Box::default());
    }

    /// Moves what has the next directory bit set into a new segment of these chunks, to be
    /// split at so many entries, and the rest into as many of its own. Returns the new segment
    /// and the chunks left over.
    pub fn split(&mut self, chunks: Chunks, split_at: u32, rows: &impl Rows) -> (Segment, Chunks) {
        let (bit, used) = (self.depth, self.depth - self.base);
        let (each, own) = (chunks.len(), self.chunks.len());
        self.depth += 1;
        self.len = 0;
        self.count_buckets(each * CHUNK_BUCKETS);
        // Behind its own for as long as it takes.
        self.chunks.extend(chunks);
        let astray = if used == SPLITS_PER_REFRESH {
            self.base = self.depth;
            let base = self.base;
            for chunk in &self.chunks[..own] {
                chunk.each_entry(|_, slot| rows.touch(slot));
            }
            self.divide(own, |_, slot| {
                let hash = rows.hash(slot);
                ((hash >> base) as u16, hash >> bit & 1 == 1)
            })
        } else {
            self.divide(own, |tag, _| (tag, tag >> used & 1 == 1))
        };
        let mut chunks = std::mem::take(&mut self.chunks).into_iter();
        self.chunks = chunks.by_ref().take(each).collect();
        let left_over = chunks.by_ref().take(own - each).collect();
        let mut upper = Segment {
            insertions: self.insertions,
            ..Segment::new(self.depth, self.base, chunks.collect(), split_at)
        };
        for (segment, astray) in [&mut *self, &mut upper].into_iter().zip(astray) {
            segment.len = entries_of(&segment.chunks);
            segment.take_in(astray);
        }
        (upper, left_over)
    }

    /// Moves entries into the chunks behind the first `own`, where `divided` says so, and the
    /// others into as many of the first, from now on by the tag that it gives: from the first
    /// chunk to the last each is emptied into those that have been. Returns what found no
    /// room at home, of each side.
    #[inline(always)]
    fn divide(
        &mut self,
        own: usize,
        divided: impl Fn(u16, SlotNumber) -> (u16, bool),
    ) -> [Astray; 2] {
        let mut astray = [Astray::new(), Astray::new()];
        let (buckets, chunks) = (self.buckets, &mut self.chunks[..]);
        for from in 0..own {
            let old = std::mem::replace(&mut *chunks[from], Chunk::EMPTY);
            old.each_entry(|tag, slot| {
                let (tag, goes_up) = divided(tag, slot);
                let side = usize::from(goes_up);
                let home = home(buckets, tag) + side * own * CHUNK_BUCKETS;
                let is_emptied = goes_up || home / CHUNK_BUCKETS <= from;
                if !(is_emptied && bucket_of(chunks, home).push(tag, slot)) {
                    astray[side].push((tag, slot));
                }
            });
        }
        astray
    }

    /// Adds entries, which may be more than there is room for.
    fn take_in(&mut self, entries: Astray) {
        for (tag, slot) in entries {
            if self.len >= self.buckets * BUCKET_ENTRIES {
                self.grow(Chunks::from_iter([Box::new(Chunk::EMPTY)]));
            }
            self.put(tag, slot);
            self.len += 1;
        }
    }

    pub fn heap_bytes(&self) -> usize {
        let list = if self.chunks.spilled() {
            self.chunks.capacity() * size_of::<Box<Chunk>>()
        } else {
            0
        };
        self.few.len() * size_of::<Bucket>() + self.chunks.len() * size_of::<Chunk>() + list
    }
}
