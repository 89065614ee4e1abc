//! **Goal**: a filter is what the configuration said when it was made, one that there is no
//! memory for is an error, and no client is kept waiting while a large one is freed.
//!
//! **Method**: servers with settings from each place there is, and headers and sizes that
//! promise more than a process or `maxmemory` holds; also on a replica that minds its own.

use redis::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::support::{Con, Server, render, replicate, wait_for_replica, wait_until};

const NO_MEMORY: &str = "Insufficient memory to create filter";

/// What SCANDUMP would tell first of an empty filter of so many links and blocks each: a
/// header, sealed as `engine/src/bloom/dump.rs` has it.
fn header(links: u32, blocks: u64) -> Vec<u8> {
    let mut settings = 0.01_f64.to_le_bytes().to_vec();
    settings.extend_from_slice(&1_u32.to_le_bytes());
    let size = [blocks, 1 << 20].map(u64::to_le_bytes).concat();
    let mut header = [b"flsb\x01", &settings[..], &links.to_le_bytes()].concat();
    let mut dump = settings;
    for _ in 0..links {
        header.extend([&[6], &size[..], &[0; 8]].concat());
        dump.extend([&[6, 1], &size[..]].concat());
    }
    let (dump, seal) = (xxh3_64(&dump), xxh3_64_with_seed(&header, 1));
    [
        b"flsp\x01",
        &dump.to_le_bytes()[..],
        &seal.to_le_bytes(),
        &header,
    ]
    .concat()
}

/// Fills a filter that has one link, to the last item it holds.
fn fill(con: &mut Con, key: &str, capacity: u64) {
    let mut next = 0;
    loop {
        let items: u64 = con
            .show(&format!("FLASHSALE.BFCARD {key}"))
            .parse()
            .expect("a count");
        if items == capacity {
            return;
        }
        let names: Vec<String> = (next..next + capacity - items)
            .map(|item| item.to_string())
            .collect();
        next += capacity - items;
        con.run(&format!("FLASHSALE.BFMADD {key} {}", names.join(" ")));
    }
}

#[test]
fn the_configuration_says_what_filters_are_made() {
    let Some(server) = Server::own(
        &[],
        &["bf-error-rate 0.001 bf-initial-size 50 bf-expansion 0"],
    ) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.BFADD made x", "1");
    con.says("FLASHSALE.BFRESERVE like 0.001 50 NONSCALING", "OK");
    con.says("FLASHSALE.BFADD like x", "1");
    assert_eq!(con.digest("made"), con.digest("like"));
    con.says("FLASHSALE.BFRESERVE own 0.01 10 EXPANSION 3", "OK");
    con.says("FLASHSALE.BFINFO own EXPANSION", "3");
    con.says("CONFIG SET flashsale.bf-error-rate 0.5", "OK");
    con.says(
        "CONFIG GET flashsale.bf-error-rate",
        "flashsale.bf-error-rate 0.25",
    );
    con.says(
        "CONFIG SET flashsale.bf-initial-size 7 flashsale.bf-expansion 4",
        "OK",
    );
    con.says("FLASHSALE.BFMADD later x y", "1 1");
    con.says("FLASHSALE.BFINFO later CAPACITY", "7");
    con.says("FLASHSALE.BFINFO later EXPANSION", "4");
    for (line, part) in [
        ("bf-error-rate 0", "'0' is not from 0.000000001 to 1"),
        ("bf-error-rate 1", "'1' is not from 0.000000001 to 1"),
        ("bf-error-rate x", "'x' is not a number"),
        (
            "bf-error-rate 1e-10",
            "'1e-10' is not from 0.000000001 to 1",
        ),
        ("bf-initial-size 0", "between 1 and 1073741824"),
        ("bf-initial-size 1073741825", "between 1 and 1073741824"),
        ("bf-expansion 32769", "between 0 and 32768"),
        ("bf-expansion -1", "between 0 and 32768"),
        ("bf-aliases yes", "immutable"),
    ] {
        con.fails(&format!("CONFIG SET flashsale.{line}"), "ERR", part);
    }
    for (arguments, part) in [
        (
            "bf-error-rate 1.5",
            "bf-error-rate: '1.5' is not from 0.000000001 to 1",
        ),
        ("bf-initial-size 0", "bf-initial-size is '0'"),
        (
            "bf-aliases perhaps",
            "bf-aliases is 'perhaps', not yes or no",
        ),
    ] {
        let log = Server::start_in_vain(&[], &[arguments]);
        assert!(log.contains(part), "{log}");
    }
}

