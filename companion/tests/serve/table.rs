//! Every row of the table of answers, over HTTP.
//!
//! **Method**: the rows are read from `clients/answers.json`, and not from what the gateway
//! was built with. Each row of RESERVE, CHECKOUT and RELEASE has to be received once at least.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::common::{Redis, wait_until};
use crate::gateway::{Buyer, Gateway, Reply, sale};
use crate::proxy::Proxy;

/// The words, with the rows that are still to be received.
struct Table {
    answers: Json,
    missing: BTreeSet<(String, String, String)>,
}

impl Table {
    fn new() -> Self {
        let text = include_str!("../../../clients/answers.json");
        let answers: Json = serde_json::from_str(text).expect("JSON");
        let mut missing = BTreeSet::new();
        let words = answers["words"].as_object().expect("words");
        // The gateway asks for units by number alone.
        for (word, data) in words.iter().filter(|(word, _)| *word != "NOTFREE") {
            let rows = data["rows"].as_array().expect("rows");
            // `unbuilt` is what no version of the module answers yet.
            for row in rows.iter().filter(|row| row["unbuilt"].is_null()) {
                let when = row["when"].as_str().unwrap_or_default();
                let of = row["of"].as_array().expect("commands");
                let ours = of.iter().filter_map(Json::as_str);
                let ours = ours.filter(|one| ["RESERVE", "CHECKOUT", "RELEASE"].contains(one));
                for command in ours.filter(|_| when != "replaced") {
                    missing.insert((word.clone(), command.to_owned(), when.to_owned()));
                }
            }
        }
        Self { answers, missing }
    }

    fn row(&self, word: &str, command: &str, when: &str) -> &Json {
        let rows = self.answers["words"][word]["rows"].as_array();
        let is_it = |row: &&Json| {
            let of = row["of"].as_array().expect("commands");
            row["when"].as_str().unwrap_or_default() == when && of.iter().any(|one| one == command)
        };
        rows.expect("rows").iter().find(is_it).expect("a row")
    }

    /// Checks a reply against its row.
    #[track_caller]
    fn expect(&mut self, reply: &Reply, word: &str, command: &str, when: &str) {
        assert_eq!(reply.answer(), word, "{reply:?}");
        let row = self.row(word, command, when);
        assert_eq!(u64::from(reply.status), row["http"], "{reply:?}");
        let is_problem = reply.status >= 400;
        let kind = if is_problem {
            "application/problem+json"
        } else {
            "application/json"
        };
        assert_eq!(reply.header("content-type"), Some(kind), "{reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        if is_problem {
            assert_eq!(reply.body["type"], format!("/problems/{word}"));
            assert_eq!(reply.body["status"], reply.status);
            let detail = reply.body["detail"].as_str().expect("a sentence");
            assert!(!detail.contains('{'), "{detail}");
        }
        for detail in self.answers["words"][word]["details"]
            .as_array()
            .expect("details")
        {
            let name = detail["name"].as_str().expect("a name");
            let is_there = reply.body.get(name).is_some();
            assert!(
                is_there || detail["optional"] == true,
                "{name} in {reply:?}"
            );
        }
        let after = reply
            .header("retry-after")
            .map(|after| after.parse::<i64>().expect("seconds"));
        let wanted = match &row["retry_after"] {
            Json::Null => None,
            Json::Number(seconds) => seconds.as_i64(),
            name => {
                let ms = reply.body[name.as_str().expect("a detail")].as_i64();
                ms.map(|ms| (ms + 999) / 1_000)
            }
        };
        assert_eq!(after, wanted, "{reply:?}");
        self.missing
            .remove(&(word.into(), command.into(), when.into()));
    }
}

fn ms_from_now(redis: &Redis, ms: i64) -> i64 {
    let now: (i64, i64) = redis.ask("TIME");
    now.0 * 1_000 + now.1 / 1_000 + ms
}

/// Waits until a reservation has expired.
fn wait_for_expiry(redis: &Redis, id: &str) {
    wait_until("it expires", || {
        let found: Vec<redis::Value> = redis.ask(&format!("FLASHSALE.GET shoes {id}"));
        found[1] == redis::Value::BulkString("expired".into())
    });
}

#[test]
fn every_row_of_the_table_is_answered_as_it_says() {
    let mut table = Table::new();
    let redis =
        sale("ITEMS 2 red 20 blue 6 USERLIMIT 12 ITEMLIMIT 5 ORDERLIMIT 9 HOLD 60000 GRACE 60000");
    let gateway = Gateway::start(&redis.url(), &[]);
    life_of_reservations(&mut table, &redis, &gateway);
    limits(&mut table, &redis, &gateway);
    windows(&mut table, &redis, &gateway);
    lines(&mut table);
    door(&mut table);
    assert!(
        table.missing.is_empty(),
        "never received: {:?}",
        table.missing
    );
}

