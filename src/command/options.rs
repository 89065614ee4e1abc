//! The options that CREATE sets and ALTER changes: `USERLIMIT n`, `HOLD ms`, `EVENTS all`, ...
//!
//! Edge: pure grammar. What fits together is decided in the engine, `sale/plan/manage.rs`.

use super::args::{Args, once};
use crate::error::{Error, echo};
use crate::ffi::Argument;
use flashsale_engine::sale::{AttemptRate, Changes, Events, GROUP_BYTES_MAX, PaceRate, PassKeys};

/// What the value of an option may be.
#[derive(Clone, Copy)]
enum Range {
    /// An integer from this on.
    From(u64),
    /// A moment of the window, or 0.
    Moment,
}

/// One option that is a number: its keyword, its values, where it is kept, and how it is
/// documented.
struct Choice {
    keyword: &'static str,
    range: Range,
    slot: for<'c> fn(&'c mut Changes) -> &'c mut Option<u64>,
    argument: Argument,
}

const CHOICES: [Choice; 13] = [
    Choice {
        keyword: "USERLIMIT",
        range: Range::From(0),
        slot: |changes| &mut changes.user_limit,
        argument: N,
    },
    Choice {
        keyword: "ITEMLIMIT",
        range: Range::From(0),
        slot: |changes| &mut changes.item_limit,
        argument: N,
    },
    Choice {
        keyword: "ORDERLIMIT",
        range: Range::From(0),
        slot: |changes| &mut changes.order_limit,
        argument: N,
    },
    Choice {
        keyword: "SALELIMIT",
        range: Range::From(0),
        slot: |changes| &mut changes.sale_limit,
        argument: N,
    },
    Choice {
        keyword: "HOLD",
        range: Range::From(1),
        slot: |changes| &mut changes.hold_ms,
        argument: MS,
    },
    Choice {
        keyword: "MAXHOLD",
        range: Range::From(0),
        slot: |changes| &mut changes.hold_ms_max,
        argument: MS,
    },
    Choice {
        keyword: "GRACE",
        range: Range::From(0),
        slot: |changes| &mut changes.grace_ms,
        argument: MS,
    },
    Choice {
        keyword: "START",
        range: Range::Moment,
        slot: |changes| &mut changes.start_at_ms,
        argument: MOMENT,
    },
    Choice {
        keyword: "END",
        range: Range::Moment,
        slot: |changes| &mut changes.end_at_ms,
        argument: MOMENT,
    },
    Choice {
        keyword: "KEEP",
        range: Range::From(0),
        slot: |changes| &mut changes.keep_ms,
        argument: MS,
    },
    Choice {
        keyword: "REMEMBER",
        range: Range::From(0),
        slot: |changes| &mut changes.remember_ms,
        argument: MS,
    },
    Choice {
        keyword: "WAITING",
        range: Range::From(0),
        slot: |changes| &mut changes.waiting_max,
        argument: N.since("0.2.0"),
    },
    Choice {
        keyword: "PATIENCE",
        range: Range::From(0),
        slot: |changes| &mut changes.patience_ms,
        argument: MS.since("0.2.0"),
    },
];

const N: Argument = Argument::integer("n");
const MS: Argument = Argument::integer("ms");
const MOMENT: Argument = Argument::unix_time("unix-ms");

/// The option that is a word.
const EVENTS: &str = "EVENTS";

/// EVENTS and both of its words.
const EVENTS_WORD: Argument = Argument::one_of(
    "events",
    &[
        Argument::flag("only-orders", "orders"),
        Argument::flag("everything", "all"),
    ],
)
.after(EVENTS)
.since("0.2.0");

/// The option with two values.
const PACE: &str = "PACE";

/// PACE and both of its values.
const PACE_VALUES: Argument = Argument::block("pace", &[N, MS]).after(PACE).since("0.2.0");

/// The options that limit attempts, with two values each.
const USERRATE: &str = "USERRATE";
const FROMRATE: &str = "FROMRATE";

/// USERRATE and both of its values.
const USERRATE_VALUES: Argument = Argument::block("userrate", &[N, MS])
    .after(USERRATE)
    .since("0.2.0");

