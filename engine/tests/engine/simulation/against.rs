//! A sale against the ledger of its history: all there is to read, side by side.

use super::ledger::Ledger;
use super::record::{Fate, Record, refunded_of};
use super::seats::names_in;
use crate::commands::play::Fault;
use flashsale_engine::sale::{NameBuffer, Phase, Sale, Slot, State};

fn agree<T: PartialEq + std::fmt::Debug>(what: &str, booked: T, kept: T) -> Result<(), Fault> {
    if booked == kept {
        return Ok(());
    }
    Err(format!(
        "{what}: the books say {booked:?}, the sale {kept:?}"
    ))
}

impl Ledger {
    /// Conservation, item by item.
    pub fn compare_items(&self, sale: &Sale) -> Result<(), Fault> {
        agree("items", self.items.len(), sale.items_len())?;
        for (item, kept) in self.items.iter().zip(sale.items()) {
            agree("a SKU", &item.sku[..], kept.sku)?;
            let booked = (
                item.available(),
                item.reserved,
                item.sold,
                item.total,
                item.owed,
            );
            let kept = (
                Some(kept.available),
                kept.reserved,
                kept.sold,
                kept.total,
                kept.owed,
            );
            agree("(available, reserved, sold, total, owed)", booked, kept)?;
        }
        Ok(())
    }

    /// One id, as GET shows it.
    pub fn compare_id(&self, sale: &Sale, id: &[u8]) -> Result<(), Fault> {
        let view = sale.find(sale.key(id)).and_then(|slot| sale.view(slot));
        let (record, view) = match (self.record(id), view) {
            (None, None) => return Ok(()),
            (Some(record), Some(view)) => (record, view),
            (booked, kept) => return agree("an id is known", booked.is_some(), kept.is_some()),
        };
        let mut buffer = NameBuffer::default();
        agree("the id", id, view.id(&mut buffer))?;
        agree("the state", state_of(record), view.state)?;
        agree("the user", record.user.as_deref(), view.user(&mut buffer))?;
        let lines: Vec<_> = view
            .lines
            .iter()
            .map(|l| (l.item as usize, l.qty))
            .collect();
        let short = record.is_shortened();
        agree("a cart is shortened", short, view.is_shortened)?;
        let units = if short { &Vec::new() } else { &record.units };
        agree("the units", units, &lines)?;
        let refunded = units.iter().map(|line| refunded_of(record, line.0));
        let mut kept = view.refunded.to_vec();
        kept.resize(lines.len(), 0);
        agree("refunded", refunded.collect::<Vec<_>>(), kept)?;
        let moment = |at_ms: u64| (at_ms != 0).then_some(at_ms);
        let booked = (moment(record.reserved_at_ms), moment(record.expires_at_ms));
        agree(
            "made and due",
            booked,
            (view.reserved_at_ms, view.expires_at_ms),
        )?;
        let released_at_ms = match record.fate {
            Fate::Released { at_ms } => Some(at_ms),
            _ => None,
        };
        agree("released at", released_at_ms, view.released_at_ms)?;
        let order = record.order.as_ref();
        let sold = order.map(|order| (order.sold_at_ms, order.entry));
        agree("the order", sold, view.sold_at_ms.zip(view.order))?;
        let reference = order.and_then(|order| order.reference.as_deref());
        agree("the REF", reference, view.reference())?;
        let has = self.seats.names(record.has_now());
        agree("the units with names", has, names_in(sale, id))
    }

    /// Everything.
    pub fn compare_all(&self, sale: &Sale) -> Result<(), Fault> {
        self.compare_items(sale)?;
        for id in self.ids.keys() {
            self.compare_id(sale, id)
                .map_err(|fault| format!("{:?}: {fault}", id.escape_ascii().to_string()))?;
        }
        self.compare_users(sale)?;
        self.compare_seats(sale)?;
        let info = sale.info(self.last_change_ms);
        agree("the options", &self.options, info.options)?;
        agree("paused at", self.refuses_since(), info.paused_at_ms)?;
        let mark = sale
            .mark()
            .map(|mark| (mark.id.at_ms, mark.id.misses, mark.reason.to_string()));
        agree("the mark", self.mark.clone(), mark)?;
        let is_diverged = info.phase == Phase::Diverged;
        agree("diverged", self.mark.is_some(), is_diverged)?;
        agree("closed at", self.closed_at_ms, info.closed_at_ms)?;
        agree("the stream", &self.orders[..], info.orders)?;
        agree("now", self.last_change_ms, info.now_ms)?;
        agree("refunded", self.refunded, info.refunded)?;
        agree("open", self.open.len() as u64, info.reservations_open)?;
        let remembered = self.remembered() as u64;
        agree("remembered", remembered, info.reservations_remembered)?;
        let sums = (self.reserved(), self.sold());
        agree("the sums", sums, (info.reserved, info.sold))?;
        let due = self.open.keys().next().map(|key| key.0);
        let forgotten = self.ended.keys().next().map(|key| self.known_until(key.0));
        let late = self.late.keys().next().map(|key| self.lapses_at(key.0));
        let next = due.into_iter().chain(late).chain(forgotten).min();
        agree("the next thing due", next, sale.next_due_ms())?;
        agree(
            "the key expires",
            self.key_expires(),
            sale.key_expires_at_ms(),
        )?;
        let mut known = 0;
        sale.scan(0, usize::MAX, None, &mut |_| known += 1);
        agree("known ids", self.known(), known)?;
        agree("the audit", Vec::<String>::new(), sale.audit())
    }

    /// When the key goes: a refund window after the last that can still be sold.
    fn key_expires(&self) -> Option<u64> {
        let ends = [self.options.end_at_ms, self.closed_at_ms];
        let end = ends.into_iter().flatten().min()?;
        let last = self.open.keys().next_back().map_or(0, |due| due.0);
        let last = last.max(end + self.max_hold());
        Some(last + self.options.grace_ms + self.options.keep_ms)
    }

    fn compare_users(&self, sale: &Sale) -> Result<(), Fault> {
        for (name, user) in &self.users {
            let view = sale.user(name);
            let booked = (user.reserved, user.sold, user.counted);
            agree(
                "a user's sums",
                booked,
                (view.reserved, view.sold, view.counted),
            )?;
            let mut open: Vec<_> = (self.open.values())
                .filter_map(|id| Some((self.record(id)?, id)))
                .filter(|(record, _)| record.user.as_deref() == Some(name))
                .map(|(record, id)| (record.made, id.clone()))
                .collect();
            open.sort_unstable();
            let booked: Vec<_> = open.into_iter().map(|(_, id)| id).collect();
            let kept: Vec<_> = view.slots.iter().map(|slot| id_at(sale, *slot)).collect();
            agree("a user's open ids", booked, kept)?;
        }
        Ok(())
    }
}

fn id_at(sale: &Sale, slot: Slot) -> Vec<u8> {
    let view = sale.view(slot);
    view.map_or_else(Vec::new, |view| {
        view.id(&mut NameBuffer::default()).to_vec()
    })
}

fn state_of(record: &Record) -> State {
    match record.fate {
        Fate::Open => State::Reserved,
        Fate::Sold if record.is_refunded() => State::Refunded,
        Fate::Sold => State::Sold,
        Fate::Released { .. } => State::Released,
        Fate::Late | Fate::Expired => State::Expired,
    }
}
