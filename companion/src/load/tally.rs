//! What the buyers were told, and how long it took: their side of the books.

use std::collections::HashMap;

use hdrhistogram::Histogram;

use super::buyer::Line;
use super::fates::{Act, Fates};
use super::line::Places;
use super::request::{COMMANDS, Step};
use super::resp::Reply;
use super::series::{Series, histogram};

/// How many surprises are kept in words; all are counted.
const SURPRISES_MAX: usize = 10;
/// How many given back reservations are looked up in the end.
const RELEASED_MAX: usize = 20_000;
/// A promise may be lost in a failover only if it was made within so long before the kill: a
/// replica that is further behind is broken.
const LOSS_US: u64 = 10_000_000;

/// An order as a buyer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub order_id: String,
    pub user: u64,
    pub first: Line,
    pub second: Option<Line>,
    /// When the buyer was told.
    pub told_us: u64,
}

/// Counts and promises of the whole run.
pub struct Tally {
    /// Answers by row of `COMMANDS` and status word.
    pub answers: Vec<(usize, String, u64)>,
    /// Orders by reservation id.
    pub bought: HashMap<String, Bought>,
    /// Reservations that were given back, and whose they were.
    pub released: Vec<(String, u64)>,
    pub paid_in_grace: u64,
    /// Second payments that were told ALREADYSOLD.
    pub paid_twice: u64,
    /// Requests that were sent again, and answered as before.
    pub replays: u64,
    /// By item, the fewest units of a line that was told SOLDOUT.
    pub sold_out_units: Vec<Option<u64>>,
    /// The names of the items.
    items: Vec<String>,
    /// Answers that no rule allows.
    pub surprises: u64,
    pub surprise_texts: Vec<String>,
    /// Reservations and orders that the survivor of a failover does not know.
    pub lost_to_failover: u64,
    /// When the primary was killed.
    pub killed_us: Option<u64>,
    /// When the replica had been promoted: whoever was told something before was told it by the
    /// dead primary.
    pub promoted_us: Option<u64>,
    pub connections_lost: u64,
    /// Answers that only ask for patience, such as LOADING.
    pub put_off: u64,
    /// The words of these.
    pub put_off_words: Vec<String>,
    /// Requests that never were answered.
    pub unanswered: u64,
    /// The last deadline of a reservation that a buyer was told of.
    pub last_deadline_ms: u64,
    pub users: u64,
    /// By row of `COMMANDS`, in microseconds from the intended moment.
    pub latency: Vec<Histogram<u64>>,
    pub all_latency: Histogram<u64>,
    /// How late requests were handed over, through the load's own fault.
    pub behind: Histogram<u64>,
    pub series: Series,
    pub line: Places,
    pub fates: Fates,
}

impl Tally {
    /// Returns an empty tally of these items; `slot_us` is the width of a column in the report's
    /// plots.
    pub fn new(slot_us: u64, items: Vec<String>) -> Self {
        Self {
            answers: Vec::new(),
            bought: HashMap::new(),
            released: Vec::new(),
            paid_in_grace: 0,
            paid_twice: 0,
            replays: 0,
            sold_out_units: vec![None; items.len()],
            items,
            surprises: 0,
            surprise_texts: Vec::new(),
            lost_to_failover: 0,
            killed_us: None,
            promoted_us: None,
            connections_lost: 0,
            put_off: 0,
            put_off_words: Vec::new(),
            unanswered: 0,
            last_deadline_ms: 0,
            users: 0,
            latency: vec![histogram(3); COMMANDS.len()],
            all_latency: histogram(3),
            behind: histogram(3),
            series: Series::new(slot_us),
            line: Places::default(),
            fates: Fates::default(),
        }
    }

    /// Counts an answer to a request that was due at `intended_us`.
    pub fn count(&mut self, step: Step, reply: &Reply, intended_us: u64, answered_us: u64) {
        let row = step.row();
        let took_us = answered_us.saturating_sub(intended_us);
        self.latency[row].saturating_record(took_us);
        self.all_latency.saturating_record(took_us);
        self.series
            .answered(intended_us, answered_us, took_us, &reply.word);
        self.add_answer(row, &reply.word);
    }

    /// Counts an answer that only asks for patience: it is no answer to the buyer, so it has no
    /// latency.
    pub fn put_off(&mut self, step: Step, reply: &Reply) {
        self.put_off += 1;
        if !self.put_off_words.contains(&reply.word) {
            self.put_off_words.push(reply.word.clone());
        }
        self.add_answer(step.row(), &reply.word);
    }

    fn add_answer(&mut self, row: usize, word: &str) {
        let known = self
            .answers
            .iter_mut()
            .find(|(at, known, _)| *at == row && known == word);
        match known {
            Some((_, _, count)) => *count += 1,
            None => self.answers.push((row, word.to_owned(), 1)),
        }
    }

