//! GROUP and REST: what a part of a split sale answers when it has too few.

use super::*;
use crate::support::{Feed, wait_until};

#[test]
fn a_part_says_sold_out_only_of_what_it_was_told() {
    for resp3 in [false, true] {
        let (server, mut con) = sale_by(resp3, "ITEMS 2 a 1 b 1 GROUP shoes");
        con.fields("FLASHSALE.INFO sale", "group shoes");
        let mut feed = Feed::follow(&server);
        let ask = "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID x";
        con.refuses(ask, "ALLRESERVED 2000 a");
        con.refuses("FLASHSALE.REST sale 60000 b none", "OK");
        con.refuses(ask, "ALLRESERVED 200 a");
        con.refuses("FLASHSALE.REST sale 60000 a b", "OK");
        con.refuses(ask, "SOLDOUT 1 a");
        con.refuses(
            "FLASHSALE.BUY sale orders ann ITEMS 1 b 2 ID y",
            "SOLDOUT 1 b",
        );
        con.refuses(
            "FLASHSALE.MRESERVE sale ENTRIES 1 ann 2 x SKU b",
            "[SOLDOUT 1 b]",
        );
        con.says("FLASHSALE.REST sale 60000", "OK");
        con.refuses(ask, "ALLRESERVED 200 a");
        con.says("CONFIG SET flashsale.part-retry-ms 300", "OK");
        con.refuses(ask, "ALLRESERVED 300 a");
        con.says("CONFIG SET flashsale.part-retry-ms 200", "OK");
        // By a clock of its own, so long and no longer.
        con.says("FLASHSALE.REST sale 150 a", "OK");
        con.says(ask, "SOLDOUT 1 a");
        wait_until("it does not hold any more", || {
            con.show(ask) == "ALLRESERVED 2000 a"
        });
        assert_eq!(feed.short(), [""; 0], "REST was replicated");
        // The next deadline may be sooner.
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 a 1 ID b HOLD 90",
            "RESERVED ...",
        );
        con.says(ask, "ALLRESERVED <=90 a");
        for valid_ms in [0, 60_001] {
            con.fails(
                &format!("FLASHSALE.REST sale {valid_ms}"),
                "ERR",
                "valid-ms",
            );
        }
    }
}

#[test]
fn what_is_reserved_here_keeps_nobody_from_asking_while_others_may_have_some() {
    let (_server, mut con) = sale("ITEMS 2 a 1 b 1 GROUP shoes HOLD 600000");
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 1 ID b",
        "RESERVED ...",
    );
    let ask = "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID x";
    con.refuses(ask, "ALLRESERVED 2000 a");
    con.says("FLASHSALE.REST sale 60000 b", "OK");
    con.refuses(ask, "ALLRESERVED 200 a");
    // No other part has any: only what is reserved here can come back.
    con.says("FLASHSALE.REST sale 60000 a", "OK");
    let reply = con.show(ask);
    let retry_ms = reply
        .split(' ')
        .nth(1)
        .and_then(|ms| ms.parse::<u64>().ok());
    assert!(retry_ms.is_some_and(|ms| ms > 500_000), "{reply}");
}

#[test]
fn a_part_can_answer_for_itself_again() {
    let (_server, mut con) = sale("STOCK 1 GROUP 'große Schuhe'");
    con.says(
        "FLASHSALE.RESERVE sale ann 2 ID x",
        "ALLRESERVED 2000 default",
    );
    con.fails("FLASHSALE.ALTER sale GROUP other", "ERR", "GROUP");
    con.says("FLASHSALE.ALTER sale GROUP ''", "OK");
    con.refuses("FLASHSALE.ALTER sale GROUP ''", "OK");
    con.fields("FLASHSALE.INFO sale", "group (nil)");
    con.says("FLASHSALE.RESERVE sale ann 2 ID x", "SOLDOUT 1 default");
    // It is no part, and keeps nothing it is told.
    con.says("FLASHSALE.REST sale 60000", "OK");
    con.says("FLASHSALE.RESERVE sale ann 2 ID x", "SOLDOUT 1 default");
    let long = "x".repeat(129);
    for (name, part) in [("''", "GROUP"), (&*long, "at most 128")] {
        let line = format!("FLASHSALE.CREATE other orders STOCK 1 GROUP {name}");
        con.fails(&line, "ERR", part);
    }
}

#[test]
fn orders_of_a_part_carry_its_group() {
    let (_server, mut con) = sale("STOCK 9 GROUP shoes EVENTS all");
    con.says("FLASHSALE.BUY sale orders ann 1 ID x", "SOLD ...");
    con.says(
        &format!("FLASHSALE.IMPORT sale orders ann 1 ID y AT {AT_MS}"),
        "SOLD ...",
    );
    con.says("FLASHSALE.REFUND sale orders x", "REFUNDED ...");
    con.says("FLASHSALE.ALTER sale GROUP ''", "OK");
    wait_until("the entry is written", || {
        con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
    con.says("FLASHSALE.BUY sale orders ann 1 ID z", "SOLD ...");
    let entries = con.show("XRANGE orders - +");
    assert_eq!(entries.matches(" group shoes seq ").count(), 2, "{entries}");
    assert!(
        entries.contains("imported \"1\" group shoes seq"),
        "{entries}"
    );
    assert!(entries.contains("{\\\"group\\\":null}"), "{entries}");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

/// A line of a part waits for what other parts may have.
#[test]
fn a_line_of_a_part_ends_when_no_part_has_any() {
    let (_server, mut con) = sale("STOCK 1 GROUP shoes WAITING 9 HOLD 600000 PATIENCE 0");
    con.says("FLASHSALE.BUY sale orders ann 1 ID x", "SOLD ...");
    let wait = "FLASHSALE.RESERVE sale bob 1 ID b WAIT";
    con.says(wait, "WAITING b 0 0 ...");
    con.fields(
        "FLASHSALE.SHARES sale",
        "items [[default 0 0 1 0 1 1 1 [] []]]",
    );
    // Units that come go to whoever waits.
    let own = share_id(&mut con, "sale");
    con.says(
        &format!("FLASHSALE.TAKE sale {PEER} {own} 1"),
        "TAKEN 1 1 default",
    );
    wait_until("bob has units", || {
        con.field("FLASHSALE.GET sale b", "state") == "reserved"
    });
    con.says("FLASHSALE.CHECKOUT sale orders b", "SOLD ...");
    con.says(
        "FLASHSALE.RESERVE sale cyd 1 ID c WAIT",
        "WAITING c 0 0 ...",
    );
    con.says("FLASHSALE.REST sale 60000 default", "OK");
    wait_until("the line ended", || {
        con.field("FLASHSALE.INFO sale", "waiting") == "0"
    });
    con.says(
        "FLASHSALE.RESERVE sale cyd 1 ID c WAIT",
        "SOLDOUT 0 default",
    );
}
