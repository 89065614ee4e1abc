//! GIVE, TAKE and SHARES: totals, and what they move.

use super::*;
use crate::support::{Events, Feed};

#[test]
fn units_move_by_totals_and_never_twice() {
    for resp3 in [false, true] {
        let (server, mut con) = sale_by(resp3, "ITEMS 2 a 5 b 5");
        let own = share_id(&mut con, "sale");
        let (mut feed, mut events) = (Feed::follow(&server), Events::listen(&server));
        let give = |total: &str| format!("FLASHSALE.GIVE sale {own} {PEER} {total}");
        let take = |total: &str| format!("FLASHSALE.TAKE sale {PEER} {own} {total}");
        con.says(&give("2 SKU a"), "GIVEN 2 3 a");
        con.refuses(&give("2 SKU a"), "GIVEN 2 3 a");
        con.refuses(&give("1 SKU a"), "GIVEN 2 3 a");
        con.refuses(&give("6 SKU a"), "TOOFEW 3 a");
        con.says(&give("9 SKU a MOST"), "GIVEN 5 0 a");
        con.says(&give("7 SKU a OWING"), "GIVEN 7 0 a");
        events.are("given given soldout given");
        con.says(&take("3 SKU a"), "TAKEN 3 1 a");
        con.refuses(&take("3 SKU a"), "TAKEN 3 1 a");
        con.says(&take("0 SKU new"), "TAKEN 0 0 new");
        con.refuses(&take("0 SKU new"), "TAKEN 0 0 new");
        events.are("taken backinstock taken");
        assert_eq!(applied(&mut feed), ["FLASHSALE.APPLY sale"; 5]);
        // Once more for a WAIT, though nothing moves.
        con.says(&give("7 SKU a CONFIRM"), "GIVEN 7 1 a");
        assert_eq!(applied(&mut feed), ["FLASHSALE.APPLY sale"]);
        events.are("");
        con.fields(
            "FLASHSALE.SHARES sale new a none",
            &format!(
                "share_id {own}, group (nil), state open, refunded 0, \
                 items [[new 0 0 0 0 0 0 0 [] []] [a 1 0 0 0 5 0 0 [[{PEER} 7]] [[{PEER} 3]]] (nil)]"
            ),
        );
        con.fields("FLASHSALE.INFO sale", "total 6, owed 0");
        let counted = |con: &mut Con, what| con.info("flashsale", what);
        assert_eq!(counted(&mut con, "flashsale_outcome_given"), "3");
        assert_eq!(counted(&mut con, "flashsale_outcome_taken"), "2");
        con.fields("FLASHSALE.AUDIT sale", "consistent 1");
        let own = share_id(&mut con, "sale");
        con.fails(
            &format!("FLASHSALE.GIVE sale {own} {PEER} 1"),
            "NOSKU",
            "missing",
        );
        con.fails(
            &format!("FLASHSALE.GIVE sale {own} {PEER} 1 SKU no"),
            "NOSKU",
            "'no'",
        );
    }
}

#[test]
fn shares_are_a_map_of_resp3() {
    let (_server, mut con) = sale_by(true, "STOCK 5");
    let shown = con.show("FLASHSALE.SHARES sale");
    assert!(
        shown.starts_with("{ sale_id ") || shown.starts_with("{sale_id "),
        "{shown}"
    );
    let (_server, mut con) = sale("STOCK 5");
    assert!(con.show("FLASHSALE.SHARES sale").starts_with("sale_id "));
    con.says("FLASHSALE.RESERVE sale ann 2 ID a", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale bob 4 ID b", "ALLRESERVED ...");
    con.says("FLASHSALE.BUY sale orders bob 9 ID b", "SOLDOUT ...");
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 1 bob 6 b",
        "[SOLDOUT 3 default]",
    );
    con.fields(
        "FLASHSALE.SHARES sale",
        "items [[default 3 2 0 0 5 19 0 [] []]]",
    );
    con.says("FLASHSALE.ALTER sale WAITING 5", "OK");
    con.says("FLASHSALE.RESERVE sale cyd 4 ID c WAIT", "WAITING ...");
    con.fields(
        "FLASHSALE.SHARES sale",
        "items [[default 3 2 0 0 5 23 4 [] []]]",
    );
}

