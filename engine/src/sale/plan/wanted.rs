//! What a request with names of units comes to, once they are looked up.

use crate::sale::book::named::UnitList;
use crate::sale::units::{Line, Lines};

/// What is asked for, with the units that were named looked up.
pub struct WantedUnits {
    /// Each item once: those by number in the order first asked, then those by name.
    pub lines: Lines,
    /// In the order of the request.
    pub asked: UnitList,
    /// Lines by number, which come first.
    pub by_number: usize,
}

impl WantedUnits {
    /// Returns the items that were asked for by number.
    pub fn numbered(&self) -> &[Line] {
        self.lines.get(..self.by_number).unwrap_or_default()
    }

    /// Returns the items whose units were named.
    pub fn by_name(&self) -> &[Line] {
        self.lines.get(self.by_number..).unwrap_or_default()
    }
}
