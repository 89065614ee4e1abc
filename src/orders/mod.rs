//! The order stream: its key, the fields of an entry, appending one and reading it back.
//!
//! | Question | File |
//! |---|---|
//! | what an order or a refund says | `entry.rs` |
//! | what everything else says, with `EVENTS all` | `news.rs` |
//! | names of fields, and values, as strings of the server | `names.rs`, `values.rs` |
//! | how lines, and the names of units, stand in `items` | `json.rs`, `named.rs` |
//! | how AUDIT reads an entry | `read.rs` |
//!
//! Edge: plain fields that any stream client can read. Only AUDIT reads the stream back,
//! and nothing is decided by it; the module never trims it.

mod entry;
mod json;
mod named;
mod names;
mod news;
mod read;
mod values;

use smallvec::SmallVec;
use ulid::ULID_LEN;

use crate::error::{Error, echo};
use crate::ffi::{self, Ctx, Field, Kind, Mode, Text};
use entry::{Entry, Texts};
use flashsale_engine::sale::{
    Change, EntryId, Event, OrderAudit, OrderCount, Outbox, Pending, Sale, StreamState, Told,
    ToldWriter,
};
use names::WORDS;
use read::{Seen, read_entry};
use values::{RECENT, spell, text_of};

/// The open key of a sale's order stream, which may not exist yet.
pub struct OrdersKey<'c>(ffi::Key<'c>);

