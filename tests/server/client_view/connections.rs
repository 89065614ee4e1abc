//! What a connection is set to: its protocol, whether it wants replies, what it touches,
//! who looks on, and what it does in one transaction.

use redis::Value;

use super::sale;
use crate::support::{Con, Feed, Server, render, wait_until};

/// The commands that answer a map, on a sale of [`sale`].
const MAPS: [&str; 3] = [
    "FLASHSALE.GET sale:1 r1",
    "FLASHSALE.USER sale:1 alice",
    "FLASHSALE.INFO sale:1",
];

#[track_caller]
fn answers_maps(con: &mut Con, as_maps: bool) -> Vec<Vec<String>> {
    let mut names = Vec::new();
    for line in MAPS {
        let reply = con.run(line);
        assert_eq!(
            matches!(reply, Value::Map(_)),
            as_maps,
            "{line}: {}",
            render(&reply)
        );
        let map = con.map(line);
        names.push(map.into_iter().map(|(name, _)| name).collect());
    }
    names
}

#[test]
fn a_connection_may_change_its_protocol_at_any_time() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let names = answers_maps(&mut con, false);
    for _ in 0..2 {
        con.run("HELLO 3");
        assert_eq!(answers_maps(&mut con, true), names);
        con.says("FLASHSALE.GET sale:1 nosuch", "(nil)");
        // In a transaction each reply is as it would be outside.
        con.says("MULTI", "OK");
        for line in MAPS {
            con.says(line, "+QUEUED");
        }
        let Value::Array(replies) = con.run("EXEC") else {
            panic!("no array");
        };
        assert!(replies.iter().all(|reply| matches!(reply, Value::Map(_))));
        con.run("HELLO 2");
        assert_eq!(answers_maps(&mut con, false), names);
    }
}

#[test]
fn a_reset_takes_back_protocol_transaction_watch_and_tracking() {
    let server = Server::any();
    let (mut con, mut other) = (server.conn(), server.conn());
    sale(&mut other);
    con.run("HELLO 3");
    con.says("CLIENT TRACKING ON", "OK");
    con.run("FLASHSALE.STOCK sale:1");
    con.says("WATCH sale:1", "OK");
    con.says("MULTI", "OK");
    con.says("FLASHSALE.CLOSE sale:1", "+QUEUED");
    con.says("RESET", "+RESET");
    other.says("FLASHSALE.RESTOCK sale:1 1", "RESTOCKED ...");
    // No push comes in between, nothing was closed, and the protocol is RESP2.
    answers_maps(&mut con, false);
    con.fields("FLASHSALE.INFO sale:1", "state open");
    con.says("MULTI", "OK");
    con.says("FLASHSALE.RESERVE sale:1 bob 1 ID b1", "+QUEUED");
    con.says("EXEC", "[RESERVED b1 * 98 49]");
}

#[test]
fn a_connection_that_wants_no_replies_still_does_its_work() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.send("CLIENT REPLY OFF");
    for line in [
        "FLASHSALE.RESERVE sale:1 bob 1 ID b1",
        "FLASHSALE.CHECKOUT sale:1 orders:1 b1",
        "FLASHSALE.RESERVE sale:1 bob 100",
        "FLASHSALE.RESERVE sale:1 bob none",
        "FLASHSALE.GET sale:1 b1",
        "FLASHSALE.STOCK sale:1",
    ] {
        con.send(line);
    }
    con.says("CLIENT REPLY ON", "OK");
    con.says("FLASHSALE.STOCK sale:1", "[default 97 2 1 0]");
    con.send("CLIENT REPLY SKIP");
    con.send("FLASHSALE.INFO sale:1");
    con.says("FLASHSALE.RELEASE sale:1 r1", "RELEASED r1");
}

#[test]
fn whoever_monitors_sees_the_requests_and_not_what_is_replicated() {
    let server = Server::any();
    let (mut con, mut monitor) = (server.conn(), server.conn());
    monitor.send("MONITOR");
    assert_eq!(render(&monitor.receive()), "OK");
    sale(&mut con);
    con.says(
        "FLASHSALE.BUY sale:1 orders:1 bob 1 ID b1 REF charge-7",
        "SOLD ...",
    );
    con.run("EVAL 'return redis.call(\"FLASHSALE.STOCK\", KEYS[1])' 1 sale:1");
    con.says("ECHO end", "end");
    let mut seen = Vec::new();
    loop {
        let line = render(&monitor.receive());
        if line.contains("\"ECHO\" \"end\"") {
            break;
        }
        if let Some(at) = line.find("] \"FLASHSALE.") {
            let source = if line.contains(" lua]") { "lua " } else { "" };
            seen.push(format!("{source}{}", line[at + 2..].replace('"', "")));
        }
    }
    let expected = [
        "FLASHSALE.CREATE sale:1 orders:1 STOCK 100 USERLIMIT 50",
        "FLASHSALE.RESERVE sale:1 alice 2 ID r1",
        "FLASHSALE.BUY sale:1 orders:1 bob 1 ID b1 REF charge-7",
        "lua FLASHSALE.STOCK sale:1",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_client_that_is_not_evicted_or_does_not_touch_is_served_like_any_other() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let mut quiet = server.conn();
    quiet.says("CLIENT NO-EVICT on", "OK");
    quiet.says("FLASHSALE.RESERVE sale:1 bob 1 ID b1", "RESERVED ...");
    if quiet.show("CLIENT NO-TOUCH on") != "OK" {
        return; // Redis 7.2 brought it.
    }
    wait_until("the sale has been idle", || {
        con.int("OBJECT IDLETIME sale:1") >= 1
    });
    for line in MAPS {
        quiet.run(line);
    }
    quiet.says("FLASHSALE.STOCK sale:1", "[default 97 3 0 0]");
    assert!(con.int("OBJECT IDLETIME sale:1") >= 1);
    quiet.says("CLIENT NO-TOUCH off", "OK");
    quiet.says("FLASHSALE.STOCK sale:1", "[default 97 3 0 0]");
    wait_until("a read touched it", || {
        quiet.stock("sale:1");
        con.int("OBJECT IDLETIME sale:1") == 0
    });
}

#[test]
fn a_sale_may_live_its_whole_life_in_one_transaction() {
    let server = Server::any();
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    for _ in 0..2 {
        con.says("MULTI", "OK");
        for line in [
            "FLASHSALE.CREATE sale orders STOCK 3",
            "FLASHSALE.RESERVE sale ann 2 ID a1",
            "FLASHSALE.CHECKOUT sale orders a1",
            "FLASHSALE.RESERVE sale bob 2 ID b1",
            "FLASHSALE.CREATE sale orders STOCK 3",
            "FLASHSALE.BUY sale orders bob 1 ID b1",
            "FLASHSALE.STOCK sale",
            "DEL sale orders",
            "FLASHSALE.STOCK sale",
        ] {
            con.says(line, "+QUEUED");
        }
        con.says(
            "EXEC",
            "OK [RESERVED a1 * 1 -1] [SOLD a1 (entry)] [SOLDOUT 1 default] (error) ...",
        );
    }
    con.says("EXISTS sale orders", "0");
    let one = [
        "MULTI",
        "FLASHSALE.APPLY sale",
        "FLASHSALE.APPLY sale",
        "FLASHSALE.APPLY sale orders",
        "FLASHSALE.APPLY sale orders",
        "DEL",
        "EXEC",
    ];
    assert_eq!(feed.short(), [one, one].concat());
    assert_eq!(con.info("flashsale", "flashsale_sales"), "0");
    assert_eq!(con.info("flashsale", "flashsale_reservations_open"), "0");
}
