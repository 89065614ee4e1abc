//! The numbers of a driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::split::rules::round::Driver;

/// Counts and shows.
pub struct Metrics {
    begun: Instant,
    /// Milliseconds from the beginning to the last whole round.
    last: Arc<AtomicU64>,
}

impl Metrics {
    pub fn begin() -> Self {
        describe_gauge!(
            "flashsale_split_round_age_seconds",
            "Time since the last round in which every part answered, or another driver's turn"
        );
        describe_gauge!(
            "flashsale_split_working",
            "1 while this driver works, 0 while another does"
        );
        describe_counter!("flashsale_split_rounds_total", "Rounds");
        describe_histogram!("flashsale_split_round_seconds", "How long a round took");
        describe_counter!("flashsale_split_moved_units_total", "Units taken by parts");
        describe_gauge!(
            "flashsale_split_under_way_units",
            "Units given and not taken yet"
        );
        describe_counter!(
            "flashsale_split_unconfirmed_total",
            "Gifts that not all copies of the giver had in time"
        );
        describe_gauge!(
            "flashsale_split_taken_above_given",
            "Units taken that their giver does not know it gave"
        );
        counter!("flashsale_split_moved_units_total").increment(0);
        counter!("flashsale_split_unconfirmed_total").increment(0);
        gauge!("flashsale_split_taken_above_given").set(0.0);
        let (begun, last) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let shown = Arc::clone(&last);
        tokio::spawn(async move {
            // Whatever the rounds wait for, this one grows.
            loop {
                let age = begun.elapsed().as_millis() as f64 - shown.load(Ordering::Relaxed) as f64;
                gauge!("flashsale_split_round_age_seconds").set(age.max(0.0) / 1_000.0);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { begun, last }
    }

    /// A round is at its end.
    pub fn end_round(&self, begun: Instant, driver: &Driver, is_whole: bool) {
        counter!("flashsale_split_rounds_total").increment(1);
        histogram!("flashsale_split_round_seconds").record(begun.elapsed().as_secs_f64());
        gauge!("flashsale_split_under_way_units").set(driver.units_under_way() as f64);
        gauge!("flashsale_split_taken_above_given").set(driver.units_above() as f64);
        if is_whole {
            self.count_round();
        }
    }

    /// Nothing is late.
    pub fn count_round(&self) {
        let now = self.begun.elapsed().as_millis() as u64;
        self.last.store(now, Ordering::Relaxed);
    }

    pub fn set_works(&self, works: bool) {
        gauge!("flashsale_split_working").set(f64::from(u8::from(works)));
    }

    pub fn count_moved(&self, units: u64) {
        counter!("flashsale_split_moved_units_total").increment(units);
    }

    pub fn count_unconfirmed(&self, pairs: usize) {
        counter!("flashsale_split_unconfirmed_total").increment(pairs as u64);
    }
}
