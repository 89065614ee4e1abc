//! **Goal**: a sale for which there is not enough memory is an error where it is loaded,
//! with a line that says so; so is a filter that grows by several links where it is asked
//! for. Neither ever ends the server by a signal.
//!
//! **Method**: a server with a large sale writes an RDB file and an AOF of commands alone.
//! Servers whose address space is limited by `prlimit` are started on them, with limits
//! from little more than what an empty server takes to twice what the full one does: each
//! comes up, or gives up in good order. A running server gets a little more memory again and
//! again, until a merge succeeds.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Con, Server, all_said, module_path, send_all, wait_until};

/// Steps between the smallest limit and the largest.
const STEPS: u64 = 10;
const CARTS: u64 = 50_000;
const NO_MEMORY: &str = "not enough memory for the sale";

/// Address space of a process, in bytes. Not its peak: a thread that starts takes much more
/// for a moment, where there is more.
fn size_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.expect("VmSize").trim().parse::<u64>().expect("kB") * 1024
}

/// Can this machine limit a server? Under AddressSanitizer it takes terabytes.
fn can_limit(pid: u32) -> bool {
    let has_program = Command::new("prlimit").arg("--version").output().is_ok();
    if !has_program || size_bytes(pid) > 1 << 40 {
        eprintln!("skipped: there is no prlimit, or the server is an instrumented one");
        return false;
    }
    true
}

/// Carts of two SKUs for users of their own, in a sale that counts items by user.
fn make_sale(con: &mut Con, carts: u64) {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 9000000 b 9000000 ITEMLIMIT 5 HOLD 90000000",
        "OK",
    );
    let reserve = |number| {
        format!("FLASHSALE.RESERVE sale user-{number} ITEMS 2 a 1 b 1 ID cart-number-{number}")
    };
    all_said(&send_all(con, (0..carts).map(reserve)), "RESERVED", carts);
}

/// A server of a limited size, which ends with the test.
struct Limited(Child);

