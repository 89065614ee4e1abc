//! Who gets units when: order, absence, the draw, PACE, and the end of a line.

use std::collections::BTreeSet;

use super::{has_units, number, sale, wait};
use crate::support::clock::wait_ms;
use crate::support::{Events, Server, unix_ms, wait_until};

#[test]
fn units_that_come_back_go_to_the_front_in_order() {
    let (server, mut con) = sale("STOCK 2 WAITING 9 HOLD 60000 PATIENCE 0 EVENTS all");
    for user in ["ann", "bob", "cid", "dan", "eve"] {
        wait(&mut con, user);
    }
    let mut events = Events::listen(&server);
    con.says("FLASHSALE.RELEASE sale i-ann", "RELEASED i-ann");
    wait_until("cid has units", || has_units(&mut con, "cid"));
    con.fields(
        "FLASHSALE.GET sale i-dan",
        "state waiting, ahead 0, number 1",
    );
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    wait_until("dan has units", || has_units(&mut con, "dan"));
    assert!(!has_units(&mut con, "eve"));
    con.fields("FLASHSALE.INFO sale", "waiting 1, granted 2, passed_over 0");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    let seen = events.seen();
    let granted = seen.iter().filter(|event| event.contains("granted"));
    assert_eq!(granted.count(), 2, "{seen:?}");
    wait_until("the grants have entries", || {
        let entries = con.show("XRANGE orders - +");
        entries.matches("granted").count() == 2
    });
}

#[test]
fn a_poll_from_the_front_needs_no_timer() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 HOLD 60000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    wait(&mut con, "ann");
    let both = con.run_at_once(&[
        "FLASHSALE.RELEASE sale z",
        "FLASHSALE.RESERVE sale ann 1 ID i-ann WAIT",
    ]);
    let shown = crate::support::render(&both);
    assert!(shown.contains("RESERVED i-ann"), "{shown}");
}

#[test]
fn whoever_is_not_heard_from_is_passed_over_and_joins_at_the_end() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 HOLD 60000 PATIENCE 2000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    for user in ["gone", "bob"] {
        wait(&mut con, user);
    }
    // Two periods, in which bob alone is heard.
    let until = unix_ms() + 4_500;
    while unix_ms() < until {
        wait(&mut con, "bob");
        wait_ms("half a second passes", 500);
    }
    con.says("FLASHSALE.RELEASE sale z", "RELEASED z");
    wait_until("bob has units", || has_units(&mut con, "bob"));
    con.fields("FLASHSALE.INFO sale", "waiting 0, granted 1, passed_over 1");
    con.says("FLASHSALE.GET sale i-gone", "(nil)");
    assert!(wait(&mut con, "gone").starts_with("WAITING i-gone 0"));
}

#[test]
fn nobody_is_absent_while_nobody_could_be_heard() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 HOLD 60000 PATIENCE 2000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    wait(&mut con, "ann");
    // No RESERVE for longer than two periods.
    wait_ms("five seconds pass", 5_000);
    con.says("FLASHSALE.RELEASE sale z", "RELEASED z");
    wait_until("ann has units", || has_units(&mut con, "ann"));
}

#[test]
fn start_draws_all_who_came_before_and_whoever_comes_after_is_behind() {
    let start_at_ms = unix_ms() + 1_500;
    let (_server, mut con) = sale(&format!(
        "STOCK 3 WAITING 100 HOLD 60000 START {start_at_ms}"
    ));
    let users: Vec<String> = (0..20).map(|n| format!("u{n}")).collect();
    for user in &users {
        assert!(wait(&mut con, user).starts_with(&format!("WAITING i-{user} -1 3 -1")));
    }
    wait_until("the sale has begun", || unix_ms() > start_at_ms);
    wait_until("three have units", || {
        con.field("FLASHSALE.INFO sale", "granted") == "3"
    });
    con.fields("FLASHSALE.INFO sale", "waiting 17, drawn [[default 20]]");
    assert_eq!(con.field("FLASHSALE.INFO sale", "draw_seed").len(), 32);
    let mut ahead = BTreeSet::new();
    for user in &users {
        if !has_units(&mut con, user) {
            let line = format!("FLASHSALE.GET sale i-{user}");
            ahead.insert(con.field(&line, "ahead").parse::<u64>().expect("a number"));
        }
    }
    assert_eq!(ahead, (0..17).collect());
    assert!(wait(&mut con, "late").starts_with("WAITING i-late 17 3"));
    con.refuses("FLASHSALE.RESERVE sale zoe 1 ID z", "ALLRESERVED * default");
}

