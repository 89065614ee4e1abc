//! `flashsale worker` beside the load: this program once more, on the stream of the sale.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::link::Way;
use crate::log;

/// Ends the worker when the load is gone, however it went; a line means that it is stopped.
const GUARD: &str = r#"read -r _ && exit; kill "$1""#;

/// How long the worker may take to end after SIGTERM.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// A worker that runs. Dropping it ends the process.
pub struct Worker {
    process: Child,
    guard: Child,
}

impl Worker {
    /// Starts it; `orders` are the words that name its streams. The URLs go by the environment, where nobody else can read them.
    ///
    /// # Errors
    ///
    /// The system refuses to start it, in words.
    pub fn start(
        redis_url: &str,
        way: &Way,
        sql_url: &str,
        orders: [&str; 2],
    ) -> Result<Self, String> {
        let program = std::env::current_exe();
        let cannot = |error: std::io::Error| format!("cannot start the worker: {error}");
        let child = Command::new(program.map_err(cannot)?)
            .args(["worker", "--group", "load", "--name", "load"])
            .args(orders)
            .args(match way {
                Way::Direct => vec![],
                Way::Sentinel(name) => vec!["--sentinel", name],
                Way::Cluster => vec!["--cluster"],
            })
            .env("FLASHSALE_REDIS", redis_url)
            .env("FLASHSALE_SQL", sql_url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Out of the terminal's group: Ctrl-C ends the arrivals, and there is still to store.
            .process_group(0)
            .spawn();
        let mut process = child.map_err(cannot)?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &process.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn();
        let guard = guard.map_err(|error| {
            let _ = process.kill();
            cannot(error)
        })?;
        Ok(Self { process, guard })
    }

    /// Ends it as a service manager does, waits, and reports whether it ended in time.
    pub fn stop(mut self) -> bool {
        let pid = self.process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if asked.is_err() {
            log::warn("there is no kill: the worker is ended at once");
            return true;
        }
        let deadline = Instant::now() + ENDS_WITHIN;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                log::warn("the worker does not end: it is killed");
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(mut pipe) = self.guard.stdin.take() {
            use std::io::Write;
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.guard.wait();
    }
}
