//! `FLASHSALE.EXTEND key id ms [USER user]`
//!
//! Moves the deadline of an open reservation to the earlier of now + ms and its making
//! + MAXHOLD, never before the present one. PAUSE, END and CLOSE do not matter.
//!
//! - Complexity: O(log N) with N open reservations.
//! - Reply: `["RESERVED", id, expires_at_ms, remaining, user_remaining]`; refusals:
//!   `NORESERVATION`, `EXPIRED`, `RELEASED`, `SOLD`, `REFUNDED`.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.
//! - Replicates: the event `Extended`; nothing when the deadline does not move.
//! - Notifies: `flashsale.extended`.

use crate::command::args::{Args, once};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About};
use crate::command::{Handler, SINCE};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;
use flashsale_engine::sale::Spelling;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.EXTEND",
    summary: "Moves the deadline of an open reservation.",
    complexity: "O(log N) with N open reservations",
    since: SINCE,
    flags: "write fast",
    arity: -4,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("id"),
        Argument::integer("ms"),
        Argument::string("user").after("USER").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

struct Request<'a> {
    id: &'a [u8],
    ms: u64,
    user: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let id = args.name("id")?;
        let ms = args.integer("ms", 1)?;
        let mut user = None;
        while !args.is_empty() {
            if !args.keyword("USER") {
                return Err(args.unknown_option());
            }
            once(&mut user, "USER", args.name("USER")?)?;
        }
        Ok(Request { id, ms, user })
    }
}

pub struct Extend;

impl Handler for Extend {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request { id, ms, user } = Request::parse(Args::new(call.words()))?;
        let (mut id_key, user) = (names::key(id), user.map(Spelling::of));
        let mut open = OpenSale::about(call, Some(&mut id_key), None)?;
        open.expire(id_key);
        match open.sale().plan_extend(open.now_ms, id_key, ms, user) {
            Ok(event) => {
                let done = open.commit(&event);
                reply::reserved_now(call.reply(), open.sale(), id, &event, &done);
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
    fn reads_an_id_a_duration_and_perhaps_a_user() {
        let words: [&[u8]; 6] = [b"EXTEND", b"k", b"i", b"5", b"USER", b"u"];
        let request = Request::parse(Args::new(&words)).unwrap();
        assert_eq!(
            (request.id, request.ms, request.user),
            (&b"i"[..], 5, Some(&b"u"[..]))
        );
        let words: [&[u8]; 4] = [b"EXTEND", b"k", b"i", b"0"];
        let error = Request::parse(Args::new(&words)).err().unwrap();
        assert_eq!(
            error.to_string(),
            "ERR ms: '0' is not an integer from 1 to 9007199254740991"
        );
    }
}
