//! The command line of `flashsale worker`.

use std::time::Duration;

use lexopt::ValueExt;

use crate::link::Address;
use crate::options::{Failure, parse_duration, use_log, way_of};
use crate::secret::url_of;
use crate::sql::{Dialect, dialect_of};

/// What `--help` prints.
pub const HELP: &str = "\
flashsale worker: moves the order stream into your SQL tables, each order exactly once

  flashsale worker --redis URL --orders STREAM --sql URL [options]
  flashsale worker dead list | retry NUMBER... | drop NUMBER... --sql URL [options]

Where:
  --redis URL        redis://[user[:password]@]host:port[/db][,host:port...], or rediss://;
                     the first server that is a primary. Or FLASHSALE_REDIS, FLASHSALE_REDIS_FILE
  --sentinel NAME    the servers are Sentinels of this primary
  --cluster          the servers are nodes of a cluster
  --orders STREAM    the stream of a sale; again for each further one
  --group-of SALE    the streams of all parts of a split sale
  --sql URL          sqlite:FILE, postgres://... or mysql://... Or FLASHSALE_SQL, FLASHSALE_SQL_FILE

What:
  --then FILE        your SQL, run once for each order, in the same transaction
  --on EVENT=FILE    the same for another event: refund, expired, paid_twice, ...
  --reservations     keep the newest state of each reservation
  --journal          keep all other events

How:
  --group NAME       the consumer group (sql)
  --name NAME        the consumer, one for each worker that runs (the host's name)
  --batch N          entries in one transaction, at most 2000 (500)
  --attempts N       tries of an entry that the database refuses (5)
  --claim-after TIME take over what another worker has left idle for so long (60s)
  --trim AGE         hourly remove what every group has acknowledged and is older
  --metrics ADDRESS:PORT   numbers for Prometheus at /metrics
  --log text|json    how to log (text)
  --migrate-only     make the tables, and end

Exit codes: 0 done, 1 there are dead letters (dead list) or some remain (dead retry),
2 wrong usage, 3 cannot go on. The manual is docs/companion.md.
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    Help,
    Work,
    Migrate,
    DeadList,
    DeadRetry(Vec<i64>),
    DeadDrop(Vec<i64>),
}

/// The command line, checked.
#[derive(Debug)]
pub struct Options {
    pub task: Task,
    /// Missing where the task needs none.
    pub address: Option<Address>,
    pub orders: Vec<Vec<u8>>,
    pub group_of: Option<String>,
    pub sql_url: String,
    pub dialect: Dialect,
    pub group: String,
    pub name: String,
    /// Event and file.
    pub hooks: Vec<(String, String)>,
    pub with_reservations: bool,
    pub with_journal: bool,
    pub batch: usize,
    pub attempts: u32,
    pub claim_after: Duration,
    pub trim: Option<Duration>,
    pub metrics: Option<String>,
    pub without_hooks: bool,
}

/// The command line as it is being read.
#[derive(Default)]
struct Given {
    redis: Option<String>,
    sql: Option<String>,
    sentinel: Option<String>,
    is_cluster: bool,
    migrate_only: bool,
    words: Vec<String>,
    group: Option<String>,
    name: Option<String>,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// It makes no sense, in words.
    pub fn parse(mut parser: lexopt::Parser) -> Result<Self, Failure> {
        let mut given = Given::default();
        let mut options = Self {
            task: Task::Work,
            address: None,
            orders: Vec::new(),
            group_of: None,
            sql_url: String::new(),
            dialect: Dialect::Sqlite,
            group: String::new(),
            name: String::new(),
            hooks: Vec::new(),
            with_reservations: false,
            with_journal: false,
            batch: 500,
            attempts: 5,
            claim_after: Duration::from_secs(60),
            trim: None,
            metrics: None,
            without_hooks: false,
        };
        while let Some(argument) = parser.next()? {
            let name = match argument {
                lexopt::Arg::Short('h') => "help".to_owned(),
                lexopt::Arg::Long(name) => name.to_owned(),
                lexopt::Arg::Value(word) => {
                    given.words.push(word.string()?);
                    continue;
                }
                lexopt::Arg::Short(_) => return Err(argument.unexpected().into()),
            };
            options.take(&mut given, &name, &mut parser)?;
            if options.task == Task::Help {
                return Ok(options);
            }
        }
        options.task = task_of(&given)?;
        options.sql_url = url_of(given.sql.take(), "--sql", "FLASHSALE_SQL")?;
        options.dialect = dialect_of(&options.sql_url).map_err(Failure::Usage)?;
        options.finish(given)?;
        Ok(options)
    }

