//! `FLASHSALE.BFDEBUG key`
//!
//! Returns a filter's links, a line each, as RedisBloom does.
//!
//! - Complexity: O(L) with L links.
//! - Reply: an array of lines. `size:` and the items of the filter; then for each link
//!   `bytes:` of its bits, `bits:`, `hashes:` (bits of an item), `hashwidth:64`,
//!   `capacity:`, `size:` (its items), `ratio:` (the error rate it is built for).
//! - Errors: in this order, `ERR` arity; `not found`, `WRONGTYPE`.

use crate::command::bloom::args::wrong_arity;
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::{Filter, LinkRate};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFDEBUG",
    summary: "Returns the size, bits and items of each link of a Bloom filter.",
    complexity: "O(L) with L links of the filter",
    since: FILTERS_SINCE,
    flags: "readonly fast",
    arity: 2,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "",
    internal: false,
};

fn line(link: &Filter, rate: &LinkRate) -> String {
    let shape = link.shape();
    format!(
        "bytes:{} bits:{} hashes:{} hashwidth:64 capacity:{} size:{} ratio:{rate}",
        link.bytes_len(),
        shape.bits(),
        shape.probes_in_all(),
        shape.capacity,
        link.items(),
    )
}

pub struct Debug;

impl Handler for Debug {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let [_, _] = call.words() else {
            return Err(wrong_arity(call.words()));
        };
        let key = bloom_key::found(bloom_key::open_read(call.ctx(), text(call, 1)?)?)?;
        let (bloom, reply) = (key.bloom(), call.reply());
        let settings = bloom.settings();
        reply.array(1 + bloom.links().len());
        reply.bytes(format!("size:{}", bloom.items()).as_bytes());
        for (index, link) in bloom.links().iter().enumerate() {
            let rate = settings.error_rate.of(index, settings.expansion);
            reply.bytes(line(link, &rate).as_bytes());
        }
        Ok(())
    }
}
