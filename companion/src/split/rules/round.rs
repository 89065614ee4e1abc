//! A driver's memory, and what one round decides.
//!
//! A round reads some items of all parts, in the same order everywhere: [`Driver::begin`]. Each
//! part's answer goes to [`Driver::heard`] and [`Driver::shelf`]; a part that did not answer is
//! silent. [`Driver::decide`] says what to give, what is sold out everywhere, and what is wrong.
//! All of that memory may be lost: the next driver reads what it needs.

use super::demand::{Demand, Gift, gifts};
use super::pairs::{Pairs, twins};
use super::reading::{ShareId, Shelf};
use super::rest::{Head, Rest};
use super::transfer::Give;

/// Items that one round reads.
pub const READ_MOST: usize = 200;
/// Of these, so many are for items that nobody asks for.
const QUIET_LEAST: usize = 20;
/// A quiet item is read once in so many rounds, where there is room.
const QUIET_EVERY: usize = 5;

/// So many pairs are given to in one round, at most: where everything is short everywhere, moving
/// all of it ten times a second sells nothing.
const GIVES_MOST: usize = 200;

/// A part has taken more than its giver says it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub item: usize,
    pub from: usize,
    pub to: usize,
    pub units: u64,
}

/// What a round comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is under way, and what is to be given beyond that.
    pub gives: Vec<Give>,
    /// The items that are sold out everywhere; `None` where a part did not answer, so that
    /// nothing can be said.
    pub rest: Option<Vec<usize>>,
    pub alarms: Vec<Alarm>,
    /// Two parts have one share id: nothing is given, and a person has to look.
    pub twins: Option<(usize, usize)>,
}

/// One item over all parts.
struct Item {
    sku: Box<str>,
    shelves: Vec<Shelf>,
    demands: Vec<Demand>,
    pairs: Pairs,
    rest: Rest,
    /// A shelf was written to since the pairs were compared.
    is_changed: bool,
    /// It has to be read in each round, by what was read of it last.
    is_wanted: bool,
    /// Taken totals that were above what was given: so far, the giver may only have been read
    /// before the taker. By giver, taker and total.
    suspects: Vec<(usize, usize, u64)>,
    alarms: Vec<Alarm>,
}

/// A driver.
pub struct Driver {
    items: Vec<Item>,
    heads: Vec<Option<Head>>,
    share_ids: Vec<Option<ShareId>>,
    /// Whom the pairs were compared with.
    compared: Vec<Option<ShareId>>,
    round: u64,
    /// Where the turn of wanted and of quiet items goes on.
    turns: [usize; 2],
    reads: Vec<usize>,
}

impl Driver {
    /// Makes a driver of so many parts that knows no item yet.
    pub fn new(parts: usize) -> Self {
        Self {
            items: Vec::new(),
            heads: vec![None; parts],
            share_ids: vec![None; parts],
            compared: vec![None; parts],
            round: 0,
            turns: [0, 0],
            reads: Vec::new(),
        }
    }

    pub fn parts(&self) -> usize {
        self.heads.len()
    }

    /// Adds an item, unless it is known.
    pub fn learn(&mut self, sku: &str) {
        if self.items.iter().any(|item| &*item.sku == sku) {
            return;
        }
        let parts = self.parts();
        self.items.push(Item {
            sku: sku.into(),
            shelves: vec![Shelf::default(); parts],
            demands: vec![Demand::default(); parts],
            pairs: Pairs::default(),
            rest: Rest::default(),
            is_changed: true,
            is_wanted: false,
            suspects: Vec::new(),
            alarms: Vec::new(),
        });
    }

    /// The name of an item.
    pub fn sku(&self, item: usize) -> &str {
        &self.items[item].sku
    }

    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// Begins a round, and chooses the items to read: those that somebody wants first, the rest
    /// in turn.
    pub fn begin(&mut self) {
        self.round += 1;
        self.heads.fill(None);
        let (wanted, quiet): (Vec<usize>, Vec<usize>) =
            (0..self.items.len()).partition(|item| self.items[*item].is_wanted);
        let quiet_room = quiet.len().div_ceil(QUIET_EVERY).max(QUIET_LEAST);
        let room = READ_MOST - wanted.len().min(READ_MOST - QUIET_LEAST);
        self.reads.clear();
        let first = take_turn(
            &mut self.turns[0],
            &wanted,
            READ_MOST - room.min(QUIET_LEAST),
        );
        self.reads.extend(first);
        let rest = take_turn(&mut self.turns[1], &quiet, quiet_room.min(room));
        self.reads.extend(rest);
    }

