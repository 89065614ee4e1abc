//! What a gateway counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

const ANSWERS: &str = "flashsale_serve_answers_total";
const RESERVE_SECONDS: &str = "flashsale_serve_reserve_seconds";
const BATCHES: &str = "flashsale_serve_batches_total";
const BATCH_ENTRIES: &str = "flashsale_serve_batch_entries_total";
const RESENT: &str = "flashsale_serve_resent_total";
const LOST_CONNECTIONS: &str = "flashsale_serve_lost_connections_total";
const WAITING: &str = "flashsale_serve_waiting";
const READERS: &str = "flashsale_serve_readers";

/// The numbers of one gateway, found once: each is used for every request.
#[derive(Clone)]
pub struct Metrics {
    reserve_seconds: Histogram,
    batches: Counter,
    batch_entries: Counter,
    resent: Counter,
    lost_connections: Counter,
    waiting: Gauge,
    readers: Gauge,
    reading: Arc<AtomicUsize>,
}

impl Metrics {
    /// Says what each number is, and shows those that nothing was counted in yet as 0.
    pub fn begin() -> Self {
        describe_counter!(ANSWERS, "Answers by request and word.");
        let help = "How long POST /reservations took, refusals included.";
        describe_histogram!(RESERVE_SECONDS, Unit::Seconds, help);
        describe_counter!(BATCHES, "Batches that were answered.");
        describe_counter!(BATCH_ENTRIES, "Reservations in these batches.");
        let help = "Reservations sent again because their connection broke.";
        describe_counter!(RESENT, help);
        describe_counter!(LOST_CONNECTIONS, "Connections to the server that broke.");
        describe_gauge!(WAITING, "Reservations that wait for a connection.");
        describe_gauge!(READERS, "Readers of the live view.");
        let metrics = Self {
            reserve_seconds: histogram!(RESERVE_SECONDS),
            batches: counter!(BATCHES),
            batch_entries: counter!(BATCH_ENTRIES),
            resent: counter!(RESENT),
            lost_connections: counter!(LOST_CONNECTIONS),
            waiting: gauge!(WAITING),
            readers: gauge!(READERS),
            reading: Arc::default(),
        };
        metrics.set_waiting(0);
        metrics.readers.set(0.0);
        metrics
    }

    /// Counts an answer by its word.
    pub fn count_answer(&self, request: &'static str, answer: &str) {
        counter!(ANSWERS, "request" => request, "answer" => answer.to_owned()).increment(1);
    }

    /// Counts how long a reservation took, refusals included.
    pub fn count_reserve(&self, took: Duration) {
        self.reserve_seconds.record(took.as_secs_f64());
    }

    /// Counts a batch that was answered.
    pub fn count_batch(&self, entries: usize) {
        self.batches.increment(1);
        self.batch_entries.increment(entries as u64);
    }

    /// Counts reservations that are sent again because their connection broke.
    pub fn count_resent(&self, entries: usize) {
        self.resent.increment(entries as u64);
    }

    /// Counts a connection to the server that broke.
    pub fn count_lost_connection(&self) {
        self.lost_connections.increment(1);
    }

    /// Sets how many reservations wait for a connection.
    pub fn set_waiting(&self, waiting: usize) {
        self.waiting.set(waiting as f64);
    }

    /// Counts a reader of the live view.
    pub fn add_reader(&self) {
        self.reading.fetch_add(1, Ordering::Relaxed);
        self.readers.increment(1.0);
    }

    /// Takes back what `add_reader` has counted.
    pub fn remove_reader(&self) {
        self.reading.fetch_sub(1, Ordering::Relaxed);
        self.readers.decrement(1.0);
    }

    /// Returns how many look at the live view.
    pub fn readers(&self) -> usize {
        self.reading.load(Ordering::Relaxed)
    }
}
