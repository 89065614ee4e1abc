//! The items of a sale and their stock.
//!
//! # Invariants
//!
//! 1. Units only move between available, reserved and sold of one item; only a
//!    restock, or a refund without restock, changes their sum.
//! 2. The totals are the sums over all items.
//! 3. An item's `base` is what CREATE and RESTOCK gave it, less what refunds took out of
//!    its total: counted by itself, so that AUDIT has something to hold `total` against.
//!
//! Edge: moves units and reports what a keyspace event will say; whether a move is
//! allowed was decided before.

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
    /// All units of the item.
    pub fn total(&self) -> u64 {
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
    /// None is available, some are reserved.
    AllReserved,
    /// None is available or reserved.
    SoldOut,
    /// Some are available again.
    BackInStock,
}

/// The items whose class changed, each once in one change of the sale.
pub type StockChanges = SmallVec<[(ItemIndex, StockChange); 2]>;

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
    /// there are moves none, see [`Items::is_overdrawn`].
    #[inline(always)]
    pub fn shift(&mut self, item: ItemIndex, by: Move, changes: &mut StockChanges) {
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
        match (before, item.stock.class()) {
            (Class::AllReserved | Class::SoldOut, Class::InStock) => {
                changes.push((index, StockChange::BackInStock));
            }
            (Class::InStock, Class::AllReserved) => {
                changes.push((index, StockChange::AllReserved));
            }
            (Class::InStock | Class::AllReserved, Class::SoldOut) => {
                changes.push((index, StockChange::SoldOut));
            }
            _ => {}
        }
    }

    /// SKU, stock and base of every item, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Stock, i64)> {
        self.items
            .iter()
            .map(|item| (&*item.sku, item.stock, item.base))
    }

    /// Heap bytes, names included.
    pub fn heap_bytes(&self) -> usize {
        self.items.capacity() * size_of::<Item>() + self.sku_bytes + self.by_sku.heap_bytes()
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
