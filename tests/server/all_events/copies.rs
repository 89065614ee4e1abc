//! Every copy of a sale has the same entries, at the same IDs.

use std::collections::BTreeSet;

use super::{Entry, create, entries, wait_until_written, waiting, words};
use crate::support::workload::{self, play, settle};
use crate::support::{
    Dice, Feed, REPLICA_OF_NOBODY, Server, aof, replicate, wait_for_replica, wait_until,
};

#[test]
fn an_aof_makes_the_same_stream_long_after_all_deadlines() {
    for preamble in ["yes", "no"] {
        let args =
            format!("--appendonly yes --appendfsync always --aof-use-rdb-preamble {preamble}");
        let Some(mut server) = Server::own(&[&args], &[]) else {
            return;
        };
        let mut con = server.conn();
        workload::create(&mut con);
        let mut dice = Dice::seeded();
        play(&mut con, &mut dice, 400);
        aof::rewrite(&mut con);
        play(&mut con, &mut dice, 400);
        settle(&mut con);
        // What is about to expire when the server dies has expired when it is up again.
        con.says("FLASHSALE.RESTOCK sale ITEMS 1 a 9", "RESTOCKED ...");
        con.run("FLASHSALE.RESERVE sale zoe ITEMS 1 a 1 ID short HOLD 200");
        wait_until_written(&mut con);
        let (digest, stream) = (con.digest("sale orders"), entries(&mut con, "orders"));
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        wait_until("its deadline has passed", || {
            con.now_ms() > stream.last().expect("entries").number("at_ms") + 300
        });
        assert_eq!(entries(&mut con, "orders"), stream);
        assert_eq!(con.digest("sale orders"), digest);
        con.says("REPLICAOF NO ONE", "OK");
        wait_until("it expired", || {
            let last = entries(&mut con, "orders").pop().expect("entries");
            last.field("event") == "expired" && last.field("id") == "short"
        });
        con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    }
}

