//! `FLASHSALE.BFLOAD key chunk`
//!
//! Brings back one chunk of a filter from a rewritten AOF; the last one makes it whole.
//! Internal: an error from any other client.
//!
//! - Complexity: O(N) with N bytes of the chunk.
//! - Reply: `OK`, always: a chunk that cannot be read or does not fit ends the start; with
//!   `load-damaged yes` it is counted and told in the log, and the filter is left out.
//! - Errors: `ERR` from a client.
//! - Replicates: nothing.

use super::bloom_args::wrong_arity;
use super::{Handler, SINCE, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::replication;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFLOAD",
    summary: "Brings back one chunk of a Bloom filter from a rewritten AOF. Internal.",
    complexity: "O(N) with N bytes of the chunk",
    since: SINCE,
    flags: "write",
    arity: 3,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0), Argument::string("chunk")],
    tips: "",
    internal: true,
};

fn load(call: &Call<'_>) -> Result<(), Error> {
    let [_, _, chunk] = call.words() else {
        return Err(wrong_arity(call.words()));
    };
    if !call.ctx().flags().is_loading() {
        return Err(Error::new("internal: only an AOF may send this command"));
    }
    bloom_key::load_chunk(call.ctx(), text(call, 1)?, chunk)
}

pub struct Load;

impl Handler for Load {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        replication::follow(call, || load(call))
    }
}
