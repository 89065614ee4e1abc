//! Is this answer the truth? Judged by the books as they are after it.
//!
//! Edge: one answer at a time. Which of several refusals comes first is the model
//! test's to say; here a refusal only has to be true.

use super::ledger::{Ledger, must};
use super::record::{Fate, Record, Units, sorted};
use super::reply::Reply;
use crate::commands::passes::is_let_in;
use crate::commands::play::Fault;
use crate::commands::requests::{Ask, Deltas, Op, bytes};
use flashsale_engine::sale::{Answer, Bounds, INTEGER_MAX};

/// One answer and what it was given to.
pub struct Case<'a> {
    pub books: &'a Ledger,
    pub op: &'a Op,
    pub reply: &'a Reply,
    /// The sale's time when it was decided.
    pub now_ms: u64,
    /// An event of its own came of it, beside expiry.
    pub changed: bool,
    /// By whoever needs no pass.
    pub is_vouched: bool,
    /// Overdue reservations were returned on the way.
    pub swept: bool,
    /// So many entries wait that none are returned on the way.
    pub has_backlog: bool,
    pub bounds: Bounds,
}

impl Case<'_> {
    pub fn judge(&self) -> Result<(), Fault> {
        if matches!(self.reply, Reply::No(_)) {
            must(!self.changed, "a refusal changes nothing")?;
        }
        match self.op {
            Op::Reserve {
                user,
                ask,
                id,
                hold,
                replaces: None,
            } => {
                if let Reply::Reserved { expires_at_ms, .. } = self.reply
                    && self.changed
                {
                    let hold_ms = hold.unwrap_or(u64::MAX).min(self.books.options.hold_ms);
                    let due_ms = self.now_ms.saturating_add(hold_ms).min(INTEGER_MAX);
                    must(*expires_at_ms == due_ms, "a reservation lasts as asked")?;
                }
                self.let_in(&bytes(id))?;
                self.units(&bytes(id), &bytes(user), ask)
            }
            Op::Reserve {
                user,
                ask,
                id,
                replaces: Some(old),
                ..
            } => self.replaced(&bytes(id), &bytes(user), ask, &bytes(old)),
            Op::Buy {
                user,
                ask,
                id,
                reference,
            } => {
                let reference = reference.as_deref().map(bytes);
                self.paid(&bytes(id), reference.as_deref())?;
                self.units(&bytes(id), &bytes(user), ask)
            }
            Op::Import { .. } => self.imported(),
            Op::Checkout {
                id,
                user,
                reference,
            } => {
                let reference = reference.as_deref().map(bytes);
                self.paid(&bytes(id), reference.as_deref())?;
                self.known(&bytes(id), user.as_deref().map(bytes))
            }
            Op::Release { id, user } => self.known(&bytes(id), user.as_deref().map(bytes)),
            Op::Extend { id, ms, user } => {
                self.extended(&bytes(id), *ms)?;
                self.known(&bytes(id), user.as_deref().map(bytes))
            }
            Op::Refund { id, user, .. } => {
                let user = user.as_deref().map(bytes);
                match self.reply {
                    Reply::Refunded(entry) => self.refunded(&bytes(id), *entry),
                    Reply::No(
                        Answer::NotSold { .. }
                        | Answer::Mismatch
                        | Answer::Invalid(_)
                        | Answer::NoUnit { .. },
                    ) => self.not_refunded(&bytes(id)),
                    _ => self.known(&bytes(id), user),
                }
            }
            _ => self.seller(),
        }
    }

    /// Nobody begins a reservation without a pass, where the sale asks for one.
    fn let_in(&self, id: &[u8]) -> Result<(), Fault> {
        let begins = matches!(self.reply, Reply::Reserved { .. }) && self.changed;
        let passkeys = &self.books.options.passkeys;
        must(
            !begins || self.is_vouched || is_let_in(passkeys, id),
            "a reservation begins with a pass",
        )
    }

    /// RESERVE and BUY.
    fn units(&self, id: &[u8], user: &[u8], ask: &Ask) -> Result<(), Fault> {
        let record = self.books.record(id);
        if self.is_no_request(ask) {
            return Ok(());
        }
        match (self.reply, record) {
            (Reply::No(Answer::Mismatch), Some(record)) => must(
                !self.is_same(record, user, ask),
                "a mismatch is another request",
            ),
            (Reply::No(Answer::Mismatch), None) => Err("a mismatch with nothing".into()),
            (Reply::No(Answer::NoPass), None) => must(
                !self.is_vouched && !is_let_in(&self.books.options.passkeys, id),
                "who has a pass is let in",
            ),
            (Reply::No(refusal), None) => self.refused(refusal, user, ask, None),
            (Reply::No(_), Some(_)) => Err("a known id is refused".into()),
            (reply, Some(record)) => {
                let same = self.is_same(record, user, ask);
                must(same, "another request is answered as this one")?;
                self.state(record, reply)
            }
            (_, None) => Err("nothing is known of what was answered".into()),
        }
    }

    /// RESERVE with REPLACE: about the old id as long as the new one is unknown.
    fn replaced(&self, id: &[u8], user: &[u8], ask: &Ask, old: &[u8]) -> Result<(), Fault> {
        if self.is_no_request(ask) {
            return Ok(());
        }
        let old = self.books.record(old);
        if self.books.record(id).is_some() {
            let moments = |record: &Record| (record.reserved_at_ms, record.expires_at_ms);
            let is_kept = self.books.record(id).map(moments) == old.map(moments);
            must(
                is_kept || !self.changed,
                "REPLACE keeps the making and the deadline",
            )?;
            return self.units(id, user, ask);
        }
        match (self.reply, old) {
            (Reply::No(Answer::NoReservation), old) => {
                must(old.is_none(), "what is there can be replaced")
            }
            (Reply::No(refusal), Some(old)) => {
                let is_open = old.fate == Fate::Open && self.now_ms < old.expires_at_ms;
                must(is_open, "what cannot be replaced is told first")?;
                self.refused(refusal, user, ask, Some(old))
            }
            (reply, Some(old)) => {
                must(
                    old.fate != Fate::Open,
                    "an open one is replaced, or refused",
                )?;
                self.state(old, reply)
            }
            (_, None) => Err("nothing is known of what was to be replaced".into()),
        }
    }

    fn is_same(&self, record: &Record, user: &[u8], ask: &Ask) -> bool {
        if !record.belongs_to(Some(user)) {
            return false;
        }
        if record.is_unseen() {
            return true;
        }
        match ask {
            Ask::Qty(qty) => {
                let meant = self.books.bare_items();
                meant.iter().any(|item| record.units == [(*item, *qty)])
            }
            Ask::Items(_) | Ask::Named(..) => {
                let units = self.books.units(ask);
                units.is_some_and(|units| sorted(&units) == sorted(&record.units))
                    && self
                        .books
                        .has_no_others(record, ask, matches!(self.op, Op::Buy { .. }))
            }
        }
    }

    /// CHECKOUT, RELEASE and EXTEND.
    fn known(&self, id: &[u8], user: Option<Vec<u8>>) -> Result<(), Fault> {
        let record = self.books.record(id);
        match (self.reply, record) {
            (Reply::No(Answer::NoReservation), None) => Ok(()),
            (Reply::No(Answer::NoReservation), Some(record)) => {
                let belongs = record.belongs_to(user.as_deref());
                must(!belongs, "a reservation is denied to its user")
            }
            (Reply::No(Answer::Full), None) => self.full(),
            (Reply::No(_), _) => Err("a refusal that is none of this command's".into()),
            (reply, Some(record)) => {
                let belongs = record.belongs_to(user.as_deref());
                must(belongs, "a reservation is given to another user")?;
                self.state(record, reply)
            }
            (_, None) => Err("nothing is known of what was answered".into()),
        }
    }

    /// Does the record say what the reply says?
    pub fn state(&self, record: &Record, reply: &Reply) -> Result<(), Fault> {
        let entry = record.order.as_ref().map(|order| order.entry);
        let is_so = match reply {
            Reply::Reserved {
                expires_at_ms,
                remaining,
                user_remaining,
                units,
            } => {
                let available = |line: &(usize, u64)| self.books.items[line.0].available();
                let least = record.units.iter().filter_map(available).min();
                let user = record.user.as_deref().unwrap_or(b"");
                let counted = self.books.counted(user);
                let limit = self.books.options.user_limit;
                record.fate == Fate::Open
                    && self.now_ms < record.expires_at_ms
                    && *expires_at_ms == record.expires_at_ms
                    && Some(*remaining) == least
                    && *user_remaining == limit.map(|limit| limit.saturating_sub(counted))
                    && *units == self.books.seats.names(&record.has)
            }
            Reply::Sold(order, units) => {
                let has = self.books.seats.names(&record.has);
                Some(*order) == entry && !record.is_refunded() && *units == has
            }
            Reply::AlreadySold(reference) => {
                let order = record.order.as_ref();
                let kept = order.map(|order| order.reference.as_deref().unwrap_or(b""));
                kept == Some(reference) && !record.is_refunded()
            }
            Reply::Refunded(entry) => {
                let refunds = record.order.iter().flat_map(|order| &order.refunds);
                record.is_refunded() && refunds.last().is_some_and(|last| last.entry == *entry)
            }
            Reply::Released => matches!(record.fate, Fate::Released { .. }),
            Reply::Expired { expires_at_ms, .. } => {
                let is_expired = matches!(record.fate, Fate::Late | Fate::Expired);
                is_expired && record.expires_at_ms == *expires_at_ms
            }
            _ => false,
        };
        must(is_so, "the answer is what the books say")
    }

    /// CHECKOUT and BUY: a double charge is told as one, and grace is not denied.
    fn paid(&self, id: &[u8], reference: Option<&[u8]>) -> Result<(), Fault> {
        let Some(record) = self.books.record(id) else {
            return Ok(());
        };
        let kept = (record.order.as_ref()).and_then(|order| order.reference.as_deref());
        match self.reply {
            Reply::Sold(..) if self.changed => must(kept == reference, "the REF is kept"),
            Reply::Sold(..) => must(
                reference.is_none() || kept == reference,
                "a double charge is told",
            ),
            Reply::AlreadySold(_) => must(
                reference.is_some() && kept != reference,
                "a retry is no double charge",
            ),
            Reply::Expired { grace_left_ms, .. } => {
                let has_claim = self.books.has_claim(record);
                let in_grace = has_claim && self.books.is_in_grace(record, self.now_ms);
                let left_ms = self.books.grace_left_ms(record, self.now_ms);
                must(
                    *grace_left_ms == Some(left_ms),
                    "what is left of the grace is told",
                )?;
                let user = record.user.as_deref().unwrap_or(b"");
                let admits = || {
                    let are_free = self.books.seats.are_free(&record.has);
                    are_free && self.books.admit(user, &record.units).is_ok()
                };
                must(!in_grace || !admits(), "grace is granted when it can be")?;
                let tried = self.swept || !self.is_overdue(|_| true);
                must(!in_grace || tried, "what is overdue makes way for a grace")
            }
            _ => Ok(()),
        }
    }

    fn extended(&self, id: &[u8], ms: u64) -> Result<(), Fault> {
        let Reply::Reserved { expires_at_ms, .. } = self.reply else {
            return Ok(());
        };
        let record = self.books.record(id).ok_or("extended, but unknown")?;
        let longest = record.reserved_at_ms + self.books.max_hold();
        let wanted = (self.now_ms.saturating_add(ms)).min(longest);
        must(
            *expires_at_ms >= wanted,
            "extended as far as asked and allowed",
        )
    }

    fn seller(&self) -> Result<(), Fault> {
        let books = self.books;
        if let Op::RestockUnits { .. } = self.op {
            return self.named();
        }
        if let Op::Restock {
            deltas, reference, ..
        } = self.op
        {
            let reference = reference.as_deref().map(bytes);
            let known = books.refs.iter().find(|r| Some(&r.0) == reference.as_ref());
            return match self.reply {
                Reply::Restocked(lines) => self.restocked(lines, known.is_some()),
                Reply::No(Answer::Mismatch) => must(known.is_some(), "a mismatch with no REF"),
                Reply::No(Answer::TooFew { available, item }) => {
                    let item = &books.items[*item as usize];
                    let is_so = item.available() == Some(*available);
                    let below = match deltas {
                        Deltas::Bare(delta) => *delta < 0,
                        Deltas::Items(lines) => lines.iter().any(|line| line.1 < 0),
                    };
                    must(known.is_none() && is_so && below, "too few to take away")
                }
                Reply::No(_) => must(known.is_none(), "a retry of a RESTOCK is refused"),
                other => Err(format!("RESTOCK answers {other:?}")),
            };
        }
        match (self.op, self.reply) {
            (Op::Sweep(_), Reply::Swept(..)) => Ok(()),
            (Op::Pause, Reply::Ok) => must(books.paused_at_ms.is_some(), "paused"),
            (Op::Resume, Reply::Ok) => must(books.refuses_since().is_none(), "resumed"),
            (Op::Close, Reply::Ok) => must(books.closed_at_ms.is_some(), "closed"),
            (Op::Bind(orders), Reply::Ok) => must(books.orders == bytes(orders), "bound"),
            (Op::Alter(_), Reply::Ok | Reply::No(Answer::Invalid(_))) => Ok(()),
            (Op::Pause | Op::Resume | Op::Alter(_), Reply::No(Answer::Ended { at_ms })) => {
                let is_marked = books.mark.is_some() && *self.op == Op::Resume;
                must(!is_marked, "a mark can be lifted after CLOSE")?;
                must(books.closed_at_ms == Some(*at_ms), "closed for good")
            }
            (op, reply) => Err(format!("{op:?} answers {reply:?}")),
        }
    }
}

