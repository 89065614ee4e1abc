//! **Goal**: requests that make no sense are errors with a code, which name what was
//! wrong and change nothing; and what makes sense is taken as it is.
//!
//! **Method**: each kind of argument - integers, names, PAYLOAD, keywords - at and
//! beyond its bounds, in each command that takes it.

mod support;

use support::{Con, Server};

fn sale(con: &mut Con) {
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 a 1000", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders alice 9 ID s1", "SOLD ...");
}

/// Everything that is not a strict decimal up to 2^53-1.
const NOT_INTEGERS: [&str; 14] = [
    "''",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "' 1'",
    "'1 '",
    "0x1",
    "01",
    "00",
    "one",
    "1_000",
    "9007199254740992",
    "99999999999999999999999",
];

#[test]
fn integers_are_strict() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    for bad in NOT_INTEGERS {
        for (line, name) in [
            ("FLASHSALE.RESERVE sale alice %", "qty"),
            ("FLASHSALE.RESERVE sale alice ITEMS 1 a %", "qty"),
            ("FLASHSALE.RESERVE sale alice ITEMS % a 1", "count"),
            ("FLASHSALE.RESERVE sale alice 1 HOLD %", "HOLD"),
            ("FLASHSALE.BUY sale orders alice %", "qty"),
            ("FLASHSALE.EXTEND sale r1 %", "ms"),
            ("FLASHSALE.REFUND sale orders s1 QTY % REF f", "QTY"),
            ("FLASHSALE.REFUND sale orders s1 ITEMS 1 a % REF f", "qty"),
            ("FLASHSALE.CREATE new orders STOCK %", "STOCK"),
            ("FLASHSALE.CREATE new orders ITEMS 1 a %", ""),
            ("FLASHSALE.CREATE new orders ITEMS % a 1", "count"),
            (
                "FLASHSALE.CREATE new orders STOCK 1 USERLIMIT %",
                "USERLIMIT",
            ),
            ("FLASHSALE.CREATE new orders STOCK 1 END %", "END"),
            ("FLASHSALE.ALTER sale SALELIMIT %", "SALELIMIT"),
            ("FLASHSALE.SCAN sale 0 COUNT %", "COUNT"),
        ] {
            con.fails(&line.replace('%', bad), "ERR", name);
        }
    }
    for bad in NOT_INTEGERS.iter().filter(|bad| **bad != "-1") {
        con.fails(&format!("FLASHSALE.RESTOCK sale {bad}"), "ERR", "delta");
        con.fails(
            &format!("FLASHSALE.RESTOCK sale ITEMS 1 a {bad}"),
            "ERR",
            "delta",
        );
    }
    for bad in ["0", "-0", "--1", "-", "-01", "-9007199254740992"] {
        con.fails(&format!("FLASHSALE.RESTOCK sale {bad}"), "ERR", "delta");
    }
    con.says("EXISTS new", "0");
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
    con.says("FLASHSALE.STOCK sale", &format!("[default 0 {most} 0]"));
}

#[test]
fn names_are_one_to_128_bytes_of_anything() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let (fits, long) = ("n".repeat(128), "n".repeat(129));
    for bad in ["''", long.as_str()] {
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
        &format!("FLASHSALE.CREATE new orders ITEMS 1 {fits} 1"),
        "OK",
    );
}

#[test]
fn users_ids_and_refs_are_binary_and_skus_are_utf8() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let odd: &[u8] = &[0, 255, b'\r', b'\n', 128];
    con.run_words(&[
        b"FLASHSALE.BUY",
        b"sale",
        b"orders",
        odd,
        b"1",
        b"ID",
        odd,
        b"REF",
        odd,
    ]);
    let reply = con.run_words(&[b"FLASHSALE.GET", b"sale", odd]);
    let shown = support::render(&reply);
    let name = "\"\\x00\\xff\\r\\n\\x80\"";
    assert!(
        shown.contains(&format!("state sold user {name}")),
        "{shown}"
    );
    assert!(shown.ends_with(&format!("ref {name}")), "{shown}");
    con.fails_words(
        &[
            b"FLASHSALE.CREATE",
            b"new",
            b"orders",
            b"ITEMS",
            b"1",
            odd,
            b"1",
        ],
        "ERR",
        "sku",
    );
    con.fails_words(
        &[
            b"FLASHSALE.RESTOCK",
            b"sale",
            b"ITEMS",
            b"1",
            odd,
            b"1",
            b"NEW",
        ],
        "ERR",
        "sku",
    );
    con.says("FLASHSALE.CREATE new orders ITEMS 1 größe-42€ 1", "OK");
    let line: [&[u8]; 6] = [
        b"FLASHSALE.RESERVE",
        b"new",
        b"alice",
        b"ITEMS",
        b"1",
        "größe-42€".as_bytes(),
    ];
    let reply = con.run_words(&[&line[..], &[b"1"]].concat());
    assert!(support::render(&reply).starts_with("RESERVED"));
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
    con.says("FLASHSALE.STOCK sale", "[a 6 3 0] [A 7 2 0]");
}

