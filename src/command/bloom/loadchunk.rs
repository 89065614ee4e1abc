//! `FLASHSALE.BFLOADCHUNK key iterator data`
//!
//! Loads a piece that SCANDUMP returned, with the iterator it came with. The first makes the
//! filter, which must not be there yet; the others follow in order. Until the last has
//! come, the filter takes no other command: half of it would deny what it contains.
//!
//! The pieces are those of the dump that was begun, and no others: not those of another
//! filter, nor of the same one after it grew, nor of RedisBloom, whose filters have other
//! bits. A piece that came before may come again.
//!
//! - Complexity: O(N) with N bytes of the piece.
//! - Reply: `OK`.
//! - Errors: in this order, `ERR` arity; `Second argument must be numeric`; `WRONGTYPE`;
//!   `not found`; `received bad data`, and what is wrong with it where that is known; `the
//!   data is of a newer version`; too little memory.
//! - Replicates: the event `Begun` or `Loaded`; nothing when the piece came before.

use crate::change;
use crate::command::bloom::args::{integer, wrong_arity};
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::{self, BloomState, Loadable, bloom_key};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::{FillError, Piece, open_piece};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFLOADCHUNK",
    summary: "Loads a piece of a Bloom filter that was dumped elsewhere.",
    complexity: "O(N) with N bytes of the piece",
    since: FILTERS_SINCE,
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

fn refused(error: FillError) -> Error {
    Error::new(error.to_string())
}

fn load(call: &Call<'_>) -> Result<(), Error> {
    let [_, _, iterator, data] = call.words() else {
        return Err(wrong_arity(call.words()));
    };
    let iterator =
        integer(iterator).ok_or_else(|| Error::new("Second argument must be numeric"))?;
    let (ctx, name) = (call.ctx(), text(call, 1)?);
    let key = bloom_key::open_to_load(ctx, name)?;
    if key.is_none() && iterator != HEADER {
        return Err(Error::new("not found"));
    }
    let piece = open_piece(iterator, data).map_err(refused)?;
    let Some(mut key) = key else {
        let Piece::Header(header) = piece else {
            return Err(refused(FillError::BadData));
        };
        return change::bloom::commit_begin(ctx, name, header);
    };
    let event = match &*key {
        Loadable::Whole(BloomState::Live(live)) => {
            return live.bloom().check_loaded(&piece).map_err(refused);
        }
        Loadable::Whole(BloomState::Importing(live)) => {
            live.import().plan_piece(&piece).map_err(refused)?
        }
        Loadable::Partly(_) => return Err(datatype::partly_loaded::<BloomState>()),
    };
    if let Some(event) = event {
        change::bloom::commit_bits(ctx, &mut key, &event)
            .map_err(|_| refused(FillError::NoMemory))?;
    }
    Ok(())
}

pub struct LoadChunk;

impl Handler for LoadChunk {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        if call.ctx().flags().is_loading() {
            return change::bloom::refuse_foreign_filter(call);
        }
        load(call)?;
        call.reply().ok();
        Ok(())
    }
}
