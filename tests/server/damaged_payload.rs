//! **Goal**: a damaged RESTORE payload is an error, never a crash, never a guess.
//!
//! **Method**: a small sale is dumped; each byte of the value is changed, and the value
//! is cut and lengthened everywhere. The test computes the server's CRC-64 itself, so
//! that the module sees every damage. What is taken nevertheless must be a sale whose
//! numbers agree with each other.

use crate::support::{Con, Dice, Server, damage, forge, render, wait_until};

/// The type byte and the module's id come first; they choose who loads the value.
const HEADER_BYTES: usize = 10;

fn small_sale(con: &mut Con) -> Vec<u8> {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 9 b 8 USERLIMIT 7 ITEMLIMIT 6 GRACE 5",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice ITEMS 2 a 1 b 1 ID open",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders alice ITEMS 1 a 2 ID sold REF p",
        "SOLD ...",
    );
    con.says(
        "FLASHSALE.REFUND sale orders sold ITEMS 1 a 1 REF f",
        "REFUNDED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 b 1 ID released",
        "RESERVED ...",
    );
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    con.says("FLASHSALE.RELEASE sale unseen", "RELEASED unseen");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 b 2 REF truck",
        "RESTOCKED ...",
    );
    match con.run("DUMP sale") {
        redis::Value::BulkString(payload) => payload,
        other => panic!("DUMP: {}", render(&other)),
    }
}

/// Restores; an accepted sale must be consistent, and is removed again.
fn try_restore(con: &mut Con, payload: &[u8], what: &str) -> bool {
    let reply = render(&con.run_words(&[b"RESTORE", b"copy", b"0", payload]));
    if reply.contains("(error)") {
        con.says("EXISTS copy", "0");
        return false;
    }
    if con.show("TYPE copy") == "+flashsale" {
        // All of one moment: a damaged deadline may be due by now.
        let info = con.map("FLASHSALE.INFO copy");
        let number = |name: &str| -> u64 {
            let found = info.iter().find(|(field, _)| field == name);
            found
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or_else(|| panic!("{what}: {name}"))
        };
        let parts = ["available", "reserved", "sold"].map(number);
        assert_eq!(
            parts.iter().sum::<u64>(),
            number("total"),
            "{what}: conservation"
        );
        con.run("FLASHSALE.SCAN copy 0 COUNT 1000");
        con.run("FLASHSALE.RESERVE copy alice ITEMS 1 a 1");
        con.run("FLASHSALE.RELEASE copy open");
        con.run("FLASHSALE.CHECKOUT copy orders sold");
    }
    con.says("DEL copy", "1");
    true
}

#[test]
fn the_tests_own_checksum_is_the_servers() {
    assert_eq!(crate::support::crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    let server = Server::any();
    let mut con = server.conn();
    let payload = small_sale(&mut con);
    assert_eq!(forge(&payload, |_| {}), payload);
    assert!(try_restore(&mut con, &payload, "as it is"));
    let mut spoiled = payload.clone();
    spoiled[HEADER_BYTES + 5] ^= 1;
    assert!(!try_restore(&mut con, &spoiled, "without a new checksum"));
}

/// In an RDB file a sale that was on its way between servers is saved as what had come of
/// it, between two empty chunks. The rest would come to no other.
#[test]
fn a_part_of_a_sale_is_not_restored() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9000", "OK");
    let reserve = |number: u64| format!("FLASHSALE.RESERVE sale u{number} 1 ID r{number:0100}");
    crate::support::send_all(&mut con, (0..1000).map(reserve));
    con.says("CONFIG SET rdbcompression no", "OK");
    let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("no DUMP")
    };
    // What an RDB file has before each string, and an empty string.
    const EMPTY: [u8; 2] = [5, 0];
    // Of a string of 64 KiB: its mark, a length of four bytes, and the string.
    const CHUNK_BYTES: usize = 1 + 5 + 65_536;
    let first = HEADER_BYTES + CHUNK_BYTES;
    assert!(payload.len() > first + 1000, "more than one chunk");
    let part = forge(&payload, |value| {
        value.truncate(first);
        value.extend(EMPTY);
        // The end of a module's value.
        value.push(0);
        value.splice(HEADER_BYTES..HEADER_BYTES, EMPTY);
    });
    assert!(!try_restore(&mut con, &part, "a part"));
    assert!(try_restore(&mut con, &forge(&payload, |_| {}), "the whole"));
}

