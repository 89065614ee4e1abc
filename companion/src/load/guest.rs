//! The sale of a gateway: looked at, rushed, and compared with what its buyers were told. Where
//! the server behind it may be asked as well, every book is.
//!
//! Nothing is made and nothing is removed here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::link::{Address, explain};
use crate::log;

use super::books::{self, Books, Known};
use super::buyer::{Lets, Manners};
use super::calls::Calls;
use super::checks::{Check, Expected, check_books};
use super::clock::{Clock, LEAD_MS};
use super::http::{Call, Connection, Place, Said};
use super::live::{Snapshot, View};
use super::options::Options;
use super::outcome::Outcome;
use super::prepare::{Limits, connect, limits};
use super::request::Sale;
use super::rules::{Names, Rules};
use super::series::Sample;
use super::tally::Tally;
use super::world::{World, lock};
use super::{crowd, machine, seen, text};

/// Connections of the buyers, if no number is given: browsers do not share one.
const CONNECTIONS: u16 = 128;
/// How often the stock is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(200);
/// How long a gateway that is being restarted may be away when its books are read.
const AWAY_MOST: Duration = Duration::from_secs(30);
/// How long after the last deadline the units may take to be back.
const BACK_WITHIN_MS: u64 = 5_000;

/// A gateway, and all that is to happen to its sale.
pub struct Guest {
    place: Place,
    world: Arc<World>,
    manners: Manners,
    seed: u64,
    /// The server behind it.
    server: Option<Address>,
    /// By item, at the beginning: available, reserved, sold.
    before: Vec<[u64; 3]>,
    samples: Arc<Mutex<Vec<Sample>>>,
    facts: Vec<(&'static str, String)>,
}

impl Guest {
    /// Looks at the sale.
    ///
    /// # Errors
    ///
    /// The gateway does not answer, or sells nothing; the server behind it has another sale.
    pub async fn look(options: &Options, seed: u64, place: Place) -> Result<Self, Failure> {
        let names = Names::OfRun(log::now_ms().unsigned_abs());
        let shop = Shop::look(&place, names).await;
        let shop =
            shop.map_err(|error| Failure::cannot(&format!("http://{}", place.name), error))?;
        let mut sale = Sale {
            items: shop.items,
            ..Sale::default()
        };
        let mut known = Limits {
            user: Some(options.user_limit),
            order: None,
            grace_ms: 0,
        };
        let (mut server, mut link) = (None, None);
        if let Some((address, key)) = options.behind_the_gateway()? {
            sale.key = key;
            let connected = connect(&address, &sale).await?;
            (known, sale.orders) = limits(&connected, &sale).await?;
            let stock = books::read_stock(&connected, &sale).await;
            let stock =
                stock.map_err(|error| Failure::cannot("FLASHSALE.STOCK", explain(&error)))?;
            // Not the numbers themselves: others may be buying, and a gateway looks now and then.
            if totals(&stock) != totals(&shop.stock) {
                return Err(Failure::cannot(
                    "--sale",
                    "it is not the sale of the gateway",
                ));
            }
            (server, link) = (Some(address), Some(connected));
        }
        let manners = manners_of(options, seed, &known, sale.items.len());
        let rules = Rules {
            clock: Clock::start_in(LEAD_MS, shop.now_ms),
            user_limit: manners.user_limit,
            order_limit: manners.order_limit,
            grace_ms: known.grace_ms,
            hold_ms: 0,
            keeps_fates: false,
            items: sale.items.len(),
            names,
        };
        Ok(Self {
            facts: machine::facts_of_gateway(&place, link.as_ref()).await,
            world: Arc::new(world_of(options, &place, sale, rules)),
            place,
            manners,
            seed,
            server,
            before: shop.stock,
            samples: Arc::default(),
        })
    }

    /// Lets the buyers in, and returns what they were told.
    ///
    /// # Errors
    ///
    /// There are no connections for them.
    pub async fn play(&self, options: &Options) -> Result<Tally, Failure> {
        println!(
            "{}",
            text::opening(options, self.seed, &self.world, &self.facts)
        );
        let is_over = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(
            self.place.clone(),
            Arc::clone(&self.world),
            Arc::clone(&self.samples),
            Arc::clone(&is_over),
        ));
        let place = self.place.clone();
        let tally = crowd::let_in(&self.world, self.manners, options, move |world| {
            Ok(Box::new(Calls::start(world, &place)))
        });
        let tally = tally.await;
        is_over.store(true, Ordering::Relaxed);
        // It looks at a clock five times a second, and waits for no answer longer than 10 s.
        let _ = watching.await;
        tally
    }

