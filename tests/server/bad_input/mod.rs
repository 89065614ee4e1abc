//! **Goal**: for every argument of every command - missing, empty, too long, signed, a
//! float, out of range, an option unknown or given twice, a key of the wrong type or
//! missing - the answer is an error that names the argument; nothing has changed and
//! nothing is replicated. And bytes are bytes: names come back as they were sent, and
//! no error lets them reach into the protocol.
//!
//! **Method**: `bad_input/lines.rs` has every command as a valid line, each argument
//! with its kind; `bad_input/cases.rs` makes the wrong lines from it. Each is sent to a
//! server with a replica's feed and an AOF; afterwards the digest of all data, the
//! count of changes, the size of the AOF and the feed must be as before. The same line
//! about a key that is not there must get the same error: what is wrong with the line
//! itself is told first. Then lines that nobody would write, from a seed; and names of
//! hostile bytes on their whole way, into files and replicas.

mod bytes;
mod cases;
mod garbage;
mod journeys;
mod keys;
mod lines;

use redis::Value;

use crate::support::{Con, Feed, Server, render, text_of};
use cases::{Case, Named, cases};
use lines::{Kind, LINES, Line, SETUP};

/// How long an error may be: it may repeat what it is about, not all of it.
const ERROR_BYTES_MAX: usize = 200;

/// A server whose every change leaves a trace.
struct Watched {
    con: Con,
    feed: Feed,
    server: Server,
}

impl Watched {
    fn start() -> Option<Watched> {
        let server = Server::own(&["--appendonly yes --appendfsync always"], &[])?;
        let mut con = server.conn();
        for line in SETUP {
            let reply = con.show(line);
            assert!(!reply.contains("(error)"), "{line}: {reply}");
        }
        let feed = Feed::follow(&server);
        Some(Watched { con, feed, server })
    }

    /// What a change would leave behind.
    fn traces(&mut self) -> [String; 3] {
        [
            self.con.show("DEBUG DIGEST"),
            self.con.info("persistence", "rdb_changes_since_last_save"),
            self.con.info("persistence", "aof_current_size"),
        ]
    }

    /// Sends lines that are errors, and asserts that they leave nothing behind.
    /// Returns code and text of each.
    #[track_caller]
    fn errors(&mut self, lines: &[Vec<Vec<u8>>]) -> Vec<(String, String)> {
        let before = self.traces();
        self.feed.commands();
        let errors = lines
            .iter()
            .map(|words| error(&mut self.con, words))
            .collect();
        assert_eq!(
            before,
            self.traces(),
            "something changed: {}",
            shown(&lines[0])
        );
        let replicated = self.feed.short();
        assert!(
            replicated.is_empty(),
            "replicated: {replicated:?} by {}",
            shown(&lines[0])
        );
        errors
    }
}

fn slices(words: &[Vec<u8>]) -> Vec<&[u8]> {
    words.iter().map(Vec::as_slice).collect()
}

fn shown(words: &[Vec<u8>]) -> String {
    let word = |word: &Vec<u8>| word[..word.len().min(60)].escape_ascii().to_string();
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A field of the newest entry of the stream `orders`.
#[track_caller]
fn last_order(con: &mut Con, name: &str) -> Vec<u8> {
    let Value::Array(entries) = con.run("XREVRANGE orders + - COUNT 1") else {
        panic!("XREVRANGE");
    };
    let Value::Array(entry) = &entries[0] else {
        panic!("an entry");
    };
    let Value::Array(fields) = &entry[1] else {
        panic!("its fields");
    };
    let is_wanted = |pair: &&[Value]| text_of(&pair[0]) == name;
    match fields.chunks(2).find(is_wanted) {
        Some([_, Value::BulkString(value)]) => value.clone(),
        _ => panic!("no {name}"),
    }
}

/// The error a line gets: its code and its text, fit to be read.
#[track_caller]
fn error(con: &mut Con, words: &[Vec<u8>]) -> (String, String) {
    let reply = con.run_words(&slices(words));
    let Value::ServerError(error) = &reply else {
        panic!("{}: no error: {}", shown(words), render(&reply));
    };
    let text = error.details().unwrap_or_default().to_owned();
    assert!(
        text.len() <= ERROR_BYTES_MAX && !text.chars().any(char::is_control),
        "{}: not a clear text: {text:?}",
        shown(words)
    );
    (error.code().to_owned(), text)
}

/// Does the text begin with the argument's name, or quote the word?
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    text.starts_with(&format!("{name}: ")) || text.contains(&format!("'{name}'"))
}

/// The same line about a sale that is not there.
fn elsewhere(line: &Line, words: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let at = line.position(Kind::Sale)?;
    let mut words = words.to_vec();
    *words.get_mut(at)? = b"nosuch".to_vec();
    Some(words)
}