#[test]
fn a_payload_is_json_of_at_most_64_kib() {
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
    let longest = format!("\"{}\"", "x".repeat(64 * 1024 - 2));
    let longer = format!("\"{}\"", "x".repeat(64 * 1024 - 1));
    con.fails_words(
        &[&line[..], &[longer.as_bytes()]].concat(),
        "ERR",
        "PAYLOAD",
    );
    con.fields("FLASHSALE.GET sale r1", "state reserved");
    let reply = con.run_words(&[&line[..], &[longest.as_bytes()]].concat());
    assert!(support::render(&reply).starts_with("SOLD r1"));
    for good in [
        "1",
        "null",
        "true",
        "[]",
        "' {} '",
        "\"text\"",
        "{\"a\":[1,2.5e3]}",
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

#[test]
fn an_option_twice_or_unknown_or_cut_short_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    for (line, name) in [
        ("FLASHSALE.RESERVE sale alice 1 ID x ID y", "ID"),
        ("FLASHSALE.RESERVE sale alice 1 HOLD 1 HOLD 1", "HOLD"),
        ("FLASHSALE.RESERVE sale alice 1 HOLD", "HOLD"),
        ("FLASHSALE.RESERVE sale alice 1 NOSUCH", "NOSUCH"),
        ("FLASHSALE.RESERVE sale alice 1 REF p", "REF"),
        ("FLASHSALE.RESERVE sale alice 1 2", "2"),
        ("FLASHSALE.RESERVE sale alice ITEMS 2 a 1", ""),
        ("FLASHSALE.RESERVE sale alice ITEMS 1 a", ""),
        ("FLASHSALE.RESERVE sale alice ITEMS", ""),
        ("FLASHSALE.RESERVE sale alice ITEMS 1 a 1 b 1", "b"),
        ("FLASHSALE.BUY sale orders alice 1 HOLD 1", "HOLD"),
        ("FLASHSALE.CHECKOUT sale orders r1 REF p REF q", "REF"),
        ("FLASHSALE.CHECKOUT sale orders r1 USER", "USER"),
        ("FLASHSALE.CHECKOUT sale orders r1 QTY 1", "QTY"),
        ("FLASHSALE.RELEASE sale r1 USER alice USER alice", "USER"),
        ("FLASHSALE.RELEASE sale r1 REF x", "REF"),
        ("FLASHSALE.EXTEND sale r1 1 USER", "USER"),
        (
            "FLASHSALE.REFUND sale orders s1 NORESTOCK NORESTOCK",
            "NORESTOCK",
        ),
        ("FLASHSALE.REFUND sale orders s1 QTY 1 QTY 1 REF f", "QTY"),
        ("FLASHSALE.RESTOCK sale 1 NEW NEW", "NEW"),
        ("FLASHSALE.RESTOCK sale 1 2", "2"),
        ("FLASHSALE.SCAN sale 0 COUNT 1 COUNT 2", "COUNT"),
        ("FLASHSALE.SCAN sale 0 MATCH x", "MATCH"),
    ] {
        con.fails(line, "ERR", name);
    }
}

#[test]
fn too_short_or_too_long_a_line_is_an_error_with_a_code() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    for line in [
        "FLASHSALE.CREATE",
        "FLASHSALE.CREATE sale",
        "FLASHSALE.CREATE sale orders",
        "FLASHSALE.RESERVE",
        "FLASHSALE.RESERVE sale alice",
        "FLASHSALE.CHECKOUT sale orders",
        "FLASHSALE.BUY sale orders alice",
        "FLASHSALE.RELEASE sale",
        "FLASHSALE.EXTEND sale r1",
        "FLASHSALE.REFUND sale orders",
        "FLASHSALE.RESTOCK sale",
        "FLASHSALE.ALTER sale",
        "FLASHSALE.ALTER sale USERLIMIT",
        "FLASHSALE.PAUSE",
        "FLASHSALE.PAUSE sale x",
        "FLASHSALE.RESUME sale x",
        "FLASHSALE.CLOSE sale x",
        "FLASHSALE.BIND sale",
        "FLASHSALE.BIND sale a b",
        "FLASHSALE.STOCK",
        "FLASHSALE.GET sale",
        "FLASHSALE.GET sale a b",
        "FLASHSALE.USER sale",
        "FLASHSALE.USER sale a b",
        "FLASHSALE.INFO",
        "FLASHSALE.INFO sale x",
        "FLASHSALE.SCAN sale",
    ] {
        con.fails(line, "ERR", "");
    }
}

