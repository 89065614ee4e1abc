//! A filter that is not whole yet: its header has come, and its bits come in order.
//!
//! What is allocated follows what has come, at most twice as much, whatever the header
//! promises; so a forged one costs nothing, and a save in between writes what has come.
//! It answers no question: half a filter would deny what it contains.
//!
//! Edge: bits in order. In which pieces they come, `dump.rs` and `snapshot.rs` know.

use super::chain::Bloom;
use super::filter::{Filter, SPARE_WORDS, allocated_words, used_words};
use super::header::Header;
use super::params::{Settings, Shape};
use super::words::{WORD_BYTES, word_of};
use crate::wire::CodecError;

/// A filter of which some bits have come.
pub struct Import {
    settings: Settings,
    /// The links to come, the next one last.
    left: Vec<(Shape, u64)>,
    /// The links that are whole.
    links: Vec<Filter>,
    /// The words of the next link so far.
    words: Vec<u64>,
}

impl Import {
    /// A filter of which no bits have come.
    pub fn begin(header: &Header) -> Import {
        let mut left = header.links.clone();
        left.reverse();
        Import {
            settings: header.settings,
            links: Vec::with_capacity(left.len()),
            left,
            words: Vec::new(),
        }
    }

    /// The header that says how much has come.
    pub fn header(&self) -> Header {
        let whole = self.links.iter().map(|link| (link.shape(), link.items()));
        Header {
            settings: self.settings,
            links: whole.chain(self.left.iter().rev().copied()).collect(),
            received: Some(self.received()),
        }
    }

    /// Bytes of bits that have come.
    pub fn received(&self) -> u64 {
        let whole: u64 = self.links.iter().map(Filter::bytes_len).sum();
        whole + self.words.len() as u64 * WORD_BYTES
    }

    /// Have all bits come?
    pub fn is_whole(&self) -> bool {
        self.left.is_empty()
    }

    /// Bytes of bits that the next link lacks; 0 when none is left.
    pub fn lacks(&self) -> u64 {
        let next = self.left.last();
        next.map_or(0, |&(shape, _)| Filter::bytes_of(shape)) - self.words.len() as u64 * WORD_BYTES
    }

    /// Takes the next bits, whole words that do not cross the end of a link.
    ///
    /// # Errors
    ///
    /// They do, or there is no memory for them. Nothing has changed then.
    pub fn append(&mut self, bits: &[u8]) -> Result<(), CodecError> {
        let len = bits.len() as u64;
        let is_next = len > 0 && len <= self.lacks() && len.is_multiple_of(WORD_BYTES);
        let Some(&(shape, items)) = self.left.last().filter(|_| is_next) else {
            return Err(CodecError::Invalid("the length of a chunk"));
        };
        self.reserve(bits.len() / 8 + SPARE_WORDS, allocated_words(shape))?;
        self.words.extend(bits.chunks_exact(8).map(word_of));
        if self.words.len() == used_words(shape) {
            let words = std::mem::take(&mut self.words);
            let link = Filter::from_words(shape, items, words);
            self.links.push(link.ok_or(CodecError::Truncated)?);
            self.left.pop();
        }
        Ok(())
    }

    /// Makes room for more words and those that will align them, twice as much as there
    /// is if need be, at most `most`.
    fn reserve(&mut self, more: usize, most: usize) -> Result<(), CodecError> {
        let len = self.words.len();
        if self.words.capacity() - len >= more {
            return Ok(());
        }
        let aim = (len + more).max(2 * len).min(most);
        self.words
            .try_reserve_exact(aim - len)
            .map_err(|_| CodecError::Invalid("larger than the memory there is"))
    }

    /// The words that have come, link by link.
    pub(super) fn words(&self) -> impl Iterator<Item = &[u64]> {
        let whole = self.links.iter().map(Filter::words);
        whole.chain([&self.words[..]])
    }

    /// The filter; `None` while bits are missing.
    pub fn into_bloom(self) -> Option<Bloom> {
        self.left.is_empty().then_some(Bloom {
            settings: self.settings,
            links: self.links,
        })
    }

    /// Takes all of it; what is left has no link and takes no bits.
    pub fn take(&mut self) -> Import {
        Import {
            settings: self.settings,
            left: std::mem::take(&mut self.left),
            links: std::mem::take(&mut self.links),
            words: std::mem::take(&mut self.words),
        }
    }

    /// Bytes of memory, from the sizes of all allocations. O(links).
    pub fn memory_bytes(&self) -> usize {
        let links: usize = self.links.iter().map(Filter::heap_bytes).sum();
        size_of::<Import>()
            + self.left.capacity() * size_of::<(Shape, u64)>()
            + self.links.capacity() * size_of::<Filter>()
            + self.words.capacity() * size_of::<u64>()
            + links
    }
}
