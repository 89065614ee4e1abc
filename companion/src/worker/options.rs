//! The command line of `flashsale worker`.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::options::{RedisOptions, SqlOptions, TellOptions, duration};
use crate::split::names::PlaceOptions;

/// Moves the order stream into your SQL tables, each order exactly once
///
/// The manual is docs/companion.md.
#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct Options {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub redis: RedisOptions,
    /// The stream of a sale; again for each further one
    #[arg(long, value_name = "STREAM", value_parser = stream, conflicts_with = "group_of")]
    pub orders: Vec<String>,
    /// The streams of all parts of a split sale
    #[arg(long, value_name = "SALE")]
    pub group_of: Option<String>,
    #[command(flatten)]
    pub place: PlaceOptions,
    #[command(flatten)]
    pub sql: SqlOptions,
    /// Your SQL, run once for each order, in the same transaction
    #[arg(long, value_name = "FILE", global = true)]
    then: Option<String>,
    /// The same for another event: refund, expired, paid_twice, ...
    #[arg(long, value_name = "EVENT=FILE", value_parser = event_and_file, global = true)]
    on: Vec<(String, String)>,
    /// Keeps the newest state of each reservation
    #[arg(long)]
    pub reservations: bool,
    /// Keeps all other events
    #[arg(long)]
    pub journal: bool,
    /// The consumer group
    #[arg(long, value_name = "NAME", default_value = "sql", value_parser = name)]
    pub group: String,
    /// The consumer, one for each worker that runs; the host's name if none is given
    #[arg(long, value_parser = name)]
    name: Option<String>,
    /// Entries in one transaction, at most 2000
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub batch: u16,
    /// Tries of an entry that the database refuses
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub attempts: u32,
    /// Takes over what another worker has left idle for so long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub claim_after: Duration,
    /// Once an hour removes what every group has acknowledged and is older
    #[arg(long, value_name = "AGE", value_parser = duration)]
    pub trim: Option<Duration>,
    #[command(flatten)]
    pub tell: TellOptions,
    /// Makes the tables, and ends
    #[arg(long)]
    pub migrate_only: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What could not be stored
    #[command(subcommand)]
    Dead(Dead),
}

#[derive(Debug, Subcommand)]
pub enum Dead {
    /// Lists the dead letters; the exit code is 1 if there are any
    List,
    /// Stores them again, each alone and with its hook; the exit code is 1 if some remain
    Retry {
        /// Of the list
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<i64>,
        /// Runs no hook
        #[arg(long)]
        without_hooks: bool,
    },
    /// Removes them
    Drop {
        /// Of the list
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<i64>,
    },
}

impl Options {
    /// Returns the hooks: event and file.
    pub fn hooks(&self) -> Vec<(String, String)> {
        let then = self.then.iter().map(|file| ("order".into(), file.clone()));
        then.chain(self.on.iter().cloned()).collect()
    }

    /// Returns the name of the consumer.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(host_name)
    }

    /// Checks that there is something to read.
    ///
    /// # Errors
    ///
    /// No stream is named.
    pub fn check_streams(&self) -> Result<(), Failure> {
        if self.orders.is_empty() && self.group_of.is_none() {
            let text = "give --orders STREAM (once or more), or --group-of SALE";
            return Err(Failure::Usage(text.into()));
        }
        Ok(())
    }
}

fn stream(text: &str) -> Result<String, String> {
    match text.len() {
        1..=900 => Ok(text.to_owned()),
        _ => Err("the name of a stream has 1 to 900 bytes".into()),
    }
}

fn name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".into()),
        _ => Ok(text.to_owned()),
    }
}

/// Reads `EVENT=FILE`.
///
/// # Errors
///
/// It is none.
pub fn event_and_file(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((event, file)) if !event.is_empty() && !file.is_empty() => {
            Ok((event.into(), file.into()))
        }
        _ => Err("it is EVENT=FILE".into()),
    }
}

/// Returns the host's name: in a container that of the container, which a new one does not have.
fn host_name() -> String {
    let from_system = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(from_system);
    name.map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "worker".into())
}
