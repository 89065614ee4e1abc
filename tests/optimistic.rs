//! **Goal**: a refusal breaks no WATCH and invalidates no client cache; a change does
//! both.
//!
//! **Method**: WATCH with a second connection that is refused, or changes something,
//! in between; a RESP3 connection with CLIENT TRACKING that counts the pushes it gets.

mod support;

use redis::{PushKind, Value};
use support::{Con, Server};

const REFUSED: [&str; 8] = [
    "FLASHSALE.RESERVE sale bob 100",
    "FLASHSALE.RESERVE sale alice 1 ID r1",
    "FLASHSALE.RESERVE sale alice none",
    "FLASHSALE.CHECKOUT sale orders nosuch",
    "FLASHSALE.BUY sale orders bob 100",
    "FLASHSALE.EXTEND sale nosuch 1",
    "FLASHSALE.RESTOCK sale -100",
    "FLASHSALE.RESUME sale",
];

const CHANGES: [&str; 8] = [
    "FLASHSALE.RESERVE sale alice 1 ID r2",
    "FLASHSALE.CHECKOUT sale orders r2",
    "FLASHSALE.BUY sale orders alice 1",
    "FLASHSALE.EXTEND sale r1 900000",
    "FLASHSALE.RELEASE sale r1",
    "FLASHSALE.RESTOCK sale 1",
    "FLASHSALE.ALTER sale ORDERLIMIT 5",
    "FLASHSALE.PAUSE sale",
];

fn create(con: &mut Con) {
    con.says("FLASHSALE.CREATE sale orders STOCK 9 MAXHOLD 9000000", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
}

/// WATCH, `line` by somebody else, EXEC.
fn exec_after(con: &mut Con, other: &mut Con, watched: &str, line: &str) -> String {
    con.says(&format!("WATCH {watched}"), "OK");
    other.run(line);
    con.says("MULTI", "OK");
    con.run("PING");
    con.show("EXEC")
}

#[test]
fn a_refusal_breaks_no_watch_and_a_change_does() {
    let server = Server::any();
    let (mut con, mut other) = (server.conn(), server.conn());
    create(&mut con);
    for line in REFUSED {
        assert_eq!(
            exec_after(&mut con, &mut other, "sale orders", line),
            "+PONG",
            "{line}"
        );
    }
    for line in CHANGES {
        assert_eq!(
            exec_after(&mut con, &mut other, "sale", line),
            "(nil)",
            "{line}"
        );
    }
}

#[test]
fn an_order_breaks_a_watch_of_the_stream_too() {
    let server = Server::any();
    let (mut con, mut other) = (server.conn(), server.conn());
    create(&mut con);
    for line in [
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.REFUND sale orders r1",
    ] {
        assert_eq!(
            exec_after(&mut con, &mut other, "orders", line),
            "(nil)",
            "{line}"
        );
    }
    let line = "FLASHSALE.RESERVE sale alice 1";
    assert_eq!(
        exec_after(&mut con, &mut other, "orders", line),
        "+PONG",
        "{line}"
    );
}

#[test]
fn expiry_breaks_a_watch() {
    let server = Server::any();
    let (mut con, mut other) = (server.conn(), server.conn());
    create(&mut con);
    con.says("FLASHSALE.RESERVE sale alice 1 HOLD 40", "RESERVED ...");
    con.says("WATCH sale", "OK");
    support::wait_until("it expired", || other.stock("sale") == "[default 8 1 0]");
    con.says("MULTI", "OK");
    con.run("PING");
    con.says("EXEC", "(nil)");
}

/// Invalidations that arrived before the answer to a PING.
fn invalidations(tracker: &mut Con) -> usize {
    tracker.send("PING");
    let mut count = 0;
    loop {
        match tracker.receive() {
            Value::Push {
                kind: PushKind::Invalidate,
                ..
            } => count += 1,
            Value::SimpleString(text) if text == "PONG" => return count,
            other => panic!("unexpected: {other:?}"),
        }
    }
}

#[test]
fn a_refusal_invalidates_no_client_cache_and_a_change_does() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    let mut tracker = server.conn3();
    tracker.says("CLIENT TRACKING ON", "OK");
    let read = "FLASHSALE.STOCK sale";
    tracker.run(read);
    for line in REFUSED {
        con.run(line);
        assert_eq!(invalidations(&mut tracker), 0, "{line}");
    }
    for line in CHANGES {
        tracker.run(read);
        con.run(line);
        assert_eq!(invalidations(&mut tracker), 1, "{line}");
    }
}
