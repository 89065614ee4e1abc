//! The commands as different callers have them: bytes on a socket, a transaction, a
//! script, and `redis-cli`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::{array, sale};
use crate::support::{Server, render};

/// The bytes of the replies to some lines, line ends shown as spaces.
fn raw(server: &Server, lines: &[&str]) -> Vec<String> {
    let socket = TcpStream::connect(server.address()).expect("a connection");
    let patience = std::time::Duration::from_secs(20);
    socket.set_read_timeout(Some(patience)).expect("a timeout");
    let mut stream = BufReader::new(socket);
    let mut replies = Vec::new();
    for line in lines {
        stream
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .expect("sent");
        replies.push(raw_reply(&mut stream).replace("\r\n", " "));
    }
    replies
}

/// One reply, byte for byte.
fn raw_reply(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a line");
    let length: i64 = line[1..].trim_end().parse().unwrap_or(0);
    let elements = match line.as_bytes()[0] {
        b'$' if length >= 0 => {
            let mut text = vec![0; length as usize + 2];
            stream.read_exact(&mut text).expect("a string");
            line += &String::from_utf8_lossy(&text);
            0
        }
        b'*' | b'~' => length,
        b'%' => length * 2,
        _ => 0,
    };
    for _ in 0..elements {
        line += &raw_reply(stream);
    }
    line
}

#[test]
fn replies_in_the_raw_protocol() {
    let server = Server::any();
    let replies = raw(
        &server,
        &[
            "FLASHSALE.CREATE sale:1 orders:1 STOCK 9",
            "FLASHSALE.RELEASE sale:1 r9",
            "FLASHSALE.GET sale:1 nosuch",
            "FLASHSALE.STOCK sale:1 default nosuch",
            "FLASHSALE.USER sale:1 nobody",
            "FLASHSALE.SCAN sale:1 0 STATE sold",
            "FLASHSALE.INFO nosuch",
            "FLASHSALE.RESERVE sale:1 alice 99",
            "FLASHSALE.RESTOCK sale:1 -1",
        ],
    );
    let user = "$8 reserved :0 $4 sold :0 $7 counted :0 $14 user_remaining";
    let expected = [
        "+OK ",
        "*2 $8 RELEASED $2 r9 ",
        "$-1 ",
        "*2 *5 $7 default :9 :0 :0 :0 $-1 ",
        &format!("*14 {user} :-1 $4 open :0 $12 reservations *0 $7 waiting $-1 "),
        "*2 $1 0 *0 ",
        "-NOSALE key: no such sale: 'nosuch' ",
        "*3 $7 SOLDOUT :9 $7 default ",
        "*2 $9 RESTOCKED *3 $7 default :8 :8 ",
    ];
    assert_eq!(replies, expected);
    let replies = raw(
        &server,
        &[
            "HELLO 3",
            "FLASHSALE.GET sale:1 nosuch",
            "FLASHSALE.STOCK sale:1 default nosuch",
            "FLASHSALE.USER sale:1 nobody",
            "FLASHSALE.GET sale:1 r9",
            "FLASHSALE.RESERVE sale:1 alice 99",
            "FLASHSALE.INFO nosuch",
        ],
    );
    let nulls =
        "$5 items *0 $8 refunded *0 $14 reserved_at_ms _ $13 expires_at_ms _ $10 sold_at_ms _";
    assert_eq!(replies[1], "_ ");
    assert_eq!(replies[2], "*2 *5 $7 default :8 :0 :0 :0 _ ");
    assert_eq!(
        replies[3],
        format!("%7 {user} :-1 $4 open :0 $12 reservations *0 $7 waiting _ ")
    );
    let released = format!("%14 $5 state $8 released $4 user _ {nulls} $14 released_at_ms :");
    assert!(replies[4].starts_with(&released), "{}", replies[4]);
    assert_eq!(replies[5], "*3 $7 SOLDOUT :8 $7 default ");
    assert_eq!(replies[6], "-NOSALE key: no such sale: 'nosuch' ");
}

#[test]
fn a_transaction_answers_as_the_commands_would() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.says("MULTI", "OK");
    for line in [
        "FLASHSALE.RESERVE sale:1 bob 1 ID r2",
        "FLASHSALE.RESERVE sale:1 bob 0",
        "FLASHSALE.CHECKOUT sale:1 orders:1 r2",
        "FLASHSALE.GET sale:1 nosuch",
        "FLASHSALE.STOCK sale:1",
        "FLASHSALE.RESERVE nosuch bob 1",
        "FLASHSALE.RELEASE sale:1 r1",
    ] {
        con.says(line, "+QUEUED");
    }
    let replies: Vec<String> = array(con.run("EXEC")).iter().map(render).collect();
    assert!(replies[0].starts_with("RESERVED r2"), "{}", replies[0]);
    assert!(replies[1].contains("ERR qty"), "{}", replies[1]);
    assert!(replies[2].starts_with("SOLD r2"), "{}", replies[2]);
    assert_eq!(replies[3], "(nil)");
    assert_eq!(replies[4], "[default 97 2 1 0]");
    assert!(replies[5].contains("NOSALE"), "{}", replies[5]);
    assert_eq!(replies[6], "RELEASED r1");
    // A line the server itself cannot take ends the transaction before it begins.
    con.says("MULTI", "OK");
    con.says("FLASHSALE.RESTOCK sale:1 5", "+QUEUED");
    assert!(con.show("FLASHSALE.RESERVE sale:1").contains("(error)"));
    assert!(con.show("EXEC").contains("EXECABORT"));
    con.says("FLASHSALE.STOCK sale:1", "[default 99 0 1 0]");
    con.says("MULTI", "OK");
    con.says("FLASHSALE.RESTOCK sale:1 5", "+QUEUED");
    con.says("DISCARD", "OK");
    con.says("FLASHSALE.STOCK sale:1", "[default 99 0 1 0]");
}

