//! **Goal**: servers with an older module and servers with today's live side by side for
//! as long as an upgrade takes, and it loses nothing; a downgrade is what the page says
//! about it; and what a version newer than today's wrote is told apart from damage.
//!
//! **Method**: the module is built from the last commit before its formats grew
//! (`support/older.rs`) and loaded into real servers beside today's: as primary, as
//! replica, on each other's files. Between versions what readers see is compared; between
//! two servers of today, digests. The table of `docs/operating/upgrading.md` is held against
//! the constants of the source; its transcripts are played with those of the other pages.

mod later;
mod past;
mod seen;

use crate::support::books::Books;
use crate::support::forged_primary::{ForgedPrimary, rdb_of};
use crate::support::load::{Load, STOCK, Shopper, USER_LIMIT, open_sale};
use crate::support::sentinel::guide_among;
use crate::support::workload::settle;
use crate::support::{
    Con, Dice, Feed, REPLICA_OF_NOBODY, Server, aof, module_path, older_module, replicate, rush_on,
    wait_for_replica, wait_until,
};
use seen::{Seen, assert_same};

/// A primary with the older module, and a replica with today's.
fn pair(server_args: &str) -> Option<(Server, Server)> {
    let older = Server::older(&[server_args])?;
    let newer = Server::own(&[server_args], &[])?;
    Some((older, newer))
}

#[test]
fn a_newer_replica_follows_an_older_primary_under_load() {
    let Some((primary, replica)) = pair("") else {
        return;
    };
    let mut con = primary.conn();
    past::live(&mut con, &mut Dice::seeded(), 400);
    replicate(&primary, &replica);
    assert_same(&primary, &replica);
    rush_on(&primary, |_| {});
    con.says("FLASHSALE.ALTER sale GRACE 0", "OK");
    settle(&mut con);
    assert_same(&primary, &replica);
    // And as a primary, with its own rules.
    let mut con = replica.conn();
    con.says("REPLICAOF NO ONE", "OK");
    crate::support::workload::play(&mut con, &mut Dice::seeded(), 300);
}

/// Lets a reservation of `sale` expire, and its millisecond end: what ends in the same one
/// has another order in each version.
#[track_caller]
fn expire(con: &mut Con, id: &str) {
    con.says(
        &format!("FLASHSALE.RESERVE sale ann 1 ID {id}"),
        "RESERVED ...",
    );
    let line = format!("FLASHSALE.GET sale {id}");
    let deadline = con.field(&line, "expires_at_ms");
    let deadline: u64 = deadline.parse().expect("a moment");
    wait_until("it expired", || {
        con.field(&line, "state") == "expired" && con.now_ms() > deadline
    });
}

#[test]
fn what_an_older_primary_forgets_within_its_grace_is_forgotten_by_its_newer_replica() {
    let Some((primary, replica)) = pair("") else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says("CONFIG SET flashsale.max-reservations 10", "OK");
    con.says(
        "FLASHSALE.CREATE sale orders STOCK 9 HOLD 50 GRACE 3600000",
        "OK",
    );
    expire(&mut con, "late");
    for number in 0..9 {
        let id = format!("unseen{number}");
        con.says(
            &format!("FLASHSALE.RELEASE sale {id}"),
            &format!("RELEASED {id}"),
        );
    }
    assert_same(&primary, &replica);
    con.says("FLASHSALE.RELEASE sale last", "RELEASED last");
    con.says("FLASHSALE.GET sale late", "(nil)");
    assert_same(&primary, &replica);
    // As a primary it keeps what may still be paid.
    let mut con = replica.conn();
    con.says("REPLICAOF NO ONE", "OK");
    con.says("CONFIG SET flashsale.max-reservations 10", "OK");
    expire(&mut con, "later");
    for number in 0..11 {
        con.says(
            &format!("FLASHSALE.RELEASE sale other{number}"),
            "RELEASED ...",
        );
    }
    con.says("FLASHSALE.CHECKOUT sale orders later", "SOLD later (entry)");
}

