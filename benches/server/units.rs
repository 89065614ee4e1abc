//! Units with names: two seats of 80,000 beside two units by number, a code beside a checkout, and
//! what a name takes.
//!
//! Edge: costs are the time that the server's main thread ran for a call; the calls are pipelined,
//! AOF off. RESTOCK and UNITS of 10,000 names are told by the server's own account of a call.

use crate::growth::Setups;
use crate::line::time;
use crate::print::commas;
use crate::reply::Outcome;
use crate::row::calls_of;
use crate::stage::{self, Names, ORDERS, SALE, Stage};
use crate::table::{Table, number};
use crate::targets::{Aim, Target};
use crate::wire::{Wire, fill, push};

/// Seats of the hall, in rows of [`ROW`].
const SEATS: u64 = 80_000;
const ROW: u64 = 100;
/// Of each row so many seats are left, in pairs, when nine of ten are gone.
const LEFT: u64 = ROW / 10;
/// Rows of two seats each.
const ROWS: u64 = 100_000;
/// Most names of one call.
const CALL: u64 = 10_000;
/// The sale by number beside [`SALE`].
const COUNTED: &str = "counted";

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Units {
    /// RESERVE of two, in nanoseconds of the main thread: by number, of all seats, of the tenth
    /// that is left, and of very many rows.
    pub counted_ns: f64,
    pub seats_ns: f64,
    pub left_ns: f64,
    pub rows_ns: f64,
    /// CHECKOUT of one unit without a name, and of one code.
    pub checkout_ns: f64,
    pub code_ns: f64,
    pub restock_us: f64,
    pub read_us: f64,
    pub unit_bytes: f64,
}

impl Units {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("reserve_2_counted_ns", self.counted_ns),
            ("reserve_2_seats_ns", self.seats_ns),
            ("reserve_2_left_ns", self.left_ns),
            ("reserve_2_rows_ns", self.rows_ns),
            ("checkout_ns", self.checkout_ns),
            ("checkout_code_ns", self.code_ns),
            ("restock_10000_us", self.restock_us),
            ("units_10000_us", self.read_us),
            ("bytes_a_unit", self.unit_bytes),
        ]
    }

    /// A line a figure.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["units with names", ""]);
        let (seats, rows) = (commas(SEATS), commas(ROWS));
        for (name, value, places) in [
            (
                "RESERVE 2 by number, server ns".to_owned(),
                self.counted_ns,
                0,
            ),
            (format!("RESERVE 2 of {seats} seats"), self.seats_ns, 0),
            ("the same, nine of ten are gone".to_owned(), self.left_ns, 0),
            (format!("RESERVE 2 of {rows} rows"), self.rows_ns, 0),
            ("CHECKOUT of 1".to_owned(), self.checkout_ns, 0),
            ("CHECKOUT of 1 code".to_owned(), self.code_ns, 0),
            ("RESTOCK of 10,000 names, us".to_owned(), self.restock_us, 0),
            ("UNITS of 10,000, us".to_owned(), self.read_us, 0),
            ("memory B a unit".to_owned(), self.unit_bytes, 1),
        ] {
            table.add(vec![name, number(value, places)]);
        }
        table
    }

    /// What they are meant to reach.
    pub fn targets(&self) -> Vec<Target> {
        let target = |name: String, aim, measured, unit| Target {
            name,
            aim,
            measured: Some(measured),
            unit,
        };
        let ratio = |name: String, ours_ns: f64, theirs_ns: f64, aim| {
            target(name, Aim::AtLeast(aim), theirs_ns / ours_ns, "×")
        };
        let reserve = |what: String, ns| {
            let name = format!("RESERVE 2 of {what} : by number");
            ratio(name, ns, self.counted_ns, 0.7)
        };
        let seats = commas(SEATS);
        vec![
            reserve(format!("{seats} seats"), self.seats_ns),
            reserve(format!("{seats} seats, a tenth left"), self.left_ns),
            reserve(format!("{} rows", commas(ROWS)), self.rows_ns),
            ratio(
                "CHECKOUT of a code : CHECKOUT".into(),
                self.code_ns,
                self.checkout_ns,
                0.9,
            ),
            target(
                "RESTOCK of 10,000 names".into(),
                Aim::AtMost(5.0),
                self.restock_us / 1e3,
                "ms",
            ),
            target(
                "UNITS of 10,000".into(),
                Aim::AtMost(2.0),
                self.read_us / 1e3,
                "ms",
            ),
            target(
                "memory a unit with a name".into(),
                Aim::AtMost(45.0),
                self.unit_bytes,
                "B",
            ),
        ]
    }
}

