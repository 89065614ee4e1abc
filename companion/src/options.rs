//! What all subcommands share of the command line: failures, durations.

use std::time::Duration;

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

/// Parses a duration such as `500ms`, `1.5s`, `15m`, `24h` or `7d`.
///
/// # Errors
///
/// Any other text, parts of a millisecond, and a duration of 0.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: give a number with ms, s, m, h or d");
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let (number, unit) = text.split_at(text.len() - text.trim_start_matches(is_number).len());
    let (whole, part) = match number.split_once('.') {
        Some((_, "")) => return Err(wrong()),
        Some((whole, part)) => (whole, part),
        None => (number, ""),
    };
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let mut ms = whole.checked_mul(factor).ok_or_else(wrong)?;
    let mut tenth = factor;
    for digit in part.chars() {
        let digit = digit.to_digit(10).ok_or_else(wrong)?;
        if tenth % 10 != 0 {
            return Err(wrong());
        }
        tenth /= 10;
        ms = ms.checked_add(tenth * u64::from(digit)).ok_or_else(wrong)?;
    }
    if ms == 0 || i64::try_from(ms).is_err() {
        return Err(wrong());
    }
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_their_unit_alone() {
        assert_eq!(parse_duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("0.25m"), Ok(Duration::from_secs(15)));
        for wrong in [
            "",
            "60",
            "s",
            "0s",
            "1.5ms",
            "1.s",
            ".5s",
            "1.2.3s",
            "1.0005s",
            "-1s",
            "1w",
            "99999999999999999d",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
