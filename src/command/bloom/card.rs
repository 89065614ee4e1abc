//! `FLASHSALE.BFCARD key`
//!
//! Returns how many items were added: how often the answer to an ADD was "new".
//!
//! - Complexity: O(L) with L links.
//! - Reply: an integer; 0 where there is no filter.
//! - Errors: `ERR` arity; `WRONGTYPE`.

use crate::command::args::Args;
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFCARD",
    summary: "Returns how many items were added to a Bloom filter.",
    complexity: "O(L) with L links of the filter",
    since: FILTERS_SINCE,
    flags: "readonly fast",
    arity: 2,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "",
    internal: false,
};

pub struct Card;

impl Handler for Card {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).key_alone()?;
        let key = bloom_key::open_read(call.ctx(), text(call, 1)?)?;
        call.reply()
            .integer(key.map_or(0, |key| key.bloom().items()));
        Ok(())
    }
}
