//! **Goal**: a server that reaches `maxmemory` in the middle of a sale makes no new
//! reservation and finishes the sale: every reservation made before can be paid, given
//! back, extended and refunded, what is overdue comes back, a retry is told what it
//! has, and replicas and the AOF agree. The same for `max-reservations`.
//!
//! **Method**: several clients reserve until each has been answered `OOM`, which is the
//! server's own doing; then `maxmemory` is set below what is used, so that it stays so,
//! and the sale goes on. What the tables of RESERVE say about it is in
//! `reserve_rows.rs` and `reserve_limits.rs`.

use crate::support::{
    Con, Feed, Server, all_said, replicate, send_all, wait_for_replica, wait_until,
};

/// Clients at the same time.
const CLIENTS: u64 = 4;

/// Reserves one id after the other until the answer is `OOM`; the ids reserved.
fn reserve_until_refused(mut con: Con, client: u64) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let id = format!("reservation-of-client-{client}-{}", ids.len());
        let user = format!("user-{client}-{}", ids.len());
        let reply = con.show(&format!("FLASHSALE.RESERVE sale {user} 1 ID {id}"));
        if reply.contains("(error)") {
            assert!(reply.contains("\"OOM "), "{reply}");
            return ids;
        }
        assert!(reply.starts_with("RESERVED"), "{reply}");
        ids.push(id);
    }
}

