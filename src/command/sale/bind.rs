//! `FLASHSALE.BIND key orders`
//!
//! Gives the sale another order stream, which need not exist yet. Entries already
//! written stay where they are.
//!
//! - Complexity: O(1).
//! - Reply: `OK`, also when it already was so.
//! - Errors: `ERR` arity; `NOSALE`, `WRONGTYPE`.
//! - Replicates: the event `Bound`; nothing when it already was so.
//! - Notifies: `flashsale.altered`.

use crate::command::args::Args;
use crate::command::open::manage;
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::orders::OrdersKey;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BIND",
    summary: "Gives a sale another order stream.",
    complexity: "O(1)",
    since: SINCE,
    flags: "write fast",
    arity: 3,
    keys: &[KeySpec::update(1), KeySpec::name(2)],
    arguments: &[Argument::key("key", 0), Argument::key("orders", 1)],
    tips: "",
    internal: false,
};

struct Request<'a> {
    orders: &'a [u8],
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        let key = args.word("key")?;
        let orders = args.orders()?;
        if key == orders {
            return Err(Error::new(
                "orders: the same as key, it needs a key of its own",
            ));
        }
        args.end()?;
        Ok(Request { orders })
    }
}

pub struct Bind;

impl Handler for Bind {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request { orders } = Request::parse(Args::new(call.words()))?;
        datatype::open_read(call.ctx(), text(call, 1)?)?;
        OrdersKey::open_any(call.ctx(), text(call, 2)?)?;
        manage(call, |sale, now_ms| sale.plan_bind(now_ms, orders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_the_sale_as_its_own_stream() {
        let words: [&[u8]; 3] = [b"BIND", b"k", b"k"];
        let error = Request::parse(Args::new(&words)).err().unwrap();
        assert_eq!(
            error.to_string(),
            "ERR orders: the same as key, it needs a key of its own"
        );
    }
}
