//! **Goal**: a key that is dumped, restored, migrated, renamed, moved or deleted takes
//! its deadlines along, or with it; and there is never a second copy of the stock.
//!
//! **Method**: sales with a reservation of some milliseconds are carried about by every
//! command of Redis that can, and watched until the reservation has expired there.

use crate::support::workload::{self, picture, play, settle};
use crate::support::{Con, Dice, Server, replicate, wait_for_replica, wait_until};

/// What must be the same on both sides.
fn traits(con: &mut Con) -> (String, Vec<String>) {
    (con.digest("sale"), picture(con, "sale"))
}

/// DUMP of a key, as the words of a RESTORE.
fn restore(con: &mut Con, payload: &[u8], key: &str, ttl: &str, more: &[&str]) -> String {
    let mut words: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), payload];
    words.extend(more.iter().map(|word| word.as_bytes()));
    crate::support::render(&con.run_words(&words))
}

fn dump(con: &mut Con, key: &str) -> Vec<u8> {
    match con.run(&format!("DUMP {key}")) {
        redis::Value::BulkString(payload) => payload,
        other => panic!("DUMP: {}", crate::support::render(&other)),
    }
}

#[test]
fn dump_and_restore_make_the_same_sale() {
    let server = Server::any();
    let mut con = server.conn();
    workload::create(&mut con);
    play(&mut con, &mut Dice::seeded(), 800);
    settle(&mut con);
    let before = traits(&mut con);
    let payload = dump(&mut con, "sale");
    con.says("DEL sale", "1");
    assert_eq!(restore(&mut con, &payload, "sale", "0", &[]), "OK");
    assert_eq!(before, traits(&mut con));
    assert_eq!(restore(&mut con, &payload, "sale", "0", &["REPLACE"]), "OK");
    assert_eq!(before, traits(&mut con));
    assert!(restore(&mut con, &payload, "sale", "0", &[]).contains("BUSYKEY"));
    play(&mut con, &mut Dice::seeded(), 100);
}

#[test]
fn a_restored_key_has_the_ttl_of_the_restore_and_its_deadlines() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale alice 3 HOLD 250", "RESERVED ...");
    let payload = dump(&mut con, "sale");
    con.says("DEL sale", "1");
    assert_eq!(restore(&mut con, &payload, "sale", "100000", &[]), "OK");
    con.says("PTTL sale", "<=100000");
    con.says("FLASHSALE.STOCK sale", "[default 7 3 0 0]");
    wait_until("it expired", || con.stock("sale") == "[default 10 0 0 0]");
    con.says("PTTL sale", "<=100000");
}

#[test]
fn migrate_moves_a_sale_with_its_deadlines() {
    let (Some(from), Some(to)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut there) = (from.conn(), to.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.BUY sale orders bob 2 ID r2", "SOLD ...");
    con.says(
        "FLASHSALE.RESERVE sale alice 3 ID r1 HOLD 400",
        "RESERVED ...",
    );
    let before = con.digest("sale orders");
    con.says(
        &format!("MIGRATE 127.0.0.1 {} '' 0 5000 KEYS sale orders", to.port()),
        "OK",
    );
    con.says("EXISTS sale orders", "0");
    assert_eq!(there.digest("sale orders"), before);
    there.says("FLASHSALE.STOCK sale", "[default 5 3 2 0]");
    wait_until("it expired", || there.stock("sale") == "[default 8 0 2 0]");
    there.says("FLASHSALE.CHECKOUT sale orders r2", "SOLD r2 *");
}

#[test]
fn a_sale_that_is_moved_keeps_its_deadlines() {
    let server = Server::any();
    let mut con = server.conn();
    let mut other = server.conn_db(3);
    let prepare = |con: &mut Con| {
        con.says("FLUSHALL", "OK");
        con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
        con.says(
            "FLASHSALE.RESERVE sale alice 3 ID r1 HOLD 80",
            "RESERVED ...",
        );
        con.digest("sale")
    };
    let before = prepare(&mut con);
    con.says("RENAME sale renamed", "OK");
    assert_eq!(con.digest("renamed"), before);
    wait_until("it expired after RENAME", || {
        con.stock("renamed") == "[default 10 0 0 0]"
    });

    let before = prepare(&mut con);
    con.says("MOVE sale 3", "1");
    assert_eq!(other.digest("sale"), before);
    wait_until("it expired after MOVE", || {
        other.stock("sale") == "[default 10 0 0 0]"
    });

    // The connection is still where it was, also on a Valkey that would move it along.
    con.says("EXISTS orders sale", "0");
    let before = prepare(&mut con);
    con.says("SWAPDB 0 3", "OK");
    assert_eq!(other.digest("sale"), before);
    wait_until("it expired after SWAPDB", || {
        other.stock("sale") == "[default 10 0 0 0]"
    });

    prepare(&mut con);
    con.says("FLASHSALE.CREATE target orders STOCK 5", "OK");
    con.says("FLASHSALE.RESERVE target bob 5 HOLD 80", "RESERVED ...");
    con.says("RENAME sale target", "OK");
    wait_until("it expired after RENAME onto a sale", || {
        con.stock("target") == "[default 10 0 0 0]"
    });
}

#[test]
fn copy_is_refused() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    for line in [
        "COPY sale other",
        "COPY sale sale DB 3",
        "COPY sale other REPLACE",
    ] {
        let reply = con.show(line);
        assert!(reply.contains("(error)"), "{line}: {reply}");
    }
    con.says("EXISTS other", "0");
}

