//! `FLASHSALE.BFMEXISTS key item [item ...]`
//!
//! May these items have been added? "No" is certain.
//!
//! - Complexity: O(N * L) with N items and L links; cache misses of several items overlap.
//! - Reply: an array of what EXISTS would answer to each, in order.
//! - Errors: `ERR` arity; `WRONGTYPE`.

use crate::command::bloom::args::{hashes_of, wrong_arity};
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFMEXISTS",
    summary: "Returns for each item whether it may be in a Bloom filter.",
    complexity: "O(N * L) with N items and L links of the filter",
    since: FILTERS_SINCE,
    flags: "readonly",
    arity: -3,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0), Argument::string("item").multiple()],
    tips: "",
    internal: false,
};

pub struct MultiExists;

impl Handler for MultiExists {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let [_, _, items @ ..] = call.words() else {
            return Err(wrong_arity(call.words()));
        };
        let key = bloom_key::open_read(call.ctx(), text(call, 1)?)?;
        let reply = call.reply();
        reply.array(items.len());
        match key {
            Some(key) => {
                let hashes = hashes_of(items);
                key.bloom()
                    .contains_each(&hashes, |is_present| reply.boolean(is_present));
            }
            None => items.iter().for_each(|_| reply.boolean(false)),
        }
        Ok(())
    }
}
