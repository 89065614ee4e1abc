//! `FLASHSALE.SHARES key [sku ...]`
//!
//! Tells in one step what a sale has to do with others: its stock, what it owes, and what it has
//! given to each sale and taken from it in all. Any sale has this; a driver of a split sale reads
//! it of each part.
//!
//! - Complexity: O(N * M) with N SKUs named, or items in the sale when none is, and M share ids
//!   of each.
//! - Reply: a map: `sale_id`, `share_id` (names the sale to GIVE and TAKE), `group` (the split
//!   sale it is a part of, or null), `state` (as in INFO), `now_ms`, `refunded` (units), `items`:
//!   one `[sku, available, reserved, sold, owed, base, asked, waiting, given, taken]` per SKU in
//!   that order, null for an unknown one. `base` is what CREATE and RESTOCK brought, less what
//!   refunds took out of the total; `asked` are units that RESERVE and BUY refused, or put in
//!   line, for want of stock since this server started; `waiting` are units its line waits for;
//!   `given` and `taken` are `[[share_id, units], ...]`.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.

use ulid::{ULID_LEN, Ulid};

use crate::clock;
use crate::command::args::Args;
use crate::command::reply::bytes_or_null;
use crate::command::{BEYOND_SINCE, Handler, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use flashsale_engine::sale::{INTEGER_MAX, ItemIndex, Sale, ShareView};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.SHARES",
    summary: "Tells what a sale has given to other sales and taken from them.",
    complexity: "O(N * M) with N SKUs named, or items in the sale when none is, and M share ids",
    since: BEYOND_SINCE,
    flags: "readonly",
    arity: -2,
    keys: &[KeySpec::read(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("sku").multiple().optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<Vec<&'a [u8]>, Error> {
    args.word("key")?;
    let mut skus = Vec::with_capacity(args.len());
    while !args.is_empty() {
        skus.push(args.sku()?);
    }
    Ok(skus)
}

pub struct Shares;

impl Handler for Shares {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let skus = parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let (sale, reply) = (key.sale(), call.reply());
        let now_ms = sale.time(clock::now_ms()).now_ms.min(INTEGER_MAX);
        reply.map(7);
        reply.bytes(b"sale_id");
        reply_ulid(reply, sale.sale_id());
        reply.bytes(b"share_id");
        reply_ulid(reply, sale.share_id());
        reply.bytes(b"group");
        bytes_or_null(reply, sale.group().map(str::as_bytes));
        reply.bytes(b"state");
        reply.bytes(sale.phase(now_ms).word().as_bytes());
        reply.bytes(b"now_ms");
        reply.integer(now_ms);
        reply.bytes(b"refunded");
        reply.integer(sale.refunded());
        reply.bytes(b"items");
        reply_items(reply, sale, &skus);
        Ok(())
    }
}

/// A share id, or a sale id.
pub(super) fn reply_ulid(reply: Reply<'_>, ulid: u128) {
    reply.bytes(Ulid(ulid).array_to_str(&mut [0; ULID_LEN]).as_bytes());
}

fn reply_items(reply: Reply<'_>, sale: &Sale, skus: &[&[u8]]) {
    if skus.is_empty() {
        reply.array(sale.items_len());
        let items = 0..sale.items_len() as ItemIndex;
        return items.for_each(|item| reply_item(reply, &sale.share(item)));
    }
    reply.array(skus.len());
    for sku in skus {
        match sale.find_item(sku) {
            Some(item) => reply_item(reply, &sale.share(item)),
            None => reply.null(),
        }
    }
}

fn reply_item(reply: Reply<'_>, share: &ShareView<'_>) {
    reply.array(10);
    reply.bytes(share.item.sku);
    for number in [
        share.item.available,
        share.item.reserved,
        share.item.sold,
        share.item.owed,
    ] {
        reply.integer(number);
    }
    reply.signed(share.base);
    reply.integer(share.asked);
    reply.integer(share.waiting);
    for totals in [&share.given, &share.taken] {
        reply.array(totals.len());
        for &(share_id, units) in totals {
            reply.array(2);
            reply_ulid(reply, share_id);
            reply.integer(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_number_of_skus() {
        let words: [&[u8]; 4] = [b"SHARES", b"k", b"a", b"b"];
        assert_eq!(parse(Args::new(&words)), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!(parse(Args::new(&words[..2])), Ok(vec![]));
    }
}
