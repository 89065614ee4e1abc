//! The one way a sale changes: carried out, sent on and signalled in one function, which
//! also notes the news that listeners are told once the key is closed. [`commit`] and
//! [`commit_order`] do so for an event decided here, [`replay`] for one that was decided
//! elsewhere: in a primary, before a restart, or where the sale's slot comes from.
//!
//! What is sent on is the event, `FLASHSALE.APPLY key [orders] event`. A request sent
//! on would be decided again, by another clock.

use std::ffi::CStr;

use crate::clock;
use crate::damage::{self, Damage};
use crate::datatype::{self, SaleKey};
use crate::error::{Error, echo};
use crate::expiry;
use crate::ffi::{Call, Ctx, Text};
use crate::info::{self, Outcome};
use crate::names;
use crate::news::News;
use crate::orders::OrdersKey;
use crate::sale::{
    Change, EntryId, Event, Sale, Slot, StockChange, StockChanges, decode_event, encode_event,
};
use crate::scratch;
use crate::scripts;

/// The command that carries events.
const APPLY: &CStr = c"FLASHSALE.APPLY";

/// What there is to reply about an event that was carried out.
pub struct Done {
    /// The one reservation it was about.
    pub slot: Option<Slot>,
    /// Where its entry stands in the order stream; 0-0 without one.
    pub entry: EntryId,
}

/// Carries out an event that was just planned for this sale, and sends it on.
pub fn commit(ctx: Ctx<'_>, key: &mut SaleKey<'_>, event: &Event<'_>, news: &mut News<'_>) -> Done {
    debug_assert!(!event.has_entry());
    carry_out(ctx, key, None, event, news)
}

/// As [`commit`], for an event with an entry of the order stream.
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
    event: &mut Event<'_>,
    news: &mut News<'c>,
) -> Result<Done, Error> {
    let entry = orders.append(key.name(), key.sale(), event, None)?;
    event.set_entry(entry);
    Ok(carry_out(ctx, key, Some(orders.name()), event, news))
}

fn carry_out<'c>(
    ctx: Ctx<'_>,
    key: &mut SaleKey<'_>,
    entry_in: Option<Text<'c>>,
    event: &Event<'_>,
    news: &mut News<'c>,
) -> Done {
    count_clock_step(key.sale(), event);
    if !is_new_reservation(&event.change) {
        scripts::note_change(ctx);
    }
    let applied = key.apply(event);
    send(ctx, key.name(), entry_in, event);
    announce(ctx, key, entry_in, event, &applied.stock, news);
    count(event);
    Done {
        slot: applied.slot,
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

fn send(ctx: Ctx<'_>, key: Text<'_>, orders: Option<Text<'_>>, event: &Event<'_>) {
    scratch::with(|bytes| {
        encode_event(event, bytes);
        ctx.replicate(APPLY, key, orders, bytes);
    });
}

/// Who sends a line that was decided elsewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Primary,
    Aof,
    /// The server that gives the slot of the key to this one.
    SlotImport,
}

impl Sender {
    /// # Errors
    ///
    /// The line comes from a client.
    fn of(ctx: Ctx<'_>) -> Result<Sender, Error> {
        let flags = ctx.flags();
        if flags.is_slot_import() {
            Ok(Sender::SlotImport)
        } else if flags.is_loading() {
            Ok(Sender::Aof)
        } else if flags.is_replicated() {
            Ok(Sender::Primary)
        } else {
            Err(Error::new(
                "internal: only a primary and an AOF may send this command",
            ))
        }
    }
}

/// Carries out a line that was decided elsewhere, and replies. What fits is passed on as it
/// came by `carry_out`, before anybody hears of it.
///
/// What does not fit is no error to a primary: a replica that answers its primary with one
/// stops replicating, or ends itself. It is counted and left out, here and in this server's
/// own AOF, where it would end the next start; and the sale is marked. Of an AOF it ends the
/// start, see [`damage::meet`]. The source of a slot import is told: the server then gives
/// the import up and deletes what has come of it, and the source keeps the slot.
///
/// # Errors
///
/// The line comes from a client. What does not fit, to the source of an import.
pub fn follow(call: &Call<'_>, carry_out: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let sender = Sender::of(call.ctx())?;
    match (carry_out(), sender) {
        (Ok(()), Sender::Aof) => damage::note_loaded(),
        (Ok(()), Sender::Primary | Sender::SlotImport) => {}
        (Err(error), Sender::SlotImport) => return Err(error),
        (Err(error), Sender::Aof) => leave_out_of_load(call, error.text()),
        (Err(error), Sender::Primary) => leave_out(call, error.text()),
    }
    call.reply().ok();
    Ok(())
}

/// The word at `index` of a line, as much as there is of it.
fn word<'c>(call: &Call<'c>, index: usize) -> &'c [u8] {
    call.words().get(index).copied().unwrap_or_default()
}

