//! What must hold for any bytes, for libFuzzer: the engine and the grammar by path, and
//! the bodies of the targets from `tests/fuzz/`.

#[path = "../../tests/fuzz/mod.rs"]
mod fuzz;

use fuzz::engine::{error, ffi, sale};

pub use fuzz::targets::{apply_sequence, arguments, event, snapshot};
