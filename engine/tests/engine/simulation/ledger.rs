//! The books of one history, kept from its decoded events alone.
//!
//! Nothing of the sale is asked: what is available is the total less what the
//! reservations and the order stream say, and an event that breaks a rule of the
//! contract is a fault, whoever decided it; the rules are in `booking.rs`. Edge: one
//! history; what is lost in a failover was never booked in the ledger of the history
//! that survives.

use std::collections::{BTreeMap, VecDeque};

use super::history::{At, Histories, Missed, missed_alike};
use super::record::{Fate, Id, Item, Record, Units, User, units_in_all};
use super::seats::Seats;
use super::stream;
use crate::commands::play::Fault;
use flashsale_engine::sale::{
    Bounds, Change, Created, EntryId, Event, Forgets, Hasher, INTEGER_MAX, Line, NameBuffer,
    Options, Spelling, decode_event,
};

/// Who decides an event: what the rules about clocks and configuration depend on.
#[derive(Clone, Copy)]
pub struct Decider {
    pub clock_ms: u64,
    pub bounds: Bounds,
    /// How many reservations the sweep at hand may return.
    pub budget: u32,
}

/// A step back of the clock is believed beyond this.
const MINUTE_MS: u64 = 60_000;

/// Units put in or taken out, by item.
type Deltas = Vec<(usize, i64)>;

pub struct Ledger {
    pub last_change_ms: u64,
    pub options: Options,
    pub paused_at_ms: Option<u64>,
    pub closed_at_ms: Option<u64>,
    /// After which change this copy missed one, and why; until a RESUME lifts it.
    pub mark: Option<(u64, u64, String)>,
    /// The event at hand was decided on a sale like this one: one that missed the same.
    pub is_faithful: bool,
    pub orders: Vec<u8>,
    pub items: Vec<Item>,
    /// Units with names.
    pub seats: Seats,
    pub ids: BTreeMap<Vec<u8>, Id>,
    pub users: BTreeMap<Vec<u8>, User>,
    /// Ids by deadline, and in the order they were queued.
    pub open: BTreeMap<(u64, u64), Vec<u8>>,
    /// Late ids, the same way.
    pub late: BTreeMap<(u64, u64), Vec<u8>>,
    /// Ids that can never become an order by the moment they ended, and in the order they
    /// were queued.
    pub ended: BTreeMap<(u64, u64), Vec<u8>>,
    pub refs: VecDeque<(Vec<u8>, Deltas)>,
    /// Entries of the order stream.
    pub entries: u64,
    /// Entries of the outbox that were written.
    pub told: u64,
    /// Entries that were queued there, from CREATE on.
    pub entries_queued: u64,
    pub refunded: u64,
    /// Items at the beginning.
    pub made_with: usize,
    orders_made: usize,
    queued: u64,
    pub made: u64,
    pub tracks_items: bool,
}

/// The bytes of a name.
pub fn spelled<'a>(name: impl Into<Spelling<'a>>) -> Vec<u8> {
    let name = name.into();
    name.bytes(&mut NameBuffer::default()).to_vec()
}

pub fn units_of(lines: &[Line]) -> Units {
    lines.iter().map(|l| (l.item as usize, l.qty)).collect()
}

#[track_caller]
pub fn must(holds: bool, rule: &str) -> Result<(), Fault> {
    if holds {
        return Ok(());
    }
    let at = std::panic::Location::caller();
    Err(format!("{rule} ({}:{})", at.file(), at.line()))
}

/// The books know names by their bytes alone: how those are hashed is nothing to them.
const HASHER: Hasher = Hasher::new([0, 0]);

impl Ledger {
    /// The books of a new sale.
    pub fn open(created: &[u8]) -> Result<Ledger, Fault> {
        let event = decode_event(created, HASHER).map_err(|error| error.to_string())?;
        let Change::Created(created) = &event.change else {
            return Err(format!("a history begins with {event:?}"));
        };
        let Created {
            orders,
            options,
            items,
            ..
        } = &**created;
        Ok(Ledger {
            last_change_ms: event.at_ms,
            options: options.clone(),
            paused_at_ms: None,
            closed_at_ms: None,
            mark: None,
            is_faithful: true,
            orders: orders.to_vec(),
            items: (items.iter())
                .map(|(sku, stock)| Item::new(sku, *stock))
                .collect(),
            seats: Seats::default(),
            ids: BTreeMap::new(),
            users: BTreeMap::new(),
            open: BTreeMap::new(),
            late: BTreeMap::new(),
            ended: BTreeMap::new(),
            refs: VecDeque::new(),
            entries: 0,
            told: 0,
            entries_queued: 0,
            refunded: 0,
            made_with: items.len(),
            orders_made: 0,
            queued: 0,
            made: 0,
            tracks_items: options.item_limit.is_some(),
        })
    }

