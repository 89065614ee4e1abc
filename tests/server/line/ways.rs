//! Every way in which lines are written down, sent and read again.

use super::crowd::{assert_same, create, play, settle, traits};
use super::{has_units, number, wait};
use crate::support::aof::{self, Aof};
use crate::support::{
    Con, Dice, Feed, REPLICA_OF_NOBODY, Server, is_soon, render, replicate, unix_ms,
    wait_for_replica, wait_until,
};

const AOF: &str = "--appendonly yes --appendfsync always --aof-use-rdb-preamble";

/// A sale in which many have waited, at rest.
fn fill(con: &mut Con, commands: u32) {
    create(con);
    play(con, &mut Dice::seeded(), commands);
    settle(con);
}

#[test]
fn an_rdb_file_and_an_aof_of_either_kind_hold_the_whole_line() {
    for preamble in ["yes", "no"] {
        let Some(mut server) = Server::own(&[&format!("{AOF} {preamble}")], &[]) else {
            return;
        };
        let mut con = server.conn();
        fill(&mut con, 700);
        let before = traits(&mut con);
        con.says("DEBUG LOADAOF", "OK");
        assert_same(&before, &mut con);
        con.says("DEBUG RELOAD", "OK");
        assert_same(&before, &mut con);
        // Some are in the rewritten part, and some behind it.
        play(&mut con, &mut Dice::seeded(), 100);
        aof::rewrite(&mut con);
        play(&mut con, &mut Dice::seeded(), 100);
        settle(&mut con);
        let before = traits(&mut con);
        drop(con);
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        assert_same(&before, &mut server.conn());
    }
}

/// START and a deadline pass while the server is down: what is loaded is what was written, and
/// what is due then happens once, by an event.
#[test]
fn an_aof_is_replayed_after_start_and_after_the_deadlines() {
    for preamble in ["yes", "no"] {
        let Some(mut server) = Server::own(&[&format!("{AOF} {preamble}")], &[]) else {
            return;
        };
        let mut con = server.conn();
        let start_at_ms = unix_ms() + 1_200;
        con.says(
            &format!("FLASHSALE.CREATE drawn drawn:orders STOCK 2 WAITING 99 START {start_at_ms}"),
            "OK",
        );
        con.says(
            "FLASHSALE.CREATE sale orders STOCK 1 WAITING 99 GRACE 0",
            "OK",
        );
        con.says(
            "FLASHSALE.RESERVE sale zoe 1 ID z HOLD 1200",
            "RESERVED ...",
        );
        for n in 0..9 {
            wait(&mut con, &format!("u{n}"));
            con.says(
                &format!("FLASHSALE.RESERVE drawn u{n} 1 ID i-u{n} WAIT"),
                "WAITING * -1 ...",
            );
        }
        if preamble == "yes" {
            aof::rewrite(&mut con);
        }
        let digests = ["sale", "drawn"].map(|key| con.digest(key));
        assert!(unix_ms() < start_at_ms, "the test is too slow");
        server.kill9();
        wait_until("START and the deadline are past", || {
            unix_ms() > start_at_ms + 300
        });
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(["sale", "drawn"].map(|key| con.digest(key)), digests);
        con.fields("FLASHSALE.INFO drawn", "waiting 9, granted 0, drawn (nil)");
        con.says("REPLICAOF NO ONE", "OK");
        wait_until("two have won", || {
            con.field("FLASHSALE.INFO drawn", "granted") == "2"
        });
        wait_until("the next has units", || has_units(&mut con, "u0"));
        con.fields("FLASHSALE.INFO drawn", "waiting 7, drawn [[default 9]]");
        for key in ["sale", "drawn"] {
            con.fields(&format!("FLASHSALE.AUDIT {key}"), "consistent 1");
        }
        // Drawn once: the order is that of the event, not of another seed.
        let seed = con.field("FLASHSALE.INFO drawn", "draw_seed");
        con.says("DEBUG LOADAOF", "OK");
        assert_eq!(con.field("FLASHSALE.INFO drawn", "draw_seed"), seed);
    }
}

