//! Every copy of a sale has the same line: one that follows, one that loads, one that replays,
//! and one that becomes the primary.

use super::{has_units, number, wait};
use crate::support::{
    Con, Feed, REPLICA_OF_NOBODY, Server, aof, replicate, unix_ms, wait_for_replica, wait_until,
};

/// A sale with a drawn line that has holes, a line before its draw, and one that ended.
fn fill(con: &mut Con) {
    let start_at_ms = unix_ms() + 700;
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders ITEMS 3 default 3 b 2 c 1 WAITING 1000 HOLD 600000 \
             PATIENCE 0 EVENTS all START {start_at_ms}"
        ),
        "OK",
    );
    for n in 0..150 {
        wait(con, &format!("u{n}"));
    }
    for n in (0..150).step_by(3) {
        con.says(&format!("FLASHSALE.RELEASE sale i-u{n}"), "RELEASED ...");
    }
    wait_until("the sale has begun", || {
        con.field("FLASHSALE.INFO sale", "granted") == "3"
    });
    for n in 0..40 {
        con.says(
            &format!("FLASHSALE.RESERVE sale b{n} ITEMS 1 b 1 ID i-b{n} WAIT"),
            "...",
        );
        con.says(
            &format!("FLASHSALE.RESERVE sale c{n} ITEMS 1 c 1 ID i-c{n} WAIT"),
            "...",
        );
    }
    for n in (1..150).step_by(7) {
        con.run(&format!("FLASHSALE.RELEASE sale i-u{n}"));
    }
    con.says("FLASHSALE.CHECKOUT sale orders i-c0", "SOLD ...");
    wait_until("the line of c ended", || {
        con.stock("sale").contains("[c 0 0 1 0]")
    });
    wait_until("nothing is left to do", || {
        con.stock("sale").starts_with("[default 0 3 0 ")
            && con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
}

#[test]
fn a_reload_a_rewrite_and_a_replay_have_the_same_line() {
    for preamble in ["yes", "no"] {
        let args =
            format!("--appendonly yes --appendfsync always --aof-use-rdb-preamble {preamble}");
        let Some(mut server) = Server::own(&[&args], &[]) else {
            return;
        };
        let mut con = server.conn();
        fill(&mut con);
        let (digest, stock) = (con.digest("sale"), con.stock("sale"));
        con.says("DEBUG RELOAD", "OK");
        assert_eq!(con.digest("sale"), digest);
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(
            (con.digest("sale"), con.stock("sale")),
            (digest.clone(), stock)
        );
        con.says("REPLICAOF NO ONE", "OK");
        aof::rewrite(&mut con);
        drop(con);
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(con.digest("sale"), digest);
        con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    }
}

#[test]
fn a_replica_follows_and_goes_on_as_the_primary() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    fill(&mut con);
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    assert_eq!(copy.digest("sale orders"), con.digest("sale orders"));
    copy.has_not_diverged();
    let front = (0..150)
        .map(|n| format!("u{n}"))
        .find(|user| con.field(&format!("FLASHSALE.GET sale i-{user}"), "ahead") == "0")
        .expect("somebody at the front");
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    copy.says("FLASHSALE.RESTOCK sale ITEMS 1 default 1", "RESTOCKED ...");
    // Nobody was heard here, and nobody is passed over.
    wait_until("the one in front has units", || {
        has_units(&mut copy, &front)
    });
    copy.fields("FLASHSALE.INFO sale", "passed_over 0");
    copy.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn a_promotion_forgives_silence() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 1 WAITING 9 HOLD 600000 PATIENCE 2000",
        "OK",
    );
    for user in ["ann", "bob", "cid"] {
        wait(&mut con, user);
    }
    wait_for_replica(&primary, &replica);
    primary.kill9();
    let mut copy = replica.conn();
    copy.says("REPLICAOF NO ONE", "OK");
    copy.says("FLASHSALE.RELEASE sale i-ann", "RELEASED ...");
    wait_until("bob has units", || has_units(&mut copy, "bob"));
    copy.fields("FLASHSALE.INFO sale", "passed_over 0, waiting 1");
}

#[test]
fn what_is_sent_on_is_what_was_decided() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 1 WAITING 9 HOLD 600000 PATIENCE 0",
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale zoe 1 ID z", "RESERVED ...");
    let mut feed = Feed::follow(&server);
    wait(&mut con, "ann");
    // Polls are sent to nobody.
    for _ in 0..50 {
        wait(&mut con, "ann");
    }
    con.says("FLASHSALE.RELEASE sale z", "RELEASED z");
    wait_until("ann has units", || has_units(&mut con, "ann"));
    let sent = feed.short();
    let events = sent
        .iter()
        .filter(|line| line.starts_with("FLASHSALE.APPLY"));
    // Joined, released, granted.
    assert_eq!(events.count(), 3, "{sent:?}");
}

#[test]
fn a_dump_is_restored_with_its_line_and_moves_with_its_key() {
    let server = Server::own(&[], &[]);
    let Some(server) = server else { return };
    let mut con = server.conn();
    fill(&mut con);
    let digest = con.digest("sale");
    let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("a payload");
    };
    con.says("RENAME sale sale3", "OK");
    let restored = con.run_words(&[b"RESTORE", b"sale", b"0", &payload]);
    assert_eq!(crate::support::render(&restored), "OK");
    assert_eq!(con.digest("sale"), digest);
    let granted = number(&mut con, "FLASHSALE.INFO sale3", "granted");
    con.says("FLASHSALE.RESTOCK sale3 ITEMS 1 default 2", "RESTOCKED ...");
    wait_until("two more have units", || {
        number(&mut con, "FLASHSALE.INFO sale3", "granted") == granted + 2
    });
    con.fields("FLASHSALE.INFO sale", &format!("granted {granted}"));
}