impl Ledger {
    /// What a bare quantity may mean, now or when it was first sent.
    pub fn bare_items(&self) -> Vec<usize> {
        let default = self.items.iter().position(|item| item.sku == b"default");
        let only = (self.items.len() == 1).then_some(0);
        let first = (self.made_with == 1).then_some(0);
        let now = default.or(only);
        now.into_iter().chain(first).collect()
    }

    /// The units a request means now, each item once; `None` for an unknown SKU.
    pub fn units(&self, ask: &Ask) -> Option<Units> {
        let lines = match ask {
            Ask::Qty(qty) => {
                let default = self.items.iter().position(|item| item.sku == b"default");
                let only = (self.items.len() == 1).then_some(0);
                return Some(vec![(default.or(only)?, *qty)]);
            }
            Ask::Items(lines) | Ask::Named(lines, _) => lines,
        };
        let mut units = Units::new();
        for (sku, qty) in lines {
            let sku = bytes(sku);
            let at = self.items.iter().position(|item| item.sku == sku)?;
            match units.iter_mut().find(|line| line.0 == at) {
                Some(line) => line.1 += qty,
                None => units.push((at, *qty)),
            }
        }
        self.with_names(units, self.seats_named(ask)?)
    }

    /// The same of an order that was sold elsewhere.
    pub fn units_sold(&self, ask: &Ask) -> Option<Units> {
        let by_number = match ask {
            Ask::Named(lines, _) => self.units(&Ask::Items(lines.clone()))?,
            ask => return self.units(ask),
        };
        self.with_names(by_number, self.seats_sold(ask)?)
    }

    /// Adds a unit of each that is named.
    fn with_names(&self, mut units: Units, named: Vec<u32>) -> Option<Units> {
        let by_number = units.len();
        for number in named {
            let item = self.seats.get(number)?.item;
            match units.iter().position(|line| line.0 == item) {
                // A SKU by number and by name is no request.
                Some(at) if at < by_number => return None,
                Some(at) => units[at].1 += 1,
                None => units.push((item, 1)),
            }
        }
        Some(units)
    }
}
