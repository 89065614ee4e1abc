//! **Goal**: whoever sends requests for ever - fresh ids, fresh users, ids that were never
//! seen, REFs, extensions, hostile cursors - grows no memory without bound and keeps no
//! honest buyer out; what a buyer has reserved or bought is never forgotten for it.
//!
//! **Method**: tens of thousands of requests in pipelines against a small
//! `max-reservations`. Sizes are compared after some and after many more, as ratios.

use crate::support::{Con, Server, all_said, send_all, wait_until};

/// Most reservations a sale knows in these tests.
const KNOWN_MAX: u64 = 2_000;
/// Cycles until everything that may fill up is full, and in all.
const CYCLES: [u64; 2] = [10_000, 50_000];

fn server() -> Option<(Server, Con)> {
    let server = Server::own(&[], &[&format!("max-reservations {KNOWN_MAX}")])?;
    let con = server.conn();
    Some((server, con))
}

fn number(con: &mut Con, field: &str) -> u64 {
    let value = con.field("FLASHSALE.INFO sale", field);
    value.parse().expect("a number")
}

/// What may not grow: bytes, by both measures, and records.
#[derive(Debug)]
struct Size {
    memory_bytes: u64,
    memory_usage: u64,
    users: u64,
    known: u64,
}

fn size(con: &mut Con) -> Size {
    Size {
        memory_bytes: number(con, "memory_bytes"),
        memory_usage: con.int("MEMORY USAGE sale SAMPLES 0") as u64,
        users: number(con, "users"),
        known: number(con, "reservations_open") + number(con, "reservations_remembered"),
    }
}

/// Runs some cycles, then many more, and asserts that the sale grew in the first alone.
/// Each of these words must be the answer once a cycle.
#[track_caller]
fn stays_flat(con: &mut Con, words: &[&str], lines_of: impl Fn(u64) -> Vec<String> + Copy) {
    let mut sizes = Vec::new();
    for (from, to) in [(0, CYCLES[0]), (CYCLES[0], CYCLES[1])] {
        let counts = send_all(con, (from..to).flat_map(lines_of));
        for word in words {
            assert_eq!(counts.get(*word), Some(&(to - from)), "{word}: {counts:?}");
        }
        sizes.push(size(con));
    }
    let (early, late) = (&sizes[0], &sizes[1]);
    assert!(
        late.known <= KNOWN_MAX && late.users <= KNOWN_MAX,
        "{late:?}"
    );
    // A table may be in the middle of its growth at either moment.
    let is_flat = late.memory_bytes <= early.memory_bytes * 3 / 2
        && late.memory_usage <= early.memory_usage * 3 / 2;
    assert!(is_flat, "{early:?} {late:?}");
}

/// An honest buyer with an open reservation, an order and a retry of each.
struct Honest {
    open: String,
    sold: String,
}

impl Honest {
    fn new(con: &mut Con) -> Honest {
        con.says(
            "FLASHSALE.CREATE sale orders STOCK 50 USERLIMIT 5 HOLD 600000",
            "OK",
        );
        con.says("FLASHSALE.RESERVE sale ann 2 ID ann-open", "RESERVED ...");
        con.says(
            "FLASHSALE.BUY sale orders ann 1 ID ann-sold REF p",
            "SOLD ...",
        );
        Honest {
            open: con.show("FLASHSALE.GET sale ann-open"),
            sold: con.show("FLASHSALE.GET sale ann-sold"),
        }
    }

    /// Nothing of hers was forgotten, her limit holds, and she can still reserve.
    #[track_caller]
    fn is_served(&self, con: &mut Con) {
        assert_eq!(con.show("FLASHSALE.GET sale ann-open"), self.open);
        assert_eq!(con.show("FLASHSALE.GET sale ann-sold"), self.sold);
        con.says(
            "FLASHSALE.BUY sale orders ann 1 ID ann-sold REF p",
            "SOLD ann-sold (entry)",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann 2 ID ann-open",
            "RESERVED ann-open ...",
        );
        con.refuses("FLASHSALE.RESERVE sale ann 3 ID ann-more", "USERLIMIT 2");
        con.says(
            "FLASHSALE.RESERVE sale ann 2 ID ann-more",
            "RESERVED ann-more * 45 0",
        );
        con.says("FLASHSALE.CHECKOUT sale orders ann-open", "SOLD ...");
        con.says("FLASHSALE.STOCK sale", "[default 45 2 3 0]");
    }
}

