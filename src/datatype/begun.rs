//! Values that a load has begun.
//!
//! Edge: keeps places, not values: one may be gone. What becomes of those whose last chunk
//! never came is decided in `unfinished.rs`.

use std::sync::{Mutex, PoisonError};

use crate::place::Place;

static BEGUN: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// Notes that a load has begun a value.
pub(super) fn note(place: Place) {
    BEGUN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(place);
}

/// Takes all places there are.
pub(super) fn take() -> Vec<Place> {
    std::mem::take(&mut *BEGUN.lock().unwrap_or_else(PoisonError::into_inner))
}
