//! **Goal**: every row of RESERVE's table is answered, for RESERVE and for BUY, and
//! when several rows apply the earliest is the answer.
//!
//! **Method**: each row is described once, as what makes it apply and what it then
//! says. Every row is provoked alone, then every pair of rows together. A refusal
//! must also leave the sale's digest and the server's change counter as they were.
//! Row 2 (replays) has more cases in `reserve_replays.rs`, the others in
//! `reserve_limits.rs`.

use crate::support::{Con, Server};

/// A row of the table.
struct Row {
    number: u32,
    /// Commands that make it apply to the request of this file; `KEY` is the sale.
    setup: &'static [&'static str],
    /// The answer; an error's code when it begins with `!`.
    answer: &'static str,
}

/// In the order in which the set-ups must run, so that none hinders another.
const ROWS: [Row; 13] = [
    Row {
        number: 1,
        setup: &[],
        answer: "!ERR",
    },
    Row {
        number: 2,
        setup: &["FLASHSALE.RESERVE KEY alice ITEMS 1 c 1 ID r1"],
        answer: "MISMATCH r1",
    },
    Row {
        number: 12,
        setup: &["FLASHSALE.RESERVE KEY bob ITEMS 1 b 10"],
        answer: "ALLRESERVED <=300000 b",
    },
    Row {
        number: 11,
        setup: &["FLASHSALE.RESTOCK KEY ITEMS 1 a -9"],
        answer: "SOLDOUT 1 a",
    },
    Row {
        number: 10,
        setup: &["FLASHSALE.ALTER KEY SALELIMIT 1"],
        answer: "SALELIMIT 1",
    },
    Row {
        number: 9,
        setup: &["FLASHSALE.ALTER KEY ITEMLIMIT 1"],
        answer: "ITEMLIMIT 1 a",
    },
    Row {
        number: 8,
        setup: &["FLASHSALE.ALTER KEY USERLIMIT 1"],
        answer: "USERLIMIT 1",
    },
    Row {
        number: 7,
        setup: &["FLASHSALE.ALTER KEY ORDERLIMIT 1"],
        answer: "ORDERLIMIT 1",
    },
    Row {
        number: 6,
        setup: &["FLASHSALE.PAUSE KEY"],
        answer: "PAUSED *",
    },
    Row {
        number: 5,
        setup: &["FLASHSALE.ALTER KEY START FUTURE"],
        answer: "NOTSTARTED <=1000000",
    },
    Row {
        number: 4,
        setup: &["FLASHSALE.CLOSE KEY"],
        answer: "ENDED *",
    },
    Row {
        number: 3,
        setup: &[],
        answer: "!NOSKU",
    },
    Row {
        number: 13,
        setup: &["CONFIG SET maxmemory 1"],
        answer: "!OOM",
    },
];

/// Makes these rows apply to one new sale and asks.
fn ask(con: &mut Con, verb: &str, key: &str, applying: &[&Row]) {
    let applies = |number: u32| applying.iter().any(|row| row.number == number);
    let earliest = applying.iter().min_by_key(|row| row.number).expect("a row");
    let future = (con.now_ms() + 1_000_000).to_string();
    con.says(
        &format!("FLASHSALE.CREATE {key} {{{key}}}o ITEMS 3 a 10 b 10 c 10 ITEMLIMIT 1000"),
        "OK",
    );
    for command in applying.iter().flat_map(|row| row.setup) {
        let reply = con.show(&command.replace("KEY", key).replace("FUTURE", &future));
        assert!(!reply.contains("(error)"), "{command}: {reply}");
    }
    // b comes before a: row 11, about a, must win by its number and not by position.
    let mut lines = String::from("a 2");
    let mut count = 1;
    if applies(12) {
        lines = format!("b 1 {lines}");
        count += 1;
    }
    if applies(3) {
        lines += " zz 1";
        count += 1;
    }
    let id = if applies(1) { "ID" } else { "ID r1" };
    let orders = if verb == "BUY" {
        format!("{{{key}}}o ")
    } else {
        String::new()
    };
    let line = format!("FLASHSALE.{verb} {key} {orders}alice ITEMS {count} {lines} {id}");
    match earliest.answer.strip_prefix('!') {
        Some(code) => con.fails(&line, code, ""),
        None => con.refuses(&line, earliest.answer),
    }
    con.says("CONFIG SET maxmemory 0", "OK");
}

#[test]
fn answers_each_row_alone() {
    let server = Server::any();
    let mut con = server.conn();
    for verb in ["RESERVE", "BUY"] {
        for row in &ROWS {
            ask(&mut con, verb, &format!("{verb}:{}", row.number), &[row]);
        }
    }
}

#[test]
fn answers_the_earlier_of_any_two_rows() {
    let server = Server::any();
    let mut con = server.conn();
    for verb in ["RESERVE", "BUY"] {
        for (index, one) in ROWS.iter().enumerate() {
            for other in &ROWS[index + 1..] {
                let key = format!("{verb}:{}:{}", one.number, other.number);
                ask(&mut con, verb, &key, &[one, other]);
            }
        }
    }
}

#[test]
fn answers_the_earliest_of_all_later_rows() {
    let server = Server::any();
    let mut con = server.conn();
    for verb in ["RESERVE", "BUY"] {
        for first in 1..=13 {
            let applying: Vec<&Row> = ROWS.iter().filter(|row| row.number >= first).collect();
            ask(&mut con, verb, &format!("{verb}:from:{first}"), &applying);
        }
    }
}
