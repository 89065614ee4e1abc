//! Strings of the server, borrowed and owned.
//!
//! Edge: bytes; the server promises no encoding.

use std::marker::PhantomData;
use std::ptr;

use redis_module::raw::RedisModuleString;

/// A string the server lends for the length of a callback: an argument, a key name.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Text<'s> {
    raw: *mut RedisModuleString,
    scope: PhantomData<&'s ()>,
}

impl<'s> Text<'s> {
    /// # Safety
    ///
    /// `raw` is a string of the server that lives as long as `'s`.
    pub(super) unsafe fn new(raw: *mut RedisModuleString) -> Text<'s> {
        Text {
            raw,
            scope: PhantomData,
        }
    }

    pub(super) fn raw(self) -> *mut RedisModuleString {
        self.raw
    }

    /// The bytes, in place.
    pub fn bytes(self) -> &'s [u8] {
        let mut len = 0;
        // SAFETY: the string lives as long as 's, and the server never changes a
        // string that is an argument or a key name.
        unsafe {
            let start = api!(RedisModule_StringPtrLen(self.raw, &mut len));
            if start.is_null() {
                return &[];
            }
            std::slice::from_raw_parts(start.cast(), len)
        }
    }
}

/// A string made here, freed when dropped.
pub struct TextBuf(*mut RedisModuleString);

// SAFETY: the string has one owner, nothing else holds a reference to it, and the
// server's reference counts of strings it did not hand out are touched by that owner
// alone.
unsafe impl Send for TextBuf {}
// SAFETY: a shared `TextBuf` is only read.
unsafe impl Sync for TextBuf {}

impl TextBuf {
    pub fn new(bytes: &[u8]) -> TextBuf {
        // SAFETY: the server copies `bytes`; without a context the string is ours to
        // free.
        TextBuf(unsafe {
            api!(RedisModule_CreateString(
                ptr::null_mut(),
                bytes.as_ptr().cast(),
                bytes.len()
            ))
        })
    }

    /// Takes over a string the server made for us.
    ///
    /// # Safety
    ///
    /// Nobody else frees `raw`.
    pub(super) unsafe fn own(raw: *mut RedisModuleString) -> TextBuf {
        TextBuf(raw)
    }

    pub fn as_text(&self) -> Text<'_> {
        // SAFETY: the string lives as long as `self`.
        unsafe { Text::new(self.0) }
    }
}

impl Drop for TextBuf {
    fn drop(&mut self) {
        // SAFETY: ours, in the list of no context, and not freed before.
        unsafe { api!(RedisModule_FreeString(ptr::null_mut(), self.0)) }
    }
}
