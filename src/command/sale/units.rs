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
use crate::command::{Handler, NAMES_SINCE, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};

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
