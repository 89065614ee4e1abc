//! What a person runs by hand, and runs again.

use crate::balance::server;
use crate::common::wait_until;
use crate::{Driver, does, keys, run, stock, word};

#[test]
fn create_is_safe_to_repeat_and_touches_no_part_that_is_there() {
    let redis = server(&[]);
    let url = redis.url();
    let line = "create shoes --parts 5 ITEMS 2 red 12 blue 3 USERLIMIT 2 USERRATE 10 10000";
    assert!(does(&url, line).contains("5 parts made, 0 were there"));
    let keys = keys(&redis);
    assert_eq!(keys.len(), 5);
    assert_eq!(stock(&redis, &keys, "red"), [12, 0, 0]);
    let ids = |key: &String| -> String {
        format!(
            "{:?}",
            redis.ask::<redis::Value>(&format!("FLASHSALE.INFO {key}"))
        )
    };
    let before: Vec<String> = keys.iter().map(ids).collect();
    assert!(before[0].contains("shoes"), "{}", before[0]);
    assert!(does(&url, line).contains("0 parts made, 5 were there"));
    // Half made: what is missing is made, with the same share and the same sale id.
    let share = stock(&redis, &keys[3..4], "red");
    let id: String = redis.ask("HGET {shoes}:parts 3:id");
    redis.ask::<i64>(&format!("DEL {}", keys[3]));
    assert!(does(&url, line).contains("1 parts made, 4 were there"));
    assert_eq!(stock(&redis, &keys[3..4], "red"), share);
    assert_eq!(redis.ask::<String>("HGET {shoes}:parts 3:id"), id);
    // The hash is lost, and comes back as it was.
    let hash: String = redis.ask("HGET {shoes}:parts 1:id");
    redis.ask::<i64>("DEL {shoes}:parts");
    assert!(does(&url, line).contains("0 parts made, 5 were there"));
    assert_eq!(redis.ask::<String>("HGET {shoes}:parts 1:id"), hash);
    // Another number of parts, other options.
    for (line, says) in [
        (
            "create shoes --parts 6 ITEMS 2 red 12 blue 3 USERLIMIT 2",
            "5 parts, for ever",
        ),
        (
            "create shoes --parts 5 ITEMS 2 red 12 blue 3 USERLIMIT 3",
            "its USERLIMIT is 2",
        ),
    ] {
        let (code, text) = run(&url, &words(line));
        assert!(code == 3 && text.contains(says), "{text}");
    }
}

