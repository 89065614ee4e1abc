//! A batch is replicated as one line, and every copy of the sale is the same after it.

use flashsale_engine::sale::{Change, Container, Hasher};

use crate::support::aof::{self, Aof};
use crate::support::{Con, Dice, Feed, Server, replicate, wait_for_replica, wait_until};

/// Events are only read here.
const NO_LOOK_UP: Hasher = Hasher::new([0, 0]);

/// The kinds of the events of a batch, in their order.
fn kinds(line: &[Vec<u8>]) -> Vec<&'static str> {
    let bytes = line.last().expect("an event");
    let container = Container::open(bytes, NO_LOOK_UP).expect("a head");
    let kind = |change: &Change<'_>| match change {
        Change::Reserved { .. } => "reserved",
        Change::Sold { .. } => "sold",
        Change::Bought { .. } => "bought",
        Change::Released { .. } => "released",
        Change::ReleasedUnseen { .. } => "unseen",
        Change::Swept { .. } => "swept",
        Change::Expired { .. } => "expired",
        _ => "another",
    };
    let events = container.expect("a batch");
    events
        .map(|event| kind(&event.expect("an event").change))
        .collect()
}

#[test]
fn a_batch_is_one_line_with_its_events_in_their_order() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 4 HOLD 60000", "OK");
    let mut feed = Feed::follow(&server);
    let mut line_of = |line: &str| {
        let reply = con.show(line);
        let mut commands = feed.commands();
        assert_eq!(commands.len(), 1, "{line}: {reply}");
        let command = commands.remove(0);
        let keys: Vec<_> = command[..command.len() - 1]
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        (keys.join(" "), kinds(&command))
    };
    let alone = "FLASHSALE.APPLY sale".to_owned();
    let both = "FLASHSALE.APPLY sale orders".to_owned();
    assert_eq!(
        line_of("FLASHSALE.MRESERVE sale ENTRIES 4 a 1 a b 9 b c 1 c a 1 a"),
        (alone.clone(), vec!["reserved", "reserved"])
    );
    assert_eq!(
        line_of("FLASHSALE.MBUY sale orders ENTRIES 3 d 1 d p a 1 a p e 9 e p"),
        (both.clone(), vec!["bought", "sold"])
    );
    assert_eq!(
        line_of("FLASHSALE.MCHECKOUT sale orders ENTRIES 3 c p c p a p"),
        (both, vec!["sold"])
    );
    assert_eq!(
        line_of("FLASHSALE.MRELEASE sale ENTRIES 3 a x x"),
        (alone, vec!["unseen"])
    );
}

#[test]
fn what_expires_on_the_way_is_in_the_batch_in_its_place() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 3 HOLD 60000", "OK");
    let mut feed = Feed::follow(&server);
    con.run_at_once(&[
        "MULTI",
        "FLASHSALE.MRESERVE sale ENTRIES 3 a 1 a b 1 b c 1 c HOLD 1",
        "DEBUG SLEEP 0.02",
        "FLASHSALE.MRESERVE sale ENTRIES 3 c 1 c d 1 d e 1 e",
        "EXEC",
    ]);
    let commands = feed.commands();
    let lines: Vec<_> = commands
        .iter()
        .filter(|line| line[0] == b"FLASHSALE.APPLY")
        .map(|line| kinds(line))
        .collect();
    assert_eq!(
        lines,
        [
            vec!["reserved", "reserved", "reserved"],
            vec!["expired", "reserved", "swept", "reserved"],
        ]
    );
}

#[test]
fn batches_that_change_nothing_are_not_replicated() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 4", "OK");
    con.run("FLASHSALE.MRESERVE sale ENTRIES 1 a 1 a");
    con.run("FLASHSALE.MBUY sale orders ENTRIES 1 b 1 b p");
    let mut feed = Feed::follow(&server);
    for line in [
        "FLASHSALE.MRESERVE sale ENTRIES 3 a 1 a b 9 x c 0 y",
        "FLASHSALE.MBUY sale orders ENTRIES 2 b 1 b p c 9 x p",
        "FLASHSALE.MCHECKOUT sale orders ENTRIES 2 b p none p",
        "FLASHSALE.MRELEASE sale ENTRIES 2 b b",
        "FLASHSALE.MRESERVE sale ENTRIES 2 a 1 a",
        "FLASHSALE.MRESERVE none ENTRIES 1 a 1 a",
    ] {
        con.run(line);
        assert_eq!(feed.short(), [""; 0], "{line}");
    }
}

