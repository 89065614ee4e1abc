//! Codes, licence keys, coupons: counted until they are sold, the oldest first, and told to
//! nobody but the buyer.

use super::{each, restock};
use crate::support::{Con, Events, Server, aof, replicate, wait_for_replica, wait_until};

const CODES: &str = "ITEMS 2 code 0 ga 10 HOLD 60000 EVENTS all";

/// A code that no other text contains.
const MARK: &str = "QZX7";

fn codes(from: u32, to: u32) -> String {
    let codes: Vec<String> = (from..=to).map(|n| format!("{MARK}-{n:03}")).collect();
    codes.join(" ")
}

/// Everything in a stream, as text.
fn entries(con: &mut Con) -> String {
    con.show("XRANGE orders - +")
}

#[test]
fn a_reservation_counts_and_a_checkout_takes_the_oldest_codes() {
    each(CODES, |_, con| {
        restock(con, "code", &codes(1, 2), "SEALED");
        restock(con, "code", &codes(3, 5), "SEALED");
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 2 ID i1",
            "RESERVED i1 * 3 -1",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 code 1 ID b1",
            "RESERVED b1 * 2 -1",
        );
        con.says(
            "FLASHSALE.CHECKOUT sale orders b1",
            "SOLD b1 (entry) [QZX7-001]",
        );
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1",
            "SOLD i1 (entry) [QZX7-002 QZX7-003]",
        );
        con.says(
            "FLASHSALE.BUY sale orders cyd ITEMS 1 code 2 ID c1",
            "SOLD c1 (entry) [QZX7-004 QZX7-005]",
        );
        // What the last sale has to tell is written a moment later.
        crate::support::workload::settle(con);
        con.refuses(
            "FLASHSALE.BUY sale orders dan ITEMS 1 code 1",
            "SOLDOUT 0 code",
        );
    });
}

#[test]
fn an_expired_reservation_has_used_no_code_up() {
    each("ITEMS 1 code 0 HOLD 60000 GRACE 600000", |_, con| {
        restock(con, "code", &codes(1, 2), "SEALED");
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 2 ID i1 HOLD 20",
            "RESERVED i1 * 0 -1",
        );
        wait_until("it expired", || con.stock("sale") == "[code 2 0 0 0]");
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 1 ID b1",
            "SOLD b1 (entry) [QZX7-001]",
        );
        // Within GRACE a code is as good as another, if there are enough.
        con.refuses("FLASHSALE.CHECKOUT sale orders i1", "EXPIRED i1 * <=600000");
        restock(con, "code", &codes(3, 3), "SEALED");
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1",
            "SOLD i1 (entry) [QZX7-002 QZX7-003]",
        );
    });
}

/// It was counted then: what it promised were no codes.
#[test]
fn what_expired_before_its_item_had_codes_is_sold_none() {
    let (Some(server), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&server, &replica);
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 code 1 ga 9 HOLD 60000 GRACE 600000",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann ITEMS 2 code 1 ga 1 ID old HOLD 20",
        "RESERVED ...",
    );
    wait_until("it expired", || con.stock("sale code") == "[code 1 0 0 0]");
    con.refuses("FLASHSALE.CHECKOUT sale orders nosuch", "NORESERVATION ...");
    con.says(
        "FLASHSALE.RESTOCK sale ITEMS 1 code -1",
        "RESTOCKED [code 0 0]",
    );
    // Nothing is free, and its grace goes on.
    con.refuses(
        "FLASHSALE.CHECKOUT sale orders old",
        "EXPIRED old * <=600000",
    );
    restock(&mut con, "code", &codes(1, 3), "SEALED");
    con.says(
        "FLASHSALE.RESERVE sale bob ITEMS 1 code 1 ID since HOLD 20",
        "RESERVED ...",
    );
    wait_until("it expired", || con.stock("sale code") == "[code 3 0 0 0]");
    let is_lost = |con: &mut Con| {
        for line in [
            "CHECKOUT sale orders old",
            "BUY sale orders ann ITEMS 2 code 1 ga 1 ID old",
            "RESERVE sale ann ITEMS 1 ga 1 ID other REPLACE old",
        ] {
            con.refuses(&format!("FLASHSALE.{line}"), "EXPIRED old * 0");
        }
        con.refuses(
            "FLASHSALE.MCHECKOUT sale orders ENTRIES 1 old p",
            "[EXPIRED old * 0]",
        );
    };
    is_lost(&mut con);
    let digest = con.digest("sale");
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(con.digest("sale"), digest);
    is_lost(&mut con);
    wait_for_replica(&server, &replica);
    let mut copy = replica.conn();
    assert_eq!(copy.digest("sale"), digest);
    copy.says("REPLICAOF NO ONE", "OK");
    is_lost(&mut copy);
    for con in [&mut con, &mut copy] {
        con.says(
            "FLASHSALE.CHECKOUT sale orders since",
            "SOLD since (entry) [QZX7-001]",
        );
        con.says("FLASHSALE.RELEASE sale old", "RELEASED old");
        con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    }
}