#[test]
fn a_grace_raised_by_an_older_primary_brings_back_an_order_on_its_newer_replica_too() {
    let Some((primary, replica)) = pair("") else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9 HOLD 50", "OK");
    expire(&mut con, "late");
    con.says("FLASHSALE.ALTER sale GRACE 3600000", "OK");
    con.says("FLASHSALE.CHECKOUT sale orders late", "SOLD late (entry)");
    assert_same(&primary, &replica);
}

/// Waits until `new` has taken over from `old`.
#[track_caller]
fn fail_over(old: &Server, new: &Server) {
    old.conn().says("FAILOVER TIMEOUT 15000", "OK");
    wait_until("the replica has taken over", || {
        old.conn().info("replication", "role") == "slave"
            && new.conn().info("replication", "role") == "master"
    });
    wait_until("the old primary follows", || {
        old.conn().info("replication", "master_link_status") == "up"
    });
}

/// Ends a server that saves nothing.
#[track_caller]
fn shut_down_nosave(server: &mut Server) {
    server.conn().send("SHUTDOWN NOSAVE NOW FORCE");
    wait_until("it has ended", || server.has_ended().is_some());
}

/// Starts the ended server with today's module and nothing else, as a replica.
#[track_caller]
fn start_upgraded(server: &mut Server, primary: &Server) {
    server.remove_data();
    server.set_module(&module_path());
    server.start_again(&[]);
    replicate(primary, server);
}

#[test]
fn an_upgrade_under_load_loses_nothing_and_keeps_every_deadline() {
    for args in [
        "",
        "--appendonly yes",
        "--appendonly yes --aof-use-rdb-preamble no",
    ] {
        let Some((mut old, new)) = pair(args) else {
            return;
        };
        let mut con = old.conn();
        open_sale(&mut con);
        past::expire_within_grace(&mut con);
        let mut dice = Dice::seeded();
        let load = Load::start(Shopper::several(4, &mut dice), guide_among(&[&old, &new]));
        load.go_on_for(100);
        replicate(&old, &new);
        load.go_on_for(100 + dice.below(100));
        con.says(
            "FLASHSALE.RESERVE sale zoe ITEMS 1 spare 1 ID zoe HOLD 2000",
            "RESERVED ...",
        );
        let line = "FLASHSALE.GET sale zoe";
        let deadline = con.field(line, "expires_at_ms");
        fail_over(&old, &new);
        load.go_on_for(100);
        // It follows, and understands nothing: it must not stay.
        wait_until("the old primary counts what it cannot read", || {
            old.conn().divergence() > 0
        });
        shut_down_nosave(&mut old);
        load.go_on_for(100);
        start_upgraded(&mut old, &new);
        load.go_on_for(100);
        let mut shoppers = load.end();

        let mut con = new.conn();
        wait_until("what the old primary promised ends in time", || {
            con.field(line, "state") == "expired"
        });
        assert_eq!(con.field(line, "expires_at_ms"), deadline);
        con.says(
            "FLASHSALE.CHECKOUT patient patient:orders late",
            "SOLD late (entry)",
        );
        for shopper in &mut shoppers {
            shopper.ask_again(&mut con);
            shopper.is_not_surprised();
        }
        let books = Books::read(&mut con);
        books.balance(&STOCK, USER_LIMIT);
        for ack in shoppers.iter().flat_map(|shopper| &shopper.acks) {
            assert!(books.hold(ack), "lost: {ack:?}");
        }
        wait_for_replica(&new, &old);
        let keys = "sale orders patient hasty";
        wait_until("both have the same", || {
            con.digest(keys) == old.conn().digest(keys)
        });
    }
}

/// How a server writes down what it has.
const KINDS: [(&str, bool); 5] = [
    ("", false),
    ("--appendonly yes", false),
    ("--appendonly yes", true),
    ("--appendonly yes --aof-use-rdb-preamble no", false),
    ("--appendonly yes --aof-use-rdb-preamble no", true),
];

