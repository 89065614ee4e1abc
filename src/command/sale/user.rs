//! `FLASHSALE.USER key user`
//!
//! Tells what one user has. Looks at no clock.
//!
//! - Complexity: O(1); at most 100 ids are listed.
//! - Reply: a map: `reserved`, `sold` (net of refunds), `counted` (against USERLIMIT),
//!   `user_remaining` (-1 without USERLIMIT), `open`, `reservations` (the oldest 100
//!   open ids), `waiting` (the id under which the user waits, or null). Zeros for an unknown user.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.

use crate::command::args::Args;
use crate::command::reply::{bytes_or_null, ids, user_remaining};
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::sale::NameBuffer;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.USER",
    summary: "Tells what one user has reserved and bought.",
    complexity: "O(1)",
    since: SINCE,
    flags: "readonly fast",
    arity: 3,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0), Argument::string("user")],
    tips: "",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<&'a [u8], Error> {
    args.word("key")?;
    let user = args.name("user")?;
    args.end()?;
    Ok(user)
}

pub struct User;

impl Handler for User {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let user = parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let (view, reply) = (key.sale().user(user), call.reply());
        reply.map(7);
        for (name, units) in [
            ("reserved", view.reserved),
            ("sold", view.sold),
            ("counted", view.counted),
        ] {
            reply.bytes(name.as_bytes());
            reply.integer(units);
        }
        reply.bytes(b"user_remaining");
        user_remaining(reply, view.remaining);
        reply.bytes(b"open");
        reply.integer(view.open);
        reply.bytes(b"reservations");
        reply.array(view.slots.len());
        ids(reply, key.sale(), &view.slots);
        reply.bytes(b"waiting");
        let mut buffer = NameBuffer::default();
        let place = key.sale().place_of_user(user);
        bytes_or_null(reply, place.map(|place| place.id.bytes(&mut buffer)));
        Ok(())
    }
}
