//! The buffers in which events are encoded: one for events by themselves, one for those of
//! a batch.
//!
//! Edge: one a thread, and only one thread runs commands. A lock would cost more than
//! the encoding: it waits until every write before it has reached the cache.

use std::cell::RefCell;

/// A buffer that grew beyond this is given back, in bytes.
const BYTES_MAX: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OF_BATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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

/// Takes the buffer of a batch, with whatever is in it. A second one, taken before the first
/// is given back, is new.
pub fn take_of_batch() -> Vec<u8> {
    OF_BATCH.with_borrow_mut(std::mem::take)
}

/// Gives the buffer of a batch back.
pub fn give_back_of_batch(buffer: Vec<u8>) {
    if buffer.capacity() <= BYTES_MAX {
        OF_BATCH.with_borrow_mut(|kept| *kept = buffer);
    }
}
