//! "No part has any of this": only after two equal readings.
//!
//! Whatever brings or moves units changes `sold`, `base`, `refunded` or a total of one part.
//! Where none of these differs between two readings of all parts in which all were empty, all
//! parts were empty at one moment between the two. (A RESTOCK and its opposite hide from it, and
//! their units are gone again.)

use super::pairs::Pairs;
use super::reading::{ShareId, Shelf};

/// Whose reading it is: another history has other counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub share_id: ShareId,
    /// Another number after each break: a failover on the way brings lost sales back.
    pub connection: u64,
    /// Units refunded in the whole part.
    pub refunded: u64,
}

/// What changes with each change of an empty part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stand {
    head: Head,
    sold: u64,
    base: i64,
    given: u64,
    taken: u64,
}

/// What is known of one item over all parts.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// The last reading in which all parts were empty, unless a later one was not.
    empty: Vec<Stand>,
}

impl Rest {
    /// Takes in a reading of all parts, and reports whether the item is sold out everywhere.
    pub fn note(&mut self, heads: &[Option<Head>], shelves: &[Shelf], pairs: &Pairs) -> bool {
        let is_empty = |shelf: &Shelf| shelf.available == 0 && shelf.reserved == 0;
        let is_still = pairs.under_way.is_empty() && pairs.above.is_empty();
        let is_whole = heads.iter().all(Option::is_some);
        if !is_whole || !is_still || !shelves.iter().all(is_empty) {
            self.forget();
            return false;
        }
        let parts = heads.iter().flatten().zip(shelves);
        let stand = |(head, shelf): (&Head, &Shelf)| Stand {
            head: *head,
            sold: shelf.sold,
            base: shelf.base,
            given: shelf.given.iter().map(|(_, total)| total).sum(),
            taken: shelf.taken_in_all(),
        };
        let is_equal = parts.clone().map(stand).eq(self.empty.iter().copied());
        if !is_equal {
            self.empty.clear();
            self.empty.extend(parts.map(stand));
        }
        is_equal
    }

    /// Begins anew: what was read before counts no more.
    pub fn forget(&mut self) {
        self.empty.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> Vec<Option<Head>> {
        let head = |share_id| Head {
            share_id,
            connection: 1,
            refunded: 0,
        };
        vec![Some(head(10)), Some(head(20))]
    }

    fn sold(units: u64) -> Shelf {
        Shelf {
            sold: units,
            base: 5,
            given: vec![(20, 1)],
            ..Shelf::default()
        }
    }

    #[test]
    fn one_reading_is_not_enough_and_two_equal_ones_are() {
        let (mut rest, still) = (Rest::default(), Pairs::default());
        let shelves = [sold(5), sold(3)];
        assert!(!rest.note(&heads(), &shelves, &still));
        assert!(rest.note(&heads(), &shelves, &still));
    }

    #[test]
    fn any_change_between_begins_anew() {
        type Change = fn(&mut Vec<Option<Head>>, &mut [Shelf; 2]);
        let changes: [(&str, Change); 9] = [
            ("sold", |_, shelves| shelves[0].sold += 1),
            ("base", |_, shelves| shelves[1].base -= 1),
            ("given", |_, shelves| shelves[0].given[0].1 += 1),
            ("taken", |_, shelves| shelves[0].taken.push((20, 1))),
            ("refunded", |heads, _| {
                change(heads, |head| head.refunded += 1)
            }),
            ("connection", |heads, _| {
                change(heads, |head| head.connection += 1);
            }),
            ("share id", |heads, _| {
                change(heads, |head| head.share_id += 1)
            }),
            ("available", |_, shelves| shelves[0].available = 1),
            ("silence", |heads, _| heads[0] = None),
        ];
        for (what, make) in changes {
            let (mut rest, still) = (Rest::default(), Pairs::default());
            let mut shelves = [sold(5), sold(3)];
            let mut heads = heads();
            assert!(!rest.note(&heads, &shelves, &still), "{what}");
            make(&mut heads, &mut shelves);
            assert!(!rest.note(&heads, &shelves, &still), "{what}");
        }
    }

    fn change(heads: &mut [Option<Head>], make: fn(&mut Head)) {
        make(heads[0].as_mut().expect("a head"));
    }

    #[test]
    fn nothing_is_sold_out_while_units_are_under_way() {
        let mut rest = Rest::default();
        let way = super::super::pairs::UnderWay {
            from: 0,
            to: 1,
            given: 2,
            taken: 1,
        };
        let pairs = Pairs {
            under_way: vec![way],
            above: Vec::new(),
        };
        let shelves = [sold(5), sold(3)];
        assert!(!rest.note(&heads(), &shelves, &pairs));
        assert!(!rest.note(&heads(), &shelves, &pairs));
        // An asked counter that grows says nothing about units.
        let mut asked = shelves.clone();
        asked[0].asked += 9;
        assert!(!rest.note(&heads(), &shelves, &Pairs::default()));
        assert!(rest.note(&heads(), &asked, &Pairs::default()));
    }
}
