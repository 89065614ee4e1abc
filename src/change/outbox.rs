//! The entries that wait in the outbox of a sale with `EVENTS all`: written to the order stream,
//! or dropped where too many wait.
//!
//! | Who writes | When |
//! |---|---|
//! | a command that names the stream | before its own entry, see [`commit_order`]; its event says where |
//! | the timer | as soon as it may, see [`write`](fn@write): the event `Told` says where |
//! | a batch | as a command, before each of its own entries, see `batch_commit.rs` |
//!
//! Copies append the same entries at the same IDs. Nothing that a buyer reads changes by it, so
//! the sale is not signalled as modified: a WATCH on it should not break over one's own RESERVE.

use super::broken;
use super::carry::{Done, carry_out, count_rare, send};
use crate::config;
use crate::datatype::SaleKey;
use crate::error::Error;
use crate::ffi::{Ctx, Text};
use crate::news::News;
use crate::orders::OrdersKey;
use crate::timer::alarm;
use flashsale_engine::sale::{Change, Event, Pending, Sale, Told, ToldWriter};

/// What was written of the entries that wait.
#[derive(Default)]
pub struct Written {
    at: ToldWriter,
    /// What it cost, see `count_costing` of the outbox.
    pub cost: u64,
    /// Why it is not all that was to be written.
    pub stopped: Option<Error>,
}

impl Written {
    /// Appends the oldest entries that wait and count `most` together.
    pub(super) fn append(key: &SaleKey<'_>, orders: &mut OrdersKey<'_>, most: u64) -> Written {
        let mut written = Written::default();
        let sale = key.sale();
        let (count, cost) = sale
            .outbox()
            .map_or((0, 0), |outbox| outbox.count_costing(most));
        if count > 0 {
            written.cost = cost;
            let appended = orders.append_waiting(key.name(), sale, count, &mut written.at);
            written.stopped = appended.err();
        }
        written
    }

    /// Returns where it stands in the stream.
    pub(super) fn told(&mut self) -> Told<'_> {
        self.at.finish()
    }
}

/// Reports whether entries wait that a command which names the stream may write. At `maxmemory`
/// they wait on: they are no reason to run out of memory.
pub(super) fn may_write(ctx: Ctx<'_>, sale: &Sale) -> bool {
    let waiting = sale.outbox().map_or(0, |outbox| outbox.waiting());
    waiting > 0 && !ctx.flags().is_out_of_memory()
}

/// Carries out an order or a refund behind the entries that wait, as many as `sweep-max` counts.
///
/// # Errors
///
/// The order stream takes no entry, or not its own one. What was written before it is committed.
#[inline(never)]
pub(super) fn commit_order<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    orders: &mut OrdersKey<'c>,
    pending: Pending<'_>,
    id: Text<'_>,
    news: &mut News<'c>,
) -> Result<Done, Error> {
    drop_above(ctx, key);
    let mut written = Written::default();
    if may_write(ctx, key.sale()) {
        written = Written::append(key, orders, config::sweep_max().into());
    }
    match orders.append(key.name(), key.sale(), &pending, id) {
        Ok(entry) => {
            let event = pending.telling(written.told()).entered(entry);
            Ok(carry_out(ctx, key, Some(orders.name()), &event, news))
        }
        Err(error) => {
            commit_written(ctx, key, orders.name(), &mut written, news);
            Err(error)
        }
    }
}

/// Writes the oldest entries that wait and count `most` together; returns what was written.
pub fn write<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    orders: &mut OrdersKey<'c>,
    most: u64,
    news: &mut News<'c>,
) -> Written {
    let mut written = Written::append(key, orders, most);
    commit_written(ctx, key, orders.name(), &mut written, news);
    written
}

/// Commits what was written by itself, if anything was.
fn commit_written<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    orders: Text<'c>,
    written: &mut Written,
    news: &mut News<'c>,
) {
    let told = written.told();
    if told.is_empty() {
        return;
    }
    let event = Event {
        at_ms: key.sale().last_change_at_ms(),
        change: Change::Told(told),
    };
    carry_out_of_outbox(ctx, key, Some(orders), &event);
    announce_entries(ctx, orders, news);
}

/// Drops the oldest entries, if those that wait count more than `events-max`.
#[inline(never)]
pub fn drop_above(ctx: Ctx<'_>, key: &mut SaleKey<'_>) {
    if let Some(event) = plan_drop(key.sale()) {
        carry_out_of_outbox(ctx, key, None, &event);
    }
}

/// Plans what [`drop_above`] carries out. An event of the outbox leaves the sale's time alone,
/// and so bears it.
pub(super) fn plan_drop(sale: &Sale) -> Option<Event<'static>> {
    sale.plan_drop(sale.last_change_at_ms(), config::events_max())
}

/// Carries out a change of the outbox alone, and sends it on.
fn carry_out_of_outbox(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    orders: Option<Text<'_>>,
    event: &Event<'_>,
) {
    send(ctx, key.name(), orders, event);
    key.apply(event);
    broken::look(ctx, key);
    count_rare(event);
}

/// Appends the entries of an event that was decided elsewhere, at their IDs: those that waited,
/// then its own.
///
/// # Errors
///
/// The stream has no room below an ID.
pub(super) fn append_again(
    key: &SaleKey<'_>,
    orders: &mut OrdersKey<'_>,
    event: &Event<'_>,
) -> Result<(), Error> {
    let told = event.change.told();
    if !told.is_empty() {
        orders.append_waiting_again(key.name(), key.sale(), told)?;
    }
    if event.entry().is_some() {
        orders.append_again(key.name(), key.sale(), event)?;
    }
    Ok(())
}

/// Tells this server of a change of the outbox that was decided elsewhere.
pub(super) fn follow<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    entries_in: Option<Text<'c>>,
    news: &mut News<'c>,
) {
    if let Some(orders) = entries_in {
        announce_entries(ctx, orders, news);
    }
    alarm::note(ctx, key);
}

/// Tells the server that entries were appended to a stream, however many.
pub(super) fn announce_entries<'c>(ctx: Ctx<'_>, orders: Text<'c>, news: &mut News<'c>) {
    ctx.signal_modified(orders);
    news.note_entry(orders);
}
