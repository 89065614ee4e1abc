//! Reservations in the order of a moment: open ones by deadline, ended ones by when
//! they ended.
//!
//! A bucket per millisecond, in a B-tree, holds the two ends of a list that runs
//! through the records themselves: a push is an append, any record can be taken out
//! in place, and nothing is ever rebuilt. Within a millisecond the order is that of
//! the pushes, which is the same on every copy of the sale.
//! Edge: sets `in_queue` of the records it is given, nothing else.

use std::collections::BTreeMap;

use crate::sale::book::reservation::{Links, Packed, Slot};
use crate::table::slab::{NONE, Slab};

struct Bucket {
    first: Slot,
    last: Slot,
}

/// A moment that does not come.
pub const NEVER: u64 = u64::MAX;

/// A queue of reservations by moment.
pub struct Deadlines {
    buckets: BTreeMap<u64, Bucket>,
    /// The earliest moment, [`NEVER`] without one; every call asks for it, and few change
    /// it.
    first_ms: u64,
    len: usize,
}

impl Deadlines {
    pub fn new() -> Deadlines {
        Deadlines {
            buckets: BTreeMap::new(),
            first_ms: NEVER,
            len: 0,
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The earliest moment, [`NEVER`] without one. O(1).
    #[inline]
    pub fn first_ms(&self) -> u64 {
        self.first_ms
    }

    /// The record that comes first. O(log n).
    pub fn first(&self) -> Option<Slot> {
        let (_, bucket) = self.buckets.first_key_value()?;
        Some(bucket.first)
    }

    /// The latest moment.
    pub fn last_ms(&self) -> Option<u64> {
        self.buckets.last_key_value().map(|(&at_ms, _)| at_ms)
    }

    /// Adds a record behind the others of its millisecond. O(log n), or O(1) for the
    /// latest moment, which is what a new reservation mostly has.
    pub fn push(&mut self, records: &mut Slab<Packed>, at_ms: u64, slot: Slot) {
        let new = Bucket {
            first: slot,
            last: NONE,
        };
        let bucket = match self.buckets.last_entry() {
            Some(latest) if *latest.key() == at_ms => latest.into_mut(),
            _ => self.buckets.entry(at_ms).or_insert(new),
        };
        records[slot].in_queue = Links {
            previous: bucket.last,
            next: NONE,
        };
        if let Some(last) = records.get_mut(bucket.last) {
            last.in_queue.next = slot;
        }
        bucket.last = slot;
        self.len += 1;
        self.first_ms = self.first_ms.min(at_ms);
    }

    /// Takes out a record that stands at this moment. O(log n).
    pub fn remove(&mut self, records: &mut Slab<Packed>, at_ms: u64, slot: Slot) {
        let Some(bucket) = self.buckets.get_mut(&at_ms) else {
            return;
        };
        let Links { previous, next } = records[slot].in_queue;
        records[slot].in_queue = Links::NOWHERE;
        match records.get_mut(previous) {
            Some(record) => record.in_queue.next = next,
            None => bucket.first = next,
        }
        match records.get_mut(next) {
            Some(record) => record.in_queue.previous = previous,
            None => bucket.last = previous,
        }
        if bucket.first == NONE {
            self.buckets.remove(&at_ms);
            if self.first_ms == at_ms {
                self.first_ms = self.buckets.keys().next().copied().unwrap_or(NEVER);
            }
        }
        self.len -= 1;
    }

    /// All records, earliest first.
    pub fn iter<'a>(&'a self, records: &'a Slab<Packed>) -> impl Iterator<Item = Slot> + 'a {
        self.buckets.values().flat_map(move |bucket| {
            let mut slot = bucket.first;
            std::iter::from_fn(move || {
                let this = slot;
                slot = records.get(slot)?.in_queue.next;
                Some(this)
            })
        })
    }

    /// Counts up to `most` records with a moment at or before `now_ms`. O(answer).
    pub fn count_due(&self, records: &Slab<Packed>, now_ms: u64, most: usize) -> usize {
        self.buckets
            .range(..=now_ms)
            .flat_map(|(_, bucket)| {
                let mut slot = bucket.first;
                std::iter::from_fn(move || {
                    slot = records.get(slot)?.in_queue.next;
                    Some(())
                })
            })
            .take(most)
            .count()
    }

    /// Heap bytes, from the size of a B-tree's nodes at their usual filling.
    pub fn heap_bytes(&self) -> usize {
        // A leaf holds 11 entries in about 192 bytes; appended ones are 6/11 full.
        self.buckets.len() * (size_of::<u64>() + size_of::<Bucket>()) * 2
    }
}
