//! The live view: `GET /sale` and `GET /events`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::common::{Redis, wait_until};
use crate::gateway::{Buyer, Gateway, sale};
use crate::proxy::Proxy;

/// One browser that watches.
struct Watcher(BufReader<TcpStream>);

impl Watcher {
    fn new(gateway: &Gateway) -> Self {
        let mut stream = TcpStream::connect(gateway.place).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a limit");
        stream
            .write_all(b"GET /events HTTP/1.1\r\nHost: shop\r\n\r\n")
            .expect("a request");
        Self(BufReader::new(stream))
    }

    /// Returns the next line that begins with a word; `None` at the end of the stream.
    fn next(&mut self, word: &str) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(rest) = line.strip_prefix(word) {
                return Some(rest.trim().to_owned());
            }
        }
    }

    fn sale(&mut self) -> Json {
        serde_json::from_str(&self.next("data:").expect("an event")).expect("JSON")
    }
}

fn calls(redis: &Redis, command: &str) -> u64 {
    let stats = redis.ask::<String>("INFO commandstats");
    let line = format!("cmdstat_flashsale.{command}:calls=");
    let calls = stats
        .lines()
        .find_map(|one| one.strip_prefix(&line)?.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}

#[test]
fn shows_the_sale_as_it_is() {
    let redis = sale("ITEMS 2 red 20 blue 5");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    let reply = ann.get("/sale");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let now: (i64, i64) = redis.ask("TIME");
    let seen = reply.body["now_ms"].as_i64().expect("a time");
    assert!((now.0 * 1_000 - seen).abs() < 2_000, "{seen}");
    let mut rest = reply.body.clone();
    rest.as_object_mut().expect("a map").remove("now_ms");
    let items = serde_json::json!([
        {"sku": "red", "available": 20, "reserved": 0, "sold": 0, "waiting": 0},
        {"sku": "blue", "available": 5, "reserved": 0, "sold": 0, "waiting": 0},
    ]);
    let wanted = serde_json::json!({
        "state": "open", "starts_in_ms": null, "ends_in_ms": null,
        "waiting_max": 0, "patience_ms": 60_000, "items": items,
    });
    assert_eq!(rest, wanted);
    let mut watcher = Watcher::new(&gateway);
    let retry: u64 = watcher
        .next("retry:")
        .expect("a time")
        .parse()
        .expect("a number");
    assert!((2_000..5_000).contains(&retry), "{retry}");
    assert_eq!(watcher.sale()["items"], items);
    ann.reserve("a1", r#"{"red": 2}"#);
    assert_eq!(watcher.sale()["items"][0]["reserved"], 2);
    redis.ask::<String>("FLASHSALE.PAUSE shoes");
    assert_eq!(watcher.sale()["state"], "paused");
    redis.ask::<String>("FLASHSALE.RESUME shoes");
    assert_eq!(watcher.sale()["state"], "open");
    let start = now.0 * 1_000 + 3_600_000;
    redis.ask::<String>(&format!("FLASHSALE.ALTER shoes START {start}"));
    let scheduled = watcher.sale();
    assert_eq!(scheduled["state"], "scheduled");
    assert!(
        scheduled["starts_in_ms"]
            .as_i64()
            .is_some_and(|ms| ms > 3_500_000),
        "{scheduled}"
    );
}

/// However many look, the server is asked five times a second; nobody looks, never.
#[test]
fn a_thousand_readers_cost_the_server_what_one_costs() {
    let redis = sale("STOCK 1000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let begin = Instant::now();
    let mut readers: Vec<Watcher> = (0..1_000).map(|_| Watcher::new(&gateway)).collect();
    for reader in &mut readers {
        assert_eq!(reader.sale()["items"][0]["available"], 1_000);
    }
    assert_eq!(gateway.number("readers", "") as i64, 1_000);
    assert_eq!(
        Buyer::new(&gateway)
            .reserve("a1", r#"{"default": 3}"#)
            .status,
        201
    );
    let reserved = Instant::now();
    for reader in &mut readers {
        assert_eq!(reader.sale()["items"][0]["reserved"], 3);
    }
    println!("1,000 readers were told within {:?}", reserved.elapsed());
    let looks = begin.elapsed().as_millis() as u64 / 200 + 3;
    assert!(
        calls(&redis, "stock") <= looks,
        "{} looks",
        calls(&redis, "stock")
    );
    drop(readers);
    wait_until("nobody looks", || gateway.number("readers", "") as i64 == 0);
    std::thread::sleep(Duration::from_millis(500));
    let before = calls(&redis, "stock");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(calls(&redis, "stock"), before);
}

/// A look takes long enough here that it is still fresh when the gateway has stopped looking:
/// the only reader comes in that moment, and has to wake it.
#[test]
fn a_lone_reader_who_comes_while_nobody_looks_is_told_of_changes() {
    let redis = sale("STOCK 10");
    let proxy = Proxy::start(redis.port);
    let gateway = Gateway::start(&proxy.url(), &[]);
    proxy.delay("STOCK", Duration::from_millis(150));
    let begun = Instant::now();
    assert_eq!(Buyer::nobody(&gateway).get("/sale").status, 200);
    let at = Duration::from_millis(270);
    std::thread::sleep(at.saturating_sub(begun.elapsed()));
    let mut watcher = Watcher::new(&gateway);
    assert_eq!(watcher.sale()["items"][0]["reserved"], 0);
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes ann 3");
    assert_eq!(watcher.sale()["items"][0]["reserved"], 3);
}

/// What is silent for too long is taken for dead by what stands between.
#[test]
fn a_silent_stream_gets_a_comment() {
    let redis = sale("STOCK 10");
    let gateway = Gateway::start(&redis.url(), &[]);
    let mut watcher = Watcher::new(&gateway);
    watcher.sale();
    let begin = Instant::now();
    assert_eq!(watcher.next(":").as_deref(), Some(""));
    assert!(
        begin.elapsed() > Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
}

/// A slow reader is given the newest state, and not all those before it.
#[test]
fn the_newest_state_wins() {
    let redis = sale("STOCK 1000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let mut watcher = Watcher::new(&gateway);
    watcher.sale();
    let ann = Buyer::new(&gateway);
    for at in 0..100 {
        ann.reserve(&at.to_string(), r#"{"default": 1}"#);
    }
    let mut events = 0;
    while watcher.sale()["items"][0]["reserved"] != 100 {
        events += 1;
    }
    assert!(events < 60, "{events} events for 100 reservations");
}

#[test]
fn readers_are_told_when_the_sale_cannot_be_reached() {
    let mut redis = sale("STOCK 10");
    let module = crate::common::module_path();
    let gateway = Gateway::start(&redis.url(), &[]);
    let mut watcher = Watcher::new(&gateway);
    assert_eq!(watcher.sale()["state"], "open");
    redis.kill();
    assert_eq!(watcher.next("event:").as_deref(), Some("away"));
    assert_eq!(watcher.sale()["answer"], "LATE");
    redis.run(&["--loadmodule", module.to_str().expect("a path")]);
    assert_eq!(watcher.sale()["state"], "open");
    // At the end the stream ends, so that the browser comes back to another gateway.
    let (status, log) = gateway.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(watcher.next("data:"), None);
}
