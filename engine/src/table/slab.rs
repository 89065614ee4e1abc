//! Records at stable slot numbers, in pages that are never moved.
//!
//! Edge: knows nothing of what it keeps. A full page is followed by a new one, so no
//! insertion ever copies the records there are; a slot keeps its number until it is
//! removed, which is what SCAN's cursor and all links between tables rely on.

use prefetch_index::prefetch_index;

use crate::table::work::step;

/// The number of a record; the first free one is reused.
pub type SlotNumber = u32;

/// "No record" in a link.
pub const NONE: SlotNumber = u32::MAX;

/// Most bytes of a page: a size the server's allocator has, so that none are lost to
/// rounding.
const PAGE_BYTES_MAX: usize = 32 * 1024;
/// The allocator has every multiple of it between half a largest page and a whole one.
const PAGE_BYTES_STEP: usize = 4 * 1024;

/// How many entries of this size a page has: a power of two, where that loses nothing to
/// rounding, as a slot is then found without a division.
const fn page_entries(entry_bytes: usize) -> usize {
    let most = PAGE_BYTES_MAX / entry_bytes;
    let power = 1 << most.ilog2();
    if (power * entry_bytes).is_multiple_of(PAGE_BYTES_STEP) {
        power
    } else {
        most
    }
}

enum Entry<T> {
    Full(T),
    /// Head of the rest of the free list.
    Free(SlotNumber),
}

/// Records by slot number.
pub struct Slab<T> {
    pages: Vec<Vec<Entry<T>>>,
    free: SlotNumber,
    len: usize,
    /// Slots ever handed out, free ones included.
    slots: usize,
}

impl<T> Slab<T> {
    const PAGE_ENTRIES: usize = page_entries(size_of::<Entry<T>>());

    pub fn new() -> Slab<T> {
        Slab {
            pages: Vec::new(),
            free: NONE,
            len: 0,
            slots: 0,
        }
    }

    /// Records kept.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// One past the highest slot number handed out so far.
    pub fn slots(&self) -> usize {
        self.slots
    }

    #[inline]
    fn entry(&self, slot: SlotNumber) -> Option<&Entry<T>> {
        step();
        let slot = slot as usize;
        self.pages
            .get(slot / Self::PAGE_ENTRIES)?
            .get(slot % Self::PAGE_ENTRIES)
    }

    fn entry_mut(&mut self, slot: SlotNumber) -> Option<&mut Entry<T>> {
        step();
        let slot = slot as usize;
        self.pages
            .get_mut(slot / Self::PAGE_ENTRIES)?
            .get_mut(slot % Self::PAGE_ENTRIES)
    }

    #[inline]
    pub fn get(&self, slot: SlotNumber) -> Option<&T> {
        match self.entry(slot) {
            Some(Entry::Full(record)) => Some(record),
            _ => None,
        }
    }

    /// Fetches a record that will be looked at; see `Index::touch`.
    #[inline]
    pub fn touch(&self, slot: SlotNumber) {
        let slot = slot as usize;
        if let Some(page) = self.pages.get(slot / Self::PAGE_ENTRIES) {
            // The line it begins on, and the one it may end on.
            prefetch_index(page, slot % Self::PAGE_ENTRIES);
            prefetch_index(page, slot % Self::PAGE_ENTRIES + 1);
        }
    }

    pub fn get_mut(&mut self, slot: SlotNumber) -> Option<&mut T> {
        match self.entry_mut(slot) {
            Some(Entry::Full(record)) => Some(record),
            _ => None,
        }
    }

    /// Where the next record will be kept.
    pub fn next_slot(&self) -> SlotNumber {
        if self.free == NONE {
            self.slots as SlotNumber
        } else {
            self.free
        }
    }

    /// Keeps a record and says where. O(1).
    #[inline(always)]
    pub fn insert(&mut self, record: T) -> SlotNumber {
        self.len += 1;
        if self.free != NONE {
            return self.fill_free(record);
        }
        let slot = self.slots as SlotNumber;
        self.slots += 1;
        match self.pages.last_mut() {
            Some(page) if page.len() < Self::PAGE_ENTRIES => page.push(Entry::Full(record)),
            _ => self.begin_page(record),
        }
        slot
    }

