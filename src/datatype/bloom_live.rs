//! A filter in its key, with its shares of the gauges of INFO.

use crate::bloom::{Bloom, Event};
use crate::info::{BLOOM_BYTES, BLOOMS};

/// A filter that takes commands.
pub struct LiveBloom {
    bloom: Bloom,
    memory_bytes: u64,
}

impl LiveBloom {
    pub(super) fn new(bloom: Bloom) -> LiveBloom {
        BLOOMS.shift(0, 1);
        let mut live = LiveBloom {
            bloom,
            memory_bytes: 0,
        };
        live.measure();
        live
    }

    pub fn bloom(&self) -> &Bloom {
        &self.bloom
    }

    /// Carries an event out. For `bloom_replication` alone, like the changes below: one
    /// that is not replicated must not be possible to write down.
    pub fn apply(&mut self, event: &Event) {
        let links = self.bloom.links().len();
        self.bloom.apply(event);
        // Adding to a link takes no memory.
        if links != self.bloom.links().len() {
            self.measure();
        }
    }

    /// Adds what another filter contains.
    pub fn merge(&mut self, source: &Bloom) {
        self.bloom.merge(source);
        self.measure();
    }

    /// Sets the bits of a piece of a dump; true if one of them is new.
    pub fn fill(&mut self, place: (usize, u64), piece: &[u8]) -> bool {
        self.bloom.fill(place, piece)
    }

    fn measure(&mut self) {
        let bytes = self.bloom.memory_bytes() as u64;
        BLOOM_BYTES.shift(self.memory_bytes, bytes);
        self.memory_bytes = bytes;
    }
}

impl Drop for LiveBloom {
    /// May run on another thread, like the rest of the value's `drop`.
    fn drop(&mut self) {
        BLOOMS.leave(1);
        BLOOM_BYTES.leave(self.memory_bytes);
    }
}
