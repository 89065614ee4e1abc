//! A filter as bytes: for RDB, DUMP and the AOF rewrite.
//!
//! The header is one chunk; then the bits of each link are cut into chunks of 64 KiB, of
//! which the last of a link may be shorter. Of a filter that is being loaded the bits end
//! where its header says. Saving only reads; it runs in a forked child.
//!
//! What is loaded is not trusted: a link is allocated as its chunks arrive, at most twice
//! as much as has come, and never more than its header promises.

use super::chain::Bloom;
use super::filter::Filter;
use super::header::{decode_header, encode_header};
use super::import::Import;
use super::words::put_words;
use crate::wire::CodecError;

/// Words of a chunk: 64 KiB.
const CHUNK_WORDS: usize = 8 * 1024;
/// Bytes of a chunk.
const CHUNK_BYTES: u64 = CHUNK_WORDS as u64 * 8;

impl Bloom {
    /// Writes the filter, a chunk a call.
    pub fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&encode_header(&self.header()));
        save_words(self.links().iter().map(Filter::words), sink);
    }

    /// Feeds what makes two copies of a filter equal, one unordered element a call: the
    /// chunks of [`Bloom::save`], each with its number.
    pub fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        number_each(element, |sink| self.save(sink));
    }
}

impl Import {
    /// Writes what has come, a chunk a call.
    pub fn save(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&encode_header(&self.header()));
        save_words(self.words(), sink);
    }

    /// As [`Bloom::digest`].
    pub fn digest(&self, element: &mut dyn FnMut(&[u8])) {
        number_each(element, |sink| self.save(sink));
    }
}

/// Hands on the words of links in chunks.
fn save_words<'w>(links: impl Iterator<Item = &'w [u64]>, sink: &mut dyn FnMut(&[u8])) {
    let mut bytes = Vec::with_capacity(CHUNK_WORDS * 8);
    for chunk in links.flat_map(|words| words.chunks(CHUNK_WORDS)) {
        bytes.clear();
        put_words(&mut bytes, chunk);
        sink(&bytes);
    }
}

/// Hands on the chunks that `save` writes, each behind its number.
fn number_each(element: &mut dyn FnMut(&[u8]), save: impl FnOnce(&mut dyn FnMut(&[u8]))) {
    let mut number = 0_u64;
    let mut bytes = Vec::new();
    save(&mut |chunk| {
        bytes.clear();
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(chunk);
        element(&bytes);
        number += 1;
    });
}

/// A filter of which some chunks have come.
#[derive(Default)]
pub struct Loader {
    /// What has come, once the header has.
    import: Option<Import>,
    /// Bytes of bits there are to come in all.
    bits_len: u64,
}

/// What was loaded.
pub enum Loaded {
    Whole(Bloom),
    /// A filter that was being loaded when it was saved.
    Part(Import),
}

impl Loader {
    /// Bytes of memory of what has come.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Loader>() + self.import.as_ref().map_or(0, Import::memory_bytes)
    }

    /// Takes the next chunk; true when it was the last one.
    ///
    /// # Errors
    ///
    /// The chunk is damaged, of another size than it must be, or one too many. The loader
    /// is then of no use.
    pub fn push(&mut self, chunk: &[u8]) -> Result<bool, CodecError> {
        let Some(import) = &mut self.import else {
            let header = decode_header(chunk)?;
            self.bits_len = header.received.unwrap_or(header.bits_len());
            self.import = Some(Import::begin(&header));
            return Ok(self.bits_len == 0);
        };
        let missing = self.bits_len - import.received();
        if missing == 0 {
            return Err(CodecError::Invalid("more chunks than the filter has"));
        }
        if chunk.len() as u64 != missing.min(import.lacks()).min(CHUNK_BYTES) {
            return Err(CodecError::Invalid("the length of a chunk"));
        }
        import.append(chunk)?;
        Ok(import.received() == self.bits_len)
    }

    /// The filter of all the chunks.
    ///
    /// # Errors
    ///
    /// Some are missing.
    pub fn finish(self) -> Result<Loaded, CodecError> {
        let import = self.import.ok_or(CodecError::Truncated)?;
        if import.received() != self.bits_len {
            return Err(CodecError::Truncated);
        }
        if !import.is_whole() {
            return Ok(Loaded::Part(import));
        }
        let bloom = import.into_bloom().ok_or(CodecError::Truncated)?;
        Ok(Loaded::Whole(bloom))
    }
}
