//! **Goal**: `INFO flashsale` has the fields that its page describes, each with the unit it
//! says, and counts what happens: every outcome, every refusal, every error.
//!
//! **Method**: the table of the page is held to the fields of a server, in their order.
//! Then a sale is made to give every answer there is, and each counter is compared with the
//! answers seen.

use std::collections::BTreeMap;

use crate::support::{Con, Server, replicate, wait_for_replica, wait_until};

const PAGE: &str = include_str!("../../docs/reference/info.md");
const PREFIX: &str = "flashsale_";

/// The fields of the section, in their order.
fn fields(con: &mut Con) -> Vec<(String, u64)> {
    let text = con.text("INFO flashsale");
    let lines = text.lines().filter_map(|line| line.strip_prefix(PREFIX));
    lines
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

fn values(con: &mut Con) -> BTreeMap<String, u64> {
    fields(con).into_iter().collect()
}

/// Name and unit of each row of the page's table.
fn documented() -> Vec<(&'static str, &'static str)> {
    let (section, _) = PAGE.split_once("\n## ").expect("its end");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(!cells[3].is_empty(), "{row}");
        (cells[1].trim_matches('`'), cells[2])
    })
    .collect()
}

#[test]
fn the_fields_are_those_of_the_page_with_their_units() {
    let server = Server::any();
    let told = fields(&mut server.conn());
    let told: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    let documented = documented();
    let names: Vec<&str> = documented.iter().map(|(name, _)| *name).collect();
    assert!(names.len() > 40);
    assert_eq!(names, told);
    for (name, unit) in documented {
        let expected = match name {
            _ if name.contains("_ms") => "ms",
            _ if name.contains("_us_") => "µs",
            _ if name.contains("bytes") => "bytes",
            _ => "number",
        };
        assert_eq!(unit, expected, "{name}");
    }
}

