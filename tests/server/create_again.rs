//! **Goal**: with SALEID a CREATE that a client sends again is safe, and is told from any
//! other CREATE of the same key; a sale goes on under the id it had before.
//!
//! **Method**: the same line is sent again at once, after sales, after END and after a
//! reload; then with each of its parts changed, and after the sale itself was changed.

use crate::support::{Con, Server, unix_ms, wait_until};

const SALE_ID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn create(con: &mut Con, line: &str) {
    con.says(line, "OK");
    con.fields("FLASHSALE.INFO sale", &format!("sale_id {SALE_ID}"));
}

#[test]
fn the_same_create_again_is_ok_whatever_was_sold_since() {
    let server = Server::any();
    let mut con = server.conn();
    let end_at_ms = unix_ms() + 400;
    let line = format!(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 5 b 5 USERLIMIT 4 END {end_at_ms} SALEID {SALE_ID}"
    );
    create(&mut con, &line);
    con.refuses(&line, "OK");
    con.says(
        "FLASHSALE.BUY sale orders ann ITEMS 1 a 2 ID r1",
        "SOLD ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 b 1 ID r2",
        "RESERVED ...",
    );
    con.refuses(&line, "OK");
    wait_until("the sale ended", || {
        con.field("FLASHSALE.INFO sale", "state") == "ended"
    });
    con.refuses(&line, "OK");
    con.says("FLASHSALE.STOCK sale", "[a 3 0 2 0] [b 4 1 0 0]");
    // Its entries bear the id.
    let entry = con.show("XRANGE orders - + COUNT 1");
    assert!(entry.contains(&format!("sale_id {SALE_ID}")), "{entry}");
}

#[test]
fn another_create_is_busykey() {
    let server = Server::any();
    let mut con = server.conn();
    let line = format!("FLASHSALE.CREATE sale orders ITEMS 2 a 5 b 5 GRACE 9 SALEID {SALE_ID}");
    create(&mut con, &line);
    for other in [
        line.replace(SALE_ID, "01ARZ3NDEKTSV4RRFFQ69G5FAW"),
        line.replace(&format!(" SALEID {SALE_ID}"), ""),
        line.replace("orders", "others"),
        line.replace("GRACE 9", "GRACE 8"),
        line.replace("a 5", "a 6"),
        line.replace("a 5 b 5", "b 5 a 5"),
        line.replace("2 a 5 b 5", "1 a 5"),
    ] {
        con.fails(&other, "BUSYKEY", "exists");
    }
    con.says("SET text x", "OK");
    con.fails(&line.replace("sale orders", "text orders"), "BUSYKEY", "");
}

#[test]
fn a_sale_that_was_changed_since_is_not_what_its_create_made() {
    let server = Server::any();
    let mut con = server.conn();
    let line = format!("FLASHSALE.CREATE sale orders STOCK 5 SALEID {SALE_ID}");
    create(&mut con, &line);
    con.says("FLASHSALE.RESTOCK sale 1", "RESTOCKED ...");
    con.fails(&line, "BUSYKEY", "exists");
    con.says("FLASHSALE.RESTOCK sale -1", "RESTOCKED ...");
    con.refuses(&line, "OK");
    con.says("FLASHSALE.BUY sale orders ann 2 ID r1", "SOLD ...");
    con.says("FLASHSALE.REFUND sale orders r1", "REFUNDED ...");
    con.refuses(&line, "OK");
    // Units that left the total for good were not taken by the CREATE.
    con.says("FLASHSALE.BUY sale orders ann 2 ID r2", "SOLD ...");
    con.says("FLASHSALE.REFUND sale orders r2 NORESTOCK", "REFUNDED ...");
    con.fails(&line, "BUSYKEY", "exists");
    con.says("FLASHSALE.RESTOCK sale 2", "RESTOCKED ...");
    con.says("FLASHSALE.ALTER sale USERLIMIT 3", "OK");
    con.fails(&line, "BUSYKEY", "exists");
    con.says("FLASHSALE.ALTER sale USERLIMIT 0", "OK");
    con.says("FLASHSALE.BIND sale others", "OK");
    con.fails(&line, "BUSYKEY", "exists");
    con.fields("FLASHSALE.AUDIT sale", "consistent 1");
}

#[test]
fn a_saleid_is_a_ulid_as_info_shows_it() {
    let server = Server::any();
    let mut con = server.conn();
    for bad in [
        "''",
        "x",
        "01arz3ndektsv4rrffq69g5fav",
        "ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ] {
        con.fails(
            &format!("FLASHSALE.CREATE sale orders STOCK 5 SALEID {bad}"),
            "ERR",
            "SALEID",
        );
    }
    con.fails(
        "FLASHSALE.CREATE sale orders STOCK 5 SALEID",
        "ERR",
        "SALEID",
    );
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.fails(
        &format!("FLASHSALE.ALTER sale SALEID {SALE_ID}"),
        "ERR",
        "SALEID",
    );
}
