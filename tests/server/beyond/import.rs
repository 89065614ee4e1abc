//! IMPORT: its rows, its entry, and what becomes of units that the sale does not have.

use super::*;
use crate::support::{Events, Feed, unix_ms, wait_until};

fn import(order: &str) -> String {
    format!("FLASHSALE.IMPORT sale orders {order} AT {AT_MS}")
}

#[test]
fn every_row_is_answered_by_both_protocols() {
    for resp3 in [false, true] {
        let (_server, mut con) = sale_by(resp3, "ITEMS 2 a 5 b 5 HOLD 600000");
        for id in ["open", "ended"] {
            let line = format!("FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID {id}");
            con.says(&line, "RESERVED ...");
        }
        con.says("FLASHSALE.RELEASE sale ended", "RELEASED ended");
        con.says("FLASHSALE.RELEASE sale unseen USER ann", "RELEASED unseen");
        // Row 6, of every kind of id.
        for id in ["open", "ended", "unseen", "new"] {
            con.says(
                &import(&format!("ann ITEMS 1 a 1 ID {id} REF p")),
                &format!("SOLD {id} (entry)"),
            );
        }
        con.says("FLASHSALE.STOCK sale a", "[a 1 0 4 0]");
        // Row 3: the same again, under another REF, and under none.
        con.refuses(&import("ann ITEMS 1 a 1 ID new REF p"), "SOLD new (entry)");
        con.refuses(&import("ann ITEMS 1 a 1 ID new REF q"), "ALREADYSOLD new p");
        con.refuses(&import("ann ITEMS 1 a 1 ID new"), "ALREADYSOLD new p");
        // Row 2: another user, and other units.
        con.refuses(&import("bob ITEMS 1 a 1 ID new REF p"), "MISMATCH new");
        con.refuses(&import("ann ITEMS 1 a 2 ID new REF p"), "MISMATCH new");
        con.refuses(&import("ann ITEMS 1 no 1 ID new REF p"), "MISMATCH new");
        con.says("FLASHSALE.REFUND sale orders new", "REFUNDED ...");
        con.refuses(
            &import("ann ITEMS 1 a 1 ID new REF p"),
            "REFUNDED new (entry)",
        );
        // Row 4.
        con.fails(&import("ann ITEMS 1 no 1 ID x"), "NOSKU", "no");
        con.fails(&import("ann 1 ID x"), "NOSKU", "missing");
        con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    }
}

#[test]
fn errors_come_before_anything_else() {
    let (_server, mut con) = sale("STOCK 5");
    let ahead_ms = unix_ms() + 90_000;
    con.fails(
        &format!("FLASHSALE.IMPORT sale orders ann 1 ID x AT {ahead_ms}"),
        "ERR",
        "ahead",
    );
    con.fails(
        "FLASHSALE.IMPORT sale orders ann 1 ID x AT 1765000000",
        "ERR",
        "seconds",
    );
    con.fails(
        "FLASHSALE.IMPORT sale orders ann 1 AT 1765000000000 REF p",
        "ERR",
        "ID",
    );
    con.fails(
        "FLASHSALE.IMPORT sale orders ann 1 ID x",
        "ERR",
        "wrong number",
    );
    con.fails("FLASHSALE.IMPORT sale orders ann 1 ID x REF p", "ERR", "AT");
    con.fails(
        &format!("FLASHSALE.IMPORT sale other ann 1 ID x AT {AT_MS}"),
        "ERR",
        "orders",
    );
    con.fails(
        &format!("FLASHSALE.IMPORT none orders ann 1 ID x AT {AT_MS}"),
        "NOSALE",
        "none",
    );
    con.says("FLASHSALE.RESERVE sale bob 1 ID r", "RESERVED ...");
    con.fails(
        &import("ann 9007199254740991 ID x"),
        "ERR",
        "the sum over the sale",
    );
    con.fails(&import("ann UNITS 1 seat-1 ID x"), "NOSKU", "seat-1");
    // A minute is what clocks may differ by.
    let soon_ms = unix_ms() + 30_000;
    con.says(
        &format!("FLASHSALE.IMPORT sale orders ann 1 ID x AT {soon_ms}"),
        "SOLD ...",
    );
}

