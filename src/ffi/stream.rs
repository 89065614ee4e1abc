//! Reading a stream, entry by entry.
//!
//! Edge: reads only, from the first entry to the last; what the fields mean is
//! `orders.rs`'s business.

use std::ffi::{c_int, c_long};
use std::ptr;

use redis_module::raw::{self, RedisModuleStreamID};

use super::key::Key;
use super::text::TextBuf;

/// A field of an entry, and its value.
pub type Field = (TextBuf, TextBuf);

const OK: c_int = raw::REDISMODULE_OK as c_int;

impl Key<'_> {
    /// Shows every entry of the stream in its order, its ID first; nothing where there is no
    /// stream. O(entries).
    pub fn each_entry(&self, mut visit: impl FnMut((u64, u64), &[Field])) {
        if self.raw().is_null() {
            return;
        }
        // SAFETY: the key is open for reading; null stands for the ends of the stream.
        // Another type than a stream is refused.
        let started = unsafe {
            api!(RedisModule_StreamIteratorStart(
                self.raw(),
                0,
                ptr::null_mut(),
                ptr::null_mut()
            ))
        };
        if started != OK {
            return;
        }
        let mut fields = Vec::new();
        while let Some((id, count)) = self.next_entry() {
            fields.clear();
            // All of them: the server finds the next entry behind the last field.
            fields.extend((0..count).map_while(|_| self.next_field()));
            visit(id, &fields);
        }
        // SAFETY: an iterator was started.
        unsafe {
            api!(RedisModule_StreamIteratorStop(self.raw()));
        }
    }

    /// The ID of the next entry, and how many fields it has.
    fn next_entry(&self) -> Option<((u64, u64), c_long)> {
        let mut id = RedisModuleStreamID { ms: 0, seq: 0 };
        let mut count = 0;
        // SAFETY: an iterator was started; the server writes to both.
        let status = unsafe {
            api!(RedisModule_StreamIteratorNextID(
                self.raw(),
                &mut id,
                &mut count
            ))
        };
        (status == OK).then_some(((id.ms, id.seq), count))
    }

    fn next_field(&self) -> Option<Field> {
        let (mut name, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: an iterator was started; the server writes two strings, which are ours
        // to free.
        unsafe {
            let status = api!(RedisModule_StreamIteratorNextField(
                self.raw(),
                &mut name,
                &mut value
            ));
            (status == OK).then(|| (TextBuf::own(name), TextBuf::own(value)))
        }
    }
}
