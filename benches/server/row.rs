//! One row of the benchmark: what is sent, what the answer must be, and the measuring.
//!
//! A row that measured something else than its name says would be worse than none:
//! before it some commands of its shape are sent and their replies looked at, after it
//! the server's own counters must tell that all of them did what they should.

use std::collections::BTreeMap;

use crate::load::{self, Seen, Shot};
use crate::reply::{Outcome, text_of};
use crate::stage::Stage;

/// Commands whose replies are looked at before a row.
const SAMPLES: u64 = 16;

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

/// What is sent, and what must come of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    pub command: Vec<String>,
    pub requests: u64,
    pub range: u64,
    pub is_pipelined: bool,
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
        stage.wire.ask(&["CONFIG", "RESETSTAT"])?;
        let shot = Shot {
            command: &self.command,
            requests: self.requests,
            range: self.range,
            is_pipelined: self.is_pipelined,
        };
        let seen = load::run(program, stage.server.port(), &shot)?;
        let after = self.tell(stage)?;
        let calls = self.calls(stage)?;
        let count = calls.number("calls") as u64;
        let wrong =
            |text: String| -> Outcome<Sample> { Err(format!("{}: {text}", self.name).into()) };
        if count < self.requests {
            return wrong(format!("{count} calls of {}", self.requests));
        }
        let bad = calls.number("rejected_calls") + calls.number("failed_calls");
        if bad > 0.0 {
            return wrong(format!("{bad} of {count} calls were answered with errors"));
        }
        let grown = after.abs_diff(before);
        let is_right = match self.proof {
            Proof::Replies => true,
            Proof::Outcome(_, share) | Proof::Grows(_, share) => grown * 100 >= count * share,
            Proof::Stays(_) => grown == 0,
        };
        if !is_right {
            return wrong(format!("{:?}: {grown} of {count} calls", self.proof));
        }
        Ok(Sample {
            seen,
            call_us: calls.number("usec_per_call"),
            call_p50_us: calls.number("p50"),
            call_p99_us: calls.number("p99"),
            call_p999_us: calls.number("p99.9"),
            call_max_us: calls.number("p100"),
        })
    }

    /// Sends a few commands as the load will, and looks at the replies.
    fn look_at_samples(&self, stage: &mut Stage) -> Outcome<()> {
        for sample in 0..SAMPLES {
            let words: Vec<String> = self
                .command
                .iter()
                .map(|word| self.draw(word, sample))
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

    /// A word as the load would send it: places spread over the range by a prime.
    fn draw(&self, word: &str, sample: u64) -> String {
        let mut drawn = word.to_owned();
        let mut place = sample;
        while let Some(at) = drawn.find("__rand_int__") {
            place = (place + 1).wrapping_mul(1_000_003) % self.range.max(1);
            drawn.replace_range(at..at + 12, &format!("{place:012}"));
        }
        drawn
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