    /// Reads the books once no reservation is open, and makes the report of them.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn check(&self, options: &Options, tally: Tally) -> Result<Outcome, Failure> {
        let failed = |error: String| Failure::cannot("reading the books", error);
        let expected = Expected {
            items: self.world.sale.items.clone(),
            stock: totals(&self.before),
            names: self.world.rules.names,
            user_limit: self.manners.user_limit,
            p95: options.p95,
            behind: options.behind,
            restocks: false,
            waits: false,
            kills: false,
            outages: options.outages,
            lag: None,
            worker_ends: true,
        };
        self.wait_for_deadlines(&tally).await.map_err(failed)?;
        let (checks, stock) = match &self.server {
            Some(server) => self.check_server(server, &expected, &tally).await?,
            None => {
                let books = self.read(&tally).await.map_err(failed)?;
                let checks = seen::check(&expected, &tally, &self.before, &books);
                (checks, books.stock)
            }
        };
        Ok(Outcome {
            sold: sold(&stock).saturating_sub(sold(&self.before)),
            samples: lock(&self.samples).clone(),
            facts: self.facts.clone(),
            sale: self.world.sale.clone(),
            ..Outcome::of(options, self.seed, &expected, checks, tally)
        })
    }

    /// Makes all checks that a run over RESP makes.
    async fn check_server(
        &self,
        server: &Address,
        expected: &Expected,
        tally: &Tally,
    ) -> Result<(Vec<Check>, Vec<[u64; 3]>), Failure> {
        let failed =
            |error: redis::RedisError| Failure::cannot("reading the books", explain(&error));
        let sale = &self.world.sale;
        let link = connect(server, sale).await?;
        let given_back = tally.released.iter().map(|(id, _)| id);
        let promised = tally.bought.keys().chain(given_back).collect();
        let mut books = books::read(&link, sale, promised).await.map_err(failed)?;
        let (key, orders) = (sale.key.as_bytes(), sale.orders.as_bytes());
        let audit = crate::link::audit(&link, server, key, orders).await;
        books.audit = audit.map_err(failed)?;
        let stock = books.stock.clone();
        Ok((check_books(expected, tally, &books), stock))
    }

    /// Waits until no unit is reserved: whoever abandoned a cart is gone, its deadline is not.
    async fn wait_for_deadlines(&self, tally: &Tally) -> Result<(), String> {
        let rules = &self.world.rules;
        let until_ms = tally.last_deadline_ms + rules.grace_ms + BACK_WITHIN_MS;
        let mut connection = Connection::default();
        let mut is_told = false;
        loop {
            let shop = Shop::ask(&self.place, rules.names, &mut connection).await?;
            let now_ms = shop.now_ms;
            if shop.stock.iter().all(|item| item[1] == 0) || now_ms > until_ms {
                return Ok(());
            }
            if !std::mem::replace(&mut is_told, true) {
                let seconds = until_ms.saturating_sub(now_ms) / 1_000;
                log::info(format!(
                    "waiting for the deadlines of what nobody paid, {seconds} s at most"
                ));
            }
            tokio::time::sleep(SAMPLE_EVERY).await;
        }
    }

    /// Reads the stock, and asks for each id of which a buyer was promised something.
    async fn read(&self, tally: &Tally) -> Result<Books, String> {
        let names = self.world.rules.names;
        let mut connection = Connection::default();
        let mut books = Books::default();
        let bought = tally.bought.iter().map(|(id, bought)| (id, bought.user));
        let released = tally.released.iter().map(|(id, user)| (id, *user));
        for (id, user) in bought.chain(released) {
            let user = names.user(user);
            let call = Call::get(format!("/reservations/{id}"), user.clone());
            let said = ask(&self.place, &call, &mut connection).await?;
            let known = known_of(&said, user, &self.world.sale);
            books.promised.insert(id.clone(), known);
        }
        books.stock = Shop::ask(&self.place, names, &mut connection).await?.stock;
        Ok(books)
    }
}

/// Units on sale by item, whoever has them just now.
fn totals(stock: &[[u64; 3]]) -> Vec<u64> {
    stock.iter().map(|item| item.iter().sum()).collect()
}

fn sold(stock: &[[u64; 3]]) -> u64 {
    stock.iter().map(|item| item[2]).sum()
}

fn manners_of(options: &Options, seed: u64, known: &Limits, items: usize) -> Manners {
    let user_limit = known.user.unwrap_or(u64::from(u32::MAX));
    let order_limit = known.order.unwrap_or(u64::from(u32::MAX));
    Manners {
        seed,
        pay: options.pay,
        retry: options.retry,
        user_limit,
        order_limit,
        items,
        waits: false,
        lets: Lets {
            // No gateway has REPLACE.
            change: false,
            exceed_user: known.user.is_some() && user_limit < order_limit,
            exceed_order: known.order.is_some(),
        },
    }
}

