//! An event as bytes: what `FLASHSALE.APPLY` carries.
//!
//! One byte of version, one of kind, the moment, then the fields in the order they
//! are written here, then options where there are any (see `codec.rs`). A kind, a field or a tag
//! is never reused or reordered. What is new is a new kind or a new option, which an
//! older server recognises as newer than itself; a change of what is there already takes
//! a new version.
//!
//! | Version | Differs by |
//! |---|---|
//! | 1 | no options; the flag "the oldest id makes room" did not look at GRACE |
//! | 2 | options: REPLACE, the end of GRACE, NORESTOCK as asked, a lifted mark, EVENTS, what was told, share ids and GROUP, units with names; the kinds `Marked`, `Lapsed`, `Told` and `Dropped`, those of lines, and those between sales; batches |
//!
//! Edge: bytes to values and back. Whether an event fits a sale is `check.rs`.

use crate::sale::book::named::UnitList;
use crate::sale::event::forgets_codec::{put_forgets, take_forgets};
use crate::sale::event::line_codec::{
    DISSOLVED, DRAWN, GRANTED, JOINED, LEFT, put_of_lines, take_of_lines,
};
use crate::sale::event::options_codec::{has_option, put_option, take_option};
use crate::sale::event::order_codec::{put_order, put_refund, take_order, take_refund};
use crate::sale::event::parts::{
    Out, put_lines, put_options, take_integer, take_lines, take_moment, take_options,
    take_positive, take_reason, take_sku,
};
use crate::sale::event::restock_codec::{is_restock, put_deltas, take_restocked};
use crate::sale::event::share_codec::{GIVEN, IMPORTED, TAKEN, put_of_shares, take_of_shares};
use crate::sale::event::told::Told;
use crate::sale::event::{Change, Created, Event, StockDelta};
use crate::sale::units::{INTEGER_MAX, ORDERS_BYTES_MAX, has_twice};
use crate::table::hash::Hasher;
use crate::table::name::Spelling;
use crate::wire::{CodecError, Collector, NameReader, Writer};

/// The version this server writes; it reads all before it, too.
pub const EVENT_VERSION: u8 = 2;

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
const MARKED: u8 = 17;
const LAPSED_ONE: u8 = 18;
/// No event, but the events of a batch: see `container.rs`.
pub(super) const BATCH: u8 = 19;
const TOLD: u8 = 20;
const DROPPED: u8 = 21;

/// Appends the bytes of an event.
#[inline]
pub fn encode_event(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut collector = Collector::new(out);
    let out = &mut Writer(&mut collector);
    out.tag(EVENT_VERSION);
    put_event(out, event, true);
    collector.flush();
}

/// Appends an event without its version, and without its moment where its container has that.
#[inline]
pub(super) fn put_event(out: &mut Out<'_, '_>, event: &Event<'_>, with_moment: bool) {
    let has_option = has_option(&event.change);
    out.tag_with_options(kind(&event.change), has_option);
    if with_moment {
        out.number(event.at_ms);
    }
    put_fields(out, event);
    if has_option {
        put_option(out, &event.change);
    }
}

