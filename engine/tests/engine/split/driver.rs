//! A driver: the program's rules, over connections that are played.

use super::breaks::Break;
use super::rules::pairs::Pairs;
use super::rules::rest::Head;
use super::rules::round::Driver as Rules;
use super::rules::transfer::{Ask, File, Give, Transfer};
use super::world::{Message, World};
use flashsale_engine::sale;
use flashsale_fuzz::dice::Dice;

/// A connection to a server.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    node: usize,
    epoch: u64,
    number: u64,
    /// How long the log was after the last write of this connection.
    written: usize,
}

/// A transfer of one part.
pub struct Moving {
    transfer: Transfer,
    connection: Option<Connection>,
}

/// What a driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Begin,
    /// Parts that are still to be read.
    Read(Vec<usize>),
    Decide,
}

pub struct Driver {
    pub rules: Rules,
    reading: Vec<Option<Connection>>,
    pub moving: Vec<Option<Moving>>,
    phase: Phase,
    /// The step at which the round, and the one before it, began.
    began: [u64; 2],
    pub alarms: usize,
}

impl Driver {
    pub fn new(parts: usize, skus: &[String]) -> Self {
        let mut rules = Rules::new(parts);
        skus.iter().for_each(|sku| rules.learn(sku));
        Self {
            rules,
            reading: vec![None; parts],
            moving: (0..parts).map(|_| None).collect(),
            phase: Phase::Begin,
            began: [0, 0],
            alarms: 0,
        }
    }

    /// Whether the next step begins a round.
    pub fn is_at_begin(&self) -> bool {
        self.phase == Phase::Begin
    }
}

impl World {
    /// One step of a driver's round.
    pub fn drive(&mut self, at: usize, dice: &mut Dice) {
        match self.drivers[at].phase.clone() {
            Phase::Begin => {
                self.begin(at);
                let mut order: Vec<usize> = (0..self.groups.len()).collect();
                for last in (1..order.len()).rev() {
                    order.swap(last, dice.index(last + 1));
                }
                self.drivers[at].phase = Phase::Read(order);
            }
            Phase::Read(mut order) => {
                if let Some(part) = order.pop() {
                    if dice.one_in(40) {
                        self.count("silent part");
                    } else {
                        self.read(at, part);
                    }
                }
                let is_last = order.is_empty();
                let driver = &mut self.drivers[at];
                driver.phase = if is_last {
                    Phase::Decide
                } else {
                    Phase::Read(order)
                };
            }
            Phase::Decide => {
                self.drivers[at].phase = Phase::Begin;
                self.decide(at);
            }
        }
    }

    /// A round begins.
    pub fn begin(&mut self, at: usize) {
        let step = self.step;
        let driver = &mut self.drivers[at];
        driver.began = [step, driver.began[0]];
        driver.rules.begin();
    }

    /// A connection that works, made anew if need be: to whom the topology names.
    fn connect(&mut self, part: usize, known: Option<Connection>) -> Option<Connection> {
        let group = &self.groups[part];
        let works = |connection: &Connection| {
            let node = &group.nodes[connection.node];
            node.is_up && node.epoch == connection.epoch
        };
        if let Some(known) = known.filter(works) {
            return Some(known);
        }
        if !group.is_served() {
            return None;
        }
        self.numbers += 1;
        Some(Connection {
            node: group.primary,
            epoch: group.head().epoch,
            number: self.numbers,
            written: 0,
        })
    }

    /// A part is read, if it answers.
    pub fn read(&mut self, at: usize, part: usize) {
        let before = self.drivers[at].reading[part];
        let connection = self.connect(part, before);
        self.drivers[at].reading[part] = connection;
        let Some(connection) = connection else {
            self.count("silent part");
            return;
        };
        let node = &self.groups[part].nodes[connection.node];
        let head = Head {
            share_id: self.groups[part].share_id,
            connection: match self.breaks {
                Some(Break::AcrossFailover) => 0,
                _ => connection.number,
            },
            refunded: node.sale.refunded(),
        };
        let reads = self.drivers[at].rules.reads().to_vec();
        for item in reads {
            let shelf = node.shelf(&self.skus[item]);
            *self.drivers[at].rules.shelf(item, part) = shelf;
        }
        self.drivers[at].rules.heard(part, head);
    }

    /// The rules come to a decision, and what follows is on its way.
    pub fn decide(&mut self, at: usize) {
        let driver = &mut self.drivers[at];
        let moving = &driver.moving;
        let decision = driver.rules.decide(|part| moving[part].is_some());
        driver.alarms += decision.alarms.len();
        let since = driver.began[1];
        if let Some(mut rest) = decision.rest {
            let mut since = since;
            if self.breaks == Some(Break::OneReading) {
                since = self.drivers[at].began[0];
                rest = self.empty_by_one_reading(at);
            }
            if !rest.is_empty() {
                self.count("sold out everywhere");
            }
            for part in 0..self.groups.len() {
                let items = rest.clone();
                self.wire.push(Message::Rest { part, items, since });
            }
        }
        for part in 0..self.groups.len() {
            let ours = decision.gives.iter().filter(|give| give.from == part);
            let ours: Vec<Give> = ours.copied().collect();
            if ours.is_empty() || self.drivers[at].moving[part].is_some() {
                continue;
            }
            if self.breaks == Some(Break::TakeBeforeGive) {
                self.wire
                    .extend(ours.iter().map(|give| Message::Take(*give)));
            }
            let connection = self.connect(part, None);
            self.drivers[at].moving[part] = Some(Moving {
                transfer: Transfer::new(ours, self.enough),
                connection,
            });
        }
    }

