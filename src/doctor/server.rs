//! Rules about the server itself: versions, time, clients and settings.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{NOTE, Verdict, WARNING, is_above, numbers};

/// Returns of reservations later than this are reported, in milliseconds.
const SWEEP_LAG_MS_MAX: u64 = 1_000;
/// The server's own default.
const HZ_MIN: u64 = 10;

pub(super) fn versions(facts: &Facts) -> Option<Verdict> {
    let has_others = facts.told("role")? == "slave" || facts.number_told("connected_slaves")? > 0;
    has_others.then(|| {
        let advice = format!(
            "upgrade replicas before their primary: this is flashsale {}, and an event that an \
             older one does not know is counted as divergence; MODULE LIST tells each server's",
            env!("CARGO_PKG_VERSION")
        );
        (NOTE, advice)
    })
}

pub(super) fn valkey_copy(facts: &Facts) -> Option<Verdict> {
    let version = facts.told("valkey_version")?;
    if numbers(version) < vec![8, 1] {
        return None;
    }
    let is_known = numbers(version) <= vec![8, 1, 1];
    let severity = if is_known { WARNING } else { NOTE };
    let doubt = if is_known {
        ""
    } else {
        ", unless it has that fix"
    };
    let advice = format!(
        "do not use COPY with DB, of any key: Valkey {version} lacks the fix of its pull request \
         4024{doubt}, and replicas and the AOF miss such a copy while a module listens to keyspace \
         events"
    );
    Some((severity, advice))
}

pub(super) fn sweep(facts: &Facts) -> Option<Verdict> {
    let late_ms = facts.sweep_lag_ms.max(facts.overdue_ms);
    (facts.is_primary() && late_ms > SWEEP_LAG_MS_MAX).then(|| {
        let advice = format!(
            "raise flashsale.sweep-max: reservations come back {late_ms} ms after their deadline, \
             since more fall due than a sweep returns, or the clock stepped forward"
        );
        (WARNING, advice)
    })
}

pub(super) fn clock(facts: &Facts) -> Option<Verdict> {
    let times = Some(facts.clock_steps_back).filter(|&times| times > 0)?;
    let advice = format!(
        "let the clock be slewed, not stepped: {times} changes came after it had gone back by more \
         than a minute, and deadlines promised before that are far ahead"
    );
    Some((WARNING, advice))
}

pub(super) fn clients(facts: &Facts) -> Option<Verdict> {
    let (used, most) = (
        facts.number_told("connected_clients")?,
        facts.number_set("maxclients")?,
    );
    if is_above(used, most, 90) {
        let advice = format!(
            "CONFIG SET maxclients {}: {used} of {most} connections are in use, and buyers beyond \
             are turned away",
            most.saturating_mul(2)
        );
        return Some((WARNING, advice));
    }
    let timeout_s = facts
        .number_set("timeout")
        .filter(|&timeout_s| timeout_s > 0)?;
    let advice = format!(
        "CONFIG SET timeout 0: a gateway's idle connections are closed after {timeout_s} seconds, \
         and the first request of a rush finds them gone"
    );
    Some((NOTE, advice))
}

pub(super) fn hz(facts: &Facts) -> Option<Verdict> {
    let hz = facts.number_set("hz").filter(|&hz| hz < HZ_MIN)?;
    let advice = format!(
        "CONFIG SET hz {HZ_MIN}: at {hz} the server looks after its timers less often, and \
         reservations come back late after a step of the clock"
    );
    Some((NOTE, advice))
}

pub(super) fn events(facts: &Facts) -> Option<Verdict> {
    let classes = facts.setting("notify-keyspace-events")?;
    let has = |letter: char| classes.contains(letter);
    ((has('K') || has('E')) && !has('A') && !has('d')).then(|| {
        let advice = format!(
            "CONFIG SET notify-keyspace-events {classes}d: with {classes} the server tells of \
             other keys, and nobody of flashsale.soldout and its like"
        );
        (NOTE, advice)
    })
}

pub(super) fn module_command(facts: &Facts) -> Option<Verdict> {
    facts.is_set("enable-module-command", "yes").then(|| {
        let advice = "set enable-module-command no or local in the configuration file, and start \
                      again: with yes, whoever reaches this port may load any program into it";
        (WARNING, advice.to_owned())
    })
}

pub(super) fn config(facts: &Facts) -> Option<Verdict> {
    facts.settings.is_none().then(|| {
        let advice = "look the settings up by hand: this server has no CONFIG, so they are not \
                      known here";
        (NOTE, advice.to_owned())
    })
}
