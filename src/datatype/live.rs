//! A sale in its key, with the moment of its hint and its shares of the gauges of INFO.

use super::marks;
use crate::hints;
use crate::info::{
    MEMORY_BYTES, RESERVATIONS_KNOWN, RESERVATIONS_KNOWN_MAX, RESERVATIONS_OPEN, SALES,
    SALES_DIVERGED, USERS,
};
use crate::place::Place;
use flashsale_engine::sale::{Applied, Change, Event, Sale};

/// Changes after which a sale is measured again. Measuring takes longer than a change.
const CHANGES_PER_MEASUREMENT: u32 = 256;

/// A sale that takes commands.
pub struct LiveSale {
    sale: Sale,
    /// The moment of this sale's hint, in Unix milliseconds, or [`hints::NO_HINT`].
    hinted_due_ms: u64,
    /// This sale's shares of the gauges of INFO.
    open: u64,
    known: u64,
    users: u64,
    /// Its shares of the gauges that follow a measurement.
    known_measured: u64,
    memory_bytes: u64,
    diverged: u64,
    changes: u32,
}

impl LiveSale {
    pub(super) fn new(sale: Sale) -> LiveSale {
        let mut live = LiveSale {
            sale,
            hinted_due_ms: hints::NO_HINT,
            open: 0,
            known: 0,
            users: 0,
            known_measured: 0,
            memory_bytes: 0,
            diverged: 0,
            changes: 0,
        };
        SALES.shift(0, 1);
        live.count();
        live.count_diverged();
        live.measure();
        live
    }

    pub fn sale(&self) -> &Sale {
        &self.sale
    }

    /// Carries an event out. For `change` alone, which also replicates it: no code must be
    /// able to make a change that is not replicated.
    #[inline(always)]
    pub fn apply(&mut self, event: &Event<'_>) -> Applied {
        let applied = self.apply_uncounted(event);
        self.count();
        applied
    }

    /// Carries an event out as [`LiveSale::apply`] does, but leaves the gauges to
    /// [`LiveSale::count`]: many events together need them once.
    #[inline(always)]
    pub fn apply_uncounted(&mut self, event: &Event<'_>) -> Applied {
        let applied = self.sale.apply(event);
        if matches!(event.change, Change::Marked { .. } | Change::Resumed { .. }) {
            self.count_diverged();
        }
        self.changes += 1;
        if self.changes >= CHANGES_PER_MEASUREMENT {
            self.measure();
        }
        applied
    }

    /// Notes that nothing here can be relied on, see the engine's `broken.rs`, and where this
    /// sale is.
    pub fn break_off(&mut self, reason: &str, place: Place) {
        self.sale.break_off(reason);
        self.count_diverged();
        marks::note(place);
    }

    /// Notes the place of this sale if it is marked or broken, and sets its hint if it is due
    /// sooner than its hint says; returns the moment then.
    #[inline(always)]
    pub fn note(&mut self, place: impl Fn() -> Place) -> Option<u64> {
        if self.is_marked() {
            marks::note(place());
            // The deadlines of a broken sale may lead nowhere, and are not to be met.
            if self.sale.broken().is_some() {
                return None;
            }
        }
        let due_ms = self.sale.next_due_ms()?;
        hints::note(&mut self.hinted_due_ms, due_ms, place).then_some(due_ms)
    }

    /// As [`LiveSale::note`], for a sale that was just loaded.
    pub(super) fn note_loaded(&mut self, place: Place) {
        if self.is_marked() {
            marks::note(place.clone());
        }
        if let Some(due_ms) = self.sale.next_due_ms()
            && hints::note_loaded(place, due_ms)
        {
            self.hinted_due_ms = due_ms;
        }
    }

    /// Notes that this sale has no hint any more.
    pub fn forget_hint(&mut self) {
        self.hinted_due_ms = hints::NO_HINT;
    }

    /// Brings this sale's shares of the gauges up to date.
    pub fn count(&mut self) {
        let sale = &self.sale;
        for (gauge, share, now) in [
            (&RESERVATIONS_OPEN, &mut self.open, sale.reservations_open()),
            (
                &RESERVATIONS_KNOWN,
                &mut self.known,
                sale.reservations_known(),
            ),
            (&USERS, &mut self.users, sale.users_known()),
        ] {
            gauge.shift(*share, now);
            *share = now;
        }
    }

    /// Reports whether this copy missed a change of its primary, or is broken.
    fn is_marked(&self) -> bool {
        self.diverged > 0
    }

    fn count_diverged(&mut self) {
        let diverged = u64::from(self.sale.why_diverged().is_some());
        SALES_DIVERGED.shift(self.diverged, diverged);
        self.diverged = diverged;
    }

    #[cold]
    fn measure(&mut self) {
        self.count();
        let bytes = self.sale.memory_bytes() as u64;
        MEMORY_BYTES.shift(self.memory_bytes, bytes);
        self.memory_bytes = bytes;
        RESERVATIONS_KNOWN_MAX.shift(self.known_measured, self.known);
        self.known_measured = self.known;
        self.changes = 0;
    }
}

impl Drop for LiveSale {
    /// May run on another thread, like the rest of the value's `drop`.
    fn drop(&mut self) {
        SALES.leave(1);
        RESERVATIONS_OPEN.leave(self.open);
        RESERVATIONS_KNOWN.leave(self.known);
        USERS.leave(self.users);
        MEMORY_BYTES.leave(self.memory_bytes);
        SALES_DIVERGED.leave(self.diverged);
        RESERVATIONS_KNOWN_MAX.shift(self.known_measured, 0);
    }
}
