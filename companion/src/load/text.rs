//! The tables at the end, as plain text; colours on a terminal alone.

use std::io::IsTerminal;

use crate::plain::{commas, ms};

use super::checks::Check;
use super::options::{Options, Shape};
use super::report::Report;
use super::request::{COMMANDS, Sale};

/// What a status word meant to the buyers.
const MEANINGS: [(&str, &str, &str); 19] = [
    ("RESERVE", "RESERVED", "units set aside"),
    ("RESERVE", "SOLD", "a second click met its own order"),
    (
        "RESERVE",
        "EXPIRED",
        "a second click came after the deadline: a new id",
    ),
    ("RESERVE", "NOTSTARTED", "too early: asked again"),
    (
        "RESERVE",
        "ALLRESERVED",
        "others might not pay: asked again",
    ),
    ("RESERVE", "SOLDOUT", "for good, or one fewer will do"),
    ("RESERVE", "USERLIMIT", "too many for one user"),
    ("RESERVE", "ORDERLIMIT", "too many for one order"),
    ("REPLACE", "RESERVED", "another item instead"),
    ("REPLACE", "ALLRESERVED", "the cart stayed as it was"),
    ("REPLACE", "SOLDOUT", "the cart stayed as it was"),
    ("REPLACE", "USERLIMIT", "the cart stayed as it was"),
    ("REPLACE", "EXPIRED", "too late: a new id"),
    ("CHECKOUT", "SOLD", "an order, or the same one again"),
    ("CHECKOUT", "EXPIRED", "paid too late: a new id"),
    ("CHECKOUT", "ALREADYSOLD", "paid twice: money to give back"),
    ("CHECKOUT", "NORESERVATION", "lost to the failover"),
    ("RELEASE", "RELEASED", "units given back"),
    ("RELEASE", "EXPIRED", "given back by its deadline"),
];

/// Returns what a word means, if a load can meet it.
pub fn meaning(command: &str, word: &str) -> &'static str {
    let known = MEANINGS
        .iter()
        .find(|(at, name, _)| *at == command && *name == word);
    known.map_or("not expected", |(_, _, meaning)| meaning)
}

/// Returns the lines before the first buyer.
pub fn opening(options: &Options, sale: &Sale, facts: &[(&str, String)]) -> String {
    let rush = match options.shape {
        Shape::Spike => format!(
            "{} buyers within {:?}",
            commas(options.buyers),
            options.within
        ),
        Shape::Tail => format!("{} buyers a second for {:?}", options.rate, options.lasts),
        Shape::Soak => format!("{} buyers a second until stopped", options.rate),
    };
    let how = match options.batch {
        Some(most) => format!("2 connections, {most} requests a batch"),
        None => format!("{} connections", options.connections),
    };
    let mut text = format!(
        "{}: {rush}, {} units, {how}, seed {}\nsale {}\n",
        options.shape.word(),
        commas(options.stock),
        options.seed,
        sale.key
    );
    for (name, value) in facts {
        text += &format!("{name} {value}\n");
    }
    text
}

/// Prints everything.
pub fn print(report: &Report) {
    print!("{}", page(report, std::io::stdout().is_terminal()));
}

fn page(report: &Report, colours: bool) -> String {
    let colours = colours && std::env::var_os("NO_COLOR").is_none();
    let mut text = format!("\n{}\n", paint(&report.summary(), "1", colours));
    answers(report, colours, &mut text);
    latency(report, colours, &mut text);
    text += &format!("\n{}\n", paint("Checks", "1", colours));
    let width = report.checks.iter().map(|check| check.name.len()).max();
    for check in &report.checks {
        push_check(check, width.unwrap_or(0), colours, &mut text);
    }
    text += &format!("\n{}\n", paint(&report.verdict(), "1", colours));
    if let Some(ms) = report.void_by_ms {
        text += &format!(
            "The load itself was up to {ms:.0} ms late: its latencies mean nothing. Give it a quieter \
             machine, fewer buyers, or --behind.\n"
        );
    }
    if report.kept {
        text += &format!(
            "The sale is still there: {} and {}.\n",
            report.sale.key, report.sale.orders
        );
    }
    text += &format!("The same crowd comes again with --seed {}.\n", report.seed);
    text
}

fn push_check(check: &Check, width: usize, colours: bool, text: &mut String) {
    let mark = if check.passed {
        paint("ok  ", "32", colours)
    } else {
        paint("FAIL", "1;31", colours)
    };
    *text += &format!("  {mark}  {:width$}  {}\n", check.name, check.figures);
    for difference in &check.differences {
        *text += &format!("        {difference}\n");
    }
}

fn answers(report: &Report, colours: bool, text: &mut String) {
    *text += &format!("\n{}\n", paint("Answers", "1", colours));
    for (command, word, count) in report.answers() {
        *text += &format!(
            "  {command:<8}  {word:<13} {:>10}  {}\n",
            commas(count),
            meaning(command, &word)
        );
    }
}

fn latency(report: &Report, colours: bool, text: &mut String) {
    let heading =
        "Latency in ms       p50      p95      p99    p99.9      max   (from the intended moment)";
    *text += &format!("\n{}\n", paint(heading, "1", colours));
    let all = [("all", &report.tally.all_latency)];
    let each = COMMANDS.iter().copied().zip(&report.tally.latency);
    let late = [("load late", &report.tally.behind)];
    for (name, latency) in each.chain(all).chain(late) {
        if latency.is_empty() {
            continue;
        }
        *text += &format!("  {name:<12}");
        for share in [0.5, 0.95, 0.99, 0.999, 1.0] {
            *text += &format!(" {:>8}", ms(latency.value_at_quantile(share)));
        }
        text.push('\n');
    }
}

fn paint(text: &str, colour: &str, colours: bool) -> String {
    if colours {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
