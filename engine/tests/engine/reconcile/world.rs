//! Everything there is: the sale and its stream, buyers, a worker, SQL.

use std::collections::BTreeMap;

use super::decide::{EntryId, Group, OrderRow, RefundRow};
use super::people::{People, SKUS};
use super::server::{Entry, Server, What};
use crate::commands::play::{Fault, create};
use crate::commands::requests::Setup;
use flashsale_fuzz::dice::Dice;

/// The tables of the worker, and how far it is.
#[derive(Default)]
pub struct Sql {
    pub orders: BTreeMap<Vec<u8>, OrderRow>,
    pub refunds: BTreeMap<(Vec<u8>, Vec<u8>), RefundRow>,
    pub group: Group,
    /// Read, and not stored yet.
    in_hand: Vec<Entry>,
}

impl Sql {
    pub fn insert(&mut self, entry: &Entry) {
        match &entry.what {
            What::Order(row) => {
                let there = self.orders.entry(row.id.clone());
                there.or_insert_with(|| row.clone());
            }
            What::Refund(row) => {
                let key = (row.id.clone(), row.reference.clone());
                self.refunds.entry(key).or_insert_with(|| row.clone());
            }
        }
    }

    pub fn has(&self, entry: &Entry) -> bool {
        match &entry.what {
            What::Order(row) => self.orders.contains_key(&row.id),
            What::Refund(row) => {
                let key = (row.id.clone(), row.reference.clone());
                self.refunds.contains_key(&key)
            }
        }
    }

    fn read(&mut self, stream: &[Entry], count: usize) {
        let last = self.group.last_delivered;
        let is_new = |entry: &&Entry| last.is_none_or(|last| entry.id > last);
        let some: Vec<Entry> = stream.iter().filter(is_new).take(count).cloned().collect();
        for entry in some {
            self.group.last_delivered = Some(entry.id);
            self.group.pending.insert(entry.id);
            self.in_hand.push(entry);
        }
    }

    /// Stores what was read first. An acknowledgement may be lost.
    fn store(&mut self, count: usize, acknowledges: bool) {
        for entry in self.in_hand.drain(..count.min(self.in_hand.len())) {
            // What it read from the server that is dead it stores, and acknowledges nowhere.
            let id = entry.id;
            match &entry.what {
                What::Order(row) => {
                    let there = self.orders.entry(row.id.clone());
                    there.or_insert_with(|| row.clone());
                }
                What::Refund(row) => {
                    let key = (row.id.clone(), row.reference.clone());
                    self.refunds.entry(key).or_insert_with(|| row.clone());
                }
            }
            if acknowledges {
                self.group.pending.remove(&id);
            }
        }
    }

    /// A worker that starts again reads what is pending first.
    fn restart(&mut self, stream: &[Entry]) {
        let is_pending = |entry: &&Entry| self.group.pending.contains(&entry.id);
        self.in_hand = stream.iter().filter(is_pending).cloned().collect();
        // What is not there any more is a dead letter, and acknowledged.
        let there: Vec<EntryId> = self.in_hand.iter().map(|entry| entry.id).collect();
        self.group.pending.retain(|id| there.contains(id));
    }
}

pub struct World {
    pub server: Server,
    pub people: People,
    pub sql: Sql,
}

impl World {
    pub fn new(dice: &mut Dice) -> Result<Self, Fault> {
        let stock: Vec<u64> = SKUS.iter().map(|_| dice.between(2, 12)).collect();
        let items = SKUS.iter().zip(&stock);
        let setup = Setup {
            clock_ms: 1_700_000_000_000,
            orders: "orders".into(),
            items: items.map(|(sku, units)| ((*sku).into(), *units)).collect(),
            options: vec![
                ("USERLIMIT", dice.of(&[0, 4])),
                ("HOLD", 100),
                ("GRACE", dice.of(&[0, 50])),
            ],
            hold_ms_default: 1_000,
            keep_ms_default: 604_800_000,
            sweep_max: 3,
            reservations_max: 10_000,
            items_max: 10,
        };
        let server = create(&setup, 7, |event| Server::new(event, &stock))?;
        Ok(Self {
            server: server.ok_or("no sale")?,
            people: People::default(),
            sql: Sql::default(),
        })
    }

