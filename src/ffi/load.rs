//! What happens when the server loads the module: the macro's entry point, the check
//! of the server's API, then [`crate::load`].
//!
//! The macro registers nothing but the entry point itself. Its own registration would
//! run before the module could look at its arguments, and takes them as defaults
//! without a check of their range.

use redis_module::configuration::{ConfigurationFlags, register_i64_configuration};
use redis_module::{Context, RedisString, Status, raw};

use super::context::Ctx;
use super::slots::{HANDLE_ATOMIC_SLOT_MIGRATION, learn_slot_imports};

/// Is each of these API functions there?
macro_rules! functions {
    ($($name:ident)*) => {
        [$((stringify!($name), {
            // SAFETY: written once, by the entry point, before this is read.
            let function = unsafe { raw::$name };
            function.is_some()
        })),*]
    };
}

/// The functions `ffi/` calls, and whether this server has them.
fn required() -> impl IntoIterator<Item = (&'static str, bool)> {
    functions! {
        RedisModule_Alloc RedisModule_Calloc RedisModule_Free RedisModule_Realloc
        RedisModule_TryAlloc RedisModule_AvoidReplicaTraffic
        RedisModule_Call RedisModule_FreeCallReply
        RedisModule_CallReplyArrayElement RedisModule_CallReplyInteger
        RedisModule_CallReplyLength
        RedisModule_CallReplyStringPtr RedisModule_CallReplyType
        RedisModule_FreeServerInfo RedisModule_GetServerInfo
        RedisModule_ServerInfoGetFieldC
        RedisModule_StreamIteratorNextField RedisModule_StreamIteratorNextID
        RedisModule_StreamIteratorStart RedisModule_StreamIteratorStop
        RedisModule_CloseKey RedisModule_CreateCommand RedisModule_CreateDataType
        RedisModule_CreateString RedisModule_CreateTimer RedisModule_DeleteKey
        RedisModule_DigestAddStringBuffer
        RedisModule_DigestEndSequence RedisModule_EmitAOF RedisModule_FreeString
        RedisModule_GetAbsExpire RedisModule_GetCommand RedisModule_GetContextFlags RedisModule_GetDbIdFromIO
        RedisModule_GetDbIdFromModuleKey RedisModule_GetDbIdFromOptCtx
        RedisModule_GetKeyNameFromIO
        RedisModule_GetKeyNameFromOptCtx RedisModule_GetSelectedDb
        RedisModule_InfoAddFieldLongLong RedisModule_InfoAddSection RedisModule_IsIOError
        RedisModule_KeyType RedisModule_LoadConfigs RedisModule_LoadStringBuffer
        RedisModule_Log RedisModule_LogIOError RedisModule_Milliseconds
        RedisModule_ModuleTypeGetType RedisModule_ModuleTypeGetValue
        RedisModule_ModuleTypeSetValue RedisModule_NotifyKeyspaceEvent RedisModule_OpenKey
        RedisModule_RegisterBoolConfig RedisModule_RegisterInfoFunc
        RedisModule_RegisterNumericConfig RedisModule_RegisterStringConfig
        RedisModule_Replicate RedisModule_ReplicateVerbatim
        RedisModule_ReplyWithArray RedisModule_ReplyWithBool RedisModule_ReplyWithError
        RedisModule_ReplyWithLongLong
        RedisModule_ReplyWithMap RedisModule_ReplyWithNull RedisModule_ReplyWithSimpleString
        RedisModule_ReplyWithStringBuffer RedisModule_SaveStringBuffer RedisModule_SelectDb
        RedisModule_SetAbsExpire RedisModule_SetCommandInfo RedisModule_SetModuleOptions
        RedisModule_SignalModifiedKey RedisModule_StopTimer RedisModule_StreamAdd
        RedisModule_StringPtrLen RedisModule_SubscribeToKeyspaceEvents
        RedisModule_SubscribeToServerEvent
    }
}

