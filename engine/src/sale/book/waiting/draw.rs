//! The draw: a random order of all who joined a line before START, as a function.
//!
//! Shuffling ten million places at START would hold the server up. Swap-or-not (Hoang,
//! Morris and Rogaway, 2012), which Ethereum computes its committees with, maps a number to
//! its place and back, for any number of people, without a table. Anybody who knows the
//! seed, the item's position in STOCK, how many were drawn and a number can compute the place.
//!
//! Edge: numbers alone. The seed is random and comes in with the event.

use std::cell::OnceCell;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::sale::units::ItemIndex;
use crate::table::work::step;

/// What the order follows from: 16 random bytes, the same for every line drawn at once.
pub type Seed = [u8; 16];

/// Rounds of the function, each its own inverse.
const ROUNDS: usize = 90;
/// A line of fewer people makes its rounds anew when it is asked: they are 1,440 bytes.
const KEPT_FROM: u64 = 1_000;

/// What a round mixes with.
#[derive(Clone, Copy)]
struct Round {
    salt: u64,
    key: u64,
}

type Rounds = [Round; ROUNDS];

/// The drawn order of one line.
pub struct Draw {
    seed: Seed,
    item: ItemIndex,
    /// People who were drawn: numbers and places are below it.
    drawn: u64,
    /// Of large lines, all rounds, made when they are first asked for: at START there are many
    /// lines to draw, and other things to do.
    rounds: OnceCell<Box<Rounds>>,
}

/// A drawn order for whoever asks for several places: small lines make their rounds once for
/// all of them.
pub struct Order<'d> {
    draw: &'d Draw,
    rounds: OnceCell<Rounds>,
}

impl Draw {
    /// The order of so many people who wait for an item.
    pub fn new(seed: Seed, item: ItemIndex, drawn: u64) -> Draw {
        Draw {
            seed,
            item,
            drawn,
            rounds: OnceCell::new(),
        }
    }

    /// The order of a line that nobody joined before START.
    pub fn of_nobody(item: ItemIndex) -> Draw {
        Draw::new(Seed::default(), item, 0)
    }

    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// People who were drawn.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    pub fn order(&self) -> Order<'_> {
        Order {
            draw: self,
            rounds: OnceCell::new(),
        }
    }

    /// Returns the place of a number. O(1). Whoever joined after the draw keeps the order of
    /// joining.
    pub fn place_of(&self, number: u64) -> u64 {
        self.order().place_of(number)
    }

    /// Returns the number whose place this is. O(1).
    pub fn number_of(&self, place: u64) -> u64 {
        self.order().number_of(place)
    }

    fn make_rounds(&self) -> Rounds {
        let mut bytes = [0; 21];
        bytes[..16].copy_from_slice(&self.seed);
        bytes[16..20].copy_from_slice(&self.item.to_le_bytes());
        std::array::from_fn(|round| {
            bytes[20] = round as u8;
            let salt = xxh3_64(&bytes);
            Round {
                salt,
                key: salt % self.drawn,
            }
        })
    }

    /// Swaps `at` with its partner of this round, or does not: both of a pair come to the
    /// same decision.
    fn swap(&self, at: u64, round: &Round) -> u64 {
        let Round { salt, key } = *round;
        let sum = key + self.drawn - at;
        let partner = if sum >= self.drawn {
            sum - self.drawn
        } else {
            sum
        };
        let swaps = xxh3_64_with_seed(&at.max(partner).to_le_bytes(), salt) & 1 == 1;
        if swaps { partner } else { at }
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.rounds.get().map_or(0, |rounds| size_of_val(&**rounds))
    }
}

impl Order<'_> {
    fn rounds(&self) -> &Rounds {
        step();
        let draw = self.draw;
        if draw.drawn >= KEPT_FROM {
            return draw.rounds.get_or_init(|| Box::new(draw.make_rounds()));
        }
        self.rounds.get_or_init(|| draw.make_rounds())
    }

    /// Is this the place of the number that is equal to it?
    fn is_fixed(&self, at: u64) -> bool {
        at >= self.draw.drawn || self.draw.drawn == 1
    }

    /// As [`Draw::place_of`].
    pub fn place_of(&self, number: u64) -> u64 {
        if self.is_fixed(number) {
            return number;
        }
        let rounds = self.rounds().iter();
        rounds.fold(number, |at, round| self.draw.swap(at, round))
    }

    /// As [`Draw::number_of`].
    pub fn number_of(&self, place: u64) -> u64 {
        if self.is_fixed(place) {
            return place;
        }
        let rounds = self.rounds().iter().rev();
        rounds.fold(place, |at, round| self.draw.swap(at, round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn places(item: ItemIndex, drawn: u64) -> Vec<u64> {
        let draw = Draw::new(SEED, item, drawn);
        (0..drawn).map(|number| draw.place_of(number)).collect()
    }

    /// Also computed by `examples/draw`, in two other languages.
    #[test]
    fn draws_the_order_that_anybody_can_compute() {
        assert_eq!(places(0, 1), [0]);
        assert_eq!(places(0, 3), [1, 2, 0]);
        assert_eq!(places(0, 10), [7, 3, 1, 4, 2, 8, 9, 0, 6, 5]);
        assert_eq!(places(1, 10), [2, 4, 3, 6, 5, 8, 1, 7, 0, 9]);
        let thousand = places(0, 1_000);
        assert_eq!(thousand[..5], [550, 651, 245, 670, 995]);
        let sum: u64 = (0..)
            .zip(&thousand)
            .map(|(number, place)| number * place)
            .sum();
        assert_eq!(sum, 252_708_069);
        let draw = Draw::new(SEED, 7, 10_000_000);
        let some = [0, 1, 2, 9_999_999].map(|number| draw.place_of(number));
        assert_eq!(some, [7_396_885, 7_682_628, 5_221_668, 5_461_412]);
    }

    #[test]
    fn every_number_has_one_place_and_finds_the_way_back() {
        for drawn in [1, 2, 3, 64, 999, 1_000, 1_001] {
            let draw = Draw::new(SEED, 3, drawn);
            let mut taken = vec![false; drawn as usize];
            for number in 0..drawn {
                let place = draw.place_of(number);
                assert!(!std::mem::replace(&mut taken[place as usize], true));
                assert_eq!(draw.number_of(place), number);
            }
            assert_eq!(
                (draw.place_of(drawn), draw.number_of(drawn + 7)),
                (drawn, drawn + 7)
            );
        }
    }

    /// Whoever joins first has no better a place than whoever joins last.
    #[test]
    fn six_orders_of_three_come_equally_often() {
        let mut orders = std::collections::BTreeMap::new();
        for run in 0_u64..6_000 {
            let mut seed = Seed::default();
            seed[..8].copy_from_slice(&run.to_le_bytes());
            let draw = Draw::new(seed, 0, 3);
            let order = [0, 1, 2].map(|number| draw.place_of(number));
            *orders.entry(order).or_insert(0_u32) += 1;
        }
        assert_eq!(orders.len(), 6);
        // A thousand each; five standard deviations are 144.
        assert!(
            orders.values().all(|&count| (850..1_150).contains(&count)),
            "{orders:?}"
        );
    }
}
