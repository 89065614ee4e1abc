//! Decides what an attempt is: which requests USERRATE and FROMRATE count. Row 7 of RESERVE and
//! BUY.
//!
//! Edge: reads the sale. Who has tried how often is `attempts.rs`, beside it.

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::Reserve;
use crate::sale::attempts::Attempts;
use crate::sale::state::Sale;
use crate::table::name::Key;

impl Sale {
    /// Reports whether attempts are counted, of users or of sources.
    #[inline]
    pub fn limits_attempts(&self) -> bool {
        self.options.has_rates()
    }

    /// Counts an attempt of a user, and of the source it names; or returns the answer to one too
    /// many, see [`Attempts::throttle`].
    pub fn throttle(
        &self,
        attempts: &mut Attempts,
        now_ms: u64,
        who: (Key<'_>, Option<Key<'_>>),
        subjects_max: u64,
    ) -> Option<Answer> {
        attempts.throttle(&self.options, self.hasher, now_ms, who, subjects_max)
    }

    /// Has the attempts forgotten that were counted by another rate than there is now.
    pub fn forget_attempts(&self, attempts: &mut Attempts) {
        attempts.follow(&self.options);
    }

    /// Reports whether a request gets past row 6. A retry, a poll, or what nobody may have yet,
    /// is no attempt. O(lines log lines).
    pub fn is_attempt(&self, now_ms: u64, ask: &Reserve<'_>) -> bool {
        if self.find(ask.id).is_some() || self.find_place(ask.id).is_some() {
            return false;
        }
        if ask
            .replaces
            .is_some_and(|old| self.replaceable(now_ms, old).is_err())
        {
            return false;
        }
        let is_unknown = match ask.units {
            [] => self.lines_of(&ask.ask).is_err(),
            names => self.wanted_units(&ask.ask, names, false).is_err(),
        };
        if is_unknown {
            return false;
        }
        match self.admit_window(now_ms) {
            Ok(()) => true,
            // With WAIT these two rows do not answer, but on a copy that sells nowhere.
            Err(Answer::NotStarted { .. } | Answer::Paused { .. }) => {
                ask.waits && !self.sells_nowhere()
            }
            Err(_) => false,
        }
    }
}
