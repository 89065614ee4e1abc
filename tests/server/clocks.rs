//! **Goal**: a clock that steps, or that differs from another server's, loses no unit,
//! sells none twice, revives no reservation and parks no deadline. A small step back is
//! waited out, one of more than a minute is believed and counted.
//!
//! **Method**: real servers whose wall clock a test sets while they run, both ways (see
//! `support/clock.rs`). Replicas get clocks of their own.

use crate::support::clock::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, wait_ms};
use crate::support::workload::{create_with_orders_alone as create, play, settle};
use crate::support::{Con, Dice, Feed, Server, replicate, unix_ms, wait_for_replica, wait_until};

/// The step back that is waited out.
const SMALL_MS: i64 = 30_000;

/// A server that goes by a clock, and a connection to it.
fn server(step_ms: i64, server_args: &[&str]) -> Option<(Clock, Server, Con)> {
    let clock = Clock::new()?;
    let server = clock.server(step_ms, server_args)?;
    let con = server.conn();
    Some((clock, server, con))
}

fn counted(con: &mut Con, name: &str) -> u64 {
    let value = con.info("flashsale", &format!("flashsale_{name}"));
    value.parse().expect("a number")
}

fn deadline(con: &mut Con, id: &str) -> u64 {
    let line = format!("FLASHSALE.GET sale {id}");
    con.field(&line, "expires_at_ms").parse().expect("a moment")
}

#[test]
fn a_small_step_back_revives_no_reservation_and_reopens_no_window() {
    let Some((clock, _server, mut con)) = server(0, &[]) else {
        return;
    };
    let end = con.now_ms() + 700;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 END {end}"),
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale ann 1 ID r1 HOLD 20", "RESERVED ...");
    con.says(
        "FLASHSALE.RESERVE sale ann 2 ID r2 HOLD 100000",
        "RESERVED ...",
    );
    wait_until("r1 expired", || con.stock("sale") == "[default 7 2 0 0]");
    wait_until("the sale ended", || con.now_ms() > end);
    con.says("FLASHSALE.RELEASE sale r2", "RELEASED r2");
    clock.step(&mut con, -SMALL_MS);
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", "EXPIRED r1 * 0");
    con.refuses("FLASHSALE.EXTEND sale r1 5000", "EXPIRED r1 *");
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID r1", "EXPIRED r1 *");
    con.refuses("FLASHSALE.RESERVE sale ann 1", &format!("ENDED {end}"));
    con.fields("FLASHSALE.INFO sale", "state ended");
    con.says("FLASHSALE.STOCK sale", "[default 9 0 0 0]");
    assert_eq!(counted(&mut con, "clock_steps_back"), 0);
}

#[test]
fn after_a_small_step_back_the_sale_goes_on_from_its_last_change() {
    let Some((clock, _server, mut con)) = server(0, &[]) else {
        return;
    };
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID r1 HOLD 500",
        "RESERVED ...",
    );
    let last_change = deadline(&mut con, "r1") - 500;
    clock.step(&mut con, -SMALL_MS);
    con.says(
        "FLASHSALE.RESERVE sale bob 2 ID r2 HOLD 700",
        "RESERVED ...",
    );
    assert_eq!(deadline(&mut con, "r2"), last_change + 700);
    con.says("FLASHSALE.BUY sale orders cyd 1 ID r3", "SOLD r3 (entry)");
    con.fields(
        "FLASHSALE.GET sale r3",
        &format!("sold_at_ms {last_change}"),
    );
    // The moments stand: both are due when the clock has come to them once more.
    wait_ms("both would be overdue without the step", 1_000);
    con.says("FLASHSALE.STOCK sale", "[default 5 3 1 0]");
    con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
    clock.step(&mut con, 0);
    wait_until("r2 expired", || con.stock("sale") == "[default 7 0 2 0]");
    con.says("FLASHSALE.CHECKOUT sale orders r2", "EXPIRED r2 * 0");
    assert_eq!(counted(&mut con, "clock_steps_back"), 0);
    assert_eq!(counted(&mut con, "outcome_expired"), 1);
}

