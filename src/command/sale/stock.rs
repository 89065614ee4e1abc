//! `FLASHSALE.STOCK key [sku ...]`
//!
//! Tells the stock of the SKUs named, or of all. Looks at no clock: an overdue
//! reservation is reserved until the primary returns it.
//!
//! - Complexity: O(N) with N SKUs named, or items in the sale when none is.
//! - Reply: one `[sku, available, reserved, sold, waiting]` per SKU in that order, null for
//!   an unknown one; `waiting` is how many people are in its line.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.

use crate::command::args::Args;
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use flashsale_engine::sale::ItemView;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.STOCK",
    summary: "Tells the stock of items.",
    complexity: "O(N) with N SKUs named, or items in the sale when none is",
    since: SINCE,
    flags: "readonly",
    arity: -2,
    keys: &[KeySpec::read(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("sku").multiple().optional(),
    ],
    tips: "",
    internal: false,
};

struct Request<'a> {
    /// In the order named; empty means all.
    skus: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let mut skus = Vec::with_capacity(args.len());
        while !args.is_empty() {
            skus.push(args.sku()?);
        }
        Ok(Request { skus })
    }
}

pub struct Stock;

impl Handler for Stock {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request { skus } = Request::parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let (sale, reply) = (key.sale(), call.reply());
        if skus.is_empty() {
            reply.array(sale.items_len());
            (0..).zip(sale.items()).for_each(|(index, item)| {
                reply_item(reply, &item, sale.waiting_for(index));
            });
            return Ok(());
        }
        reply.array(skus.len());
        for sku in skus {
            match sale.find_item(sku) {
                Some(item) => reply_item(reply, &sale.item(item), sale.waiting_for(item)),
                None => reply.null(),
            }
        }
        Ok(())
    }
}

fn reply_item(reply: Reply<'_>, item: &ItemView<'_>, waiting: u64) {
    reply.array(5);
    reply.bytes(item.sku);
    reply.integer(item.available);
    reply.integer(item.reserved);
    reply.integer(item.sold);
    reply.integer(waiting);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_number_of_skus() {
        let words: [&[u8]; 4] = [b"STOCK", b"k", b"a", b"a"];
        assert_eq!(
            Request::parse(Args::new(&words)).unwrap().skus,
            [b"a", b"a"]
        );
        assert!(
            Request::parse(Args::new(&words[..2]))
                .unwrap()
                .skus
                .is_empty()
        );
        let words: [&[u8]; 3] = [b"STOCK", b"k", b""];
        let error = Request::parse(Args::new(&words)).err().unwrap();
        assert_eq!(error.to_string(), "ERR sku: 0 bytes, not 1 to 128");
    }
}
