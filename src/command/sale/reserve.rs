//! `FLASHSALE.RESERVE key user {qty | ITEMS count sku qty [sku qty ...]} [ID id] [HOLD ms] [REPLACE old-id]`
//!
//! Sets units aside for a user until a deadline. A cart is all or nothing; the same
//! SKU twice is summed first. `qty` alone means the SKU `default` if there is one,
//! else the only item. A `HOLD` beyond the sale's is cut to it. The same `ID` again is
//! answered with the present state of the reservation, never with a second one.
//!
//! `REPLACE old-id`: the open reservation `old-id` becomes this one, in one step: so a cart
//! grows, shrinks, changes, or goes over to another user. Its units and its share of the
//! limits count as free for the decision; if that is a refusal, it stays as it was. Needs
//! `ID` and takes no `HOLD`: the deadline, and the moment of making that EXTEND goes by,
//! are inherited. `old-id` is remembered as released. One that is not open is answered as
//! CHECKOUT would, with `old-id`.
//!
//! - Complexity: O(N log N) with N SKUs asked for or given back by REPLACE, and the overdue
//!   reservations returned on the way.
//! - Reply: `["RESERVED", id, expires_at_ms, remaining, user_remaining]`; `remaining`
//!   is the fewest units left of any item asked for, `user_remaining` is -1 without
//!   USERLIMIT. For a known id also `SOLD`, `REFUNDED`, `RELEASED`, `EXPIRED`.
//! - Refusals, the first that applies: `MISMATCH`, of `old-id` `NORESERVATION`, `SOLD`,
//!   `RELEASED`, `EXPIRED` or `REFUNDED`, `ENDED`, `NOTSTARTED`, `PAUSED`,
//!   `ORDERLIMIT`, `USERLIMIT`, `ITEMLIMIT`, `SALELIMIT`, `SOLDOUT`, `ALLRESERVED`.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`, `NOSKU`, `OOM` (a new
//!   reservation at `maxmemory` or beyond `max-reservations`).
//! - Replicates: the event `Reserved`; nothing when refused.
//! - Notifies: `flashsale.reserved`, and `flashsale.allreserved` per item; with REPLACE
//!   also `flashsale.backinstock` or `flashsale.soldout`.

use ulid::ULID_LEN;

use crate::command::args::{Args, once};
use crate::command::items::{UNITS, parse_units};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About};
use crate::command::{Handler, SINCE, ids};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::{self, Ask, Sale};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RESERVE",
    summary: "Sets units aside for a user until a deadline.",
    complexity: "O(N log N) with N SKUs asked for or given back by REPLACE",
    since: SINCE,
    flags: "write fast",
    arity: -4,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("user"),
        UNITS,
        Argument::string("id").after("ID").optional(),
        Argument::integer("ms").after("HOLD").optional(),
        Argument::string("old-id")
            .after("REPLACE")
            .optional()
            .since("0.2.0"),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

struct Request<'a> {
    user: &'a [u8],
    ask: Ask<'a>,
    id: Option<&'a [u8]>,
    hold_ms: Option<u64>,
    replaces: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let user = args.name("user")?;
        let ask = parse_units(&mut args)?;
        let (mut id, mut hold_ms, mut replaces) = (None, None, None);
        while !args.is_empty() {
            if args.keyword("ID") {
                once(&mut id, "ID", args.name("ID")?)?;
            } else if args.keyword("HOLD") {
                once(&mut hold_ms, "HOLD", args.integer("HOLD", 1)?)?;
            } else if args.keyword("REPLACE") {
                once(&mut replaces, "REPLACE", args.name("REPLACE")?)?;
            } else {
                return Err(args.unknown_option());
            }
        }
        if replaces.is_some() && id.is_none() {
            return Err(Error::new("ID: missing, REPLACE needs one"));
        }
        if replaces.is_some() && hold_ms.is_some() {
            return Err(Error::new(
                "HOLD: not with REPLACE, which keeps the deadline; EXTEND moves it",
            ));
        }
        Ok(Request {
            user,
            ask,
            id,
            hold_ms,
            replaces,
        })
    }
}

pub struct Reserve;

impl Handler for Reserve {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let mut buffer = [0; ULID_LEN];
        let Request {
            user,
            ask,
            id: given,
            hold_ms,
            replaces,
        } = Request::parse(Args::new(call.words()))?;
        let mut ask = sale::Reserve {
            user: names::key(user),
            ask,
            // Where none is given, a new one follows.
            id: names::key(given.unwrap_or_default()),
            hold_ms,
            replaces: replaces.map(names::key),
            waits: false,
        };
        let key = given.is_some().then_some(&mut ask.id);
        let mut open = OpenSale::about(call, key, Some(&mut ask.user))?;
        let id = if let Some(id) = given {
            open.expire(ask.id);
            id
        } else {
            let id;
            (id, ask.id) = ids::spelled(open.now_ms, &mut buffer);
            open.sale().touch(Some(&ask.id), None);
            id
        };
        if let Some(old) = ask.replaces {
            open.expire(old);
        }
        let bounds = config::bounds();
        let plan = |sale: &Sale, now_ms| sale.plan_reserve(now_ms, &ask, &bounds);
        let mut planned = plan(open.sale(), open.now_ms);
        open.plan_swept(
            &mut planned,
            |sale, now_ms, answer| sale.overdue_could_lift(now_ms, answer, ask.user),
            plan,
        );
        match planned {
            Ok(ref event) => {
                open.refuse_at_maxmemory()?;
                let done = open.commit(event);
                reply::reserved_now(call.reply(), open.sale(), id, event, &done);
                Ok(())
            }
            Err(answer) => {
                let id = match replaces {
                    Some(old) if open.sale().is_of_replaced(&answer, ask.id) => old,
                    _ => id,
                };
                let about = About::units(id, Some(&ask.ask));
                reply::answer(call.reply(), open.sale(), &about, answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Request<'a>, String> {
        Request::parse(Args::new(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_options_in_any_order() {
        let words: [&[u8]; 8] = [b"RESERVE", b"k", b"u", b"2", b"hold", b"9", b"id", b"x"];
        let request = parse(&words).unwrap();
        assert_eq!((request.user, &request.ask), (&b"u"[..], &Ask::Qty(2)));
        assert_eq!((request.id, request.hold_ms), (Some(&b"x"[..]), Some(9)));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 7] = [
            (
                &[b"RESERVE", b"k", b"", b"1"],
                "ERR user: 0 bytes, not 1 to 255",
            ),
            (
                &[b"RESERVE", b"k", b"u", b"0"],
                "ERR qty: '0' is not an integer from 1 to 9007199254740991",
            ),
            (
                &[b"RESERVE", b"k", b"u", b"1", b"ID"],
                "ERR ID: its value is missing",
            ),
            (
                &[b"RESERVE", b"k", b"u", b"1", b"ID", b"a", b"ID", b"a"],
                "ERR ID: given twice",
            ),
            (
                &[b"RESERVE", b"k", b"u", b"1", b"REPLACE", b"a"],
                "ERR ID: missing, REPLACE needs one",
            ),
            (
                &[
                    b"RESERVE", b"k", b"u", b"1", b"ID", b"b", b"HOLD", b"1", b"REPLACE", b"a",
                ],
                "ERR HOLD: not with REPLACE, which keeps the deadline; EXTEND moves it",
            ),
            (
                &[b"RESERVE", b"k", b"u", b"1", b"REF", b"a"],
                "ERR syntax: unknown option 'REF', see FLASHSALE.HELP",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(words).err().unwrap(), text);
        }
    }
}
