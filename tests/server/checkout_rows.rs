//! **Goal**: every row of CHECKOUT's table, GRACE, and BUY's way through both tables.
//!
//! **Method**: a reservation is brought into each state and checked out, with and
//! without USER and REF; rows that apply together are set against each other. Every
//! answer that is not a first sale must leave digest and change counter alone.

use crate::support::{Con, Server, render, wait_until};

fn create(con: &mut Con, options: &str) {
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
}

#[track_caller]
fn wait_for_state(con: &mut Con, id: &str, state: &str) {
    wait_until(&format!("{id} is {state}"), || {
        con.field(&format!("FLASHSALE.GET sale {id}"), "state") == state
    });
}

#[test]
fn sells_a_live_reservation_once() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.RESERVE sale alice 2 ID r1", "RESERVED ...");
    let sold = con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", &render(&sold));
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1 USER alice",
        &render(&sold),
    );
    con.says("FLASHSALE.STOCK sale", "[default 8 0 2 0]");
    con.says("XLEN orders", "1");
}

#[test]
fn an_unknown_id_or_another_user_has_no_reservation_in_any_state() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", "NORESERVATION r1");
    con.says("FLASHSALE.RESERVE sale alice 1 ID open", "RESERVED ...");
    con.says(
        "FLASHSALE.BUY sale orders alice 1 ID sold REF p1",
        "SOLD ...",
    );
    con.says("FLASHSALE.BUY sale orders alice 1 ID refunded", "SOLD ...");
    con.says("FLASHSALE.REFUND sale orders refunded", "REFUNDED ...");
    con.says("FLASHSALE.RESERVE sale alice 1 ID released", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID expired HOLD 1",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "expired", "expired");
    for id in ["open", "sold", "refunded", "released", "expired"] {
        let line = format!("FLASHSALE.CHECKOUT sale orders {id} USER bob REF p2");
        con.refuses(&line, &format!("NORESERVATION {id}"));
    }
}

#[test]
fn another_ref_is_a_double_charge() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    let sold = con.says(
        "FLASHSALE.CHECKOUT sale orders r1 REF p1",
        "SOLD r1 (entry)",
    );
    con.refuses("FLASHSALE.CHECKOUT sale orders r1 REF p1", &render(&sold));
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", &render(&sold));
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1 REF p2",
        "ALREADYSOLD r1 p1",
    );
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1 USER alice REF p2",
        "ALREADYSOLD r1 p1",
    );
    con.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED ...");
    con.says("FLASHSALE.CHECKOUT sale orders r2", "SOLD r2 (entry)");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r2 REF p1",
        "ALREADYSOLD r2 \"\"",
    );
    con.fields("FLASHSALE.GET sale r1", "ref p1");
    con.fields("FLASHSALE.GET sale r2", "ref (nil)");
}

#[test]
fn the_payload_of_a_replay_does_not_count() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    let line = "FLASHSALE.CHECKOUT sale orders r1 REF p1 PAYLOAD";
    let sold = con.says(&format!("{line} '{{\"a\":1}}'"), "SOLD r1 (entry)");
    con.refuses(&format!("{line} '{{\"a\":2}}'"), &render(&sold));
    con.says("XLEN orders", "1");
}

#[test]
fn a_wholly_refunded_order_is_refunded_and_a_partly_refunded_one_is_sold() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    let sold = con.says(
        "FLASHSALE.BUY sale orders alice 2 ID r1 REF p1",
        "SOLD r1 (entry)",
    );
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "REFUNDED r1 (entry)",
    );
    con.refuses("FLASHSALE.CHECKOUT sale orders r1 REF p1", &render(&sold));
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1 REF p2",
        "ALREADYSOLD r1 p1",
    );
    let refunded = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1 REF p1",
        &render(&refunded),
    );
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", &render(&refunded));
}

#[test]
fn a_released_reservation_is_never_sold() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 GRACE 100000");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", "RELEASED r1");
    con.says("FLASHSALE.RELEASE sale never-seen", "RELEASED never-seen");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders never-seen",
        "RELEASED never-seen",
    );
}

#[test]
fn an_expired_reservation_without_grace_is_expired() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r1 HOLD 20",
        "RESERVED ...",
    );
    let deadline = con.field("FLASHSALE.GET sale r1", "expires_at_ms");
    wait_for_state(&mut con, "r1", "expired");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1",
        &format!("EXPIRED r1 {deadline} 0"),
    );
    con.says("FLASHSALE.STOCK sale", "[default 10 0 0 0]");
}

#[test]
fn within_grace_an_expired_reservation_is_sold() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 GRACE 100000 USERLIMIT 3");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 1",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "r1", "expired");
    con.says("FLASHSALE.STOCK sale", "[default 10 0 0 0]");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1 USER bob",
        "NORESERVATION r1",
    );
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    con.says("FLASHSALE.STOCK sale", "[default 8 0 2 0]");
    con.fields(
        "FLASHSALE.USER sale alice",
        "sold 2, reserved 0, counted 2, user_remaining 1",
    );
    con.fields(
        "FLASHSALE.INFO sale",
        "reservations_remembered 0, reservations_open 0",
    );
}

