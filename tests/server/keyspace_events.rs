//! **Goal**: one keyspace event per change, on the sale's key, of class `d`; none for
//! what changed nothing; and the three events about an item's stock at their moments.
//!
//! **Method**: a listener to every keyspace event of the module class. It publishes a
//! mark after each step and reads up to it, so that a missing event, and one too many,
//! both show.

use crate::support::{Events, Server, wait_until};

#[test]
fn every_change_is_told_once() {
    let server = Server::any();
    let mut con = server.conn();
    let mut events = Events::listen(&server);
    for (line, expected) in [
        (
            "FLASHSALE.CREATE sale orders STOCK 100 HOLD 5000 MAXHOLD 90000",
            "created",
        ),
        ("FLASHSALE.RESERVE sale alice 1 ID r1", "reserved"),
        ("FLASHSALE.EXTEND sale r1 60000", "extended"),
        ("FLASHSALE.CHECKOUT sale orders r1", "sold"),
        ("FLASHSALE.REFUND sale orders r1", "refunded"),
        ("FLASHSALE.RESERVE sale alice 1 ID r2", "reserved"),
        ("FLASHSALE.RELEASE sale r2", "released"),
        ("FLASHSALE.RESTOCK sale 5", "restocked"),
        ("FLASHSALE.ALTER sale USERLIMIT 50", "altered"),
        ("FLASHSALE.PAUSE sale", "paused"),
        ("FLASHSALE.RESUME sale", "resumed"),
        ("FLASHSALE.BIND sale others", "altered"),
        ("FLASHSALE.CLOSE sale", "closed"),
    ] {
        con.run(line);
        let seen = events.seen();
        assert_eq!(seen, [format!("sale {expected}")], "{line}");
    }
}

#[test]
fn a_buy_is_told_as_reserved_and_sold_or_as_sold() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    let mut events = Events::listen(&server);
    con.says("FLASHSALE.BUY sale orders alice 1 ID r1", "SOLD ...");
    events.are("sold");
    con.says("FLASHSALE.BUY sale orders alice 1 ID r2", "SOLD ...");
    let seen = events.seen();
    assert_eq!(
        seen.iter().filter(|event| *event == "sale sold").count(),
        1,
        "{seen:?}"
    );
}

#[test]
fn what_changes_nothing_is_not_told() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5 USERLIMIT 4", "OK");
    con.says("FLASHSALE.RESERVE sale alice 2 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders bob 2 ID r2 REF p", "SOLD ...");
    con.says("FLASHSALE.RELEASE sale r3", "RELEASED r3");
    con.says("FLASHSALE.RESTOCK sale 1 REF f", "RESTOCKED ...");
    let mut events = Events::listen(&server);
    for line in [
        "FLASHSALE.CREATE sale orders STOCK 1",
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "FLASHSALE.RESERVE sale alice 3",
        "FLASHSALE.RESERVE sale carol 4",
        "FLASHSALE.RESERVE sale carol 0",
        "FLASHSALE.BUY sale orders bob 2 ID r2 REF p",
        "FLASHSALE.CHECKOUT sale orders r2",
        "FLASHSALE.CHECKOUT sale orders r2 REF q",
        "FLASHSALE.CHECKOUT sale orders nosuch",
        "FLASHSALE.RELEASE sale r3",
        "FLASHSALE.RELEASE sale r2",
        "FLASHSALE.EXTEND sale r1 1",
        "FLASHSALE.REFUND sale orders r1",
        "FLASHSALE.RESTOCK sale 1 REF f",
        "FLASHSALE.RESTOCK sale -100",
        "FLASHSALE.ALTER sale USERLIMIT 4",
        "FLASHSALE.RESUME sale",
        "FLASHSALE.BIND sale orders",
        "FLASHSALE.STOCK sale",
        "FLASHSALE.GET sale r1",
        "FLASHSALE.USER sale alice",
        "FLASHSALE.INFO sale",
        "FLASHSALE.SCAN sale 0",
        "FLASHSALE.UNITS sale default 0",
        "FLASHSALE.AUDIT sale orders",
        "FLASHSALE.DOCTOR",
    ] {
        con.run(line);
        let seen = events.seen();
        assert!(seen.is_empty(), "{line}: {seen:?}");
    }
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.RESERVE sale carol 1", "PAUSED *");
    events.are("paused");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("FLASHSALE.RESERVE sale carol 1", "ENDED *");
    events.are("closed");
}

