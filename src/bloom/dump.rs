//! A filter in pieces for a client: SCANDUMP and LOADCHUNK.
//!
//! The bits of all links, laid end to end, are a run of bytes. A piece is named by where
//! it ends, plus 1; 0 names the header, and the piece with it is named 1. No piece
//! crosses the end of a link. There is no state between calls: any position may be asked
//! for, or loaded again.
//!
//! Loading sets bits and clears none, so that what was added meanwhile stays.
//!
//! Edge: bytes and positions. The header's format is `codec.rs`'s.

use std::fmt;

use super::chain::Bloom;
use super::codec::{decode_header, encode_header};
use super::filter::Filter;

/// Most bytes of one piece.
pub const DUMP_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a word.
const WORD_BYTES: u64 = 8;

/// Why a piece cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillError {
    /// The piece and the iterator do not belong together, or it is no header.
    BadData,
    /// The position is beyond the last link.
    NoLink,
    /// The piece would cross the end of a link.
    TooLarge,
    /// There is no memory for the filter.
    NoMemory,
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FillError::BadData => "received bad data",
            FillError::NoLink => "invalid offset - no link found",
            FillError::TooLarge => "invalid chunk - Too big for current filter",
            FillError::NoMemory => "Insufficient memory to create filter",
        })
    }
}

impl Bloom {
    /// The next iterator and the piece that is loaded with it; (0, nothing) at the end.
    pub fn dump(&self, iterator: i64) -> (i64, Vec<u8>) {
        if iterator == 0 {
            return (1, encode_header(self));
        }
        let piece = u64::try_from(iterator).ok().and_then(|iterator| {
            let (index, at) = self.locate(iterator.checked_sub(1)?)?;
            let link = self.links.get(index)?;
            let len = (link.bytes_len() - at).min(DUMP_BYTES_MAX);
            let next = i64::try_from(iterator.checked_add(len)?).ok()?;
            Some((next, bytes_of(link, at, len)))
        });
        piece.unwrap_or_default()
    }

    /// The filter of a header, with its counts and none of its bits.
    ///
    /// # Errors
    ///
    /// It is no header, or there is no memory.
    pub fn from_dumped_header(bytes: &[u8]) -> Result<Bloom, FillError> {
        let header = decode_header(bytes).map_err(|_| FillError::BadData)?;
        header.to_empty().ok_or(FillError::NoMemory)
    }

    /// Where a piece goes: its link and its first byte in it.
    ///
    /// # Errors
    ///
    /// It does not fit; in the order of [`FillError`].
    pub fn plan_fill(&self, iterator: i64, bytes: &[u8]) -> Result<(usize, u64), FillError> {
        let len = bytes.len() as u64;
        let position = u64::try_from(iterator)
            .ok()
            .and_then(|iterator| iterator.checked_sub(1)?.checked_sub(len))
            .filter(|_| len > 0)
            .ok_or(FillError::BadData)?;
        let (index, at) = self.locate(position).ok_or(FillError::NoLink)?;
        let left = self
            .links
            .get(index)
            .map_or(0, |link| link.bytes_len().saturating_sub(at));
        if len > left {
            return Err(FillError::TooLarge);
        }
        Ok((index, at))
    }

    /// Sets the bits of a piece where [`Bloom::plan_fill`] says it goes; true if one of
    /// them was not set before. A link that has bits counts at least one item.
    pub fn fill(&mut self, (index, at): (usize, u64), bytes: &[u8]) -> bool {
        let Some(link) = self.links.get_mut(index) else {
            return false;
        };
        let is_new = set_bytes(link, at, bytes) != 0;
        // Its header was told before the first item came. A filter that counts none is
        // taken for empty, and CLEAR has nothing to do.
        if is_new && link.items() == 0 {
            link.set_items(1);
        }
        is_new
    }

    /// The link a position lies in, and where in it.
    fn locate(&self, position: u64) -> Option<(usize, u64)> {
        let mut at = position;
        for (index, link) in self.links.iter().enumerate() {
            if at < link.bytes_len() {
                return Some((index, at));
            }
            at -= link.bytes_len();
        }
        None
    }
}

/// `len` bytes of a link from `at`, which are there.
fn bytes_of(link: &Filter, at: u64, len: u64) -> Vec<u8> {
    let (first, end) = (at / WORD_BYTES, (at + len).div_ceil(WORD_BYTES));
    let words = &link.words()[first as usize..end as usize];
    let mut bytes = Vec::with_capacity(words.len() * WORD_BYTES as usize);
    put_words(&mut bytes, words);
    let cut = (at % WORD_BYTES) as usize;
    bytes.truncate(cut + len as usize);
    bytes.drain(..cut);
    bytes
}