    /// The items that this round reads.
    pub fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// A part has answered.
    pub fn heard(&mut self, part: usize, head: Head) {
        self.heads[part] = Some(head);
    }

    /// What is known of an item in a part, to be written anew. Whoever knows that nothing
    /// changed since the last reading need not call it.
    pub fn shelf(&mut self, item: usize, part: usize) -> &mut Shelf {
        self.items[item].is_changed = true;
        &mut self.items[item].shelves[part]
    }

    /// The same where its pairs are as they were.
    pub fn shelf_numbers(&mut self, item: usize, part: usize) -> &mut Shelf {
        &mut self.items[item].shelves[part]
    }

    /// What was read of an item last.
    pub fn shelves(&self, item: usize) -> &[Shelf] {
        &self.items[item].shelves
    }

    /// Units on their way, over the items as they were read last.
    pub fn units_under_way(&self) -> u64 {
        let ways = self.items.iter().flat_map(|item| &item.pairs.under_way);
        ways.map(|way| way.given - way.taken).sum()
    }

    /// Units taken above what was given, over the items as they were read last.
    pub fn units_above(&self) -> u64 {
        let alarms = self.items.iter().flat_map(|item| &item.alarms);
        alarms.map(|alarm| alarm.units).sum()
    }

    /// Comes to a decision about what was read. `is_busy` names parts whose last transfer is not
    /// at its end: they give nothing.
    pub fn decide(&mut self, is_busy: impl Fn(usize) -> bool) -> Decision {
        let mut decision = Decision::default();
        for (share_id, head) in self.share_ids.iter_mut().zip(&self.heads) {
            *share_id = head.map(|head| head.share_id);
        }
        decision.twins = twins(&self.share_ids);
        if decision.twins.is_some() {
            return decision;
        }
        if self.compared != self.share_ids {
            // Another part, or one that was silent: what was compared with others counts anew.
            self.items
                .iter_mut()
                .for_each(|item| item.is_changed = true);
            self.compared.clone_from(&self.share_ids);
        }
        let is_whole = self.heads.iter().all(Option::is_some);
        decision.rest = is_whole.then(Vec::new);
        // Each item is first in its turn.
        let (count, first) = (self.reads.len(), self.round as usize * 37);
        for at in first..first + count {
            let index = self.reads[at % count];
            self.decide_item(index, &is_busy, &mut decision);
        }
        decision
    }

    fn decide_item(
        &mut self,
        index: usize,
        is_busy: &impl Fn(usize) -> bool,
        decision: &mut Decision,
    ) {
        let (heads, share_ids, round) = (&self.heads, &self.share_ids, self.round);
        let item = &mut self.items[index];
        let answered = |part: usize| heads[part].is_some();
        for (part, (demand, shelf)) in item.demands.iter_mut().zip(&item.shelves).enumerate() {
            if answered(part) {
                demand.note(round, shelf, item.is_changed);
            }
        }
        if item.is_changed {
            item.pairs.compare(&item.shelves, share_ids);
            item.is_changed = false;
        }
        item.look_at_suspects(index, answered);
        decision.alarms.extend_from_slice(&item.alarms);
        if item.rest.note(heads, &item.shelves, &item.pairs)
            && let Some(rest) = &mut decision.rest
        {
            rest.push(index);
        }
        let may_give = |part: usize| answered(part) && !is_busy(part);
        let has_room = decision.gives.len() < GIVES_MOST;
        let may_give_more = |part: usize| has_room && may_give(part);
        let gifts = gifts(
            &item.shelves,
            &item.demands,
            &item.pairs,
            may_give_more,
            answered,
        );
        item.push_gives(index, &gifts, share_ids, may_give, &mut decision.gives);
        item.is_wanted = item.wants_each_round();
    }
}

impl Item {
    /// Whether somebody wants it, or something of it is not at its end.
    fn wants_each_round(&self) -> bool {
        let mut parts = self.demands.iter().zip(&self.shelves);
        !self.pairs.under_way.is_empty()
            || !self.suspects.is_empty()
            || parts.any(|(demand, shelf)| demand.is_wanted(shelf))
    }

