//! What became of a run, and the HTML page about it.

use super::checks::{Check, commas};
use super::options::Shape;
use super::request::{COMMANDS, Sale};
use super::series::Sample;
use super::tally::Tally;

/// A run that is over.
pub struct Report {
    pub shape: Shape,
    pub seed: u64,
    /// The options as typed, without URLs.
    pub typed: String,
    pub checks: Vec<Check>,
    /// How late the load was, if that makes the run void.
    pub void_by_ms: Option<f64>,
    pub sold: u64,
    pub stock: u64,
    pub samples: Vec<Sample>,
    pub facts: Vec<(&'static str, String)>,
    /// Whether the sale is left on the server.
    pub kept: bool,
    pub sale: Sale,
    pub tally: Tally,
}

impl Report {
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
        let seconds = self.tally.series.columns.len() as f64 * self.tally.series.column_us as f64 / 1e6;
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
        named.map(|(row, word, count)| (COMMANDS[row], word, count)).collect()
    }
}

/// Writes the page.
pub fn page(report: &Report) -> String {
    report.verdict()
}
