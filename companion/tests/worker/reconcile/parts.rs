//! A split sale: each part has its own orders, and loses its own last moments.

use std::process::Command;

use redis::Value;

use super::{Outcome, Scene, text, value_of};
use crate::common::Redis;
use crate::servers::{DatabaseServer, wait_until};
use crate::worker::Worker;

/// Makes the split sale, and returns the keys of its parts.
fn create(redis: &Redis) -> Vec<String> {
    let made = Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .args(["split", "create", "tea", "--parts", "3"])
        .args(["ITEMS", "2", "green", "60", "black", "40"])
        .env("FLASHSALE_REDIS", redis.url())
        .output()
        .expect("flashsale");
    assert!(made.status.success(), "{made:?}");
    let key = |part: i32| redis.ask(&format!("HGET {{tea}}:parts {part}"));
    (0..3).map(key).collect()
}

/// Sells one unit an order, on each part.
fn sell(redis: &Redis, keys: &[String], prefix: &str, count: usize) {
    for (part, key) in keys.iter().enumerate() {
        for at in 0..count {
            let id = format!("{prefix}-{part}-{at}");
            let line = format!(
                "FLASHSALE.BUY {key} {key}:orders user-{id} ITEMS 1 green 1 ID {id} REF c-{id}"
            );
            let answer: Vec<Value> = redis.ask(&line);
            assert_eq!(text(&answer[0]), "SOLD", "{id}");
        }
    }
}

fn refund(redis: &Redis, key: &str, id: &str) {
    let line = format!("FLASHSALE.REFUND {key} {key}:orders {id} REF back");
    assert_eq!(text(&redis.ask::<Vec<Value>>(&line)[0]), "REFUNDED");
}

/// Has a worker store what all parts have sold.
fn store(scene: &Scene, orders: i64, refunds: i64) {
    let words = ["--group-of", "tea", "--name", "w1"];
    let worker = Worker::start_with(&scene.primary.url(), &scene.url, &words);
    wait_until("all orders are stored", || {
        scene.count("flashsale_orders") == orders && scene.count("flashsale_refunds") == refunds
    });
    let (status, log) = worker.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// Runs it on all parts: an outcome each, in their order, and the exit code in each of them.
fn reconcile(scene: &Scene, more: &[&str]) -> Vec<Outcome> {
    let output = Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .args(["reconcile", "--group-of", "tea", "--json"])
        .args(more)
        .env("FLASHSALE_REDIS", scene.primary.url())
        .env("FLASHSALE_SQL", &scene.url)
        .output()
        .expect("flashsale");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_line = |line: &str| Outcome {
        code: output.status.code().unwrap_or(-1),
        json: serde_json::from_str(line).unwrap_or_default(),
        text: format!("{line}\n{log}"),
    };
    let parts: Vec<Outcome> = out.lines().map(of_line).collect();
    assert_eq!(parts.len(), 3, "{out}{log}");
    parts
}

/// Broken by: only the first part, or `group` left out of what is made from GET.
pub fn each_part_gets_back_what_it_lost(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, "SET other thing");
    let keys = create(&scene.primary);
    sell(&scene.primary, &keys, "kept", 2);
    store(&scene, 6, 0);
    scene.cut();
    sell(&scene.primary, &keys, "lost", 3);
    refund(&scene.primary, &keys[1], "lost-1-0");
    store(&scene, 15, 1);
    scene.fail_over();
    // Of the last part, what nobody stored and somebody trimmed.
    sell(&scene.primary, &keys[2..], "late", 1);
    let trim = format!("XTRIM {}:orders MAXLEN 0", keys[2]);
    scene.primary.ask::<i64>(&trim);

    let dry = reconcile(&scene, &[]);
    let found = |outcomes: &[Outcome], kind: &str| -> Vec<(i64, i64)> {
        outcomes.iter().map(|one| one.of(kind)).collect()
    };
    assert_eq!(dry[0].code, 1, "{}", dry[0].text);
    assert_eq!(found(&dry, "lost"), [(3, 0); 3]);
    assert_eq!(found(&dry, "refund_missing"), [(0, 0), (1, 0), (0, 0)]);
    assert_eq!(found(&dry, "trimmed"), [(0, 0), (0, 0), (1, 0)]);
    let applied = reconcile(&scene, &["--apply"]);
    assert_eq!(applied[0].code, 0, "{}", applied[0].text);
    assert_eq!(found(&applied, "lost"), [(3, 3); 3]);
    assert_eq!(found(&applied, "refund_missing"), [(0, 0), (1, 1), (0, 0)]);
    assert_eq!(found(&applied, "trimmed"), [(0, 0), (0, 0), (1, 1)]);
    for (outcome, key) in reconcile(&scene, &["--apply"]).iter().zip(&keys) {
        outcome.finds_nothing();
        assert_eq!(outcome.json["sale"], **key, "{}", outcome.text);
        assert_eq!(outcome.json["audit"]["consistent"], true);
    }
    // Each order is on its own part, and nowhere else.
    for (part, id) in [(0, "lost-0-2"), (1, "lost-1-0"), (2, "lost-2-1")] {
        for (at, key) in keys.iter().enumerate() {
            let known: Value = scene.primary.ask(&format!("FLASHSALE.GET {key} {id}"));
            let state = match &known {
                Value::Array(fields) => value_of(fields, "state").map(|state| text(&state)),
                _ => None,
            };
            let expected = match (at == part, id) {
                (false, _) => None,
                (true, "lost-1-0") => Some("refunded"),
                (true, _) => Some("sold"),
            };
            assert_eq!(state.as_deref(), expected, "{id} on {key}");
        }
    }
    let of_group = "flashsale_orders_text WHERE group_name = 'tea'";
    assert_eq!(scene.count(of_group), 16);
}
