//! Who has tried how often: what USERRATE and FROMRATE ask at row 7.
//!
//! Kept beside a sale, and not in it: nothing of it is replicated, saved or digested. What is to
//! be counted are refused attempts, and a refusal writes nothing. On a copy that was loaded or
//! promoted nobody has tried yet: all that is lost is one burst.
//!
//! Edge: counts what it is told of; which requests are attempts is `plan/attempt.rs`, the
//! arithmetic `rate/gcra.rs`.
//!
//! # Invariants
//!
//! 1. An attempt that is refused charges nobody: both rates are asked before either is charged.
//! 2. A changed rate begins anew.

use crate::rate::{Decision, Rate, Table};
use crate::sale::ask::answer::{Answer, ThrottledBy};
use crate::sale::book::attempt_rate::AttemptRate;
use crate::sale::book::options::Options;
use crate::table::hash::Hasher;
use crate::table::name::Key;

/// Microseconds of a millisecond.
const MS_US: u64 = 1_000;

/// The attempts at one sale so far.
#[derive(Default)]
pub struct Attempts {
    users: Option<Counted>,
    sources: Option<Counted>,
}

/// Everybody who is counted by one rate.
struct Counted {
    asked: AttemptRate,
    rate: Rate,
    table: Table,
}

impl Attempts {
    /// Forgets who was counted by another rate than the options have now.
    pub(crate) fn follow(&mut self, options: &Options) {
        for (counted, asked) in [
            (&mut self.users, options.user_rate),
            (&mut self.sources, options.from_rate),
        ] {
            if counted.as_ref().map(|counted| counted.asked) != asked {
                *counted = None;
            }
        }
    }

    /// Counts an attempt of a user, from a source if one is named, at a moment of the sale; or
    /// returns how long it is too early, and by which rate, the longer of both. There may be
    /// `subjects_max` users, and as many sources; beyond that the idlest of some gives way.
    pub(crate) fn throttle(
        &mut self,
        options: &Options,
        hasher: Hasher,
        now_ms: u64,
        (user, source): (Key<'_>, Option<Key<'_>>),
        subjects_max: u64,
    ) -> Option<Answer> {
        self.follow(options);
        let mut user = unnoted(user);
        let clock_us = now_ms.saturating_mul(MS_US);
        let users = counted(&mut self.users, options.user_rate, hasher, clock_us);
        let sources = source.and_then(|source| {
            let sources = counted(&mut self.sources, options.from_rate, hasher, clock_us)?;
            let mut source = unnoted(source);
            sources.table.touch_likely(&mut source);
            Some((sources, source))
        });
        // Looked up once, and not again to be charged.
        if let Some(users) = &users {
            users.table.touch_likely(&mut user);
        }
        let of_user = users.as_deref().map(|users| users.decide(user, clock_us));
        let of_source = sources
            .as_ref()
            .map(|(sources, source)| sources.decide(*source, clock_us));
        let wait_ms = |decision: &Option<Decision>| decision.map_or(0, |by| by.retry_ms());
        let [for_user_ms, for_source_ms] = [&of_user, &of_source].map(wait_ms);
        if for_user_ms.max(for_source_ms) > 0 {
            let by = if for_user_ms >= for_source_ms {
                ThrottledBy::User
            } else {
                ThrottledBy::Source
            };
            return Some(Answer::Throttled {
                retry_in_ms: for_user_ms.max(for_source_ms),
                by,
            });
        }
        if let (Some(users), Some(decision)) = (users, of_user) {
            users.charge(user, clock_us, decision, subjects_max);
        }
        if let (Some((sources, source)), Some(decision)) = (sources, of_source) {
            sources.charge(source, clock_us, decision, subjects_max);
        }
        None
    }

    /// Fetches what [`Attempts::throttle`] will look at first for this user.
    pub fn touch(&self, user: Key<'_>) {
        if let Some(users) = &self.users {
            users.table.touch(user);
        }
    }

    /// Fetches the user's record, when [`Attempts::touch`] has fetched where it is.
    pub fn touch_record(&self, user: Key<'_>) {
        if let Some(users) = &self.users {
            users.table.touch_likely(&mut unnoted(user));
        }
    }

    /// Users and sources that are counted.
    pub fn len(&self) -> usize {
        self.tables().map(Table::len).sum()
    }

    /// Reports whether nobody is counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.tables().map(Table::heap_bytes).sum()
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        let both = [&self.users, &self.sources];
        both.into_iter().flatten().map(|counted| &counted.table)
    }
}

