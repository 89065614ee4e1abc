//! **Goal**: every answer of RELEASE and of EXTEND.
//!
//! **Method**: a reservation in each state it can have, with the right user, another
//! user and none. Answers that change nothing must leave digest and counter alone.

use crate::support::{Con, Server, render, wait_until};

fn create(con: &mut Con, options: &str) {
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
}

#[track_caller]
fn reserve_until_expired(con: &mut Con, id: &str) {
    con.says(
        &format!("FLASHSALE.RESERVE sale alice 1 ID {id} HOLD 1"),
        "RESERVED ...",
    );
    wait_until(&format!("{id} expired"), || {
        con.field(&format!("FLASHSALE.GET sale {id}"), "state") == "expired"
    });
}

#[test]
fn gives_the_units_back_at_once() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 5 b 5 USERLIMIT 5");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 2 b 1 ID r1",
        "RESERVED r1 * 3 2",
    );
    con.says("FLASHSALE.RELEASE sale r1 USER alice", "RELEASED r1");
    con.says("FLASHSALE.STOCK sale", "[a 5 0 0 0] [b 5 0 0 0]");
    con.fields(
        "FLASHSALE.USER sale alice",
        "counted 0, user_remaining 5, open 0",
    );
    con.refuses("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.RELEASE sale r1 USER alice", "RELEASED r1");
}

#[test]
fn an_expired_reservation_is_released_and_stays_so() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    reserve_until_expired(&mut con, "r1");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.says("FLASHSALE.STOCK sale", "[default 5 0 0 0]");
}

#[test]
fn what_is_sold_stays_sold() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    let sold = con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD r1 (entry)");
    con.refuses("FLASHSALE.RELEASE sale r1", &render(&sold));
    con.refuses("FLASHSALE.RELEASE sale r1 USER alice", &render(&sold));
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "REFUNDED r1 *",
    );
    con.refuses("FLASHSALE.RELEASE sale r1", &render(&sold));
    let refunded = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    con.refuses("FLASHSALE.RELEASE sale r1", &render(&refunded));
}

#[test]
fn another_users_reservation_is_none_in_any_state() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.RESERVE sale alice 1 ID open", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders alice 1 ID sold", "SOLD ...");
    con.says("FLASHSALE.BUY sale orders alice 1 ID refunded", "SOLD ...");
    con.says("FLASHSALE.REFUND sale orders refunded", "REFUNDED ...");
    con.says("FLASHSALE.RESERVE sale alice 1 ID released", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    reserve_until_expired(&mut con, "expired");
    for id in ["open", "sold", "refunded", "released", "expired"] {
        let none = format!("NORESERVATION {id}");
        con.refuses(&format!("FLASHSALE.RELEASE sale {id} USER bob"), &none);
        con.refuses(&format!("FLASHSALE.EXTEND sale {id} 1000 USER bob"), &none);
    }
}

#[test]
fn a_release_that_overtakes_its_reserve_wins() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.RESERVE sale alice 2 ID r1", "RELEASED r1");
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 1 nosuch 2 ID r1",
        "RELEASED r1",
    );
    con.refuses("FLASHSALE.BUY sale orders alice 2 ID r1", "RELEASED r1");
    con.says("FLASHSALE.STOCK sale", "[default 5 0 0 0]");
    con.fields(
        "FLASHSALE.INFO sale",
        "reservations_remembered 1, reservations_open 0",
    );
    con.says("FLASHSALE.RELEASE sale r2 USER alice", "RELEASED r2");
    con.refuses("FLASHSALE.RESERVE sale alice 2 ID r2", "RELEASED r2");
    con.refuses("FLASHSALE.RELEASE sale r2 USER bob", "NORESERVATION r2");
}

#[test]
fn an_id_never_seen_is_shown_with_nothing_in_it() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.says(
        "FLASHSALE.GET sale r1",
        "state released user (nil) items [] refunded [] reserved_at_ms (nil) expires_at_ms (nil) \
         sold_at_ms (nil) released_at_ms * order_id (nil) ref (nil) number (nil) ahead (nil) \
         units [] refunds []",
    );
}

#[test]
fn a_released_id_is_forgotten_after_remember() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5 REMEMBER 50");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r1", "RELEASED r1");
    wait_until("r1 is forgotten", || {
        con.show("FLASHSALE.GET sale r1") == "(nil)"
    });
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED r1 ...");
}

