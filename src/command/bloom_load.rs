//! `FLASHSALE.BFLOAD key chunk`
//!
//! Brings back one chunk of a filter from a rewritten AOF; the last one makes it whole.
//! Internal: an error from any other client.
//!
//! - Complexity: O(N) with N bytes of the chunk.
//! - Reply: `OK`, always: a chunk that does not fit is counted, and told in the log.
//! - Errors: `ERR` from a client.
//! - Replicates: nothing; no primary sends it.

use super::bloom_args::wrong_arity;
use super::sale_apply::refuse_clients;
use super::{Handler, SINCE, text};
use crate::bloom_replication;
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

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
    bloom_key::load_chunk(call.ctx(), text(call, 1)?, chunk)?;
    call.reply().ok();
    Ok(())
}

pub struct Load;

impl Handler for Load {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        refuse_clients(call.ctx())?;
        bloom_replication::settle(call, load(call))
    }
}
