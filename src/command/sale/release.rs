//! `FLASHSALE.RELEASE key id [USER user]`
//!
//! Gives a reservation's units back before its deadline. An id that was never seen is
//! remembered, so that a RESERVE overtaken by its own RELEASE takes nothing. There is
//! no GRACE for a released reservation.
//!
//! - Complexity: O(N log N) with N SKUs in the reservation.
//! - Reply: `["RELEASED", id]`, also when it already was, had expired, or was never
//!   seen; refusals: `SOLD`, `REFUNDED`, `NORESERVATION` (not `USER`'s).
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`, `OOM` (an id never seen,
//!   beyond `max-reservations`).
//! - Replicates: the event `Released` or `ReleasedUnseen`; nothing when refused.
//! - Notifies: `flashsale.released`, and `flashsale.backinstock` per item.

use crate::command::args::{Args, once};
use crate::command::open::OpenSale;
use crate::command::reply::{self, About, Word};
use crate::command::{Handler, SINCE};
use crate::config;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::names;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.RELEASE",
    summary: "Gives a reservation's units back before its deadline.",
    complexity: "O(N log N) with N SKUs in the reservation",
    since: SINCE,
    flags: "write fast",
    arity: -3,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("id"),
        Argument::string("user").after("USER").optional(),
    ],
    tips: "",
    internal: false,
};

struct Request<'a> {
    id: &'a [u8],
    user: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let id = args.name("id")?;
        let mut user = None;
        while !args.is_empty() {
            if !args.keyword("USER") {
                return Err(args.unknown_option());
            }
            once(&mut user, "USER", args.name("USER")?)?;
        }
        Ok(Request { id, user })
    }
}

pub struct Release;

impl Handler for Release {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request { id, user } = Request::parse(Args::new(call.words()))?;
        let (mut id_key, user) = (names::key(id), user.map(names::key));
        let mut open = OpenSale::about(call, Some(&mut id_key), None)?;
        open.expire(id_key);
        match open
            .sale()
            .plan_release(open.now_ms, id_key, user, &config::bounds())
        {
            Ok(event) => {
                open.commit(&event);
                reply::status(call.reply(), Word::Released, 2);
                call.reply().bytes(id);
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
    fn reads_an_id_and_perhaps_a_user() {
        let words: [&[u8]; 5] = [b"RELEASE", b"k", b"i", b"user", b"u"];
        let request = Request::parse(Args::new(&words)).unwrap();
        assert_eq!((request.id, request.user), (&b"i"[..], Some(&b"u"[..])));
        let request = Request::parse(Args::new(&words[..3])).unwrap();
        assert_eq!(request.user, None);
        let error = Request::parse(Args::new(&words[..4])).err().unwrap();
        assert_eq!(error.to_string(), "ERR USER: its value is missing");
    }
}
