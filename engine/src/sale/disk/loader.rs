//! A sale from the bytes of a snapshot: the one distrustful decoder.
//!
//! RDB, RESTORE, AOF and the tests all come through here. Nothing is believed: no
//! length, no name, no count, and in the end the whole sale is recounted. Damage is
//! an error, never a guess, and costs memory in proportion to the bytes received.
//!
//! Edge: the format is `snapshot.rs`.

use crate::sale::book::named::UnitList;
use crate::sale::book::reservation::{CartOf, NewReservation, OrderRecord, Reservation, Status};
use crate::sale::book::user::Account;
use crate::sale::book::users::UserSlot;
use crate::sale::disk::chains::{Chains, take_position};
use crate::sale::disk::item::take_item;
use crate::sale::disk::kept::{DIGEST, LINES, NO_CART};
use crate::sale::disk::line::{LineLoading, take_past};
use crate::sale::disk::outbox::{take_counts, take_record as take_outbox_record};
use crate::sale::disk::restock::take_restock_ref;
use crate::sale::disk::shares::{take_header_share, take_pair};
use crate::sale::disk::snapshot::{
    BROKEN, CHUNK_BYTES, END, EXPIRED, HEADER, ITEM, LATE, LINE, MARK, NO_RESTOCK, NOT_RESTOCKED,
    OPEN, ORDER, OUTBOX, PASSKEYS, PLACE, RATES, RECORD, REFUND, REFUND_UNITS, RELEASED,
    RESTOCK_REF, ROW, SHARE, SHARES, SNAPSHOT_VERSION, WAITS,
};
use crate::sale::disk::units::{load_units, take_row, take_units_of};
use crate::sale::event::apply::{new_reservation, signed};
use crate::sale::event::parts::{
    take_entry, take_integer, take_lines, take_mark_id, take_moment, take_options, take_passkeys,
    take_rates, take_reason,
};
use crate::sale::event::told::Told;
use crate::sale::event::units_codec::take_units;
use crate::sale::event::{Created, Refund};
use crate::sale::state::{Mark, Sale};
use crate::sale::units::{INTEGER_MAX, Line, Lines, ORDERS_BYTES_MAX, units_of};
use crate::table::hash::Hasher;
use crate::table::slab::NONE;
use crate::wire::{CodecError, NameReader};

/// Largest element that is put together from chunks, in bytes. The largest there can
/// be is a cart of every item of a sale: 100,000 lines of at most 14 bytes.
const ELEMENT_BYTES_MAX: usize = 16 << 20;

/// Puts a sale together from the chunks of a snapshot.
pub struct Loader {
    hasher: Hasher,
    /// Bytes of an element whose end has not come yet.
    pending: Vec<u8>,
    /// How many bytes to have before that element is tried again: doubled each time,
    /// so that a forged one costs no more than its own length.
    retry_at: usize,
    /// Of the snapshot, from its header.
    version: u8,
    chains: Chains,
    line: LineLoading,
    /// Of the last record of the outbox.
    last_seq: u64,
    sale: Option<Sale>,
    /// The chunk before was the last.
    is_over: bool,
    is_complete: bool,
}

impl Loader {
    /// `hasher` is the one that hashes the sale's names from now on.
    pub fn new(hasher: Hasher) -> Loader {
        Loader {
            hasher,
            pending: Vec::new(),
            retry_at: 0,
            version: 0,
            chains: Chains::default(),
            line: LineLoading::default(),
            last_seq: 0,
            sale: None,
            is_over: false,
            is_complete: false,
        }
    }