/// FROMRATE and both of its values.
const FROMRATE_VALUES: Argument = Argument::block("fromrate", &[N, MS])
    .after(FROMRATE)
    .since("0.2.0");

/// The option that is a list, with its length before it: a second secret could not be told
/// from the next option.
const PASSKEY: &str = "PASSKEY";

/// PASSKEY, how many secrets, and these.
const PASSKEY_VALUES: Argument = Argument::block(
    "passkey",
    &[
        Argument::integer("count"),
        Argument::string("secret").optional().multiple(),
    ],
)
.after(PASSKEY)
.since("0.2.0");

/// The option that names a split sale.
const GROUP: &str = "GROUP";

/// GROUP and its value.
const GROUP_NAME: Argument = Argument::string("group").after(GROUP).since("0.2.0");

/// The options in the argument tree of ALTER, each to be chosen.
pub const ARGUMENTS: [Argument; CHOICES.len() + 6] = {
    let mut arguments = [EVENTS_WORD; CHOICES.len() + 6];
    arguments[CHOICES.len() + 4] = GROUP_NAME;
    arguments[CHOICES.len()] = PACE_VALUES;
    arguments[CHOICES.len() + 1] = USERRATE_VALUES;
    arguments[CHOICES.len() + 2] = FROMRATE_VALUES;
    arguments[CHOICES.len() + 3] = PASSKEY_VALUES;
    let mut at = 0;
    while at < CHOICES.len() {
        arguments[at] = CHOICES[at].argument.after(CHOICES[at].keyword);
        at += 1;
    }
    arguments
};

/// Returns the arguments of a command: the options, which may be left out, between others.
pub const fn among<const ALL: usize>(before: &[Argument], after: Argument) -> [Argument; ALL] {
    let mut arguments = [after; ALL];
    let mut at = 0;
    while at < ALL - 1 {
        arguments[at] = if at < before.len() {
            before[at]
        } else {
            ARGUMENTS[at - before.len()].optional()
        };
        at += 1;
    }
    arguments
}

/// Reads `option value [option value ...]` to the end of the line.
///
/// # Errors
///
/// An unknown option, one given twice, a value that is missing or out of range.
pub fn parse(mut args: Args<'_>) -> Result<Changes, Error> {
    let mut changes = Changes::default();
    while !args.is_empty() {
        parse_one(&mut args, &mut changes)?;
    }
    Ok(changes)
}

/// Reads one option and its value.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_one(args: &mut Args<'_>, changes: &mut Changes) -> Result<(), Error> {
    if args.keyword(EVENTS) {
        return once(&mut changes.events, EVENTS, parse_events(args)?);
    }
    if args.keyword(PACE) {
        let pace = parse_rate(args, PACE, "pace")?.map(|(n, ms)| PaceRate { n, ms });
        return once(&mut changes.pace, PACE, pace);
    }
    for (keyword, slot) in [
        (USERRATE, &mut changes.user_rate),
        (FROMRATE, &mut changes.from_rate),
    ] {
        if args.keyword(keyword) {
            let rate = parse_rate(args, keyword, "rate")?.map(|(n, ms)| AttemptRate { n, ms });
            return once(slot, keyword, rate);
        }
    }
    if args.keyword(GROUP) {
        let group = args.text(GROUP, GROUP_BYTES_MAX)?;
        let group = (!group.is_empty()).then(|| group.into());
        return once(&mut changes.group, GROUP, group);
    }
    if args.keyword(PASSKEY) {
        return once(&mut changes.passkeys, PASSKEY, parse_passkeys(args)?);
    }
    let choice = CHOICES
        .iter()
        .find(|choice| args.keyword(choice.keyword))
        .ok_or_else(|| match changes.passkeys {
            None => args.unknown_option(),
            // It may be a secret that the count has left out: an error is printed somewhere.
            Some(_) => Error::new(
                "syntax: unknown option, which is not shown here as it stands behind PASSKEY, see \
                 FLASHSALE.HELP",
            ),
        })?;
    let value = match choice.range {
        Range::From(min) => args.integer(choice.keyword, min)?,
        Range::Moment => args.moment(choice.keyword)?,
    };
    once((choice.slot)(changes), choice.keyword, value)
}

