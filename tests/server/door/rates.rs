//! Who tries too often, and who only asks again.

use super::{SECRET, pass, passkey, sale};
use crate::support::{Con, Server, replicate, wait_for_replica};

fn throttled(con: &mut Con) -> u64 {
    con.info("flashsale", "flashsale_outcome_throttled")
        .parse()
        .expect("a number")
}

fn subjects(con: &mut Con) -> u64 {
    con.info("flashsale", "flashsale_rate_subjects")
        .parse()
        .expect("a number")
}

#[test]
fn a_user_tries_as_often_as_userrate_says() {
    let (_server, mut con) = sale("STOCK 1 USERRATE 3 60000");
    con.fields(
        "FLASHSALE.INFO sale",
        "userrate_n 3, userrate_ms 60000, fromrate_n (nil), fromrate_ms (nil)",
    );
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    // Refused attempts count: they are what bots hammer with.
    for n in 0..3 {
        con.refuses(
            &format!("FLASHSALE.RESERVE sale ann 1 ID a{n}"),
            "ALLRESERVED ...",
        );
    }
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a", "THROTTLED * user");
    con.refuses("FLASHSALE.BUY sale orders ann 1 ID a", "THROTTLED * user");
    con.refuses("FLASHSALE.RESERVE sale ann 1", "THROTTLED * user");
    con.refuses("FLASHSALE.RESERVE sale bob 1 ID b", "ALLRESERVED ...");
    assert_eq!((throttled(&mut con), subjects(&mut con)), (3, 3));
    con.says("FLASHSALE.ALTER sale USERRATE 0 0", "OK");
    assert_eq!(subjects(&mut con), 0);
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a", "ALLRESERVED ...");
    con.says("DEL sale", "1");
}

#[test]
fn a_source_tries_as_often_as_fromrate_says() {
    let (_server, mut con) = sale("STOCK 99 FROMRATE 2 60000");
    let from = |user: &str, id: &str, source: &str| {
        format!("FLASHSALE.RESERVE sale {user} 1 ID {id} FROM {source}")
    };
    con.says(&from("ann", "a", "home"), "RESERVED ...");
    con.says(&from("bob", "b", "home"), "RESERVED ...");
    con.refuses(&from("cyd", "c", "home"), "THROTTLED * from");
    let buy = "FLASHSALE.BUY sale orders cyd 1 ID c FROM home";
    con.refuses(buy, "THROTTLED * from");
    // From elsewhere, or from nowhere in particular.
    con.says(&from("cyd", "c", "work"), "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale dan 1 ID d", "RESERVED ...");
    // A retry is no attempt, wherever it comes from.
    con.refuses(&from("ann", "a", "home"), "RESERVED a ...");
    assert_eq!(subjects(&mut con), 2);
}

#[test]
fn from_without_fromrate_is_not_looked_at() {
    let (_server, mut con) = sale("STOCK 99");
    for n in 0..9 {
        let line = format!("FLASHSALE.RESERVE sale ann 1 ID {n} FROM home");
        con.says(&line, "RESERVED ...");
    }
    let empty = b"FLASHSALE.RESERVE sale ann 1 ID x FROM ".split(|byte| *byte == b' ');
    let empty: Vec<&[u8]> = empty.collect();
    con.fails_words(&empty, "ERR", "FROM: 0 bytes, not 1 to 255");
    assert_eq!(subjects(&mut con), 0);
}

#[test]
fn the_longer_wait_is_told_and_neither_is_charged() {
    let (_server, mut con) = sale("STOCK 99 USERRATE 1 10000 FROMRATE 2 600000");
    let from = |user: &str, id: &str, source: &str| {
        format!("FLASHSALE.RESERVE sale {user} 1 ID {id} FROM {source}")
    };
    con.says(&from("ann", "a", "home"), "RESERVED ...");
    con.refuses(&from("ann", "b", "home"), "THROTTLED * user");
    // The one that home has left was not used up by it.
    con.says(&from("bob", "b", "home"), "RESERVED ...");
    con.refuses(&from("ann", "c", "home"), "THROTTLED * from");
    // And cyd's own was not by home's.
    con.refuses(&from("cyd", "c", "home"), "THROTTLED * from");
    con.says(&from("cyd", "c", "work"), "RESERVED ...");
}

#[test]
fn retries_polls_and_what_comes_before_are_no_attempts() {
    let (_server, mut con) = sale("ITEMS 2 a 1 b 9 WAITING 9 USERRATE 1 600000");
    let ask = |id: &str, units: &str, rest: &str| {
        format!("FLASHSALE.RESERVE sale ann ITEMS 1 {units} ID {id} {rest}")
    };
    // Rows 3 to 6.
    con.fails(&ask("x", "nosuch 1", ""), "NOSKU", "'nosuch'");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.refuses(&ask("x", "b 1", ""), "PAUSED *");
    con.says("FLASHSALE.RESUME sale", "OK");
    con.refuses(&ask("x", "b 1", "REPLACE nosuch"), "NORESERVATION nosuch");
    con.says(
        "FLASHSALE.RESERVE sale zoe ITEMS 1 a 1 ID z",
        "RESERVED ...",
    );
    con.says(&ask("w", "a 1", "WAIT"), "WAITING ...");
    // Polls of the place, and another try by whoever has one.
    for _ in 0..5 {
        con.refuses(&ask("w", "a 1", "WAIT"), "WAITING ...");
    }
    con.refuses(&ask("x", "b 1", ""), "THROTTLED * user");
    con.says("FLASHSALE.RELEASE sale w", "RELEASED w");
    for _ in 0..5 {
        con.refuses(&ask("w", "a 1", "WAIT"), "RELEASED w");
        con.refuses(&ask("z", "a 1", ""), "MISMATCH z");
    }
    con.refuses(
        "FLASHSALE.BUY sale orders zoe ITEMS 1 b 1 ID b",
        "THROTTLED * user",
    );
    con.says("FLASHSALE.CHECKOUT sale orders z", "SOLD ...");
    con.refuses("FLASHSALE.BUY sale orders zoe ITEMS 1 a 1 ID z", "SOLD z *");
}