#[test]
fn a_script_gets_arrays_errors_and_maps() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    let mut eval = |script: &str, pattern: &str| {
        con.says(&format!("EVAL '{script}' 2 sale:1 orders:1"), pattern);
    };
    eval(
        "local r = redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"bob\", 3, \"ID\", \"r2\") \
         return {r[1], r[2], r[4], r[5]}",
        "RESERVED r2 95 47",
    );
    // A refusal is a reply like any other; an error is one.
    eval(
        "return redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"bob\", 48)[1]",
        "USERLIMIT",
    );
    eval(
        "local r = redis.pcall(\"FLASHSALE.RESERVE\", KEYS[1], \"bob\", 0) \
         return string.sub(r.err, 1, 8)",
        "\"ERR qty:\"",
    );
    eval(
        "return redis.call(\"FLASHSALE.GET\", KEYS[1], \"nosuch\")",
        "(nil)",
    );
    eval(
        "return redis.call(\"FLASHSALE.GET\", KEYS[1], \"r2\")[2]",
        "reserved",
    );
    eval(
        "redis.setresp(3) local r = redis.call(\"FLASHSALE.GET\", KEYS[1], \"r2\") \
         return {r.map.state, r.map.user}",
        "reserved bob",
    );
    eval(
        "local r = redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2], \"r2\") \
         return {r[1], redis.call(\"XLEN\", KEYS[2])}",
        "SOLD 1",
    );
    for (line, part) in [
        (
            "EVAL 'return redis.call(\"FLASHSALE.PAUSE\", KEYS[1], 1)' 1 sale:1",
            "rong number of arg",
        ),
        (
            "EVAL_RO 'return redis.call(\"FLASHSALE.PAUSE\", KEYS[1])' 1 sale:1",
            "rite commands",
        ),
        (
            "EVAL 'return redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"bob\", 0)' 1 sale:1",
            "ERR qty:",
        ),
        (
            "EVAL 'return redis.call(\"FLASHSALE.STOCK\", KEYS[1])' 1 nosuch",
            "NOSALE",
        ),
    ] {
        let reply = con.show(line);
        assert!(
            reply.contains("(error)") && reply.contains(part),
            "{line}: {reply}"
        );
    }
    con.says(
        "EVAL_RO 'return redis.call(\"FLASHSALE.STOCK\", KEYS[1])' 1 sale:1",
        "[default 95 2 3 0]",
    );
    con.fields("FLASHSALE.INFO sale:1", "state open");
}

/// What `redis-cli` prints for one line, and whether it calls it a success.
fn cli(server: &Server, arguments: &str) -> Option<(String, bool)> {
    let (host, port) = server.address().split_once(':').expect("host:port");
    let output = Command::new("redis-cli")
        .args(["-h", host, "-p", port])
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some((
            String::from_utf8_lossy(&output.stdout).into_owned(),
            output.status.success(),
        )),
        Err(_) => {
            eprintln!("skipped: no redis-cli on the path");
            None
        }
    }
}

#[test]
fn redis_cli_shows_status_numbers_and_maps() {
    let server = Server::any();
    sale(&mut server.conn());
    let Some((shown, _)) = cli(&server, "--no-raw FLASHSALE.BUY sale:1 orders:1 bob 99") else {
        return;
    };
    assert_eq!(shown, "1) \"USERLIMIT\"\n2) (integer) 50\n");
    for (arguments, expected) in [
        ("--no-raw FLASHSALE.PAUSE sale:1", "OK\n"),
        ("--no-raw FLASHSALE.RESUME sale:1", "OK\n"),
        ("--no-raw FLASHSALE.GET sale:1 nosuch", "(nil)\n"),
        (
            "--no-raw FLASHSALE.INFO nosuch",
            "(error) NOSALE key: no such sale: 'nosuch'\n",
        ),
        (
            "--no-raw FLASHSALE.STOCK sale:1 default nosuch",
            "1) 1) \"default\"\n   2) (integer) 98\n   3) (integer) 2\n   4) (integer) 0\n   5) (integer) 0\n2) (nil)\n",
        ),
        (
            "-3 --no-raw FLASHSALE.USER sale:1 alice",
            "1# \"reserved\" => (integer) 2\n2# \"sold\" => (integer) 0\n\
             3# \"counted\" => (integer) 2\n4# \"user_remaining\" => (integer) 48\n\
             5# \"open\" => (integer) 1\n6# \"reservations\" => 1) \"r1\"\n7# \"waiting\" => (nil)\n",
        ),
        ("FLASHSALE.RELEASE sale:1 r1", "RELEASED\nr1\n"),
    ] {
        let (shown, _) = cli(&server, arguments).expect("redis-cli as before");
        assert_eq!(shown, expected, "{arguments}");
    }
    let (_, is_success) = cli(&server, "-e FLASHSALE.INFO nosuch").expect("redis-cli as before");
    assert!(!is_success, "an error is one to a shell");
    let (_, is_success) = cli(&server, "-e FLASHSALE.RESERVE sale:1 bob 99").expect("as before");
    assert!(is_success, "a refusal is none");
}
