//! Orders that were sold elsewhere, or that a failover lost: asked for, booked and judged.
//!
//! What the sale does not have is owed, and units that come back pay first; whatever was known of
//! the id gives way. Edge: IMPORT alone.

use super::clients::Asking;
use super::judge::Case;
use super::judge_units::has_twice;
use super::ledger::{Decider, Ledger, must, spelled, units_of};
use super::record::{Fate, Order, Record, sorted};
use super::reply::Reply;
use super::seats::Hand;
use crate::commands::play::Fault;
use crate::commands::requests::{Ask, Op, bytes, name};
use flashsale_engine::sale::{Answer, Forgets, Imported};

impl Asking<'_> {
    /// What was sold is known by an id of a client, or of nobody here; units with names by theirs.
    pub fn import(&mut self) -> Op {
        let (id, mut asked) = self.an_id();
        if asked == Ask::Items(Vec::new()) {
            asked = self.ask();
        }
        let books = self.books;
        let record = books.record(&bytes(&id));
        let units = match record {
            Some(record) if !record.is_unseen() => record.units.clone(),
            _ => books.units(&asked).unwrap_or_default(),
        };
        let mut names = books.seats.names(record.map_or(&[][..], Record::has_now));
        let (mut lines, mut has_names) = (Vec::new(), false);
        for &(item, qty) in &units {
            let kept = &books.items[item];
            let is_open = kept.named == Some(false) && !names.is_empty();
            has_names |= kept.named.is_some();
            match kept.named {
                None => lines.push((name(&kept.sku), qty)),
                // An open one has them.
                Some(_) if is_open => {}
                Some(_) => names.extend(self.some_seats(item, qty)),
            }
        }
        let is_cart = !names.is_empty() || !lines.is_empty();
        let ask = match has_names && is_cart && !self.dice.one_in(8) {
            true => Ask::Named(lines, names.iter().map(|bytes| name(bytes)).collect()),
            false => asked,
        };
        let owner = record.and_then(|record| record.user.as_deref()).map(name);
        let user = match owner {
            Some(owner) if !self.dice.one_in(8) => owner,
            _ => self.user(),
        };
        let ago_ms = self.dice.below(1_000);
        Op::Import {
            user,
            ask,
            reference: self.payment(&id),
            id,
            sold_at_ms: self.now_ms.saturating_sub(ago_ms).max(1),
        }
    }

    /// So many units of an item, mostly free ones.
    fn some_seats(&mut self, item: usize, qty: u64) -> Vec<Vec<u8>> {
        let any = self.dice.one_in(6);
        let seats = self.books.seats.0.iter().filter(|seat| seat.item == item);
        let seats = seats.filter(|seat| any || seat.hand == Hand::Free);
        let seats: Vec<&[u8]> = seats.map(|seat| &seat.name[..]).collect();
        let from = self.dice.index(seats.len().max(1));
        let mut taken = seats.iter().cycle().skip(from);
        (0..qty.min(seats.len() as u64))
            .filter_map(|_| taken.next().map(|name| name.to_vec()))
            .collect()
    }
}

impl Ledger {
    pub fn book_imported(
        &mut self,
        decided_at_ms: u64,
        imported: &Imported<'_>,
        by: Option<&Decider>,
    ) -> Result<(), Fault> {
        let (id, user) = (spelled(imported.id), spelled(imported.user));
        let (lines, at_ms) = (units_of(&imported.lines), imported.sold_at_ms);
        let fate = self.record(&id).map(|record| record.fate);
        must(fate != Some(Fate::Sold), "an order is recorded once")?;
        if let (Some(by), None) = (by, fate) {
            let is_full = self.known() >= by.bounds.reservations_max;
            let makes_room = imported.forgets != Forgets::Nothing;
            must(
                is_full == makes_room,
                "room is made when there is none, only then",
            )?;
        }
        self.book_entry(imported.order.entry)?;
        let order = Some(Order::new(at_ms, &imported.order));
        if fate == Some(Fate::Open) {
            must(imported.units.is_empty(), "an open one has its units")?;
            self.count(Some(&user), &lines, (-1, 1, 0));
            self.set_fate(&id, Fate::Sold);
            self.hand_out(&id, &imported.sealed)?;
        } else {
            for &(item, qty) in &lines {
                let left = self.items[item].available().ok_or("less than nothing")?;
                self.items[item].owed += qty.saturating_sub(left);
            }
            self.count(Some(&user), &lines, (0, 1, 1));
            match self.record(&id).map(Record::is_unseen) {
                None => {
                    self.make_room(imported.forgets, decided_at_ms)?;
                    let mut record = Record::new(Some(user), lines, at_ms);
                    record.fate = Fate::Sold;
                    self.begin(&id, record)?;
                }
                Some(is_unseen) => {
                    self.set_fate(&id, Fate::Sold);
                    let record = self.ids.get_mut(&id).and_then(|id| id.record.as_mut());
                    let record = record.ok_or("just seen")?;
                    if is_unseen {
                        record.reserved_at_ms = at_ms;
                    }
                    (record.user, record.units) = (Some(user), lines);
                    record.has.clear();
                }
            }
            self.give_seats_sold(&id, &imported.units, &imported.sealed)?;
        }
        let record = self.ids.get_mut(&id).and_then(|id| id.record.as_mut());
        let record = record.ok_or("just seen")?;
        (record.order, record.was_imported) = (order, true);
        Ok(())
    }
}

