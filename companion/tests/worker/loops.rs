//! Kill loops: the worker, Redis and the database, also between COMMIT and XACK, and a
//! failover under a worker.

use std::time::Duration;

use crate::common::entries_wanted;
use crate::servers::{DatabaseServer, Redis, Sql, signal, wait_until};
use crate::worker::{
    Fields, Proxy, Worker, append, event, is_all_acknowledged, order, refund, with, without,
};

/// Orders, refunds and events, some of them twice, and three that cannot be stored.
struct Load {
    entries: Vec<Fields>,
    orders: i64,
    refunds: i64,
    expired: i64,
}

impl Load {
    fn new(wanted: usize) -> Self {
        let mut entries = Vec::new();
        let orders = wanted * 6 / 10;
        let (mut refunds, mut expired) = (0, 0);
        for at in 0..orders {
            let id = format!("id-{at}");
            entries.push(order(&id, &format!("charge-{at}")));
            if at % 3 == 0 {
                // Without a ref, every other time: one refund of each order is one row.
                let reference = if at % 2 == 0 { "" } else { "back" };
                entries.push(refund(&id, reference));
                refunds += 1;
            }
            if at % 5 == 0 {
                entries.push(event("expired", &format!("gone-{at}"), 1_000 + at as i64));
                expired += 1;
            }
            if at % 7 == 0 {
                entries.push(order(&id, &format!("charge-{at}")));
            }
        }
        let first = order("id-0", "charge-0");
        entries.push(with(&first, "ref", "charge-again"));
        entries.push(with(&first, "user", "bob"));
        entries.push(without(&first, "qty"));
        Self {
            entries,
            orders: orders as i64,
            refunds,
            expired,
        }
    }

    #[track_caller]
    fn check(&self, sql: &Sql) {
        let count = |table: &str| sql.number(&format!("SELECT COUNT(*) FROM {table}"));
        assert_eq!(count("flashsale_orders"), self.orders);
        assert_eq!(count("flashsale_refunds"), self.refunds);
        assert_eq!(count("flashsale_events"), self.expired);
        assert_eq!(count("flashsale_dead"), 3);
        // The hooks: so many rows, and each once.
        let hooked = "SELECT n FROM counter WHERE kind =";
        assert_eq!(sql.number(&format!("{hooked} 'order'")), self.orders);
        assert_eq!(sql.number(&format!("{hooked} 'refund'")), self.refunds);
        assert_eq!(sql.number(&format!("{hooked} 'expired'")), self.expired);
        assert_eq!(sql.number(&format!("{hooked} 'paid_twice'")), 1);
    }
}

