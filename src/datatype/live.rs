//! A sale in its key, with the moment of its hint and its shares of the gauges of INFO.

use super::door::Door;
use super::line::{LineOptions, LiveLine, promotions};
use super::marks;
use crate::clock;
use crate::config;
use crate::hints;
use crate::info::{
    self, EVENTS_WAITING, MEMORY_BYTES, RESERVATIONS_KNOWN, RESERVATIONS_KNOWN_MAX,
    RESERVATIONS_OPEN, SALES, SALES_DIVERGED, UNITS, UNITS_OWED, USERS,
};
use crate::place::Place;
use flashsale_engine::sale::{Answer, Applied, Ask, Change, Event, ItemIndex, Key, Outbox, Sale};

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
    owed: u64,
    units: u64,
    changes: u32,
    entries: Entries,
    /// Since somebody first waited for something.
    line: Option<Box<LiveLine>>,
    /// Its shares of what DOCTOR asks about lines.
    line_options: LineOptions,
    door: Door,
    /// Is it a part of a split sale, or does it limit attempts?
    is_watchful: bool,
    /// The promotion of this server that was the last one when it was told of other parts.
    rest_promotion: u64,
}

/// What is kept beside a sale of its entries that wait. All of it stays as it is in a sale that
/// never had `EVENTS all`.
#[derive(Default)]
struct Entries {
    /// The timer is not to look before, in Unix milliseconds.
    due_ms: u64,
    /// The hint of this sale is not later than that.
    is_hinted: bool,
    /// This sale's shares of the gauges of INFO.
    waiting: u64,
    since_ms: Option<u64>,
    /// How much those that wait count.
    weight: u64,
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
            owed: 0,
            units: 0,
            changes: 0,
            entries: Entries::default(),
            line: None,
            line_options: LineOptions::default(),
            door: Door::default(),
            is_watchful: false,
            rest_promotion: promotions(),
        };
        live.line_options.follow(&live.sale);
        live.door.follow(&live.sale);
        live.note_watchful();
        SALES.shift(0, 1);
        // What a loaded sale has to write was not queued now.
        live.entries.weight = live.sale.outbox().map_or(0, Outbox::weight);
        live.count();
        live.count_diverged();
        live.count_units();
        live.measure();
        live
    }

    pub fn sale(&self) -> &Sale {
        &self.sale
    }

    /// For what is no change of the sale: memory that nobody is in any more.
    pub(super) fn sale_mut(&mut self) -> &mut Sale {
        &mut self.sale
    }

    /// The sale, and what is kept beside its line.
    pub(super) fn sale_and_line(&mut self) -> (&Sale, &mut Option<Box<LiveLine>>) {
        (&self.sale, &mut self.line)
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
        if self.sale.has_line() {
            self.follow_line();
        }
        match event.change {
            Change::Altered(_) => {
                self.line_options.follow(&self.sale);
                self.door.follow(&self.sale);
                self.note_watchful();
            }
            Change::Restocked { named: Some(_), .. } => self.count_units(),
            _ => {}
        }
        self.changes += 1;
        if self.changes >= CHANGES_PER_MEASUREMENT {
            self.measure();
        }
        applied
    }

    fn note_watchful(&mut self) {
        self.is_watchful = self.sale.is_part() || self.sale.limits_attempts();
    }

    /// Begins a decision about a user: follows what was said of the other parts of a split sale,
    /// and fetches where the attempts of the user are.
    #[inline(always)]
    pub fn begin(&mut self, user: Option<&Key<'_>>) {
        if self.is_watchful {
            self.begin_watchful(user);
        }
    }

    #[inline(never)] // Most sales are not.
    fn begin_watchful(&mut self, user: Option<&Key<'_>>) {
        if self.sale.is_part() {
            self.tick_rest();
        }
        if let (Some(user), Some(attempts)) = (user, self.door.attempts()) {
            attempts.touch(*user);
        }
    }

    /// Fetches the attempts of a user, when [`LiveSale::begin`] has fetched where they are.
    pub fn touch_attempts(&self, user: Key<'_>) {
        if let Some(attempts) = self.door.attempts() {
            attempts.touch_record(user);
        }
    }

    /// Looks, in a part of a split sale, whether what was said of the other parts still holds.
    #[cold]
    pub fn tick_rest(&mut self) {
        // It was said to the primary that this server was before it followed another.
        if self.rest_promotion != promotions() {
            self.rest_promotion = promotions();
            self.forget_rest();
        }
        let retry_ms = config::part_retry_ms();
        self.sale.tick_rest(clock::steady_ms(), retry_ms);
    }

    /// Keeps what is said of the other parts of a split sale, for so long. Not a change of the
    /// sale.
    pub fn note_rest<'k>(&mut self, skus: impl Iterator<Item = &'k [u8]>, valid_ms: u64) {
        self.rest_promotion = promotions();
        self.sale.note_rest(skus, clock::steady_ms(), valid_ms);
    }

    /// Forgets it: this copy follows another one.
    #[cold]
    pub fn forget_rest(&mut self) {
        self.sale.forget_rest();
    }

    /// Counts units that were put in line for want of stock. Not a change of the sale.
    pub fn note_asked(&mut self, item: ItemIndex, units: u64) {
        self.sale.note_asked(item, units);
    }

    /// Counts what a request was refused for want of stock, by the answer to it. Not a change of
    /// the sale.
    #[inline]
    pub fn note_refused(&mut self, ask: &Ask<'_>, answer: &Answer) {
        self.sale.note_refused(ask, answer);
    }

    /// Counts an attempt, or returns the answer to one too many. Not a change of the sale.
    pub fn throttle(
        &mut self,
        now_ms: u64,
        who: (Key<'_>, Option<Key<'_>>),
        subjects_max: u64,
    ) -> Option<Answer> {
        self.door.throttle(&self.sale, now_ms, who, subjects_max)
    }

    /// Whoever may try at the sale, and how often they did.
    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    /// Follows a change of a sale with a line.
    #[inline(never)] // Most sales have none.
    fn follow_line(&mut self) {
        let moves = self.sale.take_moves();
        let is_new = self.line.is_none();
        let (sale, line) = (&self.sale, &mut self.line);
        let line = line.get_or_insert_with(|| Box::new(LiveLine::new(sale)));
        line.follow(moves);
        if is_new {
            self.measure();
        }
        if self.sale.has_dead() {
            self.free_all_ended();
        }
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
        if self.sale.outbox().is_some() | self.sale.has_line() {
            return self.note_with_more(place);
        }
        let due_ms = self.sale.next_due_ms()?;
        hints::note(&mut self.hinted_due_ms, due_ms, place).then_some(due_ms)
    }

    /// As [`LiveSale::note`], of a sale that may have entries to write, which are due at once,
    /// or when the timer wants to look again; or lines.
    #[inline(never)]
    fn note_with_more(&mut self, place: impl Fn() -> Place) -> Option<u64> {
        let due_ms = self.due_with_more_ms()?;
        hints::note(&mut self.hinted_due_ms, due_ms, place).then_some(due_ms)
    }

    /// The earliest of all that is due.
    fn due_with_more_ms(&mut self) -> Option<u64> {
        let entries_due_ms = self.entries_due_ms();
        let lines_due_ms = match &self.line {
            Some(line) => line.due_ms(&self.sale),
            None => self.sale.lines_due_ms(),
        };
        let due_ms = self.sale.next_due_ms().into_iter();
        due_ms.chain(entries_due_ms).chain(lines_due_ms).min()
    }

    /// Returns when the timer is to look for entries that wait, if it has no such hint yet.
    fn entries_due_ms(&mut self) -> Option<u64> {
        if self.entries.is_hinted || !self.has_waiting() {
            return None;
        }
        self.entries.is_hinted = true;
        Some(self.entries.due_ms.max(clock::now_ms()))
    }

    /// Reports whether entries wait to be written.
    pub fn has_waiting(&self) -> bool {
        let outbox = self.sale.outbox();
        outbox.is_some_and(|outbox| outbox.waiting() > 0)
    }

    /// Notes that the timer is not to look for entries of this sale before this moment, in Unix
    /// milliseconds.
    pub fn look_again_at(&mut self, due_ms: u64) {
        self.entries.due_ms = due_ms;
    }

    /// As [`LiveSale::note`], for a sale that was just loaded.
    pub(super) fn note_loaded(&mut self, place: Place) {
        if self.is_marked() {
            marks::note(place.clone());
        }
        if let Some(due_ms) = self.due_with_more_ms()
            && hints::note_loaded(place, due_ms)
        {
            self.hinted_due_ms = due_ms;
        }
    }

    /// Notes that this sale has no hint any more.
    pub fn forget_hint(&mut self) {
        self.hinted_due_ms = hints::NO_HINT;
        self.entries.is_hinted = false;
    }

    /// Brings this sale's shares of the gauges up to date.
    #[inline(always)]
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
        if self.sale.outbox().is_some() {
            self.count_entries();
        }
        if self.sale.owed() != self.owed {
            self.count_owed();
        }
        if let Some(line) = &mut self.line {
            line.count(&self.sale);
        }
    }

    #[cold]
    fn count_owed(&mut self) {
        let owed = self.sale.owed();
        UNITS_OWED.shift(self.owed, owed);
        self.owed = owed;
    }

    #[inline(never)]
    fn count_entries(&mut self) {
        let Some(outbox) = self.sale.outbox() else {
            return;
        };
        let entries = &mut self.entries;
        let (waiting, weight) = (outbox.waiting() as u64, outbox.weight());
        EVENTS_WAITING.shift(entries.waiting, waiting);
        let since_ms = outbox.first_at_ms();
        info::shift_waiting_since(entries.since_ms, since_ms);
        info::note_queued(weight.saturating_sub(entries.weight));
        (entries.waiting, entries.since_ms, entries.weight) = (waiting, since_ms, weight);
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

    /// Counts units with names. A million of them are a change of the size of a sale, so that is
    /// measured anew.
    #[cold]
    fn count_units(&mut self) {
        let units = self.sale.units_len();
        UNITS.shift(self.units, units);
        if self.units != units {
            self.changes = CHANGES_PER_MEASUREMENT - 1;
        }
        self.units = units;
    }

    #[cold]
    pub(super) fn measure(&mut self) {
        self.count();
        let bytes = self.sale.memory_bytes() as u64;
        MEMORY_BYTES.shift(self.memory_bytes, bytes);
        self.memory_bytes = bytes;
        if let Some(line) = &mut self.line {
            line.measure(&self.sale);
        }
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
        UNITS_OWED.leave(self.owed);
        UNITS.leave(self.units);
        if let Some(line) = &self.line {
            line.leave();
        }
        self.line_options.leave();
        self.door.leave();
        EVENTS_WAITING.leave(self.entries.waiting);
        info::shift_waiting_since(self.entries.since_ms, None);
        RESERVATIONS_KNOWN_MAX.shift(self.known_measured, 0);
    }
}
