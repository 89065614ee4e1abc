//! **Goal**: CREATE's options and errors, ALTER, PAUSE, RESUME, CLOSE and BIND, and
//! the key's own expiry.
//!
//! **Method**: options are set and altered, read back by INFO, and shown to bind new
//! reservations only. What changes nothing must leave digest and counter alone.

use crate::support::{Con, Server, wait_until};

fn create(con: &mut Con, options: &str) {
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
}

#[test]
fn creates_with_defaults() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.fields(
        "FLASHSALE.INFO sale",
        "orders orders, state open, userlimit (nil), itemlimit (nil), orderlimit (nil), \
         salelimit (nil), hold_ms 300000, maxhold_ms 300000, grace_ms 0, start_at_ms (nil), \
         end_at_ms (nil), keep_ms 604800000, remember_ms 600000, items 1, total 10",
    );
    con.says("PTTL sale", "-1");
    con.says("TYPE sale", "+flashsale");
    con.says("EXISTS orders", "0");
}

#[test]
fn creates_with_every_option() {
    let server = Server::any();
    let mut con = server.conn();
    let start = con.now_ms() + 1000;
    let end = start + 50_000;
    con.says(
        &format!(
            "flashsale.create sale orders items 2 a 1 b 0 userlimit 2 itemlimit 3 orderlimit 4 \
             salelimit 5 hold 6000 maxhold 7000 grace 8 start {start} end {end} keep 9 remember 10"
        ),
        "OK",
    );
    con.fields(
        "FLASHSALE.INFO sale",
        &format!(
            "state scheduled, userlimit 2, itemlimit 3, orderlimit 4, salelimit 5, hold_ms 6000, \
             maxhold_ms 7000, grace_ms 8, start_at_ms {start}, end_at_ms {end}, keep_ms 9, \
             remember_ms 10, items 2, total 1"
        ),
    );
    con.says("PEXPIRETIME sale", &(end + 7000 + 8 + 9).to_string());
}

#[test]
fn refuses_to_make_what_makes_no_sense() {
    let server = Server::any();
    let mut con = server.conn();
    con.fails(
        "FLASHSALE.CREATE sale orders STOCK 1 END 1000000000000",
        "ERR",
        "END",
    );
    let later = con.now_ms() + 100_000;
    con.fails(
        &format!("FLASHSALE.CREATE sale orders STOCK 1 START {later} END {later}"),
        "ERR",
        "",
    );
    con.fails(
        "FLASHSALE.CREATE sale orders STOCK 1 HOLD 100 MAXHOLD 99",
        "ERR",
        "MAXHOLD",
    );
    con.fails("FLASHSALE.CREATE sale orders STOCK 1 HOLD 0", "ERR", "HOLD");
    con.fails("FLASHSALE.CREATE sale orders ITEMS 2 a 1 a 2", "ERR", "a");
    con.fails("FLASHSALE.CREATE sale orders ITEMS 0", "ERR", "");
    con.fails("FLASHSALE.CREATE sale orders ITEMS 2 a 1", "ERR", "");
    con.fails(
        "FLASHSALE.CREATE sale orders STOCK 1 ITEMS 1 a 1",
        "ERR",
        "",
    );
    con.fails("FLASHSALE.CREATE sale orders USERLIMIT 1", "ERR", "");
    con.fails(
        "FLASHSALE.CREATE sale orders STOCK 1 USERLIMIT 1 USERLIMIT 2",
        "ERR",
        "USERLIMIT",
    );
    con.fails(
        "FLASHSALE.CREATE sale orders STOCK 1 NOSUCH 1",
        "ERR",
        "NOSUCH",
    );
    con.fails("FLASHSALE.CREATE sale orders STOCK 1 HOLD", "ERR", "HOLD");
    con.says("EXISTS sale", "0");
}

#[test]
fn an_existing_key_is_busy() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 1");
    con.fails("FLASHSALE.CREATE sale orders STOCK 1", "BUSYKEY", "");
    con.says("SET text x", "OK");
    con.fails("FLASHSALE.CREATE text orders STOCK 1", "BUSYKEY", "");
}

