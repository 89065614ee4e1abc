//! Decides what a known id is answered: row 2, and the state it is in.
//!
//! Edge: reads the state. What a new id gets is `reserve.rs`.

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Ask, Reserve};
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line};

impl Sale {
    /// Row 2: the state a known id is in, if the request is the one that made it.
    pub(super) fn replay(&self, slot: Slot, now_ms: u64, ask: &Reserve<'_>) -> Answer {
        match self.record(slot) {
            Some(record) if self.is_same_request(record, slot, ask) => {
                self.present_state(slot, record, now_ms)
            }
            _ => Answer::Mismatch,
        }
    }

    /// The same user and the same units per SKU? An id that was released before it was
    /// seen has no items to compare.
    pub(crate) fn is_same_request(
        &self,
        record: Reservation<'_>,
        slot: Slot,
        ask: &Reserve<'_>,
    ) -> bool {
        if !self.belongs_to(record, ask.user.spelling()) {
            return false;
        }
        if record.is_unseen() {
            return true;
        }
        if ask.units.is_empty() {
            self.same_units(record, &ask.ask)
        } else {
            self.is_same_by_name(record, slot, &ask.ask, ask.units)
        }
    }

    fn same_units(&self, record: Reservation<'_>, ask: &Ask<'_>) -> bool {
        match ask {
            Ask::Qty(qty) => {
                let one = |item| record.lines()[..] == [Line { item, qty: *qty }];
                self.bare_items().any(one)
            }
            Ask::Items(asked) => self
                .merged(asked)
                .is_ok_and(|lines| record.has_units(&lines)),
        }
    }

    /// The state of a reservation, as RESERVE and EXTEND answer it.
    pub(super) fn present_state(&self, slot: Slot, record: Reservation<'_>, now_ms: u64) -> Answer {
        let expires_at_ms = record.expires_at_ms();
        let expired = Answer::Expired {
            expires_at_ms,
            grace_left_ms: None,
        };
        match record.status() {
            Status::Open if expires_at_ms <= now_ms => expired,
            Status::Open => Answer::Reserved { slot },
            Status::InGrace | Status::Expired => expired,
            Status::Released => Answer::Released,
            Status::Sold => Self::sold_state(record),
        }
    }

    /// `Sold` or `Refunded`, for an order.
    pub(crate) fn sold_state(record: Reservation<'_>) -> Answer {
        let Some(order) = record.order() else {
            return Answer::NoReservation;
        };
        match order.last_refund() {
            Some(last) if record.is_refunded() => Answer::Refunded { entry: last.entry },
            _ => Answer::Sold { order: order.entry },
        }
    }

    /// What a bare quantity can have meant, now or when it was first sent: items that
    /// RESTOCK added since do not make a retry another request.
    pub(crate) fn bare_items(&self) -> impl Iterator<Item = ItemIndex> {
        let only = self.had_one_item.then_some(0);
        [self.items.bare(), only].into_iter().flatten()
    }
}
