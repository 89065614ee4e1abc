//! **Goal**: requests that make no sense are errors with a code, which name what was
//! wrong and change nothing; and what makes sense is taken as it is.
//!
//! **Method**: each kind of argument - integers, names, PAYLOAD, keywords - at and
//! beyond its bounds, in each command that takes it.

use crate::support::{Con, Server};

fn sale(con: &mut Con) {
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 a 1000", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders alice 9 ID s1", "SOLD ...");
}

#[test]
fn quantities_are_at_least_one_and_stock_at_least_none() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.fails("FLASHSALE.RESERVE sale alice 0", "ERR", "qty");
    con.fails("FLASHSALE.RESERVE sale alice ITEMS 1 a 0", "ERR", "qty");
    con.fails("FLASHSALE.RESERVE sale alice ITEMS 0", "ERR", "");
    con.fails("FLASHSALE.BUY sale orders alice 0", "ERR", "qty");
    con.fails("FLASHSALE.REFUND sale orders s1 QTY 0 REF f", "ERR", "QTY");
    con.says("FLASHSALE.CREATE empty orders STOCK 0", "OK");
    con.refuses("FLASHSALE.RESERVE empty alice 1", "SOLDOUT 0 default");
}

#[test]
fn the_largest_integer_is_taken() {
    let server = Server::any();
    let mut con = server.conn();
    let most = 9_007_199_254_740_991_u64;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK {most} HOLD {most} USERLIMIT {most}"),
        "OK",
    );
    con.says(
        &format!("FLASHSALE.RESERVE sale alice {most} ID r1"),
        &format!("RESERVED r1 {most} 0 0"),
    );
    con.says("FLASHSALE.STOCK sale", &format!("[default 0 {most} 0 0]"));
}

#[test]
fn names_are_one_to_255_bytes_of_anything_and_skus_to_128_of_text() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let (fits, long) = ("n".repeat(255), "n".repeat(256));
    let (sku_fits, sku_long) = ("s".repeat(128), "s".repeat(129));
    for (bad, bad_sku) in [("''", "''"), (&long, &sku_long)] {
        for (line, name) in [
            ("FLASHSALE.RESERVE sale % 1", "user"),
            ("FLASHSALE.RESERVE sale alice 1 ID %", "ID"),
            ("FLASHSALE.RESERVE sale alice ITEMS 1 % 1", "sku"),
            ("FLASHSALE.BUY sale orders % 1", "user"),
            ("FLASHSALE.BUY sale orders alice 1 REF %", "REF"),
            ("FLASHSALE.CHECKOUT sale orders %", "id"),
            ("FLASHSALE.CHECKOUT sale orders r1 REF %", "REF"),
            ("FLASHSALE.CHECKOUT sale orders r1 USER %", "USER"),
            ("FLASHSALE.RELEASE sale %", "id"),
            ("FLASHSALE.RELEASE sale r1 USER %", "USER"),
            ("FLASHSALE.EXTEND sale % 1", "id"),
            ("FLASHSALE.REFUND sale orders %", "id"),
            ("FLASHSALE.REFUND sale orders s1 REF %", "REF"),
            ("FLASHSALE.RESTOCK sale 1 REF %", "REF"),
            ("FLASHSALE.RESTOCK sale ITEMS 1 % 1 NEW", "sku"),
            ("FLASHSALE.CREATE new orders ITEMS 1 % 1", "sku"),
        ] {
            let bad = if name == "sku" { bad_sku } else { bad };
            con.fails(&line.replace('%', bad), "ERR", name);
        }
    }
    con.says(
        &format!("FLASHSALE.RESERVE sale {fits} 1 ID {fits}"),
        &format!("RESERVED {fits} ..."),
    );
    con.says(
        &format!("FLASHSALE.CHECKOUT sale orders {fits} REF {fits}"),
        "SOLD ...",
    );
    con.says(
        &format!("FLASHSALE.REFUND sale orders {fits} QTY 1 REF {fits}"),
        &format!("REFUNDED {fits} ..."),
    );
    let digest = con.digest("sale");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(con.digest("sale"), digest);
    con.says(
        &format!("FLASHSALE.CREATE new orders ITEMS 1 {sku_fits} 1"),
        "OK",
    );
}