impl<'c> OrdersKey<'c> {
    /// Opens the stream a command names.
    ///
    /// # Errors
    ///
    /// It is not the sale's, or the key holds something else.
    pub fn open(ctx: Ctx<'c>, name: Text<'c>, sale: &Sale) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::open_as(ctx, name, Mode::Write, sale)
    }

    /// The same, to look at it alone.
    ///
    /// # Errors
    ///
    /// As [`OrdersKey::open`].
    pub fn open_read(ctx: Ctx<'c>, name: Text<'c>, sale: &Sale) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::open_as(ctx, name, Mode::Read, sale)
    }

    fn open_as(
        ctx: Ctx<'c>,
        name: Text<'c>,
        mode: Mode,
        sale: &Sale,
    ) -> Result<OrdersKey<'c>, Error> {
        let orders = OrdersKey::of(ffi::Key::open(ctx, name, mode))?;
        if name.bytes() != sale.orders() {
            let bound = echo(sale.orders());
            let other = echo(name.bytes());
            return Err(Error::new(format!(
                "orders: '{other}' is not the stream of this sale, which is '{bound}'"
            )));
        }
        Ok(orders)
    }

    /// Opens a stream, whoever's it is.
    ///
    /// # Errors
    ///
    /// The key holds something else.
    pub fn open_any(ctx: Ctx<'c>, name: Text<'c>) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::of(ffi::Key::open(ctx, name, Mode::Write))
    }

    fn of(key: ffi::Key<'c>) -> Result<OrdersKey<'c>, Error> {
        match key.kind() {
            Kind::Empty | Kind::Stream => Ok(OrdersKey(key)),
            Kind::Other => Err(Error::wrong_type("orders", key.name().bytes(), "a stream")),
        }
    }

    pub fn name(&self) -> Text<'c> {
        self.0.name()
    }

    /// Reports whether the stream exists.
    pub fn is_there(&self) -> bool {
        self.0.kind() == Kind::Stream
    }

    /// Holds the orders of a sale against the entries. O(reservations + entries).
    pub fn audit(&self, ctx: Ctx<'_>, sale: &Sale) -> OrderCount {
        let mut audit = OrderAudit::new(sale);
        let mut spelled = [0; ULID_LEN];
        let sale_id = spell(sale, &mut spelled);
        self.0.each_entry(|(ms, seq), fields| {
            let at = EntryId { ms, seq };
            let fields: SmallVec<[(&[u8], &[u8]); 12]> = fields.iter().map(bytes_of).collect();
            let find = |name: &[u8]| {
                let found = fields.iter().find(|(field, _)| *field == name);
                found.map(|(_, value)| *value)
            };
            if find(WORDS.sale_id) != Some(sale_id) {
                return audit.pass(at);
            }
            match read_entry(find) {
                Ok(Seen::Order(entry)) => audit.see(at, &entry),
                Ok(Seen::Other) => audit.see_other(at),
                Err(why) => audit.see_unreadable(at, why),
            }
        });
        audit.finish(match self.0.kind() {
            Kind::Stream => StreamState::There {
                entries_added: ctx.entries_added(self.name()),
            },
            Kind::Empty | Kind::Other => StreamState::Missing,
        })
    }

    /// Appends the entry of an order or a refund with the stream's next ID, of the moment
    /// of its decision, and returns the ID. `id` is that of the reservation as the client
    /// spelled it.
    ///
    /// # Errors
    ///
    /// The stream has no room above its last ID.
    pub fn append(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        pending: &Pending<'_>,
        id: Text<'_>,
    ) -> Result<EntryId, Error> {
        let fresh = (pending.at_ms(), pending.change());
        self.append_at(key, sale, fresh, Some(id), None)
    }

    /// Appends the entry of an event with the ID it was given elsewhere.
    ///
    /// # Errors
    ///
    /// The event has no entry, or the stream has no room below that ID.
    pub fn append_again(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        event: &Event<'_>,
    ) -> Result<(), Error> {
        self.append_at(key, sale, (event.at_ms, &event.change), None, event.entry())?;
        Ok(())
    }

    /// Appends the oldest `count` entries that wait, with the stream's next IDs, and notes the
    /// IDs in `at`.
    ///
    /// # Errors
    ///
    /// The stream has no room above its last ID, or a record cannot be read. What is noted was
    /// appended.
    pub fn append_waiting(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        count: u64,
        at: &mut ToldWriter,
    ) -> Result<(), Error> {
        let records = sale.outbox().into_iter().flat_map(Outbox::read);
        for record in records.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            let record = record.map_err(|damage| Error::new(damage.to_string()))?;
            let added =
                news::with_fields(&record, sale, key, |fields| self.0.stream_add(None, fields));
            let (ms, seq) = added.map_err(|()| no_further_entry())?;
            at.push(EntryId { ms, seq });
        }
        Ok(())
    }

    /// Appends the oldest entries that wait with the IDs they were given elsewhere.
    ///
    /// # Errors
    ///
    /// As [`OrdersKey::append_waiting`], or there is no room below an ID.
    pub fn append_waiting_again(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        told: Told<'_>,
    ) -> Result<(), Error> {
        let records = sale.outbox().into_iter().flat_map(Outbox::read);
        for (record, at) in records.zip(told.ids()) {
            let record = record.map_err(|damage| Error::new(damage.to_string()))?;
            let added = news::with_fields(&record, sale, key, |fields| {
                self.0.stream_add(Some((at.ms, at.seq)), fields)
            });
            added.map_err(|()| no_further_entry())?;
        }
        Ok(())
    }

    fn append_at(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        (at_ms, change): (u64, &Change<'_>),
        id: Option<Text<'_>>,
        at: Option<EntryId>,
    ) -> Result<EntryId, Error> {
        let entry = Entry::of(sale, change)
            .ok_or_else(|| Error::new("orders: there is no entry to append"))?;
        let spelled;
        let id = match id {
            Some(id) => id,
            None => {
                spelled = text_of(entry.id);
                spelled.as_text()
            }
        };
        let added = RECENT.with_borrow_mut(|recent| {
            let texts = Texts::of(&entry, sale, at_ms, recent);
            texts.with_fields(&entry, [key, id], |fields| match at {
                Some(at) => self.0.stream_add(Some((at.ms, at.seq)), fields),
                None => self.append_next(at_ms, fields),
            })
        });
        let (ms, seq) = added.map_err(|()| no_further_entry())?;
        Ok(EntryId { ms, seq })
    }

    /// Appends an entry with the next ID, of this moment.
    ///
    /// In a script or a transaction the clock stands still by which the server makes IDs,
    /// while deadlines do not: the ID it would give is of the right moment only behind
    /// another of this moment, and there the first one of it is refused.
    fn append_next(&mut self, at_ms: u64, fields: &mut [Text<'_>]) -> Result<(u64, u64), ()> {
        if ffi::has_frozen_clock()
            && let Ok(id) = self.0.stream_add(Some((at_ms, 0)), fields)
        {
            return Ok(id);
        }
        self.0.stream_add(None, fields)
    }
}

#[cold]
fn no_further_entry() -> Error {
    Error::new("orders: the stream takes no further entry")
}

fn bytes_of((name, value): &Field) -> (&[u8], &[u8]) {
    (name.as_text().bytes(), value.as_text().bytes())
}
