//! **Goal**: a sale with `EVENTS all` writes everything that happens to it to its stream, once,
//! in the order of decisions and with the fields of the contract; what its stream does not take
//! waits and is not lost; every copy has the same entries at the same IDs.
//!
//! **Method**: each command, and the entries that follow it, field by field. In `copies.rs` AOFs,
//! replicas and a raw socket are compared, in `waits.rs` the stream is made unable to take
//! entries in every way there is. Slots that move are in `cluster`, steps of the clock in
//! `clocks`.

mod copies;
mod waits;

use redis::Value;

use crate::support::{Con, Server, render, text_of, wait_until};

/// An entry: its ID, and its fields as `name=value`, in the stream's order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: String,
    fields: Vec<(String, String)>,
}

impl Entry {
    /// One field; empty where there is none.
    fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str) -> u64 {
        let text = self.field(name);
        text.parse()
            .unwrap_or_else(|_| panic!("{name} of {self:?}"))
    }

    /// The fields in words, without the moment; a deadline that is new is told from it.
    fn words(&self) -> String {
        let word = |(name, value): &(String, String)| match name.as_str() {
            "sale_id" | "seq" | "at_ms" => name.clone(),
            "expires_at_ms" if matches!(self.field("event"), "released" | "expired") => {
                name.clone()
            }
            "expires_at_ms" => {
                let left_ms = self.number(name) as i64 - self.number("at_ms") as i64;
                format!("{name}{left_ms:+}")
            }
            _ => format!("{name}={value}"),
        };
        self.fields.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// All entries of a stream.
#[track_caller]
fn entries(con: &mut Con, stream: &str) -> Vec<Entry> {
    let reply = con.run(&format!("XRANGE {stream} - +"));
    let Value::Array(entries) = &reply else {
        panic!("{}", render(&reply))
    };
    let entry = |entry: &Value| {
        let Value::Array(parts) = entry else {
            panic!("{}", render(entry))
        };
        let Value::Array(fields) = &parts[1] else {
            panic!("{}", render(entry))
        };
        let pair = |pair: &[Value]| (text_of(&pair[0]), text_of(&pair[1]));
        Entry {
            id: text_of(&parts[0]),
            fields: fields.chunks(2).map(pair).collect(),
        }
    };
    entries.iter().map(entry).collect()
}

/// The words of `event` of all entries.
#[track_caller]
fn words(con: &mut Con, stream: &str) -> Vec<String> {
    let entries = entries(con, stream);
    let word = |entry: &Entry| entry.field("event").to_owned();
    entries.iter().map(word).collect()
}

fn waiting(con: &mut Con) -> String {
    con.field("FLASHSALE.INFO sale", "events_waiting")
}

#[track_caller]
fn wait_until_written(con: &mut Con) {
    wait_until("no entry waits", || waiting(con) == "0");
}

/// Commands of a sale whose items are `a` (3) and `b"` (2), and the entries that follow each.
const STORY: &[(&str, &[&str])] = &[
    (
        "RESERVE sale ann ITEMS 2 a 1 b\" 1 ID r1",
        &["event=reserved sale=sale sale_id seq id=r1 user=ann qty=2 \
           items=[{\"sku\":\"a\",\"qty\":1},{\"sku\":\"b\\\"\",\"qty\":1}] at_ms \
           expires_at_ms+60000 ref="],
    ),
    (
        "EXTEND sale r1 90000",
        &["event=extended sale=sale sale_id seq id=r1 user=ann qty=2 \
           items=[{\"sku\":\"a\",\"qty\":1},{\"sku\":\"b\\\"\",\"qty\":1}] at_ms \
           expires_at_ms+90000 ref="],
    ),
    ("RELEASE sale never-seen", &[]),
    (
        "RESERVE sale bob ITEMS 1 a 1 ID r2 HOLD 70",
        &[
            "event=reserved sale=sale sale_id seq id=r2 user=bob qty=1 \
             items=[{\"sku\":\"a\",\"qty\":1}] at_ms expires_at_ms+70 ref=",
            "event=expired sale=sale sale_id seq id=r2 user=bob qty=1 \
             items=[{\"sku\":\"a\",\"qty\":1}] at_ms expires_at_ms ref=",
        ],
    ),
    (
        "CHECKOUT sale orders r2 REF p1",
        &["event=order sale=sale sale_id id=r2 user=bob qty=1 \
           items=[{\"sku\":\"a\",\"qty\":1}] at_ms ref=p1 seq"],
    ),
    (
        "RESERVE sale cyd ITEMS 1 a 1 ID r3",
        &[
            "event=reserved sale=sale sale_id seq id=r3 user=cyd qty=1 \
             items=[{\"sku\":\"a\",\"qty\":1}] at_ms expires_at_ms+60000 ref=",
            "event=allreserved sale=sale sale_id seq sku=a available=0 reserved=2 sold=1 at_ms ref=",
        ],
    ),
    (
        "RELEASE sale r3",
        &[
            "event=released sale=sale sale_id seq id=r3 user=cyd qty=1 \
             items=[{\"sku\":\"a\",\"qty\":1}] at_ms expires_at_ms ref=",
            "event=backinstock sale=sale sale_id seq sku=a available=1 reserved=1 sold=1 at_ms ref=",
        ],
    ),
    (
        "BUY sale orders dan ITEMS 1 b\" 1 ID r4 REF p2 PAYLOAD [1]",
        &[
            "event=order sale=sale sale_id id=r4 user=dan qty=1 \
             items=[{\"sku\":\"b\\\"\",\"qty\":1}] at_ms ref=p2 payload=[1] seq",
            "event=allreserved sale=sale sale_id seq sku=b\" available=0 reserved=1 sold=1 \
             at_ms ref=",
        ],
    ),
    (
        "CHECKOUT sale orders r1",
        &[
            "event=order sale=sale sale_id id=r1 user=ann qty=2 \
             items=[{\"sku\":\"a\",\"qty\":1},{\"sku\":\"b\\\"\",\"qty\":1}] at_ms ref= seq",
            "event=soldout sale=sale sale_id seq sku=b\" available=0 reserved=0 sold=2 at_ms ref=",
        ],
    ),
    (
        "REFUND sale orders r4 ITEMS 1 b\" 1 REF f",
        &[
            "event=refund sale=sale sale_id id=r4 user=dan qty=1 \
             items=[{\"sku\":\"b\\\"\",\"qty\":1}] at_ms ref=f restocked=1 restorelimit=0 norestock=0 seq",
            "event=backinstock sale=sale sale_id seq sku=b\" available=1 reserved=0 sold=1 \
             at_ms ref=",
        ],
    ),
    (
        "RESTOCK sale ITEMS 2 a 5 b\" -1 REF truck",
        &[
            "event=restocked sale=sale sale_id seq qty=4 \
             items=[{\"sku\":\"a\",\"qty\":5},{\"sku\":\"b\\\"\",\"qty\":-1}] at_ms ref=truck",
            "event=soldout sale=sale sale_id seq sku=b\" available=0 reserved=0 sold=1 at_ms ref=",
        ],
    ),
    (
        "RESTOCK sale ITEMS 1 c 2 NEW",
        &[
            "event=restocked sale=sale sale_id seq qty=2 items=[{\"sku\":\"c\",\"qty\":2}] \
             at_ms ref=",
            "event=backinstock sale=sale sale_id seq sku=c available=2 reserved=0 sold=0 at_ms ref=",
        ],
    ),
    // The difference it makes in all crosses nothing.
    (
        "RESERVE sale eve ITEMS 1 c 2 ID r5",
        &[
            "event=reserved sale=sale sale_id seq id=r5 user=eve qty=2 \
             items=[{\"sku\":\"c\",\"qty\":2}] at_ms expires_at_ms+60000 ref=",
            "event=allreserved sale=sale sale_id seq sku=c available=0 reserved=2 sold=0 at_ms ref=",
        ],
    ),
    (
        "ALTER sale USERLIMIT 50 GRACE 0 END 9000000000000",
        &["event=altered sale=sale sale_id seq \
           options={\"userlimit\":50,\"grace_ms\":0,\"end_at_ms\":9000000000000} at_ms ref="],
    ),
    (
        "ALTER sale USERLIMIT 0 END 0",
        &[
            "event=altered sale=sale sale_id seq options={\"userlimit\":null,\"end_at_ms\":null} \
           at_ms ref=",
        ],
    ),
    ("ALTER sale USERLIMIT 0", &[]),
    (
        "PAUSE sale",
        &["event=paused sale=sale sale_id seq at_ms ref="],
    ),
    (
        "RESUME sale",
        &["event=resumed sale=sale sale_id seq at_ms ref="],
    ),
    (
        "ALTER sale EVENTS orders",
        &["event=altered sale=sale sale_id seq options={\"events\":\"orders\"} at_ms ref="],
    ),
    ("RESERVE sale fay ITEMS 1 a 1 ID r6", &[]),
    (
        "CHECKOUT sale orders r6",
        &["event=order sale=sale sale_id id=r6 user=fay qty=1 \
           items=[{\"sku\":\"a\",\"qty\":1}] at_ms ref="],
    ),
    (
        "ALTER sale EVENTS ALL",
        &["event=altered sale=sale sale_id seq options={\"events\":\"all\"} at_ms ref="],
    ),
    (
        "CLOSE sale",
        &["event=closed sale=sale sale_id seq at_ms ref="],
    ),
];

fn create(con: &mut Con, options: &str) {
    let line = format!("FLASHSALE.CREATE sale orders {options} EVENTS all");
    con.says(&line, "OK");
}

#[test]
fn each_command_is_followed_by_its_entries_field_by_field() {
    let server = Server::any();
    let mut con = server.conn();
    create(
        &mut con,
        "ITEMS 2 a 3 b\" 2 HOLD 60000 MAXHOLD 120000 GRACE 60000",
    );
    let mut before = 0;
    for (line, expected) in STORY {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        wait_until(line, || {
            waiting(&mut con) == "0" && con.int("XLEN orders") as usize >= before + expected.len()
        });
        let entries = entries(&mut con, "orders").split_off(before);
        let told: Vec<String> = entries.iter().map(Entry::words).collect();
        assert_eq!(told, *expected, "{line}");
        before += expected.len();
    }
    has_seqs_that_ascend(&entries(&mut con, "orders"));
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1, entries 5");
}

/// Asserts the order of decisions: over orders as well, and no earlier than their moments.
#[track_caller]
fn has_seqs_that_ascend(entries: &[Entry]) {
    let mut last = 0;
    for entry in entries {
        // An order of a sale with `EVENTS orders` has none.
        if entry.field("seq").is_empty() {
            continue;
        }
        let seq = entry.number("seq");
        assert!(
            seq > last && seq >= 1_000 * entry.number("at_ms"),
            "{entry:?}"
        );
        last = seq;
    }
}

#[test]
fn what_replace_releases_says_what_took_its_place() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 3 HOLD 60000");
    con.says("FLASHSALE.RESERVE sale ann 2 ID old", "RESERVED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann 3 ID new REPLACE old",
        "RESERVED ...",
    );
    wait_until_written(&mut con);
    let entries = entries(&mut con, "orders");
    let told: Vec<String> = entries.iter().map(Entry::words).collect();
    assert!(told[1].starts_with("event=released ") && told[1].contains(" id=old "));
    assert!(told[1].ends_with(" ref= replaced_by=new"), "{}", told[1]);
    assert!(told[2].starts_with("event=reserved ") && told[2].contains(" id=new "));
    assert!(told[3].starts_with("event=allreserved "));
    assert_eq!(told.len(), 4);
}

