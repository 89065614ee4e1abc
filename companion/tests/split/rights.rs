//! The user of a driver: it has every right that the driver uses.

use redis::Value;

use crate::balance::server;
use crate::common::{Redis, wait_until};
use crate::{Driver, does, word};

const PAGE: &str = include_str!("../../../docs/split.md");
const USERS: &str = include_str!("../../../examples/acl/users.acl");

/// A driver as a user, from its lease to the word that all is sold.
fn play(line: &str, login: &str, templates: &str) {
    let redis = server(&["--appendfsync", "everysec"]);
    let knows_waitaof = redis.ask::<Vec<Value>>("COMMAND INFO WAITAOF")[0] != Value::Nil;
    let line = match knows_waitaof {
        true => line.to_owned(),
        false => line.replace(" +waitaof", ""),
    };
    redis.ask::<String>(&line);
    does(
        &redis.url(),
        &format!("create shoes{templates} --parts 2 STOCK 10"),
    );
    let tags = [0, 1].map(|part| redis.ask::<String>(&format!("HGET {{shoes}}:parts {part}")));
    let keys = tags.map(|tag| match templates {
        "" => tag,
        _ => format!("sale:{tag}"),
    });
    let url = format!("redis://{login}@127.0.0.1:{}", redis.port);
    let driver = Driver::start(&url, &["--replicas", "0"]);
    let orders = |key: &str| match templates {
        "" => format!("{key}:orders"),
        _ => key.replace("sale:", "orders:"),
    };
    let buy = |key: &str, units: u32| {
        let line = format!("FLASHSALE.BUY {key} {} u {units}", orders(key));
        word(&redis, &line).0
    };
    wait_until("it moves units", || buy(&keys[0], 10) == "SOLD");
    wait_until("it says sold out", || buy(&keys[1], 1) == "SOLDOUT");
    let log = driver.log();
    assert_eq!(driver.stop(), 0, "{log}");
    assert_eq!(redis.ask::<Option<String>>("GET {shoes}:driver"), None);
    refused_nothing(&redis);
}

#[track_caller]
fn refused_nothing(redis: &Redis) {
    let log: Vec<Value> = redis.ask("ACL LOG");
    assert!(log.is_empty(), "a right is missing: {log:?}");
}

#[test]
fn the_user_of_the_page_has_every_right_it_needs() {
    let line = PAGE
        .lines()
        .find(|line| line.starts_with("ACL SETUSER driver "));
    play(line.expect("the user"), "driver:secret", "");
}

#[test]
fn the_user_of_the_file_has_every_right_it_needs() {
    let line = USERS.lines().find(|line| line.starts_with("user driver "));
    let line = line.expect("the user").replacen("user", "ACL SETUSER", 1);
    let templates = " --keys sale:{} --streams orders:{}";
    play(&line, "driver:change-me-driver", templates);
}
