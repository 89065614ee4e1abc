//! An event as bytes: what `FLASHSALE.APPLY` carries.
//!
//! One byte of version, one of kind, the moment, then the fields in the order they
//! are written here. A kind or a field is never reused or reordered; a new meaning
//! is a new kind, and a change that an older replica would misread a new version.
//!
//! Edge: bytes to values and back. Whether an event fits a sale is `check.rs`.

use std::borrow::Cow;

use super::codec::{CodecError, Reader, Writer};
use super::event::{Change, Created, Event, Order, Refund, StockDelta};
use super::hash::Hasher;
use super::options::Options;
use super::units::{
    EntryId, INTEGER_MAX, MOMENT_MS_MAX, NAME_BYTES_MAX, ORDERS_BYTES_MAX, PAYLOAD_BYTES_MAX,
    has_twice,
};

/// The version this server writes, and the only one it reads.
pub const EVENT_VERSION: u8 = 1;

const CREATED: u8 = 1;
const RESERVED: u8 = 2;
const SOLD: u8 = 3;
const BOUGHT: u8 = 4;
const RELEASED: u8 = 5;
const RELEASED_UNSEEN: u8 = 6;
const SWEPT: u8 = 7;
const EXPIRED: u8 = 8;
const EXTENDED: u8 = 9;
const REFUNDED: u8 = 10;
const RESTOCKED: u8 = 11;
const ALTERED: u8 = 12;
const PAUSED: u8 = 13;
const RESUMED: u8 = 14;
const CLOSED: u8 = 15;
const BOUND: u8 = 16;

/// Appends the bytes of an event.
pub fn encode_event(event: &Event<'_>, out: &mut Vec<u8>) {
    let out = &mut Writer(out);
    out.tag(EVENT_VERSION);
    out.tag(kind(&event.change));
    out.number(event.at_ms);
    match &event.change {
        Change::Created(created) => put_created(out, created),
        Change::Reserved {
            id,
            user,
            lines,
            expires_at_ms,
            forgets,
        } => {
            out.name(*id);
            out.name(*user);
            out.lines(lines);
            // From the moment of decision: two bytes where an absolute one takes nine.
            out.number(expires_at_ms.saturating_sub(event.at_ms));
            out.flag(*forgets);
        }
        Change::Sold { id, order } => {
            out.name(*id);
            put_order(out, order);
        }
        Change::Bought {
            id,
            user,
            lines,
            order,
            forgets,
        } => {
            out.name(*id);
            out.name(*user);
            out.lines(lines);
            put_order(out, order);
            out.flag(*forgets);
        }
        Change::Released { id } | Change::Expired { id } => out.name(*id),
        Change::ReleasedUnseen { id, user, forgets } => {
            out.name(*id);
            out.option(*user, Writer::name);
            out.flag(*forgets);
        }
        Change::Swept { expired, forgotten } => {
            out.number(u64::from(*expired));
            out.number(u64::from(*forgotten));
        }
        Change::Extended { id, expires_at_ms } => {
            out.name(*id);
            out.number(*expires_at_ms);
        }
        Change::Refunded(refund) => put_refund(out, refund),
        Change::Restocked { deltas, reference } => {
            out.list(deltas.iter(), |out, delta| {
                out.bytes(&delta.sku);
                out.signed(delta.delta);
            });
            out.option(*reference, Writer::name);
        }
        Change::Altered(options) => put_options(out, options),
        Change::Paused | Change::Resumed | Change::Closed => {}
        Change::Bound { orders } => out.bytes(orders),
    }
}

fn kind(change: &Change<'_>) -> u8 {
    match change {
        Change::Created(_) => CREATED,
        Change::Reserved { .. } => RESERVED,
        Change::Sold { .. } => SOLD,
        Change::Bought { .. } => BOUGHT,
        Change::Released { .. } => RELEASED,
        Change::ReleasedUnseen { .. } => RELEASED_UNSEEN,
        Change::Swept { .. } => SWEPT,
        Change::Expired { .. } => EXPIRED,
        Change::Extended { .. } => EXTENDED,
        Change::Refunded(_) => REFUNDED,
        Change::Restocked { .. } => RESTOCKED,
        Change::Altered(_) => ALTERED,
        Change::Paused => PAUSED,
        Change::Resumed => RESUMED,
        Change::Closed => CLOSED,
        Change::Bound { .. } => BOUND,
    }
}

