//! `FLASHSALE.BFSCANDUMP key iterator`
//!
//! Returns a piece of a filter, to be loaded with LOADCHUNK. Begin with iterator 0, go on
//! with the one each reply gives, until that is 0.
//!
//! Nothing is kept between calls. What is added while a filter is dumped may be in the
//! dump or not; when it grows meanwhile, begin again.
//!
//! - Complexity: O(N) with N bytes of the piece, at most 16 MiB.
//! - Reply: `[iterator, data]`; `[0, ""]` at the end.
//! - Errors: in this order, `ERR` arity; `not found`, `WRONGTYPE`; `Second argument must
//!   be numeric`.

use crate::command::bloom::args::{integer, wrong_arity};
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFSCANDUMP",
    summary: "Returns a piece of a Bloom filter, to be loaded elsewhere.",
    complexity: "O(N) with N bytes of the piece, at most 16 MiB",
    since: FILTERS_SINCE,
    flags: "readonly",
    arity: 3,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0), Argument::integer("iterator")],
    tips: "",
    internal: false,
};

pub struct ScanDump;

impl Handler for ScanDump {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let [_, _, iterator] = call.words() else {
            return Err(wrong_arity(call.words()));
        };
        let key = bloom_key::found(bloom_key::open_read(call.ctx(), text(call, 1)?)?)?;
        let iterator =
            integer(iterator).ok_or_else(|| Error::new("Second argument must be numeric"))?;
        let (next, piece) = key.bloom().dump(iterator);
        let reply = call.reply();
        reply.array(2);
        reply.signed(next);
        reply.bytes(&piece);
        Ok(())
    }
}
