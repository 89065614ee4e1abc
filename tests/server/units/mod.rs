//! **Goal**: units with names. Whoever asks gets exactly those that were named, or those that
//! the server chose; no unit is in two hands; a code is told to its buyer alone; and every copy
//! of a sale agrees on who has which.
//!
//! **Method**: each row of the tables of RESTOCK, RESERVE, BUY and REFUND is met, in RESP2 and in
//! RESP3; what is sent on, saved, loaded, replayed, dumped, moved and promoted is compared with
//! the original; a primary's lies are told to a replica; and the recipes of the guide are played.

mod audits;
mod bounds;
mod choice;
mod copies;
mod entries;
mod imports;
mod lies;
mod limits;
mod moves;
mod reads;
mod recipes;
mod refunds;
mod replays;
mod restock;
mod rows;
mod sealed;

use crate::support::{Con, Server};

/// Runs a test with a server of its own in each version of the protocol. The sale has these
/// items and options.
#[track_caller]
fn each(items_and_options: &str, test: impl Fn(&Server, &mut Con)) {
    for is_resp3 in [false, true] {
        let server = Server::any();
        let mut con = if is_resp3 {
            server.conn3()
        } else {
            server.conn()
        };
        con.says(
            &format!("FLASHSALE.CREATE sale orders {items_and_options}"),
            "OK",
        );
        test(&server, &mut con);
        con.fields(
            "FLASHSALE.AUDIT sale orders",
            "consistent 1, differences []",
        );
    }
}

/// Two rows of six seats, `A-1` to `A-6` and `B-1` to `B-6`, and ten places to stand, `ga`.
#[track_caller]
fn hall(con: &mut Con) {
    for row in ["A", "B"] {
        restock(con, "stalls", &seats(row, 1, 6), "NEW");
    }
    con.says("FLASHSALE.STOCK sale stalls", "[stalls 12 0 0 0]");
}

/// The names of seats of a row, `A-1 A-2`.
fn seats(row: &str, from: u32, to: u32) -> String {
    let names: Vec<String> = (from..=to).map(|n| format!("{row}-{n}")).collect();
    names.join(" ")
}

/// Adds units of these names.
#[track_caller]
fn restock(con: &mut Con, sku: &str, names: &str, options: &str) {
    let count = names.split(' ').count();
    con.says(
        &format!("FLASHSALE.RESTOCK sale UNITS {sku} {count} {names} {options}"),
        "RESTOCKED ...",
    );
}

/// All that UNITS tells of an item, `A-1 free A-2 sold`, or with ids `A-1 sold i1`.
#[track_caller]
fn all_units(con: &mut Con, sku: &str, options: &str) -> String {
    let (mut cursor, mut told) = ("0".to_owned(), Vec::new());
    loop {
        let line = format!("FLASHSALE.UNITS sale {sku} {cursor} {options}");
        let reply = con.show(&line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        let (next, units) = reply.split_once(' ').expect("a cursor and units");
        let units = units.replace(['[', ']'], "").replace("(empty)", "");
        told.push(units.trim().to_owned());
        cursor = next.trim_matches('"').to_owned();
        if cursor == "0" {
            told.retain(|units| !units.is_empty());
            return told.join(" ");
        }
    }
}

/// The names of an item's units in this state, in the order of the rows.
#[track_caller]
fn units_in(con: &mut Con, sku: &str, state: &str) -> String {
    let all = all_units(con, sku, "");
    let words: Vec<&str> = all.split_whitespace().collect();
    let pairs = words.chunks(2).filter(|pair| pair[1] == state);
    pairs.map(|pair| pair[0]).collect::<Vec<_>>().join(" ")
}
