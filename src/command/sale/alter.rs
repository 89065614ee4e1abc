//! `FLASHSALE.ALTER key option value [option value ...]`
//!
//! Changes options of CREATE, all or nothing; 0 means none for limits, START and END, and
//! a MAXHOLD of 0 follows HOLD. Limits bind new reservations only; no deadline moves
//! earlier. END in the past ends the sale now, a later END reopens an ended one. ITEMLIMIT
//! can be changed, not introduced. GROUP can only be taken away, by an empty name.
//!
//! - Complexity: O(1).
//! - Reply: `OK`; refusals: `ENDED` (START or END after CLOSE).
//! - Errors: `ERR` arity, syntax, or options that do not fit together; `NOSALE`,
//!   `WRONGTYPE`.
//! - Replicates: the event `Altered`; nothing when nothing changes.
//! - Notifies: `flashsale.altered`.

use crate::command::args::Args;
use crate::command::open::manage;
use crate::command::{Handler, SINCE, options};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::sale::Changes;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.ALTER",
    summary: "Changes options of a sale.",
    complexity: "O(1)",
    since: SINCE,
    flags: "write fast",
    arity: -4,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::one_of("option", &options::ARGUMENTS).multiple(),
    ],
    tips: "",
    internal: false,
};

fn parse(mut args: Args<'_>) -> Result<Changes, Error> {
    args.word("key")?;
    let changes = options::parse(args)?;
    match changes.group {
        Some(Some(_)) => Err(Error::new(
            "GROUP: ALTER can only take a sale out of its group, by '': give another to CREATE",
        )),
        _ => Ok(changes),
    }
}

pub struct Alter;

impl Handler for Alter {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let changes = parse(Args::new(call.words()))?;
        manage(call, |sale, now_ms| sale.plan_alter(now_ms, &changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_options_after_the_key() {
        let words: [&[u8]; 6] = [b"ALTER", b"k", b"end", b"0", b"USERLIMIT", b"2"];
        let expected = Changes {
            end_at_ms: Some(0),
            user_limit: Some(2),
            ..Changes::default()
        };
        assert_eq!(parse(Args::new(&words)), Ok(expected));
        let words: [&[u8]; 4] = [b"ALTER", b"k", b"GROUP", b""];
        assert_eq!(
            parse(Args::new(&words)).map(|changes| changes.group),
            Ok(Some(None))
        );
        let words: [&[u8]; 4] = [b"ALTER", b"k", b"GROUP", b"other"];
        assert!(parse(Args::new(&words)).is_err());
    }
}
