//! **Goal**: a damaged RDB file is refused in good order, and a damaged AOF is a clean
//! stop, or is counted: never a crash, never a sale that does not add up.
//!
//! **Method**: the files of a real server are changed while it is down. The RDB file
//! gets a checksum that fits again, so that the module sees the damage; in the AOF the
//! bytes of events and chunks change, and the frame around them stays right. What the
//! server then has is dumped, and restored elsewhere: only what adds up is taken.

mod support;

use support::aof::{self, Aof};
use support::forged_primary::{assert_no_crash, forge_rdb, rdb_of};
use support::{Con, Dice, Server, render, wait_for, workload};

const AOF: &str = "--appendonly yes --aof-use-rdb-preamble no --rdbcompression no";

/// Flips a bit, or puts another byte.
fn damage(bytes: &mut [u8], dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.index(bytes.len());
    bytes[at] = match dice.below(3) {
        0 => bytes[at] ^ (1 << dice.below(8)),
        1 => dice.below(256) as u8,
        _ => 0xff,
    };
}

/// A server with the sale that so many commands of a seed make.
fn played(server_args: &str, commands: u32) -> Option<(Server, Dice, Con)> {
    let mut server = Server::own(&[server_args], &[])?;
    server.may_diverge();
    let (mut con, mut dice) = (server.conn(), Dice::new());
    workload::create(&mut con);
    workload::play(&mut con, &mut dice, commands);
    Some((server, dice, con))
}

/// Restores the value where nothing is returned meanwhile.
#[track_caller]
fn assert_adds_up(con: &mut Con) {
    if con.show("EXISTS sale") == "0" {
        return;
    }
    con.says("REPLICAOF 127.0.0.1 1", "OK");
    con.says("CONFIG SET replica-read-only no", "OK");
    if let redis::Value::BulkString(payload) = con.run("DUMP sale") {
        let words: [&[u8]; 4] = [b"RESTORE", b"copy", b"0", &payload];
        assert_eq!(render(&con.run_words(&words)), "OK", "it does not add up");
    }
}

/// Starts the server; false when it does not take its RDB file.
///
/// What it says is believed before its end: then the server looks at the file once more,
/// by itself, and Redis 7.0 never comes to the end of a module's value that is cut off.
#[track_caller]
fn takes_its_file(server: &mut Server) -> bool {
    let said = server.log().len();
    server.launch_again(&[]);
    wait_for("the server takes its file or refuses it", || {
        let log = server.log();
        let is_told = |words: &str| log[said..].contains(words);
        if is_told("Ready to accept connections") {
            return Some(true);
        }
        let code = server.has_ended();
        assert_ne!(code, Some(None), "ended by a signal: {log}");
        (code.is_some() || is_told("Internal error in RDB reading")).then_some(false)
    })
}

#[test]
fn a_damaged_rdb_file_is_refused_at_the_start_or_holds_a_sale_that_adds_up() {
    let Some((mut server, mut dice, mut con)) = played("--rdbcompression no", 60) else {
        return;
    };
    // Streams are the server's own matter, and so is damage to them.
    con.run("DEL orders");
    let rdb = rdb_of(&mut con, &server);
    let name = rdb.windows(4).position(|window| window == b"sale");
    let begin = name.expect("the key") + 4;
    let path = server.folder().join("dump.rdb");
    server.kill9();
    let mut refused = 0;
    for round in 0..24 {
        let bytes = forge_rdb(&rdb, |bytes| {
            let end = bytes.len() - 1;
            match round {
                // Cut off, with an end of its own.
                0..4 => {
                    let at = begin + dice.index(end - begin);
                    bytes.truncate(at);
                    bytes.push(0xff);
                }
                // One unit more is reserved than the reservations say: only a recount tells.
                4 => {
                    let item = b"\x02\x01a\xfb";
                    let at = bytes.windows(4).position(|window| window == item);
                    bytes[at.expect("the item, and a count in three bytes") + 6] += 1;
                }
                _ => damage(&mut bytes[begin..end], &mut dice),
            }
        });
        std::fs::write(&path, bytes).expect("the RDB file");
        let said = server.log().len();
        if takes_its_file(&mut server) {
            assert!(round > 4, "round {round} was taken");
            assert_adds_up(&mut server.conn());
        } else {
            refused += 1;
        }
        server.kill9();
        assert_no_crash(&server.log()[said..]);
    }
    println!("{refused} of 24 files were refused");
    assert!(refused >= 4);
    std::fs::write(&path, &rdb).expect("the RDB file");
    server.start_again(&[]);
    server.conn().says("EXISTS sale", "1");
}

