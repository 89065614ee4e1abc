//! What the server tells by itself: timers, server events, keyspace notifications.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use redis_module::raw::{
    self, RedisModuleCtx, RedisModuleEvent, RedisModuleFlushInfo, RedisModuleString,
    RedisModuleSwapDbInfo,
};

use super::context::Ctx;
use super::slots::{EVENT_ATOMIC_SLOT_MIGRATION, imports_whole_slots};
use super::text::Text;

/// How a replica's loading of its primary's data beside its own goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadBeside {
    Started,
    /// What was loaded takes the place of what was there.
    Completed,
    /// What was loaded goes again.
    Aborted,
}

/// What the module does when the server says something.
pub trait Hooks {
    /// This server became the primary, or a replica.
    fn role_changed(ctx: Ctx<'_>, is_primary: bool);
    /// Loading an RDB or AOF came to its end.
    fn loaded(ctx: Ctx<'_>);
    /// A few times a second.
    fn ticked(ctx: Ctx<'_>);
    /// A database was emptied, or all were.
    fn flushed(database: Option<i32>);
    fn swapped(one: i32, other: i32);
    /// A key is there under a name it did not have before: renamed, moved, restored.
    fn arrived(ctx: Ctx<'_>, key: Text<'_>);
    /// A replica loads its primary's data beside its own.
    fn loads_beside(step: LoadBeside);
    /// The server began or ended to take or give whole slots.
    fn slots_moved(ctx: Ctx<'_>);
    /// Settings of the server were changed.
    fn settings_changed(ctx: Ctx<'_>);
}

/// What is done when a timer goes off.
pub trait OnTimer {
    fn went_off(ctx: Ctx<'_>);
}

/// A running timer.
#[derive(Clone, Copy, Debug)]
pub struct Timer(u64);

/// Starts a timer that goes off once, in `after_ms`.
pub fn start_timer<T: OnTimer>(ctx: Ctx<'_>, after_ms: u64) -> Timer {
    let after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX / 2000);
    // SAFETY: the context belongs to this module; there is no data to free.
    Timer(unsafe {
        api!(RedisModule_CreateTimer(
            ctx.raw(),
            after_ms,
            Some(went_off::<T>),
            ptr::null_mut()
        ))
    })
}

/// Stops a timer; one that went off already is no mistake.
pub fn stop_timer(ctx: Ctx<'_>, timer: Timer) {
    // SAFETY: the server looks the number up.
    unsafe {
        api!(RedisModule_StopTimer(ctx.raw(), timer.0, ptr::null_mut()));
    }
}

/// # Safety
///
/// The server calls this with its own context.
unsafe extern "C" fn went_off<T: OnTimer>(ctx: *mut RedisModuleCtx, _: *mut c_void) {
    // SAFETY: as above.
    T::went_off(unsafe { Ctx::new(ctx) });
}

/// Subscribes to everything `H` wants to hear.
///
/// Nothing that can fail may come after it in the load: servers before Redis 7.2 keep
/// the subscriptions of a module that was not loaded after all.
///
/// # Errors
///
/// The server lacks one of the events.
pub fn subscribe<H: Hooks>(ctx: Ctx<'_>) -> Result<(), String> {
    let events = [
        raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED,
        raw::REDISMODULE_EVENT_LOADING,
        raw::REDISMODULE_EVENT_REPL_ASYNC_LOAD,
        raw::REDISMODULE_EVENT_CRON_LOOP,
        raw::REDISMODULE_EVENT_FLUSHDB,
        raw::REDISMODULE_EVENT_SWAPDB,
        raw::REDISMODULE_EVENT_CONFIG,
    ];
    let of_slots = imports_whole_slots().then_some(EVENT_ATOMIC_SLOT_MIGRATION);
    for id in events.into_iter().chain(of_slots) {
        let event = RedisModuleEvent { id, dataver: 1 };
        // SAFETY: the callback has the signature of server events.
        let status = unsafe {
            api!(RedisModule_SubscribeToServerEvent(
                ctx.raw(),
                event,
                Some(happened::<H>)
            ))
        };
        if status != raw::REDISMODULE_OK as c_int {
            return Err(format!("the server does not tell event {id}"));
        }
    }
    // SAFETY: the callback has the signature of keyspace notifications.
    let status = unsafe {
        api!(RedisModule_SubscribeToKeyspaceEvents(
            ctx.raw(),
            raw::REDISMODULE_NOTIFY_GENERIC,
            Some(notified::<H>),
        ))
    };
    if status != raw::REDISMODULE_OK as c_int {
        return Err("the server does not tell keyspace events".to_owned());
    }
    Ok(())
}

/// # Safety
///
/// The server calls this with its own context and the data of the event.
unsafe extern "C" fn happened<H: Hooks>(
    ctx: *mut RedisModuleCtx,
    event: RedisModuleEvent,
    subevent: u64,
    data: *mut c_void,
) {
    // SAFETY: the type of `data` follows from the event, in version 1 of each, which
    // is the one subscribed to.
    unsafe {
        let ctx = Ctx::new(ctx);
        match event.id {
            raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED => {
                let now_primary = raw::REDISMODULE_EVENT_REPLROLECHANGED_NOW_MASTER;
                H::role_changed(ctx, subevent == now_primary);
            }
            raw::REDISMODULE_EVENT_LOADING
                if subevent == raw::REDISMODULE_SUBEVENT_LOADING_ENDED =>
            {
                H::loaded(ctx);
            }
            raw::REDISMODULE_EVENT_REPL_ASYNC_LOAD => {
                H::loads_beside(match subevent {
                    raw::REDISMODULE_SUBEVENT_REPL_ASYNC_LOAD_STARTED => LoadBeside::Started,
                    raw::REDISMODULE_SUBEVENT_REPL_ASYNC_LOAD_COMPLETED => LoadBeside::Completed,
                    _ => LoadBeside::Aborted,
                });
            }
            // Subscribed to on the one server where the number means this.
            EVENT_ATOMIC_SLOT_MIGRATION => H::slots_moved(ctx),
            raw::REDISMODULE_EVENT_CRON_LOOP => H::ticked(ctx),
            raw::REDISMODULE_EVENT_CONFIG => H::settings_changed(ctx),
            raw::REDISMODULE_EVENT_FLUSHDB => {
                if subevent == raw::REDISMODULE_SUBEVENT_FLUSHDB_START
                    && let Some(info) = data.cast::<RedisModuleFlushInfo>().as_ref()
                {
                    H::flushed((info.dbnum >= 0).then_some(info.dbnum));
                }
            }
            raw::REDISMODULE_EVENT_SWAPDB => {
                if let Some(info) = data.cast::<RedisModuleSwapDbInfo>().as_ref() {
                    H::swapped(info.dbnum_first, info.dbnum_second);
                }
            }
            _ => {}
        }
    }
}

/// The database a key was last moved out of. Valkey before its pull request 4024 tells
/// events in the name of the client itself, and leaves it in the database of the last
/// one: replicas and the AOF would get the MOVE as one within the database it went to,
/// which does nothing. So the client is put back. To other servers that means nothing.
static MOVED_FROM: AtomicI32 = AtomicI32::new(0);

/// # Safety
///
/// The server calls this with its own context, event name and key name.
unsafe extern "C" fn notified<H: Hooks>(
    ctx: *mut RedisModuleCtx,
    _class: c_int,
    event: *const c_char,
    key: *mut RedisModuleString,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let ctx = Ctx::new(ctx);
        // Every DEL and EXPIRE of the server comes through here.
        match CStr::from_ptr(event).to_bytes() {
            b"move_from" => MOVED_FROM.store(ctx.database(), Ordering::Relaxed),
            b"move_to" => {
                H::arrived(ctx, Text::new(key));
                ctx.select(MOVED_FROM.load(Ordering::Relaxed));
            }
            b"rename_to" | b"restore" => H::arrived(ctx, Text::new(key)),
            _ => {}
        }
    }
    raw::REDISMODULE_OK as c_int
}
