//! `flashsale worker`: the order stream into SQL, each order exactly once.
//!
//! # How it holds
//!
//! 1. An entry is acknowledged after the COMMIT of its row, by the connection it was read by.
//!    Killed before the COMMIT, nothing has happened; after it, the row is found there.
//! 2. A row has a key that the entry brings along, and never the stream ID: what arrives
//!    twice is one row, and its hook runs once, in the transaction that inserts the row.
//! 3. What cannot be stored is a dead letter in SQL before it is acknowledged.

pub mod batch;
mod dead;
mod dead_commands;
pub mod entry;
pub mod hook;
mod lane;
mod metrics;
mod options;
mod row;
mod units;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::link::{Address, Link, Raw, explain};
use crate::log;
use crate::secret;
use crate::split::names::PlaceOptions;
use crate::sql::{self, Database, Dialect, describe};
use crate::stop::Stop;

use batch::Rules;
use hook::Hooks;
use lane::{Lane, Shared};
use options::Command;
pub use options::{Options, event_and_file};

/// How long a stop may take; what is not done then is done by the next start.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// XAUTOCLAIM names the entries that were trimmed since this version.
const REDIS_AT_LEAST: u32 = 7;

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something at the start is not as it has to be.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.tell.log);
    let sql_url = options.sql.url()?;
    let dialect = sql::dialect_of(&sql_url).map_err(Failure::Usage)?;
    let works = options.command.is_none() && !options.migrate_only;
    // What is wrong with the line is said before a database is touched.
    let address = if works {
        options.check_streams()?;
        Some(options.redis.address()?)
    } else {
        None
    };
    let mut database = open_database(&sql_url).await?;
    sql::migrate(&mut database)
        .await
        .map_err(Failure::CannotGoOn)?;
    let hooks = Hooks::read(&options.hooks(), dialect)?;
    hooks.check(&mut database).await?;
    let rules = Rules {
        hooks,
        with_journal: options.journal,
        with_reservations: options.reservations,
    };
    match (&options.command, address) {
        (Some(Command::Dead(command)), _) => {
            dead_commands::run(&mut database, &rules, command).await
        }
        (None, Some(address)) => {
            warn_of_settings(&mut database).await;
            database.close().await;
            work(options, address, sql_url, rules).await
        }
        (None, None) => {
            database.close().await;
            Ok(0)
        }
    }
}

/// Connects to the database.
///
/// # Errors
///
/// It cannot be opened, without what logs in.
pub async fn open_database(url: &str) -> Result<Database, Failure> {
    let opened = Database::connect(url).await;
    opened.map_err(|error| {
        Failure::CannotGoOn(format!(
            "the database {} cannot be opened: {}",
            secret::without_login(url),
            describe(&error)
        ))
    })
}

/// Warns of a server that answers COMMIT before the transaction is on disk.
async fn warn_of_settings(database: &mut Database) {
    if database.dialect() != Dialect::Mysql {
        return;
    }
    let sql = "SELECT @@innodb_flush_log_at_trx_commit";
    if let Ok(rows) = database.query(sql, &[], &[sql::Kind::Int]).await
        && rows.first().is_some_and(|row| row[0].int() != 1)
    {
        log::warn(
            "innodb_flush_log_at_trx_commit is not 1: with the power, the database may lose orders that are acknowledged",
        );
    }
}

async fn work(
    options: Options,
    address: Address,
    sql_url: String,
    rules: Rules,
) -> Result<u8, Failure> {
    let stop = Stop::on_signals();
    let stop = stop.map_err(|error| Failure::CannotGoOn(format!("signals: {error}")))?;
    if let Some(place) = &options.tell.metrics {
        crate::metrics::show_at(place)?;
        metrics::describe();
    }
    let streams = match &options.group_of {
        Some(sale) => streams_of_parts(&address, sale, &options.place).await?,
        None => options
            .orders
            .iter()
            .map(|name| name.clone().into_bytes())
            .collect(),
    };
    let shared = Arc::new(Shared {
        address,
        sql_url,
        name: options.name(),
        group: options.group,
        batch: options.batch.into(),
        attempts: options.attempts,
        claim_after: options.claim_after,
        rules,
        stop: stop.clone(),
    });
    let mut lanes = JoinSet::new();
    for stream in &streams {
        let (link, claimed) = open_stream(&shared, stream).await?;
        let lane = Lane::new(Arc::clone(&shared), stream.clone(), &link);
        lanes.spawn(lane.run(link, claimed));
        let watched = watch::watch_stream(Arc::clone(&shared), stream.clone(), options.trim);
        lanes.spawn(until_stop(stop.clone(), watched));
    }
    if options.tell.metrics.is_some() {
        let watched = watch::watch_dead(Arc::clone(&shared));
        lanes.spawn(until_stop(stop.clone(), watched));
    }
    wait_for_stop(&stop, &mut lanes).await?;
    log::info("stopping: finishing what is in hand");
    let all = async { while lanes.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
        log::warn(
            "stopped in the middle of a batch: it is still pending, and the next start stores it",
        );
    }
    Ok(0)
}

