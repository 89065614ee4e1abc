//! The acts of a run: a race if one is wanted, and what the options say, each on a sale of its own
//! or on the one of a gateway.

use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::link::{Address, Way};
use crate::log;
use crate::stop::Stop;

use super::guest::Guest;
use super::options::{Options, Target};
use super::outcome::Outcome;
use super::own::Own;
use super::stage::Stage;
use super::{report, text};

/// Plays them, shows what became of each, and returns the exit code.
///
/// # Errors
///
/// Something at the start is not as it has to be; the target is gone at the end.
pub async fn play_all(options: &Options) -> Result<u8, Failure> {
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
        let outcome = play(&options.race(), seed).await?;
        show(&outcome, report_of_race.as_deref());
        race = Some(outcome);
    }
    let mut outcome = play(options, seed).await?;
    outcome.race = race.as_ref().map(|race| race.tally.act("race"));
    show(&outcome, report);
    let holds = outcome.holds() && race.is_none_or(|race| race.holds());
    Ok(u8::from(!holds))
}

/// Plays one act.
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
