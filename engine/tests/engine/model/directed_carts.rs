//! Stories of carts that change (REPLACE) and of large carts that ended.

use super::stories::*;
use crate::commands::requests::{Ask, Op};

#[test]
fn a_cart_that_changes_keeps_its_deadline_and_the_moment_of_its_making() {
    let mut world = sale(&[("a", 5)], &[("MAXHOLD", 150)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 2, "r1"), "RESERVED r1 000100 3 -1"),
            (40, replace("u", 3, "r2", "r1"), "RESERVED r2 000100 2 -1"),
            // The whole is sent again, also without REPLACE.
            (40, replace("u", 3, "r2", "r1"), "RESERVED r2 000100 2 -1"),
            (40, reserve("u", 3, "r2"), "RESERVED r2 000100 2 -1"),
            (40, replace("u", 2, "r2", "r1"), "MISMATCH r2"),
            (41, checkout("r1", None), "RELEASED r1"),
            (41, reserve("u", 2, "r1"), "RELEASED r1"),
            // 150 from the making of r1.
            (42, extend("r2", 500), "RESERVED r2 000150 2 -1"),
            (43, replace("u", 1, "r3", "r2"), "RESERVED r3 000150 4 -1"),
            (43, extend("r3", 500), "RESERVED r3 000150 4 -1"),
            (149, checkout("r3", None), "SOLD r3 1"),
        ],
    );
}

#[test]
fn one_of_two_that_replace_the_same_does() {
    let mut world = sale(&[("a", 5)], &[]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 2, "r1"), "RESERVED r1 000100 3 -1"),
            (1, replace("u", 3, "r2", "r1"), "RESERVED r2 000100 2 -1"),
            (1, replace("u", 1, "r3", "r1"), "RELEASED r1"),
            (2, replace("u", 1, "r3", "r2"), "RESERVED r3 000100 4 -1"),
        ],
    );
    assert_eq!(
        (world.model.available("a"), world.model.reserved("a")),
        (4, 1)
    );
}

#[test]
fn what_is_not_open_is_told_as_checkout_tells_it() {
    let mut world = sale(&[("a", 9)], &[("GRACE", 50), ("END", T + 300)]);
    tell(
        &mut world,
        &[
            (0, replace("u", 1, "new", "old"), "NORESERVATION old"),
            (0, replace("u", 1, "same", "same"), "NORESERVATION same"),
            (0, buy("u", 1, "sold", Some("p")), "SOLD sold 1"),
            (0, replace("u", 1, "new", "sold"), "SOLD sold 1"),
            (1, refund("sold", None, None), "REFUNDED sold 2"),
            (1, replace("u", 1, "new", "sold"), "REFUNDED sold 2"),
            (2, release("gone", None), "RELEASED gone"),
            (2, replace("u", 1, "new", "gone"), "RELEASED gone"),
            (3, reserve("u", 1, "late"), "RESERVED late 000103 8 -1"),
            (
                103,
                replace("u", 1, "new", "late"),
                "EXPIRED late 000103 50",
            ),
            (152, replace("u", 1, "new", "late"), "EXPIRED late 000103 1"),
            (153, replace("u", 1, "new", "late"), "EXPIRED late 000103 0"),
            // It is told before the SKU, and before the end.
            (300, replace("u", 1, "new", "gone"), "RELEASED gone"),
        ],
    );
}

#[test]
fn the_share_of_the_limits_is_free_for_its_own_user_alone() {
    let mut world = sale(&[("a", 5)], &[("USERLIMIT", 3)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 2, "r1"), "RESERVED r1 000100 3 1"),
            (0, reserve("v", 3, "r2"), "RESERVED r2 000100 0 0"),
            // Two are its own, and one is v's.
            (1, replace("u", 3, "r3", "r1"), "ALLRESERVED 99 a"),
            (1, replace("u", 4, "r3", "r1"), "USERLIMIT 3"),
            (1, replace("v", 2, "r3", "r1"), "USERLIMIT 0"),
            // Nothing has changed so far.
            (2, reserve("u", 2, "r1"), "RESERVED r1 000100 0 1"),
            (3, replace("w", 2, "r3", "r1"), "RESERVED r3 000100 0 1"),
            (4, replace("w", 1, "r4", "r3"), "RESERVED r4 000100 1 2"),
            (5, replace("v", 3, "r5", "r2"), "RESERVED r5 000100 1 0"),
            (6, reserve("u", 1, "r6"), "RESERVED r6 000106 0 2"),
        ],
    );
}

