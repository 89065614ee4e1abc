//! What must hold over all parts.

use super::rules::reading::{ShareId, Shelf};
use super::world::World;
use crate::commands::play::Fault;
use flashsale_fuzz::dice::Dice;

/// What a run of the usual length has to see.
pub const MUST_SEE: [&str; 19] = [
    "transfer",
    "TAKE",
    "TAKE that changed nothing",
    "TAKE for a part that was lost",
    "line lost",
    "line doubled",
    "WAIT that came short",
    "connection that broke in a transfer",
    "silent part",
    "failover",
    "primary cut off from its replicas",
    "healed",
    "crash",
    "crash with a lost tail",
    "driver that died",
    "part made anew",
    "sold out everywhere",
    "SOLDOUT",
    "repair",
];

impl World {
    /// An item in all parts that are there, by share id.
    fn shelves(&self, item: usize) -> Vec<(ShareId, Shelf)> {
        let groups = self.groups.iter().filter(|group| !group.is_lost);
        let sku = &self.skus[item];
        groups
            .map(|group| (group.share_id, group.head().shelf(sku)))
            .collect()
    }

    /// The rules were kept: what was confirmed is on all copies.
    fn is_kept(&self) -> bool {
        self.enough.is_none()
    }

    /// After each step.
    pub fn judge(&mut self) -> Result<(), Fault> {
        for item in 0..self.skus.len() {
            let shelves = self.shelves(item);
            let is_empty =
                |(_, shelf): &(ShareId, Shelf)| shelf.available == 0 && shelf.reserved == 0;
            let is_whole = shelves.len() == self.groups.len();
            if is_whole && shelves.iter().all(is_empty) && under_way(&shelves) == 0 {
                self.all_empty_at[item] = Some(self.step);
            }
            if self.is_kept() {
                self.judge_books(item, &shelves)?;
            }
        }
        Ok(())
    }

    fn judge_books(&self, item: usize, shelves: &[(ShareId, Shelf)]) -> Result<(), Fault> {
        let sum = |units: fn(&Shelf) -> u64| -> u64 {
            shelves.iter().map(|(_, shelf)| units(shelf)).sum()
        };
        let (sold, owed) = (sum(|shelf| shelf.sold), sum(|shelf| shelf.owed));
        let stock = self.stock[item];
        if sold > stock + owed {
            return Err(format!(
                "{sold} sold of {stock}, and {owed} owed: {shelves:?}"
            ));
        }
        if owed > 0 {
            return Err(format!("{owed} owed: {shelves:?}"));
        }
        if let Some((from, to, given, taken)) = above(shelves) {
            return Err(format!("{to} took {taken} from {from}, which gave {given}"));
        }
        Ok(())
    }

    /// A buyer was told that nobody has any.
    pub fn judge_sold_out(&self, part: usize, item: usize) -> Result<(), Fault> {
        if self.had_cut || !self.is_kept() {
            // Who reads a primary that was cut off reads the past.
            return Ok(());
        }
        let since = self.groups[part]
            .head()
            .rest_since
            .get(item)
            .copied()
            .unwrap_or(u64::MAX);
        match self.all_empty_at[item] {
            Some(at) if at >= since => Ok(()),
            last => Err(format!(
                "SOLDOUT at part {part}, by readings since step {since}; all were empty last at \
                 {last:?}: {:?}",
                self.shelves(item)
            )),
        }
    }

    /// At rest: nothing is under way, all is sold, and whoever asks is told so.
    pub fn judge_end(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        let is_wrong = (0..self.skus.len()).any(|item| above(&self.shelves(item)).is_some());
        let alarms = self.drivers[0].rules.units_above();
        if is_wrong != (alarms > 0) {
            return Err(format!(
                "an alarm of {alarms} units, and taken above given: {is_wrong}"
            ));
        }
        if is_wrong {
            self.repair();
            for _ in 0..20 {
                self.whole_round(0, dice)?;
            }
            if self.drivers[0].rules.units_above() > 0 {
                return Err("an alarm after the repair".into());
            }
        }
        for item in 0..self.skus.len() {
            let shelves = self.shelves(item);
            let sum = |units: fn(&Shelf) -> u64| -> u64 {
                shelves.iter().map(|(_, shelf)| units(shelf)).sum()
            };
            if under_way(&shelves) > 0 {
                return Err(format!("still under way: {shelves:?}"));
            }
            let (sold, owed) = (sum(|shelf| shelf.sold), sum(|shelf| shelf.owed));
            let totals: i128 = shelves.iter().map(|(_, shelf)| total(shelf)).sum();
            if i128::from(sold) > totals + i128::from(owed) {
                return Err(format!("{sold} sold of {totals}, and {owed} owed"));
            }
            if sum(|shelf| shelf.available) > 0 && !is_wrong {
                return Err(format!("not sold though everybody asks: {shelves:?}"));
            }
            let part = dice.index(self.groups.len());
            self.reserve(part, item, 1, true)?;
        }
        if !is_wrong && !self.seen.contains_key("SOLDOUT") {
            return Err("nobody was told that all is sold".into());
        }
        Ok(())
    }
}

fn total(shelf: &Shelf) -> i128 {
    let given: u64 = shelf.given.iter().map(|(_, total)| total).sum();
    i128::from(shelf.base) + i128::from(shelf.taken_in_all()) - i128::from(given)
}

/// Units between parts that are there.
fn under_way(shelves: &[(ShareId, Shelf)]) -> u64 {
    let mut units = 0;
    for (own, shelf) in shelves {
        for (to, given) in &shelf.given {
            let taker = shelves.iter().find(|(share_id, _)| share_id == to);
            let taken = taker.map(|(_, taker)| taker.taken_from(*own));
            units += taken.map_or(0, |taken| given.saturating_sub(taken));
        }
    }
    units
}

/// Giver, taker, given and taken of a pair where more is taken than given.
fn above(shelves: &[(ShareId, Shelf)]) -> Option<(ShareId, ShareId, u64, u64)> {
    shelves.iter().find_map(|(own, shelf)| {
        shelf.taken.iter().find_map(|(from, taken)| {
            let giver = shelves.iter().find(|(share_id, _)| share_id == from);
            let (_, giver) = giver?;
            let given = giver.given_to(*own);
            (*taken > given).then_some((*from, *own, given, *taken))
        })
    })
}
