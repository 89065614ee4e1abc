//! `FLASHSALE.RESUME key`
//!
//! Lets new reservations in again after PAUSE, or where this copy missed a change of its
//! primary (`diverged`): whoever says it has looked at what is missing.
//!
//! - Complexity: O(1).
//! - Reply: `OK`, also when it already was so; refusals: `ENDED` (after CLOSE,
//!   but for a sale that is diverged).
//! - Errors: `ERR` arity, `NOSALE`, `WRONGTYPE`.
//! - Replicates: the event `Resumed`, which says whether it lifts a mark; nothing when it
//!   already was so.
//! - Notifies: `flashsale.resumed`.

use crate::command::args::Args;
use crate::command::open::manage;
use crate::command::{Handler, SINCE};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RESUME",
    summary: "Lets new reservations in again.",
    complexity: "O(1)",
    since: SINCE,
    flags: "write fast",
    arity: 2,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "",
    internal: false,
};

pub struct Resume;

impl Handler for Resume {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).key_alone()?;
        manage(call, |sale, now_ms| sale.plan_resume(now_ms))
    }
}
