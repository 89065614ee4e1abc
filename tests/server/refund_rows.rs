//! **Goal**: every answer of REFUND and of RESTOCK, and what they do to the stock.
//!
//! **Method**: orders of one and of several SKUs are refunded wholly and in parts,
//! with and without REF; stock is added and taken away. The conservation law (total =
//! available + reserved + sold) is read back from STOCK and INFO.

use crate::support::{Con, Server, render, wait_until};

fn create(con: &mut Con, options: &str) {
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
}

#[test]
fn takes_a_whole_order_back_and_puts_the_units_on_sale() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 5 b 5");
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 a 2 b 1 ID r1",
        "SOLD ...",
    );
    let refunded = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    con.says("FLASHSALE.STOCK sale", "[a 5 0 0 0] [b 5 0 0 0]");
    con.fields(
        "FLASHSALE.GET sale r1",
        "state refunded, items [[a 2] [b 1]], refunded [[a 2] [b 1]]",
    );
    // Again, without REF: the same answer and no second refund.
    con.refuses("FLASHSALE.REFUND sale orders r1", &render(&refunded));
    con.says("XLEN orders", "2");
}

#[test]
fn takes_parts_back_each_under_its_ref() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 9 b 9");
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 a 3 b 2 ID r1",
        "SOLD ...",
    );
    let one = con.says(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 a 1 REF f1",
        "REFUNDED r1 (entry)",
    );
    con.fields("FLASHSALE.GET sale r1", "state sold, refunded [[a 1]]");
    con.says("FLASHSALE.STOCK sale", "[a 7 0 2 0] [b 7 0 2 0]");
    let two = con.says(
        "FLASHSALE.REFUND sale orders r1 ITEMS 2 b 1 a 1 REF f2",
        "REFUNDED r1 (entry)",
    );
    assert_ne!(render(&one), render(&two));
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 a 1 REF f1",
        &render(&one),
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 2 a 1 b 1 REF f2",
        &render(&two),
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 a 1 REF f2",
        "MISMATCH r1",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 b 1 REF f1",
        "MISMATCH r1",
    );
    let rest = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    con.fields(
        "FLASHSALE.GET sale r1",
        "state refunded, refunded [[a 3] [b 2]]",
    );
    con.says("FLASHSALE.STOCK sale", "[a 9 0 0 0] [b 9 0 0 0]");
    con.refuses("FLASHSALE.REFUND sale orders r1", &render(&rest));
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 a 1 REF f1",
        &render(&one),
    );
    con.says("XLEN orders", "4");
}

#[test]
fn a_ref_with_other_flags_is_another_request() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9 USERLIMIT 9");
    con.says("FLASHSALE.BUY sale orders ann 6 ID r1", "SOLD ...");
    let asked = ["", "NORESTOCK", "RESTORELIMIT", "NORESTOCK RESTORELIMIT"];
    for (at, flags) in asked.iter().enumerate() {
        let line = format!("FLASHSALE.REFUND sale orders r1 QTY 1 REF f{at}");
        let first = con.says(&format!("{line} {flags}"), "REFUNDED r1 (entry)");
        for others in asked {
            let answer = if others == *flags {
                render(&first)
            } else {
                "MISMATCH r1".to_owned()
            };
            con.refuses(&format!("{line} {others}"), &answer);
        }
    }
    con.says("DEBUG RELOAD", "OK");
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "MISMATCH r1",
    );
    // After the end nothing goes back on sale, which nobody has asked for.
    con.says("FLASHSALE.CLOSE sale", "OK");
    let line = "FLASHSALE.REFUND sale orders r1 QTY 1 REF late";
    let first = con.says(line, "REFUNDED r1 (entry)");
    con.refuses(line, &render(&first));
    con.refuses(&format!("{line} NORESTOCK"), "MISMATCH r1");
    let line = "FLASHSALE.REFUND sale orders r1 REF all NORESTOCK";
    let last = con.says(line, "REFUNDED r1 (entry)");
    con.refuses(line, &render(&last));
    con.refuses("FLASHSALE.REFUND sale orders r1 REF all", "MISMATCH r1");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn qty_means_the_only_sku_of_the_order() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 9 b 9");
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 1 b 3 ID r1",
        "SOLD ...",
    );
    let one = con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 2 REF f1",
        "REFUNDED r1 (entry)",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 2 REF f1",
        &render(&one),
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 b 2 REF f1",
        &render(&one),
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "MISMATCH r1",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 2 REF f2",
        "NOTSOLD 1 b",
    );
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 a 1 b 1 ID r2",
        "SOLD ...",
    );
    con.fails("FLASHSALE.REFUND sale orders r2 QTY 1 REF f1", "ERR", "QTY");
}

