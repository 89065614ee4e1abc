//! IMPORT of units with names: exactly these, seats and codes, or the first that is not to be had.

use super::{all_units, each, hall, restock, units_in};
use crate::support::{Con, Events, Feed, Server, aof, replicate, wait_for_replica, wait_until};

const HALL: &str = "ITEMS 3 stalls 0 ga 10 code 0 HOLD 60000 GRACE 600000 EVENTS all";

fn import(order: &str) -> String {
    format!("FLASHSALE.IMPORT sale orders {order} AT 1765000000000")
}

#[track_caller]
fn fill(con: &mut Con) {
    hall(con);
    restock(con, "code", "k1 k2 k3 k4", "SEALED");
}

#[test]
fn units_that_were_sold_elsewhere_are_taken_by_their_names() {
    each(HALL, |_, con| {
        fill(con);
        let line = import("ann ITEMS 1 ga 2 UNITS 4 k3 B-1 A-2 k2 ID i1 REF p");
        con.says(&line, "SOLD i1 (entry) [k2 k3 A-2 B-1]");
        con.says(
            "FLASHSALE.STOCK sale",
            "[stalls 10 0 2 0] [ga 8 0 2 0] [code 2 0 2 0]",
        );
        con.fields(
            "FLASHSALE.GET sale i1",
            "state sold, items [[ga 2] [code 2] [stalls 2]], sold_at_ms 1765000000000, ref p, \
             units [[code k2] [code k3] [stalls A-2] [stalls B-1]]",
        );
        assert_eq!(units_in(con, "stalls", "sold"), "A-2 B-1");
        assert_eq!(all_units(con, "code", "WITHIDS"), "k2 sold i1 k3 sold i1");
        wait_until("all is told", || {
            con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
        });
        let entry = con.show("XREVRANGE orders + - COUNT 1");
        let items = r#"[{\"sku\":\"ga\",\"qty\":2},{\"sku\":\"code\",\"qty\":2,\"units\":[\"k2\",\"k3\"]},{\"sku\":\"stalls\",\"qty\":2,\"units\":[\"A-2\",\"B-1\"]}]"#;
        for part in [items, "at_ms \"1765000000000\"", "imported \"1\""] {
            assert!(entry.contains(part), "{part}: {entry}");
        }
        // The same again is a replay, in any order.
        con.refuses(&line, "SOLD i1 (entry) [k2 k3 A-2 B-1]");
        con.refuses(
            &import("ann ITEMS 1 ga 2 UNITS 4 A-2 k2 k3 B-1 ID i1 REF p"),
            "SOLD i1 (entry) [k2 k3 A-2 B-1]",
        );
        // Buyers and refunds find it as any other order.
        con.refuses(
            "FLASHSALE.BUY sale orders ann ITEMS 2 ga 2 code 2 UNITS 2 A-2 B-1 ID i1 REF p",
            "SOLD i1 (entry) [k2 k3 A-2 B-1]",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 2 A-2 k2 REF r",
            "REFUNDED i1 (entry)",
        );
        con.refuses(&line, "SOLD i1 (entry) [k3 B-1]");
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 1 ID b1",
            "SOLD b1 (entry) [k1]",
        );
        con.fields("FLASHSALE.INFO sale", "owed 0");
    });
}

#[test]
fn what_another_has_or_nobody_knows_is_refused() {
    each(HALL, |_, con| {
        fill(con);
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 1 A-1 ID b1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 1 UNITS 1 A-2 ID b2",
            "SOLD b2 (entry) [k1 A-2]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-3 WITHDRAW",
            "RESTOCKED ...",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS code 1 k4 WITHDRAW",
            "RESTOCKED ...",
        );
        wait_until("all is told", || {
            con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
        });
        for (units, answer) in [
            ("1 A-1", "NOTFREE <=60000 stalls A-1"),
            ("2 A-4 A-1", "NOTFREE <=60000 stalls A-1"),
            ("1 A-2", "NOTFREE -1 stalls A-2"),
            ("1 A-3", "NOTFREE -1 stalls A-3"),
            ("2 A-1 A-2", "NOTFREE -1 stalls A-2"),
            ("1 k1", "NOTFREE -1 code k1"),
            ("2 k2 k4", "NOTFREE -1 code k4"),
        ] {
            con.refuses(&import(&format!("ann UNITS {units} ID i1 REF p")), answer);
        }
        // A promise to a reservation stands before a code that was named elsewhere.
        con.says(
            "FLASHSALE.RESERVE sale cyd ITEMS 1 code 2 ID c1",
            "RESERVED ...",
        );
        wait_until("all is told", || {
            con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
        });
        con.refuses(
            &import("ann UNITS 1 k2 ID i1 REF p"),
            "NOTFREE <=60000 code k2",
        );
        for unknown in ["A-7", "K1", "stalls"] {
            con.fails(
                &import(&format!("ann UNITS 2 A-4 {unknown} ID i1 REF p")),
                "NOSKU",
                &format!("'{unknown}'"),
            );
        }
        for (order, part) in [
            (
                "ann UNITS 2 A-4 A-4 ID i1",
                "unit: 'A-4' is asked for twice",
            ),
            (
                "ann ITEMS 1 stalls 1 ID i1",
                "have names, say which by UNITS",
            ),
            ("ann ITEMS 1 code 1 ID i1", "have names, say which by UNITS"),
            (
                "ann ITEMS 1 stalls 1 UNITS 1 A-4 ID i1",
                "by number and by name",
            ),
        ] {
            con.fails(&import(order), "ERR", part);
        }
        con.fails(
            "FLASHSALE.IMPORT sale orders ann UNITS 0 ID i1 AT 1765000000000 REF p",
            "ERR",
            "count",
        );
        con.says("FLASHSALE.GET sale i1", "(nil)");
    });
}

