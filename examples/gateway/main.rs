//! Sells through a gateway: buyers by the hundred ask at once, and few commands reach the
//! server.
//!
//! ```sh
//! cargo run --release --example gateway
//! ```
//!
//! `gateway.rs` is what a shop would take; `gateway.py` and `gateway.mjs` are the same in other
//! languages.

mod gateway;
#[allow(dead_code)]
#[path = "../common/print.rs"]
mod print;
#[allow(dead_code)]
#[path = "../common/reply.rs"]
mod reply;
#[allow(dead_code)]
#[path = "../common/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::thread;

use gateway::Gateway;
use print::commas;
use redis::{RedisResult, Value};
use reply::{Outcome, Reply};
use server::{Server, Setup};

/// Units of the sale; who asks at once, and how often one after the other.
const UNITS: u64 = 5_000;
const BUYERS: u64 = 200;
const TURNS: u64 = 100;

fn main() -> Outcome<()> {
    let server = Server::start(&Setup::default())?;
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port()))?;
    let mut connection = server.connect()?;
    redis::cmd("FLASHSALE.CREATE")
        .arg(&["hats", "hats:orders", "STOCK"])
        .arg(UNITS)
        .query::<()>(&mut connection)?;
    let words = sell(&Gateway::open(&client, "hats", 2));
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut connection)?;
    let calls = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_flashsale.mreserve:calls="));
    let calls = calls.and_then(|rest| rest.split(',').next()?.parse().ok());
    println!(
        "{} requests, {} in stock",
        commas(BUYERS * TURNS),
        commas(UNITS)
    );
    for (word, count) in words {
        println!("{:>8}  {word}", commas(count));
    }
    println!("{:>8}  calls of MRESERVE", commas(calls.unwrap_or(0)));
    Ok(())
}

/// Counts the answers by their first word.
fn sell(gateway: &Gateway) -> BTreeMap<String, u64> {
    let mut words = BTreeMap::new();
    thread::scope(|scope| {
        let buyers: Vec<_> = (0..BUYERS)
            .map(|buyer| scope.spawn(move || buy(gateway, buyer)))
            .collect();
        for buyer in buyers {
            for word in buyer.join().unwrap_or_default() {
                *words.entry(word).or_default() += 1;
            }
        }
    });
    words
}

/// Asks for one unit after the other.
fn buy(gateway: &Gateway, buyer: u64) -> Vec<String> {
    let user = format!("buyer-{buyer}");
    let turns = 0..TURNS;
    let answers = turns.map(|turn| gateway.reserve(&user, "1", &format!("{user}-{turn}")));
    let word = |answer: RedisResult<Value>| match answer {
        Ok(answer) => Reply::new(answer).word,
        Err(error) => error.to_string(),
    };
    answers.flatten().map(word).collect()
}
