//! Who of those that wait was heard from lately: what PATIENCE asks at their turn.
//!
//! Kept beside a sale, and not in it: nothing of it is replicated, saved or digested, so that
//! a poll is no write. On a copy that was loaded or promoted everybody counts as heard from.
//!
//! Two bits a place say whether somebody was heard in this period and in the one before. A
//! period is PATIENCE of a clock that moves with the RESERVE and BUY commands of the sale alone,
//! by a second at most between two: while nobody can be heard, nobody becomes absent.
//!
//! Edge: bits by place; what becomes of whoever is absent is decided in `plan/grant.rs`.

use crate::sale::book::waiting::PlaceSlot;

/// Places whose bits are kept together.
const PLACES: u32 = 64;
/// How far the clock moves between two commands at most, in milliseconds.
const STEP_MS_MAX: u64 = 1_000;

/// The bits of 64 places, as they were in one period.
#[derive(Clone, Copy)]
struct Bits {
    period: u32,
    heard: u64,
    heard_before: u64,
}

impl Bits {
    /// The same, as a later period sees them.
    fn at(self, period: u32) -> Bits {
        match period.wrapping_sub(self.period) {
            0 => self,
            1 => Bits {
                period,
                heard: 0,
                heard_before: self.heard,
            },
            _ => Bits {
                period,
                heard: 0,
                heard_before: 0,
            },
        }
    }
}

/// Who was heard from in this period or the one before.
pub struct Presence {
    bits: Vec<Bits>,
    period: u32,
    /// Of this period, in milliseconds.
    elapsed_ms: u64,
    /// How long this period is.
    patience_ms: u64,
    /// The sale's time at the last command.
    last_ms: Option<u64>,
}

impl Default for Presence {
    fn default() -> Presence {
        Presence::everybody(0)
    }
}

impl Presence {
    /// Everybody with a place on the first so many pages was heard from just now.
    pub fn everybody(pages: usize) -> Presence {
        let all = Bits {
            period: 0,
            heard: u64::MAX,
            heard_before: 0,
        };
        Presence {
            bits: vec![all; pages],
            period: 0,
            elapsed_ms: 0,
            patience_ms: 0,
            last_ms: None,
        }
    }

    /// Moves the clock by a RESERVE or BUY. Another PATIENCE begins this period anew: whoever
    /// was heard in it was heard just now.
    pub fn tick(&mut self, now_ms: u64, patience_ms: u64) {
        let last_ms = self.last_ms.replace(now_ms).unwrap_or(now_ms);
        if patience_ms != self.patience_ms {
            (self.patience_ms, self.elapsed_ms) = (patience_ms, 0);
            return;
        }
        self.elapsed_ms += now_ms.saturating_sub(last_ms).min(STEP_MS_MAX);
        // A step is shorter than any PATIENCE but 0, where nobody is ever absent.
        if self.elapsed_ms >= patience_ms {
            self.period = self.period.wrapping_add(u32::from(patience_ms > 0));
            self.elapsed_ms -= patience_ms;
        }
    }

    /// Whoever has this place was heard from.
    #[inline]
    pub fn hear(&mut self, slot: PlaceSlot) {
        let (page, bit) = ((slot / PLACES) as usize, slot % PLACES);
        if self.bits.len() <= page {
            let none = Bits {
                period: self.period,
                heard: 0,
                heard_before: 0,
            };
            self.bits.resize(page + 1, none);
        }
        let bits = &mut self.bits[page];
        *bits = bits.at(self.period);
        bits.heard |= 1 << bit;
    }

    /// Was whoever has this place heard from in this period or the one before?
    pub fn is_present(&self, slot: PlaceSlot) -> bool {
        let (page, bit) = ((slot / PLACES) as usize, slot % PLACES);
        let Some(bits) = self.bits.get(page) else {
            return false;
        };
        let bits = bits.at(self.period);
        (bits.heard | bits.heard_before) >> bit & 1 == 1
    }

    /// A place moved: what is known of it goes along.
    pub fn note_moved(&mut self, from: PlaceSlot, to: PlaceSlot) {
        let (page, bit) = ((from / PLACES) as usize, from % PLACES);
        let Some(bits) = self.bits.get(page).map(|bits| bits.at(self.period)) else {
            return;
        };
        let [heard, before] = [bits.heard, bits.heard_before].map(|bits| bits >> bit & 1 == 1);
        self.hear(to);
        let (page, bit) = ((to / PLACES) as usize, to % PLACES);
        let bits = &mut self.bits[page];
        let set = |bits: u64, is_set: bool| bits & !(1 << bit) | u64::from(is_set) << bit;
        bits.heard = set(bits.heard, heard);
        bits.heard_before = set(bits.heard_before, before);
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.bits.capacity() * size_of::<Bits>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_silent_for_two_periods_is_absent() {
        let mut presence = Presence::default();
        presence.tick(0, 2_000);
        presence.hear(3);
        presence.hear(200);
        for now_ms in (0..=3_900).step_by(300) {
            presence.tick(now_ms, 2_000);
            presence.hear(200);
            assert!(presence.is_present(3) && presence.is_present(200));
        }
        presence.tick(4_000, 2_000);
        assert!(!presence.is_present(3) && presence.is_present(200));
        assert!(!presence.is_present(4) && !presence.is_present(70_000));
    }

    #[test]
    fn a_sale_that_nobody_could_ask_makes_nobody_absent() {
        let mut presence = Presence::everybody(1);
        presence.tick(0, 2_000);
        // An hour without a command, a few times: a second each.
        for hour in 1..=3 {
            presence.tick(hour * 3_600_000, 2_000);
        }
        assert!(presence.is_present(63));
        presence.tick(4 * 3_600_000, 2_000);
        assert!(!presence.is_present(63));
        // Nor does a clock that steps back.
        presence.hear(63);
        presence.tick(0, 2_000);
        assert!(presence.is_present(63));
    }

    #[test]
    fn another_patience_makes_nobody_absent_who_was_just_heard() {
        for (before_ms, after_ms) in [(60_000, 2_000), (0, 60_000), (3_000, 2_000), (2_000, 9_000)]
        {
            let mut presence = Presence::default();
            let mut now_ms = 0;
            // Up to just before a period ends.
            while now_ms < 59_000 {
                now_ms += 900;
                presence.tick(now_ms, before_ms);
                presence.hear(3);
            }
            for waited_ms in (0..after_ms).step_by(500) {
                presence.tick(now_ms + waited_ms, after_ms);
                assert!(
                    presence.is_present(3),
                    "{before_ms} to {after_ms}, {waited_ms} ms later"
                );
            }
            for waited_ms in (after_ms..3 * after_ms).step_by(500) {
                presence.tick(now_ms + waited_ms, after_ms);
            }
            assert!(!presence.is_present(3), "{before_ms} to {after_ms}");
        }
    }

    #[test]
    fn a_place_that_moves_is_as_present_as_it_was() {
        let mut presence = Presence::default();
        presence.hear(1);
        presence.hear(65);
        presence.note_moved(65, 0);
        presence.note_moved(66, 1);
        assert!(presence.is_present(0) && !presence.is_present(1));
    }
}