/// A batch of a seed, about few ids and users.
fn batch(dice: &mut Dice) -> String {
    let count = 1 + dice.index(20);
    let mut entries = |of: &mut dyn FnMut(&mut Dice) -> String| {
        (0..count).map(|_| of(dice)).collect::<Vec<_>>().join(" ")
    };
    let id = |dice: &mut Dice| format!("id-{}", dice.below(150));
    let of_user = |dice: &mut Dice| {
        let id = dice.below(150);
        format!("user-{} {} id-{id}", id % 40, 1 + id % 2)
    };
    let payment = |dice: &mut Dice| dice.of(&["''", "p", "q"]);
    match count % 4 {
        0 => {
            let entries = entries(&mut |dice| of_user(dice));
            format!("MRESERVE sale ENTRIES {count} {entries} HOLD 40")
        }
        1 => {
            let entries = entries(&mut |dice| format!("{} {}", of_user(dice), payment(dice)));
            format!("MBUY sale orders ENTRIES {count} {entries}")
        }
        2 => {
            let entries = entries(&mut |dice| format!("{} {}", id(dice), payment(dice)));
            format!("MCHECKOUT sale orders ENTRIES {count} {entries}")
        }
        _ => {
            let entries = entries(&mut |dice| id(dice));
            format!("MRELEASE sale ENTRIES {count} {entries}")
        }
    }
}

fn play(con: &mut Con, dice: &mut Dice, batches: usize) {
    for _ in 0..batches {
        let line = format!("FLASHSALE.{}", batch(dice));
        let reply = con.show(&line);
        assert!(reply.starts_with('['), "{line}: {reply}");
    }
}

#[test]
fn replicas_and_aofs_are_the_same_sale_after_any_batches() {
    let args = "--appendonly yes --aof-use-rdb-preamble no --appendfsync no";
    let (Some(mut primary), Some(mut replica)) =
        (Server::own(&[args], &[]), Server::own(&[args], &[]))
    else {
        return;
    };
    let (mut con, mut dice) = (primary.conn(), Dice::seeded());
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 120 USERLIMIT 6 GRACE 30 REMEMBER 200",
        "OK",
    );
    play(&mut con, &mut dice, 100);
    replicate(&primary, &replica);
    play(&mut con, &mut dice, 300);
    wait_until("all deadlines have passed", || {
        con.field("FLASHSALE.INFO sale", "reservations_open") == "0"
    });
    con.says("FLASHSALE.ALTER sale REMEMBER 9000000 GRACE 0", "OK");
    let mut copy = replica.conn();
    wait_until("the copy is the same sale, and stays so", || {
        wait_for_replica(&primary, &replica);
        con.digest("sale orders") == copy.digest("sale orders")
            && con.info("flashsale", "flashsale_overdue_ms") == "0"
    });
    copy.has_not_diverged();
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
    for server in [&mut primary, &mut replica] {
        let digest = server.conn().digest("sale orders");
        server.restart();
        let mut con = server.conn();
        con.has_not_diverged();
        assert_eq!(con.digest("sale orders"), digest);
    }
}

#[test]
fn a_cut_aof_loses_a_batch_as_a_whole() {
    let args = "--appendonly yes --aof-use-rdb-preamble no --appendfsync always";
    let Some(mut server) = Server::own(&[args], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 100", "OK");
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 2 a 1 a b 1 b",
        "[RESERVED ...",
    );
    let before = aof::length(&server);
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 3 c 1 c p d 1 d p e 1 e p",
        "[SOLD ...",
    );
    let after = aof::length(&server);
    server.shut_down();
    let aof = Aof::of(&server);
    for (length, stock, orders) in [
        (before, "[default 98 2 0 0]", "0"),
        (before + 40, "[default 98 2 0 0]", "0"),
        (after - 1, "[default 98 2 0 0]", "0"),
        (after, "[default 95 2 3 0]", "3"),
    ] {
        aof.cut(length);
        server.start_again(&[]);
        let mut con = server.conn();
        assert_eq!(con.stock("sale"), stock, "cut at {length} of {after}");
        con.says("XLEN orders", orders);
        server.shut_down();
    }
}

#[test]
fn an_entry_of_a_reservation_takes_at_most_fifty_bytes_of_aof() {
    let args = "--appendonly yes --aof-use-rdb-preamble no --appendfsync no";
    let Some(server) = Server::own(&[args], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 1000000", "OK");
    let length = |server: &Server, con: &mut Con| {
        // A reply comes after what was written before it.
        con.run("PING");
        aof::length(server)
    };
    let before = length(&server, &mut con);
    let mut line = "FLASHSALE.MRESERVE sale ENTRIES 64".to_owned();
    for n in 0..64 {
        line += &format!(" user:{n:0>7} 1 01ARZ3NDEKTSV4RRFFQ69G{n:0>4}");
    }
    con.says(&line, "[RESERVED ...");
    let bytes = length(&server, &mut con) - before;
    assert!(bytes <= 64 * 50, "{bytes} bytes of AOF for 64 entries");
}
