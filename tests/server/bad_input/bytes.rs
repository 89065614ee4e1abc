//! Bytes are bytes: names come back as they were sent, and no word of a line reaches
//! into the protocol.

use redis::Value;

use super::lines::{LINES, SETUP};
use super::{last_order, shown, slices};
use crate::support::{Con, Dice, Server, render, text_of};

/// Words that would mean something if they got into the protocol, or onto a terminal.
const HOSTILE: [&[u8]; 8] = [
    b"\r\n+OK\r\n",
    b"x\r\n$-1\r\n:1",
    b"\n-ERR other",
    b"\r",
    b"\0",
    b"\x1b[2J\x07",
    b"\xff\xfe\x80",
    b"'%s%n{}\\",
];

#[test]
fn no_word_of_a_line_gets_into_the_protocol() {
    let server = Server::any();
    let mut con = server.conn();
    for (index, hostile) in HOSTILE.iter().enumerate() {
        for line in &LINES {
            con.run("FLUSHALL");
            for setup in SETUP {
                con.run(setup);
            }
            let full = line.with(&line.options().concat());
            // Each word after the command's name in turn, and one word more.
            for position in 1..=full.len() {
                let mut words = full.clone();
                match words.get_mut(position) {
                    Some(word) => *word = hostile.to_vec(),
                    None => words.push(hostile.to_vec()),
                }
                let reply = con.run_words(&slices(&words));
                if let Value::ServerError(error) = &reply {
                    let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
                    assert!(
                        text.is_ascii() && !text.chars().any(char::is_control),
                        "{}: {text:?}",
                        shown(&words)
                    );
                }
                let mark = format!("{index}-{position}");
                con.says(&format!("ECHO {mark}"), &mark);
            }
        }
    }
}

/// A sale that knows `name` as a user, an id and a REF, told everywhere a name is told.
#[track_caller]
fn comes_back(con: &mut Con, name: &[u8]) {
    let given = Value::BulkString(name.to_vec());
    let mut second = |words: &[&[u8]]| -> Value {
        let reply = con.run_words(words);
        let Value::Array(parts) = &reply else {
            panic!("{}: {}", words[0].escape_ascii(), render(&reply));
        };
        parts[1].clone()
    };
    let reserve: [&[u8]; 6] = [b"FLASHSALE.RESERVE", b"sale", name, b"1", b"ID", name];
    assert_eq!(second(&reserve), given, "RESERVED");
    assert_eq!(second(&reserve), given, "RESERVED again");
    let other: [&[u8]; 6] = [b"FLASHSALE.RESERVE", b"sale", name, b"2", b"ID", name];
    assert_eq!(second(&other), given, "MISMATCH");
    let user = second(&[b"FLASHSALE.USER", b"sale", name]);
    assert_eq!(user, Value::Int(1), "reserved, of USER");
    assert_eq!(
        field(con, &[b"FLASHSALE.USER", b"sale", name], "reservations"),
        Value::Array(vec![given.clone()])
    );
    let mut second = |words: &[&[u8]]| match con.run_words(words) {
        Value::Array(parts) => parts[1].clone(),
        other => panic!("{}: {}", words[0].escape_ascii(), render(&other)),
    };
    let checkout: [&[u8]; 8] = [
        b"FLASHSALE.CHECKOUT",
        b"sale",
        b"orders",
        name,
        b"REF",
        name,
        b"USER",
        name,
    ];
    assert_eq!(second(&checkout), given, "SOLD");
    let Value::Array(already) = con.run_words(&[
        b"FLASHSALE.CHECKOUT",
        b"sale",
        b"orders",
        name,
        b"REF",
        b"other-ref",
    ]) else {
        panic!("ALREADYSOLD");
    };
    assert_eq!(already[1..], [given.clone(), given.clone()], "ALREADYSOLD");
    for (field_name, wanted) in [("user", &given), ("ref", &given)] {
        assert_eq!(
            &field(con, &[b"FLASHSALE.GET", b"sale", name], field_name),
            wanted
        );
    }
    let Value::Array(entries) = con.run("XREVRANGE orders + - COUNT 1") else {
        panic!("XREVRANGE");
    };
    let Value::Array(entry) = &entries[0] else {
        panic!("an entry");
    };
    let Value::Array(fields) = &entry[1] else {
        panic!("its fields");
    };
    for (field_name, wanted) in [("id", &given), ("user", &given), ("ref", &given)] {
        let pair = fields
            .chunks(2)
            .find(|pair| text_of(&pair[0]) == field_name);
        assert_eq!(
            pair.map(|pair| &pair[1]),
            Some(wanted),
            "{field_name} of the order"
        );
    }
    let restock: [&[u8]; 5] = [b"FLASHSALE.RESTOCK", b"sale", b"1", b"REF", name];
    con.run_words(&restock);
    let Value::Array(mismatch) = con.run_words(&[restock[0], restock[1], b"2", b"REF", name])
    else {
        panic!("MISMATCH");
    };
    assert_eq!(mismatch[1], given, "MISMATCH of RESTOCK");
}

