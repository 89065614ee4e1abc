//! Clocks that step, and when a limit goes.

use super::gauges;
use crate::support::clock::{Clock, DAY_MS, HOUR_MS};
use crate::support::{Con, Feed, Server, replicate, wait_for_replica, wait_until};
use flashsale_engine::rate::{Change, Hasher, decode_event};

/// A server that goes by a clock, a copy of it that goes by the machine's, and a connection.
fn servers() -> Option<(Clock, Server, Server, Con)> {
    let clock = Clock::new()?;
    let (server, copy) = (clock.server(0, &[])?, Server::own(&[], &[])?);
    replicate(&server, &copy);
    let con = server.conn();
    Some((clock, server, copy, con))
}

/// The steps in what a replica was sent, in microseconds.
fn shifts(feed: &mut Feed) -> Vec<u64> {
    let commands = feed.commands();
    let step = |words: &Vec<Vec<u8>>| {
        let event = decode_event(&words[2], Hasher::new([1, 2])).expect("an event");
        match event.change {
            Change::Shifted { by_us } => Some(by_us),
            _ => None,
        }
    };
    commands.iter().filter_map(step).collect()
}

#[test]
fn a_step_back_is_written_down_by_a_refused_call_and_nobody_gains_or_loses() {
    let Some((clock, server, copy, mut con)) = servers() else {
        return;
    };
    let mut feed = Feed::follow(&server);
    let line = "FLASHSALE.THROTTLE login ann 1 1800000";
    con.says(line, "ALLOWED 1 0 0 1800000");
    assert!(shifts(&mut feed).is_empty());
    for (round, step_ms) in [HOUR_MS, 20 * HOUR_MS, DAY_MS].into_iter().enumerate() {
        clock.step(&mut con, -step_ms);
        // Some ask only, some are refused: whoever sees it first writes it.
        let asks = ["", " COST 0"][round % 2];
        con.says(
            &format!("{line}{asks}"),
            "THROTTLED 1 0 <=1800000 <=1800000",
        );
        con.says(line, "THROTTLED 1 0 <=1800000 <=1800000");
        assert_eq!(shifts(&mut feed).len(), 1);
        wait_for_replica(&server, &copy);
        assert_eq!(copy.conn().digest("login"), con.digest("login"));
        let expires = con.int("PEXPIRETIME login");
        let ahead_ms = expires - con.now_ms() as i64;
        assert!(
            (DAY_MS..=DAY_MS + 2 * HOUR_MS).contains(&ahead_ms),
            "{ahead_ms}"
        );
        assert_eq!(copy.conn().int("PEXPIRETIME login"), expires);
    }
    // Forward again: all are idle, and time goes on from there.
    clock.step(&mut con, 0);
    con.says(line, "ALLOWED 1 0 0 1800000");
    wait_for_replica(&server, &copy);
    assert_eq!(copy.conn().digest("login"), con.digest("login"));
}

#[test]
fn a_step_back_of_a_second_or_less_is_waited_for() {
    let Some((clock, server, _copy, mut con)) = servers() else {
        return;
    };
    let mut feed = Feed::follow(&server);
    let line = "FLASHSALE.THROTTLE login ann 1 300";
    con.says(line, "ALLOWED 1 0 0 300");
    clock.set(-900);
    let before = con.now_ms();
    wait_until("it passes", || con.show(line).starts_with("ALLOWED"));
    assert!(con.now_ms() >= before + 300);
    assert!(shifts(&mut feed).is_empty());
    // More than a second is believed at once.
    clock.set(-2_300);
    let retry = con.show(line);
    assert!(retry.starts_with("THROTTLED 1 0 "), "{retry}");
    let steps = shifts(&mut feed);
    assert!(steps.len() == 1 && steps[0] > 1_000_000, "{steps:?}");
}

#[test]
fn a_clock_far_ahead_for_a_while_locks_nobody_out() {
    let Some((clock, _server, _copy, mut con)) = servers() else {
        return;
    };
    let line = "FLASHSALE.THROTTLE login ann 1 1000";
    clock.step(&mut con, 30 * DAY_MS);
    con.says(line, "ALLOWED 1 0 0 1000");
    clock.step(&mut con, 0);
    let retry = con.show(line);
    assert!(retry.starts_with("THROTTLED 1 0 "), "{retry}");
    wait_until("a second is over", || con.show(line).starts_with("ALLOWED"));
}

#[test]
fn a_limit_goes_a_day_after_its_last_subject_is_idle() {
    let Some((clock, server, copy, mut con)) = servers() else {
        return;
    };
    con.says("FLASHSALE.THROTTLE login ann 1 7200000", "ALLOWED ...");
    let expires = con.int("PEXPIRETIME login");
    assert_eq!(expires % HOUR_MS, 0);
    let ahead_ms = expires - con.now_ms() as i64;
    assert!(
        (26 * HOUR_MS - 9_000..=27 * HOUR_MS).contains(&ahead_ms),
        "{ahead_ms}"
    );
    // A TTL set by hand is put right by the next call that passes, and only by one.
    con.says("PEXPIRE login 50000", "1");
    con.says("FLASHSALE.THROTTLE login ann 1 7200000", "THROTTLED ...");
    assert!(con.int("PTTL login") <= 50_000);
    con.says("FLASHSALE.THROTTLE login bob 1 1000", "ALLOWED ...");
    assert_eq!(con.int("PEXPIRETIME login"), expires);
    wait_for_replica(&server, &copy);
    assert_eq!(copy.conn().int("PEXPIRETIME login"), expires);
    assert_eq!(gauges(&mut con)[0], 1);
    clock.step(&mut con, 28 * HOUR_MS);
    con.says("EXISTS login", "0");
    wait_until("it is gone", || gauges(&mut con)[0] == 0);
    // Whoever asks then begins anew.
    con.says("FLASHSALE.THROTTLE login ann 1 7200000", "ALLOWED ...");
}
