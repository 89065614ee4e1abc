//! Where the marked sales are, for DOCTOR: copies that missed a change of their primary.
//!
//! Edge: keeps places, not sales. A place is written down whenever a marked sale is loaded,
//! arrives or changes, and whoever follows one opens the key and looks. How many there are
//! is a gauge of INFO and always right; places are kept of so many as an operator would
//! read of.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::sale_key::open_read;
use crate::expiry_index::Place;
use crate::ffi::{Ctx, TextBuf};

/// Most places that are kept.
const PLACES_MAX: usize = 1_000;

static PLACES: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());

/// The lock is for the compiler, as with the hints.
fn with<R>(act: impl FnOnce(&mut BTreeSet<Place>) -> R) -> R {
    act(&mut PLACES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Writes down that there is a marked sale.
pub(super) fn note(place: Place) {
    with(|places| {
        if places.len() < PLACES_MAX {
            places.insert(place);
        }
    });
}

/// A sale leaves its key.
pub(super) fn forget(place: &Place) {
    with(|places| places.remove(place));
}

/// A database was emptied, or all were.
pub(super) fn clear(database: Option<i32>) {
    with(|places| places.retain(|place| database.is_some_and(|one| one != place.database)));
}

/// Follows two databases that exchanged their numbers.
pub(super) fn swap(one: i32, other: i32) {
    with(|places| {
        let before = std::mem::take(places).into_iter();
        *places = before.map(|place| place.swapped(one, other)).collect();
    });
}

/// A sale that missed a change of its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverged {
    pub database: i32,
    pub key: Vec<u8>,
    /// Why, in words.
    pub reason: String,
}

/// Returns the first `max` marked sales that are found, and forgets the places where there
/// is none any more. The context is left in the database it was in.
pub fn diverged(ctx: Ctx<'_>, max: usize) -> Vec<Diverged> {
    let here = ctx.database();
    let places = with(|places| places.clone());
    let mut found = Vec::new();
    for place in places {
        match look(ctx, &place) {
            Some(diverged) => found.push(diverged),
            None => forget(&place),
        }
        if found.len() == max {
            break;
        }
    }
    ctx.select(here);
    found
}

fn look(ctx: Ctx<'_>, place: &Place) -> Option<Diverged> {
    let name = TextBuf::new(&place.key);
    if !ctx.select(place.database) {
        return None;
    }
    let key = open_read(ctx, name.as_text()).ok()?;
    let mark = key.sale().mark()?;
    Some(Diverged {
        database: place.database,
        key: place.key.to_vec(),
        reason: mark.reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Vec<(i32, String)> {
        let name = |place: &Place| String::from_utf8_lossy(&place.key).into_owned();
        with(|places| {
            let told = places.iter().map(|place| (place.database, name(place)));
            told.collect()
        })
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
        assert_eq!(places(), own(&[(0, "a"), (0, "b"), (1, "a")]));
        swap(0, 1);
        assert_eq!(places(), own(&[(0, "a"), (1, "a"), (1, "b")]));
        forget(&Place {
            database: 1,
            key: b"a"[..].into(),
        });
        clear(Some(0));
        assert_eq!(places(), own(&[(1, "b")]));
        for number in 0..PLACES_MAX {
            note(Place::new(0, number.to_string().as_bytes()));
        }
        assert_eq!(places().len(), PLACES_MAX);
        clear(None);
        assert_eq!(places(), own(&[]));
    }
}
