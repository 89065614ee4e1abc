//! A change that was decided elsewhere: in a primary, before a restart, or where the
//! sale's slot comes from. It is checked, carried out and passed on as it came.

use super::batch_replay;
use super::broken;
use super::carry::{APPLY, announce, send};
use super::outbox;
use crate::clock;
use crate::damage::{self, Damage};
use crate::datatype::{self, SaleKey};
use crate::error::{Error, echo};
use crate::ffi::{Call, Ctx, Text, caught};
use crate::info;
use crate::names;
use crate::news::News;
use crate::orders::OrdersKey;
use crate::rehearsal;
use crate::timer::alarm;
use flashsale_engine::sale::{
    Change, CodecError, Container, Event, Sale, StockChanges, decode_event,
};

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
    if sender != Sender::SlotImport && is_of_broken(call) {
        pass_over(call, sender);
        call.reply().ok();
        return Ok(());
    }
    match (carried_out(call, carry_out), sender) {
        (Ok(()), Sender::Aof) => damage::note_loaded(),
        (Ok(()), Sender::Primary | Sender::SlotImport) => {}
        (Err(error), Sender::SlotImport) => return Err(error),
        (Err(error), Sender::Aof) => leave_out_of_load(call, error.text()),
        (Err(error), Sender::Primary) => leave_out(call, error.text()),
    }
    call.reply().ok();
    Ok(())
}

/// Reports whether a line is about a sale that broke before.
fn is_of_broken(call: &Call<'_>) -> bool {
    // Nearly always none is marked, and no key is opened for the question.
    info::SALES_DIVERGED.get() > 0
        && call.text(1).is_some_and(|name| {
            let key = datatype::open_read(call.ctx(), name);
            key.is_ok_and(|key| key.sale().broken().is_some())
        })
}

/// Leaves out a line about a broken sale, which stays as it is. The line goes into this
/// server's own AOF as it came: the history is sound there, and a start that loads all of it
/// has the sale again. Where the AOF begins with the broken sale, the lines after it are
/// nothing to end the start over.
fn pass_over(call: &Call<'_>, sender: Sender) {
    if sender == Sender::Primary {
        damage::count(call.ctx(), word(call, 1), "the sale is broken");
        call.ctx().replicate_verbatim();
    }
}

/// Carries out a line. A panic on the way is what does not fit, and breaks the sale off.
fn carried_out(
    call: &Call<'_>,
    carry_out: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    caught(carry_out).unwrap_or_else(|reason| {
        if let Some(name) = call.text(1) {
            broken::note_panic(call.ctx(), name, &reason);
        }
        Err(Error::new(reason))
    })
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
    alarm::note(ctx, key);
}

/// Carries out an event, or the events of a batch, that were decided elsewhere. It is passed
/// on as it came once it is known to fit, and before anybody hears of it.
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
    match Container::open(bytes, names::hasher()).map_err(unreadable)? {
        Some(batch) => {
            batch_replay::replay(ctx, name, orders, batch, &mut |reason| {
                meet_in_batch(ctx, name, reason)
            })?;
        }
        None => {
            replay_event(ctx, name, orders, bytes)?;
            info::EVENTS_REPLAYED.add(1);
        }
    }
    Ok(())
}

fn unreadable(error: CodecError) -> Error {
    Error::new(error.to_string())
}

/// Meets an event of a batch that does not fit, as [`follow`] does one by itself. The batch
/// goes on, and marks the sale itself.
fn meet_in_batch(ctx: Ctx<'_>, name: Text<'_>, reason: &str) -> Result<(), Error> {
    match Sender::of(ctx)? {
        Sender::SlotImport => return Err(Error::new(reason.to_owned())),
        Sender::Primary => damage::count(ctx, name.bytes(), reason),
        Sender::Aof => {
            let damage = Damage {
                what: "FLASHSALE.APPLY",
                database: ctx.database(),
                key: name.bytes(),
                reason,
            };
            damage::meet(ctx, &damage);
        }
    }
    Ok(())
}

fn replay_event<'c>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    orders: Option<Text<'c>>,
    bytes: &[u8],
) -> Result<(), Error> {
    let event = decode_event(bytes, names::hasher()).map_err(unreadable)?;
    if let Some(sale) = Sale::create(&event, names::hasher()) {
        return replay_creation(ctx, name, sale, &event);
    }
    let mut news = News::about(ctx, name);
    let mut key = datatype::open_write(ctx, name)?;
    key.sale()
        .check(&event)
        .map_err(|divergence| Error::new(divergence.to_string()))?;
    if key.sale().is_part() {
        key.forget_rest();
    }
    let entry = replay_entry(ctx, &key, orders, &event);
    match &entry {
        Ok(_) => ctx.replicate_verbatim(),
        // The sale follows the primary even when the stream cannot. So does the AOF, without
        // the stream, which would not take the entry at the next start either.
        Err(_) => ctx.replicate(APPLY, name, None, bytes),
    }
    rehearsal::panic_in_replay(ctx, key.name());
    let applied = key.apply(&event);
    broken::look(ctx, &mut key);
    let entry_in = entry.as_ref().ok().copied().flatten();
    if event.change.is_of_outbox() {
        outbox::follow(ctx, &mut key, entry_in, &mut news);
    } else {
        announce(ctx, &mut key, entry_in, &event, &applied.stock, &mut news);
    }
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
    let told = event.change.told();
    if event.entry().is_none() && told.is_empty() {
        return Ok(None);
    }
    let name = match orders {
        Some(name) => name,
        // What the AOF of a copy has whose stream did not take the entry.
        None if ctx.flags().is_loading() => return Ok(None),
        None => return Err(Error::new("orders: missing")),
    };
    let mut orders = OrdersKey::open_any(ctx, name)?;
    outbox::append_again(key, &mut orders, event)?;
    Ok(Some(name))
}
