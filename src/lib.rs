//! A flash sale as a native type of Redis: stock, limits, reservations with deadlines,
//! retries and orders, each in one command.
//!
//! # The source, from the outside in
//!
//! | Question | Where |
//! |---|---|
//! | what does a command take and answer | `command/`, one file each, its page on top |
//! | where does a refusal come from | `sale/`, which knows no server |
//! | what does a replica run, what is on disk of a sale | `sale/` as well |
//! | how does a change reach the AOF and the replicas | `replication.rs` |
//! | what is a Bloom filter, what is on disk of it | `bloom/`, which knows no server either |
//! | how does its change reach the AOF and the replicas | `bloom_replication.rs` |
//! | what of an AOF ends the start | `damage.rs` |
//! | which key are names hashed with | `names.rs` |
//! | when do listeners hear of a change | `news.rs` |
//! | what is in an order | `orders.rs` |
//! | how does an overdue reservation come back | `expiry.rs`, `expiry_index.rs` |
//! | whose are the deadlines of a slot that moves | `slots.rs` |
//! | what is a key of this type to the server | `datatype/` |
//! | which settings are there, what is counted | `config.rs`, `info.rs` |
//! | what would hurt a sale on this server | `doctor/` |
//! | what does an error say, where is the clock read | `error.rs`, `clock.rs` |
//! | where are events encoded | `scratch.rs` |
//! | which scripts go on at `maxmemory` | `scripts.rs` |
//! | where are large blocks freed | `reclaim.rs` |
//! | how does the server call, and how is it called | `ffi/`, the only unsafe code |
//!
//! Arrows never turn round: `command` uses `datatype` and `replication`, those use
//! `ffi`, all of them use `sale`, and `sale` uses nothing of the rest. The one exception is
//! the timer: `expiry` commits what it returns, and is told of every commit.
//!
//! # One change, start to end
//!
//! A command parses its line, opens its keys, and asks the sale for a plan. The plan is
//! an event or an answer. An answer is replied, and nothing has changed. An event goes
//! to [`change::commit::commit`], which carries the event out, sends it to the AOF and the
//! replicas, and notifies clients. An event that sells goes there by way of
//! [`change::commit::commit_order`], which appends the order first.
#![deny(unsafe_code)]

mod change;
mod clock;
mod command;
mod config;
mod damage;
mod datatype;
mod doctor;
mod error;
mod ffi;
mod hooks;
mod info;
mod names;
mod news;
mod orders;
mod place;
mod reclaim;
mod scratch;
mod scripts;
mod slots;
mod timer;

/// Registers everything; called by the server when it loads the module.
///
/// # Errors
///
/// An argument of the module is wrong, or the server does not take a registration. In
/// words for the log.
fn load(ctx: ffi::Ctx<'_>, arguments: &[&[u8]]) -> Result<(), String> {
    names::draw_key();
    config::register(ctx, arguments)?;
    ffi::set_module_options(ctx);
    ffi::register_type::<datatype::SaleValue>(ctx)?;
    ffi::register_type::<datatype::BloomValue>(ctx)?;
    ffi::add_acl_category(ctx);
    command::register(ctx)?;
    if config::bf_aliases() {
        command::register_aliases(ctx);
    }
    ffi::register_info::<info::Info>(ctx);
    doctor::note_load(ctx);
    scripts::look(ctx);
    timer::alarm::wake(timer::sweep::sweep);
    // Last: subscriptions outlive a load that fails after them.
    ffi::subscribe::<hooks::Server>(ctx)
}
