//! What would hurt a sale on this server: gathered in `facts.rs`, judged in `rules.rs`,
//! which lists the rules of the other files, one a topic.

mod copies;
mod disk;
mod entries;
mod facts;
mod lines;
mod memory;
mod passes;
mod replicas;
mod rule;
mod rules;
mod server;
mod slots;

pub use facts::{Facts, note_load};
pub use rules::judge;
