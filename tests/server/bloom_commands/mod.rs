//! **Goal**: every reply and every error of the commands of filters, under both names and
//! in both protocols: RedisBloom's, but for what is written down as different.
//!
//! **Method**: a server with the aliases, and a table of lines and answers for each
//! command; booleans, maps, nested errors and nulls are held against the very bytes.

mod bytes;

use crate::support::{Con, Server, words_of};

/// The names of the commands of filters.
const PREFIXES: [&str; 2] = ["FLASHSALE.BF", "BF."];

/// A server that knows both.
fn server() -> Option<Server> {
    Server::own(&[], &["bf-aliases yes"])
}

/// Runs lines and answers under both names, each time on an empty server.
#[track_caller]
fn run(steps: &[(&str, &str)]) {
    let Some(server) = server() else { return };
    for prefix in PREFIXES {
        let mut con = server.conn();
        con.says("FLUSHALL", "OK");
        for (line, expected) in steps {
            step(&mut con, prefix, line, expected);
        }
    }
}

/// `ERR ...` as an answer is an error of this text, after which nothing has changed.
#[track_caller]
fn step(con: &mut Con, prefix: &str, line: &str, expected: &str) {
    let line = if line.starts_with(char::is_uppercase) && !line.starts_with("SET ") {
        format!("{prefix}{line}")
    } else {
        line.trim_start_matches('.').to_owned()
    };
    if !expected.starts_with("ERR ") && !expected.starts_with("WRONGTYPE ") {
        con.says(&line, expected);
        return;
    }
    let name = words_of(&line)[0].clone();
    let name = String::from_utf8_lossy(&name).to_lowercase();
    let expected = expected.replace("'NAME'", &format!("'{name}'"));
    let changes = |con: &mut Con| con.info("persistence", "rdb_changes_since_last_save");
    let before = changes(con);
    assert_eq!(con.show(&line), format!("(error) {expected:?}"), "{line}");
    assert_eq!(before, changes(con), "{line}: an error, yet a change");
}

const ARITY: &str = "ERR wrong number of arguments for 'NAME' command";
const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const RANGE: &str = "ERR error rate must be in the range (0.000000, 1.000000)";
const FULL: &str = "(error) \"ERR non scaling filter is full\"";

