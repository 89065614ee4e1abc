//! **Goal**: the entries of MRESERVE, MBUY, MCHECKOUT and MRELEASE are answered as their single
//! commands would be, in their order, and an entry that is refused or wrong stops no other;
//! what is wrong with the line is one error; every copy of the sale hears of a batch at once.
//!
//! **Method**: each answer is written down in words. In `errors.rs` every row of the table of
//! errors is provoked. In `copies.rs` a raw socket sees what is replicated, and replicas and
//! AOFs are compared by digest. Batches that do not fit are sent in `forged_primary/batches.rs`.

mod broken;
mod copies;
mod errors;

use crate::support::{Events, Server, wait_until};

#[test]
fn each_entry_sees_what_those_before_it_did() {
    let server = Server::any();
    for mut con in [server.conn(), server.conn3()] {
        con.run("DEL sale orders");
        con.says(
            "FLASHSALE.CREATE sale orders STOCK 6 USERLIMIT 3 HOLD 60000",
            "OK",
        );
        // The same user twice counts twice, the same id twice is a replay.
        con.says(
            "FLASHSALE.MRESERVE sale ENTRIES 7 ann 2 a-1 ann 2 a-2 bob 2 b-1 ann 2 a-1 \
             bob 2 a-1 cyd 3 c-1 cyd 1 c-2",
            "[RESERVED a-1 @+60000 4 1] [USERLIMIT 1] [RESERVED b-1 @+60000 2 1] \
             [RESERVED a-1 @+60000 2 1] [MISMATCH a-1] [ALLRESERVED <=60000 default] \
             [RESERVED c-2 @+60000 1 2]",
        );
        // What is bought and given back is free for the next one.
        con.says(
            "FLASHSALE.MCHECKOUT sale orders ENTRIES 6 a-1 p-1 a-1 p-1 a-1 p-2 b-1 '' b-1 '' \
             none p",
            "[SOLD a-1 (entry)] [SOLD a-1 (entry)] [ALREADYSOLD a-1 p-1] [SOLD b-1 (entry)] \
             [SOLD b-1 (entry)] [NORESERVATION none]",
        );
        con.says(
            "FLASHSALE.MRELEASE sale ENTRIES 4 c-2 c-2 a-1 unseen",
            "[RELEASED c-2] [RELEASED c-2] [SOLD a-1 (entry)] [RELEASED unseen]",
        );
        con.says(
            "FLASHSALE.MBUY sale orders ENTRIES 5 cyd 1 c-3 p-3 cyd 1 c-3 p-4 dan 1 d-1 '' \
             dan 1 c-2 '' eve 1 unseen ''",
            "[SOLD c-3 (entry)] [ALREADYSOLD c-3 p-3] [SOLD d-1 (entry)] [MISMATCH c-2] \
             [RELEASED unseen]",
        );
        con.says("FLASHSALE.STOCK sale", "[default 0 0 6 0]");
        con.says(
            "FLASHSALE.MRESERVE sale ENTRIES 1 eve 1 e-1",
            "[SOLDOUT 0 default]",
        );
        con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
        con.says("XLEN orders", "4");
    }
}

#[test]
fn sku_and_hold_are_for_the_whole_batch() {
    let server = Server::any();
    let mut con = server.conn();
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 2 a 3 b 3 HOLD 60000",
        "OK",
    );
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 2 ann 1 a-1 bob 2 b-1 HOLD 1000 SKU b",
        "[RESERVED a-1 @+1000 2 -1] [RESERVED b-1 @+1000 0 -1]",
    );
    // A HOLD beyond the sale's is cut to it.
    con.says(
        "flashsale.mreserve sale entries 1 ann 1 a-2 sku a hold 99999",
        "[RESERVED a-2 @+60000 2 -1]",
    );
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 2 ann 1 a-3 '' bob 1 b-2 p SKU a",
        "[SOLD a-3 (entry)] [SOLD b-2 (entry)]",
    );
    con.says("FLASHSALE.STOCK sale", "[a 0 1 2 0] [b 0 3 0 0]");
    // The whole line again: each entry is its own replay.
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 2 ann 1 a-3 '' bob 1 b-2 p SKU a",
        "[SOLD a-3 (entry)] [SOLD b-2 (entry)]",
    );
    con.says("XLEN orders", "2");
}

