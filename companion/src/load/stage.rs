//! A sale of load's own on a server: made, sold by the crowd, compared with every book, removed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::failure::Failure;
use crate::link::{Address, Link, Way, explain};
use crate::log;

use super::buyer::{ITEMS, Lets, Manners, deal};
use super::checks::{self, Expected};
use super::clock::{Clock, LEAD_MS};
use super::live::Snapshot;
use super::options::{Options, Shape};
use super::outcome::Outcome;
use super::own::Own;
use super::prepare::{GRACE_MS, check_commands, connect, create, sale_id, server_ms, socket_of};
use super::request::Sale;
use super::rules::{Names, Rules};
use super::split::Split;
use super::tally::Tally;
use super::watch::Watch;
use super::wires::Wires;
use super::worker::Worker;
use super::world::{World, greetings, lock};
use super::{books, crowd, machine, text};

/// Connections of the buyers, if no number is given.
pub const CONNECTIONS: u16 = 16;

/// How long the worker may take to store what is left in the end.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// How long the watcher may take to end: it finishes what it has begun.
const WATCHER_ENDS_WITHIN: Duration = Duration::from_secs(30);

/// A sale that was made, and all that is to happen to it.
pub struct Stage {
    world: Arc<World>,
    watch: Arc<Watch>,
    manners: Manners,
    worker: Mutex<Option<Worker>>,
    seed: u64,
    /// One, or that of each part.
    sale_ids: Vec<String>,
    /// Name and value, for the report.
    facts: Vec<(&'static str, String)>,
}

fn rules(options: &Options, order_limit: u64, clock: Clock) -> Rules {
    Rules {
        clock,
        user_limit: options.user_limit,
        order_limit,
        grace_ms: GRACE_MS,
        hold_ms: options.hold_ms(),
        keeps_fates: options.wait || options.race_first,
        items: ITEMS.len(),
        names: Names::Plain,
    }
}

fn manners(options: &Options, seed: u64) -> Manners {
    Manners {
        seed,
        pay: options.pay,
        retry: options.retry,
        user_limit: options.user_limit,
        order_limit: options.user_limit + 2,
        items: ITEMS.len(),
        waits: options.wait,
        lets: Lets::ALL,
    }
}

/// What the buyers share, before any of them is let in.
fn world(
    options: &Options,
    rules: Rules,
    sale: Sale,
    places: Vec<SocketAddr>,
    link: &Link,
    address: &Address,
) -> Result<World, Failure> {
    Ok(World {
        sale,
        rules,
        connections: options.connections.unwrap_or(CONNECTIONS).into(),
        batch: options.batch.map(usize::from),
        address: Mutex::new(socket_of(&link.server)?),
        places: Mutex::new(places),
        greetings: greetings(address),
        stop: AtomicBool::new(false),
        killed_us: AtomicU64::new(0),
        promoted_us: AtomicU64::new(0),
        live: Mutex::new(Snapshot::of(&ITEMS.map(|(sku, _)| sku.to_owned()))),
    })
}

/// The worker's option for the streams it reads.
fn streams<'s>(split: Option<&'s Split>, sale: &'s Sale) -> [&'s str; 2] {
    match split {
        Some(split) => ["--group-of", &split.name],
        None => ["--orders", &sale.orders],
    }
}

impl Stage {
    /// Makes the sale, and everything but the connections of the buyers.
    pub async fn set(
        options: &Options,
        seed: u64,
        address: Address,
        own: Option<Own>,
    ) -> Result<Self, Failure> {
        let key = options.sale(log::now_ms());
        // One hash tag, so that both are on one node of a cluster.
        let mut sale = Sale {
            orders: format!("{{{key}}}:orders"),
            key: format!("{{{key}}}"),
            items: ITEMS.map(|(sku, _)| sku.to_owned()).to_vec(),
            parts: Vec::new(),
        };
        let link = connect(&address, &sale).await?;
        check_commands(&link, options).await?;
        let clock = Clock::start_in(LEAD_MS, server_ms(&link).await?);
        let manners = manners(options, seed);
        let stock = deal(options.stock);
        let limit = manners.order_limit;
        let split = match options.split {
            Some(parts) => {
                let made = Split::make(options, parts, &key, &address, &stock, limit, clock);
                Some(Arc::new(made.await?))
            }
            None => {
                create(&link, options, &sale, &stock, limit, clock).await?;
                None
            }
        };
        let places = split
            .as_ref()
            .map_or(Ok(Vec::new()), |split| split.places())?;
        if let Some(split) = &split {
            sale = split.sale.clone();
        }
        let link = connect(&address, &sale).await?;
        let sale_ids = match &split {
            Some(split) => split.sale_ids().await?,
            None => vec![sale_id(&link, &sale).await?],
        };
        let facts = machine::facts(&link, options).await;
        let rules = rules(options, manners.order_limit, clock);
        let world = world(options, rules, sale, places, &link, &address)?;
        let world = Arc::new(world);
        let orders = streams(split.as_deref(), &world.sale);
        let worker = start_worker(options, &address, own.as_ref(), orders)?;
        let watch = Watch {
            split,
            world: Arc::clone(&world),
            address,
            own: Arc::new(Mutex::new(own)),
            kill_at: options.kill_at,
            outages: options.outages,
            restocks: options.shape == Shape::Soak,
            has_worker: worker.is_some(),
            stop: AtomicBool::new(false),
            totals: Mutex::new(stock),
            samples: Mutex::new(Vec::new()),
        };
        Ok(Self {
            world,
            watch: Arc::new(watch),
            manners,
            worker: Mutex::new(worker),
            seed,
            sale_ids,
            facts,
        })
    }

