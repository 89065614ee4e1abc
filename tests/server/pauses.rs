//! **Goal**: while writes are paused - by CLIENT PAUSE or by a planned FAILOVER - nothing
//! of the module writes, for that would end the server; what fell due is returned right
//! after, once, by whoever is the primary then.
//!
//! **Method**: servers with an AOF and a listening replica, so that a write in the pause
//! is noticed; deadlines that pass in the pause. A replica is frozen (SIGSTOP) to keep a
//! failover in its paused state for as long as the test likes.

use std::process::Command;

use crate::support::clock::wait_ms;
use crate::support::{Con, Feed, Server, replicate, wait_for_replica, wait_until};

/// A process that does nothing until this is dropped.
struct Frozen {
    pid: u32,
}

impl Frozen {
    fn new(server: &Server) -> Frozen {
        let pid = server.pid();
        signal("STOP", pid);
        Frozen { pid }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("CONT", self.pid);
    }
}

fn signal(name: &str, pid: u32) {
    let line = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &line]).status();
    assert!(status.expect("a shell").success(), "{line}");
}

/// A server that ends itself over a write in a pause: it has an AOF to write to.
fn server() -> Option<(Server, Con)> {
    let server = Server::own(&["--appendonly yes"], &[])?;
    let con = server.conn();
    Some((server, con))
}

/// Two sales, with three reservations that are soon due.
fn fill(con: &mut Con, hold_ms: u64) {
    for (sale, ids) in [("sale", "r1 r2"), ("other", "r3")] {
        con.says(&format!("FLASHSALE.CREATE {sale} orders STOCK 9"), "OK");
        for id in ids.split(' ') {
            let line = format!("FLASHSALE.RESERVE {sale} ann 2 ID {id} HOLD {hold_ms}");
            con.says(&line, "RESERVED ...");
        }
    }
}

/// Waits until what [`fill`] reserved is well overdue, and still reserved.
fn all_overdue(con: &mut Con) {
    let line = "FLASHSALE.GET sale r2";
    let deadline: u64 = con.field(line, "expires_at_ms").parse().expect("a moment");
    wait_until("the deadlines are well past", || {
        con.now_ms() > deadline + 250
    });
    con.says("FLASHSALE.STOCK sale", "[default 5 4 0 0]");
    con.says("FLASHSALE.STOCK other", "[default 7 2 0 0]");
}

fn all_returned(con: &mut Con) {
    wait_until("all was returned", || {
        con.stock("sale") == "[default 9 0 0 0]" && con.stock("other") == "[default 9 0 0 0]"
    });
}

/// The module's own commands since the last look, in the order of their keys: which sale
/// the sweep comes to first depends on the millisecond.
fn applied(feed: &mut Feed) -> Vec<String> {
    let mut seen = feed.short();
    seen.retain(|command| command != "MULTI" && command != "EXEC");
    seen.sort();
    seen
}

fn expired(con: &mut Con) -> String {
    con.info("flashsale", "flashsale_outcome_expired")
}

#[test]
fn what_falls_due_while_writes_are_paused_is_returned_once_right_after() {
    let Some((server, mut con)) = server() else {
        return;
    };
    let mut feed = Feed::follow(&server);
    fill(&mut con, 500);
    assert_eq!(feed.short().len(), 5);
    con.says("CLIENT PAUSE 60000 WRITE", "OK");
    all_overdue(&mut con);
    assert_eq!(expired(&mut con), "0");
    // Reads go on, and a command that may write waits.
    let mut buyer = server.conn();
    buyer.send("FLASHSALE.RESERVE sale bob 9 ID b1");
    con.says(
        "EVAL_RO 'return redis.call(\"FLASHSALE.STOCK\", KEYS[1])' 1 sale",
        "[default 5 4 0 0]",
    );
    wait_until("the buyer waits", || {
        con.info("clients", "blocked_clients") == "1"
    });
    con.says("CLIENT UNPAUSE", "OK");
    let reply = crate::support::render(&buyer.receive());
    assert!(reply.starts_with("RESERVED b1"), "{reply}");
    wait_until("the other is returned", || {
        con.stock("other") == "[default 9 0 0 0]"
    });
    con.says("FLASHSALE.STOCK sale", "[default 0 9 0 0]");
    assert_eq!(expired(&mut con), "3");
    let (sale, other) = ("FLASHSALE.APPLY sale", "FLASHSALE.APPLY other");
    assert_eq!(applied(&mut feed), [other, sale, sale]);
}

#[test]
fn what_falls_due_while_every_client_is_paused_is_returned_right_after() {
    let Some((server, mut con)) = server() else {
        return;
    };
    let mut feed = Feed::follow(&server);
    fill(&mut con, 500);
    assert_eq!(feed.short().len(), 5);
    // Nobody can end this pause before its time, or look on.
    con.says("CLIENT PAUSE 900 ALL", "OK");
    all_returned(&mut con);
    assert_eq!(expired(&mut con), "3");
    let (sale, other) = ("FLASHSALE.APPLY sale", "FLASHSALE.APPLY other");
    assert_eq!(applied(&mut feed), [other, sale]);
}

