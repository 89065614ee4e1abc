//! A whole sale as bytes: for RDB, DUMP and the AOF rewrite.
//!
//! A stream of elements - a header, items, what went to other sales and came from them, rows of
//! units with names, open reservations by deadline, expired ones
//! within their grace by deadline, ended ones by when they are to be forgotten, orders
//! each followed by its refunds, REFs of RESTOCK, lines each followed by its places, records of the
//! outbox, an end with counts - cut into chunks of
//! 64 KiB wherever it happens to be cut; the last one, and only it, is shorter. No element
//! grows with the number of reservations or refunds. Saving only reads, in the order
//! things stand; it runs in a forked child.
//!
//! | Version | Differs by |
//! |---|---|
//! | 1 | an open reservation was followed by how many were made since |
//! | 2 | by its user's one before it |
//! | 3 | options; `base` of an item, the element `LATE`, digests of large carts and restocks, NORESTOCK of a refund, the mark of a diverged copy, why a sale is broken, EVENTS and the outbox, lines and PACE, PASSKEY, USERRATE and FROMRATE, what is owed, share ids and GROUP, what went to other sales and came from them, units with names |
//!
//! Of a broken sale, only the header and the items are written: links that may lead nowhere
//! must not be followed, least of all by a server that is to be loaded from these bytes.
//!
//! Edge: writes. What is read back is not trusted; that is `loader.rs`.

use crate::sale::book::items::Stock;
use crate::sale::book::named::UnitNumber;
use crate::sale::book::refunds::RefundRecord;
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::disk::kept::{DIGEST, LINES, NO_CART};
use crate::sale::disk::line::{has_past, put_line, put_past, put_place};
use crate::sale::disk::outbox::{put_counts, put_record as put_outbox_record};
use crate::sale::disk::restock::put_restock_ref;
use crate::sale::disk::shares::{has_share, put_header_share, put_pair};
use crate::sale::disk::units::{
    COUNTED_UNTIL, NAMED, NamedItem, UNITS, named_item_of, put_row, units_kept,
};
use crate::sale::event::parts::{
    put_entry, put_lines, put_mark_id, put_options, put_passkeys, put_rates,
};
use crate::sale::event::units_codec::put_units_option;
use crate::sale::state::Sale;
use crate::table::name::Spelling;
use crate::wire::Writer;

/// The version this server writes; it reads all before it, too.
pub const SNAPSHOT_VERSION: u8 = 3;
/// Every chunk but the last, in bytes.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

pub(crate) const HEADER: u8 = 1;
pub(crate) const ITEM: u8 = 2;
pub(crate) const OPEN: u8 = 3;
pub(crate) const RELEASED: u8 = 4;
pub(crate) const EXPIRED: u8 = 5;
pub(crate) const ORDER: u8 = 6;
pub(crate) const RESTOCK_REF: u8 = 7;
pub(crate) const REFUND: u8 = 8;
pub(crate) const END: u8 = 9;
pub(crate) const LATE: u8 = 10;
/// Of the outbox, see `outbox.rs`.
pub(crate) const RECORD: u8 = 11;
/// A line of people who wait, and a place in it; see `line.rs`.
pub(crate) const LINE: u8 = 12;
pub(crate) const PLACE: u8 = 13;
/// What another sale was given of an item, and what came from it; see `shares.rs`.
pub(crate) const SHARES: u8 = 14;
/// Units with names that lie side by side; see `units.rs`.
pub(crate) const ROW: u8 = 15;

/// Options of [`HEADER`]: the mark, and its reason.
pub(crate) const MARK: u8 = 1;
/// The same: why the sale is broken. A broken one has no other mark.
pub(crate) const BROKEN: u8 = 2;
/// The same: whether `EVENTS all` is in force, and the counts of the outbox.
pub(crate) const OUTBOX: u8 = 3;
/// The same: WAITING, PATIENCE and PACE, and what became of places so far.
pub(crate) const WAITS: u8 = 4;
/// The same: the secrets of PASSKEY.
pub(crate) const PASSKEYS: u8 = 5;
/// The same: USERRATE and FROMRATE.
pub(crate) const RATES: u8 = 6;
/// The same: the share id where it is not the sale id, and GROUP.
pub(crate) const SHARE: u8 = 7;
/// Options of [`ITEM`]: units that it owes.
pub(crate) const OWED: u8 = 1;
/// Options of [`REFUND`], where NORESTOCK was asked for (1), or older formats do not say
/// whether it was (0).
pub(crate) const NO_RESTOCK: u8 = 1;
/// The same, no value: nothing went on sale again, though nobody asked for that.
pub(crate) const NOT_RESTOCKED: u8 = 3;
/// The same: its units.
pub(crate) const REFUND_UNITS: u8 = 2;

