//! People in line: what joining and polling cost beside RESERVE, and a line of millions from
//! the first join to the last freed byte.
//!
//! Edge: costs are the time that the server's main thread ran. Every call comes over one
//! connection, so that nobody is heard twice before all were heard once.

use std::thread;
use std::time::{Duration, Instant};

use redis::Value;

use crate::growth::{Setups, waited_ms};
use crate::print::commas;
use crate::reply::{Outcome, text_of};
use crate::row::calls_of;
use crate::stage::{self, Names, ORDERS, PLENTY, SALE, Stage};
use crate::table::{Table, number};
use crate::targets::{Aim, Target};
use crate::times::Times;
use crate::wave::now_ms;
use crate::wire::{Wire, fill, push};

/// Units that are granted to those in front.
const UNITS: u64 = 10_000;
/// Most that MCHECKOUT takes.
const BATCH: usize = 1_000;
/// A line grows again if its longest join took longer, in microseconds, so many times in all:
/// what comes of the machine differs from time to time, what comes of the tables does not.
const SMOOTH_US: f64 = 2_000.0;
const GROWTHS: usize = 3;
/// Spreads numbers over a range that it has no factor with.
const PRIME: u64 = 1_000_003;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    /// People in the long line.
    pub count: u64,
    /// What one call takes of the server's main thread.
    pub reserve_ns: f64,
    pub join_ns: f64,
    pub sold_out_ns: f64,
    pub poll_ns: f64,
    pub aof_bytes: f64,
    pub place_bytes: f64,
    pub joins_per_second: f64,
    /// The longest RESERVE ... WAIT, the least of several growths; and the longest of all other
    /// calls and goes of the timer.
    pub join_max_us: f64,
    pub rest_max_us: f64,
    /// How long the server was ready to run and its core was taken meanwhile.
    pub waited_ms: f64,
    /// From START until all units were granted.
    pub granted_ms: f64,
    /// From the last order until the memory of the line was back.
    pub freed_ms: f64,
}

impl Line {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("reserve_ns", self.reserve_ns),
            ("join_ns", self.join_ns),
            ("sold_out_ns", self.sold_out_ns),
            ("poll_ns", self.poll_ns),
            ("aof_bytes_a_join", self.aof_bytes),
            ("bytes_a_place", self.place_bytes),
            ("joins_per_second", self.joins_per_second),
            ("join_max_us", self.join_max_us),
            ("rest_max_us", self.rest_max_us),
            ("waited_ms", self.waited_ms),
            ("granted_ms", self.granted_ms),
            ("freed_ms", self.freed_ms),
        ]
    }

    /// A line a figure.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["people in line", ""]);
        let people = commas(self.count);
        let figures = [
            ("RESERVE, server ns".to_owned(), self.reserve_ns, 0),
            ("RESERVE ... WAIT that joins".to_owned(), self.join_ns, 0),
            ("RESERVE sold out".to_owned(), self.sold_out_ns, 0),
            ("RESERVE ... WAIT that polls".to_owned(), self.poll_ns, 0),
            ("AOF B a join".to_owned(), self.aof_bytes, 1),
            (format!("memory B a place of {people}"), self.place_bytes, 1),
            ("joins/s".to_owned(), self.joins_per_second, 0),
            ("longest join us".to_owned(), self.join_max_us, 0),
            (
                "longest other call or go us".to_owned(),
                self.rest_max_us,
                0,
            ),
            ("core taken ms".to_owned(), self.waited_ms, 1),
            (
                format!("{} granted from START, ms", commas(UNITS)),
                self.granted_ms,
                0,
            ),
            (
                "memory back after the last order, ms".to_owned(),
                self.freed_ms,
                0,
            ),
        ];
        for (name, value, places) in figures {
            table.add(vec![name, number(value, places)]);
        }
        table
    }

    /// What a line is meant to reach.
    pub fn targets(&self) -> Vec<Target> {
        let people = commas(self.count);
        let target = |name: String, aim, measured, unit| Target {
            name,
            aim,
            measured: Some(measured),
            unit,
        };
        let longest_us = self.join_max_us.max(self.rest_max_us);
        vec![
            target(
                "join : RESERVE".into(),
                Aim::AtLeast(0.85),
                self.reserve_ns / self.join_ns,
                "×",
            ),
            target(
                "poll : RESERVE sold out".into(),
                Aim::AtLeast(0.4),
                self.sold_out_ns / self.poll_ns,
                "×",
            ),
            target("AOF a join".into(), Aim::AtMost(100.0), self.aof_bytes, "B"),
            target(
                format!("memory a place, {people} in line"),
                Aim::AtMost(60.0),
                self.place_bytes,
                "B",
            ),
            target(
                format!("longest call or go, {people} through START to SOLDOUT"),
                Aim::AtMost(2.0),
                longest_us / 1e3,
                "ms",
            ),
            target(
                format!("memory of {people} back"),
                Aim::AtMost(10.0),
                self.freed_ms / 1e3,
                "s",
            ),
        ]
    }
}

