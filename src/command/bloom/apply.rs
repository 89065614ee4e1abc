//! `FLASHSALE.BFAPPLY key [src ...] event`
//!
//! Carries out an event of a filter that was decided elsewhere: by the primary of this
//! replica, before a restart, or by the server that gives the filter's slot to this one.
//! Internal: an error from any other client. The sources are those of a merge.
//!
//! - Complexity: that of the command that made the event.
//! - Reply: `OK`: an event that cannot be read or does not fit is counted, and reported in
//!   the log. Of an AOF, it ends the start (see `load-damaged`).
//! - Errors: `ERR` from a client; what does not fit, to the source of a slot import, which
//!   then keeps the slot.
//! - Replicates: itself, as it came; nothing when it does not fit.

use crate::change;
use crate::change::replay;
use crate::command::bloom::args::wrong_arity;
use crate::command::{FILTERS_SINCE, Handler};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFAPPLY",
    summary: "Carries out an event of a Bloom filter of the primary or of the AOF. Internal.",
    complexity: "That of the command that made the event",
    since: FILTERS_SINCE,
    // No `deny-oom`: a replica has what its primary has.
    flags: "write",
    arity: -3,
    // Absent, sources with a key spec of their own would take the event for a key.
    keys: &[KeySpec::update(1).through(-2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("src", 0).optional().multiple(),
        Argument::string("event"),
    ],
    tips: "",
    internal: true,
};

pub struct Apply;

impl Handler for Apply {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        replay::follow(call, || apply(call))
    }
}

fn apply(call: &Call<'_>) -> Result<(), Error> {
    let [name, sources @ .., event] = call.arguments() else {
        return Err(wrong_arity(call.words()));
    };
    change::bloom::replay(call.ctx(), *name, sources, event.bytes())
}
