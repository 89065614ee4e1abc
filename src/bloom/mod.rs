//! A Bloom filter as a pure data structure.
mod chain;
mod event;
mod filter;
mod hash;
mod params;
pub use chain::*;
pub use event::*;
pub use filter::*;
pub use hash::*;
pub use params::*;