/// Measures all of it: the costs with so many users and several times, the life with `count`.
pub fn measure(setups: &Setups, users: u64, rounds: u32, count: u64) -> Outcome<Line> {
    let mut line = Line {
        count,
        ..Line::default()
    };
    measure_costs(&mut line, &mut Stage::open(&setups.plain, users)?, rounds)?;
    let mut stage = Stage::open(&setups.logged, users)?;
    open_line(&mut stage.wire, &["STOCK", "1"])?;
    let before = aof_size(&mut stage.wire)?;
    fill(
        stage.server.port(),
        users,
        "WAITING",
        ask(SALE, in_turn, &["WAIT"]),
    )?;
    line.aof_bytes = (aof_size(&mut stage.wire)? - before) as f64 / users as f64;
    drop(stage);
    measure_life(&mut line, &mut Stage::open(&setups.plain, count)?)?;
    Ok(line)
}

/// A sale in which nobody who waits is ever absent, and whose units the first has.
fn open_line(wire: &mut Wire, options: &[&str]) -> Outcome<()> {
    let line = ["WAITING", "100000000", "PATIENCE", "0"];
    stage::create(wire, SALE, ORDERS, &[options, &line].concat())?;
    wire.ask(&["FLASHSALE.RESERVE", SALE, "holder", "1", "ID", "holder"])?;
    Ok(())
}

/// In order of their numbers.
pub fn in_turn(at: u64) -> u64 {
    at
}

/// The request of a user for one unit, the users in this order.
pub fn ask(
    key: &'static str,
    order: impl Fn(u64) -> u64 + Send,
    last: &[&'static str],
) -> impl Fn(u64, &mut Vec<u8>) + Send {
    let last = last.to_vec();
    move |at, bytes| {
        let (user, id) = Names::Lifelike.of(order(at));
        let words = ["FLASHSALE.RESERVE", key, &user, "1", "ID", &id];
        let words = words.iter().chain(&last).map(|word| word.as_bytes());
        push(bytes, &words.collect::<Vec<_>>());
    }
}

/// The four costs, each the median of the rounds.
fn measure_costs(line: &mut Line, stage: &mut Stage, rounds: u32) -> Outcome<()> {
    let users = stage.population;
    // Whoever asks for more has bought before, as in the rows.
    stage::sell_out(stage, "sold", users)?;
    let scattered = |at| at * PRIME % users;
    let mut taken_ns: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        stage::create(&mut stage.wire, SALE, ORDERS, &["STOCK", PLENTY])?;
        taken_ns[0].push(time(stage, "RESERVED", ask(SALE, in_turn, &[]))?);
        open_line(&mut stage.wire, &["STOCK", "1"])?;
        taken_ns[1].push(time(stage, "WAITING", ask(SALE, in_turn, &["WAIT"]))?);
        taken_ns[2].push(time(stage, "SOLDOUT", ask("sold", scattered, &[]))?);
        taken_ns[3].push(time(stage, "WAITING", ask(SALE, scattered, &["WAIT"]))?);
    }
    let [reserve, join, sold_out, poll] = taken_ns.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken[taken.len() / 2]
    });
    (line.reserve_ns, line.join_ns) = (reserve, join);
    (line.sold_out_ns, line.poll_ns) = (sold_out, poll);
    Ok(())
}

/// What a call of each user takes of the server's main thread, in nanoseconds.
pub fn time(
    stage: &mut Stage,
    word: &str,
    build: impl Fn(u64, &mut Vec<u8>) + Send,
) -> Outcome<f64> {
    stage.wire.wait_until_quiet()?;
    let pid = stage.wire.info_number("server", "process_id")?;
    let before = Times::of_process(pid).unwrap_or_default();
    let took = fill(stage.server.port(), stage.population, word, build)?;
    let after = Times::of_process(pid);
    // Where the system does not tell, the server was as busy as the load.
    let ran_ns = after.map_or(took.as_nanos() as u64, |after| after.since(before).ran_ns);
    Ok(ran_ns as f64 / stage.population as f64)
}