#[test]
fn what_a_known_id_has_are_the_units_or_it_is_another_order() {
    each(HALL, |_, con| {
        fill(con);
        for line in [
            "RESERVE sale ann ITEMS 1 code 1 UNITS 2 A-1 A-2 ID open",
            "RESERVE sale ann UNITS 1 A-3 ID given-back",
            "RELEASE sale given-back",
            "RELEASE sale unseen USER ann",
            "RESERVE sale ann UNITS 1 A-4 ID late HOLD 20",
        ] {
            let reply = con.show(&format!("FLASHSALE.{line}"));
            assert!(!reply.contains("(error)"), "{line}: {reply}");
        }
        wait_until("it expired, and all is told", || {
            con.field("FLASHSALE.GET sale late", "state") == "expired"
                && con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
        });
        for other in [
            "ann UNITS 3 A-1 A-5 k1 ID open",
            "ann UNITS 2 A-1 A-2 ID open",
            "ann UNITS 4 A-1 A-2 A-5 k1 ID open",
            "bob UNITS 3 A-1 A-2 k1 ID open",
            "ann UNITS 3 A-1 A-2 nosuch ID open",
            "ann UNITS 2 A-3 A-4 ID given-back",
        ] {
            let id = other.rsplit(' ').next().expect("an id");
            con.refuses(&import(other), &format!("MISMATCH {id}"));
        }
        // An open reservation is checked out, with the code that was told then.
        con.says(
            &import("ann UNITS 3 A-1 A-2 k3 ID open REF p"),
            "SOLD open (entry) [k3 A-1 A-2]",
        );
        // What was given back had others' units by now, if any.
        con.says(
            &import("ann UNITS 1 A-5 ID given-back REF p"),
            "SOLD given-back (entry) [A-5]",
        );
        con.says(
            &import("ann UNITS 2 A-6 k4 ID unseen REF p"),
            "SOLD unseen (entry) [A-6 k4]",
        );
        con.says(
            &import("ann UNITS 1 A-4 ID late REF p"),
            "SOLD late (entry) [A-4]",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 1 ID b1",
            "SOLD b1 (entry) [k1]",
        );
        con.refuses(
            &import("ann UNITS 3 A-1 A-2 k3 ID open REF q"),
            "ALREADYSOLD open p",
        );
        con.refuses(
            &import("ann UNITS 3 A-1 A-2 k1 ID open REF p"),
            "MISMATCH open",
        );
        con.says("FLASHSALE.REFUND sale orders given-back", "REFUNDED ...");
        con.refuses(
            &import("ann UNITS 1 A-5 ID given-back REF p"),
            "REFUNDED given-back (entry)",
        );
        con.says(
            "FLASHSALE.STOCK sale",
            "[stalls 8 0 4 0] [ga 10 0 0 0] [code 1 0 3 0]",
        );
    });
}

#[test]
fn an_item_that_owes_gets_no_names_though_it_has_no_units() {
    each("ITEMS 1 pit 1", |_, con| {
        con.says(&import("ann ITEMS 1 pit 3 ID i1"), "SOLD i1 (entry)");
        con.says("FLASHSALE.REFUND sale orders i1 NORESTOCK", "REFUNDED ...");
        con.says("FLASHSALE.STOCK sale", "[pit 0 0 0 0]");
        con.fields("FLASHSALE.INFO sale", "owed 2");
        for sealed in ["", "SEALED"] {
            con.fails(
                &format!("FLASHSALE.RESTOCK sale UNITS pit 3 P-1 P-2 P-3 {sealed}"),
                "ERR",
                "sku: it owes units",
            );
        }
        con.says("FLASHSALE.RESTOCK sale 2", "RESTOCKED [pit 0 0]");
        con.says(
            "FLASHSALE.RESTOCK sale UNITS pit 1 P-1",
            "RESTOCKED [pit 1 1]",
        );
        con.says("DEBUG RELOAD", "OK");
    });
}

