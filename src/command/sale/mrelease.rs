//! `FLASHSALE.MRELEASE key ENTRIES n id [id ...]`
//!
//! Independent RELEASEs in one command, carried out in the order written, each as if it had
//! been sent alone at this moment.
//!
//! - Complexity: O(N log N) with N SKUs in all reservations together.
//! - Reply: an array of as many elements as entries, each what RELEASE would answer to its
//!   entry.
//! - Errors: `ERR` arity or syntax, n that does not fit the words or `batch-max`, `NOSALE`,
//!   `WRONGTYPE`: nothing has changed then. A name that is wrong and `OOM` are errors in the
//!   place of their entry, and the others go on.
//! - Replicates: the events of all entries, in one container; nothing when all are refused.
//! - Notifies: as RELEASE, for each entry.

use crate::command::args::Args;
use crate::command::batch::{self, Asked, Entries};
use crate::command::{BATCHES_SINCE, Handler};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::Entry;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.MRELEASE",
    summary: "Gives the units of many reservations back, each as RELEASE does.",
    complexity: "O(N log N) with N SKUs in all reservations together",
    since: BATCHES_SINCE,
    flags: "write",
    arity: -5,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::integer("n").after("ENTRIES"),
        Argument::string("id").multiple(),
    ],
    tips: "",
    internal: false,
};

/// `id`
const WIDTH: usize = 1;

fn parse(mut args: Args<'_>, batch_max: u64) -> Result<Entries<'_>, Error> {
    args.word("key")?;
    let entries = Entries::parse(&mut args, WIDTH, batch_max)?;
    if !args.is_empty() {
        return Err(entries.unknown_option(&args));
    }
    Ok(entries)
}

fn read(mut args: Args<'_>) -> Result<Asked<'_>, Error> {
    let id = args.name("id")?;
    let entry = Entry::Release(names::key(id));
    Ok(Asked {
        id,
        id_at: 0,
        entry,
    })
}

pub struct MultiRelease;

impl Handler for MultiRelease {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let entries = parse(Args::new(call.words()), config::batch_max())?;
        batch::answer(call, &COMMAND, entries, read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_ids_and_nothing_after_them() {
        let line: [&[u8]; 6] = [b"MRELEASE", b"k", b"ENTRIES", b"2", b"a-1", b""];
        assert!(parse(Args::new(&line), 2).is_ok());
        assert!(parse(Args::new(&line[..5]), 2).is_err());
        assert!(parse(Args::new(&[&line[..], &[b"x"]].concat()), 2).is_err());
        let error = read(Args::of(&line[5..])).err().unwrap();
        assert_eq!(error.to_string(), "ERR id: 0 bytes, not 1 to 255");
    }
}
