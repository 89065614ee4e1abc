//! docs/companion.md, typed in.
//!
//! **Goal**: a newcomer who types what the page shows sees what the page shows; the page
//! lists every option that matters, every metric, and the rights the worker needs.
//!
//! **Method**: the blocks `shell-session` are one session of bash with the program in its
//! path. The port is another. Runs of five digits or more are compared by their presence. A
//! file that is shown by `cat`, and is not there, is written first.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::servers::{Redis, wait_until};
use crate::worker::{Worker, append, order, wait_for_all};

const PAGE: &str = include_str!("../../../docs/companion.md");

/// A command and what it prints.
struct Step<'p> {
    typed: &'p str,
    prints: Vec<&'p str>,
}

fn steps() -> Vec<Step<'static>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for block in PAGE.split("```shell-session\n").skip(1) {
        let (block, _) = block.split_once("```").expect("its end");
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(typed) => steps.push(Step {
                    typed,
                    prints: Vec::new(),
                }),
                None => steps.last_mut().expect("a command first").prints.push(line),
            }
        }
    }
    steps
}

/// Replaces runs of five digits or more by `#`.
fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        shown.push_str(if digits.len() >= 5 { "#" } else { &digits });
        digits.clear();
        shown.push(letter);
    }
    shown
}

#[test]
fn the_page_prints_what_it_shows() {
    let redis = Redis::with_module();
    let port = redis.port.to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let mut script = String::from("set -m\n");
    for (at, step) in steps().iter().enumerate() {
        if let Some(file) = step.typed.strip_prefix("cat ") {
            std::fs::write(folder.path().join(file), step.prints.join("\n") + "\n")
                .expect("a file");
        }
        let typed = step
            .typed
            .replace("redis-cli ", &format!("redis-cli -p {port} --no-raw "))
            .replace(":6379", &format!(":{port}"));
        script += &format!("echo '@@ {at}'\n{typed}\n");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_flashsale"))
        .parent()
        .expect("a folder");
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").expect("a path")
    );
    let mut bash = Command::new("bash")
        .current_dir(folder.path())
        .env("PATH", path)
        .env("HOSTNAME", "w")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash");
    let mut input = bash.stdin.take().expect("its input");
    input.write_all(script.as_bytes()).expect("the session");
    drop(input);
    let output = bash.wait_with_output().expect("its end");
    let text = String::from_utf8_lossy(&output.stdout).replace(&format!(":{port}"), ":6379");
    let mut played = 0;
    for (step, printed) in steps().iter().zip(text.split("@@ ").skip(1)) {
        let (_, printed) = printed.split_once('\n').expect("a line");
        let shown = without_numbers(&step.prints.join("\n"));
        assert_eq!(without_numbers(printed.trim_end()), shown, "{}", step.typed);
        played += 1;
    }
    assert!(
        played == steps().len() && played > 15,
        "{played} steps in\n{text}"
    );
}

#[test]
fn the_page_lists_every_metric() {
    let source = include_str!("../../src/worker/metrics.rs");
    for name in [
        "rows_total",
        "duplicates_total",
        "dead",
        "lag",
        "pending",
        "oldest_pending_seconds",
        "batch_seconds",
        "retries_total",
        "unknown_events_total",
        "lost_entries_total",
        "primary_changes_total",
    ] {
        assert!(
            source.contains(&format!("\"flashsale_worker_{name}\"")),
            "{name}"
        );
        assert!(
            PAGE.contains(&format!("| `flashsale_worker_{name}` |")),
            "{name}"
        );
    }
}

/// The user of the page can do all that the worker does.
#[test]
fn the_user_of_the_page_has_every_right_it_needs() {
    let redis = Redis::start(&[]);
    let line = PAGE
        .lines()
        .find(|line| line.starts_with("ACL SETUSER worker "))
        .expect("the user");
    // It is one that all the servers of the tests accept.
    redis.ask::<String>(line);
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    append(&redis, &[order("a", "")]);
    let url = format!("redis://worker:secret@127.0.0.1:{}", redis.port);
    let worker = Worker::start(&url, &sqlite, &["--trim", "1h"]);
    wait_for_all(&redis);
    wait_until("it looks at the group", || {
        redis
            .ask::<String>("INFO commandstats")
            .contains("cmdstat_xinfo|groups")
    });
    let (status, log) = worker.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("warn"), "{log}");
    assert!(
        redis
            .ask::<Vec<redis::Value>>("XINFO CONSUMERS tea:orders sql")
            .is_empty()
    );
    assert!(
        redis.ask::<Vec<redis::Value>>("ACL LOG").is_empty(),
        "a right is missing"
    );
}

/// The alerts fire when they should: promtool knows.
#[test]
fn the_alerts_fire_when_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/monitoring");
    let played = Command::new("promtool")
        .args(["test", "rules", "worker_rules_test.yml"])
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
