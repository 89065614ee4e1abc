//! `FLASHSALE.RESERVE key user {qty | ITEMS count sku qty [sku qty ...]} [ID id] [HOLD ms] [REPLACE old-id] [FROM source] [PASS pass] [WAIT]`
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
//! `WAIT` turns "not now" into a place in line under the id: where the sale has not begun, is
//! paused, all units are reserved, others wait already, or PACE says so. The same request sent
//! again is the poll and the sign of life; whoever is at the head gets units as a plain
//! reservation. Needs `ID` and one SKU, and takes neither `HOLD` nor `REPLACE`.
//!
//! `FROM source`: where the request comes from, such as an address; with FROMRATE so many attempts
//! may come from there, with USERRATE so many by a user. An attempt is a request that gets past
//! `PAUSED` below: a retry or a poll is none, and one that is refused by either rate uses nothing
//! up.
//!
//! `PASS pass`: in a sale with PASSKEY a new id needs one, which the app makes for this id and
//! this user with a secret of the sale. It is looked at last, uses nothing up in a refusal, and
//! is not asked for with REPLACE. Without `ID` there is none that it could be of.
//!
//! - Complexity: O(N log N) with N SKUs asked for or given back by REPLACE, and the overdue
//!   reservations returned on the way.
//! - Reply: `["RESERVED", id, expires_at_ms, remaining, user_remaining]`; `remaining`
//!   is the fewest units left of any item asked for, `user_remaining` is -1 without
//!   USERLIMIT. For a known id also `SOLD`, `REFUNDED`, `RELEASED`, `EXPIRED`.
//!   `["WAITING", id, ahead, left, eta_ms, retry_in_ms]` while the id waits: `ahead` places in
//!   front at most, -1 before START; `left` units that could still come; `eta_ms` by the last
//!   minute, or -1; when to ask again.
//! - Refusals, the first that applies: `MISMATCH`, of `old-id` `NORESERVATION`, `SOLD`,
//!   `RELEASED`, `EXPIRED` or `REFUNDED`, `ENDED`, `NOTSTARTED`, `PAUSED`,
//!   `THROTTLED` by `user` or `from`, `ORDERLIMIT`, `USERLIMIT`, `ITEMLIMIT`, `SALELIMIT`, `SOLDOUT`, `ALLRESERVED`,
//!   `THROTTLED` by `sale`, `NOPASS` (missing, wrong or late); with WAIT also `PLACED` (the user waits under another id), `LINEFULL`.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`, `NOSKU`, `OOM` (a new
//!   reservation at `maxmemory` or beyond `max-reservations`).
//! - Replicates: the event `Reserved`, or `Joined`; nothing when refused or polled.
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
use flashsale_engine::sale::{self, Answer, Ask, Change, Pass, Sale};

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
        Argument::string("source")
            .after("FROM")
            .optional()
            .since("0.2.0"),
        Argument::string("pass")
            .after("PASS")
            .optional()
            .since("0.2.0"),
        Argument::flag("wait", "WAIT").optional().since("0.2.0"),
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
    waits: bool,
    source: Option<&'a [u8]>,
    pass: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let user = args.name("user")?;
        let ask = parse_units(&mut args)?;
        let (mut id, mut hold_ms, mut replaces, mut wait) = (None, None, None, None);
        let (mut source, mut pass) = (None, None);
        while !args.is_empty() {
            if args.keyword("ID") {
                once(&mut id, "ID", args.name("ID")?)?;
            } else if args.keyword("HOLD") {
                once(&mut hold_ms, "HOLD", args.integer("HOLD", 1)?)?;
            } else if args.keyword("REPLACE") {
                once(&mut replaces, "REPLACE", args.name("REPLACE")?)?;
            } else if args.keyword("FROM") {
                once(&mut source, "FROM", args.name("FROM")?)?;
            } else if args.keyword("PASS") {
                once(&mut pass, "PASS", args.pass()?)?;
            } else if args.keyword("WAIT") {
                once(&mut wait, "WAIT", ())?;
            } else {
                return Err(args.unknown_option());
            }
        }
        if wait.is_some() {
            check_wait(&ask, id.is_some(), hold_ms.is_some(), replaces.is_some())?;
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
            waits: wait.is_some(),
            source,
            pass,
        })
    }
}

