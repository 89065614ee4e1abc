//! What the pages show of reconcile, typed in, and what they say it needs.

use redis::Value;

use super::{Scene, catch_up, reconcile, sell};
use crate::common::session;
use crate::servers::{DatabaseServer, Redis};
use crate::worker::Worker;

const RUNBOOK: &str = include_str!("../../../../docs/operating/runbook.md");
const MANUAL: &str = include_str!("../../../../docs/companion.md");

/// Has a worker store the stream of `shoes`.
fn store(redis: &Redis, url: &str) {
    let worker = Worker::start_with(&redis.url(), url, &["--orders", "shoes:orders"]);
    crate::servers::wait_until("it is stored", || {
        let sql = crate::servers::Sql::open(url);
        let rows = sql.and_then(|sql| sql.try_number("SELECT COUNT(*) FROM flashsale_orders"));
        rows.is_ok_and(|rows| rows == redis.ask::<i64>("XLEN shoes:orders"))
    });
    assert_eq!(worker.stop().0.code(), Some(0));
}

#[test]
fn the_runbook_repairs_a_lossy_failover() {
    let chapter = RUNBOOK.split_once("### Orders that only SQL has\n");
    let (_, chapter) = chapter.expect("the chapter");
    let (chapter, _) = chapter.split_once("\n### ").expect("its end");
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let create = "FLASHSALE.CREATE shoes shoes:orders ITEMS 2 red 4 blue 3";
    let mut scene = Scene::new(&server, "shop.db", create);
    let buy = |redis: &Redis, who: &str, sku: &str, qty: u32, charge: u32| {
        redis.ask::<Vec<Value>>(&format!(
            "FLASHSALE.BUY shoes shoes:orders {who} ITEMS 1 {sku} {qty} ID {who}-1 REF charge-{charge}"
        ));
    };
    buy(&scene.primary, "ann", "red", 2, 1);
    store(&scene.primary, &scene.url);
    scene.cut();
    buy(&scene.primary, "bob", "red", 1, 3);
    buy(&scene.primary, "gil", "blue", 1, 4);
    store(&scene.primary, &scene.url);
    scene.fail_over();
    buy(&scene.primary, "dan", "red", 2, 5);
    let path = scene.url.trim_start_matches("sqlite:");
    let page = format!("```shell-session\n$ cp {path} shop.db\n```\n{chapter}");
    let page = page
        .replace("redis-cli -p 6380", "redis-cli")
        .replace(":6380", ":6379");
    assert_eq!(session::play(&page, scene.primary.port, &[]), 5);
}

/// The user of the page can do all that reconcile does.
#[test]
fn the_user_of_the_page_has_every_right_it_needs() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let create = "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 60 black 40";
    let mut scene = Scene::new(&server, "shop", create);
    sell(&scene.primary, super::ids("kept", 3));
    scene.store(&[]);
    scene.cut();
    sell(&scene.primary, super::ids("lost", 3));
    scene
        .primary
        .ask::<Vec<Value>>("FLASHSALE.REFUND tea tea:orders lost-0 REF back");
    scene.store(&[]);
    scene.fail_over();
    scene
        .sql
        .run("DELETE FROM flashsale_orders WHERE CAST(id AS TEXT) = 'kept-0'");
    scene.replica = super::replica_of(&scene.primary);
    catch_up(&scene.primary, &scene.replica);
    let line = MANUAL
        .lines()
        .find(|line| line.starts_with("ACL SETUSER reconcile "));
    let line = line.expect("the user");
    for redis in [&scene.primary, &scene.replica] {
        redis.ask::<String>(line);
    }
    let url = format!("redis://reconcile:secret@127.0.0.1:{}", scene.primary.port);
    let applied = reconcile(&url, &scene.url, &["--apply"]);
    assert_eq!(applied.code, 0, "{}", applied.text);
    assert_eq!(applied.of("lost"), (3, 3), "{}", applied.text);
    assert_eq!(applied.of("only_in_stream"), (1, 1), "{}", applied.text);
    for redis in [&scene.primary, &scene.replica] {
        let log: Vec<Value> = redis.ask("ACL LOG");
        assert!(log.is_empty(), "a right is missing: {log:?}");
    }
}
