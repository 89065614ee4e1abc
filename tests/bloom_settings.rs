//! **Goal**: a filter is what the configuration said when it was made, and one that there
//! is no memory for is an error.
//!
//! **Method**: servers with settings from each place there is, and headers and sizes that
//! promise more than a process or `maxmemory` holds.

mod support;

use support::{Con, Server, render, replicate, wait_for_replica};

const NO_MEMORY: &str = "Insufficient memory to create filter";

/// What SCANDUMP tells first of a filter: `links` of so many blocks, each with 2^20
/// `items` at most.
fn header(expansion: u32, links: u32, blocks: u64, items: u64) -> Vec<u8> {
    let mut header = b"flsb\x01".to_vec();
    header.extend_from_slice(&0.01_f64.to_le_bytes());
    header.extend_from_slice(&expansion.to_le_bytes());
    header.extend_from_slice(&links.to_le_bytes());
    let link = [blocks, 1 << 20, items].map(u64::to_le_bytes).concat();
    for _ in 0..links {
        header.extend_from_slice(&[&[6], &link[..]].concat());
    }
    header
}

/// Sends a header under a key that is free.
fn load(con: &mut Con, key: &str, header: &[u8]) -> String {
    let line = [b"FLASHSALE.BFLOADCHUNK", key.as_bytes(), b"1", header];
    render(&con.run_words(&line))
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

#[test]
fn a_filter_no_memory_is_there_for_is_an_error() {
    // 1,000 links of 256 GiB each are more than a process can address.
    let server = Server::any();
    let mut con = server.conn();
    let header = header(1, 1_000, 1 << 32, 0);
    assert!(load(&mut con, "f", &header).contains(NO_MEMORY));
    con.says("PING", "+PONG");
    con.says("EXISTS f", "0");
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
        // One link of 1 GiB.
        assert!(load(&mut con, "f", &header(1, 1, 1 << 24, 0)).contains(NO_MEMORY));
        con.says("EXISTS f kept", "1");
    }
    // There is room for 60 MiB of it, with whatever the allocator adds.
    con.says("FLASHSALE.BFRESERVE f 0.01 50000000 NONSCALING", "OK");
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("EXISTS f kept", "2");
    // A replica asks nobody: it has what its primary has.
    replica.conn().says("CONFIG SET maxmemory 60mb", "OK");
    assert_eq!(load(&mut con, "g", &header(1, 1, 1 << 20, 0)), "OK");
    wait_for_replica(&primary, &replica);
    let there = con.digest("f g");
    assert_eq!(there, replica.conn().digest("f g"));
}

#[test]
fn a_filter_does_not_grow_beyond_maxmemory() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("CONFIG SET maxmemory 300mb", "OK");
    // Full, and the next link for 2^30 items; then one that grows by what there is.
    assert_eq!(
        load(&mut con, "f", &header(1 << 10, 1, 1 << 14, 1 << 20)),
        "OK"
    );
    assert_eq!(load(&mut con, "g", &header(2, 1, 1 << 14, 1 << 20)), "OK");
    for line in ["ADD f a", "MADD f a b", "INSERT f ITEMS a"] {
        con.fails(
            &format!("FLASHSALE.BF{line}"),
            "ERR",
            "problem inserting into filter",
        );
    }
    con.says("FLASHSALE.BFINFO f FILTERS", "1");
    con.says("FLASHSALE.BFCARD f", "1048576");
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
