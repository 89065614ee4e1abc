//! Puts answers into words: the status word, then the details, numbers as integers.
//!
//! Edge: the only place that knows the shapes of the contract's replies about a
//! reservation. The words are public interface.

use super::reply_named;
use super::words::reserved_of;
pub use super::words::{Word, entry_id, integer_or_minus_1, status, user_remaining};
use crate::change::Done;
use crate::clock;
use crate::config;
use crate::error::{Code, Error, echo};
use crate::ffi::Reply;
use crate::info::{self, Outcome};
use flashsale_engine::sale::{
    Answer, Ask, Change, EntryId, Event, ItemIndex, NameBuffer, PlaceSlot, RestockAsk,
    RestockUnits, Sale, Slot, ThrottledBy, Which,
};

/// What a request was about, to be named in its answer.
pub struct About<'r, 'a> {
    /// The id, or the REF of a RESTOCK.
    id: &'r [u8],
    asked: Asked<'r, 'a>,
    /// Units that were asked for by their names.
    names: &'r [&'a [u8]],
}

enum Asked<'r, 'a> {
    Nothing,
    /// One SKU, if it was named.
    Sku(Option<&'a [u8]>),
    Units(&'r Ask<'a>),
    Deltas(&'r RestockAsk<'a>),
    Row(&'r RestockUnits<'a>),
}

impl<'r, 'a> About<'r, 'a> {
    /// The whole sale.
    pub fn nothing() -> About<'r, 'a> {
        About::id(b"")
    }

    pub fn id(id: &'r [u8]) -> About<'r, 'a> {
        About {
            id,
            asked: Asked::Nothing,
            names: &[],
        }
    }

    pub fn units(id: &'r [u8], ask: Option<&'r Ask<'a>>, names: &'r [&'a [u8]]) -> About<'r, 'a> {
        About {
            id,
            asked: ask.map_or(Asked::Nothing, Asked::Units),
            names,
        }
    }

    pub fn one_sku(sku: Option<&'a [u8]>) -> About<'r, 'a> {
        About {
            id: b"",
            asked: Asked::Sku(sku),
            names: &[],
        }
    }

    pub fn deltas(reference: Option<&'r [u8]>, ask: &'r RestockAsk<'a>) -> About<'r, 'a> {
        About {
            id: reference.unwrap_or_default(),
            asked: Asked::Deltas(ask),
            names: &[],
        }
    }

    /// A RESTOCK of this SKU by names.
    pub fn row(ask: &'r RestockUnits<'a>) -> About<'r, 'a> {
        About {
            id: ask.reference.unwrap_or_default(),
            asked: Asked::Row(ask),
            names: ask.names,
        }
    }

    /// What would make an unknown SKU right.
    fn hint(&self) -> &'static str {
        match self.asked {
            Asked::Deltas(_) => "; NEW adds one, with a delta of 0 or more",
            Asked::Row(row) if !row.withdraw => "; NEW adds one",
            _ => "",
        }
    }

    /// The SKU at a position of the request.
    fn sku(&self, position: usize) -> Option<&'a [u8]> {
        match self.asked {
            Asked::Sku(sku) => sku,
            Asked::Units(Ask::Items(lines)) => lines.get(position).map(|&(sku, _)| sku),
            Asked::Deltas(RestockAsk::Items(items)) => items.get(position).map(|&(sku, _)| sku),
            Asked::Row(row) => Some(row.sku),
            _ => None,
        }
    }

    /// The unit at a position among those asked for by name, to be repeated.
    fn unit(&self, position: usize) -> String {
        echo(self.names.get(position).copied().unwrap_or_default())
    }
}

/// The same for a reservation that this event has just made or extended, at this slot.
pub fn reserved_now(reply: Reply<'_>, sale: &Sale, id: &[u8], event: &Event<'_>, done: &Done) {
    let terms = match &event.change {
        Change::Reserved {
            lines,
            expires_at_ms,
            ..
        } => sale.terms_made(done.counted, lines, *expires_at_ms),
        // Such an event is always about one reservation.
        _ => sale.terms(done.slot.unwrap_or(Slot::MAX)),
    };
    if sale.has_unit_names() {
        return reply_named::reserved_now(reply, sale, id, event, done, &terms);
    }
    reserved_of(reply, id, &terms, 5);
}