/// Writes a sale, a chunk a call. O(n), and one chunk of memory.
pub fn save(sale: &Sale, sink: &mut dyn FnMut(&[u8])) {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    for_each_element(sale, Secrets::Written, &mut |write| {
        write(&mut Writer(&mut chunk));
        while chunk.len() >= CHUNK_BYTES {
            sink(&chunk[..CHUNK_BYTES]);
            chunk.drain(..CHUNK_BYTES);
        }
    });
    sink(&chunk);
}

type Write<'a> = &'a dyn Fn(&mut Writer<'_>);

/// What becomes of the secrets of a sale.
#[derive(Clone, Copy)]
enum Secrets {
    Written,
    Hashed,
}

fn for_each_element(sale: &Sale, secrets: Secrets, element: &mut dyn FnMut(Write<'_>)) {
    element(&|out| put_header(out, sale, secrets));
    for (item, (sku, stock, base)) in (0..).zip(sale.items.iter()) {
        let more = (sale.items.owed(item), named_item_of(sale, item));
        element(&|out| put_item(out, sku, stock, base, more));
    }
    let mut records = 0;
    if sale.broken().is_none() {
        for pair in sale.shares.iter().flat_map(|shares| shares.iter()) {
            element(&|out| {
                out.tag(SHARES);
                put_pair(out, pair);
            });
        }
        for_each_row(sale, element);
        for_each_record(sale, element);
        records = sale.reservations.len() as u64;
    }
    element(&|out| {
        out.tag(END);
        out.number(sale.items.len() as u64);
        out.number(records);
    });
}

/// Writes the reservations, orders, refunds and REFs of RESTOCK.
fn for_each_record(sale: &Sale, element: &mut dyn FnMut(Write<'_>)) {
    for (slot, record) in sale.reservations.iter_open() {
        let before = sale.reservations.before(slot).map(Reservation::id);
        element(&|out| {
            let units = units_kept(sale, slot, record);
            put_record(out, sale, record, !units.is_empty());
            out.option(before, Writer::name);
            put_units_of(out, &units);
        });
    }
    for (slot, record) in sale.reservations.iter_late() {
        element(&|out| put_record_whole(out, sale, slot, record));
    }
    for (slot, record) in sale.reservations.iter_ended() {
        element(&|out| put_record_whole(out, sale, slot, record));
    }
    for (slot, record) in sale.reservations.iter() {
        let Some(order) = record.order() else {
            continue;
        };
        element(&|out| put_record_whole(out, sale, slot, record));
        for refund in order.refunds() {
            element(&|out| put_refund(out, record.id(), refund));
        }
    }
    for restock in sale.restock_refs.iter() {
        element(&|out| {
            out.tag(RESTOCK_REF);
            put_restock_ref(out, restock);
        });
    }
    for_each_place(sale, element);
    let Some(outbox) = &sale.outbox else { return };
    for record in outbox.read() {
        // One that cannot be read is no record.
        let Ok(record) = record else { continue };
        element(&|out| {
            out.tag(RECORD);
            put_outbox_record(out, &record);
        });
    }
}

/// Writes the rows of all units with names, in the order of coming.
fn for_each_row(sale: &Sale, element: &mut dyn FnMut(Write<'_>)) {
    let Some(named) = &sale.named else { return };
    for row in named.rows().iter() {
        element(&|out| {
            out.tag(ROW);
            put_row(out, named, row);
        });
    }
}

fn put_units_of(out: &mut Writer<'_>, units: &[UnitNumber]) {
    if !units.is_empty() {
        out.number(1);
        put_units_option(out, UNITS, units);
    }
}

/// Writes the lines, each followed by those who are in it.
fn for_each_place(sale: &Sale, element: &mut dyn FnMut(Write<'_>)) {
    let Some(waiting) = &sale.waiting else { return };
    for line in waiting.lines() {
        element(&|out| {
            out.tag(LINE);
            put_line(out, line);
        });
        for place in waiting.iter(line) {
            element(&|out| {
                out.tag(PLACE);
                put_place(out, &place);
            });
        }
    }
}

/// Feeds what makes two copies of a sale equal, one unordered element a call: the
/// elements of a snapshot, with secrets hashed, and the order of items, of the queues and of REFs.
pub fn digest(sale: &Sale, element: &mut dyn FnMut(&[u8])) {
    let mut bytes = Vec::new();
    for_each_element(sale, Secrets::Hashed, &mut |write| {
        bytes.clear();
        write(&mut Writer(&mut bytes));
        element(&bytes);
    });
    if sale.broken().is_some() {
        return;
    }
    let skus = rolling(sale.items.iter().map(|(sku, _, _)| Spelling::Bytes(sku)));
    let open = rolling(sale.reservations.iter_open().map(|(_, record)| record.id()));
    let late = rolling(sale.reservations.iter_late().map(|(_, record)| record.id()));
    let ended = rolling(
        sale.reservations
            .iter_ended()
            .map(|(_, record)| record.id()),
    );
    let restocks = rolling(
        sale.restock_refs
            .iter()
            .map(|restock| restock.reference.spelling()),
    );
    let mut out = Writer(&mut bytes);
    for order in [skus, open, late, ended, restocks] {
        out.number(order);
    }
    element(&bytes);
}

/// FNV-1a over names in order, each with its length.
fn rolling<'a>(names: impl Iterator<Item = Spelling<'a>>) -> u64 {
    let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    names.fold(0xcbf2_9ce4_8422_2325, |sum, name| {
        let packed;
        let bytes = match name {
            Spelling::Ulid(sixteen) | Spelling::Uuid(sixteen) => {
                packed = sixteen.bytes();
                &packed[..]
            }
            Spelling::Bytes(bytes) => bytes,
        };
        bytes
            .iter()
            .fold(mix(sum, bytes.len() as u8), |sum, &byte| mix(sum, byte))
    })
}

fn put_header(out: &mut Writer<'_>, sale: &Sale, secrets: Secrets) {
    let options = [
        sale.why_diverged().is_some(),
        sale.outbox.is_some(),
        has_past(sale),
        !sale.options.passkeys.is_empty(),
        sale.options.has_rates(),
        has_share(sale),
    ];
    let options = options.into_iter().map(u64::from).sum();
    out.tag_with_options(HEADER, options > 0);
    out.tag(SNAPSHOT_VERSION);
    out.wide(sale.sale_id);
    out.bytes(&sale.orders);
    put_options(out, &sale.options);
    out.number(sale.created_at_ms);
    out.number(sale.last_change_at_ms);
    out.option(sale.paused_at_ms, Writer::number);
    out.option(sale.closed_at_ms, Writer::number);
    out.flag(sale.users.tracks_items());
    out.flag(sale.had_one_item);
    out.number(sale.refunded);
    if options > 0 {
        out.number(options);
    }
    if let Some(reason) = sale.broken() {
        out.an_option(BROKEN, |out| out.bytes(reason.as_bytes()));
    } else if let Some(mark) = &sale.mark {
        out.an_option(MARK, |out| {
            put_mark_id(out, mark.id);
            out.bytes(mark.reason.as_bytes());
        });
    }
    if let Some(outbox) = &sale.outbox {
        out.an_option(OUTBOX, |out| put_counts(out, sale.options.events, outbox));
    }
    if has_past(sale) {
        out.an_option(WAITS, |out| put_past(out, sale));
    }
    let passkeys = &sale.options.passkeys;
    if !passkeys.is_empty() {
        out.an_option(PASSKEYS, |out| match secrets {
            Secrets::Written => put_passkeys(out, passkeys),
            Secrets::Hashed => out.list(passkeys.hashes().iter(), |out, hash| out.bytes(hash)),
        });
    }
    if sale.options.has_rates() {
        out.an_option(RATES, |out| put_rates(out, &sale.options));
    }
    if has_share(sale) {
        out.an_option(SHARE, |out| put_header_share(out, sale));
    }
}

/// Writes an item, with what is owed of it, or what is kept of it if its units have names.
fn put_item(
    out: &mut Writer<'_>,
    sku: &[u8],
    stock: Stock,
    base: i64,
    (owed, named): (u64, Option<NamedItem>),
) {
    // Units with names are never owed.
    out.tag_with_options(ITEM, owed > 0 || named.is_some());
    out.bytes(sku);
    out.number(stock.available);
    out.number(stock.reserved);
    out.number(stock.sold);
    out.signed(base);
    if owed > 0 {
        out.one_option(OWED, |out| out.number(owed));
    } else if let Some(named) = named {
        out.number(1 + u64::from(named.counted_until_ms.is_some()));
        out.an_option(NAMED, |out| out.flag(named.sealed));
        if let Some(until_ms) = named.counted_until_ms {
            out.an_option(COUNTED_UNTIL, |out| out.number(until_ms));
        }
    }
}

/// Appends a record with the units it has, or had.
fn put_record_whole(out: &mut Writer<'_>, sale: &Sale, slot: Slot, record: Reservation<'_>) {
    let units = units_kept(sale, slot, record);
    put_record(out, sale, record, !units.is_empty());
    put_units_of(out, &units);
}

/// Appends a record without its option.
fn put_record(out: &mut Writer<'_>, sale: &Sale, record: Reservation<'_>, has_option: bool) {
    let user = sale.users.name(record.user());
    let tag = match record.status() {
        Status::Open => OPEN,
        Status::Released => RELEASED,
        Status::InGrace => LATE,
        Status::Expired => EXPIRED,
        Status::Sold => ORDER,
    };
    out.tag_with_options(tag, has_option);
    out.name(record.id());
    out.option(user, Writer::name);
    match record.digest() {
        Some(digest) => {
            out.tag(DIGEST);
            out.wide(digest);
        }
        None if record.is_unseen() => out.tag(NO_CART),
        None => {
            out.tag(LINES);
            put_lines(out, &record.lines());
        }
    }
    let (reserved_at_ms, expires_at_ms) = (record.reserved_at_ms(), record.expires_at_ms());
    out.number(reserved_at_ms);
    // Most deadlines are a HOLD away from the making: fewer bytes than a moment.
    out.signed(expires_at_ms.cast_signed() - reserved_at_ms.cast_signed());
    if record.status() == Status::Released {
        out.number(record.ended_at_ms());
    }
    let Some(order) = record.order() else { return };
    out.number(order.sold_at_ms);
    put_entry(out, order.entry);
    out.option(order.reference.as_ref(), |out, name| {
        out.name(name.spelling())
    });
}

fn put_refund(out: &mut Writer<'_>, id: Spelling<'_>, refund: &RefundRecord) {
    let no_restock = match refund.no_restock {
        Some(false) => None,
        Some(true) => Some(true),
        None => Some(false),
    };
    let is_kept = no_restock.is_none() && !refund.restocked;
    let options = [no_restock.is_some(), is_kept, !refund.units.is_empty()];
    let options = options.into_iter().map(u64::from).sum();
    out.tag_with_options(REFUND, options > 0);
    out.name(id);
    out.option(refund.reference.as_ref(), |out, name| {
        out.name(name.spelling())
    });
    put_lines(out, &refund.cart.lines());
    put_entry(out, refund.entry);
    out.flag(refund.restores_limit);
    if options > 0 {
        out.number(options);
    }
    if let Some(was_asked) = no_restock {
        out.an_option(NO_RESTOCK, |out| out.flag(was_asked));
    }
    if !refund.units.is_empty() {
        put_units_option(out, REFUND_UNITS, &refund.units);
    }
    if is_kept {
        out.an_option(NOT_RESTOCKED, |_| {});
    }
}
