//! A flash sale as a native type of Redis: stock, limits, reservations with deadlines,
//! retries and orders, each in one command.
//!
//! # The source, from the outside in
//!
//! What a sale, a filter and a rate limit are is the crate `flashsale-engine`, which knows no server. This
//! crate is what Redis sees of them.
//!
//! | Question | Where |
//! |---|---|
//! | what does a command take and answer | `command/`, one file each, its page on top |
//! | how does anything change, and reach the AOF and the replicas | `change/` |
//! | how does an overdue reservation come back | `timer/` |
//! | which sale has a deadline next | `hints/` |
//! | what is in an order | `orders/` |
//! | what is a key of these types to the server | `datatype/` |
//! | what does the server tell the module by itself | `hooks.rs` |
//! | what would hurt a sale on this server | `doctor/` |
//! | which settings are there, what is counted | `config.rs`, `info.rs` |
//! | how is a broken invariant tried out | `rehearsal.rs` |
//! | when do listeners hear of a change | `news.rs` |
//! | what of an AOF ends the start | `damage.rs` |
//! | whose are the deadlines of a slot that moves | `slots.rs` |
//! | which scripts go on at `maxmemory` | `scripts.rs` |
//! | which key are names hashed with | `names.rs` |
//! | what does an error say, where is the clock read | `error.rs`, `clock.rs` |
//! | where are events encoded, large blocks freed, places kept | `scratch.rs`, `reclaim.rs`, `place.rs` |
//! | how does the server call, and how is it called | `ffi/`, the only unsafe code |
//!
//! Arrows never turn round: `hooks` and `command` use `timer` and `change`, those use
//! `datatype` and `orders`, those `ffi`, and all of them the engine. The hints about
//! deadlines are below `datatype`, which writes them down. The timer is in two parts: its
//! alarm is below `change`, which sets it, and its sweep above `change`, which commits what
//! expired. No two files use each other in a circle; `tests/tidy.rs` looks for one.
//!
//! # One change, start to end
//!
//! A command parses its line, opens its keys, and asks the sale for a plan. The plan is
//! an event or an answer. An answer is replied, and nothing has changed. An event goes
//! to `change::commit::commit`, which carries the event out, sends it to the AOF and the
//! replicas, and notifies clients. An event that sells goes there by way of
//! `change::commit::commit_order`, which appends the order first.

mod change;
mod clock;
mod command;
mod config;
mod damage;
mod datatype;
mod doctor;
mod error;
mod ffi;
mod hints;
mod hooks;
mod info;
mod names;
mod news;
mod orders;
mod place;
mod reclaim;
mod rehearsal;
mod scratch;
mod scripts;
mod slots;
mod timer;

/// What must hold for the words of any command, for libFuzzer.
#[cfg(fuzzing)]
pub use command::fuzz::arguments as fuzz_arguments;

/// Registers everything; called by the server when it loads the module.
///
/// # Errors
///
/// An argument of the module is wrong, or the server does not take a registration. In
/// words for the log.
fn load(ctx: ffi::Ctx<'_>, arguments: &[&[u8]]) -> Result<(), String> {
    ffi::log_panics();
    names::draw_key();
    config::register(ctx, arguments)?;
    ffi::set_module_options(ctx);
    ffi::register_type::<datatype::SaleValue>(ctx)?;
    ffi::register_type::<datatype::BloomValue>(ctx)?;
    ffi::register_type::<datatype::LimitValue>(ctx)?;
    ffi::add_acl_category(ctx);
    command::register(ctx)?;
    if config::bf_aliases() {
        command::register_aliases(ctx);
    }
    ffi::register_info::<info::Info>(ctx);
    doctor::note_load(ctx);
    scripts::look(ctx);
    timer::alarm::set_sweep(timer::sweep::sweep);
    // Last: subscriptions outlive a load that fails after them.
    ffi::subscribe::<hooks::Server>(ctx)
}
