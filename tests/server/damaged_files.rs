//! **Goal**: a damaged RDB file is refused in good order, and a damaged AOF ends the start
//! with one line that says where; with `load-damaged yes` it is loaded, what does not fit is
//! counted, and its sales do not sell before their RESUME. Never a crash, never a sale that
//! does not add up.
//!
//! **Method**: the files of a real server are changed while it is down. The RDB file
//! gets a checksum that fits again, so that the module sees the damage; in the AOF the
//! bytes of events and chunks change, and the frame around them stays right. What the
//! server then has is dumped, and restored elsewhere: only what adds up is taken.

use crate::support::aof::{self, Aof};
use crate::support::forged_primary::{assert_no_crash, forge_rdb, rdb_of};
use crate::support::{Con, Dice, Server, render, wait_for, workload};

const AOF: &str = "--appendonly yes --aof-use-rdb-preamble no --rdbcompression no";
/// Loads what there is, too.
const LOAD_DAMAGED: &str = "--flashsale.load-damaged yes";
/// A command as an AOF holds it.
type Words = Vec<Vec<u8>>;
/// How a start ends over damage.
const LAST_WORDS: &str = "the AOF cannot be loaded, and the start ends here: ";

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
    let (mut con, mut dice) = (server.conn(), Dice::seeded());
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
        let words: [&[u8]; 5] = [b"RESTORE", b"copy", b"0", &payload, b"REPLACE"];
        assert_eq!(render(&con.run_words(&words)), "OK", "it does not add up");
    }
}

/// Starts the server; false when it does not take its RDB file.
///
/// What it says is believed before its end: then the server looks at the file once more,
/// by itself, and Redis 7.0 never comes to the end of a module's value that is cut off.
#[track_caller]
fn takes_its_file(server: &mut Server, more_server_args: &[&str]) -> bool {
    let said = server.log().len();
    server.launch_again(more_server_args);
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
        if takes_its_file(&mut server, &[]) {
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

/// Starts the server, which gives up over its AOF, and returns its last words: one line.
#[track_caller]
fn gives_up(server: &mut Server) -> String {
    let said = server.log().len();
    server.launch_again(&[]);
    let code = wait_for("the start ends", || server.has_ended());
    assert_eq!(code, Some(1));
    let log = server.log()[said..].to_owned();
    assert_no_crash(&log);
    let mut lines = log
        .lines()
        .filter(|line| line.contains("<flashsale> the AOF"));
    let line = lines
        .next()
        .unwrap_or_else(|| panic!("no last words: {log}"));
    assert_eq!(lines.next(), None, "{log}");
    assert_eq!(log.lines().last(), Some(line), "nothing follows");
    let (_, words) = line.split_once(LAST_WORDS).expect("where it ends");
    words.to_owned()
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?}: {text}");
    }
}

