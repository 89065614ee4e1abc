//! The buffer in which events are encoded, one after the other.
//!
//! Edge: one a thread, and only one thread runs commands. A lock would cost more than
//! the encoding: it waits until every write before it has reached the cache.

use std::cell::RefCell;

/// A buffer that grew beyond this is given back, in bytes.
const BYTES_MAX: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the buffer, empty. Not to be called from within.
pub fn with(act: impl FnOnce(&mut Vec<u8>)) {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        act(scratch);
        if scratch.capacity() > BYTES_MAX {
            *scratch = Vec::new();
        }
    });
}
