//! The native types `flashsale` and `fls-bloom` as the server sees them, and the only
//! access to their keys.
//!
//! Edge: opens, loads, saves and counts sales and filters. What a sale is, `sale/` knows,
//! what a filter is, `bloom/`; how a value gets in and out of the server,
//! `ffi/native.rs`.

mod begun;
pub mod bloom_key;
mod bloom_live;
mod bloom_type;
mod hints;
mod live;
mod marks;
mod partly;
mod sale_key;
mod sale_type;

pub use begun::{drop_partly_loaded, settle_partly_loaded};
pub use bloom_key::{BloomKey, ValueKey};
pub use bloom_type::BloomValue;
pub use hints::{clear, first_due_ms, hold, load_beside, note, pop_due, release, swap};
pub use marks::{Diverged, diverged};
pub use sale_key::{SaleKey, create, is_free, is_there, load_chunk, open_read, open_write};
pub use sale_type::SaleValue;
