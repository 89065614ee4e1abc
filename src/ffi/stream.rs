//! Reading a stream, entry by entry, and what the server knows of it as a whole.
//!
//! Edge: reads only, from the first entry to the last; what the fields mean is
//! `orders.rs`'s business.

use std::ffi::{c_int, c_long};
use std::ptr;

use redis_module::raw::{self, RedisModuleCallReply, RedisModuleStreamID};

use super::context::Ctx;
use super::key::Key;
use super::server::text_of;
use super::text::{Text, TextBuf};

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

impl Ctx<'_> {
    /// Reads how many entries were ever added to a stream; `None` where there is none, or
    /// where XINFO was renamed: the server tells it by that command alone.
    pub fn entries_added(self, stream: Text<'_>) -> Option<u64> {
        // SAFETY: the format names a C string and a string of the server. The reply is
        // freed, and no part of it is used after that.
        unsafe {
            let reply = api!(RedisModule_Call(
                self.raw(),
                c"XINFO".as_ptr(),
                c"cs".as_ptr(),
                c"STREAM".as_ptr(),
                stream.raw(),
            ));
            if reply.is_null() {
                return None;
            }
            let added = number_of(reply, "entries-added");
            api!(RedisModule_FreeCallReply(reply));
            added
        }
    }
}

/// Reads a number by its name from a flat array of names and values.
///
/// # Safety
///
/// `reply` is a reply that has not been freed.
unsafe fn number_of(reply: *mut RedisModuleCallReply, name: &str) -> Option<u64> {
    // SAFETY: as above; an element beyond the end is null, and what is no array has none.
    unsafe {
        if api!(RedisModule_CallReplyType(reply)) != raw::REDISMODULE_REPLY_ARRAY as c_int {
            return None;
        }
        let element = |index| api!(RedisModule_CallReplyArrayElement(reply, index));
        let length = api!(RedisModule_CallReplyLength(reply));
        let at = (0..length)
            .step_by(2)
            .find(|&index| text_of(element(index)).as_deref() == Some(name))?;
        let value = element(at.saturating_add(1));
        let is_number = !value.is_null()
            && api!(RedisModule_CallReplyType(value)) == raw::REDISMODULE_REPLY_INTEGER as c_int;
        is_number
            .then(|| api!(RedisModule_CallReplyInteger(value)))
            .and_then(|number| u64::try_from(number).ok())
    }
}
