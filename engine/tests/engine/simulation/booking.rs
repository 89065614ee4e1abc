//! What each event does to the books, and which rules it has to keep.
//!
//! Edge: an event is booked whole or is a fault; what is not an event never changes the
//! books.

use super::ledger::{Decider, Ledger, must, spelled, units_of};
use super::record::{Fate, Item, Order, Record, Refund, Units, left_of, units_in_all};
use crate::commands::play::Fault;
use flashsale_engine::sale;
use flashsale_engine::sale::{Change, Event, Forgets, INTEGER_MAX, Options, Spelling};

/// How many REFs of RESTOCK are remembered.
const REFS_MAX: usize = 1_000;

impl Ledger {
    pub fn book_new(&mut self, event: &Event<'_>, by: Option<&Decider>) -> Result<(), Fault> {
        let at_ms = event.at_ms;
        let (id, forgets) = match &event.change {
            Change::Reserved { id, forgets, .. }
            | Change::Bought { id, forgets, .. }
            | Change::ReleasedUnseen { id, forgets, .. } => (spelled(*id), *forgets),
            _ => return Err("no new id".into()),
        };
        must(
            self.record(&id).is_none(),
            "an id begins a life while known",
        )?;
        if let Some(by) = by {
            let is_full = self.known() >= by.bounds.reservations_max;
            must(
                is_full == (forgets != Forgets::Nothing),
                "room is made when there is none, only then",
            )?;
        }
        match &event.change {
            Change::Reserved {
                user,
                lines,
                units: seats,
                expires_at_ms,
                replaces,
                ..
            } => {
                let (user, units) = (spelled(*user), units_of(lines));
                self.make_room(forgets, at_ms)?;
                let reserved_at_ms = match replaces {
                    None => {
                        let longest = at_ms.saturating_add(self.options.hold_ms).min(INTEGER_MAX);
                        self.rule(
                            *expires_at_ms <= longest,
                            "a reservation lasts HOLD at most",
                        )?;
                        at_ms
                    }
                    Some(old) => self.book_replaced(&spelled(*old), at_ms, *expires_at_ms)?,
                };
                self.admit_new(&user, &units, at_ms)?;
                self.rule(
                    *expires_at_ms > at_ms,
                    "a deadline is later than the making",
                )?;
                self.count(Some(&user), &units, (1, 0, 1));
                self.made += 1;
                let mut record = Record::new(Some(user), units, reserved_at_ms);
                (record.expires_at_ms, record.made) = (*expires_at_ms, self.made);
                self.begin(&id, record)?;
                self.give_seats(&id, seats, &[])
            }
            Change::Bought {
                user,
                lines,
                units: seats,
                sealed,
                order,
                ..
            } => {
                let (user, units) = (spelled(*user), units_of(lines));
                self.admit_new(&user, &units, at_ms)?;
                self.make_room(forgets, at_ms)?;
                self.count(Some(&user), &units, (0, 1, 1));
                let mut record = Record::new(Some(user), units, at_ms);
                record.fate = Fate::Sold;
                record.order = Some(Order::new(at_ms, order));
                self.book_entry(order.entry)?;
                self.begin(&id, record)?;
                self.give_seats(&id, seats, sealed)
            }
            Change::ReleasedUnseen { user, .. } => {
                self.make_room(forgets, at_ms)?;
                let mut record = Record::new(user.map(spelled), Vec::new(), 0);
                record.fate = Fate::Released { at_ms };
                self.begin(&id, record)
            }
            _ => Ok(()),
        }
    }

    /// An open reservation gives its units, its share of the limits and the moment of its
    /// making to the one that takes its place.
    fn book_replaced(&mut self, old: &[u8], at_ms: u64, expires_at_ms: u64) -> Result<u64, Fault> {
        let record = self.record(old).ok_or("an unknown id is replaced")?;
        must(
            record.fate == Fate::Open,
            "only an open reservation is replaced",
        )?;
        self.rule(
            at_ms < record.expires_at_ms,
            "what is overdue is not replaced",
        )?;
        must(
            expires_at_ms == record.expires_at_ms,
            "REPLACE keeps the deadline",
        )?;
        let (user, units) = (record.user.clone(), record.units.clone());
        let reserved_at_ms = record.reserved_at_ms;
        self.count(user.as_deref(), &units, (-1, 0, -1));
        self.set_fate(old, Fate::Released { at_ms });
        Ok(reserved_at_ms)
    }