/// Hooks that count in a table of the shop.
struct Hooks {
    _folder: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Hooks {
    fn new(sql: &Sql) -> Self {
        sql.run("CREATE TABLE counter (kind VARCHAR(20) PRIMARY KEY, n BIGINT)");
        let folder = tempfile::tempdir().expect("a folder");
        let mut arguments = Vec::new();
        for kind in ["order", "refund", "expired", "paid_twice"] {
            sql.run(&format!("INSERT INTO counter VALUES ('{kind}', 0)"));
            let path = folder.path().join(kind);
            std::fs::write(
                &path,
                format!("UPDATE counter SET n = n + 1 WHERE kind = '{kind}'"),
            )
            .expect("a file");
            arguments.extend(["--on".to_owned(), format!("{kind}={}", path.display())]);
        }
        Self {
            _folder: folder,
            arguments,
        }
    }

    fn start(&self, redis_url: &str, sql_url: &str) -> Worker {
        let mut more: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        more.extend(["--batch", "100", "--claim-after", "1s"]);
        let worker = Worker::start(redis_url, sql_url, &more);
        // At its start a worker does not wait for a server that is away: it ends with 3.
        wait_until("it reads", || worker.log().contains("reading from"));
        worker
    }
}

/// Takes the next number of a sequence that looks random and repeats.
fn next(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn kill_loop(kind: &'static str) {
    let Some(mut server) = DatabaseServer::start(kind) else {
        return;
    };
    let url = server.database("shop");
    if kind == "sqlite" {
        std::fs::File::create(url.trim_start_matches("sqlite:")).expect("a file");
    }
    let sql = Sql::open(&url).expect("a database");
    let load = Load::new(entries_wanted());
    let hooks = Hooks::new(&sql);
    let mut redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.port);
    let mut worker = hooks.start(&proxy.url(), &url);
    let mut seed = 42;
    let parts: Vec<&[Fields]> = load.entries.chunks(load.entries.len() / 16 + 1).collect();
    for (round, part) in parts.into_iter().enumerate() {
        // Between COMMIT and XACK: by the worker's death, and by the connection's. A part takes
        // two XACKs at least.
        match round % 4 {
            0 => proxy.cut_after((next(&mut seed) % 2) as u32, worker.pid()),
            1 => proxy.cut_after((next(&mut seed) % 2) as u32, 0),
            _ => {}
        }
        append(&redis, part);
        match round % 4 {
            0 => {
                wait_until("the worker is struck", || {
                    !worker.is_running() || is_all_acknowledged(&redis)
                });
                worker.kill();
                worker = hooks.start(&proxy.url(), &url);
            }
            1 => {}
            2 => {
                std::thread::sleep(Duration::from_millis(next(&mut seed) % 150));
                redis.kill();
                std::thread::sleep(Duration::from_millis(next(&mut seed) % 100));
                redis.run(&[]);
            }
            _ => {
                std::thread::sleep(Duration::from_millis(next(&mut seed) % 150));
                if kind == "sqlite" {
                    signal(worker.pid(), "KILL");
                    worker.kill();
                    worker = hooks.start(&proxy.url(), &url);
                } else {
                    server.kill();
                    server.run();
                }
            }
        }
    }
    wait_until("everything is acknowledged", || {
        // A strike of the last rounds may come late.
        if !worker.is_running() {
            worker = hooks.start(&proxy.url(), &url);
        }
        is_all_acknowledged(&redis)
    });
    assert!(
        proxy.cuts() >= 4,
        "{} cuts between COMMIT and XACK",
        proxy.cuts()
    );
    load.check(&sql);
}

#[test]
fn kills_lose_and_double_nothing_on_sqlite() {
    kill_loop("sqlite");
}

#[test]
fn kills_lose_and_double_nothing_on_postgresql() {
    kill_loop("postgres");
}

#[test]
fn kills_lose_and_double_nothing_on_mariadb() {
    kill_loop("mariadb");
}

/// When XACK reaches Redis, the rows are in the database: nothing is acknowledged before.
#[test]
fn commits_before_it_acknowledges() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let url = server.database("shop");
    let redis = Redis::start(&[]);
    let proxy = Proxy::start(redis.port);
    let entries: Vec<Fields> = (0..100).map(|at| order(&format!("id-{at}"), "")).collect();
    append(&redis, &entries);
    proxy.cut_after(0, 0);
    let worker = Worker::start(&proxy.url(), &url, &[]);
    wait_until("an XACK is on its way", || proxy.cuts() == 1);
    worker.kill();
    let sql = Sql::open(&url).expect("a database");
    assert_eq!(sql.number("SELECT COUNT(*) FROM flashsale_orders"), 100);
}

