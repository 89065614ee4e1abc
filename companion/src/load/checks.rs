//! What has to hold: three books against each other, and the figures against their bounds.
//!
//! Edge: compares what was read and what buyers were told; asks nobody.

use std::collections::HashMap;
use std::time::Duration;

use crate::plain::commas;

use super::books::{Books, Units};
use super::rules::Names;
use super::tally::{Bought, Tally};

/// How many differences of a check are shown in words.
const SHOWN: usize = 5;

/// One thing that was checked.
#[derive(Clone, Debug)]
pub struct Check {
    pub passed: bool,
    /// The claim.
    pub name: &'static str,
    /// The figures behind it.
    pub figures: String,
    /// The first differences, in words.
    pub differences: Vec<String>,
}

/// What the books have to agree with.
pub struct Expected {
    /// The names of the items, and the units on sale of each.
    pub items: Vec<String>,
    pub stock: Vec<u64>,
    pub names: Names,
    pub user_limit: u64,
    pub p95: Duration,
    pub behind: Duration,
    /// SOLDOUT is not final where units are added.
    pub restocks: bool,
    /// Whether the sale has a line.
    pub waits: bool,
    /// Whether the primary was to be killed.
    pub kills: bool,
    /// Whether others may interrupt the target: broken connections are no fault then.
    pub outages: bool,
    /// Entries that the worker has not stored; `None` without a worker.
    pub lag: Option<i64>,
    /// Whether the worker ended when it was told to.
    pub worker_ends: bool,
}

/// Makes every check of the books.
pub fn check_books(expected: &Expected, tally: &Tally, books: &Books) -> Vec<Check> {
    let mut checks = vec![
        oversold(expected, books),
        user_limit(expected, books),
        promises(expected, tally, books),
        without_entry(books),
        without_sale(books),
        told_nobody(expected, tally, books),
        sold_out(expected, tally, books),
        recount(expected, books),
        info(expected, books),
        audit(books),
        surprises(tally),
    ];
    if expected.waits {
        checks.push(overtakings(tally));
        checks.push(passed_over(tally, books));
    }
    if let Some(rows) = &books.sql {
        checks.push(sql(rows, books));
    }
    if let Some(lag) = expected.lag {
        checks.push(worker(lag, expected.worker_ends));
    }
    checks
}

fn worker(lag: i64, ends: bool) -> Check {
    let mut wrong = Vec::new();
    if lag != 0 {
        wrong.push(format!("{lag} entries are not stored"));
    }
    if !ends {
        wrong.push("it did not end when it was told to, and was killed".into());
    }
    Check::of(
        "the worker has stored everything",
        format!("lag {lag}"),
        wrong,
    )
}

/// Checks that all requests were answered, and unless the run is void, how soon.
pub fn check_service(expected: &Expected, tally: &Tally) -> Vec<Check> {
    let mut lost = Vec::new();
    if tally.connections_lost > 0 && !expected.outages {
        lost.push(format!("{} connections broke", tally.connections_lost));
    }
    if tally.unanswered > 0 {
        lost.push(format!("{} requests were never answered", tally.unanswered));
    }
    let figures = format!(
        "{} broken connections, {} unanswered",
        tally.connections_lost, tally.unanswered
    );
    let mut checks = vec![Check::of("every request was answered", figures, lost)];
    checks.push(if expected.kills {
        failover(tally)
    } else {
        put_off(expected, tally)
    });
    if void_by(expected, tally).is_none() {
        checks.push(p95(expected, tally));
    }
    checks
}

/// A failover that did not happen proves nothing.
fn failover(tally: &Tally) -> Check {
    let at = |moment: Option<u64>| moment.map_or("never".into(), seconds);
    let is_done = tally.killed_us.is_some() && tally.promoted_us.is_some();
    let figures = format!(
        "killed: {}, promoted: {}",
        at(tally.killed_us),
        at(tally.promoted_us)
    );
    let wrong = if is_done {
        Vec::new()
    } else {
        vec!["the run was over before --kill-at, or the promotion failed".into()]
    };
    Check::of("the primary was killed and replaced", figures, wrong)
}

