//! **Goal**: a sale that breaks an invariant is broken off: it takes no change any more, on
//! this server alone, and says so; the server, its other sales, its replicas and its next
//! start live.
//!
//! **Method**: debug builds of the module break sales of certain names, each at one point
//! (`src/rehearsal.rs`).

use crate::support::{Con, Server, replicate, wait_for_replica, wait_until};

const BROKEN: &str = "the sale takes no change, see FLASHSALE.DOCTOR";

/// A server that keeps an AOF, with a sale of this name and a sound one.
fn server(sale: &str) -> Option<(Server, Con)> {
    let server = Server::own(&["--appendonly yes"], &[])?;
    let mut con = server.conn();
    for name in [sale, "sound"] {
        con.says(&format!("FLASHSALE.CREATE {name} orders STOCK 9"), "OK");
    }
    Some((server, con))
}

/// The call panics, and is told so.
#[track_caller]
fn breaks(con: &mut Con, line: &str) {
    let (reply, command) = (con.show(line), line.split(' ').next().expect("a name"));
    let words = format!("{BROKEN}: {command}: rehearsed");
    assert!(reply.contains(&words), "{reply}");
}

/// The sale is broken and is known to be; the other one sells.
#[track_caller]
fn assert_broken(con: &mut Con, sale: &str) {
    for line in [
        "RESERVE {} ann 1 ID r2",
        "BUY {} orders ann 1 ID r2",
        "CHECKOUT {} orders r1",
        "RELEASE {} r1",
        "RESTOCK {} 1",
        "RESUME {}",
        "CLOSE {}",
    ] {
        let line = format!("FLASHSALE.{}", line.replace("{}", sale));
        con.fails(&line, "BROKEN", BROKEN);
    }
    let state = con.field(&format!("FLASHSALE.INFO {sale}"), "state");
    assert_eq!(state, "diverged");
    assert_eq!(con.info("flashsale", "flashsale_sales_diverged"), "1");
    let doctor = con.show("FLASHSALE.DOCTOR");
    assert!(doctor.contains(sale), "{doctor}");
    con.says("FLASHSALE.RESERVE sound ann 1", "RESERVED ...");
}

#[test]
fn a_panic_is_an_error_and_the_end_of_one_sale() {
    let sale = "rehearsal:plan";
    let Some((mut server, mut con)) = server(sale) else {
        return;
    };
    let line = "FLASHSALE.RESERVE rehearsal:plan ann 1 ID r1";
    breaks(&mut con, line);
    assert_eq!(con.info("flashsale", "flashsale_error_broken"), "1");
    assert_broken(&mut con, sale);
    // Neither a snapshot nor a rewrite makes it sound, and both can be loaded.
    con.run("BGREWRITEAOF");
    wait_until("the rewrite", || {
        con.info("persistence", "aof_rewrite_in_progress") == "0"
    });
    let digest = con.digest(sale);
    server.restart();
    let mut con = server.conn();
    assert_broken(&mut con, sale);
    assert_eq!(con.digest(sale), digest);
    con.says("FLASHSALE.STOCK rehearsal:plan", "[default 9 0 0 0]");
    con.says("DEL rehearsal:plan", "1");
    assert_eq!(con.info("flashsale", "flashsale_sales_diverged"), "0");
}

#[test]
fn an_order_whose_change_panics_is_an_order_of_every_copy() {
    let sale = "rehearsal:apply";
    let Some((mut server, mut con)) = server(sale) else {
        return;
    };
    let Some(replica) = Server::own(&[], &[]) else {
        return;
    };
    replicate(&server, &replica);
    let line = "FLASHSALE.BUY rehearsal:apply orders ann 1 ID r1";
    breaks(&mut con, line);
    assert_broken(&mut con, sale);
    wait_for_replica(&server, &replica);
    let mut copy = replica.conn();
    assert_eq!(con.digest("orders"), copy.digest("orders"));
    copy.says("FLASHSALE.STOCK rehearsal:apply", "[default 8 0 1 0]");
    assert_eq!(copy.info("flashsale", "flashsale_sales_diverged"), "0");
    // Promoted, the copy knows the retry.
    copy.says("REPLICAOF NO ONE", "OK");
    assert_eq!(copy.int("XLEN orders"), 1);
    server.kill9();
    server.start_again(&[]);
    let mut con = server.conn();
    assert_eq!(con.int("XLEN orders"), 1);
    con.says("FLASHSALE.STOCK rehearsal:apply", "[default 8 0 1 0]");
    assert_eq!(con.info("flashsale", "flashsale_sales_diverged"), "0");
}

#[test]
fn a_read_that_panics_is_an_error_and_the_server_lives() {
    let sale = "rehearsal:read";
    let Some((_server, mut con)) = server(sale) else {
        return;
    };
    breaks(&mut con, "FLASHSALE.SCAN rehearsal:read 0");
    assert_broken(&mut con, sale);
}

#[test]
fn a_sweep_that_panics_is_not_tried_again() {
    let sale = "rehearsal:sweep";
    let Some((server, mut con)) = server(sale) else {
        return;
    };
    con.says(
        "FLASHSALE.RESERVE rehearsal:sweep ann 1 ID r1 HOLD 50",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sound ann 1 ID r1 HOLD 200",
        "RESERVED ...",
    );
    wait_until("the other sale to be swept", || {
        con.info("flashsale", "flashsale_outcome_expired") == "1"
    });
    assert_broken(&mut con, sale);
    assert_eq!(server.log().matches("is broken").count(), 1);
}