#[test]
fn the_same_ref_belongs_to_each_order_alone() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD ...");
    con.says("FLASHSALE.BUY sale orders bob 2 ID r2", "SOLD ...");
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "REFUNDED r1 (entry)",
    );
    con.says(
        "FLASHSALE.REFUND sale orders r2 QTY 2 REF f1",
        "REFUNDED r2 (entry)",
    );
    con.fields("FLASHSALE.GET sale r1", "state sold");
    con.fields("FLASHSALE.GET sale r2", "state refunded");
}

#[test]
fn a_whole_refund_with_a_ref_is_replayed() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD ...");
    let all = con.says(
        "FLASHSALE.REFUND sale orders r1 REF f1",
        "REFUNDED r1 (entry)",
    );
    con.refuses("FLASHSALE.REFUND sale orders r1 REF f1", &render(&all));
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 2 REF f1",
        &render(&all),
    );
    con.refuses("FLASHSALE.REFUND sale orders r1", &render(&all));
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "MISMATCH r1",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f2",
        "NOTSOLD 0 default",
    );
}

#[test]
fn more_than_is_left_or_another_sku_is_not_sold() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 3 a 9 b 9 c 9");
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 a 2 b 1 ID r1",
        "SOLD ...",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 a 3 REF f1",
        "NOTSOLD 2 a",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 2 a 1 b 2 REF f1",
        "NOTSOLD 1 b",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 2 a 1 a 2 REF f1",
        "NOTSOLD 2 a",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 c 1 REF f1",
        "NOTSOLD 0 c",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 ITEMS 2 a 1 nosuch 1 REF f1",
        "NOTSOLD 0 nosuch",
    );
    con.says(
        "FLASHSALE.STOCK sale",
        "[a 7 0 2 0] [b 8 0 1 0] [c 9 0 0 0]",
    );
}

#[test]
fn what_was_never_sold_is_not_refunded() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.RESERVE sale alice 1 ID open", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale alice 1 ID released", "RESERVED ...");
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    con.says("FLASHSALE.RELEASE sale unseen", "RELEASED unseen");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID expired HOLD 1",
        "RESERVED ...",
    );
    wait_until("it expired", || {
        con.field("FLASHSALE.GET sale expired", "state") == "expired"
    });
    for id in ["open", "released", "unseen", "expired"] {
        con.refuses(&format!("FLASHSALE.REFUND sale orders {id}"), "NOTSOLD 0");
        con.refuses(
            &format!("FLASHSALE.REFUND sale orders {id} QTY 1 REF f"),
            "NOTSOLD 0",
        );
    }
    for id in ["open", "released", "expired"] {
        let line = format!("FLASHSALE.REFUND sale orders {id} USER bob");
        con.refuses(&line, &format!("NORESERVATION {id}"));
    }
    con.refuses(
        "FLASHSALE.REFUND sale orders unknown",
        "NORESERVATION unknown",
    );
    con.says("EXISTS orders", "0");
}

#[test]
fn refunds_only_the_users_own_order_when_a_user_is_named() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD ...");
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 USER bob",
        "NORESERVATION r1",
    );
    con.refuses(
        "FLASHSALE.REFUND sale orders r1 QTY 9 REF f1 USER bob",
        "NORESERVATION r1",
    );
    con.says(
        "FLASHSALE.REFUND sale orders r1 USER alice",
        "REFUNDED r1 (entry)",
    );
}

#[test]
fn units_without_a_ref_are_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD ...");
    con.fails("FLASHSALE.REFUND sale orders r1 QTY 1", "ERR", "REF");
    con.fails(
        "FLASHSALE.REFUND sale orders r1 ITEMS 1 default 1",
        "ERR",
        "REF",
    );
    con.fails(
        "FLASHSALE.REFUND sale orders r1 QTY 1 ITEMS 1 default 1 REF f",
        "ERR",
        "",
    );
    con.fails("FLASHSALE.REFUND sale orders r1 QTY 0 REF f", "ERR", "QTY");
}

