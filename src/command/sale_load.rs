//! `FLASHSALE.LOAD key chunk`
//!
//! Brings back one chunk of a sale from a rewritten AOF; the last one makes the sale
//! whole. Internal: an error from any other client.
//!
//! - Complexity: O(N) with N records in the chunk, O(M) for the last one of a sale
//!   with M.
//! - Reply: `OK`.
//! - Errors: `ERR` from a client, or a damaged chunk; `WRONGTYPE`.
//! - Replicates: itself, as it came.

use super::args::Args;
use super::sale_apply::refuse_clients;
use super::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::expiry;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.LOAD",
    summary: "Brings back one chunk of a sale from a rewritten AOF. Internal.",
    complexity: "O(N) with N records in the chunk",
    since: SINCE,
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

pub struct Load;

impl Handler for Load {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let chunk = parse(Args::new(call.words()))?;
        refuse_clients(call.ctx())?;
        let (ctx, name) = (call.ctx(), text(call, 1)?);
        // The server looks at no reply while it loads.
        let is_whole = datatype::load_chunk(ctx, name, chunk).inspect_err(|error| {
            ctx.warn(&format!("a sale in the AOF cannot be loaded: {error}"))
        })?;
        if is_whole {
            expiry::note(ctx, &mut datatype::open_write(ctx, name)?);
        }
        ctx.replicate_verbatim();
        ctx.signal_modified(name);
        call.reply().ok();
        Ok(())
    }
}
