//! What is wrong with the line is one error, and nothing has changed; what is wrong with an
//! entry is an error in its place.

use crate::support::{Con, Server, render};

/// The range that a count or a quantity must lie in.
const RANGE: &str = "is not an integer from 1 to 9007199254740991";

#[track_caller]
fn make_sale(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 9 b 9 HOLD 60000",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID open",
        "RESERVED ...",
    );
}

#[test]
fn what_is_wrong_with_the_line_is_one_error_and_changes_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    make_sale(&mut con);
    con.run("SET text x");
    for (line, code, part) in [
        ("MRESERVE sale ENTRIES 1 u 1", "ERR", "wrong number"),
        ("MRESERVE sale ITEMS 1 u 1 x", "ERR", "ENTRIES is missing"),
        ("MRESERVE sale ENTRIES 0 u 1 x", "ERR", "n: '0'"),
        ("MRESERVE sale ENTRIES -1 u 1 x", "ERR", RANGE),
        ("MRESERVE sale ENTRIES 2 u 1 x", "ERR", "2 entries of 3"),
        ("MRESERVE sale ENTRIES 1001 u 1 x", "ERR", "at most 1000"),
        ("MRESERVE sale ENTRIES 1 u 1 x y", "ERR", "'y'"),
        ("MRESERVE sale ENTRIES 1 u 1 x ID y", "ERR", "'ID'"),
        ("MRESERVE sale ENTRIES 1 u 1 x HOLD 0", "ERR", "HOLD"),
        ("MRESERVE sale ENTRIES 1 u 1 x SKU", "ERR", "sku"),
        ("MRESERVE none ENTRIES 1 u 1 x SKU a", "NOSALE", "none"),
        ("MRESERVE text ENTRIES 1 u 1 x SKU a", "WRONGTYPE", "text"),
        ("MBUY sale orders ENTRIES 1 u 1 x", "ERR", "wrong number"),
        ("MBUY sale orders ENTRIES 1 u 1 x '' HOLD 1", "ERR", "HOLD"),
        (
            "MBUY sale other ENTRIES 1 u 1 x ''",
            "ERR",
            "not the stream",
        ),
        ("MBUY sale text ENTRIES 1 u 1 x ''", "WRONGTYPE", "text"),
        (
            "MCHECKOUT sale orders ENTRIES 1 open",
            "ERR",
            "wrong number",
        ),
        (
            "MCHECKOUT sale orders ENTRIES 2 open '' x",
            "ERR",
            "2 entries of 2",
        ),
        (
            "MCHECKOUT sale orders ENTRIES 1 open '' USER ann",
            "ERR",
            "USER",
        ),
        (
            "MCHECKOUT sale other ENTRIES 1 open ''",
            "ERR",
            "not the stream",
        ),
        ("MRELEASE sale ENTRIES 1", "ERR", "wrong number"),
        ("MRELEASE sale ENTRIES 1 open USER ann", "ERR", "USER"),
        ("MRELEASE none ENTRIES 1 open", "NOSALE", "none"),
    ] {
        con.fails(&format!("FLASHSALE.{line}"), code, part);
    }
}

#[test]
fn an_entry_that_is_wrong_is_an_error_in_its_place() {
    let server = Server::any();
    for mut con in [server.conn(), server.conn3()] {
        con.run("DEL sale orders");
        make_sale(&mut con);
        let long = "x".repeat(256);
        let long_name = "256 bytes, not 1 to 255";
        con.says(
            &format!(
                "FLASHSALE.MRESERVE sale ENTRIES 9 '' 1 i-1 {long} 1 i-2 u 0 i-3 u -1 i-4 u 1.0 i-5 \
                 u 9007199254740992 i-6 u 1 '' u 1 {long} u 1 i-9 SKU a"
            ),
            &format!(
                "(error) \"ERR user: 0 bytes, not 1 to 255\" (error) \"ERR user: {long_name}\" \
                 (error) \"ERR qty: '0' {RANGE}\" (error) \"ERR qty: '-1' {RANGE}\" \
                 (error) \"ERR qty: '1.0' {RANGE}\" \
                 (error) \"ERR qty: '9007199254740992' {RANGE}\" \
                 (error) \"ERR id: 0 bytes, not 1 to 255\" (error) \"ERR id: {long_name}\" \
                 [RESERVED i-9 @+60000 7 -1]"
            ),
        );
        con.says(
            &format!(
                "FLASHSALE.MBUY sale orders ENTRIES 3 u 1 i-1 {long} u x i-2 '' u 1 i-3 p SKU a"
            ),
            &format!(
                "(error) \"ERR ref: 256 bytes, not 0 to 255\" (error) \"ERR qty: 'x' {RANGE}\" \
                 [SOLD i-3 (entry)]"
            ),
        );
        con.says(
            &format!("FLASHSALE.MCHECKOUT sale orders ENTRIES 3 '' p open {long} i-9 p"),
            "(error) \"ERR id: 0 bytes, not 1 to 255\" \
             (error) \"ERR ref: 256 bytes, not 0 to 255\" [SOLD i-9 (entry)]",
        );
        con.says(
            &format!("FLASHSALE.MRELEASE sale ENTRIES 3 '' {long} open"),
            &format!(
                "(error) \"ERR id: 0 bytes, not 1 to 255\" (error) \"ERR id: {long_name}\" \
                 [RELEASED open]"
            ),
        );
    }
}

