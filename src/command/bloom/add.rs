//! `FLASHSALE.BFADD key item`
//!
//! Adds an item, and makes the filter when there is none, as `bf-error-rate`,
//! `bf-initial-size` and `bf-expansion` say.
//!
//! - Complexity: O(L) with L links: a cache miss each, which overlap.
//! - Reply: 1 if the item is new, 0 if it may have been added before; in RESP3 true and
//!   false.
//! - Errors: `ERR` arity; `WRONGTYPE`; `non scaling filter is full`, `problem inserting
//!   into filter`, too little memory.
//! - Replicates: the event `Created` or `Added`; nothing when the item is there.

use crate::command::bloom::args::{NewFilter, add, error_of, wrong_arity};
use crate::command::{FILTERS_SINCE, Handler};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::{ItemHash, Outcome};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFADD",
    summary: "Adds an item to a Bloom filter, and makes the filter if need be.",
    complexity: "O(L) with L links of the filter",
    since: FILTERS_SINCE,
    flags: "write deny-oom fast",
    arity: 3,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0), Argument::string("item")],
    tips: "",
    internal: false,
};

pub struct Add;

impl Handler for Add {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let [_, _, item] = call.words() else {
            return Err(wrong_arity(call.words()));
        };
        let outcomes = add(call, &[ItemHash::of(item)], NewFilter::configured)?;
        for outcome in outcomes {
            match error_of(outcome) {
                None => call.reply().boolean(outcome == Outcome::Added),
                Some(error) => return Err(error),
            }
        }
        Ok(())
    }
}
