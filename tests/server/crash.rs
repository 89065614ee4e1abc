//! **Goal**: a server that dies at any moment comes back with every change it
//! acknowledged (`appendfsync always`), or with all of them up to some moment and none
//! after it (`everysec`); no unit is sold twice, no id has two orders, and a client that
//! asks again by id is answered as the first time.
//!
//! **Method**: clients under load remember what they were promised, and the server is
//! killed with SIGKILL in the middle, again and again on the same data. Killing a process
//! loses nothing that it has handed to the kernel, so it cannot show what a power cut
//! does: for that the tests cut the AOF's last file themselves, at random bytes.

use crate::support::aof::{self, Aof};
use crate::support::books::{Books, entry_key};
use crate::support::load::{Ack, Load, STOCK, Shopper, USER_LIMIT, open_sale};
use crate::support::sentinel::guide_to;
use crate::support::story::Fact;
use crate::support::{Con, Dice, REPLICA_OF_NOBODY, Server, wait_until};

const ALWAYS: &str = "--appendonly yes --appendfsync always --aof-use-rdb-preamble";
const EVERYSEC: &str = "--appendonly yes --appendfsync everysec --aof-use-rdb-preamble";

/// Asserts that everything adds up and every promise is kept.
#[track_caller]
fn assert_kept(con: &mut Con, shoppers: &[Shopper]) {
    let books = Books::read(con);
    books.balance(&STOCK, USER_LIMIT);
    for shopper in shoppers {
        shopper.is_not_surprised();
        for ack in &shopper.acks {
            let record = books.records.get(&ack.id);
            assert!(books.hold(ack), "lost: {ack:?}; there is {record:?}");
        }
    }
}

/// Asserts that the load was not of one kind alone.
#[track_caller]
fn assert_all_kinds_took_part(books: &Books) {
    for state in ["reserved", "sold", "refunded", "released", "expired"] {
        let mut records = books.records.values();
        assert!(records.any(|record| record.state == state), "none {state}");
    }
}

/// Plain keys that take long to rewrite, so that a kill finds a rewrite running.
fn slow_down_rewrites(con: &mut Con) {
    for index in 0..40 {
        con.says(&format!("SET plain{index} x"), "OK");
    }
    con.says("CONFIG SET rdb-key-save-delay 8000", "OK");
}

fn begin_rewrite(con: &mut Con) {
    con.run("BGREWRITEAOF");
    wait_until("the AOF is being rewritten", || {
        con.info("persistence", "aof_rewrite_in_progress") == "1"
    });
}

/// Kills a server under load six times on the same data. In one round of three the AOF
/// is being rewritten at that moment, in one it was rewritten shortly before.
fn kill_again_and_again(preamble: &str) {
    let kind = format!("{ALWAYS} {preamble}");
    let Some(mut server) = Server::own(&[&kind], &[]) else {
        return;
    };
    let mut dice = Dice::seeded();
    open_sale(&mut server.conn());
    let mut shoppers = Shopper::several(4, &mut dice);
    for round in 0..6 {
        let mut con = server.conn();
        let load = Load::start(shoppers, guide_to(&server));
        load.go_on_for(50 + dice.below(150));
        match round % 3 {
            1 => {
                slow_down_rewrites(&mut con);
                begin_rewrite(&mut con);
            }
            2 => aof::rewrite(&mut con),
            _ => {}
        }
        load.go_on_for(1 + dice.below(100));
        server.kill9();
        shoppers = load.wait_to_end();
        server.start_again(&[]);
        let mut con = server.conn();
        assert_kept(&mut con, &shoppers);
        for shopper in &mut shoppers {
            shopper.ask_again(&mut con);
        }
        assert_kept(&mut con, &shoppers);
        con.has_not_diverged();
    }
    assert_all_kinds_took_part(&Books::read(&mut server.conn()));
    let promises: usize = shoppers.iter().map(|shopper| shopper.acks.len()).sum();
    println!("preamble {preamble}: {promises} promises kept over 6 kills");
}

