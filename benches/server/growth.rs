//! What a sale costs as it grows: bytes, seconds, the longest call.
//!
//! Each size has a server of its own, with the AOF and the backlog of replication on, as
//! in production. Reservations come over one connection, each of a user of 12 bytes under
//! an id that is a ULID.
//!
//! Edge: sizes are the server's own words (MEMORY USAGE, INFO, the file it saved).

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use redis::Value;

use crate::print::commas;
use crate::reply::{Outcome, text_of};
use crate::row::{Fields, calls_of};
use crate::server::Setup;
use crate::stage::{self, Names, ORDERS, PLENTY, SALE, Stage};
use crate::times::Times;
use crate::wire::Wire;

/// The script's keys, about as long as the sale's.
const SCRIPT_KEYS: [&str; 4] = ["flash:u", "flash:b", "flash:d", "flash:r"];

/// Whose reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sale,
    Script,
}

/// A sale, or the script's four keys, with so many reservations.
#[derive(Clone, Debug)]
pub struct Growth {
    pub kind: Kind,
    pub count: u64,
    /// Calls a second over the whole growth, and the server's time for one.
    pub per_second: f64,
    pub call_us: f64,
    /// The longest call. What comes of the machine differs from time to time, what comes
    /// of the tables does not: the least of several growths.
    pub call_max_us: f64,
    /// Calls of more than half a millisecond.
    pub slow_calls: u64,
    /// How long the server was ready to run and its core was taken, of the same growth.
    pub waited_ms: f64,
    /// Both with AOF and backlog, where the system writes to the disk beside it.
    pub logged_call_max_us: f64,
    pub logged_waited_ms: f64,
    /// A reservation's bytes: of the keys, as MEMORY USAGE has it; of all that the server
    /// allocated for data.
    pub memory_bytes: f64,
    pub dataset_bytes: f64,
    /// A reservation's bytes in the AOF, to a replica, in an RDB file.
    pub aof_bytes: f64,
    pub stream_bytes: f64,
    pub rdb_bytes: f64,
    pub save_s: f64,
    pub load_s: f64,
    /// What deleting the key took of the thread that serves clients.
    pub unlink_us: f64,
    pub del_us: f64,
    pub expire_us: f64,
}

impl Growth {
    /// `1,000,000`, or `1,000,000 by script`.
    pub fn name(&self) -> String {
        let count = commas(self.count);
        match self.kind {
            Kind::Sale => count,
            Kind::Script => format!("{count} by script"),
        }
    }

    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("calls_per_second", self.per_second),
            ("call_us", self.call_us),
            ("call_max_us", self.call_max_us),
            ("slow_calls", self.slow_calls as f64),
            ("waited_ms", self.waited_ms),
            ("logged_call_max_us", self.logged_call_max_us),
            ("logged_waited_ms", self.logged_waited_ms),
            ("memory_bytes", self.memory_bytes),
            ("dataset_bytes", self.dataset_bytes),
            ("aof_bytes", self.aof_bytes),
            ("replication_bytes", self.stream_bytes),
            ("rdb_bytes", self.rdb_bytes),
            ("save_s", self.save_s),
            ("load_s", self.load_s),
            ("unlink_us", self.unlink_us),
            ("del_us", self.del_us),
            ("expire_us", self.expire_us),
        ]
    }
}

/// Above this many reservations a size is measured less often, and not by script.
pub const LARGE: u64 = 1_000_000;
/// A growth whose longest call is below this needs no second try, in microseconds.
const SMOOTH_US: f64 = 2_000.0;

/// The same server without AOF, and with it.
pub struct Setups {
    pub plain: Setup,
    pub logged: Setup,
}

