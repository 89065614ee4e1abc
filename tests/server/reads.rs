//! **Goal**: the replies of STOCK, GET, USER, INFO and SCAN, in RESP2 and RESP3, and
//! that a read changes nothing.
//!
//! **Method**: a sale with a reservation in every state is read whole. SCAN is run
//! while reservations come and go: what was there all the time must be seen.

use std::collections::BTreeSet;

use redis::Value;

use crate::support::{Con, Server, render, text_of, wait_until};

/// A sale with one reservation in each state; each is named after its state.
fn every_state(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 100 b 50 USERLIMIT 40",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 3 b 1 ID reserved",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 b 2 a 4 ID sold REF p1",
        "SOLD ...",
    );
    con.says(
        "FLASHSALE.REFUND sale orders sold ITEMS 1 a 1 REF f1",
        "REFUNDED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders bob ITEMS 1 a 5 ID refunded",
        "SOLD ...",
    );
    con.says("FLASHSALE.REFUND sale orders refunded", "REFUNDED ...");
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 6 ID released",
        "RESERVED ...",
    );
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    con.says(
        "FLASHSALE.RESERVE sale carol ITEMS 1 a 7 ID expired HOLD 1",
        "RESERVED ...",
    );
    wait_until("it expired", || {
        con.field("FLASHSALE.GET sale expired", "state") == "expired"
    });
}

#[test]
fn stock_tells_of_the_skus_asked_for_in_their_order() {
    let server = Server::any();
    let mut con = server.conn();
    every_state(&mut con);
    con.refuses("FLASHSALE.STOCK sale", "[a 94 3 3 0] [b 47 1 2 0]");
    con.refuses("FLASHSALE.STOCK sale b", "[b 47 1 2 0]");
    con.refuses(
        "FLASHSALE.STOCK sale b nosuch a b",
        "[b 47 1 2 0] (nil) [a 94 3 3 0] [b 47 1 2 0]",
    );
}

#[test]
fn get_is_a_whole_map_in_every_state() {
    let server = Server::any();
    let mut con = server.conn();
    every_state(&mut con);
    con.refuses("FLASHSALE.GET sale nosuch", "(nil)");
    con.refuses(
        "FLASHSALE.GET sale reserved",
        "state reserved user alice items [[a 3] [b 1]] refunded [] reserved_at_ms * \
         expires_at_ms * sold_at_ms (nil) released_at_ms (nil) order_id (nil) ref (nil) number (nil) ahead (nil) units [] refunds ...",
    );
    con.refuses(
        "FLASHSALE.GET sale sold",
        "state sold user alice items [[b 2] [a 4]] refunded [[a 1]] reserved_at_ms * \
         expires_at_ms (nil) sold_at_ms * released_at_ms (nil) order_id (entry) ref p1 number (nil) ahead (nil) units [] refunds ...",
    );
    con.refuses(
        "FLASHSALE.GET sale refunded",
        "state refunded user bob items [[a 5]] refunded [[a 5]] reserved_at_ms * \
         expires_at_ms (nil) sold_at_ms * released_at_ms (nil) order_id (entry) ref (nil) number (nil) ahead (nil) units [] refunds ...",
    );
    con.refuses(
        "FLASHSALE.GET sale released",
        "state released user bob items [[a 6]] refunded [] reserved_at_ms * \
         expires_at_ms * sold_at_ms (nil) released_at_ms * order_id (nil) ref (nil) number (nil) ahead (nil) units [] refunds ...",
    );
    con.refuses(
        "FLASHSALE.GET sale expired",
        "state expired user carol items [[a 7]] refunded [] reserved_at_ms * \
         expires_at_ms * sold_at_ms (nil) released_at_ms (nil) order_id (nil) ref (nil) number (nil) ahead (nil) units [] refunds ...",
    );
}

