//! A server of the example's own: a free port of the loopback, a folder that
//! vanishes, the module loaded.
//!
//! Edge: starts, connects, ends. What is sent over the connections is the
//! example's business.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use tempfile::TempDir;

use crate::reply::Outcome;

/// How long a server may take to answer its first PING.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// Ends the server when the example is gone, however it went: the read ends when the
/// last writer of the pipe does, also after Ctrl-C or a kill that runs no destructor.
/// A line through the pipe means that the example has cleaned up by itself.
const GUARD: &str = r#"read -r _ && exit; kill -9 "$1"; rm -rf -- "$2""#;

/// What a server is told, beside a free port, a folder and the module.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// A program that starts it, with its arguments, such as `taskset -c 1`.
    pub starter: Vec<String>,
    /// Settings as on the command line: `--appendonly`, `yes`.
    pub settings: Vec<String>,
    /// What follows the module's path.
    pub module_arguments: Vec<String>,
}

impl Setup {
    pub fn of(settings: &[&str]) -> Setup {
        Setup {
            settings: settings.iter().map(|word| (*word).to_owned()).collect(),
            ..Setup::default()
        }
    }
}

/// A running server. Dropping it ends the process and removes its folder.
pub struct Server {
    process: Child,
    guard: Child,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// Starts a server with the module and waits until it answers.
    ///
    /// # Errors
    ///
    /// There is no module, no server program, or the server did not come up: then
    /// the text holds the end of its log.
    pub fn start(setup: &Setup) -> Outcome<Server> {
        let module = module_path()?;
        let program = server_program();
        let folder = tempfile::Builder::new().prefix("flashsale-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut words = setup.starter.iter().chain([&program]);
        let mut process = Command::new(words.next().unwrap_or(&program))
            .args(words)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--logfile", "server.log"])
            .args(&setup.settings)
            .arg("--dir")
            .arg(folder.path())
            .arg("--loadmodule")
            .arg(&module)
            .args(&setup.module_arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Out of the terminal's group, so that Ctrl-C reaches it through the guard.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error} (make run installs it)"))?;
        let guard = spawn_guard(process.id(), folder.path()).inspect_err(|_| {
            let _ = process.kill();
        })?;
        let mut server = Server {
            process,
            guard,
            folder,
            port,
        };
        server.wait_until_up()?;
        Ok(server)
    }

    /// The port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Opens one more connection.
    pub fn connect(&self) -> Outcome<Connection> {
        let client = Client::open(format!("redis://127.0.0.1:{}/", self.port))?;
        Ok(client.get_connection()?)
    }

    /// The server's name and version, as it says itself.
    pub fn version(&self) -> Outcome<String> {
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query(&mut self.connect()?)?;
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
        };
        Ok(match (field("valkey_version:"), field("redis_version:")) {
            (Some(version), _) => format!("Valkey {version}"),
            (None, Some(version)) => format!("Redis {version}"),
            (None, None) => "a server without a version".into(),
        })
    }

    fn wait_until_up(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Ok(mut connection) = self.connect()
                && redis::cmd("PING").query::<String>(&mut connection).is_ok()
            {
                return Ok(());
            }
            let ended = self.process.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(format!("the server did not come up:\n{}", self.log_tail()).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that is already gone is what is wanted, so errors do not matter.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(pipe) = self.guard.stdin.take() {
            dismiss(pipe);
        }
        let _ = self.guard.wait();
    }
}

fn dismiss(mut pipe: ChildStdin) {
    use std::io::Write;
    let _ = pipe.write_all(b"done\n");
}

fn spawn_guard(server: u32, folder: &Path) -> Outcome<Child> {
    let guard = Command::new("sh")
        .args(["-c", GUARD, "guard", &server.to_string()])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(guard)
}

/// `FLASHSALE_SERVER` if it is set, else whichever server is installed.
fn server_program() -> String {
    let installed = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    env::var("FLASHSALE_SERVER").unwrap_or_else(|_| {
        let known = ["redis-server", "valkey-server"];
        known
            .into_iter()
            .find(installed)
            .unwrap_or(known[0])
            .to_owned()
    })
}

/// The module that was built with this example: `deps/` first, because that is
/// where a build of the example alone writes it.
fn module_path() -> Outcome<PathBuf> {
    if let Some(path) = env::var_os("FLASHSALE_MODULE") {
        let found = fs::canonicalize(&path);
        return Ok(found.map_err(|error| format!("FLASHSALE_MODULE {}: {error}", path.display()))?);
    }
    let name = format!(
        "{}flashsale{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    );
    let program = env::current_exe()?;
    let profile = program
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("target/release"));
    let candidates = [profile.join("deps").join(&name), profile.join(&name)];
    match candidates.iter().find(|path| path.exists()) {
        Some(path) => Ok(path.clone()),
        None => Err(format!(
            "no {name} below {}: cargo build --release",
            profile.display()
        )
        .into()),
    }
}
