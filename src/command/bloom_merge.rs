//! `FLASHSALE.BFMERGE dest src [src ...]`
//!
//! Makes `dest` contain what it and the sources contain. Where there is no `dest`, it is
//! made as a copy of the first source. All filters must have been made alike: the same
//! error rate, expansion and capacity.
//!
//! The error rate holds afterwards: a merge that would put more items into a link than it
//! has room for is refused. Items are counted for each filter, those in common as well.
//! So filters to be merged are best made NONSCALING, each with room for all; once a filter
//! has grown, only one that is empty, or its own earlier copy, merges with it. The same
//! source twice, or again, counts once.
//!
//! - Complexity: O(S) with S bytes of all filters.
//! - Reply: `OK`.
//! - Errors: `ERR` arity; `not found` with the name of a source that is missing;
//!   `WRONGTYPE`; how a source differs, or which link would be overfull; too little
//!   memory. Nothing has changed then.
//! - Replicates: itself, as FLASHSALE.BFMERGE; nothing when it brings nothing new.

use super::bloom_args::{no_memory, wrong_arity};
use super::{Handler, SINCE, text};
use crate::bloom::{Bloom, MergeError};
use crate::bloom_replication;
use crate::datatype::{BloomKey, bloom_key};
use crate::error::{Error, echo};
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFMERGE",
    summary: "Makes a Bloom filter contain what others contain.",
    complexity: "O(S) with S bytes of all filters",
    since: SINCE,
    flags: "write deny-oom",
    arity: -3,
    keys: &[KeySpec::update(1), KeySpec::read(2).through(-1)],
    arguments: &[Argument::key("dest", 0), Argument::key("src", 1).multiple()],
    tips: "",
    internal: false,
};

/// The sources, each once, and without the destination: that has all of its own.
fn sources<'c>(call: &Call<'c>) -> Result<Vec<BloomKey<'c>>, Error> {
    let mut keys: Vec<BloomKey<'c>> = Vec::new();
    let dest = text(call, 1)?.bytes();
    for &name in call.arguments().get(1..).unwrap_or_default() {
        let is_known = |key: &BloomKey<'_>| key.name().bytes() == name.bytes();
        if keys.iter().any(is_known) {
            continue;
        }
        match bloom_key::open_read(call.ctx(), name)? {
            Some(_) if name.bytes() == dest => {}
            Some(key) => keys.push(key),
            None => return Err(Error::new(format!("not found: '{}'", echo(name.bytes())))),
        }
    }
    Ok(keys)
}

fn refused(sources: &[BloomKey<'_>], position: usize, error: MergeError) -> Error {
    let name = sources.get(position).map(|key| key.name().bytes());
    Error::new(format!("src: '{}' {error}", echo(name.unwrap_or_default())))
}

fn merge(call: &Call<'_>) -> Result<(), Error> {
    if call.words().len() < 3 {
        return Err(wrong_arity(call.words()));
    }
    let (ctx, name) = (call.ctx(), text(call, 1)?);
    let dest = bloom_key::open_write(ctx, name)?;
    let keys = sources(call)?;
    let blooms: Vec<&Bloom> = keys.iter().map(|key| key.bloom()).collect();
    let (base, first) = match (&dest, blooms.first()) {
        (Some(dest), _) => (dest.bloom(), 0),
        (None, Some(bloom)) => (*bloom, 1),
        (None, None) => return Err(Error::new("not found")),
    };
    let others = blooms.get(first..).unwrap_or_default();
    let new = base
        .plan_merge(others)
        .map_err(|(position, error)| refused(&keys, first + position, error))?;
    let new = new.iter().filter_map(|&position| others.get(position));
    let new: Vec<&Bloom> = new.copied().collect();
    match dest {
        Some(_) if new.is_empty() => {}
        Some(mut dest) => bloom_replication::commit_merge(call, &mut dest, &new),
        None => {
            let copy = base.try_clone().ok_or_else(no_memory)?;
            bloom_replication::commit_merge_anew(call, name, copy, &new)?;
        }
    }
    call.reply().ok();
    Ok(())
}

pub struct Merge;

impl Handler for Merge {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        bloom_replication::settle(call, merge(call))
    }
}
