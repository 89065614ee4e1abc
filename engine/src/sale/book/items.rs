//! The items of a sale and their stock.
//!
//! # Invariants
//!
//! 1. Units only move between available, reserved and sold of one item. Their sum is what the
//!    item has and what it owes: a restock, a refund without restock, and units that go to
//!    another sale or come from one change it, and so does a debt that is made or paid.
//! 2. The totals are the sums over all items.
//! 3. An item's `base` is what CREATE and RESTOCK gave it, less what refunds took out of
//!    its total: counted by itself, so that AUDIT has something to hold `total` against.
//! 4. An item that owes has none available: units that come back pay first.
//!
//! Edge: moves units and reports what a keyspace event will say; whether a move is
//! allowed was decided before.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::sale::units::{ItemIndex, SKU_DEFAULT};
use crate::table::hash::Hasher;
use crate::table::index::Index;

/// One item's stock, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
}

impl Stock {
    /// All units of the item, with those it owes.
    pub fn units(&self) -> u64 {
        self.available
            .saturating_add(self.reserved)
            .saturating_add(self.sold)
    }

    fn class(&self) -> Class {
        match (self.available, self.reserved) {
            (0, 0) => Class::SoldOut,
            (0, _) => Class::AllReserved,
            _ => Class::InStock,
        }
    }