#[test]
fn pace_lets_in_so_many_and_no_more() {
    let (_server, mut con) = sale("STOCK 100 WAITING 100 HOLD 60000 PACE 5 1000 PATIENCE 0");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    con.refuses("FLASHSALE.RESERVE sale yan 1 ID y", "THROTTLED * sale");
    for n in 0..20 {
        wait(&mut con, &format!("u{n}"));
    }
    let begun_ms = unix_ms();
    wait_until("ten have units", || {
        number(&mut con, "FLASHSALE.INFO sale", "granted") >= 10
    });
    let took_ms = unix_ms() - begun_ms;
    assert!(took_ms >= 1_600, "ten in {took_ms} ms");
    con.says("FLASHSALE.ALTER sale PACE 0 0", "OK");
    wait_until("all have units", || {
        con.field("FLASHSALE.INFO sale", "waiting") == "0"
    });
}

#[test]
fn a_line_for_what_cannot_come_ends_at_once() {
    let (_server, mut con) = sale("STOCK 1 WAITING 1000 HOLD 60000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    for n in 0..500 {
        wait(&mut con, &format!("u{n}"));
    }
    con.says("FLASHSALE.CHECKOUT sale orders z", "SOLD ...");
    // The poll knows it before the timer does.
    con.says(
        "FLASHSALE.RESERVE sale u7 1 ID i-u7 WAIT",
        "SOLDOUT 0 default",
    );
    wait_until("nobody waits", || {
        con.field("FLASHSALE.INFO sale", "waiting") == "0"
    });
    // Five hundred places are more than 25 KB; next to nothing is left of them.
    wait_until("the gauge follows", || {
        let bytes = con.info("flashsale", "flashsale_waiting_bytes");
        bytes.parse::<u64>().expect("bytes") < 4_000
    });
    con.says("FLASHSALE.GET sale i-u7", "(nil)");
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    con.says(
        "FLASHSALE.RESERVE sale u7 1 ID i-u7 WAIT",
        "RESERVED i-u7 ...",
    );
    con.fields("FLASHSALE.AUDIT sale", "consistent 1");
}

#[test]
fn a_limit_is_asked_again_at_the_turn() {
    let (_server, mut con) = sale("ITEMS 2 a 1 b 9 WAITING 9 USERLIMIT 1 HOLD 60000 PATIENCE 0");
    con.says(
        "FLASHSALE.RESERVE sale zoe ITEMS 1 a 1 ID z",
        "RESERVED ...",
    );
    for user in ["ann", "bob"] {
        con.says(
            &format!("FLASHSALE.RESERVE sale {user} ITEMS 1 a 1 ID i-{user} WAIT"),
            "WAITING ...",
        );
    }
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 b 1 ID other",
        "RESERVED ...",
    );
    con.says("FLASHSALE.RELEASE sale z", "RELEASED z");
    wait_until("bob has units", || has_units(&mut con, "bob"));
    con.fields("FLASHSALE.INFO sale", "granted 1, passed_over 1");
}

#[test]
fn a_line_goes_on_when_a_full_sale_has_room_again() {
    let Some(server) = Server::own(&[], &["max-reservations", "2"]) else {
        return;
    };
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 9 WAITING 9 PATIENCE 0 GRACE 0 REMEMBER 60000 PACE 1 200",
        "OK",
    );
    for n in 0..4 {
        wait(&mut con, &format!("u{n}"));
    }
    wait_until("there is room for two", || {
        number(&mut con, "FLASHSALE.INFO sale", "granted") >= 1
    });
    wait_ms("some go by", 500);
    con.fields("FLASHSALE.INFO sale", "reservations_open 2, waiting 2");
    // A released one can be forgotten for another.
    con.says("FLASHSALE.RELEASE sale i-u0", "RELEASED i-u0");
    wait_until("one more has units", || has_units(&mut con, "u2"));
    con.fields("FLASHSALE.AUDIT sale", "consistent 1");
}
