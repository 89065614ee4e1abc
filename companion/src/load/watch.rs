//! Beside the driver: the stock over time, the live view, the kill, and what soak restocks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::link::{Address, Link};
use crate::log;

use super::books::read_stock;
use super::live::View;
use super::own::Own;
use super::prepare::socket_of;
use super::series::Sample;
use super::split::Split;
use super::world::{World, lock};

/// How often the stock is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// How often an addition without an answer is sent again when everybody has left.
const LAST_TRIES: usize = 20;

/// Units that were sent to be added, and not confirmed yet.
struct Addition {
    item: usize,
    units: u64,
    reference: String,
}

/// What the watcher does and has seen.
pub struct Watch {
    /// The parts, of a split sale.
    pub split: Option<Arc<Split>>,
    pub world: Arc<World>,
    pub address: Address,
    pub own: Arc<Mutex<Option<Own>>>,
    pub kill_at: Option<Duration>,
    /// Others may kill the primaries of a split sale.
    pub outages: bool,
    /// Adds to items of which less than half is left.
    pub restocks: bool,
    pub has_worker: bool,
    /// Everybody has left.
    pub stop: AtomicBool,
    /// Units on sale by item.
    pub totals: Mutex<Vec<u64>>,
    pub samples: Mutex<Vec<Sample>>,
}

