//! The server under measurement, and the keys that rows find on it.
//!
//! A row that changes a key finds it made anew, so that the first round and the last
//! measure the same. User `n` and id `n` are numbers of 12 digits, the id in the
//! spelling of a ULID, so that `__rand_int__` of the load meets those that are there.
//!
//! Edge: nothing is measured here, but how long it took to fill.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::Value;
use ulid::Ulid;

use crate::load;
use crate::pump::mix;
use crate::reply::{Outcome, text_of};
use crate::server::{Server, Setup};
use crate::wire::{Wire, fill, push};

/// The sale; 7 bytes, as the bytes of the AOF are told by that.
pub const SALE: &str = "flash:1";
pub const ORDERS: &str = "flash:1:orders";
/// Before the 12 digits of an id that was there before the row.
pub const OLD_ID: &str = "01000000000000";
/// The id of a reservation that was there before the row.
pub const OLD: &str = "01000000000000__rand_int__";
/// The id of a new one.
pub const NEW: &str = "01__rand_int____rand_int__";
/// A day: nothing falls due while it is measured.
pub const HOLD_MS: &str = "86400000";
/// Enough for everybody.
pub const PLENTY: &str = "1000000000000";
/// A limit a user that is looked up and never reached.
pub const LIMIT: &str = "1000000";

/// The keys of the script, in its order.
pub const LUA: [&str; 4] = ["lua:units", "lua:users", "lua:due", "lua:held"];
/// How the filled tables are kept, to be copied before each row.
const LUA_KEPT: [&str; 4] = ["kept:units", "kept:users", "kept:due", "kept:held"];
/// The same sold out.
pub const LUA_SOLD: [&str; 4] = ["gone:units", "gone:users", "gone:due", "gone:held"];

/// A server with everything that rows need.
pub struct Stage {
    pub wire: Wire,
    pub server: Server,
    /// A copy of the server, and a connection to it.
    replica: Option<(Server, Wire)>,
    /// Users, and reservations in the sale before a row.
    pub population: u64,
    pub scripts: Scripts,
}

/// The hashes of the two scripts.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    pub reserve: String,
    pub checkout: String,
}

/// How servers are started: the project's redis.conf, but for the folder and the place
/// of the module, and no rewrite of the AOF in the middle of a row.
pub fn setup(starter: &[String], with_aof: bool) -> Outcome<Setup> {
    let conf = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("redis.conf"))?;
    let mut settings = Vec::new();
    for line in conf.lines().map(str::trim) {
        let Some((name, value)) = line.split_once(' ') else {
            continue;
        };
        if !(name.starts_with('#') || ["dir", "loadmodule", "appendonly"].contains(&name)) {
            settings.extend([format!("--{name}"), value.trim_matches('"').to_owned()]);
        }
    }
    let ours = [
        ["--appendonly", if with_aof { "yes" } else { "no" }],
        ["--appendfsync", "everysec"],
        ["--auto-aof-rewrite-percentage", "0"],
        ["--enable-debug-command", "local"],
        ["--enable-module-command", "local"],
        ["--latency-tracking-info-percentiles", "50 99 99.9 100"],
        ["--slowlog-log-slower-than", "500"],
        ["--slowlog-max-len", "1000"],
        // A replica that is slower than the load falls behind; it must not be cut off.
        ["--client-output-buffer-limit", "replica 0 0 0"],
    ];
    settings.extend(ours.concat().into_iter().map(str::to_owned));
    // The server's other threads - fsync, freeing - would take its only core for whole
    // ticks of the scheduler, in the middle of a call: they run beside the load.
    if let (false, [load]) = (starter.is_empty(), &load::allowed_cores()[..]) {
        settings.extend(["--bio_cpulist".to_owned(), load.to_string()]);
    }
    let module_arguments = ["max-reservations", "100000000"];
    Ok(Setup {
        starter: starter.to_vec(),
        settings,
        module_arguments: module_arguments.map(str::to_owned).to_vec(),
    })
}

/// The spelling of a user, and the end of an id.
pub fn digits(number: u64) -> String {
    format!("{number:012}")
}

/// The id of the reservation with a number.
pub fn id_of(number: u64) -> String {
    format!("{OLD_ID}{number:012}")
}

/// Makes an empty sale with plenty of units and a limit that nobody reaches.
pub fn create(wire: &mut Wire, key: &str, orders: &str, items: &[&str]) -> Outcome<()> {
    wire.ask(&["UNLINK", key, orders])?;
    let mut words = vec!["FLASHSALE.CREATE", key, orders];
    words.extend(items);
    words.extend(["USERLIMIT", LIMIT, "HOLD", HOLD_MS]);
    wire.ask(&words)?;
    Ok(())
}

/// Makes a sale of so many units, and sells each to a user of its own, under an id that no load
/// asks for.
pub fn sell_out(stage: &mut Stage, sale: &str, users: u64) -> Outcome<()> {
    let orders = format!("{sale}:orders");
    create(
        &mut stage.wire,
        sale,
        &orders,
        &["STOCK", &users.to_string()],
    )?;
    fill(stage.server.port(), users, "SOLD", |number, bytes| {
        let (user, id) = Names::Lifelike.of(number);
        let id = id.replacen('0', "7", 1);
        let words = ["FLASHSALE.BUY", sale, &orders, &user, "1", "ID", &id];
        push(bytes, &words.map(str::as_bytes));
    })?;
    Ok(())
}

