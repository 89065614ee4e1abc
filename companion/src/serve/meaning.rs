//! The shape of `answers.rs`, which is generated, and how a row of it is found.

use super::answers::{FAULTS, WORDS};

/// A status word: its details in the order of the reply, and its meanings.
pub struct Word {
    pub text: &'static str,
    pub details: &'static [Detail],
    pub rows: &'static [Row],
}

/// One element behind the status word.
pub struct Detail {
    pub name: &'static str,
    pub is: Type,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    Texts,
}

/// What a word means when one of the commands `of` answers it.
pub struct Row {
    pub of: &'static [&'static str],
    pub when: When,
    pub http: u16,
    pub after: After,
    pub buyer: &'static str,
    pub means: &'static str,
    pub next: &'static str,
}

/// The condition that tells rows of one word and command apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// `grace_left_ms` is above 0.
    GraceLeft,
    NoGraceLeft,
}

/// What `Retry-After` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    No,
    Seconds(u64),
    /// The milliseconds of this detail.
    Detail(&'static str),
}

/// An error of the module or the server.
pub struct Fault {
    pub code: &'static str,
    pub http: u16,
    /// The same request can succeed a moment later.
    pub again: bool,
    pub buyer: &'static str,
    pub next: &'static str,
}

/// Returns the word that a reply begins with; `None` for one of a newer module.
pub fn word_of(text: &[u8]) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.text.as_bytes() == text)
}

/// Returns what a word means as an answer of `command`.
pub fn row_of(word: &Word, command: &str, grace_left_ms: i64) -> Option<&'static Row> {
    word.rows.iter().find(|row| {
        let holds = match row.when {
            When::Always => true,
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
