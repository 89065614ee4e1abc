//! What each event does to a sale: the only code that changes one.
//!
//! Nothing is decided here and nothing can fail. On the primary a plan made the
//! event for exactly this state; elsewhere `check.rs` has looked at it first.

use crate::sale::book::items::{Move, Stock, StockChanges};
use crate::sale::book::named::UnitNumber;
use crate::sale::book::pace::Pace;
use crate::sale::book::reservation::{CartOf, NewReservation, OrderRecord, Slot, Status};
use crate::sale::book::restock_refs::Deltas;
use crate::sale::book::user::Account;
use crate::sale::book::users::UserSlot;
pub(crate) use crate::sale::event::moves::signed;
use crate::sale::event::moves::{differences, shifted};
use crate::sale::event::{Change, Event, Forgets, NamedRestock, Order, StockDelta};
use crate::sale::state::{Mark, MarkId, Sale};
use crate::sale::units::{Line, units_of};
use crate::table::name::{Key, Spelling};
use crate::table::slab::NONE;

/// What there is to tell about an event after it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The one reservation it was about.
    pub slot: Option<Slot>,
    /// Of a new reservation: the units that count against its user's limits now.
    pub counted: u64,
    /// What buyers see of the stock now.
    pub stock: StockChanges,
}

impl Sale {
    /// Carries out an event. O(lines), or O(reservations returned) for a sweep.
    pub fn apply(&mut self, event: &Event<'_>) -> Applied {
        if let Change::Marked { reason } = event.change {
            self.note_mark(reason);
            return Applied::default();
        }
        // Most sales have no outbox. The change is carried out in one place all the same, so
        // that its code is there once.
        let has_outbox = self.outbox.is_some() || event.change.begins_events();
        if has_outbox {
            self.begin_to_queue(event);
        } else {
            self.last_change_at_ms = event.at_ms;
        }
        let applied = self.apply_change(event);
        if self.has_queue {
            self.apply_to_queue(event, &applied.stock);
        }
        if has_outbox {
            self.end_queueing(event, &applied.stock);
        }
        applied
    }

    /// Carries out a change, and queues no entry of it.
    #[inline(always)]
    fn apply_change(&mut self, event: &Event<'_>) -> Applied {
        let mut applied = Applied::default();
        applied.slot = self.apply_to_reservation(event, &mut applied);
        applied
    }

    #[inline(always)]
    fn apply_to_reservation(&mut self, event: &Event<'_>, told: &mut Applied) -> Option<Slot> {
        let (at_ms, seen) = (event.at_ms, &mut told.stock);
        match &event.change {
            Change::Reserved {
                id,
                user,
                lines,
                units,
                expires_at_ms,
                forgets,
                replaces,
            } => {
                self.make_room(*forgets);
                let mut new = new_reservation(*id, NONE, lines, at_ms);
                new.expires_at_ms = *expires_at_ms;
                let slot = match replaces {
                    None => Some(self.reserve(*user, lines, new, told)),
                    Some(old) => self.replace(*old, *user, lines, new, told),
                };
                if !units.is_empty() {
                    self.hold_units(slot?, units);
                }
                slot
            }
            Change::Bought { forgets, .. } => {
                self.make_room(*forgets);
                self.buy(event, seen)
            }
            Change::ReleasedUnseen { id, user, forgets } => {
                self.make_room(*forgets);
                let user = user.map_or(NONE, |user| self.users.retain(user));
                let new = NewReservation {
                    status: Status::Released,
                    ended_at_ms: at_ms,
                    ..new_reservation(*id, user, &[], 0)
                };
                Some(self.reservations.insert(&new, None, &mut self.users))
            }
            Change::Sold { id, order, sealed } => self.sell(*id, order, sealed, at_ms, seen),
            Change::Released { id } => self.end(*id, Status::Released, at_ms, seen),
            Change::Expired { id } => self.end(*id, self.status_when_expired(), at_ms, seen),
            Change::Lapsed { id } => self.end(*id, Status::Expired, at_ms, seen),
            Change::Extended { id, expires_at_ms } => {
                let slot = self.reservations.find(*id)?;
                self.reservations.extend(slot, *expires_at_ms);
                Some(slot)
            }
            Change::Refunded(refund) => self.refund(refund, seen),
            Change::Imported(imported) => self.apply_imported(imported, at_ms, seen),
            Change::Left { id, remembers } => self.apply_left(*id, *remembers, at_ms),
            Change::Joined { .. } => self.apply_joined(event),
            Change::Granted(granted) => {
                self.apply_granted(granted, at_ms, told);
                None
            }
            of_the_sale => {
                self.apply_to_sale(of_the_sale, at_ms, seen);
                None
            }
        }
    }