#[test]
fn a_changed_byte_is_an_error_or_still_a_sale() {
    let server = Server::any();
    let mut con = server.conn();
    let payload = small_sale(&mut con);
    let length = payload.len() - 10;
    let mut taken = 0;
    for position in HEADER_BYTES..length {
        let original = payload[position];
        for value in [
            original ^ 1,
            original ^ 0x80,
            original.wrapping_add(1),
            0,
            0xff,
        ] {
            if value == original {
                continue;
            }
            let damaged = forge(&payload, |bytes| bytes[position] = value);
            let what = format!("byte {position} from {original} to {value}");
            taken += u32::from(try_restore(&mut con, &damaged, &what));
        }
    }
    con.says("PING", "+PONG");
    println!(
        "{taken} of {} damaged payloads were taken",
        (length - HEADER_BYTES) * 5
    );
}

#[test]
fn another_version_of_the_format_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    let payload = small_sale(&mut con);
    // The low ten bits of the module's id are the version of its values.
    for version in 1..=255 {
        let damaged = forge(&payload, |bytes| bytes[9] = bytes[9].wrapping_add(version));
        assert!(
            !try_restore(&mut con, &damaged, "version"),
            "version + {version}"
        );
    }
}

#[test]
fn a_payload_with_nothing_in_it_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    let payload = small_sale(&mut con);
    // In the file, 5 begins a string and 0 ends the value.
    for nothing in [&[0][..], &[5, 0, 0], &[5, 0, 5, 0, 0], &[5, 1, 0, 0]] {
        let damaged = forge(&payload, |bytes| {
            bytes.truncate(HEADER_BYTES);
            bytes.extend_from_slice(nothing);
        });
        let reply = render(&con.run_words(&[b"RESTORE", b"copy", b"0", &damaged]));
        assert!(reply.contains("(error)"), "{nothing:?}: {reply}");
    }
}

#[test]
fn a_cut_or_lengthened_payload_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    let payload = small_sale(&mut con);
    let length = payload.len() - 10;
    for end in HEADER_BYTES..length {
        let damaged = forge(&payload, |bytes| bytes.truncate(end));
        assert!(
            !try_restore(&mut con, &damaged, "cut"),
            "cut at {end} of {length}"
        );
    }
    for position in (HEADER_BYTES..length).step_by(7) {
        let damaged = forge(&payload, |bytes| {
            bytes.remove(position);
        });
        try_restore(&mut con, &damaged, &format!("without byte {position}"));
    }
    con.says("PING", "+PONG");
}

#[test]
fn random_damage_never_ends_the_server() {
    let server = Server::any();
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    let payload = small_sale(&mut con);
    for round in 0..1500 {
        let damaged = forge(&payload, |bytes| damage(bytes, HEADER_BYTES, &mut dice, 6));
        try_restore(&mut con, &damaged, &format!("round {round}"));
    }
    con.says("FLASHSALE.STOCK sale", "[a 7 1 1 0] [b 9 1 0 0]");
}

#[test]
fn a_payload_refused_after_it_was_loaded_leaves_the_deadlines_of_the_sale_that_is_there() {
    let server = Server::any();
    let mut con = server.conn();
    let payload = small_sale(&mut con);
    con.says("FLASHSALE.CREATE there orders STOCK 5 HOLD 80", "OK");
    con.says("FLASHSALE.RESERVE there ann 2 ID r1", "RESERVED ...");
    // The last byte of the value ends it; the module has loaded the sale by then.
    let unended = forge(&payload, |value| {
        if let Some(end) = value.last_mut() {
            *end = 7;
        }
    });
    let reply = render(&con.run_words(&[b"RESTORE", b"there", b"0", &unended, b"REPLACE"]));
    assert!(reply.contains("(error)"), "{reply}");
    wait_until("what was reserved there expired", || {
        con.stock("there") == "[default 5 0 0 0]"
    });
}
