//! Which sale has a deadline next: hints for the timer, by moment and by place.
//!
//! Edge: pure. A hint names the place of a sale when the hint was set; the sale may have
//! been moved or freed since. Whoever follows a hint opens the key and looks.
//!
//! # Invariants
//!
//! 1. A place (database and key name) has at most one hint.
//! 2. Each hint is once in `by_place` and once in `by_moment`, with the same moment.
//! 3. Where a place has an heir, it has a hint.

use std::collections::{BTreeSet, HashMap};

use crate::place::Place;

/// Something to do at a place, not before `due_ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    pub place: Place,
    /// Unix milliseconds.
    pub due_ms: u64,
}

/// All hints of the server.
#[derive(Default)]
pub struct ExpiryIndex {
    by_place: HashMap<Place, u64>,
    by_moment: BTreeSet<(u64, Place)>,
    /// When a sale is due that was loaded for the place of another one.
    heirs: HashMap<Place, u64>,
    /// Hints that were taken and must not be followed for now.
    held: Vec<Hint>,
}

impl ExpiryIndex {
    pub fn len(&self) -> usize {
        self.by_place.len()
    }

    /// Returns when the next hint is due, in Unix milliseconds. O(log hints).
    pub fn first_due_ms(&self) -> Option<u64> {
        self.by_moment.first().map(|(due_ms, _)| *due_ms)
    }

    /// Sets the hint of a place, and forgets an older one. O(log hints).
    pub fn set(&mut self, hint: Hint) {
        let Hint { place, due_ms } = hint;
        self.remove(&place);
        self.by_moment.insert((due_ms, place.clone()));
        self.by_place.insert(place, due_ms);
    }

    /// Sets the hint of a loaded sale, and returns true, if its place has none. Else the hint
    /// waits until the sale that is there leaves. O(log hints).
    pub fn set_loaded(&mut self, hint: Hint) -> bool {
        let is_free = !self.by_place.contains_key(&hint.place);
        if is_free {
            self.set(hint);
        } else {
            self.heirs.insert(hint.place, hint.due_ms);
        }
        is_free
    }

    /// Forgets the hint of the sale that leaves a place, or replaces it by that of its heir.
    /// O(log hints).
    pub fn leave(&mut self, place: &Place) {
        match self.heirs.remove_entry(place) {
            Some((place, due_ms)) => self.set(Hint { place, due_ms }),
            None => self.remove(place),
        }
    }

    /// Forgets the hint of a place. O(log hints).
    fn remove(&mut self, place: &Place) {
        if let Some((place, due_ms)) = self.by_place.remove_entry(place) {
            self.by_moment.remove(&(due_ms, place));
        }
    }

    /// Takes the earliest hint that is due at `now_ms`. O(log hints).
    pub fn pop_due(&mut self, now_ms: u64) -> Option<Hint> {
        if self.first_due_ms()? > now_ms {
            return None;
        }
        let (due_ms, place) = self.by_moment.pop_first()?;
        self.by_place.remove(&place);
        self.heirs.remove(&place);
        Some(Hint { place, due_ms })
    }

    /// Makes every hint due by `now_ms`, so that each sale is looked at. O(hints log hints).
    pub fn pull(&mut self, now_ms: u64) {
        let by_moment = std::mem::take(&mut self.by_moment);
        for (due_ms, place) in by_moment {
            let due_ms = due_ms.min(now_ms);
            if let Some(moment) = self.by_place.get_mut(&place) {
                *moment = due_ms;
            }
            self.by_moment.insert((due_ms, place));
        }
    }

    /// Keeps a hint aside that was taken, until [`ExpiryIndex::release`].
    pub fn hold(&mut self, hint: Hint) {
        self.held.push(hint);
    }

    /// Takes back all hints kept aside; returns whether there was one. O(held log hints).
    pub fn release(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        let is_any = !held.is_empty();
        for hint in held {
            let sooner = self.by_place.get(&hint.place);
            if sooner.is_none_or(|due_ms| *due_ms > hint.due_ms) {
                self.set(hint);
            }
        }
        is_any
    }

    /// Forgets the hints of a database, or all of them. O(hints).
    pub fn clear(&mut self, database: Option<i32>) {
        self.release();
        let Some(database) = database else {
            *self = ExpiryIndex::default();
            return;
        };
        self.by_place.retain(|place, _| place.database != database);
        self.by_moment
            .retain(|(_, place)| place.database != database);
        self.heirs.retain(|place, _| place.database != database);
    }

