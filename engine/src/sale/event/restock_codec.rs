//! A restock as bytes: its deltas, and the names of units as options.
//!
//! Edge: the fields of a [`Change`]; the rest is `codec.rs`.

use std::borrow::Cow;

use crate::sale::book::named::{RESTOCK_UNITS_MAX, UNIT_BYTES_MAX};
use crate::sale::event::parts::{Out, take_sku};
use crate::sale::event::units_codec::is_unit_name;
use crate::sale::event::{Change, NamedRestock, StockDelta};
use crate::sale::units::{INTEGER_MAX, has_twice};
use crate::wire::{CodecError, NameReader};

/// Options of `Restocked`; the second and the third have no value.
const NAMES: u8 = 1;
const SEALED: u8 = 2;
const WITHDRAW: u8 = 3;
const CALL: u8 = 4;

pub(super) fn put_deltas(out: &mut Out<'_, '_>, deltas: &[StockDelta<'_>]) {
    out.list(deltas.iter(), |out, delta| {
        out.bytes(&delta.sku);
        out.signed(delta.delta);
    });
}

pub(super) fn take_restocked<'a>(from: &mut NameReader<'a>) -> Result<Change<'a>, CodecError> {
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
    let reference = from.option(NameReader::spelling)?;
    Ok(Change::Restocked {
        named: None,
        deltas,
        reference,
    })
}

/// Appends the options of a restock by name.
pub(super) fn put_named(out: &mut Out<'_, '_>, named: &NamedRestock<'_>) {
    let has = [
        !named.names.is_empty(),
        named.sealed,
        named.withdraw,
        named.digest.is_some(),
    ];
    out.number(has.into_iter().map(u64::from).sum());
    if !named.names.is_empty() {
        out.an_option(NAMES, |out| {
            out.list(named.names.iter(), |out, name| out.bytes(name));
        });
    }
    if named.sealed {
        out.an_option(SEALED, |_| {});
    }
    if named.withdraw {
        out.an_option(WITHDRAW, |_| {});
    }
    if let Some(digest) = named.digest {
        out.an_option(CALL, |out| out.wide(digest));
    }
}

/// Reads an option of a restock by name; false if it has none of this tag.
pub(super) fn take_named<'a>(
    named: &mut NamedRestock<'a>,
    tag: u8,
    value: &mut NameReader<'a>,
) -> Result<bool, CodecError> {
    match tag {
        NAMES => {
            named.names = value.list(2, |value| value.bytes(UNIT_BYTES_MAX))?;
            if named.names.is_empty() || !named.names.iter().all(|name| is_unit_name(name)) {
                return Err(CodecError::Invalid("the names of units"));
            }
        }
        SEALED => named.sealed = true,
        WITHDRAW => named.withdraw = true,
        CALL => named.digest = Some(value.wide()?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Is this what a restock by name can be: of one item, and of as many units as it has names?
pub(super) fn is_restock(deltas: &[StockDelta<'_>], named: &NamedRestock<'_>) -> bool {
    let names = named.names.len();
    let sign = if named.withdraw { -1 } else { 1 };
    let is_sum = |by: &StockDelta<'_>| i64::try_from(names).is_ok_and(|len| sign * len == by.delta);
    names <= RESTOCK_UNITS_MAX
        && (names > 0 || named.withdraw)
        && !(named.withdraw && named.sealed)
        && matches!(deltas, [by] if is_sum(by))
}