#[test]
fn a_power_cut_leaves_a_line_as_it_was_at_that_moment() {
    for preamble in ["yes", "no"] {
        let Some(mut server) = Server::own(&[&format!("{AOF} {preamble}")], &[]) else {
            return;
        };
        let (mut con, mut dice) = (server.conn(), Dice::seeded());
        create(&mut con);
        // How long the AOF was, and what there was then.
        let mut moments = Vec::new();
        for _ in 0..400 {
            let before = aof::length(&server);
            let now = con.digest("sale orders");
            if aof::length(&server) == before {
                moments.push((before, now));
            }
            play(&mut con, &mut dice, 1);
        }
        server.kill9();
        let aof = Aof::of(&server);
        let steps = aof::steps(aof.tail());
        let end = moments.last().expect("a moment").0;
        let mut cuts = 0;
        for _ in 0..1_000 {
            let cut = moments[0].0 + dice.index(end - moments[0].0);
            let last = moments.partition_point(|(length, _)| *length <= cut) - 1;
            let (length, expected) = &moments[last];
            // Between two moments the timer did something, too.
            if steps.iter().any(|end| *end > *length && *end <= cut) {
                continue;
            }
            cuts += 1;
            aof.cut(cut);
            server.start_again(&[REPLICA_OF_NOBODY]);
            let mut con = server.conn();
            assert_eq!(con.digest("sale orders"), *expected, "cut at byte {cut}");
            con.has_not_diverged();
            con.fields("FLASHSALE.AUDIT sale", "consistent 1");
            server.kill9();
            if cuts == 6 {
                break;
            }
        }
        assert!(cuts > 0, "no cut to look at");
    }
}