#[test]
fn the_moments_of_get_are_those_of_the_commands() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10 HOLD 5000", "OK");
    let before = con.now_ms();
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED ...");
    let sold = con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    let after = con.now_ms();
    let mut moment = |id: &str, name: &str| -> u64 {
        con.field(&format!("FLASHSALE.GET sale {id}"), name)
            .parse()
            .expect("a moment")
    };
    for (id, name) in [
        ("r1", "reserved_at_ms"),
        ("r1", "sold_at_ms"),
        ("r2", "reserved_at_ms"),
        ("r2", "released_at_ms"),
    ] {
        let at = moment(id, name);
        assert!(
            before <= at && at <= after,
            "{name} of {id}: {at} not in {before}..={after}"
        );
    }
    assert_eq!(
        moment("r1", "expires_at_ms"),
        moment("r1", "reserved_at_ms") + 5000
    );
    let entry = render(&sold)
        .split(' ')
        .nth(2)
        .expect("an entry")
        .to_owned();
    con.fields("FLASHSALE.GET sale r1", &format!("order_id {entry}"));
}

#[test]
fn user_tells_of_one_user() {
    let server = Server::any();
    let mut con = server.conn();
    every_state(&mut con);
    con.refuses(
        "FLASHSALE.USER sale alice",
        "reserved 4 sold 5 counted 10 user_remaining 30 open 1 reservations [reserved] waiting (nil)",
    );
    con.refuses(
        "FLASHSALE.USER sale nobody",
        "reserved 0 sold 0 counted 0 user_remaining 40 open 0 reservations [] waiting (nil)",
    );
    con.says("FLASHSALE.ALTER sale USERLIMIT 0", "OK");
    con.fields(
        "FLASHSALE.USER sale bob",
        "user_remaining -1, counted 5, sold 0, reserved 0",
    );
    con.fields("FLASHSALE.USER sale nobody", "user_remaining -1");
}

#[test]
fn user_lists_the_oldest_hundred_open_ids() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    for index in 0..150 {
        con.says(
            &format!("FLASHSALE.RESERVE sale alice 1 ID r{index}"),
            "RESERVED ...",
        );
        con.says(
            &format!("FLASHSALE.RESERVE sale bob 1 ID b{index}"),
            "RESERVED ...",
        );
    }
    for index in 0..20 {
        con.says(&format!("FLASHSALE.RELEASE sale r{index}"), "RELEASED ...");
    }
    con.says("FLASHSALE.CHECKOUT sale orders r20", "SOLD ...");
    let expected: Vec<String> = (21..121).map(|index| format!("r{index}")).collect();
    let expected = format!("[{}]", expected.join(" "));
    con.fields(
        "FLASHSALE.USER sale alice",
        &format!("open 129, reservations {expected}"),
    );
}

#[test]
fn info_has_every_field_and_no_field_twice() {
    let server = Server::any();
    let mut con = server.conn();
    every_state(&mut con);
    let names: Vec<String> = con
        .map("FLASHSALE.INFO sale")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "sale_id",
        "orders",
        "state",
        "now_ms",
        "created_at_ms",
        "paused_at_ms",
        "closed_at_ms",
        "userlimit",
        "itemlimit",
        "orderlimit",
        "salelimit",
        "hold_ms",
        "maxhold_ms",
        "grace_ms",
        "start_at_ms",
        "end_at_ms",
        "keep_ms",
        "remember_ms",
        "items",
        "total",
        "available",
        "reserved",
        "sold",
        "refunded",
        "users",
        "reservations_open",
        "reservations_remembered",
        "memory_bytes",
        "owed",
        "share_id",
        "group",
    ];
    for name in expected {
        assert!(names.iter().any(|field| field == name), "no field {name}");
    }
    let once: BTreeSet<&String> = names.iter().collect();
    assert_eq!(once.len(), names.len());
    con.fields(
        "FLASHSALE.INFO sale",
        "items 2, total 150, available 141, reserved 4, sold 5, refunded 6, users 3, \
         reservations_open 1, reservations_remembered 2, paused_at_ms (nil), closed_at_ms (nil)",
    );
    assert!(
        con.field("FLASHSALE.INFO sale", "memory_bytes")
            .parse::<u64>()
            .expect("bytes")
            > 0
    );
    let now = con.now_ms();
    let told: u64 = con
        .field("FLASHSALE.INFO sale", "now_ms")
        .parse()
        .expect("a moment");
    assert!(told >= now && told <= con.now_ms());
    assert_eq!(
        con.field("FLASHSALE.INFO sale", "sale_id")
            .trim_matches('"')
            .len(),
        26
    );
}

