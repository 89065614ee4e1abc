//! What goes down the replication stream, what a client that watches is told, and what a
//! copy does with an event that does not fit.

use flashsale_engine::rate::{Allowed, Change, Event, Hasher, decode_event, encode_event};

use crate::support::{Events, Feed, Server, aof, replicate, wait_for_replica};

const HASHER: Hasher = Hasher::new([1, 2]);

#[test]
fn a_call_that_passes_sends_one_event_and_a_refusal_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    con.says("FLASHSALE.THROTTLE login user:1001 2 60000", "ALLOWED ...");
    con.says("FLASHSALE.THROTTLE login user:1001 2 60000", "ALLOWED ...");
    let sent = feed.commands();
    let mut kinds = Vec::new();
    for words in &sent {
        assert_eq!(words[..2], [&b"FLASHSALE.RATEAPPLY"[..], b"login"]);
        assert!((25..=35).contains(&words[2].len()), "{}", words[2].len());
        let event = decode_event(&words[2], HASHER).expect("an event");
        let now_us = con.now_ms() * 1000;
        assert!((now_us - 60_000_000..=now_us + 1_000).contains(&event.at_us));
        kinds.push(match event.change {
            Change::Created(_) => "created",
            Change::Allowed(_) => "allowed",
            Change::Shifted { .. } => "shifted",
        });
    }
    assert_eq!(kinds, ["created", "allowed"]);
    for more in ["", " COST 0", " COST 2", " BURST 1"] {
        con.refuses(
            &format!("FLASHSALE.THROTTLE login user:1001 2 60000{more}"),
            "THROTTLED ...",
        );
    }
    con.refuses("FLASHSALE.THROTTLE login bob 2 60000 COST 0", "ALLOWED ...");
    assert_eq!(feed.commands(), Vec::<Vec<Vec<u8>>>::new());
}

/// By a clock of milliseconds a rate above 1000 a second is not kept.
#[test]
fn moments_are_in_microseconds() {
    let server = Server::any();
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    for _ in 0..20 {
        con.says("FLASHSALE.THROTTLE login ann 20 60000", "ALLOWED ...");
    }
    let sent = feed.commands();
    let moments = sent.iter().map(|words| {
        let event = decode_event(&words[2], HASHER).expect("an event");
        event.at_us
    });
    assert!(moments.filter(|at_us| at_us % 1000 != 0).count() > 10);
}

