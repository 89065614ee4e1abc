//! The native types `flashsale`, `fls-bloom` and `fls-limit` as the server sees them, and the
//! only access to their keys.
//!
//! Edge: opens, loads, saves and counts sales, filters and rate limits. What these are is in the
//! engine; how the server calls a type, in `ffi/native.rs`.

pub mod bloom_key;
mod bloom_live;
mod bloom_type;
mod door;
mod key;
pub mod limit_key;
mod limit_live;
mod limit_type;
pub mod line;
mod live;
mod live_line;
mod loadable;
pub mod marks;
mod partly;
mod sale_key;
mod sale_type;
mod settle;

pub use bloom_key::{AnyBloomKey, BloomKey};
pub use bloom_type::{BloomState, BloomValue};
pub use key::{is_free, is_there, load_chunk, partly_loaded};
pub use limit_key::LimitKey;
pub use limit_live::LiveLimit;
pub use limit_type::LimitValue;
pub use live::LiveSale;
pub use loadable::Loadable;
pub use sale_key::{SaleKey, create, open_read, open_write};
pub use sale_type::SaleValue;
pub use settle::{drop_partly_loaded, settle_partly_loaded};
