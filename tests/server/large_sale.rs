//! **Goal**: a sale of very many reservations is saved, loaded, rewritten, carried about,
//! resynchronised and deleted like a small one; freeing it stops nobody; and when all its
//! deadlines come at once they are returned in batches with other clients served in
//! between.
//!
//! **Method**: the sale is made once, with orders and released ids among the open
//! reservations, and taken through everything in turn, its digest compared each time.
//! That a sale was freed on another thread, the server itself tells
//! (`lazyfreed_objects`). Batches, and who came between them, are read from the
//! replication stream. Times are printed (`--nocapture`) and decide nothing.
//!
//! It has 100,000 reservations, or as many as `FLASHSALE_RESERVATIONS` says:
//! `FLASHSALE_RESERVATIONS=1000000 cargo test --test server large_sale::` takes a minute.

use std::time::Instant;

use flashsale_engine::sale::{Change, Hasher, decode_event};

use crate::support::aof;
use crate::support::clock::{Clock, DAY_MS};
use crate::support::{Con, Feed, Server, all_said, replicate, send_all, unix_ms, wait_until};

/// Events are only read here: how their names are hashed is nothing to them.
const NO_LOOK_UP: Hasher = Hasher::new([0, 0]);
/// Deadlines that play no part.
const HOLD_MS: u64 = 90_000_000;
/// The settings that decide on which thread a value is freed.
const LAZY_SETTINGS: [&str; 5] = [
    "lazyfree-lazy-expire",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "lazyfree-lazy-server-del",
    "replica-lazy-flush",
];

/// How many reservations the large sale has.
fn reservations() -> u64 {
    let given = std::env::var("FLASHSALE_RESERVATIONS").ok();
    given.map_or(100_000, |count| count.parse().expect("a number"))
}

/// Runs a step and prints how long it took.
#[track_caller]
fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = act();
    println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    result
}

/// An id as a client would make it, the same in every run.
fn id(number: u64) -> String {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{number:08x}-{:04x}-4{:03x}-a{:015x}",
        mixed >> 48,
        mixed >> 36 & 0xfff,
        mixed >> 4
    )
}

/// The sale `big`: each tenth reservation sold, each hundredth released.
fn make_large_sale(con: &mut Con, count: u64) {
    con.says(
        &format!("FLASHSALE.CREATE big orders STOCK {count} USERLIMIT 9 HOLD {HOLD_MS}"),
        "OK",
    );
    let reserve = |number: u64| {
        let (user, id) = (number % (count / 4).max(1), id(number));
        if number.is_multiple_of(10) {
            format!("FLASHSALE.BUY big orders customer-{user} 1 ID {id} REF pay-{number}")
        } else {
            format!("FLASHSALE.RESERVE big customer-{user} 1 ID {id}")
        }
    };
    let counts = send_all(con, (0..count).map(reserve));
    assert_eq!(counts.values().sum::<u64>(), count);
    assert_eq!(counts["SOLD"] + counts["RESERVED"], count, "{counts:?}");
    let released = (0..count).filter(|number| number % 100 == 5);
    let counts = send_all(
        con,
        released.map(|number| format!("FLASHSALE.RELEASE big {}", id(number))),
    );
    all_said(&counts, "RELEASED", count.div_ceil(100));
    con.fields(
        "FLASHSALE.INFO big",
        &format!(
            "sold {}, reserved {}",
            count / 10,
            count - count / 10 - count / 100
        ),
    );
}

/// Gives a server the lines of the project's own `redis.conf`.
fn set_as_in_redis_conf(con: &mut Con) {
    let conf = include_str!("../../redis.conf");
    for name in LAZY_SETTINGS {
        let line = conf.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in redis.conf"));
        con.says(&format!("CONFIG SET {line}"), "OK");
    }
}

/// Asserts that an act frees one large sale, and not on the thread that runs commands.
#[track_caller]
fn frees_elsewhere(con: &mut Con, what: &str, act: impl FnOnce(&mut Con)) {
    let count = |con: &mut Con| {
        con.info("memory", "lazyfreed_objects")
            .parse::<u64>()
            .expect("a number")
    };
    let sales = |con: &mut Con| {
        con.info("flashsale", "flashsale_sales")
            .parse::<u64>()
            .expect("a number")
    };
    wait_until("nothing is being freed", || {
        con.info("memory", "lazyfree_pending_objects") == "0"
    });
    let (freed, had) = (count(con), sales(con));
    timed(what, || act(con));
    wait_until(&format!("{what}: it is freed on another thread"), || {
        count(con) > freed
    });
    wait_until(&format!("{what}: a sale less"), || sales(con) == had - 1);
}

