//! `FLASHSALE.IMPORT key orders user {qty | ITEMS count sku qty [sku qty ...]} ID id AT sold-at-ms [REF ref] [PAYLOAD json]`
//!
//! This order was sold, whatever the sale knows: it is recorded, and appended to the stream.
//! For orders that a failover lost, and for sales that move here from elsewhere. No window,
//! PAUSE, limit, line, rate, pass or `maxmemory` stops it; the units count against the user's
//! limits, which may be exceeded. Units that the sale does not have are owed: what comes back
//! pays for them before anything is on sale again.
//!
//! - Complexity: O(N log N) with N SKUs in the order.
//! - Reply: `["SOLD", id, order_id]`, also for the same order again.
//! - Refusals: `MISMATCH` (the id is known with another user or other units), `REFUNDED`
//!   (wholly), `["ALREADYSOLD", id, ref]` (under another REF, or under one where none is given,
//!   or the other way round).
//! - Errors: `ERR` arity, syntax, AT not in milliseconds or more than a minute ahead, not the
//!   sale's stream, or a sum beyond 2^53 - 1; `NOSALE`, `WRONGTYPE`, `NOSKU` (RESTOCK NEW adds
//!   an item), `OOM` (a new id beyond `max-reservations`).
//! - Replicates: the event `Imported`; nothing when refused.
//! - Notifies: `flashsale.imported`, and `flashsale.soldout` or `flashsale.allreserved` per
//!   item; `xadd` on `orders`.

use crate::clock;
use crate::command::args::{Args, once};
use crate::command::items::{UNITS, parse_units};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{BEYOND_SINCE, Handler};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, TextBuf};
use crate::names;
use flashsale_engine::sale;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.IMPORT",
    summary: "Records an order that was sold elsewhere, or that a failover lost.",
    complexity: "O(N log N) with N SKUs in the order",
    since: BEYOND_SINCE,
    flags: "write fast",
    arity: -9,
    keys: &[KeySpec::update(1), KeySpec::insert(2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::string("user"),
        UNITS,
        Argument::string("id").after("ID"),
        Argument::unix_time("sold-at-ms").after("AT"),
        Argument::string("ref").after("REF").optional(),
        Argument::string("json").after("PAYLOAD").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

/// The id as it was spelled, and what is asked.
fn parse<'a>(mut args: Args<'a>, now_ms: u64) -> Result<(&'a [u8], sale::Import<'a>), Error> {
    args.word("key")?;
    args.word("orders")?;
    let user = args.name("user")?;
    if args.keyword("UNITS") {
        return Err(Error::new(
            "UNITS: orders of units with names cannot be imported yet",
        ));
    }
    let ask = parse_units(&mut args)?;
    let (mut id, mut sold_at_ms, mut reference, mut payload) = (None, None, None, None);
    while !args.is_empty() {
        if args.keyword("ID") {
            once(&mut id, "ID", args.name("ID")?)?;
        } else if args.keyword("AT") {
            once(&mut sold_at_ms, "AT", args.past("AT", now_ms)?)?;
        } else if args.keyword("REF") {
            once(&mut reference, "REF", args.name("REF")?)?;
        } else if args.keyword("PAYLOAD") {
            once(&mut payload, "PAYLOAD", args.payload()?)?;
        } else {
            return Err(args.unknown_option());
        }
    }
    let id = id.ok_or_else(|| Error::new("ID: missing, IMPORT needs one"))?;
    let sold_at_ms = sold_at_ms
        .ok_or_else(|| Error::new("AT: missing, IMPORT needs to know when it was sold"))?;
    let ask = sale::Import {
        user: names::key(user),
        ask,
        id: names::key(id),
        sold_at_ms,
        reference,
        payload,
    };
    Ok((id, ask))
}

pub struct Import;

impl Handler for Import {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let (id, mut ask) = parse(Args::new(call.words()), clock::now_ms())?;
        let mut open = OpenSale::about(call, Some(&mut ask.id), Some(&mut ask.user))?;
        let mut orders = open.orders(call)?;
        let bounds = config::bounds();
        match open.sale().plan_import(open.now_ms, &ask, &bounds) {
            Ok(pending) => {
                let done = open.commit_order(&mut orders, pending, TextBuf::new(id).as_text())?;
                reply::with_entry(call.reply(), Word::Sold, id, done.entry);
                Ok(())
            }
            Err(answer) => {
                let about = About::units(id, Some(&ask.ask));
                reply::answer(call.reply(), open.sale(), &about, answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flashsale_engine::sale::Ask;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn parsed<'a>(words: &'a [&'a [u8]]) -> Result<(&'a [u8], sale::Import<'a>), String> {
        parse(Args::new(words), NOW_MS).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_who_bought_what_and_when_in_any_order() {
        let words: [&[u8]; 13] = [
            b"IMPORT",
            b"k",
            b"o",
            b"u",
            b"2",
            b"at",
            b"1800000060000",
            b"PAYLOAD",
            b"{}",
            b"REF",
            b"r",
            b"ID",
            b"i",
        ];
        let (id, ask) = parsed(&words).unwrap();
        assert_eq!(
            (id, ask.id, ask.user),
            (&b"i"[..], names::key(b"i"), names::key(b"u"))
        );
        assert_eq!((ask.ask, ask.sold_at_ms), (Ask::Qty(2), NOW_MS + 60_000));
        assert_eq!(
            (ask.reference, ask.payload),
            (Some(&b"r"[..]), Some(&b"{}"[..]))
        );
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 7] = [
            (
                &[b"AT", b"1800000000000"],
                "ERR ID: missing, IMPORT needs one",
            ),
            (
                &[b"ID", b"i"],
                "ERR AT: missing, IMPORT needs to know when it was sold",
            ),
            (
                &[b"ID", b"i", b"AT", b"1800000060001"],
                "ERR AT: '1800000060001' is more than a minute ahead of this server's clock",
            ),
            (
                &[b"ID", b"i", b"AT", b"1800000000"],
                "ERR AT: is '1800000000' in seconds, or a time of day? It is Unix time in \
                 milliseconds, from 100000000000 to 10000000000000",
            ),
            (
                &[b"ID", b"i", b"AT", b"1800000000000000"],
                "ERR AT: is '1800000000000000' in microseconds? It is Unix time in milliseconds, \
                 from 100000000000 to 10000000000000",
            ),
            (
                &[b"AT", b"1800000000000", b"AT", b"1800000000000"],
                "ERR AT: given twice",
            ),
            (
                &[b"FROM", b"a"],
                "ERR syntax: unknown option 'FROM', see FLASHSALE.HELP",
            ),
        ];
        for (options, text) in refused {
            let words = [&[&b"IMPORT"[..], b"k", b"o", b"u", b"1"], options].concat();
            assert_eq!(parsed(&words).err().unwrap(), text);
        }
        let words: [&[u8]; 6] = [b"IMPORT", b"k", b"o", b"u", b"UNITS", b"1"];
        assert_eq!(
            parsed(&words).err().unwrap(),
            "ERR UNITS: orders of units with names cannot be imported yet"
        );
    }
}
