//! **Goal**: what the module wrote long ago is read today: a DUMP of any version of the
//! format is the same sale in any later one, on any server, and what has become overdue
//! since comes back.
//!
//! **Method**: `tests/golden/dump.txt` holds a DUMP of a sale that uses everything, its
//! digest and what the reads said of it. It is restored on a server that expires
//! nothing, a writable replica of nobody, and compared; then the server is promoted.
//! `FLASHSALE_BLESS=1` writes the file anew; with Redis 7.0, whose payloads all later
//! servers take. After a change of format keep the old file as `dump_VERSION.txt`, with
//! the digest that is right from then on: a digest is of the bytes written today.

mod support;

use support::clock::Clock;
use support::{Con, Server, hex, render, unhex, unix_ms, wait_until};

/// A server that may write and does not sweep.
const WRITABLE_REPLICA: &str = "--replicaof 127.0.0.1 1 --replica-read-only no";

/// The first moment of 2025, in Unix milliseconds.
const YEAR_2025_MS: i64 = 1_735_689_600_000;

const LINES: [&str; 16] = [
    "CREATE sale orders ITEMS 3 tea 20 cup 10 pot 5 USERLIMIT 12 ITEMLIMIT 9 ORDERLIMIT 8 \
     SALELIMIT 30 HOLD 60000 MAXHOLD 120000 GRACE 1000 KEEP 5000 REMEMBER 90000",
    "RESERVE sale ann ITEMS 2 tea 2 cup 1 ID open HOLD 30000",
    "RESERVE sale ann ITEMS 1 pot 1 ID 01ARZ3NDEKTSV4RRFFQ69G5FAV HOLD 20000",
    "RESERVE sale bob ITEMS 1 tea 3 ID extended",
    "EXTEND sale extended 100000",
    "BUY sale orders cyd ITEMS 2 tea 1 cup 4 ID sold REF charge PAYLOAD [1]",
    "BUY sale orders dan ITEMS 1 cup 2 ID half",
    "REFUND sale orders half QTY 1 REF back RESTORELIMIT",
    "BUY sale orders dan ITEMS 1 pot 2 ID refunded",
    "REFUND sale orders refunded NORESTOCK",
    "RESERVE sale eve ITEMS 1 tea 1 ID released",
    "RELEASE sale released",
    "RELEASE sale unseen USER eve",
    "RESTOCK sale ITEMS 2 tea 5 jug 7 NEW REF truck",
    "ALTER sale USERLIMIT 11 SALELIMIT 40",
    "PAUSE sale",
];

const IDS: [&str; 9] = [
    "open",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "extended",
    "sold",
    "half",
    "refunded",
    "released",
    "unseen",
    "short",
];

/// Everything the reads say, but for the clock and the allocator.
fn picture(con: &mut Con) -> String {
    let mut lines = vec![format!("digest {}", con.digest("sale")), con.stock("sale")];
    for (name, value) in con.map("FLASHSALE.INFO sale") {
        if name != "now_ms" && name != "memory_bytes" {
            lines.push(format!("{name} {value}"));
        }
    }
    let users = ["ann", "bob", "cyd", "dan", "eve"];
    let users = users.map(|user| format!("FLASHSALE.USER sale {user}"));
    let ids = IDS.map(|id| format!("FLASHSALE.GET sale {id}"));
    lines.extend(users.iter().chain(&ids).map(|line| con.show(line)));
    lines.join("\n")
}

/// Makes the sale with the module of today and a clock of 2025, so that it is long ago
/// wherever the file is read; and the text of the file.
fn written_today() -> Option<String> {
    let step_ms = YEAR_2025_MS - unix_ms().cast_signed();
    let server = Clock::new()?.server(step_ms, &[])?;
    let mut con = server.conn();
    for line in LINES {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        if line.starts_with("CREATE") {
            let short = "FLASHSALE.RESERVE sale eve ITEMS 1 cup 1 ID short HOLD 1";
            con.says(short, "RESERVED ...");
            wait_until("one expired", || {
                con.field("FLASHSALE.GET sale short", "state") == "expired"
            });
        }
    }
    let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("no DUMP")
    };
    Some(format!("{}\n{}\n", hex(&payload), picture(&mut con)))
}

fn path() -> String {
    format!("{}/tests/golden/dump.txt", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_dump_of_long_ago_is_the_same_sale_and_its_deadlines_are_kept_now() {
    if std::env::var_os("FLASHSALE_BLESS").is_some() {
        let Some(text) = written_today() else { return };
        std::fs::write(path(), text).expect("the golden file");
    }
    for version in ["_1", ""] {
        let text = std::fs::read_to_string(path().replace(".txt", &format!("{version}.txt")));
        comes_back_to_life(&text.expect("the golden file"));
    }
}

fn comes_back_to_life(text: &str) {
    let (payload, expected) = text.trim_end().split_once('\n').expect("two parts");
    let Some(server) = Server::own(&[WRITABLE_REPLICA], &[]) else {
        return;
    };
    let mut con = server.conn();
    let reply = con.run_words(&[b"RESTORE", b"sale", b"0", &unhex(payload)]);
    assert_eq!(render(&reply), "OK");
    for (now, then) in picture(&mut con).lines().zip(expected.lines()) {
        assert_eq!(now, then);
    }
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(picture(&mut con), expected);
    con.says("REPLICAOF NO ONE", "OK");
    wait_until("what was open is back", || {
        con.field("FLASHSALE.INFO sale", "reserved") == "0"
    });
    con.says(
        "FLASHSALE.STOCK sale",
        "[tea 24 0 1] [cup 5 0 5] [pot 3 0 0] [jug 7 0 0]",
    );
    wait_until("what was remembered long enough is forgotten", || {
        con.field("FLASHSALE.INFO sale", "reservations_remembered") == "0"
    });
    con.refuses("FLASHSALE.CHECKOUT sale orders open", "NORESERVATION open");
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders sold REF charge",
        "SOLD sold (entry)",
    );
    con.refuses("FLASHSALE.RESERVE sale ann ITEMS 1 tea 1", "PAUSED *");
    con.says("FLASHSALE.RESUME sale", "OK");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 tea 8 ID new",
        "RESERVED new * 16 3",
    );
}

#[test]
fn the_sale_of_the_golden_file_is_written_today_as_it_was_then() {
    let text = std::fs::read_to_string(path()).expect("the golden file");
    let Some(today) = written_today() else { return };
    // Moments, ULIDs and stream IDs differ; whatever else there is to read does not.
    let steady = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().skip(3);
        let is_steady = |word: &&str| word.len() < 12;
        words.filter(is_steady).map(str::to_owned).collect()
    };
    assert_eq!(steady(&today), steady(&text));
}
