//! `FLASHSALE.REFUND key orders id [QTY n | ITEMS count sku qty [sku qty ...] | UNITS count unit [unit ...]] [REF ref] [USER user] [NORESTOCK] [RESTORELIMIT]`
//!
//! Takes back all or part of an order and appends a `refund` entry to the stream. The
//! units go back on sale unless NORESTOCK is given or the sale has ended. They stay
//! counted against the user's limits unless RESTORELIMIT is given. QTY (orders of one
//! SKU), ITEMS and UNITS need a REF; the same REF again has no second effect. Of an item whose
//! units have names, QTY and ITEMS take back all that is left or are an error: UNITS says which.
//! Units that do not go back on sale, and codes, are withdrawn.
//!
//! - Complexity: O(N log N + M) with N SKUs and named units in the order and M refunds of it.
//! - Reply: `["REFUNDED", id, entry_id]`; refusals: `NORESERVATION`, `NOTSOLD` (with
//!   what is left, and the SKU; or 0, the SKU and the unit that is not in the order),
//!   `MISMATCH` (a REF that was of other units).
//! - Errors: `ERR` arity, syntax, QTY of an order of several SKUs, a number of named units, or
//!   not the sale's stream; `NOSALE`, `WRONGTYPE`, `NOSKU` (no such unit, or a code that is not
//!   in the order).
//! - Replicates: the event `Refunded`; nothing when refused.
//! - Notifies: `flashsale.refunded`, and `flashsale.backinstock` per item; `xadd` on
//!   `orders`.

