//! What a driver costs, and what it asks of servers: 16 parts, 100 SKUs, every pair in use.
//!
//! Run by `make bench-split`; prints figures, and holds them against the bars.

use std::time::{Duration, Instant};

use crate::balance::server;
use crate::common::Redis;
use crate::{Driver, does, keys};

const PARTS: usize = 16;
const SKUS: usize = 100;
/// How long each figure is taken.
const SECONDS: u64 = 10;

/// Processor time of all threads of a process so far, in nanoseconds, as the scheduler counts it.
pub fn cpu_ns(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let first = text.split(' ').next().unwrap_or_default();
        first.parse::<u64>().unwrap_or(0)
    };
    tasks.map(of_task).sum()
}

fn cpu_ms(pid: u32) -> f64 {
    cpu_ns(pid) as f64 / 1e6
}

fn sku(at: usize) -> String {
    format!("sku-{at:04}")
}

fn shares(redis: &Redis, keys: &[String]) -> Vec<String> {
    let id = |key: &String| {
        let shares: Vec<redis::Value> = redis.ask(&format!("FLASHSALE.SHARES {key} {}", sku(0)));
        match &shares[3] {
            redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{other:?}"),
        }
    };
    keys.iter().map(id).collect()
}

/// One unit of each item goes from each part to each other.
fn use_every_pair(redis: &Redis, keys: &[String], skus: usize) {
    let ids = shares(redis, keys);
    let mut connection = redis.connection().expect("a connection");
    for (from, giver) in keys.iter().enumerate() {
        let mut pipe = redis::pipe();
        for (to, taker) in keys.iter().enumerate().filter(|(to, _)| *to != from) {
            for item in 0..skus {
                for (name, key) in [("FLASHSALE.GIVE", giver), ("FLASHSALE.TAKE", taker)] {
                    let command = pipe.cmd(name).arg(key).arg(&ids[from]).arg(&ids[to]);
                    command.arg(1).arg("SKU").arg(sku(item)).ignore();
                }
            }
        }
        pipe.query::<()>(&mut connection).expect("GIVE and TAKE");
    }
}

fn create(redis: &Redis, parts: usize, skus: usize, units: usize) -> Vec<String> {
    let items: Vec<String> = (0..skus)
        .map(|item| format!("{} {units}", sku(item)))
        .collect();
    let line = format!(
        "create shoes --parts {parts} ITEMS {skus} {}",
        items.join(" ")
    );
    does(&redis.url(), &line);
    keys(redis)
}

/// Asks for more of each item than there is, at each part, again and again.
fn ask_in_vain(redis: &Redis, keys: &[String], until: Instant) -> usize {
    let mut connection = redis.connection().expect("a connection");
    let mut asked = 0;
    while Instant::now() < until {
        let begun = Instant::now();
        for key in keys {
            let mut pipe = redis::pipe();
            for item in 0..SKUS {
                let command = pipe.cmd("FLASHSALE.RESERVE").arg(key).arg("u").arg("ITEMS");
                command.arg(1).arg(sku(item)).arg(1_000_000).ignore();
            }
            pipe.query::<()>(&mut connection).expect("RESERVE");
            asked += SKUS;
        }
        // Each item of each part once in a round.
        let rest = Duration::from_millis(100).saturating_sub(begun.elapsed());
        std::thread::sleep(rest);
    }
    asked
}

#[test]
#[ignore = "measures: make bench-split"]
fn a_driver_costs_little() {
    let redis = server(&["--appendfsync", "everysec"]);
    let keys = create(&redis, PARTS, SKUS, 100 * PARTS);
    use_every_pair(&redis, &keys, SKUS);
    let driver = Driver::start(&redis.url(), &["--replicas", "0"]);
    std::thread::sleep(Duration::from_secs(3));
    let mut shares = Vec::new();
    for (what, asks) in [
        ("nobody asks", false),
        ("all is asked for at each part", true),
    ] {
        let (begun, own, servers) = (Instant::now(), cpu_ms(driver.pid()), cpu_ms(redis.pid()));
        let until = begun + Duration::from_secs(SECONDS);
        if asks {
            ask_in_vain(&redis, &keys, until);
        } else {
            std::thread::sleep(until - Instant::now());
        }
        let passed = begun.elapsed().as_secs_f64() * 10.0;
        let own = (cpu_ms(driver.pid()) - own) / passed;
        let servers = (cpu_ms(redis.pid()) - servers) / passed;
        println!(
            "driver, {PARTS} parts, {SKUS} SKUs, every pair in use, {what}: {own:.1}% of a core; servers {servers:.1}%"
        );
        shares.push(own);
    }
    assert!(
        shares.iter().all(|share| *share <= 5.0),
        "{shares:?} % of a core"
    );
}

#[test]
#[ignore = "measures: make bench-split"]
fn shares_of_200_skus_with_15_peers_are_quick() {
    let redis = server(&[]);
    let keys = create(&redis, PARTS, 200, 100 * PARTS);
    use_every_pair(&redis, &keys, 200);
    redis.ask::<String>("CONFIG SET slowlog-log-slower-than 0");
    redis.ask::<String>("CONFIG SET slowlog-max-len 1000");
    redis.ask::<String>("SLOWLOG RESET");
    let skus: Vec<String> = (0..200).map(sku).collect();
    for _ in 0..100 {
        redis.ask::<redis::Value>(&format!("FLASHSALE.SHARES {} {}", keys[0], skus.join(" ")));
    }
    let log: Vec<Vec<redis::Value>> = redis.ask("SLOWLOG GET 1000");
    let took = log.iter().filter_map(|row| match (&row[2], &row[3]) {
        (redis::Value::Int(took), redis::Value::Array(words)) => {
            let is_shares =
                words.first() == Some(&redis::Value::BulkString("FLASHSALE.SHARES".into()));
            is_shares.then_some(*took)
        }
        _ => None,
    });
    let mut took: Vec<i64> = took.collect();
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("SHARES of 200 SKUs with 15 peers each: {median} us, {longest} us at most");
    assert!(median <= 2_000, "{median} us");
}