#[test]
fn nothing_stops_them_and_nothing_but_the_order_is_told() {
    each(
        "ITEMS 2 stalls 0 code 0 USERLIMIT 1 ORDERLIMIT 1",
        |server, con| {
            restock(con, "stalls", "A-1 A-2 A-3 A-4", "");
            restock(con, "code", "k1 k2 k3", "SEALED");
            con.says("FLASHSALE.PAUSE sale", "OK");
            con.says("FLASHSALE.CLOSE sale", "OK");
            let (mut feed, mut events) = (Feed::follow(server), Events::listen(server));
            con.says("CONFIG SET maxmemory 1", "OK");
            con.says(
                &import("ann UNITS 5 A-4 A-3 A-2 k3 k1 ID i1"),
                "SOLD i1 (entry) [A-2 A-3 A-4 k1 k3]",
            );
            con.says("CONFIG SET maxmemory 0", "OK");
            let mut sent = feed.short();
            sent.retain(|command| command.starts_with("FLASHSALE"));
            assert_eq!(sent, ["FLASHSALE.APPLY sale orders"]);
            events.are("imported");
            con.says("FLASHSALE.STOCK sale", "[stalls 1 0 3 0] [code 1 0 2 0]");
        },
    );
}

#[test]
fn every_copy_has_what_was_imported() {
    let args = "--appendonly yes --appendfsync always --aof-use-rdb-preamble no";
    let (Some(mut primary), Some(replica)) = (Server::own(&[args], &[]), Server::own(&[], &[]))
    else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says(&format!("FLASHSALE.CREATE sale orders {HALL}"), "OK");
    fill(&mut con);
    for (order, answer) in [
        (
            "ann ITEMS 1 ga 2 UNITS 4 k3 B-1 A-2 k2 ID i1 REF p",
            "SOLD i1 (entry) [k2 k3 A-2 B-1]",
        ),
        ("bob UNITS 1 k4 ID i2", "SOLD i2 (entry) [k4]"),
        ("bob UNITS 2 A-5 A-6 ID i3", "SOLD i3 (entry) [A-5 A-6]"),
    ] {
        con.says(&import(order), answer);
    }
    con.says(
        "FLASHSALE.RESERVE sale cyd ITEMS 1 code 1 UNITS 2 A-1 A-4 ID open",
        "RESERVED ...",
    );
    con.says(
        &import("cyd UNITS 3 A-1 A-4 k1 ID open"),
        "SOLD open (entry) [k1 A-1 A-4]",
    );
    con.says("FLASHSALE.REFUND sale orders i2", "REFUNDED ...");
    wait_until("all is told", || {
        con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
    wait_for_replica(&primary, &replica);
    let told = |con: &mut Con| {
        let mut told = vec![con.digest("sale orders"), con.stock("sale")];
        told.extend(["stalls", "code"].map(|sku| all_units(con, sku, "WITHIDS")));
        con.has_not_diverged();
        told
    };
    let expected = told(&mut con);
    let mut copy = replica.conn();
    assert_eq!(told(&mut copy), expected);
    copy.fields(
        "FLASHSALE.AUDIT sale orders",
        "consistent 1, differences []",
    );
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(told(&mut con), expected);
    primary.kill9();
    primary.start_again(&[]);
    let mut con = primary.conn();
    assert_eq!(told(&mut con), expected);
    aof::rewrite(&mut con);
    primary.kill9();
    primary.start_again(&[]);
    let mut con = primary.conn();
    assert_eq!(told(&mut con), expected);
    con.fields(
        "FLASHSALE.AUDIT sale orders",
        "consistent 1, differences []",
    );
    // Who is promoted sells nothing of it again.
    copy.says("REPLICAOF NO ONE", "OK");
    for con in [&mut con, &mut copy] {
        con.refuses(
            "FLASHSALE.RESERVE sale eve UNITS 1 A-5 ID e1",
            "NOTFREE -1 stalls A-5",
        );
        con.refuses(
            "FLASHSALE.BUY sale orders eve ITEMS 1 code 1 ID e2",
            "SOLDOUT 0 code",
        );
    }
}
