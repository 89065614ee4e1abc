//! Bloom filters: ours, and beside them RedisBloom's where the server has them.
//!
//! Both are asked about the same items: numbers of 12 digits, of which every other one
//! below the filter's capacity was added.

use crate::reply::Outcome;
use crate::row::{Proof, Row, Sender};
use crate::stage::{Stage, digits};
use crate::wire::{Wire, fill, push};

/// Items of one MADD or MEXISTS.
pub const BATCH: u64 = 100;

/// Ten times the users of the sale.
pub fn capacity_of(population: u64) -> u64 {
    population * 10
}

/// Does the server know `BF.EXISTS`, by itself or by a module loaded for it?
pub fn has_other(wire: &mut Wire) -> Outcome<bool> {
    Ok(wire
        .text(&["COMMAND", "INFO", "BF.EXISTS"])?
        .contains("bf.exists"))
}

/// Makes the filters, half full, and keeps a dump of each for the rows that add.
pub fn fill_filters(stage: &mut Stage, with_other: bool) -> Outcome<()> {
    fill_filter(stage, "FLASHSALE.BF", "seen")?;
    if with_other {
        fill_filter(stage, "BF.", "other")?;
    }
    Ok(())
}

fn fill_filter(stage: &mut Stage, commands: &str, key: &str) -> Outcome<()> {
    let capacity = capacity_of(stage.population);
    let reserve = format!("{commands}RESERVE");
    let size = capacity.to_string();
    stage
        .wire
        .ask(&[&reserve, key, "0.01", &size, "NONSCALING"])?;
    let command = format!("{commands}MADD");
    fill(
        stage.server.port(),
        capacity / 2 / BATCH,
        "",
        |batch, bytes| {
            let first = batch * BATCH;
            let items: Vec<String> = (first..first + BATCH)
                .map(|item| digits(item * 2))
                .collect();
            let mut words = vec![command.as_bytes(), key.as_bytes()];
            words.extend(items.iter().map(String::as_bytes));
            push(bytes, &words);
        },
    )?;
    let card = stage.wire.number(&[&format!("{commands}CARD"), key])?;
    if card.abs_diff(capacity / 2) * 50 > capacity {
        return Err(format!("{commands}: {card} items of {} in the filter", capacity / 2).into());
    }
    stage.wire.keep(key)
}

/// The rows, those of a pair next to each other.
pub fn rows(population: u64, with_other: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for shape in SHAPES {
        rows.push(shape.row(population, "FLASHSALE.BF", "seen", shape.ours));
        if with_other {
            rows.push(shape.row(population, "BF.", "other", shape.others));
        }
    }
    rows
}

struct Shape {
    verb: &'static str,
    ours: &'static str,
    others: &'static str,
    items: u64,
    adds: bool,
}

const SHAPES: [Shape; 4] = [
    Shape {
        verb: "EXISTS",
        ours: "BF.EXISTS",
        others: "RedisBloom EXISTS",
        items: 1,
        adds: false,
    },
    Shape {
        verb: "MEXISTS",
        ours: "BF.MEXISTS 100",
        others: "RedisBloom MEXISTS 100",
        items: BATCH,
        adds: false,
    },
    Shape {
        verb: "ADD",
        ours: "BF.ADD",
        others: "RedisBloom ADD",
        items: 1,
        adds: true,
    },
    Shape {
        verb: "MADD",
        ours: "BF.MADD 100",
        others: "RedisBloom MADD 100",
        items: BATCH,
        adds: true,
    },
];

impl Shape {
    fn row(&self, population: u64, commands: &str, key: &'static str, name: &'static str) -> Row {
        let mut command = vec![format!("{commands}{}", self.verb), key.to_owned()];
        command.extend((0..self.items).map(|_| "__rand_int__".to_owned()));
        let card = match key {
            "seen" => "FLASHSALE.BFCARD",
            _ => "BF.CARD",
        };
        Row {
            name,
            command,
            requests: if self.items > 1 {
                population / 50
            } else {
                population
            },
            range: capacity_of(population),
            is_pipelined: true,
            sender: Sender::Benchmark,
            prepare: match (self.adds, key) {
                (false, _) => None,
                (true, "seen") => Some(|stage| stage.wire.put_back("seen")),
                (true, _) => Some(|stage| stage.wire.put_back("other")),
            },
            says: "#",
            // About half of what is drawn is new.
            proof: if self.adds {
                Proof::Grows([card, key], 40)
            } else {
                Proof::Stays([card, key])
            },
            items: self.items,
            repeats: 1,
        }
    }
}
