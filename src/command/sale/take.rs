//! `FLASHSALE.TAKE key from to total [SKU sku]`
//!
//! Puts units on sale that the sale with the share id `from` has given; `to` is this sale's own,
//! as INFO shows it. `total` is what that sale has given in all, as its GIVE answered: what was
//! taken before is not taken again. A SKU the sale does not have is made, also by a total of 0.
//! Works after END and CLOSE, and at `maxmemory`.
//!
//! TAKE makes units: it asks nobody whether they were given. Never send a total that was not
//! read from the giver.
//!
//! - Complexity: O(N) with N share ids known.
//! - Reply: `["TAKEN", total, available, sku]`, the total in force.
//! - Errors: `ERR` arity, syntax, `to` is not this sale's share id, `from` is, a 1,025th share
//!   id, too many items, or a sum beyond 2^53 - 1; `NOSALE`, `WRONGTYPE`, `NOSKU` (no SKU is
//!   given, and the sale has several).
//! - Replicates: the event `Taken`; nothing when nothing moves.
//! - Notifies: `flashsale.taken`, and `flashsale.backinstock` or `flashsale.allreserved`.

use crate::command::args::{Args, once};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{BEYOND_SINCE, Handler};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::sale::{self, Change};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.TAKE",
    summary: "Puts units on sale that another sale has given.",
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
    ],
    tips: "",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<sale::Take<'a>, Error> {
    args.word("key")?;
    let mut ask = sale::Take {
        from: args.ulid("from")?,
        to: args.ulid("to")?,
        total: args.integer("total", 0)?,
        sku: None,
    };
    while !args.is_empty() {
        if args.keyword("SKU") {
            once(&mut ask.sku, "SKU", args.sku()?)?;
        } else {
            return Err(args.unknown_option());
        }
    }
    Ok(ask)
}

pub struct Take;

impl Handler for Take {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let ask = parse(Args::new(call.words()))?;
        let mut open = OpenSale::of(call)?;
        match open.sale().plan_take(open.now_ms, &ask, &config::bounds()) {
            Ok(event) => {
                open.commit(&event);
                if let Change::Taken(taken) = &event.change
                    && let Some(item) = open.sale().find_item(&taken.sku)
                {
                    reply::shared(call.reply(), open.sale(), Word::Taken, taken.total, item);
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

    #[test]
    fn reads_a_total_and_perhaps_a_sku() {
        let words: [&[u8]; 7] = [
            b"TAKE",
            b"k",
            b"01ARZ3NDEKTSV4RRFFQ69G5FAV",
            b"01ARZ3NDEKTSV4RRFFQ69G5FAW",
            b"0",
            b"sku",
            b"a",
        ];
        let ask = parse(Args::new(&words)).unwrap();
        assert_eq!(
            (ask.to - ask.from, ask.total, ask.sku),
            (1, 0, Some(&b"a"[..]))
        );
        assert!(parse(Args::new(&words[..5])).unwrap().sku.is_none());
        let error = parse(Args::new(&words[..6])).err().unwrap();
        assert_eq!(error.to_string(), "ERR sku: missing");
    }
}
