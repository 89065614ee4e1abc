//! **Goal**: DOCTOR finds what would hurt a sale, and its advice, when followed, makes the
//! finding go away; on a server with this project's `redis.conf` it finds nothing that the
//! page on it does not say.
//!
//! **Method**: real servers are set badly, one setting at a time, and asked. Advice that
//! begins with CONFIG SET is typed in as it stands. What cannot be brought about from
//! outside is in the unit tests of `src/doctor/rules.rs`.

use redis::Value;

use crate::support::{
    Con, NO_MODULE, Server, module_path, replicate, text_of, wait_for, wait_until,
};

const PAGE: &str = include_str!("../../docs/reference/doctor.md");

/// Severity, topic, advice.
type Finding = [String; 3];

#[track_caller]
fn findings(con: &mut Con) -> Vec<Finding> {
    let Value::Array(findings) = con.run("FLASHSALE.DOCTOR") else {
        panic!("not an array")
    };
    let finding = |finding: &Value| match finding {
        Value::Array(words) => {
            let words: Vec<String> = words.iter().map(text_of).collect();
            Finding::try_from(words).expect("three words")
        }
        other => panic!("not a finding: {other:?}"),
    };
    findings.iter().map(finding).collect()
}

fn find(con: &mut Con, topic: &str) -> Option<Finding> {
    findings(con)
        .into_iter()
        .find(|finding| finding[1] == topic)
}

/// The finding on a topic, as it must be.
#[track_caller]
fn finds(con: &mut Con, topic: &str, severity: &str, part: &str) -> Finding {
    let found = find(con, topic).unwrap_or_else(|| panic!("nothing about {topic}"));
    assert_eq!(found[0], severity, "{found:?}");
    assert!(found[2].contains(part), "{part}: {found:?}");
    found
}

/// Types in what the advice begins with.
#[track_caller]
fn follow(con: &mut Con, finding: &Finding) {
    let (line, _) = finding[2].split_once(": ").expect("what to do: why");
    assert!(line.starts_with("CONFIG SET "), "{line}");
    con.says(line, "OK");
}

/// How a server is set badly, the topic, the severity, and a part of the advice.
const BAD: [[&str; 4]; 15] = [
    [
        "maxmemory-policy allkeys-lru maxmemory 1gb",
        "eviction",
        "error",
        "allkeys-lru",
    ],
    [
        "maxmemory-policy volatile-ttl maxmemory 0",
        "eviction",
        "warning",
        "as soon as",
    ],
    [
        "flashsale.load-damaged yes",
        "load-damaged",
        "warning",
        "only its log says so",
    ],
    ["appendonly no", "appendonly", "error", "crash"],
    ["appendfsync no", "fsync", "error", "power cut"],
    [
        "no-appendfsync-on-rewrite yes",
        "fsync",
        "warning",
        "rewritten",
    ],
    ["appendfsync everysec", "fsync", "note", "always"],
    ["maxmemory 0", "memory", "note", "CONFIG SET maxmemory "],
    [
        "lazyfree-lazy-expire no",
        "lazyfree",
        "warning",
        "lazyfree-lazy-expire yes: ",
    ],
    [
        "lazyfree-lazy-user-del no replica-lazy-flush no",
        "lazyfree",
        "warning",
        "while it is freed",
    ],
    [
        "lazyfree-lazy-server-del no",
        "lazyfree",
        "warning",
        "server-del yes",
    ],
    [
        "lazyfree-lazy-user-flush no",
        "lazyfree",
        "warning",
        "user-flush yes",
    ],
    ["hz 5", "hz", "note", "at 5"],
    ["notify-keyspace-events Ex", "events", "note", "soldout"],
    ["timeout 30", "clients", "note", "30 seconds"],
];

/// What this project's `redis.conf` sets, and what DOCTOR asks for beyond it.
fn well_set() -> Option<Server> {
    let conf = format!("{}/redis.conf", env!("CARGO_MANIFEST_DIR"));
    let conf = std::fs::read_to_string(conf).expect("redis.conf");
    let lines = conf
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter(|line| {
            !["dir ", "loadmodule ", "save "]
                .iter()
                .any(|own| line.starts_with(own))
        });
    let args: Vec<String> = lines.map(|line| format!("--{line}")).collect();
    assert!(args.len() > 4, "{args:?}");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Server::own(&args, &[])
}

