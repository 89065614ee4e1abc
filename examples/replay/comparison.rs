//! One thing compared with the book, counted.
//!
//! Edge: texts only; what they say is the caller's business.

use crate::print::{Check, commas};

/// How many differences of one kind are shown.
const SHOWN_MAX: usize = 3;

/// One comparison under way.
pub struct Comparison {
    name: &'static str,
    what: &'static str,
    compared: u64,
    differences: Vec<String>,
}

impl Comparison {
    /// Begins; `what` is what is counted.
    pub fn new(name: &'static str, what: &'static str) -> Comparison {
        Comparison {
            name,
            what,
            compared: 0,
            differences: Vec::new(),
        }
    }

    /// Compares and counts one.
    pub fn compare(&mut self, of: &str, given: &str, expected: &str) {
        self.compared += 1;
        self.require(of, given, expected);
    }

    /// Compares without counting: how many there are, not what they say.
    pub fn require(&mut self, of: &str, given: &str, expected: &str) {
        if given != expected {
            self.differences
                .push(format!("{of}: {given}, not {expected}"));
        }
    }

    /// The claim with its count, and the first differences.
    pub fn into_check(self) -> Check {
        let mut figures = format!("{} {}", commas(self.compared), self.what);
        if !self.differences.is_empty() {
            let shown = self
                .differences
                .iter()
                .take(SHOWN_MAX)
                .cloned()
                .collect::<Vec<_>>();
            figures += &format!(", {} differ: {}", self.differences.len(), shown.join("; "));
        }
        Check {
            passed: self.differences.is_empty(),
            name: self.name,
            figures,
        }
    }
}