    /// The window and every limit, for units that were not counted before.
    fn admit_new(&self, user: &[u8], units: &Units, at_ms: u64) -> Result<(), Fault> {
        let options = &self.options;
        self.rule(
            self.ended_at(at_ms).is_none(),
            "nothing is reserved after the end",
        )?;
        let start = options.start_at_ms.unwrap_or(0);
        self.rule(start <= at_ms, "nothing is reserved before the start")?;
        self.rule(
            self.refuses_since().is_none(),
            "nothing is reserved in a pause, or by a copy that missed something",
        )?;
        let limit = options.order_limit.unwrap_or(u64::MAX);
        self.rule(units_in_all(units) <= limit, "ORDERLIMIT holds")?;
        self.admit(user, units)
    }

    pub fn book_sweep(
        &mut self,
        at_ms: u64,
        [expired, lapsed, forgotten]: [u32; 3],
        by: Option<&Decider>,
    ) -> Result<(), Fault> {
        must(expired + lapsed + forgotten > 0, "a sweep does something")?;
        let overdue = self.open.range(..=(at_ms, u64::MAX)).count() as u32;
        if let Some(by) = by {
            must(
                expired == overdue.min(by.budget),
                "a sweep returns all it may",
            )?;
        }
        // A sweep looks before it returns: what expires now lapses another time, and what
        // lapses now is forgotten another time.
        let is_over = |late: &&(u64, u64)| self.lapses_at(late.0) <= at_ms;
        let over = self.late.keys().take_while(is_over).count() as u32;
        self.rule(lapsed <= over, "no grace ends before its time")?;
        let is_due = |ended: &&(u64, u64)| self.known_until(ended.0) <= at_ms;
        let due = self.ended.keys().take_while(is_due).count() as u32;
        self.rule(forgotten <= due, "nothing is forgotten before its time")?;
        if let Some(by) = by {
            let most = by.budget - expired;
            must(lapsed == over.min(most), "a sweep ends every grace it may")?;
            let most = most - lapsed;
            must(forgotten == due.min(most), "a sweep forgets all it may")?;
        }
        for _ in 0..expired {
            let first = self.open.first_key_value().map(|(_, id)| id.clone());
            self.expire(&first.ok_or("too few to expire")?, at_ms)?;
        }
        for _ in 0..lapsed {
            let first = self.late.first_key_value().map(|(_, id)| id.clone());
            self.set_fate(&first.ok_or("too few to lapse")?, Fate::Expired);
        }
        for _ in 0..forgotten {
            self.forget_first()?;
        }
        Ok(())
    }

    pub fn book_known(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        let at_ms = event.at_ms;
        match &event.change {
            Change::Sold { id, order, sealed } => {
                self.book_checkout(&spelled(*id), at_ms, order, sealed)
            }
            Change::Released { id } => {
                let name = spelled(*id);
                let record = self.record(&name).ok_or("an unknown id is released")?;
                let was_open = record.fate == Fate::Open;
                let in_time = was_open && at_ms < record.expires_at_ms;
                let is_expired = matches!(record.fate, Fate::Late | Fate::Expired);
                self.rule(in_time || is_expired, "open or expired")?;
                let (user, units) = (record.user.clone(), record.units.clone());
                if was_open {
                    self.count(user.as_deref(), &units, (-1, 0, -1));
                }
                self.set_fate(&name, Fate::Released { at_ms });
                Ok(())
            }
            Change::Expired { id } => self.expire(&spelled(*id), at_ms),
            Change::Lapsed { id } => self.lapse(&spelled(*id), at_ms),
            Change::Extended { id, expires_at_ms } => {
                self.book_extended(&spelled(*id), at_ms, *expires_at_ms)
            }
            Change::Refunded(refund) => self.book_refund(at_ms, refund),
            _ => Ok(()),
        }
    }

