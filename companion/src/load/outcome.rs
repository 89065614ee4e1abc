//! What became of a run: the verdict, and all that is told about it.

use crate::plain::commas;

use super::checks::Check;
use super::fates::Act;
use super::options::Shape;
use super::request::{COMMANDS, Sale};
use super::series::Sample;
use super::tally::Tally;

/// What a status word meant to the buyers.
const MEANINGS: [(&str, &str, &str); 21] = [
    ("RESERVE", "RESERVED", "units set aside"),
    ("RESERVE", "SOLD", "a second click met its own order"),
    (
        "RESERVE",
        "EXPIRED",
        "a second click came after the deadline: a new id",
    ),
    ("RESERVE", "NOTSTARTED", "too early: asked again"),
    (
        "RESERVE",
        "ALLRESERVED",
        "others might not pay: asked again",
    ),
    ("RESERVE", "WAITING", "in line: asked again when told to"),
    ("RESERVE", "PLACED", "waits already, under another id"),
    ("RESERVE", "SOLDOUT", "for good, or one fewer will do"),
    ("RESERVE", "USERLIMIT", "too many for one user"),
    ("RESERVE", "ORDERLIMIT", "too many for one order"),
    ("REPLACE", "RESERVED", "another item instead"),
    ("REPLACE", "ALLRESERVED", "the cart stayed as it was"),
    ("REPLACE", "SOLDOUT", "the cart stayed as it was"),
    ("REPLACE", "USERLIMIT", "the cart stayed as it was"),
    ("REPLACE", "EXPIRED", "too late: a new id"),
    ("CHECKOUT", "SOLD", "an order, or the same one again"),
    ("CHECKOUT", "EXPIRED", "paid too late: a new id"),
    ("CHECKOUT", "ALREADYSOLD", "paid twice: money to give back"),
    ("CHECKOUT", "NORESERVATION", "lost to the failover"),
    ("RELEASE", "RELEASED", "units given back"),
    ("RELEASE", "EXPIRED", "given back by its deadline"),
];

/// Returns what a word means, if a load can meet it.
pub fn meaning(command: &str, word: &str) -> &'static str {
    let known = MEANINGS
        .iter()
        .find(|(at, name, _)| *at == command && *name == word);
    known.map_or("not expected", |(_, _, meaning)| meaning)
}

/// A run that is over.
pub struct Outcome {
    pub shape: Shape,
    pub seed: u64,
    /// The options as typed, without URLs.
    pub typed: String,
    pub checks: Vec<Check>,
    /// How late the load was, if that makes the run void.
    pub void_by_ms: Option<f64>,
    /// What `p95` is held against.
    pub p95_us: u64,
    pub sold: u64,
    pub stock: u64,
    pub samples: Vec<Sample>,
    pub facts: Vec<(&'static str, String)>,
    /// Whether the sale had a line.
    pub waits: bool,
    /// The same buyers in a race before.
    pub race: Option<Act>,
    /// Whether the sale is left on the server.
    pub kept: bool,
    pub sale: Sale,
    pub tally: Tally,
}

impl Outcome {
    /// Reports whether the run counts and everything holds.
    pub fn holds(&self) -> bool {
        self.void_by_ms.is_none() && self.checks.iter().all(|check| check.passed)
    }

    /// Returns how long the run took.
    pub fn seconds(&self) -> f64 {
        let series = &self.tally.series;
        series.columns.len() as f64 * series.column_us as f64 / 1e6
    }

    /// Returns what is to be set side by side: the race if there was one, and the line; nothing
    /// where nobody waited.
    pub fn acts(&self) -> Vec<Act> {
        let line = self.waits.then(|| self.tally.act("line"));
        self.race.iter().cloned().chain(line).collect()
    }

    /// Returns the verdict in one line.
    pub fn verdict(&self) -> String {
        let failed = self.checks.iter().filter(|check| !check.passed).count();
        match (failed, self.void_by_ms) {
            (0, None) => "Every check passed.".into(),
            (0, Some(_)) => "VOID: the books are right, the load was late.".into(),
            (1, _) => "A check FAILED.".into(),
            (failed, _) => format!("{failed} checks FAILED."),
        }
    }

    /// Returns what was sold, by how many answers.
    pub fn summary(&self) -> String {
        let seconds = self.seconds();
        let requests = self.tally.requests();
        format!(
            "{} of {} units sold to {} buyers; {} requests in {seconds:.1} s, {} a second; {} replays, \
             {} paid in the grace, {} paid twice",
            commas(self.sold),
            commas(self.stock),
            commas(self.tally.users),
            commas(requests),
            commas((requests as f64 / seconds.max(0.001)) as u64),
            commas(self.tally.replays),
            commas(self.tally.paid_in_grace),
            commas(self.tally.paid_twice),
        )
    }

    /// Returns command, word and count, by command and the largest first.
    pub fn answers(&self) -> Vec<(&'static str, String, u64)> {
        let mut answers = self.tally.answers.clone();
        answers.sort_by(|one, other| (one.0, other.2, &one.1).cmp(&(other.0, one.2, &other.1)));
        let named = answers.into_iter();
        named
            .map(|(row, word, count)| (COMMANDS[row], word, count))
            .collect()
    }
}