#[test]
fn info_judges_the_state_by_the_clock() {
    let server = Server::any();
    let mut con = server.conn();
    let start = con.now_ms() + 100;
    let end = start + 200;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 1 START {start} END {end}"),
        "OK",
    );
    con.fields("FLASHSALE.INFO sale", "state scheduled");
    wait_until("the sale is open", || {
        con.field("FLASHSALE.INFO sale", "state") == "open"
    });
    wait_until("the sale has ended", || {
        con.field("FLASHSALE.INFO sale", "state") == "ended"
    });
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.fields("FLASHSALE.INFO sale", "state closed");
}

#[test]
fn each_sale_has_its_own_id() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE one orders STOCK 1", "OK");
    con.says("FLASHSALE.CREATE two orders STOCK 1", "OK");
    let one = con.field("FLASHSALE.INFO one", "sale_id");
    assert_ne!(one, con.field("FLASHSALE.INFO two", "sale_id"));
}

/// All ids of a scan to its end, possibly some twice.
fn scan(con: &mut Con, options: &str, mut between: impl FnMut(&mut Con)) -> Vec<String> {
    let mut cursor = "0".to_owned();
    let mut ids = Vec::new();
    loop {
        let reply = con.run(&format!("FLASHSALE.SCAN sale {cursor} {options}"));
        let Value::Array(parts) = &reply else {
            panic!("not a scan: {}", render(&reply))
        };
        assert!(
            matches!(parts[0], Value::BulkString(_)),
            "the cursor is a bulk string"
        );
        let Value::Array(found) = &parts[1] else {
            panic!("no ids: {}", render(&reply))
        };
        ids.extend(found.iter().map(text_of));
        cursor = text_of(&parts[0]);
        if cursor == "0" {
            return ids;
        }
        between(con);
    }
}

#[test]
fn scan_visits_every_id_once_when_nothing_changes() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    con.says("FLASHSALE.SCAN sale 0", "\"0\" []");
    for index in 0..500 {
        con.says(
            &format!("FLASHSALE.RESERVE sale u 1 ID r{index}"),
            "RESERVED ...",
        );
    }
    for options in ["", "COUNT 1", "COUNT 7", "COUNT 100000", "count 3"] {
        let ids = scan(&mut con, options, |_| {});
        let distinct: BTreeSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (500, 500), "{options}");
    }
}

#[test]
fn scan_filters_by_state() {
    let server = Server::any();
    let mut con = server.conn();
    every_state(&mut con);
    for state in ["reserved", "sold", "refunded", "released", "expired"] {
        assert_eq!(scan(&mut con, &format!("STATE {state}"), |_| {}), [state]);
        assert_eq!(
            scan(&mut con, &format!("COUNT 1 STATE {state}"), |_| {}),
            [state]
        );
    }
    assert_eq!(scan(&mut con, "COUNT 2", |_| {}).len(), 5);
    con.fails("FLASHSALE.SCAN sale 0 STATE nosuch", "ERR", "STATE");
    con.fails("FLASHSALE.SCAN sale 0 COUNT 0", "ERR", "COUNT");
    con.fails("FLASHSALE.SCAN sale x", "ERR", "cursor");
}