#[test]
fn what_waits_is_saved_loaded_and_promoted_and_written_where_it_is_then() {
    let (Some(mut primary), Some(replica)) = (
        Server::own(&["--appendonly yes --appendfsync always"], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    let mut con = primary.conn();
    create(&mut con, "STOCK 9 HOLD 60000");
    con.says("FLASHSALE.BUY sale orders ann 1 ID sold", "SOLD ...");
    con.says("RENAME orders kept", "OK");
    con.says("SET orders mine", "OK");
    for id in 0..5 {
        con.says(
            &format!("FLASHSALE.RESERVE sale ann 1 ID r{id}"),
            "RESERVED ...",
        );
    }
    con.says("FLASHSALE.RELEASE sale r0", "RELEASED r0");
    let digest = con.digest("sale");
    assert_eq!(waiting(&mut con), "6");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(
        (con.digest("sale"), waiting(&mut con)),
        (digest.clone(), "6".into())
    );
    aof::rewrite(&mut con);
    primary.kill9();
    primary.start_again(&[]);
    let mut con = primary.conn();
    assert_eq!(con.digest("sale"), digest);
    replicate(&primary, &replica);
    let mut copy = replica.conn();
    assert_eq!(copy.digest("sale"), digest);
    // A replica writes none, whatever its stream would take.
    copy.says("CONFIG SET replica-read-only no", "OK");
    copy.says("DEL orders", "1");
    wait_until("the primary's timer has looked", || {
        con.info("flashsale", "flashsale_events_waiting_ms")
            .parse::<u64>()
            .expect("ms")
            > 300
    });
    assert_eq!(waiting(&mut copy), "6");
    copy.says("EXISTS orders", "0");
    // Both write them: the same entries at other IDs, which `seq` tells apart from others.
    copy.says("REPLICAOF NO ONE", "OK");
    con.says("DEL orders", "1");
    wait_until_written(&mut copy);
    wait_until_written(&mut con);
    let fields =
        |entries: Vec<Entry>| -> Vec<_> { entries.into_iter().map(|entry| entry.fields).collect() };
    let one = fields(entries(&mut con, "orders"));
    assert_eq!(one.len(), 6);
    assert_eq!(one, fields(entries(&mut copy, "orders")));
    assert_eq!(con.digest("sale"), copy.digest("sale"));
}

#[test]
fn a_replica_follows_in_a_rush_and_when_it_begins_anew() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    workload::create(&mut con);
    let mut dice = Dice::seeded();
    play(&mut con, &mut dice, 300);
    replicate(&primary, &replica);
    play(&mut con, &mut dice, 600);
    settle(&mut con);
    wait_for_replica(&primary, &replica);
    assert_eq!(entries(&mut con, "orders"), entries(&mut copy, "orders"));
    assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
    assert_eq!(waiting(&mut copy), "0");
    assert_eq!(copy.info("flashsale", "flashsale_events_waiting"), "0");
    copy.says("REPLICAOF NO ONE", "OK");
    play(&mut copy, &mut dice, 100);
    settle(&mut copy);
    copy.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn a_go_is_one_line_of_few_bytes_and_a_command_carries_its_own() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9000 HOLD 60000");
    let mut feed = Feed::follow(&server);
    let (sale, both) = ("FLASHSALE.APPLY sale", "FLASHSALE.APPLY sale orders");
    let reserves = (0..500).map(|n| format!("u{n} 1 r{n}"));
    let reserves = reserves.collect::<Vec<_>>().join(" ");
    con.run(&format!("FLASHSALE.MRESERVE sale ENTRIES 500 {reserves}"));
    wait_until_written(&mut con);
    let lines = feed.commands();
    assert_eq!(lines.len(), 2);
    let ids = entries(&mut con, "orders");
    let moments = ids
        .iter()
        .map(|entry| entry.id.split('-').next().map(str::to_owned));
    let moments = moments.collect::<BTreeSet<_>>().len();
    let bytes = aof::written(&lines[1..]).len();
    // The IDs of each millisecond are one run.
    assert!(
        bytes <= 80 + 14 * (moments - 1),
        "{bytes} bytes for a go of 500"
    );
    con.run_at_once(&[
        "FLASHSALE.RESERVE sale ann 1 ID a",
        "FLASHSALE.CHECKOUT sale orders a",
        "FLASHSALE.RESERVE sale ann 1 ID b",
        "FLASHSALE.RELEASE sale b",
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 r1 p r2 p",
    ]);
    // No transaction: a command with what it told is one line.
    assert_eq!(feed.short(), [sale, both, sale, sale, both]);
    assert_eq!(
        words(&mut con, "orders")[500..],
        [
            "reserved", "order", "reserved", "released", "order", "order"
        ]
    );
}

#[test]
fn a_watch_on_the_sale_does_not_break_over_entries_that_are_written() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    for (key, breaks) in [("sale", false), ("orders", true)] {
        con.run_at_once(&["FLASHSALE.RESERVE sale ann 1", &format!("WATCH {key}")]);
        wait_until_written(&mut con);
        con.says("MULTI", "OK");
        con.says("FLASHSALE.STOCK sale", "+QUEUED");
        let reply = con.show("EXEC");
        assert_eq!(reply == "(nil)", breaks, "{key}: {reply}");
    }
}

/// The budget of `sweep-max` counts for a whole batch, and an order overtakes a longer backlog.
#[test]
fn an_order_writes_what_waits_before_it_up_to_the_bound() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("CONFIG SET flashsale.sweep-max 3", "OK");
    for (line, expected) in [
        ("FLASHSALE.CHECKOUT sale orders r0", "r0 r1 r2 r0 r3 r4 r5"),
        (
            "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 r0 p r1 p",
            "r0 r1 r2 r0 r1 r3 r4 r5",
        ),
    ] {
        con.run("DEL sale orders");
        create(&mut con, "STOCK 9");
        let reserve = |n| format!("FLASHSALE.RESERVE sale ann 1 ID r{n}");
        let reserves: Vec<String> = (0..6).map(reserve).collect();
        let mut lines: Vec<&str> = reserves.iter().map(String::as_str).collect();
        lines.insert(0, "MULTI");
        lines.extend([line, "EXEC"]);
        con.run_at_once(&lines);
        wait_until_written(&mut con);
        let entries = entries(&mut con, "orders");
        let ids: Vec<&str> = entries.iter().map(|entry| entry.field("id")).collect();
        assert_eq!(ids.join(" "), expected);
        // The newest `seq` of an id is its last decision all the same.
        let newest = entries.iter().filter(|entry| entry.field("id") == "r0");
        let newest = newest.max_by_key(|entry| entry.number("seq"));
        assert_eq!(newest.expect("r0").field("event"), "order");
    }
    con.says("CONFIG SET flashsale.sweep-max 1000", "OK");
}
