//! What the buyers were told, and how long it took.
//!
//! Edge: the buyers' side of the books; `checks.rs` holds it against the server's.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::reply::{Outcome, Reply};
use crate::visit::Step;

/// How many surprises are kept in words; all are counted.
const SURPRISES_MAX: usize = 10;

/// The commands in the order of the report.
pub const STEPS: [(Step, &str); 3] = [
    (Step::Reserve, "RESERVE"),
    (Step::Checkout, "CHECKOUT"),
    (Step::Release, "RELEASE"),
];

/// An order as a buyer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub order_id: String,
    pub units: u64,
}

/// Counts of one connection, or of all.
pub struct Tally {
    /// Answers by command and status word.
    pub answers: BTreeMap<(Step, String), u64>,
    /// Orders by reservation id, as told to their buyers.
    pub bought: HashMap<String, Bought>,
    /// Payments that came after the deadline and still succeeded.
    pub paid_in_grace: u64,
    /// Requests that were sent again, and answered as before.
    pub replays: u64,
    /// The smallest cart that was told SOLDOUT.
    pub sold_out_units: Option<u64>,
    /// Answers that no rule allows.
    pub surprises: u64,
    /// The first of them, in words.
    pub surprise_texts: Vec<String>,
    latency: [Histogram<u64>; STEPS.len()],
}

impl Tally {
    /// An empty tally.
    pub fn new() -> Outcome<Tally> {
        // 1 microsecond to 1 minute with three digits.
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        Ok(Tally {
            answers: BTreeMap::new(),
            bought: HashMap::new(),
            paid_in_grace: 0,
            replays: 0,
            sold_out_units: None,
            surprises: 0,
            surprise_texts: Vec::new(),
            latency: [histogram.clone(), histogram.clone(), histogram],
        })
    }

    /// Adds another connection's counts.
    pub fn add(&mut self, other: Tally) -> Outcome<()> {
        for (key, count) in other.answers {
            *self.answers.entry(key).or_default() += count;
        }
        for (id, bought) in other.bought {
            self.remember(id, bought);
        }
        self.paid_in_grace += other.paid_in_grace;
        self.replays += other.replays;
        if let Some(units) = other.sold_out_units {
            self.sold_out(units);
        }
        self.surprises += other.surprises;
        let room = SURPRISES_MAX.saturating_sub(self.surprise_texts.len());
        self.surprise_texts
            .extend(other.surprise_texts.into_iter().take(room));
        for (all, one) in self.latency.iter_mut().zip(&other.latency) {
            all.add(one)?;
        }
        Ok(())
    }

    /// Counts an answer by its status word.
    pub fn count(&mut self, step: Step, word: &str) {
        // Looked up twice, because an entry would need an owned word each time.
        match self
            .answers
            .iter_mut()
            .find(|((at, known), _)| *at == step && known == word)
        {
            Some((_, count)) => *count += 1,
            None => {
                self.answers.insert((step, word.to_owned()), 1);
            }
        }
    }

    /// Records how long a request took.
    pub fn took(&mut self, step: Step, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.latency[step as usize].saturating_record(micros);
    }

    /// Latencies of one command, in microseconds.
    pub fn latency(&self, step: Step) -> &Histogram<u64> {
        &self.latency[step as usize]
    }

    /// Requests sent, all commands.
    pub fn requests(&self) -> u64 {
        self.answers.values().sum()
    }

    /// How often a command was answered with this word.
    pub fn answered(&self, step: Step, word: &str) -> u64 {
        self.answers
            .get(&(step, word.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    /// A buyer was told SOLD.
    pub fn sold(&mut self, id: String, order_id: String, units: u64, in_grace: bool) {
        self.paid_in_grace += u64::from(in_grace);
        self.remember(id, Bought { order_id, units });
    }

    /// A cart of so many units was told SOLDOUT.
    pub fn sold_out(&mut self, units: u64) {
        self.sold_out_units = Some(self.sold_out_units.map_or(units, |least| least.min(units)));
    }

    /// Both halves of a double click report their order; it has to be the same one.
    fn remember(&mut self, id: String, bought: Bought) {
        if let Some(known) = self.bought.get(&id)
            && *known != bought
        {
            let text = format!("{id} was told two orders: {known:?} and {bought:?}");
            self.unexpected(text);
        }
        self.bought.insert(id, bought);
    }

    /// The same request was sent twice: the first `details` of both answers agree.
    pub fn compare_replay(&mut self, first: &Reply, second: &Reply, details: usize) {
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
            self.unexpected(text);
        }
    }

    /// Notes an answer that no rule allows.
    pub fn unexpected(&mut self, text: String) {
        self.surprises += 1;
        if self.surprise_texts.len() < SURPRISES_MAX {
            self.surprise_texts.push(text);
        }
    }
}
