//! What the read commands see of units with names.
//!
//! Edge: reads only, and no clock.

use crate::sale::book::named::{UnitList, UnitNumber};
use crate::sale::book::reservation::Slot;
use crate::sale::event::Change;
use crate::sale::state::Sale;
use crate::sale::units::ItemIndex;
use crate::table::name::{NameBuffer, Spelling};

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
    /// Number of units with names, withdrawn ones among them. O(1).
    pub fn units_len(&self) -> u64 {
        0
    }

    /// What an item counts; an unknown one is counted. O(1).
    pub fn kind_of_item(&self, _item: ItemIndex) -> ItemKind {
        ItemKind::Counted
    }

    /// A unit with its name, `None` for an unknown number. O(1).
    pub fn unit(&self, _number: UnitNumber) -> Option<UnitView<'_>> {
        None
    }

    /// The units that a reservation or an order has now, in the order of its lines, ascending
    /// within a line; of sealed items once sold. O(units).
    pub fn units_of(&self, _slot: Slot) -> UnitList {
        UnitList::new()
    }

    /// The units of the entry of an order or a refund, or of the reply to a new reservation, as
    /// [`Sale::units_of`]: what the change gives or takes, sealed ones among them. Asked before
    /// the change is carried out, as an entry is written then. O(units).
    pub fn units_of_change(&self, _change: &Change<'_>) -> UnitList {
        UnitList::new()
    }

    /// Visits the units of an item from position `cursor` on, at most `count`, in the order of
    /// rows, and returns the next cursor, 0 at the end. Of a sealed item only those that are
    /// sold are visited, and all positions count. O(`count`).
    ///
    /// Positions never change: a unit that is known during the whole of a scan is visited
    /// exactly once.
    pub fn scan_units(
        &self,
        _item: ItemIndex,
        _cursor: u64,
        _count: usize,
        _visit: &mut dyn FnMut(UnitView<'_>),
    ) -> u64 {
        0
    }
}
