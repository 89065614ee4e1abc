//! A clock for servers under test, which can be set while they run.
//!
//! `clock.c`, which says how it works, is compiled once and preloaded into the server. Only
//! Linux can preload it; elsewhere these tests skip.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::NamedTempFile;

use super::con::Con;
use super::library::library;
use super::server::Server;
use super::wait::{unix_ms, wait_until};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// What may pass between two looks at a clock, in milliseconds.
const NEAR_MS: i64 = 200;

/// The clock of a server.
pub struct Clock {
    file: NamedTempFile,
}

impl Clock {
    /// A clock that agrees with the machine's; `None`, with a plain message, where a
    /// server cannot be given one.
    #[track_caller]
    pub fn new() -> Option<Clock> {
        if cfg!(not(target_os = "linux")) {
            eprintln!("skipped: a server's clock can be set on Linux only");
            return None;
        }
        let file = NamedTempFile::new().expect("a file for the clock");
        let clock = Clock { file };
        clock.set(0);
        Some(clock)
    }

    /// Sets the clock so far ahead of the machine's, or behind it, and waits until a server
    /// goes by it. Valkey 9.1 works the time out from its last look at the clock, which it
    /// takes a few times a second.
    #[track_caller]
    pub fn step(&self, con: &mut Con, step_ms: i64) {
        self.set(step_ms);
        wait_until("the server goes by its clock", || {
            let ahead_ms = con.now_ms() as i64 - unix_ms() as i64;
            (ahead_ms - step_ms).abs() <= NEAR_MS
        });
    }

    /// Sets the clock for a server that is to be started.
    pub fn set(&self, step_ms: i64) {
        let written = self.file.as_file().write_all_at(&step_ms.to_ne_bytes(), 0);
        written.expect("the file of the clock");
    }

    /// A server that goes by this clock, `step_ms` from the machine's.
    #[track_caller]
    pub fn server(&self, step_ms: i64, server_args: &[&str]) -> Option<Server> {
        let environment = [
            ("LD_PRELOAD", path_text(preloaded())),
            ("FLASHSALE_TEST_CLOCK", path_text(self.file.path())),
        ];
        self.set(DAY_MS);
        let server = Server::own_under(&environment, server_args, &[])?;
        // It loads modules, so it is linked dynamically, and the library is in the way.
        let ahead_ms = server.conn().now_ms().saturating_sub(unix_ms()) as i64;
        assert!(ahead_ms > HOUR_MS, "the server does not go by its clock");
        self.step(&mut server.conn(), step_ms);
        Some(server)
    }
}

/// Waits until the machine's clock has gone on so far.
pub fn wait_ms(what: &str, ms: u64) {
    let until = unix_ms() + ms;
    wait_until(what, || unix_ms() >= until);
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn preloaded() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| library("clock"))
}
