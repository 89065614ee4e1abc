//! The gateway to a split sale: each user is on one part.

use serde_json::Value as Json;

use crate::balance::server;
use crate::common::{Process, wait_until};
use crate::{does, keys};

#[test]
fn users_are_on_their_part_and_the_page_shows_all_parts() {
    let redis = server(&[]);
    let url = redis.url();
    does(&url, "create shoes --parts 4 ITEMS 1 red 40 USERLIMIT 1");
    let keys = keys(&redis);
    let port = crate::common::free_port();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .args(["serve", "--group-of", "shoes", "--user-header", "x-user"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .env("FLASHSALE_REDIS", &url)
        .stderr(std::process::Stdio::null())
        .spawn();
    let _gateway = Process(child.expect("flashsale"));
    let base = format!("http://127.0.0.1:{port}");
    let sale = || -> Option<Json> {
        let answer = ureq::get(format!("{base}/sale")).call();
        serde_json::from_str(&answer.ok()?.body_mut().read_to_string().ok()?).ok()
    };
    wait_until("the gateway answers", || sale().is_some());
    for user in 0..12 {
        let answer = ureq::post(format!("{base}/reservations"))
            .header("x-user", format!("user{user}"))
            .header("idempotency-key", format!("\"id{user}\""))
            .content_type("application/json")
            .send(r#"{"items": {"red": 1}}"#);
        assert_eq!(answer.expect("an answer").status(), 201);
        let found = ureq::get(format!("{base}/reservations/id{user}"))
            .header("x-user", format!("user{user}"))
            .call();
        assert_eq!(found.expect("an answer").status(), 200);
    }
    let on: Vec<i64> = keys
        .iter()
        .map(|key| {
            let rows: Vec<(String, i64, i64, i64, i64)> =
                redis.ask(&format!("FLASHSALE.STOCK {key}"));
            rows[0].2
        })
        .collect();
    assert_eq!(on.iter().sum::<i64>(), 12);
    assert!(on.iter().filter(|units| **units > 0).count() > 1, "{on:?}");
    wait_until("the page shows all parts", || {
        let sale = sale().expect("the sale");
        sale["items"][0]["reserved"] == 12 && sale["items"][0]["available"] == 28
    });
}
