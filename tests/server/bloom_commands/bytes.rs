//! Replies as the very bytes that clients read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{PREFIXES, server};
use crate::support::Server;

/// The bytes the server answers a line with, as many as are expected.
fn raw(server: &Server, protocol: u8, line: &str, expected: &str) {
    let mut socket = TcpStream::connect(server.address()).expect("a connection");
    let patience = Some(Duration::from_secs(30));
    socket.set_read_timeout(patience).expect("a timeout");
    let lines = format!("HELLO {protocol}\r\nPING mark\r\n{line}\r\nPING end\r\n");
    socket.write_all(lines.as_bytes()).expect("sent");
    let mut got = Vec::new();
    let mut part = [0; 4096];
    while !got.ends_with(b"$3\r\nend\r\n") {
        let len = socket.read(&mut part).expect("a reply");
        assert!(len > 0, "{line}: the connection was closed");
        got.extend_from_slice(&part[..len]);
    }
    let got = String::from_utf8_lossy(&got).into_owned();
    let (_, answer) = got.split_once("$4\r\nmark\r\n").expect("the mark");
    let answer = answer.trim_end_matches("$3\r\nend\r\n");
    assert_eq!(answer, expected, "{line} in RESP{protocol}");
}

#[test]
fn replies_are_these_very_bytes_in_either_protocol() {
    let Some(server) = server() else { return };
    let mut con = server.conn();
    for prefix in PREFIXES {
        con.says("FLUSHALL", "OK");
        con.says("FLASHSALE.BFRESERVE n 0.0001 3 NONSCALING", "OK");
        con.says("FLASHSALE.BFMADD n p q", "1 1");
        con.says("FLASHSALE.BFRESERVE s 0.01 10 EXPANSION 4", "OK");
        let size = con.show("FLASHSALE.BFINFO s SIZE");
        let full = "-ERR non scaling filter is full\r\n";
        for (line, two, three) in [
            (
                "RESERVE r 0.01 10".to_owned(),
                "+OK\r\n".to_owned(),
                "+OK\r\n".to_owned(),
            ),
            (
                "ADD n p".to_owned(),
                ":0\r\n".to_owned(),
                "#f\r\n".to_owned(),
            ),
            (
                "EXISTS n p".to_owned(),
                ":1\r\n".to_owned(),
                "#t\r\n".to_owned(),
            ),
            (
                "MEXISTS n p z".to_owned(),
                "*2\r\n:1\r\n:0\r\n".to_owned(),
                "*2\r\n#t\r\n#f\r\n".to_owned(),
            ),
            (
                "MADD n r x y".to_owned(),
                format!("*2\r\n:1\r\n{full}"),
                format!("*2\r\n#f\r\n{full}"),
            ),
            (
                "CARD n".to_owned(),
                ":3\r\n".to_owned(),
                ":3\r\n".to_owned(),
            ),
            (
                "INFO n EXPANSION".to_owned(),
                "*1\r\n$-1\r\n".to_owned(),
                "%1\r\n+Expansion rate\r\n_\r\n".to_owned(),
            ),
            (
                "INFO s SIZE".to_owned(),
                format!("*1\r\n:{size}\r\n"),
                format!("%1\r\n+Size\r\n:{size}\r\n"),
            ),
            ("INFO s".to_owned(), info(&size, "*10"), info(&size, "%5")),
            (
                "SCANDUMP s 65".to_owned(),
                "*2\r\n:0\r\n$0\r\n\r\n".to_owned(),
                "*2\r\n:0\r\n$0\r\n\r\n".to_owned(),
            ),
        ] {
            raw(&server, 2, &format!("{prefix}{line}"), &two);
            let again = line.replace("RESERVE r", "RESERVE r3");
            raw(&server, 3, &format!("{prefix}{again}"), &three);
        }
    }
}

fn info(size: &str, head: &str) -> String {
    format!(
        "{head}\r\n+Capacity\r\n:10\r\n+Size\r\n:{size}\r\n+Number of filters\r\n:1\r\n\
         +Number of items inserted\r\n:0\r\n+Expansion rate\r\n:4\r\n"
    )
}
