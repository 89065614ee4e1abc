//! Where the primary is: nodes of a cluster, Sentinels.

use std::process::{Command, Stdio};

use crate::servers::{DatabaseServer, Process, Redis, Sql, free_port, wait_until};
use crate::worker::{Worker, order};

fn add(redis: &Redis, stream: &str, id: &str) {
    let mut command = redis::cmd("XADD");
    command.arg(stream).arg("*");
    for (name, value) in order(id, "") {
        command.arg(name).arg(value);
    }
    redis.try_ask(&command).expect("XADD");
}

/// Two nodes with half of the slots each; one of them is named, and both have a stream.
#[test]
fn finds_each_stream_in_a_cluster() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let url = server.database("shop");
    let nodes = [
        Redis::start(&["--cluster-enabled", "yes"]),
        Redis::start(&["--cluster-enabled", "yes"]),
    ];
    nodes[0].ask::<String>("CLUSTER ADDSLOTSRANGE 0 8191");
    nodes[1].ask::<String>("CLUSTER ADDSLOTSRANGE 8192 16383");
    nodes[0].ask::<String>(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port));
    let is_ok = |node: &Redis| {
        node.ask::<String>("CLUSTER INFO")
            .contains("cluster_state:ok")
    };
    wait_until("the cluster is up", || nodes.iter().all(is_ok));
    // `{a}` is in slot 15495, `{b}` in slot 3300; the parts of `{tea}` are named by a hash.
    let has = |node: &Redis, key: &str| node.ask::<i64>(&format!("CLUSTER KEYSLOT {key}"));
    assert!(has(&nodes[0], "{a}") > 8191 && has(&nodes[0], "{b}") <= 8191);
    let owner = |key: &str| &nodes[usize::from(has(&nodes[0], key) > 8191)];
    owner("{tea}:parts").ask::<i64>("HSET {tea}:parts 0 {a} 1 {b}");
    add(&nodes[1], "{a}:orders", "in-a");
    add(&nodes[0], "{b}:orders", "in-b");
    let start = |more: &[&'static str]| {
        Worker::start_with(
            &nodes[0].url(),
            &url,
            &[&["--cluster", "--name", "w1"], more].concat(),
        )
    };
    let worker = start(&["--orders", "{a}:orders", "--orders", "{b}:orders"]);
    let rows = || {
        Sql::open(&url)
            .and_then(|sql| sql.try_number("SELECT COUNT(*) FROM flashsale_orders"))
            .unwrap_or(0)
    };
    wait_until("both orders", || rows() == 2);
    assert_eq!(worker.stop().0.code(), Some(0));
    add(&nodes[1], "{a}:orders", "in-a-2");
    let worker = start(&["--group-of", "tea"]);
    wait_until("the third order", || rows() == 3);
    worker.kill();
}

#[test]
fn asks_sentinels_and_follows_a_failover() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let url = server.database("shop");
    let mut old = Redis::start(&[]);
    let new = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", old.port)]);
    let folder = tempfile::tempdir().expect("a folder");
    let (port, config) = (free_port(), folder.path().join("sentinel.conf"));
    std::fs::write(&config, format!("port {port}\nbind 127.0.0.1\nsentinel monitor tea 127.0.0.1 {} 1\nsentinel down-after-milliseconds tea 500\nsentinel failover-timeout tea 3000\n", old.port)).expect("a file");
    let sentinel = Command::new("redis-server")
        .arg(&config)
        .arg("--sentinel")
        .stdout(Stdio::null())
        .spawn();
    let _sentinel = Process(sentinel.expect("a Sentinel"));
    wait_until("the replica follows", || {
        new.ask::<String>("INFO replication")
            .contains("master_link_status:up")
    });
    let ask = |word: &str| {
        let mut connection = redis::Client::open(format!("redis://127.0.0.1:{port}"))
            .ok()?
            .get_connection()
            .ok()?;
        redis::cmd("SENTINEL")
            .arg(word)
            .arg("tea")
            .query::<redis::Value>(&mut connection)
            .ok()
    };
    wait_until(
        "the Sentinel knows the replica",
        || matches!(ask("REPLICAS"), Some(redis::Value::Array(known)) if known.len() == 1),
    );
    add(&old, "tea:orders", "before");
    let sentinels = format!("redis://127.0.0.1:{port}");
    let worker = Worker::start(&sentinels, &url, &["--sentinel", "tea"]);
    let rows = || {
        Sql::open(&url)
            .and_then(|sql| sql.try_number("SELECT COUNT(*) FROM flashsale_orders"))
            .unwrap_or(0)
    };
    wait_until("the first order", || rows() == 1);
    wait_until("the replica has it", || {
        new.ask::<i64>("XLEN tea:orders") == 1
    });
    old.kill();
    wait_until("the failover", || {
        new.ask::<String>("INFO replication")
            .contains("role:master")
    });
    add(&new, "tea:orders", "after");
    wait_until("the second order", || rows() == 2);
    assert!(
        worker
            .log()
            .contains("is not the process that was here before"),
        "{}",
        worker.log()
    );
    worker.kill();
}
