//! Redis on free ports of the loopback, in folders that vanish; each process is ended by its
//! pid.

pub mod session;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Waits for a condition, and says what was waited for if it never comes.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    // Longer in a long run, where a database works off 100,000 entries.
    let patience = Duration::from_secs(120 + entries_wanted() as u64 / 100);
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns how many entries the kill loops are made of.
pub fn entries_wanted() -> usize {
    let wanted = std::env::var("FLASHSALE_LOOP_ENTRIES").ok();
    wanted.map_or(2_000, |number| number.parse().expect("a number"))
}

/// Returns a port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    status.expect("kill");
}

/// One process, killed when it goes out of scope.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis that keeps what it was told through a kill.
pub struct Redis {
    pub port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl Redis {
    /// Starts a server; `arguments` are further ones of its own.
    pub fn start(arguments: &[&str]) -> Self {
        let mut redis = Self {
            port: free_port(),
            folder: tempfile::tempdir().expect("a folder"),
            process: None,
        };
        redis.run(arguments);
        redis
    }

    /// Starts a server with the module.
    pub fn with_module() -> Self {
        let module = module_path();
        Self::start(&["--loadmodule", module.to_str().expect("a path")])
    }

    /// Starts the program on the data that is there.
    pub fn run(&mut self, arguments: &[&str]) {
        let program = std::env::var("FLASHSALE_SERVER").unwrap_or_else(|_| "redis-server".into());
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let child = Command::new(program)
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--appendonly",
                "yes",
            ])
            .args(["--save", "", "--repl-diskless-sync-delay", "0", "--dir"])
            .arg(self.folder.path())
            .args(arguments)
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server");
        self.process = Some(Process(child));
        wait_until("Redis answers", || {
            self.try_ask(&redis::cmd("PING")).is_ok()
        });
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Lets it answer nobody for a while.
    pub fn stall(&self, time: Duration) {
        let pid = self.process.as_ref().expect("a server").0.id();
        signal(pid, "STOP");
        std::thread::sleep(time);
        signal(pid, "CONT");
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a server").0.id()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(2))
    }

    pub fn try_ask(&self, command: &redis::Cmd) -> redis::RedisResult<redis::Value> {
        command.query(&mut self.connection()?)
    }

    /// Sends a command given as one line.
    #[track_caller]
    pub fn ask<T: redis::FromRedisValue>(&self, line: &str) -> T {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        words.for_each(|word| {
            command.arg(word);
        });
        let mut connection = self.connection().expect("a connection");
        command
            .query(&mut connection)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

/// Returns the module: `FLASHSALE_MODULE`, or what this repository has built last.
pub fn module_path() -> PathBuf {
    if let Ok(path) = std::env::var("FLASHSALE_MODULE") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let built = ["release", "debug"].map(|profile| root.join(profile).join("libflashsale.so"));
    let newest = built.iter().filter(|path| path.exists());
    let newest = newest.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    let newest = newest.expect("no module is built: run make build, or set FLASHSALE_MODULE");
    newest.canonicalize().expect("a path")
}

/// Has promtool play a test of alerts in examples/monitoring.
#[track_caller]
pub fn alerts_fire(test: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/monitoring");
    let played = Command::new("promtool")
        .args(["test", "rules", test])
        .current_dir(folder)
        .output();
    let Ok(played) = played else {
        eprintln!("SKIPPED: promtool is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&played.stdout).into_owned()
        + &String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{text}");
}
