//! Every copy of a sale owes, gave and took the same: one that follows, one that loads, one that
//! replays, and one that becomes the primary.

use super::*;
use crate::support::{REPLICA_OF_NOBODY, aof, replicate, wait_for_replica, wait_until};

/// A part that owes, gave, took, was imported to, and was told of other parts.
fn fill(con: &mut Con) {
    con.says(
        &format!("FLASHSALE.CREATE sale orders ITEMS 2 a 9 b 2 HOLD 60 GROUP shoes SALEID {PEER}"),
        "OK",
    );
    let own = share_id(con, "sale");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 b 1 ID r",
        "RESERVED ...",
    );
    for (id, sku, qty) in [("x", "a", 2), ("y", "b", 5), ("r2", "b", 1)] {
        let line = format!(
            "FLASHSALE.IMPORT sale orders ann ITEMS 1 {sku} {qty} ID {id} REF p AT {AT_MS}"
        );
        con.says(&line, "SOLD ...");
    }
    con.says(
        &format!("FLASHSALE.GIVE sale {own} {PEER} 3 SKU a"),
        "GIVEN 3 4 a",
    );
    con.says(
        &format!("FLASHSALE.GIVE sale {own} {PEER} 2 SKU b OWING"),
        "GIVEN 2 0 b",
    );
    con.says(
        &format!("FLASHSALE.TAKE sale {PEER} {own} 7 SKU c"),
        "TAKEN 7 7 c",
    );
    con.says(
        "FLASHSALE.REFUND sale orders y ITEMS 1 b 1 REF back RESTORELIMIT",
        "REFUNDED ...",
    );
    con.says(
        &format!("FLASHSALE.GIVE sale {own} {PEER} 3 SKU a CONFIRM"),
        "GIVEN 3 4 a",
    );
    con.says("FLASHSALE.REST sale 60000 a b c", "OK");
    wait_until("the reservation expired", || {
        con.field("FLASHSALE.INFO sale", "reserved") == "0"
    });
    con.fields("FLASHSALE.INFO sale", "owed 5");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

/// What SHARES says, but for the moment.
fn shares(con: &mut Con) -> Vec<(String, String)> {
    let mut map = con.map("FLASHSALE.SHARES sale");
    map.retain(|(name, _)| name != "now_ms");
    map
}

#[test]
fn a_reload_a_rewrite_and_a_replay_have_the_same_shares() {
    for preamble in ["yes", "no"] {
        let args =
            format!("--appendonly yes --appendfsync always --aof-use-rdb-preamble {preamble}");
        let Some(mut server) = Server::own(&[&args], &[]) else {
            return;
        };
        let mut con = server.conn();
        fill(&mut con);
        con.says("FLASHSALE.RESERVE sale bob ITEMS 1 a 9 ID q", "SOLDOUT ...");
        let digest = con.digest("sale");
        con.says("DEBUG RELOAD", "OK");
        assert_eq!(con.digest("sale"), digest);
        // What it was told is gone, and what it was asked for begins anew.
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 a 9 ID q",
            "ALLRESERVED 2000 a",
        );
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(con.digest("sale"), digest);
        con.says("REPLICAOF NO ONE", "OK");
        aof::rewrite(&mut con);
        let told = shares(&mut con);
        drop(con);
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!((con.digest("sale"), shares(&mut con)), (digest, told));
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
    assert_eq!(shares(&mut copy), shares(&mut con));
    copy.has_not_diverged();
    // A full copy is the same.
    let again = Server::own(&[], &[]).expect("a server");
    replicate(&primary, &again);
    wait_for_replica(&primary, &again);
    assert_eq!(
        again.conn().digest("sale orders"),
        con.digest("sale orders")
    );
    let reply = copy.show("FLASHSALE.REST sale 60000 a");
    assert!(reply.contains("READONLY"), "{reply}");
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    copy.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 9 ID q",
        "ALLRESERVED 2000 a",
    );
    copy.says("FLASHSALE.RESTOCK sale ITEMS 1 b 6", "RESTOCKED [b 6 1]");
    let own = share_id(&mut copy, "sale");
    copy.refuses(
        &format!("FLASHSALE.TAKE sale {PEER} {own} 7 SKU c"),
        "TAKEN 7 7 c",
    );
    copy.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn a_primary_that_followed_another_meanwhile_forgets_what_it_was_told() {
    let (Some(first), Some(second)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&first, &second);
    let (mut con, mut other) = (first.conn(), second.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 1 GROUP shoes", "OK");
    con.says("FLASHSALE.REST sale 60000 default", "OK");
    let ask = "FLASHSALE.RESERVE sale ann 2 ID x";
    con.refuses(ask, "SOLDOUT 1 default");
    wait_for_replica(&first, &second);
    other.says("REPLICAOF NO ONE", "OK");
    let port = second.port();
    con.says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
    wait_for_replica(&second, &first);
    con.says("REPLICAOF NO ONE", "OK");
    // No event came, and no other copy: the second one had all there was.
    assert_eq!(other.info("stats", "sync_partial_ok"), "1");
    con.refuses(ask, "ALLRESERVED 2000 default");
}

#[test]
fn a_dump_restored_has_the_same_shares() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    fill(&mut con);
    let (digest, told) = (con.digest("sale"), shares(&mut con));
    let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("no payload")
    };
    con.says("DEL sale", "1");
    let words: [&[u8]; 4] = [b"RESTORE", b"sale", b"0", &payload];
    con.run_words(&words);
    assert_eq!((con.digest("sale"), shares(&mut con)), (digest, told));
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 9 ID q",
        "ALLRESERVED 2000 a",
    );
}
