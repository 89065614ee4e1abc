//! Decides CHECKOUT and BUY: what becomes an order.
//!
//! Edge: reads the state and returns an event or an answer. The entry of the order
//! stream is appended by whoever carries the event out.

use crate::sale::OrderPlan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, Checkout, Reserve};
use crate::sale::book::named::UnitList;
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::event::told::Told;
use crate::sale::event::{Change, Order, Pending};
use crate::sale::plan::reserve::Unknown;
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, units_of};
use crate::table::name::Spelling;

impl Sale {
    /// CHECKOUT. O(lines).
    pub fn plan_checkout<'a>(&self, now_ms: u64, ask: &Checkout<'a>) -> OrderPlan<'a> {
        let (slot, record) = self.reservation_of(ask.id, ask.user)?;
        self.sell_or_tell(now_ms, slot, record, ask)
    }

    /// BUY: RESERVE and CHECKOUT in one step. O(lines log lines).
    pub fn plan_buy<'a>(
        &self,
        now_ms: u64,
        ask: &Reserve<'a>,
        reference: Option<&'a [u8]>,
        payload: Option<&'a [u8]>,
        bounds: &Bounds,
    ) -> OrderPlan<'a> {
        if !ask.units.is_empty() {
            self.check_names(ask)?;
        }
        if let Some(slot) = self.find(ask.id) {
            let record = self.record(slot).ok_or(Answer::Mismatch)?;
            if !self.is_same_request(record, slot, ask) || !self.names_late_units(slot, ask) {
                return Err(Answer::Mismatch);
            }
            let checkout = Checkout {
                id: ask.id,
                user: None,
                reference,
                payload,
            };
            return self.sell_or_tell(now_ms, slot, record, &checkout);
        }
        if self.find_place(ask.id).is_some() {
            return Err(Answer::StillWaiting);
        }
        if self.named.is_some() || !ask.units.is_empty() {
            return self.plan_buy_named(now_ms, ask, reference, payload, bounds);
        }
        let lines = self
            .lines_of(&ask.ask)
            .map_err(|Unknown(ask)| Answer::NoSku { ask })?;
        let user = self.admit(now_ms, ask.user, &lines, bounds, None, None)?;
        self.admit_pass(now_ms, ask)?;
        let forgets = self.room(now_ms, bounds)?;
        let order = Order {
            reference: reference.map(Spelling::of),
            payload,
            entry: EntryId::default(),
            told: Told::default(),
        };
        let change = Change::Bought {
            sealed: UnitList::new(),
            units: UnitList::new(),
            id: ask.id,
            user,
            lines,
            order,
            forgets,
        };
        Ok(Pending::new(now_ms, change))
    }

    /// The rows of a new id, in a sale that has units with names.
    #[cold]
    #[inline(never)]
    fn plan_buy_named<'a>(
        &self,
        now_ms: u64,
        ask: &Reserve<'a>,
        reference: Option<&'a [u8]>,
        payload: Option<&'a [u8]>,
        bounds: &Bounds,
    ) -> OrderPlan<'a> {
        let wanted = self.wanted_units(&ask.ask, ask.units, false)?;
        let user = self.admit(now_ms, ask.user, &wanted.lines, bounds, None, Some(&wanted))?;
        self.admit_pass(now_ms, ask)?;
        let forgets = self.room(now_ms, bounds)?;
        let units = self.units_for(&wanted.lines, Some(&wanted), None)?;
        let sealed = self.sealed_for(&wanted.lines)?;
        let order = Order {
            reference: reference.map(Spelling::of),
            payload,
            entry: EntryId::default(),
            told: Told::default(),
        };
        let change = Change::Bought {
            id: ask.id,
            user,
            lines: wanted.lines,
            units,
            order,
            sealed,
            forgets,
        };
        Ok(Pending::new(now_ms, change))
    }

    /// The rows of CHECKOUT's table for a reservation that is there.
    fn sell_or_tell<'a>(
        &self,
        now_ms: u64,
        slot: Slot,
        record: Reservation<'_>,
        ask: &Checkout<'a>,
    ) -> OrderPlan<'a> {
        let expires_at_ms = record.expires_at_ms();
        match record.status() {
            Status::Open if now_ms < expires_at_ms => {}
            Status::InGrace if self.grants_grace(now_ms, slot, record) => {}
            Status::Open | Status::InGrace | Status::Expired => {
                return Err(Answer::Expired {
                    expires_at_ms,
                    grace_left_ms: Some(self.grace_left_of(slot, record, now_ms)),
                });
            }
            Status::Released => return Err(Answer::Released),
            Status::Sold => return Err(self.sold_before(slot, record, ask.reference)),
        }
        let mut sealed = UnitList::new();
        if self.named.is_some() {
            sealed = self.sealed_for(&record.lines())?;
        }
        let order = Order {
            reference: ask.reference.map(Spelling::of),
            payload: ask.payload,
            entry: EntryId::default(),
            told: Told::default(),
        };
        Ok(Pending::new(
            now_ms,
            Change::Sold {
                sealed,
                id: ask.id,
                order,
            },
        ))
    }

    /// A replay for the same REF or none, a double charge for another.
    fn sold_before(&self, slot: Slot, record: Reservation<'_>, reference: Option<&[u8]>) -> Answer {
        let state = Self::sold_state(record);
        if let (Answer::Sold { .. }, Some(reference)) = (state, reference) {
            let kept = record.order().and_then(|order| order.reference.as_ref());
            if kept.is_none_or(|kept| kept.bytes() != reference) {
                return Answer::AlreadySold { slot };
            }
        }
        state
    }

    /// Is an expired reservation within its grace, with its units free and the limits
    /// admitting them now? The window is not asked again.
    fn grants_grace(&self, now_ms: u64, slot: Slot, record: Reservation<'_>) -> bool {
        if !self.is_in_grace(record, now_ms) {
            return false;
        }
        let lines = record.lines();
        let units = units_of(&lines);
        let user = record.user();
        let counted = self.users.sums(user).counted;
        self.admit_user(user, counted, &lines, units, None)
            .and_then(|()| self.admit_stock(now_ms, &lines, units, None, None, None))
            .is_ok()
            && (self.named.is_none() || self.has_late_units(slot, record))
    }
}
