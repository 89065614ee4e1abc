//! What happens between sales as bytes: orders that came from elsewhere, units that went to
//! another sale or came from one, and what names a sale to others.
//!
//! Edge: the fields of a [`Change`] that only these have; the rest is `codec.rs`.

use std::borrow::Cow;

use crate::sale::book::options::Options;
use crate::sale::event::forgets_codec::{put_forgets, take_forgets};
use crate::sale::event::order_codec::{put_order, take_order};
use crate::sale::event::parts::{
    Out, put_lines, take_integer, take_lines, take_moment, take_positive, take_sku,
};
use crate::sale::event::{Change, Created, Given, Imported, Taken};
use crate::sale::units::GROUP_BYTES_MAX;
use crate::wire::{CodecError, NameReader, Sink, Writer};

pub(super) const IMPORTED: u8 = 27;
pub(super) const GIVEN: u8 = 28;
pub(super) const TAKEN: u8 = 29;

/// Options of `Created`: the share id, and GROUP, empty without one. Options of `Altered`:
/// GROUP.
pub(super) const SHARE: u8 = 5;

/// Appends the fields of these changes; of any other, nothing.
#[inline(never)] // Most sales have none.
pub(super) fn put_of_shares(out: &mut Out<'_, '_>, change: &Change<'_>) {
    match change {
        Change::Imported(imported) => {
            out.name(imported.id);
            out.name(imported.user);
            put_lines(out, &imported.lines);
            out.number(imported.sold_at_ms);
            put_order(out, &imported.order);
            put_forgets(out, imported.forgets);
        }
        Change::Given(given) => {
            out.number(u64::from(given.item));
            out.wide(given.to);
            out.numbers([given.total, given.units, given.owes]);
        }
        Change::Taken(taken) => {
            out.bytes(&taken.sku);
            out.wide(taken.from);
            out.numbers([taken.total, taken.units]);
        }
        _ => {}
    }
}

/// Reads what [`put_of_shares`] wrote, of this kind.
pub(super) fn take_of_shares<'a>(
    kind: u8,
    from: &mut NameReader<'a>,
) -> Result<Change<'a>, CodecError> {
    Ok(match kind {
        IMPORTED => Change::Imported(Box::new(Imported {
            id: from.name()?,
            user: from.name()?,
            lines: take_lines(from)?,
            sold_at_ms: take_moment(from)?,
            order: take_order(from)?,
            forgets: take_forgets(from)?,
        })),
        GIVEN => Change::Given(Box::new(take_given(from)?)),
        TAKEN => Change::Taken(Box::new(take_taken(from)?)),
        _ => return Err(CodecError::Newer("a kind of event")),
    })
}

fn take_given(from: &mut NameReader<'_>) -> Result<Given, CodecError> {
    let given = Given {
        item: from.small()?,
        to: from.wide()?,
        total: take_integer(from)?,
        units: take_integer(from)?,
        owes: take_integer(from)?,
    };
    if given.units > given.total || given.owes > given.units {
        return Err(CodecError::Invalid("units given"));
    }
    Ok(given)
}

fn take_taken<'a>(from: &mut NameReader<'a>) -> Result<Taken<'a>, CodecError> {
    let taken = Taken {
        sku: Cow::Borrowed(take_sku(from)?),
        from: from.wide()?,
        total: take_integer(from)?,
        units: take_integer(from)?,
    };
    if taken.units > taken.total {
        return Err(CodecError::Invalid("units taken"));
    }
    Ok(taken)
}

/// Has a new sale what [`put_share`] writes?
pub(super) fn has_share(created: &Created<'_>) -> bool {
    created.share_id != created.sale_id || created.options.group.is_some()
}

/// Appends the share id and GROUP.
pub(crate) fn put_share<S: Sink>(out: &mut Writer<'_, S>, share_id: u128, group: Option<&str>) {
    out.wide(share_id);
    out.bytes(group.unwrap_or_default().as_bytes());
}

/// Reads what [`put_share`] wrote of a sale with this id. What a sale has anyway is not
/// written.
pub(crate) fn take_share(
    from: &mut NameReader<'_>,
    sale_id: u128,
    options: &mut Options,
) -> Result<u128, CodecError> {
    let share_id = from.wide()?;
    options.group = match from.bytes(GROUP_BYTES_MAX)? {
        [] => None,
        group => Some(group_of(group)?),
    };
    if share_id == sale_id && options.group.is_none() {
        return Err(CodecError::Invalid("a share id"));
    }
    Ok(share_id)
}

/// Reads the GROUP that an ALTER keeps.
pub(super) fn take_group(
    from: &mut NameReader<'_>,
    options: &mut Options,
) -> Result<(), CodecError> {
    options.group = Some(group_of(from.take_rest())?);
    Ok(())
}

fn group_of(group: &[u8]) -> Result<Box<str>, CodecError> {
    match std::str::from_utf8(group) {
        Ok(group) if (1..=GROUP_BYTES_MAX).contains(&group.len()) => Ok(group.into()),
        _ => Err(CodecError::Invalid("the name of a split sale")),
    }
}

/// Reads units that went one way in all: at least 1, or none at all.
pub(crate) fn take_total(from: &mut NameReader<'_>) -> Result<u64, CodecError> {
    Ok(from.option(take_positive)?.unwrap_or(0))
}
