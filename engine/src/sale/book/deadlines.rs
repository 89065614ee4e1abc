//! Reservations in the order of a moment: open ones by deadline, ended ones by when
//! they ended.
//!
//! A bucket per millisecond, in a B-tree, holds the two ends of a list that runs
//! through the records themselves: a push is an append, any record can be taken out
//! in place, and nothing is ever rebuilt. Within a millisecond the order is that of
//! the pushes, which is the same on every copy of the sale.
//!
//! The bucket of the latest moment is kept beside the tree: a new reservation mostly goes
//! there.
//! Edge: sets `in_queue` of the records it is given, nothing else.

use std::collections::BTreeMap;

use crate::sale::book::reservation::{Links, Packed, Slot};
use crate::table::slab::{NONE, Slab};

#[derive(Clone, Copy)]
struct Bucket {
    first: Slot,
    last: Slot,
}

impl Bucket {
    const EMPTY: Bucket = Bucket {
        first: NONE,
        last: NONE,
    };

    fn is_empty(self) -> bool {
        self.first == NONE
    }

    /// Its records, in their order.
    fn slots(self, records: &Slab<Packed>) -> impl Iterator<Item = Slot> {
        let mut slot = self.first;
        std::iter::from_fn(move || {
            let this = slot;
            slot = records.get(slot)?.in_queue.next;
            Some(this)
        })
    }
}

/// A moment that does not come.
pub const NEVER: u64 = u64::MAX;

/// A queue of reservations by moment.
pub struct Deadlines {
    /// Of all moments before the latest; none of them is empty.
    buckets: BTreeMap<u64, Bucket>,
    /// The latest moment and its bucket, which is empty only when the whole queue is.
    latest_ms: u64,
    latest: Bucket,
    /// The earliest moment, [`NEVER`] without one; every call asks for it, and few change
    /// it.
    first_ms: u64,
    len: usize,
}