#[test]
fn deleted_sales_are_gone_with_their_deadlines() {
    let server = Server::any();
    let mut con = server.conn();
    for line in [
        "DEL sale",
        "UNLINK sale",
        "FLUSHDB",
        "FLUSHALL ASYNC",
        "FLUSHALL SYNC",
        "SET sale x",
        "PEXPIRE sale 1",
        "MOVE sale 7",
        "RENAME other sale",
    ] {
        con.says("SET other x", "OK");
        con.says("FLASHSALE.CREATE sale orders STOCK 9000", "OK");
        for user in 0..300 {
            con.says(
                &format!("FLASHSALE.RESERVE sale u{user} 1 HOLD 30"),
                "RESERVED ...",
            );
        }
        con.run(line);
        wait_until("the sale is not there", || {
            con.show("TYPE sale") != "+flashsale"
        });
        // The one that was only moved.
        server.conn_db(7).run("FLUSHDB");
        let waiting = con.info("flashsale", "flashsale_sales_with_deadlines");
        assert_eq!(waiting, "0", "{line}: the timer still waits for it");
        // The name is free for another sale, which the old deadlines do not touch.
        con.run("DEL sale other");
        con.says("FLASHSALE.CREATE sale orders STOCK 7", "OK");
        con.says("FLASHSALE.RESERVE sale alice 2 ID r1", "RESERVED ...");
        con.says(
            "FLASHSALE.RESERVE sale alice 1 ID r2 HOLD 60",
            "RESERVED ...",
        );
        wait_until("r2 expired", || {
            con.field("FLASHSALE.GET sale r2", "state") == "expired"
        });
        con.says("FLASHSALE.STOCK sale", "[default 5 2 0 0]");
        con.run("DEL sale");
    }
}