#[test]
fn a_step_back_of_more_than_a_minute_is_believed_and_counted() {
    for step in [2 * MINUTE_MS, HOUR_MS, DAY_MS] {
        let Some((clock, _server, mut con)) = server(0, &[]) else {
            return;
        };
        con.says("FLASHSALE.CREATE sale orders STOCK 9 MAXHOLD 9000000", "OK");
        con.says(
            "FLASHSALE.RESERVE sale ann 1 ID r1 HOLD 50000",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.RESERVE sale ann 1 ID r2 HOLD 50000",
            "RESERVED ...",
        );
        let promised = deadline(&mut con, "r1");
        clock.step(&mut con, -step);
        // A refusal changes nothing, and so counts nothing.
        con.refuses("FLASHSALE.RESERVE sale bob 99", "SOLDOUT 7 default");
        assert_eq!(counted(&mut con, "clock_steps_back"), 0);
        // What was promised stands; what is promised now goes by the new clock, and
        // so does the timer.
        con.says(
            "FLASHSALE.RESERVE sale bob 2 ID r3 HOLD 150",
            "RESERVED r3 @+150 5 -1",
        );
        assert_eq!(counted(&mut con, "clock_steps_back"), 1);
        wait_until("r3 expired by the new clock", || {
            con.stock("sale") == "[default 7 2 0 0]"
        });
        assert_eq!(deadline(&mut con, "r1"), promised);
        con.says("FLASHSALE.CHECKOUT sale orders r1", "SOLD r1 (entry)");
        assert_eq!(counted(&mut con, "clock_steps_back"), 1);
        // And when the clock is put right, what was promised is due as it was.
        clock.step(&mut con, MINUTE_MS);
        wait_until("r2 expired", || con.stock("sale") == "[default 8 0 1 0]");
        con.says("FLASHSALE.BUY sale orders bob 8 ID r4", "SOLD r4 (entry)");
        con.says("FLASHSALE.STOCK sale", "[default 0 0 9 0]");
        assert_eq!(con.int("XLEN orders"), 2);
    }
}

#[test]
fn a_step_forward_returns_all_that_is_due_at_once_in_bounded_batches() {
    for step in [HOUR_MS, DAY_MS] {
        let Some((clock, server, mut con)) = server(0, &[]) else {
            return;
        };
        con.says("CONFIG SET flashsale.sweep-max 10", "OK");
        con.says(
            "FLASHSALE.CREATE sale orders STOCK 100 REMEMBER 9000000000",
            "OK",
        );
        for id in 0..95 {
            let line = format!("FLASHSALE.RESERVE sale ann 1 ID {id} HOLD 290000");
            con.says(&line, "RESERVED ...");
        }
        let mut feed = Feed::follow(&server);
        clock.step(&mut con, step);
        wait_until("all expired", || con.stock("sale") == "[default 100 0 0 0]");
        assert_eq!(feed.short(), ["FLASHSALE.APPLY sale"; 10]);
        assert_eq!(counted(&mut con, "outcome_expired"), 95);
        assert_eq!(counted(&mut con, "sweeps"), 10);
        let lag = counted(&mut con, "sweep_lag_ms_max") as i64;
        assert!(lag > step - HOUR_MS && lag < step, "lag {lag} of {step}");
    }
}