    /// Takes the next chunk; true when the snapshot is complete.
    ///
    /// # Errors
    ///
    /// When the bytes are damaged, of another version, too few or too many. The
    /// loader is of no more use then.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, CodecError> {
        if self.is_over || chunk.len() > CHUNK_BYTES {
            return Err(CodecError::Invalid("the length of a chunk"));
        }
        self.is_over = chunk.len() < CHUNK_BYTES;
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(chunk);
        if self.is_over || bytes.len() >= self.retry_at {
            let read = self.take_elements(&bytes)?;
            bytes.drain(..read);
            self.retry_at = 2 * bytes.len();
        }
        if bytes.len() > ELEMENT_BYTES_MAX {
            return Err(CodecError::Invalid("an element too large"));
        }
        self.pending = bytes;
        if self.is_over && !self.is_complete {
            return Err(CodecError::Truncated);
        }
        Ok(self.is_over)
    }

    /// Heap bytes of what was put together so far.
    pub fn heap_bytes(&self) -> usize {
        self.pending.capacity() + self.sale.as_ref().map_or(0, Sale::memory_bytes)
    }

    /// Takes all elements that are whole and says how many bytes they had.
    fn take_elements(&mut self, bytes: &[u8]) -> Result<usize, CodecError> {
        let mut from = NameReader::new(bytes, self.hasher);
        let mut rest = bytes.len();
        while rest > 0 {
            if self.is_complete {
                return Err(CodecError::Invalid("bytes after the end"));
            }
            match self.take_element(&mut from) {
                Ok(()) => rest = from.rest().len(),
                Err(CodecError::Truncated) => break,
                Err(invalid) => return Err(invalid),
            }
        }
        Ok(bytes.len() - rest)
    }

    /// The sale, recounted.
    ///
    /// # Errors
    ///
    /// When the snapshot is not complete, or its numbers do not add up.
    pub fn finish(self) -> Result<Sale, CodecError> {
        let Some(mut sale) = self.sale.filter(|_| self.is_complete) else {
            return Err(CodecError::Truncated);
        };
        self.chains.finish(&mut sale)?;
        // A broken sale does not add up, and takes no command.
        let adds_up = || sale.broken().is_some() || sale.audit().is_empty();
        if sale.items.len() == 0 || !adds_up() {
            return Err(CodecError::Invalid("the numbers do not add up"));
        }
        Ok(sale)
    }

    fn take_element(&mut self, from: &mut NameReader<'_>) -> Result<(), CodecError> {
        let (tag, has_options) = from.tag_with_options()?;
        if tag == HEADER && self.sale.is_none() {
            let (version, sale) = take_header(from, self.hasher, has_options)?;
            self.version = version;
            self.sale = Some(sale);
            return Ok(());
        }
        if has_options && self.version < 3 {
            return Err(CodecError::Invalid("the tag of an element"));
        }
        if has_options && !matches!(tag, ITEM | OPEN | LATE | ORDER | REFUND) {
            return Err(CodecError::Newer("an option of an element"));
        }
        let (version, chains) = (self.version, &mut self.chains);
        let Some(sale) = &mut self.sale else {
            return Err(CodecError::Invalid("no header"));
        };
        if sale.broken().is_some() && !matches!(tag, ITEM | END) {
            return Err(CodecError::Invalid("a record of a broken sale"));
        }
        match tag {
            ITEM => take_item(from, version, sale, has_options),
            SHARES if version >= 3 => take_pair(from, sale),
            ROW if version >= 3 => take_row(from, sale),
            OPEN => take_record(from, version, sale, chains, Status::Open, has_options),
            RELEASED => take_record(from, version, sale, chains, Status::Released, false),
            LATE => take_record(from, version, sale, chains, Status::InGrace, has_options),
            // Before version 3 nothing told the end of a GRACE.
            EXPIRED if version < 3 && sale.options.grace_ms > 0 => {
                take_record(from, version, sale, chains, Status::InGrace, false)
            }
            EXPIRED => take_record(from, version, sale, chains, Status::Expired, false),
            ORDER => take_record(from, version, sale, chains, Status::Sold, has_options),
            REFUND => take_refund(from, version, sale, has_options),
            RESTOCK_REF => take_restock_ref(from, version, sale),
            LINE if version >= 3 => self.line.take_line(from, sale),
            PLACE if version >= 3 => self.line.take_place(from, sale),
            RECORD if version >= 3 => take_outbox_record(from, sale, &mut self.last_seq),
            END => {
                let counts = (from.number()?, from.number()?);
                if counts != (sale.items.len() as u64, sale.reservations.len() as u64) {
                    return Err(CodecError::Invalid("the counts at the end"));
                }
                self.line.end(sale)?;
                self.is_complete = true;
                Ok(())
            }
            _ => Err(CodecError::Newer("an element")),
        }
    }
}

