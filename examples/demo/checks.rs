//! The sale read back and recounted, from the outside.
//!
//! Three books have to agree: what the buyers were told, the order stream, and the
//! sale itself, both in its totals and reservation by reservation.
//!
//! Edge: reads only, with commands any client has.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::thread;
use std::time::{Duration, Instant};

use redis::streams::StreamRangeReply;
use redis::{Connection, Value};

use crate::buyer::USER_LIMIT;
use crate::print::{Check, commas};
use crate::reply::{Outcome, field, number_of, text_of};
use crate::tally::Tally;
use crate::visit::Step;
use crate::{ORDERS, Options, SALE};

/// How many stream entries or reservations are read at a time.
const PAGE: usize = 1_000;

/// The only item's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
}

/// The order stream, deduplicated as its consumers would.
#[derive(Default)]
struct Orders {
    /// Entry id and units by reservation id.
    by_id: HashMap<String, (String, u64)>,
    units_by_user: HashMap<String, u64>,
    repeated: u64,
}

/// Every reservation the sale knows, counted one by one.
#[derive(Default)]
struct Recount {
    ids: u64,
    units_by_state: BTreeMap<String, u64>,
}

/// Makes every check; waits for the last open reservations first.
pub fn check_all(
    connection: &mut Connection,
    options: &Options,
    tally: &Tally,
    open_at_most_ms: u64,
) -> Outcome<Vec<Check>> {
    let stock = wait_until_none_is_open(connection, open_at_most_ms)?;
    let orders = read_orders(connection)?;
    let recount = recount(connection)?;
    let info: Value = redis::cmd("FLASHSALE.INFO").arg(SALE).query(connection)?;
    Ok(vec![
        check_oversold(options, &orders, stock),
        check_user_limit(&orders),
        check_sold_out(options, tally, stock),
        check_stream(&orders, stock),
        check_told(tally, &orders),
        check_recount(&recount, stock),
        check_info(&info, options, stock),
        Check {
            passed: tally.surprises == 0,
            name: "answers that no rule allows: 0",
            figures: format!(
                "{} of {}",
                commas(tally.surprises),
                commas(tally.requests())
            ),
        },
    ])
}

/// The units of the sale's only item.
pub fn read_stock(connection: &mut Connection) -> Outcome<Stock> {
    let reply: Vec<(String, u64, u64, u64)> =
        redis::cmd("FLASHSALE.STOCK").arg(SALE).query(connection)?;
    let (_, available, reserved, sold) = reply.into_iter().next().ok_or("the sale has no item")?;
    Ok(Stock {
        available,
        reserved,
        sold,
    })
}

