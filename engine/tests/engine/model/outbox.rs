//! What waits for the stream after a change, against what can be seen of the change.
//!
//! Edge: looks at a sale before and after, through what its readers see, and knows no event
//! but for what only the event says: which RESTOCK, and who replaced whom.

use std::collections::BTreeMap;

use super::driver::Fault;
use crate::commands::requests::name;
use flashsale_engine::sale::{
    Change, Event, Events, NameBuffer, News, Options, Record, Sale, Spelling, State, StockChange,
};

/// A reservation as its readers see it.
struct Seen {
    state: State,
    user: String,
    lines: Vec<(u32, u64)>,
    expires_at_ms: u64,
}

/// A sale before a change.
pub struct Untold {
    options: Options,
    orders: Vec<u8>,
    reservations: BTreeMap<String, Seen>,
    /// The last `seq`, how many wait, and how many were lost.
    outbox: Option<(u64, u64, u64)>,
}

fn outbox_of(sale: &Sale) -> Option<(u64, u64, u64)> {
    let outbox = sale.outbox()?;
    let counts = outbox.counts();
    Some((counts.seq, outbox.waiting() as u64, counts.lost))
}

fn reservations(sale: &Sale) -> BTreeMap<String, Seen> {
    let mut all = BTreeMap::new();
    sale.scan(0, usize::MAX, None, &mut |slot| {
        let view = sale.view(slot).expect("a reservation");
        let user = view.user(&mut NameBuffer::default()).map(name);
        let seen = Seen {
            state: view.state,
            user: user.unwrap_or_default(),
            lines: view
                .lines
                .iter()
                .map(|line| (line.item, line.qty))
                .collect(),
            expires_at_ms: view.expires_at_ms.unwrap_or(0),
        };
        all.insert(name(view.id(&mut NameBuffer::default())), seen);
    });
    all
}

fn spelled(name_of: Spelling<'_>) -> String {
    name(name_of.bytes(&mut NameBuffer::default()))
}

impl Untold {
    pub fn of(sale: &Sale) -> Untold {
        Untold {
            options: sale.info(0).options.clone(),
            orders: sale.orders().to_vec(),
            reservations: if sale.outbox().is_some() {
                reservations(sale)
            } else {
                BTreeMap::new()
            },
            outbox: outbox_of(sale),
        }
    }

    /// Compares what was queued with what can be seen of the change.
    pub fn compare(
        &self,
        event: &Event<'_>,
        crossed: &[(u32, StockChange)],
        sale: &Sale,
    ) -> Result<(), Fault> {
        let Some(outbox) = sale.outbox() else {
            return Ok(());
        };
        let (seq, before, lost) = self.outbox.unwrap_or((0, 0, 0));
        let taken = event.change.told().count();
        if let Change::Dropped { count } = event.change {
            let dropped = outbox.counts().lost - lost;
            let is_right = outbox.waiting() as u64 == before - count + 1
                && (dropped == count || dropped + 1 == count);
            return is_right
                .then_some(())
                .ok_or(format!("dropped {dropped}: {event:?}"));
        }
        let records: Result<Vec<Record<'_>>, _> = outbox.read().collect();
        let records = records.map_err(|error| format!("a record: {error}"))?;
        let kept = usize::try_from(before - taken).expect("a few");
        let new = records.get(kept..).ok_or("too few records wait")?;
        self.compare_seqs(event, new, seq, outbox.counts().seq)?;
        let words = |news: &News<'_>| self.words(news);
        let told: Vec<String> = new.iter().map(|record| words(&record.news)).collect();
        let expected = self.expected(event, crossed, sale);
        let by_hand = |all: &[String]| {
            let mut all: Vec<String> = all.to_vec();
            all.sort();
            all
        };
        let ranks: Vec<(u8, u64)> = new.iter().map(|record| rank(&record.news)).collect();
        if by_hand(&told) != by_hand(&expected) || !ranks.is_sorted() {
            return Err(format!("told {told:?}, seen {expected:?}: {event:?}"));
        }
        Ok(())
    }