/// Break: GIVE of another's share id. A part made again refuses what was meant for the one before
/// it.
#[test]
fn a_sale_gives_and_takes_only_under_its_own_share_id() {
    let (_server, mut con) = sale("STOCK 5");
    let old = share_id(&mut con, "sale");
    con.says("DEL sale orders", "1");
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    let own = share_id(&mut con, "sale");
    assert_ne!(own, old);
    con.fails(
        &format!("FLASHSALE.GIVE sale {old} {PEER} 1"),
        "ERR",
        "from",
    );
    con.fails(&format!("FLASHSALE.TAKE sale {PEER} {old} 1"), "ERR", "to");
    con.fails(&format!("FLASHSALE.GIVE sale {own} {own} 1"), "ERR", "to");
    con.fails(&format!("FLASHSALE.TAKE sale {own} {own} 1"), "ERR", "to");
    con.fails(&format!("FLASHSALE.GIVE sale {own} x 1"), "ERR", "ULID");
    con.fails(
        &format!("FLASHSALE.GIVE none {own} {PEER} 1"),
        "NOSALE",
        "none",
    );
    con.fails(
        &format!("FLASHSALE.GIVE sale {own} {PEER} 1 MOST OWING"),
        "ERR",
        "MOST",
    );
    con.says("SET text x", "OK");
    con.fails(
        &format!("FLASHSALE.GIVE text {own} {PEER} 1"),
        "WRONGTYPE",
        "text",
    );
    con.fails("FLASHSALE.SHARES text", "WRONGTYPE", "text");
    con.fails("FLASHSALE.REST none 1", "NOSALE", "none");
}

/// The share id is always fresh, also where the sale goes on under an id it had before.
#[test]
fn a_saleid_comes_with_a_fresh_share_id() {
    let server = Server::any();
    let mut con = server.conn();
    let line = format!("FLASHSALE.CREATE sale orders STOCK 5 SALEID {PEER}");
    con.says(&line, "OK");
    let first = share_id(&mut con, "sale");
    con.fields("FLASHSALE.INFO sale", &format!("sale_id {PEER}"));
    assert_ne!(first, PEER);
    // Moving units leaves the same CREATE the same.
    con.says(
        &format!("FLASHSALE.GIVE sale {first} {PEER} 2"),
        "GIVEN 2 3 default",
    );
    con.refuses(&line, "OK");
    let digest = con.digest("sale");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(
        (con.digest("sale"), share_id(&mut con, "sale")),
        (digest, first.clone())
    );
    con.says("DEL sale", "1");
    con.says(&line, "OK");
    assert_ne!(share_id(&mut con, "sale"), first);
    // Without it, both are the same.
    con.says("FLASHSALE.CREATE other orders STOCK 5", "OK");
    let sale_id = con.field("FLASHSALE.INFO other", "sale_id");
    assert_eq!(share_id(&mut con, "other"), sale_id);
}

#[test]
fn units_move_after_the_end() {
    let (_server, mut con) = sale("STOCK 5");
    let own = share_id(&mut con, "sale");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says(
        &format!("FLASHSALE.GIVE sale {own} {PEER} 2"),
        "GIVEN 2 3 default",
    );
    con.says(
        &format!("FLASHSALE.TAKE sale {PEER} {own} 1"),
        "TAKEN 1 4 default",
    );
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 new 0 NEW",
        "RESTOCKED [new 0 0]",
    );
    con.refuses(
        "FLASHSALE.RESTOCK sale ITEMS 1 new 0 NEW",
        "RESTOCKED [new 0 0]",
    );
    con.fails("FLASHSALE.RESTOCK sale ITEMS 1 new 0", "ERR", "or is 0");
}
