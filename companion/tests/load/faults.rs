//! One fault each, planted while the load runs.

use std::time::{Duration, Instant};

use crate::servers::{Redis, Sql, signal, wait_until};
use crate::{Load, PATIENT, SHORT, failed, liar, replica_of, wait_for_orders};

const OVERSOLD: &str = "oversold: 0";
const LIMIT: &str = "users above the limit: 0";
const PROMISES: &str = "promises kept";
const WITHOUT_ENTRY: &str = "sold without an entry in the stream: 0";
const WITHOUT_SALE: &str = "entries without a sale: 0";
const UNTOLD: &str = "orders nobody was told of: 0";
const RECOUNT: &str = "recount by reservation = STOCK";
const INFO: &str = "totals of INFO = STOCK";
const AUDIT: &str = "AUDIT finds no difference";
const SQL: &str = "rows in SQL = orders of the stream";
const P95: &str = "p95 of all answers is within its bound";

/// Runs a load with a fault, and asserts that exactly these checks fail.
#[track_caller]
fn assert_names(load: Load, checks: &[&str], says: &str) {
    let (code, text) = load.end();
    assert_eq!((code, failed(&text)), (1, checks.to_vec()), "{text}");
    assert!(text.contains("FAILED."), "{text}");
    assert!(text.contains(says), "{says} in\n{text}");
}

#[test]
fn a_server_that_sells_one_unit_more_is_named() {
    let redis = Redis::with_module();
    let load = Load::start(&redis.url(), &[&SHORT, &PATIENT]);
    wait_until("the sale is there", || {
        redis.ask::<i64>("EXISTS {tea}") == 1
    });
    redis.ask::<redis::Value>("FLASHSALE.RESTOCK {tea} ITEMS 1 red 1");
    assert_names(load, &[OVERSOLD, INFO], "red: 151 sold of 150");
    // What is to be looked into is still there.
    assert_eq!(redis.ask::<i64>("EXISTS {tea} {tea}:orders"), 2);
}

#[test]
fn a_lost_entry_is_named() {
    let redis = Redis::with_module();
    let load = Load::start(&redis.url(), &[&SHORT, &PATIENT]);
    wait_for_orders(&redis, 20);
    let entries: Vec<(String, Vec<String>)> = redis.ask("XRANGE {tea}:orders - + COUNT 10");
    redis.ask::<i64>(&format!("XDEL {{tea}}:orders {}", entries[9].0));
    let says = format!("is sold as {}, which is not there", entries[9].0);
    assert_names(load, &[WITHOUT_ENTRY, AUDIT], &says);
}

/// The user's answers are all in order: only the stream shows what the shop would send.
#[test]
fn an_entry_that_was_never_sold_is_named() {
    let redis = Redis::with_module();
    let load = Load::start(&redis.url(), &[&SHORT, &PATIENT]);
    wait_for_orders(&redis, 20);
    let entries: Vec<(String, Vec<String>)> = redis.ask("XRANGE {tea}:orders - + COUNT 1");
    let field = |name: &str| {
        let at = entries[0].1.iter().position(|known| known == name);
        entries[0].1[at.expect("a field") + 1].clone()
    };
    redis.ask::<String>(&format!(
        "XADD {{tea}}:orders * event order sale {{tea}} sale_id {} id forged user {} qty 3 items \
         [{{\"sku\":\"red\",\"qty\":3}}] at_ms 1 ref r",
        field("sale_id"),
        field("user")
    ));
    let (code, text) = load.end();
    assert_eq!(code, 1, "{text}");
    let failed = failed(&text);
    for check in [LIMIT, WITHOUT_SALE, UNTOLD, AUDIT] {
        assert!(failed.contains(&check), "{check} in\n{text}");
    }
    assert!(
        text.contains(&format!("{} bought ", field("user"))),
        "{text}"
    );
    assert!(text.contains("sells forged, which is unknown"), "{text}");
}

/// An answer is all that the buyer has; GET by id is all that shows the lie.
#[test]
fn a_server_that_says_sold_and_does_not_sell_is_named() {
    let redis = Redis::with_module();
    let patient_liar = ["--connections", "4"];
    let load = Load::start(&liar::start(redis.port), &[&SHORT, &PATIENT, &patient_liar]);
    let (code, text) = load.end();
    assert_eq!(code, 1, "{text}");
    let failed = failed(&text);
    assert!(failed.contains(&PROMISES), "{text}");
    // The other books agree with each other.
    for check in [
        OVERSOLD,
        LIMIT,
        WITHOUT_ENTRY,
        WITHOUT_SALE,
        RECOUNT,
        INFO,
        AUDIT,
    ] {
        assert!(!failed.contains(&check), "{check} in\n{text}");
    }
    assert!(
        text.contains("was told SOLD 1700000000000-0, and is "),
        "{text}"
    );
}

