//! The rules: facts in, findings out.
//!
//! Each topic is one rule with at most one finding. Advice begins with what to do, then a
//! colon and why, so that the first part can be typed in where it is a command.
//!
//! Edge: pure. No rule asks anybody; a fact that is not known is no finding.

use super::facts::Facts;
use super::rule::Verdict;
use super::{copies, disk, entries, lines, memory, passes, replicas, server, slots};

/// One thing that would hurt a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: &'static str,
    pub topic: &'static str,
    pub advice: String,
}

type Rule = fn(&Facts) -> Option<Verdict>;

/// Every topic, in the order of the reply.
const RULES: [(&str, Rule); 33] = [
    ("divergence", copies::divergence),
    ("diverged", copies::diverged),
    ("load-damaged", copies::load_damaged),
    ("events-lost", entries::events_lost),
    ("events-waiting", entries::events_waiting),
    ("owed", copies::owed),
    ("eviction", memory::eviction),
    ("appendonly", disk::appendonly),
    ("fsync", disk::fsync),
    ("aof-write", disk::aof_write),
    ("aof-rewrite", disk::aof_rewrite),
    ("snapshot", disk::snapshot),
    ("memory", memory::memory),
    ("overcommit", memory::overcommit),
    ("lazyfree", memory::lazyfree),
    ("replicas", replicas::replicas),
    ("min-replicas", replicas::min_replicas),
    ("backlog", replicas::backlog),
    ("replica", replicas::replica),
    ("versions", server::versions),
    ("late-load", copies::late_load),
    ("valkey-copy", server::valkey_copy),
    ("sweep", server::sweep),
    ("line", lines::line),
    ("passkey", passes::passkey),
    ("clock", server::clock),
    ("clients", server::clients),
    ("hz", server::hz),
    ("events", server::events),
    ("module-command", server::module_command),
    ("cluster", slots::cluster),
    ("slots", slots::slots),
    ("config", server::config),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::Diverged;

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
                ("bind", "127.0.0.1 -::1"),
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
                ("port", "6379"),
                ("protected-mode", "yes"),
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
                    "owes" => facts.owed = 7,
                    "stepped" => facts.clock_steps_back = 2,
                    "late" => facts.sweep_lag_ms = 1_001,
                    "overdue" => facts.overdue_ms = 1_001,
                    "long-line" => facts.waiting_max = 2,
                    "many-polls" => (facts.waiting_max, facts.polls_max) = (1, 100_001),
                    "guarded" => {
                        facts.sales_with_passkey = 1;
                        facts.users = vec!["user default on sanitize-payload #0a ~* +@all".into()];
                    }
                    "shop" => facts
                        .users
                        .push("user shop on #0a ~* -@all +@flashsale".into()),
                    "short-hold" => facts.sales_with_short_hold = 1,
                    "large" => facts.reservations_known_max = 800_001,
                    "huge" => facts.reservations_known_max = 20_000_001,
                    "silent" => facts.replicas[0] = facts.replicas[0].replace("lag=10", "lag=11"),
                    "syncing" => {
                        facts.replicas[0] = facts.replicas[0].replace("online", "send_bulk");
                    }
                    "overcommit" => facts.overcommit = Some("0".into()),
                    "no-config" => facts.settings = None,
                    "dropped" => facts.events_dropped = 7,
                    "waiting" => {
                        facts.events_waiting_ms = 1_001;
                        facts.events_wait = "of this";
                    }
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
            "dropped",
            "error events-lost compare consumers with the sales that have events_lost in \
             FLASHSALE.INFO: 7 entries were dropped",
        ),
        (
            "waiting",
            "warning events-waiting look after the order streams: the oldest entry has waited for \
             1001 ms, because of this",
        ),
        (
            "owes",
            "error owed FLASHSALE.RESTOCK, or refund orders: 7 units were sold that the sales here \
             do not have",
        ),
        (
            "long-line",
            "warning line lower WAITING or raise maxmemory: a full line of 2 people takes 120 bytes",
        ),
        (
            "many-polls",
            "note line raise PATIENCE: a full line of 1 people asks 100001 times a second",
        ),
        ("short-hold", "note line give HOLD at least PATIENCE"),
        (
            "guarded shop",
            "warning passkey ACL SETUSER shop -flashsale.mreserve -flashsale.mbuy, unless",
        ),
        (
            "guarded bind=10.0.0.1",
            "note passkey let TLS be the only way in",
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
            "role:slave master_link_status:up connected_slaves:0 min-replicas-to-write=0 late overdue waiting",
            "maxmemory=1800",
            "notify-keyspace-events=AKE",
            "notify-keyspace-events=Ed",
            "notify-keyspace-events=lsh",
            "cluster-require-full-coverage=yes",
            "huge",
            "valkey_version:8.0.4",
            "guarded",
            "guarded bind=10.0.0.1 port=0",
            "shop",
            "bind=10.0.0.1",
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