#[test]
fn a_batch_sells_what_came_back_in_it_and_counts_as_its_entries_do() {
    let Some(server) = Server::own(&[], &["sweep-max", "2"]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5 HOLD 60000", "OK");
    let outcome = |name: &str| format!("flashsale_outcome_{name}");
    // The timer does not come between the lines of a transaction.
    let reply = con.run_at_once(&[
        "MULTI",
        "FLASHSALE.MRESERVE sale ENTRIES 5 a 1 a b 1 b c 1 c d 1 d e 1 e HOLD 1",
        "DEBUG SLEEP 0.02",
        "FLASHSALE.MRESERVE sale ENTRIES 4 f 1 f g 1 g h 1 h a 1 a",
        "EXEC",
    ]);
    let reply = crate::support::render(&reply);
    // Two overdue ones are returned for all entries together; the third is told to come again
    // at once. What an entry is about expires all the same.
    assert!(
        reply.contains("[ALLRESERVED 1] [EXPIRED a") && reply.contains("[RESERVED g"),
        "{reply}"
    );
    wait_until("the rest came back", || {
        con.stock("sale") == "[default 3 2 0 0]"
    });
    for (name, count) in [
        ("reserved", "7"),
        ("expired", "5"),
        ("allreserved", "1"),
        ("alreadyexpired", "1"),
        ("sold", "0"),
    ] {
        assert_eq!(con.info("flashsale", &outcome(name)), count, "{name}");
    }
    con.run("FLASHSALE.MRESERVE sale ENTRIES 2 f 1 f g x g");
    assert_eq!(con.info("flashsale", &outcome("replayed")), "1");
    assert_eq!(con.info("flashsale", "flashsale_error_err"), "1");
}

#[test]
fn deadlines_of_a_batch_are_kept_by_the_timer() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 2 ann 1 a bob 1 b HOLD 20",
        "[RESERVED ...",
    );
    wait_until("they expired", || con.stock("sale") == "[default 9 0 0 0]");
}

#[test]
fn listeners_hear_of_each_entry() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 3", "OK");
    let mut events = Events::listen(&server);
    con.run("FLASHSALE.MRESERVE sale ENTRIES 4 ann 1 a bob 1 b cyd 5 c dan 1 d");
    events.are("reserved reserved reserved allreserved");
    con.run("FLASHSALE.MCHECKOUT sale orders ENTRIES 3 a '' b '' none ''");
    events.are("sold sold");
    con.run("FLASHSALE.MRELEASE sale ENTRIES 2 d d");
    events.are("released backinstock");
    con.run("FLASHSALE.MBUY sale orders ENTRIES 1 dan 1 e ''");
    events.are("sold soldout");
    con.run("FLASHSALE.MRESERVE sale ENTRIES 2 eve 1 f fay 1 g");
    assert_eq!(events.seen(), [""; 0]);
}