#[test]
fn the_stream_must_be_a_stream_if_it_exists() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("SET orders x", "OK");
    con.fails("FLASHSALE.CREATE sale orders STOCK 1", "WRONGTYPE", "");
    con.says("DEL orders", "1");
    con.says("XADD orders * a b", "(entry)");
    create(&mut con, "STOCK 1");
    con.says("SET text x", "OK");
    con.fails("FLASHSALE.BIND sale text", "WRONGTYPE", "");
}

#[test]
fn at_maxmemory_no_sale_is_made() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("CONFIG SET maxmemory 1", "OK");
    con.fails("FLASHSALE.CREATE sale orders STOCK 1", "OOM", "");
    con.says("CONFIG SET maxmemory 0", "OK");
}

#[test]
fn items_are_bounded_by_max_items() {
    let Some(server) = Server::own(&[], &["max-items 3"]) else {
        return;
    };
    let mut con = server.conn();
    con.fails(
        "FLASHSALE.CREATE sale orders ITEMS 4 a 1 b 1 c 1 d 1",
        "ERR",
        "",
    );
    create(&mut con, "ITEMS 3 a 1 b 1 c 1");
    con.fails("FLASHSALE.RESTOCK sale ITEMS 1 d 1 NEW", "ERR", "");
}

#[test]
fn the_defaults_of_hold_and_keep_come_from_the_configuration() {
    let Some(server) = Server::own(&[], &["default-hold-ms 12345 default-keep-ms 0"]) else {
        return;
    };
    let mut con = server.conn();
    create(&mut con, "STOCK 1");
    con.fields(
        "FLASHSALE.INFO sale",
        "hold_ms 12345, maxhold_ms 12345, keep_ms 0",
    );
    con.says("CONFIG SET flashsale.default-hold-ms 23456", "OK");
    con.says("CONFIG SET flashsale.default-keep-ms 34567", "OK");
    con.says("FLASHSALE.CREATE other orders STOCK 1", "OK");
    con.says("FLASHSALE.CREATE third orders STOCK 1 KEEP 5", "OK");
    con.fields("FLASHSALE.INFO sale", "hold_ms 12345, keep_ms 0");
    con.fields("FLASHSALE.INFO other", "hold_ms 23456, keep_ms 34567");
    con.fields("FLASHSALE.INFO third", "hold_ms 23456, keep_ms 5");
}

#[test]
fn a_window_in_another_unit_than_milliseconds_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 5");
    let before = con.digest("sale");
    for moment in ["1", "36000000", "1795203093", "1795203093000000"] {
        for option in ["START", "END"] {
            let create = format!("FLASHSALE.CREATE other orders STOCK 5 {option} {moment}");
            con.fails(&create, "ERR", option);
            let alter = format!("FLASHSALE.ALTER sale USERLIMIT 1 {option} {moment}");
            con.fails(&alter, "ERR", option);
        }
    }
    assert_eq!(con.digest("sale"), before);
    con.says("EXISTS other", "0");
    // The edges are milliseconds: March 1973 and November 2286.
    con.says(
        "FLASHSALE.ALTER sale START 100000000000 END 10000000000000",
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
}

#[test]
fn a_maxhold_of_0_follows_hold() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9 HOLD 5000 MAXHOLD 0");
    con.fields("FLASHSALE.INFO sale", "hold_ms 5000, maxhold_ms 5000");
    con.says("FLASHSALE.ALTER sale MAXHOLD 90000", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.EXTEND sale r1 80000", "RESERVED r1 @+80000 8 -1");
    con.fails("FLASHSALE.ALTER sale HOLD 90001", "ERR", "MAXHOLD");
    con.says("FLASHSALE.ALTER sale MAXHOLD 0 HOLD 90001", "OK");
    con.fields("FLASHSALE.INFO sale", "hold_ms 90001, maxhold_ms 90001");
    con.says("FLASHSALE.ALTER sale HOLD 100", "OK");
    con.fields("FLASHSALE.INFO sale", "hold_ms 100, maxhold_ms 100");
    con.refuses("FLASHSALE.ALTER sale MAXHOLD 0", "OK");
}

