//! Parts, drivers, buyers, and the lines between them, moved one step at a time.

use std::collections::BTreeMap;

use super::breaks::Break;
use super::driver::Driver;
use super::group::Group;
use super::node::{Deciding, HOLD_MS, created};
use super::rules::place::dealt;
use super::rules::transfer::Take;
use crate::commands::play::{Did, Fault, Played, play};
use crate::commands::requests::{Ask, Op};
use flashsale_engine::sale::{self, Answer};
use flashsale_fuzz::dice::Dice;

/// A line on its way.
#[derive(Clone, Debug)]
pub enum Message {
    Take(Take),
    Rest {
        part: usize,
        items: Vec<usize>,
        /// The step at which the first of the two readings began.
        since: u64,
    },
}

pub struct World {
    pub now_ms: u64,
    pub step: u64,
    pub skus: Vec<String>,
    /// All stock there ever was, by item.
    pub stock: Vec<u64>,
    pub groups: Vec<Group>,
    pub drivers: Vec<Driver>,
    pub wire: Vec<Message>,
    pub breaks: Option<Break>,
    /// `--confirm`: with less than the topology says, units may be there twice.
    pub enough: Option<u64>,
    /// The last step at which no part had any, by item.
    pub all_empty_at: Vec<Option<u64>>,
    pub numbers: u64,
    pub epoch: u64,
    pub ids: u64,
    pub entries: u64,
    pub share_ids: u128,
    /// A primary was cut off, and may still be read.
    pub had_cut: bool,
    /// By part: reservations and orders that buyers know of.
    pub known: Vec<Vec<String>>,
    pub seen: BTreeMap<&'static str, u64>,
    pub notes: Option<Vec<String>>,
}

impl World {
    pub fn new(dice: &mut Dice, breaks: Option<Break>) -> Self {
        let parts = 2 + dice.index(3);
        let skus: Vec<String> = (0..1 + dice.index(2))
            .map(|at| format!("sku{at}"))
            .collect();
        let stock: Vec<u64> = skus
            .iter()
            .map(|_| dice.between(1, 3 * parts as u64))
            .collect();
        let replicas = dice.of(&[0, 1, 1, 2]);
        let mut world = Self::of(parts, skus, stock, replicas, dice, breaks);
        world.enough = (breaks.is_none() && dice.one_in(5)).then_some(0);
        world
    }

    /// A world of such parts.
    pub fn of(
        parts: usize,
        skus: Vec<String>,
        stock: Vec<u64>,
        replicas: usize,
        dice: &mut Dice,
        breaks: Option<Break>,
    ) -> Self {
        let now_ms = 1_700_000_000_000;
        let mut world = Self {
            now_ms,
            step: 1,
            all_empty_at: vec![None; skus.len()],
            groups: Vec::new(),
            drivers: (0..2).map(|_| Driver::new(parts, &skus)).collect(),
            wire: Vec::new(),
            breaks,
            enough: None,
            numbers: 0,
            epoch: 1,
            ids: 0,
            entries: 0,
            share_ids: 100,
            had_cut: false,
            known: vec![Vec::new(); parts],
            seen: BTreeMap::new(),
            notes: None,
            skus,
            stock,
        };
        for part in 0..parts {
            let (skus, stock) = (world.skus.iter(), world.stock.iter());
            let deal = |(sku, units): (&String, &u64)| {
                (sku.clone(), dealt(sku.as_bytes(), *units, parts)[part])
            };
            let items: Vec<(String, u64)> = skus.zip(stock).map(deal).collect();
            let sale_id = part as u128 + 1;
            let share_id = world.fresh_share(sale_id);
            let log = vec![created(now_ms, share_id, sale_id, &items)];
            world
                .groups
                .push(Group::new(&log, share_id, sale_id, replicas, dice));
        }
        world
    }

