//! Rules about copies: replicas without the module, full resyncs, slots on the move.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::Facts;
use super::rules::{NOTE, WARNING};

/// How long MIGRATE stops both nodes for one reservation, in nanoseconds.
const MIGRATE_NS: u64 = 750;
/// Longer stops are reported, in milliseconds.
const MIGRATE_STALL_MS_MAX: u64 = 100;

/// The primary cannot ask a replica for its modules; it knows who was there before this
/// one.
pub(super) fn late_load(facts: &Facts) -> Option<(&'static str, String)> {
    let others = Some(facts.replicas_at_load).filter(|&others| others > 0)?;
    let advice = format!(
        "MODULE LIST on every replica: {others} were connected when this module was loaded here, \
         and one without it answers WAIT all the same and has neither sales nor orders; load it \
         there, then let the replica resynchronise"
    );
    Some((WARNING, advice))
}

pub(super) fn diskless_load(facts: &Facts) -> Option<(&'static str, String)> {
    facts.is_set("repl-diskless-load", "swapdb").then(|| {
        let advice = "CONFIG SET repl-diskless-load on-empty-db: swapdb is not used beside a \
                      module that does not take part in it, such as this one; a full resync goes \
                      by the disk, and fills the log with lines about it";
        (NOTE, advice.to_owned())
    })
}

pub(super) fn migration(facts: &Facts) -> Option<(&'static str, String)> {
    let is_cluster = facts.is_set("cluster-enabled", "yes");
    let stall_ms = facts.reservations_known.saturating_mul(MIGRATE_NS) / 1_000_000;
    (is_cluster && stall_ms > MIGRATE_STALL_MS_MAX).then(|| {
        let advice = format!(
            "move no slot of a large sale in a rush: this server's sales know {} reservations, \
             and while MIGRATE takes such a key along both nodes serve nobody, about {stall_ms} ms \
             if all were of one sale",
            facts.reservations_known
        );
        (NOTE, advice)
    })
}
