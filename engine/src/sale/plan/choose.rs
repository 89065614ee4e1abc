//! Chooses units of an item for whoever asks for them by number.
//!
//! For `q` units, rows in order, each from its beginning:
//!
//! 1. the first row with a free run of exactly `q`, or of at least `q` + 2: its first `q`, so
//!    that nobody is left alone;
//! 2. else the first run of at least `q`: its first `q`;
//! 3. else the first `q` free units, which are not neighbours.
//!
//! Step 1 looks into at most [`ROWS_LOOKED_MAX`] rows whose longest run is `q` + 1, as the others
//! are decided by that length alone; after them only a run of at least `q` + 2 counts.
//!
//! Edge: the choice is the outcome, and part of an event; no copy chooses again. So the rule can
//! be another one tomorrow.

use std::collections::BTreeMap;
use std::ops::Range;

use smallvec::SmallVec;

use crate::sale::book::named::{NamedUnits, UnitList, UnitNumber};
use crate::sale::book::rows::{Row, Runs, UnitItem, longest_run};
use crate::sale::units::ItemIndex;

/// Rows that step 1 looks into.
const ROWS_LOOKED_MAX: usize = 64;

/// A row as it is for one decision: others of its units are free than the sale says.
struct Altered {
    /// Where the row begins in `bits`.
    start: usize,
    bits: SmallVec<[u64; 4]>,
    longest: u16,
}

/// The rows of one item as a decision sees them.
pub(super) struct Choice<'n> {
    named: &'n NamedUnits,
    item: &'n UnitItem,
    /// By place.
    altered: BTreeMap<usize, Altered>,
}

