//! Stories of the end of a GRACE, and of who makes room for a new id.

use super::stories::*;
use crate::commands::requests::{Ask, Op};

#[test]
fn a_grace_raised_later_brings_nothing_back() {
    let mut world = sale(&[("a", 9)], &[("GRACE", 50)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (100, Op::Sweep(9), "SWEPT 1 0 0"),
            (149, Op::Sweep(9), "SWEPT 0 0 0"),
            (150, Op::Sweep(9), "SWEPT 0 1 0"),
            (150, Op::Alter(vec![("GRACE", 500)]), "OK"),
            (151, checkout("r1", None), "EXPIRED r1 000100 0"),
            (151, reserve("u", 1, "r2"), "RESERVED r2 000251 8 -1"),
            (151, Op::Alter(vec![("GRACE", 0)]), "OK"),
            // Without GRACE it is final at once.
            (251, Op::Sweep(9), "SWEPT 1 0 0"),
            (251, Op::Alter(vec![("GRACE", 500)]), "OK"),
            (252, checkout("r2", None), "EXPIRED r2 000251 0"),
        ],
    );
}

#[test]
fn a_grace_that_is_raised_in_time_lasts_longer() {
    let mut world = sale(&[("a", 9)], &[("GRACE", 50)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (100, Op::Sweep(9), "SWEPT 1 0 0"),
            (140, Op::Alter(vec![("GRACE", 90)]), "OK"),
            (150, Op::Sweep(9), "SWEPT 0 0 0"),
            (189, checkout("r1", None), "SOLD r1 1"),
        ],
    );
}

#[test]
fn an_id_within_its_grace_makes_no_room() {
    let mut world = small_sale(&[("a", 9)], &[("GRACE", 50)], 2);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (0, reserve("u", 1, "r2"), "RESERVED r2 000100 7 -1"),
            (100, Op::Sweep(9), "SWEPT 2 0 0"),
            (149, reserve("u", 1, "r3"), "OOM"),
            (149, buy("u", 1, "r3", None), "OOM"),
            (149, release("r3", None), "OOM"),
            (149, checkout("r2", None), "SOLD r2 1"),
            // The grace of r1 is over, whether the sweep has come to it or not.
            (150, reserve("u", 1, "r3"), "RESERVED r3 000250 7 -1"),
            (150, checkout("r1", None), "NORESERVATION r1"),
        ],
    );
}

#[test]
fn what_can_never_be_checked_out_makes_room_before_what_can() {
    let mut world = small_sale(&[("a", 9)], &[("GRACE", 500)], 2);
    tell(
        &mut world,
        &[
            (
                0,
                reserve_for("u", 1, "late", 10),
                "RESERVED late 000010 8 -1",
            ),
            (10, Op::Sweep(9), "SWEPT 1 0 0"),
            (20, release("gone", None), "RELEASED gone"),
            // The released one is the younger of the two.
            (30, reserve("u", 1, "r3"), "RESERVED r3 000130 8 -1"),
            (31, checkout("gone", None), "NORESERVATION gone"),
            (31, checkout("late", None), "SOLD late 1"),
        ],
    );
}

#[test]
fn end_and_close_alter_no_request_for_a_refund() {
    let mut world = sale(&[("a", 9)], &[("END", T + 50)]);
    let with = |op: Op, stays_off_sale: bool, frees: bool| match op {
        Op::Refund {
            id,
            ask,
            reference,
            user,
            ..
        } => Op::Refund {
            id,
            ask,
            reference,
            user,
            no_restock: stays_off_sale,
            restore_limit: frees,
        },
        other => other,
    };
    let one = |reference| refund("r1", Some(Ask::Qty(1)), Some(reference));
    tell(
        &mut world,
        &[
            (0, buy("u", 4, "r1", None), "SOLD r1 1"),
            (1, with(one("x"), true, false), "REFUNDED r1 2"),
            (1, with(one("x"), false, false), "MISMATCH r1"),
            (1, with(one("x"), true, true), "MISMATCH r1"),
            (1, with(one("x"), true, false), "REFUNDED r1 2"),
            (2, with(one("y"), false, false), "REFUNDED r1 3"),
            // Nothing goes back on sale any more, though nobody said NORESTOCK.
            (60, with(one("z"), false, true), "REFUNDED r1 4"),
            (61, with(one("z"), false, true), "REFUNDED r1 4"),
            (61, with(one("z"), true, true), "MISMATCH r1"),
            (61, with(one("y"), false, false), "REFUNDED r1 3"),
        ],
    );
    let (available, total) = (world.model.available("a"), world.model.total("a"));
    assert_eq!((available, total, world.model.base("a")), (6, 7, 7));
}
