//! The native type `flashsale` as the server sees it, and the only access to its keys.
//!
//! Edge: opens, loads, saves and counts sales. What a sale is, `sale/` knows; how a
//! value gets in and out of the server, `ffi/native.rs`.

mod hints;
mod live;
mod sale_key;
mod sale_type;

pub use hints::{clear, first_due_ms, note, pop_due, swap};
pub use sale_key::{
    SaleKey, create, drop_partly_loaded, is_free, load_chunk, open_read, open_write,
};
pub use sale_type::SaleValue;
