//! Decides which of the entries that wait are dropped.
//!
//! Edge: reads the outbox and returns an event. What a command decides does not depend on it.

use crate::sale::event::{Change, Event};
use crate::sale::state::Sale;

impl Sale {
    /// Returns the event that drops the oldest entries, if those that wait count more than
    /// `events_max`: 99% of it are left. O(entries dropped).
    pub fn plan_drop(&self, now_ms: u64, events_max: u64) -> Option<Event<'static>> {
        let count = self.outbox.as_ref()?.count_above(events_max)?;
        Some(Event {
            at_ms: now_ms,
            change: Change::Dropped { count },
        })
    }
}
