//! RESTOCK with UNITS, and WITHDRAW: each row of its tables.

use super::{all_units, each, hall, restock, seats, units_in};
use crate::support::{Events, wait_until};

#[test]
fn a_call_is_a_row_and_all_of_it_or_nothing() {
    each("ITEMS 2 stalls 0 ga 10", |_, con| {
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 3 A-1 A-2 A-3",
            "RESTOCKED [stalls 3 3]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS box 2 X-1 X-2 NEW",
            "RESTOCKED [box 2 2]",
        );
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS circle 1 C-1",
            "NOSKU",
            "the sale has no item 'circle'; NEW adds one",
        );
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS stalls 3 A-4 A-2 A-5",
            "ERR",
            "unit: 'A-2' is in the sale already",
        );
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-4 A-4",
            "ERR",
            "unit: 'A-4' is in the sale already",
        );
        // Unique in the sale, not in the item.
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-4 X-1",
            "ERR",
            "unit: 'X-1' is in the sale already",
        );
        con.says(
            "FLASHSALE.STOCK sale",
            "[stalls 3 0 0 0] [ga 10 0 0 0] [box 2 0 0 0]",
        );
        assert_eq!(units_in(con, "stalls", "free"), seats("A", 1, 3));
    });
}

#[test]
fn what_is_reserved_or_sold_is_in_the_sale_already() {
    each("ITEMS 1 stalls 0 HOLD 60000", |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-1 ID i1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.BUY sale orders ann UNITS 1 A-2", "SOLD ...");
        for unit in ["A-1", "A-2", "A-3"] {
            con.fails(
                &format!("FLASHSALE.RESTOCK sale UNITS stalls 2 C-1 {unit}"),
                "ERR",
                &format!("unit: '{unit}' is in the sale already"),
            );
        }
    });
}

#[test]
fn the_same_ref_again_is_a_replay_or_a_mismatch() {
    each("ITEMS 1 stalls 0", |_, con| {
        let line = "FLASHSALE.RESTOCK sale UNITS stalls 2 A-1 A-2 REF truck";
        con.says(line, "RESTOCKED [stalls 2 2]");
        con.refuses(line, "RESTOCKED [stalls 2 2]");
        con.says("FLASHSALE.BUY sale orders ann UNITS 1 A-1", "SOLD ...");
        con.refuses(line, "RESTOCKED [stalls 2 1]");
        for other in [
            "UNITS stalls 2 A-2 A-1 REF truck",
            "UNITS stalls 1 A-1 REF truck",
            "UNITS stalls 3 A-1 A-2 A-3 REF truck",
            "UNITS stalls 2 A-1 A-2 WITHDRAW REF truck",
            "UNITS stalls 2 A-1 A-2 SEALED REF truck",
            "ITEMS 1 stalls 2 REF truck",
            "2 REF truck",
        ] {
            con.refuses(&format!("FLASHSALE.RESTOCK sale {other}"), "MISMATCH truck");
        }
        let line = "FLASHSALE.RESTOCK sale UNITS stalls 1 A-2 WITHDRAW REF back";
        con.says(line, "RESTOCKED [stalls 1 0]");
        con.refuses(line, "RESTOCKED [stalls 1 0]");
        con.refuses(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-2 REF back",
            "MISMATCH back",
        );
        // A new item by a REF that is known.
        let line = "FLASHSALE.RESTOCK sale UNITS box 1 X-1 NEW REF boxes";
        con.says(line, "RESTOCKED [box 1 1]");
        con.refuses(line, "RESTOCKED [box 1 1]");
    });
}

#[test]
fn an_item_has_names_from_its_first_ones_on_and_a_counted_one_never() {
    each(
        "ITEMS 3 stalls 0 ga 10 code 0 HOLD 60000 GRACE 60000",
        |_, con| {
            con.fails(
                "FLASHSALE.RESTOCK sale UNITS ga 1 A-1",
                "ERR",
                "units with names need an item that has none",
            );
            restock(con, "stalls", "A-1", "");
            restock(con, "code", "k1", "SEALED");
            for ask in [
                "ITEMS 1 stalls 1",
                "ITEMS 1 stalls -1",
                "ITEMS 2 ga 1 code 1",
            ] {
                con.fails(&format!("FLASHSALE.RESTOCK sale {ask}"), "ERR", "UNITS");
            }
            con.fails(
                "FLASHSALE.RESTOCK sale UNITS stalls 1 A-2 SEALED",
                "ERR",
                "SEALED",
            );
            con.fails("FLASHSALE.RESTOCK sale UNITS code 1 k2", "ERR", "SEALED");
            // A counted item with none left has no units, and may have names from now on.
            con.says("FLASHSALE.RESTOCK sale ITEMS 1 pit 3 NEW", "RESTOCKED ...");
            con.says(
                "FLASHSALE.RESERVE sale ann ITEMS 1 pit 1 ID i1 HOLD 20",
                "RESERVED ...",
            );
            con.says(
                "FLASHSALE.RESTOCK sale ITEMS 1 pit -2",
                "RESTOCKED [pit 1 0]",
            );
            con.fails(
                "FLASHSALE.RESTOCK sale UNITS pit 1 P-1",
                "ERR",
                "are counted",
            );
            wait_until("it expired", || con.stock("sale pit") == "[pit 1 0 0 0]");
            con.says(
                "FLASHSALE.RESTOCK sale ITEMS 1 pit -1",
                "RESTOCKED [pit 0 0]",
            );
            con.says(
                "FLASHSALE.RESTOCK sale UNITS pit 2 P-1 P-2",
                "RESTOCKED [pit 2 2]",
            );
            // What expired before is expired for good.
            con.refuses("FLASHSALE.CHECKOUT sale orders i1", "EXPIRED i1 * 0");
        },
    );
}

