//! Batches of many requests against the same requests sent one by one.
//!
//! **Goal**: a batch is answered as its entries sent alone at one moment would be, and leaves
//! the same sale; so does its container on a copy. Only the budget of sweeps is one for all.
//!
//! **Method**: seeded random sales, twice. One is asked request by request, and held against
//! the model; the other is given the same requests in batches: doubled users and ids, retries
//! of what came before, refusals and errors among them, at moments that stand on deadlines.
//! Between the batches both see the model test's other requests. The answers and the digests
//! have to be equal, and a second copy of the other sale follows by containers alone.

use rand::RngExt;

use super::compare::compare;
use super::driver::{Engine, Fault};
use super::random::Source;
use super::reference::words;
use super::translate::entry_word;
use super::world::World;
use crate::commands::batch::{BatchHost, Said, is_entry, play_batch};
use crate::commands::copies::elements;
use crate::commands::lines::id_of;
use crate::commands::play::Done;
use crate::commands::requests::{Op, Setup, Step};
use crate::commands::seeded::{caught, fresh_seed, from_environment, shorten};
use flashsale_engine::sale::{Bounds, Container, EntryId, Event, Sale, StockChanges};
use flashsale_fuzz::samples::set_entry;

/// Requests of a run, unless `FLASHSALE_OPS` says otherwise.
const OPERATIONS: u64 = 100_000;
/// Steps on one sale.
const STEPS_OF_A_SALE: u64 = 80;
/// The id of the sale is a ULID of this test's making.
const SALE_ID: u128 = 0x0192_0000_0000_0000_0000_0000_002a;

/// What is asked at a moment: one request by itself, or a batch.
#[derive(Clone, Debug)]
enum Asked {
    Alone(Op),
    Batch(Vec<Op>),
}

type Moment = (u64, Asked);

/// The same sale, asked in two ways.
struct Pair {
    alone: World,
    batched: Engine,
}

impl Pair {
    fn create(setup: &Setup) -> Result<Option<Pair>, Fault> {
        let alone = World::create(setup)?;
        let batched = Engine::create(setup, SALE_ID)?;
        Ok(alone
            .zip(batched)
            .map(|(alone, batched)| Pair { alone, batched }))
    }

    fn ask(&mut self, (clock_ms, asked): &Moment) -> Result<(), Fault> {
        let clock_ms = *clock_ms;
        match asked {
            Asked::Alone(op) => {
                let op = op.clone();
                let expected = self.alone.answer(&Step {
                    clock_ms,
                    op: op.clone(),
                })?;
                let given = self.batched.answer(clock_ms, &op)?;
                equal(&op, &expected, &given)?;
            }
            Asked::Batch(ops) => {
                let expected = self.one_by_one(clock_ms, ops)?;
                let given = answer_batch(&mut self.batched, clock_ms, ops)?;
                for ((op, expected), given) in ops.iter().zip(&expected).zip(&given) {
                    equal(op, expected, given)?;
                }
            }
        }
        compare(&self.alone.model, &self.batched.primary, clock_ms)?;
        let wanted = elements(&self.alone.engine.primary);
        for sale in [&self.batched.primary, &self.batched.second] {
            if elements(sale) != wanted {
                return Err("the digests differ".into());
            }
        }
        Ok(())
    }

    /// The answers to the requests sent alone, but for the budget of sweeps, which they share.
    fn one_by_one(&mut self, clock_ms: u64, ops: &[Op]) -> Result<Vec<String>, Fault> {
        let sweep_max = self.alone.engine.sweep_max;
        self.alone.engine.sweep_left = Some(sweep_max);
        let mut answers = Vec::new();
        for op in ops {
            let op = op.clone();
            answers.push(self.alone.answer(&Step { clock_ms, op })?);
            self.alone.model.sweep_max = self.alone.engine.sweep_left.unwrap_or(sweep_max);
        }
        self.alone.engine.sweep_left = None;
        self.alone.model.sweep_max = sweep_max;
        Ok(answers)
    }
}

fn equal(op: &Op, expected: &str, given: &str) -> Result<(), Fault> {
    if expected == given {
        return Ok(());
    }
    Err(format!(
        "{op:?}\n  sent alone: {expected}\n  in a batch: {given}"
    ))
}

/// The server of a batch.
struct Batching<'e, 'o> {
    engine: &'e mut Engine,
    ops: &'o [Op],
    answers: Vec<String>,
    seen: Vec<StockChanges>,
}

impl BatchHost for Batching<'_, '_> {
    fn sale(&self) -> &Sale {
        &self.engine.primary
    }

    fn bounds(&self) -> Bounds {
        self.engine.bounds
    }

    fn sweep_max(&self) -> u32 {
        self.engine.sweep_max
    }

    fn enter(&mut self, event: &mut Event<'_>) -> Result<(), Fault> {
        self.engine.entries += 1;
        let ms = self.engine.entries;
        set_entry(event, EntryId { ms, seq: ms * 7 });
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>) -> Result<Done, Fault> {
        let applied = self.engine.primary.apply(event);
        self.seen.push(applied.stock);
        Ok(Done {
            slot: applied.slot,
            entry: event.entry(),
        })
    }

