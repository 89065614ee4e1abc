//! Which entries a change queues in the outbox of a sale with `EVENTS all`.
//!
//! | Change | Entries |
//! |---|---|
//! | reserved | of the id that REPLACE ends `released`, then `reserved` |
//! | released, extended, expired | the same, for its reservation |
//! | swept | `expired`, for each that expired, by deadline |
//! | restocked, altered, paused, resumed, closed | the same |
//! | bound | `altered` |
//! | any | then for each item that crossed: `allreserved`, `soldout` or `backinstock` |
//! | sold, bought, refunded | its own, which stands in the stream by then: it takes a `seq` |
//! | created, released unseen, lapsed, marked, told, dropped; forgetting an id | none |
//!
//! Every copy queues the same: nothing here asks what is not in the state or the event.
//!
//! Edge: reads the sale and changes its outbox alone. `apply.rs` changes the rest.

use crate::sale::book::items::StockChanges;
use crate::sale::book::options::{Events, Options};
use crate::sale::book::outbox::Outbox;
use crate::sale::book::reservation::Slot;
use crate::sale::event::apply::Applied;
use crate::sale::event::record::{Alterations, News, ReservationEvent, of_reservation};
use crate::sale::event::{Change, Event, StockDelta};
use crate::sale::state::Sale;
use crate::table::name::{Key, Spelling};

impl Sale {
    /// Carries out an event in a sale that has an outbox, or is to have one.
    #[inline(never)] // Most sales have none, and their code is to stay small.
    pub(super) fn apply_and_queue(&mut self, event: &Event<'_>) -> Applied {
        let mut outbox = self.outbox.take().unwrap_or_else(Outbox::empty);
        outbox.note_written(event.change.told().count());
        if let Change::Dropped { count } = event.change {
            outbox.drop_oldest(count);
        }
        let is_told = self.tells(&event.change);
        if !event.change.is_of_outbox() {
            self.last_change_at_ms = event.at_ms;
        }
        if is_told {
            self.queue_before(&mut outbox, event);
        }
        let applied = self.apply_change(event);
        if is_told {
            self.queue_after(&mut outbox, event, &applied.stock);
        }
        if let Change::Bound { .. } = event.change {
            outbox.begin_stream();
        }
        self.outbox = Some(outbox);
        applied
    }

    /// Does this change have entries? An ALTER to `EVENTS orders` is the last one that has.
    fn tells(&self, change: &Change<'_>) -> bool {
        let will_tell = match change {
            Change::Altered(options) => options.events == Events::All,
            _ => false,
        };
        will_tell || self.options.events == Events::All
    }

    /// Queues what is known before the change: a reservation still has its lines then, also
    /// one that leaves a digest of them.
    fn queue_before(&self, outbox: &mut Outbox, event: &Event<'_>) {
        let at_ms = event.at_ms;
        match &event.change {
            Change::Reserved {
                id,
                user,
                lines,
                expires_at_ms,
                replaces,
                ..
            } => {
                if let Some(old) = replaces {
                    self.queue_replaced(outbox, at_ms, *old, *id);
                }
                let event = ReservationEvent::Reserved;
                let (id, user) = (id.spelling(), user.spelling());
                let news = of_reservation(event, id, user, lines, *expires_at_ms);
                outbox.queue(at_ms, &news);
            }
            Change::Released { id } => self.queue_released(outbox, at_ms, *id),
            Change::Extended { id, expires_at_ms } => {
                let slot = self.find(*id);
                let event = ReservationEvent::Extended;
                if let Some(mut news) = slot.and_then(|slot| self.news_of(slot, event)) {
                    set_deadline(&mut news, *expires_at_ms);
                    outbox.queue(at_ms, &news);
                }
            }
            Change::Expired { id } => self.queue_expired(outbox, at_ms, self.find(*id)),
            Change::Swept { expired, .. } => {
                let due = self.reservations.iter_open().take(*expired as usize);
                due.for_each(|(slot, _)| self.queue_expired(outbox, at_ms, Some(slot)));
            }
            Change::Sold { .. } | Change::Bought { .. } | Change::Refunded(_) => {
                outbox.take_seq(at_ms);
            }
            Change::Altered(options) => {
                let changed = differences(&self.options, options);
                outbox.queue(at_ms, &News::Altered(changed));
            }
            Change::Bound { .. } => outbox.queue(at_ms, &News::Altered(bound())),
            Change::Paused => outbox.queue(at_ms, &News::Paused),
            Change::Resumed { .. } => outbox.queue(at_ms, &News::Resumed),
            Change::Closed => outbox.queue(at_ms, &News::Closed),
            // New items have no number before.
            Change::Restocked { .. } => {}
            Change::Created(_)
            | Change::ReleasedUnseen { .. }
            | Change::Lapsed { .. }
            | Change::Marked { .. }
            | Change::Told { .. }
            | Change::Dropped { .. } => {}
        }
    }