#[test]
fn a_refused_change_leaves_the_cart_as_it_was() {
    let mut world = sale(&[("a", 3)], &[("ORDERLIMIT", 9), ("ITEMLIMIT", 8)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 2, "r1"), "RESERVED r1 000100 1 -1"),
            // As many as there are with its own.
            (1, replace("u", 7, "r2", "r1"), "SOLDOUT 3 a"),
            (1, replace("u", 9, "r2", "r1"), "ITEMLIMIT 8 a"),
            (1, replace("u", 10, "r2", "r1"), "ORDERLIMIT 9"),
            (2, Op::Pause, "OK"),
            (3, replace("u", 1, "r2", "r1"), "PAUSED 000002"),
            (4, Op::Resume, "OK"),
            (5, Op::Close, "OK"),
            (6, replace("u", 1, "r2", "r1"), "ENDED 000005"),
            (7, checkout("r1", None), "SOLD r1 1"),
        ],
    );
    assert!(world.model.find("r2").is_none());
}

#[test]
fn a_limit_that_was_lowered_binds_the_new_cart() {
    let mut world = sale(&[("a", 9)], &[("USERLIMIT", 4)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 2, "r1"), "RESERVED r1 000100 7 2"),
            (0, reserve("u", 2, "r2"), "RESERVED r2 000100 5 0"),
            (1, Op::Alter(vec![("USERLIMIT", 3)]), "OK"),
            (2, replace("u", 2, "r3", "r1"), "USERLIMIT 1"),
            (3, replace("u", 1, "r3", "r1"), "RESERVED r3 000100 6 0"),
        ],
    );
}

#[test]
fn a_change_needs_room_for_its_new_id() {
    let mut world = small_sale(&[("a", 9)], &[], 2);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (0, reserve("u", 1, "r2"), "RESERVED r2 000100 7 -1"),
            (1, replace("u", 2, "r3", "r1"), "OOM"),
            (2, release("r2", None), "RELEASED r2"),
            (3, replace("u", 2, "r3", "r1"), "RESERVED r3 000100 7 -1"),
            (4, replace("u", 3, "r4", "r3"), "RESERVED r4 000100 6 -1"),
            (4, checkout("r1", None), "NORESERVATION r1"),
        ],
    );
}

#[test]
fn of_a_large_cart_that_ended_a_retry_is_still_told_from_another_request() {
    let skus: Vec<String> = (0..10).map(|n| format!("s{n}")).collect();
    let stock: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 9)).collect();
    let lines = |count: usize| -> Vec<(&str, u64)> {
        skus[..count].iter().map(|sku| (sku.as_str(), 1)).collect()
    };
    let mut backwards = lines(9);
    backwards.reverse();
    let mut other = lines(9);
    other[4].1 = 2;
    let mut world = sale(&stock, &[("GRACE", 50)]);
    tell(
        &mut world,
        &[
            (0, cart("u", &lines(9), "r1"), "RESERVED r1 000100 8 -1"),
            (0, cart("u", &lines(9), "r2"), "RESERVED r2 000100 7 -1"),
            (0, cart("u", &lines(9), "r3"), "RESERVED r3 000100 6 -1"),
            (1, release("r1", None), "RELEASED r1"),
            (1, cart("u", &backwards, "r1"), "RELEASED r1"),
            (1, cart("u", &other, "r1"), "MISMATCH r1"),
            (1, cart("u", &lines(8), "r1"), "MISMATCH r1"),
            (1, cart("u", &lines(10), "r1"), "MISMATCH r1"),
            (1, cart("v", &lines(9), "r1"), "MISMATCH r1"),
            // Within its grace all of it is still there.
            (100, Op::Sweep(9), "SWEPT 2 0 0"),
            (149, checkout("r2", None), "SOLD r2 1"),
            (150, Op::Sweep(9), "SWEPT 0 1 0"),
            (151, cart("u", &backwards, "r3"), "EXPIRED r3 000100"),
            (151, cart("u", &other, "r3"), "MISMATCH r3"),
            (151, release("r3", None), "RELEASED r3"),
            (152, cart("u", &lines(9), "r3"), "RELEASED r3"),
        ],
    );
    let shortened = ["r1", "r2", "r3"].map(|id| world.model.find(id).map(|r| r.is_shortened()));
    assert_eq!(shortened, [Some(true), Some(false), Some(true)]);
    let bare = |ask| Op::Reserve {
        user: "u".into(),
        ask: Ask::Qty(ask),
        id: "r1".into(),
        hold: None,
        replaces: None,
    };
    tell(&mut world, &[(153, bare(1), "MISMATCH r1")]);
}
