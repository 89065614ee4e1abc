//! The live view: printed anew each second on a terminal, else a line each five seconds.

use std::io::{IsTerminal, Write};

use crate::plain::{bar, commas, ms};

/// What the driver and the watcher say of the moment.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub at_us: u64,
    /// Row, word and count.
    pub answers: Vec<(usize, String, u64)>,
    pub users: u64,
    /// Buyers who have not left yet.
    pub here: usize,
    /// p50, p95 and p99 since they were last asked for.
    pub latency_us: [u64; 3],
    pub wants_latency: bool,
    pub lost_to_failover: u64,
    /// The names of the items, and of each: available, reserved, sold.
    pub items: Vec<String>,
    pub stock: Vec<[u64; 3]>,
    /// Entries that the worker was not given yet.
    pub lag: Option<i64>,
}

impl Snapshot {
    /// Returns one of the moment before the start.
    pub fn of(items: &[String]) -> Self {
        Self {
            items: items.to_vec(),
            ..Self::default()
        }
    }
}

/// Prints snapshots.
pub struct View {
    is_terminal: bool,
    /// Lines that the next one overwrites.
    lines: usize,
    last: Option<(u64, u64)>,
}

impl View {
    pub fn new() -> Self {
        Self {
            is_terminal: std::io::stdout().is_terminal(),
            lines: 0,
            last: None,
        }
    }

    /// Returns how many seconds there are between two prints.
    pub fn every_seconds(&self) -> u64 {
        if self.is_terminal { 1 } else { 5 }
    }

    /// Prints one.
    pub fn print(&mut self, live: &Snapshot) {
        let answers: u64 = live.answers.iter().map(|(_, _, count)| count).sum();
        let (before, at_us) = self.last.unwrap_or((0, 0));
        let seconds = (live.at_us.saturating_sub(at_us) as f64 / 1e6).max(0.001);
        let rate = (answers.saturating_sub(before) as f64 / seconds) as u64;
        self.last = Some((answers, live.at_us));
        let text = if self.is_terminal {
            screen(live, rate)
        } else {
            line(live, rate)
        };
        let mut out = std::io::stdout().lock();
        if self.is_terminal && self.lines > 0 {
            // Up, and clear to the end.
            let _ = write!(out, "\x1b[{}A\x1b[J", self.lines);
        }
        self.lines = text.lines().count();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}

/// Returns the sums of the answers by word, the largest first.
pub fn by_word(answers: &[(usize, String, u64)]) -> Vec<(String, u64)> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for (_, word, count) in answers {
        match sums.iter_mut().find(|(known, _)| known == word) {
            Some((_, sum)) => *sum += count,
            None => sums.push((word.clone(), *count)),
        }
    }
    sums.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    sums
}

fn line(live: &Snapshot, rate: u64) -> String {
    let sold: u64 = live.stock.iter().map(|item| item[2]).sum();
    let words: Vec<String> = by_word(&live.answers)
        .iter()
        .take(4)
        .map(|(word, count)| format!("{word} {}", commas(*count)))
        .collect();
    let lag = live.lag.map_or(String::new(), |lag| format!(", lag {lag}"));
    format!(
        "{:6.1} s  {} answers/s, p95 {} ms, {} sold{lag}, {} buyers here; {}\n",
        live.at_us as f64 / 1e6,
        commas(rate),
        ms(live.latency_us[1]),
        commas(sold),
        commas(live.here as u64),
        words.join(", ")
    )
}

fn screen(live: &Snapshot, rate: u64) -> String {
    let mut text = format!(
        "\n  {:.0} s   {} buyers came, {} are here   {} answers/s   p50 {} ms  p95 {} ms  p99 {} ms\n\n",
        live.at_us as f64 / 1e6,
        commas(live.users),
        commas(live.here as u64),
        commas(rate),
        ms(live.latency_us[0]),
        ms(live.latency_us[1]),
        ms(live.latency_us[2]),
    );
    for (sku, stock) in live.items.iter().zip(&live.stock) {
        text += &format!("  {sku:<8} {}\n", bar(*stock, 40));
    }
    text.push('\n');
    for (word, count) in by_word(&live.answers).iter().take(8) {
        text += &format!("  {word:<14} {:>12}\n", commas(*count));
    }
    if let Some(lag) = live.lag {
        text += &format!("\n  the worker's lag {}\n", commas(lag.unsigned_abs()));
    }
    if live.lost_to_failover > 0 {
        text += &format!("\n  lost to the failover: {}\n", live.lost_to_failover);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_moment_in_one_line() {
        let live = Snapshot {
            at_us: 5_000_000,
            answers: vec![
                (0, "SOLDOUT".into(), 2_000),
                (0, "SOLD".into(), 1),
                (2, "SOLD".into(), 6),
            ],
            here: 12,
            latency_us: [500, 1_234, 99_000],
            items: ["red", "green", "blue"].map(String::from).to_vec(),
            stock: vec![[0, 1, 7], [1, 0, 0], [0, 0, 0]],
            lag: Some(3),
            ..Snapshot::default()
        };
        assert_eq!(
            line(&live, 400),
            "   5.0 s  400 answers/s, p95 1.23 ms, 7 sold, lag 3, 12 buyers here; SOLDOUT 2,000, SOLD 7\n"
        );
        assert!(screen(&live, 400).contains("  red      [#"));
    }
}
