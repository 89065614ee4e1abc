//! `FLASHSALE.BFLOADCHUNK key iterator data`
//!
//! Loads a piece that SCANDUMP told, with the iterator it came with. The first makes the
//! filter, which must not be there yet. Until the last has come, the filter denies items
//! it will contain: load under another name, then RENAME.
//!
//! Loading sets bits and clears none: items added meanwhile stay, and a piece may come
//! again. Dumps of RedisBloom have other bits, and are refused.
//!
//! - Complexity: O(N) with N bytes of the piece; O(S) with S bytes of the filter for the
//!   first.
//! - Reply: `OK`.
//! - Errors: in this order, `ERR` arity; `Second argument must be numeric`; `WRONGTYPE`;
//!   `not found`; `received bad data`, `invalid offset - no link found`, `invalid chunk -
//!   Too big for current filter`; too little memory.
//! - Replicates: itself, as FLASHSALE.BFLOADCHUNK; nothing when it brings nothing new.

use super::bloom_args::{fits_maxmemory, integer, no_memory, wrong_arity};
use super::{Handler, SINCE, text};
use crate::bloom::{Bloom, FillError};
use crate::bloom_replication;
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFLOADCHUNK",
    summary: "Loads a piece of a Bloom filter that was told elsewhere.",
    complexity: "O(N) with N bytes of the piece",
    since: SINCE,
    flags: "write deny-oom",
    arity: 4,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::integer("iterator"),
        Argument::string("data"),
    ],
    tips: "",
    internal: false,
};

/// The iterator that comes with the header.
const HEADER: i64 = 1;

fn load(call: &Call<'_>) -> Result<(), Error> {
    let [_, _, iterator, data] = call.words() else {
        return Err(wrong_arity(call.words()));
    };
    let iterator =
        integer(iterator).ok_or_else(|| Error::new("Second argument must be numeric"))?;
    let (ctx, name) = (call.ctx(), text(call, 1)?);
    let refused = |error: FillError| Error::new(error.to_string());
    match bloom_key::open_write(ctx, name)? {
        Some(mut key) => {
            let place = key.bloom().plan_fill(iterator, data).map_err(refused)?;
            bloom_replication::commit_piece(call, &mut key, place, data);
        }
        None if iterator == HEADER => {
            let bloom = Bloom::from_dumped_header(data).map_err(refused)?;
            // Not asked by a replica: it has what its primary has.
            if !bloom_replication::is_replay(ctx) && !fits_maxmemory(ctx, bloom.links()) {
                return Err(no_memory());
            }
            bloom_replication::commit_header(call, name, bloom)?;
        }
        None => return Err(Error::new("not found")),
    }
    call.reply().ok();
    Ok(())
}

pub struct LoadChunk;

impl Handler for LoadChunk {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        bloom_replication::settle(call, load(call))
    }
}
