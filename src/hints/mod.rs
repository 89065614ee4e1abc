//! The hints of the server: which sale has a deadline, where, and when.
//!
//! A sale in its key (`datatype/`) writes its hint down; the timer (`timer/`) follows it.
//! Both stand above this folder, so neither has to know the other.
//!
//! Edge: keeps the one [`ExpiryIndex`] of the server, which is pure and in `index.rs`. Hints
//! are written down on a replica as well, where no timer runs, so that a replica has them
//! all when it is promoted.

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

/// Writes down that a sale is due, if that is sooner than `hinted_due_ms`, what is written
/// of it so far; returns whether it was.
///
/// A later deadline is not written down: the earlier hint finds that out when it is
/// followed. So a reservation that is not the sale's first costs one comparison, and its
/// place is not asked for.
pub fn note(hinted_due_ms: &mut u64, due_ms: u64, place: impl FnOnce() -> Place) -> bool {
    let is_sooner = due_ms < *hinted_due_ms;
    if is_sooner {
        *hinted_due_ms = due_ms;
        let place = place();
        with(|index| index.set(Hint { place, due_ms }));
    }
    is_sooner
}

/// Writes down when a loaded sale is due; returns whether it did. Where a sale lives that
/// has a hint, the loaded one takes its place only when that one leaves: the value may not
/// be taken after all, and the sale that is there must not lose its hint.
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
pub fn forget(place: &Place) {
    with(|index| index.leave(place));
}

/// A database was emptied, or all were.
pub fn clear(database: Option<i32>) {
    with(|index| index.clear(database));
}

/// Two databases exchanged their numbers.
pub fn swap(one: i32, other: i32) {
    with(|index| index.swap(one, other));
}
