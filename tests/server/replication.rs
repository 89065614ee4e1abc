//! **Goal**: one `FLASHSALE.APPLY` per change and nothing else is replicated; a
//! replica is the same sale at any moment; deadlines belong to the primary alone.
//!
//! **Method**: a raw socket that asks for PSYNC sees every replicated command. Real
//! replicas are compared by `DEBUG DIGEST-VALUE`, cut off, resynchronised and promoted.

use crate::support::workload::{create, picture, play, settle};
use crate::support::{
    Con, Dice, Feed, REPLICA_OF_NOBODY, Server, replicate, wait_for_replica, wait_until,
};

#[test]
fn each_change_is_replicated_as_one_apply() {
    let server = Server::any();
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    let sale = "FLASHSALE.APPLY sale";
    let both = "FLASHSALE.APPLY sale orders";
    for (line, expected) in [
        (
            "FLASHSALE.CREATE sale orders ITEMS 2 a 100 b 100 HOLD 5000 MAXHOLD 90000",
            sale,
        ),
        ("FLASHSALE.RESERVE sale alice ITEMS 2 a 1 b 1 ID r1", sale),
        ("FLASHSALE.RESERVE sale alice ITEMS 1 a 1", sale),
        ("FLASHSALE.EXTEND sale r1 60000", sale),
        ("FLASHSALE.CHECKOUT sale orders r1 REF p PAYLOAD {}", both),
        ("FLASHSALE.BUY sale orders bob ITEMS 1 a 2 ID r2", both),
        ("FLASHSALE.BUY sale orders bob ITEMS 1 a 2", both),
        ("FLASHSALE.REFUND sale orders r1 ITEMS 1 a 1 REF f", both),
        ("FLASHSALE.REFUND sale orders r1", both),
        ("FLASHSALE.RESERVE sale alice ITEMS 1 b 1 ID r3", sale),
        ("FLASHSALE.RELEASE sale r3", sale),
        ("FLASHSALE.RELEASE sale never-seen", sale),
        ("FLASHSALE.RESTOCK sale ITEMS 2 a 5 c 5 NEW", sale),
        ("FLASHSALE.ALTER sale USERLIMIT 50 KEEP 9", sale),
        ("FLASHSALE.PAUSE sale", sale),
        ("FLASHSALE.RESUME sale", sale),
        ("FLASHSALE.CLOSE sale", sale),
    ] {
        let reply = con.show(line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        assert_eq!(feed.short(), [expected], "{line}");
    }
    con.says("FLASHSALE.BIND sale others", "OK");
    let seen = feed.short();
    assert!(seen.len() == 1 && seen[0].starts_with(sale), "{seen:?}");
}

#[test]
fn refusals_replays_errors_and_reads_are_not_replicated() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5 USERLIMIT 4", "OK");
    con.says("FLASHSALE.RESERVE sale alice 2 ID r1", "RESERVED ...");
    con.says("FLASHSALE.BUY sale orders bob 2 ID r2 REF p", "SOLD ...");
    let mut feed = Feed::follow(&server);
    for line in [
        "FLASHSALE.CREATE sale orders STOCK 1",
        "FLASHSALE.RESERVE sale alice 2 ID r1",
        "FLASHSALE.RESERVE sale bob 2 ID r1",
        "FLASHSALE.RESERVE sale alice 3",
        "FLASHSALE.RESERVE sale carol 4",
        "FLASHSALE.RESERVE sale carol zero",
        "FLASHSALE.RESERVE nosuch carol 1",
        "FLASHSALE.BUY sale orders bob 2 ID r2 REF p",
        "FLASHSALE.BUY sale others bob 2",
        "FLASHSALE.CHECKOUT sale orders r2 REF q",
        "FLASHSALE.CHECKOUT sale orders nosuch",
        "FLASHSALE.RELEASE sale r2",
        "FLASHSALE.EXTEND sale r1 1",
        "FLASHSALE.EXTEND sale r2 1",
        "FLASHSALE.REFUND sale orders r1",
        "FLASHSALE.RESTOCK sale -100",
        "FLASHSALE.ALTER sale USERLIMIT 4",
        "FLASHSALE.RESUME sale",
        "FLASHSALE.BIND sale orders",
        "FLASHSALE.STOCK sale",
        "FLASHSALE.GET sale r1",
        "FLASHSALE.USER sale alice",
        "FLASHSALE.INFO sale",
        "FLASHSALE.SCAN sale 0",
        "FLASHSALE.UNITS sale default 0",
        "FLASHSALE.AUDIT sale orders",
        "FLASHSALE.DOCTOR",
    ] {
        con.run(line);
        assert_eq!(feed.short(), [""; 0], "{line}");
    }
}