impl<'n> Choice<'n> {
    /// Begins a choice among the units of an item; `None` for a counted one.
    pub fn new(named: &'n NamedUnits, item: ItemIndex) -> Option<Choice<'n>> {
        Some(Choice {
            named,
            item: named.item(item)?,
            altered: BTreeMap::new(),
        })
    }

    /// Counts units as free, or as taken, for this decision.
    pub fn set(&mut self, units: &[UnitNumber], free: bool) {
        for (position, &unit) in units.iter().enumerate() {
            let Some(row) = self.named.row(unit) else {
                continue;
            };
            let place = row.place as usize;
            let altered = self.altered.entry(place);
            let altered = altered.or_insert_with(|| altered_row(self.named, row));
            let at = unit as usize - altered.start;
            if let Some(word) = altered.bits.get_mut(at / 64) {
                let bit = 1 << (at % 64);
                *word = if free { *word | bit } else { *word & !bit };
            }
            let next = units
                .get(position + 1)
                .and_then(|&next| self.named.row(next));
            if next.is_none_or(|next| next.first() != row.first()) {
                let (range, start) = (row.range(), altered.start);
                let range = range.start - start..range.end - start;
                altered.longest = longest_run(&altered.bits, range, u16::MAX);
            }
        }
    }

    /// Returns the first `qty` units of the rule, ascending, if as many are free.
    pub fn choose(&self, qty: u64) -> Option<UnitList> {
        let qty = u16::try_from(qty).ok().filter(|&qty| qty > 0)?;
        if let Some(first) = self.first_fit(qty).or_else(|| self.first_run(qty)) {
            return Some((first..first + u32::from(qty)).collect());
        }
        let mut units = UnitList::new();
        self.first_free(qty.into(), &mut units).then_some(units)
    }

    /// Step 1.
    fn first_fit(&self, qty: u16) -> Option<UnitNumber> {
        let (mut from, mut looked) = (0, 0);
        loop {
            let takes_exact = looked < ROWS_LOOKED_MAX;
            let least = if takes_exact {
                qty
            } else {
                qty.saturating_add(2)
            };
            let place = self.next_row(from, least)?;
            let fits = |run: &Range<usize>| {
                let len = run.len();
                (takes_exact && len == usize::from(qty)) || len >= usize::from(qty) + 2
            };
            // Only such a row may have no run that fits.
            looked += usize::from(self.longest(place) == qty + 1);
            if let Some(first) = self.find_run(place, fits) {
                return Some(first);
            }
            from = place + 1;
        }
    }

    /// Step 2.
    fn first_run(&self, qty: u16) -> Option<UnitNumber> {
        let place = self.next_row(0, qty)?;
        self.find_run(place, |run| run.len() >= usize::from(qty))
    }

    /// Step 3, and the oldest of sealed units: adds them to a list, if as many are free.
    pub fn first_free(&self, qty: usize, units: &mut UnitList) -> bool {
        let mut more = qty;
        let mut from = 0;
        while more > 0 {
            let Some(place) = self.next_row(from, 1) else {
                return false;
            };
            self.with_runs(place, |start, mut runs| {
                while more > 0
                    && let Some(at) = runs.next_unit()
                {
                    units.push((start + at) as UnitNumber);
                    more -= 1;
                }
            });
            from = place + 1;
        }
        true
    }

    fn longest(&self, place: usize) -> u16 {
        let altered = self.altered.get(&place);
        altered.map_or_else(|| self.item.longest(place), |altered| altered.longest)
    }

    /// The first row, from this place on, with a free run of at least so many.
    fn next_row(&self, from: usize, least: u16) -> Option<usize> {
        if self.altered.is_empty() {
            return self.item.next_row(from, least);
        }
        let altered = self.altered.range(from..);
        let altered = altered.map(|(place, row)| (*place, row.longest));
        let altered = altered
            .filter(|&(_, longest)| longest >= least)
            .map(|(place, _)| place);
        let altered = altered.take(1).next();
        let mut at = from;
        while let Some(place) = self.item.next_row(at, least) {
            if !self.altered.contains_key(&place) {
                return altered.map_or(Some(place), |altered| Some(altered.min(place)));
            }
            at = place + 1;
        }
        altered
    }

    /// Looks at the runs of a row, which are positions behind `start`.
    fn with_runs<R>(&self, place: usize, look: impl FnOnce(usize, Runs<'_>) -> R) -> Option<R> {
        let rows = self.named.rows();
        let row = rows.row(*self.item.rows().get(place)?)?;
        Some(match self.altered.get(&place) {
            None => look(0, Runs::of(rows.bits(), self.item.open_range(row))),
            Some(altered) => {
                let (range, start) = (row.range(), altered.start);
                look(
                    start,
                    Runs::of(&altered.bits, range.start - start..range.end - start),
                )
            }
        })
    }

    fn find_run(&self, place: usize, is_it: impl Fn(&Range<usize>) -> bool) -> Option<UnitNumber> {
        self.with_runs(place, |start, mut runs| {
            let run = runs.find(|run| is_it(run))?;
            UnitNumber::try_from(start + run.start).ok()
        })?
    }
}

/// A row as the sale has it, to be changed for one decision.
fn altered_row(named: &NamedUnits, row: &Row) -> Altered {
    let range = row.range();
    let words = range.start / 64..range.end.div_ceil(64);
    let start = words.start * 64;
    let bits = named.rows().bits().get(words).unwrap_or_default();
    Altered {
        start,
        bits: SmallVec::from_slice(bits),
        longest: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    /// Rows as they are drawn: `.` is a free unit.
    fn drawn(rows: &[&str]) -> NamedUnits {
        let mut named = NamedUnits::new(HASHER);
        for row in rows {
            let names: Vec<String> = (0..row.len())
                .map(|n| format!("{}-{n}", named.len()))
                .collect();
            let keys = names.iter().map(|name| HASHER.key(name.as_bytes()));
            let first = named.add(0, false, keys).expect("a row");
            let free = (first..).zip(row.bytes()).filter(|&(_, byte)| byte == b'.');
            let free: UnitList = free.map(|(unit, _)| unit).collect();
            named.offer(&free);
        }
        named
    }

    fn chosen(rows: &[&str], qty: u64) -> Option<Vec<UnitNumber>> {
        let named = drawn(rows);
        let choice = Choice::new(&named, 0).expect("an item");
        choice.choose(qty).map(|units| units.to_vec())
    }

    #[test]
    fn nobody_is_left_alone_where_that_can_be_avoided() {
        // Exactly as many, or two more, before the first run.
        assert_eq!(chosen(&["...x..", "xxxxxx"], 2), Some(vec![4, 5]));
        assert_eq!(chosen(&["...", "...."], 2), Some(vec![3, 4]));
        assert_eq!(chosen(&["...", "xxx"], 2), Some(vec![0, 1]));
        assert_eq!(chosen(&["x...x", "..xx."], 1), Some(vec![1]));
        assert_eq!(chosen(&["x..xx", "..xx."], 1), Some(vec![9]));
    }

    #[test]
    fn units_that_are_no_neighbours_are_the_last_resort() {
        assert_eq!(chosen(&[".x.x", "x.x."], 3), Some(vec![0, 2, 5]));
        assert_eq!(chosen(&[".x.x", "x.x."], 5), None);
        // The end of a row and the beginning of the next are no neighbours.
        assert_eq!(chosen(&["x.", ".x", ".."], 2), Some(vec![4, 5]));
    }

    #[test]
    fn only_so_many_rows_are_looked_into() {
        let mut rows = vec!["...x"; ROWS_LOOKED_MAX];
        rows.push("...x..");
        assert_eq!(chosen(&rows, 2), Some(vec![0, 1]));
        rows.push("....");
        assert_eq!(chosen(&rows, 2), Some(vec![262, 263]));
        let mut rows = vec!["...x"; ROWS_LOOKED_MAX - 1];
        rows.push("...x..");
        assert_eq!(chosen(&rows, 2), Some(vec![256, 257]));
    }

    #[test]
    fn what_a_decision_frees_or_takes_counts_as_such() {
        let named = drawn(&["xxxx", "..xx", "...."]);
        let mut choice = Choice::new(&named, 0).expect("an item");
        choice.set(&[1, 2], true);
        assert_eq!(choice.choose(2).as_deref(), Some(&[1, 2][..]));
        choice.set(&[1], false);
        assert_eq!(choice.choose(2).as_deref(), Some(&[4, 5][..]));
        choice.set(&[4, 8, 9], false);
        assert_eq!(choice.choose(2).as_deref(), Some(&[10, 11][..]));
        choice.set(&[10], false);
        assert_eq!(choice.choose(3).as_deref(), Some(&[2, 5, 11][..]));
        assert_eq!(choice.choose(4), None);
    }
}
