//! Rate limits: what a call costs beside RESERVE, beside a token bucket in Lua, and beside
//! redis-cell where there is one; and what a subject takes.
//!
//! Edge: costs are the time that the server's main thread ran for a call, of every subject once
//! in a scattered order; the calls are pipelined, AOF off.

use crate::growth::Setups;
use crate::line::{aof_size, ask, dataset, in_turn, time};
use crate::load;
use crate::print::commas;
use crate::reply::Outcome;
use crate::stage::{self, Names, ORDERS, PLENTY, SALE, Stage};
use crate::table::{Table, number};
use crate::targets::{Aim, Target};
use crate::wire::{fill, push};

/// Spreads numbers over a range that it has no factor with.
const PRIME: u64 = 1_000_003;
/// A rate of which each subject has calls left, and one of which none has: of days, so that
/// all subjects are busy for as long as it is measured.
const ALLOWED: [&str; 3] = ["100", "8640000", "100"];
const THROTTLED: [&str; 3] = ["1", "864000000", "1"];

/// What a call that passes and one that does not take of the server's main thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub allowed_ns: f64,
    pub throttled_ns: f64,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub subjects: u64,
    pub reserve_ns: f64,
    pub sold_out_ns: f64,
    pub ours: Cost,
    pub lua: Cost,
    /// Of redis-cell, where it is there.
    pub cell: Option<Cost>,
    /// What a subject takes of memory: as the module says, as the server's own figure grew, and
    /// the same of the script.
    pub subject_bytes: f64,
    pub dataset_bytes: f64,
    pub lua_bytes: f64,
    /// What a call adds to the AOF.
    pub aof_allowed_bytes: f64,
    pub aof_throttled_bytes: f64,
    pub lua_aof_bytes: f64,
}

impl Rates {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        let mut measures = vec![
            ("reserve_ns", self.reserve_ns),
            ("sold_out_ns", self.sold_out_ns),
            ("allowed_ns", self.ours.allowed_ns),
            ("throttled_ns", self.ours.throttled_ns),
            ("lua_allowed_ns", self.lua.allowed_ns),
            ("lua_throttled_ns", self.lua.throttled_ns),
            ("bytes_a_subject", self.subject_bytes),
            ("dataset_bytes_a_subject", self.dataset_bytes),
            ("lua_bytes_a_subject", self.lua_bytes),
            ("aof_bytes_allowed", self.aof_allowed_bytes),
            ("aof_bytes_throttled", self.aof_throttled_bytes),
            ("lua_aof_bytes_allowed", self.lua_aof_bytes),
        ];
        if let Some(cell) = self.cell {
            measures.push(("cell_allowed_ns", cell.allowed_ns));
            measures.push(("cell_throttled_ns", cell.throttled_ns));
        }
        measures
    }

    /// A line a figure: ours, and what it stands beside.
    pub fn table(&self) -> Table {
        let subjects = format!("{} subjects", commas(self.subjects));
        let mut table = Table::new(&[&subjects, "THROTTLE", "RESERVE", "Lua", "redis-cell"]);
        let cell = |of: fn(Cost) -> f64| {
            let cost = self.cell.map(of);
            cost.map_or("-".to_owned(), |ns| number(ns, 0))
        };
        let none = || "-".to_owned();
        table.add(vec![
            "passes, server ns".into(),
            number(self.ours.allowed_ns, 0),
            number(self.reserve_ns, 0),
            number(self.lua.allowed_ns, 0),
            cell(|cost| cost.allowed_ns),
        ]);
        table.add(vec![
            "is refused, server ns".into(),
            number(self.ours.throttled_ns, 0),
            number(self.sold_out_ns, 0),
            number(self.lua.throttled_ns, 0),
            cell(|cost| cost.throttled_ns),
        ]);
        table.add(vec![
            "memory B a subject".into(),
            number(self.subject_bytes, 1),
            none(),
            number(self.lua_bytes, 1),
            none(),
        ]);
        table.add(vec![
            "the same by the server's figure".into(),
            number(self.dataset_bytes, 1),
            none(),
            none(),
            none(),
        ]);
        table.add(vec![
            "AOF B a call that passes".into(),
            number(self.aof_allowed_bytes, 1),
            none(),
            number(self.lua_aof_bytes, 1),
            none(),
        ]);
        table.add(vec![
            "AOF B a refusal".into(),
            number(self.aof_throttled_bytes, 1),
            none(),
            none(),
            none(),
        ]);
        table
    }

    /// What rate limits are meant to reach.
    pub fn targets(&self) -> Vec<Target> {
        let ratio = |name: &str, theirs: Option<f64>, ours: f64, aim| Target {
            name: format!("{name}, server's time"),
            aim: Aim::AtLeast(aim),
            measured: theirs.map(|theirs| theirs / ours),
            unit: "×",
        };
        let at_most = |name: String, measured: f64, aim| Target {
            name,
            aim: Aim::AtMost(aim),
            measured: Some(measured),
            unit: "B",
        };
        let (ours, lua) = (self.ours, self.lua);
        let cell = |of: fn(Cost) -> f64| self.cell.map(of);
        vec![
            ratio(
                "THROTTLE refused : RESERVE sold out",
                Some(self.sold_out_ns),
                ours.throttled_ns,
                0.9,
            ),
            ratio(
                "THROTTLE : RESERVE",
                Some(self.reserve_ns),
                ours.allowed_ns,
                1.2,
            ),
            ratio(
                "THROTTLE : Lua token bucket",
                Some(lua.allowed_ns),
                ours.allowed_ns,
                8.0,
            ),
            ratio(
                "THROTTLE : redis-cell",
                cell(|cost| cost.allowed_ns),
                ours.allowed_ns,
                1.5,
            ),
            ratio(
                "THROTTLE refused : redis-cell",
                cell(|cost| cost.throttled_ns),
                ours.throttled_ns,
                1.5,
            ),
            at_most(
                format!("memory a subject, {}", commas(self.subjects)),
                self.subject_bytes,
                44.0,
            ),
            at_most(
                "memory a subject, half of Lua's".into(),
                self.dataset_bytes,
                self.lua_bytes / 2.0,
            ),
            at_most("AOF a refusal".into(), self.aof_throttled_bytes, 0.0),
        ]
    }
}

