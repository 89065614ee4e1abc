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
//! - Replicates: the event `Merged`, with the sources that bring something new; nothing
//!   when none does.

use std::collections::HashSet;
use std::hash::Hash;

use crate::change;
use crate::command::bloom::args::{no_memory, wrong_arity};
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::{BloomKey, bloom_key};
use crate::error::{Error, echo};
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Text};
use flashsale_engine::bloom::{Bloom, MergeError};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFMERGE",
    summary: "Makes a Bloom filter contain what others contain.",
    complexity: "O(S) with S bytes of all filters",
    since: FILTERS_SINCE,
    flags: "write deny-oom",
    arity: -3,
    keys: &[KeySpec::update(1), KeySpec::read(2).through(-1)],
    arguments: &[Argument::key("dest", 0), Argument::key("src", 1).multiple()],
    tips: "",
    internal: false,
};

/// The values that have not come before. The set draws a random key, so that nobody can
/// choose values that collide; to look for each among all others is not to be paid for
/// tens of thousands of sources.
fn first_of_each<V: Copy, K: Hash + Eq>(values: &[V], key: impl Fn(V) -> K) -> Vec<V> {
    let mut known = HashSet::with_capacity(values.len());
    let is_new = |value: &&V| known.insert(key(**value));
    values.iter().filter(is_new).copied().collect()
}

/// The sources, each once, and without the destination: that has all of its own.
fn sources<'c>(call: &Call<'c>) -> Result<Vec<BloomKey<'c>>, Error> {
    let mut keys: Vec<BloomKey<'c>> = Vec::new();
    let dest = text(call, 1)?.bytes();
    let names = call.arguments().get(1..).unwrap_or_default();
    for name in first_of_each(names, Text::bytes) {
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

pub struct Merge;

impl Handler for Merge {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        if call.words().len() < 3 {
            return Err(wrong_arity(call.words()));
        }
        let (ctx, name) = (call.ctx(), text(call, 1)?);
        let dest = bloom_key::open_write(ctx, name)?;
        let keys = sources(call)?;
        // Where there is no destination, it begins as a copy of the first source.
        let first = usize::from(dest.is_none());
        let base = dest.as_ref().or(keys.first());
        let base = base.ok_or_else(|| Error::new("not found"))?.bloom();
        let others = keys.get(first..).unwrap_or_default();
        let blooms: Vec<&Bloom> = others.iter().map(|key| key.bloom()).collect();
        let new = base
            .plan_merge(&blooms)
            .map_err(|(position, error)| refused(others, position, error))?;
        let new = new.iter().filter_map(|&position| others.get(position));
        let used: Vec<&BloomKey<'_>> = keys.iter().take(first).chain(new).collect();
        match dest {
            Some(_) if used.is_empty() => {}
            Some(mut dest) => change::bloom::commit_merge(ctx, &mut dest, &used),
            None => {
                let copy = base.try_clone_for(&blooms).ok_or_else(no_memory)?;
                change::bloom::commit_merge_anew(ctx, name, copy, &used)?;
            }
        }
        call.reply().ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;

    use super::*;

    thread_local! {
        static LOOKS: Cell<u64> = const { Cell::new(0) };
    }

    /// A name that counts how often it is looked at.
    struct Counted(u32);

    impl PartialEq for Counted {
        fn eq(&self, other: &Counted) -> bool {
            LOOKS.set(LOOKS.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            LOOKS.set(LOOKS.get() + 1);
            self.0.hash(state);
        }
    }

    #[test]
    fn each_source_is_looked_at_a_few_times_however_many_there_are() {
        for (sources, names) in [(30_000, 30_000), (30_000, 10)] {
            LOOKS.set(0);
            let all: Vec<u32> = (0..sources).map(|source| source % names).collect();
            let first = first_of_each(&all, Counted);
            assert_eq!(first, (0..names).collect::<Vec<_>>());
            assert!(LOOKS.get() <= 3 * u64::from(sources), "{}", LOOKS.get());
        }
    }
}