impl Case<'_> {
    /// IMPORT: this was sold, whatever the sale knows; nothing but units with names stops it.
    pub fn imported(&self) -> Result<(), Fault> {
        let Op::Import {
            user,
            ask,
            id,
            reference,
            ..
        } = self.op
        else {
            return Err("no IMPORT".into());
        };
        let books = self.books;
        let record = books.record(&bytes(id));
        let reference = reference.as_deref().map(bytes);
        let order = record.and_then(|record| record.order.as_ref());
        let kept = order.and_then(|order| order.reference.clone());
        let is_same = |record: &Record| {
            let units = books.units_sold(ask).map(|units| sorted(&units));
            let asked = books.seats_sold(ask).unwrap_or_default();
            let items: Vec<_> = asked.iter().map(|&number| books.item_of(number)).collect();
            let is_named =
                |number: &u32| asked.contains(number) || !items.contains(&books.item_of(*number));
            let is_it = units == Some(sorted(&record.units)) || self.is_bare(record, ask);
            record.belongs_to(Some(&bytes(user)))
                && (record.is_unseen() || (is_it && record.has_now().iter().all(is_named)))
        };
        let is_true = match (self.reply, record) {
            (Reply::Sold(..), Some(record)) => {
                must(kept == reference, "the order has the REF of the import")?;
                must(is_same(record), "another order is answered as this one")?;
                return self.state(record, self.reply);
            }
            (Reply::AlreadySold(other), Some(_)) => {
                kept.as_deref().unwrap_or(b"") == &other[..] && kept != reference
            }
            (Reply::Refunded(_), Some(record)) => return self.state(record, self.reply),
            (Reply::No(Answer::Mismatch), Some(record)) => !is_same(record),
            (Reply::No(Answer::NotFree { retry_in_ms, unit }), record) => {
                let seat = books.seats.get(*unit).ok_or("no such unit")?;
                let is_asked = ask.names().iter().any(|name| bytes(name) == seat.name);
                // The codes that are left are promised to reservations.
                let is_promised = books.is_sealed(seat.item) && retry_in_ms.is_some();
                is_asked && (is_promised || self.is_not_free(*retry_in_ms, *unit, record))
            }
            (Reply::No(Answer::NoSku { .. } | Answer::NoUnit { .. }), _) => {
                books.units_sold(ask).is_none()
            }
            (Reply::No(Answer::Invalid(_)), _) => {
                let by_number = match ask {
                    Ask::Items(_) | Ask::Qty(_) => books.units(ask),
                    Ask::Named(lines, _) => books.units(&Ask::Items(lines.clone())),
                };
                let mut by_number = by_number.unwrap_or_default().into_iter();
                has_twice(ask.names()) || by_number.any(|line| books.items[line.0].named.is_some())
            }
            (Reply::No(Answer::Full), None) => return self.full(),
            _ => false,
        };
        must(is_true, "what is said of an order from elsewhere is true")
    }

    /// A bare quantity may have meant another item when it was first sent.
    fn is_bare(&self, record: &Record, ask: &Ask) -> bool {
        match ask {
            Ask::Qty(qty) => {
                let meant = self.books.bare_items();
                meant.iter().any(|item| record.units == [(*item, *qty)])
            }
            Ask::Items(_) | Ask::Named(..) => false,
        }
    }
}