#[test]
fn with_this_projects_configuration_nothing_is_found_but_what_the_readme_tells() {
    let Some(server) = well_set() else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.says("FLASHSALE.BUY sale orders ann 1 ID r1", "SOLD ...");
    let found = findings(&mut con);
    let found: Vec<&str> = found
        .iter()
        // The system's, and the server's own version, are not the configuration's.
        .filter(|finding| !["overcommit", "valkey-copy"].contains(&finding[1].as_str()))
        .map(|finding| finding[1].as_str())
        .collect();
    assert_eq!(found, ["fsync", "memory", "replicas"]);
    finds(&mut con, "fsync", "note", "");
    finds(&mut con, "memory", "note", "");
    finds(&mut con, "replicas", "warning", "connect a replica");
}

#[test]
fn every_bad_setting_is_found_and_gone_when_the_advice_is_followed() {
    let Some(server) = well_set() else {
        return;
    };
    let mut con = server.conn();
    for [bad, topic, severity, part] in BAD {
        con.says("CONFIG SET appendfsync always maxmemory 1gb", "OK");
        let before = find(&mut con, topic);
        assert_eq!(before, None, "{topic}: before");
        con.says(&format!("CONFIG SET {bad}"), "OK");
        let finding = finds(&mut con, topic, severity, part);
        follow(&mut con, &finding);
        // Where something less bad is left to be said, it may be.
        let after = find(&mut con, topic).filter(|after| after[0] == severity);
        assert_eq!(after, None, "{topic}: after");
    }
}

#[test]
fn memory_that_is_nearly_used_up_is_found() {
    let server = Server::any();
    let mut con = server.conn();
    let used: u64 = con.info("memory", "used_memory").parse().expect("bytes");
    con.says(&format!("CONFIG SET maxmemory {}", used + used / 50), "OK");
    finds(&mut con, "memory", "warning", "raise maxmemory");
    con.says(&format!("CONFIG SET maxmemory {}", used * 4), "OK");
    assert_eq!(find(&mut con, "memory"), None);
}

#[test]
fn connections_that_are_nearly_used_up_are_found() {
    let Some(server) = Server::own(&["--maxclients 20"], &[]) else {
        return;
    };
    let mut con = server.conn();
    assert_eq!(find(&mut con, "clients"), None);
    let others: Vec<Con> = (0..18).map(|_| server.conn()).collect();
    let finding = finds(&mut con, "clients", "warning", "turned away");
    follow(&mut con, &finding);
    assert_eq!(find(&mut con, "clients"), None);
    drop(others);
}

#[test]
fn a_snapshot_that_failed_is_found() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CONFIG SET save '3600 1'", "OK");
    // A file cannot take the place of a folder.
    let place = server.folder().join("dump.rdb");
    std::fs::create_dir_all(place.join("x")).expect("a folder");
    con.run("BGSAVE");
    let failed = |con: &mut Con| con.info("persistence", "rdb_last_bgsave_status") == "err";
    wait_until("the snapshot failed", || failed(&mut con));
    finds(&mut con, "snapshot", "error", "then BGSAVE");
    con.says("CONFIG SET stop-writes-on-bgsave-error no", "OK");
    finds(&mut con, "snapshot", "warning", "then BGSAVE");
    std::fs::remove_dir_all(place).expect("the folder goes");
    con.run("BGSAVE");
    wait_until("the snapshot succeeded", || !failed(&mut con));
    assert_eq!(find(&mut con, "snapshot"), None);
}

#[test]
fn a_server_any_module_may_be_loaded_into_is_found() {
    let Some(server) = Server::own(&["--enable-module-command yes"], &[]) else {
        return;
    };
    finds(
        &mut server.conn(),
        "module-command",
        "warning",
        "start again",
    );
    let Some(server) = Server::own(&["--enable-module-command local"], &[]) else {
        return;
    };
    assert_eq!(find(&mut server.conn(), "module-command"), None);
}

#[test]
fn a_server_without_config_is_told_so() {
    let Some(server) = Server::own(&["--rename-command CONFIG hidden"], &[]) else {
        return;
    };
    finds(&mut server.conn(), "config", "note", "by hand");
}