#[test]
fn withdrawn_units_are_off_sale_and_come_back_to_their_own_places() {
    each("ITEMS 2 stalls 0 ga 10 HOLD 60000", |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-3 A-4 WITHDRAW",
            "RESTOCKED [stalls 10 10]",
        );
        // What is withdrawn already is left as it is.
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-4 B-1 WITHDRAW",
            "RESTOCKED [stalls 9 9]",
        );
        assert_eq!(units_in(con, "stalls", "withdrawn"), "A-3 A-4 B-1");
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 3 ID i1",
            "RESERVED i1 * 6 -1 [B-2 B-3 B-4]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 3 A-4 C-1 A-3",
            "RESTOCKED [stalls 12 9]",
        );
        assert_eq!(
            all_units(con, "stalls", "").replace(" free", ""),
            "A-1 A-2 A-3 A-4 A-5 A-6 B-1 withdrawn B-2 reserved B-3 reserved B-4 reserved B-5 B-6 C-1"
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 6 ID i2",
            "RESERVED i2 * 3 -1 [A-1 A-2 A-3 A-4 A-5 A-6]",
        );
    });
}

#[test]
fn only_what_is_free_can_be_withdrawn() {
    each("ITEMS 2 stalls 0 ga 10 HOLD 60000", |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-2 ID i1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.BUY sale orders ann UNITS 1 A-3", "SOLD ...");
        con.refuses(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-1 A-2 WITHDRAW",
            "NOTFREE <=60000 stalls A-2",
        );
        con.refuses(
            "FLASHSALE.RESTOCK sale UNITS stalls 3 A-1 A-3 A-2 WITHDRAW",
            "NOTFREE -1 stalls A-3",
        );
        for (units, part) in [
            ("stalls 1 A-9", "'A-9'"),
            ("ga 1 A-1", "no named units"),
            ("nosuch 1 A-1", "'nosuch'"),
        ] {
            let line = format!("FLASHSALE.RESTOCK sale UNITS {units} WITHDRAW");
            let reply = con.show(&line);
            assert!(
                reply.contains("(error)") && reply.contains(part),
                "{line}: {reply}"
            );
        }
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS nosuch 1 A-1 WITHDRAW NEW",
            "ERR",
            "NEW",
        );
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-1 WITHDRAW SEALED",
            "ERR",
            "SEALED",
        );
        assert_eq!(units_in(con, "stalls", "withdrawn"), "");
    });
}

#[test]
fn of_a_row_whose_last_unit_is_withdrawn_all_come_back_as_neighbours() {
    each("ITEMS 1 stalls 0", |_, con| {
        hall(con);
        let row = seats("A", 1, 6);
        con.says(
            &format!("FLASHSALE.RESTOCK sale UNITS stalls 6 {row} WITHDRAW"),
            "RESTOCKED [stalls 6 6]",
        );
        con.says("DEBUG RELOAD", "OK");
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 6 A-6 A-5 A-4 A-3 A-2 A-1",
            "RESTOCKED [stalls 12 12]",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 6 ID i1",
            &format!("RESERVED i1 * 6 -1 [{row}]"),
        );
    });
}

#[test]
fn what_makes_no_sense_is_an_error() {
    each("ITEMS 1 stalls 0", |_, con| {
        let many = seats("A", 1, 10_001);
        for (ask, part) in [
            ("UNITS", "sku"),
            ("UNITS stalls", "count"),
            ("UNITS stalls 0", "count"),
            ("UNITS stalls 2 A-1", "count: 2 units, but 1 words follow"),
            ("UNITS stalls 1 ''", "unit: 0 bytes"),
            ("UNITS stalls 1 A-1 A-2", "A-2"),
            ("ITEMS 1 stalls 1 SEALED", "SEALED"),
            ("1 WITHDRAW", "WITHDRAW"),
            ("UNITS stalls 1 A-1 SEALED SEALED", "SEALED: given twice"),
            (
                "UNITS stalls 1 A-1 WITHDRAW WITHDRAW",
                "WITHDRAW: given twice",
            ),
        ] {
            con.fails(&format!("FLASHSALE.RESTOCK sale {ask}"), "ERR", part);
        }
        con.fails(
            &format!("FLASHSALE.RESTOCK sale UNITS stalls 10001 {many}"),
            "ERR",
            "10001 units, at most 10000",
        );
    });
}

#[test]
fn items_that_cross_are_told_as_ever() {
    each("ITEMS 1 stalls 0 HOLD 60000", |server, con| {
        let mut events = Events::listen(server);
        restock(con, "stalls", "A-1 A-2", "");
        events.are("restocked backinstock");
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "RESERVED ...",
        );
        events.are("reserved allreserved");
        con.says("FLASHSALE.RELEASE sale i1", "RELEASED ...");
        events.are("released backinstock");
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-1 A-2 WITHDRAW",
            "RESTOCKED ...",
        );
        events.are("restocked soldout");
    });
}
