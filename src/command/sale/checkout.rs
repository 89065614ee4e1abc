//! `FLASHSALE.CHECKOUT key orders id [USER user] [REF ref] [PAYLOAD json]`
//!
//! Turns a reservation into a sale and appends the order to the stream. Whoever knows
//! the id may do so; `USER` insists on whose it is. `REF` is the payment's own number,
//! `PAYLOAD`, JSON of at most 64 KiB and 128 levels, goes into the stream as it is. PAUSE,
//! END and CLOSE stop no checkout of a live reservation, `maxmemory` stops none at all.
//! Within GRACE an expired reservation is checked out if its units are available and the
//! limits admit them.
//!
//! - Complexity: O(N) with N SKUs in the reservation.
//! - Reply: `["SOLD", id, order_id]`, also for the same checkout again; `[unit, ...]` follows
//!   where units have names. Codes of sealed items are given out now, the oldest first. Within
//!   GRACE units with names are checked out only if the very same ones are free.
//! - Refusals: `NORESERVATION`, `ALREADYSOLD` (under another REF: a double charge),
//!   `REFUNDED`, `RELEASED`, `["EXPIRED", id, expires_at_ms, grace_left_ms]`: for
//!   `grace_left_ms` a later CHECKOUT can still succeed, 0 is final. RELEASE the id before
//!   the money is given back: what is released is never sold.
//! - Errors: `ERR` arity, syntax, or not the sale's stream; `NOSALE`, `WRONGTYPE`.
//! - Replicates: the event `Sold`; nothing when refused.
//! - Notifies: `flashsale.sold`, and `flashsale.soldout` or `flashsale.allreserved` per
//!   item; `xadd` on `orders`.

use crate::command::args::{Args, once};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About};
use crate::command::{Handler, SINCE, text};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::{self, Answer, Sale, Spelling};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.CHECKOUT",
    summary: "Turns a reservation into a sale and appends the order to the stream.",
    complexity: "O(N) with N SKUs in the reservation",
    since: SINCE,
    flags: "write fast",
    arity: -4,
    keys: &[KeySpec::update(1), KeySpec::insert(2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::string("id"),
        Argument::string("user").after("USER").optional(),
        Argument::string("ref").after("REF").optional(),
        Argument::string("json").after("PAYLOAD").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

/// The id as it was spelled, and what is asked.
fn parse<'a>(mut args: Args<'a>) -> Result<(&'a [u8], sale::Checkout<'a>), Error> {
    args.word("key")?;
    args.word("orders")?;
    let id = args.name("id")?;
    let (mut user, mut reference, mut payload) = (None, None, None);
    while !args.is_empty() {
        if args.keyword("USER") {
            once(&mut user, "USER", args.name("USER")?)?;
        } else if args.keyword("REF") {
            once(&mut reference, "REF", args.name("REF")?)?;
        } else if args.keyword("PAYLOAD") {
            once(&mut payload, "PAYLOAD", args.payload()?)?;
        } else {
            return Err(args.unknown_option_after(id, &["USER", "REF", "PAYLOAD"]));
        }
    }
    let ask = sale::Checkout {
        id: names::key(id),
        user: user.map(Spelling::of),
        reference,
        payload,
    };
    Ok((id, ask))
}

pub struct Checkout;

impl Handler for Checkout {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let (id, mut ask) = parse(Args::new(call.words()))?;
        let mut open = OpenSale::about(call, Some(&mut ask.id), None)?;
        let mut orders = open.orders(call)?;
        open.expire(ask.id);
        let plan = |sale: &Sale, now_ms| sale.plan_checkout(now_ms, &ask);
        let mut planned = plan(open.sale(), open.now_ms);
        open.plan_swept(
            &mut planned,
            |sale, now_ms, answer| {
                matches!(answer, Answer::Expired { .. })
                    && sale.overdue_could_grant_grace(now_ms, ask.id)
            },
            plan,
        );
        match planned {
            Ok(pending) => {
                let done = open.commit_order(&mut orders, pending, text(call, 3)?)?;
                reply::sold(call.reply(), open.sale(), id, done.slot, done.entry);
                Ok(())
            }
            Err(answer) => reply::answer(call.reply(), open.sale(), &About::id(id), answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_options_in_any_order() {
        let words: [&[u8]; 10] = [
            b"CHECKOUT",
            b"k",
            b"o",
            b"i",
            b"payload",
            b"{}",
            b"ref",
            b"r",
            b"USER",
            b"u",
        ];
        let (id, request) = parse(Args::new(&words)).unwrap();
        assert_eq!((id, request.id), (&b"i"[..], names::key(b"i")));
        assert_eq!(request.user, Some(Spelling::of(b"u")));
        assert_eq!(request.reference, Some(&b"r"[..]));
        assert_eq!(request.payload, Some(&b"{}"[..]));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 5] = [
            (
                &[b"CHECKOUT", b"k", b"i", b"ref", b"c"],
                "ERR syntax: unknown option 'c' after the id 'ref', is orders missing? \
                 See FLASHSALE.HELP",
            ),
            (
                &[b"CHECKOUT", b"k", b"o", b""],
                "ERR id: 0 bytes, not 1 to 255",
            ),
            (
                &[b"CHECKOUT", b"k", b"o", b"i", b"REF", b""],
                "ERR REF: 0 bytes, not 1 to 255",
            ),
            (
                &[b"CHECKOUT", b"k", b"o", b"i", b"PAYLOAD", b"{"],
                "ERR PAYLOAD: not JSON: EOF while parsing an object at line 1 column 1",
            ),
            (
                &[b"CHECKOUT", b"k", b"o", b"i", b"QTY", b"1"],
                "ERR syntax: unknown option 'QTY', see FLASHSALE.HELP",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(Args::new(words)).unwrap_err().to_string(), text);
        }
    }
}
