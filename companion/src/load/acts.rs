//! The acts of a run: a race if one is wanted, and what the options say, each on a sale of its own.

use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::link::{Address, Way};
use crate::log;
use crate::stop::Stop;

use super::fates::Act;
use super::options::Options;
use super::outcome::Outcome;
use super::own::Own;
use super::{Stage, cannot, report, text};

/// Plays them, shows what became of each, and returns the exit code.
///
/// # Errors
///
/// Something at the start is not as it has to be; the server is gone at the end.
pub async fn play_all(options: &Options) -> Result<u8, Failure> {
    let seed = options.seed(log::now_ms());
    let mut race = None;
    if options.race_first {
        let mut racing = options.clone();
        racing.wait = false;
        let outcome = play(&racing, seed, None).await?;
        let report = options.report.as_deref().map(report_of_race);
        show(&outcome, report.as_deref())?;
        race = Some(outcome);
    }
    let act = race.as_ref().map(|race| race.tally.act("race"));
    let outcome = play(options, seed, act).await?;
    show(&outcome, options.report.as_deref())?;
    let holds = outcome.holds() && race.is_none_or(|race| race.holds());
    Ok(u8::from(!holds))
}

/// Plays one act on a sale of its own. `race` is the act before it.
async fn play(options: &Options, seed: u64, race: Option<Act>) -> Result<Outcome, Failure> {
    let own = match &options.own {
        Some(module) => Some(Own::start(module).map_err(Failure::CannotGoOn)?),
        None => None,
    };
    let address = match &own {
        Some(own) => Address::parse(&own.url(), Way::Direct).map_err(Failure::CannotGoOn)?,
        None => options.address()?,
    };
    let stage = Stage::set(options, seed, address, own).await?;
    let (tally, link) = stage.play(options).await?;
    let leaving = leave_at_the_next_signal()?;
    let mut outcome = stage.check(options, tally, link).await?;
    leaving.abort();
    outcome.race = race;
    Ok(outcome)
}

/// Prints what became of a run, and writes its report.
fn show(outcome: &Outcome, report: Option<&str>) -> Result<(), Failure> {
    text::print(outcome);
    if let Some(path) = report {
        std::fs::write(path, report::page(outcome))
            .map_err(|error| Failure::CannotGoOn(format!("--report {path}: {error}")))?;
        println!("The report is {path}.");
    }
    Ok(())
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
    let stop = Stop::on_signals().map_err(|error| cannot("signals", error))?;
    Ok(tokio::spawn(async move {
        stop.wait().await;
        log::warn("stopped before the books were checked");
        std::process::exit(3);
    }))
}