#[inline]
fn put_fields(out: &mut Out<'_, '_>, event: &Event<'_>) {
    match &event.change {
        Change::Created(created) => put_created(out, created),
        Change::Reserved {
            id,
            user,
            lines,
            expires_at_ms,
            forgets,
            ..
        } => {
            out.name(*id);
            out.name(*user);
            put_lines(out, lines);
            // From the moment of decision: two bytes where an absolute one takes nine.
            out.number(expires_at_ms.saturating_sub(event.at_ms));
            put_forgets(out, *forgets);
        }
        Change::Sold { id, order, .. } => {
            out.name(*id);
            put_order(out, order);
        }
        Change::Bought {
            id,
            user,
            lines,
            order,
            forgets,
            ..
        } => {
            out.name(*id);
            out.name(*user);
            put_lines(out, lines);
            put_order(out, order);
            put_forgets(out, *forgets);
        }
        Change::Released { id } | Change::Expired { id } | Change::Lapsed { id } => out.name(*id),
        Change::ReleasedUnseen { id, user, forgets } => {
            out.name(*id);
            out.option(*user, Writer::name);
            put_forgets(out, *forgets);
        }
        Change::Swept {
            expired, forgotten, ..
        } => {
            out.number(u64::from(*expired));
            out.number(u64::from(*forgotten));
        }
        Change::Extended { id, expires_at_ms } => {
            out.name(*id);
            out.number(*expires_at_ms);
        }
        Change::Refunded(refund) => put_refund(out, refund),
        Change::Restocked {
            deltas, reference, ..
        } => put_restocked(out, deltas, *reference),
        Change::Altered(options) => put_options(out, options),
        Change::Paused | Change::Resumed { .. } | Change::Closed => {}
        Change::Bound { orders } => out.bytes(orders),
        Change::Marked { reason } => out.bytes(reason.as_bytes()),
        Change::Told(told) => out.bytes(told.bytes()),
        Change::Dropped { count } => out.number(*count),
        of_shares @ (Change::Imported(_) | Change::Given(_) | Change::Taken(_)) => {
            put_of_shares(out, of_shares);
        }
        of_lines => put_of_lines(out, of_lines, event.at_ms),
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
        Change::Lapsed { .. } => LAPSED_ONE,
        Change::Extended { .. } => EXTENDED,
        Change::Refunded(_) => REFUNDED,
        Change::Restocked { .. } => RESTOCKED,
        Change::Altered(_) => ALTERED,
        Change::Paused => PAUSED,
        Change::Resumed { .. } => RESUMED,
        Change::Closed => CLOSED,
        Change::Bound { .. } => BOUND,
        Change::Marked { .. } => MARKED,
        Change::Told(_) => TOLD,
        Change::Dropped { .. } => DROPPED,
        Change::Joined { .. } => JOINED,
        Change::Left { .. } => LEFT,
        Change::Drawn { .. } => DRAWN,
        Change::Granted(_) => GRANTED,
        Change::Dissolved { .. } => DISSOLVED,
        Change::Imported(_) => IMPORTED,
        Change::Given(_) => GIVEN,
        Change::Taken(_) => TAKEN,
    }
}

/// Reads the bytes of one event, all of them; `hasher` is that of the sale it is for.
///
/// # Errors
///
/// When the bytes are of a newer version, damaged, too few or too many.
pub fn decode_event(bytes: &[u8], hasher: Hasher) -> Result<Event<'_>, CodecError> {
    let mut from = NameReader::new(bytes, hasher);
    let version = take_version(&mut from)?;
    let (kind, has_options) = take_kind(version, &mut from)?;
    let at_ms = take_moment(&mut from)?;
    let change = take_rest(version, kind, has_options, at_ms, &mut from)?;
    if !from.rest().is_empty() {
        return Err(CodecError::Invalid("more bytes than the event has"));
    }
    Ok(Event { at_ms, change })
}

/// Reads a version that this server knows.
pub(super) fn take_version(from: &mut NameReader<'_>) -> Result<u8, CodecError> {
    match from.tag()? {
        0 => Err(CodecError::Invalid("the version of an event")),
        version @ 1..=EVENT_VERSION => Ok(version),
        _ => Err(CodecError::Newer("an event")),
    }
}

/// Reads a kind, and whether options follow the fields.
pub(super) fn take_kind(version: u8, from: &mut NameReader<'_>) -> Result<(u8, bool), CodecError> {
    match from.tag_with_options()? {
        (_, true) if version == 1 => Err(CodecError::Invalid("the kind of an event")),
        kind => Ok(kind),
    }
}

/// Reads what [`put_event`] wrote without a moment.
pub(super) fn take_body<'a>(
    version: u8,
    at_ms: u64,
    from: &mut NameReader<'a>,
) -> Result<Change<'a>, CodecError> {
    let (kind, has_options) = take_kind(version, from)?;
    take_rest(version, kind, has_options, at_ms, from)
}

/// Reads the fields of a change, and its options.
fn take_rest<'a>(
    version: u8,
    kind: u8,
    has_options: bool,
    at_ms: u64,
    from: &mut NameReader<'a>,
) -> Result<Change<'a>, CodecError> {
    let mut change = take_change(kind, at_ms, from)?;
    if has_options {
        from.options(|tag, value| take_option(&mut change, tag, value))?;
    }
    if let Change::Restocked {
        deltas,
        named: Some(named),
        ..
    } = &change
        && !is_restock(deltas, named)
    {
        return Err(CodecError::Invalid("the names of units"));
    }
    if let Change::Refunded(refund) = &mut change
        && version > 1
    {
        refund.no_restock.get_or_insert(false);
    }
    Ok(change)
}

