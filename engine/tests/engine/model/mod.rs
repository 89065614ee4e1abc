//! The sale against a slow, obvious model of it.
//!
//! **Goal**: for any sequence of commands, retries, sweeps and clocks, the engine
//! answers what the contract says, and every copy of a sale is the same sale.
//!
//! **Method**: seeded random sales with little stock and small limits. Each step is
//! done by the model (`model/reference.rs`: a list of reservations, every count made
//! anew) and by the engine; the answers and everything a reader can see must be the
//! same. Each event goes encoded, decoded and checked into a second sale, which must
//! stay equal; it is reloaded from a snapshot now and then, and takes over. A failure
//! prints its seed and the shortest sequence of steps that still goes wrong.
//! `FLASHSALE_SEED` repeats a run, `FLASHSALE_OPS` sets its length. At the end every
//! row of the contract must have been an answer.

mod admission;
mod batches;
mod buyer;
mod compare;
mod directed;
mod directed_carts;
mod directed_grace;
mod directed_marks;
mod driver;
mod outbox;
mod promises;
mod random;
mod random_requests;
mod reference;
mod reservation;
mod rows;
mod seller;
mod stories;
mod translate;
mod views;
mod world;

use std::collections::BTreeMap;

use crate::commands::requests::{Setup, Step};
use crate::commands::seeded::{caught, fresh_seed, from_environment};
use random::Source;
use world::{After, Outcome, World, run, shorten};

/// Operations of a run, unless `FLASHSALE_OPS` says otherwise.
const OPERATIONS: u64 = 200_000;
/// Operations on one sale.
const OPERATIONS_OF_A_SALE: u64 = 400;

/// What was asked of one sale, whether or not it went wrong.
struct Record {
    setup: Setup,
    steps: Vec<(Step, After)>,
    answers: Vec<String>,
    rows: BTreeMap<&'static str, u64>,
    event_bytes: usize,
    fault: Option<String>,
}

/// Asks one random sale; the steps are recorded as they are made up.
fn play(seed: u64) -> Record {
    let (mut source, setup) = Source::new(seed);
    let mut record = Record {
        setup,
        steps: Vec::new(),
        answers: Vec::new(),
        rows: BTreeMap::new(),
        event_bytes: 0,
        fault: None,
    };
    let played = caught(|| {
        let Some(mut world) = World::create(&record.setup)? else {
            record.rows.insert("CREATE ERR", 1);
            return Ok(());
        };
        let mut left = OPERATIONS_OF_A_SALE;
        while left > 0 {
            // Little happens after CLOSE.
            left = left.saturating_sub(if world.model.closed_at.is_some() {
                3
            } else {
                1
            });
            let (step, after) = source.next(&world.model);
            record.steps.push((step, after));
            let (step, after) = record.steps.last().expect("just pushed");
            record.answers.push(world.step(step, *after)?);
        }
        record.rows = std::mem::take(&mut world.model.rows);
        record.event_bytes = world.engine.event_bytes;
        Ok(())
    });
    record.fault = played.err();
    record
}

/// All there is to say about a failure, the shortest sequence last.
fn report(seed: u64, record: &Record, fault: &str) -> String {
    let mut text = format!(
        "FLASHSALE_SEED={seed} repeats it: step {}: {fault}\n",
        record.steps.len()
    );
    let from = record.steps.len().saturating_sub(20);
    text += &format!("{:?}\nthe last steps:\n", record.setup);
    for (at, (step, after)) in record.steps.iter().enumerate().skip(from) {
        let answer = record.answers.get(at).map_or("?", String::as_str);
        text += &format!(
            "  {at} at {} {:?} {after:?} -> {answer:?}\n",
            step.clock_ms, step.op
        );
    }
    let shortest = shorten(&record.setup, &record.steps);
    text += "the shortest sequence:\n";
    for (step, after) in &shortest {
        text += &format!("  at {} {:?} {after:?}\n", step.clock_ms, step.op);
    }
    if let Outcome::Differed { fault, .. } = run(&record.setup, &shortest) {
        text += &format!("which ends in: {fault}\n");
    }
    text
}

#[test]
fn answers_as_the_model_does_and_every_copy_is_the_same_sale() {
    let given = from_environment("FLASHSALE_SEED");
    let seed = given.unwrap_or_else(fresh_seed);
    let operations = from_environment("FLASHSALE_OPS").unwrap_or(OPERATIONS);
    println!("FLASHSALE_SEED={seed} FLASHSALE_OPS={operations}");
    let (mut done, mut sales, mut event_bytes) = (0, 0, 0);
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    while done < operations {
        let seed = seed.wrapping_add(sales);
        let record = play(seed);
        if let Some(fault) = &record.fault {
            panic!("{}", report(seed, &record, fault));
        }
        for (row, count) in record.rows {
            *seen.entry(row).or_default() += count;
        }
        done += record.steps.len() as u64;
        event_bytes += record.event_bytes;
        sales += 1;
    }
    println!("{done} operations on {sales} sales, {event_bytes} bytes of events");
    for (row, count) in &seen {
        println!("{count:8} {row}");
    }
    let unknown: Vec<_> = seen.keys().filter(|row| !rows::ALL.contains(row)).collect();
    assert!(
        unknown.is_empty(),
        "rows that rows.rs does not list: {unknown:?}"
    );
    if done >= OPERATIONS {
        let missing: Vec<_> = rows::ALL
            .iter()
            .filter(|row| !seen.contains_key(*row))
            .collect();
        assert!(
            missing.is_empty(),
            "a test that cannot see a row is no test: {missing:?}"
        );
    }
}
