//! **Goal**: whatever way a filter is written down, copied or followed - RDB, AOF of
//! either kind, DUMP and RESTORE, COPY, MIGRATE's dump, SCANDUMP, a replica - it is the
//! same filter; and a damaged one is an error.
//!
//! **Method**: filters made by a seeded mix of commands on one server; their digests and
//! answers before and after. The replication stream is read as a replica receives it.

mod foreign;
mod stream;

use redis::Value;

use crate::support::{
    Con, Dice, Server, damage, forge, render, replicate, wait_for, wait_for_replica, wait_until,
};

const AOF: &str = "--appendonly yes --appendfsync always";
const AOF_PLAIN: &str = "--appendonly yes --appendfsync always --aof-use-rdb-preamble no";
/// The type byte and the module's id come first; they choose who loads the value.
const HEADER_BYTES: usize = 10;

/// Filters of every kind: `f`, `g` scaling, `n` not, `r` of a low rate, `d` by the
/// defaults, `e` empty, and `large`, of several chunks.
const KEYS: &str = "f g n r d e large";

/// Makes the filters of [`KEYS`].
fn create(con: &mut Con) {
    con.says("FLASHSALE.BFRESERVE f 0.01 20", "OK");
    con.says("FLASHSALE.BFRESERVE g 0.001 10 EXPANSION 1", "OK");
    con.says("FLASHSALE.BFRESERVE n 0.01 500 NONSCALING", "OK");
    con.says("FLASHSALE.BFRESERVE r 0.0000001 20", "OK");
    con.says("FLASHSALE.BFADD d x", "1");
    con.says("FLASHSALE.BFRESERVE e 0.2 3 EXPANSION 5", "OK");
    con.says("FLASHSALE.BFRESERVE large 0.001 150000", "OK");
}

/// Sends random commands on the filters; errors among them are welcome.
fn play(con: &mut Con, dice: &mut Dice, count: u32) {
    for step in 0..count {
        let key = ["f", "g", "n", "r", "d", "large"][dice.below(6) as usize];
        let items = |dice: &mut Dice| {
            let items = (0..1 + dice.below(12)).map(|_| format!("i{}", dice.below(2_000)));
            items.collect::<Vec<_>>().join(" ")
        };
        let line = match dice.below(30) {
            0..=9 => format!("ADD {key} i{}", dice.below(2_000)),
            10..=19 => format!("MADD {key} {}", items(dice)),
            20..=25 => format!("INSERT {key} CAPACITY 30 ITEMS {}", items(dice)),
            26 => format!(
                "INSERT new{} CAPACITY 3 EXPANSION 1 ITEMS {}",
                step % 3,
                items(dice)
            ),
            27 => format!("MERGE u{} {key} {key}", dice.below(4)),
            28 => format!("EXISTS {key} i{}", dice.below(2_000)),
            _ if dice.below(6) == 0 => format!("CLEAR {key}"),
            _ => format!("CARD {key}"),
        };
        con.run(&format!("FLASHSALE.BF{line}"));
    }
}

fn all_keys(con: &mut Con) -> String {
    let mut keys: Vec<String> = render(&con.run("KEYS *"))
        .split(' ')
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys.join(" ")
}

/// What must be the same on both sides: digests, and what every filter tells.
fn traits(con: &mut Con) -> Vec<String> {
    let keys = all_keys(con);
    let mut traits = vec![keys.clone(), con.digest(&keys)];
    for key in keys.split(' ') {
        traits.push(con.show(&format!("FLASHSALE.BFINFO {key}")));
        let items: Vec<String> = (0..2_000).map(|item| format!("i{item}")).collect();
        traits.push(con.show(&format!("FLASHSALE.BFMEXISTS {key} {}", items.join(" "))));
    }
    traits
}

#[track_caller]
fn assert_same(before: &[String], con: &mut Con) {
    let after = traits(con);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old, new);
    }
    assert_eq!(before.len(), after.len());
    con.has_not_diverged();
}

fn gauges(con: &mut Con) -> (String, String) {
    (
        con.info("flashsale", "flashsale_blooms"),
        con.info("flashsale", "flashsale_bloom_bytes"),
    )
}

