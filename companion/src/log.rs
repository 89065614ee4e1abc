//! Log lines on stderr: one an event, as text or as JSON. No line has a URL or a payload.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static JSON: AtomicBool = AtomicBool::new(false);

/// Chooses JSON for all lines that follow.
pub fn use_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// Writes what happens in order.
pub fn info(message: impl AsRef<str>) {
    write("info", message.as_ref());
}

/// Writes what somebody should look at.
pub fn warn(message: impl AsRef<str>) {
    write("warn", message.as_ref());
}

fn write(level: &str, message: &str) {
    let at = timestamp(now_ms());
    let line = if JSON.load(Ordering::Relaxed) {
        serde_json::json!({"at": at, "level": level, "message": message}).to_string()
    } else {
        // One line an event, whatever an error says.
        format!("{at} {level} {}", message.replace('\n', " "))
    };
    // A closed stderr is no reason to stop storing orders.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Returns the milliseconds since 1970.
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |time| {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Formats milliseconds since 1970 as UTC, by the algorithm `civil_from_days` of Howard
/// Hinnant ("chrono-Compatible Low-Level Date Algorithms").
pub fn timestamp(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, milli) = (ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_moments_as_utc() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(timestamp(1_795_203_093_164), "2026-11-20T19:31:33.164Z");
    }
}