#[test]
fn a_sale_whose_keep_is_over_leaves_nothing_to_the_next_one() {
    let server = Server::any();
    let mut con = server.conn();
    let end = con.now_ms() + 60;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 HOLD 40 END {end} KEEP 30"),
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale ann 2 ID r1", "RESERVED ...");
    // The timer waits until r1 may be forgotten, long after the key is gone.
    wait_until("the key expired", || con.int("EXISTS sale") == 0);
    con.says("FLASHSALE.CREATE sale orders STOCK 7", "OK");
    con.says("FLASHSALE.RESERVE sale ann 3 ID r1 HOLD 80", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale ann 1 ID r2", "RESERVED ...");
    wait_until("r1 expired", || con.stock("sale") == "[default 6 1 0 0]");
    con.says("PTTL sale", "-1");
}

#[test]
fn two_sales_of_one_name_change_places_with_their_deadlines() {
    let server = Server::any();
    let (mut zero, mut one) = (server.conn(), server.conn_db(1));
    for (con, hold) in [(&mut zero, 150), (&mut one, 90_000)] {
        con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
        con.says(
            &format!("FLASHSALE.RESERVE sale ann 2 HOLD {hold}"),
            "RESERVED ...",
        );
    }
    zero.says("SWAPDB 0 1", "OK");
    wait_until("the near one expired", || {
        one.stock("sale") == "[default 9 0 0 0]"
    });
    zero.says("FLASHSALE.STOCK sale", "[default 7 2 0 0]");
    // One database is emptied, the other keeps its deadlines.
    one.says("FLASHSALE.RESERVE sale ann 2 HOLD 150", "RESERVED ...");
    zero.says("FLUSHDB", "OK");
    wait_until("the other one expired", || {
        one.stock("sale") == "[default 9 0 0 0]"
    });
    zero.says("EXISTS sale", "0");
}

/// Sales with a deadline to come, each carried to another key in another way: the
/// database and the key of each.
fn carry_about(server: &Server, hold_ms: u32) -> Vec<(u32, &'static str)> {
    let mut con = server.conn();
    for key in ["renamed", "onto", "target", "moved", "swapped", "restored"] {
        let orders = format!("{key}:orders");
        con.says(&format!("FLASHSALE.CREATE {key} {orders} STOCK 9"), "OK");
        let reserve = format!("FLASHSALE.RESERVE {key} ann 2 HOLD {hold_ms}");
        con.says(&reserve, "RESERVED ...");
    }
    con.says("RENAME renamed there", "OK");
    con.says("RENAME onto target", "OK");
    let payload = dump(&mut con, "restored");
    con.says("DEL restored", "1");
    assert_eq!(restore(&mut con, &payload, "restored", "0", &[]), "OK");
    assert_eq!(
        restore(&mut con, &payload, "again", "90000", &["REPLACE"]),
        "OK"
    );
    con.says("MOVE swapped 2", "1");
    con.says("SWAPDB 2 4", "OK");
    con.says("MOVE moved 3", "1");
    vec![
        (0, "there"),
        (0, "target"),
        (0, "restored"),
        (0, "again"),
        (4, "swapped"),
        (3, "moved"),
    ]
}

/// Asserts that they are as they were, and expire where they are now.
#[track_caller]
fn expire_in_their_places(server: &Server, places: &[(u32, &str)]) {
    for &(database, key) in places {
        let mut con = server.conn_db(database);
        wait_until(&format!("{key} in {database} expired"), || {
            con.stock(key) == "[default 9 0 0 0]"
        });
    }
}

#[test]
fn a_replica_and_an_aof_know_where_sales_were_carried() {
    let (Some(mut primary), Some(replica)) = (
        Server::own(&["--appendonly yes --appendfsync always"], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    replicate(&primary, &replica);
    let places = carry_about(&primary, 1_500);
    wait_for_replica(&primary, &replica);
    let digests = |server: &Server| -> Vec<String> {
        let digest = |&(database, key)| server.conn_db(database).digest(key);
        places.iter().map(digest).collect()
    };
    assert_eq!(digests(&primary), digests(&replica));
    primary.kill9();
    replica.conn().says("REPLICAOF NO ONE", "OK");
    primary.start_again(&[]);
    expire_in_their_places(&replica, &places);
    expire_in_their_places(&primary, &places);
}

#[test]
fn a_restored_sale_takes_its_ttl_from_the_restore_alone() {
    let server = Server::any();
    let mut con = server.conn();
    let end = con.now_ms() + 50_000;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 END {end} KEEP 3600000"),
        "OK",
    );
    let expires_at_ms = con.int("PEXPIRETIME sale");
    let payload = dump(&mut con, "sale");
    let at = expires_at_ms.to_string();
    let more = ["REPLACE", "ABSTTL"];
    assert_eq!(restore(&mut con, &payload, "sale", &at, &more), "OK");
    assert_eq!(con.int("PEXPIRETIME sale"), expires_at_ms);
    assert_eq!(restore(&mut con, &payload, "sale", "0", &["REPLACE"]), "OK");
    con.says("PTTL sale", "-1");
    // What a change of the sale says about the key's end counts again.
    con.says("FLASHSALE.ALTER sale KEEP 3600001", "OK");
    assert_eq!(con.int("PEXPIRETIME sale"), expires_at_ms + 1);
    con.says("RENAME sale other", "OK");
    assert_eq!(con.int("PEXPIRETIME other"), expires_at_ms + 1);
}

#[test]
fn memory_usage_grows_with_reservations() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100000", "OK");
    let empty = con.int("MEMORY USAGE sale");
    assert!(empty > 0);
    for user in 0..2000 {
        con.says(&format!("FLASHSALE.RESERVE sale u{user} 1"), "RESERVED ...");
    }
    let full = con.int("MEMORY USAGE sale");
    let each = (full - empty) / 2000;
    assert!(
        (30..1500).contains(&each),
        "{each} bytes a reservation: {empty}, then {full}"
    );
    let told: i64 = con
        .field("FLASHSALE.INFO sale", "memory_bytes")
        .parse()
        .expect("bytes");
    assert!(
        (told - full).abs() < full / 2,
        "INFO {told}, MEMORY USAGE {full}"
    );
}

#[test]
fn a_moved_name_is_free_for_another_sale() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 3 ID r1 HOLD 80",
        "RESERVED ...",
    );
    con.says("RENAME sale old", "OK");
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 90000",
        "RESERVED ...",
    );
    wait_until("the old one's expired", || {
        con.stock("old") == "[default 10 0 0 0]"
    });
    con.says("FLASHSALE.STOCK sale", "[default 3 2 0 0]");
    con.says("RENAME old sale", "OK");
    con.says("FLASHSALE.STOCK sale", "[default 10 0 0 0]");
}

