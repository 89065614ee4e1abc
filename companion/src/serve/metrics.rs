//! What Prometheus is shown.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::prometheus::Page;

/// Upper bounds of `reserve_seconds`.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

#[derive(Default)]
struct Numbers {
    answers: BTreeMap<(&'static str, String), u64>,
    batches: u64,
    batch_entries: u64,
    resent: u64,
    lost_connections: u64,
    readers: usize,
    reserves: u64,
    reserve_seconds: f64,
    buckets: [u64; BUCKETS.len()],
}

/// The numbers of one gateway.
#[derive(Default)]
pub struct Metrics(Mutex<Numbers>);

impl Metrics {
    fn with<T>(&self, change: impl FnOnce(&mut Numbers) -> T) -> T {
        // Numbers that a panic left half changed are still numbers.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an answer by its word.
    pub fn count_answer(&self, request: &'static str, answer: &str) {
        let key = (request, answer.to_owned());
        self.with(|numbers| *numbers.answers.entry(key).or_default() += 1);
    }

    /// Counts how long a reservation took, refusals included.
    pub fn count_reserve(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.with(|numbers| {
            numbers.reserves += 1;
            numbers.reserve_seconds += seconds;
            for (bucket, bound) in numbers.buckets.iter_mut().zip(BUCKETS) {
                *bucket += u64::from(seconds <= bound);
            }
        });
    }

    /// Counts a batch that was answered.
    pub fn count_batch(&self, entries: usize) {
        self.with(|numbers| {
            numbers.batches += 1;
            numbers.batch_entries += entries as u64;
        });
    }

    /// Counts reservations that are sent again because their connection broke.
    pub fn count_resent(&self, entries: usize) {
        self.with(|numbers| numbers.resent += entries as u64);
    }

    /// Counts a connection to the server that broke.
    pub fn count_lost_connection(&self) {
        self.with(|numbers| numbers.lost_connections += 1);
    }

    /// Counts a reader of the live view.
    pub fn add_reader(&self) {
        self.with(|numbers| numbers.readers += 1);
    }

    /// Takes back what `add_reader` has counted.
    pub fn remove_reader(&self) {
        self.with(|numbers| numbers.readers = numbers.readers.saturating_sub(1));
    }

    /// Returns how many look at the live view.
    pub fn readers(&self) -> usize {
        self.with(|numbers| numbers.readers)
    }

    /// Writes all numbers in the text format of Prometheus.
    pub fn text(&self, waiting: usize) -> String {
        self.with(|numbers| numbers.text(waiting))
    }
}

impl Numbers {
    fn text(&self, waiting: usize) -> String {
        let mut page = Page::new("serve");
        page.family("answers_total", "counter", "Answers by request and word.");
        for ((request, answer), number) in &self.answers {
            let labels = [("request", *request), ("answer", answer.as_str())];
            page.line("answers_total", &labels, number);
        }
        for (name, help, number) in [
            ("batches_total", "Batches that were answered.", self.batches),
            (
                "batch_entries_total",
                "Reservations in these batches.",
                self.batch_entries,
            ),
            (
                "resent_total",
                "Reservations sent again because their connection broke.",
                self.resent,
            ),
            (
                "lost_connections_total",
                "Connections to the server that broke.",
                self.lost_connections,
            ),
        ] {
            page.family(name, "counter", help);
            page.line(name, &[], number);
        }
        page.family(
            "waiting",
            "gauge",
            "Reservations that wait for a connection.",
        );
        page.line("waiting", &[], waiting);
        page.family("readers", "gauge", "Readers of the live view.");
        page.line("readers", &[], self.readers);
        let help = "How long POST /reservations took, refusals included.";
        page.family("reserve_seconds", "histogram", help);
        for (bound, number) in BUCKETS.iter().zip(self.buckets) {
            let labels = [("le", bound.to_string())];
            let labels = labels
                .each_ref()
                .map(|(name, bound)| (*name, bound.as_str()));
            page.line("reserve_seconds_bucket", &labels, number);
        }
        page.line("reserve_seconds_bucket", &[("le", "+Inf")], self.reserves);
        page.line("reserve_seconds_sum", &[], self.reserve_seconds);
        page.line("reserve_seconds_count", &[], self.reserves);
        page.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_each_number_with_its_labels() {
        let metrics = Metrics::default();
        metrics.count_answer("reserve", "SOLDOUT");
        metrics.count_batch(100);
        metrics.count_batch(28);
        metrics.count_reserve(Duration::from_millis(20));
        metrics.add_reader();
        let text = metrics.text(7);
        for line in [
            "flashsale_serve_answers_total{request=\"reserve\",answer=\"SOLDOUT\"} 1",
            "flashsale_serve_batches_total 2",
            "flashsale_serve_batch_entries_total 128",
            "flashsale_serve_waiting 7",
            "flashsale_serve_readers 1",
            "flashsale_serve_reserve_seconds_bucket{le=\"0.01\"} 0",
            "flashsale_serve_reserve_seconds_bucket{le=\"0.025\"} 1",
            "flashsale_serve_reserve_seconds_count 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
    }
}