#[test]
fn grace_ends() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 GRACE 50");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 1",
        "RESERVED ...",
    );
    let deadline: u64 = con
        .field("FLASHSALE.GET sale r1", "expires_at_ms")
        .parse()
        .expect("a moment");
    wait_until("the grace is over", || con.now_ms() > deadline + 50);
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1",
        &format!("EXPIRED r1 {deadline} 0"),
    );
}

#[test]
fn grace_needs_units_and_limits_now() {
    let server = Server::any();
    let mut con = server.conn();
    create(
        &mut con,
        "ITEMS 2 a 2 b 50 GRACE 100000 USERLIMIT 10 ITEMLIMIT 10",
    );
    let late = |con: &mut Con, id: &str, line: &str| {
        con.says(
            &format!("FLASHSALE.RESERVE sale {line} ID {id} HOLD 1"),
            "RESERVED ...",
        );
        wait_for_state(con, id, "expired");
    };
    late(&mut con, "stock", "alice ITEMS 1 a 2");
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 1 ID bobs",
        "RESERVED ...",
    );
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders stock",
        "EXPIRED stock * <=100000",
    );
    con.says("FLASHSALE.RELEASE sale bobs", "RELEASED bobs");
    con.says("FLASHSALE.CHECKOUT sale orders stock", "SOLD stock *");

    late(&mut con, "user", "carol ITEMS 1 b 3");
    con.says("FLASHSALE.ALTER sale USERLIMIT 2", "OK");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders user",
        "EXPIRED user * <=100000",
    );
    con.says("FLASHSALE.ALTER sale USERLIMIT 0 ITEMLIMIT 2", "OK");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders user",
        "EXPIRED user * <=100000",
    );
    con.says("FLASHSALE.ALTER sale ITEMLIMIT 0 SALELIMIT 4", "OK");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders user",
        "EXPIRED user * <=100000",
    );
    // ORDERLIMIT is not among the limits a late checkout is held to.
    con.says("FLASHSALE.ALTER sale SALELIMIT 5 ORDERLIMIT 1", "OK");
    con.says("FLASHSALE.CHECKOUT sale orders user", "SOLD user *");
}

#[test]
fn an_expired_answer_tells_how_long_it_is_not_final_and_a_release_makes_it_so() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 2 GRACE 100000");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 1",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "r1", "expired");
    con.says("FLASHSALE.RESERVE sale bob 1 ID r2", "RESERVED ...");
    let deadline = con.field("FLASHSALE.GET sale r1", "expires_at_ms");
    let until: u64 = deadline.parse::<u64>().expect("a moment") + 100_000;
    for line in [
        "FLASHSALE.CHECKOUT sale orders r1 REF p1",
        "FLASHSALE.BUY sale orders alice 2 ID r1 REF p1",
    ] {
        let latest = until - con.now_ms();
        let answer = render(&con.says(line, &format!("EXPIRED r1 {deadline} *")));
        let left: u64 = answer
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .parse()
            .expect("a number");
        assert!(left <= latest && left >= until - con.now_ms(), "{answer}");
    }
    // RESERVE and EXTEND are no checkouts.
    for line in [
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "FLASHSALE.EXTEND sale r1 5000",
    ] {
        con.refuses(line, &format!("EXPIRED r1 {deadline}"));
    }
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.CHECKOUT sale orders r1 REF p1", "RELEASED r1");
}

#[test]
fn a_release_ends_the_grace() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 GRACE 100000");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 1",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "r1", "expired");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", "RELEASED r1");
}

#[test]
fn an_id_in_grace_is_never_forgotten_early() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 GRACE 100000 REMEMBER 0");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 1",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r2 HOLD 80",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "r2", "expired");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
}

#[test]
fn pause_end_and_close_stop_no_checkout() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    for id in ["r1", "r2", "r3"] {
        con.says(
            &format!("FLASHSALE.RESERVE sale alice 1 ID {id}"),
            "RESERVED ...",
        );
    }
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
    con.says("FLASHSALE.ALTER sale END 1000000000000", "OK");
    con.says("FLASHSALE.CHECKOUT sale orders r2", "SOLD r2 *");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("FLASHSALE.CHECKOUT sale orders r3", "SOLD r3 *");
}

#[test]
fn limits_lowered_later_stop_no_checkout_of_a_live_reservation() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 1 a 10 ITEMLIMIT 9");
    con.says("FLASHSALE.RESERVE sale alice 5 ID r1", "RESERVED ...");
    con.says(
        "FLASHSALE.ALTER sale USERLIMIT 1 ITEMLIMIT 1 ORDERLIMIT 1 SALELIMIT 1",
        "OK",
    );
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
}

