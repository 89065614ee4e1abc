//! Lists of units beside the lines of a cart: do they fit, and in which order are they.
//!
//! Edge: questions about lists; what is kept is `named.rs`.

use crate::sale::book::named::{NamedUnits, UnitList, UnitNumber};
use crate::sale::units::{ItemIndex, Line};

impl NamedUnits {
    /// Reports whether these units are those of lines: of each unsealed item as many as its
    /// quantity, in the order of the lines, ascending within each. O(units).
    pub fn fits(&self, lines: &[Line], units: &[UnitNumber]) -> bool {
        self.fits_items(lines, units, |item| self.is_open_item(item))
    }

    /// Reports whether an expired reservation with this deadline had these units of its lines, so
    /// that a checkout within its grace may have them back. Of sealed items it had none, but no
    /// claim either on one that was counted then. O(units).
    pub fn fits_late(&self, lines: &[Line], expires_at_ms: u64, late: &[UnitNumber]) -> bool {
        let was_counted = |line: &Line| self.counted_until_ms(line.item) >= Some(expires_at_ms);
        self.fits(lines, late) && !lines.iter().any(was_counted)
    }

    /// The same for the items that `counts` says.
    pub fn fits_items(
        &self,
        lines: &[Line],
        units: &[UnitNumber],
        counts: impl Fn(ItemIndex) -> bool,
    ) -> bool {
        let mut rest = units;
        for line in lines.iter().filter(|line| counts(line.item)) {
            let qty = usize::try_from(line.qty).unwrap_or(usize::MAX);
            let Some((of_line, behind)) = rest.split_at_checked(qty) else {
                return false;
            };
            let is_of_line = |&unit: &UnitNumber| self.item_of(unit) == Some(line.item);
            if !of_line.is_sorted_by(|one, next| one < next) || !of_line.iter().all(is_of_line) {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }

    /// The same for a list of a time when some items may have been counted whose units have names
    /// now: of those there are none. O(lines + units).
    pub fn fitted(&self, lines: &[Line], units: &[UnitNumber]) -> bool {
        let mut rest = units;
        for line in lines {
            let item = |unit: &UnitNumber| self.item_of(*unit);
            if rest.first().and_then(item) != Some(line.item) {
                continue;
            }
            let qty = usize::try_from(line.qty).unwrap_or(usize::MAX);
            let (of_line, behind) = rest.split_at(qty.min(rest.len()));
            if !self.fits_items(&[*line], of_line, |_| true) {
                return false;
            }
            rest = behind;
        }
        rest.is_empty()
    }

    /// Puts the units of two lists in the order of lines; each list is, and no item is in both.
    pub fn merged(&self, lines: &[Line], one: &[UnitNumber], other: &[UnitNumber]) -> UnitList {
        if one.is_empty() || other.is_empty() {
            return one.iter().chain(other).copied().collect();
        }
        let mut all = UnitList::with_capacity(one.len() + other.len());
        let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
        for line in lines {
            for list in [&mut one, &mut other] {
                while let Some(&unit) = list.next_if(|unit| self.item_of(**unit) == Some(line.item))
                {
                    all.push(unit);
                }
            }
        }
        all
    }
}
