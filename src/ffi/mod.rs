//! The only unsafe code of the module: the calls into the server, and the callbacks
//! out of it.
//!
//! Edge: nothing here knows what a sale is. Every value handed out carries the
//! lifetime of the callback it was made in, so that safe code cannot keep it longer
//! than the server does. The rest of the crate denies `unsafe`.
//!
//! | Question | File |
//! |---|---|
//! | what may be asked of the server at this moment | `context.rs` |
//! | strings and keys of the server | `text.rs`, `key.rs`, `stream.rs` |
//! | a command: what the server is told of it, and its call | `spec.rs`, `register.rs`, `call.rs`, `reply.rs` |
//! | a native type | `native.rs` |
//! | timers, events, notifications, INFO | `events.rs`, `info.rs` |
//! | how the server is set and how it is doing | `server.rs` |
//! | slots of a cluster that move as a whole | `slots.rs` |
//! | what happens at load, settings, memory | `load.rs`, `config.rs`, `alloc.rs` |
#![allow(unsafe_code)]

/// Calls a function of the server's API. Each one used is in the list `load.rs`
/// checks before anything else, so a missing one is found when the module is loaded: a test
/// there looks for the names in all uses of this macro. So release builds do not ask again,
/// which a RESERVE would do twenty times.
macro_rules! api {
    ($name:ident($($argument:expr),* $(,)?)) => {
        match redis_module::raw::$name {
            Some(function) => function($($argument),*),
            // Unit tests and fuzzers have no server.
            None if cfg!(any(debug_assertions, test, fuzzing)) => {
                $crate::ffi::missing(stringify!($name))
            }
            // The module would not have been loaded.
            None => std::hint::unreachable_unchecked(),
        }
    };
}

// Unit tests and fuzzers run without a server, on the system's memory.
#[cfg_attr(any(test, fuzzing), allow(dead_code))]
mod alloc;
mod call;
mod config;
mod context;
mod events;
mod info;
mod key;
mod load;
mod native;
mod register;
mod reply;
mod server;
mod slots;
mod spec;
mod stream;
mod text;

pub use alloc::has_system_memory;
pub use call::{Call, Command, caught, log_panics};
pub use config::{TextSetting, register_flag, register_text};
pub use context::{Ctx, clock_ms, has_frozen_clock};
pub use events::{Hooks, LoadBeside, OnTimer, Timer, start_timer, stop_timer, subscribe};
#[cfg(test)]
pub use info::testing::tell_all as told;
pub use info::{Section, Source, register_info};
pub use key::{Key, Kind, Mode, Typed};
pub use load::{load_settings, register_number, set_module_options};
pub use native::{Chunk, NativeType, Origin, Stored, TypeHandle, TypeSpec, register_type};
pub use register::{add_acl_category, add_category, register_alias, register_command};
pub use reply::Reply;
pub use server::server_info;
pub use slots::{Taken, imports_whole_slots, may_access_slot};
pub use spec::{Argument, ArgumentKind, CommandSpec, KeySpec};
pub use stream::Field;
pub use text::{Text, TextBuf};

/// Ends the server over an API function that the check at load lets through.
#[cold]
fn missing(name: &str) -> ! {
    panic!("{name} is not part of this server's module API")
}
