//! A rush on servers that are held to a tenth of a core each: what a split sale adds to a single
//! one.
//!
//! (a) answers a second on 1 to 4 servers, 16 parts, batches from ready-made buffers: at least
//! 0.9 N of one server's; (b) CPU time of all servers and of the driver for each answer: at most 1.1
//! times the single sale's, times how unevenly the parts lie; (c) the same while the last tenth of
//! the stock is sold, so that units move. Run by `make bench-split`.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::bench::cpu_ns;
use crate::cluster_servers::Cluster;
use crate::pump::{BATCH, Counts, Pump};
use crate::{Driver, does};

const PARTS: usize = 16;
/// How long each figure is taken, and how long the last units may take.
const TIME: Duration = Duration::from_secs(4);
const TIME_MAX: Duration = Duration::from_secs(60);
/// More units than can be sold.
const PLENTY: u64 = 1_000_000_000;
/// Microseconds a server may run in each 100,000.
const QUOTA_US: u64 = 10_000;

/// A cgroup of one server, removed with it.
struct Held(Option<PathBuf>);

impl Held {
    /// Holds a process to the quota; with `None` inside where that cannot be had.
    fn hold(pid: u32) -> Self {
        let name = format!("flashsale-{pid}");
        // Of version 1, or of version 2.
        let of_one = [
            ("cpu.cfs_period_us", "100000".to_owned()),
            ("cpu.cfs_quota_us", QUOTA_US.to_string()),
        ];
        let of_two = [("cpu.max", format!("{QUOTA_US} 100000"))];
        let tries: [(&str, &[(&str, String)]); 2] =
            [("/sys/fs/cgroup/cpu", &of_one), ("/sys/fs/cgroup", &of_two)];
        let held = tries.into_iter().find_map(|(root, settings)| {
            let group = PathBuf::from(root).join(&name);
            std::fs::create_dir(&group).ok()?;
            let all = settings
                .iter()
                .chain([&("cgroup.procs", pid.to_string())])
                .try_for_each(|(file, text)| std::fs::write(group.join(file), text));
            if all.is_err() {
                let _ = std::fs::remove_dir(&group);
                return None;
            }
            Some(group)
        });
        Self(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            // Empty once its process is elsewhere.
            let procs = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            let above = group.parent().map(|above| above.join("cgroup.procs"));
            for pid in procs.lines() {
                let _ = std::fs::write(above.clone().unwrap_or_default(), pid);
            }
            let _ = std::fs::remove_dir(group);
        }
    }
}

/// One look at everything.
#[derive(Clone, Copy, Default)]
struct Look {
    seconds: f64,
    answers: u64,
    reserved: u64,
    servers_ns: u64,
    driver_ns: u64,
}

/// What a rush came to.
struct Figures {
    servers: usize,
    whole: Look,
    /// From when nine tenths were sold until all was.
    last_tenth: Option<Look>,
    /// Answers of the busiest server over the mean.
    balance: f64,
    is_held: bool,
}

impl Look {
    fn since(self, before: Self) -> Self {
        Self {
            seconds: self.seconds - before.seconds,
            answers: self.answers - before.answers,
            reserved: self.reserved - before.reserved,
            servers_ns: self.servers_ns - before.servers_ns,
            driver_ns: self.driver_ns - before.driver_ns,
        }
    }

    fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    /// Microseconds of a core for each unit that was sold.
    fn us_each(&self) -> f64 {
        (self.servers_ns + self.driver_ns) as f64 / 1e3 / self.reserved.max(1) as f64
    }

    fn print(&self, what: &str, figures: &Figures) {
        println!(
            "{what}, {} servers: {:.0} answers/s, {:.2} us of a core for each unit, driver {:.1}% of a core, \
             {} of {} reserved in {:.1} s, busiest over mean {:.2}{}",
            figures.servers,
            self.rate(),
            self.us_each(),
            self.driver_ns as f64 / self.seconds / 1e7,
            self.reserved,
            self.answers,
            self.seconds,
            figures.balance,
            if figures.is_held {
                ""
            } else {
                " (not held to a tenth of a core)"
            }
        );
    }
}

