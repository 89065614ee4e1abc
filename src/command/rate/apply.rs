//! `FLASHSALE.RATEAPPLY key event`
//!
//! Carries out an event of a rate limit that was decided elsewhere: by the primary of this
//! replica, before a restart, or by the server that gives the limit's slot to this one.
//! Internal: an error from any other client.
//!
//! - Complexity: O(1).
//! - Reply: `OK`: an event that cannot be read or does not fit is counted, and reported in
//!   the log. Of an AOF, it ends the start (see `load-damaged`).
//! - Errors: `ERR` from a client; what does not fit, to the source of a slot import, which
//!   then keeps the slot.
//! - Replicates: itself, as it came; nothing when it does not fit.

use crate::change::{self, replay};
use crate::command::args::Args;
use crate::command::{Handler, LIMITS_SINCE, text};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RATEAPPLY",
    summary: "Carries out an event of a rate limit of the primary or of the AOF. Internal.",
    complexity: "O(1)",
    since: LIMITS_SINCE,
    flags: "write",
    arity: 3,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0), Argument::string("event")],
    tips: "",
    internal: true,
};

fn parse<'a>(mut args: Args<'a>) -> Result<&'a [u8], Error> {
    args.word("key")?;
    let event = args.word("event")?;
    args.end()?;
    Ok(event)
}

pub struct Apply;

impl Handler for Apply {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        replay::follow(call, || {
            let event = parse(Args::new(call.words()))?;
            change::rate::replay(call.ctx(), text(call, 1)?, event)
        })
    }
}
