//! The program under test, entries for it, and what may happen between it and Redis.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::servers::{Process, Redis, free_port, signal, wait_until};

pub const SALE_ID: &str = "01M7X72MMFKE90FX41YJQAEQZJ";

/// Runs `flashsale worker` to its end.
pub fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashsale"));
    command
        .arg("worker")
        .args(arguments)
        .output()
        .expect("flashsale")
}

/// A worker that runs.
pub struct Worker {
    process: Process,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Worker {
    /// Starts the worker `w1` on the stream `tea:orders`.
    pub fn start(redis_url: &str, sql_url: &str, more: &[&str]) -> Self {
        let ours = ["--orders", "tea:orders", "--name", "w1"];
        Self::start_with(redis_url, sql_url, &[&ours, more].concat())
    }

    pub fn start_with(redis_url: &str, sql_url: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_flashsale"))
            .arg("worker")
            .args(arguments)
            .env("FLASHSALE_REDIS", redis_url)
            .env("FLASHSALE_SQL", sql_url)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("flashsale");
        Self {
            process: Process(child),
            log,
            _folder: folder,
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn is_running(&mut self) -> bool {
        self.process.0.try_wait().expect("its state").is_none()
    }

    /// Ends it in order, and returns how.
    pub fn stop(mut self) -> (ExitStatus, String) {
        signal(self.pid(), "TERM");
        let status = self.process.0.wait().expect("its end");
        (status, self.log())
    }

    /// Kills it as a crash would.
    pub fn kill(self) {
        drop(self);
    }
}

/// One entry as text.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// An order of one unit.
pub fn order(id: &str, reference: &str) -> Fields {
    fields(&[
        ("event", "order"),
        ("sale", "tea"),
        ("sale_id", SALE_ID),
        ("id", id),
        ("user", &format!("user-{id}")),
        ("qty", "1"),
        ("items", r#"[{"sku":"green","qty":1}]"#),
        ("at_ms", "1795203093164"),
        ("ref", reference),
    ])
}

pub fn refund(id: &str, reference: &str) -> Fields {
    let mut entry = with(&order(id, reference), "event", "refund");
    entry.extend(fields(&[("restocked", "1")]));
    entry
}

/// An event of a reservation, of a sale with EVENTS all.
pub fn event(word: &str, id: &str, seq: i64) -> Fields {
    let entry = with(&order(id, ""), "event", word);
    let entry = with(&entry, "expires_at_ms", "1795203153164");
    with(&entry, "seq", seq.to_string())
}

/// The same entry with another value of a field.
pub fn with(entry: &Fields, name: &str, value: impl AsRef<[u8]>) -> Fields {
    let mut entry = entry.clone();
    let value = value.as_ref().to_vec();
    match entry.iter_mut().find(|(one, _)| one == name.as_bytes()) {
        Some((_, there)) => *there = value,
        None => entry.push((name.as_bytes().to_vec(), value)),
    }
    entry
}

pub fn without(entry: &Fields, name: &str) -> Fields {
    entry
        .iter()
        .filter(|(one, _)| one != name.as_bytes())
        .cloned()
        .collect()
}

/// Appends entries, as the module will.
pub fn append(redis: &Redis, entries: &[Fields]) {
    let mut connection = redis.connection().expect("a connection");
    for part in entries.chunks(1_000) {
        let mut pipe = redis::pipe();
        for entry in part {
            let command = pipe.cmd("XADD").arg("tea:orders").arg("*");
            for (name, value) in entry {
                command.arg(name).arg(value);
            }
            command.ignore();
        }
        pipe.query::<()>(&mut connection).expect("XADD");
    }
}

/// Waits until the group has been given all, and has acknowledged all.
#[track_caller]
pub fn wait_for_all(redis: &Redis) {
    wait_until("everything is acknowledged", || is_all_acknowledged(redis));
}

/// By the last ID and not by `lag`, which is too large after a failover.
pub fn is_all_acknowledged(redis: &Redis) -> bool {
    let info = |what: &str| redis.try_ask(redis::cmd("XINFO").arg(what).arg("tea:orders"));
    let Ok(redis::Value::Array(groups)) = info("GROUPS") else {
        return false;
    };
    let (Some(group), Ok(stream)) = (groups.into_iter().next(), info("STREAM")) else {
        return false;
    };
    value_of(&group, "pending") == Some(redis::Value::Int(0))
        && value_of(&group, "last-delivered-id") == value_of(&stream, "last-generated-id")
}

fn value_of(flat: &redis::Value, name: &str) -> Option<redis::Value> {
    let redis::Value::Array(flat) = flat else {
        return None;
    };
    let is_name = |pair: &&[redis::Value]| matches!(&pair[0], redis::Value::BulkString(one) if one == name.as_bytes());
    flat.chunks_exact(2)
        .find(is_name)
        .map(|pair| pair[1].clone())
}

/// Stands between a worker and Redis, and strikes between COMMIT and XACK.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How many XACKs are still let through before one is not; `u32::MAX` for all.
    passing: AtomicU32,
    /// Killed when an XACK is not let through; 0 for nobody.
    pid: AtomicU32,
    cuts: AtomicU32,
}

impl Proxy {
    pub fn start(target: u16) -> Self {
        let port = free_port();
        let shared = Arc::new(Shared::default());
        shared.passing.store(u32::MAX, Ordering::SeqCst);
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let ours = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    let shared = Arc::clone(&ours);
                    std::thread::spawn(move || shared.join(client, server));
                }
            }
        });
        Self { port, shared }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// After so many XACKs the next one is lost, and with it the process, if one is given.
    pub fn cut_after(&self, passing: u32, pid: u32) {
        self.shared.pid.store(pid, Ordering::SeqCst);
        self.shared.passing.store(passing, Ordering::SeqCst);
    }

    pub fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn join(&self, client: TcpStream, server: TcpStream) {
        let (mut from_server, mut to_client) = (
            server.try_clone().expect("a clone"),
            client.try_clone().expect("a clone"),
        );
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_server, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let (mut from_client, mut to_server) = (client, server);
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer) {
            if self.is_struck(&buffer[..read]) || to_server.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Both);
        let _ = from_client.shutdown(Shutdown::Both);
        let _ = back.join();
    }

    fn is_struck(&self, bytes: &[u8]) -> bool {
        if !bytes.windows(4).any(|window| window == b"XACK") {
            return false;
        }
        let passing = self.passing.load(Ordering::SeqCst);
        if passing == u32::MAX {
            return false;
        }
        if passing > 0 {
            self.passing.store(passing - 1, Ordering::SeqCst);
            return false;
        }
        self.passing.store(u32::MAX, Ordering::SeqCst);
        let pid = self.pid.load(Ordering::SeqCst);
        if pid != 0 {
            signal(pid, "KILL");
        }
        self.cuts.fetch_add(1, Ordering::SeqCst);
        true
    }
}
