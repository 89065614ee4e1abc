//! The text format of Prometheus.

use std::fmt::{Display, Write};

/// What the format is called in `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of numbers, all named `flashsale_<subcommand>_...`.
pub struct Page {
    subcommand: &'static str,
    text: String,
}

impl Page {
    /// Begins a page.
    pub fn new(subcommand: &'static str) -> Self {
        Self {
            subcommand,
            text: String::new(),
        }
    }

    /// Begins a family of numbers.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let name = format!("flashsale_{}_{name}", self.subcommand);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one number of a family.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let label = |(name, value): &(&str, &str)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        };
        let labels: Vec<String> = labels.iter().map(label).collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(
            self.text,
            "flashsale_{}_{name}{labels} {value}",
            self.subcommand
        );
    }

    /// Returns the page.
    pub fn text(self) -> String {
        self.text
    }
}
