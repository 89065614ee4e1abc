//! What is kept beside a sale with a line: who was heard from, when the timer is to look, and
//! the shares of the gauges of INFO.
//!
//! Edge: of this copy alone. Nothing of it is replicated, saved or digested, so that a poll is
//! no write. What becomes of whoever was not heard from is decided in the engine.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::info::{POLLS_MAX, SALES_WITH_SHORT_HOLD, WAITING, WAITING_BYTES, WAITING_MAX};
use flashsale_engine::sale::{Bounds, Event, ItemIndex, Moves, PlaceSlot, Presence, Sale};

/// How often this server became a primary. Whoever waits was heard from by another one until
/// then.
static PROMOTIONS: AtomicU64 = AtomicU64::new(0);

/// Notes that this server became a primary.
pub fn note_promotion() {
    PROMOTIONS.fetch_add(1, Ordering::Relaxed);
}

/// How often this server became a primary so far.
pub(super) fn promotions() -> u64 {
    PROMOTIONS.load(Ordering::Relaxed)
}

/// What is kept beside a sale with a line.
pub(super) struct LiveLine {
    presence: Presence,
    /// The promotion that the presence is of.
    promotion: u64,
    /// The item whose line is the next to be looked at.
    next_item: ItemIndex,
    /// The timer is not to look for grants before, in Unix milliseconds.
    not_before_ms: u64,
    /// The timer is to look again by then, whatever is due.
    look_ms: Option<u64>,
    /// Who joined by the last change, if it was that.
    pub(super) joined: Option<PlaceSlot>,
    /// This sale's shares of the gauges of INFO.
    waiting: u64,
    bytes: u64,
}

impl LiveLine {
    pub(super) fn new(sale: &Sale) -> LiveLine {
        LiveLine {
            presence: Presence::everybody(sale.place_pages()),
            promotion: promotions(),
            next_item: 0,
            not_before_ms: 0,
            look_ms: None,
            joined: None,
            waiting: 0,
            bytes: 0,
        }
    }

    /// When the timer is to look at the lines.
    pub(super) fn due_ms(&self, sale: &Sale) -> Option<u64> {
        let due_ms = sale
            .lines_due_ms()
            .map(|due_ms| due_ms.max(self.not_before_ms));
        due_ms.into_iter().chain(self.look_ms).min()
    }

    /// Gives the shares of the gauges up, on any thread.
    pub(super) fn leave(&self) {
        WAITING.leave(self.waiting);
        WAITING_BYTES.leave(self.bytes);
    }

    /// Brings the share of the gauge of people up to date.
    pub(super) fn count(&mut self, sale: &Sale) {
        let waiting = sale.waiting_len();
        WAITING.shift(self.waiting, waiting);
        self.waiting = waiting;
    }

    /// Brings the share of the gauge of memory up to date.
    pub(super) fn measure(&mut self, sale: &Sale) {
        let bytes = (sale.waiting_bytes() + self.presence.heap_bytes()) as u64;
        WAITING_BYTES.shift(self.bytes, bytes);
        self.bytes = bytes;
    }

    /// Makes everybody present if this server became a primary since: nobody was heard here
    /// before.
    pub(super) fn forgive_since_promotion(&mut self, sale: &Sale) {
        let promotion = promotions();
        if self.promotion != promotion {
            self.promotion = promotion;
            self.presence = Presence::everybody(sale.place_pages());
        }
    }

    /// Moves the clock of PATIENCE.
    pub(super) fn tick(&mut self, sale: &Sale, now_ms: u64) {
        self.presence.tick(now_ms, sale.patience_ms());
    }

    /// Nobody waits any more: there is nobody to be heard from.
    pub(super) fn forget_everybody(&mut self) {
        self.presence = Presence::default();
    }

    /// Whoever has this place was heard from.
    pub(super) fn hear(&mut self, place: PlaceSlot) {
        self.presence.hear(place);
    }

    /// The event that gives units to whoever has this place, if it is at the head of its line
    /// and there are some.
    pub(super) fn plan_grant_to(
        &self,
        sale: &Sale,
        now_ms: u64,
        place: PlaceSlot,
        bounds: &Bounds,
    ) -> Option<Event<'static>> {
        let is_present = |place| self.presence.is_present(place);
        sale.plan_grant_to(now_ms, place, bounds, &is_present)
    }

    /// The event that settles the next places of one line, each line in its turn.
    pub(super) fn plan_grant(
        &mut self,
        sale: &Sale,
        now_ms: u64,
        budget: &mut u32,
        bounds: &Bounds,
    ) -> Option<Event<'static>> {
        let presence = &self.presence;
        let is_present = |place| presence.is_present(place);
        sale.plan_grant(now_ms, &mut self.next_item, budget, bounds, &is_present)
    }

    /// Notes when the timer is to look again: not before the one moment, and by the other
    /// whatever is due.
    pub(super) fn look_again(&mut self, not_before_ms: u64, by_ms: Option<u64>) {
        (self.not_before_ms, self.look_ms) = (not_before_ms, by_ms);
    }

    /// Follows a change of who waits.
    pub(super) fn follow(&mut self, moves: Moves) {
        self.joined = moves.joined;
        if let Some(place) = moves.joined {
            self.presence.hear(place);
        }
        if let Some((from, to)) = moves.moved {
            self.presence.note_moved(from, to);
        }
    }
}

/// A sale's shares of what DOCTOR asks about the options of lines; all are 0 without WAITING.
#[derive(Clone, Copy, Default)]
pub(super) struct LineOptions {
    waiting_max: u64,
    polls: u64,
    short_hold: u64,
}

impl LineOptions {
    /// Brings the shares up to date.
    pub(super) fn follow(&mut self, sale: &Sale) {
        let waiting_max = sale.waiting_max();
        // Each is to ask twice in PATIENCE.
        let polls = waiting_max
            .saturating_mul(2_000)
            .checked_div(sale.patience_ms());
        let now = LineOptions {
            waiting_max,
            polls: polls.unwrap_or(0),
            short_hold: u64::from(sale.holds_less_than_patience()),
        };
        self.shift(now);
    }

    fn shift(&mut self, now: LineOptions) {
        WAITING_MAX.shift(self.waiting_max, now.waiting_max);
        POLLS_MAX.shift(self.polls, now.polls);
        SALES_WITH_SHORT_HOLD.shift(self.short_hold, now.short_hold);
        *self = now;
    }

    /// Gives the shares up, on any thread.
    pub(super) fn leave(&self) {
        WAITING_MAX.shift(self.waiting_max, 0);
        POLLS_MAX.shift(self.polls, 0);
        SALES_WITH_SHORT_HOLD.leave(self.short_hold);
    }
}