/// The same for one that was there before.
fn reserved(reply: Reply<'_>, sale: &Sale, id: &[u8], slot: Slot) {
    let terms = sale.terms(slot);
    if sale.has_unit_names() {
        return reply_named::reserved(reply, sale, id, slot, &terms);
    }
    reserved_of(reply, id, &terms, 5);
}

/// `["SOLD", id, order_id]`, and the units that have names; of what is replayed without a slot.
#[inline(always)]
pub fn sold(reply: Reply<'_>, sale: &Sale, id: &[u8], slot: Option<Slot>, order: EntryId) {
    if sale.has_unit_names() {
        return reply_named::sold(reply, sale, id, slot, order);
    }
    with_entry(reply, Word::Sold, id, order);
}

/// The ids of the reservations at these slots, elements of an array that has begun.
pub fn ids(reply: Reply<'_>, sale: &Sale, slots: &[Slot]) {
    for &slot in slots {
        let view = sale.view(slot);
        let mut buffer = NameBuffer::default();
        bytes_or_null(reply, view.as_ref().map(|view| view.id(&mut buffer)));
    }
}

/// `["SOLD", id, order_id]`, `["REFUNDED", id, entry_id]`
pub fn with_entry(reply: Reply<'_>, word: Word, id: &[u8], at: EntryId) {
    status(reply, word, 3);
    reply.bytes(id);
    entry_id(reply, at);
}

/// A number, or null.
pub fn integer_or_null(reply: Reply<'_>, value: Option<u64>) {
    match value {
        Some(value) => reply.integer(value),
        None => reply.null(),
    }
}

/// A string, or null.
pub fn bytes_or_null(reply: Reply<'_>, value: Option<&[u8]>) {
    match value {
        Some(value) => reply.bytes(value),
        None => reply.null(),
    }
}

/// Writes the answer to a request that changed nothing.
///
/// # Errors
///
/// The answer is an error; nothing is written then.
pub fn answer(
    reply: Reply<'_>,
    sale: &Sale,
    about: &About<'_, '_>,
    answer: Answer,
) -> Result<(), Error> {
    if let Some(error) = error_of(about, answer) {
        return Err(error);
    }
    if let Some(outcome) = outcome_of(answer) {
        info::count(outcome, 1);
    }
    let number = |word, value| {
        status(reply, word, 2);
        reply.integer(value);
    };
    let of_id = |word| {
        status(reply, word, 2);
        reply.bytes(about.id);
    };
    // In one place: most answers of a rush are these.
    if let Some((word, value, item)) = of_item(answer) {
        status(reply, word, 3);
        reply.integer(value);
        reply.bytes(sale.item(item).sku);
        return Ok(());
    }
    match answer {
        Answer::Reserved { slot } => reserved(reply, sale, about.id, slot),
        Answer::Sold { order } => sold(reply, sale, about.id, None, order),
        Answer::Refunded { entry } => with_entry(reply, Word::Refunded, about.id, entry),
        Answer::AlreadySold { slot } => already_sold(reply, sale, about.id, slot),
        Answer::Released => of_id(Word::Released),
        Answer::Expired {
            expires_at_ms,
            grace_left_ms,
        } => expired(reply, about.id, expires_at_ms, grace_left_ms),
        Answer::Restocked | Answer::Unchanged => reply.ok(),
        Answer::Mismatch => of_id(Word::Mismatch),
        Answer::NoReservation => of_id(Word::NoReservation),
        Answer::Ended { at_ms } => number(Word::Ended, at_ms),
        Answer::NotStarted { starts_in_ms } => number(Word::NotStarted, starts_in_ms),
        Answer::Paused { at_ms } => number(Word::Paused, at_ms),
        Answer::OrderLimit { limit } => number(Word::OrderLimit, limit),
        Answer::UserLimit { remaining } => number(Word::UserLimit, remaining),
        Answer::SaleLimit { remaining } => number(Word::SaleLimit, remaining),
        Answer::AllReserved { retry_in_ms, .. } => number(Word::AllReserved, retry_in_ms),
        Answer::NotFree { retry_in_ms, unit } => {
            reply_named::not_free(reply, sale, retry_in_ms, unit);
        }
        Answer::NotSold { left, which } => not_sold(reply, sale, about, left, which),
        Answer::Waiting { place } => waiting(reply, sale, about.id, place),
        Answer::StillWaiting => of_id(Word::Waiting),
        Answer::Placed { place } => placed(reply, sale, about.id, place),
        Answer::LineFull { most } => number(Word::LineFull, most),
        Answer::Throttled { retry_in_ms, by } => throttled(reply, retry_in_ms, by),
        Answer::NoPass => of_id(Word::NoPass),
        Answer::Given { total, item } => shared(reply, sale, Word::Given, total, item),
        Answer::Taken { total, item } => shared(reply, sale, Word::Taken, total, item),
        // About an item, or errors, which returned above.
        Answer::ItemLimit { .. } | Answer::SoldOut { .. } | Answer::TooFew { .. } => {}
        Answer::NoSku { .. } | Answer::NoUnit { .. } | Answer::UnitKnown { .. } => {}
        Answer::Full | Answer::Invalid(_) => {}
    }
    Ok(())
}

