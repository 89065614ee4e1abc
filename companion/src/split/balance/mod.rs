//! `flashsale split balance`: moves units to where they are asked for, and says when all is
//! sold.
//!
//! Any number may run. What they decide is in `rules`; here are the connections. A round reads
//! all parts over one connection a server. Transfers run beside the rounds, each on a
//! connection of its own, as WAITAOF may take a second: meanwhile its givers give no more.
//!
//! | File | |
//! |---|---|
//! | `server` | one primary: its two connections, and what it still has to answer |
//! | `reading` | a round's questions and answers |
//! | `transfer` | GIVE, WAIT and WAITAOF on one connection |
//! | `lease` | who of several drivers works |
//! | `metrics` | its numbers |

mod lease;
mod metrics;
mod reading;
mod server;
mod transfer;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::names::{self, Names};
use super::options::BalanceOptions;
use super::rules::round::{Decision, Driver};
use super::rules::transfer::{Give, Take};
use super::shares::{Known, ulid_text};
use super::topology::{self, Shard};
use super::wire::Wire;
use crate::failure::Failure;
use crate::link::{Address, Link, Way, explain};
use crate::log;
use crate::stop::Stop;

use lease::Lease;
use metrics::Metrics;
use server::{Expect, Server};
use transfer::Moved;
pub use transfer::Mover;

/// How often a round begins.
const ROUND: Duration = Duration::from_millis(100);
/// How long "sold out everywhere" holds, in milliseconds, and after how many rounds the same is
/// said again.
const REST_MS: u64 = 1_000;
const REST_EVERY: u64 = 3;
/// Rounds between two looks at a part's SKUs.
const LEARN_EVERY: u64 = 10;
/// How long the last look at the topology serves.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A driver with its connections.
struct Balance {
    address: Address,
    names: Names,
    confirm: Option<u64>,
    /// Replicas of the primary, where no topology says so.
    replicas: Option<u64>,
    driver: Driver,
    known: Vec<Known>,
    servers: Vec<Server>,
    /// The server of each part, by its place among them.
    of: Vec<Option<usize>>,
    looked_at: Option<Instant>,
    connects: JoinSet<(String, Result<Wire, String>)>,
    transfers: JoinSet<Moved>,
    rounds: u64,
    /// What was said of rest last, and in which round.
    said: Option<(Vec<usize>, u64)>,
    told: Told,
    metrics: Metrics,
}

/// What was logged already.
#[derive(Default)]
struct Told {
    alarms: usize,
    silent: Vec<String>,
    unconfirmed: String,
}

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; something at the start is not as it has to be.
pub async fn run(options: BalanceOptions, stop: Stop) -> Result<u8, Failure> {
    let address = options.common.redis.address()?;
    let replicas = options.common.replicas_of(&address)?;
    let cannot = Failure::CannotGoOn;
    let names = names::find(&address, &options.common.sale, &options.common.place).await;
    let names = names.map_err(cannot)?;
    if let Some(place) = &options.metrics {
        crate::metrics::show_at(place)?;
    }
    let parts = names.parts.len();
    let mut balance = Balance {
        confirm: options.confirm,
        replicas,
        driver: Driver::new(parts),
        known: (0..parts).map(|_| Known::default()).collect(),
        servers: Vec::new(),
        of: vec![None; parts],
        looked_at: None,
        connects: JoinSet::new(),
        transfers: JoinSet::new(),
        rounds: 0,
        said: None,
        told: Told::default(),
        metrics: Metrics::begin(),
        address,
        names,
    };
    balance.look().await.map_err(cannot)?;
    balance.check_commands().await.map_err(cannot)?;
    if options.once {
        return balance.once(&stop).await;
    }
    log::info(format!("{}: balancing {parts} parts", balance.names.sale));
    let lease = Lease::start(balance.address.clone(), balance.names.lease_key());
    let lease = lease.map_err(cannot)?;
    balance.run(&stop, &lease).await;
    lease.give_up().await;
    Ok(0)
}

