//! `FLASHSALE.RESTOCK key {delta | ITEMS count sku delta [sku delta ...]} [NEW] [REF ref]`
//!
//! Adds units to the stock of items, or takes some away with a negative delta. The same
//! SKU twice is summed, exactly, whatever the order. `delta` alone means the SKU `default`
//! if there is one, else the only item. NEW allows unknown SKUs, with deltas of 0 or more. The
//! same REF again has no second effect; the last 1,000 are remembered.
//!
//! - Complexity: O(N log N) with N SKUs asked for, and O(M) with M REFs remembered.
//! - Reply: `["RESTOCKED", [sku, total, available], ...]`; refusals: `TOOFEW` (below
//!   zero available), `MISMATCH` (a REF that was of other deltas).
//! - Errors: `ERR` arity, syntax, a sum beyond 2^53 - 1, or too many items; `NOSALE`,
//!   `WRONGTYPE`, `NOSKU`.
//! - Replicates: the event `Restocked`; nothing when refused.
//! - Notifies: `flashsale.restocked`, and `flashsale.backinstock`,
//!   `flashsale.allreserved` or `flashsale.soldout` per item.

use std::collections::HashSet;

use crate::command::args::{Args, flag, no_delta, once};
use crate::command::items::{ITEMS_DELTA, parse_pairs};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{Handler, SINCE};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use crate::info::{self, Outcome};
use flashsale_engine::sale::{self, Answer, ItemIndex, RestockAsk, Sale};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RESTOCK",
    summary: "Adds units to the stock of items, or takes some away.",
    complexity: "O(N log N) with N SKUs asked for",
    since: SINCE,
    flags: "write",
    arity: -3,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::one_of("deltas", &[Argument::integer("delta"), ITEMS_DELTA]),
        Argument::flag("new", "NEW").optional(),
        Argument::string("ref").after("REF").optional(),
    ],
    tips: "",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<sale::Restock<'a>, Error> {
    args.word("key")?;
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
        let request = parse(Args::new(call.words()))?;
        let mut open = OpenSale::of(call)?;
        match open
            .sale()
            .plan_restock(open.now_ms, &request, &config::bounds())
        {
            Ok(event) => {
                open.commit(&event);
            }
            Err(Answer::Restocked) => info::count(Outcome::Replayed, 1),
            Err(answer) => {
                let about = About::deltas(request.reference, &request.ask);
                return reply::answer(call.reply(), open.sale(), &about, answer);
            }
        }
        reply_restocked(call.reply(), open.sale(), &request);
        Ok(())
    }
}

/// The present stock of the items asked for, each once, in the order first asked.
fn reply_restocked(reply: Reply<'_>, sale: &Sale, request: &sale::Restock<'_>) {
    let items: Vec<ItemIndex> = match &request.ask {
        RestockAsk::Delta(_) => sale
            .bare_restock_item(request.reference)
            .into_iter()
            .collect(),
        RestockAsk::Items(asked) => {
            let mut seen = HashSet::with_capacity(asked.len());
            let known = asked.iter().filter_map(|&(sku, _)| sale.find_item(sku));
            known.filter(|item| seen.insert(*item)).collect()
        }
    };
    reply::status(reply, Word::Restocked, items.len().saturating_add(1));
    for item in items {
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

    #[test]
    fn reads_a_bare_delta_or_items() {
        let words: [&[u8]; 6] = [b"RESTOCK", b"k", b"-3", b"REF", b"r", b"new"];
        let request = parse(Args::new(&words)).unwrap();
        assert_eq!(request.ask, RestockAsk::Delta(-3));
        assert!(request.new && request.reference == Some(b"r"));
        let words: [&[u8]; 7] = [b"RESTOCK", b"k", b"ITEMS", b"2", b"a", b"1", b"b"];
        let error = parse(Args::new(&words)).err().unwrap();
        assert_eq!(
            error.to_string(),
            "ERR count: 2 pairs of two words, but 3 words follow"
        );
        let words: [&[u8]; 8] = [b"RESTOCK", b"k", b"items", b"2", b"a", b"1", b"b", b"-2"];
        let request = parse(Args::new(&words)).unwrap();
        assert_eq!(request.ask, RestockAsk::Items(vec![(b"a", 1), (b"b", -2)]));
        assert!(!request.new && request.reference.is_none());
        let words: [&[u8]; 4] = [b"RESTOCK", b"k", b"0", b"NEW"];
        assert_eq!(parse(Args::new(&words)).unwrap().ask, RestockAsk::Delta(0));
        let error = parse(Args::new(&words[..3])).err().unwrap().to_string();
        assert!(error.ends_with(
            "'0' is not an integer from -9007199254740991 to 9007199254740991, or is 0"
        ));
    }
}