/// Measures all of it with so many subjects, the costs several times.
pub fn measure(setups: &Setups, subjects: u64, rounds: u32) -> Outcome<Rates> {
    let mut rates = Rates {
        subjects,
        ..Rates::default()
    };
    let mut stage = open(setups.plain.clone(), subjects)?;
    let script = script(&mut stage)?;
    measure_memory(&mut rates, &mut stage, &script)?;
    measure_costs(&mut rates, &mut stage, &script, rounds)?;
    measure_aof(&mut rates, &mut open(setups.logged.clone(), subjects)?)?;
    Ok(rates)
}

/// A server whose limits take all subjects, with redis-cell where it is known.
fn open(mut setup: crate::server::Setup, subjects: u64) -> Outcome<Stage> {
    let bound = ["max-subjects", "100000000"].map(str::to_owned);
    setup.module_arguments.extend(bound);
    Stage::open(&setup, subjects)
}

fn script(stage: &mut Stage) -> Outcome<String> {
    stage
        .wire
        .text(&["SCRIPT", "LOAD", include_str!("bucket.lua")])
}

/// A call of the subject with a number: count, ms and BURST.
fn call(key: &'static str, rate: [&'static str; 3], subjects: u64) -> impl Fn(u64, &mut Vec<u8>) {
    move |at, bytes| {
        let (subject, _) = Names::Lifelike.of(at * PRIME % subjects);
        let [count, ms, burst] = rate;
        let words = [
            "FLASHSALE.THROTTLE",
            key,
            &subject,
            count,
            ms,
            "BURST",
            burst,
        ];
        push(bytes, &words.map(str::as_bytes));
    }
}

/// The same of the script, in tokens a second.
fn bucket(
    script: &str,
    key: &'static str,
    rate: [&'static str; 2],
    subjects: u64,
) -> impl Fn(u64, &mut Vec<u8>) {
    let script = script.to_owned();
    move |at, bytes| {
        let (subject, _) = Names::Lifelike.of(at * PRIME % subjects);
        let key = format!("{key}:{subject}");
        let [burst, rate] = rate;
        let words = ["EVALSHA", &script, "1", &key, burst, rate, "1"];
        push(bytes, &words.map(str::as_bytes));
    }
}

/// The same of redis-cell, whose burst is one more than it is told.
fn cell(key: &'static str, rate: [&'static str; 3], subjects: u64) -> impl Fn(u64, &mut Vec<u8>) {
    move |at, bytes| {
        let (subject, _) = Names::Lifelike.of(at * PRIME % subjects);
        let key = format!("{key}:{subject}");
        let [more, count, seconds] = rate;
        let words = ["CL.THROTTLE", &key, more, count, seconds];
        push(bytes, &words.map(str::as_bytes));
    }
}

/// The rates of [`ALLOWED`] and [`THROTTLED`] as the others are told them.
const LUA_ALLOWED: [&str; 2] = ["100", "0.011574"];
const LUA_THROTTLED: [&str; 2] = ["1", "0.0000011574"];
const CELL_ALLOWED: [&str; 3] = ["99", "100", "8640"];
const CELL_THROTTLED: [&str; 3] = ["0", "1", "864000"];

