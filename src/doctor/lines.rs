//! Rules about lines: whether those who may wait fit, can all ask, and learn of their turn.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{NOTE, Verdict, WARNING, is_above};

/// Bytes of one who waits, with two names of at most 16 bytes.
const PLACE_BYTES: u64 = 60;
/// Polls that a server answers beside a sale, in a second.
const POLLS_MAX: u64 = 100_000;

pub(super) fn line(facts: &Facts) -> Option<Verdict> {
    let (places, polls) = (facts.waiting_max, facts.polls_max);
    let bytes = places.saturating_mul(PLACE_BYTES);
    let most = facts.number_set("maxmemory").unwrap_or(0);
    if most > 0 && is_above(bytes, most, 10) {
        let advice = format!(
            "lower WAITING or raise maxmemory: a full line of {places} people takes {bytes} bytes, \
             more than a tenth of maxmemory"
        );
        return Some((WARNING, advice));
    }
    if polls > POLLS_MAX {
        let advice = format!(
            "raise PATIENCE: a full line of {places} people asks {polls} times a second, and must \
             not be slower or it is passed over"
        );
        return Some((NOTE, advice));
    }
    (facts.sales_with_short_hold > 0).then(|| {
        let advice =
            "give HOLD at least PATIENCE: who asks as seldom as PATIENCE allows may learn \
                      of a grant when it is over"
                .to_owned();
        (NOTE, advice)
    })
}
