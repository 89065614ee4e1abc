//! Units with names against a slow list of rows.
//!
//! **Goal**: whoever asks by name, by number, for sealed or for counted units gets what the
//! contract says; no unit is in two hands, and every copy has the same units.
//!
//! **Method**: a model written from the contract alone (`model.rs`: rows as lists of units, each
//! looked at one by one) is driven beside the engine by seeded random requests: carts of all four
//! kinds, REPLACE, checkouts within GRACE, refunds by unit, units withdrawn and named again, holders
//! whose deadline is over, retries of everything. Answers, units and states must be the same after
//! each request. A second sale is told every event by its bytes, checks it, is loaded again from a
//! snapshot, and takes over. Each answer of the contract has to be reached. `FLASHSALE_SEED` repeats
//! a run, `FLASHSALE_OPS` sets its length.

mod directed;
mod forged;
mod history;
mod model;
mod said;
mod since;
mod world;

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::commands::play::Fault;
use crate::commands::seeded::{caught, fresh_seed, from_environment, shorten};
use said::{Op, SKUS, Step};
use world::World;

const OPERATIONS: u64 = 40_000;
const STEPS: usize = 200;

/// First words of answers that have to be reached.
const WORDS: [&str; 26] = [
    "ALLRESERVED",
    "ALREADYSOLD",
    "ENDED",
    "ERR",
    "EXPIRED",
    "KNOWN",
    "MISMATCH",
    "NORESERVATION",
    "NOSKU",
    "NOTFREE -1",
    "NOTFREE later",
    "NOTSOLD",
    "NOTSOLD unit",
    "NOUNIT",
    "OK",
    "ORDERLIMIT",
    "REFUNDED",
    "RELEASED",
    "RESERVED",
    "RESERVED again",
    "RESTOCKED",
    "SOLD",
    "SOLD again",
    "SOLDOUT",
    "SWEPT",
    "TOOFEW",
];

/// A name of a unit there is, or of any.
fn some_name(rng: &mut SmallRng, world: &World) -> String {
    let known = world.model.units.choose(rng);
    match known.filter(|_| rng.random_bool(0.8)) {
        Some(unit) => unit.name.clone(),
        None => name(rng),
    }
}

fn name(rng: &mut SmallRng) -> String {
    let sku = SKUS.choose(rng).expect("a SKU");
    format!("{sku}-{}", rng.random_range(0..24))
}

/// A row that is mostly of new names, side by side.
fn restock(rng: &mut SmallRng) -> Op {
    let sku = (*SKUS.choose(rng).expect("a SKU")).to_string();
    let of = if rng.random_bool(0.95) {
        sku.clone()
    } else {
        (*SKUS.choose(rng).expect("a SKU")).to_string()
    };
    let from = rng.random_range(0..24);
    let names = (from..from + rng.random_range(1..7)).map(|n| format!("{of}-{n}"));
    let mut names: Vec<String> = names.collect();
    if rng.random_bool(0.05) {
        names.push(names[0].clone());
    }
    Op::RestockUnits {
        sealed: match &*sku {
            "pit" => rng.random_bool(0.7),
            sku => (sku == "code") != rng.random_bool(0.03),
        },
        sku,
        names,
        new: rng.random_bool(0.8),
        withdraw: false,
        reference: rng.random_bool(0.3).then(|| rng.random_range(0..6)),
    }
}

fn withdraw(rng: &mut SmallRng) -> Op {
    match restock(rng) {
        Op::RestockUnits {
            sku,
            mut names,
            reference,
            ..
        } => {
            names.truncate(rng.random_range(1..4));
            Op::RestockUnits {
                sku,
                names,
                sealed: false,
                new: false,
                withdraw: true,
                reference,
            }
        }
        other => other,
    }
}

fn reserve(rng: &mut SmallRng, ids: u32, world: &World) -> Op {
    let mut items = Vec::new();
    let mut names = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        let sku = (*SKUS.choose(rng).expect("a SKU")).to_string();
        let qty = if rng.random_bool(0.01) {
            1_001
        } else {
            rng.random_range(1..5)
        };
        items.push((sku, qty));
    }
    if items.is_empty() || rng.random_bool(0.2) {
        let first = some_name(rng, world);
        let known = world.model.units.iter().position(|unit| unit.name == first);
        names.push(first);
        // Mostly its neighbours, as people choose.
        for more in 1..rng.random_range(1..4) {
            let next = known.and_then(|at| world.model.units.get(at + more));
            names.push(next.map_or_else(|| name(rng), |unit| unit.name.clone()));
        }
    }
    Op::Reserve {
        id: rng.random_range(0..ids),
        user: rng.random_range(0..4),
        items,
        names,
        replaces: rng.random_bool(0.25).then(|| rng.random_range(0..ids)),
        buys: rng.random_bool(0.2),
    }
}

