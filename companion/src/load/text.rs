//! The tables at the end, as plain text; colours on a terminal alone.

use std::io::IsTerminal;
use std::time::Duration;

use crate::plain::{commas, ms};

use super::checks::Check;
use super::fates;
use super::options::{Options, Shape};
use super::outcome::Outcome;
use super::request::COMMANDS;
use super::rules::Names;
use super::world::World;

/// How long after the last arrival the last buyer leaves, as a rule.
const LAST_LEAVES_WITHIN: Duration = Duration::from_secs(10);

/// Returns the lines before the first buyer.
pub fn opening(options: &Options, seed: u64, world: &World, facts: &[(&str, String)]) -> String {
    let rush = match options.shape {
        Shape::Spike => format!(
            "{} buyers within {:?}",
            commas(options.buyers),
            options.within
        ),
        Shape::Tail => format!("{} buyers a second for {:?}", options.rate(), options.lasts),
        Shape::Soak => format!("{} buyers a second until stopped", options.rate()),
    };
    let how = match options.batch {
        Some(most) => format!("2 connections, {most} requests a batch"),
        None => format!("{} connections", world.connections),
    };
    let line = if options.wait { ", with a line" } else { "" };
    let (shape, stock) = (options.shape.word(), commas(options.stock));
    let mut text = match world.rules.names {
        Names::Plain => format!("{shape}: {rush}, {stock} units{line}, {how}, seed {seed}\n"),
        Names::OfRun(_) => format!("{shape}: {rush}, {how}, seed {seed}\n"),
    };
    match world.sale.key.as_str() {
        "" => text += &format!("sale of {}\n", world.sale.items.join(", ")),
        key => text += &format!("sale {key}\n"),
    }
    if let (Some(at), Some(lasts)) = (options.kill_at, options.arrivals_last())
        && at > lasts + LAST_LEAVES_WITHIN
    {
        text += &format!(
            "--kill-at {at:?}: such a {shape} is usually over before then, and without the kill the run \
             fails. Choose an earlier moment.\n"
        );
    }
    for (name, value) in facts {
        text += &format!("{name} {value}\n");
    }
    text
}

/// Prints everything.
pub fn print(outcome: &Outcome) {
    print!("{}", page(outcome, std::io::stdout().is_terminal()));
}

fn page(outcome: &Outcome, colours: bool) -> String {
    let colours = colours && std::env::var_os("NO_COLOR").is_none();
    let mut text = format!("\n{}\n", paint(&outcome.summary(), "1", colours));
    answers(outcome, colours, &mut text);
    latency(outcome, colours, &mut text);
    let acts = outcome.acts();
    if !acts.is_empty() {
        text += &format!("\n{}", fates::text(&acts));
    }
    text += &format!("\n{}\n", paint("Checks", "1", colours));
    let width = outcome.checks.iter().map(|check| check.name.len()).max();
    for check in &outcome.checks {
        push_check(check, width.unwrap_or(0), colours, &mut text);
    }
    text += &format!("\n{}\n", paint(&outcome.verdict(), "1", colours));
    if let Some(ms) = outcome.void_by_ms {
        text += &format!(
            "The load itself was up to {ms:.0} ms late: its latencies mean nothing. Give it a quieter \
             machine, fewer buyers, or --behind.\n"
        );
    }
    if outcome.kept {
        text += &format!(
            "The sale is still there: {} and {}.\n",
            outcome.sale.key, outcome.sale.orders
        );
    }
    text += &format!("The same crowd comes again with --seed {}.\n", outcome.seed);
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

fn answers(outcome: &Outcome, colours: bool, text: &mut String) {
    *text += &format!("\n{}\n", paint("Answers", "1", colours));
    for (command, word, count) in outcome.answers() {
        *text += &format!(
            "  {command:<8}  {word:<13} {:>10}  {}\n",
            commas(count),
            outcome.meaning(command, &word)
        );
    }
}

fn latency(outcome: &Outcome, colours: bool, text: &mut String) {
    let heading =
        "Latency in ms       p50      p95      p99    p99.9      max   (from the intended moment)";
    *text += &format!("\n{}\n", paint(heading, "1", colours));
    let all = [("all", &outcome.tally.all_latency)];
    let each = COMMANDS.iter().copied().zip(&outcome.tally.latency);
    let late = [("load late", &outcome.tally.behind)];
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
