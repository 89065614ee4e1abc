//! `FLASHSALE.BUY key orders user {qty | ITEMS count sku qty [sku qty ...]} [ID id] [REF ref] [PAYLOAD json] [FROM source] [PASS pass]`
//!
//! RESERVE and CHECKOUT in one step. With the id of an open reservation of the same
//! user and items, checks that one out; any other state is answered as CHECKOUT would.
//! A new id passes RESERVE's checks, FROM and PASS among them; a refused BUY leaves no reservation.
//!
//! - Complexity: O(N log N) with N SKUs asked for, and the overdue reservations returned on
//!   the way.
//! - Reply: `["SOLD", id, order_id]`.
//! - Refusals: those of RESERVE for a new id, those of CHECKOUT for a known one.
//! - Errors: those of RESERVE, and `ERR` when `orders` is not the sale's stream.
//! - Replicates: the event `Bought`, or `Sold` for an open reservation.
//! - Notifies: `flashsale.sold`, and `flashsale.soldout` or `flashsale.allreserved` per
//!   item; `xadd` on `orders`.

use ulid::ULID_LEN;

use crate::command::args::{Args, once, or_orders_missing};
use crate::command::items::{UNITS, parse_units};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::sale::reserve::shown;
use crate::command::{Handler, SINCE, ids};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, TextBuf};
use crate::names;
use flashsale_engine::sale::{self, Answer, Ask, Change, Sale};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BUY",
    summary: "Sells units to a user in one step and appends the order to the stream.",
    complexity: "O(N log N) with N SKUs asked for",
    since: SINCE,
    flags: "write fast",
    arity: -5,
    keys: &[KeySpec::update(1), KeySpec::insert(2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::string("user"),
        UNITS,
        Argument::string("id").after("ID").optional(),
        Argument::string("ref").after("REF").optional(),
        Argument::string("json").after("PAYLOAD").optional(),
        Argument::string("source")
            .after("FROM")
            .optional()
            .since("0.2.0"),
        Argument::string("pass")
            .after("PASS")
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
    reference: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    pass: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Reads a whole line.
    fn of(words: &'a [&'a [u8]]) -> Result<Request<'a>, Error> {
        let reads = |args: Args<'_>| Request::parse(args).is_ok();
        Request::parse(Args::new(words)).map_err(|error| or_orders_missing(error, words, reads))
    }

    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        args.word("orders")?;
        let user = args.name("user")?;
        let ask = parse_units(&mut args)?;
        let (mut id, mut reference, mut payload) = (None, None, None);
        let (mut source, mut pass) = (None, None);
        while !args.is_empty() {
            if args.keyword("ID") {
                once(&mut id, "ID", args.name("ID")?)?;
            } else if args.keyword("REF") {
                once(&mut reference, "REF", args.name("REF")?)?;
            } else if args.keyword("PAYLOAD") {
                once(&mut payload, "PAYLOAD", args.payload()?)?;
            } else if args.keyword("FROM") {
                once(&mut source, "FROM", args.name("FROM")?)?;
            } else if args.keyword("PASS") {
                once(&mut pass, "PASS", args.pass()?)?;
            } else {
                return Err(args.unknown_option());
            }
        }
        Ok(Request {
            user,
            ask,
            id,
            reference,
            payload,
            source,
            pass,
        })
    }
}

pub struct Buy;

impl Handler for Buy {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let mut buffer = [0; ULID_LEN];
        let Request {
            user,
            ask,
            id: given,
            reference,
            payload,
            source,
            pass,
        } = Request::of(call.words())?;
        let mut ask = sale::Reserve {
            user: names::key(user),
            ask,
            // Where none is given, a new one follows.
            id: names::key(given.unwrap_or_default()),
            hold_ms: None,
            replaces: None,
            waits: false,
            pass: shown(given, pass),
        };
        let key = given.is_some().then_some(&mut ask.id);
        let mut open = OpenSale::about(call, key, Some(&mut ask.user))?;
        let mut orders = open.orders(call)?;
        let id = if let Some(id) = given {
            open.expire(ask.id);
            id
        } else {
            let id;
            (id, ask.id) = ids::spelled(open.now_ms, &mut buffer);
            id
        };
        open.begin_line();
        if let Some(answer) = open.throttle(&ask, source) {
            let about = About::units(id, Some(&ask.ask));
            return reply::answer(call.reply(), open.sale(), &about, answer);
        }
        let bounds = config::bounds();
        let plan = |sale: &Sale, now_ms| sale.plan_buy(now_ms, &ask, reference, payload, &bounds);
        let mut planned = plan(open.sale(), open.now_ms);
        open.plan_swept(
            &mut planned,
            |sale, now_ms, answer| match answer {
                Answer::Expired { .. } => sale.overdue_could_grant_grace(now_ms, ask.id),
                _ => sale.overdue_could_lift(now_ms, answer, ask.user),
            },
            plan,
        );
        match planned {
            Ok(pending) => {
                if matches!(pending.change(), Change::Bought { .. }) {
                    open.refuse_at_maxmemory()?;
                }
                let done = open.commit_order(&mut orders, pending, TextBuf::new(id).as_text())?;
                reply::with_entry(call.reply(), Word::Sold, id, done.entry);
                Ok(())
            }
            Err(answer) => {
                open.note_refused(&ask.ask, &answer);
                let about = About::units(id, Some(&ask.ask));
                reply::answer(call.reply(), open.sale(), &about, answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units_and_options_in_any_order() {
        let words: [&[u8]; 14] = [
            b"BUY", b"k", b"o", b"u", b"ITEMS", b"1", b"a", b"2", b"REF", b"r", b"PAYLOAD", b"[]",
            b"ID", b"i",
        ];
        let request = Request::parse(Args::new(&words)).unwrap();
        assert_eq!(request.user, b"u");
        assert_eq!(
            request.ask,
            Ask::Items([(&b"a"[..], 2)].into_iter().collect())
        );
        assert_eq!(
            (request.id, request.reference),
            (Some(&b"i"[..]), Some(&b"r"[..]))
        );
        assert_eq!(request.payload, Some(&b"[]"[..]));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 4] = [
            // A newcomer leaves the stream out.
            (
                &[b"BUY", b"k", b"ann", b"1", b"ID", b"x"],
                "ERR orders: is it missing before 'ann'? See FLASHSALE.HELP",
            ),
            (
                &[b"BUY", b"k", b"ann", b"ITEMS", b"1", b"a", b"2"],
                "ERR orders: is it missing before 'ann'? See FLASHSALE.HELP",
            ),
            (
                &[b"BUY", b"k", b"o", b"u", b"1", b"HOLD", b"1"],
                "ERR syntax: unknown option 'HOLD', see FLASHSALE.HELP",
            ),
            (&[b"BUY", b"k", b"o", b"u", b"ITEMS"], "ERR count: missing"),
        ];
        for (words, text) in refused {
            assert_eq!(Request::of(words).err().unwrap().to_string(), text);
        }
    }
}