    /// Returns the stock after a move, or `None` where there are not as many units to move.
    fn moved(&self, by: Move) -> Option<Stock> {
        Some(Stock {
            available: self.available.checked_add_signed(by.available)?,
            reserved: self.reserved.checked_add_signed(by.reserved)?,
            sold: self.sold.checked_add_signed(by.sold)?,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    InStock,
    AllReserved,
    SoldOut,
}

/// A change of one item's stock, in units; quantities are at most 2^53 - 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Move {
    pub available: i64,
    pub reserved: i64,
    pub sold: i64,
}

/// What a move did to an item as buyers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockChange {
    /// None is available, some are reserved and could come back.
    AllReserved,
    /// None is available, and none could come back.
    SoldOut,
    /// Some are available again.
    BackInStock,
}

/// The items whose class changed, each once in one change of the sale.
pub type StockChanges = SmallVec<[(ItemIndex, StockChange); 2]>;

/// Units that were sold or given, and that the sale does not have.
#[derive(Default)]
struct Owed {
    /// At least 1 each.
    by_item: BTreeMap<ItemIndex, u64>,
    sum: u64,
}

struct Item {
    sku: Box<[u8]>,
    stock: Stock,
    /// Units, see invariant 3.
    base: i64,
}

/// So many items are found sooner by looking at each than by their hash.
const FEW: usize = 4;

/// All items, in the order they were made.
pub struct Items {
    items: Vec<Item>,
    by_sku: Index,
    hasher: Hasher,
    totals: Stock,
    /// A move asked for more units than there were: invariant 1 of the sale is broken.
    is_overdrawn: bool,
    sku_bytes: usize,
    /// The item a bare quantity means; see [`Items::bare`].
    bare: Option<ItemIndex>,
    /// While any item owes.
    owed: Option<Box<Owed>>,
}

impl Items {
    pub fn new(hasher: Hasher) -> Items {
        Items {
            items: Vec::new(),
            by_sku: Index::new(),
            hasher,
            totals: Stock::default(),
            is_overdrawn: false,
            sku_bytes: 0,
            bare: None,
            owed: None,
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Sums over all items.
    #[inline]
    pub fn totals(&self) -> Stock {
        self.totals
    }

    /// The item a bare quantity means: `default` if there is one, else the only one.
    #[inline]
    pub fn bare(&self) -> Option<ItemIndex> {
        self.bare
    }

    /// Has a move ever asked for more units than there were?
    #[inline]
    pub fn is_overdrawn(&self) -> bool {
        self.is_overdrawn
    }

    pub fn find(&self, sku: &[u8]) -> Option<ItemIndex> {
        if self.items.len() <= FEW {
            let at = self.items.iter().position(|item| *item.sku == *sku);
            return at.map(|item| item as ItemIndex);
        }
        self.by_sku
            .find(self.hasher.hash_bytes(sku), |item| self.sku(item) == sku)
    }

    pub fn sku(&self, item: ItemIndex) -> &[u8] {
        self.items.get(item as usize).map_or(&[], |item| &item.sku)
    }

    #[inline]
    pub fn stock(&self, item: ItemIndex) -> Stock {
        self.items
            .get(item as usize)
            .map(|item| item.stock)
            .unwrap_or_default()
    }

    /// Does any item owe units?
    #[inline]
    pub fn owes(&self) -> bool {
        self.owed.is_some()
    }

    /// Units that an item owes.
    #[inline]
    pub fn owed(&self, item: ItemIndex) -> u64 {
        match &self.owed {
            None => 0,
            Some(owed) => owed.by_item.get(&item).copied().unwrap_or_default(),
        }
    }

    /// Units that all items owe.
    #[inline]
    pub fn owed_in_all(&self) -> u64 {
        self.owed.as_ref().map_or(0, |owed| owed.sum)
    }

    /// Sets what an item owes, as it was loaded or counted.
    pub fn set_owed(&mut self, item: ItemIndex, units: u64) {
        let mut owed = self.owed.take().unwrap_or_default();
        let before = match units {
            0 => owed.by_item.remove(&item),
            units => owed.by_item.insert(item, units),
        };
        owed.sum = owed.sum.saturating_add(units);
        owed.sum = owed.sum.saturating_sub(before.unwrap_or_default());
        self.owed = (!owed.by_item.is_empty()).then_some(owed);
    }

    /// The stock of an item as far as it can reach a buyer: reserved units that come back pay
    /// what the item owes first.
    #[inline]
    pub fn reachable(&self, item: ItemIndex) -> Stock {
        let stock = self.stock(item);
        Stock {
            reserved: stock.reserved.saturating_sub(self.owed(item)),
            ..stock
        }
    }

    /// Units that an item got from CREATE and RESTOCK, see invariant 3.
    pub fn base(&self, item: ItemIndex) -> i64 {
        self.items.get(item as usize).map_or(0, |item| item.base)
    }

    /// Units came to an item, or left it for good; `shift` moves them.
    pub fn shift_base(&mut self, item: ItemIndex, by: i64) {
        if let Some(item) = self.items.get_mut(item as usize) {
            item.base = item.base.saturating_add(by);
        }
    }

    /// Adds an item that is not there yet, with this stock and base.
    pub fn add(&mut self, sku: &[u8], stock: Stock, base: i64) -> ItemIndex {
        let item = self.items.len() as ItemIndex;
        self.items.push(Item {
            sku: sku.into(),
            stock,
            base,
        });
        self.sku_bytes += sku.len();
        if item == 0 || sku == SKU_DEFAULT {
            self.bare = Some(item);
        } else if self.bare.is_some_and(|bare| self.sku(bare) != SKU_DEFAULT) {
            self.bare = None;
        }
        let (items, hasher) = (&self.items, &self.hasher);
        self.by_sku.insert(hasher.hash_bytes(sku), item, |item| {
            hasher.hash_bytes(&items[item as usize].sku)
        });
        self.totals.available = self.totals.available.saturating_add(stock.available);
        self.totals.reserved = self.totals.reserved.saturating_add(stock.reserved);
        self.totals.sold = self.totals.sold.saturating_add(stock.sold);
        item
    }

    /// Moves units of one item and notes what buyers will see. A move of more units than
    /// there are moves none, see [`Items::is_overdrawn`]. Units that become available pay what
    /// the item owes first.
    #[inline(always)]
    pub fn shift(&mut self, item: ItemIndex, by: Move, changes: &mut StockChanges) {
        if self.owed.is_some() {
            return self.shift_owing(item, by, changes);
        }
        let index = item;
        let Some(item) = self.items.get_mut(item as usize) else {
            return;
        };
        let before = item.stock.class();
        let (Some(stock), Some(totals)) = (item.stock.moved(by), self.totals.moved(by)) else {
            self.is_overdrawn = true;
            return;
        };
        item.stock = stock;
        self.totals = totals;
        note_class(index, before, stock.class(), changes);
    }

    #[cold]
    #[inline(never)]
    fn shift_owing(&mut self, item: ItemIndex, mut by: Move, changes: &mut StockChanges) {
        let back = u64::try_from(by.available).unwrap_or(0);
        let pays = back.min(self.owed(item)).cast_signed();
        by.available -= pays;
        self.shift_with_debt(item, by, -pays, changes);
    }

    /// Takes units of an item out of those available, and counts them as sold if `sells`.
    /// What is missing is owed.
    pub fn take(&mut self, item: ItemIndex, qty: u64, sells: bool, changes: &mut StockChanges) {
        let available = self.stock(item).available.min(qty).cast_signed();
        let qty = qty.cast_signed();
        let by = Move {
            available: -available,
            sold: if sells { qty } else { 0 },
            ..Move::default()
        };
        self.shift_with_debt(item, by, qty - available, changes);
    }

    /// Takes units of an item out of those sold: they settle what it owes, and the rest leaves
    /// the item. Returns how much that is.
    pub fn settle(&mut self, item: ItemIndex, qty: u64, changes: &mut StockChanges) -> u64 {
        let pays = self.owed(item).min(qty);
        let by = Move {
            sold: -qty.cast_signed(),
            ..Move::default()
        };
        self.shift_with_debt(item, by, -pays.cast_signed(), changes);
        qty - pays
    }

    /// Moves units of an item and changes what it owes in one step.
    #[cold]
    #[inline(never)]
    fn shift_with_debt(
        &mut self,
        index: ItemIndex,
        by: Move,
        owed_by: i64,
        changes: &mut StockChanges,
    ) {
        let before = self.reachable(index).class();
        let owed = self.owed(index).checked_add_signed(owed_by);
        let Some(item) = self.items.get_mut(index as usize) else {
            return;
        };
        let (Some(stock), Some(totals), Some(owed)) =
            (item.stock.moved(by), self.totals.moved(by), owed)
        else {
            self.is_overdrawn = true;
            return;
        };
        item.stock = stock;
        self.totals = totals;
        self.set_owed(index, owed);
        note_class(index, before, self.reachable(index).class(), changes);
    }

    /// SKU, stock and base of every item, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Stock, i64)> {
        self.items
            .iter()
            .map(|item| (&*item.sku, item.stock, item.base))
    }

    /// Heap bytes, names included.
    pub fn heap_bytes(&self) -> usize {
        // As B-trees keep them, at their usual filling.
        let owed = self.owed.as_ref().map_or(0, |owed| {
            size_of::<Owed>() + owed.by_item.len() * 2 * size_of::<(ItemIndex, u64)>()
        });
        let items = self.items.capacity() * size_of::<Item>();
        items + self.sku_bytes + self.by_sku.heap_bytes() + owed
    }
}

/// Notes what buyers see of an item whose class changed.
#[inline(always)]
fn note_class(item: ItemIndex, before: Class, after: Class, changes: &mut StockChanges) {
    match (before, after) {
        (Class::AllReserved | Class::SoldOut, Class::InStock) => {
            changes.push((item, StockChange::BackInStock));
        }
        // From sold out where a debt is paid while units are reserved.
        (Class::InStock | Class::SoldOut, Class::AllReserved) => {
            changes.push((item, StockChange::AllReserved));
        }
        (Class::InStock | Class::AllReserved, Class::SoldOut) => {
            changes.push((item, StockChange::SoldOut));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    #[test]
    fn reports_what_buyers_see_and_keeps_the_totals() {
        let mut items = Items::new(HASHER);
        items.add(
            b"a",
            Stock {
                available: 2,
                ..Stock::default()
            },
            2,
        );
        items.add(
            b"b",
            Stock {
                available: 0,
                ..Stock::default()
            },
            0,
        );
        let mut seen = |available, reserved, sold| {
            let mut changes = StockChanges::new();
            items.shift(
                0,
                Move {
                    available,
                    reserved,
                    sold,
                },
                &mut changes,
            );
            (changes.into_vec(), items.totals())
        };
        let totals = |available, reserved, sold| Stock {
            available,
            reserved,
            sold,
        };
        assert_eq!(seen(-1, 1, 0), (vec![], totals(1, 1, 0)));
        assert_eq!(
            seen(-1, 1, 0),
            (vec![(0, StockChange::AllReserved)], totals(0, 2, 0))
        );
        assert_eq!(
            seen(0, -2, 2),
            (vec![(0, StockChange::SoldOut)], totals(0, 0, 2))
        );
        assert_eq!(
            seen(1, 0, -1),
            (vec![(0, StockChange::BackInStock)], totals(1, 0, 1))
        );
        assert_eq!(
            seen(-1, 0, 1),
            (vec![(0, StockChange::SoldOut)], totals(0, 0, 2))
        );
        assert_eq!((items.find(b"b"), items.find(b"c")), (Some(1), None));
    }

    /// Most sales owe nothing, and their items are no larger for it.
    #[test]
    fn an_item_is_48_bytes() {
        assert_eq!(size_of::<Item>(), 48);
    }

    /// Invariant 4: what comes back pays first, and what can reach a buyer decides what is
    /// told.
    #[test]
    fn what_is_owed_is_paid_before_anything_is_on_sale() {
        let mut items = Items::new(HASHER);
        let stock = |available, reserved, sold| Stock {
            available,
            reserved,
            sold,
        };
        items.add(b"a", stock(2, 3, 0), 5);
        let mut changes = StockChanges::new();
        items.take(0, 6, true, &mut changes);
        assert_eq!((items.stock(0), items.owed(0)), (stock(0, 3, 6), 4));
        assert_eq!(changes[..], [(0, StockChange::SoldOut)]);
        let by = |available, reserved, sold| Move {
            available,
            reserved,
            sold,
        };
        for (move_by, then, owed, seen) in [
            (by(1, -1, 0), stock(0, 2, 6), 3, None),
            (
                by(2, 0, 0),
                stock(0, 2, 6),
                1,
                Some(StockChange::AllReserved),
            ),
            (by(0, -1, 1), stock(0, 1, 7), 1, Some(StockChange::SoldOut)),
            (
                by(3, -1, 0),
                stock(2, 0, 7),
                0,
                Some(StockChange::BackInStock),
            ),
        ] {
            let mut changes = StockChanges::new();
            items.shift(0, move_by, &mut changes);
            assert_eq!((items.stock(0), items.owed(0)), (then, owed));
            assert_eq!(changes.first().map(|&(_, seen)| seen), seen);
            assert_eq!((items.totals(), items.owed_in_all()), (then, owed));
        }
        assert!(!items.owes());
        items.take(0, 3, false, &mut changes);
        assert_eq!((items.stock(0), items.owed(0)), (stock(0, 0, 7), 1));
        assert_eq!(items.settle(0, 3, &mut changes), 2);
        assert_eq!((items.stock(0), items.owed(0)), (stock(0, 0, 4), 0));
    }

    #[test]
    fn a_bare_quantity_means_the_default_item_or_else_the_only_one() {
        let mut items = Items::new(HASHER);
        for (sku, bare) in [
            (&b"a"[..], Some(0)),
            (b"b", None),
            (SKU_DEFAULT, Some(2)),
            (b"c", Some(2)),
        ] {
            items.add(sku, Stock::default(), 0);
            assert_eq!(items.bare(), bare);
        }
    }
}
