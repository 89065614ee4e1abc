//! Who was refused, and who can spare: how much is given to whom.

use super::pairs::Pairs;
use super::reading::Shelf;

/// Rounds that a refusal counts for.
pub const ROUNDS: usize = 10;
/// Rounds whose sales a giver keeps in stock.
const KEPT: usize = 2;

/// What happened to one item of one part in the last rounds.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// Asked, sold and taken as they were read last.
    seen: Option<[u64; 3]>,
    round: u64,
    refused: [u64; ROUNDS],
    sold: [u64; KEPT],
    taken: [u64; ROUNDS],
}

/// By how much a counter grew. One that fell began anew, after a restart or a failover.
fn growth(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

impl Demand {
    /// Takes in a reading of this round. Where the pairs are those of the reading before, nothing was
    /// taken since: they need not be summed up.
    pub fn note(&mut self, round: u64, shelf: &Shelf, has_new_pairs: bool) {
        self.pass_rounds(round);
        let taken = match self.seen {
            Some([_, _, taken]) if !has_new_pairs => taken,
            _ => shelf.taken_in_all(),
        };
        let now = [shelf.asked, shelf.sold, taken];
        if let Some(before) = self.seen.replace(now) {
            let at = round as usize;
            self.refused[at % ROUNDS] += growth(before[0], now[0]);
            // A refund or a lost tail takes sales back: nothing was sold then.
            self.sold[at % KEPT] += now[1].saturating_sub(before[1]);
            self.taken[at % ROUNDS] += now[2].saturating_sub(before[2]);
        }
    }

    /// Lets what is too old fall out.
    fn pass_rounds(&mut self, round: u64) {
        let passed = round.saturating_sub(self.round).min(ROUNDS as u64);
        for back in 0..passed {
            let at = (round - back) as usize;
            self.refused[at % ROUNDS] = 0;
            self.taken[at % ROUNDS] = 0;
            self.sold[at % KEPT] = 0;
        }
        self.round = round;
    }

    /// Units refused in the last rounds.
    pub fn refused(&self) -> u64 {
        self.refused.iter().sum()
    }

    fn sold(&self) -> u64 {
        self.sold.iter().sum()
    }

    /// Units that it has just taken, and has refused people for: who was refused comes back for
    /// them, and would find them gone on to the next part.
    fn held_for_refused(&self) -> u64 {
        let taken: u64 = self.taken.iter().sum();
        taken.min(self.refused())
    }

    /// Units that a part can give away.
    fn spare(&self, shelf: &Shelf) -> u64 {
        let kept = self.sold() + shelf.waiting + self.held_for_refused();
        shelf.available.saturating_sub(kept)
    }

    /// Whether anybody wants what is not there.
    pub fn is_wanted(&self, shelf: &Shelf) -> bool {
        shelf.waiting > 0 || self.refused() > 0
    }
}

/// Units that one part is to give to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    pub from: usize,
    pub to: usize,
    pub units: u64,
}

