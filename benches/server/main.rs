//! The module beside what else Redis offers, on one server in one run: `make bench`, or
//! `make bench-quick` for a glance.
//!
//! - `stage.rs`: the server, and the keys that rows find on it
//! - `rows.rs`, `bloom.rs`: what is sent; `reserve.lua`, `checkout.lua`: the same work
//!   as a script
//! - `row.rs`: one measurement, and the proof that it measured what it says
//! - `bout.rs`: rows in alternation, medians
//! - `batch_rows.rs`, `pump.rs`: commands for many buyers, and the load that sends them;
//!   `batch.rs`: their bytes and their longest call
//! - `growth.rs`: bytes, seconds and the longest call as a sale grows
//! - `wave.rs`: very many deadlines in one moment; `line.rs`: very many people in line;
//!   `rate.rs`, `bucket.lua`: rate limits, and a script that does the same; `guards.rs`:
//!   USERRATE and passes; `units.rs`: seats and codes
//! - `load.rs`: redis-benchmark and the cores; `wire.rs`: single commands, and very many;
//!   `times.rs`: how long a thread ran
//! - `targets.rs`, `report.rs`, `table.rs`, `plot.rs`, `plot_batch.rs`, `machine.rs`: what is
//!   reported of it
//!
//! Edge: speaks RESP like any client and never links the crate. It ends with an error
//! when a row did not do what it is named after; a target that is missed is no error.

mod batch;
mod batch_rows;
mod bloom;
mod bout;
mod events;
mod growth;
mod guards;
mod line;
mod load;
mod machine;
mod plot;
mod plot_batch;
#[allow(dead_code)]
#[path = "../../examples/common/print.rs"]
mod print;
mod pump;
mod rate;
#[allow(dead_code)]
#[path = "../../examples/common/reply.rs"]
mod reply;
mod report;
mod row;
mod rows;
#[allow(dead_code)]
#[path = "../../examples/common/server.rs"]
mod server;
mod stage;
mod table;
mod targets;
mod times;
mod units;
mod wave;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use lexopt::ValueExt;

use bout::{Figures, Mode};
use growth::{Kind, LARGE, Setups};
use print::{commas, heading};
use reply::Outcome;
use report::Report;
use row::Row;
use stage::Stage;

const USAGE: &str = "\
Measures the module beside what else Redis offers, on servers of its own.

Usage: cargo bench --bench server -- [--quick] [option value ...]

  --quick            one round, 300,000 users, 100,000 reservations: a glance
  --users N          users of the sale and reservations in it before a row  [1000000]
  --rounds N         rounds over all rows, of which the median counts       [3]
  --sizes N[,N...]   reservations to grow to     [100000,1000000,10000000]
  --parts P[,P...]   of memory, everysec, single, bloom, batch, growth, wave,
                     events, line, rate, guards, units            [all]
  --out FOLDER       where tables and plot go   [target/bench]

FLASHSALE_SERVER names the server program, FLASHSALE_MODULE the module,
FLASHSALE_BENCH_BLOOM the module of RedisBloom to be loaded beside it,
FLASHSALE_BENCH_CELL that of redis-cell.";

/// What may be measured by itself.
const PARTS: [&str; 12] = [
    "memory", "everysec", "single", "bloom", "batch", "growth", "wave", "events", "line", "rate",
    "guards", "units",
];

/// What to measure.
#[derive(Clone, Debug)]
struct Options {
    users: u64,
    rounds: u32,
    sizes: Vec<u64>,
    parts: Vec<String>,
    out: PathBuf,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    /// For the report.
    fn line(&self) -> String {
        let sizes: Vec<String> = self.sizes.iter().map(|size| commas(*size)).collect();
        let parts = match self.parts.is_empty() {
            true => "all".to_owned(),
            false => self.parts.join(", "),
        };
        format!(
            "{} users, {} rounds, sizes {}, parts: {parts}",
            commas(self.users),
            self.rounds,
            sizes.join(" / ")
        )
    }
}

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("bench: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nbench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; `None` when help was asked for.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::Arg::{Long, Short};
    let mut options = Options {
        users: 1_000_000,
        rounds: 3,
        sizes: vec![100_000, 1_000_000, 10_000_000],
        parts: Vec::new(),
        out: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench"),
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => {
                (options.users, options.rounds, options.sizes) = (300_000, 1, vec![100_000]);
            }
            Long("users") => options.users = parser.value()?.parse()?,
            Long("rounds") => options.rounds = parser.value()?.parse()?,
            Long("sizes") => {
                options.sizes = list(&mut parser)?;
                options.sizes.sort_unstable();
            }
            Long("parts") => options.parts = list(&mut parser)?,
            Long("out") => options.out = parser.value()?.into(),
            // Of ourselves: see `longest_pause_ms`.
            Long("spin") => {
                println!("{}", load::spin());
                std::process::exit(0);
            }
            // What cargo adds.
            Long("bench") => {}
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    let parts = options.parts.iter();
    if let Some(part) = parts
        .into_iter()
        .find(|part| !PARTS.contains(&part.as_str()))
    {
        return Err(format!("there is no part '{part}'").into());
    }
    if !(10_000..=10_000_000).contains(&options.users) || options.rounds == 0 {
        return Err("users are 10000 to 10000000, rounds at least 1".into());
    }
    if options
        .sizes
        .iter()
        .any(|size| !(1_000..=50_000_000).contains(size))
    {
        return Err("sizes are 1000 to 50000000".into());
    }
    Ok(Some(options))
}

/// Words with commas between them.
fn list<T: std::str::FromStr>(parser: &mut lexopt::Parser) -> Result<Vec<T>, lexopt::Error>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let text = parser.value()?.string()?;
    let words = text.split(',').map(str::trim);
    words
        .map(|word| {
            word.parse()
                .map_err(|error: T::Err| lexopt::Error::Custom(error.into()))
        })
        .collect()
}

