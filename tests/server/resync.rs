//! **Goal**: a replica that joins, loses its link, falls behind, is restarted or hangs
//! below another one is the same sale afterwards, also when buyers never stop; what it
//! had before is gone with its deadlines; and only a primary expires anything.
//!
//! **Method**: real servers under a rush of clients, with every way of sending and of
//! taking a snapshot; links are cut, backlogs made too small. Which kind of
//! synchronisation took place the server's own counters and log tell. Sales are
//! compared by `DEBUG DIGEST-VALUE`.

use crate::support::aof;
use crate::support::workload::{create, settle};
use crate::support::{
    Con, REPLICA_OF_NOBODY, Server, replicate, rush_on, wait_for_replica, wait_until,
};

/// How a snapshot is sent and taken.
struct Way {
    primary: &'static str,
    replica: &'static str,
}

const WAYS: [Way; 4] = [
    Way {
        primary: "--repl-diskless-sync no",
        replica: "--repl-diskless-load disabled",
    },
    Way {
        primary: "--repl-diskless-sync yes",
        replica: "--repl-diskless-load disabled --replica-lazy-flush yes",
    },
    Way {
        primary: "--repl-diskless-sync yes",
        replica: "--repl-diskless-load on-empty-db --replica-lazy-flush yes",
    },
    Way {
        primary: "--repl-diskless-sync yes",
        replica: "--repl-diskless-load swapdb",
    },
];

#[track_caller]
fn assert_equal(primary: &Server, copies: &[&Server]) {
    let mut con = primary.conn();
    settle(&mut con);
    let mut ahead = primary;
    for copy in copies {
        wait_for_replica(ahead, copy);
        ahead = copy;
    }
    let digest = con.digest("sale orders");
    for copy in copies {
        assert_eq!(copy.conn().digest("sale orders"), digest);
    }
}

/// Waits until a server has synchronised so often.
#[track_caller]
fn wait_for_syncs(con: &mut Con, full: u64, partial: u64) {
    let expected = (full.to_string(), partial.to_string());
    wait_until(&format!("{expected:?} synchronisations"), || {
        expected
            == (
                con.info("stats", "sync_full"),
                con.info("stats", "sync_partial_ok"),
            )
    });
}

/// A sale of the replica's own, with deadlines near and far, beside one with a name
/// that the primary uses too.
fn give_it_a_past(con: &mut Con) {
    for (key, hold) in [("sale", 400), ("mine", 400), ("later", 90_000)] {
        con.says(
            &format!("FLASHSALE.CREATE {key} {key}:orders STOCK 9"),
            "OK",
        );
        con.says(
            &format!("FLASHSALE.RESERVE {key} ann 2 ID r1 HOLD {hold}"),
            "RESERVED ...",
        );
    }
}

fn joins_in_a_rush(way: &Way) {
    let (Some(mut primary), Some(replica)) = (
        Server::own(&[way.primary], &[]),
        Server::own(&[way.replica], &[]),
    ) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    create(&mut con);
    // Nobody touches this one: the replica learns of its deadline from the snapshot.
    con.says("FLASHSALE.CREATE before orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE before ann 2 HOLD 2500", "RESERVED ...");
    if !way.replica.contains("on-empty-db") {
        give_it_a_past(&mut copy);
    }
    rush_on(&primary, |_| {
        let port = primary.port();
        copy.says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
        wait_until("the link is up", || {
            copy.info("replication", "master_link_status") == "up"
        });
    });
    assert_equal(&primary, &[&replica]);
    copy.says("EXISTS mine later", "0");
    let waiting = |con: &mut Con| con.info("flashsale", "flashsale_sales_with_deadlines");
    assert_eq!(
        waiting(&mut copy),
        waiting(&mut con),
        "deadlines of the past"
    );
    // The server takes the snapshot by way of a file, and says so, when a module does not
    // let it load one beside the data it serves.
    let told = "modules that are not aware of async replication";
    assert!(!replica.log().contains(told), "it took another way");
    // One deadline of the primary's, none of the past.
    let line = "FLASHSALE.CREATE mine orders STOCK 9";
    con.says(line, "OK");
    con.says("FLASHSALE.RESERVE mine ann 2 HOLD 600", "RESERVED ...");
    con.says("FLASHSALE.RESERVE mine ann 1 HOLD 90000", "RESERVED ...");
    wait_for_replica(&primary, &replica);
    primary.kill9();
    copy.says("FLASHSALE.STOCK mine", "[default 6 3 0 0]");
    copy.says("REPLICAOF NO ONE", "OK");
    wait_until("the deadlines are kept", || {
        copy.stock("mine") == "[default 8 1 0 0]" && copy.stock("before") == "[default 9 0 0 0]"
    });
}

#[test]
fn a_replica_joins_in_the_middle_of_a_rush_however_the_snapshot_comes() {
    std::thread::scope(|scope| {
        for way in &WAYS {
            scope.spawn(|| joins_in_a_rush(way));
        }
    });
}