#[test]
fn reserve() {
    run(&[
        ("RESERVE f 0.01 100", "OK"),
        ("INFO f ITEMS", "0"),
        ("RESERVE f 0.01 100", "ERR item exists"),
        ("RESERVE f 0.01 x", "ERR bad capacity"),
        ("RESERVE four 1e-2 100 expansion 4", "OK"),
        ("INFO four EXPANSION", "4"),
        ("RESERVE zero .01 100 EXPANSION 0", "OK"),
        ("INFO zero EXPANSION", "(nil)"),
        ("RESERVE both 0.01 100 EXPANSION 0 NONSCALING", "OK"),
        ("RESERVE fixed 0.01 100 NonScaling", "OK"),
        ("INFO fixed EXPANSION", "(nil)"),
        ("RESERVE most 0.9 1 EXPANSION 32768", "OK"),
        ("SET text x", "OK"),
        ("RESERVE text 0.01 100", WRONG_TYPE),
        ("RESERVE text 5 100", RANGE),
        ("RESERVE", ARITY),
        ("RESERVE x 0.01", ARITY),
        (
            "RESERVE x 0.01 100 EXPANSION 2 NONSCALING NONSCALING",
            ARITY,
        ),
        ("RESERVE x y z", "ERR bad error rate"),
        ("RESERVE x '' 100", "ERR bad error rate"),
        ("RESERVE x ' 0.1' 100", "ERR bad error rate"),
        ("RESERVE x nan 100", "ERR bad error rate"),
        ("RESERVE x 0 z", RANGE),
        ("RESERVE x 1 100", RANGE),
        ("RESERVE x -0.1 100", RANGE),
        ("RESERVE x inf 100", RANGE),
        (
            "RESERVE x 1e-10 100",
            "ERR error rate must be at least 0.000000001",
        ),
        ("RESERVE x 0.01 1e3", "ERR bad capacity"),
        ("RESERVE x 0.01 +5", "ERR bad capacity"),
        ("RESERVE x 0.01 007", "ERR bad capacity"),
        (
            "RESERVE x 0.01 0",
            "ERR capacity must be in the range [1, 1073741824]",
        ),
        (
            "RESERVE x 0.01 -1",
            "ERR capacity must be in the range [1, 1073741824]",
        ),
        (
            "RESERVE x 0.01 1073741825",
            "ERR capacity must be in the range [1, 1073741824]",
        ),
        ("RESERVE x 0.01 100 EXPANSION", "ERR no expansion"),
        ("RESERVE x 0.01 100 EXPANSION two", "ERR bad expansion"),
        (
            "RESERVE x 0.01 100 EXPANSION 32769",
            "ERR expansion must be in the range [0, 32768]",
        ),
        (
            "RESERVE x 0.01 100 EXPANSION -1",
            "ERR expansion must be in the range [0, 32768]",
        ),
        (
            "RESERVE x 0.01 100 EXPANSION 2 NONSCALING",
            "ERR Nonscaling filters cannot expand",
        ),
        (
            "RESERVE x 0.01 100 NONSCALING EXPANSION -2",
            "ERR Nonscaling filters cannot expand",
        ),
        (
            "RESERVE x 0.01 100 NOSCALE",
            "ERR Unknown argument received: 'NOSCALE'",
        ),
        ("EXISTS x a", "0"),
        (".EXISTS x", "0"),
    ]);
}

#[test]
fn add_and_exists() {
    run(&[
        ("EXISTS f a", "0"),
        ("ADD f a", "1"),
        ("ADD f a", "0"),
        ("ADD f ''", "1"),
        ("EXISTS f a", "1"),
        ("EXISTS f ''", "1"),
        ("EXISTS f b", "0"),
        ("CARD f", "2"),
        ("INFO f", "+Capacity 100 +Size ..."),
        ("ADD f", ARITY),
        ("ADD f a b", ARITY),
        ("EXISTS f", ARITY),
        ("EXISTS f a b", ARITY),
        ("SET text x", "OK"),
        ("ADD text a", WRONG_TYPE),
        ("EXISTS text a", WRONG_TYPE),
        ("RESERVE n 0.001 1 NONSCALING", "OK"),
        ("ADD n a", "1"),
        ("ADD n a", "0"),
        ("ADD n b", "ERR non scaling filter is full"),
        ("CARD n", "1"),
    ]);
}

#[test]
fn many_at_once() {
    let full = |answers: &str| format!("{answers} {FULL}").trim_start().to_owned();
    run(&[
        ("MEXISTS f a b", "0 0"),
        ("MADD f a b a", "1 1 0"),
        ("MADD f c", "1"),
        ("MEXISTS f a b c d", "1 1 1 0"),
        ("MEXISTS f a", "1"),
        ("MADD f", ARITY),
        ("MEXISTS f", ARITY),
        ("SET text x", "OK"),
        ("MADD text a", WRONG_TYPE),
        ("MEXISTS text a", WRONG_TYPE),
        ("RESERVE n 0.0001 2 NONSCALING", "OK"),
        ("MADD n p p q r s", &full("1 0 1")),
        ("MADD n z p", &full("")),
        ("MADD n q z p", &full("0")),
        ("MADD n q p", "0 0"),
        ("CARD n", "2"),
        ("MEXISTS n p q r s", "1 1 0 0"),
    ]);
}

