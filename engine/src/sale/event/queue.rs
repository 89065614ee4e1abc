//! Which entries a change queues in the outbox of a sale with `EVENTS all`.
//!
//! | Change | Entries |
//! |---|---|
//! | reserved | of the id that REPLACE ends `released`, then `reserved` |
//! | released, extended, expired | the same, for its reservation |
//! | swept | `expired`, for each that expired, by deadline |
//! | granted | `granted`, for each place that became a reservation, by turn |
//! | restocked, altered, paused, resumed, closed | the same |
//! | bound | `altered` |
//! | any | then for each item that crossed: `allreserved`, `soldout` or `backinstock` |
//! | sold, bought, refunded, imported | its own, which stands in the stream by then: it takes a `seq` |
//! | joined, left, drawn, dissolved: nobody had units yet | none |
//! | given, taken: what moves between sales is in their totals | none |
//! | created, released unseen, lapsed, marked, told, dropped; forgetting an id | none |
//!
//! Every copy queues the same: nothing here asks what is not in the state or the event.
//!
//! Edge: reads the sale and changes its outbox alone. `apply.rs` changes the rest.

use crate::sale::book::items::StockChanges;
use crate::sale::book::options::{Events, Options};
use crate::sale::book::outbox::Outbox;
use crate::sale::book::reservation::Slot;
use crate::sale::event::apply_line::who_of;
use crate::sale::event::record::{Alterations, News, ReservationEvent, of_reservation};
use crate::sale::event::{Change, Event, Granted, StockDelta};
use crate::sale::state::Sale;
use crate::sale::units::one_line;
use crate::table::name::{Key, Spelling};

impl Sale {
    /// Queues the entries that are known before an event is carried out, in a sale that has an
    /// outbox or is to have one; and takes out of it what the event says was written or dropped.
    #[inline(never)] // Most sales have none, and their code is to stay small.
    pub(super) fn begin_to_queue(&mut self, event: &Event<'_>) {
        let mut outbox = self.outbox.take().unwrap_or_else(Outbox::empty);
        outbox.note_written(event.change.told().count());
        if let Change::Dropped { count } = event.change {
            outbox.drop_oldest(count);
        }
        if !event.change.is_of_outbox() {
            self.last_change_at_ms = event.at_ms;
        }
        if self.tells(&event.change) {
            self.queue_before(&mut outbox, event);
        }
        self.outbox = Some(outbox);
    }

