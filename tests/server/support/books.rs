//! The books of the sale `sale` and its stream `orders`, read in one step, and what
//! must add up in them whatever happened before.

use std::collections::BTreeMap;

use redis::Value;

use super::con::Con;
use super::load::Ack;
use super::reply::{render, text_of};
use super::story::Fact;

/// Units per SKU.
pub type Units = BTreeMap<String, u64>;

/// All of it in one script, so that nothing expires between two reads.
const READ: &str = "'local sale, orders = KEYS[1], KEYS[2] \
     local ids, cursor = {}, \"0\" \
     repeat local page = redis.call(\"FLASHSALE.SCAN\", sale, cursor, \"COUNT\", 100000) \
       cursor = page[1] for _, id in ipairs(page[2]) do ids[#ids + 1] = id end \
     until cursor == \"0\" \
     local records, users, seen = {}, {}, {} \
     for i, id in ipairs(ids) do \
       local record = redis.call(\"FLASHSALE.GET\", sale, id) \
       records[i] = {id, record} \
       local user = record[4] \
       if user and not seen[user] then \
         seen[user] = true \
         users[#users + 1] = {user, redis.call(\"FLASHSALE.USER\", sale, user)} \
       end \
     end \
     return {redis.call(\"FLASHSALE.STOCK\", sale), records, users, \
       redis.call(\"XRANGE\", orders, \"-\", \"+\")}'";

/// What FLASHSALE.GET tells.
#[derive(PartialEq, Eq, Debug)]
pub struct Record {
    pub state: String,
    pub user: String,
    pub units: Units,
    pub refunded: Units,
    pub expires_at_ms: u64,
    pub order: String,
}

/// One entry of the stream.
#[derive(PartialEq, Eq, Debug)]
pub struct Entry {
    pub at: String,
    pub is_refund: bool,
    pub id: String,
    pub user: String,
    pub units: Units,
    pub reference: String,
    pub is_restocked: bool,
}

#[derive(PartialEq, Eq, Debug)]
pub struct Books {
    /// Available, reserved, sold.
    pub stock: BTreeMap<String, [u64; 3]>,
    pub records: BTreeMap<String, Record>,
    /// Reserved, sold, counted against USERLIMIT.
    pub users: BTreeMap<String, [u64; 3]>,
    pub entries: Vec<Entry>,
}

impl Books {
    #[track_caller]
    pub fn read(con: &mut Con) -> Books {
        let reply = con.run(&format!("EVAL_RO {READ} 2 sale orders"));
        let parts = list(&reply);
        let stock = list(&parts[0]).iter().map(|item| {
            let words: Vec<String> = list(item).iter().map(text_of).collect();
            (words[0].clone(), [1, 2, 3].map(|at| number(&words[at])))
        });
        let pair = |value: &Value| {
            let pair = list(value);
            (text_of(&pair[0]), fields(&pair[1]))
        };
        let records = list(&parts[1]).iter().map(pair);
        let users = list(&parts[2]).iter().map(pair);
        Books {
            stock: stock.collect(),
            records: records.map(|(id, told)| (id, record(&told))).collect(),
            users: users
                .map(|(user, told)| {
                    let count = |name: &str| number(&text_of(&told[name]));
                    (user, ["reserved", "sold", "counted"].map(count))
                })
                .collect(),
            entries: list(&parts[3]).iter().map(entry).collect(),
        }
    }

    /// Asserts that nothing differs, and shows what does.
    #[track_caller]
    pub fn are(&self, others: &Books) {
        assert_eq!(self.stock, others.stock);
        let ids = self.records.keys().chain(others.records.keys());
        for id in ids {
            assert_eq!(self.records.get(id), others.records.get(id), "{id}");
        }
        let last = (self.entries.last(), others.entries.last());
        assert_eq!(last.0, last.1, "the last entry");
        assert!(self == others, "the books differ");
    }

    /// Does the surviving history hold what was promised?
    pub fn hold(&self, ack: &Ack) -> bool {
        let Some(record) = self.records.get(&ack.id) else {
            return false;
        };
        match &ack.fact {
            Fact::Until(until_ms) => record.expires_at_ms >= *until_ms,
            Fact::Ordered(at) => record.order == *at && self.has(at, &ack.id, false),
            Fact::Refunded(at) => self.has(at, &ack.id, true),
            Fact::Released => record.state == "released",
        }
    }

    fn has(&self, at: &str, id: &str, is_refund: bool) -> bool {
        let found = self
            .entries
            .binary_search_by_key(&entry_key(at), |entry| entry_key(&entry.at));
        found.is_ok_and(|index| {
            let entry = &self.entries[index];
            entry.id == id && entry.is_refund == is_refund
        })
    }

    /// Asserts that everything adds up: for each item the units it was made with, the
    /// records against the stock, the stream against the records, the users within
    /// their limit, and no transaction half done.
    #[track_caller]
    pub fn balance(&self, made_with: &[(&str, u64)], user_limit: u64) {
        self.items_add_up(made_with);
        self.stream_agrees();
        self.users_add_up(user_limit);
        for (id, record) in &self.records {
            let is_whole = matches!(record.state.as_str(), "sold" | "refunded");
            assert!(
                is_whole || !id.starts_with('t'),
                "{id}: reserved and checked out in one step, yet it is {}",
                record.state
            );
        }
    }

