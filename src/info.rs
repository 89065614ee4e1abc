//! What the server counted since it started, told by `INFO flashsale`.
//!
//! Edge: numbers of this server, not of any sale; nothing is persisted. Counters are
//! written by the thread that runs commands; INFO may read them from anywhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::error::Code;
use crate::ffi::{Section, Source};
use flashsale_engine::sale::Deed;

/// A number that only grows, or begins anew.
pub struct Counter(AtomicU64);

impl Counter {
    pub const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Adds without a locked instruction: commands run one at a time.
    pub fn add(&self, amount: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(amount),
            Ordering::Relaxed,
        );
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down, also when a sale is freed on another thread.
pub struct Gauge {
    /// Written by the thread that runs commands, without a locked instruction: one would
    /// wait until every write before it has reached the cache.
    shifted: AtomicU64,
    /// What was given up, on any thread.
    left: AtomicU64,
}

impl Gauge {
    pub const fn new() -> Gauge {
        Gauge {
            shifted: AtomicU64::new(0),
            left: AtomicU64::new(0),
        }
    }

    /// Replaces the share of one sale, or filter, by another. For the thread that runs
    /// commands.
    pub fn shift(&self, from: u64, to: u64) {
        let shifted = self.shifted.load(Ordering::Relaxed);
        let by = to.wrapping_sub(from);
        self.shifted
            .store(shifted.wrapping_add(by), Ordering::Relaxed);
    }

    /// Gives a share up, on any thread.
    pub fn leave(&self, share: u64) {
        self.left.fetch_add(share, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        let left = self.left.load(Ordering::Relaxed);
        self.shifted.load(Ordering::Relaxed).wrapping_sub(left)
    }
}

/// The largest of a number that each sale has one of. For any thread; reading it takes no
/// lock.
pub struct Largest {
    /// How many sales have each number; a sale whose number is 0 does not count.
    shares: Mutex<BTreeMap<u64, u64>>,
    largest: AtomicU64,
}

impl Largest {
    pub const fn new() -> Largest {
        Largest {
            shares: Mutex::new(BTreeMap::new()),
            largest: AtomicU64::new(0),
        }
    }

