//! What Prometheus is shown, and the small server that shows it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::batch::Outcome;
use crate::prometheus::{CONTENT_TYPE, Page};

/// Upper bounds of `batch_seconds`.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What one stream's group looks like now.
#[derive(Clone, Default)]
pub struct Gauges {
    /// Missing where the server does not know, as after XDEL.
    pub lag: Option<i64>,
    pub pending: i64,
    pub oldest_pending_seconds: f64,
}

#[derive(Default)]
struct Numbers {
    rows: BTreeMap<&'static str, u64>,
    duplicates: u64,
    unknown: u64,
    lost: u64,
    primary_changes: u64,
    redis_retries: u64,
    sql_retries: u64,
    batches: u64,
    batch_seconds: f64,
    buckets: [u64; BUCKETS.len()],
    dead: BTreeMap<String, i64>,
    gauges: BTreeMap<String, Gauges>,
}

/// The numbers of one worker, from all its streams.
#[derive(Default)]
pub struct Metrics(Mutex<Numbers>);

impl Metrics {
    fn with<T>(&self, change: impl FnOnce(&mut Numbers) -> T) -> T {
        // Numbers that a panic left half changed are still numbers.
        let mut numbers = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut numbers)
    }

    /// Counts what became of a batch.
    pub fn count(&self, outcome: &Outcome, took: Duration) {
        self.with(|numbers| {
            for (table, rows) in &outcome.rows {
                *numbers.rows.entry(table).or_default() += rows;
            }
            numbers.duplicates += outcome.duplicates;
            numbers.unknown += outcome.unknown;
            numbers.lost += outcome.lost;
            numbers.batches += 1;
            numbers.batch_seconds += took.as_secs_f64();
            for (bucket, bound) in numbers.buckets.iter_mut().zip(BUCKETS) {
                *bucket += u64::from(took.as_secs_f64() <= bound);
            }
        });
    }

    /// Counts a try that has to be repeated because of Redis.
    pub fn count_redis_retry(&self) {
        self.with(|numbers| numbers.redis_retries += 1);
    }

    /// Counts a try that has to be repeated because of the database.
    pub fn count_sql_retry(&self) {
        self.with(|numbers| numbers.sql_retries += 1);
    }

    /// Counts a connection to another primary than before.
    pub fn count_primary_change(&self) {
        self.with(|numbers| numbers.primary_changes += 1);
    }

    /// Sets the gauges of a stream.
    pub fn set_gauges(&self, stream: &str, gauges: Gauges) {
        self.with(|numbers| numbers.gauges.insert(stream.to_owned(), gauges));
    }

    /// Sets the number of dead letters of each reason; one that is gone is 0 and not missing.
    pub fn set_dead(&self, dead: Vec<(String, i64)>) {
        self.with(|numbers| {
            for number in numbers.dead.values_mut() {
                *number = 0;
            }
            numbers.dead.extend(dead);
        });
    }

    /// Writes all numbers in the text format of Prometheus.
    pub fn text(&self) -> String {
        self.with(|numbers| numbers.text())
    }
}

impl Numbers {
    fn text(&self) -> String {
        let mut page = Page::new("worker");
        page.family("rows_total", "counter", "New rows by table.");
        for (table, rows) in &self.rows {
            page.line("rows_total", &[("table", table)], rows);
        }
        for (name, help, number) in [
            (
                "duplicates_total",
                "Entries that were stored before.",
                self.duplicates,
            ),
            (
                "unknown_events_total",
                "Entries of a kind that this version does not know.",
                self.unknown,
            ),
            (
                "lost_entries_total",
                "Events that were dropped before they reached the stream.",
                self.lost,
            ),
            (
                "primary_changes_total",
                "Connections to another primary than before.",
                self.primary_changes,
            ),
        ] {
            page.family(name, "counter", help);
            page.line(name, &[], number);
        }
        page.family("retries_total", "counter", "Tries that had to be repeated.");
        page.line("retries_total", &[("side", "redis")], self.redis_retries);
        page.line("retries_total", &[("side", "sql")], self.sql_retries);
        page.family("dead", "gauge", "Dead letters in SQL.");
        for (reason, number) in &self.dead {
            page.line("dead", &[("reason", reason)], number);
        }
        page.family("lag", "gauge", "Entries that the group was not given yet.");
        for (stream, gauges) in &self.gauges {
            if let Some(lag) = gauges.lag {
                page.line("lag", &[("stream", stream)], lag);
            }
        }
        page.family(
            "pending",
            "gauge",
            "Entries given to a worker and not acknowledged.",
        );
        for (stream, gauges) in &self.gauges {
            page.line("pending", &[("stream", stream)], gauges.pending);
        }
        page.family(
            "oldest_pending_seconds",
            "gauge",
            "Age of the oldest pending entry.",
        );
        for (stream, gauges) in &self.gauges {
            page.line(
                "oldest_pending_seconds",
                &[("stream", stream)],
                gauges.oldest_pending_seconds,
            );
        }
        page.family(
            "batch_seconds",
            "histogram",
            "How long a batch took in the database.",
        );
        for (bound, number) in BUCKETS.iter().zip(self.buckets) {
            page.line(
                "batch_seconds_bucket",
                &[("le", &bound.to_string())],
                number,
            );
        }
        page.line("batch_seconds_bucket", &[("le", "+Inf")], self.batches);
        page.line("batch_seconds_sum", &[], self.batch_seconds);
        page.line("batch_seconds_count", &[], self.batches);
        page.text()
    }
}

/// Answers each request to `/metrics` with the numbers, for ever.
pub async fn serve(listener: TcpListener, metrics: &Metrics) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // A scraper that goes away, or is too slow, loses its own answer.
                let _ = tokio::time::timeout(Duration::from_secs(2), answer(stream, metrics)).await;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1_024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 8_192 {
        match stream.read(&mut piece).await? {
            0 => break,
            read => request.extend_from_slice(&piece[..read]),
        }
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        ("200 OK", metrics.text())
    } else {
        ("404 Not Found", "There is /metrics.\n".to_owned())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_each_number_with_its_labels() {
        let metrics = Metrics::default();
        let mut outcome = Outcome {
            duplicates: 3,
            ..Outcome::default()
        };
        outcome.rows.insert("flashsale_orders", 2);
        metrics.count(&outcome, Duration::from_millis(20));
        metrics.set_dead(vec![("conflict".into(), 2)]);
        metrics.set_dead(Vec::new());
        metrics.set_gauges(
            "a\"b",
            Gauges {
                lag: None,
                pending: 1,
                oldest_pending_seconds: 2.5,
            },
        );
        let text = metrics.text();
        for line in [
            "flashsale_worker_rows_total{table=\"flashsale_orders\"} 2",
            "flashsale_worker_duplicates_total 3",
            "flashsale_worker_dead{reason=\"conflict\"} 0",
            "flashsale_worker_pending{stream=\"a\\\"b\"} 1",
            "flashsale_worker_oldest_pending_seconds{stream=\"a\\\"b\"} 2.5",
            "flashsale_worker_batch_seconds_bucket{le=\"0.01\"} 0",
            "flashsale_worker_batch_seconds_bucket{le=\"0.025\"} 1",
            "flashsale_worker_batch_seconds_count 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
        assert!(!text.contains("flashsale_worker_lag{"), "{text}");
    }
}
