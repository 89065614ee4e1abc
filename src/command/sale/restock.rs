//! `FLASHSALE.RESTOCK key {delta | ITEMS count sku delta [sku delta ...] | UNITS sku count unit [unit ...]} [SEALED] [WITHDRAW] [NEW] [REF ref]`
//!
//! Adds units to the stock of items, or takes some away with a negative delta. The same
//! SKU twice is summed, exactly, whatever the order. `delta` alone means the SKU `default`
//! if there is one, else the only item. NEW allows unknown SKUs, with deltas of 0 or more. The
//! same REF again has no second effect; the last 1,000 are remembered.
//!
//! UNITS adds units by their names, at most 10,000, each 1 to 128 bytes of UTF-8 and unique in the
//! sale. The units of one call are a row, side by side in this order, and earlier rows are
//! preferred. An item whose first units have names takes only names from then on. With SEALED the
//! names are codes: only whoever has bought them sees them. A withdrawn unit that is named again
//! comes back to its own place. WITHDRAW takes free units off sale instead; of a sealed item any
//! that are not sold, while enough are available. It takes neither SEALED nor NEW.
//!
//! - Complexity: O(N log N) with N SKUs or units asked for, and O(M) with M REFs remembered.
//! - Reply: `["RESTOCKED", [sku, total, available], ...]`; refusals: `TOOFEW` (below
//!   zero available), `NOTFREE` (a unit to withdraw is reserved, or sold: -1), `MISMATCH` (a REF
//!   that was of another call).
//! - Errors: `ERR` arity, syntax, a sum beyond 2^53 - 1, too many items or units, a name that is
//!   in the sale already, or an item that counts in another way; `NOSALE`, `WRONGTYPE`, `NOSKU`,
//!   `OOM` (new names at `maxmemory`).
//! - Replicates: the event `Restocked`; nothing when refused.
//! - Notifies: `flashsale.restocked`, and `flashsale.backinstock`,
//!   `flashsale.allreserved` or `flashsale.soldout` per item.

use std::collections::HashSet;

use crate::command::args::{Args, flag, no_delta, once};
use crate::command::items::{ITEMS_DELTA, parse_pairs};
use crate::command::named::{UNIT, parse_names};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{Handler, NAMES_SINCE, SINCE};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use crate::info::{self, Outcome};
use flashsale_engine::sale::{
    self, Answer, ItemIndex, RESTOCK_UNITS_MAX, RestockAsk, RestockUnits, Sale,
};

/// `UNITS sku count unit [unit ...]`.
const ROW: Argument = Argument::block(
    "row",
    &[
        Argument::string("sku").after("UNITS"),
        Argument::integer("count"),
        UNIT,
    ],
)
.since(NAMES_SINCE);

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RESTOCK",
    summary: "Adds units to the stock of items, or takes some away.",
    complexity: "O(N log N) with N SKUs or units asked for",
    since: SINCE,
    flags: "write",
    arity: -3,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::one_of("deltas", &[Argument::integer("delta"), ITEMS_DELTA, ROW]),
        Argument::flag("sealed", "SEALED")
            .optional()
            .since(NAMES_SINCE),
        Argument::flag("withdraw", "WITHDRAW")
            .optional()
            .since(NAMES_SINCE),
        Argument::flag("new", "NEW").optional(),
        Argument::string("ref").after("REF").optional(),
    ],
    tips: "",
    internal: false,
};

#[derive(Debug)]
enum Request<'a> {
    Deltas(sale::Restock<'a>),
    Row(RestockUnits<'a>),
}

fn parse<'a>(mut args: Args<'a>) -> Result<Request<'a>, Error> {
    args.word("key")?;
    if args.keyword("UNITS") {
        parse_row(args).map(Request::Row)
    } else {
        parse_deltas(args).map(Request::Deltas)
    }
}

