//! One sale from CREATE to the last step: the model, the engine's primary and the
//! second sale side by side, and what is compared after each step.

use super::compare::{SlowScan, compare};
use super::driver::{Engine, Fault};
use super::promises::Promise;
use super::reference::Model;
use crate::commands::copies::{elements, reloaded};
use crate::commands::requests::{Setup, Step};
use crate::commands::seeded;

/// What happens to the second sale after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    Nothing,
    /// It is replaced by what the primary saves.
    Reload,
    /// It takes over, and the primary becomes the second sale.
    Promote,
}

pub struct World {
    pub model: Model,
    pub engine: Engine,
    scan: SlowScan,
    steps: u64,
}

/// A sale's id is a ULID of this test's making.
const SALE_ID: u128 = 0x0192_0000_0000_0000_0000_0000_002a;

impl World {
    /// `Ok(None)` when both refuse to create the sale.
    pub fn create(setup: &Setup) -> Result<Option<World>, Fault> {
        let model = Model::create(setup, SALE_ID);
        let engine = Engine::create(setup, SALE_ID)?;
        match (model, engine) {
            (Ok(model), Some(engine)) => Ok(Some(World {
                model,
                engine,
                scan: SlowScan::default(),
                steps: 0,
            })),
            (Err(_), None) => Ok(None),
            (Ok(_), None) => Err("CREATE differs: only the engine refuses it".into()),
            (Err(reason), Some(_)) => Err(format!("CREATE differs: the model says {reason}")),
        }
    }

    /// Does one step on both sides; the answer, when they agree about it.
    pub fn answer(&mut self, step: &Step) -> Result<String, Fault> {
        self.engine.met_backlog = false;
        let given = self.engine.answer(step.clock_ms, &step.op)?;
        // The model knows no entries that wait.
        self.model.has_backlog = self.engine.met_backlog;
        let expected = self.model.answer(step.clock_ms, &step.op);
        if expected == given {
            return Ok(given);
        }
        Err(format!(
            "answers differ\n  model:  {expected}\n  engine: {given}"
        ))
    }

    /// Does one step on both sides and compares all there is to see.
    pub fn step(&mut self, step: &Step, after: After) -> Result<String, Fault> {
        let promise = Promise::of(&step.op, &self.engine.primary);
        self.engine.tells_on_the_way = self.steps.is_multiple_of(2);
        let given = self.answer(step)?;
        if let Some(promise) = promise {
            promise.check(&self.engine.primary, &given)?;
        }
        match self.steps % 7 {
            0 => self.engine.tell(self.steps % 11)?,
            3 => self.engine.drop_above(40)?,
            _ => {}
        }
        compare(&self.model, &self.engine.primary, step.clock_ms)?;
        self.scan.go_on(&self.model, &self.engine.primary)?;
        // The second sale changes only where the first does: looking now and then is
        // enough, and half the time of the test.
        self.steps += 1;
        if after != After::Nothing || self.steps.is_multiple_of(4) {
            self.compare_second(step.clock_ms)?;
        }
        match after {
            After::Nothing => {}
            After::Reload => {
                self.engine.second = reloaded(&self.engine.primary)?;
                self.compare_second(step.clock_ms)
                    .map_err(|fault| format!("after a reload: {fault}"))?;
            }
            After::Promote => {
                std::mem::swap(&mut self.engine.primary, &mut self.engine.second);
                self.scan.restart();
            }
        }
        Ok(given)
    }

    fn compare_second(&self, clock_ms: u64) -> Result<(), Fault> {
        if elements(&self.engine.primary) != elements(&self.engine.second) {
            return Err("the digests of the two sales differ".into());
        }
        compare(&self.model, &self.engine.second, clock_ms)
            .map_err(|fault| format!("the second sale: {fault}"))
    }
}

/// A finished sale, or where it went wrong.
pub enum Outcome {
    Agreed,
    Differed { at: usize, fault: Fault },
}

/// Runs steps that were recorded before; a panic of the engine is a fault like others.
pub fn run(setup: &Setup, steps: &[(Step, After)]) -> Outcome {
    let mut at = 0;
    let outcome = seeded::caught(|| {
        let mut world = match World::create(setup)? {
            Some(world) => world,
            None => return Ok(()),
        };
        for (step, after) in steps {
            world.step(step, *after)?;
            at += 1;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Outcome::Agreed,
        Err(fault) => Outcome::Differed { at, fault },
    }
}

/// Leaves out steps as long as what is left still goes wrong.
pub fn shorten(setup: &Setup, steps: &[(Step, After)]) -> Vec<(Step, After)> {
    seeded::shorten(steps, |fewer| match run(setup, fewer) {
        Outcome::Differed { at, .. } => Some(at),
        Outcome::Agreed => None,
    })
}
