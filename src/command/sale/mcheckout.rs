//! `FLASHSALE.MCHECKOUT key orders ENTRIES n id ref [id ref ...]`
//!
//! Independent CHECKOUTs in one command, carried out in the order written, each as if it had
//! been sent alone at this moment. An empty `ref` is none.
//!
//! - Complexity: O(N) with N SKUs in all reservations together.
//! - Reply: an array of as many elements as entries, each what CHECKOUT would answer to its
//!   entry.
//! - Errors: `ERR` arity or syntax, n that does not fit the words or `batch-max`, not the
//!   sale's stream; `NOSALE`, `WRONGTYPE`: nothing has changed then. A name that is wrong and a
//!   stream that takes no further entry are errors in the place of their entry, and the others
//!   go on.
//! - Replicates: the events of all entries, in one container; nothing when all are refused.
//! - Notifies: as CHECKOUT, for each entry.

use crate::command::args::{Args, or_orders_missing};
use crate::command::batch::{self, Asked, Entries};
use crate::command::{BATCHES_SINCE, Handler};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::{self, Entry};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.MCHECKOUT",
    summary: "Turns many reservations into sales and appends the orders to the stream, each as \
              CHECKOUT does.",
    complexity: "O(N) with N SKUs in all reservations together",
    since: BATCHES_SINCE,
    flags: "write",
    arity: -7,
    keys: &[KeySpec::update(1), KeySpec::insert(2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::integer("n").after("ENTRIES"),
        Argument::block("entry", &[Argument::string("id"), Argument::string("ref")]).multiple(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

/// `id ref`
const WIDTH: usize = 2;

fn parse(mut args: Args<'_>, batch_max: u64) -> Result<Entries<'_>, Error> {
    args.word("key")?;
    args.word("orders")?;
    let entries = Entries::parse(&mut args, WIDTH, batch_max)?;
    if !args.is_empty() {
        return Err(entries.unknown_option(&args));
    }
    Ok(entries)
}

fn read(mut args: Args<'_>) -> Result<Asked<'_>, Error> {
    let id = args.name("id")?;
    let entry = Entry::Checkout(sale::Checkout {
        id: names::key(id),
        user: None,
        reference: batch::reference(&mut args)?,
        payload: None,
    });
    Ok(Asked {
        id,
        id_at: 0,
        entry,
    })
}

pub struct MultiCheckout;

impl Handler for MultiCheckout {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let reads = |args: Args<'_>| parse(args, config::batch_max()).is_ok();
        let entries = parse(Args::new(call.words()), config::batch_max())
            .map_err(|error| or_orders_missing(error, call.words(), reads))?;
        batch::answer(call, &COMMAND, entries, read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_pairs_of_id_and_ref_and_nothing_after_them() {
        let line: [&[u8]; 9] = [
            b"MCHECKOUT",
            b"k",
            b"o",
            b"ENTRIES",
            b"2",
            b"a-1",
            b"",
            b"b-1",
            b"p",
        ];
        assert!(parse(Args::new(&line), 2).is_ok());
        let longer = [&line[..], &[b"USER"]].concat();
        assert!(parse(Args::new(&longer), 2).is_err());
        assert!(parse(Args::new(&line[..8]), 2).is_err());
        let long = vec![b'r'; 256];
        let words = [&b"a-1"[..], &long];
        let error = read(Args::of(&words)).err().unwrap();
        assert_eq!(error.to_string(), "ERR ref: 256 bytes, not 0 to 255");
    }
}
