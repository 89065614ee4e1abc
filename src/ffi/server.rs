//! How the server is set, and how it says it is doing.
//!
//! Edge: words as the server spells them; what they mean for a sale is `doctor.rs`'s
//! business.

use std::ffi::{CStr, c_int};

use redis_module::raw::{self, RedisModuleCallReply};

use super::context::{Ctx, c_string};
use super::text::{Text, TextBuf};

/// The values of some fields of one section of INFO; `None` for a field that is not there.
pub fn server_info(ctx: Ctx<'_>, section: &CStr, fields: &[&str]) -> Vec<Option<String>> {
    // SAFETY: the server copies what it is given, and its data is freed below, after the
    // values were copied out of it.
    unsafe {
        let data = api!(RedisModule_GetServerInfo(ctx.raw(), section.as_ptr()));
        let read = |field: &&str| {
            let field = c_string(field);
            let value = api!(RedisModule_ServerInfoGetFieldC(data, field.as_ptr()));
            if value.is_null() {
                return None;
            }
            Some(CStr::from_ptr(value).to_string_lossy().into_owned())
        };
        let values = fields.iter().map(read).collect();
        api!(RedisModule_FreeServerInfo(ctx.raw(), data));
        values
    }
}

/// How the server refuses a command that writes where none may. Any other answer to the
/// question of [`Ctx::is_denied_memory`] is that of a server which is out of memory, or
/// one that this module does not understand.
const WRITE_REFUSED: &str = "ERR Write command";

impl Ctx<'_> {
    /// Would the server refuse a command that takes memory, at this moment?
    ///
    /// Being above `maxmemory` is not enough: where keys may be evicted, the server is a
    /// little above it all the time. Its own verdict, made before the command in progress,
    /// is what a command flagged `deny-oom` is held to, so one is asked for. It must be
    /// one of this module, as an operator may rename those of the server away. It is never
    /// run: where memory is not in the way, its being a write is, which is looked at next.
    pub fn is_denied_memory(self, key: Text<'_>) -> bool {
        if !self.flags().is_out_of_memory() {
            return false;
        }
        // SAFETY: the format names four strings of the server, and asks for errors as
        // replies. The reply is freed, and no part of it is used after that.
        let answer = unsafe {
            let reply = api!(RedisModule_Call(
                self.raw(),
                c"FLASHSALE.CREATE".as_ptr(),
                c"EMWssss".as_ptr(),
                key.raw(),
                key.raw(),
                key.raw(),
                key.raw(),
            ));
            let answer = text_of(reply);
            if !reply.is_null() {
                api!(RedisModule_FreeCallReply(reply));
            }
            answer
        };
        !answer.is_some_and(|answer| answer.starts_with(WRITE_REFUSED))
    }

    /// Names and values of some settings, of those the server has; `None` where it has no
    /// CONFIG, because that was renamed.
    pub fn config_get(self, names: &[&str]) -> Option<Vec<(String, String)>> {
        let owned: Vec<TextBuf> = names
            .iter()
            .map(|name| TextBuf::new(name.as_bytes()))
            .collect();
        let names: Vec<Text<'_>> = owned.iter().map(TextBuf::as_text).collect();
        // SAFETY: the format names a C string, and an array of strings of the server, which
        // a `Text` is and nothing else, with its length as `size_t`. The reply is freed, and
        // no part of it is used after that.
        unsafe {
            let reply = api!(RedisModule_Call(
                self.raw(),
                c"CONFIG".as_ptr(),
                c"cv".as_ptr(),
                c"GET".as_ptr(),
                names.as_ptr(),
                names.len(),
            ));
            if reply.is_null() {
                return None;
            }
            let pairs = pairs_of(reply);
            api!(RedisModule_FreeCallReply(reply));
            pairs
        }
    }

    /// The rules of each user, a line each; `None` where the server has no ACL, because that was
    /// renamed. They have hashes of passwords in them.
    pub fn acl_list(self) -> Option<Vec<String>> {
        // SAFETY: the format names a C string. The reply is freed, and no part of it is used
        // after that.
        unsafe {
            let reply = api!(RedisModule_Call(
                self.raw(),
                c"ACL".as_ptr(),
                c"c".as_ptr(),
                c"LIST".as_ptr(),
            ));
            if reply.is_null() {
                return None;
            }
            let lines = texts_of(reply);
            api!(RedisModule_FreeCallReply(reply));
            lines
        }
    }
}

/// # Safety
///
/// `reply` is a reply that has not been freed.
unsafe fn pairs_of(reply: *mut RedisModuleCallReply) -> Option<Vec<(String, String)>> {
    // SAFETY: as above.
    let mut texts = unsafe { texts_of(reply) }?.into_iter();
    let pairs = std::iter::from_fn(|| Some((texts.next()?, texts.next()?)));
    Some(pairs.collect())
}

/// # Safety
///
/// `reply` is a reply that has not been freed.
unsafe fn texts_of(reply: *mut RedisModuleCallReply) -> Option<Vec<String>> {
    // SAFETY: as above; an element beyond the end is null.
    unsafe {
        if api!(RedisModule_CallReplyType(reply)) != raw::REDISMODULE_REPLY_ARRAY as c_int {
            return None;
        }
        let element = |index| text_of(api!(RedisModule_CallReplyArrayElement(reply, index)));
        let length = api!(RedisModule_CallReplyLength(reply));
        (0..length).map(element).collect()
    }
}

/// # Safety
///
/// `reply` is null, or a reply that has not been freed.
pub(super) unsafe fn text_of(reply: *mut RedisModuleCallReply) -> Option<String> {
    let mut len = 0;
    // SAFETY: as above; what is no string has no text, which is null.
    unsafe {
        if reply.is_null() {
            return None;
        }
        let start = api!(RedisModule_CallReplyStringPtr(reply, &mut len));
        if start.is_null() {
            return None;
        }
        let bytes = std::slice::from_raw_parts(start.cast::<u8>(), len);
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}
