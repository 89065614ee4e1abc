//! Very many reservations that fall due in the same moment, and what other clients feel
//! while they are returned.
//!
//! Edge: stalls are what clients saw, on a machine that may have stalls of its own; the
//! longest sweep is the module's own account.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use redis::Connection;

use crate::reply::Outcome;
use crate::row::calls_of;
use crate::server::Setup;
use crate::stage::{self, ORDERS, PLENTY, SALE, Stage, digits, id_of};
use crate::wire::{Wire, fill, push};

/// How long before the moment other clients are watched.
const EARLY: Duration = Duration::from_millis(500);
/// A sale of this many reservations is filled in a second, also on a slow machine.
const FILLED_A_SECOND: u64 = 100_000;

/// Reservations due in the same moment.
#[derive(Clone, Debug)]
pub struct Wave {
    pub count: u64,
    /// From the moment to the last one returned.
    pub lasted_ms: f64,
    /// The longest sweep, where INFO tells it; the longest RESERVE, which sweeps as well.
    pub sweep_max_us: Option<f64>,
    pub reserve_max_us: f64,
    /// What two clients waited that sent one command after the other.
    pub ping_max_ms: f64,
    pub ping_p999_ms: f64,
    pub reserve_max_ms: f64,
    pub reserve_p999_ms: f64,
}

impl Wave {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("lasted_ms", self.lasted_ms),
            ("sweep_max_us", self.sweep_max_us.unwrap_or(f64::NAN)),
            ("reserve_max_us", self.reserve_max_us),
            ("ping_p999_ms", self.ping_p999_ms),
            ("ping_max_ms", self.ping_max_ms),
            ("reserve_p999_ms", self.reserve_p999_ms),
            ("reserve_max_ms", self.reserve_max_ms),
        ]
    }
}

/// Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Makes so many reservations due at once, and watches.
pub fn measure(setup: &Setup, count: u64) -> Outcome<Wave> {
    let mut stage = Stage::open(setup, count)?;
    stage::create(&mut stage.wire, SALE, ORDERS, &["STOCK", PLENTY])?;
    let due_ms = now_ms() + 3_000 + count / FILLED_A_SECOND * 1_000;
    reserve_until(stage.server.port(), count, due_ms)?;
    if expired(&mut stage.wire)? > 0 {
        return Err("the wave came before the sale was filled: a slow machine".into());
    }
    let early_ms = EARLY.as_millis() as u64;
    thread::sleep(Duration::from_millis(
        due_ms.saturating_sub(now_ms() + early_ms),
    ));
    stage.wire.ask(&["CONFIG", "RESETSTAT"])?;
    let felt = watch(&mut stage, due_ms)?;
    let info = stage.wire.info("all")?;
    let reserve_calls = calls_of(&info, "flashsale.reserve").ok_or("no RESERVE was counted")?;
    let told = stage.wire.info("flashsale")?;
    let sweep = told.get("flashsale_sweep_us_max");
    let ms = |histogram: &Histogram<u64>, share| histogram.value_at_quantile(share) as f64 / 1e3;
    Ok(Wave {
        count,
        lasted_ms: felt.lasted_ms,
        sweep_max_us: sweep.and_then(|us| us.parse().ok()),
        reserve_max_us: reserve_calls.number("p100"),
        ping_max_ms: ms(&felt.pings, 1.0),
        ping_p999_ms: ms(&felt.pings, 0.999),
        reserve_max_ms: ms(&felt.reserves, 1.0),
        reserve_p999_ms: ms(&felt.reserves, 0.999),
    })
}

/// Reserves one unit for each of `count` users until a moment.
fn reserve_until(port: u16, count: u64, due_ms: u64) -> Outcome<Duration> {
    fill(port, count, "RESERVED", |number, bytes| {
        let (user, id) = (digits(number), id_of(number));
        let hold = due_ms.saturating_sub(now_ms()).max(1).to_string();
        let command = [
            "FLASHSALE.RESERVE",
            SALE,
            &user,
            "1",
            "ID",
            &id,
            "HOLD",
            &hold,
        ];
        push(bytes, &command.map(str::as_bytes));
    })
}

fn expired(wire: &mut Wire) -> Outcome<u64> {
    wire.info_number("flashsale", "flashsale_outcome_expired")
}

/// What two clients felt until all had expired.
struct Felt {
    lasted_ms: f64,
    pings: Histogram<u64>,
    reserves: Histogram<u64>,
}

fn watch(stage: &mut Stage, due_ms: u64) -> Outcome<Felt> {
    let count = stage.population;
    let is_over = &AtomicBool::new(false);
    let connections = (stage.server.connect()?, stage.server.connect()?);
    thread::scope(|scope| {
        let pings = scope.spawn(|| probe(connections.0, is_over, |_| redis::cmd("PING")));
        let reserves = scope.spawn(|| {
            probe(connections.1, is_over, |number| {
                // Of users and ids beyond those of the wave.
                let (user, id) = (digits(count + number), id_of(count + number));
                let mut command = redis::cmd("FLASHSALE.RESERVE");
                command.arg(SALE).arg(user).arg(1).arg("ID").arg(id);
                command
            })
        });
        let waited = stage
            .wire
            .wait_until("all has expired", |wire| Ok(expired(wire)? >= count));
        let lasted_ms = now_ms().saturating_sub(due_ms) as f64;
        is_over.store(true, Ordering::Relaxed);
        let pings = pings.join().map_err(|_| "a probe panicked")??;
        let reserves = reserves.join().map_err(|_| "a probe panicked")??;
        waited?;
        Ok(Felt {
            lasted_ms,
            pings,
            reserves,
        })
    })
}

/// Sends one command after the other until it is over; how long each took, in
/// microseconds.
fn probe(
    mut connection: Connection,
    is_over: &AtomicBool,
    build: impl Fn(u64) -> redis::Cmd,
) -> Outcome<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        let command = build(number);
        let started = Instant::now();
        command.query::<redis::Value>(&mut connection)?;
        histogram.record(started.elapsed().as_micros() as u64)?;
        number += 1;
    }
    Ok(histogram)
}
