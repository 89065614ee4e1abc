//! A sale that breaks in the middle of a batch: every entry has its answer, and every copy
//! hears of what was carried out. As in `broken.rs`, debug builds break sales of certain names.

use crate::support::{Con, Server, replicate, wait_for_replica};

/// Splits a reply that is an array of single words and errors.
fn elements(con: &mut Con, line: &str) -> Vec<String> {
    let redis::Value::Array(elements) = con.run(line) else {
        panic!("no array")
    };
    elements.iter().map(crate::support::render).collect()
}

#[track_caller]
fn is_broken(answer: &str) {
    let words = "the sale takes no change, see FLASHSALE.DOCTOR";
    assert!(answer.contains(words), "{answer}");
}

#[test]
fn an_entry_that_panics_is_an_error_and_so_are_those_after_it() {
    let (Some(mut server), Some(replica)) = (
        Server::own(&["--appendonly yes"], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    let (mut con, mut copy) = (server.conn(), replica.conn());
    con.says("FLASHSALE.CREATE rehearsal:apply orders STOCK 9", "OK");
    replicate(&server, &replica);
    let answers = elements(
        &mut con,
        "FLASHSALE.MBUY rehearsal:apply orders ENTRIES 4 ann 99 r0 '' ann 1 r1 '' bob 1 r2 '' \
         cyd x r3 ''",
    );
    assert_eq!(answers[0], "SOLDOUT 9 default");
    is_broken(&answers[1]);
    is_broken(&answers[2]);
    assert!(answers[3].contains("ERR qty"), "{}", answers[3]);
    con.says("PING", "+PONG");
    // The entry is in the stream, so the order is one of every copy.
    wait_for_replica(&server, &replica);
    copy.has_not_diverged();
    copy.says("FLASHSALE.STOCK rehearsal:apply", "[default 8 0 1 0]");
    assert_eq!(con.digest("orders"), copy.digest("orders"));
    server.restart();
    let mut con = server.conn();
    con.says("FLASHSALE.STOCK rehearsal:apply", "[default 8 0 1 0]");
    assert_eq!(con.digest("orders"), copy.digest("orders"));
}

#[test]
fn counts_that_cannot_be_right_end_the_batch_behind_their_entry() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE rehearsal:fault orders STOCK 9", "OK");
    let answers = elements(
        &mut con,
        "FLASHSALE.MRESERVE rehearsal:fault ENTRIES 3 ann 1 r1 bob 1 r2 ann 1 r1",
    );
    assert!(answers[0].starts_with("RESERVED r1"), "{}", answers[0]);
    is_broken(&answers[1]);
    is_broken(&answers[2]);
}

#[test]
fn a_copy_that_panics_in_a_batch_goes_on_following() {
    let (Some(server), Some(mut replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replica.may_diverge();
    let mut con = server.conn();
    for name in ["rehearsal:replay", "sound"] {
        con.says(&format!("FLASHSALE.CREATE {name} orders STOCK 9"), "OK");
    }
    replicate(&server, &replica);
    for name in ["rehearsal:replay", "sound"] {
        let line = format!("FLASHSALE.MRESERVE {name} ENTRIES 2 ann 1 r1 bob 1 r2");
        con.says(&line, "[RESERVED ...");
    }
    wait_for_replica(&server, &replica);
    let mut copy = replica.conn();
    assert_eq!(copy.info("replication", "master_link_status"), "up");
    assert_eq!(copy.divergence(), 1);
    copy.fields("FLASHSALE.INFO rehearsal:replay", "state diverged");
    assert_eq!(copy.digest("sound"), con.digest("sound"));
}