/// Measures all of it, each the median of the rounds.
pub fn measure(setups: &Setups, rounds: u32) -> Outcome<Units> {
    let mut stage = Stage::open(&setups.plain, SEATS / 2)?;
    let mut taken: [Vec<f64>; 9] = Default::default();
    for _ in 0..rounds {
        let figures = measure_once(&mut stage)?;
        for (all, one) in taken.iter_mut().zip(figures) {
            all.push(one);
        }
    }
    let [
        counted,
        seats,
        left,
        rows,
        checkout,
        code,
        restock,
        read,
        bytes,
    ] = taken.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken.get(taken.len() / 2).copied().unwrap_or_default()
    });
    Ok(Units {
        counted_ns: counted,
        seats_ns: seats,
        left_ns: left,
        rows_ns: rows,
        checkout_ns: checkout,
        code_ns: code,
        restock_us: restock,
        read_us: read,
        unit_bytes: bytes,
    })
}

/// One round, in the order of the fields.
fn measure_once(stage: &mut Stage) -> Outcome<[f64; 9]> {
    let wire = &mut stage.wire;
    stage::create(wire, COUNTED, ORDERS, &["ITEMS", "1", "seat", "1000000"])?;
    hall(wire)?;
    wire.wait_until_quiet()?;
    let before = wire.number(&["MEMORY", "USAGE", "empty"])?;
    let bytes = wire
        .number(&["MEMORY", "USAGE", SALE])?
        .saturating_sub(before);
    stage.population = SEATS / 2;
    let counted = time(stage, "RESERVED", reserve(COUNTED, 0, 2))?;
    let seats = time(stage, "RESERVED", reserve(SALE, 0, 2))?;
    hall(&mut stage.wire)?;
    let port = stage.server.port();
    fill(port, SEATS / ROW, "RESERVED", nine_of_ten)?;
    stage.population = SEATS / 10 / 2;
    let left = time(stage, "RESERVED", reserve(SALE, 0, 2))?;
    stage::create(&mut stage.wire, SALE, ORDERS, &["ITEMS", "1", "seat", "0"])?;
    fill(port, ROWS, "RESTOCKED", pair_of_seats)?;
    stage.population = SEATS / 2;
    let rows = time(stage, "RESERVED", reserve(SALE, 0, 2))?;
    let [checkout, code] = checkouts(stage)?;
    let [restock, read] = calls(&mut stage.wire)?;
    let bytes = bytes as f64 / SEATS as f64;
    Ok([
        counted, seats, left, rows, checkout, code, restock, read, bytes,
    ])
}

/// Makes the sale anew, with all its seats, and an empty one beside it.
fn hall(wire: &mut Wire) -> Outcome<()> {
    stage::create(wire, "empty", "empty:orders", &["ITEMS", "1", "seat", "0"])?;
    stage::create(wire, SALE, ORDERS, &["ITEMS", "1", "seat", "0"])?;
    for row in 0..SEATS / ROW {
        let names = (0..ROW).map(|seat| seat_of(row, seat));
        restock(wire, SALE, "seat", &names.collect::<Vec<_>>(), &[])?;
    }
    Ok(())
}

fn seat_of(row: u64, seat: u64) -> String {
    format!("{row:03}-{seat:02}")
}

fn restock(wire: &mut Wire, key: &str, sku: &str, names: &[String], last: &[&str]) -> Outcome<()> {
    let count = names.len().to_string();
    let mut words = vec!["FLASHSALE.RESTOCK", key, "UNITS", sku, &count];
    words.extend(names.iter().map(String::as_str));
    words.extend(last);
    wire.ask(&words)?;
    Ok(())
}

