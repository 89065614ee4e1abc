//! What RESERVE answers with WAIT, row by row, and what other commands say of an id that waits.

use super::{sale, wait};
use crate::support::{render, unix_ms};

#[test]
fn whoever_can_have_units_gets_them_at_once() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9");
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID a WAIT",
        "RESERVED a @+300000 0 -1",
    );
    con.says("FLASHSALE.INFO sale", "...");
    con.fields("FLASHSALE.INFO sale", "waiting 0, waiting_max 9");
}

#[test]
fn all_reserved_paused_and_not_started_join() {
    let start_at_ms = unix_ms() + 3_600_000;
    let (_server, mut con) = sale(&format!("STOCK 5 WAITING 9 START {start_at_ms}"));
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a", "NOTSTARTED *");
    // Before the draw nobody has a place, and nobody knows how long it takes.
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID a WAIT",
        "WAITING a -1 5 -1 *",
    );
    con.fields("FLASHSALE.GET sale a", "state waiting, ahead -1, number 0");
    con.says("FLASHSALE.ALTER sale START 0", "OK");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.says("FLASHSALE.RESERVE sale bob 1 ID b WAIT", "...");
    con.says("FLASHSALE.RESUME sale", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 ID a", "RESERVED a ...");
}

#[test]
fn what_is_final_does_not_join() {
    let (_server, mut con) =
        sale("ITEMS 2 a 5 b 0 WAITING 9 USERLIMIT 3 ITEMLIMIT 2 ORDERLIMIT 4 SALELIMIT 4");
    let asks = |units: &str| format!("FLASHSALE.RESERVE sale ann ITEMS 1 {units} ID x WAIT");
    con.refuses(&asks("a 5"), "ORDERLIMIT 4");
    con.refuses(&asks("a 4"), "USERLIMIT 3");
    con.refuses(&asks("a 3"), "ITEMLIMIT 2 a");
    con.refuses(&asks("b 1"), "SOLDOUT 0 b");
    con.fails(&asks("c 1"), "NOSKU", "'c'");
    for (user, id) in [("u1", "s1"), ("u2", "s2")] {
        con.says(
            &format!("FLASHSALE.BUY sale orders {user} ITEMS 1 a 2 ID {id}"),
            "SOLD ...",
        );
    }
    con.refuses(&asks("a 1"), "SALELIMIT 0");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.refuses(&asks("a 1"), "ENDED *");
    con.fields("FLASHSALE.INFO sale", "waiting 0");
}

#[test]
fn a_line_is_as_long_as_waiting_says_and_a_user_stands_in_it_once() {
    let (_server, mut con) = sale("STOCK 1 WAITING 2 HOLD 60000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID a WAIT",
        "WAITING a 0 1 -1 *",
    );
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a2 WAIT", "PLACED a2 a");
    con.says(
        "FLASHSALE.RESERVE sale bob 1 ID b WAIT",
        "WAITING b 1 1 -1 *",
    );
    con.refuses("FLASHSALE.RESERVE sale cid 1 ID c WAIT", "LINEFULL 2");
    con.fields("FLASHSALE.USER sale ann", "waiting a");
    con.fields("FLASHSALE.USER sale cid", "waiting (nil)");
    con.says("FLASHSALE.STOCK sale", "[default 0 1 0 2]");
    // Those in line stay when it is lowered.
    con.says("FLASHSALE.ALTER sale WAITING 0", "OK");
    con.refuses("FLASHSALE.RESERVE sale cid 1 ID c WAIT", "LINEFULL 0");
    con.says("FLASHSALE.RESERVE sale bob 1 ID b", "WAITING b 1 1 -1 *");
    con.fields("FLASHSALE.AUDIT sale", "consistent 1");
}

