//! The refunds of one order, in their order and by REF.
//!
//! An order of many units may be refunded one by one, so neither a new refund nor a
//! look-up of one takes longer for the refunds there are.
//!
//! Edge: what was refunded; how much may be is `plan/refund.rs`.

use crate::sale::book::cart::Cart;
use crate::sale::units::{EntryId, Line};
use crate::table::hash::Hasher;
use crate::table::index::Index;
use crate::table::name::Name;
use crate::table::slab::{Slab, SlotNumber};

/// So many are looked at one by one. More are found by the hash of their REF, which takes
/// memory of its own.
const FEW: usize = 8;

/// One refund of an order.
pub struct RefundRecord {
    pub reference: Option<Name>,
    pub cart: Cart,
    pub entry: EntryId,
    /// The units no longer count against the user's limits.
    pub restores_limit: bool,
    /// NORESTOCK was asked for; `None` where older formats do not say it.
    pub no_restock: Option<bool>,
    /// Units of it went on sale again, or paid what the sale owed.
    pub restocked: bool,
}

impl RefundRecord {
    fn has(&self, reference: &[u8]) -> bool {
        self.reference_bytes() == Some(reference)
    }

    fn reference_bytes(&self) -> Option<&[u8]> {
        self.reference.as_ref().map(Name::bytes)
    }

    fn heap_bytes(&self) -> usize {
        self.reference.as_ref().map_or(0, Name::heap_bytes) + self.cart.heap_bytes()
    }
}

/// All refunds of an order.
pub struct Refunds {
    /// Units refunded, by line of the cart.
    units: Vec<u64>,
    /// By number, from 0. None is ever taken out.
    records: Slab<RefundRecord>,
    /// `None` as long as they are few.
    by_reference: Option<Index>,
    /// Heap bytes the records point to.
    record_bytes: usize,
}

impl Refunds {
    pub fn new() -> Refunds {
        Refunds {
            units: Vec::new(),
            records: Slab::new(),
            by_reference: None,
            record_bytes: 0,
        }
    }

    /// Units refunded, by line of the cart.
    pub fn units(&self) -> &[u64] {
        &self.units
    }

    /// The refunds, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &RefundRecord> {
        self.records.iter().map(|(_, refund)| refund)
    }

    pub fn last(&self) -> Option<&RefundRecord> {
        self.records.get(self.records.next_slot().checked_sub(1)?)
    }

    /// The refund with this REF. O(1).
    pub fn find(&self, reference: &[u8], hasher: Hasher) -> Option<&RefundRecord> {
        let is_it = |number: SlotNumber| self.records[number].has(reference);
        match &self.by_reference {
            None => self.iter().find(|refund| refund.has(reference)),
            Some(index) => index
                .find(hasher.hash_bytes(reference), is_it)
                .map(|number| &self.records[number]),
        }
    }

    /// Adds a refund of `taken` units, ordered by item, to an order of `lines`. O(lines),
    /// however many refunds there are.
    pub fn add(&mut self, lines: &[Line], taken: &[Line], refund: RefundRecord, hasher: Hasher) {
        self.units.resize(lines.len(), 0);
        for (line, refunded) in lines.iter().zip(&mut self.units) {
            if let Ok(at) = taken.binary_search_by_key(&line.item, |taken| taken.item) {
                *refunded = refunded.saturating_add(taken[at].qty);
            }
        }
        self.record_bytes += refund.heap_bytes();
        let number = self.records.insert(refund);
        if self.by_reference.is_some() {
            self.index(number, hasher);
        } else if self.records.len() > FEW {
            self.by_reference = Some(Index::new());
            for number in 0..=number {
                self.index(number, hasher);
            }
        }
    }

    /// Files a refund by its REF, if it has one.
    fn index(&mut self, number: SlotNumber, hasher: Hasher) {
        let records = &self.records;
        let hash_of = |number: SlotNumber| {
            let reference = records[number].reference_bytes();
            hasher.hash_bytes(reference.unwrap_or_default())
        };
        if let Some(index) = &mut self.by_reference
            && records[number].reference.is_some()
        {
            index.insert(hash_of(number), number, hash_of);
        }
    }

    pub fn heap_bytes(&self) -> usize {
        self.units.capacity() * size_of::<u64>()
            + self.records.heap_bytes()
            + self.record_bytes
            + self.by_reference.as_ref().map_or(0, Index::heap_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;
    use crate::table::name::Spelling;

    fn refund(number: u64) -> RefundRecord {
        RefundRecord {
            restocked: true,
            // The first one has none, as when it was all that was left then.
            reference: (number > 0)
                .then(|| Name::new(Spelling::of(format!("r{number}").as_bytes()))),
            cart: Cart::new(&[Line { item: 0, qty: 1 }]),
            entry: EntryId { ms: number, seq: 0 },
            restores_limit: false,
            no_restock: Some(false),
        }
    }

    #[test]
    fn finds_each_refund_by_its_ref_and_the_last_one() {
        let line = Line {
            item: 0,
            qty: 9_000,
        };
        let taken = Line { item: 0, qty: 1 };
        let mut refunds = Refunds::new();
        assert!(refunds.last().is_none());
        for number in 0..9_000 {
            refunds.add(&[line], &[taken], refund(number), HASHER);
            assert_eq!(refunds.last().map(|last| last.entry.ms), Some(number));
            for known in [1, number / 2, number] {
                let found = refunds.find(format!("r{known}").as_bytes(), HASHER);
                let expected = (1..=number).contains(&known).then_some(known);
                assert_eq!(found.map(|refund| refund.entry.ms), expected);
            }
            assert_eq!(refunds.by_reference.is_some(), number >= FEW as u64);
        }
        assert!(refunds.find(b"r9000", HASHER).is_none());
        assert_eq!(
            (refunds.units(), refunds.iter().count()),
            (&[9_000][..], 9_000)
        );
    }
}
