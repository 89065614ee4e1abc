//! **Goal**: a request sent twice has the effect of one and is answered as the first
//! was, brought up to date; and overdue reservations are returned in bounded steps.
//!
//! **Method**: an id is taken through every state a reservation can have, and the
//! same RESERVE is repeated in each. Time passes by reservations of a few milliseconds
//! and waiting for what they must lead to, or by `DEBUG SLEEP` inside a transaction,
//! where no timer of the server can step in between.

use crate::support::{Server, wait_until};

#[test]
fn a_repeated_reserve_is_answered_with_the_present_state() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10 USERLIMIT 5", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "RESERVED r1 @+300000 8 3",
    );
    let deadline = con.field("FLASHSALE.GET sale r1", "expires_at_ms");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED r2 * 7 2");
    // The deadline is the first one's, what is left is of now.
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        &format!("RESERVED r1 {deadline} 7 2"),
    );
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    let order = con.field("FLASHSALE.GET sale r1", "order_id");
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        &format!("SOLD r1 {order}"),
    );
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "REFUNDED r1 (entry)",
    );
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r2", "RELEASED r2");
}

#[test]
fn a_replay_of_a_refunded_order_names_the_refunds_entry() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD r1 *");
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "REFUNDED r1 *",
    );
    // Partly refunded is still sold.
    con.refuses("FLASHSALE.RESERVE sale alice 2 ID r1", "SOLD r1 *");
    let last = con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f2",
        "REFUNDED r1 *",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        &crate::support::render(&last),
    );
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders r1",
        &crate::support::render(&last),
    );
    con.refuses("FLASHSALE.RELEASE sale r1", &crate::support::render(&last));
}

#[test]
fn a_replay_of_an_expired_reservation_names_its_deadline() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 30",
        "RESERVED r1 @+30 8 -1",
    );
    let deadline = con.field("FLASHSALE.GET sale r1", "expires_at_ms");
    wait_until("r1 expired", || {
        con.field("FLASHSALE.GET sale r1", "state") == "expired"
    });
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        &format!("EXPIRED r1 {deadline}"),
    );
    con.refuses(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 999",
        &format!("EXPIRED r1 {deadline}"),
    );
    con.says("FLASHSALE.STOCK sale", "[default 10 0 0 0]");
}

#[test]
fn a_known_id_is_overdue_the_moment_its_deadline_passes() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    // Nothing but the command itself can return r1 here.
    for line in [
        "MULTI",
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 1",
        "DEBUG SLEEP 0.01",
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.EXTEND sale r1 1000",
        "FLASHSALE.STOCK sale",
    ] {
        con.run(line);
    }
    con.says(
        "EXEC",
        "[RESERVED r1 * 8 -1] OK [EXPIRED r1 *] [EXPIRED r1 * 0] [EXPIRED r1 *] [[default 10 0 0 0]]",
    );
}

#[test]
fn order_and_split_lines_and_hold_do_not_make_another_request() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 a 10 b 10", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 3 b 1 ID r1",
        "RESERVED r1 * 7 -1",
    );
    for same in ["2 b 1 a 3", "3 a 1 b 1 a 2", "4 a 1 a 1 a 1 b 1"] {
        con.refuses(
            &format!("FLASHSALE.RESERVE sale alice ITEMS {same} ID r1"),
            "RESERVED r1 * 7 -1",
        );
    }
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 3 b 1 HOLD 5 ID r1",
        "RESERVED r1 * 7 -1",
    );
}

#[test]
fn another_user_or_other_units_are_a_mismatch_in_every_state() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 10 b 10 GRACE 0",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 2 ID open",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 1 a 2 ID sold",
        "SOLD ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 1 a 2 ID refunded",
        "SOLD ...",
    );
    con.says("FLASHSALE.REFUND sale orders refunded", "REFUNDED ...");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 2 ID released",
        "RESERVED ...",
    );
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 2 ID expired HOLD 1",
        "RESERVED ...",
    );
    wait_until("it expired", || {
        con.field("FLASHSALE.GET sale expired", "state") == "expired"
    });
    for id in ["open", "sold", "refunded", "released", "expired"] {
        let mismatch = format!("MISMATCH {id}");
        for other in [
            "bob ITEMS 1 a 2",
            "alice ITEMS 1 a 1",
            "alice ITEMS 1 a 3",
            "alice ITEMS 1 b 2",
            "alice ITEMS 2 a 2 b 1",
            "alice ITEMS 1 nosuch 2",
        ] {
            con.refuses(
                &format!("FLASHSALE.RESERVE sale {other} ID {id}"),
                &mismatch,
            );
            con.refuses(
                &format!("FLASHSALE.BUY sale orders {other} ID {id}"),
                &mismatch,
            );
        }
    }
}

#[test]
fn a_retry_is_told_the_truth_after_sell_out_and_after_the_end() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 2", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders alice 1 ID r2", "SOLD ...");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED r1 * 0 -1");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED r1 * 0 -1");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r2", "SOLD r2 *");
}

#[test]
fn refusals_are_not_remembered() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1", "OK");
    con.refuses("FLASHSALE.RESERVE sale alice 2 ID r1", "SOLDOUT 1 default");
    con.says("FLASHSALE.GET sale r1", "(nil)");
    con.says("FLASHSALE.RESERVE sale bob 1 ID r1", "RESERVED r1 * 0 -1");
}

