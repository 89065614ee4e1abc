//! `FLASHSALE.BFCLEAR key`
//!
//! Empties a filter. Its error rate, expansion and first link stay, and so does its TTL.
//!
//! - Complexity: O(L) with L links, and their memory to be given back.
//! - Reply: `OK`, also when it was empty.
//! - Errors: `ERR` arity; `not found`; `WRONGTYPE`.
//! - Replicates: the event `Cleared`; nothing when it was empty.

use crate::change;
use crate::command::args::Args;
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::Event;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFCLEAR",
    summary: "Empties a Bloom filter, and keeps its settings.",
    complexity: "O(L) with L links of the filter",
    since: FILTERS_SINCE,
    flags: "write",
    arity: 2,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "",
    internal: false,
};

pub struct Clear;

impl Handler for Clear {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).key_alone()?;
        let ctx = call.ctx();
        let mut key = bloom_key::found(bloom_key::open_write(ctx, text(call, 1)?)?)?;
        if !key.bloom().is_clear() {
            change::bloom::commit(ctx, &mut key, &Event::Cleared);
        }
        call.reply().ok();
        Ok(())
    }
}