/// Grows a sale, or the script's keys, several times; then once more with AOF and backlog,
/// and deletes, saves and loads that one.
pub fn measure(setups: &Setups, kind: Kind, count: u64, times: u32) -> Outcome<Growth> {
    let mut plain = Vec::new();
    while plain.len() < times as usize {
        let growth = grow(&setups.plain, kind, count)?.1;
        // Once without a pause of the machine's is enough of those that take long.
        let was_smooth = count > LARGE && growth.call_max_us < SMOOTH_US;
        plain.push(growth);
        if was_smooth {
            break;
        }
    }
    plain.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let median = plain[plain.len() / 2].clone();
    let smooth = plain
        .iter()
        .min_by(|a, b| a.call_max_us.total_cmp(&b.call_max_us))
        .unwrap_or(&median);
    let (mut stage, logged) = grow(&setups.logged, kind, count)?;
    let mut growth = Growth {
        per_second: median.per_second,
        call_us: median.call_us,
        call_max_us: smooth.call_max_us,
        slow_calls: smooth.slow_calls,
        waited_ms: smooth.waited_ms,
        logged_call_max_us: logged.call_max_us,
        logged_waited_ms: logged.waited_ms,
        ..logged
    };
    save_and_load(&mut stage.wire, &mut growth)?;
    if kind == Kind::Sale {
        delete(&mut stage.wire, &mut growth)?;
    }
    Ok(growth)
}

/// What the server knows about the size of things.
struct Sizes {
    memory: u64,
    dataset: u64,
    aof: u64,
    stream: u64,
}

fn sizes(wire: &mut Wire, kind: Kind) -> Outcome<Sizes> {
    wire.wait_until_quiet()?;
    let keys: &[&str] = match kind {
        Kind::Sale => &[SALE],
        Kind::Script => &SCRIPT_KEYS,
    };
    let mut memory = 0;
    for key in keys {
        memory += wire.number(&["MEMORY", "USAGE", key, "SAMPLES", "0"])?;
    }
    Ok(Sizes {
        memory,
        dataset: wire.info_number("memory", "used_memory_dataset")?,
        aof: wire.info_number("persistence", "aof_current_size")?,
        stream: wire.info_number("replication", "master_repl_offset")?,
    })
}

fn grow(setup: &Setup, kind: Kind, count: u64) -> Outcome<(Stage, Growth)> {
    let mut stage = Stage::open(setup, count)?;
    let port = stage.server.port();
    if stage.wire.info_number("persistence", "aof_enabled")? == 1 {
        begin_backlog(port, &mut stage.wire)?;
    }
    match kind {
        Kind::Sale => stage::create(&mut stage.wire, SALE, ORDERS, &["STOCK", PLENTY])?,
        Kind::Script => drop(stage.wire.ask(&["SET", SCRIPT_KEYS[0], PLENTY])?),
    }
    let before = sizes(&mut stage.wire, kind)?;
    stage.wire.ask(&["CONFIG", "RESETSTAT"])?;
    stage.wire.ask(&["SLOWLOG", "RESET"])?;
    let waited_before = waited_ms(&mut stage.wire)?;
    let took = match kind {
        Kind::Sale => stage::reserve_each(port, SALE, count, Names::Lifelike)?,
        Kind::Script => stage::script_each(
            port,
            &stage.scripts.reserve,
            SCRIPT_KEYS,
            count,
            Names::Lifelike,
        )?,
    };
    let waited_ms = waited_ms(&mut stage.wire)? - waited_before;
    let command = match kind {
        Kind::Sale => "flashsale.reserve",
        Kind::Script => "evalsha",
    };
    let calls = calls(&mut stage.wire, command)?;
    let slow_calls = stage.wire.number(&["SLOWLOG", "LEN"])?;
    let after = sizes(&mut stage.wire, kind)?;
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / count as f64;
    let growth = Growth {
        kind,
        count,
        per_second: count as f64 / took.as_secs_f64(),
        call_us: calls.number("usec_per_call"),
        call_max_us: calls.number("p100"),
        slow_calls,
        waited_ms,
        logged_call_max_us: 0.0,
        logged_waited_ms: 0.0,
        memory_bytes: each(before.memory, after.memory),
        dataset_bytes: each(before.dataset, after.dataset),
        aof_bytes: each(before.aof, after.aof),
        stream_bytes: each(before.stream, after.stream),
        rdb_bytes: 0.0,
        save_s: 0.0,
        load_s: 0.0,
        unlink_us: 0.0,
        del_us: 0.0,
        expire_us: 0.0,
    };
    Ok((stage, growth))
}

