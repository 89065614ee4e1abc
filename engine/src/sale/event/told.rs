//! Which entries of an outbox were written, and where they stand in the order stream.
//!
//! The IDs are kept as the bytes of a list of runs. Each run has an entry (its first ID) and
//! a `u64`, the number of consecutive IDs: those of the same millisecond with sequences that
//! follow each other. How many records were written is the sum of these numbers.
//!
//! Edge: the bytes of a [`Told`] were written by [`ToldWriter`], or read and checked.

use crate::sale::event::parts::{put_entry, take_entry};
use crate::sale::units::EntryId;
use crate::wire::{CodecError, Reader, Writer};

/// Shortest run, in bytes.
const RUN_BYTES_MIN: usize = 3;

/// The entries that were written, oldest first; none by default.
///
/// Only the bytes are kept: every order has one of these, and most are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told<'a> {
    runs: &'a [u8],
}

impl<'a> Told<'a> {
    #[inline]
    pub fn is_empty(self) -> bool {
        self.runs.is_empty()
    }

    /// Returns how many there are. O(runs).
    #[inline]
    pub fn count(self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        self.runs().map(|(_, number)| number).sum()
    }

    /// Returns where the last one stands. O(runs).
    #[inline]
    pub fn last(self) -> Option<EntryId> {
        if self.is_empty() {
            return None;
        }
        self.runs().last().map(|(first, number)| EntryId {
            ms: first.ms,
            seq: first.seq + (number - 1),
        })
    }

    /// Returns where each one stands, in order.
    pub fn ids(self) -> impl Iterator<Item = EntryId> + 'a {
        self.runs().flat_map(|(first, number)| {
            (0..number).map(move |n| EntryId {
                ms: first.ms,
                seq: first.seq + n,
            })
        })
    }

    fn runs(self) -> impl Iterator<Item = (EntryId, u64)> + 'a {
        let mut from = Reader::new(self.runs, ());
        std::iter::from_fn(move || take_run(&mut from).ok())
    }

    /// Returns the bytes of all runs.
    #[inline]
    pub(super) fn bytes(self) -> &'a [u8] {
        self.runs
    }

    pub(super) fn put(self, out: &mut Writer<'_>) {
        out.raw(self.runs);
    }

    /// Checks the bytes of all runs.
    ///
    /// # Errors
    ///
    /// There is none, the IDs do not ascend, two runs could be one, or a number is damaged.
    pub(super) fn take(runs: &'a [u8]) -> Result<Told<'a>, CodecError> {
        const WRONG: CodecError = CodecError::Invalid("the IDs of entries");
        let mut from = Reader::new(runs, ());
        let (mut last, mut count) = (None::<EntryId>, 0_u64);
        while !from.rest().is_empty() {
            let (first, number) = take_run(&mut from)?;
            let ascends = last.is_none_or(|last| first > last && !follows(last, first));
            let more = number.checked_sub(1).filter(|_| ascends).ok_or(WRONG)?;
            let seq = first.seq.checked_add(more).ok_or(WRONG)?;
            count = count.checked_add(number).ok_or(WRONG)?;
            last = Some(EntryId { ms: first.ms, seq });
        }
        if count == 0 {
            return Err(WRONG);
        }
        Ok(Told { runs })
    }
}

/// Is `next` in one run with `last`, right behind it?
fn follows(last: EntryId, next: EntryId) -> bool {
    next.ms == last.ms && last.seq.checked_add(1) == Some(next.seq)
}

fn take_run(from: &mut Reader<'_, ()>) -> Result<(EntryId, u64), CodecError> {
    if from.rest().len() < RUN_BYTES_MIN {
        return Err(CodecError::Truncated);
    }
    Ok((take_entry(from)?, from.number()?))
}

/// Collects the IDs of entries while they are written.
#[derive(Default)]
pub struct ToldWriter {
    /// All runs but the last.
    runs: Vec<u8>,
    first: EntryId,
    /// In the last run.
    number: u64,
    last: Option<EntryId>,
}

impl ToldWriter {
    /// Adds the ID of the next entry. IDs ascend.
    pub fn push(&mut self, at: EntryId) {
        if !self.last.is_some_and(|last| follows(last, at)) {
            self.put_run();
            self.first = at;
        }
        self.number += 1;
        self.last = Some(at);
    }

    fn put_run(&mut self) {
        if self.number > 0 {
            let out = &mut Writer(&mut self.runs);
            put_entry(out, self.first);
            out.number(self.number);
        }
        self.number = 0;
    }

    /// Returns the entries that were added. None may be added after that.
    pub fn finish(&mut self) -> Told<'_> {
        self.put_run();
        Told { runs: &self.runs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> EntryId {
        EntryId { ms, seq }
    }

    fn written(ids: &[EntryId]) -> Vec<u8> {
        let mut writer = ToldWriter::default();
        ids.iter().for_each(|id| writer.push(*id));
        let mut bytes = Vec::new();
        writer.finish().put(&mut Writer(&mut bytes));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<EntryId>, CodecError> {
        let told = Told::take(bytes)?;
        let ids: Vec<EntryId> = told.ids().collect();
        assert_eq!(
            (told.count(), told.last()),
            (ids.len() as u64, ids.last().copied())
        );
        Ok(ids)
    }

    #[test]
    fn ids_come_back_as_they_were_written_in_as_few_runs_as_there_are() {
        for (ids, bytes) in [
            (vec![id(7, 0)], vec![7, 0, 1]),
            (vec![id(7, 3), id(7, 4), id(7, 5)], vec![7, 3, 3]),
            (vec![id(7, 3), id(7, 5)], vec![7, 3, 1, 7, 5, 1]),
            (vec![id(7, 3), id(8, 0), id(8, 1)], vec![7, 3, 1, 8, 0, 2]),
        ] {
            assert_eq!(written(&ids), bytes);
            assert_eq!(read(&bytes), Ok(ids));
        }
        let last = [id(u64::MAX, u64::MAX - 1), id(u64::MAX, u64::MAX)];
        assert_eq!(read(&written(&last)), Ok(last.to_vec()));
    }

    #[test]
    fn one_entry_of_today_takes_eleven_bytes() {
        assert_eq!(written(&[id(1_765_000_000_000, 0)]).len(), 11);
    }

    #[test]
    fn ids_that_do_not_ascend_or_could_be_fewer_runs_are_damage() {
        let wrong = Err(CodecError::Invalid("the IDs of entries"));
        for bytes in [
            &[][..],
            &[7, 0, 0],
            &[7, 0, 1, 7, 0, 1],
            &[7, 1, 1, 7, 0, 1],
            &[8, 0, 1, 7, 9, 1],
            &[7, 0, 2, 7, 1, 1],
            &[7, 0, 2, 7, 2, 1],
        ] {
            assert_eq!(read(bytes), wrong, "{bytes:?}");
        }
        assert_eq!(read(&[7, 0]), Err(CodecError::Truncated));
        // A run beyond the last ID there is.
        let most = [&[253][..], &[255; 8]].concat();
        assert_eq!(read(&[&[7][..], &most, &[2]].concat()), wrong);
        assert_eq!(read(&[&[7, 1][..], &most, &[8, 0, 2]].concat()), wrong);
    }
}
