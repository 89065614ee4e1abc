//! One run as plain data: how the world is set up, and what happens, step by step.
//!
//! A step is an act and a number. What the number chooses is whatever there is to
//! choose from when its turn comes, so that any part of a run is a run.

use super::server::Config;
use crate::commands::requests::{Named, Setup};
use flashsale_engine::sale::Bounds;
use flashsale_fuzz::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A client asks for something new.
    Ask,
    /// A client asks for something again.
    Retry,
    /// A request that is on its way is carried out.
    Deliver,
    /// A request that is on its way arrives a second time.
    Duplicate,
    /// A request that is on its way is lost.
    Lose,
    /// A gateway sends requests that are on their way together, as a batch.
    Gather,
    /// A client hears who the primary is.
    Hear,
    /// The primary's timer.
    Sweep,
    /// Time passes, or a clock is set.
    Clock,
    /// A replica receives some of the stream.
    Replicate,
    /// A replica is given another server to follow; a deposed primary becomes a replica.
    Follow,
    /// An event does not come to a replica as it was sent.
    Miss,
    /// The fsync of every second.
    Sync,
    /// An AOF rewrite.
    Rewrite,
    /// A server crashes and comes back.
    Crash,
    /// A server restarts from its RDB.
    Restart,
    /// A replica becomes the primary.
    Promote,
    /// The configuration of a server changes.
    Configure,
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub act: Act,
    pub dice: u64,
}

/// Everything a run begins with.
#[derive(Clone, Debug)]
pub struct Scene {
    pub setup: Setup,
    pub servers: Vec<Config>,
    pub clients: usize,
    pub users: usize,
    /// Most units of one line.
    pub most: u64,
    /// Units of some items may get names.
    pub has_names: bool,
    /// Orders come from elsewhere.
    pub has_imports: bool,
    pub weights: Vec<(Act, u64)>,
}

/// An item whose units get names, and one whose are codes. The latter may begin with a unit that
/// is counted.
pub const SEATS: &str = "stalls";
pub const CODES: &str = "code";

const LONGEST_NAME: &str = "a SKU that does not fit where short names are kept";

impl Scene {
    pub fn new(dice: &mut Dice) -> Scene {
        let mut setup = setup(dice);
        let has_names = dice.one_in(3);
        if has_names {
            let counted = dice.below(2);
            setup.items.push((SEATS.into(), 0));
            setup.items.push((CODES.into(), counted));
            if dice.one_in(2) {
                setup.options.retain(|(name, _)| *name != "GRACE");
                let hold_ms = setup.hold_ms_default;
                setup.options.push(("GRACE", dice.between(1, 2 * hold_ms)));
            }
        }
        let servers = (0..dice.between(3, 4))
            .map(|_| Config {
                bounds: Bounds {
                    units_max: 1_000_000,
                    reservations_max: reservations_max(dice),
                    items_max: 10_000,
                },
                sweep_max: dice.of(&[1, 2, 3, 1_000]),
                syncs_always: dice.one_in(2),
                skew_ms: dice.between(0, 60) as i64 - 30,
            })
            .collect();
        Scene {
            servers,
            clients: dice.between(2, 24) as usize,
            users: dice.between(1, 12) as usize,
            most: dice.between(1, 4),
            has_names,
            has_imports: dice.one_in(3),
            weights: weights(dice),
            setup,
        }
    }

    pub fn step(&self, dice: &mut Dice) -> Step {
        let sum = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = dice.below(sum);
        let mut act = Act::Ask;
        for &(next, weight) in &self.weights {
            act = next;
            if at < weight {
                break;
            }
            at -= weight;
        }
        Step {
            act,
            dice: dice.roll(),
        }
    }
}

fn reservations_max(dice: &mut Dice) -> usize {
    if dice.one_in(4) {
        dice.between(4, 40) as usize
    } else {
        4_000_000
    }
}