    /// Keeps a new order.
    #[inline(always)]
    fn buy(&mut self, event: &Event<'_>, seen: &mut StockChanges) -> Option<Slot> {
        let Change::Bought {
            id,
            user,
            lines,
            units,
            order,
            sealed,
            ..
        } = &event.change
        else {
            return None;
        };
        let user = self.users.retain(*user);
        self.move_units(user, lines, (-1, 0, 1), 1, seen);
        let new = NewReservation {
            status: Status::Sold,
            ..new_reservation(*id, user, lines, event.at_ms)
        };
        let order = OrderRecord::new(event.at_ms, order.entry, order.reference);
        let slot = self.reservations.insert(&new, Some(order), &mut self.users);
        if self.named.is_some() {
            self.hold_bought(slot, lines, units, sealed);
        }
        Some(slot)
    }

    fn apply_to_sale(&mut self, change: &Change<'_>, at_ms: u64, seen: &mut StockChanges) {
        match change {
            Change::Swept {
                expired,
                lapsed,
                forgotten,
            } => {
                self.expire_first(*expired, seen);
                self.lapse_first(*lapsed);
                for _ in 0..*forgotten {
                    self.forget(self.reservations.first_ended_of_all());
                }
            }
            Change::Restocked {
                deltas,
                reference,
                named,
            } => self.restock(deltas, *reference, named.as_deref(), seen),
            Change::Altered(options) => {
                if self.options.pace != options.pace {
                    self.pace = Pace::default();
                }
                self.options = (**options).clone();
                self.note_queue();
            }
            Change::Paused => self.paused_at_ms = Some(at_ms),
            Change::Resumed { lifts } => {
                self.paused_at_ms = None;
                self.mark.take_if(|mark| Some(mark.id) == *lifts);
            }
            Change::Closed => self.closed_at_ms = Some(at_ms),
            Change::Bound { orders } => self.orders = (*orders).into(),
            Change::Drawn { seed } => self.apply_drawn(*seed, at_ms),
            Change::Dissolved { items } => self.apply_dissolved(items),
            Change::Given(given) => self.apply_given(given, seen),
            Change::Taken(taken) => self.apply_taken(taken, seen),
            // The sale itself, or one reservation: not done here.
            Change::Created(_)
            | Change::Reserved { .. }
            | Change::Bought { .. }
            | Change::ReleasedUnseen { .. }
            | Change::Sold { .. }
            | Change::Released { .. }
            | Change::Expired { .. }
            | Change::Lapsed { .. }
            | Change::Extended { .. }
            | Change::Refunded(_)
            | Change::Imported(_)
            | Change::Marked { .. }
            | Change::Joined { .. }
            | Change::Left { .. }
            | Change::Granted(_)
            // Of the outbox.
            | Change::Told(_)
            | Change::Dropped { .. } => {}
        }
    }

    /// Notes that this copy missed a change. The first moment and reason stay.
    fn note_mark(&mut self, reason: &str) {
        let at_ms = self.last_change_at_ms;
        let mark = self.mark.get_or_insert_with(|| Mark {
            id: MarkId { at_ms, misses: 0 },
            reason: reason.into(),
        });
        mark.id.misses = mark.id.misses.saturating_add(1);
    }

