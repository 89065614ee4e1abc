//! A gateway: requests of many clients that are on their way are sent together, as one batch.
//!
//! A batch is lost, doubled or cut as a whole line is; what was in it is sent again by the
//! clients, alone, or in batches of another shape. Edge: gathers and delivers; what an entry
//! is answered is judged as the answer to its single command is.

use std::rc::Rc;

use super::clients::Told;
use super::judge::Case;
use super::ledger::must;
use super::reply::Reply;
use super::server::Deciding;
use super::world::{Standing, World};
use crate::commands::batch::{BatchHost, Said, is_entry, play_batch};
use crate::commands::lines::id_of;
use crate::commands::play::{Did, Done, Fault, Played};
use crate::commands::requests::{Op, bytes};
use flashsale_engine::sale::{Answer, Bounds, Event, Sale};
use flashsale_fuzz::dice::Dice;

/// A batch has no more entries here.
const ENTRIES_MAX: u64 = 12;

impl World {
    /// Sends requests that are on their way to one server together.
    pub fn gather(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let can_go = |world: &World, request: usize| is_entry(&world.requests[request].op);
        let first = self.wire.iter().find(|(request, _)| can_go(self, *request));
        let Some(&(_, to)) = first else {
            return Ok(());
        };
        let (most, mut batch, mut at) = (dice.between(1, ENTRIES_MAX) as usize, Vec::new(), 0);
        while at < self.wire.len() && batch.len() < most {
            let (request, server) = self.wire[at];
            if server == to && can_go(self, request) {
                self.wire.swap_remove(at);
                batch.push(request);
            } else {
                at += 1;
            }
        }
        // A client that has sent the same twice, or asks again for what it asked before.
        for _ in 0..dice.below(3) {
            let recent = self.requests.len().saturating_sub(25);
            let request = match dice.one_in(2) {
                true => batch[dice.index(batch.len())],
                false => recent + dice.index(self.requests.len() - recent),
            };
            if can_go(self, request) {
                batch.insert(dice.index(batch.len() + 1), request);
            }
        }
        match dice.below(10) {
            0 => {
                self.count("batch lost");
                return Ok(());
            }
            1 => {
                self.count("batch cut");
                batch.truncate(1 + dice.index(batch.len()));
            }
            _ => {}
        }
        self.deliver_batch(dice, &batch, to)?;
        match dice.below(8) {
            0 => {
                self.count("batch doubled");
                self.deliver_batch(dice, &batch, to)
            }
            1 => {
                self.count("batch in another shape");
                let from = dice.index(batch.len());
                batch.rotate_left(from);
                let (one, other) = batch.split_at(dice.index(batch.len()));
                self.deliver_batch(dice, other, to)?;
                self.deliver_batch(dice, one, to)
            }
            _ => Ok(()),
        }
    }

    /// A batch arrives at a server, is carried out, and each entry is answered or not.
    fn deliver_batch(&mut self, dice: &mut Dice, batch: &[usize], to: usize) -> Result<(), Fault> {
        self.operations += batch.len() as u64;
        if !self.servers[to].is_primary() {
            self.count("READONLY");
            return Ok(());
        }
        let ops: Vec<Op> = (batch.iter())
            .map(|request| self.requests[*request].op.clone())
            .collect();
        let answers = self.decide_batch(to, &ops)?;
        self.note(|_| {
            let pairs = ops.iter().zip(&answers);
            let told = pairs.map(|(op, (reply, _))| format!("{op:?} -> {reply:?}"));
            let told: Vec<String> = told.collect();
            format!("a gateway asks server {to}: {}", told.join("; "))
        });
        for (&request, (reply, standing)) in batch.iter().zip(answers) {
            self.count(reply.word());
            let told: Option<Told> = self.told_there(request, to, &reply, &standing)?;
            self.keep(dice, request, told);
        }
        Ok(())
    }

