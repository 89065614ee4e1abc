//! **Goal**: the numbers of RESERVE's answers: deadlines, what is left, how each limit
//! counts, when a refusal is final, and what happens at the bounds of memory.
//!
//! **Method**: small sales in which every number can be worked out by hand.

use crate::support::{Server, wait_until};

#[test]
fn reserves_and_tells_deadline_and_what_is_left() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10 HOLD 60000", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        "RESERVED r1 @+60000 9 -1",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob 2",
        "RESERVED (ulid) @+60000 7 -1",
    );
    con.says("FLASHSALE.STOCK sale", "[default 7 3 0 0]");
    con.says("FLASHSALE.CREATE limited orders STOCK 10 USERLIMIT 4", "OK");
    con.says(
        "FLASHSALE.RESERVE limited alice 3",
        "RESERVED (ulid) @+300000 7 1",
    );
}

#[test]
fn makes_a_different_id_each_time() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    let mut ids: Vec<String> = (0..200)
        .map(|_| crate::support::render(&con.run("FLASHSALE.RESERVE sale alice 1")))
        .collect();
    ids.iter_mut()
        .for_each(|reply| *reply = reply.split(' ').nth(1).expect("an id").to_owned());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 200);
}

#[test]
fn remaining_is_the_fewest_left_of_any_item_asked_for() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 3 a 10 b 5 c 1", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 1 b 1 ID r1",
        "RESERVED r1 * 4 -1",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 1 ID r2",
        "RESERVED r2 * 8 -1",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 c 1 a 1 ID r3",
        "RESERVED r3 * 0 -1",
    );
}

#[test]
fn sums_the_same_sku_before_it_looks_at_limits_and_stock() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 1 a 10 ORDERLIMIT 5",
        "OK",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 3 a 3",
        "ORDERLIMIT 5",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 2 a 3 ID r1",
        "RESERVED r1 * 5 -1",
    );
    con.fields("FLASHSALE.GET sale r1", "items [[a 5]]");
    con.says("FLASHSALE.ALTER sale ORDERLIMIT 0", "OK");
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 3 a 8",
        "SOLDOUT 5 a",
    );
    let huge = 9_007_199_254_740_991_u64;
    con.fails(
        &format!("FLASHSALE.RESERVE sale alice ITEMS 2 a {huge} a {huge}"),
        "ERR",
        "qty",
    );
}

#[test]
fn a_cart_is_reserved_wholly_or_not_at_all() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 a 10 b 1", "OK");
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 1 b 2",
        "SOLDOUT 1 b",
    );
    con.says("FLASHSALE.STOCK sale", "[a 10 0 0 0] [b 1 0 0 0]");
}

#[test]
fn within_a_row_names_the_first_sku_as_asked() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 1 b 1 ITEMLIMIT 100",
        "OK",
    );
    con.refuses("FLASHSALE.RESERVE sale u ITEMS 2 a 9 b 9", "SOLDOUT 1 a");
    con.refuses("FLASHSALE.RESERVE sale u ITEMS 2 b 9 a 9", "SOLDOUT 1 b");
    con.says("FLASHSALE.RESERVE sale bob ITEMS 2 a 1 b 1", "RESERVED ...");
    con.refuses(
        "FLASHSALE.RESERVE sale u ITEMS 2 b 1 a 1",
        "ALLRESERVED <=300000 b",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale u ITEMS 2 a 1 b 1",
        "ALLRESERVED <=300000 a",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale u ITEMS 2 b 200 a 200",
        "ITEMLIMIT 100 b",
    );
    con.fails("FLASHSALE.RESERVE sale u ITEMS 3 a 1 y 1 z 1", "NOSKU", "y");
}

#[test]
fn a_bare_quantity_means_default_or_the_only_item() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE one orders ITEMS 1 a 5", "OK");
    con.says("FLASHSALE.RESERVE one alice 2", "RESERVED * * 3 -1");
    con.says("FLASHSALE.CREATE two orders ITEMS 2 a 5 default 7", "OK");
    con.says("FLASHSALE.RESERVE two alice 2", "RESERVED * * 5 -1");
    con.says("FLASHSALE.STOCK two", "[a 5 0 0 0] [default 5 2 0 0]");
    con.says("FLASHSALE.CREATE neither orders ITEMS 2 a 5 b 7", "OK");
    con.fails("FLASHSALE.RESERVE neither alice 2", "NOSKU", "");
}

