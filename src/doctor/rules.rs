//! The rules: facts in, findings out.
//!
//! Each topic is one rule with at most one finding. Advice begins with what to do, then a
//! colon and why, so that the first part can be typed in where it is a command.
//!
//! Edge: pure. No rule asks anybody; a fact that is not known is no finding.

use super::Facts;
use super::copies::{diverged, divergence, late_load, load_damaged};
use super::slots::slots;

/// Orders or whole sales are being lost, or will be.
pub(super) const ERROR: &str = "error";
/// A sale suffers when something else happens: a crash, a failover, a rush.
pub(super) const WARNING: &str = "warning";
/// Right for some, and worth a decision.
pub(super) const NOTE: &str = "note";

/// One thing that would hurt a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: &'static str,
    pub topic: &'static str,
    pub advice: String,
}

type Rule = fn(&Facts) -> Option<(&'static str, String)>;

/// Every topic, in the order of the reply.
const RULES: [(&str, Rule); 28] = [
    ("divergence", divergence),
    ("diverged", diverged),
    ("load-damaged", load_damaged),
    ("eviction", eviction),
    ("appendonly", appendonly),
    ("fsync", fsync),
    ("aof-write", aof_write),
    ("aof-rewrite", aof_rewrite),
    ("snapshot", snapshot),
    ("memory", memory),
    ("overcommit", overcommit),
    ("lazyfree", lazyfree),
    ("replicas", replicas),
    ("min-replicas", min_replicas),
    ("backlog", backlog),
    ("replica", replica),
    ("versions", versions),
    ("late-load", late_load),
    ("valkey-copy", valkey_copy),
    ("sweep", sweep),
    ("clock", clock),
    ("clients", clients),
    ("hz", hz),
    ("events", events),
    ("module-command", module_command),
    ("cluster", cluster),
    ("slots", slots),
    ("config", config),
];

/// Everything that would hurt a sale; nothing where all is well.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let rules = RULES.iter();
    rules
        .filter_map(|(topic, rule)| {
            let (severity, advice) = rule(facts)?;
            Some(Finding {
                severity,
                topic,
                advice,
            })
        })
        .collect()
}

/// Replicas silent for longer than this are reported, in seconds. They speak up once a
/// second.
const REPLICA_LAG_S_MAX: u64 = 10;
/// Returns of reservations later than this are reported, in milliseconds.
const SWEEP_LAG_MS_MAX: u64 = 1_000;
/// A backlog that a rush does not fill in a second, in bytes.
const BACKLOG_BYTES_MIN: u64 = 64 << 20;
/// The server's own default.
const HZ_MIN: u64 = 10;

impl Facts {
    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref()?.get(name).map(String::as_str)
    }

    pub(super) fn is_set(&self, name: &str, value: &str) -> bool {
        self.setting(name) == Some(value)
    }

    fn number_set(&self, name: &str) -> Option<u64> {
        self.setting(name)?.parse().ok()
    }

    pub(super) fn told(&self, name: &str) -> Option<&str> {
        self.info.get(name).map(String::as_str)
    }

    fn number_told(&self, name: &str) -> Option<u64> {
        self.told(name)?.parse().ok()
    }

    fn is_primary(&self) -> bool {
        self.told("role") == Some("master")
    }
}

/// `lag=3` of a replica's line.
fn part<'f>(line: &'f str, name: &str) -> Option<&'f str> {
    let mut parts = line.split(',').filter_map(|part| part.split_once('='));
    parts
        .find(|(part, _)| *part == name)
        .map(|(_, value)| value)
}

/// More than `percent` of `all`?
fn is_above(part: u64, all: u64, percent: u64) -> bool {
    u128::from(part) * 100 > u128::from(all) * u128::from(percent)
}