fn take_header(
    from: &mut NameReader<'_>,
    hasher: Hasher,
    has_options: bool,
) -> Result<(u8, Sale), CodecError> {
    let version = from.tag()?;
    match version {
        0 => return Err(CodecError::Invalid("the version of a snapshot")),
        1..=SNAPSHOT_VERSION => {}
        _ => return Err(CodecError::Newer("a snapshot")),
    }
    let sale_id = from.wide()?;
    let created = Created {
        sale_id,
        share_id: sale_id,
        orders: from.bytes(ORDERS_BYTES_MAX)?,
        options: take_options(from)?,
        items: Vec::new(),
    };
    let created_at_ms = take_moment(from)?;
    let last_change_at_ms = take_moment(from)?;
    let paused_at_ms = from.option(take_integer)?;
    let closed_at_ms = from.option(take_integer)?;
    let tracks_items = from.flag()?;
    let had_one_item = from.flag()?;
    let mut sale = Sale::empty(&created, created_at_ms, tracks_items, hasher);
    sale.last_change_at_ms = last_change_at_ms;
    sale.paused_at_ms = paused_at_ms;
    sale.closed_at_ms = closed_at_ms;
    sale.had_one_item = had_one_item;
    sale.refunded = from.number()?;
    if has_options {
        if version < 3 {
            return Err(CodecError::Invalid("the tag of an element"));
        }
        from.options(|tag, value| take_header_option(tag, value, &mut sale))?;
    }
    if sale.options.item_limit.is_some() && !tracks_items {
        return Err(CodecError::Invalid("the options"));
    }
    Ok((version, sale))
}

