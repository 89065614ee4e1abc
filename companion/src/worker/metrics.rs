//! What a worker counts.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::batch::Outcome;

const ROWS: &str = "flashsale_worker_rows_total";
const DUPLICATES: &str = "flashsale_worker_duplicates_total";
const UNKNOWN_EVENTS: &str = "flashsale_worker_unknown_events_total";
const LOST_ENTRIES: &str = "flashsale_worker_lost_entries_total";
const PRIMARY_CHANGES: &str = "flashsale_worker_primary_changes_total";
const RETRIES: &str = "flashsale_worker_retries_total";
const DEAD: &str = "flashsale_worker_dead";
const LAG: &str = "flashsale_worker_lag";
const PENDING: &str = "flashsale_worker_pending";
const OLDEST_PENDING_SECONDS: &str = "flashsale_worker_oldest_pending_seconds";
const BATCH_SECONDS: &str = "flashsale_worker_batch_seconds";

/// Whose fault it was that something had to be tried again.
#[derive(Clone, Copy)]
pub enum Side {
    Redis,
    Sql,
}

/// Says what each number is, and shows those that nothing was counted in yet as 0: an alert
/// cannot tell the first one from none otherwise.
pub fn describe() {
    for (name, help) in [
        (DUPLICATES, "Entries that were stored before."),
        (
            UNKNOWN_EVENTS,
            "Entries of a kind that this version does not know.",
        ),
        (
            LOST_ENTRIES,
            "Events that were dropped before they reached the stream.",
        ),
        (
            PRIMARY_CHANGES,
            "Connections to another primary than before.",
        ),
    ] {
        describe_counter!(name, help);
        counter!(name).increment(0);
    }
    describe_counter!(ROWS, "New rows by table.");
    describe_counter!(RETRIES, "Tries that had to be repeated.");
    for side in ["redis", "sql"] {
        counter!(RETRIES, "side" => side).increment(0);
    }
    describe_gauge!(DEAD, "Dead letters in SQL.");
    describe_gauge!(LAG, "Entries that the group was not given yet.");
    describe_gauge!(PENDING, "Entries given to a worker and not acknowledged.");
    describe_gauge!(
        OLDEST_PENDING_SECONDS,
        Unit::Seconds,
        "Age of the oldest pending entry."
    );
    describe_histogram!(
        BATCH_SECONDS,
        Unit::Seconds,
        "How long a batch took in the database."
    );
}

/// Counts what became of a batch.
pub fn count(outcome: &Outcome, took: Duration) {
    for (table, rows) in &outcome.rows {
        counter!(ROWS, "table" => *table).increment(*rows);
    }
    counter!(DUPLICATES).increment(outcome.duplicates);
    counter!(UNKNOWN_EVENTS).increment(outcome.unknown);
    counter!(LOST_ENTRIES).increment(outcome.lost);
    histogram!(BATCH_SECONDS).record(took.as_secs_f64());
}

/// Counts a try that has to be repeated.
pub fn count_retry(side: Side) {
    let side = match side {
        Side::Redis => "redis",
        Side::Sql => "sql",
    };
    counter!(RETRIES, "side" => side).increment(1);
}

/// Counts a connection to another primary than before.
pub fn count_primary_change() {
    counter!(PRIMARY_CHANGES).increment(1);
}

/// Sets what the group of one stream looks like now. A lag that the server does not know, as
/// after XDEL, is no number.
pub fn set_group(stream: &str, lag: Option<i64>, pending: i64, oldest_pending_seconds: f64) {
    let stream = stream.to_owned();
    gauge!(LAG, "stream" => stream.clone()).set(lag.map_or(f64::NAN, |lag| lag as f64));
    gauge!(PENDING, "stream" => stream.clone()).set(pending as f64);
    gauge!(OLDEST_PENDING_SECONDS, "stream" => stream).set(oldest_pending_seconds);
}

/// Sets the number of dead letters of each reason; one that is gone is 0 and not missing.
pub fn set_dead(dead: Vec<(String, i64)>) {
    static REASONS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    // A set that a panic left is still a set.
    let mut reasons = REASONS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for (reason, number) in &dead {
        gauge!(DEAD, "reason" => reason.clone()).set(*number as f64);
    }
    for reason in reasons.iter() {
        if dead.iter().all(|(there, _)| there != reason) {
            gauge!(DEAD, "reason" => reason.clone()).set(0.0);
        }
    }
    reasons.extend(dead.into_iter().map(|(reason, _)| reason));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_each_number_with_its_labels() {
        let text = crate::metrics::shown_after(|| {
            describe();
            let mut outcome = Outcome {
                duplicates: 3,
                ..Outcome::default()
            };
            outcome.rows.insert("flashsale_orders", 2);
            count(&outcome, Duration::from_millis(20));
            count_retry(Side::Sql);
            set_dead(vec![("conflict".into(), 2), ("trimmed".into(), 1)]);
            set_dead(vec![("trimmed".into(), 1)]);
            set_group("a\"b", None, 1, 2.5);
        });
        for line in [
            "flashsale_worker_rows_total{table=\"flashsale_orders\"} 2",
            "flashsale_worker_duplicates_total 3",
            "flashsale_worker_lost_entries_total 0",
            "flashsale_worker_retries_total{side=\"redis\"} 0",
            "flashsale_worker_retries_total{side=\"sql\"} 1",
            "flashsale_worker_dead{reason=\"conflict\"} 0",
            "flashsale_worker_dead{reason=\"trimmed\"} 1",
            "flashsale_worker_lag{stream=\"a\\\"b\"} NaN",
            "flashsale_worker_pending{stream=\"a\\\"b\"} 1",
            "flashsale_worker_oldest_pending_seconds{stream=\"a\\\"b\"} 2.5",
            "flashsale_worker_batch_seconds_bucket{le=\"0.01\"} 0",
            "flashsale_worker_batch_seconds_bucket{le=\"0.025\"} 1",
            "flashsale_worker_batch_seconds_count 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
    }
}
