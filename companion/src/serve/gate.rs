//! The way to a sale: reservations of one SKU in batches, everything else one by one.
//!
//! A SKU that the sale has not shown goes one by one too: each name that a stranger makes up
//! would otherwise be a batch of its own, which the buyers of real items wait for.
//!
//! A free connection takes whatever waits. A lone request is sent on at once, and the more
//! requests there are, the larger the batches become: no timer has to be chosen. Two
//! connections carry batches, one at a time each. A third carries what goes alone,
//! pipelined, so that a read waits for no batch to be filled.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use super::door::{Beside, Door, LOOK_EVERY};
use super::keeper::{Keeper, Unanswered};
use super::metrics::Metrics;
use super::places::{NoAnswer, Places};
use super::queue::{Entry, Queues, SaleAnswer};
use crate::link::{Address, Link, LinkError, stock_rows, string};

/// How many connections carry batches.
const BATCHING: usize = 2;

/// How many reservations may wait for a connection, and how many other requests for their
/// answer.
const WAITING_MOST: usize = 10_000;

/// How long the start waits for the SKUs.
const SKUS_WITHIN: Duration = Duration::from_secs(2);

/// One sale, or one part of a split sale.
pub struct Gate {
    sale: String,
    orders: String,
    queues: Mutex<Queues>,
    pushed: Notify,
    /// The SKUs that the sale has, as far as it has shown them.
    skus: Mutex<HashSet<String>>,
    door: Door,
    alone: Keeper,
    /// For each request that goes alone.
    places: Places,
    metrics: Metrics,
}

