//! What a number means nothing without: the machine, the programs, the day.
//!
//! Edge: reads files of the system and asks programs; a field that cannot be had is `?`.

use std::fs;
use std::process::Command;

use redis::Value;

use crate::load;
use crate::reply::{Outcome, text_of};
use crate::server::Server;
use crate::wire::Wire;

/// Names and values, in the order they are printed.
pub type Facts = Vec<(&'static str, String)>;

/// The facts of this run.
pub fn facts(
    server: &Server,
    wire: &mut Wire,
    program: &str,
    (starter, pinned): &(Vec<String>, String),
) -> Outcome<Facts> {
    let pause_ms = load::longest_pause_ms(starter)?;
    // Not those this process may use: it keeps to one.
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cores
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    Ok(vec![
        (
            "machine",
            format!("{}, {cores} cores, {}", processor(), memory()),
        ),
        ("system", said("uname", &["-srm"])),
        ("pinned", pinned.clone()),
        (
            "pauses",
            format!("a loop on the server's core was held up {pause_ms:.1} ms at most"),
        ),
        ("server", server_line(server, wire)?),
        ("load", said(program, &["--version"])),
        ("module", module(wire)?),
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
    ])
}

fn server_line(server: &Server, wire: &mut Wire) -> Outcome<String> {
    let info = wire.info("memory")?;
    let allocator = info.get("mem_allocator").cloned().unwrap_or("?".into());
    Ok(format!("{}, {allocator}", server.version()?))
}

/// `0.1.0, commit 0123456789ab`, with `and changes` where the tree is not the commit's.
fn module(wire: &mut Wire) -> Outcome<String> {
    let Value::Array(modules) = wire.ask(&["MODULE", "LIST"])? else {
        return Ok("?".into());
    };
    let texts: Vec<String> = modules.iter().map(text_of).collect();
    let ours = texts.iter().find(|text| text.contains("flashsale"));
    // `[name, flashsale, ver, 100, ...]`: two digits each for the last two parts.
    let version = ours.and_then(|text| {
        let after = text.split("ver, ").nth(1)?;
        after.split([',', ']']).next()?.trim().parse::<u32>().ok()
    });
    let version = version.map_or("?".into(), |version| {
        format!(
            "{}.{}.{}",
            version / 10_000,
            version / 100 % 100,
            version % 100
        )
    });
    let commit = said_here("git", &["rev-parse", "--short=12", "HEAD"]);
    let is_clean =
        said_here("git", &["status", "--porcelain", "--", "src", "Cargo.lock"]).is_empty();
    let changes = if is_clean { "" } else { " and changes" };
    Ok(format!("flashsale {version}, commit {commit}{changes}"))
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "));
    named.map_or("?".into(), |(_, name)| name.trim().to_owned())
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| {
        let rest = line.strip_prefix("MemTotal:")?;
        rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    kib.map_or("?".into(), |kib| {
        format!("{:.0} GiB", kib as f64 / 1024.0 / 1024.0)
    })
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "?".into(),
    }
}

/// The same in the project's folder.
fn said_here(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "?".into(),
    }
}
