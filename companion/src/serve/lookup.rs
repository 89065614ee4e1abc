//! How a row of `answers.rs` is found.

use serde_json::{Map, Value as Json};

use super::answers::{FAULTS, WORDS};
use super::meaning::{Fault, Row, When, Word};

/// Returns the word that a reply begins with; `None` for one of a newer module.
pub fn word_of(text: &[u8]) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.text.as_bytes() == text)
}

/// Returns what a word with these details means as an answer of `command`.
pub fn row_of(word: &Word, command: &str, details: &Map<String, Json>) -> Option<&'static Row> {
    let integer = |name| details.get(name).and_then(Json::as_i64);
    let (grace_left_ms, ahead) = (integer("grace_left_ms").unwrap_or(0), integer("ahead"));
    let is_final = || integer("retry_in_ms").is_some_and(|retry_in_ms| retry_in_ms < 0);
    let is_by_sale = || details.get("by").is_some_and(|by| by == "sale");
    word.rows.iter().find(|row| {
        let holds = match row.when {
            When::Always => true,
            When::GraceLeft => grace_left_ms > 0,
            When::NoGraceLeft => grace_left_ms <= 0,
            When::Undrawn => ahead.is_some_and(|ahead| ahead < 0),
            When::Placed => ahead.is_some_and(|ahead| ahead >= 0),
            When::NotPlaced => ahead.is_none(),
            When::BySale => is_by_sale(),
            When::ByBuyer => !is_by_sale(),
            When::Final => is_final(),
            When::NotNow => !is_final(),
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

    fn row(
        word: &str,
        command: &str,
        detail: &str,
        value: impl Into<Json>,
    ) -> Option<&'static Row> {
        let details = Map::from_iter([(detail.to_owned(), value.into())]);
        row_of(word_of(word.as_bytes()).expect("a word"), command, &details)
    }

    #[test]
    fn tells_an_expired_reservation_by_its_grace() {
        let http = |command, grace_ms: i64| {
            row("EXPIRED", command, "grace_left_ms", grace_ms).map(|row| row.http)
        };
        assert_eq!(http("CHECKOUT", 1), Some(202));
        assert_eq!(http("CHECKOUT", 0), Some(409));
        assert_eq!(http("RESERVE", 0), Some(409));
        assert_eq!(http("RELEASE", 0), None);
    }

    /// -1 is no number of people.
    #[test]
    fn tells_a_buyer_who_waits_for_the_draw_of_the_draw() {
        let buyer = |ahead: i64| row("WAITING", "RESERVE", "ahead", ahead).map(|row| row.buyer);
        assert!(buyer(0).expect("a row").contains("{ahead} before you"));
        let undrawn = buyer(-1).expect("a row");
        assert!(undrawn.contains("drawn when the sale starts") && !undrawn.contains('{'));
        let paid = row("WAITING", "CHECKOUT", "id", "a").expect("a row");
        assert!(paid.buyer.contains("still in line"));
    }

    #[test]
    fn tells_a_crowd_from_a_buyer_who_tries_too_often() {
        let buyer = |by| row("THROTTLED", "RESERVE", "by", by).map(|row| row.buyer);
        assert_eq!(buyer("sale"), Some("One moment, it is crowded."));
        assert_eq!(buyer("user"), Some("Not so fast."));
        assert_eq!(buyer("from"), buyer("user"));
    }

    #[test]
    fn tells_a_seat_that_is_sold_from_one_in_a_cart() {
        let buyer = |retry_in_ms: i64| {
            row("NOTFREE", "RESERVE", "retry_in_ms", retry_in_ms).map(|row| row.buyer)
        };
        assert_eq!(buyer(-1), Some("{unit} is taken. Please choose another."));
        assert!(buyer(1).is_some_and(|text| text.contains("in another cart just now")));
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
