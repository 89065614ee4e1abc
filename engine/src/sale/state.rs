//! The sale itself: what it keeps, its time, and small questions about it.
//!
//! Edge: changes nothing. Changes are in `event/apply.rs`, decisions in `plan/`.

use crate::sale::book::deadlines::NEVER;
use crate::sale::book::items::Items;
use crate::sale::book::options::Options;
use crate::sale::book::outbox::Outbox;
use crate::sale::book::pace::Pace;
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::book::reservations::Reservations;
use crate::sale::book::rest::Rest;
use crate::sale::book::restock_refs::RestockRefs;
use crate::sale::book::shares::Shares;
use crate::sale::book::users::Users;
use crate::sale::book::waiting::Waiting;
use crate::sale::units::{CLOCK_STEP_MS_MAX, INTEGER_MAX, MARK_BYTES_MAX, MOMENT_MS_MAX};
use crate::table::hash::Hasher;
use crate::table::name::{Key, Spelling};

/// One flash sale: items, limits, a window, users and reservations.
pub struct Sale {
    pub(crate) sale_id: u128,
    /// Of the process that keeps this copy.
    pub(crate) hasher: Hasher,
    pub(crate) orders: Box<[u8]>,
    pub(crate) options: Options,
    pub(crate) created_at_ms: u64,
    pub(crate) paused_at_ms: Option<u64>,
    pub(crate) closed_at_ms: Option<u64>,
    pub(crate) last_change_at_ms: u64,
    pub(crate) items: Items,
    pub(crate) users: Users,
    pub(crate) reservations: Reservations,
    /// Made with one item: a bare quantity may have meant it, whatever was added since.
    pub(crate) had_one_item: bool,
    /// Units refunded so far.
    pub(crate) refunded: u64,
    pub(crate) restock_refs: RestockRefs,
    /// Since `EVENTS all` was first asked for: what waits to be written, and the last `seq`.
    pub(crate) outbox: Option<Box<Outbox>>,
    /// Since somebody first waited for something: who does now.
    pub(crate) waiting: Option<Box<Waiting>>,
    /// When the next reservation may begin, in a sale with PACE.
    pub(crate) pace: Pace,
    /// There is `waiting`, or PACE: what others do not pay for is behind this.
    pub(crate) has_queue: bool,
    /// Since the sale has a share id of its own, or gave to or took from another sale.
    pub(crate) shares: Option<Box<Shares>>,
    /// What this copy was told of the other parts of a split sale. Not a part of its history.
    pub(crate) rest: Option<Box<Rest>>,
    /// By item: units that this copy refused, or put in line, for want of stock. Not a part of
    /// its history either.
    pub(crate) asked: Vec<u64>,
    /// This copy missed a change of its primary, and does not sell.
    pub(crate) mark: Option<Mark>,
    /// Why nothing here can be relied on, in words. A property of this copy, not of its
    /// history: no event says so.
    pub(crate) broken: Option<Box<str>>,
}

/// What tells one mark from another: copies that missed the same have the same, and copies
/// of a marked one have its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkId {
    /// The sale's last change before the first miss, in Unix milliseconds.
    pub at_ms: u64,
    /// Changes missed so far, at least 1.
    pub misses: u64,
}

/// Why a copy does not sell, should it become a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub id: MarkId,
    /// What did not fit first, in words.
    pub reason: Box<str>,
}

/// Returns as much of a reason as a mark keeps.
pub(crate) fn shorten_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MARK_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// A sale's time, and whether the clock had to be believed to get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub now_ms: u64,
    /// The clock is more than a minute behind the sale's last change.
    pub stepped_back: bool,
}

impl Sale {
    /// The moment of the last change, in Unix milliseconds.
    #[allow(dead_code)] // The model test compares it.
    pub fn last_change_at_ms(&self) -> u64 {
        self.last_change_at_ms
    }

    /// The sale's time: the later of the clock and the last change, unless the clock
    /// stepped back by more than a minute, which is believed.
    #[inline]
    pub fn time(&self, clock_ms: u64) -> Time {
        let clock_ms = clock_ms.min(MOMENT_MS_MAX);
        if clock_ms.saturating_add(CLOCK_STEP_MS_MAX) < self.last_change_at_ms {
            return Time {
                now_ms: clock_ms,
                stepped_back: true,
            };
        }
        Time {
            now_ms: clock_ms.max(self.last_change_at_ms),
            stepped_back: false,
        }
    }

    /// A ULID.
    pub fn sale_id(&self) -> u128 {
        self.sale_id
    }

    /// Name of the order stream.
    pub fn orders(&self) -> &[u8] {
        &self.orders
    }

    /// When the sale ended, if it has by `now_ms`: the earlier of CLOSE and END.
    #[inline]
    pub(crate) fn ended_at_ms(&self, now_ms: u64) -> Option<u64> {
        let end_at_ms = self.options.end_at_ms.filter(|&at_ms| at_ms <= now_ms);
        match (end_at_ms, self.closed_at_ms) {
            (Some(end_at_ms), Some(closed_at_ms)) => Some(end_at_ms.min(closed_at_ms)),
            (at_ms, None) | (None, at_ms) => at_ms,
        }
    }

    /// Why this copy does not sell, if it missed a change of its primary.
    #[inline]
    pub fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Since when new units are refused: PAUSE, the mark of a diverged copy, or the last
    /// change of a broken one.
    #[inline]
    pub(crate) fn refuses_since_ms(&self) -> Option<u64> {
        let broke_at_ms = self.broken.as_ref().map(|_| self.last_change_at_ms);
        let marked_at_ms = self.mark.as_ref().map(|mark| mark.id.at_ms);
        broke_at_ms.or(marked_at_ms).or(self.paused_at_ms)
    }

