//! A rush on servers that are held to a tenth of a core each: what a split sale adds to a single
//! one.
//!
//! (a) answers a second on 1 to 4 servers, 16 parts, batches from ready-made buffers: at least
//! 0.9 N of one server's; (b) CPU time of all servers and of the driver for each answer: at most 1.1
//! times the single sale's, times how unevenly the parts lie; (c) both again while the last tenth of
//! the stock is sold, so that units move. Run by `make bench-split`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::bench::cpu_ms;
use crate::cluster_servers::Cluster;
use crate::{Driver, does};

const PARTS: usize = 16;
/// Entries of one batch.
const BATCH: usize = 64;
/// Batches on the way on one connection.
const AHEAD: usize = 8;
/// How long each figure is taken.
const TIME: Duration = Duration::from_secs(5);
/// Microseconds a server may run in each 100,000.
const QUOTA_US: u64 = 10_000;

/// A cgroup of one server, removed with it.
struct Held(Option<PathBuf>);

impl Held {
    /// Holds a process to the quota; with `None` inside where that cannot be had.
    fn hold(pid: u32) -> Self {
        let group = PathBuf::from(format!("/sys/fs/cgroup/cpu/flashsale-{pid}"));
        let write = |name: &str, text: String| std::fs::write(group.join(name), text);
        let held = std::fs::create_dir(&group)
            .and_then(|()| write("cpu.cfs_period_us", "100000".into()))
            .and_then(|()| write("cpu.cfs_quota_us", QUOTA_US.to_string()))
            .and_then(|()| write("cgroup.procs", pid.to_string()));
        Self(held.is_ok().then_some(group))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            // Empty once its process is elsewhere.
            let procs = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in procs.lines() {
                let _ = std::fs::write("/sys/fs/cgroup/cpu/cgroup.procs", pid);
            }
            let _ = std::fs::remove_dir(group);
        }
    }
}

/// What a rush came to.
struct Figures {
    servers: usize,
    answers: u64,
    reserved: u64,
    seconds: f64,
    servers_ms: f64,
    driver_ms: f64,
    /// Answers of the busiest server over the mean.
    balance: f64,
    is_held: bool,
}

impl Figures {
    fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    fn us_each(&self) -> f64 {
        1e3 * (self.servers_ms + self.driver_ms) / self.answers as f64
    }

    fn print(&self, what: &str) {
        println!(
            "{what}: {} servers, {:.0} answers/s, {:.2} us of a core each, driver {:.1}% of a core, \
             {} reserved, busiest over mean {:.2}{}",
            self.servers,
            self.rate(),
            self.us_each(),
            self.driver_ms / self.seconds / 10.0,
            self.reserved,
            self.balance,
            if self.is_held {
                ""
            } else {
                " (not held to a tenth of a core)"
            }
        );
    }
}

/// One connection with the parts of its server, which sends a ready-made batch for each answer.
struct Pump {
    stream: TcpStream,
    keys: Vec<String>,
    number: u64,
    thread: usize,
}

impl Pump {
    fn batch(&mut self) -> Vec<u8> {
        let key = &self.keys[self.number as usize % self.keys.len()];
        let mut bytes = format!("*{}\r\n", 4 + 3 * BATCH).into_bytes();
        let mut word = |text: &str| {
            bytes.extend_from_slice(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
        };
        ["FLASHSALE.MRESERVE", key, "ENTRIES", &BATCH.to_string()]
            .into_iter()
            .for_each(&mut word);
        for entry in 0..BATCH {
            let name = format!("{}-{}-{entry}", self.thread, self.number);
            [&*name, "1", &name].into_iter().for_each(&mut word);
        }
        self.number += 1;
        bytes
    }

    /// Sells for a while, out of buffers that are there before; answers and reservations.
    fn run(mut self, buffers: &[Vec<u8>]) -> (u64, u64) {
        let until = Instant::now() + TIME;
        let (mut sent, mut answers, mut reserved) = (0, 0, 0);
        for buffer in buffers.iter().take(AHEAD) {
            self.stream.write_all(buffer).expect("a batch");
            sent += 1;
        }
        let mut input: Vec<u8> = Vec::new();
        let mut piece = vec![0; 256 * 1_024];
        let mut back = 0;
        while Instant::now() < until && sent < buffers.len() {
            let read = self.stream.read(&mut piece).expect("answers");
            input.extend_from_slice(&piece[..read]);
            let (whole, taken, ok) = count(&input);
            input.drain(..taken);
            answers += whole as u64 * BATCH as u64;
            reserved += ok;
            back += whole;
            while sent < buffers.len() && sent < back + AHEAD {
                self.stream.write_all(&buffers[sent]).expect("a batch");
                sent += 1;
            }
        }
        assert!(sent < buffers.len(), "more buffers are needed");
        (answers, reserved)
    }
}

/// Whole answers to batches, their bytes, and how many entries were reserved.
fn count(bytes: &[u8]) -> (usize, usize, u64) {
    let (mut at, mut whole, mut taken, mut reserved) = (0, 0, 0, 0);
    let mut left: u64 = 0;
    let mut in_this = 0;
    while at < bytes.len() {
        let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") else {
            break;
        };
        let number = || {
            std::str::from_utf8(&bytes[at + 1..at + end])
                .unwrap_or("0")
                .parse::<i64>()
        };
        let is_first = left == 0;
        let mut next = at + end + 2;
        let mut more = 0;
        match bytes[at] {
            b'*' => more = number().unwrap_or(0).max(0) as u64,
            b'$' => {
                let length = number().unwrap_or(0).max(0) as usize;
                if next + length + 2 > bytes.len() {
                    break;
                }
                in_this += u64::from(&bytes[next..next + length] == b"RESERVED");
                next += length + 2;
            }
            b'-' if is_first => panic!("{}", String::from_utf8_lossy(&bytes[at..at + end])),
            _ => {}
        }
        left = if is_first { more } else { left - 1 + more };
        at = next;
        if left == 0 {
            (whole, taken, reserved) = (whole + 1, at, reserved + in_this);
            in_this = 0;
        }
    }
    (whole, taken, reserved)
}