#[test]
fn every_line_of_the_table_is_right() {
    let server = Server::any();
    let mut con = server.conn();
    for line in &LINES {
        let options = line.options();
        let mut lines = vec![line.with(&[]), line.with(&options.concat())];
        lines.extend(options.iter().map(|option| line.with(option)));
        for words in lines {
            con.run("FLUSHALL");
            for setup in SETUP {
                con.run(setup);
            }
            let reply = con.run_words(&slices(&words));
            assert!(
                !render(&reply).contains("(error)"),
                "{}: {}",
                shown(&words),
                render(&reply)
            );
        }
    }
}

#[test]
fn the_table_has_every_command_and_every_option() {
    let server = Server::any();
    let mut con = server.conn();
    let Value::Array(help) = con.run("FLASHSALE.HELP") else {
        panic!("HELP");
    };
    let help: Vec<String> = help.iter().map(text_of).collect();
    for syntax in help.iter().filter(|text| text.starts_with("FLASHSALE.")) {
        let words: Vec<&str> = syntax.split([' ', '[', ']', '{', '}']).collect();
        let command = words[0].trim_start_matches("FLASHSALE.");
        // Filters have RedisBloom's errors: `bloom_commands.rs` has them. Batches have errors
        // in the places of their entries: `batch/errors.rs` has them.
        // A share id is drawn at random: `beyond/shares.rs` has GIVE and TAKE.
        if ["HELP", "DOCTOR", "GIVE", "TAKE"].contains(&command)
            || ["BF", "M"].iter().any(|family| command.starts_with(family))
        {
            continue;
        }
        let of_it: Vec<&Line> = LINES
            .iter()
            .filter(|line| line.command == command)
            .collect();
        assert!(!of_it.is_empty(), "{command} is not in the table");
        let keywords = words[1..]
            .iter()
            .filter(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase()));
        for keyword in keywords {
            let full = of_it.iter().map(|line| line.with(&line.options().concat()));
            let has_it = full
                .into_iter()
                .any(|words| words.iter().any(|word| word == keyword.as_bytes()));
            assert!(has_it, "{keyword} of {command} is not in the table");
        }
    }
}

#[test]
fn a_wrong_argument_is_an_error_that_names_it_and_changes_nothing() {
    let Some(mut watched) = Watched::start() else {
        return;
    };
    let mut count = 0;
    for line in &LINES {
        let arity = format!(
            "wrong number of arguments for 'flashsale.{}' command",
            line.command.to_lowercase()
        );
        for Case {
            words,
            names: expected,
        } in cases(line)
        {
            let mut lines = vec![words.clone()];
            lines.extend(elsewhere(line, &words));
            let errors = watched.errors(&lines);
            let (code, text) = &errors[0];
            let is_told = match &expected {
                Named::WordCount => text == &arity,
                Named::Argument(name) => names(text, name),
            };
            let wanted = match expected {
                Named::WordCount => arity.clone(),
                Named::Argument(name) => name,
            };
            assert!(
                code == "ERR" && is_told,
                "{}: wanted ERR about {wanted:?}, got {code} {text}",
                shown(&words)
            );
            if let Some(other) = errors.get(1) {
                assert_eq!(other, &errors[0], "{}: not told first", shown(&words));
            }
            count += 1;
        }
    }
    println!("{count} wrong lines");
    assert!(count > 1500, "{count} wrong lines");
    drop(watched.server);
}