fn dump(con: &mut Con, key: &str) -> Vec<u8> {
    match con.run(&format!("DUMP {key}")) {
        Value::BulkString(payload) => payload,
        other => panic!("DUMP: {}", render(&other)),
    }
}

#[track_caller]
fn rewrite(con: &mut Con) {
    con.run("BGREWRITEAOF");
    wait_until("the AOF is rewritten", || {
        con.info("persistence", "aof_rewrite_in_progress") == "0"
            && con.info("persistence", "aof_rewrite_scheduled") == "0"
    });
    assert_eq!(con.info("persistence", "aof_last_bgrewrite_status"), "ok");
}

#[test]
fn the_rdb_file_holds_every_filter() {
    let Some(mut server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    create(&mut con);
    play(&mut con, &mut dice, 800);
    let (before, counted) = (traits(&mut con), gauges(&mut con));
    con.says("DEBUG RELOAD", "OK");
    assert_same(&before, &mut con);
    assert_eq!(gauges(&mut con), counted);
    con.says("SAVE", "OK");
    server.restart();
    let mut con = server.conn();
    assert_same(&before, &mut con);
    play(&mut con, &mut dice, 200);
}

#[test]
fn the_aof_holds_every_filter_before_and_after_a_rewrite_of_either_kind() {
    for arguments in [AOF, AOF_PLAIN] {
        let Some(mut server) = Server::own(&[arguments], &[]) else {
            return;
        };
        let mut con = server.conn();
        let mut dice = Dice::seeded();
        create(&mut con);
        play(&mut con, &mut dice, 500);
        let before = traits(&mut con);
        con.says("DEBUG LOADAOF", "OK");
        assert_same(&before, &mut con);
        rewrite(&mut con);
        con.says("DEBUG LOADAOF", "OK");
        assert_same(&before, &mut con);
        play(&mut con, &mut dice, 200);
        let before = traits(&mut con);
        server.kill9();
        server.start_again(&[]);
        assert_same(&before, &mut server.conn());
    }
}

#[test]
fn a_filter_that_the_aof_holds_in_part_ends_the_start_or_is_left_out() {
    let Some(mut server) = Server::own(&[AOF_PLAIN, "--aof-load-truncated yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.BFRESERVE f 0.001 150000", "OK");
    con.says("FLASHSALE.BFMADD f a b c", "1 1 1");
    rewrite(&mut con);
    server.kill9();
    let folder = server.folder().join("appendonlydir");
    let base = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.to_string_lossy().ends_with(".base.aof"))
        .expect("a base file");
    let bytes = std::fs::read(&base).expect("the file");
    let commands: Vec<usize> = (0..bytes.len())
        .filter(|&at| bytes[at..].starts_with(b"*3\r\n$16\r\nFLASHSALE.BFLOAD\r\n"))
        .collect();
    assert!(commands.len() > 3, "{} chunks", commands.len());
    // The base file must be whole as far as the server can tell: cut between commands.
    std::fs::write(&base, &bytes[..commands[3]]).expect("written");
    server.launch_again(&[]);
    let code = wait_for("the start ends", || server.has_ended());
    assert_eq!(code, Some(1));
    let line = "ends here: the filter of the key 'f' in database 0";
    assert!(server.log().contains(line), "{}", server.log());
    server.start_again(&["--flashsale.load-damaged yes"]);
    let mut con = server.conn();
    con.says("EXISTS f", "0");
    let line = "the filter 'f' in database 0 is left out: not all of it is in the AOF";
    assert!(server.log().contains(line), "{}", server.log());
    con.says("FLASHSALE.BFADD f a", "1");
    assert_eq!(con.divergence(), 1);
    server.may_diverge();
}

#[test]
fn a_dump_restores_under_another_name_and_on_another_server() {
    let (Some(server), Some(other)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut far) = (server.conn(), other.conn());
    create(&mut con);
    play(&mut con, &mut Dice::seeded(), 500);
    for key in KEYS.split(' ') {
        let payload = dump(&mut con, key);
        for con in [&mut con, &mut far] {
            let reply = con.run_words(&[b"RESTORE", b"copy", b"0", &payload, b"REPLACE"]);
            assert_eq!(render(&reply), "OK");
        }
        let digest = con.digest(key);
        assert_eq!(con.digest("copy"), digest);
        assert_eq!(far.digest("copy"), digest);
    }
}

#[test]
fn copies_and_renamed_filters_are_the_same_and_live_on_their_own() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con);
    play(&mut con, &mut Dice::seeded(), 300);
    for key in KEYS.split(' ') {
        let digest = con.digest(key);
        let mut con = server.conn();
        con.says(&format!("COPY {key} copy REPLACE"), "1");
        assert_eq!(con.digest("copy"), digest);
        con.says("RENAME copy renamed", "OK");
        assert_eq!(con.digest("renamed"), digest);
        con.says("COPY renamed elsewhere DB 1 REPLACE", "1");
        // Valkey 8.1 leaves a connection that did this in the other database.
        let mut con = server.conn();
        con.says("MOVE renamed 1", "1");
        let mut there = server.conn_db(1);
        assert_eq!(there.digest("renamed"), digest);
        assert_eq!(there.digest("elsewhere"), digest);
        there.run("FLASHSALE.BFINSERT renamed ITEMS new1 new2 new3 new4 new5 new6");
        assert_eq!(there.digest("elsewhere"), digest);
        assert_ne!(there.digest("renamed"), digest);
        there.says("DEL renamed", "1");
    }
}

