//! `flashsale reconcile` against real servers.
//!
//! **Goal**: after a loss, whatever it was, SQL and the sale have the same orders and refunds,
//! at the moments and under the refs they had; what is missing is owed, AUDIT finds nothing, and
//! a second run has nothing to do.
//!
//! **Method**: a sale on a primary with the module, a replica of it, and each database in turn.
//! The replica is cut off, the primary sells, the worker stores that, the primary is killed and
//! the replica promoted: what SQL has then, the sale has lost. After each repair every order of
//! SQL is compared with GET, and the number of sold ids with SQL's.

mod bench;
mod exits;
mod kills;
mod losses;
mod others;
mod pages;
mod parts;
mod races;

use std::collections::BTreeMap;
use std::process::Command;

use redis::Value;

use crate::servers::{DatabaseServer, Redis, Sql, wait_until};
use crate::worker::{Worker, wait_for_all};

/// A sale `tea` on a primary with a replica, and a database.
pub struct Scene {
    pub primary: Redis,
    pub replica: Redis,
    pub url: String,
    pub sql: Sql,
}

/// What a run has answered.
pub struct Outcome {
    pub code: i32,
    pub json: serde_json::Value,
    pub text: String,
}

impl Outcome {
    /// Returns how many differences of a kind were found and settled.
    #[track_caller]
    pub fn of(&self, kind: &str) -> (i64, i64) {
        let count = |name: &str| self.json[kind][name].as_i64();
        match (count("found"), count("done")) {
            (Some(found), Some(done)) => (found, done),
            _ => panic!("no {kind}: {}", self.text),
        }
    }

    #[track_caller]
    pub fn finds_nothing(&self) {
        for kind in [
            "lost",
            "refund_missing",
            "only_in_stream",
            "trimmed",
            "paid_twice",
            "conflict",
        ] {
            assert_eq!(self.of(kind), (0, 0), "{}", self.text);
        }
        assert_eq!(self.code, 0, "{}", self.text);
    }
}

/// Starts a server with the module.
pub fn server(more: &[&str]) -> Redis {
    let module = crate::common::module_path();
    let module = module.to_str().expect("a path").to_owned();
    Redis::start(&[&["--loadmodule", module.as_str()], more].concat())
}

/// Starts a replica, and waits until it follows.
pub fn replica_of(primary: &Redis) -> Redis {
    let replica = server(&["--replicaof", &format!("127.0.0.1 {}", primary.port)]);
    wait_until("the replica follows", || {
        replica
            .ask::<String>("INFO replication")
            .contains("master_link_status:up")
    });
    replica
}

/// Waits until a replica has all that its primary has.
pub fn catch_up(primary: &Redis, replica: &Redis) {
    let offset = |redis: &Redis, name: &str| {
        let info = redis.ask::<String>("INFO replication");
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::to_owned)
    };
    wait_until("the replica has it all", || {
        let ours = offset(primary, "master_repl_offset:");
        ours.is_some() && ours == offset(replica, "slave_repl_offset:")
    });
}

/// Runs `flashsale reconcile` on the sale `tea`.
pub fn reconcile(redis_url: &str, sql_url: &str, more: &[&str]) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_flashsale"))
        .args(["reconcile", "--sale", "tea", "--json"])
        .args(more)
        .env("FLASHSALE_REDIS", redis_url)
        .env("FLASHSALE_SQL", sql_url)
        .output()
        .expect("flashsale");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        json: serde_json::from_str(&out).unwrap_or_default(),
        text: format!("{out}{log}"),
    }
}

/// Sells one or two units an order, to a user each, paid by `charge-ID`, with a payload.
pub fn sell(redis: &Redis, ids: impl Iterator<Item = String>) {
    let mut connection = redis.connection().expect("a connection");
    for (at, id) in ids.enumerate() {
        let (sku, qty) = [("green", 1), ("black", 1), ("green", 2)][at % 3];
        let mut command = redis::cmd("FLASHSALE.BUY");
        command
            .arg("tea")
            .arg("tea:orders")
            .arg(format!("user-{id}"));
        command.arg("ITEMS").arg(1).arg(sku).arg(qty);
        command.arg("ID").arg(&id);
        command.arg("REF").arg(format!("charge-{id}"));
        command.arg("PAYLOAD").arg(format!("{{\"of\":\"{id}\"}}"));
        let answer: Vec<Value> = command.query(&mut connection).expect("BUY");
        assert_eq!(answer[0], Value::BulkString(b"SOLD".to_vec()), "{id}");
    }
}

