//! Does a replicated event fit the sale it is about to change?
//!
//! A replica applies what its primary decided and asks no second question of policy:
//! no limit, no window, no clock. What is checked is that the event can be carried
//! out at all, so that nothing is guessed of a forged or misplaced one. A replica leaves
//! it out, counts it and marks the sale; in an AOF it ends the start, unless
//! `load-damaged` is set.

use std::fmt;

use crate::sale::book::named::UnitNumber;
use crate::sale::book::reservation::{Reservation, Status};
use crate::sale::event::{Change, Event, Forgets, NamedRestock, Refund, StockDelta};
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex, Line};
use crate::table::name::{Key, NameBuffer, Spelling};

/// Why an event does not fit; this copy of the sale is not the one it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// The sale is there already, or is not of the kind the event creates.
    SaleExists,
    /// The id of a new reservation is known.
    IdKnown,
    /// The id is not known.
    IdUnknown,
    /// The reservation is not in a state this can happen to.
    WrongState,
    /// An item the sale does not have.
    ItemUnknown,
    /// Fewer units there than the event moves.
    TooFewUnits,
    /// More units than a sale can have.
    TooManyUnits,
    /// Fewer overdue or remembered reservations than the event returns or forgets.
    TooFewReservations,
    /// A deadline that moves back.
    DeadlineBack,
    /// The REF of a new refund or restock is known.
    RefKnown,
    /// The sale is paused, resumed or closed already.
    SaleUnchanged,
    /// Fewer entries wait than were written or dropped.
    TooFewEntries,
    /// Entries that were written before stand behind it.
    EntriesOutOfOrder,
    /// The user has a place already.
    UserWaits,
    /// Not as many people at these places as the event settles.
    TooFewPlaces,
    /// What another sale was given, or gave, is not what the event adds to.
    WrongTotal,
    /// A unit that is not free, or not the order's.
    UnitTaken,
    /// The units are not those of the lines.
    OtherUnits,
    /// A name that is new, or of another item, or not to be sold again.
    WrongNames,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Divergence::SaleExists => "the sale exists",
            Divergence::IdKnown => "the id is known",
            Divergence::IdUnknown => "the id is unknown",
            Divergence::WrongState => "the reservation is in another state",
            Divergence::ItemUnknown => "the item is unknown",
            Divergence::TooFewUnits => "there are too few units",
            Divergence::TooManyUnits => "there are too many units",
            Divergence::TooFewReservations => "there are too few reservations",
            Divergence::DeadlineBack => "the deadline moves back",
            Divergence::RefKnown => "the REF is known",
            Divergence::SaleUnchanged => "the sale is in that state already",
            Divergence::TooFewEntries => "there are too few entries waiting",
            Divergence::EntriesOutOfOrder => "the entries are out of order",
            Divergence::UserWaits => "the user waits already",
            Divergence::WrongTotal => "another total was given or taken before",
            Divergence::TooFewPlaces => "other people stand at these places",
            Divergence::UnitTaken => "a unit is not free",
            Divergence::OtherUnits => "the units are not those of the lines",
            Divergence::WrongNames => "the names of units do not fit",
        })
    }
}

fn changes(is_new: bool) -> Result<(), Divergence> {
    if is_new {
        Ok(())
    } else {
        Err(Divergence::SaleUnchanged)
    }
}

/// Units of an item in lines that are ordered by item.
pub(crate) fn qty_of(lines: &[Line], item: ItemIndex) -> u64 {
    let at = lines.binary_search_by_key(&item, |line| line.item);
    at.map_or(0, |at| lines[at].qty)
}

impl Sale {
    /// Whether [`Sale::apply`] can carry this event out. O(lines), O(reservations
    /// returned) for a sweep, O(REFs known) for a restock with a REF.
    ///
    /// # Errors
    ///
    /// The first thing about the event that does not fit.
    pub fn check(&self, event: &Event<'_>) -> Result<(), Divergence> {
        self.check_told(event)?;
        match &event.change {
            Change::Created(_) => Err(Divergence::SaleExists),
            Change::Reserved { .. } | Change::Bought { .. } => self.check_made(&event.change),
            Change::ReleasedUnseen { id, forgets, .. } => self.check_new(*id, *forgets),
            Change::Sold { id, sealed, .. } => self.check_sold(*id, sealed),
            Change::Released { id } => match self.check_known(*id)?.status() {
                Status::Open | Status::InGrace | Status::Expired => Ok(()),
                _ => Err(Divergence::WrongState),
            },
            Change::Expired { id } => self.check_overdue(self.check_known(*id)?, event.at_ms),
            Change::Lapsed { id } => self.check_lapsed(self.check_known(*id)?, event.at_ms),
            Change::Extended { id, expires_at_ms } => self.check_extended(*id, *expires_at_ms),
            Change::Swept {
                expired,
                lapsed,
                forgotten,
            } => {
                let counts = [*expired, *lapsed, *forgotten].map(|count| count as usize);
                self.check_swept(event.at_ms, counts)
            }
            Change::Refunded(refund) => {
                self.check_refund(refund)?;
                self.check_refund_units(refund)?;
                self.check_new_refund(refund)
            }
            Change::Restocked {
                deltas,
                reference,
                named,
            } => {
                self.check_new_restock(*reference)?;
                self.check_deltas(deltas, named.as_deref())
            }
            Change::Altered(options) => {
                // Without tallies from the first day the limit could not be counted.
                if options.item_limit.is_some() && !self.users.tracks_items() {
                    return Err(Divergence::WrongState);
                }
                Ok(())
            }
            Change::Paused => changes(self.paused_at_ms.is_none()),
            Change::Resumed { lifts } => changes(lifts.is_some() || self.paused_at_ms.is_some()),
            Change::Closed => changes(self.closed_at_ms.is_none()),
            Change::Dropped { count } => self.check_waiting(*count),
            Change::Bound { .. } | Change::Marked { .. } | Change::Told(_) => Ok(()),
            Change::Imported(_) | Change::Given(_) | Change::Taken(_) => {
                self.check_of_shares(event)
            }
            _ => self.check_of_lines(event),
        }
    }