#[test]
fn norestock_takes_the_units_out_of_the_sale() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    con.says("FLASHSALE.BUY sale orders alice 3 ID r1", "SOLD ...");
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1 NORESTOCK",
        "REFUNDED r1 *",
    );
    con.says("FLASHSALE.STOCK sale", "[default 6 0 2 0]");
    con.fields(
        "FLASHSALE.INFO sale",
        "total 8, sold 2, refunded 1, available 6",
    );
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 *");
    con.fields(
        "FLASHSALE.INFO sale",
        "total 8, sold 0, refunded 3, available 8",
    );
}

#[test]
fn after_the_end_refunded_units_are_not_sold_again() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    for id in ["r1", "r2", "r3"] {
        con.says(
            &format!("FLASHSALE.BUY sale orders alice 1 ID {id}"),
            "SOLD ...",
        );
    }
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 *");
    con.says("FLASHSALE.STOCK sale", "[default 7 0 2 0]");
    con.says("FLASHSALE.ALTER sale END 1000000000000", "OK");
    con.says("FLASHSALE.REFUND sale orders r2", "REFUNDED r2 *");
    con.says("FLASHSALE.STOCK sale", "[default 7 0 1 0]");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("FLASHSALE.REFUND sale orders r3", "REFUNDED r3 *");
    con.says("FLASHSALE.STOCK sale", "[default 7 0 0 0]");
    con.fields("FLASHSALE.INFO sale", "total 7, refunded 3");
}

#[test]
fn refunded_units_count_against_the_limits_unless_restored() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 1 a 9 USERLIMIT 3 ITEMLIMIT 3");
    con.says("FLASHSALE.BUY sale orders alice 3 ID r1", "SOLD ...");
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f1",
        "REFUNDED r1 *",
    );
    con.fields(
        "FLASHSALE.USER sale alice",
        "sold 2, counted 3, user_remaining 0",
    );
    con.refuses("FLASHSALE.RESERVE sale alice 1", "USERLIMIT 0");
    con.says(
        "FLASHSALE.REFUND sale orders r1 QTY 1 REF f2 RESTORELIMIT",
        "REFUNDED r1 *",
    );
    con.fields(
        "FLASHSALE.USER sale alice",
        "sold 1, counted 2, user_remaining 1",
    );
    con.says("FLASHSALE.ALTER sale USERLIMIT 0", "OK");
    con.refuses("FLASHSALE.RESERVE sale alice 2", "ITEMLIMIT 1 a");
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
}

#[test]
fn restocks_and_takes_stock_away() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    con.says("FLASHSALE.RESERVE sale alice 2", "RESERVED ...");
    con.says("FLASHSALE.RESTOCK sale 10", "RESTOCKED [default 15 13]");
    con.says("FLASHSALE.RESTOCK sale -3", "RESTOCKED [default 12 10]");
    con.refuses("FLASHSALE.RESTOCK sale -11", "TOOFEW 10 default");
    con.says("FLASHSALE.RESTOCK sale -10", "RESTOCKED [default 2 0]");
    con.says("FLASHSALE.STOCK sale", "[default 0 2 0 0]");
}

#[test]
fn restocks_several_items_or_none() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 5 b 5");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 2 b 2 a -1",
        "RESTOCKED [b 7 7] [a 4 4]",
    );
    con.refuses("FLASHSALE.RESTOCK sale ITEMS 2 a 3 b -8", "TOOFEW 7 b");
    con.fails("FLASHSALE.RESTOCK sale ITEMS 2 a 3 c 1", "NOSKU", "c");
    con.fails("FLASHSALE.RESTOCK sale 1", "NOSKU", "");
    con.says("FLASHSALE.STOCK sale", "[a 4 0 0 0] [b 7 0 0 0]");
}

#[test]
fn new_items_need_new_and_a_positive_delta() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 1 a 5");
    con.fails("FLASHSALE.RESTOCK sale ITEMS 1 c 3", "NOSKU", "c");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 2 c 3 a 1 NEW",
        "RESTOCKED [c 3 3] [a 6 6]",
    );
    con.says("FLASHSALE.STOCK sale", "[a 6 0 0 0] [c 3 0 0 0]");
    con.fails("FLASHSALE.RESTOCK sale ITEMS 1 d -3 NEW", "NOSKU", "d");
    con.says("FLASHSALE.RESERVE sale alice ITEMS 1 c 1", "RESERVED ...");
}