    /// The share id of a part that is made.
    pub fn fresh_share(&mut self, sale_id: u128) -> u128 {
        self.share_ids += 1;
        match self.breaks {
            Some(Break::SaleIds) => sale_id,
            _ => self.share_ids,
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub fn note(&mut self, words: impl FnOnce() -> String) {
        let step = self.step;
        if let Some(notes) = &mut self.notes {
            notes.push(format!("{step}: {}", words()));
        }
    }

    /// One thing happens.
    pub fn step(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        self.step += 1;
        self.now_ms += dice.below(12);
        match dice.below(100) {
            0..30 => self.buy(dice)?,
            30..62 => {
                let driver = dice.index(self.drivers.len());
                self.drive(driver, dice);
            }
            62..78 => self.transfer(dice),
            78..88 => self.deliver(dice),
            88..94 => {
                let part = dice.index(self.groups.len());
                self.groups[part].sync(dice, 0);
            }
            94..96 => self.sweep(dice)?,
            _ => self.disturb(dice),
        }
        self.judge()
    }

    fn transfer(&mut self, dice: &mut Dice) {
        let driver = dice.index(self.drivers.len());
        let moving = self.drivers[driver].moving.iter().enumerate();
        let parts: Vec<usize> = moving
            .filter(|(_, moving)| moving.is_some())
            .map(|(part, _)| part)
            .collect();
        if !parts.is_empty() {
            self.go_on(driver, dice.of(&parts), dice);
        }
    }

    /// A line arrives; or is lost, or comes again.
    fn deliver(&mut self, dice: &mut Dice) {
        if self.wire.is_empty() {
            return;
        }
        let at = dice.index(self.wire.len());
        let message = self.wire[at].clone();
        match dice.below(10) {
            0 => {
                self.wire.swap_remove(at);
                self.count("line lost");
            }
            1..3 => {
                self.arrive(&message);
                self.count("line doubled");
            }
            _ => {
                self.wire.swap_remove(at);
                self.arrive(&message);
            }
        }
    }

    pub fn arrive(&mut self, message: &Message) {
        match message {
            Message::Take(take) => {
                if !self.groups[take.to].is_served() {
                    return;
                }
                let own = self.groups[take.to].share_id;
                if own != take.to_share {
                    self.count("TAKE for a part that was lost");
                }
                let to = match self.breaks {
                    Some(Break::TakeWithoutTo) => own,
                    _ => take.to_share,
                };
                let ask = sale::Take {
                    from: take.from_share,
                    to,
                    total: take.total,
                    sku: Some(self.skus[take.item].as_bytes()),
                };
                let now_ms = self.now_ms;
                let primary = self.groups[take.to].primary;
                let has_come = self.groups[take.to].nodes[primary].take(now_ms, &ask);
                self.count(if has_come {
                    "TAKE"
                } else {
                    "TAKE that changed nothing"
                });
                self.note(|| format!("{take:?}: {has_come}"));
            }
            Message::Rest { part, items, since } => {
                let group = &mut self.groups[*part];
                if !group.is_served() {
                    return;
                }
                let skus = &self.skus;
                let node = &mut group.nodes[group.primary];
                let names = items.iter().map(|item| skus[*item].as_bytes());
                node.sale.note_rest(names, self.now_ms, 1_000);
                node.rest_since = vec![u64::MAX; skus.len()];
                items
                    .iter()
                    .for_each(|item| node.rest_since[*item] = *since);
            }
        }
    }

    fn sweep(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let part = dice.index(self.groups.len());
        self.ask(part, &Op::Sweep(100)).map(|_| ())
    }

    /// A buyer does something at the part of theirs.
    fn buy(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let part = dice.index(self.groups.len());
        let known = &self.known[part];
        let id = (!known.is_empty()).then(|| dice.pick(known).clone());
        match (dice.below(10), id) {
            (0, Some(id)) => {
                let op = Op::Refund {
                    id,
                    ask: None,
                    reference: None,
                    user: None,
                    no_restock: dice.one_in(4),
                    restore_limit: false,
                };
                self.ask(part, &op)?;
            }
            (1..3, Some(id)) => {
                self.ask(part, &Op::Release { id, user: None })?;
            }
            (3..5, Some(id)) => {
                let (user, reference) = (None, None);
                self.ask(
                    part,
                    &Op::Checkout {
                        id,
                        user,
                        reference,
                    },
                )?;
            }
            _ => {
                let item = dice.index(self.skus.len());
                let units = if dice.one_in(5) {
                    dice.between(2, 3)
                } else {
                    1
                };
                self.reserve(part, item, units, dice.one_in(2))?;
            }
        }
        Ok(())
    }

    /// Asks for units; `Some(true)` where they were to be had, `None` without an answer.
    pub fn reserve(
        &mut self,
        part: usize,
        item: usize,
        units: u64,
        buys: bool,
    ) -> Result<Option<bool>, Fault> {
        self.ids += 1;
        let (id, user) = (format!("id{}", self.ids), format!("user{}", self.ids));
        let sku = self.skus[item].clone();
        let ask = Ask::Items(vec![(sku.clone(), units)]);
        let op = if buys {
            let (ask, id, reference) = (ask, id.clone(), None);
            Op::Buy {
                user,
                ask,
                id,
                reference,
            }
        } else {
            let (ask, id) = (ask, id.clone());
            Op::Reserve {
                user,
                ask,
                id,
                hold: None,
                replaces: None,
            }
        };
        let Some(played) = self.ask(part, &op)? else {
            return Ok(None);
        };
        match played {
            Played::Did(Did::Reserved(_) | Did::Sold(_)) => {
                self.known[part].push(id);
                Ok(Some(true))
            }
            Played::Did(_) => Ok(Some(false)),
            Played::Said(answer) => {
                let group = &mut self.groups[part];
                let node = &mut group.nodes[group.primary];
                let lines = vec![(sku.as_bytes(), units)].into();
                node.sale.note_refused(&sale::Ask::Items(lines), &answer);
                if matches!(answer, Answer::SoldOut { .. }) {
                    self.count("SOLDOUT");
                    self.judge_sold_out(part, item)?;
                }
                Ok(Some(false))
            }
        }
    }

    /// A request at the primary of a part; `None` if it is not there.
    pub fn ask(&mut self, part: usize, op: &Op) -> Result<Option<Played>, Fault> {
        let now_ms = self.now_ms;
        let group = &mut self.groups[part];
        if !group.is_served() {
            return Ok(None);
        }
        let node = &mut group.nodes[group.primary];
        node.tick(now_ms);
        let mut deciding = Deciding {
            node,
            entries: &mut self.entries,
        };
        let played = play(&mut deciding, now_ms, op)?;
        self.note(|| format!("part {part} {op:?}: {played:?}"));
        Ok(Some(played))
    }

    /// All heals, and buyers ask until nothing is left.
    pub fn settle(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        self.calm(dice)?;
        self.now_ms += 2 * HOLD_MS;
        for part in 0..self.groups.len() {
            self.ask(part, &Op::Sweep(1_000))?;
        }
        for _ in 0..60 {
            self.now_ms += 100;
            for part in 0..self.groups.len() {
                for item in 0..self.skus.len() {
                    self.step += 1;
                    self.reserve(part, item, 1, true)?;
                    self.judge()?;
                }
            }
            self.whole_round(0, dice)?;
        }
        self.judge_end(dice)
    }

    /// A whole round of one driver, all transfers and lines included.
    pub fn whole_round(&mut self, at: usize, dice: &mut Dice) -> Result<(), Fault> {
        self.drive(at, dice);
        while !self.drivers[at].is_at_begin() {
            self.step += 1;
            self.drive(at, dice);
        }
        for part in 0..self.groups.len() {
            for _ in 0..9 {
                self.groups[part].sync(dice, usize::MAX);
                let primary = self.groups[part].primary;
                let node = &mut self.groups[part].nodes[primary];
                node.durable = node.log.len();
                self.go_on(at, part, dice);
            }
        }
        for message in std::mem::take(&mut self.wire) {
            self.step += 1;
            self.arrive(&message);
            self.judge()?;
        }
        Ok(())
    }
}