impl Balance {
    /// Rounds until the program is to stop.
    async fn run(&mut self, stop: &Stop, lease: &Lease) {
        let mut ticks = tokio::time::interval(ROUND);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.wait_for(&mut ticks, stop).await;
            if stop.is_set() {
                break;
            }
            let works = lease.is_ours();
            self.metrics.set_works(works);
            if works {
                self.round().await;
            } else {
                self.metrics.count_round();
            }
        }
        // What is under way is finished by the next driver; what is confirmed, by us.
        let rest = async {
            while let Some(moved) = self.transfers.join_next().await {
                self.finish(moved).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), rest).await;
    }

    /// Waits for the next round, and sends each TAKE as soon as it may be sent.
    async fn wait_for(&mut self, ticks: &mut tokio::time::Interval, stop: &Stop) {
        loop {
            tokio::select! {
                _ = ticks.tick() => return,
                () = stop.wait() => return,
                Some(moved) = self.transfers.join_next() => self.finish(moved).await,
                Some(Ok((place, wire))) = self.connects.join_next() => self.connected(&place, wire),
            }
        }
    }

    /// Finishes what is under way, and reports whether all parts answered and nothing is left.
    async fn once(&mut self, stop: &Stop) -> Result<u8, Failure> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut ticks = tokio::time::interval(ROUND);
        loop {
            self.wait_for(&mut ticks, stop).await;
            let decision = self.round().await;
            let is_whole = decision.as_ref().is_some_and(|one| one.rest.is_some());
            let has_read = self.rounds > LEARN_EVERY;
            let is_still = self.driver.units_under_way() == 0 && self.transfers.is_empty();
            if is_whole && has_read && is_still {
                return Ok(u8::from(self.driver.units_above() > 0));
            }
            if stop.is_set() || Instant::now() > deadline {
                return Ok(1);
            }
        }
    }

    /// One round. Returns what it came to, if there was anything to read.
    async fn round(&mut self) -> Option<Decision> {
        let begun = Instant::now();
        self.rounds += 1;
        if let Err(text) = self.look().await {
            log::warn(format!("{}: {text}", self.names.sale));
        }
        self.connect();
        self.read().await;
        let servers = &self.servers;
        let of = &self.of;
        let is_busy = |part: usize| of[part].is_none_or(|at| servers[at].is_moving);
        let decision = self.driver.decide(is_busy);
        self.tell(&decision);
        self.give(&decision.gives);
        self.say_rest(&decision).await;
        self.metrics
            .end_round(begun, &self.driver, decision.rest.is_some());
        Some(decision)
    }

    /// Looks where the parts are, if that is not known, or not any more.
    async fn look(&mut self) -> Result<(), String> {
        let is_fresh = self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY);
        if self.of.iter().all(Option::is_some) || is_fresh {
            return Ok(());
        }
        self.looked_at = Some(Instant::now());
        match self.address.way {
            Way::Cluster => {
                let shards = self.ask_shards().await?;
                for part in 0..self.names.parts.len() {
                    let slot = self.names.parts[part].slot;
                    let shard = shards.iter().find(|shard| shard.has(slot));
                    let place = shard.and_then(|shard| shard.primary.clone());
                    self.of[part] = place.map(|place| self.server_at(place));
                }
            }
            _ => {
                let place = self.find_primary().await?;
                let at = self.server_at(place);
                self.of.fill(Some(at));
            }
        }
        Ok(())
    }

    /// Asks any node of the cluster that answers.
    async fn ask_shards(&self) -> Result<Vec<Shard>, String> {
        let mut last = "no node answers".to_owned();
        let known = self.servers.iter().map(|server| server.place.clone());
        for (host, port) in known.chain(self.address.servers.clone()) {
            let mut wire = match Wire::connect(&self.address, &host, port).await {
                Ok(wire) => wire,
                Err(error) => {
                    last = format!("{host}:{port}: {error}");
                    continue;
                }
            };
            let answer = wire.ask(&[b"CLUSTER", b"SHARDS"]).await;
            let mut shards = match answer {
                Ok(answer) => topology::shards(&answer, self.address.is_secret()),
                Err(error) => {
                    last = format!("{host}:{port}: {error}");
                    continue;
                }
            };
            for place in shards.iter_mut().filter_map(|shard| shard.primary.as_mut()) {
                if place.0.is_empty() {
                    place.0.clone_from(&host);
                }
            }
            if !shards.is_empty() {
                return Ok(shards);
            }
        }
        Err(last)
    }

    async fn find_primary(&self) -> Result<(String, u16), String> {
        let probe = names::probe(&self.names.parts[0].key);
        let link = Link::connect_by(&self.address, &probe).await;
        let link = link.map_err(|error| error.to_string())?;
        let (host, port) = link.server.rsplit_once(':').unwrap_or_default();
        Ok((host.to_owned(), port.parse().unwrap_or(6_379)))
    }

    fn server_at(&mut self, place: (String, u16)) -> usize {
        let known = self.servers.iter().position(|server| server.place == place);
        known.unwrap_or_else(|| {
            self.servers.push(Server::new(place));
            self.servers.len() - 1
        })
    }

    async fn check_commands(&self) -> Result<(), String> {
        let probe = names::probe(&self.names.parts[0].key);
        let link = Link::connect_by(&self.address, &probe).await;
        let link = link.map_err(|error| error.to_string())?;
        link.check_commands(&super::COMMANDS).await?;
        let key = &self.names.parts[0].key;
        match link.ask(&names::probe(key)).await {
            Err(error) if error.code() == Some("NOSALE") => Err(explain(&error)),
            _ => Ok(()),
        }
    }

    /// Begins to connect to servers that have no connection.
    fn connect(&mut self) {
        let address = &self.address;
        for server in &mut self.servers {
            if !server.may_connect(Instant::now()) {
                continue;
            }
            let (address, place) = (address.clone(), server.place.clone());
            self.connects.spawn(async move {
                let (host, port) = &place;
                let wire = server::open(&address, host, *port, server::PATIENCE).await;
                (server::name_of(&place), wire)
            });
        }
        while let Some(Ok((place, wire))) = self.connects.try_join_next() {
            self.connected(&place, wire);
        }
    }

    fn connected(&mut self, place: &str, wire: Result<Wire, String>) {
        let mut servers = self.servers.iter_mut();
        if let Some(server) = servers.find(|server| server.name() == place) {
            server.connected(wire);
        }
        // Where it does not answer, its parts may be elsewhere by now.
        for part in 0..self.of.len() {
            let is_gone = self.of[part].is_some_and(|at| self.servers[at].is_gone());
            if is_gone && self.address.way != Way::Direct {
                self.of[part] = None;
            }
        }
    }

    /// Begins the transfers of servers that have none.
    fn give(&mut self, gives: &[Give]) {
        for at in 0..self.servers.len() {
            let of = &self.of;
            let ours = gives.iter().filter(|give| of[give.from] == Some(at));
            let ours: Vec<Give> = ours.copied().collect();
            let server = &mut self.servers[at];
            if ours.is_empty() || server.is_moving {
                continue;
            }
            server.is_moving = true;
            let sku = |item: usize| self.driver.sku(item).to_owned();
            let place = server.name();
            let mut mover = Mover::new(
                &self.address,
                &place,
                &self.names,
                &ours,
                sku,
                self.replicas,
            );
            (mover.server, mover.wire) = (at, server.mover.take());
            let confirm = self.confirm;
            self.transfers.spawn(mover.run(ours, confirm));
        }
    }

    /// A transfer is at its end: what is confirmed is taken.
    async fn finish(&mut self, moved: Result<Moved, tokio::task::JoinError>) {
        let Ok(moved) = moved else {
            return;
        };
        let server = &mut self.servers[moved.server];
        (server.is_moving, server.mover) = (false, moved.wire);
        if let Some(text) = moved.unconfirmed {
            self.metrics.count_unconfirmed(moved.asked);
            if self.told.unconfirmed != text {
                log::warn(format!(
                    "{}: not taken: {text}",
                    self.servers[moved.server].name()
                ));
                self.told.unconfirmed = text;
            }
        } else {
            self.told.unconfirmed.clear();
        }
        let mut takers: Vec<usize> = Vec::new();
        for take in &moved.takes {
            takers.extend(self.take(take));
        }
        takers.sort_unstable();
        takers.dedup();
        for at in takers {
            self.servers[at].flush().await;
        }
    }

    /// Puts a TAKE on the connection of its part, and returns the server.
    fn take(&mut self, take: &Take) -> Option<usize> {
        let at = self.of[take.to]?;
        let shelf = &self.driver.shelves(take.item)[take.to];
        let before = shelf.taken_from(take.from_share);
        let (from, to) = (ulid_text(take.from_share), ulid_text(take.to_share));
        let total = take.total.to_string();
        let words = [
            "FLASHSALE.TAKE",
            &self.names.parts[take.to].key,
            &from,
            &to,
            &total,
            "SKU",
            self.driver.sku(take.item),
        ]
        .map(str::as_bytes);
        let is_sent = self.servers[at].push(&words, Expect::Take);
        if is_sent {
            self.metrics.count_moved(take.total.saturating_sub(before));
        }
        is_sent.then_some(at)
    }

    /// Says what is sold out everywhere: when that changes, and again before it runs out.
    async fn say_rest(&mut self, decision: &Decision) {
        let Some(rest) = &decision.rest else {
            self.said = None;
            return;
        };
        let is_said = self
            .said
            .as_ref()
            .is_some_and(|(said, round)| said == rest && self.rounds < round + REST_EVERY);
        if is_said {
            return;
        }
        let valid_ms = REST_MS.to_string();
        for part in 0..self.names.parts.len() {
            let Some(at) = self.of[part] else {
                continue;
            };
            let mut words: Vec<&[u8]> = vec![b"FLASHSALE.REST"];
            words.push(self.names.parts[part].key.as_bytes());
            words.push(valid_ms.as_bytes());
            words.extend(rest.iter().map(|item| self.driver.sku(*item).as_bytes()));
            self.servers[at].push(&words, Expect::Rest);
        }
        for server in &mut self.servers {
            server.flush().await;
        }
        self.said = Some((rest.clone(), self.rounds));
    }

    /// Logs what a person has to look at, once.
    fn tell(&mut self, decision: &Decision) {
        if let Some((one, other)) = decision.twins {
            let keys = [one, other].map(|part| &self.names.parts[part].key);
            let text = format!(
                "{} and {} have one share id: one is a copy of the other, and nothing is moved \
                 until it is gone",
                keys[0], keys[1]
            );
            if self.told.unconfirmed != text {
                log::warn(&text);
                self.told.unconfirmed = text;
            }
        }
        if decision.alarms.len() > self.told.alarms {
            for alarm in &decision.alarms {
                log::warn(format!(
                    "{}: {} units of {} were taken from {} that it does not know it gave: run \
                     flashsale split repair",
                    self.names.parts[alarm.to].key,
                    alarm.units,
                    self.driver.sku(alarm.item),
                    self.names.parts[alarm.from].key,
                ));
            }
        }
        self.told.alarms = decision.alarms.len();
    }
}
