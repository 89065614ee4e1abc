//! **Goal**: what the module wrote long ago is read today: a DUMP of any version of the
//! format is the same sale in any later one, on any server, and what has become overdue
//! since comes back.
//!
//! **Method**: `tests/server/golden/dump.txt` holds a DUMP of a sale that uses everything, its
//! digest and what the reads said of it, `dump_1.txt` and `dump_2.txt` the same of earlier
//! versions of the snapshot. Each is restored on a server that expires nothing, a writable
//! replica of nobody, and compared; then the server is promoted.
//! `FLASHSALE_BLESS=1` writes the newest anew, with Redis 7.0, whose payloads all later
//! servers take, and of the older files the digest alone: a digest is of the bytes written
//! today. After a change of format keep the old file as `dump_VERSION.txt` first.

use crate::support::clock::Clock;
use crate::support::{Con, Server, hex, render, unhex, unix_ms, wait_until};

/// A server that may write and does not sweep.
const WRITABLE_REPLICA: &str = "--replicaof 127.0.0.1 1 --replica-read-only no";

/// The first moment of 2025, in Unix milliseconds.
const YEAR_2025_MS: i64 = 1_735_689_600_000;

/// A cart of so many SKUs that only a digest of it is kept once it is final.
const LARGE: &str = "ITEMS 9 m0 1 m1 1 m2 1 m3 1 m4 1 m5 1 m6 1 m7 1 m8 1";

/// The sale of today's file. `LARGE` stands for that cart, `LONG` for a name of 255 bytes.
const LINES: [&str; 29] = [
    "CREATE sale orders ITEMS 3 tea 20 cup 10 pot 5 USERLIMIT 12 ITEMLIMIT 9 ORDERLIMIT 9 \
     SALELIMIT 60 HOLD 60000 MAXHOLD 120000 GRACE 1 KEEP 5000 REMEMBER 90000 \
     SALEID 01ARZ3NDEKTSV4RRFFQ69G5FAW",
    "RESTOCK sale ITEMS 9 m0 4 m1 4 m2 4 m3 4 m4 4 m5 4 m6 4 m7 4 m8 4 NEW REF lorry",
    "RESERVE sale kim LARGE ID lapsed HOLD 1",
    "ALTER sale GRACE 3600000",
    "RESERVE sale eve ITEMS 1 cup 1 ID short HOLD 1",
    "RESERVE sale ann ITEMS 2 tea 2 cup 1 ID open HOLD 30000",
    "RESERVE sale ann ITEMS 1 pot 1 ID 01ARZ3NDEKTSV4RRFFQ69G5FAV HOLD 20000",
    "RESERVE sale bob ITEMS 1 tea 3 ID extended",
    "EXTEND sale extended 100000",
    "RESERVE sale bob ITEMS 1 cup 1 ID before",
    "RESERVE sale lee ITEMS 2 cup 1 m0 1 ID after REPLACE before",
    "RESERVE sale LONG ITEMS 1 m1 1 ID LONG",
    "BUY sale orders cyd ITEMS 2 tea 1 cup 4 ID sold REF charge PAYLOAD [1]",
    "BUY sale orders dan ITEMS 1 cup 2 ID half",
    "REFUND sale orders half QTY 1 REF back RESTORELIMIT",
    "BUY sale orders pat ITEMS 1 m2 3 ID parts REF LONG",
    "REFUND sale orders parts QTY 1 REF broken NORESTOCK",
    "REFUND sale orders parts QTY 1 REF fine",
    "BUY sale orders dan ITEMS 1 pot 2 ID refunded",
    "REFUND sale orders refunded NORESTOCK",
    "RESERVE sale lee LARGE ID large",
    "RELEASE sale large",
    "RESERVE sale eve ITEMS 1 tea 1 ID released",
    "RELEASE sale released",
    "RELEASE sale unseen USER eve",
    "RESTOCK sale ITEMS 2 tea 5 jug 7 NEW REF truck",
    "PAUSE sale",
    "ALTER sale WAITING 100 PATIENCE 5000 FROMRATE 7 1000",
    "RESERVE sale zed ITEMS 1 m5 3 ID waits WAIT",
];

/// A sale in a file, and what it comes to.
struct Kept {
    file: &'static str,
    users: &'static [&'static str],
    ids: &'static [&'static str],
    /// When all that was open has come back.
    stock: &'static str,
    /// What may still be bought of tea by `ann`, when she has bought eight.
    left: &'static str,
}

