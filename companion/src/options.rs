//! What all subcommands share of the command line: where Redis and SQL are, and how to log.

use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::link::{Address, Way};
use crate::log::Format;
use crate::secret::url_of;

/// Where Redis is.
#[derive(Args, Debug)]
pub struct RedisOptions {
    /// `redis://[user[:password]@]host:port[/db][,host:port...]` or `rediss://`: the first server
    /// that is a primary. Or the variable FLASHSALE_REDIS, or the file that FLASHSALE_REDIS_FILE
    /// names
    #[arg(id = "redis", long, value_name = "URL")]
    url: Option<String>,
    /// The servers are Sentinels of this primary
    #[arg(long, value_name = "NAME", conflicts_with = "cluster")]
    sentinel: Option<String>,
    /// The servers are nodes of a cluster
    #[arg(long)]
    cluster: bool,
}

impl RedisOptions {
    /// Returns the address that is given, wherever that is.
    ///
    /// # Errors
    ///
    /// None is given, or it makes no sense.
    pub fn address(&self) -> Result<Address, Failure> {
        let way = match &self.sentinel {
            Some(name) => Way::Sentinel(name.clone()),
            None if self.cluster => Way::Cluster,
            None => Way::Direct,
        };
        let url = url_of(self.url.clone(), "--redis", "FLASHSALE_REDIS")?;
        Address::parse(&url, way).map_err(Failure::Usage)
    }
}

/// Where the SQL database is.
#[derive(Args, Debug)]
pub struct SqlOptions {
    /// `sqlite:FILE`, `postgres://...` or `mysql://...`. Or the variable FLASHSALE_SQL, or the file
    /// that FLASHSALE_SQL_FILE names
    #[arg(id = "sql", long, value_name = "URL", global = true)]
    url: Option<String>,
}

impl SqlOptions {
    /// Returns the URL that is given, wherever that is.
    ///
    /// # Errors
    ///
    /// None is given.
    pub fn url(&self) -> Result<String, Failure> {
        url_of(self.url.clone(), "--sql", "FLASHSALE_SQL")
    }

    /// Returns the URL if there is one: for those who can do without.
    ///
    /// # Errors
    ///
    /// A file that is named cannot be read.
    pub fn url_if_given(&self) -> Result<Option<String>, Failure> {
        let names = ["FLASHSALE_SQL", "FLASHSALE_SQL_FILE"];
        let is_given =
            self.url.is_some() || names.iter().any(|name| std::env::var_os(name).is_some());
        is_given.then(|| self.url()).transpose()
    }
}

/// How a subcommand tells what it does.
#[derive(Args, Debug)]
pub struct TellOptions {
    /// How to log
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub log: Format,
    /// Shows numbers to Prometheus, at /metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<String>,
}

/// Reads a duration such as `500ms`, `60s`, `1h 30m` or `7d`.
///
/// # Errors
///
/// Any other text, and a duration of 0: a worker that takes over at once would take what
/// others have in hand, and one that trims at once what nobody has looked at.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("it is 0".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_their_unit_alone() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "60", "s", "0s", "0ms", "-1s", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
