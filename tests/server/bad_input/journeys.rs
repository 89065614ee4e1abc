//! Names of hostile bytes on their whole way: command, event, AOF, replica, snapshot,
//! and what clients are told in each place.

use redis::Value;

use super::bytes::field;
use crate::support::{Con, Server, aof, render, replicate, wait_for_replica};

/// Key, stream, user, id and REF in turn; no two are the same.
const HOSTILE: [&[u8]; 9] = [
    b"\0",
    b"\0\0\0\0\0\0\0\0",
    b"\r\n",
    b"a\nb",
    b"\xff\xfe\xfd",
    b"*1\r\n$8\r\nFLUSHALL\r\n",
    b"$-1\r\n",
    b"\x01\x01\x00",
    b"\xff\x01V>:\xb5\xd3\xd6vLa\xef\xb9\x93\x02\xbd[",
];

/// Lives through every kind of event with these names.
fn live(con: &mut Con, key: &[u8], orders: &[u8], name: &[u8]) {
    let lines: [&[&[u8]]; 12] = [
        &[b"CREATE", key, orders, b"STOCK", b"90", b"ITEMLIMIT", b"80"],
        &[b"RESERVE", key, name, b"2", b"ID", name],
        &[b"EXTEND", key, name, b"900000"],
        &[
            b"CHECKOUT",
            key,
            orders,
            name,
            b"REF",
            name,
            b"PAYLOAD",
            b"\"\\u0000\"",
        ],
        &[b"REFUND", key, orders, name, b"QTY", b"1", b"REF", name],
        &[b"RESERVE", key, name, b"1", b"ID", b"other"],
        &[b"RELEASE", key, b"other", b"USER", name],
        &[b"RELEASE", key, b"unseen", b"USER", name],
        &[b"BUY", key, orders, name, b"1", b"REF", name],
        &[b"RESTOCK", key, b"5", b"REF", name],
        &[b"BIND", key, name],
        &[b"RESERVE", key, name, b"3", b"ID", b"open"],
    ];
    for line in lines {
        let command = [b"FLASHSALE.", line[0]].concat();
        let words = [&[&command[..]], &line[1..]].concat();
        let reply = render(&con.run_words(&words));
        assert!(
            !reply.contains("(error)"),
            "{}: {reply}",
            command.escape_ascii()
        );
    }
    // In full, and not only the same in all places.
    for of in ["user", "ref"] {
        let value = field(con, &[b"FLASHSALE.GET", key, name], of);
        assert_eq!(value, Value::BulkString(name.to_vec()), "{of}");
    }
}

/// What clients are told of a sale with such names.
fn told(con: &mut Con, key: &[u8], name: &[u8]) -> Vec<String> {
    let questions: [&[&[u8]]; 4] = [
        &[b"FLASHSALE.GET", key, name],
        &[b"FLASHSALE.USER", key, name],
        &[b"FLASHSALE.STOCK", key],
        &[b"XRANGE", name, b"-", b"+"],
    ];
    let answer = |words: &&[&[u8]]| render(&con.run_words(words));
    let mut answers: Vec<String> = questions.iter().map(answer).collect();
    // The order of ids is that of slots, which is a copy's own.
    let scan = render(&con.run_words(&[b"FLASHSALE.SCAN", key, b"0", b"COUNT", b"1000"]));
    answers.push(scan.len().to_string());
    answers.push(render(&con.run_words(&[
        b"DEBUG",
        b"DIGEST-VALUE",
        key,
        name,
    ])));
    answers
}

#[test]
fn hostile_names_arrive_everywhere_as_they_were_sent() {
    let arguments = "--appendonly yes --aof-use-rdb-preamble no --appendfsync always";
    let Some(mut server) = Server::own(&[arguments], &[]) else {
        return;
    };
    let replica = Server::own(&[], &[]).expect("a server");
    replicate(&server, &replica);
    let mut con = server.conn();
    let of = |index: usize| {
        let name = HOSTILE[index];
        let key = [b"sale of ", name].concat();
        let orders = [b"orders of ", name].concat();
        (key, orders, name)
    };
    for index in 0..HOSTILE.len() {
        let (key, orders, name) = of(index);
        live(&mut con, &key, &orders, name);
    }
    let everything = |con: &mut Con| -> Vec<Vec<String>> {
        let all = (0..HOSTILE.len()).map(of);
        all.map(|(key, _, name)| told(con, &key, name)).collect()
    };
    let expected = everything(&mut con);
    wait_for_replica(&server, &replica);
    assert_eq!(everything(&mut replica.conn()), expected, "on the replica");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(everything(&mut con), expected, "from the RDB file");
    server.kill9();
    server.start_again(&[]);
    let mut con = server.conn();
    assert_eq!(everything(&mut con), expected, "from the events of the AOF");
    aof::rewrite(&mut con);
    server.restart();
    assert_eq!(
        everything(&mut server.conn()),
        expected,
        "from the chunks of the AOF"
    );
    // Nothing of it stands in the log as it is.
    for log in [server.log(), replica.log()] {
        assert!(!log.contains('\0') && !log.contains("FLUSHALL"), "{log}");
    }
}
