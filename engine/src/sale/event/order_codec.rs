//! Orders and refunds as bytes, inside the events that have one.
//!
//! Edge: the fields of a [`Change`](super::Change) that are common to some; the rest is
//! `codec.rs`.

use crate::sale::book::named::{UnitList, UnitNumber};
use crate::sale::event::parts::{Out, put_entry, put_lines, take_entry, take_lines};
use crate::sale::event::told::Told;
use crate::sale::event::units_codec::{put_units_option, take_units};
use crate::sale::event::{Order, Refund};
use crate::sale::units::PAYLOAD_BYTES_MAX;
use crate::wire::{CodecError, NameReader, Writer};

/// Options of `Sold` and `Bought`.
const TOLD: u8 = 1;
const UNITS: u8 = 2;
const SEALED: u8 = 3;
/// Options of `Refunded`; the first has no value.
const NO_RESTOCK: u8 = 1;
const REFUND_TOLD: u8 = 2;
const REFUND_UNITS: u8 = 3;

pub(super) fn put_order(out: &mut Out<'_, '_>, order: &Order<'_>) {
    put_entry(out, order.entry);
    out.option(order.reference, Writer::name);
    out.option(order.payload, Writer::bytes);
}

pub(super) fn take_order<'a>(from: &mut NameReader<'a>) -> Result<Order<'a>, CodecError> {
    Ok(Order {
        entry: take_entry(from)?,
        reference: from.option(NameReader::spelling)?,
        payload: from.option(|from| from.bytes(PAYLOAD_BYTES_MAX))?,
        told: Told::default(),
    })
}

pub(super) fn put_refund(out: &mut Out<'_, '_>, refund: &Refund<'_>) {
    out.name(refund.id);
    put_lines(out, &refund.lines);
    put_entry(out, refund.entry);
    out.option(refund.reference, Writer::name);
    out.flag(refund.restocks);
    out.flag(refund.restores_limit);
}

pub(super) fn take_refund<'a>(from: &mut NameReader<'a>) -> Result<Refund<'a>, CodecError> {
    Ok(Refund {
        units: UnitList::new(),
        id: from.name()?,
        lines: take_lines(from)?,
        entry: take_entry(from)?,
        reference: from.option(NameReader::spelling)?,
        restocks: from.flag()?,
        restores_limit: from.flag()?,
        no_restock: None,
        told: Told::default(),
    })
}

/// A refund can have all of its options.
pub(super) fn put_refund_options(out: &mut Out<'_, '_>, refund: &Refund<'_>) {
    let (asked, told) = (refund.no_restock == Some(true), refund.told);
    let has_units = !refund.units.is_empty();
    out.number(u64::from(asked) + u64::from(!told.is_empty()) + u64::from(has_units));
    if asked {
        out.an_option(NO_RESTOCK, |_| {});
    }
    if !told.is_empty() {
        out.an_option(REFUND_TOLD, |out| told.put(out));
    }
    if has_units {
        put_units_option(out, REFUND_UNITS, &refund.units);
    }
}

/// Appends the options of an order that has any: what was told, its units, and its sealed ones.
pub(super) fn put_order_options(
    out: &mut Out<'_, '_>,
    order: &Order<'_>,
    units: &[UnitNumber],
    sealed: &[UnitNumber],
) {
    let told = order.told;
    let has = [!told.is_empty(), !units.is_empty(), !sealed.is_empty()];
    out.number(has.into_iter().map(u64::from).sum());
    if !told.is_empty() {
        out.an_option(TOLD, |out| told.put(out));
    }
    if !units.is_empty() {
        put_units_option(out, UNITS, units);
    }
    if !sealed.is_empty() {
        put_units_option(out, SEALED, sealed);
    }
}

/// Reads an option of an order, which has `units` of its own where it was bought at once; false
/// if it has none of this tag.
pub(super) fn take_order_option<'a>(
    order: &mut Order<'a>,
    units: Option<&mut UnitList>,
    sealed: &mut UnitList,
    tag: u8,
    value: &mut NameReader<'a>,
) -> Result<bool, CodecError> {
    match (tag, units) {
        (TOLD, _) => order.told = Told::take(value.take_rest())?,
        (UNITS, Some(units)) => *units = take_units(value)?,
        (SEALED, _) => *sealed = take_units(value)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads an option of a refund; false if it has none of this tag.
pub(super) fn take_refund_option<'a>(
    refund: &mut Refund<'a>,
    tag: u8,
    value: &mut NameReader<'a>,
) -> Result<bool, CodecError> {
    match tag {
        NO_RESTOCK if !refund.restocks => refund.no_restock = Some(true),
        REFUND_TOLD => refund.told = Told::take(value.take_rest())?,
        REFUND_UNITS => refund.units = take_units(value)?,
        _ => return Ok(false),
    }
    Ok(true)
}
