//! `FLASHSALE.THROTTLE key subject count ms [BURST n] [COST n]`
//!
//! Asks whether a call of a subject may pass: `count` calls in `ms` in the long run, at most
//! BURST of them at once. The first call makes the key, which holds any number of subjects.
//! COST is how many calls this one counts for; COST 0 asks whether one would pass, and
//! consumes nothing.
//!
//! - Complexity: O(1).
//! - Reply: `["ALLOWED", limit, remaining, 0, reset_in_ms]`.
//! - Refusals: `["THROTTLED", limit, remaining, retry_in_ms, reset_in_ms]`, which consumes
//!   nothing.
//! - Errors: `ERR` arity or syntax, a rate that cannot be kept, COST above BURST;
//!   `WRONGTYPE`; `OOM` for a new subject at `maxmemory`.
//! - Replicates: the event `Allowed`, or `Created` for the first call; `Shifted` when the
//!   clock stepped back by more than a second; nothing when throttled, or with COST 0.

use crate::change;
use crate::clock;
use crate::command::args::{Args, once};
use crate::command::open::refuse_at_maxmemory;
use crate::command::{Handler, LIMITS_SINCE, text};
use crate::config;
use crate::datatype::limit_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use crate::info::{self, Outcome};
use crate::names;
use flashsale_engine::rate::{Ask, Decision, Planned, Rate, RateError, YEAR_MS, plan_first};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.THROTTLE",
    summary: "Asks whether a call may pass a rate limit, and counts it if it may.",
    complexity: "O(1)",
    since: LIMITS_SINCE,
    // No `deny-oom`: known subjects are served at `maxmemory`.
    flags: "write fast",
    arity: -5,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("subject"),
        Argument::integer("count"),
        Argument::integer("ms"),
        Argument::integer("n").after("BURST").optional(),
        Argument::integer("n").after("COST").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

pub struct Request<'a> {
    subject: &'a [u8],
    rate: Rate,
    cost: u64,
}

impl<'a> Request<'a> {
    pub fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let subject = args.name("subject")?;
        let (count, ms) = (args.integer("count", 1)?, args.integer("ms", 1)?);
        let (mut burst, mut cost) = (None, None);
        while !args.is_empty() {
            if args.keyword("BURST") {
                once(&mut burst, "BURST", args.integer("BURST", 1)?)?;
            } else if args.keyword("COST") {
                once(&mut cost, "COST", args.integer("COST", 0)?)?;
            } else {
                return Err(args.unknown_option());
            }
        }
        let rate = Rate::new(count, ms, burst).map_err(no_such_rate)?;
        let cost = cost.unwrap_or(1);
        if cost > rate.burst() {
            let burst = rate.burst();
            let text = format!("COST: {cost} is above the BURST of {burst}, it could never pass");
            return Err(Error::new(text));
        }
        Ok(Request {
            subject,
            rate,
            cost,
        })
    }
}

/// Why no call can be decided by such a rate.
fn no_such_rate(error: RateError) -> Error {
    Error::new(match error {
        RateError::Period => format!("ms: above {YEAR_MS}, a year"),
        RateError::Count => "count: above 1000000 a millisecond".to_owned(),
        RateError::Burst => "BURST: takes more than a year to come back".to_owned(),
    })
}

pub struct Throttle;

impl Handler for Throttle {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request {
            subject,
            rate,
            cost,
        } = Request::parse(Args::new(call.words()))?;
        let mut ask = Ask {
            subject: names::key(subject),
            rate,
            cost,
        };
        let (ctx, name) = (call.ctx(), text(call, 1)?);
        let Some(mut key) = limit_key::open_write(ctx, name)? else {
            let (decision, event) = plan_first(clock::now_us(), &ask);
            if let Some(event) = event {
                refuse_at_maxmemory(ctx, name)?;
                change::rate::commit_creation(ctx, name, &event)?;
            }
            reply(call.reply(), rate, &decision);
            return Ok(());
        };
        // Reading the clock hides a part of the cache misses.
        key.table().touch(ask.subject);
        let clock_us = clock::now_us();
        key.table().touch_likely(&mut ask.subject);
        // Also for a call that is refused then: until somebody wrote it down, time would stand
        // still for whoever is throttled.
        if let Some(event) = key.table().plan_shift(clock_us) {
            change::rate::commit(ctx, &mut key, &event);
        }
        let Planned {
            decision,
            event,
            is_new,
        } = key
            .table()
            .plan_call(clock_us, &ask, config::subjects_max());
        if let Some(event) = event {
            if is_new {
                refuse_at_maxmemory(ctx, name)?;
            }
            change::rate::commit(ctx, &mut key, &event);
        }
        reply(call.reply(), rate, &decision);
        Ok(())
    }
}

/// Counts a decision, and writes it.
fn reply(reply: Reply<'_>, rate: Rate, decision: &Decision) {
    let (word, outcome) = if decision.is_allowed {
        ("ALLOWED", Outcome::Allowed)
    } else {
        ("THROTTLED", Outcome::Throttled)
    };
    info::count(outcome, 1);
    reply.array(5);
    reply.bytes(word.as_bytes());
    reply.integer(rate.burst());
    reply.integer(decision.remaining);
    reply.integer(decision.retry_ms());
    reply.integer(decision.reset_ms());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<(u64, u64), String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let request = Request::parse(Args::new(&words)).map_err(|error| error.to_string())?;
        Ok((request.rate.burst(), request.cost))
    }

    #[test]
    fn reads_options_in_any_order() {
        let line = ["THROTTLE", "k", "ann", "3", "1000"];
        assert_eq!(parse(&line), Ok((3, 1)));
        let options = [&line[..], &["cost", "2", "BURST", "7"]].concat();
        assert_eq!(parse(&options), Ok((7, 2)));
        let options = [&line[..], &["BURST", "1", "COST", "0"]].concat();
        assert_eq!(parse(&options), Ok((1, 0)));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let range = "is not an integer from 1 to 9007199254740991";
        for (words, text) in [
            ("3 0", format!("ERR ms: '0' {range}")),
            ("0 1", format!("ERR count: '0' {range}")),
            ("1.5 1", format!("ERR count: '1.5' {range}")),
            (
                "1 31536000001",
                "ERR ms: above 31536000000, a year".to_owned(),
            ),
            (
                "1000001 1",
                "ERR count: above 1000000 a millisecond".to_owned(),
            ),
            (
                "1 31536000000 BURST 2",
                "ERR BURST: takes more than a year to come back".to_owned(),
            ),
            ("1 1 BURST 0", format!("ERR BURST: '0' {range}")),
            ("1 1 BURST 1 BURST 1", "ERR BURST: given twice".to_owned()),
            (
                "3 1 COST 4",
                "ERR COST: 4 is above the BURST of 3, it could never pass".to_owned(),
            ),
            ("3 1 COST", "ERR COST: its value is missing".to_owned()),
            (
                "3 1 HOLD 4",
                "ERR syntax: unknown option 'HOLD', see FLASHSALE.HELP".to_owned(),
            ),
        ] {
            let words = format!("THROTTLE k ann {words}");
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(parse(&words), Err(text));
        }
        let long = "s".repeat(256);
        for subject in ["", &long] {
            let error = parse(&["THROTTLE", "k", subject, "1", "1"]).unwrap_err();
            assert!(error.contains("bytes, not 1 to 255"), "{error}");
        }
    }
}
