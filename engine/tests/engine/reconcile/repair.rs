//! The steps of `flashsale reconcile`, with its decisions, on a world instead of servers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::decide::{
    self, EntryId, EntryVerdict, Known, OrderRow, RefundRow, RefundVerdict, State, Units, Verdict,
};
use super::server::{Entry, What};
use super::world::World;
use crate::commands::play::{Did, Fault, Played, play};
use crate::commands::requests::{Ask, Op, name};
use flashsale_engine::sale::Answer;
use flashsale_fuzz::dice::Dice;

/// Rows, entries and ids that are looked at together.
const PAGE: usize = 3;

/// Pages of the stream that a run may read beyond those there were when it began.
const PAGES_MORE: usize = 2;

type Key = (Vec<u8>, Vec<u8>);

/// What a run has found and done.
#[derive(Default, Debug)]
pub struct Tally {
    pub lost: u64,
    lost_open: u64,
    pub refunds: u64,
    pub inserted: u64,
    pub trimmed: u64,
    pub backlog: u64,
    later: u64,
    bought_meanwhile: u64,
    pub paid_twice: BTreeSet<Vec<u8>>,
    /// Orders, and refunds by their ref.
    pub conflicts: BTreeSet<Key>,
    pub imported: Vec<OrderRow>,
}

impl Tally {
    pub fn note(&self, seen: &mut BTreeMap<&'static str, u64>) {
        for (what, count) in [
            ("lost", self.lost),
            ("lost while open", self.lost_open),
            ("refund repeated", self.refunds),
            ("inserted from the stream", self.inserted),
            ("inserted from the sale", self.trimmed),
            ("paid twice", self.paid_twice.len() as u64),
            ("conflict", self.conflicts.len() as u64),
            ("backlog", self.backlog),
            ("later than T0", self.later),
            ("bought again meanwhile", self.bought_meanwhile),
        ] {
            if count > 0 {
                *seen.entry(what).or_default() += count;
            }
        }
    }

    /// Nothing is left to do but what people have to.
    pub fn is_idle(&self, before: &Tally) -> Result<(), Fault> {
        let done = (self.lost, self.refunds, self.inserted, self.trimmed);
        if done != (0, 0, 0, 0) {
            return Err(format!("a second run does something: {self:?}"));
        }
        if (&self.paid_twice, &self.conflicts) != (&before.paid_twice, &before.conflicts) {
            return Err(format!(
                "a second run leaves {self:?}, the first {before:?}"
            ));
        }
        Ok(())
    }
}

/// A run.
struct Run<'w> {
    world: &'w mut World,
    dice: &'w mut Dice,
    tally: &'w mut Tally,
    /// Buyers and worker go on between the steps.
    is_busy: bool,
    t0: EntryId,
}

impl World {
    pub fn reconcile(
        &mut self,
        dice: &mut Dice,
        is_busy: bool,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let t0 = self.server.last_id;
        let mut run = Run {
            world: self,
            dice,
            tally,
            is_busy,
            t0,
        };
        run.orders()?;
        run.lone_refunds()?;
        run.stream()?;
        run.trimmed()
    }
}