    /// Notes when the primary was killed and the replica promoted; 0 where that has not happened.
    pub fn note_failover(&mut self, killed_us: u64, promoted_us: u64) {
        self.killed_us = (killed_us > 0).then_some(killed_us);
        self.promoted_us = (promoted_us > 0).then_some(promoted_us);
    }

    /// Returns how many requests were answered.
    pub fn requests(&self) -> u64 {
        self.answers.iter().map(|(_, _, count)| count).sum()
    }

    /// Sums up who got what, as one of two acts.
    pub fn act(&self, name: &'static str) -> Act {
        Act::of(name, self.requests(), &self.fates, &self.line.wrong_by)
    }

    /// Returns how often any command was answered with this word.
    pub fn answered(&self, word: &str) -> u64 {
        let of_word = self.answers.iter().filter(|(_, known, _)| known == word);
        of_word.map(|(_, _, count)| count).sum()
    }

    /// Notes that a buyer was told SOLD.
    pub fn sold(&mut self, id: String, bought: Bought) {
        if let Some(known) = self.bought.get(&id)
            && known.order_id != bought.order_id
        {
            let text = format!(
                "{id} was told two orders: {} and {}",
                known.order_id, bought.order_id
            );
            self.lost_or_surprising(known.told_us, text);
        }
        self.bought.insert(id, bought);
    }

    /// Notes that a reservation was given back.
    pub fn gave_back(&mut self, id: String, user: u64) {
        if self.released.len() < RELEASED_MAX {
            self.released.push((id, user));
        }
    }

    /// Notes that so many units of an item were told SOLDOUT.
    pub fn sold_out(&mut self, sku: &str, first: Line, second: Option<Line>) {
        let lines = [Some(first), second];
        let mut lines = lines.into_iter().flatten();
        let Some((item, units)) = lines.find(|line| self.items[line.0] == sku) else {
            self.unexpected(format!("SOLDOUT of {sku:?}, which was not asked for"));
            return;
        };
        let least = &mut self.sold_out_units[item];
        *least = Some(least.map_or(units, |known| known.min(units)));
    }

    /// Compares the answers to one request that was sent twice, by their first `details`.
    pub fn compare_replay(&mut self, first: &Reply, second: &Reply, details: usize, told_us: u64) {
        let same = first.word == second.word
            && first
                .details
                .iter()
                .take(details)
                .eq(second.details.iter().take(details));
        if same {
            self.replays += 1;
        } else {
            let text = format!("sent twice: first {}, then {}", first.line(), second.line());
            self.lost_or_surprising(told_us, text);
        }
    }

    /// Counts what a buyer was told at `told_us` and the server does not know any more: lost to
    /// the failover if there was one since, else a surprise.
    pub fn lost_or_surprising(&mut self, told_us: u64, text: String) {
        if self.may_be_lost(told_us) {
            self.lost_to_failover += 1;
        } else {
            self.unexpected(text);
        }
    }

    /// Reports whether a promise of this moment can have been lost to a failover: until the
    /// replica is promoted, nobody but the primary that was killed can have made it.
    pub fn may_be_lost(&self, told_us: u64) -> bool {
        let is_before = self.promoted_us.is_none_or(|at_us| told_us <= at_us);
        self.killed_us
            .is_some_and(|killed_us| is_before && told_us + LOSS_US >= killed_us)
    }

    /// Notes an answer that no rule allows.
    pub fn unexpected(&mut self, text: String) {
        self.surprises += 1;
        if self.surprise_texts.len() < SURPRISES_MAX {
            self.surprise_texts.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_lost_only_to_a_failover_soon_after() {
        let mut tally = Tally::new(100_000, ["red", "green", "blue"].map(String::from).to_vec());
        tally.lost_or_surprising(5, "gone".into());
        tally.note_failover(20_000_000, 20_500_000);
        for told_us in [5, 20_500_001] {
            tally.lost_or_surprising(told_us, "gone".into());
        }
        // The last of them was read after the kill had begun.
        for told_us in [19_999_999, 20_400_000] {
            tally.lost_or_surprising(told_us, "gone".into());
        }
        assert_eq!((tally.surprises, tally.lost_to_failover), (3, 2));
    }

    #[test]
    fn soldout_is_noted_for_the_item_that_was_named() {
        let mut tally = Tally::new(100_000, ["red", "green", "blue"].map(String::from).to_vec());
        tally.sold_out("green", (0, 1), Some((1, 2)));
        tally.sold_out("green", (1, 3), None);
        assert_eq!(tally.sold_out_units, vec![None, Some(2), None]);
        tally.sold_out("blue", (0, 1), None);
        assert_eq!(tally.surprises, 1);
    }
}
