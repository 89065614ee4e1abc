//! The command line of `flashsale load`.

use std::time::Duration;

use lexopt::ValueExt;

use crate::link::{Address, Way};
use crate::options::{Failure, parse_duration};
use crate::secret::url_of;

/// What `--help` prints.
pub const HELP: &str = "\
flashsale load: a rush of buyers with bad habits, and a check of the books at the end

  flashsale load spike|tail|soak --target URL | --own FILE.so [options]

  spike              all buyers within a short time (100000 within 1.5s)
  tail               buyers at a steady rate (20000 a second for 10m)
  soak               at a steady rate until stopped (2000 a second); what is sold is restocked

Where:
  --target URL       redis://[user[:password]@]host:port[/db]. Or FLASHSALE_REDIS,
                     FLASHSALE_REDIS_FILE. The sale is made there, and removed if all holds
  --sentinel NAME    the servers are Sentinels of this primary
  --cluster          the servers are nodes of a cluster
  --own FILE.so      start a server with this module, and a replica, on free ports of the
                     loopback; FLASHSALE_SERVER names another program than redis-server
  --sale NAME        the key (load:<now>); its stream has :orders behind it
  --keep             leave the sale there

What:
  --buyers N         how many come in a spike (100000)
  --within TIME      and within how long (1.5s)
  --rate N           buyers a second of tail and soak
  --for TIME         how long tail goes on (10m)
  --stock N          units of all three items together (10000)
  --userlimit N      units one user may have (2)
  --pay SHARE        of those who have a reservation (0.7)
  --retry SHARE      of those who lose the answer and ask again (0.05)
  --batch N          send as a gateway does: N requests in one command, two connections
  --connections N    without --batch (16)
  --seed N           which crowd comes; a run prints its seed
  --worker-sql URL   run flashsale worker beside it, and compare its rows with the stream
  --kill-at TIME     kill the primary of --own so long after the start, promote the replica

What has to hold:
  --p95 TIME         95 of 100 answers within this time (200ms)
  --behind TIME      the load itself is never later than this, or the run is void (10ms)

Output:
  --report FILE      one HTML file
  --log text|json    how to log (text)

Exit codes: 0 all holds, 1 it does not, or the run is void, 2 wrong usage, 3 cannot go on.
The manual is docs/companion.md.
";

/// What kind of rush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Spike,
    Tail,
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

/// The command line, checked.
#[derive(Debug)]
pub struct Options {
    pub shape: Shape,
    /// Missing with `--own`.
    pub address: Option<Address>,
    pub own: Option<String>,
    pub sale: Option<String>,
    pub keeps: bool,
    pub buyers: u64,
    pub within: Duration,
    pub rate: f64,
    pub lasts: Duration,
    pub stock: u64,
    pub user_limit: u64,
    pub pay: f64,
    pub retry: f64,
    pub batch: Option<usize>,
    pub connections: usize,
    pub seed: u64,
    pub worker_sql: Option<String>,
    pub kill_at: Option<Duration>,
    pub p95: Duration,
    pub behind: Duration,
    pub report: Option<String>,
    /// The command line as it was given, without URLs.
    pub typed: String,
}

/// What is only needed while the command line is read.
#[derive(Default)]
struct Given {
    target: Option<String>,
    sentinel: Option<String>,
    is_cluster: bool,
    rate: Option<f64>,
}

impl Options {
    /// Reads the command line; `None` when help was asked for.
    ///
    /// # Errors
    ///
    /// It makes no sense, in words.
    pub fn parse(mut parser: lexopt::Parser, fresh_seed: u64) -> Result<Option<Self>, Failure> {
        let mut given = Given::default();
        let mut shape = None;
        let mut options = Self::new(fresh_seed);
        while let Some(argument) = parser.next()? {
            let name = match argument {
                lexopt::Arg::Short('h') => return Ok(None),
                lexopt::Arg::Long("help") => return Ok(None),
                lexopt::Arg::Long(name) => name.to_owned(),
                lexopt::Arg::Value(word) if shape.is_none() => {
                    shape = Some(shape_of(&word.string()?)?);
                    continue;
                }
                other => return Err(other.unexpected().into()),
            };
            options.take(&mut given, &name, &mut parser)?;
        }
        options.shape =
            shape.ok_or_else(|| Failure::Usage("say which: spike, tail or soak".into()))?;
        options.finish(given)?;
        Ok(Some(options))
    }

    fn new(seed: u64) -> Self {
        Self {
            shape: Shape::Spike,
            address: None,
            own: None,
            sale: None,
            keeps: false,
            buyers: 100_000,
            within: Duration::from_millis(1_500),
            rate: 0.0,
            lasts: Duration::from_secs(600),
            stock: 10_000,
            user_limit: 2,
            pay: 0.7,
            retry: 0.05,
            batch: None,
            connections: 16,
            seed,
            worker_sql: None,
            kill_at: None,
            p95: Duration::from_millis(200),
            behind: Duration::from_millis(10),
            report: None,
            typed: String::new(),
        }
    }

