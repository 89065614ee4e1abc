//! `FLASHSALE.MRESERVE key ENTRIES n user qty id [user qty id ...] [SKU sku] [HOLD ms]`
//!
//! Independent RESERVEs of many users in one command, carried out in the order written, each
//! as if it had been sent alone at this moment: the same user twice is counted twice, the same
//! id twice is a replay. `SKU` and `HOLD` are for all of them; without `SKU`, the item that a
//! bare quantity means. Ids are mandatory: one that the server made could not be retried.
//!
//! - Complexity: O(N) with N entries, and the overdue reservations returned on the way.
//! - Reply: an array of N elements, each what RESERVE would answer to its entry.
//! - Errors: `ERR` arity or syntax, N that does not fit the words or `batch-max`, `NOSALE`,
//!   `WRONGTYPE`: nothing has changed then. A name or a quantity that is wrong, `NOSKU` and
//!   `OOM` are errors in the place of their entry, and the others go on.
//! - Replicates: the events of all entries, in one container; nothing when all are refused.
//! - Notifies: as RESERVE, for each entry.

use crate::command::args::{Args, once};
use crate::command::batch::{self, Asked, Entries};
use crate::command::{BATCHES_SINCE, Handler};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::{self, Entry};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.MRESERVE",
    summary: "Sets units aside for many users, each as RESERVE does.",
    complexity: "O(N) with N entries",
    since: BATCHES_SINCE,
    flags: "write",
    arity: -7,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::integer("n").after("ENTRIES"),
        Argument::block(
            "entry",
            &[
                Argument::string("user"),
                Argument::integer("qty"),
                Argument::string("id"),
            ],
        )
        .multiple(),
        Argument::string("sku").after("SKU").optional(),
        Argument::integer("ms").after("HOLD").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

/// `user qty id`
const WIDTH: usize = 3;

#[derive(Debug)]
struct Request<'a> {
    entries: Entries<'a>,
    sku: Option<&'a [u8]>,
    hold_ms: Option<u64>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>, batch_max: u64) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let entries = Entries::parse(&mut args, WIDTH, batch_max)?;
        let (mut sku, mut hold_ms) = (None, None);
        while !args.is_empty() {
            if args.keyword("SKU") {
                once(&mut sku, "SKU", args.sku()?)?;
            } else if args.keyword("HOLD") {
                once(&mut hold_ms, "HOLD", args.integer("HOLD", 1)?)?;
            } else {
                return Err(entries.unknown_option(&args));
            }
        }
        Ok(Request {
            entries,
            sku,
            hold_ms,
        })
    }

    fn read(&self, mut args: Args<'a>) -> Result<Asked<'a>, Error> {
        let user = args.name("user")?;
        let qty = args.integer("qty", 1)?;
        let id = args.name("id")?;
        let entry = Entry::Reserve(sale::Reserve {
            user: names::key(user),
            ask: batch::ask(self.sku, qty),
            units: &[],
            id: names::key(id),
            hold_ms: self.hold_ms,
            replaces: None,
            waits: false,
            pass: sale::Pass::Vouched,
        });
        Ok(Asked {
            id,
            id_at: 2,
            entry,
        })
    }
}

pub struct MultiReserve;

impl Handler for MultiReserve {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let request = Request::parse(Args::new(call.words()), config::batch_max())?;
        batch::answer(call, &COMMAND, request.entries, |words| request.read(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flashsale_engine::sale::Ask;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Request<'a>, String> {
        Request::parse(Args::new(words), 3).map_err(|error| error.to_string())
    }

    #[test]
    fn options_follow_the_entries_in_any_order() {
        let line: [&[u8]; 14] = [
            b"MRESERVE",
            b"k",
            b"entries",
            b"2",
            b"ann",
            b"1",
            b"a-1",
            b"SKU",
            b"HOLD",
            b"ID",
            b"hold",
            b"9",
            b"sku",
            b"a",
        ];
        let request = parse(&line).unwrap();
        assert_eq!((request.sku, request.hold_ms), (Some(&b"a"[..]), Some(9)));
        let asked = request.read(Args::of(&line[4..7])).unwrap();
        let Entry::Reserve(ask) = asked.entry else {
            panic!("a RESERVE")
        };
        assert_eq!((asked.id_at, ask.hold_ms), (2, Some(9)));
        assert_eq!(ask.ask, Ask::Items([(&b"a"[..], 1)].into_iter().collect()));
        // What stands in an entry is no option, whatever it looks like.
        let error = request.read(Args::of(&line[7..10])).err().unwrap();
        assert_eq!(
            error.to_string(),
            "ERR qty: 'HOLD' is not an integer from 1 to 9007199254740991"
        );
    }

    #[test]
    fn a_line_that_makes_no_sense_is_one_error() {
        let of_one: [&[u8]; 7] = [b"MRESERVE", b"k", b"ENTRIES", b"1", b"u", b"x", b""];
        assert!(parse(&of_one).is_ok());
        let count = |n: &'static [u8]| {
            let mut line = of_one;
            line[3] = n;
            parse(&line).err().unwrap()
        };
        let range = "is not an integer from 1 to 9007199254740991";
        assert_eq!(count(b"0"), format!("ERR n: '0' {range}"));
        assert_eq!(count(b"one"), format!("ERR n: 'one' {range}"));
        let most = "ERR n: 4 entries, at most 3 are allowed (batch-max)";
        assert_eq!(count(b"4"), most);
        let few = "ERR n: 2 entries of 3 words each, but 3 words follow";
        assert_eq!(count(b"2"), few);
        let mut line = of_one;
        line[2] = b"ITEMS";
        assert_eq!(
            parse(&line).err().unwrap(),
            "ERR syntax: ENTRIES is missing"
        );
        let with = |more: &str| {
            let line: Vec<&[u8]> = of_one
                .into_iter()
                .chain(more.split(' ').map(str::as_bytes))
                .collect();
            parse(&line).err().unwrap()
        };
        for (more, text) in [
            (
                "bob 1 b-1",
                "ERR syntax: unknown option 'bob' after the 3 words of ENTRIES 1, see FLASHSALE.HELP",
            ),
            ("SKU", "ERR sku: missing"),
            ("SKU ", "ERR sku: 0 bytes, not 1 to 128"),
            ("SKU a SKU a", "ERR SKU: given twice"),
            (
                "HOLD 0",
                "ERR HOLD: '0' is not an integer from 1 to 9007199254740991",
            ),
        ] {
            assert_eq!(with(more), text);
        }
    }
}
