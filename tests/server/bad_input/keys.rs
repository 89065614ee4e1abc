//! Keys that are missing, of another type, or not the sale's.
//!
//! Edge: which lines have such keys is in `lines.rs`.

use redis::Value;

use super::lines::{Kind, LINES};
use super::{Watched, names, shown};
use crate::support::{Con, Server, render};

/// Values of other types, one key each.
const OTHERS: [(&str, &str); 6] = [
    ("text", "SET text x"),
    ("list", "RPUSH list x"),
    ("set", "SADD set x"),
    ("hash", "HSET hash x y"),
    ("zset", "ZADD zset 1 x"),
    ("stream", "XADD stream 1-1 a b"),
];

fn make_others(con: &mut Con) {
    for (_, line) in OTHERS {
        con.run(line);
    }
}

#[test]
fn a_sale_that_is_missing_or_something_else_is_an_error_that_names_the_key() {
    let Some(mut watched) = Watched::start() else {
        return;
    };
    make_others(&mut watched.con);
    for line in &LINES {
        let (kind, code_if_missing) = (Kind::Sale, "NOSALE");
        let Some(at) = line.position(kind) else {
            continue;
        };
        let mut words = line.with(&line.options().concat());
        let long = vec![b'k'; 100_000];
        for missing in [&b"nosuch"[..], b"", b"\r\n\0\xff", &long] {
            words[at] = missing.to_vec();
            let (code, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
            assert!(
                code == code_if_missing && names(&text, "key"),
                "{}: {code} {text}",
                shown(&words)
            );
        }
        for (other, _) in OTHERS {
            words[at] = other.as_bytes().to_vec();
            let (code, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
            assert!(
                code == "WRONGTYPE" && names(&text, "key"),
                "{}: {code} {text}",
                shown(&words)
            );
        }
    }
    watched.con.says("EXISTS nosuch", "0");
}

#[test]
fn a_key_that_exists_is_busy_for_a_new_sale() {
    let Some(mut watched) = Watched::start() else {
        return;
    };
    make_others(&mut watched.con);
    for line in &LINES {
        let Some(at) = line.position(Kind::NewSale) else {
            continue;
        };
        let mut words = line.with(&line.options().concat());
        for other in OTHERS.map(|(name, _)| name).iter().chain(&["sale"]) {
            words[at] = other.as_bytes().to_vec();
            let (code, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
            assert!(
                code == "BUSYKEY" && names(&text, "key"),
                "{}: {code} {text}",
                shown(&words)
            );
        }
    }
}

#[test]
fn a_stream_that_is_something_else_is_an_error_that_names_orders() {
    let Some(mut watched) = Watched::start() else {
        return;
    };
    make_others(&mut watched.con);
    // Any stream will do for CREATE and BIND, and no key but a stream.
    for line in LINES.iter() {
        let Some(at) = line.position(Kind::Stream) else {
            continue;
        };
        let mut words = line.with(&line.options().concat());
        let others = OTHERS.map(|(name, _)| name);
        for other in others.iter().filter(|name| **name != "stream") {
            words[at] = other.as_bytes().to_vec();
            let (code, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
            assert!(
                code == "WRONGTYPE" && names(&text, "orders"),
                "{}: {code} {text}",
                shown(&words)
            );
        }
        // The sale cannot be its own stream.
        words[at] = words[1].clone();
        let (_, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
        assert!(names(&text, "orders"), "{}: {text}", shown(&words));
    }
    // No stream but its own for the others, whatever the key holds.
    for line in &LINES {
        let Some(at) = line.position(Kind::Orders) else {
            continue;
        };
        let mut words = line.with(&line.options().concat());
        let own: [&[u8]; 5] = [b"", b"nosuch", b"Orders", b"orders\0", b"stream"];
        let others = OTHERS.iter().map(|(name, _)| name.as_bytes());
        for other in own.into_iter().chain(others) {
            words[at] = other.to_vec();
            let (code, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
            let is_code = code == "ERR" || code == "WRONGTYPE";
            assert!(
                is_code && names(&text, "orders"),
                "{}: {code} {text}",
                shown(&words)
            );
        }
    }
    // Its own stream, which has become something else.
    for (other, make) in OTHERS.iter().filter(|(name, _)| *name != "stream") {
        watched.con.run("DEL orders");
        watched
            .con
            .run(&make.replacen(&format!(" {other} "), " orders ", 1));
        for line in LINES
            .iter()
            .filter(|line| line.position(Kind::Orders).is_some())
        {
            let words = line.with(&[]);
            let (code, text) = watched.errors(std::slice::from_ref(&words)).remove(0);
            assert!(
                code == "WRONGTYPE" && names(&text, "orders"),
                "{}: {code} {text}",
                shown(&words)
            );
        }
    }
}

#[test]
fn the_name_of_a_stream_is_any_key_or_an_error_but_never_a_loss() {
    let server = Server::any();
    let mut con = server.conn();
    // A key may have 512 MiB; whatever bound there is, it must be met when it is set,
    // not when it is loaded.
    let names: [Vec<u8>; 5] = [
        Vec::new(),
        vec![b'o'; 70_000],
        vec![b'o'; 1 << 20],
        vec![b'o'; (1 << 20) + 1],
        b"\0\r\n\xff".to_vec(),
    ];
    for (index, orders) in names.iter().enumerate() {
        let key = format!("sale{index}").into_bytes();
        let reply = con.run_words(&[b"FLASHSALE.CREATE", &key, orders, b"STOCK", b"9"]);
        if let Value::ServerError(error) = &reply {
            let text = error.details().unwrap_or_default();
            assert!(names_orders(text), "{} bytes: {text}", orders.len());
            con.says(&format!("EXISTS sale{index}"), "0");
            con.says(&format!("FLASHSALE.CREATE sale{index} other STOCK 9"), "OK");
            let reply = con.run_words(&[b"FLASHSALE.BIND", &key, orders]);
            assert!(
                render(&reply).contains("(error)"),
                "BIND to {} bytes",
                orders.len()
            );
        } else {
            let reply = con.run_words(&[b"FLASHSALE.BUY", &key, orders, b"alice", b"1"]);
            assert!(render(&reply).starts_with("SOLD"), "{}", render(&reply));
        }
    }
    let before = con.show("DEBUG DIGEST");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(before, con.show("DEBUG DIGEST"));
}

fn names_orders(text: &str) -> bool {
    names(text, "orders")
}