#[test]
fn an_unknown_sku_is_an_error_of_each_entry_that_is_no_replay() {
    let server = Server::any();
    let mut con = server.conn();
    make_sale(&mut con);
    let none = "(error) \"NOSKU sku: the sale has no item 'c'\"";
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 2 u 1 x ann 1 open SKU c",
        &format!("{none} [MISMATCH open]"),
    );
    // A bare quantity in a sale of several items, none of which is `default`.
    let bare = "(error) \"NOSKU sku: missing, the sale has several items and none is 'default': \
                name one by ITEMS or SKU\"";
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 2 u 1 x '' v 1 y p",
        &format!("{bare} {bare}"),
    );
    con.says("FLASHSALE.STOCK sale", "[a 8 1 0 0] [b 9 0 0 0]");
}

#[test]
fn at_maxmemory_new_reservations_are_errors_and_the_rest_goes_on() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    make_sale(&mut con);
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 b 1 ID other",
        "RESERVED ...",
    );
    con.says("CONFIG SET maxmemory 1", "OK");
    let oom = "(error) \"OOM command not allowed when used memory > 'maxmemory'.\"";
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 4 u 1 x ann 1 open u 99 z v 1 y SKU a",
        &format!("{oom} [RESERVED open * 8 -1] [SOLDOUT 8 a] {oom}"),
    );
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 2 u 1 x '' ann 1 open p SKU a",
        &format!("{oom} [SOLD open (entry)]"),
    );
    con.says(
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 open p other ''",
        "[SOLD open (entry)] [SOLD other (entry)]",
    );
    con.says(
        "FLASHSALE.MRELEASE sale ENTRIES 2 open unseen",
        "[SOLD open (entry)] [RELEASED unseen]",
    );
    // A script that has changed the sale goes on.
    let script = "'redis.call(\"FLASHSALE.RELEASE\", KEYS[1], \"another\") \
                   return redis.call(\"FLASHSALE.MRESERVE\", KEYS[1], \"ENTRIES\", 1, \"u\", 1, \
                   \"x\", \"SKU\", \"a\")'";
    con.says(&format!("EVAL {script} 1 sale"), "[RESERVED x * 7 -1]");
    con.says("CONFIG SET maxmemory 0", "OK");
}

#[test]
fn beyond_max_reservations_each_entry_is_an_error_of_its_own() {
    let Some(server) = Server::own(&[], &["max-reservations", "3"]) else {
        return;
    };
    let mut con = server.conn();
    make_sale(&mut con);
    let full = "(error) \"OOM max-reservations: the sale may know 3, and none of those it knows \
                can be forgotten\"";
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 4 u 1 x u 1 y u 1 z u 1 x SKU a",
        &format!("[RESERVED x * 7 -1] [RESERVED y * 6 -1] {full} [RESERVED x * 6 -1]"),
    );
    con.says(
        "FLASHSALE.MRELEASE sale ENTRIES 2 unseen x",
        &format!("{full} [RELEASED x]"),
    );
}

#[test]
fn a_stream_that_takes_no_entry_is_an_error_of_each_order() {
    let server = Server::any();
    let mut con = server.conn();
    make_sale(&mut con);
    con.run("XADD orders 18446744073709551615-18446744073709551614 a b");
    let full = "(error) \"ERR orders: the stream takes no further entry\"";
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 3 u 1 x p u 1 y p u 99 z p SKU a",
        &format!("[SOLD x 18446744073709551615-18446744073709551615] {full} [SOLDOUT 7 a]"),
    );
    con.says(
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 open p x p",
        &format!("{full} [SOLD x (entry)]"),
    );
    con.says("FLASHSALE.STOCK sale", "[a 7 1 1 0] [b 9 0 0 0]");
}

#[test]
fn batch_max_is_the_most_entries_and_can_be_set() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100000", "OK");
    let batch = |count: usize| {
        let ids = (0..count).map(|n| format!(" id-{n}"));
        let ids: String = ids.collect();
        format!("FLASHSALE.MRELEASE sale ENTRIES {count}{ids}")
    };
    let mut len = |line: &str| match con.run(line) {
        redis::Value::Array(elements) => elements.len().to_string(),
        other => render(&other),
    };
    assert_eq!(len(&batch(1_000)), "1000");
    assert!(len(&batch(1_001)).contains("at most 1000 are allowed (batch-max)"));
    assert_eq!(len("CONFIG SET flashsale.batch-max 10000"), "OK");
    assert_eq!(len(&batch(10_000)), "10000");
    assert!(len(&batch(10_001)).contains("at most 10000"));
    for refused in ["0", "10001", "many"] {
        let reply = len(&format!("CONFIG SET flashsale.batch-max {refused}"));
        assert!(reply.contains("(error)"), "{reply}");
    }
    assert_eq!(len("CONFIG SET flashsale.batch-max 1"), "OK");
    assert!(len(&batch(2)).contains("at most 1 are allowed"));
    assert_eq!(len("CONFIG SET flashsale.batch-max 1000"), "OK");
}
