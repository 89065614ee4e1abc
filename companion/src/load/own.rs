//! Servers of the load's own: free ports of the loopback, folders that vanish, the module loaded.
//! Nothing else is ever killed.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to answer its first PING, and a replica to catch up.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Ends the server when the load is gone, however it went: the read ends when the last writer
/// of the pipe does, also after a kill that runs no destructor. A line through the pipe means
/// that the load has cleaned up by itself.
const GUARD: &str = r#"read -r _ && exit; kill -9 "$1"; rm -rf -- "$2""#;

/// A running server. Dropping it ends the process and removes its folder.
pub struct Server {
    process: Child,
    guard: Child,
    folder: TempDir,
    pub port: u16,
}

/// A primary and its replica.
pub struct Own {
    primary: Option<Server>,
    replica: Server,
}

impl Own {
    /// Starts both, and waits until the replica follows.
    ///
    /// # Errors
    ///
    /// In words: no module, no server program, or the end of the server's log.
    pub fn start(module: &str) -> Result<Self, String> {
        let found = std::fs::canonicalize(module);
        let module = found.map_err(|error| format!("--own {module}: {error}"))?;
        let primary = Server::start(&module, &[])?;
        let port = primary.port.to_string();
        let mut replica = Server::start(&module, &["--replicaof", "127.0.0.1", &port])?;
        replica.wait_until("it follows its primary", |server| {
            let info = server.ask(redis::cmd("INFO").arg("replication"));
            info.is_ok_and(|info| info.contains("master_link_status:up"))
        })?;
        Ok(Self {
            primary: Some(primary),
            replica,
        })
    }

    /// Returns the port of the primary; after a promotion, that of the survivor.
    pub fn port(&self) -> u16 {
        self.primary
            .as_ref()
            .map_or(self.replica.port, |server| server.port)
    }

    /// Returns the URL of whichever is the primary, for a program that looks for it.
    pub fn url(&self) -> String {
        match &self.primary {
            Some(primary) => format!(
                "redis://127.0.0.1:{},127.0.0.1:{}",
                primary.port, self.replica.port
            ),
            None => format!("redis://127.0.0.1:{}", self.replica.port),
        }
    }

    /// Kills the primary as a crash would.
    pub fn kill_primary(&mut self) {
        self.primary = None;
    }

    /// Makes the replica the primary.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn promote(&self) -> Result<(), String> {
        let mut command = redis::cmd("REPLICAOF");
        command.arg("NO").arg("ONE");
        self.replica.ask(&command).map(|_| ())
    }
}

impl Server {
    fn start(module: &Path, more: &[&str]) -> Result<Self, String> {
        let program = server_program();
        let cannot = |error: std::io::Error| format!("cannot start {program}: {error}");
        let folder = tempfile::Builder::new().prefix("flashsale-").tempdir();
        let folder = folder.map_err(cannot)?;
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        let port = port.map_err(cannot)?.port();
        let mut process = Command::new(&program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--logfile",
                "server.log",
            ])
            .args(["--repl-diskless-sync-delay", "0", "--dir"])
            .arg(folder.path())
            .arg("--loadmodule")
            .arg(module)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Out of the terminal's group, so that Ctrl-C reaches it through the guard.
            .process_group(0)
            .spawn()
            .map_err(cannot)?;
        let guard = spawn_guard(process.id(), folder.path()).map_err(|error| {
            let _ = process.kill();
            cannot(error)
        })?;
        let mut server = Self {
            process,
            guard,
            folder,
            port,
        };
        // Its process, and not that of another server that took the port meanwhile.
        let line = format!("process_id:{}", server.process.id());
        server.wait_until("it answers", |server| {
            let info = server.ask(redis::cmd("INFO").arg("server"));
            info.is_ok_and(|info| info.lines().any(|known| known == line))
        })?;
        Ok(server)
    }

    /// Sends one command over a connection of its own.
    fn ask(&self, command: &redis::Cmd) -> Result<String, String> {
        let asked = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port))
            .and_then(|client| client.get_connection_with_timeout(Duration::from_secs(2)))
            .and_then(|mut connection| command.query::<String>(&mut connection));
        asked.map_err(|error| error.to_string())
    }

    fn wait_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + START_WITHIN;
        while !holds(self) {
            let has_ended = !matches!(self.process.try_wait(), Ok(None));
            if Instant::now() > deadline || has_ended {
                return Err(format!(
                    "waited in vain for the server of --own until {what}:\n{}",
                    self.log_tail()
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("server.log"));
        let log = log.unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that is gone is what is wanted, so errors do not matter.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(mut pipe) = self.guard.stdin.take() {
            use std::io::Write;
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.guard.wait();
    }
}

fn spawn_guard(server: u32, folder: &Path) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", GUARD, "guard", &server.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
}

/// `FLASHSALE_SERVER` if it is set, else whichever server is in the path.
fn server_program() -> String {
    if let Ok(program) = std::env::var("FLASHSALE_SERVER") {
        return program;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = ["redis-server", "valkey-server"];
    let is_there = |name: &&str| {
        let mut places = std::env::split_paths(&path).map(|folder: PathBuf| folder.join(name));
        places.any(|place| place.is_file())
    };
    let found = known.into_iter().find(is_there);
    found.unwrap_or(known[0]).to_owned()
}
