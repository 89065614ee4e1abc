//! Rules about the entries of sales with `EVENTS all`: whether they reach their streams.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{ERROR, Verdict, WARNING};

/// An entry is written within milliseconds, unless its stream takes none; in milliseconds.
const WAITING_MS_MAX: u64 = 1_000;

pub(super) fn events_lost(facts: &Facts) -> Option<Verdict> {
    let dropped = facts.events_dropped;
    (dropped > 0).then(|| {
        let advice = format!(
            "compare consumers with the sales that have events_lost in FLASHSALE.INFO: {dropped} \
             entries were dropped since the start, because more waited than \
             flashsale.events-max; no order and no refund is among them"
        );
        (ERROR, advice)
    })
}

pub(super) fn events_waiting(facts: &Facts) -> Option<Verdict> {
    let waiting_ms = facts.events_waiting_ms;
    (facts.is_primary() && waiting_ms > WAITING_MS_MAX).then(|| {
        let advice = format!(
            "look after the order streams: the oldest entry has waited for {waiting_ms} ms, \
             because {}",
            facts.events_wait
        );
        (WARNING, advice)
    })
}
