//! `flashsale split` against real servers.
//!
//! **Goal**: one stock in several parts is sold to the last unit and not beyond, whoever dies;
//! what a person runs by hand is safe to repeat, and says what is wrong.
//!
//! **Method**: the program is a black box, run as a process. One server holds all parts where no
//! shard has to die; `cluster.rs` has three primaries and three replicas (`make test-cluster`).
//! Faults are planted by hand: a TAKE of what nobody gave, a part that is deleted, an AOF that is
//! off.

mod balance;
mod bench;
mod cluster;
mod cluster_servers;
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod gateway;
mod load;
mod manage;
mod pump;
mod repair;
mod rights;
mod rush;

use std::process::{Child, Command, Output, Stdio};

use common::Redis;

/// A command with the program, which sees no URL of the environment of the tests.
fn program(url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashsale"));
    command.arg("split").args(words);
    command
        .env("FLASHSALE_REDIS", url)
        .env_remove("FLASHSALE_SQL");
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end: exit code, and what it printed.
fn run(url: &str, words: &[&str]) -> (i32, String) {
    ended(&program(url, words).output().expect("flashsale"))
}

/// Runs a line that has to succeed.
#[track_caller]
fn does(url: &str, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let (code, text) = run(url, &words);
    assert_eq!(code, 0, "{line}: {text}");
    text
}

fn ended(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

/// A driver at work.
struct Driver {
    child: Option<Child>,
    log: tempfile::NamedTempFile,
}

impl Driver {
    fn start(url: &str, words: &[&str]) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a log");
        let mut command = program(url, &["balance", "shoes"]);
        command.args(words).stdout(Stdio::null());
        command.stderr(log.reopen().expect("a log"));
        Self {
            child: Some(command.spawn().expect("flashsale")),
            log,
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("a driver").id()
    }

    /// Ends it in order, and returns its exit code.
    fn stop(mut self) -> i32 {
        common::signal(self.pid(), "TERM");
        let mut child = self.child.take().expect("a driver");
        child.wait().expect("its end").code().unwrap_or(-1)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The keys of the parts.
fn keys(redis: &Redis) -> Vec<String> {
    let parts: usize = redis.ask("HGET {shoes}:parts parts");
    (0..parts)
        .map(|part| redis.ask(&format!("HGET {{shoes}}:parts {part}")))
        .collect()
}

/// Available, reserved and sold of an item over all parts.
fn stock(redis: &Redis, keys: &[String], sku: &str) -> [i64; 3] {
    let mut sums = [0; 3];
    for key in keys {
        let rows: Vec<(String, i64, i64, i64, i64)> =
            redis.ask(&format!("FLASHSALE.STOCK {key} {sku}"));
        for (_, available, reserved, sold, _) in rows {
            sums[0] += available;
            sums[1] += reserved;
            sums[2] += sold;
        }
    }
    sums
}

/// The first word of an answer, and the whole.
fn word(redis: &Redis, line: &str) -> (String, Vec<redis::Value>) {
    let answer: Vec<redis::Value> = redis.ask(line);
    let word = match answer.first() {
        Some(redis::Value::BulkString(word)) => String::from_utf8_lossy(word).into_owned(),
        other => format!("{other:?}"),
    };
    (word, answer)
}
