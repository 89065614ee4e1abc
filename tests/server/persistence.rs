//! **Goal**: whatever way a sale is written down and read back - RDB, AOF of either
//! kind, DUMP and RESTORE, MIGRATE - it is the same sale, and its deadlines live on.
//!
//! **Method**: a sale made by a seeded mix of commands; `DEBUG DIGEST-VALUE` and all
//! the reads before and after. To look at a loaded sale before the server returns what
//! is overdue, it is started as a replica of nobody: only primaries expire.

use crate::support::aof;
use crate::support::workload::{create, picture, play, settle};
use crate::support::{Con, Dice, REPLICA_OF_NOBODY, Server, rush_on, unix_ms, wait_until};

const AOF: &str = "--appendonly yes --appendfsync always";
const AOF_PLAIN: &str = "--appendonly yes --appendfsync always --aof-use-rdb-preamble no";

/// What must be the same on both sides.
fn traits(con: &mut Con) -> (String, String, Vec<String>) {
    (
        con.digest("sale"),
        con.digest("orders"),
        picture(con, "sale"),
    )
}

#[track_caller]
fn assert_same(before: &(String, String, Vec<String>), con: &mut Con) {
    let after = traits(con);
    for (old, new) in before.2.iter().zip(&after.2) {
        assert_eq!(old, new);
    }
    assert_eq!(before.0, after.0, "digest of the sale");
    assert_eq!(before.1, after.1, "digest of the stream");
    con.has_not_diverged();
}

/// A sale with a past, at rest.
fn fill(con: &mut Con, commands: u32) {
    create(con);
    play(con, &mut Dice::seeded(), commands);
    settle(con);
}

#[test]
fn the_rdb_file_holds_the_whole_sale() {
    let Some(mut server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    fill(&mut con, 1000);
    let before = traits(&mut con);
    con.says("DEBUG RELOAD", "OK");
    assert_same(&before, &mut con);
    con.says("SAVE", "OK");
    server.restart();
    let mut con = server.conn();
    assert_same(&before, &mut con);
    play(&mut con, &mut Dice::seeded(), 200);
}

#[test]
fn the_open_ids_of_a_user_keep_their_order() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 100 MAXHOLD 9000000",
        "OK",
    );
    // In one transaction, so that many are made in the same millisecond; the later
    // ones have the earlier deadlines.
    con.run("MULTI");
    for index in 0..9 {
        let hold = 300_000 - index * 1000;
        con.run(&format!(
            "FLASHSALE.RESERVE sale alice 1 ID r{index} HOLD {hold}"
        ));
    }
    con.run("FLASHSALE.EXTEND sale r4 900000");
    con.run("FLASHSALE.RELEASE sale r0");
    con.run("FLASHSALE.RESERVE sale alice 1 ID r9 HOLD 5000");
    con.run("EXEC");
    let expected = "open 9, reservations [r1 r2 r3 r4 r5 r6 r7 r8 r9]";
    con.fields("FLASHSALE.USER sale alice", expected);
    con.says("DEBUG RELOAD", "OK");
    con.fields("FLASHSALE.USER sale alice", expected);
}

#[test]
fn a_saved_sale_is_loaded_as_it_was_also_when_it_is_overdue_by_then() {
    let Some(mut server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 3 ID r1 HOLD 150",
        "RESERVED ...",
    );
    let deadline: u64 = con
        .field("FLASHSALE.GET sale r1", "expires_at_ms")
        .parse()
        .expect("a moment");
    con.says("SAVE", "OK");
    let before = con.digest("sale");
    con.fields("FLASHSALE.GET sale r1", "state reserved");
    wait_until("the deadline is past", || con.now_ms() > deadline);
    server.kill9();
    server.start_again(&[REPLICA_OF_NOBODY]);
    let mut con = server.conn();
    assert_eq!(con.digest("sale"), before);
    con.says("FLASHSALE.STOCK sale", "[default 7 3 0 0]");
    con.says("REPLICAOF NO ONE", "OK");
    wait_until("it expired", || con.stock("sale") == "[default 10 0 0 0]");
}

#[test]
fn deadlines_live_on_after_a_reload() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 10", "OK");
    con.says("FLASHSALE.RESERVE sale alice 3 HOLD 200", "RESERVED ...");
    con.says("DEBUG RELOAD", "OK");
    con.says("FLASHSALE.STOCK sale", "[default 7 3 0 0]");
    wait_until("it expired", || con.stock("sale") == "[default 10 0 0 0]");
}

#[test]
fn the_aof_of_events_holds_the_whole_sale() {
    let Some(mut server) = Server::own(&[AOF], &[]) else {
        return;
    };
    let mut con = server.conn();
    fill(&mut con, 1000);
    let before = traits(&mut con);
    con.says("DEBUG LOADAOF", "OK");
    assert_same(&before, &mut con);
    server.kill9();
    server.start_again(&[]);
    assert_same(&before, &mut server.conn());
}