#[test]
fn with_fsync_always_every_promise_outlives_any_number_of_kills() {
    kill_again_and_again("yes");
}

#[test]
fn with_an_aof_of_commands_alone_every_promise_outlives_them_too() {
    kill_again_and_again("no");
}

/// How many promises of a client the books hold; asserts that they are the first ones.
#[track_caller]
fn count_kept(books: &Books, acks: &[Ack]) -> usize {
    let kept = acks.iter().take_while(|ack| books.hold(ack)).count();
    let later = acks[kept..].iter().find(|ack| books.hold(ack));
    assert!(
        later.is_none(),
        "{later:?} is there, {:?} before it is not",
        acks[kept]
    );
    kept
}

/// Asserts the same over all clients, in the order the server worked in: stream IDs
/// tell it.
#[track_caller]
fn assert_first_orders_kept(books: &Books, shoppers: &[Shopper]) {
    let acks = shoppers.iter().flat_map(|shopper| &shopper.acks);
    let mut entries: Vec<(&str, &Ack)> = acks
        .filter_map(|ack| match &ack.fact {
            Fact::Ordered(at) | Fact::Refunded(at) => Some((at.as_str(), ack)),
            _ => None,
        })
        .collect();
    entries.sort_by_key(|(at, _)| entry_key(at));
    let acks: Vec<Ack> = entries.into_iter().map(|(_, ack)| ack.clone()).collect();
    count_kept(books, &acks);
}

/// Lets clients work, ends the server, and starts it again and again from an AOF cut at
/// random bytes.
fn cut_at_random_bytes(preamble: &str) {
    let kind = format!("{EVERYSEC} {preamble}");
    let Some(mut server) = Server::own(&[&kind], &[]) else {
        return;
    };
    let mut dice = Dice::seeded();
    open_sale(&mut server.conn());
    let load = Load::start(Shopper::several(4, &mut dice), guide_to(&server));
    load.go_on_for(300);
    // What is cut is what came after a rewrite; what it had written is a file of its own.
    aof::rewrite(&mut server.conn());
    load.go_on_for(1500);
    server.kill9();
    let mut shoppers = load.wait_to_end();
    shoppers.iter().for_each(Shopper::is_not_surprised);
    let promises: usize = shoppers.iter().map(|shopper| shopper.acks.len()).sum();
    let aof = Aof::of(&server);
    let whole = aof.tail().len();
    for round in 0..6 {
        // First as the kill left it: with `everysec` the server may answer before it
        // writes, while the disk is slow, so that even this can lose something.
        let cut = match round {
            0 => whole,
            _ => dice.index(whole),
        };
        aof.cut(cut);
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        let books = Books::read(&mut con);
        books.balance(&STOCK, USER_LIMIT);
        assert_first_orders_kept(&books, &shoppers);
        let kept = shoppers
            .iter()
            .map(|shopper| count_kept(&books, &shopper.acks));
        let lost = promises - kept.sum::<usize>();
        println!("cut at {cut} of {whole}: {lost} of {promises} promises lost, the last ones");
        con.has_not_diverged();
        server.kill9();
    }
    sell_on(&mut server, &mut shoppers);
}

/// The shop goes on with what is left, and the books still add up; clients are told
/// something else than before only about what was lost.
fn sell_on(server: &mut Server, shoppers: &mut [Shopper]) {
    server.start_again(&[]);
    let mut con = server.conn();
    for shopper in shoppers.iter_mut() {
        for _ in 0..200 {
            shopper.step(&mut con).expect("an answer");
        }
    }
    let books = Books::read(&mut con);
    books.balance(&STOCK, USER_LIMIT);
    con.has_not_diverged();
}

#[test]
fn what_a_power_cut_loses_is_the_end_and_nothing_in_the_middle() {
    cut_at_random_bytes("yes");
}

#[test]
fn of_an_aof_of_commands_alone_it_loses_the_end_too() {
    cut_at_random_bytes("no");
}