    #[inline(always)]
    pub(super) fn make_room(&mut self, forgets: Forgets) {
        match forgets {
            Forgets::Nothing => {}
            Forgets::Oldest => self.forget(self.reservations.first_ended_of_all()),
            Forgets::OldestPastGrace => self.forget(self.reservations.first_past_grace()),
        }
    }

    /// Keeps a new reservation of this user, who is looked at once.
    #[inline(always)]
    pub(super) fn reserve(
        &mut self,
        user: Key<'_>,
        lines: &[Line],
        mut new: NewReservation<'_>,
        told: &mut Applied,
    ) -> Slot {
        for line in lines {
            let by = shifted(-1, 1, 0, line.qty);
            self.items.shift(line.item, by, &mut told.stock);
        }
        let slot = self.reservations.next_slot();
        let joined = self.users.reserve(user, units_of(lines), slot);
        self.count_lines(joined.user, lines, 1);
        (new.user, told.counted) = (joined.user, joined.counted);
        self.reservations
            .insert_behind(&new, None, Some(joined.before))
    }

    /// Keeps a reservation in the place of an open one, which is released: items see the
    /// difference alone, and the moment of its making goes over.
    fn replace(
        &mut self,
        old: Key<'_>,
        user: Key<'_>,
        lines: &[Line],
        mut new: NewReservation<'_>,
        told: &mut Applied,
    ) -> Option<Slot> {
        new.user = self.users.retain(user);
        let slot = self.reservations.find(old)?;
        let record = self.reservations.get(slot)?;
        let (old_user, old_lines) = (record.user(), record.lines());
        let at_ms = std::mem::replace(&mut new.reserved_at_ms, record.reserved_at_ms());
        for (item, more) in differences(&old_lines, lines) {
            let by = Move {
                available: -more,
                reserved: more,
                sold: 0,
            };
            self.items.shift(item, by, &mut told.stock);
        }
        if self.named.is_some() {
            self.free_units(slot, Status::Released);
        }
        self.account(old_user, &old_lines, (-1, 0), -1);
        self.account(new.user, lines, (1, 0), 1);
        told.counted = self.users.sums(new.user).counted;
        self.reservations
            .end(slot, &mut self.users, Status::Released, at_ms);
        Some(self.reservations.insert(&new, None, &mut self.users))
    }

    /// Moves the units of `lines` between an item's counts, and with them the user's:
    /// `signs` say what they are added to, `counts` what that does to the limits.
    // Where the signs are known, little is left of it.
    #[inline(always)]
    pub(super) fn move_units(
        &mut self,
        user: UserSlot,
        lines: &[Line],
        signs: (i64, i64, i64),
        counts: i64,
        seen: &mut StockChanges,
    ) {
        let (available, reserved, sold) = signs;
        for line in lines {
            let by = shifted(available, reserved, sold, line.qty);
            self.items.shift(line.item, by, seen);
        }
        self.account(user, lines, (reserved, sold), counts);
    }

    /// Counts `lines` against ITEMLIMIT, or back.
    #[inline(always)]
    fn count_lines(&mut self, user: UserSlot, lines: &[Line], counts: i64) {
        if counts != 0 && self.users.tracks_items() {
            for line in lines {
                self.users.count(user, line.item, counts * signed(line.qty));
            }
        }
    }

    /// The user's part of a move of `lines`.
    #[inline(always)]
    pub(super) fn account(
        &mut self,
        user: UserSlot,
        lines: &[Line],
        signs: (i64, i64),
        counts: i64,
    ) {
        let (reserved, sold) = signs;
        self.count_lines(user, lines, counts);
        let units = signed(units_of(lines));
        let by = Account {
            reserved: reserved * units,
            sold: sold * units,
            counted: counts * units,
        };
        self.users.account(user, by);
    }

