//! What all subcommands share of the command line: failures, durations.

use std::time::Duration;

use crate::link::Way;

/// Ends the program with an exit code of its own and one line on stderr.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// The world is not as it has to be: exit code 3.
    CannotGoOn(String),
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(format!("{error}: see --help"))
    }
}

/// Chooses how to find the primary, from `--sentinel NAME` and `--cluster`.
///
/// # Errors
///
/// Both are given.
pub fn way_of(sentinel: Option<String>, is_cluster: bool) -> Result<Way, Failure> {
    match (sentinel, is_cluster) {
        (Some(_), true) => Err(Failure::Usage("--sentinel or --cluster, not both".into())),
        (Some(name), false) => Ok(Way::Sentinel(name)),
        (None, true) => Ok(Way::Cluster),
        (None, false) => Ok(Way::Direct),
    }
}

/// Chooses how to log, from the value of `--log`.
///
/// # Errors
///
/// Any value but `text` and `json`.
pub fn use_log(value: &str) -> Result<(), Failure> {
    match value {
        "text" => {}
        "json" => crate::log::use_json(),
        other => {
            return Err(Failure::Usage(format!(
                "--log {other}: there are text and json"
            )));
        }
    }
    Ok(())
}

/// Parses a duration such as `500ms`, `60s`, `15m`, `24h` or `7d`.
///
/// # Errors
///
/// Any other text, and a duration of 0.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: give a number with ms, s, m, h or d");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    match number.checked_mul(factor) {
        Some(ms) if ms > 0 && i64::try_from(ms).is_ok() => Ok(Duration::from_millis(ms)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_their_unit_alone() {
        assert_eq!(parse_duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in [
            "",
            "60",
            "s",
            "0s",
            "1.5s",
            "-1s",
            "1w",
            "99999999999999999d",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
