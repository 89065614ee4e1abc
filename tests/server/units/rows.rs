//! RESERVE and BUY with UNITS: each row of the table, and what may stand in a cart.

use super::{each, hall, restock, seats, units_in};
use crate::support::wait_until;

const HALL: &str = "ITEMS 2 stalls 0 ga 10 HOLD 60000";

#[test]
fn a_cart_may_mix_units_that_are_named_chosen_sealed_and_counted() {
    each(
        "ITEMS 4 stalls 0 box 0 ga 10 code 0 HOLD 60000",
        |_, con| {
            hall(con);
            restock(con, "box", &seats("X", 1, 4), "");
            restock(con, "code", "k1 k2 k3", "SEALED");
            con.says(
                "FLASHSALE.RESERVE sale ann ITEMS 3 ga 3 stalls 2 code 1 UNITS 2 X-3 X-2 ID i1",
                "RESERVED i1 @+60000 2 -1 [A-1 A-2 X-2 X-3]",
            );
            con.says(
                "FLASHSALE.STOCK sale",
                "[stalls 10 2 0 0] [box 2 2 0 0] [ga 7 3 0 0] [code 2 1 0 0]",
            );
            con.fields(
                "FLASHSALE.GET sale i1",
                "items [[ga 3] [stalls 2] [code 1] [box 2]], \
             units [[stalls A-1] [stalls A-2] [box X-2] [box X-3]]",
            );
            con.says(
                "FLASHSALE.CHECKOUT sale orders i1",
                "SOLD i1 (entry) [A-1 A-2 k1 X-2 X-3]",
            );
            con.fields(
                "FLASHSALE.GET sale i1",
                "units [[stalls A-1] [stalls A-2] [code k1] [box X-2] [box X-3]]",
            );
        },
    );
}

#[test]
fn units_are_told_in_the_order_of_the_row_by_reserve_extend_checkout_and_buy() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 3 B-2 A-5 A-2 ID i1",
            "RESERVED i1 @+60000 9 -1 [A-2 A-5 B-2]",
        );
        con.says(
            "FLASHSALE.EXTEND sale i1 10",
            "RESERVED i1 * 9 -1 [A-2 A-5 B-2]",
        );
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1 REF p",
            "SOLD i1 (entry) [A-2 A-5 B-2]",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob UNITS 2 A-4 A-3 ID i2 REF q",
            "SOLD i2 (entry) [A-3 A-4]",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 stalls 1 ID i3",
            "SOLD i3 (entry) [A-1]",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob UNITS 1 A-6",
            "SOLD (ulid) (entry) [A-6]",
        );
        // Nothing is appended where nothing has a name.
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 ga 1 ID i4",
            "RESERVED i4 * 9 -1",
        );
        con.says("FLASHSALE.CHECKOUT sale orders i4", "SOLD i4 (entry)");
    });
}

#[test]
fn the_only_item_and_the_default_one_may_have_names() {
    each("STOCK 0", |_, con| {
        restock(con, "default", "n1 n2 n3", "");
        con.says(
            "FLASHSALE.RESERVE sale ann 2 ID i1",
            "RESERVED i1 * 1 -1 [n1 n2]",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann 2 ID i1",
            "RESERVED i1 * 1 -1 [n1 n2]",
        );
        con.says(
            "FLASHSALE.BUY sale orders ann 1 ID i2",
            "SOLD i2 (entry) [n3]",
        );
    });
}

#[test]
fn what_makes_no_sense_is_an_error() {
    each(HALL, |_, con| {
        hall(con);
        for (ask, part) in [
            ("UNITS", "count"),
            ("UNITS 0", "count"),
            ("UNITS 2 A-1", "count: 2 units, but 1 words follow"),
            ("UNITS 1 ''", "unit: 0 bytes"),
            ("UNITS 2 A-1 A-1", "unit: 'A-1' is asked for twice"),
            ("2 UNITS 1 A-1", "UNITS"),
            ("UNITS 1 A-1 ITEMS 1 ga 1", "ITEMS"),
            ("UNITS 1 A-1 UNITS 1 A-2", "UNITS"),
            ("ITEMS 1 stalls 1 UNITS 1 A-1", "by number and by name"),
            ("ITEMS 2 ga 1 stalls 1 UNITS 1 B-1", "by number and by name"),
        ] {
            for line in [
                format!("FLASHSALE.RESERVE sale ann {ask}"),
                format!("FLASHSALE.BUY sale orders ann {ask}"),
            ] {
                con.fails(&line, "ERR", part);
            }
        }
        con.fails(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-1 ID i1 WAIT",
            "ERR",
            "WAIT",
        );
        for unknown in ["A-7", "a-1", "stalls"] {
            let line = format!("FLASHSALE.RESERVE sale ann UNITS 2 A-1 {unknown} ID i1");
            con.fails(&line, "NOSKU", &format!("'{unknown}'"));
            let line = format!("FLASHSALE.BUY sale orders ann UNITS 1 {unknown}");
            con.fails(&line, "NOSKU", &format!("'{unknown}'"));
        }
        con.says("FLASHSALE.GET sale i1", "(nil)");
    });
}

