//! Who has given what to whom: what is under way, and what was taken that nobody gave.

use super::reading::{ShareId, Shelf};

/// Units that one part has given to another, and that are in no stock yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    pub from: usize,
    pub to: usize,
    /// What is given in all.
    pub given: u64,
    /// What is taken of that.
    pub taken: u64,
}

/// A total that a part has taken, while the reading of the giver shows less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Above {
    pub from: usize,
    pub to: usize,
    pub taken: u64,
    pub given: u64,
}

/// What the parts say of each other about one item.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    pub under_way: Vec<UnderWay>,
    pub above: Vec<Above>,
}

impl Pairs {
    /// Compares the totals of all pairs of living parts. `share_ids` has `None` for a part that
    /// did not answer: of its pairs nothing is known.
    pub fn compare(&mut self, shelves: &[Shelf], share_ids: &[Option<ShareId>]) {
        self.under_way.clear();
        self.above.clear();
        let part_of = |share_id: ShareId| share_ids.iter().position(|one| *one == Some(share_id));
        for (here, shelf) in shelves.iter().enumerate() {
            let Some(own) = share_ids[here] else {
                continue;
            };
            for (share_id, given) in &shelf.given {
                let Some(to) = part_of(*share_id) else {
                    continue;
                };
                let taken = shelves[to].taken_from(own);
                if *given > taken {
                    self.under_way.push(UnderWay {
                        from: here,
                        to,
                        given: *given,
                        taken,
                    });
                }
            }
            for (share_id, taken) in &shelf.taken {
                let Some(from) = part_of(*share_id) else {
                    continue;
                };
                let given = shelves[from].given_to(own);
                if *taken > given {
                    self.above.push(Above {
                        from,
                        to: here,
                        taken: *taken,
                        given,
                    });
                }
            }
        }
    }

    /// Units on their way to a part.
    pub fn coming_to(&self, part: usize) -> u64 {
        let coming = self.under_way.iter().filter(|way| way.to == part);
        coming.map(|way| way.given - way.taken).sum()
    }
}

/// Two living parts with one share id, if any: a dump that was restored beside its original.
pub fn twins(share_ids: &[Option<ShareId>]) -> Option<(usize, usize)> {
    let mut known: Vec<(ShareId, usize)> = Vec::with_capacity(share_ids.len());
    for (part, share_id) in share_ids.iter().enumerate() {
        known.extend(share_id.map(|share_id| (share_id, part)));
    }
    known.sort_unstable();
    let same = known.windows(2).find(|two| two[0].0 == two[1].0);
    same.map(|two| (two[0].1, two[1].1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(given: &[(ShareId, u64)], taken: &[(ShareId, u64)]) -> Shelf {
        Shelf {
            given: given.to_vec(),
            taken: taken.to_vec(),
            ..Shelf::default()
        }
    }

    #[test]
    fn tells_what_is_under_way_and_what_nobody_gave() {
        let shelves = [
            shelf(&[(20, 5), (30, 4), (99, 7)], &[]),
            shelf(&[], &[(10, 5)]),
            shelf(&[], &[(10, 1), (20, 2), (98, 3)]),
        ];
        let mut pairs = Pairs::default();
        pairs.compare(&shelves, &[Some(10), Some(20), Some(30)]);
        let way = UnderWay {
            from: 0,
            to: 2,
            given: 4,
            taken: 1,
        };
        assert_eq!(pairs.under_way, [way]);
        assert_eq!((pairs.coming_to(2), pairs.coming_to(1)), (3, 0));
        let above = Above {
            from: 1,
            to: 2,
            taken: 2,
            given: 0,
        };
        assert_eq!(pairs.above, [above]);
        // Of a silent part nothing is known.
        pairs.compare(&shelves, &[None, Some(20), Some(30)]);
        assert_eq!((pairs.under_way.len(), pairs.above.len()), (0, 1));
    }

    #[test]
    fn finds_two_parts_with_one_share_id() {
        assert_eq!(twins(&[Some(1), None, Some(2), Some(1)]), Some((0, 3)));
        assert_eq!(twins(&[Some(1), None, None, Some(2)]), None);
    }
}