#[test]
fn names_that_differ_in_form_only_are_different_names() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 9 A 9 USERLIMIT 1",
        "OK",
    );
    // An id that looks like a ULID, in either case, and one that would overflow as one.
    for id in [
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "01arz3ndektsv4rrffq69g5fav",
        "ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ] {
        let line = format!("FLASHSALE.RESERVE sale {id} ITEMS 1 a 1 ID {id}");
        con.says(&line, &format!("RESERVED {id} ..."));
        con.fields(
            &format!("FLASHSALE.GET sale {id}"),
            &format!("user {id}, state reserved"),
        );
    }
    con.says(
        "FLASHSALE.RESERVE sale 7 ITEMS 1 A 1 ID 7",
        "RESERVED \"7\" ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale 07 ITEMS 1 A 1 ID 07",
        "RESERVED \"07\" ...",
    );
    con.says("FLASHSALE.STOCK sale", "[a 6 3 0 0] [A 7 2 0 0]");
}

#[test]
fn a_payload_is_json_of_at_most_64_kib_and_128_levels() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    for bad in [
        "''", "{", "{\"a\":}", "nan", "{}{}", "'{} x'", "[1,]", "\"a",
    ] {
        con.fails(
            &format!("FLASHSALE.CHECKOUT sale orders r1 PAYLOAD {bad}"),
            "ERR",
            "PAYLOAD",
        );
        con.fails(
            &format!("FLASHSALE.BUY sale orders bob 1 PAYLOAD {bad}"),
            "ERR",
            "PAYLOAD",
        );
    }
    let not_text: &[u8] = &[b'"', 255, b'"'];
    let line: [&[u8]; 5] = [b"FLASHSALE.CHECKOUT", b"sale", b"orders", b"r1", b"PAYLOAD"];
    con.fails_words(&[&line[..], &[not_text]].concat(), "ERR", "PAYLOAD");
    let deep = "[".repeat(60_000);
    con.fails_words(&[&line[..], &[deep.as_bytes()]].concat(), "ERR", "PAYLOAD");
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    for levels in [129, 1_000, 32_768] {
        let deep = nested(levels);
        con.fails_words(&[&line[..], &[deep.as_bytes()]].concat(), "ERR", "levels");
    }
    let longest = format!("\"{}\"", "x".repeat(64 * 1024 - 2));
    let longer = format!("\"{}\"", "x".repeat(64 * 1024 - 1));
    con.fails_words(
        &[&line[..], &[longer.as_bytes()]].concat(),
        "ERR",
        "PAYLOAD",
    );
    con.fields("FLASHSALE.GET sale r1", "state reserved");
    let reply = con.run_words(&[&line[..], &[longest.as_bytes()]].concat());
    assert!(crate::support::render(&reply).starts_with("SOLD r1"));
    for good in [
        "1",
        "null",
        "true",
        "[]",
        "' {} '",
        "\"text\"",
        "{\"a\":[1,2.5e3]}",
        &nested(128),
    ] {
        con.says(
            &format!("FLASHSALE.BUY sale orders bob 1 PAYLOAD {good}"),
            "SOLD ...",
        );
    }
}

#[test]
fn keywords_are_case_insensitive_and_come_in_any_order() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "flashsale.create sale orders Items 1 a 10 hold 9000 UserLimit 5",
        "OK",
    );
    con.says(
        "Flashsale.Reserve sale alice iTEMS 1 a 1 hold 500 id r1",
        "RESERVED r1 @+500 9 4",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 1 ID r2 HOLD 500",
        "RESERVED r2 @+500 8 3",
    );
    con.says(
        "flashsale.checkout sale orders r1 payload {} ref p user alice",
        "SOLD r1 *",
    );
    con.says(
        "flashsale.buy sale orders alice 1 ref p payload {} id r3",
        "SOLD r3 *",
    );
    con.says(
        "flashsale.refund sale orders r3 norestock restorelimit user alice ref f items 1 a 1",
        "REFUNDED r3 *",
    );
    con.says(
        "flashsale.restock sale items 1 b 1 ref f new",
        "RESTOCKED [b 1 1]",
    );
    // A user may have the name of a keyword.
    con.says(
        "FLASHSALE.RESERVE sale ITEMS ITEMS 1 a 1 ID ID",
        "RESERVED ID ...",
    );
}
