//! Books and sale after a loss, simulated.
//!
//! **Goal**: after any lost suffix of a sale's history, with SQL having any superset of a prefix
//! of what there was, reconcile leaves exactly the union: what SQL has is sold, what the sale has
//! sold is in SQL or on its way there, `owed` is what the books compute, AUDIT finds nothing, and a
//! second run has nothing to do.
//!
//! **Method**: seeded worlds of one small sale, a stream, a worker and SQL, on the engine alone.
//! Buyers reserve, buy, pay, give back and retry; the worker reads, stores and acknowledges when
//! it likes; SQL forgets rows, the stream is trimmed. The history is cut anywhere and goes on
//! from there. The companion's own decisions (`companion/src/reconcile/decide.rs`) are carried
//! out in its order, page by page, and buyers and worker go on between any two steps.
//! `FLASHSALE_SEED` repeats a run, `FLASHSALE_WORLDS` sets how many worlds there are.

#[path = "../../../../companion/src/reconcile/decide.rs"]
#[allow(clippy::pedantic)]
mod decide;
mod people;
mod repair;
mod server;
mod verify;
mod world;

use std::collections::BTreeMap;

use crate::commands::play::Fault;
use crate::commands::seeded::{caught, from_environment};
use flashsale_fuzz::dice::Dice;
use repair::Tally;
use world::World;

/// Worlds of a run, unless `FLASHSALE_WORLDS` says otherwise.
const WORLDS: u64 = 3_000;

/// What has to be seen in a run of that length.
const EXPECTED: [&str; 12] = [
    "lost",
    "lost while open",
    "refund repeated",
    "inserted from the stream",
    "inserted from the sale",
    "paid twice",
    "conflict",
    "backlog",
    "later than T0",
    "units owed",
    "bought again meanwhile",
    "a suffix was lost",
];

#[test]
fn after_any_loss_the_books_are_the_union() {
    let seed = from_environment("FLASHSALE_SEED");
    let worlds = from_environment("FLASHSALE_WORLDS").unwrap_or(WORLDS);
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = match seed {
        Some(seed) => seed..seed + 1,
        None => 0..worlds,
    };
    for seed in seeds {
        let mut here = BTreeMap::new();
        if let Err(fault) = caught(|| one_world(seed, &mut here)) {
            panic!("FLASHSALE_SEED={seed}: {fault}");
        }
        for (what, count) in here {
            *seen.entry(what).or_default() += count;
        }
    }
    println!("{seen:#?}");
    if worlds >= WORLDS && seed.is_none() {
        let missing: Vec<_> = (EXPECTED.iter())
            .filter(|what| !seen.contains_key(**what))
            .collect();
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

fn one_world(seed: u64, seen: &mut BTreeMap<&'static str, u64>) -> Result<(), Fault> {
    let mut dice = Dice(seed);
    let mut world = World::new(&mut dice)?;
    let before = dice.between(1, 80);
    world.live(&mut dice, before)?;
    world.lose(&mut dice, seen)?;
    let after = dice.below(40);
    world.live(&mut dice, after)?;
    world.damage(&mut dice);
    if dice.one_in(2) {
        // Everything goes on meanwhile. What the worker stores late is found by the next run.
        let mut tally = Tally::default();
        world.reconcile(&mut dice, true, &mut tally)?;
        tally.note(seen);
        world.drain();
    }
    world.let_go(&mut dice);
    let mut tally = Tally::default();
    world.reconcile(&mut dice, false, &mut tally)?;
    tally.note(seen);
    world.verify(&tally, seen)?;
    let mut again = Tally::default();
    world.reconcile(&mut dice, false, &mut again)?;
    again.is_idle(&tally)?;
    world.drain();
    world.verify(&again, seen)
}
