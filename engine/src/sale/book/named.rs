//! The units with names of a sale: by number, by name, and by who has them.
//!
//! # Invariants
//!
//! 1. A unit is free, withdrawn, or in exactly one reservation or order. One of a sealed item
//!    is not given out, withdrawn, or in exactly one order.
//! 2. A name is that of one unit, for good: units are withdrawn, never removed.
//! 3. The units of a reservation are a chain in the order of its lines, ascending within each.
//!
//! Edge: keeps names and holders. Stock is moved by `apply.rs`, which also knows when; which
//! units are free is `rows.rs`.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::sale::book::reservation::Slot;
pub use crate::sale::book::rows::UnitNumber;
use crate::sale::book::rows::{Row, UnitItem, UnitRows};
use crate::sale::units::ItemIndex;
use crate::table::hash::Hasher;
use crate::table::index::Index;
use crate::table::name::{Key, Names, PackedName, Spelling};
use crate::table::slab::{NONE, Slab, SlotNumber};

/// Longest name of a unit, in bytes.
pub const UNIT_BYTES_MAX: usize = 128;
/// Most units that one RESTOCK names.
pub const RESTOCK_UNITS_MAX: usize = 10_000;
/// Most units with names in one reservation, whatever ORDERLIMIT says.
pub const ORDER_UNITS_MAX: u64 = 1_000;

/// Units of one reservation, order or refund.
pub type UnitList = SmallVec<[UnitNumber; 4]>;

/// Bits of a unit's flags.
const WITHDRAWN: u8 = 1;
/// A buyer has seen the name of a sealed unit: it never sells again.
const SEEN: u8 = 2;

/// A unit in its table: 32 bytes.
struct Unit {
    name: PackedName,
    flags: u8,
    holder: Slot,
    /// The next one of the same holder.
    next: UnitNumber,
    row: SlotNumber,
}

/// The units with names of a sale.
pub struct NamedUnits {
    units: Slab<Unit>,
    names: Names,
    by_name: Index,
    rows: UnitRows,
    /// Of each reservation the first unit.
    heads: Heads,
    /// What expired reservations had, until the end of their grace.
    late: BTreeMap<Slot, Box<[UnitNumber]>>,
    late_bytes: usize,
    /// Of a sealed item that was counted while reservations expired: the latest deadline of those
    /// that were within their grace when it got its first names.
    counted_until: BTreeMap<ItemIndex, u64>,
    hasher: Hasher,
}

impl NamedUnits {
    pub fn new(hasher: Hasher) -> NamedUnits {
        NamedUnits {
            units: Slab::new(),
            names: Names::new(),
            by_name: Index::new(),
            rows: UnitRows::new(),
            heads: Heads::default(),
            late: BTreeMap::new(),
            late_bytes: 0,
            counted_until: BTreeMap::new(),
            hasher,
        }
    }

    /// More units than any setting allows, and fewer than there are numbers.
    pub const LEN_MAX: usize = 1 << 30;

    /// Can a RESTOCK of an item name this unit: to bring it back on sale, or to withdraw it?
    pub fn may_restock(&self, unit: UnitNumber, item: Option<ItemIndex>, withdraw: bool) -> bool {
        let is_fit = if withdraw {
            self.is_free(unit)
        } else {
            self.is_withdrawn(unit) && !self.is_seen(unit)
        };
        is_fit && item.is_some() && self.item_of(unit) == item
    }

    /// Has each unit been in one hand at a time?
    #[inline]
    pub fn is_sound(&self) -> bool {
        self.rows.is_sound()
    }

    /// Units known, withdrawn ones among them.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// The rows, and which units are free.
    pub fn rows(&self) -> &UnitRows {
        &self.rows
    }

    /// What is kept of an item, if its units have names.
    #[inline]
    pub fn item(&self, item: ItemIndex) -> Option<&UnitItem> {
        self.rows.item(item)
    }

    /// Are the units of this item numbers of a list, as those of a sealed one are not before
    /// they are sold?
    #[inline]
    pub fn is_open_item(&self, item: ItemIndex) -> bool {
        self.item(item).is_some_and(|item| !item.sealed)
    }

    #[inline]
    pub fn is_sealed_item(&self, item: ItemIndex) -> bool {
        self.item(item).is_some_and(|item| item.sealed)
    }

    /// Looks a name up. O(1).
    pub fn find(&self, key: Key<'_>) -> Option<UnitNumber> {
        let is_it = |number: UnitNumber| {
            let unit = self.units.get(number);
            unit.is_some_and(|unit| self.names.is(&unit.name, key.spelling()))
        };
        self.by_name.find(key.hash(), is_it)
    }