#[test]
fn a_replica_is_the_same_after_a_full_and_a_partial_resync_and_makes_what_its_primary_made() {
    let Some(primary) = Server::own(&[], &["bf-aliases yes"]) else {
        return;
    };
    // It would make other filters, and has no aliases.
    let settings = "bf-error-rate 0.2 bf-initial-size 7 bf-expansion 9";
    let Some(replica) = Server::own(&[AOF_PLAIN], &[settings]) else {
        return;
    };
    let (mut con, mut behind) = (primary.conn(), replica.conn());
    let mut dice = Dice::seeded();
    create(&mut con);
    play(&mut con, &mut dice, 300);
    replicate(&primary, &replica);
    assert_same(&traits(&mut con), &mut behind);
    play(&mut con, &mut dice, 500);
    con.says("BF.MADD alias a b c", "1 1 1");
    con.says("BF.MERGE alias2 alias", "OK");
    let settings_of = ["0.02 40 2", "0.1 5 1", "0.003 11 0"];
    for (number, settings) in settings_of.iter().enumerate() {
        let mut words = settings.split(' ');
        let mut next = || words.next().expect("a setting");
        con.says(
            &format!(
                "CONFIG SET flashsale.bf-error-rate {} flashsale.bf-initial-size {} \
                 flashsale.bf-expansion {}",
                next(),
                next(),
                next()
            ),
            "OK",
        );
        con.run(&format!(
            "FLASHSALE.BFMADD by{number} 1 2 3 4 5 6 7 8 9 10 11 12 13 14"
        ));
    }
    wait_for_replica(&primary, &replica);
    assert_same(&traits(&mut con), &mut behind);
    // The link is lost, and taken up where it was.
    con.says("CLIENT KILL TYPE replica", "1");
    play(&mut con, &mut dice, 300);
    wait_for_replica(&primary, &replica);
    assert_same(&traits(&mut con), &mut behind);
    assert_eq!(con.info("stats", "sync_partial_ok"), "1");
    // Its own AOF holds the same.
    let before = traits(&mut con);
    behind.says("REPLICAOF NO ONE", "OK");
    behind.says("DEBUG LOADAOF", "OK");
    assert_same(&before, &mut behind);
    play(&mut behind, &mut dice, 100);
}

/// Every piece of a filter, with its iterator.
fn pieces(con: &mut Con, key: &str) -> Vec<(i64, Vec<u8>)> {
    let mut pieces = Vec::new();
    let mut iterator = 0;
    loop {
        let reply = con.run(&format!("FLASHSALE.BFSCANDUMP {key} {iterator}"));
        let Value::Array(parts) = reply else {
            panic!("SCANDUMP: {}", render(&reply))
        };
        let [Value::Int(next), Value::BulkString(piece)] = &parts[..] else {
            panic!("SCANDUMP: {parts:?}")
        };
        if *next == 0 {
            assert!(piece.is_empty());
            return pieces;
        }
        pieces.push((*next, piece.clone()));
        iterator = *next;
    }
}

