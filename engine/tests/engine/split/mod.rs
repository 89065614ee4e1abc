//! One sale in several parts, simulated.
//!
//! **Goal**: whatever is lost, late, doubled or done in another order between parts and
//! drivers, and whichever servers crash, are cut off, restarted or lost for good: nothing is
//! sold twice, nothing is owed, nobody is told "sold out" while there was always a unit
//! somewhere, and in the end all is sold to those who ask.
//!
//! **Method**: seeded worlds of two to four parts, each a primary with replicas and files, on
//! the engine alone, and of two drivers that run the program's own rules
//! (`companion/src/split/rules`, included as they are). Only the connections are played here:
//! what a driver reads is stale by the time it decides, a TAKE may come late or twice, and a
//! WAIT speaks for what its own connection wrote. After each step the books over all parts are
//! looked at (`judge.rs`). At the end everything heals, and the rest has to be sold.
//! `FLASHSALE_SEED` repeats a run; `FLASHSALE_OPS` sets its length in steps.
//!
//! Each rule that the drivers keep is broken once, on purpose (`breaks.rs`): the simulation, or a
//! story (`stories.rs`), has to find it.

mod breaks;
mod driver;
mod group;
mod judge;
mod node;
mod operator;
#[allow(dead_code)]
#[path = "../../../../companion/src/split/rules/mod.rs"]
mod rules;
mod stories;
mod world;

use std::collections::BTreeMap;

use crate::commands::seeded::{caught, from_environment};
use breaks::Break;
use flashsale_fuzz::dice::Dice;
use world::World;

/// Steps of a run, unless `FLASHSALE_OPS` says otherwise.
const STEPS: u64 = 400_000;
/// Steps of one world.
const WORLD_STEPS: u64 = 900;

/// What was seen in one world, and what went wrong.
struct Run {
    seen: BTreeMap<&'static str, u64>,
    fault: Option<String>,
    notes: Vec<String>,
}

fn run(seed: u64, breaks: Option<Break>, takes_notes: bool) -> Run {
    let mut dice = Dice(seed);
    dice.roll();
    let mut world = World::new(&mut dice, breaks);
    world.notes = takes_notes.then(Vec::new);
    let fault = caught(|| {
        for _ in 0..WORLD_STEPS {
            world.step(&mut dice)?;
        }
        world
            .settle(&mut dice)
            .map_err(|fault| format!("at the end: {fault}"))
    });
    Run {
        seen: world.seen,
        fault: fault.err(),
        notes: world.notes.unwrap_or_default(),
    }
}

#[test]
fn no_unit_is_sold_twice_or_lost_whatever_happens_between_parts() {
    let first = from_environment("FLASHSALE_SEED").unwrap_or(1);
    let steps = from_environment("FLASHSALE_OPS").unwrap_or(STEPS);
    println!("FLASHSALE_SEED={first} FLASHSALE_OPS={steps}");
    let worlds = steps.div_ceil(WORLD_STEPS);
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in first..first + worlds {
        let run_once = run(seed, None, false);
        if let Some(fault) = run_once.fault {
            let notes = run(seed, None, true).notes;
            panic!(
                "FLASHSALE_SEED={seed} FLASHSALE_OPS=1 repeats it\n{}\n{fault}",
                notes.join("\n")
            );
        }
        for (what, count) in run_once.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    println!("{worlds} worlds");
    for (what, count) in &seen {
        println!("{count:9} {what}");
    }
    if steps >= STEPS {
        let missing: Vec<_> = judge::MUST_SEE
            .iter()
            .filter(|what| !seen.contains_key(*what))
            .collect();
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

/// Each rule is there for a reason: without it, some world goes wrong.
#[test]
fn each_rule_is_needed() {
    let only = std::env::var("FLASHSALE_BREAK").ok();
    let mut unfound = Vec::new();
    for broken in Break::RANDOM {
        if only
            .as_ref()
            .is_some_and(|only| *only != format!("{broken:?}"))
        {
            continue;
        }
        let found = (1..=Break::WORLDS).find_map(|seed| {
            let fault = run(seed, Some(broken), false).fault?;
            Some((seed, fault))
        });
        match found {
            Some((seed, fault)) => println!("{broken:?}: seed {seed}: {fault}"),
            None => unfound.push(broken),
        }
    }
    assert!(unfound.is_empty(), "not found: {unfound:?}");
}