/// One rush: so many servers; 16 parts, or one sale; stock in all.
fn rush(servers: usize, is_split: bool, stock: u64) -> Figures {
    let cluster = Cluster::without_replicas(servers, 0, &["--appendfsync", "everysec"]);
    let url = cluster.url();
    let parts = if is_split { PARTS } else { 1 };
    does(
        &url,
        &format!("create shoes --cluster --parts {parts} STOCK {stock} HOLD 600000"),
    );
    let driver = is_split.then(|| Driver::start(&url, &["--cluster"]));
    let mut pumps = Vec::new();
    for (at, node) in cluster.nodes.iter().enumerate() {
        let keys = node.ask::<Vec<String>>("KEYS {shoes/*");
        let keys: Vec<String> = keys.into_iter().filter(|key| key.ends_with('}')).collect();
        let stream = TcpStream::connect(("127.0.0.1", node.port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        pumps.push(Pump {
            stream,
            keys,
            number: 0,
            thread: at,
        });
    }
    std::thread::sleep(Duration::from_secs(1));
    let held: Vec<Held> = cluster
        .nodes
        .iter()
        .map(|node| Held::hold(node.pid()))
        .collect();
    let cpu = || -> f64 { cluster.nodes.iter().map(|node| cpu_ms(node.pid())).sum() };
    let driver_cpu = || driver.as_ref().map_or(0.0, |driver| cpu_ms(driver.pid()));
    // What a server can answer within the time, and more: 250,000 entries a second.
    let made = 250_000 * TIME.as_secs() as usize / BATCH;
    let made = if held.iter().all(|one| one.0.is_some()) {
        made
    } else {
        8 * made
    };
    let ready: Vec<Vec<Vec<u8>>> = pumps
        .iter_mut()
        .map(|pump| (0..made).map(|_| pump.batch()).collect())
        .collect();
    let (before, driver_before) = (cpu(), driver_cpu());
    let begun = Instant::now();
    let answers: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = pumps
            .into_iter()
            .zip(&ready)
            .map(|(pump, ready)| scope.spawn(move || pump.run(ready)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a pump"))
            .collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let all: u64 = answers.iter().map(|(answers, _)| answers).sum();
    let most = answers
        .iter()
        .map(|(answers, _)| *answers)
        .max()
        .unwrap_or(0);
    Figures {
        servers,
        answers: all,
        reserved: answers.iter().map(|(_, reserved)| reserved).sum(),
        seconds,
        servers_ms: cpu() - before,
        driver_ms: driver_cpu() - driver_before,
        balance: most as f64 * servers as f64 / all.max(1) as f64,
        is_held: held.iter().all(|one| one.0.is_some()),
    }
}

#[test]
#[ignore = "measures: make bench-split"]
fn a_split_sale_costs_what_a_single_one_does() {
    let plenty = 1_000_000_000;
    let single = rush(1, false, plenty);
    single.print("single sale");
    let mut rates = Vec::new();
    for servers in 1..=4 {
        let split = rush(servers, true, plenty);
        split.print("split in 16 parts");
        rates.push((split.rate(), split.us_each(), split.balance));
    }
    // The last tenth: as many as would sell within the time, dealt unevenly by chance.
    let scarce = rush(4, true, (single.rate() * TIME.as_secs_f64() * 2.0) as u64);
    scarce.print("split in 16 parts, to the last unit");
    let mut rows = vec![("single sale".to_owned(), single.rate())];
    rows.extend(
        rates
            .iter()
            .enumerate()
            .map(|(at, one)| (format!("{} shards", at + 1), one.0)),
    );
    rows.push(("4, to the last unit".to_owned(), scarce.rate()));
    if let Ok(path) = std::env::var("FLASHSALE_PICTURE") {
        std::fs::write(path, picture(&rows)).expect("a picture");
    }
    for (at, (rate, us, balance)) in rates.iter().enumerate() {
        let (of_one, cost) = (rate / rates[0].0, us / single.us_each());
        println!(
            "{} servers: {of_one:.2} of one, {cost:.2} of the single sale's CPU time, balance {balance:.2}",
            at + 1
        );
    }
}

/// Bars of answers a second, as SVG that is read on light and on dark pages.
fn picture(rows: &[(String, f64)]) -> String {
    let most = rows.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let height = 56 + 34 * rows.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"760\" height=\"{height}\" \
         fill=\"#ffffff\"/>\n<text x=\"16\" y=\"28\" fill=\"#222222\">Reservations in a second, \
         each server held to a tenth of a core</text>\n"
    );
    for (at, (name, rate)) in rows.iter().enumerate() {
        let (top, width) = (44 + 34 * at, 420.0 * rate / most);
        let colour = if at == 0 { "#8a8a8a" } else { "#2563a8" };
        svg += &format!(
            "<text x=\"16\" y=\"{}\" fill=\"#222222\">{name}</text><rect x=\"170\" y=\"{top}\" \
             width=\"{width:.1}\" height=\"24\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{}\" \
             fill=\"#222222\">{:.0},000</text>\n",
            top + 17,
            178.0 + width,
            top + 17,
            rate / 1e3
        );
    }
    svg + "</svg>\n"
}