/// Whoever was told that they wait does so after a kill, or has units by then.
#[test]
fn nobody_who_was_told_that_they_wait_is_lost_in_a_kill() {
    let Some(mut server) = Server::own(&[&format!("{AOF} yes")], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 3 WAITING 9999 HOLD 400 PATIENCE 0 GRACE 0 \
         REMEMBER 3600000",
        "OK",
    );
    let mut told = 0;
    for round in 0..3 {
        for n in 0..120 {
            let answer = wait(&mut con, &format!("u{}", round * 120 + n));
            assert!(
                answer.starts_with("WAITING") || answer.starts_with("RESERVED"),
                "{answer}"
            );
            told += 1;
        }
        server.kill9();
        server.start_again(&[]);
        con = server.conn();
        for n in 0..told {
            let state = con.field(&format!("FLASHSALE.GET sale i-u{n}"), "state");
            assert!(
                ["waiting", "reserved", "expired"].contains(&state.as_str()),
                "u{n}: {state}"
            );
        }
        // In order: whoever is expired or holds units was in front of all who wait.
        let mut is_past = false;
        for n in 0..told {
            let state = con.field(&format!("FLASHSALE.GET sale i-u{n}"), "state");
            is_past |= state == "waiting";
            assert!(!is_past || state == "waiting", "u{n} is {state}");
        }
    }
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn each_change_of_a_line_is_replicated_as_one_apply() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 2 WAITING 99 PATIENCE 0 HOLD 60000",
        "OK",
    );
    let mut feed = Feed::follow(&server);
    let one = "FLASHSALE.APPLY sale";
    let order = "FLASHSALE.APPLY sale orders";
    for (line, expected) in [
        ("RESERVE sale ann 2 ID a WAIT", &[one][..]),
        // Somebody joins, asks again, is refused, and is looked at.
        ("RESERVE sale bob 1 ID b WAIT", &[one]),
        ("RESERVE sale bob 1 ID b WAIT", &[]),
        ("RESERVE sale bob 1 ID b", &[]),
        ("RESERVE sale bob 1 ID b2 WAIT", &[]),
        ("MRESERVE sale ENTRIES 1 bob 1 b", &[]),
        ("RESERVE sale cyd 1 ID c", &[]),
        ("CHECKOUT sale orders b", &[]),
        ("EXTEND sale b 9", &[]),
        ("REFUND sale orders b", &[]),
        ("RELEASE sale b USER ann", &[]),
        ("GET sale b", &[]),
        ("USER sale bob", &[]),
        ("SCAN sale 0", &[]),
        ("INFO sale", &[]),
        ("AUDIT sale orders", &[]),
        ("RESERVE sale cyd 1 ID c WAIT", &[one]),
        ("RESERVE sale dan 1 ID d WAIT", &[one]),
        ("RESERVE sale eve 1 ID e WAIT", &[one]),
        // Leaving is an event, twice is not.
        ("RELEASE sale c", &[one]),
        ("RELEASE sale c", &[]),
        ("ALTER sale WAITING 0", &[one]),
        ("RESERVE sale fay 1 ID f WAIT", &[]),
        // Some entries of a batch are one command.
        ("MRELEASE sale ENTRIES 2 e c", &[one]),
    ] {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(!reply.contains("(error)"), "{line}: {reply}");
        assert_eq!(feed.short(), expected, "{line}");
    }
    // Released, and granted to both who are left, by the timer in one event.
    con.says("FLASHSALE.RELEASE sale a", "RELEASED a");
    wait_until("both have units", || {
        con.field("FLASHSALE.INFO sale", "granted") == "2"
    });
    assert_eq!(feed.short(), [one, one]);
    // Once all is sold, nobody can get what they wait for.
    con.says("FLASHSALE.ALTER sale WAITING 9", "OK");
    con.says("FLASHSALE.RESERVE sale gus 1 ID g WAIT", "WAITING ...");
    for id in ["b", "d"] {
        con.says(&format!("FLASHSALE.CHECKOUT sale orders {id}"), "SOLD ...");
    }
    wait_until("the line ended", || {
        con.field("FLASHSALE.INFO sale", "waiting") == "0"
    });
    assert_eq!(feed.short(), [one, one, order, order, one]);
}

#[test]
fn what_a_poll_and_start_set_off_is_replicated_before_the_answer() {
    let server = Server::any();
    let mut con = server.conn();
    let start_at_ms = unix_ms() + 1_000;
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 5 WAITING 9 PATIENCE 0 START {start_at_ms}"),
        "OK",
    );
    for user in ["ann", "bob"] {
        wait(&mut con, user);
    }
    let mut feed = Feed::follow(&server);
    // Nobody's timer comes round while the server sleeps in a transaction.
    for line in ["MULTI", "DEBUG SLEEP 1.2"] {
        con.run(line);
    }
    // Whoever comes first after START is not in the draw that they set off.
    for user in ["late", "ann", "bob"] {
        con.run(&format!("FLASHSALE.RESERVE sale {user} 1 ID i-{user} WAIT"));
    }
    let answered = con.show("EXEC");
    assert!(answered.contains("[WAITING i-late 2 5 "), "{answered}");
    assert!(answered.contains("RESERVED i-ann") || answered.contains("RESERVED i-bob"));
    con.fields("FLASHSALE.INFO sale", "drawn [[default 2]]");
    wait_until("all have units", || {
        con.field("FLASHSALE.INFO sale", "granted") == "3"
    });
    let sent = feed.short();
    let applied = sent.iter().filter(|line| line.starts_with("FLASHSALE"));
    // The draw, who came late, and a grant each: by the polls, or by the timer for all who are
    // left.
    assert!((4..=5).contains(&applied.count()), "{sent:?}");
}

