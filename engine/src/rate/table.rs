//! The subjects of a rate limit: who has which TAT, and who makes room for whom.
//!
//! Nobody cleans up behind subjects that do not come again. So each new one looks at the
//! first two of a queue: an idle one is removed, another goes to the back. Whoever comes by
//! once is gone after as many new ones as there are subjects, and no call pays for more than
//! two.
//!
//! The queue is part of the state, and a snapshot has it in its order: a hand that went over
//! slot numbers would point elsewhere after a load, and copies would remove others.
//!
//! Edge: moments come in, in Unix microseconds; how a call becomes an event is `event.rs`. A
//! sale that limits its users keeps a table too, as a hint beside it, with its own time.
//!
//! # Invariants
//!
//! 1. A subject is in the queue exactly once.
//! 2. TATs are counted from one base, and none is after the latest.
//! 3. The latest TAT of any subject there was is not before the last change, and at most
//!    [`CAPACITY_NS_MAX`] after it.

use crate::rate::gcra::{CAPACITY_NS_MAX, Decision, ELAPSED_NS_MAX, Rate};
use crate::table::hash::Hasher;
use crate::table::index::{Index, Likely, Rows};
use crate::table::name::{Key, Names, PackedName, Spelling};
use crate::table::slab::{NONE, Slab, SlotNumber};

/// Latest moment, in Unix microseconds: in the year 2255. A clock is not believed beyond.
pub const MOMENT_US_MAX: u64 = 1 << 53;
/// Longest step back of the clock that time only stands still for.
pub const STEP_BACK_US_MAX: u64 = 1_000_000;
/// Subjects of the queue that a new one looks at.
const LOOKED_AT: usize = 2;
/// Subjects of the queue of which one gives way where there are too many.
const CANDIDATES: usize = 8;

const US_NS: u64 = 1000;
/// Longest time from the base to the last change.
const ELAPSED_US_MAX: u64 = ELAPSED_NS_MAX / US_NS;
/// A leap of the clock by more is no longer than this: after it every subject is idle.
const LEAP_US_MAX: u64 = CAPACITY_NS_MAX / US_NS;
const HOUR_US: u64 = 60 * 60 * 1_000_000;
/// How long a table is kept after its latest TAT.
const KEPT_US: u64 = 24 * HOUR_US;

/// A subject: 32 bytes.
struct Subject {
    name: PackedName,
    /// The next in the queue; [`NONE`] for the last.
    next: SlotNumber,
    /// Nanoseconds after the base at which it has its whole burst again.
    tat_ns: u64,
}

/// All subjects of one limit.
pub struct Table {
    subjects: Slab<Subject>,
    names: Names,
    by_name: Index,
    hasher: Hasher,
    /// The two ends of the queue.
    first: SlotNumber,
    last: SlotNumber,
    times: Times,
}

/// The names of all subjects, as the index hashes them again.
struct SubjectNames<'a> {
    subjects: &'a Slab<Subject>,
    names: &'a Names,
    hasher: Hasher,
}

impl Rows for SubjectNames<'_> {
    fn hash(&self, slot: SlotNumber) -> u64 {
        let row = self.subjects.get(slot);
        row.map_or(0, |row| self.hasher.hash(self.names.spelling(&row.name)))
    }

    fn touch(&self, slot: SlotNumber) {
        self.subjects.touch(slot);
    }
}

/// What the time is in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The moment of the last change.
    pub changed_us: u64,
    /// Time from the base to the last change. The base is never looked at itself: a clock that
    /// steps back takes both with it, and this stays.
    pub elapsed_us: u64,
    /// The latest TAT, counted from the base.
    pub latest_ns: u64,
}

impl Times {
    /// Reports whether a table can have these times.
    pub fn are_sound(&self) -> bool {
        self.changed_us <= MOMENT_US_MAX
            && self.elapsed_us <= ELAPSED_US_MAX
            && self.latest_ns >= self.elapsed_us * US_NS
            && self.latest_ns <= self.elapsed_us * US_NS + CAPACITY_NS_MAX
    }
}

