//! What strangers may not do to everybody else: names without end, names that are not on sale,
//! requests that never end, and a server that takes smaller batches.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::gateway::{Buyer, Gateway, sale};
use crate::proxy::Proxy;

#[test]
fn a_name_that_the_module_refuses_is_not_sent() {
    let redis = sale("ITEMS 1 red 9 USERLIMIT 9");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    let (longest, long) = ("k".repeat(255), "k".repeat(256));
    assert_eq!(ann.reserve(&longest, r#"{"red": 1}"#).status, 201);
    let path = format!("/reservations/{longest}");
    assert_eq!(ann.get(&path).status, 200);
    let reply = ann.reserve(&long, r#"{"red": 1}"#);
    assert_eq!((reply.status, reply.answer()), (400, "NOKEY"));
    let reply = ann.get(&format!("/reservations/{long}"));
    assert_eq!((reply.status, reply.answer()), (400, "BADID"));
    let reply = ann.reserve("a2", &format!(r#"{{"{}": 1, "red": 1}}"#, "s".repeat(129)));
    assert_eq!((reply.status, reply.answer()), (404, "NOSKU"));
    let calls = redis.ask::<String>("INFO commandstats");
    assert!(!calls.contains("flashsale.reserve"), "{calls}");
}

#[test]
fn headers_without_end_are_refused() {
    let redis = sale("STOCK 9");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway).with("x-long", &"x".repeat(100_000));
    assert_eq!(ann.get("/sale").status, 431);
}

#[test]
fn a_name_that_is_not_on_sale_takes_no_turn_of_a_batch() {
    let redis = sale("ITEMS 1 red 9 USERLIMIT 9");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    for made_up in 0..5 {
        let reply = ann.reserve("a1", &format!(r#"{{"x{made_up}": 1}}"#));
        assert_eq!((reply.status, reply.answer()), (404, "NOSKU"));
    }
    assert_eq!(gateway.number("batches_total", "") as i64, 0);
    assert_eq!(ann.reserve("a1", r#"{"red": 1}"#).status, 201);
    assert_eq!(gateway.number("batches_total", "") as i64, 1);
}

/// An item of a sale that was made anew goes into batches as soon as a unit was reserved.
#[test]
fn a_name_that_comes_on_sale_later_is_learnt() {
    let redis = sale("ITEMS 1 red 9 USERLIMIT 9");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    redis.ask::<i64>("DEL shoes");
    redis.ask::<String>("FLASHSALE.CREATE shoes shoes:orders ITEMS 1 green 9 USERLIMIT 9");
    assert_eq!(ann.reserve("a1", r#"{"green": 1}"#).status, 201);
    assert_eq!(gateway.number("batches_total", "") as i64, 0);
    assert_eq!(ann.reserve("a2", r#"{"green": 1}"#).status, 201);
    assert_eq!(gateway.number("batches_total", "") as i64, 1);
}

#[test]
fn batches_become_as_small_as_the_server_wants_them() {
    let redis = sale("STOCK 1000");
    redis.ask::<String>("CONFIG SET flashsale.batch-max 4");
    let gateway = Gateway::start(&redis.url(), &[]);
    std::thread::scope(|scope| {
        scope.spawn(|| redis.stall(Duration::from_millis(700)));
        std::thread::sleep(Duration::from_millis(100));
        for buyer in 0..48 {
            let gateway = &gateway;
            scope.spawn(move || {
                let cookie = format!("flashsale_user={buyer:032x}");
                let ann = Buyer::nobody(gateway).with("cookie", &cookie);
                let reply = ann.reserve(&buyer.to_string(), r#"{"default": 1}"#);
                assert_eq!(reply.status, 201, "{reply:?}");
            });
        }
    });
}

/// A refusal by USERLIMIT asks for the buyer's reservations too, in what is left of the 2 s.
#[test]
fn a_buyer_who_is_asked_about_twice_waits_no_longer() {
    let redis = sale("STOCK 9 USERLIMIT 1");
    let proxy = Proxy::start(redis.port);
    let gateway = Gateway::start(&proxy.url(), &[]);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.reserve("a1", r#"{"default": 1}"#).status, 201);
    let reply = ann.reserve("a2", r#"{"default": 1}"#);
    assert_eq!(reply.body["reservations"], serde_json::json!(["a1"]));
    proxy.delay("MRESERVE", Duration::from_millis(900));
    proxy.delay("USER", Duration::from_secs(5));
    let begun = Instant::now();
    let reply = ann.reserve("a3", r#"{"default": 1}"#);
    assert_eq!((reply.status, reply.answer()), (409, "USERLIMIT"));
    assert_eq!(reply.body.get("reservations"), None);
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_600), "{took:?}");
}

/// Sends the beginning of a request, and returns what comes before the end of the connection.
fn begin(gateway: &Gateway, text: &str) -> String {
    let mut stream = TcpStream::connect(gateway.place).expect("a connection");
    let within = Some(Duration::from_secs(20));
    stream.set_read_timeout(within).expect("a time-out");
    stream.write_all(text.as_bytes()).expect("a request");
    let mut answer = String::new();
    let end = stream.read_to_string(&mut answer);
    assert!(end.is_ok(), "{text:?} is still waited for: {answer:?}");
    answer
}

#[test]
fn a_request_that_never_ends_is_ended() {
    let redis = sale("STOCK 9");
    let gateway = Gateway::start(&redis.url(), &[]);
    let body = "POST /reservations HTTP/1.1\r\nhost: x\r\nidempotency-key: a\r\n\
        content-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for text in ["", "POST /", "GET /sale HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let gateway = &gateway;
            scope.spawn(move || begin(gateway, text));
        }
        let answer = begin(&gateway, body);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("\"SLOW\""), "{answer}");
    });
    assert!(begun.elapsed() > Duration::from_secs(5));
}
