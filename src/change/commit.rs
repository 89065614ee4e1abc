//! The one way a sale changes: carried out, sent on and signalled in one function, which
//! also notes the news that listeners are told once the key is closed. [`commit`] and
//! [`commit_order`] do so for an event decided here, `replay.rs` for one that was decided
//! elsewhere.
//!
//! What is sent on is the event, `FLASHSALE.APPLY key [orders] event`. A request sent
//! on would be decided again, by another clock.

use std::ffi::CStr;

use super::broken;
use crate::datatype::{self, SaleKey};
use crate::error::Error;
use crate::ffi::{Ctx, Text};
use crate::info;
use crate::names;
use crate::news::News;
use crate::orders::OrdersKey;
use crate::rehearsal::{self, Point};
use crate::scratch;
use crate::scripts;
use crate::timer::alarm;
use flashsale_engine::sale::{
    EntryId, Event, Pending, Sale, Slot, StockChange, StockChanges, encode_event,
};

/// The command that carries events.
pub(super) const APPLY: &CStr = c"FLASHSALE.APPLY";

/// What there is to reply about an event that was carried out.
pub struct Done {
    /// The one reservation it was about.
    pub slot: Option<Slot>,
    /// Of a new reservation: the units that count against its user's limits now.
    pub counted: u64,
    /// Where its entry stands in the order stream; 0-0 without one.
    pub entry: EntryId,
}

/// Carries out an event that was just planned for this sale, and sends it on.
pub fn commit(ctx: Ctx<'_>, key: &mut SaleKey<'_>, event: &Event<'_>, news: &mut News<'_>) -> Done {
    debug_assert_eq!(event.entry(), None);
    carry_out(ctx, key, None, event, news)
}

/// As [`commit`], for an order or a refund, whose entry it appends; `id` is that of the
/// reservation as the client spelled it.
///
/// The order matters: the entry comes first, because appending can fail; everything
/// after it cannot.
///
/// # Errors
///
/// The order stream takes no entry. Nothing has changed then.
pub fn commit_order<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    orders: &mut OrdersKey<'c>,
    pending: Pending<'_>,
    id: Text<'_>,
    news: &mut News<'c>,
) -> Result<Done, Error> {
    let entry = orders.append(key.name(), key.sale(), &pending, id)?;
    let event = pending.entered(entry);
    Ok(carry_out(ctx, key, Some(orders.name()), &event, news))
}

fn carry_out<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    entry_in: Option<Text<'c>>,
    event: &Event<'_>,
    news: &mut News<'c>,
) -> Done {
    count_clock_step(key.sale(), event);
    // Where a script at `maxmemory` asked for a reservation, it is known to have changed
    // something before.
    if !event.change.makes_reservation() {
        scripts::note_change(ctx);
    }
    // Before it is carried out: should that panic, an entry that is in the stream is an order
    // of every copy.
    send(ctx, key.name(), entry_in, event);
    rehearsal::panic_at(Point::Apply, key.name().bytes());
    let applied = key.apply(event);
    broken::look(ctx, key);
    announce(ctx, key, entry_in, event, &applied.stock, news);
    count(event);
    Done {
        slot: applied.slot,
        counted: applied.counted,
        entry: event.entry().unwrap_or_default(),
    }
}

/// Makes a sale from a `Created` event, and sends it on.
///
/// # Errors
///
/// The server does not take the value.
pub fn commit_creation(ctx: Ctx<'_>, name: Text<'_>, event: &Event<'_>) -> Result<(), Error> {
    let sale =
        Sale::create(event, names::hasher()).ok_or_else(|| Error::new("key: not a new sale"))?;
    let mut news = News::about(ctx, name);
    let mut key = datatype::create(ctx, name, sale)?;
    send(ctx, name, None, event);
    scripts::note_change(ctx);
    announce(ctx, &mut key, None, event, &StockChanges::new(), &mut news);
    count(event);
    Ok(())
}

#[inline(always)]
pub(super) fn send(ctx: Ctx<'_>, key: Text<'_>, orders: Option<Text<'_>>, event: &Event<'_>) {
    scratch::with(|bytes| {
        encode_event(event, bytes);
        ctx.replicate(APPLY, key, orders, bytes);
    });
}

/// Tells the server what changed and the timer when to look again, and notes what
/// listeners are to be told.
#[inline(always)]
pub(super) fn announce<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    entry_in: Option<Text<'c>>,
    event: &Event<'_>,
    stock: &StockChanges,
    news: &mut News<'c>,
) {
    ctx.signal_modified(key.name());
    if let Some(orders) = entry_in {
        ctx.signal_modified(orders);
        news.note_entry(orders);
    }
    if event.change.moves_key_expiry() {
        let expires_at_ms = key.sale().key_expires_at_ms();
        key.set_expiry(expires_at_ms);
    }
    alarm::note(ctx, key);
    note_news(event, stock, news);
}

/// Notes what listeners are to be told of an event of the sale.
#[inline(always)]
pub(super) fn note_news(event: &Event<'_>, stock: &StockChanges, news: &mut News<'_>) {
    if let Some(name_of_event) = event.change.keyspace_event() {
        news.note(name_of_event);
    }
    for change in stock {
        news.note(match change {
            StockChange::AllReserved => c"flashsale.allreserved",
            StockChange::SoldOut => c"flashsale.soldout",
            StockChange::BackInStock => c"flashsale.backinstock",
        });
    }
}

/// A change that is older than the sale's last one: the clock stepped back so far that
/// it was believed.
pub(super) fn count_clock_step(sale: &Sale, event: &Event<'_>) {
    if sale.time(event.at_ms).stepped_back {
        info::CLOCK_STEPS_BACK.add(1);
    }
}

/// Counts what was decided here; a replica counts its replays alone.
#[inline]
pub(super) fn count(event: &Event<'_>) {
    event.change.count(info::count_deed);
}
