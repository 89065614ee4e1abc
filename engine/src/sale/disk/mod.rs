//! A sale as bytes on disk: written as a snapshot, and read with distrust.

pub mod chains;
mod item;
mod kept;
mod line;
pub mod loader;
mod outbox;
mod restock;
mod shares;
pub mod snapshot;
mod units;
