//! The recipes of the page on named units, played.

use super::{all_units, each, restock, seats, units_in};
use crate::support::{Con, Server, text_of, wait_until};
use redis::Value;
use std::collections::BTreeMap;

/// The seats of a map, as a gateway keeps it: read once, then kept by the stream.
struct Map {
    states: BTreeMap<String, String>,
    last: String,
}

impl Map {
    #[track_caller]
    fn read(con: &mut Con, zones: &[&str]) -> Map {
        // What comes while the map is read is told again by the stream.
        let last = con.show("XREVRANGE orders + - COUNT 1");
        let last = last.split(['[', ' ']).find(|word| word.contains('-'));
        let last = last.map_or("0-0".to_owned(), |id| id.trim_matches('"').to_owned());
        let mut states = BTreeMap::new();
        for zone in zones {
            let told = all_units(con, zone, "COUNT 10000");
            let words: Vec<&str> = told.split(' ').collect();
            for pair in words.chunks(2) {
                states.insert(pair[0].to_owned(), pair[1].to_owned());
            }
        }
        Map { states, last }
    }

    /// Follows the stream to its end.
    fn follow(&mut self, con: &mut Con) {
        let Value::Array(entries) = con.run(&format!("XRANGE orders ({} +", self.last)) else {
            panic!("entries")
        };
        for entry in &entries {
            let Value::Array(parts) = entry else {
                panic!("an entry")
            };
            let Value::Array(fields) = &parts[1] else {
                panic!("fields")
            };
            self.last = text_of(&parts[0]);
            let words: Vec<String> = fields.iter().map(text_of).collect();
            let value = |name: &str| {
                let mut pairs = words.chunks(2);
                pairs
                    .find(|pair| pair[0] == name)
                    .map(|pair| pair[1].clone())
            };
            let state = match value("event").expect("an event").as_str() {
                "reserved" | "granted" => "reserved",
                "released" | "expired" => "free",
                "order" => "sold",
                "refund" if value("restocked").as_deref() == Some("1") => "free",
                "refund" => "withdrawn",
                _ => continue,
            };
            let items = value("items").unwrap_or_default();
            for unit in units_of(&items) {
                self.states.insert(unit, state.to_owned());
            }
        }
    }
}