impl Gate {
    /// Opens the connections to a sale.
    ///
    /// # Errors
    ///
    /// The primary cannot be reached.
    pub async fn open(
        address: &Address,
        sale: &str,
        orders: &str,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, LinkError> {
        let mut keepers = Vec::new();
        let (mut skus, door) = (HashSet::new(), Door::default());
        for _ in 0..=BATCHING {
            let probe = probe(sale);
            let link = Link::connect_by(address, &probe).await?;
            if keepers.is_empty() {
                skus = skus_of(&link, sale).await;
                if let Ok(Ok(info)) = tokio::time::timeout(SKUS_WITHIN, link.ask(&probe)).await {
                    door.learn(&info);
                }
            }
            keepers.push(Keeper::start(link, address.clone(), probe, metrics.clone()));
        }
        let alone = keepers.remove(0);
        let gate = Arc::new(Self {
            sale: sale.into(),
            orders: orders.into(),
            queues: Mutex::new(Queues::new(WAITING_MOST)),
            pushed: Notify::new(),
            skus: Mutex::new(skus),
            door,
            alone,
            places: Places::new(WAITING_MOST),
            metrics: metrics.clone(),
        });
        for keeper in keepers {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.carry(&keeper).await });
        }
        let looker = Arc::clone(&gate);
        tokio::spawn(async move { looker.look_at_door().await });
        Ok(gate)
    }

    /// Looks at what the sale asks for, again and again.
    async fn look_at_door(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let until = Instant::now() + LOOK_EVERY;
            if let Ok(Ok(info)) = self.read("INFO", None, until).await {
                self.door.learn(&info);
            }
        }
    }

    /// Reports whether a reservation has to go by a command of its own.
    pub fn takes_alone(&self, beside: &Beside<'_>) -> bool {
        self.door.takes_alone(beside)
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // Queues that a panic left behind are still queues.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn skus(&self) -> MutexGuard<'_, HashSet<String>> {
        self.skus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows how many reservations wait for a connection, and returns that.
    fn count_waiting(&self) -> usize {
        let waiting = self.queues().waiting();
        self.metrics.set_waiting(waiting);
        waiting
    }

    /// Reserves units of one SKU, in a batch with whatever else waits, or alone where it is not
    /// known whether the sale has the SKU.
    ///
    /// # Errors
    ///
    /// The queue is full, or there is no answer in time.
    pub async fn reserve_one(
        &self,
        sku: &str,
        qty: u64,
        user: &[u8],
        id: &str,
        until: Instant,
    ) -> Result<SaleAnswer, NoAnswer> {
        if !self.skus().contains(sku) {
            let items = [(sku, qty)].into_iter();
            let beside = Beside::default();
            let answer = self.reserve_alone(items, user, id, beside, until).await;
            if answer.as_ref().is_ok_and(is_reserved) {
                // The sale was made anew, or STOCK was not answered at the start.
                self.skus().insert(sku.to_owned());
            }
            return answer;
        }
        let (answer, receiver) = oneshot::channel();
        let entry = Entry {
            user: user.to_vec(),
            qty,
            id: id.to_owned(),
            answer,
        };
        if !self.queues().push(sku, entry) {
            return Err(NoAnswer::Full);
        }
        self.count_waiting();
        self.pushed.notify_one();
        match timeout_at(until.into(), receiver).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(NoAnswer::Late),
        }
    }

    /// Reserves by a command of its own what no batch can carry: a cart of several SKUs, a
    /// request that waits in line, one with a pass, or one whose source counts.
    ///
    /// # Errors
    ///
    /// Too many wait, or there is no answer in time.
    pub async fn reserve_alone<'a>(
        &self,
        items: impl ExactSizeIterator<Item = (&'a str, u64)>,
        user: &[u8],
        id: &str,
        beside: Beside<'_>,
        until: Instant,
    ) -> Result<SaleAnswer, NoAnswer> {
        let mut command = self.command("RESERVE");
        command.arg(user).arg("ITEMS").arg(items.len());
        for (sku, qty) in items {
            command.arg(sku).arg(qty);
        }
        command.arg("ID").arg(id);
        if let Some(source) = beside.source {
            command.arg("FROM").arg(source);
        }
        if let Some(pass) = beside.pass {
            command.arg("PASS").arg(pass);
        }
        if beside.waits {
            command.arg("WAIT");
        }
        self.ask(&command, until).await
    }

    /// Gives a reservation of this user back.
    ///
    /// # Errors
    ///
    /// Too many wait, or there is no answer in time.
    pub async fn release(
        &self,
        user: &[u8],
        id: &str,
        until: Instant,
    ) -> Result<SaleAnswer, NoAnswer> {
        let mut command = self.command("RELEASE");
        command.arg(id).arg("USER").arg(user);
        self.ask(&command, until).await
    }

    /// Sells a reservation of this user.
    ///
    /// # Errors
    ///
    /// Too many wait, or there is no answer in time.
    pub async fn checkout(
        &self,
        user: &[u8],
        id: &str,
        paid: &str,
        until: Instant,
    ) -> Result<SaleAnswer, NoAnswer> {
        let mut command = self.command("CHECKOUT");
        command.arg(&self.orders).arg(id);
        command.arg("USER").arg(user).arg("REF").arg(paid);
        self.ask(&command, until).await
    }

    /// Asks one of the reads GET, USER, STOCK and INFO, with an argument if it takes one.
    ///
    /// # Errors
    ///
    /// Too many wait, or there is no answer in time.
    pub async fn read(
        &self,
        name: &str,
        argument: Option<&[u8]>,
        until: Instant,
    ) -> Result<SaleAnswer, NoAnswer> {
        let mut command = self.command(name);
        if let Some(argument) = argument {
            command.arg(argument);
        }
        self.ask(&command, until).await
    }

    fn command(&self, name: &str) -> Cmd {
        let mut command = redis::cmd(&format!("FLASHSALE.{name}"));
        command.arg(&self.sale);
        command
    }

    async fn ask(&self, command: &Cmd, until: Instant) -> Result<SaleAnswer, NoAnswer> {
        let answered = self.alone.ask_until_answered(command);
        self.places.wait(answered, until).await
    }

    /// Carries batch after batch over one connection.
    async fn carry(&self, keeper: &Keeper) {
        loop {
            // Before anything is taken: who is still waiting then decides what is sent.
            keeper.wait_until_ready().await;
            let taken = self.queues().take();
            let Some((sku, batch)) = taken else {
                self.pushed.notified().await;
                // Requests that have arrived in the same moment get into the same batch.
                // Where nothing else is to be done, this takes no time.
                tokio::task::yield_now().await;
                continue;
            };
            if self.count_waiting() > 0 {
                // A SKU is left over, for the other connection.
                self.pushed.notify_one();
            }
            let answers = keeper.ask(&self.batch_command(&sku, &batch)).await;
            match answers {
                Ok(answers) => {
                    self.queues().grow(batch.len());
                    self.metrics.count_batch(batch.len());
                    answer_each(batch, answers);
                }
                Err(Unanswered::Refused(error)) => self.divide(&sku, batch, &error),
                Err(Unanswered::Lost) => {
                    // The same id again is a replay, in whatever batch it is.
                    self.metrics.count_resent(batch.len());
                    self.queues().put_back(&sku, batch);
                    self.pushed.notify_one();
                }
            }
        }
    }

    /// Sends a batch again in smaller ones if it can have been too large for the server's
    /// `batch-max`; nothing of it has happened then. Otherwise everybody gets the error.
    fn divide(&self, sku: &str, batch: Vec<Entry>, error: &RedisError) {
        let mut queues = self.queues();
        if error.code() == Some("ERR") && queues.shrink(batch.len()) {
            queues.put_back(sku, batch);
            self.pushed.notify_one();
        } else {
            answer_all(batch, error);
        }
    }

    fn batch_command(&self, sku: &str, batch: &[Entry]) -> Cmd {
        let mut command = self.command("MRESERVE");
        command.arg("ENTRIES").arg(batch.len());
        for entry in batch {
            command.arg(&entry.user).arg(entry.qty).arg(&entry.id);
        }
        command.arg("SKU").arg(sku);
        command
    }
}