#[test]
fn the_entry_is_an_order_of_then_and_says_that_it_came_late() {
    let (server, mut con) = sale("STOCK 5");
    let (mut feed, mut events) = (Feed::follow(&server), Events::listen(&server));
    con.says(
        &import("ann 5 ID x REF p PAYLOAD '{\"gift\":1}'"),
        "SOLD x (entry)",
    );
    assert_eq!(applied(&mut feed), ["FLASHSALE.APPLY sale orders"]);
    events.are("imported soldout");
    let entry = con.show("XRANGE orders - +");
    let sale_id = con.field("FLASHSALE.INFO sale", "sale_id");
    let fields = format!(
        "event order sale sale sale_id {sale_id} id x user ann qty \"5\" items \
         \"[{{\\\"sku\\\":\\\"default\\\",\\\"qty\\\":5}}]\" at_ms \"{AT_MS}\" ref p payload \
         \"{{\\\"gift\\\":1}}\" imported \"1\""
    );
    assert!(entry.contains(&fields), "{entry}\n{fields}");
    con.fields(
        "FLASHSALE.GET sale x",
        &format!("state sold, sold_at_ms {AT_MS}, ref p"),
    );
    // A replay writes nothing.
    con.refuses(&import("ann 5 ID x REF p"), "SOLD x (entry)");
    assert_eq!(applied(&mut feed), [""; 0]);
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1, entries 1");
}