/// All clients at once, until each is refused.
fn rush(server: &Server) -> Vec<String> {
    std::thread::scope(|scope| {
        let client = |number| {
            let con = server.conn();
            scope.spawn(move || reserve_until_refused(con, number))
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let ids = clients.into_iter().map(|client| client.join());
        ids.flat_map(|ids| ids.expect("a client")).collect()
    })
}

/// Makes `maxmemory` a limit that is a little away, then lets the rush reach it, then
/// keeps the server above it whatever is freed.
fn reach_maxmemory(server: &Server, con: &mut Con) -> Vec<String> {
    let used: u64 = con.info("memory", "used_memory").parse().expect("bytes");
    con.says(&format!("CONFIG SET maxmemory {}", used + 2_000_000), "OK");
    let ids = rush(server);
    assert!(ids.len() > 1_000, "only {} reservations", ids.len());
    con.says(&format!("CONFIG SET maxmemory {}", used / 2), "OK");
    ids
}

/// Some reservations with a deadline of their own, made before memory is short.
fn make_sale(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 1000000 HOLD 90000000 MAXHOLD 99000000",
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale ann 3 ID extended", "RESERVED ...");
    con.says("FLASHSALE.RESERVE sale ann 3 ID released", "RESERVED ...");
    con.says(
        "FLASHSALE.BUY sale orders bob 2 ID bought REF b",
        "SOLD ...",
    );
    con.says("FLASHSALE.BUY sale orders bob 5 ID refunded", "SOLD ...");
}

/// What a new buyer is told, whoever asks and how.
#[track_caller]
fn nothing_new_is_reserved(con: &mut Con) {
    con.fails("FLASHSALE.RESERVE sale eve 1", "OOM", "maxmemory");
    con.fails("FLASHSALE.RESERVE sale eve 1 ID new", "OOM", "maxmemory");
    con.fails("FLASHSALE.BUY sale orders eve 1 ID new", "OOM", "maxmemory");
    let script = "'return redis.call(\"FLASHSALE.RESERVE\", KEYS[1], \"eve\", 1)'";
    let reply = con.show(&format!("EVAL {script} 1 sale"));
    assert!(reply.contains("OOM "), "{reply}");
    // Redis 7.0 queues nothing for a transaction when it is out of memory, others do.
    con.says("MULTI", "OK");
    let queued = con.show("FLASHSALE.RESERVE sale eve 1 ID new");
    let reply = con.show("EXEC");
    let is_refused = |reply: &str| reply.contains("(error) \"OOM ");
    let is_aborted = is_refused(&queued) && reply.contains("EXECABORT");
    assert!(is_aborted || is_refused(&reply), "{queued}, {reply}");
    con.says("FLASHSALE.GET sale new", "(nil)");
}

/// Everything that finishes a sale.
fn the_rest_goes_on(con: &mut Con) {
    con.says(
        "FLASHSALE.EXTEND sale extended 95000000",
        "RESERVED extended @+95000000 ...",
    );
    con.says("FLASHSALE.RELEASE sale released", "RELEASED released");
    con.says("FLASHSALE.RELEASE sale never-seen", "RELEASED never-seen");
    con.says("FLASHSALE.REFUND sale orders refunded", "REFUNDED ...");
    con.says(
        "FLASHSALE.REFUND sale orders bought QTY 1 REF half",
        "REFUNDED ...",
    );
    let script = "'return redis.call(\"FLASHSALE.CHECKOUT\", KEYS[1], KEYS[2], \"extended\")'";
    con.says(
        &format!("EVAL {script} 2 sale orders"),
        "SOLD extended (entry)",
    );
    for line in ["PAUSE sale", "RESUME sale", "ALTER sale GRACE 5"] {
        con.says(&format!("FLASHSALE.{line}"), "OK");
    }
    con.says("FLASHSALE.RESTOCK sale 5", "RESTOCKED [...");
}

#[test]
fn a_sale_that_meets_maxmemory_is_sold_to_its_end() {
    let (Some(mut primary), Some(replica)) = (
        Server::own(&["--appendonly yes --appendfsync no"], &[]),
        Server::own(&["--maxmemory 1mb --replica-ignore-maxmemory no"], &[]),
    ) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    make_sale(&mut con);
    replicate(&primary, &replica);
    let ids = reach_maxmemory(&primary, &mut con);
    let count = ids.len() as u64;
    nothing_new_is_reserved(&mut con);
    // Each buyer who asks again hears what they have, also by the answer of BUY.
    let owner = |id: &str| id.replace("reservation-of-client", "user");
    let again = |id: &String| format!("FLASHSALE.RESERVE sale {} 1 ID {id}", owner(id));
    all_said(
        &send_all(&mut con, ids.iter().map(again)),
        "RESERVED",
        count,
    );
    the_rest_goes_on(&mut con);
    let (bought, paid) = ids.split_at(ids.len() / 3);
    let buy = |id: &String| format!("FLASHSALE.BUY sale orders {} 1 ID {id}", owner(id));
    let counts = send_all(&mut con, bought.iter().map(buy));
    all_said(&counts, "SOLD", bought.len() as u64);
    let pay = |id: &String| format!("FLASHSALE.CHECKOUT sale orders {id} REF pay-{id}");
    let counts = send_all(&mut con, paid.iter().map(pay));
    all_said(&counts, "SOLD", paid.len() as u64);
    nothing_new_is_reserved(&mut con);
    // All that was reserved, and `bought` and `extended`, less what was refunded.
    let sold = count + 1 + 3;
    let expected = format!("[default {} 0 {sold} 0]", 1_000_005 - sold);
    assert_eq!(con.stock("sale"), expected);
    // An entry each, `refunded` too, and two refunds.
    assert_eq!(con.int("XLEN orders") as u64, count + 3 + 2);
    wait_for_replica(&primary, &replica);
    let digest = con.digest("sale orders");
    assert_eq!(copy.digest("sale orders"), digest);
    primary.shut_down();
    primary.start_again(&["--maxmemory 1mb"]);
    let mut con = primary.conn();
    assert_eq!(con.digest("sale orders"), digest);
    nothing_new_is_reserved(&mut con);
    con.says("CONFIG SET maxmemory 0", "OK");
    con.says("FLASHSALE.RESERVE sale eve 1 ID new", "RESERVED new ...");
}

#[test]
fn deadlines_are_kept_at_maxmemory_and_only_memory_brings_new_reservations() {
    let Some(server) = Server::own(&["--appendonly yes"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 500 REMEMBER 1", "OK");
    let reserve = |number| format!("FLASHSALE.RESERVE sale u{number} 1 ID r{number} HOLD 2500");
    all_said(&send_all(&mut con, (0..500).map(reserve)), "RESERVED", 500);
    let mut feed = Feed::follow(&server);
    con.says("CONFIG SET maxmemory 1", "OK");
    con.refuses("FLASHSALE.RESERVE sale eve 1", "ALLRESERVED <=2500 default");
    wait_until("all of it is back", || {
        con.stock("sale") == "[default 500 0 0 0]"
    });
    wait_until("and forgotten", || {
        con.field("FLASHSALE.INFO sale", "reservations_remembered") == "0"
    });
    assert!(!feed.short().is_empty(), "it is replicated as well");
    con.fails("FLASHSALE.RESERVE sale eve 1", "OOM", "maxmemory");
    assert_eq!(feed.short(), [""; 0]);
    con.says("CONFIG SET maxmemory 0", "OK");
    con.says("FLASHSALE.RESERVE sale eve 1", "RESERVED * * 499 -1");
}

#[test]
fn a_replica_promoted_at_maxmemory_finishes_the_sale() {
    let (Some(mut primary), Some(replica)) =
        (Server::own(&[], &[]), Server::own(&["--maxmemory 1"], &[]))
    else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    replicate(&primary, &replica);
    make_sale(&mut con);
    con.says("FLASHSALE.RESERVE sale dan 7 HOLD 500", "RESERVED ...");
    wait_for_replica(&primary, &replica);
    assert_eq!(copy.digest("sale orders"), con.digest("sale orders"));
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    nothing_new_is_reserved(&mut copy);
    the_rest_goes_on(&mut copy);
    wait_until("the deadline is kept", || {
        copy.stock("sale") == "[default 1000001 0 4 0]"
    });
    copy.says("CONFIG SET maxmemory 0", "OK");
    copy.says("FLASHSALE.RESERVE sale eve 1 ID new", "RESERVED new ...");
}

#[test]
fn a_rush_on_max_reservations_is_served_to_the_last_and_not_beyond() {
    let (Some(primary), Some(replica)) = (
        Server::own(&[], &["max-reservations 3000"]),
        Server::own(&[], &["max-reservations 1"]),
    ) else {
        return;
    };
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.CREATE sale orders STOCK 1000000", "OK");
    con.says("FLASHSALE.CREATE other orders STOCK 9", "OK");
    replicate(&primary, &replica);
    let ids = rush(&primary);
    assert_eq!(ids.len(), 3000);
    con.fails("FLASHSALE.RESERVE sale eve 1", "OOM", "max-reservations");
    // The bound is each sale's own.
    con.says("FLASHSALE.RESERVE other eve 1", "RESERVED ...");
    let pay = |id: &String| format!("FLASHSALE.CHECKOUT sale orders {id}");
    let (paid, left) = ids.split_at(2990);
    all_said(&send_all(&mut con, paid.iter().map(pay)), "SOLD", 2990);
    con.fails("FLASHSALE.BUY sale orders eve 1", "OOM", "max-reservations");
    // What is only remembered makes room.
    let release = |id: &String| format!("FLASHSALE.RELEASE sale {id}");
    all_said(
        &send_all(&mut con, left.iter().map(release)),
        "RELEASED",
        10,
    );
    let buy = |number| format!("FLASHSALE.BUY sale orders eve 1 ID late-{number}");
    all_said(&send_all(&mut con, (0..10).map(buy)), "SOLD", 10);
    con.fails("FLASHSALE.RESERVE sale eve 1", "OOM", "max-reservations");
    con.says("CONFIG SET flashsale.max-reservations 3001", "OK");
    con.says("FLASHSALE.RESERVE sale eve 1", "RESERVED ...");
    con.says("FLASHSALE.STOCK sale", "[default 996999 1 3000 0]");
    wait_for_replica(&primary, &replica);
    assert_eq!(copy.digest("sale orders"), con.digest("sale orders"));
}

#[test]
fn commands_that_were_renamed_away_do_not_switch_the_limit_off() {
    // Whatever the module might ask the server by.
    let renamed = ["BITFIELD", "INFO", "CONFIG", "MEMORY", "APPEND", "SET"];
    let renamed = renamed.map(|name| format!("--rename-command {name} GONE-{name}"));
    let Some(server) = Server::own(&["--maxmemory 1", &renamed.join(" ")], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("GONE-CONFIG SET maxmemory 0", "OK");
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 ID held", "RESERVED ...");
    con.says("GONE-CONFIG SET maxmemory 1", "OK");
    for line in ["RESERVE sale eve 1", "BUY sale orders eve 1 ID new"] {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(reply.contains("\"OOM "), "{line}: {reply}");
    }
    con.says("FLASHSALE.RESERVE sale ann 1 ID held", "RESERVED held ...");
    con.says("FLASHSALE.CHECKOUT sale orders held", "SOLD ...");
    con.says("FLASHSALE.STOCK sale", "[default 8 0 1 0]");
}

/// A script that gives a reservation back and makes another, and one of the second step
/// alone.
const CHANGE: &str = "redis.call('FLASHSALE.RELEASE', KEYS[1], ARGV[1]); \
     return redis.call('FLASHSALE.RESERVE', KEYS[1], 'ann', 1, 'ID', ARGV[2])";
const ADD: &str = "return redis.call('FLASHSALE.RESERVE', KEYS[1], 'ann', 1, 'ID', ARGV[2])";

fn run_script(con: &mut Con, script: &str, old: &str, new: &str) -> String {
    let words = ["EVAL", script, "1", "sale", old, new];
    let words = words.map(str::as_bytes);
    crate::support::render(&con.run_words(&words))
}

#[test]
fn a_limit_that_was_just_set_counts_for_the_next_script() {
    let Some(server) = Server::own(&["--hz 1"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 ID a", "RESERVED ...");
    con.says("CONFIG SET maxmemory 1", "OK");
    assert!(run_script(&mut con, CHANGE, "a", "b").starts_with("RESERVED b "));
}

#[test]
fn a_script_that_has_changed_a_sale_is_not_stopped_half_way() {
    let Some(server) = Server::own(&["--maxmemory 1gb"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale ann 1 ID a", "RESERVED ...");
    let function = "#!lua name=shop\nredis.register_function{function_name='change', \
         callback=function(KEYS, ARGV) "
        .to_owned()
        + CHANGE
        + " end, flags={'allow-oom'}}";
    con.run_words(&[b"FUNCTION", b"LOAD", function.as_bytes()]);
    con.says("CONFIG SET maxmemory 1", "OK");
    assert!(run_script(&mut con, CHANGE, "a", "b").starts_with("RESERVED b "));
    let allowed = format!("#!lua flags=allow-oom\n{CHANGE}");
    assert!(run_script(&mut con, &allowed, "b", "c").starts_with("RESERVED c "));
    con.says("FCALL change 1 sale c d", "RESERVED d ...");
    // The next script begins anew, in whatever order they come.
    let reply = run_script(&mut con, ADD, "", "x");
    assert!(reply.contains("OOM "), "{reply}");
    con.says("FLASHSALE.RELEASE sale d", "RELEASED d");
    let reply = run_script(&mut con, ADD, "", "x");
    assert!(reply.contains("OOM "), "{reply}");
    // One that finds everything done already has changed nothing.
    let reply = run_script(&mut con, CHANGE, "d", "x");
    assert!(reply.contains("OOM "), "{reply}");
    con.fails("FLASHSALE.RESERVE sale eve 1", "OOM", "maxmemory");
    // Without the flag the server does not begin.
    let forbidden = format!("#!lua\n{CHANGE}");
    let reply = run_script(&mut con, &forbidden, "never", "y");
    assert!(reply.contains("OOM "), "{reply}");
    con.says("FLASHSALE.GET sale never", "(nil)");
}