    fn book_extended(&mut self, name: &[u8], at_ms: u64, expires_at_ms: u64) -> Result<(), Fault> {
        let record = self.record(name).ok_or("an unknown id is extended")?;
        must(
            record.fate == Fate::Open,
            "only an open reservation is extended",
        )?;
        let before_ms = record.expires_at_ms;
        let longest_ms = record.reserved_at_ms + self.max_hold();
        self.rule(at_ms < before_ms, "what is overdue is not extended")?;
        must(expires_at_ms >= before_ms, "a deadline never moves back")?;
        self.rule(expires_at_ms > before_ms, "EXTEND moves a deadline")?;
        self.rule(
            expires_at_ms <= longest_ms,
            "nothing lasts longer than MAXHOLD",
        )?;
        if let Some(record) = self.ids.get_mut(name).and_then(|id| id.record.as_mut()) {
            record.expires_at_ms = expires_at_ms;
        }
        self.queue(name);
        Ok(())
    }

    fn book_checkout(
        &mut self,
        name: &[u8],
        at_ms: u64,
        order: &sale::Order<'_>,
        sealed: &[u32],
    ) -> Result<(), Fault> {
        let record = self.record(name).ok_or("an unknown id is sold")?;
        let (user, units) = (record.user.clone(), record.units.clone());
        let deadline = record.expires_at_ms;
        let signs = match record.fate {
            Fate::Open => {
                self.rule(at_ms < deadline, "what is overdue is not sold")?;
                (-1, 1, 0)
            }
            // Decided on another sale, it also fits what expired here for good.
            Fate::Late | Fate::Expired if !self.is_faithful => (0, 1, 1),
            Fate::Late => {
                let in_grace = self.is_in_grace(record, at_ms);
                self.rule(in_grace, "no checkout after GRACE, or without it")?;
                self.admit(user.as_deref().unwrap_or(b""), &units)?;
                (0, 1, 1)
            }
            _ => return Err("sold, though it was sold before or could not be any more".into()),
        };
        let was_late = record.fate != Fate::Open;
        must(
            !was_late || self.has_claim(record),
            "what expired while an item was counted has none of its units",
        )?;
        self.count(user.as_deref(), &units, signs);
        self.book_entry(order.entry)?;
        self.set_fate(name, Fate::Sold);
        self.sell_seats(name, was_late, sealed)?;
        if let Some(record) = self.ids.get_mut(name).and_then(|id| id.record.as_mut()) {
            record.order = Some(Order::new(at_ms, order));
        }
        Ok(())
    }

    fn book_refund(&mut self, at_ms: u64, refund: &sale::Refund<'_>) -> Result<(), Fault> {
        let name = spelled(refund.id);
        let record = self.record(&name).ok_or("an unknown id is refunded")?;
        let order = record.order.as_ref().ok_or("refunded, but never sold")?;
        let reference = refund.reference.map(spelled);
        let known = |r: &Refund| reference.is_some() && r.reference == reference;
        must(!order.refunds.iter().any(known), "a REF refunds once")?;
        let units = units_of(&refund.lines);
        must(!units.is_empty(), "a refund is of something")?;
        for &(item, qty) in &units {
            let left = left_of(record, item);
            must(qty > 0 && qty <= left, "no more is refunded than was sold")?;
        }
        let on_sale = !refund.restocks || self.ended_at(at_ms).is_none();
        self.rule(on_sale, "nothing goes back on sale after the end")?;
        let asked = refund.no_restock.ok_or("what was asked is not told")?;
        must(!asked || !refund.restocks, "NORESTOCK puts nothing back")?;
        let counted = -i64::from(refund.restores_limit);
        let user = record.user.clone();
        self.count(user.as_deref(), &units, (0, -1, counted));
        for &(item, qty) in &units {
            // A code that a buyer has seen never sells again.
            let goes_back = refund.restocks && self.items[item].named != Some(true);
            // After the end it pays what is owed, and the rest goes.
            let kept = &mut self.items[item];
            let pays = if asked { 0 } else { kept.owed.min(qty) };
            kept.total -= if goes_back {
                0
            } else {
                (qty - pays).cast_signed()
            };
        }
        self.take_seats_back(&name, refund)?;
        self.refunded += units_in_all(&units);
        self.book_entry(refund.entry)?;
        let record = self.ids.get_mut(&name).and_then(|id| id.record.as_mut());
        let order = record.and_then(|record| record.order.as_mut());
        order.ok_or("just seen")?.refunds.push(Refund {
            reference,
            units,
            seats: refund.units.to_vec(),
            no_restock: refund.no_restock,
            restores_limit: refund.restores_limit,
            entry: refund.entry,
        });
        Ok(())
    }