#[test]
fn reserving_and_releasing_for_ever_grows_nothing() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let honest = Honest::new(&mut con);
    stays_flat(&mut con, &["RESERVED", "RELEASED"], |cycle| {
        vec![
            format!("FLASHSALE.RESERVE sale mallory{cycle} 1 ID m{cycle}"),
            format!("FLASHSALE.RELEASE sale m{cycle}"),
        ]
    });
    assert_eq!(number(&mut con, "reservations_remembered"), KNOWN_MAX - 2);
    honest.is_served(&mut con);
}

#[test]
fn releasing_ids_that_were_never_seen_for_ever_grows_nothing() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let honest = Honest::new(&mut con);
    let long = "m".repeat(120);
    stays_flat(&mut con, &["RELEASED"], |cycle| {
        let owner = match cycle % 2 {
            0 => String::new(),
            _ => format!(" USER {long}{cycle}"),
        };
        vec![format!("FLASHSALE.RELEASE sale {long}{cycle}{owner}")]
    });
    honest.is_served(&mut con);
}

#[test]
fn reservations_that_expire_for_ever_grow_nothing() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let honest = Honest::new(&mut con);
    // Most requests find everything reserved for a moment, so it is filled beforehand.
    send_all(
        &mut con,
        (0..KNOWN_MAX).map(|n| format!("FLASHSALE.RELEASE sale x{n}")),
    );
    stays_flat(&mut con, &[], |cycle| {
        vec![format!(
            "FLASHSALE.RESERVE sale mallory{cycle} 1 HOLD 1 ID m{cycle}"
        )]
    });
    wait_until("the last expired", || number(&mut con, "reserved") == 2);
    honest.is_served(&mut con);
}

#[test]
fn refusals_and_errors_for_ever_leave_nothing_behind() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let honest = Honest::new(&mut con);
    let before = con.digest("sale");
    stays_flat(
        &mut con,
        &["ALREADYSOLD", "USERLIMIT", "MISMATCH", "ERR"],
        |cycle| {
            vec![
                format!("FLASHSALE.CHECKOUT sale orders m{cycle} REF p{cycle}"),
                format!("FLASHSALE.CHECKOUT sale orders ann-open USER mallory{cycle}"),
                format!("FLASHSALE.CHECKOUT sale orders ann-sold REF p{cycle}x"),
                format!("FLASHSALE.RESERVE sale mallory{cycle} 6 ID m{cycle}"),
                format!("FLASHSALE.RESERVE sale mallory{cycle} 1 ID ann-open"),
                format!("FLASHSALE.BUY sale others mallory{cycle} 1"),
                format!("FLASHSALE.USER sale mallory{cycle}"),
            ]
        },
    );
    assert_eq!(con.digest("sale"), before);
    assert_eq!(number(&mut con, "users"), 1);
    honest.is_served(&mut con);
}

#[test]
fn whoever_reserves_everything_holds_it_for_maxhold_at_most() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 20 USERLIMIT 1 HOLD 1500 MAXHOLD 2000",
        "OK",
    );
    let counts = send_all(
        &mut con,
        (0..20).map(|n| format!("FLASHSALE.RESERVE sale m{n} 1 ID m{n} HOLD 9007199254740991")),
    );
    all_said(&counts, "RESERVED", 20);
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID ann-1",
        "ALLRESERVED <=1500 default",
    );
    let made: Vec<u64> = (0..20)
        .map(|n| moment(&mut con, n, "reserved_at_ms"))
        .collect();
    // Extended for ever, and never beyond MAXHOLD from its making.
    wait_until("ann is served", || {
        send_all(
            &mut con,
            (0..20).map(|n| format!("FLASHSALE.EXTEND sale m{n} 9007199254740991")),
        );
        for n in 0..20 {
            let until = moment(&mut con, n as usize, "expires_at_ms");
            assert!(until <= made[n as usize] + 2_000, "m{n} until {until}");
        }
        con.show("FLASHSALE.RESERVE sale ann 1 ID ann-1")
            .starts_with("RESERVED")
    });
    con.says("FLASHSALE.EXTEND sale m0 1000", "EXPIRED m0 *");
}