fn world_of(options: &Options, place: &Place, sale: Sale, rules: Rules) -> World {
    World {
        live: Mutex::new(Snapshot::of(&sale.items)),
        sale,
        rules,
        connections: options.connections.unwrap_or(CONNECTIONS).into(),
        batch: None,
        address: Mutex::new(place.address),
        places: Mutex::new(Vec::new()),
        greetings: (Vec::new(), 0),
        stop: AtomicBool::new(false),
        killed_us: AtomicU64::new(0),
        promoted_us: AtomicU64::new(0),
    }
}

/// Samples the stock and prints the live view, until the last buyer has left.
async fn watch(
    place: Place,
    world: Arc<World>,
    samples: Arc<Mutex<Vec<Sample>>>,
    is_over: Arc<AtomicBool>,
) {
    let mut view = View::new();
    let mut connection = Connection::default();
    let mut printed = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        tokio::time::sleep(SAMPLE_EVERY).await;
        let call = Shop::call(world.rules.names);
        // While the gateway is away there is nothing to sample.
        if let Ok(said) = connection.ask(&place, &call).await
            && let Some(shop) = Shop::read(&said)
        {
            lock(&world.live).stock.clone_from(&shop.stock);
            let at_us = world.rules.clock.now_us();
            Sample::add(&mut lock(&samples), at_us, shop.stock);
        }
        let every = Duration::from_secs(view.every_seconds());
        if printed.elapsed() + SAMPLE_EVERY * 2 >= every {
            lock(&world.live).wants_latency = true;
        }
        if printed.elapsed() >= every {
            printed = Instant::now();
            let live = lock(&world.live).clone();
            view.print(&live);
        }
    }
}

/// What GET /sale shows.
struct Shop {
    items: Vec<String>,
    /// By item: available, reserved, sold.
    stock: Vec<[u64; 3]>,
    now_ms: u64,
}

impl Shop {
    /// Asks as a user who buys nothing.
    fn call(names: Names) -> Call {
        Call::get("/sale", names.user(u64::MAX))
    }

    /// Looks for the first time: a gateway that is not there is not waited for.
    async fn look(place: &Place, names: Names) -> Result<Self, String> {
        let call = Self::call(names);
        let said = Connection::default().ask(place, &call).await;
        let said = said.map_err(|error| error.to_string())?;
        let shop = Self::read(&said).ok_or_else(|| format!("GET /sale: {}", short(&said)))?;
        match said.body["state"].as_str() {
            Some("open" | "waiting" | "scheduled") => Ok(shop),
            state => Err(format!("the sale is {}", state.unwrap_or("in no state"))),
        }
    }

    async fn ask(place: &Place, names: Names, connection: &mut Connection) -> Result<Self, String> {
        let call = Self::call(names);
        let said = ask(place, &call, connection).await?;
        Self::read(&said).ok_or_else(|| format!("GET /sale: {}", short(&said)))
    }

    fn read(said: &Said) -> Option<Self> {
        let items = said.body["items"].as_array()?;
        let stock = items.iter().map(|item| {
            let number = |name: &str| item[name].as_u64();
            Some([number("available")?, number("reserved")?, number("sold")?])
        });
        Some(Self {
            items: items
                .iter()
                .map(|item| Some(item["sku"].as_str()?.to_owned()))
                .collect::<Option<_>>()?,
            stock: stock.collect::<Option<_>>()?,
            now_ms: said.body["now_ms"].as_u64()?,
        })
    }
}

/// Asks until there is an answer that is no 503, as a page would.
async fn ask(place: &Place, call: &Call, connection: &mut Connection) -> Result<Said, String> {
    let deadline = Instant::now() + AWAY_MOST;
    loop {
        let said = match connection.ask(place, call).await {
            Ok(said) if said.status != 503 => return Ok(said),
            Ok(said) => short(&said),
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Err(format!("{}: {said}", call.path));
        }
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}

fn short(said: &Said) -> String {
    let answer = said.body["answer"]
        .as_str()
        .unwrap_or("no answer of a gateway");
    format!("HTTP {}, {answer}", said.status)
}

/// Returns what GET of a reservation shows. Only its own user is shown it, so the user is known.
fn known_of(said: &Said, user: String, sale: &Sale) -> Option<Known> {
    let text = |name: &str| said.body[name].as_str().unwrap_or_default().to_owned();
    if said.status != 200 {
        return None;
    }
    let mut units = vec![0; sale.items.len()];
    for line in said.body["items"].as_array().into_iter().flatten() {
        if let Some(at) = sale.item(line["sku"].as_str().unwrap_or_default()) {
            units[at] += line["qty"].as_u64().unwrap_or(0);
        }
    }
    Some(Known {
        state: text("state"),
        user,
        units,
        order_id: text("order_id"),
    })
}