#[test]
fn expiry_is_replicated_as_a_change_of_its_own() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    let mut feed = Feed::follow(&server);
    con.says("FLASHSALE.RESERVE sale alice 1 HOLD 20", "RESERVED ...");
    wait_until("it expired", || con.stock("sale") == "[default 9 0 0 0]");
    assert_eq!(
        feed.short(),
        ["FLASHSALE.APPLY sale", "FLASHSALE.APPLY sale"]
    );
    // It may precede a refusal, in the same command, and is still replicated.
    for line in [
        "MULTI",
        "FLASHSALE.RESERVE sale alice 1 ID r2 HOLD 1",
        "DEBUG SLEEP 0.01",
        "FLASHSALE.RESERVE sale alice 1 ID r2",
    ] {
        con.run(line);
    }
    con.says("EXEC", "[RESERVED ...");
    let seen: Vec<String> = feed
        .short()
        .into_iter()
        .filter(|name| !matches!(name.as_str(), "MULTI" | "EXEC"))
        .collect();
    assert_eq!(seen, ["FLASHSALE.APPLY sale", "FLASHSALE.APPLY sale"]);
}

#[test]
fn transactions_and_scripts_are_replicated_whole() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100", "OK");
    let mut feed = Feed::follow(&server);
    for line in [
        "MULTI",
        "FLASHSALE.RESERVE sale alice 1 ID r1",
        "FLASHSALE.RESERVE sale alice 500",
        "FLASHSALE.CHECKOUT sale orders r1",
    ] {
        con.run(line);
    }
    con.says(
        "EXEC",
        "[RESERVED r1 * 99 -1] [SOLDOUT 99 default] [SOLD r1 (entry)]",
    );
    let apply = ["FLASHSALE.APPLY sale", "FLASHSALE.APPLY sale orders"];
    assert_eq!(feed.short(), ["MULTI", apply[0], apply[1], "EXEC"]);
    let script = "'local held = redis.call(\"FLASHSALE.RESERVE\", KEYS[1], ARGV[1], 2, \"ID\", \"s1\") \
         return {held[1], redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2], \"s1\")}'";
    con.says(
        &format!("EVAL {script} 2 sale orders bob"),
        "RESERVED [SOLD s1 (entry)]",
    );
    assert_eq!(feed.short(), ["MULTI", apply[0], apply[1], "EXEC"]);
    let script = "'return redis.call(\"FLASHSALE.RESERVE\", KEYS[1], ARGV[1], 200)'";
    con.says(&format!("EVAL {script} 1 sale bob"), "SOLDOUT 97 default");
    assert_eq!(feed.short(), [""; 0]);
}

#[test]
fn internal_commands_are_an_error_from_any_client() {
    let server = Server::any();
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
    let events = feed.commands();
    assert_eq!(events.len(), 3);
    let before = (con.digest("sale"), con.digest("orders"));
    for event in &events {
        let words: Vec<&[u8]> = event.iter().map(Vec::as_slice).collect();
        con.fails_words(&words, "ERR", "");
        con.says("MULTI", "OK");
        con.run_words(&words);
        let reply = con.show("EXEC");
        assert!(reply.contains("(error)"), "{reply}");
        let mut eval: Vec<&[u8]> = vec![b"EVAL", b"return redis.call(unpack(ARGV))", b"0"];
        eval.extend(&words);
        assert!(crate::support::render(&con.run_words(&eval)).contains("(error)"));
    }
    con.fails("FLASHSALE.APPLY sale x", "ERR", "");
    con.fails("FLASHSALE.LOAD sale x", "ERR", "");
    con.fails("FLASHSALE.LOAD new x", "ERR", "");
    assert_eq!(before, (con.digest("sale"), con.digest("orders")));
    con.says("EXISTS new", "0");
    assert_eq!(feed.short(), [""; 0]);
}

#[test]
fn a_replica_is_the_same_sale_after_anything() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    let mut dice = Dice::seeded();
    create(&mut con);
    play(&mut con, &mut dice, 300);
    // A full resync in the middle of the sale, then the stream of changes.
    replicate(&primary, &replica);
    play(&mut con, &mut dice, 1200);
    settle(&mut con);
    wait_for_replica(&primary, &replica);
    assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
    copy.has_not_diverged();
    assert_eq!(picture(&mut con, "sale"), picture(&mut copy, "sale"));
}

