//! `FLASHSALE.BFINFO key [CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION]`
//!
//! Returns what a filter is, all of it or one field.
//!
//! - Complexity: O(L) with L links.
//! - Reply: a map: `Capacity` (items for which the error rate holds, over all links),
//!   `Size` (bytes of memory), `Number of filters` (links), `Number of items inserted`,
//!   `Expansion rate` (null for a filter that does not scale). Of one field: the map of
//!   it alone; in RESP2 an array of the value alone.
//! - Errors: in this order, `ERR` arity; `not found`, `WRONGTYPE`; `Invalid information
//!   value`.

use std::ffi::CStr;

use crate::command::bloom::args::wrong_arity;
use crate::command::{FILTERS_SINCE, Handler, text};
use crate::datatype::bloom_key;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Reply};
use flashsale_engine::bloom::Bloom;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.BFINFO",
    summary: "Returns the capacity, size and number of items of a Bloom filter.",
    complexity: "O(L) with L links of the filter",
    since: FILTERS_SINCE,
    flags: "readonly fast",
    arity: -2,
    keys: &[KeySpec::read(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::one_of(
            "field",
            &[
                Argument::flag("capacity", "CAPACITY"),
                Argument::flag("size", "SIZE"),
                Argument::flag("filters", "FILTERS"),
                Argument::flag("items", "ITEMS"),
                Argument::flag("expansion", "EXPANSION"),
            ],
        )
        .optional(),
    ],
    tips: "",
    internal: false,
};

/// What INFO returns.
struct Field {
    word: &'static str,
    name: &'static CStr,
    value: fn(&Bloom) -> Option<u64>,
}

const FIELDS: [Field; 5] = [
    Field {
        word: "CAPACITY",
        name: c"Capacity",
        value: |bloom| Some(bloom.capacity()),
    },
    Field {
        word: "SIZE",
        name: c"Size",
        value: |bloom| Some(bloom.memory_bytes() as u64),
    },
    Field {
        word: "FILTERS",
        name: c"Number of filters",
        value: |bloom| Some(bloom.links().len() as u64),
    },
    Field {
        word: "ITEMS",
        name: c"Number of items inserted",
        value: |bloom| Some(bloom.items()),
    },
    Field {
        word: "EXPANSION",
        name: c"Expansion rate",
        value: |bloom| Some(u64::from(bloom.settings().expansion)).filter(|&times| times > 0),
    },
];

fn reply_value(reply: Reply<'_>, value: Option<u64>) {
    match value {
        Some(value) => reply.integer(value),
        None => reply.null(),
    }
}

pub struct Info;

impl Handler for Info {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let word = match call.words() {
            [_, _] => None,
            [_, _, word] => Some(*word),
            words => return Err(wrong_arity(words)),
        };
        let key = bloom_key::found(bloom_key::open_read(call.ctx(), text(call, 1)?)?)?;
        let (bloom, reply) = (key.bloom(), call.reply());
        let Some(word) = word else {
            reply.map(FIELDS.len());
            for field in &FIELDS {
                reply.simple(field.name);
                reply_value(reply, (field.value)(bloom));
            }
            return Ok(());
        };
        let known = FIELDS.iter();
        let field = known
            .clone()
            .find(|field| word.eq_ignore_ascii_case(field.word.as_bytes()))
            .ok_or_else(|| Error::new("Invalid information value"))?;
        if call.ctx().flags().is_resp3() {
            reply.map(1);
            reply.simple(field.name);
        } else {
            reply.array(1);
        }
        reply_value(reply, (field.value)(bloom));
        Ok(())
    }
}
