//! What became of a run, and the HTML page about it.

use crate::plain::{commas, ms};

use super::chart::escape;
use super::checks::Check;
use super::live::by_word;
use super::options::Shape;
use super::plots::plots;
use super::request::{COMMANDS, Sale};
use super::series::Sample;
use super::tally::Tally;
use super::text::meaning;

const STYLE: &str = include_str!("report.css");

/// A run that is over.
pub struct Report {
    pub shape: Shape,
    pub seed: u64,
    /// The options as typed, without URLs.
    pub typed: String,
    pub checks: Vec<Check>,
    /// How late the load was, if that makes the run void.
    pub void_by_ms: Option<f64>,
    /// What `p95` is held against.
    pub p95_us: u64,
    pub sold: u64,
    pub stock: u64,
    pub samples: Vec<Sample>,
    pub facts: Vec<(&'static str, String)>,
    /// Whether the sale is left on the server.
    pub kept: bool,
    pub sale: Sale,
    pub tally: Tally,
}

impl Report {
    /// Returns how long the run took.
    pub fn seconds(&self) -> f64 {
        let series = &self.tally.series;
        series.columns.len() as f64 * series.column_us as f64 / 1e6
    }

    /// Returns the verdict in one line.
    pub fn verdict(&self) -> String {
        let failed = self.checks.iter().filter(|check| !check.passed).count();
        match (failed, self.void_by_ms) {
            (0, None) => "Every check passed.".into(),
            (0, Some(_)) => "VOID: the books are right, the load was late.".into(),
            (1, _) => "A check FAILED.".into(),
            (failed, _) => format!("{failed} checks FAILED."),
        }
    }

    /// Returns what was sold, by how many answers.
    pub fn summary(&self) -> String {
        let seconds = self.seconds();
        let requests = self.tally.requests();
        format!(
            "{} of {} units sold to {} buyers; {} requests in {seconds:.1} s, {} a second; {} replays, \
             {} paid in the grace, {} paid twice",
            commas(self.sold),
            commas(self.stock),
            commas(self.tally.users),
            commas(requests),
            commas((requests as f64 / seconds.max(0.001)) as u64),
            commas(self.tally.replays),
            commas(self.tally.paid_in_grace),
            commas(self.tally.paid_twice),
        )
    }

    /// Returns command, word and count, by command and the largest first.
    pub fn answers(&self) -> Vec<(&'static str, String, u64)> {
        let mut answers = self.tally.answers.clone();
        answers.sort_by(|one, other| (one.0, other.2, &one.1).cmp(&(other.0, one.2, &other.1)));
        let named = answers.into_iter();
        named
            .map(|(row, word, count)| (COMMANDS[row], word, count))
            .collect()
    }
}

/// Writes the page: one file, which asks nobody for anything.
pub fn page(report: &Report) -> String {
    let title = format!(
        "flashsale load {}, seed {}",
        report.shape.word(),
        report.seed
    );
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n\
         {}{}{}\n{}\n<div class=\"two\">{}{}</div>\n{}</main></body></html>\n",
        verdict(report),
        tiles(report),
        checks(report),
        plots(report),
        answers(report),
        latency(report),
        facts(report),
    )
}

fn verdict(report: &Report) -> String {
    let failed = report.checks.iter().any(|check| !check.passed);
    let class = match (failed, report.void_by_ms) {
        (true, _) => "bad",
        (false, Some(_)) => "void",
        (false, None) => "good",
    };
    let mut more = escape(&report.summary());
    if let Some(late_ms) = report.void_by_ms {
        more += &format!(
            ". The load itself was up to {late_ms:.0} ms late, so its latencies mean nothing"
        );
    }
    format!(
        "<div class=\"verdict {class}\"><strong>{}</strong><p>{more}.</p></div>\n",
        escape(&report.verdict())
    )
}

