//! `FLASHSALE.BFMADD key item [item ...]`
//!
//! Adds items, and makes the filter when there is none, as ADD does.
//!
//! - Complexity: O(N * L) with N items and L links; cache misses of several items overlap.
//! - Reply: an array of what ADD would answer to each, in order; the same item twice is
//!   new once. Where a filter that does not scale is full, the first new item's element
//!   is the error, and the last: later items are not tried, earlier ones stay.
//! - Errors: `ERR` arity; `WRONGTYPE`; too little memory for the filter.
//! - Replicates: the event `Created` or `Added`, with the new items; nothing without any.

use crate::command::bloom::args::{NewFilter, add, hashes_of, reply_each, wrong_arity};
use crate::command::{FILTERS_SINCE, Handler};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFMADD",
    summary: "Adds items to a Bloom filter, and makes the filter if need be.",
    complexity: "O(N * L) with N items and L links of the filter",
    since: FILTERS_SINCE,
    flags: "write deny-oom",
    arity: -3,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0), Argument::string("item").multiple()],
    tips: "",
    internal: false,
};

pub struct MultiAdd;

impl Handler for MultiAdd {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let [_, _, items @ ..] = call.words() else {
            return Err(wrong_arity(call.words()));
        };
        let outcomes = add(call, &hashes_of(items), NewFilter::configured)?;
        reply_each(call.reply(), &outcomes);
        Ok(())
    }
}