impl Table {
    /// A table without subjects that begins at this moment.
    pub fn new(hasher: Hasher, now_us: u64) -> Table {
        Table::of_times(
            hasher,
            Times {
                changed_us: now_us.min(MOMENT_US_MAX),
                elapsed_us: 0,
                latest_ns: 0,
            },
        )
    }

    /// A table without subjects that has these times, which are sound.
    pub(crate) fn of_times(hasher: Hasher, times: Times) -> Table {
        Table {
            subjects: Slab::new(),
            names: Names::new(),
            by_name: Index::new(),
            hasher,
            first: NONE,
            last: NONE,
            times,
        }
    }

    pub(crate) fn times(&self) -> Times {
        self.times
    }

    /// Subjects there are.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The moment of the last change.
    pub fn changed_us(&self) -> u64 {
        self.times.changed_us
    }

    /// Fetches what [`Table::decide`] will look at first; see [`Index::touch`].
    #[inline]
    pub fn touch(&self, subject: Key<'_>) {
        self.by_name.touch(subject.hash());
    }

    /// Fetches the subject that [`Table::decide`] will look at, its bucket having been, and
    /// notes its slot in the key, or that there is none.
    #[inline]
    pub fn touch_likely(&self, subject: &mut Key<'_>) {
        match self.by_name.likely(subject.hash()) {
            Likely::At(slot) => {
                self.subjects.touch(slot);
                subject.note_likely(slot);
            }
            Likely::Absent { insertions } => subject.note_absent(insertions),
        }
    }

    #[inline(always)]
    fn find(&self, subject: Key<'_>) -> Option<SlotNumber> {
        let likely = subject.likely();
        if self.is_at(likely, subject) {
            return Some(likely);
        }
        if subject.is_absent(self.by_name.insertions(subject.hash())) {
            debug_assert_eq!(self.search(subject), None);
            return None;
        }
        self.search(subject)
    }

    #[inline(always)]
    fn is_at(&self, slot: SlotNumber, subject: Key<'_>) -> bool {
        let row = self.subjects.get(slot);
        row.is_some_and(|row| self.names.is(&row.name, subject.spelling()))
    }

    #[inline(never)]
    fn search(&self, subject: Key<'_>) -> Option<SlotNumber> {
        debug_assert_eq!(subject.hash(), self.hasher.hash(subject.spelling()));
        self.by_name
            .find(subject.hash(), |slot| self.is_at(slot, subject))
    }

    /// Reports whether the subject is in the table.
    pub fn is_known(&self, subject: Key<'_>) -> bool {
        self.find(subject).is_some()
    }

    /// How far the clock has stepped back, where that is to be believed: else 0, and time
    /// stands still until the clock has caught up. The table is to be shifted by it before
    /// anything is decided, also where nothing else changes.
    #[inline]
    pub fn stepped_back_us(&self, clock_us: u64) -> u64 {
        match self.changed_us().saturating_sub(clock_us) {
            0..=STEP_BACK_US_MAX => 0,
            by_us => by_us,
        }
    }

    /// The moment at which the clock shows this: no change is before the last one.
    #[inline]
    pub fn now_us(&self, clock_us: u64) -> u64 {
        clock_us.min(MOMENT_US_MAX).max(self.changed_us())
    }

    /// Time from the base to a moment that is not before the last change. A clock that leaps
    /// there and back again and again brings it to an end, after centuries of leaps that are
    /// cut short: time stands still there.
    #[inline]
    fn elapsed_us(&self, now_us: u64) -> u64 {
        let since_us = now_us.saturating_sub(self.changed_us()).min(LEAP_US_MAX);
        (self.times.elapsed_us + since_us).min(ELAPSED_US_MAX)
    }

    #[inline]
    fn elapsed_ns(&self, now_us: u64) -> u64 {
        self.elapsed_us(now_us) * US_NS
    }

    /// Decides about a call of a subject. Changes nothing.
    #[inline]
    pub fn decide(&self, subject: Key<'_>, rate: Rate, cost: u64, now_us: u64) -> Decision {
        let slot = self.find(subject);
        let row = slot.and_then(|slot| self.subjects.get(slot));
        let tat_ns = row.map_or(0, |row| row.tat_ns);
        rate.decide(self.elapsed_ns(now_us), tat_ns, cost)
    }