#[test]
fn a_pause_made_longer_holds_expiry_for_as_long() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    fill(&mut con, 500);
    for _ in 0..3 {
        con.says("CLIENT PAUSE 60000 WRITE", "OK");
        all_overdue(&mut con);
        wait_ms("the sweep has tried again", 60);
    }
    con.says("FLASHSALE.STOCK sale", "[default 5 4 0 0]");
    con.says("CLIENT UNPAUSE", "OK");
    all_returned(&mut con);
    con.says("FLASHSALE.RESERVE sale ann 1 HOLD 50", "RESERVED ...");
    all_returned(&mut con);
    assert_eq!(expired(&mut con), "4");
}

#[test]
fn transactions_and_scripts_in_a_pause_wait_if_they_write_and_answer_if_they_do_not() {
    let Some((server, mut con)) = server() else {
        return;
    };
    fill(&mut con, 500);
    let mut writers = [server.conn(), server.conn()];
    // Queued before the pause: in it, the server takes no write into a queue either.
    for line in [
        "MULTI",
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.BUY sale orders bob 9 ID b1",
    ] {
        writers[0].run(line);
    }
    con.says("CLIENT PAUSE 60000 WRITE", "OK");
    all_overdue(&mut con);
    for line in ["MULTI", "FLASHSALE.STOCK sale", "FLASHSALE.GET sale r1"] {
        con.run(line);
    }
    con.says("EXEC", "[[default 5 4 0 0]] [state reserved ...");
    writers[0].send("EXEC");
    wait_until("the transaction waits", || {
        con.info("clients", "blocked_clients") == "1"
    });
    writers[1].send(
        "EVAL 'return redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2], \"r3\")' 2 other orders",
    );
    wait_until("the script waits", || {
        con.info("clients", "blocked_clients") == "2"
    });
    con.says("FLASHSALE.STOCK sale", "[default 5 4 0 0]");
    con.says("CLIENT UNPAUSE", "OK");
    let reply = crate::support::render(&writers[0].receive());
    assert!(
        reply.starts_with("[EXPIRED r1") && reply.contains("[SOLD b1"),
        "{reply}"
    );
    let reply = crate::support::render(&writers[1].receive());
    assert!(reply.starts_with("EXPIRED r3"), "{reply}");
    con.says("FLASHSALE.STOCK sale", "[default 0 0 9 0]");
    assert_eq!(expired(&mut con), "3");
}

#[test]
fn a_transaction_that_begins_the_pause_itself_still_writes_to_its_end() {
    let Some((server, mut con)) = server() else {
        return;
    };
    fill(&mut con, 60_000);
    let mut feed = Feed::follow(&server);
    for line in [
        "MULTI",
        "FLASHSALE.RESERVE sale bob 1 ID b1 HOLD 1",
        "CLIENT PAUSE 60000 WRITE",
        "DEBUG SLEEP 0.01",
        // Expires b1 on the way.
        "FLASHSALE.RESERVE sale bob 5 ID b2 HOLD 100",
        "FLASHSALE.BUY sale orders bob 1 ID b1",
    ] {
        con.run(line);
    }
    con.says(
        "EXEC",
        "[RESERVED b1 * 4 -1] OK OK [RESERVED b2 * 0 -1] [EXPIRED b1 * 0]",
    );
    let deadline: u64 = con
        .field("FLASHSALE.GET sale b2", "expires_at_ms")
        .parse()
        .expect("a moment");
    wait_until("b2 is overdue", || con.now_ms() > deadline + 250);
    con.says("FLASHSALE.STOCK sale", "[default 0 9 0 0]");
    con.says("CLIENT UNPAUSE", "OK");
    wait_until("b2 was returned", || {
        con.stock("sale") == "[default 5 4 0 0]"
    });
    let mut seen = feed.short();
    seen.retain(|command| command.starts_with("FLASHSALE"));
    assert_eq!(seen, ["FLASHSALE.APPLY sale"; 4]);
}

#[test]
fn the_key_itself_outlives_the_pause_and_no_longer() {
    let Some((server, mut con)) = server() else {
        return;
    };
    let end = con.now_ms() + 800;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 END {end} HOLD 1 KEEP 1"),
        "OK",
    );
    con.says("FLASHSALE.BUY sale orders ann 1", "SOLD ...");
    let mut feed = Feed::follow(&server);
    con.says("CLIENT PAUSE 60000 WRITE", "OK");
    wait_until("its time has come", || con.now_ms() > end + 250);
    con.says("DBSIZE", "2");
    con.fails("FLASHSALE.STOCK sale", "NOSALE", "");
    con.says("DBSIZE", "2");
    con.says("CLIENT UNPAUSE", "OK");
    wait_until("the key expired", || con.int("DBSIZE") == 1);
    let seen = feed.short();
    assert!(seen == ["DEL"] || seen == ["UNLINK"], "{seen:?}");
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
}

