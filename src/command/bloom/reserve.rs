//! `FLASHSALE.BFRESERVE key error_rate capacity [EXPANSION expansion] [NONSCALING]`
//!
//! Makes an empty filter for `capacity` items, which takes a stranger for a member at
//! most so often as `error_rate` says. Full, it gets another link, `expansion` times as
//! large (`bf-expansion`); NONSCALING, or an expansion of 0, makes one that then takes no
//! more items, and is smaller from the start.
//!
//! - Complexity: O(1).
//! - Reply: `OK`.
//! - Errors: in this order, `ERR` arity; the error rate, the capacity; syntax, the
//!   expansion; `item exists`, `WRONGTYPE`; too little memory.
//! - Replicates: the event `Created`.

use crate::command::bloom::args::{
    BadNumber, NewFilter, capacity, create, error_rate, error_rate_range, expansion,
    unknown_argument, wrong_arity,
};
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::config::{self, BF_CAPACITY_MAX};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::{EXPANSION_MAX, ErrorRate};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFRESERVE",
    summary: "Makes an empty Bloom filter.",
    complexity: "O(1)",
    since: FILTERS_SINCE,
    flags: "write deny-oom fast",
    arity: -4,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::double("error_rate"),
        Argument::integer("capacity"),
        Argument::integer("expansion").after("EXPANSION").optional(),
        Argument::flag("nonscaling", "NONSCALING").optional(),
    ],
    tips: "",
    internal: false,
};

/// Most words of the line.
const WORDS_MAX: usize = 7;

#[derive(Debug, PartialEq)]
struct Request {
    error_rate: ErrorRate,
    capacity: u64,
    /// 0 for NONSCALING, `None` for what the configuration says.
    expansion: Option<u32>,
}

impl Request {
    fn parse(words: &[&[u8]]) -> Result<Request, Error> {
        let [_, _, rate, items, options @ ..] = words else {
            return Err(wrong_arity(words));
        };
        if words.len() > WORDS_MAX {
            return Err(wrong_arity(words));
        }
        let error_rate = error_rate(rate).map_err(error_rate_range)?;
        let capacity = capacity(items).map_err(|error| match error {
            BadNumber::Bad => Error::new("bad capacity"),
            _ => Error::new(format!(
                "capacity must be in the range [1, {BF_CAPACITY_MAX}]"
            )),
        })?;
        Ok(Request {
            error_rate,
            capacity,
            expansion: parse_options(options)?,
        })
    }
}

fn parse_options(mut options: &[&[u8]]) -> Result<Option<u32>, Error> {
    let (mut is_fixed, mut given) = (false, None);
    while let Some((word, rest)) = options.split_first() {
        options = rest;
        if word.eq_ignore_ascii_case(b"NONSCALING") {
            is_fixed = true;
        } else if word.eq_ignore_ascii_case(b"EXPANSION") {
            let (value, rest) = rest
                .split_first()
                .ok_or_else(|| Error::new("no expansion"))?;
            options = rest;
            given = Some(expansion(value));
        } else {
            return Err(unknown_argument(word));
        }
    }
    match given {
        Some(Err(BadNumber::Bad)) => Err(Error::new("bad expansion")),
        Some(value) if is_fixed && value != Ok(0) => {
            Err(Error::new("Nonscaling filters cannot expand"))
        }
        Some(Err(_)) => Err(Error::new(format!(
            "expansion must be in the range [0, {EXPANSION_MAX}]"
        ))),
        Some(Ok(value)) => Ok(Some(value)),
        None => Ok(is_fixed.then_some(0)),
    }
}

pub struct Reserve;

impl Handler for Reserve {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let request = Request::parse(call.words())?;
        let (ctx, name) = (call.ctx(), text(call, 1)?);
        if bloom_key::open_read(ctx, name)?.is_some() {
            return Err(Error::new("item exists"));
        }
        let new = NewFilter {
            error_rate: request.error_rate,
            capacity: request.capacity,
            expansion: request.expansion.unwrap_or_else(config::bf_expansion),
        };
        create(ctx, name, new, &[])?;
        call.reply().ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        Request::parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn options_come_in_any_order_and_case() {
        let expansion = |line: &str| parse(line).expect("a request").expansion;
        assert_eq!(expansion("R k 0.01 100"), None);
        assert_eq!(expansion("R k 0.01 100 expansion 4"), Some(4));
        for fixed in [
            "EXPANSION 0",
            "NonScaling",
            "NONSCALING EXPANSION 0",
            "EXPANSION 0 NONSCALING",
        ] {
            assert_eq!(
                expansion(&format!("R k 0.01 100 {fixed}")),
                Some(0),
                "{fixed}"
            );
        }
    }

    #[test]
    fn errors_come_in_their_order() {
        for (line, text) in [
            ("R k x y EXPANSION", "bad error rate"),
            (
                "R k 1 y",
                "error rate must be in the range (0.000000, 1.000000)",
            ),
            ("R k 1e-12 y", "error rate must be at least 0.000000001"),
            ("R k 0.1 y NO", "bad capacity"),
            (
                "R k 0.1 0 NO",
                "capacity must be in the range [1, 1073741824]",
            ),
            ("R k 0.1 1 EXPANSION", "no expansion"),
            ("R k 0.1 1 EXPANSION 2 EXPANSION", "no expansion"),
            ("R k 0.1 1 NONSCALING EXPANSION x", "bad expansion"),
            (
                "R k 0.1 1 NONSCALING EXPANSION -1",
                "Nonscaling filters cannot expand",
            ),
            (
                "R k 0.1 1 EXPANSION 2 NONSCALING",
                "Nonscaling filters cannot expand",
            ),
            (
                "R k 0.1 1 EXPANSION -1",
                "expansion must be in the range [0, 32768]",
            ),
            (
                "R k 0.1 1 NONSCALE",
                "Unknown argument received: 'NONSCALE'",
            ),
            (
                "R k x 1 EXPANSION 2 EXPANSION 3",
                "wrong number of arguments for 'r' command",
            ),
        ] {
            assert_eq!(parse(line), Err(format!("ERR {text}")), "{line}");
        }
    }
}
