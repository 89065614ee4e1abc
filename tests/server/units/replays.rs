//! Retries of requests about units with names: what is the same request, and what it is answered.

use super::{each, hall, restock};
use crate::support::{Con, wait_until};

const HALL: &str = "ITEMS 2 stalls 0 ga 10 HOLD 60000";

#[test]
fn a_retry_is_answered_with_the_units_it_has() {
    each(HALL, |_, con| {
        hall(con);
        let line = "FLASHSALE.RESERVE sale ann ITEMS 1 ga 1 UNITS 2 A-3 A-2 ID i1";
        con.says(line, "RESERVED i1 * 9 -1 [A-2 A-3]");
        con.refuses(line, "RESERVED i1 * 9 -1 [A-2 A-3]");
        // In another order, and by the same numbers.
        for same in [
            "ITEMS 1 ga 1 UNITS 2 A-2 A-3",
            "ITEMS 2 stalls 2 ga 1",
            "ITEMS 3 ga 1 stalls 1 stalls 1",
        ] {
            let line = format!("FLASHSALE.RESERVE sale ann {same} ID i1");
            con.refuses(&line, "RESERVED i1 * 9 -1 [A-2 A-3]");
        }
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1 REF p",
            "SOLD i1 (entry) [A-2 A-3]",
        );
        con.refuses(
            "FLASHSALE.CHECKOUT sale orders i1 REF p",
            "SOLD i1 (entry) [A-2 A-3]",
        );
        con.refuses(line, "SOLD i1 (entry) [A-2 A-3]");
        con.refuses(
            "FLASHSALE.BUY sale orders ann ITEMS 1 ga 1 UNITS 2 A-2 A-3 ID i1 REF p",
            "SOLD i1 (entry) [A-2 A-3]",
        );
        con.refuses("FLASHSALE.RELEASE sale i1", "SOLD i1 (entry) [A-2 A-3]");
        con.refuses("FLASHSALE.EXTEND sale i1 1000", "SOLD i1 (entry) [A-2 A-3]");
        con.refuses(
            "FLASHSALE.CHECKOUT sale orders i1 REF q",
            "ALREADYSOLD i1 p",
        );
    });
}

#[test]
fn other_units_are_another_request() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 ga 1 UNITS 2 A-2 A-3 ID i1",
            "RESERVED ...",
        );
        for other in [
            "ITEMS 1 ga 1 UNITS 2 A-2 A-4",
            "ITEMS 1 ga 1 UNITS 1 A-2",
            "ITEMS 1 ga 1 UNITS 3 A-2 A-3 A-4",
            "ITEMS 1 ga 2 UNITS 2 A-2 A-3",
            "ITEMS 1 ga 1 UNITS 2 A-2 nosuch",
            "UNITS 2 A-2 A-3",
        ] {
            con.refuses(
                &format!("FLASHSALE.RESERVE sale ann {other} ID i1"),
                "MISMATCH i1",
            );
            con.refuses(
                &format!("FLASHSALE.BUY sale orders ann {other} ID i1"),
                "MISMATCH i1",
            );
        }
        con.refuses(
            "FLASHSALE.RESERVE sale bob ITEMS 1 ga 1 UNITS 2 A-2 A-3 ID i1",
            "MISMATCH i1",
        );
    });
}

#[test]
fn what_was_given_back_is_compared_by_its_numbers_alone() {
    each("ITEMS 2 stalls 0 ga 10 HOLD 60000", |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-2 A-3 ID i1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.RELEASE sale i1", "RELEASED i1");
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 2 A-2 A-3 ID b1",
            "RESERVED ...",
        );
        for units in ["A-2 A-3", "A-5 A-6"] {
            con.refuses(
                &format!("FLASHSALE.RESERVE sale ann UNITS 2 {units} ID i1"),
                "RELEASED i1",
            );
        }
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 1 A-2 ID i1",
            "MISMATCH i1",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 1 B-1 ID i2 HOLD 20",
            "RESERVED ...",
        );
        wait_until("it expired", || {
            con.field("FLASHSALE.GET sale i2", "state") == "expired"
        });
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 1 B-5 ID i2",
            "EXPIRED i2 *",
        );
        con.says(
            "FLASHSALE.BUY sale orders ann UNITS 2 B-2 B-3 ID i3",
            "SOLD ...",
        );
        con.says("FLASHSALE.REFUND sale orders i3", "REFUNDED ...");
        con.refuses(
            "FLASHSALE.BUY sale orders ann UNITS 2 B-2 B-3 ID i3",
            "REFUNDED i3 (entry)",
        );
    });
}