/// Makes ids.
pub fn ids(prefix: &'static str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |at| format!("{prefix}-{at}"))
}

impl Scene {
    /// Makes a sale, its replica, and the tables.
    pub fn new(server: &DatabaseServer, name: &str, create: &str) -> Self {
        let url = server.database(name);
        if server.kind == "sqlite" {
            std::fs::File::create(url.trim_start_matches("sqlite:")).expect("a file");
        }
        let primary = self::server(&[]);
        primary.ask::<String>(create);
        let replica = replica_of(&primary);
        let made = crate::worker::run(&["--migrate-only", "--sql", &url]);
        assert!(made.status.success());
        let sql = Sql::open(&url).expect("a database");
        Self {
            primary,
            replica,
            url,
            sql,
        }
    }

    /// Starts a worker on the primary.
    pub fn worker(&self, more: &[&str]) -> Worker {
        Worker::start(&self.primary.url(), &self.url, more)
    }

    /// Has a worker store all there is.
    pub fn store(&self, more: &[&str]) {
        let worker = self.worker(more);
        wait_for_all(&self.primary);
        let (status, log) = worker.stop();
        assert_eq!(status.code(), Some(0), "{log}");
    }

    /// Cuts the replica off when it has all that was written so far.
    pub fn cut(&self) {
        catch_up(&self.primary, &self.replica);
        // Nobody is at this port: it stays a replica, of nobody.
        self.replica.ask::<String>("REPLICAOF 127.0.0.1 1");
    }

    /// Kills the primary and promotes the replica.
    pub fn fail_over(&mut self) {
        self.primary.kill();
        self.replica.ask::<String>("REPLICAOF NO ONE");
        std::mem::swap(&mut self.primary, &mut self.replica);
    }

    pub fn reconcile(&self, more: &[&str]) -> Outcome {
        reconcile(&self.primary.url(), &self.url, more)
    }

    pub fn count(&self, table: &str) -> i64 {
        self.sql.number(&format!("SELECT COUNT(*) FROM {table}"))
    }

    /// Returns what the sale owes, by SKU.
    pub fn owed(&self) -> BTreeMap<String, i64> {
        let shares: Vec<Value> = self.primary.ask("FLASHSALE.SHARES tea");
        let items = value_of(&shares, "items").expect("items");
        let Value::Array(items) = items else {
            panic!("{items:?}");
        };
        let owed = |item: Value| match item {
            Value::Array(parts) => (text(&parts[0]), number(&parts[4])),
            other => panic!("{other:?}"),
        };
        items.into_iter().map(owed).collect()
    }

    /// Compares each order and refund of SQL with GET, and the number of orders with SCAN.
    #[track_caller]
    pub fn agrees(&self) {
        let columns = "CONCAT_WS('|', id, user_id, ref, items, at_ms)";
        let rows = format!("SELECT {columns} FROM flashsale_orders_text");
        let rows = self.sql.texts(&rows);
        for row in &rows {
            let parts: Vec<&str> = row.split('|').collect();
            let known: Vec<Value> = self.primary.ask(&format!("FLASHSALE.GET tea {}", parts[0]));
            let shown = |name: &str| value_of(&known, name).map(|value| text(&value));
            let state = shown("state").expect("a state");
            assert!(["sold", "refunded"].contains(&&*state), "{row}: {state}");
            assert_eq!(shown("user").as_deref(), Some(parts[1]), "{row}");
            assert_eq!(shown("ref").as_deref(), Some(parts[2]), "{row}");
            assert_eq!(items_of(&known, "items"), parts[3], "{row}");
            assert_eq!(shown("sold_at_ms").as_deref(), Some(parts[4]), "{row}");
        }
        let mut sold = 0;
        for state in ["sold", "refunded"] {
            let found: Vec<Value> = self
                .primary
                .ask(&format!("FLASHSALE.SCAN tea 0 COUNT 100000 STATE {state}"));
            if let Value::Array(ids) = &found[1] {
                sold += ids.len();
            }
        }
        assert_eq!(sold, rows.len(), "sold ids, and orders in SQL");
        self.refunds_agree();
        let audit: Vec<Value> = self.primary.ask("FLASHSALE.AUDIT tea tea:orders");
        let verdict = value_of(&audit, "consistent").map(|value| number(&value));
        assert_eq!(verdict, Some(1), "{audit:?}");
    }