    /// Looks the bytes of a name up. O(1).
    pub fn find_bytes(&self, name: &[u8]) -> Option<UnitNumber> {
        self.find(self.hasher.key(name))
    }

    pub fn name(&self, unit: UnitNumber) -> Option<Spelling<'_>> {
        let unit = self.units.get(unit)?;
        Some(self.names.spelling(&unit.name))
    }

    /// The row of a unit.
    pub fn row(&self, unit: UnitNumber) -> Option<&Row> {
        self.rows.row(self.row_of(unit))
    }

    fn row_of(&self, unit: UnitNumber) -> SlotNumber {
        self.units.get(unit).map_or(NONE, |unit| unit.row)
    }

    /// The item of a unit, `None` for an unknown number.
    #[inline]
    pub fn item_of(&self, unit: UnitNumber) -> Option<ItemIndex> {
        Some(self.row(unit)?.item)
    }

    /// Is it free; of a sealed item, not given out?
    #[inline]
    pub fn is_free(&self, unit: UnitNumber) -> bool {
        self.rows.is_free(unit)
    }

    pub fn is_withdrawn(&self, unit: UnitNumber) -> bool {
        let unit = self.units.get(unit);
        unit.is_some_and(|unit| unit.flags & WITHDRAWN != 0)
    }

    /// Has a buyer seen the name of this sealed unit?
    pub fn is_seen(&self, unit: UnitNumber) -> bool {
        let unit = self.units.get(unit);
        unit.is_some_and(|unit| unit.flags & SEEN != 0)
    }

    /// What has the unit, [`NONE`] for nothing.
    pub fn holder(&self, unit: UnitNumber) -> Slot {
        self.units.get(unit).map_or(NONE, |unit| unit.holder)
    }

    /// The units that a reservation or an order has, in order.
    pub fn held_by(&self, slot: Slot) -> impl Iterator<Item = UnitNumber> {
        let mut at = self.heads.get(slot);
        // One more than there are ends a chain that goes round.
        let most = self.units.len();
        std::iter::from_fn(move || {
            let unit = self.units.get(at)?;
            Some(std::mem::replace(&mut at, unit.next))
        })
        .take(most)
    }

    /// What an expired reservation had, within its grace.
    pub fn late_of(&self, slot: Slot) -> &[UnitNumber] {
        self.late.get(&slot).map_or(&[], |units| units)
    }

    /// Makes an item one whose units have names, if it is not yet.
    pub fn begin_item(&mut self, item: ItemIndex, sealed: bool) {
        self.rows.begin_item(item, sealed);
    }

    /// Makes units of an item known, side by side; none is free yet. Returns the first.
    /// Names are of nobody and not twice there.
    pub fn add<'n>(
        &mut self,
        item: ItemIndex,
        sealed: bool,
        names: impl ExactSizeIterator<Item = Key<'n>>,
    ) -> Option<UnitNumber> {
        self.begin_item(item, sealed);
        let first = self.units.next_slot();
        let len = u16::try_from(names.len()).ok()?;
        let row = self.rows.add_row(item, first, len)?;
        for key in names {
            let unit = Unit {
                name: self.names.pack(key.spelling()),
                flags: WITHDRAWN,
                holder: NONE,
                next: NONE,
                row,
            };
            let number = self.units.insert(unit);
            let (units, names, hasher) = (&self.units, &self.names, self.hasher);
            self.by_name
                .insert(key.hash(), number, |number: SlotNumber| {
                    let unit = units.get(number);
                    unit.map_or(0, |unit| hasher.hash(names.spelling(&unit.name)))
                });
        }
        Some(first)
    }

    /// Calls what follows for each part of a list that lies side by side in one row.
    fn for_each_part(
        &mut self,
        units: &[UnitNumber],
        mut part: impl FnMut(&mut UnitRows, SlotNumber, UnitNumber, usize),
    ) {
        let mut rest = units;
        while let Some(&first) = rest.first() {
            let row = self.row_of(first);
            let pairs = (first..).zip(rest);
            let count = pairs
                .take_while(|&(number, &unit)| number == unit && self.row_of(unit) == row)
                .count();
            part(&mut self.rows, row, first, count);
            rest = rest.get(count..).unwrap_or_default();
        }
    }

    fn set_free(&mut self, units: &[UnitNumber]) {
        self.for_each_part(units, UnitRows::free);
    }

    /// Takes free units. Each row is looked through once, however many of its units are among
    /// them. O(units log units + units of the rows).
    fn set_taken(&mut self, units: &[UnitNumber]) {
        let mut cut = SmallVec::<[SlotNumber; 2]>::new();
        self.for_each_part(units, |rows, row, first, count| {
            if rows.take(row, first, count) && cut.last() != Some(&row) {
                cut.push(row);
            }
        });
        cut.sort_unstable();
        cut.dedup();
        for row in cut {
            self.rows.settle(row);
        }
    }

    /// Gives free units to a reservation or an order that has none, in order.
    pub fn hold(&mut self, slot: Slot, units: &[UnitNumber]) {
        self.set_taken(units);
        self.chain(slot, units);
    }

    /// Gives free sealed units to a reservation, and puts all it has in this order.
    pub fn give_out(&mut self, slot: Slot, sealed: &[UnitNumber], all: &[UnitNumber]) {
        self.set_taken(sealed);
        self.chain(slot, all);
    }

    /// Puts the units that a reservation or an order has in this order.
    pub fn chain(&mut self, slot: Slot, units: &[UnitNumber]) {
        let mut next = NONE;
        for &number in units.iter().rev() {
            if let Some(unit) = self.units.get_mut(number) {
                (unit.holder, unit.next) = (slot, next);
                next = number;
            }
        }
        self.heads.set(slot, next);
    }

    /// Makes the units of a reservation free, and returns them. O(units).
    pub fn release(&mut self, slot: Slot) -> UnitList {
        let units: UnitList = self.held_by(slot).collect();
        for &number in &units {
            if let Some(unit) = self.units.get_mut(number) {
                (unit.holder, unit.next) = (NONE, NONE);
            }
        }
        self.heads.set(slot, NONE);
        self.set_free(&units);
        units
    }

    /// Keeps what an expired reservation had until the end of its grace.
    pub fn keep_late(&mut self, slot: Slot, units: &[UnitNumber]) {
        if !units.is_empty() {
            self.late_bytes += size_of_val(units);
            self.late.insert(slot, units.into());
        }
    }

    /// Ends the claims on a sealed item of what expired up to this moment: the item was counted.
    pub fn note_counted(&mut self, item: ItemIndex, until_ms: u64) {
        self.counted_until.insert(item, until_ms);
    }

    /// Until when the deadlines of a sealed item were those of counted units, in Unix
    /// milliseconds.
    pub fn counted_until_ms(&self, item: ItemIndex) -> Option<u64> {
        self.counted_until.get(&item).copied()
    }

    /// Forgets what an expired reservation had, and returns it.
    pub fn take_late(&mut self, slot: Slot) -> Box<[UnitNumber]> {
        let units = self.late.remove(&slot).unwrap_or_default();
        self.late_bytes -= size_of_val(&*units);
        units
    }

    /// Takes units back from an order; those of a sealed item, and all unless it `restocks`,
    /// are withdrawn. O(units of the order).
    pub fn take_back(&mut self, units: &[UnitNumber], restocks: bool) {
        for &number in units {
            let is_sealed = self
                .item_of(number)
                .is_some_and(|item| self.is_sealed_item(item));
            if let Some(unit) = self.units.get_mut(number) {
                (unit.holder, unit.next) = (NONE, NONE);
                if is_sealed {
                    unit.flags |= WITHDRAWN | SEEN;
                } else if !restocks {
                    unit.flags |= WITHDRAWN;
                }
            }
            if restocks && !is_sealed {
                self.set_free(&[number]);
            }
        }
    }

    /// Puts withdrawn units on sale.
    pub fn offer(&mut self, units: &[UnitNumber]) {
        for &number in units {
            if let Some(unit) = self.units.get_mut(number) {
                unit.flags &= !WITHDRAWN;
            }
        }
        self.set_free(units);
    }

    /// Takes free units off sale.
    pub fn withdraw(&mut self, units: &[UnitNumber]) {
        for &number in units {
            if let Some(unit) = self.units.get_mut(number) {
                unit.flags |= WITHDRAWN;
            }
        }
        self.set_taken(units);
    }

    /// Notes of a withdrawn unit of a snapshot that a buyer has seen its name.
    pub fn note_seen(&mut self, unit: UnitNumber) {
        if let Some(unit) = self.units.get_mut(unit) {
            unit.flags |= SEEN;
        }
    }

    /// Heap bytes of everything.
    pub fn heap_bytes(&self) -> usize {
        self.units.heap_bytes()
            + self.names.heap_bytes()
            + self.by_name.heap_bytes()
            + self.rows.heap_bytes()
            + self.heads.heap_bytes()
            + self.late_bytes
            // As a B-tree keeps them, at its usual filling.
            + self.late.len() * 2 * size_of::<(Slot, Box<[UnitNumber]>)>()
            + self.counted_until.len() * 2 * size_of::<(ItemIndex, u64)>()
    }

    /// How much work freeing the units is, in records.
    pub fn free_effort(&self) -> usize {
        self.units.len() + self.late.len()
    }

    /// Reservations within their grace that had units.
    pub fn late_len(&self) -> usize {
        self.late.len()
    }
}