/// The whole benchmark.
fn run(options: &Options) -> Outcome<()> {
    let started = Instant::now();
    let program = load::program()?;
    let replica_starter = load::replica_starter();
    let pinned = load::pin();
    let mut report = Report {
        options: options.line(),
        ..Report::default()
    };
    let bench = Bench {
        options,
        program,
        starter: pinned.0.clone(),
        replica_starter,
    };
    {
        let stage = Stage::open(&stage::setup(&bench.starter, false)?, 0)?;
        let (server, mut wire) = (stage.server, stage.wire);
        report.facts = machine::facts(&server, &mut wire, program, &pinned)?;
    }
    for (name, value) in &report.facts {
        println!("{name:>8}  {value}");
    }
    println!("{:>8}  {}", "options", report.options);
    bench.measure_rows(&mut report)?;
    bench.measure_growth(&mut report)?;
    let wave = report.wave.as_ref();
    report.targets = targets::judge(&report.rows, report.batches, &report.growths, wave);
    let line = report.line.iter();
    report.targets.extend(line.flat_map(|line| line.targets()));
    let rates = report.rates.iter();
    report
        .targets
        .extend(rates.flat_map(|rates| rates.targets()));
    let guards = report.guards.iter();
    report
        .targets
        .extend(guards.flat_map(|guards| guards.targets()));
    let units = report.units.iter();
    report
        .targets
        .extend(units.flat_map(|units| units.targets()));
    println!("\n{}", heading("Targets"));
    println!("{}", report.target_table().markdown());
    report.write(&options.out)?;
    draw(&report, &options.out)?;
    println!(
        "{} seconds; bench.md, bench.csv, summary.md and the pictures are in {}",
        started.elapsed().as_secs(),
        options.out.display()
    );
    Ok(())
}

/// Draws `bench.svg` and `batch.svg`, as far as their rows were measured.
fn draw(report: &Report, folder: &Path) -> Outcome<()> {
    for (name, picture) in [
        ("bench.svg", plot::svg(report)?),
        ("batch.svg", plot_batch::svg(report)?),
    ] {
        if let Some(picture) = picture {
            std::fs::write(folder.join(name), picture)?;
        }
    }
    Ok(())
}

/// What every part needs.
struct Bench<'o> {
    options: &'o Options,
    program: &'static str,
    starter: Vec<String>,
    replica_starter: Vec<String>,
}

