//! Decides RESERVE: who gets units, and who not.
//!
//! The rows of RESERVE's table are checked in its order, one function a group.
//! Edge: reads the state and returns an event or an answer.

use crate::sale::Plan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Ask, AskLines, Bounds, Reserve};
use crate::sale::book::deadlines::NEVER;
use crate::sale::book::named::UnitList;
use crate::sale::book::reservation::{Reservation, Slot};
use crate::sale::book::users::UserSlot;
use crate::sale::event::check::qty_of;
use crate::sale::event::{Change, Event, Forgets};
use crate::sale::plan::wanted::WantedUnits;
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex, Line, Lines, one_line, units_of};
use crate::table::name::{Key, Spelling};

/// A SKU that is not there: its position in the request, if it had one.
pub(crate) struct Unknown(pub Option<usize>);

/// The open reservation that a new one takes the place of: for the decision, its units
/// and its share of the limits count as free.
pub(crate) struct Replaced {
    slot: Slot,
    user: UserSlot,
    /// Ordered by item.
    lines: Lines,
    units: u64,
    expires_at_ms: u64,
}

impl Replaced {
    /// Units of an item.
    pub(super) fn qty_of(&self, item: ItemIndex) -> u64 {
        qty_of(&self.lines, item)
    }

    /// Which reservation it is.
    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// Units in all.
    pub(super) fn units(&self) -> u64 {
        self.units
    }
}

/// What a replaced reservation frees of an item.
fn freed_of(replaced: Option<&Replaced>, item: ItemIndex) -> u64 {
    replaced.map_or(0, |replaced| qty_of(&replaced.lines, item))
}

