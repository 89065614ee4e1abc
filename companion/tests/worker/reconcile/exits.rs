//! How it ends where there is nothing to compare with.

use super::{Scene, reconcile, sell};
use crate::servers::{DatabaseServer, Redis};
use std::process::Command;

const CREATE: &str = "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 6 black 4";

#[test]
fn says_why_it_cannot_go_on() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let scene = Scene::new(&server, "shop", CREATE);
    let fails = |code: i32, says: &str, redis: &str, sql: &str, more: &[&str]| {
        let outcome = reconcile(redis, sql, more);
        assert_eq!(outcome.code, code, "{}", outcome.text);
        assert!(outcome.text.contains(says), "{says}: {}", outcome.text);
    };
    let (primary, url) = (scene.primary.url(), scene.url.as_str());
    fails(3, "is a replica", &scene.replica.url(), url, &[]);
    fails(3, "NOSALE", &primary, url, &["--sale", "coffee"]);
    fails(
        3,
        "WRONGTYPE",
        &primary,
        url,
        &["--sale", {
            scene.primary.ask::<String>("SET text 1");
            "text"
        }],
    );
    let empty = server.database("empty");
    fails(3, "--migrate-only", &primary, &empty, &[]);
    let plain = Redis::start(&[]);
    fails(3, "does not know FLASHSALE.IMPORT", &plain.url(), url, &[]);
    fails(
        3,
        "--report",
        &primary,
        url,
        &["--report", "/no/such/folder/file"],
    );
    fails(3, "Redis", "redis://127.0.0.1:1", url, &[]);
    fails(
        3,
        "cannot be opened",
        &primary,
        "sqlite:/no/such/folder/file",
        &[],
    );
    fails(2, "none of sqlite:", &primary, "oracle:x", &[]);
    fails(2, "--frobnicate", &primary, url, &["--frobnicate"]);
    let neither = Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .args(["reconcile", "--redis", &primary, "--sql", url])
        .output()
        .expect("flashsale");
    assert_eq!(neither.status.code(), Some(2));
}

#[test]
fn a_namesake_in_sql_is_another_sale() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let scene = Scene::new(&server, "shop", CREATE);
    reconcile(&scene.primary.url(), &scene.url, &[]).finds_nothing();
    sell(&scene.primary, super::ids("sold", 2));
    scene.store(&[]);
    scene.primary.ask::<i64>("DEL tea tea:orders");
    scene.primary.ask::<String>(CREATE);
    let outcome = reconcile(&scene.primary.url(), &scene.url, &["--apply"]);
    assert_eq!(outcome.code, 3, "{}", outcome.text);
    assert!(outcome.text.contains("SALEID"), "{}", outcome.text);
}

#[test]
fn warns_before_it_takes_every_entry_for_one_that_sql_lacks() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let scene = Scene::new(&server, "shop", CREATE);
    let asked = || reconcile(&scene.primary.url(), &scene.url, &[]);
    let warns = |text: &str| text.contains("SQL has no order of this sale");
    let nothing = asked();
    assert!(!warns(&nothing.text), "{}", nothing.text);
    sell(&scene.primary, super::ids("sold", 2));
    let outcome = asked();
    assert!(warns(&outcome.text), "{}", outcome.text);
    scene.store(&[]);
    let stored = asked();
    assert!(!warns(&stored.text), "{}", stored.text);
}

#[test]
fn prints_a_table_for_people() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let mut scene = Scene::new(&server, "shop", CREATE);
    scene.cut();
    sell(&scene.primary, super::ids("lost", 2));
    scene.store(&[]);
    scene.fail_over();
    let run = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_flashsale"))
            .args(["reconcile", "--sale", "tea"])
            .args(["--redis", &scene.primary.url(), "--sql", &scene.url])
            .args(more)
            .output()
            .expect("flashsale");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let dry = run(&[]);
    assert!(dry.contains("2 orders compared"), "{dry}");
    assert!(dry.contains("Nothing was changed"), "{dry}");
    let applied = run(&["--apply"]);
    let line = applied.lines().find(|line| line.contains("lost"));
    let words: Vec<&str> = line.expect("a line").split_whitespace().collect();
    assert_eq!(words, ["lost", "2", "2", "0"]);
    assert!(applied.contains("consistent"), "{applied}");
}
