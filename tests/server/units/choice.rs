//! Which units the server chooses: rows in order, each from its beginning, and nobody left alone.

use super::{each, hall, restock, seats, units_in};
use crate::support::Con;

const HALL: &str = "ITEMS 2 stalls 0 ga 10";

/// Reserves so many units by number, and returns which they are.
#[track_caller]
fn chosen(con: &mut Con, qty: u32, id: &str) -> String {
    let reply = con.show(&format!(
        "FLASHSALE.RESERVE sale u ITEMS 1 stalls {qty} ID {id}"
    ));
    let units = reply.split_once('[').expect("units").1;
    units.trim_end_matches(']').to_owned()
}

#[test]
fn a_run_that_fits_or_leaves_two_goes_first_and_nobody_is_left_alone() {
    each(HALL, |_, con| {
        restock(con, "stalls", &seats("A", 1, 3), "");
        restock(con, "stalls", &seats("B", 1, 5), "");
        restock(con, "stalls", &seats("C", 1, 2), "");
        // Two of three would leave one alone; of five they leave three.
        assert_eq!(chosen(con, 2, "i1"), "B-1 B-2");
        assert_eq!(chosen(con, 2, "i2"), "C-1 C-2");
        // Only runs of three are left: then one is alone.
        assert_eq!(chosen(con, 2, "i3"), "A-1 A-2");
        assert_eq!(chosen(con, 3, "i4"), "B-3 B-4 B-5");
        assert_eq!(chosen(con, 1, "i5"), "A-3");
    });
}

#[test]
fn where_no_run_is_long_enough_the_first_free_units_are_taken() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale u UNITS 6 A-2 A-4 A-6 B-2 B-4 B-6 ID i0",
            "RESERVED ...",
        );
        assert_eq!(chosen(con, 3, "i1"), "A-1 A-3 A-5");
        con.says("FLASHSALE.RELEASE sale i0", "RELEASED i0");
        assert_eq!(chosen(con, 3, "i2"), "B-1 B-2 B-3");
    });
}

#[test]
fn neighbours_are_what_was_named_side_by_side() {
    each(HALL, |_, con| {
        // Odd numbers on the left, even ones on the right.
        restock(con, "stalls", "5 3 1 2 4 6", "");
        assert_eq!(chosen(con, 2, "i1"), "\"5\" \"3\"");
        assert_eq!(chosen(con, 4, "i2"), "\"1\" \"2\" \"4\" \"6\"");
    });
}

#[test]
fn replace_by_number_keeps_the_first_units_and_chooses_more_with_them() {
    each(HALL, |_, con| {
        hall(con);
        assert_eq!(chosen(con, 4, "i1"), "A-1 A-2 A-3 A-4");
        con.says(
            "FLASHSALE.RESERVE sale u ITEMS 1 stalls 2 ID i2 REPLACE i1",
            "RESERVED i2 * 10 -1 [A-1 A-2]",
        );
        con.says("FLASHSALE.RESERVE sale v UNITS 1 A-3 ID v1", "RESERVED ...");
        // Three are not to be had around the old two.
        con.says(
            "FLASHSALE.RESERVE sale u ITEMS 1 stalls 3 ID i3 REPLACE i2",
            "RESERVED i3 * 8 -1 [A-4 A-5 A-6]",
        );
        con.fields("FLASHSALE.GET sale i2", "state released, units []");
        // By name, and one of the old ones among them.
        con.says(
            "FLASHSALE.RESERVE sale u UNITS 2 A-4 B-6 ID i4 REPLACE i3",
            "RESERVED i4 * 9 -1 [A-4 B-6]",
        );
        // A refusal leaves the old cart as it was.
        con.refuses(
            "FLASHSALE.RESERVE sale u UNITS 2 A-4 A-3 ID i5 REPLACE i4",
            "NOTFREE <=300000 stalls A-3",
        );
        con.fields("FLASHSALE.GET sale i4", "units [[stalls A-4] [stalls B-6]]");
        assert_eq!(units_in(con, "stalls", "reserved"), "A-3 A-4 B-6");
        con.says(
            "FLASHSALE.RESERVE sale u ITEMS 1 ga 1 ID i6 REPLACE i4",
            "RESERVED i6 * 9 -1",
        );
        assert_eq!(units_in(con, "stalls", "reserved"), "A-3");
    });
}

#[test]
fn a_hundred_parties_sit_together_and_none_sits_twice() {
    each(HALL, |_, con| {
        for row in 0..20 {
            restock(con, "stalls", &seats(&format!("R{row:02}"), 1, 15), "");
        }
        let mut taken = std::collections::BTreeSet::new();
        for party in 0..100 {
            let qty = 1 + party % 4;
            let units = chosen(con, qty, &format!("p{party}"));
            let names: Vec<&str> = units.split(' ').collect();
            assert_eq!(names.len(), qty as usize);
            let place = |name: &str| -> (String, u32) {
                let (row, number) = name.split_once('-').expect("a seat");
                (row.to_owned(), number.parse().expect("a number"))
            };
            let (row, first) = place(names[0]);
            for (offset, name) in (0..).zip(&names) {
                assert_eq!(place(name), (row.clone(), first + offset), "{units}");
                assert!(taken.insert((*name).to_owned()), "{name} twice");
            }
        }
    });
}