impl Watch {
    /// Watches until everybody has left. It is not to be aborted: an addition whose answer is
    /// not waited for is missing in `totals`.
    pub async fn run(&self) {
        let mut view = View::new();
        let mut link = None;
        let (mut rounds, mut restocks) = (0_u64, 0_u64);
        let mut owed = None;
        // When a primary of a split sale was found to be gone.
        let mut gone_us = None;
        while !self.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(SAMPLE_EVERY).await;
            rounds += 1;
            self.kill_if_due().await;
            if link.is_none() {
                link = self.connect(&mut gone_us).await;
            }
            if let Some(known) = &link {
                let sampled = self.sample(known).await;
                let is_lost = match sampled {
                    Ok(()) if self.restocks && rounds.is_multiple_of(5) => {
                        restocks += 1;
                        self.restock(known, restocks, &mut owed).await.is_err()
                    }
                    Ok(()) => false,
                    Err(error) => {
                        // A slot that has moved takes nothing with it.
                        if error.is_io_error() {
                            gone_us.get_or_insert(self.world.rules.clock.now_us());
                        }
                        true
                    }
                };
                if is_lost {
                    link = None;
                }
            }
            let every = view.every_seconds() * 10;
            if rounds % every == every - 3 {
                lock(&self.world.live).wants_latency = true;
            }
            if rounds.is_multiple_of(every) {
                let live = lock(&self.world.live).clone();
                view.print(&live);
            }
        }
        self.settle(owed).await;
    }

    /// Connects to the primary, or to those of all parts, and sends the buyers there.
    async fn connect(&self, gone_us: &mut Option<u64>) -> Option<Link> {
        let Some(split) = &self.split else {
            let link = Link::connect(&self.here(), self.world.sale.key.as_bytes()).await;
            let link = link.ok()?;
            self.follow(&link);
            return Some(link);
        };
        split.find_again().await.ok()?;
        let places = split.places().ok()?;
        let is_elsewhere = *lock(&self.world.places) != places;
        if let Some(gone_us) = gone_us.take()
            && is_elsewhere
            && self.outages
        {
            // Before the buyers learn the address: what the survivor tells them is later.
            self.world.note_failover(gone_us);
            log::info("a primary was replaced: what it told last may be lost with it");
        }
        *lock(&self.world.places) = places;
        Link::connect(&self.here(), self.world.sale.key.as_bytes())
            .await
            .ok()
    }

    /// Sends an addition that has no answer again, now that nothing else is to do.
    async fn settle(&self, mut owed: Option<Addition>) {
        for _ in 0..LAST_TRIES {
            if owed.is_none() {
                return;
            }
            if let Ok(link) = Link::connect(&self.here(), self.world.sale.key.as_bytes()).await
                && self.add(&link, &mut owed).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(SAMPLE_EVERY).await;
        }
        log::warn("RESTOCK has no answer: the stock cannot be told");
    }

    /// The address of the primary now.
    fn here(&self) -> Address {
        match &*lock(&self.own) {
            Some(own) => self
                .address
                .of_server(("127.0.0.1".into(), own.port()), self.address.way.clone()),
            None => self.address.clone(),
        }
    }

    /// Sends the buyers where the primary was found, by Sentinels or among several servers: a
    /// failover breaks the connections of whoever was connected before.
    fn follow(&self, link: &Link) {
        if let Ok(address) = socket_of(&link.server) {
            *lock(&self.world.address) = address;
        }
    }

    async fn sample(&self, link: &Link) -> Result<(), redis::RedisError> {
        let stock = match &self.split {
            Some(split) => split.stock().await?,
            None => read_stock(link, &self.world.sale).await?,
        };
        let mut lag = None;
        if self.has_worker {
            lag = match &self.split {
                Some(split) => split.unstored().await?,
                None => {
                    let groups = link.groups(self.world.sale.orders.as_bytes()).await?;
                    groups.first().and_then(|group| group.lag)
                }
            };
        }
        {
            let mut live = lock(&self.world.live);
            live.stock.clone_from(&stock);
            live.lag = lag;
        }
        let at_us = self.world.rules.clock.now_us();
        Sample::add(&mut lock(&self.samples), at_us, stock);
        Ok(())
    }

    /// Doubles what is left of an item once half of it is gone, so that a soak sells for ever.
    async fn restock(
        &self,
        link: &Link,
        number: u64,
        owed: &mut Option<Addition>,
    ) -> Result<(), redis::RedisError> {
        self.add(link, owed).await?;
        let stock = lock(&self.world.live).stock.clone();
        for (at, item) in stock.iter().enumerate() {
            let [available, reserved, sold] = *item;
            if available > (available + reserved + sold) / 2 && available > 0 {
                continue;
            }
            *owed = Some(Addition {
                item: at,
                units: reserved + 1_000,
                reference: format!("soak-{number}-{at}"),
            });
            self.add(link, owed).await?;
        }
        Ok(())
    }

    /// Adds what is owed. Its REF makes the second of two such commands a replay, so it stays
    /// owed until there is an answer.
    async fn add(&self, link: &Link, owed: &mut Option<Addition>) -> Result<(), redis::RedisError> {
        let Some(addition) = owed.as_ref() else {
            return Ok(());
        };
        let mut command = redis::cmd("FLASHSALE.RESTOCK");
        command.arg(&self.world.sale.key).arg("ITEMS").arg(1);
        command.arg(&self.world.sale.items[addition.item]);
        command.arg(addition.units);
        command.arg("REF").arg(&addition.reference);
        link.ask(&command).await?;
        lock(&self.totals)[addition.item] += addition.units;
        *owed = None;
        Ok(())
    }

    /// Kills the primary of `--own` when its moment has come, and promotes the replica.
    async fn kill_if_due(&self) {
        let now_us = self.world.rules.clock.now_us();
        let is_due = self
            .kill_at
            .is_some_and(|at| u128::from(now_us) >= at.as_micros());
        if !is_due || self.world.killed_us.load(Ordering::Relaxed) > 0 {
            return;
        }
        self.world
            .killed_us
            .store(self.world.rules.clock.now_us(), Ordering::Relaxed);
        let own = Arc::clone(&self.own);
        let promoted = tokio::task::spawn_blocking(move || {
            let mut own = lock(&own);
            let own = own.as_mut().ok_or("nothing of its own")?;
            own.kill_primary();
            own.promote().map(|()| own.port())
        });
        match promoted.await {
            Ok(Ok(port)) => {
                // Before the buyers learn the address: what the survivor tells them is later.
                let now_us = self.world.rules.clock.now_us();
                self.world.promoted_us.store(now_us, Ordering::Relaxed);
                *lock(&self.world.address) = SocketAddr::from(([127, 0, 0, 1], port));
                log::info(format!("killed the primary, promoted 127.0.0.1:{port}"));
            }
            Ok(Err(error)) => log::warn(format!("the replica cannot be promoted: {error}")),
            Err(_) => log::warn("the promotion panicked"),
        }
    }
}