#[test]
fn an_expiry_is_told_once_for_all_that_expired_together() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100", "OK");
    let mut events = Events::listen(&server);
    con.says("FLASHSALE.RESERVE sale alice 1 HOLD 20", "RESERVED ...");
    events.are("reserved");
    wait_until("it expired", || con.stock("sale") == "[default 100 0 0 0]");
    events.are("expired");
}

#[test]
fn allreserved_soldout_and_backinstock_come_at_the_transitions() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 2", "OK");
    let mut events = Events::listen(&server);
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    events.are("reserved");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED ...");
    events.are("reserved allreserved");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD ...");
    events.are("sold");
    con.says("FLASHSALE.CHECKOUT sale orders r2", "SOLD ...");
    events.are("sold soldout");
    con.says("FLASHSALE.RESERVE sale bob 1", "SOLDOUT ...");
    events.are("");
    con.says("FLASHSALE.REFUND sale orders r2 NORESTOCK", "REFUNDED ...");
    events.are("refunded");
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED ...");
    events.are("refunded backinstock");
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    events.are("restocked");
    con.says("FLASHSALE.RESTOCK sale -2", "RESTOCKED [default 0 0]");
    events.are("restocked soldout");
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED [default 1 1]");
    events.are("restocked backinstock");
    con.says("FLASHSALE.RESERVE sale bob 1 ID r3", "RESERVED ...");
    events.are("reserved allreserved");
    con.says("FLASHSALE.RELEASE sale r3", "RELEASED ...");
    events.are("released backinstock");
    con.says("FLASHSALE.RESERVE sale bob 1 ID r4 HOLD 20", "RESERVED ...");
    events.are("reserved allreserved");
    wait_until("it expired", || con.stock("sale") == "[default 1 0 0 0]");
    events.are("expired backinstock");
}

#[test]
fn a_buy_of_the_last_unit_is_told_as_soldout() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1", "OK");
    let mut events = Events::listen(&server);
    con.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    let seen = events.seen();
    assert_eq!(
        seen.last().map(String::as_str),
        Some("sale soldout"),
        "{seen:?}"
    );
    assert!(!seen.contains(&"sale allreserved".to_owned()), "{seen:?}");
}

#[test]
fn stock_events_come_once_per_item_that_turned() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 3 a 1 b 1 c 5", "OK");
    let mut events = Events::listen(&server);
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 3 a 1 b 1 c 1 ID r1",
        "RESERVED ...",
    );
    events.are("reserved allreserved allreserved");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD ...");
    events.are("sold soldout soldout");
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED ...");
    events.are("refunded backinstock backinstock");
}

#[test]
fn events_are_of_the_module_class_and_also_on_the_event_channel() {
    let server = Server::any();
    let mut con = server.conn();
    let mut events = Events::listen(&server);
    // Without class d nothing of the module's is told.
    con.says("CONFIG SET notify-keyspace-events Kg$lshzxet", "OK");
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
    events.are("");
    let mut listener = server.conn();
    con.says("CONFIG SET notify-keyspace-events Ed", "OK");
    listener.send("SUBSCRIBE __keyevent@0__:flashsale.reserved");
    listener.receive();
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
    let told = crate::support::render(&listener.receive());
    assert_eq!(told, "message __keyevent@0__:flashsale.reserved sale");
}