    /// Takes one option with its value.
    fn take(
        &mut self,
        given: &mut Given,
        name: &str,
        parser: &mut lexopt::Parser,
    ) -> Result<(), Failure> {
        match name {
            "help" => self.task = Task::Help,
            "redis" => given.redis = Some(parser.value()?.string()?),
            "sql" => given.sql = Some(parser.value()?.string()?),
            "sentinel" => given.sentinel = Some(parser.value()?.string()?),
            "cluster" => given.is_cluster = true,
            "orders" => self.orders.push(parser.value()?.string()?.into_bytes()),
            "group-of" => self.group_of = Some(parser.value()?.string()?),
            "then" => self.hooks.push(("order".into(), parser.value()?.string()?)),
            "on" => self.hooks.push(event_and_file(&parser.value()?.string()?)?),
            "reservations" => self.with_reservations = true,
            "journal" => self.with_journal = true,
            "group" => given.group = Some(parser.value()?.string()?),
            "name" => given.name = Some(parser.value()?.string()?),
            "batch" => self.batch = number(name, parser)?,
            "attempts" => self.attempts = number(name, parser)?,
            "claim-after" => self.claim_after = duration(name, parser)?,
            "trim" => self.trim = Some(duration(name, parser)?),
            "metrics" => self.metrics = Some(parser.value()?.string()?),
            "log" => use_log(&parser.value()?.string()?)?,
            "migrate-only" => given.migrate_only = true,
            "without-hooks" => self.without_hooks = true,
            _ => {
                return Err(Failure::Usage(format!(
                    "there is no option --{name}: see flashsale worker --help"
                )));
            }
        }
        Ok(())
    }

    /// Checks what belongs together.
    fn finish(&mut self, given: Given) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.into()));
        if !(1..=2_000).contains(&self.batch) {
            return usage("--batch is a number from 1 to 2000");
        }
        if self.attempts == 0 {
            return usage("--attempts is a number from 1 up");
        }
        self.group = given.group.unwrap_or_else(|| "sql".into());
        self.name = given.name.unwrap_or_else(host_name);
        if self.name.is_empty() || self.group.is_empty() {
            return usage("--name and --group take a name that is not empty");
        }
        if self.task != Task::Work {
            return Ok(());
        }
        if self.orders.is_empty() == self.group_of.is_none() {
            return usage("give --orders STREAM (once or more), or --group-of SALE");
        }
        if self
            .orders
            .iter()
            .any(|stream| stream.is_empty() || stream.len() > 900)
        {
            return usage("the name of a stream has 1 to 900 bytes");
        }
        let way = way_of(given.sentinel, given.is_cluster)?;
        let url = url_of(given.redis, "--redis", "FLASHSALE_REDIS")?;
        self.address = Some(Address::parse(&url, way).map_err(Failure::Usage)?);
        Ok(())
    }
}

fn task_of(given: &Given) -> Result<Task, Failure> {
    let words: Vec<&str> = given.words.iter().map(String::as_str).collect();
    let numbers = |words: &[&str]| {
        let number = |word: &&str| {
            word.parse::<i64>().map_err(|_| {
                Failure::Usage(format!(
                    "{word:?} is no number of a dead letter: see flashsale worker dead list"
                ))
            })
        };
        words
            .iter()
            .map(number)
            .collect::<Result<Vec<i64>, Failure>>()
    };
    match words.as_slice() {
        [] if given.migrate_only => Ok(Task::Migrate),
        [] => Ok(Task::Work),
        ["dead", "list"] => Ok(Task::DeadList),
        ["dead", "retry", rest @ ..] if !rest.is_empty() => Ok(Task::DeadRetry(numbers(rest)?)),
        ["dead", "drop", rest @ ..] if !rest.is_empty() => Ok(Task::DeadDrop(numbers(rest)?)),
        ["dead", ..] => Err(Failure::Usage(
            "there are dead list, dead retry NUMBER... and dead drop NUMBER...".into(),
        )),
        [word, ..] => Err(Failure::Usage(format!(
            "{word:?} is no part of flashsale worker: see flashsale worker --help"
        ))),
    }
}

fn event_and_file(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((event, file)) if !event.is_empty() && !file.is_empty() => {
            Ok((event.into(), file.into()))
        }
        _ => Err(Failure::Usage(format!(
            "--on {text}: it is --on EVENT=FILE"
        ))),
    }
}

fn number<N: std::str::FromStr>(name: &str, parser: &mut lexopt::Parser) -> Result<N, Failure> {
    let text = parser.value()?.string()?;
    text.parse()
        .map_err(|_| Failure::Usage(format!("--{name}: {text:?} is no number")))
}

fn duration(name: &str, parser: &mut lexopt::Parser) -> Result<Duration, Failure> {
    let text = parser.value()?.string()?;
    parse_duration(&text).map_err(|error| Failure::Usage(format!("--{name}: {error}")))
}

/// The host's name: in a container that of the container, which a new one does not have.
fn host_name() -> String {
    let from_system = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(from_system);
    name.map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "worker".into())
}