/// The large sale on its way.
struct Journey {
    server: Server,
    con: Con,
    digest: String,
    /// DUMP of the sale.
    payload: Vec<u8>,
}

impl Journey {
    fn begin(count: u64) -> Option<Journey> {
        let server = Server::own(&[], &[])?;
        let mut con = server.conn();
        timed("make it", || make_large_sale(&mut con, count));
        let digest = timed("digest", || con.digest("big"));
        println!("MEMORY USAGE: {} bytes", con.int("MEMORY USAGE big"));
        Some(Journey {
            server,
            con,
            digest,
            payload: Vec::new(),
        })
    }

    #[track_caller]
    fn is_the_same(&mut self, key: &str) {
        assert_eq!(self.con.digest(key), self.digest, "{key}");
    }

    /// Ends the server without a chance to save, and starts it again.
    #[track_caller]
    fn restart(&mut self, what: &str, more_args: &[&str]) {
        self.server.kill9();
        timed(what, || self.server.start_again(more_args));
        self.con = self.server.conn();
        self.is_the_same("big");
    }

    fn save_and_load(&mut self) {
        timed("SAVE", || self.con.says("SAVE", "OK"));
        self.restart("load the RDB file", &[]);
        timed("DEBUG RELOAD", || self.con.says("DEBUG RELOAD", "OK"));
        self.is_the_same("big");
    }

    fn dump_and_restore(&mut self) {
        let reply = timed("DUMP", || self.con.run("DUMP big"));
        let redis::Value::BulkString(payload) = reply else {
            panic!("DUMP: {}", crate::support::render(&reply))
        };
        println!("payload: {} bytes", payload.len());
        self.payload = payload;
        self.restore("copy");
        self.is_the_same("copy");
        let con = &mut self.con;
        frees_elsewhere(con, "UNLINK, with the settings of Redis", |con| {
            con.says("UNLINK copy", "1");
        });
    }

    #[track_caller]
    fn restore(&mut self, key: &str) {
        let words: [&[u8]; 4] = [b"RESTORE", key.as_bytes(), b"0", &self.payload];
        let reply = timed("RESTORE", || self.con.run_words(&words));
        assert_eq!(crate::support::render(&reply), "OK");
    }

    fn carry_about(&mut self) {
        self.con.says("RENAME big renamed", "OK");
        self.con.says("MOVE renamed 3", "1");
        self.con.says("SWAPDB 0 3", "OK");
        self.con.says("EXISTS renamed orders", "1");
        self.con.says("RENAME renamed big", "OK");
        self.is_the_same("big");
        // To the stream, which stayed behind.
        self.con.says("SWAPDB 0 3", "OK");
        self.server.conn_db(3).says("MOVE big 0", "1");
        self.con.says("EXISTS big orders", "2");
    }

    /// Twice, so that the second one finds a large sale to throw away.
    fn resynchronise(&mut self) {
        let Some(replica) = Server::own(&[], &[]) else {
            return;
        };
        let mut there = replica.conn();
        set_as_in_redis_conf(&mut there);
        timed("a full resync", || replicate(&self.server, &replica));
        there.says("REPLICAOF NO ONE", "OK");
        there.says(
            "FLASHSALE.RESERVE big a-late-customer 1 ID late",
            "RESERVED ...",
        );
        let freed = there.info("memory", "lazyfreed_objects");
        timed("another full resync", || replicate(&self.server, &replica));
        assert_eq!(there.digest("big"), self.digest);
        wait_until("what it had is freed on another thread", || {
            there.info("memory", "lazyfreed_objects") > freed
        });
    }

    fn rewrite_the_aof(&mut self) {
        self.con.says("CONFIG SET appendonly yes", "OK");
        for preamble in ["yes", "no"] {
            self.con
                .says(&format!("CONFIG SET aof-use-rdb-preamble {preamble}"), "OK");
            timed(&format!("rewrite the AOF, preamble {preamble}"), || {
                // The one that CONFIG SET began may still be under way.
                aof::wait_for_rewrite(&mut self.con);
                aof::rewrite(&mut self.con);
            });
            // Changes after it, once: a digest of so much takes a while.
            if preamble == "no" {
                self.con
                    .says("FLASHSALE.RELEASE big unseen", "RELEASED ...");
                self.digest = self.con.digest("big");
            }
            let setting = format!("--aof-use-rdb-preamble {preamble}");
            self.restart("load the AOF", &["--appendonly yes", &setting]);
        }
    }

