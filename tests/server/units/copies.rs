//! Every copy of a sale agrees on who has which unit: one that loads, replays or follows, and one
//! that becomes the primary.

use super::{all_units, restock, seats};
use crate::support::{
    Con, Feed, REPLICA_OF_NOBODY, Server, aof, replicate, wait_for_replica, wait_until,
};

/// A sale with units in every state and reservations in every state, and entries of all.
#[track_caller]
pub fn fill(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 4 stalls 0 box 0 ga 50 code 0 HOLD 600000 \
         GRACE 600000 EVENTS all WAITING 9",
        "OK",
    );
    for row in ["A", "B", "C"] {
        restock(con, "stalls", &seats(row, 1, 20), "");
    }
    let long = "a-name-that-is-longer-than-sixteen-bytes";
    restock(
        con,
        "box",
        &format!(
            "{long}-1 {long}-2 01ARZ3NDEKTSV4RRFFQ69G5FAV 123e4567-e89b-12d3-a456-426614174000"
        ),
        "",
    );
    restock(con, "code", "k1 k2 k3 k4 k5 k6 k7", "SEALED REF codes");
    for line in [
        "RESTOCK sale UNITS stalls 3 A-5 B-6 C-7 WITHDRAW",
        "RESTOCK sale UNITS stalls 1 B-6",
        "RESTOCK sale UNITS code 1 k7 WITHDRAW",
        "RESERVE sale ann ITEMS 3 stalls 4 ga 2 code 1 ID open",
        "RESERVE sale ann UNITS 2 B-1 C-20 ID named",
        "RESERVE sale ann ITEMS 1 box 2 ID boxes",
        "RESERVE sale bob ITEMS 1 stalls 3 ID old",
        "RESERVE sale bob ITEMS 1 stalls 5 ID new REPLACE old",
        "RESERVE sale cyd UNITS 2 C-1 C-2 ID given-back",
        "RELEASE sale given-back",
        "BUY sale orders dan ITEMS 2 code 2 ga 1 UNITS 3 A-20 A-19 B-20 ID sold REF p PAYLOAD {}",
        "REFUND sale orders sold UNITS 2 A-19 k1 REF r1",
        "BUY sale orders dan UNITS 2 C-11 C-12 ID all-back",
        "REFUND sale orders all-back NORESTOCK",
        "RESERVE sale eve ITEMS 2 stalls 2 code 1 ID late",
        "CHECKOUT sale orders late REF q",
        "RESERVE sale fay ITEMS 2 stalls 2 code 1 ID in-grace HOLD 150",
        "MRESERVE sale ENTRIES 2 gus 1 m1 hal 2 m2 SKU stalls",
        "MCHECKOUT sale orders ENTRIES 1 m2 x",
        "EXTEND sale open 600000",
    ] {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(
            !reply.contains("(error)") && !reply.contains("NOT"),
            "{line}: {reply}"
        );
    }
    wait_until("one is within its grace", || {
        con.field("FLASHSALE.GET sale in-grace", "state") == "expired"
            && con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
    assert_eq!(con.field("FLASHSALE.GET sale in-grace", "units"), "[]");
    con.fields(
        "FLASHSALE.AUDIT sale orders",
        "consistent 1, differences []",
    );
}

/// All that reads tell of units, and who has them.
#[track_caller]
pub fn picture(con: &mut Con, key: &str) -> Vec<String> {
    let mut lines = vec![con.stock(key)];
    for sku in ["stalls", "box", "code"] {
        lines.push(con.show(&format!(
            "FLASHSALE.UNITS {key} {sku} 0 COUNT 10000 WITHIDS"
        )));
    }
    for id in [
        "open",
        "named",
        "boxes",
        "old",
        "new",
        "given-back",
        "sold",
        "all-back",
        "late",
        "in-grace",
        "m1",
        "m2",
    ] {
        lines.push(con.show(&format!("FLASHSALE.GET {key} {id}")));
    }
    lines
}

/// What happens next is the same on every copy that is asked.
#[track_caller]
pub fn go_on(con: &mut Con) {
    con.says(
        "FLASHSALE.CHECKOUT sale orders open",
        "SOLD open (entry) [A-1 A-2 A-3 A-4 k4]",
    );
    // The very same ones, which nobody took.
    con.says(
        "FLASHSALE.CHECKOUT sale orders in-grace",
        "SOLD in-grace ...",
    );
    con.says(
        "FLASHSALE.RESTOCK sale UNITS code 7 k1 k2 k3 k4 k5 k6 k7 SEALED REF codes",
        "RESTOCKED [code 5 1]",
    );
    con.says("FLASHSALE.REFUND sale orders sold", "REFUNDED ...");
    con.says(
        "FLASHSALE.RESTOCK sale UNITS stalls 2 A-5 C-7",
        "RESTOCKED ...",
    );
    con.fields(
        "FLASHSALE.AUDIT sale orders",
        "consistent 1, differences []",
    );
}

#[test]
fn a_reload_a_rewrite_and_a_replay_after_the_deadlines_have_the_same_units() {
    for preamble in ["yes", "no"] {
        let args =
            format!("--appendonly yes --appendfsync always --aof-use-rdb-preamble {preamble}");
        let Some(mut server) = Server::own(&[&args], &[]) else {
            return;
        };
        let mut con = server.conn();
        fill(&mut con);
        let (digest, seen) = (con.digest("sale orders"), picture(&mut con, "sale"));
        con.says("DEBUG RELOAD", "OK");
        assert_eq!(
            (con.digest("sale orders"), picture(&mut con, "sale")),
            (digest.clone(), seen.clone())
        );
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(
            (con.digest("sale orders"), picture(&mut con, "sale")),
            (digest.clone(), seen.clone())
        );
        con.says("REPLICAOF NO ONE", "OK");
        aof::rewrite(&mut con);
        drop(con);
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(
            (con.digest("sale orders"), picture(&mut con, "sale")),
            (digest, seen)
        );
        con.says("REPLICAOF NO ONE", "OK");
        go_on(&mut con);
    }
}

/// What is left of a time when an item was counted: a refund of it, and a reservation within its
/// grace, each with a seat beside.
#[test]
fn an_item_that_was_counted_once_is_loaded_with_what_is_left_of_that_time() {
    let args = "--appendonly yes --appendfsync always";
    let Some(mut server) = Server::own(&[args], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 stalls 0 pit 1 HOLD 600000 GRACE 600000",
        "OK",
    );
    restock(&mut con, "stalls", "A-1 A-2 A-3", "");
    con.says(
        "FLASHSALE.BUY sale orders ann ITEMS 2 stalls 1 pit 1 ID back",
        "SOLD back (entry) [A-1]",
    );
    con.says("FLASHSALE.REFUND sale orders back", "REFUNDED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 2 pit 1 stalls 2 ID late HOLD 20",
        "RESERVED late * 0 -1 [A-1 A-2]",
    );
    wait_until("it expired", || con.stock("sale pit") == "[pit 1 0 0 0]");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 pit -1",
        "RESTOCKED [pit 0 0]",
    );
    restock(&mut con, "pit", "P-1 P-2", "");
    let digest = con.digest("sale orders");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(con.digest("sale orders"), digest);
    aof::rewrite(&mut con);
    server.kill9();
    server.start_again(&[]);
    let mut con = server.conn();
    assert_eq!(con.digest("sale orders"), digest);
    con.fields(
        "FLASHSALE.AUDIT sale orders",
        "consistent 1, differences []",
    );
    con.refuses("FLASHSALE.CHECKOUT sale orders late", "EXPIRED late * 0");
    con.refuses("FLASHSALE.REFUND sale orders back", "REFUNDED back (entry)");
}

