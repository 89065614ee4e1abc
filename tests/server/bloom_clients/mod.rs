//! Filters as programs use them.
//!
//! **Goal**: whoever uses redis-py's `r.bf()` or node-redis's `client.bf` today can put
//! this module behind it: every method and option, every shape of a reply, every error
//! as the client hands it on, pipelines, and filters copied chunk by chunk. The commands'
//! own names pass redis-py's client of a cluster, which refuses a name of two dots.
//!
//! **Method**: `bloom_clients/redis_py.py` and `node_redis.mjs` run against a server with
//! `bf-aliases yes`, `redis_py_cluster.py` against a cluster of one node, and end at the
//! first answer that is not what it has to be. The versions of the clients are pinned in
//! that folder, see `support/clients.rs`.

use std::path::Path;
use std::process::Command;

use crate::support::clients::{node, python, run_script};
use crate::support::{Server, wait_until};

/// Runs a script of this folder on a server.
#[track_caller]
fn run_on(server: &Server, program: Command, script: &str) {
    let folder = Path::new("tests/server/bloom_clients");
    run_script(server, program, &folder.join(script));
}

/// Runs a script of this folder on a server of its own.
#[track_caller]
fn run(program: Option<Command>, script: &str) {
    if let Some(program) = program
        && let Some(server) = Server::own(&[], &["bf-aliases yes"])
    {
        run_on(&server, program, script);
    }
}

#[test]
fn redis_py_runs_all_of_its_filter_api() {
    run(python(), "redis_py.py");
}

#[test]
fn redis_pys_cluster_client_sends_the_commands_of_filters_by_their_own_names() {
    let Some(python) = python() else {
        return;
    };
    let Some(server) = Server::own(&["--cluster-enabled yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CLUSTER ADDSLOTSRANGE 0 16383", "OK");
    wait_until("the cluster is up", || {
        con.text("CLUSTER INFO").contains("cluster_state:ok")
    });
    run_on(&server, python, "redis_py_cluster.py");
}

#[test]
fn node_redis_runs_all_of_its_filter_api() {
    run(node(), "node_redis.mjs");
}