#[test]
fn codes_that_are_not_sold_may_be_withdrawn_while_enough_are_available() {
    each("ITEMS 1 code 0 HOLD 60000", |_, con| {
        restock(con, "code", &codes(1, 4), "SEALED");
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 1 code 1 ID a1",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 2 ID i1",
            "RESERVED i1 * 1 -1",
        );
        con.refuses(
            &format!(
                "FLASHSALE.RESTOCK sale UNITS code 2 {} WITHDRAW",
                codes(2, 3)
            ),
            "TOOFEW 1 code",
        );
        con.refuses(
            &format!(
                "FLASHSALE.RESTOCK sale UNITS code 1 {} WITHDRAW",
                codes(1, 1)
            ),
            "NOTFREE -1 code QZX7-001",
        );
        con.says(
            &format!(
                "FLASHSALE.RESTOCK sale UNITS code 1 {} WITHDRAW",
                codes(2, 2)
            ),
            "RESTOCKED [code 3 0]",
        );
        con.says(
            "FLASHSALE.CHECKOUT sale orders i1",
            "SOLD i1 (entry) [QZX7-003 QZX7-004]",
        );
        // One that was seen by nobody may come back, and is the oldest again.
        restock(con, "code", &codes(2, 2), "SEALED");
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 1 ID b1",
            "SOLD b1 (entry) [QZX7-002]",
        );
    });
}

#[test]
fn no_code_is_told_before_it_is_sold_but_to_its_buyer() {
    each(CODES, |server, con| {
        let mut events = Events::listen(server);
        restock(con, "code", &codes(1, 9), "SEALED");
        con.says(
            "FLASHSALE.RESTOCK sale UNITS code 1 QZX7-009 WITHDRAW",
            "RESTOCKED [code 8 8]",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 3 ID i1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 2 ID i2 REPLACE i1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 code 1 ID b1 HOLD 20",
            "RESERVED ...",
        );
        con.says("FLASHSALE.EXTEND sale i2 60000", "RESERVED ...");
        con.says(
            "FLASHSALE.RESERVE sale cyd ITEMS 1 code 1 ID c1",
            "RESERVED ...",
        );
        con.says("FLASHSALE.RELEASE sale c1", "RELEASED ...");
        wait_until("bob's expired, and all is told", || {
            con.field("FLASHSALE.GET sale b1", "state") == "expired"
                && con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
        });
        let told = [
            entries(con),
            con.show("FLASHSALE.AUDIT sale orders"),
            con.show("FLASHSALE.GET sale i2"),
            con.show("FLASHSALE.GET sale c1"),
            con.show("FLASHSALE.GET sale b1"),
            con.show("FLASHSALE.INFO sale"),
            con.show("FLASHSALE.STOCK sale"),
            con.show("FLASHSALE.USER sale ann"),
            con.show("FLASHSALE.SCAN sale 0 COUNT 100"),
            con.show("FLASHSALE.UNITS sale code 0 WITHIDS"),
            con.show("FLASHSALE.UNITS sale code 0"),
            con.show("FLASHSALE.DOCTOR"),
            events.seen().join(" "),
            con.text("INFO everything"),
        ];
        for text in told {
            assert!(!text.contains(MARK), "{text}");
        }
        con.says(
            "FLASHSALE.CHECKOUT sale orders i2",
            "SOLD i2 (entry) [QZX7-001 QZX7-002]",
        );
        con.says("FLASHSALE.REFUND sale orders i2", "REFUNDED ...");
        let told = entries(con);
        // Of the nine, the two of this order are in the stream.
        assert!(
            told.contains("QZX7-001") && told.contains("QZX7-002"),
            "{told}"
        );
        let others = (3..=9).map(|n| format!("{MARK}-{n:03}"));
        for other in others {
            assert!(!told.contains(&other), "{other}: {told}");
        }
        let audit = con.show("FLASHSALE.AUDIT sale orders");
        assert!(!audit.contains(MARK), "{audit}");
    });
}

/// The buyer's phone loses the reply, the server its power: the retry tells the same code.
#[test]
fn the_code_in_the_lost_reply_is_the_code_of_the_retry() {
    let args = "--appendonly yes --appendfsync always --aof-use-rdb-preamble no";
    let Some(mut server) = Server::own(&[args], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders ITEMS 1 code 0", "OK");
    restock(&mut con, "code", &codes(1, 50), "SEALED");
    let line = |n: u32| format!("FLASHSALE.BUY sale orders u{n} ITEMS 1 code 1 ID i{n} REF p{n}");
    let mut told = std::collections::BTreeSet::new();
    for n in 0..50 {
        let mut phone = server.conn();
        phone.send(&line(n));
        if n % 2 == 0 {
            // It hangs up without a look at the reply.
            drop(phone);
        } else {
            phone.receive();
        }
        let mut other = server.conn();
        wait_until("it was sold", || {
            other.field(&format!("FLASHSALE.GET sale i{n}"), "state") == "sold"
        });
        let units = other.field(&format!("FLASHSALE.GET sale i{n}"), "units");
        if n % 10 == 9 {
            server.kill9();
            server.start_again(&[]);
            if n % 20 == 9 {
                aof::rewrite(&mut server.conn());
                server.kill9();
                server.start_again(&[]);
            }
        }
        let mut con = server.conn();
        let reply = con.show(&line(n));
        let code = reply
            .split_once('[')
            .expect("a code")
            .1
            .trim_end_matches(']')
            .to_owned();
        assert_eq!(units, format!("[[code {code}]]"));
        assert!(told.insert(code.clone()), "{code} in two hands");
        let entry = reply.split(' ').nth(2).expect("an entry").to_owned();
        let entry = con.show(&format!("XRANGE orders {entry} {entry}"));
        assert!(entry.contains(&code), "{code}: {entry}");
    }
    let mut con = server.conn();
    con.refuses(
        "FLASHSALE.BUY sale orders late ITEMS 1 code 1",
        "SOLDOUT 0 code",
    );
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1, entries 50");
}