#[test]
fn another_stream_or_another_type_is_an_error_before_anything_else() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    for id in ["r1", "unknown"] {
        con.fails(
            &format!("FLASHSALE.CHECKOUT sale others {id}"),
            "ERR",
            "orders",
        );
    }
    con.fails("FLASHSALE.BUY sale others alice 1", "ERR", "orders");
    con.fails("FLASHSALE.REFUND sale others r1", "ERR", "orders");
    con.says("SET orders text", "OK");
    for id in ["r1", "unknown"] {
        con.fails(
            &format!("FLASHSALE.CHECKOUT sale orders {id}"),
            "WRONGTYPE",
            "",
        );
    }
    con.fails("FLASHSALE.BUY sale orders alice 1", "WRONGTYPE", "");
    con.fails("FLASHSALE.REFUND sale orders r1", "WRONGTYPE", "");
    con.says("DEL orders", "1");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
}

#[test]
fn buys_in_one_step() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 10 b 10 USERLIMIT 4");
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 a 1 b 2 REF p1",
        "SOLD (ulid) (entry)",
    );
    con.says("FLASHSALE.STOCK sale", "[a 9 0 1 0] [b 8 0 2 0]");
    con.fields(
        "FLASHSALE.USER sale alice",
        "sold 3, reserved 0, open 0, user_remaining 1",
    );
    con.says("XLEN orders", "1");
}

#[test]
fn a_repeated_buy_is_answered_as_checkout_would() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    let sold = con.says(
        "FLASHSALE.BUY sale orders alice 2 ID r1 REF p1",
        "SOLD r1 (entry)",
    );
    con.refuses(
        "FLASHSALE.BUY sale orders alice 2 ID r1 REF p1",
        &render(&sold),
    );
    con.refuses("FLASHSALE.BUY sale orders alice 2 ID r1", &render(&sold));
    con.refuses(
        "FLASHSALE.BUY sale orders alice 2 ID r1 REF p2",
        "ALREADYSOLD r1 p1",
    );
    con.refuses(
        "FLASHSALE.BUY sale orders bob 2 ID r1 REF p1",
        "MISMATCH r1",
    );
    con.refuses(
        "FLASHSALE.BUY sale orders alice 1 ID r1 REF p1",
        "MISMATCH r1",
    );
    let refunded = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    con.refuses(
        "FLASHSALE.BUY sale orders alice 2 ID r1 REF p1",
        &render(&refunded),
    );
    con.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    con.refuses("FLASHSALE.BUY sale orders alice 1 ID r2", "RELEASED r2");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r3 HOLD 1",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "r3", "expired");
    con.refuses("FLASHSALE.BUY sale orders alice 1 ID r3", "EXPIRED r3 * 0");
}

#[test]
fn a_buy_checks_out_its_open_reservation_whatever_has_happened_to_the_sale() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 3");
    con.says("FLASHSALE.RESERVE sale alice 3 ID r1", "RESERVED ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says(
        "FLASHSALE.BUY sale orders alice 3 ID r1 REF p1",
        "SOLD r1 (entry)",
    );
    con.fields("FLASHSALE.GET sale r1", "state sold, ref p1");
    con.says("FLASHSALE.STOCK sale", "[default 0 0 3 0]");
}

#[test]
fn a_buy_within_grace_sells_the_expired_reservation() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 3 GRACE 100000");
    con.says(
        "FLASHSALE.RESERVE sale alice 3 ID r1 HOLD 1",
        "RESERVED ...",
    );
    wait_for_state(&mut con, "r1", "expired");
    con.says("FLASHSALE.BUY sale orders alice 3 ID r1", "SOLD r1 (entry)");
}

#[test]
fn a_refused_buy_leaves_no_reservation_and_no_stream() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 1");
    con.refuses(
        "FLASHSALE.BUY sale orders alice 2 ID r1",
        "SOLDOUT 1 default",
    );
    con.says("FLASHSALE.GET sale r1", "(nil)");
    con.says("EXISTS orders", "0");
}

#[test]
fn what_was_answered_as_final_stays_so_when_grace_is_raised() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 5 HOLD 20 GRACE 100000",
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale ann 1 ID r1", "RESERVED ...");
    wait_until("r1 expired", || {
        con.field("FLASHSALE.GET sale r1", "state") == "expired"
    });
    // In one transaction, where no sweep comes between.
    con.says("MULTI", "OK");
    for line in [
        "FLASHSALE.ALTER sale GRACE 0",
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.ALTER sale GRACE 100000",
        "FLASHSALE.CHECKOUT sale orders r1",
    ] {
        con.says(line, "+QUEUED");
    }
    con.says("EXEC", "OK [EXPIRED r1 * 0] OK [EXPIRED r1 * 0]");
    con.fields("FLASHSALE.GET sale r1", "state expired");
}