fn refund(rng: &mut SmallRng, ids: u32, world: &World) -> Op {
    let mut items = Vec::new();
    let mut names = Vec::new();
    match rng.random_range(0..4) {
        0 => {}
        1 => items.push((
            (*SKUS.choose(rng).expect("a SKU")).to_string(),
            rng.random_range(1..4),
        )),
        _ => names.extend((0..rng.random_range(1..3)).map(|_| some_name(rng, world))),
    }
    let needs_reference = !items.is_empty() || !names.is_empty();
    Op::Refund {
        id: rng.random_range(0..ids),
        items,
        names,
        reference: (needs_reference || rng.random_bool(0.3)).then(|| rng.random_range(0..3)),
        no_restock: rng.random_bool(0.2),
    }
}

/// The next request: a new one, or one of the last again.
fn step(rng: &mut SmallRng, before: &[Step], world: &World) -> Step {
    let ids = 30;
    let op = match rng.random_range(0..100) {
        0..12 => restock(rng),
        12..18 => withdraw(rng),
        18..52 => reserve(rng, ids, world),
        52..55 => world.some_retry(rng).unwrap_or(Op::Sweep),
        55..68 => Op::Checkout {
            id: rng.random_range(0..ids),
            reference: rng.random_bool(0.3).then(|| rng.random_range(0..2)),
        },
        68..73 => Op::Release {
            id: rng.random_range(0..ids),
        },
        73..76 => refund(rng, ids, world),
        76..84 => world
            .some_refund(rng)
            .unwrap_or_else(|| refund(rng, ids, world)),
        84..86 => Op::Restock {
            sku: (*SKUS.choose(rng).expect("a SKU")).to_string(),
            delta: rng.random_range(-2..4),
        },
        86 => Op::Restock {
            sku: "pit".into(),
            delta: -1,
        },
        87..90 => Op::Sweep,
        90 if before.len() > STEPS * 3 / 4 => Op::Close,
        _ => match before.choose(rng) {
            Some(step) => step.op.clone(),
            None => Op::Sweep,
        },
    };
    Step {
        later_ms: *[0, 0, 1, 10, 60].choose(rng).expect("a time"),
        turn: rng.random_range(0..12),
        op,
    }
}

/// Runs steps; the number of those done before a fault, and the fault.
fn run(steps: &[Step]) -> Result<World, (usize, Fault)> {
    let mut done = 0;
    let mut world = World::new();
    caught(|| {
        for step in steps {
            world.step(step)?;
            done += 1;
        }
        Ok(())
    })
    .map_err(|fault| (done, fault))?;
    Ok(world)
}

fn play(seed: u64, seen: &mut BTreeMap<String, u64>) -> u64 {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut steps: Vec<Step> = Vec::new();
    let mut world = World::new();
    let played = caught(|| {
        while steps.len() < STEPS {
            let next = step(&mut rng, &steps, &world);
            steps.push(next);
            let said = world.step(steps.last().expect("just pushed"))?;
            *seen.entry(said).or_default() += 1;
        }
        Ok(())
    });
    if let Err(fault) = played {
        let shortest = shorten(&steps, |fewer| run(fewer).err().map(|(at, _)| at));
        let why = run(&shortest).err().map(|(_, fault)| fault);
        panic!(
            "FLASHSALE_SEED={seed}: {fault}\nshortest: {shortest:#?}\nwhich ends in {}",
            why.unwrap_or_default()
        );
    }
    steps.len() as u64
}

#[test]
fn units_go_where_a_list_of_rows_says_and_every_copy_has_the_same() {
    let given = from_environment("FLASHSALE_SEED");
    let seed = given.unwrap_or_else(fresh_seed);
    let operations = from_environment("FLASHSALE_OPS").unwrap_or(OPERATIONS);
    println!("FLASHSALE_SEED={seed} FLASHSALE_OPS={operations}");
    let (mut done, mut sales) = (0, 0);
    let mut seen = BTreeMap::new();
    while done < operations {
        done += play(seed.wrapping_add(sales), &mut seen);
        sales += 1;
    }
    println!("{seen:?}");
    if done >= OPERATIONS {
        let missing: Vec<_> = WORDS
            .iter()
            .filter(|word| !seen.contains_key(**word))
            .collect();
        assert!(missing.is_empty(), "never reached: {missing:?}");
    }
}