#[test]
fn replicas_are_looked_at_from_both_sides() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut ahead, mut behind) = (primary.conn(), replica.conn());
    finds(&mut ahead, "replicas", "warning", "connect a replica");
    assert_eq!(find(&mut ahead, "min-replicas"), None);
    replicate(&primary, &replica);
    wait_until("the replica is online", || {
        find(&mut ahead, "replicas").is_none()
    });
    for topic in ["min-replicas", "backlog"] {
        let finding = wait_for(topic, || find(&mut ahead, topic));
        follow(&mut ahead, &finding);
        wait_until("the advice helped", || find(&mut ahead, topic).is_none());
    }
    finds(&mut ahead, "versions", "note", env!("CARGO_PKG_VERSION"));
    ahead.says("CONFIG SET min-replicas-to-write 2", "OK");
    finds(&mut ahead, "min-replicas", "error", "1 of 2");
    ahead.says("CONFIG SET min-replicas-to-write 0", "OK");
    // The other side.
    for topic in ["replica", "replicas", "min-replicas", "backlog"] {
        assert_eq!(find(&mut behind, topic), None, "{topic}");
    }
    finds(&mut behind, "versions", "note", "upgrade replicas");
    behind.says("CONFIG SET replica-read-only no", "OK");
    let finding = finds(&mut behind, "replica", "error", "fits no primary");
    follow(&mut behind, &finding);
    assert_eq!(find(&mut behind, "replica"), None);
    drop(primary);
    wait_until("the link is down", || {
        find(&mut behind, "replica").is_some()
    });
    finds(&mut behind, "replica", "warning", "it is down");
    // It answers also where it gives no old data away.
    behind.says("CONFIG SET replica-serve-stale-data no", "OK");
    finds(&mut behind, "replica", "warning", "it is down");
}

#[test]
fn events_that_do_not_fit_are_found() {
    let (Some(primary), Some(mut replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replica.may_diverge();
    let (mut ahead, mut behind) = (primary.conn(), replica.conn());
    ahead.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    replicate(&primary, &replica);
    assert_eq!(find(&mut behind, "divergence"), None);
    behind.says("CONFIG SET replica-read-only no", "OK");
    behind.says("DEL sale", "1");
    ahead.says("FLASHSALE.RESERVE sale ann 1", "RESERVED ...");
    wait_until("it was counted", || behind.divergence() == 1);
    finds(&mut behind, "divergence", "error", "1 replicated events");
}

#[test]
fn a_cluster_that_stops_as_a_whole_is_found() {
    let Some(server) = Server::own(&["--cluster-enabled yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    for severity in ["warning", "note"] {
        let finding = finds(&mut con, "cluster", severity, "CONFIG SET cluster-");
        follow(&mut con, &finding);
    }
    assert_eq!(find(&mut con, "cluster"), None);
}

#[test]
fn a_replica_without_the_module_confirms_what_it_does_not_have() {
    let Some(mut primary) = Server::own(&["--enable-module-command yes", NO_MODULE], &[]) else {
        return;
    };
    let Some(mut replica) = Server::own(&[NO_MODULE], &[]) else {
        return;
    };
    // Neither counts events that do not fit, or not from the start.
    primary.may_diverge();
    replica.may_diverge();
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says(&format!("MODULE LOAD {}", module_path().display()), "OK");
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.says("FLASHSALE.BUY sale orders ann 1", "SOLD ...");
    con.says("WAIT 1 5000", "1");
    replica.conn().says("EXISTS sale orders", "0");
    finds(&mut con, "late-load", "warning", "1 were connected");
}

#[test]
fn it_may_be_asked_anywhere_and_changes_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    con.fails("FLASHSALE.DOCTOR x", "ERR", "wrong number of arguments");
    let before = con.info("persistence", "rdb_changes_since_last_save");
    let script = "EVAL_RO 'return #redis.call(\"FLASHSALE.DOCTOR\")' 0";
    let count = findings(&mut con).len();
    assert_eq!(con.int(script), count as i64);
    con.says("MULTI", "OK");
    con.run("FLASHSALE.DOCTOR");
    let Value::Array(answers) = con.run("EXEC") else {
        panic!("EXEC")
    };
    assert!(matches!(&answers[0], Value::Array(found) if found.len() == count));
    assert_eq!(
        con.info("persistence", "rdb_changes_since_last_save"),
        before
    );
    let Value::Array(found) = server.conn3().run("FLASHSALE.DOCTOR") else {
        panic!("an array in RESP3 too")
    };
    assert_eq!(found.len(), count);
}

#[test]
fn the_page_has_every_topic() {
    let (_, rest) = PAGE.split_once("\n| Topic |").expect("the table");
    let (section, _) = rest.split_once("\n\n").expect("its end");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let documented: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let source = format!("{}/src/doctor/rules.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(source).expect("the rules");
    let (_, rest) = source.split_once("const RULES").expect("the list");
    let (list, _) = rest.split_once("];").expect("its end");
    let topics: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(topics.len() > 20);
    assert_eq!(documented, topics);
}
