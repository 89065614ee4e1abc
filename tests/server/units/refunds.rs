//! REFUND of units with names: which come back, and to whom.

use super::{all_units, each, hall, restock, units_in};

const HALL: &str = "ITEMS 2 stalls 0 ga 10 HOLD 60000";

#[test]
fn units_come_back_by_their_names() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 1 ga 2 UNITS 3 A-1 A-2 A-3 ID i1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-2 REF r1",
            "REFUNDED i1 (entry)",
        );
        con.says("FLASHSALE.STOCK sale stalls", "[stalls 10 0 2 0]");
        con.fields(
            "FLASHSALE.GET sale i1",
            "state sold, items [[ga 2] [stalls 3]], refunded [[stalls 1]], \
             units [[stalls A-1] [stalls A-3]]",
        );
        con.refuses(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-2 REF r1",
            "REFUNDED i1 (entry)",
        );
        con.refuses(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-3 REF r1",
            "MISMATCH i1",
        );
        con.refuses(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-2 REF r2",
            "NOTSOLD 0 stalls A-2",
        );
        // Without any of the three, everything that is left.
        con.says("FLASHSALE.REFUND sale orders i1", "REFUNDED i1 (entry)");
        con.fields("FLASHSALE.GET sale i1", "state refunded, units []");
        con.says("FLASHSALE.STOCK sale", "[stalls 12 0 0 0] [ga 10 0 0 0]");
    });
}

#[test]
fn by_number_only_all_that_is_left_comes_back() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 1 ga 2 UNITS 3 A-1 A-2 A-3 ID i1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.BUY sale orders ann UNITS 2 B-1 B-2 ID i2",
            "SOLD ...",
        );
        con.fails(
            "FLASHSALE.REFUND sale orders i1 ITEMS 1 stalls 2 REF r1",
            "ERR",
            "UNITS",
        );
        con.fails(
            "FLASHSALE.REFUND sale orders i2 QTY 1 REF r1",
            "ERR",
            "UNITS",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 ITEMS 1 stalls 3 REF r1",
            "REFUNDED ...",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 ITEMS 1 ga 1 REF r2",
            "REFUNDED ...",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i2 QTY 2 REF r1",
            "REFUNDED ...",
        );
        assert_eq!(units_in(con, "stalls", "sold"), "");
    });
}

#[test]
fn what_is_not_in_the_order_is_told_by_its_name() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.BUY sale orders ann UNITS 2 A-1 A-2 ID i1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob UNITS 1 A-3 ID b1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-4 ID i2",
            "RESERVED ...",
        );
        for unit in ["A-3", "A-4", "A-5"] {
            con.refuses(
                &format!("FLASHSALE.REFUND sale orders i1 UNITS 2 A-1 {unit} REF r1"),
                &format!("NOTSOLD 0 stalls {unit}"),
            );
        }
        con.fails(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 nosuch REF r1",
            "NOSKU",
            "'nosuch'",
        );
        con.refuses(
            "FLASHSALE.REFUND sale orders i2 UNITS 1 A-4 REF r1",
            "NOTSOLD 0",
        );
        con.refuses(
            "FLASHSALE.REFUND sale orders nosuch UNITS 1 A-1 REF r1",
            "NORESERVATION nosuch",
        );
        con.refuses(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-1 REF r1 USER bob",
            "NORESERVATION i1",
        );
        for (ask, part) in [
            ("UNITS 1 A-1", "REF"),
            ("UNITS 2 A-1 A-1 REF r1", "unit: 'A-1' is asked for twice"),
            ("UNITS 1 A-1 QTY 1 REF r1", "only one of"),
            ("ITEMS 1 stalls 2 UNITS 1 A-1 REF r1", "only one of"),
            ("UNITS 0 REF r1", "count"),
        ] {
            con.fails(
                &format!("FLASHSALE.REFUND sale orders i1 {ask}"),
                "ERR",
                part,
            );
        }
    });
}

#[test]
fn without_restock_and_after_the_end_they_are_withdrawn() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.BUY sale orders ann UNITS 3 A-1 A-2 A-3 ID i1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-1 REF r1 NORESTOCK",
            "REFUNDED ...",
        );
        con.says("FLASHSALE.STOCK sale stalls", "[stalls 9 0 2 0]");
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-2 REF r2",
            "REFUNDED ...",
        );
        con.says("FLASHSALE.CLOSE sale", "OK");
        con.says("FLASHSALE.REFUND sale orders i1", "REFUNDED ...");
        con.says("FLASHSALE.STOCK sale stalls", "[stalls 10 0 0 0]");
        assert_eq!(
            all_units(con, "stalls", "COUNT 3")[..30],
            "A-1 withdrawn A-2 free A-3 withdrawn"[..30]
        );
        // What was withdrawn may be put back on sale.
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-1 A-3",
            "RESTOCKED [stalls 12 12]",
        );
    });
}

#[test]
fn a_code_that_came_back_never_sells_again() {
    each("ITEMS 2 code 0 ga 10", |_, con| {
        restock(con, "code", "k1 k2 k3", "SEALED");
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 2 code 2 ga 1 ID i1",
            "SOLD i1 (entry) [k1 k2]",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 k1 REF r1",
            "REFUNDED i1 (entry)",
        );
        con.says("FLASHSALE.STOCK sale code", "[code 1 0 1 0]");
        // Nothing tells a code from a guess.
        for guess in ["k1", "k3", "zz"] {
            let line = format!("FLASHSALE.REFUND sale orders i1 UNITS 1 {guess} REF r2");
            con.fails(&line, "NOSKU", &format!("'{guess}'"));
        }
        con.says("FLASHSALE.REFUND sale orders i1", "REFUNDED i1 (entry)");
        con.says("FLASHSALE.STOCK sale", "[code 1 0 0 0] [ga 10 0 0 0]");
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS code 1 k1 SEALED",
            "ERR",
            "unit: 'k1' is in the sale already",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 1 ID b1",
            "SOLD b1 (entry) [k3]",
        );
        con.refuses(
            "FLASHSALE.BUY sale orders cyd ITEMS 1 code 1 ID c1",
            "SOLDOUT 0 code",
        );
    });
}
