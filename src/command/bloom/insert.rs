//! `FLASHSALE.BFINSERT key [CAPACITY capacity] [ERROR error] [EXPANSION expansion] [NOCREATE] [NONSCALING] ITEMS item [item ...]`
//!
//! Adds items as MADD does, to a filter that is made as the options say when there is
//! none. Options come in any order before ITEMS, the last of each kind counts; those of a
//! filter that is there are checked and not used. NONSCALING overrides EXPANSION.
//!
//! - Complexity: O(N * L) with N items and L links.
//! - Reply: as MADD.
//! - Errors: in this order, `ERR` arity, which a missing value and missing ITEMS are as
//!   well, and what is wrong with an option, from left to right; `not found` with
//!   NOCREATE, `WRONGTYPE`; too little memory.
//! - Replicates: as MADD.

use crate::command::bloom::args::{
    BadNumber, NewFilter, add, capacity, error_rate, error_rate_range, expansion, hashes_of,
    reply_each, unknown_argument, wrong_arity,
};
use crate::command::{FILTERS_SINCE, Handler};
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use flashsale_engine::bloom::ErrorRate;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFINSERT",
    summary: "Adds items to a Bloom filter that is made with these options if need be.",
    complexity: "O(N * L) with N items and L links of the filter",
    since: FILTERS_SINCE,
    flags: "write deny-oom",
    arity: -4,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::integer("capacity").after("CAPACITY").optional(),
        Argument::double("error").after("ERROR").optional(),
        Argument::integer("expansion").after("EXPANSION").optional(),
        Argument::flag("nocreate", "NOCREATE").optional(),
        Argument::flag("nonscaling", "NONSCALING").optional(),
        Argument::flag("items", "ITEMS"),
        Argument::string("item").multiple(),
    ],
    tips: "",
    internal: false,
};

#[derive(Debug, Default, PartialEq)]
struct Request<'a> {
    capacity: Option<u64>,
    error_rate: Option<ErrorRate>,
    expansion: Option<u32>,
    must_exist: bool,
    is_fixed: bool,
    items: &'a [&'a [u8]],
}

impl<'a> Request<'a> {
    fn parse(words: &'a [&'a [u8]]) -> Result<Request<'a>, Error> {
        let arity = || wrong_arity(words);
        let mut request = Request::default();
        let mut rest = words.get(2..).unwrap_or_default();
        loop {
            let (word, after) = rest.split_first().ok_or_else(arity)?;
            rest = after;
            let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
            if is("ITEMS") {
                request.items = rest;
                return if rest.is_empty() {
                    Err(arity())
                } else {
                    Ok(request)
                };
            } else if is("NOCREATE") {
                request.must_exist = true;
            } else if is("NONSCALING") {
                request.is_fixed = true;
            } else if is("CAPACITY") || is("ERROR") || is("EXPANSION") {
                let (value, after) = rest.split_first().ok_or_else(arity)?;
                rest = after;
                request.option(word, value)?;
            } else {
                return Err(unknown_argument(word));
            }
        }
    }

    fn option(&mut self, word: &[u8], value: &[u8]) -> Result<(), Error> {
        if word.eq_ignore_ascii_case(b"CAPACITY") {
            let bad = |_| Error::new("Bad capacity");
            self.capacity = Some(capacity(value).map_err(bad)?);
        } else if word.eq_ignore_ascii_case(b"ERROR") {
            let bad = |error| match error {
                BadNumber::TooSmall => error_rate_range(error),
                _ => Error::new("Bad error rate"),
            };
            self.error_rate = Some(error_rate(value).map_err(bad)?);
        } else {
            let bad = |_| Error::new("Bad expansion");
            self.expansion = Some(expansion(value).map_err(bad)?);
        }
        Ok(())
    }

    fn new_filter(&self) -> Result<NewFilter, Error> {
        if self.must_exist {
            return Err(Error::new("not found"));
        }
        let configured = NewFilter::configured()?;
        Ok(NewFilter {
            error_rate: self.error_rate.unwrap_or(configured.error_rate),
            capacity: self.capacity.unwrap_or(configured.capacity),
            expansion: if self.is_fixed {
                0
            } else {
                self.expansion.unwrap_or(configured.expansion)
            },
        })
    }
}

pub struct Insert;

impl Handler for Insert {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let request = Request::parse(call.words())?;
        let outcomes = add(call, &hashes_of(request.items), || request.new_filter())?;
        reply_each(call.reply(), &outcomes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<String, String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let request = Request::parse(&words).map_err(|error| error.to_string())?;
        let Request {
            capacity,
            expansion,
            must_exist,
            is_fixed,
            items,
            ..
        } = request;
        Ok(format!(
            "{capacity:?} {expansion:?} {must_exist} {is_fixed} {}",
            items.len()
        ))
    }

    #[test]
    fn options_come_in_any_order_and_the_last_counts() {
        let line = "I k NONSCALING expansion 3 CAPACITY 5 ERROR 0.1 CAPACITY 7 nocreate items a b";
        assert_eq!(parse(line).unwrap(), "Some(7) Some(3) true true 2");
        // Everything after ITEMS is an item.
        let line = "I k ITEMS ITEMS CAPACITY 0";
        assert_eq!(parse(line).unwrap(), "None None false false 3");
    }

    #[test]
    fn errors_come_from_left_to_right() {
        let arity = "wrong number of arguments for 'i' command";
        for (line, text) in [
            ("I k ITEMS", arity),
            ("I k CAPACITY 10", arity),
            ("I k CAPACITY", arity),
            ("I k NOCREATE NONSCALING", arity),
            ("I k CAPACITY 0 ERROR 5 ITEMS a", "Bad capacity"),
            ("I k ERROR 5 CAPACITY 0 ITEMS a", "Bad error rate"),
            (
                "I k ERROR 1e-12 ITEMS a",
                "error rate must be at least 0.000000001",
            ),
            ("I k EXPANSION -1 ITEMS a", "Bad expansion"),
            (
                "I k NOSCALE ITEMS a",
                "Unknown argument received: 'NOSCALE'",
            ),
            ("I k  ITEMS a", "Unknown argument received: ''"),
        ] {
            assert_eq!(parse(line), Err(format!("ERR {text}")), "{line}");
        }
    }
}
