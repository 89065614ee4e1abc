//! The line of a sale in its key: what commands and the timer do with it.
//!
//! Edge: hands on to `line.rs`, which keeps what is beside the sale, and to the engine.

use std::thread;

use super::line::LiveLine;
use super::live::LiveSale;
use flashsale_engine::sale::{Bounds, Event, PlaceSlot, Sale};

impl LiveSale {
    /// The sale, and what is kept beside its line.
    fn with_line(&mut self) -> (&Sale, &mut LiveLine) {
        let (sale, line) = self.sale_and_line();
        let line = line.get_or_insert_with(|| Box::new(LiveLine::new(sale)));
        line.forgive_since_promotion(sale);
        (sale, line)
    }

    /// Hands lines that ended to a thread that frees them, if nobody waits any more.
    pub(super) fn free_all_ended(&mut self) {
        if let Some(dead) = self.sale_mut().take_dead() {
            let thread = thread::Builder::new().name("flashsale-free".into());
            // Without a thread they were freed here and now.
            drop(thread.spawn(move || drop(dead)));
            self.with_line().1.forget_everybody();
            self.measure();
        }
    }

    /// Frees the memory of some places of lines that ended. Not a change of the sale.
    pub fn free_ended(&mut self, most: usize) {
        if self.sale().has_dead() && self.sale_mut().free_dead(most) == 0 {
            self.measure();
        }
    }

    /// Moves the clock of PATIENCE by a command that asks for units.
    pub fn tick_line(&mut self, now_ms: u64) {
        let (sale, line) = self.with_line();
        line.tick(sale, now_ms);
    }

    /// The place of whoever joined by the last change, which was that.
    pub fn joined(&mut self) -> Option<PlaceSlot> {
        self.with_line().1.joined
    }

    /// Whoever has this place was heard from.
    pub fn hear(&mut self, place: PlaceSlot) {
        self.with_line().1.hear(place);
    }

    /// The event that gives units to whoever has this place, if it is at the head of its line
    /// and there are some.
    pub fn plan_grant_to(
        &mut self,
        now_ms: u64,
        place: PlaceSlot,
        bounds: &Bounds,
    ) -> Option<Event<'static>> {
        let (sale, line) = self.with_line();
        line.plan_grant_to(sale, now_ms, place, bounds)
    }

    /// The event that settles the next places of one line, each line in its turn.
    pub fn plan_grant(
        &mut self,
        now_ms: u64,
        budget: &mut u32,
        bounds: &Bounds,
    ) -> Option<Event<'static>> {
        let (sale, line) = self.with_line();
        line.plan_grant(sale, now_ms, budget, bounds)
    }

    /// Notes when the timer is to look at the lines again: not before the one moment, and by
    /// the other whatever is due.
    pub fn look_at_lines(&mut self, not_before_ms: u64, by_ms: Option<u64>) {
        self.with_line().1.look_again(not_before_ms, by_ms);
    }
}