    /// Keeps a record in the place that was left last.
    fn fill_free(&mut self, record: T) -> SlotNumber {
        let slot = self.free;
        if let Some(entry) = self.entry_mut(slot) {
            let next = match entry {
                Entry::Free(next) => *next,
                Entry::Full(_) => NONE,
            };
            *entry = Entry::Full(record);
            self.free = next;
        }
        slot
    }

    /// Keeps a record in a new page. The first one grows with a small sale; later ones come
    /// whole.
    #[cold]
    fn begin_page(&mut self, record: T) {
        let capacity = if self.pages.is_empty() {
            0
        } else {
            Self::PAGE_ENTRIES
        };
        let mut page = Vec::with_capacity(capacity);
        page.push(Entry::Full(record));
        self.pages.push(page);
    }

    /// Takes a record out; its number may be given to another.
    pub fn remove(&mut self, slot: SlotNumber) -> Option<T> {
        let free = self.free;
        let entry = self.entry_mut(slot)?;
        match std::mem::replace(entry, Entry::Free(free)) {
            Entry::Full(record) => {
                self.free = slot;
                self.len -= 1;
                Some(record)
            }
            already_free => {
                *entry = already_free;
                None
            }
        }
    }

    /// All records in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (SlotNumber, &T)> {
        self.pages
            .iter()
            .flatten()
            .inspect(|_| step())
            .enumerate()
            .filter_map(|(slot, entry)| match entry {
                Entry::Full(record) => Some((slot as SlotNumber, record)),
                Entry::Free(_) => None,
            })
    }

    /// Heap bytes of the pages, without what the records point to. O(1): all pages but
    /// the first are whole.
    pub fn heap_bytes(&self) -> usize {
        let first = self.pages.first().map_or(0, Vec::capacity);
        let entries = first + self.pages.len().saturating_sub(1) * Self::PAGE_ENTRIES;
        entries * size_of::<Entry<T>>() + self.pages.capacity() * size_of::<Vec<Entry<T>>>()
    }
}

impl<T> std::ops::Index<SlotNumber> for Slab<T> {
    type Output = T;

    /// # Panics
    ///
    /// When there is no such record. Links between tables are never taken from
    /// outside, so this is a broken invariant and not a bad request; the module breaks the
    /// sale off, see `sale/broken.rs`. The codec's tests live out every sale that a damaged
    /// file or event gets past the decoders, and come to no panic.
    fn index(&self, slot: SlotNumber) -> &T {
        match self.get(slot) {
            Some(record) => record,
            None => panic!("no record at slot {slot}"),
        }
    }
}

impl<T> std::ops::IndexMut<SlotNumber> for Slab<T> {
    fn index_mut(&mut self, slot: SlotNumber) -> &mut T {
        match self.get_mut(slot) {
            Some(record) => record,
            None => panic!("no record at slot {slot}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reuses_the_slot_freed_last_and_moves_nothing_else() {
        let mut slab = Slab::new();
        let slots: Vec<_> = (0..20_000).map(|n| slab.insert(n)).collect();
        assert!(slab.pages.len() > 2);
        assert_eq!(slots, (0..20_000).collect::<Vec<_>>());
        assert_eq!(slab.remove(7), Some(7));
        assert_eq!(slab.remove(7), None);
        assert_eq!(slab.remove(19_999), Some(19_999));
        assert_eq!(slab.insert(70), 19_999);
        assert_eq!(slab.insert(71), 7);
        assert_eq!(slab.insert(72), 20_000);
        assert_eq!(slab.get(8), Some(&8));
        assert_eq!(slab.get(99_999), None);
        assert_eq!(
            (slab.len(), slab.slots(), slab.iter().count()),
            (20_001, 20_001, 20_001)
        );
        let capacity: usize = slab.pages.iter().map(Vec::capacity).sum();
        assert!(slab.heap_bytes() >= capacity * size_of::<Entry<SlotNumber>>());
    }
}
