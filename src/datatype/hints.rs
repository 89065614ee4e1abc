//! Where the timer finds the sales with deadlines.
//!
//! Edge: keeps the one [`ExpiryIndex`] of the server. Hints are written down on a
//! replica too, where no timer runs, so that a promoted one knows them all.

use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::live::LiveSale;
use super::marks;
use crate::expiry_index::{ExpiryIndex, Hint, Place};
use crate::ffi::{LoadBeside, Origin};
use crate::info::SALES_WITH_DEADLINES;

static INDEX: LazyLock<Mutex<ExpiryIndex>> = LazyLock::new(Mutex::default);
/// The hints of what a replica loads beside its own data, while it does.
static BESIDE: Mutex<Option<ExpiryIndex>> = Mutex::new(None);

/// Runs `act` on the index. The lock is for the compiler: only the thread that runs
/// commands comes here, and never twice at once.
fn with<R>(act: impl FnOnce(&mut ExpiryIndex) -> R) -> R {
    let mut index = INDEX.lock().unwrap_or_else(PoisonError::into_inner);
    let result = act(&mut index);
    SALES_WITH_DEADLINES.store(index.len() as u64, Ordering::Relaxed);
    result
}

/// A replica loads its primary's data beside its own, which then takes its place, or not.
/// The server empties no database for that.
pub fn load_beside(step: LoadBeside) {
    let mut beside = BESIDE.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = beside.take();
    match (step, loaded) {
        (LoadBeside::Started, _) => *beside = Some(ExpiryIndex::default()),
        (LoadBeside::Completed, Some(loaded)) => with(|index| *index = loaded),
        (LoadBeside::Completed, None) | (LoadBeside::Aborted, _) => {}
    }
}

/// Writes down when the sale at this place is due, if that is sooner than what is
/// written; the moment, if so. A marked sale's place is written down as well.
///
/// A later deadline is not written down: the earlier hint finds that out when it is
/// followed. So a reservation that is not the sale's first costs one comparison, and the
/// place is not asked for.
pub fn note(live: &mut LiveSale, place: impl Fn() -> Place) -> Option<u64> {
    if live.is_marked() {
        marks::note(place());
    }
    let due_ms = live.sale().next_due_ms()?;
    if due_ms >= live.hinted_due_ms {
        return None;
    }
    live.hinted_due_ms = due_ms;
    let place = place();
    with(|index| index.set(Hint { place, due_ms }));
    Some(due_ms)
}

/// Writes down when a loaded sale is due. Where a sale lives that has a hint, the loaded
/// one takes its place only when that one leaves: the value may not be taken after all,
/// and the sale that is there must not lose its hint.
pub(super) fn note_loaded(live: &mut LiveSale, place: Place) {
    if live.is_marked() {
        marks::note(place.clone());
    }
    let Some(due_ms) = live.sale().next_due_ms() else {
        return;
    };
    let hint = Hint { place, due_ms };
    let mut beside = BESIDE.lock().unwrap_or_else(PoisonError::into_inner);
    let is_noted = match &mut *beside {
        Some(index) => index.set_loaded(hint),
        None => with(|index| index.set_loaded(hint)),
    };
    if is_noted {
        live.hinted_due_ms = due_ms;
    }
}

/// Takes the earliest hint that is due.
pub fn pop_due(now_ms: u64) -> Option<Hint> {
    with(|index| index.pop_due(now_ms))
}

/// Keeps a hint aside whose sale is not this server's to change now.
pub fn hold(hint: Hint) {
    with(|index| index.hold(hint));
}

/// Takes back all hints kept aside; true if there was one.
pub fn release() -> bool {
    with(ExpiryIndex::release)
}

/// When the next hint is due, in Unix milliseconds.
pub fn first_due_ms() -> Option<u64> {
    with(|index| index.first_due_ms())
}

/// A sale leaves its key.
pub(super) fn forget(origin: &Origin<'_>) {
    if let Some(key) = origin.key {
        let place = Place::new(origin.database, key.bytes());
        with(|index| index.leave(&place));
        marks::forget(&place);
    }
}

/// A database was emptied, or all were.
pub fn clear(database: Option<i32>) {
    with(|index| index.clear(database));
    marks::clear(database);
}

/// Two databases changed their numbers.
pub fn swap(one: i32, other: i32) {
    with(|index| index.swap(one, other));
    marks::swap(one, other);
}