    /// A giver that is read after the taker, and still says less, has lost what it gave. Of a
    /// pair that is silent, what was known of it stays.
    fn look_at_suspects(&mut self, index: usize, answered: impl Fn(usize) -> bool) {
        let is_silent = |from: usize, to: usize| !(answered(from) && answered(to));
        self.alarms.retain(|alarm| is_silent(alarm.from, alarm.to));
        for (from, to, taken) in &self.suspects {
            let mut above = self.pairs.above.iter();
            let still = above.find(|one| one.from == *from && one.to == *to);
            // `given` is of this round, `taken` of the one before.
            if let Some(one) = still
                && one.given < *taken
            {
                self.alarms.push(Alarm {
                    item: index,
                    from: *from,
                    to: *to,
                    units: taken - one.given,
                });
            }
        }
        let above = self.pairs.above.iter();
        let rows = above.map(|one| (one.from, one.to, one.taken));
        self.suspects.retain(|(from, to, _)| is_silent(*from, *to));
        self.suspects.extend(rows);
    }

    /// One GIVE for each pair: what is under way, and what is to be given beyond that.
    fn push_gives(
        &self,
        index: usize,
        gifts: &[Gift],
        share_ids: &[Option<ShareId>],
        may_give: impl Fn(usize) -> bool,
        gives: &mut Vec<Give>,
    ) {
        let mut push = |from: usize, to: usize, total: u64| {
            if let (Some(from_share), Some(to_share)) = (share_ids[from], share_ids[to]) {
                gives.push(Give {
                    from,
                    to,
                    item: index,
                    from_share,
                    to_share,
                    total,
                });
            }
        };
        for gift in gifts {
            if let Some(to_share) = share_ids[gift.to] {
                let given = self.shelves[gift.from].given_to(to_share);
                push(gift.from, gift.to, given + gift.units);
            }
        }
        let is_gift = |from, to| gifts.iter().any(|gift| gift.from == from && gift.to == to);
        for way in &self.pairs.under_way {
            if may_give(way.from) && !is_gift(way.from, way.to) {
                push(way.from, way.to, way.given);
            }
        }
    }
}