    /// Can a reservation or an order be made?
    fn check_made(&self, change: &Change<'_>) -> Result<(), Divergence> {
        match change {
            Change::Reserved {
                id,
                lines,
                units,
                forgets,
                expires_at_ms,
                replaces,
                ..
            } => {
                if *expires_at_ms == 0 {
                    return Err(Divergence::DeadlineBack);
                }
                self.check_new(*id, *forgets)?;
                match replaces {
                    None => self.check_available(lines, &[])?,
                    Some(old) => self.check_replaced(*old, *expires_at_ms, lines)?,
                }
                self.check_units(lines, units, *replaces)
            }
            Change::Bought {
                id,
                lines,
                units,
                sealed,
                forgets,
                ..
            } => {
                self.check_new(*id, *forgets)?;
                self.check_available(lines, &[])?;
                self.check_units(lines, units, None)?;
                self.check_sealed(lines, sealed)
            }
            _ => Ok(()),
        }
    }

    /// Do as many entries wait as were written, and was the event's own written after them?
    fn check_told(&self, event: &Event<'_>) -> Result<(), Divergence> {
        let told = event.change.told();
        let Some(last) = told.last() else {
            return Ok(());
        };
        if event.entry().is_some_and(|own| own <= last) {
            return Err(Divergence::EntriesOutOfOrder);
        }
        self.check_waiting(told.count())
    }

    fn check_waiting(&self, count: u64) -> Result<(), Divergence> {
        let waiting = self
            .outbox
            .as_ref()
            .map_or(0, |outbox| outbox.waiting() as u64);
        if count > waiting {
            return Err(Divergence::TooFewEntries);
        }
        Ok(())
    }

    fn check_new(&self, id: Key<'_>, forgets: Forgets) -> Result<(), Divergence> {
        let waits = self
            .waiting
            .as_ref()
            .is_some_and(|waiting| waiting.find(id).is_some());
        if waits || self.reservations.find(id).is_some() {
            return Err(Divergence::IdKnown);
        }
        self.check_room(forgets)
    }

    /// Is there an id that makes room, if one is to?
    pub(super) fn check_room(&self, forgets: Forgets) -> Result<(), Divergence> {
        if forgets != Forgets::Nothing && self.reservations.remembered_len() == 0 {
            return Err(Divergence::TooFewReservations);
        }
        Ok(())
    }