#[test]
fn insert() {
    run(&[
        ("INSERT f ITEMS a b a", "1 1 0"),
        ("INFO f CAPACITY", "100"),
        ("INSERT g CAPACITY 7 ERROR 0.001 EXPANSION 3 ITEMS a", "1"),
        ("INFO g CAPACITY", "7"),
        ("INFO g EXPANSION", "3"),
        ("INSERT g nocreate capacity 9 items a b", "0 1"),
        ("INFO g CAPACITY", "7"),
        (
            "INSERT n NONSCALING EXPANSION 4 CAPACITY 1 ITEMS a b c",
            &format!("1 {FULL}"),
        ),
        ("INFO n EXPANSION", "(nil)"),
        ("INSERT z EXPANSION 0 ITEMS a", "1"),
        ("INFO z EXPANSION", "(nil)"),
        (
            "INSERT l CAPACITY 5 EXPANSION 0 CAPACITY 6 EXPANSION 2 ITEMS ITEMS CAPACITY",
            "1 1",
        ),
        ("INFO l CAPACITY", "6"),
        ("INFO l EXPANSION", "2"),
        ("INSERT x NOCREATE ITEMS a", "ERR not found"),
        (
            "INSERT x NOCREATE CAPACITY 5 ERROR 0.1 ITEMS a",
            "ERR not found",
        ),
        ("INSERT f CAPACITY 0 ITEMS new", "ERR Bad capacity"),
        ("EXISTS f new", "0"),
        ("INSERT x", ARITY),
        ("INSERT x ITEMS", ARITY),
        ("INSERT x CAPACITY 10", ARITY),
        ("INSERT x NOCREATE CAPACITY", ARITY),
        ("INSERT x NOCREATE NONSCALING", ARITY),
        ("INSERT x NOCREATE ITEMS", ARITY),
        ("INSERT x CAPACITY ten ITEMS a", "ERR Bad capacity"),
        ("INSERT x ERROR 1 ITEMS a", "ERR Bad error rate"),
        ("INSERT x ERROR x ITEMS a", "ERR Bad error rate"),
        (
            "INSERT x ERROR 1e-10 ITEMS a",
            "ERR error rate must be at least 0.000000001",
        ),
        ("INSERT x EXPANSION 40000 ITEMS a", "ERR Bad expansion"),
        ("INSERT x ITEM a b", "ERR Unknown argument received: 'ITEM'"),
        ("INSERT x '' ITEMS a", "ERR Unknown argument received: ''"),
        ("SET text x", "OK"),
        ("INSERT text ITEMS a", WRONG_TYPE),
        ("INSERT text NOCREATE ITEMS a", WRONG_TYPE),
        ("INSERT text CAPACITY 0 ITEMS a", "ERR Bad capacity"),
        (".EXISTS x", "0"),
    ]);
}

#[test]
fn card_and_info() {
    run(&[
        ("CARD f", "0"),
        ("INFO f", "ERR not found"),
        ("INFO f NOSUCH", "ERR not found"),
        ("RESERVE f 0.01 10", "OK"),
        (
            "INSERT f ITEMS 1 2 3 4 5 6 7 8 9 10 11 12",
            "1 1 1 1 1 1 1 1 1 1 1 1",
        ),
        ("CARD f", "12"),
        ("INFO f capacity", "30"),
        ("INFO f Filters", "2"),
        ("INFO f ITEMS", "12"),
        ("INFO f EXPANSION", "2"),
        ("INFO f NOSUCH", "ERR Invalid information value"),
        ("INFO f ''", "ERR Invalid information value"),
        ("INFO f SIZE ITEMS", ARITY),
        ("INFO", ARITY),
        ("CARD", ARITY),
        ("CARD f f", ARITY),
        ("SET text x", "OK"),
        ("CARD text", WRONG_TYPE),
        ("INFO text", WRONG_TYPE),
        ("INFO text NOSUCH", WRONG_TYPE),
    ]);
}

