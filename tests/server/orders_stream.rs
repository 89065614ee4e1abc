//! **Goal**: the order stream is a real Redis stream with the fields of the contract,
//! whose consumers are woken, and whose entry IDs are the ones that were answered.
//!
//! **Method**: orders and refunds of every shape, read back with XRANGE; a consumer of
//! another connection that blocks in XREADGROUP.

use redis::Value;

use crate::support::{Con, Server, render, text_of, wait_until};

/// The fields of one entry as `name=value` words, in the stream's order.
fn entry(con: &mut Con, stream: &str, id: &str) -> Vec<(String, String)> {
    let reply = con.run(&format!("XRANGE {stream} {id} {id}"));
    let Value::Array(entries) = &reply else {
        panic!("{}", render(&reply))
    };
    assert_eq!(entries.len(), 1, "one entry {id}: {}", render(&reply));
    let Value::Array(parts) = &entries[0] else {
        panic!("{}", render(&reply))
    };
    let Value::Array(fields) = &parts[1] else {
        panic!("{}", render(&reply))
    };
    fields
        .chunks(2)
        .map(|pair| (text_of(&pair[0]), text_of(&pair[1])))
        .collect()
}

/// Asserts exactly these fields, in any order; `*` is any value.
#[track_caller]
fn has_fields(con: &mut Con, stream: &str, id: &str, expected: &[(&str, &str)]) {
    let fields = entry(con, stream, id);
    for (name, wanted) in expected {
        let found: Vec<&str> = fields
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(found.len(), 1, "field {name} of {fields:?}");
        assert!(
            *wanted == "*" || found[0] == *wanted,
            "{name} is {}, not {wanted}",
            found[0]
        );
    }
    assert_eq!(fields.len(), expected.len(), "no other fields: {fields:?}");
}

/// The third element of `SOLD id entry`.
fn entry_of(reply: &Value) -> String {
    let Value::Array(parts) = reply else {
        panic!("{}", render(reply))
    };
    text_of(&parts[2])
}

#[test]
fn a_checkout_appends_one_entry_with_the_answered_id() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 a 9 b 9", "OK");
    let sale_id = con.field("FLASHSALE.INFO sale", "sale_id");
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 3 b 1 a 2 b 1 ID r1",
        "RESERVED ...",
    );
    con.says("EXISTS orders", "0");
    let sold = con.says(
        "FLASHSALE.CHECKOUT sale orders r1 REF pay-1 PAYLOAD '{\"ship\": [\"x\", 1]}'",
        "SOLD r1 (entry)",
    );
    let sold_at = con.field("FLASHSALE.GET sale r1", "sold_at_ms");
    has_fields(
        &mut con,
        "orders",
        &entry_of(&sold),
        &[
            ("event", "order"),
            ("sale", "sale"),
            ("sale_id", sale_id.trim_matches('"')),
            ("id", "r1"),
            ("user", "alice"),
            ("qty", "4"),
            (
                "items",
                "[{\"sku\":\"b\",\"qty\":2},{\"sku\":\"a\",\"qty\":2}]",
            ),
            ("at_ms", &sold_at),
            ("ref", "pay-1"),
            ("payload", "{\"ship\": [\"x\", 1]}"),
        ],
    );
    con.says("XLEN orders", "1");
}

#[test]
fn ref_is_empty_and_payload_absent_where_not_given() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    let plain = con.says("FLASHSALE.BUY sale orders alice 2 ID r1", "SOLD r1 (entry)");
    has_fields(
        &mut con,
        "orders",
        &entry_of(&plain),
        &[
            ("event", "order"),
            ("sale", "sale"),
            ("sale_id", "*"),
            ("id", "r1"),
            ("user", "alice"),
            ("qty", "2"),
            ("items", "[{\"sku\":\"default\",\"qty\":2}]"),
            ("at_ms", "*"),
            ("ref", ""),
        ],
    );
}

