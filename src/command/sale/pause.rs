//! `FLASHSALE.PAUSE key`
//!
//! Stops new reservations until RESUME. Checkouts of live reservations, releases and
//! refunds go on.
//!
//! - Complexity: O(1).
//! - Reply: `OK`, also when it already was so; refusals: `ENDED` (after CLOSE).
//! - Errors: `ERR` arity, `NOSALE`, `WRONGTYPE`.
//! - Replicates: the event `Paused`; nothing when it already was so.
//! - Notifies: `flashsale.paused`.

use crate::command::args::Args;
use crate::command::open::manage;
use crate::command::{Handler, SINCE};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.PAUSE",
    summary: "Stops new reservations until RESUME.",
    complexity: "O(1)",
    since: SINCE,
    flags: "write fast",
    arity: 2,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "",
    internal: false,
};

pub struct Pause;

impl Handler for Pause {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).key_alone()?;
        manage(call, |sale, now_ms| sale.plan_pause(now_ms))
    }
}
