//! Tables that know no sale: records at stable slots, an index from hashes to slots, names
//! as they are kept, and the keyed hash they are found by.
//!
//! | Question | File |
//! |---|---|
//! | how are records kept without ever being moved | `slab.rs` |
//! | how is a record found, and how does the index grow without a stall | `index.rs`, `segment.rs`, `bucket.rs` |
//! | how is a name kept and compared | `name.rs` |
//! | how is it hashed so that strangers cannot choose collisions | `hash.rs` |
//! | what does a look-up cost, in steps | `work.rs` |

mod bucket;
pub mod hash;
pub mod index;
pub mod name;
mod segment;
pub mod slab;
pub mod work;