#[test]
fn a_refund_tells_what_came_back_and_whether_it_is_on_sale_again() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 a 9 b 9", "OK");
    let sale_id = con.field("FLASHSALE.INFO sale", "sale_id");
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 2 a 3 b 2 ID r1 REF pay-1",
        "SOLD ...",
    );
    let refund = |con: &mut Con, options: &str| {
        let line = format!("FLASHSALE.REFUND sale orders r1 {options}");
        entry_of(&con.says(&line, "REFUNDED r1 (entry)"))
    };
    let one = refund(&mut con, "ITEMS 1 a 1 REF back-1");
    let two = refund(&mut con, "ITEMS 1 b 1 REF back-2 NORESTOCK");
    let rest = refund(&mut con, "");
    for (id, qty, items, (restocked, no_restock), reference) in [
        (
            &one,
            "1",
            "[{\"sku\":\"a\",\"qty\":1}]",
            ("1", "0"),
            "back-1",
        ),
        (
            &two,
            "1",
            "[{\"sku\":\"b\",\"qty\":1}]",
            ("0", "1"),
            "back-2",
        ),
        (
            &rest,
            "3",
            "[{\"sku\":\"a\",\"qty\":2},{\"sku\":\"b\",\"qty\":1}]",
            ("1", "0"),
            "",
        ),
    ] {
        let expected = [
            ("event", "refund"),
            ("sale", "sale"),
            ("sale_id", sale_id.trim_matches('"')),
            ("id", "r1"),
            ("user", "alice"),
            ("qty", qty),
            ("items", items),
            ("at_ms", "*"),
            ("ref", reference),
            ("restocked", restocked),
            ("restorelimit", "0"),
            ("norestock", no_restock),
        ];
        has_fields(&mut con, "orders", id, &expected);
    }
    con.says("XLEN orders", "4");
}

#[test]
fn a_refund_after_the_end_says_it_is_not_on_sale_again() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.BUY sale orders alice 3 ID r1", "SOLD ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    let refunded = con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED r1 (entry)");
    let fields = entry(&mut con, "orders", &entry_of(&refunded));
    assert!(
        fields.contains(&("restocked".to_owned(), "0".to_owned())),
        "{fields:?}"
    );
}

#[test]
fn names_that_need_it_are_escaped_in_items() {
    let server = Server::any();
    let mut con = server.conn();
    let create: [&[u8]; 7] = [
        b"FLASHSALE.CREATE",
        b"sale",
        b"orders",
        b"ITEMS",
        b"1",
        b"q\"\\\n\xc3\xa9",
        b"9",
    ];
    con.run_words(&create);
    let sold = con.says("FLASHSALE.BUY sale orders alice 1", "SOLD * (entry)");
    let fields = entry(&mut con, "orders", &entry_of(&sold));
    let items = fields
        .iter()
        .find(|(name, _)| name == "items")
        .map(|(_, value)| value.as_str());
    let escaped = "[{\"sku\":\"q\\\"\\\\\\n\u{e9}\",\"qty\":1}]";
    assert_eq!(items, Some(escaped));
}

#[test]
fn orders_can_be_told_apart_by_sale_id_event_id_and_ref() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    for id in ["r1", "r2"] {
        let buy = format!("FLASHSALE.BUY sale orders alice 2 ID {id} REF p");
        let refund = format!("FLASHSALE.REFUND sale orders {id} QTY 1 REF");
        con.says(&buy, "SOLD ...");
        con.says(&buy, "SOLD ...");
        for reference in ["f1", "f1", "f2", "f2"] {
            con.says(&format!("{refund} {reference}"), "REFUNDED ...");
        }
    }
    // A second sale with the same name and ids is another sale to its consumers.
    con.says("DEL sale", "1");
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.BUY sale orders alice 2 ID r1 REF p", "SOLD ...");
    let reply = con.run("XRANGE orders - +");
    let Value::Array(entries) = &reply else {
        panic!("{}", render(&reply))
    };
    let mut keys: Vec<Vec<String>> = Vec::new();
    for each in entries {
        let Value::Array(parts) = each else {
            panic!("{}", render(each))
        };
        let fields = entry(&mut con, "orders", &text_of(&parts[0]));
        let value = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        keys.push(["sale_id", "event", "id", "ref"].map(value).to_vec());
    }
    assert_eq!(keys.len(), 7);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 7, "{keys:?}");
}

#[test]
fn a_consumer_that_blocks_is_woken_by_an_order() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("XGROUP CREATE orders g $ MKSTREAM", "OK");
    let mut consumer = server.conn();
    for (line, event) in [
        ("FLASHSALE.BUY sale orders alice 1 ID r1", "order"),
        ("FLASHSALE.CHECKOUT sale orders r2", "order"),
        ("FLASHSALE.REFUND sale orders r1", "refund"),
    ] {
        con.run("FLASHSALE.RESERVE sale bob 1 ID r2");
        consumer.send("XREADGROUP GROUP g c COUNT 10 BLOCK 20000 STREAMS orders >");
        wait_until("the consumer is blocked", || {
            con.info("clients", "blocked_clients") == "1"
        });
        con.says(line, "...");
        let woken = render(&consumer.receive());
        assert!(woken.contains(&format!("event {event} ")), "{woken}");
    }
    con.says("XINFO CONSUMERS orders g", "[name c pending 3 ...");
    con.says("XPENDING orders g", "3 ...");
}

