//! Replies, written straight to the client's buffer.

use std::ffi::{CStr, c_int, c_long};
use std::sync::atomic::{AtomicBool, Ordering};

use redis_module::raw::RedisModuleCtx;

use super::context::{Ctx, c_string};

/// The call in progress has begun its reply. Commands run one at a time.
static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// Notes that a call begins, which has not replied yet.
pub(super) fn note_call() {
    HAS_BEGUN.store(false, Ordering::Relaxed);
}

/// Reports whether the call in progress may have written a part of its reply.
pub(super) fn has_begun() -> bool {
    HAS_BEGUN.load(Ordering::Relaxed)
}

/// Writes one reply. Maps are flat arrays in RESP2; the server sees to that.
#[derive(Clone, Copy)]
pub struct Reply<'c>(Ctx<'c>);

impl<'c> Reply<'c> {
    pub fn new(ctx: Ctx<'c>) -> Reply<'c> {
        Reply(ctx)
    }

    /// Notes that something is written now, and returns where.
    #[inline]
    fn begin(self) -> *mut RedisModuleCtx {
        HAS_BEGUN.store(true, Ordering::Relaxed);
        self.0.raw()
    }

    pub fn ok(self) {
        // SAFETY: here and below: the context is that of a command, and the server
        // copies what it is given.
        unsafe {
            api!(RedisModule_ReplyWithSimpleString(
                self.begin(),
                c"OK".as_ptr()
            ));
        }
    }

    /// A string of the server's simple kind, which has no line break.
    pub fn simple(self, text: &CStr) {
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithSimpleString(
                self.begin(),
                text.as_ptr()
            ));
        }
    }

    /// A boolean; 1 or 0 in RESP2, the server sees to that.
    pub fn boolean(self, value: bool) {
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithBool(self.begin(), c_int::from(value)));
        }
    }

    /// An error; `line` starts with its code.
    pub fn error(self, line: &str) {
        let line = c_string(line);
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithError(self.begin(), line.as_ptr()));
        }
    }

    /// Announces `len` elements.
    pub fn array(self, len: usize) {
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithArray(self.begin(), len as c_long));
        }
    }

    /// Announces `len` pairs.
    pub fn map(self, len: usize) {
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithMap(self.begin(), len as c_long));
        }
    }

    pub fn bytes(self, bytes: &[u8]) {
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithStringBuffer(
                self.begin(),
                bytes.as_ptr().cast(),
                bytes.len()
            ));
        }
    }

    /// A number of the contract, at most 2^53 - 1.
    pub fn integer(self, value: u64) {
        self.signed(i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub fn signed(self, value: i64) {
        // SAFETY: see `ok`.
        let _: c_int = unsafe { api!(RedisModule_ReplyWithLongLong(self.begin(), value)) };
    }

    pub fn null(self) {
        // SAFETY: see `ok`.
        unsafe {
            api!(RedisModule_ReplyWithNull(self.begin()));
        }
    }
}