fn take_change<'a>(
    kind: u8,
    at_ms: u64,
    from: &mut NameReader<'a>,
) -> Result<Change<'a>, CodecError> {
    Ok(match kind {
        CREATED => Change::Created(Box::new(take_created(from)?)),
        RESERVED => Change::Reserved {
            units: UnitList::new(),
            id: from.name()?,
            user: from.name()?,
            lines: take_lines(from)?,
            expires_at_ms: take_deadline(from, at_ms)?,
            forgets: take_forgets(from)?,
            replaces: None,
        },
        SOLD => Change::Sold {
            sealed: UnitList::new(),
            id: from.name()?,
            order: take_order(from)?,
        },
        BOUGHT => Change::Bought {
            sealed: UnitList::new(),
            units: UnitList::new(),
            id: from.name()?,
            user: from.name()?,
            lines: take_lines(from)?,
            order: take_order(from)?,
            forgets: take_forgets(from)?,
        },
        RELEASED => Change::Released { id: from.name()? },
        RELEASED_UNSEEN => Change::ReleasedUnseen {
            id: from.name()?,
            user: from.option(NameReader::name)?,
            forgets: take_forgets(from)?,
        },
        SWEPT => Change::Swept {
            expired: from.small()?,
            forgotten: from.small()?,
            lapsed: 0,
        },
        EXPIRED => Change::Expired { id: from.name()? },
        LAPSED_ONE => Change::Lapsed { id: from.name()? },
        EXTENDED => Change::Extended {
            id: from.name()?,
            expires_at_ms: take_integer(from)?,
        },
        REFUNDED => Change::Refunded(take_refund(from)?),
        RESTOCKED => take_restocked(from)?,
        ALTERED => Change::Altered(Box::new(take_options(from)?)),
        PAUSED => Change::Paused,
        RESUMED => Change::Resumed { lifts: None },
        CLOSED => Change::Closed,
        BOUND => Change::Bound {
            orders: from.bytes(ORDERS_BYTES_MAX)?,
        },
        MARKED => Change::Marked {
            reason: take_reason(from)?,
        },
        TOLD => Change::Told(take_told(from)?),
        DROPPED => Change::Dropped {
            count: take_positive(from)?,
        },
        JOINED..=DISSOLVED => take_of_lines(kind, at_ms, from)?,
        IMPORTED..=TAKEN => take_of_shares(kind, from)?,
        0 => return Err(CodecError::Invalid("the kind of an event")),
        BATCH => return Err(CodecError::Invalid("a batch in the place of one event")),
        _ => return Err(CodecError::Newer("a kind of event")),
    })
}

/// The IDs as bytes with their length, so that a cut event is too short and not another one.
fn take_told<'a>(from: &mut NameReader<'a>) -> Result<Told<'a>, CodecError> {
    Told::take(from.bytes(usize::MAX)?)
}

/// A deadline, written as the time from the moment of decision.
fn take_deadline(from: &mut NameReader<'_>, at_ms: u64) -> Result<u64, CodecError> {
    match take_integer(from)?.saturating_add(at_ms) {
        expires_at_ms if expires_at_ms <= INTEGER_MAX => Ok(expires_at_ms),
        _ => Err(CodecError::Invalid("a deadline")),
    }
}

fn put_restocked(
    out: &mut Out<'_, '_>,
    deltas: &[StockDelta<'_>],
    reference: Option<Spelling<'_>>,
) {
    put_deltas(out, deltas);
    out.option(reference, Writer::name);
}

fn put_created(out: &mut Out<'_, '_>, created: &Created<'_>) {
    out.wide(created.sale_id);
    out.bytes(created.orders);
    put_options(out, &created.options);
    out.list(created.items.iter(), |out, &(sku, stock)| {
        out.bytes(sku);
        out.number(stock);
    });
}

fn take_created<'a>(from: &mut NameReader<'a>) -> Result<Created<'a>, CodecError> {
    let sale_id = from.wide()?;
    let created = Created {
        sale_id,
        share_id: sale_id,
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
