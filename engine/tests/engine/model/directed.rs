//! Stories that random steps seldom tell whole, with the words the contract promises.
//! Each is told to the model and the engine alike.

use super::stories::*;
use super::world::{After, World};
use crate::commands::requests::{Ask, Deltas, Op, Step};

#[test]
fn grace_is_granted_only_while_the_units_and_the_limits_admit_it() {
    let mut world = sale(&[("a", 3)], &[("GRACE", 50), ("USERLIMIT", 2)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 2, "r1"), "RESERVED r1 000100 1 0"),
            (0, reserve("v", 1, "r2"), "RESERVED r2 000100 0 1"),
            (100, Op::Sweep(9), "SWEPT 2 0 0"),
            (110, reserve("w", 2, "r3"), "RESERVED r3 000210 1 0"),
            // One unit is left: enough for r2, not for r1.
            (120, checkout("r1", None), "EXPIRED r1 000100 30"),
            (120, checkout("r2", None), "SOLD r2 1"),
            (130, release("r3", None), "RELEASED r3"),
            // Its own user has used the limit up since.
            (131, reserve("u", 1, "r4"), "RESERVED r4 000231 1 1"),
            (132, checkout("r1", None), "EXPIRED r1 000100 18"),
            (133, release("r4", None), "RELEASED r4"),
            (149, checkout("r1", Some("late")), "SOLD r1 2"),
            (149, checkout("r1", Some("later")), "ALREADYSOLD r1 late"),
        ],
    );
}

#[test]
fn grace_is_over_at_its_last_millisecond() {
    let mut world = sale(&[("a", 3)], &[("GRACE", 50)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 2 -1"),
            (0, reserve("u", 1, "r2"), "RESERVED r2 000100 1 -1"),
            (149, checkout("r1", None), "SOLD r1 1"),
            (150, checkout("r2", None), "EXPIRED r2 000100 0"),
        ],
    );
}

#[test]
fn grace_is_not_denied_by_what_is_overdue_itself() {
    let mut world = sale(&[("a", 1)], &[("GRACE", 500)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 0 -1"),
            (100, Op::Sweep(9), "SWEPT 1 0 0"),
            (100, reserve("v", 1, "r2"), "RESERVED r2 000200 0 -1"),
            (199, checkout("r1", None), "EXPIRED r1 000100 401"),
            (200, checkout("r1", None), "SOLD r1 1"),
            (200, checkout("r2", None), "EXPIRED r2 000200 500"),
        ],
    );
}

#[test]
fn a_release_after_the_deadline_ends_the_grace() {
    let mut world = sale(&[("a", 3)], &[("GRACE", 50), ("REMEMBER", 30)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 2 -1"),
            (110, release("r1", Some("v")), "NORESERVATION r1"),
            (110, release("r1", Some("u")), "RELEASED r1"),
            (111, checkout("r1", None), "RELEASED r1"),
            (111, buy("u", 1, "r1", None), "RELEASED r1"),
            (111, reserve("u", 1, "r1"), "RELEASED r1"),
            // Counted from the release, and never shorter than GRACE.
            (159, Op::Sweep(9), "SWEPT 0 0 0"),
            (160, Op::Sweep(9), "SWEPT 0 0 1"),
            (160, checkout("r1", None), "NORESERVATION r1"),
        ],
    );
}

#[test]
fn a_release_that_overtakes_its_reserve_takes_nothing() {
    let mut world = sale(&[("a", 3), ("b", 3)], &[]);
    tell(
        &mut world,
        &[
            (0, release("r1", None), "RELEASED r1"),
            (1, cart("u", &[("a", 1)], "r1"), "RELEASED r1"),
            (1, cart("v", &[("no such item", 9)], "r1"), "RELEASED r1"),
            (1, reserve("v", 1, "r1"), "RELEASED r1"),
            (2, release("r2", Some("u")), "RELEASED r2"),
            (2, cart("u", &[("a", 1)], "r2"), "RELEASED r2"),
            (2, cart("v", &[("a", 1)], "r2"), "MISMATCH r2"),
            (2, buy("v", 1, "r2", None), "MISMATCH r2"),
            (2, release("r2", Some("v")), "NORESERVATION r2"),
            (2, extend("r2", 5), "RELEASED r2"),
            (2, refund("r2", None, None), "NOTSOLD 0"),
            (2, checkout("r2", None), "RELEASED r2"),
        ],
    );
    assert_eq!(world.model.available("a"), 3);
}