fn seconds(at_us: u64) -> String {
    format!("{:.1} s", at_us as f64 / 1e6)
}

/// Only a failover, or an outage that was announced, excuses LOADING, READONLY, 503 and the like.
fn put_off(expected: &Expected, tally: &Tally) -> Check {
    let figures = commas(tally.put_off);
    let wrong = if tally.put_off == 0 || expected.outages {
        Vec::new()
    } else {
        vec![format!("{figures} answers only asked for patience")]
    };
    Check::of("the server put nobody off", figures, wrong)
}

fn p95(expected: &Expected, tally: &Tally) -> Check {
    let p95_us = tally.all_latency.value_at_quantile(0.95);
    let (p95_ms, most_ms) = (p95_us as f64 / 1e3, expected.p95.as_millis());
    let mut slow = Vec::new();
    if u128::from(p95_us) > expected.p95.as_micros() {
        slow.push(format!("{p95_ms:.1} ms is more than {most_ms} ms"));
    }
    let figures = format!("{p95_ms:.1} ms, at most {most_ms} ms");
    Check::of("p95 of all answers is within its bound", figures, slow)
}

/// Reports how late the load itself was, in milliseconds, if that makes the run void.
pub fn void_by(expected: &Expected, tally: &Tally) -> Option<f64> {
    let worst_us = tally.behind.max();
    (u128::from(worst_us) > expected.behind.as_micros()).then_some(worst_us as f64 / 1e3)
}

impl Check {
    pub fn of(name: &'static str, figures: String, differences: Vec<String>) -> Self {
        Self {
            passed: differences.is_empty(),
            name,
            figures,
            differences: differences.into_iter().take(SHOWN).collect(),
        }
    }
}

fn add(sum: &mut Units, units: &Units) {
    for (sum, units) in sum.iter_mut().zip(units) {
        *sum += units;
    }
}

fn sold_by_stream(expected: &Expected, books: &Books) -> Units {
    let mut sold = vec![0; expected.items.len()];
    for order in books.stream.by_id.values() {
        add(&mut sold, &order.units);
    }
    sold
}

/// Counted by the stream and by the sale, whichever is more.
fn oversold(expected: &Expected, books: &Books) -> Check {
    let by_stream = sold_by_stream(expected, books);
    let (mut over, mut differences) = (0, Vec::new());
    for (at, sku) in expected.items.iter().enumerate() {
        let [available, reserved, sold] = books.stock[at];
        let (most, stock) = (by_stream[at].max(sold), expected.stock[at]);
        if most > stock {
            over += most - stock;
            differences.push(format!("{sku}: {most} sold of {stock}"));
        }
        if available + reserved + sold != stock {
            differences.push(format!(
                "{sku}: {available} available + {reserved} reserved + {sold} sold is not {stock}"
            ));
        }
    }
    let sold: u64 = by_stream.iter().sum();
    let stock: u64 = expected.stock.iter().sum();
    let figures = format!("{over}; {} of {} units sold", commas(sold), commas(stock));
    Check::of("oversold: 0", figures, differences)
}

/// From the stream: the answers are what the server says of itself.
fn user_limit(expected: &Expected, books: &Books) -> Check {
    let mut by_user: HashMap<&str, u64> = HashMap::new();
    for order in books.stream.by_id.values() {
        *by_user.entry(&order.user).or_default() += order.units.iter().sum::<u64>();
    }
    let over = by_user
        .iter()
        .filter(|(_, units)| **units > expected.user_limit);
    let over: Vec<String> = over
        .map(|(user, units)| {
            format!(
                "{user} bought {units}, and may have {}",
                expected.user_limit
            )
        })
        .collect();
    let figures = format!("{} of {} users", over.len(), commas(by_user.len() as u64));
    Check::of("users above the limit: 0", figures, over)
}

