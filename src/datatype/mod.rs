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
mod live;
pub mod marks;
mod partly;
mod sale_key;
mod sale_type;
mod unfinished;

pub use bloom_key::{BloomKey, ValueKey};
pub use bloom_type::BloomValue;
pub use sale_key::{SaleKey, create, is_free, is_there, load_chunk, open_read, open_write};
pub use sale_type::SaleValue;
pub use unfinished::{drop_partly_loaded, settle_partly_loaded};