#[test]
fn a_unit_that_is_sold_or_withdrawn_is_not_free_for_good() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.BUY sale orders bob UNITS 1 A-2 ID b1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-4 WITHDRAW",
            "RESTOCKED [stalls 11 10]",
        );
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "NOTFREE -1 stalls A-2",
        );
        con.refuses(
            "FLASHSALE.BUY sale orders ann UNITS 2 A-4 A-5 ID i1",
            "NOTFREE -1 stalls A-4",
        );
        // Within a row, the first unit as asked.
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 3 A-4 A-1 A-2 ID i1",
            "NOTFREE -1 stalls A-4",
        );
    });
}

#[test]
fn a_unit_that_is_reserved_is_not_free_until_its_holders_deadline() {
    each("ITEMS 2 stalls 0 ga 10 HOLD 600000", |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale eve ITEMS 1 ga 1 ID e1 HOLD 1000",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 2 A-1 A-2 ID b1 HOLD 90000",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale cyd UNITS 1 B-1 ID c1 HOLD 300000",
            "RESERVED ...",
        );
        // Not the sale's next deadline, which is eve's.
        let retry = |con: &mut crate::support::Con, unit: &str| -> u64 {
            let line = format!("FLASHSALE.RESERVE sale ann UNITS 1 {unit} ID i1");
            let reply = con.show(&line);
            let words: Vec<&str> = reply.split(' ').collect();
            assert_eq!(
                (words[0], &words[2..]),
                ("NOTFREE", &["stalls", unit][..]),
                "{reply}"
            );
            words[1].parse().expect("milliseconds")
        };
        let of_bob = retry(con, "A-2");
        assert!((80_000..=90_000).contains(&of_bob), "{of_bob}");
        let of_cyd = retry(con, "B-1");
        assert!((290_000..=300_000).contains(&of_cyd), "{of_cyd}");
        con.says("FLASHSALE.BUY sale orders dan UNITS 1 A-3", "SOLD ...");
        // Sold is row 12, reserved is row 13, whatever stands first.
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-2 A-3 ID i1",
            "NOTFREE -1 stalls A-3",
        );
        con.says("FLASHSALE.RELEASE sale b1", "RELEASED b1");
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "RESERVED i1 * * -1 [A-1 A-2]",
        );
    });
}

#[test]
fn a_unit_comes_back_at_its_deadline_and_to_whoever_asks_first() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 1 A-1 ID b1 HOLD 30",
            "RESERVED ...",
        );
        wait_until("it is free", || {
            con.show("FLASHSALE.RESERVE sale ann UNITS 1 A-1 ID i1")
                .starts_with("RESERVED i1")
        });
        con.fields("FLASHSALE.GET sale b1", "state expired, units []");
        con.refuses(
            "FLASHSALE.RESERVE sale bob UNITS 1 A-1 ID b1",
            "EXPIRED b1 *",
        );
    });
}

#[test]
fn rows_before_stock_come_first() {
    let options = "ITEMS 2 stalls 0 ga 10 USERLIMIT 3 ITEMLIMIT 2 ORDERLIMIT 4 SALELIMIT 9";
    each(options, |_, con| {
        hall(con);
        con.says("FLASHSALE.BUY sale orders zoe UNITS 1 A-1", "SOLD ...");
        for (ask, answer) in [
            ("UNITS 5 A-1 A-2 A-3 A-4 A-5", "ORDERLIMIT 4"),
            ("ITEMS 1 ga 3 UNITS 2 A-1 A-2", "ORDERLIMIT 4"),
            ("ITEMS 1 ga 2 UNITS 2 A-1 A-2", "USERLIMIT 3"),
            ("UNITS 3 A-1 A-2 A-3", "ITEMLIMIT 2 stalls"),
        ] {
            con.refuses(&format!("FLASHSALE.RESERVE sale ann {ask} ID i1"), answer);
            con.refuses(
                &format!("FLASHSALE.BUY sale orders ann {ask} ID i1"),
                answer,
            );
        }
        con.says("FLASHSALE.ALTER sale SALELIMIT 2", "OK");
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "SALELIMIT 1",
        );
        con.says("FLASHSALE.PAUSE sale", "OK");
        con.refuses("FLASHSALE.RESERVE sale ann UNITS 1 A-1 ID i1", "PAUSED *");
        con.says("FLASHSALE.CLOSE sale", "OK");
        con.refuses("FLASHSALE.RESERVE sale ann UNITS 1 A-1 ID i1", "ENDED *");
        con.fails(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-9 ID i1",
            "NOSKU",
            "'A-9'",
        );
    });
}

