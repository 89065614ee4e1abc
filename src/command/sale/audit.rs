//! `FLASHSALE.AUDIT key [orders]`
//!
//! Recounts a sale from its reservations up, and holds its orders against the entries of
//! its stream, if that is named. Changes nothing and looks at no clock.
//!
//! - Complexity: O(N) with N reservations, users and items, and entries of the stream.
//!   Ask a replica.
//! - Reply: a map: `consistent` (1 or 0), `differences` (in words, at most 100, then how
//!   many more), `reservations` (known ids), `entries` (orders and refunds of
//!   this sale in the stream),
//!   `trimmed` (entries older than the first one in the stream, which is no difference as
//!   long as so many were removed from it), `entries_added` (to the stream, ever, by
//!   whomever; null where XINFO was renamed, and a lost stream then passes for a trimmed
//!   one), `entries_other` (of this sale in the stream, written by `EVENTS all`). The last four
//!   are null without `orders`.
//! - Errors: `ERR` arity, or `orders` is not the sale's; `NOSALE`, `WRONGTYPE`.

use crate::command::args::Args;
use crate::command::reply::integer_or_null;
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::orders::OrdersKey;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.AUDIT",
    summary: "Recounts a sale from its reservations up, and against its order stream.",
    complexity: "O(N) with N reservations, users, items and stream entries",
    since: SINCE,
    flags: "readonly",
    arity: -2,
    // The optional stream shares the key spec of the sale: a spec of its own, of a key that
    // is absent, would void the ACL check of both.
    keys: &[KeySpec::read(1).through(-1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::key("orders", 0).optional(),
    ],
    tips: "",
    internal: false,
};

/// Is the stream named?
fn parse(mut args: Args<'_>) -> Result<bool, Error> {
    args.word("key")?;
    let has_orders = !args.is_empty();
    if has_orders {
        args.word("orders")?;
    }
    args.end()?;
    Ok(has_orders)
}

pub struct Audit;

impl Handler for Audit {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let has_orders = parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let sale = key.sale();
        let orders = if has_orders {
            Some(OrdersKey::open_read(call.ctx(), text(call, 2)?, sale)?)
        } else {
            None
        };
        let mut differences = sale.audit_whole();
        let (mut entries, mut entries_other) = (None, None);
        let (mut trimmed, mut entries_added) = (None, None);
        if let Some(orders) = orders {
            let count = orders.audit(call.ctx(), sale);
            (entries, trimmed) = (Some(count.entries), Some(count.trimmed));
            entries_other = Some(count.entries_other);
            entries_added = count.entries_added;
            differences.append(count.differences);
        }
        let reply = call.reply();
        reply.map(7);
        reply.bytes(b"consistent");
        reply.integer(u64::from(differences.is_empty()));
        reply.bytes(b"differences");
        let lines = differences.into_lines();
        reply.array(lines.len());
        for line in lines {
            reply.bytes(line.as_bytes());
        }
        reply.bytes(b"reservations");
        reply.integer(sale.reservations_known());
        reply.bytes(b"entries");
        integer_or_null(reply, entries);
        reply.bytes(b"trimmed");
        integer_or_null(reply, trimmed);
        reply.bytes(b"entries_added");
        integer_or_null(reply, entries_added);
        reply.bytes(b"entries_other");
        integer_or_null(reply, entries_other);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_may_be_left_out() {
        let words: [&[u8]; 4] = [b"AUDIT", b"k", b"o", b"x"];
        assert_eq!(parse(Args::new(&words[..2])), Ok(false));
        assert_eq!(parse(Args::new(&words[..3])), Ok(true));
        assert!(parse(Args::new(&words)).is_err());
        assert!(parse(Args::new(&words[..1])).is_err());
    }
}
