//! Is what a REFUND answers the truth?

use super::judge::Case;
use super::ledger::must;
use super::record::{Record, Units, left_of, sorted};
use super::reply::Reply;
use crate::commands::play::Fault;
use crate::commands::requests::{Ask, Op, bytes};
use flashsale_engine::sale::{Answer, EntryId};

impl Case<'_> {
    pub fn refunded(&self, id: &[u8], entry: EntryId) -> Result<(), Fault> {
        let Op::Refund {
            ask,
            reference,
            user,
            no_restock,
            restore_limit,
            ..
        } = self.op
        else {
            return Err("refunded by another command".into());
        };
        let record = self.books.record(id).ok_or("refunded, but unknown")?;
        let user = user.as_deref().map(bytes);
        must(
            record.belongs_to(user.as_deref()),
            "refunded to another user",
        )?;
        let refunds = record.order.as_ref().map_or(&[][..], |o| &o.refunds);
        let refund = refunds.iter().find(|refund| refund.entry == entry);
        let refund = refund.ok_or("an entry that is no refund of this order")?;
        let last = refunds.last().is_some_and(|last| last.entry == entry);
        if reference.is_some() || self.changed {
            let asked = (Some(*no_restock), *restore_limit);
            let same = asked == (refund.no_restock, refund.restores_limit);
            must(same, "NORESTOCK and RESTORELIMIT as they were asked")?;
        }
        match reference.as_deref().map(bytes) {
            Some(reference) => {
                let same = refund.reference.as_ref() == Some(&reference);
                must(same, "the refund of this REF")?;
            }
            None => must(record.is_refunded() && last, "the refund that left nothing")?,
        }
        let Some(ask) = ask else {
            return must(record.is_refunded() && last, "all that was left");
        };
        if !ask.names().is_empty() {
            let named = sorted_names(ask.names().iter().map(|name| bytes(name)));
            let back = sorted_names(self.books.seats.names(&refund.seats).into_iter());
            return must(named == back, "the units that were named came back");
        }
        let asked = self.refund_asked(record, ask);
        let asked = asked.ok_or("refunded an unknown SKU")?;
        must(
            asked == sorted(&refund.units),
            "what was refunded is what was asked",
        )
    }

    /// The units that a REFUND names, ordered by item; `None` for an unknown SKU.
    fn refund_asked(&self, record: &Record, ask: &Ask) -> Option<Units> {
        let units = match ask {
            Ask::Qty(qty) => vec![(record.units.first()?.0, *qty)],
            items => self.books.units(items)?,
        };
        Some(sorted(&units))
    }

    pub fn not_refunded(&self, id: &[u8]) -> Result<(), Fault> {
        let Op::Refund {
            ask,
            reference,
            no_restock,
            restore_limit,
            ..
        } = self.op
        else {
            return Err("not a refund".into());
        };
        let record = self.books.record(id).ok_or("not sold, but unknown")?;
        let reference = reference.as_deref().map(bytes);
        let refunds = record.order.as_ref().map_or(&[][..], |o| &o.refunds);
        let known = refunds.iter().find(|r| r.reference == reference);
        let known = known.filter(|_| reference.is_some());
        let is_known = known.is_some();
        match self.reply {
            Reply::No(Answer::Mismatch) => {
                let known = known.ok_or("a mismatch with no refund")?;
                let flags = (Some(*no_restock), *restore_limit);
                let same_flags = flags == (known.no_restock, known.restores_limit);
                let same_units = match ask {
                    Some(ask) if !ask.names().is_empty() => {
                        let named = sorted_names(ask.names().iter().map(|name| bytes(name)));
                        named == sorted_names(self.books.seats.names(&known.seats).into_iter())
                    }
                    ask => {
                        let asked = ask.as_ref().and_then(|ask| self.refund_asked(record, ask));
                        asked == Some(sorted(&known.units))
                    }
                };
                must(!(same_flags && same_units), "a retry is no mismatch")
            }
            Reply::No(Answer::Invalid(_)) => self.no_refund_of_some(record, ask.as_ref()),
            _ if ask.as_ref().is_some_and(|ask| !ask.names().is_empty()) => {
                must(!is_known, "a refund is denied that was made")?;
                self.not_of_the_order(record, ask.as_ref().map_or(&[], Ask::names))
            }
            _ if record.order.is_none() || is_known => {
                must(!is_known, "a refund is denied that was made")
            }
            _ => {
                let Some(ask) = ask else {
                    return must(record.is_refunded(), "there is something left");
                };
                let asked = self.refund_asked(record, ask);
                let enough = |units: Units| units.iter().all(|(i, n)| *n <= left_of(record, *i));
                must(!asked.is_some_and(enough), "there is enough left")
            }
        }
    }
}

fn sorted_names(names: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = names.collect();
    names.sort_unstable();
    names
}