#[test]
fn a_replica_follows_is_synchronised_anew_and_goes_on_as_the_primary() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    fill(&mut con);
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    let same = |con: &mut Con, copy: &mut Con| {
        assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
        assert_eq!(picture(con, "sale"), picture(copy, "sale"));
        copy.has_not_diverged();
        copy.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    };
    same(&mut con, &mut copy);
    // A full resynchronisation.
    copy.says("REPLICAOF NO ONE", "OK");
    copy.says("FLUSHALL", "OK");
    replicate(&primary, &replica);
    con.says(
        "FLASHSALE.BUY sale orders zoe ITEMS 2 stalls 2 code 1 ID z1",
        "SOLD ...",
    );
    wait_for_replica(&primary, &replica);
    same(&mut con, &mut copy);
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    con = replica.conn();
    con.says("FLASHSALE.RELEASE sale in-grace", "RELEASED ...");
    con.says(
        "FLASHSALE.CHECKOUT sale orders named",
        "SOLD named (entry) [B-1 C-20]",
    );
    con.says(
        "FLASHSALE.RESERVE sale zoe UNITS 1 C-20 ID z2",
        "NOTFREE -1 stalls C-20",
    );
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn a_promoted_copy_takes_over_the_deadlines_of_units() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 stalls 0", "OK");
    restock(&mut con, "stalls", &seats("A", 1, 3), "");
    con.says(
        "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1 HOLD 400",
        "RESERVED ...",
    );
    wait_for_replica(&primary, &replica);
    primary.kill9();
    let mut copy = replica.conn();
    copy.says("REPLICAOF NO ONE", "OK");
    wait_until("they are free", || {
        all_units(&mut copy, "stalls", "") == "A-1 free A-2 free A-3 free"
    });
    copy.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 stalls 3 ID b1",
        "RESERVED b1 * 0 -1 [A-1 A-2 A-3]",
    );
}