#[test]
fn of_a_partly_refunded_order_what_it_has_now_must_be_among_the_named_ones() {
    each(HALL, |_, con| {
        hall(con);
        let line = "FLASHSALE.BUY sale orders ann UNITS 3 A-1 A-2 A-3 ID i1 REF p";
        con.says(line, "SOLD i1 (entry) [A-1 A-2 A-3]");
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-2 REF r",
            "REFUNDED i1 (entry)",
        );
        con.says("FLASHSALE.BUY sale orders bob UNITS 1 A-2", "SOLD ...");
        con.refuses(line, "SOLD i1 (entry) [A-1 A-3]");
        con.refuses(
            "FLASHSALE.BUY sale orders ann UNITS 3 A-1 A-2 A-4 ID i1 REF p",
            "MISMATCH i1",
        );
    });
}

#[test]
fn a_code_in_a_request_is_unknown_here_too() {
    each("ITEMS 1 code 0", |_, con| {
        restock(con, "code", "k1 k2", "SEALED");
        con.fails(
            "FLASHSALE.RESERVE sale ann UNITS 1 k1 ID i1",
            "NOSKU",
            "'k1'",
        );
        con.fails(
            "FLASHSALE.RESERVE sale ann UNITS 1 zz ID i1",
            "NOSKU",
            "'zz'",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 1 ID i1",
            "RESERVED i1 * 1 -1",
        );
        con.refuses("FLASHSALE.RESERVE sale ann UNITS 1 k1 ID i1", "MISMATCH i1");
        con.says("FLASHSALE.CHECKOUT sale orders i1", "SOLD i1 (entry) [k1]");
        for guess in ["k1", "k2", "zz"] {
            let line = format!("FLASHSALE.RESERVE sale ann UNITS 1 {guess} ID i1");
            con.refuses(&line, "MISMATCH i1");
        }
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 1 ID i1",
            "SOLD i1 (entry) [k1]",
        );
    });
}

/// Late payments: within GRACE an expired reservation gets the very same units, or none.
#[test]
fn within_grace_only_the_very_same_units_are_sold() {
    let grace = "ITEMS 2 stalls 0 ga 10 HOLD 60000 GRACE 600000";
    each(grace, |_, con| {
        hall(con);
        let expire = |con: &mut Con, id: &str, units: &str| {
            let count = units.split(' ').count();
            con.says(
                &format!("FLASHSALE.RESERVE sale ann UNITS {count} {units} ID {id} HOLD 20"),
                "RESERVED ...",
            );
            wait_until("it expired", || {
                con.field(&format!("FLASHSALE.GET sale {id}"), "state") == "expired"
            });
        };
        expire(con, "i1", "A-1 A-2");
        con.fields("FLASHSALE.GET sale i1", "units []");
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1",
            "SOLD i1 (entry) [A-1 A-2]",
        );
        expire(con, "i2", "B-1 B-2");
        con.says(
            "FLASHSALE.RESERVE sale bob UNITS 1 B-2 ID b1",
            "RESERVED ...",
        );
        // Others are free, and would be other seats than were paid for.
        con.refuses("FLASHSALE.CHECKOUT sale orders i2", "EXPIRED i2 * <=600000");
        con.says("FLASHSALE.RELEASE sale b1", "RELEASED b1");
        con.says(
            "FLASHSALE.CHECKOUT sale orders i2",
            "SOLD i2 (entry) [B-1 B-2]",
        );
        // Nor is anybody sold others than were named; of RESERVE they are compared by number.
        expire(con, "i4", "B-4 B-5");
        con.refuses(
            "FLASHSALE.BUY sale orders ann UNITS 2 B-4 B-6 ID i4",
            "MISMATCH i4",
        );
        con.refuses(
            "FLASHSALE.RESERVE sale ann UNITS 2 B-4 B-6 ID i4",
            "EXPIRED i4 *",
        );
        con.says(
            "FLASHSALE.BUY sale orders ann UNITS 2 B-5 B-4 ID i4",
            "SOLD i4 (entry) [B-4 B-5]",
        );
        expire(con, "i3", "A-3");
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-3 WITHDRAW",
            "RESTOCKED ...",
        );
        con.refuses("FLASHSALE.CHECKOUT sale orders i3", "EXPIRED i3 * <=600000");
    });
}
