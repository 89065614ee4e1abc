//! The command line of `flashsale load`.

use std::net::ToSocketAddrs;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hyper::Uri;
use hyper::header::HeaderName;

use crate::failure::Failure;
use crate::link::{Address, Way};
use crate::log::Format;
use crate::options::duration;
use crate::secret::url_of;

use super::http::Place;

/// What kind of rush.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// All buyers within a short time
    Spike,
    /// Buyers at a steady rate
    Tail,
    /// At a steady rate until stopped; what is sold is restocked
    Soak,
}

impl Shape {
    /// Returns the word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Spike => "spike",
            Self::Tail => "tail",
            Self::Soak => "soak",
        }
    }
}

/// What is driven.
pub enum Target {
    /// Servers, on which load makes a sale of its own.
    Servers(Address),
    /// A gateway, with the sale that it has.
    Gateway(Place),
}

/// Lets a crowd with bad habits loose on a sale, and checks the books at the end
///
/// It makes a sale of its own and removes it if all holds; a gateway's sale is left as it is. The exit
/// code is 1 if a check fails, or if the load itself was late, which makes the run void. The manual is
/// docs/companion.md.
#[derive(Args, Clone, Debug)]
#[command(args_override_self = true)]
pub struct Options {
    /// What kind of rush
    #[arg(value_enum, value_name = "spike|tail|soak")]
    pub shape: Shape,
    /// `redis://[user[:password]@]host:port[/db][,host:port...]`: the first server that is a primary.
    /// Or `http://host:port`: a gateway, such as flashsale serve. Or the variable FLASHSALE_REDIS, or the
    /// file that FLASHSALE_REDIS_FILE names
    #[arg(long, value_name = "URL", conflicts_with = "own")]
    target: Option<String>,
    /// The server behind a gateway: its books are checked as well. With --sale. Or FLASHSALE_REDIS, as
    /// for --target
    #[arg(long, value_name = "URL", requires_all = ["target", "sale"], conflicts_with = "own")]
    redis: Option<String>,
    /// A gateway knows its buyers by this header, and not by a cookie
    #[arg(long, value_name = "NAME", requires = "target", conflicts_with = "own")]
    user_header: Option<HeaderName>,
    /// The servers are Sentinels of this primary
    #[arg(long, value_name = "NAME", conflicts_with_all = ["cluster", "own"])]
    sentinel: Option<String>,
    /// The servers are nodes of a cluster
    #[arg(long, conflicts_with = "own")]
    cluster: bool,
    /// Starts a server with this module, and a replica, on free ports of the loopback; the variable
    /// FLASHSALE_SERVER names another program than redis-server
    #[arg(long, value_name = "FILE.so")]
    pub own: Option<String>,
    /// The key of the sale, in braces; its stream has `:orders` behind it. `load:` and the time if none
    /// is given; a race before it has `-race` behind its own. With --redis: the key of the gateway's sale, as it is
    #[arg(long, value_name = "NAME", value_parser = name)]
    sale: Option<String>,
    /// Leaves the sale there
    #[arg(long)]
    pub keep: bool,
    /// The sale has so many parts, on the shards of a cluster, and a driver beside it. With --outages
    /// others may kill their primaries, and move their slots
    #[arg(long, value_name = "PARTS", value_parser = clap::value_parser!(u16).range(1..=1_024),
          conflicts_with_all = ["wait", "batch", "kill_at", "own"])]
    pub split: Option<u16>,
    /// How many come in a spike
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub buyers: u64,
    /// Within how long all buyers of a spike come
    #[arg(long, value_name = "TIME", default_value = "1.5s", value_parser = duration)]
    pub within: Duration,
    /// Buyers a second: 20000 of a tail, 2000 of a soak, if none is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long a tail goes on
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub lasts: Duration,
    /// Units of all three items together. A gateway's sale has what it has
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(10..=1_000_000_000))]
    pub stock: u64,
    /// Units that one user may have: in a gateway's sale too, unless --redis tells
    #[arg(long = "userlimit", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub user_limit: u64,
    /// How long a reservation lasts. A gateway's sale has its own time
    #[arg(long, value_name = "TIME", default_value = "600ms", value_parser = duration)]
    hold: Duration,
    /// The share of the buyers with a reservation who pay
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = share)]
    pub pay: f64,
    /// The share of the buyers who lose an answer and ask again
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    pub retry: f64,
    /// The sale of a spike has a line: buyers wait in it, and ask again when the server says
    #[arg(long)]
    pub wait: bool,
    /// Before that, the same buyers race for a sale without a line; both are set side by side
    #[arg(long, requires = "wait")]
    pub race_first: bool,
    /// Sends as a gateway does: so many requests in one command, over two connections
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub batch: Option<u16>,
    /// Connections of a load without --batch: 16, and 128 to a gateway, if none is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub connections: Option<u16>,
    /// Which crowd comes; a new one if none is given. A run prints its seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Runs `flashsale worker` beside it, and compares its rows with the stream
    #[arg(long, value_name = "URL")]
    pub worker_sql: Option<String>,
    /// Kills the primary of --own so long after the start, and promotes the replica
    #[arg(long, value_name = "TIME", requires = "own", value_parser = duration)]
    pub kill_at: Option<Duration>,
    /// Others may kill and restart what is driven: broken connections and answers such as LOADING or
    /// 503 are counted, and fail nothing
    #[arg(long)]
    pub outages: bool,
    /// 95 of 100 answers come within this time
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = duration)]
    pub p95: Duration,
    /// The run is void if the load itself is later than this
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = duration)]
    pub behind: Duration,
    /// Writes a report: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<String>,
    /// How to log
    #[arg(long, value_enum, default_value = "text")]
    pub log: Format,
}

