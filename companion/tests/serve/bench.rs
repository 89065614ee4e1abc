//! How many reservations a second one core of the gateway carries: `make bench-companion`.
//!
//! **Method**: the gateway has one core (`taskset`); the server and the load have the others.
//! Each request is of another user, for one unit of one SKU, and all are RESERVED. Connections
//! are kept alive. At saturation each of 128 connections asks again as soon as it is answered.
//! The latency at 80% of that rate counts from the moment a request was due, not from when it
//! was sent. The time of the gateway's core is read from `/proc`, so that "a core" is right
//! also where the machine has other work. `FLASHSALE_BENCH_SECONDS` is the length of a part (5).

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::{Gateway, sale};

const CONNECTIONS: u64 = 128;

/// One keep-alive connection.
struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    async fn open(place: SocketAddr) -> Self {
        let stream = TcpStream::connect(place).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            buffer: vec![0; 4_096],
        }
    }

    /// Reserves one unit for a new user.
    async fn reserve(&mut self, number: u64) {
        let request = format!(
            "POST /reservations HTTP/1.1\r\nHost: shop\r\nCookie: flashsale_user={number:032x}\r\n\
             Idempotency-Key: \"{number:032x}\"\r\nContent-Type: application/json\r\n\
             Content-Length: 24\r\n\r\n{{\"items\":{{\"default\": 1}}}}"
        );
        self.stream
            .write_all(request.as_bytes())
            .await
            .expect("sent");
        let mut there = 0;
        loop {
            let read = self
                .stream
                .read(&mut self.buffer[there..])
                .await
                .expect("an answer");
            assert!(read > 0, "the connection was closed");
            there += read;
            // The bodies are small, and end with the only brace behind a line of their own.
            if self.buffer[..there].ends_with(b"}") {
                break;
            }
        }
        assert!(
            self.buffer.starts_with(b"HTTP/1.1 201"),
            "{}",
            String::from_utf8_lossy(&self.buffer[..there])
        );
    }
}

/// Seconds of a core that a process has used.
fn core_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<&str> = fields.split(' ').collect();
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    let ticks = |at: usize| fields[at - 3].parse::<f64>().expect("a number");
    (ticks(14) + ticks(15)) / 100.0
}

fn seconds_wanted() -> Duration {
    let wanted = std::env::var("FLASHSALE_BENCH_SECONDS").ok();
    Duration::from_secs(wanted.map_or(5, |wanted| wanted.parse().expect("a number")))
}

/// Asks as fast as it is answered, and returns how many were answered a second.
async fn saturate(place: SocketAddr, next: Arc<AtomicU64>) -> f64 {
    let begin = Instant::now();
    let end = begin + seconds_wanted();
    let first = next.load(Ordering::Relaxed);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let mut line = Line::open(place).await;
                while Instant::now() < end {
                    line.reserve(next.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a buyer");
    }
    let answered = next.load(Ordering::Relaxed) - first;
    answered as f64 / begin.elapsed().as_secs_f64()
}

/// Asks at a rate, and returns the latencies from when each request was due.
async fn at_rate(place: SocketAddr, rate: f64, next: Arc<AtomicU64>) -> Vec<Duration> {
    let begin = Instant::now() + Duration::from_millis(200);
    let end = begin + seconds_wanted();
    let tasks: Vec<_> = (0..2 * CONNECTIONS)
        .map(|at| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let mut line = Line::open(place).await;
                let mut took = Vec::new();
                for turn in 0.. {
                    let number = (turn * 2 * CONNECTIONS + at) as f64;
                    let due = begin + Duration::from_secs_f64(number / rate);
                    if due >= end {
                        break;
                    }
                    tokio::time::sleep_until(due.into()).await;
                    line.reserve(next.fetch_add(1, Ordering::Relaxed)).await;
                    took.push(due.elapsed());
                }
                took
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("a buyer"));
    }
    all.sort();
    all
}

fn part(sorted: &[Duration], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted[at.min(sorted.len() - 1)].as_secs_f64() * 1_000.0
}

#[test]
#[ignore = "a measurement: make bench-companion"]
fn carries_so_many_reservations_a_second() {
    let redis = sale("STOCK 100000000 HOLD 3600000");
    let program = env!("CARGO_BIN_EXE_flashsale").to_owned();
    let has_taskset = Command::new("taskset").arg("--version").output().is_ok();
    let pinned: &[String] = &["taskset".into(), "-c".into(), "0".into(), program.clone()];
    let program = if has_taskset { pinned } else { &pinned[3..] };
    let ours = ["--sale", "shoes", "--orders", "shoes:orders"];
    let gateway = Gateway::start_by(program, &redis.url(), &ours);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let next = Arc::new(AtomicU64::new(1));
    let place = gateway.place;
    let number = |name| gateway.number(name, "");

    // One at a time, beside a plain RESERVE.
    let mut alone: Vec<Duration> = runtime.block_on(async {
        let mut line = Line::open(place).await;
        let mut took = Vec::new();
        for _ in 0..3_000 {
            let begin = Instant::now();
            line.reserve(next.fetch_add(1, Ordering::Relaxed)).await;
            took.push(begin.elapsed());
        }
        took
    });
    alone.sort();
    let mut connection = redis.connection().expect("a connection");
    let mut plain: Vec<Duration> = (0..3_000)
        .map(|_| {
            let id = format!("{:032x}", next.fetch_add(1, Ordering::Relaxed));
            let begin = Instant::now();
            let mut command = redis::cmd("FLASHSALE.RESERVE");
            command.arg("shoes").arg(&id).arg(1).arg("ID").arg(&id);
            command
                .query::<redis::Value>(&mut connection)
                .expect("RESERVED");
            begin.elapsed()
        })
        .collect();
    plain.sort();

    // At saturation.
    runtime.block_on(saturate(place, Arc::clone(&next)));
    let before = (
        core_seconds(gateway.pid()),
        number("batches_total"),
        number("batch_entries_total"),
    );
    let rate = runtime.block_on(saturate(place, Arc::clone(&next)));
    let after = (
        core_seconds(gateway.pid()),
        number("batches_total"),
        number("batch_entries_total"),
    );
    let entries = after.2 - before.2;
    let a_core = entries / (after.0 - before.0);
    let batch = entries / (after.1 - before.1);
    let open = runtime.block_on(at_rate(place, rate * 0.8, Arc::clone(&next)));

    println!("| | Measured | Bar |\n|---|---|---|");
    println!("| reservations a second, 128 connections | {rate:.0} | |");
    println!("| reservations a second of the gateway's core | {a_core:.0} | >= 20000 |");
    println!("| mean batch at saturation | {batch:.1} | >= 8 |");
    println!(
        "| latency at {:.0}/s: p50, p99, ms | {:.2}, {:.2} | p99 < 50 |",
        rate * 0.8,
        part(&open, 0.5),
        part(&open, 0.99)
    );
    println!(
        "| alone, median, ms: gateway, plain RESERVE | {:.3}, {:.3} | 0.3 more |",
        part(&alone, 0.5),
        part(&plain, 0.5)
    );
}
