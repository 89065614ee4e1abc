//! How a row of `answers.rs` is found.

use super::answers::{FAULTS, WORDS};
use super::meaning::{Fault, Row, When, Word};

/// Returns the word that a reply begins with; `None` for one of a newer module.
pub fn word_of(text: &[u8]) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.text.as_bytes() == text)
}

/// Returns what a word means as an answer of `command`.
pub fn row_of(word: &Word, command: &str, grace_left_ms: i64) -> Option<&'static Row> {
    word.rows.iter().find(|row| {
        let holds = match row.when {
            // No command answers WAITING in both ways.
            When::Always | When::Placed | When::NotPlaced => true,
            When::GraceLeft => grace_left_ms > 0,
            When::NoGraceLeft => grace_left_ms <= 0,
        };
        holds && row.of.contains(&command)
    })
}

/// Returns the error of a code; `None` for one that the table does not have.
pub fn fault_of(code: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proxies take a host out of service for its 5xx, and most answers of a flash sale are
    /// refusals.
    #[test]
    fn no_word_is_a_fault_of_the_server() {
        for row in WORDS.iter().flat_map(|word| word.rows) {
            assert!((200..500).contains(&row.http), "{}", row.means);
        }
    }

    #[test]
    fn tells_an_expired_reservation_by_its_grace() {
        let word = word_of(b"EXPIRED").expect("a word");
        let http = |command, grace| row_of(word, command, grace).map(|row| row.http);
        assert_eq!(http("CHECKOUT", 1), Some(202));
        assert_eq!(http("CHECKOUT", 0), Some(409));
        assert_eq!(http("RESERVE", 0), Some(409));
        assert_eq!(http("RELEASE", 0), None);
    }

    /// Placeholders are details of their word.
    #[test]
    fn sentences_for_buyers_can_be_filled_in() {
        for word in WORDS {
            for row in word.rows {
                for part in row.buyer.split('{').skip(1) {
                    let name = part.split('}').next();
                    let is_detail = word.details.iter().any(|one| Some(one.name) == name);
                    assert!(is_detail, "{}", row.buyer);
                }
            }
        }
    }
}