/// The word of an answer about an item, its number and the item.
#[inline(always)]
fn of_item(answer: Answer) -> Option<(Word, u64, ItemIndex)> {
    Some(match answer {
        Answer::ItemLimit { remaining, item } => (Word::ItemLimit, remaining, item),
        Answer::SoldOut { available, item } => (Word::SoldOut, available, item),
        Answer::AllReserved {
            retry_in_ms,
            item: Some(item),
        } => (Word::AllReserved, retry_in_ms, item),
        Answer::TooFew { available, item } => (Word::TooFew, available, item),
        _ => return None,
    })
}

/// `["WAITING", id, ahead, left, eta_ms, retry_in_ms]`: -1 where there is nothing to say.
pub fn waiting(reply: Reply<'_>, sale: &Sale, id: &[u8], place: PlaceSlot) {
    let now_ms = sale.time(clock::now_ms()).now_ms;
    let Some(terms) = sale.wait_terms(place, now_ms) else {
        // The place was just found.
        return reply.null();
    };
    status(reply, Word::Waiting, 6);
    reply.bytes(id);
    integer_or_minus_1(reply, terms.ahead);
    reply.integer(terms.left);
    integer_or_minus_1(reply, terms.eta_ms);
    reply.integer(terms.retry_in_ms);
}

/// `["THROTTLED", retry_in_ms, by]`
fn throttled(reply: Reply<'_>, retry_in_ms: u64, by: ThrottledBy) {
    status(reply, Word::Throttled, 3);
    reply.integer(retry_in_ms);
    reply.bytes(by.word().as_bytes());
}

/// `["PLACED", id, other_id]`
fn placed(reply: Reply<'_>, sale: &Sale, id: &[u8], place: PlaceSlot) {
    status(reply, Word::Placed, 3);
    reply.bytes(id);
    let mut buffer = NameBuffer::default();
    let other = sale.place(place).map(|place| place.id);
    bytes_or_null(reply, other.map(|id| id.bytes(&mut buffer)));
}

/// `["GIVEN", total, available, sku]`, `["TAKEN", total, available, sku]`
pub fn shared(reply: Reply<'_>, sale: &Sale, word: Word, total: u64, item: ItemIndex) {
    let item = sale.item(item);
    status(reply, word, 4);
    reply.integer(total);
    reply.integer(item.available);
    reply.bytes(item.sku);
}

/// `["EXPIRED", id, expires_at_ms]`, and for a CHECKOUT `grace_left_ms`.
fn expired(reply: Reply<'_>, id: &[u8], expires_at_ms: u64, grace_left_ms: Option<u64>) {
    status(
        reply,
        Word::Expired,
        3 + usize::from(grace_left_ms.is_some()),
    );
    reply.bytes(id);
    reply.integer(expires_at_ms);
    if let Some(grace_left_ms) = grace_left_ms {
        reply.integer(grace_left_ms);
    }
}

/// `["ALREADYSOLD", id, ref]`
fn already_sold(reply: Reply<'_>, sale: &Sale, id: &[u8], slot: Slot) {
    status(reply, Word::AlreadySold, 3);
    reply.bytes(id);
    let view = sale.view(slot);
    let reference = view.as_ref().and_then(|view| view.reference());
    reply.bytes(reference.unwrap_or_default());
}

