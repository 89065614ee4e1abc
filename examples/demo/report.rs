//! The tables at the end.
//!
//! Edge: prints; computes nothing but rates and percentiles.

use std::time::Duration;

use crate::Options;
use crate::print::{Check, commas, heading, print_checks};
use crate::tally::{STEPS, Tally};
use crate::visit::Step;

/// What a status word meant to the buyers here.
const MEANINGS: [(Step, &str, &str); 11] = [
    (Step::Reserve, "RESERVED", "units set aside"),
    (Step::Reserve, "SOLD", "a double click met its own order"),
    (
        Step::Reserve,
        "EXPIRED",
        "a double click came after the deadline: a new id",
    ),
    (Step::Reserve, "NOTSTARTED", "too early: asked again"),
    (
        Step::Reserve,
        "ALLRESERVED",
        "others might not pay: asked again",
    ),
    (Step::Reserve, "SOLDOUT", "for good, or one fewer will do"),
    (Step::Reserve, "USERLIMIT", "too many for one user"),
    (Step::Reserve, "ORDERLIMIT", "too many for one order"),
    (Step::Checkout, "SOLD", "an order, or the same one again"),
    (Step::Checkout, "EXPIRED", "paid too late: a new id"),
    (Step::Release, "RELEASED", "units given back"),
];

/// Prints everything; true when all checks passed.
pub fn print(options: &Options, tally: &Tally, took: Duration, checks: &[Check]) -> bool {
    print_summary(options, tally, took);
    print_answers(tally);
    print_latency(tally);
    println!("{}", heading("Checks"));
    let passed = print_checks(checks);
    for text in &tally.surprise_texts {
        println!("        {text}");
    }
    println!();
    if passed {
        println!("Every check passed.");
    } else {
        println!(
            "A check FAILED: run again with --seed {} to meet the same crowd.",
            options.seed
        );
    }
    passed
}

fn print_summary(options: &Options, tally: &Tally, took: Duration) {
    let seconds = took.as_secs_f64().max(0.001);
    let units: u64 = tally.bought.values().map(|bought| bought.units).sum();
    let rate = (tally.requests() as f64 / seconds) as u64;
    let verdict = if units == options.units {
        "Sold out"
    } else {
        "Everybody has left"
    };
    println!("{}", heading(&format!("{verdict} after {seconds:.2} s")));
    println!(
        "  {:>9}  units sold, in {} orders",
        commas(units),
        commas(tally.bought.len() as u64)
    );
    println!(
        "  {:>9}  requests answered, {} a second",
        commas(tally.requests()),
        commas(rate)
    );
    println!(
        "  {:>9}  requests sent twice, answered as before",
        commas(tally.replays)
    );
    println!(
        "  {:>9}  payments after the deadline, within the grace\n",
        commas(tally.paid_in_grace)
    );
}

fn print_answers(tally: &Tally) {
    println!("{}", heading("Answers"));
    for (step, command) in STEPS {
        let mut answers: Vec<_> = tally
            .answers
            .iter()
            .filter(|((at, _), _)| *at == step)
            .collect();
        answers.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((_, word), count) in answers {
            let known = MEANINGS
                .iter()
                .find(|(at, name, _)| *at == step && name == word);
            let meaning = known.map_or("not expected", |(_, _, meaning)| meaning);
            println!(
                "  {command:<8}  {word:<12} {:>10}  {meaning}",
                commas(*count)
            );
        }
    }
    println!();
}

fn print_latency(tally: &Tally) {
    println!(
        "{}",
        heading(
            "Latency in ms          p50      p99    p99.9      max   (of a request in its batch)"
        )
    );
    for (step, command) in STEPS {
        let latency = tally.latency(step);
        if latency.is_empty() {
            continue;
        }
        let ms = |micros: u64| micros as f64 / 1_000.0;
        println!(
            "  {command:<15} {:>8.2} {:>8.2} {:>8.2} {:>8.2}",
            ms(latency.value_at_quantile(0.5)),
            ms(latency.value_at_quantile(0.99)),
            ms(latency.value_at_quantile(0.999)),
            ms(latency.max())
        );
    }
    println!();
}