#[test]
fn a_go_returns_fewer_of_large_carts_and_shares_its_budget_among_sales() {
    let Some((clock, server, mut con)) = server(0, &[]) else {
        return;
    };
    con.says("CONFIG SET flashsale.sweep-max 10", "OK");
    let lines = |what: &str| (0..33).map(|n| format!("s{n} {what} ")).collect::<String>();
    let options = "REMEMBER 9000000000";
    // A cart of 33 SKUs counts as three.
    for (sale, carts, hold) in [("first", 2, 280_000), ("second", 11, 290_000)] {
        let create = format!("FLASHSALE.CREATE {sale} orders ITEMS 33 {}", lines("99"));
        con.says(&format!("{create} {options}"), "OK");
        for _ in 0..carts {
            let line = format!("FLASHSALE.RESERVE {sale} ann ITEMS 33 {}", lines("1"));
            con.says(&format!("{line} HOLD {hold}"), "RESERVED ...");
        }
    }
    let mut feed = Feed::follow(&server);
    clock.set(HOUR_MS);
    for sale in ["first", "second"] {
        let line = format!("FLASHSALE.INFO {sale}");
        wait_until("all expired", || con.field(&line, "reserved") == "0");
    }
    // Two of the first and two of the second, then four, four, and the last one.
    let (first, second) = ("FLASHSALE.APPLY first", "FLASHSALE.APPLY second");
    let expected = ["MULTI", first, second, "EXEC", second, second, second];
    assert_eq!(feed.short(), expected);
}

#[test]
fn forward_and_back_again_neither_parks_nor_repeats_a_deadline() {
    let Some((clock, _server, mut con)) = server(0, &[]) else {
        return;
    };
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 9 REMEMBER 9000000000",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID r1 HOLD 200000",
        "RESERVED ...",
    );
    clock.step(&mut con, DAY_MS);
    wait_until("r1 expired", || con.stock("sale") == "[default 9 0 0 0]");
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID r2 HOLD 200000",
        "RESERVED r2 @+200000 8 -1",
    );
    clock.step(&mut con, 0);
    // By this clock its deadline has not come, but expired is expired.
    con.refuses("FLASHSALE.EXTEND sale r1 5000", "EXPIRED r1 *");
    con.refuses("FLASHSALE.CHECKOUT sale orders r1", "EXPIRED r1 * 0");
    // The next timer was a day away, as the server keys it; this one is not.
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID r3 HOLD 100",
        "RESERVED r3 @+100 7 -1",
    );
    wait_until("r3 expired", || con.stock("sale") == "[default 8 1 0 0]");
    clock.step(&mut con, -DAY_MS);
    con.says(
        "FLASHSALE.RESERVE sale ann 1 ID r4 HOLD 100",
        "RESERVED r4 @+100 7 -1",
    );
    wait_until("r4 expired", || con.stock("sale") == "[default 8 1 0 0]");
    clock.step(&mut con, DAY_MS + HOUR_MS);
    wait_until("r2 expired", || con.stock("sale") == "[default 9 0 0 0]");
    assert_eq!(counted(&mut con, "outcome_expired"), 4);
    assert_eq!(counted(&mut con, "clock_steps_back"), 2);
}

#[test]
fn the_window_goes_by_the_clock_of_the_server() {
    let Some((clock, _server, mut con)) = server(0, &[]) else {
        return;
    };
    let now = con.now_ms() as i64;
    let (start, end) = (now + HOUR_MS, now + DAY_MS);
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 START {start} END {end} KEEP 9000000000"),
        "OK",
    );
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID r1", "NOTSTARTED <=3600000");
    clock.step(&mut con, -DAY_MS);
    con.refuses(
        "FLASHSALE.RESERVE sale ann 1 ID r1",
        "NOTSTARTED <=90000000",
    );
    clock.step(&mut con, HOUR_MS + MINUTE_MS);
    con.fields("FLASHSALE.INFO sale", "state open");
    con.says("FLASHSALE.BUY sale orders ann 1 ID r1", "SOLD ...");
    clock.step(&mut con, DAY_MS + MINUTE_MS);
    con.refuses(
        "FLASHSALE.RESERVE sale ann 1 ID r2",
        &format!("ENDED {end}"),
    );
    clock.step(&mut con, 0);
    con.refuses("FLASHSALE.RESERVE sale ann 1 ID r2", "NOTSTARTED <=3600000");
    con.says("FLASHSALE.BUY sale orders ann 1 ID r1", "SOLD ...");
}

