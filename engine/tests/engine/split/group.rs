//! The servers of one part, and what its topology says.

use super::node::{Log, Node};
use flashsale_fuzz::dice::Dice;

/// One part with its servers.
pub struct Group {
    pub nodes: Vec<Node>,
    /// As the topology has it.
    pub primary: usize,
    pub sale_id: u128,
    pub share_id: u128,
    /// The share ids that it had before it was lost.
    pub before: Vec<u128>,
    /// All its servers are gone for good.
    pub is_lost: bool,
}

impl Group {
    pub fn new(log: &Log, share_id: u128, sale_id: u128, replicas: usize, dice: &mut Dice) -> Self {
        let mut group = Self {
            nodes: Vec::new(),
            primary: 0,
            sale_id,
            share_id,
            before: Vec::new(),
            is_lost: false,
        };
        group.fill(log, replicas, dice, 0);
        group
    }

    pub fn fill(&mut self, log: &Log, replicas: usize, dice: &mut Dice, epoch: u64) {
        self.nodes.clear();
        for at in 0..=replicas {
            let node = Node::new(log.clone(), at == 0, dice.one_in(2), epoch);
            self.nodes.push(node);
        }
        self.primary = 0;
    }

    /// The history that counts.
    pub fn head(&self) -> &Node {
        &self.nodes[self.primary]
    }

    /// Whether buyers can reach it.
    pub fn is_served(&self) -> bool {
        !self.is_lost && self.head().is_up
    }

    /// Replicas by the topology: also those that are down.
    pub fn named(&self) -> u64 {
        self.nodes.len() as u64 - 1
    }

    /// How many replicas of a node are connected, and have so much of its log.
    pub fn having(&self, node: usize, len: usize) -> u64 {
        if node != self.primary || !self.nodes[node].is_linked {
            return 0;
        }
        let leader = &self.nodes[node];
        let others = self.nodes.iter().enumerate().filter(|(at, _)| *at != node);
        let has = |other: &Node| {
            other.is_up && other.is_linked && other.log.len() >= len && other.agrees(leader, len)
        };
        others.filter(|(_, other)| has(other)).count() as u64
    }

    /// How many are connected to a node at all, as the node itself counts.
    pub fn connected(&self, node: usize) -> u64 {
        self.having(node, 0)
    }

    /// Replicas take over some of what the primary has.
    pub fn sync(&mut self, dice: &mut Dice, most: usize) {
        if !self.is_served() || !self.head().is_linked {
            return;
        }
        for at in 0..self.nodes.len() {
            if at == self.primary || !self.nodes[at].is_up || !self.nodes[at].is_linked {
                continue;
            }
            let some = if most == 0 { dice.index(4) } else { most };
            let (one, other) = two(&mut self.nodes, at, self.primary);
            one.sync(other, some);
        }
    }

    /// A replica takes over. Reports whether there was one that could.
    pub fn fail_over(&mut self, dice: &mut Dice, epoch: &mut u64) -> bool {
        let can = |(at, node): &(usize, &Node)| {
            *at != self.primary && node.is_up && node.is_synced && !node.leads
        };
        let able: Vec<usize> = self
            .nodes
            .iter()
            .enumerate()
            .filter(can)
            .map(|(at, _)| at)
            .collect();
        if able.is_empty() {
            return false;
        }
        self.primary = dice.of(&able);
        *epoch += 1;
        let leader = &mut self.nodes[self.primary];
        (leader.leads, leader.is_linked, leader.epoch) = (true, true, *epoch);
        // A file is a second behind at most. That a second server of a part dies within it is
        // what no rule covers: all copies are gone then.
        leader.durable = leader.log.len();
        leader.rest_since.clear();
        // The others follow it from now on, but for one that is cut off and goes on leading.
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if at != self.primary && !node.leads {
                node.is_linked = true;
            }
        }
        true
    }

    /// Those that are cut off learn who leads, and follow.
    pub fn heal(&mut self, epoch: &mut u64) {
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            if at != self.primary && node.leads {
                *epoch += 1;
                (node.leads, node.epoch, node.is_synced) = (false, *epoch, false);
                node.rest_since.clear();
                node.sale.forget_rest();
            }
            node.is_linked = true;
        }
    }

    /// A server that is down comes back with what is in its file.
    pub fn bring_up(&mut self, at: usize, epoch: &mut u64) {
        if self.is_lost || self.nodes[at].is_up {
            return;
        }
        *epoch += 1;
        let leads = at == self.primary;
        let node = &mut self.nodes[at];
        (node.is_up, node.is_linked, node.epoch, node.leads) = (true, true, *epoch, leads);
        node.is_synced = leads;
    }
}

fn two(nodes: &mut [Node], one: usize, other: usize) -> (&mut Node, &Node) {
    if one < other {
        let (left, right) = nodes.split_at_mut(other);
        (&mut left[one], &right[0])
    } else {
        let (left, right) = nodes.split_at_mut(one);
        (&mut right[0], &left[other])
    }
}
