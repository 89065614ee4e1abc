//! What a batch weighs in the AOF, and its longest call while a sale grows and while very many
//! reservations in it are overdue.
//!
//! Users and ids are those of a shop, see `Names::Lifelike`.
//!
//! Edge: sizes and times are the server's own words.

use std::thread;
use std::time::Duration;

use crate::batch_rows::ENTRIES;
use crate::growth::{Setups, waited_ms};
use crate::reply::Outcome;
use crate::row::calls_of;
use crate::stage::{self, Names, ORDERS, PLENTY, SALE, Stage};
use crate::wave::now_ms;
use crate::wire::{Wire, fill, push};

/// Entries of the largest batch: `batch-max`, as it is by default.
const MOST: u64 = 1000;
/// Entries whose bytes are counted.
const WEIGHED: u64 = 64_000;
/// A sale gets at least so many reservations in a second, also on a slow machine.
const FILLED_A_SECOND: u64 = 100_000;
/// A longest call below this needs no second try, in microseconds.
const SMOOTH_US: f64 = 2_000.0;

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batches {
    /// An entry's bytes in the AOF, in batches of [`ENTRIES`].
    pub aof_bytes: f64,
    pub longest: Longest,
}

/// The longest calls of MRESERVE with [`MOST`] entries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Longest {
    /// Reservations that the sale grew to, and how many of them fell due at once.
    pub count: u64,
    pub overdue: u64,
    /// The longest call while it grew, and while the overdue were returned.
    pub growing_us: f64,
    pub overdue_us: f64,
    /// Calls of either kind, and how long the server waited for its core meanwhile.
    pub calls: u64,
    pub waited_ms: f64,
}

impl Longest {
    /// Returns the longest call of all.
    pub fn most_us(&self) -> f64 {
        self.growing_us.max(self.overdue_us)
    }
}

impl Batches {
    /// Names and values for the CSV.
    pub fn measures(&self) -> [(&'static str, f64); 7] {
        let longest = self.longest;
        [
            ("aof_bytes", self.aof_bytes),
            ("reservations", longest.count as f64),
            ("overdue", longest.overdue as f64),
            ("growing_call_max_us", longest.growing_us),
            ("overdue_call_max_us", longest.overdue_us),
            ("calls", longest.calls as f64),
            ("waited_ms", longest.waited_ms),
        ]
    }
}

/// Measures both; the longest call is that of the smoothest of up to `times` growths, as a
/// pause of the machine is in one of them and a pause of the tables in all.
pub fn measure(setups: &Setups, count: u64, times: u32) -> Outcome<Batches> {
    let aof_bytes = weigh(&mut Stage::open(&setups.logged, 0)?)?;
    let mut smooth: Option<Longest> = None;
    for _ in 0..times {
        let longest = grow(&mut Stage::open(&setups.plain, 0)?, count)?;
        if smooth.is_none_or(|smooth| longest.most_us() < smooth.most_us()) {
            smooth = Some(longest);
        }
        if longest.most_us() < SMOOTH_US {
            break;
        }
    }
    Ok(Batches {
        aof_bytes,
        longest: smooth.unwrap_or_default(),
    })
}

/// The bytes that an entry adds to the AOF.
fn weigh(stage: &mut Stage) -> Outcome<f64> {
    stage::create(&mut stage.wire, SALE, ORDERS, &["STOCK", PLENTY])?;
    let size = |wire: &mut Wire| {
        wire.wait_until_quiet()?;
        wire.info_number("persistence", "aof_current_size")
    };
    let before = size(&mut stage.wire)?;
    reserve(
        stage.server.port(),
        0..WEIGHED,
        ENTRIES,
        "RESERVED",
        String::new,
    )?;
    let bytes = size(&mut stage.wire)?.saturating_sub(before);
    Ok(bytes as f64 / WEIGHED as f64)
}

/// Grows a sale until its stock is reserved, a tenth of it until one moment; then asks for as
/// much again, which needs what is overdue.
fn grow(stage: &mut Stage, count: u64) -> Outcome<Longest> {
    let port = stage.server.port();
    let overdue = count / 10 / MOST * MOST;
    let lasting = count / MOST * MOST - overdue;
    let count = lasting + overdue;
    let wire = &mut stage.wire;
    wire.ask(&["CONFIG", "SET", "notify-keyspace-events", "KEA"])?;
    stage::create(wire, SALE, ORDERS, &["STOCK", &count.to_string()])?;
    wire.ask(&["CONFIG", "RESETSTAT"])?;
    let waited_before = waited_ms(wire)?;
    reserve(port, 0..lasting, MOST, "RESERVED", String::new)?;
    let due_ms = now_ms() + 3_000 + overdue / FILLED_A_SECOND * 1_000;
    let hold = || due_ms.saturating_sub(now_ms()).max(1).to_string();
    reserve(port, lasting..count, MOST, "RESERVED", hold)?;
    let outcome =
        |wire: &mut Wire, name| wire.info_number("flashsale", &format!("flashsale_outcome_{name}"));
    let (reserved, expired) = (outcome(wire, "reserved")?, outcome(wire, "expired")?);
    if (reserved, expired) != (count, 0) {
        return Err(format!("{reserved} of {count} reserved, {expired} expired: slow?").into());
    }
    let (growing_us, grown) = longest_call(wire)?;
    wire.ask(&["CONFIG", "RESETSTAT"])?;
    thread::sleep(Duration::from_millis(due_ms.saturating_sub(now_ms())));
    reserve(port, count..count + overdue, MOST, "", String::new)?;
    let (overdue_us, calls) = longest_call(wire)?;
    if outcome(wire, "reserved")? == count {
        return Err("nothing that was overdue was reserved again".into());
    }
    Ok(Longest {
        count,
        overdue,
        growing_us,
        overdue_us,
        calls: grown + calls,
        waited_ms: waited_ms(wire)? - waited_before,
    })
}

/// The longest call since the counters were reset, in microseconds, and how many there were.
fn longest_call(wire: &mut Wire) -> Outcome<(f64, u64)> {
    let info = wire.info("all")?;
    let calls = calls_of(&info, "flashsale.mreserve").ok_or("INFO knows no calls of MRESERVE")?;
    Ok((calls.number("p100"), calls.number("calls") as u64))
}

/// Reserves a unit for each buyer of a range, so many in a call. `hold` is how long, in
/// milliseconds, as digits; empty for as long as the sale has it.
fn reserve(
    port: u16,
    buyers: std::ops::Range<u64>,
    entries: u64,
    word: &str,
    hold: impl Fn() -> String + Send + Sync,
) -> Outcome<()> {
    let (first, calls) = (buyers.start, (buyers.end - buyers.start) / entries);
    fill(port, calls, word, |call, bytes| {
        let start = first + call * entries;
        let names: Vec<(String, String)> = (start..start + entries)
            .map(|buyer| Names::Lifelike.of(buyer))
            .collect();
        let (count, hold) = (entries.to_string(), hold());
        let mut words: Vec<&[u8]> = vec![b"FLASHSALE.MRESERVE", SALE.as_bytes(), b"ENTRIES"];
        words.push(count.as_bytes());
        for (user, id) in &names {
            words.extend([user.as_bytes(), b"1", id.as_bytes()]);
        }
        if !hold.is_empty() {
            words.extend([b"HOLD", hold.as_bytes()]);
        }
        push(bytes, &words);
    })?;
    Ok(())
}
