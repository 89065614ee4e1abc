//! A whole filter as bytes: for RDB, DUMP and the AOF rewrite.
//!
//! The header is one chunk; then the bits of each link are cut into chunks of 64 KiB, of
//! which the last of a link may be shorter. Saving only reads; it runs in a forked
//! child.
//!
//! What is loaded is not trusted: a link is allocated as its chunks arrive, at most twice
//! as much as has come, and never more than its header promises.

use super::chain::Bloom;
use super::codec::{CodecError, Header, decode_header, encode_header};
use super::dump::{put_words, word_of};
use super::event::Settings;
use super::filter::{Filter, SPARE_WORDS, allocated_words, used_words};
use super::params::Shape;

/// Words of a chunk: 64 KiB.
const CHUNK_WORDS: usize = 8 * 1024;

impl Bloom {
    /// Writes the filter, a chunk a call.
    pub fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&encode_header(self));
        let mut bytes = Vec::with_capacity(CHUNK_WORDS * 8);
        for chunk in self
            .links()
            .iter()
            .flat_map(|link| link.words().chunks(CHUNK_WORDS))
        {
            bytes.clear();
            put_words(&mut bytes, chunk);
            sink(&bytes);
        }
    }

    /// Feeds what makes two copies of a filter equal, one unordered element a call: the
    /// chunks of [`Bloom::save`], each with its number.
    pub fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        let mut number = 0_u64;
        let mut bytes = Vec::new();
        self.save(&mut |chunk| {
            bytes.clear();
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(chunk);
            element(&bytes);
            number += 1;
        });
    }
}

/// A filter of which some chunks have come.
#[derive(Default)]
pub struct Loader {
    settings: Option<Settings>,
    /// The links to come, the next one last.
    left: Vec<(Shape, u64)>,
    /// The words of the next link so far.
    words: Vec<u64>,
    links: Vec<Filter>,
}

impl Loader {
    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, of another size than it must be, or one too many. The loader
    /// is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, CodecError> {
        if self.settings.is_none() {
            let Header { settings, links } = decode_header(chunk)?;
            self.settings = Some(settings);
            self.links.reserve_exact(links.len());
            self.left = links;
            self.left.reverse();
            return Ok(false);
        }
        let Some(&(shape, items)) = self.left.last() else {
            return Err(CodecError::Invalid("more chunks than the filter has"));
        };
        let used = used_words(shape);
        let wanted = (used - self.words.len()).min(CHUNK_WORDS);
        if chunk.len() != wanted * 8 {
            return Err(CodecError::Invalid("the length of a chunk"));
        }
        self.reserve(wanted + SPARE_WORDS, allocated_words(shape))?;
        self.words.extend(chunk.chunks_exact(8).map(word_of));
        if self.words.len() == used {
            let words = std::mem::take(&mut self.words);
            let link = Filter::from_words(shape, items, words);
            self.links.push(link.ok_or(CodecError::Truncated)?);
            self.left.pop();
        }
        Ok(self.left.is_empty())
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

    /// The filter of all the chunks.
    ///
    /// # Errors
    ///
    /// Some are missing.
    pub fn finish(self) -> Result<Bloom, CodecError> {
        match self.settings {
            Some(settings) if self.left.is_empty() => Ok(Bloom {
                settings,
                links: self.links,
            }),
            _ => Err(CodecError::Truncated),
        }
    }
}
