//! What waits to be written to the order stream, as records in the order of decisions.
//!
//! A record is complete in itself. One that named a slot would be smaller, and wrong: an id
//! may be extended, sold or forgotten before its entry is written.
//!
//! | Bytes of a record | |
//! |---|---|
//! | the moment of decision | `u64`, in Unix milliseconds |
//! | `seq` | `u64`, less 1000 times the moment |
//! | the body | what happened, see `event/record.rs` |
//!
//! # Invariants
//!
//! 1. The `seq` of waiting records ascend, and none is above the sale's: invariant 12 of the
//!    sale. One that has come to the end of its numbers, as no sale but a forged one does,
//!    stays there.
//! 2. At most one hole waits, before all records: what is dropped is always the oldest.
//!
//! Edge: keeps bodies as bytes and understands none. Which change queues which record is
//! `event/queue.rs`.

use std::collections::VecDeque;

use crate::sale::units::MOMENT_MS_MAX;
use crate::wire::{CodecError, Reader, Writer};

/// A chunk of records, in bytes; a larger record has a chunk of its own.
const CHUNK_BYTES: usize = 4 * 1024;
/// A record counts once for each so many bytes begun.
const WEIGHED_BYTES: usize = 256;
/// Beyond the first [`WEIGHED_BYTES`], so many bytes cost as much to write as an entry.
const SPELLED_BYTES: usize = 16;
/// `seq` is at least so many times the moment of its decision.
const SEQ_PER_MS: u64 = 1_000;

/// The records of a sale with `EVENTS all`, and its last `seq`.
pub struct Outbox {
    hole: Option<Hole>,
    /// Each record behind its length, never in two chunks.
    chunks: VecDeque<Vec<u8>>,
    /// Where the oldest record begins in the first chunk.
    start: usize,
    records: usize,
    weight: u64,
    /// Of the newest entry, written or not.
    seq: u64,
    /// Entries that were dropped, for good.
    lost: u64,
    /// Entries written since CREATE or BIND that are no order and no refund. The sale keeps
    /// its orders and refunds themselves.
    written: u64,
    /// Where a record is put together.
    scratch: Vec<u8>,
}

/// Entries that were dropped and are not reported to the stream yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Of the last entry dropped.
    pub seq: u64,
    /// Of the last entry dropped, in Unix milliseconds.
    pub at_ms: u64,
    /// Entries dropped, at least 1.
    pub qty: u64,
}

/// What a snapshot keeps of an outbox beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    pub seq: u64,
    pub lost: u64,
    pub written: u64,
}

/// What stands before the body of every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub at_ms: u64,
    pub seq: u64,
}

impl Head {
    /// Appends the head of a record.
    pub fn put(self, out: &mut Writer<'_>) {
        out.number(self.at_ms);
        out.number(self.seq.saturating_sub(self.at_ms * SEQ_PER_MS));
    }

    /// Reads the head of a record.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or too few.
    pub fn take<H: Copy>(from: &mut Reader<'_, H>) -> Result<Head, CodecError> {
        let at_ms = from.number()?;
        let above = from.number()?;
        if at_ms > MOMENT_MS_MAX {
            return Err(CodecError::Invalid("a moment"));
        }
        let seq = (at_ms * SEQ_PER_MS).checked_add(above);
        let seq = seq.ok_or(CodecError::Invalid("a seq"))?;
        Ok(Head { at_ms, seq })
    }
}

/// Reports whether `seq` may stand behind `before`.
pub fn ascends(before: u64, seq: u64) -> bool {
    seq > before || seq == u64::MAX
}

/// Returns how often a record of so many bytes counts.
fn weight_of(bytes: usize) -> u64 {
    bytes.div_ceil(WEIGHED_BYTES).max(1) as u64
}

