//! Which units with names are free, row by row, and where enough of them are side by side.
//!
//! The bits of all units are one bitmap by number, in which a row is a range. Of each row the
//! longest free run is kept, of every 64 rows the greatest of these, and of every 64 of those
//! again: a million rows of one unit would be scanned by each RESERVE otherwise.
//!
//! # Invariants
//!
//! 1. A row's `longest` is the length of its longest run of free units. In a sealed item,
//!    where nobody chooses, it is 1 while any unit is free.
//! 2. An item's `free` is the number of its free units.
//! 3. No unit of a sealed item before its `oldest` is free.
//!
//! Edge: bits and lengths. Names and who has which unit are `named.rs`, the choice
//! `plan/choose.rs`.

use std::num::NonZeroU16;

use crate::sale::units::ItemIndex;
use crate::table::slab::{Slab, SlotNumber};

/// The number of a unit in its sale, in the order of coming; never given again.
pub type UnitNumber = u32;

/// Rows, or groups of rows, that one greatest run is kept of.
const GROUP: usize = 64;
const WORD_BITS: usize = u64::BITS as usize;

/// Units that were named side by side.
#[derive(Clone, Copy)]
pub struct Row {
    first: UnitNumber,
    pub item: ItemIndex,
    /// Among the rows of its item.
    pub place: u32,
    len: NonZeroU16,
}

impl Row {
    /// Returns where the row is in the bitmap.
    pub fn range(&self) -> std::ops::Range<usize> {
        let first = self.first as usize;
        first..first + usize::from(self.len.get())
    }

    /// Returns the numbers of its units.
    pub fn units(&self) -> std::ops::Range<UnitNumber> {
        self.first..self.first + UnitNumber::from(self.len.get())
    }

    /// Returns the number of its first unit.
    pub fn first(&self) -> UnitNumber {
        self.first
    }
}

/// The rows of one item.
pub struct UnitItem {
    pub sealed: bool,
    /// Free units; of a sealed item those not given out.
    pub free: u64,
    /// Of all its rows, withdrawn ones among them.
    pub units: u64,
    /// Where to look for the next one of a sealed item, which is a queue. 0 in others.
    oldest: UnitNumber,
    /// Numbers of rows, in the order of coming.
    rows: Vec<SlotNumber>,
    /// Of each row the longest free run, of every group of them the greatest, and again.
    longest: [Vec<u16>; 3],
}

impl UnitItem {
    fn new(sealed: bool) -> UnitItem {
        UnitItem {
            sealed,
            free: 0,
            units: 0,
            oldest: 0,
            rows: Vec::new(),
            longest: [Vec::new(), Vec::new(), Vec::new()],
        }
    }

    /// Returns the numbers of its rows, in their order.
    pub fn rows(&self) -> &[SlotNumber] {
        &self.rows
    }

    /// Returns the longest free run of a row.
    pub fn longest(&self, place: usize) -> u16 {
        self.longest[0].get(place).copied().unwrap_or(0)
    }

    /// Returns the first row, from this place on, with a free run of at least so many.
    /// O(rows / 4096 + 128).
    pub fn next_row(&self, from: usize, least: u16) -> Option<usize> {
        let [rows, groups, greatest] = &self.longest;
        let mut at = from;
        while at < rows.len() {
            let group = at / GROUP;
            if at.is_multiple_of(GROUP * GROUP) && *greatest.get(group / GROUP)? < least {
                at += GROUP * GROUP;
            } else if at.is_multiple_of(GROUP) && *groups.get(group)? < least {
                at += GROUP;
            } else {
                let end = ((group + 1) * GROUP).min(rows.len());
                let rest = rows.get(at..end)?;
                if let Some(more) = rest.iter().position(|&longest| longest >= least) {
                    return Some(at + more);
                }
                at = end;
            }
        }
        None
    }

    /// Returns where in the bitmap the free units of a row of this item can be.
    pub fn open_range(&self, row: &Row) -> std::ops::Range<usize> {
        let range = row.range();
        range.start.max(self.oldest as usize)..range.end
    }

    /// Notes that units of a sealed item, in this row, were taken.
    fn note_taken(&mut self, bits: &[u64], row: &Row, first: usize, count: usize) {
        let before = self.open_range(row).start..first;
        let is_first_row =
            self.oldest >= row.first || self.next_row(0, 1) == Some(row.place as usize);
        if is_first_row && before.start <= first && !any_free(bits, before) {
            self.oldest = (first + count) as UnitNumber;
        }
    }

