//! The command line of `flashsale reconcile`.

use clap::Args;

use crate::failure::Failure;
use crate::log::Format;
use crate::options::{RedisOptions, SqlOptions};
use crate::split::names::PlaceOptions;

/// Makes SQL, the sale and its stream agree again after a loss
///
/// Changes nothing without --apply. The manual is docs/companion.md.
#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct Options {
    #[command(flatten)]
    pub redis: RedisOptions,
    /// The key of the sale
    #[arg(long, value_name = "SALE", conflicts_with = "group_of")]
    pub sale: Option<String>,
    /// All parts of a split sale
    #[arg(long, value_name = "SALE")]
    pub group_of: Option<String>,
    #[command(flatten)]
    pub place: PlaceOptions,
    #[command(flatten)]
    pub sql: SqlOptions,
    /// Imports, refunds and inserts what is missing; without it, it is only counted
    #[arg(long)]
    pub apply: bool,
    /// Compares those orders alone for which this condition on `flashsale_orders` holds
    #[arg(long = "where", value_name = "SQL")]
    pub narrowed: Option<String>,
    /// Writes each difference into this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
    /// Prints the result as JSON, one line for each sale
    #[arg(long)]
    pub json: bool,
    /// The consumer group of the worker
    #[arg(long, value_name = "NAME", default_value = "sql")]
    pub group: String,
    /// The worker's SQL for each order, run for those that are inserted
    #[arg(long, value_name = "FILE")]
    then: Option<String>,
    /// The same for another event: refund, paid_twice
    #[arg(long, value_name = "EVENT=FILE", value_parser = crate::worker::event_and_file)]
    on: Vec<(String, String)>,
    /// How to log
    #[arg(long, value_enum, default_value = "text")]
    pub log: Format,
}

impl Options {
    /// Returns the hooks: event and file.
    pub fn hooks(&self) -> Vec<(String, String)> {
        let then = self.then.iter().map(|file| ("order".into(), file.clone()));
        then.chain(self.on.iter().cloned()).collect()
    }

    /// Checks that a sale is named.
    ///
    /// # Errors
    ///
    /// None is.
    pub fn check(&self) -> Result<(), Failure> {
        if self.sale.is_none() && self.group_of.is_none() {
            let text = "give --sale SALE, or --group-of SALE";
            return Err(Failure::Usage(text.into()));
        }
        Ok(())
    }
}