/// Whoever was told SOLD has that very order, and what was given back is not sold.
pub fn promises(expected: &Expected, tally: &Tally, books: &Books) -> Check {
    let mut lost = 0;
    let mut broken = Vec::new();
    for (id, bought) in &tally.bought {
        let known = books.promised.get(id).and_then(Option::as_ref);
        let is_kept = known.is_some_and(|known| {
            known.state == "sold"
                && known.order_id == bought.order_id
                && known.user == expected.names.user(bought.user)
                && known.units == units_of(expected, bought)
        });
        if is_kept {
            continue;
        }
        if tally.may_be_lost(bought.told_us) {
            lost += 1;
            continue;
        }
        broken.push(match known {
            None => format!("{id} was told SOLD {}, and is unknown", bought.order_id),
            Some(known) => format!(
                "{id} was told SOLD {}, and is {} {}",
                bought.order_id, known.state, known.order_id
            ),
        });
    }
    for (id, _) in &tally.released {
        let known = books.promised.get(id).and_then(Option::as_ref);
        if let Some(known) = known
            && known.state != "released"
            && tally.killed_us.is_none()
        {
            broken.push(format!("{id} was told RELEASED, and is {}", known.state));
        }
    }
    let mut figures = format!(
        "{} sold, {} given back",
        commas(tally.bought.len() as u64),
        commas(tally.released.len() as u64)
    );
    if tally.killed_us.is_some() {
        figures += &format!(
            "; lost to the failover: {lost} orders, {} other answers",
            tally.lost_to_failover
        );
    }
    Check::of("promises kept", figures, broken)
}

fn units_of(expected: &Expected, bought: &Bought) -> Units {
    let mut units = vec![0; expected.items.len()];
    for (item, count) in [Some(bought.first), bought.second].into_iter().flatten() {
        units[item] += count;
    }
    units
}

fn without_entry(books: &Books) -> Check {
    let sold = books
        .known
        .iter()
        .filter(|(_, known)| known.state == "sold");
    let (mut count, mut missing) = (0_u64, Vec::new());
    for (id, known) in sold {
        count += 1;
        match books.stream.by_id.get(id) {
            Some(order) if order.entry_id == known.order_id => {}
            Some(order) => missing.push(format!(
                "{id} is sold as {}, its entry is {}",
                known.order_id, order.entry_id
            )),
            None => missing.push(format!(
                "{id} is sold as {}, which is not there",
                known.order_id
            )),
        }
    }
    let figures = format!("{} of {} sold", missing.len(), commas(count));
    Check::of("sold without an entry in the stream: 0", figures, missing)
}

fn without_sale(books: &Books) -> Check {
    let mut wrong = books.stream.strange.clone();
    for (id, order) in &books.stream.by_id {
        match books.known.get(id) {
            Some(known)
                if known.state == "sold"
                    && known.user == order.user
                    && known.units == order.units => {}
            Some(known) => wrong.push(format!(
                "{} sells {id} to {}, which is {} for {}",
                order.entry_id, order.user, known.state, known.user
            )),
            None => wrong.push(format!("{} sells {id}, which is unknown", order.entry_id)),
        }
    }
    let count = commas(books.stream.by_id.len() as u64);
    let figures = format!("{} of {count} entries", wrong.len());
    Check::of("entries without a sale: 0", figures, wrong)
}

/// Every request is asked again until it is answered, so each order has been told to somebody.
fn told_nobody(expected: &Expected, tally: &Tally, books: &Books) -> Check {
    let mut untold = Vec::new();
    for (id, order) in &books.stream.by_id {
        if expected.names.are_of_this_run(id, &order.user)
            && !tally.bought.contains_key(id)
            && tally.unanswered == 0
        {
            untold.push(format!("nobody was told of {id}, {}", order.entry_id));
        }
    }
    let figures = format!(
        "{} told, {} in the stream",
        commas(tally.bought.len() as u64),
        commas(books.stream.by_id.len() as u64)
    );
    Check::of("orders nobody was told of: 0", figures, untold)
}

