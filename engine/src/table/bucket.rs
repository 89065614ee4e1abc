//! A bucket of the index: the cache line that a look-up costs.
//!
//! Edge: entries by tag and slot; where a bucket stands among others is `segment.rs`.

use crate::table::slab::{NONE, SlotNumber};

/// Entries of a bucket.
pub const WIDTH: usize = 10;
/// Low bits of a tag that become directory bits.
pub const DIRECTORY_BITS: u8 = 4;

/// A cache line, where the allocator aligns large pieces to one. No `Copy`: a chunk of them
/// was once copied to fetch one.
#[derive(Clone)]
pub struct Bucket {
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

/// The bit of a tag among those that went past a bucket. Of those of its bits that say
/// little about its bucket, and of which directory bits are not made either.
#[inline]
fn passed_bit(tag: u16) -> u8 {
    1 << (tag >> DIRECTORY_BITS & 7)
}

/// A one in each of the four tags of a number.
const LANES: u64 = 0x0001_0001_0001_0001;

/// Places in a bucket, one bit each.
pub struct Places {
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
    pub const EMPTY: Bucket = Bucket {
        tags: [0; WIDTH],
        slots: [NONE; WIDTH],
        len: 0,
        passed_tags: 0,
        passed: 0,
    };

    /// Finds the places of entries that may have this tag: all that do, and rarely one
    /// that does not.
    #[inline]
    pub fn places(&self, tag: u16) -> Places {
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
    pub fn push(&mut self, tag: u16, slot: SlotNumber) -> bool {
        let at = usize::from(self.len);
        if at >= WIDTH {
            return false;
        }
        self.tags[at] = tag;
        self.slots[at] = slot;
        self.len += 1;
        true
    }

    pub fn remove(&mut self, place: usize) {
        let last = usize::from(self.len) - 1;
        self.tags[place] = self.tags[last];
        self.slots[place] = self.slots[last];
        self.len -= 1;
    }

    /// Notes that an entry with this tag goes past.
    #[inline]
    pub fn pass(&mut self, tag: u16) {
        self.passed = self.passed.saturating_add(1);
        self.passed_tags |= passed_bit(tag);
    }

    /// Notes that an entry which went past does so no more.
    pub fn unpass(&mut self) {
        if self.passed < u16::MAX {
            self.passed -= 1;
        }
        if self.passed == 0 {
            self.passed_tags = 0;
        }
    }

    /// Can an entry with this tag have gone past?
    #[inline]
    pub fn has_passed(&self, tag: u16) -> bool {
        self.passed_tags & passed_bit(tag) != 0
    }

    /// How many entries went past.
    #[inline]
    pub fn passed(&self) -> u16 {
        self.passed
    }

    #[inline]
    pub fn slot(&self, place: usize) -> SlotNumber {
        self.slots[place]
    }

    /// The tag and the slot at a place.
    #[inline]
    pub fn entry(&self, place: usize) -> (u16, SlotNumber) {
        (self.tags[place], self.slots[place])
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.len).min(WIDTH)
    }

    #[inline]
    pub fn entries(&self) -> impl Iterator<Item = (u16, SlotNumber)> {
        let entries = self.tags.iter().copied().zip(self.slots.iter().copied());
        entries.take(usize::from(self.len))
    }
}
