//! `flashsale load --split`: a crowd at all parts, and the books of all parts as one.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::balance::server;
use crate::cluster_servers::Cluster;
use crate::common::wait_until;
use crate::ended;

fn program(url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashsale"));
    command.args([
        "load", "spike", "--split", "16", "--seed", "7", "--p95", "60s", "--behind", "60s",
    ]);
    command
        .args(words)
        .env("FLASHSALE_REDIS", url)
        .env_remove("FLASHSALE_SQL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn load(url: &str, words: &[&str]) -> (i32, String) {
    ended(&program(url, words).output().expect("flashsale"))
}

/// Waits until some units are sold.
fn wait_for_sales(cluster: &Cluster) {
    wait_until("the sale is under way", || {
        cluster.primaries().into_iter().any(|at| {
            let node = &cluster.nodes[at];
            let keys = node.ask::<Vec<String>>("KEYS {load:*}:orders");
            let orders = |key: &String| node.ask::<u64>(&format!("XLEN {key}"));
            keys.iter().map(orders).sum::<u64>() > 100
        })
    });
}

/// One primary and its replica, which takes over without a vote: the books hold, but for what the
/// dead primary told last.
#[test]
fn a_primary_is_killed_and_its_replica_goes_on() {
    let mut cluster = Cluster::start(1, &["--appendfsync", "always"]);
    let words = [
        "--cluster",
        "--outages",
        "--buyers",
        "4000",
        "--within",
        "3s",
        "--stock",
        "900",
    ];
    let crowd = program(&cluster.url(), &words).spawn().expect("flashsale");
    wait_for_sales(&cluster);
    cluster.nodes[0].kill();
    cluster.nodes[1].ask::<String>("CLUSTER FAILOVER TAKEOVER");
    wait_until("it leads", || cluster.leads(1));
    cluster.kill_and_restart(0, Duration::ZERO);
    let (code, text) = ended(&crowd.wait_with_output().expect("its end"));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("lost to the failover"), "{text}");
}

#[test]
fn rows_of_all_parts_are_those_of_their_streams() {
    let redis = server(&["--appendfsync", "always"]);
    let folder = tempfile::tempdir().expect("a folder");
    let sql = format!("sqlite:{}", folder.path().join("shop.db").display());
    let words = [
        "--buyers",
        "1000",
        "--within",
        "1s",
        "--stock",
        "300",
        "--worker-sql",
        &sql,
    ];
    let (code, text) = load(&redis.url(), &words);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("rows in SQL = orders of the stream"),
        "{text}"
    );
}

#[test]
fn the_books_of_all_parts_are_checked_as_one() {
    let redis = server(&["--appendfsync", "always"]);
    let words = ["--buyers", "3000", "--within", "1s", "--stock", "600"];
    let (code, text) = load(&redis.url(), &words);
    assert_eq!(code, 0, "{text}");
    // It has removed all parts.
    assert_eq!(redis.ask::<i64>("DBSIZE"), 0, "{text}");
    let (code, text) = load(&redis.url(), &["--wait"]);
    assert_eq!(code, 2, "{text}");
}

#[test]
#[ignore = "starts six servers: make test-cluster"]
fn a_crowd_at_a_cluster() {
    let cluster = Cluster::start(3, &["--appendfsync", "everysec"]);
    let words = [
        "--cluster",
        "--buyers",
        "20000",
        "--within",
        "3s",
        "--stock",
        "4000",
    ];
    let (code, text) = load(&cluster.url(), &words);
    println!("{text}");
    assert_eq!(code, 0, "{text}");
}

#[test]
#[ignore = "starts six servers: make test-cluster"]
fn a_crowd_at_a_cluster_whose_primary_is_killed() {
    let mut cluster = Cluster::start(3, &["--appendfsync", "everysec"]);
    let words = [
        "--cluster",
        "--outages",
        "--buyers",
        "20000",
        "--within",
        "12s",
        "--stock",
        "4000",
    ];
    let crowd = program(&cluster.url(), &words).spawn().expect("flashsale");
    wait_for_sales(&cluster);
    cluster.kill_and_restart(1, Duration::from_secs(6));
    cluster.wait_until_whole();
    assert!(!cluster.leads(1), "another one leads in its place");
    let (code, text) = ended(&crowd.wait_with_output().expect("its end"));
    println!("{text}");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("lost to the failover"), "{text}");
}
