//! What the read commands see of units with names.
//!
//! Edge: reads only, and no clock.

use crate::sale::book::named::{NamedUnits, UnitList, UnitNumber};
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::book::rows::Row;
use crate::sale::event::Change;
use crate::sale::state::Sale;
use crate::sale::units::ItemIndex;
use crate::table::name::{NameBuffer, Spelling};

/// Bits of a cursor for the position in a row.
const ROW_BITS: u32 = 16;

/// What an item counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// Units that are a number.
    Counted,
    /// Units with names.
    Named,
    /// Units whose names are shown only to whoever has bought them.
    Sealed,
}

/// The state of a unit, as UNITS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitState {
    Free,
    Reserved,
    Sold,
    Withdrawn,
}

impl UnitState {
    /// Every state, in the order of the reference.
    pub const ALL: [UnitState; 4] = [
        UnitState::Free,
        UnitState::Reserved,
        UnitState::Sold,
        UnitState::Withdrawn,
    ];

    /// Returns the word of the reply.
    pub fn word(self) -> &'static str {
        match self {
            UnitState::Free => "free",
            UnitState::Reserved => "reserved",
            UnitState::Sold => "sold",
            UnitState::Withdrawn => "withdrawn",
        }
    }
}

/// One unit with its name.
#[derive(Clone, Copy, Debug)]
pub struct UnitView<'s> {
    pub number: UnitNumber,
    pub item: ItemIndex,
    pub state: UnitState,
    name: Spelling<'s>,
    holder: Option<Spelling<'s>>,
}

impl UnitView<'_> {
    /// Returns its name; `buffer` is used when it is packed.
    pub fn name<'b>(&'b self, buffer: &'b mut NameBuffer) -> &'b [u8] {
        self.name.bytes(buffer)
    }

    /// Returns the id of the reservation or order that has it; `None` of one that is free or
    /// withdrawn.
    pub fn holder<'b>(&'b self, buffer: &'b mut NameBuffer) -> Option<&'b [u8]> {
        self.holder.map(|id| id.bytes(buffer))
    }
}

impl Sale {
    /// Reports whether any unit has a name. O(1).
    #[inline(always)]
    pub fn has_unit_names(&self) -> bool {
        self.named.is_some()
    }

    /// Number of units with names, withdrawn ones among them. O(1).
    #[inline]
    pub fn units_len(&self) -> u64 {
        self.named.as_ref().map_or(0, |named| named.len() as u64)
    }

    /// What an item counts; an unknown one is counted. O(1).
    #[inline]
    pub fn kind_of_item(&self, item: ItemIndex) -> ItemKind {
        let named = self.named.as_ref();
        match named.and_then(|named| named.item(item)) {
            None => ItemKind::Counted,
            Some(item) if item.sealed => ItemKind::Sealed,
            Some(_) => ItemKind::Named,
        }
    }

    /// Reports whether a unit has this name, whatever its state. O(1).
    pub fn knows_unit(&self, name: &[u8]) -> bool {
        let named = self.named.as_ref();
        named.is_some_and(|named| named.find_bytes(name).is_some())
    }