fn load(con: &mut Con, key: &str, (iterator, piece): &(i64, Vec<u8>)) -> String {
    let iterator = iterator.to_string();
    let words = [
        b"FLASHSALE.BFLOADCHUNK",
        key.as_bytes(),
        iterator.as_bytes(),
        piece,
    ];
    render(&con.run_words(&words))
}

#[test]
fn a_dump_in_pieces_is_loaded_elsewhere_and_each_piece_may_come_twice() {
    let (Some(server), Some(other)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let Some(replica) = Server::own(&[], &[]) else {
        return;
    };
    let (mut con, mut far) = (server.conn(), other.conn());
    replicate(&other, &replica);
    create(&mut con);
    play(&mut con, &mut Dice::seeded(), 500);
    let changes = |con: &mut Con| con.info("persistence", "rdb_changes_since_last_save");
    for key in KEYS.split(' ') {
        let pieces = pieces(&mut con, key);
        assert!(pieces.len() > 1);
        for piece in &pieces {
            assert_eq!(load(&mut far, key, piece), "OK", "{key}");
            let before = changes(&mut far);
            let again = load(&mut far, key, piece);
            let is_last = far.show(&format!("FLASHSALE.BFCARD {key}")).parse::<u64>();
            assert!(again == "OK" || is_last.is_ok(), "{key}: {again}");
            assert_eq!(before, changes(&mut far), "loaded twice, and nothing new");
        }
        assert_eq!(far.digest(key), con.digest(key), "{key}");
        let header = load(&mut far, key, &pieces[0]);
        let whole = "received bad data: the filter is whole, and has other bits";
        assert!(header.contains(whole), "{header}");
    }
    wait_for_replica(&other, &replica);
    assert_same(&traits(&mut far), &mut replica.conn());
}

#[test]
fn a_filter_takes_the_pieces_of_the_dump_that_was_begun_and_answers_when_it_is_whole() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.BFRESERVE f 0.01 60000 NONSCALING", "OK");
    con.says("FLASHSALE.BFRESERVE g 0.011 61000 NONSCALING", "OK");
    con.says("FLASHSALE.BFMADD f a b", "1 1");
    con.says("FLASHSALE.BFMADD g c d", "1 1");
    let (own, other) = (pieces(&mut con, "f"), pieces(&mut con, "g"));
    assert_eq!(load(&mut con, "copy", &own[0]), "OK");
    for command in [
        "ADD copy x",
        "EXISTS copy a",
        "CARD copy",
        "CLEAR copy",
        "MERGE copy f",
    ] {
        let partly = "key: the filter is only partly loaded";
        con.fails(&format!("FLASHSALE.BF{command}"), "ERR", partly);
    }
    con.says("TYPE copy", "+fls-bloom");
    let error = load(&mut con, "copy", &other[1]);
    assert!(error.contains("a piece of another dump"), "{error}");
    // Bits alone: what RedisBloom tells after its header.
    let bits = vec![0xff; own[1].1.len() - 21];
    let error = load(&mut con, "copy", &(own[1].0, bits.clone()));
    assert_eq!(error, "(error) \"ERR received bad data\"");
    assert_eq!(load(&mut con, "copy", &own[1]), "OK");
    con.says("FLASHSALE.BFMEXISTS copy a b c", "1 1 0");
    assert_eq!(con.digest("copy"), con.digest("f"));
    // Nor does a filter that is there take them.
    let digest = con.digest("g");
    for piece in [&own[1], &(other[1].0, bits)] {
        assert!(load(&mut con, "g", piece).contains("received bad data"));
    }
    assert_eq!(con.digest("g"), digest);
}

