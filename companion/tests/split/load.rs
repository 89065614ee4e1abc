//! `flashsale load --split`: a crowd at all parts, and the books of all parts as one.

use std::process::Command;

use crate::balance::server;
use crate::cluster_servers::Cluster;
use crate::ended;

fn load(url: &str, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashsale"));
    command.args([
        "load", "spike", "--split", "16", "--seed", "7", "--p95", "60s", "--behind", "60s",
    ]);
    command
        .args(words)
        .env("FLASHSALE_REDIS", url)
        .env_remove("FLASHSALE_SQL");
    ended(&command.output().expect("flashsale"))
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
