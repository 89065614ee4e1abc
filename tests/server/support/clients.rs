//! Scripts in the languages of other clients, run to their end.
//!
//! The versions of the clients are pinned in `tests/server/bloom_clients`;
//! `scripts/setup.sh python node` installs them below `target/clients`. Which versions ran, or
//! what is missing, is written past the capture of the test's output: a skip is always seen.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Server;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the packages of a client are.
pub fn packages(name: &str) -> PathBuf {
    root().join("target/clients").join(name)
}

/// Shows a line also when the test passes: what is printed by `println` is shown only
/// when it fails.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "clients: {line}").expect("stderr");
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

/// The Python that has redis-py; `None` where it is missing.
pub fn python() -> Option<Command> {
    is_ready("python", "redis-py", "requirements.txt")
        .then(|| Command::new(packages("python").join("bin/python")))
}

/// Node.js, started where node-redis is; `None` where it is missing.
pub fn node() -> Option<Command> {
    is_ready("node", "node-redis", "package-lock.json").then(|| {
        let mut node = Command::new("node");
        node.current_dir(packages("node"));
        node
    })
}

/// Runs a script to its end on a server, whose port follows the script's path, and tells what
/// ran: the script's last line.
#[track_caller]
pub fn run_script(server: &Server, mut program: Command, script: &Path) {
    let output = program
        .arg(root().join(script))
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
