//! **Goal**: AUDIT of a healthy sale finds nothing, whatever happened to the sale; and it
//! finds every kind of damage to the stream, and names it.
//!
//! **Method**: one sale with orders and refunds. The stream is edited by hand, one kind of
//! damage at a time; a sale is set back by restoring an older dump of it. Damage inside a
//! sale cannot be made from outside: it is in the unit tests of `engine/src/sale/audit/`.

use redis::Value;

use crate::support::workload::{create, play};
use crate::support::{Con, Dice, Server, text_of, wait_for_replica, wait_until};

const AUDIT: &str = "FLASHSALE.AUDIT sale orders";

/// A sale with a reservation in every state; the entries of its stream are, in this order,
/// an order of `s1` under p1, one of `s2`, and a refund of `s1` under f1.
fn sale(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 100 b 50 USERLIMIT 40 ITEMLIMIT 30",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 2 a 3 b 1 ID open",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders ann ITEMS 2 b 2 a 4 ID s1 REF p1",
        "SOLD ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 5 ID s2",
        "RESERVED ...",
    );
    con.says(
        r#"FLASHSALE.CHECKOUT sale orders s2 PAYLOAD '{"a":1}'"#,
        "SOLD ...",
    );
    con.says(
        "FLASHSALE.REFUND sale orders s1 ITEMS 1 a 1 REF f1 RESTORELIMIT",
        "REFUNDED ...",
    );
    con.says("FLASHSALE.RELEASE sale unseen", "RELEASED unseen");
    con.says(
        "FLASHSALE.RESERVE sale cyd ITEMS 1 a 7 ID late HOLD 1",
        "RESERVED ...",
    );
    wait_until("it expired", || {
        con.field("FLASHSALE.GET sale late", "state") == "expired"
    });
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(elements) => elements.iter().map(text_of).collect(),
        other => panic!("not an array: {other:?}"),
    }
}

/// Is the sale consistent, and which differences are there?
#[track_caller]
fn audit(con: &mut Con, line: &str) -> (bool, Vec<String>) {
    let Value::Array(flat) = con.run(line) else {
        panic!("{line}: not a map")
    };
    assert_eq!(text_of(&flat[0]), "consistent");
    assert_eq!(text_of(&flat[2]), "differences");
    (flat[1] == Value::Int(1), texts(&flat[3]))
}

/// Each entry of the stream: its ID, then its fields and values.
fn entries(con: &mut Con) -> Vec<(String, Vec<String>)> {
    let Value::Array(entries) = con.run("XRANGE orders - +") else {
        panic!("no stream")
    };
    let entry = |entry: &Value| match entry {
        Value::Array(parts) => (text_of(&parts[0]), texts(&parts[1])),
        other => panic!("no entry: {other:?}"),
    };
    entries.iter().map(entry).collect()
}

/// Appends the fields of an entry, some of them changed; a value `-` takes one out.
fn append(con: &mut Con, fields: &[String], changes: &[(&str, &str)]) -> String {
    let mut words: Vec<Vec<u8>> = vec![b"XADD".into(), b"orders".into(), b"*".into()];
    for pair in fields.chunks(2) {
        let change = changes.iter().find(|(name, _)| *name == pair[0]);
        let value = change.map_or(pair[1].as_str(), |(_, value)| value);
        if value != "-" {
            words.extend([pair[0].clone().into_bytes(), value.into()]);
        }
    }
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    text_of(&con.run_words(&words))
}

#[test]
fn a_healthy_sale_is_consistent_with_itself_and_with_its_stream() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.refuses(
        "FLASHSALE.AUDIT sale",
        "consistent 1 differences [] reservations 5 entries (nil) trimmed (nil) \
         entries_added (nil) entries_other (nil)",
    );
    con.refuses(
        AUDIT,
        "consistent 1 differences [] reservations 5 entries 3 trimmed 0 entries_added 3 entries_other 0",
    );
    server.conn3().says(
        AUDIT,
        "{ consistent 1 differences [] reservations 5 entries 3 trimmed 0 entries_added 3 entries_other 0 }",
    );
    con.says("DEBUG RELOAD", "OK");
    con.fields(AUDIT, "consistent 1, entries 3");
    // A sale without an order needs no stream.
    con.says("FLASHSALE.CREATE new none STOCK 1", "OK");
    con.fields(
        "FLASHSALE.AUDIT new none",
        "consistent 1, entries 0, trimmed 0",
    );
}

