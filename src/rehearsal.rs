//! Broken invariants on demand, for tests: no input leads to one, and what is done about them
//! has to be seen to work.
//!
//! Edge: in debug builds alone, and for sales of certain names. In a release build every
//! function here is empty.

use crate::ffi::{Ctx, Text};

/// Where a test wants something to break: the key is named after it.
#[derive(Clone, Copy)]
pub enum Point {
    /// A panic before anything is decided.
    Plan,
    /// A panic in the middle of a change that was decided here.
    Apply,
    /// The same of a change that was decided elsewhere.
    Replay,
    /// The same, but not while an AOF is loaded.
    Follow,
    /// A panic when overdue reservations are returned.
    Sweep,
    /// Counts that cannot be right after a change.
    Fault,
    /// A panic of a command that only reads.
    Read,
    /// A panic over the bytes of RESTORE.
    Restore,
}

/// Panics if `key` is named after this point.
#[inline]
pub fn panic_at(point: Point, key: &[u8]) {
    assert!(!is_at(point, key), "rehearsed");
}

/// As [`panic_at`], for a change that was decided elsewhere.
#[inline]
pub fn panic_in_replay(ctx: Ctx<'_>, key: Text<'_>) {
    panic_at(Point::Replay, key.bytes());
    if is_at(Point::Follow, key.bytes()) {
        assert!(ctx.flags().is_loading(), "rehearsed");
    }
}

/// Reports whether `key` is named after this point.
#[cfg(debug_assertions)]
pub fn is_at(point: Point, key: &[u8]) -> bool {
    let name: &[u8] = match point {
        Point::Plan => b"rehearsal:plan",
        Point::Apply => b"rehearsal:apply",
        Point::Replay => b"rehearsal:replay",
        Point::Follow => b"rehearsal:follow",
        Point::Sweep => b"rehearsal:sweep",
        Point::Fault => b"rehearsal:fault",
        Point::Read => b"rehearsal:read",
        Point::Restore => b"rehearsal:restore",
    };
    key == name
}

/// Reports that no key is named after this point: this is a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn is_at(_: Point, _: &[u8]) -> bool {
    false
}