#[test]
fn ids_belong_to_one_sale() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE one orders STOCK 1", "OK");
    con.says("FLASHSALE.CREATE two orders STOCK 5", "OK");
    con.says("FLASHSALE.RESERVE one alice 1 ID r1", "RESERVED r1 * 0 -1");
    con.says("FLASHSALE.RESERVE two bob 3 ID r1", "RESERVED r1 * 2 -1");
}

#[test]
fn a_forgotten_id_can_be_used_anew() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10 REMEMBER 60", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r1", "RELEASED r1");
    wait_until("r1 is forgotten", || {
        con.show("FLASHSALE.GET sale r1") == "(nil)"
    });
    con.says("FLASHSALE.RESERVE sale bob 2 ID r1", "RESERVED r1 * 8 -1");
    con.fields(
        "FLASHSALE.INFO sale",
        "reservations_remembered 0, reservations_open 1",
    );
}

#[test]
fn a_reserve_returns_overdue_reservations_on_the_way() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 3", "OK");
    for line in [
        "MULTI",
        "FLASHSALE.RESERVE sale alice 1 HOLD 1",
        "FLASHSALE.RESERVE sale bob 2 HOLD 1",
        "DEBUG SLEEP 0.01",
        "FLASHSALE.RESERVE sale carol 3 ID r3",
    ] {
        con.run(line);
    }
    con.says("EXEC", "[RESERVED ...");
    con.fields(
        "FLASHSALE.GET sale r3",
        "state reserved, items [[default 3]]",
    );
    con.says("FLASHSALE.STOCK sale", "[default 0 3 0 0]");
}

#[test]
fn while_more_than_sweep_max_are_overdue_the_answer_is_to_retry_at_once() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("CONFIG SET flashsale.sweep-max 1", "OK");
    let overdue = |con: &mut crate::support::Con, create: &str, ask: &str| {
        con.run("DEL sale");
        con.says(&format!("FLASHSALE.CREATE sale orders {create}"), "OK");
        con.run("MULTI");
        for _ in 0..3 {
            con.run("FLASHSALE.RESERVE sale alice ITEMS 1 a 1 HOLD 1");
        }
        con.run("DEBUG SLEEP 0.01");
        con.run(ask);
        con.run(ask);
        con.run(ask);
        let replies = con.show("EXEC");
        let after = replies
            .split(" OK ")
            .nth(1)
            .expect("replies after the pause");
        after.to_owned()
    };
    let refused_twice = "[ALLRESERVED 1] [ALLRESERVED 1] [RESERVED";
    // Row 12 by stock, 8, 9, and 12 by SALELIMIT: each could be lifted by what is overdue.
    let ask = "FLASHSALE.RESERVE sale bob ITEMS 1 a 3";
    let seen = overdue(&mut con, "ITEMS 1 a 3", ask);
    assert!(seen.starts_with(refused_twice), "{seen}");
    let ask = "FLASHSALE.RESERVE sale alice ITEMS 1 a 3";
    let seen = overdue(&mut con, "ITEMS 1 a 30 USERLIMIT 3", ask);
    assert!(seen.starts_with(refused_twice), "{seen}");
    let seen = overdue(&mut con, "ITEMS 1 a 30 ITEMLIMIT 3", ask);
    assert!(seen.starts_with(refused_twice), "{seen}");
    let seen = overdue(&mut con, "ITEMS 1 a 30 SALELIMIT 3", ask);
    assert!(seen.starts_with(refused_twice), "{seen}");
    let ask = "FLASHSALE.BUY sale orders bob ITEMS 1 a 3";
    let seen = overdue(&mut con, "ITEMS 1 a 3", ask);
    assert!(
        seen.starts_with("[ALLRESERVED 1] [ALLRESERVED 1] [SOLD"),
        "{seen}"
    );
    // What no reservation stands in the way of is refused for good at once.
    let ask = "FLASHSALE.RESERVE sale bob ITEMS 1 a 4";
    let seen = overdue(&mut con, "ITEMS 1 a 3", ask);
    assert!(seen.starts_with("[SOLDOUT "), "{seen}");
    let ask = "FLASHSALE.RESERVE sale bob ITEMS 1 a 4";
    let seen = overdue(&mut con, "ITEMS 1 a 30 USERLIMIT 3", ask);
    assert!(seen.starts_with("[USERLIMIT 3]"), "{seen}");
}

#[test]
fn the_server_returns_overdue_reservations_by_itself() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 500", "OK");
    for index in 0..100 {
        let hold = 1 + index % 40;
        con.says(
            &format!("FLASHSALE.RESERVE sale u{index} 5 HOLD {hold}"),
            "RESERVED ...",
        );
    }
    wait_until("everything is on sale again", || {
        con.stock("sale") == "[default 500 0 0 0]"
    });
    con.fields(
        "FLASHSALE.INFO sale",
        "reservations_open 0, reservations_remembered 100",
    );
}

#[test]
fn expiry_gives_back_the_users_limit() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 1 a 9 USERLIMIT 2 ITEMLIMIT 2",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 2 HOLD 20 ID r1",
        "RESERVED r1 * 7 0",
    );
    wait_until("r1 expired", || {
        con.field("FLASHSALE.GET sale r1", "state") == "expired"
    });
    con.says("FLASHSALE.RESERVE sale alice 2 ID r2", "RESERVED r2 * 7 0");
}
