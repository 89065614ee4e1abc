//! `FLASHSALE.UNITS key sku cursor [COUNT n] [WITHIDS]`
//!
//! Goes through the units of an item that have names, a part a call, in the order of the rows.
//! Positions never change: a unit that is known during the whole of a scan is told exactly once.
//! COUNT is how many units a call tells (100 unless given, at most 10,000). Without WITHIDS no
//! id is shown, since whoever knows an id may release it; with it each unit has the id of its
//! reservation or order, or null.
//!
//! Of a sealed item it tells only what was sold, and only WITHIDS.
//!
//! - Complexity: O(N) with N units looked at.
//! - Reply: `[cursor, [[unit, state], ...]]`, and WITHIDS `[unit, state, id]`; a cursor of 0 is
//!   the end. `state` is free, reserved, sold or withdrawn.
//! - Errors: `ERR` arity or syntax, an item whose units have no names, a sealed item without
//!   WITHIDS; `NOSALE`, `WRONGTYPE`, `NOSKU`.

use crate::command::args::{Args, flag, once};
use crate::command::reply::bytes_or_null;
use crate::command::{Handler, NAMES_SINCE, text};
use crate::datatype;
use crate::error::{Code, Error, echo};
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use crate::rehearsal::{self, Point};
use flashsale_engine::sale::{ItemIndex, ItemKind, NameBuffer, Sale, UnitView};

const COUNT_DEFAULT: u64 = 100;
/// Most units of one call: a bound on how long one keeps other clients waiting.
const COUNT_MAX: u64 = 10_000;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.UNITS",
    summary: "Goes through the units of an item that have names.",
    complexity: "O(N) with N units looked at",
    since: NAMES_SINCE,
    flags: "readonly",
    arity: -4,
    keys: &[KeySpec::read(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::string("sku"),
        Argument::integer("cursor"),
        Argument::integer("n").after("COUNT").optional(),
        Argument::flag("withids", "WITHIDS").optional(),
    ],
    tips: "",
    internal: false,
};

#[derive(Debug, PartialEq)]
struct Request<'a> {
    sku: &'a [u8],
    cursor: u64,
    count: u64,
    with_ids: bool,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let sku = args.sku()?;
        let cursor = args.integer("cursor", 0)?;
        let (mut count, mut with_ids) = (None, false);
        while !args.is_empty() {
            if args.keyword("COUNT") {
                once(&mut count, "COUNT", parse_count(&mut args)?)?;
            } else if args.keyword("WITHIDS") {
                flag(&mut with_ids, "WITHIDS")?;
            } else {
                return Err(args.unknown_option());
            }
        }
        Ok(Request {
            sku,
            cursor,
            count: count.unwrap_or(COUNT_DEFAULT),
            with_ids,
        })
    }
}

fn parse_count(args: &mut Args<'_>) -> Result<u64, Error> {
    match args.integer("COUNT", 1)? {
        count @ 1..=COUNT_MAX => Ok(count),
        count => Err(Error::new(format!(
            "COUNT: {count} units, at most {COUNT_MAX} are told in one call"
        ))),
    }
}

pub struct Units;

impl Handler for Units {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let request = Request::parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let sale = key.sale();
        let item = item_of(sale, &request)?;
        rehearsal::panic_at(Point::Read, key.name().bytes());
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        // How many there are is written first.
        let mut found = Vec::new();
        let next = sale.scan_units(item, request.cursor, count, &mut |unit| {
            found.push(unit.number);
        });
        let reply = call.reply();
        reply.array(2);
        reply.bytes(itoa::Buffer::new().format(next).as_bytes());
        reply.array(found.len());
        for unit in found.into_iter().filter_map(|number| sale.unit(number)) {
            reply_unit(reply, &unit, request.with_ids);
        }
        Ok(())
    }
}

/// The item that is asked about.
///
/// # Errors
///
/// There is none; its units have no names, or may not be shown like this.
fn item_of(sale: &Sale, request: &Request<'_>) -> Result<ItemIndex, Error> {
    let sku = || echo(request.sku);
    let Some(item) = sale.find_item(request.sku) else {
        let text = format!("sku: the sale has no item '{}'", sku());
        return Err(Error::with(Code::NoSku, text));
    };
    match sale.kind_of_item(item) {
        ItemKind::Counted => Err(Error::new(format!("sku: '{}' has no named units", sku()))),
        ItemKind::Sealed if !request.with_ids => Err(Error::new(format!(
            "WITHIDS: missing, of the sealed item '{}' only what was sold is told, with the ids",
            sku()
        ))),
        ItemKind::Named | ItemKind::Sealed => Ok(item),
    }
}

fn reply_unit(reply: Reply<'_>, unit: &UnitView<'_>, with_ids: bool) {
    reply.array(2 + usize::from(with_ids));
    reply.bytes(unit.name(&mut NameBuffer::default()));
    reply.bytes(unit.state.word().as_bytes());
    if with_ids {
        bytes_or_null(reply, unit.holder(&mut NameBuffer::default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_cursor_and_options_in_any_order() {
        let words: [&[u8]; 7] = [
            b"UNITS", b"k", b"stalls", b"0", b"withids", b"count", b"10000",
        ];
        let expected = Request {
            sku: b"stalls",
            cursor: 0,
            count: COUNT_MAX,
            with_ids: true,
        };
        assert_eq!(Request::parse(Args::new(&words)), Ok(expected));
        let expected = Request {
            sku: b"stalls",
            cursor: 0,
            count: COUNT_DEFAULT,
            with_ids: false,
        };
        assert_eq!(Request::parse(Args::new(&words[..4])), Ok(expected));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 4] = [
            (
                &[b"UNITS", b"k", b"", b"0"],
                "ERR sku: 0 bytes, not 1 to 128",
            ),
            (
                &[b"UNITS", b"k", b"a", b"-1"],
                "ERR cursor: '-1' is not an integer from 0 to 9007199254740991",
            ),
            (
                &[b"UNITS", b"k", b"a", b"0", b"COUNT", b"10001"],
                "ERR COUNT: 10001 units, at most 10000 are told in one call",
            ),
            (
                &[b"UNITS", b"k", b"a", b"0", b"STATE", b"free"],
                "ERR syntax: unknown option 'STATE', see FLASHSALE.HELP",
            ),
        ];
        for (words, text) in refused {
            let error = Request::parse(Args::new(words)).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }
}
