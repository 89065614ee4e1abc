//! The HTML page about a run.

use crate::plain::{commas, ms};

use super::chart::escape;
use super::checks::Check;
use super::live::by_word;
use super::outcome::Outcome;
use super::plots::plots;
use super::request::COMMANDS;

const STYLE: &str = include_str!("report.css");

/// Writes the page: one file, which asks nobody for anything.
pub fn page(outcome: &Outcome) -> String {
    let title = format!(
        "flashsale load {}, seed {}",
        outcome.shape.word(),
        outcome.seed
    );
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n\
         {}{}{}\n{}\n<div class=\"two\">{}{}</div>\n{}</main></body></html>\n",
        verdict(outcome),
        tiles(outcome),
        checks(outcome),
        plots(outcome),
        answers(outcome),
        latency(outcome),
        facts(outcome),
    )
}

fn verdict(outcome: &Outcome) -> String {
    let failed = outcome.checks.iter().any(|check| !check.passed);
    let class = match (failed, outcome.void_by_ms) {
        (true, _) => "bad",
        (false, Some(_)) => "void",
        (false, None) => "good",
    };
    let mut more = escape(&outcome.summary());
    if let Some(late_ms) = outcome.void_by_ms {
        more += &format!(
            ". The load itself was up to {late_ms:.0} ms late, so its latencies mean nothing"
        );
    }
    format!(
        "<div class=\"verdict {class}\"><strong>{}</strong><p>{more}.</p></div>\n",
        escape(&outcome.verdict())
    )
}

fn tiles(outcome: &Outcome) -> String {
    let quantile = |share| ms(outcome.tally.all_latency.value_at_quantile(share));
    let columns = outcome.tally.series.columns.iter();
    let busiest = columns
        .map(|column| column.answers.iter().sum::<u64>())
        .max();
    let peak = busiest.unwrap_or(0) * 1_000_000 / outcome.tally.series.column_us;
    let mut tiles = vec![
        ("units sold", commas(outcome.sold)),
        ("buyers", commas(outcome.tally.users)),
        ("requests", commas(outcome.tally.requests())),
        ("peak answers/s", commas(peak)),
        ("p50", format!("{} ms", quantile(0.5))),
        ("p95", format!("{} ms", quantile(0.95))),
        ("p99", format!("{} ms", quantile(0.99))),
    ];
    if outcome.tally.killed_us.is_some() {
        tiles.push(("lost in failover", commas(outcome.tally.lost_to_failover)));
    }
    let tile =
        |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>");
    let tiles: Vec<String> = tiles.iter().map(tile).collect();
    format!("<dl class=\"tiles\">{}</dl>\n", tiles.concat())
}

fn checks(outcome: &Outcome) -> String {
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
    let rows: Vec<String> = outcome.checks.iter().map(row).collect();
    format!(
        "<section><h2>Checks</h2><table>{}</table></section>",
        rows.concat()
    )
}

fn answers(outcome: &Outcome) -> String {
    let row = |(command, word, count): &(&str, String, u64)| {
        format!(
            "<tr><td>{command}</td><td class=\"word\"><code>{}</code></td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(word),
            commas(*count),
            outcome.meaning(command, word)
        )
    };
    let rows: Vec<String> = outcome.answers().iter().map(row).collect();
    format!(
        "<section><h2>Answers</h2><table><tr><th>command</th><th>answer</th><th class=\"n\">times</th>\
         <th>meaning</th></tr>{}</table></section>",
        rows.concat()
    )
}

fn latency(outcome: &Outcome) -> String {
    let each = COMMANDS.iter().copied().zip(&outcome.tally.latency);
    let all = [("all", &outcome.tally.all_latency)];
    let late = [("load late", &outcome.tally.behind)];
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

fn facts(outcome: &Outcome) -> String {
    let mut rows = format!(
        "<tr><th>options</th><td><code>flashsale {}</code></td></tr>",
        escape(&outcome.typed)
    );
    for (name, value) in &outcome.facts {
        rows += &format!(
            "<tr><th>{}</th><td class=\"wrap\">{}</td></tr>",
            escape(name),
            escape(value)
        );
    }
    let words: Vec<String> = by_word(&outcome.tally.answers)
        .iter()
        .map(|(word, count)| format!("{} {}", escape(word), commas(*count)))
        .collect();
    rows += &format!("<tr><th>answers</th><td>{}</td></tr>", words.join(", "));
    format!("<section><h2>This run</h2><table>{rows}</table></section>")
}
