//! The one way a batch changes a sale: its events are carried out one by one and sent on
//! together, in one container, with one signal and one note for the timer.
//!
//! An event that was sent on by itself would reach replicas before the events that were
//! decided before it.
//!
//! Edge: as `commit.rs`, for many events of one moment. Dropping a [`BatchCommit`] sends, so
//! sending cannot be forgotten, and a panic in the middle of a batch loses nothing.

use super::broken;
use super::carry::{APPLY, Done, count, count_clock_step, count_rare, note_news};
use super::outbox::{self, Written};
use crate::config;
use crate::datatype::SaleKey;
use crate::error::Error;
use crate::ffi::{Ctx, Text};
use crate::news::News;
use crate::orders::OrdersKey;
use crate::rehearsal::{self, Point};
use crate::scratch;
use crate::scripts;
use crate::timer::alarm;
use flashsale_engine::sale::{
    Answer, Ask, Change, ContainerWriter, EntryId, Event, Key, Pending, PlaceSlot, Sale,
};

/// A sale, and perhaps its order stream, while a batch changes it.
pub struct BatchCommit<'c> {
    ctx: Ctx<'c>,
    key: SaleKey<'c>,
    orders: Option<OrdersKey<'c>>,
    has_entries: bool,
    /// How much may still be written of the entries that wait.
    write_left: u64,
    events: Option<ContainerWriter>,
    /// Behind the keys: told when those are closed.
    news: News<'c>,
}

