//! The rows of the part `batch`: commands for many buyers beside the single commands, and
//! beside what else Redis offers.
//!
//! The single commands are those of `rows.rs`. All rows are sent by the same load, as many
//! entries on the way on a connection as single commands, and no id comes twice.

use crate::bout::Mode;
use crate::row::{Prepare, Proof, Row, Sender};
use crate::rows;
use crate::stage::{NEW, OLD, ORDERS, SALE, Scripts, Stage};

/// Entries of a batch in the comparisons.
pub const ENTRIES: u64 = 64;

/// The sizes of the curve, and the names of their rows.
pub const CURVE: [(u64, &str); 7] = [
    (1, "MRESERVE 1"),
    (8, "MRESERVE 8"),
    (32, "MRESERVE 32"),
    (64, "MRESERVE 64"),
    (128, "MRESERVE 128"),
    (256, "MRESERVE 256"),
    (1000, "MRESERVE 1000"),
];

/// An id of a new reservation; those that were there before begin with `01`.
const FRESH_NEW: &str = "02__new__int____rand_int__";
/// The id of a reservation that was there before the row.
const NEXT_OLD: &str = "01000000000000__next_int__";

/// The rows of a mode; those that make a ratio stand next to each other.
pub fn rows(mode: Mode, population: u64, scripts: &Scripts) -> Vec<Row> {
    let singles = rows::without_aof(population, scripts);
    let single = |names: &[&str]| -> Vec<Row> {
        let rows = names
            .iter()
            .filter_map(|name| singles.iter().find(|row| row.name == *name));
        rows.map(|row| sent_alike(row.clone(), population))
            .collect()
    };
    let is_compared = |size: u64| mode != Mode::BatchReplica || size == ENTRIES;
    let mut rows = single(&["HINCRBY", "RESERVE"]);
    let curve = CURVE.iter().filter(|(size, _)| is_compared(*size));
    rows.extend(curve.map(|(size, name)| reserve(name, *size, population)));
    rows.extend(single(&["Lua reserve"]));
    if mode == Mode::BatchReplica {
        return rows;
    }
    if mode == Mode::BatchMemory {
        rows.extend(single(&["INCR", "RESERVE sold out"]));
        rows.push(sold_out(population));
        rows.extend(single(&["Lua sold out", "BUY"]));
        rows.push(buy(population));
    }
    rows.extend(single(&["XADD", "CHECKOUT"]));
    rows.push(checkout(population));
    rows.extend(single(&["Lua checkout"]));
    rows
}

/// The row with ids that do not come twice, sent by the load of the batches.
fn sent_alike(row: Row, population: u64) -> Row {
    let is_of_old = row.command.iter().any(|word| word.contains(OLD));
    let words = row.command.iter();
    Row {
        command: words
            .map(|word| word.replace(NEW, FRESH_NEW).replace(OLD, NEXT_OLD))
            .collect(),
        requests: match is_of_old {
            true => of_old(population),
            false => row.requests,
        },
        sender: Sender::Pump,
        repeats: 1,
        ..row
    }
}

/// How many reservations that were there before are checked out: more than a cache holds, and
/// not all, because samples have used some.
fn of_old(population: u64) -> u64 {
    population / 2
}

/// A batch: the words before its entries, one entry, and how many there are of it.
struct Shape {
    name: &'static str,
    head: String,
    entry: String,
    size: u64,
    entries: u64,
    prepare: Option<Prepare>,
    says: &'static str,
    proof: Proof,
}

impl Shape {
    fn row(self, population: u64) -> Row {
        let entry: Vec<String> = self.entry.split(' ').map(str::to_owned).collect();
        let head = format!("{} ENTRIES {}", self.head, self.size);
        let mut command: Vec<String> = head.split(' ').map(str::to_owned).collect();
        for _ in 0..self.size {
            command.extend_from_slice(&entry);
        }
        Row {
            name: self.name,
            command,
            requests: (self.entries / self.size).max(1),
            range: population,
            is_pipelined: true,
            sender: Sender::Pump,
            prepare: self.prepare,
            says: self.says,
            proof: self.proof,
            items: self.size,
            repeats: 1,
        }
    }
}

fn reserve(name: &'static str, size: u64, population: u64) -> Row {
    let shape = Shape {
        name,
        head: format!("FLASHSALE.MRESERVE {SALE}"),
        entry: format!("__rand_int__ 1 {FRESH_NEW}"),
        size,
        entries: population,
        prepare: Some(Stage::renew_sale),
        says: "RESERVED",
        proof: Proof::Outcome("reserved", 100),
    };
    shape.row(population)
}

fn sold_out(population: u64) -> Row {
    let shape = Shape {
        name: "MRESERVE sold out 64",
        head: "FLASHSALE.MRESERVE sold".into(),
        entry: format!("__rand_int__ 1 {FRESH_NEW}"),
        size: ENTRIES,
        entries: population,
        prepare: None,
        says: "SOLDOUT",
        proof: Proof::Outcome("soldout", 100),
    };
    shape.row(population)
}

fn buy(population: u64) -> Row {
    let shape = Shape {
        name: "MBUY 64",
        head: format!("FLASHSALE.MBUY {SALE} {ORDERS}"),
        // BUY beside it has no REF either. The load splits at blanks; an empty word is left.
        entry: format!("__rand_int__ 1 {FRESH_NEW} "),
        size: ENTRIES,
        entries: population,
        prepare: Some(Stage::renew_sale),
        says: "SOLD",
        proof: Proof::Outcome("sold", 100),
    };
    shape.row(population)
}

fn checkout(population: u64) -> Row {
    let shape = Shape {
        name: "MCHECKOUT 64",
        head: format!("FLASHSALE.MCHECKOUT {SALE} {ORDERS}"),
        entry: format!("{NEXT_OLD} "),
        size: ENTRIES,
        entries: of_old(population),
        prepare: Some(Stage::renew_sale),
        says: "SOLD",
        proof: Proof::Outcome("sold", 100),
    };
    shape.row(population)
}