async fn until_stop(stop: Stop, watched: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.wait() => {}
        () = watched => {}
    }
}

/// Waits until the program is to stop.
///
/// # Errors
///
/// A lane or what watches it ends before that, which only a panic makes it do: its stream would
/// stay unread, or its metrics stand still, while the process looks well.
async fn wait_for_stop(stop: &Stop, lanes: &mut JoinSet<()>) -> Result<(), Failure> {
    let ended = tokio::select! {
        () = stop.wait() => return Ok(()),
        ended = lanes.join_next() => ended,
    };
    if stop.is_set() {
        return Ok(());
    }
    let why = match ended {
        Some(Err(error)) => error.to_string(),
        _ => "its task is over".into(),
    };
    Err(Failure::CannotGoOn(format!(
        "a stream is not read or watched any more ({why}): this is a fault of the program, start it again"
    )))
}

/// Connects to the primary of a stream, makes its group, and takes over what others have left;
/// or says why that is impossible.
async fn open_stream(shared: &Shared, stream: &[u8]) -> Result<(Link, Vec<Raw>), Failure> {
    let shown = String::from_utf8_lossy(stream).into_owned();
    let cannot = |text: String| Failure::CannotGoOn(text);
    let link = Link::connect(&shared.address, stream).await;
    let link = link.map_err(|error| cannot(format!("Redis: {error}")))?;
    let major = link
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_some_and(|major: u32| major < REDIS_AT_LEAST) {
        return Err(cannot(format!(
            "{} is Redis {}: 7.0 or later is needed, or Valkey",
            link.server, link.version
        )));
    }
    let made = link.make_group(stream, &shared.group).await;
    made.map_err(|error| {
        let hint = match error.code() {
            Some("WRONGTYPE") => {
                "no stream, but --orders names that of a sale, such as tea:orders: "
            }
            _ => "",
        };
        cannot(format!("{shown}: {hint}XGROUP CREATE: {}", explain(&error)))
    })?;
    if let Some(idle_ms) = link
        .consumer_idle_ms(stream, &shared.group, &shared.name)
        .await
        && idle_ms < 2_000
    {
        log::warn(format!(
            "{shown}: the consumer {} was active {idle_ms} ms ago: if another worker runs under this name, give each a --name",
            shared.name
        ));
    }
    // A missing right shows here and not after the first crash. What it hands over is the
    // first batch: XAUTOCLAIM drops trimmed entries for good, whoever reads its answer.
    let (group, name) = (&shared.group, &shared.name);
    let idle_ms = shared.claim_after.as_millis();
    let claimed = link
        .claim(stream, group, name, idle_ms, "0-0", shared.batch)
        .await;
    let claimed =
        claimed.map_err(|error| cannot(format!("{shown}: XAUTOCLAIM: {}", explain(&error))))?;
    if link.run_id.is_empty() {
        log::warn("this user has no right to INFO: another primary will go unnoticed");
    }
    log::info(format!(
        "{shown}: reading from {} as {} of the group {}",
        link.server, shared.name, shared.group
    ));
    Ok((link, claimed.entries))
}

/// Returns the order streams of a split sale, from the hash of its parts.
async fn streams_of_parts(
    address: &Address,
    sale: &str,
    place: &PlaceOptions,
) -> Result<Vec<Vec<u8>>, Failure> {
    let names = crate::split::names::find(address, sale, place).await;
    let names = names.map_err(Failure::CannotGoOn)?;
    let streams = names.parts.into_iter().map(|part| part.orders.into_bytes());
    Ok(streams.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lane_that_ends_by_itself_ends_the_worker() {
        for panics in [false, true] {
            let (_sender, stop) = Stop::by_hand();
            let mut lanes = JoinSet::new();
            lanes.spawn(std::future::pending());
            lanes.spawn(async move { assert!(!panics, "a lane fell") });
            let waited =
                tokio::time::timeout(Duration::from_secs(10), wait_for_stop(&stop, &mut lanes));
            match waited.await.expect("an end") {
                Err(Failure::CannotGoOn(why)) => assert_eq!(why.contains("a lane fell"), panics),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_worker_without_a_fault() {
        let (sender, stop) = Stop::by_hand();
        let mut lanes = JoinSet::new();
        let lane = stop.clone();
        lanes.spawn(async move { lane.wait().await });
        sender.send(true).expect("a stop");
        assert!(wait_for_stop(&stop, &mut lanes).await.is_ok());
    }
}