    fn add_row(&mut self, row: SlotNumber) {
        self.rows.push(row);
        self.longest[0].push(0);
        for level in 1..self.longest.len() {
            let groups = self.longest[level - 1].len().div_ceil(GROUP);
            self.longest[level].resize(groups, 0);
        }
    }

    fn set_longest(&mut self, place: usize, longest: u16) {
        let (mut at, mut now) = (place, longest);
        for level in 0..self.longest.len() {
            let Some(kept) = self.longest[level].get_mut(at) else {
                return;
            };
            let before = std::mem::replace(kept, now);
            at /= GROUP;
            let greatest = self.longest.get(level + 1).and_then(|up| up.get(at));
            let Some(&greatest) = greatest else { return };
            if now < before && before == greatest {
                let group = self.longest[level].chunks(GROUP).nth(at);
                now = group
                    .and_then(|group| group.iter().max().copied())
                    .unwrap_or(0);
            } else {
                now = now.max(greatest);
            }
            if now == greatest {
                return;
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        let lists = self
            .longest
            .iter()
            .map(|list| list.capacity() * size_of::<u16>());
        size_of::<UnitItem>()
            + self.rows.capacity() * size_of::<SlotNumber>()
            + lists.sum::<usize>()
    }
}

/// The rows of all items, and a bit for each unit.
pub struct UnitRows {
    /// 1 for a free unit.
    bits: Vec<u64>,
    rows: Slab<Row>,
    /// By item; `None` for a counted one.
    items: Vec<Option<Box<UnitItem>>>,
    /// A unit was to be taken that was not free, or freed that was.
    is_unsound: bool,
}

impl UnitRows {
    pub fn new() -> UnitRows {
        UnitRows {
            bits: Vec::new(),
            rows: Slab::new(),
            items: Vec::new(),
            is_unsound: false,
        }
    }

    /// Has each unit been taken only while it was free, and freed only while it was not?
    #[inline]
    pub fn is_sound(&self) -> bool {
        !self.is_unsound
    }

    #[inline]
    pub fn item(&self, item: ItemIndex) -> Option<&UnitItem> {
        self.items.get(item as usize)?.as_deref()
    }

    fn item_mut(&mut self, item: ItemIndex) -> Option<&mut UnitItem> {
        self.items.get_mut(item as usize)?.as_deref_mut()
    }

    /// Items whose units have names.
    pub fn iter_items(&self) -> impl Iterator<Item = (ItemIndex, &UnitItem)> {
        let items = (0..).zip(&self.items);
        items.filter_map(|(number, item)| Some((number, item.as_deref()?)))
    }

    /// All rows, in the order of coming.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().map(|(_, row)| row)
    }

    pub fn row(&self, row: SlotNumber) -> Option<&Row> {
        self.rows.get(row)
    }

    /// Returns the bits of all units.
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Makes an item one whose units have names, if it is not yet.
    pub fn begin_item(&mut self, item: ItemIndex, sealed: bool) {
        let at = item as usize;
        if self.items.len() <= at {
            self.items.resize_with(at + 1, || None);
        }
        if let Some(place) = self.items.get_mut(at) {
            place.get_or_insert_with(|| Box::new(UnitItem::new(sealed)));
        }
    }

    /// Adds a row of units that are not free yet, behind all others, and returns its number.
    pub fn add_row(&mut self, item: ItemIndex, first: UnitNumber, len: u16) -> Option<SlotNumber> {
        let len = NonZeroU16::new(len)?;
        let number = self.rows.next_slot();
        let to = self.item_mut(item)?;
        let place = to.rows.len() as u32;
        to.add_row(number);
        to.units += u64::from(len.get());
        let row = Row {
            first,
            item,
            place,
            len,
        };
        let words = row.range().end.div_ceil(WORD_BITS);
        self.bits.resize(self.bits.len().max(words), 0);
        Some(self.rows.insert(row))
    }

    #[inline]
    pub fn is_free(&self, unit: UnitNumber) -> bool {
        let word = self.bits.get(unit as usize / WORD_BITS);
        word.is_some_and(|word| word >> (unit as usize % WORD_BITS) & 1 == 1)
    }

    /// Takes so many free units of a row, from this one on, which lie side by side. Reports whether
    /// the longest run of the row is another one now: [`UnitRows::settle`] is to follow, once for
    /// all that is taken of the row.
    pub fn take(&mut self, row: SlotNumber, first: UnitNumber, count: usize) -> bool {
        let Some(&row) = self.rows.get(row) else {
            return false;
        };
        let items = &mut self.items;
        let item = items.get_mut(row.item as usize);
        let Some(item) = item.and_then(Option::as_deref_mut) else {
            return false;
        };
        let cuts = item.sealed || {
            let longest = usize::from(item.longest(row.place as usize));
            run_at(&self.bits, row.range(), first as usize).len() == longest
        };
        self.is_unsound |= set_bits(&mut self.bits, first as usize, count, false);
        item.free = item.free.saturating_sub(count as u64);
        if item.sealed {
            item.note_taken(&self.bits, &row, first as usize, count);
        }
        cuts
    }

    /// Looks for the longest run of a row that units were taken of. O(units of the row).
    pub fn settle(&mut self, row: SlotNumber) {
        let Some(&row) = self.rows.get(row) else {
            return;
        };
        let items = &mut self.items;
        let item = items.get_mut(row.item as usize);
        let Some(item) = item.and_then(Option::as_deref_mut) else {
            return;
        };
        let place = row.place as usize;
        let longest = item.longest(place);
        let now = if item.sealed {
            u16::from(any_free(&self.bits, item.open_range(&row)))
        } else {
            longest_run(&self.bits, row.range(), longest)
        };
        if now != longest {
            item.set_longest(place, now);
        }
    }

    /// Makes so many units of a row free, from this one on.
    pub fn free(&mut self, row: SlotNumber, first: UnitNumber, count: usize) {
        let Some(&row) = self.rows.get(row) else {
            return;
        };
        self.is_unsound |= set_bits(&mut self.bits, first as usize, count, true);
        let run = run_at(&self.bits, row.range(), first as usize);
        let Some(item) = self.item_mut(row.item) else {
            return;
        };
        item.free += count as u64;
        item.oldest = item.oldest.min(first);
        let place = row.place as usize;
        let longest = item.longest(place);
        let now = if item.sealed { 1 } else { run.len() as u16 };
        if now > longest {
            item.set_longest(place, now);
        }
    }

    /// Heap bytes of everything.
    pub fn heap_bytes(&self) -> usize {
        let items = self.items.iter().flatten();
        self.bits.capacity() * size_of::<u64>()
            + self.rows.heap_bytes()
            + self.items.capacity() * size_of::<Option<Box<UnitItem>>>()
            + items.map(|item| item.heap_bytes()).sum::<usize>()
    }

    /// Reports whether a row's longest run and its item's greatest ones are what they should be.
    pub fn is_row_sound(&self, row: &Row) -> bool {
        let Some(item) = self.item(row.item) else {
            return false;
        };
        let longest = longest_run(&self.bits, row.range(), u16::MAX);
        let kept = item.longest(row.place as usize);
        let before = row.range().start..row.range().end.min(item.oldest as usize);
        kept == if item.sealed { longest.min(1) } else { longest } && !any_free(&self.bits, before)
    }

    /// Reports whether the greatest runs of an item are those of its rows.
    pub fn is_item_sound(&self, item: &UnitItem) -> bool {
        let pairs = item.longest.windows(2);
        let is_greatest = |pair: &[Vec<u16>]| {
            let [rows, groups] = pair else { return false };
            let greatest = rows.chunks(GROUP).map(|group| group.iter().max().copied());
            greatest.eq(groups.iter().map(|&greatest| Some(greatest)))
        };
        pairs.into_iter().all(is_greatest)
    }
}

/// Is any unit of a range free?
fn any_free(bits: &[u64], range: std::ops::Range<usize>) -> bool {
    Runs::of(bits, range).next_unit().is_some()
}

/// Sets bits, and reports whether one of them was so before.
fn set_bits(bits: &mut [u64], first: usize, count: usize, to: bool) -> bool {
    let mut was_so = false;
    for at in first..first + count {
        if let Some(word) = bits.get_mut(at / WORD_BITS) {
            let bit = 1 << (at % WORD_BITS);
            was_so |= (*word & bit != 0) == to;
            *word = if to { *word | bit } else { *word & !bit };
        }
    }
    was_so
}

/// Returns the length of the longest run in a range, which is at most `most`: whoever knows
/// that need not look at the rest once there is one.
pub fn longest_run(bits: &[u64], range: std::ops::Range<usize>, most: u16) -> u16 {
    let mut longest = 0;
    for run in Runs::of(bits, range) {
        longest = longest.max(run.len() as u16);
        if longest >= most {
            break;
        }
    }
    longest
}

/// Returns the run of free units around a free one, within its row.
fn run_at(bits: &[u64], row: std::ops::Range<usize>, at: usize) -> std::ops::Range<usize> {
    let mut start = at;
    while start > row.start {
        // As many as are free right before it in its word.
        let before = start - 1;
        let word = bits.get(before / WORD_BITS).copied().unwrap_or(0);
        let shifted = word << (WORD_BITS - 1 - before % WORD_BITS);
        let ones = (shifted.leading_ones() as usize).min(before % WORD_BITS + 1);
        start -= ones;
        if ones == 0 || !start.is_multiple_of(WORD_BITS) {
            break;
        }
    }
    let end = Runs::of(bits, at..row.end).next().map_or(at, |run| run.end);
    start.max(row.start)..end
}

/// The runs of free units of a range of bits, in their order.
pub struct Runs<'b> {
    bits: &'b [u64],
    at: usize,
    end: usize,
}