impl Limited {
    /// Starts one on the files in a folder.
    fn start(folder: &Path, append_only: &str, limit_bytes: u64) -> Limited {
        let program = std::env::var("FLASHSALE_SERVER");
        let child = Command::new("prlimit")
            .arg(format!("--as={limit_bytes}"))
            .arg(program.unwrap_or_else(|_| "redis-server".to_owned()))
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .args(["--logfile", "log", "--appendonly", append_only])
            .arg("--dir")
            .arg(folder)
            .arg("--loadmodule")
            .arg(module_path())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Limited(child.expect("prlimit"))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the log of a server in this folder says, which came up or gave up. It must not
/// have been ended by a signal.
#[track_caller]
fn log_of_start(folder: &Path, append_only: &str, limit_bytes: u64) -> String {
    let path = folder.join("log");
    std::fs::write(&path, "").expect("a log");
    let mut server = Limited::start(folder, append_only, limit_bytes);
    let read = || String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
    let mut ended = None;
    wait_until("the server comes up or gives up", || {
        ended = server.0.try_wait().expect("the state of the server");
        ended.is_some() || is_up(&read())
    });
    if let Some(status) = ended {
        // 0 where the server's own check of its file has found nothing wrong.
        let log = read();
        assert!(status.code().is_some(), "{status} at {limit_bytes}:\n{log}");
    }
    read()
}

fn is_up(log: &str) -> bool {
    log.to_lowercase().contains("ready to accept connections")
}

/// What a load asks for beyond what the sale takes, and more than that.
const SPARE_BYTES: u64 = 32 << 20;
/// How much less memory a server gets at a time, until it does not come up.
const LESS_BYTES: u64 = 1 << 20;

/// The logs of servers with limits from too little to more than enough.
///
/// What an empty server takes is not the least it comes up with: some of it is taken only
/// where it is there. So the limit goes down from there until the sale does not fit.
#[track_caller]
fn logs_of_starts(folder: &Path, append_only: &str, sizes: (u64, u64)) -> Vec<String> {
    let (empty_bytes, full_bytes) = sizes;
    let more_bytes = (2 * (full_bytes - empty_bytes) + SPARE_BYTES) / STEPS;
    let less = (1..empty_bytes / LESS_BYTES).map(|step| empty_bytes - step * LESS_BYTES);
    let mut logs = Vec::new();
    for limit_bytes in std::iter::once(empty_bytes + more_bytes).chain(less) {
        logs.insert(0, log_of_start(folder, append_only, limit_bytes));
        if !is_up(&logs[0]) {
            break;
        }
    }
    let more = (2..=STEPS).map(|step| empty_bytes + step * more_bytes);
    logs.extend(more.map(|limit_bytes| log_of_start(folder, append_only, limit_bytes)));
    logs
}

/// A server with a sale is full, another one empty: their address spaces, and the folder
/// of the full one, which has written both files and ended.
fn files() -> Option<(Server, (u64, u64))> {
    let (empty, mut full) = (Server::own(&[], &[])?, Server::own(&[], &[])?);
    if !can_limit(empty.pid()) {
        return None;
    }
    let mut con = full.conn();
    make_sale(&mut con, CARTS);
    con.says("SAVE", "OK");
    con.says("CONFIG SET aof-use-rdb-preamble no", "OK");
    con.says("CONFIG SET appendonly yes", "OK");
    wait_until("the AOF is written", || {
        let mut is_over = |field| con.info("persistence", field) == "0";
        is_over("aof_rewrite_in_progress") && is_over("aof_rewrite_scheduled")
    });
    let sizes = (size_bytes(empty.pid()), size_bytes(full.pid()));
    full.kill9();
    Some((full, sizes))
}

#[test]
fn a_start_without_enough_memory_for_a_sale_is_refused_in_good_order() {
    let Some((server, sizes)) = files() else {
        return;
    };
    let logs = logs_of_starts(server.folder(), "no", sizes);
    for log in &logs {
        assert!(is_up(log) || log.contains(NO_MEMORY), "{log}");
    }
    assert!(logs[0].contains(NO_MEMORY), "{}", logs[0]);
    assert!(is_up(&logs[logs.len() - 1]), "{}", logs[logs.len() - 1]);
    let logs = logs_of_starts(server.folder(), "yes", sizes);
    assert!(logs[0].contains(NO_MEMORY), "{}", logs[0]);
}

/// Items of each link of the longer filter, its bytes, more or less, and how many there are.
const LINK_ITEMS: u64 = 300_000;
const LINK_BYTES: u64 = 2 << 20;
const LINKS: u64 = 8;
/// How much more memory a server gets at a time: less than a link.
const STEP_BYTES: u64 = 1 << 20;

/// Makes `long`, a filter of several links, and `short`, an empty one of the first link.
fn make_filters(con: &mut Con) {
    for key in ["long", "short"] {
        let line = format!("FLASHSALE.BFRESERVE {key} 0.000000001 {LINK_ITEMS} EXPANSION 1");
        con.says(&line, "OK");
    }
    let batch = |first: u64| {
        let items = (first..first + 1_000).map(|item| item.to_string());
        format!(
            "FLASHSALE.BFMADD long {}",
            items.collect::<Vec<_>>().join(" ")
        )
    };
    let firsts = (0..LINK_ITEMS * (LINKS - 1) + 1_000).step_by(1_000);
    send_all(con, firsts.map(batch));
    con.says("FLASHSALE.BFINFO long FILTERS", &LINKS.to_string());
}

/// Limits the address space of a running server.
fn limit(pid: u32, limit_bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--as={limit_bytes}:")])
        .status();
    assert!(status.expect("prlimit").success());
}

/// Gives a running server a step more memory again and again, until it carries out a
/// command; without a limit it has to. At first it refuses to, for want of memory.
#[track_caller]
fn carry_out_in_the_end(server: &Server, con: &mut Con, line: &str) {
    let start_bytes = size_bytes(server.pid());
    let limits = (0..2 * LINKS * LINK_BYTES / STEP_BYTES)
        .map(|step| (start_bytes + step * STEP_BYTES).to_string())
        .chain(["unlimited".to_owned()]);
    let mut refusals = Vec::new();
    let is_done = limits.into_iter().any(|limit_bytes| {
        limit(server.pid(), &limit_bytes);
        let reply = con.show(line);
        let is_done = reply == "OK";
        refusals.extend((!is_done).then_some(reply));
        is_done
    });
    let is_refused = |reply: &String| reply.to_lowercase().contains("memory");
    assert!(is_done && !refusals.is_empty(), "{line}: {refusals:?}");
    assert!(refusals.iter().all(is_refused), "{line}: {refusals:?}");
}

#[test]
fn a_merge_without_enough_memory_for_all_new_links_is_an_error() {
    for (dest, sources) in [("short", "long"), ("new", "long"), ("new", "short long")] {
        let Some(server) = Server::own(&[], &[]) else {
            return;
        };
        if !can_limit(server.pid()) {
            return;
        }
        let mut con = server.conn();
        make_filters(&mut con);
        let merge = format!("FLASHSALE.BFMERGE {dest} {sources}");
        carry_out_in_the_end(&server, &mut con, &merge);
        con.says(
            &format!("FLASHSALE.BFINFO {dest} FILTERS"),
            &LINKS.to_string(),
        );
    }
}