#[test]
fn debug() {
    run(&[
        ("DEBUG f", "ERR not found"),
        ("RESERVE f 0.01 10", "OK"),
        (
            "MADD f 1 2 3 4 5 6 7 8 9 10 11 12",
            "1 1 1 1 1 1 1 1 1 1 1 1",
        ),
        (
            "DEBUG f",
            "size:12 \
             \"bytes:64 bits:512 hashes:7 hashwidth:64 capacity:10 size:10 ratio:0.00607927\" \
             \"bytes:64 bits:512 hashes:9 hashwidth:64 capacity:20 size:2 ratio:0.00150607\"",
        ),
        // Of a rate that takes two blocks an item.
        ("RESERVE n 0.000001 10 NONSCALING", "OK"),
        (
            "DEBUG n",
            "size:0 \"bytes:64 bits:512 hashes:18 hashwidth:64 capacity:10 size:0 ratio:1e-06\"",
        ),
        ("DEBUG", ARITY),
        ("DEBUG f f", ARITY),
        ("SET text x", "OK"),
        ("DEBUG text", WRONG_TYPE),
    ]);
}

#[test]
fn clear() {
    run(&[
        ("CLEAR f", "ERR not found"),
        ("RESERVE f 0.01 10 EXPANSION 3", "OK"),
        ("CLEAR f", "OK"),
        (
            "INSERT f ITEMS 1 2 3 4 5 6 7 8 9 10 11 12",
            "1 1 1 1 1 1 1 1 1 1 1 1",
        ),
        (".EXPIRE f 1000", "1"),
        ("CLEAR f", "OK"),
        (".TTL f", "<=1000"),
        ("CARD f", "0"),
        ("INFO f FILTERS", "1"),
        ("INFO f CAPACITY", "10"),
        ("INFO f EXPANSION", "3"),
        ("MEXISTS f 1 12", "0 0"),
        ("ADD f 1", "1"),
        ("CLEAR", ARITY),
        ("CLEAR f f", ARITY),
        ("SET text x", "OK"),
        ("CLEAR text", WRONG_TYPE),
    ]);
}

#[test]
fn merge() {
    run(&[
        ("RESERVE a 0.001 10 NONSCALING", "OK"),
        ("RESERVE b 0.001 10 NONSCALING", "OK"),
        ("RESERVE c 0.001 10 NONSCALING", "OK"),
        ("MADD a 1 2 3", "1 1 1"),
        ("MADD b 3 4", "1 1"),
        ("MADD c 5 6 7 8 9 10 11", "1 1 1 1 1 1 1"),
        ("MERGE u a b", "OK"),
        ("MEXISTS u 1 2 3 4 5", "1 1 1 1 0"),
        ("CARD u", "5"),
        ("INFO u EXPANSION", "(nil)"),
        ("MERGE u a b b u a", "OK"),
        ("CARD u", "5"),
        (
            "MERGE u a c",
            "ERR src: 'c' would be overfull: 12 items in filter 1, which holds 10",
        ),
        ("EXISTS u 5", "0"),
        ("MERGE u a nosuch c", "ERR not found: 'nosuch'"),
        ("MERGE new nosuch", "ERR not found: 'nosuch'"),
        ("MERGE new new", "ERR not found: 'new'"),
        ("MERGE u u", "OK"),
        ("RESERVE rate 0.002 10 NONSCALING", "OK"),
        ("MERGE u rate", "ERR src: 'rate' has another error rate"),
        ("RESERVE scaling 0.001 10", "OK"),
        (
            "MERGE u scaling",
            "ERR src: 'scaling' has another expansion",
        ),
        ("RESERVE larger 0.001 11 NONSCALING", "OK"),
        (
            "MERGE new a larger",
            "ERR src: 'larger' has another size of filter 1",
        ),
        ("SET text x", "OK"),
        ("MERGE text a", WRONG_TYPE),
        ("MERGE u a text", WRONG_TYPE),
        ("MERGE u", ARITY),
        (".EXISTS new", "0"),
    ]);
}