/// The names in `items`, none of which has a quote in it.
fn units_of(items: &str) -> Vec<String> {
    let lists = items.split("\"units\":[").skip(1);
    let lists = lists.filter_map(|rest| rest.split(']').next());
    let names = lists.flat_map(|list| list.split(','));
    names
        .map(|name| name.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn a_seat_map_of_80000_is_read_once_and_kept_by_the_stream() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let zones = ["floor", "lower", "upper", "sky"];
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 4 floor 0 lower 0 upper 0 sky 0 HOLD 600000 EVENTS all",
        "OK",
    );
    for zone in zones {
        for row in 0..200 {
            restock(&mut con, zone, &seats(&format!("{zone}-{row}"), 1, 100), "");
        }
    }
    con.fields("FLASHSALE.INFO sale", "total 80000, available 80000");
    let mut map = Map::read(&mut con, &zones);
    assert_eq!(map.states.len(), 80_000);
    for n in 0..200 {
        let zone = zones[n % 4];
        let qty = 1 + n % 5;
        con.says(
            &format!("FLASHSALE.RESERVE sale u{n} ITEMS 1 {zone} {qty} ID i{n}"),
            "RESERVED ...",
        );
        let (line, answer) = match n % 3 {
            0 => (format!("CHECKOUT sale orders i{n}"), "SOLD ..."),
            1 => (format!("RELEASE sale i{n}"), "RELEASED ..."),
            _ => (
                format!("RESERVE sale u{n} ITEMS 1 {zone} 1 ID j{n} REPLACE i{n}"),
                "RESERVED ...",
            ),
        };
        con.says(&format!("FLASHSALE.{line}"), answer);
        if n % 9 == 0 {
            con.says(
                &format!("FLASHSALE.REFUND sale orders i{n}"),
                "REFUNDED ...",
            );
        }
    }
    wait_until("all is told", || {
        con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
    map.follow(&mut con);
    let now = Map::read(&mut con, &zones);
    assert_eq!(map.states, now.states);
}

#[test]
fn seats_that_were_kept_back_return_as_neighbours() {
    each("ITEMS 1 stalls 0 HOLD 60000 MAXHOLD 86400000", |_, con| {
        for row in ["A", "B"] {
            restock(con, "stalls", &seats(row, 1, 6), "");
        }
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 3 A-1 A-2 A-3 WITHDRAW",
            "RESTOCKED [stalls 9 9]",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 3 ID i1",
            "RESERVED i1 * 6 -1 [A-4 A-5 A-6]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 3 A-1 A-2 A-3",
            "RESTOCKED [stalls 12 9]",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 stalls 3 ID b1",
            "RESERVED b1 * 6 -1 [A-1 A-2 A-3]",
        );
        // Or the box office has a reservation of its own.
        con.says(
            "FLASHSALE.RESERVE sale office UNITS 2 B-1 B-2 ID office-1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.EXTEND sale office-1 80000000",
            "RESERVED office-1 @+80000000 4 -1 [B-1 B-2]",
        );
        con.says(
            "FLASHSALE.RESERVE sale office UNITS 1 B-1 ID office-2 REPLACE office-1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.BUY sale orders cyd UNITS 1 B-2", "SOLD ...");
    });
}

#[test]
fn a_licence_key_is_the_answer_and_the_retry_has_the_same_key() {
    each("ITEMS 1 keys 0", |_, con| {
        con.says("FLASHSALE.CREATE s s:orders ITEMS 1 other 0", "OK");
        let keys: Vec<String> = (0..10_000).map(|n| format!("KEY-{n:05}")).collect();
        let load = format!(
            "FLASHSALE.RESTOCK s UNITS keys 10000 {} SEALED NEW REF batch-7",
            keys.join(" ")
        );
        con.says(&load, "RESTOCKED [keys 10000 10000]");
        // Imported twice.
        con.refuses(&load, "RESTOCKED [keys 10000 10000]");
        let buy = "FLASHSALE.BUY s s:orders ann ITEMS 1 keys 1 ID ann-1 REF charge-1";
        con.says(buy, "SOLD ann-1 (entry) [KEY-00000]");
        con.says(buy, "SOLD ann-1 (entry) [KEY-00000]");
        // Failed orders have used no key up.
        con.says(
            "FLASHSALE.RESERVE s bob ITEMS 1 keys 1 ID bob-1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.RELEASE s bob-1", "RELEASED ...");
        con.says(
            "FLASHSALE.BUY s s:orders cyd ITEMS 1 keys 1 ID cyd-1",
            "SOLD cyd-1 (entry) [KEY-00001]",
        );
        con.says("DEL s s:orders", "2");
    });
}

#[test]
fn a_coupon_comes_with_each_order() {
    each("ITEMS 2 shoe 5 coupon 0", |_, con| {
        restock(con, "coupon", "C1 C2", "SEALED");
        for (user, coupon) in [("ann", "C1"), ("bob", "C2")] {
            con.says(
                &format!("FLASHSALE.RESERVE sale {user} ITEMS 2 shoe 1 coupon 1 ID {user}"),
                &format!("RESERVED {user} * * -1"),
            );
            con.says(
                &format!("FLASHSALE.CHECKOUT sale orders {user}"),
                &format!("SOLD {user} (entry) [{coupon}]"),
            );
        }
        con.refuses(
            "FLASHSALE.RESERVE sale cyd ITEMS 2 shoe 1 coupon 1",
            "SOLDOUT 0 coupon",
        );
        con.says(
            "FLASHSALE.RESERVE sale cyd ITEMS 1 shoe 1 ID cyd",
            "RESERVED ...",
        );
    });
}

#[test]
fn general_admission_and_seats_are_in_one_sale() {
    each("ITEMS 2 stalls 0 ga 100 USERLIMIT 4", |_, con| {
        restock(con, "stalls", &seats("A", 1, 6), "");
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 2 ga 2 stalls 2 ID i1",
            "RESERVED i1 * 4 0 [A-1 A-2]",
        );
        con.refuses("FLASHSALE.RESERVE sale ann ITEMS 1 ga 1", "USERLIMIT 0");
        con.says("FLASHSALE.RESERVE sale bob ITEMS 1 ga 4", "RESERVED ...");
    });
}

#[test]
fn two_parties_of_one_order_sit_together() {
    each("ITEMS 1 stalls 0", |_, con| {
        restock(con, "stalls", &seats("A", 1, 5), "");
        restock(con, "stalls", &seats("B", 1, 7), "");
        // Four of five would leave one alone, so all sit in the next row.
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 2 stalls 2 stalls 2 ID both",
            "RESERVED both * 8 -1 [B-1 B-2 B-3 B-4]",
        );
        con.says("FLASHSALE.RELEASE sale both", "RELEASED ...");
        // Two requests choose separately.
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 3 ID one",
            "RESERVED one * * -1 [A-1 A-2 A-3]",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 3 ID two",
            "RESERVED two * * -1 [B-1 B-2 B-3]",
        );
        assert_eq!(units_in(con, "stalls", "free"), "A-4 A-5 B-4 B-5 B-6 B-7");
    });
}