#[test]
fn a_lost_row_is_named() {
    let redis = Redis::with_module();
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let worker = ["--worker-sql", &sqlite];
    let load = Load::start(&redis.url(), &[&SHORT, &PATIENT, &worker]);
    let count = "SELECT count(*) FROM flashsale_orders";
    wait_until("rows", || {
        Sql::open(&sqlite).is_ok_and(|sql| sql.try_number(count).is_ok_and(|rows| rows > 0))
    });
    let first = "DELETE FROM flashsale_orders WHERE entry_id = (SELECT min(entry_id) FROM flashsale_orders)";
    wait_until("the database is free", || {
        Sql::open(&sqlite).is_ok_and(|sql| sql.try_run(first).is_ok())
    });
    assert_names(load, &[SQL], " is not in SQL");
}

/// The server stands still for most of the rush. Requests that wait in the load for a free
/// connection wait as well: counted from the moment of sending, hardly any would be slow.
#[test]
fn a_server_that_stalls_is_slow_for_everybody_who_waits() {
    let redis = Redis::with_module();
    let batch = ["--batch", "16", "--p95", "300ms", "--behind", "60s"];
    let load = Load::start(&redis.url(), &[&SHORT, &batch]);
    wait_until("the first buyers", || {
        let stats = redis.ask::<String>("INFO commandstats");
        stats.to_uppercase().contains("CMDSTAT_FLASHSALE.MRESERVE")
    });
    signal(redis.pid(), "STOP");
    std::thread::sleep(Duration::from_millis(1_500));
    signal(redis.pid(), "CONT");
    let (code, text) = load.end();
    assert_eq!((code, failed(&text)), (1, vec![P95]), "{text}");
}

#[test]
fn a_load_that_stalls_itself_is_void() {
    let redis = Redis::with_module();
    let bounds = ["--p95", "1ms", "--behind", "400ms"];
    let load = Load::start(&redis.url(), &[&SHORT, &bounds]);
    wait_for_orders(&redis, 1);
    signal(load.pid(), "STOP");
    let stopped = Instant::now();
    std::thread::sleep(Duration::from_millis(900));
    signal(load.pid(), "CONT");
    let (code, text) = load.end();
    // Late is no fault of the server: p95 is not held against it.
    assert_eq!(
        (code, failed(&text)),
        (1, vec![]),
        "{:?}: {text}",
        stopped.elapsed()
    );
    assert!(
        text.contains("VOID: the books are right, the load was late."),
        "{text}"
    );
}

/// A replica stands still: what it has is not known, so its AUDIT proves nothing.
#[test]
fn a_replica_that_does_not_catch_up_is_named() {
    let redis = Redis::with_module();
    let replica = replica_of(&redis);
    let load = Load::start(&redis.url(), &[&SHORT, &PATIENT]);
    wait_for_orders(&redis, 1);
    signal(replica.pid(), "STOP");
    let (code, text) = load.end();
    signal(replica.pid(), "CONT");
    assert_eq!((code, failed(&text)), (1, vec![AUDIT]), "{text}");
    let says = format!(
        "no replica has caught up and can be asked within 20 s: 127.0.0.1:{}",
        replica.port
    );
    assert!(text.contains(&says), "{text}");
}

/// The primary becomes a replica for a moment: nobody is lost, but the buyers were put off.
#[test]
fn a_server_that_puts_buyers_off_is_named() {
    let redis = Redis::with_module();
    let load = Load::start(&redis.url(), &[&SHORT, &PATIENT]);
    wait_for_orders(&redis, 1);
    redis.ask::<String>("REPLICAOF 127.0.0.1 1");
    std::thread::sleep(Duration::from_millis(200));
    redis.ask::<String>("REPLICAOF NO ONE");
    let (code, text) = load.end();
    assert_eq!(code, 1, "{text}");
    assert!(
        failed(&text).contains(&"the server put nobody off"),
        "{text}"
    );
    let is_told = |line: &str| line.contains("READONLY") && line.ends_with("put off: asked again");
    assert!(text.lines().any(is_told), "{text}");
}
