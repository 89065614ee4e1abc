//! `flashsale load` and `flashsale top` against real servers.
//!
//! **Goal**: a run whose books are right ends with 0; each fault that a server, a stream, a
//! worker or the load itself can have ends it with 1 and is called by its name.
//!
//! **Method**: the program is a black box, run as a process. Faults are planted while it runs:
//! an entry is deleted or invented, a unit is added, a proxy lies about one order, another one in
//! front of a gateway lies about its sale, the server or the load is stopped for a moment. Bounds of time are wide unless they are what is tested, as
//! the machine may be busy.

#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod crook;
mod faults;
#[allow(dead_code)]
#[path = "../serve/gateway.rs"]
mod gateway;
mod gateways;
mod liar;
mod page;
mod runs;
#[allow(dead_code)]
#[path = "../worker/servers.rs"]
mod servers;
mod top;

use std::process::{Child, Command, Output, Stdio};

use servers::{Redis, wait_until};

/// A short spike in which all is sold.
const SHORT: [&str; 9] = [
    "spike", "--buyers", "3000", "--within", "500ms", "--stock", "300", "--seed", "7",
];
/// Bounds that no machine breaks.
const PATIENT: [&str; 4] = ["--p95", "60s", "--behind", "60s"];

/// A command with the program, which sees no URL of the environment of the tests.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flashsale"));
    command.args(arguments);
    command
        .env_remove("FLASHSALE_REDIS")
        .env_remove("FLASHSALE_SQL");
    command.stdin(Stdio::null());
    command
}

/// A load on the sale `{tea}` that runs.
struct Load(Option<Child>);

impl Load {
    fn start(url: &str, parts: &[&[&str]]) -> Self {
        let ours = ["--target", url, "--sale", "tea"];
        Self::run(program(&[&["load"][..], &parts.concat(), &ours].concat()))
    }

    fn run(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("flashsale")))
    }

    fn pid(&self) -> u32 {
        self.0.as_ref().expect("a process").id()
    }

    /// Waits for its end, and returns the exit code and what it printed.
    fn end(mut self) -> (i32, String) {
        let child = self.0.take().expect("a process");
        ended(&child.wait_with_output().expect("its end"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn ended(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

/// Runs the program to its end.
fn run(arguments: &[&str]) -> (i32, String) {
    ended(&program(arguments).output().expect("flashsale"))
}

/// Waits until the stream of the sale has so many entries.
fn wait_for_orders(redis: &Redis, count: i64) {
    wait_until("orders", || {
        let mut command = redis::cmd("XLEN");
        command.arg("{tea}:orders");
        matches!(redis.try_ask(&command), Ok(redis::Value::Int(length)) if length >= count)
    });
}

/// Starts a replica that has all that its primary has.
fn replica_of(redis: &Redis) -> Redis {
    let module = common::module_path();
    let replica = Redis::start(&[
        "--loadmodule",
        module.to_str().expect("a path"),
        "--replicaof",
        "127.0.0.1",
        &redis.port.to_string(),
    ]);
    wait_until("the replica follows", || {
        let info = replica.ask::<String>("INFO replication");
        info.contains("master_link_status:up")
    });
    replica
}

/// Returns the names of the checks that failed.
fn failed(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("  FAIL  "));
    lines
        .map(|line| line.split("  ").next().unwrap_or_default().trim())
        .collect()
}