/// Bytes of a line of the server's `/proc/PID/status`, where there is one.
fn status_bytes(server: &Server, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes = line.trim_matches([':', ' ', '\t']).strip_suffix(" kB")?;
    Some(kilobytes.parse::<u64>().ok()? << 10)
}

#[test]
fn a_forged_header_of_a_dump_takes_no_memory_and_nothing_is_saved_of_it() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let memory =
        |con: &mut Con| -> u64 { con.info("memory", "used_memory").parse().expect("bytes") };
    let (used, addressed) = (memory(&mut con), status_bytes(&server, "VmSize"));
    // 1,000 links of 256 GiB each are more than a process can address, one of them is not.
    for (key, links) in [("f", 1_000), ("g", 1)] {
        let header = header(links, 1 << 32);
        let line = [b"FLASHSALE.BFLOADCHUNK", key.as_bytes(), b"1", &header];
        assert_eq!(render(&con.run_words(&line)), "OK");
        let bytes: u64 = con
            .text(&format!("MEMORY USAGE {key}"))
            .parse()
            .expect("bytes");
        assert!(bytes < 300_000, "{bytes} bytes");
    }
    assert!(memory(&mut con) < used + (4 << 20));
    if let (Some(before), Some(after)) = (addressed, status_bytes(&server, "VmSize")) {
        assert!(after < before + (1 << 30), "{after} bytes of address space");
    }
    con.says("SAVE", "OK");
    let file = std::fs::metadata(server.folder().join("dump.rdb")).expect("a file");
    assert!(file.len() < 200_000, "{} bytes", file.len());
    con.says("DEBUG RELOAD", "OK");
    con.fails("FLASHSALE.BFADD f a", "ERR", "only partly loaded");
    con.says("DEL f g", "2");
}

#[test]
fn a_filter_that_would_take_the_server_beyond_maxmemory_is_refused() {
    let Some(primary) = Server::own(&[], &["bf-initial-size 1000000000"]) else {
        return;
    };
    let replica = Server::own(&[], &[]).expect("a replica");
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says("SET kept x", "OK");
    for policy in ["noeviction", "allkeys-lru"] {
        con.says(
            &format!("CONFIG SET maxmemory 300mb maxmemory-policy {policy}"),
            "OK",
        );
        for line in [
            "RESERVE f 0.01 1000000000",
            "RESERVE f 0.01 1000000000 NONSCALING",
            "ADD f a",
            "MADD f a b",
            "INSERT f ITEMS a",
            "INSERT f CAPACITY 1000000000 ERROR 0.001 ITEMS a",
        ] {
            con.fails(&format!("FLASHSALE.BF{line}"), "ERR", NO_MEMORY);
        }
        con.says("EXISTS f kept", "1");
    }
    // There is room for 60 MiB of it, with whatever the allocator adds.
    con.says("FLASHSALE.BFRESERVE f 0.01 50000000 NONSCALING", "OK");
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("EXISTS f kept", "2");
    // A replica asks nobody: it has what its primary has.
    replica.conn().says("CONFIG SET maxmemory 60mb", "OK");
    con.says("FLASHSALE.BFRESERVE g 0.01 50000000 NONSCALING", "OK");
    wait_for_replica(&primary, &replica);
    let there = con.digest("f g");
    assert_eq!(there, replica.conn().digest("f g"));
}