/// Ends the start over a line of an AOF that does not fit, or leaves it out.
fn leave_out_of_load(call: &Call<'_>, reason: &str) {
    let damage = Damage {
        what: &echo(word(call, 0)),
        database: call.ctx().database(),
        key: word(call, 1),
        reason,
    };
    damage::meet(call.ctx(), &damage);
    mark_named(call, reason);
}

/// Counts a line of the primary that does not fit.
fn leave_out(call: &Call<'_>, reason: &str) {
    let ctx = call.ctx();
    damage::count(ctx, word(call, 1), reason);
    mark_named(call, reason);
    // A value on its way here that missed something can never be whole, and a part of it
    // would end the next start, too.
    if let Some(name) = call.text(1)
        && datatype::drop_partly_loaded(ctx, name)
    {
        ctx.replicate_words(c"DEL", &[name]);
    }
}

/// Marks the sale that a line names, if there is one.
fn mark_named(call: &Call<'_>, reason: &str) {
    if let Some(name) = call.text(1)
        && let Ok(mut key) = datatype::open_write(call.ctx(), name)
    {
        mark(call.ctx(), &mut key, reason);
    }
}

/// Notes in a sale, and in this server's own AOF, that it missed a change of its primary.
/// The first reason is the one that stays; each miss is counted in the mark, so that a
/// RESUME elsewhere does not lift it.
fn mark(ctx: Ctx<'_>, key: &mut SaleKey<'_>, reason: &str) {
    let event = Event {
        at_ms: clock::now_ms(),
        change: Change::marked(reason),
    };
    key.apply(&event);
    // From a replica it reaches the AOF alone: copies of this copy get the primary's own
    // stream, and judge for themselves.
    send(ctx, key.name(), None, &event);
    ctx.signal_modified(key.name());
    // It is the place of a marked sale now, for DOCTOR.
    expiry::note(ctx, key);
}

/// Carries out an event that was decided elsewhere. It is passed on as it came once it is
/// known to fit, and before anybody hears of it.
///
/// # Errors
///
/// It cannot be read, or does not fit what is found here.
pub fn replay(
    ctx: Ctx<'_>,
    name: Text<'_>,
    orders: Option<Text<'_>>,
    bytes: &[u8],
) -> Result<(), Error> {
    replay_event(ctx, name, orders, bytes)?;
    info::EVENTS_REPLAYED.add(1);
    Ok(())
}

fn replay_event<'c>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    orders: Option<Text<'c>>,
    bytes: &[u8],
) -> Result<(), Error> {
    let event =
        decode_event(bytes, names::hasher()).map_err(|error| Error::new(error.to_string()))?;
    if let Some(sale) = Sale::create(&event, names::hasher()) {
        return replay_creation(ctx, name, sale, &event);
    }
    let mut news = News::about(ctx, name);
    let mut key = datatype::open_write(ctx, name)?;
    key.sale()
        .check(&event)
        .map_err(|divergence| Error::new(divergence.to_string()))?;
    let entry = replay_entry(ctx, &key, orders, &event);
    match &entry {
        Ok(_) => ctx.replicate_verbatim(),
        // The sale follows the primary even when the stream cannot. So does the AOF, without
        // the stream, which would not take the entry at the next start either.
        Err(_) => ctx.replicate(APPLY, name, None, bytes),
    }
    let applied = key.apply(&event);
    let entry_in = entry.as_ref().ok().copied().flatten();
    announce(ctx, &mut key, entry_in, &event, &applied.stock, &mut news);
    entry.map(|_| ())
}

fn replay_creation(
    ctx: Ctx<'_>,
    name: Text<'_>,
    sale: Sale,
    event: &Event<'_>,
) -> Result<(), Error> {
    let was_free = datatype::is_free(ctx, name);
    let mut news = News::about(ctx, name);
    let mut key = datatype::create(ctx, name, sale)?;
    pass_on_creation(ctx, name, was_free);
    announce(ctx, &mut key, None, event, &StockChanges::new(), &mut news);
    if was_free {
        Ok(())
    } else {
        Err(Error::new("the key of a new sale was taken"))
    }
}