    /// Lets the buyers in, and returns what they were told, with a connection to whichever
    /// server is the primary then.
    pub async fn play(&self, options: &Options) -> Result<(Tally, Link), Failure> {
        println!(
            "{}",
            text::opening(options, self.seed, &self.world, &self.facts)
        );
        let watching = {
            let watch = Arc::clone(&self.watch);
            tokio::spawn(async move { watch.run().await })
        };
        let tally = crowd::let_in(&self.world, self.manners, options, |world| {
            Ok(Box::new(Wires::connect(world)?))
        });
        let mut tally = tally.await?;
        self.watch.stop.store(true, Ordering::Relaxed);
        if tokio::time::timeout(WATCHER_ENDS_WITHIN, watching)
            .await
            .is_err()
        {
            log::warn("the watcher does not end");
        }
        let (killed_us, promoted_us) = self.world.failover_us();
        tally.note_failover(killed_us, promoted_us);
        let link = connect(&self.address(), &self.world.sale).await?;
        Ok((tally, link))
    }

    /// The address of the primary, also after a promotion.
    fn address(&self) -> Address {
        match &*lock(&self.watch.own) {
            Some(own) => self
                .watch
                .address
                .of_server(("127.0.0.1".into(), own.port()), Way::Direct),
            None => self.watch.address.clone(),
        }
    }

    /// Reads the books, and makes the report of them.
    pub async fn check(
        &self,
        options: &Options,
        tally: Tally,
        link: Link,
    ) -> Result<Outcome, Failure> {
        let failed =
            |error: redis::RedisError| Failure::cannot("reading the books", explain(&error));
        let sale = &self.world.sale;
        let at_most = Duration::from_millis(options.hold_ms() + GRACE_MS + 5_000);
        match &self.watch.split {
            Some(split) => {
                split.settle().await;
                split.wait_until_none_is_open(at_most).await
            }
            None => books::wait_until_none_is_open(&link, sale, at_most).await,
        }
        .map_err(failed)?;
        let lag = self.drain(&link).await;
        let given_back = tally.released.iter().map(|(id, _)| id);
        let promised = tally.bought.keys().chain(given_back).collect();
        let mut books = match &self.watch.split {
            Some(split) => split.read(promised).await.map_err(failed)?,
            None => {
                let mut books = books::read(&link, sale, promised).await.map_err(failed)?;
                let (key, orders) = (sale.key.as_bytes(), sale.orders.as_bytes());
                let audit = crate::link::audit(&link, &self.address(), key, orders).await;
                books.audit = audit.map_err(failed)?;
                books
            }
        };
        let worker_ends = self.stop_worker();
        if let Some(url) = &options.worker_sql {
            books.sql = Some(self.rows(url).await?);
        }
        let expected = Expected {
            items: sale.items.clone(),
            names: self.world.rules.names,
            stock: lock(&self.watch.totals).clone(),
            user_limit: options.user_limit,
            p95: options.p95,
            behind: options.behind,
            restocks: self.watch.restocks,
            waits: options.wait,
            kills: options.kill_at.is_some(),
            outages: options.outages,
            lag,
            worker_ends,
        };
        let checks = checks::check_books(&expected, &tally, &books);
        let mut outcome = Outcome {
            sold: books.stock.iter().map(|item| item[2]).sum(),
            samples: lock(&self.watch.samples).clone(),
            facts: self.facts.clone(),
            sale: sale.clone(),
            ..Outcome::of(options, self.seed, &expected, checks, tally)
        };
        let is_left = !outcome.holds() || options.keep;
        outcome.kept = is_left && options.own.is_none();
        if !is_left && options.own.is_none() {
            match &self.watch.split {
                Some(split) => split.remove().await,
                None => remove(&link, sale).await,
            }
        }
        Ok(outcome)
    }

    /// Reads what the worker has stored of the sale, or of all its parts.
    async fn rows(&self, url: &str) -> Result<books::SqlRows, Failure> {
        let mut all = books::SqlRows::new();
        for sale_id in &self.sale_ids {
            let rows = books::read_sql(url, sale_id).await;
            all.extend(rows.map_err(|error| Failure::cannot("reading SQL", error))?);
        }
        Ok(all)
    }

    /// Ends the worker, if there is one, and reports whether it ended as it should.
    fn stop_worker(&self) -> bool {
        let worker = lock(&self.worker).take();
        worker.is_none_or(Worker::stop)
    }

    /// Waits until the worker has stored and acknowledged everything, and returns what is left.
    async fn drain(&self, link: &Link) -> Option<i64> {
        if !self.watch.has_worker {
            return None;
        }
        let deadline = std::time::Instant::now() + DRAIN_WITHIN;
        loop {
            let left = match &self.watch.split {
                Some(split) => split.unstored().await,
                None => books::unstored(link, &self.world.sale).await,
            };
            let left = left.ok().flatten();
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

/// Starts the worker, if one is asked for.
fn start_worker(
    options: &Options,
    address: &Address,
    own: Option<&Own>,
    orders: [&str; 2],
) -> Result<Option<Worker>, Failure> {
    let Some(sql) = &options.worker_sql else {
        return Ok(None);
    };
    let redis_url = own.map_or_else(|| address.whole_url(), Own::url);
    let started = Worker::start(&redis_url, &address.way, sql, orders);
    started.map(Some).map_err(Failure::CannotGoOn)
}
