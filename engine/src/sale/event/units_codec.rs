//! Numbers of units as bytes: options of what has them.
//!
//! Numbers are a list without its length, as options have theirs: each as an `i64` more than the
//! one before, so that neighbours take a byte.

use std::str;

use crate::sale::book::named::{NamedUnits, UNIT_BYTES_MAX, UnitList, UnitNumber};
use crate::wire::{CodecError, Reader, Sink, Writer};

/// Returns each number as the difference to the one before.
fn differences(units: &[UnitNumber]) -> impl Iterator<Item = i64> {
    let mut last = 0;
    units.iter().map(move |&unit| {
        let unit = i64::from(unit);
        unit - std::mem::replace(&mut last, unit)
    })
}

/// Appends numbers of units without their length.
fn put_units<S: Sink>(out: &mut Writer<'_, S>, units: &[UnitNumber]) {
    differences(units).for_each(|more| out.signed(more));
}

/// Appends an option of numbers.
pub(crate) fn put_units_option<S: Sink>(out: &mut Writer<'_, S>, tag: u8, units: &[UnitNumber]) {
    out.tag(tag);
    put_units_sized(out, units);
}

/// Appends numbers behind their length, which is known without writing them elsewhere first.
pub(crate) fn put_units_sized<S: Sink>(out: &mut Writer<'_, S>, units: &[UnitNumber]) {
    let bytes_of = |more: i64| {
        let zigzag = (more << 1 ^ more >> 63).cast_unsigned();
        match zigzag {
            0..=250 => 1_u64,
            251..=0xffff => 3,
            0x1_0000..=0xffff_ffff => 5,
            _ => 9,
        }
    };
    out.number(differences(units).map(bytes_of).sum());
    put_units(out, units);
}

/// Reads numbers of units up to the end, at least one.
pub(crate) fn take_units<H: Copy>(from: &mut Reader<'_, H>) -> Result<UnitList, CodecError> {
    const WRONG: CodecError = CodecError::Invalid("the numbers of units");
    let (mut units, mut last) = (UnitList::new(), 0_i64);
    while !from.rest().is_empty() {
        last = last.checked_add(from.signed()?).ok_or(WRONG)?;
        let unit = UnitNumber::try_from(last).map_err(|_| WRONG)?;
        if unit as usize >= NamedUnits::LEN_MAX {
            return Err(WRONG);
        }
        units.push(unit);
    }
    if units.is_empty() {
        return Err(WRONG);
    }
    Ok(units)
}

/// A name of a unit: UTF-8 of 1 to 128 bytes.
pub(crate) fn is_unit_name(name: &[u8]) -> bool {
    (1..=UNIT_BYTES_MAX).contains(&name.len()) && str::from_utf8(name).is_ok()
}