/// The same name, without what a key notes of where it is: that is about a table of the sale.
fn unnoted(key: Key<'_>) -> Key<'_> {
    Key::new(key.spelling(), key.hash())
}

/// Whoever is counted by this rate, with the clock's step back followed; `None` without a rate.
fn counted(
    counted: &mut Option<Counted>,
    asked: Option<AttemptRate>,
    hasher: Hasher,
    clock_us: u64,
) -> Option<&mut Counted> {
    let asked = asked?;
    if counted.is_none() {
        // A rate that cannot be kept was refused when the option was set.
        let rate = asked.rate().ok()?;
        let table = Table::new(hasher, clock_us);
        *counted = Some(Counted { asked, rate, table });
    }
    let counted = counted.as_mut()?;
    let by_us = counted.table.stepped_back_us(clock_us);
    if by_us > 0 {
        counted.table.shift(by_us);
    }
    Some(counted)
}

impl Counted {
    fn decide(&self, subject: Key<'_>, clock_us: u64) -> Decision {
        let now_us = self.table.now_us(clock_us);
        self.table.decide(subject, self.rate, 1, now_us)
    }

    fn charge(&mut self, subject: Key<'_>, clock_us: u64, decision: Decision, subjects_max: u64) {
        let now_us = self.table.now_us(clock_us);
        let evicts = self.table.must_evict(subject, now_us, subjects_max);
        self.table
            .charge(subject, now_us, decision.reset_ns, evicts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn options(user: Option<(u64, u64)>, from: Option<(u64, u64)>) -> Options {
        let rate = |(n, ms)| AttemptRate { n, ms };
        Options {
            user_rate: user.map(rate),
            from_rate: from.map(rate),
            ..Options::new(1_000, 1_000)
        }
    }

    /// The wait in milliseconds and by which rate, if there is one.
    struct Door(Attempts, Options);

    impl Door {
        fn of(user: Option<(u64, u64)>, from: Option<(u64, u64)>) -> Door {
            Door(Attempts::default(), options(user, from))
        }

        fn tries_at(
            &mut self,
            ms: u64,
            user: &str,
            source: Option<&str>,
        ) -> Option<(u64, ThrottledBy)> {
            let source = source.map(|source| HASHER.key(source.as_bytes()));
            let who = (HASHER.key(user.as_bytes()), source);
            match self.0.throttle(&self.1, HASHER, ms, who, 1_000)? {
                Answer::Throttled { retry_in_ms, by } => Some((retry_in_ms, by)),
                other => panic!("{other:?}"),
            }
        }

        fn tries(
            &mut self,
            after_ms: u64,
            user: &str,
            source: Option<&str>,
        ) -> Option<(u64, ThrottledBy)> {
            self.tries_at(NOW_MS + after_ms, user, source)
        }
    }

    #[test]
    fn so_many_at_once_and_then_one_after_the_other() {
        let mut door = Door::of(Some((3, 1_000)), None);
        for _ in 0..3 {
            assert_eq!(door.tries(0, "ann", None), None);
        }
        assert_eq!(door.tries(0, "ann", None), Some((334, ThrottledBy::User)));
        assert_eq!(door.tries(0, "bob", Some("home")), None);
        // A refused one charges nothing: it does not get later by asking.
        assert_eq!(door.tries(333, "ann", None), Some((1, ThrottledBy::User)));
        assert_eq!(door.tries(334, "ann", None), None);
        assert_eq!(door.0.len(), 2);
    }

    #[test]
    fn both_are_asked_before_either_is_charged() {
        let mut door = Door::of(Some((1, 10_000)), Some((2, 60_000)));
        assert_eq!(door.tries(0, "ann", Some("home")), None);
        // Of the two waits, the longer one and its name.
        assert_eq!(
            door.tries(0, "ann", Some("home")),
            Some((10_000, ThrottledBy::User))
        );
        // Home has one left, which ann did not use up.
        assert_eq!(door.tries(0, "bob", Some("home")), None);
        let later = Some((30_000, ThrottledBy::Source));
        assert_eq!(door.tries(0, "ann", Some("home")), later);
        assert_eq!(door.tries(0, "cyd", Some("home")), later);
        // Neither was cyd charged, who comes from elsewhere now; nor is a source that is not named.
        assert_eq!(door.tries(0, "cyd", Some("work")), None);
        assert_eq!(door.tries(0, "dan", None), None);
    }

    #[test]
    fn a_changed_rate_begins_anew_and_the_other_goes_on() {
        let mut door = Door::of(Some((1, 1_000)), Some((1, 1_000)));
        assert_eq!(door.tries(0, "ann", Some("home")), None);
        door.1 = options(Some((2, 1_000)), Some((1, 1_000)));
        assert_eq!(
            door.tries(0, "ann", Some("home")),
            Some((1_000, ThrottledBy::Source))
        );
        assert_eq!(door.tries(0, "ann", Some("work")), None);
        door.1 = options(None, None);
        assert_eq!(door.tries(0, "ann", Some("home")), None);
        assert!(door.0.is_empty() && door.0.heap_bytes() == 0);
    }

    #[test]
    fn a_clock_that_steps_back_keeps_nobody_longer() {
        let mut door = Door::of(Some((1, 10_000)), None);
        assert_eq!(door.tries(0, "ann", None), None);
        let back_ms = NOW_MS - 3_600_000;
        assert_eq!(
            door.tries_at(back_ms, "ann", None),
            Some((10_000, ThrottledBy::User))
        );
        assert_eq!(door.tries_at(back_ms + 10_000, "ann", None), None);
    }

    #[test]
    fn what_a_key_notes_of_the_sale_is_not_looked_at() {
        let mut door = Door::of(Some((1, 10_000)), None);
        assert_eq!(door.tries(0, "ann", None), None);
        for insertions in 0..9 {
            let mut ann = HASHER.key(b"ann");
            ann.note_absent(insertions);
            let answer = door.0.throttle(&door.1, HASHER, NOW_MS, (ann, None), 1_000);
            assert!(answer.is_some(), "{insertions}");
        }
        assert_eq!(door.0.len(), 1);
    }

    #[test]
    fn there_are_no_more_than_the_bound_says() {
        let mut door = Door::of(Some((1, 3_600_000)), None);
        for n in 0..3_000 {
            assert_eq!(door.tries(0, &format!("u{n}"), None), None);
            assert!(door.0.len() <= 1_000);
        }
        assert_eq!(door.0.len(), 1_000);
    }
}