    /// The books of the history that leads to a place, for a copy that missed some of it.
    pub fn at(histories: &Histories, at: At, missed: &Missed) -> Result<Ledger, Fault> {
        let mut books = Ledger::open(&histories.created)?;
        for offset in 1..=at.offset {
            if let Some(reason) = missed.get(&offset) {
                books.note_mark(reason);
                continue;
            }
            let place = At { offset, ..at };
            books.is_faithful = missed_alike(missed, histories.missed(place), offset);
            let part = histories.event(place);
            books.book(&part.event(HASHER)?, None)?;
        }
        books.is_faithful = true;
        Ok(books)
    }

    /// A change did not come to this copy. The first one's moment and reason stay. Without a
    /// reason it is noted with another one.
    pub fn note_mark(&mut self, reason: &str) {
        if reason.is_empty() {
            return;
        }
        let at_ms = self.last_change_ms;
        let first = || (at_ms, 0, reason.to_owned());
        self.mark.get_or_insert_with(first).1 += 1;
    }

    /// Since when no new units are sold: PAUSE, or the last change before the mark.
    pub fn refuses_since(&self) -> Option<u64> {
        let marked_at_ms = self.mark.as_ref().map(|mark| mark.0);
        marked_at_ms.or(self.paused_at_ms)
    }

    /// A rule that whoever decides has to keep. An event that was decided on another sale
    /// than this one only has to fit.
    #[track_caller]
    pub fn rule(&self, holds: bool, rule: &str) -> Result<(), Fault> {
        must(holds || !self.is_faithful, rule)
    }

    /// The sale's time: the later of the clock and the last change, but for a step
    /// back of more than a minute.
    pub fn time(&self, clock_ms: u64) -> u64 {
        if self.last_change_ms > clock_ms && self.last_change_ms - clock_ms > MINUTE_MS {
            clock_ms
        } else {
            clock_ms.max(self.last_change_ms)
        }
    }

    /// When the sale ended, if it has.
    pub fn ended_at(&self, now_ms: u64) -> Option<u64> {
        let end = self.options.end_at_ms.filter(|end| *end <= now_ms);
        match (end, self.closed_at_ms) {
            (Some(end), Some(closed)) => Some(end.min(closed)),
            (end, closed) => end.or(closed),
        }
    }

    pub fn record(&self, id: &[u8]) -> Option<&Record> {
        self.ids.get(id)?.record.as_ref()
    }

    /// How many lives an id has begun.
    pub fn life(&self, id: &[u8]) -> u32 {
        self.ids.get(id).map_or(0, |id| id.life)
    }

    /// Ids that are known now.
    pub fn known(&self) -> usize {
        self.open.len() + self.remembered() + self.orders_made
    }

    /// Ids that are released or expired.
    pub fn remembered(&self) -> usize {
        self.late.len() + self.ended.len()
    }

    pub fn sold(&self) -> u64 {
        self.items.iter().map(|item| item.sold).sum()
    }

    pub fn reserved(&self) -> u64 {
        self.items.iter().map(|item| item.reserved).sum()
    }

    pub fn counted(&self, user: &[u8]) -> u64 {
        self.users.get(user).map_or(0, |user| user.counted)
    }

    pub fn counted_of(&self, user: &[u8], item: usize) -> u64 {
        (self.users.get(user))
            .and_then(|user| user.of_item.get(&item).copied())
            .unwrap_or(0)
    }

    /// Until when an ended id stays known.
    pub fn known_until(&self, ended_at_ms: u64) -> u64 {
        ended_at_ms.saturating_add(self.options.remember_ms.max(self.options.grace_ms))
    }

    /// When the grace of a late id is over, by its deadline.
    pub fn lapses_at(&self, expires_at_ms: u64) -> u64 {
        expires_at_ms.saturating_add(self.options.grace_ms)
    }

    /// Could a CHECKOUT of it still succeed, as far as the time goes?
    pub fn is_in_grace(&self, record: &Record, now_ms: u64) -> bool {
        record.fate == Fate::Late
            && self.options.grace_ms > 0
            && now_ms < self.lapses_at(record.expires_at_ms)
    }

    /// For how much longer a CHECKOUT of it can still succeed.
    pub fn grace_left_ms(&self, record: &Record, now_ms: u64) -> u64 {
        match self.is_in_grace(record, now_ms) && self.has_claim(record) {
            true => (self.lapses_at(record.expires_at_ms) - now_ms).min(INTEGER_MAX),
            false => 0,
        }
    }