#[test]
fn a_link_that_breaks_is_resumed_where_it_was() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    let mut dice = Dice::seeded();
    create(&mut con);
    replicate(&primary, &replica);
    for _ in 0..4 {
        play(&mut con, &mut dice, 100);
        con.run("CLIENT KILL TYPE replica");
        play(&mut con, &mut dice, 100);
    }
    settle(&mut con);
    wait_until("the replica is linked again", || {
        copy.info("replication", "master_link_status") == "up"
    });
    wait_for_replica(&primary, &replica);
    assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
    copy.has_not_diverged();
    assert_eq!(con.info("stats", "sync_full"), "1");
}

#[test]
fn a_replica_of_another_configuration_is_the_same_sale() {
    let other = ["max-reservations 5 sweep-max 1 default-hold-ms 7 max-items 1"];
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &other)) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    replicate(&primary, &replica);
    create(&mut con);
    play(&mut con, &mut Dice::seeded(), 500);
    settle(&mut con);
    wait_for_replica(&primary, &replica);
    assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
    copy.has_not_diverged();
}

#[test]
fn a_chained_replica_receives_the_same_bytes() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let mut con = primary.conn();
    create(&mut con);
    replicate(&primary, &replica);
    let mut feed = Feed::follow(&primary);
    let mut chained = Feed::follow(&replica);
    play(&mut con, &mut Dice::seeded(), 200);
    settle(&mut con);
    let sent = feed.commands();
    let passed_on = chained.commands_behind(&feed);
    assert!(sent.len() > 20);
    assert_eq!(sent, passed_on);
}

#[test]
fn a_replicas_own_aof_holds_the_same_sale() {
    for kind in [
        "--appendonly yes",
        "--appendonly yes --aof-use-rdb-preamble no",
    ] {
        let (Some(primary), Some(mut replica)) = (
            Server::own(&[], &[]),
            Server::own(&[kind, "--appendfsync always"], &[]),
        ) else {
            return;
        };
        let mut con = primary.conn();
        replicate(&primary, &replica);
        // After a full resync a replica begins its AOF anew.
        let mut copy = replica.conn();
        wait_until("the replica's AOF is begun", || {
            copy.info("persistence", "aof_rewrite_in_progress") == "0"
                && copy.info("persistence", "aof_rewrite_scheduled") == "0"
                && copy.info("persistence", "aof_last_bgrewrite_status") == "ok"
                // By a rewrite, or with the file of the resync itself (Valkey 9.1).
                && (!copy
                    .info("persistence", "aof_last_rewrite_time_sec")
                    .starts_with('-')
                    || replica.log().contains("from primary sync as AOF base file"))
        });
        create(&mut con);
        play(&mut con, &mut Dice::seeded(), 400);
        settle(&mut con);
        wait_for_replica(&primary, &replica);
        replica.kill9();
        // A replica of an address where nobody answers, to look at what it has.
        replica.start_again(&[REPLICA_OF_NOBODY]);
        let mut copy = replica.conn();
        assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
        copy.has_not_diverged();
    }
}

#[test]
fn a_replica_serves_reads_and_refuses_changes() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale alice 2 ID r1", "RESERVED ...");
    replicate(&primary, &replica);
    copy.says("FLASHSALE.STOCK sale", "[default 7 2 0 0]");
    copy.fields("FLASHSALE.GET sale r1", "state reserved, user alice");
    copy.fields("FLASHSALE.USER sale alice", "reserved 2");
    copy.fields("FLASHSALE.INFO sale", "state open");
    copy.says("FLASHSALE.SCAN sale 0", "\"0\" [r1]");
    for line in [
        "FLASHSALE.RESERVE sale alice 1",
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.BUY sale orders alice 1",
        "FLASHSALE.RELEASE sale r1",
        "FLASHSALE.EXTEND sale r1 1",
        "FLASHSALE.REFUND sale orders r1",
        "FLASHSALE.RESTOCK sale 1",
        "FLASHSALE.ALTER sale HOLD 1",
        "FLASHSALE.PAUSE sale",
        "FLASHSALE.RESUME sale",
        "FLASHSALE.CLOSE sale",
        "FLASHSALE.BIND sale orders",
        "FLASHSALE.CREATE new orders STOCK 1",
    ] {
        copy.fails(line, "READONLY", "");
    }
}