#[test]
fn cuts_a_longer_hold_and_takes_a_shorter_one() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 10 HOLD 50000 MAXHOLD 90000",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 1 HOLD 60000",
        "RESERVED * @+50000 9 -1",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 1 HOLD 40000",
        "RESERVED * @+40000 8 -1",
    );
}

#[test]
fn the_window_opens_at_start_and_shuts_at_end() {
    let server = Server::any();
    let mut con = server.conn();
    let start = con.now_ms() + 150;
    let end = start + 300;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 100000 START {start} END {end}"),
        "OK",
    );
    con.refuses("FLASHSALE.RESERVE sale alice 1", "NOTSTARTED <=150");
    wait_until("the sale has started", || {
        con.show("FLASHSALE.RESERVE sale alice 1")
            .starts_with("RESERVED")
    });
    assert!(con.now_ms() >= start);
    wait_until("the sale has ended", || {
        !con.show("FLASHSALE.RESERVE sale alice 1")
            .starts_with("RESERVED")
    });
    assert!(con.now_ms() >= end);
    con.refuses("FLASHSALE.RESERVE sale alice 1", &format!("ENDED {end}"));
}

#[test]
fn ended_and_paused_tell_since_when() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.PAUSE sale", "OK");
    let paused = con.field("FLASHSALE.INFO sale", "paused_at_ms");
    con.refuses(
        "FLASHSALE.RESERVE sale alice 1",
        &format!("PAUSED {paused}"),
    );
    con.says("FLASHSALE.CLOSE sale", "OK");
    let closed = con.field("FLASHSALE.INFO sale", "closed_at_ms");
    con.refuses("FLASHSALE.RESERVE sale alice 1", &format!("ENDED {closed}"));
}

#[test]
fn userlimit_counts_what_is_reserved_and_bought() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 10 b 10 USERLIMIT 3",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 1 ID r1",
        "RESERVED r1 * 9 2",
    );
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 b 1 ID r2",
        "RESERVED r2 * 9 1",
    );
    con.refuses("FLASHSALE.RESERVE sale alice ITEMS 1 a 2", "USERLIMIT 1");
    con.says("FLASHSALE.RESERVE sale bob ITEMS 1 a 3", "RESERVED * * 6 0");
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 2",
        "RESERVED * * 4 0",
    );
    con.refuses("FLASHSALE.RESERVE sale alice ITEMS 1 a 1", "USERLIMIT 0");
}

#[test]
fn itemlimit_counts_each_sku_alone() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 10 b 10 ITEMLIMIT 2",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 2 b 1 ID r1",
        "RESERVED r1 * 8 -1",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 2 b 1 a 1",
        "ITEMLIMIT 0 a",
    );
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
    con.refuses("FLASHSALE.RESERVE sale alice ITEMS 1 b 2", "ITEMLIMIT 1 b");
    con.says("FLASHSALE.RESERVE sale alice ITEMS 1 b 1", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale bob ITEMS 1 a 2", "RESERVED ...");
}

#[test]
fn salelimit_is_final_by_what_is_sold_and_else_all_reserved_without_a_sku() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 100 b 100 SALELIMIT 5",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 3 ID r1",
        "RESERVED ...",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 1 b 3",
        "ALLRESERVED <=300000",
    );
    con.refuses("FLASHSALE.RESERVE sale alice ITEMS 1 b 6", "SALELIMIT 5");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
    con.refuses("FLASHSALE.RESERVE sale alice ITEMS 1 b 3", "SALELIMIT 2");
    con.says("FLASHSALE.RESERVE sale alice ITEMS 1 b 2", "RESERVED ...");
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 1 b 1",
        "ALLRESERVED <=300000",
    );
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 *");
    con.says("FLASHSALE.RESERVE sale alice ITEMS 1 b 3", "RESERVED ...");
}

