//! Units with names in a snapshot: an element for each row, and options of items, reservations
//! and refunds.
//!
//! | Bytes of a row | |
//! |---|---|
//! | its item, the number of its first unit | `u64` each; rows come in the order of coming |
//! | list of its units | name, and a byte: 0; 1 withdrawn; 2 withdrawn, a buyer has seen the name |
//!
//! Edge: what is read is not trusted. Whether all adds up is asked at the end of a load.

use crate::sale::book::named::{NamedUnits, RESTOCK_UNITS_MAX, UnitList};
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::book::rows::Row;
use crate::sale::event::units_codec::{is_unit_name, take_units};
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Lines, has_twice};
use crate::table::name::{Key, NameBuffer};
use crate::wire::{CodecError, NameReader, Writer};

/// Options of an item: its units have names, and are sealed or not.
pub(super) const NAMED: u8 = 3;
/// The same of a sealed one: until when the deadlines of its reservations were those of counted
/// units, where some were within their grace when it got its first names.
pub(super) const COUNTED_UNTIL: u8 = 4;
/// Options of a reservation that is open or late, and of an order: the units it has, or had.
pub(super) const UNITS: u8 = 1;

const WITHDRAWN: u8 = 1;
const SEEN: u8 = 2;

/// What a snapshot keeps of an item whose units have names.
#[derive(Clone, Copy)]
pub(super) struct NamedItem {
    pub sealed: bool,
    /// See [`COUNTED_UNTIL`].
    pub counted_until_ms: Option<u64>,
}

/// What is to be kept of an item, if its units have names.
pub(super) fn named_item_of(sale: &Sale, item: ItemIndex) -> Option<NamedItem> {
    let named = sale.named.as_ref()?;
    Some(NamedItem {
        sealed: named.item(item)?.sealed,
        counted_until_ms: named.counted_until_ms(item),
    })
}

/// The units that a snapshot keeps of a reservation: those it has, or had within its grace.
pub(super) fn units_kept(sale: &Sale, slot: Slot, record: Reservation<'_>) -> UnitList {
    let Some(named) = &sale.named else {
        return UnitList::new();
    };
    match record.status() {
        Status::Open | Status::Sold => named.held_by(slot).collect(),
        Status::InGrace => UnitList::from_slice(named.late_of(slot)),
        Status::Released | Status::Expired => UnitList::new(),
    }
}

/// Begins an item whose units have names, and are sealed or not.
pub(super) fn begin_named(sale: &mut Sale, item: ItemIndex, kept: NamedItem) {
    let hasher = sale.hasher;
    let named = sale
        .named
        .get_or_insert_with(|| Box::new(NamedUnits::new(hasher)));
    named.begin_item(item, kept.sealed);
    if let Some(until_ms) = kept.counted_until_ms {
        named.note_counted(item, until_ms);
    }
}

/// Reads the option of a reservation: its units, none where it has no option.
pub(super) fn take_units_of(
    from: &mut NameReader<'_>,
    has_options: bool,
) -> Result<UnitList, CodecError> {
    let mut units = UnitList::new();
    if has_options {
        from.options(|tag, value| {
            if tag == UNITS {
                units = take_units(value)?;
            }
            Ok(tag == UNITS)
        })?;
    }
    Ok(units)
}

/// Appends a row.
pub(super) fn put_row(out: &mut Writer<'_>, named: &NamedUnits, row: &Row) {
    out.number(u64::from(row.item));
    out.number(u64::from(row.first()));
    out.list(row.units(), |out, unit| {
        if let Some(name) = named.name(unit) {
            out.name(name);
        }
        out.tag(if named.is_seen(unit) {
            SEEN
        } else if named.is_withdrawn(unit) {
            WITHDRAWN
        } else {
            0
        });
    });
}

/// Reads a row, whose units nobody has yet.
pub(super) fn take_row(from: &mut NameReader<'_>, sale: &mut Sale) -> Result<(), CodecError> {
    const WRONG: CodecError = CodecError::Invalid("a row of units");
    let (item, first, count) = (from.small()?, from.number()?, from.number()?);
    if !(1..=RESTOCK_UNITS_MAX as u64).contains(&count) {
        return Err(WRONG);
    }
    let mut units: Vec<(Key<'_>, u8)> = Vec::new();
    for _ in 0..count {
        units.push((from.name()?, from.tag()?));
    }
    let Some(named) = &mut sale.named else {
        return Err(WRONG);
    };
    let is_name = |key: &Key<'_>| is_unit_name(key.bytes(&mut NameBuffer::default()));
    let sealed = named.item(item).map(|item| item.sealed).ok_or(WRONG)?;
    if first != named.len() as u64
        || named.len() + units.len() > NamedUnits::LEN_MAX
        || units
            .iter()
            .any(|(key, flags)| *flags > SEEN || !is_name(key))
        || units.iter().any(|(key, _)| named.find(*key).is_some())
        || units.iter().any(|(_, flags)| *flags == SEEN && !sealed)
    {
        return Err(WRONG);
    }
    let keys = units.iter().map(|(key, _)| *key);
    let first = named.add(item, sealed, keys).ok_or(WRONG)?;
    // A name that is there twice is found at one of its units.
    let mut found = (first..).zip(&units);
    if found.any(|(unit, (key, _))| named.find(*key) != Some(unit)) {
        return Err(WRONG);
    }
    let numbered = (first..).zip(&units);
    let on_sale = numbered.clone().filter(|(_, (_, flags))| *flags == 0);
    let on_sale: UnitList = on_sale.map(|(unit, _)| unit).collect();
    named.offer(&on_sale);
    for (unit, _) in numbered.filter(|(_, (_, flags))| *flags == SEEN) {
        named.note_seen(unit);
    }
    Ok(())
}

/// Gives a loaded reservation the units it has, or had, if any.
pub(super) fn load_units(
    sale: &mut Sale,
    slot: Slot,
    status: Status,
    lines: &Lines,
    units: &UnitList,
) -> Result<(), CodecError> {
    const WRONG: CodecError = CodecError::Invalid("the units of a reservation");
    if units.is_empty() {
        return Ok(());
    }
    let Some(named) = &mut sale.named else {
        return Err(WRONG);
    };
    let are_of_items = units.iter().all(|&unit| {
        let item = named.item_of(unit);
        item.is_some_and(|item| status == Status::Sold || named.is_open_item(item))
    });
    if !are_of_items || has_twice(units.iter()) {
        return Err(WRONG);
    }
    if status == Status::InGrace {
        if !named.fitted(lines, units) {
            return Err(WRONG);
        }
        named.keep_late(slot, units);
        return Ok(());
    }
    if !units.iter().all(|&unit| named.is_free(unit)) {
        return Err(WRONG);
    }
    named.hold(slot, units);
    Ok(())
}