impl<'a> Request<'a> {
    /// What is asked of the sale.
    #[inline(always)]
    fn into_ask(self) -> sale::Reserve<'a> {
        sale::Reserve {
            user: names::key(self.user),
            ask: self.ask,
            // Where none is given, a new one follows.
            id: names::key(self.id.unwrap_or_default()),
            hold_ms: self.hold_ms,
            replaces: self.replaces.map(names::key),
            waits: self.waits,
            pass: shown(self.id, self.pass),
        }
    }
}

/// What may stand beside WAIT.
///
/// # Errors
///
/// There is no ID, or several SKUs, HOLD or REPLACE.
fn check_wait(ask: &Ask<'_>, has_id: bool, holds: bool, replaces: bool) -> Result<(), Error> {
    let why = match ask {
        _ if !has_id => "ID: missing, WAIT needs one",
        _ if holds => "HOLD: not with WAIT, units that are granted are held as the sale says",
        _ if replaces => "REPLACE: not with WAIT",
        Ask::Items(lines) if lines.len() > 1 => "WAIT: takes one SKU",
        _ => return Ok(()),
    };
    Err(Error::new(why))
}

/// What a request shows: a pass is of an id, and without ID there is none.
pub(super) fn shown<'a>(id: Option<&[u8]>, pass: Option<&'a [u8]>) -> Pass<'a> {
    match (id, pass) {
        (Some(_), Some(pass)) => Pass::Shown(pass),
        _ => Pass::Missing,
    }
}

pub struct Reserve;

impl Handler for Reserve {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let mut buffer = [0; ULID_LEN];
        let request = Request::parse(Args::new(call.words()))?;
        let (given, replaces) = (request.id, request.replaces);
        let source = request.source;
        let mut ask = request.into_ask();
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
        open.begin_line();
        if let Some(answer) = open.throttle(&ask, source) {
            let about = About::units(id, Some(&ask.ask));
            return reply::answer(call.reply(), open.sale(), &about, answer);
        }
        let bounds = config::bounds();
        let plan = |sale: &Sale, now_ms| sale.plan_reserve(now_ms, &ask, &bounds);
        let mut planned = plan(open.sale(), open.now_ms);
        open.plan_swept(
            &mut planned,
            |sale, now_ms, answer| sale.overdue_could_lift(now_ms, answer, ask.user),
            plan,
        );
        if let Err(Answer::Waiting { place }) = planned
            && open.hear(place)
        {
            planned = plan(open.sale(), open.now_ms);
        }
        match planned {
            Ok(ref event) => {
                open.refuse_at_maxmemory()?;
                let done = open.commit(event);
                if let Change::Joined { .. } = event.change
                    && let Some(place) = open.joined()
                {
                    open.note_joined(&event.change);
                    reply::waiting(call.reply(), open.sale(), id, place);
                } else {
                    reply::reserved_now(call.reply(), open.sale(), id, event, &done);
                }
                Ok(())
            }
            Err(answer) => {
                open.note_refused(&ask.ask, &answer);
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
        let refused: [(&[&[u8]], &str); 10] = [
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
            (
                &[b"RESERVE", b"k", b"u", b"1", b"WAIT"],
                "ERR ID: missing, WAIT needs one",
            ),
            (
                &[
                    b"RESERVE", b"k", b"u", b"1", b"ID", b"a", b"WAIT", b"HOLD", b"9",
                ],
                "ERR HOLD: not with WAIT, units that are granted are held as the sale says",
            ),
            (
                &[
                    b"RESERVE", b"k", b"u", b"ITEMS", b"2", b"a", b"1", b"b", b"1", b"ID", b"a",
                    b"WAIT",
                ],
                "ERR WAIT: takes one SKU",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(words).err().unwrap(), text);
        }
    }
}