#[test]
fn a_payload_restored_under_two_names_expires_under_both() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale alice 3 HOLD 100", "RESERVED ...");
    let payload = dump(&mut con, "sale");
    assert_eq!(restore(&mut con, &payload, "twin", "0", &[]), "OK");
    wait_until("one expired", || con.stock("sale") == "[default 10 0 0 0]");
    wait_until("the other expired", || {
        con.stock("twin") == "[default 10 0 0 0]"
    });
}

#[test]
fn a_primary_that_becomes_a_replica_drops_its_sales_and_their_deadlines() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let mut con = replica.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale alice 3 HOLD 150", "RESERVED ...");
    let deadline = con.now_ms() + 150;
    replicate(&primary, &replica);
    con.says("EXISTS sale", "0");
    wait_until("its deadline has passed", || con.now_ms() > deadline + 100);
    con.says("REPLICAOF NO ONE", "OK");
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale alice 3 HOLD 30", "RESERVED ...");
    wait_until("it expired", || con.stock("sale") == "[default 10 0 0 0]");
}

#[test]
fn an_evicted_sale_does_not_hurt() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    for user in 0..200 {
        con.says(
            &format!("FLASHSALE.RESERVE sale u{user} 1 HOLD 40"),
            "RESERVED ...",
        );
    }
    let policy = con.map("CONFIG GET maxmemory-policy")[0].1.clone();
    con.says(
        "CONFIG SET maxmemory-policy allkeys-random maxmemory 1",
        "OK",
    );
    con.run("SET any thing");
    wait_until("the sale is evicted", || con.int("EXISTS sale") == 0);
    con.says(
        &format!("CONFIG SET maxmemory 0 maxmemory-policy {policy}"),
        "OK",
    );
    con.says("FLASHSALE.CREATE sale orders STOCK 1", "OK");
}

#[test]
fn the_servers_own_questions_about_the_key_are_answered() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1", "RESERVED ...");
    for line in [
        "OBJECT ENCODING sale",
        "OBJECT IDLETIME sale",
        "DEBUG OBJECT sale",
        "MEMORY USAGE sale SAMPLES 0",
        "TOUCH sale",
        "DEBUG DIGEST",
        "SCAN 0 TYPE flashsale",
        "EXPIRE sale 1000",
        "PERSIST sale",
    ] {
        let reply = con.show(line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
    }
    for line in [
        "GET sale",
        "XADD sale * a b",
        "APPEND sale x",
        "LPUSH sale x",
    ] {
        con.fails(line, "WRONGTYPE", "");
    }
}