    /// The name of a unit, `None` for an unknown number. O(1).
    #[inline]
    pub fn unit_name(&self, number: UnitNumber) -> Option<Spelling<'_>> {
        self.named.as_ref()?.name(number)
    }

    /// The item of a unit, `None` for an unknown number. O(1).
    #[inline]
    pub fn item_of_unit(&self, number: UnitNumber) -> Option<ItemIndex> {
        self.named.as_ref()?.item_of(number)
    }

    /// A unit with its name, item and state, `None` for an unknown number. O(1).
    pub fn unit(&self, number: UnitNumber) -> Option<UnitView<'_>> {
        let named = self.named.as_ref()?;
        let holder = self.record(named.holder(number));
        let state = match holder.map(Reservation::status) {
            Some(Status::Sold) => UnitState::Sold,
            Some(_) => UnitState::Reserved,
            None if named.is_free(number) => UnitState::Free,
            None => UnitState::Withdrawn,
        };
        Some(UnitView {
            number,
            item: named.item_of(number)?,
            state,
            name: named.name(number)?,
            holder: holder.map(Reservation::id),
        })
    }

    /// The units that a reservation or an order has now, in the order of its lines, ascending
    /// within a line; of sealed items once sold. O(units).
    #[inline]
    pub fn units_of(&self, slot: Slot) -> UnitList {
        match &self.named {
            Some(named) => named.held_by(slot).collect(),
            None => UnitList::new(),
        }
    }

    /// The units of the entry of an order or a refund, or of the reply to a new reservation, as
    /// [`Sale::units_of`]: what the change gives or takes, sealed ones among them. Asked before
    /// the change is carried out, as an entry is written then. O(units).
    #[inline]
    pub fn units_of_change(&self, change: &Change<'_>) -> UnitList {
        match &self.named {
            Some(named) => self.named_units_of(named, change),
            None => UnitList::new(),
        }
    }

    #[inline(never)] // Most sales have none.
    fn named_units_of(&self, named: &NamedUnits, change: &Change<'_>) -> UnitList {
        match change {
            Change::Reserved { units, .. } => units.clone(),
            Change::Bought {
                lines,
                units,
                sealed,
                ..
            } => named.merged(lines, units, sealed),
            Change::Imported(imported) => {
                let mut held = imported.units.clone();
                if held.is_empty()
                    && let Some(slot) = self.find(imported.id)
                {
                    held = named.held_by(slot).collect();
                }
                named.merged(&imported.lines, &held, &imported.sealed)
            }
            Change::Refunded(refund) => refund.units.clone(),
            Change::Sold { id, sealed, .. } => {
                let Some(slot) = self.find(*id) else {
                    return UnitList::new();
                };
                let mut held: UnitList = named.held_by(slot).collect();
                if held.is_empty() {
                    held = UnitList::from_slice(named.late_of(slot));
                }
                let lines = self.record(slot).map(Reservation::lines);
                named.merged(&lines.unwrap_or_default(), &held, sealed)
            }
            _ => UnitList::new(),
        }
    }

    /// Visits the units of an item from position `cursor` on, at most `count`, in the order of
    /// rows, and returns the next cursor, 0 at the end. Of a sealed item only those that are
    /// sold are visited, and all positions count. O(`count`).
    ///
    /// Positions never change: a unit that is known during the whole of a scan is visited
    /// exactly once.
    pub fn scan_units(
        &self,
        item: ItemIndex,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(UnitView<'_>),
    ) -> u64 {
        let Some(named) = &self.named else { return 0 };
        let Some(kept) = named.item(item) else {
            return 0;
        };
        // A row has fewer units than a cursor has positions for each.
        let place = usize::try_from(cursor >> ROW_BITS).unwrap_or(usize::MAX);
        let mut skip = usize::try_from(cursor & ((1 << ROW_BITS) - 1)).unwrap_or(usize::MAX);
        let mut left = count;
        let rows = kept.rows().iter().enumerate().skip(place);
        for (place, row) in rows {
            let units = named.rows().row(*row).map_or(0..0, Row::units);
            let len = units.len();
            for unit in units.skip(skip).take(left) {
                if let Some(view) = self.unit(unit)
                    && (!kept.sealed || view.state == UnitState::Sold)
                {
                    visit(view);
                }
            }
            let rest = len.saturating_sub(skip);
            if rest > left {
                return (place as u64) << ROW_BITS | (skip + left) as u64;
            }
            left -= rest;
            skip = 0;
            if left == 0 {
                let next = place + 1;
                let is_end = next >= kept.rows().len();
                return if is_end { 0 } else { (next as u64) << ROW_BITS };
            }
        }
        0
    }
}