    /// Queues the entries that are known once an event was carried out.
    #[inline(never)] // As above.
    pub(super) fn end_queueing(&mut self, event: &Event<'_>, crossed: &StockChanges) {
        let Some(mut outbox) = self.outbox.take() else {
            return;
        };
        // An ALTER to `EVENTS orders` has no entry here.
        if self.tells(&event.change) {
            self.queue_after(&mut outbox, event, crossed);
        }
        if let Change::Bound { .. } = event.change {
            outbox.begin_stream();
        }
        self.outbox = Some(outbox);
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
            Change::Sold { .. }
            | Change::Bought { .. }
            | Change::Refunded(_)
            | Change::Imported(_) => {
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
            Change::Granted(granted) => self.queue_granted(outbox, at_ms, granted),
            // New items have no number before.
            Change::Restocked { .. } => {}
            Change::Created(_)
            | Change::ReleasedUnseen { .. }
            | Change::Lapsed { .. }
            | Change::Marked { .. }
            | Change::Told { .. }
            | Change::Joined { .. }
            | Change::Left { .. }
            | Change::Drawn { .. }
            | Change::Dissolved { .. }
            | Change::Given(_)
            | Change::Taken(_)
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

    fn queue_granted(&self, outbox: &mut Outbox, at_ms: u64, granted: &Granted) {
        let Some(waiting) = &self.waiting else { return };
        for (slot, gets_units) in who_of(waiting, granted) {
            let place = waiting.get(slot).filter(|_| gets_units);
            let Some(place) = place else { continue };
            let event = ReservationEvent::Granted;
            let lines = one_line(place.item, place.qty);
            let (id, user) = (place.id, place.user);
            let news = of_reservation(event, id, user, &lines, granted.expires_at_ms);
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
        passkeys: before.passkeys != after.passkeys,
        group: (before.group != after.group).then(|| after.group.clone()),
    }
}

fn bound() -> Alterations {
    Alterations {
        orders: true,
        ..Alterations::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::audit::fixture::sale;
    use crate::sale::event::told::{Told, ToldWriter};
    use crate::sale::event::{Forgets, Order};
    use crate::sale::units::{EntryId, Lines, one_line};
    use crate::table::hash::HASHER;
    use crate::table::name::NameBuffer;

    const AT_MS: u64 = 1_700_000_000_500;

    /// The sale of the audits with `EVENTS all`; 93 units of `a` are available, 6 reserved.
    fn telling() -> Sale {
        let mut sale = sale();
        let events = Events::All;
        let options = Options {
            events,
            grace_ms: 100,
            ..sale.options.clone()
        };
        apply(&mut sale, AT_MS, Change::Altered(Box::new(options)));
        sale
    }

    fn apply(sale: &mut Sale, at_ms: u64, change: Change<'_>) {
        let event = Event { at_ms, change };
        assert_eq!(sale.check(&event), Ok(()));
        sale.apply(&event);
    }

    /// Each entry that waits: its event, and the id, user, units and deadline, or what there
    /// is instead.
    fn told(sale: &Sale) -> Vec<String> {
        let records = sale.outbox().expect("an outbox").read();
        let shown = records.map(|record| {
            let news = record.expect("a record").news;
            let word = news.word();
            match news {
                News::Reservation {
                    id,
                    user,
                    lines,
                    expires_at_ms,
                    replaced_by,
                    ..
                } => {
                    let name = |name: Spelling<'_>| {
                        let mut buffer = NameBuffer::default();
                        name.bytes(&mut buffer).escape_ascii().to_string()
                    };
                    let units: Vec<u64> = lines.iter().map(|line| line.qty).collect();
                    let by = replaced_by.map(|id| format!(" by {}", name(id)));
                    let (id, user, by) = (name(id), name(user), by.unwrap_or_default());
                    let left_ms = expires_at_ms.cast_signed() - AT_MS.cast_signed();
                    format!("{word} {id} {user} {units:?} {left_ms}{by}")
                }
                News::Item { item, stock, .. } => format!(
                    "{word} {item} {} {} {}",
                    stock.available, stock.reserved, stock.sold
                ),
                News::Restocked { deltas, .. } => format!("{word} {deltas:?}"),
                News::Altered(changed) => format!(
                    "{word} {:?} {:?} {}",
                    changed.numbers, changed.events, changed.orders
                ),
                News::Lost { qty } => format!("{word} {qty}"),
                News::Paused | News::Resumed | News::Closed => word.to_owned(),
            }
        });
        shown.collect()
    }

    /// What a change queues in the sale of these tests, behind the ALTER that began it.
    fn queued(change: Change<'_>) -> Vec<String> {
        queued_at(AT_MS, change)
    }

    fn queued_at(at_ms: u64, change: Change<'_>) -> Vec<String> {
        let mut sale = telling();
        apply(&mut sale, at_ms, change);
        told(&sale).split_off(1)
    }

    fn reserved(lines: Lines, replaces: Option<Key<'static>>) -> Change<'static> {
        Change::Reserved {
            id: HASHER.key(b"new"),
            user: HASHER.key(b"eve"),
            lines,
            // As REPLACE does, which keeps the deadline of the old one.
            expires_at_ms: AT_MS + 500,
            forgets: Forgets::Nothing,
            replaces,
        }
    }

    fn order(seq: u64) -> Order<'static> {
        Order {
            reference: None,
            payload: None,
            entry: EntryId { ms: 9, seq },
            told: Told::default(),
        }
    }

    #[test]
    fn a_reservation_has_an_entry_for_each_thing_that_happened_to_it() {
        let id = HASHER.key(b"open");
        assert_eq!(
            queued(reserved(one_line(0, 3), None)),
            ["reserved new eve [3] 500"]
        );
        assert_eq!(
            queued(reserved(one_line(0, 3), Some(id))),
            [
                "released open ann [2] 500 by new",
                "reserved new eve [3] 500"
            ]
        );
        let expires_at_ms = AT_MS + 7_000;
        assert_eq!(
            queued(Change::Extended { id, expires_at_ms }),
            ["extended open ann [2] 7000"]
        );
        assert_eq!(
            queued(Change::Released { id }),
            ["released open ann [2] 500"]
        );
        assert_eq!(
            queued_at(AT_MS + 500, Change::Expired { id }),
            ["expired open ann [2] 500"]
        );
        let swept = Change::Swept {
            expired: 2,
            lapsed: 0,
            forgotten: 0,
        };
        assert_eq!(
            queued_at(AT_MS + 500, swept),
            ["expired open ann [2] 500", "expired open2 ann [2] 500"]
        );
    }

    #[test]
    fn nothing_is_told_of_what_no_consumer_needs() {
        let id = HASHER.key(b"unseen");
        let (user, forgets) = (None, Forgets::Nothing);
        let none = Vec::<String>::new();
        assert_eq!(queued(Change::ReleasedUnseen { id, user, forgets }), none);
        let id = HASHER.key(b"open");
        let mut sale = telling();
        apply(&mut sale, AT_MS + 500, Change::Expired { id });
        apply(&mut sale, AT_MS + 600, Change::Lapsed { id });
        // Expired for good: nothing is given back.
        apply(&mut sale, AT_MS + 601, Change::Released { id });
        assert_eq!(told(&sale).split_off(1), ["expired open ann [2] 500"]);
    }

    #[test]
    fn what_is_released_within_its_grace_was_given_back() {
        let id = HASHER.key(b"open");
        let mut sale = telling();
        apply(&mut sale, AT_MS + 500, Change::Expired { id });
        apply(&mut sale, AT_MS + 501, Change::Released { id });
        assert_eq!(
            told(&sale).split_off(1),
            ["expired open ann [2] 500", "released open ann [2] 500"]
        );
    }

    #[test]
    fn items_follow_with_their_counts_after_the_whole_change() {
        let available = telling().items.stock(0).available;
        let mut sale = telling();
        apply(&mut sale, AT_MS, reserved(one_line(0, available), None));
        // The difference crosses nothing.
        let replaced = Change::Reserved {
            id: HASHER.key(b"newer"),
            user: HASHER.key(b"eve"),
            lines: one_line(0, available),
            expires_at_ms: AT_MS + 500,
            forgets: Forgets::Nothing,
            replaces: Some(HASHER.key(b"new")),
        };
        apply(&mut sale, AT_MS, replaced);
        let swept = Change::Swept {
            expired: 3,
            lapsed: 0,
            forgotten: 0,
        };
        apply(&mut sale, AT_MS + 500, swept);
        let sold = sale.items.stock(0).sold;
        assert_eq!(
            told(&sale).split_off(1),
            [
                format!("reserved new eve [{available}] 500"),
                format!("allreserved 0 0 {} {sold}", 4 + available),
                format!("released new eve [{available}] 500 by newer"),
                format!("reserved newer eve [{available}] 500"),
                "expired open ann [2] 500".to_owned(),
                "expired open2 ann [2] 500".to_owned(),
                format!("expired newer eve [{available}] 500"),
                format!("backinstock 0 {} 0 {sold}", 4 + available),
            ]
        );
    }

    #[test]
    fn the_sale_has_an_entry_for_each_change_of_it() {
        assert_eq!(queued(Change::Paused), ["paused"]);
        assert_eq!(queued(Change::Closed), ["closed"]);
        assert_eq!(
            queued(Change::Bound { orders: b"o2" }),
            ["altered [] None true"]
        );
        let deltas = vec![
            StockDelta {
                sku: b"new"[..].into(),
                delta: 5,
            },
            StockDelta {
                sku: b"a"[..].into(),
                delta: -3,
            },
        ];
        let reference = Some(Spelling::of(b"truck"));
        assert_eq!(
            queued(Change::Restocked { deltas, reference }),
            ["restocked [(2, 5), (0, -3)]", "backinstock 2 5 0 0"]
        );
        let mut sale = telling();
        apply(&mut sale, AT_MS, Change::Paused);
        apply(&mut sale, AT_MS, Change::Resumed { lifts: None });
        assert_eq!(told(&sale)[1..], ["paused", "resumed"]);
    }

    #[test]
    fn the_last_entry_of_all_is_that_there_are_no_more() {
        let mut sale = telling();
        let options = Options {
            events: Events::Orders,
            user_limit: Some(2),
            ..sale.options.clone()
        };
        apply(&mut sale, AT_MS, Change::Altered(Box::new(options)));
        apply(&mut sale, AT_MS, Change::Paused);
        assert_eq!(
            told(&sale),
            [
                "altered [(6, Some(100))] Some(All) false",
                "altered [(0, Some(2))] Some(Orders) false"
            ]
        );
        assert_eq!(sale.next_seq(AT_MS), None);
    }

    #[test]
    fn an_order_takes_what_was_written_before_it_and_a_seq_of_its_own() {
        let mut sale = telling();
        apply(&mut sale, AT_MS, Change::Paused);
        let mut writer = ToldWriter::default();
        writer.push(EntryId { ms: 9, seq: 3 });
        let order = Order {
            told: writer.finish(),
            ..order(4)
        };
        let next_seq = sale.next_seq(AT_MS);
        assert_eq!(next_seq, Some(AT_MS * 1_000 + 2));
        let id = HASHER.key(b"open");
        let sold = Change::Sold { id, order };
        let event = |change| Event {
            at_ms: AT_MS,
            change,
        };
        // Its own entry is behind what it told.
        let own = EntryId { ms: 9, seq: 3 };
        let before = Order {
            entry: own,
            ..order
        };
        assert_eq!(
            sale.check(&event(Change::Sold { id, order: before })),
            Err(crate::sale::event::check::Divergence::EntriesOutOfOrder)
        );
        apply(&mut sale, AT_MS, sold);
        assert_eq!(told(&sale), ["paused"]);
        assert_eq!(sale.next_seq(AT_MS), next_seq.map(|seq| seq + 1));
    }

    #[test]
    fn what_is_told_or_dropped_leaves_the_time_of_the_sale_alone() {
        let mut sale = telling();
        apply(&mut sale, AT_MS, Change::Paused);
        apply(&mut sale, AT_MS + 9, Change::Dropped { count: 1 });
        assert_eq!(told(&sale), ["lost 1", "paused"]);
        let mut writer = ToldWriter::default();
        (0..2).for_each(|seq| writer.push(EntryId { ms: 9, seq }));
        apply(&mut sale, AT_MS + 9, Change::Told(writer.finish()));
        assert_eq!((told(&sale), sale.last_change_at_ms), (vec![], AT_MS));
    }
}
