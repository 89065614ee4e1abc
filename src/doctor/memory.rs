//! Rules about memory: what is evicted, what a fork needs, and where values are freed.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{ERROR, NOTE, Verdict, WARNING, is_above};

pub(super) fn eviction(facts: &Facts) -> Option<Verdict> {
    let policy = facts.setting("maxmemory-policy")?;
    if policy == "noeviction" {
        return None;
    }
    let (severity, when) = match facts.number_set("maxmemory") {
        Some(0) => (WARNING, "as soon as maxmemory is set, "),
        _ => (ERROR, ""),
    };
    // A sale that ends has a TTL, so the volatile policies take it too.
    Some((
        severity,
        format!(
            "CONFIG SET maxmemory-policy noeviction: {when}{policy} may throw away a whole sale, \
             or its orders, to make room"
        ),
    ))
}

pub(super) fn memory(facts: &Facts) -> Option<Verdict> {
    let (most, used) = (
        facts.number_set("maxmemory")?,
        facts.number_told("used_memory")?,
    );
    let system = facts
        .number_told("total_system_memory")
        .filter(|&bytes| bytes > 0);
    if most > 0 && is_above(used, most, 90) {
        let advice = format!(
            "raise maxmemory or free memory: {used} of {most} bytes are in use, and at the limit \
             every new reservation is answered OOM"
        );
        return Some((WARNING, advice));
    }
    let system = system?;
    if is_above(most.max(used), system, 90) {
        let advice = format!(
            "leave more of the machine's {system} bytes free: a fork needs room beside the {} the \
             server may take, and without it the system ends the server",
            most.max(used)
        );
        return Some((WARNING, advice));
    }
    (most == 0).then(|| {
        let advice = format!(
            "CONFIG SET maxmemory {}: or what suits this machine; without it new reservations are \
             never refused, and the system ends the server when memory is used up",
            system / 4 * 3
        );
        (NOTE, advice)
    })
}

pub(super) fn overcommit(facts: &Facts) -> Option<Verdict> {
    (facts.overcommit.as_deref()? != "1").then(|| {
        let advice = "sysctl vm.overcommit_memory=1: otherwise a large server cannot fork, and \
                      neither rewrite its AOF nor take a replica";
        (WARNING, advice.to_owned())
    })
}

pub(super) fn lazyfree(facts: &Facts) -> Option<Verdict> {
    let names = [
        "lazyfree-lazy-expire",
        "lazyfree-lazy-user-del",
        "lazyfree-lazy-user-flush",
        "lazyfree-lazy-server-del",
        "replica-lazy-flush",
    ];
    let missing = names.iter().filter(|name| facts.is_set(name, "no"));
    let missing: Vec<String> = missing.map(|name| format!("{name} yes")).collect();
    (!missing.is_empty()).then(|| {
        let advice = format!(
            "CONFIG SET {}: or the end of a large sale stops all clients while it is freed",
            missing.join(" ")
        );
        (WARNING, advice)
    })
}