fn weights(dice: &mut Dice) -> Vec<(Act, u64)> {
    vec![
        (Act::Ask, 360),
        (Act::Retry, 110),
        (Act::Deliver, 130),
        (Act::Duplicate, 15),
        (Act::Lose, 15),
        (Act::Gather, dice.of(&[0, 40, 80])),
        (Act::Hear, 15),
        (Act::Sweep, dice.of(&[0, 20, 50, 100])),
        (Act::Clock, dice.of(&[60, 110, 160])),
        (Act::Replicate, dice.of(&[40, 120, 200])),
        (Act::Follow, 12),
        (Act::Miss, dice.of(&[0, 0, 0, 2, 6])),
        (Act::Sync, 15),
        (Act::Rewrite, 6),
        (Act::Crash, dice.of(&[0, 4, 12])),
        (Act::Restart, 4),
        (Act::Promote, dice.of(&[0, 3, 8])),
        (Act::Configure, 3),
    ]
}

fn setup(dice: &mut Dice) -> Setup {
    let clock_ms = match dice.below(8) {
        // Clocks that are set back come to 1970.
        0 => dice.between(1, 200_000),
        _ => 1_700_000_000_000 + dice.below(1_000_000),
    };
    let hold_ms = match dice.below(8) {
        0 => dice.between(1, 5),
        1 => dice.between(50_000, 200_000),
        _ => dice.between(20, 1_000),
    };
    let skus = ["default", "b", LONGEST_NAME];
    // With the last there are carts of more than 8 lines.
    let items = dice.of(&[1, 1, 1, 2, 2, 2, 3, 10]);
    let first = dice.index(3);
    let sku = |at: usize| match at {
        0..3 => skus[(first + at) % 3].to_owned(),
        _ => format!("item {at}"),
    };
    let stock = |dice: &mut Dice| match dice.below(8) {
        0 => 0,
        1 => 40,
        _ => dice.between(1, 14),
    };
    let items = (0..items).map(|at| (sku(at), stock(dice)));
    let items = items.collect();
    let mut options: Vec<Named> = Vec::new();
    for name in ["USERLIMIT", "ITEMLIMIT", "ORDERLIMIT", "SALELIMIT"] {
        if dice.percent(25) {
            options.push((name, option_value(dice, name, hold_ms, clock_ms)));
        }
    }
    for (name, percent) in [("GRACE", 50), ("REMEMBER", 90), ("KEEP", 20)] {
        if dice.percent(percent) {
            options.push((name, option_value(dice, name, hold_ms, clock_ms)));
        }
    }
    for name in ["START", "END"] {
        if dice.percent(10) {
            options.push((name, option_value(dice, name, hold_ms, clock_ms)));
        }
    }
    if dice.percent(50) {
        options.push(("EVENTS", 1));
    }
    for name in ["PASSKEY", "USERRATE"] {
        if dice.percent(25) {
            options.push((name, option_value(dice, name, hold_ms, clock_ms)));
        }
    }
    if dice.percent(80) {
        options.push(("HOLD", hold_ms));
        if dice.percent(75) {
            options.push(("MAXHOLD", dice.between(hold_ms, hold_ms * 3)));
        }
    }
    Setup {
        clock_ms,
        orders: "orders".into(),
        items,
        options,
        hold_ms_default: hold_ms,
        keep_ms_default: 3_600_000,
        sweep_max: 1,
        reservations_max: 4_000_000,
        items_max: 10_000,
    }
}

/// A value that will be reached.
pub fn option_value(dice: &mut Dice, name: &str, hold_ms: u64, now_ms: u64) -> u64 {
    match name {
        "USERLIMIT" | "ITEMLIMIT" | "ORDERLIMIT" | "SALELIMIT" if dice.one_in(4) => 0,
        "USERLIMIT" | "ITEMLIMIT" | "ORDERLIMIT" => dice.between(1, 9),
        "SALELIMIT" => dice.below(40),
        "EVENTS" => dice.below(2),
        "PASSKEY" => dice.of(&[0, 1, 1, 2, 2, 3]),
        "USERRATE" => dice.of(&[0, 1, 2, 5, 20]),
        "HOLD" => dice.between(1, hold_ms * 2),
        "MAXHOLD" if dice.one_in(5) => 0,
        "MAXHOLD" => dice.between(hold_ms.saturating_sub(1).max(1), hold_ms * 3),
        "GRACE" | "REMEMBER" | "KEEP" => dice.below(2 * hold_ms + 1),
        "START" | "END" if dice.one_in(4) => 0,
        "START" => (now_ms + dice.below(400)).saturating_sub(200).max(1),
        _ => (now_ms + dice.below(hold_ms * 16 + 20))
            .saturating_sub(hold_ms)
            .max(1),
    }
}