    /// Follows two databases that exchanged their numbers. O(hints log hints).
    pub fn swap(&mut self, one: i32, other: i32) {
        self.release();
        for (place, due_ms) in std::mem::take(self).by_place {
            let place = place.swapped(one, other);
            self.set(Hint { place, due_ms });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_due_again_once_it_is_released() {
        let mut index = ExpiryIndex::default();
        index.set(hint(0, "a", 5));
        index.set(hint(0, "b", 6));
        for _ in 0..2 {
            let taken = index.pop_due(9).expect("a hint");
            index.hold(taken);
        }
        assert_eq!(index.pop_due(9), None);
        // A later one of the same place is not heard of, an earlier one stands.
        index.set(hint(0, "a", 7));
        index.set(hint(0, "b", 3));
        assert!(index.release() && !index.release());
        assert_eq!(index.pop_due(9), Some(hint(0, "b", 3)));
        assert_eq!(index.pop_due(9), Some(hint(0, "a", 5)));
        assert_eq!(index.pop_due(9), None);
        for empty in [Some(0), None] {
            index.hold(hint(0, "a", 5));
            index.clear(empty);
            assert!(!index.release());
        }
    }

    fn place(database: i32, key: &str) -> Place {
        Place {
            database,
            key: key.as_bytes().into(),
        }
    }

    fn hint(database: i32, key: &str, due_ms: u64) -> Hint {
        Hint {
            place: place(database, key),
            due_ms,
        }
    }

    fn drain(index: &mut ExpiryIndex) -> Vec<Hint> {
        std::iter::from_fn(|| index.pop_due(u64::MAX)).collect()
    }

    #[test]
    fn gives_hints_in_the_order_they_are_due() {
        let mut index = ExpiryIndex::default();
        for (key, due_ms) in [("b", 20), ("a", 30), ("c", 10)] {
            index.set(hint(0, key, due_ms));
        }
        assert_eq!(index.first_due_ms(), Some(10));
        assert_eq!(index.pop_due(9), None);
        assert_eq!(index.pop_due(10), Some(hint(0, "c", 10)));
        assert_eq!(drain(&mut index), [hint(0, "b", 20), hint(0, "a", 30)]);
        assert_eq!((index.len(), index.first_due_ms()), (0, None));
    }

    #[test]
    fn all_hints_are_pulled_forward_to_a_moment() {
        let mut index = ExpiryIndex::default();
        for (key, due_ms) in [("b", 20), ("a", 30), ("c", 10)] {
            index.set(hint(0, key, due_ms));
        }
        index.pull(15);
        index.set(hint(0, "b", 40));
        let pulled = [hint(0, "c", 10), hint(0, "a", 15), hint(0, "b", 40)];
        assert_eq!(drain(&mut index), pulled);
        assert_eq!((index.len(), index.first_due_ms()), (0, None));
    }

    #[test]
    fn a_place_has_one_hint() {
        let mut index = ExpiryIndex::default();
        index.set(hint(0, "a", 10));
        index.set(hint(0, "a", 30));
        index.set(hint(1, "a", 20));
        assert_eq!(index.len(), 2);
        assert_eq!(drain(&mut index), [hint(1, "a", 20), hint(0, "a", 30)]);
    }

    #[test]
    fn the_hint_of_a_loaded_sale_waits_until_the_place_is_left() {
        let mut index = ExpiryIndex::default();
        assert!(index.set_loaded(hint(0, "a", 10)));
        assert!(!index.set_loaded(hint(0, "a", 25)));
        assert!(!index.set_loaded(hint(0, "a", 5)));
        assert_eq!((index.len(), index.first_due_ms()), (1, Some(10)));
        index.leave(&place(0, "a"));
        assert_eq!((index.len(), index.first_due_ms()), (1, Some(5)));
        index.leave(&place(0, "a"));
        assert_eq!(index.len(), 0);
    }

    #[test]
    fn the_heir_of_a_place_goes_with_its_hint_or_its_database() {
        let mut index = ExpiryIndex::default();
        for database in [0, 1] {
            index.set(hint(database, "a", 10));
            index.set_loaded(hint(database, "a", 20));
        }
        index.clear(Some(1));
        assert_eq!(drain(&mut index), [hint(0, "a", 10)]);
        for database in [0, 1] {
            index.set(hint(database, "a", 30));
            index.leave(&place(database, "a"));
        }
        assert_eq!(index.len(), 0);
    }

    #[test]
    fn forgets_a_place_a_database_or_all() {
        let mut index = ExpiryIndex::default();
        for (database, key) in [(0, "a"), (0, "b"), (1, "a")] {
            index.set(hint(database, key, 10));
        }
        index.leave(&place(0, "b"));
        index.leave(&place(0, "never there"));
        assert_eq!(index.len(), 2);
        index.clear(Some(0));
        assert_eq!(drain(&mut index), [hint(1, "a", 10)]);
        index.set(hint(3, "a", 10));
        index.clear(None);
        assert_eq!((index.len(), index.first_due_ms()), (0, None));
    }

    #[test]
    fn follows_databases_that_change_their_numbers() {
        let mut index = ExpiryIndex::default();
        for (database, due_ms) in [(0, 10), (1, 20), (2, 30)] {
            index.set(hint(database, "a", due_ms));
        }
        index.swap(0, 1);
        assert_eq!(
            drain(&mut index),
            [hint(1, "a", 10), hint(0, "a", 20), hint(2, "a", 30)]
        );
    }
}
