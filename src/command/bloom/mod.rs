//! The commands of Bloom filters: one file each, and the file is its manual page. What they
//! share of grammar and replies is in `args.rs`.

pub mod add;
pub mod apply;
pub mod args;
pub mod card;
pub mod clear;
pub mod debug;
pub mod exists;
pub mod info;
pub mod insert;
pub mod load;
pub mod loadchunk;
pub mod madd;
pub mod merge;
pub mod mexists;
pub mod reserve;
pub mod scandump;