    pub fn max_hold(&self) -> u64 {
        self.options.hold_ms_max.unwrap_or(self.options.hold_ms)
    }

    /// Books an event, or says which rule it breaks. Without a decider, what depends on
    /// clocks and configuration has been checked when it was decided.
    pub fn book(&mut self, event: &Event<'_>, by: Option<&Decider>) -> Result<(), Fault> {
        if let Some(by) = by {
            let now = self.time(by.clock_ms);
            must(event.at_ms == now, "the moment is the sale's time")?;
        }
        self.told += event.change.told().count();
        if let Change::Told(_) | Change::Dropped { .. } = event.change {
            return Ok(());
        }
        let tells = stream::tells(&self.options, &event.change);
        let (entries, before) = (
            stream::entries_of(self, &event.change),
            stream::shelves(self),
        );
        let done = match &event.change {
            Change::Reserved { .. } | Change::Bought { .. } | Change::ReleasedUnseen { .. } => {
                self.book_new(event, by)
            }
            Change::Swept {
                expired,
                lapsed,
                forgotten,
            } => self.book_sweep(event.at_ms, [*expired, *lapsed, *forgotten], by),
            Change::Sold { .. }
            | Change::Released { .. }
            | Change::Expired { .. }
            | Change::Lapsed { .. }
            | Change::Extended { .. }
            | Change::Refunded(_) => self.book_known(event),
            Change::Imported(imported) => self.book_imported(event.at_ms, imported, by),
            _ => self.book_sale(event),
        };
        done.map_err(|fault| format!("{fault}: {event:?}"))?;
        for item in &mut self.items {
            item.pay().ok_or("less than nothing is available")?;
        }
        if tells {
            self.entries_queued += entries + stream::crossed(&before, &stream::shelves(self));
        }
        self.last_change_ms = event.at_ms;
        self.count_seats()
    }

    /// Stock, USERLIMIT, ITEMLIMIT and SALELIMIT, by the ledger's own counts.
    pub fn admit(&self, user: &[u8], units: &Units) -> Result<(), Fault> {
        if !self.is_faithful {
            return Ok(());
        }
        let options = &self.options;
        let all = units_in_all(units);
        for (at, &(item, qty)) in units.iter().enumerate() {
            must(qty > 0, "a line has units")?;
            let again = units[..at].iter().any(|(other, _)| *other == item);
            must(!again, "an item comes once in a cart")?;
            let item = self.items.get(item).ok_or("no such item")?;
            must(
                Some(qty) <= item.available(),
                "no more is sold than is there",
            )?;
        }
        let limit = options.user_limit.unwrap_or(u64::MAX);
        must(
            self.counted(user).saturating_add(all) <= limit,
            "USERLIMIT holds",
        )?;
        for &(item, qty) in units {
            let limit = options.item_limit.unwrap_or(u64::MAX);
            let counted = self.counted_of(user, item).saturating_add(qty);
            must(counted <= limit, "ITEMLIMIT holds")?;
        }
        let limit = options.sale_limit.unwrap_or(u64::MAX);
        let spoken_for = self.sold() + self.reserved();
        must(spoken_for.saturating_add(all) <= limit, "SALELIMIT holds")
    }

    /// Forgets an id so that there is room for another one.
    pub fn make_room(&mut self, forgets: Forgets, at_ms: u64) -> Result<(), Fault> {
        match forgets {
            Forgets::Nothing => Ok(()),
            Forgets::Oldest => Err("an event of version 1".into()),
            Forgets::OldestPastGrace if self.ended.is_empty() => {
                let late = self.late.values().next().and_then(|id| self.record(id));
                let in_grace = late.is_some_and(|late| self.is_in_grace(late, at_ms));
                self.rule(!in_grace, "nothing is forgotten within its grace")?;
                self.forget(false)
            }
            Forgets::OldestPastGrace => self.forget(true),
        }
    }

    /// Forgets the first of the ended, or of the late.
    fn forget(&mut self, ended: bool) -> Result<(), Fault> {
        let queue = if ended {
            &mut self.ended
        } else {
            &mut self.late
        };
        let (_, id) = queue.pop_first().ok_or("nothing to forget")?;
        if let Some(id) = self.ids.get_mut(&id) {
            id.record = None;
        }
        Ok(())
    }

    /// Forgets the id that ended first; of one moment, one that can never become an order.
    pub fn forget_first(&mut self) -> Result<(), Fault> {
        let first_ms = |queue: &BTreeMap<(u64, u64), Vec<u8>>| {
            queue.keys().next().map_or(u64::MAX, |first| first.0)
        };
        let ended = !self.ended.is_empty() && first_ms(&self.ended) <= first_ms(&self.late);
        self.forget(ended)
    }

