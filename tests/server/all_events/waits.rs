//! What becomes of entries while their stream takes none.

use super::{create, entries, has_seqs_that_ascend, wait_until_written, waiting, words};
use crate::support::{Con, Server, wait_until};

/// Makes the key of the stream one that takes no entry.
fn take_away_the_stream(con: &mut Con) {
    con.says("SET orders mine", "OK");
}

/// Waits until the timer has surely looked, and left the entries where they are.
#[track_caller]
fn stays_waiting(con: &mut Con, entries: &str) {
    let until = con.now_ms() + 250;
    wait_until("the timer has looked", || con.now_ms() > until);
    assert_eq!(waiting(con), entries);
}

#[test]
fn a_stream_that_does_not_exist_is_made() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    for round in 1..=3 {
        con.says("FLASHSALE.RESERVE sale ann 1", "RESERVED ...");
        wait_until_written(&mut con);
        assert_eq!(words(&mut con, "orders"), ["reserved"]);
        let lost = con.show("FLASHSALE.AUDIT sale orders");
        assert_eq!(
            lost.contains("was lost and begun anew"),
            round > 1,
            "{lost}"
        );
        con.says("DEL orders", "1");
    }
}

#[test]
fn a_key_of_another_type_is_waited_for() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    take_away_the_stream(&mut con);
    con.says("FLASHSALE.RESERVE sale ann 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    stays_waiting(&mut con, "2");
    con.says("FLASHSALE.RESERVE sale ann 1 ID r2", "RESERVED ...");
    con.fails("FLASHSALE.CHECKOUT sale orders r2", "WRONGTYPE", "orders");
    assert_eq!(con.info("flashsale", "flashsale_events_waiting"), "3");
    wait_until("DOCTOR says why", || {
        con.show("FLASHSALE.DOCTOR")
            .contains("because the key of the stream holds another type")
    });
    let waited = con.info("flashsale", "flashsale_events_waiting_ms");
    assert!(waited.parse::<u64>().expect("a number") > 1_000);
    con.says("DEL orders", "1");
    wait_until_written(&mut con);
    assert_eq!(
        words(&mut con, "orders"),
        ["reserved", "released", "reserved"]
    );
    has_seqs_that_ascend(&entries(&mut con, "orders"));
    for gauge in ["events_waiting", "events_waiting_ms"] {
        assert_eq!(con.info("flashsale", &format!("flashsale_{gauge}")), "0");
    }
    assert!(!con.show("FLASHSALE.DOCTOR").contains("events-waiting"));
}

#[test]
fn a_stream_at_its_last_id_is_waited_for_and_another_one_may_be_bound() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.run("XADD orders 18446744073709551615-18446744073709551615 a b");
    con.says("FLASHSALE.RESERVE sale ann 1 ID r1", "RESERVED ...");
    stays_waiting(&mut con, "1");
    con.fails(
        "FLASHSALE.CHECKOUT sale orders r1",
        "ERR",
        "no further entry",
    );
    con.says("FLASHSALE.BIND sale others", "OK");
    wait_until_written(&mut con);
    assert_eq!(words(&mut con, "others"), ["reserved", "altered"]);
    con.says("FLASHSALE.CHECKOUT sale others r1", "SOLD ...");
}

/// The own entry of a command fails behind entries that were written: those are told.
#[test]
fn what_was_written_before_an_entry_that_failed_is_not_written_again() {
    let server = Server::any();
    let mut con = server.conn();
    let sell = [
        ("FLASHSALE.CHECKOUT sale orders r1", "(error)"),
        (
            "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 r1 p r2 p",
            "(error)",
        ),
        ("FLASHSALE.MBUY sale orders ENTRIES 1 eve 1 r9 p", "(error)"),
    ];
    for (line, said) in sell {
        con.run("DEL sale orders");
        create(&mut con, "STOCK 9");
        // There is room for three.
        con.run("XADD orders 18446744073709551615-18446744073709551612 a b");
        let reply = con.run_at_once(&[
            "MULTI",
            "FLASHSALE.RESERVE sale ann 1 ID r1",
            "FLASHSALE.RESERVE sale bob 1 ID r2",
            "FLASHSALE.RESERVE sale cyd 1 ID r3",
            line,
            "FLASHSALE.RESERVE sale dan 1 ID r4",
            "EXEC",
        ]);
        let reply = crate::support::render(&reply);
        assert!(reply.contains(said), "{line}: {reply}");
        stays_waiting(&mut con, "1");
        con.fields("FLASHSALE.INFO sale", "reserved 4, sold 0");
        con.says("FLASHSALE.BIND sale others", "OK");
        wait_until_written(&mut con);
        let mut all = entries(&mut con, "orders").split_off(1);
        all.extend(entries(&mut con, "others"));
        let ids: Vec<&str> = all.iter().map(|entry| entry.field("id")).collect();
        assert_eq!(ids, ["r1", "r2", "r3", "r4", ""], "{line}");
        has_seqs_that_ascend(&all);
        con.run("DEL others");
    }
}

