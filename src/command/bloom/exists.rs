//! `FLASHSALE.BFEXISTS key item`
//!
//! May this item have been added? "No" is certain.
//!
//! - Complexity: O(L) with L links: a cache miss each, which overlap.
//! - Reply: 1 or 0; in RESP3 true or false. Where there is no filter there is no item.
//! - Errors: `ERR` arity; `WRONGTYPE`.

use crate::command::bloom::args::wrong_arity;
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::ItemHash;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFEXISTS",
    summary: "Returns whether an item may be in a Bloom filter.",
    complexity: "O(L) with L links of the filter",
    since: FILTERS_SINCE,
    flags: "readonly fast",
    arity: 3,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0), Argument::string("item")],
    tips: "",
    internal: false,
};

pub struct Exists;

impl Handler for Exists {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let [_, _, item] = call.words() else {
            return Err(wrong_arity(call.words()));
        };
        let key = bloom_key::open_read(call.ctx(), text(call, 1)?)?;
        let is_present = key.is_some_and(|key| key.bloom().contains(ItemHash::of(item)));
        call.reply().boolean(is_present);
        Ok(())
    }
}