/// Who reserves, and under which ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As the load spells them: digits in order.
    Drawn,
    /// As in a shop: user `n` is any 12 digits, the id a ULID of its minute with random
    /// bits. What is compressed must not look better than it is.
    Lifelike,
}

impl Names {
    /// The user and the id with a number.
    pub fn of(self, number: u64) -> (String, String) {
        match self {
            Names::Drawn => (digits(number), id_of(number)),
            Names::Lifelike => {
                // Odd and no multiple of 5, so that no two users are the same.
                let user = number.wrapping_mul(618_033_988_751) % 1_000_000_000_000;
                let random = mix(number);
                let random = u128::from(random) << 16 | u128::from(mix(random) >> 48);
                let id = Ulid::from_parts(1_765_000_000_000 + number / 100, random);
                (digits(user), id.to_string())
            }
        }
    }
}

/// Reserves one unit for each of `count` users.
pub fn reserve_each(port: u16, key: &str, count: u64, names: Names) -> Outcome<Duration> {
    fill(port, count, "RESERVED", |number, bytes| {
        let (user, id) = names.of(number);
        push(
            bytes,
            &[
                b"FLASHSALE.RESERVE",
                key.as_bytes(),
                user.as_bytes(),
                b"1",
                b"ID",
                id.as_bytes(),
            ],
        );
    })
}

/// The same by the script.
pub fn script_each(
    port: u16,
    script: &str,
    keys: [&str; 4],
    count: u64,
    names: Names,
) -> Outcome<Duration> {
    fill(port, count, "RESERVED", |number, bytes| {
        let (user, id) = names.of(number);
        let [units, users, due, held] = keys.map(str::as_bytes);
        let command = [
            b"EVALSHA",
            script.as_bytes(),
            b"4",
            units,
            users,
            due,
            held,
            user.as_bytes(),
            b"1",
            LIMIT.as_bytes(),
            HOLD_MS.as_bytes(),
            id.as_bytes(),
        ];
        push(bytes, &command);
    })
}

impl Stage {
    /// Starts the server and loads the scripts.
    pub fn open(setup: &Setup, population: u64) -> Outcome<Stage> {
        let server = Server::start(setup)?;
        let mut wire = Wire::new(server.connect()?);
        let scripts = Scripts {
            reserve: wire.text(&["SCRIPT", "LOAD", include_str!("reserve.lua")])?,
            checkout: wire.text(&["SCRIPT", "LOAD", include_str!("checkout.lua")])?,
        };
        Ok(Stage {
            wire,
            server,
            replica: None,
            population,
            scripts,
        })
    }

    /// Adds a replica, and waits until it has everything.
    pub fn add_replica(&mut self, setup: &Setup) -> Outcome<()> {
        let server = Server::start(setup)?;
        let mut wire = Wire::new(server.connect()?);
        let port = self.server.port().to_string();
        wire.ask(&["REPLICAOF", "127.0.0.1", &port])?;
        wire.wait_until("the replica is linked", |wire| {
            let info = wire.info("replication")?;
            Ok(info
                .get("master_link_status")
                .is_some_and(|link| link == "up"))
        })?;
        self.replica = Some((server, wire));
        self.wait_for_replica()
    }

    /// Waits until the replica, where there is one, has carried out all that was sent to it.
    /// The replica is asked, so that the server is not kept busy.
    pub fn wait_for_replica(&mut self) -> Outcome<()> {
        let Some((_, replica)) = &mut self.replica else {
            return Ok(());
        };
        let offset = |wire: &mut Wire, name| wire.info_number("replication", name);
        let sent = offset(&mut self.wire, "master_repl_offset")?;
        replica.wait_until("the replica has caught up", |wire| {
            Ok(offset(wire, "slave_repl_offset")? >= sent)
        })
    }

    /// Makes the keys that are kept from row to row; those of rows that only read, or
    /// are refused, where asked for.
    pub fn fill_kept(&mut self, with_reads: bool) -> Outcome<()> {
        let (port, population) = (self.server.port(), self.population);
        self.wire.ask(&["SET", LUA_KEPT[0], PLENTY])?;
        script_each(
            port,
            &self.scripts.reserve,
            LUA_KEPT,
            population,
            Names::Drawn,
        )?;
        fill(port, population, "1", |number, bytes| {
            let user = digits(number);
            push(bytes, &[b"HSET", b"hash", user.as_bytes(), b"1"]);
        })?;
        if !with_reads {
            return Ok(());
        }
        for table in [1, 3] {
            self.wire.ask(&["COPY", LUA_KEPT[table], LUA_SOLD[table]])?;
        }
        self.wire.ask(&["SET", LUA_SOLD[0], "0"])?;
        self.fill_hashes()?;
        self.fill_sold()?;
        self.fill_again()
    }

