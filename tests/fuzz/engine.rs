//! The engine and what the grammar needs, by path: nothing of Redis, and no server.

#[path = "../../src/error.rs"]
pub mod error;
/// What the grammar names of the layer that calls the server: data.
#[path = "../../src/ffi/spec.rs"]
pub mod ffi;
#[path = "../../src/sale/mod.rs"]
pub mod sale;