/// The request of a user for so many seats, the users from this one on.
fn reserve(key: &'static str, first: u64, qty: u64) -> impl Fn(u64, &mut Vec<u8>) + Send {
    let qty = qty.to_string();
    move |at, bytes| {
        let (user, id) = Names::Lifelike.of(first + at);
        let words = [
            "FLASHSALE.RESERVE",
            key,
            &user,
            "ITEMS",
            "1",
            "seat",
            &qty,
            "ID",
            &id,
        ];
        push(bytes, &words.map(str::as_bytes));
    }
}

/// Takes all seats of a row but some pairs.
fn nine_of_ten(row: u64, bytes: &mut Vec<u8>) {
    let is_left = |seat: &u64| seat % (2 * ROW / LEFT) < 2;
    let names: Vec<String> = (0..ROW)
        .filter(|seat| !is_left(seat))
        .map(|seat| seat_of(row, seat))
        .collect();
    let (user, id) = Names::Lifelike.of(1_000_000 + row);
    let count = names.len().to_string();
    let mut words = vec!["FLASHSALE.RESERVE", SALE, &user, "UNITS", &count];
    words.extend(names.iter().map(String::as_str));
    words.extend(["ID", &id]);
    let words: Vec<&[u8]> = words.into_iter().map(str::as_bytes).collect();
    push(bytes, &words);
}

/// Adds a row of two seats.
fn pair_of_seats(row: u64, bytes: &mut Vec<u8>) {
    let names = [format!("{row}-1"), format!("{row}-2")];
    let words = [
        "FLASHSALE.RESTOCK",
        SALE,
        "UNITS",
        "seat",
        "2",
        &names[0],
        &names[1],
    ];
    push(bytes, &words.map(str::as_bytes));
}

/// What a CHECKOUT takes, of one unit without a name and of one code.
fn checkouts(stage: &mut Stage) -> Outcome<[f64; 2]> {
    let mut taken = [0.0; 2];
    for (at, key) in [COUNTED, SALE].into_iter().enumerate() {
        let stock = if key == COUNTED { "1000000" } else { "0" };
        stage::create(&mut stage.wire, key, ORDERS, &["ITEMS", "1", "seat", stock])?;
        if key == SALE {
            let codes: Vec<String> = (0..SEATS / 2).map(|n| format!("CODE-{n:011}")).collect();
            for codes in codes.chunks(CALL as usize) {
                restock(&mut stage.wire, key, "seat", codes, &["SEALED"])?;
            }
        }
        fill(
            stage.server.port(),
            SEATS / 2,
            "RESERVED",
            reserve(key, 0, 1),
        )?;
        taken[at] = time(stage, "SOLD", move |at, bytes| {
            let (_, id) = Names::Lifelike.of(at);
            let words = ["FLASHSALE.CHECKOUT", key, ORDERS, &id];
            push(bytes, &words.map(str::as_bytes));
        })?;
    }
    Ok(taken)
}

/// How long RESTOCK of 10,000 names takes, and UNITS of as many, in microseconds.
fn calls(wire: &mut Wire) -> Outcome<[f64; 2]> {
    stage::create(wire, SALE, ORDERS, &["ITEMS", "1", "seat", "0"])?;
    wire.ask(&["CONFIG", "RESETSTAT"])?;
    for row in 0..SEATS / CALL {
        let names: Vec<String> = (0..CALL).map(|n| format!("row-{row}-{n:06}")).collect();
        restock(wire, SALE, "seat", &names, &[])?;
    }
    let mut cursor = "0".to_owned();
    let count = CALL.to_string();
    loop {
        let words = ["FLASHSALE.UNITS", SALE, "seat", &cursor, "COUNT", &count];
        let redis::Value::Array(parts) = wire.ask(&words)? else {
            return Err("UNITS answered no array".into());
        };
        cursor = crate::reply::text_of(&parts[0]);
        if cursor == "0" {
            break;
        }
    }
    let info = wire.info("all")?;
    let call_us = |name: &str| -> Outcome<f64> {
        let calls = calls_of(&info, name).ok_or_else(|| format!("no calls of {name}"))?;
        Ok(calls.number("usec_per_call"))
    };
    Ok([call_us("flashsale.restock")?, call_us("flashsale.units")?])
}