/// A primary and its replica, a failover between them that waits for the replica, which
/// is frozen; and everything overdue.
fn stuck_failover(how: &str) -> Option<(Server, Server, Frozen)> {
    let (primary, mut con) = server()?;
    let (replica, _) = server()?;
    replicate(&primary, &replica);
    // A new replica is sent nothing before its first word, which may take a second.
    con.says("SET streaming yes", "OK");
    wait_for_replica(&primary, &replica);
    fill(&mut con, 900);
    wait_for_replica(&primary, &replica);
    let frozen = Frozen::new(&replica);
    // What the replica cannot acknowledge; else the failover would not wait.
    con.says(
        "FLASHSALE.RESERVE sale bob 1 ID last HOLD 600000",
        "RESERVED ...",
    );
    con.says(
        &format!("FAILOVER TO 127.0.0.1 {} {how}", replica.port()),
        "OK",
    );
    assert_eq!(
        con.info("replication", "master_failover_state"),
        "waiting-for-sync"
    );
    overdue_in_failover(&mut con);
    Some((primary, replica, frozen))
}

/// Waits until everything of [`fill`] is overdue on a primary that waits for a replica.
fn overdue_in_failover(con: &mut Con) {
    let line = "FLASHSALE.GET sale r2";
    let deadline: u64 = con.field(line, "expires_at_ms").parse().expect("a moment");
    wait_until("the deadlines are well past", || {
        con.now_ms() > deadline + 250
    });
    con.says("FLASHSALE.STOCK sale", "[default 4 5 0 0]");
    assert_eq!(expired(con), "0");
}

/// The books of both, when `primary` is the one that decides.
fn settled(primary: &Server, replica: &Server) {
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    wait_until("all was returned", || {
        con.stock("sale") == "[default 8 1 0 0]" && con.stock("other") == "[default 9 0 0 0]"
    });
    wait_until("the other follows", || {
        copy.info("replication", "master_link_status") == "up"
    });
    con.says("FLASHSALE.CHECKOUT sale orders r1", "EXPIRED r1 * 0");
    con.says("FLASHSALE.CHECKOUT sale orders last", "SOLD last (entry)");
    con.says("FLASHSALE.BUY sale orders cyd 8 ID all", "SOLD all (entry)");
    con.says("FLASHSALE.STOCK sale", "[default 0 0 9 0]");
    wait_for_replica(primary, replica);
    let keys = "sale other orders";
    assert_eq!(con.digest(keys), copy.digest(keys));
    assert_eq!(expired(&mut con), "3");
    assert_eq!(expired(&mut copy), "0");
    assert_eq!(con.int("XLEN orders"), 2);
    for server in [primary, replica] {
        assert!(!server.log().contains("CRITICAL"), "{}", server.log());
    }
}

#[test]
fn after_a_failover_that_waited_past_the_deadlines_the_new_primary_returns_them() {
    let Some((primary, replica, frozen)) = stuck_failover("") else {
        return;
    };
    drop(frozen);
    let mut new = replica.conn();
    wait_until("the replica is the primary", || {
        new.info("replication", "role") == "master"
    });
    settled(&replica, &primary);
}

#[test]
fn after_a_failover_that_was_aborted_the_old_primary_returns_them() {
    let Some((primary, replica, frozen)) = stuck_failover("") else {
        return;
    };
    let mut con = primary.conn();
    con.says("FAILOVER ABORT", "OK");
    wait_until("returned, with the replica still frozen", || {
        con.stock("sale") == "[default 8 1 0 0]"
    });
    drop(frozen);
    settled(&primary, &replica);
}

#[test]
fn after_a_failover_that_ran_out_of_time_the_old_primary_returns_them() {
    let Some((primary, replica, frozen)) = stuck_failover("TIMEOUT 3000") else {
        return;
    };
    let mut con = primary.conn();
    wait_until("the failover gave up", || {
        con.info("replication", "master_failover_state") == "no-failover"
    });
    drop(frozen);
    settled(&primary, &replica);
}

#[test]
fn after_a_forced_failover_one_of_the_two_returns_them() {
    let Some((primary, replica, frozen)) = stuck_failover("TIMEOUT 3000 FORCE") else {
        return;
    };
    let mut con = primary.conn();
    wait_until("the failover goes on without the replica's word", || {
        con.info("replication", "master_failover_state") == "failover-in-progress"
    });
    // A replica already, it returns nothing.
    wait_ms("a primary would have swept", 200);
    con.says("FLASHSALE.STOCK sale", "[default 4 5 0 0]");
    drop(frozen);
    let mut new = replica.conn();
    wait_until("the failover ended", || {
        con.info("replication", "master_failover_state") == "no-failover"
    });
    if new.info("replication", "role") == "master" {
        settled(&replica, &primary);
    } else {
        settled(&primary, &replica);
    }
}
