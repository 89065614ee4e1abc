//! A flash sale with everything that goes wrong in one: `make demo`, or
//! `cargo run --release --example demo -- --buyers 100000 --units 10000`.
//!
//! Starts a server of its own, opens the sale, lets a crowd at it over many
//! connections, and then checks from the outside that nothing was oversold, nobody
//! got more than the limit, and every unit sold is in the order stream. The exit
//! status is 0 only if every check passed.
//!
//! - `buyer.rs`: who comes, and how they behave
//! - `visit.rs`: what one buyer asks next, given the last answer
//! - `crowd.rs`: one connection: many buyers, requests in batches
//! - `tally.rs`: what the buyers were told, and how long it took
//! - `checks.rs`: the sale read back and recounted
//! - `report.rs`: the tables
//!
//! Edge: speaks RESP like any client and never links the crate.

mod buyer;
mod checks;
mod crowd;
#[path = "../common/print.rs"]
mod print;
#[path = "../common/reply.rs"]
mod reply;
mod report;
#[path = "../common/server.rs"]
mod server;
mod tally;
mod visit;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lexopt::ValueExt;
use redis::Connection;

use buyer::GRACE_MS;
use crowd::Progress;
use print::commas;
use reply::{Outcome, Reply};
use server::{Server, Setup};
use tally::Tally;

/// The sale's key.
pub const SALE: &str = "{shoes}";
/// The stream of its orders; the braces keep both in one slot of a cluster.
pub const ORDERS: &str = "{shoes}:orders";
/// How long a reservation lasts.
const HOLD_MS: u64 = 600;
/// How long before START the first buyers may knock.
const EARLY_MS: u64 = 400;

/// What was asked for on the command line.
pub struct Options {
    pub buyers: u32,
    pub units: u64,
    pub connections: u32,
    pub seed: u64,
}

const USAGE: &str = "\
Sells units to buyers who retry, abandon, pay late and click twice, and checks the sale.

Usage: demo [--buyers N] [--units N] [--connections N] [--seed N]

  --buyers N       how many buyers come          [100000]
  --units N        how many units are on sale    [10000]
  --connections N  how many connections they use [50]
  --seed N         which crowd comes             [42]

FLASHSALE_SERVER names the server program, FLASHSALE_MODULE the module.";

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("demo: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; `None` when help was asked for.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::Arg::{Long, Short};
    let mut options = Options {
        buyers: 100_000,
        units: 10_000,
        connections: 50,
        seed: 42,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("buyers") => options.buyers = parser.value()?.parse()?,
            Long("units") => options.units = parser.value()?.parse()?,
            Long("connections") => options.connections = parser.value()?.parse()?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if options.buyers == 0 || options.units == 0 || !(1..=1000).contains(&options.connections) {
        return Err("buyers and units are at least 1, connections 1 to 1000".into());
    }
    Ok(Some(options))
}

/// The whole evening; true when every check passed.
fn run(options: &Options) -> Outcome<bool> {
    let server = Server::start(&Setup::of(&["--appendonly", "yes"]))?;
    println!(
        "{} units, {} buyers, {} connections, seed {}; {} of its own on port {}\n",
        commas(options.units),
        commas(options.buyers.into()),
        options.connections,
        options.seed,
        server.version()?,
        server.port()
    );
    let opens_at_ms = open_sale(&server, options)?;
    let started = Instant::now();
    let tally = sell(&server, options, opens_at_ms)?;
    let took = started
        .elapsed()
        .saturating_sub(Duration::from_millis(EARLY_MS));
    let checks = checks::check_all(&mut server.connect()?, options, &tally, HOLD_MS + GRACE_MS)?;
    Ok(report::print(options, &tally, took, &checks))
}

/// Creates the sale; it opens a moment later, so that some buyers come too early.
fn open_sale(server: &Server, options: &Options) -> Outcome<u64> {
    let opens_at_ms = visit::now_ms() + EARLY_MS;
    let answer = redis::cmd("FLASHSALE.CREATE")
        .arg(SALE)
        .arg(ORDERS)
        .arg(&["STOCK", &options.units.to_string()])
        .arg(&["USERLIMIT", &buyer::USER_LIMIT.to_string()])
        .arg(&["ORDERLIMIT", &buyer::ORDER_LIMIT.to_string()])
        .arg(&["HOLD", &HOLD_MS.to_string(), "GRACE", &GRACE_MS.to_string()])
        .arg(&["START", &opens_at_ms.to_string()])
        .query(&mut server.connect()?)?;
    match Reply::new(answer) {
        reply if reply.word == "OK" => Ok(opens_at_ms),
        reply => Err(format!("FLASHSALE.CREATE answered {}", reply.line()).into()),
    }
}

/// Lets the crowd in: one thread a connection, until the last buyer has left.
fn sell(server: &Server, options: &Options, opens_at_ms: u64) -> Outcome<Tally> {
    let progress = Progress::default();
    let crowds = buyer::crowds(options, opens_at_ms - EARLY_MS);
    let mut connections = Vec::new();
    for _ in &crowds {
        connections.push(server.connect()?);
    }
    let bar = progress_bar(options.units);
    let mut watcher = server.connect()?;
    thread::scope(|scope| {
        let threads: Vec<_> = crowds
            .into_iter()
            .zip(connections)
            .map(|(crowd, connection)| {
                let progress = &progress;
                scope.spawn(move || crowd::serve(crowd, connection, progress))
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            show(&bar, &progress, &mut watcher);
            thread::sleep(Duration::from_millis(50));
        }
        bar.finish_and_clear();
        let mut tally = Tally::new()?;
        for thread in threads {
            tally.add(
                thread
                    .join()
                    .map_err(|_| "a connection's thread panicked")??,
            )?;
        }
        Ok(tally)
    })
}

fn progress_bar(units: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("  {bar:40.cyan/blue} {human_pos}/{human_len} sold  {msg}");
    let bar = ProgressBar::new(units);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// The units sold as the sale says, the rest as the connections count it.
fn show(bar: &ProgressBar, progress: &Progress, watcher: &mut Connection) {
    if let Ok(stock) = checks::read_stock(watcher) {
        bar.set_position(stock.sold);
    }
    let (answers, gone) = progress.read();
    bar.set_message(format!(
        "{} answers, {} buyers done",
        commas(answers),
        commas(gone)
    ));
}