    pub fn book_sale(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        let at_ms = event.at_ms;
        match &event.change {
            Change::Restocked {
                deltas,
                reference,
                named,
            } => {
                self.book_restock(deltas, *reference)?;
                match (named.as_deref(), &deltas[..]) {
                    (Some(named), [delta]) => self.book_names(delta, named),
                    (Some(_), _) => Err("names of several items".into()),
                    (None, deltas) => self.must_be_counted(deltas),
                }
            }
            Change::Altered(options) => {
                let limits_items = options.item_limit.is_some();
                must(
                    !limits_items || self.tracks_items,
                    "ITEMLIMIT is there from the start",
                )?;
                let longest = options.hold_ms_max.unwrap_or(options.hold_ms);
                must(longest >= options.hold_ms, "MAXHOLD is not below HOLD")?;
                let window = |o: &Options| (o.start_at_ms, o.end_at_ms);
                let same = window(options) == window(&self.options);
                self.rule(same || self.closed_at_ms.is_none(), "CLOSE is for good")?;
                self.options = (**options).clone();
                Ok(())
            }
            Change::Paused => {
                must(self.paused_at_ms.is_none(), "a pause begins")?;
                self.rule(self.closed_at_ms.is_none(), "CLOSE is for good")?;
                self.paused_at_ms = Some(at_ms);
                Ok(())
            }
            Change::Resumed { lifts } => {
                let lifts = lifts.map(|mark| (mark.at_ms, mark.misses));
                let mark = self.mark.as_ref().map(|mark| (mark.0, mark.1));
                self.rule(lifts == mark, "RESUME lifts the mark there is")?;
                let paused = self.closed_at_ms.is_none() && self.paused_at_ms.is_some();
                self.rule(paused || lifts.is_some(), "a pause ends")?;
                self.paused_at_ms = None;
                if lifts == mark {
                    self.mark = None;
                }
                Ok(())
            }
            Change::Closed => {
                must(self.closed_at_ms.is_none(), "closed once")?;
                self.closed_at_ms = Some(at_ms);
                Ok(())
            }
            Change::Bound { orders } => {
                self.rule(self.orders != *orders, "bound to another stream")?;
                self.orders = orders.to_vec();
                Ok(())
            }
            _ => Err("not an event of a sale that is there".into()),
        }
    }

    fn book_restock(
        &mut self,
        deltas: &[sale::StockDelta<'_>],
        reference: Option<Spelling<'_>>,
    ) -> Result<(), Fault> {
        let mut changed = Vec::new();
        for delta in deltas {
            let known = self.items.iter().position(|item| item.sku == *delta.sku);
            let at = known.unwrap_or_else(|| {
                self.items.push(Item::new(&delta.sku, 0));
                self.items.len() - 1
            });
            let fits = known.is_some() || delta.delta >= 0;
            must(fits, "a new item has units, or none yet")?;
            let item = &mut self.items[at];
            item.total += delta.delta;
            item.available().ok_or("less than nothing is left")?;
            changed.push((at, delta.delta));
        }
        let Some(reference) = reference.map(spelled) else {
            return Ok(());
        };
        let known = self.refs.iter().any(|(known, _)| *known == reference);
        must(!known, "a REF restocks once")?;
        changed.sort_unstable();
        if self.refs.len() == REFS_MAX {
            self.refs.pop_front();
        }
        self.refs.push_back((reference, changed));
        Ok(())
    }
}