/// From the first join to the last freed byte.
fn measure_life(line: &mut Line, stage: &mut Stage) -> Outcome<()> {
    let (count, port) = (line.count, stage.server.port());
    let units = UNITS.to_string();
    let far_ms = (now_ms() + 86_400_000).to_string();
    // Entries of grants name those who are to check out.
    let options = ["STOCK", &units, "START", &far_ms, "EVENTS", "all"];
    let wire = &mut stage.wire;
    let waits = ["WAITING", "100000000", "PATIENCE", "0"];
    let memory = |wire: &mut Wire| wire.number(&["MEMORY", "USAGE", SALE]);
    let (mut all_before, mut waited_before) = (0, 0.0);
    line.join_max_us = f64::INFINITY;
    for _ in 0..GROWTHS {
        stage::create(wire, SALE, ORDERS, &[&options[..], &waits].concat())?;
        wire.wait_until_quiet()?;
        let own_before = memory(wire)?;
        (all_before, waited_before) = (dataset(wire)?, waited_ms(wire)?);
        wire.ask(&["CONFIG", "RESETSTAT"])?;
        let took = fill(port, count, "WAITING", ask(SALE, in_turn, &["WAIT"]))?;
        line.joins_per_second = count as f64 / took.as_secs_f64();
        line.place_bytes = (memory(wire)? - own_before) as f64 / count as f64;
        let longest_us = longest_us(wire, |name| name == "flashsale.reserve")?;
        line.join_max_us = line.join_max_us.min(longest_us);
        if longest_us < SMOOTH_US {
            break;
        }
    }
    start(line, wire)?;
    buy_all(wire)?;
    let ended = Instant::now();
    // What the ten thousand have stays, and all else is back.
    let may_stay = (dataset(wire)?.saturating_sub(all_before)) / 20;
    wire.wait_until("the memory is back", |wire| {
        thread::sleep(Duration::from_millis(5));
        Ok(dataset(wire)? <= all_before + may_stay + UNITS * 1_000)
    })?;
    line.freed_ms = ended.elapsed().as_secs_f64() * 1e3;
    let is_other = |name: &str| name.starts_with("flashsale.") && name != "flashsale.reserve";
    let go_us = wire.info_number("flashsale", "flashsale_sweep_us_max")? as f64;
    line.rest_max_us = longest_us(wire, is_other)?.max(go_us);
    line.waited_ms = waited_ms(wire)? - waited_before;
    let left = fill(
        port,
        1_000,
        "SOLDOUT",
        ask(SALE, |at| count + at, &["WAIT"]),
    );
    left.map_err(|error| format!("a poll after the end: {error}").into())
        .map(drop)
}

/// START comes, the order is drawn, and those in front get all units.
fn start(line: &mut Line, wire: &mut Wire) -> Outcome<()> {
    let start_ms = now_ms() + 50;
    wire.ask(&["FLASHSALE.ALTER", SALE, "START", &start_ms.to_string()])?;
    wire.wait_until("all units are granted", |wire| {
        let granted = wire.info_number("flashsale", "flashsale_outcome_granted")?;
        thread::sleep(Duration::from_millis(1));
        Ok(granted >= UNITS)
    })?;
    line.granted_ms = now_ms().saturating_sub(start_ms) as f64;
    Ok(())
}

/// Whoever was granted units buys them, so that nothing is left for the others.
fn buy_all(wire: &mut Wire) -> Outcome<()> {
    wire.wait_until("all grants are in the stream", |wire| {
        Ok(wire.number(&["XLEN", ORDERS])? >= UNITS)
    })?;
    let Value::Array(entries) = wire.ask(&["XRANGE", ORDERS, "-", "+"])? else {
        return Err("there is no stream".into());
    };
    let ids: Vec<String> = entries.iter().filter_map(granted_id).collect();
    for ids in ids.chunks(BATCH) {
        let count = ids.len().to_string();
        let mut words = vec!["FLASHSALE.MCHECKOUT", SALE, ORDERS, "ENTRIES", &count];
        words.extend(ids.iter().flat_map(|id| [id.as_str(), ""]));
        wire.ask(&words)?;
    }
    Ok(())
}

/// The id of an entry that tells of a grant.
fn granted_id(entry: &Value) -> Option<String> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let Value::Array(fields) = parts.get(1)? else {
        return None;
    };
    let of = |name| {
        let mut pairs = fields.chunks(2);
        pairs
            .find(|pair| text_of(&pair[0]) == name)
            .map(|pair| text_of(&pair[1]))
    };
    (of("event")? == "granted").then(|| of("id"))?
}

pub fn dataset(wire: &mut Wire) -> Outcome<u64> {
    wire.info_number("memory", "used_memory_dataset")
}

pub fn aof_size(wire: &mut Wire) -> Outcome<u64> {
    wire.wait_until_quiet()?;
    wire.info_number("persistence", "aof_current_size")
}

/// The longest call of these commands.
fn longest_us(wire: &mut Wire, is_it: impl Fn(&str) -> bool) -> Outcome<f64> {
    let info = wire.info("all")?;
    let names = info
        .keys()
        .filter_map(|field| field.strip_prefix("cmdstat_"));
    let calls = names
        .filter(|name| is_it(name))
        .filter_map(|name| calls_of(&info, name));
    Ok(calls.map(|calls| calls.number("p100")).fold(0.0, f64::max))
}