#[test]
fn the_files_of_an_older_module_are_the_same_sales_in_todays() {
    for (args, is_rewritten) in KINDS {
        let Some(mut server) = Server::older(&[args]) else {
            return;
        };
        let (mut con, mut dice) = (server.conn(), Dice::seeded());
        past::live(&mut con, &mut dice, 300);
        if is_rewritten {
            aof::rewrite(&mut con);
            crate::support::workload::play(&mut con, &mut dice, 100);
            settle(&mut con);
        }
        past::expire_within_grace(&mut con);
        con.says("SAVE", "OK");
        let before = Seen::of(&mut con);
        server.kill9();
        server.set_module(&module_path());
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        before.is(&Seen::of(&mut con));
        graces_go_on(&mut con);
        // Written today, it is the same again.
        let digest = con.digest("sale orders patient hasty");
        con.says("DEBUG RELOAD", "OK");
        assert_eq!(con.digest("sale orders patient hasty"), digest);
    }
}

/// Asserts that what was within its grace when an older module wrote it down still is, and
/// that the sweep of the new primary ends it.
#[track_caller]
fn graces_go_on(con: &mut Con) {
    // Of a cart of nine SKUs the lines are gone when it has expired for good.
    for sale in ["patient", "hasty"] {
        let items = con.field(&format!("FLASHSALE.GET {sale} late"), "items");
        assert!(items.contains("m8"), "{sale}: {items}");
    }
    con.says("REPLICAOF NO ONE", "OK");
    wait_until("the short grace is over", || {
        con.field("FLASHSALE.GET hasty late", "items") == "(nil)"
    });
    con.says(
        "FLASHSALE.CHECKOUT hasty hasty:orders late",
        "EXPIRED late ...",
    );
    con.says(
        "FLASHSALE.CHECKOUT patient patient:orders late",
        "SOLD late (entry)",
    );
}

/// Makes a sale and sells of it.
#[track_caller]
fn one_order(con: &mut Con) {
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says("FLASHSALE.BUY sale orders ann 1 ID ann", "SOLD ann (entry)");
}

#[test]
fn an_older_replica_ends_at_a_newer_snapshot_and_its_files_are_of_no_use_to_it() {
    for load in ["disabled", "on-empty-db"] {
        let args = format!("--repl-diskless-load {load}");
        let (Some(primary), Some(mut replica)) = (Server::own(&[], &[]), Server::older(&[&args]))
        else {
            return;
        };
        let mut con = primary.conn();
        one_order(&mut con);
        let line = format!("REPLICAOF 127.0.0.1 {}", primary.port());
        replica.conn().says(&line, "OK");
        wait_until("it ends itself", || replica.has_ended().is_some());
        assert_refused(&replica);
        // The file it received has taken the place of its own.
        assert_eq!(replica.may_start_again(&[]), load != "disabled");
        con.says("FLASHSALE.BUY sale orders bob 1 ID bob", "SOLD bob (entry)");
        let other = Server::own(&[], &[]).expect("a server");
        replicate(&primary, &other);
        assert_eq!(
            con.digest("sale orders"),
            other.conn().digest("sale orders")
        );
    }
}

/// Asserts that an older module has refused a snapshot of today, in its own words.
#[track_caller]
fn assert_refused(server: &Server) {
    let log = server.log();
    assert!(log.contains("a snapshot of another version"), "{log}");
}

#[test]
fn an_older_copy_stays_behind_a_newer_primary_and_passes_that_on_if_its_files_are_kept() {
    let Some((mut old, new)) = pair("") else {
        return;
    };
    one_order(&mut old.conn());
    replicate(&old, &new);
    fail_over(&old, &new);
    let mut con = new.conn();
    con.says("FLASHSALE.BUY sale orders bob 2 ID bob", "SOLD bob (entry)");
    wait_for_replica(&new, &old);
    let mut copy = old.conn();
    assert_eq!(copy.divergence(), 1);
    assert!(
        old.log().contains("an event of another version"),
        "{}",
        old.log()
    );
    copy.says("FLASHSALE.STOCK sale", "[default 8 0 1]");
    con.says("FLASHSALE.STOCK sale", "[default 6 0 3 0]");
    // Saved, it says that it has followed to the end.
    copy.send("SHUTDOWN SAVE");
    wait_until("it has ended", || old.has_ended().is_some());
    old.set_module(&module_path());
    old.start_again(&[&format!("--replicaof 127.0.0.1 {}", new.port())]);
    wait_for_replica(&new, &old);
    let mut copy = old.conn();
    copy.says("FLASHSALE.STOCK sale", "[default 8 0 1 0]");
    copy.has_not_diverged();
    // Without them it gets everything.
    shut_down_nosave(&mut old);
    start_upgraded(&mut old, &new);
    assert_eq!(con.digest("sale orders"), old.conn().digest("sale orders"));
}

