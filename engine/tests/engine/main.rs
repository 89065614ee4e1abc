//! The engine, without a server.
//!
//! **Goal**: sales, filters and rate limits do what the contract says, in any order of requests and
//! after any fault, and their bytes stay what they are.
//!
//! **Method**: one program, linked once. `model` holds a sale against a slow, obvious
//! model of it, `beyond` one that gets orders and units from elsewhere; `simulation` runs a
//! primary, replicas and clients through faults, `split` the parts of one sale and their drivers;
//! `codec`
//! holds the bytes against golden files; `bloom_model` and `bloom_rate` do the same for
//! filters, `rate` for rate limits; `reconcile` repairs what a loss left; `units` holds units with names against a list of rows. `commands` is what the model and the simulation ask. `cargo test -p
//! flashsale-engine --test engine model::` runs one of them.

mod beyond;
mod bloom_model;
mod bloom_rate;
mod codec;
mod commands;
mod line;
mod model;
mod rate;
mod reconcile;
mod simulation;
mod split;
mod units;

use flashsale_fuzz::meter::Meter;

#[global_allocator]
static METER: Meter = Meter;
