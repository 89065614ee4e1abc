//! `flashsale load`: a rush of buyers with bad habits, and a check of the books at the end.
//!
//! # How it holds
//!
//! 1. Who comes, when, and how they behave is drawn from the seed before anything is sent.
//! 2. Latency counts from the moment that was intended; if the load itself is late, the run
//!    is void.
//! 3. What has to hold is read from outside: the stream, GET of each promise, AUDIT on a
//!    replica, rows in SQL. What the server says while it sells proves nothing.
//! 4. Nothing is killed but what `--own` has started.

mod acts;
mod agenda;
mod books;
mod buyer;
mod chance;
mod chart;
mod checks;
mod clock;
mod drive;
mod fates;
mod lane;
mod line;
mod live;
mod machine;
mod options;
mod outcome;
mod own;
mod plots;
mod report;
mod request;
mod resp;
mod series;
mod tally;
mod text;
mod visit;
mod watch;
mod worker;
mod world;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Value;

use crate::failure::Failure;
use crate::link::{Address, Link, Way, explain, pairs, string};
use crate::log;
use crate::stop::Stop;

use buyer::{Arrivals, ITEMS, Manners, Rush, deal};
use checks::Expected;
use clock::Clock;
use drive::Driver;
use live::Snapshot;
pub use options::Options;
use options::Shape;
use outcome::Outcome;
use own::Own;
use request::Sale;
use tally::Tally;
use visit::Rules;
use watch::Watch;
use worker::Worker;
use world::{World, greetings};

/// How late a payment can still succeed.
const GRACE_MS: u64 = 300;
/// Most places in line: more than can come.
const WAITING_MAX: u64 = 100_000_000;
/// From the end of the preparations to the first moment of the run.
const LEAD_MS: u64 = 300;
/// Who comes in the first moments is too early.
const EARLY_MS: u64 = 50;
/// How long the worker may take to store what is left in the end.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// How long the watcher may take to end: it finishes what it has begun.
const WATCHER_ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something at the start is not as it has to be; the server is gone at the end.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.log);
    options.check()?;
    acts::play_all(&options).await
}

fn cannot(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::CannotGoOn(format!("{what}: {error}"))
}

/// A sale that was made, and all that is to happen to it.
struct Stage {
    world: Arc<World>,
    watch: Arc<Watch>,
    driver: Mutex<Option<(Arrivals, u64)>>,
    worker: Mutex<Option<Worker>>,
    seed: u64,
    sale_id: String,
    /// Name and value, for the report.
    facts: Vec<(&'static str, String)>,
}

impl Stage {
    /// Makes the sale, and everything but the connections of the buyers.
    async fn set(
        options: &Options,
        seed: u64,
        address: Address,
        own: Option<Own>,
    ) -> Result<Self, Failure> {
        let key = options.sale(log::now_ms());
        // One hash tag, so that both are on one node of a cluster.
        let sale = Sale {
            orders: format!("{{{key}}}:orders"),
            key: format!("{{{key}}}"),
        };
        let link = connect(&address, &sale).await?;
        check_commands(&link, options).await?;
        let clock = Clock::start_in(LEAD_MS, server_ms(&link).await?);
        let manners = Manners {
            seed,
            pay: options.pay,
            retry: options.retry,
            user_limit: options.user_limit,
            order_limit: options.user_limit + 2,
            waits: options.wait,
        };
        let stock = deal(options.stock);
        create(&link, options, &sale, &stock, manners.order_limit, clock).await?;
        let sale_id = sale_id(&link, &sale).await?;
        let facts = machine::facts(&link, options).await;
        let world = Arc::new(World {
            sale,
            rules: rules(options, clock),
            connections: options.connections.into(),
            batch: options.batch.map(usize::from),
            address: Mutex::new(socket_of(&link.server)?),
            greetings: greetings(&address),
            stop: AtomicBool::new(false),
            killed_us: AtomicU64::new(0),
            promoted_us: AtomicU64::new(0),
            live: Mutex::new(Snapshot::default()),
        });
        let worker = start_worker(options, &address, own.as_ref(), &world.sale)?;
        let watch = Watch {
            world: Arc::clone(&world),
            address,
            own: Arc::new(Mutex::new(own)),
            kill_at: options.kill_at,
            restocks: options.shape == Shape::Soak,
            has_worker: worker.is_some(),
            stop: AtomicBool::new(false),
            totals: Mutex::new(stock),
            samples: Mutex::new(Vec::new()),
        };
        let column_us = match options.shape {
            Shape::Spike => 50_000,
            Shape::Tail | Shape::Soak => 250_000,
        };
        let arrivals = Arrivals::new(manners, rush(options));
        Ok(Self {
            world,
            watch: Arc::new(watch),
            driver: Mutex::new(Some((arrivals, column_us))),
            worker: Mutex::new(worker),
            seed,
            sale_id,
            facts,
        })
    }