#[test]
fn a_restock_is_replayed_by_its_ref() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "ITEMS 2 a 5 b 5");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 2 a 5 b 1 REF truck",
        "RESTOCKED [a 10 10] [b 6 6]",
    );
    con.says("FLASHSALE.RESERVE sale alice ITEMS 1 a 2", "RESERVED ...");
    con.refuses(
        "FLASHSALE.RESTOCK sale ITEMS 2 a 5 b 1 REF truck",
        "RESTOCKED [a 10 8] [b 6 6]",
    );
    con.refuses(
        "FLASHSALE.RESTOCK sale ITEMS 2 a 5 b 2 REF truck",
        "MISMATCH truck",
    );
    con.refuses(
        "FLASHSALE.RESTOCK sale ITEMS 1 a 5 REF truck",
        "MISMATCH truck",
    );
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 a 5 REF truck2",
        "RESTOCKED [a 15 13]",
    );
    // A refused restock is not remembered.
    con.refuses(
        "FLASHSALE.RESTOCK sale ITEMS 1 a -99 REF truck3",
        "TOOFEW 13 a",
    );
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 a 1 REF truck3",
        "RESTOCKED [a 16 14]",
    );
}

#[test]
fn the_last_thousand_refs_of_restocks_are_remembered() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    for index in 0..=1000 {
        con.says(
            &format!("FLASHSALE.RESTOCK sale 1 REF f{index}"),
            "RESTOCKED ...",
        );
    }
    con.refuses(
        "FLASHSALE.RESTOCK sale 1 REF f1",
        "RESTOCKED [default 1006 1006]",
    );
    con.refuses(
        "FLASHSALE.RESTOCK sale 1 REF f1000",
        "RESTOCKED [default 1006 1006]",
    );
    con.says(
        "FLASHSALE.RESTOCK sale 1 REF f0",
        "RESTOCKED [default 1007 1007]",
    );
}

#[test]
fn stock_and_its_sum_over_the_sale_stay_exact_integers() {
    let server = Server::any();
    let mut con = server.conn();
    let most = 9_007_199_254_740_991_u64;
    con.fails(
        &format!("FLASHSALE.CREATE sale orders ITEMS 2 a {most} b 1"),
        "ERR",
        "",
    );
    create(&mut con, &format!("ITEMS 2 a {} b 1", most - 1));
    con.fails("FLASHSALE.RESTOCK sale ITEMS 1 b 1", "ERR", "");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 a -1",
        &format!("RESTOCKED [a {0} {0}]", most - 2),
    );
    con.says("FLASHSALE.RESTOCK sale ITEMS 1 b 1", "RESTOCKED [b 2 2]");
    con.says(
        &format!("FLASHSALE.RESERVE sale u ITEMS 1 a {}", most - 2),
        "RESERVED * * 0 -1",
    );
}

#[test]
fn the_parts_of_a_restock_are_summed_exactly_in_whatever_order() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 a 0", "OK");
    const MOST: i64 = 9_007_199_254_740_991;
    // So many of the largest that a sum of 64 bits saturates on the way.
    let line = |parts: &[(i64, usize)]| {
        let parts = parts
            .iter()
            .map(|&(delta, times)| format!("a {delta} ").repeat(times));
        let parts: String = parts.collect();
        let count = parts.split_whitespace().count() / 2;
        format!("FLASHSALE.RESTOCK sale ITEMS {count} {parts}")
    };
    con.says(
        &line(&[(MOST, 1_025), (-MOST, 1_025), (7, 1)]),
        "RESTOCKED [a 7 7]",
    );
    con.says(
        &line(&[(-MOST, 1_025), (5, 1), (MOST, 1_025)]),
        "RESTOCKED [a 12 12]",
    );
    con.says(
        &line(&[(-MOST, 1), (MOST, 1), (-3, 1)]),
        "RESTOCKED [a 9 9]",
    );
    for parts in [
        [(MOST, 1), (1, 1)],
        [(-1, 1), (-MOST, 1)],
        [(1, 1), (MOST, 1_025)],
    ] {
        con.fails(&line(&parts), "ERR", "delta");
    }
    con.says("FLASHSALE.STOCK sale", "[a 9 0 0 0]");
}