fn moment(con: &mut Con, n: usize, field: &str) -> u64 {
    let line = format!("FLASHSALE.GET sale m{n}");
    con.field(&line, field).parse().expect("a moment")
}

#[test]
fn at_the_bound_open_and_sold_ids_stay_and_new_ones_are_told_so() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    con.says("FLASHSALE.CREATE sale orders STOCK 9000", "OK");
    let lines = (0..KNOWN_MAX).map(|n| match n % 2 {
        0 => format!("FLASHSALE.RESERVE sale u{n} 1 ID i{n}"),
        _ => format!("FLASHSALE.BUY sale orders u{n} 1 ID i{n}"),
    });
    let counts = send_all(&mut con, lines.collect::<Vec<_>>());
    assert_eq!(counts.values().sum::<u64>(), KNOWN_MAX);
    assert!(
        counts
            .keys()
            .all(|word| word == "RESERVED" || word == "SOLD"),
        "{counts:?}"
    );
    let digest = con.digest("sale");
    let lines = (0..5_000).flat_map(|n| {
        [
            format!("FLASHSALE.RESERVE sale m 1 ID x{n}"),
            format!("FLASHSALE.RELEASE sale y{n}"),
            format!("FLASHSALE.BUY sale orders m 1 ID z{n}"),
        ]
    });
    all_said(&send_all(&mut con, lines), "OOM", 15_000);
    assert_eq!(con.digest("sale"), digest);
    // Who has one goes on, and makes room by giving it back.
    con.says("FLASHSALE.RESERVE sale u0 1 ID i0", "RESERVED i0 ...");
    con.says("FLASHSALE.CHECKOUT sale orders i2", "SOLD i2 (entry)");
    con.says("FLASHSALE.RELEASE sale i0", "RELEASED i0");
    con.says("FLASHSALE.RESERVE sale ann 1", "RESERVED ...");
    con.fails("FLASHSALE.RESERVE sale ann 1", "OOM", "");
}

/// `count` SKUs, each with one unit or one more.
fn many(count: u32, qty: &str) -> String {
    let skus: Vec<String> = (0..count).map(|sku| format!("sku-{sku} {qty}")).collect();
    format!("ITEMS {count} {}", skus.join(" "))
}

#[test]
fn a_remembered_cart_of_any_size_costs_less_than_200_bytes() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let create = many(10_000, "9");
    con.says(&format!("FLASHSALE.CREATE sale orders {create}"), "OK");
    let cart = many(10_000, "1");
    let cycle = |con: &mut Con, n: u32| {
        con.says(
            &format!("FLASHSALE.RESERVE sale ann {cart} ID c{n}"),
            "RESERVED ...",
        );
        con.says(&format!("FLASHSALE.RELEASE sale c{n}"), "RELEASED ...");
    };
    for n in 0..10 {
        cycle(&mut con, n);
    }
    let before = size(&mut con).memory_bytes;
    for n in 10..210 {
        cycle(&mut con, n);
    }
    let grown = size(&mut con).memory_bytes - before;
    assert!(grown < 200 * 200, "{grown} bytes for 200 carts");
    // They are still told from other carts.
    con.refuses(
        &format!("FLASHSALE.RESERVE sale ann {cart} ID c7"),
        "RELEASED c7",
    );
    con.refuses(
        &format!("FLASHSALE.RESERVE sale ann {} ID c7", many(9_999, "1")),
        "MISMATCH c7",
    );
    con.fields("FLASHSALE.GET sale c7", "state released, items (nil)");
    let digest = con.digest("sale");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(con.digest("sale"), digest);
}

#[test]
fn a_large_restock_is_remembered_by_a_digest() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let create = many(10_000, "9");
    con.says(&format!("FLASHSALE.CREATE sale orders {create}"), "OK");
    let before = size(&mut con).memory_bytes;
    let (more, less) = (many(10_000, "1"), many(10_000, "-1"));
    for n in 0..50 {
        con.says(
            &format!("FLASHSALE.RESTOCK sale {more} REF m{n}"),
            "RESTOCKED ...",
        );
        con.says(
            &format!("FLASHSALE.RESTOCK sale {less} REF l{n}"),
            "RESTOCKED ...",
        );
    }
    let grown = size(&mut con).memory_bytes - before;
    assert!(grown < 100 * 200, "{grown} bytes for 100 REFs");
    con.refuses(
        &format!("FLASHSALE.RESTOCK sale {more} REF m3"),
        "RESTOCKED ...",
    );
    con.refuses(
        &format!("FLASHSALE.RESTOCK sale {less} REF m3"),
        "MISMATCH m3",
    );
}

