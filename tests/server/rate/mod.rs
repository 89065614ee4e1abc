//! **Goal**: THROTTLE answers as the contract says, counts nothing it refuses, keeps no more
//! subjects than it may, and is there for a login also when clocks step and memory is short.
//!
//! **Method**: calls whose numbers do not depend on how fast the test is: of rates of hours.
//! Copies are compared by their digests (`copies.rs`), the replication stream is read as a
//! replica receives it (`stream.rs`), clocks are set while servers run (`clock.rs`). The exact
//! moments are the engine's to prove.

mod clock;
mod copies;
mod stream;

use crate::support::{Con, Feed, Server, render, send_all};

/// Of `con`, what INFO says about limits: how many, their subjects, their bytes.
fn gauges(con: &mut Con) -> [u64; 3] {
    ["limits", "limit_subjects", "limit_bytes"].map(|name| {
        let value = con.info("flashsale", &format!("flashsale_{name}"));
        value.parse().expect("a number")
    })
}

#[test]
fn calls_pass_as_the_rate_says_and_a_refusal_consumes_nothing() {
    let server = Server::any();
    for mut con in [server.conn(), server.conn3()] {
        con.run("DEL login");
        // 1200 s a call, all of which are back after an hour.
        let line = "FLASHSALE.THROTTLE login ann 3 3600000";
        let mut asks = |more: &str, pattern: &str| con.says(&format!("{line}{more}"), pattern);
        asks(" COST 0", "ALLOWED 3 3 0 0");
        asks("", "ALLOWED 3 2 0 1200000");
        asks("", "ALLOWED 3 1 0 <=2400000");
        asks("", "ALLOWED 3 0 0 <=3600000");
        for _ in 0..50 {
            asks("", "THROTTLED 3 0 <=1200000 <=3600000");
            asks(" COST 0", "THROTTLED 3 0 <=1200000 <=3600000");
        }
        asks(" COST 3", "THROTTLED 3 0 <=3600000 <=3600000");
        // Another burst is another limit of the same subject, at once.
        asks(" BURST 4", "ALLOWED 4 0 0 <=4800000");
        asks(" BURST 1 COST 1", "THROTTLED 1 0 <=1200000 <=1200000");
        // Another subject, of any bytes, has nothing to do with it.
        for subject in ["bob", "203.0.113.9", "01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            let line = format!("FLASHSALE.THROTTLE login {subject} 3 3600000 COST 3");
            con.says(&line, "ALLOWED 3 0 0 3600000");
            con.says(&line, "THROTTLED 3 0 <=3600000 <=3600000");
        }
        let long = [b'\xff'; 255];
        let words: [&[u8]; 5] = [b"FLASHSALE.THROTTLE", b"login", &long, b"1", b"60000"];
        assert!(render(&con.run_words(&words)).starts_with("ALLOWED 1 0 0 60000"));
        assert!(render(&con.run_words(&words)).starts_with("THROTTLED 1 0 "));
        // All of them anew.
        con.says("DEL login", "1");
        con.says(line, "ALLOWED 3 2 0 1200000");
    }
}

#[test]
fn a_rate_of_thousands_a_second_is_kept() {
    let server = Server::any();
    let mut con = server.conn();
    let before = con.now_ms();
    let lines = (0..30_000).map(|_| "FLASHSALE.THROTTLE k ann 6000 1000 BURST 2".to_owned());
    let counts = send_all(&mut con, lines);
    let took_ms = con.now_ms() - before + 1;
    let allowed = counts["ALLOWED"];
    assert_eq!(allowed + counts["THROTTLED"], 30_000);
    assert!(allowed <= 2 + 6 * took_ms, "{allowed} in {took_ms} ms");
    assert!(allowed > 2, "time stood still");
}

#[test]
fn the_first_call_makes_the_key_and_asking_makes_none() {
    let server = Server::any();
    let mut con = server.conn();
    con.refuses(
        "FLASHSALE.THROTTLE login ann 3 60000 COST 0",
        "ALLOWED 3 3 0 0",
    );
    con.says("EXISTS login", "0");
    assert_eq!(gauges(&mut con)[..2], [0, 0]);
    con.says("FLASHSALE.THROTTLE login ann 3 60000", "ALLOWED ...");
    con.says("FLASHSALE.THROTTLE login bob 3 60000", "ALLOWED ...");
    con.says("FLASHSALE.THROTTLE api bob 3 60000", "ALLOWED ...");
    con.says("TYPE login", "+fls-limit");
    con.says("SCAN 0 COUNT 1000 TYPE fls-limit", "\"0\" [* *]");
    let [limits, subjects, bytes] = gauges(&mut con);
    assert_eq!((limits, subjects), (2, 3));
    assert!((300..3_000).contains(&bytes), "{bytes}");
    assert!(con.int("MEMORY USAGE login") > 100);
    // With three and more calls at once on the way.
    con.says("DEL login", "1");
    con.says("UNLINK api", "1");
    assert_eq!(gauges(&mut con), [0, 0, 0]);
}

