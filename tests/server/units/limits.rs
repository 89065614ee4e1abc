//! How many units a sale may have, and what happens where memory is short.

use super::{each, hall, restock, seats, units_in};
use crate::support::{Server, wait_until};

#[test]
fn a_sale_has_at_most_max_units_withdrawn_ones_among_them() {
    let Some(server) = Server::own(&[], &["max-units 8"]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 stalls 0 ga 100", "OK");
    con.says(
        "CONFIG GET flashsale.max-units",
        "flashsale.max-units \"8\"",
    );
    restock(&mut con, "stalls", &seats("A", 1, 6), "");
    con.fails(
        "FLASHSALE.RESTOCK sale UNITS stalls 3 B-1 B-2 B-3",
        "ERR",
        "max-units",
    );
    con.says(
        "FLASHSALE.RESTOCK sale UNITS stalls 2 A-1 A-2 WITHDRAW",
        "RESTOCKED ...",
    );
    con.fails(
        "FLASHSALE.RESTOCK sale UNITS box 3 X-1 X-2 X-3 NEW",
        "ERR",
        "max-units",
    );
    // What comes back is not new.
    con.says(
        "FLASHSALE.RESTOCK sale UNITS stalls 4 A-1 A-2 B-1 B-2",
        "RESTOCKED [stalls 8 8]",
    );
    con.fails(
        "FLASHSALE.RESTOCK sale UNITS stalls 1 B-3",
        "ERR",
        "max-units",
    );
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 ga 5",
        "RESTOCKED [ga 105 105]",
    );
    con.says("CONFIG SET flashsale.max-units 9", "OK");
    con.says(
        "FLASHSALE.RESTOCK sale UNITS stalls 1 B-3",
        "RESTOCKED [stalls 9 9]",
    );
    for bad in ["0", "100000001", "many"] {
        let reply = con.show(&format!("CONFIG SET flashsale.max-units {bad}"));
        assert!(reply.contains("(error)"), "{bad}: {reply}");
    }
    con.says("CONFIG SET flashsale.max-units 3", "OK");
    // A bound that was lowered since takes nothing away.
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 stalls 9 ID i1",
        "RESERVED ...",
    );
}

#[test]
fn at_maxmemory_no_new_names_come_and_everything_else_goes_on() {
    each("ITEMS 2 stalls 0 ga 10 HOLD 60000", |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob UNITS 1 A-3 ID b1",
            "SOLD ...",
        );
        con.says("CONFIG SET maxmemory 1", "OK");
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 C-1",
            "OOM",
            "maxmemory",
        );
        con.fails(
            "FLASHSALE.RESERVE sale cyd UNITS 1 A-4 ID c1",
            "OOM",
            "maxmemory",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID i1",
            "RESERVED i1 * 9 -1 [A-1 A-2]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale ITEMS 1 ga 1",
            "RESTOCKED [ga 11 11]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-4 WITHDRAW",
            "RESTOCKED [stalls 11 8]",
        );
        // What comes back on sale takes no memory, what comes beside it does.
        con.fails(
            "FLASHSALE.RESTOCK sale UNITS stalls 2 A-4 C-1",
            "OOM",
            "maxmemory",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-4",
            "RESTOCKED [stalls 12 9]",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-4 WITHDRAW",
            "RESTOCKED [stalls 11 8]",
        );
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1",
            "SOLD i1 (entry) [A-1 A-2]",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 1 A-1 REF r",
            "REFUNDED ...",
        );
        assert_eq!(
            units_in(con, "stalls", "free"),
            format!("A-1 A-5 A-6 {}", seats("B", 1, 6))
        );
        con.says("CONFIG SET maxmemory 0", "OK");
    });
}

#[test]
fn info_counts_units_and_refusals() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let gauge = |con: &mut crate::support::Con, name: &str| {
        con.info("flashsale", &format!("flashsale_{name}"))
    };
    assert_eq!(gauge(&mut con, "units"), "0");
    con.says("FLASHSALE.CREATE sale orders ITEMS 2 stalls 0 ga 10", "OK");
    hall(&mut con);
    con.says(
        "FLASHSALE.RESTOCK sale UNITS stalls 1 A-4 WITHDRAW",
        "RESTOCKED ...",
    );
    assert_eq!(gauge(&mut con, "units"), "12");
    con.says("FLASHSALE.BUY sale orders ann UNITS 1 A-1", "SOLD ...");
    con.refuses(
        "FLASHSALE.RESERVE sale bob UNITS 1 A-1",
        "NOTFREE -1 stalls A-1",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale bob UNITS 1 A-4",
        "NOTFREE -1 stalls A-4",
    );
    assert_eq!(gauge(&mut con, "outcome_notfree"), "2");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(gauge(&mut con, "units"), "12");
    con.says("FLASHSALE.CREATE other other:log ITEMS 1 x 0", "OK");
    con.says("FLASHSALE.RESTOCK other UNITS x 2 a b", "RESTOCKED ...");
    assert_eq!(gauge(&mut con, "units"), "14");
    con.says("DEL sale", "1");
    wait_until("they are gone", || gauge(&mut con, "units") == "2");
}

#[test]
fn ten_thousand_names_are_one_call_and_take_what_the_page_says() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 stalls 0", "OK");
    let memory = |con: &mut crate::support::Con| -> u64 {
        let bytes = con.field("FLASHSALE.INFO sale", "memory_bytes");
        bytes.parse().expect("bytes")
    };
    let before = memory(&mut con);
    for block in 0..8 {
        restock(
            &mut con,
            "stalls",
            &seats(&format!("BLOCK-{block}"), 1, 10_000),
            "",
        );
    }
    con.says("FLASHSALE.STOCK sale", "[stalls 80000 0 0 0]");
    let each = (memory(&mut con) - before) / 80_000;
    assert!(each <= 45, "{each} bytes a unit");
}
