//! Where units with names meet what else a sale knows: debts, lines, and budgets of batches.

use super::{each, hall, restock, seats};
use crate::support::Feed;

/// Fails with an error that says what to do.
const OWES: &str = "RESTOCK as many by number first";

#[test]
fn an_item_that_owes_units_gets_no_names() {
    each("ITEMS 2 a 0 b 5", |_, con| {
        let share = con.field("FLASHSALE.INFO sale", "share_id");
        con.says(
            &format!("FLASHSALE.GIVE sale {share} 01ARZ3NDEKTSV4RRFFQ69G5FAV 5 SKU a OWING"),
            "GIVEN 5 0 a",
        );
        con.fails("FLASHSALE.RESTOCK sale UNITS a 1 A0", "ERR", OWES);
        con.says("FLASHSALE.RESTOCK sale ITEMS 1 a 5", "RESTOCKED [a 0 0]");
        restock(con, "a", "A0", "");
        // A debt that is left when the order is not there any more.
        con.says(
            "FLASHSALE.IMPORT sale orders ann ITEMS 1 b 7 ID x AT 1765000000000",
            "SOLD ...",
        );
        con.says("FLASHSALE.REFUND sale orders x NORESTOCK", "REFUNDED ...");
        con.fields("FLASHSALE.INFO sale", "owed 2, sold 0");
        con.fails("FLASHSALE.RESTOCK sale UNITS b 1 B0", "ERR", OWES);
    });
}

#[test]
fn a_batch_is_about_ten_thousand_units_with_names() {
    each("ITEMS 2 stalls 0 ga 90000 ORDERLIMIT 100000", |_, con| {
        for row in 0..12 {
            restock(con, "stalls", &seats(&format!("r{row}"), 1, 1_000), "");
        }
        let entries = |first: u32, count: u32, qty: u32| {
            let entries = (first..first + count).map(|n| format!("u{n} {qty} i{n}"));
            entries.collect::<Vec<_>>().join(" ")
        };
        // Refusals cost nothing, and units that are a number are no matter.
        con.says(
            &format!(
                "FLASHSALE.MRESERVE sale ENTRIES 2 {} SKU ga",
                entries(90, 2, 20_000)
            ),
            "[RESERVED ...] [RESERVED ...]",
        );
        let line = format!(
            "FLASHSALE.MRESERVE sale ENTRIES 13 {} {} big 1001 big SKU stalls",
            entries(0, 10, 999),
            entries(10, 2, 10),
        );
        let reply = con.show(&line);
        assert_eq!(reply.matches("RESERVED").count(), 11, "{reply}");
        let too_many = "it has more units with names than what is left of the 10000 of a batch";
        assert_eq!(reply.matches(too_many).count(), 2, "{reply}");
        con.says("FLASHSALE.STOCK sale stalls", "[stalls 2000 10000 0 0]");
        // Replies list units, whether or not something changes.
        let ids = (0..12).map(|n| format!("i{n} ''")).collect::<Vec<_>>();
        let line = format!(
            "FLASHSALE.MCHECKOUT sale orders ENTRIES 12 {}",
            ids.join(" ")
        );
        let reply = con.show(&line);
        assert_eq!(reply.matches("SOLD").count(), 11, "{reply}");
        let reply = con.show(&line);
        assert_eq!(reply.matches("SOLD").count(), 11, "{reply}");
        con.says("FLASHSALE.CHECKOUT sale orders i0", "SOLD ...");
    });
}

#[test]
fn whoever_waits_and_has_bought_a_named_unit_elsewhere_leaves_the_line() {
    each("ITEMS 1 stalls 0 WAITING 9 HOLD 600000", |_, con| {
        restock(con, "stalls", "A-1", "");
        con.says("FLASHSALE.RESERVE sale ann 1 ID a", "RESERVED ...");
        con.says(
            "FLASHSALE.RESERVE sale bob 1 ID b WAIT",
            "WAITING b 0 1 ...",
        );
        con.says("FLASHSALE.PAUSE sale", "OK");
        restock(con, "stalls", "A-2", "");
        let import = |user: &str, units: &str| {
            format!("FLASHSALE.IMPORT sale orders {user} {units} ID b AT 1765000000000")
        };
        con.refuses(&import("cyd", "UNITS 1 A-2"), "MISMATCH b");
        con.refuses(&import("bob", "UNITS 2 A-1 A-2"), "MISMATCH b");
        con.says(&import("bob", "UNITS 1 A-2"), "SOLD b (entry) [A-2]");
        con.fields("FLASHSALE.INFO sale", "waiting 0, sold 1, reserved 1");
    });
}

#[test]
fn taking_off_sale_what_is_off_sale_changes_nothing() {
    each("ITEMS 1 stalls 0", |server, con| {
        hall(con);
        let line = "FLASHSALE.RESTOCK sale UNITS stalls 2 A-2 A-4 WITHDRAW";
        con.says(line, "RESTOCKED [stalls 10 10]");
        let mut feed = Feed::follow(server);
        con.says(line, "RESTOCKED [stalls 10 10]");
        assert_eq!(feed.short(), [""; 0]);
        // With a REF it is remembered, and that is a change.
        con.says(&format!("{line} REF r"), "RESTOCKED [stalls 10 10]");
        con.says(&format!("{line} REF r"), "RESTOCKED [stalls 10 10]");
    });
}
