//! `flashsale load`: a rush of buyers with bad habits, and a check of the books at the end.
//!
//! # How it holds
//!
//! 1. Who comes, when, and how they behave is drawn from the seed before anything is sent.
//! 2. Latency counts from the moment that was intended; if the load itself is late, the run
//!    is void.
//! 3. What has to hold is read from outside: the stream, GET of each promise, AUDIT on a
//!    replica, rows in SQL. What the target says while it sells proves nothing.
//! 4. Nothing is killed but what `--own` has started.
//!
//! | File | |
//! |---|---|
//! | `stage`, `prepare`, `own`, `worker`, `watch` | a sale of load's own, on a server |
//! | `guest`, `seen` | the sale of a gateway, and the checks that HTTP alone allows |
//! | `crowd`, `buyer`, `chance` | who comes |
//! | `drive`, `agenda`, `visit` | what is due when, and what each buyer does next |
//! | `carrier`: `wires`, `lane`, `resp`; `calls`, `http` | requests over RESP, and over HTTP |
//! | `tally`, `series`, `line`, `fates` | what the buyers were told, and who waited for it |
//! | `books`, `checks`, `outcome` | what the servers say, and whether both agree |
//! | `live`, `text`, `report`, `plots`, `chart`, `machine` | what people read |

mod agenda;
mod books;
mod buyer;
mod calls;
mod carrier;
mod chance;
mod chart;
mod checks;
mod clock;
mod crowd;
mod drive;
mod fates;
mod guest;
mod http;
mod lane;
mod line;
mod live;
mod machine;
mod options;
mod outcome;
mod own;
mod plots;
mod prepare;
mod report;
mod request;
mod resp;
mod seen;
mod series;
mod stage;
mod tally;
mod text;
mod visit;
mod watch;
mod wires;
mod worker;
mod world;

use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::link::{Address, Way};
use crate::log;
use crate::stop::Stop;

use fates::Act;
use guest::Guest;
pub use options::Options;
use options::Target;
use outcome::Outcome;
use own::Own;
use stage::Stage;

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something at the start is not as it has to be; the target is gone at the end.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.log);
    options.check()?;
    let report = options.report.as_deref();
    let report_of_race = report.filter(|_| options.race_first).map(report_of_race);
    for path in report_of_race.as_deref().into_iter().chain(report) {
        // Before the rush, not after it.
        std::fs::File::create(path)
            .map_err(|error| Failure::cannot(&format!("--report {path}"), error))?;
    }
    let seed = options.seed(log::now_ms());
    let mut race = None;
    if options.race_first {
        let mut racing = options.clone();
        racing.wait = false;
        let outcome = play(&racing, seed).await?;
        show(&outcome, report_of_race.as_deref());
        race = Some(outcome);
    }
    let mut outcome = play(&options, seed).await?;
    outcome.race = race.as_ref().map(|race| Act::of("race", &race.tally));
    show(&outcome, report);
    let holds = outcome.holds() && race.is_none_or(|race| race.holds());
    Ok(u8::from(!holds))
}

/// Plays one act on a sale of its own, or on the one of a gateway.
async fn play(options: &Options, seed: u64) -> Result<Outcome, Failure> {
    let target = match &options.own {
        Some(module) => Ok(Own::start(module).map_err(Failure::CannotGoOn)?),
        None => Err(options.target()?),
    };
    match target {
        Ok(own) => {
            let address = Address::parse(&own.url(), Way::Direct).map_err(Failure::CannotGoOn)?;
            host(options, seed, address, Some(own)).await
        }
        Err(Target::Servers(address)) => host(options, seed, address, None).await,
        Err(Target::Gateway(place)) => {
            let guest = Guest::look(options, seed, place).await?;
            let tally = guest.play(options).await?;
            let leaving = leave_at_the_next_signal()?;
            let outcome = guest.check(options, tally).await?;
            leaving.abort();
            Ok(outcome)
        }
    }
}

/// Plays a sale of load's own.
async fn host(
    options: &Options,
    seed: u64,
    address: Address,
    own: Option<Own>,
) -> Result<Outcome, Failure> {
    let stage = Stage::set(options, seed, address, own).await?;
    let (tally, link) = stage.play(options).await?;
    let leaving = leave_at_the_next_signal()?;
    let outcome = stage.check(options, tally, link).await?;
    leaving.abort();
    Ok(outcome)
}

/// Prints what became of a run, and writes its report.
fn show(outcome: &Outcome, report: Option<&str>) {
    text::print(outcome);
    let Some(path) = report else {
        return;
    };
    match std::fs::write(path, report::page(outcome)) {
        Ok(()) => println!("The report is {path}."),
        // The verdict stands.
        Err(error) => log::warn(format!("--report {path}: {error}")),
    }
}

/// Returns where the report of the race goes: `out.html` becomes `out.race.html`.
fn report_of_race(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((before, after)) if !after.contains('/') => format!("{before}.race.{after}"),
        _ => format!("{path}.race"),
    }
}

/// Lets a signal end the program while the books are read, which may take minutes after a soak.
/// The guards of its servers and of its worker end those.
fn leave_at_the_next_signal() -> Result<JoinHandle<()>, Failure> {
    let stop = Stop::on_signals().map_err(|error| Failure::cannot("signals", error))?;
    Ok(tokio::spawn(async move {
        stop.wait().await;
        log::warn("stopped before the books were checked");
        std::process::exit(3);
    }))
}
