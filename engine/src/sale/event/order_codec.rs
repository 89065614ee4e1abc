//! Orders and refunds as bytes, inside the events that have one.
//!
//! Edge: the fields of a [`Change`](super::Change) that are common to some; the rest is
//! `codec.rs`.

use crate::sale::book::named::UnitList;
use crate::sale::event::parts::{Out, put_entry, put_lines, take_entry, take_lines};
use crate::sale::event::told::Told;
use crate::sale::event::{Order, Refund};
use crate::sale::units::PAYLOAD_BYTES_MAX;
use crate::wire::{CodecError, NameReader, Writer};

/// Options of `Sold` and `Bought`.
const TOLD: u8 = 1;
/// Options of `Refunded`; the first has no value.
const NO_RESTOCK: u8 = 1;
const REFUND_TOLD: u8 = 2;

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

/// A refund can have both of its options.
pub(super) fn put_refund_options(out: &mut Out<'_, '_>, refund: &Refund<'_>) {
    let (asked, told) = (refund.no_restock == Some(true), refund.told);
    out.number(u64::from(asked) + u64::from(!told.is_empty()));
    if asked {
        out.an_option(NO_RESTOCK, |_| {});
    }
    if !told.is_empty() {
        out.an_option(REFUND_TOLD, |out| told.put(out));
    }
}

/// Appends the option of an order that has one.
pub(super) fn put_order_option(out: &mut Out<'_, '_>, order: &Order<'_>) {
    out.one_option(TOLD, |out| order.told.put(out));
}

/// Reads an option of an order; false if it has none of this tag.
pub(super) fn take_order_option<'a>(
    order: &mut Order<'a>,
    tag: u8,
    value: &mut NameReader<'a>,
) -> Result<bool, CodecError> {
    if tag == TOLD {
        order.told = Told::take(value.take_rest())?;
    }
    Ok(tag == TOLD)
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
        _ => return Ok(false),
    }
    Ok(true)
}
