//! What adding items would do, before anything changes.
//!
//! Items of one request are judged by the filter as it was before it, and by each
//! other's hashes. Every item is looked up before the limit is: a full filter still
//! answers "present".
//!
//! Items that come twice are found by sorting: whoever may add items chooses their hashes,
//! and would choose ones that collide in a hash table.
//!
//! Edge: reads. Most requests bring one item, which takes no allocation unless the
//! chain grows.

use smallvec::{SmallVec, smallvec};

use super::chain::Bloom;
use super::event::{Added, Growth, Run};
use super::filter::{Filter, MemoryTrial};
use super::hash::ItemHash;
use super::params::{LINKS_MAX, Shape};

/// What became of one item of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Added,
    /// It may have been added before.
    Present,
    /// The filter is full and does not scale. Later items were not tried.
    Full,
    /// The filter is full and cannot grow: no memory, or too many links. Later items
    /// were.
    CannotGrow,
}

impl Outcome {
    /// What becomes of the same item once more, right after.
    fn again(self) -> Outcome {
        match self {
            Outcome::Added => Outcome::Present,
            other => other,
        }
    }
}

/// The position of the earliest value that equals each. O(n log n), whichever they are.
fn earliest_equals<V: Ord>(values: Vec<V>) -> Vec<usize> {
    let mut sorted: Vec<(V, usize)> = values.into_iter().zip(0..).collect();
    sorted.sort_unstable();
    let mut earliest = vec![0; sorted.len()];
    for equal in sorted.chunk_by(|(one, _), (other, _)| one == other) {
        let first = equal.first().map_or(0, |&(_, position)| position);
        equal
            .iter()
            .for_each(|&(_, position)| earliest[position] = first);
    }
    earliest
}

/// An outcome for each item that was tried, in order.
pub type Outcomes = SmallVec<[Outcome; 8]>;

impl Bloom {
    /// What adding these items would do: an outcome for each, and what to add if any is
    /// new.
    pub fn plan_add(&self, hashes: &[ItemHash]) -> (Outcomes, Option<Added>) {
        if let [hash] = hashes {
            let (outcome, added) = self.plan_add_one(*hash);
            return (smallvec![outcome], added);
        }
        let mut outcomes = Outcomes::with_capacity(hashes.len());
        self.contains_each(hashes, |present| {
            outcomes.push(if present {
                Outcome::Present
            } else {
                Outcome::Added
            });
        });
        let all = 0..outcomes.len();
        let new: Vec<usize> = all
            .filter(|&index| outcomes[index] == Outcome::Added)
            .collect();
        let mut plan = AddPlan::new(self, new.len());
        let earliest = earliest_equals(new.iter().map(|&index| hashes[index].0).collect());
        let mut earliest = new.iter().zip(earliest).map(|(_, first)| new[first]);
        for index in 0..outcomes.len() {
            if outcomes[index] == Outcome::Added {
                outcomes[index] = match earliest.next() {
                    Some(first) if first < index => outcomes[first].again(),
                    _ => plan.add(hashes[index]),
                };
            }
            if outcomes[index] == Outcome::Full {
                outcomes.truncate(index + 1);
                break;
            }
        }
        (outcomes, plan.added())
    }

    fn plan_add_one(&self, hash: ItemHash) -> (Outcome, Option<Added>) {
        if self.contains(hash) {
            return (Outcome::Present, None);
        }
        let has_room = self.links.last().is_some_and(|link| !link.is_full());
        if has_room {
            let first = Run {
                hashes: smallvec![hash],
            };
            let then = Vec::new();
            return (Outcome::Added, Some(Added { first, then }));
        }
        let mut plan = AddPlan::new(self, 1);
        (plan.add(hash), plan.added())
    }
}

/// Items as they would fall into the chain.
struct AddPlan<'b> {
    bloom: &'b Bloom,
    room: u64,
    capacity: u64,
    added: Added,
    /// That of the new links.
    memory: MemoryTrial,
}