#[test]
fn hammering_earns_no_place() {
    let (_server, mut con) = sale("STOCK 1 WAITING 9 USERRATE 1 600000 START 9000000000000");
    con.says("FLASHSALE.RESERVE sale ann 1 ID a WAIT", "WAITING ...");
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID b WAIT", "THROTTLED * user");
    // Without WAIT the sale has simply not begun.
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID b", "NOTSTARTED *");
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID b WAIT", "THROTTLED * user");
}

#[test]
fn replace_is_an_attempt_too() {
    let (_server, mut con) = sale("STOCK 9 USERRATE 2 600000");
    con.says("FLASHSALE.RESERVE sale ann 1 ID a", "RESERVED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann 2 ID b REPLACE a",
        "RESERVED ...",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale ann 3 ID c REPLACE b",
        "THROTTLED * user",
    );
    con.says("FLASHSALE.RELEASE sale b", "RELEASED b");
    con.refuses("FLASHSALE.RESERVE sale ann 2 ID b REPLACE a", "RELEASED b");
}

#[test]
fn each_entry_of_a_batch_is_an_attempt_of_its_user() {
    let (_server, mut con) = sale("STOCK 9 USERRATE 1 600000 FROMRATE 1 600000");
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 4 ann 1 a ann 1 b bob 1 c ann 1 a",
        "[RESERVED a ...] [THROTTLED * user] [RESERVED c ...] [RESERVED a ...]",
    );
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 2 bob 1 d d-ref cyd 1 e e-ref",
        "[THROTTLED * user] [SOLD e *]",
    );
    con.says(
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 1 a r",
        "[SOLD a *]",
    );
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn row_7_comes_before_the_rows_behind_it() {
    let options = format!(
        "STOCK 9 ORDERLIMIT 2 USERRATE 2 600000 {}",
        passkey(&[SECRET])
    );
    let (_server, mut con) = sale(&options);
    con.refuses("FLASHSALE.RESERVE sale ann 3 ID a", "ORDERLIMIT 2");
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID a", "NOPASS a");
    con.refuses("FLASHSALE.RESERVE sale ann 3 ID a", "THROTTLED * user");
    let shown = pass("a", "ann");
    con.refuses(
        &format!("FLASHSALE.RESERVE sale ann 1 ID a PASS {shown}"),
        "THROTTLED * user",
    );
}

#[test]
fn rates_that_cannot_be_kept_are_refused() {
    let (_server, mut con) = sale("STOCK 9");
    for rate in ["USERRATE", "FROMRATE"] {
        for (values, part) in [
            ("1000001 1", "n is at most 1000000"),
            ("1 31536000001", "ms at most a year"),
            ("0 5", "is no rate"),
            ("5 0", "is no rate"),
            ("5", "takes two numbers, n and ms"),
        ] {
            con.fails(
                &format!("FLASHSALE.ALTER sale {rate} {values}"),
                "ERR",
                part,
            );
            let create = format!("FLASHSALE.CREATE new orders STOCK 1 {rate} {values}");
            con.fails(&create, "ERR", part);
        }
        con.says(
            &format!("FLASHSALE.ALTER sale {rate} 31536000000 31536000000"),
            "OK",
        );
    }
}

#[test]
fn there_are_no_more_subjects_than_max_subjects() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CONFIG SET flashsale.max-subjects 50", "OK");
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 1 USERRATE 1 600000 FROMRATE 1 600000",
        "OK",
    );
    for n in 0..300 {
        con.run(&format!("FLASHSALE.RESERVE sale u{n} 1 ID i{n} FROM s{n}"));
    }
    // Fifty users, and as many sources.
    assert_eq!(subjects(&mut con), 100);
    con.says("DEL sale", "1");
    assert_eq!(subjects(&mut con), 0);
}

#[test]
fn nobody_has_tried_yet_after_a_reload_or_a_promotion() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 9 USERRATE 1 600000",
        "OK",
    );
    let ask = |id: &str| format!("FLASHSALE.RESERVE sale ann 1 ID {id}");
    con.says(&ask("a"), "RESERVED ...");
    con.refuses(&ask("b"), "THROTTLED * user");
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    // No part of what copies agree on.
    assert_eq!(copy.digest("sale"), con.digest("sale"));
    assert_eq!((subjects(&mut con), subjects(&mut copy)), (1, 0));
    let digest = con.digest("sale");
    con.refuses(&ask("b"), "THROTTLED * user");
    assert_eq!(con.digest("sale"), digest);
    con.says("DEBUG RELOAD", "OK");
    con.says(&ask("b"), "RESERVED ...");
    con.refuses(&ask("c"), "THROTTLED * user");
    wait_for_replica(&primary, &replica);
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    // A lost reply is answered, and one burst is all that is lost.
    copy.refuses(&ask("b"), "RESERVED b ...");
    copy.says(&ask("c"), "RESERVED ...");
    copy.refuses(&ask("d"), "THROTTLED * user");
}
