//! The same limit after it was saved, loaded, moved and followed, also where subjects were
//! removed before and after.

use redis::Value;

use super::gauges;
use crate::support::{
    Con, Dice, Server, aof, damage, forge, render, replicate, wait_for_replica, wait_until,
};

const AOF: &str = "--appendonly yes --appendfsync always";
const AOF_PLAIN: &str = "--appendonly yes --appendfsync always --aof-use-rdb-preamble no";
/// The type byte and the module's id come first; they choose who loads the value.
const HEADER_BYTES: usize = 10;

/// Calls of many subjects, most of them soon idle, so that they come and go; some of long
/// names, and some for longer than any test.
fn play(con: &mut Con, dice: &mut Dice, count: u32) {
    for _ in 0..count {
        let key = ["login", "api"][dice.below(2) as usize];
        let subject = match dice.below(3) {
            0 => format!("{:x<40}", dice.below(5_000)),
            _ => format!("s{}", dice.below(5_000)),
        };
        let rate =
            ["1 1", "1 3", "2 5 COST 2", "1 3600000", "9 60000 BURST 20"][dice.below(5) as usize];
        con.run(&format!("FLASHSALE.THROTTLE {key} {subject} {rate}"));
    }
}

fn traits(con: &mut Con) -> [String; 3] {
    [
        con.digest("login api"),
        con.show("PEXPIRETIME login"),
        con.show("PEXPIRETIME api"),
    ]
}