impl<'b> AddPlan<'b> {
    /// A plan for so many items, most of which will be new.
    fn new(bloom: &'b Bloom, items: usize) -> AddPlan<'b> {
        let last = bloom.links.last();
        let capacity = last.map_or(0, |link| link.shape().capacity);
        let room = capacity.saturating_sub(last.map_or(0, Filter::items));
        let mut added = Added::default();
        let fitting = usize::try_from(room).map_or(items, |room| room.min(items));
        added.first.hashes.reserve_exact(fitting);
        AddPlan {
            bloom,
            room,
            capacity,
            added,
            memory: MemoryTrial::default(),
        }
    }

    /// Adds an item that no earlier one of the request equals.
    fn add(&mut self, hash: ItemHash) -> Outcome {
        if self.room == 0 {
            if self.bloom.settings.expansion == 0 {
                return Outcome::Full;
            }
            let Some(shape) = self.next_shape() else {
                return Outcome::CannotGrow;
            };
            self.capacity = shape.capacity;
            self.room = shape.capacity;
            let run = Run::default();
            self.added.then.push(Growth { shape, run });
        }
        self.room -= 1;
        let Added { first, then } = &mut self.added;
        let run = then.last_mut().map_or(first, |growth| &mut growth.run);
        run.hashes.push(hash);
        Outcome::Added
    }

    /// The shape of one more link, for which memory was taken beside that of those before.
    fn next_shape(&mut self) -> Option<Shape> {
        let settings = self.bloom.settings;
        let index = self.bloom.links.len() + self.added.then.len();
        if index >= LINKS_MAX {
            return None;
        }
        let capacity = self.capacity.checked_mul(u64::from(settings.expansion))?;
        let shape = Shape::of_link(settings.error_rate, index, capacity)?;
        self.memory.take(shape).then_some(shape)
    }

    fn added(self) -> Option<Added> {
        let is_empty = self.added.first.hashes.is_empty() && self.added.then.is_empty();
        (!is_empty).then_some(self.added)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::super::params::{ErrorRate, Settings};
    use super::*;

    fn bloom(expansion: u32, capacity: u64) -> Bloom {
        let settings = Settings {
            error_rate: ErrorRate::new(1e-6).expect("a rate"),
            expansion,
        };
        Bloom::new(
            settings,
            Bloom::plan_first(settings, capacity).expect("a shape"),
        )
    }

    fn hashes(items: &str) -> Vec<ItemHash> {
        let items = items.split(' ');
        items.map(|item| ItemHash::of(item.as_bytes())).collect()
    }

    /// Adds, and returns the outcomes by their letters.
    fn add(bloom: &mut Bloom, items: &str) -> String {
        let (outcomes, added) = bloom.plan_add(&hashes(items));
        if let Some(added) = added {
            assert_eq!(bloom.check(&Event::Added(added.clone())), Ok(()));
            bloom.apply(&Event::Added(added));
        }
        let letter = |outcome: &Outcome| match outcome {
            Outcome::Added => 'a',
            Outcome::Present => 'p',
            Outcome::Full => 'F',
            Outcome::CannotGrow => 'C',
        };
        outcomes.iter().map(letter).collect()
    }

    #[test]
    fn a_full_filter_ends_the_request_at_the_first_new_item() {
        let mut bloom = bloom(0, 2);
        assert_eq!(add(&mut bloom, "p p q r s"), "apaF");
        assert_eq!(add(&mut bloom, "q p"), "pp");
        assert_eq!(add(&mut bloom, "q z p"), "pF");
        assert_eq!(add(&mut bloom, "z"), "F");
        assert_eq!(add(&mut bloom, "p"), "p");
        assert_eq!((bloom.items(), bloom.links().len()), (2, 1));
    }

    #[test]
    fn a_chain_grows_within_one_request() {
        let mut bloom = bloom(3, 2);
        let items: Vec<String> = (0..30).map(|item| item.to_string()).collect();
        assert_eq!(add(&mut bloom, &items.join(" ")), "a".repeat(30));
        let capacities = bloom.links().iter().map(|link| link.shape().capacity);
        assert_eq!(capacities.collect::<Vec<_>>(), [2, 6, 18, 54]);
        let items_of = bloom.links().iter().map(Filter::items);
        assert_eq!(items_of.collect::<Vec<_>>(), [2, 6, 18, 4]);
        assert_eq!(add(&mut bloom, &items.join(" ")), "p".repeat(30));
    }

    #[test]
    fn the_new_links_of_one_request_are_tried_for_memory_together() {
        let bloom = bloom(1, 2);
        let mut plan = AddPlan::new(&bloom, 7);
        for hash in hashes("a b c d e f g") {
            assert_eq!(plan.add(hash), Outcome::Added);
        }
        assert_eq!((plan.added.then.len(), plan.memory.taken.len()), (3, 3));
    }

    #[test]
    fn a_request_item_by_item_fills_the_same_links() {
        let (mut one, mut other) = (bloom(2, 4), bloom(2, 4));
        let items: Vec<String> = (0..100).map(|item| item.to_string()).collect();
        add(&mut one, &items.join(" "));
        items.iter().for_each(|item| drop(add(&mut other, item)));
        assert!(one == other);
    }

    #[test]
    fn a_chain_that_cannot_grow_tries_the_later_items() {
        // The next link would have more items than there are numbers.
        let mut bloom = bloom(EXPANSION_MAX, 1);
        add(&mut bloom, "a");
        let last = Shape {
            capacity: u64::MAX / 2,
            ..bloom.links[0].shape()
        };
        bloom.links[0] = Filter::new(last);
        bloom.links[0].set_items(u64::MAX / 2);
        assert_eq!(add(&mut bloom, "x y x"), "CCC");
        use super::super::params::EXPANSION_MAX;
    }

    thread_local! {
        static COMPARISONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    /// A value that counts how often it is compared.
    #[derive(PartialEq, Eq)]
    struct Counted(u64);

    impl Ord for Counted {
        fn cmp(&self, other: &Counted) -> std::cmp::Ordering {
            COMPARISONS.set(COMPARISONS.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Counted) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    #[test]
    fn items_that_come_twice_are_found_in_as_many_steps_whichever_items_are_chosen() {
        const LEN: u64 = 100_000;
        // Each is compared 17 times to be sorted, and as often again to be on the safe side.
        const MOST: u64 = LEN * 34;
        let family = |of: fn(u64) -> u64| -> Vec<u64> { (0..LEN).map(of).collect() };
        for (name, values) in [
            (
                "at random",
                family(|item| ItemHash::of(&item.to_le_bytes()).0),
            ),
            ("counting up", family(|item| item)),
            ("counting down", family(|item| u64::MAX - item)),
            (
                "of equal lower halves",
                family(|item| item << 32 | 0x0170_947b),
            ),
            (
                "of equal upper halves",
                family(|item| 0xc0ac_29b7 << 32 | item),
            ),
            (
                "multiples of an odd constant",
                family(|item| item.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            ),
            ("all the same", family(|_| 7)),
        ] {
            COMPARISONS.set(0);
            let is_same = values[0] == values[1];
            let earliest = earliest_equals(values.into_iter().map(Counted).collect());
            let took = COMPARISONS.get();
            assert!(took <= MOST, "{name}: {took} comparisons");
            let expected = |position: usize| if is_same { 0 } else { position };
            assert!((0..LEN as usize).all(|at| earliest[at] == expected(at)));
        }
    }

    #[test]
    fn one_new_item_is_planned_without_an_allocation() {
        let (_, added) = bloom(2, 4).plan_add(&hashes("x"));
        let added = added.expect("it is new");
        assert!(!added.first.hashes.spilled() && added.then.capacity() == 0);
    }
}