fn parse_row<'a>(mut args: Args<'a>) -> Result<RestockUnits<'a>, Error> {
    let mut row = RestockUnits {
        sku: args.sku()?,
        names: parse_names(&mut args, RESTOCK_UNITS_MAX as u64)?,
        sealed: false,
        new: false,
        withdraw: false,
        reference: None,
    };
    while !args.is_empty() {
        if args.keyword("SEALED") {
            flag(&mut row.sealed, "SEALED")?;
        } else if args.keyword("WITHDRAW") {
            flag(&mut row.withdraw, "WITHDRAW")?;
        } else if args.keyword("NEW") {
            flag(&mut row.new, "NEW")?;
        } else if args.keyword("REF") {
            once(&mut row.reference, "REF", args.name("REF")?)?;
        } else {
            return Err(args.unknown_option());
        }
    }
    match row {
        RestockUnits {
            withdraw: true,
            sealed: true,
            ..
        } => Err(Error::new("SEALED: not with WITHDRAW")),
        RestockUnits {
            withdraw: true,
            new: true,
            ..
        } => Err(Error::new("NEW: not with WITHDRAW")),
        row => Ok(row),
    }
}

fn parse_deltas<'a>(mut args: Args<'a>) -> Result<sale::Restock<'a>, Error> {
    let ask = if args.keyword("ITEMS") {
        let mut items = Vec::new();
        parse_pairs(&mut args, Args::delta, |sku, delta| {
            items.push((sku, delta))
        })?;
        RestockAsk::Items(items)
    } else {
        RestockAsk::Delta(args.delta()?)
    };
    let (mut new, mut reference) = (false, None);
    while !args.is_empty() {
        if args.keyword("NEW") {
            flag(&mut new, "NEW")?;
        } else if args.keyword("SEALED") || args.keyword("WITHDRAW") {
            return Err(Error::new(
                "SEALED, WITHDRAW: only with UNITS, for units that have names",
            ));
        } else if args.keyword("REF") {
            once(&mut reference, "REF", args.name("REF")?)?;
        } else {
            return Err(args.unknown_option());
        }
    }
    let is_nothing = match &ask {
        RestockAsk::Delta(delta) => *delta == 0,
        RestockAsk::Items(items) => items.iter().any(|&(_, delta)| delta == 0),
    };
    // With NEW the sale knows the SKU from then on.
    if is_nothing && !new {
        return Err(no_delta(b"0"));
    }
    Ok(sale::Restock {
        ask,
        new,
        reference,
    })
}

pub struct Restock;

impl Handler for Restock {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        match parse(Args::new(call.words()))? {
            Request::Deltas(request) => answer_deltas(call, &request),
            Request::Row(row) => answer_row(call, &row),
        }
    }
}

fn answer_deltas(call: &Call<'_>, request: &sale::Restock<'_>) -> Result<(), Error> {
    let mut open = OpenSale::of(call)?;
    let bounds = config::bounds();
    match open.sale().plan_restock(open.now_ms, request, &bounds) {
        Ok(event) => {
            open.commit(&event);
        }
        Err(Answer::Restocked) => info::count(Outcome::Replayed, 1),
        Err(answer) => {
            let about = About::deltas(request.reference, &request.ask);
            return reply::answer(call.reply(), open.sale(), &about, answer);
        }
    }
    reply_restocked(call.reply(), open.sale(), &items_of(open.sale(), request));
    Ok(())
}

fn answer_row(call: &Call<'_>, row: &RestockUnits<'_>) -> Result<(), Error> {
    let mut open = OpenSale::of(call)?;
    let bounds = config::bounds();
    match open.sale().plan_restock_units(open.now_ms, row, &bounds) {
        Ok(event) => {
            // What comes back on sale takes no memory.
            if let Err(error) = open.refuse_at_maxmemory()
                && row.names.iter().any(|name| !open.sale().knows_unit(name))
            {
                return Err(error);
            }
            open.commit(&event);
        }
        Err(Answer::Restocked) => info::count(Outcome::Replayed, 1),
        Err(answer) => {
            return reply::answer(call.reply(), open.sale(), &About::row(row), answer);
        }
    }
    let item = open.sale().find_item(row.sku);
    reply_restocked(call.reply(), open.sale(), item.as_slice());
    Ok(())
}