/// After a failover one stream ID can be two entries. An XACK of the old one, sent by a new
/// connection, would acknowledge the other, which nobody has stored.
#[test]
fn an_old_entry_acknowledges_no_new_one() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let url = server.database("shop");
    let mut old = Redis::start(&[]);
    let new = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", old.port)]);
    old.ask::<String>("XGROUP CREATE tea:orders sql 0 MKSTREAM");
    wait_until("the replica has the group", || {
        new.ask::<i64>("EXISTS tea:orders") == 1
    });
    new.ask::<String>("REPLICAOF NO ONE");
    let add = |redis: &Redis, id: &str| {
        let mut command = redis::cmd("XADD");
        command.arg("tea:orders").arg("7-1");
        for (name, value) in order(id, "") {
            command.arg(name).arg(value);
        }
        redis.try_ask(&command).expect("XADD");
    };
    // The worker has the entry 7-1 of the old primary in hand, and the database keeps it
    // waiting for a lock.
    let servers = format!("{},127.0.0.1:{}", old.url(), new.port);
    let worker = Worker::start(&servers, &url, &[]);
    wait_until("it reads", || worker.log().contains("reading from"));
    let lock = Lock::take(url.trim_start_matches("sqlite:"));
    add(&old, "before");
    wait_until("it has the entry", || {
        old.ask::<Vec<redis::Value>>("XPENDING tea:orders sql - + 10")
            .len()
            == 1
    });
    // On the new one 7-1 is something else, and another worker has it.
    add(&new, "after");
    new.ask::<redis::Value>("XREADGROUP GROUP sql other COUNT 1 STREAMS tea:orders >");
    old.kill();
    std::thread::sleep(Duration::from_millis(300));
    drop(lock);
    let sql = Sql::open(&url).expect("a database");
    let rows = || {
        sql.try_number("SELECT COUNT(*) FROM flashsale_orders")
            .unwrap_or(0)
    };
    wait_until("the old entry is a row", || rows() == 1);
    wait_until("it is connected to the new primary", || {
        worker
            .log()
            .contains("is not the process that was here before")
    });
    std::thread::sleep(Duration::from_millis(500));
    let pending = new.ask::<Vec<redis::Value>>("XPENDING tea:orders sql - + 10");
    assert_eq!(
        pending.len(),
        1,
        "7-1 of the new primary was acknowledged, and nobody has stored it"
    );
    // The other worker dies: the first takes its entry over.
    worker.kill();
    let worker = Worker::start(&servers, &url, &["--claim-after", "100ms"]);
    wait_until("both entries are rows", || rows() == 2);
    worker.kill();
}

/// Holds the lock of a SQLite file, as another program would.
struct Lock {
    _process: crate::servers::Process,
}

impl Lock {
    fn take(path: &str) -> Self {
        let script = "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint('held',flush=True)\ntime.sleep(600)";
        let mut child = std::process::Command::new("python3")
            .args(["-c", script, path])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().expect("its output"), &mut line)
            .expect("held");
        Self {
            _process: crate::servers::Process(child),
        }
    }
}

/// Failovers under load: replicas have all entries, but not which were acknowledged.
#[test]
fn failovers_double_nothing() {
    let server = DatabaseServer::start("sqlite").expect("SQLite");
    let url = server.database("shop");
    std::fs::File::create(url.trim_start_matches("sqlite:")).expect("a file");
    let sql = Sql::open(&url).expect("a database");
    let load = Load::new(entries_wanted() / 2);
    let hooks = Hooks::new(&sql);
    let mut primary = Redis::start(&[]);
    let mut replica = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    let servers = format!("{},127.0.0.1:{}", primary.url(), replica.port);
    let worker = hooks.start(&servers, &url);
    for part in load.entries.chunks(load.entries.len() / 4 + 1) {
        wait_until("the replica follows", || {
            replica
                .ask::<String>("INFO replication")
                .contains("master_link_status:up")
        });
        append(&primary, part);
        wait_until("the replica has it", || {
            replica.ask::<i64>("XLEN tea:orders") == primary.ask::<i64>("XLEN tea:orders")
        });
        primary.kill();
        replica.ask::<String>("REPLICAOF NO ONE");
        std::mem::swap(&mut primary, &mut replica);
        replica.run(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    }
    wait_until("everything is acknowledged", || {
        is_all_acknowledged(&primary)
    });
    load.check(&sql);
    assert!(
        worker
            .log()
            .contains("is not the process that was here before"),
        "{}",
        worker.log()
    );
    worker.kill();
}