    fn answer(&mut self, at: usize, said: Said) -> Result<(), Fault> {
        let op = &self.ops[at];
        let id = id_of(op).unwrap_or_default();
        self.answers.push(match said {
            Said::Reserved(slot) => self.engine.reserved(id, slot),
            Said::Sold(entry) => words!["SOLD", id, entry_word(Some(entry))],
            Said::Released => words!["RELEASED", id],
            Said::Answer(answer) => self.engine.words_of(op, id, answer),
        });
        Ok(())
    }
}

/// A batch on the primary, and its container on the second sale.
fn answer_batch(engine: &mut Engine, clock_ms: u64, ops: &[Op]) -> Result<Vec<String>, Fault> {
    let mut batching = Batching {
        engine,
        ops,
        answers: Vec::new(),
        seen: Vec::new(),
    };
    let container = play_batch(&mut batching, clock_ms, ops)?;
    let Batching { answers, seen, .. } = batching;
    let mut seen = seen.into_iter();
    if let Some(bytes) = container {
        let container = Container::open(&bytes, engine.second.hasher());
        let container = container.map_err(|error| error.to_string())?;
        for event in container.ok_or("a batch is no batch")? {
            let event = event.map_err(|error| error.to_string())?;
            let fits = engine.second.check(&event);
            fits.map_err(|divergence| format!("the copy: {divergence}: {event:?}"))?;
            if Some(engine.second.apply(&event).stock) != seen.next() {
                return Err(format!("a copy announces something else: {event:?}"));
            }
        }
    }
    match seen.next() {
        None => Ok(answers),
        Some(_) => Err("events that are not in the container".into()),
    }
}

/// A batch of requests that can be entries; some come twice, some by another user.
fn batch(source: &mut Source, world: &World) -> Vec<Op> {
    let count = source.rng.random_range(1..=16);
    let mut ops: Vec<Op> = Vec::new();
    while ops.len() < count {
        let op = if !ops.is_empty() && source.one_in(5) {
            ops[source.rng.random_range(0..ops.len())].clone()
        } else if !source.past.is_empty() && source.one_in(4) {
            source.repeat()
        } else {
            source.request(&world.model)
        };
        let op = without_user(op);
        if is_entry(&op) {
            source.past.push(op.clone());
            ops.push(op);
        }
    }
    ops
}

/// An entry insists on no user.
fn without_user(mut op: Op) -> Op {
    if let Op::Checkout { user, .. } | Op::Release { user, .. } = &mut op {
        *user = None;
    }
    op
}

fn run(setup: &Setup, moments: &[Moment]) -> (usize, Result<(), Fault>) {
    let mut at = 0;
    let outcome = caught(|| {
        let Some(mut pair) = Pair::create(setup)? else {
            return Ok(());
        };
        for moment in moments {
            pair.ask(moment)?;
            at += 1;
        }
        Ok(())
    });
    (at, outcome)
}

fn play(seed: u64) -> (Setup, Vec<Moment>, Result<(), Fault>) {
    let (mut source, setup) = Source::new(seed);
    let mut moments = Vec::new();
    let outcome = caught(|| {
        let Some(mut pair) = Pair::create(&setup)? else {
            return Ok(());
        };
        for _ in 0..STEPS_OF_A_SALE {
            let moment = if source.one_in(2) {
                let (step, _) = source.next(&pair.alone.model);
                (step.clock_ms, Asked::Alone(step.op))
            } else {
                source.move_clock(&pair.alone.model);
                let ops = batch(&mut source, &pair.alone);
                (source.clock_ms, Asked::Batch(ops))
            };
            moments.push(moment);
            pair.ask(moments.last().expect("just pushed"))?;
        }
        Ok(())
    });
    (setup, moments, outcome)
}

#[test]
fn a_batch_is_its_entries_sent_alone_at_one_moment() {
    let seed = from_environment("FLASHSALE_SEED").unwrap_or_else(fresh_seed);
    let operations = from_environment("FLASHSALE_OPS").unwrap_or(OPERATIONS);
    println!("FLASHSALE_SEED={seed} FLASHSALE_OPS={operations}");
    let (mut done, mut sales) = (0, 0);
    while done < operations {
        let seed = seed.wrapping_add(sales);
        let (setup, moments, outcome) = play(seed);
        if let Err(fault) = outcome {
            let first_bad = |fewer: &[Moment]| {
                let (at, outcome) = run(&setup, fewer);
                outcome.err().map(|_| at)
            };
            let shortest = shorten(&moments, first_bad);
            let mut text = format!("FLASHSALE_SEED={seed} repeats it: {fault}\n{setup:?}\n");
            for moment in &shortest {
                text += &format!("  at {} {:?}\n", moment.0, moment.1);
            }
            let (_, outcome) = run(&setup, &shortest);
            panic!("{text}which ends in: {:?}", outcome.err());
        }
        done += moments.iter().fold(1, |sum, (_, asked)| match asked {
            Asked::Alone(_) => sum + 1,
            Asked::Batch(ops) => sum + ops.len() as u64,
        });
        sales += 1;
    }
    println!("{done} requests to {sales} sales");
}
