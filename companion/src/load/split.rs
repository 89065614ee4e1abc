//! A split sale of load's own: its parts made by `flashsale split create`, and a driver beside it.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::RedisError;

use crate::failure::Failure;
use crate::link::{Address, Link, Way, explain};
use crate::log;
use crate::split::names::{Names, PartLinks, book_link};

use super::books::{self, Books};
use super::buyer::ITEMS;
use super::clock::Clock;
use super::options::{Options, Shape};
use super::prepare::{EARLY_MS, GRACE_MS, socket_of};
use super::request::Sale;
use super::world::lock;

/// How long the primaries of all parts may take to be found once everybody has left.
const FOUND_WITHIN: Duration = Duration::from_secs(30);

/// The parts, and the driver.
pub struct Split {
    pub name: String,
    address: Address,
    pub sale: Sale,
    names: Names,
    links: Mutex<Arc<PartLinks>>,
    driver: Mutex<Option<Child>>,
}

/// The program itself, as one that sells in parts.
fn program(address: &Address, words: &[&str]) -> Result<Command, Failure> {
    let program = std::env::current_exe();
    let program = program.map_err(|error| Failure::cannot("flashsale split", error))?;
    let mut command = Command::new(program);
    command.arg("split").args(words);
    match &address.way {
        Way::Direct => command.args(["--replicas", "0"]),
        Way::Sentinel(name) => command.args(["--replicas", "0", "--sentinel", name]),
        Way::Cluster => command.arg("--cluster"),
    };
    command.env("FLASHSALE_REDIS", address.whole_url());
    command.stdin(Stdio::null());
    Ok(command)
}

impl Split {
    /// Makes the parts, and starts the driver.
    ///
    /// # Errors
    ///
    /// The program says why not; or a part cannot be reached.
    pub async fn make(
        options: &Options,
        parts: u16,
        name: &str,
        address: &Address,
        stock: &[u64],
        order_limit: u64,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let parts_text = parts.to_string();
        let mut create = program(address, &["create", name, "--parts", &parts_text])?;
        create.arg("ITEMS").arg(ITEMS.len().to_string());
        for ((sku, _), units) in ITEMS.iter().zip(stock) {
            create.args([sku, &*units.to_string()]);
        }
        let mut option = |name: &str, value: u64| {
            create.args([name, &value.to_string()]);
        };
        option("USERLIMIT", options.user_limit);
        option("ORDERLIMIT", order_limit);
        option("HOLD", options.hold_ms());
        option("GRACE", GRACE_MS);
        if options.shape == Shape::Spike {
            option("START", clock.ms_of(EARLY_MS * 1_000));
        }
        let made = create
            .output()
            .map_err(|error| Failure::cannot("split create", error))?;
        if !made.status.success() {
            let text = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(Failure::cannot("split create", text.trim()));
        }
        let names = Names::new(name, parts.into(), "{}", "{}:orders");
        let links = PartLinks::connect(address, &names).await;
        let links = links.map_err(Failure::CannotGoOn)?;
        let driver = program(address, &["balance", name])?
            .stderr(Stdio::null())
            .spawn();
        let driver = driver.map_err(|error| Failure::cannot("split balance", error))?;
        let parts = names
            .parts
            .iter()
            .map(|part| (part.key.clone(), part.orders.clone()));
        let sale = Sale {
            key: names.parts[0].key.clone(),
            orders: names.parts[0].orders.clone(),
            items: ITEMS.map(|(sku, _)| sku.to_owned()).to_vec(),
            parts: parts.collect(),
        };
        Ok(Self {
            name: name.to_owned(),
            address: address.clone(),
            sale,
            names,
            links: Mutex::new(Arc::new(links)),
            driver: Mutex::new(Some(driver)),
        })
    }

    /// Where each part is.
    ///
    /// # Errors
    ///
    /// A server has no address.
    pub fn places(&self) -> Result<Vec<SocketAddr>, Failure> {
        let links = Arc::clone(&lock(&self.links));
        let parts = 0..self.sale.parts.len();
        parts
            .map(|part| socket_of(&links.of(part).server))
            .collect()
    }

    /// Each part with its connection.
    fn each(&self) -> Vec<(Link, Sale)> {
        let links = Arc::clone(&lock(&self.links));
        let parts = self.sale.each().into_iter().enumerate();
        let part = |(part, sale)| (links.of(part).clone(), sale);
        parts.map(part).collect()
    }

    /// Looks where the parts are now: a primary is gone, or a slot has moved. Whoever answers has
    /// to have the part; in a cluster that is down, nobody has.
    ///
    /// # Errors
    ///
    /// In words: a part cannot be reached, and all are as they were.
    pub async fn find_again(&self) -> Result<(), String> {
        let links = PartLinks::connect(&self.address, &self.names).await?;
        for (part, sale) in self.sale.each().iter().enumerate() {
            let answer = books::read_stock(links.of(part), sale).await;
            answer.map_err(|error| format!("{}: {}", sale.key, explain(&error)))?;
        }
        *lock(&self.links) = Arc::new(links);
        Ok(())
    }

