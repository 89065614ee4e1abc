//! The grammar of the commands, without a server: what reads a line before anything is
//! looked up.

#[path = "../../src/command/args.rs"]
pub mod args;
#[path = "../../src/command/items.rs"]
pub mod items;
#[path = "../../src/command/options.rs"]
pub mod options;
