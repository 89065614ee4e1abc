//! What random worlds hardly ever come to, told step by step.

use super::breaks::Break;
use super::world::World;
use crate::commands::play::Fault;
use crate::commands::requests::Op;
use flashsale_fuzz::dice::Dice;

const UNIT: u64 = 1;

/// The primary of a part dies before its replica has what it sold last.
fn fail_over(world: &mut World, part: usize, dice: &mut Dice) -> Result<(), Fault> {
    let primary = world.groups[part].primary;
    world.groups[part].nodes[primary].crash(0);
    world.groups[part].nodes[primary].leads = false;
    assert!(world.groups[part].fail_over(dice, &mut world.epoch));
    world.step += 1;
    world.judge()
}

fn buy(world: &mut World, part: usize) -> Result<(), Fault> {
    world.step += 1;
    let sold = world.reserve(part, 0, UNIT, true)?;
    assert_eq!(sold, Some(true), "part {part}");
    world.judge()
}

fn read(world: &mut World, part: usize) {
    world.step += 1;
    world.read(0, part);
}

/// Two parts of a unit each are empty whenever they are read, and each of the four times the
/// other one has a unit.
fn two_failovers_between_two_readings(breaks: Option<Break>) -> Result<(), Fault> {
    let dice = &mut Dice(5);
    let mut world = World::of(2, vec!["sku".into()], vec![2], 1, dice, breaks);
    world.begin(0);
    buy(&mut world, 0)?;
    read(&mut world, 0);
    fail_over(&mut world, 0, dice)?;
    buy(&mut world, 1)?;
    read(&mut world, 1);
    fail_over(&mut world, 1, dice)?;
    buy(&mut world, 0)?;
    world.decide(0);
    world.begin(0);
    read(&mut world, 0);
    let (id, op) = (world.known[0].last().cloned(), |id| Op::Refund {
        id,
        ask: None,
        reference: None,
        user: None,
        no_restock: false,
        restore_limit: false,
    });
    world.ask(0, &op(id.expect("an order")))?;
    world.judge()?;
    buy(&mut world, 1)?;
    read(&mut world, 1);
    world.decide(0);
    for message in std::mem::take(&mut world.wire) {
        world.arrive(&message);
    }
    world.reserve(1, 0, UNIT, true).map(|_| ())
}

#[test]
fn readings_across_a_failover_say_nothing() {
    assert_eq!(two_failovers_between_two_readings(None), Ok(()));
    let broken = two_failovers_between_two_readings(Some(Break::AcrossFailover));
    let fault = broken.expect_err("a buyer who is told that all is sold");
    assert!(fault.starts_with("SOLDOUT at part 1"), "{fault}");
}