#[test]
fn before_the_failover_a_replica_goes_back_to_the_older_module_without_its_files() {
    let Some((primary, mut replica)) = pair("--appendonly yes") else {
        return;
    };
    let mut con = primary.conn();
    past::live(&mut con, &mut Dice::seeded(), 200);
    replicate(&primary, &replica);
    let line = format!("--replicaof 127.0.0.1 {}", primary.port());
    // A server does not end before it has written the AOF of a new copy.
    aof::wait_for_rewrite(&mut replica.conn());
    // Some servers keep the primary's snapshot as the base of their AOF until then.
    aof::rewrite(&mut replica.conn());
    replica.shut_down();
    replica.set_module(older_module().expect("an older module"));
    assert!(
        !replica.may_start_again(&[&line]),
        "it starts on newer files"
    );
    assert_refused(&replica);
    replica.remove_data();
    replica.start_again(&[&line]);
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    assert_eq!(con.digest("sale orders"), copy.digest("sale orders"));
    // It is one that can take over.
    fail_over(&primary, &replica);
    copy.says("FLASHSALE.RELEASE sale open", "RELEASED open");
}

#[test]
fn an_older_module_does_not_start_on_a_newer_rdb_file_or_rewritten_aof() {
    for (args, save) in [("", "SAVE"), ("--appendonly yes", "BGREWRITEAOF")] {
        let (Some(mut server), Some(older)) = (Server::own(&[args], &[]), older_module()) else {
            return;
        };
        let mut con = server.conn();
        one_order(&mut con);
        con.run(save);
        aof::wait_for_rewrite(&mut con);
        con.says("FLASHSALE.BUY sale orders bob 1 ID bob", "SOLD bob (entry)");
        server.kill9();
        server.set_module(older);
        assert!(!server.may_start_again(&[]), "{args}: it starts");
        assert_refused(&server);
    }
}

#[test]
fn an_older_module_starts_on_a_newer_aof_of_commands_without_what_is_in_it() {
    for (args, is_rewritten, told) in [
        ("--appendonly yes", false, "an event of another version"),
        (
            "--appendonly yes --aof-use-rdb-preamble no",
            true,
            "the sale 'sale' was only partly in the AOF, and is deleted",
        ),
    ] {
        let (Some(mut server), Some(older)) = (Server::own(&[args], &[]), older_module()) else {
            return;
        };
        let mut con = server.conn();
        one_order(&mut con);
        if is_rewritten {
            aof::rewrite(&mut con);
        }
        server.kill9();
        server.set_module(older);
        server.may_diverge();
        server.start_again(&[]);
        assert!(server.log().contains(told), "{}", server.log());
        server.conn().fails("FLASHSALE.STOCK sale", "NOSALE", "");
    }
}

#[test]
fn a_copy_from_before_the_upgrade_is_the_way_back() {
    let Some(mut server) = Server::older(&[]) else {
        return;
    };
    let mut con = server.conn();
    past::live(&mut con, &mut Dice::seeded(), 200);
    let before = Seen::of(&mut con);
    con.says("SAVE", "OK");
    let (file, kept) = (
        server.folder().join("dump.rdb"),
        server.folder().join("kept"),
    );
    std::fs::copy(&file, &kept).expect("the copy");
    shut_down_nosave(&mut server);
    server.set_module(&module_path());
    server.start_again(&[]);
    let mut con = server.conn();
    con.says("FLASHSALE.RELEASE sale open", "RELEASED open");
    con.says("SAVE", "OK");
    shut_down_nosave(&mut server);
    server.set_module(older_module().expect("an older module"));
    std::fs::copy(&kept, &file).expect("the copy");
    server.start_again(&[]);
    Seen::of(&mut server.conn()).is(&before);
}

