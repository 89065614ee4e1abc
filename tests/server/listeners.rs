//! **Goal**: another module may delete the sale while it is told of a change of it: the
//! command is answered as ever, nothing freed is looked at, and a replica follows.
//!
//! **Method**: a second module (`support/listener.c`) waits for one event and deletes the
//! sale in its callback, for each event that each command can bring. The server's
//! allocator writes over what is freed, so that a look at it does not go unnoticed; under
//! `make test-asan` it is reported.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::{Con, Server, library, render, replicate, wait_for_replica, wait_until};

/// jemalloc overwrites freed memory; other allocators do not know the variable.
const JUNK: [(&str, &str); 1] = [("MALLOC_CONF", "junk:true")];

fn listener() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| library("listener"))
}

fn server() -> Option<Server> {
    let load = format!("--loadmodule {}", listener().display());
    Server::own_under(&JUNK, &["--appendonly yes", &load], &[])
}

/// A sale with one unit that is free, one reserved, one overdue soon and one sold.
fn make_sale(con: &mut Con) {
    con.run("UNLINK sale orders");
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 2 b 2 HOLD 60000 MAXHOLD 90000 USERLIMIT 9",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 2 a 1 b 1 ID held",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale orders bob ITEMS 1 b 1 ID sold REF r",
        "SOLD ...",
    );
}

/// A command, the event at which the sale goes, and the answer, or how it begins where an
/// overdue reservation is returned on the way.
const CASES: [(&str, &str, &str); 26] = [
    (
        "RESERVE sale eve ITEMS 1 a 1 ID new",
        "flashsale.reserved",
        "RESERVED new @+60000 0 8",
    ),
    (
        "RESERVE sale eve ITEMS 1 a 1",
        "flashsale.allreserved",
        "RESERVED * @+60000 0 8",
    ),
    ("CHECKOUT sale orders held", "xadd", "SOLD held (entry)"),
    (
        "CHECKOUT sale orders held PAYLOAD {}",
        "flashsale.sold",
        "SOLD held (entry)",
    ),
    (
        "BUY sale orders eve ITEMS 1 a 1 ID new",
        "xadd",
        "SOLD new (entry)",
    ),
    (
        "BUY sale orders ann ITEMS 2 a 1 b 1 ID held",
        "flashsale.sold",
        "SOLD held (entry)",
    ),
    (
        "BUY sale orders ann ITEMS 2 a 1 b 1 ID held",
        "flashsale.soldout",
        "SOLD held (entry)",
    ),
    ("RELEASE sale held", "flashsale.released", "RELEASED held"),
    (
        "RELEASE sale held",
        "flashsale.backinstock",
        "RELEASED held",
    ),
    (
        "RELEASE sale unseen",
        "flashsale.released",
        "RELEASED unseen",
    ),
    (
        "EXTEND sale held 80000",
        "flashsale.extended",
        "RESERVED held @+80000 0 7",
    ),
    ("REFUND sale orders sold", "xadd", "REFUNDED sold (entry)"),
    (
        "REFUND sale orders sold",
        "flashsale.refunded",
        "REFUNDED sold (entry)",
    ),
    (
        "REFUND sale orders sold QTY 1 REF q",
        "flashsale.backinstock",
        "REFUNDED sold (entry)",
    ),
    (
        "RESTOCK sale ITEMS 3 a 3 b 1 c 7 NEW",
        "flashsale.restocked",
        "RESTOCKED [a 5 4] [b 3 1] [c 7 7]",
    ),
    (
        "RESTOCK sale ITEMS 2 a 3 b 1",
        "flashsale.backinstock",
        "RESTOCKED [a 5 4] [b 3 1]",
    ),
    (
        "RESTOCK sale ITEMS 1 a -1",
        "flashsale.allreserved",
        "RESTOCKED [a 1 0]",
    ),
    (
        "ALTER sale KEEP 5 END 9000000000000",
        "flashsale.altered",
        "OK",
    ),
    ("PAUSE sale", "flashsale.paused", "OK"),
    ("CLOSE sale", "flashsale.closed", "OK"),
    ("BIND sale others", "flashsale.altered", "OK"),
    ("CREATE other orders STOCK 1", "flashsale.created", "OK"),
    // A reservation that is overdue goes first, and its event after all.
    (
        "RELEASE sale overdue",
        "flashsale.expired",
        "RELEASED overdue",
    ),
    (
        "CHECKOUT sale orders overdue",
        "flashsale.expired",
        "EXPIRED overdue",
    ),
    (
        "EXTEND sale overdue 5",
        "flashsale.expired",
        "EXPIRED overdue",
    ),
    (
        "RESERVE sale eve ITEMS 1 a 1",
        "flashsale.expired",
        "RESERVED",
    ),
];

/// A reservation whose deadline has passed when the next line is worked off.
const OVERDUE: [&str; 2] = [
    "FLASHSALE.RESERVE sale cyd ITEMS 1 a 1 ID overdue HOLD 1",
    "DEBUG SLEEP 0.01",
];

#[test]
fn a_sale_that_is_deleted_while_its_change_is_told_is_answered_as_ever() {
    let (Some(primary), Some(replica)) = (server(), server()) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    replicate(&primary, &replica);
    for (line, event, answer) in CASES {
        make_sale(&mut con);
        let (listen, line) = (
            format!("LISTENER {event} sale"),
            format!("FLASHSALE.{line}"),
        );
        if event == "flashsale.expired" {
            let [reserve, pass] = OVERDUE;
            let reply = con.run_at_once(&[reserve, &listen, pass, &line]);
            assert!(render(&reply).starts_with(answer), "{line}: {reply:?}");
        } else {
            con.says(&listen, "OK");
            con.says(&line, answer);
        }
        con.says("EXISTS sale", "0");
    }
    wait_for_replica(&primary, &replica);
    copy.says("EXISTS sale", "0");
    assert_eq!(copy.digest("orders"), con.digest("orders"));
}

#[test]
fn a_sale_that_is_deleted_while_the_timer_returns_what_expired_is_gone() {
    let Some(server) = server() else {
        return;
    };
    let mut con = server.conn();
    for event in ["flashsale.expired", "flashsale.backinstock"] {
        make_sale(&mut con);
        con.says("FLASHSALE.CREATE other orders STOCK 1 HOLD 100", "OK");
        con.says("FLASHSALE.RESERVE other ann 1", "RESERVED ...");
        con.says(&format!("LISTENER {event} sale"), "OK");
        con.says(
            "FLASHSALE.RESERVE sale eve ITEMS 1 a 1 HOLD 50",
            "RESERVED ...",
        );
        wait_until("the sale is gone", || con.int("EXISTS sale") == 0);
        wait_until("the timer goes on", || {
            con.stock("other") == "[default 1 0 0 0]"
        });
        con.says("DEL other", "1");
    }
}
