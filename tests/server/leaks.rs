//! **Goal**: whatever becomes of a sale, its memory comes back: deleted, expired,
//! overwritten, flushed, moved, reloaded, or not loaded at all.
//!
//! **Method**: a sale is played at random, then done away with, in every way there is;
//! and again, round after round. When all of them are gone the server uses no more
//! memory than in an earlier round. What is lost once for all, and single bytes, are
//! found by `make test-asan`, which looks at the exit of the server, here and in every
//! other test.

use redis::Value;

use crate::support::{Con, Dice, Server, forge, render, wait_until, workload};

/// Rounds before the first look: caches and buffers have their size then.
const WARM_UP: usize = 3;
/// Rounds between the first look and the last.
const ROUNDS: usize = 8;
/// Commands that each sale lives through.
const COMMANDS: u32 = 120;
/// What the server's own tables and buffers may differ by, in bytes: less than a quarter
/// of a byte for each command of the rounds.
const NOISE: i64 = 2_048;

/// Ways to do away with the key `sale`, some commands each, and all other keys.
const ENDS: [&[&str]; 12] = [
    &["DEL sale orders"],
    &["UNLINK sale orders"],
    &["PEXPIRE sale 1", "DEL orders"],
    &["SET sale nothing", "DEL sale orders"],
    &["FLUSHDB SYNC"],
    &["FLUSHDB ASYNC"],
    &["FLUSHALL SYNC"],
    &["FLUSHALL ASYNC"],
    &["DEBUG RELOAD", "DEL sale orders"],
    &["RENAME sale other", "DEL other orders"],
    &[
        "FLASHSALE.CREATE other orders STOCK 5 HOLD 40",
        "FLASHSALE.RESERVE other ann 1",
        "RENAME other sale",
        "DEL sale orders",
    ],
    &["MOVE orders 1", "SWAPDB 0 1", "FLUSHALL"],
];

/// A sale that has seen a lot, of reservations that expire among others.
fn live(con: &mut Con, dice: &mut Dice) {
    workload::create(con);
    workload::play(con, dice, COMMANDS);
    // Also when it is refused, or makes no sense, on the way.
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1000 ID r",
        "ORDERLIMIT 9",
    );
    for line in ["RESERVE sale ann ITEMS 1 a one", "CHECKOUT sale sale r"] {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(reply.contains("(error)"), "{line}: {reply}");
    }
}

/// Restores the sale over itself, and twice in vain.
fn restore(con: &mut Con) {
    let Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("no payload");
    };
    // A sale was begun, and is given up.
    let cut = forge(&payload, |value| value.truncate(value.len() * 2 / 3));
    let mut restored = |payload: &[u8], replace: &'static [u8]| {
        let words = [b"RESTORE", &b"sale"[..], b"0", payload, replace];
        let given = words.len() - usize::from(replace.is_empty());
        render(&con.run_words(&words[..given]))
    };
    assert_eq!(restored(&payload, b"REPLACE"), "OK");
    assert!(restored(&payload, b"").contains("BUSYKEY"));
    assert!(restored(&cut, b"REPLACE").contains("(error)"));
}

/// The bytes the server has in use when nothing is left, but for its clients' buffers.
fn bytes_at_rest(con: &mut Con) -> i64 {
    wait_until("the other thread has freed what it was given", || {
        con.info("memory", "lazyfree_pending_objects") == "0"
    });
    for gauge in [
        "sales",
        "users",
        "reservations_open",
        "reservations_known",
        "memory_bytes",
    ] {
        let field = format!("flashsale_{gauge}");
        assert_eq!(con.info("flashsale", &field), "0", "{gauge}");
    }
    let mut bytes = |name: &str| -> i64 { con.info("memory", name).parse().expect("bytes") };
    bytes("used_memory") - bytes("mem_clients_normal") - bytes("mem_aof_buffer")
}

fn round(con: &mut Con, dice: &mut Dice) -> i64 {
    for end in ENDS {
        live(con, dice);
        restore(con);
        for line in end {
            con.run(line);
        }
        wait_until("all keys are gone", || {
            // A sale that is about to expire may still have had an entry to write.
            con.run("DEL orders");
            con.int("DBSIZE") == 0
        });
    }
    bytes_at_rest(con)
}

#[test]
fn a_sale_gives_all_its_memory_back_whatever_becomes_of_it() {
    // Its entries are kept, by the server.
    let Some(server) = Server::own(&["--slowlog-log-slower-than -1"], &[]) else {
        return;
    };
    let (mut con, mut dice) = (server.conn(), Dice::seeded());
    let mut bytes = Vec::new();
    for _ in 0..WARM_UP + ROUNDS {
        bytes.push(round(&mut con, &mut dice));
    }
    let (earlier, last) = (bytes[WARM_UP - 1], bytes[WARM_UP + ROUNDS - 1]);
    assert!(last - earlier < NOISE, "bytes after each round: {bytes:?}");
}
