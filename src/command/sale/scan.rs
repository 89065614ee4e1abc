//! `FLASHSALE.SCAN key cursor [COUNT n] [STATE s]`
//!
//! Goes through all known ids, a part a call, with the guarantees of the server's own
//! SCAN: an id that is known during the whole of a scan is told, once; one that waits at
//! least once. COUNT is how many ids to look at (10 unless given), STATE one of reserved, sold,
//! refunded, released, expired, waiting. Whoever waits comes first, or an id that becomes a
//! reservation meanwhile would be missed.
//!
//! - Complexity: O(N) with N ids looked at.
//! - Reply: `[cursor, [id, ...]]`; a cursor of 0 is the end.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.

use crate::command::args::{Args, once};
use crate::command::reply::ids;
use crate::command::{Handler, SINCE, text};
use crate::datatype;
use crate::error::{Error, echo};
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::rehearsal::{self, Point};
use flashsale_engine::sale::{NameBuffer, PlaceCursor, Sale, Slot, State};

const COUNT_DEFAULT: u64 = 10;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.SCAN",
    summary: "Goes through the ids of a sale.",
    complexity: "O(N) with N ids looked at",
    since: SINCE,
    flags: "readonly",
    arity: -3,
    keys: &[KeySpec::read(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::integer("cursor"),
        Argument::integer("n").after("COUNT").optional(),
        Argument::string("s").after("STATE").optional(),
    ],
    tips: "nondeterministic_output",
    internal: false,
};

#[derive(Debug, PartialEq)]
struct Request {
    cursor: u64,
    count: u64,
    state: Option<State>,
}

impl Request {
    fn parse(mut args: Args<'_>) -> Result<Request, Error> {
        args.word("key")?;
        let cursor = args.integer("cursor", 0)?;
        let (mut count, mut state) = (None, None);
        while !args.is_empty() {
            if args.keyword("COUNT") {
                once(&mut count, "COUNT", args.integer("COUNT", 1)?)?;
            } else if args.keyword("STATE") {
                once(&mut state, "STATE", parse_state(args.word("STATE")?)?)?;
            } else {
                return Err(args.unknown_option());
            }
        }
        Ok(Request {
            cursor,
            count: count.unwrap_or(COUNT_DEFAULT),
            state,
        })
    }
}

fn parse_state(word: &[u8]) -> Result<State, Error> {
    State::ALL
        .into_iter()
        .find(|state| state.word().as_bytes().eq_ignore_ascii_case(word))
        .ok_or_else(|| {
            let known: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
            let (word, known) = (echo(word), known.join(", "));
            Error::new(format!("STATE: '{word}' is none of {known}"))
        })
}

pub struct Scan;

impl Handler for Scan {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request {
            cursor,
            count,
            state,
        } = Request::parse(Args::new(call.words()))?;
        let key = datatype::open_read(call.ctx(), text(call, 1)?)?;
        let (sale, reply) = (key.sale(), call.reply());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        rehearsal::panic_at(Point::Read, key.name().bytes());
        let mut found = Found::default();
        let next = found.look(sale, cursor, count, state);
        reply.array(2);
        reply.bytes(next.to_string().as_bytes());
        reply.array(found.waiting.len() + found.slots.len());
        found.waiting.iter().for_each(|id| reply.bytes(id));
        ids(reply, sale, &found.slots);
        Ok(())
    }
}

/// Marks a cursor among those who wait: below it stand the item and the page of 64 numbers.
const AMONG_PLACES: u64 = 1 << 52;
/// Bits of a page in a cursor.
const PAGE_BITS: u32 = 32;

/// What one call of SCAN found.
#[derive(Default)]
struct Found {
    /// The ids that wait.
    waiting: Vec<Vec<u8>>,
    slots: Vec<Slot>,
}

impl Found {
    /// Looks at about `count` ids from a cursor on, and returns the next one, 0 at the end.
    fn look(&mut self, sale: &Sale, cursor: u64, count: usize, state: Option<State>) -> u64 {
        let mut cursor = cursor;
        if cursor == 0 || cursor & AMONG_PLACES != 0 {
            let asks_for_places = state.is_none_or(|state| state == State::Waiting);
            if let Some(next) = self.look_at_places(sale, cursor, count, asks_for_places) {
                return next;
            }
            cursor = 0;
        }
        if state == Some(State::Waiting) {
            return 0;
        }
        let left = count.saturating_sub(self.waiting.len()).max(1);
        sale.scan(cursor, left, state, &mut |slot| self.slots.push(slot))
    }

    fn look_at_places(
        &mut self,
        sale: &Sale,
        cursor: u64,
        count: usize,
        asks_for_places: bool,
    ) -> Option<u64> {
        if !asks_for_places {
            return None;
        }
        let from = match cursor {
            0 => PlaceCursor::START,
            _ => PlaceCursor {
                item: ((cursor & !AMONG_PLACES) >> PAGE_BITS) as u32,
                page: cursor as u32,
            },
        };
        let next = sale.scan_places(from, count, &mut |place| {
            let mut buffer = NameBuffer::default();
            self.waiting.push(place.id.bytes(&mut buffer).to_vec());
        })?;
        Some(AMONG_PLACES | u64::from(next.item) << PAGE_BITS | u64::from(next.page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_cursor_and_options_in_any_order() {
        let words: [&[u8]; 7] = [b"SCAN", b"k", b"0", b"state", b"SOLD", b"count", b"5"];
        let expected = Request {
            cursor: 0,
            count: 5,
            state: Some(State::Sold),
        };
        assert_eq!(Request::parse(Args::new(&words)), Ok(expected));
        let expected = Request {
            cursor: 0,
            count: COUNT_DEFAULT,
            state: None,
        };
        assert_eq!(Request::parse(Args::new(&words[..3])), Ok(expected));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 3] = [
            (
                &[b"SCAN", b"k", b"-1"],
                "ERR cursor: '-1' is not an integer from 0 to 9007199254740991",
            ),
            (
                &[b"SCAN", b"k", b"0", b"COUNT", b"0"],
                "ERR COUNT: '0' is not an integer from 1 to 9007199254740991",
            ),
            (
                &[b"SCAN", b"k", b"0", b"STATE", b"gone"],
                "ERR STATE: 'gone' is none of reserved, sold, refunded, released, expired, waiting",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(
                Request::parse(Args::new(words)).unwrap_err().to_string(),
                text
            );
        }
    }
}
