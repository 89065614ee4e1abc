//! What the seeded fuzzer and the libFuzzer targets share.
//!
//! Edge: whoever includes this says `use fuzz::engine::{error, ffi, sale};` at the root
//! of its crate, which is where the sources look for each other.

// libFuzzer makes its own inputs, and measures by itself.
#![allow(dead_code, unused_imports)]

pub mod command;
pub mod corpus;
pub mod dense;
// A test of a real server that includes this has it in `support` as well.
#[allow(clippy::duplicate_mod)]
#[path = "../server/support/dice.rs"]
pub mod dice;
pub mod engine;
pub mod found;
pub mod meter;
pub mod mutate;
pub mod requests;
pub mod samples;
pub mod targets;