/// Lines in their order, each with the counter it moves by one.
const LINES: [(&str, &str); 63] = [
    (
        "CREATE sale orders ITEMS 2 a 9 b 20 USERLIMIT 6 ITEMLIMIT 5 ORDERLIMIT 4",
        "outcome_created",
    ),
    ("RESERVE sale ann ITEMS 1 a 1 ID r1", "outcome_reserved"),
    ("RESERVE sale ann ITEMS 1 a 1 ID r1", "outcome_replayed"),
    ("RESERVE sale bob ITEMS 1 a 1 ID r1", "outcome_mismatch"),
    ("EXTEND sale r1 900000", "outcome_replayed"),
    ("ALTER sale MAXHOLD 900000", "outcome_altered"),
    ("EXTEND sale r1 900000", "outcome_extended"),
    ("CHECKOUT sale orders r1 REF p1", "outcome_sold"),
    ("CHECKOUT sale orders r1 REF p1", "outcome_replayed"),
    ("CHECKOUT sale orders r1 REF p2", "outcome_alreadysold"),
    ("CHECKOUT sale orders nosuch", "outcome_noreservation"),
    ("REFUND sale orders r1 QTY 9 REF f0", "outcome_notsold"),
    ("REFUND sale orders r1", "outcome_refunded"),
    ("REFUND sale orders r1", "outcome_replayed"),
    ("RELEASE sale r2", "outcome_released"),
    ("RELEASE sale r2", "outcome_alreadyreleased"),
    ("CHECKOUT sale orders r2", "outcome_alreadyreleased"),
    ("RESERVE sale ann ITEMS 1 b 5", "outcome_orderlimit"),
    ("RESERVE sale ann ITEMS 1 b 4 ID r3", "outcome_reserved"),
    ("RESERVE sale ann ITEMS 1 b 2", "outcome_userlimit"),
    ("RESERVE sale bob ITEMS 1 b 4 ID r4", "outcome_reserved"),
    ("RESERVE sale bob ITEMS 1 b 2", "outcome_itemlimit"),
    (
        "ALTER sale USERLIMIT 0 ITEMLIMIT 0 ORDERLIMIT 0 SALELIMIT 30",
        "outcome_altered",
    ),
    ("RESERVE sale cyd ITEMS 1 b 99", "outcome_salelimit"),
    ("ALTER sale SALELIMIT 0", "outcome_altered"),
    ("RESERVE sale cyd ITEMS 1 b 99", "outcome_soldout"),
    ("RESERVE sale cyd ITEMS 1 b 15", "outcome_allreserved"),
    ("RESTOCK sale ITEMS 1 a 1", "outcome_restocked"),
    ("RESTOCK sale ITEMS 1 a -99", "outcome_toofew"),
    ("PAUSE sale", "outcome_altered"),
    ("RESERVE sale cyd ITEMS 1 b 1", "outcome_paused"),
    ("RESUME sale", "outcome_altered"),
    ("BIND sale orders2", "outcome_altered"),
    ("ALTER sale START 9000000000000", "outcome_altered"),
    ("RESERVE sale cyd ITEMS 1 b 1", "outcome_notstarted"),
    ("ALTER sale START 0", "outcome_altered"),
    ("BUY sale orders2 cyd ITEMS 1 b 1 ID r5", "outcome_sold"),
    (
        "RESERVE sale dan ITEMS 1 b 1 ID r6 HOLD 1",
        "outcome_reserved",
    ),
    ("CLOSE sale", "outcome_altered"),
    ("RESERVE sale cyd ITEMS 1 b 1", "outcome_ended"),
    (
        "IMPORT sale orders2 dan ITEMS 1 b 1 ID r7 AT 1765000000000",
        "outcome_imported",
    ),
    ("RESERVE sale cyd zero", "error_err"),
    ("RESERVE orders cyd 1", "error_wrongtype"),
    ("RESERVE nosuch cyd 1", "error_nosale"),
    ("RESERVE sale cyd ITEMS 1 nosuch 1", "error_nosku"),
    ("CREATE sale orders STOCK 1", "error_busykey"),
    (
        "CREATE line orders STOCK 1 WAITING 1 PATIENCE 0",
        "outcome_created",
    ),
    ("RESERVE line ann 1 ID l1 WAIT", "outcome_reserved"),
    ("RESERVE line bob 1 ID l2 WAIT", "outcome_joined"),
    ("RESERVE line bob 1 ID l2 WAIT", "outcome_waiting"),
    ("RESERVE line bob 1 ID l3 WAIT", "outcome_placed"),
    ("RESERVE line cyd 1 ID l4 WAIT", "outcome_linefull"),
    (
        "CREATE paced orders STOCK 9 PACE 1 86400000",
        "outcome_created",
    ),
    ("RESERVE paced ann 1", "outcome_reserved"),
    ("RESERVE paced bob 1", "outcome_throttled"),
    (
        "CREATE guarded orders STOCK 9 USERRATE 2 86400000 PASSKEY 1 0123456789abcdef",
        "outcome_created",
    ),
    ("RESERVE guarded ann 1 ID g1", "outcome_nopass"),
    ("BUY guarded orders ann 1 ID g1", "outcome_nopass"),
    ("RESERVE guarded ann 1 ID g1", "outcome_throttled"),
    ("THROTTLE login ann 1 86400000", "outcome_allowed"),
    ("THROTTLE login ann 1 86400000", "outcome_throttled"),
    ("CREATE full orders STOCK 9", "outcome_created"),
    ("RESERVE full cyd 1 ID one-too-many", "error_oom"),
];

#[test]
fn every_answer_is_counted_once() {
    let server = Server::any();
    let mut con = server.conn();
    let start = values(&mut con);
    let mut before = start.clone();
    for (line, counter) in LINES {
        if counter == "error_oom" {
            // The sale `full` cannot know a single id then.
            con.says("CONFIG SET flashsale.max-reservations 1", "OK");
            con.says("FLASHSALE.RESERVE full ann 1 ID one", "RESERVED ...");
            before = values(&mut con);
        }
        if counter == "outcome_ended" {
            wait_until("r6 expired", || {
                con.field("FLASHSALE.GET sale r6", "state") == "expired"
            });
            let after = values(&mut con);
            assert_eq!(after["outcome_expired"], start["outcome_expired"] + 1);
            before = after;
            con.says("FLASHSALE.EXTEND sale r6 5", "EXPIRED ...");
            before.insert(
                "outcome_alreadyexpired".into(),
                before["outcome_alreadyexpired"] + 1,
            );
        }
        let reply = con.show(&format!("FLASHSALE.{line}"));
        let after = values(&mut con);
        for (name, value) in &after {
            // Decided by others, or by the clock.
            if !name.starts_with("outcome_") && !name.starts_with("error_")
                || name == "outcome_expired"
            {
                continue;
            }
            let expected = u64::from(name == counter);
            assert_eq!(
                value - before[name],
                expected,
                "{name} after {line}: {reply}"
            );
        }
        before = after;
    }
    let untried: Vec<&str> = documented()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("outcome_") || name.starts_with("error_"))
        .filter(|name| LINES.iter().all(|(_, counter)| counter != name))
        .collect();
    let elsewhere = [
        "outcome_expired",
        "outcome_forgotten",
        // `beyond`: a share id is drawn at random.
        "outcome_given",
        "outcome_taken",
        // `line`: the timer decides.
        "outcome_granted",
        "outcome_passed_over",
        "outcome_dissolved",
        // `events`.
        "outcome_told",
        "outcome_dropped",
        "outcome_alreadyexpired",
        // `units`.
        "outcome_notfree",
        // `broken`: only a debug build can be broken.
        "error_broken",
    ];
    assert_eq!(untried, elsewhere, "counters without a line");
}

