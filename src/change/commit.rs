//! The one way a sale changes: carried out, sent on and signalled in one function, which
//! also notes the news that listeners are told once the key is closed. [`commit`] and
//! [`commit_order`] do so for an event decided here, `replay.rs` for one that was decided
//! elsewhere.

use super::carry::{Done, announce, carry_out, count_rare, send};
use super::outbox;
use crate::datatype::{self, SaleKey};
use crate::error::Error;
use crate::ffi::{Ctx, Text};
use crate::names;
use crate::news::News;
use crate::orders::OrdersKey;
use crate::scripts;
use flashsale_engine::sale::{Event, Pending, Sale, StockChanges};

/// Carries out an event that was just planned for this sale, and sends it on.
pub fn commit(ctx: Ctx<'_>, key: &mut SaleKey<'_>, event: &Event<'_>, news: &mut News<'_>) -> Done {
    debug_assert_eq!(event.entry(), None);
    if key.sale().outbox().is_some() {
        outbox::drop_above(ctx, key);
    }
    carry_out(ctx, key, None, event, news)
}

/// As [`commit`], for an order or a refund, whose entry it appends; `id` is that of the
/// reservation as the client spelled it.
///
/// The order matters: the entry comes first, because appending can fail; everything
/// after it cannot. What waits in the outbox is written before it.
///
/// # Errors
///
/// The order stream takes no entry. Nothing has changed then, but for entries that waited and
/// were written.
pub fn commit_order<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    orders: &mut OrdersKey<'c>,
    pending: Pending<'_>,
    id: Text<'_>,
    news: &mut News<'c>,
) -> Result<Done, Error> {
    if key.sale().outbox().is_some() {
        return outbox::commit_order(ctx, key, orders, pending, id, news);
    }
    let entry = orders.append(key.name(), key.sale(), &pending, id)?;
    let event = pending.entered(entry);
    Ok(carry_out(ctx, key, Some(orders.name()), &event, news))
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
    count_rare(event);
    Ok(())
}