    fn sell(
        &mut self,
        id: Key<'_>,
        order: &Order<'_>,
        sealed: &[UnitNumber],
        at_ms: u64,
        seen: &mut StockChanges,
    ) -> Option<Slot> {
        let slot = self.reservations.find(id)?;
        let record = self.reservations.get(slot)?;
        let (user, lines) = (record.user(), record.lines());
        if record.status() == Status::Open {
            self.move_units(user, &lines, (0, -1, 1), 0, seen);
        } else {
            // Within its grace: the units went back on sale and come from there.
            self.move_units(user, &lines, (-1, 0, 1), 1, seen);
        }
        if self.named.is_some() {
            self.hold_sold(slot, &lines, sealed);
        }
        let order = OrderRecord::new(at_ms, order.entry, order.reference);
        self.reservations.sell(slot, &mut self.users, order);
        Some(slot)
    }

    /// Ends an open reservation, or turns an expired one into a released one.
    fn end(
        &mut self,
        id: Key<'_>,
        status: Status,
        at_ms: u64,
        seen: &mut StockChanges,
    ) -> Option<Slot> {
        let slot = self.reservations.find(id)?;
        self.end_slot(slot, status, at_ms, seen);
        Some(slot)
    }

    fn end_slot(&mut self, slot: Slot, status: Status, at_ms: u64, seen: &mut StockChanges) {
        let Some(record) = self.reservations.get(slot) else {
            return;
        };
        if record.status() == Status::Open {
            let (user, lines) = (record.user(), record.lines());
            self.move_units(user, &lines, (1, -1, 0), -1, seen);
        }
        if self.named.is_some() {
            self.free_units(slot, status);
        }
        self.reservations.end(slot, &mut self.users, status, at_ms);
    }

    /// What becomes of a reservation whose deadline passes.
    fn status_when_expired(&self) -> Status {
        if self.options.grace_ms > 0 {
            Status::InGrace
        } else {
            Status::Expired
        }
    }

    fn expire_first(&mut self, expired: u32, seen: &mut StockChanges) {
        let status = self.status_when_expired();
        for _ in 0..expired {
            let Some(slot) = self.reservations.deadlines().first() else {
                break;
            };
            self.end_slot(slot, status, 0, seen);
        }
    }

    fn lapse_first(&mut self, lapsed: u32) {
        for _ in 0..lapsed {
            let Some(slot) = self.reservations.late().first() else {
                break;
            };
            if self.named.is_some() {
                self.free_units(slot, Status::Expired);
            }
            self.reservations
                .end(slot, &mut self.users, Status::Expired, 0);
        }
    }

    fn forget(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot {
            if self.named.is_some() {
                self.free_units(slot, Status::Expired);
            }
            self.reservations.remove(slot, &mut self.users);
        }
    }

    fn restock(
        &mut self,
        deltas: &[StockDelta<'_>],
        reference: Option<Spelling<'_>>,
        named: Option<&NamedRestock<'_>>,
        seen: &mut StockChanges,
    ) {
        let mut by_item = Vec::with_capacity(deltas.len());
        for StockDelta { sku, delta } in deltas {
            let item = self
                .items
                .find(sku)
                .unwrap_or_else(|| self.items.add(sku, Stock::default(), 0));
            let by = Move {
                available: *delta,
                ..Move::default()
            };
            self.items.shift(item, by, seen);
            self.items.shift_base(item, *delta);
            by_item.push((item, *delta));
        }
        if let (Some(named), Some(&(item, _))) = (named, by_item.first()) {
            self.restock_units(item, named);
        }
        let Some(reference) = reference else { return };
        by_item.sort_unstable();
        let deltas = match named.and_then(|named| named.digest) {
            Some(digest) => Deltas::Call(digest),
            None => Deltas::new(&by_item),
        };
        self.restock_refs.push(reference, deltas);
    }
}

/// A reservation with what is common to all of them; open, and never due.
#[inline(always)]
pub(crate) fn new_reservation<'a>(
    id: Key<'a>,
    user: UserSlot,
    lines: &'a [Line],
    reserved_at_ms: u64,
) -> NewReservation<'a> {
    NewReservation {
        id,
        user,
        status: Status::Open,
        cart: CartOf::Lines(lines),
        reserved_at_ms,
        expires_at_ms: 0,
        ended_at_ms: 0,
    }
}