    /// Replaces the number of one sale by another. O(log sales).
    pub fn shift(&self, from: u64, to: u64) {
        if from == to {
            return;
        }
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sales) = shares.get_mut(&from) {
            *sales -= 1;
            if *sales == 0 {
                shares.remove(&from);
            }
        }
        if to > 0 {
            *shares.entry(to).or_default() += 1;
        }
        let largest = shares.last_key_value().map_or(0, |(number, _)| *number);
        self.largest.store(largest, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.largest.load(Ordering::Relaxed)
    }
}

macro_rules! outcomes {
    ($($variant:ident => $word:literal,)*) => {
        /// What commands were answered that changed nothing, and what a rate limit decides.
        /// What changed a sale is counted as a [`Deed`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Outcome { $($variant,)* }

        impl Outcome {
            pub const ALL: &[Outcome] = &[$(Outcome::$variant),*];

            /// Returns the name of the counter.
            pub fn word(self) -> &'static str {
                match self { $(Outcome::$variant => $word,)* }
            }
        }
    };
}

outcomes! {
    // It had happened before.
    Replayed => "replayed",
    // Refusals.
    Mismatch => "mismatch",
    NoReservation => "noreservation",
    Ended => "ended",
    NotStarted => "notstarted",
    Paused => "paused",
    OrderLimit => "orderlimit",
    UserLimit => "userlimit",
    ItemLimit => "itemlimit",
    SaleLimit => "salelimit",
    SoldOut => "soldout",
    AllReserved => "allreserved",
    AlreadySold => "alreadysold",
    AlreadyReleased => "alreadyreleased",
    AlreadyExpired => "alreadyexpired",
    NotSold => "notsold",
    TooFew => "toofew",
    // Of lines and PACE.
    Waiting => "waiting",
    Placed => "placed",
    LineFull => "linefull",
    Throttled => "throttled",
    // Of passes.
    NoPass => "nopass",
    // Of rate limits.
    Allowed => "allowed",
}

/// Stands for the earliest deadline where no timer runs, as on a replica.
const NO_TIMER: u64 = u64::MAX;

static DEEDS: [Counter; Deed::ALL.len()] = [const { Counter::new() }; Deed::ALL.len()];
static OUTCOMES: [Counter; Outcome::ALL.len()] = [const { Counter::new() }; Outcome::ALL.len()];
static ERRORS: [Counter; Code::ALL.len()] = [const { Counter::new() }; Code::ALL.len()];

/// Events of a primary carried out here, from its stream or from an AOF.
pub static EVENTS_REPLAYED: Counter = Counter::new();
/// Replicated events that did not fit the state found here. More than 0 is a fault.
pub static REPLAY_DIVERGENCE: Counter = Counter::new();
/// Steps back of the clock by more than a minute, seen by a change of a sale.
pub static CLOCK_STEPS_BACK: Counter = Counter::new();
/// Sweeps of the timer that returned something.
pub static SWEEPS: Counter = Counter::new();
/// How long after its deadline the timer found what it last returned, in milliseconds.
pub static SWEEP_LAG_MS: AtomicU64 = AtomicU64::new(0);
/// The same at its worst.
pub static SWEEP_LAG_MS_MAX: AtomicU64 = AtomicU64::new(0);
/// The earliest deadline the timer is to look at, in Unix milliseconds, or [`NO_TIMER`].
static NEXT_DUE_MS: AtomicU64 = AtomicU64::new(NO_TIMER);
/// The longest the timer kept the server from its clients, in microseconds.
pub static SWEEP_US_MAX: AtomicU64 = AtomicU64::new(0);
/// Sales in memory.
pub static SALES: Gauge = Gauge::new();
/// Open reservations of all sales.
pub static RESERVATIONS_OPEN: Gauge = Gauge::new();
/// Reservations of all sales in any state, as long as their id is known.
pub static RESERVATIONS_KNOWN: Gauge = Gauge::new();
/// The most reservations that one sale knows, each sale as of its last measurement.
pub static RESERVATIONS_KNOWN_MAX: Largest = Largest::new();
/// Users of all sales, one of two sales twice.
pub static USERS: Gauge = Gauge::new();
/// Bytes of all sales, each as of its last measurement.
pub static MEMORY_BYTES: Gauge = Gauge::new();
/// Bloom filters in memory.
pub static BLOOMS: Gauge = Gauge::new();
/// Bytes of all Bloom filters.
pub static BLOOM_BYTES: Gauge = Gauge::new();
/// Rate limits in memory.
pub static LIMITS: Gauge = Gauge::new();
/// Subjects of all rate limits, one of two limits twice.
pub static LIMIT_SUBJECTS: Gauge = Gauge::new();
/// Bytes of all rate limits, each as of its last measurement.
pub static LIMIT_BYTES: Gauge = Gauge::new();
/// Sales that missed a change of their primary, and do not sell.
pub static SALES_DIVERGED: Gauge = Gauge::new();
/// Units of all sales that were sold or given, and that the sales do not have.
pub static UNITS_OWED: Gauge = Gauge::new();
/// People who wait in the lines of all sales.
pub static WAITING: Gauge = Gauge::new();
/// The most people that may wait in one sale, by WAITING.
pub static WAITING_MAX: Largest = Largest::new();
/// The most polls of one full line in a second.
pub static POLLS_MAX: Largest = Largest::new();
/// Sales with a line that hold a grant for less than PATIENCE.
pub static SALES_WITH_SHORT_HOLD: Gauge = Gauge::new();
/// Users and sources of all sales whose attempts are counted.
pub static RATE_SUBJECTS: Gauge = Gauge::new();
/// Sales that ask for a pass.
pub static SALES_WITH_PASSKEY: Gauge = Gauge::new();
/// Bytes of all who wait, each sale as of its last measurement; `MEMORY_BYTES` has them too.
pub static WAITING_BYTES: Gauge = Gauge::new();
/// Entries of all sales that wait to be written to their streams.
pub static EVENTS_WAITING: Gauge = Gauge::new();
/// Since when the oldest entry of a sale waits, each as what is left of all time then: the
/// largest is the oldest of all.
static EVENTS_WAITING_SINCE: Largest = Largest::new();
/// How much was queued since the timer last wrote, in entries as `sweep-max` counts them.
static EVENTS_QUEUED: Counter = Counter::new();
/// Since when the oldest entry waits that the timer could not write, in Unix milliseconds, and
/// why.
static LONGEST_WAIT: Mutex<Option<(u64, Wait)>> = Mutex::new(None);
/// Sales the timer has a deadline of.
pub static SALES_WITH_DEADLINES: AtomicU64 = AtomicU64::new(0);

/// Counts what a change did.
pub fn count_deed(deed: Deed, times: u64) {
    if let Some(counter) = DEEDS.get(deed as usize) {
        counter.add(times);
    }
}

/// Returns how often a change did this.
pub fn deeds(deed: Deed) -> u64 {
    DEEDS.get(deed as usize).map_or(0, Counter::get)
}

/// Counts one outcome, or several.
pub fn count(outcome: Outcome, times: u64) {
    if let Some(counter) = OUTCOMES.get(outcome as usize) {
        counter.add(times);
    }
}

/// Counts an error reply by its code.
pub fn count_error(code: Code) {
    if let Some(counter) = ERRORS.get(code as usize) {
        counter.add(1);
    }
}

/// Notes how late a sweep was.
pub fn note_sweep(lag_ms: u64) {
    SWEEPS.add(1);
    SWEEP_LAG_MS.store(lag_ms, Ordering::Relaxed);
    SWEEP_LAG_MS_MAX.fetch_max(lag_ms, Ordering::Relaxed);
}

/// Notes the earliest deadline that is left to the timer, in Unix milliseconds.
pub fn note_due(due_ms: Option<u64>) {
    NEXT_DUE_MS.store(due_ms.unwrap_or(NO_TIMER), Ordering::Relaxed);
}

/// For how long the earliest deadline has passed, in milliseconds.
fn overdue_ms() -> u64 {
    clock::now_ms().saturating_sub(NEXT_DUE_MS.load(Ordering::Relaxed))
}

/// Notes how long the timer kept the server.
pub fn note_timer(took: Duration) {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    SWEEP_US_MAX.fetch_max(us, Ordering::Relaxed);
}

macro_rules! waits {
    ($($(#[$doc:meta])* $variant:ident => $words:literal,)*) => {
        /// Why the timer leaves entries waiting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Wait { $($(#[$doc])* $variant,)* }

        impl Wait {
            /// Says it.
            pub fn words(self) -> &'static str {
                match self { $(Wait::$variant => $words,)* }
            }
        }
    };
}

waits! {
    /// None was left waiting.
    Nothing => "there are more than the timer has written so far",
    WrongType => "the key of the stream holds another type",
    AtLastId => "the stream takes no further entry, its last ID is the highest there is",
    Elsewhere => "the slot moves, or is another server's",
    OutOfMemory => "the server is above maxmemory",
}

/// Notes why the timer left the entries of a sale waiting, whose oldest one waits since
/// `since_ms`. What is known of a sale that has waited longer stays.
pub fn note_wait(since_ms: u64, wait: Wait) {
    let mut longest = LONGEST_WAIT.lock().unwrap_or_else(PoisonError::into_inner);
    let is_longer = |(known_ms, _): (u64, Wait)| known_ms < since_ms && is_oldest(known_ms);
    if !longest.is_some_and(is_longer) {
        *longest = Some((since_ms, wait));
    }
}

/// Returns why the oldest entry of all sales waits.
pub fn longest_wait() -> Wait {
    let longest = LONGEST_WAIT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = longest.filter(|(since_ms, _)| is_oldest(*since_ms));
    known.map_or(Wait::Nothing, |(_, wait)| wait)
}

/// Does the oldest entry of all sales wait since then?
fn is_oldest(since_ms: u64) -> bool {
    EVENTS_WAITING_SINCE.get() == u64::MAX - since_ms
}

/// Replaces the moment since which a sale's oldest entry waits, in Unix milliseconds. O(log
/// sales), or O(1) if it is the same.
pub fn shift_waiting_since(from_ms: Option<u64>, to_ms: Option<u64>) {
    let left = |at_ms: Option<u64>| at_ms.map_or(0, |at_ms| u64::MAX - at_ms);
    EVENTS_WAITING_SINCE.shift(left(from_ms), left(to_ms));
}

/// Returns for how long the oldest entry of all sales has waited, in milliseconds.
pub fn events_waiting_ms() -> u64 {
    match EVENTS_WAITING_SINCE.get() {
        0 => 0,
        left => clock::now_ms().saturating_sub(u64::MAX - left),
    }
}

/// Notes that entries were queued, by how much they count.
pub fn note_queued(weight: u64) {
    EVENTS_QUEUED.add(weight);
}

/// Returns how much was queued since this was last asked.
pub fn take_queued() -> u64 {
    let queued = EVENTS_QUEUED.get();
    EVENTS_QUEUED.reset();
    queued
}

/// The section `flashsale` of INFO.
pub struct Info;

impl Source for Info {
    fn tell(section: &mut Section) {
        section.field("sales", SALES.get());
        section.field("users", USERS.get());
        section.field("reservations_open", RESERVATIONS_OPEN.get());
        section.field("reservations_known", RESERVATIONS_KNOWN.get());
        section.field("reservations_known_max", RESERVATIONS_KNOWN_MAX.get());
        section.field("owed", UNITS_OWED.get());
        section.field("memory_bytes", MEMORY_BYTES.get());
        section.field("blooms", BLOOMS.get());
        section.field("bloom_bytes", BLOOM_BYTES.get());
        section.field("limits", LIMITS.get());
        section.field("limit_subjects", LIMIT_SUBJECTS.get());
        section.field("limit_bytes", LIMIT_BYTES.get());
        section.field(
            "sales_with_deadlines",
            SALES_WITH_DEADLINES.load(Ordering::Relaxed),
        );
        section.field("overdue_ms", overdue_ms());
        section.field("sweeps", SWEEPS.get());
        section.field("sweep_lag_ms", SWEEP_LAG_MS.load(Ordering::Relaxed));
        section.field("sweep_lag_ms_max", SWEEP_LAG_MS_MAX.load(Ordering::Relaxed));
        section.field("sweep_us_max", SWEEP_US_MAX.load(Ordering::Relaxed));
        section.field("waiting", WAITING.get());
        section.field("waiting_bytes", WAITING_BYTES.get());
        section.field("rate_subjects", RATE_SUBJECTS.get());
        section.field("events_waiting", EVENTS_WAITING.get());
        section.field("events_waiting_ms", events_waiting_ms());
        section.field("clock_steps_back", CLOCK_STEPS_BACK.get());
        section.field("events_replayed", EVENTS_REPLAYED.get());
        section.field("replay_divergence", REPLAY_DIVERGENCE.get());
        section.field("sales_diverged", SALES_DIVERGED.get());
        for (deed, counter) in Deed::ALL.iter().zip(&DEEDS) {
            section.field_of("outcome_", deed.word(), counter.get());
        }
        for (outcome, counter) in Outcome::ALL.iter().zip(&OUTCOMES) {
            section.field_of("outcome_", outcome.word(), counter.get());
        }
        for (code, counter) in Code::ALL.iter().zip(&ERRORS) {
            section.field_of("error_", code.word(), counter.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi;

    #[test]
    fn every_deed_outcome_and_code_has_its_own_counter() {
        for (position, &deed) in Deed::ALL.iter().enumerate() {
            assert_eq!(deed as usize, position);
        }
        for (position, &outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(outcome as usize, position);
        }
        for (position, &code) in Code::ALL.iter().enumerate() {
            assert_eq!(code as usize, position);
        }
    }

    #[test]
    fn all_of_it_is_told_without_an_allocation() {
        let (fields, allocations) = ffi::told::<Info>();
        assert!(
            fields
                .iter()
                .any(|field| field == "outcome_alreadyreleased")
        );
        assert!(fields.iter().any(|field| field == "error_nosale"));
        let longest = fields.iter().map(String::len).max();
        assert!(longest < Some(60), "a longer name would be cut");
        assert_eq!(allocations, 0);
    }

    #[test]
    fn the_largest_is_that_of_a_sale_that_is_there() {
        let known = Largest::new();
        for (from, to, largest) in [
            (0, 5, 5),
            (0, 9, 9),
            (0, 9, 9),
            (9, 0, 9),
            (9, 3, 5),
            (5, 5, 5),
            (5, 0, 3),
            (3, 0, 0),
        ] {
            known.shift(from, to);
            assert_eq!(known.get(), largest, "{from} {to}");
        }
    }

    #[test]
    fn a_gauge_follows_a_share_up_and_down() {
        let gauge = Gauge::new();
        gauge.shift(0, 5);
        gauge.shift(5, 2);
        gauge.shift(0, 4);
        assert_eq!(gauge.get(), 6);
        gauge.leave(2);
        assert_eq!(gauge.get(), 4);
    }
}