/// What a subject takes of memory.
fn measure_memory(rates: &mut Rates, stage: &mut Stage, script: &str) -> Outcome<()> {
    let (port, subjects) = (stage.server.port(), rates.subjects);
    let before = dataset(&mut stage.wire)?;
    fill(port, subjects, "ALLOWED", call("open", ALLOWED, subjects))?;
    let each = |bytes: u64| bytes as f64 / subjects as f64;
    rates.dataset_bytes = each(dataset(&mut stage.wire)? - before);
    rates.subject_bytes = each(
        stage
            .wire
            .info_number("flashsale", "flashsale_limit_bytes")?,
    );
    let kept = stage
        .wire
        .info_number("flashsale", "flashsale_limit_subjects")?;
    if kept != subjects {
        return Err(format!("{kept} subjects of {subjects} in the limit").into());
    }
    let before = stage.wire.info_number("memory", "used_memory")?;
    fill(
        port,
        subjects,
        "ALLOWED",
        bucket(script, "lua", LUA_ALLOWED, subjects),
    )?;
    let after = stage.wire.info_number("memory", "used_memory")?;
    rates.lua_bytes = each(after - before);
    Ok(())
}

/// The costs, each the median of the rounds.
fn measure_costs(rates: &mut Rates, stage: &mut Stage, script: &str, rounds: u32) -> Outcome<()> {
    let (port, subjects) = (stage.server.port(), rates.subjects);
    let has_cell = load_cell(stage)?;
    stage::sell_out(stage, "sold", subjects)?;
    fill(port, subjects, "ALLOWED", call("shut", THROTTLED, subjects))?;
    fill(
        port,
        subjects,
        "ALLOWED",
        bucket(script, "out", LUA_THROTTLED, subjects),
    )?;
    if has_cell {
        fill(port, subjects, "0", cell("cell", CELL_ALLOWED, subjects))?;
        fill(port, subjects, "0", cell("none", CELL_THROTTLED, subjects))?;
    }
    let scattered = move |at| at * PRIME % subjects;
    let mut taken_ns: [Vec<f64>; 8] = Default::default();
    for _ in 0..rounds {
        stage::create(&mut stage.wire, SALE, ORDERS, &["STOCK", PLENTY])?;
        taken_ns[0].push(time(stage, "RESERVED", ask(SALE, in_turn, &[]))?);
        taken_ns[1].push(time(stage, "ALLOWED", call("open", ALLOWED, subjects))?);
        taken_ns[2].push(time(stage, "SOLDOUT", ask("sold", scattered, &[]))?);
        taken_ns[3].push(time(stage, "THROTTLED", call("shut", THROTTLED, subjects))?);
        let open = bucket(script, "lua", LUA_ALLOWED, subjects);
        taken_ns[4].push(time(stage, "ALLOWED", open)?);
        let out = bucket(script, "out", LUA_THROTTLED, subjects);
        taken_ns[5].push(time(stage, "THROTTLED", out)?);
        if has_cell {
            taken_ns[6].push(time(stage, "0", cell("cell", CELL_ALLOWED, subjects))?);
            taken_ns[7].push(time(stage, "1", cell("none", CELL_THROTTLED, subjects))?);
        }
    }
    let medians = taken_ns.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken.get(taken.len() / 2).copied().unwrap_or_default()
    });
    let cost = |at: usize| Cost {
        allowed_ns: medians[at],
        throttled_ns: medians[at + 1],
    };
    (rates.reserve_ns, rates.sold_out_ns) = (medians[0], medians[2]);
    (rates.ours.allowed_ns, rates.ours.throttled_ns) = (medians[1], medians[3]);
    rates.lua = cost(4);
    rates.cell = has_cell.then(|| cost(6));
    Ok(())
}

/// Loads redis-cell where a file is named; reports whether it is there.
fn load_cell(stage: &mut Stage) -> Outcome<bool> {
    match load::other_cell() {
        None => Ok(false),
        Some(path) => {
            stage.wire.ask(&["MODULE", "LOAD", &path])?;
            Ok(true)
        }
    }
}

/// What calls add to the AOF.
fn measure_aof(rates: &mut Rates, stage: &mut Stage) -> Outcome<()> {
    let (port, subjects) = (stage.server.port(), rates.subjects);
    let script = script(stage)?;
    let mut sizes = vec![aof_size(&mut stage.wire)?];
    fill(port, subjects, "ALLOWED", call("shut", THROTTLED, subjects))?;
    sizes.push(aof_size(&mut stage.wire)?);
    fill(
        port,
        subjects,
        "THROTTLED",
        call("shut", THROTTLED, subjects),
    )?;
    sizes.push(aof_size(&mut stage.wire)?);
    fill(
        port,
        subjects,
        "ALLOWED",
        bucket(&script, "lua", LUA_ALLOWED, subjects),
    )?;
    sizes.push(aof_size(&mut stage.wire)?);
    let each = |at: usize| (sizes[at + 1] - sizes[at]) as f64 / subjects as f64;
    (rates.aof_allowed_bytes, rates.aof_throttled_bytes) = (each(0), each(1));
    rates.lua_aof_bytes = each(2);
    Ok(())
}