/// Of each reservation its first unit, in pages that are never moved.
#[derive(Default)]
struct Heads {
    pages: Vec<Option<Box<[UnitNumber; HEADS_PER_PAGE]>>>,
}

const HEADS_PER_PAGE: usize = 1_024;

impl Heads {
    fn get(&self, slot: Slot) -> UnitNumber {
        let slot = slot as usize;
        let page = self
            .pages
            .get(slot / HEADS_PER_PAGE)
            .and_then(Option::as_ref);
        let head = page.and_then(|page| page.get(slot % HEADS_PER_PAGE));
        head.copied().unwrap_or(NONE)
    }

    fn set(&mut self, slot: Slot, head: UnitNumber) {
        let (page, at) = (
            slot as usize / HEADS_PER_PAGE,
            slot as usize % HEADS_PER_PAGE,
        );
        if self.pages.len() <= page {
            if head == NONE {
                return;
            }
            self.pages.resize_with(page + 1, || None);
        }
        let Some(page) = self.pages.get_mut(page) else {
            return;
        };
        if page.is_none() && head == NONE {
            return;
        }
        let page = page.get_or_insert_with(|| Box::new([NONE; HEADS_PER_PAGE]));
        if let Some(place) = page.get_mut(at) {
            *place = head;
        }
    }