/// The last step of the macro's entry point, and the first of ours.
fn start(context: &Context, arguments: &[RedisString]) -> Status {
    // SAFETY: the context lasts until the entry point returns.
    let ctx = unsafe { Ctx::new(context.ctx) };
    if let Some((name, _)) = required().into_iter().find(|(_, is_there)| !is_there) {
        // The log itself may be what is missing.
        eprintln!("flashsale: this server has no {name}; Redis 7.0 or Valkey 8.0 is needed");
        return Status::Err;
    }
    let arguments: Vec<&[u8]> = arguments.iter().map(RedisString::as_slice).collect();
    match crate::load(ctx, &arguments) {
        Ok(()) => Status::Ok,
        Err(reason) => {
            ctx.warn(&format!("cannot be loaded: {reason}"));
            Status::Err
        }
    }
}

/// Sets the options every callback relies on: read errors come back instead of ending
/// the server, closing a key signals nothing by itself, and a replica may load its
/// primary's data beside its own. On a server that moves whole slots, also that the module
/// follows such a move: without it the whole cluster could make none.
pub fn set_module_options(ctx: Ctx<'_>) {
    let mut options = (raw::REDISMODULE_OPTIONS_HANDLE_IO_ERRORS
        | raw::REDISMODULE_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED
        | raw::REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD) as i32;
    if learn_slot_imports(ctx) {
        options |= HANDLE_ATOMIC_SLOT_MIGRATION;
    }
    // SAFETY: the context is that of the entry point.
    unsafe { api!(RedisModule_SetModuleOptions(ctx.raw(), options)) }
}

/// Registers `flashsale.<name>`, a number; CONFIG SET may change it if it is mutable.
pub fn register_number(
    ctx: Ctx<'_>,
    name: &str,
    value: &'static std::sync::atomic::AtomicI64,
    default: i64,
    range: std::ops::RangeInclusive<i64>,
    is_mutable: bool,
) {
    let context = Context::new(ctx.raw());
    let flags = if is_mutable {
        ConfigurationFlags::DEFAULT
    } else {
        ConfigurationFlags::IMMUTABLE
    };
    let (min, max) = (*range.start(), *range.end());
    register_i64_configuration(&context, name, value, default, min, max, flags, None);
}

/// Gives all registered settings - numbers, texts and flags - their value from the
/// configuration file, or else their default.
pub fn load_settings(ctx: Ctx<'_>) -> Result<(), String> {
    // SAFETY: the context is that of the entry point.
    let status = unsafe { api!(RedisModule_LoadConfigs(ctx.raw())) };
    if status != raw::REDISMODULE_OK as i32 {
        return Err("the configuration file has a flashsale setting out of range".to_owned());
    }
    Ok(())
}

/// The macro is of the 2021 edition, and wants an item of its own.
#[allow(
    clippy::not_unsafe_ptr_arg_deref,
    clippy::ptr_arg,
    unsafe_op_in_unsafe_fn
)]
mod entry {
    use super::start as initialize;
    use redis_module::{Context, RedisString, Status};

    // Unit tests and fuzzers have no server, and so no allocator of one.
    #[cfg(not(any(test, fuzzing)))]
    use super::super::alloc::ServerAlloc as Allocator;
    #[cfg(test)]
    use flashsale_fuzz::meter::Meter as Allocator;
    #[cfg(all(fuzzing, not(test)))]
    use std::alloc::System as Allocator;

    fn start(context: &Context, arguments: &Vec<RedisString>) -> Status {
        initialize(context, arguments)
    }

    redis_module::redis_module! {
        name: "flashsale",
        version: 200,
        allocator: (Allocator, Allocator),
        data_types: [],
        init: start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_called_is_checked_at_load() {
        let sources = [
            include_str!("alloc.rs"),
            include_str!("call.rs"),
            include_str!("config.rs"),
            include_str!("context.rs"),
            include_str!("events.rs"),
            include_str!("info.rs"),
            include_str!("key.rs"),
            include_str!("native.rs"),
            include_str!("register.rs"),
            include_str!("reply.rs"),
            include_str!("server.rs"),
            include_str!("slots.rs"),
            include_str!("stream.rs"),
            include_str!("text.rs"),
        ];
        let listed: Vec<_> = required().into_iter().map(|(name, _)| name).collect();
        for call in sources
            .iter()
            .flat_map(|source| source.split("api!(").skip(1))
        {
            let name = call.trim_start().split('(').next().unwrap_or_default();
            assert!(listed.contains(&name), "{name} is called and not checked");
        }
    }
}