    /// Reports whether another subject has to give way to this one, where there may be so
    /// many.
    pub fn must_evict(&self, subject: Key<'_>, now_us: u64, subjects_max: u64) -> bool {
        // Most tables are far from the bound.
        if (self.len() as u64) < subjects_max || self.is_known(subject) {
            return false;
        }
        let now_ns = self.elapsed_ns(now_us);
        let looked_at = self.queue().take(LOOKED_AT);
        let idle = looked_at.filter(|(_, row)| row.is_idle(now_ns)).count();
        (self.len() - idle) as u64 >= subjects_max
    }

    /// Gives a subject the TAT that was decided, counted from the moment. The only thing that
    /// makes a subject, for which another one gives way where `evicts` says so.
    #[inline]
    pub fn charge(&mut self, subject: Key<'_>, now_us: u64, reset_ns: u64, evicts: bool) {
        let elapsed_us = self.elapsed_us(now_us);
        let now_ns = elapsed_us * US_NS;
        let tat_ns = now_ns + reset_ns.min(CAPACITY_NS_MAX);
        self.times = Times {
            changed_us: self.changed_us().max(now_us),
            elapsed_us,
            latest_ns: self.times.latest_ns.max(tat_ns),
        };
        match self.find(subject) {
            Some(slot) => {
                if let Some(row) = self.subjects.get_mut(slot) {
                    row.tat_ns = tat_ns;
                }
            }
            None => {
                self.look_at_first(now_ns);
                if evicts {
                    self.evict();
                }
                self.add(subject, tat_ns);
            }
        }
    }

    /// Follows a clock that stepped back, and the base goes with it. All TATs are as far from
    /// the moment as they were: nobody gains, and nobody loses. O(1).
    pub fn shift(&mut self, by_us: u64) {
        self.times.changed_us = self.changed_us().saturating_sub(by_us);
    }

    /// When the table may be forgotten, in Unix milliseconds: a day after the latest TAT, at a
    /// whole hour, so that it is another moment once an hour at most.
    pub fn expires_at_ms(&self) -> u64 {
        let Times {
            changed_us,
            elapsed_us,
            latest_ns,
        } = self.times;
        let busy_us = latest_ns.div_ceil(US_NS).saturating_sub(elapsed_us);
        let kept_until_us = changed_us + busy_us + KEPT_US;
        kept_until_us.div_ceil(HOUR_US) * (HOUR_US / 1000)
    }

    /// The subjects in the order of the queue.
    fn queue(&self) -> impl Iterator<Item = (SlotNumber, &Subject)> {
        let row = |slot| self.subjects.get(slot).map(|row| (slot, row));
        std::iter::successors(row(self.first), move |(_, before)| row(before.next))
    }

