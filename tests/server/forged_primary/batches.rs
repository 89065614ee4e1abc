//! Batches that do not fit: each event is carried out or left out by itself, the copy is
//! marked once for each that is left out, and its own AOF has marks in their places.

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::HASHER;

use super::forgeries::{AT_MS, lines, order};
use super::marks::{Chain, apply, lines_of};
use crate::support::Server;
use crate::support::aof;
use crate::support::forged_primary::{ForgedPrimary, rdb_of};

/// A batch of these changes, at the moment of the forgeries.
fn batch(changes: Vec<Change<'_>>) -> Vec<u8> {
    let mut container = ContainerWriter::new(Vec::new(), AT_MS);
    for change in changes {
        let at_ms = AT_MS;
        container.push(&Event { at_ms, change });
    }
    container.finish().to_vec()
}

fn reserved(id: &'static str, qty: u64) -> Change<'static> {
    Change::Reserved {
        id: HASHER.key(id.as_bytes()),
        user: HASHER.key(b"eve"),
        lines: lines(&[(0, qty)]),
        units: UnitList::new(),
        expires_at_ms: AT_MS + 5,
        forgets: Forgets::Nothing,
        replaces: None,
    }
}

fn bought(id: &'static str, ms: u64) -> Change<'static> {
    Change::Bought {
        id: HASHER.key(id.as_bytes()),
        user: HASHER.key(b"eve"),
        lines: lines(&[(0, 1)]),
        units: UnitList::new(),
        sealed: UnitList::new(),
        order: order(ms),
        forgets: Forgets::Nothing,
    }
}

/// The kinds in the lines about a sale that an ended copy has written down, and how many keys
/// each names.
fn written(server: &Server, sale: &str) -> Vec<(usize, Vec<&'static str>)> {
    let kind = |change: &Change<'_>| match change {
        Change::Reserved { .. } => "reserved",
        Change::Bought { .. } => "bought",
        Change::Marked { .. } => "marked",
        _ => "another",
    };
    let line = |words: &Vec<Vec<u8>>| {
        let event = words.last().expect("an event");
        let kinds = match Container::open(event, HASHER).expect("a head") {
            Some(events) => events
                .map(|event| kind(&event.expect("an event").change))
                .collect(),
            None => vec![kind(&decode_event(event, HASHER).expect("an event").change)],
        };
        (words.len() - 2, kinds)
    };
    lines_of(server, sale).iter().map(line).collect()
}

#[test]
fn an_event_of_a_batch_that_does_not_fit_stops_none_of_the_rest() {
    let Some(mut chain) = Chain::set("no") else {
        return;
    };
    let [mut con, mut copy] = chain.cons();
    // `open` is known, and there are too few units for `large`.
    let mixed = batch(vec![
        reserved("one", 1),
        reserved("open", 1),
        reserved("large", 99),
        reserved("two", 1),
    ]);
    chain.mislead_times(&apply(&["misfit"], &mixed), 2);
    // What cannot be read takes the rest of the batch with it.
    let mut cut = batch(vec![reserved("one", 1), reserved("two", 1)]);
    cut.pop();
    chain.mislead(&apply(&["kind"], &cut));
    // A batch that fits.
    chain.lead(&apply(&["misfit"], &batch(vec![reserved("three", 1)])));
    for con in [&mut con, &mut copy] {
        con.says("FLASHSALE.STOCK misfit", "[default 3 6 1 0]");
        con.says("FLASHSALE.STOCK kind", "[default 5 4 1 0]");
        con.fields("FLASHSALE.GET kind one", "state reserved");
        for sale in ["misfit", "kind"] {
            con.fields(&format!("FLASHSALE.INFO {sale}"), "state diverged");
        }
    }
    let all = "misfit kind";
    let digest = con.digest(all);
    assert_eq!(digest, copy.digest(all));
    for server in [&mut chain.second, &mut chain.first] {
        server.shut_down();
        let misfit = written(server, "misfit");
        let mixed = vec!["reserved", "marked", "marked", "reserved"];
        assert_eq!(misfit, [(1, mixed), (1, vec!["reserved"])]);
        assert_eq!(written(server, "kind"), [(1, vec!["reserved", "marked"])]);
        server.start_again(&[]);
        let mut con = server.conn();
        con.has_not_diverged();
        assert_eq!(con.digest(all), digest);
    }
}

#[test]
fn after_a_misfit_and_a_panic_the_rest_of_a_batch_is_in_the_aof() {
    let sale = "rehearsal:follow";
    let (Some(origin), Some(mut copy)) = (
        Server::own(&[], &[]),
        Server::own(&["--appendonly yes --aof-use-rdb-preamble no"], &[]),
    ) else {
        return;
    };
    copy.may_diverge();
    let mut con = origin.conn();
    con.says(&format!("FLASHSALE.CREATE {sale} orders STOCK 9"), "OK");
    let mut primary = ForgedPrimary::lead(&copy, &rdb_of(&mut con, &origin));
    primary.tell(&[b"SELECT", b"0"]);
    assert!(primary.is_followed());
    aof::wait_for_rewrite(&mut copy.conn());
    // The first does not fit; the copy panics at the second.
    let mixed = batch(vec![
        reserved("large", 99),
        reserved("one", 1),
        reserved("two", 2),
    ]);
    primary.tell(&apply(&[sale], &mixed));
    assert!(primary.is_followed());
    copy.shut_down();
    let events = vec!["marked", "reserved", "reserved"];
    assert_eq!(written(&copy, sale), [(1, events)]);
    copy.start_again(&[]);
    let mut con = copy.conn();
    con.says(&format!("FLASHSALE.STOCK {sale}"), "[default 6 3 0 0]");
}

#[test]
fn an_entry_of_a_batch_that_the_stream_does_not_take_is_left_out_of_the_aof_alone() {
    let Some(mut chain) = Chain::set("no") else {
        return;
    };
    let [mut con, mut copy] = chain.cons();
    // The second is below the last entry of the stream.
    let mixed = batch(vec![
        bought("one", AT_MS),
        bought("two", AT_MS - 1),
        bought("three", AT_MS + 1),
    ]);
    chain.mislead(&apply(&["option", "option:o"], &mixed));
    for con in [&mut con, &mut copy] {
        con.says("FLASHSALE.STOCK option", "[default 3 3 4 0]");
        con.says("XLEN option:o", "3");
    }
    let all = "option option:o";
    let digest = con.digest(all);
    assert_eq!(digest, copy.digest(all));
    for server in [&mut chain.second, &mut chain.first] {
        server.shut_down();
        let lines = written(server, "option");
        let expected = [
            (2, vec!["bought"]),
            (1, vec!["bought"]),
            (2, vec!["marked", "bought"]),
        ];
        assert_eq!(lines, expected);
        server.start_again(&[]);
        let mut con = server.conn();
        con.has_not_diverged();
        assert_eq!(con.digest(all), digest);
    }
}

#[test]
fn a_batch_that_does_not_fit_ends_the_start_or_marks_the_sale() {
    let args = "--appendonly yes --aof-use-rdb-preamble no";
    let Some(mut server) = Server::own(&[args], &[]) else {
        return;
    };
    server.may_diverge();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 3 a 1 a b 1 b c 1 c",
        "[RESERVED ...",
    );
    server.shut_down();
    let aof = aof::Aof::of(&server);
    let mut lines = aof::commands(aof.tail());
    let event = lines.last_mut().and_then(|words| words.last_mut());
    let event = event.expect("an event");
    // The second id, of one byte, becomes the first one.
    let at = event.windows(2).position(|pair| pair == [1, b'b']);
    event[at.expect("the id") + 1] = b'a';
    std::fs::write(&aof.last, aof::written(&lines)).expect("written");
    assert!(!server.may_start_again(&[]), "it started");
    let log = server.log();
    let reason = "FLASHSALE.APPLY of the key 'sale' in database 0, after 1 events and chunks that \
                  were loaded: the id is known";
    assert!(log.contains(reason), "{log}");
    server.start_again(&["--flashsale.load-damaged yes"]);
    let mut con = server.conn();
    assert_eq!(con.divergence(), 1);
    con.says("FLASHSALE.STOCK sale", "[default 7 2 0 0]");
    con.fields("FLASHSALE.INFO sale", "state diverged");
}