/// The items asked for, each once, in the order first asked.
fn items_of(sale: &Sale, request: &sale::Restock<'_>) -> Vec<ItemIndex> {
    match &request.ask {
        RestockAsk::Delta(_) => sale
            .bare_restock_item(request.reference)
            .into_iter()
            .collect(),
        RestockAsk::Items(asked) => {
            let mut seen = HashSet::with_capacity(asked.len());
            let known = asked.iter().filter_map(|&(sku, _)| sale.find_item(sku));
            known.filter(|item| seen.insert(*item)).collect()
        }
    }
}

/// The present stock of these items.
fn reply_restocked(reply: Reply<'_>, sale: &Sale, items: &[ItemIndex]) {
    reply::status(reply, Word::Restocked, items.len().saturating_add(1));
    for &item in items {
        let item = sale.item(item);
        reply.array(3);
        reply.bytes(item.sku);
        reply.signed(item.total);
        reply.integer(item.available);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_deltas(words: &[&'static [u8]]) -> sale::Restock<'static> {
        match parse(Args::new(words.to_vec().leak())) {
            Ok(Request::Deltas(request)) => request,
            other => panic!("no deltas: {other:?}"),
        }
    }

    #[test]
    fn reads_a_bare_delta_or_items() {
        let words: [&[u8]; 6] = [b"RESTOCK", b"k", b"-3", b"REF", b"r", b"new"];
        let request = parse_deltas(&words);
        assert_eq!(request.ask, RestockAsk::Delta(-3));
        assert!(request.new && request.reference == Some(b"r"));
        let words: [&[u8]; 7] = [b"RESTOCK", b"k", b"ITEMS", b"2", b"a", b"1", b"b"];
        let error = parse(Args::new(&words)).err().unwrap();
        assert_eq!(
            error.to_string(),
            "ERR count: 2 pairs of two words, but 3 words follow"
        );
        let words: [&[u8]; 8] = [b"RESTOCK", b"k", b"items", b"2", b"a", b"1", b"b", b"-2"];
        let request = parse_deltas(&words);
        assert_eq!(request.ask, RestockAsk::Items(vec![(b"a", 1), (b"b", -2)]));
        assert!(!request.new && request.reference.is_none());
        let words: [&[u8]; 4] = [b"RESTOCK", b"k", b"0", b"NEW"];
        assert_eq!(parse_deltas(&words).ask, RestockAsk::Delta(0));
        let error = parse(Args::new(&words[..3])).err().unwrap().to_string();
        assert!(error.ends_with(
            "'0' is not an integer from -9007199254740991 to 9007199254740991, or is 0"
        ));
    }

    #[test]
    fn reads_a_row_of_names() {
        let words: [&[u8]; 10] = [
            b"RESTOCK", b"k", b"units", b"stalls", b"2", b"A-1", b"A-2", b"ref", b"r", b"sealed",
        ];
        let Ok(Request::Row(row)) = parse(Args::new(&words)) else {
            panic!("a row")
        };
        assert_eq!((row.sku, row.names), (&b"stalls"[..], &words[5..7]));
        assert!(row.sealed && !row.new && !row.withdraw);
        assert_eq!(row.reference, Some(&b"r"[..]));
    }

    #[test]
    fn refuses_what_makes_no_sense_of_names() {
        for (line, text) in [
            (
                "UNITS s 1 A WITHDRAW SEALED",
                "ERR SEALED: not with WITHDRAW",
            ),
            ("UNITS s 1 A NEW WITHDRAW", "ERR NEW: not with WITHDRAW"),
            (
                "5 SEALED",
                "ERR SEALED, WITHDRAW: only with UNITS, for units that have names",
            ),
            (
                "ITEMS 1 a 5 WITHDRAW",
                "ERR SEALED, WITHDRAW: only with UNITS, for units that have names",
            ),
            ("UNITS", "ERR sku: missing"),
            ("UNITS s", "ERR count: missing"),
        ] {
            let words: Vec<&[u8]> = ["RESTOCK", "k"]
                .into_iter()
                .chain(line.split(' '))
                .map(str::as_bytes)
                .collect();
            assert_eq!(parse(Args::new(&words)).unwrap_err().to_string(), text);
        }
    }
}