    /// The subjects in the order of the queue, with their TATs.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = (Spelling<'_>, u64)> {
        self.queue()
            .map(|(_, row)| (self.names.spelling(&row.name), row.tat_ns))
    }

    /// Removes or moves to the back what a new subject looks at.
    fn look_at_first(&mut self, now_ns: u64) {
        for _ in 0..LOOKED_AT {
            let first = self.first;
            let Some(row) = self.subjects.get(first) else {
                return;
            };
            let is_idle = row.is_idle(now_ns);
            self.leave_queue(NONE, first);
            if is_idle {
                self.forget(first);
            } else {
                self.join_queue(first);
            }
        }
    }

    /// Removes the idlest of the first few subjects; of equals the first.
    #[cold]
    fn evict(&mut self) {
        let mut before = NONE;
        let mut idlest: Option<(u64, SlotNumber, SlotNumber)> = None;
        for (slot, row) in self.queue().take(CANDIDATES) {
            if idlest.is_none_or(|(tat_ns, ..)| row.tat_ns < tat_ns) {
                idlest = Some((row.tat_ns, before, slot));
            }
            before = slot;
        }
        if let Some((_, before, slot)) = idlest {
            self.leave_queue(before, slot);
            self.forget(slot);
        }
    }

    /// Adds a subject that is not there, at the back of the queue.
    pub(crate) fn add(&mut self, subject: Key<'_>, tat_ns: u64) {
        let slot = self.subjects.insert(Subject {
            name: self.names.pack(subject.spelling()),
            next: NONE,
            tat_ns,
        });
        let names = SubjectNames {
            subjects: &self.subjects,
            names: &self.names,
            hasher: self.hasher,
        };
        self.by_name.insert(subject.hash(), slot, names);
        self.join_queue(slot);
    }

    /// Removes a subject that has left the queue.
    fn forget(&mut self, slot: SlotNumber) {
        let Some(row) = self.subjects.get(slot) else {
            return;
        };
        let hash = self.hasher.hash(self.names.spelling(&row.name));
        self.by_name.remove(hash, |other| other == slot);
        if let Some(row) = self.subjects.remove(slot) {
            self.names.remove(row.name);
        }
    }

    fn join_queue(&mut self, slot: SlotNumber) {
        self.link(self.last, slot);
        self.link(slot, NONE);
        self.last = slot;
    }

    /// Takes the subject out that stands behind `before`; [`NONE`] for the first.
    fn leave_queue(&mut self, before: SlotNumber, slot: SlotNumber) {
        let next = self.subjects.get(slot).map_or(NONE, |row| row.next);
        self.link(before, next);
        if self.last == slot {
            self.last = before;
        }
    }

    /// Lets one subject follow another in the queue; [`NONE`] stands for its front.
    fn link(&mut self, before: SlotNumber, next: SlotNumber) {
        match self.subjects.get_mut(before) {
            Some(row) => row.next = next,
            None => self.first = next,
        }
    }

    /// Bytes of memory, names included.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Table>() + self.heap_bytes()
    }

    /// Heap bytes, names included. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.subjects.heap_bytes() + self.names.heap_bytes() + self.by_name.heap_bytes()
    }
}

impl Subject {
    /// Has it its whole burst?
    #[inline]
    fn is_idle(&self, now_ns: u64) -> bool {
        self.tat_ns <= now_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    fn names(table: &Table) -> Vec<String> {
        let text = |name: Spelling<'_>| match name {
            Spelling::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            packed => format!("{packed:?}"),
        };
        table.subjects().map(|(name, _)| text(name)).collect()
    }

    fn charge(table: &mut Table, subject: &str, now_us: u64, reset_us: u64, evicts: bool) {
        let key = HASHER.key(subject.as_bytes());
        table.charge(key, now_us, reset_us * US_NS, evicts);
    }

    #[test]
    fn a_subject_is_32_bytes() {
        assert_eq!(size_of::<Subject>(), 32);
        assert_eq!(size_of::<Option<Subject>>(), 32);
    }

    #[test]
    fn a_new_subject_removes_idle_ones_and_moves_others_to_the_back() {
        let mut table = Table::new(HASHER, 0);
        for (subject, reset) in [("a", 10), ("b", 90), ("c", 10), ("d", 90)] {
            charge(&mut table, subject, 0, reset, false);
        }
        // Each new one had moved two, or the only one twice: all were busy.
        assert_eq!(names(&table), ["c", "a", "b", "d"]);
        charge(&mut table, "e", 9, 50, false);
        assert_eq!(names(&table), ["b", "d", "c", "a", "e"]);
        charge(&mut table, "d", 10, 50, false);
        assert_eq!(names(&table), ["b", "d", "c", "a", "e"]);
        charge(&mut table, "f", 10, 50, false);
        assert_eq!(names(&table), ["c", "a", "e", "b", "d", "f"]);
        charge(&mut table, "g", 10, 50, false);
        assert_eq!(names(&table), ["e", "b", "d", "f", "g"]);
        charge(&mut table, "h", 59, 50, false);
        assert_eq!(names(&table), ["d", "f", "g", "b", "h"]);
    }

    #[test]
    fn the_idlest_of_the_first_eight_gives_way() {
        let mut table = Table::new(HASHER, 0);
        for at in 0..12_u64 {
            charge(&mut table, &format!("{at}"), 0, 100 + (at * 7) % 12, false);
        }
        let before = names(&table);
        let of = |name: &String| (name.parse::<u64>().unwrap_or(0) * 7) % 12;
        let idlest = before[2..10].iter().min_by_key(|&name| of(name)).cloned();
        let key = HASHER.key(b"new");
        assert!(table.must_evict(key, 0, 12) && !table.must_evict(key, 0, 13));
        assert!(!table.must_evict(HASHER.key(b"3"), 0, 12));
        charge(&mut table, "new", 0, 100, true);
        let mut expected = before.clone();
        expected.rotate_left(2);
        expected.retain(|name| Some(name) != idlest.as_ref());
        expected.push("new".to_owned());
        assert_eq!(names(&table), expected);
    }