impl<'b> Runs<'b> {
    pub fn of(bits: &'b [u64], range: std::ops::Range<usize>) -> Runs<'b> {
        Runs {
            bits,
            at: range.start,
            end: range.end.min(bits.len() * WORD_BITS),
        }
    }

    /// Returns the next free unit.
    #[inline]
    pub fn next_unit(&mut self) -> Option<usize> {
        self.skip_to(true);
        let at = self.at;
        self.at += 1;
        (at < self.end).then_some(at)
    }

    /// Moves on to the next bit that is set, or not; to the end where there is none.
    fn skip_to(&mut self, set: bool) {
        while self.at < self.end {
            let word = self.bits.get(self.at / WORD_BITS).copied().unwrap_or(0);
            let word = if set { word } else { !word };
            let rest = word >> (self.at % WORD_BITS);
            if rest != 0 {
                self.at += rest.trailing_zeros() as usize;
                break;
            }
            self.at = (self.at / WORD_BITS + 1) * WORD_BITS;
        }
        self.at = self.at.min(self.end);
    }
}

impl Iterator for Runs<'_> {
    type Item = std::ops::Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<std::ops::Range<usize>> {
        self.skip_to(true);
        let start = self.at;
        if start >= self.end {
            return None;
        }
        self.skip_to(false);
        Some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs by looking at each bit.
    fn slow_runs(bits: &[u64], range: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
        let is_set = |at: usize| bits[at / 64] >> (at % 64) & 1 == 1;
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for at in range.filter(|&at| is_set(at)) {
            match runs.last_mut() {
                Some(last) if last.end == at => last.end += 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    #[test]
    fn runs_are_found_across_words_and_end_with_their_row() {
        let patterns = [0, !0, 0x8000_0000_0000_0001, 0xf0f0_ffff_0000_00ff, 1 << 63];
        for one in patterns {
            for other in patterns {
                let bits = [one, other, one];
                for range in [0..192, 1..64, 63..65, 5..130, 64..128, 60..61, 7..7] {
                    let slow = slow_runs(&bits, range.clone());
                    assert_eq!(Runs::of(&bits, range.clone()).collect::<Vec<_>>(), slow);
                    for run in slow {
                        for at in run.clone() {
                            assert_eq!(run_at(&bits, range.clone(), at), run);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_kept_of_rows_follows_each_unit_taken_and_freed() {
        let mut rows = UnitRows::new();
        rows.begin_item(0, false);
        rows.begin_item(1, true);
        let (mut first, mut numbers) = (0, Vec::new());
        for n in 0..9_000_u32 {
            let len = [1, 3, 70, 200][n as usize % 4];
            let item = u32::from(n % 7 == 0);
            let row = rows.add_row(item, first, len).expect("a row");
            rows.free(row, first, len.into());
            numbers.push((row, first, u32::from(len)));
            first += u32::from(len);
        }
        let mut dice = 7_u64;
        let mut throw = |n: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (dice >> 33) % n
        };
        for _ in 0..20_000 {
            let (row, first, len) = numbers[throw(300) as usize];
            let unit = first + throw(len.into()) as u32;
            match rows.is_free(unit) {
                true => {
                    if rows.take(row, unit, 1) {
                        rows.settle(row);
                    }
                }
                false => rows.free(row, unit, 1),
            }
        }
        assert!(rows.iter().all(|row| rows.is_row_sound(row)));
        for (_, item) in rows.iter_items() {
            assert!(rows.is_item_sound(item));
            let free = item.rows().iter().filter_map(|&row| rows.row(row));
            let free = free.flat_map(|row| Runs::of(rows.bits(), row.range()));
            assert_eq!(item.free, free.map(|run| run.len() as u64).sum::<u64>());
            for (from, least) in [(0, 1), (0, 70), (1, 150), (4_000, 200), (64, 201)] {
                let slow = (from..item.rows().len()).find(|&at| item.longest(at) >= least);
                assert_eq!(item.next_row(from, least), slow);
            }
        }
    }
}
