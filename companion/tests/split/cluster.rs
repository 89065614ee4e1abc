//! A cluster under load: 10,000 units in 12 parts to 100,000 buyers, three drivers; drivers and
//! primaries are killed, and slots moved. `make test-cluster` runs it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::cluster_servers::Cluster;
use crate::common::wait_until;
use crate::{Driver, does, run};

const PARTS: usize = 12;
const LIMIT: u64 = 2;
const THREADS: u64 = 4;
/// What a round of faults takes, more or less.
const ROUND: Duration = Duration::from_secs(12);

/// From the environment, as a long run has more.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// What buyers share.
struct Market {
    url: String,
    keys: Vec<String>,
    stock: u64,
    /// Between two buyers of one thread while units are left, so that all faults fall into the
    /// sale, and none behind it.
    pace: Duration,
    is_over: AtomicBool,
    sold: AtomicU64,
    told: AtomicU64,
}

/// Sends the buyers home, also when the test has failed: they would come for ever.
struct Closing<'m>(&'m Market);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Market {
    /// Reports whether units are left, as far as buyers were told.
    fn has_units(&self) -> bool {
        self.sold.load(Ordering::Relaxed) < self.stock
    }
}

/// The part of a user, by the rule of the reference.
fn part_of(user: &str) -> usize {
    let crc = user.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    });
    usize::from(crc) % 16_384 * PARTS / 16_384
}

/// Connections of one thread, which follow a slot wherever it goes.
struct Door {
    places: Vec<String>,
    connections: HashMap<String, redis::Connection>,
    of: HashMap<String, String>,
}

impl Door {
    fn new(url: &str) -> Self {
        let places = url.trim_start_matches("redis://").split(',');
        Self {
            places: places.map(str::to_owned).collect(),
            connections: HashMap::new(),
            of: HashMap::new(),
        }
    }

    /// BUY; the word of the answer, or `None` where it has to be sent again.
    fn buy(&mut self, key: &str, user: &str, units: u64, id: &str) -> Option<String> {
        let place = self.of.get(key).unwrap_or(&self.places[0]).clone();
        if !self.connections.contains_key(&place) {
            let client = redis::Client::open(format!("redis://{place}")).expect("a URL");
            let patience = Duration::from_millis(500);
            let Ok(opened) = client.get_connection_with_timeout(patience) else {
                self.look_elsewhere(key);
                return None;
            };
            let _ = opened.set_read_timeout(Some(Duration::from_secs(2)));
            self.connections.insert(place.clone(), opened);
        }
        let connection = self.connections.get_mut(&place)?;
        let mut command = redis::cmd("FLASHSALE.BUY");
        command
            .arg(key)
            .arg(format!("{key}:orders"))
            .arg(user)
            .arg(units)
            .arg("ID")
            .arg(id);
        match command.query::<redis::Value>(connection) {
            Ok(redis::Value::Array(row)) => match row.first() {
                Some(redis::Value::BulkString(word)) => String::from_utf8(word.clone()).ok(),
                _ => None,
            },
            Ok(_) => None,
            Err(error) => {
                match (error.code(), error.redirect_node()) {
                    (Some("MOVED"), Some((node, _))) => {
                        self.of.insert(key.to_owned(), node.to_owned());
                    }
                    (Some(_), _) => {}
                    (None, _) => {
                        self.connections.remove(&place);
                        self.look_elsewhere(key);
                    }
                }
                None
            }
        }
    }

    /// Another node says where the key is.
    fn look_elsewhere(&mut self, key: &str) {
        self.places.rotate_left(1);
        self.of.remove(key);
    }
}