#[test]
fn a_reload_over_the_keys_that_are_there_keeps_deadlines() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale ann 3 HOLD 600", "RESERVED ...");
    let before = con.digest("sale");
    con.says("DEBUG RELOAD NOFLUSH MERGE", "OK");
    assert_eq!(con.digest("sale"), before);
    assert_eq!(con.info("flashsale", "flashsale_sales_with_deadlines"), "1");
    wait_until("it expired", || con.stock("sale") == "[default 10 0 0 0]");
}

/// Valkey 9 says of a transaction that it is in the database of its last SELECT.
#[test]
fn in_a_transaction_a_sale_is_in_the_database_that_it_is_in() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let Some(replica) = Server::own(&[], &[]) else {
        return;
    };
    replicate(&server, &replica);
    let mut con = server.conn();
    let transaction = |con: &mut Con, lines: &str| {
        con.says("SELECT 0", "OK");
        con.says("MULTI", "OK");
        for line in lines.split("; ") {
            con.says(line, "+QUEUED");
        }
        con.show("EXEC")
    };
    let expires = |database: u32, key: &str| {
        let mut con = server.conn_db(database);
        wait_until("its reservation expires", || {
            con.stock(key) == "[default 9 0 0 0]"
        });
    };
    transaction(
        &mut con,
        "SELECT 3; FLASHSALE.CREATE a orders STOCK 9; FLASHSALE.RESERVE a ann 1 ID r HOLD 80; SELECT 5",
    );
    expires(3, "a");
    transaction(
        &mut con,
        "FLASHSALE.CREATE b orders STOCK 9; FLASHSALE.RESERVE b ann 1 ID r HOLD 80; MOVE b 3; \
         SET here 1; SELECT 5",
    );
    expires(3, "b");
    con.says("SELECT 0", "OK");
    con.says("EXISTS here", "1");
    transaction(
        &mut con,
        "SELECT 3; FLASHSALE.DOCTOR; SET there 1; SELECT 5",
    );
    con.says("SELECT 3", "OK");
    con.says("EXISTS there", "1");
    // The replica has carried out the same in the same databases.
    wait_for_replica(&server, &replica);
    let mut copy = replica.conn_db(3);
    for key in ["a", "b", "there"] {
        assert_eq!(copy.digest(key), con.digest(key), "{key}");
    }
}

#[test]
fn a_sale_that_leaves_without_its_stream_is_told_by_audit() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.BUY sale orders ann 1 ID a", "SOLD ...");
    let payload = dump(&mut con, "sale");
    con.says("MOVE sale 9", "1");
    con.says("SELECT 9", "OK");
    let missing = |con: &mut Con, key: &str| {
        let told = con.field(&format!("FLASHSALE.AUDIT {key} orders"), "differences");
        assert!(told.contains("stream"), "{key}: {told}");
    };
    missing(&mut con, "sale");
    assert_eq!(restore(&mut con, &payload, "restored", "0", &[]), "OK");
    missing(&mut con, "restored");
    // The next order begins a stream of that name, in which the first one is not.
    con.says("FLASHSALE.BUY restored orders ann 1 ID b", "SOLD ...");
    missing(&mut con, "restored");
    con.says("DEL orders", "1");
    // With the stream it is whole again.
    con.says("SELECT 0", "OK");
    con.says("MOVE orders 9", "1");
    con.says("SELECT 9", "OK");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1, entries 1");
    con.says("DEL sale restored orders", "3");
}

#[test]
fn a_ttl_set_by_hand_lasts_until_the_next_alter_or_close() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9 KEEP 5000", "OK");
    con.says("EXPIRE sale 100", "1");
    con.says("FLASHSALE.BUY sale orders ann 1", "SOLD ...");
    con.says("PTTL sale", "<=100000");
    // Without an END there is no moment to count from.
    con.says("FLASHSALE.ALTER sale USERLIMIT 5", "OK");
    con.says("PTTL sale", "-1");
    con.says("EXPIRE sale 100000", "1");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.says("PTTL sale", "<=305000");
}