    /// Lets the buyers in, and returns what they were told, with a connection to whichever
    /// server is the primary then.
    async fn play(&self, options: &Options) -> Result<(Tally, Link), Failure> {
        println!(
            "{}",
            text::opening(options, self.seed, &self.world.sale, &self.facts)
        );
        let taken = self
            .driver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (arrivals, column_us) = taken.ok_or_else(|| cannot("the buyers", "they have come"))?;
        let stop = Stop::on_signals().map_err(|error| cannot("signals", error))?;
        let watching = {
            let watch = Arc::clone(&self.watch);
            tokio::spawn(async move { watch.run().await })
        };
        let stopping = {
            let world = Arc::clone(&self.world);
            tokio::spawn(async move {
                stop.wait().await;
                log::info("stopping: nobody else comes, the books are checked next");
                world.stop.store(true, Ordering::Relaxed);
            })
        };
        let world = Arc::clone(&self.world);
        let driven = tokio::task::spawn_blocking(move || {
            Driver::connect(&world, arrivals, column_us)?.run()
        });
        let tally = driven.await.map_err(|error| cannot("the driver", error))?;
        let mut tally = tally.map_err(|error| cannot("the buyers' connections", error))?;
        self.watch.stop.store(true, Ordering::Relaxed);
        if tokio::time::timeout(WATCHER_ENDS_WITHIN, watching)
            .await
            .is_err()
        {
            log::warn("the watcher does not end");
        }
        let (killed_us, promoted_us) = self.world.failover_us();
        tally.note_failover(killed_us, promoted_us);
        stopping.abort();
        let link = connect(&self.address(), &self.world.sale).await?;
        Ok((tally, link))
    }

    /// The address of the primary, also after a promotion.
    fn address(&self) -> Address {
        let own = self
            .watch
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*own {
            Some(own) => self
                .watch
                .address
                .of_server(("127.0.0.1".into(), own.port()), Way::Direct),
            None => self.watch.address.clone(),
        }
    }

    /// Reads the books, and makes the report of them.
    async fn check(&self, options: &Options, tally: Tally, link: Link) -> Result<Outcome, Failure> {
        let failed = |error: redis::RedisError| cannot("reading the books", explain(&error));
        let sale = &self.world.sale;
        let at_most = Duration::from_millis(options.hold_ms() + GRACE_MS + 5_000);
        books::wait_until_none_is_open(&link, sale, at_most)
            .await
            .map_err(failed)?;
        let lag = self.drain(&link).await;
        let promised = tally.bought.keys().chain(&tally.released).collect();
        let mut books = books::read(&link, sale, promised).await.map_err(failed)?;
        books.audit = books::audit(&link, &self.address(), sale)
            .await
            .map_err(failed)?;
        if let Some(url) = &options.worker_sql {
            let worker = self
                .worker
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(worker) = worker {
                worker.stop();
            }
            let rows = books::read_sql(url, &self.sale_id).await;
            books.sql = Some(rows.map_err(|error| cannot("reading SQL", error))?);
        }
        let expected = Expected {
            stock: self
                .watch
                .totals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            user_limit: options.user_limit,
            p95: options.p95,
            behind: options.behind,
            restocks: self.watch.restocks,
            waits: options.wait,
            kills: options.kill_at.is_some(),
            lag,
        };
        let mut checks = checks::check_books(&expected, &tally, &books);
        checks.extend(checks::check_service(&expected, &tally));
        let void_by_ms = checks::void_by(&expected, &tally);
        let holds = void_by_ms.is_none() && checks.iter().all(|check| check.passed);
        if holds && !options.keep && options.own.is_none() {
            remove(&link, sale).await;
        }
        let samples = self
            .watch
            .samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Outcome {
            shape: options.shape,
            seed: self.seed,
            typed: options::typed(std::env::args().skip(1), self.seed),
            checks,
            void_by_ms,
            p95_us: u64::try_from(options.p95.as_micros()).unwrap_or(u64::MAX),
            sold: books.stock.iter().map(|item| item[2]).sum(),
            stock: expected.stock.iter().sum(),
            samples: samples.clone(),
            facts: self.facts.clone(),
            waits: options.wait,
            race: None,
            kept: (!holds || options.keep) && options.own.is_none(),
            sale: sale.clone(),
            tally,
        })
    }

