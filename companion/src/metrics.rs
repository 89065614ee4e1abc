//! Numbers for Prometheus, from all subcommands: what is counted is counted by the macros of
//! the crate `metrics`, and shown here.

use std::net::ToSocketAddrs;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// Upper bounds of the histograms, in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

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
    builder()
        .map(|builder| builder.with_http_listener(address))
        .and_then(PrometheusBuilder::install)
        .map_err(|error| cannot(error.to_string()))
}

/// Counts from now on, for as long as the runtime runs, and returns what writes the numbers:
/// for a subcommand that has an HTTP server of its own.
///
/// # Errors
///
/// Something counts already.
pub fn begin() -> Result<PrometheusHandle, Failure> {
    const UPKEEP_EVERY: Duration = Duration::from_secs(5);
    let installed = builder().and_then(PrometheusBuilder::install_recorder);
    let handle = installed.map_err(|error| Failure::CannotGoOn(format!("metrics: {error}")))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)
}

/// Returns what is shown once `act` has counted.
#[cfg(test)]
pub fn shown_after(act: impl FnOnce()) -> String {
    let recorder = builder().expect("buckets").build_recorder();
    metrics::with_local_recorder(&recorder, act);
    recorder.handle().render()
}