#[test]
fn forgotten_ids_are_counted() {
    let server = Server::any();
    let mut con = server.conn();
    let before = values(&mut con)["outcome_forgotten"];
    con.says("FLASHSALE.CREATE sale orders STOCK 9 REMEMBER 1", "OK");
    con.says("FLASHSALE.RELEASE sale r1", "RELEASED r1");
    wait_until("it is forgotten", || {
        values(&mut con)["outcome_forgotten"] == before + 1
    });
}

#[test]
fn what_is_in_memory_is_told_as_it_is_now() {
    let server = Server::any();
    let mut con = server.conn();
    let gauges = |con: &mut Con| {
        let told = values(con);
        ["sales", "users", "reservations_open", "reservations_known"].map(|name| told[name])
    };
    assert_eq!(gauges(&mut con), [0, 0, 0, 0]);
    con.says("FLASHSALE.CREATE one orders STOCK 9", "OK");
    con.says("FLASHSALE.CREATE two orders STOCK 9 REMEMBER 1", "OK");
    con.says("FLASHSALE.RESERVE one ann 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.RESERVE one ann 1 ID r2", "RESERVED ...");
    con.says("FLASHSALE.RESERVE two ann 1 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY two orders bob 1 ID r2", "SOLD ...");
    assert_eq!(gauges(&mut con), [2, 3, 3, 4]);
    con.says("FLASHSALE.RELEASE one r2", "RELEASED r2");
    assert_eq!(gauges(&mut con), [2, 3, 2, 4]);
    con.says("FLASHSALE.RELEASE two r1", "RELEASED r1");
    wait_until("it is forgotten, and its user", || {
        gauges(&mut con) == [2, 2, 1, 3]
    });
    con.says("DEBUG RELOAD", "OK");
    // Another thread may free the old ones a little later.
    wait_until("the values of before are freed", || {
        gauges(&mut con) == [2, 2, 1, 3]
    });
    assert_eq!(values(&mut con)["reservations_known_max"], 2);
    con.says("DEL one", "1");
    assert_eq!(gauges(&mut con), [1, 1, 0, 1]);
    assert_eq!(values(&mut con)["reservations_known_max"], 1);
    // Else another thread may free them a little later, as redis.conf has it.
    con.says("FLUSHALL SYNC", "OK");
    assert_eq!(gauges(&mut con), [0, 0, 0, 0]);
}

#[test]
fn what_is_overdue_is_told_by_the_server_that_has_to_return_it() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    // Nothing may be written from the moment of the reservation on.
    con.says("MULTI", "OK");
    con.run("FLASHSALE.RESERVE sale ann 1 HOLD 1");
    con.run("CLIENT PAUSE 60000 WRITE");
    con.says("EXEC", "[RESERVED ...");
    wait_until("it is overdue", || values(&mut con)["overdue_ms"] >= 100);
    wait_for_replica(&primary, &replica);
    copy.says("FLASHSALE.STOCK sale", "[default 8 1 0 0]");
    assert_eq!(values(&mut copy)["overdue_ms"], 0);
    con.says("CLIENT UNPAUSE", "OK");
    wait_until("it is returned, and nothing is overdue", || {
        values(&mut con)["overdue_ms"] == 0 && con.stock("sale") == "[default 9 0 0 0]"
    });
}