/// One thread of buyers: each buys one or two units under an id of theirs, and asks again until
/// they are told. Who is lost with a primary is not missed: others come until all is sold.
fn buy(market: &Market, users: std::ops::Range<u64>, mut late: u64) {
    let mut door = Door::new(&market.url);
    let mut waiting: Vec<(u64, u64)> = users.map(|user| (user, 1 + user % LIMIT)).collect();
    while !market.is_over.load(Ordering::Relaxed) {
        let mut again = Vec::new();
        for (user, units) in std::mem::take(&mut waiting) {
            if market.is_over.load(Ordering::Relaxed) {
                return;
            }
            again.extend(visit(market, &mut door, user, units));
        }
        if again.is_empty() {
            again.push((late, 1));
            late += THREADS;
        }
        waiting = again;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One visit. Returns whom and what for, if they have to come again.
fn visit(market: &Market, door: &mut Door, user: u64, units: u64) -> Option<(u64, u64)> {
    let name = format!("user{user}");
    // Most come to the first parts, which have to be given what the others have.
    if part_of(&name) >= PARTS / 3 && !user.is_multiple_of(4) {
        return None;
    }
    if market.has_units() {
        std::thread::sleep(market.pace);
    }
    let key = &market.keys[part_of(&name)];
    match door.buy(key, &name, units, &format!("id{user}")).as_deref() {
        Some("SOLD") => {
            market.sold.fetch_add(units, Ordering::Relaxed);
            None
        }
        // Fewer may be left than were asked for.
        Some("SOLDOUT") if units > 1 => Some((user, 1)),
        Some("SOLDOUT") => {
            market.told.fetch_add(1, Ordering::Relaxed);
            None
        }
        Some("USERLIMIT") => None,
        _ => Some((user, units)),
    }
}

/// Kills drivers and primaries, and moves slots, until all is sold.
fn disturb(cluster: &mut Cluster, market: &Market, rounds: u64) {
    let url = market.url.clone();
    let mut drivers: Vec<Driver> = (0..3)
        .map(|_| Driver::start(&url, &["--cluster"]))
        .collect();
    let slots: Vec<usize> = market.keys.iter().map(|key| slot_of(key)).collect();
    let begun = Instant::now();
    for round in 0..rounds {
        std::thread::sleep(Duration::from_secs(2));
        drivers.remove(0);
        drivers.push(Driver::start(&url, &["--cluster"]));
        let primaries = cluster.primaries();
        let slot = slots[(5 * round as usize + 3) % slots.len()];
        let moved = primaries.iter().any(|to| cluster.move_slot(slot, *to));
        println!(
            "{:.1} s, round {round}: slot {slot} moved: {moved}, sold {}",
            begun.elapsed().as_secs_f64(),
            market.sold.load(Ordering::Relaxed)
        );
        let victim = primaries[round as usize % primaries.len()];
        cluster.kill_and_restart(victim, Duration::from_secs(6));
        cluster.wait_until_whole();
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    while sold(cluster, market) < market.stock {
        if Instant::now() > deadline {
            for driver in &drivers {
                eprintln!("{}", driver.log());
            }
            let (_, status) = run(&url, &["status", "shoes", "--cluster"]);
            panic!("not sold to the last unit:\n{status}");
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    println!("{:.1} s: all is sold", begun.elapsed().as_secs_f64());
    wait_until("buyers are told that all is sold", || {
        market.told.load(Ordering::Relaxed) > 0
    });
    for driver in drivers {
        assert_eq!(driver.stop(), 0);
    }
}

fn slot_of(key: &str) -> usize {
    let inner = key.trim_start_matches('{').trim_end_matches('}');
    let crc = inner.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    });
    usize::from(crc) % 16_384
}

/// Asks whichever node has the key.
fn ask(cluster: &Cluster, command: &redis::Cmd) -> redis::Value {
    let primaries = cluster.primaries();
    let mut answers = primaries
        .iter()
        .map(|at| cluster.nodes[*at].try_ask(command));
    answers.find_map(Result::ok).unwrap_or(redis::Value::Nil)
}

fn sold(cluster: &Cluster, market: &Market) -> u64 {
    let sold = |key: &String| {
        let answer = ask(cluster, redis::cmd("FLASHSALE.STOCK").arg(key));
        let rows: Vec<(String, u64, u64, u64, u64)> =
            redis::from_redis_value(answer).unwrap_or_default();
        rows.iter().map(|row| row.3).sum::<u64>()
    };
    market.keys.iter().map(sold).sum()
}

/// Units by user, from the streams alone.
fn bought(cluster: &Cluster, market: &Market) -> HashMap<String, u64> {
    let mut bought: HashMap<String, u64> = HashMap::new();
    for key in &market.keys {
        let mut command = redis::cmd("XRANGE");
        command.arg(format!("{key}:orders")).arg("-").arg("+");
        let entries: Vec<(String, HashMap<String, String>)> =
            redis::from_redis_value(ask(cluster, &command)).unwrap_or_default();
        for (_, fields) in entries {
            let units: u64 = fields["qty"].parse().expect("units");
            *bought.entry(fields["user"].clone()).or_default() += units;
        }
    }
    bought
}

#[test]
#[ignore = "starts six servers: make test-cluster"]
fn sold_to_the_last_unit_while_drivers_and_primaries_die() {
    let (stock, buyers) = (
        number("FLASHSALE_STOCK", 10_000),
        number("FLASHSALE_BUYERS", 100_000),
    );
    let fsync = std::env::var("FLASHSALE_FSYNC").unwrap_or_else(|_| "everysec".into());
    let debug = ["--enable-debug-command", "yes", "--appendfsync", &fsync];
    let mut cluster = Cluster::start(3, &debug);
    let url = cluster.url();
    let create = format!("create shoes --cluster --parts {PARTS} STOCK {stock} USERLIMIT {LIMIT}");
    println!("{}", does(&url, &create));
    println!("{}", does(&url, "status shoes --cluster"));
    let keys = (0..PARTS).map(|part| {
        let field = part.to_string();
        let answer = ask(&cluster, redis::cmd("HGET").arg("{shoes}:parts").arg(field));
        redis::from_redis_value(answer).expect("a tag")
    });
    let rounds = number("FLASHSALE_KILLS", 3);
    // Of those who come, most have one or two units.
    let sales = u32::try_from(stock * 2 / 3).expect("a number").max(1);
    let market = Market {
        keys: keys.collect(),
        url: url.clone(),
        stock,
        pace: ROUND * u32::try_from(rounds * THREADS).expect("a number") / sales,
        is_over: AtomicBool::new(false),
        sold: AtomicU64::new(0),
        told: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let market = &market;
            let each = buyers / THREADS;
            let late = buyers + thread;
            scope.spawn(move || buy(market, thread * each..(thread + 1) * each, late));
        }
        let _closing = Closing(&market);
        disturb(&mut cluster, &market, rounds);
    });
    cluster.wait_until_whole();
    println!("{}", does(&url, "status shoes --cluster"));
    println!("{}", does(&url, "audit shoes --cluster"));
    assert_eq!(sold(&cluster, &market), stock);
    let bought = bought(&cluster, &market);
    assert!(
        bought.values().all(|units| *units <= LIMIT),
        "somebody has more than {LIMIT}"
    );
    assert_eq!(bought.values().sum::<u64>(), stock);
    for key in &market.keys {
        // The replica may be a moment behind.
        wait_until("primary and replica have one digest", || {
            let digests = digests_of(&cluster, key);
            digests.len() == 2 && digests[0] == digests[1]
        });
    }
}

/// The digests of a key on the nodes that have it.
fn digests_of(cluster: &Cluster, key: &str) -> Vec<String> {
    let digest = |node: &crate::common::Redis| {
        let answer = node.try_ask(redis::cmd("DEBUG").arg("DIGEST-VALUE").arg(key));
        format!("{:?}", answer.expect("a digest"))
    };
    let digests = cluster.nodes.iter().map(digest);
    digests
        .filter(|digest| !digest.contains(&"0".repeat(40)))
        .collect()
}