/// Lines whose arguments are each right and do not fit together, the code, and the
/// argument that is told.
const MISFITS: [(&str, &str, &str); 82] = [
    ("CREATE new other USERLIMIT 5 HOLD 5", "ERR", "STOCK"),
    ("CREATE new other 5 STOCK", "ERR", "STOCK"),
    ("CREATE new other STOCK 1 ITEMS 1 a 1", "ERR", "ITEMS"),
    ("CREATE new other ITEMS 1 a 1 STOCK 1", "ERR", "STOCK"),
    ("CREATE new other ITEMS 2 a 1 a 1", "ERR", "ITEMS"),
    (
        "CREATE new other ITEMS 2 a 9007199254740991 b 1",
        "ERR",
        "n",
    ),
    (
        "CREATE new other STOCK 1 HOLD 2 MAXHOLD 1",
        "ERR",
        "MAXHOLD",
    ),
    ("CREATE new other STOCK 1 MAXHOLD 299999", "ERR", "MAXHOLD"),
    (
        "CREATE new other STOCK 1 START 9000000000000 END 9000000000000",
        "ERR",
        "START",
    ),
    (
        "CREATE new other STOCK 1 START 9000000000001 END 9000000000000",
        "ERR",
        "START",
    ),
    ("CREATE new other STOCK 1 END 1000000000000", "ERR", "END"),
    ("CREATE new other STOCK 1 START 36000000", "ERR", "START"),
    ("ALTER sale END 1795203093000000", "ERR", "END"),
    ("RESERVE sale carol 1 ITEMS 1 b 1", "ERR", "ITEMS"),
    ("RESERVE sale carol ITEMS 1 b 1 1", "ERR", "1"),
    ("RESERVE sale carol ITEMS 2 b 1 nosuch 1", "NOSKU", "sku"),
    ("RESERVE sale carol ITEMS 1 B 1", "NOSKU", "sku"),
    ("BUY sale orders carol 1 ITEMS 1 b 1", "ERR", "ITEMS"),
    (
        "RESERVE sale carol ITEMS 2 b 9007199254740991 default 1",
        "ERR",
        "qty",
    ),
    (
        "BUY sale orders carol ITEMS 2 b 9007199254740991 b 1",
        "ERR",
        "qty",
    ),
    (
        "REFUND sale orders s2 REF f ITEMS 2 b 9007199254740991 b 1",
        "ERR",
        "qty",
    ),
    (
        "RESTOCK sale ITEMS 2 b 9007199254740991 b 9007199254740991",
        "ERR",
        "delta",
    ),
    (
        "RESTOCK sale ITEMS 2 b -9007199254740991 b -1",
        "ERR",
        "delta",
    ),
    ("BUY sale orders carol ITEMS 2 b 1 nosuch 1", "NOSKU", "sku"),
    ("REFUND sale orders s1 QTY 1", "ERR", "REF"),
    ("REFUND sale orders s1 ITEMS 1 default 1", "ERR", "REF"),
    (
        "REFUND sale orders s1 QTY 1 ITEMS 1 default 1 REF f",
        "ERR",
        "ITEMS",
    ),
    (
        "REFUND sale orders s1 ITEMS 1 default 1 QTY 1 REF f",
        "ERR",
        "QTY",
    ),
    ("REFUND sale orders s2 QTY 1 REF f", "ERR", "QTY"),
    ("RESTOCK sale 1 ITEMS 1 b 1", "ERR", "ITEMS"),
    ("RESTOCK sale ITEMS 2 b 1 nosuch 1", "NOSKU", "sku"),
    ("RESTOCK sale ITEMS 1 nosuch -1 NEW", "NOSKU", "sku"),
    (
        "RESTOCK sale ITEMS 2 b 9007199254740991 spare 1",
        "ERR",
        "delta",
    ),
    ("ALTER sale HOLD 5 MAXHOLD 4", "ERR", "MAXHOLD"),
    (
        "ALTER sale START 9000000000000 END 9000000000000",
        "ERR",
        "START",
    ),
    ("ALTER sale HOLD 5 REMEMBER 5 HOLD 5", "ERR", "HOLD"),
    ("RESERVE sale carol UNITS 2 A-3 A-3", "ERR", "unit"),
    ("RESERVE sale carol UNITS 2 A-3 B-1", "NOSKU", "unit"),
    ("RESERVE sale carol UNITS 1 k2", "NOSKU", "unit"),
    ("RESERVE sale carol UNITS 1 k1", "NOSKU", "unit"),
    ("RESERVE sale carol UNITS 1 b", "NOSKU", "unit"),
    (
        "RESERVE sale carol ITEMS 1 stalls 1 UNITS 1 A-3",
        "ERR",
        "UNITS",
    ),
    ("RESERVE sale carol UNITS 1 A-3 ITEMS 1 b 1", "ERR", "ITEMS"),
    ("RESERVE sale carol 1 UNITS 1 A-3", "ERR", "UNITS"),
    ("RESERVE sale carol UNITS 1 A-3 ID n1 WAIT", "ERR", "UNITS"),
    ("BUY sale orders carol UNITS 2 A-3 A-3", "ERR", "unit"),
    ("BUY sale orders carol UNITS 1 k2", "NOSKU", "unit"),
    (
        "BUY sale orders carol ITEMS 1 stalls 1 UNITS 1 A-3",
        "ERR",
        "UNITS",
    ),
    ("REFUND sale orders s2 UNITS 1 A-2", "ERR", "REF"),
    ("REFUND sale orders s2 UNITS 2 A-2 A-2 REF f", "ERR", "unit"),
    ("REFUND sale orders s2 UNITS 1 B-1 REF f", "NOSKU", "unit"),
    ("REFUND sale orders s2 UNITS 1 k2 REF f", "NOSKU", "unit"),
    (
        "REFUND sale orders s2 UNITS 1 A-2 QTY 1 REF f",
        "ERR",
        "QTY",
    ),
    (
        "REFUND sale orders s2 ITEMS 1 b 1 UNITS 1 A-2 REF f",
        "ERR",
        "UNITS",
    ),
    (
        "REFUND sale orders s2 ITEMS 1 stalls 1 REF f",
        "ERR",
        "UNITS",
    ),
    (
        "IMPORT sale orders carol UNITS 2 A-3 A-3 ID n1 AT 1765000000000",
        "ERR",
        "unit",
    ),
    (
        "IMPORT sale orders carol UNITS 1 B-1 ID n1 AT 1765000000000",
        "NOSKU",
        "unit",
    ),
    (
        "IMPORT sale orders carol ITEMS 1 code 1 ID n1 AT 1765000000000",
        "ERR",
        "UNITS",
    ),
    ("RESTOCK sale UNITS stalls 2 N-1 N-1", "ERR", "unit"),
    ("RESTOCK sale UNITS stalls 2 N-1 A-3", "ERR", "unit"),
    ("RESTOCK sale UNITS stalls 1 A-1", "ERR", "unit"),
    ("RESTOCK sale UNITS stalls 1 k2", "ERR", "unit"),
    ("RESTOCK sale UNITS code 1 k1 SEALED", "ERR", "unit"),
    ("RESTOCK sale UNITS stalls 1 N-1 SEALED", "ERR", "SEALED"),
    ("RESTOCK sale UNITS code 1 N-1", "ERR", "SEALED"),
    ("RESTOCK sale UNITS b 1 N-1", "ERR", "sku"),
    ("RESTOCK sale UNITS nosuch 1 N-1", "NOSKU", "sku"),
    ("RESTOCK sale UNITS nosuch 1 A-3 NEW", "ERR", "unit"),
    (
        "RESTOCK sale UNITS stalls 1 A-3 WITHDRAW SEALED",
        "ERR",
        "SEALED",
    ),
    ("RESTOCK sale UNITS stalls 1 A-3 WITHDRAW NEW", "ERR", "NEW"),
    (
        "RESTOCK sale UNITS stalls 2 A-3 A-3 WITHDRAW",
        "ERR",
        "UNITS",
    ),
    ("RESTOCK sale UNITS stalls 1 B-1 WITHDRAW", "NOSKU", "unit"),
    ("RESTOCK sale UNITS b 1 A-3 WITHDRAW", "ERR", "sku"),
    ("RESTOCK sale UNITS nosuch 1 A-3 WITHDRAW", "NOSKU", "sku"),
    ("RESTOCK sale 1 SEALED", "ERR", "SEALED"),
    ("RESTOCK sale ITEMS 1 b 1 WITHDRAW", "ERR", "WITHDRAW"),
    ("RESTOCK sale ITEMS 1 stalls 1", "ERR", "UNITS"),
    ("RESTOCK sale ITEMS 2 b 1 code -1", "ERR", "UNITS"),
    ("UNITS sale b 0", "ERR", "sku"),
    ("UNITS sale nosuch 0", "NOSKU", "sku"),
    ("UNITS sale code 0", "ERR", "WITHIDS"),
    ("UNITS sale stalls 0 COUNT 10001", "ERR", "COUNT"),
];