    /// Waits until all parts can be reached.
    pub async fn settle(&self) {
        let deadline = Instant::now() + FOUND_WITHIN;
        while let Err(text) = self.find_again().await {
            if Instant::now() > deadline {
                return log::warn(text);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The sale id of each part.
    ///
    /// # Errors
    ///
    /// A server does not answer, or its module is too old.
    pub async fn sale_ids(&self) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        for (link, sale) in self.each() {
            ids.push(super::prepare::sale_id(&link, &sale).await?);
        }
        Ok(ids)
    }

    /// Entries of all parts that the worker's group has not stored; `None` while it is not there.
    ///
    /// # Errors
    ///
    /// A server does not answer.
    pub async fn unstored(&self) -> Result<Option<i64>, RedisError> {
        let mut sum = Some(0);
        for (link, sale) in self.each() {
            let left = books::unstored(&link, &sale).await?;
            sum = sum.zip(left).map(|(sum, left)| sum + left);
        }
        Ok(sum)
    }

    /// The stock of all parts by item. Parts are read one after the other, so that units which
    /// move meanwhile may be seen twice, or not at all.
    ///
    /// # Errors
    ///
    /// A server does not answer.
    pub async fn stock(&self) -> Result<Vec<[u64; 3]>, RedisError> {
        let mut sums = vec![[0; 3]; self.sale.items.len()];
        for (link, sale) in self.each() {
            add_stock(&mut sums, &books::read_stock(&link, &sale).await?);
        }
        Ok(sums)
    }

    /// Waits until no part has an open reservation.
    ///
    /// # Errors
    ///
    /// A server does not answer.
    pub async fn wait_until_none_is_open(&self, at_most: Duration) -> Result<(), RedisError> {
        for (link, sale) in self.each() {
            books::wait_until_none_is_open(&link, &sale, at_most).await?;
        }
        Ok(())
    }

    /// Ends the driver, and reads the books of all parts as one.
    ///
    /// # Errors
    ///
    /// A server does not answer.
    pub async fn read(&self, promised: Vec<&String>) -> Result<Books, RedisError> {
        self.end_driver();
        // What is under way would be in no stock.
        if let Ok(mut once) = program(&self.address, &["balance", &self.name, "--once"]) {
            let _ = once.stderr(Stdio::null()).status();
        }
        let mut whole = Books {
            stock: vec![[0; 3]; self.sale.items.len()],
            ..Books::default()
        };
        whole.audit.consistent = true;
        for (link, sale) in self.each() {
            let part = books::read(&link, &sale, promised.clone()).await?;
            add_stock(&mut whole.stock, &part.stock);
            for (name, number) in part.info {
                *whole.info.entry(name).or_default() += number;
            }
            whole.stream.by_id.extend(part.stream.by_id);
            whole.stream.strange.extend(part.stream.strange);
            whole.known.extend(part.known);
            for (id, known) in part.promised {
                let found = whole.promised.entry(id).or_default();
                *found = found.take().or(known);
            }
            let (key, orders) = (sale.key.as_bytes(), sale.orders.as_bytes());
            let audit = crate::link::audit(&link, &self.address, key, orders).await?;
            whole.audit.consistent &= audit.consistent;
            whole.audit.differences.extend(audit.differences);
            whole.audit.place = format!("{}, and of each other part likewise", audit.place);
        }
        whole.audit.differences.extend(self.audit());
        Ok(whole)
    }

    /// What `flashsale split audit` finds.
    fn audit(&self) -> Vec<String> {
        let audited = program(&self.address, &["audit", &self.name]);
        let audited = audited.map(|mut command| command.output());
        match audited {
            Ok(Ok(output)) if output.status.success() => Vec::new(),
            Ok(Ok(output)) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr);
                let lines = text.lines().filter(|line| !line.contains(" in all;"));
                lines.map(str::to_owned).collect()
            }
            _ => vec!["flashsale split audit cannot be run".into()],
        }
    }

    fn end_driver(&self) {
        if let Some(mut driver) = lock(&self.driver).take() {
            let pid = driver.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &pid]).status();
            let _ = driver.wait();
        }
    }

    /// Removes all parts.
    pub async fn remove(&self) {
        for (link, sale) in self.each() {
            let removed = link.ask(redis::cmd("UNLINK").arg(&sale.key)).await;
            if let Err(error) = removed {
                log::warn(format!(
                    "{} cannot be removed: {}",
                    sale.key,
                    explain(&error)
                ));
            }
            let _ = link.ask(redis::cmd("UNLINK").arg(&sale.orders)).await;
        }
        if let Ok(link) = book_link(&self.address, &self.name).await {
            let _ = link
                .ask(redis::cmd("UNLINK").arg(format!("{{{}}}:parts", self.name)))
                .await;
        }
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        self.end_driver();
    }
}

fn add_stock(sums: &mut [[u64; 3]], stock: &[[u64; 3]]) {
    for (sum, item) in sums.iter_mut().zip(stock) {
        sum.iter_mut()
            .zip(item)
            .for_each(|(sum, units)| *sum += units);
    }
}