/// A value of a flat map.
pub fn field(con: &mut Con, words: &[&[u8]], name: &str) -> Value {
    let Value::Array(flat) = con.run_words(words) else {
        panic!("a map");
    };
    let pair = flat.chunks(2).find(|pair| text_of(&pair[0]) == name);
    pair.expect("the field")[1].clone()
}

#[test]
fn names_of_any_bytes_come_back_as_they_were() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000000", "OK");
    let mut names: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    names.push((0..128).collect());
    names.push((128..=255).collect());
    names.extend([
        vec![0; 128],
        vec![0; 2],
        vec![b'\n'; 128],
        b"a\0b\nc\xff".to_vec(),
    ]);
    // What a packed form might confuse: 26 characters, all but some of them base 32.
    let mut dice = Dice::seeded();
    let alphabet = b"0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyzILOUilou";
    for _ in 0..200 {
        let reach = [32, 62][dice.below(2) as usize];
        let letters = (0..26).map(|_| alphabet[dice.below(reach) as usize]);
        names.push(letters.collect());
    }
    for _ in 0..200 {
        let length = 1 + dice.below(128);
        names.push((0..length).map(|_| dice.below(256) as u8).collect());
    }
    names.sort();
    names.dedup();
    for name in &names {
        comes_back(&mut con, name);
    }
    // Every one of them is known, once.
    let Value::Array(scan) = con.run("FLASHSALE.SCAN sale 0 COUNT 100000") else {
        panic!("SCAN");
    };
    let Value::Array(ids) = &scan[1] else {
        panic!("ids");
    };
    let mut seen: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| match id {
            Value::BulkString(bytes) => bytes.clone(),
            other => panic!("an id: {other:?}"),
        })
        .collect();
    seen.sort();
    assert!(seen == names, "SCAN tells other ids");
    let before = con.digest("sale");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(before, con.digest("sale"));
}

#[test]
fn skus_of_any_utf8_come_back_as_they_were() {
    let server = Server::any();
    let mut con = server.conn();
    let longest = "é".repeat(64);
    let skus = [
        "\0",
        "a\0b",
        "\n",
        "\r\n+OK\r\n",
        "\"",
        "\\",
        "\u{1b}[2J",
        "\u{7f}",
        "größe-42€",
        "🛒",
        "e\u{301}",
        "é",
        "\u{202e}",
        "'",
        "{\"sku\":1}",
        " ",
        "a b",
        &longest,
    ];
    let mut create: Vec<&[u8]> = vec![b"FLASHSALE.CREATE", b"sale", b"orders", b"ITEMS", b"18"];
    assert_eq!(skus.len(), 18);
    for sku in skus {
        create.extend([sku.as_bytes(), b"5"]);
    }
    assert_eq!(render(&con.run_words(&create)), "OK");
    for sku in skus {
        let sku = sku.as_bytes();
        let given = Value::BulkString(sku.to_vec());
        let row = |sold| {
            Value::Array(vec![
                given.clone(),
                Value::Int(5 - sold),
                Value::Int(0),
                Value::Int(sold),
                Value::Int(0),
            ])
        };
        assert_eq!(
            con.run_words(&[b"FLASHSALE.STOCK", b"sale", sku]),
            Value::Array(vec![row(0)])
        );
        let buy: [&[u8]; 9] = [
            b"FLASHSALE.BUY",
            b"sale",
            b"orders",
            b"alice",
            b"ITEMS",
            b"1",
            sku,
            b"2",
            b"ID",
        ];
        assert!(render(&con.run_words(&[&buy[..], &[sku]].concat())).starts_with("SOLD"));
        assert_eq!(
            con.run_words(&[b"FLASHSALE.STOCK", b"sale", sku]),
            Value::Array(vec![row(2)])
        );
        let Value::Array(refusal) = con.run_words(&[
            b"FLASHSALE.RESERVE",
            b"sale",
            b"bob",
            b"ITEMS",
            b"1",
            sku,
            b"4",
        ]) else {
            panic!("SOLDOUT");
        };
        assert_eq!(refusal[2], given, "SOLDOUT");
        let line = Value::Array(vec![given.clone(), Value::Int(2)]);
        assert_eq!(
            field(&mut con, &[b"FLASHSALE.GET", b"sale", sku], "items"),
            Value::Array(vec![line])
        );
        assert_eq!(sku_of_last_order(&mut con).as_bytes(), sku);
    }
}

/// The SKU in the `items` of the newest entry of the stream.
fn sku_of_last_order(con: &mut Con) -> String {
    let items = last_order(con, "items");
    let items: serde_json::Value = serde_json::from_slice(&items).expect("JSON");
    items[0]["sku"].as_str().expect("a string").to_owned()
}