#[test]
fn by_number_a_unit_item_is_sold_out_and_all_reserved_like_any_other() {
    each(HALL, |_, con| {
        restock(con, "stalls", "s1 s2 s3", "");
        con.says("FLASHSALE.BUY sale orders bob UNITS 1 s2", "SOLD ...");
        con.refuses(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 3 ID i1",
            "SOLDOUT 2 stalls",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 1 s1 ID b1",
            "RESERVED ...",
        );
        con.refuses(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 2 ID i1",
            "ALLRESERVED <=60000 stalls",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 1 ID i1",
            "RESERVED i1 * 0 -1 [s3]",
        );
    });
}

#[test]
fn more_than_a_thousand_units_are_too_many_for_one_reservation() {
    each("ITEMS 2 stalls 0 ga 5000", |_, con| {
        restock(con, "stalls", &seats("A", 1, 2_000), "");
        for ask in [
            "ITEMS 1 stalls 1001".to_owned(),
            format!("UNITS 1001 {}", seats("A", 1, 1_001)),
        ] {
            let line = format!("FLASHSALE.RESERVE sale ann {ask} ID i1");
            con.refuses(&line, "ORDERLIMIT 1000");
            con.refuses(
                &format!("FLASHSALE.BUY sale orders ann {ask} ID i1"),
                "ORDERLIMIT 1000",
            );
        }
        con.says("FLASHSALE.ALTER sale ORDERLIMIT 4000", "OK");
        con.refuses(
            "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 1001 ID i1",
            "ORDERLIMIT 1000",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 2 stalls 1000 ga 2000 ID i1",
            &format!("RESERVED i1 * 1000 -1 [{}]", seats("A", 1, 1_000)),
        );
    });
}

#[test]
fn a_line_goes_before_a_named_unit_that_is_free() {
    each("ITEMS 2 stalls 0 ga 10 WAITING 9 HOLD 60000", |_, con| {
        restock(con, "stalls", "s1 s2 s3", "");
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 2 s1 s2 ID b1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale cyd ITEMS 1 stalls 2 ID c1 WAIT",
            "WAITING c1 0 ...",
        );
        con.says("FLASHSALE.GET sale c1", "...");
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 1 s3 ID i1",
            "ALLRESERVED <=60000 stalls",
        );
        con.says("FLASHSALE.RELEASE sale b1", "RELEASED b1");
        // A grant chooses as RESERVE does.
        wait_until("cyd has two seats", || {
            con.field("FLASHSALE.GET sale c1", "units") == "[[stalls s1] [stalls s2]]"
        });
        con.says(
            "FLASHSALE.RESERVE sale cyd ITEMS 1 stalls 2 ID c1 WAIT",
            "RESERVED c1 * 1 -1 [s1 s2]",
        );
        assert_eq!(units_in(con, "stalls", "free"), "s3");
    });
}

#[test]
fn batches_take_units_by_number() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.MRESERVE sale ENTRIES 3 ann 2 i1 bob 13 i2 cyd 1 i3 SKU stalls",
            "[RESERVED i1 * 10 -1 [A-1 A-2]] [SOLDOUT 10 stalls] [RESERVED i3 * 9 -1 [A-3]]",
        );
        con.says(
            "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 i1 p i3 q",
            "[SOLD i1 (entry) [A-1 A-2]] [SOLD i3 (entry) [A-3]]",
        );
        con.says(
            "FLASHSALE.MBUY sale orders ENTRIES 2 dan 2 i4 r ann 2 i1 p SKU stalls",
            "[SOLD i4 (entry) [B-1 B-2]] [SOLD i1 (entry) [A-1 A-2]]",
        );
        con.says(
            "FLASHSALE.RESERVE sale eve UNITS 1 A-6 ID i5",
            "RESERVED ...",
        );
        con.says("FLASHSALE.MRELEASE sale ENTRIES 1 i5", "[RELEASED i5]");
        assert_eq!(
            units_in(con, "stalls", "free"),
            format!("{} {}", seats("A", 4, 6), seats("B", 3, 6))
        );
    });
}
