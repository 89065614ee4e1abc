//! The lines of a reservation, as its record keeps them, and those of a refund.

use super::slab::{Slab, SlotNumber};
use super::units::{ItemIndex, Line, Lines};

/// The lines of one reservation in four bytes: one line in place, which is what most
/// have, or where several are kept.
#[derive(Clone, Copy)]
pub struct PackedCart(u32);

/// Above it a cart of several lines: the rest is its slot.
const SEVERAL: u32 = 1 << 31;
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
        (self.0 & SEVERAL != 0).then_some(self.0 & !SEVERAL)
    }
}

/// The carts of several lines.
pub struct Carts {
    several: Slab<Box<[Line]>>,
    lines_bytes: usize,
}

impl Carts {
    pub fn new() -> Carts {
        Carts {
            several: Slab::new(),
            lines_bytes: 0,
        }
    }

    /// Keeps lines until they are removed.
    pub fn pack(&mut self, lines: &[Line]) -> PackedCart {
        match *lines {
            [] => PackedCart::EMPTY,
            [Line { item, qty }] if item <= ITEM_MAX && (1..=QTY_MAX.into()).contains(&qty) => {
                PackedCart(item << QTY_BITS | qty as u32)
            }
            _ => {
                self.lines_bytes += size_of_val(lines);
                PackedCart(SEVERAL | self.several.insert(lines.into()))
            }
        }
    }

    pub fn lines(&self, cart: PackedCart) -> Lines {
        match cart.slot() {
            Some(slot) => Lines::from_slice(self.several.get(slot).map_or(&[], |lines| lines)),
            None if cart.is_empty() => Lines::new(),
            None => Lines::from_slice(&[Line {
                item: cart.0 >> QTY_BITS,
                qty: u64::from(cart.0 & QTY_MAX),
            }]),
        }
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
    }

    /// Heap bytes of the carts of several lines.
    pub fn heap_bytes(&self) -> usize {
        self.several.heap_bytes() + self.lines_bytes
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
            Cart::One { item, qty } => Lines::from_slice(&[Line {
                item: *item,
                qty: u64::from(*qty),
            }]),
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
