//! Registers commands: turns a [`CommandSpec`] into the server's structures.
//!
//! The server copies all it is told, so everything built here lives for one call.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use redis_module::raw::{
    self, RedisModuleCommand, RedisModuleCommandArg, RedisModuleCommandHistoryEntry,
    RedisModuleCommandInfo, RedisModuleCommandInfoVersion, RedisModuleCommandKeySpec,
};

use super::call::{Command, Shim};
use super::context::{Ctx, c_string};
use super::spec::{Argument, ArgumentKind, CommandSpec, KeySpec};

/// The layout of the structures below. The C header has it as a static constant,
/// which no library exports.
static VERSION: RedisModuleCommandInfoVersion = RedisModuleCommandInfoVersion {
    version: 1,
    sizeof_historyentry: size_of::<RedisModuleCommandHistoryEntry>(),
    sizeof_keyspec: size_of::<RedisModuleCommandKeySpec>(),
    sizeof_arg: size_of::<RedisModuleCommandArg>(),
};

/// Owns what the structures point to.
#[derive(Default)]
struct Arena {
    strings: Vec<CString>,
    arguments: Vec<Box<[RedisModuleCommandArg]>>,
}

impl Arena {
    /// A pointer that stays good: moving a `CString` moves no bytes.
    fn string(&mut self, text: &str) -> *const c_char {
        let text = c_string(text);
        let start = text.as_ptr();
        self.strings.push(text);
        start
    }

    fn optional(&mut self, text: Option<&str>) -> *const c_char {
        text.map_or(ptr::null(), |text| self.string(text))
    }

    /// An array of arguments that ends with a zeroed one.
    fn arguments(&mut self, arguments: &[Argument]) -> *mut RedisModuleCommandArg {
        if arguments.is_empty() {
            return ptr::null_mut();
        }
        let mut list: Vec<_> = arguments
            .iter()
            .map(|argument| self.argument(argument))
            .collect();
        // SAFETY: null pointers and zeros are what ends the list.
        list.push(unsafe { std::mem::zeroed() });
        let mut list = list.into_boxed_slice();
        let start = list.as_mut_ptr();
        self.arguments.push(list);
        start
    }

    fn argument(&mut self, argument: &Argument) -> RedisModuleCommandArg {
        let (kind, subargs) = match argument.kind {
            ArgumentKind::Key(_) => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY,
                None,
            ),
            ArgumentKind::String => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING,
                None,
            ),
            ArgumentKind::Integer => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_INTEGER,
                None,
            ),
            ArgumentKind::Double => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_DOUBLE,
                None,
            ),
            ArgumentKind::UnixTime => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_UNIX_TIME,
                None,
            ),
            ArgumentKind::Flag => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_PURE_TOKEN,
                None,
            ),
            ArgumentKind::OneOf(choices) => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_ONEOF,
                Some(choices),
            ),
            ArgumentKind::Block(parts) => (
                raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK,
                Some(parts),
            ),
        };
        let mut flags = raw::REDISMODULE_CMD_ARG_NONE;
        if argument.is_optional {
            flags |= raw::REDISMODULE_CMD_ARG_OPTIONAL;
        }
        if argument.is_multiple {
            flags |= raw::REDISMODULE_CMD_ARG_MULTIPLE;
        }
        RedisModuleCommandArg {
            name: self.string(argument.name),
            type_: kind,
            key_spec_index: match argument.kind {
                ArgumentKind::Key(spec) => spec,
                _ => -1,
            },
            token: self.optional(argument.token),
            summary: ptr::null(),
            since: self.optional(argument.since),
            flags: flags as c_int,
            deprecated_since: ptr::null(),
            subargs: subargs.map_or(ptr::null_mut(), |subargs| self.arguments(subargs)),
            display_text: ptr::null(),
        }
    }
}

fn key_spec(spec: &KeySpec) -> RedisModuleCommandKeySpec {
    // SAFETY: all zeros is the structure's empty value.
    let mut raw_spec: RedisModuleCommandKeySpec = unsafe { std::mem::zeroed() };
    raw_spec.flags = spec.flags;
    raw_spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX;
    raw_spec.bs.index.pos = spec.first;
    raw_spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
    raw_spec.fk.range = raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
        lastkey: spec.last,
        keystep: 1,
        limit: 0,
    };
    raw_spec
}

/// Registers the command `C`.
///
/// # Errors
///
/// The server has a command of this name, or does not take the description.
pub fn register_command<C: Command>(ctx: Ctx<'_>) -> Result<(), String> {
    register_as::<C>(ctx, C::SPEC.name, None)
}

/// Registers the command `C` under a second name, and in a category of that name's own.
///
/// # Errors
///
/// As [`register_command`].
pub fn register_alias<C: Command>(ctx: Ctx<'_>, name: &str, category: &CStr) -> Result<(), String> {
    register_as::<C>(ctx, name, Some(category))
}