#[test]
fn a_replica_has_the_same_line_after_anything() {
    let other = ["max-reservations 90 sweep-max 1 default-hold-ms 7 max-items 1"];
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[AOF_OWN], &other))
    else {
        return;
    };
    let Some(chained) = Server::own(&[], &[]) else {
        return;
    };
    let (mut con, mut dice) = (primary.conn(), Dice::seeded());
    create(&mut con);
    play(&mut con, &mut dice, 300);
    // A full resynchronisation while people wait, then the stream, and links that break.
    replicate(&primary, &replica);
    replicate(&replica, &chained);
    for _ in 0..3 {
        play(&mut con, &mut dice, 200);
        con.run("CLIENT KILL TYPE replica");
    }
    settle(&mut con);
    let mut copy = replica.conn();
    wait_until("the replica is linked again", || {
        copy.info("replication", "master_link_status") == "up"
    });
    wait_for_replica(&primary, &replica);
    wait_for_replica(&replica, &chained);
    let before = traits(&mut con);
    assert_same(&before, &mut copy);
    assert_same(&before, &mut chained.conn());
    assert_eq!(con.info("stats", "sync_full"), "1");
    // Its own AOF says the same.
    copy.says("DEBUG LOADAOF", "OK");
    assert_eq!(copy.digest("sale"), con.digest("sale"));
}

const AOF_OWN: &str = "--appendonly yes --appendfsync always --aof-use-rdb-preamble no";

#[test]
fn a_primary_that_comes_back_leaves_the_grants_to_the_new_one() {
    let (Some(old), Some(new)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let mut con = old.conn();
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 1 WAITING 99 HOLD 60000 PATIENCE 0",
        "OK",
    );
    replicate(&old, &new);
    for n in 0..20 {
        wait(&mut con, &format!("u{n}"));
    }
    wait_for_replica(&old, &new);
    let mut copy = new.conn();
    copy.says("REPLICAOF NO ONE", "OK");
    replicate(&new, &old);
    copy.says("FLASHSALE.RELEASE sale i-u0", "RELEASED ...");
    wait_until("the next has units", || has_units(&mut copy, "u1"));
    wait_for_replica(&new, &old);
    assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
    con.has_not_diverged();
    // Units of a copy go to nobody.
    assert!(has_units(&mut con, "u1") && !has_units(&mut con, "u2"));
    con.fields("FLASHSALE.INFO sale", "waiting 18, granted 1");
}

#[test]
fn a_dump_is_restored_before_its_draw_and_beside_what_ended() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let start_at_ms = unix_ms() + 1_000;
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders STOCK 2 WAITING 9999 PATIENCE 0 START {start_at_ms}"
        ),
        "OK",
    );
    for n in 0..40 {
        wait(&mut con, &format!("u{n}"));
    }
    let redis::Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("a payload");
    };
    let digest = con.digest("sale");
    let restored = con.run_words(&[b"RESTORE", b"sale", b"0", &payload, b"REPLACE"]);
    assert_eq!(render(&restored), "OK");
    assert_eq!(con.digest("sale"), digest);
    con.says("MOVE sale 3", "1");
    con.says("SELECT 3", "OK");
    assert_eq!(con.digest("sale"), digest);
    con.says("SELECT 0", "OK");
    con.says("SWAPDB 0 3", "OK");
    wait_until("two have won", || {
        con.field("FLASHSALE.INFO sale", "granted") == "2"
    });
    // A line that ended, whose places may still be in memory, under the one that comes back.
    con.says("FLASHSALE.CLOSE sale", "OK");
    wait_until("nobody waits", || {
        number(&mut con, "FLASHSALE.INFO sale", "waiting") == 0
    });
    let restored = con.run_words(&[b"RESTORE", b"sale", b"0", &payload, b"REPLACE"]);
    assert_eq!(render(&restored), "OK");
    assert!(is_soon(
        || con.field("FLASHSALE.INFO sale", "granted") == "2"
    ));
    con.fields("FLASHSALE.INFO sale", "waiting 38, drawn [[default 40]]");
    con.fields("FLASHSALE.AUDIT sale", "consistent 1");
    con.says("UNLINK sale", "1");
}
