//! Lines that nobody would write: raw bytes on a socket, words of anything, in numbers.
//! The server stays, and an error changes nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redis::Value;

use super::lines::{LINES, SETUP};
use super::{last_order, shown, slices};
use crate::support::{Con, Dice, Server, render};

/// Words that have been trouble somewhere.
const WORDS: [&[u8]; 22] = [
    b"",
    b"0",
    b"1",
    b"-1",
    b"9007199254740991",
    b"9007199254740992",
    b"18446744073709551616",
    b"1e999999",
    b"ITEMS",
    b"ID",
    b"REF",
    b"USER",
    b"PAYLOAD",
    b"HOLD",
    b"COUNT",
    b"STATE",
    b"sale",
    b"orders",
    b"r1",
    b"default",
    b"\0\r\n\xff",
    b"[[[[[[[[",
];

fn random_word(dice: &mut Dice) -> Vec<u8> {
    match dice.below(12) {
        0 => {
            let length = [1, 127, 128, 129, 300, 70_000][dice.below(6) as usize];
            vec![dice.below(256) as u8; length]
        }
        1 | 2 => (0..dice.below(40)).map(|_| dice.below(256) as u8).collect(),
        _ => WORDS[dice.index(WORDS.len())].to_vec(),
    }
}

/// A line of the table with some of its words exchanged, left out, doubled or made up.
fn garbled(dice: &mut Dice) -> Vec<Vec<u8>> {
    let line = &LINES[dice.index(LINES.len())];
    let mut words = line.with(&line.options().concat());
    for _ in 0..=dice.below(4) {
        let at = 1 + dice.index(words.len());
        match dice.below(6) {
            0 if at < words.len() => drop(words.remove(at)),
            1 if at < words.len() => words.insert(at, words[at].clone()),
            2 => words.truncate(at),
            3 => words.insert(at.min(words.len()), random_word(dice)),
            _ => {
                if let Some(word) = words.get_mut(at) {
                    *word = random_word(dice);
                }
            }
        }
    }
    words
}

/// What the timer has done to sales by itself.
fn returned_so_far(con: &mut Con) -> [String; 2] {
    ["expired", "forgotten"]
        .map(|outcome| con.info("flashsale", &format!("flashsale_outcome_{outcome}")))
}

fn make(con: &mut Con) {
    con.run("FLUSHALL");
    for setup in SETUP {
        con.run(setup);
    }
}

#[test]
fn garbled_lines_are_answers_or_errors_and_an_error_changes_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    make(&mut con);
    let mut errors = 0;
    for round in 0..6_000 {
        if round % 500 == 0 {
            make(&mut con);
        }
        let words = garbled(&mut dice);
        let (returned, before) = (returned_so_far(&mut con), con.show("DEBUG DIGEST"));
        let Value::ServerError(error) = con.run_words(&slices(&words)) else {
            continue;
        };
        errors += 1;
        let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
        let is_plain = text.is_ascii() && !text.chars().any(char::is_control);
        assert!(is_plain && text.len() < 400, "{}: {text:?}", shown(&words));
        let after = con.show("DEBUG DIGEST");
        // Some lines asked for short deadlines; what becomes of those is no error's doing.
        assert!(
            before == after || returned != returned_so_far(&mut con),
            "{}: {text}",
            shown(&words)
        );
    }
    println!("{errors} of 6000 lines were errors");
    assert!(errors > 1_000);
    // What the others made can be saved and loaded.
    con.says("DEBUG RELOAD", "OK");
}