#[test]
fn a_link_cut_again_and_again_in_a_rush_is_resumed() {
    let (Some(primary), Some(replica)) = (
        Server::own(&["--repl-backlog-size 64mb"], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    let mut con = primary.conn();
    create(&mut con);
    replicate(&primary, &replica);
    rush_on(&primary, |rush| {
        for cut in 1..=4 {
            con.run("CLIENT KILL TYPE replica");
            wait_for_syncs(&mut con, 1, cut);
            rush.goes_on();
        }
    });
    assert_equal(&primary, &[&replica]);
}

#[test]
fn a_replica_too_far_behind_begins_anew_in_a_rush() {
    let (Some(primary), Some(replica)) = (
        Server::own(&["--repl-backlog-size 16384"], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    create(&mut con);
    replicate(&primary, &replica);
    wait_for_syncs(&mut con, 1, 0);
    rush_on(&primary, |rush| {
        copy.says("REPLICAOF 127.0.0.1 1", "OK");
        wait_until("its place is no longer in the backlog", || {
            rush.goes_on();
            let number = |con: &mut Con, name: &str| -> u64 {
                con.info("replication", name).parse().expect("an offset")
            };
            let first = number(&mut con, "repl_backlog_first_byte_offset");
            first > number(&mut copy, "slave_repl_offset") + 1
        });
        let port = primary.port();
        copy.says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
        wait_for_syncs(&mut con, 2, 0);
    });
    assert_equal(&primary, &[&replica]);
}

/// The new data has a nearer deadline than what was there under the same name.
#[test]
fn a_replica_serves_what_it_has_while_it_loads_the_new_data_beside_it() {
    let (Some(mut primary), Some(replica)) = (
        Server::own(
            &["--repl-backlog-size 16384 --repl-diskless-sync yes --rdbcompression no"],
            &[],
        ),
        Server::own(
            &["--repl-diskless-load swapdb --loading-process-events-interval-bytes 1024"],
            &[],
        ),
    ) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 HOLD 90000", "RESERVED ...");
    replicate(&primary, &replica);
    copy.says("REPLICAOF 127.0.0.1 1", "OK");
    con.says("FLASHSALE.RESERVE sale bob 1 HOLD 4000", "RESERVED ...");
    // So much that the backlog does not reach back, in keys that take long to load.
    let filler = "x".repeat(2048);
    for number in 0..30 {
        con.says(&format!("SET filler{number} {filler}"), "OK");
    }
    copy.says("CONFIG SET key-load-delay 40000", "OK");
    let port = primary.port();
    copy.says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
    wait_until("it loads beside its data", || {
        copy.info("persistence", "async_loading") == "1"
    });
    copy.says("FLASHSALE.STOCK sale", "[default 8 1 0 0]");
    // It loads, and yet no client may send what a load brings.
    copy.says("CONFIG SET replica-read-only no", "OK");
    for line in ["FLASHSALE.LOAD other x", "FLASHSALE.APPLY sale x"] {
        let reply = copy.show(line);
        assert!(reply.contains("(error)"), "{line}: {reply}");
    }
    assert_eq!(copy.info("persistence", "async_loading"), "1", "still");
    wait_until("the new data is there", || {
        copy.stock("sale") == "[default 7 2 0 0]"
    });
    wait_for_syncs(&mut con, 2, 0);
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    wait_until("the nearer deadline is kept", || {
        copy.stock("sale") == "[default 8 1 0 0]"
    });
}

#[test]
fn a_chain_of_replicas_survives_its_links_and_its_head() {
    let (Some(mut primary), Some(middle), Some(last)) = (
        Server::own(&[], &[]),
        Server::own(&[], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    let (mut con, mut two, mut three) = (primary.conn(), middle.conn(), last.conn());
    create(&mut con);
    replicate(&primary, &middle);
    replicate(&middle, &last);
    rush_on(&primary, |rush| {
        two.run("CLIENT KILL TYPE replica");
        wait_for_syncs(&mut two, 1, 1);
        rush.goes_on();
        con.run("CLIENT KILL TYPE replica");
        wait_for_syncs(&mut con, 1, 1);
        // A full resync of the middle is one of the last as well.
        two.says("REPLICAOF NO ONE", "OK");
        two.says("SET only here", "OK");
        let port = primary.port();
        two.says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
        wait_for_syncs(&mut con, 2, 1);
    });
    assert_equal(&primary, &[&middle, &last]);
    three.says("EXISTS only", "0");
    con.says("FLASHSALE.CREATE next orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE next ann 2 HOLD 600", "RESERVED ...");
    wait_for_replica(&primary, &middle);
    wait_for_replica(&middle, &last);
    primary.kill9();
    two.says("REPLICAOF NO ONE", "OK");
    wait_until("the middle expired it", || {
        two.stock("next") == "[default 9 0 0 0]"
    });
    assert_equal(&middle, &[&last]);
    assert_eq!(two.digest("next"), three.digest("next"));
    // It took its deadline from the middle, and would have kept no other.
    let expired = three.info("flashsale", "flashsale_outcome_expired");
    assert_eq!(expired, "0");
}

#[test]
fn a_replica_with_an_aof_of_its_own_is_restarted_in_a_rush_and_catches_up() {
    for kind in ["yes", "no"] {
        let aof = format!("--appendonly yes --aof-use-rdb-preamble {kind} --appendfsync no");
        let (Some(primary), Some(mut replica)) = (Server::own(&[], &[]), Server::own(&[&aof], &[]))
        else {
            return;
        };
        create(&mut primary.conn());
        replicate(&primary, &replica);
        let of_primary = format!("--replicaof 127.0.0.1 {}", primary.port());
        rush_on(&primary, |rush| {
            replica.kill9();
            rush.goes_on();
            replica.start_again(&[&of_primary]);
            rush.goes_on();
            // Also when its own log is rewritten between two synchronisations.
            replica.conn().run("BGREWRITEAOF");
            primary.conn().run("CLIENT KILL TYPE replica");
            rush.goes_on();
        });
        assert_equal(&primary, &[&replica]);
        let mut copy = replica.conn();
        aof::wait_for_rewrite(&mut copy);
        replica.shut_down();
        replica.start_again(&[REPLICA_OF_NOBODY]);
        let digest = primary.conn().digest("sale orders");
        assert_eq!(replica.conn().digest("sale orders"), digest);
    }
}