/// Passes the creation in progress on as it came. Where something had to make room for it,
/// the AOF is told that first: at the next start it is there again.
pub fn pass_on_creation(ctx: Ctx<'_>, name: Text<'_>, was_free: bool) {
    if !was_free {
        ctx.replicate_words(c"DEL", &[name]);
    }
    ctx.replicate_verbatim();
}

fn replay_entry<'c>(
    ctx: Ctx<'c>,
    key: &SaleKey<'_>,
    orders: Option<Text<'c>>,
    event: &Event<'_>,
) -> Result<Option<Text<'c>>, Error> {
    let Some(entry) = event.entry() else {
        return Ok(None);
    };
    let name = match orders {
        Some(name) => name,
        // What the AOF of a copy has whose stream did not take the entry.
        None if ctx.flags().is_loading() => return Ok(None),
        None => return Err(Error::new("orders: missing")),
    };
    let mut orders = OrdersKey::open_any(ctx, name)?;
    orders.append(key.name(), key.sale(), event, Some(entry))?;
    Ok(Some(name))
}

/// Tells the server what changed and the timer when to look again, and notes what
/// listeners are to be told.
fn announce<'c>(
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
    if moves_key_expiry(&event.change) {
        let expires_at_ms = key.sale().key_expires_at_ms();
        key.set_expiry(expires_at_ms);
    }
    expiry::note(ctx, key);
    if let Some(name_of_event) = keyspace_event(&event.change) {
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

/// Does this change make a reservation? Where it was asked for by a script at `maxmemory`,
/// that is known to have changed something before.
fn is_new_reservation(change: &Change<'_>) -> bool {
    matches!(change, Change::Reserved { .. } | Change::Bought { .. })
}

/// Can this change move the moment the key expires?
fn moves_key_expiry(change: &Change<'_>) -> bool {
    matches!(
        change,
        Change::Created(_) | Change::Altered(_) | Change::Closed
    )
}

fn keyspace_event(change: &Change<'_>) -> Option<&'static CStr> {
    Some(match change {
        Change::Created(_) => c"flashsale.created",
        Change::Reserved { .. } => c"flashsale.reserved",
        Change::Sold { .. } | Change::Bought { .. } => c"flashsale.sold",
        Change::Released { .. } | Change::ReleasedUnseen { .. } => c"flashsale.released",
        // Forgetting an id is no news to anyone, nor is what one copy of a sale missed.
        Change::Swept { expired: 0, .. } | Change::Marked { .. } => return None,
        Change::Swept { .. } | Change::Expired { .. } => c"flashsale.expired",
        Change::Extended { .. } => c"flashsale.extended",
        Change::Refunded(_) => c"flashsale.refunded",
        Change::Restocked { .. } => c"flashsale.restocked",
        Change::Altered(_) | Change::Bound { .. } => c"flashsale.altered",
        Change::Paused => c"flashsale.paused",
        Change::Resumed { .. } => c"flashsale.resumed",
        Change::Closed => c"flashsale.closed",
    })
}

/// A change that is older than the sale's last one: the clock stepped back so far that
/// it was believed.
fn count_clock_step(sale: &Sale, event: &Event<'_>) {
    if sale.time(event.at_ms).stepped_back {
        info::CLOCK_STEPS_BACK.add(1);
    }
}

/// Counts what was decided here; a replica counts its replays alone.
fn count(event: &Event<'_>) {
    let (outcome, times) = match &event.change {
        Change::Created(_) => (Outcome::Created, 1),
        Change::Reserved { replaces, .. } => {
            // The one it takes the place of is released in the same step.
            info::count(Outcome::Released, u64::from(replaces.is_some()));
            (Outcome::Reserved, 1)
        }
        Change::Sold { .. } | Change::Bought { .. } => (Outcome::Sold, 1),
        Change::Released { .. } | Change::ReleasedUnseen { .. } => (Outcome::Released, 1),
        Change::Expired { .. } => (Outcome::Expired, 1),
        Change::Swept {
            expired, forgotten, ..
        } => {
            info::count(Outcome::Forgotten, u64::from(*forgotten));
            (Outcome::Expired, u64::from(*expired))
        }
        Change::Extended { .. } => (Outcome::Extended, 1),
        Change::Refunded(_) => (Outcome::Refunded, 1),
        Change::Restocked { .. } => (Outcome::Restocked, 1),
        Change::Altered(_)
        | Change::Bound { .. }
        | Change::Paused
        | Change::Resumed { .. }
        | Change::Closed => (Outcome::Altered, 1),
        Change::Marked { .. } => return,
    };
    info::count(outcome, times);
}
