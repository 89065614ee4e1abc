//! The model's REFUND, RESTOCK, ALTER, PAUSE, RESUME, CLOSE and BIND.

use std::collections::BTreeMap;

use super::reference::{LARGEST, Model, words};
use super::reservation::{Fate, Refund, Reservation, same_units, units};
use crate::commands::requests::{Ask, Deltas, Named, Op};

impl Model {
    pub fn answer_seller(&mut self, now: u64, op: &Op) -> String {
        match op {
            Op::Refund { .. } => self.refund(now, op),
            Op::Restock {
                deltas,
                new,
                reference,
            } => self.restock(now, deltas, *new, reference),
            Op::Alter(named) => self.alter(now, named),
            Op::Pause => self.pause(now),
            Op::Resume => self.resume(now),
            Op::Close => self.close(now),
            Op::Bind(orders) => {
                if self.orders != *orders {
                    self.orders = orders.clone();
                    self.last_change = now;
                }
                self.row("BIND OK", words!["OK"])
            }
            _ => unreachable!("not a seller's command"),
        }
    }

    fn refund(&mut self, now: u64, op: &Op) -> String {
        let Op::Refund {
            id,
            ask,
            reference,
            user,
            no_restock,
            restore_limit,
        } = op
        else {
            unreachable!("a refund")
        };
        self.expire_overdue_id(now, id);
        let Some(at) = self
            .position(id)
            .filter(|at| self.reservations[*at].is_of(user.as_deref()))
        else {
            return self.row("REFUND NORESERVATION", words!["NORESERVATION", id]);
        };
        let known = self.reservations[at].clone();
        if known.fate != Fate::Sold {
            return self.row("REFUND NOTSOLD, never sold", words!["NOTSOLD", 0]);
        }
        let wanted = match ask {
            Some(Ask::Qty(_)) if known.lines.len() > 1 => {
                return self.row("REFUND ERR, QTY of several SKUs", words!["ERR"]);
            }
            Some(Ask::Qty(qty)) => Some(vec![(known.lines[0].0.clone(), *qty)]),
            Some(ask) => self.summed(ask),
            None => None,
        };
        let flags = (*no_restock, *restore_limit);
        let lines = match self.refundable(&known, wanted, reference, flags) {
            Ok(lines) => lines,
            Err((row, answer)) => return self.row(row, answer),
        };
        self.entries += 1;
        let restocked = !no_restock && self.ended_at(now).is_none();
        if !no_restock && !restocked {
            self.row("REFUND: ended, not restocked", ());
        }
        let refund = Refund {
            lines,
            reference: reference.clone(),
            restocked,
            no_restock: *no_restock,
            restores_limit: *restore_limit,
            entry: self.entries,
        };
        self.reservations[at].refunds.push(refund);
        self.last_change = now;
        let row = match (self.reservations[at].is_refunded(), restocked) {
            (true, true) => "REFUND REFUNDED, wholly",
            (true, false) => "REFUND REFUNDED, wholly, not restocked",
            (false, _) => "REFUND REFUNDED, partly",
        };
        self.row(row, words!["REFUNDED", id, self.entries])
    }

    /// The units a refund takes back (`wanted`, or all that is left), or its answer;
    /// `flags` are NORESTOCK and RESTORELIMIT.
    fn refundable(
        &self,
        known: &Reservation,
        wanted: Option<Vec<(String, u64)>>,
        reference: &Option<String>,
        flags: (bool, bool),
    ) -> Result<Vec<(String, u64)>, (&'static str, String)> {
        let id = &known.id;
        let left: Vec<(String, u64)> = (known.lines.iter())
            .map(|(sku, _)| (sku.clone(), known.left(sku)))
            .filter(|(_, left)| *left > 0)
            .collect();
        let same_ref = |refund: &&Refund| reference.is_some() && refund.reference == *reference;
        if let Some(before) = known.refunds.iter().find(same_ref) {
            let is_last = known
                .refunds
                .last()
                .is_some_and(|last| last.entry == before.entry);
            let is_same = match &wanted {
                Some(wanted) => same_units(wanted, &before.lines),
                None => left.is_empty() && is_last,
            };
            let same_flags = flags == (before.no_restock, before.restores_limit);
            return Err(match (is_same, same_flags) {
                (true, true) if before.restocked == before.no_restock => (
                    "REFUND REFUNDED, same REF, ended in between",
                    words!["REFUNDED", id, before.entry],
                ),
                (true, true) => (
                    "REFUND REFUNDED, same REF",
                    words!["REFUNDED", id, before.entry],
                ),
                (true, false) => (
                    "REFUND MISMATCH, NORESTOCK or RESTORELIMIT",
                    words!["MISMATCH", id],
                ),
                (false, _) => ("REFUND MISMATCH", words!["MISMATCH", id]),
            });
        }
        let lines = match wanted {
            Some(wanted) => wanted,
            None if !left.is_empty() => left,
            None if reference.is_none() => {
                return Err((
                    "REFUND REFUNDED, again",
                    words!["REFUNDED", id, known.last_entry()],
                ));
            }
            None => {
                let sku = &known.lines[0].0;
                return Err(("REFUND NOTSOLD, nothing left", words!["NOTSOLD", 0, sku]));
            }
        };
        for (sku, qty) in &lines {
            let left = known.left(sku);
            if *qty > left {
                return Err((
                    "REFUND NOTSOLD, more than is left",
                    words!["NOTSOLD", left, sku],
                ));
            }
        }
        Ok(lines)
    }

