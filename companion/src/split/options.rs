//! The command line of `flashsale split`.

use clap::{Args, Subcommand};

use super::names::{PlaceOptions, sale_name};
use crate::failure::Failure;
use crate::link::{Address, Way};
use crate::log::Format;
use crate::options::RedisOptions;

/// Sells one stock in several parts, which lie on the shards of a cluster
///
/// The manual is docs/split.md.
#[derive(Args, Debug)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Makes the parts that are not there
    Create(CreateOptions),
    /// Moves units to where they are asked for, until it is stopped
    Balance(BalanceOptions),
    /// Shows each part, and what is under way
    Status(Common),
    /// Checks the books over all parts; exit code 1 with each difference in words
    Audit(Common),
    /// Puts right what a giver lost after it was taken
    Repair(RepairOptions),
    /// Pauses each part
    Pause(Common),
    /// Resumes each part
    Resume(Common),
    /// Closes each part, for good
    Close(Common),
    /// Changes options of each part
    Alter(AlterOptions),
    /// Adds stock, dealt over the parts
    Restock(RestockOptions),
}

/// What all of them take.
#[derive(Args, Debug)]
pub struct Common {
    /// The name of the split sale
    #[arg(value_name = "SALE", value_parser = sale_name)]
    pub sale: String,
    #[command(flatten)]
    pub redis: RedisOptions,
    #[command(flatten)]
    pub place: PlaceOptions,
    /// How many replicas the primary has, where no cluster says so
    #[arg(long, value_name = "N")]
    pub replicas: Option<u64>,
    /// How to log
    #[arg(long, value_enum, default_value = "text")]
    pub log: Format,
}

impl Common {
    /// Returns how many replicas have to confirm, where no topology says so.
    ///
    /// # Errors
    ///
    /// Neither does the command line, or both do.
    pub fn replicas_of(&self, address: &Address) -> Result<Option<u64>, Failure> {
        match (&address.way, self.replicas) {
            (Way::Cluster, Some(_)) => Err(Failure::Usage(
                "--replicas: a cluster says so itself".into(),
            )),
            (Way::Cluster, None) => Ok(None),
            (_, Some(replicas)) => Ok(Some(replicas)),
            (_, None) => Err(Failure::Usage(
                "--replicas N: how many replicas the primary has; only a cluster says so".into(),
            )),
        }
    }
}

#[derive(Args, Debug)]
pub struct CreateOptions {
    #[command(flatten)]
    pub common: Common,
    /// Makes each part paused: `flashsale split resume` opens it
    #[arg(long)]
    pub paused: bool,
    /// `ITEMS count sku n ...` or `STOCK n`, in all, then options of FLASHSALE.CREATE
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "WORDS"
    )]
    pub words: Vec<String>,
}

#[derive(Args, Debug)]
pub struct BalanceOptions {
    #[command(flatten)]
    pub common: Common,
    /// So many replicas are enough: units that one of the others would need to survive are lost
    /// with it, or sold twice
    #[arg(long, value_name = "K")]
    pub confirm: Option<u64>,
    /// Finishes what is under way, and ends; exit code 1 if that cannot be done
    #[arg(long)]
    pub once: bool,
    /// Shows numbers to Prometheus, at /metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<String>,
}

#[derive(Args, Debug)]
pub struct RepairOptions {
    #[command(flatten)]
    pub common: Common,
    /// Does it; without, it is only shown
    #[arg(long)]
    pub apply: bool,
}

#[derive(Args, Debug)]
pub struct AlterOptions {
    #[command(flatten)]
    pub common: Common,
    /// Options of FLASHSALE.ALTER
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "WORDS"
    )]
    pub words: Vec<String>,
}

#[derive(Args, Debug)]
pub struct RestockOptions {
    #[command(flatten)]
    pub common: Common,
    /// `REF ref`, which makes a repetition harmless; `ITEMS count sku units ...`; and NEW for SKUs
    /// that are not there
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "WORDS"
    )]
    pub words: Vec<String>,
}
