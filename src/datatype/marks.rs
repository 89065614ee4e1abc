//! Where the marked sales are, for DOCTOR: copies that missed a change of their primary.
//!
//! Edge: keeps places, not sales. A place is noted whenever a marked sale is loaded, arrives
//! or changes; whoever follows a place opens the key and looks. The number of marked sales is
//! a gauge of INFO and always right. Places are kept of no more sales than an operator would
//! read about.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::place::Place;

/// Most places that are kept.
const PLACES_MAX: usize = 1_000;

static PLACES: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());

/// Runs `act` on the places. The lock is there for the compiler, as in `hints/`.
fn with<R>(act: impl FnOnce(&mut BTreeSet<Place>) -> R) -> R {
    act(&mut PLACES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Notes the place of a marked sale.
pub fn note(place: Place) {
    with(|places| {
        if places.len() < PLACES_MAX {
            places.insert(place);
        }
    });
}

/// Forgets the place of a sale that leaves its key.
pub fn forget(place: &Place) {
    with(|places| places.remove(place));
}

/// Forgets the places in a database that was emptied, or all of them.
pub fn clear(database: Option<i32>) {
    with(|places| places.retain(|place| database.is_some_and(|one| one != place.database)));
}

/// Follows two databases that exchanged their numbers.
pub fn swap(one: i32, other: i32) {
    with(|places| {
        let before = std::mem::take(places).into_iter();
        *places = before.map(|place| place.swapped(one, other)).collect();
    });
}

/// Returns the places as they were noted; some of the sales may no longer be marked.
pub fn places() -> Vec<Place> {
    with(|places| places.iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_places() -> Vec<(i32, String)> {
        let name = |place: &Place| String::from_utf8_lossy(&place.key).into_owned();
        let places = places();
        places
            .iter()
            .map(|place| (place.database, name(place)))
            .collect()
    }

    /// One test, since the places are those of the whole process.
    #[test]
    fn places_follow_what_happens_to_databases_and_stay_few() {
        for (database, key) in [(0, "a"), (0, "b"), (1, "a"), (0, "a")] {
            note(Place::new(database, key.as_bytes()));
        }
        let own = |all: &[(i32, &str)]| -> Vec<(i32, String)> {
            all.iter().map(|&(at, key)| (at, key.to_owned())).collect()
        };
        assert_eq!(named_places(), own(&[(0, "a"), (0, "b"), (1, "a")]));
        swap(0, 1);
        assert_eq!(named_places(), own(&[(0, "a"), (1, "a"), (1, "b")]));
        forget(&Place::new(1, b"a"));
        clear(Some(0));
        assert_eq!(named_places(), own(&[(1, "b")]));
        for number in 0..PLACES_MAX {
            note(Place::new(0, number.to_string().as_bytes()));
        }
        assert_eq!(places().len(), PLACES_MAX);
        clear(None);
        assert_eq!(named_places(), own(&[]));
    }
}