#[test]
fn scandump_and_loadchunk() {
    run(&[
        ("SCANDUMP f 0", "ERR not found"),
        ("SCANDUMP f x", "ERR not found"),
        ("RESERVE f 0.01 10", "OK"),
        ("SCANDUMP f x", "ERR Second argument must be numeric"),
        ("SCANDUMP f 1e3", "ERR Second argument must be numeric"),
        ("SCANDUMP f 0", "1 *"),
        ("SCANDUMP f 1", "65 *"),
        ("SCANDUMP f 65", "0 \"\""),
        ("SCANDUMP f -1", "0 \"\""),
        ("SCANDUMP f 9223372036854775807", "0 \"\""),
        ("SCANDUMP f", ARITY),
        ("SCANDUMP f 0 0", ARITY),
        ("LOADCHUNK f x data", "ERR Second argument must be numeric"),
        ("LOADCHUNK f 1 data", "ERR received bad data"),
        ("LOADCHUNK f 0 data", "ERR received bad data"),
        ("LOADCHUNK f 9 ''", "ERR received bad data"),
        ("LOADCHUNK f 65 data", "ERR received bad data"),
        ("LOADCHUNK f 99 data", "ERR received bad data"),
        ("LOADCHUNK f -5 data", "ERR received bad data"),
        ("LOADCHUNK g 1 data", "ERR received bad data"),
        ("LOADCHUNK g 2 data", "ERR not found"),
        ("LOADCHUNK g 0 data", "ERR not found"),
        ("LOADCHUNK g 1", ARITY),
        ("LOADCHUNK g 1 a b", ARITY),
        ("SET text x", "OK"),
        ("SCANDUMP text x", WRONG_TYPE),
        ("LOADCHUNK text 1 data", WRONG_TYPE),
        (
            "LOADCHUNK text x data",
            "ERR Second argument must be numeric",
        ),
    ]);
}

#[test]
fn internal_commands_are_an_error_from_a_client() {
    let server = Server::any();
    let mut con = server.conn();
    for line in ["FLASHSALE.BFAPPLY f x", "FLASHSALE.BFLOAD f x"] {
        con.fails(line, "ERR", "internal");
    }
}

#[test]
fn dumps_of_redisbloom_are_refused() {
    let server = Server::any();
    let mut con = server.conn();
    // Its documentation's: one item in a filter of `0.1 10`.
    let mut header = Vec::new();
    header.extend_from_slice(&1_u64.to_le_bytes());
    [1_u32, 5, 2]
        .iter()
        .for_each(|part| header.extend_from_slice(&part.to_le_bytes()));
    [8_u64, 64, 1]
        .iter()
        .for_each(|part| header.extend_from_slice(&part.to_le_bytes()));
    [0.05_f64, 6.2352]
        .iter()
        .for_each(|part| header.extend_from_slice(&part.to_le_bytes()));
    header.extend_from_slice(&5_u32.to_le_bytes());
    header.extend_from_slice(&10_u64.to_le_bytes());
    header.push(0);
    assert_eq!(header.len(), 73);
    con.fails_words(
        &[b"FLASHSALE.BFLOADCHUNK", b"f", b"1", &header],
        "ERR",
        "received bad data: a dump of RedisBloom, whose filters have other bits; add the items anew",
    );
    con.says("EXISTS f", "0");
    // Into a filter that is there: its header, and bits that fit.
    con.says("FLASHSALE.BFADD f a", "1");
    let digest = con.digest("f");
    for (iterator, data, text) in [
        (&b"1"[..], &header[..], "a dump of RedisBloom"),
        (b"9", &[0xff; 8], "received bad data"),
    ] {
        let line = [&b"FLASHSALE.BFLOADCHUNK"[..], b"f", iterator, data];
        con.fails_words(&line, "ERR", text);
    }
    assert_eq!(con.digest("f"), digest);
}
