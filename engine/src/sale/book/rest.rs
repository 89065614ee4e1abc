//! What this copy was told of the other parts of a split sale, and for how long it holds.
//!
//! "Of these items no part has any, available, reserved or under way." No event says so: it is
//! true for a moment, of the copy it was told to, and gone with it.
//!
//! Edge: keeps what it was told. Time is of a steady clock, and comes in as an argument.

use crate::sale::units::ItemIndex;

/// What was said last.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// Ascending.
    items: Vec<ItemIndex>,
    /// Of the steady clock, in milliseconds.
    until_ms: u64,
    /// It held when the clock was last looked at.
    is_fresh: bool,
    /// How long a buyer waits before the next try, while it holds.
    retry_ms: u64,
}

/// How much longer a buyer waits while nobody says anything.
const STALE_TIMES: u64 = 10;

impl Rest {
    /// Keeps what is said now, for so long.
    pub fn note(&mut self, mut items: Vec<ItemIndex>, steady_ms: u64, valid_ms: u64) {
        items.sort_unstable();
        self.items = items;
        self.until_ms = steady_ms.saturating_add(valid_ms);
        self.is_fresh = true;
    }

    /// Looks at the clock.
    pub fn tick(&mut self, steady_ms: u64, retry_ms: u64) {
        self.is_fresh = steady_ms < self.until_ms;
        self.retry_ms = retry_ms;
    }

    /// Is it known that no part has any of this item?
    pub fn names(&self, item: ItemIndex) -> bool {
        self.is_fresh && self.items.binary_search(&item).is_ok()
    }

    /// Is anything named at all?
    pub fn names_any(&self) -> bool {
        self.is_fresh && !self.items.is_empty()
    }

    /// How long a buyer waits before the next try.
    pub fn retry_in_ms(&self) -> u64 {
        let times = if self.is_fresh { 1 } else { STALE_TIMES };
        self.retry_ms.saturating_mul(times).max(1)
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.items.capacity() * size_of::<ItemIndex>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_holds_until_its_time_is_over() {
        let mut rest = Rest::default();
        rest.tick(5, 200);
        assert_eq!((rest.names(2), rest.retry_in_ms()), (false, 2_000));
        rest.note(vec![3, 2], 1_000, 500);
        rest.tick(1_499, 200);
        assert_eq!(
            (rest.names(2), rest.names(1), rest.retry_in_ms()),
            (true, false, 200)
        );
        rest.tick(1_500, 200);
        assert_eq!(
            (rest.names(2), rest.names_any(), rest.retry_in_ms()),
            (false, false, 2_000)
        );
    }
}
