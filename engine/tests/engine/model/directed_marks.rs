//! Stories of copies that missed a change, and of a CREATE that is sent again.

use super::stories::*;
use super::world::World;
use crate::commands::play;
use crate::commands::requests::{Named, Op, Setup, Step};
use flashsale_engine::sale::{Change, Event, Phase};

#[test]
fn a_copy_that_missed_a_change_sells_no_new_units_until_a_person_says_so() {
    let mut world = sale(&[("a", 9)], &[("GRACE", 50)]);
    tell(
        &mut world,
        &[
            (0, reserve("u", 1, "r1"), "RESERVED r1 000100 8 -1"),
            (1, reserve("u", 1, "r2"), "RESERVED r2 000101 7 -1"),
            (2, reserve("u", 1, "r3"), "RESERVED r3 000102 6 -1"),
            (9, Op::Mark("the id is unknown"), "OK"),
            (9, Op::Mark("the first reason stays"), "OK"),
            // Its time has not moved.
            (10, reserve("u", 1, "new"), "PAUSED 000002"),
            (10, buy("u", 1, "new", None), "PAUSED 000002"),
            (10, replace("u", 2, "new", "r1"), "PAUSED 000002"),
            (10, reserve("u", 1, "r1"), "RESERVED r1 000100 6 -1"),
            (11, checkout("r1", None), "SOLD r1 1"),
            (12, refund("r1", None, None), "REFUNDED r1 2"),
            (13, release("r2", None), "RELEASED r2"),
            (14, extend("r3", 9), "RESERVED r3 000102 8 -1"),
            (102, Op::Sweep(9), "SWEPT 1 0 0"),
            (103, checkout("r3", None), "SOLD r3 3"),
            (104, reserve("u", 1, "new"), "PAUSED 000002"),
            (105, Op::Resume, "OK"),
            (106, reserve("u", 1, "new"), "RESERVED new 000206 7 -1"),
        ],
    );
}

#[test]
fn a_mark_is_lifted_with_the_pause_and_also_after_close() {
    let mut world = sale(&[("a", 9)], &[]);
    tell(
        &mut world,
        &[
            (5, Op::Pause, "OK"),
            (6, Op::Mark("the event is cut short"), "OK"),
            (7, reserve("u", 1, "new"), "PAUSED 000005"),
            (8, Op::Resume, "OK"),
            (9, reserve("u", 1, "new"), "RESERVED new 000109 8 -1"),
            (10, Op::Mark("the event is cut short"), "OK"),
            (11, Op::Close, "OK"),
            (12, reserve("u", 1, "more"), "ENDED 000011"),
        ],
    );
    let phase = |world: &World| world.engine.primary.phase(T + 12);
    assert_eq!(phase(&world), Phase::Diverged);
    tell(&mut world, &[(13, Op::Resume, "OK")]);
    assert_eq!(phase(&world), Phase::Closed);
    tell(&mut world, &[(14, Op::Resume, "ENDED 000011")]);
}

#[test]
fn what_a_sound_primary_resumes_lifts_no_mark_of_a_copy() {
    let mut world = sale(&[("a", 9)], &[]);
    let ask = |world: &mut World, ms: u64, op: Op| {
        let clock_ms = T + ms;
        let step = Step { clock_ms, op };
        world.answer(&step).expect("both agree")
    };
    let marked = Event {
        at_ms: T,
        change: Change::Marked {
            reason: "the event is cut short",
        },
    };
    world.engine.second.apply(&marked);
    for (ms, op) in [(1, Op::Pause), (2, Op::Resume)] {
        assert_eq!(ask(&mut world, ms, op), "OK");
    }
    let mark = world.engine.second.mark().map(|mark| mark.id.at_ms);
    assert_eq!(mark, Some(T), "the mark of the copy alone");
    // It takes over; the model is told what that copy missed.
    std::mem::swap(&mut world.engine.primary, &mut world.engine.second);
    world.model.mark = Some((T, 1, "the event is cut short".into()));
    assert_eq!(
        ask(&mut world, 3, reserve("u", 1, "r1")),
        format!("PAUSED {T}")
    );
    assert_eq!(ask(&mut world, 4, Op::Resume), "OK");
    let answer = ask(&mut world, 5, reserve("u", 1, "r1"));
    assert!(answer.starts_with("RESERVED r1"), "{answer}");
}

#[test]
fn a_create_sent_again_is_known_by_what_it_asked_for_whatever_was_sold() {
    let items = [("a", 9), ("b", 9)];
    let (given, other) = ([("USERLIMIT", 3)], [("USERLIMIT", 4)]);
    let mut world = sale(&items, &given);
    let is_made_by = |world: &World, items: &[(&str, u64)], options: &[Named]| {
        let setup = setup(items, options, 1);
        play::with_create(&setup, world.model.sale_id, |ask| {
            world.engine.primary.is_made_by(ask)
        })
    };
    tell(
        &mut world,
        &[
            (
                0,
                cart("u", &[("a", 2), ("b", 1)], "r1"),
                "RESERVED r1 000100 7 0",
            ),
            (1, checkout("r1", None), "SOLD r1 1"),
            (
                2,
                refund("r1", Some(items_of("a", 1)), Some("x")),
                "REFUNDED r1 2",
            ),
            (3, Op::Pause, "OK"),
        ],
    );
    assert!(is_made_by(&world, &items, &given));
    assert!(!is_made_by(&world, &items, &other));
    assert!(!is_made_by(&world, &items[..1], &given));
    assert!(!is_made_by(&world, &[("a", 9), ("b", 8)], &given));
    assert!(!is_made_by(&world, &[("b", 9), ("a", 9)], &given));
    let moved = Setup {
        orders: "others".into(),
        ..setup(&items, &given, 1)
    };
    let primary = &world.engine.primary;
    let sale_id = world.model.sale_id;
    assert!(!play::with_create(&moved, sale_id, |ask| primary.is_made_by(ask)));
    let same = setup(&items, &given, 1);
    assert!(!play::with_create(&same, sale_id + 1, |ask| primary.is_made_by(ask)));
}

#[test]
fn a_base_follows_what_is_put_in_and_taken_out_for_good() {
    let mut world = sale(&[("a", 9)], &[]);
    let mut is_as_created = |story: &[(u64, Op, &str)]| {
        tell(&mut world, story);
        world.model.is_as_created()
    };
    assert!(is_as_created(&[(0, buy("u", 3, "r1", None), "SOLD r1 1")]));
    assert!(!is_as_created(&[(
        1,
        restock(2, None),
        "RESTOCKED [a 11 8]"
    )]));
    assert!(is_as_created(&[(
        2,
        restock(-2, None),
        "RESTOCKED [a 9 6]"
    )]));
    let off_sale = Op::Refund {
        id: "r1".into(),
        ask: None,
        reference: None,
        user: None,
        no_restock: true,
        restore_limit: false,
    };
    assert!(!is_as_created(&[(3, off_sale, "REFUNDED r1 2")]));
    assert!(is_as_created(&[(4, restock(3, None), "RESTOCKED [a 9 9]")]));
}

fn items_of(sku: &str, qty: u64) -> crate::commands::requests::Ask {
    items(&[(sku, qty)])
}