/// The middle one of three rushes by what a unit costs: on a machine that does other things as well,
/// one rush says little.
fn middle_rush(servers: usize, is_split: bool) -> Figures {
    let what = if is_split {
        "split in 16 parts"
    } else {
        "single sale"
    };
    let mut three: Vec<Figures> = (0..3)
        .map(|_| rush(servers, is_split, PLENTY, false))
        .collect();
    for one in &three {
        one.whole.print(what, one);
    }
    three.sort_by(|one, other| one.whole.us_each().total_cmp(&other.whole.us_each()));
    three.remove(1)
}

/// One rush: so many servers; 16 parts, or one sale; stock in all.
fn rush(servers: usize, is_split: bool, stock: u64, is_scarce: bool) -> Figures {
    let cluster = Cluster::without_replicas(servers, 0, &["--appendfsync", "everysec"]);
    let url = cluster.url();
    let parts = if is_split { PARTS } else { 1 };
    does(
        &url,
        &format!("create shoes --cluster --parts {parts} STOCK {stock} HOLD 600000"),
    );
    let driver = is_split.then(|| Driver::start(&url, &["--cluster"]));
    std::thread::sleep(Duration::from_secs(1));
    let held: Vec<Held> = cluster
        .nodes
        .iter()
        .map(|node| Held::hold(node.pid()))
        .collect();
    let is_held = held.iter().all(|one| one.0.is_some());
    // Entries a second of one server, and more.
    let most = if is_held { 250_000 } else { 1_500_000 };
    let pumps: Vec<Pump> = cluster
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let keys = node.ask::<Vec<String>>("KEYS {shoes/*");
            let keys: Vec<String> = keys.into_iter().filter(|key| key.ends_with('}')).collect();
            Pump::new(node.port, &keys, at, most * TIME.as_secs() as usize / BATCH)
        })
        .collect();
    let counts = Counts::default();
    let begun = Instant::now();
    let look = || Look {
        seconds: begun.elapsed().as_secs_f64(),
        answers: counts.answers.load(Ordering::Relaxed),
        reserved: counts.reserved.load(Ordering::Relaxed),
        servers_ns: cluster.nodes.iter().map(|node| cpu_ns(node.pid())).sum(),
        driver_ns: driver.as_ref().map_or(0, |driver| cpu_ns(driver.pid())),
    };
    let (time, until) = if is_scarce {
        (TIME_MAX, stock)
    } else {
        (TIME, u64::MAX)
    };
    let is_over = || begun.elapsed() >= time || counts.reserved.load(Ordering::Relaxed) >= until;
    let first = look();
    let (answers, looks) = std::thread::scope(|scope| {
        let threads: Vec<_> = pumps
            .into_iter()
            .map(|pump| scope.spawn(|| pump.run(&counts, is_over)))
            .collect();
        let mut looks = Vec::new();
        while !is_over() {
            std::thread::sleep(Duration::from_millis(10));
            looks.push(look());
        }
        let answers: Vec<u64> = threads
            .into_iter()
            .map(|thread| thread.join().expect("a pump"))
            .collect();
        (answers, looks)
    });
    let last = looks.last().copied().unwrap_or_default();
    let nine = looks.iter().find(|look| look.reserved * 10 >= stock * 9);
    let most = answers.iter().copied().max().unwrap_or(0);
    let all: u64 = answers.iter().sum();
    Figures {
        servers,
        whole: last.since(first),
        last_tenth: nine.filter(|_| is_scarce).map(|nine| last.since(*nine)),
        balance: most as f64 * servers as f64 / all.max(1) as f64,
        is_held,
    }
}