#[test]
fn soldout_only_when_open_reservations_could_not_make_up_the_rest() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5 HOLD 70000", "OK");
    con.says("FLASHSALE.RESERVE sale bob 3 ID r1", "RESERVED ...");
    con.refuses(
        "FLASHSALE.RESERVE sale alice 5",
        "ALLRESERVED <=70000 default",
    );
    con.refuses("FLASHSALE.RESERVE sale alice 6", "SOLDOUT 2 default");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
    con.refuses("FLASHSALE.RESERVE sale alice 3", "SOLDOUT 2 default");
    con.says("FLASHSALE.RESERVE sale alice 2", "RESERVED ...");
    con.refuses(
        "FLASHSALE.RESERVE sale carol 1",
        "ALLRESERVED <=70000 default",
    );
}

#[test]
fn retry_in_ms_is_the_next_deadline_of_the_sale() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 a 1 b 1", "OK");
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 1 HOLD 90000",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 b 1 HOLD 200",
        "RESERVED ...",
    );
    // b's deadline comes first; it is a lower bound, not a promise about a.
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 1",
        "ALLRESERVED <=200 a",
    );
    wait_until("b is on sale again", || {
        con.stock("sale").contains("[b 1 0 0 0]")
    });
    con.refuses(
        "FLASHSALE.RESERVE sale alice ITEMS 1 a 1",
        "ALLRESERVED <=90000 a",
    );
}

#[test]
fn at_maxmemory_a_retry_learns_what_it_has() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED r1 * 9 -1");
    con.says("FLASHSALE.BUY sale orders bob 1 ID r2", "SOLD r2 *");
    con.says("CONFIG SET maxmemory 1", "OK");
    con.fails("FLASHSALE.RESERVE sale alice 1 ID r3", "OOM", "");
    con.fails("FLASHSALE.BUY sale orders alice 1 ID r3", "OOM", "");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED r1 * 8 -1");
    con.refuses("FLASHSALE.RESERVE sale bob 1 ID r2", "SOLD r2 (entry)");
    con.refuses("FLASHSALE.BUY sale orders bob 1 ID r2", "SOLD r2 (entry)");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    con.says("CONFIG SET maxmemory 0", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r3", "RESERVED r3 * 7 -1");
}

#[test]
fn at_max_reservations_the_oldest_remembered_makes_room_and_else_oom() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    for id in ["r1", "r2", "r3"] {
        con.says(
            &format!("FLASHSALE.RESERVE sale alice 1 ID {id}"),
            "RESERVED ...",
        );
    }
    con.says("FLASHSALE.CHECKOUT sale orders r3", "SOLD r3 *");
    con.says("CONFIG SET flashsale.max-reservations 3", "OK");
    con.fails("FLASHSALE.RESERVE sale alice 1 ID r4", "OOM", "");
    con.fails("FLASHSALE.BUY sale orders alice 1 ID r4", "OOM", "");
    con.fails("FLASHSALE.RELEASE sale r4", "OOM", "");
    con.refuses("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED r1 ...");
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r4", "RESERVED r4 * 8 -1");
    con.says("FLASHSALE.GET sale r2", "(nil)");
    con.fields("FLASHSALE.GET sale r1", "state released");
    con.says("FLASHSALE.RELEASE sale r5", "RELEASED r5");
    con.says("FLASHSALE.GET sale r1", "(nil)");
    con.says("FLASHSALE.BUY sale orders alice 1 ID r6", "SOLD r6 *");
    con.says("FLASHSALE.GET sale r5", "(nil)");
    con.fails("FLASHSALE.RESERVE sale alice 1 ID r7", "OOM", "");
}

#[test]
fn a_server_that_evicts_other_keys_goes_on_to_reserve() {
    // Where keys may be evicted, the server is a little above `maxmemory` all the time;
    // that is no reason to refuse a buyer as long as it can make room.
    let Some(server) = Server::own(&["--maxmemory-policy volatile-lru"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100000", "OK");
    for n in 0..3_000 {
        con.says(&format!("SET old{n} {n:0200} EX 100000"), "OK");
    }
    let used: u64 = con.info("memory", "used_memory").parse().expect("bytes");
    con.says(&format!("CONFIG SET maxmemory {}", used + 20_000), "OK");
    for n in 0..1_000 {
        con.says(&format!("SET new{n} {n:0150} EX 10000"), "OK");
        con.says(
            &format!("FLASHSALE.RESERVE sale user{n} 1 ID id{n}"),
            "RESERVED ...",
        );
    }
    assert_ne!(
        con.info("stats", "evicted_keys"),
        "0",
        "the server had to evict"
    );
}
