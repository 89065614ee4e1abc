//! A rate limit in its key, with its shares of the gauges of INFO.

use crate::info::{LIMIT_BYTES, LIMIT_SUBJECTS, LIMITS};
use flashsale_engine::rate::{Event, Table};

/// Changes after which a limit is measured again also where its subjects are as many as
/// before: long names may have come for short ones.
const CHANGES_PER_MEASUREMENT: u32 = 256;

/// A rate limit that takes commands.
pub struct LiveLimit {
    table: Table,
    /// This limit's shares of the gauges.
    subjects: u64,
    bytes: u64,
    changes: u32,
}

impl LiveLimit {
    pub(super) fn new(table: Table) -> LiveLimit {
        LIMITS.shift(0, 1);
        let mut live = LiveLimit {
            table,
            subjects: 0,
            bytes: 0,
            changes: 0,
        };
        live.measure();
        live
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Carries an event out. For `change/rate.rs` alone: no code must be able to make a change
    /// that is not replicated.
    #[inline]
    pub fn apply(&mut self, event: &Event<'_>) {
        self.table.apply(event);
        self.changes += 1;
        if self.changes >= CHANGES_PER_MEASUREMENT || self.subjects != self.table.len() as u64 {
            self.measure();
        }
    }

    fn measure(&mut self) {
        let (subjects, bytes) = (self.table.len() as u64, self.table.memory_bytes() as u64);
        LIMIT_SUBJECTS.shift(self.subjects, subjects);
        LIMIT_BYTES.shift(self.bytes, bytes);
        (self.subjects, self.bytes, self.changes) = (subjects, bytes, 0);
    }
}

impl Drop for LiveLimit {
    /// May run on another thread, like the rest of a value's `drop`.
    fn drop(&mut self) {
        LIMITS.leave(1);
        LIMIT_SUBJECTS.leave(self.subjects);
        LIMIT_BYTES.leave(self.bytes);
    }
}