impl Deadlines {
    pub fn new() -> Deadlines {
        Deadlines {
            buckets: BTreeMap::new(),
            latest_ms: 0,
            latest: Bucket::EMPTY,
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
        let (_, bucket) = self.iter_buckets().next()?;
        Some(bucket.first)
    }

    /// The latest moment.
    pub fn last_ms(&self) -> Option<u64> {
        (!self.latest.is_empty()).then_some(self.latest_ms)
    }

    /// The moments with their buckets, earliest first; none is empty.
    fn iter_buckets(&self) -> impl Iterator<Item = (u64, Bucket)> {
        let before = self.buckets.iter().map(|(&at_ms, &bucket)| (at_ms, bucket));
        let latest = (!self.latest.is_empty()).then_some((self.latest_ms, self.latest));
        before.chain(latest)
    }

    /// The bucket of a moment, to add a record. O(log n), or O(1) for the latest moment.
    #[inline(always)]
    fn bucket_for(&mut self, at_ms: u64) -> &mut Bucket {
        if at_ms < self.latest_ms {
            return self.bucket_before(at_ms);
        }
        if at_ms > self.latest_ms {
            self.begin(at_ms);
        }
        &mut self.latest
    }

    /// The bucket of a moment before the latest, to add a record.
    fn bucket_before(&mut self, at_ms: u64) -> &mut Bucket {
        self.buckets.entry(at_ms).or_insert(Bucket::EMPTY)
    }

    /// Makes a moment after all others the latest.
    fn begin(&mut self, at_ms: u64) {
        if !self.latest.is_empty() {
            self.buckets.insert(self.latest_ms, self.latest);
        }
        (self.latest_ms, self.latest) = (at_ms, Bucket::EMPTY);
    }

    /// Adds a record behind the others of its millisecond. O(log n), or O(1) for the
    /// latest moment.
    #[inline]
    pub fn push(&mut self, records: &mut Slab<Packed>, at_ms: u64, slot: Slot) {
        records[slot].in_queue = self.append(records, at_ms, slot);
    }

    /// The same for a record that is kept later, and returns the links it is to have. A new
    /// reservation mostly has the latest moment.
    #[inline(always)]
    pub fn append(&mut self, records: &mut Slab<Packed>, at_ms: u64, slot: Slot) -> Links {
        let bucket = self.bucket_for(at_ms);
        let previous = std::mem::replace(&mut bucket.last, slot);
        if previous == NONE {
            bucket.first = slot;
        } else if let Some(record) = records.get_mut(previous) {
            record.in_queue.next = slot;
        }
        self.len += 1;
        self.first_ms = self.first_ms.min(at_ms);
        Links {
            previous,
            next: NONE,
        }
    }

    /// Takes out a record that stands at this moment. O(log n), or O(1) for one with others
    /// of its millisecond before and behind it.
    #[inline]
    pub fn remove(&mut self, records: &mut Slab<Packed>, at_ms: u64, slot: Slot) {
        let links = std::mem::replace(&mut records[slot].in_queue, Links::NOWHERE);
        let Links { previous, next } = links;
        if let Some(record) = records.get_mut(previous) {
            record.in_queue.next = next;
        }
        if let Some(record) = records.get_mut(next) {
            record.in_queue.previous = previous;
        }
        if previous == NONE || next == NONE {
            self.move_ends(at_ms, links);
        }
        self.len -= 1;
    }

    /// Moves the ends of a moment's list when one of them is taken out, which had these
    /// links. O(log n).
    fn move_ends(&mut self, at_ms: u64, links: Links) {
        let is_latest = at_ms == self.latest_ms;
        let bucket = if is_latest {
            &mut self.latest
        } else if let Some(bucket) = self.buckets.get_mut(&at_ms) {
            bucket
        } else {
            return;
        };
        if links.previous == NONE {
            bucket.first = links.next;
        }
        if links.next == NONE {
            bucket.last = links.previous;
        }
        if !bucket.is_empty() {
            return;
        }
        if is_latest {
            let before = self.buckets.pop_last();
            (self.latest_ms, self.latest) = before.unwrap_or((0, Bucket::EMPTY));
        } else {
            self.buckets.remove(&at_ms);
        }
        if self.first_ms == at_ms {
            let first = self.iter_buckets().next();
            self.first_ms = first.map_or(NEVER, |(at_ms, _)| at_ms);
        }
    }

    /// All records, earliest first.
    pub fn iter<'a>(&'a self, records: &'a Slab<Packed>) -> impl Iterator<Item = Slot> + 'a {
        self.iter_buckets()
            .flat_map(move |(_, bucket)| bucket.slots(records))
    }

    /// Counts up to `most` records with a moment at or before `now_ms`. O(answer).
    pub fn count_due(&self, records: &Slab<Packed>, now_ms: u64, most: usize) -> usize {
        self.iter_buckets()
            .take_while(|&(at_ms, _)| at_ms <= now_ms)
            .flat_map(|(_, bucket)| bucket.slots(records))
            .take(most)
            .count()
    }

    /// Heap bytes, from the size of a B-tree's nodes at their usual filling.
    pub fn heap_bytes(&self) -> usize {
        // A leaf holds 11 entries in about 192 bytes; appended ones are 6/11 full.
        self.buckets.len() * (size_of::<u64>() + size_of::<Bucket>()) * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::book::reservation::{Aside, CartOf, NewReservation, Status};
    use crate::table::hash::HASHER;

    /// So many records that stand nowhere.
    fn records(count: Slot) -> Slab<Packed> {
        let (mut records, mut aside) = (Slab::new(), Aside::new());
        for slot in 0..count {
            let new = NewReservation {
                id: HASHER.key(b"id"),
                user: NONE,
                status: Status::Open,
                cart: CartOf::Lines(&[]),
                reserved_at_ms: 0,
                expires_at_ms: 0,
                ended_at_ms: 0,
            };
            records.insert(aside.pack(slot, &new, None, Links::NOWHERE));
        }
        records
    }

    #[test]
    fn keeps_the_order_whatever_moment_comes_or_goes() {
        let mut records = records(8);
        let mut queue = Deadlines::new();
        let moments = [
            (0, 20),
            (1, 10),
            (2, 30),
            (3, 20),
            (4, 30),
            (5, 10),
            (6, 40),
        ];
        for (slot, at_ms) in moments {
            queue.push(&mut records, at_ms, slot);
        }
        let seen = |queue: &Deadlines, records: &Slab<Packed>| {
            assert_eq!(queue.first(), queue.iter(records).next());
            assert_eq!(queue.len(), queue.iter(records).count());
            let slots: Vec<Slot> = queue.iter(records).collect();
            (slots, queue.first_ms(), queue.last_ms())
        };
        let all = vec![1, 5, 0, 3, 2, 4, 6];
        assert_eq!(seen(&queue, &records), (all, 10, Some(40)));
        assert_eq!(queue.count_due(&records, 29, 9), 4);
        // The latest, the first of the earliest, one of a moment that goes with it.
        for (slot, at_ms) in [(6, 40), (1, 10), (5, 10)] {
            queue.remove(&mut records, at_ms, slot);
        }
        assert_eq!(seen(&queue, &records), (vec![0, 3, 2, 4], 20, Some(30)));
        queue.push(&mut records, 25, 7);
        queue.push(&mut records, 30, 6);
        let left = vec![0, 3, 7, 2, 4, 6];
        assert_eq!(seen(&queue, &records), (left, 20, Some(30)));
        // From the middle of a moment.
        queue.remove(&mut records, 30, 4);
        for (slot, at_ms) in [(0, 20), (3, 20), (7, 25), (2, 30), (6, 30)] {
            queue.remove(&mut records, at_ms, slot);
        }
        assert_eq!(seen(&queue, &records), (vec![], NEVER, None));
    }
}
