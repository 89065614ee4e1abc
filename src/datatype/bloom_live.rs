//! A filter in its key, whole or being loaded, with its shares of the gauges of INFO.

use crate::info::{BLOOM_BYTES, BLOOMS};
use crate::reclaim;
use flashsale_engine::bloom::{Bloom, Event, Filter, Import};

/// One filter's shares of the gauges.
struct Share {
    bytes: u64,
}

impl Share {
    fn new(bytes: usize) -> Share {
        BLOOMS.shift(0, 1);
        let mut share = Share { bytes: 0 };
        share.set(bytes);
        share
    }

    fn set(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        BLOOM_BYTES.shift(self.bytes, bytes);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    /// May run on another thread, like the rest of a value's `drop`.
    fn drop(&mut self) {
        BLOOMS.leave(1);
        BLOOM_BYTES.leave(self.bytes);
    }
}

/// A filter that takes commands.
pub struct LiveBloom {
    bloom: Bloom,
    share: Share,
}

impl LiveBloom {
    pub(super) fn new(bloom: Bloom) -> LiveBloom {
        let share = Share::new(bloom.memory_bytes());
        LiveBloom { bloom, share }
    }

    pub fn bloom(&self) -> &Bloom {
        &self.bloom
    }

    /// Carries an event out. For `change/bloom.rs` alone, like `merge` and `take_bits`: no
    /// code must be able to make a change that is not replicated.
    pub fn apply(&mut self, event: &Event<'_>) {
        let links = self.bloom.links().len();
        let replaced = self.bloom.apply(event);
        // Adding to a link takes no memory.
        if links != self.bloom.links().len() {
            self.measure();
        }
        if !replaced.is_empty() {
            discard_links(replaced);
        }
    }

    /// Adds what another filter contains.
    pub fn merge(&mut self, source: &Bloom) {
        self.bloom.merge(source);
        self.measure();
    }

    /// Hands over what takes memory to be freed; the filter is about to be replaced.
    pub(super) fn discard(&mut self) {
        discard_links(self.bloom.take_links());
    }

    fn measure(&mut self) {
        self.share.set(self.bloom.memory_bytes());
    }
}

fn discard_links(links: Vec<Filter>) {
    let bytes = links.iter().map(Filter::heap_bytes).sum();
    reclaim::discard(links, bytes);
}

/// A filter that takes the pieces of a dump, and no other command.
pub struct LiveImport {
    import: Import,
    share: Share,
}

impl LiveImport {
    pub(super) fn new(import: Import) -> LiveImport {
        let share = Share::new(import.memory_bytes());
        LiveImport { import, share }
    }

    pub fn import(&self) -> &Import {
        &self.import
    }

    /// Takes the next bits, and returns the filter once it is whole. For
    /// `change/bloom.rs` alone.
    ///
    /// # Errors
    ///
    /// The bits are not the next ones, or there is no memory for them.
    pub(super) fn take_bits(&mut self, bits: &[u8]) -> Result<Option<Bloom>, String> {
        let appended = self.import.append(bits);
        appended.map_err(|error| error.to_string())?;
        self.share.set(self.import.memory_bytes());
        if !self.import.is_whole() {
            return Ok(None);
        }
        let mut bloom = self.import.take().into_bloom();
        if let Some(bloom) = &mut bloom {
            bloom.count_late_items();
        }
        Ok(bloom)
    }

    /// Hands over what takes memory to be freed; the filter is about to be replaced.
    pub(super) fn discard(&mut self) {
        let bytes = self.import.memory_bytes();
        reclaim::discard(self.import.take(), bytes);
    }
}