/// Returns what it costs to write a record of so many bytes, in entries of a few items. An item
/// of a cart takes three bytes here and a hundred in its entry, where it is spelled.
fn cost_of(bytes: usize) -> u64 {
    1 + (bytes.saturating_sub(WEIGHED_BYTES) / SPELLED_BYTES) as u64
}

impl Outbox {
    /// Makes an outbox without records.
    pub fn new(counts: OutboxCounts) -> Outbox {
        let OutboxCounts { seq, lost, written } = counts;
        Outbox {
            hole: None,
            chunks: VecDeque::new(),
            start: 0,
            records: 0,
            weight: 0,
            seq,
            lost,
            written,
            scratch: Vec::new(),
        }
    }

    /// Makes the outbox of a sale that had no entry yet.
    pub fn empty() -> Box<Outbox> {
        Box::new(Outbox::new(OutboxCounts::default()))
    }

    /// Returns what a snapshot keeps beside the records.
    pub fn counts(&self) -> OutboxCounts {
        OutboxCounts {
            seq: self.seq,
            lost: self.lost,
            written: self.written,
        }
    }

    /// Returns how many entries wait to be written, a hole among them.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.records + usize::from(self.hole.is_some())
    }

    /// Returns how much they count, each once for each 256 bytes begun.
    #[inline]
    pub fn weight(&self) -> u64 {
        self.weight + u64::from(self.hole.is_some())
    }

    /// Returns the `seq` of the next entry, if it is decided at `at_ms`.
    #[inline]
    pub fn next_seq(&self, at_ms: u64) -> u64 {
        let of_the_moment = at_ms.saturating_mul(SEQ_PER_MS);
        self.seq.saturating_add(1).max(of_the_moment)
    }

    /// Gives the next `seq` to an entry that is written with its own event.
    #[inline]
    pub fn take_seq(&mut self, at_ms: u64) {
        self.seq = self.next_seq(at_ms);
    }

    /// Queues a record with the next `seq`. O(bytes).
    pub fn push(&mut self, at_ms: u64, body: impl FnOnce(&mut Writer<'_>)) {
        let seq = self.next_seq(at_ms);
        self.seq = seq;
        let mut record = std::mem::take(&mut self.scratch);
        record.clear();
        let mut out = Writer(&mut record);
        Head { at_ms, seq }.put(&mut out);
        body(&mut out);
        self.append(&record);
        record.shrink_to(CHUNK_BYTES);
        self.scratch = record;
    }

    /// Adds a record from a snapshot behind the others; its body was checked.
    ///
    /// # Errors
    ///
    /// Its `seq` is not above the record's before, or above the sale's.
    pub fn restore(&mut self, head: Head, after: u64, record: &[u8]) -> Result<(), CodecError> {
        if !ascends(after, head.seq) || head.seq > self.seq {
            return Err(CodecError::Invalid("the seq of a record"));
        }
        self.append(record);
        Ok(())
    }

    /// Puts a hole from a snapshot before all records.
    ///
    /// # Errors
    ///
    /// There are records or a hole already, or its numbers are above the sale's.
    pub fn restore_hole(&mut self, hole: Hole) -> Result<(), CodecError> {
        if self.waiting() > 0 || hole.qty == 0 || hole.qty > self.lost || hole.seq > self.seq {
            return Err(CodecError::Invalid("the lost entries"));
        }
        self.hole = Some(hole);
        Ok(())
    }

    fn append(&mut self, record: &[u8]) {
        // A length takes nine bytes at most.
        let bytes = record.len() + 9;
        let has_room = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= bytes;
        if !self.chunks.back().is_some_and(has_room) {
            let chunk = Vec::with_capacity(bytes.max(CHUNK_BYTES));
            self.chunks.push_back(chunk);
        }
        if let Some(chunk) = self.chunks.back_mut() {
            Writer(chunk).bytes(record);
        }
        self.records += 1;
        self.weight += weight_of(record.len());
    }

    /// Takes the oldest record.
    fn pop(&mut self) -> Option<Head> {
        let chunk = self.chunks.front()?;
        let mut from = Reader::new(chunk.get(self.start..)?, ());
        let record = from.bytes(usize::MAX).ok()?;
        let head = Head::take(&mut Reader::new(record, ())).ok()?;
        self.weight = self.weight.saturating_sub(weight_of(record.len()));
        self.records = self.records.saturating_sub(1);
        if from.rest().is_empty() {
            self.chunks.pop_front();
            self.start = 0;
        } else {
            self.start = chunk.len() - from.rest().len();
        }
        Some(head)
    }

    /// Removes the oldest entries, which were written.
    pub fn note_written(&mut self, count: u64) {
        for _ in 0..count {
            if self.hole.take().is_none() && self.pop().is_none() {
                break;
            }
            self.written = self.written.saturating_add(1);
        }
    }

    /// Removes the oldest entries, which will not be written, and leaves a hole in their place.
    pub fn drop_oldest(&mut self, count: u64) {
        let mut hole = None::<Hole>;
        for _ in 0..count {
            if let Some(first) = self.hole.take() {
                hole = Some(first);
                continue;
            }
            let Some(Head { at_ms, seq }) = self.pop() else {
                break;
            };
            let qty = hole.map_or(0, |hole| hole.qty).saturating_add(1);
            hole = Some(Hole { seq, at_ms, qty });
            self.lost = self.lost.saturating_add(1);
        }
        self.hole = hole.or(self.hole);
    }

    /// Returns how many of the oldest entries cost `most` together at the most to write, but
    /// one at least if any waits, and what these cost: an entry of a few items 1. O(entries
    /// counted).
    pub fn count_costing(&self, most: u64) -> (u64, u64) {
        let hole = u64::from(self.hole.is_some());
        let (mut count, mut cost) = (hole, hole);
        for record in self.records() {
            let more = cost.saturating_add(cost_of(record.len()));
            if count > 0 && more > most {
                break;
            }
            (count, cost) = (count + 1, more);
        }
        (count, cost)
    }

    /// Returns how many of the oldest entries to drop so that a box above `most` is at 99%
    /// of it, or `None` if it is not above it. O(entries dropped).
    pub fn count_above(&self, most: u64) -> Option<u64> {
        if self.weight() <= most {
            return None;
        }
        // The hole that is left counts, too.
        let most = (most - most / 100).saturating_sub(1);
        let mut weight = self.weight;
        let mut dropped = u64::from(self.hole.is_some());
        for record in self.records() {
            if weight <= most {
                break;
            }
            weight -= weight_of(record.len()).min(weight);
            dropped += 1;
        }
        Some(dropped)
    }

    /// Forgets how many entries were written, because the stream is another one.
    pub fn begin_stream(&mut self) {
        self.written = 0;
    }

    /// Returns the entries that were dropped and not reported yet.
    pub fn hole(&self) -> Option<Hole> {
        self.hole
    }

    /// Returns the bytes of every record, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = self.start;
        self.chunks.iter().flat_map(move |chunk| {
            let start = std::mem::take(&mut start);
            let mut from = Reader::new(chunk.get(start..).unwrap_or_default(), ());
            std::iter::from_fn(move || {
                if from.rest().is_empty() {
                    return None;
                }
                from.bytes(usize::MAX).ok()
            })
        })
    }

    /// Returns the moment of the oldest entry that waits, in Unix milliseconds.
    pub fn first_at_ms(&self) -> Option<u64> {
        let of_record = || {
            let record = self.records().next()?;
            Some(Head::take(&mut Reader::new(record, ())).ok()?.at_ms)
        };
        self.hole.map(|hole| hole.at_ms).or_else(of_record)
    }

    /// Returns the heap bytes. O(chunks).
    pub fn heap_bytes(&self) -> usize {
        let chunks = self.chunks.iter().map(Vec::capacity).sum::<usize>();
        chunks + self.chunks.capacity() * size_of::<Vec<u8>>() + self.scratch.capacity()
    }

    /// Returns how much work freeing the records is, in allocations.
    pub fn free_effort(&self) -> usize {
        self.chunks.len()
    }

    /// Returns how many records there are and how much they count, recounted.
    pub fn recount(&self) -> (usize, u64) {
        let weights = self.records().map(|record| weight_of(record.len()));
        weights.fold((0, 0), |(count, sum), weight| (count + 1, sum + weight))
    }

    /// Returns the same as it is kept.
    pub fn counted(&self) -> (usize, u64) {
        (self.records, self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(OutboxCounts::default())
    }

    /// Queues a record of so many bytes in its body.
    fn push(outbox: &mut Outbox, at_ms: u64, bytes: usize) {
        outbox.push(at_ms, |out| out.raw(&vec![7; bytes]));
    }

    fn seqs(outbox: &Outbox) -> Vec<u64> {
        let head = |record| Head::take(&mut Reader::new(record, ())).unwrap();
        outbox.records().map(|record| head(record).seq).collect()
    }

    #[test]
    fn seq_only_grows_whatever_the_clock_does() {
        let mut outbox = outbox();
        // It stands, goes on, jumps, steps back, and goes on where it was.
        for at_ms in [5, 5, 6, 1_000_000, 40, 41, 1_000_000, 1_000_001] {
            push(&mut outbox, at_ms, 1);
        }
        let jump = 1_000_000_000;
        assert_eq!(
            seqs(&outbox),
            [
                5_000,
                5_001,
                6_000,
                jump,
                jump + 1,
                jump + 2,
                jump + 3,
                jump + 1_000
            ]
        );
        assert_eq!(outbox.next_seq(0), jump + 1_001);
        outbox.take_seq(0);
        assert_eq!(outbox.next_seq(2_000_000), 2 * jump);
    }

    #[test]
    fn a_millisecond_of_more_than_a_thousand_entries_runs_into_the_next() {
        let mut outbox = outbox();
        for _ in 0..1_500 {
            push(&mut outbox, 7, 1);
        }
        push(&mut outbox, 8, 1);
        assert_eq!(seqs(&outbox).last(), Some(&8_500));
        assert!(seqs(&outbox).is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn a_seq_at_the_end_of_its_numbers_stays_there_and_can_be_loaded() {
        let counts = OutboxCounts {
            seq: u64::MAX - 1,
            ..OutboxCounts::default()
        };
        let mut forged = Outbox::new(counts);
        (0..3).for_each(|at_ms| push(&mut forged, at_ms, 1));
        assert_eq!(seqs(&forged), [u64::MAX; 3]);
        let mut again = Outbox::new(forged.counts());
        let mut last_seq = 0;
        for record in forged.records() {
            let head = Head::take(&mut Reader::new(record, ())).unwrap();
            again.restore(head, last_seq, record).unwrap();
            last_seq = head.seq;
        }
        assert_eq!(seqs(&again), seqs(&forged));
    }

    #[test]
    fn a_record_counts_once_for_each_256_bytes_begun() {
        // The head of a record at 0 takes two bytes.
        for (bytes, weight) in [
            (0, 1),
            (254, 1),
            (255, 2),
            (510, 2),
            (511, 3),
            (99_999, 391),
        ] {
            let mut outbox = outbox();
            outbox.seq = 0;
            push(&mut outbox, 0, bytes);
            assert_eq!(outbox.weight(), weight, "{bytes}");
            assert_eq!(outbox.recount(), outbox.counted());
            outbox.note_written(1);
            assert_eq!(
                (outbox.weight(), outbox.waiting(), outbox.heap_chunks()),
                (0, 0, 0)
            );
        }
    }

    #[test]
    fn records_leave_in_the_order_they_came_whatever_their_sizes() {
        let (mut outbox, mut waiting) = (outbox(), VecDeque::new());
        for n in 0..20_000_u64 {
            push(
                &mut outbox,
                n,
                (n * 7_919 % 6_000) as usize / (1 + n % 40) as usize,
            );
            waiting.push_back(n * 1_000);
            if n % 3 == 0 {
                outbox.note_written(2);
                waiting.drain(..waiting.len().min(2));
            }
        }
        assert_eq!(seqs(&outbox), Vec::from(waiting));
        assert_eq!(outbox.recount(), outbox.counted());
        outbox.note_written(u64::MAX);
        assert_eq!(
            (outbox.waiting(), outbox.weight(), outbox.heap_chunks()),
            (0, 0, 0)
        );
    }

    #[test]
    fn what_is_dropped_leaves_one_hole_with_the_last_of_them() {
        let mut outbox = outbox();
        (1..=10).for_each(|at_ms| push(&mut outbox, at_ms, 40));
        outbox.drop_oldest(3);
        let hole = |at_ms, qty| {
            let seq = at_ms * 1_000;
            Some(Hole { seq, at_ms, qty })
        };
        assert_eq!(
            (outbox.hole(), outbox.lost, outbox.waiting()),
            (hole(3, 3), 3, 8)
        );
        // The hole goes with the next ones, and is not lost twice.
        outbox.drop_oldest(3);
        assert_eq!(
            (outbox.hole(), outbox.lost, outbox.waiting()),
            (hole(5, 5), 5, 6)
        );
        assert_eq!((outbox.first_at_ms(), seqs(&outbox)[0]), (Some(5), 6_000));
        outbox.drop_oldest(0);
        outbox.note_written(1);
        assert_eq!((outbox.hole(), outbox.lost, outbox.waiting()), (None, 5, 5));
        outbox.note_written(2);
        assert_eq!((outbox.written, outbox.first_at_ms()), (3, Some(8)));
    }

    #[test]
    fn a_box_above_its_bound_is_left_at_99_percent_with_the_hole() {
        let mut outbox = outbox();
        for at_ms in 1..=1_000 {
            push(&mut outbox, at_ms, 40);
            assert_eq!(outbox.count_above(1_000), None);
        }
        push(&mut outbox, 1_001, 1_000);
        assert_eq!(outbox.weight(), 1_004);
        let count = outbox.count_above(1_000).unwrap();
        outbox.drop_oldest(count);
        assert_eq!((count, outbox.weight(), outbox.lost), (15, 990, 15));
        assert_eq!(outbox.count_above(1_000), None);
        // A record larger than the bound goes, too, and the hole before it.
        push(&mut outbox, 1_002, 400_000);
        let count = outbox.count_above(1_000).unwrap();
        outbox.drop_oldest(count);
        assert_eq!(
            (outbox.waiting(), outbox.weight(), outbox.lost),
            (1, 1, 1_002)
        );
    }

    #[test]
    fn a_go_takes_as_much_as_counts_and_one_at_least() {
        let mut outbox = outbox();
        assert_eq!(outbox.count_costing(9), (0, 0));
        for bytes in [310, 40, 40, 280] {
            push(&mut outbox, 1, bytes);
        }
        for (most, counted) in [
            (0, (1, 4)),
            (1, (1, 4)),
            (4, (1, 4)),
            (5, (2, 5)),
            (6, (3, 6)),
            (7, (3, 6)),
            (8, (4, 8)),
            (99, (4, 8)),
        ] {
            assert_eq!(outbox.count_costing(most), counted, "{most}");
        }
        outbox.drop_oldest(1);
        let counted = [1, 2].map(|most| outbox.count_costing(most));
        assert_eq!(counted, [(1, 1), (2, 2)]);
    }

    impl Outbox {
        fn heap_chunks(&self) -> usize {
            self.chunks.len() + self.start
        }
    }
}
