//! The hints of the server: where the timer finds the sales with deadlines.
//!
//! A sale in its key (`datatype/`) sets its hint, and the timer (`timer/`) follows it. Both
//! use this folder, so that `datatype/` does not use the timer, which uses `datatype/`.
//!
//! Edge: keeps the one [`ExpiryIndex`] of the server, which is pure and in `index.rs`. A
//! replica sets hints as well, although no timer runs there: when it is promoted, it has
//! them all.

mod index;

pub use index::Hint;

use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::ffi::LoadBeside;
use crate::info::SALES_WITH_DEADLINES;
use crate::place::Place;
use index::ExpiryIndex;

/// Stands for the moment of a sale's hint when the sale has none.
pub const NO_HINT: u64 = u64::MAX;

static INDEX: LazyLock<Mutex<ExpiryIndex>> = LazyLock::new(Mutex::default);
/// The hints of what a replica loads beside its own data, while it does.
static BESIDE: Mutex<Option<ExpiryIndex>> = Mutex::new(None);

/// Runs `act` on the index. The lock is there for the compiler: only the thread that runs
/// commands calls this, and no `act` calls it again.
fn with<R>(act: impl FnOnce(&mut ExpiryIndex) -> R) -> R {
    let mut index = INDEX.lock().unwrap_or_else(PoisonError::into_inner);
    let result = act(&mut index);
    SALES_WITH_DEADLINES.store(index.len() as u64, Ordering::Relaxed);
    result
}

/// Follows a replica that loads its primary's data beside its own: the hints of the loaded
/// data replace the others when the load is complete. The server does not report the old
/// databases as emptied.
pub fn load_beside(step: LoadBeside) {
    let mut beside = BESIDE.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = beside.take();
    match (step, loaded) {
        (LoadBeside::Started, _) => *beside = Some(ExpiryIndex::default()),
        (LoadBeside::Completed, Some(loaded)) => with(|index| *index = loaded),
        (LoadBeside::Completed, None) | (LoadBeside::Aborted, _) => {}
    }
}

/// Sets the hint of a sale if `due_ms` is sooner than `hinted_due_ms`, the moment of its hint
/// so far; returns whether it is.
///
/// A later deadline needs no new hint: the timer sets the next one when it has followed the
/// earlier one. So a reservation that is not due first in its sale costs one comparison, and
/// `place` is not called.
#[inline(always)]
pub fn note(hinted_due_ms: &mut u64, due_ms: u64, place: impl FnOnce() -> Place) -> bool {
    let is_sooner = due_ms < *hinted_due_ms;
    if is_sooner {
        *hinted_due_ms = due_ms;
        set(place(), due_ms);
    }
    is_sooner
}

/// Sets the hint of a sale.
#[cold]
fn set(place: Place, due_ms: u64) {
    with(|index| index.set(Hint { place, due_ms }));
}

/// Sets the hint of a loaded sale; returns whether it did. If the place has a hint already,
/// the new one waits until the sale that is there leaves: the server may still drop the
/// loaded value, and the sale that is there must not lose its hint.
pub fn note_loaded(place: Place, due_ms: u64) -> bool {
    let hint = Hint { place, due_ms };
    let mut beside = BESIDE.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *beside {
        Some(index) => index.set_loaded(hint),
        None => with(|index| index.set_loaded(hint)),
    }
}

/// Takes the earliest hint that is due.
pub fn pop_due(now_ms: u64) -> Option<Hint> {
    with(|index| index.pop_due(now_ms))
}

/// Makes every hint due by this moment.
pub fn pull(now_ms: u64) {
    with(|index| index.pull(now_ms));
}

/// Keeps a hint aside whose sale this server must not change now.
pub fn hold(hint: Hint) {
    with(|index| index.hold(hint));
}

/// Takes back all hints kept aside; true if there was one.
pub fn release() -> bool {
    with(ExpiryIndex::release)
}

/// Returns when the next hint is due, in Unix milliseconds.
pub fn first_due_ms() -> Option<u64> {
    with(|index| index.first_due_ms())
}

/// Forgets the hint of a sale that leaves its key.
pub fn forget(place: &Place) {
    with(|index| index.leave(place));
}

/// Forgets the hints of a database that was emptied, or all of them.
pub fn clear(database: Option<i32>) {
    with(|index| index.clear(database));
}

/// Follows two databases that exchanged their numbers.
pub fn swap(one: i32, other: i32) {
    with(|index| index.swap(one, other));
}
