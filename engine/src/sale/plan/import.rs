//! Decides IMPORT: an order was sold, whatever the sale knows.
//!
//! No window, PAUSE, limit, line, rate or pass stands in the way: none of them is asked. Units
//! with names are named, because a counter cannot owe two people one seat.
//!
//! Edge: reads the state and returns an event or an answer.

use crate::sale::OrderPlan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Ask, Bounds, Import};
use crate::sale::book::named::UnitList;
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::book::waiting::Place;
use crate::sale::event::told::Told;
use crate::sale::event::{Change, Forgets, Imported, Order, Pending};
use crate::sale::plan::units::names_twice;
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, Lines, one_line};
use crate::table::name::Spelling;
use crate::table::slab::NONE;

/// What the sale knows of an order that it has not sold.
struct Unsold {
    lines: Lines,
    /// The open reservation that becomes the order.
    open: Option<Slot>,
    forgets: Forgets,
}

impl Sale {
    /// IMPORT. O(lines log lines + units with names).
    pub fn plan_import<'a>(&self, now_ms: u64, ask: &Import<'a>, bounds: &Bounds) -> OrderPlan<'a> {
        if names_twice(ask.units).is_some() {
            return Err(Answer::Invalid("UNITS: the same unit twice"));
        }
        let unsold = self.unsold(now_ms, ask, bounds)?;
        if unsold.open.is_none() && !self.may_owe(&unsold.lines) {
            return Err(Answer::Invalid(
                "qty: the sum over the sale exceeds 9007199254740991",
            ));
        }
        let (units, sealed) = self.units_sold_elsewhere(now_ms, ask, &unsold)?;
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
            units,
            sealed,
            forgets: unsold.forgets,
        };
        Ok(Pending::new(now_ms, Change::Imported(Box::new(imported))))
    }

    fn unsold(&self, now_ms: u64, ask: &Import<'_>, bounds: &Bounds) -> Result<Unsold, Answer> {
        if let Some(slot) = self.find(ask.id) {
            let record = self.record(slot).ok_or(Answer::Mismatch)?;
            if !self.is_same_order(record, slot, ask) {
                return Err(Answer::Mismatch);
            }
            if record.status() == Status::Sold {
                return Err(Self::imported_before(slot, record, ask.reference));
            }
            return Ok(Unsold {
                lines: self.lines_of_unsold(record, ask)?,
                open: (record.status() == Status::Open).then_some(slot),
                forgets: Forgets::Nothing,
            });
        }
        let lines = match self.find_place(ask.id).and_then(|slot| self.place(slot)) {
            Some(place) if self.is_same_place(place, ask) => one_line(place.item, place.qty),
            Some(_) => return Err(Answer::Mismatch),
            None => self.lines_asked(ask)?,
        };
        Ok(Unsold {
            lines,
            open: None,
            forgets: self.room(now_ms, bounds)?,
        })
    }

    /// Row 2: the same user, the same quantities per SKU, and of what is named all that the id has?
    fn is_same_order(&self, record: Reservation<'_>, slot: Slot, ask: &Import<'_>) -> bool {
        if !self.belongs_to(record, ask.user.spelling()) {
            return false;
        }
        if record.is_unseen() {
            return true;
        }
        match ask.units {
            [] => self.same_units(record, &ask.ask),
            names => self.is_same_by_name(record, slot, &ask.ask, names, true),
        }
    }

    /// Row 6: the same user and the same units as those that a place of a line waits for?
    fn is_same_place(&self, place: Place<'_>, ask: &Import<'_>) -> bool {
        let waits_for = one_line(place.item, place.qty);
        place.user == ask.user.spelling()
            && match ask.units {
                [] => self.asks_for(place, &ask.ask),
                _ => self.lines_asked(ask).is_ok_and(|lines| lines == waits_for),
            }
    }

    fn lines_asked(&self, ask: &Import<'_>) -> Result<Lines, Answer> {
        Ok(self.wanted_units(&ask.ask, ask.units, true)?.lines)
    }

    /// The lines as they were first asked for, where they are known; else as they are now.
    fn lines_of_unsold(&self, record: Reservation<'_>, ask: &Import<'_>) -> Result<Lines, Answer> {
        if record.is_unseen() || record.digest().is_some() {
            return self.lines_asked(ask);
        }
        Ok(record.lines())
    }

    /// Row 5: the units with names that the order gets, unsealed and sealed, each in the order of
    /// its lines. What an open reservation has is not given to it again.
    fn units_sold_elsewhere(
        &self,
        now_ms: u64,
        ask: &Import<'_>,
        unsold: &Unsold,
    ) -> Result<(UnitList, UnitList), Answer> {
        let none = (UnitList::new(), UnitList::new());
        let Some(named) = &self.named else {
            return Ok(none);
        };
        let is_named = |item| named.item(item).is_some();
        if !unsold.lines.iter().any(|line| is_named(line.item)) {
            return Ok(none);
        }
        let wanted = self.wanted_units(&ask.ask, ask.units, true)?;
        // By number they are the server's choice, which nobody was told of.
        let is_by_number = match ask.ask {
            Ask::Qty(_) => true,
            Ask::Items(_) => wanted.numbered().iter().any(|line| is_named(line.item)),
        };
        if is_by_number {
            return Err(Answer::Invalid(
                "qty: the units of the item have names, say which by UNITS",
            ));
        }
        self.refuse_gone(&wanted.asked)?;
        let own = unsold.open.unwrap_or(NONE);
        for &unit in &wanted.asked {
            self.refuse_taken(now_ms, unit, own)?;
        }
        if unsold.open.is_none()
            && let Some(short) = self.short_of_named(&unsold.lines)
        {
            // Only of codes: all that are left are promised to reservations.
            let mut asked = wanted.asked.iter();
            let unit = asked.find(|&&unit| named.item_of(unit) == Some(short.item));
            return Err(Answer::NotFree {
                retry_in_ms: Some(self.first_deadline_in_ms(now_ms).unwrap_or(1)),
                unit: unit.copied().unwrap_or(NONE),
            });
        }
        let is_new = |unit: &u32| own == NONE || named.holder(*unit) != own;
        let units = self.in_order_of(&unsold.lines, wanted.asked);
        let (sealed, open): (UnitList, UnitList) =
            units.into_iter().filter(is_new).partition(|&unit| {
                named
                    .item_of(unit)
                    .is_some_and(|item| named.is_sealed_item(item))
            });
        Ok((open, sealed))
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
