//! Rules about what is on disk: the AOF, snapshots, and whether they are written.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{ERROR, NOTE, Verdict, WARNING};

pub(super) fn appendonly(facts: &Facts) -> Option<Verdict> {
    facts.is_set("appendonly", "no").then(|| {
        let lost = match facts.setting("save") {
            Some("") => "every sale and every order",
            _ => "every order since the last snapshot",
        };
        (
            ERROR,
            format!("CONFIG SET appendonly yes: without it a crash loses {lost}"),
        )
    })
}

pub(super) fn fsync(facts: &Facts) -> Option<Verdict> {
    if !facts.is_set("appendonly", "yes") {
        return None;
    }
    if facts.is_set("appendfsync", "no") {
        let advice = "CONFIG SET appendfsync everysec: with no, a power cut loses half a minute of \
                      orders or more";
        return Some((ERROR, advice.to_owned()));
    }
    if facts.is_set("no-appendfsync-on-rewrite", "yes") {
        let advice = "CONFIG SET no-appendfsync-on-rewrite no: with yes, nothing is safe from a \
                      power cut while the AOF is rewritten, which in a rush it is";
        return Some((WARNING, advice.to_owned()));
    }
    facts.is_set("appendfsync", "everysec").then(|| {
        let advice = "CONFIG SET appendfsync always: only where the last second or two of orders \
                      must outlive a power cut, since every command then waits for the disk";
        (NOTE, advice.to_owned())
    })
}

pub(super) fn aof_write(facts: &Facts) -> Option<Verdict> {
    (facts.told("aof_last_write_status")? != "ok").then(|| {
        let advice = "make room on the disk of the AOF: the last write failed, and until one \
                      succeeds the server refuses every change";
        (ERROR, advice.to_owned())
    })
}

pub(super) fn aof_rewrite(facts: &Facts) -> Option<Verdict> {
    (facts.told("aof_last_bgrewrite_status")? != "ok").then(|| {
        let advice = "look into the server's log, then BGREWRITEAOF: the last rewrite failed, and \
                      the AOF grows without end";
        (WARNING, advice.to_owned())
    })
}

pub(super) fn snapshot(facts: &Facts) -> Option<Verdict> {
    if facts.told("rdb_last_bgsave_status")? == "ok" {
        return None;
    }
    let refuses = facts.is_set("stop-writes-on-bgsave-error", "yes")
        && facts.setting("save").is_some_and(|save| !save.is_empty());
    let advice = "look into the server's log, then BGSAVE: the last snapshot failed";
    Some(if refuses {
        (
            ERROR,
            format!(
                "{advice}, and with stop-writes-on-bgsave-error the server refuses every change"
            ),
        )
    } else {
        (WARNING, format!("{advice}, and a new replica may need one"))
    })
}
