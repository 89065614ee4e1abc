//! Units that went to other sales and came from them: in all, by item and by sale.
//!
//! # Invariants
//!
//! 1. What was given and what was taken only grows.
//! 2. Other sales are known by their share ids, at most [`PEERS_MAX`] of them.
//!
//! A total is the memory of a transfer: what was given and not taken yet is under way, and
//! nobody has to remember that.
//!
//! Edge: sums alone. Units are moved by `items.rs`; what may be given is `plan/share.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::sale::units::{INTEGER_MAX, ItemIndex};

/// Most share ids that a sale gives to or takes from.
pub const PEERS_MAX: usize = 1_024;

/// Units in all by item and share id; at least 1 each.
type Totals = BTreeMap<(ItemIndex, u128), u64>;

/// Which way units went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Given,
    Taken,
}

/// The share id of a sale, and what it has to do with others.
pub struct Shares {
    share_id: u128,
    given: Totals,
    taken: Totals,
    peers: BTreeSet<u128>,
}

impl Shares {
    pub fn new(share_id: u128) -> Shares {
        Shares {
            share_id,
            given: Totals::new(),
            taken: Totals::new(),
            peers: BTreeSet::new(),
        }
    }

    /// What there is to keep of a share id: nothing where it is the sale id, as both are drawn
    /// at random.
    pub fn of_share_id(sale_id: u128, share_id: u128) -> Option<Box<Shares>> {
        (share_id != sale_id).then(|| Box::new(Shares::new(share_id)))
    }

    /// The ULID that names the sale to others.
    pub fn share_id(&self) -> u128 {
        self.share_id
    }

    fn totals(&self, way: Way) -> &Totals {
        match way {
            Way::Given => &self.given,
            Way::Taken => &self.taken,
        }
    }

    /// Units of an item in all, to or from one sale.
    pub fn total(&self, way: Way, item: ItemIndex, peer: u128) -> u64 {
        let total = self.totals(way).get(&(item, peer));
        total.copied().unwrap_or_default()
    }

    /// Each sale with the units of an item in all, by share id.
    pub fn of_item(&self, way: Way, item: ItemIndex) -> impl Iterator<Item = (u128, u64)> {
        let range = (item, u128::MIN)..=(item, u128::MAX);
        let totals = self.totals(way).range(range);
        totals.map(|(&(_, peer), &total)| (peer, total))
    }

    /// Units of an item in all, to or from all sales. O(share ids).
    pub fn sum(&self, way: Way, item: ItemIndex) -> u64 {
        let totals = self.of_item(way, item);
        totals.fold(0, |sum, (_, total)| sum.saturating_add(total))
    }

    /// Every total there is: item, share id, given and taken.
    pub fn iter(&self) -> impl Iterator<Item = (ItemIndex, u128, u64, u64)> {
        let pairs: BTreeSet<_> = self.given.keys().chain(self.taken.keys()).collect();
        pairs.into_iter().map(|&(item, peer)| {
            let total = |way| self.total(way, item, peer);
            (item, peer, total(Way::Given), total(Way::Taken))
        })
    }

    /// May there be a total of this sale?
    pub fn has_room_for(&self, peer: u128) -> bool {
        self.peers.contains(&peer) || self.peers.len() < PEERS_MAX
    }

    /// May a total of an item grow by so many units?
    pub fn may_grow(&self, way: Way, item: ItemIndex, units: u64) -> bool {
        self.sum(way, item).saturating_add(units) <= INTEGER_MAX
    }

    /// Sets a total that has grown, or was loaded.
    pub fn set(&mut self, way: Way, item: ItemIndex, peer: u128, total: u64) {
        if total == 0 {
            return;
        }
        self.peers.insert(peer);
        let totals = match way {
            Way::Given => &mut self.given,
            Way::Taken => &mut self.taken,
        };
        totals.insert((item, peer), total);
    }

    /// Heap bytes, as B-trees keep them at their usual filling.
    pub fn heap_bytes(&self) -> usize {
        let totals = self.given.len() + self.taken.len();
        totals * 2 * size_of::<((ItemIndex, u128), u64)>()
            + self.peers.len() * 2 * size_of::<u128>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_by_item_and_sale_and_those_of_nothing_are_left_out() {
        let mut shares = Shares::new(7);
        shares.set(Way::Given, 1, 40, 3);
        shares.set(Way::Given, 1, 30, 5);
        shares.set(Way::Taken, 1, 40, 2);
        shares.set(Way::Taken, 0, 50, 0);
        let given: Vec<_> = shares.of_item(Way::Given, 1).collect();
        assert_eq!(given, [(30, 5), (40, 3)]);
        assert_eq!(
            (shares.sum(Way::Given, 1), shares.sum(Way::Given, 0)),
            (8, 0)
        );
        let all: Vec<_> = shares.iter().collect();
        assert_eq!(all, [(1, 30, 5, 0), (1, 40, 3, 2)]);
    }

    #[test]
    fn a_sale_knows_so_many_others() {
        let mut shares = Shares::new(0);
        (1..=PEERS_MAX as u128).for_each(|peer| shares.set(Way::Taken, 0, peer, 1));
        assert!(shares.has_room_for(1) && !shares.has_room_for(PEERS_MAX as u128 + 1));
        assert!(shares.may_grow(Way::Taken, 0, INTEGER_MAX - 1_024));
        assert!(!shares.may_grow(Way::Taken, 0, INTEGER_MAX - 1_023));
    }
}
