//! What happens to servers, and what people do about it.

use super::breaks::Break;
use super::driver::Driver;
use super::node::created;
use super::rules::lost::left;
use super::rules::reading::{ShareId, Shelf};
use super::world::{Message, World};
use crate::commands::play::Fault;
use flashsale_engine::sale;
use flashsale_fuzz::dice::Dice;

impl World {
    /// Something goes wrong, or heals.
    pub fn disturb(&mut self, dice: &mut Dice) {
        let part = dice.index(self.groups.len());
        match dice.below(13) {
            0 | 1 => self.crash(part, dice),
            2 | 3 => {
                if self.groups[part].fail_over(dice, &mut self.epoch) {
                    self.count("failover");
                    self.note(|| format!("part {part} fails over"));
                    let is_cut = self.groups[part]
                        .nodes
                        .iter()
                        .filter(|node| node.leads)
                        .count();
                    self.had_cut |= is_cut > 1;
                }
            }
            4 => {
                let group = &mut self.groups[part];
                let primary = group.primary;
                group.nodes[primary].is_linked = false;
                self.count("primary cut off from its replicas");
            }
            5 | 6 => {
                self.groups[part].heal(&mut self.epoch);
                self.count("healed");
            }
            7..10 => {
                for at in 0..self.groups[part].nodes.len() {
                    self.groups[part].bring_up(at, &mut self.epoch);
                }
            }
            10 => {
                let group = &mut self.groups[part];
                let primary = group.primary;
                let node = &mut group.nodes[primary];
                node.durable = node.log.len();
            }
            11 => {
                let at = dice.index(self.drivers.len());
                self.drivers[at] = Driver::new(self.groups.len(), &self.skus);
                self.count("driver that died");
            }
            _ => self.lose_for_good(part, dice),
        }
    }

    /// A server crashes, and loses what is not in its file.
    fn crash(&mut self, part: usize, dice: &mut Dice) {
        let group = &mut self.groups[part];
        let at = if dice.one_in(2) {
            group.primary
        } else {
            dice.index(group.nodes.len())
        };
        let node = &mut group.nodes[at];
        if !node.is_up || group.is_lost {
            return;
        }
        let at_risk = node.log.len() - node.durable;
        let lost = dice.index(at_risk + 1);
        node.crash(lost);
        let was_primary = at == group.primary;
        if !was_primary {
            node.leads = false;
        }
        self.count(if lost > 0 {
            "crash with a lost tail"
        } else {
            "crash"
        });
        self.note(|| format!("part {part} server {at} crashes and loses {lost} of {at_risk}"));
        // A restart may be quicker than a failover.
        if was_primary && dice.one_in(2) {
            self.groups[part].bring_up(at, &mut self.epoch);
        }
    }

    /// All servers of a part are gone, and it is made anew: by the rules, with no driver at work.
    fn lose_for_good(&mut self, part: usize, dice: &mut Dice) {
        if !dice.one_in(2) || self.groups[part].is_lost {
            return;
        }
        let others = self.groups.iter().enumerate().filter(|(at, _)| *at != part);
        if !others
            .clone()
            .all(|(_, group)| group.is_served() && group.head().leads)
        {
            return;
        }
        // No driver is at work. Lines to the lost part may still be on their way.
        let dead = self.groups[part].share_id;
        self.drivers = (0..2)
            .map(|_| Driver::new(self.groups.len(), &self.skus))
            .collect();
        self.wire.retain(|message| match message {
            Message::Take(take) => take.from_share != dead,
            Message::Rest { .. } => false,
        });
        self.groups[part].is_lost = true;
        if !self.confirm_living(part, dice) {
            // People wait until they can: here, the part comes back meanwhile.
            self.groups[part].is_lost = false;
            return;
        }
        self.make_anew(part, dice);
        self.count("part made anew");
    }

    /// CONFIRM and WAIT on each of the living.
    fn confirm_living(&mut self, lost: usize, dice: &mut Dice) -> bool {
        for part in (0..self.groups.len()).filter(|part| *part != lost) {
            let group = &mut self.groups[part];
            group.sync(dice, usize::MAX);
            let len = group.head().log.len();
            if group.having(group.primary, len) < group.named() {
                return false;
            }
            let primary = group.primary;
            group.nodes[primary].durable = len;
        }
        true
    }

    fn make_anew(&mut self, part: usize, dice: &mut Dice) {
        let mut items = Vec::new();
        let lost_before = self.groups[part].before.clone();
        let last = self.groups[part].share_id;
        for (item, sku) in self.skus.iter().enumerate() {
            let others = self.groups.iter().enumerate().filter(|(at, _)| *at != part);
            let mut living: Vec<(ShareId, Shelf)> = others
                .map(|(_, group)| (group.share_id, group.head().shelf(sku)))
                .collect();
            if self.breaks == Some(Break::FirstLossForgotten) {
                let counts = |pair: &(ShareId, u64)| !lost_before.contains(&pair.0);
                for (_, shelf) in &mut living {
                    shelf.given.retain(counts);
                    shelf.taken.retain(counts);
                }
            }
            let rows = living.iter().map(|(share_id, shelf)| (*share_id, shelf));
            let units = left(self.stock[item], rows).unwrap_or(0);
            items.push((sku.clone(), units));
        }
        let share_id = self.fresh_share(self.groups[part].sale_id);
        let log = vec![created(
            self.now_ms,
            share_id,
            self.groups[part].sale_id,
            &items,
        )];
        self.epoch += 1;
        let replicas = self.groups[part].nodes.len() - 1;
        let group = &mut self.groups[part];
        if share_id != last {
            group.before.push(last);
        }
        group.share_id = share_id;
        group.is_lost = false;
        group.fill(&log, replicas, dice, self.epoch);
        self.known[part].clear();
        self.note(|| format!("part {part} is made anew with {items:?}"));
    }

    /// Everything works again, and nothing is on its way but what the parts themselves know.
    pub fn calm(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        for part in 0..self.groups.len() {
            for at in 0..self.groups[part].nodes.len() {
                self.groups[part].bring_up(at, &mut self.epoch);
            }
            self.groups[part].heal(&mut self.epoch);
            self.groups[part].sync(dice, usize::MAX);
        }
        for message in std::mem::take(&mut self.wire) {
            self.step += 1;
            self.arrive(&message);
            self.judge()?;
        }
        let parts = self.groups.len();
        self.drivers = (0..2).map(|_| Driver::new(parts, &self.skus)).collect();
        self.had_cut = false;
        Ok(())
    }

    /// `split repair`: a giver gets what is under way to it, which the rounds have done, and
    /// gives once more what was taken.
    pub fn repair(&mut self) {
        let shares: Vec<ShareId> = self.groups.iter().map(|group| group.share_id).collect();
        for sku in self.skus.clone() {
            for to in 0..self.groups.len() {
                let taken = self.groups[to].head().shelf(&sku).taken;
                for (share_id, total) in taken {
                    let Some(from) = shares.iter().position(|one| *one == share_id) else {
                        continue;
                    };
                    let ask = sale::Give {
                        from: share_id,
                        to: shares[to],
                        total,
                        sku: Some(sku.as_bytes()),
                        most: false,
                        owes: true,
                        confirms: true,
                    };
                    let now_ms = self.now_ms;
                    let primary = self.groups[from].primary;
                    self.groups[from].nodes[primary].give(now_ms, &ask);
                }
            }
        }
        self.count("repair");
    }
}
