//! `FLASHSALE.BFLOAD key chunk`
//!
//! Brings one chunk of a filter, from a rewritten AOF or from the server that gives the
//! filter's slot to this one or to this one's primary; the last one makes it whole.
//! Internal: an error from any other client.
//!
//! - Complexity: O(N) with N bytes of the chunk.
//! - Reply: `OK`: a chunk that cannot be read or does not fit is counted, and reported in
//!   the log. Of an AOF, it ends the start; with `load-damaged yes` the filter is left out.
//! - Errors: `ERR` from a client; what does not fit, to the source of a slot import, which
//!   then keeps the slot.
//! - Replicates: itself, as it came; `DEL` when it does not fit the chunks before it.

use crate::change::replay;
use crate::command::bloom::args::wrong_arity;
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::{self, BloomState};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFLOAD",
    summary: "Brings one chunk of a Bloom filter from a rewritten AOF or another server. Internal.",
    complexity: "O(N) with N bytes of the chunk",
    since: FILTERS_SINCE,
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
    let (ctx, name) = (call.ctx(), text(call, 1)?);
    datatype::load_chunk::<BloomState>(ctx, name, chunk)?;
    ctx.replicate_verbatim();
    ctx.signal_modified(name);
    Ok(())
}

pub struct Load;

impl Handler for Load {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        replay::follow(call, || load(call))
    }
}
