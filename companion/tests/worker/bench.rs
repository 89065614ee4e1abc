//! How many orders a second one worker stores: `make bench-companion`.
//!
//! **Method**: the orders are in the stream before the worker starts; the clock runs from
//! its start until all are acknowledged. Three runs each on a new database, the median. The
//! databases keep their defaults, so each COMMIT is on disk.

use std::time::Instant;

use crate::servers::{DatabaseServer, Redis, Sql};
use crate::worker::{Fields, Worker, append, is_all_acknowledged, order, with};

const ORDERS: usize = 100_000;
const ORDERS_WITH_HOOK: usize = 30_000;

fn rate(server: &DatabaseServer, name: &str, orders: usize, with_hook: bool) -> f64 {
    let url = server.database(name);
    if server.kind == "sqlite" {
        std::fs::File::create(url.trim_start_matches("sqlite:")).expect("a file");
    }
    let sql = Sql::open(&url).expect("a database");
    sql.run("CREATE TABLE jobs (kind VARCHAR(20), id VARCHAR(99), due BIGINT)");
    let folder = tempfile::tempdir().expect("a folder");
    let hook = folder.path().join("then.sql");
    std::fs::write(&hook, "INSERT INTO jobs VALUES ('ship', :id, :at_ms)").expect("a file");
    let redis = Redis::start(&["--appendonly", "no"]);
    let payload = r#"{"intent":"0196f3c1-7d1e-7c55-a9b1-0a8d1b3f1c22","amount":12900}"#;
    let entry = |at| {
        with(
            &order(
                &format!("0196f3c1-7d1e-7c55-{at:012}"),
                &format!("charge-{at}"),
            ),
            "payload",
            payload,
        )
    };
    let entries: Vec<Fields> = (0..orders).map(entry).collect();
    append(&redis, &entries);
    let hook = hook.display().to_string();
    let more: &[&str] = if with_hook { &["--then", &hook] } else { &[] };
    let begin = Instant::now();
    let worker = Worker::start(&redis.url(), &url, more);
    while !is_all_acknowledged(&redis) {
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(begin.elapsed().as_secs() < 300, "{}", worker.log());
    }
    let took = begin.elapsed();
    assert_eq!(
        sql.number("SELECT COUNT(*) FROM flashsale_orders"),
        orders as i64
    );
    worker.kill();
    orders as f64 / took.as_secs_f64()
}

#[test]
#[ignore = "a measurement: make bench-companion"]
fn stores_so_many_orders_a_second() {
    println!("| Database | Orders/s | With a hook of one statement |\n|---|---|---|");
    for kind in ["sqlite", "postgres", "mariadb"] {
        let Some(server) = DatabaseServer::start(kind) else {
            continue;
        };
        let median = |orders, with_hook: bool| {
            let run = |at| {
                rate(
                    &server,
                    &format!("shop_{at}_{with_hook}"),
                    orders,
                    with_hook,
                )
            };
            let mut rates: Vec<f64> = (0..3).map(run).collect();
            rates.sort_by(f64::total_cmp);
            rates[1]
        };
        println!(
            "| {kind} | {:.0} | {:.0} |",
            median(ORDERS, false),
            median(ORDERS_WITH_HOOK, true)
        );
    }
}