#[test]
fn a_module_argument_out_of_range_fails_the_load_with_a_clear_line() {
    if Server::own(&[], &[]).is_none() {
        return;
    }
    for argument in [
        "sweep-max 0",
        "default-hold-ms 0",
        "max-items 0",
        "nosuch-knob 1",
    ] {
        let name = argument.split(' ').next().expect("a name");
        let log = Server::start_in_vain(&[], &[argument]);
        assert!(log.contains(name), "{argument}:\n{log}");
    }
}

#[test]
fn alters_options_all_or_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 USERLIMIT 5 HOLD 1000");
    con.says(
        "FLASHSALE.ALTER sale USERLIMIT 0 ORDERLIMIT 3 HOLD 2000 GRACE 7 KEEP 8 REMEMBER 9",
        "OK",
    );
    con.fields(
        "FLASHSALE.INFO sale",
        "userlimit (nil), orderlimit 3, hold_ms 2000, maxhold_ms 2000, grace_ms 7, keep_ms 8, remember_ms 9",
    );
    con.fails(
        "FLASHSALE.ALTER sale ORDERLIMIT 9 NOSUCH 1",
        "ERR",
        "NOSUCH",
    );
    con.fails(
        "FLASHSALE.ALTER sale ORDERLIMIT 9 ORDERLIMIT 8",
        "ERR",
        "ORDERLIMIT",
    );
    con.fails("FLASHSALE.ALTER sale ORDERLIMIT 9 HOLD 0", "ERR", "HOLD");
    con.fails(
        "FLASHSALE.ALTER sale ORDERLIMIT 9 MAXHOLD 1999",
        "ERR",
        "MAXHOLD",
    );
    con.fails("FLASHSALE.ALTER sale STOCK 9", "ERR", "STOCK");
    con.fields("FLASHSALE.INFO sale", "orderlimit 3, hold_ms 2000");
}

#[test]
fn an_alter_that_changes_nothing_replicates_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 USERLIMIT 5");
    con.refuses("FLASHSALE.ALTER sale USERLIMIT 5", "OK");
}

#[test]
fn itemlimit_can_be_changed_but_not_introduced() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.fails("FLASHSALE.ALTER sale ITEMLIMIT 2", "ERR", "ITEMLIMIT");
    con.says("FLASHSALE.CREATE other orders STOCK 10 ITEMLIMIT 2", "OK");
    con.says("FLASHSALE.ALTER other ITEMLIMIT 3", "OK");
    con.says("FLASHSALE.RESERVE other alice 3", "RESERVED ...");
    con.says("FLASHSALE.ALTER other ITEMLIMIT 1", "OK");
    con.refuses("FLASHSALE.RESERVE other alice 1", "ITEMLIMIT 0 default");
    con.says("FLASHSALE.ALTER other ITEMLIMIT 0", "OK");
    con.says("FLASHSALE.RESERVE other alice 1", "RESERVED ...");
}

#[test]
fn limits_bind_new_reservations_only_and_remainders_are_never_negative() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.RESERVE sale alice 5 ID r1", "RESERVED r1 * 5 -1");
    con.says("FLASHSALE.ALTER sale USERLIMIT 2 SALELIMIT 3", "OK");
    con.refuses("FLASHSALE.RESERVE sale alice 5 ID r1", "RESERVED r1 * 5 0");
    con.fields("FLASHSALE.USER sale alice", "counted 5, user_remaining 0");
    con.refuses("FLASHSALE.RESERVE sale alice 1", "USERLIMIT 0");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 *");
    con.refuses("FLASHSALE.RESERVE sale bob 1", "SALELIMIT 0");
}

