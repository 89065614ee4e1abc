//! `FLASHSALE.GET key id`
//!
//! Tells everything about a reservation. Looks at no clock: an overdue reservation is
//! `reserved` until the primary returns it.
//!
//! - Complexity: O(N) with N SKUs in the reservation and in its refunds.
//! - Reply: null if the id is unknown, else a map, always whole, null where there is
//!   nothing: `state` (reserved, sold, refunded, released, expired, waiting), `user`, `items`
//!   [[sku, qty], ...], `refunded` (same shape), `reserved_at_ms`, `expires_at_ms`,
//!   `sold_at_ms`, `released_at_ms`, `order_id`, `ref`, and of an id that waits `number` (in its
//!   line) and `ahead` (places in front at most, -1 before START), and of an order `refunds`
//!   ([[entry_id, ref, [[sku, qty], ...], restocked, restorelimit, norestock], ...], in their
//!   order, the last two as asked; null where an older format does not say). Of more than 8 SKUs `items` is
//!   null once released, or expired for good.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.

use crate::command::args::Args;
use crate::command::reply::{bytes_or_null, entry_id, integer_or_minus_1, integer_or_null};
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use crate::names;
use flashsale_engine::sale::{NameBuffer, RefundView, Sale, View};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.GET",
    summary: "Tells everything about a reservation.",
    complexity: "O(N) with N SKUs in the reservation",
    since: SINCE,
    flags: "readonly fast",
    arity: 3,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0), Argument::string("id")],
    tips: "",
    internal: false,
};

fn parse<'a>(mut args: Args<'a>) -> Result<&'a [u8], Error> {
    args.word("key")?;
    let id = args.name("id")?;
    args.end()?;
    Ok(id)
}

pub struct Get;

impl Handler for Get {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let id = parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let sale = key.sale();
        let key = names::key(id);
        let known = sale.find(key).and_then(|slot| sale.view(slot));
        match known.or_else(|| sale.view_of_place(sale.find_place(key)?)) {
            Some(view) => {
                reply_view(call.reply(), sale, &view);
                let refunds = sale.find(key).map(|slot| sale.refunds(slot).collect());
                reply_refunds(call.reply(), sale, &refunds.unwrap_or_default());
            }
            None => call.reply().null(),
        }
        Ok(())
    }
}

fn reply_view(reply: Reply<'_>, sale: &Sale, view: &View<'_>) {
    reply.map(13);
    reply.bytes(b"state");
    reply.bytes(view.state.word().as_bytes());
    reply.bytes(b"user");
    bytes_or_null(reply, view.user(&mut NameBuffer::default()));
    reply.bytes(b"items");
    if view.is_shortened {
        reply.null();
    } else {
        reply.array(view.lines.len());
        for line in &view.lines {
            reply_line(reply, sale.item(line.item).sku, line.qty);
        }
    }
    reply.bytes(b"refunded");
    let refunded = || {
        view.lines
            .iter()
            .zip(view.refunded)
            .filter(|(_, qty)| **qty > 0)
    };
    reply.array(refunded().count());
    for (line, qty) in refunded() {
        reply_line(reply, sale.item(line.item).sku, *qty);
    }
    for (name, moment) in [
        ("reserved_at_ms", view.reserved_at_ms),
        ("expires_at_ms", view.expires_at_ms),
        ("sold_at_ms", view.sold_at_ms),
        ("released_at_ms", view.released_at_ms),
    ] {
        reply.bytes(name.as_bytes());
        integer_or_null(reply, moment);
    }
    reply.bytes(b"order_id");
    match view.order {
        Some(order) => entry_id(reply, order),
        None => reply.null(),
    }
    reply.bytes(b"ref");
    bytes_or_null(reply, view.reference());
    reply.bytes(b"number");
    integer_or_null(reply, view.wait.map(|wait| wait.number));
    reply.bytes(b"ahead");
    match view.wait {
        Some(wait) => integer_or_minus_1(reply, wait.ahead),
        None => reply.null(),
    }
}

/// The refunds of an order, the last field of the map.
fn reply_refunds(reply: Reply<'_>, sale: &Sale, refunds: &Vec<RefundView<'_>>) {
    reply.bytes(b"refunds");
    reply.array(refunds.len());
    for refund in refunds {
        reply.array(6);
        entry_id(reply, refund.entry);
        bytes_or_null(reply, refund.reference);
        reply.array(refund.lines.len());
        for line in &refund.lines {
            reply_line(reply, sale.item(line.item).sku, line.qty);
        }
        integer_or_null(reply, refund.restocked.map(u64::from));
        reply.integer(u64::from(refund.restore_limit));
        integer_or_null(reply, refund.no_restock.map(u64::from));
    }
}

fn reply_line(reply: Reply<'_>, sku: &[u8], qty: u64) {
    reply.array(2);
    reply.bytes(sku);
    reply.integer(qty);
}