/// `["NOTSOLD", left]`, or with the SKU it is about.
fn not_sold(reply: Reply<'_>, sale: &Sale, about: &About<'_, '_>, left: u64, which: Which) {
    let sku = match which {
        Which::Nothing => None,
        Which::Unit(unit) => return reply_named::not_sold(reply, sale, left, unit),
        Which::Item(item) => Some(sale.item(item).sku),
        Which::Asked(position) => about.sku(position),
    };
    status(reply, Word::NotSold, 2 + usize::from(sku.is_some()));
    reply.integer(left);
    if let Some(sku) = sku {
        reply.bytes(sku);
    }
}

/// The error an answer is, if it is one.
pub fn error_of(about: &About<'_, '_>, answer: Answer) -> Option<Error> {
    match answer {
        Answer::NoSku { ask } => Some(match ask.and_then(|position| about.sku(position)) {
            Some(sku) => {
                let (sku, hint) = (echo(sku), about.hint());
                let text = format!("sku: the sale has no item '{sku}'{hint}");
                Error::with(Code::NoSku, text)
            }
            None => Error::with(
                Code::NoSku,
                "sku: missing, the sale has several items and none is 'default': name one by \
                 ITEMS or SKU",
            ),
        }),
        Answer::NoUnit { ask } => {
            let text = format!("unit: the sale has no unit '{}'", about.unit(ask));
            Some(Error::with(Code::NoSku, text))
        }
        Answer::UnitKnown { ask } => {
            let unit = about.unit(ask);
            Some(Error::new(format!("unit: '{unit}' is in the sale already")))
        }
        Answer::Full => Some(Error::with(
            Code::Oom,
            format!(
                "max-reservations: the sale may know {}, and none of those it knows can be forgotten",
                config::bounds().reservations_max
            ),
        )),
        Answer::Invalid(text) => Some(Error::new(text)),
        _ => None,
    }
}

/// What an answer counts as, `None` for an error.
fn outcome_of(answer: Answer) -> Option<Outcome> {
    Some(match answer {
        Answer::Reserved { .. }
        | Answer::Sold { .. }
        | Answer::Refunded { .. }
        | Answer::Restocked
        | Answer::Given { .. }
        | Answer::Taken { .. }
        | Answer::Unchanged => Outcome::Replayed,
        Answer::AlreadySold { .. } => Outcome::AlreadySold,
        Answer::Released => Outcome::AlreadyReleased,
        Answer::Expired { .. } => Outcome::AlreadyExpired,
        Answer::Mismatch => Outcome::Mismatch,
        Answer::NoReservation => Outcome::NoReservation,
        Answer::Ended { .. } => Outcome::Ended,
        Answer::NotStarted { .. } => Outcome::NotStarted,
        Answer::Paused { .. } => Outcome::Paused,
        Answer::OrderLimit { .. } => Outcome::OrderLimit,
        Answer::UserLimit { .. } => Outcome::UserLimit,
        Answer::ItemLimit { .. } => Outcome::ItemLimit,
        Answer::SaleLimit { .. } => Outcome::SaleLimit,
        Answer::SoldOut { .. } => Outcome::SoldOut,
        Answer::AllReserved { .. } => Outcome::AllReserved,
        Answer::NotFree { .. } => Outcome::NotFree,
        Answer::NotSold { .. } => Outcome::NotSold,
        Answer::TooFew { .. } => Outcome::TooFew,
        Answer::Waiting { .. } | Answer::StillWaiting => Outcome::Waiting,
        Answer::Placed { .. } => Outcome::Placed,
        Answer::LineFull { .. } => Outcome::LineFull,
        Answer::Throttled { .. } => Outcome::Throttled,
        Answer::NoPass => Outcome::NoPass,
        Answer::NoSku { .. } | Answer::NoUnit { .. } | Answer::UnitKnown { .. } => return None,
        Answer::Full | Answer::Invalid(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ANSWERS: &str = include_str!("../../clients/answers.json");

    #[test]
    fn answers_json_has_every_word() {
        let (words, _) = ANSWERS
            .split_once("\n  \"errors\": [")
            .expect("words, then errors");
        // A word is a key two levels deep.
        let described: BTreeSet<&str> = words
            .lines()
            .filter_map(|line| line.strip_prefix("    \"")?.strip_suffix("\": {"))
            .collect();
        // `OK` is no array, and so no word of this enum.
        let sent = Word::ALL.iter().map(|word| word.text());
        let sent: BTreeSet<&str> = sent.chain(["OK"]).collect();
        assert_eq!(described, sent);
    }
}
