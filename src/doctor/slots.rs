//! Rules about a cluster, and sales that are large to move to another server of it.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{NOTE, Verdict, WARNING, numbers};

/// Reservations of a sale that MIGRATE carries over in about half a second.
const MIGRATED_MAX: u64 = 800_000;
/// How long MIGRATE stops the server a sale comes from for a million reservations, in
/// milliseconds: measured on two cores of a virtual machine.
const MIGRATE_MS_PER_MILLION: u64 = 750;
/// Reservations of a sale that is as large as one string may be, 512 MB at 24 bytes each.
const RESTORED_MAX: u64 = 20_000_000;

pub(super) fn slots(facts: &Facts) -> Option<Verdict> {
    let known = facts.reservations_known_max;
    if !facts.is_set("cluster-enabled", "yes") || known <= MIGRATED_MAX {
        return None;
    }
    let is_at_least = |name: &str, version: &[u64]| {
        let told = facts.told(name).map(numbers);
        told.is_some_and(|numbers| numbers[..] >= *version)
    };
    let is_valkey = facts.told("valkey_version").is_some();
    if known > RESTORED_MAX && !is_valkey && is_at_least("redis_version", &[8, 4]) {
        let advice = format!(
            "raise proto-max-bulk-len on the server a slot goes to: a sale here knows {known} \
             reservations, and this server sends it as one string, which may be larger than that \
             allows"
        );
        return Some((WARNING, advice));
    }
    let stop_ms = known.saturating_mul(MIGRATE_MS_PER_MILLION) / 1_000_000;
    let how = if is_at_least("valkey_version", &[9]) {
        "move slots with CLUSTER MIGRATESLOTS"
    } else {
        "move no slot in a rush, and keep cluster-node-timeout well above that"
    };
    let advice = format!(
        "{how}: a sale here knows {known} reservations, and MIGRATE stops the server it comes \
         from, and the one it goes to, for about {stop_ms} ms each"
    );
    Some((NOTE, advice))
}

pub(super) fn cluster(facts: &Facts) -> Option<Verdict> {
    if !facts.is_set("cluster-enabled", "yes") {
        return None;
    }
    if facts.is_set("cluster-require-full-coverage", "yes") {
        let advice = "CONFIG SET cluster-require-full-coverage no: or the loss of any other slot \
                      stops this server's sales too";
        return Some((WARNING, advice.to_owned()));
    }
    facts.is_set("cluster-allow-replica-migration", "yes").then(|| {
        let advice = "CONFIG SET cluster-allow-replica-migration no: only where a primary may lose \
                      its last slot, which otherwise makes it a replica";
        (NOTE, advice.to_owned())
    })
}
