//! Is what is said about units with names true?

use super::judge::Case;
use super::ledger::must;
use super::record::{Fate, Record, left_of};
use super::reply::Reply;
use super::seats::Hand;
use crate::commands::play::Fault;
use crate::commands::requests::{Ask, Op, bytes};
use flashsale_engine::sale::{Answer, ItemIndex, Which};

/// Is a name there twice?
pub fn has_twice(names: &[String]) -> bool {
    (1..names.len()).any(|at| names[..at].contains(&names[at]))
}

impl Case<'_> {
    /// The stock as a RESTOCK tells it.
    pub fn restocked(&self, lines: &[(ItemIndex, i64, u64)], is_known: bool) -> Result<(), Fault> {
        let right = lines.iter().all(|&(item, total, available)| {
            let item = &self.books.items[item as usize];
            (item.total, item.available()) == (total, Some(available))
        });
        must(right, "the stock is as it is told")?;
        must(self.changed || is_known, "a replay is of a known REF")
    }

    /// RESTOCK by names.
    pub fn named(&self) -> Result<(), Fault> {
        let Op::RestockUnits {
            sku,
            names,
            sealed,
            withdraw,
            reference,
        } = self.op
        else {
            return Err("no names".into());
        };
        let books = self.books;
        let reference = reference.as_deref().map(bytes);
        let known = books.refs.iter().any(|r| Some(&r.0) == reference.as_ref());
        let at = books.items.iter().position(|item| item.sku == bytes(sku));
        let item = at.and_then(|at| books.items.get(at));
        let is_true = match *self.reply {
            Reply::Restocked(ref lines) => {
                let is_off = |name: &String| {
                    let number = books.seats.find(&bytes(name));
                    let seat = number.and_then(|number| books.seats.get(number));
                    seat.is_some_and(|seat| seat.hand == Hand::Withdrawn)
                };
                // What is withdrawn already is left as it is.
                let is_nothing = *withdraw && reference.is_none() && names.iter().all(is_off);
                return self.restocked(lines, known || is_nothing);
            }
            Reply::No(Answer::Mismatch) => return must(known, "a mismatch with no REF"),
            Reply::No(Answer::NoSku { .. }) => item.is_none(),
            Reply::No(Answer::NoUnit { ask }) => {
                let number = books.seats.find(&bytes(&names[ask]));
                let seat = number.and_then(|number| books.seats.get(number));
                *withdraw && seat.is_none_or(|seat| Some(seat.item) != at)
            }
            Reply::No(Answer::UnitKnown { ask }) => {
                let is_again = names[..ask].contains(&names[ask]);
                !*withdraw && (is_again || books.is_in_the_sale(&names[ask], sku))
            }
            Reply::No(Answer::TooFew { available, item }) => {
                let item = &books.items[item as usize];
                let is_so = item.available() == Some(available);
                *withdraw && item.named == Some(true) && is_so && names.len() as u64 > available
            }
            Reply::No(Answer::NotFree { retry_in_ms, unit }) => {
                *withdraw && self.is_not_free(retry_in_ms, unit, None)
            }
            Reply::No(Answer::Invalid(_)) => item.is_some_and(|item| {
                let is_other = !*withdraw && item.named != Some(*sealed);
                has_twice(names) || item.named.is_none() || is_other
            }),
            ref other => return Err(format!("RESTOCK answers {other:?}")),
        };
        must(!known, "a retry of a RESTOCK is refused")?;
        must(is_true, "what a RESTOCK says of names is true")
    }

    /// Is a unit asked for twice? That is told before anything is looked up.
    pub fn is_no_request(&self, ask: &Ask) -> bool {
        matches!(self.reply, Reply::No(Answer::Invalid(_))) && has_twice(ask.names())
    }

    /// NOTFREE: sold or withdrawn for good, or until its holder's deadline.
    pub fn is_not_free(
        &self,
        retry_in_ms: Option<u64>,
        unit: u32,
        replaced: Option<&Record>,
    ) -> bool {
        let holder = self.books.holder(unit);
        let seat = self.books.seats.get(unit);
        match (retry_in_ms, holder) {
            (None, None) => seat.is_some_and(|seat| seat.hand == Hand::Withdrawn),
            (None, Some(holder)) => holder.fate == Fate::Sold,
            (Some(retry_in_ms), Some(holder)) => {
                let left_ms = holder.expires_at_ms.saturating_sub(self.now_ms).max(1);
                let is_own = replaced.is_some_and(|replaced| std::ptr::eq(replaced, holder));
                holder.fate == Fate::Open && retry_in_ms == left_ms && !is_own
            }
            (Some(_), None) => false,
        }
    }

    /// A request that means nothing: an unknown SKU or unit, or a SKU by number and by name.
    pub fn unknown(&self, refusal: &Answer, ask: &Ask) -> Result<(), Fault> {
        let books = self.books;
        let is_true = match *refusal {
            Answer::NoSku { .. } => true,
            Answer::NoUnit { ask: at } => {
                let name = ask.names().get(at).ok_or("no unit at that place")?;
                let number = books.seats.find(&bytes(name));
                let seat = number.and_then(|number| books.seats.get(number));
                seat.is_none_or(|seat| books.is_sealed(seat.item))
            }
            Answer::Invalid(_) => books.seats_named(ask).is_some() && !ask.names().is_empty(),
            _ => false,
        };
        must(is_true, "what is unknown is told first")
    }

    /// A REFUND by name that is refused: one unit at least is not in the order.
    pub fn not_of_the_order(&self, record: &Record, names: &[String]) -> Result<(), Fault> {
        let books = self.books;
        let number_of = |name: &String| books.seats.find(&bytes(name));
        let has = |name: &String| number_of(name).is_some_and(|n| record.has_now().contains(&n));
        if record.order.is_none() {
            return Ok(());
        }
        must(!names.iter().all(has), "what is in the order comes back")?;
        let is_true = match *self.reply {
            Reply::No(Answer::NoUnit { ask }) => {
                let seat = number_of(&names[ask]).and_then(|number| books.seats.get(number));
                !has(&names[ask]) && seat.is_none_or(|seat| books.is_sealed(seat.item))
            }
            Reply::No(Answer::NotSold {
                which: Which::Unit(unit),
                ..
            }) => {
                let seat = books.seats.get(unit).ok_or("no such unit")?;
                !record.has_now().contains(&unit) && !books.is_sealed(seat.item)
            }
            _ => false,
        };
        must(is_true, "what is not in the order is told by its name")
    }

    /// A REFUND that makes no sense: QTY of several SKUs, some of the units that have names, or a
    /// unit twice.
    pub fn no_refund_of_some(&self, record: &Record, ask: Option<&Ask>) -> Result<(), Fault> {
        let is_some_of = |item: usize, qty: u64| {
            self.books.items[item].named.is_some() && left_of(record, item) != qty
        };
        let is_true = match ask {
            None => false,
            Some(Ask::Qty(qty)) => {
                record.units.len() > 1 || record.units.iter().any(|line| is_some_of(line.0, *qty))
            }
            Some(Ask::Named(_, names)) => has_twice(names),
            Some(ask) => {
                let asked = self.books.units(ask).unwrap_or_default();
                asked.iter().any(|&(item, qty)| is_some_of(item, qty))
            }
        };
        must(is_true, "a refund makes sense")
    }
}
