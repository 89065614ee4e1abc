//! `FLASHSALE.GIVE key from to total [SKU sku] [MOST] [OWING] [CONFIRM]`
//!
//! Sets units aside for the sale with the share id `to`; `from` is this sale's own, as INFO
//! shows it. `total` is what this sale has given it of the SKU in all, so that a line may come
//! twice, late or out of order: a total not above the present one moves nothing. The units
//! leave `available` and `total`, and are in no stock until the other sale takes them. Works
//! after END and CLOSE, and at `maxmemory`.
//!
//! Without SKU it is of the SKU `default` if there is one, else of the only item. MOST gives as
//! many units as there are. OWING gives all: what is missing is owed. CONFIRM writes the total in
//! force to the AOF and to replicas even if nothing moved, so that a WAIT after it speaks for
//! that total.
//!
//! - Complexity: O(N) with N share ids known.
//! - Reply: `["GIVEN", total, available, sku]`, the total in force; refusals: `["TOOFEW",
//!   available, sku]`, `["PAUSED", paused_at_ms]` (this copy missed a change of its primary).
//! - Errors: `ERR` arity, syntax, `from` is not this sale's share id, `to` is, a 1,025th share
//!   id, or a sum beyond 2^53 - 1; `NOSALE`, `WRONGTYPE`, `NOSKU`.
//! - Replicates: the event `Given`; nothing when nothing moves, but with CONFIRM.
//! - Notifies: `flashsale.given`, and `flashsale.soldout` or `flashsale.allreserved`.

use crate::command::args::{Args, flag, once};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{BEYOND_SINCE, Handler};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::sale::{self, Change};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.GIVE",
    summary: "Sets units aside for another sale.",
    complexity: "O(N) with N share ids known",
    since: BEYOND_SINCE,
    flags: "write fast",
    arity: -5,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("from"),
        Argument::string("to"),
        Argument::integer("total"),
        Argument::string("sku").after("SKU").optional(),
        Argument::flag("most", "MOST").optional(),
        Argument::flag("owing", "OWING").optional(),
        Argument::flag("confirm", "CONFIRM").optional(),
    ],
    tips: "",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<sale::Give<'a>, Error> {
    args.word("key")?;
    let mut ask = sale::Give {
        from: args.ulid("from")?,
        to: args.ulid("to")?,
        total: args.integer("total", 0)?,
        sku: None,
        most: false,
        owes: false,
        confirms: false,
    };
    while !args.is_empty() {
        if args.keyword("SKU") {
            once(&mut ask.sku, "SKU", args.sku()?)?;
        } else if args.keyword("MOST") {
            flag(&mut ask.most, "MOST")?;
        } else if args.keyword("OWING") {
            flag(&mut ask.owes, "OWING")?;
        } else if args.keyword("CONFIRM") {
            flag(&mut ask.confirms, "CONFIRM")?;
        } else {
            return Err(args.unknown_option());
        }
    }
    if ask.most && ask.owes {
        return Err(Error::new("MOST: not with OWING, which gives all"));
    }
    Ok(ask)
}

pub struct Give;

impl Handler for Give {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let ask = parse(Args::new(call.words()))?;
        let mut open = OpenSale::of(call)?;
        match open.sale().plan_give(open.now_ms, &ask) {
            Ok(event) => {
                open.commit(&event);
                if let Change::Given(given) = event.change {
                    let (total, item) = (given.total, given.item);
                    reply::shared(call.reply(), open.sale(), Word::Given, total, item);
                }
                Ok(())
            }
            Err(answer) => {
                let about = About::one_sku(ask.sku);
                reply::answer(call.reply(), open.sale(), &about, answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const OTHER: &[u8] = b"01ARZ3NDEKTSV4RRFFQ69G5FAW";

    #[test]
    fn reads_a_total_and_how_it_is_to_be_reached() {
        let words: [&[u8]; 9] = [
            b"GIVE", b"k", ONE, OTHER, b"7", b"confirm", b"SKU", b"a", b"MOST",
        ];
        let ask = parse(Args::new(&words)).unwrap();
        assert_eq!(
            (ask.to - ask.from, ask.total, ask.sku),
            (1, 7, Some(&b"a"[..]))
        );
        assert!(ask.most && ask.confirms && !ask.owes);
        let ask = parse(Args::new(&words[..5])).unwrap();
        assert!(!ask.most && !ask.confirms && ask.sku.is_none());
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 4] = [
            (
                &[b"GIVE", b"k", b"me", OTHER, b"7"],
                "ERR from: 'me' is not a ULID as FLASHSALE.INFO shows it",
            ),
            (
                &[b"GIVE", b"k", ONE, OTHER, b"-1"],
                "ERR total: '-1' is not an integer from 0 to 9007199254740991",
            ),
            (
                &[b"GIVE", b"k", ONE, OTHER, b"1", b"MOST", b"OWING"],
                "ERR MOST: not with OWING, which gives all",
            ),
            (
                &[b"GIVE", b"k", ONE, OTHER, b"1", b"a"],
                "ERR syntax: unknown option 'a', see FLASHSALE.HELP",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(Args::new(words)).err().unwrap().to_string(), text);
        }
    }
}
