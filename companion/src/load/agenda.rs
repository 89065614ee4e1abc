//! What is due when: a ring of short spans of time. Adding and taking cost the same however many
//! buyers wait, where a heap of 100,000 was the dearest part of the driver.

use std::collections::VecDeque;

use super::request::Step;

/// One span. What is due within it is handed over at its end.
const SPAN_US: u64 = 256;

/// A request that waits for its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub at_us: u64,
    /// Latency counts from here: earlier than `at_us` where the server asked to come again.
    pub intended_us: u64,
    pub visit: usize,
    pub step: Step,
}

/// All requests that wait.
#[derive(Default)]
pub struct Agenda {
    /// The number of the first span.
    first: u64,
    spans: VecDeque<Vec<Due>>,
}

impl Agenda {
    /// Adds a request; one of the past is due at once.
    pub fn add(&mut self, due: Due) {
        let at = (due.at_us / SPAN_US).saturating_sub(self.first) as usize;
        if at >= self.spans.len() {
            self.spans.resize_with(at + 1, Vec::new);
        }
        self.spans[at].push(due);
    }

    /// Takes a request of a span that has ended.
    pub fn take(&mut self, now_us: u64) -> Option<Due> {
        while (self.first + 1) * SPAN_US <= now_us {
            match self.spans.front_mut().map(Vec::pop) {
                Some(Some(due)) => return Some(due),
                Some(None) => {
                    self.spans.pop_front();
                    self.first += 1;
                }
                None => {
                    self.first = now_us / SPAN_US;
                    return None;
                }
            }
        }
        None
    }

    /// Reports whether `take` would look at something.
    pub fn is_due(&self, now_us: u64) -> bool {
        let ended = (now_us / SPAN_US).saturating_sub(self.first) as usize;
        self.spans.iter().take(ended).any(|span| !span.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(at_us: u64) -> Due {
        Due {
            at_us,
            intended_us: at_us,
            visit: 0,
            step: Step::Reserve,
        }
    }

    #[test]
    fn nothing_is_early_and_nothing_is_lost() {
        let mut agenda = Agenda::default();
        for at_us in [900, 5, 70_000, 5, 300] {
            agenda.add(due(at_us));
        }
        let mut taken = Vec::new();
        for now_us in (0..80_000).step_by(100) {
            let was_due = agenda.is_due(now_us);
            let mut took = false;
            while let Some(due) = agenda.take(now_us) {
                assert!(due.at_us <= now_us && now_us - due.at_us < SPAN_US + 100);
                taken.push(due.at_us);
                took = true;
            }
            assert_eq!(was_due, took);
        }
        assert_eq!(taken, [5, 5, 300, 900, 70_000]);
        // Of the past: at once.
        agenda.add(due(10));
        assert_eq!(agenda.take(80_000 + SPAN_US).map(|due| due.at_us), Some(10));
        assert_eq!(agenda.take(u64::MAX / 2), None);
    }
}