#[test]
fn a_reload_keeps_every_subject_and_the_queue() {
    let Some(mut server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    play(&mut con, &mut dice, 2_000);
    let (before, counted) = (traits(&mut con), gauges(&mut con));
    assert!(counted[1] > 100, "{counted:?}");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(traits(&mut con), before);
    assert_eq!(gauges(&mut con)[..2], counted[..2]);
    con.says("SAVE", "OK");
    server.restart();
    let mut con = server.conn();
    assert_eq!(traits(&mut con), before);
    play(&mut con, &mut dice, 500);
}

#[test]
fn the_aof_holds_limits_before_and_after_a_rewrite_of_either_kind() {
    for arguments in [AOF, AOF_PLAIN] {
        let Some(mut server) = Server::own(&[arguments], &[]) else {
            return;
        };
        let mut con = server.conn();
        let mut dice = Dice::seeded();
        play(&mut con, &mut dice, 1_000);
        let before = traits(&mut con);
        con.says("DEBUG LOADAOF", "OK");
        assert_eq!(traits(&mut con), before);
        aof::rewrite(&mut con);
        play(&mut con, &mut dice, 500);
        let before = traits(&mut con);
        con.says("DEBUG LOADAOF", "OK");
        assert_eq!(traits(&mut con), before);
        server.kill9();
        server.start_again(&[]);
        let mut con = server.conn();
        assert_eq!(traits(&mut con), before);
        con.has_not_diverged();
    }
}

#[test]
fn replicas_are_equal_through_a_resync_a_reload_and_a_promotion() {
    // The bound of the primary is what counts: that somebody gave way is in the event.
    let (Some(primary), Some(replica), Some(behind)) = (
        Server::own(&[], &["max-subjects 300"]),
        Server::own(&[], &["max-subjects 2"]),
        Server::own(&[AOF], &[]),
    ) else {
        return;
    };
    let mut con = primary.conn();
    let mut dice = Dice::seeded();
    play(&mut con, &mut dice, 500);
    replicate(&primary, &replica);
    replicate(&replica, &behind);
    let equal = |con: &mut Con, of: &[&Server]| {
        wait_for_replica(&primary, &replica);
        wait_for_replica(&replica, &behind);
        let before = traits(con);
        for copy in of {
            assert_eq!(traits(&mut copy.conn()), before);
        }
    };
    for _ in 0..3 {
        play(&mut con, &mut dice, 800);
        equal(&mut con, &[&replica, &behind]);
        // One with a table loaded from a snapshot follows the other with one that grew.
        behind.conn().says("DEBUG RELOAD", "OK");
    }
    assert_eq!(gauges(&mut con)[1], gauges(&mut replica.conn())[1]);
    let mut copy = replica.conn();
    copy.fails("FLASHSALE.THROTTLE login ann 1 60000", "READONLY", "");
    copy.fails(
        "FLASHSALE.THROTTLE login ann 1 60000 COST 0",
        "READONLY",
        "",
    );
    // Whoever was throttled is throttled by the new primary.
    con.says(
        "FLASHSALE.THROTTLE login ann 1 3600000 COST 1",
        "ALLOWED ...",
    );
    equal(&mut con, &[&replica, &behind]);
    copy.says("REPLICAOF NO ONE", "OK");
    copy.says("CONFIG SET flashsale.max-subjects 300", "OK");
    copy.says(
        "FLASHSALE.THROTTLE login ann 1 3600000",
        "THROTTLED 1 0 <=3600000 <=3600000",
    );
    play(&mut copy, &mut dice, 500);
    wait_for_replica(&replica, &behind);
    assert_eq!(traits(&mut copy), traits(&mut behind.conn()));
    for server in [&primary, &replica, &behind] {
        server.conn().has_not_diverged();
    }
}

fn dumped(con: &mut Con, key: &str) -> Vec<u8> {
    match con.run(&format!("DUMP {key}")) {
        Value::BulkString(payload) => payload,
        other => panic!("DUMP: {}", render(&other)),
    }
}

#[test]
fn a_limit_is_moved_by_restore_migrate_and_rename() {
    let (Some(server), Some(other)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    play(&mut con, &mut dice, 1_000);
    let digest = con.digest("login");
    let payload = dumped(&mut con, "login");
    let words: [&[u8]; 4] = [b"RESTORE", b"again", b"50000", &payload];
    assert_eq!(render(&con.run_words(&words)), "OK");
    assert_eq!(con.digest("again"), digest);
    // Restored with another TTL, or without one, it has its own with the first call that passes.
    con.says("PERSIST again", "1");
    con.says("FLASHSALE.THROTTLE again new 1 1000", "ALLOWED ...");
    assert!(con.int("PTTL again") > 86_400_000);
    let line = format!("MIGRATE 127.0.0.1 {} login 0 5000", other.port());
    con.says(&line, "OK");
    let mut there = other.conn();
    assert_eq!(there.digest("login"), digest);
    there.says("RENAME login moved", "OK");
    there.says("MOVE moved 1", "1");
    let mut there = other.conn_db(1);
    assert_eq!(there.digest("moved"), digest);
    there.says("FLASHSALE.THROTTLE moved new 1 1000", "ALLOWED ...");
    assert_eq!(gauges(&mut there)[0], 1);
}

#[test]
fn a_damaged_payload_is_an_error_and_costs_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    play(&mut con, &mut dice, 300);
    con.says("CONFIG SET rdbcompression no", "OK");
    let payload = dumped(&mut con, "login");
    let mut taken = 0;
    for _ in 0..1_500 {
        let damaged = forge(&payload, |bytes| damage(bytes, HEADER_BYTES, &mut dice, 3));
        let words: [&[u8]; 4] = [b"RESTORE", b"copy", b"500000", &damaged];
        if render(&con.run_words(&words)).contains("(error)") {
            con.says("EXISTS copy", "0");
            continue;
        }
        taken += 1;
        // What is taken takes calls, and is saved and loaded again as it is.
        con.run("FLASHSALE.THROTTLE copy ann 1 1000");
        let digest = con.digest("copy");
        let again = dumped(&mut con, "copy");
        let words: [&[u8]; 5] = [b"RESTORE", b"copy", b"500000", &again, b"REPLACE"];
        assert_eq!(render(&con.run_words(&words)), "OK");
        assert_eq!(con.digest("copy"), digest);
        con.says("DEL copy", "1");
    }
    println!("{taken} damaged payloads were taken for something");
    con.says("CONFIG SET rdbcompression yes", "OK");
}

#[test]
fn a_limit_that_the_aof_holds_in_part_ends_the_start_or_is_left_out() {
    let Some(mut server) = Server::own(&[AOF_PLAIN, "--aof-load-truncated yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    let call = |at: u32| format!("FLASHSALE.THROTTLE login {at:x<100} 1 3600000");
    crate::support::send_all(&mut con, (0..2_000).map(call));
    aof::rewrite(&mut con);
    server.kill9();
    let folder = server.folder().join("appendonlydir");
    let files = std::fs::read_dir(&folder).expect("a folder");
    let mut paths = files.map(|entry| entry.expect("an entry").path());
    let base = paths
        .find(|path| path.to_string_lossy().ends_with(".base.aof"))
        .expect("a base file");
    let bytes = std::fs::read(&base).expect("the file");
    let chunk = b"*3\r\n$18\r\nFLASHSALE.RATELOAD\r\n";
    let chunks: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at..].starts_with(chunk))
        .collect();
    assert!(chunks.len() > 3, "{} chunks", chunks.len());
    std::fs::write(&base, &bytes[..chunks[2]]).expect("written");
    server.launch_again(&[]);
    wait_until("the start ends", || server.has_ended().is_some());
    let line = "ends here: the rate limit of the key 'login' in database 0";
    assert!(server.log().contains(line), "{}", server.log());
    server.start_again(&["--flashsale.load-damaged yes"]);
    let mut con = server.conn();
    con.says("EXISTS login", "0");
    con.says("FLASHSALE.THROTTLE login ann 1 60000", "ALLOWED ...");
    assert_eq!(con.divergence(), 1);
    server.may_diverge();
}