/// The command that finds the node of a sale, and shows that the sale is there.
pub fn probe(sale: &str) -> Cmd {
    let mut probe = redis::cmd("FLASHSALE.INFO");
    probe.arg(sale);
    probe
}

/// Asks for the SKUs of a sale. Where there is no answer, none is known, and each is learnt when
/// a unit of it is reserved.
async fn skus_of(link: &Link, sale: &str) -> HashSet<String> {
    let mut stock = redis::cmd("FLASHSALE.STOCK");
    stock.arg(sale);
    let rows = match tokio::time::timeout(SKUS_WITHIN, link.ask(&stock)).await {
        Ok(Ok(stock)) => stock_rows(&stock).unwrap_or_default(),
        _ => Vec::new(),
    };
    rows.into_iter().map(|row| row.sku).collect()
}

/// Reports whether a unit was reserved, which a sale does only for its own SKUs.
fn is_reserved(answer: &SaleAnswer) -> bool {
    match answer {
        Ok(Value::Array(elements)) => elements
            .first()
            .is_some_and(|word| string(word) == "RESERVED"),
        _ => false,
    }
}

fn answer_each(batch: Vec<Entry>, answers: Value) {
    match answers {
        Value::Array(answers) if answers.len() == batch.len() => {
            for (entry, answer) in batch.into_iter().zip(answers) {
                // A buyer who has gone needs no answer.
                let _ = entry.answer.send(Ok(answer));
            }
        }
        _ => {
            let kind = redis::ErrorKind::UnexpectedReturnType;
            answer_all(
                batch,
                &RedisError::from((kind, "the batch has another length")),
            );
        }
    }
}

fn answer_all(batch: Vec<Entry>, error: &RedisError) {
    for entry in batch {
        let _ = entry.answer.send(Err(error.clone()));
    }
}
