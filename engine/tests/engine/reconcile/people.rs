//! What buyers ask for, before the loss and after it.

use super::server::Server;
use crate::commands::play::{Fault, play};
use crate::commands::requests::{Ask, Deltas, Op};
use flashsale_fuzz::dice::Dice;

pub const SKUS: [&str; 3] = ["a", "b", "c"];

/// What somebody has asked for under an id, and may ask for again.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: String,
    pub user: String,
    pub ask: Ask,
}

/// Everybody who asks.
#[derive(Default)]
pub struct People {
    pub asked: Vec<Asked>,
}

impl People {
    /// Somebody asks for something, or time passes.
    pub fn act(&mut self, server: &mut Server, dice: &mut Dice) -> Result<(), Fault> {
        if dice.one_in(3) {
            server.now_ms += dice.of(&[1, 5, 30, 200]);
        }
        let op = self.op(dice);
        play(server, server.now_ms, &op).map(|_| ())
    }

    fn op(&mut self, dice: &mut Dice) -> Op {
        let known = self.recent(dice);
        match (dice.below(100), known) {
            (0..25, _) | (_, None) => {
                let Asked { id, user, ask } = self.new_one(dice);
                Op::Reserve {
                    user,
                    ask,
                    id,
                    hold: None,
                    replaces: None,
                }
            }
            (25..45, _) => {
                let asked = self.new_one(dice);
                buy(dice, asked)
            }
            // Again: a retry, a second payment, or somebody else under this id.
            (45..55, Some(mut asked)) => {
                if dice.one_in(6) {
                    asked.user = format!("u{}", dice.below(6));
                }
                if dice.one_in(8) {
                    asked.ask = some_units(dice);
                }
                buy(dice, asked)
            }
            (55..72, Some(asked)) => Op::Checkout {
                reference: reference(dice, &asked.id),
                id: asked.id,
                user: None,
            },
            (72..78, Some(asked)) => Op::Release {
                id: asked.id,
                user: None,
            },
            (78..92, Some(asked)) => refund(dice, asked),
            (92..95, _) => Op::Restock {
                deltas: Deltas::Items(vec![(SKUS[dice.index(3)].into(), dice.of(&[1, 2, 4]))]),
                new: false,
                reference: None,
            },
            _ => Op::Sweep(5),
        }
    }

    fn new_one(&mut self, dice: &mut Dice) -> Asked {
        let asked = Asked {
            id: format!("r{}", self.asked.len()),
            user: format!("u{}", dice.below(6)),
            ask: some_units(dice),
        };
        self.asked.push(asked.clone());
        asked
    }

    fn recent(&self, dice: &mut Dice) -> Option<Asked> {
        let from = match dice.one_in(4) {
            true => 0,
            false => self.asked.len().saturating_sub(8),
        };
        let some = &self.asked[from..];
        some.get(dice.index(some.len().max(1))).cloned()
    }
}

fn some_units(dice: &mut Dice) -> Ask {
    let (first, lines) = (dice.index(3), dice.of(&[1, 1, 2]));
    let mut line = |at: usize| (SKUS[at % 3].to_owned(), dice.between(1, 2));
    Ask::Items((first..first + lines).map(&mut line).collect())
}

/// A payment: mostly the one of this id.
fn reference(dice: &mut Dice, id: &str) -> Option<String> {
    match dice.below(8) {
        0 => None,
        1 => Some(format!("again-{}", dice.below(3))),
        _ => Some(format!("p-{id}")),
    }
}

fn buy(dice: &mut Dice, asked: Asked) -> Op {
    Op::Buy {
        reference: reference(dice, &asked.id),
        user: asked.user,
        ask: asked.ask,
        id: asked.id,
    }
}

fn refund(dice: &mut Dice, asked: Asked) -> Op {
    let reference = match dice.below(3) {
        0 => None,
        number => Some(format!("back-{number}")),
    };
    let ask = match (&asked.ask, dice.below(3)) {
        (Ask::Items(lines), 0 | 1) => lines
            .first()
            .map(|(sku, _)| Ask::Items(vec![(sku.clone(), 1)])),
        _ => None,
    };
    Op::Refund {
        id: asked.id,
        ask: ask.filter(|_| reference.is_some()),
        reference,
        user: None,
        no_restock: dice.one_in(3),
        restore_limit: dice.one_in(3),
    }
}
