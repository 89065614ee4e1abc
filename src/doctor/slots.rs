//! The rule about sales that are large to move to another server of a cluster.
//!
//! Edge: as `rules.rs`, which has its cases.

use super::Facts;
use super::rules::{NOTE, WARNING, numbers};

/// Reservations of a sale that MIGRATE carries over in about half a second.
const MIGRATED_MAX: u64 = 800_000;
/// How long MIGRATE stops the server a sale comes from for a million reservations, in
/// milliseconds: measured on two cores of a virtual machine.
const MIGRATE_MS_PER_MILLION: u64 = 750;
/// Reservations of a sale that is as large as one string may be, 512 MB at 24 bytes each.
const RESTORED_MAX: u64 = 20_000_000;

pub(super) fn slots(facts: &Facts) -> Option<(&'static str, String)> {
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