#[test]
fn arguments_that_do_not_fit_together_are_an_error_that_names_one() {
    let Some(mut watched) = Watched::start() else {
        return;
    };
    for (line, code_wanted, name) in MISFITS {
        let line = format!("FLASHSALE.{line}");
        let words = crate::support::words_of(&line);
        let (code, text) = watched.errors(&[words]).remove(0);
        let word = |text: &str| {
            let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
            words.any(|word| word == name)
        };
        assert!(
            code == code_wanted && word(&text),
            "{line}: wanted {code_wanted} {name}, got {code} {text}"
        );
    }
    watched
        .con
        .says("FLASHSALE.CREATE several others ITEMS 2 a 1 b 1", "OK");
    for line in [
        "RESERVE several carol 1",
        "BUY several others carol 1",
        "RESTOCK several 1",
    ] {
        let words = crate::support::words_of(&format!("FLASHSALE.{line}"));
        let (code, _) = watched.errors(&[words]).remove(0);
        assert_eq!(code, "NOSKU", "{line}");
    }
    watched
        .con
        .says("FLASHSALE.CREATE plain others STOCK 1 MAXHOLD 600000", "OK");
    for (line, name) in [
        ("ALTER plain ITEMLIMIT 5", "ITEMLIMIT"),
        ("ALTER plain GRACE 5 ITEMLIMIT 5", "ITEMLIMIT"),
        ("ALTER plain HOLD 600001", "MAXHOLD"),
        ("ALTER plain MAXHOLD 299999", "MAXHOLD"),
    ] {
        let words = crate::support::words_of(&format!("FLASHSALE.{line}"));
        let (code, text) = watched.errors(&[words]).remove(0);
        assert!(code == "ERR" && names(&text, name), "{line}: {code} {text}");
    }
}