#[test]
fn an_id_within_its_grace_is_kept_at_the_bound() {
    let Some(server) = Server::own(&[], &["max-reservations 10"]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5 GRACE 60000", "OK");
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID promised HOLD 20",
        "RESERVED ...",
    );
    wait_until("the reservation expired", || {
        con.field("FLASHSALE.GET sale promised", "state") == "expired"
    });
    for n in 0..11 {
        con.says(
            &format!("FLASHSALE.RELEASE sale unseen-{n}"),
            "RELEASED ...",
        );
    }
    // Nine of them are remembered, the first two made room.
    con.says("FLASHSALE.GET sale unseen-1", "(nil)");
    con.fields("FLASHSALE.INFO sale", "reservations_remembered 10");
    con.says("FLASHSALE.CHECKOUT sale orders promised", "SOLD ...");
    // With nothing but promises left, there is no room.
    con.says("FLASHSALE.CREATE full orders STOCK 50 GRACE 60000", "OK");
    for n in 0..10 {
        con.says(
            &format!("FLASHSALE.RESERVE full ann 1 ID p{n} HOLD 20"),
            "RESERVED ...",
        );
    }
    wait_until("they expired", || {
        con.field("FLASHSALE.INFO full", "reservations_open") == "0"
    });
    con.fails("FLASHSALE.RESERVE full bob 1", "OOM", "max-reservations");
    con.fails("FLASHSALE.RELEASE full unseen", "OOM", "max-reservations");
    con.says("FLASHSALE.RELEASE full p3", "RELEASED p3");
    con.says("FLASHSALE.RESERVE full bob 1 ID b", "RESERVED ...");
    con.says("FLASHSALE.GET full p3", "(nil)");
}

#[test]
fn refs_of_restocks_for_ever_are_forgotten_but_for_the_last_thousand() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    let tail = "f".repeat(120);
    stays_flat(&mut con, &["RESTOCKED"], |cycle| {
        let delta = if cycle % 2 == 0 { "2" } else { "-2" };
        vec![format!("FLASHSALE.RESTOCK sale {delta} REF {cycle}{tail}")]
    });
    let last = CYCLES[1] - 1;
    con.refuses(
        &format!("FLASHSALE.RESTOCK sale -2 REF {last}{tail}"),
        "RESTOCKED [default 5 5]",
    );
    let oldest = CYCLES[1] - 1_000;
    con.refuses(
        &format!("FLASHSALE.RESTOCK sale 2 REF {oldest}{tail}"),
        "RESTOCKED [default 5 5]",
    );
    con.says(
        &format!("FLASHSALE.RESTOCK sale -2 REF {}{tail}", oldest - 1),
        "RESTOCKED [default 3 3]",
    );
}

#[test]
fn refunds_of_one_order_end_with_its_units() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    con.says("FLASHSALE.CREATE sale orders STOCK 300", "OK");
    con.says("FLASHSALE.BUY sale orders ann 300 ID big", "SOLD ...");
    let lines = |from: u64, to: u64| {
        (from..to).map(|n| format!("FLASHSALE.REFUND sale orders big QTY 1 REF f{n}"))
    };
    all_said(&send_all(&mut con, lines(0, 300)), "REFUNDED", 300);
    let (full, entries) = (number(&mut con, "memory_bytes"), con.int("XLEN orders"));
    all_said(&send_all(&mut con, lines(300, 20_000)), "NOTSOLD", 19_700);
    all_said(&send_all(&mut con, lines(0, 300)), "REFUNDED", 300);
    assert_eq!(
        (number(&mut con, "memory_bytes"), con.int("XLEN orders")),
        (full, entries)
    );
    con.says("FLASHSALE.STOCK sale", "[default 300 0 0 0]");
}

