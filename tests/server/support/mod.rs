//! What the tests against a real server share: starting servers, sending a
//! command line, and saying in readable words what the answer must be.
//!
//! What most tests use is named here; of the other modules (`pub mod`) a test names the
//! one it needs.
//!
//! Edge: nothing here knows how the module works. A test that names the crate
//! `flashsale` would link Redis's allocator and abort, so all of this speaks RESP.
//!
//! Environment:
//! - `FLASHSALE_SERVER`: the server program, else `redis-server` of the path.
//! - `FLASHSALE_MODULE`: the module, else `libflashsale.so` beside the test binary.
//! - `FLASHSALE_ADDRESS`: `host:port` of a running server to test instead. It is
//!   emptied by every test; tests that must start or stop servers then skip.

pub mod aof;
pub mod books;
mod bulk;
pub mod clients;
pub mod clock;
mod cluster;
mod con;
mod events;
mod feed;
pub mod forged_primary;
mod library;
pub mod link;
pub mod load;
mod older;
mod payload;
mod reply;
mod rush;
pub mod sentinel;
mod server;
pub mod story;
// The README's tests include it by path, and use more of it.
#[allow(dead_code)]
pub mod transcript;
mod wait;
pub mod workload;

pub use bulk::{all_said, send_all};
pub use cluster::Cluster;
pub use con::{Con, words_of};
pub use events::Events;
pub use feed::Feed;
pub use flashsale_fuzz::dice::Dice;
pub use library::library;
pub use older::older_module;
pub use payload::{crc64, damage, forge, hex, unhex};
pub use reply::{render, text_of};
pub use rush::rush_on;
pub use server::{
    NO_MODULE, REPLICA_OF_NOBODY, Server, connect, may_start_servers, module_path, program,
    replicate, wait_for_replica,
};
pub use wait::{is_soon, unix_ms, wait_for, wait_until};
