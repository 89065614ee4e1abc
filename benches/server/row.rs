//! One row of the benchmark: what is sent, what the answer must be, and the measuring.
//!
//! A row that measured something else than its name says would be worse than none. Before it,
//! some commands of its shape are sent and their replies looked at. After it, the server's own
//! counters must show that every command did what it should, and the load must have had time to
//! spare.

use std::collections::BTreeMap;

use crate::load::{self, CONNECTIONS, PIPELINE, Seen, Shot};
use crate::pump::{self, Pour};
use crate::reply::{Outcome, text_of};
use crate::stage::Stage;
use crate::times::Times;

/// Commands whose replies are looked at before a row.
const SAMPLES: u64 = 16;
/// What `pump.rs` replaces by numbers that do not come twice, and what these are below; of the
/// first, the row's range.
const NEXTS: [(&str, Option<u64>); 2] = [(pump::NEXT, None), (pump::FRESH, Some(pump::DIGITS))];

/// Makes what a row needs.
pub type Prepare = fn(&mut Stage) -> Outcome<()>;

/// How it is known that the commands did what the row is named after.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// The replies of the samples say enough.
    Replies,
    /// So many in a hundred were counted by INFO flashsale under this outcome.
    Outcome(&'static str, u64),
    /// A number grew by so many in a hundred: a command and its key.
    Grows([&'static str; 2], u64),
    /// A number stayed.
    Stays([&'static str; 2]),
}

/// Who sends the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// redis-benchmark.
    Benchmark,
    /// `pump.rs`, with as many items on the way as redis-benchmark has calls.
    Pump,
}

/// The load is the bottleneck of a row in which it ran for more than this share of the time
/// that the server ran: then the server waited for it, and did less at a time than it can.
const LOAD_SHARE_MAX: f64 = 0.8;

/// What is sent, and what must come of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    pub command: Vec<String>,
    pub requests: u64,
    pub range: u64,
    pub is_pipelined: bool,
    pub sender: Sender,
    pub prepare: Option<Prepare>,
    /// The first word of each reply, or its kind: `#` a number, `*` anything but null.
    pub says: &'static str,
    pub proof: Proof,
    /// Items a command is about.
    pub items: u64,
    /// Samples in a round, more for rows that are over quickly.
    pub repeats: u32,
}

/// One measurement of a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub seen: Seen,
    /// The server's own account of a call, in microseconds.
    pub call_us: f64,
    pub call_p50_us: f64,
    pub call_p99_us: f64,
    pub call_p999_us: f64,
    pub call_max_us: f64,
    /// How long the server's main thread ran for an item, in microseconds; `None` where the
    /// system does not tell.
    pub server_us: Option<f64>,
    /// Which share of the row the server's main thread ran, and the load.
    pub server_share: Option<f64>,
    pub load_share: Option<f64>,
}

/// What a sender reports.
struct Sent {
    seen: Seen,
    seconds: f64,
    /// What the load itself did, where it is a thread of this process.
    load: Option<Times>,
}

impl Row {
    /// Prepares, samples, measures and checks.
    ///
    /// # Errors
    ///
    /// A reply, or what the server counted, is not what the row is about.
    pub fn measure(&self, program: &str, stage: &mut Stage) -> Outcome<Sample> {
        if let Some(prepare) = self.prepare {
            prepare(stage)?;
        }
        self.look_at_samples(stage)?;
        stage.wire.wait_until_quiet()?;
        let before = self.tell(stage)?;
        let pid = stage.wire.info_number("server", "process_id")?;
        stage.wire.ask(&["CONFIG", "RESETSTAT"])?;
        let ran_before = Times::of_process(pid);
        let sent = self.send(program, stage)?;
        stage.wait_for_replica()?;
        let server = Times::of_process(pid)
            .zip(ran_before)
            .map(|(after, before)| after.since(before));
        self.look_at_load(&sent, server)?;
        let grown = self.tell(stage)?.abs_diff(before);
        let calls = self.calls(stage)?;
        self.look_at_counters(&calls, grown)?;
        let share = |times: Times| times.ran_ns as f64 / 1e9 / sent.seconds;
        Ok(Sample {
            seen: sent.seen,
            call_us: calls.number("usec_per_call"),
            call_p50_us: calls.number("p50"),
            call_p99_us: calls.number("p99"),
            call_p999_us: calls.number("p99.9"),
            call_max_us: calls.number("p100"),
            server_us: server
                .map(|times| times.ran_ns as f64 / 1e3 / (self.requests * self.items) as f64),
            server_share: server.map(share),
            load_share: sent.load.map(share),
        })
    }

    fn send(&self, program: &str, stage: &Stage) -> Outcome<Sent> {
        let port = stage.server.port();
        if self.sender == Sender::Benchmark {
            let shot = Shot {
                command: &self.command,
                requests: self.requests,
                range: self.range,
                is_pipelined: self.is_pipelined,
            };
            let seen = load::run(program, port, &shot)?;
            return Ok(Sent {
                seen,
                seconds: self.requests as f64 / seen.per_second,
                load: None,
            });
        }
        let poured = pump::run(
            port,
            &Pour {
                command: &self.command,
                requests: self.requests,
                depth: (u64::from(PIPELINE) / self.items).max(1),
                connections: CONNECTIONS,
                range: self.range,
                used: SAMPLES * self.nexts(),
            },
        )
        .map_err(|error| format!("{}: {error}", self.name))?;
        let seconds = poured.took.as_secs_f64();
        Ok(Sent {
            seen: Seen {
                per_second: self.requests as f64 / seconds,
                ..Seen::default()
            },
            seconds,
            load: poured.times,
        })
    }

    /// Looks whether the server was what was measured.
    fn look_at_load(&self, sent: &Sent, server: Option<Times>) -> Outcome<()> {
        let Some((load, server)) = sent.load.zip(server) else {
            return Ok(());
        };
        let (load, server) = (load.ran_ns as f64 / 1e9, server.ran_ns as f64 / 1e9);
        if load <= server * LOAD_SHARE_MAX {
            return Ok(());
        }
        let name = self.name;
        Err(format!(
            "{name}: the load is the bottleneck: it ran {load:.2} s, the server {server:.2} s"
        )
        .into())
    }

    /// Looks whether every call did what it should.
    fn look_at_counters(&self, calls: &Fields, grown: u64) -> Outcome<()> {
        let count = calls.number("calls") as u64;
        let wrong = |text: String| -> Outcome<()> { Err(format!("{}: {text}", self.name).into()) };
        if count < self.requests {
            return wrong(format!("{count} calls of {}", self.requests));
        }
        let bad = calls.number("rejected_calls") + calls.number("failed_calls");
        if bad > 0.0 {
            return wrong(format!("{bad} of {count} calls were answered with errors"));
        }
        let items = count * self.items;
        let is_right = match self.proof {
            Proof::Replies => true,
            Proof::Outcome(_, share) | Proof::Grows(_, share) => grown * 100 >= items * share,
            Proof::Stays(_) => grown == 0,
        };
        if !is_right {
            return wrong(format!("{:?}: {grown} of {items} items", self.proof));
        }
        Ok(())
    }

    /// Sends a few commands as the load will, and looks at the replies.
    fn look_at_samples(&self, stage: &mut Stage) -> Outcome<()> {
        for sample in 0..SAMPLES {
            let mut number = sample * self.nexts();
            let words: Vec<String> = self
                .command
                .iter()
                .map(|word| self.draw(word, sample, &mut number))
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let said = text_of(&stage.wire.ask(&words)?);
            let first = said.trim_start_matches('[').split([',', ']']).next();
            let is_right = match self.says {
                "#" => first.is_some_and(|first| first.parse::<i64>().is_ok()),
                "*" => said != "null",
                word => first == Some(word),
            };
            if !is_right {
                return Err(format!("{}: {} answered {said}", self.name, words.join(" ")).into());
            }
        }
        Ok(())
    }

    /// A word as the load would send it: places spread over the range by a prime, and those
    /// that do not come twice from `number` on.
    fn draw(&self, word: &str, sample: u64, number: &mut u64) -> String {
        let mut drawn = word.to_owned();
        for (name, range) in NEXTS {
            while let Some(at) = drawn.find(name) {
                let next = pump::next(*number, range.unwrap_or(self.range));
                drawn.replace_range(at..at + 12, &format!("{next:012}"));
                *number += 1;
            }
        }
        let mut place = sample;
        while let Some(at) = drawn.find("__rand_int__") {
            place = (place + 1).wrapping_mul(1_000_003) % self.range.max(1);
            drawn.replace_range(at..at + 12, &format!("{place:012}"));
        }
        drawn
    }

    /// How many numbers that do not come twice a command has.
    fn nexts(&self) -> u64 {
        let words = self.command.iter();
        let count = |word: &String| -> usize {
            NEXTS
                .iter()
                .map(|(name, _)| word.matches(name).count())
                .sum()
        };
        words.map(count).sum::<usize>() as u64
    }

    /// The number that the proof is about.
    fn tell(&self, stage: &mut Stage) -> Outcome<u64> {
        match self.proof {
            Proof::Replies => Ok(0),
            Proof::Outcome(name, _) => stage
                .wire
                .info_number("flashsale", &format!("flashsale_outcome_{name}")),
            Proof::Grows(words, _) | Proof::Stays(words) => stage.wire.number(&words),
        }
    }

    /// What the server says of the row's command since the counters were reset.
    fn calls(&self, stage: &mut Stage) -> Outcome<Fields> {
        let name = self.command[0].to_lowercase();
        calls_of(&stage.wire.info("all")?, &name)
            .ok_or_else(|| format!("{}: INFO knows no calls of {name}", self.name).into())
    }
}

/// Named numbers of one line of INFO.
pub struct Fields(BTreeMap<String, f64>);

impl Fields {
    /// A number; 0 where there is none.
    pub fn number(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }
}

/// `commandstats` and `latencystats` of a command.
pub fn calls_of(info: &BTreeMap<String, String>, name: &str) -> Option<Fields> {
    let stats = info.get(&format!("cmdstat_{name}"))?;
    let percentiles = info.get(&format!("latency_percentiles_usec_{name}"));
    let lines = [Some(stats), percentiles].into_iter().flatten();
    let fields = lines
        .flat_map(|line| line.split(','))
        .filter_map(|field| field.split_once('='));
    Some(Fields(
        fields
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect(),
    ))
}