#[test]
fn a_retry_is_told_the_truth_after_the_sell_out_and_after_the_end() {
    let mut world = sale(&[("a", 2)], &[("END", T + 50), ("USERLIMIT", 1)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 1 0"),
            (1, buy("v", 1, "r2", Some("p")), "SOLD r2 1"),
            (2, reserve("w", 1, "r3"), "ALLRESERVED 98 a"),
            (3, checkout("r1", Some("q")), "SOLD r1 2"),
            (4, reserve("w", 1, "r3"), "SOLDOUT 0 a"),
            (50, reserve("w", 1, "r3"), "ENDED 000050"),
            (51, reserve("u", 1, "r1"), "SOLD r1 2"),
            (51, cart("u", &[("a", 1)], "r1"), "SOLD r1 2"),
            (51, reserve("u", 2, "r1"), "MISMATCH r1"),
            (51, buy("v", 1, "r2", Some("p")), "SOLD r2 1"),
            (51, buy("v", 1, "r2", Some("q")), "ALREADYSOLD r2 p"),
            (52, refund("r2", None, None), "REFUNDED r2 3"),
            (52, refund("r2", None, None), "REFUNDED r2 3"),
            (52, buy("v", 1, "r2", Some("p")), "REFUNDED r2 3"),
            (52, reserve("v", 1, "r2"), "REFUNDED r2 3"),
        ],
    );
    // After the end a refund puts nothing back on sale.
    assert_eq!((world.model.available("a"), world.model.total("a")), (0, 1));
}

#[test]
fn a_bare_quantity_still_means_what_it_meant_before_an_item_was_added() {
    let mut world = sale(&[("a", 9)], &[]);
    let add = |sku: &str| Op::Restock {
        deltas: Deltas::Items(vec![(sku.into(), 5)]),
        new: true,
        reference: None,
    };
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (0, restock(1, Some("s")), "RESTOCKED [a 10 9]"),
            (1, add("b"), "RESTOCKED [b 5 5]"),
            (2, reserve("u", 1, "r1"), "RESERVED r1 000100 9 -1"),
            (2, reserve("u", 1, "r2"), "NOSKU ?"),
            (2, restock(1, Some("s")), "RESTOCKED [a 10 9]"),
            (2, restock(2, Some("s")), "MISMATCH s"),
            (3, add("default"), "RESTOCKED [default 5 5]"),
            (4, buy("u", 1, "r1", None), "SOLD r1 1"),
            (4, buy("u", 1, "r2", None), "SOLD r2 2"),
            (4, cart("u", &[("default", 1)], "r2"), "SOLD r2 2"),
            (4, cart("u", &[("default", 1)], "r1"), "MISMATCH r1"),
        ],
    );
}

#[test]
fn deadlines_of_one_moment_fall_in_the_order_they_were_set() {
    let mut world = sale(&[("a", 9)], &[("MAXHOLD", 500)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (0, reserve("u", 1, "r2"), "RESERVED r2 000100 7 -1"),
            (50, reserve("u", 1, "r3"), "RESERVED r3 000150 6 -1"),
            // r1 now stands behind r3, though it is older.
            (50, extend("r1", 100), "RESERVED r1 000150 6 -1"),
            (50, extend("r2", 40), "RESERVED r2 000100 6 -1"),
            (150, Op::Sweep(1), "SWEPT 1 0 0"),
            (150, Op::Sweep(1), "SWEPT 1 0 0"),
        ],
    );
    let state = |id: &str| world.model.find(id).map(|known| known.state());
    assert_eq!(
        [state("r1"), state("r2"), state("r3")],
        [Some("reserved"), Some("expired"), Some("expired")]
    );
}

#[test]
fn no_deadline_outlives_its_making_by_more_than_maxhold() {
    let mut world = sale(&[("a", 9)], &[("MAXHOLD", 130)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (60, extend("r1", 500), "RESERVED r1 000130 8 -1"),
            (60, Op::Alter(vec![("MAXHOLD", 110)]), "OK"),
            (61, extend("r1", 500), "RESERVED r1 000130 8 -1"),
            (61, Op::Close, "OK"),
            (62, extend("r1", 1), "RESERVED r1 000130 8 -1"),
            (62, Op::Alter(vec![("END", T + 999)]), "ENDED 000061"),
            (129, checkout("r1", None), "SOLD r1 1"),
        ],
    );
}