    fn delete(&mut self) {
        set_as_in_redis_conf(&mut self.con);
        frees_elsewhere(&mut self.con, "DEL", |con| {
            con.says("DEL big", "1");
        });
        self.restore("big");
        frees_elsewhere(&mut self.con, "expiry of the key", |con| {
            con.says("PEXPIRE big 1", "1");
            wait_until("the key is gone", || con.int("DBSIZE") == 1);
        });
        self.restore("big");
        frees_elsewhere(&mut self.con, "FLUSHALL", |con| {
            con.says("FLUSHALL", "OK");
        });
        for name in [
            "flashsale_sales",
            "flashsale_reservations_open",
            "flashsale_sales_with_deadlines",
            "flashsale_memory_bytes",
        ] {
            assert_eq!(self.con.info("flashsale", name), "0", "{name}");
        }
        for line in self.con.text("INFO commandstats").lines() {
            let (name, numbers) = line.split_once(":calls=").unwrap_or_default();
            let is_ours = ["unlink", "del", "rename", "pexpire", "flushall"];
            if is_ours.iter().any(|command| name.ends_with(command)) {
                println!("{name}: calls {numbers}");
            }
        }
    }
}

#[test]
fn a_large_sale_is_one_key_like_any_other() {
    let Some(mut journey) = Journey::begin(reservations()) else {
        return;
    };
    journey.save_and_load();
    journey.dump_and_restore();
    journey.carry_about();
    journey.resynchronise();
    journey.rewrite_the_aof();
    journey.delete();
}

/// What the stream of changes holds about a wave of deadlines.
#[derive(Debug, Default)]
struct Wave {
    /// Reservations each sweep returned.
    batches: Vec<u64>,
    /// Between how many sweeps another client's change stands.
    gaps_used: u64,
}

fn wave_of(commands: &[Vec<Vec<u8>>]) -> Wave {
    let mut wave = Wave::default();
    let mut others = 0;
    for command in commands
        .iter()
        .filter(|command| command[0] == b"FLASHSALE.APPLY")
    {
        if command[1] != b"big" {
            others += 1;
            continue;
        }
        let event = decode_event(command.last().expect("an event"), NO_LOOK_UP).expect("an event");
        let Change::Swept {
            expired, forgotten, ..
        } = event.change
        else {
            panic!("nobody asked for {event:?}")
        };
        wave.gaps_used += u64::from(others > 0 && !wave.batches.is_empty());
        wave.batches.push(u64::from(expired + forgotten));
        others = 0;
    }
    wave
}

#[test]
fn deadlines_that_come_all_at_once_are_returned_in_batches_between_other_clients() {
    let count = reservations();
    let Some(clock) = Clock::new() else { return };
    let Some(server) = clock.server(0, &[]) else {
        return;
    };
    let (mut con, mut other) = (server.conn(), server.conn());
    con.says("CONFIG SET flashsale.sweep-max 700", "OK");
    // A replica that is silent for a day is not to be cut off.
    con.says("CONFIG SET repl-timeout 1000000", "OK");
    con.says(
        &format!("FLASHSALE.CREATE big orders STOCK {count} HOLD {DAY_MS}"),
        "OK",
    );
    con.says(
        "FLASHSALE.CREATE small orders STOCK 1000000 HOLD 90000000",
        "OK",
    );
    // All within one second, in a day; then the day passes.
    let due_ms = unix_ms() + DAY_MS as u64 - 1_000;
    let reserve = |number: u64| {
        let hold = due_ms - unix_ms() + number % 1_000;
        format!("FLASHSALE.RESERVE big u{number} 1 HOLD {hold}")
    };
    all_said(
        &send_all(&mut con, (0..count).map(reserve)),
        "RESERVED",
        count,
    );
    let mut feed = Feed::follow(&server);
    clock.step(&mut con, DAY_MS);
    let start = Instant::now();
    let returned = format!("[default {count} 0 0 0]");
    while con.stock("big") != returned {
        other.says("FLASHSALE.RESERVE small someone 1", "RESERVED ...");
    }
    let wave = wave_of(&feed.commands());
    println!(
        "{} sweeps in {:.2} s, others between {} of them",
        wave.batches.len(),
        start.elapsed().as_secs_f64(),
        wave.gaps_used
    );
    assert_eq!(wave.batches.iter().sum::<u64>(), count);
    assert!(wave.batches.iter().all(|&batch| batch <= 700), "{wave:?}");
    assert!(wave.gaps_used >= 10, "{wave:?}");
}