impl Sale {
    /// RESERVE. O(lines log lines).
    pub fn plan_reserve<'a>(&self, now_ms: u64, ask: &Reserve<'a>, bounds: &Bounds) -> Plan<'a> {
        if !ask.units.is_empty() {
            return self.plan_named(now_ms, ask, bounds);
        }
        if let Some(slot) = self.find(ask.id) {
            return Err(self.replay(slot, now_ms, ask));
        }
        if self.has_queue | ask.waits {
            if let Some(answer) = self.replay_place(now_ms, ask) {
                return Err(answer);
            }
            if ask.waits {
                return self.plan_wait(now_ms, ask, bounds);
            }
        }
        match ask.replaces {
            None => self.plan_new(now_ms, ask, bounds, None),
            Some(old) => self.plan_replacement(now_ms, ask, bounds, old),
        }
    }

    /// REPLACE. By itself, so that a reservation which replaces none asks nothing about that.
    #[inline(never)]
    fn plan_replacement<'a>(
        &self,
        now_ms: u64,
        ask: &Reserve<'a>,
        bounds: &Bounds,
        old: Key<'_>,
    ) -> Plan<'a> {
        let replaced = self.replaceable(now_ms, old)?;
        self.plan_new(now_ms, ask, bounds, Some(&replaced))
    }

    /// The rows of a new id.
    #[inline(always)]
    fn plan_new<'a>(
        &self,
        now_ms: u64,
        ask: &Reserve<'a>,
        bounds: &Bounds,
        replaced: Option<&Replaced>,
    ) -> Plan<'a> {
        let lines = self
            .lines_of(&ask.ask)
            .map_err(|Unknown(ask)| Answer::NoSku { ask })?;
        let user = self.admit(now_ms, ask.user, &lines, bounds, replaced, None)?;
        self.plan_units(now_ms, ask, user, (lines, None), bounds, replaced)
    }

    /// RESERVE of units by their names. WAIT knows none.
    #[cold]
    #[inline(never)]
    fn plan_named<'a>(&self, now_ms: u64, ask: &Reserve<'a>, bounds: &Bounds) -> Plan<'a> {
        self.check_names(ask)?;
        if let Some(slot) = self.find(ask.id) {
            return Err(self.replay(slot, now_ms, ask));
        }
        if let Some(answer) = self.replay_place(now_ms, ask) {
            return Err(answer);
        }
        let replaced = ask.replaces.map(|old| self.replaceable(now_ms, old));
        let replaced = replaced.transpose()?;
        let wanted = self.wanted_units(&ask.ask, ask.units, false)?;
        let (lines, named) = (wanted.lines.clone(), Some(&wanted));
        let replaced = replaced.as_ref();
        let user = self.admit(now_ms, ask.user, &lines, bounds, replaced, named)?;
        self.plan_units(now_ms, ask, user, (lines, named), bounds, replaced)
    }

    /// The event of somebody who may have the units.
    #[inline(always)]
    pub(super) fn plan_units<'a>(
        &self,
        now_ms: u64,
        ask: &Reserve<'a>,
        user: Key<'a>,
        (lines, wanted): (Lines, Option<&WantedUnits>),
        bounds: &Bounds,
        replaced: Option<&Replaced>,
    ) -> Plan<'a> {
        // A pass is for beginning: what REPLACE changes has begun.
        if replaced.is_none() {
            self.admit_pass(now_ms, ask)?;
        }
        let forgets = self.room(now_ms, bounds)?;
        let mut units = UnitList::new();
        if self.named.is_some() {
            units = self.units_for(&lines, wanted, replaced)?;
        }
        let hold_ms = ask.hold_ms.unwrap_or(u64::MAX).min(self.options.hold_ms);
        let expires_at_ms = now_ms.saturating_add(hold_ms).min(INTEGER_MAX);
        let change = Change::Reserved {
            units,
            id: ask.id,
            user,
            lines,
            expires_at_ms: replaced.map_or(expires_at_ms, |replaced| replaced.expires_at_ms),
            forgets,
            replaces: ask.replaces,
        };
        Ok(Event {
            at_ms: now_ms,
            change,
        })
    }

    /// The reservation that is to be replaced, while it is open; else what CHECKOUT would
    /// say of it.
    pub(super) fn replaceable(&self, now_ms: u64, old: Key<'_>) -> Result<Replaced, Answer> {
        let (slot, record) = self.reservation_of(old, None)?;
        match self.present_state(slot, record, now_ms) {
            Answer::Reserved { .. } => {}
            Answer::Expired { expires_at_ms, .. } => {
                let grace_left_ms = Some(self.grace_left_of(slot, record, now_ms));
                return Err(Answer::Expired {
                    expires_at_ms,
                    grace_left_ms,
                });
            }
            other => return Err(other),
        }
        let mut lines = record.lines();
        lines.sort_unstable();
        Ok(Replaced {
            slot,
            user: record.user(),
            units: units_of(&lines),
            lines,
            expires_at_ms: record.expires_at_ms(),
        })
    }

    /// Is this answer to a RESERVE of `id` about the reservation it was to replace? An
    /// unknown id has no state of its own to be answered.
    pub fn is_of_replaced(&self, answer: &Answer, id: Key<'_>) -> bool {
        let is_a_state = matches!(
            answer,
            Answer::NoReservation
                | Answer::Sold { .. }
                | Answer::Refunded { .. }
                | Answer::Released
                | Answer::Expired { .. }
                | Answer::StillWaiting
        );
        is_a_state && self.find(id).is_none()
    }

    /// What is asked for, each item once, in the order first asked. O(lines log lines).
    pub(crate) fn lines_of(&self, ask: &Ask<'_>) -> Result<Lines, Unknown> {
        match ask {
            Ask::Qty(qty) => {
                let item = self.items.bare().ok_or(Unknown(None))?;
                Ok(one_line(item, *qty))
            }
            Ask::Items(asked) => self.merged(asked),
        }
    }

    pub(super) fn merged(&self, asked: &AskLines<'_>) -> Result<Lines, Unknown> {
        let mut lines = Lines::with_capacity(asked.len());
        for (position, &(sku, qty)) in asked.iter().enumerate() {
            let item = self.items.find(sku).ok_or(Unknown(Some(position)))?;
            lines.push(Line { item, qty });
        }
        if lines.len() > 1 {
            merge_lines(&mut lines);
        }
        Ok(lines)
    }

    /// Rows 4 to 14: the window, the limits, the stock, lines and PACE. Returns the user, with
    /// a note of where it was found, if it was looked for.
    #[inline(always)]
    pub(crate) fn admit<'a>(
        &self,
        now_ms: u64,
        user: Key<'a>,
        lines: &[Line],
        bounds: &Bounds,
        replaced: Option<&Replaced>,
        wanted: Option<&WantedUnits>,
    ) -> Result<Key<'a>, Answer> {
        self.admit_window(now_ms)?;
        self.admit_units(now_ms, user, lines, bounds, replaced, wanted)
    }

    /// Rows 4 to 6.
    #[inline(always)]
    pub(super) fn admit_window(&self, now_ms: u64) -> Result<(), Answer> {
        let options = &self.options;
        if let Some(at_ms) = self.ended_at_ms(now_ms) {
            return Err(Answer::Ended { at_ms });
        }
        if let Some(start_at_ms) = options.start_at_ms
            && now_ms < start_at_ms
        {
            return Err(Answer::NotStarted {
                starts_in_ms: start_at_ms - now_ms,
            });
        }
        if let Some(at_ms) = self.refuses_since_ms() {
            return Err(Answer::Paused { at_ms });
        }
        Ok(())
    }

    /// Rows 8 to 14.
    #[inline(always)]
    pub(super) fn admit_units<'a>(
        &self,
        now_ms: u64,
        mut user: Key<'a>,
        lines: &[Line],
        bounds: &Bounds,
        replaced: Option<&Replaced>,
        wanted: Option<&WantedUnits>,
    ) -> Result<Key<'a>, Answer> {
        let options = &self.options;
        let units = units_of(lines);
        if let Some(limit) = options.order_limit
            && units > limit
        {
            return Err(Answer::OrderLimit { limit });
        }
        if self.named.is_some() {
            self.admit_named_order(lines)?;
        }
        if options.user_limit.is_some() || options.item_limit.is_some() {
            let (slot, counted) = self.users.find_counted(&mut user);
            self.admit_user(slot, counted, lines, units, replaced)?;
        }
        self.admit_stock(now_ms, lines, units, Some(bounds), replaced, wanted)?;
        if self.has_queue {
            self.admit_pace(now_ms, bounds, replaced)?;
        }
        Ok(user)
    }

    /// Rows 9 and 10, for a user with so many units that count; also asked again for a checkout
    /// within its grace.
    #[inline(always)]
    pub(crate) fn admit_user(
        &self,
        user: UserSlot,
        counted: u64,
        lines: &[Line],
        units: u64,
        replaced: Option<&Replaced>,
    ) -> Result<(), Answer> {
        let own = replaced.filter(|replaced| replaced.user == user);
        let freed = own.map_or(0, |own| own.units);
        let counted = counted.saturating_sub(freed);
        if let Some(remaining) = self.options.user_remaining(counted)
            && units > remaining
        {
            return Err(Answer::UserLimit { remaining });
        }
        if let Some(limit) = self.options.item_limit {
            for line in lines {
                let counted = self.users.counted_of(user, line.item);
                let freed = freed_of(own, line.item);
                let remaining = limit.saturating_sub(counted.saturating_sub(freed));
                if line.qty > remaining {
                    return Err(Answer::ItemLimit {
                        remaining,
                        item: line.item,
                    });
                }
            }
        }
        Ok(())
    }

    /// Rows 11 to 13, also asked again for a checkout within its grace.
    // Every RESERVE comes here, and a call costs as much as a row.
    #[inline(always)]
    pub(crate) fn admit_stock(
        &self,
        now_ms: u64,
        lines: &[Line],
        units: u64,
        bounds: Option<&Bounds>,
        replaced: Option<&Replaced>,
        wanted: Option<&WantedUnits>,
    ) -> Result<(), Answer> {
        let totals = self.items.totals();
        let limit = self.options.sale_limit.unwrap_or(u64::MAX);
        if totals.sold.saturating_add(units) > limit {
            return Err(Answer::SaleLimit {
                remaining: limit.saturating_sub(totals.sold),
            });
        }
        // Of units that are named, each one is looked at, and not how many there are.
        let counted = wanted.map_or(lines, WantedUnits::numbered);
        for &Line { item, qty } in counted {
            let stock = self.items.stock(item);
            if stock.available.saturating_add(stock.reserved) < qty {
                if !self.is_part() && wanted.is_none() && !self.items.owes() {
                    let freed = freed_of(replaced, item);
                    let available = stock.available.saturating_add(freed);
                    return Err(Answer::SoldOut { available, item });
                }
                let answer = self.too_few(now_ms, lines, replaced);
                return Err(answer.unwrap_or(Answer::RETRY_NOW));
            }
        }
        if let Some(wanted) = wanted {
            self.refuse_gone(&wanted.asked)?;
        }
        for line in counted {
            let &Line { item, qty } = line;
            let available = self.items.stock(item).available;
            let is_short = available.saturating_add(freed_of(replaced, item)) < qty;
            if is_short || (self.has_queue && self.is_waited_for(line, replaced)) {
                // What is owed makes an item short, and only then has to be looked at.
                if self.items.owes()
                    && let Some(answer) = self.too_few(now_ms, lines, replaced)
                {
                    return Err(answer);
                }
                return Err(self.all_reserved(now_ms, bounds, Some(item)));
            }
        }
        if let Some(wanted) = wanted {
            self.refuse_reserved(now_ms, wanted, bounds, replaced)?;
        }
        let freed = replaced.map_or(0, |replaced| replaced.units);
        let reserved = totals.reserved.saturating_sub(freed);
        let spoken_for = totals.sold.saturating_add(reserved);
        if spoken_for.saturating_add(units) > limit {
            return Err(self.all_reserved(now_ms, bounds, None));
        }
        if self.has_queue {
            self.admit_past_lines(now_ms, units, bounds, replaced)?;
        }
        Ok(())
    }

    /// Row 13, with the sale's next deadline as a lower bound of when to retry.
    pub(super) fn all_reserved(
        &self,
        now_ms: u64,
        bounds: Option<&Bounds>,
        item: Option<ItemIndex>,
    ) -> Answer {
        let deadline_in_ms = self.first_deadline_in_ms(now_ms);
        let mut retry_in_ms = deadline_in_ms.unwrap_or(1);
        if self.has_queue {
            retry_in_ms = self.retry_beside_lines_ms(now_ms, bounds, deadline_in_ms);
        }
        if let Some(item) = item
            && !self.is_all_there_is(item)
        {
            retry_in_ms = retry_in_ms.min(self.part_retry_ms(now_ms));
        }
        Answer::AllReserved { retry_in_ms, item }
    }

    /// How long until the first deadline, at least 1, if there is an open reservation.
    pub(super) fn first_deadline_in_ms(&self, now_ms: u64) -> Option<u64> {
        match self.reservations.deadlines().first_ms() {
            NEVER => None,
            first_ms => Some(first_ms.saturating_sub(now_ms).max(1)),
        }
    }

    /// Row 18: is there room for one more id, and must the oldest remembered one go?
    #[inline(always)]
    pub(crate) fn room(&self, now_ms: u64, bounds: &Bounds) -> Result<Forgets, Answer> {
        if self.reservations.len() < bounds.reservations_max {
            Ok(Forgets::Nothing)
        } else {
            self.room_for_another(now_ms)
        }
    }

    fn room_for_another(&self, now_ms: u64) -> Result<Forgets, Answer> {
        // One whose grace is over, and that the sweep has not come to yet, may go as well.
        let may_go = |slot| {
            let record = self.record(slot)?;
            Some(!self.is_in_grace(record, now_ms))
        };
        match self.reservations.first_past_grace().and_then(may_go) {
            Some(true) => Ok(Forgets::OldestPastGrace),
            Some(false) | None => Err(Answer::Full),
        }
    }

    /// A known reservation that is `user`'s, if one is named.
    pub(crate) fn reservation_of(
        &self,
        id: Key<'_>,
        user: Option<Spelling<'_>>,
    ) -> Result<(Slot, Reservation<'_>), Answer> {
        let slot = self.find(id).ok_or_else(|| self.unknown(id, user))?;
        Ok((slot, self.reservation_at(slot, user)?))
    }

    pub(super) fn reservation_at(
        &self,
        slot: Slot,
        user: Option<Spelling<'_>>,
    ) -> Result<Reservation<'_>, Answer> {
        let record = self.record(slot).ok_or(Answer::NoReservation)?;
        // What a change of it will look at, all at once.
        self.users.touch_slot(record.user());
        self.reservations.touch_neighbours(slot);
        if user.is_some_and(|user| !self.belongs_to(record, user)) {
            return Err(Answer::NoReservation);
        }
        Ok(record)
    }
}

/// Sums lines of the same item, keeping the order in which items first came.
pub(crate) fn merge_lines(lines: &mut Lines) {
    let mut placed: Vec<(ItemIndex, usize, u64)> = lines
        .iter()
        .enumerate()
        .map(|(position, line)| (line.item, position, line.qty))
        .collect();
    placed.sort_unstable();
    placed.dedup_by(|next, first| {
        let same = next.0 == first.0;
        if same {
            first.2 = first.2.saturating_add(next.2);
        }
        same
    });
    placed.sort_unstable_by_key(|&(_, position, _)| position);
    lines.clear();
    lines.extend(placed.into_iter().map(|(item, _, qty)| Line { item, qty }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_sums_by_item_in_the_order_first_asked() {
        let line = |item, qty| Line { item, qty };
        let mut lines = Lines::from_vec(vec![line(7, 1), line(2, 5), line(7, 3), line(0, 1)]);
        merge_lines(&mut lines);
        assert_eq!(lines[..], [line(7, 4), line(2, 5), line(0, 1)]);
    }
}
