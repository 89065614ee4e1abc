//! Who may try at a sale: what is kept of that beside the sale, and what DOCTOR asks about it.
//!
//! Edge: no part of the sale. Nothing of it is replicated, saved or in a digest.

use crate::info::{RATE_SUBJECTS, SALES_WITH_PASSKEY};
use flashsale_engine::sale::{Answer, Attempts, Key, Sale};

/// What is beside the door of one sale.
#[derive(Default)]
pub(super) struct Door {
    /// Once somebody has tried, in a sale that limits attempts.
    attempts: Option<Box<Attempts>>,
    /// This sale's shares of the gauges.
    guarded: u64,
    subjects: u64,
}

impl Door {
    /// Follows the options of the sale.
    pub(super) fn follow(&mut self, sale: &Sale) {
        let guarded = u64::from(sale.asks_for_pass());
        SALES_WITH_PASSKEY.shift(self.guarded, guarded);
        self.guarded = guarded;
        if let Some(attempts) = &mut self.attempts {
            sale.forget_attempts(attempts);
            if !sale.limits_attempts() {
                self.attempts = None;
            }
        }
        self.count();
    }

    /// Counts an attempt, or returns the answer to one too many.
    pub(super) fn throttle(
        &mut self,
        sale: &Sale,
        now_ms: u64,
        who: (Key<'_>, Option<Key<'_>>),
        subjects_max: u64,
    ) -> Option<Answer> {
        let attempts = self.attempts.get_or_insert_default();
        let answer = sale.throttle(attempts, now_ms, who, subjects_max);
        self.count();
        answer
    }

    /// Whoever has tried, in a sale that limits attempts.
    pub(super) fn attempts(&self) -> Option<&Attempts> {
        self.attempts.as_deref()
    }

    /// Users and sources whose attempts are counted.
    pub(super) fn len(&self) -> usize {
        self.attempts.as_ref().map_or(0, |attempts| attempts.len())
    }

    /// Bytes of memory.
    pub(super) fn heap_bytes(&self) -> usize {
        let bytes = |attempts: &Attempts| size_of::<Attempts>() + attempts.heap_bytes();
        self.attempts.as_deref().map_or(0, bytes)
    }

    fn count(&mut self) {
        let subjects = self.len() as u64;
        if subjects != self.subjects {
            RATE_SUBJECTS.shift(self.subjects, subjects);
            self.subjects = subjects;
        }
    }

    /// Gives the shares up, on any thread.
    pub(super) fn leave(&self) {
        SALES_WITH_PASSKEY.leave(self.guarded);
        RATE_SUBJECTS.leave(self.subjects);
    }
}