const TODAY: Kept = Kept {
    file: "dump.txt",
    users: &[
        "ann", "bob", "cyd", "dan", "eve", "kim", "lee", "pat", "LONG", "zed",
    ],
    ids: &[
        "open",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "extended",
        "sold",
        "half",
        "refunded",
        "released",
        "unseen",
        "short",
        "lapsed",
        "before",
        "after",
        "parts",
        "large",
        "LONG",
        "waits",
    ],
    stock: "[tea 24 0 1 0] [cup 5 0 5 0] [pot 3 0 0 0] [m0 4 0 0 0] [m1 4 0 0 0] [m2 2 0 1 0] [m3 4 0 0 0] \
            [m4 4 0 0 0] [m5 4 0 0 1] [m6 4 0 0 0] [m7 4 0 0 0] [m8 4 0 0 0] [jug 7 0 0 0]",
    left: "RESERVED new * 16 4",
};

/// The sale of versions 1 and 2, before carts were replaced and graces ended.
const BEFORE: Kept = Kept {
    file: "dump_2.txt",
    users: &["ann", "bob", "cyd", "dan", "eve"],
    ids: &[
        "open",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "extended",
        "sold",
        "half",
        "refunded",
        "released",
        "unseen",
        "short",
    ],
    stock: "[tea 24 0 1 0] [cup 5 0 5 0] [pot 3 0 0 0] [jug 7 0 0 0]",
    left: "RESERVED new * 16 3",
};

const FILES: [Kept; 3] = [
    Kept {
        file: "dump_1.txt",
        ..BEFORE
    },
    BEFORE,
    TODAY,
];

/// A line with what it is short for.
fn whole(line: &str) -> String {
    line.replace("LARGE", LARGE)
        .replace("LONG", &"l".repeat(255))
}

/// Fields of INFO that came after the files were written.
const LATER: [&str; 3] = ["owed", "share_id", "group"];

/// Everything the reads say, but for the clock and the allocator.
fn picture(con: &mut Con, kept: &Kept) -> String {
    let mut lines = vec![format!("digest {}", con.digest("sale")), con.stock("sale")];
    let info = con.map("FLASHSALE.INFO sale");
    for (name, value) in &info {
        if !["now_ms", "memory_bytes"].contains(&&**name) && !LATER.contains(&&**name) {
            lines.push(format!("{name} {value}"));
        }
    }
    // What a sale of then had nothing of.
    let of = |wanted: &str| info.iter().find(|(name, _)| name == wanted);
    let [owed, group] = ["owed", "group"].map(|name| of(name).map(|(_, value)| &**value));
    assert_eq!((owed, group), (Some("0"), Some("(nil)")));
    let users = kept
        .users
        .iter()
        .map(|user| format!("FLASHSALE.USER sale {user}"));
    let ids = kept.ids.iter().map(|id| format!("FLASHSALE.GET sale {id}"));
    // Units and refunds, the last fields of GET, came later.
    let shown = |con: &mut Con, line: String| {
        let shown = con.show(&whole(&line));
        let then = shown.split(" units ").next();
        then.unwrap_or_default().to_owned()
    };
    lines.extend(users.chain(ids).map(|line| shown(con, line)));
    lines.join("\n")
}

/// Makes the sale with the module of today and a clock of 2025, so that it is long ago
/// wherever the file is read; and the text of the file.
fn written_today() -> Option<String> {
    let step_ms = YEAR_2025_MS - unix_ms().cast_signed();
    let server = Clock::new()?.server(step_ms, &[])?;
    let mut con = server.conn();
    for line in LINES {
        let reply = con.show(&format!("FLASHSALE.{}", whole(line)));
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        if line.ends_with("HOLD 1") {
            is_over(&mut con, line);
        }
    }
    let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("no DUMP")
    };
    Some(format!(
        "{}\n{}\n",
        hex(&payload),
        picture(&mut con, &TODAY)
    ))
}

/// Waits until a short reservation has expired, a large one for good: its lines are gone.
#[track_caller]
fn is_over(con: &mut Con, line: &str) {
    let (is_large, id) = (
        line.contains("LARGE"),
        if line.contains("lapsed") {
            "lapsed"
        } else {
            "short"
        },
    );
    let line = format!("FLASHSALE.GET sale {id}");
    wait_until("it is over", || {
        con.field(&line, "state") == "expired"
            && (!is_large || con.field(&line, "items") == "(nil)")
    });
}

