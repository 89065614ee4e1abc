//! Units that have names.

use smallvec::SmallVec;

use crate::table::hash::Hasher;

/// Longest name of a unit, in bytes.
pub const UNIT_BYTES_MAX: usize = 128;
/// Most units that one RESTOCK names.
pub const RESTOCK_UNITS_MAX: usize = 10_000;

/// The number of a unit in its sale, in the order of coming; never given again.
pub type UnitNumber = u32;

/// Units of one reservation, order or refund.
pub type UnitList = SmallVec<[UnitNumber; 4]>;

/// The units with names of a sale.
pub struct NamedUnits {
    #[allow(dead_code)]
    hasher: Hasher,
}

impl NamedUnits {
    /// Heap bytes of everything.
    pub fn heap_bytes(&self) -> usize {
        0
    }

    /// How much work freeing the units is, in records.
    pub fn free_effort(&self) -> usize {
        0
    }
}
