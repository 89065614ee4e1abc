//! Decides which of the entries that wait are dropped, and whether so many wait that no command
//! may add to them what it need not.
//!
//! Edge: reads the outbox and returns an event, or yes or no.

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

    /// Reports whether entries wait that count more than `sweep_max`. Then RESERVE and BUY
    /// return no overdue reservations, or one wave of deadlines would flood the outbox; the
    /// timer returns them.
    #[inline]
    pub fn has_backlog(&self, sweep_max: u32) -> bool {
        let outbox = self.outbox.as_ref();
        outbox.is_some_and(|outbox| outbox.weight() > u64::from(sweep_max))
    }
}
