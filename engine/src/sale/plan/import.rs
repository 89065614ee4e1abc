//! Decides IMPORT: an order was sold, whatever the sale knows.
//!
//! No window, PAUSE, limit, line, rate or pass stands in the way: none of them is asked.
//!
//! Edge: reads the state and returns an event or an answer.

use crate::sale::OrderPlan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, Import};
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::event::told::Told;
use crate::sale::event::{Change, Forgets, Imported, Order, Pending};
use crate::sale::plan::reserve::Unknown;
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, Lines, one_line};
use crate::table::name::Spelling;

/// What the sale knows of an order that it has not sold.
struct Unsold {
    lines: Lines,
    is_open: bool,
    forgets: Forgets,
}

impl Sale {
    /// IMPORT. O(lines log lines).
    pub fn plan_import<'a>(&self, now_ms: u64, ask: &Import<'a>, bounds: &Bounds) -> OrderPlan<'a> {
        let unsold = self.unsold(now_ms, ask, bounds)?;
        if !unsold.is_open && !self.may_owe(&unsold.lines) {
            return Err(Answer::Invalid(
                "qty: the sum over the sale exceeds 9007199254740991",
            ));
        }
        let imported = Imported {
            id: ask.id,
            user: ask.user,
            lines: unsold.lines,
            sold_at_ms: ask.sold_at_ms,
            order: Order {
                reference: ask.reference.map(Spelling::of),
                payload: ask.payload,
                entry: EntryId::default(),
                told: Told::default(),
            },
            forgets: unsold.forgets,
        };
        Ok(Pending::new(now_ms, Change::Imported(Box::new(imported))))
    }

    fn unsold(&self, now_ms: u64, ask: &Import<'_>, bounds: &Bounds) -> Result<Unsold, Answer> {
        if let Some(slot) = self.find(ask.id) {
            let record = self.record(slot).ok_or(Answer::Mismatch)?;
            if !self.is_same_request(record, ask.user.spelling(), &ask.ask) {
                return Err(Answer::Mismatch);
            }
            if record.status() == Status::Sold {
                return Err(Self::imported_before(slot, record, ask.reference));
            }
            return Ok(Unsold {
                lines: self.lines_of_unsold(record, ask)?,
                is_open: record.status() == Status::Open,
                forgets: Forgets::Nothing,
            });
        }
        let lines = match self.find_place(ask.id).and_then(|slot| self.place(slot)) {
            Some(place) if place.user == ask.user.spelling() && self.asks_for(place, &ask.ask) => {
                one_line(place.item, place.qty)
            }
            Some(_) => return Err(Answer::Mismatch),
            None => self
                .lines_of(&ask.ask)
                .map_err(|Unknown(ask)| Answer::NoSku { ask })?,
        };
        Ok(Unsold {
            lines,
            is_open: false,
            forgets: self.room(now_ms, bounds)?,
        })
    }

    /// The lines as they were first asked for, where they are known; else as they are now.
    fn lines_of_unsold(&self, record: Reservation<'_>, ask: &Import<'_>) -> Result<Lines, Answer> {
        if record.is_unseen() || record.digest().is_some() {
            return self
                .lines_of(&ask.ask)
                .map_err(|Unknown(ask)| Answer::NoSku { ask });
        }
        Ok(record.lines())
    }

    /// A replay under the same REF. To leave it out says that there was none.
    fn imported_before(slot: Slot, record: Reservation<'_>, reference: Option<&[u8]>) -> Answer {
        let state = Self::sold_state(record);
        let kept = record.order().and_then(|order| order.reference.as_ref());
        match state {
            Answer::Sold { .. } if kept.map(|kept| kept.bytes()) != reference => {
                Answer::AlreadySold { slot }
            }
            _ => state,
        }
    }
}
