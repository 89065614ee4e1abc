//! How it starts and ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::{Redis, signal};
use crate::gateway::{Buyer, Gateway, run, sale};

#[track_caller]
fn ends(arguments: &[&str], code: i32, says: &str) {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{says} in {text}");
    if code == 3 {
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn says_in_one_line_why_it_cannot_start() {
    let redis = sale("STOCK 1");
    let url = redis.url();
    let shoes = [
        "--redis",
        &url,
        "--sale",
        "shoes",
        "--orders",
        "shoes:orders",
    ];
    ends(
        &["--redis", &url, "--sale", "shoes"],
        2,
        "--orders <STREAM>",
    );
    ends(&["--sale", "s", "--orders", "o"], 2, "give --redis URL");
    ends(
        &[&shoes[..5], &["other:orders"]].concat(),
        3,
        "its orders go to shoes:orders",
    );
    ends(
        &["--redis", &url, "--sale", "hats", "--orders", "o"],
        3,
        "NOSALE",
    );
    ends(
        &[&shoes[..], &["--listen", "nowhere"]].concat(),
        3,
        "--listen nowhere",
    );
    let nobody = format!("redis://127.0.0.1:{}", crate::common::free_port());
    ends(&[&["--redis", &nobody], &shoes[2..]].concat(), 3, "Redis: ");
    let bare = Redis::start(&[]);
    let says = "does not know FLASHSALE.MRESERVE: load the module flashsale, 0.2.0 or later";
    ends(&[&["--redis", &bare.url()], &shoes[2..]].concat(), 3, says);
    let password = "redis://:topsecret@127.0.0.1:1";
    let output = run(&[&["--redis", password], &shoes[2..]].concat());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("topsecret"));
}

#[test]
fn finishes_what_is_in_hand() {
    let redis = sale("STOCK 10");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.reserve("a1", r#"{"default": 1}"#).status, 201);
    let pid = gateway.pid();
    std::thread::scope(|scope| {
        scope.spawn(|| redis.stall(Duration::from_millis(600)));
        std::thread::sleep(Duration::from_millis(100));
        let answer = scope.spawn(|| ann.reserve("a2", r#"{"default": 1}"#));
        std::thread::sleep(Duration::from_millis(150));
        signal(pid, "TERM");
        assert_eq!(answer.join().expect("an answer").status, 201);
    });
    let begin = Instant::now();
    let (status, log) = gateway.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    assert!(log.contains("stopping: answering what is in hand"), "{log}");
}

#[test]
fn metrics_have_a_place_of_their_own_on_request() {
    let redis = sale("STOCK 10");
    let place = format!("127.0.0.1:{}", crate::common::free_port());
    let gateway = Gateway::start(&redis.url(), &["--metrics", &place, "--log", "json"]);
    assert_eq!(Buyer::nobody(&gateway).get("/metrics").status, 404);
    let mut stream = TcpStream::connect(&place).expect("a connection");
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        .expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.contains("flashsale_serve_batches_total 0"), "{text}");
    assert!(
        gateway.log().starts_with("{\"timestamp\":"),
        "{}",
        gateway.log()
    );
}