#[test]
fn a_stream_that_is_bound_gets_what_was_not_written_yet() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 3");
    con.run_at_once(&[
        "MULTI",
        "FLASHSALE.RESERVE sale ann 1 ID r1",
        "FLASHSALE.BIND sale others",
        "FLASHSALE.BUY sale others bob 1 ID r2",
        "EXEC",
    ]);
    assert_eq!(words(&mut con, "others"), ["reserved", "altered", "order"]);
    let bound = entries(&mut con, "others").remove(1);
    assert_eq!(bound.field("options"), "{\"orders\":true}");
    con.says("EXISTS orders", "0");
    con.fields(
        "FLASHSALE.AUDIT sale others",
        "consistent 1, entries 1, entries_other 2",
    );
}

#[test]
fn names_of_any_bytes_are_written_as_they_are() {
    let server = Server::any();
    let mut con = server.conn();
    create(&mut con, "STOCK 9");
    let (id, user) = ([0xff_u8; 255], [0_u8; 255]);
    let ulid = b"01M7X72MMFKE90FX41YJQAEQZJ";
    for (id, user) in [(&id[..], &user[..]), (b"i", b"u"), (ulid, ulid)] {
        let words: [&[u8]; 6] = [b"FLASHSALE.RESERVE", b"sale", user, b"1", b"ID", id];
        con.run_words(&words);
        wait_until_written(&mut con);
        let reply = con.run("XREVRANGE orders + - COUNT 1");
        let Value::Array(entries) = reply else {
            panic!("no entry")
        };
        let Value::Array(parts) = &entries[0] else {
            panic!("no entry")
        };
        let Value::Array(fields) = &parts[1] else {
            panic!("no fields")
        };
        let bytes = |value: &Value| match value {
            Value::BulkString(bytes) => bytes.clone(),
            other => panic!("{}", render(other)),
        };
        assert_eq!(
            (bytes(&fields[9]), bytes(&fields[11])),
            (id.into(), user.into())
        );
    }
}

#[test]
fn a_word_that_is_neither_is_an_error() {
    let server = Server::any();
    let mut con = server.conn();
    for (options, part) in [
        ("EVENTS some", "EVENTS: 'some' is neither orders nor all"),
        ("EVENTS", "EVENTS: its value is missing"),
        ("EVENTS all EVENTS all", "EVENTS: given twice"),
    ] {
        let line = format!("FLASHSALE.CREATE sale orders STOCK 3 {options}");
        con.fails(&line, "ERR", part);
    }
    con.says("FLASHSALE.CREATE sale orders STOCK 3", "OK");
    con.fields(
        "FLASHSALE.INFO sale",
        "events orders, events_waiting 0, events_lost 0, seq (nil)",
    );
    con.fails("FLASHSALE.ALTER sale EVENTS none", "ERR", "EVENTS: 'none'");
    con.refuses("FLASHSALE.ALTER sale EVENTS orders", "OK");
}
