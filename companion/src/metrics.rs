//! Numbers for Prometheus, from all subcommands: what is counted is counted by the macros of
//! the crate `metrics`, and shown here.

use std::net::ToSocketAddrs;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

use crate::failure::Failure;

/// Upper bounds of the histograms, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Shows the numbers at this address and port, for as long as the runtime runs.
///
/// # Errors
///
/// It is none, or it is taken.
pub fn show_at(place: &str) -> Result<(), Failure> {
    let cannot = |error: String| Failure::CannotGoOn(format!("--metrics {place}: {error}"));
    let mut found = place
        .to_socket_addrs()
        .map_err(|error| cannot(error.to_string()))?;
    let address = found.next().ok_or_else(|| cannot("no address".into()))?;
    PrometheusBuilder::new()
        .with_http_listener(address)
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
        .and_then(PrometheusBuilder::install)
        .map_err(|error| cannot(error.to_string()))
}