#[test]
fn nothing_stops_an_order_that_was_sold() {
    let end_at_ms = unix_ms() + 300;
    let (_server, mut con) = sale(&format!(
        "STOCK 3 USERLIMIT 1 ORDERLIMIT 1 SALELIMIT 1 PACE 1 600000 END {end_at_ms} \
         PASSKEY 1 0123456789abcdef USERRATE 1 600000"
    ));
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says(&import("ann 2 ID paused"), "SOLD ...");
    con.says("FLASHSALE.RESUME sale", "OK");
    wait_until("the sale ended", || {
        con.field("FLASHSALE.INFO sale", "state") == "ended"
    });
    con.says(&import("ann 2 ID ended"), "SOLD ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says(&import("ann 2 ID closed"), "SOLD ...");
    con.fields(
        "FLASHSALE.USER sale ann",
        "sold 6, counted 6, user_remaining 0",
    );
    con.fields(
        "FLASHSALE.INFO sale",
        "total 3, available 0, sold 6, owed 3",
    );
    con.says("FLASHSALE.STOCK sale", "[default 0 0 6 0]");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn orders_are_recorded_at_maxmemory() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.says("CONFIG SET maxmemory 1", "OK");
    con.fails("FLASHSALE.RESERVE sale bob 1 ID r", "OOM", "maxmemory");
    con.says(&import("ann 1 ID x"), "SOLD ...");
    let own = share_id(&mut con, "sale");
    con.says(
        &format!("FLASHSALE.GIVE sale {own} {PEER} 1"),
        "GIVEN 1 3 default",
    );
    con.says(
        &format!("FLASHSALE.TAKE sale {PEER} {own} 2"),
        "TAKEN 2 5 default",
    );
    con.says("FLASHSALE.REST sale 100", "OK");
    con.says("CONFIG SET maxmemory 0", "OK");
}

#[test]
fn a_new_id_beyond_max_reservations_is_an_error() {
    let Some(server) = Server::own(&[], &["max-reservations 1"]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 ID r", "RESERVED ...");
    con.fails(&import("bob 1 ID x"), "OOM", "max-reservations");
    con.says(&import("ann 1 ID r"), "SOLD ...");
}

/// Break: expiry that does not pay.
#[test]
fn what_comes_back_pays_before_anything_is_on_sale() {
    let (server, mut con) = sale("STOCK 4 HOLD 600000");
    let mut events = Events::listen(&server);
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID short HOLD 50",
        "RESERVED ...",
    );
    con.says("FLASHSALE.RESERVE sale bob 2 ID long", "RESERVED ...");
    con.says(&import("cyd 5 ID lost"), "SOLD ...");
    events.are("reserved reserved imported soldout");
    con.fields(
        "FLASHSALE.SHARES sale",
        "items [[default 0 3 5 4 4 0 0 [] []]]",
    );
    wait_until("the short one expired", || {
        con.stock("sale").contains(" 2 5 ")
    });
    con.fields("FLASHSALE.INFO sale", "owed 3, available 0, total 4");
    con.refuses("FLASHSALE.RESERVE sale dan 1 ID n", "SOLDOUT 0 default");
    con.says("FLASHSALE.RELEASE sale long", "RELEASED long");
    con.fields("FLASHSALE.INFO sale", "owed 1, available 0");
    events.are("expired released");
    con.says(
        "FLASHSALE.REFUND sale orders lost QTY 2 REF r",
        "REFUNDED ...",
    );
    con.fields("FLASHSALE.INFO sale", "owed 0, available 1, sold 3");
    events.are("refunded backinstock");
    con.says(&import("cyd 3 ID more"), "SOLD ...");
    con.says("FLASHSALE.RESTOCK sale 3", "RESTOCKED [default 7 1]");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn a_refund_after_the_end_pays_and_says_so() {
    let end_at_ms = unix_ms() + 300;
    let (_server, mut con) = sale(&format!("STOCK 2 END {end_at_ms}"));
    con.says(&import("ann 5 ID lost"), "SOLD ...");
    wait_until("the sale ended", || {
        con.field("FLASHSALE.INFO sale", "state") == "ended"
    });
    for (how, restocked, flags) in [
        (
            "QTY 1 REF n NORESTOCK",
            "0",
            "restorelimit \"0\" norestock \"1\"",
        ),
        (
            "QTY 2 REF p RESTORELIMIT",
            "1",
            "restorelimit \"1\" norestock \"0\"",
        ),
        ("QTY 2 REF r", "1", "restorelimit \"0\" norestock \"0\""),
    ] {
        con.says(
            &format!("FLASHSALE.REFUND sale orders lost {how}"),
            "REFUNDED ...",
        );
        let entry = con.show("XREVRANGE orders + - COUNT 1");
        let told = format!("restocked \"{restocked}\" {flags}");
        assert!(entry.contains(&told), "{entry}");
    }
    // One of the last two units paid, and one left the total. NORESTOCK paid nothing.
    con.fields("FLASHSALE.INFO sale", "total 0, owed 0, sold 0");
    let refunds = con.field("FLASHSALE.GET sale lost", "refunds");
    assert!(refunds.contains("n [[default 1]] 0 0 1]"), "{refunds}");
    assert!(refunds.contains("p [[default 2]] 1 1 0]"), "{refunds}");
    assert!(refunds.contains("r [[default 2]] 1 0 0]"), "{refunds}");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn whoever_waits_and_has_bought_elsewhere_leaves_the_line() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 HOLD 600000");
    con.says("FLASHSALE.RESERVE sale ann 1 ID a", "RESERVED ...");
    con.says(
        "FLASHSALE.RESERVE sale bob 1 ID b WAIT",
        "WAITING b 0 1 ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale cyd 1 ID c WAIT",
        "WAITING c 1 1 ...",
    );
    con.refuses(&import("bob 2 ID b"), "MISMATCH b");
    con.says(&import("bob 1 ID b"), "SOLD b (entry)");
    // One is owed, so nothing can come any more: the line of cyd ends.
    con.fields("FLASHSALE.INFO sale", "owed 1, sold 1, reserved 1");
    wait_until("the line ended", || {
        con.field("FLASHSALE.INFO sale", "waiting") == "0"
    });
    con.says(
        "FLASHSALE.RESERVE sale cyd 1 ID c WAIT",
        "SOLDOUT 0 default",
    );
}

#[test]
fn gauges_and_doctor_say_what_is_owed_until_it_is_paid() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1", "OK");
    con.says(&import("ann 3 ID x"), "SOLD ...");
    assert_eq!(con.info("flashsale", "flashsale_owed"), "2");
    assert_eq!(con.info("flashsale", "flashsale_outcome_imported"), "1");
    assert!(con.show("FLASHSALE.DOCTOR").contains("[error owed "));
    con.says("FLASHSALE.RESTOCK sale 2", "RESTOCKED ...");
    assert_eq!(con.info("flashsale", "flashsale_owed"), "0");
    assert!(!con.show("FLASHSALE.DOCTOR").contains("[error owed "));
    con.says(&import("ann 3 ID y"), "SOLD ...");
    con.says("DEL sale", "1");
    wait_until("the sale is freed", || {
        con.info("flashsale", "flashsale_owed") == "0"
    });
}