#[test]
fn a_replica_is_asked_about_its_own() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    crate::support::replicate(&primary, &replica);
    sale(&mut primary.conn());
    wait_for_replica(&primary, &replica);
    let mut behind = replica.conn();
    behind.fields(AUDIT, "consistent 1, reservations 5, entries 3");
}

#[test]
fn whatever_is_done_to_a_sale_leaves_it_consistent() {
    let server = Server::any();
    let (mut con, mut dice) = (server.conn(), Dice::seeded());
    create(&mut con);
    for _ in 0..40 {
        play(&mut con, &mut dice, 50);
        let (is_consistent, found) = audit(&mut con, AUDIT);
        assert!(is_consistent && found.is_empty(), "{found:?}");
        con.fields(AUDIT, "trimmed 0");
    }
}

#[test]
fn what_is_no_sale_or_not_its_stream_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.says("SET text x", "OK");
    con.says("XADD other * a b", "*");
    con.fails("FLASHSALE.AUDIT nosuch", "NOSALE", "key");
    con.fails("FLASHSALE.AUDIT text", "WRONGTYPE", "key");
    con.fails("FLASHSALE.AUDIT sale text", "WRONGTYPE", "orders");
    con.fails("FLASHSALE.AUDIT sale other", "ERR", "orders");
    con.fails("FLASHSALE.AUDIT sale sale", "WRONGTYPE", "orders");
    con.fails("FLASHSALE.AUDIT sale orders x", "ERR", "x");
}

/// Waits for another millisecond, so that a stream begun anew has none of the old IDs.
fn wait_for_later_ids(con: &mut Con) {
    let now_ms = con.now_ms();
    wait_until("a millisecond has passed", || con.now_ms() > now_ms);
}

/// Loses the stream; what is sold next begins another.
fn lose(con: &mut Con) {
    con.says("DEL orders", "1");
    wait_for_later_ids(con);
}

fn delete(con: &mut Con, at: &str) {
    con.says(&format!("XDEL orders {at}"), "1");
}

/// What is done to the stream, by its entries; and a part of what AUDIT says of it.
type Damage = (fn(&mut Con, &[(String, Vec<String>)]), &'static str);

const DAMAGE: [Damage; 16] = [
    (
        |con, entries| delete(con, &entries[1].0),
        "an order of 's2', is not in the stream",
    ),
    (
        |con, entries| delete(con, &entries[2].0),
        "a refund of 's1', is not in the stream",
    ),
    (
        |con, entries| {
            delete(con, &entries[1].0);
            append(con, &entries[1].1, &[]);
        },
        "is an order of 's2', whose entry is",
    ),
    (
        |con, entries| drop(append(con, &entries[2].1, &[])),
        "is a refund of 's1', whose entry is",
    ),
    (
        |con, entries| drop(append(con, &entries[0].1, &[("id", "ghost")])),
        "is an order of 'ghost', which the sale does not know",
    ),
    (
        |con, entries| drop(append(con, &entries[0].1, &[("id", "open")])),
        "is an order of 'open', which is reserved in the sale",
    ),
    (
        |con, entries| drop(append(con, &entries[2].1, &[("ref", "f2")])),
        "is a refund of 's1', which the sale does not know",
    ),
    (
        |con, entries| drop(append(con, &entries[0].1, &[("id", "-")])),
        "cannot be read: it has no id",
    ),
    (
        |con, entries| drop(append(con, &entries[0].1, &[("event", "-")])),
        "cannot be read: it has no event",
    ),
    (
        |con, entries| drop(append(con, &entries[0].1, &[("items", "[1]")])),
        "cannot be read: its items",
    ),
    (
        |con, _| drop(con.says("DEL orders", "1")),
        "the stream is not there, and should have 3 entries",
    ),
    (
        |con, _| {
            lose(con);
            con.says(
                "FLASHSALE.BUY sale orders eve ITEMS 1 a 1 ID s3",
                "SOLD ...",
            );
        },
        "3 entries of the sale are older than the first one in the stream, from which only 0 were",
    ),
    (
        |con, _| {
            con.says("DEL orders", "1");
            con.says("XGROUP CREATE orders shipping 0 MKSTREAM", "OK");
        },
        "3 entries of the sale are older than the first one in the stream, from which only 0 were",
    ),
    (
        |con, entries| forge(con, entries, ("user", "bob")),
        "an order of 's1', is 'bob' in the stream, 'ann' in the sale",
    ),
    (
        |con, entries| forge(con, entries, ("qty", "7")),
        "an order of 's1', is 7 in the stream, 6 in the sale",
    ),
    (
        |con, entries| forge(con, entries, ("ref", "-")),
        "an order of 's1', is not given in the stream, 'p1' in the sale",
    ),
];

/// Makes the stream anew with the same IDs, and one field of the first entry changed.
fn forge(con: &mut Con, entries: &[(String, Vec<String>)], change: (&str, &str)) {
    con.int("DEL orders");
    for (index, (at, fields)) in entries.iter().enumerate() {
        let mut words: Vec<&str> = vec!["XADD", "orders", at];
        for pair in fields.chunks(2) {
            let is_it = index == 0 && pair[0] == change.0;
            let value = if is_it { change.1 } else { &pair[1] };
            if value != "-" {
                words.extend([pair[0].as_str(), value]);
            }
        }
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(text_of(&con.run_words(&words)), *at);
    }
}

#[test]
fn every_kind_of_damage_to_the_stream_is_found_and_named() {
    let server = Server::any();
    let mut con = server.conn();
    for (damage, words) in DAMAGE {
        con.says("FLUSHALL", "OK");
        sale(&mut con);
        let before = entries(&mut con);
        damage(&mut con, &before);
        let (is_consistent, found) = audit(&mut con, AUDIT);
        assert!(
            found.iter().any(|line| line.contains(words)),
            "{words}\n{found:?}"
        );
        assert!(!is_consistent, "{found:?}");
        // The sale itself is none the worse.
        assert!(audit(&mut con, "FLASHSALE.AUDIT sale").0);
    }
}

#[test]
fn a_stream_made_anew_as_it_was_is_consistent() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let before = entries(&mut con);
    forge(&mut con, &before, ("user", "ann"));
    con.fields(AUDIT, "consistent 1, entries 3, trimmed 0");
}

