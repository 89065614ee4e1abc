//! Writes the entries that wait in a sale to its order stream, if that takes them now.
//!
//! | The stream | |
//! |---|---|
//! | is not there | it is made |
//! | holds another type, or is at its last ID | waits |
//! | its slot moves, and one of the two keys is not here; the slot is not ours | waits, and makes no stream |
//! | the server is above `maxmemory` | waits: entries are no reason to run out of memory |
//!
//! While clients are paused, on a replica and while the server loads, the timer does not go off.
//!
//! A stream that was made on the wrong side of a moving slot would be a `BUSYKEY` that stops the
//! move. Only the server knows what moves, so it is asked, once for each sale and go.
//!
//! Edge: what is written, and the event that says so, is `change/outbox.rs`.

use crate::change::outbox;
use crate::datatype::SaleKey;
use crate::ffi::{Ctx, Taken, Text};
use crate::info::{self, Wait};
use crate::news::News;
use crate::orders::OrdersKey;

/// Wait until a stream that takes no entry is tried again, in milliseconds.
const RETRY_MS: u64 = 100;
/// A look at a sale counts as so many entries at least, by the time it takes.
const LOOK_COSTS: u64 = 4;
/// The same in a cluster, where the server is asked about the slot.
const LOOK_COSTS_IN_CLUSTER: u64 = 10;

/// Writes the oldest entries that wait, within the budget, to the stream of this name; returns
/// after how many milliseconds to look again if any are left.
pub(super) fn tell<'c>(
    ctx: Ctx<'c>,
    key: &mut SaleKey<'_>,
    name: Text<'c>,
    budget: &mut u64,
    news: &mut News<'c>,
) -> u64 {
    outbox::drop_above(ctx, key);
    let is_cluster = ctx.flags().is_cluster();
    let cost = if is_cluster {
        LOOK_COSTS_IN_CLUSTER
    } else {
        LOOK_COSTS
    };
    let most = *budget;
    *budget = most.saturating_sub(cost);
    let wait = match open(ctx, key.name(), name, is_cluster) {
        Ok(mut orders) => {
            let written = outbox::write(ctx, key, &mut orders, most, news);
            *budget = most.saturating_sub(written.cost.max(cost));
            match written.stopped {
                None => Wait::Nothing,
                Some(_) => Wait::AtLastId,
            }
        }
        Err(wait) => wait,
    };
    let since_ms = key.sale().outbox().and_then(|outbox| outbox.first_at_ms());
    match (wait, since_ms) {
        (Wait::Nothing, _) | (_, None) => 1,
        (wait, Some(since_ms)) => {
            info::note_wait(since_ms, wait);
            RETRY_MS
        }
    }
}

/// Opens the stream, if it takes entries of this sale now.
fn open<'c>(
    ctx: Ctx<'c>,
    key: Text<'_>,
    name: Text<'c>,
    is_cluster: bool,
) -> Result<OrdersKey<'c>, Wait> {
    if ctx.flags().is_out_of_memory() {
        return Err(Wait::OutOfMemory);
    }
    let taken = match is_cluster {
        true => ctx.takes_keys(key, name),
        false => Taken::Here,
    };
    if taken == Taken::Elsewhere {
        return Err(Wait::Elsewhere);
    }
    let orders = OrdersKey::open_any(ctx, name).map_err(|_| Wait::WrongType)?;
    if taken == Taken::Unknown && !orders.is_there() {
        return Err(Wait::Elsewhere);
    }
    Ok(orders)
}
