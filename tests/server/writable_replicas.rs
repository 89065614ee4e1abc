//! **Goal**: a replica that takes writes (`replica-read-only no`) decides what its clients
//! ask, returns nothing by itself, and neither crashes nor stops following when the
//! primary's events no longer fit; the primary never hears of it, and a full resync makes
//! it a copy again. A read-only one refuses whatever could write, also when the answer
//! would be a refusal.
//!
//! **Method**: a primary and a replica of it, with clients at both.

use crate::support::clock::wait_ms;
use crate::support::{Con, Server, replicate, wait_for_replica, wait_until};

/// A primary and its replica, with connections, and a sale with an open reservation.
fn pair(replica_args: &[&str]) -> Option<(Server, Server, Con, Con)> {
    let (primary, replica) = (Server::own(&[], &[])?, Server::own(replica_args, &[])?);
    let (mut con, copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 9 USERLIMIT 6", "OK");
    con.says("FLASHSALE.RESERVE sale ann 2 ID r1", "RESERVED ...");
    replicate(&primary, &replica);
    Some((primary, replica, con, copy))
}

#[test]
fn a_read_only_replica_refuses_what_the_primary_would_refuse_too() {
    let Some((_primary, _replica, _con, mut copy)) = pair(&[]) else {
        return;
    };
    for line in [
        "FLASHSALE.RESERVE sale bob 99",
        "FLASHSALE.RESERVE sale ann 2 ID r1",
        "FLASHSALE.CHECKOUT sale orders nosuch",
        "FLASHSALE.RESUME sale",
        "FLASHSALE.RESERVE nosuch bob 1",
        "FLASHSALE.BUY sale others bob 1",
        "EVAL 'return redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"bob\", 1)' 1 sale",
    ] {
        let before = copy.digest("sale");
        let reply = copy.show(line);
        let is_refused = reply.contains("READONLY") || reply.contains("read only replica");
        assert!(is_refused, "{line}: {reply}");
        assert_eq!(copy.digest("sale"), before, "{line}");
    }
    copy.says("MULTI", "OK");
    copy.fails("FLASHSALE.RESERVE sale bob 1", "READONLY", "");
    assert!(copy.show("EXEC").contains("EXECABORT"));
    // Reads go on in every form.
    copy.says(
        "EVAL_RO 'return redis.call(\"FLASHSALE.STOCK\", KEYS[1])' 1 sale",
        "[default 7 2 0 0]",
    );
    copy.says("MULTI", "OK");
    copy.says("FLASHSALE.STOCK sale", "+QUEUED");
    copy.says("EXEC", "[[default 7 2 0 0]]");
}

#[test]
fn a_writable_replica_answers_its_own_clients_and_tells_nobody() {
    let args = ["--replica-read-only no --appendonly yes"];
    let Some((primary, mut replica, mut con, mut copy)) = pair(&args) else {
        return;
    };
    // What the primary sends from here on may not fit.
    replica.may_diverge();
    let before = con.digest("sale");
    copy.says(
        "FLASHSALE.RESERVE sale bob 5 ID b1 HOLD 1",
        "RESERVED b1 * 2 1",
    );
    copy.says("FLASHSALE.CREATE mine orders STOCK 1", "OK");
    copy.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    // It returns nothing by itself, though what a command needs it still looks up.
    wait_ms("a primary would have returned it", 200);
    copy.says("FLASHSALE.STOCK sale", "[default 2 5 2 0]");
    assert_eq!(copy.info("flashsale", "flashsale_sweeps"), "0");
    copy.says("FLASHSALE.CHECKOUT sale orders b1", "EXPIRED b1 * 0");
    copy.says("FLASHSALE.STOCK sale", "[default 7 0 2 0]");
    copy.says("FLASHSALE.BUY sale orders cyd 6 ID c1", "SOLD c1 (entry)");
    assert_eq!(con.digest("sale"), before);
    con.says("EXISTS mine orders", "0");
    con.says("FLASHSALE.STOCK sale", "[default 7 2 0 0]");
    // The primary goes on. What does not fit is counted, and the rest is followed.
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    con.says("FLASHSALE.BUY sale orders dan 6 ID d1", "SOLD d1 (entry)");
    con.says("FLASHSALE.CREATE mine orders STOCK 4", "OK");
    con.says("FLASHSALE.RESTOCK sale 5", "RESTOCKED ...");
    con.says("FLASHSALE.RESERVE sale eve 1 ID c1", "RESERVED ...");
    con.says("SET other x", "OK");
    wait_for_replica(&primary, &replica);
    assert!(copy.divergence() > 0);
    copy.says("GET other", "x");
    copy.says("PING", "+PONG");
    assert_eq!(con.divergence(), 0);
    assert!(
        replica.log().contains("does not fit 'sale'"),
        "{}",
        replica.log()
    );
    is_copied_again(&primary, &replica, &mut con, &mut copy);
}

/// A full resync makes the replica what it should be.
fn is_copied_again(primary: &Server, replica: &Server, con: &mut Con, copy: &mut Con) {
    assert_ne!(con.digest("sale"), copy.digest("sale"));
    copy.says("REPLICAOF NO ONE", "OK");
    // Of another history than the primary's now, it cannot go on where it was.
    copy.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    replicate(primary, replica);
    assert_eq!(
        con.digest("sale orders mine"),
        copy.digest("sale orders mine")
    );
    let known = copy.divergence();
    con.says("FLASHSALE.BUY sale orders fay 1 ID f1", "SOLD ...");
    wait_for_replica(primary, replica);
    assert_eq!(
        con.digest("sale orders mine"),
        copy.digest("sale orders mine")
    );
    assert_eq!(copy.divergence(), known);
}

#[test]
fn a_writable_replica_that_is_promoted_takes_over_what_it_promised() {
    let Some((mut primary, mut replica, _con, mut copy)) = pair(&["--replica-read-only no"]) else {
        return;
    };
    replica.may_diverge();
    copy.says("FLASHSALE.RESERVE sale bob 3 ID b1 HOLD 1", "RESERVED ...");
    copy.says(
        "FLASHSALE.RESERVE sale bob 1 ID b2 HOLD 900000",
        "RESERVED ...",
    );
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    wait_until("what it promised is returned", || {
        copy.stock("sale") == "[default 6 3 0 0]"
    });
    copy.says("FLASHSALE.CHECKOUT sale orders b2", "SOLD b2 (entry)");
    copy.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    copy.says("FLASHSALE.STOCK sale", "[default 6 0 3 0]");
}