#[test]
fn sales_made_deleted_and_renamed_for_ever_leave_no_hint_behind() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let hints = |con: &mut Con| con.info("flashsale", "flashsale_sales_with_deadlines");
    let lines = (0..4_000).flat_map(|n| {
        let end = if n % 2 == 0 { "DEL" } else { "UNLINK" };
        [
            format!("FLASHSALE.CREATE a{n} orders STOCK 1"),
            format!("FLASHSALE.RESERVE a{n} m 1"),
            format!("RENAME a{n} b{n}"),
            format!("{end} b{n}"),
        ]
    });
    send_all(&mut con, lines);
    // UNLINK may free on another thread, yet the name is let go at once.
    assert_eq!(hints(&mut con), "0");
    con.says("FLASHSALE.CREATE sale orders STOCK 1", "OK");
    con.says("FLASHSALE.RESERVE sale m 1", "RESERVED ...");
    let mut used = Vec::new();
    for _ in 0..2 {
        let there_and_back = ["RENAME sale other", "RENAME other sale"];
        let lines = (0..20_000).map(|n| there_and_back[n % 2].to_owned());
        send_all(&mut con, lines);
        assert_eq!(hints(&mut con), "1");
        let bytes = con.info("memory", "used_memory_dataset");
        used.push(bytes.parse::<u64>().expect("bytes"));
    }
    assert!(used[1] < used[0] + (1 << 20), "{used:?}");
    con.says("DEL sale", "1");
    assert_eq!(hints(&mut con), "0");
    assert_eq!(con.info("flashsale", "flashsale_sales"), "0");
}

#[test]
fn hostile_cursors_and_counts_cost_no_more_than_the_sale_has() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    let _honest = Honest::new(&mut con);
    let most = "9007199254740991";
    for cursor in ["0", "1", "2", "1999", "4294967295", "4294967296", most] {
        for count in ["1", "1000000", most] {
            let line = format!("FLASHSALE.SCAN sale {cursor} COUNT {count}");
            let reply = con.show(&line);
            let ids = reply.matches("ann-").count();
            assert!(
                reply.contains('[') || reply.contains("(empty)"),
                "{line}: {reply}"
            );
            assert!(ids <= 2 && reply.len() < 100, "{line}: {reply}");
        }
    }
    for cursor in [
        "-1",
        "18446744073709551616",
        "9007199254740992",
        "x",
        "''",
        "0x0",
        "+0",
        "00",
    ] {
        con.fails(&format!("FLASHSALE.SCAN sale {cursor}"), "ERR", "cursor");
    }
    con.fails("FLASHSALE.SCAN sale 0 COUNT 0", "ERR", "count");
    con.fails(
        "FLASHSALE.SCAN sale 0 COUNT 9007199254740992",
        "ERR",
        "count",
    );
}

#[test]
fn ids_of_any_bytes_are_told_apart() {
    let Some((_server, mut con)) = server() else {
        return;
    };
    con.says("FLASHSALE.CREATE sale orders STOCK 600", "OK");
    // Every byte alone and doubled, and names that end in zero bytes.
    let mut ids: Vec<Vec<u8>> = (0..=255)
        .flat_map(|byte| [vec![byte], vec![byte; 128]])
        .collect();
    ids.extend((1..60).map(|length| [vec![b'x'], vec![0; length]].concat()));
    for id in &ids {
        let reply = con.run_words(&[b"FLASHSALE.RESERVE", b"sale", id, b"1", b"ID", id]);
        assert!(
            crate::support::render(&reply).starts_with("RESERVED"),
            "{id:?}"
        );
    }
    assert_eq!(number(&mut con, "reservations_open"), ids.len() as u64);
    assert_eq!(number(&mut con, "users"), ids.len() as u64);
    for id in &ids {
        let reply = con.run_words(&[b"FLASHSALE.CHECKOUT", b"sale", b"orders", id, b"USER", id]);
        assert!(crate::support::render(&reply).starts_with("SOLD"), "{id:?}");
    }
    let left = 600 - ids.len();
    con.says(
        "FLASHSALE.STOCK sale",
        &format!("[default {left} 0 {} 0]", ids.len()),
    );
    for bad in [&b""[..], &[b'x'; 256]] {
        con.fails_words(
            &[b"FLASHSALE.RESERVE", b"sale", b"ann", b"1", b"ID", bad],
            "ERR",
            "id",
        );
    }
}