#[test]
fn a_key_expires_by_the_clock_and_not_before() {
    let Some((clock, server, mut con)) = server(0, &[]) else {
        return;
    };
    let end = con.now_ms() as i64 + HOUR_MS;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 END {end} HOLD 1000 KEEP {HOUR_MS}"),
        "OK",
    );
    assert_eq!(con.int("PEXPIRETIME sale"), end + 1_000 + HOUR_MS);
    con.says("FLASHSALE.BUY sale orders ann 1 ID r1", "SOLD ...");
    clock.step(&mut con, -DAY_MS);
    con.says("FLASHSALE.RESERVE sale ann 1 ID r2", "RESERVED ...");
    clock.step(&mut con, 2 * HOUR_MS - MINUTE_MS);
    con.says("FLASHSALE.GET sale r1", "state sold ...");
    let mut feed = Feed::follow(&server);
    clock.step(&mut con, 2 * HOUR_MS + MINUTE_MS);
    wait_until("the key expired", || con.int("DBSIZE") == 1);
    con.fails("FLASHSALE.GET sale r1", "NOSALE", "");
    assert_eq!(con.int("XLEN orders"), 1);
    let seen = feed.short();
    assert!(
        seen.last()
            .is_some_and(|word| word == "DEL" || word == "UNLINK"),
        "{seen:?}"
    );
    // Nothing is left that a timer could follow.
    wait_until("its hint is gone", || {
        counted(&mut con, "sales_with_deadlines") == 0
    });
}

#[test]
fn replicas_with_other_clocks_are_the_same_sale_until_one_decides() {
    for step in [DAY_MS, -DAY_MS] {
        let Some(primary) = Server::own(&[], &[]) else {
            return;
        };
        let Some((_clock, replica, mut copy)) = server(step, &[]) else {
            return;
        };
        let mut con = primary.conn();
        replicate(&primary, &replica);
        create(&mut con);
        // Else what expired a day ago would be forgotten, too.
        con.says("FLASHSALE.ALTER sale REMEMBER 9000000000", "OK");
        play(&mut con, &mut Dice::seeded(), 400);
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 a 1 ID last HOLD 200000",
            "RESERVED ...",
        );
        settle(&mut con);
        wait_for_replica(&primary, &replica);
        assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
        // By the replica's clock all of it is overdue, or none will ever be.
        wait_ms("a replica would have expired something", 300);
        assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
        assert_eq!(counted(&mut copy, "sweeps"), 0);
        promoted(&mut con, &mut copy, step);
    }
}

/// Promotes the copy, whose clock is `step` from the first primary's.
fn promoted(con: &mut Con, copy: &mut Con, step: i64) {
    let entry = |con: &mut Con| con.show("XREVRANGE orders + - COUNT 1");
    let (open, orders) = (
        con.field("FLASHSALE.INFO sale", "reservations_open"),
        entry(con),
    );
    assert_ne!(open, "0");
    copy.says("REPLICAOF NO ONE", "OK");
    if step > 0 {
        wait_until("its clock has expired everything", || {
            copy.field("FLASHSALE.INFO sale", "reservations_open") == "0"
        });
        copy.says("FLASHSALE.CHECKOUT sale orders last", "EXPIRED last * 0");
        assert_eq!(counted(copy, "clock_steps_back"), 0);
        assert_eq!(counted(copy, "outcome_expired").to_string(), open);
    } else {
        copy.says(
            "FLASHSALE.RESERVE sale zoe ITEMS 1 b 1 ID new HOLD 100",
            "RESERVED new @+100 ...",
        );
        wait_until("its clock expires what it promised", || {
            copy.field("FLASHSALE.GET sale new", "state") == "expired"
        });
        assert_eq!(copy.field("FLASHSALE.INFO sale", "reservations_open"), open);
        assert_eq!(counted(copy, "clock_steps_back"), 1);
        copy.says("FLASHSALE.CHECKOUT sale orders last", "SOLD last (entry)");
    }
    // The stream's IDs go on upwards, whatever the clock says.
    assert_eq!(entry(copy) == orders, step > 0);
    copy.says("FLASHSALE.RESTOCK sale ITEMS 1 a 50", "RESTOCKED ...");
    copy.says(
        "FLASHSALE.BUY sale orders zoe ITEMS 1 a 1 ID zoe-1",
        "SOLD zoe-1 (entry)",
    );
    assert!(entry(copy).contains("zoe-1"));
}