#[test]
fn no_deadline_moves_earlier() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 HOLD 90000");
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        "RESERVED r1 @+90000 9 -1",
    );
    let deadline = con.field("FLASHSALE.GET sale r1", "expires_at_ms");
    con.says("FLASHSALE.ALTER sale HOLD 1000", "OK");
    con.refuses(
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        &format!("RESERVED r1 {deadline} 9 -1"),
    );
    con.refuses(
        "FLASHSALE.EXTEND sale r1 5",
        &format!("RESERVED r1 {deadline} 9 -1"),
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r2",
        "RESERVED r2 @+1000 8 -1",
    );
}

#[test]
fn an_end_in_the_past_ends_the_sale_now_and_a_later_one_reopens_it() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    let before = con.now_ms();
    con.says("FLASHSALE.ALTER sale END 1000000000000", "OK");
    let end: u64 = con
        .field("FLASHSALE.INFO sale", "end_at_ms")
        .parse()
        .expect("a moment");
    assert!(end >= before && end <= con.now_ms());
    con.refuses("FLASHSALE.RESERVE sale alice 1", &format!("ENDED {end}"));
    con.fields("FLASHSALE.INFO sale", "state ended");
    let later = con.now_ms() + 100_000;
    con.says(&format!("FLASHSALE.ALTER sale END {later}"), "OK");
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
    con.says("FLASHSALE.ALTER sale END 0", "OK");
    con.fields("FLASHSALE.INFO sale", "state open, end_at_ms (nil)");
    con.says("PTTL sale", "-1");
}

#[test]
fn pauses_and_resumes() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.refuses("FLASHSALE.RESUME sale", "OK");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.fields("FLASHSALE.INFO sale", "state paused");
    con.refuses("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.RESUME sale", "OK");
    con.fields("FLASHSALE.INFO sale", "state open, paused_at_ms (nil)");
    con.refuses("FLASHSALE.RESUME sale", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
}

#[test]
fn a_paused_sale_still_expires_and_restocks() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.RESERVE sale alice 1 HOLD 30", "RESERVED ...");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED [default 11 *]");
    wait_until("it expired", || con.stock("sale") == "[default 11 0 0 0]");
}

#[test]
fn close_is_for_good() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.refuses("FLASHSALE.CLOSE sale", "OK");
    let closed = con.field("FLASHSALE.INFO sale", "closed_at_ms");
    let ended = format!("ENDED {closed}");
    con.fields("FLASHSALE.INFO sale", "state closed");
    con.refuses("FLASHSALE.RESERVE sale alice 1", &ended);
    con.refuses("FLASHSALE.PAUSE sale", &ended);
    con.refuses("FLASHSALE.RESUME sale", &ended);
    let later = con.now_ms() + 100_000;
    con.refuses(&format!("FLASHSALE.ALTER sale END {later}"), &ended);
    con.refuses("FLASHSALE.ALTER sale START 0", &ended);
    con.refuses(
        &format!("FLASHSALE.ALTER sale START {later} KEEP 5"),
        &ended,
    );
    con.says("FLASHSALE.ALTER sale KEEP 7000000", "OK");
    con.fields("FLASHSALE.INFO sale", "keep_ms 7000000, state closed");
}

#[test]
fn the_key_expires_after_the_end_the_last_deadline_grace_and_keep() {
    let server = Server::any();
    let mut con = server.conn();
    let end = con.now_ms() + 1_000_000;
    create(
        &mut con,
        &format!("STOCK 10 END {end} HOLD 1000 MAXHOLD 5000 GRACE 20 KEEP 300"),
    );
    con.says("PEXPIRETIME sale", &(end + 5320).to_string());
    con.says("FLASHSALE.ALTER sale KEEP 0", "OK");
    con.says("PEXPIRETIME sale", &(end + 5020).to_string());
    con.says("FLASHSALE.ALTER sale END 0", "OK");
    con.says("PEXPIRETIME sale", "-1");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.EXTEND sale r1 5000", "RESERVED ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    let closed: u64 = con
        .field("FLASHSALE.INFO sale", "closed_at_ms")
        .parse()
        .expect("a moment");
    con.says("PEXPIRETIME sale", &(closed + 5020).to_string());
}

