//! `FLASHSALE.CLOSE key`
//!
//! Ends a sale for good. Live reservations can still be checked out, orders refunded.
//! The key expires once the refund window has passed.
//!
//! - Complexity: O(1).
//! - Reply: `OK`, also when it already was so.
//! - Errors: `ERR` arity, `NOSALE`, `WRONGTYPE`.
//! - Replicates: the event `Closed`; nothing when it already was so.
//! - Notifies: `flashsale.closed`.

use crate::command::args::Args;
use crate::command::open::manage;
use crate::command::{Handler, SINCE};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.CLOSE",
    summary: "Ends a sale for good.",
    complexity: "O(1)",
    since: SINCE,
    flags: "write fast",
    arity: 2,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "",
    internal: false,
};

pub struct Close;

impl Handler for Close {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).key_alone()?;
        manage(call, |sale, now_ms| sale.plan_close(now_ms))
    }
}
