//! **Goal**: RESERVE with REPLACE changes a cart in one step: what is refused leaves the
//! old one as it was, what is done takes its place and nothing is lost between the two.
//!
//! **Method**: carts grow, shrink, change their items and their user; each row of
//! RESERVE's table is met with the old cart in the way; the replication stream, the
//! keyspace events and the sale after a reload are looked at.

use crate::support::{Con, Events, Server, render, wait_until};

fn sale(options: &str) -> (Server, Con) {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        &format!("FLASHSALE.CREATE sale orders ITEMS 2 a 5 b 5 {options}"),
        "OK",
    );
    (server, con)
}

#[test]
fn a_cart_grows_shrinks_and_changes_and_keeps_its_deadline() {
    let (_server, mut con) = sale("USERLIMIT 5 HOLD 60000 MAXHOLD 90000");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID c1",
        "RESERVED c1 @+60000 3 3",
    );
    let made = con.field("FLASHSALE.GET sale c1", "reserved_at_ms");
    let deadline = con.field("FLASHSALE.GET sale c1", "expires_at_ms");
    // Another moment than that of the making.
    con.says("DEBUG SLEEP 0.01", "OK");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 2 a 3 b 2 ID c2 REPLACE c1",
        &format!("RESERVED c2 {deadline} 2 0"),
    );
    con.says("FLASHSALE.STOCK sale", "[a 2 3 0 0] [b 3 2 0 0]");
    con.fields("FLASHSALE.GET sale c1", "state released, items [[a 2]]");
    con.fields(
        "FLASHSALE.GET sale c2",
        &format!("state reserved, reserved_at_ms {made}, expires_at_ms {deadline}"),
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 b 1 ID c3 REPLACE c2",
        &format!("RESERVED c3 {deadline} 4 4"),
    );
    con.says("FLASHSALE.STOCK sale", "[a 5 0 0 0] [b 4 1 0 0]");
    con.fields(
        "FLASHSALE.USER sale ann",
        "reserved 1, counted 1, open 1, reservations [c3]",
    );
    // EXTEND goes by the making of the first cart.
    let latest = made.parse::<u64>().unwrap() + 90_000;
    con.says(
        "FLASHSALE.EXTEND sale c3 10000000",
        &format!("RESERVED c3 {latest} 4 4"),
    );
    con.fields("FLASHSALE.AUDIT sale", "consistent 1, differences []");
}

#[test]
fn sent_again_it_is_a_replay_of_the_new_id() {
    let (_server, mut con) = sale("");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID c1",
        "RESERVED ...",
    );
    let line = "FLASHSALE.RESERVE sale ann ITEMS 1 a 3 ID c2 REPLACE c1";
    let first = con.says(line, "RESERVED c2 ...");
    con.refuses(line, &render(&first));
    con.refuses(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 4 ID c2 REPLACE c1",
        "MISMATCH c2",
    );
    con.says("FLASHSALE.CHECKOUT sale orders c2", "SOLD c2 (entry)");
    con.refuses(line, "SOLD c2 (entry)");
    // The old one answers for itself as any released one does.
    con.refuses("FLASHSALE.CHECKOUT sale orders c1", "RELEASED c1");
    con.refuses(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID c1",
        "RELEASED c1",
    );
}

#[test]
fn a_guests_cart_becomes_the_accounts() {
    let (_server, mut con) = sale("USERLIMIT 2 ITEMLIMIT 2");
    con.says(
        "FLASHSALE.RESERVE sale guest ITEMS 1 a 2 ID g",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID c REPLACE g",
        "RESERVED c * 3 0",
    );
    con.fields("FLASHSALE.USER sale guest", "reserved 0, counted 0, open 0");
    con.fields("FLASHSALE.USER sale ann", "reserved 2, counted 2, open 1");
    // What another user gives up frees nothing of her own limit.
    con.says(
        "FLASHSALE.RESERVE sale guest ITEMS 1 a 1 ID g2",
        "RESERVED ...",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID c2 REPLACE g2",
        "USERLIMIT 0",
    );
}

#[test]
fn a_refusal_leaves_the_old_cart_as_it_was() {
    let (_server, mut con) = sale("USERLIMIT 4 ITEMLIMIT 3 ORDERLIMIT 4 SALELIMIT 7");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID c1",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 2 ID b1",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders bob ITEMS 1 b 2 ID b2",
        "SOLD ...",
    );
    for (ask, answer) in [
        ("ITEMS 2 a 3 b 2", "ORDERLIMIT 4"),
        ("ITEMS 1 a 4", "ITEMLIMIT 3 a"),
        ("ITEMS 1 c 1", "NOSKU *"),
        ("ITEMS 2 a 2 b 2", "ALLRESERVED *"),
    ] {
        let line = format!("FLASHSALE.RESERVE sale ann {ask} ID c2 REPLACE c1");
        if answer.starts_with("NOSKU") {
            con.fails(&line, "NOSKU", "'c'");
        } else {
            con.refuses(&line, answer);
        }
    }
    con.says("FLASHSALE.ALTER sale SALELIMIT 0", "OK");
    con.says("FLASHSALE.RESTOCK sale ITEMS 1 a -1", "RESTOCKED ...");
    // Nothing of `a` is left but what the old cart frees.
    con.says("FLASHSALE.STOCK sale a", "[a 0 4 0 0]");
    con.refuses(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 3 ID c2 REPLACE c1",
        "ALLRESERVED * a",
    );
    con.says("FLASHSALE.PAUSE sale", "OK");
    con.refuses(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID c2 REPLACE c1",
        "PAUSED *",
    );
    con.says("FLASHSALE.RESUME sale", "OK");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.refuses(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID c2 REPLACE c1",
        "ENDED *",
    );
    con.says("FLASHSALE.CHECKOUT sale orders c1", "SOLD c1 (entry)");
}

#[test]
fn an_old_cart_that_is_not_open_is_answered_as_checkout_would() {
    let (_server, mut con) = sale("");
    let line = "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID new REPLACE old";
    con.refuses(line, "NORESERVATION old");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID old HOLD 20",
        "RESERVED ...",
    );
    let deadline = con.field("FLASHSALE.GET sale old", "expires_at_ms");
    wait_until("the old cart expired", || {
        con.field("FLASHSALE.GET sale old", "state") == "expired"
    });
    con.refuses(line, &format!("EXPIRED old {deadline} ..."));
    con.says("FLASHSALE.RELEASE sale old", "RELEASED old");
    con.refuses(line, "RELEASED old");
    let sold = con.says(
        "FLASHSALE.BUY sale orders ann ITEMS 1 a 1 ID paid",
        "SOLD ...",
    );
    let line = "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID new REPLACE paid";
    con.refuses(line, &render(&sold));
    let back = con.says("FLASHSALE.REFUND sale orders paid", "REFUNDED ...");
    con.refuses(line, &render(&back));
}

#[test]
fn buyers_see_the_difference_alone_and_replicas_one_event() {
    let (server, mut con) = sale("");
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 a 3 ID b",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID c1",
        "RESERVED ...",
    );
    let mut events = Events::listen(&server);
    // The same number of `a`, which stays reserved to the last unit, and all of `b`.
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 2 a 2 b 5 ID c2 REPLACE c1",
        "RESERVED ...",
    );
    events.are("reserved allreserved");
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID c3 REPLACE c2",
        "RESERVED ...",
    );
    events.are("reserved backinstock backinstock");
    let digest = con.digest("sale");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(con.digest("sale"), digest);
}