#[test]
fn a_rewritten_aof_holds_the_whole_sale() {
    for kind in [AOF, AOF_PLAIN] {
        let Some(mut server) = Server::own(&[kind], &[]) else {
            return;
        };
        let mut con = server.conn();
        let mut dice = Dice::seeded();
        create(&mut con);
        play(&mut con, &mut dice, 600);
        con.run("BGREWRITEAOF");
        // Changes during the rewrite and after it.
        play(&mut con, &mut dice, 100);
        aof::wait_for_rewrite(&mut con);
        play(&mut con, &mut dice, 300);
        settle(&mut con);
        let before = traits(&mut con);
        server.kill9();
        server.start_again(&[]);
        assert_same(&before, &mut server.conn());
        let mut con = server.conn();
        aof::rewrite(&mut con);
        server.kill9();
        server.start_again(&[]);
        assert_same(&before, &mut server.conn());
    }
}

#[test]
fn an_aof_rewritten_in_the_middle_of_a_rush_holds_the_whole_sale() {
    for kind in [AOF, AOF_PLAIN] {
        let Some(mut server) = Server::own(&[kind], &[]) else {
            return;
        };
        let mut con = server.conn();
        create(&mut con);
        rush_on(&server, |_| {
            for _ in 0..3 {
                aof::rewrite(&mut con);
            }
        });
        settle(&mut con);
        let before = traits(&mut con);
        let files = |part: &str| -> u64 {
            let folder = server.folder().join("appendonlydir");
            let files = std::fs::read_dir(folder).expect("the AOF");
            let files = files.map(|file| file.expect("a file"));
            let files = files.filter(|file| file.file_name().to_string_lossy().contains(part));
            files
                .map(|file| file.metadata().expect("its size").len())
                .sum()
        };
        assert!(files(".base.") > 1000, "the base holds a sale");
        assert!(files(".incr.") > 1000, "changes came after it");
        server.kill9();
        server.start_again(&[]);
        assert_same(&before, &mut server.conn());
    }
}