#[test]
fn a_typing_error_does_not_fix_the_number_of_parts() {
    let redis = server(&[]);
    let url = redis.url();
    for (line, exit, says) in [
        ("create shoes STOCK 10 BLA 5", 3, "BLA"),
        (
            "create shoes STOCK 10 --paused",
            2,
            "--paused: stands before the stock",
        ),
    ] {
        let (code, text) = run(&url, &words(line));
        assert!(code == exit && text.contains(says), "{text}");
    }
    let made = does(&url, "create shoes --parts 4 STOCK 10");
    assert!(made.contains("4 parts made, 0 were there"), "{made}");
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn restock_deals_the_same_again_and_once() {
    let redis = server(&[]);
    let url = redis.url();
    does(&url, "create shoes --parts 3 ITEMS 1 red 3");
    let keys = keys(&redis);
    for _ in 0..2 {
        does(&url, "restock shoes REF r1 ITEMS 2 red 4 green 1 NEW");
        assert_eq!(stock(&redis, &keys, "red"), [7, 0, 0]);
        assert_eq!(stock(&redis, &keys, "green"), [1, 0, 0]);
    }
    does(&url, "restock shoes REF r2 ITEMS 1 red 1");
    assert_eq!(stock(&redis, &keys, "red"), [8, 0, 0]);
    let (code, text) = run(
        &url,
        &words("restock shoes REF r1 ITEMS 2 red 5 green 1 NEW"),
    );
    assert!(code == 1 && text.contains("MISMATCH"), "{text}");
    // Not one unit more, whichever parts the other number would bring some.
    for line in [
        "REF r2 ITEMS 1 red 2",
        "REF r2 ITEMS 1 red 3",
        "REF r2 ITEMS 1 red 7",
    ] {
        let (code, text) = run(&url, &words(&format!("restock shoes {line}")));
        let says = "MISMATCH: the REF is known with other units";
        assert!(code == 1 && text.contains(says), "{text}");
        assert!(!text.contains("units over"), "{text}");
        assert_eq!(stock(&redis, &keys, "red"), [8, 0, 0]);
    }
    let (code, text) = run(&url, &words("restock shoes REF r4 ITEMS 1 white 1"));
    assert!(code == 3 && text.contains("NOSKU"), "{text}");
    let (code, text) = run(&url, &words("restock shoes REF r3 ITEMS 1 red -1"));
    assert!(code == 2 && text.contains("one by one"), "{text}");
    assert!(does(&url, "audit shoes").contains("green: 1 in all"));
}

#[test]
fn what_is_done_to_a_sale_is_done_to_each_part() {
    let redis = server(&[]);
    let url = redis.url();
    does(
        &url,
        "create shoes --parts 3 --paused --keys sale:{} --streams orders:{} STOCK 9",
    );
    let tag: String = redis.ask("HGET {shoes}:parts 2");
    let key = format!("sale:{tag}");
    let reserve = format!("FLASHSALE.RESERVE {key} ann 1 ID one");
    assert_eq!(word(&redis, &reserve).0, "PAUSED");
    assert!(does(&url, "resume shoes").contains("3 of 3 parts"));
    assert_eq!(word(&redis, &reserve).0, "RESERVED");
    does(&url, "alter shoes USERLIMIT 1");
    assert_eq!(
        word(&redis, &format!("FLASHSALE.RESERVE {key} ann 1 ID two")).0,
        "USERLIMIT"
    );
    does(&url, "pause shoes");
    assert_eq!(
        word(&redis, &format!("FLASHSALE.RESERVE {key} bob 1 ID b")).0,
        "PAUSED"
    );
    let status = does(&url, "status shoes");
    assert!(
        status.contains("default: 9 in all; 8 available, 1 reserved"),
        "{status}"
    );
    assert_eq!(status.matches("paused").count(), 3, "{status}");
    assert_eq!(status.matches(&format!(" {key} ")).count(), 1, "{status}");
    // The brake: each part answers for itself.
    assert_eq!(run(&url, &words("alter shoes GROUP other")).0, 2);
    does(&url, "close shoes");
    let (code, text) = run(&url, &words("resume shoes"));
    assert!(code == 1 && text.contains("ENDED"), "{text}");
}

#[test]
fn a_part_that_is_lost_for_good_is_made_anew_with_what_is_left() {
    let redis = server(&["--appendfsync", "always"]);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 20");
    let keys = keys(&redis);
    let driver = Driver::start(&url, &["--replicas", "0"]);
    // Five go from part 0 to part 1, at least, and are sold there.
    let line = format!("FLASHSALE.BUY {} {}:orders u 15 ID big", keys[1], keys[1]);
    wait_until("units have moved", || word(&redis, &line).0 == "SOLD");
    redis.ask::<i64>(&format!("DEL {}", keys[0]));
    let again = words("create shoes --parts 2 --paused --replicas 0 STOCK 20");
    let (code, text) = run(&url, &again);
    assert!(code == 3 && text.contains("a driver is at work"), "{text}");
    let (code, text) = run(&url, &words("audit shoes"));
    assert!(code == 1 && text.contains("is not there"), "{text}");
    assert_eq!(driver.stop(), 0);
    let (code, text) = run(&url, &again);
    assert_eq!(code, 0, "{text}");
    // All stock is 20, of which the living part has sold 15.
    let [available, reserved, sold] = stock(&redis, &keys, "default");
    assert_eq!((available + reserved + sold, sold), (20, 15));
    let text = does(&url, "audit shoes");
    assert!(text.contains("default: 20 in all; 15 sold"), "{text}");
    assert!(text.contains("taken from them"), "{text}");
}
