//! Filters as programs use them.
//!
//! **Goal**: whoever uses redis-py's `r.bf()` or node-redis's `client.bf` today can put
//! this module behind it: every method and option, every shape of a reply, every error
//! as the client hands it on, pipelines, and filters copied chunk by chunk. The commands'
//! own names pass redis-py's client of a cluster, which refuses a name of two dots.
//!
//! **Method**: `bloom_clients/redis_py.py` and `node_redis.mjs` run against a server with
//! `bf-aliases yes`, `redis_py_cluster.py` against a cluster of one node, and end at the
//! first answer that is not what it has to be. The
//! versions of the clients are pinned in that folder; `scripts/setup.sh python node`
//! installs them below `target/clients`. Which versions ran, or what is missing, is
//! written past the capture of the test's output: a skip is always seen.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Server, wait_until};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the packages of a client are.
fn packages(name: &str) -> PathBuf {
    root().join("target/clients").join(name)
}

/// Shows a line also when the test passes: what is printed by `println` is shown only
/// when it fails.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "bloom_clients: {line}").expect("stderr");
}

/// Is what a client needs here, and as it is pinned? If not, says what is missing.
fn is_ready(need: &str, client: &str, pinned: &str) -> bool {
    let read = |folder: &Path| std::fs::read(folder.join(pinned)).ok();
    let is_there = read(&packages(need)).is_some();
    let is_ready =
        is_there && read(&packages(need)) == read(&root().join("tests/server/bloom_clients"));
    if !is_ready {
        let state = if is_there { "is not" } else { "has nothing of" };
        tell(&format!(
            "SKIPPED: {client}: target/clients/{need} {state} what tests/server/bloom_clients/{pinned} \
             pins; run scripts/setup.sh {need}"
        ));
    }
    is_ready
}

/// Runs a script to its end on a server of its own, and tells what ran.
#[track_caller]
fn run(program: Command, script: &str) {
    if let Some(server) = Server::own(&[], &["bf-aliases yes"]) {
        run_on(&server, program, script);
    }
}

/// Runs a script to its end on a server, and tells what ran.
#[track_caller]
fn run_on(server: &Server, mut program: Command, script: &str) {
    let script = root().join("tests/server/bloom_clients").join(script);
    let output = program
        .arg(script)
        .arg(server.port().to_string())
        .output()
        .expect("the script starts");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the script: {}", output.status);
    let last = told.lines().last().unwrap_or_default();
    assert!(last.starts_with("ran: "), "the script went to its end");
    tell(last);
}

#[test]
fn redis_py_runs_all_of_its_filter_api() {
    if !is_ready("python", "redis-py", "requirements.txt") {
        return;
    }
    run(
        Command::new(packages("python").join("bin/python")),
        "redis_py.py",
    );
}

#[test]
fn redis_pys_cluster_client_sends_the_commands_of_filters_by_their_own_names() {
    if !is_ready("python", "redis-py", "requirements.txt") {
        return;
    }
    let Some(server) = Server::own(&["--cluster-enabled yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CLUSTER ADDSLOTSRANGE 0 16383", "OK");
    wait_until("the cluster is up", || {
        con.text("CLUSTER INFO").contains("cluster_state:ok")
    });
    let python = Command::new(packages("python").join("bin/python"));
    run_on(&server, python, "redis_py_cluster.py");
}

#[test]
fn node_redis_runs_all_of_its_filter_api() {
    if !is_ready("node", "node-redis", "package-lock.json") {
        return;
    }
    let mut node = Command::new("node");
    node.current_dir(packages("node"));
    run(node, "node_redis.mjs");
}