/// Takes so many of a list, going on where the turn was, and round.
fn take_turn<'l>(
    turn: &mut usize,
    list: &'l [usize],
    most: usize,
) -> impl Iterator<Item = usize> + use<'l> {
    let start = list.iter().position(|item| *item >= *turn).unwrap_or(0);
    let count = most.min(list.len());
    let taken = (start..start + count).map(|at| list[at % list.len().max(1)]);
    if count < list.len() {
        *turn = list[(start + count) % list.len()];
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [ShareId; 3] = [10, 20, 30];

    /// One round in which each part says this of the only item.
    fn round(driver: &mut Driver, says: [Option<Shelf>; 3]) -> Decision {
        driver.begin();
        for (part, shelf) in says.into_iter().enumerate() {
            let Some(shelf) = shelf else {
                continue;
            };
            let head = Head {
                share_id: SHARES[part],
                connection: 1,
                refunded: 0,
            };
            driver.heard(part, head);
            *driver.shelf(0, part) = shelf;
        }
        driver.decide(|_| false)
    }

    fn driver() -> Driver {
        let mut driver = Driver::new(3);
        driver.learn("red");
        driver
    }

    fn shelf(available: u64, asked: u64) -> Option<Shelf> {
        Some(Shelf {
            available,
            asked,
            base: 10,
            ..Shelf::default()
        })
    }

    fn given(mut shelf: Option<Shelf>, to: ShareId, total: u64) -> Option<Shelf> {
        shelf.as_mut().expect("a shelf").given.push((to, total));
        shelf
    }

    fn taken(mut shelf: Option<Shelf>, from: ShareId, total: u64) -> Option<Shelf> {
        shelf.as_mut().expect("a shelf").taken.push((from, total));
        shelf
    }

    fn rows(decision: &Decision) -> Vec<(usize, usize, u64)> {
        let rows = decision.gives.iter();
        rows.map(|give| (give.from, give.to, give.total)).collect()
    }

    #[test]
    fn what_is_under_way_is_finished_and_a_gift_goes_on_top_of_it() {
        let mut driver = driver();
        let first = [
            given(shelf(10, 0), 20, 4),
            taken(shelf(0, 0), 10, 3),
            shelf(0, 0),
        ];
        let decision = round(&mut driver, first);
        assert_eq!(rows(&decision), [(0, 1, 4)]);
        assert_eq!(driver.units_under_way(), 1);
        let second = [
            given(shelf(10, 0), 20, 4),
            taken(shelf(0, 5), 10, 3),
            shelf(0, 0),
        ];
        let decision = round(&mut driver, second.clone());
        assert_eq!(rows(&decision), [(0, 1, 9)]);
        // Not while the giver is at another transfer, and not by a part that is silent.
        driver.begin();
        assert_eq!(driver.decide(|_| true).gives, []);
        let [_, asks, other] = second;
        let decision = round(&mut driver, [None, asks, other]);
        assert_eq!((rows(&decision), decision.rest), (vec![], None));
    }

    #[test]
    fn an_alarm_takes_a_giver_that_was_read_after_the_taker() {
        let mut driver = driver();
        // The giver was read before it gave, the taker after it took.
        let decision = round(
            &mut driver,
            [shelf(5, 0), taken(shelf(3, 0), 10, 3), shelf(0, 0)],
        );
        assert_eq!(decision.alarms, []);
        let late = [
            given(shelf(2, 0), 20, 3),
            taken(shelf(3, 0), 10, 3),
            shelf(0, 0),
        ];
        assert_eq!(round(&mut driver, late).alarms, []);
        // It has lost what it gave.
        let lost = [shelf(5, 0), taken(shelf(3, 0), 10, 3), shelf(0, 0)];
        assert_eq!(round(&mut driver, lost.clone()).alarms, []);
        let alarm = Alarm {
            item: 0,
            from: 0,
            to: 1,
            units: 3,
        };
        let decision = round(&mut driver, lost.clone());
        assert_eq!((decision.alarms, driver.units_above()), (vec![alarm], 3));
        // A silent part takes nothing back.
        let [_, took, other] = lost;
        round(&mut driver, [None, took, other]);
        assert_eq!(driver.units_above(), 3);
    }

    #[test]
    fn two_parts_with_one_share_id_stop_it() {
        let mut driver = driver();
        driver.begin();
        for part in 0..3 {
            let head = Head {
                share_id: SHARES[part % 2],
                connection: 1,
                refunded: 0,
            };
            driver.heard(part, head);
            *driver.shelf(0, part) = shelf(part as u64, 0).expect("a shelf");
        }
        let decision = driver.decide(|_| false);
        assert_eq!(decision.twins, Some((0, 2)));
        assert_eq!((decision.gives.len(), decision.rest), (0, None));
    }

    #[test]
    fn sold_out_everywhere_takes_two_rounds_of_all() {
        let mut driver = driver();
        let empty = || [shelf(0, 0), shelf(0, 0), shelf(0, 0)];
        assert_eq!(round(&mut driver, empty()).rest, Some(vec![]));
        assert_eq!(round(&mut driver, empty()).rest, Some(vec![0]));
        assert_eq!(
            round(&mut driver, [None, shelf(0, 0), shelf(0, 0)]).rest,
            None
        );
        assert_eq!(round(&mut driver, empty()).rest, Some(vec![]));
        assert_eq!(round(&mut driver, empty()).rest, Some(vec![0]));
    }

    #[test]
    fn each_item_gets_its_turn_and_wanted_ones_are_read_each_round() {
        let mut driver = Driver::new(2);
        for item in 0..1_000 {
            driver.learn(&format!("item {item}"));
        }
        let mut asked = 0;
        let mut read = vec![0; 1_000];
        for _ in 0..8 {
            driver.begin();
            let items = driver.reads().to_vec();
            assert!(items.len() <= READ_MOST);
            asked += 1;
            for (part, share_id) in SHARES.into_iter().enumerate().take(2) {
                let head = Head {
                    share_id,
                    connection: 1,
                    refunded: 0,
                };
                driver.heard(part, head);
                for item in &items {
                    let wanted = (*item < 7) as u64 * asked;
                    *driver.shelf(*item, part) = shelf(0, wanted).expect("a shelf");
                }
            }
            items.iter().for_each(|item| read[*item] += 1);
            let _ = driver.decide(|_| false);
        }
        assert!(read.iter().all(|times| *times >= 1));
        assert!(
            read[..7].iter().all(|times| *times >= 2),
            "{:?}",
            &read[..7]
        );
    }
}