impl<'c> BatchCommit<'c> {
    /// Begins a batch of about `entries` entries at one moment; nothing has changed yet.
    pub fn begin(
        ctx: Ctx<'c>,
        key: SaleKey<'c>,
        orders: Option<OrdersKey<'c>>,
        at_ms: u64,
        entries: usize,
    ) -> BatchCommit<'c> {
        let mut news = News::about(ctx, key.name());
        // Each entry has an event, and one of the stream where it is appended there.
        news.reserve(entries.saturating_mul(1 + usize::from(orders.is_some())));
        BatchCommit {
            ctx,
            key,
            orders,
            has_entries: false,
            write_left: config::sweep_max().into(),
            events: Some(ContainerWriter::new(scratch::take_of_batch(), at_ms)),
            news,
        }
    }

    pub fn sale(&self) -> &Sale {
        self.key.sale()
    }

    /// Moves the clock of PATIENCE, and draws the order of lines whose START is over.
    #[cold]
    pub fn begin_line(&mut self, at_ms: u64) {
        self.key.tick_line(at_ms);
        if let Some(event) = self.key.sale().plan_draw(at_ms, rand::random) {
            self.commit(&event);
        }
    }

    /// Counts what an entry was refused for want of stock, by the answer to it.
    #[inline]
    pub fn note_refused(&mut self, ask: &Ask<'_>, answer: &Answer) {
        self.key.note_refused(ask, answer);
    }

    /// Counts an attempt of a user, or returns the answer to one too many.
    pub fn throttle(&mut self, now_ms: u64, user: Key<'_>) -> Option<Answer> {
        self.key
            .throttle(now_ms, (user, None), config::subjects_max())
    }

    /// Whoever has this place was heard from, and gets units if it is their turn.
    #[cold]
    pub fn hear(&mut self, at_ms: u64, place: PlaceSlot) -> bool {
        self.key.hear(place);
        let event = self.key.plan_grant_to(at_ms, place, &config::bounds());
        if let Some(event) = &event {
            self.commit(event);
        }
        event.is_some()
    }

    /// Returns the name of the sale.
    pub fn name(&self) -> Text<'c> {
        self.key.name()
    }

    /// Carries out an event that was just planned for this sale.
    pub fn commit(&mut self, event: &Event<'_>) -> Done {
        if self.key.sale().outbox().is_some() {
            self.drop_above();
        }
        self.carry_out(event)
    }

    fn carry_out(&mut self, event: &Event<'_>) -> Done {
        if self.events.as_ref().is_some_and(ContainerWriter::is_empty) {
            // After the first one, the sale's last change is of this moment.
            count_clock_step(self.key.sale(), event);
        }
        if !event.change.makes_reservation() {
            scripts::note_change(self.ctx);
        }
        // Before it is carried out: should that panic, an entry that is in the stream is an
        // order of every copy.
        if let Some(events) = &mut self.events {
            events.push(event);
        }
        rehearsal::panic_at(Point::Apply, self.key.name().bytes());
        let applied = self.key.apply_uncounted(event);
        broken::look(self.ctx, &mut self.key);
        note_news(event, &applied.stock, &mut self.news);
        count(event);
        Done {
            slot: applied.slot,
            counted: applied.counted,
            entry: event.entry().unwrap_or_default(),
        }
    }

    /// As [`BatchCommit::commit`], for an order of this id, whose entry it appends behind those
    /// that wait.
    ///
    /// # Errors
    ///
    /// The order stream takes no entry. Nothing has changed then, but for entries that waited
    /// and were written.
    pub fn commit_order(&mut self, pending: Pending<'_>, id: Text<'_>) -> Result<Done, Error> {
        if self.key.sale().outbox().is_some() {
            return self.commit_order_and_waiting(pending, id);
        }
        let entry = self.append(&pending, id)?;
        Ok(self.carry_out(&pending.entered(entry)))
    }

    #[inline(never)]
    fn commit_order_and_waiting(
        &mut self,
        pending: Pending<'_>,
        id: Text<'_>,
    ) -> Result<Done, Error> {
        self.drop_above();
        let mut written = self.write_waiting();
        match self.append(&pending, id) {
            Ok(entry) => {
                let event = pending.telling(written.told()).entered(entry);
                Ok(self.carry_out(&event))
            }
            Err(error) => {
                self.commit_written(&mut written);
                Err(error)
            }
        }
    }

    fn append(&mut self, pending: &Pending<'_>, id: Text<'_>) -> Result<EntryId, Error> {
        let Some(orders) = &mut self.orders else {
            return Err(Error::new("orders: missing"));
        };
        let entry = orders.append(self.key.name(), self.key.sale(), pending, id)?;
        self.has_entries = true;
        self.news.note_entry(orders.name());
        Ok(entry)
    }

    /// Writes entries that wait, within what is left for the batch.
    fn write_waiting(&mut self) -> Written {
        let may_write = self.write_left > 0 && outbox::may_write(self.ctx, self.key.sale());
        let written = match &mut self.orders {
            Some(orders) if may_write => Written::append(&self.key, orders, self.write_left),
            _ => Written::default(),
        };
        self.write_left = self.write_left.saturating_sub(written.cost);
        written
    }

    /// Commits by itself what was written before an order whose own entry failed.
    #[cold]
    fn commit_written(&mut self, written: &mut Written) {
        let told = written.told();
        if let Some(orders) = &self.orders
            && !told.is_empty()
        {
            self.has_entries = true;
            self.news.note_entry(orders.name());
            self.commit_of_outbox(Change::Told(told));
        }
    }

    /// Drops the oldest entries that wait, if they count more than `events-max`.
    #[inline(never)]
    fn drop_above(&mut self) {
        if let Some(event) = outbox::plan_drop(self.key.sale()) {
            self.commit_of_outbox(event.change);
        }
    }

    fn commit_of_outbox(&mut self, change: Change<'_>) {
        let Some(events) = &mut self.events else {
            return;
        };
        let at_ms = events.at_ms();
        let event = Event { at_ms, change };
        events.push(&event);
        self.key.apply_uncounted(&event);
        broken::look(self.ctx, &mut self.key);
        count_rare(&event);
    }

    /// Breaks off the sale after a panic. What was carried out before is sent on all the same.
    #[cold]
    pub fn break_off(&mut self, reason: &str) {
        broken::break_off(self.ctx, &mut self.key, reason);
    }

    /// Sends on what was carried out, and tells the server and the timer.
    fn send(&mut self, events: &mut ContainerWriter) {
        let (ctx, name) = (self.ctx, self.key.name());
        self.key.count();
        let orders = self.orders.as_ref().filter(|_| self.has_entries);
        let orders = orders.map(OrdersKey::name);
        ctx.replicate(APPLY, name, orders, events.finish());
        ctx.signal_modified(name);
        if let Some(orders) = orders {
            ctx.signal_modified(orders);
        }
        alarm::note(ctx, &mut self.key);
    }
}

impl Drop for BatchCommit<'_> {
    fn drop(&mut self) {
        let Some(mut events) = self.events.take() else {
            return;
        };
        // A batch of refusals replicates nothing, and breaks no WATCH.
        if !events.is_empty() {
            self.send(&mut events);
        }
        scratch::give_back_of_batch(events.into_buffer());
    }
}