/// The timer wanted to look again in a moment, and that moment is an hour away now.
#[test]
fn entries_that_wait_are_written_after_any_step_back() {
    let Some((clock, _server, mut con)) = server(0, &[]) else {
        return;
    };
    con.says("FLASHSALE.CREATE sale orders STOCK 9 EVENTS all", "OK");
    con.says("SET orders mine", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 HOLD 9000000", "RESERVED ...");
    for step in [-SMALL_MS, -HOUR_MS] {
        clock.step(&mut con, step);
        con.says("FLASHSALE.RESERVE sale ann 1 HOLD 9000000", "RESERVED ...");
    }
    con.says("DEL orders", "1");
    wait_until("all are written", || con.int("XLEN orders") == 3);
}

#[test]
fn an_aof_is_replayed_under_any_clock() {
    for (step, preamble) in [
        (365 * DAY_MS, "yes"),
        (365 * DAY_MS, "no"),
        (-HOUR_MS, "yes"),
        (-SMALL_MS, "yes"),
    ] {
        let args =
            format!("--appendonly yes --appendfsync always --aof-use-rdb-preamble {preamble}");
        let Some((clock, mut server, mut con)) = server(0, &[&args]) else {
            return;
        };
        con.says("FLASHSALE.CREATE sale orders STOCK 9 USERLIMIT 8", "OK");
        con.says("FLASHSALE.BUY sale orders ann 1 ID sold", "SOLD ...");
        con.says(
            "FLASHSALE.RESERVE sale ann 2 ID open HOLD 200000",
            "RESERVED ...",
        );
        con.says("FLASHSALE.RELEASE sale never-seen", "RELEASED ...");
        let promised = deadline(&mut con, "open");
        let order = con.show("XRANGE orders - +");
        server.kill9();
        clock.set(step);
        server.start_again(&[]);
        let mut con = server.conn();
        assert_eq!(con.show("XRANGE orders - +"), order);
        if step > 0 {
            wait_until("it expired", || con.stock("sale") == "[default 8 0 1 0]");
            wait_until("and was forgotten", || {
                con.show("FLASHSALE.GET sale never-seen") == "(nil)"
            });
            con.says("FLASHSALE.BUY sale orders ann 7 ID b2", "SOLD ...");
        } else {
            con.says("FLASHSALE.STOCK sale", "[default 6 2 1 0]");
            assert_eq!(deadline(&mut con, "open"), promised);
            con.says("FLASHSALE.CHECKOUT sale orders open", "SOLD ...");
            con.says("FLASHSALE.BUY sale orders ann 5 ID b2", "SOLD ...");
        }
        let believed = u64::from(step < -MINUTE_MS);
        assert_eq!(
            counted(&mut con, "clock_steps_back"),
            believed,
            "step {step}"
        );
        con.says("FLASHSALE.USER sale ann", "reserved 0 sold 8 ...");
    }
}

#[test]
fn the_clock_of_these_tests_is_the_servers_own() {
    let Some((clock, _server, mut con)) = server(0, &[]) else {
        return;
    };
    for step in [0, 3_500, -3_500, DAY_MS] {
        clock.step(&mut con, step);
        let earliest = unix_ms() as i64 + step;
        let now = con.now_ms() as i64;
        assert!(
            now >= earliest - 2 && now <= unix_ms() as i64 + step,
            "{step}"
        );
    }
}