/// Whoever abandoned a cart is gone, but the deadline has yet to come.
fn wait_until_none_is_open(connection: &mut Connection, open_at_most_ms: u64) -> Outcome<Stock> {
    let deadline = Instant::now() + Duration::from_millis(open_at_most_ms + 5_000);
    loop {
        let stock = read_stock(connection)?;
        if stock.reserved == 0 || Instant::now() > deadline {
            return Ok(stock);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn read_orders(connection: &mut Connection) -> Outcome<Orders> {
    let mut orders = Orders::default();
    let mut seen = HashSet::new();
    let mut from = "-".to_owned();
    loop {
        let mut request = redis::cmd("XRANGE");
        request
            .arg(ORDERS)
            .arg(&from)
            .arg("+")
            .arg("COUNT")
            .arg(PAGE);
        let page: StreamRangeReply = request.query(connection)?;
        for entry in &page.ids {
            let text = |name: &str| entry.map.get(name).map(text_of).unwrap_or_default();
            if !seen.insert((text("sale_id"), text("id"))) {
                orders.repeated += 1;
                continue;
            }
            let units: u64 = text("qty").parse()?;
            orders.by_id.insert(text("id"), (entry.id.clone(), units));
            *orders.units_by_user.entry(text("user")).or_default() += units;
        }
        match page.ids.last() {
            Some(last) => from = format!("({}", last.id),
            None => return Ok(orders),
        }
    }
}

/// Reads every reservation, found by SCAN: what an auditor without AUDIT would do.
fn recount(connection: &mut Connection) -> Outcome<Recount> {
    let mut recount = Recount::default();
    let mut seen = HashSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let mut request = redis::cmd("FLASHSALE.SCAN");
        request.arg(SALE).arg(&cursor).arg("COUNT").arg(PAGE);
        let (next, ids): (String, Vec<String>) = request.query(connection)?;
        let mut pipeline = redis::pipe();
        let fresh: Vec<String> = ids
            .into_iter()
            .filter(|id| seen.insert(id.clone()))
            .collect();
        for id in &fresh {
            pipeline.cmd("FLASHSALE.GET").arg(SALE).arg(id);
        }
        if !fresh.is_empty() {
            for map in pipeline.query::<Vec<Value>>(connection)? {
                let state = field(&map, "state")
                    .map(text_of)
                    .ok_or("GET of a scanned id is null")?;
                *recount.units_by_state.entry(state).or_default() += units_of(&map);
                recount.ids += 1;
            }
        }
        if next == "0" {
            return Ok(recount);
        }
        cursor = next;
    }
}

/// The units of one reservation, over its `[[sku, qty], ...]`.
fn units_of(map: &Value) -> u64 {
    let Some(Value::Array(items)) = field(map, "items") else {
        return 0;
    };
    let units = |item: &Value| match item {
        Value::Array(pair) => pair.get(1).and_then(number_of),
        _ => None,
    };
    items.iter().filter_map(units).sum::<i64>() as u64
}

fn check_oversold(options: &Options, orders: &Orders, stock: Stock) -> Check {
    let promised: u64 = orders.units_by_user.values().sum::<u64>().max(stock.sold);
    let oversold = promised.saturating_sub(options.units);
    let total = stock.available + stock.reserved + stock.sold;
    let figures = format!(
        "{oversold}; {} available + {} reserved + {} sold = {}",
        commas(stock.available),
        commas(stock.reserved),
        commas(stock.sold),
        commas(total)
    );
    Check {
        passed: oversold == 0 && total == options.units,
        name: "oversold: 0",
        figures,
    }
}

fn check_user_limit(orders: &Orders) -> Check {
    let over = orders
        .units_by_user
        .values()
        .filter(|units| **units > USER_LIMIT)
        .count();
    Check {
        passed: over == 0,
        name: "users above the limit: 0",
        figures: format!(
            "{over} of {} users",
            commas(orders.units_by_user.len() as u64)
        ),
    }
}

/// SOLDOUT is final: what is left in the end is less than any cart that was told so.
fn check_sold_out(options: &Options, tally: &Tally, stock: Stock) -> Check {
    let told = tally.answered(Step::Reserve, "SOLDOUT");
    let left = options.units.saturating_sub(stock.sold);
    Check {
        passed: tally.sold_out_units.is_none_or(|units| left < units),
        name: "SOLDOUT was the truth",
        figures: format!("{} units left, {} told so", commas(left), commas(told)),
    }
}

fn check_stream(orders: &Orders, stock: Stock) -> Check {
    let units: u64 = orders.by_id.values().map(|(_, units)| units).sum();
    Check {
        passed: units == stock.sold && orders.repeated == 0,
        name: "orders in the stream = sold",
        figures: format!(
            "{} orders, {} units, {} repeated",
            commas(orders.by_id.len() as u64),
            commas(units),
            orders.repeated
        ),
    }
}

/// Who was told SOLD has that very order in the stream, and nobody else has one.
fn check_told(tally: &Tally, orders: &Orders) -> Check {
    let differing = tally
        .bought
        .iter()
        .filter(|(id, bought)| {
            orders.by_id.get(*id) != Some(&(bought.order_id.clone(), bought.units))
        })
        .count();
    Check {
        passed: differing == 0 && tally.bought.len() == orders.by_id.len(),
        name: "orders told to buyers = in the stream",
        figures: format!(
            "{} told, {differing} differ",
            commas(tally.bought.len() as u64)
        ),
    }
}

fn check_recount(recount: &Recount, stock: Stock) -> Check {
    let units = |state: &str| recount.units_by_state.get(state).copied().unwrap_or(0);
    let states: Vec<String> = recount
        .units_by_state
        .iter()
        .map(|(state, units)| format!("{} {state}", commas(*units)))
        .collect();
    Check {
        passed: units("sold") == stock.sold && units("reserved") == stock.reserved,
        name: "recount by reservation = STOCK",
        figures: format!("{} ids; {}", commas(recount.ids), states.join(", ")),
    }
}

fn check_info(info: &Value, options: &Options, stock: Stock) -> Check {
    let number = |name: &str| field(info, name).and_then(number_of).unwrap_or(-1);
    let expected = [
        ("total", options.units),
        ("available", stock.available),
        ("reserved", stock.reserved),
        ("sold", stock.sold),
        ("reservations_open", 0),
    ];
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(name, value)| number(name) != *value as i64)
        .map(|(name, value)| format!("{name} is {}, not {value}", number(name)))
        .collect();
    let figures = if wrong.is_empty() {
        "5 fields".to_owned()
    } else {
        wrong.join("; ")
    };
    Check {
        passed: wrong.is_empty(),
        name: "totals of INFO = STOCK",
        figures,
    }
}
