//! `FLASHSALE.REST key valid-ms [sku ...]`
//!
//! Tells a part of a split sale that of these SKUs no part has any: available, reserved or under
//! way. It holds for `valid-ms` by this server's steady clock, and takes the place of what was
//! said before. Until then RESERVE and BUY answer `SOLDOUT` for these SKUs where the part has too
//! few; for all others `ALLRESERVED`, with a time to try again.
//!
//! It is kept in memory beside the sale: not replicated, not saved, and gone after a failover, a
//! restart or RESTORE. SKUs that the sale does not have are passed over. In a sale without GROUP
//! it changes nothing.
//!
//! - Complexity: O(N log N) with N SKUs named.
//! - Reply: `OK`.
//! - Errors: `ERR` arity or syntax, `NOSALE`, `WRONGTYPE`.
//! - Replicates: nothing.

use crate::command::args::Args;
use crate::command::{BEYOND_SINCE, Handler, text};
use crate::datatype;
use crate::error::Error;
use crate::ffi::{Argument, Call, CommandSpec, KeySpec};
use crate::timer::alarm;

/// Longest time a REST may hold, in milliseconds.
const VALID_MS_MAX: u64 = 60_000;

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.REST",
    summary: "Tells a part of a split sale what no part has any of.",
    complexity: "O(N log N) with N SKUs named",
    since: BEYOND_SINCE,
    flags: "write fast",
    arity: -3,
    keys: &[KeySpec::update(1)],
    arguments: &[
        Argument::key("key", 0),
        Argument::integer("valid-ms"),
        Argument::string("sku").multiple().optional(),
    ],
    tips: "",
    internal: false,
};

struct Request<'a> {
    valid_ms: u64,
    skus: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        args.word("key")?;
        let valid_ms = args.integer("valid-ms", 1)?;
        if valid_ms > VALID_MS_MAX {
            return Err(Error::new(format!(
                "valid-ms: '{valid_ms}' is not an integer from 1 to {VALID_MS_MAX}"
            )));
        }
        let mut skus = Vec::with_capacity(args.len());
        while !args.is_empty() {
            skus.push(args.sku()?);
        }
        Ok(Request { valid_ms, skus })
    }
}

pub struct Rest;

impl Handler for Rest {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request { valid_ms, skus } = Request::parse(Args::new(call.words()))?;
        let ctx = call.ctx();
        let mut key = datatype::open_write(ctx, text(call, 1)?)?;
        if key.sale().is_part() {
            key.note_rest(skus.into_iter(), valid_ms);
            // Lines of what no part has end now.
            alarm::note(ctx, &mut key);
        }
        call.reply().ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_for_how_long_it_holds_and_of_what() {
        let words: [&[u8]; 5] = [b"REST", b"k", b"60000", b"a", b"b"];
        let request = Request::parse(Args::new(&words)).unwrap();
        assert_eq!(
            (request.valid_ms, request.skus),
            (60_000, vec![&b"a"[..], b"b"])
        );
        assert!(
            Request::parse(Args::new(&words[..3]))
                .unwrap()
                .skus
                .is_empty()
        );
        for valid_ms in [&b"0"[..], b"60001"] {
            let words: [&[u8]; 3] = [b"REST", b"k", valid_ms];
            let error = Request::parse(Args::new(&words)).err().unwrap().to_string();
            assert!(error.starts_with("ERR valid-ms: "), "{error}");
        }
    }
}
