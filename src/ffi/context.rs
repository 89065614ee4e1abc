//! What the server lets a callback do: flags, the selected database, replication,
//! signals, the log.

use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;

use redis_module::raw::{self, RedisModuleCtx};

use super::text::Text;

/// The context of one callback. It cannot leave it.
#[derive(Clone, Copy)]
pub struct Ctx<'c> {
    raw: *mut RedisModuleCtx,
    scope: PhantomData<&'c ()>,
}

/// What the server says about itself and this call.
#[derive(Clone, Copy)]
pub struct Flags(pub(super) u32);

impl Flags {
    /// Not a replica.
    pub fn is_primary(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_MASTER != 0
    }

    /// The call came from the primary's stream.
    pub fn is_replicated(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_REPLICATED != 0
    }

    /// The call came from an AOF, or the server is loading a snapshot. A replica that
    /// loads one beside the data it serves takes calls of clients meanwhile, and loads
    /// none itself.
    pub fn is_loading(self) -> bool {
        let loading = self.0 & raw::REDISMODULE_CTX_FLAGS_LOADING != 0;
        loading && self.0 & raw::REDISMODULE_CTX_FLAGS_ASYNC_LOADING == 0
    }

    /// The client speaks RESP3.
    pub fn is_resp3(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_RESP3 != 0
    }

    /// The call came from a script or a function.
    pub fn is_scripted(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_LUA != 0
    }

    /// The server is a node of a cluster.
    pub fn is_cluster(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_CLUSTER != 0
    }

    /// `maxmemory` is set, and is this server's to keep to.
    pub fn has_maxmemory(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_MAXMEMORY != 0
    }

    /// The server is above `maxmemory`.
    pub fn is_out_of_memory(self) -> bool {
        self.0 & raw::REDISMODULE_CTX_FLAGS_OOM != 0
    }
}

impl<'c> Ctx<'c> {
    /// # Safety
    ///
    /// `raw` is the context of a callback that lasts as long as `'c`.
    pub(super) unsafe fn new(raw: *mut RedisModuleCtx) -> Ctx<'c> {
        Ctx {
            raw,
            scope: PhantomData,
        }
    }

    pub(super) fn raw(self) -> *mut RedisModuleCtx {
        self.raw
    }

    pub fn flags(self) -> Flags {
        // SAFETY: the context is valid during this callback.
        Flags(unsafe { api!(RedisModule_GetContextFlags(self.raw)) } as u32)
    }

    /// Continues in another database; false if there is no such one.
    pub fn select(self, database: i32) -> bool {
        // SAFETY: as above; a number out of range is refused.
        unsafe { api!(RedisModule_SelectDb(self.raw, database)) == raw::REDISMODULE_OK as c_int }
    }

    /// Must nothing be written now, because clients are paused? The server ends
    /// itself over a write in a pause.
    pub fn must_not_write(self) -> bool {
        // SAFETY: the function takes nothing.
        unsafe { api!(RedisModule_AvoidReplicaTraffic()) != 0 }
    }

    /// Sends `command key [orders] payload` to the AOF and to replicas.
    pub fn replicate(
        self,
        command: &CStr,
        key: Text<'_>,
        orders: Option<Text<'_>>,
        payload: &[u8],
    ) {
        let bytes = payload.as_ptr().cast::<std::ffi::c_char>();
        // SAFETY: the format names the arguments that follow it: one or two strings
        // of the server, then bytes with their length as `size_t`.
        unsafe {
            match orders {
                None => api!(RedisModule_Replicate(
                    self.raw,
                    command.as_ptr(),
                    c"sb".as_ptr(),
                    key.raw(),
                    bytes,
                    payload.len(),
                )),
                Some(orders) => api!(RedisModule_Replicate(
                    self.raw,
                    command.as_ptr(),
                    c"ssb".as_ptr(),
                    key.raw(),
                    orders.raw(),
                    bytes,
                    payload.len(),
                )),
            };
        }
    }

    /// Sends `command` with the arguments of a call to the AOF and to replicas.
    pub fn replicate_words(self, command: &CStr, arguments: &[Text<'_>]) {
        // SAFETY: the format names an array of strings of the server, which a `Text` is
        // and nothing else, and their number as `size_t`.
        unsafe {
            api!(RedisModule_Replicate(
                self.raw,
                command.as_ptr(),
                c"v".as_ptr(),
                arguments.as_ptr(),
                arguments.len(),
            ));
        }
    }

    /// Passes the command on as it came.
    pub fn replicate_verbatim(self) {
        // SAFETY: the context is that of a command.
        unsafe {
            api!(RedisModule_ReplicateVerbatim(self.raw));
        }
    }

    /// Breaks WATCH and invalidates client caches of a key that changed.
    pub fn signal_modified(self, key: Text<'_>) {
        // SAFETY: context and string are valid during this callback.
        unsafe {
            api!(RedisModule_SignalModifiedKey(self.raw, key.raw()));
        }
    }

    /// Publishes a keyspace event of class `d`.
    pub fn notify(self, event: &CStr, key: Text<'_>) {
        self.notify_class(raw::REDISMODULE_NOTIFY_MODULE, event, key);
    }

    /// Publishes a keyspace event of class `t`, for a stream.
    pub fn notify_stream(self, event: &CStr, key: Text<'_>) {
        self.notify_class(raw::REDISMODULE_NOTIFY_STREAM, event, key);
    }

    fn notify_class(self, class: c_int, event: &CStr, key: Text<'_>) {
        // SAFETY: context and string are valid during this callback; the server
        // copies the name of the event.
        unsafe {
            api!(RedisModule_NotifyKeyspaceEvent(
                self.raw,
                class,
                event.as_ptr(),
                key.raw()
            ));
        }
    }

    /// One line in the server's log, level `warning`.
    pub fn warn(self, line: &str) {
        let line = c_string(line);
        // SAFETY: the format takes one C string, which is the argument.
        unsafe {
            api!(RedisModule_Log(
                self.raw,
                c"warning".as_ptr(),
                c"%s".as_ptr(),
                line.as_ptr()
            ));
        }
    }
}

/// The server's clock, in Unix milliseconds: read anew, not as the server noted it for
/// the call in progress, see [`has_frozen_clock`].
pub fn clock_ms() -> i64 {
    // SAFETY: the function takes nothing.
    unsafe { api!(RedisModule_Milliseconds()) }
}

/// Does the server make IDs of a stream by a clock that stands still in a script and a
/// transaction? Servers do from 7.2 on, and have this function since then.
pub fn has_frozen_clock() -> bool {
    // SAFETY: written once, by the entry point, before this is read.
    let function = unsafe { raw::RedisModule_CachedMicroseconds };
    function.is_some()
}

/// A C string; what follows a zero byte is cut.
pub(super) fn c_string(text: &str) -> CString {
    let end = text
        .bytes()
        .position(|byte| byte == 0)
        .unwrap_or(text.len());
    CString::new(text.as_bytes().get(..end).unwrap_or_default()).unwrap_or_default()
}
