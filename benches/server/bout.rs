//! Rows measured in alternation, and the figures of each.
//!
//! The machine is never as quiet as one would like. All rows are measured once, then all
//! of them again, and a row's figures are those of its median round, so that a bad
//! minute touches one round of every row and not every round of one.

use crate::reply::Outcome;
use crate::row::{Row, Sample};
use crate::stage::Stage;

/// How the server is set up and what is sent; only rows of one mode are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Pipelined, no AOF.
    Memory,
    /// Pipelined, `appendfsync everysec`.
    Everysec,
    /// One command at a time on each connection, no AOF.
    Single,
    /// Pipelined, no AOF, Bloom filters.
    Bloom,
    /// Batches and the single commands beside them, no AOF.
    BatchMemory,
    /// The same, `appendfsync everysec`.
    BatchEverysec,
    /// The same, no AOF, a replica.
    BatchReplica,
}

/// The modes in which batches are measured: there, rows are compared by the time that the
/// server's main thread ran, which a busy machine changes least.
pub const BATCHES: [Mode; 3] = [Mode::BatchMemory, Mode::BatchEverysec, Mode::BatchReplica];

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Mode::Memory => "pipelined, AOF off",
            Mode::Everysec => "pipelined, AOF everysec",
            Mode::Single => "unpipelined, AOF off",
            Mode::Bloom => "Bloom filters, pipelined, AOF off",
            Mode::BatchMemory => "batches, AOF off",
            Mode::BatchEverysec => "batches, AOF everysec",
            Mode::BatchReplica => "batches, AOF off, one replica",
        }
    }
}

/// The figures of a row over all rounds.
#[derive(Clone, Debug)]
pub struct Figures {
    pub mode: Mode,
    pub name: &'static str,
    pub requests: u64,
    pub items: u64,
    /// Of the round with the median throughput.
    pub median: Sample,
    /// Throughput of the slowest and of the fastest round.
    pub slowest: f64,
    pub fastest: f64,
    /// The longest that a client waited, and a call took, in any round.
    pub max_ms: f64,
    pub call_max_us: f64,
    /// How long the server's main thread ran for an item, in microseconds: the median.
    pub server_us: Option<f64>,
}

impl Figures {
    fn of(mode: Mode, row: &Row, mut samples: Vec<Sample>) -> Figures {
        samples.sort_by(|a, b| a.seen.per_second.total_cmp(&b.seen.per_second));
        let mut server: Vec<f64> = samples
            .iter()
            .filter_map(|sample| sample.server_us)
            .collect();
        server.sort_by(f64::total_cmp);
        let most = |of: fn(&Sample) -> f64| samples.iter().map(of).fold(0.0, f64::max);
        Figures {
            mode,
            name: row.name,
            requests: row.requests,
            items: row.items,
            median: samples[samples.len() / 2],
            slowest: samples[0].seen.per_second,
            fastest: samples[samples.len() - 1].seen.per_second,
            max_ms: most(|sample| sample.seen.max_ms),
            call_max_us: most(|sample| sample.call_max_us),
            server_us: server.get(server.len() / 2).copied(),
        }
    }

    /// Calls a second in the median round.
    pub fn per_second(&self) -> f64 {
        self.median.seen.per_second
    }

    /// Items a second: of a command about one, the same.
    pub fn items_per_second(&self) -> f64 {
        self.per_second() * self.items as f64
    }

    /// Items that the server's main thread carries out in a second of its own time.
    pub fn items_per_core_second(&self) -> Option<f64> {
        self.server_us.map(|us| 1e6 / us)
    }
}

/// Measures the rows in alternation. `tell` is told of each measurement.
///
/// # Errors
///
/// A row did not do what it is named after.
pub fn alternate(
    mode: Mode,
    program: &str,
    stage: &mut Stage,
    rows: &[Row],
    rounds: u32,
    mut tell: impl FnMut(&str, &Sample),
) -> Outcome<Vec<Figures>> {
    let mut samples = vec![Vec::new(); rows.len()];
    for _ in 0..rounds {
        stage.begin_round()?;
        for (row, samples) in rows.iter().zip(&mut samples) {
            // A single round is for a glance: nothing is repeated within it.
            let repeats = if rounds == 1 { 1 } else { row.repeats };
            for _ in 0..repeats {
                let sample = row.measure(program, stage)?;
                tell(row.name, &sample);
                samples.push(sample);
            }
        }
    }
    let rows = rows.iter().zip(samples);
    Ok(rows
        .map(|(row, samples)| Figures::of(mode, row, samples))
        .collect())
}
