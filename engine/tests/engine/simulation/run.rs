//! One world from its seed to its end, and the report when it goes wrong.

use std::collections::BTreeMap;

use super::step::{Scene, Step};
use super::world::World;
use crate::commands::play::Fault;
use crate::commands::seeded::{caught, shorten};
use flashsale_fuzz::dice::Dice;

/// Steps of one world.
const STEPS: usize = 500;

pub struct Run {
    pub scene: Scene,
    pub steps: Vec<Step>,
    pub operations: u64,
    pub seen: BTreeMap<&'static str, u64>,
    pub fault: Option<Fault>,
}

/// What came of some steps.
struct Played {
    /// Steps that went right.
    right: usize,
    operations: u64,
    seen: BTreeMap<&'static str, u64>,
    notes: Vec<String>,
    fault: Option<Fault>,
}

fn play(scene: &Scene, steps: &[Step], takes_notes: bool) -> Played {
    let mut played = Played {
        right: 0,
        operations: 0,
        seen: BTreeMap::new(),
        notes: Vec::new(),
        fault: None,
    };
    let mut world = None;
    let outcome = caught(|| {
        world = World::new(scene)?;
        let Some(world) = &mut world else {
            return Ok(());
        };
        world.notes = takes_notes.then(Vec::new);
        for step in steps {
            world.step(*step)?;
            played.right += 1;
        }
        world
            .settle()
            .map_err(|fault| format!("at the end: {fault}"))
    });
    played.fault = outcome.err();
    match world {
        Some(world) => {
            played.operations = world.operations;
            played.seen = world.seen;
            played.notes = world.notes.unwrap_or_default();
        }
        None => {
            played.operations = 1;
            played.seen.insert("sale that cannot be made", 1);
        }
    }
    played
}

impl Run {
    pub fn new(seed: u64) -> Run {
        let dice = &mut Dice(seed);
        dice.roll();
        let scene = Scene::new(dice);
        let steps: Vec<Step> = (0..STEPS).map(|_| scene.step(dice)).collect();
        let played = play(&scene, &steps, false);
        Run {
            scene,
            steps,
            operations: played.operations,
            seen: played.seen,
            fault: played.fault,
        }
    }
}

/// All there is to say about a failure, the shortest run last.
pub fn report(seed: u64, run: &Run, fault: &str) -> String {
    let first_bad = |steps: &[Step]| {
        let played = play(&run.scene, steps, false);
        let at = played.right.min(steps.len().saturating_sub(1));
        played.fault.map(|_| at)
    };
    let broken = play(&run.scene, &run.steps, false).right;
    let shortest = shorten(&run.steps, first_bad);
    let played = play(&run.scene, &shortest, true);
    let mut text = format!("FLASHSALE_SEED={seed} FLASHSALE_OPS=1 repeats it.\n");
    text += &format!("step {broken} of {}: {fault}\n", run.steps.len());
    text += &format!("{:?}\n", run.scene);
    text += &format!(
        "the shortest run that goes wrong, {} steps:\n",
        shortest.len()
    );
    for step in &shortest {
        text += &format!("  {step:?}\n");
    }
    text += "what happens in it:\n";
    for note in &played.notes {
        text += &format!("  {note}\n");
    }
    text += &format!("which ends in: {}\n", played.fault.unwrap_or_default());
    text
}