#[test]
fn damaged_events_in_an_aof_are_counted_and_leave_a_sale_that_adds_up() {
    let Some((mut server, mut dice, _)) = played(AOF, 800) else {
        return;
    };
    server.shut_down();
    let aof = Aof::of(&server);
    let honest = aof::commands(aof.tail());
    for round in 0..5 {
        let mut lines = honest.clone();
        let ours = |words: &&mut Vec<Vec<u8>>| words[0] == b"FLASHSALE.APPLY";
        for words in lines.iter_mut().skip(2).filter(ours) {
            if dice.below(10) == 0
                && let Some(event) = words.last_mut()
            {
                damage(event, &mut dice);
            }
        }
        std::fs::write(&aof.last, aof::written(&lines)).expect("the AOF");
        let said = server.log().len();
        server.start_again(&[]);
        let mut con = server.conn();
        let counted = con.divergence();
        println!("round {round}: {counted} of {} did not fit", lines.len());
        assert!(counted > 0);
        assert_no_crash(&server.log()[said..]);
        assert!(server.log()[said..].contains("does not fit 'sale'"));
        workload::stir(&mut con, &mut dice, 50);
        assert_adds_up(&mut con);
        server.kill9();
        aof.cut(aof.tail().len());
    }
}

#[test]
fn a_line_with_words_missing_in_an_aof_is_a_clean_stop_or_counted() {
    let Some((mut server, _, _)) = played(AOF, 0) else {
        return;
    };
    server.shut_down();
    let aof = Aof::of(&server);
    for line in [
        "APPLY",
        "APPLY sale",
        "APPLY sale orders x y",
        "LOAD",
        "LOAD sale",
        "LOAD sale x y",
    ] {
        let mut lines = aof::commands(aof.tail());
        let words = format!("FLASHSALE.{line}");
        let words = words.split(' ').map(|word| word.as_bytes().to_vec());
        lines.push(words.collect());
        std::fs::write(&aof.last, aof::written(&lines)).expect("the AOF");
        let said = server.log().len();
        // Redis 7.0 counts no words while it loads, so the module has to; later servers stop.
        if takes_its_file(&mut server) {
            let mut con = server.conn();
            assert_eq!(con.divergence(), 1, "{line}");
            con.says("FLASHSALE.STOCK sale a", "[a 500 0 0]");
        }
        server.kill9();
        assert_no_crash(&server.log()[said..]);
    }
    aof.cut(aof.tail().len());
    server.start_again(&[]);
}

#[test]
fn a_damaged_chunk_in_a_rewritten_aof_is_counted_and_no_part_of_the_sale_is_kept() {
    let Some((mut server, _, mut con)) = played(AOF, 3_000) else {
        return;
    };
    // Nothing may follow the rewritten AOF: it would not fit a sale that is not whole.
    workload::settle(&mut con);
    con.says("FLASHSALE.CREATE other orders STOCK 5", "OK");
    aof::rewrite(&mut con);
    server.shut_down();
    let folder = server.folder().join("appendonlydir");
    let entries = std::fs::read_dir(&folder).expect("the AOF");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let base = paths
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(".base.aof"))
        .expect("the base file");
    let honest = aof::commands(&std::fs::read(&base).expect("the base file"));
    let is_chunk = |words: &Vec<Vec<u8>>| words[0] == b"FLASHSALE.LOAD" && words[1] == b"sale";
    let chunks: Vec<usize> = (0..honest.len())
        .filter(|&at| is_chunk(&honest[at]))
        .collect();
    println!("{} chunks", chunks.len());
    for round in 0..5 {
        let mut lines = honest.clone();
        let (first, last) = (chunks[0], chunks[chunks.len() - 1]);
        match round {
            0 => lines[first][2][0] ^= 1,
            1 => drop(lines[last][2].pop()),
            2 => drop(lines.remove(last)),
            3 => lines.insert(last, honest[last].clone()),
            _ => lines[last][2].push(0),
        }
        std::fs::write(&base, aof::written(&lines)).expect("the base file");
        let said = server.log().len();
        server.start_again(&[]);
        let mut con = server.conn();
        assert_no_crash(&server.log()[said..]);
        // A chunk too many comes after the sale is whole: it is that chunk that is lost.
        let is_kept = round == 3;
        con.says("EXISTS sale", if is_kept { "1" } else { "0" });
        // A chunk that never comes is nothing that could be counted; the log has it.
        assert_eq!(con.divergence() == 0, round == 2);
        con.says("FLASHSALE.STOCK other", "[default 5 0 0]");
        assert_adds_up(&mut con);
        server.kill9();
    }
}