    #[test]
    fn the_eighth_may_give_way_and_the_ninth_may_not() {
        for (idlest, gone) in [(0, "0"), (6, "6"), (7, "7"), (8, "0")] {
            let mut table = Table::new(HASHER, 0);
            for at in 0..10 {
                let tat_ns = if at == idlest { 50 } else { 100 };
                table.add(HASHER.key(at.to_string().as_bytes()), tat_ns);
            }
            let mut expected = names(&table);
            table.evict();
            expected.retain(|name| name != gone);
            assert_eq!(names(&table), expected, "{idlest}");
        }
    }

    #[test]
    fn nobody_gives_way_where_one_goes_anyway() {
        let mut table = Table::new(HASHER, 0);
        charge(&mut table, "a", 0, 10, false);
        charge(&mut table, "b", 0, 90, false);
        let key = HASHER.key(b"c");
        assert!(table.must_evict(key, 9, 2) && !table.must_evict(key, 10, 2));
        // The only one there is.
        let mut table = Table::new(HASHER, 0);
        charge(&mut table, "a", 0, 10, false);
        assert!(table.must_evict(key, 9, 1) && !table.must_evict(key, 10, 1));
        charge(&mut table, "c", 9, 10, true);
        assert_eq!(names(&table), ["c"]);
    }

    #[test]
    fn a_step_back_of_more_than_a_second_is_believed() {
        let mut table = Table::new(HASHER, 5_000_000);
        charge(&mut table, "a", 5_000_000, 700, false);
        assert_eq!(table.stepped_back_us(4_000_000), 0);
        assert_eq!(table.now_us(4_000_000), 5_000_000);
        assert_eq!(table.stepped_back_us(3_999_999), 1_000_001);
        table.shift(1_000_001);
        let rate = Rate::new(1, 1, None).expect("a rate");
        let decision = table.decide(HASHER.key(b"a"), rate, 1, table.now_us(3_999_999));
        assert_eq!((decision.reset_ns, decision.is_allowed), (700_000, false));
    }

    #[test]
    fn a_leap_of_the_clock_by_centuries_is_cut_short_and_can_be_taken_back() {
        let mut table = Table::new(HASHER, 0);
        for round in 0..200_u64 {
            charge(&mut table, "a", 7, 500, false);
            let far = MOMENT_US_MAX - round;
            charge(&mut table, "b", far, CAPACITY_NS_MAX / US_NS, false);
            assert_eq!(table.len(), 2 - usize::from(round == 0));
            assert_eq!(table.times.elapsed_us, 7 + (round + 1) * LEAP_US_MAX);
            let back = table.stepped_back_us(7);
            table.shift(back);
            assert_eq!((back, table.now_us(7)), (far - 7, 7));
            assert!(table.times.are_sound());
            // As busy as before the clock went back.
            let rate = Rate::new(1, 1, None).expect("a rate");
            assert_eq!(
                table.decide(HASHER.key(b"b"), rate, 1, 7).reset_ns,
                1_000_000
            );
        }
    }

    #[test]
    fn is_kept_for_a_day_to_the_next_hour() {
        let hour_ms = HOUR_US / 1000;
        let mut table = Table::new(HASHER, 0);
        charge(&mut table, "a", 0, 0, false);
        assert_eq!(table.expires_at_ms(), 24 * hour_ms);
        charge(&mut table, "a", 0, 1, false);
        assert_eq!(table.expires_at_ms(), 25 * hour_ms);
        charge(&mut table, "a", 1, HOUR_US - 1, false);
        assert_eq!(table.expires_at_ms(), 25 * hour_ms);
        charge(&mut table, "b", HOUR_US, 1, false);
        assert_eq!(table.expires_at_ms(), 26 * hour_ms);
    }
}
