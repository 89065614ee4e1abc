//! `FLASHSALE.RATELOAD key chunk`
//!
//! Brings one chunk of a rate limit, from a rewritten AOF or from the server that gives the
//! limit's slot to this one or to this one's primary; the last one makes it whole.
//! Internal: an error from any other client.
//!
//! - Complexity: O(N) with N subjects in the chunk.
//! - Reply: `OK`: a chunk that cannot be read or does not fit is counted, and reported in
//!   the log. Of an AOF, it ends the start; with `load-damaged yes` the limit is left out.
//! - Errors: `ERR` from a client; what does not fit, to the source of a slot import, which
//!   then keeps the slot.
//! - Replicates: itself, as it came; `DEL` when it does not fit the chunks before it.

use crate::change::replay;
use crate::command::args::Args;
use crate::command::{Handler, LIMITS_SINCE, text};
use crate::datatype::{self, LiveLimit};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RATELOAD",
    summary: "Brings one chunk of a rate limit from a rewritten AOF or another server. Internal.",
    complexity: "O(N) with N subjects in the chunk",
    since: LIMITS_SINCE,
    flags: "write",
    arity: 3,
    keys: &[KeySpec::update(1)],
    arguments: &[Argument::key("key", 0), Argument::string("chunk")],
    tips: "",
    internal: true,
};

fn parse<'a>(mut args: Args<'a>) -> Result<&'a [u8], Error> {
    args.word("key")?;
    let chunk = args.word("chunk")?;
    args.end()?;
    Ok(chunk)
}

fn load(call: &Call<'_>) -> Result<(), Error> {
    let chunk = parse(Args::new(call.words()))?;
    let (ctx, name) = (call.ctx(), text(call, 1)?);
    datatype::load_chunk::<LiveLimit>(ctx, name, chunk)?;
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
