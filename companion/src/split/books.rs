//! All parts as they are: SHARES and INFO of each, as data, and their sums.

use std::collections::{BTreeMap, BTreeSet};

use redis::Value;

use super::names::{Names, PartLinks, probe};
use super::rules::lost::stock_of_living;
use super::rules::reading::{ShareId, Shelf};
use super::shares::{About, ulid};
use crate::link::{explain, field, integer, pairs, string};

/// One part.
#[derive(Debug, Default)]
pub struct Part {
    pub about: About,
    pub shelves: BTreeMap<String, Shelf>,
    /// The numbers of INFO.
    pub info: BTreeMap<String, i64>,
    pub server: String,
}

/// All parts; `None` for one that is not there.
pub struct Books {
    pub parts: Vec<Option<Part>>,
}

impl Books {
    /// Reads all parts, one after the other.
    ///
    /// # Errors
    ///
    /// In words: a part cannot be read.
    pub async fn read(names: &Names, links: &PartLinks) -> Result<Self, String> {
        let mut parts = Vec::with_capacity(names.parts.len());
        for (at, name) in names.parts.iter().enumerate() {
            let link = links.of(at);
            let info = match link.ask(&probe(&name.key)).await {
                Ok(info) => pairs(&info),
                Err(error) if error.code() == Some("NOSALE") => {
                    parts.push(None);
                    continue;
                }
                Err(error) => return Err(format!("{}: {}", name.key, explain(&error))),
            };
            let mut command = redis::cmd("FLASHSALE.SHARES");
            command.arg(&name.key);
            let shares = link.ask(&command).await;
            let shares = shares.map_err(|error| format!("{}: {}", name.key, explain(&error)))?;
            let mut part = part_of(&shares)
                .ok_or_else(|| format!("{}: SHARES answers something else", name.key))?;
            part.server.clone_from(&link.server);
            part.info = info
                .iter()
                .filter_map(|(name, value)| match value {
                    Value::Int(number) => Some((name.clone(), *number)),
                    _ => None,
                })
                .collect();
            parts.push(Some(part));
        }
        Ok(Self { parts })
    }

    /// The parts that are there, with their places.
    pub fn living(&self) -> impl Iterator<Item = (usize, &Part)> + Clone {
        let parts = self.parts.iter().enumerate();
        parts.filter_map(|(at, part)| part.as_ref().map(|part| (at, part)))
    }

    /// The share ids by place.
    pub fn share_ids(&self) -> Vec<Option<ShareId>> {
        let parts = self.parts.iter();
        parts
            .map(|part| part.as_ref().map(|part| part.about.share_id))
            .collect()
    }

    /// All SKUs, in order.
    pub fn skus(&self) -> BTreeSet<&str> {
        let parts = self.living();
        parts
            .flat_map(|(_, part)| part.shelves.keys().map(String::as_str))
            .collect()
    }

    /// An item in all parts; empty where there is none.
    pub fn shelves(&self, sku: &str) -> Vec<Shelf> {
        let shelf = |part: &Option<Part>| {
            let part = part.as_ref()?;
            part.shelves.get(sku).cloned()
        };
        self.parts
            .iter()
            .map(|part| shelf(part).unwrap_or_default())
            .collect()
    }

    /// An item in the parts that are there, by share id.
    pub fn rows<'s>(&'s self, sku: &'s str) -> impl Iterator<Item = (ShareId, &'s Shelf)> + Clone {
        self.living().filter_map(move |(_, part)| {
            let shelf = part.shelves.get(sku)?;
            Some((part.about.share_id, shelf))
        })
    }

    /// The sums of an item.
    pub fn sums(&self, sku: &str) -> Sums {
        let share_ids = self.share_ids();
        let is_living = |share_id: &ShareId| share_ids.contains(&Some(*share_id));
        let mut sums = Sums {
            stock: stock_of_living(self.rows(sku)),
            ..Sums::default()
        };
        for shelf in self.shelves(sku) {
            sums.available += shelf.available;
            sums.reserved += shelf.reserved;
            sums.sold += shelf.sold;
            sums.owed += shelf.owed;
            sums.asked += shelf.asked;
            let dead = |list: &[(ShareId, u64)]| -> u64 {
                let dead = list.iter().filter(|(share_id, _)| !is_living(share_id));
                dead.map(|(_, total)| total).sum()
            };
            sums.given_to_dead += dead(&shelf.given);
            sums.taken_from_dead += dead(&shelf.taken);
            sums.given += shelf.given.iter().map(|(_, total)| total).sum::<u64>();
            sums.taken += shelf.taken_in_all();
        }
        sums
    }
}

/// One item over all parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// What the living parts have of all stock.
    pub stock: i128,
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
    pub owed: u64,
    pub asked: u64,
    pub given: u64,
    pub taken: u64,
    /// To and from share ids that no part has any more.
    pub given_to_dead: u64,
    pub taken_from_dead: u64,
}

/// Reads an answer of SHARES.
pub fn part_of(answer: &Value) -> Option<Part> {
    let fields = pairs(answer);
    let text = |name: &str| field(&fields, name).map(string).unwrap_or_default();
    let Some(Value::Array(rows)) = field(&fields, "items") else {
        return None;
    };
    let mut shelves = BTreeMap::new();
    for row in rows {
        let (sku, shelf) = shelf_of(row)?;
        shelves.insert(sku, shelf);
    }
    Some(Part {
        about: About {
            sale_id: text("sale_id"),
            share_id: ulid(text("share_id").as_bytes())?,
            group: text("group"),
            state: text("state"),
            refunded: integer(&fields, "refunded")?.unsigned_abs(),
        },
        shelves,
        ..Part::default()
    })
}

fn shelf_of(row: &Value) -> Option<(String, Shelf)> {
    let Value::Array(row) = row else {
        return None;
    };
    let [
        sku,
        available,
        reserved,
        sold,
        owed,
        base,
        asked,
        waiting,
        given,
        taken,
        ..,
    ] = row.as_slice()
    else {
        return None;
    };
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    };
    let units = |value: &Value| number(value).map(i64::unsigned_abs);
    let shelf = Shelf {
        available: units(available)?,
        reserved: units(reserved)?,
        sold: units(sold)?,
        owed: units(owed)?,
        base: number(base)?,
        asked: units(asked)?,
        waiting: units(waiting)?,
        given: totals(given)?,
        taken: totals(taken)?,
    };
    Some((string(sku), shelf))
}

fn totals(list: &Value) -> Option<Vec<(ShareId, u64)>> {
    let Value::Array(list) = list else {
        return None;
    };
    let pair = |pair: &Value| match pair {
        Value::Array(pair) => match pair.as_slice() {
            [share_id, Value::Int(total)] => {
                Some((ulid(string(share_id).as_bytes())?, total.unsigned_abs()))
            }
            _ => None,
        },
        _ => None,
    };
    list.iter().map(pair).collect()
}