#[test]
#[ignore = "measures: make bench-split"]
fn a_split_sale_costs_what_a_single_one_does() {
    let single = middle_rush(1, false);
    let mut rows = vec![(
        "single sale".to_owned(),
        single.whole.rate(),
        single.whole.us_each(),
    )];
    let mut figures = Vec::new();
    for servers in 1..=4 {
        let split = middle_rush(servers, true);
        let name = format!(
            "{servers} {}",
            if servers == 1 { "shard" } else { "shards" }
        );
        rows.push((name, split.whole.rate(), split.whole.us_each()));
        figures.push(split);
    }
    let stock = |servers: f64| (single.whole.rate() * servers * TIME.as_secs_f64()) as u64;
    let alone = rush(1, false, stock(1.0), true);
    let scarce = rush(4, true, stock(4.0), true);
    for (what, one) in [("single sale", &alone), ("split in 16 parts", &scarce)] {
        one.whole.print(&format!("{what}, to the last unit"), one);
        match &one.last_tenth {
            Some(look) => look.print(&format!("{what}, the last tenth"), one),
            None => panic!("{what}: {} of {} sold", one.whole.reserved, stock(4.0)),
        }
    }
    if let Ok(path) = std::env::var("FLASHSALE_PICTURE") {
        std::fs::write(path, picture(&rows)).expect("a picture");
    }
    for split in &figures {
        let of_one = split.whole.rate() / single.whole.rate();
        let cost = split.whole.us_each() / single.whole.us_each();
        println!(
            "{} servers: {of_one:.2} of the single sale's answers/s, {cost:.2} of the single sale's CPU time, balance {:.2}",
            split.servers, split.balance
        );
        assert!(cost <= 1.1 * split.balance, "CPU time");
        if split.is_held {
            assert!(of_one >= 0.9 * split.servers as f64, "answers a second");
        } else {
            println!(
                "SKIPPED: no cgroup can be had, so answers/s of {} servers say nothing",
                split.servers
            );
        }
    }
}

/// Bars of answers a second with what each unit costs, as SVG for light and for dark pages.
fn picture(rows: &[(String, f64, f64)]) -> String {
    let most = rows.iter().map(|(_, rate, _)| *rate).fold(1.0, f64::max);
    let height = 84 + 34 * rows.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" viewBox=\"0 0 760 \
         {height}\" font-family=\"sans-serif\" font-size=\"14\">\n<style>.ground{{fill:#FFFFFF}}\
         .word{{fill:#1F2328}}.pale{{fill:#59636E}}.one{{fill:#8C959F}}.split{{fill:#0969DA}}\
         @media (prefers-color-scheme: dark){{.ground{{fill:#0D1117}}.word{{fill:#F0F6FC}}\
         .pale{{fill:#9198A1}}.one{{fill:#6E7681}}.split{{fill:#58A6FF}}}}</style>\n<rect \
         class=\"ground\" width=\"760\" height=\"{height}\"/>\n<text class=\"word\" x=\"24\" y=\"30\" \
         font-size=\"16\">Reservations in a second, each server held to a tenth of a core</text>\n\
         <text class=\"pale\" x=\"24\" y=\"52\" font-size=\"12\">16 parts, batches of {BATCH}; behind \
         each bar what a unit costs all servers and the driver</text>\n"
    );
    for (at, (name, rate, us)) in rows.iter().enumerate() {
        let (top, width) = (70 + 34 * at, 360.0 * rate / most);
        let class = if at == 0 { "one" } else { "split" };
        svg += &format!(
            "<text class=\"word\" x=\"24\" y=\"{y}\">{name}</text><rect class=\"{class}\" x=\"130\" \
             y=\"{top}\" width=\"{width:.1}\" height=\"24\" rx=\"2\"/><text class=\"word\" \
             x=\"{x:.1}\" y=\"{y}\">{} <tspan class=\"pale\" font-size=\"12\">{us:.2} µs each</tspan></text>\n",
            thousands(*rate),
            y = top + 17,
            x = 138.0 + width,
        );
    }
    svg + "</svg>\n"
}

/// A number with its last three digits rounded away.
fn thousands(rate: f64) -> String {
    format!("{:.0},000", rate / 1e3)
}