#[test]
fn a_snapshot_taken_in_the_middle_of_a_rush_is_a_whole_sale() {
    let Some(mut server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    create(&mut con);
    rush_on(&server, |_| {
        con.run("BGSAVE");
        wait_until("it is saved", || {
            con.info("persistence", "rdb_bgsave_in_progress") == "0"
        });
        assert_eq!(con.info("persistence", "rdb_last_bgsave_status"), "ok");
        // Everything is written and read again while the others wait in line.
        con.says("DEBUG RELOAD NOSAVE", "OK");
        con.says("DEBUG RELOAD", "OK");
    });
    settle(&mut con);
    let before = traits(&mut con);
    con.says("SAVE", "OK");
    server.kill9();
    server.start_again(&[REPLICA_OF_NOBODY]);
    assert_same(&before, &mut server.conn());
}

#[test]
fn a_large_sale_is_rewritten_in_pieces() {
    let Some(mut server) = Server::own(&[AOF_PLAIN, "--appendfsync no"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000000", "OK");
    let name = "x".repeat(80);
    let script = "'for i = 1, 5000 do redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \
         \"user\" .. (i % 900) .. ARGV[1], 1, \"ID\", i .. ARGV[1]) end'";
    con.says(&format!("EVAL {script} 1 sale {name}"), "(nil)");
    let before = con.digest("sale");
    aof::rewrite(&mut con);
    let aof = std::fs::read_dir(server.folder().join("appendonlydir")).expect("the AOF");
    let base = aof
        .map(|file| file.expect("a file").path())
        .find(|path| path.to_string_lossy().contains(".base.aof"))
        .expect("a base file of commands");
    let text = std::fs::read(base).expect("the base file");
    let pieces = text
        .windows(14)
        .filter(|bytes| bytes == b"FLASHSALE.LOAD")
        .count();
    assert!(pieces > 1, "{pieces} piece(s), {} bytes", text.len());
    server.kill9();
    server.start_again(&[]);
    assert_eq!(server.conn().digest("sale"), before);
    server
        .conn()
        .fields("FLASHSALE.INFO sale", "reservations_open 5000, users 900");
}

#[test]
fn an_aof_replayed_after_the_deadlines_reads_no_clock() {
    for kind in [AOF, AOF_PLAIN] {
        let Some(mut server) = Server::own(&[kind], &[]) else {
            return;
        };
        let mut con = server.conn();
        con.says(
            "FLASHSALE.CREATE sale orders STOCK 100 GRACE 0 REMEMBER 400",
            "OK",
        );
        con.says(
            "FLASHSALE.RESERVE sale alice 1 ID sold HOLD 300",
            "RESERVED ...",
        );
        con.says("FLASHSALE.CHECKOUT sale orders sold", "SOLD ...");
        con.says(
            "FLASHSALE.RESERVE sale alice 2 ID open HOLD 300",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale alice 3 ID released HOLD 300",
            "RESERVED ...",
        );
        con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
        let before = (con.digest("sale"), con.digest("orders"));
        let last = con.now_ms();
        con.fields("FLASHSALE.GET sale open", "state reserved");
        server.kill9();
        wait_until("all deadlines are past", || unix_ms() > last + 900);
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(before, (con.digest("sale"), con.digest("orders")));
        con.fields("FLASHSALE.GET sale sold", "state sold");
        con.fields("FLASHSALE.GET sale open", "state reserved");
        con.fields("FLASHSALE.GET sale released", "state released");
        con.says("REPLICAOF NO ONE", "OK");
        wait_until("open expired", || con.stock("sale") == "[default 99 0 1 0]");
        wait_until("released is forgotten", || {
            con.show("FLASHSALE.GET sale released") == "(nil)"
        });
    }
}

#[test]
fn an_aof_is_replayed_whatever_the_configuration_is_by_then() {
    let Some(mut server) = Server::own(&[AOF], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CONFIG SET flashsale.max-reservations 60", "OK");
    create(&mut con);
    play(&mut con, &mut Dice::seeded(), 800);
    settle(&mut con);
    let before = traits(&mut con);
    server.kill9();
    // Without the setting of before.
    server.start_again(&["--maxmemory 1", REPLICA_OF_NOBODY]);
    assert_same(&before, &mut server.conn());
}

#[test]
fn the_moment_the_key_expires_is_kept() {
    for kind in ["", AOF, AOF_PLAIN] {
        let Some(mut server) = Server::own(&[kind], &[]) else {
            return;
        };
        let mut con = server.conn();
        let end = con.now_ms() + 50_000;
        con.says(
            &format!("FLASHSALE.CREATE sale orders STOCK 9 END {end}"),
            "OK",
        );
        con.says("FLASHSALE.ALTER sale KEEP 7777", "OK");
        // Of the sale's own, HOLD; and KEEP.
        let expires_at_ms = con.int("PEXPIRETIME sale");
        assert_eq!(expires_at_ms as u64, end + 300_000 + 7_777);
        con.says("FLASHSALE.CLOSE sale", "OK");
        let expires_at_ms = con.int("PEXPIRETIME sale");
        let closed = con.field("FLASHSALE.INFO sale", "closed_at_ms");
        con.says("SAVE", "OK");
        server.kill9();
        server.start_again(&[]);
        let mut con = server.conn();
        assert_eq!(con.int("PEXPIRETIME sale"), expires_at_ms, "{kind}");
        if !kind.is_empty() {
            aof::rewrite(&mut con);
            server.kill9();
            server.start_again(&[]);
            con = server.conn();
            assert_eq!(con.int("PEXPIRETIME sale"), expires_at_ms, "{kind}");
        }
        con.fields(
            "FLASHSALE.INFO sale",
            &format!("state closed, closed_at_ms {closed}"),
        );
    }
}

#[test]
fn what_was_answered_survives_a_kill() {
    let Some(mut server) = Server::own(&[AOF], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000", "OK");
    for index in 0..20 {
        con.says(
            &format!("FLASHSALE.BUY sale orders alice 1 ID r{index} REF p{index}"),
            "SOLD ...",
        );
    }
    let sold = con.show("FLASHSALE.BUY sale orders alice 1 ID r7 REF p7");
    server.kill9();
    server.start_again(&[]);
    let mut con = server.conn();
    con.says("FLASHSALE.STOCK sale", "[default 980 0 20 0]");
    con.says("XLEN orders", "20");
    con.says("FLASHSALE.BUY sale orders alice 1 ID r7 REF p7", &sold);
    con.says("XLEN orders", "20");
}

#[test]
fn a_sale_of_any_length_in_bytes_comes_back_also_one_of_whole_chunks() {
    // A sale is saved in chunks of 64 KiB, the last one shorter; the name of the stream
    // moves where the chunks are cut, byte by byte, past the point where the last one
    // is empty.
    let server = Server::any();
    let mut con = server.conn();
    for len in 65_300..65_536 {
        let orders = "o".repeat(len);
        con.says(&format!("FLASHSALE.CREATE sale {orders} STOCK 10"), "OK");
        con.says("FLASHSALE.RESERVE sale ann 3 ID r1", "RESERVED ...");
        let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
            panic!("DUMP with a stream name of {len} bytes");
        };
        let reply = con.run_words(&[b"RESTORE", b"copy", b"0", &payload]);
        assert_eq!(
            crate::support::text_of(&reply),
            "OK",
            "a stream name of {len} bytes"
        );
        assert_eq!(
            con.digest("copy"),
            con.digest("sale"),
            "a stream name of {len} bytes"
        );
        con.says("DEL sale copy", "2");
    }
}
