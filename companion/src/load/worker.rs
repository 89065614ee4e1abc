//! `flashsale worker` beside the load: this program once more, on the stream of the sale.

use std::process::{Child, Command, Stdio};

use crate::link::Way;
use crate::log;

/// A worker that runs. Dropping it ends the process.
pub struct Worker(Child);

impl Worker {
    /// Starts it. The URLs go by the environment, where nobody else can read them.
    ///
    /// # Errors
    ///
    /// The system refuses to start it, in words.
    pub fn start(redis_url: &str, way: &Way, sql_url: &str, orders: &str) -> Result<Self, String> {
        let program = std::env::current_exe();
        let cannot = |error: std::io::Error| format!("cannot start the worker: {error}");
        let child = Command::new(program.map_err(cannot)?)
            .args([
                "worker", "--group", "load", "--name", "load", "--orders", orders,
            ])
            .args(match way {
                Way::Direct => vec![],
                Way::Sentinel(name) => vec!["--sentinel", name],
                Way::Cluster => vec!["--cluster"],
            })
            .env("FLASHSALE_REDIS", redis_url)
            .env("FLASHSALE_SQL", sql_url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        child.map(Self).map_err(cannot)
    }

    /// Ends it as a service manager does, and waits.
    pub fn stop(mut self) {
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if asked.is_err() {
            log::warn("there is no kill: the worker is ended at once");
            return;
        }
        let _ = self.0.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