#[test]
fn an_event_that_cannot_be_loaded_ends_the_start_with_a_line_that_says_where() {
    let Some((mut server, _, mut con)) = played(AOF, 0) else {
        return;
    };
    let mut other = server.conn_db(3);
    other.says("FLASHSALE.CREATE 'tea\n' orders STOCK 9", "OK");
    other.says("FLASHSALE.RESERVE 'tea\n' ann 2 ID a", "RESERVED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID a",
        "RESERVED ...",
    );
    server.shut_down();
    let aof = Aof::of(&server);
    let honest = aof::commands(aof.tail());
    let apply = |key: &str, event: &[u8]| -> Vec<Vec<u8>> {
        [b"FLASHSALE.APPLY", key.as_bytes(), event]
            .map(<[u8]>::to_vec)
            .into()
    };
    let of_sale = |words: &&Vec<Vec<u8>>| words[1] == b"sale" && words[0] == b"FLASHSALE.APPLY";
    let reserved = honest
        .iter()
        .rfind(of_sale)
        .expect("the reservation")
        .clone();
    let word = |word: &str| vec![word.as_bytes().to_vec()];
    let select = |number: &str| vec![b"SELECT".to_vec(), number.as_bytes().to_vec()];
    let newer = "the data is of a newer version: an event.";
    // What follows the honest lines, and what the last words say of it.
    let cases: [(Vec<Words>, &[&str]); 7] = [
        (
            vec![apply("sale", &[99, 1, 0])],
            &["FLASHSALE.APPLY of the key 'sale' in database 0", newer],
        ),
        (
            vec![apply("sale", &[2, 100, 0])],
            &["newer version: a kind of event"],
        ),
        (
            vec![apply("sale", &[0])],
            &["the data is damaged: the version of an event"],
        ),
        (vec![reserved.clone()], &["the id is known"]),
        (
            vec![select("7"), reserved],
            &["in database 7", "no such sale: 'sale'"],
        ),
        // Within a transaction, in another database, under a key that is no text.
        (
            vec![
                word("MULTI"),
                select("3"),
                apply("tea\\n", &[2]),
                word("EXEC"),
            ],
            &["'tea\\\\n' in database 3", "the data ends too early"],
        ),
        (
            vec![
                [b"FLASHSALE.BFAPPLY", &b"f"[..], &[1, 2]]
                    .map(<[u8]>::to_vec)
                    .into(),
            ],
            &["FLASHSALE.BFAPPLY of the key 'f' in database 0"],
        ),
    ];
    let ways_out = [
        "after 4 events and chunks",
        "older copy of the AOF",
        "redis-check-aof",
        "flashsale.load-damaged yes",
    ];
    for (more, parts) in cases {
        let lines = [honest.clone(), vec![select("0")], more].concat();
        std::fs::write(&aof.last, aof::written(&lines)).expect("the AOF");
        let told = gives_up(&mut server);
        assert_contains(&told, parts);
        assert_contains(&told, &ways_out);
        assert_eq!(
            std::fs::read(&aof.last).expect("the AOF"),
            aof::written(&lines),
            "nothing is written on the way"
        );
    }
    // Half a transaction, and half a line, are the server's own to cut off.
    for more in [
        vec![select("0"), word("MULTI"), apply("sale", b"x")],
        vec![select("0")],
    ] {
        let lines = [honest.clone(), more].concat();
        let mut bytes = aof::written(&lines);
        bytes.extend_from_slice(b"*3\r\n$15\r\nFLASHSALE.APPL");
        std::fs::write(&aof.last, bytes).expect("the AOF");
        server.start_again(&[]);
        let mut con = server.conn();
        con.fields("FLASHSALE.GET sale a", "state reserved");
        assert_eq!(con.divergence(), 0);
        con.fields("FLASHSALE.INFO sale", "state open");
        server.kill9();
    }
    aof.cut(aof.tail().len());
    server.start_again(&[]);
}

#[test]
fn an_aof_that_is_loaded_again_at_run_time_ends_the_server_over_damage_as_well() {
    let Some((mut server, _, mut con)) = played(AOF, 100) else {
        return;
    };
    con.says("DEBUG LOADAOF", "OK");
    con.fields("FLASHSALE.INFO sale", "state open");
    let path = Aof::of(&server).last;
    let damaged = aof::written(&[[b"FLASHSALE.APPLY", &b"sale"[..], b"x"]
        .map(<[u8]>::to_vec)
        .into()]);
    let mut bytes = std::fs::read(&path).expect("the AOF");
    bytes.extend_from_slice(&damaged);
    std::fs::write(&path, &bytes).expect("the AOF");
    con.send("DEBUG LOADAOF");
    let code = wait_for("the server ends", || server.has_ended());
    assert_eq!(code, Some(1));
    assert_contains(&server.log(), &[LAST_WORDS, "'sale' in database 0"]);
    server.start_again(&[LOAD_DAMAGED]);
    let mut con = server.conn();
    for _ in 0..2 {
        con.fields("FLASHSALE.INFO sale", "state diverged");
        con.says("DEBUG LOADAOF", "OK");
    }
    // Rewritten, it has the mark and no damage any more.
    aof::rewrite(&mut con);
    server.shut_down();
    server.start_again(&[]);
    let mut con = server.conn();
    con.fields("FLASHSALE.INFO sale", "state diverged");
    assert_eq!(con.divergence(), 0);
}

#[test]
fn damaged_events_are_counted_where_they_are_to_be_loaded_and_leave_a_sale_that_adds_up() {
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
        assert_contains(
            &gives_up(&mut server),
            &["FLASHSALE.APPLY of the key 'sale'"],
        );
        let said = server.log().len();
        server.start_again(&[LOAD_DAMAGED]);
        let mut con = server.conn();
        let counted = con.divergence();
        println!("round {round}: {counted} of {} did not fit", lines.len());
        assert!(counted > 0);
        assert_no_crash(&server.log()[said..]);
        assert!(server.log()[said..].contains("does not fit 'sale'"));
        con.fields("FLASHSALE.INFO sale", "state diverged");
        // The damage may have made a CLOSE of a PAUSE.
        let reply = con.show("FLASHSALE.RESERVE sale dan ITEMS 1 a 1 ID dan");
        let is_refused = reply.starts_with("PAUSED ") || reply.starts_with("ENDED ");
        assert!(is_refused, "{reply}");
        con.says("FLASHSALE.RESUME sale", "OK");
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
        assert!(!takes_its_file(&mut server, &[]), "{line}");
        // Redis 7.0 counts no words while it loads, so the module has to; later servers stop.
        if takes_its_file(&mut server, &[LOAD_DAMAGED]) {
            let mut con = server.conn();
            assert_eq!(con.divergence(), 1, "{line}");
            con.says("FLASHSALE.STOCK sale a", "[a 500 0 0 0]");
        }
        server.kill9();
        assert_no_crash(&server.log()[said..]);
    }
    aof.cut(aof.tail().len());
    server.start_again(&[]);
}