fn tiles(report: &Report) -> String {
    let quantile = |share| ms(report.tally.all_latency.value_at_quantile(share));
    let columns = report.tally.series.columns.iter();
    let busiest = columns
        .map(|column| column.answers.iter().sum::<u64>())
        .max();
    let peak = busiest.unwrap_or(0) * 1_000_000 / report.tally.series.column_us;
    let mut tiles = vec![
        ("units sold", commas(report.sold)),
        ("buyers", commas(report.tally.users)),
        ("requests", commas(report.tally.requests())),
        ("peak answers/s", commas(peak)),
        ("p50", format!("{} ms", quantile(0.5))),
        ("p95", format!("{} ms", quantile(0.95))),
        ("p99", format!("{} ms", quantile(0.99))),
    ];
    if report.tally.killed_us.is_some() {
        tiles.push(("lost in failover", commas(report.tally.lost_to_failover)));
    }
    let tile =
        |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let tiles: Vec<String> = tiles.iter().map(tile).collect();
    format!("<dl class=\"tiles\">{}</dl>\n", tiles.concat())
}

fn checks(report: &Report) -> String {
    let row = |check: &Check| {
        let (class, word) = if check.passed {
            ("mark-ok", "ok")
        } else {
            ("mark-bad", "FAIL")
        };
        let differences = check.differences.iter();
        let differences: Vec<String> = differences
            .map(|text| format!("<small>{}</small>", escape(text)))
            .collect();
        format!(
            "<tr><td class=\"{class}\">{word}</td><td>{}{}</td><td>{}</td></tr>",
            escape(check.name),
            differences.concat(),
            escape(&check.figures)
        )
    };
    let rows: Vec<String> = report.checks.iter().map(row).collect();
    format!(
        "<section><h2>Checks</h2><table>{}</table></section>",
        rows.concat()
    )
}

fn answers(report: &Report) -> String {
    let row = |(command, word, count): &(&str, String, u64)| {
        format!(
            "<tr><td>{command}</td><td class=\"word\"><code>{}</code></td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(word),
            commas(*count),
            meaning(command, word)
        )
    };
    let rows: Vec<String> = report.answers().iter().map(row).collect();
    format!(
        "<section><h2>Answers</h2><table><tr><th>command</th><th>answer</th><th class=\"n\">times</th>\
         <th>meaning</th></tr>{}</table></section>",
        rows.concat()
    )
}

fn latency(report: &Report) -> String {
    let each = COMMANDS.iter().copied().zip(&report.tally.latency);
    let all = [("all", &report.tally.all_latency)];
    let late = [("load late", &report.tally.behind)];
    let rows = each.chain(all).chain(late);
    let rows = rows.filter(|(_, latency)| !latency.is_empty());
    let row = |(name, latency): (&str, &hdrhistogram::Histogram<u64>)| {
        let cells = [0.5, 0.95, 0.99, 0.999, 1.0].map(|share| {
            format!(
                "<td class=\"n\">{}</td>",
                ms(latency.value_at_quantile(share))
            )
        });
        format!("<tr><td>{name}</td>{}</tr>", cells.concat())
    };
    let rows: Vec<String> = rows.map(row).collect();
    format!(
        "<section><h2>Latency in ms, from the intended moment</h2><table><tr><th></th>\
         <th class=\"n\">p50</th><th class=\"n\">p95</th><th class=\"n\">p99</th><th class=\"n\">p99.9</th>\
         <th class=\"n\">max</th></tr>{}</table></section>",
        rows.concat()
    )
}

fn facts(report: &Report) -> String {
    let typed = format!("flashsale load {}{}", report.shape.word(), report.typed);
    let seed = if report.typed.contains(" --seed ") {
        String::new()
    } else {
        format!(" --seed {}", report.seed)
    };
    let mut rows = format!(
        "<tr><th>options</th><td><code>{}</code></td></tr>",
        escape(&(typed + &seed))
    );
    for (name, value) in &report.facts {
        rows += &format!(
            "<tr><th>{}</th><td class=\"wrap\">{}</td></tr>",
            escape(name),
            escape(value)
        );
    }
    let words: Vec<String> = by_word(&report.tally.answers)
        .iter()
        .map(|(word, count)| format!("{} {}", escape(word), commas(*count)))
        .collect();
    rows += &format!("<tr><th>answers</th><td>{}</td></tr>", words.join(", "));
    format!("<section><h2>This run</h2><table>{rows}</table></section>")
}