#[test]
fn scan_misses_no_id_that_is_there_all_the_time() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100000 REMEMBER 1", "OK");
    for index in 0..300 {
        con.says(
            &format!("FLASHSALE.RESERVE sale u 1 ID stays{index}"),
            "RESERVED ...",
        );
        con.says(
            &format!("FLASHSALE.RESERVE sale u 1 ID goes{index}"),
            "RESERVED ...",
        );
    }
    let mut step = 0;
    let ids = scan(&mut con, "COUNT 9", |con| {
        // Slots are freed and taken again, and the table grows, under the scan.
        con.run(&format!("FLASHSALE.RELEASE sale goes{step}"));
        for extra in 0..3 {
            con.run(&format!("FLASHSALE.RESERVE sale u 1 ID new{step}-{extra}"));
        }
        step += 1;
    });
    let seen: BTreeSet<&String> = ids.iter().collect();
    for index in 0..300 {
        assert!(
            seen.contains(&format!("stays{index}")),
            "stays{index} was missed"
        );
    }
}

#[test]
fn reads_of_a_missing_key_or_of_another_type_are_errors() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("SET text x", "OK");
    for tail in [
        "STOCK KEY",
        "GET KEY r1",
        "USER KEY alice",
        "INFO KEY",
        "SCAN KEY 0",
    ] {
        let line = format!("FLASHSALE.{tail}");
        con.fails(&line.replace("KEY", "nosuch"), "NOSALE", "");
        con.fails(&line.replace("KEY", "text"), "WRONGTYPE", "");
    }
}

#[test]
fn maps_are_maps_in_resp3_and_flat_in_resp2() {
    let server = Server::any();
    let (mut two, mut three) = (server.conn(), server.conn3());
    every_state(&mut two);
    for line in [
        "FLASHSALE.GET sale sold",
        "FLASHSALE.USER sale alice",
        "FLASHSALE.INFO sale",
    ] {
        let (flat, map) = (two.run(line), three.run(line));
        let Value::Array(flat) = flat else {
            panic!("{line}: {}", render(&flat))
        };
        let Value::Map(map) = map else {
            panic!("{line}: {}", render(&map))
        };
        assert_eq!(flat.len(), map.len() * 2);
        for (pair, (name, value)) in flat.chunks(2).zip(&map) {
            assert_eq!(&pair[0], name);
            if !matches!(text_of(name).as_str(), "now_ms" | "memory_bytes") {
                assert_eq!(&pair[1], value, "{line}: {}", text_of(name));
            }
        }
    }
    three.says("FLASHSALE.GET sale nosuch", "(nil)");
    three.says("FLASHSALE.STOCK sale b nosuch", "[b 47 1 2 0] (nil)");
    three.says("FLASHSALE.SCAN sale 0 STATE sold", "\"0\" [sold]");
    three.says(
        "FLASHSALE.RESERVE sale zoe ITEMS 1 a 1 ID z1",
        "RESERVED z1 * 93 39",
    );
    three.says("FLASHSALE.RELEASE sale z1", "RELEASED z1");
    three.says("FLASHSALE.RESTOCK sale ITEMS 1 a 1", "RESTOCKED [a 101 95]");
    three.fails("FLASHSALE.RESERVE sale zoe 0", "ERR", "qty");
}

#[test]
fn status_words_ids_and_skus_are_bulk_strings_and_numbers_are_integers() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 77 10", "OK");
    let reply = con.run("FLASHSALE.RESERVE sale 5 1 ID 42");
    let Value::Array(parts) = &reply else {
        panic!("{}", render(&reply))
    };
    assert_eq!(parts[0], Value::BulkString(b"RESERVED".to_vec()));
    assert_eq!(parts[1], Value::BulkString(b"42".to_vec()));
    assert!(matches!(parts[2], Value::Int(_)));
    assert_eq!(parts[3..], [Value::Int(9), Value::Int(-1)]);
    con.says("FLASHSALE.STOCK sale", "[\"77\" 9 1 0 0]");
    con.says("FLASHSALE.RESERVE sale 5 10", "ALLRESERVED <=300000 \"77\"");
    con.fields("FLASHSALE.GET sale 42", "user \"5\", items [[\"77\" 1]]");
    con.says("FLASHSALE.RELEASE sale 42", "RELEASED \"42\"");
}
