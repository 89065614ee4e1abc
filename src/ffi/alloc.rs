//! Memory of the server, as this module's allocator.
//!
//! Zeroed memory comes from the server's `calloc`, which gets large pieces from the
//! system as they are: an empty filter of a gigabyte is made without writing one. What
//! cannot be had comes back as null, so that safe code can ask first
//! (`Vec::try_reserve_exact`, [`has_system_memory`]); elsewhere it ends the server, as it
//! does in the server itself.

use std::alloc::{GlobalAlloc, Layout};

use redis_module::raw;

/// From so many bytes on, memory is asked for before it is taken where the server has
/// only a function that ends it when there is none: a smaller piece is not worth it.
const ASK_FROM_BYTES: usize = 1 << 20;

/// Has the system so much memory, at this moment? By a trial, since its limits are told
/// by nobody.
///
/// What is left in the server's allocator does not count: it does not break a large piece
/// that was given back up for much smaller ones at will.
#[cfg_attr(test, allow(dead_code))]
pub fn has_system_memory(bytes: usize) -> bool {
    // SAFETY: a mapping of its own, at an address the system chooses, which nobody uses
    // and which is undone at once.
    unsafe {
        let start = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        start != libc::MAP_FAILED && libc::munmap(start, bytes) == 0
    }
}

/// Has the server's allocator so much memory in one piece, at this moment? By a trial.
fn can_allocate(bytes: usize) -> bool {
    // SAFETY: any size may be asked for, and what is given is given back. Without the
    // function the server is too old, and ends the load over it.
    unsafe {
        let Some(try_alloc) = raw::RedisModule_TryAlloc else {
            return true;
        };
        let start = try_alloc(bytes);
        if !start.is_null() {
            api!(RedisModule_Free(start));
        }
        !start.is_null()
    }
}

/// Would the server end itself over this size?
fn is_too_much(bytes: usize) -> bool {
    bytes >= ASK_FROM_BYTES && !can_allocate(bytes)
}

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
            match raw::RedisModule_TryAlloc {
                Some(try_alloc) => try_alloc(padded(layout)).cast(),
                None => api!(RedisModule_Alloc(padded(layout))).cast(),
            }
        }
    }

    /// # Safety
    ///
    /// See `alloc`.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_too_much(padded(layout)) {
            return std::ptr::null_mut();
        }
        // SAFETY: any size may be asked for. The server ends itself where there is none,
        // and has a gentler function only since Redis 7.4.
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
            if new_size > layout.size() && is_too_much(padded(new)) {
                return std::ptr::null_mut();
            }
            api!(RedisModule_Realloc(start.cast(), padded(new))).cast()
        }
    }
}
