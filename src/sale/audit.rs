//! Recounts a sale from its reservations up.
//!
//! Edge: finds differences and says them in words; mends nothing. A decoder asks it
//! before it trusts what it read, tests ask it after every step.

use std::collections::HashMap;

use super::items::Stock;
use super::name::NameBuffer;
use super::reservation::{Reservation, Status};
use super::slab::NONE;
use super::state::Sale;
use super::units::{INTEGER_MAX, ItemIndex, units_of};
use super::users::UserSlot;

/// What the reservations say, summed the slow way.
#[derive(Default)]
struct Recount {
    items: HashMap<ItemIndex, Stock>,
    users: HashMap<UserSlot, UserCount>,
    tallies: HashMap<(UserSlot, ItemIndex), u64>,
    refunded: u64,
    open: usize,
    ended: usize,
}

#[derive(Default)]
struct UserCount {
    reserved: u64,
    sold: u64,
    counted: u64,
    open: u32,
}

/// Forged quantities may sum to anything; a saturated sum differs from the kept one.
fn saturate(sum: &mut u64, by: u64) {
    *sum = sum.saturating_add(by);
}

impl Recount {
    fn add(&mut self, record: Reservation<'_>) {
        match record.status() {
            Status::Open => self.add_open(record),
            Status::Sold => self.add_order(record),
            Status::Released | Status::Expired => self.ended += 1,
        }
    }

    fn add_open(&mut self, record: Reservation<'_>) {
        self.open += 1;
        let user = self.users.entry(record.user()).or_default();
        user.open += 1;
        for line in &record.lines() {
            saturate(
                &mut self.items.entry(line.item).or_default().reserved,
                line.qty,
            );
            saturate(&mut user.reserved, line.qty);
            saturate(&mut user.counted, line.qty);
            saturate(
                self.tallies.entry((record.user(), line.item)).or_default(),
                line.qty,
            );
        }
    }

    fn add_order(&mut self, record: Reservation<'_>) {
        let user = self.users.entry(record.user()).or_default();
        for line in &record.left() {
            saturate(&mut self.items.entry(line.item).or_default().sold, line.qty);
            saturate(&mut user.sold, line.qty);
        }
        for line in &record.lines() {
            saturate(&mut user.counted, line.qty);
            saturate(
                self.tallies.entry((record.user(), line.item)).or_default(),
                line.qty,
            );
        }
        let Some(order) = record.order() else { return };
        for refund in order.refunds() {
            let lines = refund.cart.lines();
            saturate(&mut self.refunded, units_of(&lines));
            if !refund.restores_limit {
                continue;
            }
            user.counted = user.counted.saturating_sub(units_of(&lines));
            for line in &lines {
                let tally = self.tallies.entry((record.user(), line.item)).or_default();
                *tally = tally.saturating_sub(line.qty);
            }
        }
    }
}

impl Sale {
    /// Every difference between what the sale counts and what its reservations say.
    /// Empty when it is consistent. O(reservations + users + items).
    pub fn audit(&self) -> Vec<String> {
        let mut recount = Recount::default();
        for (_, record) in self.reservations.iter() {
            recount.add(record);
        }
        let mut differences = Vec::new();
        self.audit_items(&recount, &mut differences);
        self.audit_users(&mut recount, &mut differences);
        self.audit_queues(&recount, &mut differences);
        differences
    }

    fn audit_items(&self, recount: &Recount, differences: &mut Vec<String>) {
        let mut differ = |what: &str, kept: u64, counted: u64| {
            if kept != counted {
                differences.push(format!("{what} is {kept}, recounted {counted}"));
            }
        };
        let mut totals = Stock::default();
        for (item, (sku, stock)) in (0..).zip(self.items.iter()) {
            let counted = recount.items.get(&item).copied().unwrap_or_default();
            let sku = sku.escape_ascii();
            differ(
                &format!("reserved of {sku}"),
                stock.reserved,
                counted.reserved,
            );
            differ(&format!("sold of {sku}"), stock.sold, counted.sold);
            saturate(&mut totals.available, stock.available);
            saturate(&mut totals.reserved, stock.reserved);
            saturate(&mut totals.sold, stock.sold);
        }
        let kept = self.items.totals();
        differ("available of the sale", kept.available, totals.available);
        differ("reserved of the sale", kept.reserved, totals.reserved);
        differ("sold of the sale", kept.sold, totals.sold);
        differ("refunded of the sale", self.refunded, recount.refunded);
        if kept.total() > INTEGER_MAX {
            differences.push(format!(
                "total of the sale is {}, above 2^53 - 1",
                kept.total()
            ));
        }
        for item in recount.items.keys() {
            if *item as usize >= self.items.len() {
                differences.push(format!(
                    "a reservation names item {item}, which is not there"
                ));
            }
        }
    }

    fn audit_users(&self, recount: &mut Recount, differences: &mut Vec<String>) {
        for slot in self.users.slots() {
            let counted = recount.users.remove(&slot).unwrap_or_default();
            let sums = self.users.sums(slot);
            let kept = (sums.reserved, sums.sold, sums.counted, sums.open);
            let expected = (
                counted.reserved,
                counted.sold,
                counted.counted,
                counted.open,
            );
            if kept != expected {
                let mut buffer = NameBuffer::default();
                let name = self
                    .users
                    .name(slot)
                    .map_or(&b""[..], |name| name.bytes(&mut buffer));
                let name = name.escape_ascii();
                differences.push(format!(
                    "(reserved, sold, counted, open) of user {name} is {kept:?}, recounted {expected:?}"
                ));
            }
            let chained = self.reservations.iter_chain(self.users.chain(slot)).count();
            if chained != sums.open as usize {
                differences.push(format!(
                    "user {slot} has {} open, {chained} chained",
                    sums.open
                ));
            }
        }
        if recount.users.keys().any(|&user| user != NONE) {
            differences.push("a reservation names a user who is not there".into());
        }
        if !self.users.tracks_items() {
            return;
        }
        // Taken out one by one: a second table of them would be the dearest part of a load.
        let mut differs = false;
        for (user, item, counted) in self.users.tallies() {
            differs |= recount.tallies.remove(&(user, item)) != Some(counted);
        }
        if differs || recount.tallies.values().any(|&counted| counted > 0) {
            differences.push("what counts against ITEMLIMIT differs from the recount".into());
        }
    }

    fn audit_queues(&self, recount: &Recount, differences: &mut Vec<String>) {
        let open = self.reservations.iter_open();
        let mut wrong = open
            .filter(|(_, record)| record.status() != Status::Open)
            .count();
        let ended = self.reservations.iter_ended();
        wrong += ended
            .filter(|(_, record)| !matches!(record.status(), Status::Released | Status::Expired))
            .count();
        if wrong > 0 {
            differences.push(format!("{wrong} reservations stand in the wrong queue"));
        }
        for (what, kept, walked, counted) in [
            (
                "open",
                self.reservations.deadlines().len(),
                self.reservations.iter_open().count(),
                recount.open,
            ),
            (
                "remembered",
                self.reservations.remembered().len(),
                self.reservations.iter_ended().count(),
                recount.ended,
            ),
        ] {
            if kept != counted || walked != counted {
                differences.push(format!(
                    "{what} reservations: {kept} kept, {walked} queued, {counted} recounted"
                ));
            }
        }
    }
}