    /// A hash for each reservation, with the fields and values of GET's reply.
    fn fill_hashes(&mut self) -> Outcome<()> {
        create(&mut self.wire, "pattern", "pattern:orders", &["STOCK", "9"])?;
        let id = id_of(0);
        self.wire
            .ask(&["FLASHSALE.RESERVE", "pattern", &digits(0), "1", "ID", &id])?;
        let reply = self.wire.ask(&["FLASHSALE.GET", "pattern", &id])?;
        let Value::Array(parts) = reply else {
            return Err("FLASHSALE.GET answered no map".into());
        };
        let values: Vec<String> = parts
            .iter()
            .map(|part| match part {
                Value::Nil => String::new(),
                part => text_of(part),
            })
            .collect();
        self.wire.ask(&["UNLINK", "pattern"])?;
        let fields = (values.len() / 2).to_string();
        fill(
            self.server.port(),
            self.population,
            &fields,
            |number, bytes| {
                let key = format!("order:{}", digits(number));
                let mut words: Vec<&[u8]> = vec![b"HSET", key.as_bytes()];
                words.extend(values.iter().map(String::as_bytes));
                push(bytes, &words);
            },
        )?;
        Ok(())
    }

    /// A sale that everybody has bought from, until nothing was left.
    fn fill_sold(&mut self) -> Outcome<()> {
        let population = self.population;
        create(
            &mut self.wire,
            "sold",
            "sold:orders",
            &["STOCK", &population.to_string()],
        )?;
        fill(self.server.port(), population, "SOLD", |number, bytes| {
            let (user, id) = (digits(number), id_of(number));
            let command: [&[u8]; 7] = [
                b"FLASHSALE.BUY",
                b"sold",
                b"sold:orders",
                user.as_bytes(),
                b"1",
                b"ID",
                id.as_bytes(),
            ];
            push(bytes, &command);
        })?;
        self.wire.ask(&["UNLINK", "sold:orders"])?;
        Ok(())
    }

    /// A sale in which one user made all reservations: the load cannot send an id
    /// together with the user whose it is.
    fn fill_again(&mut self) -> Outcome<()> {
        create(&mut self.wire, "again", "again:orders", &["STOCK", PLENTY])?;
        // One user has as many as there are users elsewhere.
        let limit = self.population.saturating_mul(2).to_string();
        self.wire
            .ask(&["FLASHSALE.ALTER", "again", "USERLIMIT", &limit])?;
        fill(
            self.server.port(),
            self.population,
            "RESERVED",
            |number, bytes| {
                let id = id_of(number);
                let command: [&[u8]; 6] = [
                    b"FLASHSALE.RESERVE",
                    b"again",
                    b"the-same-user",
                    b"1",
                    b"ID",
                    id.as_bytes(),
                ];
                push(bytes, &command);
            },
        )?;
        Ok(())
    }

    /// The sale of one item, with a reservation of each user.
    pub fn renew_sale(&mut self) -> Outcome<()> {
        create(&mut self.wire, SALE, ORDERS, &["STOCK", PLENTY])?;
        reserve_each(self.server.port(), SALE, self.population, Names::Drawn)?;
        Ok(())
    }

    /// The sale of three items, with a reservation of each user.
    pub fn renew_cart(&mut self) -> Outcome<()> {
        let items = ["ITEMS", "3", "a", PLENTY, "b", PLENTY, "c", PLENTY];
        create(&mut self.wire, "cart", "cart:orders", &items)?;
        fill(
            self.server.port(),
            self.population,
            "RESERVED",
            |number, bytes| {
                let (user, id) = (digits(number), id_of(number));
                let command: [&[u8]; 9] = [
                    b"FLASHSALE.RESERVE",
                    b"cart",
                    user.as_bytes(),
                    b"ITEMS",
                    b"1",
                    b"a",
                    b"1",
                    b"ID",
                    id.as_bytes(),
                ];
                push(bytes, &command);
            },
        )?;
        Ok(())
    }

    /// The script's tables, and no orders.
    pub fn renew_lua(&mut self) -> Outcome<()> {
        for (kept, key) in LUA_KEPT.iter().zip(LUA) {
            self.wire.ask(&["COPY", kept, key, "REPLACE"])?;
        }
        self.wire.ask(&["UNLINK", "lua:orders", "lua:sold"])?;
        Ok(())
    }

    /// Shortens the AOF, where there is one, to what is there: a round appends gigabytes,
    /// and writing them back would go on behind the rows of the next.
    pub fn begin_round(&mut self) -> Outcome<()> {
        if self.wire.info_number("persistence", "aof_enabled")? == 0 {
            return Ok(());
        }
        self.wire
            .ask(&["UNLINK", SALE, ORDERS, "cart", "stream", "lua:orders"])?;
        self.wire.wait_until_quiet()?;
        self.wire.ask(&["BGREWRITEAOF"])?;
        self.wire.wait_until_quiet()
    }

    /// No stream where XADD appends.
    pub fn renew_stream(&mut self) -> Outcome<()> {
        self.wire.ask(&["UNLINK", "stream"])?;
        Ok(())
    }
}