/// Reads an option of the header; false if there is none of this tag.
fn take_header_option(
    tag: u8,
    value: &mut NameReader<'_>,
    sale: &mut Sale,
) -> Result<bool, CodecError> {
    match tag {
        MARK => {
            sale.mark = Some(Mark {
                id: take_mark_id(value)?,
                reason: take_reason(value)?.into(),
            });
        }
        BROKEN => {
            sale.break_off(take_reason(value)?);
        }
        OUTBOX => {
            take_counts(value, sale)?;
        }
        WAITS => {
            take_past(value, sale)?;
        }
        PASSKEYS => {
            sale.options.passkeys = take_passkeys(value)?;
        }
        RATES => {
            take_rates(value, &mut sale.options)?;
        }
        SHARE => {
            take_header_share(value, sale)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn take_record(
    from: &mut NameReader<'_>,
    version: u8,
    sale: &mut Sale,
    chains: &mut Chains,
    status: Status,
    has_options: bool,
) -> Result<(), CodecError> {
    let id = from.name()?;
    let user = from.option(NameReader::name)?;
    let (mut lines, mut digest) = (Lines::new(), None);
    match from.tag()? {
        NO_CART => {}
        LINES => lines = take_lines(from)?,
        DIGEST if version >= 3 && status.is_final() => digest = Some(from.wide()?),
        _ => return Err(CodecError::Invalid("a cart")),
    }
    let reserved_at_ms = take_moment(from)?;
    let expires_at_ms = u64::try_from(from.signed()?.saturating_add(reserved_at_ms.cast_signed()))
        .map_err(|_| CodecError::Invalid("a deadline"))?;
    let mut order = None;
    let mut new = NewReservation {
        status,
        expires_at_ms,
        cart: digest.map_or(CartOf::Lines(&lines), CartOf::Digest),
        ..new_reservation(id, NONE, &[], reserved_at_ms)
    };
    let mut position = None;
    let is_out_of_order = match status {
        Status::Open => {
            position = Some(take_position(from, version)?);
            sale.reservations.deadlines().last_ms() > Some(expires_at_ms)
        }
        Status::Released => {
            new.ended_at_ms = take_moment(from)?;
            sale.reservations.ended().last_ms() > Some(new.ended_at_ms)
        }
        Status::InGrace => sale.reservations.late().last_ms() > Some(expires_at_ms),
        Status::Expired => sale.reservations.ended().last_ms() > Some(expires_at_ms),
        Status::Sold => {
            order = Some(take_order(from)?);
            false
        }
    };
    let units = take_units_of(from, has_options)?;
    touch_next(*from, sale);
    let is_unseen = lines.is_empty() && digest.is_none();
    let is_released = status == Status::Released;
    let may_be = (is_unseen && is_released) || (!is_unseen && user.is_some());
    let has_item = |line: &Line| (line.item as usize) < sale.items.len();
    if !may_be
        || !lines.iter().all(has_item)
        || expires_at_ms > INTEGER_MAX
        || is_out_of_order
        || sale.reservations.find(id).is_some()
        || sale.find_place(id).is_some()
    {
        return Err(CodecError::Invalid("a reservation"));
    }
    if let Some(user) = user {
        new.user = sale.users.retain(user);
    }
    if let Some(position) = position {
        chains.note(sale, sale.reservations.next_slot(), new.user, &position);
    }
    sale.count_loaded(new.user, status, &lines);
    let slot = sale.reservations.insert(&new, order, &mut sale.users);
    load_units(sale, slot, status, &lines, &units)
}

/// Fetches what the next record will look at, while this one is put in its place: what a
/// load waits for most is memory.
fn touch_next(mut from: NameReader<'_>, sale: &Sale) {
    if let Ok((OPEN | RELEASED | LATE | EXPIRED | ORDER, _)) = from.tag_with_options()
        && let Ok(id) = from.name()
        && let Ok(user) = from.option(NameReader::name)
    {
        sale.touch(Some(&id), user.as_ref());
    }
}

fn take_order(from: &mut NameReader<'_>) -> Result<OrderRecord, CodecError> {
    let sold_at_ms = take_moment(from)?;
    let entry = take_entry(from)?;
    let reference = from.option(NameReader::spelling)?;
    Ok(OrderRecord::new(sold_at_ms, entry, reference))
}

fn take_refund(
    from: &mut NameReader<'_>,
    version: u8,
    sale: &mut Sale,
    has_options: bool,
) -> Result<(), CodecError> {
    let id = from.name()?;
    let reference = from.option(NameReader::spelling)?;
    let lines = take_lines(from)?;
    let entry = take_entry(from)?;
    let restores_limit = from.flag()?;
    let mut no_restock = (version >= 3).then_some(false);
    let (mut restocked, mut units) = (true, UnitList::new());
    if has_options {
        from.options(|tag, value| {
            match tag {
                NO_RESTOCK => no_restock = value.flag()?.then_some(true),
                NOT_RESTOCKED if no_restock == Some(false) => {}
                REFUND_UNITS => {
                    units = take_units(value)?;
                    return Ok(true);
                }
                _ => return Ok(false),
            }
            restocked = false;
            Ok(true)
        })?;
    }
    let refund = Refund {
        units,
        id,
        lines,
        reference,
        restocks: false,
        restores_limit,
        no_restock,
        entry,
        told: Told::default(),
    };
    let are_its_units = match &sale.named {
        Some(named) => named.fitted(&refund.lines, &refund.units),
        None => refund.units.is_empty(),
    };
    if !are_its_units || sale.check_refund(&refund).is_err() {
        return Err(CodecError::Invalid("a refund"));
    }
    let Some(slot) = sale.reservations.find(id) else {
        return Err(CodecError::Invalid("a refund"));
    };
    let user = sale.record(slot).map_or(NONE, Reservation::user);
    let units = signed(units_of(&refund.lines));
    sale.users.account(
        user,
        Account {
            sold: -units,
            ..Account::default()
        },
    );
    if restores_limit {
        sale.count_limits(user, &refund.lines, -1);
    }
    sale.note_refund(slot, &refund, restocked);
    Ok(())
}

impl Sale {
    /// Adds a loaded reservation to its user's sums. The items bring their own, which are
    /// held against the reservations in the end.
    fn count_loaded(&mut self, user: UserSlot, status: Status, lines: &[Line]) {
        let units = signed(units_of(lines));
        let counts = match status {
            Status::Open => Account {
                reserved: units,
                ..Account::default()
            },
            Status::Sold => Account {
                sold: units,
                ..Account::default()
            },
            Status::Released | Status::InGrace | Status::Expired => return,
        };
        self.users.account(user, counts);
        self.count_limits(user, lines, 1);
    }

    fn count_limits(&mut self, user: UserSlot, lines: &[Line], sign: i64) {
        let counted = sign * signed(units_of(lines));
        self.users.account(
            user,
            Account {
                counted,
                ..Account::default()
            },
        );
        for line in lines {
            self.users.count(user, line.item, sign * signed(line.qty));
        }
    }
}