/// Reads the value of EVENTS.
///
/// # Errors
///
/// Missing, or another word.
fn parse_events(args: &mut Args<'_>) -> Result<Events, Error> {
    for events in [Events::Orders, Events::All] {
        if args.keyword(events.word()) {
            return Ok(events);
        }
    }
    let word = echo(args.word(EVENTS)?);
    Err(Error::new(format!(
        "EVENTS: '{word}' is neither orders nor all"
    )))
}

/// Reads `n ms`, the values of an option that is a rate; 0 and 0 remove it.
///
/// # Errors
///
/// One is missing or no integer, or one alone is 0.
fn parse_rate(args: &mut Args<'_>, keyword: &str, noun: &str) -> Result<Option<(u64, u64)>, Error> {
    if args.len() < 2 {
        return Err(Error::new(format!(
            "{keyword}: takes two numbers, n and ms"
        )));
    }
    let (n, ms) = (args.integer(keyword, 0)?, args.integer(keyword, 0)?);
    match (n, ms) {
        (0, 0) => Ok(None),
        (0, _) | (_, 0) => Err(Error::new(format!(
            "{keyword}: '{n} {ms}' is no {noun}: n in ms, or 0 0 for none"
        ))),
        _ => Ok(Some((n, ms))),
    }
}

/// Reads `count [secret ...]`, the values of PASSKEY.
///
/// # Errors
///
/// The count is none of 0, 1 and 2, or a secret is missing or of another size. No error shows
/// a word of these.
fn parse_passkeys(args: &mut Args<'_>) -> Result<PassKeys, Error> {
    let count = match args.word(PASSKEY)? {
        b"0" => 0,
        b"1" => 1,
        b"2" => PassKeys::MAX,
        _ => {
            return Err(Error::new(
                "PASSKEY: begins with how many secrets follow: 0, 1 or 2",
            ));
        }
    };
    if args.len() < count {
        return Err(Error::new("PASSKEY: fewer secrets than its count says"));
    }
    PassKeys::new(args.take(count))
        .ok_or_else(|| Error::new("PASSKEY: a secret is not of 16 to 128 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flashsale_engine::sale::{WINDOW_MS_MAX, WINDOW_MS_MIN};

    fn parse_text(line: &str) -> Result<Changes, Error> {
        let words: Vec<&[u8]> = std::iter::once("CMD")
            .chain(line.split(' '))
            .map(str::as_bytes)
            .collect();
        parse(Args::new(&words))
    }

    #[test]
    fn reads_every_option_into_its_own_place() {
        let mut line = String::new();
        for (position, choice) in CHOICES.iter().enumerate() {
            let value = match choice.range {
                Range::From(_) => position as u64 + 1,
                Range::Moment => WINDOW_MS_MIN + position as u64 + 1,
            };
            line += &format!("{} {value} ", choice.keyword.to_lowercase());
        }
        line += "group shoes events ALL pace 3 100 userrate 4 200 FromRate 5 300 passkey 2 0123456789abcdef fedcba9876543210";
        let changes = parse_text(&line).unwrap();
        let expected = Changes {
            user_limit: Some(1),
            item_limit: Some(2),
            order_limit: Some(3),
            sale_limit: Some(4),
            hold_ms: Some(5),
            hold_ms_max: Some(6),
            grace_ms: Some(7),
            start_at_ms: Some(WINDOW_MS_MIN + 8),
            end_at_ms: Some(WINDOW_MS_MIN + 9),
            keep_ms: Some(10),
            remember_ms: Some(11),
            waiting_max: Some(12),
            patience_ms: Some(13),
            events: Some(Events::All),
            pace: Some(Some(PaceRate { n: 3, ms: 100 })),
            user_rate: Some(Some(AttemptRate { n: 4, ms: 200 })),
            from_rate: Some(Some(AttemptRate { n: 5, ms: 300 })),
            passkeys: PassKeys::new(&[b"0123456789abcdef", b"fedcba9876543210"]),
            group: Some(Some("shoes".into())),
        };
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_rate_of_0_0_is_none() {
        let changes = parse_text("PACE 0 0 USERRATE 0 0 FROMRATE 0 0").unwrap();
        assert_eq!(changes.pace, Some(None));
        assert_eq!(
            (changes.user_rate, changes.from_rate),
            (Some(None), Some(None))
        );
    }

    #[test]
    fn no_secret_is_no_passkey() {
        let changes = parse_text("PASSKEY 0 USERLIMIT 1").unwrap();
        assert_eq!(changes.passkeys, Some(PassKeys::default()));
        assert_eq!(changes.user_limit, Some(1));
    }

    #[test]
    fn errors_about_secrets_show_none() {
        let secret = "sesame-open-thyself";
        for (line, text) in [
            (
                secret.to_owned(),
                "ERR PASSKEY: begins with how many secrets follow: 0, 1 or 2",
            ),
            (
                "3".to_owned(),
                "ERR PASSKEY: begins with how many secrets follow: 0, 1 or 2",
            ),
            (
                "01".to_owned(),
                "ERR PASSKEY: begins with how many secrets follow: 0, 1 or 2",
            ),
            (
                format!("2 {secret}"),
                "ERR PASSKEY: fewer secrets than its count says",
            ),
            (
                "1 0123456789abcde".to_owned(),
                "ERR PASSKEY: a secret is not of 16 to 128 bytes",
            ),
            (
                format!("1 {}", "a".repeat(129)),
                "ERR PASSKEY: a secret is not of 16 to 128 bytes",
            ),
            (
                format!("1 {secret} {secret}"),
                "ERR syntax: unknown option, which is not shown here as it stands behind \
                 PASSKEY, see FLASHSALE.HELP",
            ),
            (format!("1 {secret} passkey 0"), "ERR PASSKEY: given twice"),
        ] {
            let error = parse_text(&format!("PASSKEY {line}")).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn takes_moments_that_milliseconds_can_mean() {
        for moment_ms in [0, WINDOW_MS_MIN, 1_795_203_093_000, WINDOW_MS_MAX] {
            for keyword in ["START", "END"] {
                assert!(parse_text(&format!("{keyword} {moment_ms}")).is_ok());
            }
        }
        let range = "It is Unix time in milliseconds, from 100000000000 to 10000000000000, or 0 \
                     for none";
        for (moment, likely) in [
            ("1", "in seconds, or a time of day"),
            ("36000000", "in seconds, or a time of day"),
            ("1795203093", "in seconds, or a time of day"),
            ("99999999999", "in seconds, or a time of day"),
            ("10000000000001", "in microseconds"),
            ("1795203093000000", "in microseconds"),
            ("9007199254740991", "in microseconds"),
        ] {
            let error = parse_text(&format!("START {moment}")).unwrap_err();
            let text = format!("ERR START: is '{moment}' {likely}? {range}");
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for (line, text) in [
            (
                "COLOUR 1",
                "ERR syntax: unknown option 'COLOUR', see FLASHSALE.HELP",
            ),
            (
                "HOLD 0",
                "ERR HOLD: '0' is not an integer from 1 to 9007199254740991",
            ),
            (
                "GRACE -1",
                "ERR GRACE: '-1' is not an integer from 0 to 9007199254740991",
            ),
            ("END", "ERR END: its value is missing"),
            ("KEEP 1 keep 1", "ERR KEEP: given twice"),
            ("PACE 1", "ERR PACE: takes two numbers, n and ms"),
            (
                "PACE 5 0",
                "ERR PACE: '5 0' is no pace: n in ms, or 0 0 for none",
            ),
            (
                "USERRATE 0 1",
                "ERR USERRATE: '0 1' is no rate: n in ms, or 0 0 for none",
            ),
            ("FROMRATE 1", "ERR FROMRATE: takes two numbers, n and ms"),
            ("FROMRATE 1 1 FROMRATE 1 1", "ERR FROMRATE: given twice"),
            ("GROUP", "ERR GROUP: its value is missing"),
            ("GROUP a group b", "ERR GROUP: given twice"),
        ] {
            assert_eq!(parse_text(line).unwrap_err().to_string(), text);
        }
    }
}
