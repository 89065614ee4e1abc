//! The REFs that a sale's last restocks came with, to tell a repetition from another
//! request under the same REF.
//!
//! Edge: keeps what a restock did, by item; which items were asked for is resolved by
//! whoever asks.

use std::collections::VecDeque;

use crate::sale::book::cart::{LinesDigest, digest_pairs};
use crate::sale::units::{ItemIndex, KEPT_LINES_MAX, RESTOCK_REFS_MAX};
use crate::table::name::{Name, Spelling};

/// One item's delta, in units.
pub type ItemDelta = (ItemIndex, i64);

/// The deltas of a restock, each item once, ordered by item.
#[derive(Clone, Debug)]
pub enum Deltas {
    Few(Box<[ItemDelta]>),
    /// What stands for many.
    Digest(LinesDigest),
    /// What stands for a whole call that named units.
    Call(u128),
}

impl Deltas {
    /// Keeps a few deltas as they are, and of many a digest. O(deltas).
    pub fn new(deltas: &[ItemDelta]) -> Deltas {
        if deltas.len() <= KEPT_LINES_MAX {
            return Deltas::Few(deltas.into());
        }
        let pairs = deltas.iter();
        Deltas::Digest(digest_pairs(
            pairs.map(|&(item, delta)| (item, delta.cast_unsigned())),
        ))
    }

    /// Are these the same deltas? They are ordered by item, too.
    pub fn are(&self, deltas: &[ItemDelta]) -> bool {
        match (self, Deltas::new(deltas)) {
            (Deltas::Few(kept), Deltas::Few(asked)) => *kept == asked,
            (Deltas::Digest(kept), Deltas::Digest(asked)) => *kept == asked,
            _ => false,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Deltas::Few(deltas) => size_of_val::<[ItemDelta]>(deltas),
            Deltas::Digest(_) | Deltas::Call(_) => 0,
        }
    }
}

/// A restock that can be told from its repetition.
#[derive(Clone, Debug)]
pub struct RestockRef {
    pub reference: Name,
    pub deltas: Deltas,
}

/// The last [`RESTOCK_REFS_MAX`] of them, oldest first.
#[derive(Default)]
pub struct RestockRefs(VecDeque<RestockRef>);

impl RestockRefs {
    /// Are there as many as are ever kept?
    pub fn is_full(&self) -> bool {
        self.0.len() >= RESTOCK_REFS_MAX
    }

    /// What the restock with this REF did. O(REFs kept).
    pub fn find(&self, reference: &[u8]) -> Option<&Deltas> {
        let mut known = self.0.iter();
        let known = known.find(|known| known.reference.bytes() == reference)?;
        Some(&known.deltas)
    }

    /// Keeps a REF that is not known, and forgets the oldest when there are too many.
    pub fn push(&mut self, reference: Spelling<'_>, deltas: Deltas) {
        if self.is_full() {
            self.0.pop_front();
        }
        let reference = Name::new(reference);
        self.0.push_back(RestockRef { reference, deltas });
    }

    /// All REFs, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &RestockRef> {
        self.0.iter()
    }

    /// Heap bytes. O(REFs kept).
    pub fn heap_bytes(&self) -> usize {
        let beside = self
            .0
            .iter()
            .map(|known| known.reference.heap_bytes() + known.deltas.heap_bytes());
        self.0.capacity() * size_of::<RestockRef>() + beside.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_deltas_cost_no_more_than_a_few_and_are_known_again() {
        let many = |n: u32| -> Vec<ItemDelta> { (0..n).map(|item| (item, -1)).collect() };
        let mut refs = RestockRefs::default();
        refs.push(Spelling::of(b"r"), Deltas::new(&many(10_000)));
        assert!(refs.heap_bytes() < 1_000);
        let known = refs.find(b"r").unwrap();
        assert!(known.are(&many(10_000)) && !known.are(&many(9_999)) && !known.are(&many(1)));
        let few = Deltas::new(&many(8));
        assert!(matches!(few, Deltas::Few(_)) && few.are(&many(8)) && !few.are(&many(9)));
    }

    #[test]
    fn only_the_last_thousand_are_kept() {
        let mut refs = RestockRefs::default();
        for n in 0..1_001 {
            let reference = n.to_string();
            refs.push(Spelling::of(reference.as_bytes()), Deltas::new(&[(0, n)]));
        }
        assert!(refs.is_full() && refs.find(b"0").is_none());
        assert!(refs.find(b"1").is_some_and(|known| known.are(&[(0, 1)])));
    }
}
