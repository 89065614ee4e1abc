//! What must hold for any bytes, for libFuzzer: the engine and the grammar by path, and
//! the bodies of the targets from `tests/fuzz/`.

#[allow(dead_code)]
#[path = "../../src/error.rs"]
mod error;
#[path = "../../tests/fuzz/mod.rs"]
mod fuzz;
#[allow(dead_code, unused_imports)]
#[path = "../../src/sale/mod.rs"]
mod sale;
#[allow(dead_code)]
#[path = "../../src/ffi/spec.rs"]
mod spec;

/// What the grammar names of the layer that calls the server: data.
mod ffi {
    #[allow(unused_imports)]
    pub use crate::spec::*;
}

pub use fuzz::targets::{apply_sequence, arguments, event, snapshot};
