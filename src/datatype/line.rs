//! What is kept beside a sale with a line: who was heard from, when the timer is to look, and
//! the shares of the gauges of INFO.
//!
//! Edge: of this copy alone. Nothing of it is replicated, saved or digested, so that a poll is
//! no write. What becomes of whoever was not heard from is decided in the engine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::live::LiveSale;
use crate::info::{WAITING, WAITING_BYTES};
use flashsale_engine::sale::{Applied, Bounds, Event, ItemIndex, PlaceSlot, Presence, Sale};

/// How often this server became a primary. Whoever waits was heard from by another one until
/// then.
static PROMOTIONS: AtomicU64 = AtomicU64::new(0);

/// Notes that this server became a primary.
pub fn note_promotion() {
    PROMOTIONS.fetch_add(1, Ordering::Relaxed);
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
    /// This sale's shares of the gauges of INFO.
    waiting: u64,
    bytes: u64,
}

impl LiveLine {
    fn new(sale: &Sale) -> LiveLine {
        LiveLine {
            presence: Presence::everybody(sale.place_pages()),
            promotion: PROMOTIONS.load(Ordering::Relaxed),
            next_item: 0,
            not_before_ms: 0,
            look_ms: None,
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

    /// Follows a change of who waits.
    fn follow(&mut self, applied: &Applied) {
        if let Some(place) = applied.place {
            self.presence.hear(place);
        }
        if let Some((from, to)) = applied.moved {
            self.presence.note_moved(from, to);
        }
    }
}

impl LiveSale {
    /// What is kept beside the line; made anew when this server became a primary since, as
    /// nobody was heard here before.
    fn line_mut(&mut self) -> &mut LiveLine {
        let promotion = PROMOTIONS.load(Ordering::Relaxed);
        let (sale, line) = self.sale_and_line();
        let line = line.get_or_insert_with(|| Box::new(LiveLine::new(sale)));
        if line.promotion != promotion {
            line.promotion = promotion;
            line.presence = Presence::everybody(sale.place_pages());
        }
        line
    }

    /// Follows a change of a sale with a line.
    #[inline(never)] // Most sales have none.
    pub(super) fn follow_line(&mut self, applied: &Applied) {
        self.line_mut().follow(applied);
        self.free_ended();
    }

    /// Hands lines that ended to a thread that frees them, if nobody waits any more.
    fn free_ended(&mut self) {
        if let Some(dead) = self.sale_mut().take_dead() {
            let freed = thread::Builder::new()
                .name("flashsale-free".into())
                .spawn(move || drop(dead));
            // Without a thread they were freed here and now.
            drop(freed);
        }
    }

    /// Frees the memory of some places of lines that ended. Not a change of the sale.
    pub fn free_dead(&mut self, most: usize) {
        if self.sale().has_line() {
            self.sale_mut().free_dead(most);
        }
    }

    /// Moves the clock of PATIENCE by a command that asks for units.
    pub fn tick_line(&mut self, now_ms: u64) {
        let patience_ms = self.sale().patience_ms();
        self.line_mut().presence.tick(now_ms, patience_ms);
    }

    /// Whoever has this place was heard from.
    pub fn hear(&mut self, place: PlaceSlot) {
        self.line_mut().presence.hear(place);
    }

    /// The event that gives units to whoever has this place, if it is at the head of its line
    /// and there are some.
    pub fn plan_grant_to(
        &mut self,
        now_ms: u64,
        place: PlaceSlot,
        bounds: &Bounds,
    ) -> Option<Event<'static>> {
        self.line_mut();
        let (sale, line) = self.sale_and_line();
        let presence = &line.as_ref()?.presence;
        sale.plan_grant_to(now_ms, place, bounds, &|place| presence.is_present(place))
    }

    /// The event that settles the next places of one line, each line in its turn.
    pub fn plan_grant(
        &mut self,
        now_ms: u64,
        budget: &mut u32,
        bounds: &Bounds,
    ) -> Option<Event<'static>> {
        self.line_mut();
        let (sale, line) = self.sale_and_line();
        let line = &mut **line.as_mut()?;
        let presence = &line.presence;
        let is_present = |place| presence.is_present(place);
        sale.plan_grant(now_ms, &mut line.next_item, budget, bounds, &is_present)
    }

    /// Notes when the timer is to look at the lines again: not before the one moment, and by
    /// the other whatever is due.
    pub fn look_at_lines(&mut self, not_before_ms: u64, by_ms: Option<u64>) {
        let line = self.line_mut();
        (line.not_before_ms, line.look_ms) = (not_before_ms, by_ms);
    }
}
