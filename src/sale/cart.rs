//! The lines of one reservation, as a record keeps them.

use super::units::{ItemIndex, Line, Lines};

/// One line in place, which is what most reservations have, or several in a box.
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

    pub fn is_empty(&self) -> bool {
        matches!(self, Cart::Many(lines) if lines.is_empty())
    }

    /// The same units per item, in any order? Each item comes once in both.
    pub fn same_units(&self, other: &[Line]) -> bool {
        let mine = self.lines();
        if mine.len() != other.len() {
            return false;
        }
        if mine.len() == 1 {
            return mine[..] == *other;
        }
        let mut mine = mine.into_vec();
        let mut other = other.to_vec();
        mine.sort_unstable();
        other.sort_unstable();
        mine == other
    }

    pub fn heap_bytes(&self) -> usize {
        match self {
            Cart::One { .. } => 0,
            Cart::Many(lines) => size_of_val::<[Line]>(lines),
        }
    }
}
