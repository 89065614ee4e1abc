//! What a run that is long enough has to have seen.
//!
//! A simulator that sees nothing is no test: each of these is counted by the world, and
//! one that never comes means that a part of the test tests nothing.

use std::collections::BTreeMap;

const ALL: [&str; 97] = [
    // Answers.
    "ALLRESERVED",
    "ALREADYSOLD",
    "ENDED",
    "ERR",
    "EXPIRED",
    "ITEMLIMIT",
    "MISMATCH",
    "NOPASS",
    "NORESERVATION",
    "NOSKU",
    "NOTSOLD",
    "NOTSTARTED",
    "OK",
    "OOM",
    "ORDERLIMIT",
    "PAUSED",
    "READONLY",
    "REFUNDED",
    "RELEASED",
    "RESERVED",
    "RESTOCKED",
    "SALELIMIT",
    "SOLD",
    "SOLDOUT",
    "THROTTLED",
    "TOOFEW",
    "USERLIMIT",
    // Requests on their way.
    "reply lost",
    "request delayed or reordered",
    "request duplicated",
    "request lost",
    "request sent again",
    "request to a deposed primary",
    "retry answered as before",
    "retry of what a failover lost",
    // Batches.
    "batch at the end of a lost tail",
    "batch at the end of its budget",
    "batch cut",
    "batch doubled",
    "batch in another shape",
    "batch lost",
    "batch of many",
    "batch that a replica misses a part of",
    "expiry in a batch",
    // What may happen to a reservation.
    "a cart that became another user's",
    "a cart that changed",
    "another life of a forgotten id",
    "checkout within its grace",
    "expiry on the way of a request",
    "extended",
    "refund with RESTORELIMIT",
    "refund without restock",
    "release before the reserve",
    "release of an expired id",
    "restocked",
    "room made by forgetting",
    "room made by forgetting one past its grace",
    "entries dropped",
    "entries told",
    "entries told by a refund",
    "entries told by an order",
    "sweep at the end of its budget",
    "sweep by a deposed primary",
    "sweep of nothing",
    "sweep that ends a grace",
    "sweep that expires",
    "sweep that forgets",
    // Clocks.
    "clock before 1970",
    "clock set back",
    "step back of more than a minute",
    // Servers.
    "AOF rewritten",
    "chained replica",
    "crash of a primary",
    "crash of a replica",
    "crash with a lost tail",
    "crash with fsync always",
    "deposed primary made a replica",
    "digest compared",
    "full resync from another history",
    "partial resync",
    "promotion onto another history",
    "promotion with lag",
    "promotion without lag",
    "replay on top of a rewritten base",
    "restart from a snapshot",
    "split brain",
    // Copies that missed something.
    "RESUME of a marked copy",
    "RESUME of a marked copy after CLOSE",
    "RESUME of a sound primary",
    "crash of a marked copy",
    "event that a replica misses",
    "event that does not fit a diverged copy",
    "full resync of a marked copy",
    "promotion of a marked copy",
    "retry of what a copy missed",
    // Runs.
    "run that could lose nothing",
    "run that lost what was acknowledged",
];

/// What is missing.
pub fn missing(seen: &BTreeMap<&'static str, u64>) -> Vec<&'static str> {
    ALL.iter()
        .filter(|what| !seen.contains_key(**what))
        .copied()
        .collect()
}
