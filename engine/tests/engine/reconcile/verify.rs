//! What has to hold once a run is over.

use std::collections::BTreeMap;

use super::decide::{self, RefundVerdict, Verdict};
use super::repair::Tally;
use super::server::Entry;
use super::world::World;
use crate::commands::play::Fault;

impl World {
    pub fn verify(
        &self,
        tally: &Tally,
        seen: &mut BTreeMap<&'static str, u64>,
    ) -> Result<(), Fault> {
        self.sql_is_sold(tally)?;
        self.sold_is_in_sql()?;
        self.books_balance(seen)?;
        match self.server.sale.audit().as_slice() {
            [] => Ok(()),
            differences => Err(format!("AUDIT: {differences:?}")),
        }
    }

    /// Every order and refund of SQL, but those that people were told of.
    fn sql_is_sold(&self, tally: &Tally) -> Result<(), Fault> {
        for row in self.sql.orders.values() {
            let known = self.server.get(&row.id).map(|(known, ..)| known);
            let verdict = decide::order(row, known.as_ref());
            let is_told = match verdict {
                Verdict::Fine => true,
                Verdict::PaidTwice => tally.paid_twice.contains(&row.id),
                Verdict::Conflict(_) | Verdict::Lost => {
                    tally.conflicts.contains(&(row.id.clone(), Vec::new()))
                }
            };
            if !is_told {
                return Err(format!("{row:?} is {verdict:?} still: {known:?}"));
            }
            let Some(known) = known.filter(|_| verdict == Verdict::Fine) else {
                continue;
            };
            let sold = (known.user.as_ref(), &known.reference);
            if sold != (Some(&row.user), &row.reference) {
                return Err(format!("{row:?} passes for {known:?}"));
            }
            let rows = self.sql.refunds.values();
            let mut rows: Vec<_> = rows.filter(|one| one.id == row.id).cloned().collect();
            decide::sort_refunds(&mut rows);
            let verdicts = decide::refunds(&row.units, &rows, &known.refunds);
            for (refund, verdict) in rows.into_iter().zip(verdicts) {
                let key = (refund.id.clone(), refund.reference.clone());
                if verdict != RefundVerdict::Fine && !tally.conflicts.contains(&key) {
                    return Err(format!("{refund:?} is {verdict:?} still"));
                }
            }
        }
        for row in &tally.imported {
            let (_, order, _) = self.server.get(&row.id).ok_or("an import is gone")?;
            let now = order.map(|entry| entry.what);
            let is_as_it_was = matches!(&now, Some(super::server::What::Order(now)) if now == row);
            if !is_as_it_was {
                return Err(format!("{row:?} was imported as {now:?}"));
            }
        }
        Ok(())
    }

    /// Every order and refund of the sale is a row, or the worker will make it one.
    fn sold_is_in_sql(&self) -> Result<(), Fault> {
        for id in self.server.sold() {
            let (_, order, refunds) = self.server.get(&id).ok_or("a sold id is unknown")?;
            for entry in order.into_iter().chain(refunds) {
                if !self.sql.has(&entry) && !self.is_backlog(&entry) {
                    return Err(format!("nobody will store {entry:?}"));
                }
            }
        }
        Ok(())
    }

    fn is_backlog(&self, entry: &Entry) -> bool {
        let is_there = self.server.stream.iter().any(|one| one.id == entry.id);
        let group = &self.sql.group;
        let is_given = group.last_delivered.is_some_and(|last| entry.id <= last);
        is_there && (!is_given || group.pending.contains(&entry.id))
    }

    /// Units by the orders there are, against what the items say.
    fn books_balance(&self, seen: &mut BTreeMap<&'static str, u64>) -> Result<(), Fault> {
        let sale = &self.server.sale;
        for (at, item) in sale.items().enumerate() {
            let (mut reserved, mut sold) = (0, 0);
            sale.scan(0, usize::MAX, None, &mut |slot| {
                let Some(view) = sale.view(slot) else { return };
                for (place, line) in view.lines.iter().enumerate() {
                    if line.item as usize != at {
                        continue;
                    }
                    match view.state {
                        flashsale_engine::sale::State::Reserved => reserved += line.qty,
                        flashsale_engine::sale::State::Sold
                        | flashsale_engine::sale::State::Refunded => {
                            sold += line.qty - view.refunded.get(place).copied().unwrap_or(0);
                        }
                        _ => {}
                    }
                }
            });
            let total = self.server.base[at];
            let rest = total - (reserved + sold).cast_signed();
            let booked = (
                reserved,
                sold,
                total,
                rest.max(0).unsigned_abs(),
                (-rest).max(0).unsigned_abs(),
            );
            let kept = (
                item.reserved,
                item.sold,
                item.total,
                item.available,
                item.owed,
            );
            if booked != kept {
                return Err(format!(
                    "(reserved, sold, total, available, owed): the books say {booked:?}, the sale {kept:?}"
                ));
            }
            if item.owed > 0 {
                *seen.entry("units owed").or_default() += 1;
            }
        }
        Ok(())
    }
}
