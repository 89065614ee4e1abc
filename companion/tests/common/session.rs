//! A session of bash that a page shows, typed in.
//!
//! **Method**: the blocks `shell-session` are one session, with the program in its path. Runs
//! of five digits or more are compared by their presence. A file that is shown by `cat`, and is
//! not there, is written first.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command and what it prints.
struct Step<'p> {
    typed: &'p str,
    prints: Vec<&'p str>,
}

fn steps(page: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for block in page.split("```shell-session\n").skip(1) {
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

/// Types the session in with other ports than the page's, and compares what is printed.
/// Returns the number of commands.
#[track_caller]
pub fn play(page: &str, redis_port: u16, ports: &[(&str, u16)]) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let steps = steps(page);
    let mut script = String::from("set -m\n");
    for (at, step) in steps.iter().enumerate() {
        if let Some(file) = step.typed.strip_prefix("cat ") {
            std::fs::write(folder.path().join(file), step.prints.join("\n") + "\n")
                .expect("a file");
        }
        let mut typed = step
            .typed
            .replace(
                "redis-cli ",
                &format!("redis-cli -p {redis_port} --no-raw "),
            )
            .replace(":6379", &format!(":{redis_port}"));
        for (shown, port) in ports {
            typed = typed.replace(shown, &format!(":{port}"));
        }
        script += &format!("echo '@@ {at}'\n{typed}\n");
    }
    let text = run(folder.path(), &script);
    let mut text = text.replace(&format!(":{redis_port}"), ":6379");
    for (shown, port) in ports {
        text = text.replace(&format!(":{port}"), shown);
    }
    let mut played = 0;
    for (step, printed) in steps.iter().zip(text.split("@@ ").skip(1)) {
        let (_, printed) = printed.split_once('\n').expect("a line");
        let shown = without_numbers(&step.prints.join("\n"));
        assert_eq!(without_numbers(printed.trim_end()), shown, "{}", step.typed);
        played += 1;
    }
    assert_eq!(played, steps.len(), "{text}");
    played
}

fn run(folder: &Path, script: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_flashsale"))
        .parent()
        .expect("a folder");
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").expect("a path")
    );
    let mut bash = Command::new("bash")
        .current_dir(folder)
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
    String::from_utf8_lossy(&output.stdout).into_owned()
}