#[test]
fn counts_that_cannot_be_right_end_a_sale_after_the_change() {
    let sale = "rehearsal:fault";
    let Some((_server, mut con)) = server(sale) else {
        return;
    };
    con.says(
        "FLASHSALE.RESERVE rehearsal:fault ann 1 ID r1",
        "RESERVED ...",
    );
    assert_broken(&mut con, sale);
}

#[test]
fn a_copy_that_panics_goes_on_following() {
    let sale = "rehearsal:replay";
    let Some((mut server, mut con)) = server(sale) else {
        return;
    };
    let Some(mut replica) = Server::own(&[], &[]) else {
        return;
    };
    replica.may_diverge();
    replicate(&server, &replica);
    con.says(
        "FLASHSALE.RESERVE rehearsal:replay ann 1 ID r1",
        "RESERVED ...",
    );
    con.says("FLASHSALE.RESERVE sound ann 1 ID r1", "RESERVED ...");
    wait_for_replica(&server, &replica);
    let mut copy = replica.conn();
    assert_eq!(copy.info("replication", "master_link_status"), "up");
    assert_eq!(copy.divergence(), 1);
    assert_eq!(
        copy.field("FLASHSALE.INFO rehearsal:replay", "state"),
        "diverged"
    );
    assert_eq!(copy.digest("sound"), con.digest("sound"));
    // Of an AOF it is damage: the start ends with a line that says where.
    server.kill9();
    assert!(!server.may_start_again(&[]));
    assert!(server.log().contains("rehearsed"), "{}", server.log());
    server.may_diverge();
    server.start_again(&["--flashsale.load-damaged yes"]);
    let mut con = server.conn();
    assert_broken(&mut con, sale);
}

/// Waits until the AOF has all that the server has.
#[track_caller]
fn wait_for_aof(server: &Server) {
    let mut con = server.conn();
    for name in ["aof_rewrite_scheduled", "aof_rewrite_in_progress"] {
        wait_until("the rewrite", || con.info("persistence", name) == "0");
    }
}

#[test]
fn what_a_broken_copy_was_sent_is_in_its_own_aof() {
    let sale = "rehearsal:follow";
    let Some((server, mut con)) = server(sale) else {
        return;
    };
    let Some(mut replica) = Server::own(&["--appendonly yes"], &[]) else {
        return;
    };
    replica.may_diverge();
    replicate(&server, &replica);
    wait_for_aof(&replica);
    for line in [
        "RESERVE rehearsal:follow ann 1 ID r1",
        "BUY rehearsal:follow orders bob 2 ID r2",
        "MRESERVE rehearsal:follow ENTRIES 2 cyd 1 r3 dan 1 r4",
        "CHECKOUT rehearsal:follow orders r1",
    ] {
        con.run(&format!("FLASHSALE.{line}"));
    }
    wait_for_replica(&server, &replica);
    let mut copy = replica.conn();
    let state = copy.field("FLASHSALE.INFO rehearsal:follow", "state");
    assert_eq!((state.as_str(), copy.divergence()), ("diverged", 4));
    replica.restart();
    let mut copy = replica.conn();
    copy.says("FLASHSALE.STOCK rehearsal:follow", "[default 4 2 3 0]");
    for key in [sale, "orders"] {
        assert_eq!(copy.digest(key), con.digest(key));
    }
    // Where the AOF begins with the broken sale, what follows does not end the start.
    let Some(mut late) = Server::own(&["--appendonly yes"], &[]) else {
        return;
    };
    late.may_diverge();
    replicate(&server, &late);
    wait_for_aof(&late);
    con.says(
        "FLASHSALE.RESERVE rehearsal:follow eve 1 ID r5",
        "RESERVED ...",
    );
    wait_for_replica(&server, &late);
    late.conn().run("BGREWRITEAOF");
    wait_for_aof(&late);
    con.says("FLASHSALE.RELEASE rehearsal:follow r5", "RELEASED r5");
    wait_for_replica(&server, &late);
    late.restart();
    let state = late
        .conn()
        .field("FLASHSALE.INFO rehearsal:follow", "state");
    assert_eq!(state, "diverged");
}

#[test]
fn a_panic_over_the_bytes_of_restore_is_damage() {
    let server = Server::any();
    let mut con = server.conn();
    for name in ["sound", "rehearsal:restore"] {
        con.says(&format!("FLASHSALE.CREATE {name} orders STOCK 9"), "OK");
    }
    let redis::Value::BulkString(payload) = con.run("DUMP sound") else {
        panic!("no payload")
    };
    let (digest, sale) = (con.digest("rehearsal:restore"), b"rehearsal:restore");
    let words: [&[u8]; 5] = [b"RESTORE", sale, b"0", &payload, b"REPLACE"];
    let reply = crate::support::render(&con.run_words(&words));
    assert!(reply.contains("Bad data format"), "{reply}");
    assert_eq!(con.digest("rehearsal:restore"), digest);
}