impl Bench<'_> {
    /// Every table of rows.
    fn measure_rows(&self, report: &mut Report) -> Outcome<()> {
        let users = self.options.users;
        let wants = |part| self.options.wants(part);
        if wants("memory") || wants("single") {
            let mut stage = self.open(false)?;
            stage.fill_kept(true)?;
            if wants("memory") {
                let rows = rows::without_aof(users, &stage.scripts);
                self.alternate(Mode::Memory, &mut stage, &rows, report)?;
            }
            if wants("single") {
                let rows = rows::unpipelined(users, &stage.scripts);
                self.alternate(Mode::Single, &mut stage, &rows, report)?;
            }
        }
        if wants("everysec") {
            let mut stage = self.open(true)?;
            stage.fill_kept(false)?;
            let rows = rows::with_aof(users, &stage.scripts);
            self.alternate(Mode::Everysec, &mut stage, &rows, report)?;
        }
        if wants("bloom") {
            self.measure_bloom(report)?;
        }
        if wants("batch") {
            self.measure_batches(report)?;
        }
        Ok(())
    }

    /// Batches beside single commands, on a server each without AOF, with it, and with a
    /// replica; then their bytes and their longest call.
    fn measure_batches(&self, report: &mut Report) -> Outcome<()> {
        for mode in bout::BATCHES {
            let mut stage = self.open(mode == Mode::BatchEverysec)?;
            if mode == Mode::BatchReplica {
                stage.add_replica(&stage::setup(&self.replica_starter, false)?)?;
            }
            stage.fill_kept(mode == Mode::BatchMemory)?;
            stage.wait_for_replica()?;
            let rows = batch_rows::rows(mode, self.options.users, &stage.scripts);
            self.alternate(mode, &mut stage, &rows, report)?;
        }
        if let Some(&count) = self.options.sizes.last() {
            println!("\n{}", heading("batches as a sale grows"));
            report.batches = Some(batch::measure(&self.setups()?, count, self.options.rounds)?);
            println!("\n{}", report.longest_table().markdown());
        }
        Ok(())
    }

    fn setups(&self) -> Outcome<Setups> {
        Ok(Setups {
            plain: stage::setup(&self.starter, false)?,
            logged: stage::setup(&self.starter, true)?,
        })
    }

    fn measure_bloom(&self, report: &mut Report) -> Outcome<()> {
        let mut stage = self.open(false)?;
        if let Some(path) = load::other_bloom() {
            stage.wire.ask(&["MODULE", "LOAD", &path])?;
        }
        let with_other = bloom::has_other(&mut stage.wire)?;
        if !with_other {
            report
                .left_out
                .push("RedisBloom not here: its rows are left out".into());
        }
        bloom::fill_filters(&mut stage, with_other)?;
        let rows = bloom::rows(self.options.users, with_other);
        self.alternate(Mode::Bloom, &mut stage, &rows, report)
    }

    /// Sales and scripts as they grow, and a wave of deadlines.
    fn measure_growth(&self, report: &mut Report) -> Outcome<()> {
        let setups = self.setups()?;
        if self.options.wants("growth") {
            println!("\n{}", heading("growth"));
            for &count in &self.options.sizes {
                // The system takes its tick of the core in nearly every long one.
                let times = match count > LARGE {
                    true => 2 * self.options.rounds,
                    false => self.options.rounds,
                };
                self.grow(&setups, Kind::Sale, count, times, report)?;
            }
            for &count in self.options.sizes.iter().filter(|count| **count <= LARGE) {
                self.grow(&setups, Kind::Script, count, 1, report)?;
            }
            println!("\n{}", report.growth_table().markdown());
        }
        let within = self.options.sizes.iter().filter(|count| **count <= LARGE);
        if self.options.wants("wave")
            && let Some(&count) = within.max()
        {
            println!("\n{}", heading("a wave of deadlines"));
            report.wave = Some(wave::measure(&setups.logged, count)?);
            println!("\n{}", report.wave_table().markdown());
        }
        if self.options.wants("events") {
            println!("\n{}", heading("EVENTS all"));
            let requests = self.options.users;
            report.events = Some(events::measure(self.program, &setups.plain, requests)?);
            println!("\n{}", report.events_table().markdown());
        }
        if self.options.wants("line")
            && let Some(&count) = self.options.sizes.last()
        {
            println!("\n{}", heading("people in line"));
            let (users, rounds) = (self.options.users, self.options.rounds);
            let line = line::measure(&setups, users, rounds, count)?;
            println!("\n{}", line.table().markdown());
            report.line = Some(line);
        }
        if self.options.wants("rate") {
            self.measure_rates(&setups, report)?;
        }
        if self.options.wants("guards") {
            println!("\n{}", heading("who may try"));
            let guards = guards::measure(&setups, self.options.users, self.options.rounds)?;
            println!("\n{}", guards.table().markdown());
            report.guards = Some(guards);
        }
        if self.options.wants("units") {
            println!("\n{}", heading("units with names"));
            let units = units::measure(&setups, self.options.rounds)?;
            println!("\n{}", units.table().markdown());
            report.units = Some(units);
        }
        Ok(())
    }

    fn measure_rates(&self, setups: &Setups, report: &mut Report) -> Outcome<()> {
        println!("\n{}", heading("rate limits"));
        if load::other_cell().is_none() {
            report
                .left_out
                .push("redis-cell not here (FLASHSALE_BENCH_CELL): its column is left out".into());
        }
        let rates = rate::measure(setups, self.options.users, self.options.rounds)?;
        println!("\n{}", rates.table().markdown());
        report.rates = Some(rates);
        Ok(())
    }

    fn grow(
        &self,
        setups: &Setups,
        kind: Kind,
        count: u64,
        times: u32,
        report: &mut Report,
    ) -> Outcome<()> {
        let growth = growth::measure(setups, kind, count, times)?;
        println!(
            "  {:?} of {:<12} {:>12}/s, {:.0} bytes each",
            kind,
            commas(count),
            commas(growth.per_second as u64),
            growth.memory_bytes
        );
        report.growths.push(growth);
        Ok(())
    }

    fn open(&self, with_aof: bool) -> Outcome<Stage> {
        Stage::open(&stage::setup(&self.starter, with_aof)?, self.options.users)
    }

    /// Measures rows, telling of each, and prints their table.
    fn alternate(
        &self,
        mode: Mode,
        stage: &mut Stage,
        rows: &[Row],
        report: &mut Report,
    ) -> Outcome<()> {
        println!("\n{}", heading(mode.word()));
        let tell = |name: &str, sample: &row::Sample| {
            println!(
                "  {name:<22} {:>12}/s",
                commas(sample.seen.per_second as u64)
            );
        };
        let figures: Vec<Figures> =
            bout::alternate(mode, self.program, stage, rows, self.options.rounds, tell)?;
        report.rows.extend(figures);
        let table = match bout::BATCHES.contains(&mode) {
            true => report.batch_table(mode),
            false => report.row_table(mode),
        };
        println!("\n{}", table.markdown());
        Ok(())
    }
}