    fn empty_by_one_reading(&self, at: usize) -> Vec<usize> {
        let rules = &self.drivers[at].rules;
        let share_ids: Vec<Option<u128>> = self
            .groups
            .iter()
            .map(|group| Some(group.share_id))
            .collect();
        let is_empty = |item: &usize| {
            let shelves = rules.shelves(*item);
            let mut pairs = Pairs::default();
            pairs.compare(shelves, &share_ids);
            let none =
                |shelf: &super::rules::reading::Shelf| shelf.available == 0 && shelf.reserved == 0;
            pairs.under_way.is_empty() && shelves.iter().all(none)
        };
        (0..self.skus.len()).filter(is_empty).collect()
    }

    /// One step of a transfer of a driver.
    pub fn go_on(&mut self, at: usize, part: usize, dice: &mut Dice) {
        let Some(mut moving) = self.drivers[at].moving[part].take() else {
            return;
        };
        if !self.holds(part, moving.connection) || dice.one_in(60) {
            self.count("connection that broke in a transfer");
            let is_past_give = matches!(moving.transfer.next(), Ask::Wait { .. } | Ask::Copies);
            if self.breaks == Some(Break::ReconnectBeforeWait) && is_past_give {
                moving.connection = self.connect(part, None);
            } else {
                moving.transfer.broken();
            }
        }
        let Some(mut connection) = moving.connection else {
            return;
        };
        match moving.transfer.next() {
            Ask::Nothing => return,
            Ask::Give(gives) => {
                let gives = gives.to_vec();
                let totals = self.give(part, &mut connection, &gives);
                // The answers may be lost though all was carried out.
                if dice.one_in(20) {
                    moving.transfer.broken();
                } else {
                    moving.transfer.given(totals);
                }
            }
            Ask::Copies => self.name_copies(part, connection, &mut moving.transfer),
            Ask::Wait { replicas } => {
                if dice.one_in(2) {
                    self.groups[part].sync(dice, usize::MAX);
                }
                let have = self.groups[part].having(connection.node, connection.written);
                if have < replicas {
                    self.count("WAIT that came short");
                }
                moving.transfer.waited(have);
            }
            Ask::WaitFile => {
                let node = &mut self.groups[part].nodes[connection.node];
                if dice.one_in(3) {
                    node.durable = node.log.len();
                }
                moving
                    .transfer
                    .flushed(u64::from(node.durable >= connection.written));
            }
            Ask::Take(takes) => {
                self.count("transfer");
                self.wire.extend(takes.into_iter().map(Message::Take));
                return;
            }
        }
        moving.connection = Some(connection);
        self.drivers[at].moving[part] = Some(moving);
    }

    fn holds(&self, part: usize, connection: Option<Connection>) -> bool {
        connection.is_some_and(|connection| {
            let node = &self.groups[part].nodes[connection.node];
            node.is_up && node.epoch == connection.epoch
        })
    }

    fn give(
        &mut self,
        part: usize,
        connection: &mut Connection,
        gives: &[Give],
    ) -> Vec<Option<u64>> {
        let node = &mut self.groups[part].nodes[connection.node];
        let mut totals = Vec::new();
        for give in gives {
            if !node.leads {
                totals.push(None);
                continue;
            }
            let ask = sale::Give {
                from: give.from_share,
                to: give.to_share,
                total: give.total,
                sku: Some(self.skus[give.item].as_bytes()),
                most: true,
                owes: false,
                confirms: self.breaks != Some(Break::NoConfirm),
            };
            let (total, is_written) = node.give(self.now_ms, &ask);
            if is_written {
                connection.written = node.log.len();
            }
            totals.push(match self.breaks {
                Some(Break::DecidedTotal) => total.map(|_| give.total),
                _ => total,
            });
        }
        totals
    }

    /// The topology, and what the server's file is worth.
    fn name_copies(&self, part: usize, connection: Connection, transfer: &mut Transfer) {
        let group = &self.groups[part];
        let node = &group.nodes[connection.node];
        let named = match self.breaks {
            Some(Break::ConnectedReplicas) => group.connected(connection.node),
            _ => group.named(),
        };
        let file = match (node.syncs_always, self.breaks) {
            (true, _) => File::Always,
            (false, Some(Break::NoFile)) => File::Unasked,
            (false, _) => File::Waited,
        };
        transfer.named(node.leads.then_some(named), file);
    }
}