impl Options {
    /// Checks what the parser cannot.
    ///
    /// # Errors
    ///
    /// A line without a spike: it would never end.
    pub fn check(&self) -> Result<(), Failure> {
        if self.split.is_some() && self.shape == Shape::Soak {
            return Err(Failure::Usage("--split is for a spike or a tail".into()));
        }
        match self.wait && self.shape != Shape::Spike {
            true => Err(Failure::Usage("--wait is for a spike".into())),
            false => Ok(()),
        }
    }

    /// Returns what is to be driven, if it is not a server of its own.
    ///
    /// # Errors
    ///
    /// Nothing is named, or what cannot be driven.
    pub fn target(&self) -> Result<Target, Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.into()));
        let url = url_of(self.target.clone(), "--target", "FLASHSALE_REDIS")?;
        if url.starts_with("rediss:") || url.starts_with("https:") {
            return usage("--target is redis://... or http://...: load speaks no TLS");
        }
        if url.starts_with("http:") {
            return self.gateway(&url).map(Target::Gateway);
        }
        if self.redis.is_some() || self.user_header.is_some() {
            return usage("--redis and --user-header are for a --target http://...");
        }
        let address = Address::parse(&url, self.way());
        address.map(Target::Servers).map_err(Failure::Usage)
    }

    fn way(&self) -> Way {
        match &self.sentinel {
            Some(name) => Way::Sentinel(name.clone()),
            None if self.cluster => Way::Cluster,
            None => Way::Direct,
        }
    }

    fn gateway(&self, url: &str) -> Result<Place, Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.into()));
        if self.shape == Shape::Soak {
            return usage("a soak restocks, which no gateway does: take a tail");
        }
        if self.batch.is_some() || self.worker_sql.is_some() || self.keep || self.split.is_some() {
            return usage(
                "--batch, --worker-sql, --keep and --split are not for a --target http://...",
            );
        }
        if self.wait {
            return usage(
                "--wait is not for a --target http://...: load makes the sale with a line",
            );
        }
        if (self.cluster || self.sentinel.is_some()) && self.redis.is_none() {
            return usage("--sentinel and --cluster say how to read --redis, which is not given");
        }
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(error) => return usage(&format!("--target: {error}")),
        };
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = (bare, uri.port_u16().unwrap_or(80)).to_socket_addrs();
        let mut found = found.map_err(|error| Failure::CannotGoOn(format!("{host}: {error}")))?;
        match (found.next(), uri.authority(), uri.path()) {
            (Some(address), Some(authority), "/") => Ok(Place {
                // Without `user@`: whoever reads a report shall not see it.
                name: authority
                    .as_str()
                    .rsplit('@')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                address,
                user_header: self.user_header.clone(),
            }),
            _ => usage("--target http://host:port names a gateway, and no path"),
        }
    }

    /// Returns where the books of a gateway's sale can be read, and the key of the sale.
    ///
    /// # Errors
    ///
    /// A sale is named and no server, or its URL is none.
    pub fn behind_the_gateway(&self) -> Result<Option<(Address, String)>, Failure> {
        let Some(sale) = &self.sale else {
            return Ok(None);
        };
        let url = url_of(self.redis.clone(), "--redis", "FLASHSALE_REDIS")?;
        let address = Address::parse(&url, self.way()).map_err(Failure::Usage)?;
        Ok(Some((address, sale.clone())))
    }

    /// Returns the options of the race before the line. Its sale may stay there, so it has a key of
    /// its own.
    pub fn race(&self) -> Options {
        Options {
            wait: false,
            sale: self.sale.as_ref().map(|sale| format!("{sale}-race")),
            ..self.clone()
        }
    }

    /// Returns the name of the sale; `now_ms` makes one.
    pub fn sale(&self, now_ms: i64) -> String {
        let made = || format!("load:{now_ms}");
        self.sale.clone().unwrap_or_else(made)
    }

    /// Returns the buyers a second of a tail or a soak.
    pub fn rate(&self) -> f64 {
        let usual = match self.shape {
            Shape::Soak => 2_000,
            Shape::Spike | Shape::Tail => 20_000,
        };
        f64::from(self.rate.unwrap_or(usual))
    }

    /// Returns for how long buyers come, if that is known beforehand.
    pub fn arrivals_last(&self) -> Option<Duration> {
        match self.shape {
            Shape::Spike => Some(self.within),
            Shape::Tail => Some(self.lasts),
            Shape::Soak => None,
        }
    }

    /// Returns how long a reservation lasts.
    pub fn hold_ms(&self) -> u64 {
        u64::try_from(self.hold.as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns the seed; `now_ms` makes one.
    pub fn seed(&self, now_ms: i64) -> u64 {
        self.seed.unwrap_or(now_ms.unsigned_abs() % 1_000_000)
    }
}

/// Returns the command line as it was typed, with `seed` if it names none. URLs are left out: they
/// may hold a password, and a report is passed on.
pub fn typed(words: impl Iterator<Item = String>, seed: u64) -> String {
    let shown = |word: String| match word.split_once("://") {
        None => word,
        Some((before, _)) => match before.split_once('=') {
            Some((option, _)) => format!("{option}=..."),
            None => "...".into(),
        },
    };
    let mut words: Vec<String> = words.map(shown).collect();
    if !words.iter().any(|word| word.starts_with("--seed")) {
        words.extend(["--seed".into(), seed.to_string()]);
    }
    words.join(" ")
}

fn name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=900 if !text.contains(['{', '}']) => Ok(text.to_owned()),
        _ => Err("it has 1 to 900 bytes, and no braces".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it is a number from 0 to 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_was_typed_without_urls() {
        let typed = |words: &str| typed(words.split(' ').map(str::to_owned), 7);
        assert_eq!(
            typed("spike --target redis://:s3cret@a --worker-sql=postgres://u:s3cret@b --keep"),
            "spike --target ... --worker-sql=... --keep --seed 7"
        );
        assert_eq!(typed("spike --seed 9"), "spike --seed 9");
    }

    #[test]
    fn a_race_before_the_line_has_a_sale_of_its_own() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            options: Options,
        }
        let words = "load spike --wait --race-first --keep --sale tea";
        let Line { options } = clap::Parser::parse_from(words.split(' '));
        assert_eq!(
            (options.sale(0), options.race().sale(0)),
            ("tea".into(), "tea-race".into())
        );
        assert!(options.wait && !options.race().wait);
    }
}
