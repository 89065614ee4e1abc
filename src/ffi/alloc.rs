//! Memory of the server, as this module's allocator.
//!
//! Zeroed memory comes from the server's `calloc`, which gets large pieces from the
//! system as they are: an empty filter of a gigabyte is made without writing one. What
//! cannot be had comes back as null, so that safe code can ask first
//! (`Vec::try_reserve_exact`); elsewhere it ends the server, as it does in the server
//! itself.

use std::alloc::{GlobalAlloc, Layout};

/// The server's allocator. The server aligns to 16 bytes; where more is asked for, a
/// size that is a multiple of it has the alignment under jemalloc, and nothing in this
/// module asks for more.
pub struct ServerAlloc;

/// A size that is a multiple of the alignment.
fn padded(layout: Layout) -> usize {
    layout.pad_to_align().size()
}

// SAFETY: the server's functions are those of C, and thread-safe.
unsafe impl GlobalAlloc for ServerAlloc {
    /// # Safety
    ///
    /// That of `GlobalAlloc`, here and below.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size may be asked for. A server before 7.0 has no such function: it
        // is told so at the load, and until then there has to be memory to say it with.
        unsafe {
            match redis_module::raw::RedisModule_TryAlloc {
                Some(try_alloc) => try_alloc(padded(layout)).cast(),
                None => api!(RedisModule_Alloc(padded(layout))).cast(),
            }
        }
    }

    /// # Safety
    ///
    /// See `alloc`.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size may be asked for. That of the server may end it where there is
        // none; its gentler sister is missing before Redis 7.4.
        unsafe { api!(RedisModule_Calloc(1, padded(layout))).cast() }
    }

    /// # Safety
    ///
    /// See `alloc`.
    unsafe fn dealloc(&self, start: *mut u8, _layout: Layout) {
        // SAFETY: `start` came from one of these functions.
        unsafe { api!(RedisModule_Free(start.cast())) }
    }

    /// # Safety
    ///
    /// See `alloc`.
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is one of a layout, and `start`
        // came from one of these functions. A piece that grows in place is not copied.
        unsafe {
            let new = Layout::from_size_align_unchecked(new_size, layout.align());
            api!(RedisModule_Realloc(start.cast(), padded(new))).cast()
        }
    }
}

/// The system's allocator, for unit tests, which count what this thread asks of it.
#[cfg(test)]
pub struct Counting;

#[cfg(test)]
thread_local! {
    static ALLOCATIONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How often this thread has allocated.
#[cfg(test)]
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

#[cfg(test)]
// SAFETY: the system's allocator does the work; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    /// # Safety
    ///
    /// That of `GlobalAlloc`, here and below.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { std::alloc::System.alloc(layout) }
    }

    /// # Safety
    ///
    /// See `alloc`.
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { std::alloc::System.dealloc(start, layout) }
    }
}
