//! What has to hold, as far as HTTP alone shows it: the stock, and each promise.
//!
//! Edge: compares what a gateway says in the end with what buyers were told; asks nobody. The
//! stream is not to be seen from here, so a sale without an entry goes unnoticed.

use std::collections::HashMap;

use crate::plain::commas;

use super::books::Books;
use super::checks::{Check, Expected, promises, sold_out, surprises};
use super::tally::Tally;

/// Makes every check. `before` is the stock of the beginning, `books` what there is in the end.
pub fn check(expected: &Expected, tally: &Tally, before: &[[u64; 3]], books: &Books) -> Vec<Check> {
    vec![
        oversold(expected, books),
        user_limit(expected, tally),
        told(expected, tally, before, books),
        promises(expected, tally, books),
        sold_out(expected, tally, books),
        surprises(tally),
    ]
}

fn oversold(expected: &Expected, books: &Books) -> Check {
    let mut wrong = Vec::new();
    for ((sku, stock), [available, reserved, sold]) in
        expected.items.iter().zip(&expected.stock).zip(&books.stock)
    {
        if available + reserved + sold != *stock {
            wrong.push(format!(
                "{sku}: {available} available + {reserved} reserved + {sold} sold is not {stock}"
            ));
        }
    }
    let sold: u64 = books.stock.iter().map(|item| item[2]).sum();
    let stock: u64 = expected.stock.iter().sum();
    let figures = format!("{} of {} units sold", commas(sold), commas(stock));
    Check::of("oversold: 0", figures, wrong)
}

fn user_limit(expected: &Expected, tally: &Tally) -> Check {
    let mut by_user: HashMap<u64, u64> = HashMap::new();
    for bought in tally.bought.values() {
        let second = bought.second.map_or(0, |line| line.1);
        *by_user.entry(bought.user).or_default() += bought.first.1 + second;
    }
    let over = by_user
        .iter()
        .filter(|(_, units)| **units > expected.user_limit);
    let over: Vec<String> = over
        .map(|(user, units)| {
            let name = expected.names.user(*user);
            format!(
                "{name} was told of {units}, and may have {}",
                expected.user_limit
            )
        })
        .collect();
    let figures = format!("{} of {} users", over.len(), commas(by_user.len() as u64));
    Check::of("users above the limit: 0", figures, over)
}

/// Every request is asked again until it is answered, so each order has been told to somebody.
fn told(expected: &Expected, tally: &Tally, before: &[[u64; 3]], books: &Books) -> Check {
    let mut told = vec![0; expected.items.len()];
    for bought in tally.bought.values() {
        for (item, units) in [Some(bought.first), bought.second].into_iter().flatten() {
            told[item] += units;
        }
    }
    let mut wrong = Vec::new();
    for (at, sku) in expected.items.iter().enumerate() {
        let sold = books.stock[at][2].saturating_sub(before[at][2]);
        let is_more = sold > told[at] && tally.unanswered == 0;
        if sold < told[at] || is_more {
            wrong.push(format!(
                "{sku}: {sold} were sold, buyers were told of {}",
                told[at]
            ));
        }
    }
    let figures = format!("{} units", commas(told.iter().sum()));
    Check::of(
        "units sold = units that buyers were told of",
        figures,
        wrong,
    )
}