#[test]
fn an_older_filter_is_taken_from_a_snapshot_and_not_from_commands() {
    let Some((primary, replica)) = pair("--appendonly yes") else {
        return;
    };
    let mut con = primary.conn();
    con.says("FLASHSALE.BF.RESERVE filter 0.001 100", "OK");
    con.says("FLASHSALE.BF.ADD filter early", "1");
    replicate(&primary, &replica);
    let mut copy = replica.conn();
    copy.says("FLASHSALE.BFEXISTS filter early", "1");
    con.says("FLASHSALE.BF.ADD filter late", "1");
    wait_for_replica(&primary, &replica);
    copy.says("FLASHSALE.BFEXISTS filter late", "0");
    let unknown = "unknown command 'FLASHSALE.BF.APPLY'";
    assert!(replica.log().contains(unknown), "{}", replica.log());
    // The same with the AOF: a base as RDB is taken, commands end the start.
    for is_rewritten in [false, true] {
        let mut server = Server::older(&["--appendonly yes"]).expect("a server");
        let mut con = server.conn();
        con.says("FLASHSALE.BF.ADD filter early", "1");
        if is_rewritten {
            aof::rewrite(&mut con);
        }
        shut_down_nosave(&mut server);
        server.set_module(&module_path());
        assert_eq!(
            server.may_start_again(&[]),
            is_rewritten,
            "{}",
            server.log()
        );
        if is_rewritten {
            server.conn().says("FLASHSALE.BFEXISTS filter early", "1");
        }
    }
}

/// A server whose strings are not compressed, and on it the DUMP of a sale.
fn dumped() -> Option<(Server, Vec<u8>)> {
    let server = Server::own(&["--rdbcompression no"], &[])?;
    let mut con = server.conn();
    one_order(&mut con);
    let redis::Value::BulkString(dump) = con.run("DUMP sale") else {
        panic!("no DUMP")
    };
    Some((server, dump))
}

#[test]
fn a_payload_of_a_later_version_is_told_apart_from_a_damaged_one() {
    for (what, change, told) in later::PAYLOADS {
        let Some((server, dump)) = dumped() else {
            return;
        };
        let mut con = server.conn();
        let words: [&[u8]; 4] = [b"RESTORE", b"copy", b"0", &later::payload(&dump, change)];
        // The text is the server's.
        con.fails_words(&words, "ERR", "Bad data format");
        assert!(server.log().contains(told), "{what}: {}", server.log());
        con.says("EXISTS copy", "0");
    }
}

#[test]
fn an_rdb_file_of_a_later_version_ends_the_start_and_is_told_apart_from_a_damaged_one() {
    for (what, change, told) in later::PAYLOADS {
        let Some((mut server, dump)) = dumped() else {
            return;
        };
        let mut con = server.conn();
        let file = later::rdb(&rdb_of(&mut con, &server), &dump, change);
        server.kill9();
        std::fs::write(server.folder().join("dump.rdb"), file).expect("the file");
        assert!(!server.may_start_again(&[]), "{what}: it starts");
        assert!(server.log().contains(told), "{what}: {}", server.log());
    }
}

#[test]
fn an_event_of_a_later_version_is_told_apart_from_a_damaged_one() {
    for (what, change, told) in later::EVENTS {
        let (Some(origin), Some(mut replica)) = (Server::own(&[], &[]), Server::own(&[], &[]))
        else {
            return;
        };
        let mut con = origin.conn();
        one_order(&mut con);
        let rdb = rdb_of(&mut con, &origin);
        let mut feed = Feed::follow(&origin);
        con.says("FLASHSALE.RESERVE sale bob 1 ID bob", "RESERVED ...");
        let [event] = &feed.commands()[..] else {
            panic!("one event")
        };
        let mut event = event.clone();
        change(event.last_mut().expect("the event"));
        let mut primary = ForgedPrimary::lead(&replica, &rdb);
        replica.may_diverge();
        primary.tell_words(&event);
        assert!(primary.is_followed(), "{what}: it hung up");
        assert_eq!(replica.conn().divergence(), 1, "{what}");
        assert!(replica.log().contains(told), "{what}: {}", replica.log());
    }
}

