//! `FLASHSALE.APPLY key [orders] event`
//!
//! Carries out an event that was decided elsewhere: by the primary of this replica, before
//! a restart, or by the server that gives the sale's slot to this one. Internal: an error
//! from any other client. `orders` is there when the event comes with an entry of the
//! order stream.
//!
//! - Complexity: that of the command that made the event.
//! - Reply: `OK`: what cannot be read or does not fit is counted and told in the log, and
//!   the sale is marked. A replica that answers its primary with an error may end itself
//!   over it. Of an AOF, it ends the start (see `load-damaged`).
//! - Errors: `ERR` from a client; what does not fit, to the source of a slot import, which
//!   then keeps the slot.
//! - Replicates: itself, as it came; the event `Marked` in the place of what does not fit.
//! - Notifies: as the command that made the event.

use crate::change::replay;
use crate::command::args::Args;
use crate::command::{Handler, SINCE, text};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.APPLY",
    summary: "Carries out an event of the primary or of the AOF. Internal.",
    complexity: "That of the command that made the event",
    since: SINCE,
    flags: "write",
    arity: -3,
    // The optional stream shares the key spec of the sale: absent, a spec of its own
    // would take the event for a key. While a slot moves as a whole the server knows by
    // these keys alone which events to send along; two slots in one line end the move.
    keys: &[KeySpec::update(1).through(-2)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 0).optional(),
        Argument::string("event"),
    ],
    tips: "",
    internal: true,
};

struct Request<'a> {
    has_orders: bool,
    event: &'a [u8],
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let has_orders = args.len() > 1;
        if has_orders {
            args.word("orders")?;
        }
        let event = args.word("event")?;
        args.end()?;
        Ok(Request { has_orders, event })
    }
}

pub struct Apply;

impl Handler for Apply {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        replay::follow(call, || apply(call))
    }
}

fn apply(call: &Call<'_>) -> Result<(), Error> {
    let Request { has_orders, event } = Request::parse(Args::new(call.words()))?;
    let orders = if has_orders {
        Some(text(call, 2)?)
    } else {
        None
    };
    replay::replay(call.ctx(), text(call, 1)?, orders, event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_the_last_word() {
        let words: [&[u8]; 5] = [b"APPLY", b"k", b"o", b"e", b"x"];
        let request = Request::parse(Args::new(&words[..3])).unwrap();
        assert_eq!((request.has_orders, request.event), (false, &b"o"[..]));
        let request = Request::parse(Args::new(&words[..4])).unwrap();
        assert_eq!((request.has_orders, request.event), (true, &b"e"[..]));
        assert!(Request::parse(Args::new(&words)).is_err());
    }
}