#[test]
fn the_last_open_deadline_keeps_the_key() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 HOLD 90000 KEEP 10 GRACE 5");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    let deadline: u64 = con
        .field("FLASHSALE.GET sale r1", "expires_at_ms")
        .parse()
        .expect("a moment");
    // From now on reservations would last no longer than 10 ms; r1 still does.
    con.says("FLASHSALE.ALTER sale HOLD 10", "OK");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("PEXPIRETIME sale", &(deadline + 15).to_string());
}

#[test]
fn an_ended_sale_leaves_and_its_stream_stays() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10 HOLD 1 KEEP 40");
    con.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    wait_until("the key has expired", || con.int("EXISTS sale") == 0);
    con.fails("FLASHSALE.RESERVE sale alice 1", "NOSALE", "");
    con.says("XLEN orders", "1");
    create(&mut con, "STOCK 3");
    con.says("FLASHSALE.STOCK sale", "[default 3 0 0 0]");
}

#[test]
fn binds_to_another_stream() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 10");
    con.refuses("FLASHSALE.BIND sale orders", "OK");
    con.says("FLASHSALE.BIND sale orders2", "OK");
    con.fields("FLASHSALE.INFO sale", "orders orders2");
    con.fails("FLASHSALE.BUY sale orders alice 1", "ERR", "orders");
    con.says("FLASHSALE.BUY sale orders2 alice 1", "SOLD ...");
    con.says("XLEN orders2", "1");
}

#[test]
fn the_longest_durations_and_latest_moments_are_taken() {
    let server = Server::any();
    let mut con = server.conn();
    let most = 9_007_199_254_740_991_u64;
    let latest = 10_000_000_000_000_u64;
    let end = con.now_ms() + 1_000_000;
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders ITEMS 1 a {most} USERLIMIT {most} ITEMLIMIT {most} \
             ORDERLIMIT {most} SALELIMIT {most} HOLD {most} MAXHOLD {most} GRACE {most} \
             END {end} KEEP {most} REMEMBER {most}"
        ),
        "OK",
    );
    assert!(con.int("PTTL sale") > 1_000_000);
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        &format!("RESERVED r1 {most} * *"),
    );
    con.refuses(
        "FLASHSALE.EXTEND sale r1 9007199254740991",
        &format!("RESERVED r1 {most} * *"),
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r2 HOLD 1",
        "RESERVED r2 ...",
    );
    wait_until("r2 expired", || {
        con.field("FLASHSALE.GET sale r2", "state") == "expired"
    });
    con.says("FLASHSALE.CHECKOUT sale orders r2", "SOLD r2 *");
    con.says("FLASHSALE.CLOSE sale", "OK");
    assert!(con.int("PTTL sale") > 1_000_000);
    con.says(
        &format!("FLASHSALE.CREATE later orders STOCK 1 START {latest}"),
        "OK",
    );
    con.refuses(
        "FLASHSALE.RESERVE later alice 1",
        &format!("NOTSTARTED <={latest}"),
    );
}

#[test]
fn a_forged_count_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    let most = 9_007_199_254_740_991_u64;
    con.fails(
        &format!("FLASHSALE.CREATE sale orders ITEMS {most} a 1"),
        "ERR",
        "count",
    );
    create(&mut con, "ITEMS 1 a 5");
    for command in [
        "RESERVE sale alice ITEMS COUNT a 1",
        "BUY sale orders alice ITEMS COUNT a 1",
        "RESTOCK sale ITEMS COUNT a 1",
        "REFUND sale orders r1 ITEMS COUNT a 1 REF f",
    ] {
        for count in ["2", "4611686018427387904", &most.to_string()] {
            let line = format!("FLASHSALE.{}", command.replace("COUNT", count));
            con.fails(&line, "ERR", "");
        }
    }
}