#[test]
fn a_batch_works_in_a_transaction_and_in_a_script() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 999", "OK");
    con.says("MULTI", "OK");
    con.run("FLASHSALE.MRESERVE sale ENTRIES 2 ann 1 a bob x b");
    con.run("FLASHSALE.MCHECKOUT sale orders ENTRIES 1 a p");
    con.says(
        "EXEC",
        "[[RESERVED a * 998 -1] (error) \"ERR qty: 'x' is not an integer from 1 to \
         9007199254740991\"] [[SOLD a (entry)]]",
    );
    let script = "'local line = {\"FLASHSALE.MRESERVE\", KEYS[1], \"ENTRIES\", 100} \
                   for n = 1, 100 do \
                     line[#line + 1] = \"user-\" .. n; \
                     line[#line + 1] = 1; \
                     line[#line + 1] = ARGV[1] .. n \
                   end \
                   local said = redis.call(unpack(line)) \
                   return {#said, said[1], said[100]}'";
    con.says(
        &format!("EVAL {script} 1 sale id-"),
        "100 [RESERVED id-1 * 997 -1] [RESERVED id-100 * 898 -1]",
    );
    // An entry that is an error ends no script, but on Valkey 9.1, whose scripts take an error
    // anywhere in a reply for the error of the command. The other entry stands there, too.
    let script = "'return #redis.call(\"FLASHSALE.MRESERVE\", KEYS[1], \"ENTRIES\", 2, \"u\", 0, \
                   \"x\", \"u\", 1, \"y\")'";
    let reply = con.show(&format!("EVAL {script} 1 sale"));
    let is_ended = reply.starts_with("(error) \"ERR qty: '0' is not an integer");
    assert!(reply == "2" || is_ended, "{reply}");
    con.says("FLASHSALE.STOCK sale", "[default 897 101 1 0]");
}

#[test]
fn a_consumer_that_waits_is_woken_by_the_orders_of_a_batch() {
    let server = Server::any();
    let (mut con, mut consumer) = (server.conn(), server.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    consumer.send("XREAD BLOCK 30000 STREAMS orders 0");
    wait_until("it waits", || con.info("clients", "blocked_clients") == "1");
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 2 ann 1 a p bob 1 b p",
        "[SOLD a (entry)] [SOLD b (entry)]",
    );
    let read = crate::support::render(&consumer.receive());
    assert!(
        read.contains("id a user ann") && read.contains("id b user bob"),
        "{read}"
    );
}

#[test]
fn a_refused_batch_breaks_no_watch_and_a_change_does() {
    let server = Server::any();
    let (mut con, mut other) = (server.conn(), server.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 2", "OK");
    let mut exec_after = |line: &str| {
        con.says("WATCH sale orders", "OK");
        let reply = other.show(line);
        con.says("MULTI", "OK");
        con.run("PING");
        (con.show("EXEC"), reply)
    };
    for line in [
        "FLASHSALE.MRESERVE sale ENTRIES 2 ann 9 a ann x b",
        "FLASHSALE.MBUY sale orders ENTRIES 1 ann 9 a p",
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 a p b p",
    ] {
        let (exec, reply) = exec_after(line);
        assert_eq!(exec, "+PONG", "{line}: {reply}");
    }
    for line in [
        "FLASHSALE.MRESERVE sale ENTRIES 2 ann 9 a ann 1 b",
        "FLASHSALE.MBUY sale orders ENTRIES 2 ann 9 a p ann 1 c p",
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 a p b p",
        "FLASHSALE.MRELEASE sale ENTRIES 2 b unseen",
    ] {
        let (exec, reply) = exec_after(line);
        assert_eq!(exec, "(nil)", "{line}: {reply}");
    }
}

#[test]
fn two_slots_in_a_cluster_are_an_error_of_the_server() {
    let Some(server) = Server::own(&["--cluster-enabled yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("CLUSTER ADDSLOTSRANGE 0 16383", "OK");
    wait_until("the cluster is up", || {
        con.text("CLUSTER INFO").contains("cluster_state:ok")
    });
    con.says("FLASHSALE.CREATE {s}sale {s}orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.MBUY {s}sale {s}orders ENTRIES 1 ann 1 a ''",
        "[SOLD a (entry)]",
    );
    for line in [
        "FLASHSALE.MBUY {s}sale {t}orders ENTRIES 1 ann 1 b ''",
        "FLASHSALE.MCHECKOUT {s}sale {t}orders ENTRIES 1 a ''",
    ] {
        let reply = con.show(line);
        assert!(reply.contains("CROSSSLOT"), "{line}: {reply}");
    }
}