/// A server that has every change on its disk before it answers, with the sale.
fn open_shop() -> Option<(Server, Dice, Con)> {
    let server = Server::own(&[&format!("{ALWAYS} yes")], &[])?;
    let mut con = server.conn();
    open_sale(&mut con);
    Some((server, Dice::seeded(), con))
}

#[test]
fn a_cut_aof_is_the_sale_as_it_was_at_that_moment() {
    let Some((mut server, mut dice, mut con)) = open_shop() else {
        return;
    };
    let mut shopper = Shopper::new("ann", &mut dice);
    let digest = |con: &mut Con| con.digest("sale orders");
    // How long the AOF was, and what there was then.
    let mut moments = Vec::new();
    while moments.len() < 500 {
        let before = aof::length(&server);
        let now = digest(&mut con);
        // Else something expired meanwhile.
        if aof::length(&server) == before {
            moments.push((before, now));
        }
        shopper.step(&mut con).expect("an answer");
    }
    shopper.is_not_surprised();
    server.kill9();
    let aof = Aof::of(&server);
    let steps = aof::steps(aof.tail());
    let mut cuts = 0;
    while cuts < 10 {
        let cut = moments[0].0 + dice.index(moments[499].0 - moments[0].0);
        let last = moments.partition_point(|(length, _)| *length <= cut) - 1;
        let (length, expected) = &moments[last];
        // Between two moments something may have expired, too.
        if steps.iter().any(|end| *end > *length && *end <= cut) {
            continue;
        }
        cuts += 1;
        aof.cut(cut);
        server.start_again(&[REPLICA_OF_NOBODY]);
        let now = digest(&mut server.conn());
        assert_eq!(
            now, *expected,
            "cut at byte {cut}, {length} is a whole step"
        );
        server.conn().has_not_diverged();
        server.kill9();
    }
}

#[test]
fn a_cut_inside_a_transaction_leaves_none_of_it() {
    let Some((mut server, mut dice, mut con)) = open_shop() else {
        return;
    };
    con.says(
        "FLASHSALE.BUY sale orders ann ITEMS 1 a 1 ID first",
        "SOLD ...",
    );
    let mut moments = vec![(aof::length(&server), con.digest("sale orders"))];
    for line in [
        "MULTI",
        "FLASHSALE.RESERVE sale ann ITEMS 2 a 1 b 2 ID r1",
        "FLASHSALE.RESERVE sale bob ITEMS 1 c 3 ID r2",
        "FLASHSALE.CHECKOUT sale orders r1",
        "FLASHSALE.RELEASE sale r2",
        "SET paid 1",
    ] {
        con.run(line);
    }
    con.says("EXEC", "[RESERVED ...");
    moments.push((aof::length(&server), con.digest("sale orders")));
    let script = "'redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"cyd\", \"ITEMS\", 1, \"b\", 2, \"ID\", \"s1\") \
         redis.call(\"SET\", KEYS[3], 2) \
         return redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2], \"s1\")'";
    con.says(
        &format!("EVAL {script} 3 sale orders paid"),
        "SOLD s1 (entry)",
    );
    moments.push((aof::length(&server), con.digest("sale orders")));
    server.kill9();
    let aof = Aof::of(&server);
    for (index, pair) in moments.windows(2).enumerate() {
        let (begin, end) = (pair[0].0, pair[1].0);
        let random = |_| begin + dice.index(end - begin);
        let mut cuts: Vec<usize> = (0..4).map(random).collect();
        cuts.push(end - 1);
        for cut in cuts {
            aof.cut(cut);
            server.start_again(&[REPLICA_OF_NOBODY]);
            let mut con = server.conn();
            let now = con.digest("sale orders");
            assert_eq!(now, pair[0].1, "cut at byte {cut} of {begin}..{end}");
            let paid = ["(nil)", "\"1\""][index];
            con.says("GET paid", paid);
            con.has_not_diverged();
            server.kill9();
        }
    }
    aof.cut(moments[2].0);
    server.start_again(&[REPLICA_OF_NOBODY]);
    assert_eq!(server.conn().digest("sale orders"), moments[2].1);
}
