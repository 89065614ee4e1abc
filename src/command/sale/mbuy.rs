//! `FLASHSALE.MBUY key orders ENTRIES n user qty id ref [user qty id ref ...] [SKU sku]`
//!
//! Independent BUYs of many users in one command, carried out in the order written, each as if
//! it had been sent alone at this moment. An empty `ref` is none. `SKU` is for all of them;
//! without it, the item that a bare quantity means.
//!
//! - Complexity: O(N) with N entries, and the overdue reservations returned on the way.
//! - Reply: an array of N elements, each what BUY would answer to its entry.
//! - Errors: `ERR` arity or syntax, N that does not fit the words or `batch-max`, not the
//!   sale's stream; `NOSALE`, `WRONGTYPE`: nothing has changed then. A name or a quantity that
//!   is wrong, `NOSKU`, `OOM` and a stream that takes no further entry are errors in the place
//!   of their entry, and the others go on.
//! - Replicates: the events of all entries, in one container; nothing when all are refused.
//! - Notifies: as BUY, for each entry.

use crate::command::args::{Args, once, or_orders_missing};
use crate::command::batch::{self, Asked, Entries};
use crate::command::{BATCHES_SINCE, Handler};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::{self, Entry};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.MBUY",
    summary: "Sells units to many users and appends the orders to the stream, each as BUY does.",
    complexity: "O(N) with N entries",
    since: BATCHES_SINCE,
    flags: "write",
    arity: -9,
    keys: &[KeySpec::update(1), KeySpec::insert(2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::integer("n").after("ENTRIES"),
        Argument::block(
            "entry",
            &[
                Argument::string("user"),
                Argument::integer("qty"),
                Argument::string("id"),
                Argument::string("ref"),
            ],
        )
        .multiple(),
        Argument::string("sku").after("SKU").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

/// `user qty id ref`
const WIDTH: usize = 4;

struct Request<'a> {
    entries: Entries<'a>,
    sku: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>, batch_max: u64) -> Result<Request<'a>, Error> {
        args.word("key")?;
        args.word("orders")?;
        let entries = Entries::parse(&mut args, WIDTH, batch_max)?;
        let mut sku = None;
        while !args.is_empty() {
            if !args.keyword("SKU") {
                return Err(entries.unknown_option(&args));
            }
            once(&mut sku, "SKU", args.sku()?)?;
        }
        Ok(Request { entries, sku })
    }

    fn read(&self, mut args: Args<'a>) -> Result<Asked<'a>, Error> {
        let user = args.name("user")?;
        let qty = args.integer("qty", 1)?;
        let id = args.name("id")?;
        let reference = batch::reference(&mut args)?;
        let ask = sale::Reserve {
            user: names::key(user),
            ask: batch::ask(self.sku, qty),
            id: names::key(id),
            hold_ms: None,
            replaces: None,
            waits: false,
            pass: sale::Pass::Vouched,
        };
        Ok(Asked {
            id,
            id_at: 2,
            entry: Entry::Buy { ask, reference },
        })
    }
}

pub struct MultiBuy;

impl Handler for MultiBuy {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let reads = |args: Args<'_>| Request::parse(args, config::batch_max()).is_ok();
        let request = Request::parse(Args::new(call.words()), config::batch_max())
            .map_err(|error| or_orders_missing(error, call.words(), reads))?;
        batch::answer(call, &COMMAND, request.entries, |words| request.read(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_ref_is_none() {
        let line: [&[u8]; 15] = [
            b"MBUY", b"k", b"o", b"ENTRIES", b"2", b"ann", b"1", b"a-1", b"", b"bob", b"2", b"b-1",
            b"p", b"SKU", b"a",
        ];
        let request = Request::parse(Args::new(&line), 2).unwrap();
        assert_eq!(request.sku, Some(&b"a"[..]));
        let reference = |words: &[&'static [u8]]| {
            let words = words.to_vec();
            let asked = request.read(Args::of(words.leak())).ok()?;
            match asked.entry {
                Entry::Buy { reference, .. } => Some(reference.map(<[u8]>::to_vec)),
                _ => None,
            }
        };
        assert_eq!(reference(&line[5..9]), Some(None));
        assert_eq!(reference(&line[9..13]), Some(Some(b"p".to_vec())));
    }

    #[test]
    fn takes_no_hold() {
        let line: [&[u8]; 11] = [
            b"MBUY", b"k", b"o", b"ENTRIES", b"1", b"ann", b"1", b"a-1", b"", b"HOLD", b"1",
        ];
        let error = Request::parse(Args::new(&line), 2).err().unwrap();
        assert_eq!(
            error.to_string(),
            "ERR syntax: unknown option 'HOLD' after the 4 words of ENTRIES 1, see FLASHSALE.HELP"
        );
    }
}
