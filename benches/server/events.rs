//! What `EVENTS all` costs: the same calls with and without it, how soon an entry is in the
//! stream, and how fast a backlog is worked off.
//!
//! Edge: how soon is told by the entries themselves, from the moment of the decision to that of
//! the stream ID, in whole milliseconds.

use std::thread;
use std::time::{Duration, Instant};

use redis::Value;

use crate::load::{self, Shot};
use crate::reply::{Outcome, text_of};
use crate::server::Setup;
use crate::stage::{self, NEW, ORDERS, PLENTY, SALE, Stage, digits, id_of};
use crate::wire::{Wire, fill, push};

/// Entries of the backlog.
const BACKLOG: u64 = 100_000;
/// Requests of the paced load in each millisecond, and for how many milliseconds.
const PACE: (u64, u64) = (20, 2_000);

/// What was measured, without and with `EVENTS all` where there are two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Events {
    pub reserve_per_second: [f64; 2],
    /// A RESERVE and its CHECKOUT, which writes the entry of the RESERVE before its own.
    pub pair_per_second: [f64; 2],
    pub written_p50_ms: f64,
    pub written_p99_ms: f64,
    /// From the moment that the stream takes entries to the last one of the backlog.
    pub drained_ms: f64,
    /// The longest time that clients waited for the timer meanwhile.
    pub go_max_us: f64,
}

impl Events {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("reserve_orders_per_second", self.reserve_per_second[0]),
            ("reserve_all_per_second", self.reserve_per_second[1]),
            ("pair_orders_per_second", self.pair_per_second[0]),
            ("pair_all_per_second", self.pair_per_second[1]),
            ("written_p50_ms", self.written_p50_ms),
            ("written_p99_ms", self.written_p99_ms),
            ("backlog_drained_ms", self.drained_ms),
            ("go_max_us", self.go_max_us),
        ]
    }
}

/// Measures all of it, on a server each.
pub fn measure(program: &str, setup: &Setup, requests: u64) -> Outcome<Events> {
    let mut events = Events::default();
    for (at, word) in ["orders", "all"].into_iter().enumerate() {
        let mut stage = Stage::open(setup, 0)?;
        create(&mut stage.wire, word)?;
        let command = ["FLASHSALE.RESERVE", SALE, "__rand_int__", "1", "ID", NEW];
        let shot = Shot {
            command: &command.map(str::to_owned),
            requests,
            range: 1_000_000_000_000,
            is_pipelined: true,
        };
        let seen = load::run(program, stage.server.port(), &shot)?;
        events.reserve_per_second[at] = seen.per_second;
        create(&mut stage.wire, word)?;
        let pairs = requests / 4;
        let took = fill(stage.server.port(), pairs * 2, "", pair)?;
        events.pair_per_second[at] = pairs as f64 / took.as_secs_f64();
    }
    let mut stage = Stage::open(setup, 0)?;
    create(&mut stage.wire, "all")?;
    (events.written_p50_ms, events.written_p99_ms) = pace(&mut stage)?;
    let mut stage = Stage::open(setup, 0)?;
    create(&mut stage.wire, "all")?;
    (events.drained_ms, events.go_max_us) = drain(&mut stage)?;
    Ok(events)
}

fn create(wire: &mut Wire, word: &str) -> Outcome<()> {
    stage::create(wire, SALE, ORDERS, &["STOCK", PLENTY, "EVENTS", word])
}

/// A RESERVE, then its CHECKOUT.
fn pair(number: u64, bytes: &mut Vec<u8>) {
    let id = id_of(number / 2);
    if number.is_multiple_of(2) {
        reserve(number / 2, bytes);
    } else {
        let words = ["FLASHSALE.CHECKOUT", SALE, ORDERS, &id];
        push(bytes, &words.map(str::as_bytes));
    }
}

fn reserve(number: u64, bytes: &mut Vec<u8>) {
    let (user, id) = (digits(number), id_of(number));
    let words = ["FLASHSALE.RESERVE", SALE, &user, "1", "ID", &id];
    push(bytes, &words.map(str::as_bytes));
}

/// Sends requests at an even pace; returns how long half of the entries, and 99 of a hundred,
/// took from their decision into the stream, in milliseconds.
fn pace(stage: &mut Stage) -> Outcome<(f64, f64)> {
    let (each, times) = PACE;
    let started = Instant::now();
    for round in 0..times {
        let due = Duration::from_millis(round);
        thread::sleep(due.saturating_sub(started.elapsed()));
        let first = round * each;
        let port = stage.server.port();
        fill(port, each, "RESERVED", move |number, bytes| {
            reserve(first + number, bytes);
        })?;
    }
    wait_until_written(&mut stage.wire)?;
    let mut waits = Vec::new();
    let Value::Array(entries) = stage.wire.ask(&["XRANGE", ORDERS, "-", "+"])? else {
        return Err("there is no stream".into());
    };
    for entry in &entries {
        let Value::Array(parts) = entry else { continue };
        let Some(Value::Array(fields)) = parts.get(1) else {
            continue;
        };
        let mut pairs = fields.chunks(2);
        let moment = pairs.find(|pair| text_of(&pair[0]) == "at_ms");
        let decided_ms: u64 = moment
            .map(|pair| text_of(&pair[1]))
            .unwrap_or_default()
            .parse()?;
        let id = text_of(&parts[0]);
        let written_ms: u64 = id.split('-').next().unwrap_or_default().parse()?;
        waits.push(written_ms.saturating_sub(decided_ms));
    }
    waits.sort_unstable();
    let share =
        |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or(0) as f64;
    Ok((share(50), share(99)))
}

/// Fills the outbox while the stream takes nothing; returns how long it takes to empty it, in
/// milliseconds, and the longest go, in microseconds.
fn drain(stage: &mut Stage) -> Outcome<(f64, f64)> {
    stage.wire.ask(&["SET", ORDERS, "of another type"])?;
    fill(stage.server.port(), BACKLOG, "RESERVED", reserve)?;
    // What was queued since the last go counts for the next one.
    thread::sleep(Duration::from_millis(300));
    stage.wire.ask(&["DEL", ORDERS])?;
    let started = Instant::now();
    wait_until_written(&mut stage.wire)?;
    let drained_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let go_us = stage
        .wire
        .info_number("flashsale", "flashsale_sweep_us_max")?;
    Ok((drained_ms, go_us as f64))
}

fn wait_until_written(wire: &mut Wire) -> Outcome<()> {
    wire.wait_until("all entries are written", |wire| {
        let waiting = wire.info_number("flashsale", "flashsale_events_waiting")?;
        Ok(waiting == 0)
    })
}