#[test]
fn extends_to_now_plus_ms() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5 HOLD 10000 MAXHOLD 60000 USERLIMIT 3");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "RESERVED r1 @+10000 3 1",
    );
    con.says("FLASHSALE.EXTEND sale r1 30000", "RESERVED r1 @+30000 3 1");
    con.says(
        "FLASHSALE.EXTEND sale r1 40000 USER alice",
        "RESERVED r1 @+40000 3 1",
    );
    // A replay of the RESERVE tells the new deadline.
    let deadline = con.field("FLASHSALE.GET sale r1", "expires_at_ms");
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        &format!("RESERVED r1 {deadline} 3 1"),
    );
}

#[test]
fn never_extends_beyond_maxhold_nor_before_the_present_deadline() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5 HOLD 10000 MAXHOLD 60000");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "RESERVED r1 @+10000 3 -1",
    );
    let made: u64 = con
        .field("FLASHSALE.GET sale r1", "reserved_at_ms")
        .parse()
        .expect("a moment");
    let (first, last) = (made + 10_000, made + 60_000);
    con.refuses(
        "FLASHSALE.EXTEND sale r1 1",
        &format!("RESERVED r1 {first} 3 -1"),
    );
    con.says(
        "FLASHSALE.EXTEND sale r1 99000",
        &format!("RESERVED r1 {last} 3 -1"),
    );
    con.refuses(
        "FLASHSALE.EXTEND sale r1 99000",
        &format!("RESERVED r1 {last} 3 -1"),
    );
    con.refuses(
        "FLASHSALE.EXTEND sale r1 20000",
        &format!("RESERVED r1 {last} 3 -1"),
    );
}

#[test]
fn maxhold_follows_hold_when_not_given() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5 HOLD 10000");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 2000",
        "RESERVED r1 @+2000 3 -1",
    );
    let made: u64 = con
        .field("FLASHSALE.GET sale r1", "reserved_at_ms")
        .parse()
        .expect("a moment");
    con.says(
        "FLASHSALE.EXTEND sale r1 99000",
        &format!("RESERVED r1 {} 3 -1", made + 10_000),
    );
}

#[test]
fn an_extended_reservation_outlives_its_first_deadline() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5 HOLD 60 MAXHOLD 60000");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        "RESERVED r1 @+60 4 -1",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r2",
        "RESERVED r2 @+60 3 -1",
    );
    con.says("FLASHSALE.EXTEND sale r1 50000", "RESERVED r1 @+50000 3 -1");
    wait_until("r2 expired", || {
        con.field("FLASHSALE.GET sale r2", "state") == "expired"
    });
    con.fields("FLASHSALE.GET sale r1", "state reserved");
    con.says("FLASHSALE.STOCK sale", "[default 4 1 0 0]");
}

#[test]
fn extend_answers_for_every_other_state() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9 GRACE 100000");
    con.refuses("FLASHSALE.EXTEND sale r0 1000", "NORESERVATION r0");
    let sold = con.says("FLASHSALE.BUY sale orders alice 1 ID r1", "SOLD r1 *");
    con.refuses("FLASHSALE.EXTEND sale r1 1000", &render(&sold));
    let refunded = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 *");
    con.refuses("FLASHSALE.EXTEND sale r1 1000", &render(&refunded));
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    con.refuses("FLASHSALE.EXTEND sale r2 1000", "RELEASED r2");
    reserve_until_expired(&mut con, "r3");
    let deadline = con.field("FLASHSALE.GET sale r3", "expires_at_ms");
    // GRACE is for a CHECKOUT only.
    con.refuses(
        "FLASHSALE.EXTEND sale r3 1000",
        &format!("EXPIRED r3 {deadline}"),
    );
}

#[test]
fn pause_end_and_close_do_not_matter_to_extend_and_release() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9 HOLD 10000 MAXHOLD 90000");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.EXTEND sale r1 20000", "RESERVED r1 @+20000 8 -1");
    con.says("FLASHSALE.ALTER sale END 1000000000000", "OK");
    con.says("FLASHSALE.EXTEND sale r1 30000", "RESERVED r1 @+30000 8 -1");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("FLASHSALE.EXTEND sale r1 40000", "RESERVED r1 @+40000 8 -1");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.says("FLASHSALE.RELEASE sale never-seen", "RELEASED never-seen");
}