    fn heap_bytes(&self) -> usize {
        let pages = self.pages.iter().flatten().count();
        self.pages.capacity() * size_of::<Option<Box<[UnitNumber; HEADS_PER_PAGE]>>>()
            + pages * size_of::<[UnitNumber; HEADS_PER_PAGE]>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    fn named(rows: &[(ItemIndex, bool, u32)]) -> NamedUnits {
        let mut named = NamedUnits::new(HASHER);
        for &(item, sealed, len) in rows {
            let names: Vec<String> = (0..len)
                .map(|n| format!("{item}-{}-{n}", named.len()))
                .collect();
            let keys = names.iter().map(|name| HASHER.key(name.as_bytes()));
            let first = named.add(item, sealed, keys).expect("a row");
            let units: UnitList = (first..first + len).collect();
            named.offer(&units);
        }
        named
    }

    #[test]
    fn a_unit_is_32_bytes_and_all_of_it_45() {
        assert_eq!(size_of::<Unit>(), 32);
        let rows: Vec<(ItemIndex, bool, u32)> = (0..1_000).map(|_| (0, false, 80)).collect();
        let named = named(&rows);
        let bytes = named.heap_bytes();
        assert!(bytes <= 45 * named.len(), "{bytes}");
    }

    #[test]
    fn units_go_to_a_holder_and_come_back() {
        let mut named = named(&[(0, false, 10), (1, true, 4)]);
        named.hold(7, &[2, 3]);
        named.hold(9_000, &[0, 1]);
        assert_eq!(named.held_by(7).collect::<Vec<_>>(), [2, 3]);
        assert_eq!((named.holder(2), named.is_free(2)), (7, false));
        named.give_out(7, &[10], &[2, 3, 10]);
        assert_eq!(named.held_by(7).collect::<Vec<_>>(), [2, 3, 10]);
        named.take_back(&[3, 10], true);
        named.chain(7, &[2]);
        assert!(named.is_free(3) && !named.is_free(10) && named.is_seen(10));
        assert!(named.is_withdrawn(10) && !named.is_withdrawn(3));
        assert_eq!(named.release(7)[..], [2]);
        assert_eq!(named.release(9_000)[..], [0, 1]);
        assert_eq!(named.held_by(7).count(), 0);
        assert_eq!(named.item(0).map(|item| item.free), Some(10));
        assert_eq!(named.item(1).map(|item| item.free), Some(3));
        assert_eq!(named.find_bytes(b"0-0-3"), Some(3));
    }
}