    /// Waits until the worker has stored and acknowledged everything, and returns what is left.
    async fn drain(&self, link: &Link) -> Option<i64> {
        if !self.watch.has_worker {
            return None;
        }
        let deadline = std::time::Instant::now() + DRAIN_WITHIN;
        loop {
            let groups = link.groups(self.world.sale.orders.as_bytes()).await;
            let left = groups.ok().and_then(|groups| {
                let group = groups.into_iter().find(|group| group.name == b"load")?;
                Some(group.lag? + group.pending)
            });
            if left == Some(0) || std::time::Instant::now() > deadline {
                return Some(left.unwrap_or(-1));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Removes the sale. Its books were right, so a failure is a warning and changes no verdict.
async fn remove(link: &Link, sale: &Sale) {
    let mut command = redis::cmd("UNLINK");
    command.arg(&sale.key).arg(&sale.orders);
    if let Err(error) = link.ask(&command).await {
        log::warn(format!("the sale cannot be removed: {}", explain(&error)));
    }
}

fn rush(options: &Options) -> Rush {
    match options.shape {
        Shape::Spike => Rush::Within {
            buyers: options.buyers,
            time: options.within,
        },
        Shape::Tail => Rush::Rate {
            a_second: options.rate(),
            time: Some(options.lasts),
        },
        Shape::Soak => Rush::Rate {
            a_second: options.rate(),
            time: None,
        },
    }
}

fn rules(options: &Options, clock: Clock) -> Rules {
    Rules {
        clock,
        user_limit: options.user_limit,
        grace_ms: GRACE_MS,
        hold_ms: options.hold_ms(),
        keeps_fates: options.wait || options.race_first,
    }
}

/// Starts the worker, if one is asked for.
fn start_worker(
    options: &Options,
    address: &Address,
    own: Option<&Own>,
    sale: &Sale,
) -> Result<Option<Worker>, Failure> {
    let Some(sql) = &options.worker_sql else {
        return Ok(None);
    };
    let redis_url = own.map_or_else(|| address.whole_url(), Own::url);
    let started = Worker::start(&redis_url, &address.way, sql, &sale.orders);
    started.map(Some).map_err(Failure::CannotGoOn)
}

async fn connect(address: &Address, sale: &Sale) -> Result<Link, Failure> {
    let link = Link::connect(address, sale.key.as_bytes()).await;
    link.map_err(|error| cannot("Redis", error))
}

/// Asks for the commands that the run needs.
async fn check_commands(link: &Link, options: &Options) -> Result<(), Failure> {
    let mut names = vec!["FLASHSALE.CREATE", "FLASHSALE.RESERVE", "FLASHSALE.AUDIT"];
    if options.batch.is_some() {
        names.push("FLASHSALE.MRESERVE");
    }
    let mut command = redis::cmd("COMMAND");
    command.arg("INFO").arg(&names);
    let found = link.ask(&command).await;
    let found = found.map_err(|error| cannot("COMMAND INFO", explain(&error)))?;
    let known = match &found {
        Value::Array(known) => known.as_slice(),
        _ => &[],
    };
    for (at, name) in names.iter().enumerate() {
        if !matches!(known.get(at), Some(Value::Array(_))) {
            return Err(Failure::CannotGoOn(format!(
                "{} has no {name}: the module flashsale 0.2.0 or later is needed",
                link.server
            )));
        }
    }
    Ok(())
}

async fn server_ms(link: &Link) -> Result<u64, Failure> {
    let time = link.ask(&redis::cmd("TIME")).await;
    let time = time.map_err(|error| cannot("TIME", explain(&error)))?;
    let parts = match &time {
        Value::Array(parts) => parts.iter().filter_map(|part| string(part).parse().ok()),
        _ => return Err(cannot("TIME", "no answer that can be read")),
    };
    let parts: Vec<u64> = parts.collect();
    match parts.as_slice() {
        [seconds, micros] => Ok(seconds * 1_000 + micros / 1_000),
        _ => Err(cannot("TIME", "no answer that can be read")),
    }
}

/// Creates the sale. A spike begins a moment before it opens, so that some come too early.
async fn create(
    link: &Link,
    options: &Options,
    sale: &Sale,
    stock: &[u64],
    order_limit: u64,
    clock: Clock,
) -> Result<(), Failure> {
    let mut command = redis::cmd("FLASHSALE.CREATE");
    command.arg(&sale.key).arg(&sale.orders);
    command.arg("ITEMS").arg(ITEMS.len());
    for ((sku, _), units) in ITEMS.iter().zip(stock) {
        command.arg(sku).arg(units);
    }
    command.arg("USERLIMIT").arg(options.user_limit);
    command.arg("ORDERLIMIT").arg(order_limit);
    command.arg("HOLD").arg(options.hold_ms());
    command.arg("GRACE").arg(GRACE_MS);
    if options.wait {
        command.arg("WAITING").arg(WAITING_MAX);
        command.arg("PATIENCE").arg(line::PATIENCE_MS);
    }
    if options.shape == Shape::Spike {
        command.arg("START").arg(clock.ms_of(EARLY_MS * 1_000));
    }
    match link.ask(&command).await {
        Ok(_) => Ok(()),
        Err(error) => Err(cannot("FLASHSALE.CREATE", explain(&error))),
    }
}

async fn sale_id(link: &Link, sale: &Sale) -> Result<String, Failure> {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(&sale.key);
    let info = link.ask(&command).await;
    let info = info.map_err(|error| cannot("FLASHSALE.INFO", explain(&error)))?;
    let id = pairs(&info).into_iter().find(|(name, _)| name == "sale_id");
    id.map(|(_, id)| string(&id)).ok_or_else(|| {
        cannot(
            "FLASHSALE.INFO",
            "it has no sale_id: 0.2.0 or later is needed",
        )
    })
}

fn socket_of(server: &str) -> Result<SocketAddr, Failure> {
    let mut found = server
        .to_socket_addrs()
        .map_err(|error| cannot(server, error))?;
    found
        .next()
        .ok_or_else(|| cannot(server, "it has no address"))
}
