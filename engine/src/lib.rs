//! The rules of a flash sale, Bloom filters and rate limits, as pure state machines.
//!
//! A caller brings the time, the ids, the limits of its configuration and the secret key
//! that names are hashed with; the engine decides, and changes only what it was handed.
//! There is no Redis here, no clock, no randomness, no thread and no log. Redis's module
//! runs exactly this code on a primary, on a replica and in the replay of an AOF, and the
//! tests run it without a server.
//!
//! | Question | Where |
//! |---|---|
//! | where does a refusal come from | `sale/plan/` |
//! | what does a replica run | `sale/event/`: `check.rs`, then `apply.rs` |
//! | what is on disk and in a replication stream | `sale/disk/`, `sale/event/codec.rs`, `wire/` |
//! | what does a sale keep | `sale/state.rs`, `sale/book/` |
//! | does it add up, and agree with the order stream | `sale/audit/` |
//! | how are names, records and hashes kept | `table/` |
//! | what is a Bloom filter | `bloom/` |
//! | how often may somebody call | `rate/` |
//!
//! Arrows never turn round: `table` and `wire` know no sale; `sale/book` builds on them,
//! then `state`, then `ask`, `event`, `views` and `audit`, then `plan` and `disk`.

#![forbid(unsafe_code)]

pub mod bloom;
pub mod rate;
pub mod sale;
mod table;
mod wire;

/// Counts the steps of tables, for tests.
#[cfg(feature = "count-steps")]
pub use table::work::steps_of;