#[test]
fn a_small_step_back_revives_nothing_and_a_large_one_is_believed() {
    let mut world = sale(&[("a", 9)], &[("REMEMBER", 1_000_000)]);
    tell(
        &mut world,
        &[
            (100_000, reserve("u", 1, "r1"), "RESERVED r1 100100 8 -1"),
            (100_100, Op::Sweep(1), "SWEPT 1 0 0"),
            (40_100, reserve("u", 1, "r1"), "EXPIRED r1 100100"),
            (40_100, reserve("u", 1, "r2"), "RESERVED r2 100200 8 -1"),
            (40_099, reserve("u", 1, "r3"), "RESERVED r3 040199 7 -1"),
            (40_199, checkout("r3", None), "EXPIRED r3 040199 0"),
            (40_200, checkout("r2", None), "SOLD r2 1"),
        ],
    );
}

#[test]
fn a_refund_is_a_replay_by_its_ref_and_a_mismatch_by_its_units() {
    let mut world = sale(&[("a", 9), ("b", 9)], &[]);
    let three_and_two = [("a", 3), ("b", 2)];
    let qty = |n| Some(Ask::Qty(n));
    tell(
        &mut world,
        &[
            (
                0,
                cart("u", &three_and_two, "r1"),
                "RESERVED r1 000100 6 -1",
            ),
            (0, refund("r1", None, None), "NOTSOLD 0"),
            (1, checkout("r1", None), "SOLD r1 1"),
            (2, refund("r1", qty(1), Some("x")), "ERR"),
            (
                2,
                refund("r1", Some(items(&[("b", 1), ("a", 4)])), Some("x")),
                "NOTSOLD 3 a",
            ),
            (
                2,
                refund("r1", Some(items(&[("a", 1), ("c", 1)])), Some("x")),
                "NOTSOLD 0 c",
            ),
            (
                2,
                refund("r1", Some(items(&[("b", 1), ("a", 2)])), Some("x")),
                "REFUNDED r1 2",
            ),
            (
                3,
                refund(
                    "r1",
                    Some(items(&[("a", 1), ("b", 1), ("a", 1)])),
                    Some("x"),
                ),
                "REFUNDED r1 2",
            ),
            (
                3,
                refund("r1", Some(items(&[("a", 2)])), Some("x")),
                "MISMATCH r1",
            ),
            (3, refund("r1", None, Some("x")), "MISMATCH r1"),
            (4, refund("r1", None, Some("y")), "REFUNDED r1 3"),
            (5, refund("r1", None, Some("y")), "REFUNDED r1 3"),
            (5, refund("r1", None, Some("z")), "NOTSOLD 0 a"),
            (5, refund("r1", None, None), "REFUNDED r1 3"),
            (
                5,
                refund("r1", Some(items(&[("b", 1)])), Some("z")),
                "NOTSOLD 0 b",
            ),
            (6, checkout("r1", Some("p")), "REFUNDED r1 3"),
        ],
    );
}

#[test]
fn the_last_thousand_refs_of_restock_are_remembered() {
    let mut world = sale(&[("a", 0)], &[]);
    for n in 0..=1_000 {
        let step = Step {
            clock_ms: T,
            op: restock(1, Some(&format!("s{n}"))),
        };
        world.answer(&step).expect("both agree");
    }
    tell(
        &mut world,
        &[
            (0, restock(1, Some("s1")), "RESTOCKED [a 1001 1001]"),
            (0, restock(2, Some("s1000")), "MISMATCH s1000"),
            // Forgotten: done again, and s1 goes for it.
            (0, restock(1, Some("s0")), "RESTOCKED [a 1002 1002]"),
            (0, restock(1, Some("s0")), "RESTOCKED [a 1002 1002]"),
            (0, restock(1, Some("s1")), "RESTOCKED [a 1003 1003]"),
        ],
    );
}

#[test]
fn a_user_sees_the_oldest_hundred_of_its_reservations() {
    let mut world = sale(&[("a", 200)], &[]);
    for n in 0..130 {
        let step = Step {
            clock_ms: T + n,
            op: reserve_for("u", 1, &format!("r{n}"), 100),
        };
        world.answer(&step).expect("both agree");
    }
    tell(
        &mut world,
        &[
            (30, release("r3", None), "RELEASED r3"),
            (102, Op::Sweep(1), "SWEPT 1 0 0"),
        ],
    );
    let view = world.engine.primary.user(b"u");
    assert_eq!((view.open, view.slots.len()), (128, 100));
}