impl Run<'_> {
    fn meanwhile(&mut self) -> Result<(), Fault> {
        if !self.is_busy {
            return Ok(());
        }
        let steps = self.dice.below(12);
        self.world.live(self.dice, steps)
    }

    fn orders(&mut self) -> Result<(), Fault> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let from = match &after {
                None => Bound::Unbounded,
                Some(id) => Bound::Excluded(id.clone()),
            };
            let page = self.world.sql.orders.range((from, Bound::Unbounded));
            let page: Vec<OrderRow> = page.take(PAGE).map(|(_, row)| row.clone()).collect();
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id.clone());
            let refunds: Vec<Vec<RefundRow>> =
                page.iter().map(|row| self.rows_of(&row.id)).collect();
            self.meanwhile()?;
            let known: Vec<Option<Known>> = (page.iter())
                .map(|row| self.world.server.get(&row.id).map(|(known, ..)| known))
                .collect();
            self.meanwhile()?;
            for ((row, refunds), known) in page.into_iter().zip(refunds).zip(known) {
                self.settle(row, refunds, known)?;
            }
            self.meanwhile()?;
        }
    }

    fn rows_of(&self, id: &[u8]) -> Vec<RefundRow> {
        let rows = self.world.sql.refunds.values();
        let mut rows: Vec<_> = rows.filter(|row| row.id == id).cloned().collect();
        decide::sort_refunds(&mut rows);
        rows
    }

    fn settle(
        &mut self,
        row: OrderRow,
        refunds: Vec<RefundRow>,
        known: Option<Known>,
    ) -> Result<(), Fault> {
        let id = row.id.clone();
        match decide::order(&row, known.as_ref()) {
            Verdict::Fine => {
                let known = known.map_or(Vec::new(), |known| known.refunds);
                return self.repeat(&row.units, refunds, &known);
            }
            Verdict::PaidTwice => {
                self.tally.paid_twice.insert(id);
                return Ok(());
            }
            Verdict::Conflict(_) => {
                self.tally.conflicts.insert((id, Vec::new()));
                return Ok(());
            }
            Verdict::Lost => {}
        }
        let is_open = known.is_some();
        match self.world.server.import(&row)? {
            Ok(()) => {
                self.tally.lost += 1;
                self.tally.lost_open += u64::from(is_open);
                self.tally.imported.push(row.clone());
                self.repeat(&row.units, refunds, &[])
            }
            Err(Answer::Sold { .. } | Answer::Refunded { .. }) if self.is_busy => {
                self.tally.bought_meanwhile += 1;
                self.repeat(&row.units, refunds, &[])
            }
            Err(Answer::AlreadySold { .. }) if self.is_busy => {
                self.tally.paid_twice.insert(id);
                Ok(())
            }
            // A cart of which a digest is left, or an id released before it was seen.
            Err(Answer::Mismatch) => {
                self.tally.conflicts.insert((id, Vec::new()));
                Ok(())
            }
            Err(answer) => Err(format!("IMPORT of {row:?} is answered {answer:?}")),
        }
    }

    fn repeat(
        &mut self,
        units: &Units,
        rows: Vec<RefundRow>,
        known: &[decide::KnownRefund],
    ) -> Result<(), Fault> {
        let verdicts = decide::refunds(units, &rows, known);
        for (row, verdict) in rows.into_iter().zip(verdicts) {
            match verdict {
                RefundVerdict::Fine => continue,
                RefundVerdict::Conflict(_) => {
                    self.tally.conflicts.insert((row.id, row.reference));
                    continue;
                }
                RefundVerdict::Missing => {}
            }
            let has_ref = !row.reference.is_empty();
            let lines = row.units.lines();
            let lines = lines.map(|(sku, line)| (name(sku), line.qty)).collect();
            let op = Op::Refund {
                id: name(&row.id),
                ask: has_ref.then_some(Ask::Items(lines)),
                reference: has_ref.then(|| name(&row.reference)),
                user: None,
                no_restock: row.norestock,
                restore_limit: row.restorelimit,
            };
            let server = &mut self.world.server;
            match play(server, server.now_ms, &op)? {
                Played::Did(Did::Refunded(_)) => self.tally.refunds += 1,
                Played::Said(Answer::Refunded { .. }) if self.is_busy => {}
                _ if self.is_busy => {
                    self.tally.conflicts.insert((row.id, row.reference));
                }
                other => return Err(format!("{row:?} is answered {other:?}")),
            }
        }
        Ok(())
    }

    fn lone_refunds(&mut self) -> Result<(), Fault> {
        let sql = &self.world.sql;
        let ids: BTreeSet<Vec<u8>> = (sql.refunds.keys())
            .map(|(id, _)| id.clone())
            .filter(|id| !sql.orders.contains_key(id))
            .collect();
        for id in ids {
            let rows = self.rows_of(&id);
            let known = self.world.server.get(&id).map(|(known, ..)| known);
            let known = known.filter(|known| known.state != State::Unsold);
            match known.and_then(|known| Some((known.units?, known.refunds))) {
                Some((units, known)) => self.repeat(&units, rows, &known)?,
                None => {
                    self.tally.conflicts.insert((id, Vec::new()));
                }
            }
            self.meanwhile()?;
        }
        Ok(())
    }

    fn stream(&mut self) -> Result<(), Fault> {
        let mut last = (0, 0);
        let began = self.world.server.stream.iter();
        let mut pages = began.filter(|entry| entry.id <= self.t0).count() / PAGE + 1 + PAGES_MORE;
        loop {
            let stream = self.world.server.stream.iter();
            let page = stream.filter(|entry| entry.id > last).take(PAGE);
            let page: Vec<Entry> = page.cloned().collect();
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = end.id;
            pages = pages.checked_sub(1).ok_or("it reads for ever")?;
            self.meanwhile()?;
            let group = self.world.sql.group.clone();
            self.meanwhile()?;
            let mut is_over = false;
            for entry in page {
                let is_in_sql = self.world.sql.has(&entry);
                match decide::entry(entry.id, self.t0, is_in_sql, &group) {
                    EntryVerdict::Fine => {}
                    EntryVerdict::Backlog => self.tally.backlog += 1,
                    EntryVerdict::Insert => {
                        self.tally.inserted += 1;
                        self.world.sql.insert(&entry);
                    }
                    EntryVerdict::Later => {
                        self.tally.later += 1;
                        is_over = true;
                    }
                }
            }
            if is_over {
                return Ok(());
            }
            // A sale that sells as fast as it is read.
            if self.is_busy {
                self.world.live(self.dice, 10 * PAGE as u64)?;
            }
        }
    }

    fn trimmed(&mut self) -> Result<(), Fault> {
        for id in self.world.server.sold() {
            let Some((_, order, refunds)) = self.world.server.get(&id) else {
                continue;
            };
            self.meanwhile()?;
            for entry in order.into_iter().chain(refunds) {
                if self.world.sql.has(&entry) {
                    continue;
                }
                let mut stream = self.world.server.stream.iter();
                let is_there = stream.any(|one| one.id == entry.id && is_same(one, &entry));
                if self.is_busy && self.dice.one_in(4) {
                    // The worker stores it, and somebody trims at once.
                    self.world.drain();
                    self.world.server.stream.clear();
                }
                if decide::without_row(entry.id, self.t0, is_there) == EntryVerdict::Insert
                    && !self.world.sql.has(&entry)
                {
                    self.tally.trimmed += 1;
                    self.world.sql.insert(&entry);
                }
            }
        }
        Ok(())
    }
}

fn is_same(one: &Entry, other: &Entry) -> bool {
    match (&one.what, &other.what) {
        (What::Order(one), What::Order(other)) => one.id == other.id,
        (What::Refund(one), What::Refund(other)) => {
            (&one.id, &one.reference) == (&other.id, &other.reference)
        }
        _ => false,
    }
}
