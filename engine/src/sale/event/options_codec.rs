//! The options of changes as bytes: what follows the fields of a change that has any.
//!
//! Edge: which change has which option; the fields, and where options stand, are `codec.rs`.

use crate::sale::event::line_codec::{count_tagged, put_tagged, take_tagged};
use crate::sale::event::order_codec::{
    put_order_options, put_refund_options, take_order_option, take_refund_option,
};
use crate::sale::event::parts::{Out, put_mark_id, take_mark_id};
use crate::sale::event::restock_codec::{put_named, take_named};
use crate::sale::event::share_codec::{SHARE, has_share, put_share, take_group, take_share};
use crate::sale::event::units_codec::{put_units_option, take_units};
use crate::sale::event::{Change, Created, Imported};
use crate::wire::{CodecError, NameReader};

/// Options of `Reserved`.
const REPLACES: u8 = 1;
const UNITS: u8 = 2;
/// Options of `Granted`.
const GRANTED_UNITS: u8 = 1;
/// Options of `Swept`.
const LAPSED: u8 = 1;
/// Options of `Resumed`: which mark.
const LIFTS_MARK: u8 = 1;

/// Has the change what [`put_option`] writes?
#[inline]
pub(super) fn has_option(change: &Change<'_>) -> bool {
    match change {
        Change::Reserved {
            replaces, units, ..
        } => replaces.is_some() | !units.is_empty(),
        Change::Swept { lapsed, .. } => *lapsed > 0,
        Change::Refunded(refund) => {
            refund.no_restock == Some(true) || !refund.told.is_empty() || !refund.units.is_empty()
        }
        Change::Sold { order, sealed, .. } => !order.told.is_empty() | !sealed.is_empty(),
        Change::Bought {
            order,
            units,
            sealed,
            ..
        } => !order.told.is_empty() | !units.is_empty() | !sealed.is_empty(),
        Change::Imported(imported) => {
            !imported.order.told.is_empty()
                || !imported.units.is_empty()
                || !imported.sealed.is_empty()
        }
        Change::Granted(granted) => !granted.units.is_empty(),
        Change::Restocked { named, .. } => named.is_some(),
        Change::Created(created) => count_tagged(&created.options) > 0 || has_share(created),
        Change::Altered(options) => count_tagged(options) > 0 || options.group.is_some(),
        Change::Resumed { lifts } => lifts.is_some(),
        _ => false,
    }
}

/// Appends the options of a change that has any.
#[cold]
pub(super) fn put_option(out: &mut Out<'_, '_>, change: &Change<'_>) {
    match change {
        Change::Reserved {
            replaces, units, ..
        } => {
            out.number(u64::from(replaces.is_some()) + u64::from(!units.is_empty()));
            if let Some(old) = replaces {
                out.an_option(REPLACES, |out| out.name(*old));
            }
            if !units.is_empty() {
                put_units_option(out, UNITS, units);
            }
        }
        Change::Swept { lapsed, .. } => {
            out.one_option(LAPSED, |out| out.number(u64::from(*lapsed)));
        }
        Change::Refunded(refund) => put_refund_options(out, refund),
        Change::Sold { order, sealed, .. } => put_order_options(out, order, &[], sealed),
        Change::Bought {
            order,
            units,
            sealed,
            ..
        } => put_order_options(out, order, units, sealed),
        Change::Imported(imported) => {
            put_order_options(out, &imported.order, &imported.units, &imported.sealed);
        }
        Change::Granted(granted) => {
            out.number(1);
            put_units_option(out, GRANTED_UNITS, &granted.units);
        }
        Change::Restocked {
            named: Some(named), ..
        } => put_named(out, named),
        Change::Created(created) => put_created_options(out, created),
        Change::Altered(options) => {
            let group = options.group.as_deref();
            put_tagged(out, options, u64::from(group.is_some()));
            if let Some(group) = group {
                out.an_option(SHARE, |out| out.raw(group.as_bytes()));
            }
        }
        Change::Resumed { lifts: Some(mark) } => {
            out.one_option(LIFTS_MARK, |out| put_mark_id(out, *mark));
        }
        _ => {}
    }
}

/// Appends the options of a new sale.
fn put_created_options(out: &mut Out<'_, '_>, created: &Created<'_>) {
    let has_share = has_share(created);
    put_tagged(out, &created.options, u64::from(has_share));
    if has_share {
        let group = created.options.group.as_deref();
        out.an_option(SHARE, |out| put_share(out, created.share_id, group));
    }
}

/// Reads an option of an event; false if it has none of this tag.
pub(super) fn take_option<'a>(
    change: &mut Change<'a>,
    tag: u8,
    value: &mut NameReader<'a>,
) -> Result<bool, CodecError> {
    match (change, tag) {
        (Change::Reserved { replaces, .. }, REPLACES) => *replaces = Some(value.name()?),
        (Change::Reserved { units, .. }, UNITS) => *units = take_units(value)?,
        (Change::Granted(granted), GRANTED_UNITS) => granted.units = take_units(value)?,
        (Change::Restocked { named, .. }, tag) => {
            return take_named(named.get_or_insert_default(), tag, value);
        }
        (Change::Swept { lapsed, .. }, LAPSED) => {
            *lapsed = value.small()?;
            if *lapsed == 0 {
                return Err(CodecError::Invalid("an option"));
            }
        }
        (Change::Refunded(refund), tag) => return take_refund_option(refund, tag, value),
        (Change::Sold { order, sealed, .. }, tag) => {
            return take_order_option(order, None, sealed, tag, value);
        }
        (
            Change::Bought {
                order,
                units,
                sealed,
                ..
            },
            tag,
        ) => {
            return take_order_option(order, Some(units), sealed, tag, value);
        }
        (Change::Imported(imported), tag) => {
            let Imported {
                order,
                units,
                sealed,
                ..
            } = &mut **imported;
            return take_order_option(order, Some(units), sealed, tag, value);
        }
        (Change::Created(created), SHARE) => {
            let sale_id = created.sale_id;
            created.share_id = take_share(value, sale_id, &mut created.options)?;
        }
        (Change::Altered(options), SHARE) => take_group(value, options)?,
        (Change::Created(created), tag) => return take_tagged(&mut created.options, tag, value),
        (Change::Altered(options), tag) => return take_tagged(options, tag, value),
        (Change::Resumed { lifts }, LIFTS_MARK) => *lifts = Some(take_mark_id(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}