#[test]
fn a_large_sale_survives_its_own_snapshot() {
    let mut world = sale(
        &[("default", 100_000), ("b", 50)],
        &[("USERLIMIT", 40), ("GRACE", 10), ("REMEMBER", 3_900)],
    );
    for n in 0..4_000_u64 {
        let id = format!("{n:_>128}");
        let user = format!("{:_>90}", n % 700);
        let op = match n % 8 {
            0 => buy(&user, 1, &id, Some(&format!("{n:_>50}"))),
            1 => cart(&user, &[("b", 1), ("default", 2)], &id),
            2 => release(&id, Some(&user)),
            3 => checkout(&format!("{:_>128}", n - 1), Some("p")),
            4 => refund(&format!("{:_>128}", n - 4), None, Some("back")),
            _ => reserve_for(&user, 1 + n % 3, &id, 1 + n % 97),
        };
        world
            .answer(&Step {
                clock_ms: T + n,
                op,
            })
            .expect("both agree");
    }
    let known = world.model.reservations.len();
    assert!(
        known >= 3_000,
        "{known} are too few to make more than one chunk"
    );
    for (ms, op) in [
        (4_000, Op::Sweep(20)),
        (4_001, Op::Sweep(700)),
        (4_002, reserve("w", 1, "last")),
    ] {
        world
            .step(
                &Step {
                    clock_ms: T + ms,
                    op,
                },
                After::Reload,
            )
            .expect("every copy is the same sale");
    }
}

/// A sale in which `u` has `many` open reservations that last, then `more` do not.
fn with_many_open(many: u64, more: &[(u64, Op, &str)]) -> World {
    let mut world = sale(&[("a", 9_000)], &[("USERLIMIT", many), ("HOLD", 9_000)]);
    for n in 0..many - 1 {
        let op = reserve("u", 1, &format!("r{n}"));
        world.answer(&Step { clock_ms: T, op }).expect("both agree");
    }
    tell(&mut world, more);
    world
}

#[test]
fn a_limit_is_not_final_while_one_of_very_many_reservations_is_overdue() {
    for many in [1_000, 1_001, 1_002, 2_500] {
        let reserved = format!("RESERVED last 000010 {} 0", 9_000 - many);
        let anew = format!("RESERVED more 009010 {} 0", 9_000 - many);
        with_many_open(
            many,
            &[
                (0, reserve_for("u", 1, "last", 10), &reserved),
                (9, reserve("u", 1, "more"), "USERLIMIT 0"),
                (10, reserve("u", 1, "more"), &anew),
                (10, reserve("u", 1, "again"), "USERLIMIT 0"),
            ],
        );
    }
}

#[test]
fn a_limit_of_very_many_reservations_is_final_once_all_that_is_overdue_has_gone_back() {
    let reserved = "RESERVED last 009000 7999 0";
    let mut world = with_many_open(1_001, &[(0, reserve("u", 1, "last"), reserved)]);
    // Nothing of `u` is overdue, but nobody looks through so many to know it.
    for n in 0..2_000 {
        let op = reserve_for("others", 1, &format!("o{n}"), 10);
        world.answer(&Step { clock_ms: T, op }).expect("both agree");
    }
    tell(
        &mut world,
        &[
            (10, reserve("u", 1, "more"), "ALLRESERVED 1"),
            (10, reserve("u", 1, "more"), "USERLIMIT 0"),
        ],
    );
}

#[test]
fn a_sweep_counts_a_reservation_once_for_every_16_lines_it_has_begun() {
    let skus: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let stock: Vec<(&str, u64)> = skus.iter().map(|sku| (sku.as_str(), 9)).collect();
    let lines = |count: usize| -> Vec<(&str, u64)> {
        skus[..count].iter().map(|sku| (sku.as_str(), 1)).collect()
    };
    let mut world = sale(&stock, &[("REMEMBER", 0)]);
    let carts = [16, 17, 40, 1, 32, 33];
    for (n, count) in carts.into_iter().enumerate() {
        let op = cart("u", &lines(count), &format!("r{n}"));
        world.answer(&Step { clock_ms: T, op }).expect("both agree");
    }
    tell(
        &mut world,
        &[
            // They cost 1, 2, 3, 1, 2 and 3; the last one may cost more than is left.
            (100, Op::Sweep(3), "SWEPT 2 0 0"),
            (100, Op::Sweep(2), "SWEPT 1 0 0"),
            (100, Op::Sweep(2), "SWEPT 2 0 0"),
            (100, Op::Sweep(2), "SWEPT 1 0 0"),
            (100, Op::Sweep(4), "SWEPT 0 0 4"),
            (100, Op::Sweep(4), "SWEPT 0 0 2"),
            (100, Op::Sweep(4), "SWEPT 0 0 0"),
        ],
    );
}
