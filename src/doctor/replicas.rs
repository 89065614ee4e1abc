//! Rules about replicas: whether there are any, and whether they keep up.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{ERROR, NOTE, Verdict, WARNING, part};

/// Replicas silent for longer than this are reported, in seconds. They speak up once a
/// second.
const REPLICA_LAG_S_MAX: u64 = 10;
/// A backlog that a rush does not fill in a second, in bytes.
const BACKLOG_BYTES_MIN: u64 = 64 << 20;

pub(super) fn replicas(facts: &Facts) -> Option<Verdict> {
    if !facts.is_primary() {
        return None;
    }
    if facts.number_told("connected_slaves")? == 0 {
        let advice = "connect a replica: if this machine is lost, all that is sold is lost with it";
        return Some((WARNING, advice.to_owned()));
    }
    let is_behind = |line: &&String| {
        let lag_s = part(line, "lag").and_then(|lag| lag.parse::<u64>().ok());
        part(line, "state") != Some("online") || lag_s.is_some_and(|lag| lag > REPLICA_LAG_S_MAX)
    };
    let behind = facts.replicas.iter().find(is_behind)?;
    let field = |name| part(behind, name).unwrap_or("?");
    let advice = format!(
        "look after the replica {}:{}: it is {} and was last heard {} seconds ago; what it has not \
         got is lost in a failover",
        field("ip"),
        field("port"),
        field("state"),
        field("lag"),
    );
    Some((WARNING, advice))
}

pub(super) fn min_replicas(facts: &Facts) -> Option<Verdict> {
    let wanted = facts.number_set("min-replicas-to-write")?;
    if !facts.is_primary() {
        return None;
    }
    if wanted > 0 {
        let good = facts.number_told("min_slaves_good_slaves").unwrap_or(0);
        return (good < wanted).then(|| {
            let advice = format!(
                "bring replicas back, or lower min-replicas-to-write: {good} of {wanted} are near \
                 enough, so every change is answered NOREPLICAS"
            );
            (ERROR, advice)
        });
    }
    (facts.number_told("connected_slaves")? > 0).then(|| {
        let advice = "CONFIG SET min-replicas-to-write 1: or this server goes on selling when it \
                      is cut off, and all of that is lost once another one was promoted";
        (WARNING, advice.to_owned())
    })
}

pub(super) fn backlog(facts: &Facts) -> Option<Verdict> {
    let bytes = facts.number_set("repl-backlog-size")?;
    let has_replicas = facts.number_told("connected_slaves")? > 0;
    (facts.is_primary() && has_replicas && bytes < BACKLOG_BYTES_MIN).then(|| {
        let advice = format!(
            "CONFIG SET repl-backlog-size {BACKLOG_BYTES_MIN}: a rush fills {bytes} bytes while a \
             link is down for a moment, and the replica has to begin anew"
        );
        (NOTE, advice)
    })
}

pub(super) fn replica(facts: &Facts) -> Option<Verdict> {
    if facts.told("role")? != "slave" {
        return None;
    }
    if facts.is_set("replica-read-only", "no") {
        let advice = "CONFIG SET replica-read-only yes: what clients write here fits no primary, \
                      and what the primary sends no longer fits here";
        return Some((ERROR, advice.to_owned()));
    }
    (facts.told("master_link_status")? != "up").then(|| {
        let advice = "look after the link to the primary: it is down, so what is read here is old";
        (WARNING, advice.to_owned())
    })
}