#[test]
fn each_change_is_sent_on_as_one_event_and_a_refusal_not_at_all() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 3 stalls 0 ga 9 code 0",
        "OK",
    );
    let mut feed = Feed::follow(&server);
    let (sale, both) = ("FLASHSALE.APPLY sale", "FLASHSALE.APPLY sale orders");
    for (line, expected) in [
        ("RESTOCK sale UNITS stalls 4 A-1 A-2 A-3 A-4 REF t", sale),
        ("RESTOCK sale UNITS code 2 k1 k2 SEALED", sale),
        ("RESTOCK sale UNITS box 1 X-1 NEW", sale),
        ("RESTOCK sale UNITS stalls 1 A-4 WITHDRAW", sale),
        (
            "RESERVE sale ann ITEMS 2 ga 1 code 1 UNITS 2 A-1 A-2 ID i1",
            sale,
        ),
        ("RESERVE sale ann UNITS 1 A-1 ID i2 REPLACE i1", sale),
        ("CHECKOUT sale orders i2", both),
        ("BUY sale orders ann ITEMS 2 stalls 1 code 1 ID i3", both),
        ("REFUND sale orders i3 UNITS 1 A-2 REF r", both),
        ("REFUND sale orders i3", both),
    ] {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        assert_eq!(feed.short(), [expected], "{line}");
    }
    for line in [
        "RESTOCK sale UNITS stalls 4 A-1 A-2 A-3 A-4 REF t",
        "RESTOCK sale UNITS stalls 4 A-1 A-2 A-3 A-5 REF t",
        "RESTOCK sale UNITS stalls 1 A-2",
        "RESTOCK sale UNITS stalls 1 A-1 WITHDRAW",
        "RESTOCK sale ITEMS 1 stalls 1",
        "RESERVE sale ann UNITS 1 A-1 ID i2",
        "RESERVE sale bob UNITS 1 A-1",
        "RESERVE sale bob UNITS 1 A-9",
        "RESERVE sale bob UNITS 1 k2",
        "BUY sale orders ann ITEMS 2 stalls 1 code 1 ID i3",
        "REFUND sale orders i2 UNITS 1 A-2 REF r",
        "UNITS sale stalls 0 WITHIDS",
        "UNITS sale code 0 WITHIDS",
        "GET sale i2",
    ] {
        con.run(&format!("FLASHSALE.{line}"));
        assert_eq!(feed.short(), [""; 0], "{line}");
    }
}

/// Seats and codes pass through the hands of a crowd; whoever follows has the same to the last
/// bit.
#[test]
fn a_seeded_crowd_leaves_the_same_units_on_every_copy() {
    let (Some(primary), Some(replica)) = (
        Server::own(&["--appendonly yes --appendfsync no"], &[]),
        Server::own(&[], &[]),
    ) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 3 stalls 0 ga 200 code 0 HOLD 600000 GRACE 40 \
         EVENTS all",
        "OK",
    );
    for row in 0..10 {
        restock(&mut con, "stalls", &seats(&format!("R{row}"), 1, 20), "");
    }
    let codes: Vec<String> = (0..300).map(|n| format!("code-{n}")).collect();
    restock(&mut con, "code", &codes.join(" "), "SEALED");
    let mut dice = crate::support::Dice::seeded();
    for step in 0..4_000 {
        let id = format!("i{}", dice.below(300));
        let user = format!("u{}", dice.below(20));
        let seat =
            |dice: &mut crate::support::Dice| format!("R{}-{}", dice.below(10), 1 + dice.below(20));
        let (one, other) = (seat(&mut dice), seat(&mut dice));
        let hold = if dice.below(5) == 0 {
            1 + dice.below(30)
        } else {
            600_000
        };
        let qty = 1 + dice.below(3);
        let line = match dice.below(16) {
            0..=2 => format!("RESERVE sale {user} ITEMS 1 stalls {qty} ID {id} HOLD {hold}"),
            3 | 4 => format!("RESERVE sale {user} UNITS 2 {one} {other} ID {id} HOLD {hold}"),
            5 => format!("RESERVE sale {user} ITEMS 2 ga 1 code {qty} UNITS 1 {one} ID {id}"),
            6 => format!("RESERVE sale {user} ITEMS 1 stalls {qty} ID {id}-b REPLACE {id}"),
            7 => format!("BUY sale orders {user} ITEMS 2 code 1 stalls 1 ID {id} REF p"),
            8 | 9 => format!("CHECKOUT sale orders {id} REF p"),
            10 | 11 => format!("RELEASE sale {id}"),
            12 => format!("REFUND sale orders {id} UNITS 1 {one} REF r{step}"),
            13 => format!("REFUND sale orders {id}"),
            14 => format!("RESTOCK sale UNITS stalls 1 {one} WITHDRAW"),
            _ => format!("RESTOCK sale UNITS stalls 1 {one}"),
        };
        con.run(&format!("FLASHSALE.{line}"));
    }
    crate::support::workload::settle(&mut con);
    con.fields(
        "FLASHSALE.AUDIT sale orders",
        "consistent 1, differences []",
    );
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    copy.has_not_diverged();
    let digest = con.digest("sale orders");
    assert_eq!(copy.digest("sale orders"), digest);
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(con.digest("sale orders"), digest);
    con.says("DEBUG LOADAOF", "OK");
    assert_eq!(con.digest("sale orders"), digest);
}
