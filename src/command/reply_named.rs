//! Puts answers about units with names into words.
//!
//! Edge: as `reply.rs`, which calls it. In a sale whose units have no names nothing here runs,
//! so none of it is inlined there.

use super::words::{Word, entry_id, integer_or_minus_1, reserved_of, status};
use crate::change::Done;
use crate::ffi::Reply;
use crate::names;
use flashsale_engine::sale::{
    Change, EntryId, Event, NameBuffer, Sale, Slot, Terms, UnitList, UnitNumber,
};

/// `["RESERVED", id, expires_at_ms, remaining, user_remaining, [unit, ...]]`: the units last,
/// if any of the reservation has a name that its holder may see.
#[cold]
#[inline(never)]
pub fn reserved(reply: Reply<'_>, sale: &Sale, id: &[u8], slot: Slot, terms: &Terms) {
    reserved_with(reply, sale, id, terms, &sale.units_of(slot));
}

/// The same for a reservation that this event has just made or extended.
#[cold]
#[inline(never)]
pub fn reserved_now(
    reply: Reply<'_>,
    sale: &Sale,
    id: &[u8],
    event: &Event<'_>,
    done: &Done,
    terms: &Terms,
) {
    match (&event.change, done.slot) {
        (Change::Reserved { units, .. }, _) => reserved_with(reply, sale, id, terms, units),
        (_, Some(slot)) => reserved(reply, sale, id, slot, terms),
        // Such an event is always about one reservation.
        (_, None) => reserved_with(reply, sale, id, terms, &UnitList::new()),
    }
}

fn reserved_with(reply: Reply<'_>, sale: &Sale, id: &[u8], terms: &Terms, units: &UnitList) {
    reserved_of(reply, id, terms, 5 + usize::from(!units.is_empty()));
    some_units(reply, sale, units);
}

/// `["SOLD", id, order_id, [unit, ...]]`, as [`reserved`]. Of what is replayed the slot is found
/// by the id.
#[cold]
#[inline(never)]
pub fn sold(reply: Reply<'_>, sale: &Sale, id: &[u8], slot: Option<Slot>, at: EntryId) {
    let slot = slot.or_else(|| sale.find(names::key(id)));
    let units = slot.map_or_else(UnitList::new, |slot| sale.units_of(slot));
    status(reply, Word::Sold, 3 + usize::from(!units.is_empty()));
    reply.bytes(id);
    entry_id(reply, at);
    some_units(reply, sale, &units);
}

/// The element that is left out where it would be empty.
fn some_units(reply: Reply<'_>, sale: &Sale, units: &UnitList) {
    if !units.is_empty() {
        reply.array(units.len());
        for &number in units {
            unit(reply, sale, number);
        }
    }
}

/// `[[sku, unit], ...]`: what a reservation has now.
pub fn pairs(reply: Reply<'_>, sale: &Sale, slot: Option<Slot>) {
    let units = slot.map_or_else(UnitList::new, |slot| sale.units_of(slot));
    reply.array(units.len());
    for number in units {
        reply.array(2);
        sku_and_unit(reply, sale, number);
    }
}

/// `["NOTFREE", retry_in_ms, sku, unit]`, -1 for what is final.
#[cold]
pub fn not_free(reply: Reply<'_>, sale: &Sale, retry_in_ms: Option<u64>, number: UnitNumber) {
    status(reply, Word::NotFree, 4);
    integer_or_minus_1(reply, retry_in_ms);
    sku_and_unit(reply, sale, number);
}

/// `["NOTSOLD", left, sku, unit]`
#[cold]
pub fn not_sold(reply: Reply<'_>, sale: &Sale, left: u64, number: UnitNumber) {
    status(reply, Word::NotSold, 4);
    reply.integer(left);
    sku_and_unit(reply, sale, number);
}

fn sku_and_unit(reply: Reply<'_>, sale: &Sale, number: UnitNumber) {
    match sale.item_of_unit(number) {
        Some(item) => reply.bytes(sale.item(item).sku),
        // Whoever names a number has just seen it.
        None => reply.null(),
    }
    unit(reply, sale, number);
}

fn unit(reply: Reply<'_>, sale: &Sale, number: UnitNumber) {
    match sale.unit_name(number) {
        Some(name) => reply.bytes(name.bytes(&mut NameBuffer::default())),
        None => reply.null(),
    }
}