fn register_as<C: Command>(
    ctx: Ctx<'_>,
    name: &str,
    category: Option<&CStr>,
) -> Result<(), String> {
    let spec = C::SPEC;
    let shown = name;
    // Lower case, like the server's own commands in its errors and statistics.
    let name = c_string(&name.to_ascii_lowercase());
    let flags = c_string(spec.flags);
    let (first, last, step) = legacy_keys(spec.keys);
    // SAFETY: the server copies the strings, and calls the shim as it promises.
    unsafe {
        let status = api!(RedisModule_CreateCommand(
            ctx.raw(),
            name.as_ptr(),
            Some(Shim::<C>::run),
            flags.as_ptr(),
            first,
            last,
            step,
        ));
        if status != raw::REDISMODULE_OK as c_int {
            return Err(format!("the command {shown} cannot be registered"));
        }
        let command = api!(RedisModule_GetCommand(ctx.raw(), name.as_ptr()));
        if command.is_null() || !describe(command, spec) {
            return Err(format!("the command {shown} cannot be described"));
        }
        set_acl_categories(command, spec.flags, category);
    }
    Ok(())
}

/// The first key, the last and the step, for clients older than key specs.
fn legacy_keys(keys: &[KeySpec]) -> (c_int, c_int, c_int) {
    match (keys.first(), keys.last()) {
        (Some(first), Some(last)) => {
            let end = if last.last < 0 {
                last.last
            } else {
                last.first + last.last
            };
            (first.first, end, 1)
        }
        _ => (0, 0, 0),
    }
}

/// # Safety
///
/// `command` is one of ours.
unsafe fn describe(command: *mut RedisModuleCommand, spec: &CommandSpec) -> bool {
    let mut arena = Arena::default();
    let mut key_specs: Vec<_> = spec.keys.iter().map(key_spec).collect();
    // SAFETY: all zeros ends the list.
    key_specs.push(unsafe { std::mem::zeroed() });
    let info = RedisModuleCommandInfo {
        version: &VERSION,
        summary: arena.string(spec.summary),
        complexity: arena.string(spec.complexity),
        since: arena.string(spec.since),
        history: ptr::null_mut(),
        tips: arena.optional(Some(spec.tips).filter(|tips| !tips.is_empty())),
        arity: spec.arity,
        key_specs: if spec.keys.is_empty() {
            ptr::null_mut()
        } else {
            key_specs.as_mut_ptr()
        },
        args: arena.arguments(spec.arguments),
    };
    // SAFETY: `info` and all it points to live until the call returns.
    unsafe { api!(RedisModule_SetCommandInfo(command, &info)) == raw::REDISMODULE_OK as c_int }
}

/// The ACL category of all commands.
const CATEGORY: &CStr = c"flashsale";

/// Adds the ACL category `flashsale`; servers before Redis 7.4 have none but their own.
pub fn add_acl_category(ctx: Ctx<'_>) {
    add_category(ctx, CATEGORY);
}

/// Adds another ACL category, for [`register_alias`].
pub fn add_category(ctx: Ctx<'_>, name: &CStr) {
    // SAFETY: an optional function, called while the module is loaded; the server
    // copies the name. Failure leaves the commands in the server's own categories.
    unsafe {
        if let Some(add) = raw::RedisModule_AddACLCategory {
            add(ctx.raw(), name.as_ptr());
        }
    }
}

/// The server's own categories that follow from the flags. The server leaves a module's
/// command out of all of them unless told, and `+@read` would not allow a read.
fn own_categories(flags: &str) -> String {
    let has = |flag: &str| flags.split(' ').any(|word| word == flag);
    let kinds = [("write", "write"), ("readonly", "read")];
    let kind = kinds.iter().find(|(flag, _)| has(flag));
    let speed = if has("fast") { "fast" } else { "slow" };
    match kind {
        Some((_, category)) => format!("{category} {speed}"),
        None => speed.to_owned(),
    }
}

/// # Safety
///
/// `command` is one of ours.
unsafe fn set_acl_categories(
    command: *mut RedisModuleCommand,
    flags: &str,
    category: Option<&CStr>,
) {
    let own = own_categories(flags);
    let more = category.map(CStr::to_string_lossy).unwrap_or_default();
    let all = c_string(&format!("{} {more} {own}", CATEGORY.to_string_lossy()).replace("  ", " "));
    let own = c_string(&own);
    // SAFETY: an optional function, called while the module is loaded; the server
    // refuses a category it does not know.
    unsafe {
        if let Some(set) = raw::RedisModule_SetCommandACLCategories
            && set(command, all.as_ptr()) != raw::REDISMODULE_OK as c_int
        {
            set(command, own.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acl_categories_follow_from_the_flags() {
        assert_eq!(own_categories("write fast"), "write fast");
        assert_eq!(own_categories("write deny-oom"), "write slow");
        assert_eq!(own_categories("readonly"), "read slow");
        assert_eq!(own_categories("fast"), "fast");
    }
}