/// Decides who gives how much of one item to whom. `may_give` and `may_take` leave out who did
/// not answer, and givers whose last transfer is not at its end.
///
/// The one with most to spare gives half of it, at least 1, to the one that was refused most,
/// and so on down both lists. Whoever has, or is about to get, what it was refused is given
/// nothing.
pub fn gifts(
    shelves: &[Shelf],
    demands: &[Demand],
    pairs: &Pairs,
    may_give: impl Fn(usize) -> bool,
    may_take: impl Fn(usize) -> bool,
) -> Vec<Gift> {
    let wants = |part: &usize| {
        let (shelf, demand) = (&shelves[*part], &demands[*part]);
        let wanted = demand.refused() + shelf.waiting;
        let has = shelf.available + pairs.coming_to(*part);
        (may_take(*part) && wanted > has).then_some((wanted, *part))
    };
    let mut takers: Vec<(u64, usize)> =
        (0..shelves.len()).filter_map(|part| wants(&part)).collect();
    if takers.is_empty() {
        return Vec::new();
    }
    let spares = |part: usize| {
        let spare = demands[part].spare(&shelves[part]);
        (may_give(part) && spare > 0).then_some((spare, part))
    };
    let mut givers: Vec<(u64, usize)> = (0..shelves.len()).filter_map(spares).collect();
    let most_first = |list: &mut Vec<(u64, usize)>| {
        list.sort_unstable_by_key(|(units, part)| (std::cmp::Reverse(*units), *part));
    };
    most_first(&mut takers);
    most_first(&mut givers);
    let mut gifts = Vec::new();
    for (spare, from) in givers {
        let is_sound = |to: usize| {
            // Where more was taken than given, a gift would be swallowed.
            let above = pairs.above.iter();
            to != from && !above.clone().any(|one| one.from == from && one.to == to)
        };
        let Some(at) = takers.iter().position(|(_, to)| is_sound(*to)) else {
            continue;
        };
        let (_, to) = takers.remove(at);
        let units = (spare / 2).max(1);
        gifts.push(Gift { from, to, units });
    }
    gifts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(available: u64, asked: u64, sold: u64) -> Shelf {
        Shelf {
            available,
            asked,
            sold,
            ..Shelf::default()
        }
    }

    /// The parts after two readings, one a round.
    fn two_rounds(before: &[Shelf], now: &[Shelf]) -> Vec<Demand> {
        let both = before.iter().zip(now);
        let demand = |(before, now): (&Shelf, &Shelf)| {
            let mut demand = Demand::default();
            demand.note(7, before, true);
            demand.note(8, now, true);
            demand
        };
        both.map(demand).collect()
    }

    fn decided(before: &[Shelf], now: &[Shelf]) -> Vec<(usize, usize, u64)> {
        let demands = two_rounds(before, now);
        let gifts = gifts(now, &demands, &Pairs::default(), |_| true, |_| true);
        let rows = gifts.iter().map(|gift| (gift.from, gift.to, gift.units));
        rows.collect()
    }

    #[test]
    fn who_has_most_to_spare_gives_half_to_who_was_refused_most() {
        let before = [
            shelf(10, 0, 0),
            shelf(0, 0, 0),
            shelf(31, 0, 0),
            shelf(0, 5, 0),
        ];
        let now = [
            shelf(10, 0, 0),
            shelf(0, 4, 0),
            shelf(31, 0, 0),
            shelf(0, 14, 0),
        ];
        assert_eq!(decided(&before, &now), [(2, 3, 15), (0, 1, 5)]);
        // Nobody asks: nothing moves.
        assert_eq!(decided(&now, &now), []);
    }

    #[test]
    fn the_last_unit_moves_and_what_sells_stays() {
        let before = [shelf(1, 0, 9), shelf(0, 0, 0)];
        let now = [shelf(1, 0, 9), shelf(0, 1, 0)];
        assert_eq!(decided(&before, &now), [(0, 1, 1)]);
        // It sold one in this round, and keeps as many.
        let now = [shelf(1, 0, 10), shelf(0, 1, 0)];
        assert_eq!(decided(&before, &now), []);
    }

    #[test]
    fn a_cart_that_is_short_gets_what_others_have_and_gives_what_it_cannot_use() {
        // Part 0 was refused 10 with 4 there; part 1 was refused 1 and has none.
        let before = [shelf(4, 0, 0), shelf(0, 0, 0)];
        let now = [shelf(4, 10, 0), shelf(0, 1, 0)];
        assert_eq!(decided(&before, &now), [(0, 1, 2)]);
        // What it has is enough for what it was refused.
        let now = [shelf(10, 10, 0), shelf(50, 0, 0)];
        assert_eq!(decided(&before, &now), []);
    }

    #[test]
    fn what_was_just_taken_stays_for_those_who_were_refused() {
        let mut taker = shelf(3, 3, 0);
        taker.taken = vec![(1, 3)];
        let before = [shelf(0, 0, 0), shelf(0, 0, 0)];
        let now = [taker, shelf(0, 9, 0)];
        assert_eq!(decided(&before, &now), []);
        // For ten rounds.
        let mut demands = two_rounds(&before, &now);
        for round in 9..=18 {
            let given = gifts(&now, &demands, &Pairs::default(), |_| true, |_| true);
            assert_eq!(given, [], "{round}");
            demands[0].note(round, &now[0], true);
            let mut asking = now[1].clone();
            asking.asked = round;
            demands[1].note(round, &asking, true);
        }
        assert_eq!(demands[0].refused(), 0);
        let given = gifts(&now, &demands, &Pairs::default(), |_| true, |_| true);
        assert_eq!(given.len(), 1);
    }

    #[test]
    fn a_counter_that_fell_began_anew() {
        let mut demand = Demand::default();
        demand.note(1, &shelf(0, 1_000, 0), true);
        assert_eq!(demand.refused(), 0);
        demand.note(2, &shelf(0, 3, 0), true);
        assert_eq!(demand.refused(), 3);
        // What is not read for long is forgotten.
        demand.note(40, &shelf(0, 4, 0), true);
        assert_eq!(demand.refused(), 1);
    }

    #[test]
    fn people_in_line_are_given_to_and_their_units_kept() {
        let mut waits = shelf(0, 0, 0);
        waits.waiting = 2;
        let mut keeps = shelf(5, 0, 0);
        keeps.waiting = 5;
        let now = [waits.clone(), keeps, shelf(3, 0, 0)];
        assert_eq!(decided(&now, &now), [(2, 0, 1)]);
        let pairs = Pairs {
            under_way: vec![super::super::pairs::UnderWay {
                from: 2,
                to: 0,
                given: 9,
                taken: 7,
            }],
            above: Vec::new(),
        };
        let demands = two_rounds(&now, &now);
        assert_eq!(gifts(&now, &demands, &pairs, |_| true, |_| true), []);
    }
}