    /// One batch on a server that takes itself for the primary: each reply, and where it was
    /// given.
    fn decide_batch(&mut self, at: usize, ops: &[Op]) -> Result<Vec<(Reply, Standing)>, Fault> {
        let server = &mut self.servers[at];
        let clock_ms = server.clock_ms(self.now_ms);
        let books = server.books.as_ref().ok_or("a replica decides")?;
        let mut batching = Batching {
            now_ms: books.time(clock_ms),
            deciding: Deciding::new(server, &mut self.histories, clock_ms),
            ops,
            changes: 0,
            answers: Vec::new(),
        };
        let container = play_batch(&mut batching, clock_ms, ops)?;
        let Batching {
            deciding, answers, ..
        } = batching;
        let (events, changes) = (deciding.events, deciding.changes);
        let (budget, notable) = (deciding.budget, deciding.seen);
        must(
            (events > 0) == container.is_some(),
            "a batch of refusals is no line",
        )?;
        if let Some(container) = container {
            let place = self.servers[at].at;
            self.histories.bundle(place, events, &Rc::from(container));
        }
        self.look_now_and_then(at, events as u64)?;
        for (is_so, what) in [
            (ops.len() > 1, "batch of many"),
            (events > changes, "expiry in a batch"),
            (budget == 0, "batch at the end of its budget"),
        ] {
            if is_so {
                self.count(what);
            }
        }
        if let Some(what) = notable {
            self.count(what);
        }
        Ok(answers)
    }
}

/// A primary while it decides a batch.
struct Batching<'w> {
    deciding: Deciding<'w>,
    now_ms: u64,
    ops: &'w [Op],
    /// Changes other than expiry's, by the entries before.
    changes: usize,
    answers: Vec<(Reply, Standing)>,
}

impl BatchHost for Batching<'_> {
    fn sale(&self) -> &Sale {
        &self.deciding.server.sale
    }

    fn bounds(&self) -> Bounds {
        self.deciding.server.config.bounds
    }

    fn sweep_max(&self) -> u32 {
        self.deciding.server.config.sweep_max
    }

    fn throttle(&mut self, user: &[u8]) -> Option<Answer> {
        self.deciding.server.throttle(self.now_ms, user)
    }

    fn enter(&mut self, event: &mut Event<'_>) -> Result<(), Fault> {
        self.deciding.enter(event)
    }

    fn apply(&mut self, event: &Event<'_>) -> Result<Done, Fault> {
        self.deciding.carry_out(event)
    }

    fn answer(&mut self, at: usize, said: Said) -> Result<(), Fault> {
        let (op, server) = (&self.ops[at], &*self.deciding.server);
        let played = match said {
            Said::Reserved(slot) => Played::Did(Did::Reserved(slot)),
            Said::Sold(entry) => Played::Did(Did::Sold(entry)),
            Said::Released => Played::Did(Did::Released),
            Said::Answer(answer) => Played::Said(answer),
        };
        let reply = Reply::of(&server.sale, op, played);
        let books = server.books.as_ref().ok_or("a replica decides")?;
        let changes = self.deciding.changes - self.changes;
        self.changes = self.deciding.changes;
        must(changes <= 1, "an entry changes something once")?;
        let case = Case {
            books,
            op,
            reply: &reply,
            now_ms: self.now_ms,
            changed: changes > 0,
            is_vouched: true,
            // By an entry before, too: all have one budget.
            swept: self.deciding.sweeps > 0,
            has_backlog: server.sale.has_backlog(server.config.sweep_max),
            bounds: server.config.bounds,
        };
        case.judge()
            .map_err(|fault| format!("{fault}: {op:?} is answered {reply:?} in a batch"))?;
        books.compare_items(&server.sale)?;
        if let Some(id) = id_of(op) {
            books.compare_id(&server.sale, &bytes(id))?;
        }
        let standing = Standing::of(server, op)?.ok_or("an entry is about an id")?;
        self.answers.push((reply, standing));
        Ok(())
    }
}