#[test]
fn what_makes_no_sense_is_an_error_and_changes_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    let reply = con.show("FLASHSALE.THROTTLE login ann 3");
    assert!(reply.contains("wrong number of arguments"), "{reply}");
    for existing in [false, true] {
        if existing {
            con.says("FLASHSALE.THROTTLE login ann 3 60000", "ALLOWED ...");
        }
        for (words, part) in [
            ("ann 3 60000 COST 4", "COST: 4 is above the BURST of 3"),
            ("ann 3 60000 BURST 2 COST 3", "COST: 3 is above"),
            ("ann 1000001 1", "count: above 1000000 a millisecond"),
            ("ann 1 31536000001", "ms: above 31536000000, a year"),
            ("ann 1 31536000000 BURST 2", "more than a year"),
            ("ann 0 60000", "count: '0'"),
            ("ann 3 0", "ms: '0'"),
            ("ann 3 1.5", "ms: '1.5'"),
            ("ann 3 60000 BURST 0", "BURST: '0'"),
            ("ann 3 60000 COST -1", "COST: '-1'"),
            ("ann 3 60000 COST", "COST: its value is missing"),
            ("ann 3 60000 LIMIT 1", "unknown option 'LIMIT'"),
        ] {
            con.fails(&format!("FLASHSALE.THROTTLE login {words}"), "ERR", part);
        }
    }
    con.says("SET text x", "OK");
    let line = "FLASHSALE.THROTTLE text ann 3 60000";
    con.fails(
        line,
        "WRONGTYPE",
        "'text' holds a value other than a rate limit",
    );
    con.says("FLASHSALE.BFADD filter a", "1");
    con.fails("FLASHSALE.THROTTLE filter ann 3 60000", "WRONGTYPE", "");
    con.fails("FLASHSALE.BFADD login a", "WRONGTYPE", "");
    con.fails("FLASHSALE.STOCK login", "WRONGTYPE", "other than a sale");
    con.fails("FLASHSALE.RATEAPPLY login x", "ERR", "internal");
    con.fails("FLASHSALE.RATELOAD login x", "ERR", "internal");
    assert!(con.show("COPY login other").contains("(error)"));
    con.says("EXISTS other", "0");
}

#[test]
fn outcomes_are_counted() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    for pattern in ["ALLOWED ...", "THROTTLED ...", "THROTTLED ..."] {
        con.says("FLASHSALE.THROTTLE login ann 1 60000", pattern);
    }
    con.says("FLASHSALE.THROTTLE login bob 1 60000 COST 0", "ALLOWED ...");
    let counted = |con: &mut Con, name: &str| con.info("flashsale", &format!("flashsale_{name}"));
    assert_eq!(counted(&mut con, "outcome_allowed"), "2");
    assert_eq!(counted(&mut con, "outcome_throttled"), "2");
}

#[test]
fn beyond_max_subjects_the_idlest_gives_way_and_nobody_else() {
    let Some(server) = Server::own(&[], &["max-subjects 100"]) else {
        return;
    };
    let mut con = server.conn();
    let call = |name: &str| format!("FLASHSALE.THROTTLE login {name} 1 3600000");
    let counts = send_all(&mut con, (0..100).map(|at| call(&format!("u{at}"))));
    assert_eq!(counts["ALLOWED"], 100);
    assert_eq!(gauges(&mut con)[1], 100);
    let counts = send_all(&mut con, (0..50).map(|at| call(&format!("v{at}"))));
    assert_eq!(counts["ALLOWED"], 50);
    assert_eq!(gauges(&mut con)[1], 100);
    // Fifty got a fresh burst, and no more: those who asked last are all known.
    let known = |name: String| format!("FLASHSALE.THROTTLE login {name} 1 3600000 COST 0");
    let counts = send_all(&mut con, (0..100).map(|at| known(format!("u{at}"))));
    assert_eq!(counts["ALLOWED"], 50);
    // The bound is changed while the server runs, both ways.
    con.says("CONFIG SET flashsale.max-subjects 120", "OK");
    send_all(&mut con, (0..50).map(|at| call(&format!("w{at}"))));
    assert_eq!(gauges(&mut con)[1], 120);
    con.says("CONFIG SET flashsale.max-subjects 10", "OK");
    send_all(&mut con, (0..50).map(|at| call(&format!("x{at}"))));
    assert_eq!(gauges(&mut con)[1], 120);
}

#[test]
fn at_maxmemory_known_subjects_are_served_and_new_ones_are_not() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.THROTTLE login ann 2 3600000", "ALLOWED 2 1 ...");
    con.says("CONFIG SET maxmemory 1", "OK");
    let new = "FLASHSALE.THROTTLE login bob 2 3600000";
    con.fails(new, "OOM", "maxmemory");
    con.fails("FLASHSALE.THROTTLE other ann 2 3600000", "OOM", "maxmemory");
    con.refuses(&format!("{new} COST 0"), "ALLOWED 2 2 0 0");
    con.says("FLASHSALE.THROTTLE login ann 2 3600000", "ALLOWED 2 0 ...");
    con.refuses(
        "FLASHSALE.THROTTLE login ann 2 3600000",
        "THROTTLED 2 0 <=1800000 <=3600000",
    );
    con.says("CONFIG SET maxmemory 0", "OK");
    con.says(new, "ALLOWED 2 1 ...");
}

#[test]
fn a_script_and_a_transaction_are_limited_like_anybody() {
    let server = Server::any();
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    let script = "'return redis.call(\"FLASHSALE.THROTTLE\", KEYS[1], ARGV[1], 1, 3600000)'";
    let line = format!("EVAL {script} 1 login ann");
    con.says(&line, "ALLOWED 1 0 0 3600000");
    con.says(&line, "THROTTLED 1 0 <=3600000 <=3600000");
    con.says("MULTI", "OK");
    con.run("FLASHSALE.THROTTLE login bob 1 3600000");
    con.run("FLASHSALE.THROTTLE login bob 1 3600000");
    con.says(
        "EXEC",
        "[ALLOWED 1 0 0 3600000] [THROTTLED 1 0 <=3600000 <=3600000]",
    );
    let sent = feed.commands();
    let is_event = |words: &&Vec<Vec<u8>>| words[0] == b"FLASHSALE.RATEAPPLY";
    assert_eq!(sent.iter().filter(is_event).count(), 2);
}
