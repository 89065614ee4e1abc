//! The places of up to 64 numbers of one line that follow each other.
//!
//! Records are kept of the living only, and found by counting bits: of a line that nearly
//! everybody has left, little remains.
//!
//! Edge: records by number; which line a page is of, and who is found how, is `mod.rs`.

use crate::table::name::PackedName;
use crate::table::slab::SlotNumber;

/// Numbers of a page.
pub(super) const PAGE_NUMBERS: u64 = 64;

/// One who waits, as a page keeps it.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub id: PackedName,
    pub user: PackedName,
    /// Units, or [`Record::WIDE`] where they are kept elsewhere.
    pub qty: u32,
}

impl Record {
    /// Stands for a quantity that is kept elsewhere.
    pub const WIDE: u32 = u32::MAX;
}

/// The living of 64 numbers.
pub(super) struct Page {
    /// The line of these places.
    pub line: SlotNumber,
    /// The first of the numbers, a multiple of 64.
    pub first: u64,
    /// A bit for each number: is somebody there?
    living: u64,
    /// Of the living, by number.
    records: Vec<Record>,
}

impl Page {
    pub fn new(line: SlotNumber, first: u64) -> Page {
        Page {
            line,
            first,
            living: 0,
            records: Vec::new(),
        }
    }

    /// The living.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn is_living(&self, bit: u32) -> bool {
        self.living >> bit & 1 == 1
    }

    fn rank(&self, bit: u32) -> usize {
        (self.living & ((1 << bit) - 1)).count_ones() as usize
    }

    #[inline]
    pub fn get(&self, bit: u32) -> Option<&Record> {
        if !self.is_living(bit) {
            return None;
        }
        self.records.get(self.rank(bit))
    }

    /// Keeps a record at a number where nobody is.
    pub fn insert(&mut self, bit: u32, record: Record) {
        if self.records.len() == self.records.capacity() {
            // Sizes that the server's allocator has, up to all of them.
            let more = self.records.len().max(2).min(64 - self.records.len());
            self.records.reserve_exact(more);
        }
        self.records.insert(self.rank(bit), record);
        self.living |= 1 << bit;
    }

    /// Takes out whoever is at this number.
    pub fn take(&mut self, bit: u32) -> Option<Record> {
        if !self.is_living(bit) {
            return None;
        }
        let record = self.records.remove(self.rank(bit));
        self.living &= !(1 << bit);
        if 2 * self.records.len() < self.records.capacity() {
            self.records
                .shrink_to(self.records.len().next_power_of_two());
        }
        Some(record)
    }

    /// Everybody, by number: the bit and the record.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Record)> {
        let bits = (0..64).filter(|&bit| self.is_living(bit));
        bits.zip(&self.records)
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::name::{Names, Spelling};

    #[test]
    fn a_place_is_40_bytes() {
        assert_eq!(size_of::<Record>(), 40);
        assert!(size_of::<Page>() <= 48);
    }

    #[test]
    fn keeps_the_living_by_number_and_shrinks_as_they_leave() {
        let mut names = Names::new();
        let mut record = |qty: u32| {
            let name = names.pack(Spelling::of(b"ann"));
            Record {
                id: name,
                user: name,
                qty,
            }
        };
        let mut page = Page::new(0, 0);
        for bit in (0..64).rev() {
            page.insert(bit, record(bit));
        }
        assert_eq!((page.len(), page.heap_bytes()), (64, 64 * 40));
        for bit in 0..64 {
            assert_eq!(page.get(bit).map(|record| record.qty), Some(bit));
        }
        for bit in (0..64).filter(|&bit| bit != 37) {
            assert_eq!(page.take(bit).map(|record| record.qty), Some(bit));
            assert!(page.take(bit).is_none() && page.get(bit).is_none());
        }
        assert!(page.heap_bytes() <= 2 * 40);
        let all: Vec<_> = page.iter().map(|(bit, record)| (bit, record.qty)).collect();
        assert_eq!(all, [(37, 37)]);
        page.insert(5, record(5));
        let all: Vec<_> = page.iter().map(|(bit, record)| (bit, record.qty)).collect();
        assert_eq!(all, [(5, 5), (37, 37)]);
    }
}