#[test]
fn a_refusal_costs_the_aof_nothing() {
    let Some(server) = Server::own(&["--appendonly yes --appendfsync always"], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says("FLASHSALE.THROTTLE login ann 1 60000", "ALLOWED ...");
    let before = aof::length(&server);
    for _ in 0..100 {
        con.says("FLASHSALE.THROTTLE login ann 1 60000", "THROTTLED ...");
    }
    assert_eq!(aof::length(&server), before);
}

#[test]
fn what_changes_nothing_breaks_no_watch_and_there_are_no_events() {
    let server = Server::any();
    let mut con = server.conn();
    let mut other = server.conn();
    con.says("FLASHSALE.THROTTLE login ann 1 60000", "ALLOWED ...");
    let mut events = Events::listen(&server);
    let mut watched = |words: &str, is_broken: bool| {
        con.says("WATCH login new", "OK");
        other.run(&format!("FLASHSALE.THROTTLE {words}"));
        con.says("MULTI", "OK");
        con.run("PING");
        let reply = con.show("EXEC");
        assert_eq!(reply == "(nil)", is_broken, "{words}: {reply}");
    };
    watched("login ann 1 60000", false);
    watched("login ann 1 60000 COST 0", false);
    watched("login bob 1 60000 COST 0", false);
    watched("login ann 1 60000 COST 2", false);
    watched("new ann 1 60000 COST 0", false);
    watched("login bob 1 60000", true);
    watched("new ann 1 60000", true);
    assert_eq!(events.seen(), Vec::<String>::new());
}

fn event(at_us: u64, subject: &str, reset_ns: u64, evicts: bool) -> Vec<u8> {
    let allowed = Allowed {
        subject: HASHER.key(subject.as_bytes()),
        reset_ns,
        evicts,
    };
    let mut bytes = Vec::new();
    let change = Change::Allowed(allowed);
    encode_event(&Event { at_us, change }, &mut bytes);
    bytes
}

#[test]
fn an_event_that_does_not_fit_is_counted_and_changes_nothing() {
    use crate::support::forged_primary::{ForgedPrimary, assert_no_crash, rdb_of};
    let (Some(origin), Some(mut replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let mut con = origin.conn();
    con.says("FLASHSALE.THROTTLE login ann 1 3600000", "ALLOWED ...");
    con.says("SET text x", "OK");
    let rdb = rdb_of(&mut con, &origin);
    let mut primary = ForgedPrimary::lead(&replica, &rdb);
    let mut copy = replica.conn();
    let before = copy.digest("login text nosuch");
    let now_us = con.now_ms() * 1000;
    let fits = event(now_us + 1_000_000, "bob", 1_000, false);
    let cut = &fits[..fits.len() - 1];
    let mut newer = fits.clone();
    newer[0] = 2;
    let mut count = 0;
    for (key, bytes) in [
        ("login", &b"x"[..]),
        ("login", &newer),
        ("login", cut),
        ("login", &[&fits[..], &[0]].concat()),
        ("login", &event(now_us - 60_000_000, "bob", 1_000, false)),
        ("login", &event(u64::MAX, "bob", 1_000, false)),
        ("login", &event(now_us + 1_000_000, "bob", 0, false)),
        ("login", &event(now_us + 1_000_000, "bob", 1 << 60, false)),
        ("login", &event(now_us + 1_000_000, "ann", 1_000, true)),
        ("text", &fits),
        ("nosuch", &fits),
    ] {
        primary.tell(&[b"FLASHSALE.RATEAPPLY", key.as_bytes(), bytes]);
        assert!(primary.is_followed());
        count += 1;
        assert_eq!(copy.divergence(), count, "{key} {bytes:02x?}");
        assert_eq!(copy.digest("login text nosuch"), before);
    }
    primary.tell(&[b"FLASHSALE.RATELOAD", b"login", b"x"]);
    primary.tell(&[b"FLASHSALE.RATELOAD", b"new", b"x"]);
    assert!(primary.is_followed());
    assert_eq!(copy.divergence(), count + 2);
    copy.says("EXISTS new", "0");
    primary.tell(&[b"FLASHSALE.RATEAPPLY", b"login", &fits]);
    assert!(primary.is_followed());
    assert_eq!(copy.divergence(), count + 2);
    assert_ne!(copy.digest("login text nosuch"), before);
    assert_no_crash(&replica.log());
    replica.may_diverge();
}

#[test]
fn a_replica_that_lost_a_limit_says_so_and_follows_where_another_value_stands() {
    let (Some(primary), Some(mut replica)) = (
        Server::own(&[], &[]),
        Server::own(&["--replica-read-only no"], &[]),
    ) else {
        return;
    };
    replica.may_diverge();
    replicate(&primary, &replica);
    let (mut con, mut copy) = (primary.conn(), replica.conn());
    con.says("FLASHSALE.THROTTLE login ann 9 60000", "ALLOWED ...");
    wait_for_replica(&primary, &replica);
    copy.says("DEL login", "1");
    copy.says("SET new x", "OK");
    con.says("FLASHSALE.THROTTLE login ann 9 60000", "ALLOWED ...");
    wait_for_replica(&primary, &replica);
    assert_eq!(copy.divergence(), 1);
    copy.says("EXISTS login", "0");
    con.says("FLASHSALE.THROTTLE new ann 9 60000", "ALLOWED ...");
    wait_for_replica(&primary, &replica);
    assert_eq!(copy.divergence(), 2);
    assert_eq!(copy.digest("new"), con.digest("new"));
}