#[test]
fn raw_bytes_on_a_socket_leave_the_server_and_its_sales_as_they_were() {
    let server = Server::any();
    let mut con = server.conn();
    let mut dice = Dice::seeded();
    make(&mut con);
    let before = con.show("DEBUG DIGEST");
    for _ in 0..300 {
        let mut socket = TcpStream::connect(server.address()).expect("a connection");
        let timeout = Some(Duration::from_millis(1));
        socket.set_read_timeout(timeout).expect("a timeout");
        for _ in 0..=dice.below(4) {
            let line = &LINES[dice.index(LINES.len())];
            let mut bytes = Vec::new();
            // Inline, or framed by counts that are not right.
            let (count, length) = (dice.below(9), dice.below(70));
            match dice.below(3) {
                0 => bytes.extend(format!("FLASHSALE.{} ", line.command).into_bytes()),
                1 => bytes.extend(format!("*{count}\r\n${length}\r\n").into_bytes()),
                _ => {
                    let name = format!("FLASHSALE.{}", line.command);
                    let frame = format!("*{count}\r\n${}\r\n{name}\r\n", name.len());
                    bytes.extend(frame.into_bytes());
                }
            }
            for _ in 0..dice.below(6) {
                // No key of the test in it: what is right by chance changes nothing either.
                let word = (0..dice.below(20)).map(|_| 128 + dice.below(128) as u8);
                bytes.extend(word);
                bytes.extend([&b" "[..], b"\r\n", b"\0", b"'", b"$5\r\n"][dice.below(5) as usize]);
            }
            if socket.write_all(&bytes).is_err() {
                break;
            }
        }
        let mut answer = [0; 4_096];
        if let Err(error) = socket.read(&mut answer) {
            let kind = error.kind();
            let is_silence = matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(is_silence || kind == ErrorKind::ConnectionReset, "{error}");
        }
    }
    con.says("PING", "+PONG");
    assert_eq!(before, con.show("DEBUG DIGEST"));
}

#[test]
fn a_payload_that_nests_or_grows_beyond_reason_is_kept_or_refused_and_ends_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    make(&mut con);
    let nested = |open: &str, close: &str, depth: usize| {
        let inside = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        inside.into_bytes()
    };
    let kept: [Vec<u8>; 10] = [
        nested("[", "]", 128),
        nested("{\"a\":", "}", 128),
        nested("[{\"a\":[", "]}]", 42),
        b"1e999999".to_vec(),
        b"-1E-999999".to_vec(),
        format!("0.{}", "3".repeat(60_000)).into_bytes(),
        b"{\"a\":1,\"a\":2,\"a\":{\"a\":[]}}".to_vec(),
        // Lone surrogates are well-formed escapes: what they mean is the reader's matter.
        b"\"\\ud800 \\udfff \\ud83d\\ude00 \\u0000\"".to_vec(),
        "\"\u{202e}\u{feff}\u{7f}\"".into(),
        b" \t\r\n{ } \n".to_vec(),
    ];
    for (number, payload) in kept.iter().enumerate() {
        let id = format!("kept{number}");
        let words: [&[u8]; 9] = [
            b"FLASHSALE.BUY",
            b"sale",
            b"orders",
            b"zoe",
            b"1",
            b"ID",
            id.as_bytes(),
            b"PAYLOAD",
            payload,
        ];
        let reply = render(&con.run_words(&words));
        assert!(reply.starts_with("SOLD"), "{id}: {reply}");
        assert!(
            last_order(&mut con, "payload") == *payload,
            "{id}: kept otherwise"
        );
    }
    let refused = [
        vec![b'['; 65_536],
        vec![b'{'; 60_000],
        "{\"a\":".repeat(12_000).into_bytes(),
        nested("[", "}", 30_000),
        nested("[", "]", 40_000),
        nested("[", "]", 32_000),
        nested("{\"a\":", "}", 129),
        nested("[{\"a\":[", "]}]", 43),
        b"[1e]".to_vec(),
        b"\"\\ud8\"".to_vec(),
        b"\"\\u12g4\"".to_vec(),
        b"\"\xed\xa0\x80\"".to_vec(),
        b"{\"a\":1\0}".to_vec(),
        b"\"\0\"".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
    ];
    for payload in refused {
        let words: [&[u8]; 7] = [
            b"FLASHSALE.BUY",
            b"sale",
            b"orders",
            b"zoe",
            b"1",
            b"PAYLOAD",
            &payload,
        ];
        con.fails_words(&words, "ERR", "PAYLOAD: ");
    }
    let before = con.show("DEBUG DIGEST");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(before, con.show("DEBUG DIGEST"));
}
