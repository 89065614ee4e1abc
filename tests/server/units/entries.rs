//! Units with names in the order stream: in orders and refunds, and with `EVENTS all` in what
//! happens to reservations.

use super::{each, hall, restock};
use crate::support::{Con, text_of, wait_until};
use redis::Value;

/// The entries of the stream in short: `event items`, and what refunds say of the stock.
#[track_caller]
fn entries(con: &mut Con) -> Vec<String> {
    wait_until("all is told", || {
        con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
    let Value::Array(entries) = con.run("XRANGE orders - +") else {
        panic!("entries")
    };
    entries.iter().map(shortened).collect()
}

fn shortened(entry: &Value) -> String {
    let Value::Array(parts) = entry else {
        panic!("an entry")
    };
    let Value::Array(fields) = &parts[1] else {
        panic!("fields")
    };
    let words: Vec<String> = fields.iter().map(text_of).collect();
    let value = |name: &str| {
        let mut pairs = words.chunks(2);
        let found = pairs.find(|pair| pair[0] == name);
        found.map(|pair| pair[1].clone())
    };
    let parts = ["event", "sku", "items", "restocked"].map(value);
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The entries since so many.
#[track_caller]
fn since(con: &mut Con, count: usize) -> Vec<String> {
    entries(con).split_off(count)
}

#[test]
fn orders_and_refunds_name_their_units() {
    each("ITEMS 3 stalls 0 ga 10 code 0 HOLD 60000", |_, con| {
        hall(con);
        restock(con, "code", "k1 k2 k3", "SEALED");
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 2 ga 1 code 2 UNITS 2 A-2 A-1 ID i1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 stalls 1 ID b1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.CHECKOUT sale orders b1", "SOLD b1 (entry) [A-3]");
        con.says(
            "FLASHSALE.BUY sale orders cyd ITEMS 1 ga 1 ID c1",
            "SOLD ...",
        );
        assert_eq!(
            entries(con),
            [
                r#"order [{"sku":"ga","qty":1},{"sku":"code","qty":2,"units":["k1","k2"]},{"sku":"stalls","qty":2,"units":["A-1","A-2"]}]"#,
                r#"order [{"sku":"stalls","qty":1,"units":["A-3"]}]"#,
                r#"order [{"sku":"ga","qty":1}]"#,
            ]
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 2 A-1 k1 REF r1",
            "REFUNDED ...",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 k2 REF r2",
            "REFUNDED ...",
        );
        con.says(
            "FLASHSALE.REFUND sale orders b1 UNITS 1 A-3 REF r3 NORESTOCK",
            "REFUNDED ...",
        );
        con.says("FLASHSALE.REFUND sale orders i1", "REFUNDED ...");
        assert_eq!(
            since(con, 3),
            [
                // A code never goes back; the seat beside it does.
                r#"refund [{"sku":"stalls","qty":1,"units":["A-1"]},{"sku":"code","qty":1,"units":["k1"],"restocked":0}] 1"#,
                r#"refund [{"sku":"code","qty":1,"units":["k2"]}] 0"#,
                r#"refund [{"sku":"stalls","qty":1,"units":["A-3"]}] 0"#,
                r#"refund [{"sku":"ga","qty":1},{"sku":"stalls","qty":1,"units":["A-2"]}] 1"#,
            ]
        );
    });
}

#[test]
fn names_are_written_as_json_whatever_they_are() {
    each("ITEMS 1 stalls 0", |_, con| {
        let odd = "\"quoted\" back\\slash Pl\u{e4}tz\u{1f3ad} tab\there";
        let words: [&[u8]; 6] = [
            b"FLASHSALE.RESTOCK",
            b"sale",
            b"UNITS",
            b"stalls",
            b"1",
            odd.as_bytes(),
        ];
        con.run_words(&words);
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 1 stalls 1 ID i1",
            "SOLD ...",
        );
        let expected = format!(
            r#"order [{{"sku":"stalls","qty":1,"units":[{}]}}]"#,
            "\"\\\"quoted\\\" back\\\\slash Pl\u{e4}tz\u{1f3ad} tab\\there\""
        );
        assert_eq!(entries(con), [expected]);
    });
}

#[test]
fn what_happens_to_reservations_names_their_units() {
    let all = "ITEMS 3 stalls 0 ga 10 code 0 HOLD 60000 GRACE 60000 EVENTS all";
    each(all, |_, con| {
        restock(con, "stalls", "A-1 A-2 A-3", "");
        restock(con, "code", "k1 k2", "SEALED");
        assert_eq!(
            entries(con),
            [
                // Names of new units are not told.
                r#"restocked [{"sku":"stalls","qty":3}]"#,
                "backinstock stalls",
                r#"restocked [{"sku":"code","qty":2}]"#,
                "backinstock code",
            ]
        );
        let told = entries(con).len();
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 1 UNITS 2 A-2 A-1 ID i1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.EXTEND sale i1 60000", "RESERVED ...");
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-1 ID i2 REPLACE i1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.RELEASE sale i2", "RELEASED ...");
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 1 A-3 ID b1 HOLD 20",
            "RESERVED ...",
        );
        wait_until("it expired", || {
            con.field("FLASHSALE.GET sale b1", "state") == "expired"
        });
        con.says("FLASHSALE.CHECKOUT sale orders b1", "SOLD b1 (entry) [A-3]");
        let two = r#"[{"sku":"code","qty":1},{"sku":"stalls","qty":2,"units":["A-1","A-2"]}]"#;
        let one = r#"[{"sku":"stalls","qty":1,"units":["A-1"]}]"#;
        let of_bob = r#"[{"sku":"stalls","qty":1,"units":["A-3"]}]"#;
        let seen = since(con, told);
        let is_told = |entry: &String| {
            let word = entry.split(' ').next().unwrap_or_default();
            ["reserved", "released", "expired", "order"].contains(&word)
        };
        let seen: Vec<String> = seen.into_iter().filter(is_told).collect();
        assert_eq!(
            seen,
            [
                format!("reserved {two}"),
                format!("released {two}"),
                format!("reserved {one}"),
                format!("released {one}"),
                format!("reserved {of_bob}"),
                format!("expired {of_bob}"),
                format!("order {of_bob}"),
            ]
        );
        let told = entries(con).len();
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-2 WITHDRAW",
            "RESTOCKED ...",
        );
        assert_eq!(
            since(con, told),
            [r#"restocked [{"sku":"stalls","qty":-1}]"#]
        );
    });
}

#[test]
fn a_grant_names_its_units() {
    let all = "ITEMS 1 stalls 0 HOLD 60000 WAITING 9 EVENTS all";
    each(all, |_, con| {
        restock(con, "stalls", "A-1 A-2", "");
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "RESERVED ...",
        );
        for user in ["bob", "cyd"] {
            let line = format!("FLASHSALE.RESERVE sale {user} ITEMS 1 stalls 1 ID i-{user} WAIT");
            con.says(&line, "WAITING ...");
        }
        con.says("FLASHSALE.RELEASE sale i1", "RELEASED ...");
        wait_until("both have seats", || {
            con.field("FLASHSALE.INFO sale", "granted") == "2"
        });
        let granted: Vec<String> = entries(con)
            .into_iter()
            .filter(|entry| entry.starts_with("granted"))
            .collect();
        assert_eq!(
            granted,
            [
                r#"granted [{"sku":"stalls","qty":1,"units":["A-1"]}]"#,
                r#"granted [{"sku":"stalls","qty":1,"units":["A-2"]}]"#,
            ]
        );
    });
}