/// Reads the bytes of one event, all of them; `hasher` is that of the sale it is for.
///
/// # Errors
///
/// When the bytes are of another version, damaged, too few or too many.
pub fn decode_event(bytes: &[u8], hasher: Hasher) -> Result<Event<'_>, CodecError> {
    let mut from = Reader::new(bytes, hasher);
    if from.tag()? != EVENT_VERSION {
        return Err(CodecError::Invalid("an event of another version"));
    }
    let kind = from.tag()?;
    let at_ms = take_moment(&mut from)?;
    let change = take_change(kind, at_ms, &mut from)?;
    if !from.rest().is_empty() {
        return Err(CodecError::Invalid("more bytes than the event has"));
    }
    Ok(Event { at_ms, change })
}

fn take_change<'a>(kind: u8, at_ms: u64, from: &mut Reader<'a>) -> Result<Change<'a>, CodecError> {
    Ok(match kind {
        CREATED => Change::Created(Box::new(take_created(from)?)),
        RESERVED => Change::Reserved {
            id: from.name()?,
            user: from.name()?,
            lines: from.lines()?,
            expires_at_ms: take_deadline(from, at_ms)?,
            forgets: from.flag()?,
        },
        SOLD => Change::Sold {
            id: from.name()?,
            order: take_order(from)?,
        },
        BOUGHT => Change::Bought {
            id: from.name()?,
            user: from.name()?,
            lines: from.lines()?,
            order: take_order(from)?,
            forgets: from.flag()?,
        },
        RELEASED => Change::Released { id: from.name()? },
        RELEASED_UNSEEN => Change::ReleasedUnseen {
            id: from.name()?,
            user: from.option(Reader::name)?,
            forgets: from.flag()?,
        },
        SWEPT => Change::Swept {
            expired: from.small()?,
            forgotten: from.small()?,
        },
        EXPIRED => Change::Expired { id: from.name()? },
        EXTENDED => Change::Extended {
            id: from.name()?,
            expires_at_ms: take_integer(from)?,
        },
        REFUNDED => Change::Refunded(take_refund(from)?),
        RESTOCKED => take_restocked(from)?,
        ALTERED => Change::Altered(Box::new(take_options(from)?)),
        PAUSED => Change::Paused,
        RESUMED => Change::Resumed,
        CLOSED => Change::Closed,
        BOUND => Change::Bound {
            orders: from.bytes(ORDERS_BYTES_MAX)?,
        },
        _ => return Err(CodecError::Invalid("an unknown kind of event")),
    })
}

fn take_restocked<'a>(from: &mut Reader<'a>) -> Result<Change<'a>, CodecError> {
    let deltas: Vec<StockDelta<'a>> = from.list(2, |from| {
        let sku = Cow::Borrowed(take_sku(from)?);
        let delta = from.signed()?;
        if delta.unsigned_abs() > INTEGER_MAX {
            return Err(CodecError::Invalid("a delta"));
        }
        Ok(StockDelta { sku, delta })
    })?;
    if deltas.is_empty() || has_twice(deltas.iter().map(|delta| &delta.sku)) {
        return Err(CodecError::Invalid("the deltas of a restock"));
    }
    let reference = from.option(Reader::spelling)?;
    Ok(Change::Restocked { deltas, reference })
}

/// An integer of the contract: at most 2^53 - 1.
pub(super) fn take_integer(from: &mut Reader<'_>) -> Result<u64, CodecError> {
    match from.number()? {
        integer if integer <= INTEGER_MAX => Ok(integer),
        _ => Err(CodecError::Invalid("a number above 2^53 - 1")),
    }
}

/// A moment at which something happened.
pub(super) fn take_moment(from: &mut Reader<'_>) -> Result<u64, CodecError> {
    match from.number()? {
        at_ms if at_ms <= MOMENT_MS_MAX => Ok(at_ms),
        _ => Err(CodecError::Invalid("a moment")),
    }
}

/// A deadline, written as the time from the moment of decision.
fn take_deadline(from: &mut Reader<'_>, at_ms: u64) -> Result<u64, CodecError> {
    match take_integer(from)?.saturating_add(at_ms) {
        expires_at_ms if expires_at_ms <= INTEGER_MAX => Ok(expires_at_ms),
        _ => Err(CodecError::Invalid("a deadline")),
    }
}