/// How long the server's main thread has waited for its core since it started; 0 where
/// the system does not tell.
pub fn waited_ms(wire: &mut Wire) -> Outcome<f64> {
    let pid = wire.info_number("server", "process_id")?;
    let times = Times::of_process(pid).unwrap_or_default();
    Ok(times.waited_ns as f64 / 1e6)
}

/// Has the server count what it would send a replica: it does so from the moment one
/// asked, whether or not that one stays.
fn begin_backlog(port: u16, wire: &mut Wire) -> Outcome<()> {
    let mut replica = TcpStream::connect(("127.0.0.1", port))?;
    replica.write_all(b"PSYNC ? -1\r\n")?;
    wire.wait_until("the backlog is there", |wire| {
        Ok(wire.info_number("replication", "repl_backlog_active")? == 1)
    })?;
    drop(replica);
    wire.wait_until("the replica is gone", |wire| {
        Ok(wire.info_number("replication", "connected_slaves")? == 0)
    })
}

fn calls(wire: &mut Wire, command: &str) -> Outcome<Fields> {
    let info = wire.info("all")?;
    let calls = calls_of(&info, command);
    Ok(calls.ok_or_else(|| format!("INFO knows no calls of {command}"))?)
}

/// SAVE in the foreground, and the file loaded into the emptied server.
fn save_and_load(wire: &mut Wire, growth: &mut Growth) -> Outcome<()> {
    wire.ask(&["CONFIG", "SET", "appendonly", "no"])?;
    wire.wait_until_quiet()?;
    let started = Instant::now();
    wire.ask(&["SAVE"])?;
    growth.save_s = started.elapsed().as_secs_f64();
    let folder = setting(wire, "dir")?;
    let file = setting(wire, "dbfilename")?;
    let size = fs::metadata(Path::new(&folder).join(file))?.len();
    growth.rdb_bytes = size as f64 / growth.count as f64;
    wire.ask(&["FLUSHALL"])?;
    growth.load_s = load_again(wire)?;
    Ok(())
}

/// Deletes the sale in each of three ways, as redis.conf has them.
fn delete(wire: &mut Wire, growth: &mut Growth) -> Outcome<()> {
    growth.unlink_us = time_of(wire, &["UNLINK", SALE], 1)?;
    load_again(wire)?;
    growth.del_us = time_of(wire, &["DEL", SALE], 1)?;
    load_again(wire)?;
    // The next command that names it finds it expired and deletes it, on its own time.
    wire.ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"])?;
    wire.ask(&["PEXPIRE", SALE, "1"])?;
    thread::sleep(Duration::from_millis(20));
    growth.expire_us = time_of(wire, &["EXISTS", SALE], 0)?;
    Ok(())
}

/// Loads the file that was saved, and returns the seconds. The server is empty.
fn load_again(wire: &mut Wire) -> Outcome<f64> {
    wire.wait_until_quiet()?;
    let started = Instant::now();
    wire.ask(&["DEBUG", "RELOAD", "NOSAVE"])?;
    let took = started.elapsed().as_secs_f64();
    if wire.number(&["DBSIZE"])? == 0 {
        return Err("nothing was loaded".into());
    }
    Ok(took)
}

/// Microseconds of one command, whose reply is known.
fn time_of(wire: &mut Wire, words: &[&str], reply: u64) -> Outcome<f64> {
    wire.wait_until_quiet()?;
    wire.ask(&["CONFIG", "RESETSTAT"])?;
    let said = wire.number(words)?;
    if said != reply {
        return Err(format!("{}: {said} in place of {reply}", words.join(" ")).into());
    }
    Ok(calls(wire, &words[0].to_lowercase())?.number("usec"))
}

fn setting(wire: &mut Wire, name: &str) -> Outcome<String> {
    match wire.ask(&["CONFIG", "GET", name])? {
        Value::Array(pair) if pair.len() == 2 => Ok(text_of(&pair[1])),
        other => Err(format!("CONFIG GET {name} answered {other:?}").into()),
    }
}
