//! Units that are there twice are found, and paid back.

use crate::balance::server;
use crate::common::{Redis, wait_until};
use crate::{Driver, does, keys, run, stock, word};

fn share_id(redis: &Redis, key: &str) -> String {
    let shares: Vec<redis::Value> = redis.ask(&format!("FLASHSALE.SHARES {key}"));
    let at = shares
        .iter()
        .position(|one| *one == redis::Value::BulkString("share_id".into()));
    match &shares[at.expect("a share id") + 1] {
        redis::Value::BulkString(bytes) => String::from_utf8(bytes.clone()).expect("text"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_take_of_what_nobody_gave_is_told_and_repaired() {
    let redis = server(&["--appendfsync", "always"]);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 20");
    let keys = keys(&redis);
    let ids: Vec<String> = keys.iter().map(|key| share_id(&redis, key)).collect();
    // As if part 0 had given 4, and lost that.
    let take = format!("FLASHSALE.TAKE {} {} {} 4", keys[1], ids[0], ids[1]);
    assert_eq!(word(&redis, &take).0, "TAKEN");
    assert_eq!(stock(&redis, &keys, "default"), [24, 0, 0]);
    let driver = Driver::start(&url, &["--replicas", "0"]);
    wait_until("an alarm", || {
        driver.log().contains("does not know it gave")
    });
    let (code, text) = run(&url, &["audit", "shoes"]);
    assert!(code == 1 && text.contains("has taken 4"), "{text}");
    let (code, text) = run(&url, &["repair", "shoes", "--replicas", "0"]);
    assert!(code == 1 && text.contains("1 pairs to repair"), "{text}");
    assert_eq!(stock(&redis, &keys, "default"), [24, 0, 0]);
    let text = does(&url, "repair shoes --replicas 0 --apply");
    assert!(text.contains("owes 0"), "{text}");
    assert_eq!(stock(&redis, &keys, "default"), [20, 0, 0]);
    assert!(does(&url, "repair shoes --replicas 0").contains("nothing to repair"));
    does(&url, "audit shoes");
}

#[test]
fn what_is_sold_twice_is_owed() {
    let redis = server(&["--appendfsync", "always"]);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 20");
    let keys = keys(&redis);
    let ids: Vec<String> = keys.iter().map(|key| share_id(&redis, key)).collect();
    let buy = |key: &String, units: u64| {
        let line = format!("FLASHSALE.BUY {key} {key}:orders u {units}");
        assert_eq!(word(&redis, &line).0, "SOLD");
    };
    buy(&keys[0], 9);
    word(
        &redis,
        &format!("FLASHSALE.TAKE {} {} {} 4", keys[1], ids[0], ids[1]),
    );
    buy(&keys[1], 14);
    let text = does(&url, "repair shoes --replicas 0 --apply");
    assert!(text.contains("owes 3"), "{text}");
    let (code, text) = run(&url, &["audit", "shoes"]);
    assert!(code == 1 && text.contains("oversold by 3"), "{text}");
    // RESTOCK pays.
    does(&url, "restock shoes REF pay ITEMS 1 default 6");
    does(&url, "audit shoes");
}
