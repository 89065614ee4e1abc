//! What every change of a sale goes through, wherever it was decided: it is sent on, carried
//! out, signalled and counted.
//!
//! What is sent on is the event, `FLASHSALE.APPLY key [orders] event`. A request sent
//! on would be decided again, by another clock.
//!
//! Edge: for the other files of this folder. Appends no entry.

use std::ffi::CStr;

use super::broken;
use crate::datatype::SaleKey;
use crate::ffi::{Ctx, Text};
use crate::info;
use crate::news::News;
use crate::rehearsal::{self, Point};
use crate::scratch;
use crate::scripts;
use crate::timer::alarm;
use flashsale_engine::sale::{EntryId, Event, Sale, Slot, StockChange, StockChanges, encode_event};

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

/// Carries out an event, sends it on and announces it. Its entry, if it has one, is in the
/// stream `entry_in` by then.
#[inline]
pub(super) fn carry_out<'c>(
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
    for (_, change) in stock {
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
#[inline(always)]
pub(super) fn count(event: &Event<'_>) {
    event.change.count(info::count_deed);
}

/// As [`count`], for changes that are rare: the code of [`count`] is to stay where it is hot.
#[cold]
#[inline(never)]
pub(super) fn count_rare(event: &Event<'_>) {
    count(event);
}
