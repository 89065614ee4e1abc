//! What the seeded fuzzer and the libFuzzer targets share.
//!
//! Edge: whoever includes this has `sale`, `error` and `ffi` (its plain data) at the
//! root of its crate.

// libFuzzer makes its own inputs, and measures by itself.
#![allow(dead_code, unused_imports)]

pub mod command;
pub mod corpus;
pub mod dense;
pub mod dice;
pub mod found;
pub mod meter;
pub mod mutate;
pub mod requests;
pub mod targets;
pub mod world;