#[test]
fn a_filter_that_is_being_loaded_is_saved_and_followed_as_far_as_it_has_come() {
    for arguments in [AOF, AOF_PLAIN] {
        let (Some(mut server), Some(replica)) =
            (Server::own(&[arguments], &[]), Server::own(&[], &[]))
        else {
            return;
        };
        let mut con = server.conn();
        con.says("FLASHSALE.BFRESERVE f 0.01 10 EXPANSION 50", "OK");
        let items: Vec<String> = (0..400).map(|item| format!("i{item}")).collect();
        con.run(&format!("FLASHSALE.BFMADD f {}", items.join(" ")));
        let pieces = pieces(&mut con, "f");
        assert_eq!(pieces.len(), 3);
        for piece in &pieces[..2] {
            assert_eq!(load(&mut con, "copy", piece), "OK");
        }
        let digest = con.digest("copy");
        con.says("DEBUG LOADAOF", "OK");
        assert_eq!(con.digest("copy"), digest);
        rewrite(&mut con);
        con.says("DEBUG LOADAOF", "OK");
        con.says("DEBUG RELOAD", "OK");
        assert_eq!(con.digest("copy"), digest);
        let payload = dump(&mut con, "copy");
        let reply = con.run_words(&[b"RESTORE", b"second", b"0", &payload]);
        assert_eq!(render(&reply), "OK");
        // A replica that joins now has what has come, and is sent the rest.
        replicate(&server, &replica);
        wait_for_replica(&server, &replica);
        assert_eq!(replica.conn().digest("copy"), digest);
        for key in ["copy", "second"] {
            assert_eq!(load(&mut con, key, &pieces[2]), "OK");
            assert_eq!(con.digest(key), con.digest("f"));
        }
        wait_for_replica(&server, &replica);
        assert_eq!(replica.conn().digest("copy"), con.digest("f"));
        replica.conn().has_not_diverged();
        let before = traits(&mut con);
        server.kill9();
        server.start_again(&[]);
        assert_same(&before, &mut server.conn());
    }
}

#[test]
fn a_large_filter_is_dumped_in_pieces_of_16_mib_and_freed_on_another_thread() {
    let server = Server::any();
    let mut con = server.conn();
    // About 30 MiB.
    con.says("FLASHSALE.BFRESERVE f 0.01 20000000", "OK");
    con.says("FLASHSALE.BFMADD f a b c", "1 1 1");
    let size: u64 = con.show("FLASHSALE.BFINFO f SIZE").parse().expect("a size");
    assert!(size > 24 << 20);
    let used: u64 = con.text("MEMORY USAGE f").parse().expect("bytes");
    assert!(used >= size && used - size < 200, "{used} of {size}");
    let bytes: u64 = gauges(&mut con).1.parse().expect("bytes");
    assert_eq!(bytes, size);
    let total: u64 = con.info("memory", "used_memory").parse().expect("bytes");
    assert!(total > size);
    let sizes: Vec<usize> = pieces(&mut con, "f")
        .iter()
        .map(|(_, piece)| piece.len())
        .collect();
    assert_eq!(sizes.len(), 3);
    assert!(sizes[1] <= 16 << 20 && sizes[1] > 15 << 20);
    let freed = |con: &mut Con| con.info("memory", "lazyfreed_objects");
    let before = freed(&mut con);
    con.says("UNLINK f", "1");
    wait_until("it is freed on another thread", || {
        freed(&mut con) != before
    });
    wait_until("it is not counted any more", || {
        gauges(&mut con) == ("0".to_owned(), "0".to_owned())
    });
}