    #[track_caller]
    fn items_add_up(&self, made_with: &[(&str, u64)]) {
        for (sku, made) in made_with {
            let [available, reserved, sold] = self.stock[*sku];
            let gone: u64 = self
                .entries
                .iter()
                .filter(|entry| entry.is_refund && !entry.is_restocked)
                .map(|entry| of(&entry.units, sku))
                .sum();
            assert_eq!(
                available + reserved + sold + gone,
                *made,
                "{sku}: available {available}, reserved {reserved}, sold {sold}, not restocked {gone}"
            );
            let sum = |states: &[&str]| -> u64 {
                let records = self.records.values();
                let counted = records.filter(|record| states.contains(&record.state.as_str()));
                counted
                    .map(|record| of(&record.units, sku) - of(&record.refunded, sku))
                    .sum()
            };
            assert_eq!(reserved, sum(&["reserved"]), "{sku}: reserved");
            assert_eq!(sold, sum(&["sold", "refunded"]), "{sku}: sold");
        }
    }

    #[track_caller]
    fn stream_agrees(&self) {
        let mut orders: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut refunds: BTreeMap<&str, (Units, Vec<&str>)> = BTreeMap::new();
        for entry in &self.entries {
            if entry.is_refund {
                let (units, references) = refunds.entry(&entry.id).or_default();
                assert!(
                    !references.contains(&entry.reference.as_str()),
                    "{}: refunded twice under '{}'",
                    entry.id,
                    entry.reference
                );
                references.push(&entry.reference);
                for (sku, qty) in &entry.units {
                    *units.entry(sku.clone()).or_default() += qty;
                }
                continue;
            }
            let twice = orders.insert(&entry.id, entry);
            assert_eq!(twice, None, "{}: sold twice", entry.id);
        }
        for (id, record) in &self.records {
            let order = orders.remove(id.as_str());
            let (back, _) = refunds.remove(id.as_str()).unwrap_or_default();
            assert_eq!(back, record.refunded, "{id}: refunded");
            let told = order.map(|entry| (&entry.at, &entry.user, &entry.units));
            let is_sold = matches!(record.state.as_str(), "sold" | "refunded");
            let kept = is_sold.then_some((&record.order, &record.user, &record.units));
            assert_eq!(told, kept, "{id}: the stream and the sale");
        }
        assert_eq!(orders, BTreeMap::new(), "orders of unknown ids");
        assert_eq!(refunds, BTreeMap::new(), "refunds of unknown ids");
    }

    #[track_caller]
    fn users_add_up(&self, user_limit: u64) {
        for (user, [reserved, sold, counted]) in &self.users {
            let mut sums = [0, 0];
            for record in self.records.values().filter(|record| record.user == *user) {
                let left: u64 =
                    record.units.values().sum::<u64>() - record.refunded.values().sum::<u64>();
                match record.state.as_str() {
                    "reserved" => sums[0] += left,
                    "sold" | "refunded" => sums[1] += left,
                    _ => {}
                }
            }
            assert_eq!([*reserved, *sold], sums, "{user}: reserved and sold");
            assert!(
                reserved + sold <= *counted && *counted <= user_limit,
                "{user}: counted {counted}, reserved {reserved}, sold {sold}, limit {user_limit}"
            );
        }
    }
}

fn record(told: &BTreeMap<String, Value>) -> Record {
    Record {
        state: text_of(&told["state"]),
        user: text_of(&told["user"]),
        units: units(&told["items"]),
        refunded: units(&told["refunded"]),
        expires_at_ms: text_of(&told["expires_at_ms"]).parse().unwrap_or(0),
        order: text_of(&told["order_id"]),
    }
}

fn entry(value: &Value) -> Entry {
    let pair = list(value);
    let told = fields(&pair[1]);
    let text = |name: &str| told.get(name).map(text_of).unwrap_or_default();
    let items: serde_json::Value = serde_json::from_str(&text("items")).expect("JSON");
    let line = |item: &serde_json::Value| {
        let sku = item["sku"].as_str().expect("a SKU").to_owned();
        (sku, item["qty"].as_u64().expect("a quantity"))
    };
    let lines = items.as_array().expect("an array").iter().map(line);
    Entry {
        at: text_of(&pair[0]),
        is_refund: text("event") == "refund",
        id: text("id"),
        user: text("user"),
        units: lines.collect(),
        reference: text("ref"),
        is_restocked: text("restocked") == "1",
    }
}

/// A stream ID in its order.
pub fn entry_key(at: &str) -> (u64, u64) {
    let (ms, seq) = at.split_once('-').expect("a stream ID");
    (number(ms), number(seq))
}

fn of(units: &Units, sku: &str) -> u64 {
    units.get(sku).copied().unwrap_or(0)
}

#[track_caller]
fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn units(value: &Value) -> Units {
    if *value == Value::Nil {
        return Units::new();
    }
    let lines = list(value).iter().map(|line| {
        let line = list(line);
        (text_of(&line[0]), number(&text_of(&line[1])))
    });
    lines.collect()
}

#[track_caller]
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        other => panic!("not an array: {}", render(other)),
    }
}

#[track_caller]
fn fields(value: &Value) -> BTreeMap<String, Value> {
    let pairs = list(value).chunks(2);
    pairs
        .map(|pair| (text_of(&pair[0]), pair[1].clone()))
        .collect()
}