#[test]
fn a_consumer_is_woken_once_per_order_of_a_transaction() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("XGROUP CREATE orders g $ MKSTREAM", "OK");
    let mut consumer = server.conn();
    consumer.send("XREADGROUP GROUP g c BLOCK 20000 STREAMS orders >");
    wait_until("the consumer is blocked", || {
        con.info("clients", "blocked_clients") == "1"
    });
    for line in [
        "MULTI",
        "FLASHSALE.BUY sale orders alice 1 ID r1",
        "FLASHSALE.BUY sale orders alice 1 ID r2",
    ] {
        con.run(line);
    }
    con.says("EXEC", "[SOLD r1 (entry)] [SOLD r2 (entry)]");
    let woken = render(&consumer.receive());
    assert!(
        woken.contains(" id r1 ") && woken.contains(" id r2 "),
        "{woken}"
    );
}

#[test]
fn a_stream_shared_by_sales_and_by_others_keeps_its_order() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE one orders STOCK 9", "OK");
    con.says("FLASHSALE.CREATE two orders STOCK 9", "OK");
    // Somebody's entry from the future: what is appended comes after it.
    con.says("XADD orders 9999999999999-5 other entry", "9999999999999-5");
    con.says(
        "FLASHSALE.BUY one orders alice 1 ID r1",
        "SOLD r1 9999999999999-6",
    );
    con.says(
        "FLASHSALE.BUY two orders alice 1 ID r1",
        "SOLD r1 9999999999999-7",
    );
    con.fields("FLASHSALE.GET two r1", "order_id 9999999999999-7");
    con.says(
        "FLASHSALE.CHECKOUT one orders r1",
        "SOLD r1 9999999999999-6",
    );
    con.says("XLEN orders", "3");
}

#[test]
fn a_stream_that_can_take_no_more_is_an_error_and_nothing_is_sold() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says(
        "XADD orders 18446744073709551615-18446744073709551615 last entry",
        "*",
    );
    con.fails("FLASHSALE.CHECKOUT sale orders r1", "ERR", "");
    con.fails("FLASHSALE.BUY sale orders alice 1 ID r2", "ERR", "");
    con.fields("FLASHSALE.GET sale r1", "state reserved");
    con.says("FLASHSALE.STOCK sale", "[default 8 1 0 0]");
    con.says("DEL orders", "1");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
}

#[test]
fn a_deleted_stream_is_begun_anew_and_trimming_is_the_users_own_business() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 900", "OK");
    for _ in 0..300 {
        con.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    }
    con.says("XLEN orders", "300");
    con.says("XTRIM orders MAXLEN 10", "290");
    con.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    con.says("XLEN orders", "11");
    con.says("DEL orders", "1");
    con.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    con.says("XLEN orders", "1");
}

#[test]
fn after_bind_orders_go_to_the_other_stream() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders alice 1 ID r2", "SOLD ...");
    con.says("FLASHSALE.BIND sale others", "OK");
    con.fails("FLASHSALE.CHECKOUT sale orders r1", "ERR", "orders");
    con.says("FLASHSALE.CHECKOUT sale others r1", "SOLD r1 (entry)");
    con.says("FLASHSALE.REFUND sale others r2", "REFUNDED r2 (entry)");
    con.says("XLEN orders", "1");
    con.says("XLEN others", "2");
}

#[test]
fn the_stream_may_not_be_the_sale_itself() {
    let server = Server::any();
    let mut con = server.conn();
    let reply = con.show("FLASHSALE.CREATE sale sale STOCK 9");
    assert!(reply.contains("(error)"), "{reply}");
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    let reply = con.show("FLASHSALE.BIND sale sale");
    assert!(reply.contains("(error)"), "{reply}");
}

#[test]
fn an_entry_has_the_id_of_its_moment_also_where_the_servers_clock_stands_still() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("MULTI", "OK");
    for _ in 0..3 {
        con.run("DEBUG SLEEP 0.01");
        con.run("FLASHSALE.BUY sale orders ann 1");
        con.run("FLASHSALE.BUY sale orders ann 1");
    }
    con.says("EXEC", "OK ...");
    let Value::Array(entries) = con.run("XRANGE orders - +") else {
        panic!("no entries")
    };
    assert_eq!(entries.len(), 6);
    for found in &entries {
        let Value::Array(parts) = found else {
            panic!("{}", render(found))
        };
        let id = text_of(&parts[0]);
        let fields = entry(&mut con, "orders", &id);
        let told = fields.iter().find(|(name, _)| name == "at_ms").unwrap();
        let ms_of = |text: &str| text.parse::<u64>().expect("milliseconds");
        let (at_ms, id_ms) = (ms_of(&told.1), ms_of(id.split('-').next().unwrap()));
        // Where the server reads its clock anew for the ID, a millisecond may begin.
        assert!((at_ms..=at_ms + 1).contains(&id_ms), "{id}: {fields:?}");
    }
}
