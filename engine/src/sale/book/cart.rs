//! The lines of a reservation, as its record keeps them, and those of a refund.

use xxhash_rust::xxh3::Xxh3Default;

use crate::sale::units::{ItemIndex, KEPT_LINES_MAX, Line, Lines, one_line};
use crate::table::slab::{Slab, SlotNumber};

/// What stands for many lines, to know the same ones again: XXH3 of 128 bits over them,
/// ordered by item. Without a key, as it is state: equal on every copy of a sale and in
/// every snapshot. Whoever finds two carts with one digest gets the answer of the one
/// for the other, and neither sells anything.
pub type LinesDigest = u128;

/// Digests numbers in pairs, ordered by the first. O(pairs).
pub fn digest_pairs(pairs: impl Iterator<Item = (ItemIndex, u64)>) -> LinesDigest {
    let mut digest = Xxh3Default::new();
    for (item, number) in pairs {
        digest.update(&item.to_le_bytes());
        digest.update(&number.to_le_bytes());
    }
    digest.digest128()
}

/// Digests lines in any order, each item once. O(lines log lines).
pub fn digest_lines(lines: &[Line]) -> LinesDigest {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    digest_pairs(lines.iter().map(|line| (line.item, line.qty)))
}

/// The lines of one reservation in four bytes: one line in place, which is what most
/// have, or where several, or their digest, are kept.
#[derive(Clone, Copy)]
pub struct PackedCart(u32);

/// Above it a cart of several lines: the rest is its slot.
const SEVERAL: u32 = 1 << 31;
/// With [`SEVERAL`]: of the lines only a digest is kept, and the slot is its.
const DIGESTED: u32 = 1 << 30;
/// Bits of the quantity of one line; the item is above them.
const QTY_BITS: u32 = 15;
const QTY_MAX: u32 = (1 << QTY_BITS) - 1;
const ITEM_MAX: u32 = (SEVERAL >> QTY_BITS) - 1;

impl PackedCart {
    /// No lines: an id that was released before it was seen.
    const EMPTY: PackedCart = PackedCart(0);

    pub fn is_empty(self) -> bool {
        self.0 == PackedCart::EMPTY.0
    }

    /// Where the lines are kept, when there are several.
    fn slot(self) -> Option<SlotNumber> {
        (self.0 & (SEVERAL | DIGESTED) == SEVERAL).then_some(self.0 & !SEVERAL)
    }

    /// Where the digest of the lines is kept, when they are not.
    fn digest_slot(self) -> Option<SlotNumber> {
        let both = SEVERAL | DIGESTED;
        (self.0 & both == both).then_some(self.0 & !both)
    }
}

/// The carts of several lines.
pub struct Carts {
    several: Slab<Box<[Line]>>,
    lines_bytes: usize,
    digests: Slab<LinesDigest>,
}

impl Carts {
    pub fn new() -> Carts {
        Carts {
            several: Slab::new(),
            lines_bytes: 0,
            digests: Slab::new(),
        }
    }

    /// Keeps lines until they are removed.
    #[inline]
    pub fn pack(&mut self, lines: &[Line]) -> PackedCart {
        match *lines {
            [] => PackedCart::EMPTY,
            [Line { item, qty }] if item <= ITEM_MAX && (1..=QTY_MAX.into()).contains(&qty) => {
                PackedCart(item << QTY_BITS | qty as u32)
            }
            _ => self.keep(lines),
        }
    }

    fn keep(&mut self, lines: &[Line]) -> PackedCart {
        self.lines_bytes += size_of_val(lines);
        PackedCart(SEVERAL | self.several.insert(lines.into()))
    }

    /// Keeps the digest of lines that are kept no longer.
    pub fn pack_digest(&mut self, digest: LinesDigest) -> PackedCart {
        PackedCart(SEVERAL | DIGESTED | self.digests.insert(digest))
    }

    /// Puts a digest in the place of the lines of a large cart.
    pub fn shorten(&mut self, cart: PackedCart) -> PackedCart {
        let kept = cart.slot().and_then(|slot| self.several.get(slot));
        let Some(lines) = kept.filter(|lines| lines.len() > KEPT_LINES_MAX) else {
            return cart;
        };
        let digest = digest_lines(lines);
        self.remove(cart);
        self.pack_digest(digest)
    }

    /// The digest that stands for the lines, if it does.
    pub fn digest(&self, cart: PackedCart) -> Option<LinesDigest> {
        self.digests.get(cart.digest_slot()?).copied()
    }

    /// Is this item among the lines? O(lines).
    pub fn has_item(&self, cart: PackedCart, item: ItemIndex) -> bool {
        match cart.slot().and_then(|slot| self.several.get(slot)) {
            Some(lines) => lines.iter().any(|line| line.item == item),
            None => self.lines(cart).iter().any(|line| line.item == item),
        }
    }

