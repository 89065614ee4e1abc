//! Log lines on stderr: one an event, as text or as JSON. No line has a URL or a payload.

use std::time::{SystemTime, UNIX_EPOCH};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Sends what is logged from now on to stderr.
pub fn begin(format: Format) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    match format {
        Format::Text => lines.init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}

/// Writes what happens in order.
pub fn info(message: impl AsRef<str>) {
    tracing::info!("{}", in_one_line(message.as_ref()));
}

/// Writes what somebody should look at.
pub fn warn(message: impl AsRef<str>) {
    tracing::warn!("{}", in_one_line(message.as_ref()));
}

/// One line an event, whatever an error says.
fn in_one_line(message: &str) -> String {
    message.replace('\n', " ")
}

/// Returns the milliseconds since 1970.
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}