    /// Counts units as reserved, sold, and against the limits.
    pub fn count(&mut self, user: Option<&[u8]>, units: &Units, signs: (i64, i64, i64)) {
        let (reserved, sold, counted) = signs;
        let add = |sum: &mut u64, sign: i64, qty: u64| {
            *sum = sum.wrapping_add_signed(sign * qty.cast_signed());
        };
        let mut user = user.map(|user| self.users.entry(user.to_vec()).or_default());
        for &(at, qty) in units {
            if let Some(item) = self.items.get_mut(at) {
                add(&mut item.reserved, reserved, qty);
                add(&mut item.sold, sold, qty);
            }
            if let Some(user) = &mut user {
                add(&mut user.reserved, reserved, qty);
                add(&mut user.sold, sold, qty);
                add(&mut user.counted, counted, qty);
                add(user.of_item.entry(at).or_default(), counted, qty);
            }
        }
    }

    pub fn begin(&mut self, name: &[u8], record: Record) -> Result<(), Fault> {
        let id = self.ids.entry(name.to_vec()).or_default();
        must(!id.was_sold, "an id that was sold begins another life")?;
        must(id.record.is_none(), "two lives at once")?;
        id.life += 1;
        id.was_sold = record.fate == Fate::Sold;
        self.orders_made += usize::from(id.was_sold);
        id.record = Some(record);
        self.queue(name);
        Ok(())
    }

    /// Files an id where its fate says.
    pub fn queue(&mut self, name: &[u8]) {
        self.queued += 1;
        let Some(record) = self.ids.get_mut(name).and_then(|id| id.record.as_mut()) else {
            return;
        };
        self.open.remove(&record.queued_at);
        self.late.remove(&record.queued_at);
        self.ended.remove(&record.queued_at);
        let (queue, at_ms) = match record.fate {
            Fate::Open => (&mut self.open, record.expires_at_ms),
            Fate::Late => (&mut self.late, record.expires_at_ms),
            Fate::Expired => (&mut self.ended, record.expires_at_ms),
            Fate::Released { at_ms } => (&mut self.ended, at_ms),
            Fate::Sold => return,
        };
        record.queued_at = (at_ms, self.queued);
        queue.insert(record.queued_at, name.to_vec());
    }

    pub fn book_entry(&mut self, entry: EntryId) -> Result<(), Fault> {
        self.rule(
            entry.ms == self.entries + 1,
            "one entry of the stream an order or refund",
        )?;
        // A primary that missed an order may have given its entry to another one.
        self.entries = self.entries.max(entry.ms);
        Ok(())
    }

    pub fn expire(&mut self, name: &[u8], at_ms: u64) -> Result<(), Fault> {
        let record = self.record(name).ok_or("an unknown id expires")?;
        must(
            record.fate == Fate::Open,
            "only an open reservation expires",
        )?;
        must(
            record.expires_at_ms <= at_ms,
            "nothing expires before its deadline",
        )?;
        let (user, units) = (record.user.clone(), record.units.clone());
        self.count(user.as_deref(), &units, (-1, 0, -1));
        let fate = match self.options.grace_ms {
            0 => Fate::Expired,
            _ => Fate::Late,
        };
        self.set_fate(name, fate);
        Ok(())
    }

    /// The grace of a late id is over, ahead of its turn in a sweep.
    pub fn lapse(&mut self, name: &[u8], at_ms: u64) -> Result<(), Fault> {
        let record = self.record(name).ok_or("an unknown id lapses")?;
        must(record.fate == Fate::Late, "only a late one lapses")?;
        let is_over = self.lapses_at(record.expires_at_ms) <= at_ms;
        self.rule(is_over, "no grace ends before its time")?;
        self.set_fate(name, Fate::Expired);
        Ok(())
    }

    pub fn set_fate(&mut self, name: &[u8], fate: Fate) {
        if let Some(id) = self.ids.get_mut(name) {
            id.was_sold |= fate == Fate::Sold;
            self.orders_made += usize::from(fate == Fate::Sold);
            if let Some(record) = &mut id.record {
                let before = std::mem::replace(&mut record.fate, fate);
                let had = match fate {
                    Fate::Open | Fate::Sold => Vec::new(),
                    Fate::Late => record.has.clone(),
                    Fate::Released { .. } | Fate::Expired => std::mem::take(&mut record.has),
                };
                if before == Fate::Open {
                    self.seats.free(&had);
                }
            }
        }
        self.queue(name);
    }
}