/// A limit, START or END: 0 would mean that there is none, which is written otherwise.
fn take_positive(from: &mut Reader<'_>) -> Result<u64, CodecError> {
    match take_integer(from)? {
        0 => Err(CodecError::Invalid("the options")),
        integer => Ok(integer),
    }
}

pub(super) fn take_sku<'a>(from: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let sku = from.bytes(NAME_BYTES_MAX)?;
    if sku.is_empty() || std::str::from_utf8(sku).is_err() {
        return Err(CodecError::Invalid("a SKU"));
    }
    Ok(sku)
}

pub(super) fn put_entry(out: &mut Writer<'_>, entry: EntryId) {
    out.number(entry.ms);
    out.number(entry.seq);
}

pub(super) fn take_entry(from: &mut Reader<'_>) -> Result<EntryId, CodecError> {
    Ok(EntryId {
        ms: from.number()?,
        seq: from.number()?,
    })
}

fn put_order(out: &mut Writer<'_>, order: &Order<'_>) {
    put_entry(out, order.entry);
    out.option(order.reference, Writer::name);
    out.option(order.payload, Writer::bytes);
}

fn take_order<'a>(from: &mut Reader<'a>) -> Result<Order<'a>, CodecError> {
    Ok(Order {
        entry: take_entry(from)?,
        reference: from.option(Reader::spelling)?,
        payload: from.option(|from| from.bytes(PAYLOAD_BYTES_MAX))?,
    })
}

fn put_refund(out: &mut Writer<'_>, refund: &Refund<'_>) {
    out.name(refund.id);
    out.lines(&refund.lines);
    put_entry(out, refund.entry);
    out.option(refund.reference, Writer::name);
    out.flag(refund.restocks);
    out.flag(refund.restores_limit);
}

fn take_refund<'a>(from: &mut Reader<'a>) -> Result<Refund<'a>, CodecError> {
    Ok(Refund {
        id: from.name()?,
        lines: from.lines()?,
        entry: take_entry(from)?,
        reference: from.option(Reader::spelling)?,
        restocks: from.flag()?,
        restores_limit: from.flag()?,
    })
}

fn put_created(out: &mut Writer<'_>, created: &Created<'_>) {
    out.wide(created.sale_id);
    out.bytes(created.orders);
    put_options(out, &created.options);
    out.list(created.items.iter(), |out, &(sku, stock)| {
        out.bytes(sku);
        out.number(stock);
    });
}

fn take_created<'a>(from: &mut Reader<'a>) -> Result<Created<'a>, CodecError> {
    let created = Created {
        sale_id: from.wide()?,
        orders: from.bytes(ORDERS_BYTES_MAX)?,
        options: take_options(from)?,
        items: from.list(2, |from| Ok((take_sku(from)?, take_integer(from)?)))?,
    };
    let skus = created.items.iter().map(|&(sku, _)| sku);
    let total = created
        .items
        .iter()
        .fold(0_u64, |sum, &(_, stock)| sum.saturating_add(stock));
    if created.items.is_empty() || has_twice(skus) || total > INTEGER_MAX {
        return Err(CodecError::Invalid("the items of a sale"));
    }
    Ok(created)
}

pub(super) fn put_options(out: &mut Writer<'_>, options: &Options) {
    for limit in [
        options.user_limit,
        options.item_limit,
        options.order_limit,
        options.sale_limit,
    ] {
        out.option(limit, Writer::number);
    }
    out.number(options.hold_ms);
    out.option(options.hold_ms_max, Writer::number);
    out.number(options.grace_ms);
    out.option(options.start_at_ms, Writer::number);
    out.option(options.end_at_ms, Writer::number);
    out.number(options.keep_ms);
    out.number(options.remember_ms);
}

pub(super) fn take_options(from: &mut Reader<'_>) -> Result<Options, CodecError> {
    let options = Options {
        user_limit: from.option(take_positive)?,
        item_limit: from.option(take_positive)?,
        order_limit: from.option(take_positive)?,
        sale_limit: from.option(take_positive)?,
        hold_ms: take_integer(from)?,
        hold_ms_max: from.option(take_integer)?,
        grace_ms: take_integer(from)?,
        start_at_ms: from.option(take_positive)?,
        end_at_ms: from.option(take_positive)?,
        keep_ms: take_integer(from)?,
        remember_ms: take_integer(from)?,
    };
    if options.hold_ms == 0 || options.max_hold_ms() < options.hold_ms {
        return Err(CodecError::Invalid("the options"));
    }
    Ok(options)
}