    fn restock(
        &mut self,
        now: u64,
        deltas: &Deltas,
        new: bool,
        reference: &Option<String>,
    ) -> String {
        let asked: Option<Vec<(String, i64)>> = match deltas {
            Deltas::Bare(delta) => self.bare_sku().map(|sku| vec![(sku, *delta)]),
            Deltas::Items(items) => Some(items.clone()),
        };
        let mut summed: BTreeMap<String, i128> = BTreeMap::new();
        let mut skus: Vec<String> = Vec::new();
        for (sku, delta) in asked.iter().flatten() {
            *summed.entry(sku.clone()).or_default() += *delta as i128;
            if !skus.contains(sku) {
                skus.push(sku.clone());
            }
        }
        if summed.values().any(|sum| sum.abs() > LARGEST as i128) {
            return self.row("RESTOCK ERR, a sum too large", words!["ERR"]);
        }
        if let Some(reference) = reference
            && let Some((_, before)) = self.restocks.iter().find(|(known, _)| known == reference)
        {
            let is_same = match deltas {
                Deltas::Bare(delta) => (self.bare_skus_ever().into_iter())
                    .any(|sku| *before == BTreeMap::from([(sku, *delta as i128)])),
                Deltas::Items(_) => *before == summed,
            };
            return if is_same {
                let known: Vec<String> = before.keys().cloned().collect();
                let is_bare = matches!(deltas, Deltas::Bare(_));
                let answer = self.restocked_reply(if is_bare { &known } else { &skus });
                self.row("RESTOCK RESTOCKED, same REF", answer)
            } else {
                self.row("RESTOCK MISMATCH", words!["MISMATCH", reference])
            };
        }
        if asked.is_none() {
            return self.row("RESTOCK NOSKU of several", words!["NOSKU", "?"]);
        }
        if let Some(answer) = self.refuse_restock(&skus, &summed, new) {
            return answer;
        }
        for sku in &skus {
            if !self.skus.contains(sku) {
                self.skus.push(sku.clone());
            }
            self.stock_log.push((sku.clone(), summed[sku]));
        }
        if let Some(reference) = reference {
            self.restocks.push((reference.clone(), summed));
            if self.restocks.len() > 1_000 {
                self.restocks.remove(0);
            }
        }
        self.last_change = now;
        let answer = self.restocked_reply(&skus);
        self.row("RESTOCK RESTOCKED", answer)
    }

    fn refuse_restock(
        &mut self,
        skus: &[String],
        summed: &BTreeMap<String, i128>,
        new: bool,
    ) -> Option<String> {
        for sku in skus {
            let may_be_new = new && summed[sku] >= 0;
            if !self.skus.contains(sku) && !may_be_new {
                return Some(self.row("RESTOCK NOSKU", words!["NOSKU", sku]));
            }
        }
        for sku in skus {
            let available = self.available(sku);
            if available as i128 + summed[sku] < 0 {
                return Some(self.row("RESTOCK TOOFEW", words!["TOOFEW", available, sku]));
            }
        }
        let unknown = skus.iter().filter(|sku| !self.skus.contains(sku)).count();
        if self.skus.len() + unknown > self.items_max.max(self.skus.len()) {
            return Some(self.row("RESTOCK ERR, max-items", words!["ERR"]));
        }
        let total: i128 = self.skus.iter().map(|sku| self.total(sku) as i128).sum();
        if total + summed.values().sum::<i128>() > LARGEST as i128 {
            return Some(self.row("RESTOCK ERR, too large", words!["ERR"]));
        }
        None
    }

    fn restocked_reply(&self, skus: &[String]) -> String {
        let items: Vec<String> = skus
            .iter()
            .map(|sku| format!("[{sku} {} {}]", self.total(sku), self.available(sku)))
            .collect();
        words!["RESTOCKED", items.join(" ")]
    }

    pub fn total(&self, sku: &str) -> u64 {
        self.available(sku) + self.reserved(sku) + self.sold(sku)
    }