fn life_of_reservations(table: &mut Table, redis: &Redis, gateway: &Gateway) {
    let ann = Buyer::new(gateway);
    let reply = ann.reserve("a1", r#"{"red": 1}"#);
    table.expect(&reply, "RESERVED", "RESERVE", "");
    assert_eq!(reply.header("location"), Some("/reservations/a1"));
    // Again: the same answer, since the module answers a retry like the first time.
    let again = ann.reserve("a1", r#"{"red": 1}"#);
    assert_eq!(
        (again.status, &again.body["expires_at_ms"]),
        (201, &reply.body["expires_at_ms"])
    );
    let other = ann.reserve("a1", r#"{"red": 2}"#);
    table.expect(&other, "MISMATCH", "RESERVE", "");
    let cart = ann.reserve("a2", r#"{"red": 1, "blue": 1}"#);
    table.expect(&cart, "RESERVED", "RESERVE", "");
    table.expect(&ann.pay("a1", "p1"), "SOLD", "CHECKOUT", "");
    table.expect(&ann.pay("a1", "p1"), "SOLD", "CHECKOUT", "");
    table.expect(&ann.pay("a1", "p2"), "ALREADYSOLD", "CHECKOUT", "");
    table.expect(&ann.reserve("a1", r#"{"red": 1}"#), "SOLD", "RESERVE", "");
    table.expect(&ann.delete("/reservations/a1"), "SOLD", "RELEASE", "");
    table.expect(&ann.delete("/reservations/a2"), "RELEASED", "RELEASE", "");
    let released = ann.reserve("a2", r#"{"red": 1, "blue": 1}"#);
    table.expect(&released, "RELEASED", "RESERVE", "");
    table.expect(&ann.pay("a2", "p3"), "RELEASED", "CHECKOUT", "");
    redis.ask::<redis::Value>("FLASHSALE.REFUND shoes shoes:orders a1");
    table.expect(
        &ann.reserve("a1", r#"{"red": 1}"#),
        "REFUNDED",
        "RESERVE",
        "",
    );
    table.expect(&ann.pay("a1", "p1"), "REFUNDED", "CHECKOUT", "");
    table.expect(&ann.delete("/reservations/a1"), "REFUNDED", "RELEASE", "");
    table.expect(
        &ann.pay("never-seen", "p4"),
        "NORESERVATION",
        "CHECKOUT",
        "",
    );
    let bob = Buyer::new(gateway);
    ann.reserve("a3", r#"{"red": 1}"#);
    table.expect(
        &bob.delete("/reservations/a3"),
        "NORESERVATION",
        "RELEASE",
        "",
    );
    ann.delete("/reservations/a3");
    // Expired: its unit is sold to somebody else, and GRACE ends.
    redis.ask::<String>("FLASHSALE.ALTER shoes HOLD 150");
    ann.reserve("a4", r#"{"blue": 1}"#);
    wait_for_expiry(redis, "a4");
    redis.ask::<String>("FLASHSALE.ALTER shoes HOLD 60000");
    table.expect(
        &ann.reserve("a4", r#"{"blue": 1}"#),
        "EXPIRED",
        "RESERVE",
        "",
    );
    let bulk = "FLASHSALE.RESERVE shoes bulk ITEMS 1 blue";
    redis.ask::<redis::Value>(&format!("{bulk} 5 ID bulk"));
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes bulk2 ITEMS 1 blue 1 ID bulk2");
    table.expect(
        &ann.pay("a4", "p5"),
        "EXPIRED",
        "CHECKOUT",
        "grace_left_ms > 0",
    );
    redis.ask::<String>("FLASHSALE.ALTER shoes GRACE 0");
    table.expect(
        &ann.pay("a4", "p5"),
        "EXPIRED",
        "CHECKOUT",
        "grace_left_ms = 0",
    );
    table.expect(
        &ann.reserve("a5", r#"{"blue": 1}"#),
        "ALLRESERVED",
        "RESERVE",
        "",
    );
    for id in ["bulk", "bulk2"] {
        redis.ask::<redis::Value>(&format!("FLASHSALE.CHECKOUT shoes shoes:orders {id}"));
    }
    table.expect(
        &ann.reserve("a5", r#"{"blue": 1}"#),
        "SOLDOUT",
        "RESERVE",
        "",
    );
}

fn limits(table: &mut Table, redis: &Redis, gateway: &Gateway) {
    let cyd = Buyer::new(gateway);
    table.expect(
        &cyd.reserve("c1", r#"{"red": 10}"#),
        "ORDERLIMIT",
        "RESERVE",
        "",
    );
    table.expect(
        &cyd.reserve("c1", r#"{"red": 6}"#),
        "ITEMLIMIT",
        "RESERVE",
        "",
    );
    cyd.reserve("c2", r#"{"red": 5}"#);
    redis.ask::<String>("FLASHSALE.ALTER shoes USERLIMIT 5");
    let limit = cyd.reserve("c3", r#"{"red": 1}"#);
    table.expect(&limit, "USERLIMIT", "RESERVE", "");
    assert_eq!(limit.body["reservations"], serde_json::json!(["c2"]));
    let sold: i64 = 6;
    redis.ask::<redis::Value>("FLASHSALE.CHECKOUT shoes shoes:orders c2");
    redis.ask::<String>(&format!(
        "FLASHSALE.ALTER shoes USERLIMIT 0 ITEMLIMIT 0 SALELIMIT {}",
        sold + 5
    ));
    table.expect(
        &cyd.reserve("c4", r#"{"red": 1}"#),
        "SALELIMIT",
        "RESERVE",
        "",
    );
    redis.ask::<String>("FLASHSALE.ALTER shoes SALELIMIT 0");
}

fn windows(table: &mut Table, redis: &Redis, gateway: &Gateway) {
    let dan = Buyer::new(gateway);
    redis.ask::<String>("FLASHSALE.PAUSE shoes");
    table.expect(&dan.reserve("d1", r#"{"red": 1}"#), "PAUSED", "RESERVE", "");
    redis.ask::<String>("FLASHSALE.RESUME shoes");
    let start = ms_from_now(redis, 61_500);
    redis.ask::<String>(&format!("FLASHSALE.ALTER shoes START {start}"));
    let early = dan.reserve("d1", r#"{"red": 1}"#);
    table.expect(&early, "NOTSTARTED", "RESERVE", "");
    assert_eq!(early.body["detail"], "The sale starts in 62 seconds.");
    redis.ask::<String>("FLASHSALE.ALTER shoes START 0");
    redis.ask::<String>("FLASHSALE.CLOSE shoes");
    table.expect(&dan.reserve("d1", r#"{"red": 1}"#), "ENDED", "RESERVE", "");
}

/// A line, and PACE.
fn lines(table: &mut Table) {
    let redis = sale("ITEMS 1 red 1 HOLD 60000 WAITING 1");
    let gateway = Gateway::start(&redis.url(), &["--user-header", "x-user"]);
    let eve = Buyer::nobody(&gateway).with("x-user", "eve");
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes zoe ITEMS 1 red 1 ID z");
    for _ in 0..2 {
        let waiting = eve.wait("l1", r#"{"red": 1}"#);
        table.expect(&waiting, "WAITING", "RESERVE", "ahead >= 0");
    }
    let placed = eve.wait("l0", r#"{"red": 1}"#);
    table.expect(&placed, "PLACED", "RESERVE", "");
    assert_eq!(placed.body["other_id"], "l1");
    let fay = Buyer::nobody(&gateway).with("x-user", "fay");
    let full = fay.wait("l2", r#"{"red": 1}"#);
    table.expect(&full, "LINEFULL", "RESERVE", "");
    let paid = eve.pay("l1", "p1");
    table.expect(&paid, "WAITING", "CHECKOUT", "no ahead");
    redis.ask::<redis::Value>("FLASHSALE.RELEASE shoes l1");
    redis.ask::<redis::Value>("FLASHSALE.RESTOCK shoes ITEMS 1 red 5");
    redis.ask::<String>("FLASHSALE.ALTER shoes PACE 1 86400000");
    assert_eq!(eve.reserve("l2", r#"{"red": 1}"#).status, 201);
    let throttled = eve.reserve("l3", r#"{"red": 1}"#);
    table.expect(&throttled, "THROTTLED", "RESERVE", "by sale");
    let start = ms_from_now(&redis, 60_000);
    redis.ask::<String>(&format!("FLASHSALE.ALTER shoes START {start}"));
    let undrawn = eve.wait("l4", r#"{"red": 1}"#);
    table.expect(&undrawn, "WAITING", "RESERVE", "ahead < 0");
}

/// PASSKEY, USERRATE and FROMRATE, each set while the gateway runs.
fn door(table: &mut Table) {
    let redis = sale("ITEMS 1 red 1000000 HOLD 60000");
    let options = ["--user-header", "x-user", "--from-header", "x-from"];
    let gateway = Gateway::start(&redis.url(), &options);
    let ann = Buyer::nobody(&gateway).with("x-user", "ann");
    let batched = ann.reserve("d1", r#"{"red": 1}"#);
    table.expect(&batched, "RESERVED", "RESERVE", "");
    let secret = "0123456789abcdef0123456789abcdef";
    redis.ask::<String>(&format!("FLASHSALE.ALTER shoes PASSKEY 1 {secret}"));
    // Known here after a second; from then on nothing goes in a batch.
    let mut tries = 0;
    wait_until("passes are asked for", || {
        tries += 1;
        ann.reserve(&format!("t{tries}"), r#"{"red": 1}"#).answer() == "NOPASS"
    });
    for items in [r#"{"red": 1}"#, r#"{"red": 2}"#] {
        let refused = ann.reserve("ann-1", items);
        table.expect(&refused, "NOPASS", "RESERVE", "");
    }
    // A vector of the reference.
    let keyed = ann.with("idempotency-key", "ann-1");
    let pass = "1795203103000._7VGrWWgIv58ZDqxpGAuZw";
    let body = format!(r#"{{"items": {{"red": 1}}, "pass": "{pass}"}}"#);
    let now: (i64, i64) = redis.ask("TIME");
    let is_good = now.0 < 1_795_203_103;
    let reply = keyed.post("/reservations", &body);
    assert_eq!(reply.answer() == "RESERVED", is_good, "{reply:?}");
    let long = format!(r#"{{"items": {{"red": 1}}, "pass": "{}"}}"#, "x".repeat(65));
    let wrong = ann
        .with("idempotency-key", "w1")
        .post("/reservations", &long);
    assert_eq!((wrong.status, wrong.answer()), (400, "ERR"));
    redis.ask::<String>("FLASHSALE.ALTER shoes PASSKEY 0 USERRATE 1 86400000 FROMRATE 2 86400000");
    let of = |user: &str, from: &str| {
        let buyer = Buyer::nobody(&gateway).with("x-user", user);
        buyer.with("x-from", from)
    };
    wait_until("sources count", || {
        tries += 1;
        let user = format!("u{tries}");
        let tried = of(&user, "elsewhere").reserve(&user, r#"{"red": 1}"#);
        tried.answer() == "THROTTLED"
    });
    assert_eq!(of("bob", "home").reserve("b1", r#"{"red": 1}"#).status, 201);
    let often = of("bob", "home").reserve("b2", r#"{"red": 1}"#);
    table.expect(&often, "THROTTLED", "RESERVE", "by buyer");
    assert_eq!(often.body["by"], "user");
    assert_eq!(of("cyd", "home").reserve("c1", r#"{"red": 1}"#).status, 201);
    let crowded = of("dan", "home").reserve("d2", r#"{"red": 1}"#);
    table.expect(&crowded, "THROTTLED", "RESERVE", "by buyer");
    assert_eq!(crowded.body["by"], "from");
    assert_eq!(of("dan", "work").reserve("d2", r#"{"red": 1}"#).status, 201);
}

/// Errors that a server answers, each in the place of a reservation, of a cart and of a batch.
#[test]
fn every_error_of_the_table_is_answered_as_it_says() {
    let redis = sale("ITEMS 2 red 20 blue 6");
    let proxy = Proxy::start(redis.port);
    let gateway = Gateway::start(&proxy.url(), &[]);
    let buyer = Buyer::new(&gateway);
    let answers = Table::new().answers;
    let mut tried = 0;
    for error in answers["errors"].as_array().expect("errors") {
        let code = error["code"].as_str().expect("a code");
        // READONLY leads to another primary: tests/serve/batches.rs. BUSYKEY is of CREATE.
        if ["READONLY", "BUSYKEY"].contains(&code) {
            continue;
        }
        proxy.answer_with(Some(&format!("{code} what the server says")));
        for items in [r#"{"red": 1}"#, r#"{"red": 1, "blue": 1}"#] {
            let reply = buyer.reserve("e1", items);
            assert_eq!(reply.answer(), code, "{reply:?}");
            assert_eq!(u64::from(reply.status), error["http"], "{reply:?}");
            assert_eq!(reply.body["detail"], error["buyer"]);
            let after = reply.header("retry-after");
            assert_eq!(after, (error["again"] == true).then_some("1"), "{reply:?}");
        }
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
    proxy.answer_with(Some("NOPERM this user has no permissions"));
    let unheard_of = buyer.reserve("e1", r#"{"red": 1}"#);
    assert_eq!((unheard_of.status, unheard_of.answer()), (500, "NOPERM"));
    proxy.answer_with(None);
    is_described(&buyer, &unheard_of);
    assert_eq!(buyer.reserve("e1", r#"{"red": 1}"#).status, 201);
    // In the place of an entry of a batch, by the module itself.
    let unknown = buyer.reserve("e2", r#"{"green": 1}"#);
    assert_eq!((unknown.status, unknown.answer()), (404, "NOSKU"));
    assert_eq!(buyer.reserve("e2", r#"{"red": 0}"#).status, 400);
    redis.ask::<String>("CONFIG SET maxmemory 1");
    let full = buyer.reserve("e3", r#"{"red": 1}"#);
    assert_eq!((full.status, full.answer()), (503, "OOM"));
    redis.ask::<String>("CONFIG SET maxmemory 0");
    redis.ask::<i64>("DEL shoes");
    let gone = buyer.reserve("e4", r#"{"red": 1}"#);
    assert_eq!((gone.status, gone.answer()), (404, "NOSALE"));
    assert_eq!(buyer.get("/sale").status, 404);
    redis.ask::<String>("SET shoes text");
    let wrong = buyer.reserve("e4", r#"{"red": 1}"#);
    assert_eq!((wrong.status, wrong.answer()), (500, "WRONGTYPE"));
}

/// Checks that the type of a problem leads to what its answer means at this status.
#[track_caller]
fn is_described(buyer: &Buyer, problem: &Reply) {
    let kind = problem.header("content-type");
    assert_eq!(kind, Some("application/problem+json"));
    let described = buyer.get(problem.body["type"].as_str().expect("a type"));
    assert_eq!(described.status, 200, "{problem:?}");
    let meanings = described.body["meanings"].as_array().expect("meanings");
    let is_it = |meaning: &Json| meaning["status"] == problem.status;
    assert!(meanings.iter().any(is_it), "{problem:?}: {described:?}");
}

#[test]
fn requests_that_make_no_sense_are_4xx() {
    let redis = sale("STOCK 5");
    let gateway = Gateway::start(&redis.url(), &[]);
    let buyer = Buyer::new(&gateway);
    let keyed = buyer.with("idempotency-key", "k1");
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("{}", 400),
        (r#"{"items": {}}"#, 400),
        (r#"{"items": {"default": -1}}"#, 400),
        (r#"{"items": {"default": "1"}}"#, 400),
        (r#"{"items": {"default": 1}, "user": "ann"}"#, 400),
    ] {
        let reply = keyed.post("/reservations", body);
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        is_described(&buyer, &reply);
    }
    let items = r#"{"items": {"default": 1}}"#;
    is_described(&buyer, &buyer.post("/reservations", items));
    let empty = buyer.with("idempotency-key", "\"\"");
    assert_eq!(empty.post("/reservations", items).answer(), "NOKEY");
    let long = buyer.with("idempotency-key", &"k".repeat(256));
    assert_eq!(long.post("/reservations", items).status, 400);
    let fat = format!(r#"{{"items": {{"default": 1}}{}}}"#, " ".repeat(4_096));
    for (reply, status, answer) in [
        (keyed.post("/reservations", &fat), 413, "BADBODY"),
        (buyer.post("/reservations/k1/payment", "{}"), 400, "BADBODY"),
        (buyer.get("/reservations/%ff"), 400, "BADID"),
        (buyer.get("/nowhere"), 404, "NOTHERE"),
        (buyer.delete("/sale"), 405, "NOMETHOD"),
        (buyer.get("/reservations/unknown"), 404, "NORESERVATION"),
        (
            Buyer::nobody(&gateway).get("/reservations/k1"),
            400,
            "NOUSER",
        ),
    ] {
        assert_eq!((reply.status, reply.answer()), (status, answer));
        is_described(&buyer, &reply);
    }
    assert_eq!(buyer.get("/problems/SOLDOUT").body["answer"], "SOLDOUT");
    assert_eq!(buyer.get("/problems/NOTHING").status, 404);
    let reserved: Vec<redis::Value> = redis.ask("FLASHSALE.STOCK shoes default");
    assert!(
        format!("{reserved:?}").contains("int(5), int(0), int(0)"),
        "{reserved:?}"
    );
}
