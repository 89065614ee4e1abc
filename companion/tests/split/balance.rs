//! The driver: units go to where they are asked for, and "sold out" is said when all is sold.

use std::time::{Duration, Instant};

use crate::common::{Redis, wait_until};
use crate::{Driver, does, keys, run, stock, word};

const ALWAYS: [&str; 2] = ["--appendfsync", "always"];

pub fn server(arguments: &[&str]) -> Redis {
    let module = crate::common::module_path();
    let module = ["--loadmodule", module.to_str().expect("a path")];
    Redis::start(&[&module[..], arguments].concat())
}

/// All buyers are of one part; the stock is over four.
#[test]
fn one_part_sells_what_all_have_and_then_says_sold_out() {
    let redis = server(&ALWAYS);
    let url = redis.url();
    does(
        &url,
        "create shoes --parts 4 ITEMS 2 red 40 blue 9 USERLIMIT 1",
    );
    let keys = keys(&redis);
    let _driver = Driver::start(&url, &["--replicas", "0"]);
    let (mut bought, mut buyer) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let line = format!(
            "FLASHSALE.BUY {} {}:orders u{buyer} ITEMS 1 red 1",
            keys[0], keys[0]
        );
        match &*word(&redis, &line).0 {
            "SOLD" => (bought, buyer) = (bought + 1, buyer + 1),
            "SOLDOUT" => break,
            "ALLRESERVED" => std::thread::sleep(Duration::from_millis(20)),
            other => panic!("{other}"),
        }
        assert!(
            Instant::now() < deadline,
            "{bought} of 40 sold: {}",
            _driver.log()
        );
    }
    assert_eq!((bought, stock(&redis, &keys, "red")), (40, [0, 0, 40]));
    assert_eq!(stock(&redis, &keys, "blue"), [9, 0, 0]);
    let text = does(&url, "audit shoes");
    assert!(text.contains("red: 40 in all; 40 sold"), "{text}");
    // The other parts know it too; and a part that has some sells it.
    wait_until("all parts know", || {
        let line = format!("FLASHSALE.RESERVE {} u ITEMS 1 red 1", keys[2]);
        word(&redis, &line).0 == "SOLDOUT"
    });
    let line = format!("FLASHSALE.RESERVE {} u ITEMS 1 blue 1", keys[2]);
    assert_eq!(word(&redis, &line).0, "RESERVED");
    // A refund on one part is sold on another.
    let line = format!(
        "FLASHSALE.BUY {} {}:orders v ITEMS 1 red 1 ID late",
        keys[3], keys[3]
    );
    let ids: (String, Vec<String>) = redis.ask(&format!("FLASHSALE.SCAN {} 0 STATE sold", keys[0]));
    redis.ask::<redis::Value>(&format!(
        "FLASHSALE.REFUND {} {}:orders {}",
        keys[0], keys[0], ids.1[0]
    ));
    wait_until("the unit is sold again", || word(&redis, &line).0 == "SOLD");
}

#[test]
fn a_cart_that_is_short_gets_its_units_from_others() {
    let redis = server(&ALWAYS);
    let url = redis.url();
    does(&url, "create shoes --parts 4 STOCK 8");
    let keys = keys(&redis);
    let driver = Driver::start(&url, &["--replicas", "0"]);
    let line = format!("FLASHSALE.RESERVE {} ann 8 ID cart", keys[1]);
    wait_until("all eight are on one part", || {
        word(&redis, &line).0 == "RESERVED"
    });
    assert_eq!(driver.stop(), 0);
    // Without a driver nobody knows that nothing is left, and buyers are told to wait longer.
    wait_until("what was said has run out", || {
        let (word, answer) = word(&redis, &format!("FLASHSALE.RESERVE {} bob 1", keys[0]));
        word == "ALLRESERVED" && answer[1] == redis::Value::Int(2_000)
    });
}

#[test]
fn nothing_moves_that_no_file_would_keep() {
    let redis = server(&["--appendfsync", "no"]);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 10");
    let keys = keys(&redis);
    let driver = Driver::start(&url, &["--replicas", "0"]);
    let line = format!("FLASHSALE.BUY {} {}:orders u 10", keys[0], keys[0]);
    wait_until("it says why", || {
        assert_eq!(word(&redis, &line).0, "ALLRESERVED");
        driver
            .log()
            .contains("there is no append only file that is flushed")
    });
    assert_eq!(
        driver.log().matches("there is no append only file").count(),
        1
    );
    let shares: redis::Value = redis.ask(&format!("FLASHSALE.SHARES {}", keys[0]));
    assert!(!format!("{shares:?}").contains("taken\", "), "{shares:?}");
    // A replica that is named and not there stops it as well.
    redis.ask::<String>("CONFIG SET appendfsync always");
    drop(driver);
    let driver = Driver::start(&url, &["--replicas", "1"]);
    wait_until("it says why", || {
        assert_eq!(word(&redis, &line).0, "ALLRESERVED");
        driver.log().contains("0 of 1 replicas have it")
    });
    drop(driver);
    let _driver = Driver::start(&url, &["--replicas", "1", "--confirm", "0"]);
    wait_until("it moves", || word(&redis, &line).0 == "SOLD");
    does(&url, "audit shoes");
}