    /// Takes one option with its value.
    fn take(
        &mut self,
        given: &mut Given,
        name: &str,
        parser: &mut lexopt::Parser,
    ) -> Result<(), Failure> {
        let mut flag = |option: &mut bool| {
            *option = true;
            self.typed += &format!(" --{name}");
        };
        match name {
            "keep" => flag(&mut self.keeps),
            "cluster" => flag(&mut given.is_cluster),
            _ => {
                let value = parser.value()?.string()?;
                // A URL may hold a password, and a report is passed on.
                let shown = if value.contains("://") { "..." } else { &value };
                self.typed += &format!(" --{name} {shown}");
                return self.take_value(given, name, value);
            }
        }
        Ok(())
    }

    fn take_value(&mut self, given: &mut Given, name: &str, value: String) -> Result<(), Failure> {
        match name {
            "target" => given.target = Some(value),
            "sentinel" => given.sentinel = Some(value),
            "own" => self.own = Some(value),
            "sale" => self.sale = Some(value),
            "buyers" => self.buyers = number(name, &value)?,
            "within" => self.within = duration(name, &value)?,
            "rate" => given.rate = Some(number(name, &value)?),
            "for" => self.lasts = duration(name, &value)?,
            "stock" => self.stock = number(name, &value)?,
            "userlimit" => self.user_limit = number(name, &value)?,
            "pay" => self.pay = number(name, &value)?,
            "retry" => self.retry = number(name, &value)?,
            "batch" => self.batch = Some(number(name, &value)?),
            "connections" => self.connections = number(name, &value)?,
            "seed" => self.seed = number(name, &value)?,
            "worker-sql" => self.worker_sql = Some(value),
            "kill-at" => self.kill_at = Some(duration(name, &value)?),
            "p95" => self.p95 = duration(name, &value)?,
            "behind" => self.behind = duration(name, &value)?,
            "report" => self.report = Some(value),
            "log" if value == "text" => {}
            "log" if value == "json" => crate::log::use_json(),
            "log" => {
                return Err(Failure::Usage(format!(
                    "--log {value}: there are text and json"
                )));
            }
            _ => {
                return Err(Failure::Usage(format!(
                    "there is no option --{name}: see flashsale load --help"
                )));
            }
        }
        Ok(())
    }

    /// Checks what belongs together.
    fn finish(&mut self, given: Given) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.into()));
        let usual = if self.shape == Shape::Tail {
            20_000.0
        } else {
            2_000.0
        };
        self.rate = given.rate.unwrap_or(usual);
        if self.buyers == 0 || self.stock < 10 || self.user_limit == 0 {
            return usage("--buyers and --userlimit are at least 1, --stock at least 10");
        }
        if !(1.0..=1e6).contains(&self.rate) {
            return usage("--rate is a number from 1 to 1000000");
        }
        if !((0.0..=1.0).contains(&self.pay) && (0.0..=1.0).contains(&self.retry)) {
            return usage("--pay and --retry are shares from 0 to 1");
        }
        if !(1..=1_000).contains(&self.connections)
            || !(1..=10_000).contains(&self.batch.unwrap_or(1))
        {
            return usage("--connections is a number from 1 to 1000, --batch from 1 to 10000");
        }
        if self.kill_at.is_some() && self.own.is_none() {
            return usage("--kill-at kills only what --own has started");
        }
        let way = match (given.sentinel, given.is_cluster) {
            (Some(_), true) => return usage("--sentinel or --cluster, not both"),
            (Some(name), false) => Way::Sentinel(name),
            (None, true) => Way::Cluster,
            (None, false) => Way::Direct,
        };
        match (&self.own, given.target) {
            (Some(_), Some(_)) => return usage("--target or --own, not both"),
            (Some(_), None) => {}
            (None, target) => {
                let url = url_of(target, "--target", "FLASHSALE_REDIS")?;
                if url.starts_with("http") {
                    return usage("--target takes redis://...: a gateway is not driven yet");
                }
                if url.starts_with("rediss") {
                    return usage("--target takes redis://...: load speaks no TLS");
                }
                self.address = Some(Address::parse(&url, way).map_err(Failure::Usage)?);
            }
        }
        Ok(())
    }
}

fn shape_of(word: &str) -> Result<Shape, Failure> {
    [Shape::Spike, Shape::Tail, Shape::Soak]
        .into_iter()
        .find(|shape| shape.word() == word)
        .ok_or_else(|| Failure::Usage(format!("{word:?} is none of spike, tail and soak")))
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, Failure> {
    text.parse()
        .map_err(|_| Failure::Usage(format!("--{name}: {text:?} is no number")))
}

fn duration(name: &str, text: &str) -> Result<Duration, Failure> {
    parse_duration(text).map_err(|error| Failure::Usage(format!("--{name}: {error}")))
}