use crate::command::args::{Args, flag, once};
use crate::command::items::{ITEMS_QTY, parse_lines};
use crate::command::named::{NAMED, parse_names_once};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{Handler, SINCE, text};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::{Ask, RefundAsk, Spelling};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.REFUND",
    summary: "Takes back all or part of an order.",
    complexity: "O(N log N + M) with N SKUs in the order and M refunds of it",
    since: SINCE,
    flags: "write",
    arity: -4,
    keys: &[KeySpec::update(1), KeySpec::insert(2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::string("id"),
        Argument::one_of(
            "units",
            &[Argument::integer("n").after("QTY"), ITEMS_QTY, NAMED],
        )
        .optional(),
        Argument::string("ref").after("REF").optional(),
        Argument::string("user").after("USER").optional(),
        Argument::flag("norestock", "NORESTOCK").optional(),
        Argument::flag("restorelimit", "RESTORELIMIT").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<(&'a [u8], RefundAsk<'a>), Error> {
    args.word("key")?;
    args.word("orders")?;
    let id = args.name("id")?;
    let mut user = None;
    let mut request = RefundAsk {
        id: names::key(id),
        user: None,
        ask: None,
        units: &[],
        reference: None,
        no_restock: false,
        restore_limit: false,
    };
    while !args.is_empty() {
        if args.keyword("QTY") {
            let qty = args.integer("QTY", 1)?;
            one_ask(&mut request, "QTY")?.ask = Some(Ask::Qty(qty));
        } else if args.keyword("ITEMS") {
            let lines = parse_lines(&mut args)?;
            one_ask(&mut request, "ITEMS")?.ask = Some(Ask::Items(lines));
        } else if args.keyword("UNITS") {
            let names = parse_names_once(&mut args)?;
            one_ask(&mut request, "UNITS")?.units = names;
        } else if args.keyword("REF") {
            once(&mut request.reference, "REF", args.name("REF")?)?;
        } else if args.keyword("USER") {
            once(&mut user, "USER", args.name("USER")?)?;
        } else if args.keyword("NORESTOCK") {
            flag(&mut request.no_restock, "NORESTOCK")?;
        } else if args.keyword("RESTORELIMIT") {
            flag(&mut request.restore_limit, "RESTORELIMIT")?;
        } else {
            let keywords = ["QTY", "ITEMS", "UNITS", "REF", "USER"];
            return Err(args.unknown_option_after(id, &keywords));
        }
    }
    if asks_for_a_part(&request) && request.reference.is_none() {
        return Err(Error::new("REF: missing, QTY, ITEMS and UNITS need one"));
    }
    request.user = user.map(Spelling::of);
    Ok((id, request))
}

fn asks_for_a_part(request: &RefundAsk<'_>) -> bool {
    request.ask.is_some() || !request.units.is_empty()
}

/// Returns the request to keep what is asked for: a quantity, items, or units.
///
/// # Errors
///
/// It was said before, in one way or another.
fn one_ask<'r, 'a>(
    request: &'r mut RefundAsk<'a>,
    keyword: &str,
) -> Result<&'r mut RefundAsk<'a>, Error> {
    if asks_for_a_part(request) {
        let text = format!("{keyword}: only one of QTY, ITEMS and UNITS");
        return Err(Error::new(text));
    }
    Ok(request)
}

pub struct Refund;

impl Handler for Refund {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let (id, mut request) = parse(Args::new(call.words()))?;
        let mut open = OpenSale::about(call, Some(&mut request.id), None)?;
        let mut orders = open.orders(call)?;
        open.expire(request.id);
        match open.sale().plan_refund(open.now_ms, &request) {
            Ok(pending) => {
                let done = open.commit_order(&mut orders, pending, text(call, 3)?)?;
                reply::with_entry(call.reply(), Word::Refunded, id, done.entry);
                Ok(())
            }
            Err(answer) => {
                let about = About::units(id, request.ask.as_ref(), request.units);
                reply::answer(call.reply(), open.sale(), &about, answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_taken_back_and_how() {
        let words: [&[u8]; 12] = [
            b"REFUND",
            b"k",
            b"o",
            b"i",
            b"norestock",
            b"QTY",
            b"2",
            b"REF",
            b"r",
            b"RESTORELIMIT",
            b"USER",
            b"u",
        ];
        let (id, request) = parse(Args::new(&words)).unwrap();
        assert_eq!((id, request.id), (&b"i"[..], names::key(b"i")));
        assert_eq!(request.user, Some(Spelling::of(b"u")));
        assert_eq!(
            (request.ask, request.reference),
            (Some(Ask::Qty(2)), Some(&b"r"[..]))
        );
        assert!(request.no_restock && request.restore_limit);
        let (_, request) = parse(Args::new(&words[..4])).unwrap();
        assert!(request.ask.is_none() && !request.no_restock && !request.restore_limit);
        let words: [&[u8]; 9] = [
            b"REFUND", b"k", b"o", b"i", b"REF", b"r", b"units", b"1", b"A-1",
        ];
        let (_, request) = parse(Args::new(&words)).unwrap();
        assert!(request.ask.is_none());
        assert_eq!(request.units, &words[8..]);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 7] = [
            (
                &[b"REFUND", b"k", b"o", b"i", b"QTY", b"1"],
                "ERR REF: missing, QTY, ITEMS and UNITS need one",
            ),
            (
                &[b"REFUND", b"k", b"o", b"i", b"UNITS", b"1", b"A-1"],
                "ERR REF: missing, QTY, ITEMS and UNITS need one",
            ),
            (
                &[
                    b"REFUND", b"k", b"o", b"i", b"UNITS", b"1", b"A-1", b"QTY", b"1",
                ],
                "ERR QTY: only one of QTY, ITEMS and UNITS",
            ),
            (
                &[
                    b"REFUND", b"k", b"o", b"i", b"UNITS", b"2", b"A-1", b"A-1", b"REF", b"r",
                ],
                "ERR unit: 'A-1' is asked for twice",
            ),
            (
                &[
                    b"REFUND", b"k", b"o", b"i", b"QTY", b"1", b"ITEMS", b"1", b"a", b"1",
                ],
                "ERR ITEMS: only one of QTY, ITEMS and UNITS",
            ),
            (
                &[b"REFUND", b"k", b"o", b"i", b"NORESTOCK", b"NORESTOCK"],
                "ERR NORESTOCK: given twice",
            ),
            (
                &[b"REFUND", b"k", b"o", b"i", b"QTY", b"0", b"REF", b"r"],
                "ERR QTY: '0' is not an integer from 1 to 9007199254740991",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(Args::new(words)).unwrap_err().to_string(), text);
        }
    }
}