/// Asserts that a reservation stays reserved although it is overdue.
fn stays_reserved_when_overdue(copy: &mut Con, id: &str) {
    let line = format!("FLASHSALE.GET sale {id}");
    let deadline: u64 = copy
        .field(&line, "expires_at_ms")
        .parse()
        .expect("a moment");
    wait_until("the deadline is well past", || {
        copy.fields(&line, "state reserved");
        copy.now_ms() > deadline + 250
    });
    copy.fields(&line, "state reserved");
}

#[test]
fn a_replica_expires_nothing_until_it_is_promoted() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 9 REMEMBER 1", "OK");
    replicate(&primary, &replica);
    // The primary must not get to expire it first, however slow this machine is.
    con.says("MULTI", "OK");
    con.run("FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 300");
    con.run("FLASHSALE.RESERVE sale alice 3 ID r2 HOLD 90000");
    con.run("CLIENT PAUSE 600000 WRITE");
    con.says("EXEC", "[RESERVED ...] [RESERVED ...] OK");
    wait_for_replica(&primary, &replica);
    primary.kill9();
    stays_reserved_when_overdue(&mut copy, "r1");
    copy.says("FLASHSALE.STOCK sale", "[default 4 5 0 0]");
    copy.says("REPLICAOF NO ONE", "OK");
    // Also with nobody asking for anything: the timer has been taken over.
    wait_until("the new primary expired it", || {
        copy.stock("sale") == "[default 6 3 0 0]"
    });
    wait_until("and forgot it", || {
        copy.show("FLASHSALE.GET sale r1") == "(nil)"
    });
    copy.says("FLASHSALE.CHECKOUT sale orders r2", "SOLD r2 (entry)");
}

#[test]
fn a_demoted_primary_leaves_deadlines_to_the_new_one() {
    let (Some(first), Some(second)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut one, mut two) = (first.conn(), second.conn());
    one.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    replicate(&first, &second);
    one.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 400",
        "RESERVED ...",
    );
    wait_for_replica(&first, &second);
    one.says(&format!("FAILOVER TO 127.0.0.1 {}", second.port()), "OK");
    wait_until("the second is the primary", || {
        two.info("replication", "role") == "master"
    });
    wait_until("the first follows it", || {
        one.info("replication", "master_link_status") == "up"
    });
    wait_until("the second expired it", || {
        two.stock("sale") == "[default 9 0 0 0]"
    });
    wait_for_replica(&second, &first);
    assert_eq!(one.digest("sale"), two.digest("sale"));
    two.says("FLASHSALE.BUY sale orders alice 1", "SOLD ...");
    wait_for_replica(&second, &first);
    assert_eq!(one.digest("sale orders"), two.digest("sale orders"));
    assert!(!first.log().contains("CRITICAL") && !second.log().contains("CRITICAL"));
}

#[test]
fn nothing_expires_while_writes_are_paused() {
    // With an AOF or a replica, a write during the pause would end the server.
    let Some(server) = Server::own(&["--appendonly yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 100",
        "RESERVED ...",
    );
    con.says("CLIENT PAUSE 60000 WRITE", "OK");
    stays_reserved_when_overdue(&mut con, "r1");
    con.says("CLIENT UNPAUSE", "OK");
    wait_until("it expired", || con.stock("sale") == "[default 9 0 0 0]");
}

#[test]
fn the_key_is_never_expired_by_a_replica_itself() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    replicate(&primary, &replica);
    let end = con.now_ms() + 90_000;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 END {end} HOLD 5000 KEEP 70"),
        "OK",
    );
    wait_for_replica(&primary, &replica);
    assert_eq!(con.int("PEXPIRETIME sale"), copy.int("PEXPIRETIME sale"));
    con.says("FLASHSALE.CLOSE sale", "OK");
    wait_for_replica(&primary, &replica);
    assert_eq!(con.int("PEXPIRETIME sale"), copy.int("PEXPIRETIME sale"));
    con.says("FLASHSALE.ALTER sale HOLD 1", "OK");
    wait_for_replica(&primary, &replica);
    wait_until("the key expired", || con.int("EXISTS sale") == 0);
    wait_for_replica(&primary, &replica);
    copy.says("EXISTS sale", "0");
}