#[test]
fn a_missing_key_has_no_sale_and_another_type_is_wrong() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("SET text x", "OK");
    for tail in [
        "RESERVE KEY alice 1",
        "CHECKOUT KEY orders r1",
        "BUY KEY orders alice 1",
        "RELEASE KEY r1",
        "EXTEND KEY r1 1",
        "REFUND KEY orders r1",
        "RESTOCK KEY 1",
        "ALTER KEY USERLIMIT 1",
        "PAUSE KEY",
        "RESUME KEY",
        "CLOSE KEY",
        "BIND KEY orders",
    ] {
        let line = format!("FLASHSALE.{tail}");
        con.fails(&line.replace("KEY", "nosuch"), "NOSALE", "");
        con.fails(&line.replace("KEY", "text"), "WRONGTYPE", "");
        // What is wrong with the line itself is told first.
        con.fails(
            &format!("{} NOSUCH", line.replace("KEY", "nosuch")),
            "ERR",
            "",
        );
    }
    con.says("EXISTS nosuch", "0");
    con.says("GET text", "x");
}

#[test]
fn every_key_a_command_touches_is_one_of_its_arguments() {
    let server = Server::any();
    let mut con = server.conn();
    for (line, keys) in [
        ("FLASHSALE.CREATE sale orders STOCK 1", "sale orders"),
        ("FLASHSALE.RESERVE sale alice 1", "sale"),
        ("FLASHSALE.CHECKOUT sale orders r1", "sale orders"),
        ("FLASHSALE.BUY sale orders alice 1", "sale orders"),
        ("FLASHSALE.RELEASE sale r1", "sale"),
        ("FLASHSALE.EXTEND sale r1 1", "sale"),
        ("FLASHSALE.REFUND sale orders r1", "sale orders"),
        ("FLASHSALE.RESTOCK sale 1", "sale"),
        ("FLASHSALE.ALTER sale HOLD 1", "sale"),
        ("FLASHSALE.PAUSE sale", "sale"),
        ("FLASHSALE.RESUME sale", "sale"),
        ("FLASHSALE.CLOSE sale", "sale"),
        ("FLASHSALE.BIND sale orders", "sale orders"),
        ("FLASHSALE.STOCK sale a b", "sale"),
        ("FLASHSALE.GET sale r1", "sale"),
        ("FLASHSALE.USER sale alice", "sale"),
        ("FLASHSALE.INFO sale", "sale"),
        ("FLASHSALE.SCAN sale 0", "sale"),
    ] {
        con.says(&format!("COMMAND GETKEYS {line}"), keys);
    }
}

#[test]
fn acl_patterns_hold_for_the_sale_and_for_its_stream() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says(
        "ACL SETUSER flashsale-test on nopass resetkeys ~sale +@all",
        "OK",
    );
    let mut limited = server.conn();
    limited.says("AUTH flashsale-test any", "OK");
    limited.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    for line in [
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.BUY sale orders alice 1",
        "FLASHSALE.REFUND sale orders r1",
        "FLASHSALE.BIND sale other",
        "FLASHSALE.STOCK other",
        "FLASHSALE.RESERVE other alice 1",
    ] {
        let reply = limited.show(line);
        assert!(reply.contains("NOPERM"), "{line}: {reply}");
    }
    con.says("ACL SETUSER flashsale-test ~orders", "OK");
    limited.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD ...");
    con.says("ACL DELUSER flashsale-test", "1");
}