    fn alter(&mut self, now: u64, named: &[Named]) -> String {
        let names = |wanted: &str| named.iter().any(|(name, _)| *name == wanted);
        if let Some(closed_at) = self.closed_at
            && (names("START") || names("END"))
        {
            return self.row("ALTER ENDED", words!["ENDED", closed_at]);
        }
        let mut named = named.to_vec();
        let mut ends_now = false;
        for (name, value) in &mut named {
            if *name == "ITEMLIMIT" && *value != 0 && !self.counts_items {
                return self.row("ALTER ERR, ITEMLIMIT introduced", words!["ERR"]);
            }
            if *name == "END" && (1..=now).contains(value) {
                // A sale that had ended before stays ended then.
                *value = self.ended_at(now).unwrap_or(now);
                ends_now = true;
            }
        }
        let before = self.options.clone();
        self.options = self.options_after(&named);
        let checks_window = (names("START") || names("END")) && !ends_now;
        let is_wrong =
            self.check_hold().is_err() || (checks_window && self.check_window().is_err());
        if is_wrong {
            self.options = before;
            return self.row("ALTER ERR", words!["ERR"]);
        }
        if ends_now {
            self.row("ALTER: END in the past", ());
        }
        if before.contains_key("MAXHOLD") && !self.options.contains_key("MAXHOLD") {
            self.row("ALTER: MAXHOLD follows HOLD again", ());
        }
        if self.options == before {
            return self.row("ALTER OK, nothing changes", words!["OK"]);
        }
        self.last_change = now;
        self.row("ALTER OK", words!["OK"])
    }

    fn pause(&mut self, now: u64) -> String {
        if let Some(closed_at) = self.closed_at {
            return self.row("PAUSE ENDED", words!["ENDED", closed_at]);
        }
        if self.paused_at.is_none() {
            self.paused_at = Some(now);
            self.last_change = now;
        }
        self.row("PAUSE OK", words!["OK"])
    }

    fn resume(&mut self, now: u64) -> String {
        if self.mark.is_some() {
            self.mark = None;
            self.paused_at = None;
            self.last_change = now;
            let row = match self.closed_at {
                Some(_) => "RESUME OK, a mark is lifted after CLOSE",
                None => "RESUME OK, a mark is lifted",
            };
            return self.row(row, words!["OK"]);
        }
        if let Some(closed_at) = self.closed_at {
            return self.row("RESUME ENDED", words!["ENDED", closed_at]);
        }
        if self.paused_at.is_some() {
            self.paused_at = None;
            self.last_change = now;
        }
        self.row("RESUME OK", words!["OK"])
    }

    fn close(&mut self, now: u64) -> String {
        if self.closed_at.is_none() {
            self.closed_at = Some(now);
            self.last_change = now;
        }
        self.row("CLOSE OK", words!["OK"])
    }

    /// A change of the primary does not come to this copy. It does not sell from now on,
    /// and its time does not move.
    pub fn miss(&mut self, reason: &str) -> String {
        let first = || (self.last_change, 0, reason.to_string());
        self.mark.get_or_insert_with(first).1 += 1;
        self.row("a change is missed", words!["OK"])
    }

    /// Since when no new units are sold: PAUSE, or the last change before the mark.
    pub fn refuses_since(&self) -> Option<u64> {
        let marked_at = self.mark.as_ref().map(|mark| mark.0);
        marked_at.or(self.paused_at)
    }

    /// Units given back over the sale's life.
    pub fn refunded_in_all(&self) -> u64 {
        let refunds = self.reservations.iter().flat_map(|r| &r.refunds);
        refunds
            .flat_map(|refund| &refund.lines)
            .map(|(_, qty)| qty)
            .sum()
    }

    /// Units of this SKU a user has open and sold, net of refunds.
    pub fn user_units(&self, user: &str) -> (u64, u64) {
        let mine = || {
            self.reservations
                .iter()
                .filter(|r| r.user.as_deref() == Some(user))
        };
        let open = mine()
            .filter(|r| r.is_open())
            .flat_map(|r| &r.lines)
            .map(|(_, qty)| qty)
            .sum();
        let sold = mine()
            .flat_map(|r| r.lines.iter().map(|(sku, _)| r.sold_net(sku)))
            .sum();
        (open, sold)
    }

    /// Units refunded of each SKU of a reservation, in the order of its lines.
    pub fn refunds_of(&self, id: &str) -> Vec<(String, u64)> {
        let known = self.find(id).expect("a known id");
        let given_back: Vec<(String, u64)> =
            known.refunds.iter().flat_map(|r| r.lines.clone()).collect();
        (known.lines.iter())
            .map(|(sku, _)| (sku.clone(), units(&given_back, sku)))
            .filter(|(_, qty)| *qty > 0)
            .collect()
    }
}