    pub(super) fn check_known(&self, id: Key<'_>) -> Result<Reservation<'_>, Divergence> {
        let slot = self.reservations.find(id).ok_or(Divergence::IdUnknown)?;
        self.reservations.get(slot).ok_or(Divergence::IdUnknown)
    }

    fn check_sold(&self, id: Key<'_>, sealed: &[UnitNumber]) -> Result<(), Divergence> {
        let record = self.check_known(id)?;
        if record.digest().is_none() {
            self.check_sealed(&record.lines(), sealed)?;
        }
        match record.status() {
            Status::Open => Ok(()),
            // Also for good: before events told the end of a GRACE, one that was raised later
            // brought it back.
            Status::InGrace | Status::Expired if record.digest().is_none() => {
                self.check_available(&record.lines(), &[])?;
                self.check_late(id, record)
            }
            _ => Err(Divergence::WrongState),
        }
    }

    fn check_extended(&self, id: Key<'_>, expires_at_ms: u64) -> Result<(), Divergence> {
        let record = self.check_known(id)?;
        if record.status() != Status::Open {
            return Err(Divergence::WrongState);
        }
        if expires_at_ms < record.expires_at_ms() {
            return Err(Divergence::DeadlineBack);
        }
        Ok(())
    }

    fn check_overdue(&self, record: Reservation<'_>, at_ms: u64) -> Result<(), Divergence> {
        if Sale::is_overdue(record, at_ms) {
            Ok(())
        } else {
            Err(Divergence::WrongState)
        }
    }

    fn check_lapsed(&self, record: Reservation<'_>, at_ms: u64) -> Result<(), Divergence> {
        if self.is_past_grace(record, at_ms) {
            Ok(())
        } else {
            Err(Divergence::WrongState)
        }
    }

    /// Are these units available, with those that are `freed`, ordered by item, on the way?
    fn check_available(&self, lines: &[Line], freed: &[Line]) -> Result<(), Divergence> {
        for line in lines {
            if line.item as usize >= self.items.len() {
                return Err(Divergence::ItemUnknown);
            }
            let available = self.items.stock(line.item).available;
            if available.saturating_add(qty_of(freed, line.item)) < line.qty {
                return Err(Divergence::TooFewUnits);
            }
        }
        Ok(())
    }

    fn check_replaced(
        &self,
        old: Key<'_>,
        expires_at_ms: u64,
        lines: &[Line],
    ) -> Result<(), Divergence> {
        let record = self.check_known(old)?;
        if record.status() != Status::Open || record.expires_at_ms() != expires_at_ms {
            return Err(Divergence::WrongState);
        }
        let mut freed = record.lines();
        freed.sort_unstable();
        self.check_available(lines, &freed)
    }

    fn check_swept(
        &self,
        at_ms: u64,
        [expired, lapsed, forgotten]: [usize; 3],
    ) -> Result<(), Divergence> {
        let (options, reservations) = (&self.options, &self.reservations);
        let graces_end_ms = at_ms.checked_sub(options.grace_ms);
        let lapses_ms = graces_end_ms.filter(|_| lapsed > 0);
        let forgets_ms = at_ms.checked_sub(options.remembers_ms());
        let forgets_ms = forgets_ms.filter(|_| forgotten > 0);
        let late = |until_ms: Option<u64>, most| {
            until_ms.map_or(0, |until_ms| reservations.count_late(until_ms, most))
        };
        let ended = |until_ms: Option<u64>, most| {
            until_ms.map_or(0, |until_ms| reservations.count_ended(until_ms, most))
        };
        // Events of version 1 forget whoever ended first, within a grace or not.
        let forgettable = ended(forgets_ms, forgotten) + late(forgets_ms, forgotten);
        if reservations.count_expired(at_ms, expired) < expired
            || late(lapses_ms, lapsed) < lapsed
            || forgettable < forgotten
        {
            return Err(Divergence::TooFewReservations);
        }
        Ok(())
    }

    pub(crate) fn check_refund(&self, refund: &Refund<'_>) -> Result<(), Divergence> {
        let record = self.check_known(refund.id)?;
        if record.status() != Status::Sold {
            return Err(Divergence::WrongState);
        }
        let mut left = record.left();
        left.sort_unstable();
        for line in &refund.lines {
            let at = left
                .binary_search_by_key(&line.item, |left| left.item)
                .map_err(|_| Divergence::ItemUnknown)?;
            if left[at].qty < line.qty {
                return Err(Divergence::TooFewUnits);
            }
        }
        Ok(())
    }

    fn check_new_refund(&self, refund: &Refund<'_>) -> Result<(), Divergence> {
        let Some(reference) = refund.reference else {
            return Ok(());
        };
        let order = self.check_known(refund.id)?.order();
        let mut buffer = NameBuffer::default();
        let reference = reference.bytes(&mut buffer);
        match order.and_then(|order| order.find_refund(reference, self.hasher)) {
            Some(_) => Err(Divergence::RefKnown),
            None => Ok(()),
        }
    }

    fn check_new_restock(&self, reference: Option<Spelling<'_>>) -> Result<(), Divergence> {
        let mut buffer = NameBuffer::default();
        let known = reference.and_then(|name| self.restock_refs.find(name.bytes(&mut buffer)));
        match known {
            Some(_) => Err(Divergence::RefKnown),
            None => Ok(()),
        }
    }

    fn check_deltas(
        &self,
        deltas: &[StockDelta<'_>],
        named: Option<&NamedRestock<'_>>,
    ) -> Result<(), Divergence> {
        self.check_named(deltas, named)?;
        let mut total = i128::from(self.units());
        for StockDelta { sku, delta } in deltas {
            let item = self.items.find(sku);
            let available = item.map_or(0, |item| self.items.stock(item).available);
            if item.is_none() && *delta < 0 {
                return Err(Divergence::ItemUnknown);
            }
            if available.checked_add_signed(*delta).is_none() {
                return Err(Divergence::TooFewUnits);
            }
            total += i128::from(*delta);
            if !self.has_base_for(item, *delta) {
                return Err(Divergence::TooManyUnits);
            }
        }
        if total > i128::from(INTEGER_MAX) {
            return Err(Divergence::TooManyUnits);
        }
        Ok(())
    }
}