/// The value of a constant of the source, which may be another's.
#[track_caller]
fn constant(file: &str, name: &str) -> String {
    let source = read(file);
    let marks = [format!("const {name}: "), "= ".to_owned(), ";".to_owned()];
    let mut rest = source.as_str();
    let mut value = "";
    for mark in &marks {
        let found = rest.split_once(mark.as_str());
        (value, rest) = found.unwrap_or_else(|| panic!("{file}: no {name}"));
    }
    match value.parse::<u32>() {
        Ok(_) => value.to_owned(),
        Err(_) => constant("engine/src/bloom/codec.rs", value),
    }
}

fn read(file: &str) -> String {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_table_of_versions_is_that_of_the_source() {
    let page = read("docs/operating/upgrading.md");
    let version = env!("CARGO_PKG_VERSION");
    let head = format!("| {version} writes | {version} reads |");
    assert!(page.contains(&head), "the last columns are of {version}");
    for (format, file, name) in [
        (
            "encoding of the type `flashsale`",
            "src/datatype/sale_type.rs",
            "VERSION",
        ),
        (
            "encoding of the type `fls-bloom`",
            "src/datatype/bloom_type.rs",
            "VERSION",
        ),
        (
            "encoding of the type `fls-limit`",
            "src/datatype/limit_type.rs",
            "VERSION",
        ),
        (
            "snapshot of a rate limit",
            "engine/src/rate/codec.rs",
            "SNAPSHOT_VERSION",
        ),
        (
            "event of a rate limit",
            "engine/src/rate/codec.rs",
            "EVENT_VERSION",
        ),
        (
            "snapshot of a sale",
            "engine/src/sale/disk/snapshot.rs",
            "SNAPSHOT_VERSION",
        ),
        (
            "event of a sale",
            "engine/src/sale/event/codec.rs",
            "EVENT_VERSION",
        ),
        (
            "header of a filter",
            "engine/src/bloom/header.rs",
            "HEADER_VERSION",
        ),
        (
            "event of a filter",
            "engine/src/bloom/event_codec.rs",
            "EVENT_VERSION",
        ),
        (
            "piece of a filter's dump",
            "engine/src/bloom/dump.rs",
            "PIECE_VERSION",
        ),
    ] {
        let latest = constant(file, name);
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {format} |")));
        let row = row.unwrap_or_else(|| panic!("no row: {format}"));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [.., writes, reads] = cells[..] else {
            panic!("{row}")
        };
        let written = ["1, and ", ""].map(|rest| writes.strip_prefix(rest).unwrap_or(writes));
        let writes_latest = written
            .iter()
            .any(|cell| cell.split(' ').next() == Some(latest.as_str()));
        assert!(writes_latest, "{format}: writes {writes}, not {latest}");
        let all = if latest == "1" {
            latest
        } else {
            format!("1 to {latest}")
        };
        assert_eq!(reads, all, "{format}: reads");
    }
}

#[test]
fn the_number_of_the_module_is_that_of_its_version() {
    let parts = env!("CARGO_PKG_VERSION")
        .split('.')
        .map(|part| part.parse().expect("a number"));
    let number = parts.fold(0, |number: u32, part: u32| number * 100 + part);
    assert!(
        read("src/ffi/load.rs").contains(&format!("version: {number},")),
        "{number}"
    );
    let page = read("docs/operating/upgrading.md");
    let row = page
        .lines()
        .find(|line| line.starts_with("| number of the module |"));
    assert!(
        row.expect("the row").ends_with(&format!("| {number} | |")),
        "{number}"
    );
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let modules = server.conn().show("MODULE LIST");
    assert!(modules.contains(&format!("ver {number}")), "{modules}");
}