#[test]
fn entries_written_before_an_empty_ref_was_told_are_consistent() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let before = entries(&mut con);
    con.says("DEL orders", "1");
    for (at, fields) in &before {
        let mut words: Vec<&str> = vec!["XADD", "orders", at];
        let told = fields.chunks(2).filter(|pair| !pair[1].is_empty());
        words.extend(told.flatten().map(String::as_str));
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(text_of(&con.run_words(&words)), *at);
    }
    assert_ne!(entries(&mut con), before, "one entry has an empty ref");
    con.fields(AUDIT, "consistent 1, entries 3, trimmed 0");
}

#[test]
fn what_belongs_to_others_and_what_was_trimmed_is_no_difference() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    // Another sale shares the stream, and somebody writes entries of their own.
    con.says("FLASHSALE.CREATE other orders STOCK 5", "OK");
    con.says("FLASHSALE.BUY other orders ann 1 ID s1", "SOLD ...");
    con.says("XADD orders * event order id s1 user eve", "(entry)");
    con.fields(AUDIT, "consistent 1, entries 3, trimmed 0");
    con.fields("FLASHSALE.AUDIT other orders", "consistent 1, entries 1");
    for (length, entries, trimmed) in [(4, 2, 1), (3, 1, 2), (2, 0, 3), (0, 0, 3)] {
        con.run(&format!("XTRIM orders MAXLEN = {length}"));
        con.fields(
            AUDIT,
            &format!("consistent 1, entries {entries}, trimmed {trimmed}"),
        );
    }
    con.says(
        "FLASHSALE.BUY sale orders cyd ITEMS 1 a 1 ID s3",
        "SOLD ...",
    );
    con.fields(AUDIT, "consistent 1, entries 1, trimmed 3");
}

#[test]
fn a_lost_stream_is_found_however_it_was_lost_and_goes_on() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let lost = |con: &mut Con, trimmed: u32, removed: u32| {
        let (is_consistent, found) = audit(con, AUDIT);
        let words = format!(
            "{trimmed} entries of the sale are older than the first one in the stream, from which \
             only {removed} were ever removed: it was lost and begun anew, or the sale was bound \
             to it later"
        );
        assert_eq!((is_consistent, found), (false, vec![words]));
    };
    let buy = |con: &mut Con, id: &str| {
        let line = format!("FLASHSALE.BUY sale orders eve ITEMS 1 a 1 ID {id}");
        con.says(&line, "SOLD ...");
    };
    lose(&mut con);
    for id in ["s3", "s4", "s5"] {
        buy(&mut con, id);
        lost(&mut con, 3, 0);
    }
    // Trimming what came after makes up for nothing.
    con.says("XTRIM orders MAXLEN = 1", "2");
    lost(&mut con, 5, 2);
    con.says("XTRIM orders MAXLEN = 0", "1");
    lost(&mut con, 6, 3);
    con.says("DEBUG RELOAD", "OK");
    lost(&mut con, 6, 3);
    // The sale goes to a place of its own, and its stream stays behind.
    con.says("FLASHSALE.CREATE away away:orders STOCK 9", "OK");
    con.says("FLASHSALE.BUY away away:orders eve 1 ID a1", "SOLD ...");
    con.says("MOVE away 1", "1");
    wait_for_later_ids(&mut con);
    con.says("SELECT 1", "OK");
    con.says("FLASHSALE.BUY away away:orders eve 1 ID a2", "SOLD ...");
    con.fields(
        "FLASHSALE.AUDIT away away:orders",
        "consistent 0, entries 1, trimmed 1, entries_added 1",
    );
}

