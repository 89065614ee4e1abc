//! **Goal**: a refusal breaks no WATCH and invalidates no client cache; a change does
//! both, and so does expiry, for whichever read had been tracked.
//!
//! **Method**: WATCH with a second connection that is refused, or changes something,
//! in between; connections with CLIENT TRACKING in each of its modes, by RESP3 pushes and
//! by redirection, that count what they are told.

use redis::{PushKind, Value};

use crate::support::{Con, Server};

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
    crate::support::wait_until("it expired", || other.stock("sale") == "[default 8 1 0 0]");
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

/// Every read, of a sale with the reservation r1 of alice.
const READS: [&str; 7] = [
    "FLASHSALE.STOCK sale",
    "FLASHSALE.GET sale r1",
    "FLASHSALE.USER sale alice",
    "FLASHSALE.INFO sale",
    "FLASHSALE.SCAN sale 0",
    "FLASHSALE.UNITS sale default 0",
    "FLASHSALE.AUDIT sale",
];

#[test]
fn every_read_is_tracked_and_a_change_is_told_once() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    let mut tracker = server.conn3();
    tracker.says("CLIENT TRACKING ON", "OK");
    for read in READS {
        tracker.run(read);
        con.says("FLASHSALE.RESERVE sale bob 99", "SOLDOUT ...");
        assert_eq!(invalidations(&mut tracker), 0, "{read}");
        con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
        assert_eq!(invalidations(&mut tracker), 1, "{read}");
        // Told once, and not again before it is read again.
        con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
        assert_eq!(invalidations(&mut tracker), 0, "{read}");
    }
}

#[test]
fn expiry_is_told_to_whoever_read_before_it() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    let mut trackers = READS.map(|_| server.conn3());
    for tracker in &mut trackers {
        tracker.says("CLIENT TRACKING ON", "OK");
    }
    con.says("FLASHSALE.RESERVE sale bob 1 HOLD 700", "RESERVED ...");
    for (tracker, read) in trackers.iter_mut().zip(READS) {
        tracker.run(read);
        assert_eq!(invalidations(tracker), 0, "{read}");
    }
    crate::support::wait_until("it expired", || con.stock("sale") == "[default 8 1 0 0]");
    for (tracker, read) in trackers.iter_mut().zip(READS) {
        assert_eq!(invalidations(tracker), 1, "{read}");
    }
}

#[test]
fn a_client_that_follows_a_prefix_is_told_of_changes_alone() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    let mut tracker = server.conn3();
    tracker.says("CLIENT TRACKING ON BCAST PREFIX sal PREFIX ord", "OK");
    for line in REFUSED {
        con.run(line);
        assert_eq!(invalidations(&mut tracker), 0, "{line}");
    }
    for line in CHANGES {
        con.run(line);
        // An order is a change of two keys, in one message for each prefix.
        let keys = 1 + usize::from(line.contains("CHECKOUT") || line.contains("BUY"));
        assert_eq!(invalidations(&mut tracker), keys, "{line}");
    }
    con.says("FLASHSALE.RESUME sale", "OK");
    assert_eq!(invalidations(&mut tracker), 1);
    con.says("FLASHSALE.RESERVE sale bob 1 HOLD 1", "RESERVED ...");
    crate::support::wait_until("it expired", || con.stock("sale").contains(" 0 2 0]"));
    assert!((1..=2).contains(&invalidations(&mut tracker)));
}

#[test]
fn a_client_that_opts_in_or_out_is_told_of_what_it_chose() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    for (mode, choice, is_tracked) in [("OPTIN", "YES", true), ("OPTOUT", "NO", false)] {
        let mut tracker = server.conn3();
        tracker.says(&format!("CLIENT TRACKING ON {mode}"), "OK");
        tracker.run("FLASHSALE.STOCK sale");
        con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
        assert_eq!(
            invalidations(&mut tracker),
            usize::from(!is_tracked),
            "{mode}"
        );
        tracker.says(&format!("CLIENT CACHING {choice}"), "OK");
        tracker.run("FLASHSALE.STOCK sale");
        con.says("FLASHSALE.RESERVE sale bob 100", "SOLDOUT ...");
        assert_eq!(invalidations(&mut tracker), 0, "{mode}");
        con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
        assert_eq!(
            invalidations(&mut tracker),
            usize::from(is_tracked),
            "{mode}"
        );
    }
}

#[test]
fn invalidations_are_sent_on_to_another_connection() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    let mut listener = server.conn();
    let id = listener.int("CLIENT ID");
    listener.send("SUBSCRIBE __redis__:invalidate");
    listener.receive();
    let mut tracker = server.conn();
    tracker.says(&format!("CLIENT TRACKING ON REDIRECT {id}"), "OK");
    tracker.says("FLASHSALE.STOCK sale", "[default 8 1 0 0]");
    for line in REFUSED {
        con.run(line);
    }
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD ...");
    // The first message is about the change: no refusal before it sent one.
    let message = crate::support::render(&listener.receive());
    assert_eq!(message, "message __redis__:invalidate [sale]");
    con.int("PUBLISH __redis__:invalidate mark");
    let message = crate::support::render(&listener.receive());
    assert_eq!(message, "message __redis__:invalidate mark");
}

#[test]
fn a_client_is_not_told_of_its_own_changes_if_it_says_so() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    let mut tracker = server.conn3();
    tracker.says("CLIENT TRACKING ON NOLOOP", "OK");
    tracker.run("FLASHSALE.STOCK sale");
    tracker.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    assert_eq!(invalidations(&mut tracker), 0);
    tracker.run("FLASHSALE.STOCK sale");
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    assert_eq!(invalidations(&mut tracker), 1);
}

#[test]
fn a_watch_is_broken_by_whatever_changes_the_sale_and_by_nothing_else() {
    let server = Server::any();
    let (mut con, mut other) = (server.conn(), server.conn());
    create(&mut con);
    let replays = [
        "FLASHSALE.GET sale r1",
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        "FLASHSALE.RESERVE sale bob 1 ID r1",
        "FLASHSALE.BIND sale orders",
        "FLASHSALE.ALTER sale USERLIMIT 0",
        "FLASHSALE.APPLY sale x",
        "FLASHSALE.CREATE sale orders STOCK 1",
        "COPY sale copy",
    ];
    for line in replays {
        let executed = exec_after(&mut con, &mut other, "sale orders", line);
        assert_eq!(executed, "+PONG", "{line}");
    }
    for line in [
        "FLASHSALE.RELEASE sale never-seen",
        "EVAL 'return redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"bob\", 1)' 1 sale",
        "FLASHSALE.BIND sale others",
        "FLASHSALE.CLOSE sale",
        "DEL sale",
        "FLASHSALE.CREATE sale orders STOCK 1",
    ] {
        let executed = exec_after(&mut con, &mut other, "sale", line);
        assert_eq!(executed, "(nil)", "{line}");
    }
}
