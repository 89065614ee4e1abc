//! Numbers and marks as a person reads them.
//!
//! Edge: formatting only; colours appear only when the output is a terminal.

use std::env;
use std::io::{IsTerminal, stdout};

/// One thing that was checked.
pub struct Check {
    pub passed: bool,
    /// The claim.
    pub name: &'static str,
    /// The figures behind it.
    pub figures: String,
}

/// Prints the checks, one a line; true when all passed.
pub fn print_checks(checks: &[Check]) -> bool {
    let width = checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    for check in checks {
        println!(
            "  {}  {:width$}  {}",
            mark(check.passed),
            check.name,
            check.figures
        );
    }
    checks.iter().all(|check| check.passed)
}

/// `ok` or `FAIL`, of equal width.
pub fn mark(passed: bool) -> String {
    let (text, colour) = if passed {
        ("ok  ", "32")
    } else {
        ("FAIL", "1;31")
    };
    paint(text, colour)
}

/// Bold on a terminal.
pub fn heading(text: &str) -> String {
    paint(text, "1")
}

/// A number with a comma every three digits.
pub fn commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn paint(text: &str, colour: &str) -> String {
    if stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