#[test]
fn at_maxmemory_orders_are_written_and_everything_else_waits() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.RESERVE sale ann 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale ann 1 ID r2", "RESERVED ...");
    wait_until_written(&mut con);
    con.says("CONFIG SET maxmemory 1", "OK");
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    stays_waiting(&mut con, "1");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD ...");
    assert_eq!(waiting(&mut con), "1");
    assert_eq!(words(&mut con, "orders"), ["reserved", "reserved", "order"]);
    con.says("CONFIG SET maxmemory 0", "OK");
    wait_until_written(&mut con);
    assert_eq!(words(&mut con, "orders")[3..], ["released"]);
}

#[test]
fn while_writes_are_paused_entries_wait() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.run_at_once(&[
        "FLASHSALE.RESERVE sale ann 1 ID r1",
        "CLIENT PAUSE 60000 WRITE",
    ]);
    stays_waiting(&mut con, "1");
    con.says("EXISTS orders", "0");
    con.says("CLIENT UNPAUSE", "OK");
    wait_until_written(&mut con);
    assert_eq!(words(&mut con, "orders"), ["reserved"]);
}

/// Units that are overdue, and a buyer who wants one before the timer has looked.
fn buy_overdue(con: &mut Con, line: &str) -> String {
    let reply = con.run_at_once(&[
        "MULTI",
        "FLASHSALE.RESERVE sale ann 2 HOLD 1",
        "DEBUG SLEEP 0.02",
        line,
        "EXEC",
    ]);
    crate::support::render(&reply)
}

#[test]
fn behind_a_backlog_the_timer_alone_returns_what_is_overdue() {
    let server = Server::any();
    let mut con = server.conn();
    for (line, retry) in [
        ("FLASHSALE.RESERVE sale bob 1", "[ALLRESERVED 1]"),
        (
            "FLASHSALE.MRESERVE sale ENTRIES 1 bob 1 b",
            "[[ALLRESERVED 1]]",
        ),
    ] {
        con.run("DEL sale orders");
        create(&mut con, "STOCK 2");
        let reply = buy_overdue(&mut con, line);
        assert!(!reply.contains("ALLRESERVED"), "{line}: {reply}");
        con.run("DEL sale orders");
        create(&mut con, "STOCK 2");
        take_away_the_stream(&mut con);
        con.says("CONFIG SET flashsale.sweep-max 10", "OK");
        for id in 0..11 {
            con.says(
                &format!("FLASHSALE.RESERVE sale ann 1 ID {id}"),
                "RESERVED ...",
            );
            con.says(&format!("FLASHSALE.RELEASE sale {id}"), "RELEASED ...");
        }
        let reply = buy_overdue(&mut con, line);
        assert!(reply.ends_with(retry), "{line}: {reply}");
        wait_until("the timer has returned them", || {
            con.stock("sale") == "[default 2 0 0 0]"
        });
        con.says("CONFIG SET flashsale.sweep-max 1000", "OK");
    }
}

#[test]
fn above_the_bound_the_oldest_are_dropped_and_the_stream_says_how_many() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    create(&mut con, "STOCK 9000");
    con.says("CONFIG SET flashsale.events-max 1000", "OK");
    take_away_the_stream(&mut con);
    for id in 0..1_001 {
        con.says(
            &format!("FLASHSALE.RESERVE sale ann 1 ID r{id}"),
            "RESERVED ...",
        );
    }
    con.says("FLASHSALE.RESERVE sale ann 1 ID last", "RESERVED ...");
    // Before the last one 99% were left: 990, and one of these is the hole.
    wait_until("some were dropped", || {
        con.field("FLASHSALE.INFO sale", "events_lost") == "12"
    });
    assert_eq!(waiting(&mut con), "991");
    assert_eq!(con.info("flashsale", "flashsale_outcome_dropped"), "12");
    assert!(con.show("FLASHSALE.DOCTOR").contains("events-lost"));
    con.says("DEL orders", "1");
    wait_until_written(&mut con);
    let found = entries(&mut con, "orders");
    assert_eq!(found.len(), 991);
    has_seqs_that_ascend(&found);
    let hole = &found[0];
    assert_eq!(
        hole.words(),
        "event=lost sale=sale sale_id seq qty=12 at_ms ref="
    );
    assert_eq!(found[1].field("id"), "r12");
    con.fields("FLASHSALE.INFO sale", "events_lost 12");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

/// Without a command, by the timer: the bound was lowered.
#[test]
fn a_lower_bound_is_kept_without_a_command() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    create(&mut con, "STOCK 9000");
    take_away_the_stream(&mut con);
    let entries = (0..1_500).map(|n| format!("u{n} 1 r{n}"));
    let entries = entries.collect::<Vec<_>>().join(" ");
    con.says("CONFIG SET flashsale.batch-max 2000", "OK");
    con.run(&format!("FLASHSALE.MRESERVE sale ENTRIES 1500 {entries}"));
    assert_eq!(waiting(&mut con), "1500");
    con.says("CONFIG SET flashsale.events-max 1000", "OK");
    wait_until("it is kept", || waiting(&mut con) == "990");
    con.fields("FLASHSALE.INFO sale", "events_lost 511, reserved 1500");
}