/// Appends words as bytes.
pub(super) fn put_words(out: &mut Vec<u8>, words: &[u64]) {
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

/// Sets bits of a link, and tells the new ones, one word upon another.
fn set_bytes(link: &mut Filter, at: u64, bytes: &[u8]) -> u64 {
    let words = link.words_mut();
    let cut = (at % WORD_BYTES) as usize;
    let (head, rest) = bytes.split_at(bytes.len().min((8 - cut) % 8));
    let head = (!head.is_empty()).then(|| word_of(head) << (8 * cut));
    let bits = head.into_iter().chain(rest.chunks(8).map(word_of));
    let mut new = 0;
    for (word, bits) in words[(at / WORD_BYTES) as usize..].iter_mut().zip(bits) {
        new |= bits & !*word;
        *word |= bits;
    }
    new
}

/// The word of up to eight bytes, the first of them lowest.
pub(super) fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::super::event::{Event, Settings};
    use super::super::hash::ItemHash;
    use super::super::params::ErrorRate;
    use super::*;

    /// A chain of four links with items in each.
    fn bloom() -> Bloom {
        let settings = Settings {
            error_rate: ErrorRate::new(0.01).expect("a rate"),
            expansion: 2,
        };
        let mut bloom = Bloom::new(settings, Bloom::plan_first(settings, 50).expect("a shape"));
        for item in 0..600_u32 {
            if let (_, Some(added)) = bloom.plan_add(&[ItemHash::of(&item.to_le_bytes())]) {
                bloom.apply(&Event::Added(added));
            }
        }
        assert_eq!(bloom.links.len(), 4);
        bloom
    }

    /// Bytes of all links.
    fn total_of(bloom: &Bloom) -> i64 {
        let bytes: u64 = bloom.links.iter().map(Filter::bytes_len).sum();
        bytes as i64
    }

    fn load(bloom: &mut Bloom, iterator: i64, piece: &[u8]) -> Result<bool, FillError> {
        let place = bloom.plan_fill(iterator, piece)?;
        Ok(bloom.fill(place, piece))
    }

    #[test]
    fn pieces_make_the_same_filter_also_in_any_order_and_twice() {
        let bloom = bloom();
        let (mut iterator, header) = bloom.dump(0);
        assert_eq!(iterator, 1);
        let mut pieces = Vec::new();
        loop {
            let (next, piece) = bloom.dump(iterator);
            if next == 0 {
                assert!(piece.is_empty());
                break;
            }
            pieces.push((next, piece));
            iterator = next;
        }
        // A link each: they are small.
        assert_eq!(pieces.len(), 4);
        let mut copy = Bloom::from_dumped_header(&header).expect("a header");
        assert_eq!(copy.items(), bloom.items());
        for (next, piece) in pieces.iter().rev() {
            assert_eq!(load(&mut copy, *next, piece), Ok(true));
            assert_eq!(load(&mut copy, *next, piece), Ok(false));
        }
        assert!(copy == bloom);
    }

    #[test]
    fn pieces_may_begin_and_end_at_any_byte() {
        let bloom = bloom();
        let (_, header) = bloom.dump(0);
        let mut copy = Bloom::from_dumped_header(&header).expect("a header");
        let total = total_of(&bloom);
        for position in 0..total {
            let (next, piece) = bloom.dump(position + 1);
            assert_eq!(next, position + 1 + piece.len() as i64);
            let cut = piece.len().min(1 + position as usize % 21);
            let at = position + 1 + cut as i64;
            load(&mut copy, at, &piece[..cut]).expect("it fits");
        }
        assert!(copy == bloom);
        for iterator in [total + 1, total + 2, i64::MAX, -1, i64::MIN] {
            assert_eq!(bloom.dump(iterator), (0, Vec::new()), "{iterator}");
        }
    }

    #[test]
    fn what_was_added_after_the_header_was_told_makes_a_filter_that_is_not_clear() {
        let settings = bloom().settings();
        let first = Bloom::plan_first(settings, 50).expect("a shape");
        let mut bloom = Bloom::new(settings, first);
        let (_, header) = bloom.dump(0);
        let item = ItemHash::of(b"late");
        if let (_, Some(added)) = bloom.plan_add(&[item]) {
            bloom.apply(&Event::Added(added));
        }
        let mut copy = Bloom::from_dumped_header(&header).expect("a header");
        let (next, piece) = bloom.dump(1);
        assert!(copy.is_clear());
        assert_eq!(load(&mut copy, next, &vec![0; piece.len()]), Ok(false));
        assert!(copy.is_clear());
        assert_eq!(load(&mut copy, next, &piece), Ok(true));
        assert!(copy.contains(item) && !copy.is_clear());
        assert_eq!(copy.items(), 1);
        copy.apply(&Event::Cleared);
        assert!(!copy.contains(item));
    }

    #[test]
    fn pieces_that_do_not_fit_are_refused() {
        let mut bloom = bloom();
        let total = total_of(&bloom);
        let first = bloom.links[0].bytes_len() as i64;
        for (iterator, len, error) in [
            (0, 8, FillError::BadData),
            (-5, 8, FillError::BadData),
            (i64::MIN, 8, FillError::BadData),
            (8, 8, FillError::BadData),
            (1, 0, FillError::BadData),
            (9, 0, FillError::BadData),
            (total + 9, 8, FillError::NoLink),
            (i64::MAX, 8, FillError::NoLink),
            (total + 2, 8, FillError::TooLarge),
            (first + 5, 8, FillError::TooLarge),
        ] {
            let piece = vec![0xff; len];
            assert_eq!(load(&mut bloom, iterator, &piece), Err(error), "{iterator}");
        }
        for header in [&b""[..], b"flsb", &bloom.dump(0).1[1..], &bloom.dump(1).1] {
            let loaded = Bloom::from_dumped_header(header);
            assert_eq!(loaded.err(), Some(FillError::BadData));
        }
    }
}