#[test]
fn of_two_drivers_one_works_and_the_other_takes_over() {
    let redis = server(&ALWAYS);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 10");
    let keys = keys(&redis);
    let mut drivers: Vec<Driver> = (0..2)
        .map(|_| Driver::start(&url, &["--replicas", "0"]))
        .collect();
    let mut first: Option<String> = None;
    wait_until("one has the lease", || {
        first = redis.ask("GET {shoes}:driver");
        first.is_some()
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(redis.ask::<Option<String>>("GET {shoes}:driver"), first);
    // Killed, whichever it is: the other is there within the lease.
    drop(drivers.remove(0));
    let line = format!("FLASHSALE.BUY {} {}:orders u 10", keys[0], keys[0]);
    wait_until("the other works", || word(&redis, &line).0 == "SOLD");
    assert_eq!(drivers.remove(0).stop(), 0);
    does(&url, "balance shoes --replicas 0 --once");
}

/// Redis 8.2 has WAITAOF, and Redis 7.0 has not.
#[test]
fn a_file_that_is_flushed_once_a_second_is_waited_for() {
    let redis = server(&["--appendfsync", "everysec"]);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 10");
    let keys = keys(&redis);
    let driver = Driver::start(&url, &["--replicas", "0"]);
    let line = format!("FLASHSALE.BUY {} {}:orders u 10", keys[0], keys[0]);
    wait_until("it moves", || word(&redis, &line).0 == "SOLD");
    let stats: String = redis.ask("INFO commandstats");
    let knows = redis.ask::<Vec<redis::Value>>("COMMAND INFO WAITAOF")[0] != redis::Value::Nil;
    assert_eq!(stats.contains("cmdstat_waitaof"), knows, "{}", driver.log());
}

#[test]
fn numbers_are_shown_and_alerts_fire() {
    let redis = server(&ALWAYS);
    let url = redis.url();
    does(&url, "create shoes --parts 2 STOCK 10");
    let keys = keys(&redis);
    let place = format!("127.0.0.1:{}", crate::common::free_port());
    let _driver = Driver::start(&url, &["--replicas", "0", "--metrics", &place]);
    let line = format!("FLASHSALE.BUY {} {}:orders u 10", keys[0], keys[0]);
    wait_until("it moves", || word(&redis, &line).0 == "SOLD");
    let mut text = String::new();
    wait_until("its numbers", || {
        let answer = ureq::get(format!("http://{place}/metrics")).call();
        text = answer.map_or(String::new(), |mut one| {
            one.body_mut().read_to_string().unwrap_or_default()
        });
        text.contains("flashsale_split_moved_units_total 5")
    });
    for name in [
        "round_age_seconds",
        "under_way_units",
        "unconfirmed_total",
        "taken_above_given",
    ] {
        assert!(
            text.contains(&format!("\nflashsale_split_{name} ")),
            "{name}: {text}"
        );
    }
    crate::common::alerts_fire("split_rules_test.yml");
}

#[test]
fn wrong_usage_and_a_sale_that_is_not_there_end_it() {
    let redis = Redis::with_module();
    let url = redis.url();
    let cases = [
        (
            3,
            "balance shoes --replicas 0",
            "{shoes}:parts is not there",
        ),
        (
            2,
            "balance shoes --replicas 0 --cluster",
            "a cluster says so itself",
        ),
        (2, "balance sh{oe}s", "no braces"),
        (
            2,
            "create shoes STOCK 5 SALELIMIT 3",
            "a split sale has none",
        ),
        (
            2,
            "create shoes STOCK 5 GROUP x",
            "this program says that itself",
        ),
        (2, "create shoes STOCK -5", "not below 0"),
    ];
    for (code, line, says) in cases {
        let words: Vec<&str> = line.split(' ').collect();
        let (ended, text) = run(&url, &words);
        assert_eq!(ended, code, "{line}: {text}");
        assert!(text.contains(says), "{line}: {text}");
    }
    does(&url, "create shoes --parts 2 STOCK 5");
    let (code, text) = run(&url, &["balance", "shoes"]);
    assert!(code == 2 && text.contains("--replicas N"), "{text}");
}
