//! A batch that was decided elsewhere: its events are checked and carried out one by one, with
//! keys that are opened once.
//!
//! An event that does not fit is a divergence like any other, and stops none of those after
//! it. It is met by the caller, who marks the sale; this server's own AOF then gets another
//! container, with a mark in the place of the event. So does an entry that the order stream
//! does not take: its event goes into the AOF without the stream.
//!
//! Edge: decides nothing. Who sent the batch, and what a divergence means, the caller knows.

use super::broken;
use super::carry::{APPLY, note_news};
use super::outbox;
use crate::datatype::{self, SaleKey};
use crate::error::Error;
use crate::ffi::{Ctx, Text};
use crate::info;
use crate::news::News;
use crate::orders::OrdersKey;
use crate::rehearsal;
use crate::timer::alarm;
use flashsale_engine::sale::{Change, Container, ContainerWriter, Event};

/// Counts an event that does not fit. An error of it ends the replay of the batch.
pub type Meet<'m> = &'m mut dyn FnMut(&str) -> Result<(), Error>;

/// Carries out the events of a batch, and passes on those that fit.
///
/// # Errors
///
/// The sale cannot be opened, or breaks on the way; what `meet` says of an event that does not
/// fit.
pub fn replay<'c>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    orders: Option<Text<'c>>,
    container: Container<'c>,
    meet: Meet<'_>,
) -> Result<(), Error> {
    let mut follower = Follower {
        ctx,
        container,
        key: datatype::open_write(ctx, name)?,
        orders_name: orders,
        orders: None,
        own: None,
        news: News::about(ctx, name),
    };
    loop {
        let so_far = follower.container.read();
        if let Some(reason) = follower.key.sale().broken() {
            return Err(Error::broken(reason));
        }
        let misfit = match follower.container.next() {
            None => return Ok(()),
            Some(Ok(event)) => follower.follow(&event, so_far),
            Some(Err(damage)) => Err(Error::new(damage.to_string())),
        };
        if let Err(reason) = misfit {
            follower.own(so_far);
            meet(reason.text())?;
            follower.mark(reason.text(), so_far);
        }
    }
}

/// A copy of a sale while it follows a batch. Dropping it passes the batch on.
struct Follower<'c> {
    ctx: Ctx<'c>,
    container: Container<'c>,
    key: SaleKey<'c>,
    /// The stream, where the line names one.
    orders_name: Option<Text<'c>>,
    orders: Option<OrdersKey<'c>>,
    /// What is passed on; `None` while that is the line as it came.
    own: Option<ContainerWriter>,
    /// Behind the keys: told when those are closed.
    news: News<'c>,
}

impl<'c> Follower<'c> {
    /// Carries out one event, if it fits; `so_far` are the events before it.
    ///
    /// # Errors
    ///
    /// It does not fit; or it was carried out without its entry, which the stream does not
    /// take.
    fn follow(&mut self, event: &Event<'_>, so_far: (&[u8], u64)) -> Result<(), Error> {
        self.key
            .sale()
            .check(event)
            .map_err(|divergence| Error::new(divergence.to_string()))?;
        if self.key.sale().is_part() {
            self.key.forget_rest();
        }
        let entry = self.append(event);
        if entry.is_err() {
            // The sale follows the primary even when the stream cannot. So does the AOF,
            // without the stream, which would not take the entry at the next start either.
            self.own(so_far);
            self.send_own(self.orders_name);
            self.own(so_far).push(event);
            self.send_own(None);
        } else if let Some(own) = &mut self.own {
            own.push(event);
        }
        rehearsal::panic_in_replay(self.ctx, self.key.name());
        let applied = self.key.apply(event);
        broken::look(self.ctx, &mut self.key);
        note_news(event, &applied.stock, &mut self.news);
        info::EVENTS_REPLAYED.add(1);
        entry
    }

    /// Appends the entries of an event that has any.
    fn append(&mut self, event: &Event<'_>) -> Result<(), Error> {
        if event.entry().is_none() && event.change.told().is_empty() {
            return Ok(());
        }
        let orders = match (&mut self.orders, self.orders_name) {
            (Some(orders), _) => orders,
            (closed @ None, Some(name)) => closed.insert(OrdersKey::open_any(self.ctx, name)?),
            // What the AOF of a copy has whose stream did not take the entry.
            (None, None) if self.ctx.flags().is_loading() => return Ok(()),
            (None, None) => return Err(Error::new("orders: missing")),
        };
        outbox::append_again(&self.key, orders, event)?;
        self.news.note_entry(orders.name());
        Ok(())
    }

    /// Notes that the copy missed an event, in the sale and where the event would stand.
    fn mark(&mut self, reason: &str, so_far: (&[u8], u64)) {
        let event = Event {
            at_ms: self.container.at_ms(),
            change: Change::marked(reason),
        };
        self.own(so_far).push(&event);
        self.key.apply(&event);
    }

    /// Returns the container that is passed on in the place of the line. A new one begins with
    /// the events so far.
    fn own(&mut self, so_far: (&[u8], u64)) -> &mut ContainerWriter {
        let at_ms = self.container.at_ms();
        self.own.get_or_insert_with(|| {
            let mut own = ContainerWriter::new(Vec::new(), at_ms);
            own.push_read(so_far);
            own
        })
    }

    /// Sends the container that takes the place of the line, and begins another one.
    fn send_own(&mut self, orders: Option<Text<'c>>) {
        let next = ContainerWriter::new(Vec::new(), self.container.at_ms());
        if let Some(mut own) = self.own.replace(next)
            && !own.is_empty()
        {
            self.ctx
                .replicate(APPLY, self.key.name(), orders, own.finish());
        }
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        let is_panicking = std::thread::panicking();
        if let Some(own) = &mut self.own {
            // Of a sale that broke nothing is marked, and the rest is passed on as it came: it
            // is sound where it is replayed from the AOF.
            if is_panicking || self.key.sale().broken().is_some() {
                own.push_read(self.container.unread());
            }
            self.send_own(self.orders_name);
        } else {
            self.ctx.replicate_verbatim();
        }
        self.ctx.signal_modified(self.key.name());
        if let Some(orders) = &self.orders {
            self.ctx.signal_modified(orders.name());
        }
        // After a panic, deadlines may lead nowhere.
        if !is_panicking {
            alarm::note(self.ctx, &mut self.key);
        }
    }
}
