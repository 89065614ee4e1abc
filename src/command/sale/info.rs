//! `FLASHSALE.INFO key`
//!
//! Tells everything about a sale as a whole. The only read that looks at the clock, to
//! judge the state.
//!
//! - Complexity: O(1).
//! - Reply: a map: `sale_id`, `orders`, `state` (scheduled, open, paused, ended,
//!   closed; diverged where this copy missed a change of its primary), `now_ms`,
//!   `created_at_ms`, `paused_at_ms`, `closed_at_ms`, every option in lower case with its
//!   unit, `items`, `total`, `available`, `reserved`, `sold`, `refunded`, `users`,
//!   `reservations_open`, `reservations_remembered`, `events_waiting` (entries that are not in
//!   the stream yet), `events_lost` (entries that never will be), `seq` (of the newest entry
//!   with `EVENTS all`), `memory_bytes`, `waiting` (people in line), `granted` and `passed_over`
//!   (places so far), and of the last draw `drawn_at_ms`, `draw_seed` (32 hex digits) and `drawn`
//!   (`[[sku, n], ...]`: how many were drawn in each line), `owed` (units that were sold or given
//!   and are not there), `share_id` (names the sale to GIVE and TAKE), and `group` (the split sale
//!   it is a part of). Null where there is nothing.
//! - Errors: `ERR` arity, `NOSALE`, `WRONGTYPE`.

use crate::clock;
use crate::command::args::Args;
use crate::command::reply::{bytes_or_null, integer_or_null};
use crate::command::sale::shares::reply_ulid;
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use flashsale_engine::sale::{InfoView, Sale};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.INFO",
    summary: "Tells everything about a sale as a whole.",
    complexity: "O(1)",
    since: SINCE,
    flags: "readonly",
    arity: 2,
    keys: &[KeySpec::read(1)],
    arguments: &[Argument::key("key", 0)],
    tips: "nondeterministic_output",
    internal: false,
};

/// The numbers of INFO, in the order of the reply.
fn numbers(info: &InfoView<'_>) -> [(&'static str, Option<u64>); 37] {
    let options = info.options;
    [
        ("now_ms", Some(info.now_ms)),
        ("created_at_ms", Some(info.created_at_ms)),
        ("paused_at_ms", info.paused_at_ms),
        ("closed_at_ms", info.closed_at_ms),
        ("userlimit", options.user_limit),
        ("itemlimit", options.item_limit),
        ("orderlimit", options.order_limit),
        ("salelimit", options.sale_limit),
        ("hold_ms", Some(options.hold_ms)),
        ("maxhold_ms", Some(options.max_hold_ms())),
        ("grace_ms", Some(options.grace_ms)),
        ("start_at_ms", options.start_at_ms),
        ("end_at_ms", options.end_at_ms),
        ("keep_ms", Some(options.keep_ms)),
        ("remember_ms", Some(options.remember_ms)),
        ("waiting_max", Some(options.waiting_max)),
        ("patience_ms", Some(options.patience_ms)),
        ("pace_n", options.pace.map(|rate| rate.n)),
        ("pace_ms", options.pace.map(|rate| rate.ms)),
        ("userrate_n", options.user_rate.map(|rate| rate.n)),
        ("userrate_ms", options.user_rate.map(|rate| rate.ms)),
        ("fromrate_n", options.from_rate.map(|rate| rate.n)),
        ("fromrate_ms", options.from_rate.map(|rate| rate.ms)),
        ("passkeys", Some(options.passkeys.len() as u64)),
        ("items", Some(info.items)),
        // What is owed may be more than there is.
        ("total", None),
        ("available", Some(info.available)),
        ("reserved", Some(info.reserved)),
        ("sold", Some(info.sold)),
        ("refunded", Some(info.refunded)),
        ("users", Some(info.users)),
        ("reservations_open", Some(info.reservations_open)),
        (
            "reservations_remembered",
            Some(info.reservations_remembered),
        ),
        ("events_waiting", Some(info.events_waiting)),
        ("events_lost", Some(info.events_lost)),
        ("seq", info.seq),
        ("memory_bytes", Some(info.memory_bytes)),
    ]
}

pub struct Info;

impl Handler for Info {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).key_alone()?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let (info, reply) = (key.sale().info(clock::now_ms()), call.reply());
        let numbers = numbers(&info);
        reply.map(numbers.len().saturating_add(13));
        reply.bytes(b"sale_id");
        reply_ulid(reply, info.sale_id);
        reply.bytes(b"orders");
        reply.bytes(info.orders);
        reply.bytes(b"state");
        reply.bytes(info.phase.word().as_bytes());
        reply.bytes(b"events");
        reply.bytes(info.options.events.word().as_bytes());
        for (name, number) in numbers {
            reply.bytes(name.as_bytes());
            match name {
                "total" => reply.signed(info.total),
                _ => integer_or_null(reply, number),
            }
        }
        reply_lines(reply, key.sale());
        reply.bytes(b"owed");
        reply.integer(info.owed);
        reply.bytes(b"share_id");
        reply_ulid(reply, info.share_id);
        reply.bytes(b"group");
        bytes_or_null(reply, info.options.group.as_deref().map(str::as_bytes));
        Ok(())
    }
}

/// What INFO says of lines.
fn reply_lines(reply: Reply<'_>, sale: &Sale) {
    let counts = sale.line_counts();
    for (name, number) in [
        ("waiting", sale.waiting_len()),
        ("granted", counts.granted),
        ("passed_over", counts.passed_over),
    ] {
        reply.bytes(name.as_bytes());
        reply.integer(number);
    }
    let draw = sale.last_draw();
    reply.bytes(b"drawn_at_ms");
    integer_or_null(reply, draw.map(|draw| draw.at_ms));
    reply.bytes(b"draw_seed");
    let seed = draw.map(|draw| format!("{:032x}", u128::from_be_bytes(draw.seed)));
    bytes_or_null(reply, seed.as_ref().map(String::as_bytes));
    reply.bytes(b"drawn");
    let Some(draw) = draw else {
        return reply.null();
    };
    reply.array(draw.drawn.len());
    for &(item, drawn) in &draw.drawn {
        reply.array(2);
        reply.bytes(sale.item(item).sku);
        reply.integer(drawn);
    }
}