/// SOLDOUT is final: what is left in the end is less than any line that was told so.
pub fn sold_out(expected: &Expected, tally: &Tally, books: &Books) -> Check {
    let mut wrong = Vec::new();
    for (at, sku) in expected.items.iter().enumerate() {
        let [available, reserved, _] = books.stock[at];
        let left = available + reserved;
        if let Some(units) = tally.sold_out_units[at]
            && left >= units
            && !expected.restocks
            && tally.killed_us.is_none()
        {
            wrong.push(format!("{sku}: {left} left, SOLDOUT was told for {units}"));
        }
    }
    let told = commas(tally.answered("SOLDOUT"));
    Check::of("SOLDOUT was the truth", format!("told {told} times"), wrong)
}

fn recount(expected: &Expected, books: &Books) -> Check {
    let none: Units = vec![0; expected.items.len()];
    let (mut reserved, mut sold) = (none.clone(), none);
    for known in books.known.values() {
        match known.state.as_str() {
            "reserved" => add(&mut reserved, &known.units),
            "sold" => add(&mut sold, &known.units),
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    for (at, sku) in expected.items.iter().enumerate() {
        let [_, said_reserved, said_sold] = books.stock[at];
        if (reserved[at], sold[at]) != (said_reserved, said_sold) {
            wrong.push(format!(
                "{sku}: STOCK says {said_reserved} reserved and {said_sold} sold, recounted {} and {}",
                reserved[at], sold[at]
            ));
        }
    }
    let figures = format!("{} reservations", commas(books.known.len() as u64));
    Check::of("recount by reservation = STOCK", figures, wrong)
}

fn info(expected: &Expected, books: &Books) -> Check {
    let sum = |part: usize| books.stock.iter().map(|item| item[part]).sum::<u64>();
    let facts = [
        ("total", expected.stock.iter().sum::<u64>()),
        ("available", sum(0)),
        ("reserved", sum(1)),
        ("sold", sum(2)),
        ("reservations_open", 0),
    ];
    let wrong = facts.iter().filter_map(|(name, value)| {
        let said = books.info.get(*name).copied().unwrap_or(-1);
        (said != *value as i64).then(|| format!("{name} is {said}, not {value}"))
    });
    Check::of("totals of INFO = STOCK", "5 fields".into(), wrong.collect())
}

fn audit(books: &Books) -> Check {
    let mut differences = books.audit.differences.clone();
    if !books.audit.consistent && differences.is_empty() {
        differences.push("AUDIT does not say that the sale is consistent".into());
    }
    Check::of(
        "AUDIT finds no difference",
        format!("asked {}", books.audit.place),
        differences,
    )
}

/// Nobody is granted before a smaller place of the same line that was there. A place that was lost
/// with a primary is a new one, at the end, and the buyer does not know.
fn overtakings(tally: &Tally) -> Check {
    let wrong = match tally.killed_us {
        Some(_) => Vec::new(),
        None => tally.line.overtakings(),
    };
    let (joined, granted) = tally.line.counts();
    let figures = format!(
        "{} of {} grants; {} joined",
        commas(wrong.len() as u64),
        commas(granted),
        commas(joined)
    );
    Check::of("grants before a smaller place: 0", figures, wrong)
}

fn passed_over(tally: &Tally, books: &Books) -> Check {
    let (count, texts) = tally.line.passed_over();
    let all = books.info.get("passed_over").copied().unwrap_or(0);
    let figures = format!(
        "{} of {} who were passed over",
        commas(count),
        commas(all.unsigned_abs())
    );
    let texts = match tally.killed_us {
        Some(_) => Vec::new(),
        None => texts.to_vec(),
    };
    Check::of("passed over although they asked: 0", figures, texts)
}

pub fn surprises(tally: &Tally) -> Check {
    let figures = format!(
        "{} of {}",
        commas(tally.surprises),
        commas(tally.requests())
    );
    Check {
        passed: tally.surprises == 0,
        name: "answers that no rule allows: 0",
        figures,
        differences: tally.surprise_texts.iter().take(SHOWN).cloned().collect(),
    }
}

fn sql(rows: &HashMap<String, u64>, books: &Books) -> Check {
    let mut wrong = Vec::new();
    for (id, order) in &books.stream.by_id {
        let units: u64 = order.units.iter().sum();
        match rows.get(id) {
            Some(qty) if *qty == units => {}
            Some(qty) => wrong.push(format!(
                "{id} has {qty} units in SQL, {units} in the stream"
            )),
            None => wrong.push(format!("{id} of {} is not in SQL", order.entry_id)),
        }
    }
    let more = rows
        .keys()
        .filter(|id| !books.stream.by_id.contains_key(*id));
    wrong.extend(more.map(|id| format!("{id} is in SQL alone")));
    let figures = format!("{} rows", commas(rows.len() as u64));
    Check::of("rows in SQL = orders of the stream", figures, wrong)
}

#[cfg(test)]
mod tests {
    use super::super::books::{Known, Order};
    use super::super::request::Step;
    use super::super::resp::{Answer, Reply};
    use super::*;

    fn expected() -> Expected {
        Expected {
            items: ["red", "green", "blue"].map(String::from).to_vec(),
            names: Names::Plain,
            stock: vec![5, 3, 2],
            user_limit: 2,
            p95: Duration::from_millis(200),
            behind: Duration::from_millis(10),
            restocks: false,
            waits: true,
            kills: false,
            outages: false,
            lag: Some(0),
            worker_ends: true,
        }
    }

    /// One order of two units, and books that agree on it.
    fn sound() -> (Tally, Books) {
        let mut tally = Tally::new(100_000, expected().items);
        let bought = Bought {
            order_id: "1-0".into(),
            user: 7,
            first: (0, 2),
            second: None,
            told_us: 5,
        };
        tally.bought.insert("a".into(), bought);
        tally.released.push(("b".into(), 8));
        tally.sold_out_units = vec![Some(4), None, Some(3)];
        let known = |state: &str, order_id: &str| Known {
            state: state.into(),
            user: "user-7".into(),
            units: vec![2, 0, 0],
            order_id: order_id.into(),
        };
        let order = Order {
            entry_id: "1-0".into(),
            user: "user-7".into(),
            units: vec![2, 0, 0],
        };
        let mut books = Books {
            stock: vec![[3, 0, 2], [3, 0, 0], [2, 0, 0]],
            sql: Some([("a".to_owned(), 2)].into()),
            ..Books::default()
        };
        for (name, value) in [
            ("total", 10),
            ("available", 8),
            ("reserved", 0),
            ("sold", 2),
        ] {
            books.info.insert(name.into(), value);
        }
        books.info.insert("reservations_open".into(), 0);
        books.stream.by_id.insert("a".into(), order);
        let reservations = [("a", known("sold", "1-0")), ("b", known("released", ""))];
        for (id, known) in reservations {
            books.known.insert(id.into(), known.clone());
            books.promised.insert(id.into(), Some(known));
        }
        books.audit.consistent = true;
        (tally, books)
    }

    fn failed(tally: &Tally, books: &Books) -> Vec<&'static str> {
        let checks = check_books(&expected(), tally, books);
        let failed = checks.iter().filter(|check| !check.passed);
        failed.map(|check| check.name).collect()
    }

    #[test]
    fn sound_books_pass_and_each_fault_is_named() {
        let (tally, books) = sound();
        assert_eq!(failed(&tally, &books), Vec::<&str>::new());
        type Fault = (&'static [&'static str], fn(&mut Tally, &mut Books));
        let faults: [Fault; 12] = [
            (&["oversold: 0", "totals of INFO = STOCK"], |_, books| {
                books.stock[1][0] = 4
            }),
            (&["users above the limit: 0"], |_, books| {
                // Another order of this user, with everything that belongs to it.
                let order = books.stream.by_id["a"].clone();
                books.stream.by_id.insert("c".into(), order.clone());
                books.known.insert("c".into(), books.known["a"].clone());
                books.stock[0] = [1, 0, 4];
            }),
            (&["promises kept"], |_, books| {
                books.promised.insert("a".into(), None);
            }),
            (&["promises kept"], |_, books| {
                let sold = books.promised["a"].clone();
                books.promised.insert("b".into(), sold);
            }),
            (&["sold without an entry in the stream: 0"], |_, books| {
                let known = books.known.get_mut("a").expect("a");
                known.order_id = "2-0".into();
            }),
            (&["entries without a sale: 0"], |_, books| {
                let order = books.stream.by_id.get_mut("a").expect("a");
                order.user = "user-8".into();
            }),
            (&["entries without a sale: 0"], |_, books| {
                books.stream.strange.push("a is sold twice".into());
            }),
            (&["orders nobody was told of: 0"], |tally, _| {
                tally.bought.clear()
            }),
            (&["SOLDOUT was the truth"], |tally, _| {
                tally.sold_out_units[0] = Some(3)
            }),
            (&["AUDIT finds no difference"], |_, books| {
                books.audit.consistent = false
            }),
            (&["answers that no rule allows: 0"], |tally, _| {
                tally.unexpected("what?".into())
            }),
            (&["rows in SQL = orders of the stream"], |_, books| {
                books.sql = Some([("a".to_owned(), 1), ("z".to_owned(), 1)].into());
            }),
        ];
        for (at, (names, fault)) in faults.iter().enumerate() {
            let (mut tally, mut books) = sound();
            fault(&mut tally, &mut books);
            let failed = failed(&tally, &books);
            assert!(
                names.iter().all(|name| failed.contains(name)),
                "{at}: {failed:?}"
            );
            // What is no fault of the books' totals names nothing else.
            assert!(failed.len() <= names.len() + 3, "{at}: {failed:?}");
        }
    }

    /// What a replica had not been sent yet is lost, and counted; what it had is not.
    #[test]
    fn only_the_last_promises_before_a_kill_may_be_lost() {
        let (mut tally, mut books) = sound();
        books.promised.insert("a".into(), None);
        tally.note_failover(4, 6);
        let check = promises(&expected(), &tally, &books);
        assert!(
            check.passed && check.figures.contains("failover: 1 orders"),
            "{check:?}"
        );
        tally.note_failover(60_000_000, 60_000_001);
        assert!(!promises(&expected(), &tally, &books).passed);
        tally.note_failover(3, 4);
        assert!(!promises(&expected(), &tally, &books).passed);
    }

    #[test]
    fn a_late_load_is_void_and_not_slow() {
        let (mut tally, _) = sound();
        let reply = Reply::new(Answer::Text("RESERVED".into()));
        tally.count(Step::Reserve, &reply, 0, 300_000);
        let names = |tally: &Tally| -> Vec<bool> {
            let checks = check_service(&expected(), tally);
            checks.iter().map(|check| check.passed).collect()
        };
        assert_eq!(
            (void_by(&expected(), &tally), names(&tally)),
            (None, vec![true, true, false])
        );
        tally.behind.saturating_record(11_000);
        assert!(void_by(&expected(), &tally).is_some());
        tally.unanswered = 1;
        assert_eq!(names(&tally), [false, true]);
        tally.put_off = 1;
        assert_eq!(names(&tally), [false, false]);
    }

    #[test]
    fn a_kill_that_never_came_fails() {
        let (mut tally, _) = sound();
        let expected = Expected {
            kills: true,
            ..expected()
        };
        for (killed_us, promoted_us, passes) in [(0, 0, false), (5, 0, false), (5, 9, true)] {
            tally.note_failover(killed_us, promoted_us);
            assert_eq!(check_service(&expected, &tally)[1].passed, passes);
        }
    }
}