    /// The lines; none where a digest stands for them.
    #[inline]
    pub fn lines(&self, cart: PackedCart) -> Lines {
        if cart.0 < SEVERAL && !cart.is_empty() {
            return one_line(cart.0 >> QTY_BITS, u64::from(cart.0 & QTY_MAX));
        }
        self.several_lines(cart)
    }

    /// The lines that are kept elsewhere, if any are.
    fn several_lines(&self, cart: PackedCart) -> Lines {
        let kept = cart.slot().and_then(|slot| self.several.get(slot));
        Lines::from_slice(kept.map_or(&[], |lines| lines))
    }

    /// How many lines a cart has. O(1).
    pub fn lines_len(&self, cart: PackedCart) -> usize {
        match cart.slot() {
            Some(slot) => self.several.get(slot).map_or(0, |lines| lines.len()),
            None => usize::from(!cart.is_empty()),
        }
    }

    /// Lines are kept no longer.
    pub fn remove(&mut self, cart: PackedCart) {
        if let Some(slot) = cart.slot()
            && let Some(lines) = self.several.remove(slot)
        {
            self.lines_bytes -= size_of_val::<[Line]>(&lines);
        }
        if let Some(slot) = cart.digest_slot() {
            self.digests.remove(slot);
        }
    }

    /// Heap bytes of the carts of several lines.
    pub fn heap_bytes(&self) -> usize {
        self.several.heap_bytes() + self.lines_bytes + self.digests.heap_bytes()
    }
}

/// The lines of a refund: one line in place, or several in a box.
#[derive(Clone, Debug)]
pub enum Cart {
    One { item: ItemIndex, qty: u32 },
    Many(Box<[Line]>),
}

impl Cart {
    pub fn new(lines: &[Line]) -> Cart {
        if let &[Line { item, qty }] = lines
            && let Ok(qty) = u32::try_from(qty)
        {
            return Cart::One { item, qty };
        }
        Cart::Many(lines.into())
    }

    pub fn lines(&self) -> Lines {
        match self {
            Cart::One { item, qty } => one_line(*item, u64::from(*qty)),
            Cart::Many(lines) => Lines::from_slice(lines),
        }
    }

    pub fn heap_bytes(&self) -> usize {
        match self {
            Cart::One { .. } => 0,
            Cart::Many(lines) => size_of_val::<[Line]>(lines),
        }
    }
}

/// The same units per item, in any order? Each item comes once in both.
pub fn are_same_units(one: &[Line], other: &[Line]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    if one.len() == 1 {
        return one == other;
    }
    let (mut one, mut other) = (one.to_vec(), other.to_vec());
    one.sort_unstable();
    other.sort_unstable();
    one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_packed_and_keeps_only_several_lines() {
        let line = |item, qty| Line { item, qty };
        let mut carts = Carts::new();
        for (lines, is_kept) in [
            (vec![], false),
            (vec![line(0, 1)], false),
            (vec![line(0xffff, 0x7fff)], false),
            (vec![line(0x1_0000, 1)], true),
            (vec![line(0, 0x8000)], true),
            (vec![line(7, 1), line(2, 1)], true),
        ] {
            let cart = carts.pack(&lines);
            assert_eq!(carts.lines(cart)[..], lines[..]);
            assert_eq!(carts.lines_len(cart), lines.len());
            assert_eq!(cart.is_empty(), lines.is_empty());
            assert_eq!(carts.lines_bytes > 0, is_kept, "{lines:?}");
            carts.remove(cart);
            assert_eq!((carts.several.len(), carts.lines_bytes), (0, 0));
        }
    }

    #[test]
    fn of_a_large_cart_a_digest_is_enough() {
        let lines = |n: u32| -> Vec<Line> { (0..n).map(|item| Line { item, qty: 2 }).collect() };
        let mut carts = Carts::new();
        let small = carts.pack(&lines(8));
        let small = carts.shorten(small);
        assert_eq!((carts.lines(small).len(), carts.digest(small)), (8, None));
        let large = carts.pack(&lines(9));
        let short = carts.shorten(large);
        assert_eq!(carts.digest(short), Some(digest_lines(&lines(9))));
        assert!(carts.lines(short).is_empty() && !short.is_empty());
        assert_ne!(digest_lines(&lines(9)), digest_lines(&lines(10)));
        let backwards: Vec<Line> = lines(9).into_iter().rev().collect();
        assert_eq!(digest_lines(&lines(9)), digest_lines(&backwards));
        carts.remove(small);
        carts.remove(short);
        assert_eq!((carts.several.len(), carts.digests.len()), (0, 0));
        assert_eq!(carts.lines_bytes, 0);
    }

    #[test]
    fn the_order_of_lines_does_not_matter() {
        let line = |item, qty| Line { item, qty };
        assert!(are_same_units(
            &[line(1, 2), line(2, 1)],
            &[line(2, 1), line(1, 2)]
        ));
        assert!(!are_same_units(
            &[line(1, 2), line(2, 1)],
            &[line(2, 2), line(1, 1)]
        ));
        assert!(!are_same_units(&[line(1, 2)], &[line(1, 2), line(2, 1)]));
    }
}