    /// When a sweep next has something to do: the earliest deadline of an open
    /// reservation, the end of a grace, or the moment an ended one is known no longer.
    #[inline]
    pub fn next_due_ms(&self) -> Option<u64> {
        let (options, queues) = (&self.options, &self.reservations);
        let expires_at_ms = queues.deadlines().first_ms();
        let late_ms = queues.late().first_ms();
        let lapses_at_ms = late_ms.saturating_add(options.grace_ms);
        let ended_ms = queues.ended().first_ms();
        let forgets_at_ms = ended_ms.saturating_add(options.remembers_ms());
        let due_ms = expires_at_ms.min(lapses_at_ms).min(forgets_at_ms);
        (due_ms < NEVER).then_some(due_ms)
    }

    /// When the key expires: a function of the state alone, so that every copy of the
    /// sale comes to the same moment. `None` without END and CLOSE.
    pub fn key_expires_at_ms(&self) -> Option<u64> {
        let end_at_ms = [self.options.end_at_ms, self.closed_at_ms]
            .into_iter()
            .flatten()
            .min()?;
        let last = end_at_ms
            .saturating_add(self.options.max_hold_ms())
            .max(self.reservations.deadlines().last_ms().unwrap_or(0));
        let at_ms = last
            .saturating_add(self.options.grace_ms)
            .saturating_add(self.options.keep_ms);
        Some(at_ms.min(INTEGER_MAX))
    }

    /// What this copy of the sale hashes its names with.
    #[allow(dead_code)] // Tests decode the events of several copies with it.
    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// A name as this copy of the sale looks it up.
    pub fn key<'a>(&self, name: &'a [u8]) -> Key<'a> {
        self.hasher.key(name)
    }

    /// The same for a name whose spelling is known.
    pub(crate) fn key_of<'a>(&self, spelling: Spelling<'a>) -> Key<'a> {
        self.hasher.key_of(spelling)
    }

    /// Fetches where this id and this user are, both at once, so that it is there when a
    /// decision about them looks for it.
    #[inline]
    pub fn touch(&self, id: Option<&Key<'_>>, user: Option<&Key<'_>>) {
        if let Some(user) = user {
            self.users.touch(*user);
        }
        if let Some(id) = id {
            self.reservations.touch(*id);
        }
        if self.has_queue {
            self.touch_places(id, user);
        }
    }

    #[inline(never)] // Most sales have no line.
    fn touch_places(&self, id: Option<&Key<'_>>, user: Option<&Key<'_>>) {
        if let Some(waiting) = &self.waiting {
            waiting.touch(id, user);
        }
    }

    /// Fetches the records themselves, when [`Sale::touch`] has fetched where they are, and
    /// notes in the keys where look-ups will find them.
    #[inline]
    pub fn touch_records(&self, id: Option<&mut Key<'_>>, user: Option<&mut Key<'_>>) {
        if let Some(user) = user {
            self.users.touch_likely(user);
        }
        if let Some(id) = id {
            self.reservations.touch_likely(id);
        }
    }

    /// The slot of a known id. O(1).
    #[inline(always)]
    pub fn find(&self, id: Key<'_>) -> Option<Slot> {
        self.reservations.find(id)
    }

    #[inline]
    pub(crate) fn record(&self, slot: Slot) -> Option<Reservation<'_>> {
        self.reservations.get(slot)
    }

    /// Whose reservation is it? An id released before it was seen, by nobody in
    /// particular, is everybody's.
    pub(crate) fn belongs_to(&self, record: Reservation<'_>, user: Spelling<'_>) -> bool {
        self.users
            .name(record.user())
            .is_none_or(|owner| owner == user)
    }

    /// Is this reservation open past its deadline, waiting for a sweep?
    pub(crate) fn is_overdue(record: Reservation<'_>, now_ms: u64) -> bool {
        record.status() == Status::Open && record.expires_at_ms() <= now_ms
    }

    /// Units that are available, reserved and sold, in all: what the sale has and what it owes.
    pub(crate) fn units(&self) -> u64 {
        self.items.totals().units()
    }

    /// Bytes of memory, from the sizes of all allocations. O(REFs of RESTOCK).
    pub fn memory_bytes(&self) -> usize {
        size_of::<Sale>()
            + self.orders.len()
            + self.items.heap_bytes()
            + self.users.heap_bytes()
            + self.reservations.heap_bytes()
            + self.restock_refs.heap_bytes()
            + self
                .outbox
                .as_ref()
                .map_or(0, |outbox| size_of::<Outbox>() + outbox.heap_bytes())
            + self
                .waiting
                .as_ref()
                .map_or(0, |waiting| size_of::<Waiting>() + waiting.heap_bytes())
            + self.options.passkeys.heap_bytes()
            + self.options.group.as_ref().map_or(0, |group| group.len())
            + self
                .shares
                .as_ref()
                .map_or(0, |shares| size_of::<Shares>() + shares.heap_bytes())
            + self
                .rest
                .as_ref()
                .map_or(0, |rest| size_of::<Rest>() + rest.heap_bytes())
            + self.asked.capacity() * size_of::<u64>()
            + self.mark.as_ref().map_or(0, |mark| mark.reason.len())
            + self.broken.as_ref().map_or(0, |reason| reason.len())
    }

    /// How much work freeing the sale is, in records.
    pub fn free_effort(&self) -> usize {
        let outbox = self
            .outbox
            .as_ref()
            .map_or(0, |outbox| outbox.free_effort());
        let waiting = self
            .waiting
            .as_ref()
            .map_or(0, |waiting| waiting.free_effort());
        self.reservations.len() + self.users.len() + self.items.len() + outbox + waiting
    }
}