/// The base file of an ended server's AOF.
fn base_of(server: &Server) -> std::path::PathBuf {
    let folder = server.folder().join("appendonlydir");
    let entries = std::fs::read_dir(&folder).expect("the AOF");
    let mut paths = entries.map(|entry| entry.expect("a file").path());
    let is_base = |path: &std::path::PathBuf| path.to_string_lossy().ends_with(".base.aof");
    paths.find(is_base).expect("the base file")
}

#[test]
fn a_damaged_chunk_in_a_rewritten_aof_ends_the_start_and_no_part_of_the_sale_is_ever_kept() {
    let Some((mut server, _, mut con)) = played(AOF, 0) else {
        return;
    };
    con.says("DEL sale", "1");
    // Of several chunks.
    let items: Vec<String> = (0..9_000).map(|n| format!("sku-number-{n} 5")).collect();
    let line = format!(
        "FLASHSALE.CREATE sale orders ITEMS 9000 {}",
        items.join(" ")
    );
    con.says(&line, "OK");
    con.says("FLASHSALE.CREATE other orders STOCK 5", "OK");
    con.says("FLASHSALE.BFADD filter a", "1");
    aof::rewrite(&mut con);
    server.shut_down();
    let base = base_of(&server);
    let honest = aof::commands(&std::fs::read(&base).expect("the base file"));
    let chunks = |command: &[u8], key: &[u8]| -> Vec<usize> {
        let is_chunk = |words: &Vec<Vec<u8>>| words[0] == command && words[1] == key;
        let all = 0..honest.len();
        all.filter(|&at| is_chunk(&honest[at])).collect()
    };
    let of_sale = chunks(b"FLASHSALE.LOAD", b"sale");
    let of_filter = chunks(b"FLASHSALE.BFLOAD", b"filter");
    assert!(of_sale.len() > 2 && of_filter.len() > 1);
    let (first, last) = (of_sale[0], of_sale[of_sale.len() - 1]);
    let (header, bits) = (of_filter[0], of_filter[1]);
    let (sale, filter) = (
        "FLASHSALE.LOAD of the key 'sale' in database 0",
        "FLASHSALE.BFLOAD of the key 'filter' in database 0",
    );
    let partly = "not all of it is in the AOF";
    for (round, parts) in [
        [sale, "chunk: the data is damaged"],
        [sale, "chunk: the data ends too early"],
        ["the sale of the key 'sale'", partly],
        [sale, "the sale is whole already"],
        [sale, "the data is damaged"],
        [sale, "of a newer version: a snapshot"],
        [filter, "the data is damaged"],
        ["the filter of the key 'filter'", partly],
    ]
    .into_iter()
    .enumerate()
    {
        let mut lines = honest.clone();
        match round {
            0 => lines[first][2][0] ^= 4,
            1 => drop(lines[last][2].pop()),
            2 => drop(lines.remove(last)),
            3 => lines.insert(last, honest[last].clone()),
            4 => lines[last][2].push(0),
            5 => lines[first][2][1] = 99,
            6 => lines[header][2][0] ^= 1,
            _ => drop(lines.remove(bits)),
        }
        std::fs::write(&base, aof::written(&lines)).expect("the base file");
        assert_contains(&gives_up(&mut server), &parts);
        let said = server.log().len();
        server.start_again(&[LOAD_DAMAGED]);
        let mut con = server.conn();
        assert_no_crash(&server.log()[said..]);
        // A chunk too many comes after the sale is whole: it is that chunk that is lost.
        let has_sale = round == 3 || round > 5;
        con.says("EXISTS sale", if has_sale { "1" } else { "0" });
        con.says("EXISTS filter", if round > 5 { "0" } else { "1" });
        assert!(con.divergence() > 0);
        if round != 3 {
            let what = if round > 5 { "filter" } else { "sale" };
            let line = format!("the {what} '{what}' in database 0 is left out: {partly}");
            assert_contains(&server.log()[said..], &[&line]);
        } else {
            con.fields("FLASHSALE.INFO sale", "state diverged");
        }
        con.fields("FLASHSALE.INFO other", "state open");
        con.says("FLASHSALE.STOCK other", "[default 5 0 0 0]");
        assert_adds_up(&mut con);
        server.kill9();
    }
}