    /// Queues what is known after the change: the items that have crossed, as they are now.
    fn queue_after(&self, outbox: &mut Outbox, event: &Event<'_>, crossed: &StockChanges) {
        let at_ms = event.at_ms;
        if let Change::Restocked { deltas, reference } = &event.change {
            self.queue_restocked(outbox, at_ms, deltas, *reference);
        }
        for &(item, event) in crossed {
            let stock = self.items.stock(item);
            outbox.queue(at_ms, &News::Item { event, item, stock });
        }
    }

    fn queue_replaced(&self, outbox: &mut Outbox, at_ms: u64, old: Key<'_>, new: Key<'_>) {
        let slot = self.find(old);
        let Some(mut news) = slot.and_then(|slot| self.news_of(slot, ReservationEvent::Released))
        else {
            return;
        };
        if let News::Reservation { replaced_by, .. } = &mut news {
            *replaced_by = Some(new.spelling());
        }
        outbox.queue(at_ms, &news);
    }

    /// Queues `released`, but not for an id that had expired for good: nothing was given back.
    fn queue_released(&self, outbox: &mut Outbox, at_ms: u64, id: Key<'_>) {
        let slot = self.find(id);
        let can_be_sold = |slot: &Slot| {
            let record = self.record(*slot);
            record.is_some_and(|record| !record.status().is_final())
        };
        let slot = slot.filter(can_be_sold);
        if let Some(news) = slot.and_then(|slot| self.news_of(slot, ReservationEvent::Released)) {
            outbox.queue(at_ms, &news);
        }
    }

    fn queue_expired(&self, outbox: &mut Outbox, at_ms: u64, slot: Option<Slot>) {
        if let Some(news) = slot.and_then(|slot| self.news_of(slot, ReservationEvent::Expired)) {
            outbox.queue(at_ms, &news);
        }
    }

    fn queue_restocked(
        &self,
        outbox: &mut Outbox,
        at_ms: u64,
        deltas: &[StockDelta<'_>],
        reference: Option<Spelling<'_>>,
    ) {
        let by_item = deltas.iter();
        let by_item = by_item.filter_map(|by| Some((self.items.find(&by.sku)?, by.delta)));
        let deltas = by_item.collect();
        outbox.queue(at_ms, &News::Restocked { deltas, reference });
    }

    /// Returns what an entry says of a reservation as it is.
    fn news_of(&self, slot: Slot, event: ReservationEvent) -> Option<News<'_>> {
        let record = self.record(slot)?;
        let user = self.users.name(record.user())?;
        let expires_at_ms = record.expires_at_ms();
        let lines = record.lines();
        Some(of_reservation(
            event,
            record.id(),
            user,
            &lines,
            expires_at_ms,
        ))
    }

    /// Returns the outbox, if the sale has or had `EVENTS all`.
    #[inline]
    pub fn outbox(&self) -> Option<&Outbox> {
        self.outbox.as_deref()
    }

    /// Returns the `seq` of the next entry, if it is decided at `at_ms`; `None` with
    /// `EVENTS orders`.
    #[inline]
    pub fn next_seq(&self, at_ms: u64) -> Option<u64> {
        let outbox = self.outbox.as_ref()?;
        (self.options.events == Events::All).then(|| outbox.next_seq(at_ms))
    }

    /// Returns the event that drops the oldest entries, if more than `events_max` wait: see
    /// [`Outbox::count_above`].
    pub fn plan_drop(&self, now_ms: u64, events_max: u64) -> Option<Event<'static>> {
        let count = self.outbox.as_ref()?.count_above(events_max)?;
        Some(Event {
            at_ms: now_ms,
            change: Change::Dropped { count },
        })
    }
}

fn set_deadline(news: &mut News<'_>, at_ms: u64) {
    if let News::Reservation { expires_at_ms, .. } = news {
        *expires_at_ms = at_ms;
    }
}

/// Returns what an ALTER changed.
fn differences(before: &Options, after: &Options) -> Alterations {
    let (old, new) = (before.numbers(), after.numbers());
    let numbers = (0..).zip(old.into_iter().zip(new));
    let changed = numbers.filter(|(_, (old, new))| old != new);
    Alterations {
        numbers: changed.map(|(number, (_, new))| (number, new)).collect(),
        events: (before.events != after.events).then_some(after.events),
        orders: false,
    }
}

fn bound() -> Alterations {
    Alterations {
        orders: true,
        ..Alterations::default()
    }
}