fn eviction(facts: &Facts) -> Option<(&'static str, String)> {
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

fn appendonly(facts: &Facts) -> Option<(&'static str, String)> {
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

fn fsync(facts: &Facts) -> Option<(&'static str, String)> {
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

fn aof_write(facts: &Facts) -> Option<(&'static str, String)> {
    (facts.told("aof_last_write_status")? != "ok").then(|| {
        let advice = "make room on the disk of the AOF: the last write failed, and until one \
                      succeeds the server refuses every change";
        (ERROR, advice.to_owned())
    })
}

fn aof_rewrite(facts: &Facts) -> Option<(&'static str, String)> {
    (facts.told("aof_last_bgrewrite_status")? != "ok").then(|| {
        let advice = "look into the server's log, then BGREWRITEAOF: the last rewrite failed, and \
                      the AOF grows without end";
        (WARNING, advice.to_owned())
    })
}

fn snapshot(facts: &Facts) -> Option<(&'static str, String)> {
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

fn memory(facts: &Facts) -> Option<(&'static str, String)> {
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

fn overcommit(facts: &Facts) -> Option<(&'static str, String)> {
    (facts.overcommit.as_deref()? != "1").then(|| {
        let advice = "sysctl vm.overcommit_memory=1: otherwise a large server cannot fork, and \
                      neither rewrite its AOF nor take a replica";
        (WARNING, advice.to_owned())
    })
}

fn lazyfree(facts: &Facts) -> Option<(&'static str, String)> {
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

fn replicas(facts: &Facts) -> Option<(&'static str, String)> {
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

fn min_replicas(facts: &Facts) -> Option<(&'static str, String)> {
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

fn backlog(facts: &Facts) -> Option<(&'static str, String)> {
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

fn replica(facts: &Facts) -> Option<(&'static str, String)> {
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

/// Numbers of a version: 8.1.1 is [8, 1, 1].
pub(super) fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

fn valkey_copy(facts: &Facts) -> Option<(&'static str, String)> {
    let version = facts.told("valkey_version")?;
    if numbers(version) < vec![8, 1] {
        return None;
    }
    let is_known = numbers(version) <= vec![8, 1, 1];
    let severity = if is_known { WARNING } else { NOTE };
    let doubt = if is_known {
        ""
    } else {
        ", unless it has that fix"
    };
    let advice = format!(
        "do not use COPY with DB, of any key: Valkey {version} lacks the fix of its pull request \
         4024{doubt}, and replicas and the AOF miss such a copy while a module listens to keyspace \
         events"
    );
    Some((severity, advice))
}

fn versions(facts: &Facts) -> Option<(&'static str, String)> {
    let has_others = facts.told("role")? == "slave" || facts.number_told("connected_slaves")? > 0;
    has_others.then(|| {
        let advice = format!(
            "upgrade replicas before their primary: this is flashsale {}, and an event that an \
             older one does not know is counted as divergence; MODULE LIST tells each server's",
            env!("CARGO_PKG_VERSION")
        );
        (NOTE, advice)
    })
}

fn sweep(facts: &Facts) -> Option<(&'static str, String)> {
    let late_ms = facts.sweep_lag_ms.max(facts.overdue_ms);
    (facts.is_primary() && late_ms > SWEEP_LAG_MS_MAX).then(|| {
        let advice = format!(
            "raise flashsale.sweep-max: reservations come back {late_ms} ms after their deadline, \
             since more fall due than a sweep returns, or the clock stepped forward"
        );
        (WARNING, advice)
    })
}

fn clock(facts: &Facts) -> Option<(&'static str, String)> {
    let times = Some(facts.clock_steps_back).filter(|&times| times > 0)?;
    let advice = format!(
        "let the clock be slewed, not stepped: {times} changes came after it had gone back by more \
         than a minute, and deadlines promised before that are far ahead"
    );
    Some((WARNING, advice))
}

fn clients(facts: &Facts) -> Option<(&'static str, String)> {
    let (used, most) = (
        facts.number_told("connected_clients")?,
        facts.number_set("maxclients")?,
    );
    if is_above(used, most, 90) {
        let advice = format!(
            "CONFIG SET maxclients {}: {used} of {most} connections are in use, and buyers beyond \
             are turned away",
            most.saturating_mul(2)
        );
        return Some((WARNING, advice));
    }
    let timeout_s = facts
        .number_set("timeout")
        .filter(|&timeout_s| timeout_s > 0)?;
    let advice = format!(
        "CONFIG SET timeout 0: a gateway's idle connections are closed after {timeout_s} seconds, \
         and the first request of a rush finds them gone"
    );
    Some((NOTE, advice))
}

fn hz(facts: &Facts) -> Option<(&'static str, String)> {
    let hz = facts.number_set("hz").filter(|&hz| hz < HZ_MIN)?;
    let advice = format!(
        "CONFIG SET hz {HZ_MIN}: at {hz} the server looks after its timers less often, and \
         reservations come back late after a step of the clock"
    );
    Some((NOTE, advice))
}

fn events(facts: &Facts) -> Option<(&'static str, String)> {
    let classes = facts.setting("notify-keyspace-events")?;
    let has = |letter: char| classes.contains(letter);
    ((has('K') || has('E')) && !has('A') && !has('d')).then(|| {
        let advice = format!(
            "CONFIG SET notify-keyspace-events {classes}d: with {classes} the server tells of \
             other keys, and nobody of flashsale.soldout and its like"
        );
        (NOTE, advice)
    })
}

fn module_command(facts: &Facts) -> Option<(&'static str, String)> {
    facts.is_set("enable-module-command", "yes").then(|| {
        let advice = "set enable-module-command no or local in the configuration file, and start \
                      again: with yes, whoever reaches this port may load any program into it";
        (WARNING, advice.to_owned())
    })
}

fn cluster(facts: &Facts) -> Option<(&'static str, String)> {
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

fn config(facts: &Facts) -> Option<(&'static str, String)> {
    facts.settings.is_none().then(|| {
        let advice = "look the settings up by hand: this server has no CONFIG, so they are not \
                      known here";
        (NOTE, advice.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::Diverged;

    /// A primary with a replica and nothing to complain about.
    fn healthy() -> Facts {
        let own = |pairs: &[(&str, &str)]| {
            let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            pairs.iter().map(own).collect()
        };
        Facts {
            settings: Some(own(&[
                ("appendfsync", "always"),
                ("appendonly", "yes"),
                ("cluster-allow-replica-migration", "no"),
                ("cluster-enabled", "no"),
                ("cluster-require-full-coverage", "no"),
                ("enable-module-command", "no"),
                ("hz", "10"),
                ("lazyfree-lazy-expire", "yes"),
                ("lazyfree-lazy-server-del", "yes"),
                ("lazyfree-lazy-user-del", "yes"),
                ("lazyfree-lazy-user-flush", "yes"),
                ("maxclients", "100"),
                ("maxmemory", "1000"),
                ("maxmemory-policy", "noeviction"),
                ("min-replicas-to-write", "1"),
                ("no-appendfsync-on-rewrite", "no"),
                ("notify-keyspace-events", ""),
                ("repl-backlog-size", "67108864"),
                ("replica-lazy-flush", "yes"),
                ("replica-read-only", "yes"),
                ("save", ""),
                ("stop-writes-on-bgsave-error", "yes"),
                ("timeout", "0"),
            ])),
            info: own(&[
                ("redis_version", "7.0.15"),
                ("connected_clients", "90"),
                ("used_memory", "900"),
                ("total_system_memory", "2000"),
                ("aof_last_bgrewrite_status", "ok"),
                ("aof_last_write_status", "ok"),
                ("rdb_last_bgsave_status", "ok"),
                ("role", "master"),
                ("connected_slaves", "1"),
                ("min_slaves_good_slaves", "1"),
            ]),
            replicas: vec!["ip=10.0.0.2,port=7001,state=online,offset=5,lag=10".to_owned()],
            overcommit: Some("1".to_owned()),
            sweep_lag_ms: 1_000,
            ..Facts::default()
        }
    }

    /// What is known otherwise than in a healthy server: `name=value` settings, `name:value`
    /// fields of INFO, or a word of its own.
    fn changed(changes: &str) -> Facts {
        let mut facts = healthy();
        for change in changes.split_whitespace() {
            if let Some((name, value)) = change.split_once(':') {
                facts.info.insert(name.into(), value.into());
            } else if let Some((name, value)) = change.split_once('=') {
                let settings = facts.settings.as_mut().unwrap();
                settings.insert(name.into(), value.into());
            } else {
                match change {
                    "divergence" => facts.replay_divergence = 3,
                    "diverged" => {
                        facts.sales_diverged = 3;
                        facts.diverged = vec![Diverged {
                            database: 2,
                            key: b"tea\n".to_vec(),
                            reason: "the id is known".to_owned(),
                        }];
                    }
                    // Of so many that their places are not kept.
                    "unnamed" => facts.sales_diverged = 3,
                    "stepped" => facts.clock_steps_back = 2,
                    "late" => facts.sweep_lag_ms = 1_001,
                    "overdue" => facts.overdue_ms = 1_001,
                    "large" => facts.reservations_known_max = 800_001,
                    "huge" => facts.reservations_known_max = 20_000_001,
                    "silent" => facts.replicas[0] = facts.replicas[0].replace("lag=10", "lag=11"),
                    "syncing" => {
                        facts.replicas[0] = facts.replicas[0].replace("online", "send_bulk");
                    }
                    "overcommit" => facts.overcommit = Some("0".into()),
                    "no-config" => facts.settings = None,
                    "loaded-late" => facts.replicas_at_load = 2,
                    _ => unreachable!("{change}"),
                }
            }
        }
        facts
    }

    /// What differs from a healthy server, and what is to be found: severity, topic and a
    /// part of the advice.
    const CASES: &[(&str, &str)] = &[
        ("divergence", "error divergence 3 replicated events"),
        (
            "diverged",
            "error diverged let a replica resynchronise: 'tea\\n' in database 2 (the id is known), and 2 more do not",
        ),
        (
            "unnamed",
            "error diverged let a replica resynchronise: 3 sales do not",
        ),
        (
            "flashsale.load-damaged=yes",
            "warning load-damaged CONFIG SET flashsale.load-damaged no:",
        ),
        (
            "maxmemory-policy=allkeys-lru",
            "error eviction CONFIG SET maxmemory-policy noeviction: allkeys-lru",
        ),
        (
            "maxmemory-policy=volatile-ttl",
            "error eviction volatile-ttl may throw away",
        ),
        (
            "maxmemory-policy=allkeys-lru maxmemory=0 total_system_memory:0",
            "warning eviction as soon as maxmemory is set",
        ),
        (
            "appendonly=no",
            "error appendonly every sale and every order",
        ),
        (
            "appendonly=no save=60",
            "error appendonly since the last snapshot",
        ),
        (
            "appendfsync=no",
            "error fsync CONFIG SET appendfsync everysec:",
        ),
        (
            "no-appendfsync-on-rewrite=yes",
            "warning fsync while the AOF is rewritten",
        ),
        (
            "appendfsync=everysec",
            "note fsync CONFIG SET appendfsync always:",
        ),
        (
            "aof_last_write_status:err",
            "error aof-write refuses every change",
        ),
        (
            "aof_last_bgrewrite_status:err",
            "warning aof-rewrite grows without end",
        ),
        (
            "rdb_last_bgsave_status:err save=60",
            "error snapshot refuses every change",
        ),
        (
            "rdb_last_bgsave_status:err",
            "warning snapshot a new replica may need one",
        ),
        (
            "rdb_last_bgsave_status:err save=60 stop-writes-on-bgsave-error=no",
            "warning snapshot BGSAVE",
        ),
        ("used_memory:901", "warning memory 901 of 1000 bytes"),
        ("maxmemory=1801", "warning memory machine's 2000 bytes"),
        (
            "maxmemory=0 used_memory:1801",
            "warning memory machine's 2000 bytes",
        ),
        ("maxmemory=0", "note memory CONFIG SET maxmemory 1500:"),
        (
            "overcommit",
            "warning overcommit sysctl vm.overcommit_memory=1:",
        ),
        (
            "lazyfree-lazy-expire=no",
            "warning lazyfree CONFIG SET lazyfree-lazy-expire yes:",
        ),
        (
            "replica-lazy-flush=no lazyfree-lazy-user-del=no",
            "warning lazyfree CONFIG SET lazyfree-lazy-user-del yes replica-lazy-flush yes:",
        ),
        ("connected_slaves:0", "warning replicas connect a replica:"),
        (
            "silent",
            "warning replicas 10.0.0.2:7001: it is online and was last heard 11 seconds ago",
        ),
        ("syncing", "warning replicas 10.0.0.2:7001: it is send_bulk"),
        (
            "min-replicas-to-write=0",
            "warning min-replicas CONFIG SET min-replicas-to-write 1:",
        ),
        ("min-replicas-to-write=2", "error min-replicas 1 of 2"),
        (
            "repl-backlog-size=67108863",
            "note backlog CONFIG SET repl-backlog-size 67108864:",
        ),
        (
            "role:slave replica-read-only=no",
            "error replica CONFIG SET replica-read-only yes:",
        ),
        (
            "role:slave master_link_status:down",
            "warning replica the link to the primary",
        ),
        (
            "valkey_version:8.1.1",
            "warning valkey-copy Valkey 8.1.1 lacks",
        ),
        (
            "valkey_version:8.1.2",
            "note valkey-copy unless it has that fix",
        ),
        ("late", "warning sweep raise flashsale.sweep-max:"),
        ("overdue", "warning sweep 1001 ms"),
        ("stepped", "warning clock 2 changes"),
        (
            "connected_clients:91",
            "warning clients CONFIG SET maxclients 200:",
        ),
        ("timeout=60", "note clients CONFIG SET timeout 0:"),
        ("hz=9", "note hz CONFIG SET hz 10:"),
        (
            "notify-keyspace-events=Kx",
            "note events CONFIG SET notify-keyspace-events Kxd:",
        ),
        (
            "enable-module-command=yes",
            "warning module-command start again:",
        ),
        (
            "cluster-enabled=yes cluster-require-full-coverage=yes",
            "warning cluster CONFIG SET cluster-require-full-coverage no:",
        ),
        (
            "cluster-enabled=yes cluster-allow-replica-migration=yes",
            "note cluster CONFIG SET cluster-allow-replica-migration no:",
        ),
        (
            "loaded-late",
            "warning late-load 2 were connected when this module was loaded",
        ),
        (
            "cluster-enabled=yes large",
            "note slots move no slot in a rush, and keep cluster-node-timeout well above that: a \
             sale here knows 800001 reservations, and MIGRATE stops the server it comes from, and \
             the one it goes to, for about 600 ms each",
        ),
        (
            "cluster-enabled=yes huge",
            "note slots 20000001 reservations",
        ),
        (
            "cluster-enabled=yes huge redis_version:8.4.0",
            "warning slots raise proto-max-bulk-len",
        ),
        ("no-config", "note config CONFIG"),
    ];

    #[test]
    fn every_condition_has_its_finding_and_no_other() {
        for (changes, expected) in CASES {
            // Where there are replicas, their versions are always worth a word.
            let mut found = judge(&changed(changes));
            found.retain(|finding| finding.topic != "versions");
            let [finding] = &found[..] else {
                panic!("{changes}: {found:?}")
            };
            let mut words = expected.splitn(3, ' ');
            assert_eq!(Some(finding.severity), words.next(), "{changes}");
            assert_eq!(Some(finding.topic), words.next(), "{changes}");
            let part = words.next().unwrap();
            assert!(
                finding.advice.contains(part),
                "{changes}: {}",
                finding.advice
            );
        }
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for changes in [
            "",
            "role:slave master_link_status:up connected_slaves:0 min-replicas-to-write=0 late overdue",
            "maxmemory=1800",
            "notify-keyspace-events=AKE",
            "notify-keyspace-events=Ed",
            "notify-keyspace-events=lsh",
            "cluster-require-full-coverage=yes",
            "huge",
            "valkey_version:8.0.4",
        ] {
            let mut found = judge(&changed(changes));
            found.retain(|finding| finding.topic != "versions");
            assert_eq!(found, [], "{changes}");
        }
    }

    #[test]
    fn versions_are_told_where_there_are_others() {
        let told = |changes: &str| {
            let found = judge(&changed(changes));
            found.iter().any(|finding| finding.topic == "versions")
        };
        assert!(told("") && told("role:slave master_link_status:up connected_slaves:0"));
        assert!(!told("connected_slaves:0"));
    }

    #[test]
    fn what_is_not_known_is_no_finding() {
        let mut found = judge(&Facts::default());
        assert_eq!(found.pop().map(|finding| finding.topic), Some("config"));
        assert_eq!(found, []);
    }

    #[test]
    fn every_topic_has_a_case() {
        for (topic, _) in RULES {
            let has = |case: &&(&str, &str)| case.1.split(' ').nth(1) == Some(topic);
            assert!(
                CASES.iter().any(|case| has(&case)) || topic == "versions",
                "{topic}"
            );
        }
    }
}