    /// The rule of `seq`, entry by entry; an order or a refund has one before the others.
    fn compare_seqs(
        &self,
        event: &Event<'_>,
        new: &[Record<'_>],
        mut seq: u64,
        last: u64,
    ) -> Result<(), Fault> {
        let mut next = || {
            seq = (seq + 1).max(1_000 * event.at_ms);
            seq
        };
        let has_own = event.entry().is_some() && self.options.events == Events::All;
        let own = has_own.then(&mut next);
        for record in new {
            let wanted = next();
            if record.seq != wanted || record.at_ms != event.at_ms {
                return Err(format!("seq {} for {wanted}: {event:?}", record.seq));
            }
        }
        let _ = own;
        if last != seq {
            return Err(format!("the last seq is {last}, not {seq}: {event:?}"));
        }
        Ok(())
    }

    fn expected(
        &self,
        event: &Event<'_>,
        crossed: &[(u32, StockChange)],
        sale: &Sale,
    ) -> Vec<String> {
        let now = sale.info(0).options.clone();
        if self.options.events != Events::All && now.events != Events::All {
            return Vec::new();
        }
        let mut told = Vec::new();
        if self.outbox.is_some() {
            self.expect_reservations(event, sale, &mut told);
        }
        match &event.change {
            Change::Restocked { reference, .. } => {
                let reference = reference.map(spelled);
                told.push(format!("restocked {reference:?}"));
            }
            Change::Paused => told.push("paused".into()),
            Change::Resumed { .. } => told.push("resumed".into()),
            Change::Closed => told.push("closed".into()),
            _ => {}
        }
        if self.options != now || self.orders != sale.orders() {
            told.push("altered".into());
        }
        let items: Vec<_> = sale.items().collect();
        for (item, crossing) in crossed {
            let seen = &items[*item as usize];
            told.push(format!(
                "{crossing:?} {item} {} {} {}",
                seen.available, seen.reserved, seen.sold
            ));
        }
        told
    }

    fn expect_reservations(&self, event: &Event<'_>, sale: &Sale, told: &mut Vec<String>) {
        let after = reservations(sale);
        let replaces = match &event.change {
            Change::Reserved { id, replaces, .. } => {
                replaces.map(|old| (spelled(old.spelling()), spelled(id.spelling())))
            }
            _ => None,
        };
        for (id, seen) in &after {
            let is_open = seen.state == State::Reserved;
            match self.reservations.get(id) {
                None if is_open => told.push(line("reserved", id, seen, None)),
                Some(old) if is_open && old.expires_at_ms != seen.expires_at_ms => {
                    told.push(line("extended", id, seen, None));
                }
                _ => {}
            }
        }
        for (id, seen) in &self.reservations {
            let state = after.get(id).map(|after| after.state);
            let new = replaces.as_ref().filter(|(old, _)| old == id);
            let new = new.map(|(_, new)| new.as_str());
            match (seen.state, state) {
                (State::Reserved, Some(State::Released)) => {
                    told.push(line("released", id, seen, new));
                }
                (State::Reserved, Some(State::Expired) | None) => {
                    told.push(line("expired", id, seen, None));
                }
                // What expired for good gives nothing back; readers cannot tell it from a
                // reservation within its grace, but for what is left of it.
                (State::Expired, Some(State::Released)) if is_told(sale, id) => {
                    told.push(line("released", id, seen, None));
                }
                _ => {}
            }
        }
    }

    fn words(&self, news: &News<'_>) -> String {
        match news {
            News::Reservation {
                id,
                user,
                lines,
                expires_at_ms,
                replaced_by,
                ..
            } => {
                let seen = Seen {
                    state: State::Reserved,
                    user: spelled(*user),
                    lines: lines.iter().map(|line| (line.item, line.qty)).collect(),
                    expires_at_ms: *expires_at_ms,
                };
                let new = replaced_by.map(spelled);
                line(news.word(), &spelled(*id), &seen, new.as_deref())
            }
            News::Item { event, item, stock } => format!(
                "{event:?} {item} {} {} {}",
                stock.available, stock.reserved, stock.sold
            ),
            News::Restocked { reference, .. } => {
                let reference = reference.map(spelled);
                format!("restocked {reference:?}")
            }
            _ => news.word().into(),
        }
    }
}

/// Does the last entry but those of items say that this id was released?
fn is_told(sale: &Sale, id: &str) -> bool {
    let records = sale.outbox().into_iter().flat_map(|outbox| outbox.read());
    let of_reservations = records.flatten().filter_map(|record| match record.news {
        News::Reservation { id, .. } => Some((record.news.word(), spelled(id))),
        _ => None,
    });
    of_reservations
        .last()
        .is_some_and(|(word, last)| word == "released" && last == id)
}

fn line(word: &str, id: &str, seen: &Seen, replaced_by: Option<&str>) -> String {
    format!(
        "{word} {id:?} {:?} {:?} {} {replaced_by:?}",
        seen.user, seen.lines, seen.expires_at_ms
    )
}

/// Reservations come before the sale, and the sale before its items; what expires comes by
/// deadline.
fn rank(news: &News<'_>) -> (u8, u64) {
    match news {
        News::Reservation { expires_at_ms, .. } if news.word() == "expired" => (0, *expires_at_ms),
        News::Reservation { .. } if news.word() == "released" => (0, 0),
        News::Reservation { .. } => (1, 0),
        News::Item { .. } => (3, 0),
        _ => (2, 0),
    }
}