#[test]
fn a_poll_is_the_same_request_and_writes_nothing() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 HOLD 60000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    let joined = con.says("FLASHSALE.RESERVE sale ann 1 ID a WAIT", "WAITING ...");
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a WAIT", &render(&joined));
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a", &render(&joined));
    con.refuses("FLASHSALE.RESERVE sale bob 1 ID a WAIT", "MISMATCH a");
    con.refuses("FLASHSALE.RESERVE sale ann 2 ID a WAIT", "MISMATCH a");
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 1 ann 1 a",
        &format!("[{}]", render(&joined)),
    );
}

#[test]
fn other_commands_say_that_an_id_waits() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 HOLD 60000");
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    wait(&mut con, "ann");
    for line in [
        "FLASHSALE.CHECKOUT sale orders i-ann",
        "FLASHSALE.EXTEND sale i-ann 1000",
        "FLASHSALE.BUY sale orders ann 1 ID i-ann",
    ] {
        con.refuses(line, "WAITING i-ann");
    }
    con.refuses(
        "FLASHSALE.RESERVE sale ann 1 ID new REPLACE i-ann",
        "WAITING i-ann",
    );
    con.refuses("FLASHSALE.REFUND sale orders i-ann", "NOTSOLD 0");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders i-ann USER bob",
        "NORESERVATION i-ann",
    );
    con.refuses(
        "FLASHSALE.RELEASE sale i-ann USER bob",
        "NORESERVATION i-ann",
    );
    con.says("FLASHSALE.SCAN sale 0 STATE waiting", "\"0\" [i-ann]");
    con.says("FLASHSALE.SCAN sale 0", "\"0\" [i-ann z]");
    con.says("FLASHSALE.RELEASE sale i-ann USER ann", "RELEASED i-ann");
    con.refuses(
        "FLASHSALE.RESERVE sale ann 1 ID i-ann WAIT",
        "RELEASED i-ann",
    );
    con.fields("FLASHSALE.INFO sale", "waiting 0");
}

#[test]
fn nobody_overtakes_a_line() {
    let (_server, mut con) = sale("ITEMS 2 a 3 b 3 WAITING 9 HOLD 60000 PATIENCE 0");
    con.says(
        "FLASHSALE.RESERVE sale zoe ITEMS 1 a 2 ID z",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID w WAIT",
        "WAITING w 0 3 -1 *",
    );
    // One is free, and the one in front wants two.
    for line in [
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 1 ID b",
        "FLASHSALE.RESERVE sale bob ITEMS 2 b 1 a 1 ID b",
        "FLASHSALE.BUY sale orders bob ITEMS 1 a 1 ID b",
    ] {
        con.refuses(line, "ALLRESERVED * a");
    }
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 b 1 ID b",
        "RESERVED ...",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale bob ITEMS 2 b 1 a 1 ID b2 REPLACE b",
        "ALLRESERVED * a",
    );
    con.says("FLASHSALE.RESTOCK sale ITEMS 1 a 1", "RESTOCKED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID w",
        "RESERVED w ...",
    );
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let (_server, mut con) = sale("ITEMS 2 a 3 b 3 WAITING 9");
    for (line, why) in [
        ("FLASHSALE.RESERVE sale ann ITEMS 1 a 1 WAIT", "ID"),
        (
            "FLASHSALE.RESERVE sale ann ITEMS 2 a 1 b 1 ID x WAIT",
            "WAIT",
        ),
        (
            "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID x HOLD 9 WAIT",
            "HOLD",
        ),
        (
            "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID x REPLACE y WAIT",
            "REPLACE",
        ),
        (
            "FLASHSALE.BUY sale orders ann ITEMS 1 a 1 ID x WAIT",
            "WAIT",
        ),
        (
            "FLASHSALE.MRESERVE sale ENTRIES 1 ann 1 x SKU a WAIT",
            "WAIT",
        ),
        ("FLASHSALE.ALTER sale WAITING 100000001", "WAITING"),
        ("FLASHSALE.ALTER sale PATIENCE 1999", "PATIENCE"),
        ("FLASHSALE.ALTER sale PACE 1000001 1000", "PACE"),
        ("FLASHSALE.ALTER sale PACE 1 86400001", "PACE"),
    ] {
        con.fails(line, "ERR", why);
    }
}