#[test]
fn a_stream_that_was_renamed_and_bound_anew_was_not_lost() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.says("XTRIM orders MAXLEN = 1", "2");
    con.says("RENAME orders archive", "OK");
    con.says("FLASHSALE.BIND sale archive", "OK");
    con.fields(
        "FLASHSALE.AUDIT sale archive",
        "consistent 1, entries 1, trimmed 2, entries_added 3",
    );
    // Another stream has never seen the orders of before.
    con.says("FLASHSALE.BIND sale other", "OK");
    wait_for_later_ids(&mut con);
    con.says("FLASHSALE.BUY sale other eve ITEMS 1 a 1 ID s3", "SOLD ...");
    con.fields(
        "FLASHSALE.AUDIT sale other",
        "consistent 0, entries 1, trimmed 3, entries_added 1",
    );
    // Until its owner answers for them.
    con.says(
        "XSETID other 9999999999999-0 ENTRIESADDED 4 MAXDELETEDID 1-1",
        "OK",
    );
    con.fields("FLASHSALE.AUDIT sale other", "consistent 1, trimmed 3");
}

#[test]
fn without_xinfo_a_lost_stream_passes_for_a_trimmed_one_and_this_is_told() {
    let Some(server) = Server::own(&["--rename-command XINFO ''"], &[]) else {
        return;
    };
    let mut con = server.conn();
    sale(&mut con);
    con.says("XTRIM orders MAXLEN = 1", "2");
    con.fields(
        AUDIT,
        "consistent 1, entries 1, trimmed 2, entries_added (nil)",
    );
}

#[test]
fn a_sale_set_back_behind_its_stream_is_found() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let Value::BulkString(before) = con.run("DUMP sale") else {
        panic!("no dump")
    };
    con.says(
        "FLASHSALE.BUY sale orders cyd ITEMS 1 a 1 ID s3",
        "SOLD ...",
    );
    con.says("FLASHSALE.REFUND sale orders s2", "REFUNDED ...");
    con.fields(AUDIT, "consistent 1, entries 5");
    con.run_words(&[b"RESTORE", b"sale", b"0", &before, b"REPLACE"]);
    let (_, found) = audit(&mut con, AUDIT);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("an order of 's3', which the sale does not know"));
    assert!(found[1].ends_with("a refund of 's2', which the sale does not know"));
}

#[test]
fn of_many_differences_a_hundred_are_told() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    for number in 0..130 {
        con.says(
            &format!("FLASHSALE.BUY sale orders u 1 ID i{number}"),
            "SOLD ...",
        );
    }
    let all: Vec<String> = entries(&mut con).into_iter().map(|(at, _)| at).collect();
    con.run(&format!("XDEL orders {}", all[1..].join(" ")));
    let (_, found) = audit(&mut con, AUDIT);
    assert_eq!((found.len(), found[100].as_str()), (101, "and 29 more"));
}

#[test]
fn asking_again_and_again_takes_no_memory() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    for number in 0..200 {
        let line = format!("FLASHSALE.BUY sale orders u 1 ID i{number} REF p");
        con.says(&line, "SOLD ...");
    }
    let mut ask = |times: u32| -> i64 {
        for _ in 0..times {
            con.fields(AUDIT, "consistent 1, entries 200");
            con.run("FLASHSALE.DOCTOR");
        }
        con.info("memory", "used_memory").parse().expect("bytes")
    };
    let (before, after) = (ask(20), ask(100));
    // The connection's own buffers come and go. A single string kept of each entry, or of
    // each answer of the server to DOCTOR, would be several times this.
    assert!(after - before < 100_000, "{before} bytes, then {after}");
}