    fn refunds_agree(&self) {
        let columns = "CONCAT_WS('|', id, ref, items, restorelimit, norestock)";
        let rows = format!("SELECT {columns} FROM flashsale_refunds_text ORDER BY id, ref");
        let mut rows = self.sql.texts(&rows);
        let ids: std::collections::BTreeSet<String> = rows
            .iter()
            .filter_map(|row| row.split('|').next())
            .map(str::to_owned)
            .collect();
        let mut shown = Vec::new();
        for id in ids {
            let known: Vec<Value> = self.primary.ask(&format!("FLASHSALE.GET tea {id}"));
            let Some(Value::Array(refunds)) = value_of(&known, "refunds") else {
                panic!("{known:?}");
            };
            for refund in refunds {
                let Value::Array(parts) = refund else {
                    panic!("{refund:?}");
                };
                shown.push(format!(
                    "{id}|{}|{}|{}|{}",
                    text(&parts[1]),
                    lines_of(&parts[2]),
                    number(&parts[4]),
                    number(&parts[5])
                ));
            }
        }
        rows.sort();
        shown.sort();
        assert_eq!(shown, rows);
    }
}

/// Returns the value of a name in a flat list.
pub fn value_of(flat: &[Value], name: &str) -> Option<Value> {
    let mut pairs = flat.chunks_exact(2);
    let found = pairs.find(|pair| text(&pair[0]) == name);
    found.map(|pair| pair[1].clone())
}

pub fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    }
}

pub fn number(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

fn items_of(known: &[Value], name: &str) -> String {
    lines_of(&value_of(known, name).expect("items"))
}

/// Writes `[[sku, qty], ...]` as the stream does.
fn lines_of(lines: &Value) -> String {
    let Value::Array(lines) = lines else {
        panic!("{lines:?}");
    };
    let line = |line: &Value| match line {
        Value::Array(pair) => format!(
            "{{\"sku\":\"{}\",\"qty\":{}}}",
            text(&pair[0]),
            number(&pair[1])
        ),
        other => panic!("{other:?}"),
    };
    let lines: Vec<String> = lines.iter().map(line).collect();
    format!("[{}]", lines.join(","))
}

type Story = (&'static str, fn(&DatabaseServer, &str));

const STORIES: [Story; 14] = [
    ("what the sale lost", losses::what_the_sale_lost_comes_back),
    (
        "a worker and buyers",
        losses::a_worker_and_buyers_go_on_meanwhile,
    ),
    ("lost for good", losses::a_sale_lost_for_good_is_made_again),
    (
        "killed anywhere",
        kills::killed_anywhere_the_next_run_goes_on,
    ),
    ("paid anew", races::who_paid_anew_has_paid_twice),
    (
        "another failover",
        races::another_failover_loses_what_was_imported,
    ),
    ("an older dump", races::an_older_dump_beside_a_newer_stream),
    ("conflicts", races::what_others_have_is_left_to_people),
    ("seats", races::a_seat_that_was_sold_twice_is_foreseen),
    (
        "only in the stream",
        others::what_only_the_stream_has_is_inserted,
    ),
    ("trimmed", others::what_was_trimmed_too_early_is_inserted),
    (
        "a refund alone",
        others::a_refund_may_be_a_row_before_its_order,
    ),
    ("narrowed", others::a_condition_leaves_orders_out),
    ("a split sale", parts::each_part_gets_back_what_it_lost),
];

fn play(kind: &'static str) {
    let Some(server) = DatabaseServer::start(kind) else {
        return;
    };
    let only = std::env::var("FLASHSALE_SCENARIO").ok();
    let mut failed = Vec::new();
    for (at, (name, story)) in STORIES.iter().enumerate() {
        let is_wanted = only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()));
        if !is_wanted {
            continue;
        }
        let database = format!("tea{at}");
        let act = std::panic::AssertUnwindSafe(|| story(&server, &database));
        if std::panic::catch_unwind(act).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{kind}: {failed:?}");
}

#[test]
fn the_books_agree_again_on_sqlite() {
    play("sqlite");
}

#[test]
fn the_books_agree_again_on_postgresql() {
    play("postgres");
}

#[test]
fn the_books_agree_again_on_mariadb() {
    play("mariadb");
}