fn path(file: &str) -> String {
    format!("{}/tests/server/golden/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).expect("the golden file")
}

#[test]
fn a_dump_of_long_ago_is_the_same_sale_and_its_deadlines_are_kept_now() {
    let blesses = std::env::var_os("FLASHSALE_BLESS").is_some();
    if blesses {
        let Some(text) = written_today() else { return };
        std::fs::write(path(TODAY.file), text).expect("the golden file");
    }
    for kept in FILES {
        let Some(server) = Server::own(&[WRITABLE_REPLICA], &[]) else {
            return;
        };
        let mut con = server.conn();
        let text = read(kept.file);
        let (payload, expected) = text.trim_end().split_once('\n').expect("two parts");
        let reply = con.run_words(&[b"RESTORE", b"sale", b"0", &unhex(payload)]);
        assert_eq!(render(&reply), "OK");
        if blesses {
            let (digest, rest) = expected.split_once('\n').expect("the digest");
            assert!(digest.starts_with("digest "), "{digest}");
            let text = format!("{payload}\ndigest {}\n{rest}\n", con.digest("sale"));
            std::fs::write(path(kept.file), text).expect("the golden file");
        } else {
            comes_back_to_life(&mut con, &kept, expected);
        }
    }
}

fn comes_back_to_life(con: &mut Con, kept: &Kept, expected: &str) {
    for (now, then) in picture(con, kept).lines().zip(expected.lines()) {
        assert_eq!(now, then, "{}", kept.file);
    }
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(picture(con, kept), expected);
    let ids = ["sale_id", "share_id"].map(|name| con.field("FLASHSALE.INFO sale", name));
    assert_eq!(ids[0], ids[1]);
    con.says("REPLICAOF NO ONE", "OK");
    wait_until("what was open is back", || {
        con.field("FLASHSALE.INFO sale", "reserved") == "0"
    });
    con.says("FLASHSALE.STOCK sale", kept.stock);
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
    con.says("FLASHSALE.RESERVE sale ann ITEMS 1 tea 8 ID new", kept.left);
}

#[test]
fn a_refund_and_a_restock_of_long_ago_are_answered_as_then() {
    let Some(server) = Server::own(&[WRITABLE_REPLICA], &[]) else {
        return;
    };
    let mut con = server.conn();
    let text = read(TODAY.file);
    let (payload, _) = text.split_once('\n').expect("two parts");
    con.run_words(&[b"RESTORE", b"sale", b"0", &unhex(payload)]);
    for (line, answer) in [
        (
            "RESTOCK sale ITEMS 9 m0 4 m1 4 m2 4 m3 4 m4 4 m5 4 m6 4 m7 4 m8 4 NEW REF lorry",
            "RESTOCKED ...",
        ),
        (
            "RESTOCK sale ITEMS 9 m0 4 m1 4 m2 4 m3 4 m4 4 m5 4 m6 4 m7 4 m8 5 NEW REF lorry",
            "MISMATCH lorry",
        ),
        (
            "REFUND sale orders parts QTY 1 REF broken NORESTOCK",
            "REFUNDED parts ...",
        ),
        (
            "REFUND sale orders parts QTY 1 REF broken",
            "MISMATCH parts",
        ),
        (
            "REFUND sale orders parts QTY 1 REF fine",
            "REFUNDED parts ...",
        ),
        (
            "REFUND sale orders parts QTY 1 REF fine NORESTOCK",
            "MISMATCH parts",
        ),
        ("CHECKOUT sale orders parts REF LONG", "SOLD parts ..."),
        ("RESERVE sale lee LARGE ID large", "RELEASED large"),
        ("RESERVE sale lee ITEMS 1 m0 1 ID large", "MISMATCH large"),
        ("RESERVE sale kim LARGE ID lapsed", "EXPIRED lapsed *"),
        (
            "RESERVE sale bob ITEMS 1 cup 1 ID before",
            "RELEASED before",
        ),
    ] {
        con.refuses(&format!("FLASHSALE.{}", whole(line)), answer);
    }
}

#[test]
fn the_sale_of_the_golden_file_is_written_today_as_it_was_then() {
    let text = read(TODAY.file);
    let Some(today) = written_today() else { return };
    // Moments, ULIDs and stream IDs differ; whatever else there is to read does not.
    let steady = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().skip(3);
        let is_steady = |word: &&str| word.len() < 12;
        words.filter(is_steady).map(str::to_owned).collect()
    };
    assert_eq!(steady(&today), steady(&text));
}