    /// Buyers and worker go on.
    pub fn live(&mut self, dice: &mut Dice, steps: u64) -> Result<(), Fault> {
        for _ in 0..steps {
            match dice.below(10) {
                0..7 => self.people.act(&mut self.server, dice)?,
                7 => self.sql.read(&self.server.stream, dice.index(5) + 1),
                8 => self.sql.store(dice.index(5) + 1, !dice.one_in(8)),
                _ if dice.one_in(5) => self.sql.restart(&self.server.stream),
                _ => {}
            }
        }
        Ok(())
    }

    /// The last events are lost. Of their entries, SQL may have any.
    pub fn lose(
        &mut self,
        dice: &mut Dice,
        seen: &mut BTreeMap<&'static str, u64>,
    ) -> Result<(), Fault> {
        if dice.one_in(10) {
            return Ok(());
        }
        let events = self.server.events();
        let kept = match dice.one_in(8) {
            true => 1,
            false => dice.between(1, events as u64) as usize,
        };
        if kept < events {
            *seen.entry("a suffix was lost").or_default() += 1;
        }
        let left = self.server.prefix(kept)?;
        let is_lost = |entry: &&Entry| entry.id > left.last_id;
        let one_in = dice.of(&[1, 2, 2, 20]);
        for entry in self.server.stream.iter().filter(is_lost) {
            if dice.one_in(one_in) {
                self.sql.insert(entry);
            }
        }
        let now_ms = self.server.now_ms + dice.below(50);
        self.server = left;
        self.server.now_ms = now_ms;
        self.promote_group(dice);
        Ok(())
    }

    /// The promoted server has heard of any beginning of what the group did.
    fn promote_group(&mut self, dice: &mut Dice) {
        let stream = &self.server.stream;
        let given = dice.index(stream.len() + 1);
        let last = given.checked_sub(1).map(|at| stream[at].id);
        let group = &mut self.sql.group;
        let is_given = |last: EntryId| group.last_delivered.is_some_and(|given| last <= given);
        group.last_delivered = match last {
            Some(last) if !is_given(last) => group.last_delivered,
            last => last,
        };
        if group
            .last_delivered
            .is_some_and(|last| last > self.server.last_id)
        {
            group.last_delivered = Some(self.server.last_id);
        }
        let last = group.last_delivered;
        let given = stream.iter().map(|entry| entry.id);
        let given: Vec<EntryId> = given.filter(|id| Some(*id) <= last).collect();
        group.pending = (given.into_iter())
            .filter(|id| group.pending.contains(id) || dice.one_in(3))
            .collect();
        if dice.one_in(2) {
            self.sql.in_hand.clear();
        }
    }

    /// SQL forgets rows, and somebody trims the stream.
    pub fn damage(&mut self, dice: &mut Dice) {
        if dice.one_in(3) {
            self.sql.orders.retain(|_, _| !dice.one_in(6));
            self.sql.refunds.retain(|_, _| !dice.one_in(6));
        }
        if dice.one_in(4) {
            let gone = dice.index(self.server.stream.len() + 1);
            self.server.stream.drain(..gone);
        }
    }

    /// The worker stores what it has in hand, also of the server that is dead, or dies with it.
    pub fn let_go(&mut self, dice: &mut Dice) {
        if dice.one_in(2) {
            self.sql.store(usize::MAX, false);
        }
        self.sql.in_hand.clear();
    }

    /// The worker stores all there is.
    pub fn drain(&mut self) {
        self.sql.store(usize::MAX, true);
        self.sql.restart(&self.server.stream);
        self.sql.read(&self.server.stream, usize::MAX);
        self.sql.store(usize::MAX, true);
    }
}
