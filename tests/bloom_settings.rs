//! **Goal**: a filter is what the configuration said when it was made, and one that there
//! is no memory for is an error.
//!
//! **Method**: servers with settings from each place there is, and headers and sizes that
//! promise more than a process or `maxmemory` holds.

mod support;

use support::Server;

#[test]
fn the_configuration_says_what_filters_are_made() {
    let Some(server) = Server::own(
        &[],
        &["bf-error-rate 0.001 bf-initial-size 50 bf-expansion 0"],
    ) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.BF.ADD made x", "1");
    con.says("FLASHSALE.BF.RESERVE like 0.001 50 NONSCALING", "OK");
    con.says("FLASHSALE.BF.ADD like x", "1");
    assert_eq!(con.digest("made"), con.digest("like"));
    con.says("FLASHSALE.BF.RESERVE own 0.01 10 EXPANSION 3", "OK");
    con.says("FLASHSALE.BF.INFO own EXPANSION", "3");
    con.says("CONFIG SET flashsale.bf-error-rate 0.5", "OK");
    con.says(
        "CONFIG GET flashsale.bf-error-rate",
        "flashsale.bf-error-rate 0.25",
    );
    con.says(
        "CONFIG SET flashsale.bf-initial-size 7 flashsale.bf-expansion 4",
        "OK",
    );
    con.says("FLASHSALE.BF.MADD later x y", "1 1");
    con.says("FLASHSALE.BF.INFO later CAPACITY", "7");
    con.says("FLASHSALE.BF.INFO later EXPANSION", "4");
    for (line, part) in [
        ("bf-error-rate 0", "'0' is not between 0 and 1"),
        ("bf-error-rate 1", "'1' is not between 0 and 1"),
        ("bf-error-rate x", "'x' is not a number"),
        ("bf-error-rate 1e-10", "less than 0.000000001"),
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
            "bf-error-rate: '1.5' is not between 0 and 1",
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
    let mut header = b"flsb\x01".to_vec();
    header.extend_from_slice(&0.01_f64.to_le_bytes());
    header.extend_from_slice(&1_u32.to_le_bytes());
    header.extend_from_slice(&1_000_u32.to_le_bytes());
    let link = [1_u64 << 32, 1 << 30, 0].map(u64::to_le_bytes).concat();
    for _ in 0..1_000 {
        header.extend_from_slice(&[&[6], &link[..]].concat());
    }
    con.fails_words(
        &[b"FLASHSALE.BF.LOADCHUNK", b"f", b"1", &header],
        "ERR",
        "Insufficient memory to create filter",
    );
    con.says("PING", "+PONG");
    con.says("EXISTS f", "0");
}

#[test]
fn at_maxmemory_nothing_is_added_and_everything_is_found() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.BF.ADD f a", "1");
    con.says("CONFIG SET maxmemory 1", "OK");
    for line in [
        "ADD f b",
        "MADD f b",
        "INSERT f ITEMS b",
        "RESERVE g 0.01 10",
        "MERGE g f",
    ] {
        con.fails(&format!("FLASHSALE.BF.{line}"), "OOM", "maxmemory");
    }
    con.says("FLASHSALE.BF.MEXISTS f a b", "1 0");
    con.says("FLASHSALE.BF.CLEAR f", "OK");
    con.says("CONFIG SET maxmemory 0", "OK");
}
