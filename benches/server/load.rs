//! The load: `redis-benchmark`, and what it says about throughput and latency.
//!
//! Edge: a known program is run and its text read; nothing is measured here.

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::reply::Outcome;

/// Connections of every measurement.
pub const CONNECTIONS: u32 = 50;
/// Commands sent before their replies are awaited, where there is a pipeline.
pub const PIPELINE: u32 = 64;

/// What one run of the program sends.
pub struct Shot<'a> {
    /// Words; each `__rand_int__` becomes 12 digits below `range`, each time anew.
    pub command: &'a [String],
    pub requests: u64,
    pub range: u64,
    pub is_pipelined: bool,
}

/// What it saw. Latencies in milliseconds, of a whole pipeline where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

/// The program: `redis-benchmark`, or Valkey's where that is what is installed.
///
/// # Errors
///
/// There is neither.
pub fn program() -> Outcome<&'static str> {
    let runs = |name: &&&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let known = ["redis-benchmark", "valkey-benchmark"];
    match known.iter().find(runs) {
        Some(program) => Ok(program),
        None => Err("there is no redis-benchmark in PATH (make setup installs it)".into()),
    }
}

/// Runs the program against a port of this machine.
///
/// # Errors
///
/// It fails, complains, or says something that is not understood.
pub fn run(program: &str, port: u16, shot: &Shot<'_>) -> Outcome<Seen> {
    let pipeline = if shot.is_pipelined { PIPELINE } else { 1 };
    let options = [
        ("-h", "127.0.0.1".to_owned()),
        ("-p", port.to_string()),
        ("-n", shot.requests.to_string()),
        ("-c", CONNECTIONS.to_string()),
        ("-P", pipeline.to_string()),
        ("-r", shot.range.to_string()),
    ];
    let output = Command::new(program)
        .args(options.iter().flat_map(|(name, value)| [*name, value]))
        .args(shot.command)
        .env_remove("REDISCLI_AUTH")
        .stdin(Stdio::null())
        .output()?;
    let (said, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let failed = || format!("{program} {}:\n{complaint}{said}", shot.command.join(" "));
    if !output.status.success() || said.contains("Error from server") || complaint.contains("rror")
    {
        return Err(failed().into());
    }
    read(&said).ok_or_else(|| failed().into())
}

/// What the program's text says. The p99.9 is the first line of its distribution at or
/// above that share.
pub fn read(text: &str) -> Option<Seen> {
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).collect();
    let per_second = lines
        .iter()
        .find_map(|line| line.strip_prefix("throughput summary: "))?;
    let header = lines.iter().position(|line| line.starts_with("avg "))?;
    let names = lines[header].split_whitespace();
    let values = lines.get(header + 1)?.split_whitespace();
    let summary: Vec<(&str, f64)> = names
        .zip(values.filter_map(|value| value.parse().ok()))
        .collect();
    let summary_of = |name: &str| {
        let found = summary.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    // `99.902% <= 9.375 milliseconds (cumulative count 199808)`
    let share_of = |line: &&str| -> Option<(f64, f64)> {
        let (share, rest) = line.split_once("% <= ")?;
        Some((share.parse().ok()?, rest.split_once(' ')?.0.parse().ok()?))
    };
    let mut shares = lines.iter().filter_map(share_of);
    Some(Seen {
        per_second: per_second.split(' ').next()?.parse().ok()?,
        p50_ms: summary_of("p50")?,
        p99_ms: summary_of("p99")?,
        p999_ms: shares.find(|(share, _)| *share >= 99.9)?.1,
        max_ms: summary_of("max")?,
    })
}

/// Puts the load, which is this process and all it starts, on one core, where the
/// server's core is another. Returns what starts the server on its own.
pub fn pin() -> (Vec<String>, String) {
    let cores = allowed_cores();
    let runs = Command::new("taskset").arg("--version").output().is_ok();
    let server = cores
        .iter()
        .skip(1)
        .find(|core| !is_sibling(cores[0], **core));
    let server = server.or(cores.get(1));
    match (runs, server) {
        (true, Some(server)) => {
            let load = cores[0];
            let pid = std::process::id().to_string();
            let pinned = Command::new("taskset")
                .args(["-cp", &load.to_string(), &pid])
                .output();
            if pinned.is_ok_and(|output| output.status.success()) {
                let starter = ["taskset", "-c", &server.to_string()].map(str::to_owned);
                let said = format!("the server on core {server}, the load on core {load}");
                return match may_go_first() {
                    false => (starter.to_vec(), said),
                    true => (
                        [&GO_FIRST.map(str::to_owned)[..], &starter].concat(),
                        said + ", before others there",
                    ),
                };
            }
            (Vec::new(), "NOT pinned: taskset may not".into())
        }
        (false, _) => (Vec::new(), "NOT pinned: there is no taskset".into()),
        (true, None) => (
            Vec::new(),
            "NOT pinned: server and load share the only core".into(),
        ),
    }
}

/// Returns what starts a replica: on a third core where there is one, else beside the load.
/// To be asked before [`pin`], after which this process has one core.
pub fn replica_starter() -> Vec<String> {
    match allowed_cores().get(2) {
        Some(core) => ["taskset", "-c", &core.to_string()]
            .map(str::to_owned)
            .to_vec(),
        None => Vec::new(),
    }
}

/// Starts a program with priority over the system's own work on the core.
const GO_FIRST: [&str; 3] = ["nice", "-n", "-20"];

/// May this process raise a priority? Where it may not, `nice` only complains.
fn may_go_first() -> bool {
    let tried = Command::new(GO_FIRST[0])
        .args(&GO_FIRST[1..])
        .arg("true")
        .output();
    tried.is_ok_and(|output| output.status.success() && output.stderr.is_empty())
}

/// How long the machine holds up a program that only reads the clock, where `starter`
/// puts it: no server can do better. The longest pause, in milliseconds.
pub fn longest_pause_ms(starter: &[String]) -> Outcome<f64> {
    let own = env::current_exe()?.display().to_string();
    let mut words = starter.iter().chain([&own]);
    let output = Command::new(words.next().unwrap_or(&own))
        .args(words)
        .arg("--spin")
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().parse()?)
}

/// What that program does, for two seconds.
pub fn spin() -> f64 {
    let started = Instant::now();
    let (mut last, mut longest) = (started, Duration::ZERO);
    while started.elapsed() < Duration::from_secs(2) {
        let now = Instant::now();
        longest = longest.max(now - last);
        last = now;
    }
    longest.as_secs_f64() * 1e3
}

/// The cores this process may run on.
pub fn allowed_cores() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map(|list| cores_in(list.trim())).unwrap_or_default()
}

/// Are these two halves of one physical core?
fn is_sibling(one: u32, other: u32) -> bool {
    let path = format!("/sys/devices/system/cpu/cpu{one}/topology/thread_siblings_list");
    let list = std::fs::read_to_string(path).unwrap_or_default();
    cores_in(list.trim()).contains(&other)
}

/// `0-2,5` as numbers.
fn cores_in(list: &str) -> Vec<u32> {
    let ranges = list.split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    });
    ranges.flatten().collect()
}

/// A module to load beside ours, for comparison: redis-cell's.
pub fn other_cell() -> Option<String> {
    env::var("FLASHSALE_BENCH_CELL")
        .ok()
        .filter(|path| !path.is_empty())
}

/// The second module to load beside ours, for comparison: RedisBloom's.
pub fn other_bloom() -> Option<String> {
    env::var("FLASHSALE_BENCH_BLOOM")
        .ok()
        .filter(|path| !path.is_empty())
}