/// Restores; a filter that was taken must work, and is removed again.
fn try_restore(con: &mut Con, payload: &[u8], what: &str) -> bool {
    let reply = render(&con.run_words(&[b"RESTORE", b"copy", b"0", payload]));
    if reply.contains("(error)") {
        con.says("EXISTS copy", "0");
        return false;
    }
    if con.show("TYPE copy") == "+fls-bloom" {
        let capacity = con.show("FLASHSALE.BFINFO copy CAPACITY");
        assert!(!capacity.contains("error"), "{what}: {capacity}");
        let small = capacity.parse::<u64>().is_ok_and(|items| items < 10_000);
        if small {
            con.run("FLASHSALE.BFINSERT copy ITEMS 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
        }
        con.run("FLASHSALE.BFSCANDUMP copy 1");
        con.run("FLASHSALE.BFMERGE copy f");
        con.says("FLASHSALE.BFCLEAR copy", "OK");
    }
    con.says("DEL copy", "1");
    true
}

#[test]
fn a_damaged_payload_is_an_error_or_still_a_filter() {
    let server = Server::any();
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    con.says("CONFIG SET rdbcompression no", "OK");
    con.says("FLASHSALE.BFRESERVE f 0.1 5 EXPANSION 1", "OK");
    con.says("FLASHSALE.BFMADD f a b c d e f g h", "1 1 1 1 1 1 1 1");
    let payload = dump(&mut con, "f");
    assert!(try_restore(&mut con, &payload, "as it is"));
    let length = payload.len() - 10;
    for position in HEADER_BYTES..length {
        for bit in [0, 3, 7] {
            let damaged = forge(&payload, |bytes| bytes[position] ^= 1 << bit);
            try_restore(&mut con, &damaged, &format!("bit {bit} of byte {position}"));
        }
        if position == length - 2 {
            // The server reads on into its own version: a last byte, and an end.
            continue;
        }
        let cut = forge(&payload, |bytes| bytes.truncate(position));
        assert!(
            !try_restore(&mut con, &cut, "cut"),
            "cut at {position} of {length}"
        );
    }
    for round in 0..600 {
        let damaged = forge(&payload, |bytes| damage(bytes, HEADER_BYTES, &mut dice, 5));
        try_restore(&mut con, &damaged, &format!("round {round}"));
    }
    con.says("FLASHSALE.BFMEXISTS f a b c d e f g h", "1 1 1 1 1 1 1 1");
    let (blooms, _) = gauges(&mut con);
    assert_eq!(blooms, "1");
}

#[test]
fn what_a_newer_module_wrote_is_told_from_damage() {
    let Some(mut server) = Server::own(&[AOF], &[]) else {
        return;
    };
    server.may_diverge();
    let mut con = server.conn();
    con.says("CONFIG SET rdbcompression no", "OK");
    con.says("FLASHSALE.BFRESERVE f 0.01 100 NONSCALING", "OK");
    let payload = dump(&mut con, "f");
    let at = payload
        .windows(4)
        .position(|bytes| bytes == b"flsb")
        .expect("a header");
    let newer = forge(&payload, |bytes| bytes[at + 4] = 9);
    let reply = render(&con.run_words(&[b"RESTORE", b"copy", b"0", &newer]));
    assert!(reply.contains("(error)"), "{reply}");
    let damaged = forge(&payload, |bytes| bytes[at] = 0);
    con.run_words(&[b"RESTORE", b"copy", b"0", &damaged]);
    for line in [
        "the data is of a newer version: a filter",
        "the data is damaged: not a filter of this module",
    ] {
        assert!(server.log().contains(line), "{line}: {}", server.log());
    }
    // An event of a newer primary.
    server.kill9();
    let last = crate::support::aof::Aof::of(&server).last;
    let event = vec![
        b"FLASHSALE.BFAPPLY".to_vec(),
        b"f".to_vec(),
        vec![3, 2, 1, 2, 3, 4, 5, 6, 7, 8],
    ];
    let mut bytes = std::fs::read(&last).expect("the AOF");
    bytes.extend(crate::support::aof::written(&[event]));
    std::fs::write(&last, bytes).expect("written");
    server.launch_again(&[]);
    let code = wait_for("the start ends", || server.has_ended());
    assert_eq!(code, Some(1));
    let log = server.log();
    for told in [
        "ends here: FLASHSALE.BFAPPLY of the key 'f' in database 0",
        "the data is of a newer version: an event of a filter",
    ] {
        assert!(log.contains(told), "{log}");
    }
}

#[test]
fn a_forged_length_takes_no_memory() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CONFIG SET rdbcompression no", "OK");
    con.says("FLASHSALE.BFRESERVE f 0.01 100 NONSCALING", "OK");
    let payload = dump(&mut con, "f");
    // 256 GiB of blocks in the place of two.
    let at = payload
        .windows(8)
        .position(|bytes| bytes == 2_u64.to_le_bytes())
        .expect("the number of blocks");
    let forged = forge(&payload, |bytes| {
        bytes[at..at + 8].copy_from_slice(&(1_u64 << 32).to_le_bytes());
    });
    let peak = |con: &mut Con| -> u64 {
        con.info("memory", "used_memory_peak")
            .parse()
            .expect("bytes")
    };
    let before = peak(&mut con);
    let reply = render(&con.run_words(&[b"RESTORE", b"copy", b"0", &forged]));
    assert!(reply.contains("(error)"), "{reply}");
    assert!(peak(&mut con) < before + (8 << 20));
}