#[test]
fn a_replica_that_minds_its_own_maxmemory_has_every_change_of_a_filter() {
    let Some(primary) = Server::own(&[], &[]) else {
        return;
    };
    let replica = Server::own(&["--replica-ignore-maxmemory no"], &[]).expect("a replica");
    let mut con = primary.conn();
    con.says("FLASHSALE.BFRESERVE f 0.01 10 NONSCALING", "OK");
    con.says("FLASHSALE.BFMADD f a b", "1 1");
    con.says("FLASHSALE.BFRESERVE g 0.01 10 NONSCALING", "OK");
    con.says("FLASHSALE.BFADD g c", "1");
    replicate(&primary, &replica);
    wait_for_replica(&primary, &replica);
    let mut behind = replica.conn();
    behind.says("CONFIG SET maxmemory 1", "OK");
    // Whatever it is, it arrives under a name that is never refused.
    con.says("SET kept x", "OK");
    for (line, reply) in [
        ("RESERVE r 0.01 10", "OK"),
        ("ADD r a", "1"),
        ("MADD r a b", "0 1"),
        ("INSERT i CAPACITY 1 ITEMS a b c", "1 1 1"),
        ("MERGE g f", "OK"),
        ("MERGE u f g", "OK"),
        ("CLEAR f", "OK"),
    ] {
        con.says(&format!("FLASHSALE.BF{line}"), reply);
    }
    let mut iterator = 0;
    loop {
        let reply = con.run(&format!("FLASHSALE.BFSCANDUMP g {iterator}"));
        let Value::Array(parts) = reply else {
            panic!("SCANDUMP: {}", render(&reply))
        };
        let [Value::Int(next), Value::BulkString(piece)] = &parts[..] else {
            panic!("SCANDUMP: {parts:?}")
        };
        if *next == 0 {
            break;
        }
        iterator = *next;
        let name = iterator.to_string();
        let line = [
            b"FLASHSALE.BFLOADCHUNK",
            &b"copy"[..],
            name.as_bytes(),
            piece,
        ];
        assert_eq!(render(&con.run_words(&line)), "OK");
    }
    wait_for_replica(&primary, &replica);
    let keys = "f g r i u copy";
    assert_eq!(con.digest(keys), behind.digest(keys));
    behind.has_not_diverged();
    behind.says("FLASHSALE.BFMEXISTS copy a b c d", "1 1 1 0");
    // It does mind: a plain write is not there.
    behind.says("EXISTS kept", "0");
}

#[test]
fn what_clear_replaces_is_freed_on_another_thread() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    // 60 MiB in all, some of it written.
    con.says("FLASHSALE.BFRESERVE f 0.01 50000000 NONSCALING", "OK");
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("FLASHSALE.BFCLEAR f", "OK");
    con.says("FLASHSALE.BFEXISTS f a", "0");
    let threads = || -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid()));
        let names = tasks.into_iter().flatten().flatten();
        names
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    };
    if !threads().is_empty() {
        wait_until("a thread frees", || {
            threads().contains(&"flashsale-free".to_owned())
        });
    }
    let memory =
        |con: &mut Con| -> u64 { con.info("memory", "used_memory").parse().expect("bytes") };
    wait_until("what was replaced is freed", || {
        memory(&mut con) < 100 << 20
    });
    assert_eq!(con.info("flashsale", "flashsale_blooms"), "1");
}

#[test]
fn a_filter_does_not_grow_beyond_maxmemory() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("CONFIG SET maxmemory 300mb", "OK");
    // Full, and the next link for 327 million items; then one that grows by what there is.
    con.says("FLASHSALE.BFRESERVE f 0.01 10000 EXPANSION 32768", "OK");
    con.says("FLASHSALE.BFRESERVE g 0.01 10000 EXPANSION 2", "OK");
    fill(&mut con, "f", 10_000);
    fill(&mut con, "g", 10_000);
    for line in ["ADD f a", "MADD f a b", "INSERT f ITEMS a"] {
        con.fails(
            &format!("FLASHSALE.BF{line}"),
            "ERR",
            "problem inserting into filter",
        );
    }
    con.says("FLASHSALE.BFINFO f FILTERS", "1");
    con.says("FLASHSALE.BFCARD f", "10000");
    con.says("FLASHSALE.BFADD g a", "1");
    con.says("FLASHSALE.BFINFO g FILTERS", "2");
    con.says("CONFIG SET maxmemory 0", "OK");
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("DEL f g", "2");
}

#[test]
fn at_maxmemory_nothing_is_added_and_everything_is_found() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("CONFIG SET maxmemory 1", "OK");
    for line in [
        "ADD f b",
        "MADD f b",
        "INSERT f ITEMS b",
        "RESERVE g 0.01 10",
        "MERGE g f",
    ] {
        con.fails(&format!("FLASHSALE.BF{line}"), "OOM", "maxmemory");
    }
    con.says("FLASHSALE.BFMEXISTS f a b", "1 0");
    con.says("FLASHSALE.BFCLEAR f", "OK");
    con.says("CONFIG SET maxmemory 0", "OK");
}
